package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"olmo/eval/python"
)

// Question is a question of OLMo's in-loop evaluation.
type Question struct {
	ID       string
	Context  string
	Contexts []string // one for each choice, where they differ; nil: Context
	Choices  []string // the continuations, with their leading space
	Gold     int
}

func (q *Question) context(choice int) string {
	if q.Contexts != nil {
		return q.Contexts[choice]
	}
	return q.Context
}

func (q *Question) check() error {
	switch {
	case len(q.Choices) == 0:
		return errors.New("the question has no choices")
	case slices.Contains(q.Choices, ""):
		return fmt.Errorf("choice %d is empty", slices.Index(q.Choices, ""))
	case q.Gold < 0 || q.Gold >= len(q.Choices):
		return fmt.Errorf("the answer is number %d of %d choices", q.Gold, len(q.Choices))
	}
	return nil
}

// document is the question with its requests, asked of a row.
func (q *Question) document(row json.RawMessage) (*Document, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	d := &Document{ID: q.ID, Row: row, Choices: q.Choices, Gold: []int{q.Gold}}
	for i, c := range q.Choices {
		d.Requests = append(d.Requests, Request{Context: q.context(i), Continuation: c})
	}
	return d, nil
}

// rows makes Task.Each of a data set whose rows are a question each.
func rows[Row any](name string, question func(r Row) (Question, error)) func(in *Inputs) iter.Seq2[*Document, error] {
	return func(in *Inputs) iter.Seq2[*Document, error] {
		return func(yield func(*Document, error) bool) {
			n := 0
			for r, err := range readRows[Row](in, name) {
				var d *Document
				if err == nil {
					var q Question
					if q, err = question(r.value); err == nil {
						d, err = q.document(r.JSON)
					}
					if err != nil {
						err = r.Bad(err)
					}
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if d.Index = n; !yield(d, nil) {
					return
				}
				n++
			}
		}
	}
}

// keyed are choices with a letter or a number each, as ARC and its kin write them.
type keyed struct {
	ID       string `json:"id,omitempty"`
	Question string
	Choices  struct{ Text, Label []string }
	Key      string `json:"answerKey"`
}

// question asks with the given prompt.
func (k *keyed) question(prompt string) (Question, error) {
	q := Question{ID: k.ID, Context: prompt, Gold: slices.Index(k.Choices.Label, python.Strip(k.Key))}
	if q.Gold < 0 {
		return q, fmt.Errorf("the answer %q is none of the choices %v", k.Key, k.Choices.Label)
	}
	for _, c := range k.Choices.Text {
		q.Choices = append(q.Choices, " "+c)
	}
	return q, nil
}

// answer is the prompt of most tasks.
func answer(question string) string { return "Question: " + question + "\nAnswer:" }

// gold turns questions into their right answers alone, for tasks that measure how well a model
// knows them.
func gold(each func(in *Inputs) iter.Seq2[*Document, error]) func(in *Inputs) iter.Seq2[*Document, error] {
	return func(in *Inputs) iter.Seq2[*Document, error] {
		return func(yield func(*Document, error) bool) {
			for d, err := range each(in) {
				if err == nil {
					g := d.Gold[0]
					d.Requests, d.Choices, d.Gold = d.Requests[g:g+1], d.Choices[g:g+1], []int{0}
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}
