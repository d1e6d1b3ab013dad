package convert

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/graph"
	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/tensor"
)

// measured returns the importance that a model measures on windows of ids.
func measured(t *testing.T, path string, list [][]int32) (*model.Loaded, importance) {
	t.Helper()
	l := opened(t, path)
	columns, err := calibrate(t.Context(), l, list, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	return l, columns
}

// TestImportance: what the matrices of the first block and the head are multiplied with are hidden states, whose
// mean squares are known.
func TestImportance(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	list := [][]int32{{5, 6, 7, 8, 9}, {10, 11}, {12, 13, 14, 15, 16, 17}}
	l, columns := measured(t, dir, list)
	C, L, rows := l.Config.C, l.Config.Layers, 0
	first, last := make([]float64, C), make([]float64, C)
	for _, ids := range list {
		m, err := lm.Open(dir, lm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, hidden, err := m.Logits(t.Context(), [][]int32{ids}, lm.LogitsOptions{Hidden: true})
		if err != nil {
			t.Fatal(err)
		}
		h, err := hidden.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		n := len(ids) * C
		for i := range n {
			a, b := float64(h[i]), float64(h[L*n+i])
			first[i%C] += a * a
			last[i%C] += b * b
		}
		rows += len(ids)
	}
	for name, want := range map[string][]float64{"model.layers.0.self_attn.q_proj.weight": first, "model.layers.0.self_attn.v_proj.weight": first, "lm_head.weight": last} {
		name := nameOf(t, l.Config, name)
		for i, s := range want {
			if got := float64(columns[name].mean()[i]); math.Abs(got-s/float64(rows)) > 1e-5*got {
				t.Errorf("%s, column %d: %v, want %v", name, i, got, s/float64(rows))
			}
		}
	}
}

// nameOf finds a parameter by Hugging Face's name of the tensor that holds it.
func nameOf(t *testing.T, c *model.Config, tensor string) string {
	t.Helper()
	stored, err := c.Stored(model.HuggingFace)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stored {
		if s.Name == tensor {
			return s.Rows[0].Param
		}
	}
	t.Fatalf("no tensor %s", tensor)
	return ""
}

// TestImportanceOfAll: every matrix that is multiplied has an importance of its columns, in each of the models, and
// each row of a file's tensors is quantised by that of the parameter whose row it is.
func TestImportanceOfAll(t *testing.T) {
	list := [][]int32{{1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11, 12, 13}}
	for _, name := range []string{"olmo2", "llama narrow", "mixtral", "gpt2"} {
		c := llamaModels()[name]
		c.Layers = 1
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := model.SaveGGUF(path, c, randomOf(c), tensor.F32, nil, nil); err != nil {
			t.Fatal(err)
		}
		l, columns := measured(t, path, list)
		for _, p := range l.Config.Params() {
			if len(p.Shape) != 2 || p.Role == model.Embedding && !c.Tied || strings.Contains(p.Name, "wpe") {
				continue
			}
			h := columns[p.Name].mean()
			// Of eight experts some may see none of the thirteen tokens.
			if len(h) != p.Shape[1] && !(h == nil && strings.Contains(p.Name, "experts")) {
				t.Errorf("%s: %s has importance of %d columns, %d are wanted", name, p.Name, len(h), p.Shape[1])
			}
			if slices.ContainsFunc(h, func(x float32) bool { return !(x >= 0) || math.IsInf(float64(x), 0) }) {
				t.Errorf("%s: %s has importance %v", name, p.Name, h)
			}
		}
		as, err := columns.weighted(l.Config)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := l.Config.Stored(model.GGUF)
		if err != nil {
			t.Fatal(err)
		}
		set := tensors(t, path)
		for _, s := range stored {
			if len(s.Shape) < 2 {
				continue
			}
			v, err := set[s.Name].Float32s()
			if err != nil {
				t.Fatal(err)
			}
			got, err := as(s.Name, s.Shape, v, tensor.Q4_0)
			if err != nil {
				t.Fatal(err)
			}
			cols := s.Shape[len(s.Shape)-1]
			var want []byte
			for _, r := range s.Rows {
				part, err := tensor.FromFloat32([]int{r.Count, cols}, v[r.At*cols:(r.At+r.Count)*cols]).ConvertWeighted(tensor.Q4_0, func(int) []float32 { return columns[r.Param].mean() })
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, part.Data...)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %s is not quantised by the importance of its parts", name, s.Name)
			}
		}
	}
}

// TestImportanceOfExperts: all tokens go through as many experts as the model says, and the way down is measured
// on what reaches it.
func TestImportanceOfExperts(t *testing.T) {
	e := &tappedExperts{attr: &graph.ExpertsAttr{E: 3, K: 2, C: 2, F: 1}, rows: make([]int, 3)}
	for range 3 {
		e.in, e.down = append(e.in, make([]float64, 2)), append(e.down, make([]float64, 1))
	}
	// Two tokens: the first through experts 0 and 2, the second through 1 and 2; of each up and gate.
	e.add([]float32{1, 2, 3, 4}, []float32{0.75, 0, 0.25, 0, 0.5, 0.5}, []float32{2, 10, 4, 20, 6, 30, 8, 40})
	silu := func(w, up, gate float64) float64 { return w * up * gate / (1 + math.Exp(-gate)) }
	sq := func(x float64) float64 { return x * x }
	for k, x := range [][]float64{{1, 4, sq(silu(0.75, 2, 10))}, {9, 16, sq(silu(0.5, 6, 30))}, {10, 20, sq(silu(0.25, 4, 20)) + sq(silu(0.5, 8, 40))}} {
		if got := []float64{e.in[k][0], e.in[k][1], e.down[k][0]}; math.Abs(got[0]-x[0])+math.Abs(got[1]-x[1]) > 0 || math.Abs(got[2]-x[2]) > 1e-9*x[2] {
			t.Errorf("expert %d: %v, want %v", k, got, x)
		}
	}
	if !slices.Equal(e.rows, []int{1, 1, 2}) {
		t.Errorf("tokens of the experts are %v, want 1, 1, 2", e.rows)
	}
}

// TestCalibrated: a calibrated file has the same size and types, other blocks, and says on how much it was measured.
func TestCalibrated(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	if err := lmtest.Write(from); err != nil {
		t.Fatal(err)
	}
	run := func(out string, o QuantizeOptions) (*Quantized, map[string]tensor.Tensor) {
		o.From, o.Out, o.Mixture = from, filepath.Join(dir, out), mixtureOf(t, "q4_0")
		o.Evaluate = []string{"The cat number 3 looked at the naïve dog. User: Hello."}
		r, err := Quantize(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r, tensors(t, r.Out)
	}
	plain, a := run("plain.gguf", QuantizeOptions{})
	imatrix := filepath.Join(dir, "imatrix.gguf")
	fine, b := run("fine.gguf", QuantizeOptions{Calibrate: []string{calibrationText(t), "A"}, SaveImatrix: imatrix, CalibrateFile: "calibrate.txt"})
	again, _ := run("again.gguf", QuantizeOptions{Imatrix: imatrix, Warn: func(what string) {
		if !strings.Contains(what, "says nothing about token_embd.weight") {
			t.Errorf("warning %s", what)
		}
	}})
	if data, err := os.ReadFile(fine.Out); err != nil || !equalFile(again.Out, data) {
		t.Errorf("the importance that was kept makes another file (%v)", err)
	}
	_, err := Quantize(t.Context(), QuantizeOptions{From: from, Out: filepath.Join(dir, "no.gguf"), Mixture: mixtureOf(t, "q4_0"), Calibrate: []string{"The cat."}})
	if err == nil || !strings.Contains(err.Error(), "the calibration text has 3 tokens, at least 1024 are needed") {
		t.Errorf("a text of few tokens: %v", err)
	}
	if plain.Bytes != fine.Bytes || plain.Calibrated != 0 || fine.Calibrated == 0 || fine.Report.KL == plain.Report.KL {
		t.Errorf("%+v and %+v", plain, fine)
	}
	for name, x := range a {
		y := b[name]
		// The table is looked up in, not multiplied; 32 columns of Q8_0 and norms have nothing to gain.
		same := x.DType != tensor.Q4_0 || name == "token_embd.weight"
		if x.DType != y.DType || bytes.Equal(x.Data, y.Data) != same {
			t.Errorf("%s as %v and %v, equal: %v", name, x.DType, y.DType, !same)
		}
	}
}
