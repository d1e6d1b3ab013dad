package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Suite is tasks and other suites under one name, with one figure made of those that its parts
// are quoted with.
type Suite struct {
	Name    string
	Parts   []string // names of tasks and suites; one that is neither is a task that nobody has yet
	Average Average
	Source  string // the program that has it under this name
}

// Average is how a suite's figure comes of its parts'.
type Average string

// The averages. Macro counts each part alike, whatever is below it, Micro each document; Larger
// takes the best of the parts, for a task that is asked in several forms.
const (
	Macro     Average = "macro"
	Micro     Average = "micro"
	Larger    Average = "larger"
	NoAverage Average = "none"
)

// suiteFigure is how results call a suite's figure.
const suiteFigure = "primary_score"

var suites = map[string]*Suite{}

// DefineSuite adds a suite of the program's own.
func DefineSuite(s Suite) *Suite {
	if s.Average == "" {
		s.Average = NoAverage
	}
	suites[s.Name] = &s
	return &s
}

// Suites lists the program's suites, sorted by name.
func Suites() []*Suite {
	ready()
	return slices.SortedFunc(maps.Values(suites), func(a, b *Suite) int { return strings.Compare(a.Name, b.Name) })
}

// LookupSuite returns the program's suite of a name.
func LookupSuite(name string) (*Suite, bool) {
	ready()
	s, ok := suites[name]
	return s, ok
}

// Below lists the suite with the suites in it, those before it, and the names of the tasks that
// they are made of, each once.
func (s *Suite) Below() (all []*Suite, tasks []string) {
	for _, part := range s.Parts {
		below, ok := LookupSuite(part)
		if !ok {
			if !slices.Contains(tasks, part) {
				tasks = append(tasks, part)
			}
			continue
		}
		more, names := below.Below()
		for _, x := range more {
			if !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
		for _, n := range names {
			if !slices.Contains(tasks, n) {
				tasks = append(tasks, n)
			}
		}
	}
	return append(all, s), tasks
}

// part is the figure of a suite's part.
type part struct {
	Figure
	name string
}

// addSuite computes a suite's figure from those of its parts, which parts gives and learns
// (oe-eval, tasks/aggregate_tasks.py). Parts without one are missing: then there is none, unless
// partial asks for that of the others.
func (res *Results) addSuite(s *Suite, parts map[string]part, partial bool) (missing []string) {
	fields := map[string]any{"alias": s.Name, "name": s.Name, "average": string(s.Average)}
	var have []part
	for _, name := range s.Parts {
		if p, ok := parts[name]; ok {
			have = append(have, p)
		} else {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		fields["missing"] = missing
	}
	n := 0
	for _, p := range have {
		n += p.N
	}
	fields["sample_len"] = n
	if len(have) > 0 && s.Average != NoAverage && (missing == nil || partial) {
		whole := s.figure(have)
		key := suiteFigure + "," + noFilter
		fields[key], fields[suiteFigure+"_stderr,"+noFilter] = finite(whole.Value), "N/A"
		if whole.StdErr != nil {
			fields[suiteFigure+"_stderr,"+noFilter] = finite(*whole.StdErr)
		}
		if s.Average == Larger {
			fields["larger"] = whole.name
		}
		res.Higher[s.Name], res.Headline[s.Name] = map[string]bool{suiteFigure: !whole.Lower}, suiteFigure
		whole.name = s.Name
		parts[s.Name] = whole
	}
	res.Groups[s.Name], res.Results[s.Name], res.GroupSubtasks[s.Name] = fields, fields, s.Parts
	return missing
}

// figure is the suite's figure of some parts; of Larger with the name of the part that it is.
func (s *Suite) figure(have []part) part {
	if s.Average == Larger {
		return have[best(len(have), func(i int) float64 { return have[i].Value })]
	}
	out := part{Figure: Figure{Lower: have[0].Lower}}
	var figures, errors, sizes []float64
	for _, p := range have {
		figures, sizes = append(figures, p.Value), append(sizes, float64(p.N))
		if p.StdErr != nil {
			errors = append(errors, *p.StdErr)
		}
		out.N += p.N
	}
	out.Value = meanOf(figures, sizes, s.Average == Micro)
	if len(errors) == len(figures) {
		e := meanError(errors, sizes, s.Average == Micro)
		out.StdErr = &e
	}
	return out
}

// suites computes the suites' figures, each suite after those in it.
func (r *Run) suites(res *Results) {
	parts := map[string]part{}
	for _, j := range r.Jobs {
		if x, ok := res.Quoted(j); ok {
			parts[j.Name] = part{x, j.Name}
		}
	}
	for _, s := range r.Suites {
		missing := res.addSuite(s, parts, r.Partial)
		if len(missing) == 0 || s.Average == NoAverage || r.Warn == nil {
			continue
		}
		what := "has no figure (--partial gives that of the others)"
		if _, ok := parts[s.Name]; ok {
			what = "has the figure of a part of its tasks"
		}
		r.Warn(fmt.Sprintf("suite %s %s: it lacks %s", s.Name, what, strings.Join(missing, ", ")))
	}
}
