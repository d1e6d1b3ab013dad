package train

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/data/tokens"
)

// TestBatchInputs: each token's target is the next one of its sequence; what is masked, padding, or
// the last of a sequence has none. Documents do not see each other, also where a sequence is
// cut out of their middle.
func TestBatchInputs(t *testing.T) {
	// Two instances of six tokens; 9 is padding.
	ids := []int32{1, 2, 3, 4, 5, 6, 7, 8, 1, 9, 9, 9}
	for _, c := range []struct {
		name     string
		item     tokens.Batch
		from, to int
		length   int
		pad      int32
		targets  []int32
		first    [][]int32
		padding  [][]bool
	}{
		{"plain", tokens.Batch{}, 0, 2, 6, -1, []int32{2, 3, 4, 5, 6, -1, 8, 1, 9, 9, 9, -1}, make([][]int32, 2), make([][]bool, 2)},
		{"the second", tokens.Batch{}, 1, 2, 6, -1, []int32{8, 1, 9, 9, 9, -1}, make([][]int32, 1), make([][]bool, 1)},
		{"cut into shorter sequences", tokens.Batch{}, 0, 1, 3, -1, []int32{2, 3, -1, 5, 6, -1}, make([][]int32, 2), make([][]bool, 2)},
		{"padding", tokens.Batch{}, 0, 2, 6, 9, []int32{2, 3, 4, 5, 6, -1, 8, 1, -1, -1, -1, -1}, make([][]int32, 2), [][]bool{nil, {false, false, false, true, true, true}}},
		{"padding in a part", tokens.Batch{}, 1, 2, 3, 9, []int32{8, 1, -1, -1, -1, -1}, make([][]int32, 2), [][]bool{nil, {true, true, true}}},
		{"a masked instance", tokens.Batch{InstanceMask: []bool{false, true}}, 0, 2, 6, -1, []int32{-1, -1, -1, -1, -1, -1, 8, 1, 9, 9, 9, -1}, make([][]int32, 2), make([][]bool, 2)},
		{
			"masked labels",
			tokens.Batch{LabelMask: []bool{true, true, false, true, false, true, true, false, true, true, true, true}},
			0, 2, 6, -1,
			[]int32{2, -1, 4, -1, 6, -1, -1, 1, 9, 9, 9, -1},
			make([][]int32, 2), make([][]bool, 2),
		},
		{"documents", tokens.Batch{DocLens: [][]int32{{2, 4}, {6}}}, 0, 2, 6, -1, []int32{2, 3, 4, 5, 6, -1, 8, 1, 9, 9, 9, -1}, [][]int32{{0, 0, 2, 2, 2, 2}, {0, 0, 0, 0, 0, 0}}, make([][]bool, 2)},
		{"documents in parts", tokens.Batch{DocLens: [][]int32{{1, 4, 1}, {6}}}, 0, 1, 3, -1, []int32{2, 3, -1, 5, 6, -1}, [][]int32{{0, 1, 1}, {0, 0, 2}}, make([][]bool, 2)},
	} {
		in := item{Batch: c.item}
		in.IDs, in.B, in.T = ids, 2, 6
		b := in.inputs(c.from, c.to, c.length, c.pad)
		if !slices.Equal(b.IDs, ids[c.from*6:c.to*6]) || !slices.Equal(b.Targets, c.targets) || len(b.Segments) != len(c.first) {
			t.Errorf("%s: ids %v, targets %v in %d sequences; want %v in %d", c.name, b.IDs, b.Targets, len(b.Segments), c.targets, len(c.first))
			continue
		}
		for i, s := range b.Segments {
			if s.Rows != c.length || !slices.Equal(s.First, c.first[i]) || !slices.Equal(s.Padding, c.padding[i]) {
				t.Errorf("%s: sequence %d of %d tokens sees from %v, padding %v; want %v, %v", c.name, i, s.Rows, s.First, s.Padding, c.first[i], c.padding[i])
			}
		}
	}
}

