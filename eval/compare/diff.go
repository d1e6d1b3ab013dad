package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/eval/record"
	"olmo/eval/stats"
)

// Row is a figure of two runs over the same documents, and whether they differ.
type Row struct {
	Task   string  `json:"task"`
	Filter string  `json:"filter"`
	Metric string  `json:"metric"`
	N      int     `json:"n"` // documents
	A      float64 `json:"a"`
	B      float64 `json:"b"`
	Delta  float64 `json:"delta"` // B − A
	// StdErr is the standard error of Delta, of documents in pairs; CI holds the true difference
	// with 95 %. Both are nil for fewer than two documents.
	StdErr *float64        `json:"stderr"`
	CI     *stats.Interval `json:"ci"`
	// Test is "mcnemar" for figures of 0 and 1, else "t", of pairs. PAdjusted is Holm's, over all
	// rows.
	Test      string   `json:"test"`
	P         *float64 `json:"p_value"`
	PAdjusted *float64 `json:"p_adjusted"`
	// Documents whose value is the greater one in one run alone; with "mcnemar" those that it alone
	// answers rightly.
	OnlyA int `json:"only_a"`
	OnlyB int `json:"only_b"`
	// Bootstrap holds 95 % of the differences of documents that were drawn anew. MDE is the least
	// difference that is found in 80 % of all cases at 5 %.
	Bootstrap *stats.Interval `json:"bootstrap_ci"`
	MDE       *float64        `json:"mde"`
	Lower     bool            `json:"lower_is_better,omitempty"`
	// OtherPrompts says that the runs did not ask with the same words. Boundaries are the two
	// conventions, where they differ.
	OtherPrompts bool     `json:"other_prompts,omitempty"`
	Boundaries   []string `json:"boundaries,omitempty"`
	Verdict      string   `json:"verdict"` // in words
}

// Diff is the comparison of two runs.
type Diff struct {
	A    Name  `json:"a"`
	B    Name  `json:"b"`
	Rows []Row `json:"rows"`
	// LeftOut says what is not compared, and why.
	LeftOut []string `json:"left_out,omitempty"`
}

// Name says which run is meant.
type Name struct {
	Path  string `json:"path"`
	Model string `json:"model"`
	// Parameters are the model's; 0 where nobody says.
	Parameters int64 `json:"parameters,omitempty"`
}

func nameOf(r *record.Run) Name { return Name{r.Path, r.Model, r.Parameters} }

// DiffOptions are what a comparison allows.
type DiffOptions struct {
	Common       bool   // compare the documents that both runs have; else they must be the same
	OtherPrompts bool   // also where the words of the requests differ
	Seed         uint64 // of the documents drawn anew
}

// resamples measure the ends of a 95 % interval within a few hundredths of its width.
const resamples = 2000

// NewDiff compares b with a. Runs whose tasks have other documents, or other prompts, are errors
// that name the task, unless o allows them.
func NewDiff(a, b *record.Run, o DiffOptions) (*Diff, error) {
	d := &Diff{A: nameOf(a), B: nameOf(b)}
	for _, task := range a.Tasks() {
		if !b.Has(task) {
			d.LeftOut = append(d.LeftOut, fmt.Sprintf("task %s is in %s alone", task, a.Path))
			continue
		}
		ta, err := a.Task(task)
		if err != nil {
			return nil, err
		}
		tb, err := b.Task(task)
		if err != nil {
			return nil, err
		}
		if err := d.add(ta, tb, o); err != nil {
			return nil, fmt.Errorf("task %s: %w", task, err)
		}
	}
	for _, task := range b.Tasks() {
		if !a.Has(task) {
			d.LeftOut = append(d.LeftOut, fmt.Sprintf("task %s is in %s alone", task, b.Path))
		}
	}
	if len(d.Rows) == 0 {
		return nil, fmt.Errorf("%s and %s have no figure in common: %s", a.Path, b.Path, strings.Join(d.LeftOut, "; "))
	}
	d.judge()
	return d, nil
}

// pair is a document of both runs.
type pair struct{ a, b *record.Document }

// pairs matches documents by hash, the first of equals with the first. alone counts those that
// only one run has.
func pairs(a, b *record.Task) (both []pair, aloneA, aloneB int) {
	byHash := map[string][]*record.Document{}
	for i := range b.Documents {
		d := &b.Documents[i]
		byHash[d.Hash] = append(byHash[d.Hash], d)
	}
	for i := range a.Documents {
		d := &a.Documents[i]
		same := byHash[d.Hash]
		if len(same) == 0 {
			aloneA++
			continue
		}
		both, byHash[d.Hash] = append(both, pair{d, same[0]}), same[1:]
	}
	return both, aloneA, len(b.Documents) - len(both)
}

