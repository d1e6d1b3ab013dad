package stage

import (
	"context"
	"fmt"
	"path/filepath"

	"olmo/adapt"
	"olmo/config"
	"olmo/model"
	"olmo/numeric"
	"olmo/objective"
	"olmo/proof"
	"olmo/train"
)

// DPOConfig is what the YAML file of preference tuning says.
type DPOConfig struct {
	Config         `yaml:",inline"`
	HeldOut        `yaml:",inline"`
	Balancing      `yaml:",inline"`
	Beta           float64                  `yaml:"beta"`
	LossType       objective.PreferenceLoss `yaml:"loss_type"`
	LabelSmoothing float64                  `yaml:"label_smoothing"`
	GammaBetaRatio float64                  `yaml:"gamma_beta_ratio"`
	// ReferenceModel is the model that starts where it is empty.
	ReferenceModel    string `yaml:"reference_model"`
	CacheLogprobsOnly bool   `yaml:"cache_logprobs_only"`
	unusedDPO         `yaml:",inline"`
}

// unusedDPO are keys of open-instruct's that mean nothing here.
type unusedDPO struct {
	ConcatenatedForward   any `yaml:"concatenated_forward,omitempty"`
	DPOUsePagedOptimizer  any `yaml:"dpo_use_paged_optimizer,omitempty"`
	TensorParallelDegree  any `yaml:"tensor_parallel_degree,omitempty"`
	ContextParallelDegree any `yaml:"context_parallel_degree,omitempty"`
	FSDPShardDegree       any `yaml:"fsdp_shard_degree,omitempty"`
	FSDPNumReplicas       any `yaml:"fsdp_num_replicas,omitempty"`
	OEEvalGPUMultiplier   any `yaml:"oe_eval_gpu_multiplier,omitempty"`
	EvalWorkspace         any `yaml:"eval_workspace,omitempty"`
	EvalPriority          any `yaml:"eval_priority,omitempty"`
	SendSlackAlerts       any `yaml:"send_slack_alerts,omitempty"`
	Profiling             any `yaml:"profiling,omitempty"`
	ZeroStage             any `yaml:"zero_stage,omitempty"`
	OffloadOptimizer      any `yaml:"offload_optimizer,omitempty"`
	OffloadParam          any `yaml:"offload_param,omitempty"`
	ZeroHPZPartitionSize  any `yaml:"zero_hpz_partition_size,omitempty"`
}

// DefaultDPO returns open-instruct's defaults of dpo_tune_cache.py.
func DefaultDPO() *DPOConfig {
	p := objective.DefaultPreference
	c := &DPOConfig{Config: shared(), HeldOut: defaultHeldOut(), Beta: p.Beta, LossType: p.Loss, LabelSmoothing: p.LabelSmoothing, GammaBetaRatio: p.GammaBetaRatio}
	c.DatasetTransformFn = []string{"preference_tulu_tokenize_and_truncate_v1", "preference_tulu_filter_v1"}
	c.WarmupRatio, c.NumTrainEpochs, c.CheckpointingSteps = 0.1, 1, "500"
	return c
}

// LoadDPO reads the config of a run and merges overrides over it.
func LoadDPO(path string, overrides []string) (*DPOConfig, error) {
	c := DefaultDPO()
	if err := config.Load(path, overrides, c); err != nil {
		return nil, err
	}
	if err := c.check(path, &DefaultDPO().Config); err != nil {
		return nil, err
	}
	if err := c.find(path); err != nil {
		return nil, err
	}
	if _, err := preferenceTransforms.trainOn(c.DatasetTransformFn); err != nil {
		return nil, err
	}
	if err := c.checkBalancing(); err != nil {
		return nil, err
	}
	p := c.objective()
	if err := p.Check(); err != nil {
		return nil, err
	}
	if c.ReferenceModel != "" && !c.LossType.HasReference() {
		return nil, fmt.Errorf("reference_model is set, and loss_type %s has no reference", c.LossType)
	}
	c.ReferenceModel = beside(path, c.ReferenceModel)
	return c, nil
}

// WithoutEffect names the keys that are set and mean nothing here.
func (c *DPOConfig) WithoutEffect() []string {
	return append(c.Config.WithoutEffect(), set(c.unusedDPO)...)
}

func (c *DPOConfig) objective() objective.Preference {
	return objective.Preference{Loss: c.LossType, Beta: c.Beta, LabelSmoothing: c.LabelSmoothing, GammaBetaRatio: c.GammaBetaRatio}
}

