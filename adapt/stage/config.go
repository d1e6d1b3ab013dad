// Package stage adapts a model: it turns conversations into a run of package train, whose loop,
// checkpoints, chain and log are those of pre-training, and writes what came out as a folder that
// other programs open.
//
// Keys and defaults are open-instruct's (e6c3044); docs/adaptation.md has each with its source.
package stage

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
	"olmo/numeric"
)

// Config are the keys that all stages read. Those of two spellings are read in both.
type Config struct {
	ModelNameOrPath string `yaml:"model_name_or_path"`
	// TokenizerNameOrPath is the model's own where it is empty.
	TokenizerNameOrPath string `yaml:"tokenizer_name_or_path"`
	TokenizerName       string `yaml:"tokenizer_name,omitempty"`
	ChatTemplateName    string `yaml:"chat_template_name"`
	// ResizeEmbeddings gives ids of the tokenizer that the model has no rows for some.
	ResizeEmbeddings bool `yaml:"resize_embeddings"`
	AddBOS           bool `yaml:"add_bos"`

	DatasetMixerList []string           `yaml:"dataset_mixer_list"`
	MixerList        []string           `yaml:"mixer_list,omitempty"`
	MixerListSplits  []string           `yaml:"mixer_list_splits,omitempty"`
	TransformFn      []string           `yaml:"transform_fn,omitempty"`
	TargetColumns    []string           `yaml:"target_columns,omitempty"`
	DatasetMixer     map[string]float64 `yaml:"dataset_mixer,omitempty"`
	// DatasetName is one data set, taken whole.
	DatasetName          string   `yaml:"dataset_name,omitempty"`
	DatasetMixerSplits   []string `yaml:"dataset_mixer_list_splits"`
	DatasetTransformFn   []string `yaml:"dataset_transform_fn"`
	DatasetTargetColumns []string `yaml:"dataset_target_columns,omitempty"`
	MaxTrainSamples      *int     `yaml:"max_train_samples"`
	MaxSeqLength         *int     `yaml:"max_seq_length"`
	SkipBadRows          bool     `yaml:"skip_bad_rows"`

	OutputDir          string `yaml:"output_dir"`
	OverwriteOutputDir bool   `yaml:"overwrite_output_dir"`
	Seed               uint64 `yaml:"seed"`
	Shuffle            bool   `yaml:"shuffle"`

	LearningRate    float64  `yaml:"learning_rate"`
	LRSchedulerType string   `yaml:"lr_scheduler_type"`
	WarmupRatio     float64  `yaml:"warmup_ratio"`
	WeightDecay     float64  `yaml:"weight_decay"`
	ClipGradNorm    *float64 `yaml:"clip_grad_norm"`
	MaxGradNorm     *float64 `yaml:"max_grad_norm,omitempty"`

	NumTrainEpochs            int               `yaml:"num_train_epochs"`
	NumEpochs                 *int              `yaml:"num_epochs,omitempty"`
	MaxTrainSteps             *int              `yaml:"max_train_steps"`
	PerDeviceTrainBatchSize   int               `yaml:"per_device_train_batch_size"`
	GradientAccumulationSteps int               `yaml:"gradient_accumulation_steps"`
	NumProcesses              int               `yaml:"num_processes"`
	CheckpointingSteps        string            `yaml:"checkpointing_steps"`
	KeepLastNCheckpoints      int               `yaml:"keep_last_n_checkpoints"`
	ResumeFromCheckpoint      string            `yaml:"resume_from_checkpoint"`
	GradientCheckpointing     bool              `yaml:"gradient_checkpointing"`
	Precision                 numeric.Precision `yaml:"precision"`
	Packing                   bool              `yaml:"packing"`
	LoRAConfig                `yaml:",inline"`
	// What this program does not have is known by name, so that it can be refused: a run without would be
	// another one.
	ConfigName        string         `yaml:"config_name,omitempty"`
	UsePEFT           bool           `yaml:"use_peft,omitempty"`
	LoadIn4bit        bool           `yaml:"load_in_4bit,omitempty"`
	LoadIn8bit        bool           `yaml:"load_in_8bit,omitempty"`
	OptimizerType     string         `yaml:"optimizer_type,omitempty"`
	OptimizerKwargs   map[string]any `yaml:"optimizer_kwargs,omitempty"`
	RopeScalingFactor *float64       `yaml:"rope_scaling_factor,omitempty"`
	WithTracking      bool           `yaml:"with_tracking"`
	unused            `yaml:",inline"`
}