// samePrompt reports whether two runs asked the same of a document. What only figures of others
// need does not count, nor the form of a conversation, before which no delimiter stands.
func samePrompt(a, b *record.Document) bool {
	x, y := conditional(a), conditional(b)
	return slices.EqualFunc(x, y, func(p, q *record.Request) bool {
		same := p.Continuation == q.Continuation
		if p.Chat != q.Chat {
			same = strings.TrimLeft(p.Continuation, " \n") == strings.TrimLeft(q.Continuation, " \n")
		}
		return p.Context == q.Context && same && p.Text == q.Text
	})
}

func conditional(d *record.Document) (out []*record.Request) {
	for i := range d.Requests {
		if !d.Requests[i].Unconditional {
			out = append(out, &d.Requests[i])
		}
	}
	return out
}

// add compares a task.
func (d *Diff) add(a, b *record.Task, o DiffOptions) error {
	both, aloneA, aloneB := pairs(a, b)
	switch {
	case len(both) == 0:
		return fmt.Errorf("the runs have no document in common, of %d and %d", len(a.Documents), len(b.Documents))
	case aloneA+aloneB > 0 && !o.Common:
		return fmt.Errorf("the runs do not have the same documents: %d are in A alone, %d in B alone, %d in both\nhint: --common compares those in both", aloneA, aloneB, len(both))
	}
	other := 0
	for _, p := range both {
		if !samePrompt(p.a, p.b) {
			other++
		}
	}
	if other > 0 && !o.OtherPrompts {
		return fmt.Errorf("the prompts of %d of %d documents differ (%s)\nhint: --other-prompts compares them all the same", other, len(both), firstDifference(both))
	}
	inB := b.Figures()
	for _, name := range a.Figures() {
		if !slices.Contains(inB, name) {
			d.LeftOut = append(d.LeftOut, fmt.Sprintf("%s: %s is in A alone", a.Name, name))
			continue
		}
		row, err := newRow(both, name, resamples, o.Seed)
		if err != nil {
			d.LeftOut = append(d.LeftOut, fmt.Sprintf("%s: %s: %v", a.Name, name, err))
			continue
		}
		row.Task, row.Lower, row.OtherPrompts = a.Name, a.Lower(name) || b.Lower(name), other > 0
		row.Metric, row.Filter, _ = strings.Cut(name, ",")
		if a.Boundary != b.Boundary && a.Boundary != "" && b.Boundary != "" {
			row.Boundaries = []string{a.Boundary, b.Boundary}
		}
		d.Rows = append(d.Rows, *row)
	}
	for _, name := range inB {
		if !slices.Contains(a.Figures(), name) {
			d.LeftOut = append(d.LeftOut, fmt.Sprintf("%s: %s is in B alone", a.Name, name))
		}
	}
	return nil
}

// firstDifference shows where the prompts of the first document that has other ones part.
func firstDifference(both []pair) string {
	for _, p := range both {
		if samePrompt(p.a, p.b) {
			continue
		}
		x, y := conditional(p.a), conditional(p.b)
		if len(x) != len(y) {
			return fmt.Sprintf("document %d has %d requests in A, %d in B", p.a.Index, len(x), len(y))
		}
		for i := range x {
			s, t := []rune(x[i].Context+x[i].Continuation), []rune(y[i].Context+y[i].Continuation)
			at := 0
			for at < min(len(s), len(t)) && s[at] == t[at] {
				at++
			}
			if at < max(len(s), len(t)) || x[i].Context != y[i].Context {
				return fmt.Sprintf("document %d, character %d: %q in A, %q in B", p.a.Index, at, excerpt(s, at), excerpt(t, at))
			}
		}
		return fmt.Sprintf("document %d is asked for a text in one alone", p.a.Index)
	}
	return ""
}

func excerpt(s []rune, at int) string { return string(s[at:min(at+30, len(s))]) }

var errUnknownFigure = errors.New("its figure cannot be made of documents' values here")

