package model_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/device"
	"olmo/device/devicetest"
	"olmo/graph"
	"olmo/model"
	"olmo/weights"
)

// adaptable are the modules of each of families() that can have adapters.
var adaptable = map[string]string{
	"ai2 alibi":            "q_proj k_proj v_proj o_proj up_proj down_proj",
	"ai2 gelu":             "q_proj k_proj v_proj o_proj up_proj down_proj",
	"bloom":                "dense dense_h_to_4h dense_4h_to_h",
	"gpt-neox":             "dense dense_h_to_4h dense_4h_to_h",
	"gpt-neox in sequence": "dense dense_h_to_4h dense_4h_to_h",
	"gpt-2":                "c_attn c_proj c_fc",
	"mixtral":              "q_proj k_proj v_proj o_proj",
	"olmoe":                "q_proj k_proj v_proj o_proj",
	"mpt":                  "Wqkv out_proj up_proj down_proj",
	"opt":                  "q_proj k_proj v_proj out_proj fc1 fc2",
	"phi-3":                "qkv_proj o_proj gate_up_proj down_proj",
	"starcoder 2":          "q_proj k_proj v_proj o_proj c_fc c_proj",
}

const all = "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj"

// adapted gives a model adapters on all modules that can have them.
func adapted(t *testing.T, name string, c *model.Config, dropout float64) *model.Config {
	t.Helper()
	a := *c
	list, ok := adaptable[name]
	if !ok {
		list = all
	}
	a.Adapters = &model.Adapters{Rank: 3, Alpha: 2.1, Dropout: dropout, Targets: strings.Fields(list)}
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	return &a
}

// TestAdapters compares losses and gradients of adapted models with those of the float64
// references: the adapters' parameters have gradients, and no other.
func TestAdapters(t *testing.T) {
	for name, c := range families() {
		t.Run(name, func(t *testing.T) {
			c := adapted(t, name, c, 0.2)
			g := graph.New()
			c.LossAndGradients(g, 1e-3, model.RecomputeNothing)
			b := graph.Sequence([]int32{3, 7, 1, 15, 4, 4, 0, 9, 12, 2, 5, 11, 7, 7}, 2)
			b.LossScale, b.Noise = 0.25, &graph.Noise{Seed: 7, Step: 3}
			b.Targets = []int32{7, 1, 15, -1, 4, 0, -1, 12, 2, 5, 11, 7, 7, -1}
			devicetest.Compare(t, cpuDevice(t), g, b, 2e-4)

			adapters := map[string]bool{}
			for _, p := range c.AdapterParams() {
				adapters[p.Name] = true
			}
			want := 2 * len(strings.Fields(adaptable[name]))
			if want == 0 {
				want = 2 * 7
			}
			if name == "gpt-2" {
				want = 2 * 4 // attn.c_proj and mlp.c_proj
			}
			if len(adapters) != want*c.Layers {
				t.Errorf("%d matrices of adapters, want %d", len(adapters), want*c.Layers)
			}
			for _, p := range g.Params() {
				name := g.Info(p).Name
				if got := len(g.Grads(p)) > 0; got != adapters[name] {
					t.Errorf("%s has a gradient: %v", name, got)
				}
			}
			for _, p := range c.Params() {
				if adapters[p.Name] {
					t.Errorf("%s is among the parameters of the model's files", p.Name)
				}
			}
		})
	}
}

