package generate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/device/cpu"
)

func TestGreedy(t *testing.T) {
	nan := float32(math.NaN())
	cases := []struct {
		name   string
		logits []float32
		want   int32
	}{
		{"the largest", []float32{-1, 3, 2}, 1},
		{"the first of equals", []float32{1, 5, 5, 5}, 1},
		{"padding columns count", []float32{0, 1, 2, 9}, 3},
		{"one id", []float32{-7}, 0},
		{"minus infinity", []float32{float32(math.Inf(-1)), -3}, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if id := newSampler(Sampling{}, nil, nil).next(c.logits, 0, nil).id; id != c.want {
				t.Errorf("next(%v) = %d, want %d", c.logits, id, c.want)
			}
		})
	}
	if logprob := newSampler(Sampling{}, nil, nil).next([]float32{1, nan, 2}, 0, nil).logprob; !math.IsNaN(logprob) {
		t.Errorf("log-probability %v beside a logit that is no number, want NaN", logprob)
	}
}

func TestLogprobs(t *testing.T) {
	logits := []float32{0.5, -2, 3, 1}
	var sum float64
	for _, l := range logits {
		sum += math.Exp(float64(l))
	}
	// Whatever temperature and cuts do, the reported figure is the model's own.
	for _, s := range []Sampling{{}, {Temperature: 0.3, Seed: 1}, {Temperature: 3, TopK: 2, Seed: 4}, {Temperature: 2, TopP: 0.9, Seed: 9}} {
		c := newSampler(s, nil, nil).next(logits, 3, nil)
		id, got := c.id, c.logprob
		if want := float64(logits[id]) - math.Log(sum); math.Abs(got-want) > 1e-6 {
			t.Errorf("%+v: log-probability %v of id %d, want %v", s, got, id, want)
		}
	}
}

// TestDistribution draws often and compares the frequencies with the probabilities
// that the settings define, computed by sorting.
func TestDistribution(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 40)
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * 2)
	}
	logits[7] = logits[11] // a tie
	cases := []struct {
		name string
		s    Sampling
	}{
		{"temperature 1", Sampling{Temperature: 1}},
		{"temperature 0.5", Sampling{Temperature: 0.5}},
		{"temperature 2", Sampling{Temperature: 2}},
		{"top-k 5", Sampling{Temperature: 1, TopK: 5}},
		{"top-k beyond the vocabulary", Sampling{Temperature: 1, TopK: 500}},
		{"top-k 1", Sampling{Temperature: 1, TopK: 1}},
		{"top-p 0.8", Sampling{Temperature: 1, TopP: 0.8}},
		{"top-p 1", Sampling{Temperature: 1, TopP: 1}},
		{"top-p tiny", Sampling{Temperature: 1, TopP: 1e-9}},
		{"top-k 10 then top-p 0.7", Sampling{Temperature: 1.5, TopK: 10, TopP: 0.7}},
	}
	const draws = 20000
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := distribution(logits, c.s)
			count := make([]float64, len(logits))
			s := newSampler(c.s, nil, nil)
			for n := range draws {
				count[s.next(logits, n, nil).id]++
			}
			for i, p := range want {
				got := count[i] / draws
				// Five standard deviations of a frequency.
				if tolerance := 5 * math.Sqrt(p*(1-p)/draws); math.Abs(got-p) > tolerance {
					t.Errorf("id %d was drawn with frequency %.4f, want %.4f ± %.4f", i, got, p, tolerance)
				}
			}
		})
	}
}

