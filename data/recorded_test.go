package data_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/store"
)

// pair is a stage of two units that are only made together: all text of in/ in
// out/sum, and a copy of each file.
type pair struct {
	files []string
	made  []string
	fail  bool
}

func (p *pair) plan() data.Plan {
	plan := data.Plan{Stage: "pair", Locks: []string{"out"}}
	plan.Units = append(plan.Units, &data.Unit{Record: "out.json", Key: "sum", Outputs: []string{"out/sum"}, Together: true})
	for _, f := range p.files {
		plan.Units = append(plan.Units, &data.Unit{Record: "out.json", Key: f, Inputs: []string{"in/" + f}, Outputs: []string{"out/" + f}, Together: true})
	}
	return plan
}

func (p *pair) run() error {
	p.made = nil
	plan := p.plan()
	s, err := data.Begin(plan, data.Execution{})
	if err != nil {
		return err
	}
	defer s.Close()
	if s.AllDone() {
		return s.Commit()
	}
	s.Redo()
	sum := ""
	for _, u := range append(plan.Units[1:], plan.Units[0]) {
		text := sum
		if u.Key != "sum" {
			b, err := os.ReadFile(u.Inputs[0])
			if err != nil {
				return err
			}
			text = string(b)
			sum += text
		}
		w, err := s.Create(u, u.Outputs[0], data.Plain)
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		p.made = append(p.made, u.Key)
		if err := s.Finish(u, u.Key); err != nil {
			return err
		}
	}
	if p.fail {
		return errors.New("failed")
	}
	return s.Commit()
}

// Units that count only together: an interrupted run leaves nothing of them, not
// even in the record.
func TestTogetherFails(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a", "1\n")
	put(t, "in/b", "1\n")
	p := pair{files: []string{"a", "b"}}
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	before := tree(t, ".")
	put(t, "in/a", "two\n")
	p.fail = true
	if err := p.run(); err == nil {
		t.Fatal("no error")
	}
	before["in/a"] = "two\n"
	if got := tree(t, "."); !maps.Equal(got, before) {
		t.Errorf("a failed run left %q, before %q", got, before)
	}
	p.fail = false
	if err := p.run(); err != nil || len(p.made) != 3 {
		t.Errorf("%v, made %q, want all", err, p.made)
	}
}

// A run that died while the outputs got their names was complete: the next one
// gives them theirs. Where an output is lost, what follows it is not done.
func TestTogetherDiesInCommit(t *testing.T) {
	for _, c := range []struct {
		name, at, lose string
		made           int
	}{
		{"at the first", "sum", "", 0},
		{"at the last", "b", "", 0},
		{"and the first is lost", "sum", "out/.sum.tmp", 3},
		{"and the last is lost", "b", "out/.b.tmp", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			put(t, "in/a", "1\n")
			put(t, "in/b", "1\n")
			p := pair{files: []string{"a", "b"}}
			if err := p.run(); err != nil {
				t.Fatal(err)
			}
			put(t, "in/a", "two\n")
			put(t, "in/b", "two\n")
			died := errors.New("died")
			undo := store.InjectFaults(func(op store.Op, name string) error {
				if op == store.OpRename && name == "out/"+c.at {
					return died
				}
				return nil
			})
			err := p.run()
			undo()
			if !errors.Is(err, died) {
				t.Fatal(err)
			}
			if c.lose != "" {
				if err := os.Remove(c.lose); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.run(); err != nil || len(p.made) != c.made {
				t.Errorf("%v, made %q, want %d", err, p.made, c.made)
			}
			if got, want := tree(t, "out"), map[string]string{"a": "two\n", "b": "two\n", "sum": "two\ntwo\n"}; !maps.Equal(got, want) {
				t.Errorf("there is %q, want %q", got, want)
			}
		})
	}
}

// What the record says of earlier units, also of those that a run has not.
func TestRecorded(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in/a", "1\n")
	put(t, "in/b", "2\n")
	p := pair{files: []string{"a", "b"}}
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	put(t, "in/c", "2\n")
	put(t, "in/d", "3\n")
	put(t, "out/b", "3\n") // of the same size
	p.files = []string{"c", "d"}
	s := begin(t, p.plan(), data.Execution{})
	var keys, intact []string
	var b *data.Recorded
	for _, r := range s.Earlier("out.json") {
		keys = append(keys, r.Key)
		ok, err := r.Intact()
		if err != nil {
			t.Fatal(err)
		}
		intact = append(intact, fmt.Sprint(ok))
		if r.Key == "b" {
			b = r
		}
	}
	if got := strings.Join(append(keys, intact...), " "); got != "a b sum true false true" {
		t.Errorf("recorded and intact: %s", got)
	}
	if !slices.Equal(b.Inputs, []string{"in/b"}) || !slices.Equal(b.Outputs, []string{"out/b"}) || string(b.Report) != `"b"` || b.Relative("./in/b") != "in/b" {
		t.Errorf("b is %+v", b)
	}
	for in, want := range map[string]bool{"in/c": true, "in/d": false} {
		if same, err := b.Same(0, in); err != nil || same != want {
			t.Errorf("%s has the content of b: %v, %v, want %v", in, same, err, want)
		}
	}
	b.Forget()
	if got := len(s.Earlier("out.json")); got != 2 {
		t.Errorf("%d units after one is forgotten, want 2", got)
	}
}
