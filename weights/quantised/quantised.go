// Package quantised reads the weights that a package stored as codes and scales in a Hugging Face
// folder: bitsandbytes, GPTQ, AWQ, fp8 and compressed-tensors.
//
// A way of storing is read only when its own package's dequantisation, run on the processor, gave
// the numbers that the tests compare with, bit for bit. Every other one is ErrUnsupported.
package quantised

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"olmo/internal/parallel"
	"olmo/tensor"
	"olmo/weights"
)

// ErrUnsupported is a way of storing weights that is not read.
var ErrUnsupported = errors.New("its codes are not read")

// methods are the names that quantization_config gives the packages, and what reads theirs.
var methods = map[string]func(r *reader) error{
	"bitsandbytes":       bitsandbytes,
	"gptq":               gptq,
	"awq":                awq,
	"fp8":                fp8,
	"compressed-tensors": compressedTensors,
}

// Opened is a checkpoint whose codes are read as the weights that they stand for.
type Opened struct {
	// Set has the weights under the names that they have in the model before quantisation, as
	// F32, each computed when it is asked for. It shares the files of the set that was given, of
	// which one is closed, not both.
	Set *weights.Set
	// Stored says how they lie in the files: "GPTQ 4-bit".
	Stored string
	// Notes say, as sentences, what of the files is left out.
	Notes []string
}

// Open reads a set by the quantization_config that stands in the config.json beside it. method is
// its quant_method. Nothing but headers and scales' lists is read. ErrUnsupported: the method, or
// what the config or the tensors say of it, is not read.
func Open(set *weights.Set, method string, config map[string]any) (*Opened, error) {
	read, ok := methods[method]
	if !ok {
		return nil, ErrUnsupported
	}
	r := &reader{set: set, config: config, stored: map[string]bool{}}
	if err := read(r); err != nil {
		return nil, err
	}
	if len(r.weights) == 0 {
		return nil, fmt.Errorf("%w: no tensor is stored so", ErrUnsupported)
	}
	derived, err := set.Derive(r.gone, r.weights)
	if err != nil {
		return nil, err
	}
	o := &Opened{Set: derived, Stored: strings.Join(slices.Sorted(maps.Keys(r.stored)), ", ")}
	if r.activations > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("scales of activations and caches are left out (tensors: %d): both are computed in float32", r.activations))
	}
	return o, nil
}

// reader collects what Open returns.
type reader struct {
	set         *weights.Set
	config      map[string]any
	weights     []weights.Named
	gone        []string
	stored      map[string]bool
	activations int // tensors that scale what is no weight
}

// has reports whether all tensors are there.
func (r *reader) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !r.set.Has(name) })
}

// header returns a tensor without its bytes; of one that is not there the zero value.
func (r *reader) header(name string) weights.Named {
	n, _ := r.set.Header(name)
	return n
}

// weight adds a weight (rows, cols) that load computes from the tensors parts, which go.
func (r *reader) weight(name, stored string, rows, cols int, parts []string, load func(out []float32) error) {
	r.stored[stored] = true
	r.gone = append(r.gone, parts...)
	shape := []int{rows, cols}
	r.weights = append(r.weights, weights.Named{
		Name: name, Tensor: tensor.Tensor{DType: tensor.F32, Shape: shape},
		Load: func() ([]byte, error) {
			n, err := tensor.Count(shape)
			if err != nil {
				return nil, err
			}
			out := make([]float32, n)
			if err := load(out); err != nil {
				return nil, err
			}
			return tensor.FromFloat32(shape, out).Data, nil
		},
	})
}

// float32s returns the numbers of a tensor.
func (r *reader) float32s(name string) ([]float32, error) {
	t, err := r.set.Tensor(name)
	if err != nil {
		return nil, err
	}
	return t.Float32s()
}

// words returns the words of 32 bits of a tensor of I32.
func (r *reader) words(name string) ([]int32, error) {
	t, err := r.set.Tensor(name)
	if err != nil {
		return nil, err
	}
	return t.Int32s()
}

// matrix returns the two dimensions of a tensor of one of the dtypes.
func (r *reader) matrix(name string, dtypes ...tensor.DType) (rows, cols int, err error) {
	n := r.header(name)
	switch {
	case !slices.Contains(dtypes, n.DType):
		return 0, 0, fmt.Errorf("%w: %s holds %v numbers", ErrUnsupported, name, n.DType)
	case len(n.Shape) != 2 || n.Shape[0] == 0 || n.Shape[1] == 0:
		return 0, 0, fmt.Errorf("%w: %s has shape %v, not rows and columns", ErrUnsupported, name, n.Shape)
	}
	return n.Shape[0], n.Shape[1], nil
}

// fits reports a tensor that has another shape than the codes ask for.
func (r *reader) fits(name string, want ...int) error {
	if n := r.header(name); !slices.Equal(n.Shape, want) {
		return fmt.Errorf("%s has shape %v, the codes beside it ask for %v", name, n.Shape, want)
	}
	return nil
}

// floats are the dtypes in which scales are stored.
var floats = []tensor.DType{tensor.F32, tensor.F16, tensor.BF16}

// number returns a whole number of the config, or missing where it says none.
func (r *reader) number(key string, missing int) (int, error) {
	switch v := r.config[key].(type) {
	case nil:
		return missing, nil
	case float64:
		if v == float64(int(v)) {
			return int(v), nil
		}
	}
	return 0, fmt.Errorf("%w: %s is %.40v", ErrUnsupported, key, r.config[key])
}

// round rounds to what d holds: most packages compute weights in the dtype of the scales.
func round(d tensor.DType, x float32) float32 {
	switch d {
	case tensor.F16:
		return tensor.F16ToFloat32(tensor.F16FromFloat32(x))
	case tensor.BF16:
		return math.Float32frombits(uint32(tensor.BF16FromFloat32(x)) << 16)
	}
	return x
}

// grid is scales, and zero points where there are some, of blocks of a matrix.
type grid struct {
	scales, zeros []float32
	across        int // blocks beside each other
	height, width int // of a block
	dtype         tensor.DType
}

// apply makes weights of codes (rows, cols): (code − zero)·scale, rounded to the grid's dtype.
func (g *grid) apply(v []float32, rows, cols int) {
	parallel.For(rows, func(i int) {
		at := i / g.height * g.across
		row := v[i*cols : (i+1)*cols]
		for j := range row {
			k := at + j/g.width
			x := row[j]
			if g.zeros != nil {
				x -= g.zeros[k]
			}
			row[j] = round(g.dtype, x*g.scales[k])
		}
	})
}

// field returns the whole number of the given bits at place i of a stream of words, of which
// the next one is stride further on. The lowest bits come first.
func field(words []int32, at, stride, i, bits int) uint32 {
	bit := i * bits
	at += bit / 32 * stride
	v := uint32(words[at]) >> (bit % 32)
	if over := bit%32 + bits - 32; over > 0 {
		v |= uint32(words[at+stride]) << (bits - over)
	}
	return v & (1<<bits - 1)
}

// wordsOf is how many words of 32 bits hold n numbers.
func wordsOf(n, bits int) int { return (n*bits + 31) / 32 }
