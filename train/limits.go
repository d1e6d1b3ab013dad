package train

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// limit is what a number of the config may be: from low to high, both allowed unless above
// or below says otherwise, and finite. hint, if any, says what else there is.
type limit struct {
	key          string
	value        any // int, *int, float64 or *float64; a nil pointer is not checked
	low, high    float64
	above, below bool // low, high itself is not allowed
	hint         string
}

// Limits that many keys share: as many as memory or a lifetime could hold, and far from where
// products of two of them overflow.
const (
	mostItems = 1 << 30 // instances, tokens of a sequence, sizes
	mostSteps = 1e15
	mostTime  = 1e18 // of a schedule, in tokens
	mostRate  = 1e3
)

// limits lists every number of the config that has a meaning here. Those that follow from
// each other, such as sizes of a model, are checked by whoever knows how; those of schedules
// have a list of their own. A number that
// could only be a slip (NaN, a negative rate, a batch of 1e18) must not begin a run.
func (c *Config) limits() []limit {
	o, m, d := &c.Optimizer, &c.Model, &c.Data
	rows := []limit{
		{key: "model.d_model", value: m.DModel, low: 1, high: mostItems},
		{key: "model.n_heads", value: m.NHeads, low: 1, high: mostItems},
		{key: "model.n_kv_heads", value: m.NKVHeads, low: 1, high: mostItems, hint: "null is as many as n_heads"},
		{key: "model.n_layers", value: m.NLayers, low: 1, high: mostItems},
		{key: "model.mlp_ratio", value: m.MLPRatio, low: 1, high: mostItems},
		{key: "model.mlp_hidden_size", value: m.MLPHiddenSize, low: 1, high: mostItems, hint: "null is mlp_ratio times d_model"},
		{key: "model.max_sequence_length", value: m.MaxSequenceLength, low: 2, high: mostItems, hint: "one token alone predicts nothing"},
		{key: "model.vocab_size", value: m.VocabSize, low: 1, high: mostItems},
		{key: "model.embedding_size", value: m.EmbeddingSize, low: 1, high: mostItems, hint: "null is vocab_size"},
		{key: "model.eos_token_id", value: m.EOSTokenID, low: -1, high: math.MaxInt32},
		{key: "model.pad_token_id", value: m.PadTokenID, low: -1, high: math.MaxInt32},
		{key: "model.attention_dropout", value: m.AttentionDropout, high: 1, below: true},
		{key: "model.residual_dropout", value: m.ResidualDropout, high: 1, below: true},
		{key: "model.embedding_dropout", value: m.EmbeddingDropout, high: 1, below: true},
		{key: "model.layer_norm_eps", value: m.LayerNormEps, high: 1},
		{key: "model.rope_theta", value: m.RopeTheta, above: true, high: 1e12},
		{key: "model.alibi_bias_max", value: m.AlibiBiasMax, above: true, high: 1e6},
		{key: "model.clip_qkv", value: m.ClipQKV, above: true, high: 1e30, hint: "null turns it off"},
		{key: "model.init_std", value: m.InitStd, high: 1e6},
		{key: "model.init_cutoff_factor", value: m.InitCutoffFactor, above: true, high: 1e6, hint: "null is no cut"},
		{key: "model.emb_init_std", value: m.EmbInitStd, high: 1e6},
		{key: "model.moe_num_experts", value: m.MoENumExperts, low: 1, high: mostItems},
		{key: "model.moe_top_k", value: m.MoETopK, low: 1, high: mostItems},
		{key: "model.moe_loss_weight", value: m.MoELossWeight, high: mostRate},
		{key: "model.moe_zloss_weight", value: m.MoEZLossWeight, high: mostRate},

		{key: "optimizer.learning_rate", value: o.LearningRate, high: mostRate},
		{key: "optimizer.adamw_learning_rate", value: o.AdamWLearningRate, high: mostRate, hint: "null is learning_rate"},
		{key: "optimizer.embedding_learning_rate", value: o.EmbeddingLearningRate, high: mostRate, hint: "null is adamw_learning_rate"},
		{key: "optimizer.head_learning_rate", value: o.HeadLearningRate, high: mostRate, hint: "null is adamw_learning_rate"},
		{key: "optimizer.weight_decay", value: o.WeightDecay, high: mostRate},
		{key: "optimizer.betas[0]", value: o.Betas[0], high: 1, below: true},
		{key: "optimizer.betas[1]", value: o.Betas[1], high: 1, below: true},
		{key: "optimizer.eps", value: o.Eps, high: 1},
		{key: "optimizer.momentum", value: o.Momentum, high: 1, below: true},
		{key: "optimizer.muon_beta2", value: o.MuonBeta2, high: 1, below: true},
		{key: "optimizer.rank_fraction", value: o.RankFraction, above: true, high: 1},
		{key: "optimizer.rank_multiple_of", value: o.RankMultipleOf, low: 1, high: mostItems},
		{key: "optimizer.rolling_interval_length", value: o.RollingIntervalLength, high: mostItems},
		{key: "optimizer.sigma_factor", value: o.SigmaFactor, above: true, high: 1e6},
		{key: "optimizer.metrics_log_interval", value: o.MetricsLogInterval, high: mostSteps, hint: "null is wandb.log_interval"},

		{key: "data.source_group_size", value: d.SourceGroupSize, low: 1, high: mostSteps},
		{key: "data.min_sequence_length", value: d.MinSequenceLength, low: 1, high: mostItems},
		{key: "data.docs_per_instance", value: d.DocsPerInstance, high: mostItems},
		{key: "data.chunks_per_doc", value: d.ChunksPerDoc, high: mostItems},
		{key: "data.mixture_tokens", value: d.MixtureTokens, high: mostTime},
		{key: "data.vsl_curriculum.num_cycles", value: d.VSLCurriculum.NumCycles, high: mostItems},

		{key: "global_train_batch_size", value: c.GlobalTrainBatchSize, low: 1, high: mostItems},
		{key: "device_train_microbatch_size", value: c.DeviceTrainMicrobatchSize, low: 1, high: mostItems},
		{key: "device_eval_batch_size", value: c.DeviceEvalBatchSize, low: 1, high: mostItems},
		{key: "max_duration", value: c.MaxDuration.Steps, high: mostSteps},
		{key: "max_duration", value: c.MaxDuration.Epochs, high: mostItems},
		{key: "stop_at", value: c.StopAt, high: mostSteps},
		{key: "stop_after", value: c.StopAfter, high: mostSteps},
		{key: "epoch", value: c.Epoch, high: mostItems},
		{key: "fast_forward_batches", value: c.FastForwardBatches, high: mostItems},
		{key: "max_grad_norm", value: c.MaxGradNorm, above: true, high: 1e30, hint: "null turns clipping off"},
		{key: "max_grad_norm_ratio", value: c.MaxGradNormRatio, above: true, high: 1e30, hint: "null turns clipping off"},
		{key: "auxiliary_loss_multiplier", value: c.AuxiliaryLossMultiplier, high: mostRate},
		{key: "z_loss_multiplier", value: c.ZLossMultiplier, high: mostRate},
		{key: "time_limit", value: c.TimeLimit, high: 1e12, hint: "null is no limit"},
		{key: "early_stopping_factor", value: c.EarlyStoppingFactor, above: true, high: 1e30, hint: "null is no early stopping"},
		{key: "canceled_check_interval", value: c.CanceledCheckInterval, low: 1, high: mostSteps},
		{key: "console_log_interval", value: c.ConsoleLogInterval, low: 1, high: mostSteps},
		{key: "eval_interval", value: c.EvalInterval, low: 1, high: mostSteps},
		{key: "sample_interval", value: c.SampleInterval, high: mostSteps, hint: "0 is never"},
		{key: "save_interval", value: c.SaveInterval, low: 1, high: mostSteps, hint: "null is never"},
		{key: "save_interval_unsharded", value: c.SaveIntervalUnsharded, low: 1, high: mostSteps, hint: "null is never"},
		{key: "save_interval_ephemeral", value: c.SaveIntervalEphemeral, low: 1, high: mostSteps, hint: "null is never"},
		{key: "load_balancing_weight", value: c.LoadBalancingWeight, high: mostRate},
		{key: "neftune_noise_alpha", value: c.NEFTuneNoiseAlpha, high: 1e6},
		{key: "loss_group", value: c.LossGroup, high: mostItems},
		{key: "chain_state_interval", value: c.ChainStateInterval, low: 1, high: mostSteps, hint: "null is at checkpoints alone"},
		{key: "chain_note_interval", value: c.ChainNoteInterval, low: 1, high: mostSteps, hint: "null is never"},
		{key: "save_num_checkpoints_to_keep", value: c.SaveNumCheckpoints, low: -1, high: mostSteps, hint: "-1 keeps all"},
		{key: "save_num_unsharded_checkpoints_to_keep", value: c.SaveNumUnsharded, low: -1, high: mostSteps, hint: "-1 keeps all"},
		{key: "speed_monitor.window_size", value: c.SpeedMonitor.WindowSize, low: 1, high: mostItems},
		{key: "speed_monitor.gpu_flops_available", value: c.SpeedMonitor.GPUFlopsAvailable, high: 1e30},
	}
	if f := d.InstanceFilter; f != nil {
		rows = append(rows,
			limit{key: "data.instance_filter.repetition_min_period", value: f.RepetitionMinPeriod, low: 1, high: mostItems},
			limit{key: "data.instance_filter.repetition_max_period", value: f.RepetitionMaxPeriod, low: 1, high: mostItems},
			limit{key: "data.instance_filter.repetition_max_count", value: f.RepetitionMaxCount, low: 1, high: mostItems})
	}
	if o := c.Objective; o != nil {
		rows = append(rows,
			limit{key: "objective.beta", value: o.Beta, above: true, high: 1e6},
			limit{key: "objective.label_smoothing", value: o.LabelSmoothing, high: 0.5},
			limit{key: "objective.gamma_beta_ratio", value: o.GammaBetaRatio, high: 1e6})
	}
	if r := c.Rollouts; r != nil {
		rows = append(rows,
			limit{key: "rollouts.samples", value: r.Samples, low: 1, high: mostItems},
			limit{key: "rollouts.response_length", value: r.ResponseLength, low: 1, high: mostItems},
			limit{key: "rollouts.temperature", value: r.Temperature, above: true, high: 1e6, hint: "1 samples from the model's own probabilities; at 0 there is nothing to learn from"},
			limit{key: "rollouts.mini_batches", value: r.MiniBatches, low: 1, high: mostItems},
			limit{key: "rollouts.epochs", value: r.Epochs, low: 1, high: mostItems},
			limit{key: "rollouts.clip_lower", value: r.ClipLower, high: 1},
			limit{key: "rollouts.clip_higher", value: r.ClipHigher, high: 1e6},
			limit{key: "rollouts.beta", value: r.Beta, high: 1e6},
			limit{key: "rollouts.kl_estimator", value: r.KLEstimator, high: 3},
			limit{key: "rollouts.ref_policy_update_freq", value: r.ReferenceEvery, low: 1, high: mostSteps, hint: "null is never"},
			limit{key: "rollouts.alpha", value: r.Alpha, high: 1})
	}
	if a := c.Adapter; a != nil {
		rows = append(rows,
			limit{key: "adapter.rank", value: a.Rank, low: 1, high: 1 << 20},
			limit{key: "adapter.alpha", value: a.Alpha, high: 1e6},
			limit{key: "adapter.dropout", value: a.Dropout, high: 1, below: true})
	}
	if w := c.Wandb; w != nil {
		rows = append(rows, limit{key: "wandb.log_interval", value: w.LogInterval, low: 1, high: mostSteps})
	}
	for i := range c.SaveSteps {
		rows = append(rows, limit{key: fmt.Sprintf("save_steps[%d]", i), value: c.SaveSteps[i], high: mostSteps})
	}
	for i := range c.Evaluators {
		e := &c.Evaluators[i]
		rows = append(rows, limit{key: fmt.Sprintf("evaluators[%d].device_eval_batch_size", i), value: e.DeviceEvalBatchSize, low: 1, high: mostItems, hint: "null is that of the run"})
	}
	return rows
}

