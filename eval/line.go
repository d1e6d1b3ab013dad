package eval

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
	"unicode/utf8"

	"olmo/eval/python"
)

// Line is a line of requests-TASK.jsonl: a request of a document with its answer. Nothing
// that depends on time, machine or batch is in it.
type Line struct {
	Doc    int    `json:"doc_id"`
	ID     string `json:"id,omitempty"` // the data set's own name for the document
	Hash   string `json:"doc_hash"`
	Choice int    `json:"choice"`

	Context      string  `json:"context"`
	Continuation *string `json:"continuation,omitempty"`
	Chat         bool    `json:"chat,omitempty"` // the context was put as turns of a conversation
	// Gold marks the right choice; unconditional requests follow the choices.
	Gold          bool      `json:"gold,omitempty"`
	Unconditional bool      `json:"unconditional,omitempty"`
	Logprob       *float64  `json:"logprob,omitempty"` // nats, of the continuation
	Greedy        *bool     `json:"greedy,omitempty"`
	Tokens        int       `json:"num_tokens"`          // of the continuation, or of the responses
	Chars         int       `json:"num_chars,omitempty"` // of the continuation, its space included
	Bytes         int       `json:"num_bytes,omitempty"` // the same, as UTF-8
	Each          []float64 `json:"token_logprobs,omitempty"`
	Truncated     bool      `json:"truncated,omitempty"`

	Response  *string           `json:"response,omitempty"`
	Thinking  bool              `json:"thinking,omitempty"`  // the prompt has begun the responses' thinking
	Responses []string          `json:"responses,omitempty"` // where several were asked for
	Targets   []string          `json:"targets,omitempty"`   // of a text, on its line
	Row       json.RawMessage   `json:"doc,omitempty"`       // the same: what the document was made of, for other scorers
	Filtered  map[string]string `json:"filtered,omitempty"`
	// Scores are the document's values, on its first line.
	Scores map[string]any `json:"scores,omitempty"`
}

// Hash is the document's name for comparisons: that of its row, so that runs which number
// documents otherwise agree, and lm-eval's doc_hash of the same row (0.4.13, evaluator.py); without
// a row that of its requests.
func (d *Document) Hash() string {
	if d.hash != "" {
		return d.hash
	}
	h := sha256.New()
	if row, err := python.Dumps(d.Row); err == nil && d.Row != nil {
		io.WriteString(h, row)
	} else {
		for _, r := range d.Requests {
			io.WriteString(h, r.Context+"\x00"+r.Continuation+"\x00")
		}
	}
	d.hash = hexSum(h)
	return d.hash
}

// lines are what is kept of a document.
func (d *Document) lines(answers []Answer, j judged) []Line {
	hash := d.Hash()
	var out []Line
	for i, r := range d.Requests {
		a := &answers[i]
		l := Line{
			Doc: d.Index, ID: d.ID, Hash: hash, Choice: i, Context: r.Context, Chat: r.Turns != nil, Unconditional: r.Unconditional,
			Tokens: a.Tokens, Each: a.Each, Truncated: a.Truncated,
		}
		if r.Form == Text {
			if len(a.Texts) == 1 {
				l.Response = &a.Texts[0]
			} else {
				l.Responses = a.Texts
			}
			l.Thinking, l.Targets, l.Row, l.Filtered = a.Thinking, d.Targets, d.Row, j.filtered
		} else {
			l.Continuation, l.Logprob = &r.Continuation, &a.Logprob
			l.Chars, l.Bytes = utf8.RuneCountInString(r.Continuation), len(r.Continuation)
			if r.Form == Continuation {
				l.Greedy = &a.Greedy
			}
			l.Gold = !r.Unconditional && slices.Contains(d.Gold, i)
		}
		if i == 0 {
			l.Scores = j.scores
		}
		out = append(out, l)
	}
	return out
}
