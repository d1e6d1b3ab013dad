package quantised

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/tensor"
)

// compressedTensors reads what the package of that name saves, in the formats below; which one a
// matrix has, its tensors say. A weight is (code − zero)·scale in the dtype of the scales, whose
// shape says what shares one: all, a row, a group of a row, or a block
// (quantization/lifecycle/forward.py, _dequantize).
//
//   - naive, int and float: weight (rows, cols) of I8 or 8-bit floats, weight_scale, and
//     weight_zero_point of the same shape where they are asymmetric.
//   - pack: weight_packed (rows, cols·bits/32), whose rows are streams of codes plus half their
//     range, and weight_shape; weight_zero_point is packed alike, column by column.
//   - mxfp4: weight_packed (rows, cols/2) of two 4-bit floats a byte, the lower half first;
//     weight_scale is the exponent of a power of two, plus 127.
//   - nvfp4: as mxfp4, with scales of 8-bit floats that weight_global_scale divides. The result
//     is rounded to BF16.
func compressedTensors(r *reader) error {
	formats := []string{"naive-quantized", "int-quantized", "float-quantized", "pack-quantized", "mxfp4-pack-quantized", "nvfp4-pack-quantized", "mixed-precision"}
	if format, ok := r.config["format"].(string); !ok || !slices.Contains(formats, format) {
		return fmt.Errorf("%w: format %.40v", ErrUnsupported, r.config["format"])
	}
	if s, ok := r.config["sparsity_config"].(map[string]any); ok && len(s) > 0 && s["format"] != nil && s["format"] != "dense" {
		return fmt.Errorf("%w: the format %.40v of its sparsity_config", ErrUnsupported, s["format"])
	}
	for _, n := range r.set.All() {
		base, ok := strings.CutSuffix(n.Name, ".weight_scale")
		if ok {
			if err := r.compressed(base); err != nil {
				return err
			}
		}
		for _, end := range []string{".input_scale", ".input_zero_point", ".input_global_scale", ".output_scale", ".output_zero_point", ".k_scale", ".v_scale", ".q_scale"} {
			if strings.HasSuffix(n.Name, end) {
				r.gone = append(r.gone, n.Name)
				r.activations++
			}
		}
	}
	return nil
}

func (r *reader) compressed(base string) error {
	if r.has(base + ".weight_g_idx") {
		return fmt.Errorf("%w: %s.weight_g_idx, groups out of order", ErrUnsupported, base)
	}
	packed := r.header(base + ".weight_packed")
	switch {
	case packed.DType == tensor.I32:
		return r.packed(base)
	case packed.DType == tensor.U8:
		return r.float4(base)
	}
	n := r.header(base + ".weight")
	if n.DType.IsFloat() && n.DType.Size() > 1 {
		return nil // calibrated, but not compressed: the scale is then a tensor without a place
	}
	rows, cols, err := r.matrix(base+".weight", tensor.I8, tensor.F8_E4M3)
	if err != nil {
		return err
	}
	scale, zero := base+".weight_scale", base+".weight_zero_point"
	g, err := r.gridOf(scale, rows, cols)
	if err != nil {
		return err
	}
	parts := []string{base + ".weight", scale}
	if !r.has(zero) {
		zero = ""
	} else if parts = append(parts, zero); !slices.Equal(r.header(zero).Shape, r.header(scale).Shape) {
		return fmt.Errorf("%s has shape %v, %s has %v", zero, r.header(zero).Shape, scale, r.header(scale).Shape)
	}
	kind := map[tensor.DType]string{tensor.I8: "int8", tensor.F8_E4M3: "fp8"}[n.DType]
	r.weight(base+".weight", "compressed-tensors "+kind, rows, cols, parts, func(out []float32) error {
		return r.scaled(out, g, base+".weight", scale, zero)
	})
	return nil
}

