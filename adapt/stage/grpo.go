package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"olmo/adapt"
	"olmo/adapt/rollout"
	"olmo/config"
	"olmo/eval/score"
	"olmo/objective"
	"olmo/train"
)

// GRPOConfig is what the YAML file of reinforcement learning with verifiable rewards says.
type GRPOConfig struct {
	Config `yaml:",inline"`

	TotalEpisodes              int `yaml:"total_episodes"` // answers of the whole run
	NumUniquePromptsRollout    int `yaml:"num_unique_prompts_rollout"`
	NumSamplesPerPromptRollout int `yaml:"num_samples_per_prompt_rollout"`
	NumMiniBatches             int `yaml:"num_mini_batches"`
	AsyncSteps                 int `yaml:"async_steps"`

	MaxPromptTokenLength int      `yaml:"max_prompt_token_length"`
	ResponseLength       int      `yaml:"response_length"`
	Temperature          float64  `yaml:"temperature"`
	StopStrings          []string `yaml:"stop_strings"`
	// TopK and TopP are known by name, so that they can be refused.
	TopK     *int     `yaml:"top_k,omitempty"`
	TopP     *float64 `yaml:"top_p,omitempty"`
	VLLMTopP *float64 `yaml:"vllm_top_p,omitempty"`

	// SetWeightDecayOnBiasAndNorm leaves norms and biases without decay, as there, whatever its name says;
	// false: all weights decay.
	SetWeightDecayOnBiasAndNorm bool `yaml:"set_weight_decay_on_bias_and_norm"`

	LossFn          objective.Loss `yaml:"loss_fn"`
	ClipLower       float64        `yaml:"clip_lower"`
	ClipHigher      float64        `yaml:"clip_higher"`
	Beta            float64        `yaml:"beta"`
	KLEstimator     int            `yaml:"kl_estimator"`
	LoadRefPolicy   bool           `yaml:"load_ref_policy"`
	LossDenominator string         `yaml:"loss_denominator"`

	AdvantageNormalizationType objective.Normalisation `yaml:"advantage_normalization_type"`
	FilterZeroStdSamples       bool                    `yaml:"filter_zero_std_samples"`
	ActiveSampling             bool                    `yaml:"active_sampling"`
	MaskTruncatedCompletions   bool                    `yaml:"mask_truncated_completions"`
	// What this program does not have is known by name, so that it can be refused.
	SystemPromptOverrideFile  string   `yaml:"system_prompt_override_file,omitempty"`
	ApplyEvolvingRubricReward bool     `yaml:"apply_evolving_rubric_reward,omitempty"`
	Tools                     []string `yaml:"tools,omitempty"`
	CodePassRateThreshold     *float64 `yaml:"code_pass_rate_reward_threshold,omitempty"`
	CodeApplyPerfPenalty      bool     `yaml:"code_apply_perf_penalty,omitempty"`
	MaxLengthVerifierMax      *int     `yaml:"max_length_verifier_max_length,omitempty"`
	EnvConfigs                []any    `yaml:"env_configs,omitempty"`
	NoResamplingPassRate      *float64 `yaml:"no_resampling_pass_rate"`
	RefPolicyUpdateFreq       *int     `yaml:"ref_policy_update_freq"`
	Alpha                     float64  `yaml:"alpha"`

	score.RewardConfig   `yaml:",inline"`
	score.VerifierConfig `yaml:",inline"`

	// HeldOut are prompts that are answered and judged; local_eval_every −1: never.
	HeldOut            `yaml:",inline"`
	EvalPassAtK        int      `yaml:"eval_pass_at_k"` // answers to each
	EvalResponseLength *int     `yaml:"eval_response_length"`
	EvalTopP           *float64 `yaml:"eval_top_p,omitempty"`

	SaveTraces bool `yaml:"save_traces"`
	SaveFreq   *int `yaml:"save_freq,omitempty"`
	unusedGRPO `yaml:",inline"`
}

