package stage

import (
	"strings"
	"testing"

	"olmo/config"
	"olmo/objective"
	"olmo/train"
)

// TestInOwnKeys: sentences of training name the stage's keys, and paths stay as they are.
func TestInOwnKeys(t *testing.T) {
	for text, want := range map[string]string{
		"optimizer.learning_rate is 2000, it must be at most 1000":                                "learning_rate is 2000, it must be at most 1000",
		"other than its chain says are scheduler.t_warmup, seed, optimizer.learning_rate":         "other than its chain says are warmup_ratio, seed, learning_rate",
		"save_interval is 0, it must be positive or null":                                         "checkpointing_steps is 0, it must be positive or null",
		"rollouts.loss_denominator is \"x\"":                                                      "loss_denominator is \"x\"",
		"reading /a/save_folder/max_duration: save_folder.tmp is there; the model has an adapter": "reading /a/save_folder/max_duration: save_folder.tmp is there; the model has an adapter",
	} {
		if got := InOwnKeys(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	// Keys are training's on the one side, and the stages' own on the other.
	c := train.DefaultConfig()
	c.Adapter, c.Rollouts, c.LossGroup, c.InitRewardHead, c.Data.NoShuffle, c.Data.RowLength = &train.AdapterConfig{InitWeights: "x", BaseRoot: "x"}, &train.RolloutConfig{Reference: "x", ReferenceEvery: new(int), Alpha: 1}, 1, "x", true, 2
	c.Objective = &train.ObjectiveConfig{Name: objective.DPO, ReferenceSHA256: "x"}
	theirs, err := config.Plain(c)
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]bool{}
	for _, c := range []any{DefaultSFT(), DefaultDPO(), DefaultReward(), DefaultGRPO()} {
		plain, err := config.Plain(c)
		if err != nil {
			t.Fatal(err)
		}
		for key := range plain.(map[string]any) {
			ours[key] = true
		}
	}
	for key, own := range ownKeys {
		section, name, below := strings.Cut(key, ".")
		v, ok := theirs.(map[string]any)[section]
		if m, is := v.(map[string]any); below && is {
			_, ok = m[name]
		}
		if !ok {
			t.Errorf("training has no key %s", key)
		}
		if !strings.Contains(own, " ") && !ours[own] {
			t.Errorf("no stage has the key %s", own)
		}
	}
}
