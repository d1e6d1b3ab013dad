package convert

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/tensor"
)

// mixtureOf returns a mixture that is there.
func mixtureOf(t *testing.T, name string) *model.Mixture {
	t.Helper()
	m, err := model.MixtureOf(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestQuantize: the file holds what convert writes, and the report is that of the two files.
func TestQuantize(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	if err := lmtest.Write(from); err != nil {
		t.Fatal(err)
	}
	texts := []string{"The cat number 7 sat on the mat and looked at the naïve dog. ", "User: Hello."}
	kl := map[string]float64{}
	for _, name := range []string{"q8_0", "q4_k", "q4_0"} {
		out, parts := filepath.Join(dir, name+".gguf"), ""
		r, err := Quantize(t.Context(), QuantizeOptions{
			From: from, Out: out, Mixture: mixtureOf(t, name), Evaluate: texts,
			Progress: func(part string, _, _ int) {
				if !strings.HasSuffix(parts, part) {
					parts += part
				}
			},
			Warn: func(what string) { t.Errorf("%s: warning %s", name, what) },
		})
		if err != nil {
			t.Fatal(err)
		}
		q := r.Report
		if q.Positions <= q.Targets || q.Targets == 0 || q.KL <= 0 || q.KLMax < q.KL || q.Agree > q.Positions || parts != "writereport" {
			t.Errorf("%s: report %+v after %s", name, *q, parts)
		}
		kl[name] = q.KL
		st, err := os.Stat(out)
		if err != nil || st.Size() != r.Bytes || r.SourceBytes < 2*r.Bytes {
			t.Errorf("%s: %d bytes of %d, the file has %v (%v)", name, r.Bytes, r.SourceBytes, st, err)
		}
		converted := filepath.Join(dir, name+"-converted.gguf")
		if _, err := Run(t.Context(), Options{From: from, To: model.GGUF, Out: converted, Mixture: mixtureOf(t, name)}); err != nil {
			t.Fatal(err)
		}
		if a, err := os.ReadFile(out); err != nil || !equalFile(converted, a) {
			t.Errorf("%s: convert writes another file (%v)", name, err)
		}
		// The same text read by the same model twice differs by nothing.
		l := opened(t, out)
		list, err := (&QuantizeOptions{Evaluate: texts}).evaluation(l, nil)
		if err != nil {
			t.Fatal(err)
		}
		same, err := reportOn(t.Context(), l, out, list, func(int, int) {})
		if err != nil {
			t.Fatal(err)
		}
		if same.KL != 0 || same.Agree != same.Positions || same.Perplexity != same.PerplexitySource || same.Perplexity != q.Perplexity {
			t.Errorf("%s beside itself: %+v, perplexity before %v", name, *same, q.Perplexity)
		}
	}
	if !(kl["q8_0"] < kl["q4_k"] && kl["q4_k"] < kl["q4_0"]) {
		t.Errorf("divergences %v do not grow as bits get fewer", kl)
	}
	if got := left(t, dir); strings.Contains(got, ".tmp") {
		t.Errorf("left %s", got)
	}
}

func equalFile(path string, want []byte) bool {
	got, err := os.ReadFile(path)
	return err == nil && string(got) == string(want)
}

// TestReportOf: the figures of rows of logits that are known.
func TestReportOf(t *testing.T) {
	ln := func(p ...float64) (x []float32) {
		for _, v := range p {
			x = append(x, float32(math.Log(v)))
		}
		return x
	}
	r := read(ln(0.5, 0.25, 0.25), ln(0.25, 0.5, 0.25), 1)
	if want := 0.5*math.Log(2) - 0.25*math.Log(2); math.Abs(r.kl-want) > 1e-6 || r.same || math.Abs(r.source-math.Log(4)) > 1e-6 || math.Abs(r.copied-math.Log(2)) > 1e-6 {
		t.Errorf("%+v, want a divergence of %v", r, want)
	}
	if r := read(ln(0.5, 0.5), ln(0.5, 0.5), -1); r.kl != 0 || !r.same || r.source != 0 {
		t.Errorf("equal rows: %+v", r)
	}
}

// TestQuantizeRefuses: each mistake by name, and nothing is left.
func TestQuantizeRefuses(t *testing.T) {
	dir := t.TempDir()
	c, get := tiny()
	from, good := filepath.Join(dir, "bad.gguf"), filepath.Join(dir, "good.gguf")
	bad := func(name string) ([]float32, error) {
		v, err := get(name)
		if strings.HasSuffix(name, "blocks.1.ff_out.weight") {
			v[49] = float32(math.Inf(1))
		}
		return v, err
	}
	if err := errors.Join(model.SaveGGUF(from, c, bad, tensor.F32, nil, nil), model.SaveGGUF(good, c, get, tensor.F32, nil, nil)); err != nil {
		t.Fatal(err)
	}
	overridden := mixtureOf(t, "q8_0")
	if err := overridden.Override("no_such", tensor.Q8_0); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.gguf")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, x := range []struct {
		ctx  context.Context
		o    QuantizeOptions
		want string
	}{
		{t.Context(), QuantizeOptions{From: from, Out: out, Mixture: mixtureOf(t, "q8_0")}, "tensor blk.1.ffn_down.weight: row 1, column 1 is +Inf"},
		{t.Context(), QuantizeOptions{From: good, Out: good, Mixture: mixtureOf(t, "q8_0")}, "is read by this run too"},
		{t.Context(), QuantizeOptions{From: good, Out: from, Mixture: mixtureOf(t, "q8_0")}, "exists already"},
		{t.Context(), QuantizeOptions{From: good, Out: out, Mixture: overridden}, "the pattern no_such matches no tensor"},
		{t.Context(), QuantizeOptions{From: dir, Out: out, Mixture: overridden}, "holds no model"},
		{t.Context(), QuantizeOptions{From: good, Out: out, Mixture: mixtureOf(t, "q8_0"), Evaluate: []string{"a text"}}, "has no tokenizer to read a text with"},
		{cancelled, QuantizeOptions{From: good, Out: out, Mixture: mixtureOf(t, "q8_0")}, "context canceled"},
	} {
		if _, err := Quantize(x.ctx, x.o); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%+v: %v, want %s", x.o, err, x.want)
		}
		if got := left(t, dir); got != "bad.gguf good.gguf" {
			t.Fatalf("%s: left %s", x.want, got)
		}
	}
	// Without a tokenizer there is no report, which is said; rows of 48 fit no block of 256, and those of a router none.
	told := ""
	r, err := Quantize(t.Context(), QuantizeOptions{From: good, Out: out, Mixture: mixtureOf(t, "q4_k"), Warn: func(what string) { told += what }})
	if err != nil || r.Report != nil || told != "there is no report: the model has no tokenizer to read a text with" {
		t.Errorf("%+v, told %q (%v)", r, told, err)
	}
	if want := "blk.0.ffn_down.weight (f16), blk.1.ffn_down.weight (f16)"; strings.Join(r.Unquantized, ", ") != want {
		t.Errorf("not quantised are %v, want %s", r.Unquantized, want)
	}
}
