package generate

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"
)

type goldenCase struct {
	Name, By, Logits string
	Sampling         Sampling
	Want             map[int32]float64
}

// goldenSamplers are what llama.cpp and Transformers leave of fixed logits.
func goldenSamplers(t *testing.T) (history, stops []int32, logits map[string][]float32, cases []goldenCase) {
	content, err := os.ReadFile("testdata/samplers/samplers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		History, Stops []int32
		Logits         map[string][]float32
		Cases          []goldenCase
	}
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	return file.History, file.Stops, file.Logits, file.Cases
}

// TestSamplersAgainstOthers compares what is left, and with which probabilities, with llama.cpp's and
// Transformers' own samplers; and then the frequencies of drawn ids with these probabilities.
func TestSamplersAgainstOthers(t *testing.T) {
	history, stops, logits, cases := goldenSamplers(t)
	for _, c := range cases {
		t.Run(c.By+", "+c.Name+", "+c.Logits, func(t *testing.T) {
			if err := c.Sampling.Check(); err != nil {
				t.Fatal(err)
			}
			l := logits[c.Logits]
			s := newSampler(c.Sampling, history, stops)
			s.next(l, 0, nil)
			s.next(l, 0, nil) // nothing is left of the time before
			got := map[int32]float64{}
			if s.left.weigh() {
				for i, w := range s.left.weights {
					if w > 0 {
						got[s.left.id(i)] = float64(w) / s.left.total
					}
				}
			}
			if a, b := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(c.Want)); !slices.Equal(a, b) {
				t.Fatalf("left are %v\nwant %v", a, b)
			}
			for id, want := range c.Want {
				// They, too, compute with float32.
				if math.Abs(got[id]-want) > 2e-6 {
					t.Errorf("id %d has the probability %.7f, want %.7f", id, got[id], want)
				}
			}
			if c.Sampling.MinTokens == 0 { // which looks at the number of the token
				chiSquared(t, s, l, c.Want)
			}
		})
	}
}

// TestMirostatAgainstLlamaCpp follows llama.cpp's draws, and compares what each is drawn from: the bound that they
// move, and what it cuts away.
func TestMirostatAgainstLlamaCpp(t *testing.T) {
	content, err := os.ReadFile("testdata/samplers/samplers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Logits   map[string][]float32
		Mirostat []struct {
			Logits   string
			Sampling Sampling
			Draws    []struct {
				ID   int32
				Want map[int32]float64
			}
		}
	}
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	sizes := map[int]bool{}
	for _, c := range file.Mirostat {
		if err := c.Sampling.Check(); err != nil {
			t.Fatal(err)
		}
		s := newSampler(c.Sampling, nil, nil)
		for n, d := range c.Draws {
			bound := s.bound
			if id := s.next(file.Logits[c.Logits], n, nil).id; d.Want[id] == 0 {
				t.Fatalf("%+v, %s: draw %d is %d, which has no probability", c.Sampling.Mirostat, c.Logits, n, id)
			}
			if len(s.left.logits) != len(d.Want) {
				t.Fatalf("%+v, %s: draw %d is from %d tokens, want %d", c.Sampling.Mirostat, c.Logits, n, len(s.left.logits), len(d.Want))
			}
			sizes[len(d.Want)] = true
			for i, w := range s.left.weights {
				if got, want := float64(w)/s.left.total, d.Want[s.left.id(i)]; math.Abs(got-want) > 2e-6 {
					t.Errorf("%+v, %s: draw %d: id %d has the probability %.7f, want %.7f", c.Sampling.Mirostat, c.Logits, n, s.left.id(i), got, want)
				}
			}
			s.bound = bound
			s.observe(d.ID)
		}
	}
	if len(sizes) < 10 {
		t.Errorf("the draws are from %d sizes: too little is tried", len(sizes))
	}
}

// chiSquared draws often and compares the frequencies with probabilities: Pearson's statistic over the ids
// that are expected five times and more, and the others together.
func chiSquared(t *testing.T, s *sampler, logits []float32, want map[int32]float64) {
	t.Helper()
	const draws = 4000
	count := map[int32]float64{}
	for n := range draws {
		count[s.next(logits, n, nil).id]++
	}
	var statistic, restWant, restGot, degrees float64
	for id, p := range want {
		if expected := p * draws; expected >= 5 {
			statistic += (count[id] - expected) * (count[id] - expected) / expected
			degrees++
		} else {
			restWant, restGot = restWant+expected, restGot+count[id]
		}
		delete(count, id)
	}
	for id := range count {
		t.Errorf("id %d was drawn, which has no probability", id)
	}
	if restWant > 0 {
		statistic += (restGot - restWant) * (restGot - restWant) / restWant
		degrees++
	}
	// Far outside for any number of degrees: mean plus six standard deviations, and a little for few.
	if degrees--; statistic > degrees+6*math.Sqrt(2*degrees)+12 {
		t.Errorf("χ² is %.1f with %.0f degrees of freedom", statistic, degrees)
	}
}