// Plan prepares the run: pairs of answers as rows, and what the reference model says of them.
func (c *DPOConfig) Plan(ctx context.Context, h Host) (*Run, error) {
	if c.isOutput(c.ReferenceModel) {
		return nil, fmt.Errorf("output_dir %s is the folder of reference_model\nhint: set output_dir to another folder", c.OutputDir)
	}
	r, err := c.open(adapt.LastAnswer, h)
	if err != nil {
		return nil, err
	}
	if err := r.gather(ctx, answers(adapt.Preference, r.Encoder), h); err != nil {
		return nil, err
	}
	if err := c.plan(ctx, r, h); err != nil {
		return nil, err
	}
	rows, err := c.HeldOut.rows(ctx, r, answers(adapt.Preference, r.Encoder), h)
	if err != nil || rows == nil {
		return r, err
	}
	e := c.HeldOut.plan(r.Train, rows, 2)
	switch {
	case c.LossType.HasReference() && h.DryRun:
		e.Reference, e.ReferenceSHA256 = "heldout-reference.json", "not computed"
	case c.LossType.HasReference():
		e.Reference = filepath.Join(c.OutputDir, "data", "heldout-reference.json")
		t := *r.Train
		t.Data = e.Data
		if e.ReferenceSHA256, err = c.reference(ctx, r, &t, rows, e.Reference, h); err != nil {
			return nil, fmt.Errorf("reference log-probabilities of dataset_mixer_eval_list: %w", err)
		}
	}
	return r, r.Train.Validate()
}

// plan makes the config of the run.
func (c *DPOConfig) plan(ctx context.Context, r *Run, h Host) (err error) {
	if r.Train, err = r.plan(2); err != nil {
		return err
	}
	o := &train.ObjectiveConfig{Name: c.LossType, Beta: c.Beta, LabelSmoothing: c.LabelSmoothing, GammaBetaRatio: c.GammaBetaRatio}
	if c.LossType.HasReference() && h.DryRun {
		o.Reference, o.ReferenceSHA256 = "reference.json", "not computed"
	} else if c.LossType.HasReference() {
		o.Reference = filepath.Join(c.OutputDir, "data", "reference.json")
		if o.ReferenceSHA256, err = c.reference(ctx, r, r.Train, r.Rows, o.Reference, h); err != nil {
			return fmt.Errorf("reference log-probabilities: %w", err)
		}
	} else if c.CacheLogprobsOnly {
		return fmt.Errorf("cache_logprobs_only is set, and loss_type %s has no reference", c.LossType)
	}
	r.Train.Objective, r.PrepareOnly = o, c.CacheLogprobsOnly
	r.Summary = fmt.Sprintf("loss %s, beta %g", c.LossType, c.Beta)
	if err := c.balance(r, 0.001); err != nil {
		return err
	}
	return r.Train.Validate()
}

// reference makes the file of the reference's log-probabilities of the rows that are a training's data, or
// takes the one that is there and follows from the same model and rows, and returns its hash.
func (c *DPOConfig) reference(ctx context.Context, r *Run, t *train.Config, rows *Rows, path string, h Host) (string, error) {
	name := c.ReferenceModel
	if name == "" {
		name = r.start
	}
	l, err := model.Open(name)
	if err != nil {
		return "", err
	}
	defer l.Close()
	if l.Config.V < r.vocabulary {
		return "", fmt.Errorf("%s has %d ids, the model that learns has %d", name, l.Config.V, r.vocabulary)
	}
	digest, err := l.Set.Digest()
	if err != nil {
		return "", err
	}
	var adapter *model.PEFT // with which the run begins
	of := proof.Hash(digest).String()
	if c.ReferenceModel == "" && c.LoRAWeights != "" {
		if adapter, err = model.OpenPEFT(c.LoRAWeights, l.Config); err != nil {
			return "", err
		}
		defer adapter.Close()
		digest, err := adapter.Digest()
		if err != nil {
			return "", err
		}
		of += " " + proof.Hash(digest).String()
	}
	text, err := proof.CanonicalOf(struct {
		Rows, Model string
		Precision   numeric.Precision
		Length      int
	}{rows.of.String(), of, c.Precision, t.Data.RowLength})
	if err != nil {
		return "", err
	}
	of = proof.Sum(text).String()
	if have, hash, err := train.ReadReferences(path); err == nil && have.Of == of {
		return hash, nil
	}
	if t == r.Train {
		if err := c.keepReferences(path, of); err != nil {
			return "", err
		}
	}
	dev, err := h.Device()
	if err != nil {
		return "", err
	}
	sums, err := t.Scores(ctx, l, adapter, dev, func(done, total int) { h.See("reference log-probabilities", done, total) })
	if err != nil {
		return "", err
	}
	return (&train.References{Of: of, Sums: sums}).Write(path)
}
