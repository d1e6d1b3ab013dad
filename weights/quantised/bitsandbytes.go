package quantised

import (
	"encoding/json"
	"fmt"
	"strings"

	"olmo/tensor"
)

// bitsandbytes reads what Linear8bitLt and Linear4bit save.
//
// int8: weight (rows, cols) of I8, SCB (rows) the largest magnitude of a row. The weight is
// code·SCB/127, each product rounded to float32 (functional.int8_vectorwise_dequant).
//
// nf4 and fp4: the bytes of weight are two codes each, the upper half first, whose values are in
// quant_map; absmax has a scale for each block of them, or a code for it (double quantisation).
// Sizes are in quant_state, as JSON. The products are rounded to the dtype that the weight had,
// as functional.dequantize_4bit does.
func bitsandbytes(r *reader) error {
	for _, n := range r.set.All() {
		if base, ok := strings.CutSuffix(n.Name, ".SCB"); ok {
			if err := r.int8Rows(base); err != nil {
				return err
			}
		}
		for _, kind := range []string{"nf4", "fp4"} {
			if name, ok := strings.CutSuffix(n.Name, ".quant_state.bitsandbytes__"+kind); ok {
				if err := r.fourBits(name, n.Name, kind); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *reader) int8Rows(base string) error {
	name, scb, format := base+".weight", base+".SCB", base+".weight_format"
	rows, cols, err := r.matrix(name, tensor.I8)
	if err != nil {
		return err
	}
	if n := r.header(scb); n.DType != tensor.F32 {
		return fmt.Errorf("%w: %s holds %v numbers", ErrUnsupported, scb, n.DType)
	}
	if err := r.fits(scb, rows); err != nil {
		return err
	}
	parts := []string{name, scb}
	if r.has(format) {
		t, err := r.set.Tensor(format)
		if err != nil {
			return err
		}
		// The others are orders of tiles of certain GPUs.
		if v, err := t.Int64s(); err != nil || len(v) != 1 || v[0] != 0 {
			return fmt.Errorf("%w: %s is another order than row by row", ErrUnsupported, format)
		}
		parts = append(parts, format)
	}
	r.weight(name, "bitsandbytes int8", rows, cols, parts, func(out []float32) error {
		t, err := r.set.Tensor(name)
		if err != nil {
			return err
		}
		scale, err := r.float32s(scb)
		if err != nil {
			return err
		}
		for i := range rows {
			row, codes := out[i*cols:(i+1)*cols], t.Data[i*cols:]
			for j := range row {
				row[j] = float32(float32(int8(codes[j]))*scale[i]) * float32(7.874015718698502e-3)
			}
		}
		return nil
	})
	return nil
}

// quantState is the JSON of quant_state.
type quantState struct {
	Blocksize       int     `json:"blocksize"`
	DType           string  `json:"dtype"`
	Shape           []int   `json:"shape"`
	NestedBlocksize int     `json:"nested_blocksize"`
	NestedDType     string  `json:"nested_dtype"`
	NestedOffset    float64 `json:"nested_offset"`
}

// stateOf reads a quant_state, and checks what it says against the tensors beside it.
func (r *reader) stateOf(name, state string) (*quantState, tensor.DType, error) {
	t, err := r.set.Tensor(state)
	if err != nil {
		return nil, 0, err
	}
	var s quantState
	if err := json.Unmarshal(t.Data, &s); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", state, err)
	}
	dtype, ok := map[string]tensor.DType{"float32": tensor.F32, "float16": tensor.F16, "bfloat16": tensor.BF16}[s.DType]
	count, err := tensor.Count(s.Shape)
	if err != nil || !ok || len(s.Shape) != 2 || count == 0 || s.Blocksize <= 0 {
		return nil, 0, fmt.Errorf("%w: %s says blocks of %d of the shape %v in %.20q", ErrUnsupported, state, s.Blocksize, s.Shape, s.DType)
	}
	n := r.header(name)
	if size, err := n.DType.Bytes(n.Shape); err != nil || size != (count+1)/2 {
		return nil, 0, fmt.Errorf("%s has shape %v of %v, %s asks for %d bytes", name, n.Shape, n.DType, state, (count+1)/2)
	}
	blocks := (count + s.Blocksize - 1) / s.Blocksize
	if err := r.fits(name+".absmax", blocks); err != nil {
		return nil, 0, err
	}
	if err := r.fits(name+".quant_map", 16); err != nil {
		return nil, 0, err
	}
	nested := r.header(name+".absmax").DType == tensor.U8
	switch {
	case !nested && r.header(name+".absmax").DType != tensor.F32:
		return nil, 0, fmt.Errorf("%w: %s.absmax holds %v numbers", ErrUnsupported, name, r.header(name+".absmax").DType)
	case !nested:
		return &s, dtype, nil
	case s.NestedBlocksize <= 0 || s.NestedDType != "float32":
		return nil, 0, fmt.Errorf("%w: %s says nested blocks of %d in %.20q", ErrUnsupported, state, s.NestedBlocksize, s.NestedDType)
	}
	if err := r.fits(name+".nested_absmax", (blocks+s.NestedBlocksize-1)/s.NestedBlocksize); err != nil {
		return nil, 0, err
	}
	return &s, dtype, r.fits(name+".nested_quant_map", 256)
}

func (r *reader) fourBits(name, state, kind string) error {
	s, dtype, err := r.stateOf(name, state)
	if err != nil {
		return err
	}
	parts := []string{name, state, name + ".absmax", name + ".quant_map"}
	if r.header(name+".absmax").DType == tensor.U8 {
		parts = append(parts, name+".nested_absmax", name+".nested_quant_map")
	}
	r.weight(name, "bitsandbytes "+kind, s.Shape[0], s.Shape[1], parts, func(out []float32) error {
		t, err := r.set.Tensor(name)
		if err != nil {
			return err
		}
		values, err := r.float32s(name + ".quant_map")
		if err != nil {
			return err
		}
		scales, err := r.blockScales(name, s)
		if err != nil {
			return err
		}
		for i := range out {
			code := t.Data[i/2] >> 4
			if i%2 == 1 {
				code = t.Data[i/2] & 15
			}
			out[i] = round(dtype, values[code]*scales[i/s.Blocksize])
		}
		return nil
	})
	return nil
}

// blockScales returns the scale of each block of codes.
func (r *reader) blockScales(name string, s *quantState) ([]float32, error) {
	t, err := r.set.Tensor(name + ".absmax")
	if err != nil {
		return nil, err
	}
	if t.DType == tensor.F32 {
		return t.Float32s()
	}
	values, err := r.float32s(name + ".nested_quant_map")
	if err != nil {
		return nil, err
	}
	scales, err := r.float32s(name + ".nested_absmax")
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(t.Data))
	for i, code := range t.Data {
		out[i] = float32(values[code]*scales[i/s.NestedBlocksize]) + float32(s.NestedOffset)
	}
	return out, nil
}
