package graph

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/ops.md anew")

// TestOpsPage keeps docs/ops.md equal to the table of operations.
func TestOpsPage(t *testing.T) {
	var s strings.Builder
	s.WriteString("# Operations\n\nGenerated from the table in package `graph` (`go test ./graph -run OpsPage -update`). The roundings are in [numerics.md](numerics.md).\n\n")
	s.WriteString("| operation | what it computes | gradient | writes inputs | FLOPs counted | tolerance | test cases |\n|---|---|---|---|---|---|---|\n")
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(All)) {
		d := All[name]
		var cases []string
		for _, c := range d.Cases {
			cases = append(cases, c.Name)
		}
		fmt.Fprintf(&s, "| `%s` | %s | %s | %s | %s | %.0e | %s |\n", name, strings.ReplaceAll(d.Doc, "|", "\\|"),
			yes(d.Gradient != nil), yes(d.Writes != nil), yes(d.FLOPs != nil), d.Tolerance, strings.ReplaceAll(strings.Join(cases, ", "), "|", "\\|"))
	}
	path := filepath.Join("..", "docs", "ops.md")
	if *update {
		if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != s.String() {
		t.Error("docs/ops.md is not what the table says\nhint: go test ./graph -run OpsPage -update")
	}
}

// TestFLOPs counts products by hand: a multiplication and an addition are two, and what has no
// products counts nothing.
func TestFLOPs(t *testing.T) {
	const T = 6 // two sequences of three tokens: 2·(1+2+3) pairs of query and key
	const pairs = 12
	attention := AttentionAttr{H: 2, KV: 2, D: 3}
	window := attention
	window.Window = 2
	experts := func(g *Graph) Value {
		x := g.input(5)
		var up, gate, down []Value
		for _, name := range []string{"a", "b", "c"} {
			up, gate, down = append(up, g.Param("up."+name, 7, 5)), append(gate, g.Param("gate."+name, 7, 5)), append(down, g.Param("down."+name, 5, 7))
		}
		return g.Experts(x, g.Router(g.Linear(x, g.Param("router", 3, 5)), RouterAttr{K: 2}), up, gate, down, 2)
	}
	const router = 2 * T * 3 * 5
	for _, c := range []struct {
		name  string
		build func(g *Graph)
		want  float64
	}{
		{"a lookup", func(g *Graph) { g.input(5) }, 0},
		{"a product", func(g *Graph) { g.Linear(g.input(5), g.Param("w", 7, 5)) }, 2 * T * 7 * 5},
		{"attention", func(g *Graph) { x := g.input(6); g.Attention(x, x, x, attention) }, 4 * 6 * pairs},
		{"attention under a window", func(g *Graph) { x := g.input(6); g.Attention(x, x, x, window) }, 4 * 6 * (pairs - 2)},
		{"cached attention", func(g *Graph) {
			x := g.input(6)
			g.CachedAttention(x, x, x, g.State("kc", 40, 6), g.State("vc", 40, 6), attention, 10)
		}, 4 * 6 * pairs},
		{"experts", func(g *Graph) { experts(g) }, router + 2*3*T*2*5*7},
		{"a loss", func(g *Graph) { g.HeadLoss(g.input(5), g.Param("head", 12, 5), 0) }, 2 * T * 12 * 5},
		{"a loss and its gradients", func(g *Graph) { g.HeadLoss(g.input(5), g.Param("head", 12, 5), 0); g.Backward() }, 3 * 2 * T * 12 * 5},
		{"a product's gradients", func(g *Graph) {
			y := g.Linear(g.input(5), g.Param("w", 7, 5))
			g.HeadLoss(y, g.Param("head", 12, 7), 0)
			g.Backward()
		}, 3*2*T*12*7 + 3*2*T*7*5},
		{"attention's gradients", func(g *Graph) {
			x := g.input(6)
			g.HeadLoss(g.Attention(x, x, x, attention), g.Param("head", 12, 6), 0)
			g.Backward()
		}, 3*2*T*12*6 + (4+10)*6*pairs},
		{"AdamW", func(g *Graph) {
			g.AdamW(g.Param("p", 4, 8), g.GradNamed("g", 4, 8), g.State("m", 4, 8), g.State("v", 4, 8), AdamWAttr{})
		}, 0},
		// Five rounds of X·Xᵀ, its square, and a product with X, of each block of 4×8.
		{"Muon", func(g *Graph) {
			g.Muon(g.Param("p", 8, 8), g.GradNamed("g", 8, 8), g.State("m", 8, 8), None, MuonAttr{Blocks: 2})
		}, 2 * 5 * (2*4*4*8 + 2*4*4*4 + 2*4*4*8)},
		{"Muon of a tall matrix", func(g *Graph) {
			g.Muon(g.Param("p", 8, 4), g.GradNamed("g", 8, 4), g.State("m", 8, 4), None, MuonAttr{Blocks: 1})
		}, 5 * (2*4*4*8 + 2*4*4*4 + 2*4*4*8)},
		// Four products of rank 3, and 3 rows of the longer side made orthogonal twice.
		{"Dion", func(g *Graph) {
			g.Dion(g.Param("p", 8, 16), g.GradNamed("g", 8, 16), g.State("m", 8, 16), g.State("q", 6, 4), DionAttr{Blocks: 2, Rank: 3})
		}, 2 * (4*2*3*4*16 + 4*3*3*16)},
	} {
		g := New()
		c.build(g)
		if got := g.FLOPs(tokens(2, T/2)()); got != c.want {
			t.Errorf("%s: %v FLOPs, want %v", c.name, got, c.want)
		}
	}
}
