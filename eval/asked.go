package eval

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"olmo/data"
	"olmo/internal/pyjson"
)

// Asked is a document with what the run's folder keeps of its requests: a line for each, its values
// on the first one.
type Asked struct {
	*Document
	Lines []Line
}

// Asked gives the documents of a job that is done, by this call or an earlier one, in their order.
func (r *Run) Asked(j *Job) iter.Seq2[Asked, error] {
	return func(yield func(Asked, error) bool) {
		if err := r.asked(j, func(a Asked) bool { return yield(a, nil) }); err != nil {
			yield(Asked{}, err)
		}
	}
}

func (r *Run) asked(j *Job, yield func(Asked) bool) (err error) {
	path := r.requestsFile(j)
	if path == "" {
		return fmt.Errorf("the requests of %s are not kept", j.Name)
	}
	file, err := data.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for d, err := range j.Each() {
		if err != nil {
			return err
		}
		a := Asked{Document: d}
		for range d.Requests {
			text, err := file.NextLine()
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("%s ends before document %d", path, d.Index)
			}
			if err != nil {
				return fmt.Errorf("reading %s: %w", path, err)
			}
			var l Line
			if err := pyjson.Unmarshal(text.Bytes, &l); err != nil {
				return fmt.Errorf("%s:%d: %w", path, text.Number, err)
			}
			if l.Doc != d.Index || l.Choice != len(a.Lines) {
				return fmt.Errorf("%s:%d: it is request %d of document %d, not %d of %d", path, text.Number, l.Choice, l.Doc, len(a.Lines), d.Index)
			}
			a.Lines = append(a.Lines, l)
		}
		if !yield(a) {
			return nil
		}
	}
	return nil
}

// Answered is the time when the last of the run's jobs was done: that of its requests' file, which a
// later call that keeps the job leaves as it is.
func (r *Run) Answered() (last time.Time, err error) {
	for _, j := range r.Jobs {
		info, err := os.Stat(r.requestsFile(j))
		if err != nil {
			return last, err
		}
		if t := info.ModTime(); t.After(last) {
			last = t
		}
	}
	return last, nil
}
