package train

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"olmo/config"
	"olmo/data/tokens"
	"olmo/model"
	"olmo/numeric"
	"olmo/objective"
)

// Config is TrainConfig of the ai2-olmo package (olmo/config.py, 0.6.0) with its keys
// and defaults, and our own keys at the end. Keys that mean nothing here are
// accepted; Config.WithoutEffect names them.
type Config struct {
	RunName                     string            `yaml:"run_name"`
	Seed                        uint64            `yaml:"seed"`
	Epoch                       *int              `yaml:"epoch"`
	DryRun                      bool              `yaml:"dry_run"`
	Model                       model.AI2         `yaml:"model"`
	Optimizer                   OptimizerConfig   `yaml:"optimizer"`
	Scheduler                   SchedulerConfig   `yaml:"scheduler"`
	Data                        DataConfig        `yaml:"data"`
	RestoreDataloader           bool              `yaml:"restore_dataloader"`
	FastForwardBatches          *int              `yaml:"fast_forward_batches"`
	Evaluators                  []EvaluatorConfig `yaml:"evaluators"`
	EvalInterval                int               `yaml:"eval_interval"`
	Tokenizer                   TokenizerConfig   `yaml:"tokenizer"`
	SaveFolder                  string            `yaml:"save_folder"`
	RemoteSaveFolder            string            `yaml:"remote_save_folder"`
	CanceledCheckInterval       int               `yaml:"canceled_check_interval"`
	SaveInterval                *int              `yaml:"save_interval"`
	SaveIntervalUnsharded       *int              `yaml:"save_interval_unsharded"`
	SaveIntervalEphemeral       *int              `yaml:"save_interval_ephemeral"`
	SaveNumCheckpoints          int               `yaml:"save_num_checkpoints_to_keep"`
	SaveNumUnsharded            int               `yaml:"save_num_unsharded_checkpoints_to_keep"`
	SaveOverwrite               bool              `yaml:"save_overwrite"`
	ForceSaveUnsharded          bool              `yaml:"force_save_unsharded"`
	NoPreTrainCheckpoint        bool              `yaml:"no_pre_train_checkpoint"`
	LoadPath                    string            `yaml:"load_path"`
	LoadPathShardedCheckpointer *string           `yaml:"load_path_sharded_checkpointer"`
	TryLoadLatestSave           bool              `yaml:"try_load_latest_save"`
	ResetOptimizerState         bool              `yaml:"reset_optimizer_state"`
	ResetTrainerState           bool              `yaml:"reset_trainer_state"`
	ShardedCheckpointer         string            `yaml:"sharded_checkpointer"`
	NewStyleCheckpoints         *bool             `yaml:"new_style_checkpoints"`
	MaxDuration                 Duration          `yaml:"max_duration"`
	GlobalTrainBatchSize        int               `yaml:"global_train_batch_size"`
	DeviceTrainBatchSize        *int              `yaml:"device_train_batch_size"`
	DeviceTrainMicrobatchSize   int               `yaml:"device_train_microbatch_size"`
	DeviceEvalBatchSize         int               `yaml:"device_eval_batch_size"`
	EvalSubsetNumBatches        int               `yaml:"eval_subset_num_batches"`
	EvalOnLoad                  bool              `yaml:"eval_on_load"`
	DeviceTrainGradAccum        *int              `yaml:"device_train_grad_accum"`
	MaxGradNorm                 *float64          `yaml:"max_grad_norm"`
	MaxGradNormRatio            *float64          `yaml:"max_grad_norm_ratio"`
	Precision                   numeric.Precision `yaml:"precision"`
	Wandb                       *WandbConfig      `yaml:"wandb"`
	SpeedMonitor                SpeedConfig       `yaml:"speed_monitor"`
	ConsoleLogInterval          int               `yaml:"console_log_interval"`
	Gen1GCInterval              *int              `yaml:"gen1_gc_interval"`
	Compile                     *CompilerConfig   `yaml:"compile"`
	DistributedStrategy         *string           `yaml:"distributed_strategy"`
	FSDP                        *FSDPConfig       `yaml:"fsdp"`
	DDP                         *DDPConfig        `yaml:"ddp"`
	Single                      SingleConfig      `yaml:"single"`
	SoftmaxAuxiliaryLoss        bool              `yaml:"softmax_auxiliary_loss"`
	AuxiliaryLossMultiplier     *float64          `yaml:"auxiliary_loss_multiplier"`
	TimeLimit                   *float64          `yaml:"time_limit"`
	ExtraStepsAfterCancel       int               `yaml:"extra_steps_after_cancel"`
	EarlyStoppingFactor         *float64          `yaml:"early_stopping_factor"`
	SaveDataIndices             bool              `yaml:"save_data_indices"`
	PythonProfiling             bool              `yaml:"python_profiling"`
	TorchProfiling              bool              `yaml:"torch_profiling"`
	StopAt                      *int              `yaml:"stop_at"`
	StopAfter                   *int              `yaml:"stop_after"`
	ActivationCheckpointing     *model.Recompute  `yaml:"activation_checkpointing"`
	FusedLoss                   *bool             `yaml:"fused_loss"`
	HFDatasetsCacheDir          string            `yaml:"hf_datasets_cache_dir"`
	ModuleOutputsSaveSteps      []int             `yaml:"module_outputs_save_steps"`

	// Our own keys.

	// InitWeights is a file of weights, with the names of the ai2-olmo package, to
	// start from instead of init_fn.
	InitWeights string `yaml:"init_weights"`
	// InitRewardHead is a file of weights with the reward head (score.weight) that a reward model starts
	// with, in place of that of init_weights or, where there is none, a random one.
	InitRewardHead string `yaml:"init_reward_head,omitempty"`
	// LossDenominator says what the sum of the losses is divided by: none (by nothing), batch (OLMo: all
	// B·T tokens, masked or not) or labels (the tokens that have a target).
	LossDenominator string `yaml:"loss_denominator"`
	// LossGroup is how many instances make a group (0: one) of load_balancing_weight, and of loss_denominator mean: the mean over the groups of
	// the means over their tokens that have a target.
	LossGroup int `yaml:"loss_group,omitempty"`
	// LoadBalancingWeight is the weight of a loss that keeps the experts of a mixture busy alike, as Transformers has
	// it: the mean over groups of loss_group instances of that of all their tokens and all layers together.
	LoadBalancingWeight float64 `yaml:"load_balancing_weight,omitempty"`
	// NEFTuneNoiseAlpha is the strength of the noise that is added to embeddings in training: uniform in
	// ±alpha/√(tokens of the sequence · width).
	NEFTuneNoiseAlpha float64 `yaml:"neftune_noise_alpha,omitempty"`
	// Rollouts make the run one of reinforcement learning.
	Rollouts *RolloutConfig `yaml:"rollouts,omitempty"`
	// Objective takes the place of the cross entropy.
	Objective *ObjectiveConfig `yaml:"objective,omitempty"`
	// ZLossMultiplier is the factor of the z-loss, 1e-4 when not set: ai2-olmo takes that
	// whatever auxiliary_loss_multiplier says.
	ZLossMultiplier *float64 `yaml:"z_loss_multiplier"`
	// WorldSize is the number of ranks that share each batch in the reference, one after the
	// other here; 0 takes it from the checkpoint that the run starts from, or 1.
	WorldSize int `yaml:"world_size"`
	// SaveSteps are further steps after which a checkpoint is saved, and kept: early ones,
	// say, whose weights change fast.
	SaveSteps []int `yaml:"save_steps"`
	// AllowChanges names keys of changeable in which a run may differ from the one that it
	// continues; AcceptChanges lets it differ in any setting and in its data. The chain records
	// the change.
	AllowChanges  PathList `yaml:"allow_changes,omitempty"`
	AcceptChanges bool     `yaml:"accept_changes,omitempty"`
	// ChainStateInterval is how often, in steps, the chain binds the whole state of the run between
	// its checkpoints.
	ChainStateInterval *int `yaml:"chain_state_interval,omitempty"`
	// ChainNoteInterval is how often, in steps, the head of the chain is signed; see Options.Sign.
	ChainNoteInterval *int `yaml:"chain_note_interval,omitempty"`
	// DownstreamData is the folder of the data sets of evaluators of type downstream.
	DownstreamData string `yaml:"downstream_data"`
	// Adapter, where it is set, is trained in place of the model's weights.
	Adapter *AdapterConfig `yaml:"adapter,omitempty"`
	// BatchSizeSchedule and SequenceLengthSchedule change the batch size and the length of
	// sequences during the run; before their first stages the plain keys hold.
	BatchSizeSchedule      []BatchStage  `yaml:"batch_size_schedule"`
	SequenceLengthSchedule []LengthStage `yaml:"sequence_length_schedule"`
	// SampleInterval is how often, in steps, Options.Sample is called; 0 never.
	SampleInterval int `yaml:"sample_interval"`
	// SamplePrompts are the texts that olmo train lets the model continue then, into
	// samples.jsonl.
	SamplePrompts []string `yaml:"sample_prompts"`
	// TensorBoard writes events to save_folder/tensorboard while the run goes on, CSV the
	// whole log to metrics.csv at its end. OLMo's key wandb writes save_folder/wandb at the
	// end, in the shape of a Weights & Biases run; nothing is sent anywhere.
	TensorBoard bool `yaml:"tensorboard"`
	CSV         bool `yaml:"csv"`
	// Inputs is written by a run into its config.yaml: for each input as it was given the
	// way to it from save_folder, where there is one that names no more than was given.
	Inputs map[string]string `yaml:"inputs,omitempty"`

	given  map[string]string // of inputs that were found elsewhere than given
	origin string            // see StartedFrom
}