// TestFingerprint: token files are the same when sizes, contents and how they are cut are,
// wherever they lie; a changed byte of a small file, or at the end of a large one, shows.
func TestFingerprint(t *testing.T) {
	write := func(name string, n int, change int) string {
		t.Helper()
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(i * 7)
		}
		if change >= 0 {
			text[change]++
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	of := func(change func(c *Config), paths ...string) string {
		t.Helper()
		c := DefaultConfig()
		c.Model.MaxSequenceLength, c.Data.Paths = 8, paths
		if change != nil {
			change(c)
		}
		sum, err := c.fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	const small, large = 1000, 3 << 20
	base, other := write("a", small, -1), write("b", small, 3)
	want := of(nil, base)
	if got := of(nil, write("another name", small, -1)); got != want {
		t.Error("a copy under another name is another one")
	}
	for name, got := range map[string]string{
		"a changed byte":   of(nil, write("a", small, 999)),
		"a byte more":      of(nil, write("a", small+1, -1)),
		"another length":   of(func(c *Config) { c.Model.MaxSequenceLength = 16 }, base),
		"another type":     of(func(c *Config) { c.Data.MemmapDType = "uint32" }, base),
		"another layout":   of(func(c *Config) { c.Data.Name = tokens.Padded }, base),
		"a mask":           of(func(c *Config) { c.Data.LabelMaskPaths = []string{other} }, base),
		"two files":        of(nil, base, other),
		"in another order": of(nil, other, base),
	} {
		if got == want || name == "in another order" && got == of(nil, base, other) {
			t.Errorf("%s is taken for the same", name)
		}
	}
	whole := of(nil, write("l", large, -1))
	for _, at := range []int{0, 4095, large - 1, large - 4096} {
		if of(nil, write("l", large, at)) == whole {
			t.Errorf("a change at byte %d of %d is not seen", at, large)
		}
	}
	c := DefaultConfig()
	c.Data.Paths = []string{filepath.Join(t.TempDir(), "none")}
	if _, err := c.fingerprint(); err == nil {
		t.Error("a file that is gone has a fingerprint")
	}
}

// TestLayoutFingerprint: every setting that makes other instances is in it.
func TestLayoutFingerprint(t *testing.T) {
	packed := tokens.DatasetConfig{Layout: tokens.Packed, EOS: 1, Long: tokens.Truncate, SourceGroup: 1}
	inter := tokens.DatasetConfig{Layout: tokens.Interleaved, EOS: 1, DocsPerInstance: 2, ChunksPerDoc: 2, InterleaveSeed: 3, Paths: []string{"x", "y"}, Exempt: []string{"y"}}
	variable := tokens.DatasetConfig{Layout: tokens.Variable, EOS: 1, MinLength: 4}
	if got := layout(&tokens.DatasetConfig{Layout: tokens.Chunks, EOS: 5}); got != "" {
		t.Errorf("of chunks %q", got)
	}
	for name, change := range map[string]func() [2]tokens.DatasetConfig{
		"end of text": func() [2]tokens.DatasetConfig { d := packed; d.EOS = 2; return [2]tokens.DatasetConfig{packed, d} },
		"long": func() [2]tokens.DatasetConfig {
			d := packed
			d.Long = tokens.Fragment
			return [2]tokens.DatasetConfig{packed, d}
		},
		"group": func() [2]tokens.DatasetConfig {
			d := packed
			d.SourceGroup = 2
			return [2]tokens.DatasetConfig{packed, d}
		},
		"documents": func() [2]tokens.DatasetConfig {
			d := inter
			d.DocsPerInstance = 3
			return [2]tokens.DatasetConfig{inter, d}
		},
		"chunks": func() [2]tokens.DatasetConfig {
			d := inter
			d.ChunksPerDoc = 3
			return [2]tokens.DatasetConfig{inter, d}
		},
		"seed": func() [2]tokens.DatasetConfig {
			d := inter
			d.InterleaveSeed = 4
			return [2]tokens.DatasetConfig{inter, d}
		},
		"exempt": func() [2]tokens.DatasetConfig {
			d := inter
			d.Exempt = []string{"x"}
			return [2]tokens.DatasetConfig{inter, d}
		},
		"least length": func() [2]tokens.DatasetConfig {
			d := variable
			d.MinLength = 8
			return [2]tokens.DatasetConfig{variable, d}
		},
		"layout": func() [2]tokens.DatasetConfig {
			return [2]tokens.DatasetConfig{{Layout: tokens.Padded, EOS: 1}, {Layout: tokens.Padded, EOS: 2}}
		},
	} {
		pair := change()
		if a, b := layout(&pair[0]), layout(&pair[1]); a == b {
			t.Errorf("%s: both are %q", name, a)
		}
	}
}
