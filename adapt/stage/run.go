package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"olmo/adapt"
	"olmo/chat"
	"olmo/convert"
	"olmo/device"
	"olmo/eval/score"
	"olmo/internal/pyjson"
	"olmo/model"
	"olmo/runlog"
	"olmo/store"
	"olmo/tensor"
	"olmo/tokenizer"
	"olmo/train"
)

// Host is what a plan gets from the program around it.
type Host struct {
	Warn   func(text string)
	Device func() (device.Device, error)      // a new one
	See    func(what string, done, total int) // is told how far a longer computation is
	// Outside is how verifiers run programs and ask servers.
	Outside score.Outside
	DryRun  bool // nothing that takes long is computed
	// Claim, which may be nil, keeps other processes from writing what lies in a folder until the run has
	// ended.
	Claim func(folder string) error
}

// Run is a stage that is ready to train.
type Run struct {
	Config *Config
	Train  *train.Config
	// Files are those of the tokenizer, with the chat template, that the model is released with.
	Files map[string][]byte
	Rows  *Rows
	DType tensor.DType // of the model that the stage starts from, and of the one that it writes
	// Encoder is what made the rows.
	Encoder *adapt.Encoder
	// Group is how many rows are an instance of the run: a pair has two.
	Group int
	// Summary says in a few words what is minimised.
	Summary string
	// Missing says which data is not there, of a plan for a dry run: it knows the most that a row can
	// have and nothing more.
	Missing error
	// PrepareOnly says that the config asks for what Plan makes, and for no training.
	PrepareOnly bool

	// Rollouts sample and judge answers, in reinforcement learning.
	Rollouts train.Rollouts
	// Evaluate, which may be nil, judges the model in the middle of the run.
	Evaluate train.Evaluator

	adapter               *train.AdapterConfig      // nil: all weights train
	start                 string                    // the model: the config's, or one with more rows in its embedding
	positions, vocabulary int                       // of it
	experts               int                       // of a mixture
	routerWeight          float64                   // which Transformers gives the loss of its routers
	stop                  []int32                   // ids that end its texts
	close                 func()                    // nil: nothing is open
	claim                 func(folder string) error // Host.Claim
}

// Close ends what the run has running: programs of verifiers.
func (r *Run) Close() error {
	if r.close != nil {
		r.close()
	}
	return nil
}

// open opens the model that a stage starts from, and makes the encoder of its conversations.
func (c *Config) open(trainOn adapt.TrainOn, h Host) (*Run, error) {
	for _, from := range []struct{ key, path string }{{"model_name_or_path", c.ModelNameOrPath}, {"tokenizer_name_or_path", c.TokenizerNameOrPath}, {"lora_weights", c.LoRAWeights}} {
		if c.isOutput(from.path) {
			return nil, fmt.Errorf("output_dir %s is the folder of %s, which the run starts from\nhint: set output_dir to another folder", c.OutputDir, from.key)
		}
	}
	l, err := model.Open(c.ModelNameOrPath)
	if err != nil {
		return nil, fmt.Errorf("model_name_or_path: %w", err)
	}
	defer l.Close()
	if c.LoRAWeights != "" {
		if err := l.MoreStops(c.LoRAWeights); err != nil {
			return nil, fmt.Errorf("lora_weights: %w", err)
		}
	}
	r := &Run{Config: c, DType: l.DType, positions: l.Config.T, experts: l.Config.Experts, stop: l.Stop, claim: h.Claim}
	if r.routerWeight, err = l.RouterLossWeight(); err != nil {
		return nil, fmt.Errorf("model_name_or_path: %w", err)
	}
	if r.adapter, err = c.adapter(l.Config); err != nil {
		return nil, err
	}
	if r.Files, err = convert.TokenizerFiles(l, h.Warn); err != nil {
		return nil, err
	}
	if c.TokenizerNameOrPath != "" {
		if r.Files, err = tokenizerFiles(c.TokenizerNameOrPath); err != nil {
			return nil, err
		}
	}
	if r.Files["tokenizer.json"] == nil {
		return nil, fmt.Errorf("%s has no tokenizer.json\nhint: tokenizer_name_or_path names one", c.ModelNameOrPath)
	}
	template, err := r.template()
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.Parse(r.Files["tokenizer.json"])
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if err := r.fit(l, tok.VocabSize()); err != nil {
		return nil, err
	}
	r.Encoder = &adapt.Encoder{Template: template, Tokenizer: tok, TrainOn: trainOn, MaxLength: l.Config.T}
	if n := c.MaxSeqLength; n != nil {
		if *n > l.Config.T && l.Config.Position == model.Learned {
			return nil, fmt.Errorf("max_seq_length is %d, and the model has %d positions", *n, l.Config.T)
		}
		if *n > l.Config.T {
			h.Warn(fmt.Sprintf("max_seq_length is %d, and the model has %d positions: longer rows are cut there", *n, l.Config.T))
		}
		r.Encoder.MaxLength = min(*n, l.Config.T)
	}
	return r, r.release(template)
}