// OptimizerConfig is OLMo's, with the keys of the optimisers that it lacks.
type OptimizerConfig struct {
	Name                string     `yaml:"name"` // adamw, lionw; OLMo-core's skip_step_adamw, muon, normuon, dion
	LearningRate        float64    `yaml:"learning_rate"`
	WeightDecay         float64    `yaml:"weight_decay"`
	Betas               [2]float64 `yaml:"betas"`
	Eps                 float64    `yaml:"eps"`
	NoDecayNormAndBias  *bool      `yaml:"no_decay_norm_and_bias"`
	SelectiveUpdates    bool       `yaml:"selective_updates"`
	DecayNormAndBias    bool       `yaml:"decay_norm_and_bias"`
	DecayEmbeddings     bool       `yaml:"decay_embeddings"`
	MetricsLogInterval  *int       `yaml:"metrics_log_interval"`
	RecordUpdateMetrics bool       `yaml:"record_update_metrics"`

	// Those of muon, normuon and dion: learning_rate is that of the matrices in the blocks; these
	// are AdamW's for norms and biases (default: learning_rate), the embedding and the head
	// (default: adamw_learning_rate; with dion that over the root of its width).
	Momentum              float64  `yaml:"momentum"`
	AdamWLearningRate     *float64 `yaml:"adamw_learning_rate"`
	EmbeddingLearningRate *float64 `yaml:"embedding_learning_rate"`
	HeadLearningRate      *float64 `yaml:"head_learning_rate"`
	// As in the dion package: Nesterov's momentum, how a step goes with the shape of a matrix
	// (rms_norm, spectral_norm, none), and whether only those weights decay that the step makes
	// smaller, of muon and normuon; normuon's average over rows; the rank of dion's steps, a
	// fraction of the full one, rounded up to a multiple.
	Nesterov       bool    `yaml:"nesterov"`
	AdjustLR       string  `yaml:"adjust_lr"`
	CautiousWD     bool    `yaml:"cautious_wd"`
	MuonBeta2      float64 `yaml:"muon_beta2"`
	RankFraction   float64 `yaml:"rank_fraction"`
	RankMultipleOf int     `yaml:"rank_multiple_of"`

	// A step of skip_step_adamw is skipped when its loss or gradient norm is more than
	// SigmaFactor standard deviations above the mean of the last RollingIntervalLength.
	RollingIntervalLength int     `yaml:"rolling_interval_length"`
	SigmaFactor           float64 `yaml:"sigma_factor"`
}

