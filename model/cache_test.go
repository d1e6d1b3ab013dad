package model_test

import (
	"math"
	"testing"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
)

// TestCachedFamilies feeds a sequence to every family in pieces, with keys and values in pages, and
// wants the logits of the whole, to the bit.
func TestCachedFamilies(t *testing.T) {
	ids := []int32{3, 7, 1, 15, 4, 4, 0, 9, 12}
	for name, c := range families() {
		t.Run(name, func(t *testing.T) {
			r := &runner{c: c, dev: cpuDevice(t)}
			whole := r.program(t, len(ids), false)
			g := graph.New()
			c.Logits(g, model.Options{Pages: 1, Recent: 1, Page: 32, Positions: len(ids)})
			cached, err := r.dev.Compile(g, device.Options{Rows: len(ids), Selected: len(ids)})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range c.Params() {
				w, err := model.Init{Fn: "normal", Std: 0.5}.Weights(c, p, 7)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.dev.Write(p.Name, w); err != nil {
					t.Fatal(err)
				}
			}
			want := append([]float32(nil), r.run(t, whole, ids, 1)...)
			for begin, n := 0, 4; begin < len(ids); begin, n = begin+n, 1 {
				b := &graph.Batch{IDs: ids[begin : begin+n], Segments: []graph.Segment{{Rows: n, Pos: begin, Pages: []int32{0}, Recent: []int32{0}}}}
				for i := range n {
					b.Select = append(b.Select, int32(i))
				}
				if err := cached.Run(b); err != nil {
					t.Fatal(err)
				}
				for i, v := range cached.Output("logits")[:n*c.V] {
					if w := want[begin*c.V+i]; math.Float32bits(v) != math.Float32bits(w) {
						t.Fatalf("after %d ids logit %d is %v, of the whole sequence %v", begin+n, i, v, w)
					}
				}
			}
		})
	}
}
