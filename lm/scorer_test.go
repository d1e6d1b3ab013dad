package lm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"olmo/generate"
	"olmo/lm"
	"olmo/model"
	"olmo/numeric"
)

// scorer scores with a model of random weights on a device of its own.
func scorer(t testing.TB, precision numeric.Precision) *lm.Scorer {
	t.Helper()
	c := &model.Config{
		Family: "olmo2", Layers: 2, C: 32, H: 4, KV: 2, D: 8, F: 48, VocabSize: 260, V: 264, T: 48, NormEps: 1e-6, RopeTheta: 10000, EOS: 256,
	}
	m, err := lm.New(c, lm.Options{Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Scorer(c.T)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Params() {
		w, err := model.Init{Fn: "normal", Std: 0.3}.Weights(c, p, 5)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Device.Write(p.Name, w); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func score(t testing.TB, s *lm.Scorer, q ...lm.Sequence) [][]float32 {
	t.Helper()
	out := make([][]float32, len(q))
	if err := s.Score(t.Context(), q, func(i int, nats []float32) { out[i] = slices.Clone(nats) }); err != nil {
		t.Fatal(err)
	}
	return out
}

func sequence(n int, seed int32) lm.Sequence {
	q := lm.Sequence{}
	for i := range int32(n) {
		q.IDs = append(q.IDs, (i*i*7+seed*31+i)%256)
		q.Targets = append(q.Targets, (i*13+seed)%256)
	}
	return q
}

func TestBatchInvariance(t *testing.T) {
	for _, precision := range numeric.Precisions() {
		t.Run(precision.String(), func(t *testing.T) {
			s := scorer(t, precision)
			var all []lm.Sequence
			for i := range int32(120) {
				all = append(all, sequence(1+int(i*37%48), i))
			}
			together := score(t, s, all...)
			for i, q := range all {
				if alone := score(t, s, q)[0]; !slices.Equal(alone, together[i]) {
					t.Fatalf("sequence %d of %d tokens: alone %v, in a batch %v", i, len(q.IDs), alone, together[i])
				}
			}
		})
	}
}

func TestTargets(t *testing.T) {
	s := scorer(t, numeric.FP32)
	q := sequence(20, 3)
	full := score(t, s, q)[0]
	q.Targets = slices.Clone(q.Targets)
	for i := range q.Targets {
		if i%3 > 0 {
			q.Targets[i] = -1
		}
	}
	for i, v := range score(t, s, q)[0] {
		if want := full[i]; i%3 > 0 && v != 0 || i%3 == 0 && v != want {
			t.Errorf("token %d costs %v, want %v", i, v, want)
		}
	}
}

// TestGenerationAgrees holds the log-probabilities of an answer against those of a
// scoring pass: the same bits.
func TestGenerationAgrees(t *testing.T) {
	for _, precision := range numeric.Precisions() {
		s := scorer(t, precision)
		g, err := s.Model().Generator()
		if err != nil {
			t.Fatal(err)
		}
		prompt := sequence(9, 1).IDs
		r, err := g.Generate(t.Context(), lm.Request{Prompt: prompt, MaxTokens: 30, Sampling: generate.Sampling{Temperature: 1, Seed: 2}})
		if err != nil {
			t.Fatal(err)
		}
		ids := slices.Concat(prompt, r.IDs)
		nats := score(t, s, lm.Sequence{IDs: ids[:len(ids)-1], Targets: ids[1:]})[0]
		for i, logprob := range r.Logprobs {
			if got := float64(nats[len(prompt)-1+i]); got != -logprob {
				t.Errorf("%v: token %d: scored %v, generated %v", precision, i, got, -logprob)
			}
		}
	}
}

// likelihoods are those of sequences, in their order.
func likelihoods(t testing.TB, s *lm.Scorer, q []lm.Sequence, o lm.ScoreOptions) []lm.Likelihood {
	t.Helper()
	out, told := make([]lm.Likelihood, len(q)), make([]bool, len(q))
	err := s.Likelihoods(t.Context(), q, o, func(i int, l lm.Likelihood) error {
		if told[i] {
			t.Errorf("sequence %d is told twice", i)
		}
		out[i], told[i] = l, true
		return nil
	})
	if err != nil || slices.Contains(told, false) {
		t.Fatal(told, err)
	}
	return out
}

// TestLikelihoods holds the costs of sequences that begin alike against those of Score: the same
// bits, whatever of a sequence is scored, in whatever order and whatever stands beside it.
func TestLikelihoods(t *testing.T) {
	for _, precision := range numeric.Precisions() {
		s := scorer(t, precision)
		var all, few []lm.Sequence
		for i := range int32(200) {
			shared := sequence(1+int(i*7%30), i)
			for j := range 1 + i%4 {
				rest := sequence(1+int(j*5), 100+i+j)
				q := lm.Sequence{IDs: slices.Concat(shared.IDs, rest.IDs), Targets: slices.Concat(shared.Targets, rest.Targets)}
				for k := range q.Targets {
					if i%3 == 0 && k < len(q.Targets)-1 || i%3 == 1 && k%2 == 0 {
						q.Targets[k] = -1
					}
				}
				all = append(all, q)
				if i%3 == 0 {
					few = append(few, q) // with more tokens than a pass takes, and few targets
				}
			}
		}
		mixed := slices.Clone(all)
		for i := range mixed {
			j := i * 7919 % len(mixed)
			mixed[i], mixed[j] = mixed[j], mixed[i]
		}
		for name, q := range map[string][]lm.Sequence{"one alone": all[:1], "many": all, "few targets": slices.Concat(few, few, few), "in another order": mixed} {
			shared := likelihoods(t, s, q, lm.ScoreOptions{})
			alone := likelihoods(t, s, q, lm.ScoreOptions{NoShare: true})
			for i := range q {
				var want []float32
				for k, v := range score(t, s, q[i])[0] {
					if q[i].Targets[k] >= 0 {
						want = append(want, v)
					}
				}
				if !slices.Equal(shared[i].Nats, want) || !slices.Equal(alone[i].Nats, want) || shared[i].Greedy != alone[i].Greedy {
					t.Fatalf("%v, %s: sequence %d costs %v, alone %v, want %v", precision, name, i, shared[i], alone[i], want)
				}
			}
		}
	}
}

func TestBadSequences(t *testing.T) {
	s := scorer(t, numeric.FP32)
	nothing := func(int, []float32) {}
	for name, q := range map[string]lm.Sequence{
		"too long":     sequence(3000, 1),
		"id too large": {IDs: []int32{264}, Targets: []int32{1}},
		"negative id":  {IDs: []int32{-1}, Targets: []int32{1}},
	} {
		if s.Score(t.Context(), []lm.Sequence{q}, nothing) == nil {
			t.Errorf("%s: no error", name)
		}
		if err := s.Likelihoods(t.Context(), []lm.Sequence{q}, lm.ScoreOptions{}, func(int, lm.Likelihood) error { return nil }); err == nil && name != "too long" {
			t.Errorf("%s: no error of likelihoods", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Score(ctx, []lm.Sequence{sequence(3, 1)}, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