// DataConfig says what is trained on, or evaluated on.
type DataConfig struct {
	Paths                 PathList              `yaml:"paths"`
	MemmapDType           string                `yaml:"memmap_dtype"`
	Datasets              map[string]PathList   `yaml:"datasets"`
	LabelMaskPaths        PathList              `yaml:"label_mask_paths"`
	PadDirection          string                `yaml:"pad_direction"`
	GenerateAttentionMask bool                  `yaml:"generate_attention_mask"`
	GenerateDocLengths    bool                  `yaml:"generate_doc_lengths"`
	NumWorkers            int                   `yaml:"num_workers"`
	DropLast              bool                  `yaml:"drop_last"`
	PinMemory             bool                  `yaml:"pin_memory"`
	PrefetchFactor        *int                  `yaml:"prefetch_factor"`
	PersistentWorkers     bool                  `yaml:"persistent_workers"`
	Timeout               int                   `yaml:"timeout"`
	Seed                  *uint64               `yaml:"seed"`
	InstanceFilter        *InstanceFilterConfig `yaml:"instance_filter"`
	CustomDataset         any                   `yaml:"custom_dataset"`

	// Our own keys.

	// NoShuffle takes the instances of each epoch in their order.
	NoShuffle bool `yaml:"no_shuffle,omitempty"`
	// Name says how documents become instances, as in OLMo-core: fsl (files are cut every
	// max_sequence_length tokens), padded_fsl, packed_fsl, interleaved_fsl or vsl.
	Name tokens.Layout `yaml:"name"`
	// SourcePermutationSeed puts the files in another order before anything else.
	SourcePermutationSeed *uint64 `yaml:"source_permutation_seed"`
	// Of packed_fsl: what becomes of documents longer than an instance (truncate, fragment), and how
	// many files are packed together.
	LongDocStrategy tokens.LongDocuments `yaml:"long_doc_strategy"`
	SourceGroupSize int                  `yaml:"source_group_size"`
	// PackDocuments is an older way to write name packed_fsl with a long_doc_strategy.
	PackDocuments string `yaml:"pack_documents"`
	// RowLength of layout rows is where rows are cut off; 0: at max_sequence_length. What the model runs
	// at a time is sized by it.
	RowLength int `yaml:"row_length,omitempty"`
	// RowGroup of layout rows is how many rows one after the other are an instance, which no
	// micro-batch splits; 0: one. A pair of answers is two.
	RowGroup int `yaml:"row_group,omitempty"`
	// Of vsl: the least length, and when the batches of each length come.
	MinSequenceLength int               `yaml:"min_sequence_length"`
	VSLCurriculum     tokens.Curriculum `yaml:"vsl_curriculum"`
	// Of interleaved_fsl: how many documents an instance holds, in how many pieces each, the seed
	// that brings them together, and files whose documents stay alone.
	DocsPerInstance         int      `yaml:"docs_per_instance"`
	ChunksPerDoc            int      `yaml:"chunks_per_doc"`
	InterleavingSeed        uint64   `yaml:"interleaving_seed"`
	InterleavingExemptPaths PathList `yaml:"interleaving_exempt_paths"`
	// Mixture takes MixtureTokens tokens from its sources, instead of all of paths.
	Mixture       []Source `yaml:"mixture"`
	MixtureTokens float64  `yaml:"mixture_tokens"`
}

