package eval

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestSuiteFigures is what the averages make of three tasks, one of which is missing in the end.
func TestSuiteFigures(t *testing.T) {
	e := func(x float64) *float64 { return &x }
	tasks := map[string]part{
		"a:mc": {Figure{Value: 0.25, StdErr: e(0.03), N: 10}, "a:mc"},
		"a:rc": {Figure{Value: 0.5, StdErr: e(0.04), N: 10}, "a:rc"},
		"b":    {Figure{Value: 0.1, N: 30}, "b"},
	}
	a := &Suite{Name: "a", Parts: []string{"a:mc", "a:rc"}, Average: Larger}
	for _, c := range []struct {
		suite   Suite
		partial bool
		want    any // nil: no figure
		stderr  any
		missing []string
	}{
		{Suite{Parts: []string{"a", "b"}, Average: Macro}, false, 0.3, "N/A", nil},
		{Suite{Parts: []string{"a:mc", "a:rc"}, Average: Macro}, false, 0.375, 0.025, nil},
		{Suite{Parts: []string{"a:rc", "b"}, Average: Micro}, false, 0.2, "N/A", nil},
		{Suite{Parts: []string{"a:mc", "a:rc"}, Average: Micro}, false, 0.375, math.Sqrt((9*0.0009*10 + 9*0.0016*10) / 18 / 20), nil},
		{Suite{Parts: []string{"a:rc", "a:mc"}, Average: NoAverage}, false, nil, nil, nil},
		{Suite{Parts: []string{"a", "c"}, Average: Macro}, false, nil, nil, []string{"c"}},
		{Suite{Parts: []string{"a", "c"}, Average: Macro}, true, 0.5, 0.04, []string{"c"}},
		{Suite{Parts: []string{"c"}, Average: Macro}, true, nil, nil, []string{"c"}},
	} {
		res := newResults()
		parts := map[string]part{}
		for name, p := range tasks {
			parts[name] = p
		}
		res.addSuite(a, parts, false)
		if res.Results["a"]["larger"] != "a:rc" {
			t.Errorf("the larger is %v, want a:rc", res.Results["a"]["larger"])
		}
		c.suite.Name = "all"
		missing := res.addSuite(&c.suite, parts, c.partial)
		got := res.Results["all"]
		if !near(got["primary_score,none"], c.want) || !near(got["primary_score_stderr,none"], c.stderr) || !slices.Equal(missing, c.missing) {
			t.Errorf("%s of %v, partial %v: %v without %v, want %v ± %v without %v", c.suite.Average, c.suite.Parts, c.partial, got, missing, c.want, c.stderr, c.missing)
		}
		if !reflect.DeepEqual(res.GroupSubtasks["all"], c.suite.Parts) || res.Groups["all"] == nil {
			t.Errorf("the suite is not among the groups: %v", res.GroupSubtasks)
		}
	}
}

func near(got, want any) bool {
	g, ok := got.(float64)
	w, is := want.(float64)
	if ok && is {
		return math.Abs(g-w) < 1e-15
	}
	return got == want
}

// TestSuites looks through those of the program: each part is a suite, a task, or a name that
// nothing else in the program has, and no suite lies in itself.
func TestSuites(t *testing.T) {
	for _, s := range Suites() {
		if _, err := LookupTask(s.Name); err == nil {
			t.Errorf("%s is a task and a suite", s.Name)
		}
		if len(s.Parts) == 0 || s.Average == Larger && len(s.Parts) < 2 {
			t.Errorf("%s has the parts %v", s.Name, s.Parts)
		}
		if all, _ := s.Below(); slices.Index(all, s) != len(all)-1 {
			t.Errorf("%s lies in itself", s.Name)
		}
	}
	names := map[string]bool{}
	for _, task := range Tasks() {
		if names[task.Name] || strings.Contains(task.Name, ",") {
			t.Errorf("the task %s is there twice, or its name has a comma", task.Name)
		}
		names[task.Name] = true
	}
}