// unused are keys of open-instruct's that mean nothing here: they are of its launcher, of hubs, or of
// libraries that this program does not have.
type unused struct {
	ExpName                        any `yaml:"exp_name,omitempty"`
	RunName                        any `yaml:"run_name,omitempty"`
	DoNotRandomizeOutputDir        any `yaml:"do_not_randomize_output_dir,omitempty"`
	ModelRevision                  any `yaml:"model_revision,omitempty"`
	TokenizerRevision              any `yaml:"tokenizer_revision,omitempty"`
	UseSlowTokenizer               any `yaml:"use_slow_tokenizer,omitempty"`
	TrustRemoteCode                any `yaml:"trust_remote_code,omitempty"`
	LowCPUMemUsage                 any `yaml:"low_cpu_mem_usage,omitempty"`
	UseFlashAttn                   any `yaml:"use_flash_attn,omitempty"`
	DatasetCacheMode               any `yaml:"dataset_cache_mode,omitempty"`
	DatasetLocalCacheDir           any `yaml:"dataset_local_cache_dir,omitempty"`
	DatasetConfigHash              any `yaml:"dataset_config_hash,omitempty"`
	DatasetSkipCache               any `yaml:"dataset_skip_cache,omitempty"`
	PreprocessingNumWorkers        any `yaml:"preprocessing_num_workers,omitempty"`
	OverwriteCache                 any `yaml:"overwrite_cache,omitempty"`
	LoggingSteps                   any `yaml:"logging_steps,omitempty"`
	Use8bitOptimizer               any `yaml:"use_8bit_optimizer,omitempty"`
	FusedOptimizer                 any `yaml:"fused_optimizer,omitempty"`
	UseLigerKernel                 any `yaml:"use_liger_kernel,omitempty"`
	Timeout                        any `yaml:"timeout,omitempty"`
	ReportTo                       any `yaml:"report_to,omitempty"`
	SaveToHub                      any `yaml:"save_to_hub,omitempty"`
	WandbProjectName               any `yaml:"wandb_project_name,omitempty"`
	WandbEntity                    any `yaml:"wandb_entity,omitempty"`
	PushToHub                      any `yaml:"push_to_hub,omitempty"`
	HFEntity                       any `yaml:"hf_entity,omitempty"`
	HFRepoID                       any `yaml:"hf_repo_id,omitempty"`
	HFRepoRevision                 any `yaml:"hf_repo_revision,omitempty"`
	HFRepoURL                      any `yaml:"hf_repo_url,omitempty"`
	TryLaunchBeakerEvalJobs        any `yaml:"try_launch_beaker_eval_jobs,omitempty"`
	HFMetadataDataset              any `yaml:"hf_metadata_dataset,omitempty"`
	TryAutoSaveToBeaker            any `yaml:"try_auto_save_to_beaker,omitempty"`
	GSBucketPath                   any `yaml:"gs_bucket_path,omitempty"`
	OEEvalTasks                    any `yaml:"oe_eval_tasks,omitempty"`
	OEEvalMaxLength                any `yaml:"oe_eval_max_length,omitempty"`
	SyncEachBatch                  any `yaml:"sync_each_batch,omitempty"`
	CleanCheckpointsAtEnd          any `yaml:"clean_checkpoints_at_end,omitempty"`
	SequenceParallelSize           any `yaml:"sequence_parallel_size,omitempty"`
	Verbose                        any `yaml:"verbose,omitempty"`
	AdditionalModelArguments       any `yaml:"additional_model_arguments,omitempty"`
	DatasetConfigName              any `yaml:"dataset_config_name,omitempty"`
	DatasetMixDir                  any `yaml:"dataset_mix_dir,omitempty"`
	CacheDatasetOnly               any `yaml:"cache_dataset_only,omitempty"`
	ActivationCheckpointingMode    any `yaml:"activation_checkpointing_mode,omitempty"`
	ActivationCheckpointingModules any `yaml:"activation_checkpointing_modules,omitempty"`
	ActivationMemoryBudget         any `yaml:"activation_memory_budget,omitempty"`
	AttnImplementation             any `yaml:"attn_implementation,omitempty"`
	BNB4bitQuantType               any `yaml:"bnb_4bit_quant_type,omitempty"`
	CacheMode                      any `yaml:"cache_mode,omitempty"`
	CompileModel                   any `yaml:"compile_model,omitempty"`
	ConfigHash                     any `yaml:"config_hash,omitempty"`
	CPDegree                       any `yaml:"cp_degree,omitempty"`
	CPStrategy                     any `yaml:"cp_strategy,omitempty"`
	DataLoaderSeed                 any `yaml:"data_loader_seed,omitempty"`
	DType                          any `yaml:"dtype,omitempty"`
	EphemeralSaveInterval          any `yaml:"ephemeral_save_interval,omitempty"`
	GetTokenizerFn                 any `yaml:"get_tokenizer_fn,omitempty"`
	GroundTruthsKey                any `yaml:"ground_truths_key,omitempty"`
	LocalCacheDir                  any `yaml:"local_cache_dir,omitempty"`
	LoRAModulesToSave              any `yaml:"lora_modules_to_save,omitempty"`
	LoRAR                          any `yaml:"lora_r,omitempty"`
	LoRATaskType                   any `yaml:"lora_task_type,omitempty"`
	LossImplementation             any `yaml:"loss_implementation,omitempty"`
	RopeScalingBetaFast            any `yaml:"rope_scaling_beta_fast,omitempty"`
	RopeScalingBetaSlow            any `yaml:"rope_scaling_beta_slow,omitempty"`
	RopeScalingOldContextLen       any `yaml:"rope_scaling_old_context_len,omitempty"`
	SFTMessagesKey                 any `yaml:"sft_messages_key,omitempty"`
	SkipCache                      any `yaml:"skip_cache,omitempty"`
	TokenizerFilesHash             any `yaml:"tokenizer_files_hash,omitempty"`
	UseBNBNestedQuant              any `yaml:"use_bnb_nested_quant,omitempty"`
	UseCache                       any `yaml:"use_cache,omitempty"`
	UseFast                        any `yaml:"use_fast,omitempty"`
	WandbGroupName                 any `yaml:"wandb_group_name,omitempty"`
	WandbProject                   any `yaml:"wandb_project,omitempty"`
}

