package stage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"olmo/adapt"
	"olmo/config"
	"olmo/objective"
	"olmo/train"
)

// RewardConfig is what the YAML file of a reward model's training says.
type RewardConfig struct {
	Config  `yaml:",inline"`
	HeldOut `yaml:",inline"`
	// NumEvals is how often held-out rows are measured, evenly over the run; local_eval_every wins.
	NumEvals int `yaml:"num_evals"`
	// MaxTokenLength and MaxPromptTokenLength are the most tokens of a conversation, and of what comes
	// before its last answer, the answer's header included: a pair with more is left out.
	MaxTokenLength       int     `yaml:"max_token_length"`
	MaxPromptTokenLength int     `yaml:"max_prompt_token_length"`
	WarmUpSteps          int     `yaml:"warm_up_steps"`
	Eps                  float64 `yaml:"eps"`
	// RewardHead is a file of weights with the head (score.weight) that training starts with; a random
	// one, by the seed, where it is empty and the model is no reward model.
	RewardHead string `yaml:"reward_head"`
	// TotalEpisodes is known by name, so that it can be refused.
	TotalEpisodes *int `yaml:"total_episodes,omitempty"`
	unusedReward  `yaml:",inline"`
}

// unusedReward are keys of open-instruct's that mean nothing here; those of batches are computed there
// from others.
type unusedReward struct {
	WorldSize             any `yaml:"world_size,omitempty"`
	MicroBatchSize        any `yaml:"micro_batch_size,omitempty"`
	LocalBatchSize        any `yaml:"local_batch_size,omitempty"`
	BatchSize             any `yaml:"batch_size,omitempty"`
	NumTrainingSteps      any `yaml:"num_training_steps,omitempty"`
	DatasetConfigEvalHash any `yaml:"dataset_config_eval_hash,omitempty"`
	DType                 any `yaml:"dtype,omitempty"`
	AttnImplementation    any `yaml:"attn_implementation,omitempty"`
	UseCache              any `yaml:"use_cache,omitempty"`
	GetTokenizerFn        any `yaml:"get_tokenizer_fn,omitempty"`
	UseFast               any `yaml:"use_fast,omitempty"`
	PerDeviceEvalBatch    any `yaml:"per_device_eval_batch_size,omitempty"`
	EvalFreq              any `yaml:"eval_freq,omitempty"`
}

// DefaultReward returns open-instruct's defaults of reward_modeling.py.
func DefaultReward() *RewardConfig {
	c := &RewardConfig{Config: shared(), NumEvals: 1, MaxTokenLength: 512, MaxPromptTokenLength: 256, Eps: 1e-5}
	c.DatasetTransformFn = []string{"preference_tokenize_v1", "preference_filter_v1"}
	c.OutputDir, c.Seed, c.NumTrainEpochs, c.WeightDecay = "output", 1, 1, 0.01
	c.PerDeviceTrainBatchSize, c.GradientAccumulationSteps = 1, 8
	return c
}

// LoadReward reads the config of a run and merges overrides over it.
func LoadReward(path string, overrides []string) (*RewardConfig, error) {
	c := DefaultReward()
	if err := config.Load(path, overrides, c); err != nil {
		return nil, err
	}
	if err := c.check(path, &DefaultReward().Config); err != nil {
		return nil, err
	}
	if err := c.find(path); err != nil {
		return nil, err
	}
	if _, err := rewardTransforms.trainOn(c.DatasetTransformFn); err != nil {
		return nil, err
	}
	if n := c.MaxSeqLength; n != nil {
		if c.MaxTokenLength != DefaultReward().MaxTokenLength && c.MaxTokenLength != *n {
			return nil, errors.New("max_seq_length and max_token_length are both set, to different values\nhint: they are one setting: keep one")
		}
		c.MaxTokenLength, c.MaxSeqLength = *n, nil
	}
	c.RewardHead = beside(path, c.RewardHead)
	switch {
	case c.MaxTokenLength < 2 || c.MaxPromptTokenLength < 1:
		return nil, fmt.Errorf("max_token_length is %d and max_prompt_token_length %d: they must be at least 2 and 1", c.MaxTokenLength, c.MaxPromptTokenLength)
	case c.WarmUpSteps < 0:
		return nil, fmt.Errorf("warm_up_steps is %d, it must not be negative", c.WarmUpSteps)
	case c.WarmUpSteps > 0 && c.WarmupRatio > 0:
		return nil, errors.New("warm_up_steps and warmup_ratio are both set\nhint: they say the same in two ways: keep one")
	case !(c.Eps > 0):
		return nil, fmt.Errorf("eps is %v, it must be above 0", c.Eps)
	case c.UseLoRA:
		return nil, errors.New("use_lora is set, and the head of a reward model trains, too, which an adapter does not hold\nhint: without it all weights train")
	case c.NumEvals < 0:
		return nil, fmt.Errorf("num_evals is %d, it must not be negative", c.NumEvals)
	case c.TotalEpisodes != nil:
		return nil, errors.New("total_episodes is set: in open-instruct it changes the schedule and not how long the run is\nhint: max_train_steps says that, for both")
	}
	return c, nil
}

// WithoutEffect names the keys that are set and mean nothing here.
func (c *RewardConfig) WithoutEffect() []string {
	return append(c.Config.WithoutEffect(), set(c.unusedReward)...)
}

