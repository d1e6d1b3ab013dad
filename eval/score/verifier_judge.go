package score

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// JudgeConfig is a model on a server of OpenAI's API, and what it is asked of an answer.
type JudgeConfig struct {
	Endpoint string `yaml:"endpoint"` // the address of its API, http(s)://HOST/v1
	Model    string `yaml:"model"`
	// APIKeyEnv is the variable of the environment that holds the key; the key itself stands nowhere.
	APIKeyEnv string `yaml:"api_key_env"`
	// Prompt is what it is asked: {prompt}, {prediction} and {ground_truth} stand for these.
	Prompt      string  `yaml:"prompt"`
	Scale       float64 `yaml:"scale"` // the score that counts as 1
	MaxTokens   int     `yaml:"max_tokens"`
	Temperature float64 `yaml:"temperature"`
	Timeout     float64 `yaml:"timeout"`     // seconds for a judgement, further attempts included
	Concurrency int     `yaml:"concurrency"` // judgements at a time
}

//go:embed judge_prompt.txt
var judgePrompt string

// SetDefaults is config's.
func (c *JudgeConfig) SetDefaults() {
	*c = JudgeConfig{Prompt: judgePrompt, Scale: 10, MaxTokens: 2048, Timeout: 60, Concurrency: 8}
}

// Limit is how long a judgement may take.
func (c *JudgeConfig) Limit() time.Duration { return time.Duration(c.Timeout * float64(time.Second)) }

// check refuses what cannot be; its error begins with the key below the verifier's name.
func (c *JudgeConfig) check() error {
	switch {
	case c.Endpoint == "":
		return errors.New(".judge.endpoint is not set\nhint: http(s)://HOST/v1")
	case c.Model == "":
		return errors.New(".judge.model is not set")
	case !strings.Contains(c.Prompt, "{prediction}"):
		return errors.New(".judge.prompt does not hold {prediction}, so the judge would not see the answer")
	case !(c.Scale > 0) || math.IsInf(c.Scale, 0):
		return fmt.Errorf(".judge.scale is %v, it must be positive", c.Scale)
	case c.MaxTokens < 1:
		return fmt.Errorf(".judge.max_tokens is %d, it must be positive", c.MaxTokens)
	case !(c.Temperature >= 0) || math.IsInf(c.Temperature, 0):
		return fmt.Errorf(".judge.temperature is %v, it must not be negative", c.Temperature)
	case !(c.Timeout > 0 && c.Timeout < 1e6):
		return fmt.Errorf(".judge.timeout is %v, it must be a number of seconds", c.Timeout)
	case c.Concurrency < 1:
		return fmt.Errorf(".judge.concurrency is %d, it must be positive", c.Concurrency)
	}
	return nil
}

// judgeVerifier asks a model how good an answer is, and gives what it says by the scale, from 0 to 1. A
// ground truth is what the judge is told of the right answer, or "" for nothing.
//
// Of open-instruct's (e6c3044, LMJudgeVerifier) it is what general-quality_ref does, in words of our own;
// its other judges are other prompts.
func judgeVerifier(name string, open func() (Ask, error), c *JudgeConfig) *Verifier {
	open = sync.OnceValues(open)
	return &Verifier{
		Name: name, Source: "a model on a server", Truth: "a text or number, or a list of them",
		Against: func(raw json.RawMessage) (Verdict, error) {
			truths, err := truthTexts(raw)
			if err != nil {
				return nil, err
			}
			truth := strings.Join(truths, "\n")
			if strings.Contains(c.Prompt, "{ground_truth}") && truth == "" {
				truth = "(none is given)"
			}
			ask, err := open()
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, a *Attempted) (float64, error) {
				asked := strings.NewReplacer("{prompt}", a.Prompt, "{prediction}", withoutThinking(a.Text), "{ground_truth}", truth).Replace(c.Prompt)
				limited, cancel := context.WithTimeout(ctx, c.Limit())
				defer cancel()
				said, err := ask(limited, asked)
				if err != nil {
					if limited.Err() != nil {
						err = fmt.Errorf("the judge took longer than %v", c.Limit())
					}
					return 0, &NoVerdict{name, err}
				}
				x, ok := judgedScore(said, c.Scale)
				if !ok {
					return 0, &NoVerdict{name, fmt.Errorf("the judge gives no score: %s", short([]byte(said)))}
				}
				return x, nil
			}, nil
		},
	}
}

var (
	namedScore = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\bscore\b[\s"'*:=]*([0-9]+(?:\.[0-9]+)?)(?:\s*/\s*([0-9]+(?:\.[0-9]+)?))?`)
	})
	numberAlone = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[\s"'*]*([0-9]+(?:\.[0-9]+)?)(?:\s*/\s*([0-9]+(?:\.[0-9]+)?))?[\s"'*.]*$`)
	})
)

// judgedScore reads a judge's score: the last number that is called one, or all that is said where that
// is a number, or yes or no. Of a quotient what stands below it is the scale. It is within 0 and 1.
func judgedScore(said string, scale float64) (x float64, ok bool) {
	said = after(said, "</think>")
	var found []string
	if all := namedScore().FindAllStringSubmatch(said, -1); len(all) > 0 {
		found = all[len(all)-1]
	} else if found = numberAlone().FindStringSubmatch(said); found == nil {
		switch strings.ToLower(strings.Trim(said, " \t\r\n.\"'*")) {
		case "yes", "true", "correct":
			return 1, true
		case "no", "false", "incorrect":
			return 0, true
		}
		return 0, false
	}
	x, err := strconv.ParseFloat(found[1], 64)
	if found[2] != "" {
		var below error
		scale, below = strconv.ParseFloat(found[2], 64)
		err = errors.Join(err, below)
	}
	if err != nil || scale == 0 {
		return 0, false
	}
	return min(x/scale, 1), true
}