// shared returns the defaults that the stages have in common.
func shared() Config {
	return Config{
		DatasetMixerSplits: []string{"train"}, OutputDir: "output/", Seed: 42, Shuffle: true,
		LearningRate: 2e-5, LRSchedulerType: "linear", PerDeviceTrainBatchSize: 8,
		GradientAccumulationSteps: 1, NumProcesses: 1, KeepLastNCheckpoints: 3, Precision: numeric.FP32, LoRAConfig: defaultLoRA(),
	}
}

// WithoutEffect names the keys that are set and mean nothing here.
func (c *Config) WithoutEffect() (names []string) {
	names = set(c.unused)
	if c.Packing {
		names = append(names, "packing (rows are never padded here, and none sees another: the same rows, steps and bits without it)")
	}
	if c.WithTracking {
		names = append(names, "with_tracking (metrics.jsonl has everything)")
	}
	return names
}

// set names the keys of a struct of unused ones that are there.
func set(unused any) (names []string) {
	v := reflect.ValueOf(unused)
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			names = append(names, name)
		}
	}
	return names
}

// check puts the two spellings of keys together, finds the files and refuses what cannot be. epochs is
// the stage's default.
func (c *Config) check(file string, defaults *Config) error {
	if err := c.spellings(defaults); err != nil {
		return err
	}
	for i := 0; i < len(c.DatasetMixerList); i += 2 {
		c.DatasetMixerList[i] = beside(file, c.DatasetMixerList[i])
	}
	c.ModelNameOrPath, c.TokenizerNameOrPath = beside(file, c.ModelNameOrPath), beside(file, c.TokenizerNameOrPath)
	c.LoRAWeights = beside(file, c.LoRAWeights)
	if strings.HasSuffix(c.ChatTemplateName, ".jinja") {
		c.ChatTemplateName = beside(file, c.ChatTemplateName)
	}
	positive := func(key string, n int) error {
		if n < 1 {
			return fmt.Errorf("%s is %d, it must be positive", key, n)
		}
		return nil
	}
	errs := []error{
		positive("per_device_train_batch_size", c.PerDeviceTrainBatchSize), positive("gradient_accumulation_steps", c.GradientAccumulationSteps),
		positive("num_processes", c.NumProcesses), positive("num_train_epochs", c.NumTrainEpochs),
		config.OneOf("lr_scheduler_type", c.LRSchedulerType, "linear", "cosine", "constant", "constant_with_warmup"),
	}
	errs = append(errs, c.LoRAConfig.check())
	if c.MaxTrainSteps != nil {
		errs = append(errs, positive("max_train_steps", *c.MaxTrainSteps))
	}
	if c.MaxSeqLength != nil {
		errs = append(errs, positive("max_seq_length", *c.MaxSeqLength-1))
	}
	if c.MaxTrainSamples != nil {
		errs = append(errs, positive("max_train_samples", *c.MaxTrainSamples))
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	for _, k := range []struct {
		key  string
		set  bool
		hint string
	}{
		{"use_peft", c.UsePEFT, "use_lora=true trains an adapter, of lora_rank"},
		{"load_in_4bit", c.LoadIn4bit, "weights are float32 here"},
		{"load_in_8bit", c.LoadIn8bit, "weights are float32 here"},
		{"optimizer_type " + c.OptimizerType, c.OptimizerType != "" && c.OptimizerType != "adamw", "the optimiser is AdamW"},
		{"optimizer_kwargs", len(c.OptimizerKwargs) > 0, "learning_rate and weight_decay are keys of their own"},
		{"rope_scaling_factor", c.RopeScalingFactor != nil, "rope_scaling of the model's config.json says how positions are scaled"},
		{"config_name", c.ConfigName != "", "model_name_or_path has the model's config, too"},
	} {
		if k.set {
			return fmt.Errorf("%s is set, and this program does not do that\nhint: %s", k.key, k.hint)
		}
	}
	switch {
	case c.ModelNameOrPath == "":
		return errors.New("model_name_or_path is not set\nhint: a Hugging Face folder, a .gguf file or a run")
	case c.OutputDir == "":
		return errors.New("output_dir is not set\nhint: a folder for the model, its checkpoints and its log")
	case c.ClipGradNorm != nil && !(*c.ClipGradNorm > 0):
		return fmt.Errorf("clip_grad_norm is %v, it must be above 0\nhint: -1 or null turns clipping off", *c.ClipGradNorm)
	case len(c.DatasetMixerList) == 0:
		return errors.New("dataset_mixer_list is not set\nhint: [data.jsonl, \"1.0\"] takes all rows of a file")
	case !(c.WarmupRatio >= 0 && c.WarmupRatio <= 1):
		return fmt.Errorf("warmup_ratio is %v, it must be from 0 to 1", c.WarmupRatio)
	case math.IsNaN(c.LearningRate) || c.LearningRate < 0:
		return fmt.Errorf("learning_rate is %v, it must not be negative", c.LearningRate)
	}
	return nil
}

// spellings puts keys that open-instruct's scripts spell in two ways together.
func (c *Config) spellings(defaults *Config) error {
	both := func(a, b string, differ bool) error {
		if !differ {
			return nil
		}
		return fmt.Errorf("%s and %s are both set, to different values\nhint: they are one setting: keep one", a, b)
	}
	var errs []error
	if n := c.TokenizerName; n != "" {
		errs = append(errs, both("tokenizer_name", "tokenizer_name_or_path", c.TokenizerNameOrPath != "" && c.TokenizerNameOrPath != n))
		c.TokenizerNameOrPath, c.TokenizerName = n, ""
	}
	if n := c.NumEpochs; n != nil {
		errs = append(errs, both("num_epochs", "num_train_epochs", c.NumTrainEpochs != defaults.NumTrainEpochs && c.NumTrainEpochs != *n))
		c.NumTrainEpochs, c.NumEpochs = *n, nil
	}
	if n := c.MaxGradNorm; n != nil {
		errs = append(errs, both("max_grad_norm", "clip_grad_norm", c.ClipGradNorm != nil && *c.ClipGradNorm != *n))
		c.ClipGradNorm, c.MaxGradNorm = n, nil
	}
	lists := func(a, b string, second, first *[]string, usual []string) {
		if len(*second) > 0 {
			errs = append(errs, both(a, b, !slices.Equal(*first, usual) && !slices.Equal(*first, *second)))
			*first, *second = *second, nil
		}
	}
	lists("mixer_list", "dataset_mixer_list", &c.MixerList, &c.DatasetMixerList, defaults.DatasetMixerList)
	lists("mixer_list_splits", "dataset_mixer_list_splits", &c.MixerListSplits, &c.DatasetMixerSplits, defaults.DatasetMixerSplits)
	lists("transform_fn", "dataset_transform_fn", &c.TransformFn, &c.DatasetTransformFn, defaults.DatasetTransformFn)
	lists("target_columns", "dataset_target_columns", &c.TargetColumns, &c.DatasetTargetColumns, defaults.DatasetTargetColumns)
	if len(c.DatasetMixer) > 0 {
		errs = append(errs, both("dataset_mixer", "dataset_mixer_list", len(c.DatasetMixerList) > 0))
		for _, name := range sortedKeys(c.DatasetMixer) {
			text := strconv.FormatFloat(c.DatasetMixer[name], 'f', -1, 64)
			// In a mapping 1 is all, and larger numbers are rows.
			if n := c.DatasetMixer[name]; n <= 1 && !strings.Contains(text, ".") {
				text += ".0"
			}
			c.DatasetMixerList = append(c.DatasetMixerList, name, text)
		}
		c.DatasetMixer = nil
	}
	if n := c.DatasetName; n != "" {
		errs = append(errs, both("dataset_name", "dataset_mixer_list", len(c.DatasetMixerList) > 0))
		c.DatasetMixerList, c.DatasetName = []string{n, "1.0"}, ""
	}
	if f := c.ClipGradNorm; f != nil && *f == -1 {
		c.ClipGradNorm = nil
	}
	return errors.Join(errs...)
}

// beside is a path as it is given, or beside the config where it is not found from here.
func beside(file, path string) string {
	if path == "" || strings.Contains(path, "://") || filepath.IsAbs(path) {
		return path
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if at := filepath.Join(filepath.Dir(file), path); file != "" {
		if _, err := os.Stat(at); err == nil {
			return at
		}
	}
	return path
}
