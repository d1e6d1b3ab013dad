package data

import (
	"fmt"
	"slices"
	"strings"

	"olmo/data/store"
	whole "olmo/store"
)

// Execution says how a stage runs. Nothing of it changes the outputs, but for
// Compat.
type Execution struct {
	// Processes is the number of workers, at least one.
	Processes int `yaml:"processes" limits:"1..16384" json:"-" help:"number of workers; the output does not depend on it"`
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

// ExpandDocuments lists the documents files that patterns stand for, as ExpandGlobs,
// and tells of those that match nothing; none at all is an error.
func (e *Execution) ExpandDocuments(patterns []string) ([]string, error) {
	files, missing, err := ExpandGlobs(patterns)
	if err != nil {
		return nil, err
	}
	for _, m := range missing {
		e.Logf("no file matches %s", m)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no documents: nothing matches %s", strings.Join(patterns, " "))
	}
	return files, nil
}

// Unit is a piece of a run whose outputs are made together and depend on its
// inputs and the run's settings alone.
type Unit struct {
	// Record is the file that remembers the unit; names in it are relative to
	// its folder, so that a corpus which is moved or copied whole keeps its memory.
	Record string
	// Key tells the units of a record apart.
	Key string
	// Inputs are the files that the outputs depend on.
	Inputs []string
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

// clashes refuses outputs that are inputs, or that two units would write.
func (s *Stage) clashes() error {
	var inputs, outputs []string
	remote := map[string]bool{}
	taken := map[string]*Unit{}
	for _, u := range s.plan.Units {
		for _, in := range u.Inputs {
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
	if err := whole.Clash(inputs, outputs, nil); err != nil {
		return err
	}
	for _, out := range outputs {
		if err := whole.Replaceable(out); err != nil {
			return err
		}
	}
	return nil
}

// clash checks an output that was not known before; the others were checked in
// Begin.
func (s *Stage) clash(u *Unit, path string) error {
	if slices.Contains(u.Outputs, path) || slices.Contains(u.Rejects, path) || store.Remote(path) {
		return nil
	}
	return whole.Clash(s.plan.inputs(), []string{path}, nil)
}