// distribution is what Sampling's fields mean, written as plainly as possible.
func distribution(logits []float32, s Sampling) []float64 {
	ids := make([]int, len(logits))
	for i := range ids {
		ids[i] = i
	}
	slices.SortStableFunc(ids, func(a, b int) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	if s.TopK > 0 {
		ids = ids[:min(s.TopK, len(ids))]
	}
	p := make([]float64, len(logits))
	scale := func() {
		var sum float64
		for _, i := range ids {
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
	}
	for _, i := range ids {
		p[i] = math.Exp(float64(logits[i]) / s.Temperature)
	}
	scale()
	if s.TopP > 0 {
		var c float64
		for n, i := range ids {
			if c += p[i]; c >= s.TopP {
				for _, j := range ids[n+1:] {
					p[j] = 0
				}
				ids = ids[:n+1]
				break
			}
		}
		scale()
	}
	return p
}

func TestSeeds(t *testing.T) {
	logits := make([]float32, 500)
	draw := func(seed uint64) []int32 {
		s := newSampler(Sampling{Temperature: 1, Seed: seed}, nil, nil)
		var ids []int32
		for n := range 20 {
			ids = append(ids, s.next(logits, n, nil).id)
		}
		return ids
	}
	if a, b := draw(1), draw(1); !slices.Equal(a, b) {
		t.Errorf("seed 1 gives %v, then %v", a, b)
	}
	if a, b := draw(1), draw(2); slices.Equal(a, b) {
		t.Errorf("seeds 1 and 2 both give %v", a)
	}
	// Token n does not depend on what was drawn before it.
	s := newSampler(Sampling{Temperature: 1, Seed: 1}, nil, nil)
	if id := s.next(logits, 13, nil).id; id != draw(1)[13] {
		t.Errorf("token 13 alone is %d, want %d", id, draw(1)[13])
	}
}

func TestTinyTemperature(t *testing.T) {
	logits := []float32{1, 2, 1.999, -50}
	for _, temperature := range []float64{1e-5, 1e-300, 5e-324} {
		s := newSampler(Sampling{Temperature: temperature, Seed: 3}, nil, nil)
		for n := range 50 {
			if id := s.next(logits, n, nil).id; id != 1 {
				t.Fatalf("temperature %g draws %d, want the most probable id 1", temperature, id)
			}
		}
	}
}

func TestCheckSampling(t *testing.T) {
	for _, s := range []Sampling{{Temperature: -1}, {Temperature: math.NaN()}, {TopK: -1}, {TopP: -0.1}, {TopP: 1.1}, {TopP: math.NaN()}} {
		if s.Check() == nil {
			t.Errorf("Check(%+v) = nil, want an error", s)
		}
	}
	if err := (Sampling{Temperature: 0.7, TopK: 40, TopP: 0.95}).Check(); err != nil {
		t.Error(err)
	}
}

func BenchmarkDraw(b *testing.B) {
	if err := cpu.Check(); err != nil { // which chooses the kernels
		b.Fatal(err)
	}
	for _, V := range []int{50304, 201088} {
		r := rand.New(rand.NewPCG(1, 2))
		logits := make([]float32, V)
		history := make([]int32, 2000)
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * 3)
		}
		for i := range history {
			history[i] = int32(r.IntN(50))
		}
		for _, c := range []struct {
			name string
			s    Sampling
		}{
			{"greedy", Sampling{}},
			{"temperature", Sampling{Temperature: 0.8}},
			{"top-p", Sampling{Temperature: 0.8, TopP: 0.95}},
			{"top-p flat", Sampling{Temperature: 2, TopP: 0.95}},
			{"top-k", Sampling{Temperature: 0.8, TopK: 40}},
			{"min-p", Sampling{Temperature: 0.8, MinP: 0.05}},
			{"typical", Sampling{Temperature: 0.8, Typical: 0.9}},
			{"top-n-sigma", Sampling{Temperature: 0.8, TopNSigma: 1}},
			{"xtc", Sampling{Temperature: 0.8, XTC: XTC{Probability: 0.5}}},
			{"penalties", Sampling{Penalties: Penalties{Repetition: 1.1}}},
			{"dry", Sampling{DRY: DRY{Multiplier: 0.8}}},
			{"n-grams", Sampling{NoRepeatNGram: 3}},
			{"all", Sampling{Temperature: 0.8, TopP: 0.95, TopK: 40, MinP: 0.05, Typical: 0.9, TopNSigma: 1, Penalties: Penalties{Repetition: 1.1}, DRY: DRY{Multiplier: 0.8}}},
		} {
			b.Run(fmt.Sprintf("%s of %d", c.name, V), func(b *testing.B) {
				s := newSampler(c.s, history, nil)
				for n := 0; b.Loop(); n++ {
					s.next(logits, n, nil)
				}
			})
		}
	}
}

// TestRanking takes all ids from the most probable one down: each once, of equals the one
// with the smallest id first, for every size of a vocabulary.
func TestRanking(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var k ranking
	for n := 1; n <= 70; n++ {
		logits := make([]float32, n)
		want := make([]int32, n)
		for i := range logits {
			logits[i], want[i] = float32(r.IntN(1+n/2)), int32(i)
		}
		slices.SortStableFunc(want, func(a, b int32) int { return int(logits[b] - logits[a]) })
		k.reset(logits, nil)
		for i, w := range want {
			if id, ok := k.pop(); !ok || id != int(w) {
				t.Fatalf("of %d ids %v number %d is %d, want %d", n, logits, i, id, w)
			}
		}
		if id, ok := k.pop(); ok {
			t.Fatalf("of %d ids %d is one more", n, id)
		}
	}
}

// drawAt draws with a random number.
func drawAt(s Sampling, logits []float32, u float64) int32 {
	p := newSampler(s, nil, nil)
	p.left.reset(logits)
	for _, t := range p.steps {
		t.apply(p, 0)
	}
	return p.left.draw(u)
}

