package data_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/data"
	"olmo/data/store/storetest"
	"olmo/store"
)

func begin(t *testing.T, plan data.Plan, e data.Execution) *data.Stage {
	t.Helper()
	s, err := data.Begin(plan, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// tree is the content of every file below dir, but for records and locks.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// copier is a stage that copies each in/X to out/X and counts what it reads.
type copier struct {
	files []string
	again bool
	own   bool
	fail  string // file at which it fails
	v     string // a setting
	whole bool   // its units are only made together
	log   []string
	made  []string
}

func (c *copier) plan() data.Plan {
	p := data.Plan{Stage: "copy", Settings: c.v, Locks: []string{"out"}, Again: c.again}
	if c.own {
		p.Own = func(name string) bool { return filepath.Dir(name) == "out" && strings.HasSuffix(name, ".txt") }
	}
	for _, f := range c.files {
		p.Units = append(p.Units, &data.Unit{
			Record: "out.copy.json", Key: f, Inputs: []string{"in/" + f}, Outputs: []string{"out/" + f}, Rejects: []string{"rejects/" + f}, Together: c.whole,
		})
	}
	return p
}

func (c *copier) run() error {
	c.made, c.log = nil, nil
	plan := c.plan()
	s, err := data.Begin(plan, data.Execution{Log: func(m string) { c.log = append(c.log, m) }})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, u := range plan.Units {
		if _, ok := s.Done(u); ok {
			continue
		}
		c.made = append(c.made, u.Key)
		r, err := s.Open(u.Inputs[0], nil)
		if err != nil {
			return err
		}
		w, err := s.Create(u, u.Outputs[0], data.Plain)
		if err != nil {
			return err
		}
		rej := s.Rejects(u, u.Rejects[0])
		for {
			line, err := r.NextLine()
			if err != nil {
				break
			}
			if line.Bytes[0] == '!' {
				if err := rej.Add(r.BadLine(line, errors.New("bad"))); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%s\n", line.Bytes)
		}
		if err := errors.Join(r.Close(), rej.Close(), w.Close()); err != nil {
			return err
		}
		if c.fail == u.Key {
			return errors.New("failed")
		}
		if err := s.Finish(u, u.Key); err != nil {
			return err
		}
	}
	return s.Commit()
}

func TestStage(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a.txt", "a\n!x\n")
	put(t, "in/b.txt", "b\n")
	c := copier{files: []string{"a.txt", "b.txt"}}
	check := func(what string, made []string, want map[string]string) {
		t.Helper()
		if err := c.run(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !slices.Equal(c.made, made) {
			t.Errorf("%s: made %q, want %q", what, c.made, made)
		}
		got := tree(t, ".")
		maps.DeleteFunc(got, func(name, _ string) bool {
			return !strings.HasPrefix(name, "out/") && !strings.HasPrefix(name, "rejects/")
		})
		for name, text := range got {
			if strings.HasPrefix(name, "rejects/") {
				got[name] = fmt.Sprint(strings.Count(text, "\n"))
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: there is %q, want %q", what, got, want)
		}
	}
	first := map[string]string{"out/a.txt": "a\n", "out/b.txt": "b\n", "rejects/a.txt": "1"}
	check("first", []string{"a.txt", "b.txt"}, first)
	check("again", nil, first)

	later := time.Now().Add(time.Hour)
	if err := os.Chtimes("in/a.txt", later, later); err != nil {
		t.Fatal(err)
	}
	check("touched", nil, first)
	// Once the hash has decided, the record knows the new time, and nothing is
	// read any more.
	var record struct {
		Units []struct {
			Inputs []struct {
				Path string
				Time time.Time
			}
		}
	}
	text, err := os.ReadFile("out.copy.json")
	if err == nil {
		err = json.Unmarshal(text, &record)
	}
	if err != nil || len(record.Units) != 2 || !record.Units[0].Inputs[0].Time.Equal(later.Truncate(0)) || record.Units[0].Inputs[0].Path != "in/a.txt" {
		t.Errorf("the record has %+v, %v, want the time %v", record, err, later)
	}

	put(t, "in/a.txt", "A\n!x\n") // of the same size
	check("changed", []string{"a.txt"}, map[string]string{"out/a.txt": "A\n", "out/b.txt": "b\n", "rejects/a.txt": "1"})
	put(t, "in/a.txt", "A\n")
	check("without bad lines", []string{"a.txt"}, map[string]string{"out/a.txt": "A\n", "out/b.txt": "b\n"})
	if err := os.Remove("out/b.txt"); err != nil {
		t.Fatal(err)
	}
	check("an output that is gone", []string{"b.txt"}, map[string]string{"out/a.txt": "A\n", "out/b.txt": "b\n"})
	c.again = true
	check("again on purpose", []string{"a.txt", "b.txt"}, map[string]string{"out/a.txt": "A\n", "out/b.txt": "b\n"})
	c.again = false

	c.files = c.files[:1]
	check("fewer files of a stage whose units are each for themselves", nil, map[string]string{"out/a.txt": "A\n", "out/b.txt": "b\n"})
	c.own = true
	check("fewer files of a stage that owns its folder", nil, map[string]string{"out/a.txt": "A\n"})
	if !strings.Contains(strings.Join(c.log, "\n"), "removing") {
		t.Errorf("nobody was told: %q", c.log)
	}
}

// What was there stays until all outputs are complete; what was finished is taken
// up by the next run.
func TestStageFails(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a.txt", "1\n")
	put(t, "in/b.txt", "1\n")
	c := copier{files: []string{"a.txt", "b.txt"}}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	put(t, "in/a.txt", "two\n")
	put(t, "in/b.txt", "two\n")
	c.fail = "b.txt"
	for range 2 { // run again it fails again
		if err := c.run(); err == nil {
			t.Fatal("no error")
		}
		for _, f := range c.files {
			if text, err := os.ReadFile("out/" + f); string(text) != "1\n" {
				t.Errorf("out/%s is %q, %v after a failed run", f, text, err)
			}
		}
	}
	c.fail = ""
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.made, []string{"b.txt"}) {
		t.Errorf("the next run made %q, want the unfinished one", c.made)
	}
	got := tree(t, "out")
	if !maps.Equal(got, map[string]string{"a.txt": "two\n", "b.txt": "two\n"}) {
		t.Errorf("there is %q", got)
	}
}

// An interrupted run of other settings changes nothing for those before it, and
// nobody forgets what they made.
func TestStageOtherSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, f := range []string{"a.txt", "b.txt", "c.txt"} {
		put(t, "in/"+f, f+"\n")
	}
	c := copier{files: []string{"a.txt", "b.txt", "c.txt"}, own: true}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	before := tree(t, "out")
	c.v, c.fail = "2", "b.txt"
	if err := c.run(); err == nil {
		t.Fatal("no error")
	}
	c.v, c.fail = "", ""
	if err := c.run(); err != nil || len(c.made) > 0 {
		t.Errorf("the first settings again: %v, made %q", err, c.made)
	}
	if got := tree(t, "out"); !maps.Equal(got, before) {
		t.Errorf("there is %q, want %q", got, before)
	}
	c.v, c.fail = "2", "b.txt"
	if err := c.run(); err == nil {
		t.Fatal("no error")
	}
	c.fail, c.files = "", c.files[:1]
	if err := c.run(); err != nil || len(c.made) > 0 {
		t.Errorf("fewer files: %v, made %q", err, c.made)
	}
	if got := tree(t, "out"); !maps.Equal(got, map[string]string{"a.txt": "a.txt\n"}) {
		t.Errorf("there is %q, want a.txt alone", got)
	}
}

// A process may die between giving two outputs their names.
func TestStageDiesInCommit(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a.txt", "a\n")
	put(t, "in/b.txt", "b\n")
	c := copier{files: []string{"a.txt", "b.txt"}}
	died := errors.New("died")
	undo := store.InjectFaults(func(op store.Op, name string) error {
		if op == store.OpRename && strings.HasSuffix(name, "b.txt") {
			return died
		}
		return nil
	})
	err := c.run()
	undo()
	if !errors.Is(err, died) {
		t.Fatal(err)
	}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, "out"); !maps.Equal(got, map[string]string{"a.txt": "a\n", "b.txt": "b\n"}) {
		t.Errorf("there is %q", got)
	}
}

// A process may die when all outputs have their names and the record does not say so
// yet: the next run has nothing to do, but it says so.
func TestStageDiesBeforeItsRecord(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Chdir(t.TempDir())
		put(t, "in/a.txt", "a\n")
		c := copier{files: []string{"a.txt"}, whole: whole}
		died := errors.New("died")
		undo := store.InjectFaults(func(op store.Op, name string) error {
			if _, err := os.Stat("out/a.txt"); err == nil && op == store.OpRename && name == "out.copy.json" {
				return died
			}
			return nil
		})
		err := c.run()
		undo()
		if !errors.Is(err, died) {
			t.Fatal(err)
		}
		if err := c.run(); err != nil || len(c.made) > 0 {
			t.Errorf("together %v: %v, made %q", whole, err, c.made)
		}
		if text, err := os.ReadFile("out.copy.json"); err != nil || strings.Contains(string(text), "pending") {
			t.Errorf("together %v: the record is %s, %v", whole, text, err)
		}
	}
}

// A full disk, at any step of any file, leaves the earlier output and an error;
// with room again the same run ends as an undisturbed one.
func TestStageFaults(t *testing.T) {
	full := errors.New("no space left on device")
	every := 1
	if testing.Short() {
		every = 3
	}
	for n := 0; ; n += every {
		t.Chdir(t.TempDir())
		put(t, "in/a.txt", "1\n!x\n")
		put(t, "in/b.txt", "1\n")
		c := copier{files: []string{"a.txt", "b.txt"}}
		if err := c.run(); err != nil {
			t.Fatal(err)
		}
		put(t, "in/a.txt", "two\n")
		put(t, "in/b.txt", "two\n")
		count, renames := 0, 0
		var at string
		undo := store.InjectFaults(func(op store.Op, name string) error {
			if count++; count == n+1 {
				at = fmt.Sprint(op, " of ", name)
				return full
			}
			if op == store.OpRename && !strings.HasSuffix(name, ".json") {
				renames++
			}
			return nil
		})
		err := c.run()
		undo()
		if at == "" {
			if n < 10 {
				t.Fatalf("only %d steps", n)
			}
			return
		}
		if !errors.Is(err, full) {
			t.Errorf("%s: %v, want the fault", at, err)
		}
		got := tree(t, "out")
		maps.DeleteFunc(got, func(name, _ string) bool { return store.IsTemporary(name) })
		if renames == 0 && !maps.Equal(got, map[string]string{"a.txt": "1\n", "b.txt": "1\n"}) {
			t.Errorf("%s: the earlier outputs are %q", at, got)
		}
		if err := c.run(); err != nil {
			t.Errorf("%s, then run again: %v", at, err)
		}
		if got := tree(t, "out"); !maps.Equal(got, map[string]string{"a.txt": "two\n", "b.txt": "two\n"}) {
			t.Errorf("%s, then run again: there is %q", at, got)
		}
	}
}

func TestStageRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a.txt", "a\n")
	u := func(in, out string) *data.Unit {
		return &data.Unit{Record: "r.json", Key: in + out, Inputs: []string{in}, Outputs: []string{out}}
	}
	for _, c := range []struct {
		name  string
		units []*data.Unit
		want  string
	}{
		{"its input", []*data.Unit{u("in/a.txt", "./in/../in/a.txt")}, "in/a.txt"},
		{"one output of two units", []*data.Unit{u("in/a.txt", "x"), {Record: "r.json", Key: "2", Inputs: []string{"in/a.txt"}, Outputs: []string{"./x"}}}, "both write"},
		{"an object", []*data.Unit{u("s3://b/x", "s3://b/./x")}, "s3://b"},
	} {
		_, err := data.Begin(data.Plan{Stage: "t", Units: c.units}, data.Execution{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
	if got := tree(t, "."); len(got) != 1 {
		t.Errorf("there is %q", got)
	}
	s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u("in/a.txt", "out/x")}, Locks: []string{"out"}}, data.Execution{})
	var held *store.HeldError
	if _, err := data.Begin(data.Plan{Stage: "other", Locks: []string{"out"}}, data.Execution{}); !errors.As(err, &held) || held.Holder.PID != os.Getpid() {
		t.Errorf("a second run: %v, want a HeldError", err)
	}
	s.Close()
	begin(t, data.Plan{Stage: "other", Locks: []string{"out"}}, data.Execution{}).Close()
}

