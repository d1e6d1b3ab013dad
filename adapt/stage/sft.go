package stage

import (
	"context"
	"errors"
	"fmt"

	"olmo/adapt"
	"olmo/config"
)

// SFTConfig is what the YAML file of supervised fine-tuning says.
type SFTConfig struct {
	Config       `yaml:",inline"`
	Balancing    `yaml:",inline"`
	HeldOut      `yaml:",inline"`
	TrainOn      adapt.TrainOn `yaml:"train_on"`
	Reduction    Reduction     `yaml:"reduction"`
	FinalLRRatio *float64      `yaml:"final_lr_ratio"`
	// PretrainingData names token files and the shares of the run's tokens that their documents get.
	PretrainingData []string `yaml:"pretraining_data"`
	// NEFTuneNoiseAlpha is the strength of the noise on embeddings; nil: none.
	NEFTuneNoiseAlpha *float64 `yaml:"neftune_noise_alpha"`
}

// Reduction is what the sum of the losses of a step's target tokens is divided by.
type Reduction string

// The reductions: by their number, as the mean over micro-batches of the means over their target
// tokens (open-instruct's of today), by nothing.
const (
	Token Reduction = "token"
	Mean  Reduction = "mean"
	Sum   Reduction = "sum"
)

// DefaultSFT returns open-instruct's defaults of finetune.py.
func DefaultSFT() *SFTConfig {
	c := &SFTConfig{Config: shared(), HeldOut: defaultHeldOut(), TrainOn: adapt.EveryAnswer, Reduction: Token}
	c.DatasetTransformFn = []string{"sft_tulu_tokenize_and_truncate_v1", "sft_tulu_filter_v1"}
	c.WarmupRatio, c.NumTrainEpochs = 0.03, 2
	return c
}

// LoadSFT reads the config of a run and merges overrides over it.
func LoadSFT(path string, overrides []string) (*SFTConfig, error) {
	c := DefaultSFT()
	if err := config.Load(path, overrides, c); err != nil {
		return nil, err
	}
	if err := c.check(path, &DefaultSFT().Config); err != nil {
		return nil, err
	}
	if err := c.checkBalancing(); err != nil {
		return nil, err
	}
	if err := c.find(path); err != nil {
		return nil, err
	}
	for _, err := range []error{
		config.OneOf("reduction", string(c.Reduction), "token", "mean", "sum"),
		config.OneOf("train_on", string(c.TrainOn), "assistant", "last", "all"),
	} {
		if err != nil {
			return nil, err
		}
	}
	on, err := sftTransforms.trainOn(c.DatasetTransformFn)
	if err != nil {
		return nil, err
	}
	if on != adapt.EveryAnswer {
		if c.TrainOn != adapt.EveryAnswer && c.TrainOn != on {
			return nil, fmt.Errorf("train_on is %s, and dataset_transform_fn lets %s train\nhint: keep one of them", c.TrainOn, on)
		}
		c.TrainOn = on
	}
	switch {
	case c.FinalLRRatio != nil && (c.LRSchedulerType != "linear" || !(*c.FinalLRRatio >= 0 && *c.FinalLRRatio < 1)):
		return nil, errors.New("final_lr_ratio is for lr_scheduler_type linear, and from 0 to below 1")
	case c.NEFTuneNoiseAlpha != nil && !(*c.NEFTuneNoiseAlpha >= 0 && *c.NEFTuneNoiseAlpha <= 1e6):
		return nil, fmt.Errorf("neftune_noise_alpha is %v, it must not be negative\nhint: 5 is usual, null is no noise", *c.NEFTuneNoiseAlpha)
	}
	_, err = c.pretraining(path)
	return c, err
}

// Plan prepares the run: the model, its conversations as rows, and the settings of the run over them.
func (c *SFTConfig) Plan(ctx context.Context, h Host) (*Run, error) {
	r, err := c.open(c.TrainOn, h)
	if err != nil {
		return nil, err
	}
	maker := answers(adapt.SFT, r.Encoder)
	parts, err := c.pretraining("")
	if err == nil && len(parts) > 0 {
		maker, err = maker.withPretraining(ctx, parts, c.Seed, r.Encoder.MaxLength)
	}
	if err != nil {
		return nil, err
	}
	if err := r.gather(ctx, maker, h); err != nil {
		return nil, err
	}
	r.Summary = fmt.Sprintf("reduction %s", c.Reduction)
	if err := c.plan(r); err != nil {
		return nil, err
	}
	if w := c.LoadBalancingWeight; c.LoadBalancingLoss && w != nil && *w != r.routerWeight {
		h.Warn(fmt.Sprintf("load_balancing_weight is %g: finetune.py of open-instruct (e6c3044) does not read it, and takes router_aux_loss_coef of the model's config.json, %g, as this program does where load_balancing_weight is not set", *w, r.routerWeight))
	}
	rows, err := c.HeldOut.rows(ctx, r, answers(adapt.SFT, r.Encoder), h)
	if err != nil || rows == nil {
		return r, err
	}
	c.HeldOut.plan(r.Train, rows, 1)
	return r, r.Train.Validate()
}

// plan makes the config of the run.
func (c *SFTConfig) plan(r *Run) (err error) {
	if r.Train, err = r.plan(1); err != nil {
		return err
	}
	t := r.Train
	if f := c.FinalLRRatio; f != nil {
		steps := float64(t.MaxDuration.Steps)
		end := (steps - float64(*f*t.Scheduler.TWarmup)) / (1 - *f)
		t.Scheduler.TMax = &end
	}
	if a := c.NEFTuneNoiseAlpha; a != nil {
		t.NEFTuneNoiseAlpha = *a
	}
	switch c.Reduction {
	case Token:
		t.LossDenominator = "labels"
	case Mean:
		t.LossDenominator, t.LossGroup = "mean", c.PerDeviceTrainBatchSize
	case Sum:
		t.LossDenominator = "none"
	}
	if err := c.balance(r, r.routerWeight); err != nil {
		return err
	}
	return t.Validate()
}
