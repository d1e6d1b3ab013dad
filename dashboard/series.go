package dashboard

import (
	"math"
	"slices"
	"strings"

	"olmo/runlog"
)

// shown tells whether the page has a curve for a key: of the figures of single parameters
// it has none.
func shown(key string) bool {
	for _, kind := range []string{"optim/grad/", "optim/param/", "optim/exp_avg", "optim/momentum/"} {
		if strings.HasPrefix(key, kind) {
			return false
		}
	}
	return true
}

// noisy tells whether a curve is smoothed: what is set, counted or measured seldom is not.
func noisy(key string) bool {
	for _, part := range []string{"learning_rate", "total_tokens", "total_training", "epoch", "energy/", "eval/", "val/ratio_", "_prompts"} {
		if strings.Contains(key, part) {
			return false
		}
	}
	return true
}

// points is the answer about a run's curves: columns as long as Steps, with null where a
// step has no value, or one that is no number.
type points struct {
	Reset  bool                `json:"reset"` // what the page has is no longer true
	Last   int                 `json:"last"`
	Steps  []int               `json:"steps"`
	Series map[string][]any    `json:"series"`
	Mean   map[string][]any    `json:"mean,omitempty"` // of the noisy ones, where it was asked for
	Lost   map[string]lostInfo `json:"lost"`           // values that are no number
	// Thinned tells that each pair of steps stands for those between them, and has the
	// least and the greatest of their values.
	Thinned bool `json:"thinned"`
}

// lostInfo tells which values of a curve are no number.
type lostInfo struct {
	Count int   `json:"count"`
	Steps []int `json:"steps"` // the first of them
}

// wanted is what of a run's curves is asked for.
type wanted struct {
	from, to int // steps, both included
	places   int // of the answer at most, each with two steps
	window   int // of the mean, in steps, 0 for none
}

// maxPlaces is how many places an answer has at most, and maxLost how many steps it names.
const maxPlaces, maxLost = 2000, 100

// curves returns the curves within what is wanted. More rows than places have the least
// and the greatest value of each place, in their order, so that a line through them looks
// like the line through all.
func curves(c *runlog.Columns, w wanted) points {
	p := points{Steps: []int{}, Series: map[string][]any{}, Lost: map[string]lostInfo{}}
	if n := c.Len(); n > 0 {
		p.Last = c.Step(n - 1)
	}
	from, to := c.Row(w.from), c.Row(w.to+1)
	if w.window > 0 {
		p.Mean = map[string][]any{}
	}
	// The first rows of the places, and the row behind the last.
	var edges []int
	if rows := to - from; rows <= 2*w.places {
		for r := from; r <= to; r++ {
			edges = append(edges, r)
		}
	} else {
		p.Thinned = true
		for i := range w.places + 1 {
			edges = append(edges, from+int(int64(rows)*int64(i)/int64(w.places)))
		}
	}
	var at []int // rows of the answer
	for i := range max(0, len(edges)-1) {
		at = append(at, edges[i])
		if p.Thinned {
			at = append(at, edges[i+1]-1)
		}
	}
	for _, r := range at {
		p.Steps = append(p.Steps, c.Step(r))
	}
	for _, key := range c.Keys() {
		if !shown(key) {
			continue
		}
		column := c.Column(key)
		values, lost := thin(c, column, edges, p.Thinned)
		if lost.Count > 0 {
			p.Lost[key] = lost
		}
		if lost.Count > 0 || slices.ContainsFunc(values, func(v any) bool { return v != nil }) {
			p.Series[key] = values
		}
		if w.window > 0 && noisy(key) {
			p.Mean[key] = mean(column, at, w.window/2)
		}
	}
	return p
}

// figure is a value as the page gets it: with no more digits than a column keeps.
func figure(v float64) any {
	if float64(float32(v)) == v {
		return float32(v)
	}
	return v
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// thin gives the values at the edges, or the least and the greatest between each two.
func thin(c *runlog.Columns, column *runlog.Column, edges []int, thinned bool) (values []any, lost lostInfo) {
	per := 1
	if thinned {
		per = 2
	}
	values = make([]any, per*max(0, len(edges)-1))
	if len(edges) < 2 {
		return values, lost
	}
	place := 0
	var low, high float64
	lowAt, highAt := -1, -1
	flush := func() {
		switch {
		case lowAt < 0:
		case !thinned || lowAt == highAt:
			values[per*place] = figure(low)
		case lowAt < highAt:
			values[2*place], values[2*place+1] = figure(low), figure(high)
		default:
			values[2*place], values[2*place+1] = figure(high), figure(low)
		}
		lowAt, highAt = -1, -1
	}
	for row, v := range column.Between(edges[0], edges[len(edges)-1]) {
		for row >= edges[place+1] {
			flush()
			place++
		}
		if !finite(v) {
			if lost.Count++; len(lost.Steps) < maxLost {
				lost.Steps = append(lost.Steps, c.Step(row))
			}
			continue
		}
		if lowAt < 0 || v < low {
			low, lowAt = v, row
		}
		if highAt < 0 || v > high {
			high, highAt = v, row
		}
	}
	flush()
	return values, lost
}

// mean is the mean of the values around each row, half of them on either side: it does
// not lag behind. At the beginning, where curves are steep, both sides are short; at the
// end the values to come are missing. It is null where the value in the middle is.
func mean(column *runlog.Column, rows []int, half int) []any {
	out := make([]any, len(rows))
	n := column.Len()
	low, high := 0, 0 // of the window's numbers, whose sum this is
	sum, count := 0.0, 0
	i := 0
	for k, row := range rows {
		for i < n {
			if at, _ := column.At(i); at >= row {
				break
			}
			i++
		}
		if i == n {
			break
		}
		if at, v := column.At(i); at != row || !finite(v) {
			continue
		}
		side := min(half, i)
		for ; high < min(n, i+side+1); high++ {
			if _, v := column.At(high); finite(v) {
				sum, count = sum+v, count+1
			}
		}
		for ; low < i-side; low++ {
			if _, v := column.At(low); finite(v) {
				sum, count = sum-v, count-1
			}
		}
		out[k] = float32(sum / float64(max(count, 1)))
	}
	return out
}
