package quantised

import (
	"fmt"
	"strings"

	"olmo/tensor"
)

// awqShift is where in a word of eight codes that of each row lies: even rows come first.
var awqShift = [8]int{0, 16, 4, 20, 8, 24, 12, 28}

// awq reads what AutoAWQ saves of a matrix (rows, cols) in its version gemm: qweight (cols,
// rows/8) of eight codes a word, qzeros (groups, rows/8) packed alike, scales (groups, rows). The
// weight is (code − zero)·scale in the dtype of the scales (awq's packing_utils.dequantize_gemm).
func awq(r *reader) error {
	bits, err := r.number("bits", 4)
	if err != nil {
		return err
	}
	version, ok := r.config["version"].(string)
	if version = strings.ToLower(version); !ok && r.config["version"] == nil {
		version = "gemm"
	}
	if bits != 4 || version != "gemm" {
		return fmt.Errorf("%w: version %.40v of %d bits", ErrUnsupported, r.config["version"], bits)
	}
	for _, n := range r.set.All() {
		if base, ok := strings.CutSuffix(n.Name, ".qweight"); ok {
			if err := r.awqMatrix(base); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) awqMatrix(base string) error {
	qweight, qzeros, scales := base+".qweight", base+".qzeros", base+".scales"
	cols, packed, err := r.matrix(qweight, tensor.I32)
	if err != nil {
		return err
	}
	groups, rows, err := r.matrix(scales, floats...)
	if err != nil {
		return err
	}
	if _, _, err := r.matrix(qzeros, tensor.I32); err != nil {
		return err
	}
	if rows != 8*packed || cols%groups != 0 {
		return fmt.Errorf("%s has shape %v, %s has %v", qweight, []int{cols, packed}, scales, []int{groups, rows})
	}
	if err := r.fits(qzeros, groups, packed); err != nil {
		return err
	}
	code := func(words []int32, i, row int) uint32 {
		return uint32(words[i*packed+row/8]) >> awqShift[row%8] & 15
	}
	r.weight(base+".weight", "AWQ 4-bit", rows, cols, []string{qweight, qzeros, scales}, func(out []float32) error {
		words, err := r.words(qzeros)
		if err != nil {
			return err
		}
		zeros := make([]float32, groups*rows)
		for i := range zeros {
			zeros[i] = float32(code(words, i/rows, i%rows))
		}
		group := make([]int32, cols)
		for i := range group {
			group[i] = int32(i / (cols / groups))
		}
		return r.groupsOfRows(out, base, rows, cols, group, zeros, code)
	})
	return nil
}