// TestTopP compares what top-p keeps with what sorting all candidates keeps, up to the last one that is needed to
// reach a share that rounding may put out of reach.
func TestTopP(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var c candidates
	for round := range 300 {
		logits := make([]float32, 1+r.IntN(3000))
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * (0.1 + 3*r.Float64()))
		}
		p := []float64{r.Float64(), 0.9, 0.99, 0.9989, 0.9999, 0.9999999, 1 - 1e-12}[round%7]
		c.reset(logits)
		c.weigh()
		weights, total := slices.Clone(c.weights), c.total
		order := make([]int32, len(logits))
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
		n := 0
		for sum := 0.0; n < len(order) && sum < p*total; n++ {
			sum += float64(weights[order[n]])
		}
		if c.topP(p); !slices.Equal(c.ids, order[:n]) {
			t.Fatalf("top-p %g of %d ids keeps %d, want %d", p, len(logits), len(c.ids), n)
		}
		// Once more, of what is ranked, and a top-k of it.
		k := 1 + r.IntN(n)
		if c.topK(k); !slices.Equal(c.ids, order[:k]) {
			t.Fatalf("top-k %d of %d that are left keeps %d", k, n, len(c.ids))
		}
		c.reset(logits)
		if c.topK(k); k < len(logits) && !slices.Equal(c.ids, order[:k]) {
			t.Fatalf("top-k %d of %d ids keeps others than a sort", k, len(logits))
		}
	}
}

// TestEdgesOfShares: a share that a token reaches exactly ends top-p; what rounding leaves over
// goes to the last one that is left.
func TestEdgesOfShares(t *testing.T) {
	quarter := []float32{0, 0, 0, 0}
	for _, c := range []struct {
		name string
		s    Sampling
		u    float64
		want int32
	}{
		{"all, the first", Sampling{Temperature: 1}, 0, 0},
		{"all, below a quarter", Sampling{Temperature: 1}, 0.2499, 0},
		{"all, a quarter", Sampling{Temperature: 1}, 0.25, 1},
		{"all, the last", Sampling{Temperature: 1}, 0.9999, 3},
		{"all, left over", Sampling{Temperature: 1}, 1, 3},
		{"half of the probability", Sampling{Temperature: 1, TopP: 0.5}, 0.9999, 1},
		{"a little more than half", Sampling{Temperature: 1, TopP: 0.51}, 0.9999, 2},
		{"a little of the probability", Sampling{Temperature: 1, TopP: 1e-9}, 0.9999, 0},
		{"two tokens", Sampling{Temperature: 1, TopK: 2}, 0.5, 1},
		{"two tokens, left over", Sampling{Temperature: 1, TopK: 2}, 1, 1},
		{"as many tokens as there are", Sampling{Temperature: 1, TopK: 4}, 0.9999, 3},
		{"half of two tokens", Sampling{Temperature: 1, TopK: 2, TopP: 0.5}, 0.9999, 0},
		{"more than half of two tokens", Sampling{Temperature: 1, TopK: 2, TopP: 0.6}, 0.9999, 1},
	} {
		if got := drawAt(c.s, quarter, c.u); got != c.want {
			t.Errorf("%s: id %d, want %d", c.name, got, c.want)
		}
	}
	// An id without any weight is not drawn, though it be the last.
	if got := drawAt(Sampling{Temperature: 1}, []float32{0, 0, -1000}, 1); got != 1 {
		t.Errorf("id %d was drawn, which has no weight", got)
	}
}

// TestDrawn: the figure beside a drawn id is the share that the temperature leaves it, whatever
// top-k and top-p cut away; without a temperature it is the model's own, and at one without finite
// quotients all of it.
func TestDrawn(t *testing.T) {
	logits := []float32{0.5, -2, 3, 1}
	for _, s := range []Sampling{{Temperature: 1, Seed: 1}, {Temperature: 0.3, Seed: 1}, {Temperature: 3, TopK: 2, Seed: 4}, {Temperature: 2, TopP: 0.9, Seed: 9}} {
		var sum float64
		for _, l := range logits {
			sum += math.Exp(float64(l) / s.Temperature)
		}
		c := newSampler(s, nil, nil).next(logits, 3, nil)
		if want := float64(logits[c.id])/s.Temperature - math.Log(sum); math.Abs(c.drawn-want) > 1e-5 {
			t.Errorf("%+v: id %d was drawn with %v, want %v", s, c.id, c.drawn, want)
		}
		if s.Temperature == 1 && c.drawn != c.logprob {
			t.Errorf("at a temperature of 1 id %d was drawn with %v, the model's own figure is %v", c.id, c.drawn, c.logprob)
		}
	}
	if c := newSampler(Sampling{}, nil, nil).next(logits, 0, nil); c.drawn != c.logprob {
		t.Errorf("the most probable id has %v and %v", c.drawn, c.logprob)
	}
	if c := newSampler(Sampling{Temperature: 1e-300}, nil, nil).next(logits, 0, nil); c.id != 2 || c.drawn != 0 || c.logprob == 0 {
		t.Errorf("a tiny temperature: %+v", c)
	}
	for _, temperature := range []float64{0, 1e-300, 0.5, 1} {
		for _, l := range [][]float32{{float32(math.NaN()), 1}, {1, float32(math.NaN())}, {1, float32(math.Inf(1))}} {
			if c := newSampler(Sampling{Temperature: temperature}, nil, nil).next(l, 0, nil); !math.IsNaN(c.logprob) {
				t.Errorf("log-probability %v of %v at %g, want NaN", c.logprob, l, temperature)
			}
		}
	}
}
