package train

import (
	"slices"
	"strings"
	"testing"

	"olmo/numeric"
)

// TestDuration: max_duration counts steps, tokens or epochs, and is written as it is read.
func TestDuration(t *testing.T) {
	for text, want := range map[string]struct {
		d       Duration
		written string
	}{
		"0": {Duration{}, "0"}, "1000": {Duration{Steps: 1000}, "1000"}, "1_000": {Duration{Steps: 1000}, "1000"}, "1e3": {Duration{Steps: 1000}, "1000"},
		"2e9T": {Duration{Tokens: 2_000_000_000}, "2000000000T"}, "5 T": {Duration{Tokens: 5}, "5T"}, "2ep": {Duration{Epochs: 2}, "2ep"}, "1 ep": {Duration{Epochs: 1}, "1ep"},
	} {
		var d Duration
		err := d.UnmarshalText([]byte(text))
		written, err2 := d.MarshalText()
		if err != nil || err2 != nil || d != want.d || string(written) != want.written {
			t.Errorf("%q is %+v, written %q (%v, %v); want %+v, %q", text, d, written, err, err2, want.d, want.written)
		}
	}
	for _, text := range []string{"", "ep", "T", "-1", "1.5", "1.5ep", "-2T", "1e19", "steps", "1epT"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "is no duration\nhint: steps as 1000, tokens as 2e9T, epochs as 1ep") {
			t.Errorf("%q is %+v (%v)", text, d, err)
		}
	}
}

// TestPrecision: OLMo's names and their alias.
func TestPrecision(t *testing.T) {
	for text, want := range map[string]numeric.Precision{"fp32": numeric.FP32, "amp_bf16": numeric.AMPBF16, "amp_bf16_tile": numeric.AMPBF16Tile, "bf16": numeric.AMPBF16, "": numeric.FP32, "null": numeric.FP32} {
		if p := numeric.Precision(7); p.UnmarshalText([]byte(text)) != nil || p != want {
			t.Errorf("%q is %q, want %q", text, p, want)
		}
	}
	var p numeric.Precision
	if err := p.UnmarshalText([]byte("int8")); err == nil || !strings.Contains(err.Error(), "nothing trains in it\nhint: one of fp32, amp_bf16, amp_bf16_tile") {
		t.Errorf("int8: %v", err)
	}
	if err := p.UnmarshalText([]byte("fp8")); err == nil || !strings.Contains(err.Error(), `"fp8" is not known`) {
		t.Errorf("fp8: %v", err)
	}
}

