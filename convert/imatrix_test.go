package convert

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// testdata/llama-imatrix.gguf and .dat are llama-imatrix's of lmtest's model and testdata/calibrate.txt (build 11549):
//
//	olmo convert --from MODEL --to gguf --dtype f32 --out tiny.gguf
//	llama-imatrix -m tiny.gguf -f calibrate.txt -o llama-imatrix.gguf -c 64 -b 64 -ub 64 -t 1 --no-ppl --process-output
//
// and with --output-format dat.

// calibrationText is enough to calibrate on.
func calibrationText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/calibrate.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAsLlamaImatrix: what is measured is what llama-imatrix measures, and both of its formats are read.
func TestAsLlamaImatrix(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	l := opened(t, dir)
	tok, err := lm.TokenizerOf(l)
	if err != nil {
		t.Fatal(err)
	}
	list, err := windows(tok, l.Config, []string{calibrationText(t)})
	if err != nil {
		t.Fatal(err)
	}
	if len(list[len(list)-1]) < l.Config.T { // llama-imatrix leaves the rest out
		list = list[:len(list)-1]
	}
	_, measured := measured(t, dir, list)
	for _, file := range []string{"testdata/llama-imatrix.gguf", "testdata/llama-imatrix.dat"} {
		theirs, missing, err := readImatrix(file, l.Config)
		if err != nil || len(theirs) != len(measured) || strings.Join(missing, " ") != "token_embd.weight" {
			t.Fatalf("%s: %d matrices, %v missing (%v); measured were %d", file, len(theirs), missing, err, len(measured))
		}
		worst, where := 0.0, ""
		for name, c := range theirs {
			want := measured[name].mean()
			for i, got := range c.mean() {
				if off := math.Abs(float64(got/want[i] - 1)); off > worst {
					worst, where = off, name
				}
			}
		}
		// llama.cpp keeps keys and values in half precision.
		if worst > 3e-3 {
			t.Errorf("%s: %s is off by %.2g", file, where, worst)
		}
	}
}

// TestImatrix: what is written is read again, of experts too, and quantises as what was measured.
func TestImatrix(t *testing.T) {
	for _, name := range []string{"mixtral", "gpt2"} {
		c := llamaModels()[name]
		c.Layers = 1
		dir := t.TempDir()
		path, file := filepath.Join(dir, "model.gguf"), filepath.Join(dir, "imatrix.gguf")
		if err := model.SaveGGUF(path, c, randomOf(c), tensor.F32, nil, nil); err != nil {
			t.Fatal(err)
		}
		l, columns := measured(t, path, [][]int32{{1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11, 12, 13}})
		if err := columns.write(file, l.Config, "text.txt", 8); err != nil {
			t.Fatal(err)
		}
		read, missing, err := readImatrix(file, l.Config)
		if err != nil {
			t.Fatal(err)
		}
		for param, c := range columns {
			if got := read[param]; got.tokens != c.tokens || c.tokens > 0 && !equalNumbers(got.squares, c.squares) {
				t.Errorf("%s: %s of %d tokens is read as of %d, or with other sums", name, param, c.tokens, got.tokens)
			}
		}
		for _, m := range missing {
			if !strings.HasPrefix(m, "token_embd") && !strings.HasPrefix(m, "position") {
				t.Errorf("%s: nothing is written about %s", name, m)
			}
		}
		g, err := weights.OpenGGUF(file)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if n, _ := g.Int("imatrix.chunk_count"); n != 1 {
			t.Errorf("%s: %d chunks, 13 tokens are one of 8 and a rest", name, n)
		}
	}
}

func equalNumbers(a, b []float32) bool {
	return bytes.Equal(tensor.FromFloat32([]int{len(a)}, a).Data, tensor.FromFloat32([]int{len(b)}, b).Data)
}

// TestImatrixRefuses: files that are none, not whole, or of another model.
func TestImatrixRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	c := opened(t, filepath.Join(dir, "model")).Config
	whole, err := os.ReadFile("testdata/llama-imatrix.dat")
	if err != nil {
		t.Fatal(err)
	}
	gguf := func(kind string, ts ...weights.Named) string {
		path := filepath.Join(dir, "x.gguf")
		if err := weights.WriteGGUF(path, []weights.KV{{Key: "general.type", Value: kind}}, ts); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := func(data []byte) string {
		path := filepath.Join(dir, "x.dat")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	of := func(name string, cols int, v ...float32) weights.Named {
		x := make([]float32, cols)
		copy(x, v)
		return weights.Named{Name: name, Tensor: tensor.FromFloat32([]int{1, cols}, x)}
	}
	nan, count := float32(math.NaN()), of("blk.0.attn_q.weight.counts", 1, 5)
	for _, x := range []struct {
		name, want string
		path       func() string
	}{
		{"nothing", "no importance file, or not all of one", func() string { return file(nil) }},
		{"a text", "no importance file, or not all of one", func() string { return file([]byte("The cat sat on the mat.")) }},
		{"cut off", "no importance file, or not all of one", func() string { return file(whole[:1000]) }},
		{"another name", `"blk.7.attn_q.weight" is no matrix of the model`, func() string {
			return file(bytes.Replace(whole, []byte("blk.0.attn_q"), []byte("blk.7.attn_q"), 1))
		}},
		{"other columns, legacy", "blk.0.attn_k.weight has sums of 16 columns and 1 counts", func() string {
			x := bytes.Clone(whole)
			x[4+4+len("blk.0.attn_k.weight")+4] = 16
			return file(x)
		}},
		{"a model", "general.type is not imatrix", func() string { return gguf("model", of("blk.0.attn_q.weight", 32)) }},
		{"no sums", "is neither sums (.in_sum2) nor counts", func() string { return gguf("imatrix", of("blk.0.attn_q.weight", 32)) }},
		{"no counts", "is there without blk.0.attn_q.weight.counts", func() string { return gguf("imatrix", of("blk.0.attn_q.weight.in_sum2", 32)) }},
		{"another model", "blk.9.attn_q.weight is no matrix of the model", func() string {
			return gguf("imatrix", of("blk.9.attn_q.weight.in_sum2", 32), of("blk.9.attn_q.weight.counts", 1))
		}},
		{"other columns", "sums of 31 columns", func() string { return gguf("imatrix", of("blk.0.attn_q.weight.in_sum2", 31), count) }},
		{"no number", "column 1: the sum of squares is NaN", func() string { return gguf("imatrix", of("blk.0.attn_q.weight.in_sum2", 32, 1, nan), count) }},
		{"negative", "the sum of squares is -1", func() string { return gguf("imatrix", of("blk.0.attn_q.weight.in_sum2", 32, -1), count) }},
		{"half a token", "0.5 is no number of tokens", func() string {
			return gguf("imatrix", of("blk.0.attn_q.weight.in_sum2", 32), of("blk.0.attn_q.weight.counts", 1, 0.5))
		}},
	} {
		if _, _, err := readImatrix(x.path(), c); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %s", x.name, err, x.want)
		}
	}
}

func FuzzImatrix(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "model")
	if err := lmtest.Write(dir); err != nil {
		f.Fatal(err)
	}
	l, err := model.Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"testdata/llama-imatrix.gguf", "testdata/llama-imatrix.dat"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		all, _, err := readImatrix(path, l.Config)
		if err != nil {
			return
		}
		if _, err := all.weighted(l.Config); err != nil {
			t.Fatal(err)
		}
	})
}
