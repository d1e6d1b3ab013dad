package quantised

import (
	"fmt"
	"strings"

	"olmo/internal/parallel"
	"olmo/tensor"
)

// gptq reads what AutoGPTQ and GPTQModel save of a matrix (rows, cols): qweight (cols·bits/32,
// rows), whose columns are streams of codes; scales (groups, rows); qzeros (groups, rows·bits/32),
// whose rows are streams of zero points; and g_idx (cols), the group of each column, without
// which the groups follow each other. The weight is (code − zero)·scale in the dtype of the
// scales (gptqmodel's TorchLinear.dequantize_weight).
//
// The first version stores a zero point less one: of 2, 4 and 8 bits subtracted from the whole
// word, so that a zero borrows from its neighbour, of 3 bits from each by itself
// (convert_gptq_v1_to_v2_format_module).
func gptq(r *reader) error {
	bits, err := r.number("bits", 0)
	if err != nil {
		return err
	}
	size, err := r.number("group_size", -1)
	if err != nil {
		return err
	}
	format, ok := r.config["checkpoint_format"].(string)
	if !ok && r.config["checkpoint_format"] == nil {
		format = "gptq"
	}
	if format != "gptq" && format != "gptq_v2" {
		return fmt.Errorf("%w: checkpoint_format %.40v", ErrUnsupported, r.config["checkpoint_format"])
	}
	for _, n := range r.set.All() {
		if base, ok := strings.CutSuffix(n.Name, ".qweight"); ok {
			if err := r.gptqMatrix(base, bits, size, format); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) gptqMatrix(base string, bits, size int, format string) error {
	qweight, qzeros, scales, index := base+".qweight", base+".qzeros", base+".scales", base+".g_idx"
	packed, rows, err := r.matrix(qweight, tensor.I32)
	if err != nil {
		return err
	}
	groups, _, err := r.matrix(scales, floats...)
	if err != nil {
		return err
	}
	parts := []string{qweight, qzeros, scales}
	cols := 0
	if r.has(index) {
		// GPTQModel may give matrices bits of their own; the number of columns says which.
		if n := r.header(index); len(n.Shape) == 1 && n.Shape[0] > 0 {
			cols, bits = n.Shape[0], packed*32/n.Shape[0]
		}
		parts = append(parts, index)
	} else if bits > 0 {
		cols = packed * 32 / bits
		if size == -1 {
			size = cols
		}
		if size <= 0 || (cols+size-1)/size != groups {
			return fmt.Errorf("%s has %d groups, a group_size of %d asks for others", scales, groups, size)
		}
	}
	if bits != 2 && bits != 3 && bits != 4 && bits != 8 {
		return fmt.Errorf("%w: %s has codes of %d bits", ErrUnsupported, qweight, bits)
	}
	if cols*bits != packed*32 {
		return fmt.Errorf("%s has %d words for %d codes of %d bits", qweight, packed, cols, bits)
	}
	if err := r.fits(scales, groups, rows); err != nil {
		return err
	}
	if _, _, err := r.matrix(qzeros, tensor.I32); err != nil {
		return err
	}
	if err := r.fits(qzeros, groups, wordsOf(rows, bits)); err != nil {
		return err
	}
	r.weight(base+".weight", fmt.Sprintf("GPTQ %d-bit", bits), rows, cols, parts, func(out []float32) error {
		group := make([]int32, cols)
		for i := range group {
			group[i] = int32(i / max(size, 1))
		}
		if r.has(index) {
			if group, err = r.words(index); err != nil {
				return err
			}
		}
		for i, g := range group {
			if g < 0 || int(g) >= groups {
				return fmt.Errorf("%s puts column %d into group %d of %d", index, i, g, groups)
			}
		}
		zeros, err := r.gptqZeros(qzeros, groups, rows, bits, format)
		if err != nil {
			return err
		}
		return r.groupsOfRows(out, base, rows, cols, group, zeros, func(codes []int32, i, row int) uint32 {
			return field(codes, row, rows, i, bits)
		})
	})
	return nil
}

// gptqZeros returns the zero points (groups, rows).
func (r *reader) gptqZeros(name string, groups, rows, bits int, format string) ([]float32, error) {
	words, err := r.words(name)
	if err != nil {
		return nil, err
	}
	across, less := wordsOf(rows, bits), uint32(0)
	if format == "gptq" {
		less = 1
		if bits != 3 {
			one := int32(0x01010101)
			switch bits {
			case 2:
				one = 0x55555555
			case 4:
				one = 0x11111111
			}
			whole := make([]int32, len(words))
			for i, w := range words {
				whole[i] = w + one
			}
			words, less = whole, 0
		}
	}
	zeros := make([]float32, groups*rows)
	for g := range groups {
		for i := range rows {
			zeros[g*rows+i] = float32((field(words, g*across, 1, i, bits) + less) & (1<<bits - 1))
		}
	}
	return zeros, nil
}

// groupsOfRows writes weights (rows, cols) from codes that lie column by column: code returns
// that of a column and a row. zeros and base.scales are (groups, rows).
func (r *reader) groupsOfRows(out []float32, base string, rows, cols int, group []int32, zeros []float32, code func(codes []int32, i, row int) uint32) error {
	codes, err := r.words(base + ".qweight")
	if err != nil {
		return err
	}
	scales, err := r.float32s(base + ".scales")
	if err != nil {
		return err
	}
	dtype := r.header(base + ".scales").DType
	const tile = 32 // rows at a time: one column's codes of them lie beside each other
	parallel.For((rows+tile-1)/tile, func(t int) {
		for i := range cols {
			at := int(group[i]) * rows
			for row := t * tile; row < min((t+1)*tile, rows); row++ {
				x := float32(code(codes, i, row)) - zeros[at+row]
				out[row*cols+i] = round(dtype, x*scales[at+row])
			}
		}
	})
	return nil
}
