package quantised

import (
	"fmt"
	"strings"

	"olmo/tensor"
)

// fp8 reads what Transformers' FineGrainedFP8Config stores, as DeepSeek does: weight (rows, cols)
// of 8-bit floats, weight_scale_inv what each block of weight_block_size has to be multiplied by,
// or one number. The product is computed and kept in float32, as Transformers' Fp8Dequantize
// does in a model of float32.
func fp8(r *reader) error {
	for _, n := range r.set.All() {
		if base, ok := strings.CutSuffix(n.Name, ".weight_scale_inv"); ok {
			if err := r.fp8Blocks(base); err != nil {
				return err
			}
		}
		if strings.HasSuffix(n.Name, ".activation_scale") {
			r.gone = append(r.gone, n.Name)
			r.activations++
		}
	}
	return nil
}

func (r *reader) fp8Blocks(base string) error {
	name, scale := base+".weight", base+".weight_scale_inv"
	rows, cols, err := r.matrix(name, tensor.F8_E4M3, tensor.F8_E5M2)
	if err != nil {
		return err
	}
	g, err := r.gridOf(scale, rows, cols)
	if err != nil {
		return err
	}
	if rows%g.height != 0 || cols%g.width != 0 {
		return fmt.Errorf("%w: the blocks of %s do not fill %s of shape %v", ErrUnsupported, scale, name, []int{rows, cols})
	}
	g.dtype = tensor.F32
	r.weight(name, "fp8", rows, cols, []string{name, scale}, func(out []float32) error {
		return r.scaled(out, g, name, scale, "")
	})
	return nil
}

// gridOf returns the grid of scales of a matrix (rows, cols) without their numbers: one number
// for all, one for each row, or one for each block of weight_block_size or, where that is not
// given, of what divides the matrix.
func (r *reader) gridOf(scale string, rows, cols int) (*grid, error) {
	n := r.header(scale)
	if n.DType != tensor.F32 && n.DType != tensor.F16 && n.DType != tensor.BF16 {
		return nil, fmt.Errorf("%w: %s holds %v numbers", ErrUnsupported, scale, n.DType)
	}
	down, across := 1, 1
	switch {
	case len(n.Shape) == 2:
		down, across = n.Shape[0], n.Shape[1]
	case len(n.Shape) == 1:
		down = n.Shape[0]
	case len(n.Shape) > 2:
		down = 0
	}
	if down < 1 || across < 1 {
		return nil, fmt.Errorf("%s has shape %v, which scales no matrix of %d×%d", scale, n.Shape, rows, cols)
	}
	g := &grid{across: across, height: rows / down, width: cols / across, dtype: n.DType}
	if h, w := r.block(); h > 0 && (rows+h-1)/h == down && (cols+w-1)/w == across {
		g.height, g.width = h, w
		return g, nil
	}
	if down > rows || across > cols || rows%down != 0 || cols%across != 0 {
		return nil, fmt.Errorf("%s has shape %v, which scales no matrix of %d×%d", scale, n.Shape, rows, cols)
	}
	return g, nil
}

// block returns the height and width of a block that the config says, or 0.
func (r *reader) block() (height, width int) {
	list, _ := r.config["weight_block_size"].([]any)
	if groups, ok := r.config["config_groups"].(map[string]any); ok && len(groups) == 1 {
		for _, v := range groups {
			group, _ := v.(map[string]any)
			weights, _ := group["weights"].(map[string]any)
			list, _ = weights["block_structure"].([]any)
		}
	}
	if len(list) != 2 {
		return 0, 0
	}
	h, _ := list[0].(float64)
	w, _ := list[1].(float64)
	if h < 1 || w < 1 || h != float64(int(h)) || w != float64(int(w)) {
		return 0, 0
	}
	return int(h), int(w)
}

// scaled writes the numbers of a tensor, scaled by the grid, to out; zero may name zero points.
func (r *reader) scaled(out []float32, g *grid, name, scale, zero string) error {
	codes, err := r.float32s(name)
	if err != nil {
		return err
	}
	copy(out, codes)
	n := r.header(name)
	return r.scale(out, *g, n.Shape[0], n.Shape[1], scale, zero)
}

// scale is scaled for codes that are in out.
func (r *reader) scale(out []float32, g grid, rows, cols int, scale, zero string) (err error) {
	if g.scales, err = r.float32s(scale); err != nil {
		return err
	}
	if zero != "" {
		if g.zeros, err = r.float32s(zero); err != nil {
			return err
		}
	}
	g.apply(out, rows, cols)
	return nil
}
