package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"olmo/data/dedupe"
	"olmo/eval"
	"olmo/eval/record"
	"olmo/eval/stats"
)

// Contamination is a run's figures on the questions that the training corpus holds some of, beside
// those on the others.
type Contamination struct {
	Model string             `json:"model"`
	Rows  []ContaminationRow `json:"rows"`
	// LeftOut says what is not compared, and why.
	LeftOut []string `json:"left_out,omitempty"`
}

// ContaminationRow is a figure on both parts of a task.
type ContaminationRow struct {
	Task        string `json:"task"`
	Filter      string `json:"filter"`
	Metric      string `json:"metric"`
	Clean       Part   `json:"clean"`
	Overlapping Part   `json:"overlapping"`
	// Delta is overlapping − clean, with a 95 % interval (Welch's) where both parts have two
	// documents; Test is "fisher" for figures of right and wrong, else "welch".
	Delta     float64         `json:"delta"`
	CI        *stats.Interval `json:"ci"`
	Test      string          `json:"test"`
	P         *float64        `json:"p_value"`
	PAdjusted *float64        `json:"p_adjusted"` // Holm's, over all rows
	Lower     bool            `json:"lower_is_better,omitempty"`
}

// Part is a figure of some of a task's documents.
type Part struct {
	N      int      `json:"n"`
	Value  float64  `json:"value"`
	StdErr *float64 `json:"stderr"`
}

// ReadReport reads contamination.json of `olmo data decontaminate --report`.
func ReadReport(r io.Reader) (*dedupe.Contamination, error) {
	report := &dedupe.Contamination{}
	if err := json.NewDecoder(r).Decode(report); err != nil {
		return nil, err
	}
	if report.NGrams == 0 || len(report.Tasks) == 0 {
		return nil, fmt.Errorf("it says nothing of tasks: it is no report of 'olmo data decontaminate'")
	}
	return report, nil
}

// NewContamination divides the documents of a run's tasks by a report. Instances of the report are
// found again by the data set's own names for them, else by their numbers: those of requests in a
// file of requests, of lines in a file of rows.
func NewContamination(run *record.Run, report *dedupe.Contamination) (*Contamination, error) {
	c := &Contamination{Model: run.Model, Rows: []ContaminationRow{}}
	divided := 0
	for _, name := range run.Tasks() {
		t, err := run.Task(name)
		if err != nil {
			return nil, err
		}
		of := instancesOf(report, t)
		if of == nil {
			c.LeftOut = append(c.LeftOut, fmt.Sprintf("task %s is not in the report, which has %s", name, taskNames(report)))
			continue
		}
		found, unknown := of.find(t)
		if unknown > 0 && unknown == len(of.found) && len(t.Documents) >= of.instances {
			return nil, fmt.Errorf("task %s: none of the report's %d instances of %s is among its documents\nhint: the report is of other data; give the run's requests-*.jsonl to 'olmo data decontaminate'", name, unknown, of.task)
		}
		if unknown > 0 {
			c.LeftOut = append(c.LeftOut, fmt.Sprintf("task %s: %d of the report's %d instances are not among its documents", name, unknown, len(of.found)))
		}
		divided++
		if n := len(t.Documents); !slices.Contains(found, true) || !slices.Contains(found, false) {
			overlapping := n
			if !found[0] {
				overlapping = 0
			}
			c.LeftOut = append(c.LeftOut, fmt.Sprintf("task %s: %d of its %d documents overlap with the corpus: there is nothing to compare", name, overlapping, n))
			continue
		}
		c.add(t, found)
	}
	if divided == 0 {
		return nil, fmt.Errorf("the report has no task of %s: %s", run.Path, strings.Join(c.LeftOut, "; "))
	}
	for i, p := range holm(len(c.Rows), func(i int) *float64 { return c.Rows[i].P }) {
		c.Rows[i].PAdjusted = p
	}
	return c, nil
}

