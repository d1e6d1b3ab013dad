package score

import (
	"strings"
	"testing"
	"time"
)

// TestReward: open-instruct's RewardConfig (e6c3044) on verifiers' sums of 0 and 1 and answers with the
// form and without.
func TestReward(t *testing.T) {
	const formed, plain = "a</think> \n<answer>4</answer>", "4"
	for _, c := range []struct {
		name     string
		set      func(*RewardConfig)
		verified float64
		text     string
		stopped  bool
		want     float64
		wantR1   bool
	}{
		{"the verifier's alone", func(*RewardConfig) {}, 0.5, plain, true, 5, false},
		{"no penalty unless asked for", func(*RewardConfig) {}, 1, plain, false, 10, false},
		{"penalty", func(c *RewardConfig) { c.NonStopPenalty, c.NonStopPenaltyValue = true, -1 }, 1, plain, false, -1, false},
		{"penalty, stopped", func(c *RewardConfig) { c.NonStopPenalty, c.NonStopPenaltyValue = true, -1 }, 1, plain, true, 10, false},
		{"added", func(c *RewardConfig) { c.ApplyR1StyleFormatReward, c.AdditiveFormatReward = true, true }, 1, formed, true, 11, true},
		{"added, wrong", func(c *RewardConfig) { c.ApplyR1StyleFormatReward, c.AdditiveFormatReward = true, true }, 0, formed, true, 1, true},
		{"added, without the form", func(c *RewardConfig) { c.ApplyR1StyleFormatReward, c.AdditiveFormatReward = true, true }, 1, plain, true, 10, false},
		{"a condition", func(c *RewardConfig) { c.ApplyR1StyleFormatReward = true }, 1, formed, true, 10, true},
		{"a condition, wrong", func(c *RewardConfig) { c.ApplyR1StyleFormatReward = true }, 0, formed, true, 0, true},
		{"a condition, without the form", func(c *RewardConfig) { c.ApplyR1StyleFormatReward = true }, 1, plain, true, 0, false},
		{"the form alone", func(c *RewardConfig) {
			c.ApplyR1StyleFormatReward, c.ApplyVerifiableReward, c.R1StyleFormatReward = true, false, 3
		}, 1, formed, true, 3, true},
	} {
		r := DefaultReward()
		c.set(&r)
		if got, form := r.Of(c.verified, c.text, c.stopped); got != c.want || form != c.wantR1 {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, got, form, c.want, c.wantR1)
		}
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := (&RewardConfig{}).Check(); err == nil {
		t.Error("no reward at all is no error")
	}
	for text, want := range map[string]bool{
		"</think><answer></answer>": true, "</think>x<answer>4</answer>": false, "<answer>4</answer></think>": false, "</think></think>\x1c<answer>\n4</answer>": true,
		"</think><answer>4": false, "<think>a</think><answer>4</answer> more": true,
	} {
		if r1Format(text) != want {
			t.Errorf("the form of %q", text)
		}
	}
	begun := time.Now()
	if r1Format(strings.Repeat("</think><answer>", 1<<17)); time.Since(begun) > time.Second {
		t.Errorf("the form of a long text takes %v", time.Since(begun))
	}
}
