package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"olmo/graph"
)

// TestValidate: sizes that do not go together are refused with both values; those at the edge
// of what goes together are not.
func TestValidate(t *testing.T) {
	base := Config{Family: "llama", Layers: 2, C: 8, H: 4, KV: 2, D: 4, F: 6, V: 10, VocabSize: 10, T: 16, NormEps: 1e-6, RopeTheta: 100}
	for _, c := range []struct {
		name   string
		change func(c *Config)
		want   string // "": no error
	}{
		{"as it is", func(c *Config) {}, ""},
		{"family", func(c *Config) { c.Family = "gpt3" }, `family "gpt3" is not known`},
		{"layers", func(c *Config) { c.Layers = 0 }, "layers 0"},
		{"width", func(c *Config) { c.C = -1 }, "width -1"},
		{"heads", func(c *Config) { c.H = 0 }, "heads 0"},
		{"key heads", func(c *Config) { c.KV = 0 }, "key heads 0"},
		{"head size", func(c *Config) { c.D = 0 }, "head size 0"},
		{"MLP", func(c *Config) { c.F = 0 }, "MLP 0"},
		{"vocabulary", func(c *Config) { c.V, c.VocabSize = 0, 0 }, "vocabulary 0"},
		{"positions", func(c *Config) { c.T = 0 }, "positions 0"},
		{"as large as can be", func(c *Config) { c.F = 1 << 30 }, ""},
		{"larger", func(c *Config) { c.F = 1<<30 + 1 }, "a size is larger than"},
		{"most layers", func(c *Config) { c.Layers = maxParts }, ""},
		{"more layers", func(c *Config) { c.Layers = maxParts + 1 }, "layers of 0 experts are more"},
		{"more layers times experts", func(c *Config) { c.Family, c.Layers, c.Experts, c.TopK = "mixtral", maxParts/2+1, 2, 1 }, "layers of 2 experts are more"},
		{"as many key heads as heads", func(c *Config) { c.KV = 4 }, ""},
		{"key heads that do not divide", func(c *Config) { c.KV = 3 }, "4 heads cannot share 3 key heads"},
		{"more ids than rows", func(c *Config) { c.V, c.VocabSize = 200, 201 }, "hint: set embedding_size to 256"},
		{"more ids than rows, a whole number of 128", func(c *Config) { c.V, c.VocabSize = 200, 256 }, "hint: set embedding_size to 256"},
		{"eps of 0", func(c *Config) { c.NormEps = 0 }, ""},
		{"negative eps", func(c *Config) { c.NormEps = -1e-6 }, "the norms' eps"},
		{"eps that is NaN", func(c *Config) { c.NormEps = float32(math.NaN()) }, "the norms' eps"},
		{"scaled logits with a bias", func(c *Config) { c.ScaleLogits, c.HeadBias = true, true }, "scaled logits with a bias"},
		{"scaled logits with a bias, tied", func(c *Config) { c.ScaleLogits, c.HeadBias, c.Tied = true, true, true }, ""},
		{"windows", func(c *Config) { c.Windows = []int{1, 2, 3} }, "3 attention windows for 2 layers"},
		{"dropout of 1", func(c *Config) { c.ResidualDropout = 1 }, "dropout of attention 0, residual 1"},
		{"negative dropout", func(c *Config) { c.EmbeddingDropout = -0.1 }, "embeddings -0.1"},
		{"dropout that is NaN", func(c *Config) { c.AttentionDropout = math.NaN() }, "dropout of attention NaN"},
		{"dropout", func(c *Config) { c.AttentionDropout = 0.99 }, ""},
		{"negative experts", func(c *Config) { c.Experts = -1 }, "0 of -1 experts"},
		{"more experts chosen than there are", func(c *Config) { c.Experts, c.TopK = 2, 3 }, "3 of 2 experts"},
		{"none chosen", func(c *Config) { c.Experts = 2 }, "0 of 2 experts"},
		{"negative chosen", func(c *Config) { c.Experts, c.TopK = 2, -1 }, "-1 of 2 experts"},
		{"all chosen", func(c *Config) { c.Experts, c.TopK = 2, 2 }, ""},
		{"scaling", func(c *Config) { c.Scaling = &Scaling{Type: "linear"} }, "does not go together"},
		{"scaling below a window", func(c *Config) { c.SlidingScaling = &Scaling{Type: "linear"} }, "does not go together"},
		{"odd heads", func(c *Config) { c.D = 3 }, "3 elements of heads of size 3 cannot be rotated"},
		{"an odd part of a head", func(c *Config) { c.RopeDims = 3 }, "3 elements of heads of size 4"},
		{"a part of a head", func(c *Config) { c.RopeDims = 2 }, ""},
		{"more than a head", func(c *Config) { c.RopeDims = 6 }, "6 elements of heads of size 4"},
		{"less than nothing", func(c *Config) { c.RopeDims = -2 }, "-2 elements of a head"},
		{"no theta", func(c *Config) { c.RopeTheta = 0 }, "rope_theta is 0"},
		{"infinite theta", func(c *Config) { c.RopeTheta = math.Inf(1) }, "rope_theta is +Inf"},
		{"odd heads that do not rotate", func(c *Config) { c.Position, c.D, c.RopeTheta = Alibi, 3, 0 }, ""},
	} {
		got := base
		c.change(&got)
		err := got.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!")) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestParams: names, shapes and roles of a model's parameters, on which initialisation, weight
// decay and the digest of its weights depend.
func TestParams(t *testing.T) {
	full := NormKind{Weight: true, Bias: true}
	c := &Config{
		Family: "olmo", Layers: 1, C: 8, H: 4, KV: 2, D: 2, F: 6, V: 10, VocabSize: 10, T: 16, Norm: full, QKNorm: &full, Position: Learned,
		EmbeddingNorm: true, AttentionBias: true, MLPBias: true, HeadBias: true,
	}
	var got []string
	for _, p := range c.Params() {
		got = append(got, fmt.Sprintln(p.Name, p.Shape, p.Role, p.Layer, p.Blocks))
	}
	const block = "transformer.blocks.0."
	want := []string{
		fmt.Sprintln("transformer.wte.weight", []int{10, 8}, Embedding, -1, 1),
		fmt.Sprintln("transformer.emb_norm.weight", []int{8}, Norm, -1, 1),
		fmt.Sprintln("transformer.emb_norm.bias", []int{8}, Bias, -1, 1),
		fmt.Sprintln("transformer.wpe.weight", []int{16, 8}, Embedding, -1, 1),
		fmt.Sprintln(block+"attn_norm.weight", []int{8}, Norm, 0, 1),
		fmt.Sprintln(block+"attn_norm.bias", []int{8}, Bias, 0, 1),
		fmt.Sprintln(block+"att_proj.weight", []int{16, 8}, Projection, 0, 1), // two key heads: no three equal blocks
		fmt.Sprintln(block+"att_proj.bias", []int{16}, Bias, 0, 1),
		fmt.Sprintln(block+"q_norm.weight", []int{8}, Norm, 0, 1),
		fmt.Sprintln(block+"q_norm.bias", []int{8}, Bias, 0, 1),
		fmt.Sprintln(block+"k_norm.weight", []int{4}, Norm, 0, 1),
		fmt.Sprintln(block+"k_norm.bias", []int{4}, Bias, 0, 1),
		fmt.Sprintln(block+"attn_out.weight", []int{8, 8}, AttentionOut, 0, 1),
		fmt.Sprintln(block+"attn_out.bias", []int{8}, Bias, 0, 1),
		fmt.Sprintln(block+"ff_norm.weight", []int{8}, Norm, 0, 1),
		fmt.Sprintln(block+"ff_norm.bias", []int{8}, Bias, 0, 1),
		fmt.Sprintln(block+"ff_proj.weight", []int{12, 8}, Projection, 0, 2), // up and gate
		fmt.Sprintln(block+"ff_proj.bias", []int{12}, Bias, 0, 2),
		fmt.Sprintln(block+"ff_out.weight", []int{8, 6}, MLPOut, 0, 1),
		fmt.Sprintln(block+"ff_out.bias", []int{8}, Bias, 0, 1),
		fmt.Sprintln("transformer.ln_f.weight", []int{8}, Norm, -1, 1),
		fmt.Sprintln("transformer.ln_f.bias", []int{8}, Bias, -1, 1),
		fmt.Sprintln("transformer.ff_out.weight", []int{10, 8}, Head, -1, 1),
		fmt.Sprintln("transformer.ff_out.bias", []int{10}, Bias, -1, 1),
	}
	if !slices.Equal(got, want) {
		t.Errorf("parameters\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
	// Query, key and value of as many heads are three blocks of a fused matrix.
	for _, c := range []*Config{
		{Family: "olmo", Layers: 1, C: 8, H: 4, KV: 4, D: 2, F: 6, V: 10, T: 16},
		{Family: "mpt", Layers: 1, C: 8, H: 4, KV: 4, D: 2, F: 32, V: 10, T: 16, Position: Alibi, AlibiMax: 8, Activation: GELU, Tied: true},
	} {
		fused := 0
		for _, p := range c.Params() {
			if p.Role == Projection && p.Blocks == 3 && slices.Equal(p.Shape, []int{24, 8}) {
				fused++
			}
		}
		if fused != 1 {
			t.Errorf("%s: %d matrices of query, key and value, want 1", c.Family, fused)
		}
	}
}

// TestTaps: the hidden states are counted as Hugging Face does, and are there only when they
// are asked for.
func TestTaps(t *testing.T) {
	c := &Config{Family: "llama", Layers: 3, C: 8, H: 4, KV: 2, D: 2, F: 6, V: 10, T: 16, RopeTheta: 100, Norm: NormKind{RMS: true, Weight: true}}
	kept := func(o Options) []string {
		g := graph.New()
		c.Logits(g, o)
		var names []string
		for _, v := range g.Kept {
			names = append(names, g.Info(v).Name)
		}
		slices.Sort(names)
		return names
	}
	if got, want := kept(Options{Taps: true}), []string{"hidden.0", "hidden.1", "hidden.2", "hidden.3", "logits"}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
	if got, want := kept(Options{}), []string{"logits"}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
}

// TestTrace: the modules whose outputs a trace compares, by the package's names.
func TestTrace(t *testing.T) {
	rms := NormKind{RMS: true, Weight: true}
	c := &Config{Family: "olmo2", Layers: 1, C: 8, H: 4, KV: 4, D: 2, F: 6, V: 10, T: 16, RopeTheta: 100, Norm: rms, QKNorm: &rms}
	want := []string{"transformer.wte"}
	for _, part := range []string{".att_proj", ".q_norm", ".k_norm", ".attn_out", ".attn_norm", ".ff_proj", ".act", ".ff_out", ".ff_norm", ""} {
		want = append(want, "transformer.blocks.0"+part)
	}
	want = append(want, "transformer.ln_f")
	g := graph.New()
	got := c.Trace(g)
	if !slices.Equal(got, want) {
		t.Errorf("modules %q, want %q", got, want)
	}
	for _, name := range got {
		if _, ok := g.Lookup(name); !ok {
			t.Errorf("the output of %s is not kept", name)
		}
	}
}

// TestCaches: a model that generates has caches of keys and values, a place for each position of
// each page, under names that do not clash with another graph's.
func TestCaches(t *testing.T) {
	c := &Config{Family: "llama", Layers: 2, C: 8, H: 4, KV: 2, D: 2, F: 6, V: 10, T: 16, RopeTheta: 100, Norm: NormKind{RMS: true, Weight: true}}
	for _, x := range []struct {
		o    Options
		name string
		rows int // of a cache, 0 without
		n    int // positions of the rotation
	}{
		{Options{}, "cache", 0, 16}, {Options{Positions: 5}, "cache", 0, 5}, {Options{Pages: 3, Page: 7, Positions: 9}, "cache", 21, 9}, {Options{Pages: 1, Page: 40, Cache: "other"}, "other", 40, 16},
	} {
		g := graph.New()
		c.Logits(g, x.o)
		for l := range c.Layers {
			for _, what := range []string{"k", "v"} {
				name := fmt.Sprintf("%s.%d.%s", x.name, l, what)
				v, ok := g.Lookup(name)
				if ok != (x.rows > 0) || ok && !slices.Equal(g.Info(v).Shape, []int{x.rows, 4}) {
					t.Errorf("%+v: %s is there: %t", x.o, name, ok)
				}
			}
		}
		cos, ok := g.Lookup("rotary.cos")
		if !ok || !slices.Equal(g.Info(cos).Shape, []int{x.n, 1}) {
			t.Errorf("%+v: a rotation of shape %v, want %d positions", x.o, g.Info(cos).Shape, x.n)
		}
	}
}

// TestRotations: layers with a window have a rotation of their own, with their own theta and
// scaling; its angles are position times frequency.
func TestRotations(t *testing.T) {
	c := &Config{
		Family: "olmo3", Layers: 2, C: 8, H: 2, KV: 2, D: 4, F: 6, V: 10, T: 8, RopeTheta: 100, Windows: []int{3, 0}, SlidingTheta: 25,
		Norm: NormKind{RMS: true, Weight: true}, QKNorm: &NormKind{RMS: true, Weight: true}, Scaling: &Scaling{Type: "yarn", Factor: 1, Original: 8, BetaFast: 32, BetaSlow: 1, AttentionFactor: 2},
	}
	g := graph.New()
	c.Logits(g, Options{})
	for name, want := range map[string]struct{ theta, factor float64 }{"rotary": {100, 2}, "rotary.sliding": {25, 1}} {
		cos, ok1 := g.Lookup(name + ".cos")
		sin, ok2 := g.Lookup(name + ".sin")
		if !ok1 || !ok2 {
			t.Errorf("there is no %s", name)
			continue
		}
		for p := range 8 {
			for i := range 2 {
				angle := float64(p) * math.Pow(want.theta, -float64(2*i)/4)
				x, y := g.Info(cos).Data[p*2+i], g.Info(sin).Data[p*2+i]
				if math.Abs(float64(x)-want.factor*math.Cos(angle)) > 1e-6 || math.Abs(float64(y)-want.factor*math.Sin(angle)) > 1e-6 {
					t.Errorf("%s, position %d, pair %d: %v, %v; want the cosine and sine of %v, times %v", name, p, i, x, y, angle, want.factor)
				}
			}
		}
	}
}

// TestLossKeeps: what a loss lets be read: of a mixture of experts whose routers have losses, one
// of each layer, whose weights are shared by the layers.
func TestLossKeeps(t *testing.T) {
	c := &Config{Family: "mixtral", Layers: 2, C: 8, H: 2, KV: 2, D: 4, F: 6, V: 10, T: 8, RopeTheta: 100, Norm: NormKind{RMS: true, Weight: true}, Experts: 3, TopK: 2, NormTopK: true}
	kept := func() []string {
		g := graph.New()
		c.Loss(g, 0.5)
		var names []string
		for _, v := range g.Kept {
			names = append(names, g.Info(v).Name)
		}
		for _, op := range g.Ops {
			if a, ok := op.Attr.(*graph.RouterLossAttr); ok && (a.Balance != c.BalanceWeight/2 || a.ZLoss != c.RouterZWeight/2 || a.K != 2) {
				t.Errorf("a router's losses are %+v", *a)
			}
			if a, ok := op.Attr.(*graph.RouterAttr); ok && (a.K != 2 || !a.Normalize) {
				t.Errorf("a router is %+v", *a)
			}
		}
		slices.Sort(names)
		return names
	}
	if got, want := kept(), []string{"ce", "lse"}; !slices.Equal(got, want) {
		t.Errorf("without weights of the routers' losses %q, want %q", got, want)
	}
	all := []string{"balance.0", "balance.1", "ce", "lse", "router_z.0", "router_z.1"}
	c.BalanceWeight = 0.3
	if got := kept(); !slices.Equal(got, all) {
		t.Errorf("with balance %q, want %q", got, all)
	}
	c.BalanceWeight, c.RouterZWeight = 0, 0.2
	if got := kept(); !slices.Equal(got, all) {
		t.Errorf("with the z-loss %q, want %q", got, all)
	}
}

// TestDropoutSites: each place of dropout is another one, in training alone, and there is none
// where the probability is 0.
func TestDropoutSites(t *testing.T) {
	c := &Config{Family: "olmo", Layers: 2, C: 8, H: 2, KV: 2, D: 4, F: 6, V: 10, T: 8, RopeTheta: 100, Tied: true, AttentionDropout: 0.1, ResidualDropout: 0.2, EmbeddingDropout: 0.3}
	sites := func(build func(g *graph.Graph)) map[float64]int {
		g := graph.New()
		build(g)
		seen, count := map[int]bool{}, map[float64]int{}
		note := func(a graph.DropoutAttr) {
			if a.P == 0 {
				return
			}
			if seen[a.Site] || a.Site == 0 {
				t.Errorf("site %d twice", a.Site)
			}
			seen[a.Site] = true
			count[a.P]++
		}
		for _, op := range g.Ops {
			switch a := op.Attr.(type) {
			case *graph.DropoutAttr:
				if op.Def == graph.Dropout {
					note(*a)
				}
			case *graph.AttentionAttr:
				if op.Def == graph.Attention {
					note(a.Dropout)
				}
			}
		}
		return count
	}
	got := sites(func(g *graph.Graph) { c.loss(g, 0, "", true) })
	if want := map[float64]int{0.1: 2, 0.2: 4, 0.3: 1}; !maps.Equal(got, want) {
		t.Errorf("places of dropout %v, want %v", got, want)
	}
	if got := sites(func(g *graph.Graph) { c.Loss(g, 0) }); len(got) > 0 {
		t.Errorf("of a loss that is only measured %v", got)
	}
	c.ResidualDropout = 0
	if got := sites(func(g *graph.Graph) { c.loss(g, 0, "", true) }); got[0.2] != 0 || got[0] != 0 {
		t.Errorf("without dropout of the residual %v", got)
	}
}