// SetDefaults gives OLMo's defaults, and OLMo-core's.
func (d *DataConfig) SetDefaults() {
	d.MemmapDType, d.PadDirection = string(tokens.Uint16), "right"
	d.Name, d.LongDocStrategy, d.SourceGroupSize, d.MinSequenceLength = tokens.Chunks, tokens.Truncate, 1, 256
	d.VSLCurriculum.SetDefaults()
}

// InstanceFilterConfig masks instances that repeat themselves.
type InstanceFilterConfig struct {
	RepetitionMaxPeriod int `yaml:"repetition_max_period"`
	RepetitionMinPeriod int `yaml:"repetition_min_period"`
	RepetitionMaxCount  int `yaml:"repetition_max_count"`
}

// SetDefaults gives OLMo's defaults.
func (f *InstanceFilterConfig) SetDefaults() {
	d := tokens.DefaultInstanceFilter
	f.RepetitionMinPeriod, f.RepetitionMaxPeriod, f.RepetitionMaxCount = d.MinPeriod, d.MaxPeriod, d.MaxCount
}

// EvaluatorConfig is one evaluation in the loop.
type EvaluatorConfig struct {
	Label               string     `yaml:"label"`
	Type                string     `yaml:"type"` // lm, rows, downstream
	Data                DataConfig `yaml:"data"`
	DeviceEvalBatchSize *int       `yaml:"device_eval_batch_size"`
	SubsetNumBatches    *int       `yaml:"subset_num_batches"`
	// Reference is objective.reference for the rows of type rows.
	Reference       string `yaml:"reference,omitempty"`
	ReferenceSHA256 string `yaml:"reference_sha256,omitempty"`
}

