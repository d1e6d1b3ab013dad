package compare

import (
	_ "embed"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"olmo/eval/record"
	"olmo/page"
)

// TaskPage is the documents of a task on which the runs differ.
type TaskPage struct {
	Task, Figure string
	Documents    []DocumentPage // the ones with the widest differences, no more than asked for
	Differ, Of   int            // documents that differ, of those that all runs have
}

// DocumentPage is one document as the runs answered it.
type DocumentPage struct {
	Index        int
	ID           string
	Prompt       string
	OtherPrompts bool // some run was asked in other words
	Choices      []choice
	Targets      []string
	Runs         []runAnswer // one for each run that has the task
	spread       float64
}

// choice is a continuation, with what each run gave it.
type choice struct {
	Text   string
	Gold   bool
	Scores []choiceScore
}

type choiceScore struct {
	Logprob float64
	Top     bool // no choice is likelier
	Tokens  int
	Each    []float64 // of the first tokens
	More    bool      // there are further ones
}

// shownTokens are the most tokens of a continuation whose log-probabilities a page shows.
const shownTokens = 32

// runAnswer is what a run made of a document.
type runAnswer struct {
	Run       int // its number
	Value     string
	Right     bool
	Responses []string
	Filtered  map[string]string
}

// newTaskPage finds the documents that all runs have and on which a figure differs. tasks are nil
// for runs without the task.
func newTaskPage(name, figure string, tasks []*record.Task, most int) *TaskPage {
	out := &TaskPage{Task: name, Figure: strings.TrimSuffix(figure, ",none")}
	var first *record.Task
	var numbers []int
	others := map[int]map[*record.Document]*record.Document{}
	for i, t := range tasks {
		if t == nil {
			continue
		}
		numbers = append(numbers, i)
		if first == nil {
			first = t
			continue
		}
		both, _, _ := pairs(first, t)
		others[i] = map[*record.Document]*record.Document{}
		for _, p := range both {
			others[i][p.a] = p.b
		}
	}
	for k := range first.Documents {
		d := &first.Documents[k]
		same := []*record.Document{d}
		var values []any
		for _, i := range numbers[1:] {
			if o := others[i][d]; o != nil {
				same = append(same, o)
			}
		}
		for _, o := range same {
			if v := o.Values[figure]; v != nil {
				values = append(values, v)
			}
		}
		if len(values) != len(numbers) {
			continue
		}
		out.Of++
		spread := spreadOf(figure, values)
		if spread == 0 {
			continue
		}
		out.Differ++
		out.Documents = append(out.Documents, newDocumentPage(numbers, same, values, spread))
	}
	slices.SortStableFunc(out.Documents, func(a, b DocumentPage) int {
		switch {
		case a.spread > b.spread:
			return -1
		case a.spread < b.spread:
			return 1
		}
		return 0
	})
	out.Documents = out.Documents[:min(most, len(out.Documents))]
	return out
}

// spreadOf is how far values are apart, 0 where they are the same; values that are no numbers
// count by what the figure is of them alone.
func spreadOf(name string, values []any) float64 {
	f, ok := figureOf(name, values)
	if !ok {
		return 0
	}
	terms, _ := f.sums(values)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range values {
		x := f.alone(terms, i)
		low, high = min(low, x), max(high, x)
	}
	if !(high > low) {
		return 0
	}
	return high - low
}

func newDocumentPage(numbers []int, same []*record.Document, values []any, spread float64) DocumentPage {
	d := same[0]
	out := DocumentPage{Index: d.Index, ID: d.ID, Targets: d.Targets, spread: spread}
	asked := conditional(d)
	if len(asked) > 0 {
		out.Prompt = asked[0].Context
	}
	for i, o := range same {
		out.OtherPrompts = out.OtherPrompts || !samePrompt(d, o)
		r := runAnswer{Run: numbers[i], Value: valueText(values[i]), Right: values[i] == 1.0, Filtered: o.Filtered}
		for _, q := range conditional(o) {
			r.Responses = append(r.Responses, q.Responses...)
		}
		out.Runs = append(out.Runs, r)
	}
	for k, q := range asked {
		if q.Text {
			continue
		}
		c := choice{Text: q.Continuation, Gold: slices.Contains(d.Gold, k)}
		if q.Context != out.Prompt {
			c.Text = strings.TrimPrefix(q.Context, commonPrefix(q.Context, out.Prompt)) + c.Text
		}
		for _, o := range same {
			own := conditional(o)
			if k >= len(own) {
				c.Scores = append(c.Scores, choiceScore{Logprob: math.NaN()})
				continue
			}
			top := !slices.ContainsFunc(own, func(other *record.Request) bool { return other.Logprob > own[k].Logprob })
			c.Scores = append(c.Scores, choiceScore{Logprob: own[k].Logprob, Top: top && len(own) > 1, Tokens: own[k].Tokens, Each: own[k].Each[:min(shownTokens, len(own[k].Each))], More: len(own[k].Each) > shownTokens})
		}
		out.Choices = append(out.Choices, c)
	}
	return out
}

func commonPrefix(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && a[n]&0xc0 == 0x80 { // not within a character
		n--
	}
	return a[:n]
}

func valueText(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, valueText(x))
		}
		return strings.Join(parts, " / ")
	}
	return fmt.Sprint(v)
}

//go:embed page.html.tmpl
var pageText string

var comparePage = page.MustParse(pageText, template.FuncMap{
	"figure": func(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) },
	"nats":   func(x float64) string { return fmt.Sprintf("%.2f", x) },
	"known":  func(x float64) bool { return !math.IsNaN(x) },
	"name":   MatrixRow.Figure,
	"visible": func(s string) string {
		return strings.NewReplacer("\n", "↵", "\t", "⇥").Replace(s)
	},
	// row is a row for the template of its cells, with where its documents stand.
	"row": func(r MatrixRow, places map[string]int) map[string]any {
		place, ok := places[r.Task]
		return map[string]any{"Row": r, "Place": place, "Linked": ok}
	},
	"label": func(labels []string, i int) string { return labels[i] },
	"join":  func(parts []string) string { return strings.Join(parts, ", ") },
})

// Figure is the row's figure as tables call it: the metric, with the filter's name where there is
// one.
func (r MatrixRow) Figure() string {
	if r.Filter == "none" || r.Filter == "" {
		return r.Metric
	}
	return r.Metric + "," + r.Filter
}

// WriteHTML writes a page that needs no other file: the figures that tasks are quoted with, each
// cell a way to the documents on which the runs differ, and all figures below.
func (m *Matrix) WriteHTML(w io.Writer) error {
	var quoted []MatrixRow
	for _, r := range m.Rows {
		if r.Quoted {
			quoted = append(quoted, r)
		}
	}
	places := map[string]int{}
	for i, d := range m.Details {
		places[d.Task] = i
	}
	tasks := map[string]bool{}
	for _, r := range m.Rows {
		tasks[r.Task] = true
	}
	return comparePage.Write(w, map[string]any{"M": m, "Labels": m.Labels(), "Quoted": quoted, "Places": places, "Tasks": len(tasks), "None": map[string]int{}, "Sizes": m.Sizes()})
}