// TestAdaptersMerged: W·x + B·A·x·scale is (W + B·A·scale)·x, in float64: each adapter is where its
// name says, and reads what that matrix reads.
func TestAdaptersMerged(t *testing.T) {
	for name, plain := range families() {
		t.Run(name, func(t *testing.T) {
			c := adapted(t, name, plain, 0)
			b := graph.Sequence([]int32{3, 7, 1, 15, 4, 4, 0}, 1)
			b.Targets = []int32{7, 1, 15, 2, 4, 0, 9}
			g, base := graph.New(), graph.New()
			c.Loss(g, 0)
			plain.Loss(base, 0)
			mem, merged := graph.Memory{}, graph.Memory{}
			r := rand.New(rand.NewPCG(3, 4))
			for _, p := range slices.Concat(c.Params(), c.AdapterParams()) {
				v, _ := g.Lookup(p.Name)
				a := g.NewArray(v, b)
				for i := range a.Data {
					a.Data[i] = 0.5 * r.NormFloat64()
				}
				mem[p.Name] = a
				merged[p.Name] = &graph.Array{Rows: a.Rows, Cols: a.Cols, Data: slices.Clone(a.Data)}
			}
			for _, p := range c.AdapterParams() {
				module, isA := strings.CutSuffix(p.Name, model.AdapterA)
				if !isA {
					continue
				}
				w, row := merged[module+".weight"], 0
				if w == nil { // the ai2-olmo package's names
					w, row = ai2Rows(c, merged, module)
				}
				A, B := mem[p.Name], mem[module+model.AdapterB]
				for i := range B.Rows {
					for j := range A.Cols {
						for k := range A.Rows {
							w.Row(row + i)[j] += float64(c.Adapters.Scale()) * B.Row(i)[k] * A.Row(k)[j]
						}
					}
				}
			}
			ce, _ := g.Lookup("ce")
			want, _ := base.Lookup("ce")
			got, one := g.Eval(b, mem)[ce].Data, base.Eval(b, merged)[want].Data
			for i := range got {
				if math.Abs(got[i]-one[i]) > 1e-9 {
					t.Errorf("token %d: loss %v with adapters, %v when they are merged", i, got[i], one[i])
				}
			}
		})
	}
}

