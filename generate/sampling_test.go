package generate

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestOrder: as long as top-k and top-p are the only cuts the temperature comes before them, else the order is
// llama.cpp's. What does nothing is left out.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		s    Sampling
		want string
	}{
		{Sampling{}, "temperature"},
		{Sampling{Temperature: 1}, ""},
		{Sampling{Temperature: 0.5, TopK: 3, TopP: 0.9}, "temperature top_k top_p"},
		{Sampling{Temperature: 0.5, TopP: 0.9, Penalties: Penalties{Presence: 1}, DRY: DRY{Multiplier: 1}}, "penalties dry temperature top_p"},
		{Sampling{Temperature: 0.5, TopK: 3, TopP: 0.9, MinP: 0.1}, "top_k top_p min_p temperature"},
		{Sampling{Temperature: 0.5, TopP: 0.9, Typical: 0.9, TopNSigma: 1, XTC: XTC{Probability: 1}}, "top_n_sigma typ_p top_p xtc temperature"},
		{Sampling{Temperature: 0.5, TopP: 0.9, Order: []string{"top_p", "min_p", "temperature"}}, "top_p temperature"},
	} {
		var got []string
		for _, t := range c.s.order() {
			got = append(got, t.name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %v, want %s", c.s, got, c.want)
		}
	}
	if got := strings.Join((&Sampling{MinP: 1}).DefaultOrder(), ";"); got != "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature" {
		t.Errorf("llama.cpp's order is %s", got)
	}
}

// TestOwnLogprobs: whatever the settings do, the reported figure has the bits of the model's own.
func TestOwnLogprobs(t *testing.T) {
	history, stops, logits, cases := goldenSamplers(t)
	for _, c := range cases {
		s := newSampler(c.Sampling, history, stops)
		for n := range 5 {
			got := s.next(logits[c.Logits], n, nil)
			plain := newSampler(Sampling{Temperature: c.Sampling.Temperature, Allowed: []int32{got.id}}, nil, nil).next(logits[c.Logits], n, nil)
			if got != plain {
				t.Fatalf("%s, %s: %+v, want %+v", c.By, c.Name, got, plain)
			}
		}
	}
}

// TestMasks: what may not come does not come, and where nothing may, it is said.
func TestMasks(t *testing.T) {
	logits := []float32{5, 4, 3, 2, 1, 0, 0, 0, 0, 0}
	bits := func(ids ...int) []uint64 {
		m := []uint64{0}
		for _, id := range ids {
			m[0] |= 1 << id
		}
		return m
	}
	for _, c := range []struct {
		name    string
		s       Sampling
		n       int
		allowed []uint64
		want    int32
	}{
		{"all", Sampling{}, 0, nil, 0},
		{"a set", Sampling{}, 0, bits(2, 4), 2},
		{"a set and ids", Sampling{Allowed: []int32{1, 4, 3}}, 0, bits(2, 4), 4},
		{"a set without words for all", Sampling{}, 0, []uint64{}, -1},
		{"nothing in both", Sampling{Allowed: []int32{1}}, 0, bits(2), -1},
		{"banned", Sampling{Banned: []int32{0, 1}}, 0, nil, 2},
		{"a bias", Sampling{Bias: map[int32]float64{3: 3.5}}, 0, nil, 3},
		{"an infinite bias", Sampling{Bias: map[int32]float64{0: math.Inf(-1)}}, 0, nil, 1},
		{"a bias does not bring back", Sampling{Bias: map[int32]float64{3: 30}, Banned: []int32{3}}, 0, nil, 0},
		{"too early to end", Sampling{MinTokens: 2}, 1, nil, 2},
		{"not too early", Sampling{MinTokens: 2}, 2, nil, 0},
		{"a bad word", Sampling{BadWords: [][]int32{{7, 8, 0}, {9, 1}}}, 0, nil, 1},
		{"a bad word of one", Sampling{BadWords: [][]int32{{0}}}, 0, nil, 1},
		{"no id twice", Sampling{NoRepeatNGram: 1}, 0, nil, 1},
		{"pairs", Sampling{NoRepeatNGram: 2}, 0, nil, 1},
	} {
		// The stops are 0 and 1, and one that the model lacks.
		got := newSampler(c.s, []int32{8, 0, 7, 8}, []int32{0, 1, 99}).next(logits, c.n, c.allowed)
		if got.id != c.want {
			t.Errorf("%s: %d, want %d", c.name, got.id, c.want)
		}
		if err := got.problem(3); (c.want < 0) != errors.Is(err, ErrNothingLeft) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if !slices.Equal(logits, []float32{5, 4, 3, 2, 1, 0, 0, 0, 0, 0}) {
		t.Errorf("the logits were changed: %v", logits)
	}
}

// TestWindow: the penalties see the newest tokens alone.
func TestWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, n := range []int{1, 3, 64, 0, -1} {
		s := newSampler(Sampling{Penalties: Penalties{Frequency: 1, LastN: n}}, nil, nil)
		var ids []int32
		for range 200 {
			id := int32(r.IntN(9))
			s.accept(id)
			ids = append(ids, id)
			window := ids
			if k := n; k >= 0 {
				if k == 0 {
					k = 64
				}
				window = ids[max(0, len(ids)-k):]
			}
			want := map[int32]int{}
			for _, id := range window {
				want[id]++
			}
			if len(s.counts) != len(want) {
				t.Fatalf("window of %d: %v, want %v", n, s.counts, want)
			}
			for id, k := range want {
				if s.counts[id] != k {
					t.Fatalf("window of %d: %v, want %v", n, s.counts, want)
				}
			}
		}
	}
}

