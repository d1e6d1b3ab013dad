package quickstart

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

//go:embed report.html.tmpl
var reportPage string

// html writes the report as one page that needs nothing else: no script, no
// font, no file from anywhere.
func (r *Report) html() ([]byte, error) {
	page, err := template.New("report").Funcs(template.FuncMap{
		"inWords":  func(n int64) string { return inWords(float64(n)) },
		"bytes":    bytesInWords,
		"grouped":  grouped,
		"count":    func(n int) string { return grouped(int64(n)) },
		"duration": duration,
		"percent":  func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) },
		"bits":     func(x float64) string { return fmt.Sprintf("%.3f", x) },
		"short":    func(digest string) string { return digest[:min(len(digest), 16)] },
		"trim":     func(text string) string { return strings.TrimRight(text, " \n\t") },
		"share":    share,
		"part":     func(part, whole int64) string { return share(float64(part), float64(whole)) },
	}).Parse(reportPage)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{
		"R":        r,
		"Headline": r.headline(),
		"Facts":    r.facts(),
		"Funnel":   r.removals(),
		"Samples":  r.orderedSamples(),
		"Bars":     template.HTML(barChart(r.comparisons())),
		"Loss":     template.HTML(lossChart(r.Curve)),
		"Rate":     template.HTML(rateChart(r.Curve)),
		"BarNotes": barNotes(r.comparisons()),
	})
	return b.Bytes(), err
}

// share is the length of a meter, in percent as CSS has it.
func share(part, whole float64) string {
	return fmt.Sprintf("%.2f%%", 100*min(part/max(whole, 1e-9), 1))
}

// barNotes are the remarks below the chart of bits per byte.
func barNotes(bars []comparison) []string {
	var notes []string
	for _, b := range bars {
		if b.note != "" {
			notes = append(notes, b.name+": "+b.note)
		}
	}
	return notes
}

// barChart draws the bits per byte, a bar each, as SVG.
func barChart(bars []comparison) string {
	const width, left, right, row = 720.0, 110.0, 70.0, 34.0
	most := 0.0
	for _, b := range bars {
		if b.bits != nil {
			most = max(most, *b.bits)
		}
	}
	var s strings.Builder
	height := row*float64(len(bars)) + 4
	fmt.Fprintf(&s, `<svg viewBox="0 0 %g %g" role="img" aria-label="Bits per byte of the model and the compressors">`, width, height)
	for i, b := range bars {
		y := row * float64(i)
		class := "bar"
		if b.model {
			class = "bar model"
		}
		if b.note != "" {
			class = "bar elsewhere"
		}
		fmt.Fprintf(&s, `<text class="name" x="%g" y="%g" text-anchor="end">%s</text>`, left-10, y+22, template.HTMLEscapeString(b.name))
		if b.bits == nil {
			fmt.Fprintf(&s, `<text class="value" x="%g" y="%g">–</text>`, left+2, y+22)
			continue
		}
		length := (width - left - right) * *b.bits / max(most, 1e-9)
		fmt.Fprintf(&s, `<rect class="%s" x="%g" y="%g" width="%.1f" height="22" rx="3"/>`, class, left, y+6, max(length, 1))
		fmt.Fprintf(&s, `<text class="value" x="%.1f" y="%g">%.3f</text>`, left+length+8, y+22, *b.bits)
	}
	s.WriteString("</svg>")
	return s.String()
}

// The plot area of the line charts, in the units of their viewBox.
const (
	plotWidth, plotLeft, plotRight = 720.0, 52.0, 12.0
	plotTop, plotBottom            = 10.0, 26.0
)

// axes maps values to places in a chart and draws the grid.
type axes struct {
	x0, x1, y0, y1 float64 // range of the values
	height         float64
}

func (a axes) x(v float64) float64 {
	return plotLeft + (plotWidth-plotLeft-plotRight)*(v-a.x0)/max(a.x1-a.x0, 1e-12)
}

func (a axes) y(v float64) float64 {
	return a.height - plotBottom - (a.height-plotTop-plotBottom)*(v-a.y0)/max(a.y1-a.y0, 1e-12)
}

// grid opens the SVG and draws lines with their labels at round values.
func (a axes) grid(s *strings.Builder, label string, yLabels func(float64) string) {
	fmt.Fprintf(s, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, a.height, template.HTMLEscapeString(label))
	for _, v := range roundValues(a.y0, a.y1, 5) {
		fmt.Fprintf(s, `<path class="grid" d="M%g %.1fH%g"/><text class="tick" x="%g" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, a.y(v), plotWidth-plotRight, plotLeft-8, a.y(v)+4, yLabels(v))
	}
	values := roundValues(a.x0, a.x1, 8)
	for i, v := range values {
		text := grouped(int64(v))
		if i == len(values)-1 {
			text = "step " + text
		}
		fmt.Fprintf(s, `<text class="tick" x="%.1f" y="%g" text-anchor="middle">%s</text>`, min(a.x(v), plotWidth-plotRight-24), a.height-8, text)
	}
}

// roundValues are at most n+1 multiples of 1, 2 or 5 times a power of ten
// between low and high.
func roundValues(low, high float64, n int) []float64 {
	if !(high > low) {
		return []float64{low}
	}
	raw := (high - low) / float64(n)
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{2, 2.5, 2} { // 2, 5, 10
		if step < raw*(1-1e-9) {
			step *= factor
		}
	}
	var values []float64
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		values = append(values, i*step+0) // −0 + 0 is 0
	}
	return values
}

// line draws values over the steps of points, at most one point a pixel.
func (a axes) line(s *strings.Builder, class string, points []CurvePoint, values []float64) {
	every := max(1, (len(points)+699)/700)
	fmt.Fprintf(s, `<path class="%s" d="`, class)
	for i, p := range points {
		if i%every != 0 && i != len(points)-1 {
			continue
		}
		command := 'L'
		if i == 0 {
			command = 'M'
		}
		fmt.Fprintf(s, "%c%.1f %.1f", command, a.x(float64(p.Step)), a.y(min(max(values[i], a.y0), a.y1)))
	}
	s.WriteString(`"/>`)
}

// lossChart draws the loss of every step and its running mean.
func lossChart(points []CurvePoint) string {
	if len(points) == 0 {
		return ""
	}
	raw := make([]float64, len(points))
	for i, p := range points {
		raw[i] = p.Loss
	}
	mean := smoothed(points)
	low := min(slices.Min(raw), slices.Min(mean))
	high := max(slices.Max(raw), slices.Max(mean))
	pad := 0.03 * max(high-low, 0.1)
	a := axes{float64(points[0].Step), float64(points[len(points)-1].Step), max(low-pad, 0), high + pad, 300}
	var s strings.Builder
	a.grid(&s, "Loss of every step", func(v float64) string { return fmt.Sprintf("%.3g", v) })
	a.line(&s, "raw", points, raw)
	a.line(&s, "mean", points, mean)
	s.WriteString("</svg>")
	return s.String()
}

// rateChart draws the learning rate.
func rateChart(points []CurvePoint) string {
	if len(points) == 0 {
		return ""
	}
	rates := make([]float64, len(points))
	for i, p := range points {
		rates[i] = p.LearningRate
	}
	a := axes{float64(points[0].Step), float64(points[len(points)-1].Step), 0, 1.05 * max(slices.Max(rates), 1e-12), 130}
	var s strings.Builder
	a.grid(&s, "Learning rate of every step", func(v float64) string { return fmt.Sprintf("%.2g", v) })
	a.line(&s, "mean", points, rates)
	s.WriteString("</svg>")
	return s.String()
}
