package record

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Explanation says how a document came to its values: what each choice has by each way to
// account for its length, or what each filter took from what was written.
type Explanation struct {
	Run      string   `json:"run"`
	Model    string   `json:"model"`
	Task     string   `json:"task"`
	Document int      `json:"doc_id"`
	ID       string   `json:"id,omitempty"`
	Hash     string   `json:"doc_hash"`
	Boundary string   `json:"boundary,omitempty"`
	Prompt   string   `json:"context"` // of the first choice
	Gold     []int    `json:"gold,omitempty"`
	Choices  []Choice `json:"choices,omitempty"`
	// Norms are the ways to account for a choice's length, each with the choice that it picks.
	Norms     []Norm         `json:"norms,omitempty"`
	Responses []string       `json:"responses,omitempty"`
	Targets   []string       `json:"targets,omitempty"`
	Verdicts  []Verdict      `json:"verdicts,omitempty"` // of texts
	Values    map[string]any `json:"values"`
}

// Choice is a continuation with what the model gave it.
type Choice struct {
	Context      string    `json:"context,omitempty"` // where it is not that of the first choice
	Continuation string    `json:"continuation"`
	Logprob      float64   `json:"logprob"`
	Greedy       bool      `json:"greedy"`
	Tokens       int       `json:"num_tokens"`
	Each         []float64 `json:"token_logprobs,omitempty"`
}

// Norm is a score of every choice.
type Norm struct {
	Name   string    `json:"name"`
	About  string    `json:"about"`
	Scores []float64 `json:"scores"`
	Pick   int       `json:"pick"`            // the first of the highest
	Right  *bool     `json:"right,omitempty"` // nil where the right choice is not known
}

// Verdict is what a figure says of a text, and of what.
type Verdict struct {
	Figure    string `json:"figure"`
	Extracted string `json:"extracted"`
	Value     any    `json:"value"`
	// Same is the right answer that equals what was extracted, letter for letter; empty for none.
	Same string `json:"same,omitempty"`
}

// norms are the ways by which harnesses account for the length of choices. What is divided by is
// counted in the continuation as it was scored.
var norms = []struct {
	name, about string
	length      func(c *Choice) int
}{
	{"sum", "acc, acc_raw", func(*Choice) int { return 1 }},
	{"per token", "acc_per_token of OLMES", func(c *Choice) int { return c.Tokens }},
	{"per character", "len_norm, acc_per_char of OLMES", func(c *Choice) int { return utf8.RuneCountInString(c.Continuation) }},
	{"per character, first space left out", "acc_norm of lm-eval, len_norm_v1", func(c *Choice) int { return utf8.RuneCountInString(strings.TrimPrefix(c.Continuation, " ")) }},
	{"per byte", "acc_per_byte of OLMES", func(c *Choice) int { return len(c.Continuation) }},
	{"per byte, first space left out", "acc_bytes of lm-eval", func(c *Choice) int { return len(strings.TrimPrefix(c.Continuation, " ")) }},
}

// Explain explains the document of a number, its doc_id.
func (r *Run) Explain(task string, number int) (*Explanation, error) {
	t, err := r.Task(task)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(t.Documents, func(d Document) bool { return d.Index == number })
	if i < 0 {
		return nil, fmt.Errorf("%s: task %s has no document %d\nhint: it has %d, from %d to %d", r.Path, task, number, len(t.Documents), t.Documents[0].Index, t.Documents[len(t.Documents)-1].Index)
	}
	d := &t.Documents[i]
	e := &Explanation{Run: r.Path, Model: r.Model, Task: task, Document: number, ID: d.ID, Hash: d.Hash, Boundary: t.Boundary, Prompt: d.Requests[0].Context, Gold: d.Gold, Targets: d.Targets, Values: d.Values}
	var unconditional []float64
	for _, q := range d.Requests {
		switch {
		case q.Text:
			e.Responses = append(e.Responses, q.Responses...)
		case q.Unconditional:
			unconditional = append(unconditional, q.Logprob)
		default:
			c := Choice{Continuation: q.Continuation, Logprob: q.Logprob, Greedy: q.Greedy, Tokens: q.Tokens, Each: q.Each}
			if q.Context != e.Prompt {
				c.Context = q.Context
			}
			e.Choices = append(e.Choices, c)
		}
	}
	if len(e.Responses) > 0 {
		e.judged(d)
	}
	if len(e.Choices) > 1 {
		e.normed(unconditional)
	}
	return e, nil
}

// normed makes the scores by every way that there are numbers for.
func (e *Explanation) normed(unconditional []float64) {
	for _, n := range norms {
		scores := make([]float64, len(e.Choices))
		known := true
		for i := range e.Choices {
			length := n.length(&e.Choices[i])
			known = known && length > 0
			scores[i] = e.Choices[i].Logprob / float64(length)
		}
		if known { // lm-eval does not say how many tokens there are
			e.norm(n.name, n.about, scores)
		}
	}
	if len(unconditional) == len(e.Choices) {
		scores := make([]float64, len(e.Choices))
		for i, c := range e.Choices {
			scores[i] = c.Logprob - unconditional[i]
		}
		e.norm("less the unconditional", "acc_mutual_info, acc_uncond of OLMES", scores)
	}
}

func (e *Explanation) norm(name, about string, scores []float64) {
	n := Norm{Name: name, About: about, Scores: scores}
	for i, s := range scores {
		if s > scores[n.Pick] || math.IsNaN(scores[n.Pick]) {
			n.Pick = i
		}
	}
	if len(e.Gold) > 0 {
		right := slices.Contains(e.Gold, n.Pick)
		n.Right = &right
	}
	e.Norms = append(e.Norms, n)
}

// judged says what each figure judged.
func (e *Explanation) judged(d *Document) {
	names := make([]string, 0, len(d.Values))
	for name := range d.Values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_, filter, _ := strings.Cut(name, ",")
		v := Verdict{Figure: strings.TrimSuffix(name, ","+noFilter), Extracted: e.Responses[0], Value: d.Values[name]}
		if text, ok := d.Filtered[filter]; ok {
			v.Extracted = text
		}
		if i := slices.Index(d.Targets, v.Extracted); i >= 0 {
			v.Same = d.Targets[i]
		}
		e.Verdicts = append(e.Verdicts, v)
	}
}