// SetDefaults gives OLMo's defaults.
func (e *EvaluatorConfig) SetDefaults() {
	e.Type = "lm"
	e.Data.SetDefaults()
}

// TokenizerConfig names the tokenizer that made the token files. Training does not
// need it; where it is a file, checkpoints carry a copy.
type TokenizerConfig struct {
	Identifier        string `yaml:"identifier"`
	TruncateDirection string `yaml:"truncate_direction"`
}

// WandbConfig shapes the offline export for Weights & Biases.
type WandbConfig struct {
	Project      string   `yaml:"project"`
	Entity       string   `yaml:"entity"`
	Group        string   `yaml:"group"`
	Name         string   `yaml:"name"`
	Tags         []string `yaml:"tags"`
	LogArtifacts bool     `yaml:"log_artifacts"`
	RankZeroOnly bool     `yaml:"rank_zero_only"`
	LogInterval  int      `yaml:"log_interval"`
}

// SetDefaults gives OLMo's defaults.
func (w *WandbConfig) SetDefaults() {
	w.Entity, w.Tags, w.RankZeroOnly, w.LogInterval = "ai2-llm", []string{"watching"}, true, 1
}

// SpeedConfig says over how many steps speeds are averaged.
type SpeedConfig struct {
	WindowSize        int      `yaml:"window_size"`
	GPUFlopsAvailable *float64 `yaml:"gpu_flops_available"`
}

// CompilerConfig has no effect: graphs are always compiled here.
type CompilerConfig struct {
	Mode      *string `yaml:"mode"`
	Fullgraph bool    `yaml:"fullgraph"`
	Backend   string  `yaml:"backend"`
	Dynamic   *bool   `yaml:"dynamic"`
}

// SetDefaults gives OLMo's defaults.
func (c *CompilerConfig) SetDefaults() { c.Backend = "inductor" }

// FSDPConfig has no effect on one device.
type FSDPConfig struct {
	UseOrigParams    bool    `yaml:"use_orig_params"`
	ShardingStrategy string  `yaml:"sharding_strategy"`
	WrappingStrategy *string `yaml:"wrapping_strategy"`
	Precision        *string `yaml:"precision"`
	HybridReplicas   *int    `yaml:"hybrid_sharding_num_model_replicas"`
}

// SetDefaults gives OLMo's defaults.
func (f *FSDPConfig) SetDefaults() {
	pure := "pure"
	f.UseOrigParams, f.ShardingStrategy, f.Precision = true, "FULL_SHARD", &pure
}

// DDPConfig has no effect on one device.
type DDPConfig struct {
	GradSyncMode     string `yaml:"grad_sync_mode"`
	FindUnusedParams bool   `yaml:"find_unused_params"`
}

// SetDefaults gives OLMo's defaults.
func (d *DDPConfig) SetDefaults() { d.GradSyncMode = "batch" }

// SingleConfig names the one device; only this machine's is served.
type SingleConfig struct {
	Device string `yaml:"device"`
}

// DefaultConfig returns OLMo's defaults.
func DefaultConfig() *Config {
	saveInterval, gc, fsdp, zmul := 1000, 1, "fsdp", 1e-4
	c := &Config{
		Seed: 6198, Model: model.DefaultAI2(),
		Optimizer:         OptimizerConfig{Name: "lionw", LearningRate: 1e-4, WeightDecay: 0.01, Betas: [2]float64{0.9, 0.95}, Eps: 1e-5, Momentum: 0.95, RollingIntervalLength: 128, SigmaFactor: 6, Nesterov: true, AdjustLR: "rms_norm", MuonBeta2: 0.95, RankFraction: 1, RankMultipleOf: 1},
		RestoreDataloader: true, EvalInterval: 1000, Tokenizer: TokenizerConfig{Identifier: "gpt2", TruncateDirection: "right"},
		SaveFolder: "./", CanceledCheckInterval: 50, SaveInterval: &saveInterval, SaveNumCheckpoints: -1, SaveNumUnsharded: -1,
		ShardedCheckpointer: "torch_legacy", MaxDuration: Duration{Steps: 10000}, GlobalTrainBatchSize: 512,
		DeviceTrainMicrobatchSize: 16, DeviceEvalBatchSize: 16, EvalSubsetNumBatches: -1, Precision: numeric.FP32,
		SpeedMonitor: SpeedConfig{WindowSize: 100}, ConsoleLogInterval: 1, Gen1GCInterval: &gc, DistributedStrategy: &fsdp,
		FSDP: &FSDPConfig{}, Single: SingleConfig{Device: "auto"}, AuxiliaryLossMultiplier: &zmul, ExtraStepsAfterCancel: 10,
		SaveDataIndices: true, LossDenominator: "batch",
	}
	c.Scheduler.SetDefaults()
	c.Data.SetDefaults()
	c.FSDP.SetDefaults()
	return c
}

