package score

import (
	"errors"
	"strings"

	"olmo/eval/python"
)

// RewardConfig is how the reward that a sample learns from is made of its verifiers' sum, its form and
// its end, by open-instruct's keys (e6c3044, ground_truth_utils.py, RewardConfig).
type RewardConfig struct {
	ApplyVerifiableReward    bool    `yaml:"apply_verifiable_reward"`
	VerificationReward       float64 `yaml:"verification_reward"` // times the verifiers' sum
	ApplyR1StyleFormatReward bool    `yaml:"apply_r1_style_format_reward"`
	R1StyleFormatReward      float64 `yaml:"r1_style_format_reward"`
	AdditiveFormatReward     bool    `yaml:"additive_format_reward"`
	NonStopPenalty           bool    `yaml:"non_stop_penalty"`
	NonStopPenaltyValue      float64 `yaml:"non_stop_penalty_value"`
}

// DefaultReward has open-instruct's defaults (data_loader.py, StreamingDataLoaderConfig).
func DefaultReward() RewardConfig {
	return RewardConfig{ApplyVerifiableReward: true, VerificationReward: 10, R1StyleFormatReward: 1}
}

// Check refuses a config by which every reward is 0.
func (c *RewardConfig) Check() error {
	if !c.ApplyVerifiableReward && !c.ApplyR1StyleFormatReward && !c.NonStopPenalty {
		return errors.New("apply_verifiable_reward, apply_r1_style_format_reward and non_stop_penalty are all false, so every reward is 0")
	}
	return nil
}

// Of is the reward of a sample: verified is its verifiers' sum (Scored.Sum), stopped that it ended by
// itself. format reports whether it has the form.
//
// Where the form's reward is not added, that of the verifiers counts only for answers that have the
// form; open-instruct asks for that only where r1_style_format_reward is 1, and gives 0 to all else.
func (c *RewardConfig) Of(verified float64, text string, stopped bool) (reward float64, format bool) {
	if c.ApplyR1StyleFormatReward {
		if format = r1Format(text); format {
			reward = c.R1StyleFormatReward
		}
	}
	if c.ApplyVerifiableReward {
		v := float64(c.VerificationReward * verified)
		switch {
		case c.ApplyR1StyleFormatReward && c.AdditiveFormatReward:
			reward += v
		case c.ApplyR1StyleFormatReward && !format:
			reward = 0
		default:
			reward = v
		}
	}
	if c.NonStopPenalty && !stopped {
		reward = c.NonStopPenaltyValue
	}
	return reward, format
}

// r1Format reports whether an answer follows its thinking, between tags.
//
// open-instruct e6c3044, ground_truth_utils.py, soft_format_reward_func.
func r1Format(text string) bool {
	for {
		_, rest, ok := strings.Cut(text, "</think>")
		if !ok {
			return false
		}
		if inner, ok := strings.CutPrefix(strings.TrimLeftFunc(rest, python.IsSpace), "<answer>"); ok {
			return strings.Contains(inner, "</answer>") // where it has none, what follows has none either
		}
		text = rest
	}
}
