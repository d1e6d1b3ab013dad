package compare

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"olmo/eval/record"
	"olmo/eval/stats"
	"olmo/numeric"
)

// Matrix is runs side by side: a row for each figure of a task, a cell for each run.
type Matrix struct {
	Runs    []Name      `json:"runs"`
	Rows    []MatrixRow `json:"rows"`
	Details []*TaskPage `json:"-"` // of tasks, for a page
	LeftOut []string    `json:"left_out,omitempty"`
}

// MatrixRow is a figure of a task.
type MatrixRow struct {
	Task   string  `json:"task"`
	Filter string  `json:"filter"`
	Metric string  `json:"metric"`
	Quoted bool    `json:"quoted"` // the figure that the task is quoted with
	Lower  bool    `json:"lower_is_better,omitempty"`
	Chance float64 `json:"chance,omitempty"` // of a share
	Cells  []*Cell `json:"cells"`            // one for each run; nil where it does not have the figure
	// Apart says why cells cannot be held against each other: other documents, prompts, or
	// conventions.
	Apart []string `json:"apart,omitempty"`
}

// Cell is a run's figure.
type Cell struct {
	N        int             `json:"n"`
	Value    float64         `json:"value"`
	StdErr   *float64        `json:"stderr"`
	Interval *stats.Interval `json:"ci"` // 95 %: Wilson's for shares
	// Best marks the best figure of the row, and those that no test tells from it: 5 %, by Holm
	// over the row, of pairs of the same documents.
	Best bool `json:"best"`
}

