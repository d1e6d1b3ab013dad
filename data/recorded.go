package data

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"olmo/data/store"
	whole "olmo/store"
)

// Recorded is what the record says of a unit of an earlier run, whether or not it
// still holds.
type Recorded struct {
	Key    string
	Report json.RawMessage
	// Inputs and Outputs are named as this run would name them.
	Inputs, Outputs []string

	stage  *Stage
	entry  *unitEntry
	record *record
}

func (s *Stage) recorded(r *record, e *unitEntry) *Recorded {
	out := &Recorded{Key: e.Key, Report: e.Report, Outputs: r.outputs(e), stage: s, entry: e, record: r}
	for _, in := range e.Inputs {
		out.Inputs = append(out.Inputs, r.resolve(in.Path))
	}
	return out
}

// Recorded gives what the record says of a unit; nil where it says nothing.
func (s *Stage) Recorded(u *Unit) *Recorded {
	if r := s.records[u.Record]; r != nil {
		if e := r.unit(u.Key); e != nil {
			return s.recorded(r, e)
		}
	}
	return nil
}

// Earlier gives all that a record says, also of units that this run has not, and of
// those of which a crash left some outputs without their names.
func (s *Stage) Earlier(record string) []*Recorded {
	var out []*Recorded
	if r := s.records[record]; r != nil {
		for _, e := range slices.Concat(r.Units, r.Pending) {
			out = append(out, s.recorded(r, e))
		}
	}
	return out
}

// Forget takes the unit out of the record, as soon as the run is complete.
func (r *Recorded) Forget() {
	same := func(e *unitEntry) bool { return e == r.entry }
	r.record.Units = slices.DeleteFunc(r.record.Units, same)
	r.record.Pending = slices.DeleteFunc(r.record.Pending, same)
}

// Intact tells whether all outputs have the content that was recorded.
func (r *Recorded) Intact() (bool, error) {
	for i, path := range r.Outputs {
		if ok, err := hasContent(path, r.entry.Outputs[i].look); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// Same tells whether an input of this run has the content of the unit's i-th.
func (r *Recorded) Same(i int, path string) (bool, error) {
	was := r.entry.Inputs[i].look
	if r.stage.now[path].Size != was.Size || was.SHA256 == "" {
		return false, nil
	}
	now, err := r.stage.identify(path)
	return err == nil && now.SHA256 == was.SHA256, err
}

// Redo lets all units be done once more.
func (s *Stage) Redo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.states {
		st.done, st.earlier, st.pending = nil, false, false
	}
}

// takeUp gives the outputs of a unit that are only made together their names: the
// record speaks of them, so the run was complete when its process died. Where one
// of a record is lost those after it in the plan are not done either.
func (s *Stage) takeUp(u *Unit) error {
	r := s.records[u.Record]
	e := find(r.Pending, u.Key)
	if !u.Together || e == nil || r.torn {
		return nil
	}
	r.torn = true
	for i, path := range r.outputs(e) {
		was := e.Outputs[i].look
		// Another run may have begun the same output anew since, and died too.
		sealed := false
		if !store.Remote(path) && s.mayWrite(path) {
			var err error
			if sealed, err = hasContent(whole.Temporary(path), was); err != nil {
				return err
			}
		}
		if sealed {
			if err := commitSealed(path); err != nil {
				return err
			}
		} else if there, err := hasContent(path, was); err != nil || !there {
			return err // the unit is not done
		}
	}
	r.torn, s.taken = false, true
	r.Units = put(r.Units, e)
	r.Pending = slices.DeleteFunc(r.Pending, func(p *unitEntry) bool { return p == e })
	return nil
}

// hasContent tells whether a file is there with the content of a look.
func hasContent(path string, was look) (bool, error) {
	l, err := lookAt(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil || l.Size != was.Size:
		return false, err
	}
	sum, err := hashFile(path)
	return sum == was.SHA256, err
}

// WithoutMade leaves out of the files that patterns found those that an earlier run of
// a stage made of others of them, by its record: outputs beside their inputs, which the
// same patterns find the next time. What was made of anything else is left in, and is an
// input or refused.
func WithoutMade(files, patterns []string, recordPath, stage string) ([]string, error) {
	r, err := readRecord(recordPath, stage)
	if err != nil || len(r.Units) == 0 {
		return files, err
	}
	made, found, there := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range files {
		found[r.relative(f)], there[r.relative(f)] = true, true
	}
	for _, p := range patterns {
		delete(found, r.relative(p)) // it is named, and so it is meant
	}
	isMade := func(o fileEntry) bool { return found[o.Path] }
	for _, e := range r.Units {
		for _, o := range e.Outputs {
			if isMade(o) {
				made[o.Path] = true
			}
		}
	}
	for _, e := range r.Units {
		if slices.ContainsFunc(e.Outputs, isMade) &&
			!slices.ContainsFunc(e.Inputs, func(in fileEntry) bool { return there[in.Path] && !made[in.Path] }) {
			return files, nil
		}
	}
	return slices.DeleteFunc(files, func(f string) bool { return made[r.relative(f)] }), nil
}

// Relative is the way from a record to a file, with slashes: a key that stays the
// same when both are moved or copied.
func Relative(recordPath, path string) string {
	return (&record{path: recordPath}).relative(path)
}

// Relative is the way from the record to a file, by which names are compared.
func (r *Recorded) Relative(path string) string { return r.record.relative(path) }