// newRow compares a figure.
func newRow(both []pair, name string, resamples int, seed uint64) (*Row, error) {
	var a, b []any
	for _, p := range both {
		x, y := p.a.Values[name], p.b.Values[name]
		switch {
		case x != nil && y != nil:
			a, b = append(a, x), append(b, y)
		case x != nil || y != nil:
			return nil, fmt.Errorf("document %d has a value of it in one run alone", p.a.Index)
		}
	}
	f, ok := figureOf(name, append(slices.Clone(a), b...))
	if !ok {
		return nil, errUnknownFigure
	}
	termsA, sumsA := f.sums(a)
	termsB, sumsB := f.sums(b)
	n := len(a)
	r := &Row{N: n, A: f.at(sumsA), B: f.at(sumsB), Test: "t"}
	r.Delta = r.B - r.A
	if math.IsNaN(r.Delta) || math.IsInf(r.Delta, 0) {
		return nil, fmt.Errorf("its figures are %g and %g", r.A, r.B)
	}
	binary := f.mean
	for i := range n {
		x, y := f.alone(termsA, i), f.alone(termsB, i)
		if x > y {
			r.OnlyA++
		}
		if y > x {
			r.OnlyB++
		}
		binary = binary && (x == 0 || x == 1) && (y == 0 || y == 1)
	}
	var p float64
	if binary {
		r.Test = "mcnemar"
		p = stats.McNemar(r.OnlyA, r.OnlyB)
		r.P = &p
	}
	if n < 2 {
		return r, nil
	}
	differences := f.pseudo(termsB, sumsB, n)
	for i, x := range f.pseudo(termsA, sumsA, n) {
		differences[i] -= x
	}
	e := stats.StdErr(differences)
	if math.IsNaN(e) || math.IsInf(e, 0) {
		return nil, fmt.Errorf("one document alone makes the figure what it is")
	}
	z := stats.Z95
	if !binary {
		_, p = stats.PairedT(differences)
		r.P, z = &p, stats.T95(float64(n-1))
	}
	ci, least := stats.Around(r.Delta, e, z), stats.LeastDifference(e)
	r.StdErr, r.CI, r.MDE = &e, &ci, &least
	if resamples > 0 {
		drawn := stats.Percentiles95(f.bootstrap(termsA, termsB, n, resamples, seed))
		r.Bootstrap = &drawn
	}
	return r, nil
}

// alone is the figure of one document; NaN where it takes several.
func (f *figure) alone(terms []float64, i int) float64 { return f.at(terms[i*f.terms : (i+1)*f.terms]) }

// pseudo are numbers in whose mean the documents have the part that they have in the figure: of
// means the values themselves, of others the jackknife's pseudo-values (Tukey 1958).
func (f *figure) pseudo(terms, sums []float64, n int) []float64 {
	out := make([]float64, n)
	without := make([]float64, f.terms)
	for i := range out {
		own := terms[i*f.terms : (i+1)*f.terms]
		if f.mean {
			out[i] = own[0]
			continue
		}
		for k := range without {
			without[k] = sums[k] - own[k]
		}
		out[i] = float64(n)*f.at(sums) - float64(n-1)*f.at(without)
	}
	return out
}

// bootstrap gives the differences of documents that are drawn anew, in pairs.
func (f *figure) bootstrap(termsA, termsB []float64, n, resamples int, seed uint64) []float64 {
	a, b := make([]float64, f.terms), make([]float64, f.terms)
	return stats.Bootstrap(n, resamples, seed, func(picked []int) float64 {
		clear(a)
		clear(b)
		for _, i := range picked {
			for k := range a {
				a[k] += termsA[i*f.terms+k]
				b[k] += termsB[i*f.terms+k]
			}
		}
		return f.at(b) - f.at(a)
	})
}

// holm adjusts the p-values of n rows; a row without one has none.
func holm(n int, of func(i int) *float64) []*float64 {
	p, out := make([]float64, n), make([]*float64, n)
	for i := range p {
		if p[i] = math.NaN(); of(i) != nil {
			p[i] = *of(i)
		}
	}
	for i, adjusted := range stats.Holm(p) {
		if adjusted == adjusted {
			out[i] = &adjusted
		}
	}
	return out
}

// judge adjusts the p-values over all rows, and says in words what they mean.
func (d *Diff) judge() {
	for i, p := range holm(len(d.Rows), func(i int) *float64 { return d.Rows[i].P }) {
		d.Rows[i].PAdjusted = p
	}
	for i := range d.Rows {
		d.Rows[i].Verdict = d.Rows[i].verdict(len(d.Rows))
	}
}

// verdict says what a row means, at 5 % over all rows.
func (r *Row) verdict(rows int) string {
	words := "no difference seen"
	switch {
	case r.PAdjusted != nil && *r.PAdjusted < 0.05 && r.Delta != 0:
		words = "worse"
		if r.Delta > 0 != r.Lower {
			words = "better"
		}
	case r.StdErr == nil:
		words += "; one question says nothing"
	case r.Delta != 0 && *r.StdErr > 0:
		words += fmt.Sprintf("; would need %.0f questions", stats.Needed(r.Delta, *r.StdErr, r.N, rows))
	}
	if r.OtherPrompts {
		words += " (other prompts)"
	}
	if r.Boundaries != nil {
		words += fmt.Sprintf(" (encoded %s in A, %s in B)", r.Boundaries[0], r.Boundaries[1])
	}
	return words
}
