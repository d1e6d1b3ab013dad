package model

import (
	"fmt"
	"strings"

	"olmo/graph"
)

// Recompute says which values of the blocks the backward pass computes again instead of
// keeping them from the forward pass: less memory for more time, and the same bits. The
// names are those of OLMo's activation_checkpointing.
//
// ActivationCheckpointingStrategy and should_checkpoint_block of the ai2-olmo package
// (olmo/config.py and olmo/model.py, 0.6.0).
type Recompute string

// Strategies. Of a whole layer only its input is kept.
const (
	// RecomputeNothing keeps all but the outputs of gated activations. These are one pass over
	// up and gate, which the backward pass has to read in any case.
	RecomputeNothing Recompute = ""
	WholeLayer       Recompute = "whole_layer"
	// FineGrained keeps the outputs of matrix products and of attention in every layer, and
	// computes again what takes a pass over them: norms, rotations, activations, and so on.
	FineGrained Recompute = "fine_grained"
)

// oneIn are the strategies that take whole layers, but not all of them: those layers l for which
// again holds of l modulo n.
var oneIn = map[Recompute]struct {
	n     int
	again func(rest int) bool
}{
	"one_in_two":    {2, isFirst},
	"one_in_three":  {3, isFirst},
	"one_in_four":   {4, isFirst},
	"one_in_eight":  {8, isFirst},
	"two_in_three":  {3, isNotFirst},
	"three_in_four": {4, isNotFirst},
}

func isFirst(rest int) bool    { return rest == 0 }
func isNotFirst(rest int) bool { return rest != 0 }

// recomputeNames are the strategies' names, in OLMo's order.
var recomputeNames = []string{"whole_layer", "one_in_two", "one_in_three", "one_in_four", "one_in_eight", "two_in_three", "three_in_four", "fine_grained"}

// UnmarshalText takes OLMo's names, its former true and false, and null.
func (r *Recompute) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "", "null", "false":
		*r = RecomputeNothing
	case "true":
		*r = WholeLayer
	default:
		for _, name := range recomputeNames {
			if s == name {
				*r = Recompute(s)
				return nil
			}
		}
		return fmt.Errorf("%q is not known\nhint: one of %s, or null", s, strings.Join(recomputeNames, ", "))
	}
	return nil
}

// picks chooses the operations of a layer that run again.
func (r Recompute) picks(layer int) func(*graph.Def) bool {
	if o, ok := oneIn[r]; ok && o.again(layer%o.n) || r == WholeLayer {
		return func(*graph.Def) bool { return true }
	}
	if r == FineGrained {
		return isCheap
	}
	return func(d *graph.Def) bool { return d == graph.SwiGLU || d == graph.GeGLU }
}

// isCheap tells whether an operation takes a pass over its input and no products.
func isCheap(d *graph.Def) bool {
	switch d {
	case graph.RMSNorm, graph.LayerNorm, graph.SwiGLU, graph.GeGLU, graph.GELU, graph.GELUTanh, graph.ReLU, graph.Bias, graph.Clamp, graph.Scale, graph.Dropout, graph.NEFTune,
		graph.Rotary, graph.Split, graph.Concat, graph.DeinterleaveHeads:
		return true
	}
	return false
}
