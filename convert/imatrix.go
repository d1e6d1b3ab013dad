package convert

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"olmo/model"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// Files of llama-imatrix (tools/imatrix/imatrix.cpp and common/imatrix-loader.cpp, build 11549) have for each tensor
// of a GGUF model the sums of squares of its columns and the number of tokens, or of each expert's: NAME.in_sum2
// and NAME.counts in a GGUF file; in the older format, .dat, means times the number of chunks.

// measuredMatrix is a tensor of a GGUF file whose columns can have an importance.
type measuredMatrix struct {
	name    string
	cols    int
	parts   int        // 1, or one for each expert
	params  [][]string // of each part
	partRow int        // rows of a part
}

// measuredMatrices lists the matrices of a model as GGUF files have them.
func measuredMatrices(c *model.Config) ([]measuredMatrix, error) {
	stored, err := c.Stored(model.GGUF)
	if err != nil {
		return nil, err
	}
	var list []measuredMatrix
	for _, s := range stored {
		n := len(s.Shape)
		if n < 2 {
			continue
		}
		m := measuredMatrix{name: s.Name, cols: s.Shape[n-1], parts: 1, partRow: s.Shape[n-2]}
		if n > 2 {
			m.parts = s.Shape[0]
		}
		m.params = make([][]string, m.parts)
		for _, r := range s.Rows {
			k := r.At / m.partRow
			m.params[k] = append(m.params[k], r.Param)
		}
		list = append(list, m)
	}
	return list, nil
}

// tokens are those of the text.
func (all importance) tokens() (n int) {
	for _, c := range all {
		n = max(n, c.tokens)
	}
	return n
}

// write makes a GGUF file of the importance, with the name of the text and the length of its windows.
func (all importance) write(path string, c *model.Config, text string, window int) error {
	matrices, err := measuredMatrices(c)
	if err != nil {
		return err
	}
	slices.SortFunc(matrices, func(a, b measuredMatrix) int { return strings.Compare(a.name, b.name) })
	var named []weights.Named
	for _, m := range matrices {
		sums, counts := make([]float32, m.parts*m.cols), make([]float32, m.parts)
		for k, params := range m.params {
			of := all[params[0]] // the rows of a part are multiplied with the same numbers
			if len(of.squares) == m.cols {
				copy(sums[k*m.cols:], of.squares)
				counts[k] = float32(of.tokens)
			}
		}
		if slices.Max(counts) == 0 {
			continue // a table that is only looked up in
		}
		named = append(named,
			weights.Named{Name: m.name + ".in_sum2", Tensor: tensor.FromFloat32([]int{m.parts, m.cols}, sums)},
			weights.Named{Name: m.name + ".counts", Tensor: tensor.FromFloat32([]int{m.parts, 1}, counts)})
	}
	return weights.WriteGGUF(path, []weights.KV{
		{Key: "general.type", Value: "imatrix"},
		{Key: "imatrix.datasets", Value: []string{text}},
		{Key: "imatrix.chunk_count", Value: uint32(all.tokens() / window)},
		{Key: "imatrix.chunk_size", Value: uint32(window)},
	}, named)
}

// readImatrix reads an importance file of either format, which has to be the model's, and tells how many of its
// matrices the file has nothing about.
func readImatrix(path string, c *model.Config) (all importance, missing []string, err error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	matrices, err := measuredMatrices(c)
	if err != nil {
		return nil, nil, err
	}
	of := map[string]measuredMatrix{}
	for _, m := range matrices {
		of[m.name] = m
	}
	all = importance{}
	r := bufio.NewReader(f)
	if magic, _ := r.Peek(4); bytes.Equal(magic, []byte("GGUF")) {
		err = all.readGGUF(path, of)
	} else {
		err = all.readLegacy(r, of)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the importance file %s: %w", path, err)
	}
	for _, m := range matrices {
		if all[m.params[0][0]].squares == nil {
			missing = append(missing, m.name)
		}
	}
	return all, missing, nil
}

// errOtherModel ends the errors about a file of another model.
const errOtherModel = "\nhint: the file was made with another model"

