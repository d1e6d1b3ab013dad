// Package olmes holds the tasks and suites that oe-eval (allenai/olmes) has by names of the form
// TASK[:FORM]::REGIME: the standard OLMES (Gu et al. 2024, arXiv:2406.08446), the settings of the
// first OLMo, and the suites of OLMo 2, OLMo 3 and Tülu 3.
//
// Facts are those of oe_eval/configs and oe_eval/tasks as of February 2026; prompts are equal to
// its byte for byte.
package olmes

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"olmo/eval"
	evaldata "olmo/eval/data"
	"olmo/eval/python"
)

func init() {
	eval.Register(func() {
		for _, d := range sets {
			d.define()
		}
		defineMMLU()
		defineStored()
		defineSuites()
	})
}

// source is what the tasks say of their origin.
const source = "oe-eval (allenai/olmes), "

// set is a data set of multiple-choice questions.
type set struct {
	name            string
	hub, config     string // of its rows
	split           string // of the regime olmes; that of olmo1 is validation
	limit           int    // of the regime olmes; 0: all
	cloze           string // the figure that the cloze form is quoted with
	olmo1           string // the same of the regime olmo1; "" where there is none
	noForm          bool   // the regime olmes has it not
	all             bool   // the regime olmo1 asks all questions
	noUnconditional bool
	storedFirst     bool // rows that go by the set's name may lack what prompts need
	paper, licence  string
	item            func(row json.RawMessage) (*item, error)
}

// item is a question of a data set, whatever the form in which it is asked.
type item struct {
	id       string
	question string              // with what stands before it
	cloze    string              // the prompt of the cloze form; "": the question and "Answer:"
	endings  []string            // the choices of the cloze form; nil: as they are
	lead     string              // before the lettered choices
	clean    func(string) string // what is done to the lettered prompt; nil: nothing
	choices  []string
	gold     int
	// Of a sentence with a gap: its beginnings, one for each choice, with the one ending.
	beginnings []string
	ending     string
}

// form is how a question is asked: its choices as continuations, or as letters to choose from.
type form string

const (
	cloze    form = "rc"
	lettered form = "mc"
)

// spec is a task: a set in a form and a regime.
type spec struct {
	*set
	form    form
	split   string
	limit   int
	shots   int
	bare    bool     // the prompt is the question alone
	stored  []string // the sets of requests that hold the same prompts
	primary string
	before  string // the description
	rows    func(in *eval.Inputs, split string) (*evaldata.Set, iter.Seq2[evaldata.Row, error], error)
	// examples stand before each question; nil without any.
	examples func(in *eval.Inputs) ([]*item, error)
}

// shotsOf is the number of examples of the regime olmes.
const shotsOf = 5

// define adds a set's tasks.
func (d *set) define() {
	if !d.noForm {
		for _, f := range []form{cloze, lettered} {
			s := spec{set: d, form: f, split: d.split, limit: d.limit, shots: shotsOf, primary: d.cloze, rows: d.splitRows, examples: d.curated}
			if f == lettered {
				s.primary = accRaw
			}
			for _, name := range []string{d.split, short[d.split], ""} {
				s.stored = append(s.stored, storedName(d.name, name, string(f)+"_5shot"))
			}
			s.define(fmt.Sprintf("%s:%s::olmes", d.name, f))
			s.limit = 0
			s.define(fmt.Sprintf("%s:%s::olmes:full", d.name, f))
			s.primary = bitsPerByte
			s.define(fmt.Sprintf("%s:%s:bpb::olmes:full", d.name, f))
		}
	}
	if d.olmo1 != "" {
		s := spec{set: d, form: cloze, split: "validation", limit: 1000, primary: d.olmo1, rows: d.splitRows}
		if d.all {
			s.limit, s.bare = 0, true
		} else {
			s.stored = []string{storedName(d.name, "", "rc_0shot")}
		}
		s.define(d.name + "::olmo1")
	}
}

// short are the splits as the stored sets write them.
var short = map[string]string{"validation": "val", "test": "test"}

func storedName(task, split, variant string) string {
	if split != "" {
		split += "_"
	}
	return "oe_" + task + "__" + split + variant
}

// define adds the task.
func (s spec) define(name string) {
	eval.Define(eval.Task{
		Name: name, Kind: eval.Choices, Boundary: eval.Together, Quoted: s.primary, Shots: s.shots, Version: "0",
		About:   eval.About{Source: source + s.paper, Data: strings.TrimSuffix(s.hub+" "+s.config, " ") + " " + s.split, Licence: s.licence},
		Metrics: metrics(s.primary, s.form == cloze && !s.noUnconditional),
		Each:    func(in *eval.Inputs) iter.Seq2[*eval.Document, error] { return s.each(in) },
		Sets: func(in *eval.Inputs) ([]*evaldata.Set, error) {
			f, err := s.find(in)
			if err != nil {
				return nil, err
			}
			return []*evaldata.Set{f.set}, nil
		},
		Config: map[string]any{
			"split": s.split, "limit": nilZero(s.limit), "num_shots": s.shots, "random_subsample_seed": drawSeed, "primary_metric": s.primary,
		},
	})
}

