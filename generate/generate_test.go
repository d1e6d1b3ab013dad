package generate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/generate"
	"olmo/model"
	"olmo/numeric"
	"olmo/tensor"
)

// tiny is a model with random weights: grouped queries, untied, more columns of
// logits than ids.
func tiny(t testing.TB, T int) (*model.Config, *cpu.Device) {
	t.Helper()
	c := &model.Config{
		Family: "olmo2", Layers: 2, C: 32, H: 4, KV: 2, D: 8, F: 48, VocabSize: 60, V: 64, T: T, NormEps: 1e-6, RopeTheta: 10000,
	}
	return c, cpuDevice(t)
}

func cpuDevice(t testing.TB) *cpu.Device {
	t.Helper()
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// fill writes random weights; the device must know the parameters.
func fill(t testing.TB, c *model.Config, dev *cpu.Device, seed uint64) {
	t.Helper()
	for _, p := range c.Params() {
		w, err := model.Init{Fn: "normal", Std: 0.4}.Weights(c, p, seed)
		if err != nil {
			t.Fatal(err)
		}
		if err := dev.Write(p.Name, w); err != nil {
			t.Fatal(err)
		}
	}
	if c.Adapters != nil {
		write(t, c, c.Adapters, dev, seed, func(name string) string { return name })
	}
}

// write writes random weights of an adapter under their names on the device.
func write(t testing.TB, c *model.Config, a *model.Adapters, dev *cpu.Device, seed uint64, named func(name string) string) {
	t.Helper()
	with := *c
	with.Adapters = a
	for _, p := range with.AdapterParams() {
		w := a.Weights(p, seed)
		for i := range w {
			if strings.HasSuffix(p.Name, model.AdapterB) {
				w[i] = float32(i%5-2) / 4
			}
		}
		if err := dev.Write(named(p.Name), w); err != nil {
			t.Fatal(err)
		}
	}
}

func engine(t testing.TB, T int, o generate.Options) *generate.Engine {
	t.Helper()
	c, dev := tiny(t, T)
	return engineOf(t, c, dev, o)
}

func engineOf(t testing.TB, c *model.Config, dev *cpu.Device, o generate.Options) *generate.Engine {
	t.Helper()
	e, err := generate.New(c, dev, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, dev, 1)
	for i, a := range o.Adapters {
		write(t, c, a, dev, uint64(i+2), func(name string) string { return model.AdapterName(i+1, name) })
	}
	return e
}

func ids(n int, seed int32) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = (int32(i)*17 + seed*29 + 3) % 60
	}
	return out
}

