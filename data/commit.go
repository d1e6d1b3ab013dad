package data

import (
	"errors"
	"fmt"
	"slices"

	"olmo/data/store"
	whole "olmo/store"
)

// Commit gives all outputs their names and removes what an earlier run of the
// same stage made in their place. Every unit must be done.
func (s *Stage) Commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.plan.Units {
		if s.states[u].done == nil {
			return fmt.Errorf("%s is not done", u.Key) // a mistake of the stage
		}
	}
	if s.settled() {
		s.over = true
		// Only times may have changed; a corpus that cannot be written to is
		// read once more next time.
		if s.touched {
			_ = s.save()
		}
		return nil
	}
	for _, u := range s.plan.Units {
		if r, st := s.records[u.Record], s.states[u]; st.pending {
			r.Pending = put(r.Pending, st.done)
		}
	}
	if s.Standard() {
		s.over = true
		return s.commitOutputs()
	}
	// From here on the records say what is complete, so that a run that dies
	// between two names is completed by the next.
	if err := s.save(); err != nil {
		return err
	}
	s.committing = true
	if err := s.commitOutputs(); err != nil {
		return err
	}
	s.over = true
	if err := s.removeFormer(); err != nil {
		return err
	}
	s.settle()
	return s.save()
}

// settle takes what was pending for done; of a stage that owns its destination
// the units of other runs go.
func (s *Stage) settle() {
	for _, u := range s.plan.Units {
		r, st := s.records[u.Record], s.states[u]
		r.Units = put(r.Units, st.done)
		st.pending = false
	}
	for path, r := range s.records {
		planned := s.planned(path)
		r.Pending = slices.DeleteFunc(r.Pending, func(e *unitEntry) bool {
			if gone := planned[e.Key] || s.alone(); !gone {
				return false
			}
			// What an interrupted run of other settings left.
			for _, name := range r.outputs(e) {
				if f, err := whole.Sealed(name); err == nil && s.mayWrite(name) {
					f.Abort()
				}
			}
			return true
		})
		if s.alone() {
			r.Units = slices.DeleteFunc(r.Units, func(e *unitEntry) bool { return !planned[e.Key] })
		}
	}
}

// alone tells whether what other runs made goes.
func (s *Stage) alone() bool { return s.plan.Own != nil && !s.plan.Keep }

// mayWrite tells whether a file has a name that this run could give.
func (s *Stage) mayWrite(name string) bool {
	if s.plan.Own != nil && s.plan.Own(name) {
		return true
	}
	name = store.Clean(name)
	return slices.ContainsFunc(s.plan.Units, func(u *Unit) bool {
		return slices.ContainsFunc(slices.Concat(u.Outputs, u.Rejects), func(o string) bool { return store.Clean(o) == name })
	})
}

// planned is the set of keys of a record that this run has.
func (s *Stage) planned(record string) map[string]bool {
	keys := map[string]bool{}
	for _, u := range s.plan.Units {
		if u.Record == record {
			keys[u.Key] = true
		}
	}
	return keys
}

func (s *Stage) commitOutputs() error {
	for _, u := range s.plan.Units {
		st := s.states[u]
		for _, o := range st.sealed {
			if err := o.file.Commit(); err != nil {
				return fmt.Errorf("writing %s: %w", o.path, err)
			}
		}
		st.sealed = nil
		if !st.earlier || !st.pending {
			continue
		}
		for _, path := range s.records[u.Record].outputs(st.done) {
			if err := commitSealed(path); err != nil {
				return fmt.Errorf("writing %s: %w", path, err)
			}
		}
	}
	return nil
}

// commitSealed gives an output that an earlier process sealed its name, unless
// that process did so itself before it died.
func commitSealed(path string) error {
	if store.Remote(path) {
		return nil
	}
	f, err := whole.Sealed(path)
	if errors.Is(err, errNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Commit()
}

// removeFormer removes files that an earlier run of this stage made and this one
// did not.
func (s *Stage) removeFormer() error {
	kept := map[string]bool{}
	for _, u := range s.plan.Units {
		for _, path := range s.records[u.Record].outputs(s.states[u].done) {
			kept[store.Clean(path)] = true
		}
	}
	for recordPath, r := range s.records {
		planned := s.planned(recordPath)
		for _, e := range r.Units {
			if !planned[e.Key] && !s.alone() {
				continue
			}
			for i, path := range r.outputs(e) {
				if path = store.Clean(path); kept[path] {
					continue
				}
				if err := s.removeOne(recordPath, path, e.Outputs[i].SHA256); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// removeOne removes an output that a record names. What a record says is no
// instruction: only a name that this run might have given itself is its to remove,
// and only with the content that was recorded.
func (s *Stage) removeOne(record, path, sum string) error {
	if !s.mayWrite(path) {
		s.Logf("warning: %s names %s, which is not an output of this run: left as it is", record, path)
		return nil
	}
	if _, err := lookAt(path); err != nil {
		return ignoreMissing(err)
	}
	now, err := hashFile(path)
	if err != nil {
		return err
	}
	if now != sum {
		s.Logf("warning: %s is not what an earlier run made of it: left as it is", path)
		return nil
	}
	s.Logf("removing %s of an earlier run", path)
	return store.Remove(path)
}

// Replaces tells whether Commit would put an output in the place of a file.
func (s *Stage) Replaces() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for u, st := range s.states {
		if !st.pending {
			continue
		}
		for _, path := range s.records[u.Record].outputs(st.done) {
			if _, err := lookAt(path); err == nil {
				return true, nil
			} else if ignoreMissing(err) != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// Discard gives up what was made, also for a later run: for results that the same
// command would only make again, such as none at all.
func (s *Stage) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for u, st := range s.states {
		for _, o := range st.sealed {
			o.file.Abort()
		}
		st.sealed = nil
		if st.pending {
			r := s.records[u.Record]
			for _, path := range r.outputs(st.done) {
				if f, err := whole.Sealed(path); err == nil && !store.Remote(path) {
					f.Abort()
				}
			}
			r.Pending = slices.DeleteFunc(r.Pending, func(e *unitEntry) bool { return e == st.done })
			st.done, st.pending, st.earlier = nil, false, false
		}
	}
	if s.saved.IsZero() {
		return
	}
	_ = s.save() // what it would still say of them is seen to be wrong
	for path, r := range s.records {
		if len(r.Units)+len(r.Pending) == 0 {
			_ = store.Remove(path) // it says nothing
		}
	}
}

// Close ends the run. Without Commit what was finished is kept for the next run
// and the rest is given up.
func (s *Stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.unlock()
	if s.over {
		return nil
	}
	s.over = true
	var err error
	finished := false
	for u, st := range s.states {
		for _, w := range st.open {
			w.Abort()
		}
		if u.Record == "" || !s.committing && (st.done == nil || st.earlier || u.Together) {
			for _, o := range st.sealed {
				o.file.Abort()
			}
			continue
		}
		for _, o := range st.sealed {
			finished = true
			if store.Remote(o.path) {
				o.file.Abort() // an upload does not outlive its process
			}
		}
	}
	if finished && !s.Standard() {
		err = s.save()
	}
	return err
}
