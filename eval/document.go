package eval

import (
	"encoding/json"
	"fmt"
	"strconv"

	"olmo/chat"
	"olmo/numeric"
)

// Document is one document of a task, with all that is asked about it.
type Document struct {
	Index int             // its place in the task, from 0; doc_id in files
	ID    string          // the data set's own name for it; "" for none
	Row   json.RawMessage // the row that it was made of, as it stands in the data; nil without one
	From  string          // the file of a document of the user's
	// Requests are what is asked: the choices in their order, then the unconditional ones, one
	// for each choice; or one request alone.
	Requests []Request
	// Choices are the answers to choose from, as figures by characters and bytes count them.
	Choices []string
	Gold    []int // the right choices; several where any of them counts
	// Targets are the right answers of a document that is answered with a text, or the
	// continuation that a likelihood is asked of.
	Targets []string
	// Target is the right answer as lm-eval logs it, Python's str of what doc_to_target gives; empty
	// where Gold or Targets say it all.
	Target string

	cluster string // what it shares with others that it is not independent of; see Inputs.Cluster
	hash    string // kept, see Hash
}

// clustered reads the document's cluster: the value of a field of its row, as JSON.
func (d *Document) clustered(field string) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(d.Row, &fields); err != nil || fields[field] == nil {
		return fmt.Errorf("document %d: its row has no field %q to cluster by", d.Index, field)
	}
	d.cluster = string(fields[field])
	return nil
}

// Form says what a request asks.
type Form byte

// The forms of requests.
const (
	Continuation Form = iota // how probable the continuation is after the context
	Rolling                  // how probable the whole continuation is, window by window
	Text                     // what follows the context
)

// Request is one thing that is asked of a model.
type Request struct {
	Form         Form
	Context      string
	Continuation string
	// Turns are the context as a conversation, for a model that reads it in the form of its own;
	// nil: the context as it is. A last turn of the assistant's is the beginning of its answer.
	Turns []chat.Message `json:",omitempty"`
	// Unconditional marks a request that serves a figure of another: the choice after a context
	// that says nothing.
	Unconditional bool

	// Of a text: where it ends, its most tokens (0: as many as the model has room for), how it is
	// drawn, and how many are asked for.
	Until     []string
	MaxTokens int
	Sampling  Sampling
	Responses int // 0: one

	// Of a rolling text.
	Window    int  // tokens that a pass predicts; 0: the model's positions
	Overlap   bool // the last window is moved back to full length
	EndOfText bool // the end of text is charged, too
}

// Sampling says how tokens are drawn; the zero value takes the most probable one.
type Sampling struct {
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k,omitempty"`
	TopP        float64 `json:"top_p,omitempty"`
	Seed        uint64  `json:"seed,omitempty"` // of the task; each response has one of its own, made of it, of document and number
}

// Response is the seed of an answer: k of those to the same request.
func (s Sampling) Response(k int) uint64 {
	return numeric.NewStream(s.Seed, "eval response").Bits(uint64(k), 0)
}

// documentSeed gives each document random numbers of its own, which depend on nothing else.
func documentSeed(seed uint64, doc int) uint64 {
	return numeric.NewStream(seed, "eval document "+strconv.Itoa(doc)).Bits(0, 0)
}

// Answer is what a model says to a request.
type Answer struct {
	// Of a continuation or rolling text.
	Logprob   float64   `json:"logprob"`             // nats, together
	Greedy    bool      `json:"greedy"`              // every token is the model's first choice
	Tokens    int       `json:"num_tokens"`          // that were predicted
	Each      []float64 `json:"logprobs,omitempty"`  // of each token, where they were asked for
	Truncated bool      `json:"truncated,omitempty"` // the beginning did not fit the model
	// Of a text: one for each response that was asked for, cut before the first stop, with the
	// thinking before it, which the prompt may have begun.
	Texts    []string `json:"texts,omitempty"`
	Thinking bool     `json:"thinking,omitempty"`
}

// Response is an answer's first text.
func (a *Answer) Response() string {
	if len(a.Texts) == 0 {
		return ""
	}
	return a.Texts[0]
}
