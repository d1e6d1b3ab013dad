// Package score judges answers that exist: each scorer is a file of its own, after the
// program whose verdicts it gives.
package score

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"olmo/config"
	"olmo/eval/python"
	"olmo/internal/pyjson"
)

// Row is what is judged: a document with the answers to it.
type Row struct {
	Doc json.RawMessage `json:"doc"`
	// Responses are what the model wrote, Loglikelihoods how probable it found the document's
	// choices; one of them is given.
	Responses      []string  `json:"responses,omitempty"`
	Loglikelihoods []float64 `json:"loglikelihoods,omitempty"`
	// Targets are the right answers, and Labels says which choices are right, where the file tells
	// them beside the document; nil: the document has them.
	Targets []string `json:"-"`
	Labels  []int    `json:"-"`

	begun bool // the prompt has begun the responses' thinking
}

// Response is the first response.
func (r *Row) Response() (string, error) {
	if len(r.Responses) == 0 {
		return "", errors.New("the row has no responses")
	}
	return r.Responses[0], nil
}

// field reads a member of the document, one of another's by a path with points. A document
// without it is an error.
func (r *Row) field(path string, v any) error {
	raw := r.Doc
	if len(raw) == 0 {
		return errors.New("the line has no doc")
	}
	for name := range strings.SplitSeq(path, ".") {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil && bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
			return err
		}
		var ok bool
		if raw, ok = members[name]; !ok || string(raw) == "null" {
			return fmt.Errorf("the document has no %s", path)
		}
	}
	if err := pyjson.Value(raw, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// answers are the right answers to a document that is answered with a text: those beside it, or
// its target, targets, answer or answers, a text or number or a list of them.
func (r *Row) answers() ([]string, error) {
	if len(r.Targets) > 0 {
		return r.Targets, nil
	}
	for _, name := range []string{"target", "answer", "targets", "answers"} {
		var raw json.RawMessage
		if r.field(name, &raw) != nil {
			continue
		}
		out, err := texts(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return out, nil
	}
	return nil, errors.New("the document has neither target nor answer")
}

// texts reads a text, a number or truth value as Python writes it, or a list of them.
func texts(raw json.RawMessage) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, x := range list {
		switch x := x.(type) {
		case string:
			out = append(out, x)
		case bool:
			out = append(out, map[bool]string{true: "True", false: "False"}[x])
		case json.Number:
			text := x.String()
			if strings.ContainsAny(text, ".eE") {
				f, err := x.Float64()
				if err != nil {
					return nil, err
				}
				text = python.Float(f)
			}
			out = append(out, text)
		default:
			return nil, fmt.Errorf("%.40s is no text or number", raw)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("it is an empty list")
	}
	return out, nil
}

// Values are a row's scores by name: numbers, or lists of them where a row has several verdicts
// that count each for itself.
type Values map[string]any

// Scorer is a way to judge.
type Scorer struct {
	Name   string
	Source string // the program whose verdicts these are, with its version and function
	// Each judges a row by its first response; nil for programs.
	Each func(r *Row) (Values, error)
	// Gives names the values of Each.
	Gives []string
	// Choices says that it judges by the probabilities of choices, not by what a model wrote.
	Choices bool
	// Verdicts names the values of Each that say right or wrong, from which pass@k can be made;
	// none for a scorer that only measures.
	Verdicts []string
	// Answers takes from a response what is judged, by the name of the verdict, for votes of
	// several responses (maj@k); nil where there is no vote.
	Answers func(response string) (map[string]string, error)
	// Corpus makes one figure of all rows' statistics, beside which the values of Each are those
	// of rows alone; nil where the figures are means.
	Corpus *Corpus
	// Programs judges responses that are programs, by running them: a verdict for each response of
	// each row.
	Programs func(ctx context.Context, rows []Row, o ProgramOptions) ([][]bool, error)
	// Model says that a model's judgements decide (Judge.Model).
	Model bool
	// With is the scorer with options, names that follow its own after colons; nil: it has none.
	With func(options []string) (*Scorer, error)
}

var scorers = map[string]*Scorer{}

// define adds a scorer. Each file that describes one calls it.
func define(s Scorer) *Scorer {
	scorers[s.Name] = &s
	return &s
}

// Names lists the scorers, sorted.
func Names() []string { return slices.Sorted(maps.Keys(scorers)) }

// Lookup returns the scorers of names separated by commas, each with its options after colons.
func Lookup(names string) (out []*Scorer, err error) {
	for full := range strings.SplitSeq(names, ",") {
		options := strings.Split(strings.TrimSpace(full), ":")
		name := options[0]
		options = options[1:]
		s, ok := scorers[name]
		if !ok {
			hint := "there are " + strings.Join(Names(), ", ")
			if near, ok := config.Nearest(name, Names()); ok {
				hint = "did you mean " + near + "?"
			}
			return nil, fmt.Errorf("no scorer is called %q\nhint: %s", name, hint)
		}
		if slices.ContainsFunc(out, func(x *Scorer) bool { return x.Name == s.Name }) {
			return nil, fmt.Errorf("the scorer %s is named twice", name)
		}
		if len(options) > 0 {
			if s.With == nil {
				return nil, fmt.Errorf("the scorer %s has no options, and %s asks for some", name, full)
			}
			if s, err = s.With(options); err != nil {
				return nil, fmt.Errorf("the scorer %s: %w", name, err)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// Summary is what all rows come to.
type Summary struct {
	N int `json:"n"`
	// Scores are means, with NAME_stderr beside each: the spread of a sample (n − 1) over √n. A
	// name whose values are lists is the mean over all their items, without one.
	Scores map[string]float64 `json:"scores"`
}

// Sum gathers values of rows.
type Sum struct {
	n     int
	lists map[string]bool
	all   map[string][]float64
}

// Add counts a row.
func (s *Sum) Add(v Values) error {
	if s.all == nil {
		s.all, s.lists = map[string][]float64{}, map[string]bool{}
	}
	s.n++
	for name, x := range v {
		switch x := x.(type) {
		case float64:
			s.all[name] = append(s.all[name], x)
		case bool:
			s.all[name] = append(s.all[name], number(x))
		case []bool:
			s.lists[name] = true
			for _, b := range x {
				s.all[name] = append(s.all[name], number(b))
			}
		default:
			return fmt.Errorf("the score %s is %v, want a number", name, x)
		}
	}
	return nil
}

// Summary computes the means.
func (s *Sum) Summary() Summary {
	out := Summary{N: s.n, Scores: map[string]float64{}}
	for name, values := range s.all {
		if len(values) == 0 {
			continue
		}
		mean, stderr := spread(values)
		out.Scores[name] = mean
		if !s.lists[name] && len(values) > 1 {
			out.Scores[name+"_stderr"] = stderr
		}
	}
	return out
}

// spread is the mean of values and its standard error.
func spread(values []float64) (mean, stderr float64) {
	var sum, squares float64
	n := float64(len(values))
	for _, v := range values {
		sum += v
	}
	mean = sum / n
	for _, v := range values {
		squares += float64((v - mean) * (v - mean))
	}
	return mean, math.Sqrt(squares/(n-1)) / math.Sqrt(n)
}

func number(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
