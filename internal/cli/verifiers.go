package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/chat"
	"olmo/eval"
	"olmo/eval/endpoint"
	"olmo/eval/score"
)

// warnings prints what the user should know, with the verb in front.
func warnings(c *cobra.Command) func(string) {
	return func(text string) { fmt.Fprintf(c.ErrOrStderr(), "%s: warning: %s\n", c.CommandPath(), visible(text)) }
}

// openVerifiers are those that this program has and a config declares: programs that a model wrote run
// as the flags say, and models on servers are asked here.
func openVerifiers(ctx context.Context, c *score.VerifierConfig, programs *programFlags, warn func(string)) (*score.VerifierSet, error) {
	return c.Open(ctx, outside(programs, warn))
}

// outside is how verifiers run programs and ask servers.
func outside(programs *programFlags, warn func(string)) score.Outside {
	return score.Outside{
		Sandbox: programs.open,
		Judge:   func(ctx context.Context, j *score.JudgeConfig) (score.Ask, error) { return openJudge(ctx, j, warn) },
	}
}

// openJudge finds the model on its server.
func openJudge(ctx context.Context, j *score.JudgeConfig, warn func(string)) (score.Ask, error) {
	key := ""
	if name := j.APIKeyEnv; name != "" {
		if key = strings.TrimSpace(os.Getenv(name)); key == "" {
			return nil, fmt.Errorf("api_key_env: the environment has no %s, or an empty one", name)
		}
	}
	s, err := endpoint.New(j.Endpoint, endpoint.Options{Key: key, Concurrency: j.Concurrency, Timeout: j.Limit(), Warn: warn})
	if err != nil {
		return nil, fmt.Errorf("endpoint: %s", ownHint(err, j))
	}
	limited, cancel := context.WithTimeout(ctx, j.Limit())
	defer cancel()
	m, err := s.Model(limited, j.Model)
	if err != nil {
		return nil, errors.New(ownHint(err, j))
	}
	m.Chat = true
	places := make(chan struct{}, j.Concurrency)
	return func(ctx context.Context, prompt string) (said string, err error) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-ctx.Done():
			return "", ctx.Err()
		}
		turns := []chat.Message{{Role: chat.User, Content: prompt}}
		request := eval.Request{Form: eval.Text, Context: prompt, Turns: turns, MaxTokens: j.MaxTokens, Sampling: eval.Sampling{Temperature: j.Temperature}}
		err = m.Answer(ctx, []eval.Request{request}, eval.AnswerOptions{Boundary: eval.Together}, func(_ int, a eval.Answer) error {
			said, _ = chat.Thinking{}.Answer(a.Response())
			return nil
		})
		if err != nil {
			return "", errors.New(ownHint(err, j))
		}
		return said, nil
	}, nil
}

// ownHint is an error of a server without the hint for whom flags name it.
func ownHint(err error, j *score.JudgeConfig) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if strings.Contains(text, " 401 ") || strings.Contains(text, " 403 ") {
		text += "\nhint: the key is read from the variable that api_key_env names"
		if j.APIKeyEnv != "" {
			text += ", " + j.APIKeyEnv
		}
	}
	return text
}

// unjudged counts the verifiers that gave no verdict, and keeps why they did not the first time.
type unjudged map[string]*struct {
	n     int
	first error
}

func (u unjudged) add(all []*score.NoVerdict) {
	for _, v := range all {
		if u[v.Verifier] == nil {
			u[v.Verifier] = &struct {
				n     int
				first error
			}{first: v.Err}
		}
		u[v.Verifier].n++
	}
}

// tell says how many answers have 0 for want of a verdict.
func (u unjudged) tell(warn func(string)) {
	for _, name := range slices.Sorted(maps.Keys(u)) {
		warn(fmt.Sprintf("the verifier %s gave no verdict of %d answers, which so have 0; of the first: %v", name, u[name].n, u[name].first))
	}
}
