package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"olmo/data/tokens"
	"olmo/objective"
	"olmo/runlog"
)

// RolloutConfig makes a run one of reinforcement learning (GRPO: Shao et al. 2024): the instances of
// its data are prompts. A step samples answers to a batch of them with the weights as they are, has
// them judged, and makes MiniBatches × Epochs updates by what came out.
type RolloutConfig struct {
	Samples        int      `yaml:"samples"`         // answers to each prompt: a group
	ResponseLength int      `yaml:"response_length"` // tokens of an answer at most
	Temperature    float64  `yaml:"temperature"`
	Stop           []int32  `yaml:"stop"` // ids that end an answer, and are its last
	StopStrings    []string `yaml:"stop_strings"`

	MiniBatches  int                     `yaml:"mini_batches"` // parts of a batch, an update for each
	Epochs       int                     `yaml:"epochs"`       // through a batch
	Loss         objective.Loss          `yaml:"loss_fn"`
	ClipLower    float64                 `yaml:"clip_lower"`
	ClipHigher   float64                 `yaml:"clip_higher"`
	Beta         float64                 `yaml:"beta"` // above 0 a reference policy is asked
	KLEstimator  int                     `yaml:"kl_estimator"`
	Denominator  string                  `yaml:"loss_denominator"` // token: the answers' tokens of a mini-batch; or a number
	Advantages   objective.Normalisation `yaml:"advantage_normalization_type"`
	DropZeroStd  bool                    `yaml:"filter_zero_std_samples"`    // groups with one score do not train
	DropCutShort bool                    `yaml:"mask_truncated_completions"` // nor do answers that reach response_length
	// Replenish draws other prompts in the place of groups with one score, within the step, as long as
	// there are any that the step has not asked.
	Replenish bool `yaml:"active_sampling"`
	// Rewards is the SHA-256 of what else the rewards follow from: ground truths and verifiers.
	Rewards string `yaml:"rewards"`
	// ReferenceEvery is after how many steps the reference moves towards the policy, by Alpha; nil: never.
	ReferenceEvery *int    `yaml:"ref_policy_update_freq,omitempty"`
	Alpha          float64 `yaml:"alpha,omitempty"`
	// Reference is the weights_digest of the model that the reference policy is, with Beta above 0.
	Reference string `yaml:"reference,omitempty"`

	// SaveTraces writes each answer to rollouts.jsonl. It changes no bit.
	SaveTraces bool `yaml:"save_traces"`
}

// SetDefaults gives open-instruct's defaults (e6c3044, data_loader.py and grpo_utils.py).
func (r *RolloutConfig) SetDefaults() {
	o := objective.DefaultConfig
	*r = RolloutConfig{
		Samples: 4, ResponseLength: 256, Temperature: 1, MiniBatches: 1, Epochs: 1, Loss: o.Loss, ClipLower: o.ClipLower, ClipHigher: o.ClipHigher,
		Beta: o.Beta, KLEstimator: o.KL, Denominator: "token", Advantages: objective.Centered, DropZeroStd: true,
	}
}

// objective is the loss of a token.
func (r *RolloutConfig) objective() objective.Config {
	return objective.Config{Loss: r.Loss, ClipLower: r.ClipLower, ClipHigher: r.ClipHigher, Beta: r.Beta, KL: r.KLEstimator}
}

// updates is how many updates a step of the run makes.
func (c *Config) updates() int {
	if r := c.Rollouts; r != nil {
		return r.MiniBatches * r.Epochs
	}
	return 1
}

// countUpdates turns a time of the schedule and its end, in steps, into updates, of which a step with
// rollouts makes several: its k-th, from 1.
func (c *Config) countUpdates(now, end float64, k int) (float64, float64) {
	n := float64(c.updates())
	if n == 1 {
		return now, end
	}
	return float64((now-1)*n) + float64(k), end * n
}

