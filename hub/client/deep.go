package client

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"olmo/tensor"
	"olmo/weights"
)

// Point is a step of a trajectory: where a piece of one tensor is at it.
type Point struct {
	Revision string   `json:"revision"`
	Step     int64    `json:"step"`
	Distance *float64 `json:"distance"` // from the step before, relative to the norm there; nil for the first of a series, and where it is no number
	Jump     bool     `json:"jump"`     // the steps around it are much nearer to each other than to it

	values []float64
}

// pieceBytes is how much of the tensor is read.
const pieceBytes = 64 << 10

// detour is how much longer the way over a step is than the way past it where the step is not of
// the trajectory. Of a walk at random it is the root of 2, of a straight line 1.
const detour = 3

// Two matrices of numbers at random are √2 of their norm apart. Within so many steps no training
// comes as far: an update moves a number by the learning rate at most, some hundredth of what they are.
const (
	fewSteps = 10
	unlike   = 1
)

// trajectory reads a piece of the same tensor at every step, and finds the steps that are off the
// way of their neighbours.
func (h *Hub) trajectory(ctx context.Context, r Repo, revisions []*revision, a *Audit) error {
	var name string // of the tensor, which the first step chooses
	var points []*Point
	series := map[*Point]string{}
	for _, v := range revisions {
		if v.step == "" {
			continue
		}
		values, err := h.piecesOf(ctx, r, v, &name, a)
		if err != nil {
			return err
		}
		if values == nil {
			continue
		}
		p := &Point{Revision: v.name, Step: v.at, values: values}
		series[p] = strings.TrimRight(v.step, "0123456789")
		points = append(points, p)
	}
	if name == "" {
		a.Notes = append(a.Notes, "no trajectory: no step has its weights as safetensors with a tensor of floating point numbers")
		return nil
	}
	for i, p := range points {
		if i > 0 && series[points[i-1]] == series[p] {
			d := distance(points[i-1].values, p.values)
			if !math.IsInf(d, 0) && !math.IsNaN(d) { // which JSON cannot say
				p.Distance = &d
			}
			if d == 0 {
				a.Problems = append(a.Problems, Problem{Kind: "duplicate", Tensor: name, Revisions: []string{points[i-1].Revision, p.Revision}, Message: "what was read of the tensor is the same at both steps"})
			}
		}
		if p.Distance != nil && p.Step-points[i-1].Step <= fewSteps && *p.Distance > unlike {
			p.Jump = true
			a.Problems = append(a.Problems, Problem{Kind: "jump", Tensor: name, Revisions: []string{points[i-1].Revision, p.Revision}, Message: fmt.Sprintf("the second is no continuation of the first: they are %.3g of its norm apart", *p.Distance)})
			continue
		}
		if i > 0 && i < len(points)-1 && series[points[i-1]] == series[p] && series[points[i+1]] == series[p] {
			before, after := points[i-1].values, points[i+1].values
			over, past := distance(before, p.values)*norm(before)+distance(p.values, after)*norm(p.values), distance(before, after)*norm(before)
			if p.Jump = over > detour*past; p.Jump {
				a.Problems = append(a.Problems, Problem{Kind: "jump", Tensor: name, Revisions: []string{p.Revision}, Message: fmt.Sprintf("%s and %s are %.3g times nearer to each other than over this step", points[i-1].Revision, points[i+1].Revision, over/past)})
			}
		}
	}
	for _, p := range points {
		a.Trajectory = append(a.Trajectory, *p)
	}
	a.Notes = append(a.Notes, fmt.Sprintf("the trajectory is that of the first %d numbers of %s", len(points[0].values), name))
	return nil
}

// norm is the Euclidean norm.
func norm(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v * v)
	}
	return math.Sqrt(sum)
}

// distance is the norm of y - x relative to that of x; it is 0 for equal values alone.
func distance(x, y []float64) float64 {
	if slices.Equal(x, y) {
		return 0
	}
	if len(x) != len(y) {
		return math.Inf(1)
	}
	d := make([]float64, len(x))
	for i := range x {
		d[i] = y[i] - x[i]
	}
	return norm(d) / norm(x)
}

// piecesOf reads the beginning of a step's tensor; nil where it has none of the name, which is noted.
func (h *Hub) piecesOf(ctx context.Context, r Repo, v *revision, name *string, a *Audit) ([]float64, error) {
	for _, f := range v.files {
		if path.Ext(f.Path) != ".safetensors" || !isWeights(f) || strings.Contains(f.Path, "/") {
			continue
		}
		in := &distant{ctx: ctx, hub: h, repo: r, at: v, File: f, most: math.MaxInt64}
		entries, _, wrong := weights.ReadHeader(f.Path, in, f.Size)
		if in.err != nil {
			return nil, in.err
		}
		if wrong != nil {
			a.Problems = append(a.Problems, Problem{Kind: "weights", Path: f.Path, Revisions: []string{v.name}, Message: wrong.Error()})
			continue
		}
		if *name == "" {
			*name = choose(entries)
		}
		i := slices.IndexFunc(entries, func(e weights.Entry) bool { return e.Name == *name })
		if i < 0 {
			a.Checked.Bytes += in.read
			continue
		}
		e := entries[i]
		size := (e.End - e.Begin) / int64(max(1, count(e.Shape)))
		text := make([]byte, min(e.End-e.Begin, pieceBytes/size*size))
		if _, err := in.ReadAt(text, e.Begin); err != nil {
			return nil, err
		}
		a.Checked.Bytes += in.read
		t, err := tensor.New(e.DType, []int{len(text) / int(size)}, text)
		if err != nil {
			return nil, fmt.Errorf("%s at %s: %s: %w", r, v.name, f.Path, err)
		}
		return t.Float64s()
	}
	a.Notes = append(a.Notes, fmt.Sprintf("%s has no tensor for the trajectory", v.name))
	return nil, nil
}

func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// choose takes the smallest matrix that is no embedding: the rows of rare tokens hardly move, and
// the numbers of a norm move less than bfloat16 shows.
func choose(entries []weights.Entry) string {
	usable := slices.DeleteFunc(slices.Clone(entries), func(e weights.Entry) bool {
		switch e.DType {
		case tensor.F64, tensor.F32, tensor.F16, tensor.BF16:
			return e.Begin == e.End
		}
		return true
	})
	rank := func(e weights.Entry) int {
		switch {
		case len(e.Shape) != 2:
			return 2
		case strings.Contains(e.Name, "embed") || strings.Contains(e.Name, "wte") || strings.Contains(e.Name, "lm_head"):
			return 1
		}
		return 0
	}
	if len(usable) == 0 {
		return ""
	}
	return slices.MinFunc(usable, func(a, b weights.Entry) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.End-a.Begin, b.End-b.Begin), strings.Compare(a.Name, b.Name))
	}).Name
}
