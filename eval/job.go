package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"olmo/data"
	"olmo/lm"
)

// Inputs are what tasks are measured on.
type Inputs struct {
	Data      string   // folder of the data sets of multiple-choice tasks
	Documents []string // files of tasks of documents
	Limit     int      // most questions or documents of a task; 0: all
	Window    int      // tokens that one forward pass predicts; 0: the model's positions
	EndOfText bool     // also charge the end of text after each document
}

// Job is a task with what it is measured on.
type Job struct {
	Name string // under which its results stand; the task's own at first
	Task *Task
	Inputs
	Questions []Question // of a multiple-choice task
	// Requests is the file that every scored request is written to, a line of JSON each. It is
	// empty for requests-NAME.jsonl in the run's folder, or none without one.
	Requests string
}

// Job reads the questions of a task, or sees to it that there are documents.
func (t *Task) Job(in Inputs) (*Job, error) {
	j := &Job{Name: t.Name, Task: t, Inputs: in}
	if t.Kind == Documents {
		if len(in.Documents) == 0 {
			return nil, fmt.Errorf("task %s measures documents, and none are given\nhint: --documents FILE…", t.Name)
		}
		return j, nil
	}
	var err error
	if j.Questions, err = t.Questions(in.Data); err != nil {
		return nil, err
	}
	if in.Limit > 0 {
		j.Questions = j.Questions[:min(in.Limit, len(j.Questions))]
	}
	return j, nil
}

// Score is the result of a job.
type Score struct {
	Choices   *ChoiceScore           // of a multiple-choice task
	Documents *Perplexity            // of a task of documents
	Files     map[string]*Perplexity // the same by file, where there are several
}

// Progress is how far a run is.
type Progress struct {
	Job         string  // its name, or "loading" while the weights are read
	Done, Total float64 // in Unit; 0 when nothing is known yet
	Unit        string
	Documents   int   // measured
	Text        int64 // their bytes
}

// measure computes a job's score and tells every scored request.
func (j *Job) measure(ctx context.Context, s *lm.Scorer, progress func(Progress), keep func(request any) error) (Score, error) {
	progress(Progress{Job: j.Name})
	if j.Task.Kind == Documents {
		return j.measureDocuments(ctx, s, progress, keep)
	}
	done, m := 0, s.Model()
	c, err := Choose(ctx, s, m.Tokenizer.NewEncoder(), m.Config.T, j.Task.Name, j.Questions, func(r Request) error {
		if r.Choice == 0 {
			done++
			progress(Progress{Job: j.Name, Done: float64(done), Total: float64(len(j.Questions)), Unit: "questions"})
		}
		return keep(r)
	})
	c.Metric = j.Task.Metric
	return Score{Choices: &c}, err
}

func (j *Job) measureDocuments(ctx context.Context, s *lm.Scorer, progress func(Progress), keep func(request any) error) (Score, error) {
	// A file counts when it has been read whole: how much of a compressed one a text takes is
	// not known.
	sizes := make([]int64, len(j.Documents))
	var total, done int64
	for i, f := range j.Documents {
		if st, err := os.Stat(f); err == nil {
			sizes[i] = st.Size()
			total += sizes[i]
		}
	}
	var from []string // file of each document
	texts := func(yield func(Text, error) bool) {
		for i, f := range j.Documents {
			for t, err := range readTexts(f) {
				if j.Limit > 0 && len(from) == j.Limit {
					return
				}
				from = append(from, f)
				if !yield(t, err) || err != nil {
					return
				}
			}
			done += sizes[i]
		}
	}
	m, files, measured := s.Model(), map[string]*Perplexity{}, 0
	p, err := BitsPerByte(ctx, s, m.Tokenizer.NewEncoder(), texts, BitsPerByteOptions{
		Window: j.window(m), Prefix: endOfText(m), EndOfText: j.EndOfText, Overlap: j.Task.overlap,
		Progress: func(bytes int64) {
			progress(Progress{Job: j.Name, Done: float64(done) / 1e6, Total: float64(total) / 1e6, Unit: "MB", Documents: measured, Text: bytes})
		},
	}, func(d DocumentScore) error {
		f := from[measured]
		measured++
		if files[f] == nil {
			files[f] = &Perplexity{}
		}
		files[f].Add(d)
		return keep(d)
	})
	if len(files) < 2 {
		files = nil
	}
	return Score{Documents: &p, Files: files}, err
}

// window returns how many tokens a forward pass predicts.
func (j *Job) window(m *lm.Model) int {
	if j.Window == 0 {
		return m.Config.T
	}
	return j.Window
}

// endOfText returns the id that stands before a document, or −1.
func endOfText(m *lm.Model) int32 {
	if m.Config.EOS < 0 && len(m.Stop) > 0 {
		return m.Stop[0]
	}
	return m.Config.EOS
}

// check reports why a model cannot do a job.
func (j *Job) check(m *lm.Model) error {
	if j.Task.Kind != Documents {
		return nil
	}
	if w := j.window(m); w > m.Config.T {
		return fmt.Errorf("a window of %d tokens is more than the model's %d positions", w, m.Config.T)
	}
	if endOfText(m) < 0 {
		return fmt.Errorf("the model %s names no end-of-text id, which stands before each document\nhint: set eos_token_id in its config", m.Path)
	}
	return nil
}

// readTexts reads a file of documents, or any other file as one text.
func readTexts(path string) iter.Seq2[Text, error] {
	return func(yield func(Text, error) bool) {
		name := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
		if ext := filepath.Ext(name); ext != ".jsonl" && ext != ".json" {
			text, err := data.ReadText(path)
			yield(Text{ID: filepath.Base(path), Text: string(text)}, err)
			return
		}
		r, err := data.OpenReader(path)
		if err != nil {
			yield(Text{}, err)
			return
		}
		defer r.Close()
		for {
			d, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(Text{ID: d.ID, Text: d.Text}, err) || err != nil {
				return
			}
		}
	}
}
