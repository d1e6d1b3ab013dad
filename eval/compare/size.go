package compare

import (
	"fmt"
	"slices"
	"strings"

	"olmo/page"
)

// SizeChart is a figure over the models' sizes. Its front are the models that none of their size or
// less is better than.
type SizeChart struct {
	Chart page.Chart
	Front []string // labels, the smallest model first
}

// sized is a model with its size and a figure.
type sized struct {
	run               int
	parameters, value float64
}

// SetSize says how many parameters the models of a name have: a label, a model's name or a path.
func (m *Matrix) SetSize(name string, parameters int64) error {
	found := false
	for i, label := range m.Labels() {
		if r := &m.Runs[i]; label == name || r.Model == name || r.Path == name {
			r.Parameters, found = parameters, true
		}
	}
	if !found {
		return fmt.Errorf("no run is called %q\nhint: there are %s", name, strings.Join(m.Labels(), ", "))
	}
	return nil
}

// Sizes are the charts of the figures that tasks are quoted with, that of their mean first. There are
// none where fewer than two runs say how large their model is, or runs were asked other documents.
func (m *Matrix) Sizes() (out []SizeChart) {
	var rows []MatrixRow
	for _, r := range m.Rows {
		if r.Quoted && !slices.Contains(r.Apart, otherDocuments) {
			rows = append(rows, r)
		}
	}
	if mean, ok := m.mean(rows); ok {
		out = append(out, m.sizeChart("mean of the tasks", "", mean, false))
	}
	for _, r := range rows {
		var models []sized
		for i, c := range r.Cells {
			if n := m.Runs[i].Parameters; n > 0 && c != nil {
				models = append(models, sized{i, float64(n), c.Value})
			}
		}
		if len(models) > 1 {
			unit := r.Figure()
			if r.Lower {
				unit += ", less is better"
			}
			out = append(out, m.sizeChart(r.Task, unit, models, r.Lower))
		}
	}
	return out
}

// mean is that of several tasks, of the models that have them all. Figures that are no shares have
// none in common.
func (m *Matrix) mean(rows []MatrixRow) (models []sized, ok bool) {
	for i, n := range m.Runs {
		var sum float64
		all := n.Parameters > 0
		for _, r := range rows {
			c := r.Cells[i]
			if c == nil {
				all = false
				continue
			}
			if r.Lower || c.Value < 0 || c.Value > 1 {
				return nil, false
			}
			sum += c.Value
		}
		if all {
			models = append(models, sized{i, float64(n.Parameters), sum / float64(len(rows))})
		}
	}
	return models, len(rows) > 1 && len(models) > 1
}

func (m *Matrix) sizeChart(title, unit string, models []sized, lower bool) SizeChart {
	labels := m.Labels()
	out := SizeChart{Chart: page.Chart{Title: title, Unit: unit, X: "parameters", Log: true}}
	line := page.Line{Faint: true}
	for _, x := range front(models, lower) {
		out.Front = append(out.Front, labels[x.run])
		line.X, line.Y = append(line.X, x.parameters), append(line.Y, x.value)
	}
	for _, x := range models {
		out.Chart.Lines = append(out.Chart.Lines, page.Line{Name: labels[x.run], Slot: x.run % page.Colours, Dots: true, X: []float64{x.parameters}, Y: []float64{x.value}})
	}
	out.Chart.Lines = append(out.Chart.Lines, line)
	return out
}

// front are the models that none of their size or less is better than, the smallest first; of equals
// the first.
func front(models []sized, lower bool) (out []sized) {
	better := func(a, b float64) bool { return a != b && (a > b) != lower }
	sorted := slices.Clone(models)
	slices.SortStableFunc(sorted, func(a, b sized) int {
		switch {
		case a.parameters < b.parameters || a.parameters == b.parameters && better(a.value, b.value):
			return -1
		case a.parameters > b.parameters || better(b.value, a.value):
			return 1
		}
		return 0
	})
	for _, x := range sorted {
		if n := len(out); n == 0 || better(x.value, out[n-1].value) {
			out = append(out, x)
		}
	}
	return out
}
