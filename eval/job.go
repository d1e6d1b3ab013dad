package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"math"
	"path/filepath"

	"olmo/chat"
	datastore "olmo/data/store"
)

// Job is a task with what it is measured on.
type Job struct {
	Name string // under which its results stand; the task's own at first
	Task *Task
	Inputs
	Boundary Boundary // the task's own, or what a call sets
	// Requests is the file that every request is written to with its answer, a line of JSON
	// each. It is empty for requests-NAME.jsonl in the run's folder, or none without one.
	Requests string

	documents []*Document // read; nil for documents of the user's, which are read as they are asked
	original  int         // documents that there are, before the limit
	data      []Data      // where they came from
}

// Job reads the documents of a task, or sees to it that the user gave some.
func (t *Task) Job(in Inputs) (*Job, error) {
	j := &Job{Name: t.Name, Task: t, Inputs: in, Boundary: t.Boundary}
	if t.Each == nil {
		switch {
		case t.TakesDocuments() && len(in.Documents) == 0:
			return nil, fmt.Errorf("task %s measures documents, and none are given\nhint: --documents FILE…", t.Name)
		case in.Cluster != "":
			return nil, fmt.Errorf("task %s has no standard errors to cluster by %q", t.Name, in.Cluster)
		}
		return j, j.hashSets()
	}
	for d, err := range t.Each(&j.Inputs) {
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", t.Name, err)
		}
		if j.original++; in.Limit == 0 || len(j.documents) < in.Limit {
			j.documents = append(j.documents, d)
		}
	}
	if j.original == 0 {
		return nil, fmt.Errorf("task %s: %s has no rows for it", t.Name, t.place(&j.Inputs))
	}
	if in.Share > 0 {
		j.limit(int(math.Ceil(in.Share * float64(j.original))))
	}
	if in.Chat {
		for _, d := range j.documents {
			d.Hash() // which without a row is that of the plain requests
			d.converse(in.System)
		}
	}
	if in.Cluster != "" {
		for _, d := range j.documents {
			if err := d.clustered(in.Cluster); err != nil {
				return nil, fmt.Errorf("task %s: %w", t.Name, err)
			}
		}
	}
	return j, j.hashSets()
}

// place is where the rows of a task are.
func (t *Task) place(in *Inputs) string {
	if t.Sets != nil {
		if sets, err := t.Sets(in); err == nil {
			return sets[0].Place
		}
	}
	return "the data set"
}

// Predict leaves out what answers are measured by: they are kept, and not judged.
func (j *Job) Predict() {
	t := *j.Task
	t.Metrics, t.Quoted, t.loop = nil, "", false
	j.Task = &t
}

// hashSets says where the task's data came from.
func (j *Job) hashSets() error {
	if j.Task.Sets == nil {
		return nil
	}
	sets, err := j.Task.Sets(&j.Inputs)
	if err != nil {
		return fmt.Errorf("task %s: %w", j.Task.Name, err)
	}
	for _, set := range sets {
		sum, err := set.SHA256()
		if err != nil {
			return fmt.Errorf("task %s: %w", j.Task.Name, err)
		}
		j.data = append(j.data, Data{Name: set.Name, Place: set.Place, SHA256: sum})
	}
	return nil
}

// limit keeps the first n documents.
func (j *Job) limit(n int) { j.documents = j.documents[:min(n, len(j.documents))] }

// Each gives the documents in their order.
func (j *Job) Each() iter.Seq2[*Document, error] {
	if j.Task.Each == nil {
		return j.Task.textsOf(&j.Inputs)
	}
	return func(yield func(*Document, error) bool) {
		for _, d := range j.documents {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// digest covers everything that a job's result depends on: the definition, every prompt and
// row, or the user's files, and who answers. It holds no name of a folder.
func (j *Job) digest(identity map[string]string, tokens bool, thinking chat.Thinking, hashes map[string]string) (string, error) {
	h := sha256.New()
	e := json.NewEncoder(h)
	if err := e.Encode([]any{j.Task.Name, j.Task.Version, j.Task.Quoted, j.Boundary, identity, tokens, j.Task.names()}); err != nil {
		return "", err
	}
	if j.Task.Each == nil {
		if err := e.Encode([]any{j.Limit, j.Window, j.EndOfText}); err != nil {
			return "", err
		}
		if !j.Task.TakesDocuments() {
			for _, d := range j.data {
				if err := e.Encode(d.SHA256); err != nil {
					return "", err
				}
			}
			return hexSum(h), nil
		}
		for _, file := range j.Documents {
			if hashes[file] == "" {
				sum, err := hashFile(file)
				if err != nil {
					return "", fmt.Errorf("reading %s: %w", file, err)
				}
				hashes[file] = sum
			}
			if err := e.Encode([]string{filepath.Base(file), hashes[file]}); err != nil {
				return "", err
			}
		}
		return hexSum(h), nil
	}
	for _, d := range j.documents {
		if err := e.Encode([]any{d.Index, d.Hash(), d.Requests, d.Choices, d.Gold, d.Targets}); err != nil {
			return "", err
		}
	}
	if thinking.End != "" {
		if err := e.Encode(thinking.End); err != nil {
			return "", err
		}
	}
	if j.Cluster != "" { // the documents are all there; what they are clustered by changes errors
		if err := e.Encode(j.Cluster); err != nil {
			return "", err
		}
	}
	return hexSum(h), nil
}

// names lists the figures of a task.
func (t *Task) names() (names []string) {
	for _, f := range t.filters() {
		for _, m := range t.Metrics {
			names = append(names, figureName(m.Name, f.Name))
		}
	}
	return names
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func hashFile(path string) (string, error) {
	f, err := datastore.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hexSum(h), errors.Join(err, f.Close())
}