// TestRepeats compares the lengths of repetitions with what comparing all pairs of places gives.
func TestRepeats(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	var found repeats
	for round := range 3000 {
		ids := make([]int32, r.IntN(40))
		for i := range ids {
			ids[i] = int32(r.IntN(2 + round%4))
		}
		d := DRY{AllowedLength: 1 + r.IntN(3), LastN: r.IntN(50)}
		if round%3 == 0 {
			d.Breakers = [][]int32{{1}, {0, 1, 1}}
		}
		found.find(ids, d)
		window := ids
		if d.LastN > 0 {
			window = ids[max(0, len(ids)-d.LastN):]
		}
		most := sinceBreaker(window, d.Breakers)
		want := map[int32]int{}
		for next := 1; next < len(window); next++ { // would come again
			n := 0
			for n < min(next, most) && window[next-1-n] == window[len(window)-1-n] {
				n++
			}
			if n >= d.AllowedLength {
				want[window[next]] = max(want[window[next]], n)
			}
		}
		if len(window) <= d.AllowedLength {
			want = map[int32]int{}
		}
		if len(want) != len(found.longest) {
			t.Fatalf("%v, %+v: %v, want %v", ids, d, found.longest, want)
		}
		for id, n := range want {
			if found.longest[id] != n {
				t.Fatalf("%v, %+v: %v, want %v", ids, d, found.longest, want)
			}
		}
	}
}

func TestSamplingRefusals(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for want, s := range map[string]Sampling{
		"temperature is +Inf":        {Temperature: inf},
		"temperature is NaN":         {Temperature: nan},
		"temperature is 1e+40":       {Temperature: 1e40},
		"top-p is NaN":               {TopP: nan},
		"top-n-sigma is NaN":         {TopNSigma: nan},
		"typical-p is NaN":           {Typical: nan},
		"min-p is NaN":               {MinP: nan},
		"xtc-probability is NaN":     {XTC: XTC{Probability: nan}},
		"xtc-threshold is NaN":       {XTC: XTC{Probability: 1, Threshold: nan}},
		"repetition-penalty is NaN":  {Penalties: Penalties{Repetition: nan}},
		"frequency-penalty is NaN":   {Penalties: Penalties{Frequency: nan}},
		"dry-multiplier is NaN":      {DRY: DRY{Multiplier: nan}},
		"dry-base is NaN":            {DRY: DRY{Multiplier: 1, Base: nan}},
		"logit-bias of id 2 is NaN":  {Bias: map[int32]float64{2: nan}},
		"min-p is":                   {MinP: 1.5},
		"typical-p is":               {Typical: -1},
		"top-n-sigma is":             {TopNSigma: inf},
		"xtc-probability is":         {XTC: XTC{Probability: 2}},
		"xtc-threshold is":           {XTC: XTC{Probability: 1, Threshold: 0.6}},
		"repetition-penalty is":      {Penalties: Penalties{Repetition: -1}},
		"presence-penalty is":        {Penalties: Penalties{Presence: math.NaN()}},
		"frequency-penalty is":       {Penalties: Penalties{Frequency: inf}},
		"dry-multiplier is":          {DRY: DRY{Multiplier: -1}},
		"dry-base is":                {DRY: DRY{Multiplier: 1, Base: 0.5}},
		"dry-allowed-length is":      {DRY: DRY{AllowedLength: -1}},
		"dry-last-n is":              {DRY: DRY{LastN: -1}},
		"no-repeat-ngram is":         {NoRepeatNGram: -1},
		"min-tokens is":              {MinTokens: -1},
		"logit-bias of id 3 is":      {Bias: map[int32]float64{3: inf}},
		"bad-word has":               {BadWords: [][]int32{{}}},
		"samplers: there is no":      {Order: []string{"topk"}},
		"samplers: top_k stands":     {Temperature: 1, Order: []string{"top_k", "top_k"}},
		"samplers: temperature is m": {Order: []string{"top_k"}},
		"samplers: min_p is missing": {Temperature: 1, MinP: 0.1, Order: []string{"top_k"}},
	} {
		if err := s.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	for want, s := range map[string]Sampling{
		"allowed-ids: id 9":           {Allowed: []int32{1, 9}},
		"banned-ids: id -1":           {Banned: []int32{-1}},
		"logit-bias: id 9":            {Bias: map[int32]float64{9: 1}},
		"bad-word: id 9":              {BadWords: [][]int32{{1, 9}}},
		"dry-sequence-breaker: id 12": {DRY: DRY{Breakers: [][]int32{{12}}}},
	} {
		if err := s.checkIDs(9); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}