// stopAtTurns has the model that is released stop at what ends its turns, too: at <|im_end|> where the
// template closes an answer with it, say, beside the end of a text.
func (r *Run) stopAtTurns() error {
	more := slices.DeleteFunc(slices.Clone(r.Rows.Stops), func(id int32) bool { return slices.Contains(r.stop, id) })
	if len(more) == 0 {
		return nil
	}
	r.stop = append(slices.Clone(r.stop), more...)
	settings := map[string]any{}
	if text := r.Files[generationFile]; text != nil {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&settings); err != nil {
			return fmt.Errorf("%s: %w", generationFile, err)
		}
	}
	settings["eos_token_id"] = r.stop
	text, err := pyjson.Indented(settings)
	r.Files[generationFile] = text
	return err
}

// generationFile is where several ids that end a text stand.
const generationFile = "generation_config.json"

// tokenizerFiles reads the files of a tokenizer: a tokenizer.json, or a folder with one.
func tokenizerFiles(path string) (map[string][]byte, error) {
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		text, err := store.ReadFile(path)
		return map[string][]byte{"tokenizer.json": text}, err
	}
	all := map[string][]byte{}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "generation_config.json"} {
		text, err := store.ReadFile(filepath.Join(path, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tokenizer_name_or_path: %w", err)
		}
		all[name] = text
	}
	return all, nil
}

// template is the chat template, for the tokenizer's special tokens.
func (r *Run) template() (*chat.Template, error) {
	dir, err := os.MkdirTemp("", "olmo-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, name := range sortedKeys(r.Files) {
		if err := os.WriteFile(filepath.Join(dir, name), r.Files[name], 0o666); err != nil {
			return nil, err
		}
	}
	t, err := adapt.Template(r.Config.ChatTemplateName, dir, r.Config.AddBOS)
	if err != nil {
		return nil, fmt.Errorf("chat_template_name: %w", err)
	}
	return t, nil
}

// release puts the template into the files that the model is released with, in both places where
// programs look for it.
func (r *Run) release(t *chat.Template) error {
	r.Files["chat_template.jinja"] = []byte(t.Text())
	settings := map[string]any{}
	if text := r.Files["tokenizer_config.json"]; text != nil {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&settings); err != nil {
			return fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	settings["chat_template"] = t.Text()
	text, err := pyjson.Indented(settings)
	r.Files["tokenizer_config.json"] = text
	return err
}

// Steps are the updates of a run over so many instances, as open-instruct's trainer counts them.
func (c *Config) Steps(instances int) int {
	if c.MaxTrainSteps != nil {
		return *c.MaxTrainSteps
	}
	return c.NumTrainEpochs * spans(instances, c.batch())
}

func spans(n, size int) int { return (n + size - 1) / size }

// batch is the number of instances of a step.
func (c *Config) batch() int {
	return c.PerDeviceTrainBatchSize * c.GradientAccumulationSteps * c.NumProcesses
}

// plan makes the config of the run over the rows, group of them an instance; own are overrides of the
// stage's.
func (r *Run) plan(group int, own ...string) (*train.Config, error) {
	r.Group = group
	c, instances := r.Config, r.Rows.Count/group
	steps := c.Steps(instances)
	n := train.Continuation{From: r.start, Data: []string{r.Rows.Tokens}, Steps: steps}
	length := min(max(r.Rows.Longest, 2), r.positions)
	overrides := []string{
		"save_folder=" + quoted(c.OutputDir), "run_name=" + quoted(filepath.Base(c.OutputDir)),
		fmt.Sprintf("model.max_sequence_length=%d", r.positions), fmt.Sprintf("data.row_length=%d", length), "data.name=rows", "data.drop_last=false",
		fmt.Sprintf("data.label_mask_paths=[%s]", quoted(r.Rows.Masks)), fmt.Sprintf("data.memmap_dtype=%s", r.Rows.DType),
		fmt.Sprintf("global_train_batch_size=%d", c.batch()),
	}
	if group > 1 {
		overrides = append(overrides, fmt.Sprintf("data.row_group=%d", group))
	}
	if instances == 0 { // the data is not there: see Missing
		n.Steps, overrides = 1, append(overrides, "dry_run=true")
	}
	t, err := n.Config(append(overrides, own...))
	if err != nil {
		return nil, err
	}
	if t.DryRun = false; instances == 0 {
		t.MaxDuration, t.StopAt = train.Duration{Epochs: c.NumTrainEpochs}, nil
		if c.MaxTrainSteps != nil {
			t.MaxDuration = train.Duration{Steps: steps}
		}
	}
	// Routers train by what is minimised alone and load_balancing_loss, whatever losses of theirs the model was
	// trained with.
	t.Model.MoELossWeight, t.Model.MoEZLossWeight = 0, 0
	t.Seed, t.Data.NoShuffle = c.Seed, !c.Shuffle
	t.Precision, t.MaxGradNorm = c.Precision, c.ClipGradNorm
	o := &t.Optimizer
	o.LearningRate, o.WeightDecay, o.Betas, o.Eps = c.LearningRate, c.WeightDecay, [2]float64{0.9, 0.999}, 1e-8
	o.DecayNormAndBias, o.DecayEmbeddings = true, true
	s := &t.Scheduler
	s.SetDefaults()
	s.TWarmup = warmup(steps, c.WarmupRatio)
	switch c.LRSchedulerType {
	case "linear":
		s.Name = "hf_linear"
	case "cosine":
		s.Name = "hf_cosine"
	case "constant_with_warmup":
		s.Name = "hf_constant"
	default:
		s.Name, s.TWarmup = "hf_constant", 0
	}
	// About as many tokens at a time as fit the caches of a small machine; it changes no bit.
	t.DeviceTrainMicrobatchSize = min(max(2048/(length*group), 1), c.batch())
	t.SaveIntervalEphemeral, t.SaveInterval, t.SaveNumCheckpoints = nil, nil, c.KeepLastNCheckpoints
	switch n, err := strconv.Atoi(c.CheckpointingSteps); {
	case c.CheckpointingSteps == "":
	case c.CheckpointingSteps == "epoch":
		per := spans(instances, c.batch())
		t.SaveInterval = &per
	case err != nil || n < 1:
		return nil, fmt.Errorf("checkpointing_steps is %q, want a number of steps or epoch", c.CheckpointingSteps)
	default:
		t.SaveInterval = &n
	}
	if c.GradientCheckpointing {
		all := model.Recompute("whole_layer")
		t.ActivationCheckpointing = &all
	}
	t.TryLoadLatestSave, t.SaveOverwrite, t.NoPreTrainCheckpoint = !c.OverwriteOutputDir, c.OverwriteOutputDir, true
	if c.ResumeFromCheckpoint != "" {
		t.LoadPath = c.ResumeFromCheckpoint
	}
	t.Adapter = r.adapter
	t.Tokenizer.Identifier = filepath.Join(c.OutputDir, "tokenizer.json")
	t.DeviceEvalBatchSize = t.DeviceTrainMicrobatchSize
	return t, nil
}

// warmup is the number of updates during which the rate rises.
func warmup(steps int, ratio float64) float64 { return float64(int(float64(steps) * ratio)) }

// quoted is a text that a config takes for one.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always encodes
	return string(b)
}