// TestChosenAdapters: segments with an adapter have the bits of a model that has it for every row, in every
// family, and those without the model's own.
func TestChosenAdapters(t *testing.T) {
	ids := []int32{3, 7, 1, 15, 4, 4, 0}
	for name, plain := range families() {
		t.Run(name, func(t *testing.T) {
			with := adapted(t, name, plain, 0)
			other := *with.Adapters
			other.Rank, other.Targets = 2, other.Targets[:1]
			dev := cpuDevice(t)
			compile := func(c *model.Config, o model.Options) device.Program {
				g := graph.New()
				o.Positions = len(ids)
				c.Logits(g, o)
				p, err := dev.Compile(g, device.Options{Rows: 4 * len(ids), Selected: 4 * len(ids), Frozen: true})
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			base, whole := compile(plain, model.Options{}), compile(with, model.Options{})
			chosen := compile(plain, model.Options{Adapters: []*model.Adapters{&other, with.Adapters}})
			r := rand.New(rand.NewPCG(5, 6))
			write := func(params []model.Param, names ...func(string) string) {
				for _, p := range params {
					w := make([]float32, p.Size())
					for i := range w {
						w[i] = float32(0.4 * r.NormFloat64())
					}
					for _, named := range names {
						if err := dev.Write(named(p.Name), w); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			itself := func(name string) string { return name }
			write(plain.Params(), itself)
			write(with.AdapterParams(), itself, func(name string) string { return model.AdapterName(2, name) })
			others := *plain
			others.Adapters = &other
			write(others.AdapterParams(), func(name string) string { return model.AdapterName(1, name) })
			run := func(p device.Program, adapters ...int) []float32 {
				b := &graph.Batch{}
				for _, a := range adapters {
					b.IDs = append(b.IDs, ids...)
					b.Segments = append(b.Segments, graph.Segment{Rows: len(ids), Adapter: a})
				}
				for i := range b.IDs {
					b.Select = append(b.Select, int32(i))
				}
				if err := p.Run(b); err != nil {
					t.Fatal(err)
				}
				return slices.Clone(p.Output("logits"))
			}
			own, adapted := run(base, 0), run(whole, 0)
			if slices.Equal(own, adapted) {
				t.Fatal("the adapter changes nothing")
			}
			got, n := run(chosen, 2, 0, 1, 2), len(own)
			for i, want := range [][]float32{adapted, own, nil, adapted} {
				if part := got[i*n : (i+1)*n]; want != nil && !slices.Equal(part, want) || want == nil && (slices.Equal(part, own) || slices.Equal(part, adapted)) {
					t.Errorf("segment %d has other logits", i)
				}
			}
		})
	}
}

// ai2Rows returns the matrix of the ai2-olmo package that holds a module's rows, and the first.
func ai2Rows(c *model.Config, params graph.Memory, module string) (w *graph.Array, row int) {
	parts := strings.Split(module, ".") // model.layers.L.self_attn.q_proj
	block := "transformer.blocks." + parts[2] + "."
	names := map[string]struct {
		fused, own string
		row        int
	}{
		"q_proj": {"att_proj", "q_proj", 0}, "k_proj": {"att_proj", "k_proj", c.H * c.D}, "v_proj": {"att_proj", "v_proj", (c.H + c.KV) * c.D},
		"o_proj": {"attn_out", "", 0}, "up_proj": {"ff_proj", "", 0}, "gate_proj": {"ff_proj", "", c.F}, "down_proj": {"ff_out", "", 0},
	}
	n := names[parts[4]]
	if w := params[block+n.own+".weight"]; w != nil {
		return w, 0
	}
	return params[block+n.fused+".weight"], n.row
}

// TestNewAdapters: adapters that training has not touched change no bit of the model's losses, and
// layers that are computed again none of the gradients.
func TestNewAdapters(t *testing.T) {
	b := graph.Sequence([]int32{3, 7, 1, 15, 4, 4, 0, 9, 12, 2, 5, 11, 7, 3}, 2)
	b.Targets = []int32{7, 1, 15, -1, 4, 0, -1, 12, 2, 5, 11, 7, 3, -1}
	b.LossScale, b.Noise = 0.25, &graph.Noise{Seed: 7, Step: 3}
	for _, name := range []string{"olmo 2", "ai2 llama block", "llama", "gemma 2", "olmoe"} {
		plain := families()[name]
		t.Run(name, func(t *testing.T) {
			c := adapted(t, name, plain, 0.2)
			run := func(c *model.Config, r model.Recompute, zero bool) map[string][]float32 {
				g := graph.New()
				c.LossAndGradients(g, 0, r)
				dev := cpuDevice(t)
				p, err := dev.Compile(g, device.Options{Rows: len(b.IDs)})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range c.Params() {
					w, err := model.Init{Fn: "normal", Std: 0.4}.Weights(c, p, 5)
					if err := errors.Join(err, dev.Write(p.Name, w)); err != nil {
						t.Fatal(err)
					}
				}
				for _, p := range c.AdapterParams() {
					w := c.Adapters.Weights(p, 5)
					if !zero && strings.HasSuffix(p.Name, model.AdapterB) {
						for i := range w {
							w[i] = float32(i%7) - 3
						}
					}
					if err := dev.Write(p.Name, w); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.Run(b); err != nil {
					t.Fatal(err)
				}
				got := map[string][]float32{"ce": slices.Clone(p.Output("ce"))}
				for _, p := range c.AdapterParams() {
					name := graph.GradName(p.Name, 0)
					if got[name], err = dev.Read(name); err != nil {
						t.Fatal(err)
					}
				}
				return got
			}
			if got, want := run(c, "", true)["ce"], run(plain, "", true)["ce"]; !slices.Equal(got, want) {
				t.Errorf("new adapters change the losses: %v, want %v", got, want)
			}
			want := run(c, "", false)
			for _, r := range []model.Recompute{model.WholeLayer, model.FineGrained, "one_in_two"} {
				if got := run(c, r, false); !maps.EqualFunc(got, want, slices.Equal[[]float32]) {
					t.Errorf("%s: other losses or gradients", r)
				}
			}
		})
	}
	a := &model.Adapters{Rank: 2, Targets: []string{"q_proj"}}
	A := model.Param{Name: "m" + model.AdapterA, Shape: []int{2, 400}}
	w := a.Weights(A, 1)
	low, high := slices.Min(w), slices.Max(w)
	if low < -0.05 || high > 0.05 || low > -0.048 || high < 0.048 || slices.Equal(w, a.Weights(A, 2)) || !slices.Equal(w, a.Weights(A, 1)) {
		t.Errorf("A begins between %v and %v, want ±1/√400, by the seed", low, high)
	}
}

func TestAdapterErrors(t *testing.T) {
	for _, c := range []struct {
		family  string
		adapter model.Adapters
		want    []string
	}{
		{"llama", model.Adapters{Rank: 2, Targets: []string{"q_proj", "wq"}}, []string{"adapters on wq: llama has no such matrix", "q_proj, k_proj, v_proj, o_proj, up_proj, gate_proj, down_proj"}},
		{"llama", model.Adapters{Rank: 0, Targets: []string{"q_proj"}}, []string{"rank 0"}},
		{"llama", model.Adapters{Rank: 2}, []string{"name no module"}},
		{"llama", model.Adapters{Rank: 2, Dropout: 1, Targets: []string{"q_proj"}}, []string{"dropout 1"}},
		{"llama", model.Adapters{Rank: 2, Alpha: math.NaN(), Targets: []string{"q_proj"}}, []string{"NaN"}},
		{"llama", model.Adapters{Rank: 2, Targets: []string{"lm_head"}}, []string{"adapters on lm_head"}},
		{"gpt-neox", model.Adapters{Rank: 2, Targets: []string{"query_key_value"}}, []string{"gptneox has query, key and value of each head side by side", "dense"}},
		{"mixtral", model.Adapters{Rank: 2, Targets: []string{"q_proj", "w1"}}, []string{"adapters on w1: the matrices of experts have none"}},
		{"olmoe", model.Adapters{Rank: 2, Targets: []string{"gate_proj"}}, []string{"the matrices of experts have none"}},
		{"mixtral", model.Adapters{Rank: 2, Targets: []string{"gate"}}, []string{"adapters on gate"}},
		{"phi-3", model.Adapters{Rank: 2, Targets: []string{"q_proj"}}, []string{"phi3 has no such matrix", "qkv_proj, o_proj, gate_up_proj, down_proj"}},
	} {
		m := *families()[c.family]
		m.Adapters = &c.adapter
		err := m.Validate()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s with %v: %v, want %q", c.family, c.adapter, err, want)
			}
		}
	}
	m := *families()["llama"]
	m.Adapters = &model.Adapters{Rank: 2, Alpha: 2, Targets: []string{"self_attn.q_proj", "model.layers.1.mlp.up_proj"}}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range m.AdapterParams() {
		names = append(names, p.Name)
	}
	if want := []string{
		"model.layers.0.self_attn.q_proj.lora_A.weight", "model.layers.0.self_attn.q_proj.lora_B.weight", "model.layers.1.self_attn.q_proj.lora_A.weight", "model.layers.1.self_attn.q_proj.lora_B.weight",
		"model.layers.1.mlp.up_proj.lora_A.weight", "model.layers.1.mlp.up_proj.lora_B.weight",
	}; !slices.Equal(names, want) {
		t.Errorf("adapters %v, want %v", names, want)
	}
}

// TestAdaptersGolden computes a step of PEFT's: loss, gradient norms and the adapters after AdamW.
func TestAdaptersGolden(t *testing.T) {
	dir := os.Getenv("OLMO_GOLDEN")
	if dir == "" {
		t.Skip("OLMO_GOLDEN names no folder of reference fixtures")
	}
	read := func(path string, v any) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err := errors.Join(err, json.Unmarshal(text, v)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"olmo1", "olmo2"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(dir, "adapt", "cases", name)
			var batch struct {
				Float64 struct {
					Batch struct {
						IDs    [][]int32 `json:"input_ids"`
						Labels [][]int32
						Mask   [][]int32 `json:"attention_mask"`
					}
				}
			}
			read(filepath.Join(dir, "sft_padded.json"), &batch)
			var want struct {
				Float64 struct {
					Loss      float64
					LossAfter float64 `json:"loss_after"`
					GradNorm  struct {
						Global   float64
						PerParam map[string]float64 `json:"per_param"`
					} `json:"grad_norm"`
				}
			}
			read(filepath.Join(dir, "lora.json"), &want)
			l := open(t, filepath.Join(dir, "policy"))
			c := *l.Config
			c.Adapters = &model.Adapters{Rank: 4, Alpha: 8, Targets: strings.Fields(all)}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			// Every conversation is a sequence of its own, without its padding.
			b, n := &graph.Batch{}, 0
			for i, ids := range batch.Float64.Batch.IDs {
				T := int(slices.Index(append(slices.Clone(batch.Float64.Batch.Mask[i]), 0), 0))
				for j := range T {
					target := int32(-1)
					if j+1 < T {
						target = max(target, batch.Float64.Batch.Labels[i][j+1])
					}
					if target >= 0 {
						n++
					}
					b.IDs, b.Targets = append(b.IDs, ids[j]), append(b.Targets, target)
				}
				b.Segments = append(b.Segments, graph.Segment{Rows: T})
			}
			b.LossScale = 1 / float32(n)
			g, update := graph.New(), graph.New()
			c.LossAndGradients(g, 0, model.RecomputeNothing)
			for _, p := range c.AdapterParams() {
				update.AdamW(update.Param(p.Name, p.Shape...), update.GradNamed(graph.GradName(p.Name, 0), p.Shape...),
					update.State("m/"+p.Name, p.Shape...), update.State("v/"+p.Name, p.Shape...), graph.AdamWAttr{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8})
			}
			dev := cpuDevice(t)
			loss, err := dev.Compile(g, device.Options{Rows: len(b.IDs)})
			if err != nil {
				t.Fatal(err)
			}
			optimiser, err := dev.Compile(update, device.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Each(func(p model.Param, data []float32) error { return dev.Write(p.Name, data) }); err != nil {
				t.Fatal(err)
			}
			adapter := func(when string) *weights.Set {
				s, err := weights.Open(filepath.Join(dir, when, "adapter_model.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return s
			}
			before, after := adapter("lora_before"), adapter("lora_after")
			for _, p := range c.AdapterParams() {
				x, err := before.Tensor("base_model.model." + p.Name)
				if err != nil {
					t.Fatal(err)
				}
				w, err := x.Float32s()
				if err := errors.Join(err, dev.Write(p.Name, w)); err != nil {
					t.Fatal(err)
				}
			}
			mean := func() (sum float64) {
				if err := loss.Run(b); err != nil {
					t.Fatal(err)
				}
				for _, l := range loss.Output("ce") {
					sum += float64(l)
				}
				return sum / float64(n)
			}
			near := func(what string, got, want, tolerance float64) {
				t.Helper()
				if d := math.Abs(got-want) / want; d > tolerance {
					t.Errorf("%s is %v, want %v", what, got, want)
				}
			}
			near("the loss", mean(), want.Float64.Loss, 5e-6)
			var squares float64
			for _, p := range c.AdapterParams() {
				s, err := dev.SumSquares(graph.GradName(p.Name, 0))
				if err != nil {
					t.Fatal(err)
				}
				squares += s
				theirs := strings.TrimSuffix("base_model.model."+p.Name, ".weight") + ".default.weight"
				near("the gradient norm of "+p.Name, math.Sqrt(s), want.Float64.GradNorm.PerParam[theirs], 2e-4)
			}
			near("the gradient norm", math.Sqrt(squares), want.Float64.GradNorm.Global, 2e-4)
			if err := optimiser.Run(&graph.Batch{Update: &graph.Update{LR: []float64{1e-3}, Step: 1, Clip: 1}}); err != nil {
				t.Fatal(err)
			}
			for _, p := range c.AdapterParams() {
				got, err := dev.Read(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				x, err := after.Tensor("base_model.model." + p.Name)
				if err != nil {
					t.Fatal(err)
				}
				w, err := x.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				for i := range w {
					if d := math.Abs(float64(got[i] - w[i])); d > 1e-4 {
						t.Errorf("%s[%d] is %v after the step, want %v", p.Name, i, got[i], w[i])
						break
					}
				}
			}
			near("the loss after the step", mean(), want.Float64.LossAfter, 5e-6)
		})
	}
}
