package convert

import (
	"context"
	"fmt"

	"olmo/graph"
	"olmo/model"
	"olmo/numeric"
	"olmo/tensor"
)

// importance says how much an error in each input column of a matrix counts, by parameter. Matrices of which nothing
// is known have none.
type importance map[string]columns

// columns are the squares of what the model multiplies each column of a matrix with, summed over the tokens of a
// text; of an expert over the tokens that go through it, and of its way down times the square of its weight.
type columns struct {
	squares []float32
	tokens  int
}

// mean is the importance of each column; nil: nothing is known.
func (c columns) mean() []float32 {
	if c.tokens == 0 {
		return nil
	}
	out := make([]float32, len(c.squares))
	for i, s := range c.squares {
		out[i] = s / float32(c.tokens)
	}
	return out
}

// tapped is a value that matrices are multiplied with.
type tapped struct {
	name    string // under which it is kept
	cols    int
	params  []string
	squares []float64 // summed over the rows
	rows    int
	experts *tappedExperts // of a mixture; else nil
}

// tappedExperts are what a mixture of experts is computed of: x is the tapped value itself.
type tappedExperts struct {
	attr            *graph.ExpertsAttr
	weights, hidden string // under which the router's weights and the experts' up and gate are kept
	params          [][3]string
	in, down        [][]float64 // squares, by expert
	rows            []int
}

// taps keeps what the matrices of a graph are multiplied with.
func taps(g *graph.Graph) (list []*tapped) {
	of := map[graph.Value]*tapped{}
	kept := func(v graph.Value) string {
		g.Keep(v, fmt.Sprintf("tapped.%d", v))
		return g.Info(v).Name
	}
	for _, op := range g.Ops {
		switch op.Def {
		case graph.Linear:
			x := op.In[0]
			if of[x] == nil {
				cols := g.Info(x).Cols()
				of[x] = &tapped{name: kept(x), cols: cols, squares: make([]float64, cols)}
				list = append(list, of[x])
			}
			of[x].params = append(of[x].params, g.Info(op.In[1]).Name)
		case graph.Experts:
			a := op.Attr.(*graph.ExpertsAttr)
			e := &tappedExperts{attr: a, weights: kept(op.In[1]), hidden: kept(op.Out[1]), rows: make([]int, a.E)}
			for k := range a.E {
				var names [3]string
				for j := range names {
					names[j] = g.Info(op.In[2+3*k+j]).Name
				}
				e.params = append(e.params, names)
				e.in, e.down = append(e.in, make([]float64, a.C)), append(e.down, make([]float64, a.F))
			}
			list = append(list, &tapped{name: kept(op.In[0]), cols: a.C, experts: e})
		}
	}
	return list
}

// add counts the rows of the last run.
func (t *tapped) add(output func(name string) []float32) {
	x := output(t.name)
	if e := t.experts; e != nil {
		e.add(x, output(e.weights), output(e.hidden))
		return
	}
	t.rows += len(x) / t.cols
	for i, v := range x {
		t.squares[i%t.cols] += float64(float64(v) * float64(v))
	}
}

func (e *tappedExperts) add(x, weights, hidden []float32) {
	e.each(x, weights, hidden, func(k int, x []float32, w float32, up, gate []float32) {
		e.rows[k]++
		for i, v := range x {
			e.in[k][i] += float64(float64(v) * float64(v))
		}
		for j := range up {
			v := weighedHidden(w, up[j], gate[j])
			e.down[k][j] += float64(v * v)
		}
	})
}

// each calls f for every token and every expert that it goes through: the token's row, the weight, up and gate.
func (e *tappedExperts) each(x, weights, hidden []float32, f func(k int, x []float32, w float32, up, gate []float32)) {
	a := e.attr
	for r := range len(x) / a.C {
		slot := 0
		for k, w := range weights[r*a.E : (r+1)*a.E] {
			if w == 0 {
				continue
			}
			h := hidden[(r*a.K+slot)*2*a.F:][:2*a.F]
			slot++
			f(k, x[r*a.C:(r+1)*a.C], w, h[:a.F], h[a.F:])
		}
	}
}

// weighedHidden is what an expert's way down is multiplied with, times the weight of the expert.
func weighedHidden(w, up, gate float32) float64 {
	g := float64(gate)
	return float64(w) * float64(up) * g / (1 + numeric.Exp(-g))
}

// sums are those of the parameters that the value is multiplied with.
func (t *tapped) sums(to importance) {
	of := func(squares []float64, rows int) columns {
		c := columns{squares: make([]float32, len(squares)), tokens: rows}
		for i, s := range squares {
			c.squares[i] = float32(s)
		}
		return c
	}
	if e := t.experts; e != nil {
		for k, names := range e.params {
			in := of(e.in[k], e.rows[k])
			to[names[0]], to[names[1]], to[names[2]] = in, in, of(e.down[k], e.rows[k])
		}
		return
	}
	for _, name := range t.params {
		to[name] = of(t.squares, t.rows)
	}
}

// calibration runs a model on windows of ids, and sees what its matrices are multiplied with.
type calibration struct {
	*running
	list     [][]int32
	taps     []*tapped
	progress func(done, total int)
}

// startCalibration opens the model once more; the caller closes it.
func startCalibration(from *model.Loaded, list [][]int32, progress func(done, total int)) (*calibration, error) {
	files, err := from.Reopen()
	if err != nil {
		return nil, err
	}
	c := &calibration{list: list, progress: progress}
	c.running, err = start(files, longest(list), func(g *graph.Graph) { c.taps = taps(g) })
	return c, err
}

// run reads the text, and calls after for each window.
func (c *calibration) run(ctx context.Context, after func()) error {
	for i, ids := range c.list {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.progress(i, len(c.list))
		if _, err := c.Run(ids); err != nil {
			return fmt.Errorf("running the source: %w", err)
		}
		after()
	}
	return nil
}

// add counts the last window.
func (c *calibration) add() {
	for _, t := range c.taps {
		t.add(c.Output)
	}
}

// importance is that of the windows that were counted.
func (c *calibration) importance() importance {
	all := importance{}
	for _, t := range c.taps {
		t.sums(all)
	}
	return all
}

// calibrate measures the importance of a model's columns on windows of ids.
func calibrate(ctx context.Context, from *model.Loaded, list [][]int32, progress func(done, total int)) (importance, error) {
	c, err := startCalibration(from, list, progress)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.run(ctx, c.add); err != nil {
		return nil, err
	}
	return c.importance(), nil
}

// weighted encodes the tensors of a GGUF file by the importance of the parameters whose rows they hold.
func (all importance) weighted(c *model.Config) (model.Encode, error) {
	stored, err := c.Stored(model.GGUF)
	if err != nil {
		return nil, err
	}
	rows := map[string][]model.Rows{}
	for _, s := range stored {
		rows[s.Name] = s.Rows
	}
	return func(name string, shape []int, v []float32, d tensor.DType) ([]byte, error) {
		if err := finite(shape, v); err != nil {
			return nil, err
		}
		cols := shape[len(shape)-1]
		of := make([][]float32, len(v)/cols)
		for _, r := range rows[name] {
			if h := all[r.Param].mean(); len(h) == cols {
				for i := r.At; i < r.At+r.Count; i++ {
					of[i] = h
				}
			}
		}
		t, err := tensor.FromFloat32(shape, v).ConvertWeighted(d, func(row int) []float32 { return of[row] })
		return t.Data, err
	}, nil
}
