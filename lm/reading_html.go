package lm

import (
	_ "embed"
	"fmt"
	"io"
	"math"
	"strings"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"olmo/page"
)

//go:embed reading.html.tmpl
var readingText string

var readingPage = page.MustParse(readingText, template.FuncMap{
	"visible": visible,
	"class":   surprise,
	"nats":    func(x float64) string { return fmt.Sprintf("%.2f", x) },
	"bits":    func(x float64) string { return fmt.Sprintf("%.3f", x) },
	"chance":  chance,
	"likely":  func(nats float64) string { return chance(math.Exp(-nats)) },
	"next":    func(i int) int { return i + 1 },
	"breaks":  func(s string) bool { return strings.Contains(s, "\n") },
})

// WriteHTML writes the reading as a page that needs no other file: the text, each token
// coloured by its surprise, with what was expected in its place.
func (r *Reading) WriteHTML(w io.Writer) error {
	perToken, first := 0.0, 0
	for _, t := range r.Tokens {
		if t.Rank == 0 {
			first++
		}
	}
	if n := len(r.Tokens); n > 0 {
		perToken = r.Nats() / float64(n)
	}
	bits := "–"
	if b := r.BitsPerByte(); !math.IsNaN(b) {
		bits = fmt.Sprintf("%.3f", b)
	}
	return readingPage.Write(w, map[string]any{"R": r, "Bits": bits, "PerToken": perToken, "First": first, "Scale": surprises})
}

// surprises are the upper ends of the classes of colour, in nats; what is above the last
// has a class of its own. A nat less is a probability 2.7 times as high.
var surprises = []float64{0.1, 0.5, 1, 2, 3, 5, 8}

// surprise is the class of a number of nats.
func surprise(nats float64) int {
	for i, end := range surprises {
		if nats <= end {
			return i
		}
	}
	return len(surprises)
}

// visible writes a token so that its spaces and line ends are seen.
func visible(s string) string {
	if s == "" {
		return "a piece of a character"
	}
	return strings.NewReplacer(" ", "␣", "\n", "↵", "\t", "⇥", "\r", "␍").Replace(s)
}

// chance writes a probability as a percentage.
func chance(p float64) string {
	switch {
	case p >= 0.0995:
		return fmt.Sprintf("%.0f %%", 100*p)
	case p >= 0.001:
		return fmt.Sprintf("%.1f %%", 100*p)
	}
	return fmt.Sprintf("1 in %s", thousands(1/max(p, 1e-18)))
}

func thousands(x float64) string {
	switch {
	case x >= 9.995e8:
		return fmt.Sprintf("%.0e", x)
	case x >= 999500:
		return fmt.Sprintf("%.3g million", x/1e6)
	}
	return fmt.Sprintf("%.0f", x)
}
