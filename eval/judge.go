package eval

import (
	"context"
	"fmt"
	"slices"

	"olmo/eval/stats"
)

// judged are the values of one document.
type judged struct {
	scores   map[string]any    // by figure
	filtered map[string]string // the first response that each filter leaves; nil without filters
	cluster  string            // the document's; empty where nobody asked
}

// noFilter is the name that lm-eval gives to figures of answers as they are.
const noFilter = "none"

// filters are the task's, or the one that takes responses as they are.
func (t *Task) filters() []Filter {
	if len(t.Filters) > 0 {
		return t.Filters
	}
	return []Filter{{Name: noFilter, Apply: func(_ *Document, r []string) ([]string, error) { return r, nil }}}
}

// figureName is how results call a metric of a filter's answers.
func figureName(metric, filter string) string {
	if filter == noFilter {
		return metric
	}
	return metric + "," + filter
}

// programs runs the answers of a task whose answers are programs: verdicts by filter, a list for
// each document.
func (r *Run) programs(ctx context.Context, j *Job, answers []Answer) (map[string][][]bool, error) {
	if j.Task.Programs == "" {
		return nil, nil
	}
	passed := map[string][][]bool{}
	for _, f := range j.Task.filters() {
		var docs []*Document
		var responses [][]string
		at := 0
		for d, err := range j.Each() {
			if err != nil {
				return nil, err
			}
			judged, _, _ := answered(answers[at:at+len(d.Requests)], r.Thinking)
			texts, err := f.Apply(d, judged[0].Texts)
			if err != nil {
				return nil, fmt.Errorf("document %d: filter %s: %w", d.Index, f.Name, err)
			}
			docs, responses = append(docs, d), append(responses, texts)
			at += len(d.Requests)
		}
		var err error
		if passed[f.Name], err = r.Programs(ctx, j.Task.Programs, docs, responses); err != nil {
			return nil, err
		}
	}
	return passed, nil
}

// judge makes the values of a document; passed says by filter which of its programs did what they
// should.
func (t *Task) judge(d *Document, answers []Answer, passed map[string][]bool) (judged, error) {
	j := judged{scores: map[string]any{}, cluster: d.cluster}
	for _, f := range t.filters() {
		e := &Evidence{Document: d, Answers: answers, Passed: passed[f.Name]}
		if t.Kind == Texts {
			var err error
			if e.Responses, err = f.Apply(d, answers[0].Texts); err != nil {
				return j, fmt.Errorf("document %d: filter %s: %w", d.Index, f.Name, err)
			}
			if len(t.Filters) > 0 {
				if j.filtered == nil {
					j.filtered = map[string]string{}
				}
				if len(e.Responses) > 0 {
					j.filtered[f.Name] = e.Responses[0]
				}
			}
		}
		for _, m := range t.Metrics {
			v, err := m.Of(e)
			if err != nil {
				return j, fmt.Errorf("document %d: %s: %w", d.Index, m.Name, err)
			}
			if v != nil {
				j.scores[figureName(m.Name, f.Name)] = v
			}
		}
	}
	return j, nil
}

// Figure is what all documents come to.
type Figure struct {
	Value  float64
	StdErr *float64 // nil where none is known
	N      int      // documents that it is of
	// Interval is Wilson's of 95 %, where the figure is a share of documents; else nil.
	Interval *stats.Interval
	Lower    bool // smaller is better
}

// figures gathers documents' values.
type figures struct {
	task     *Task
	values   map[string][]any
	clusters map[string][]string // of the values; empty where nobody asked
}

func (f *figures) add(j judged) {
	if f.values == nil {
		f.values, f.clusters = map[string][]any{}, map[string][]string{}
	}
	for name, v := range j.scores {
		f.values[name] = append(f.values[name], v)
		if j.cluster != "" {
			f.clusters[name] = append(f.clusters[name], j.cluster)
		}
	}
}

// all computes the figures.
func (f *figures) all() map[string]Figure {
	out := map[string]Figure{}
	for _, filter := range f.task.filters() {
		for _, m := range f.task.Metrics {
			name := figureName(m.Name, filter.Name)
			values := f.values[name]
			if len(values) == 0 || m.Figure.Name == NoFigure.Name {
				continue
			}
			a := m.Figure
			if a.Of == nil {
				a = Mean
			}
			x := Figure{Value: a.Of(values), N: len(values), Lower: m.Lower}
			if s := a.stdErr(values, f.clusters[name]); s == s {
				x.StdErr = &s
			}
			if isShare(a, values) {
				x.Interval = x.wilson(f.clusters[name] != nil)
			}
			out[name] = x
		}
	}
	return out
}

// isShare reports whether a figure is the share of documents whose value is 1, not 0.
func isShare(a Aggregation, values []any) bool {
	return a.Name == Mean.Name && !slices.ContainsFunc(values, func(v any) bool { return v != 0.0 && v != 1.0 })
}

// wilson is the interval of a share. Documents in clusters are worth as many as independent ones
// with the same standard error.
func (x *Figure) wilson(clusters bool) *stats.Interval {
	n := float64(x.N)
	if clusters && x.StdErr != nil && *x.StdErr > 0 {
		n = x.Value * (1 - x.Value) / (*x.StdErr * *x.StdErr)
	}
	i := stats.Wilson(x.Value, n)
	return &i
}