// fits refuses sums or counts of another matrix.
func (m *measuredMatrix) fits(sums, counts int) error {
	if sums == m.parts*m.cols && (counts == 1 || counts == m.parts) {
		return nil
	}
	return fmt.Errorf("%s has sums of %d columns and %d counts, the model's has %d columns in %d parts%s", m.name, sums, counts, m.cols, m.parts, errOtherModel)
}

// take keeps the sums of a matrix, by its number of tokens, or those of its parts.
func (all importance) take(m measuredMatrix, sums []float32, counts []float32) error {
	if err := m.fits(len(sums), len(counts)); err != nil {
		return err
	}
	for i, v := range sums {
		if !(v >= 0) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("%s, column %d: the sum of squares is %v", m.name, i%m.cols, v)
		}
	}
	for k, params := range m.params {
		count := counts[min(k, len(counts)-1)]
		if !(count >= 0 && count <= 1<<31 && count == float32(int(count))) {
			return fmt.Errorf("%s: %v is no number of tokens", m.name, count)
		}
		for _, p := range params {
			all[p] = columns{squares: sums[k*m.cols : (k+1)*m.cols], tokens: int(count)}
		}
	}
	return nil
}

func (all importance) readGGUF(path string, of map[string]measuredMatrix) error {
	g, err := weights.OpenGGUF(path)
	if err != nil {
		return err
	}
	defer g.Close()
	if kind, _ := g.Get("general.type"); kind != "imatrix" {
		return errors.New("general.type is not imatrix\nhint: llama-imatrix and olmo quantize --save-imatrix make such files")
	}
	for _, n := range g.All() {
		name, isSum := strings.CutSuffix(n.Name, ".in_sum2")
		name, isCount := strings.CutSuffix(name, ".counts")
		m, ok := of[name]
		switch other := map[bool]string{true: ".counts", false: ".in_sum2"}[isSum]; {
		case isSum == isCount:
			return fmt.Errorf("the tensor %s is neither sums (.in_sum2) nor counts", n.Name)
		case !g.Has(name + other):
			return fmt.Errorf("%s is there without %s%s", n.Name, name, other)
		case n.DType != tensor.F32:
			return fmt.Errorf("%s is %s, not f32", n.Name, strings.ToLower(n.DType.String()))
		case !ok:
			return fmt.Errorf("%s is no matrix of the model%s", name, errOtherModel)
		case isCount:
			continue // read with the sums
		}
		var values [2][]float32
		for i, suffix := range []string{".in_sum2", ".counts"} {
			t, err := g.Tensor(name + suffix)
			if err == nil {
				values[i], err = t.Float32s()
			}
			if err != nil {
				return err
			}
		}
		if err := all.take(m, slices.Clone(values[0]), slices.Clone(values[1])); err != nil {
			return err
		}
	}
	return nil
}

func (all importance) readLegacy(r io.Reader, of map[string]measuredMatrix) error {
	short := errors.New("it is no importance file, or not all of one\nhint: llama-imatrix and olmo quantize --save-imatrix make such files")
	number := func() int {
		var n int32
		if binary.Read(r, binary.LittleEndian, &n) != nil {
			return -1
		}
		return int(n)
	}
	entries := number()
	if entries < 1 || entries > 1<<20 {
		return short
	}
	for range entries {
		length := number()
		if length < 1 || length > 1<<10 {
			return short
		}
		name := make([]byte, length)
		if _, err := io.ReadFull(r, name); err != nil {
			return short
		}
		calls, n := number(), number()
		if calls < 0 || n < 1 {
			return short
		}
		m, ok := of[string(name)]
		if !ok {
			return fmt.Errorf("%.60q is no matrix of the model%s", name, errOtherModel)
		}
		if err := m.fits(n, 1); err != nil {
			return err
		}
		sums := make([]float32, n)
		if binary.Read(r, binary.LittleEndian, sums) != nil {
			return short
		}
		if err := all.take(m, sums, []float32{float32(max(calls, 1))}); err != nil {
			return err
		}
	}
	return nil // the number of chunks and the name of a text follow, or nothing
}