// TestValidate: what can be known to be wrong without the data is refused with its key; what
// is at the edge is not.
func TestValidate(t *testing.T) {
	number := func(n int) *int { return &n }
	yes := true
	for _, c := range []struct {
		name   string
		change func(c *Config)
		want   string // "": no error
	}{
		{"as it is", func(c *Config) {}, ""},
		{"optimiser", func(c *Config) { c.Optimizer.Name = "sgd" }, `optimizer.name: "sgd" is not known`},
		{"its former name", func(c *Config) { c.Optimizer.Name = "decoupled_lionw" }, ""},
		{"size of steps", func(c *Config) { c.Optimizer.AdjustLR = "x" }, "optimizer.adjust_lr"},
		{"schedule", func(c *Config) { c.Scheduler.Name = "x" }, "scheduler.name"},
		{"denominator", func(c *Config) { c.LossDenominator = "tokens" }, "loss_denominator"},
		{"layout", func(c *Config) { c.Data.Name = "x" }, "data.name"},
		{"long documents", func(c *Config) { c.Data.LongDocStrategy = "x" }, "data.long_doc_strategy"},
		{"padding", func(c *Config) { c.Data.PadDirection = "up" }, "data.pad_direction"},
		{"padding on the left", func(c *Config) { c.Data.PadDirection = "left" }, ""},
		{"batch", func(c *Config) { c.GlobalTrainBatchSize = 0 }, "global_train_batch_size is 0, it must be positive"},
		{"micro-batch", func(c *Config) { c.DeviceTrainMicrobatchSize = -1 }, "device_train_microbatch_size is -1"},
		{"length", func(c *Config) { c.Model.MaxSequenceLength = 0 }, "model.max_sequence_length is 0"},
		{"group of files", func(c *Config) { c.Data.SourceGroupSize = 0 }, "data.source_group_size is 0"},
		{"console", func(c *Config) { c.ConsoleLogInterval = 0 }, "console_log_interval is 0"},
		{"looks", func(c *Config) { c.CanceledCheckInterval = 0 }, "canceled_check_interval is 0"},
		{"evaluations", func(c *Config) { c.EvalInterval = 0 }, "eval_interval is 0"},
		{"one of each", func(c *Config) { c.GlobalTrainBatchSize, c.ConsoleLogInterval, c.EvalInterval = 1, 1, 1 }, ""},
		{"no saving", func(c *Config) { c.SaveInterval = nil }, ""},
		{"saving", func(c *Config) { c.SaveInterval = number(0) }, "save_interval is 0, it must be positive or null"},
		{"saving unsharded", func(c *Config) { c.SaveIntervalUnsharded = number(-5) }, "save_interval_unsharded is -5"},
		{"saving for a while", func(c *Config) { c.SaveIntervalEphemeral = number(0) }, "save_interval_ephemeral is 0"},
		{"saving each step", func(c *Config) { c.SaveIntervalEphemeral = number(1) }, ""},
		{"rate", func(c *Config) { c.Optimizer.LearningRate = -1 }, "must not be negative"},
		{"no rate", func(c *Config) { c.Optimizer.LearningRate, c.Optimizer.WeightDecay, c.Optimizer.Eps = 0, 0, 0 }, ""},
		{"decay", func(c *Config) { c.Optimizer.WeightDecay = -1 }, "must not be negative"},
		{"eps", func(c *Config) { c.Optimizer.Eps = -1 }, "must not be negative"},
		{"first beta of 1", func(c *Config) { c.Optimizer.Betas[0] = 1 }, "less than 1"},
		{"second beta of 1", func(c *Config) { c.Optimizer.Betas[1] = 1 }, "less than 1"},
		{"negative beta", func(c *Config) { c.Optimizer.Betas[1] = -0.1 }, "at least 0"},
		{"negative first beta", func(c *Config) { c.Optimizer.Betas[0] = -0.1 }, "at least 0"},
		{"momentum", func(c *Config) { c.Optimizer.Momentum = 1 }, "optimizer.momentum is 1, it must be at least 0 and less than 1"},
		{"negative momentum", func(c *Config) { c.Optimizer.Momentum = -0.1 }, "optimizer.momentum is -0.1, it must be at least 0"},
		{"betas of 0", func(c *Config) { c.Optimizer.Betas, c.Optimizer.Momentum = [2]float64{}, 0 }, ""},
		{"selective matrices", func(c *Config) { c.Optimizer.Name, c.Optimizer.SelectiveUpdates = "muon", true }, "selective_updates has no meaning for muon"},
		{"selective", func(c *Config) { c.Optimizer.SelectiveUpdates = true }, ""},
		{"rank", func(c *Config) { c.Optimizer.RankFraction = 0 }, "optimizer.rank_fraction is 0, it must be positive"},
		{"more than all", func(c *Config) { c.Optimizer.RankFraction = 1.1 }, "optimizer.rank_fraction is 1.1, it must be at most 1"},
		{"average", func(c *Config) { c.Optimizer.MuonBeta2 = 1 }, "optimizer.muon_beta2 is 1, it must be at least 0 and less than 1"},
		{"negative average", func(c *Config) { c.Optimizer.MuonBeta2 = -0.5 }, "optimizer.muon_beta2 is -0.5, it must be"},
		{"interval", func(c *Config) { c.Optimizer.Name, c.Optimizer.RollingIntervalLength = "skip_step_adamw", 1 }, "rolling_interval_length is 1"},
		{"shortest interval", func(c *Config) { c.Optimizer.Name, c.Optimizer.RollingIntervalLength = "skip_step_adamw", 2 }, ""},
		{"interval of another", func(c *Config) { c.Optimizer.RollingIntervalLength = 0 }, ""},
		{"two lists of files", func(c *Config) { c.Data.Datasets = map[string]PathList{"a": {"b"}} }, "data.paths and data.datasets are both set"},
		{"a mixture beside files", func(c *Config) { c.Data.Mixture, c.Data.MixtureTokens = []Source{{}}, 10 }, "data.mixture needs mixture_tokens"},
		{"a mixture beside masks", func(c *Config) {
			c.Data.Mixture, c.Data.MixtureTokens, c.Data.Paths, c.Data.LabelMaskPaths = []Source{{}}, 10, nil, []string{"m"}
		}, "data.mixture needs mixture_tokens"},
		{"a mixture of nothing", func(c *Config) { c.Data.Mixture, c.Data.Paths = []Source{{}}, nil }, "data.mixture needs mixture_tokens"},
		{"a mixture", func(c *Config) { c.Data.Mixture, c.Data.MixtureTokens, c.Data.Paths = []Source{{}}, 10, nil }, ""},
		{"Python", func(c *Config) { c.Data.CustomDataset = 1 }, "data.custom_dataset names Python code"},
		{"sizes of batches", func(c *Config) { c.BatchSizeSchedule = []BatchStage{{Size: 0}} }, "batch_size_schedule[0]: a size of 0"},
		{"sizes by epoch", func(c *Config) { c.BatchSizeSchedule = []BatchStage{{Size: 7}, {From: Duration{Epochs: 1}, Size: 7}} }, "batch_size_schedule[1]"},
		{"lengths", func(c *Config) { c.SequenceLengthSchedule = []LengthStage{{Length: 0}} }, "sequence_length_schedule[0]: a length of 0"},
		{"lengths that do not divide", func(c *Config) { c.SequenceLengthSchedule = []LengthStage{{Length: 30}} }, "it must divide max_sequence_length, 40"},
		{"lengths by epoch", func(c *Config) { c.SequenceLengthSchedule = []LengthStage{{From: Duration{Epochs: 1}, Length: 20}} }, "sequence_length_schedule[0]"},
		{"lengths that divide", func(c *Config) { c.SequenceLengthSchedule = []LengthStage{{Length: 20}, {Length: 40}} }, ""},
		{"ranks", func(c *Config) { c.WorldSize = 2 }, "a batch of 7 instances cannot be shared by world_size 2"},
		{"negative ranks", func(c *Config) { c.WorldSize = -7 }, "world_size -7"},
		{"ranks of a later batch", func(c *Config) { c.WorldSize, c.BatchSizeSchedule = 7, []BatchStage{{Size: 10}} }, "a batch of 10 instances"},
		{"ranks that share", func(c *Config) { c.WorldSize = 7 }, ""},
		{"two schedules of lengths", func(c *Config) { c.Data.Name, c.BatchSizeSchedule = "vsl", []BatchStage{{Size: 7}} }, "data.name vsl has a length for each batch"},
		{"type of tokens", func(c *Config) { c.Data.MemmapDType = "float32" }, "data.memmap_dtype"},
		{"model", func(c *Config) { c.Model.NHeads = 5 }, "model: d_model 48 is not a multiple of n_heads 5"},
		{"noise", func(c *Config) { c.NEFTuneNoiseAlpha = -1 }, "neftune_noise_alpha is -1"},
		{"experts without rows", func(c *Config) { c.LoadBalancingWeight = 0.01 }, "load_balancing_weight is for data.name rows"},
		{"no experts", func(c *Config) { c.LoadBalancingWeight, c.Data.Name = 0.01, "rows" }, "the model has no experts"},
		{"two losses of experts", func(c *Config) {
			m := &c.Model
			c.LoadBalancingWeight, c.Data.Name, m.BlockType, m.LayerNormType, m.ActivationType, m.Rope, m.IncludeBias, m.NormAfter = 0.01, "rows", "moe", "rms", "swiglu", true, false, false
		}, "hint: set model.moe_loss_weight"},
		{"no decay", func(c *Config) { c.Optimizer.NoDecayNormAndBias = &yes }, ""},
	} {
		cfg, err := LoadConfig("testdata/tiny.yaml", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.change(cfg)
		err = cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!")) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestOldKeys: keys of earlier versions mean what they meant.
func TestOldKeys(t *testing.T) {
	load := func(overrides ...string) *Config {
		t.Helper()
		c, err := LoadConfig("testdata/tiny.yaml", overrides)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := load("optimizer.name=decoupled_lionw"); c.Optimizer.Name != "lionw" {
		t.Errorf("decoupled_lionw is %s", c.Optimizer.Name)
	}
	for no, want := range map[string]bool{"true": false, "false": true} {
		if c := load("optimizer.no_decay_norm_and_bias=" + no); c.Optimizer.DecayNormAndBias != want || c.Optimizer.DecayEmbeddings != want || c.Optimizer.NoDecayNormAndBias != nil {
			t.Errorf("no_decay_norm_and_bias %s: %+v", no, c.Optimizer)
		}
	}
	if c := load("data.pack_documents=fragment"); c.Data.Name != "packed_fsl" || c.Data.LongDocStrategy != "fragment" || c.Data.PackDocuments != "" {
		t.Errorf("pack_documents: %+v", c.Data)
	}
	if c := load("activation_checkpointing=false"); c.ActivationCheckpointing != nil {
		t.Errorf("activation_checkpointing false is %q", *c.ActivationCheckpointing)
	}
	if c := load("activation_checkpointing=true"); c.ActivationCheckpointing == nil || *c.ActivationCheckpointing != "whole_layer" {
		t.Errorf("activation_checkpointing true is %v", c.ActivationCheckpointing)
	}
	if a, b := load("seed=3").dataSeed(), load("seed=3", "data.seed=5").dataSeed(); a != 3 || b != 5 {
		t.Errorf("the data's seeds are %d and %d, want 3 and 5", a, b)
	}
	for _, c := range []struct {
		overrides []string
		want      float64
	}{{[]string{"softmax_auxiliary_loss=false", "z_loss_multiplier=0.5"}, 0}, {[]string{"auxiliary_loss_multiplier=0.5"}, 1e-4}, {[]string{"z_loss_multiplier=0.5"}, 0.5}} {
		if got := load(c.overrides...).zmul(); got != c.want {
			t.Errorf("%v: the z-loss counts %g, want %g", c.overrides, got, c.want)
		}
	}
}

// TestWithoutEffect: keys that mean nothing here are named when they are not as usual.
func TestWithoutEffect(t *testing.T) {
	c := DefaultConfig()
	if names := c.WithoutEffect(); len(names) > 0 {
		t.Errorf("of the defaults %q", names)
	}
	c.Compile, c.Data.NumWorkers, c.Single.Device, c.SaveNumCheckpoints = &CompilerConfig{}, 3, "cuda", 5
	if got, want := c.WithoutEffect(), []string{"compile", "single.device", "data.num_workers"}; !slices.Equal(got, want) {
		t.Errorf("without effect are %q, want %q", got, want)
	}
}

// TestDataPaths: data.datasets lists files by label, in the labels' order.
func TestDataPaths(t *testing.T) {
	d := DataConfig{Datasets: map[string]PathList{"b": {"3", "1"}, "a": {"2"}}}
	if got, want := d.paths(), []string{"2", "3", "1"}; !slices.Equal(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
	d.Paths = []string{"9"}
	if got := d.paths(); !slices.Equal(got, d.Paths) {
		t.Errorf("paths %q, want %q", got, d.Paths)
	}
}