// unusedGRPO are keys of open-instruct's that mean nothing here.
type unusedGRPO struct {
	CacheEvolvingRubricDataDir  any `yaml:"cache_evolving_rubric_data_dir,omitempty"`
	MaxActiveRubrics            any `yaml:"max_active_rubrics,omitempty"`
	MaxPossibleScore            any `yaml:"max_possible_score,omitempty"`
	NumTrainingSteps            any `yaml:"num_training_steps,omitempty"`
	OnlyRewardGoodOutputs       any `yaml:"only_reward_good_outputs,omitempty"`
	PassToolsToChatTemplate     any `yaml:"pass_tools_to_chat_template,omitempty"`
	PerTurnMaxTokens            any `yaml:"per_turn_max_tokens,omitempty"`
	PoolSize                    any `yaml:"pool_size,omitempty"`
	ToolCallNames               any `yaml:"tool_call_names,omitempty"`
	ToolConfigs                 any `yaml:"tool_configs,omitempty"`
	ToolParserType              any `yaml:"tool_parser_type,omitempty"`
	PackLength                  any `yaml:"pack_length,omitempty"`
	InflightUpdates             any `yaml:"inflight_updates,omitempty"`
	RewardAggregator            any `yaml:"reward_aggregator,omitempty"`
	MaskToolUse                 any `yaml:"mask_tool_use,omitempty"`
	UseRhoCorrection            any `yaml:"use_rho_correction,omitempty"`
	RhoClampLowerBound          any `yaml:"rho_clamp_lower_bound,omitempty"`
	RhoClampUpperBound          any `yaml:"rho_clamp_upper_bound,omitempty"`
	RhoMaskLowerBound           any `yaml:"rho_mask_lower_bound,omitempty"`
	RhoMaskUpperBound           any `yaml:"rho_mask_upper_bound,omitempty"`
	RhoMaskSequenceLevel        any `yaml:"rho_mask_sequence_level,omitempty"`
	RhoMaskTVDivergence         any `yaml:"rho_mask_tv_divergence,omitempty"`
	UseVLLMLogprobs             any `yaml:"use_vllm_logprobs,omitempty"`
	TruncatedImportanceSampling any `yaml:"truncated_importance_sampling_ratio_cap,omitempty"`
	RecordEntropy               any `yaml:"record_entropy,omitempty"`
	CheckpointStateFreq         any `yaml:"checkpoint_state_freq,omitempty"`
	CheckpointStateDir          any `yaml:"checkpoint_state_dir,omitempty"`
	GSCheckpointStateDir        any `yaml:"gs_checkpoint_state_dir,omitempty"`
	RolloutsSavePath            any `yaml:"rollouts_save_path,omitempty"`
	WorldSize                   any `yaml:"world_size,omitempty"`
	BackendTimeout              any `yaml:"backend_timeout,omitempty"`
	ModelDType                  any `yaml:"model_dtype,omitempty"`
	SingleGPUMode               any `yaml:"single_gpu_mode,omitempty"`
	NumLearnersPerNode          any `yaml:"num_learners_per_node,omitempty"`
	NumNodes                    any `yaml:"num_nodes,omitempty"`
	DeepspeedStage              any `yaml:"deepspeed_stage,omitempty"`
	DeepspeedZPG                any `yaml:"deepspeed_zpg,omitempty"`
	DeepspeedOffloadParam       any `yaml:"deepspeed_offload_param,omitempty"`
	DeepspeedOffloadOptimizer   any `yaml:"deepspeed_offload_optimizer,omitempty"`
	DeepspeedLoadUniversal      any `yaml:"deepspeed_checkpoint_load_universal,omitempty"`
	GatherWholeModel            any `yaml:"gather_whole_model,omitempty"`
	FSDPShardDegree             any `yaml:"fsdp_shard_degree,omitempty"`
	FSDPNumReplicas             any `yaml:"fsdp_num_replicas,omitempty"`
	EnableQueueDashboard        any `yaml:"enable_queue_dashboard,omitempty"`
	QueueDashboardPort          any `yaml:"queue_dashboard_port,omitempty"`
	VLLMNumEngines              any `yaml:"vllm_num_engines,omitempty"`
	VLLMTensorParallelSize      any `yaml:"vllm_tensor_parallel_size,omitempty"`
	VLLMEnforceEager            any `yaml:"vllm_enforce_eager,omitempty"`
	VLLMAttentionBackend        any `yaml:"vllm_attention_backend,omitempty"`
	VLLMSyncBackend             any `yaml:"vllm_sync_backend,omitempty"`
	VLLMGPUMemoryUtilization    any `yaml:"vllm_gpu_memory_utilization,omitempty"`
	VLLMEnablePrefixCaching     any `yaml:"vllm_enable_prefix_caching,omitempty"`
	LaunchEvalsOnWeka           any `yaml:"try_launch_beaker_eval_jobs_on_weka,omitempty"`
	OEEvalBeakerImage           any `yaml:"oe_eval_beaker_image,omitempty"`
	OEEvalGPUMultiplier         any `yaml:"oe_eval_gpu_multiplier,omitempty"`
	EvalPriority                any `yaml:"eval_priority,omitempty"`
	EvalWorkspace               any `yaml:"eval_workspace,omitempty"`
	SendSlackAlerts             any `yaml:"send_slack_alerts,omitempty"`
	LLMJudgeModel               any `yaml:"llm_judge_model,omitempty"`
	LLMJudgeMaxTokens           any `yaml:"llm_judge_max_tokens,omitempty"`
	LLMJudgeMaxContextLength    any `yaml:"llm_judge_max_context_length,omitempty"`
	LLMJudgeTemperature         any `yaml:"llm_judge_temperature,omitempty"`
	LLMJudgeTimeout             any `yaml:"llm_judge_timeout,omitempty"`
	CodeAPIURL                  any `yaml:"code_api_url,omitempty"`
	CodeMaxExecutionTime        any `yaml:"code_max_execution_time,omitempty"`
	EvalOnStep0                 any `yaml:"eval_on_step_0,omitempty"`
	DatasetConfigEvalHash       any `yaml:"dataset_config_eval_hash,omitempty"`
}