// LoadConfig reads a YAML file of TrainConfig and merges overrides (a.b=value)
// over it. Folders and patterns among the paths of data become the files that they
// stand for. Inputs are looked for from the current folder, then beside the file;
// those of a run's own config.yaml, or of one that continues the run in
// save_folder, first where they lie from that run.
func LoadConfig(path string, overrides []string) (*Config, error) {
	c, err := parse(path, overrides, func() (*Config, error) { return DefaultConfig(), nil })
	if err != nil {
		return nil, err
	}
	if from := c.Model.HF.Path(); from != "" {
		if !exists(from) && !filepath.IsAbs(from) && exists(filepath.Join(filepath.Dir(path), from)) {
			from = filepath.Join(filepath.Dir(path), from)
		}
		var hf model.HFConfig
		// What the model implies are defaults, which the file and overrides may change.
		c, err = parse(path, overrides, func() (*Config, error) {
			c := DefaultConfig()
			if err := c.startFrom(from); err != nil {
				return nil, fmt.Errorf("model.hf: %w", err)
			}
			hf = c.Model.HF
			return c, nil
		})
		if err != nil {
			return nil, err
		}
		c.Model.HF = hf
	}
	if err := c.expand(path); err != nil && !c.DryRun {
		return nil, err
	}
	c.find(path)
	if c.recompute() == model.RecomputeNothing {
		c.ActivationCheckpointing = nil // OLMo's spelling of its former false
	}
	return c, c.Validate()
}