// A run that has nothing to do writes nothing, and needs no lock.
func TestStageOfReadOnly(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a.txt", "a\n")
	c := copier{files: []string{"a.txt"}, own: true}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	lock, err := store.AcquireFor("out")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	undo := store.InjectFaults(func(op store.Op, name string) error { return fmt.Errorf("%s of %s", op, name) })
	defer undo()
	later := time.Now().Add(time.Hour)
	for range 2 { // with another time its content decides
		if err := c.run(); err != nil || len(c.made) > 0 {
			t.Errorf("%v, made %q", err, c.made)
		}
		if err := os.Chtimes("in/a.txt", later, later); err != nil {
			t.Fatal(err)
		}
	}
	put(t, "in/a.txt", "b\n")
	var held *store.HeldError
	if err := c.run(); !errors.As(err, &held) {
		t.Errorf("with something to do: %v, want a HeldError", err)
	}
}

// What a record says is no instruction.
func TestRecordFromElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a.txt", "a\n")
	c := copier{files: []string{"a.txt"}, own: true}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"precious.txt", "out/precious.md", "out/theirs.txt", "in/b.txt"} {
		put(t, f, "p")
	}
	text, err := os.ReadFile("out.copy.json")
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	const sum = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940" // of "p"
	r["units"] = append(r["units"].([]any), map[string]any{"key": "old", "outputs": []any{
		map[string]any{"path": "precious.txt", "size": 1, "sha256": sum},
		map[string]any{"path": "out/../precious.txt", "size": 1, "sha256": sum},
		map[string]any{"path": "out/precious.md", "size": 1, "sha256": sum},
		map[string]any{"path": "in/b.txt", "size": 1, "sha256": sum},
		map[string]any{"path": "out/theirs.txt", "size": 1, "sha256": "00"},
	}})
	text, _ = json.Marshal(r)
	put(t, "out.copy.json", string(text))
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"precious.txt", "out/precious.md", "out/theirs.txt", "in/b.txt"} {
		if _, err := os.Stat(f); err != nil {
			t.Errorf("%s is gone", f)
		}
	}
	if got := strings.Count(strings.Join(c.log, "\n"), "left as it is"); got != 5 {
		t.Errorf("%d of 5 were reported: %q", got, c.log)
	}
	for _, text := range []string{"{", "[]", `{"format":"olmo stage 1","stage":"copy","units":[null]}`, `{"stage":"copy","digest":"x","done":true}`} {
		put(t, "out.copy.json", text)
		if err := c.run(); err != nil || !slices.Equal(c.made, []string{"a.txt"}) {
			t.Errorf("with the record %s: %v, made %q", text, err, c.made)
		}
	}
}