func (c *Config) checkRollouts() error {
	r := c.Rollouts
	if r == nil {
		return nil
	}
	o := r.objective()
	n, err := strconv.ParseFloat(r.Denominator, 64)
	switch m := &c.Model; {
	case o.Check() != nil:
		return fmt.Errorf("rollouts: %w", o.Check())
	case c.Data.Name != tokens.Rows || c.Data.RowGroup > 1 || c.ranks() > 1:
		return errors.New("rollouts are for data.name rows, one prompt a row, and world_size 1")
	case c.Objective != nil || c.SoftmaxAuxiliaryLoss || c.Optimizer.Name == "skip_step_adamw" || len(c.BatchSizeSchedule) > 0:
		return errors.New("rollouts have an objective of their own: objective, softmax_auxiliary_loss, skip_step_adamw and batch_size_schedule do not go with them")
	case m.AttentionDropout+m.ResidualDropout+m.EmbeddingDropout > 0:
		return errors.New("rollouts: a model with dropout would train with other probabilities than it samples with\nhint: set model.attention_dropout, residual_dropout and embedding_dropout to 0")
	case c.Adapter != nil && c.Adapter.Dropout > 0:
		return errors.New("rollouts: an adapter with dropout would train with other probabilities than it samples with\nhint: adapter.dropout=0 (lora_dropout)")
	case c.NEFTuneNoiseAlpha > 0:
		return errors.New("rollouts: noise on embeddings would train with other probabilities than the run samples with\nhint: set neftune_noise_alpha to 0")
	case r.Denominator != "token" && (err != nil || !(n > 0 && n < mostTime)):
		return fmt.Errorf("rollouts.loss_denominator is %q, want token or a number above 0", r.Denominator)
	case !slices.Contains(objective.Normalisations, r.Advantages):
		return fmt.Errorf("rollouts.advantage_normalization_type is %q, want one of %v", r.Advantages, objective.Normalisations)
	case r.ReferenceEvery != nil && (r.Beta == 0 || c.Adapter != nil):
		return errors.New("rollouts.ref_policy_update_freq is for a run with beta above 0, and without an adapter")
	case r.DropZeroStd && r.Samples == 1:
		return errors.New("rollouts.filter_zero_std_samples with one answer to a prompt would drop all of them\nhint: filter_zero_std_samples=false, or more samples")
	case r.Replenish && !r.DropZeroStd:
		return errors.New("rollouts.active_sampling replaces what filter_zero_std_samples drops, and that is false")
	case r.ResponseLength >= c.row():
		return fmt.Errorf("rollouts.response_length is %d, and %d tokens are all that a prompt has with its answer", r.ResponseLength, c.row())
	}
	return nil
}

// Prompt is an instance of the data of a run with rollouts.
type Prompt struct {
	Row int // its index in the data
	IDs []int32
}

// Rollout is an answer that was sampled.
type Rollout struct {
	Prompt  Prompt
	Sample  int // number among the answers to the prompt
	IDs     []int32
	Drawn   []float64 // log-probabilities at the temperature, bit for bit those with which the ids train
	Text    string
	Stopped bool // it ended by itself, not for its length

	Score    float64            // the reward
	Verified float64            // what the verifiers gave in all, before any factor
	Verdicts map[string]float64 // and each of them, by name
	Truth    json.RawMessage    // ground_truth of the prompt
	Dataset  json.RawMessage    // dataset, the names of its verifiers
	Index    int                // of the prompt in the data set that the rows were made from

	advantage float64
	trains    bool
	reference []float64 // nil without one
}

// Rollouts sample and judge answers, for a run with Config.Rollouts. Both may use the trainer's device,
// whose parameters are the model's.
type Rollouts interface {
	// Sample returns Samples answers to each of prompts, one prompt after the other. The same step and
	// weights give the same answers.
	Sample(ctx context.Context, t *Trainer, step int, prompts []Prompt) ([]*Rollout, error)
	// Reference returns the log-probabilities of the ids of answers by the policy that a run with Beta
	// above 0 is held to, at its temperature.
	Reference(ctx context.Context, t *Trainer, answers []*Rollout) ([][]float64, error)
}

// record is an answer's line of rollouts.jsonl.
func (r *Rollout) record(step int) runlog.Record {
	finish := "length"
	if r.Stopped {
		finish = "stop"
	}
	return runlog.Record{
		"step": step, "prompt": r.Index, "sample": r.Sample, "prompt_ids": r.Prompt.IDs, "response_ids": r.IDs, "logprobs": r.Drawn,
		"text": r.Text, "ground_truth": r.Truth, "dataset": r.Dataset, "score": r.Score, "verified": r.Verified, "advantage": r.advantage,
		"finish": finish, "trained": r.trains,
	}
}
