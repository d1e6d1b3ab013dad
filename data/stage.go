package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"olmo/data/store"
	whole "olmo/store"
)

// Stage is a run of a stage between Begin and Close. Its outputs get their names
// when all of them are complete, in Commit; until then what stands there stays.
// What an interrupted run has finished is kept beside and taken up by the next.
//
// An output goes through these states, and a process may die between any two:
//
//	Create        being written, under its temporary name
//	Writer.Close  sealed: whole and synced, still under its temporary name
//	Finish        pending: its unit is complete, and the record will say so
//	Commit        the record is saved with all that is pending, the outputs get their
//	              names, what an earlier run made and this one did not is removed,
//	              and the record is saved once more, with nothing pending
//
// The record is saved before the first name is given: after a death in between the
// next run finds the digests of what is pending, and gives the names that are missing.
type Stage struct {
	Execution
	plan    Plan
	locks   []*whole.Lock
	locked  bool // all that the plan names
	records map[string]*record
	now     map[string]look // of all inputs, at the start

	mu       sync.Mutex
	seen     map[string]look // with digests, of what was read whole
	states   map[*Unit]*unitState
	rejected int64 // bad lines told of
	first    error // the first bad line
	saved    time.Time
	cost     time.Duration // of saving the records
	// Since Commit began the records say that all is complete: what has not got
	// its name yet then gets it from the next run.
	committing bool
	over       bool
	touched    bool // a record got another time of an input
	taken      bool // what a run left that died in Commit got its names
}

// unitState is where a unit stands.
type unitState struct {
	settings string     // digest
	done     *unitEntry // by an earlier run or by this one; nil: to be done
	earlier  bool
	pending  bool // done, and not committed yet
	open     []*Writer
	sealed   []sealedOutput
}

type sealedOutput struct {
	path string
	file store.Writer
	look look
}

// Begin checks a plan, takes its locks and finds what is done already. Nothing is
// written when it fails. Close must follow.
func Begin(plan Plan, e Execution) (*Stage, error) {
	if e.Progress == nil {
		e.Progress = new(Progress)
	}
	s := &Stage{
		Execution: e, plan: plan, records: map[string]*record{}, now: map[string]look{}, seen: map[string]look{}, states: map[*Unit]*unitState{},
	}
	if err := s.clashes(); err != nil {
		return nil, err
	}
	// A run that has nothing to do needs no lock, and no right to write.
	if err := s.compare(); err != nil {
		return nil, err
	}
	if s.settled() {
		for _, name := range plan.Locks {
			forsaken(name)
		}
		return s, nil
	}
	for _, name := range plan.Locks {
		if err := s.lock(name); err != nil {
			s.unlock()
			return nil, err
		}
	}
	// Before the locks another run may have changed what the records say.
	s.locked = true
	err := s.compare()
	if err == nil && s.taken {
		err = s.save() // it may be that nothing else is to be done
	}
	if err != nil {
		s.unlock()
		return nil, err
	}
	return s, nil
}

// compare reads the records and finds the units that still hold.
func (s *Stage) compare() error {
	clear(s.records)
	if err := s.look(); err != nil {
		return err
	}
	for _, u := range s.plan.Units {
		if s.records[u.Record] == nil {
			r, err := readRecord(u.Record, s.plan.Stage)
			if err != nil {
				return err
			}
			s.records[u.Record] = r
		}
		if s.locked {
			if err := s.takeUp(u); err != nil {
				return err
			}
		}
		text, err := json.Marshal([]any{s.plan.Stage, s.Compat, s.plan.Settings, u.Settings})
		if err != nil {
			return fmt.Errorf("recording the settings: %w", err)
		}
		sum := sha256.Sum256(text)
		state := &unitState{settings: hex.EncodeToString(sum[:])}
		s.states[u] = state
		if s.plan.Again {
			continue
		}
		r := s.records[u.Record]
		for _, pending := range []bool{true, false} {
			if pending && u.Together {
				continue // it was taken up, or is not done
			}
			entry := r.unit(u.Key)
			if pending {
				entry = find(r.Pending, u.Key)
			}
			if state.done != nil || entry == nil || entry.Settings != state.settings {
				continue
			}
			same, err := s.same(u, entry, pending)
			if err != nil {
				return err
			}
			if same {
				state.done, state.earlier, state.pending = entry, true, pending
			}
		}
	}
	return nil
}

// settled tells whether all units hold and nothing is left to tidy up of an
// interrupted run, or of a run that had more units.
func (s *Stage) settled() bool {
	for _, st := range s.states {
		if st.done == nil || st.pending {
			return false
		}
	}
	for path, r := range s.records {
		if len(r.Pending) > 0 || s.alone() && len(r.Units) != len(s.planned(path)) {
			return false
		}
	}
	return len(s.plan.Units) > 0
}

func (s *Stage) lock(name string) error {
	switch {
	case name == store.Standard:
		return nil
	case store.Remote(name):
		s.Logf("warning: %s is an object store, which has no locks: nothing keeps a second run away", name)
		return nil
	}
	l, err := whole.AcquireFor(name)
	if err != nil {
		return err
	}
	s.locks = append(s.locks, l)
	if err := l.Unlocked(); err != nil {
		s.Logf("warning: %v", err)
	}
	return nil
}

