package generate_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"olmo/device"
	"olmo/generate"
	"olmo/graph"
	"olmo/model"
)

// TestPooling holds embeddings against the hidden states of a program without pages: alone, beside others and in
// steps of all sizes they have the same bits.
func TestPooling(t *testing.T) {
	c, dev := tiny(t, 300)
	const most = 290
	g := graph.New()
	c.Logits(g, model.Options{Positions: most, Taps: true})
	plain, err := dev.Compile(g, device.Options{Rows: most, Selected: 1})
	if err != nil {
		t.Fatal(err)
	}
	e := engineOf(t, c, dev, generate.Options{})
	small := engineOf(t, c, cpuDevice(t), generate.Options{Rows: 7, Page: 32})
	var requests []generate.Request
	for i, n := range []int{1, 5, 40, most, 33} {
		for _, p := range []generate.Pooling{generate.Mean, generate.Last, generate.First} {
			requests = append(requests, generate.Request{Prompt: ids(n, int32(i%2)), Pooling: p})
		}
	}
	beside := together(t, small, append(slices.Clone(requests), generate.Request{Prompt: ids(9, 1), MaxTokens: 20}))
	for i, q := range requests {
		alone := run(t, e, q)
		if !reflect.DeepEqual(alone, beside[i]) {
			t.Errorf("%s of %d tokens: alone %v, beside others %v", q.Pooling, len(q.Prompt), alone.Embedding, beside[i].Embedding)
		}
		b := graph.Sequence(q.Prompt, 1)
		b.Select = []int32{0}
		if err := plain.Run(b); err != nil {
			t.Fatal(err)
		}
		states := plain.Output("hidden.2")
		begin, end := 0, len(q.Prompt)
		if q.Pooling == generate.Last {
			begin = end - 1
		} else if q.Pooling == generate.First {
			end = 1
		}
		want := make([]float64, c.C)
		var squares float64
		for k := range want {
			for row := begin; row < end; row++ {
				want[k] += float64(states[row*c.C+k]) / float64(end-begin)
			}
			squares += want[k] * want[k]
		}
		for k, x := range alone.Embedding {
			if w := want[k] / math.Sqrt(squares); math.Abs(float64(x)-w) > 1e-6 {
				t.Fatalf("%s of %d tokens: element %d is %v, want %v", q.Pooling, len(q.Prompt), k, x, w)
			}
		}
	}
	for _, q := range []generate.Request{{Pooling: "max"}, {Pooling: generate.Mean, MaxTokens: 1}, {Pooling: generate.Mean, Echo: true}} {
		q.Prompt = ids(3, 1)
		if _, err := e.Submit(t.Context(), q); err == nil {
			t.Errorf("pooling %q, %d tokens, echo %v: no error", q.Pooling, q.MaxTokens, q.Echo)
		}
	}
}