// A folder that is moved or copied whole keeps its memory.
func TestStageOfACopy(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	if err := os.Mkdir("one", 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir("one")
	put(t, "in/a.txt", "a\n")
	c := copier{files: []string{"a.txt"}}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "two"), os.DirFS(filepath.Join(root, "one"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(root, "two"))
	before := tree(t, filepath.Join(root, "one"))
	if err := c.run(); err != nil || len(c.made) > 0 {
		t.Errorf("in the copy: %v, made %q", err, c.made)
	}
	put(t, "in/a.txt", "2\n")
	if err := c.run(); err != nil || len(c.made) != 1 {
		t.Errorf("in the changed copy: %v, made %q", err, c.made)
	}
	if got := tree(t, filepath.Join(root, "one")); !maps.Equal(got, before) {
		t.Errorf("the original has %q, before %q", got, before)
	}
}

// What is read may not be written: by a name that the run gives itself, or by an
// output that nobody knew before.
func TestStageRefusesMore(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a.txt", "a\n")
	put(t, "out/b.txt", "b\n")
	own := func(name string) bool { return filepath.Dir(name) == "out" }
	for _, c := range []struct {
		name string
		plan data.Plan
		want string
	}{
		{"the name of an output", data.Plan{Stage: "t", Own: own, Units: []*data.Unit{{Record: "r", Key: "1", Inputs: []string{"out/b.txt"}, Outputs: []string{"out/x"}}}}, "out/b.txt has the name of an output of this run"},
		{"an object", data.Plan{Stage: "t", Units: []*data.Unit{{Record: "r", Key: "1", Inputs: []string{"s3://b/x"}, Outputs: []string{"s3://b/x"}}}}, "s3://b/x is read by this run too"},
		{"the rejects", data.Plan{Stage: "t", Units: []*data.Unit{{Record: "r", Key: "1", Inputs: []string{"in/a.txt"}, Rejects: []string{"in/a.txt"}}}}, "in/a.txt"},
		{"the record", data.Plan{Stage: "t", Units: []*data.Unit{{Record: "in/a.txt", Key: "1", Inputs: []string{"in/a.txt"}, Outputs: []string{"x"}}}}, "in/a.txt"},
		{"the record as an output", data.Plan{Stage: "t", Units: []*data.Unit{{Record: "r", Key: "1"}, {Record: "s", Key: "2", Outputs: []string{"r"}}}}, "1 and 2 would both write r"},
	} {
		s, err := data.Begin(c.plan, data.Execution{})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
	u := &data.Unit{Record: "r", Key: "1", Inputs: []string{"in/a.txt"}}
	s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}}, data.Execution{})
	if _, err := s.Create(u, "./in/a.txt", data.Plain); !errors.Is(err, store.ErrClash) {
		t.Errorf("an output that nobody knew before: %v, want a clash", err)
	}
	if w, err := s.Create(u, "in/new.txt", data.Plain); err != nil {
		t.Errorf("an output beside the input: %v", err)
	} else {
		w.Abort()
	}
	if got := tree(t, "."); !maps.Equal(got, map[string]string{"in/a.txt": "a\n", "out/b.txt": "b\n"}) {
		t.Errorf("there is %q", got)
	}
}