// forsaken removes the file of a lock whose process was killed. It means nothing, but
// somebody would wonder.
func forsaken(name string) {
	if name == store.Standard || store.Remote(name) {
		return
	}
	if _, err := os.Lstat(whole.LockName(name)); err != nil {
		return
	}
	if l, err := whole.AcquireFor(name); err == nil {
		l.Release()
	}
}

func (s *Stage) unlock() {
	for _, l := range s.locks {
		l.Release()
	}
	s.locks = nil
}

// Done tells whether a unit is complete, and gives what Finish recorded of it.
func (s *Stage) Done(u *Unit) (report json.RawMessage, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.states[u]; st.done != nil {
		return st.done.Report, true
	}
	return nil, false
}

// AllDone tells whether earlier runs have completed all units.
func (s *Stage) AllDone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.states {
		if !st.earlier {
			return false
		}
	}
	return true
}

// Create starts an output of a unit, compressed as c says. Its Close makes it
// durable under a temporary name; Commit gives it its own.
func (s *Stage) Create(u *Unit, path string, c Compression) (*Writer, error) {
	return s.create(u, func() (*Writer, error) { return CreateWriterAs(path, c) })
}

// CreateNoted is Create for a file that keeps a note of how it was made; see
// CreateWriterNoted.
func (s *Stage) CreateNoted(u *Unit, path, note string) (*Writer, error) {
	return s.create(u, func() (*Writer, error) { return CreateWriterNoted(path, note) })
}

// CreateFast is Create with a faster compression; see CreateFastWriter.
func (s *Stage) CreateFast(u *Unit, path string, c Compression) (*Writer, error) {
	return s.create(u, func() (*Writer, error) { return CreateFastWriter(path, c) })
}

func (s *Stage) create(u *Unit, start func() (*Writer, error)) (*Writer, error) {
	w, err := start()
	if err != nil {
		return nil, err
	}
	if err := s.clash(u, w.path); err != nil {
		w.Abort()
		return nil, err
	}
	w.meter.hash = sha256.New()
	w.sealed = func() error {
		l := look{Size: w.meter.n, SHA256: hex.EncodeToString(w.meter.hash.Sum(nil))}
		s.mu.Lock()
		defer s.mu.Unlock()
		st := s.states[u]
		st.sealed = append(st.sealed, sealedOutput{w.path, w.file, l})
		st.open = slices.DeleteFunc(st.open, func(o *Writer) bool { return o == w })
		return nil
	}
	s.mu.Lock()
	s.states[u].open = append(s.states[u].open, w)
	s.mu.Unlock()
	return w, nil
}

// Finish records that all outputs of a unit are made, and what was found.
func (s *Stage) Finish(u *Unit, report any) error {
	text, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("recording %s: %w", u.Key, err)
	}
	r := s.records[u.Record]
	entry := &unitEntry{Key: u.Key, Settings: s.states[u].settings, Report: text}
	for _, in := range u.Inputs {
		l, err := s.identify(in)
		if err != nil {
			return err
		}
		entry.Inputs = append(entry.Inputs, fileEntry{r.relative(in), l})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.states[u]
	for _, o := range st.sealed {
		entry.Outputs = append(entry.Outputs, fileEntry{r.relative(o.path), o.look})
	}
	st.done, st.pending = entry, true
	if u.Together {
		return nil // Commit records it
	}
	r.Pending = put(r.Pending, entry)
	// A record is written whole each time. With many units that would take
	// longer than the work; a killed run may lose what it did since.
	if time.Since(s.saved) < 20*s.cost || s.Standard() {
		return nil
	}
	return s.save()
}

// Standard tells whether the output is standard output, of which nothing can be
// remembered.
func (s *Stage) Standard() bool { return slices.Contains(s.plan.Locks, store.Standard) }

// save writes the records; the caller holds mu.
func (s *Stage) save() error {
	began := time.Now()
	for path, r := range s.records {
		if err := r.write(path); err != nil {
			return err
		}
	}
	s.saved, s.cost = time.Now(), time.Since(began)
	return nil
}

// Open opens an input, whose bytes as stored p (may be nil) counts, and remembers
// its digest when it was read to its end. A nil Stage remembers nothing.
func (s *Stage) Open(path string, p *Progress) (*Reader, error) {
	return s.open(path, p, asDocuments)
}

// Lines reads an open input as Open does. Closing the Reader closes the input.
func (in *Input) Lines(p *Progress) (*Reader, error) { return newReader(in, in.path, p, asDocuments) }

// open opens a file of documents, of other rows, or of one text in any character set.
func (s *Stage) open(path string, p *Progress, as form) (*Reader, error) {
	f, err := s.OpenFile(path)
	if err != nil {
		return nil, err
	}
	r, err := newReader(f, path, p, as)
	if err != nil {
		f.Close()
	}
	return r, err
}

// Run calls work for the units that are not done, as many at once as pool has
// workers; see Pool.EachFile.
func (s *Stage) Run(ctx context.Context, pool *Pool, work func(ctx context.Context, u *Unit) error) error {
	var names []string
	var units []*Unit
	for _, u := range s.plan.Units {
		if _, ok := s.Done(u); !ok {
			names, units = append(names, filepath.Base(u.Key)), append(units, u)
		}
	}
	return pool.EachFile(ctx, names, func(ctx context.Context, i int, _ string) error { return work(ctx, units[i]) })
}