// parse merges a file and overrides over new defaults.
func parse(path string, overrides []string, defaults func() (*Config, error)) (*Config, error) {
	c, err := defaults()
	if err != nil {
		return nil, err
	}
	if err := config.Load(path, overrides, c); err != nil {
		// A dry run is a look at a config whose files may be on another machine.
		look, e := defaults()
		if e != nil || config.LoadWithoutPaths(path, overrides, look) != nil || !look.DryRun {
			return nil, err
		}
		return look, nil
	}
	return c, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Validate checks what can be known without the data, and applies OLMo's fix-ups
// of old keys.
func (c *Config) Validate() error {
	if c.Optimizer.Name == "decoupled_lionw" {
		c.Optimizer.Name = "lionw"
	}
	if no := c.Optimizer.NoDecayNormAndBias; no != nil {
		c.Optimizer.DecayNormAndBias, c.Optimizer.DecayEmbeddings, c.Optimizer.NoDecayNormAndBias = !*no, !*no, nil
	}
	if long := c.Data.PackDocuments; long != "" {
		c.Data.Name, c.Data.LongDocStrategy, c.Data.PackDocuments = tokens.Packed, tokens.LongDocuments(long), ""
	}
	errs := []error{
		config.OneOf("optimizer.name", c.Optimizer.Name, optimizers...),
		config.OneOf("optimizer.adjust_lr", c.Optimizer.AdjustLR, "rms_norm", "spectral_norm", "none"),
		c.Scheduler.check("scheduler"),
		config.OneOf("loss_denominator", c.LossDenominator, "batch", "labels", "mean", "none"),
		config.OneOf("data.name", string(c.Data.Name), string(tokens.Chunks), string(tokens.Padded), string(tokens.Packed), string(tokens.Interleaved), string(tokens.Variable), string(tokens.Rows)),
		config.OneOf("data.long_doc_strategy", string(c.Data.LongDocStrategy), string(tokens.Truncate), string(tokens.Fragment)),
		config.OneOf("data.pad_direction", c.Data.PadDirection, "right", "left"),
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if err := checkLimits(c.limits()); err != nil {
		return err
	}
	switch o := c.Optimizer; {
	case o.SelectiveUpdates && o.byMatrix():
		return fmt.Errorf("optimizer.selective_updates has no meaning for %s, which updates whole matrices", o.Name)
	case o.Name == "skip_step_adamw" && o.RollingIntervalLength < 2:
		return fmt.Errorf("optimizer.rolling_interval_length is %d, it must be at least 2", o.RollingIntervalLength)
	case len(c.Data.Mixture) > 0 && (len(c.Data.paths()) > 0 || len(c.Data.LabelMaskPaths) > 0 || c.Data.MixtureTokens <= 0):
		return errors.New("data.mixture needs mixture_tokens, and neither paths, datasets nor label masks beside it")
	case len(c.Data.Paths) > 0 && len(c.Data.Datasets) > 0:
		return errors.New("data.paths and data.datasets are both set\nhint: keep one of them")
	case c.Data.CustomDataset != nil:
		return errors.New("data.custom_dataset names Python code, which cannot run here\nhint: write token files with 'olmo data tokens'")
	}
	if err := c.checkChanges(); err != nil {
		return err
	}
	if err := c.checkStages(); err != nil {
		return err
	}
	if err := c.checkWorld(); err != nil {
		return err
	}
	if err := c.Data.VSLCurriculum.Check(); err != nil {
		return fmt.Errorf("data.vsl_curriculum: %w", err)
	}
	if c.Data.Name == tokens.Variable && len(c.BatchSizeSchedule)+len(c.SequenceLengthSchedule) > 0 {
		return errors.New("data.name vsl has a length for each batch by itself: batch_size_schedule and sequence_length_schedule do not go with it")
	}
	if n := c.Data.RowLength; n != 0 && (c.Data.Name != tokens.Rows || n < 2 || n > c.Model.MaxSequenceLength) {
		return fmt.Errorf("data.row_length is %d: it is for data.name rows, from 2 to model.max_sequence_length", n)
	}
	if n := c.Data.RowGroup; n != 0 && (c.Data.Name != tokens.Rows || n < 1 || n > mostItems) {
		return fmt.Errorf("data.row_group is %d: it is for data.name rows, at least 1", n)
	}
	if err := c.checkObjective(); err != nil {
		return err
	}
	if err := c.checkBalance(); err != nil {
		return err
	}
	if err := c.checkRollouts(); err != nil {
		return err
	}
	if c.Data.Name == tokens.Rows && len(c.SequenceLengthSchedule)+len(c.ModuleOutputsSaveSteps) > 0 {
		return errors.New("data.name rows has instances of their own lengths: sequence_length_schedule and module_outputs_save_steps do not go with it")
	}
	if _, err := tokens.ParseDType(c.Data.MemmapDType); err != nil {
		return fmt.Errorf("data.memmap_dtype: %w", err)
	}
	m, err := c.ModelConfig()
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	switch reward := c.Objective != nil && c.Objective.Name == objective.Reward; {
	case m.Reward && m.Adapters != nil:
		return errors.New("the head of a reward model trains, too, which an adapter does not hold\nhint: train all weights, without the section adapter")
	case m.Reward && !reward:
		return errors.New("the model is a reward model, which gives no probabilities of tokens to train\nhint: 'olmo adapt reward' trains it on pairs (objective.name: reward)")
	case !m.Reward && (reward || c.InitRewardHead != ""):
		return errors.New("objective.name reward and init_reward_head are for a reward model, and this one gives logits\nhint: model.reward_head: true")
	}
	return nil
}

// WithoutEffect names the keys that differ from their defaults and mean nothing
// here.
func (c *Config) WithoutEffect() []string {
	d := DefaultConfig()
	var names []string
	for _, k := range []struct {
		name      string
		got, want any
	}{
		{"compile", c.Compile, d.Compile},
		{"distributed_strategy", c.DistributedStrategy, d.DistributedStrategy},
		{"fsdp", c.FSDP, d.FSDP},
		{"ddp", c.DDP, d.DDP},
		{"single.device", c.Single, d.Single},
		{"fused_loss", c.FusedLoss, d.FusedLoss},
		{"gen1_gc_interval", c.Gen1GCInterval, d.Gen1GCInterval},
		{"sharded_checkpointer", c.ShardedCheckpointer, d.ShardedCheckpointer},
		{"load_path_sharded_checkpointer", c.LoadPathShardedCheckpointer, d.LoadPathShardedCheckpointer},
		{"new_style_checkpoints", c.NewStyleCheckpoints, d.NewStyleCheckpoints},
		{"device_train_batch_size", c.DeviceTrainBatchSize, d.DeviceTrainBatchSize},
		{"device_train_grad_accum", c.DeviceTrainGradAccum, d.DeviceTrainGradAccum},
		{"python_profiling", c.PythonProfiling, d.PythonProfiling},
		{"torch_profiling", c.TorchProfiling, d.TorchProfiling},
		{"hf_datasets_cache_dir", c.HFDatasetsCacheDir, d.HFDatasetsCacheDir},
		{"extra_steps_after_cancel", c.ExtraStepsAfterCancel, d.ExtraStepsAfterCancel},
		{"data.pad_direction", c.Data.PadDirection, d.Data.PadDirection},
		{"data.num_workers", c.Data.NumWorkers, d.Data.NumWorkers},
		{"data.pin_memory", c.Data.PinMemory, d.Data.PinMemory},
		{"data.prefetch_factor", c.Data.PrefetchFactor, d.Data.PrefetchFactor},
		{"data.persistent_workers", c.Data.PersistentWorkers, d.Data.PersistentWorkers},
		{"data.timeout", c.Data.Timeout, d.Data.Timeout},
		{"model.init_device", c.Model.InitDevice, d.Model.InitDevice},
		{"model.flash_attention", c.Model.FlashAttention, d.Model.FlashAttention},
		{"model.block_group_size", c.Model.BlockGroupSize, d.Model.BlockGroupSize},
		{"model.precision", c.Model.Precision, d.Model.Precision},
	} {
		if !reflect.DeepEqual(k.got, k.want) {
			names = append(names, k.name)
		}
	}
	return names
}

// paths lists the token files in the order that numbers the instances: data.paths,
// or data.datasets by label.
func (d *DataConfig) paths() []string {
	if len(d.Paths) > 0 {
		return d.Paths
	}
	var labels, paths []string
	for label := range d.Datasets {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	for _, label := range labels {
		paths = append(paths, d.Datasets[label]...)
	}
	return paths
}

// chunk is the most tokens that an instance has.
func (c *Config) chunk() int { return c.row() * max(c.Data.RowGroup, 1) }

// row is the most tokens that a sequence of an instance has.
func (c *Config) row() int {
	if c.Data.RowLength > 0 {
		return c.Data.RowLength
	}
	return c.Model.MaxSequenceLength
}

// zmul is the factor of the z-loss, 0 without.
func (c *Config) zmul() float64 {
	switch {
	case !c.SoftmaxAuxiliaryLoss:
		return 0
	case c.ZLossMultiplier != nil:
		return *c.ZLossMultiplier
	}
	return 1e-4
}

// recompute is what the backward pass computes again.
func (c *Config) recompute() model.Recompute {
	if c.ActivationCheckpointing == nil {
		return model.RecomputeNothing
	}
	return *c.ActivationCheckpointing
}

func (c *Config) dataSeed() uint64 {
	if c.Data.Seed != nil {
		return *c.Data.Seed
	}
	return c.Seed
}

// Duration is max_duration: so many steps, tokens (2e12T) or epochs (1ep). One of
// its fields is set.
type Duration struct {
	Steps  int
	Tokens int64
	Epochs int
}

// UnmarshalText reads 1000, 2e12T or 2ep.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	wrong := fmt.Errorf("%q is no duration\nhint: steps as 1000, tokens as 2e9T, epochs as 1ep", s)
	number := func(s string) (float64, error) {
		f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
		if err != nil || f < 0 || f > 1e18 || f != math.Trunc(f) {
			return 0, wrong
		}
		return f, nil
	}
	*d = Duration{}
	if n, ok := strings.CutSuffix(s, "ep"); ok {
		f, err := number(strings.TrimSpace(n))
		d.Epochs = int(f)
		return err
	}
	if n, ok := strings.CutSuffix(s, "T"); ok {
		f, err := number(strings.TrimSpace(n))
		d.Tokens = int64(f)
		return err
	}
	f, err := number(s)
	d.Steps = int(f)
	return err
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) {
	switch {
	case d.Epochs > 0:
		return fmt.Appendf(nil, "%dep", d.Epochs), nil
	case d.Tokens > 0:
		return fmt.Appendf(nil, "%dT", d.Tokens), nil
	}
	return fmt.Appendf(nil, "%d", d.Steps), nil
}
