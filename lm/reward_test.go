package lm_test

import (
	"slices"
	"strings"
	"testing"

	"olmo/lm"
	"olmo/lm/lmtest"
)

// TestRewardModel: a reward depends neither on the other sequences nor on how many there are.
func TestRewardModel(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.WriteReward(dir); err != nil {
		t.Fatal(err)
	}
	opened := func() *lm.RewardModel {
		t.Helper()
		r, err := lm.OpenReward(dir, lm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	var sequences [][]int32
	for i := range 100 { // more tokens than one pass takes
		ids := make([]int32, 1+i%50)
		for j := range ids {
			ids[j] = int32((7*i + 13*j) % 320)
		}
		sequences = append(sequences, ids)
	}
	got, err := opened().Rewards(t.Context(), sequences)
	if err != nil {
		t.Fatal(err)
	}
	alone := opened()
	for i, ids := range sequences {
		one, err := alone.Rewards(t.Context(), [][]int32{ids})
		if err != nil {
			t.Fatal(err)
		}
		if one[0] != got[i] {
			t.Errorf("sequence %d has the reward %v alone, and %v among others", i, one[0], got[i])
		}
	}
	if slices.Max(got)-slices.Min(got) < 0.1 {
		t.Errorf("all rewards are about %v", got[0])
	}
	if none, err := alone.Rewards(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("of no sequences: %v, %v", none, err)
	}
	for want, ids := range map[string][]int32{"has no tokens": {}, "id 320 is outside": {320}, "65 tokens, the model has 64 positions": make([]int32, 65)} {
		if _, err := alone.Rewards(t.Context(), [][]int32{{1}, ids}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", ids, err)
		}
	}
}

// TestRewardModelOrNot: each kind of model is opened by its own function alone, and the other says so.
func TestRewardModelOrNot(t *testing.T) {
	reward, plain := t.TempDir(), t.TempDir()
	if err := lmtest.WriteReward(reward); err != nil {
		t.Fatal(err)
	}
	if err := lmtest.Write(plain); err != nil {
		t.Fatal(err)
	}
	if _, err := lm.Open(reward, lm.Options{}); err == nil || !strings.Contains(err.Error(), "is a reward model") {
		t.Errorf("a reward model as one that writes: %v", err)
	}
	if _, err := lm.OpenReward(plain, lm.Options{}); err == nil || !strings.Contains(err.Error(), "is no reward model") {
		t.Errorf("a model that writes as a reward model: %v", err)
	}
}