// DefaultGRPO returns open-instruct's defaults of grpo_fast.py, and of grpo.py where that sets none;
// async_steps is 0.
func DefaultGRPO() *GRPOConfig {
	o := objective.DefaultConfig
	notSet := math.NaN() // null is off
	c := &GRPOConfig{
		Config: shared(), TotalEpisodes: 100_000, NumUniquePromptsRollout: 16, NumSamplesPerPromptRollout: 4, NumMiniBatches: 1,
		MaxPromptTokenLength: 256, ResponseLength: 256, Temperature: 1,
		LossFn: o.Loss, ClipLower: o.ClipLower, ClipHigher: o.ClipHigher, Beta: o.Beta, KLEstimator: o.KL, LoadRefPolicy: true, LossDenominator: "token",
		AdvantageNormalizationType: objective.Centered, FilterZeroStdSamples: true, RewardConfig: score.DefaultReward(),
		HeldOut: defaultHeldOut(), SetWeightDecayOnBiasAndNorm: true, EvalPassAtK: 1, Alpha: 0.6,
	}
	c.DatasetTransformFn = []string{"rlvr_tokenize_v1", "rlvr_max_length_filter_v1"}
	c.LoRADropout = 0 // a model with it would train with other probabilities than it samples with
	c.NumTrainEpochs, c.PerDeviceTrainBatchSize, c.CheckpointingSteps, c.ClipGradNorm = 1, 1, "200", &notSet
	return c
}

// LoadGRPO reads the config of a run and merges overrides over it.
func LoadGRPO(path string, overrides []string) (*GRPOConfig, error) {
	c := DefaultGRPO()
	if err := config.Load(path, overrides, c); err != nil {
		return nil, err
	}
	if f := c.ClipGradNorm; f != nil && math.IsNaN(*f) {
		c.ClipGradNorm = nil
		if c.MaxGradNorm == nil {
			one := 1.0
			c.ClipGradNorm = &one
		}
	}
	if c.LocalEvalEvery == -1 {
		c.HeldOut = HeldOut{}
	}
	if err := c.find(path); err != nil {
		return nil, err
	}
	if n := c.SaveFreq; n != nil {
		c.CheckpointingSteps = strconv.Itoa(*n)
	}
	if err := c.Config.check(path, &DefaultGRPO().Config); err != nil {
		return nil, err
	}
	return c, c.check()
}

// lowestTemperature is one by which logits can be divided in float32, with room to spare.
const lowestTemperature = 1e-6

