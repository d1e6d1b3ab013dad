package quickstart

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"olmo/page"
)

//go:embed report.html.tmpl
var reportText string

var reportPage = page.MustParse(reportText, template.FuncMap{
	"inWords":   func(n int64) string { return inWords(float64(n)) },
	"bytes":     bytesInWords,
	"documents": documentsInWords,
	"duration":  duration,
	"share":     func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) },
	"bits":      func(x float64) string { return fmt.Sprintf("%.3f", x) },
	// The template calls no methods: what finds them by name would keep every method in the program.
	"aboutRewards": (*Chat).AboutRewards,
	"chatStages":   (*Chat).Stages,
	"verifiers":    (*Chat).VerifierNames,
	"cost":         (*Chat).Cost,
	"short":        func(digest string) string { return digest[:min(len(digest), 16)] },
	"trim": func(text string) string {
		return blankLines().ReplaceAllString(strings.TrimRight(text, " \n\t"), "\n⋮\n")
	},
})

// blankLines are several of them, which the page shows as a sign: models that have learned
// little write dozens.
var blankLines = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\n(?:[ \t]*\n){2,}`)
})

// html writes the report as one page that needs nothing else: no script, no
// font, no file from anywhere.
func (r *Report) html() ([]byte, error) {
	longest := 0.0
	for _, s := range r.Stages {
		longest = max(longest, s.Seconds)
	}
	funnel := ""
	if r.hasFunnel {
		funnel = funnelPage
	}
	bars, most := barsOf(r.comparisons())
	return reportPage.Bytes(map[string]any{
		"R":            r,
		"Headline":     r.headline(),
		"Facts":        r.facts(),
		"Funnel":       r.removals(),
		"FunnelPage":   funnel,
		"Samples":      r.orderedSamples(),
		"Bars":         bars,
		"MostBits":     most,
		"LongestStage": longest,
		"Loss":         lossChart(r.Curve, r.HeldOutCurve),
		"Rate":         rateChart(r.Curve),
		"BarNotes":     barNotes(r.comparisons()),
	})
}

// bar is a row of the chart of bits per byte.
type bar struct {
	Name             string
	Bits             float64
	Measured         bool // Bits is a figure
	Model, Elsewhere bool
}

// barsOf are the rows and the largest figure of them.
func barsOf(comparisons []comparison) (bars []bar, most float64) {
	for _, c := range comparisons {
		b := bar{Name: c.name, Measured: c.bits != nil, Model: c.model, Elsewhere: c.note != ""}
		if b.Measured {
			b.Bits = *c.bits
			most = max(most, b.Bits)
		}
		bars = append(bars, b)
	}
	return bars, most
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

// lossChart shows the loss of every step and its running mean, and that on held-out text.
func lossChart(points []CurvePoint, heldOut []LossPoint) page.Chart {
	c := page.Chart{Title: "Loss", Unit: "nats a token", X: "step", Height: 280}
	if len(points) == 0 {
		return c
	}
	steps, raw := make([]float64, len(points)), make([]float64, len(points))
	for i, p := range points {
		steps[i], raw[i] = float64(p.Step), p.Loss
	}
	c.Lines = []page.Line{{X: steps, Y: raw, Faint: true}, {Name: "running mean", X: steps, Y: smoothed(points)}}
	if len(heldOut) > 0 {
		line := page.Line{Name: "held-out text", Slot: 1, Dots: true}
		for _, p := range heldOut {
			line.X, line.Y = append(line.X, float64(p.Step)), append(line.Y, p.Loss)
		}
		c.Lines = append(c.Lines, line)
	}
	return c
}

// rateChart shows the learning rate.
func rateChart(points []CurvePoint) page.Chart {
	c := page.Chart{Title: "Learning rate", X: "step", Height: 110, Zero: true}
	line := page.Line{}
	for _, p := range points {
		line.X, line.Y = append(line.X, float64(p.Step)), append(line.Y, p.LearningRate)
	}
	c.Lines = []page.Line{line}
	return c
}