// packed reads codes of 1 to 8 bits.
func (r *reader) packed(base string) error {
	name, scale, zero, shape := base+".weight_packed", base+".weight_scale", base+".weight_zero_point", base+".weight_shape"
	rows, words, err := r.matrix(name, tensor.I32)
	if err != nil {
		return err
	}
	size, err := r.set.Tensor(shape)
	if err != nil {
		return err
	}
	dims, err := size.Int64s()
	if err != nil {
		return err
	}
	if len(dims) != 2 || dims[0] != int64(rows) || dims[1] < 1 || dims[1] > int64(words)*32 {
		return fmt.Errorf("%s says %v, %s has %d rows of %d words", shape, dims, name, rows, words)
	}
	cols := int(dims[1])
	bits := words * 32 / cols
	if bits < 1 || bits > 8 || wordsOf(cols, bits) != words {
		return fmt.Errorf("%w: %s has rows of %d words for %d codes", ErrUnsupported, name, words, cols)
	}
	g, err := r.gridOf(scale, rows, cols)
	if err != nil {
		return err
	}
	parts, half := []string{name, scale, shape}, 1<<(bits-1)
	asymmetric := r.has(zero)
	if asymmetric {
		if g.height != 1 || len(r.header(scale).Shape) != 2 {
			return fmt.Errorf("%w: %s of other scales than rows' or groups'", ErrUnsupported, zero)
		}
		if _, _, err := r.matrix(zero, tensor.I32); err != nil {
			return err
		}
		if err := r.fits(zero, wordsOf(rows, bits), g.across); err != nil {
			return err
		}
		parts = append(parts, zero)
	}
	r.weight(base+".weight", fmt.Sprintf("compressed-tensors %d-bit", bits), rows, cols, parts, func(out []float32) error {
		codes, err := r.words(name)
		if err != nil {
			return err
		}
		for i := range out {
			out[i] = float32(int(field(codes, i/cols*words, 1, i%cols, bits)) - half)
		}
		g := *g
		if asymmetric {
			points, err := r.words(zero)
			if err != nil {
				return err
			}
			g.zeros = make([]float32, rows*g.across)
			for i := range g.zeros {
				g.zeros[i] = float32(int(field(points, i%g.across, g.across, i/g.across, bits)) - half)
			}
		}
		return r.scale(out, g, rows, cols, scale, "")
	})
	return nil
}

// float4Values are those of the codes of 4-bit floats (E2M1).
var float4Values = [16]float32{0, 0.5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -0.5, -1, -1.5, -2, -3, -4, -6}

// float4 reads mxfp4 and nvfp4.
func (r *reader) float4(base string) error {
	name, scale, global := base+".weight_packed", base+".weight_scale", base+".weight_global_scale"
	rows, packed, err := r.matrix(name, tensor.U8)
	if err != nil {
		return err
	}
	cols, kind, parts := 2*packed, "mxfp4", []string{name, scale}
	if r.has(global) {
		kind, parts = "nvfp4", append(parts, global)
		if n := r.header(global); n.DType != tensor.F32 || !slices.Equal(n.Shape, []int{1}) {
			return fmt.Errorf("%w: %s has shape %v of %v", ErrUnsupported, global, n.Shape, n.DType)
		}
	}
	down, across, err := r.matrix(scale, map[string]tensor.DType{"mxfp4": tensor.U8, "nvfp4": tensor.F8_E4M3}[kind])
	if err != nil {
		return err
	}
	if down != rows || cols%across != 0 {
		return fmt.Errorf("%s has shape %v, which scales no matrix of %d×%d", scale, []int{down, across}, rows, cols)
	}
	r.weight(base+".weight", "compressed-tensors "+kind, rows, cols, parts, func(out []float32) error {
		t, err := r.set.Tensor(name)
		if err != nil {
			return err
		}
		for i := range out {
			out[i] = float4Values[t.Data[i/2]>>(i%2*4)&15]
		}
		g := grid{across: across, height: 1, width: cols / across, dtype: tensor.BF16}
		g.scales, err = r.float4Scales(scale, global)
		if err != nil {
			return err
		}
		g.apply(out, rows, cols)
		return nil
	})
	return nil
}

// float4Scales returns the scales of groups; without a global one they are exponents.
func (r *reader) float4Scales(scale, global string) ([]float32, error) {
	v, err := r.float32s(scale)
	if err != nil {
		return nil, err
	}
	if !r.has(global) {
		for i, e := range v {
			v[i] = float32(math.Ldexp(1, int(e)-127))
		}
		return v, nil
	}
	whole, err := r.float32s(global)
	if err != nil {
		return nil, err
	}
	for i := range v {
		v[i] /= whole[0]
	}
	return v, nil
}