func taskNames(report *dedupe.Contamination) string {
	var names []string
	for _, t := range report.Tasks {
		names = append(names, t.Task)
	}
	return strings.Join(names, ", ")
}

// instances are what a report found of a task.
type instances struct {
	task      string
	instances int             // that were looked for
	found     map[string]bool // names and numbers
	requests  bool            // they are of a file of requests
}

// instancesOf returns what the report says of a task; nil where it says nothing.
func instancesOf(report *dedupe.Contamination, t *record.Task) *instances {
	requests := strings.TrimSuffix(eval.RequestsFile(t.Name), ".jsonl")
	for _, x := range report.Tasks {
		if x.Task != t.Name && x.Task != requests && !slices.Contains(t.Data, x.Task) {
			continue
		}
		of := &instances{task: x.Task, instances: x.Instances, found: map[string]bool{}, requests: x.Task == requests}
		for _, m := range report.Matches {
			if m.Task == x.Task {
				of.found[m.Instance] = true
			}
		}
		return of
	}
	return nil
}

// find says of each document whether it was found; unknown counts instances that are none.
func (of *instances) find(t *record.Task) (found []bool, unknown int) {
	left := len(of.found)
	for _, d := range t.Documents {
		name := d.ID
		if name == "" {
			name = strconv.Itoa(d.Index + 1)
			if of.requests {
				name = strconv.Itoa(d.Index)
			}
		}
		if of.found[name] {
			left--
		}
		found = append(found, of.found[name])
	}
	return found, max(left, 0)
}

// add makes a task's rows.
func (c *Contamination) add(t *record.Task, found []bool) {
	for _, name := range t.Figures() {
		var parts [2][]any
		for i, d := range t.Documents {
			if v := d.Values[name]; v != nil {
				parts[int(is(found[i]))] = append(parts[int(is(found[i]))], v)
			}
		}
		f, ok := figureOf(name, append(slices.Clone(parts[0]), parts[1]...))
		switch {
		case !ok:
			c.LeftOut = append(c.LeftOut, fmt.Sprintf("%s: %s: %v", t.Name, name, errUnknownFigure))
			continue
		case len(parts[0]) == 0 || len(parts[1]) == 0:
			c.LeftOut = append(c.LeftOut, fmt.Sprintf("%s: %s: only %d clean and %d overlapping documents have a value", t.Name, name, len(parts[0]), len(parts[1])))
			continue
		}
		r := ContaminationRow{Task: t.Name, Lower: t.Lower(name), Test: "welch"}
		r.Metric, r.Filter, _ = strings.Cut(name, ",")
		var shares [2][]float64
		r.Clean, shares[0] = f.part(parts[0])
		r.Overlapping, shares[1] = f.part(parts[1])
		r.Delta = r.Overlapping.Value - r.Clean.Value
		_, e, freedom, p := stats.Welch(shares[0], shares[1])
		if p == p {
			r.P = &p
			if e > 0 {
				ci := stats.Around(r.Delta, e, stats.T95(freedom))
				r.CI = &ci
			}
		}
		if f.mean && binary(shares[0]) && binary(shares[1]) {
			a, b := rights(shares[0]), rights(shares[1])
			exact := stats.Fisher(a, len(shares[0])-a, b, len(shares[1])-b)
			r.Test, r.P = "fisher", &exact
		}
		c.Rows = append(c.Rows, r)
	}
}

// part is the figure of some values, and the numbers in whose mean the documents have their part.
func (f *figure) part(values []any) (Part, []float64) {
	terms, sums := f.sums(values)
	p := Part{N: len(values), Value: f.at(sums)}
	shares := f.pseudo(terms, sums, len(values))
	if e := stats.StdErr(shares); e == e && !math.IsInf(e, 0) {
		p.StdErr = &e
	}
	return p, shares
}

func binary(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return v != 0 && v != 1 })
}

func rights(x []float64) (n int) {
	for _, v := range x {
		n += int(v)
	}
	return n
}