// Whatever the outputs depend on is remembered: other settings, of the run, of the
// unit or of --compat, and another number of inputs are another run.
func TestStageRemembers(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a", "a")
	put(t, "in/b", "b")
	plan := func() (data.Plan, *data.Unit) {
		u := &data.Unit{Record: "r.json", Key: "x", Inputs: []string{"in/a"}, Outputs: []string{"out"}}
		return data.Plan{Stage: "t", Units: []*data.Unit{u}}, u
	}
	run := func(p data.Plan, e data.Execution) (done bool) {
		t.Helper()
		s := begin(t, p, e)
		defer s.Close()
		done = s.AllDone()
		if !done {
			u := p.Units[0]
			w, err := s.Create(u, "out", data.Plain)
			if err != nil || errors.Join(w.Close(), s.Finish(u, nil)) != nil {
				t.Fatal(err)
			}
		}
		if err := s.Commit(); err != nil {
			t.Fatal(err)
		}
		return done
	}
	first, _ := plan()
	for _, c := range []struct {
		name   string
		change func(p *data.Plan, u *data.Unit, e *data.Execution)
		same   bool
	}{
		{"the number of workers", func(_ *data.Plan, _ *data.Unit, e *data.Execution) { e.Processes = 7 }, true},
		{"a setting", func(p *data.Plan, _ *data.Unit, _ *data.Execution) { p.Settings = 1 }, false},
		{"a setting of the unit", func(_ *data.Plan, u *data.Unit, _ *data.Execution) { u.Settings = 1 }, false},
		{"--compat", func(_ *data.Plan, _ *data.Unit, e *data.Execution) { e.Compat = true }, false},
		{"one more input", func(_ *data.Plan, u *data.Unit, _ *data.Execution) { u.Inputs = append(u.Inputs, "in/b") }, false},
		{"another input", func(_ *data.Plan, u *data.Unit, _ *data.Execution) { u.Inputs[0] = "in/b" }, false},
		{"another key", func(_ *data.Plan, u *data.Unit, _ *data.Execution) { u.Key = "y" }, false},
		{"on purpose", func(p *data.Plan, _ *data.Unit, _ *data.Execution) { p.Again = true }, false},
	} {
		run(first, data.Execution{})
		if !run(first, data.Execution{}) {
			t.Fatalf("before %s: the same run is not known", c.name)
		}
		p, u := plan()
		var e data.Execution
		c.change(&p, u, &e)
		if got := run(p, e); got != c.same {
			t.Errorf("another run by %s: done already is %v, want %v", c.name, got, c.same)
		}
	}
	run(first, data.Execution{})
	put(t, "out", "longer than it was")
	if run(first, data.Execution{}) {
		t.Error("an output of another size passes for the recorded one")
	}
}

