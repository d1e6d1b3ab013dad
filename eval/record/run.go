// Package record reads what evaluations have left: folders of ours, of lm-eval and of OLMES, as
// one type.
package record

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
)

// Run is a folder of results. Its documents are read task by task, because those of all tasks
// can be large.
type Run struct {
	Path   string
	Format string // the program that left it: olmo, lm-eval or olmes
	Model  string // the model's name, else the folder's
	// Parameters are the model's, where the run says how many; else 0.
	Parameters int64
	tasks      map[string]func() (*Task, error)
}

// Task is what a run says of a task.
type Task struct {
	Name      string
	Documents []Document // in their order
	Boundary  string     // the convention of its requests: apart or together; empty where nobody says
	Data      []string   // the names of the data sets that they are rows of, where the run says
	lower     map[string]bool
	chance    float64 // what guessing comes to; 0 where nobody says
	quoted    string  // the figure that the task is quoted with; empty where nobody says
}

// Chance is what guessing comes to by a figure of right and wrong; 0 where the run does not say.
func (t *Task) Chance() float64 { return t.chance }

// headlines are figures that tasks are quoted with where the run does not say which, the first
// that there is.
var headlines = []string{"primary_score", "acc", "exact_match", "em", "f1", "pass@1", "bits_per_byte", "word_perplexity", "perplexity"}

// Quoted is the figure that the task is quoted with; said reports whether the run says so.
func (t *Task) Quoted() (figure string, said bool) {
	figures := t.Figures()
	if slices.Contains(figures, t.quoted) {
		return t.quoted, true
	}
	for _, metric := range headlines {
		for _, figure := range figures {
			if strings.HasPrefix(figure, metric+",") {
				return figure, false
			}
		}
	}
	if len(figures) == 0 {
		return "", false
	}
	return figures[0], false
}

// Lower reports whether a smaller value of a figure, "metric,filter", is the better one.
func (t *Task) Lower(figure string) bool {
	metric, _, _ := strings.Cut(figure, ",")
	return t.lower[metric]
}

// Document is a document of a task with its answers and values.
type Document struct {
	Hash     string // of its row: lm-eval's doc_hash
	Index    int    // the run's number for it
	ID       string // the data set's name for it; empty for none
	Requests []Request
	Gold     []int    // the right choices
	Targets  []string // right answers, of texts
	// Values are the document's, by "metric,filter": a number, or what a figure of all documents
	// is made of, as JSON has it.
	Values   map[string]any
	Filtered map[string]string // what each filter left of the first response
}

// Request is one thing that was asked of a model, with its answer.
type Request struct {
	Context, Continuation string
	Unconditional         bool // serves a figure of another request
	Text                  bool // asked for Responses, not for a log-probability
	Chat                  bool // Context was put as turns of a conversation
	Logprob               float64
	Greedy                bool
	Tokens                int       // of the continuation; 0 where nobody says
	Each                  []float64 // log-probabilities of its tokens, where they were kept
	Responses             []string
}

// Figures lists the figures that the task's documents have values of, sorted.
func (t *Task) Figures() []string {
	names := map[string]bool{}
	for _, d := range t.Documents {
		for name := range d.Values {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Tasks lists the tasks whose documents the folder has, sorted.
func (r *Run) Tasks() []string { return slices.Sorted(maps.Keys(r.tasks)) }

// Has reports whether the run has a task's documents.
func (r *Run) Has(task string) bool { return r.tasks[task] != nil }

// Task reads the documents of a task.
func (r *Run) Task(name string) (*Task, error) {
	read := r.tasks[name]
	if read == nil {
		if near, ok := config.Nearest(name, r.Tasks()); ok {
			return nil, fmt.Errorf("%s has no task %q\nhint: did you mean %s?", r.Path, name, near)
		}
		return nil, fmt.Errorf("%s has no task %q\nhint: it has %s", r.Path, name, strings.Join(r.Tasks(), ", "))
	}
	t, err := read()
	if err != nil {
		return nil, err
	}
	if len(t.Documents) == 0 {
		return nil, fmt.Errorf("%s: task %s has no documents", r.Path, name)
	}
	return t, nil
}

var formats = []func(folder string, files []string) (*Run, error){openOurs, openHarness, openOLMES}

// Open finds the results in a folder. A folder that holds one with results and none itself, as
// lm-eval's --output_path holds that of the model, is as good as that one.
func Open(path string) (*Run, error) {
	r, err := open(path)
	if r != nil || err != nil {
		return r, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var found []*Run
	var names []string
	for _, e := range entries {
		if below := filepath.Join(path, e.Name()); e.IsDir() {
			r, err := open(below)
			if err != nil {
				return nil, err
			}
			if r != nil {
				found, names = append(found, r), append(names, below)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%s holds no results of an evaluation\nhint: the folder of 'olmo eval --out', lm-eval's of --output_path with --log_samples, or OLMES'", path)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("%s holds the results of several models\nhint: give one of %s", path, strings.Join(names, ", "))
}

// open is nil where the folder itself has no results.
func open(path string) (*Run, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %s\nhint: the folder of 'olmo eval --out', lm-eval's of --output_path with --log_samples, or OLMES'", path)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file\nhint: give the folder that it is in", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, e.Name())
		}
	}
	for _, format := range formats {
		r, err := format(path, files)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		r.Path = path
		if r.Model == "" {
			abs, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			r.Model = filepath.Base(abs)
		}
		if len(r.tasks) == 0 {
			return nil, fmt.Errorf("%s has results, but no documents: %w", path, errNoDocuments[r.Format])
		}
		return r, nil
	}
	return nil, nil
}

// errNoDocuments says why a folder has figures alone.
var errNoDocuments = map[string]error{
	formatOurs:    errors.New("its requests-TASK.jsonl are missing"),
	formatHarness: errors.New("there is no samples_TASK_….jsonl\nhint: lm-eval keeps them with --log_samples"),
	formatOLMES:   errors.New("there is no predictions.jsonl"),
}
