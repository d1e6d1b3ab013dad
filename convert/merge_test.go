package convert

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// adapterOf writes a model and an adapter of it.
func adapterOf(t *testing.T) (base, adapter string) {
	t.Helper()
	dir := t.TempDir()
	base, adapter = filepath.Join(dir, "base"), filepath.Join(dir, "adapter")
	if err := errors.Join(lmtest.Write(base), lmtest.WriteAdapter(adapter, base, base)); err != nil {
		t.Fatal(err)
	}
	return base, adapter
}

// TestMergeAdapter: in every layout and dtype the merged model is the base with its adapter, and its
// matrices are W + alpha/r·B·A, here in float64.
func TestMergeAdapter(t *testing.T) {
	base, adapter := adapterOf(t)
	from := opened(t, base)
	p, err := model.OpenPEFT(adapter, from.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := *from.Config
	c.Adapters = &p.Adapters
	parts := map[string][]float32{}
	for _, q := range c.AdapterParams() {
		if parts[q.Name], err = p.Weights(q); err != nil {
			t.Fatal(err)
		}
	}
	set, err := weights.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	want := map[string][]float64{}
	for _, n := range set.All() {
		x, err := set.Tensor(n.Name)
		if err != nil {
			t.Fatal(err)
		}
		w, _ := x.Float32s()
		for _, v := range w {
			want[n.Name] = append(want[n.Name], float64(v))
		}
		module := strings.TrimSuffix(n.Name, ".weight")
		A, B := parts[module+model.AdapterA], parts[module+model.AdapterB]
		for i := range w {
			if A == nil {
				break
			}
			cols := n.Shape[1]
			for k := range p.Rank {
				want[n.Name][i] += 2 * float64(B[i/cols*p.Rank+k]) * float64(A[k*cols+i%cols])
			}
		}
	}
	for _, o := range []struct {
		to    model.Layout
		out   string
		dtype tensor.DType
	}{
		{model.HuggingFace, "merged", tensor.Invalid},
		{model.HuggingFace, "merged", tensor.BF16},
		{model.Native, "merged", tensor.F16},
		{model.GGUF, "merged.gguf", tensor.Invalid},
		{model.GGUF, "merged.gguf", tensor.Q8_0},
	} {
		out := filepath.Join(t.TempDir(), o.out)
		r, err := Run(t.Context(), Options{From: base, Adapters: []Adapter{{adapter, 1}}, To: o.to, Out: out, DType: o.dtype})
		if err != nil {
			t.Errorf("%v %v: %v", o.to, o.dtype, err)
			continue
		}
		if r.Kept && (r.DType != tensor.F32 || r.Proof.LogitDifference > 1e-4 || r.Proof.LogitDifference == 0) {
			t.Errorf("%v: %+v", o.to, r)
		}
		if o.to != model.HuggingFace || !r.Kept {
			continue
		}
		merged, err := weights.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer merged.Close()
		for name, want := range want {
			x, err := merged.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := x.Float32s()
			var d, size float64
			for i := range want {
				d, size = d+math.Pow(float64(got[i])-want[i], 2), size+want[i]*want[i]
			}
			if d = math.Sqrt(d / size); d > 1e-7 {
				t.Errorf("%s differs by %.2g of its norm from W + alpha/r·B·A", name, d)
			}
		}
		if !exists(filepath.Join(out, "tokenizer.json")) {
			t.Error("the merged model has no tokenizer")
		}
	}
}

// TestMergeAdapterTokenizer: the tokenizer and the template are the adapter's where it has them.
func TestMergeAdapterTokenizer(t *testing.T) {
	base, adapter := adapterOf(t)
	text, err := os.ReadFile(filepath.Join(base, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	merge := func(out string) string {
		t.Helper()
		out = filepath.Join(t.TempDir(), out)
		to := model.HuggingFace
		if filepath.Ext(out) == ".gguf" {
			to = model.GGUF
		}
		if _, err := Run(t.Context(), Options{From: base, Adapters: []Adapter{{adapter, 1}}, To: to, Out: out}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(base, "chat_template.jinja", "the base's")
	read := func(dir, name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		return string(text)
	}
	if got := read(merge("merged"), "chat_template.jinja"); got != "the base's" {
		t.Errorf("the template is %q, want the base's", got)
	}
	write(adapter, "chat_template.jinja", "the adapter's")
	if out := merge("merged"); read(out, "chat_template.jinja") != "the adapter's" || read(out, "tokenizer.json") != string(text) {
		t.Error("the template is not the adapter's, or the tokenizer not the base's")
	}
	write(adapter, "tokenizer.json", string(text))
	if err := os.Remove(filepath.Join(adapter, "chat_template.jinja")); err != nil {
		t.Fatal(err)
	}
	write(adapter, "tokenizer_config.json", `{"chat_template":"the adapter's settings"}`)
	if out := merge("merged"); exists(filepath.Join(out, "chat_template.jinja")) {
		t.Error("the base's template stands beside the adapter's tokenizer")
	}
	g, err := weights.OpenGGUF(merge("merged.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if v, _ := g.Get(ggufTemplate); v != "the adapter's settings" {
		t.Errorf("the GGUF file has the template %v", v)
	}
}

func TestMergeAdapterErrors(t *testing.T) {
	base, adapter := adapterOf(t)
	quantised := filepath.Join(t.TempDir(), "base.gguf")
	if _, err := Run(t.Context(), Options{From: base, To: model.GGUF, Out: quantised, DType: tensor.Q8_0}); err != nil {
		t.Fatal(err)
	}
	run := func(what, want string, o Options) {
		t.Helper()
		o.Out = filepath.Join(t.TempDir(), "merged")
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if got := left(t, filepath.Dir(o.Out)); got != "" {
			t.Errorf("%s: %s is left", what, got)
		}
	}
	run("a quantised base without a dtype", "quantised, and what is merged into them must get a dtype\nhint: --dtype", Options{From: quantised, Adapters: []Adapter{{adapter, 1}}, To: model.HuggingFace})
	run("no adapter", "opening the adapter "+base, Options{From: base, Adapters: []Adapter{{base, 1}}, To: model.HuggingFace})
	if _, err := Run(t.Context(), Options{From: quantised, Adapters: []Adapter{{adapter, 1}}, To: model.HuggingFace, DType: tensor.F32, Out: filepath.Join(t.TempDir(), "merged")}); err != nil {
		t.Errorf("a quantised base with a dtype: %v", err)
	}
	if _, err := Run(t.Context(), Options{From: base, Adapters: []Adapter{{adapter, 1}}, To: model.HuggingFace, Out: adapter}); !errors.Is(err, store.ErrClash) {
		t.Errorf("over the adapter: %v", err)
	}
}

// TestMergeAdapterProof: a copy that is not the base with its adapter is found out.
func TestMergeAdapterProof(t *testing.T) {
	base, adapter := adapterOf(t)
	file := filepath.Join(t.TempDir(), "logits")
	ids := []int32{1, 5, 9, 2}
	if err := runTo(t.Context(), opened(t, base), adapter, ids, file); err != nil {
		t.Fatal(err)
	}
	p := Proof{merged: true}
	if err := p.compareLogits(t.Context(), base, ids, tensor.BF16, file); err == nil || !strings.Contains(err.Error(), "logits differ by") {
		t.Errorf("the base alone passes for the merged model: %v (%+v)", err, p)
	}
}

// TestMergeAdapters: several are added, each as often as is said, and taken away when the number is negative.
func TestMergeAdapters(t *testing.T) {
	base, adapter := adapterOf(t)
	dir := t.TempDir()
	merge := func(out string, list ...Adapter) []float32 {
		t.Helper()
		out = filepath.Join(dir, out)
		if _, err := Run(t.Context(), Options{From: base, Adapters: list, To: model.HuggingFace, Out: out}); err != nil {
			t.Fatal(err)
		}
		set, err := weights.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { set.Close() })
		x, err := set.Tensor("model.layers.1.mlp.up_proj.weight")
		if err != nil {
			t.Fatal(err)
		}
		w, _ := x.Float32s()
		return w
	}
	none, once := merge("none"), merge("once", Adapter{adapter, 1})
	half, mixed := merge("half", Adapter{adapter, 0.5}), merge("mixed", Adapter{adapter, 2}, Adapter{adapter, -1.25})
	for i := range none {
		change := float64(once[i] - none[i])
		for what, c := range map[string][2]float64{"half": {float64(half[i] - none[i]), 0.5}, "mixed": {float64(mixed[i] - none[i]), 0.75}} {
			if math.Abs(c[0]-c[1]*change) > 1e-6 {
				t.Fatalf("%s: element %d changes by %v, want %v of %v", what, i, c[0], c[1], change)
			}
		}
	}
}

// TestMergeAdapterGolden: the parameters that PEFT's merge_and_unload makes.
func TestMergeAdapterGolden(t *testing.T) {
	golden := os.Getenv("OLMO_GOLDEN")
	if golden == "" {
		t.Skip("OLMO_GOLDEN names no folder of reference fixtures")
	}
	for _, name := range []string{"olmo1", "olmo2"} {
		dir := filepath.Join(golden, "adapt", "cases", name)
		var file struct {
			Float64 struct {
				Merged map[string]struct {
					Sum  float64
					Norm float64 `json:"l2"`
				} `json:"merged_params"`
			}
		}
		text, err := os.ReadFile(filepath.Join(dir, "lora.json"))
		if err := errors.Join(err, json.Unmarshal(text, &file)); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "merged")
		if _, err := Run(t.Context(), Options{From: filepath.Join(dir, "policy"), Adapters: []Adapter{{filepath.Join(dir, "lora_after"), 1}}, To: model.HuggingFace, Out: out}); err != nil {
			t.Fatal(err)
		}
		set, err := weights.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		var largest float64
		for param, want := range file.Float64.Merged {
			x, err := set.Tensor(param)
			if err != nil {
				t.Fatal(err)
			}
			w, _ := x.Float32s()
			var sum, squares float64
			for _, v := range w {
				sum, squares = sum+float64(v), squares+float64(v)*float64(v)
			}
			d := math.Abs(math.Sqrt(squares)-want.Norm) / want.Norm
			largest = max(largest, d)
			if d > 2e-6 || math.Abs(sum-want.Sum) > 2e-5*want.Norm {
				t.Errorf("%s %s: norm %v, PEFT has %v; sum %v, %v", name, param, math.Sqrt(squares), want.Norm, sum, want.Sum)
			}
		}
		t.Logf("%s: %d parameters, norms within %.2g", name, len(file.Float64.Merged), largest)
	}
}
