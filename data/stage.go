package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"olmo/data/store"
	whole "olmo/store"
)

// Execution says how a stage runs. Nothing of it changes the outputs, but for
// Compat.
type Execution struct {
	// Processes is the number of workers, at least one.
	Processes int `yaml:"processes" json:"-" help:"number of workers; the output does not depend on it"`
	// Strict makes a bad line an error instead of a reject.
	Strict bool `yaml:"-" json:"-"`
	// Compat does what Dolma 1.2.1 does, its bugs included; docs/data-format.md
	// lists them.
	Compat bool `yaml:"-" json:"-"`
	// Progress (may be nil) counts the work done.
	Progress *Progress `yaml:"-" json:"-"`
	// Log (may be nil) is told what a user should know while the run goes on:
	// sizes, warnings, the first bad lines.
	Log func(message string) `yaml:"-" json:"-"`
}

// Logf tells the user something.
func (e *Execution) Logf(format string, args ...any) {
	if e.Log != nil {
		e.Log(fmt.Sprintf(format, args...))
	}
}

// Unit is a piece of a run whose outputs are made together and depend on its
// inputs and the run's settings alone.
type Unit struct {
	// Record is the file that remembers the unit; names in it are relative to
	// its folder, so that a corpus which is moved or copied whole keeps its memory.
	Record string
	// Key tells the units of a record apart.
	Key string
	// Inputs are the files that the outputs depend on, Reads those that are read
	// beside them without being remembered, such as what a filter grew from.
	Inputs, Reads []string
	// Outputs and Rejects are the files that the unit may write, as far as they
	// are known before.
	Outputs, Rejects []string
	// Together tells that the outputs only mean something beside those of the
	// others, such as a filter and what it marked: an interrupted run keeps
	// nothing of the unit, and the record says nothing of it before Commit.
	Together bool
	// Settings are what these outputs depend on beside the plan's.
	Settings any
}

// Plan is all that a run will do, known before anything is written.
type Plan struct {
	Stage    string // such as "tokens"
	Settings any    // what the outputs depend on beside their inputs, as JSON
	Units    []*Unit
	// Locks are the outputs that no other run may write at the same time: the
	// folder of an attribute, a destination, a filter.
	Locks []string
	// Again makes outputs that are complete once more.
	Again bool
	// Own tells of a file whether a run of this stage may have made it directly
	// below its destination. What an earlier run made and this one does not is
	// then removed with its unit; nil: units of other runs stay as they are.
	Own func(name string) bool
	// Keep leaves the units of other runs as they are, whatever Own tells of
	// their outputs: they may come from other inputs.
	Keep bool
}

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
	if err := s.compare(); err != nil {
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

// clashes refuses outputs that are inputs, or that two units would write.
func (s *Stage) clashes() error {
	var inputs, outputs []string
	remote := map[string]bool{}
	taken := map[string]*Unit{}
	for _, u := range s.plan.Units {
		for _, in := range slices.Concat(u.Inputs, u.Reads) {
			if s.plan.Own != nil && s.plan.Own(in) {
				return fmt.Errorf("%s has the name of an output of this run: %w\nhint: name another place for the output", in, whole.ErrClash)
			}
			if store.Remote(in) {
				remote[store.Clean(in)] = true
			} else if in != store.Standard {
				inputs = append(inputs, in)
			}
		}
	}
	for _, u := range s.plan.Units {
		for _, out := range append(slices.Concat(u.Outputs, u.Rejects), u.Record) {
			switch {
			case out == store.Standard || out == "":
				continue
			case store.Remote(out):
				if remote[store.Clean(out)] {
					return fmt.Errorf("%s is read by this run too: %w\nhint: name another place for the output", out, whole.ErrClash)
				}
			default:
				outputs = append(outputs, out)
			}
			if other, ok := taken[store.Clean(out)]; ok && other != u && out != u.Record {
				return fmt.Errorf("%s and %s would both write %s\nhint: give one of them another name or place", other.Key, u.Key, out)
			}
			taken[store.Clean(out)] = u
		}
	}
	return whole.Clash(inputs, outputs, nil)
}

// clash checks an output that was not known before; the others were checked in
// Begin.
func (s *Stage) clash(u *Unit, path string) error {
	if slices.Contains(u.Outputs, path) || slices.Contains(u.Rejects, path) || store.Remote(path) {
		return nil
	}
	return whole.Clash(s.plan.inputs(), []string{path}, nil)
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

// RejectedError tells what the first bad line was, for a run that fails because
// there was nothing but bad lines.
func (s *Stage) RejectedError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// maxWarnings is how many bad lines a run tells one by one; all are counted.
const maxWarnings = 20

func (s *Stage) tellRejected(bad *RecordError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = bad
	}
	switch s.rejected++; {
	case s.rejected <= maxWarnings:
		s.Logf("rejected %v", bad)
	case s.rejected == maxWarnings+1:
		s.Logf("more bad lines follow; all are in the rejects files")
	}
}

// Rejects prepares to collect the bad records of one source in the file path,
// which is one of the unit's Rejects.
func (s *Stage) Rejects(u *Unit, path string) *Rejects {
	return &Rejects{strict: s.Strict, path: path, p: s.Progress, warn: s.tellRejected, create: func() (*Writer, error) {
		return s.Create(u, path, Plain)
	}}
}

// Open opens an input, whose bytes as stored p (may be nil) counts, and remembers
// its digest when it was read to its end. A nil Stage remembers nothing.
func (s *Stage) Open(path string, p *Progress) (*Reader, error) {
	f, err := s.OpenFile(path)
	if err != nil {
		return nil, err
	}
	return newReader(f, path, p)
}

// inputs lists the inputs of all units, each once.
func (p *Plan) inputs() []string {
	seen := map[string]bool{}
	var out []string
	for _, u := range p.Units {
		for _, in := range u.Inputs {
			if !seen[in] {
				seen[in] = true
				out = append(out, in)
			}
		}
	}
	return out
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