// Record gives a step's line of the log open-instruct's names.
func Record(r runlog.Record) {
	for _, key := range []string{"train/CrossEntropyLoss", train.ObjectiveLoss} {
		if loss, ok := r[key].(float64); ok {
			balance, _ := r["train/load balancing loss"].(float64)
			r["train_loss"] = loss + balance
			break
		}
	}
	r["learning_rate"] = r["optim/learning_rate_group0"]
}

// Finish writes the model of the last checkpoint into output_dir, as a folder in Hugging Face's
// layout; or the adapter that was trained, in PEFT's.
func (r *Run) Finish(ctx context.Context, warn func(string)) error {
	out := r.Config.OutputDir
	step, err := train.Latest(out)
	if err != nil {
		return err
	}
	if r.adapter != nil {
		return r.finishAdapter(step)
	}
	made := filepath.Join(out, ".model.tmp")
	if err := os.RemoveAll(made); err != nil {
		return err
	}
	defer os.RemoveAll(made)
	dtype := r.DType
	if !slices.Contains([]tensor.DType{tensor.F32, tensor.F16, tensor.BF16}, dtype) {
		dtype = tensor.F32
	}
	if _, err := convert.Run(ctx, convert.Options{From: step, To: model.HuggingFace, Out: made, DType: dtype, Warn: warn}); err != nil {
		return err
	}
	entries, err := os.ReadDir(made)
	if err != nil {
		return err
	}
	if err := r.forget(model.PEFTConfigFile, "adapter_model.safetensors"); err != nil {
		return err
	}
	// config.json last: with it the folder is a model.
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int {
		last := func(e os.DirEntry) int {
			if e.Name() == "config.json" {
				return 1
			}
			return 0
		}
		return last(a) - last(b)
	})
	for _, e := range entries {
		if err := store.Copy(filepath.Join(made, e.Name()), filepath.Join(out, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// forget removes files of output_dir that a run has left which overwrite_output_dir replaces, and which would be
// taken for this one's.
func (r *Run) forget(names ...string) error {
	var errs []error
	if r.Config.OverwriteOutputDir {
		for _, name := range names {
			errs = append(errs, store.Remove(filepath.Join(r.Config.OutputDir, name)))
		}
	}
	return errors.Join(errs...)
}
