package compare

import (
	_ "embed"
	"encoding/csv"
	"io"
	"math"
	"strconv"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"olmo/eval/record"
	"olmo/eval/stats"
	"olmo/page"
)

// Curve is the figures of a model over the steps of its training.
type Curve struct {
	Steps   []int      `json:"steps"`
	Rows    []CurveRow `json:"rows"`
	LeftOut []string   `json:"left_out,omitempty"`
}

// CurveRow is a figure over the steps.
type CurveRow struct {
	MatrixRow
	// Gain is the mean of the last checkpoints less the first one, in the figure's own direction:
	// above 0 is better. Noise is the standard deviation of the last ones, Signal |Gain| / Noise. Last is how
	// many they are; with fewer than 3 checkpoints there is no noise to measure.
	Gain   *float64 `json:"gain"`
	Noise  *float64 `json:"noise"`
	Signal *float64 `json:"signal_to_noise"`
	Last   int      `json:"last"`
}

// lastCheckpoints are those whose spread is noise: late in a run a model changes little from one to
// the next (Heineman et al. 2025, Signal and Noise, take the last ones of a run likewise). Of few
// checkpoints it is half.
const lastCheckpoints = 5

// NewCurve puts the runs of a model's checkpoints in a row; steps are theirs, ascending.
func NewCurve(runs []*record.Run, steps []int) (*Curve, error) {
	m, err := NewMatrix(runs, 0)
	if err != nil {
		return nil, err
	}
	c := &Curve{Steps: steps, LeftOut: m.LeftOut}
	for _, r := range m.Rows {
		row := CurveRow{MatrixRow: r}
		row.judge()
		c.Rows = append(c.Rows, row)
	}
	return c, nil
}

func (r *CurveRow) judge() {
	var values []float64
	for _, cell := range r.Cells {
		if cell != nil {
			values = append(values, cell.Value)
		}
	}
	if len(values) < 3 {
		return
	}
	r.Last = max(2, min(lastCheckpoints, len(values)/2))
	last := values[len(values)-r.Last:]
	gain, noise := stats.Mean(last)-values[0], stats.Deviation(last)
	if r.Lower {
		gain = -gain
	}
	r.Gain, r.Noise = &gain, &noise
	if s := math.Abs(gain) / noise; noise > 0 && !math.IsInf(s, 0) {
		r.Signal = &s
	}
}

// Verdict says whether the figure can judge this run.
func (r CurveRow) Verdict() string {
	switch {
	case r.Gain == nil:
		return "too few checkpoints"
	case *r.Gain <= 0:
		return "no gain"
	case r.Signal == nil || *r.Signal >= 2:
		return "tells"
	}
	return "within the noise"
}

// WriteCSV writes a line for each figure and step.
func (c *Curve) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	if err := out.Write([]string{"task", "metric", "filter", "quoted", "step", "n", "value", "stderr"}); err != nil {
		return err
	}
	for _, r := range c.Rows {
		for i, cell := range r.Cells {
			if cell == nil {
				continue
			}
			stderr := ""
			if cell.StdErr != nil {
				stderr = number(*cell.StdErr)
			}
			if err := out.Write([]string{r.Task, r.Metric, r.Filter, strconv.FormatBool(r.Quoted), strconv.Itoa(c.Steps[i]), strconv.Itoa(cell.N), number(cell.Value), stderr}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

//go:embed curve.html.tmpl
var curveText string

var curvePage = page.MustParse(curveText, template.FuncMap{"figure": pageFigure, "verdict": CurveRow.Verdict, "name": CurveRow.Figure})

// pageFigure is a number as a table has it, a dash for none.
func pageFigure(x *float64) string {
	if x == nil {
		return "–"
	}
	return strconv.FormatFloat(*x, 'g', 4, 64)
}

// WriteHTML writes a page that needs no network: a chart for each task's own figure, and a table.
func (c *Curve) WriteHTML(w io.Writer) error {
	v := struct {
		*Curve
		Charts []page.Chart
	}{Curve: c}
	for _, r := range c.Rows {
		if !r.Quoted {
			continue
		}
		line := page.Line{Name: r.Figure()}
		for i, cell := range r.Cells {
			if cell != nil {
				line.X, line.Y = append(line.X, float64(c.Steps[i])), append(line.Y, cell.Value)
			}
		}
		chart := page.Chart{Title: r.Task, Unit: r.Figure(), X: "step", Height: 160, Lines: []page.Line{line}}
		if r.Chance > 0 {
			first, last := float64(c.Steps[0]), float64(c.Steps[len(c.Steps)-1])
			chart.Lines = append(chart.Lines, page.Line{Name: "by chance", Slot: 1, X: []float64{first, last}, Y: []float64{r.Chance, r.Chance}})
		}
		v.Charts = append(v.Charts, chart)
	}
	return curvePage.Write(w, v)
}