func nilZero(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// drawSeed draws the questions where there are more than a regime asks.
const drawSeed = 1234

// found is where a task's questions are: rows, or stored requests.
type found struct {
	set    *evaldata.Set
	rows   iter.Seq2[evaldata.Row, error]
	stored bool
}

// find looks for the rows of the split and for stored requests with the same prompts; what the
// user gave comes before what is inside the program.
func (s *spec) find(in *eval.Inputs) (*found, error) {
	set, rows, missing := s.rows(in, s.split)
	if missing != nil && !errors.Is(missing, evaldata.ErrMissing) {
		return nil, missing
	}
	if missing == nil && set.Place != evaldata.Inside && !s.storedFirst {
		return &found{set, rows, false}, nil
	}
	for _, name := range s.stored {
		stored, err := evaldata.Find(in.Data, name)
		switch {
		case err == nil:
			return &found{stored, stored.Rows(), true}, nil
		case !errors.Is(err, evaldata.ErrMissing):
			return nil, err
		}
	}
	if missing != nil {
		return nil, missing
	}
	return &found{set, rows, false}, nil
}

// splitRows are the rows of a split.
func (d *set) splitRows(in *eval.Inputs, split string) (*evaldata.Set, iter.Seq2[evaldata.Row, error], error) {
	set, err := evaldata.FindSplit(in.Data, d.hub, d.config, split)
	if err != nil {
		return nil, nil, err
	}
	return set, set.Rows(), nil
}

// each makes the documents: those of the regime's number, drawn where there are more.
func (s *spec) each(in *eval.Inputs) iter.Seq2[*eval.Document, error] {
	return func(yield func(*eval.Document, error) bool) {
		docs, err := s.documents(in)
		if err != nil {
			yield(nil, err)
			return
		}
		if s.limit > 0 && len(docs) > s.limit {
			chosen, err := python.NewRandom(drawSeed).Sample(len(docs), s.limit)
			if err != nil {
				yield(nil, err)
				return
			}
			all := docs
			docs = nil
			for _, i := range chosen {
				docs = append(docs, all[i])
			}
		}
		for i, d := range docs {
			if d.Index = i; !yield(d, nil) {
				return
			}
		}
	}
}

// documents are all of the split.
func (s *spec) documents(in *eval.Inputs) ([]*eval.Document, error) {
	f, err := s.find(in)
	if err != nil {
		return nil, err
	}
	if f.stored {
		return storedDocuments(f.set, true)
	}
	before := s.before
	if s.examples != nil {
		examples, err := s.examples(in)
		if err != nil {
			return nil, err
		}
		for _, x := range examples {
			before += s.shot(x) + "\n\n"
		}
	}
	var docs []*eval.Document
	for r, err := range f.rows {
		if err != nil {
			return nil, err
		}
		x, err := s.item(r.JSON)
		if err == nil {
			err = x.check()
		}
		if err != nil {
			return nil, r.Bad(err)
		}
		if x.id == "" {
			x.id = fmt.Sprint(len(docs))
		}
		docs = append(docs, s.document(x, r.JSON, before))
	}
	return docs, nil
}

func (x *item) check() error {
	switch {
	case len(x.choices) == 0:
		return errors.New("the question has no choices")
	case len(x.choices) > len(letters):
		return fmt.Errorf("the question has %d choices, and letters go to %s", len(x.choices), letters[len(letters)-1:])
	case x.gold < 0 || x.gold >= len(x.choices):
		return fmt.Errorf("the answer is number %d of %d choices", x.gold, len(x.choices))
	case slices.Contains(x.choices, ""):
		return errors.New("a choice is empty")
	}
	return nil
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// prompt is the question as the form asks it.
func (s *spec) prompt(x *item) string {
	switch {
	case s.form == lettered:
		var b strings.Builder
		b.WriteString(x.question + "\n" + x.lead)
		for i, c := range x.choices {
			fmt.Fprintf(&b, " %c. %s\n", letters[i], c)
		}
		b.WriteString("Answer:")
		if x.clean != nil {
			return x.clean(b.String())
		}
		return b.String()
	case s.bare:
		return strings.TrimPrefix(x.question, "Question: ")
	case x.cloze != "":
		return x.cloze
	}
	return x.question + "\nAnswer:"
}

// shot is an example with its answer.
func (s *spec) shot(x *item) string {
	switch {
	case s.form == lettered:
		return s.prompt(x) + " " + letters[x.gold:x.gold+1]
	case x.beginnings != nil:
		return x.beginnings[x.gold] + x.ending
	}
	return s.prompt(x) + " " + x.answers()[x.gold]
}

// answers are the choices as the cloze form writes them.
func (x *item) answers() []string {
	if x.endings != nil {
		return x.endings
	}
	return x.choices
}

// document is a question with its requests: the choices, then what they are without the question.
func (s *spec) document(x *item, row json.RawMessage, before string) *eval.Document {
	d := &eval.Document{ID: x.id, Row: row, Gold: []int{x.gold}}
	for i, c := range x.answers() {
		r := eval.Request{Continuation: " " + c}
		switch {
		case s.form == lettered:
			r.Context, r.Continuation = before+s.prompt(x), " "+letters[i:i+1]
		case x.beginnings != nil:
			r.Context, r.Continuation = before+x.beginnings[i], x.ending
		default:
			r.Context = before + s.prompt(x)
		}
		d.Requests, d.Choices = append(d.Requests, r), append(d.Choices, r.Continuation)
	}
	if s.form == cloze && !s.noUnconditional {
		for _, c := range d.Choices {
			d.Requests = append(d.Requests, eval.Request{Context: "Answer:", Continuation: c, Unconditional: true})
		}
	}
	return d
}