// Plan prepares the run: pairs of conversations as rows, and the settings of the run over them.
func (c *RewardConfig) Plan(ctx context.Context, h Host) (*Run, error) {
	r, err := c.open(adapt.LastAnswer, h)
	if err != nil {
		return nil, err
	}
	r.Encoder.MaxLength = min(c.MaxTokenLength, r.positions)
	if err := r.gather(ctx, c.judged(r.Encoder.MaxLength), h); err != nil {
		return nil, err
	}
	if err := c.plan(r); err != nil || r.Missing != nil {
		return r, err
	}
	m, err := r.Train.Model.Config()
	if err != nil {
		return nil, err
	}
	if first := r.Rows.First.IDs; m.PAD == first[len(first)-1] {
		h.Warn(fmt.Sprintf("pad_token_id %d of the model is the token that ends the conversations: Transformers takes it for padding, and the reward of the token before it\nhint: a tokenizer and config.json with another pad token", m.PAD))
	}
	if c.NumEvals == 0 && c.LocalEvalEvery == 0 {
		return r, nil
	}
	rows, err := c.HeldOut.rows(ctx, r, c.judged(r.Encoder.MaxLength), h)
	if err != nil || rows == nil {
		return r, err
	}
	e := c.HeldOut.plan(r.Train, rows, 2)
	if c.LocalEvalEvery == 0 {
		r.Train.EvalInterval = max(r.Train.MaxDuration.Steps/c.NumEvals, 1)
	}
	if e.Reference, e.ReferenceSHA256, err = c.margins(rows, "heldout-margins.json"); err != nil {
		return nil, err
	}
	return r, r.Train.Validate()
}

// judgedRows is the name of their files.
const judgedRows = "judged"

// judged are rows of whole conversations of at most so many tokens, whose last ones have the reward.
func (c *RewardConfig) judged(most int) rowMaker {
	return rowMaker{
		kind: adapt.Preference, name: judgedRows, also: map[string]int{"prompt": c.MaxPromptTokenLength}, counts: &judgedCounts{most: most, mostOfPrompt: c.MaxPromptTokenLength},
		encode: func(e *adapt.Encoder, r *adapt.Row) ([]*adapt.Example, error) {
			prompt := adapt.Conversation{Messages: r.Conversation.Messages[:len(r.Conversation.Messages)-1], Tools: r.Conversation.Tools}
			if len(prompt.Messages) > 0 {
				ids, err := e.Prompt(&prompt)
				if err != nil || len(ids) > c.MaxPromptTokenLength {
					return nil, err
				}
			}
			var out []*adapt.Example
			for _, c := range []*adapt.Conversation{&r.Conversation, &r.Rejected} {
				ids, err := e.IDs(c)
				if err != nil || len(ids) > most {
					return nil, err
				}
				x := &adapt.Example{IDs: ids, Labels: make([]int32, len(ids))}
				for i := range x.Labels {
					x.Labels[i] = adapt.Masked
				}
				x.Labels[len(ids)-1] = ids[len(ids)-1]
				out = append(out, x)
			}
			return out, nil
		},
	}
}

// judgedCounts counts pairs, and those that are left out.
type judgedCounts struct {
	pairs, long, tokens, most, mostOfPrompt int
}

func (c *judgedCounts) add(group []*adapt.Example) (keep bool) {
	c.pairs++
	if group == nil {
		c.long++
	}
	for _, x := range group {
		c.tokens += len(x.IDs)
	}
	return group != nil
}

func (c *judgedCounts) said() (text string, warnings []string, none error) {
	limits := fmt.Sprintf("more than %d tokens, or %d before the answer", c.most, c.mostOfPrompt)
	return fmt.Sprintf("pairs %d, left out %d (%s); %d tokens, of which the last of each conversation has the reward", c.pairs, c.long, limits, c.tokens), nil,
		fmt.Errorf("no pair is left: all %d have %s\nhint: max_token_length and max_prompt_token_length, and the positions of the model, are the limits", c.pairs, limits)
}

// plan makes the config of the run.
func (c *RewardConfig) plan(r *Run) (err error) {
	if r.Train, err = r.plan(2, "model.reward_head=true", "objective.name="+string(objective.Reward), "objective.beta=1"); err != nil {
		return err
	}
	t := r.Train
	t.InitRewardHead, t.Optimizer.Eps = c.RewardHead, c.Eps
	// open-instruct's schedule is as long as all epochs of a run that has all epochs already.
	if c.MaxTrainSteps == nil {
		end := float64(t.MaxDuration.Steps * c.NumTrainEpochs)
		t.Scheduler.TMax = &end
		t.Scheduler.TWarmup = warmup(int(end), c.WarmupRatio)
	}
	if c.WarmUpSteps > 0 && c.LRSchedulerType != "constant" {
		t.Scheduler.TWarmup = float64(c.WarmUpSteps)
	}
	r.Summary = "loss −log σ(chosen − rejected)"
	if r.Rows.Margins != nil {
		r.Summary = "loss −log σ(chosen − rejected − margin)"
	}
	if t.Objective.Reference, t.Objective.ReferenceSHA256, err = c.margins(r.Rows, marginsFile); err != nil {
		return err
	}
	return t.Validate()
}

// marginsFile is the file of the margins of what trains.
const marginsFile = "margins.json"

// margins writes the margins of rows into a file of output_dir, where there are any, and returns its path and
// hash.
func (c *RewardConfig) margins(rows *Rows, name string) (path, sha256Hex string, err error) {
	if rows.Margins == nil {
		return "", "", nil
	}
	path = filepath.Join(c.OutputDir, "data", name)
	if name == marginsFile {
		if err := c.keepReferences(path, rows.of.String()); err != nil {
			return "", "", err
		}
	}
	sha256Hex, err = (&train.References{Of: rows.of.String(), Sums: rows.Margins}).Write(path)
	return path, sha256Hex, err
}