func run(t testing.TB, e *generate.Engine, q generate.Request) generate.Result {
	t.Helper()
	r, err := e.Generate(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// together submits requests at once.
func together(t testing.TB, e *generate.Engine, requests []generate.Request) []generate.Result {
	t.Helper()
	var handles []*generate.Handle
	for _, q := range requests {
		h, err := e.Submit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	var out []generate.Result
	for _, h := range handles {
		r, err := h.Wait()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// TestDecodeIsPrefill feeds the answer back as a prompt, of every length: the
// next token and its log-probability have the same bits however the tokens before
// it came in.
func TestDecodeIsPrefill(t *testing.T) {
	for _, precision := range numeric.Precisions() {
		for _, rows := range []int{0, 1, 7} {
			t.Run(fmt.Sprintf("%v,rows=%d", precision, rows), func(t *testing.T) {
				e := engine(t, 64, generate.Options{Precision: precision, Rows: rows})
				prompt := ids(9, 1)
				want := run(t, e, generate.Request{Prompt: prompt, MaxTokens: 40})
				if len(want.IDs) != 40 || want.Reason != "length" {
					t.Fatalf("%d tokens, reason %q; want 40 and length", len(want.IDs), want.Reason)
				}
				for n := range want.IDs {
					got := run(t, e, generate.Request{Prompt: slices.Concat(prompt, want.IDs[:n]), MaxTokens: 1})
					if got.IDs[0] != want.IDs[n] || got.Logprobs[0] != want.Logprobs[n] {
						t.Fatalf("token %d is %d with %v after one prompt, %d with %v when decoded", n, got.IDs[0], got.Logprobs[0], want.IDs[n], want.Logprobs[n])
					}
				}
			})
		}
	}
}

// TestLongPrompts crosses the cuts of attention's sums at 256 positions.
func TestLongPrompts(t *testing.T) {
	whole := engine(t, 600, generate.Options{Rows: 600})
	parts := engine(t, 600, generate.Options{Rows: 50})
	prompt := ids(523, 2)
	want := run(t, whole, generate.Request{Prompt: prompt, MaxTokens: 8})
	if got := run(t, parts, generate.Request{Prompt: prompt, MaxTokens: 8}); !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Logprobs, want.Logprobs) {
		t.Errorf("in parts %v %v\nwhole %v %v", got.IDs, got.Logprobs, want.IDs, want.Logprobs)
	}
}

func TestContinue(t *testing.T) {
	e, fresh := engine(t, 64, generate.Options{}), engine(t, 64, generate.Options{})
	first := ids(10, 3)
	answer := run(t, e, generate.Request{Prompt: first, MaxTokens: 5})
	prompts := map[string][]int32{
		"the conversation goes on": slices.Concat(first, answer.IDs, ids(4, 5)),
		"the same prompt again":    first,
		"shorter":                  first[:4],
		"another beginning":        ids(12, 8),
		"parts in the middle":      slices.Concat(first[:6], ids(5, 9)),
	}
	for name, prompt := range prompts {
		t.Run(name, func(t *testing.T) {
			run(t, e, generate.Request{Prompt: first, MaxTokens: 5})
			got := run(t, e, generate.Request{Prompt: prompt, MaxTokens: 5})
			want := run(t, fresh, generate.Request{Prompt: prompt, MaxTokens: 5})
			if !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Logprobs, want.Logprobs) {
				t.Errorf("continued %v %v, want %v %v", got.IDs, got.Logprobs, want.IDs, want.Logprobs)
			}
		})
	}
}

// TestNewWeights changes the weights under an engine that goes on with the same prompt.
func TestNewWeights(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		c, dev := tiny(t, 32)
		e, err := generate.New(c, dev, generate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		q := generate.Request{Prompt: ids(6, 1), MaxTokens: 6, Fresh: fresh}
		fill(t, c, dev, 1)
		one := run(t, e, q)
		fill(t, c, dev, 2)
		two := run(t, e, q)
		fill(t, c, dev, 1)
		if again := run(t, e, q); !slices.Equal(again.Logprobs, one.Logprobs) || slices.Equal(two.Logprobs, one.Logprobs) {
			t.Errorf("fresh %v: weights 1, 2, 1 give %v, %v, %v", fresh, one.Logprobs, two.Logprobs, again.Logprobs)
		}
	}
}

func TestEndings(t *testing.T) {
	e := engine(t, 20, generate.Options{})
	prompt := ids(5, 1)
	all := run(t, e, generate.Request{Prompt: prompt, MaxTokens: 100})
	if len(all.IDs) != 15 || all.Reason != "length" {
		t.Errorf("%d tokens after 5 in 20 positions, reason %q; want 15 and length", len(all.IDs), all.Reason)
	}
	third := all.IDs[2]
	first := slices.Index(all.IDs, third)
	stopped := run(t, e, generate.Request{Prompt: prompt, MaxTokens: 100, Stop: []int32{third}})
	if !slices.Equal(stopped.IDs, all.IDs[:first]) || stopped.Reason != "stop" || stopped.Stop != third || stopped.StopLogprob != all.Logprobs[first] || all.Stop != -1 {
		t.Errorf("stopped before %d: %+v, want %v and stop", third, stopped, all.IDs[:first])
	}
	var told []int32
	cut := run(t, e, generate.Request{Prompt: prompt, MaxTokens: 100, Token: func(v generate.Event) bool {
		told = append(told, v.ID)
		return len(told) < 4
	}})
	if !slices.Equal(cut.IDs, all.IDs[:4]) || !slices.Equal(told, cut.IDs) || cut.Reason != "stop" {
		t.Errorf("ended by the caller: %v %q, told %v; want the first 4 of %v", cut.IDs, cut.Reason, told, all.IDs)
	}
	if none := run(t, e, generate.Request{Prompt: prompt}); len(none.IDs) != 0 || none.IDs == nil || none.Reason != "length" {
		t.Errorf("no tokens asked for: %+v", none)
	}
}

func TestCancel(t *testing.T) {
	e := engine(t, 64, generate.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	r, err := e.Generate(ctx, generate.Request{Prompt: ids(5, 1), MaxTokens: 50, Token: func(generate.Event) bool {
		if n++; n == 3 {
			cancel()
		}
		return true
	}})
	if !errors.Is(err, context.Canceled) || len(r.IDs) != 3 || r.Reason != "cancelled" {
		t.Errorf("cancelled at token 3: %+v, %v", r, err)
	}
}

func TestBadRequests(t *testing.T) {
	e := engine(t, 16, generate.Options{})
	for name, q := range map[string]generate.Request{
		"empty":           {},
		"too long":        {Prompt: ids(16, 1)},
		"negative id":     {Prompt: []int32{-1}},
		"id too large":    {Prompt: []int32{64}},
		"bad temperature": {Prompt: ids(3, 1), Sampling: generate.Sampling{Temperature: -1}},
		"too few tokens":  {Prompt: ids(3, 1), Sampling: generate.Sampling{MinTokens: 2}},
		"too little room": {Prompt: ids(10, 1), MaxTokens: 30, Sampling: generate.Sampling{MinTokens: 7}},
	} {
		q.MaxTokens = max(q.MaxTokens, 1)
		if _, err := e.Generate(t.Context(), q); err == nil {
			t.Errorf("%s: no error", name)
		} else if errors.Is(err, generate.ErrTooLong) != (name == "too long") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedWeights(t *testing.T) {
	c, dev := tiny(t, 16)
	e, err := generate.New(c, dev, generate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, dev, 1)
	head := make([]float32, c.V*c.C)
	var zero float32
	for i := range head {
		head[i] = zero / zero
	}
	if err := dev.Write("transformer.ff_out.weight", head); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Generate(t.Context(), generate.Request{Prompt: ids(3, 1), MaxTokens: 3}); err == nil {
		t.Error("weights that are no numbers: no error")
	}
}

func ExampleEngine_Generate() {
	// A model of random weights; a real one comes from a file.
	c := &model.Config{Family: "olmo2", Layers: 1, C: 16, H: 2, KV: 2, D: 8, F: 16, VocabSize: 32, V: 32, T: 24, NormEps: 1e-6, RopeTheta: 10000}
	dev, err := cpu.New()
	if err != nil {
		panic(err)
	}
	e, err := generate.New(c, dev, generate.Options{})
	if err != nil {
		panic(err)
	}
	for _, p := range c.Params() {
		w, err := model.Init{Fn: "normal", Std: 0.5}.Weights(c, p, 1)
		if err != nil {
			panic(err)
		}
		if err := dev.Write(p.Name, w); err != nil {
			panic(err)
		}
	}
	r, err := e.Generate(context.Background(), generate.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 4, Sampling: generate.Sampling{Temperature: 0.7, TopP: 0.9, Seed: 1}})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(r.IDs), r.Reason)
	// Output: 4 length
}

// TestKV keeps keys and values in fewer bits: a prompt at once and token by token still give the same bits, which
// are other ones, and the pages take less memory.
func TestKV(t *testing.T) {
	c, _ := tiny(t, 600)
	c.D = 32
	prompt := ids(300, 1)
	answers := map[tensor.DType]generate.Result{}
	bytes := map[tensor.DType]int64{}
	for _, kv := range []tensor.DType{tensor.F32, tensor.F16, tensor.Q8_0} {
		dev := cpuDevice(t)
		e := engineOf(t, c, dev, generate.Options{KV: kv, Memory: 1 << 20})
		want := run(t, e, generate.Request{Prompt: prompt, MaxTokens: 12})
		answers[kv], bytes[kv] = want, dev.Memory().State
		one := engineOf(t, c, cpuDevice(t), generate.Options{KV: kv, Rows: 1, Page: 32})
		got := run(t, one, generate.Request{Prompt: slices.Concat(prompt, want.IDs[:11]), MaxTokens: 1})
		if got.IDs[0] != want.IDs[11] || got.Logprobs[0] != want.Logprobs[11] {
			t.Errorf("%v: token by token %d with %v, at once %d with %v", kv, got.IDs[0], got.Logprobs[0], want.IDs[11], want.Logprobs[11])
		}
	}
	exact := answers[tensor.F32].Logprobs
	for kv, most := range map[tensor.DType]float64{tensor.F16: 0.01, tensor.Q8_0: 0.1} {
		got := answers[kv].Logprobs
		if d := math.Abs(got[0] - exact[0]); d == 0 || d > most {
			t.Errorf("%v: the first log-probability is %v, of float32 %v", kv, got[0], exact[0])
		}
		if want := bytes[tensor.F32] * int64(kv.Size()) / int64(4*kv.BlockSize()); bytes[kv] != want {
			t.Errorf("%v: the pages take %d bytes, want %d", kv, bytes[kv], want)
		}
	}
}

func TestBadKV(t *testing.T) {
	c, dev := tiny(t, 16)
	for _, o := range []generate.Options{{KV: tensor.Q8_0}, {KV: tensor.BF16}, {KV: tensor.F16, Precision: numeric.AMPBF16}} {
		if _, err := generate.New(c, dev, o); err == nil {
			t.Errorf("heads of 8, %v of %v: no error", o.KV, o.Precision)
		}
	}
}
