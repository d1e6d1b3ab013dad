package train

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/model"
)

// optimized are parameters of each role.
func optimized() []model.Param {
	return []model.Param{
		{Name: "wte", Shape: []int{100, 16}, Role: model.Embedding, Blocks: 1},
		{Name: "proj", Shape: []int{48, 16}, Role: model.Projection, Blocks: 3},
		{Name: "bias", Shape: []int{48}, Role: model.Bias, Blocks: 1},
		{Name: "norm", Shape: []int{16}, Role: model.Norm, Blocks: 1},
		{Name: "down", Shape: []int{16, 32}, Role: model.MLPOut, Blocks: 1},
		{Name: "head", Shape: []int{100, 16}, Role: model.Head, Blocks: 1},
	}
}

// TestGroups: which parameters share a rate and a weight decay, as OLMo sorts them for AdamW
// and the dion package for whole matrices.
func TestGroups(t *testing.T) {
	rate := func(x float64) *float64 { return &x }
	describe := func(groups []Group) string {
		var b strings.Builder
		for _, g := range groups {
			var names []string
			for _, p := range g.Params {
				names = append(names, p.Name)
			}
			fmt.Fprintf(&b, "%g %g %t %s\n", g.LearningRate, g.WeightDecay, g.Matrices, strings.Join(names, " "))
		}
		return b.String()
	}
	for _, c := range []struct {
		name string
		o    OptimizerConfig
		want string
	}{
		{"adamw", OptimizerConfig{Name: "adamw", LearningRate: 2, WeightDecay: 0.5}, "2 0.5 false down head proj\n2 0 false bias norm wte\n"},
		{"norms and biases decay", OptimizerConfig{Name: "adamw", LearningRate: 2, WeightDecay: 0.5, DecayNormAndBias: true}, "2 0.5 false bias down head norm proj\n2 0 false wte\n"},
		{"all decay", OptimizerConfig{Name: "lionw", LearningRate: 2, WeightDecay: 0.5, DecayNormAndBias: true, DecayEmbeddings: true}, "2 0.5 false bias down head norm proj wte\n"},
		{"muon", OptimizerConfig{Name: "muon", LearningRate: 2, WeightDecay: 0.5}, "2 0.5 true down proj\n2 0 false wte\n2 0.5 false head\n2 0 false bias norm\n"},
		{"muon, AdamW's rate", OptimizerConfig{Name: "muon", LearningRate: 2, AdamWLearningRate: rate(1)}, "2 0 true down proj\n1 0 false wte\n1 0 false head\n1 0 false bias norm\n"},
		{
			"normuon, all rates",
			OptimizerConfig{Name: "normuon", LearningRate: 2, AdamWLearningRate: rate(1), EmbeddingLearningRate: rate(3), HeadLearningRate: rate(4), WeightDecay: 0.5, DecayEmbeddings: true},
			"2 0.5 true down proj\n3 0.5 false wte\n4 0.5 false head\n1 0 false bias norm\n",
		},
		{"dion's head by its width", OptimizerConfig{Name: "dion", LearningRate: 2, AdamWLearningRate: rate(1)}, "2 0 true down proj\n1 0 false wte\n0.25 0 false head\n1 0 false bias norm\n"},
	} {
		if got := describe(c.o.Groups(optimized())); got != c.want {
			t.Errorf("%s: groups\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// TestStates: what each optimiser keeps, by name and shape, and the size of a checkpoint.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		o     OptimizerConfig
		want  []string
		bytes int64
	}{
		{OptimizerConfig{Name: "adamw"}, []string{"exp_avg/proj [48 16]", "exp_avg_sq/proj [48 16]"}, 3 * 4 * 768},
		{OptimizerConfig{Name: "lionw"}, []string{"exp_avg/proj [48 16]"}, 2 * 4 * 768},
		{OptimizerConfig{Name: "muon"}, []string{"momentum/proj [48 16]"}, 2 * 4 * 768},
		{OptimizerConfig{Name: "normuon"}, []string{"momentum/proj [48 16]", "variance_neuron/proj [48 1]"}, 4 * (2*768 + 48)},
		{OptimizerConfig{Name: "dion", RankFraction: 0.25}, []string{"momentum/proj [48 16]", "directions/proj [12 16]"}, 4 * (2*768 + 12*16)},
	} {
		groups := c.o.Groups(optimized()[1:2])
		var got []string
		for _, s := range c.o.states(groups[0], groups[0].Params[0]) {
			got = append(got, fmt.Sprint(s.name, " ", s.shape))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s keeps %q, want %q", c.o.Name, got, c.want)
		}
		if n := checkpointBytes(groups, &c.o); n != c.bytes {
			t.Errorf("%s: a checkpoint of %d bytes, want %d", c.o.Name, n, c.bytes)
		}
	}
}

// TestRank: Dion's rank is a fraction of the least side of a block, rounded up to a multiple and
// never more than all.
func TestRank(t *testing.T) {
	for _, c := range []struct {
		shape    []int
		blocks   int
		fraction float64
		multiple int
		want     int
	}{
		{[]int{48, 16}, 3, 1, 1, 16},
		{[]int{48, 16}, 3, 0.25, 1, 4},
		{[]int{48, 16}, 3, 0.3, 1, 5},
		{[]int{48, 16}, 3, 0.3, 4, 8},
		{[]int{48, 16}, 3, 0.25, 4, 4},
		{[]int{48, 16}, 3, 0.9, 12, 16},
		{[]int{12, 16}, 3, 1, 1, 4},
		{[]int{48, 16}, 3, 0.3, 0, 5},
	} {
		o := OptimizerConfig{RankFraction: c.fraction, RankMultipleOf: c.multiple}
		if got := o.rank(model.Param{Shape: c.shape, Blocks: c.blocks}); got != c.want {
			t.Errorf("%v in %d blocks, fraction %g, multiple of %d: rank %d, want %d", c.shape, c.blocks, c.fraction, c.multiple, got, c.want)
		}
	}
}

// TestSkips: a step is skipped when its loss or norm is far above the mean of those before it,
// once half the interval has been seen; old steps are forgotten.
func TestSkips(t *testing.T) {
	o := &OptimizerConfig{RollingIntervalLength: 6, SigmaFactor: 2}
	feed := func(losses, norms []float64) (skipped []int) {
		h := history{}
		for i := range losses {
			if h.skips(losses[i], norms[i], o) {
				skipped = append(skipped, i)
			}
		}
		if len(h.Losses) > o.RollingIntervalLength+1 || len(h.GradNorms) != len(h.Losses) {
			t.Errorf("%d losses and %d norms are remembered", len(h.Losses), len(h.GradNorms))
		}
		return skipped
	}
	level := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	with := func(at int, v float64) []float64 {
		list := slices.Clone(level)
		list[at] = v
		return list
	}
	for _, c := range []struct {
		name          string
		losses, norms []float64
		want          []int
	}{
		{"level", level, level, nil},
		{"a jump of the loss", with(5, 2), level, []int{5}},
		{"a jump of the norm", level, with(5, 2), []int{5}},
		{"a fall", with(5, 0), level, nil},
		{"the third step is the first that is judged", with(2, 2), level, []int{2}},
		{"the second is not", with(1, 2), level, nil},
	} {
		if got := feed(c.losses, c.norms); !slices.Equal(got, c.want) {
			t.Errorf("%s: steps %v are skipped, want %v", c.name, got, c.want)
		}
	}
	// The mean of 1 and 3 is 2, their standard deviation (of a sample) the root of 2.
	for last, want := range map[float64]bool{4.82: false, 4.84: true} {
		if got := isOutlier([]float64{1, 3, last}, 2); got != want {
			t.Errorf("%g after 1 and 3 is an outlier: %t", last, got)
		}
	}
	if isOutlier([]float64{1, 100}, 2) {
		t.Error("of one number there is no deviation")
	}
}

// TestBeginDion: Dion's directions begin with normal numbers, the same for each seed, and all
// else that an optimiser keeps with 0.
func TestBeginDion(t *testing.T) {
	directions := map[string][]float32{}
	for _, seed := range []string{"7", "7", "8"} {
		cfg, err := LoadConfig("testdata/tiny.yaml", []string{"save_folder=" + t.TempDir(), "optimizer.name=dion", "seed=" + seed})
		if err != nil {
			t.Fatal(err)
		}
		dev, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		tr, err := New(cfg, dev, Options{})
		if err != nil {
			t.Fatal(err)
		}
		first := ""
		err = tr.eachState(func(s state, _ model.Param) error {
			v, err := dev.Read(s.name)
			if err != nil {
				return err
			}
			var sum float64
			for _, x := range v {
				sum += float64(x) * float64(x)
			}
			random := strings.HasPrefix(s.name, "directions/")
			if random && (sum < 0.8*float64(len(v)) || sum > 1.2*float64(len(v))) || !random && sum != 0 {
				t.Errorf("%s begins with squares that add up to %g over %d numbers", s.name, sum, len(v))
			}
			if random && first == "" {
				first = s.name
				if was, ok := directions[seed]; ok != slices.Equal(was, v) {
					t.Errorf("the directions of seed %s are others the second time", seed)
				}
				directions[seed] = v
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tr.Close()
	}
	if slices.Equal(directions["7"], directions["8"]) {
		t.Error("two seeds give the same directions")
	}
}