// NewMatrix puts runs side by side. With details it keeps up to so many documents of each task
// on which the runs differ.
func NewMatrix(runs []*record.Run, details int) (*Matrix, error) {
	m := &Matrix{}
	var names []string
	for _, r := range runs {
		m.Runs = append(m.Runs, nameOf(r))
		for _, task := range r.Tasks() {
			if !slices.Contains(names, task) {
				names = append(names, task)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		tasks := make([]*record.Task, len(runs))
		for i, r := range runs {
			if !r.Has(name) {
				continue
			}
			var err error
			if tasks[i], err = r.Task(name); err != nil {
				return nil, err
			}
		}
		m.add(name, tasks, details)
	}
	if len(m.Rows) == 0 {
		return nil, fmt.Errorf("there is no figure to compare: %s", strings.Join(m.LeftOut, "; "))
	}
	return m, nil
}

// Labels are the runs' names in words: their models', with what tells those of one name apart.
func (m *Matrix) Labels() []string {
	short := func(n Name) string {
		if filepath.IsAbs(n.Model) {
			return filepath.Base(n.Model)
		}
		return n.Model
	}
	var out []string
	for i, n := range m.Runs {
		label := short(n)
		if slices.ContainsFunc(m.Runs, func(o Name) bool { return o.Path != n.Path && short(o) == label }) {
			label += " (" + n.Path + ")"
		}
		if slices.Contains(out, label) {
			label += fmt.Sprintf(" [%d]", i+1)
		}
		out = append(out, label)
	}
	return out
}

// add makes the rows of a task; those that lack it are nil.
func (m *Matrix) add(name string, tasks []*record.Task, details int) {
	var figures []string
	for _, t := range tasks {
		if t == nil {
			continue
		}
		for _, figure := range t.Figures() {
			if !slices.Contains(figures, figure) {
				figures = append(figures, figure)
			}
		}
	}
	quoted, chance := quotedFigure(tasks)
	// The one that is quoted comes first.
	slices.SortFunc(figures, func(a, b string) int {
		if (a == quoted) != (b == quoted) {
			return int(is(b == quoted)) - int(is(a == quoted))
		}
		return strings.Compare(a, b)
	})
	apart := apart(tasks)
	for _, figure := range figures {
		row := MatrixRow{Task: name, Quoted: figure == quoted, Cells: make([]*Cell, len(tasks)), Apart: apart}
		row.Metric, row.Filter, _ = strings.Cut(figure, ",")
		share := true
		why := errNoValues
		for i, t := range tasks {
			if t == nil {
				continue
			}
			row.Lower = row.Lower || t.Lower(figure)
			cell, isShare, err := newCell(t, figure)
			if err != nil {
				why = err
				continue
			}
			row.Cells[i], share = cell, share && (isShare || cell == nil)
		}
		if !slices.ContainsFunc(row.Cells, func(c *Cell) bool { return c != nil }) {
			m.LeftOut = append(m.LeftOut, fmt.Sprintf("%s: %s: %v", name, figure, why))
			continue
		}
		if share {
			row.Chance = chance
		}
		row.mark(tasks, figure)
		m.Rows = append(m.Rows, row)
	}
	if details > 0 && quoted != "" {
		m.Details = append(m.Details, newTaskPage(name, quoted, tasks, details))
	}
}

// quotedFigure is what the first run that says so quotes the task with, else what the first run's
// figures suggest; chance is what a run says of guessing.
func quotedFigure(tasks []*record.Task) (figure string, chance float64) {
	known := false
	for _, t := range tasks {
		if t == nil {
			continue
		}
		chance = max(chance, t.Chance())
		if name, said := t.Quoted(); figure == "" || said && !known {
			figure, known = name, said
		}
	}
	return figure, chance
}

var errNoValues = errors.New("no document has a value of it")

const otherDocuments = "other documents"

// apart says what keeps the runs of a task from being held against each other.
func apart(tasks []*record.Task) (out []string) {
	var first *record.Task
	say := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, t := range tasks {
		switch {
		case t == nil:
			continue
		case first == nil:
			first = t
			continue
		}
		both, a, b := pairs(first, t)
		if a+b > 0 {
			say(otherDocuments)
		}
		if slices.ContainsFunc(both, func(p pair) bool { return !samePrompt(p.a, p.b) }) {
			say("other prompts")
		}
		if first.Boundary != t.Boundary && first.Boundary != "" && t.Boundary != "" {
			say("encoded apart and together")
		}
	}
	return out
}

// newCell computes a run's figure; nil where it has no values of it.
func newCell(t *record.Task, name string) (c *Cell, share bool, err error) {
	var values []any
	for i := range t.Documents {
		if v := t.Documents[i].Values[name]; v != nil {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return nil, false, nil
	}
	f, ok := figureOf(name, values)
	if !ok {
		return nil, false, errUnknownFigure
	}
	terms, sums := f.sums(values)
	n := len(values)
	c = &Cell{N: n, Value: f.at(sums)}
	if math.IsNaN(c.Value) || math.IsInf(c.Value, 0) {
		return nil, false, fmt.Errorf("the figure is %g", c.Value)
	}
	share = f.mean
	for i := 0; share && i < n; i++ {
		share = terms[2*i] == 0 || terms[2*i] == 1
	}
	if n > 1 {
		if e := stats.StdErr(f.pseudo(terms, sums, n)); !math.IsNaN(e) && !math.IsInf(e, 0) {
			i := stats.Around(c.Value, e, stats.T95(float64(n-1)))
			if f.power { // that of the exponent
				i = stats.Around(numeric.Log(c.Value), e/c.Value, stats.T95(float64(n-1)))
				i[0], i[1] = numeric.Exp(i[0]), numeric.Exp(i[1])
			}
			c.StdErr, c.Interval = &e, &i
		}
	}
	if share {
		i := stats.Wilson(c.Value, float64(n))
		c.Interval = &i
	}
	return c, share, nil
}

// mark finds the best cell, and those that are as good as far as one can tell.
func (r *MatrixRow) mark(tasks []*record.Task, figure string) {
	best := -1
	for i, c := range r.Cells {
		if c != nil && (best < 0 || c.Value != r.Cells[best].Value && (c.Value > r.Cells[best].Value) != r.Lower) {
			best = i
		}
	}
	if slices.Contains(r.Apart, otherDocuments) {
		return // figures of other things: none of them is the best
	}
	var others []int
	var p []float64
	for i, c := range r.Cells {
		if i == best || c == nil {
			continue
		}
		both, _, _ := pairs(tasks[best], tasks[i])
		others = append(others, i)
		p = append(p, math.NaN())
		if row, err := newRow(both, figure, 0, 0); err == nil && row.P != nil {
			p[len(p)-1] = *row.P
		}
	}
	r.Cells[best].Best = true
	for k, adjusted := range stats.Holm(p) {
		r.Cells[others[k]].Best = !(adjusted < 0.05)
	}
}

// WriteCSV writes a line for each cell.
func (m *Matrix) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	if err := out.Write([]string{"task", "metric", "filter", "quoted", "model", "path", "n", "value", "stderr", "ci_low", "ci_high", "best", "chance", "parameters"}); err != nil {
		return err
	}
	for _, r := range m.Rows {
		for i, c := range r.Cells {
			if c == nil {
				continue
			}
			line := []string{r.Task, r.Metric, r.Filter, strconv.FormatBool(r.Quoted), m.Runs[i].Model, m.Runs[i].Path, strconv.Itoa(c.N), number(c.Value), "", "", "", strconv.FormatBool(c.Best), "", ""}
			if c.StdErr != nil {
				line[8] = number(*c.StdErr)
			}
			if c.Interval != nil {
				line[9], line[10] = number(c.Interval[0]), number(c.Interval[1])
			}
			if r.Chance > 0 {
				line[12] = number(r.Chance)
			}
			if n := m.Runs[i].Parameters; n > 0 {
				line[13] = strconv.FormatInt(n, 10)
			}
			if err := out.Write(line); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}