// limits lists the numbers of a schedule; section is its key.
func (s *SchedulerConfig) limits(section string) []limit {
	rows := []limit{
		{key: "t_warmup", value: s.TWarmup, high: mostTime},
		{key: "t_max", value: s.TMax, high: mostTime, hint: "null is the end of the run"},
		{key: "alpha_f", value: s.AlphaF, high: mostRate},
		{key: "grad_clip_warmup_steps", value: s.GradClipWarmupSteps, high: mostTime},
		{key: "grad_clip_warmup_factor", value: s.GradClipWarmupFac, above: true, high: 1e30},
		{key: "warmup_min_lr", value: s.WarmupMinLR, high: mostRate},
		{key: "warmup_fraction", value: s.WarmupFraction, high: 1},
		{key: "decay", value: s.Decay, high: mostTime},
		{key: "decay_fraction", value: s.DecayFraction, high: 1},
		{key: "decay_min_lr", value: s.DecayMinLR, high: mostRate},
		{key: "b", value: s.B, low: -1e3, high: 1e3},
		{key: "lr_min", value: s.LRMin, high: mostRate},
	}
	for i := range rows {
		rows[i].key = section + "." + rows[i].key
	}
	return rows
}

// checkLimits reports the first number that is out of its limits.
func checkLimits(rows []limit) error {
	for _, l := range rows {
		var v float64
		switch n := l.value.(type) {
		case int:
			v = float64(n)
		case float64:
			v = n
		case *int:
			if n == nil {
				continue
			}
			v, l.value = float64(*n), *n
		case *float64:
			if n == nil {
				continue
			}
			v, l.value = *n, *n
		}
		if v >= l.low && v <= l.high && !(l.above && v == l.low) && !(l.below && v == l.high) {
			continue
		}
		text := fmt.Sprintf("%s is %v, it must %s", l.key, l.value, l.must(v))
		if strings.HasPrefix(l.hint, "null") {
			text += " or null"
		}
		if l.hint != "" {
			text += "\nhint: " + l.hint
		}
		return errors.New(text)
	}
	return nil
}

// must says what the number must be in place of v. Upper limits that only keep slips out
// are told only to those.
func (l *limit) must(v float64) string {
	switch _, whole := l.value.(int); {
	case math.IsNaN(v):
		return "be a number"
	case l.below:
		return fmt.Sprintf("be at least %g and less than %g", l.low, l.high)
	case v > l.high:
		return fmt.Sprintf("be at most %g", l.high)
	case l.above && l.low == 0 || whole && l.low == 1:
		return "be positive"
	case l.low == 0:
		return "not be negative"
	}
	return fmt.Sprintf("be at least %g", l.low)
}