// check refuses what cannot be.
func (c *GRPOConfig) check() error {
	for _, n := range []struct {
		key   string
		value int
	}{
		{"total_episodes", c.TotalEpisodes},
		{"num_unique_prompts_rollout", c.NumUniquePromptsRollout},
		{"num_samples_per_prompt_rollout", c.NumSamplesPerPromptRollout},
		{"num_mini_batches", c.NumMiniBatches},
		{"max_prompt_token_length", c.MaxPromptTokenLength},
		{"response_length", c.ResponseLength},
		{"eval_pass_at_k", c.EvalPassAtK},
		{"eval_response_length", c.evalLength()},
	} {
		if n.value < 1 {
			return fmt.Errorf("%s is %d, it must be positive", n.key, n.value)
		}
	}
	o := objective.Config{Loss: c.LossFn, ClipLower: c.ClipLower, ClipHigher: c.ClipHigher, Beta: c.Beta, KL: c.KLEstimator}
	if err := errors.Join(o.Check(), c.RewardConfig.Check()); err != nil {
		return err
	}
	const cut = "the probabilities that train are those of the whole vocabulary, and a cut would draw from others"
	switch denominator, err := strconv.ParseFloat(c.LossDenominator, 64); {
	case !(c.Temperature > 0) || math.IsInf(c.Temperature, 0):
		return fmt.Errorf("temperature is %v, it must be above 0\nhint: at 0 all answers to a prompt are the same, and there is nothing to learn from", c.Temperature)
	case c.Temperature < lowestTemperature:
		return fmt.Errorf("temperature is %v, it must be at least %v\nhint: so near to 0 all answers to a prompt are the same, and there is nothing to learn from", c.Temperature, lowestTemperature)
	case slices.Contains(c.StopStrings, ""):
		return errors.New("stop_strings has an empty text, with which each answer would end at its first token")
	case c.TopK != nil && *c.TopK > 0:
		return fmt.Errorf("top_k is %d: %s", *c.TopK, cut)
	case c.TopP != nil && *c.TopP != 1:
		return fmt.Errorf("top_p is %v: %s", *c.TopP, cut)
	case c.EvalTopP != nil && *c.EvalTopP != 1:
		return fmt.Errorf("eval_top_p is %v, and held-out prompts are answered as the others are", *c.EvalTopP)
	case c.UseLoRA && c.LoRADropout > 0:
		return fmt.Errorf("lora_dropout is %v: with it a token would train with another probability than it was drawn with\nhint: lora_dropout=0", c.LoRADropout)
	case c.VLLMTopP != nil && *c.VLLMTopP != 1:
		return fmt.Errorf("vllm_top_p is %v: %s", *c.VLLMTopP, cut)
	case c.Beta != 0 && !c.LoadRefPolicy:
		return fmt.Errorf("beta is %v and load_ref_policy false: there is no reference to stay near\nhint: beta=0", c.Beta)
	case c.LossDenominator != "token" && (err != nil || !(denominator > 0)):
		return fmt.Errorf("loss_denominator is %q, want token or a number above 0", c.LossDenominator)
	case c.FilterZeroStdSamples && c.NumSamplesPerPromptRollout == 1:
		return errors.New("filter_zero_std_samples with num_samples_per_prompt_rollout 1 would drop everything\nhint: filter_zero_std_samples=false")
	case c.ActiveSampling && !c.FilterZeroStdSamples:
		return errors.New("active_sampling replaces what filter_zero_std_samples drops, and that is false")
	case c.SystemPromptOverrideFile != "":
		return errors.New("system_prompt_override_file is set, and this program does not do that\nhint: a message of the role system in the rows says the same")
	case c.ApplyEvolvingRubricReward:
		return errors.New("apply_evolving_rubric_reward is set, and this program does not do that\nhint: verifiers: {NAME: {judge: …}} asks a model")
	case len(c.Tools) > 0 || len(c.EnvConfigs) > 0:
		return errors.New("tools are set, and rollouts here have none")
	case c.CodePassRateThreshold != nil && *c.CodePassRateThreshold != 0 || c.CodeApplyPerfPenalty:
		return errors.New("code_pass_rate_reward_threshold and code_apply_perf_penalty are not here: the verifier code gives the share of the tests that pass")
	case c.MaxLengthVerifierMax != nil && *c.MaxLengthVerifierMax != 32768:
		return fmt.Errorf("max_length_verifier_max_length is %d, and the verifiers of lengths count by 32768", *c.MaxLengthVerifierMax)
	case c.NoResamplingPassRate != nil:
		return errors.New("no_resampling_pass_rate is set, and this program does not do that")
	case c.RefPolicyUpdateFreq != nil && (*c.RefPolicyUpdateFreq < 1 || c.Beta == 0 || c.UseLoRA):
		return fmt.Errorf("ref_policy_update_freq is %d: it is a number of steps, for beta above 0 and without use_lora", *c.RefPolicyUpdateFreq)
	case !(c.Alpha >= 0 && c.Alpha <= 1):
		return fmt.Errorf("alpha is %v, it must be from 0 to 1", c.Alpha)
	case c.MaxSeqLength != nil:
		return errors.New("max_seq_length is set\nhint: prompts have max_prompt_token_length, answers response_length")
	}
	return config.OneOf("advantage_normalization_type", string(c.AdvantageNormalizationType), "centered", "standard")
}

