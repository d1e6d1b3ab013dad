// Package eval judges models: bits per byte of documents, multiple-choice tasks, one
// file each, and the run that takes a model through them.
package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"olmo/config"
	"olmo/data"
)

// Task is something that a model is judged by: questions of OLMo's in-loop evaluation with
// several choices each, or the documents of a user.
type Task struct {
	Name   string
	Kind   Kind
	Metric Metric // the one that the task is quoted with
	// Data is the stem of the data file's name; "" when the questions are embedded, or the
	// task has none.
	Data string

	questions func(t *Task, dir string) ([]Question, error)
	overlap   bool // see BitsPerByteOptions
}

// Kind says what a task asks of a model.
type Kind string

// The kinds of tasks.
const (
	Choices   Kind = "choices"   // which of several continuations is the most probable
	Documents Kind = "documents" // how probable whole texts are
)

// Metric names one of a ChoiceScore's figures, as ai2-olmo-eval 0.8.5 does, or one of a
// Perplexity's.
type Metric string

// The metrics that tasks are quoted with.
const (
	Accuracy     Metric = "acc"
	LenNorm      Metric = "len_norm"
	F1           Metric = "f1"
	CrossEntropy Metric = "ce_loss"
	BPB          Metric = "bpb"
	BitsOfText   Metric = "bits_per_byte" // of documents
)

var tasks []*Task

// define adds a task. Each file of this package that describes one calls it.
func define(t Task) *Task {
	if t.Kind == "" {
		t.Kind = Choices
	}
	tasks = append(tasks, &t)
	return &t
}

// Tasks lists the names of the tasks, sorted.
func Tasks() []string {
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

// LookupTask returns the task of a name.
func LookupTask(name string) (*Task, error) {
	for _, t := range tasks {
		if t.Name == name {
			return t, nil
		}
	}
	if near, ok := config.Nearest(name, Tasks()); ok {
		return nil, fmt.Errorf("no task is called %q\nhint: did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("no task is called %q\nhint: 'olmo eval --list' lists the tasks", name)
}

// Questions reads a multiple-choice task's questions from the data files in dir, in their
// order. dir may be empty for a task whose questions are embedded.
func (t *Task) Questions(dir string) ([]Question, error) {
	if t.Data != "" && dir == "" {
		return nil, fmt.Errorf("task %s needs its data set\nhint: give the folder of %s.jsonl (also .gz or .zst) with --data", t.Name, t.Data)
	}
	q, err := t.questions(t, dir)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.Name, err)
	}
	if len(q) == 0 {
		return nil, fmt.Errorf("task %s: the data set has no rows", t.Name)
	}
	return q, nil
}

// rows makes Task.questions from a function of one row of the data file.
func rows[Row any](question func(r Row) (Question, error)) func(t *Task, dir string) ([]Question, error) {
	return func(t *Task, dir string) ([]Question, error) {
		var questions []Question
		err := readRows(dir, t.Data, func(r Row) error {
			q, err := question(r)
			if err == nil {
				err = q.check()
			}
			if q.ID == "" {
				q.ID = strconv.Itoa(len(questions))
			}
			questions = append(questions, q)
			return err
		})
		return questions, err
	}
}

// readRows calls f with each line of dir/stem.jsonl, plain or packed.
func readRows[Row any](dir, stem string, f func(r Row) error) error {
	path := filepath.Join(dir, stem+".jsonl")
	for _, suffix := range []string{"", ".gz", ".zst"} {
		if _, err := os.Stat(path + suffix); err == nil {
			path += suffix
			break
		}
	}
	in, err := data.OpenReader(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w\nhint: the data set belongs in %s.jsonl, .jsonl.gz or .jsonl.zst in the folder of --data", err, stem)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		line, err := in.NextLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var r Row
		if err := json.Unmarshal(line.Bytes, &r); err != nil {
			return in.BadLine(line, err)
		}
		if err := f(r); err != nil {
			return in.BadLine(line, err)
		}
	}
}

func (q *Question) check() error {
	switch {
	case len(q.Choices) == 0:
		return errors.New("the question has no choices")
	case q.Gold < 0 || q.Gold >= len(q.Choices):
		return fmt.Errorf("the answer is number %d of %d choices", q.Gold, len(q.Choices))
	}
	return nil
}

// keyed are choices with a letter or a number each, as ARC and its kin write them.
type keyed struct {
	ID       string
	Question string
	Stem     string `json:"question_stem"`
	Choices  struct{ Text, Label []string }
	Key      string `json:"answerKey"`
}

// question asks with the given prompt.
func (k *keyed) question(prompt string) (Question, error) {
	q := Question{ID: k.ID, Context: prompt, Gold: slices.Index(k.Choices.Label, k.Key)}
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

// gold turns questions into their right answers alone, for tasks that measure how
// well a model knows them.
func gold(questions []Question) []Question {
	for i, q := range questions {
		questions[i].Choices, questions[i].Gold = q.Choices[q.Gold:q.Gold+1], 0
		if q.Contexts != nil {
			questions[i].Contexts = q.Contexts[q.Gold : q.Gold+1]
		}
	}
	return questions
}
