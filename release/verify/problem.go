package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kind says what is wrong.
type Kind string

// The kinds of problems, in the order in which they are listed.
const (
	Manifest   Kind = "manifest"           // release.json is none, leads outside, or contradicts itself
	Missing    Kind = "missing"            // a file of the list is not there
	Truncated  Kind = "truncated"          // it is shorter
	Changed    Kind = "changed"            // its content is another
	Unlisted   Kind = "unlisted"           // a file that is not in the list
	Signature  Kind = "signature"          // none, not valid, another key's, or not of these files
	Chain      Kind = "chain"              // a line's number or hash is wrong, a line is missing, the head or root is another
	Recipe     Kind = "recipe"             // the settings are not the chain's
	Tokenizer  Kind = "tokenizer"          // it is not the chain's
	Tokens     Kind = "tokens"             // token files or documents are not the chain's
	Order      Kind = "order"              // a step's instances are not those that the recipe gives
	Log        Kind = "log"                // metrics.jsonl says something else than the chain
	Checkpoint Kind = "checkpoint"         // train/stepN is not the state in the chain
	Revision   Kind = "revision"           // model/… is not train/stepN
	Duplicate  Kind = "duplicate"          // two steps have the same weights
	NotSince   Kind = "not-a-continuation" // an older release's chain is not the beginning of this one
	Parent     Kind = "parent"             // the run did not grow out of that one
	Name       Kind = "name"               // the release is of another name or step
	Text       Kind = "text"               // a document does not encode to its tokens
)

var kinds = []Kind{Manifest, Missing, Truncated, Changed, Unlisted, Signature, Chain, Recipe, Tokenizer, Tokens, Order, Log, Checkpoint, Revision, Duplicate, NotSince, Parent, Name, Text}

// Problem is one thing in which a release or run is not what it says. Message is a sentence; the
// members after it are there where they apply.
type Problem struct {
	Kind     Kind   `json:"kind"`
	Message  string `json:"message"`
	Path     string `json:"path,omitempty"` // in the release
	Key      string `json:"key,omitempty"`  // of a setting
	Step     *int   `json:"step,omitempty"`
	Tensor   string `json:"tensor,omitempty"`
	Document string `json:"document,omitempty"` // its id
	IsStep   *int   `json:"is_step,omitempty"`  // whose weights these are instead
}

// Counts say how much was read.
type Counts struct {
	Files       int64 `json:"files"`
	Bytes       int64 `json:"bytes"`
	Steps       int64 `json:"steps"`
	Documents   int64 `json:"documents"`
	Checkpoints int64 `json:"checkpoints"`
}

// Report is what was found.
type Report struct {
	OK       bool      `json:"ok"` // there is no problem
	Problems []Problem `json:"problems"`
	Checked  Counts    `json:"checked"`
	Notes    []string  `json:"notes"` // what could not be checked, and oddities
}

// most is how many problems of one kind a report holds: of a million steps with one fault each the
// first say enough, and the memory is bounded.
const most = 1000

// problem adds a problem, of which the caller may fill in the optional members before the next.
func (v *verifier) problem(kind Kind, path, format string, args ...any) *Problem {
	v.found[kind]++
	p := Problem{Kind: kind, Path: path, Message: fmt.Sprintf(format, args...)}
	if v.found[kind] > most {
		return &p
	}
	v.report.Problems = append(v.report.Problems, p)
	return &v.report.Problems[len(v.report.Problems)-1]
}

// at names the step that a problem is about.
func (p *Problem) at(step int) *Problem {
	p.Step = &step
	return p
}

// on names the tensor.
func (p *Problem) on(tensor string) *Problem {
	p.Tensor = tensor
	return p
}

func (v *verifier) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(v.report.Notes, text) {
		v.report.Notes = append(v.report.Notes, text)
	}
}

// finish sorts what was found.
func (v *verifier) finish() *Report {
	r := v.report
	step := func(p *Problem) int {
		if p.Step == nil {
			return -1
		}
		return *p.Step
	}
	slices.SortStableFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), strings.Compare(a.Path, b.Path),
			cmp.Compare(step(&a), step(&b)), strings.Compare(a.Tensor, b.Tensor), strings.Compare(a.Document, b.Document), strings.Compare(a.Key, b.Key),
		)
	})
	for _, kind := range kinds {
		if more := v.found[kind] - most; more > 0 {
			v.note("%d more problems of kind %s are not listed", more, kind)
		}
	}
	r.OK = len(r.Problems) == 0
	return r
}