// A stage that owns its folder keeps what other runs made there when it is told to.
func TestStageKeeps(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, f := range []string{"a", "b"} {
		put(t, "in/"+f, f)
		u := &data.Unit{Record: "r.json", Key: f, Inputs: []string{"in/" + f}, Outputs: []string{"out/" + f}}
		s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}, Keep: true, Own: func(name string) bool { return filepath.Dir(name) == "out" }}, data.Execution{})
		w, err := s.Create(u, "out/"+f, data.Plain)
		if err != nil || errors.Join(w.Close(), s.Finish(u, nil), s.Commit(), s.Close()) != nil {
			t.Fatal(err)
		}
	}
	if got := tree(t, "out"); len(got) != 2 {
		t.Errorf("there is %q, want both", got)
	}
	if text, _ := os.ReadFile("r.json"); !strings.Contains(string(text), `"out/a"`) || !strings.Contains(string(text), `"out/b"`) {
		t.Errorf("the record says %s", text)
	}
}

// Of standard output nothing can be remembered, and an object store has no locks: that
// is said.
func TestStageWithoutLocks(t *testing.T) {
	t.Chdir(t.TempDir())
	storetest.Start(t, "corpus")
	put(t, "in", "a")
	var told []string
	log := func(m string) { told = append(told, m) }
	u := &data.Unit{Record: "r.json", Key: "x", Inputs: []string{"in"}, Outputs: []string{"s3://corpus/x"}}
	s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}, Locks: []string{"s3://corpus/x"}}, data.Execution{Log: log})
	if len(told) != 1 || !strings.Contains(told[0], "s3://corpus/x is an object store, which has no locks") || s.Standard() {
		t.Errorf("told %q", told)
	}
	s.Close()
	told = nil
	u = &data.Unit{Key: "x", Inputs: []string{"in"}, Outputs: []string{"-"}}
	for range 2 {
		s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}, Locks: []string{"-"}}, data.Execution{Log: log})
		if s.AllDone() || !s.Standard() || len(told) > 0 {
			t.Errorf("standard output is remembered, or %q", told)
		}
		w, err := s.Create(u, "-", data.Plain)
		if err != nil || errors.Join(w.Close(), s.Finish(u, nil), s.Commit(), s.Close()) != nil {
			t.Fatal(err)
		}
	}
	if got := tree(t, "."); len(got) != 1 {
		t.Errorf("there is %q", got)
	}
}

// A run is complete only when all of its units are.
func TestCommitTooEarly(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in", "a")
	u := &data.Unit{Record: "r.json", Key: "x", Inputs: []string{"in"}, Outputs: []string{"out"}}
	s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}}, data.Execution{})
	w, err := s.Create(u, "out", data.Plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err == nil || !strings.Contains(err.Error(), "x is not done") {
		t.Errorf("Commit: %v", err)
	}
	w.Write([]byte("half"))
	if err := s.Close(); err != nil { // gives up what is open
		t.Fatal(err)
	}
	if got := tree(t, "."); len(got) != 1 {
		t.Errorf("there is %q", got)
	}
}