// WithoutEffect names the keys that are set and mean nothing here.
func (c *GRPOConfig) WithoutEffect() []string {
	names := append(c.Config.WithoutEffect(), set(c.unusedGRPO)...)
	if c.AsyncSteps != 0 {
		names = append(names, fmt.Sprintf("async_steps %d (0 here: each step samples with the weights that it trains)", c.AsyncSteps))
	}
	return names
}

// evalLength is how many tokens an answer to a held-out prompt has at most.
func (c *GRPOConfig) evalLength() int {
	if c.EvalResponseLength != nil {
		return *c.EvalResponseLength
	}
	return c.ResponseLength
}

// steps are the batches of prompts of the run.
func (c *GRPOConfig) steps() int {
	if c.MaxTrainSteps != nil {
		return *c.MaxTrainSteps
	}
	return c.TotalEpisodes / (c.NumUniquePromptsRollout * c.NumSamplesPerPromptRollout)
}

// Plan prepares the run: prompts as rows, what judges the answers to them, and the settings.
func (c *GRPOConfig) Plan(ctx context.Context, h Host) (*Run, error) {
	steps := c.steps()
	if steps < 1 {
		return nil, fmt.Errorf("total_episodes is %d, less than the %d × %d answers of a step\nhint: num_unique_prompts_rollout, num_samples_per_prompt_rollout", c.TotalEpisodes, c.NumUniquePromptsRollout, c.NumSamplesPerPromptRollout)
	}
	// A step is a batch of prompts, whatever the keys for rows say.
	shared := c.Config
	shared.MaxTrainSteps, shared.PerDeviceTrainBatchSize, shared.GradientAccumulationSteps, shared.NumProcesses = &steps, c.NumUniquePromptsRollout, 1, 1
	r, err := shared.open("", h)
	if err != nil {
		return nil, err
	}
	if longest := c.MaxPromptTokenLength + max(c.ResponseLength, c.evalLength()); longest > r.positions {
		return nil, fmt.Errorf("max_prompt_token_length %d and response_length %d are %d tokens, and the model has %d positions", c.MaxPromptTokenLength, longest-c.MaxPromptTokenLength, longest, r.positions)
	}
	set, err := c.VerifierConfig.Open(ctx, h.Outside)
	if err != nil {
		return nil, err
	}
	r.close = set.Close
	if len(r.stop) == 0 && len(c.StopStrings) == 0 {
		h.Warn("the model names no id that ends a text: every answer has response_length tokens\nhint: stop_strings")
	}
	r.Encoder.MaxLength = c.MaxPromptTokenLength
	tasks, digest, err := r.prompts(ctx, set, c)
	if err := r.missing(err, string(adapt.RLVR), h); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if r.Train, err = r.plan(1); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	t := r.Train
	// As many files as a batch needs: an epoch is at least one.
	for n := r.Rows.Count; r.Missing == nil && n < c.NumUniquePromptsRollout; n += r.Rows.Count {
		t.Data.Paths, t.Data.LabelMaskPaths = append(t.Data.Paths, r.Rows.Tokens), append(t.Data.LabelMaskPaths, r.Rows.Masks)
	}
	t.Data.DropLast, t.Data.RowLength = true, r.Rows.Longest+c.ResponseLength
	t.DeviceTrainMicrobatchSize = max(2048/t.Data.RowLength, 1)
	t.Optimizer.DecayNormAndBias = !c.SetWeightDecayOnBiasAndNorm
	t.Scheduler.TWarmup = 0
	if c.LRSchedulerType != "constant" {
		t.Scheduler.TWarmup = warmup(steps*c.NumMiniBatches*c.NumTrainEpochs, c.WarmupRatio)
	}
	t.Rollouts = &train.RolloutConfig{
		Samples: c.NumSamplesPerPromptRollout, ResponseLength: c.ResponseLength, Temperature: c.Temperature, Stop: r.stop, StopStrings: c.StopStrings,
		MiniBatches: c.NumMiniBatches, Epochs: c.NumTrainEpochs,
		Loss: c.LossFn, ClipLower: c.ClipLower, ClipHigher: c.ClipHigher, Beta: c.Beta, KLEstimator: c.KLEstimator, Denominator: c.LossDenominator,
		Advantages: c.AdvantageNormalizationType, DropZeroStd: c.FilterZeroStdSamples, DropCutShort: c.MaskTruncatedCompletions, Replenish: c.ActiveSampling,
		Rewards: digest, SaveTraces: c.SaveTraces,
	}
	if c.RefPolicyUpdateFreq != nil {
		t.Rollouts.ReferenceEvery, t.Rollouts.Alpha = c.RefPolicyUpdateFreq, c.Alpha
	}
	rollouts := &rollout.Rollouts{Tokenizer: r.Encoder.Tokenizer, Tasks: tasks, Reward: c.RewardConfig, Model: r.start, Warn: h.Warn}
	if err := c.holdOut(ctx, r, rollouts, set); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.Rollouts = rollouts
	if c.Beta != 0 {
		if t.Rollouts.Reference, err = modelDigest(r.start); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	r.Summary = fmt.Sprintf("%d answers to each of at most %d tokens, loss %s, beta %g", c.NumSamplesPerPromptRollout, c.ResponseLength, c.LossFn, c.Beta)
	if err := t.Validate(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// holdOut prepares the prompts of dataset_mixer_eval_list, which are judged every so many steps.
func (c *GRPOConfig) holdOut(ctx context.Context, r *Run, rollouts *rollout.Rollouts, set *score.VerifierSet) error {
	if len(c.DatasetMixerEvalList) == 0 || r.Missing != nil {
		return nil
	}
	of := c.Config
	of.DatasetMixerList, of.DatasetMixerSplits, of.MaxTrainSamples = c.DatasetMixerEvalList, c.DatasetMixerEvalListSplits, nil
	if len(of.DatasetMixerSplits) == 0 {
		of.DatasetMixerSplits = []string{"train"}
	}
	h := &rollout.HeldOut{Samples: c.EvalPassAtK, Length: c.evalLength()}
	long := 0
	err := r.eachPrompt(ctx, &of, c.rowKind(), set, nil, func(p *prompt, task rollout.Task) error {
		if len(p.ids) > r.Encoder.MaxLength {
			long++
			return nil
		}
		h.Prompts, h.Tasks = append(h.Prompts, train.Prompt{Row: len(h.Prompts), IDs: p.ids}), append(h.Tasks, task)
		return nil
	}, func(string) {})
	if err == nil && len(h.Prompts) == 0 {
		err = fmt.Errorf("no prompt is left: all %d have more than %d tokens\nhint: max_prompt_token_length", long, r.Encoder.MaxLength)
	}
	if err != nil {
		return fmt.Errorf("dataset_mixer_eval_list: %w", err)
	}
	if c.ApplyVerifiableReward {
		h.Solved += c.VerificationReward
	}
	if c.ApplyR1StyleFormatReward && c.AdditiveFormatReward {
		h.Solved += c.R1StyleFormatReward
	}
	r.Rows.Notes = append(slices.Clone(r.Rows.Notes), fmt.Sprintf("held out: prompts %d, dropped %d (longer than %d tokens)", len(h.Prompts)+long, long, r.Encoder.MaxLength))
	rollouts.HeldOut, r.Evaluate, r.Train.EvalInterval = h, rollouts, cmp.Or(c.LocalEvalEvery, r.Train.MaxDuration.Steps)
	return nil
}

// rowKind is what rows have: without a verifier nothing but what is asked.
func (c *GRPOConfig) rowKind() adapt.Kind {
	if c.ApplyVerifiableReward {
		return adapt.RLVR
	}
	return adapt.Prompt
}

// promptsPath is the file of what judges the answers to prompts.
func (c *Config) promptsPath() string { return filepath.Join(c.OutputDir, "data", "prompts.jsonl") }
