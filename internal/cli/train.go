package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/adapt/stage"
	"olmo/convert"
	"olmo/device/cpu"
	"olmo/internal/memory"
	"olmo/internal/parallel"
	"olmo/lm"
	"olmo/model"
	"olmo/proof"
	"olmo/proof/note"
	"olmo/runlog"
	"olmo/tokenizer"
	"olmo/train"
)

func newTrainCommand() *cobra.Command {
	var v trainFlags
	c := &cobra.Command{
		Use:   "train CONFIG.yaml|--from MODEL --data TOKENS --steps N [key=value…]",
		Short: "Train a model as a config says, continue its run, or go on from a model",
		Long: `Train reads a config with the keys of OLMo's TrainConfig and trains the model.
Overrides have the form a.b=value, with or without leading dashes.

With --from, the config is made: model, weights and tokenizer are those of MODEL (a
Hugging Face folder, a .gguf file, a run), the tokens those of --data, made with that
tokenizer ('olmo data tokens'), and all else has defaults for a continued training:
the type of the ids of the .csv.gz beside them, AdamW at a tenth of the rate that a
model of this size is first trained with, a warm-up over a tenth of the steps, a cosine
down to a tenth. Overrides change any of it, and config.yaml has it all.

The run's folder (save_folder) gets config.yaml, metrics.jsonl, a checkpoint
stepN at each save_interval and at the end, and latest. Ctrl-C saves and stops;
try_load_latest_save=true continues, bit for bit as if the run had never stopped.`,
		Example: `  olmo train runs/tiny.yaml save_folder=out
  olmo train runs/tiny.yaml save_folder=out try_load_latest_save=true
  olmo train runs/olmo2-7b-stage1.yaml --dry-run
  olmo train runs/small.yaml --data tokens/ --steps 500
  olmo train --from SmolLM2-135M --data tokens/ --steps 500
  olmo train --from model.gguf --data 'tokens/*.npy' --steps 500 --out mine optimizer.learning_rate=1e-4`,
		RunE: func(c *cobra.Command, args []string) error { return v.run(c, args) },
	}
	f := c.Flags()
	f.StringVar(&v.from, "from", "", "model to go on from: a Hugging Face folder, a .gguf file, a run, or hf:ORG/NAME@REVISION of a hub, instead of CONFIG.yaml")
	listFlag(f, &v.data, "data", "token files, folders of them or patterns (data.paths)")
	f.IntVar(&v.steps, "steps", 0, "steps of the run (max_duration and stop_at)")
	f.StringVar(&v.out, "out", "", "folder of the run (save_folder; with --from the default is MODEL-on-TOKENS)")
	f.StringVar(&v.note, "note", "", "key that signs the head of the chain every chain_note_interval steps (key.note of olmo release --new-key)")
	f.BoolVar(&v.dryRun, "dry-run", false, "only say what the run would need on this machine")
	f.BoolVar(&v.json, "json", false, "one JSON object about the run at its end, or about what it would need")
	takesOverrides(c)
	return c
}

// trainFlags are the flags of train: all that is no override.
type trainFlags struct {
	from   string
	data   []string
	steps  int
	out    string
	note   string
	dryRun bool
	json   bool
}

func (v *trainFlags) run(c *cobra.Command, args []string) error {
	// What follows the files of --data may be overrides.
	var files []string
	for _, word := range v.data {
		if isOverride(word) {
			args = append(args, word)
		} else {
			files = append(files, word)
		}
	}
	v.data = files
	given := func(name string) bool { return c.Flags().Changed(name) }
	var path string
	if len(args) > 0 && !isOverride(args[0]) {
		path, args = args[0], args[1:]
	}
	for _, a := range args {
		if !strings.Contains(a, "=") {
			return usageErrorf("unexpected argument %q\nhint: overrides have the form key=value", a)
		}
	}
	switch {
	case path == "" && !given("from"):
		return usageErrorf("a config file or --from MODEL is needed")
	case path != "" && given("from"):
		return usageErrorf("%s and --from both say what is trained\nhint: in a config, model.hf: MODEL takes model, weights and tokenizer of a folder, .gguf file or run", path)
	case given("from") && v.from == "":
		return usageErrorf("--from is empty\nhint: name a Hugging Face folder, a .gguf file or a run")
	case given("steps") && v.steps < 1:
		return usageErrorf("--steps is %d, want 1 or more", v.steps)
	case given("data") && len(v.data) == 0 || slices.Contains(v.data, ""):
		return usageErrorf("--data names no token files")
	case given("out") && v.out == "":
		return usageErrorf("--out is empty")
	case given("note") && v.note == "":
		return usageErrorf("--note is empty")
	case given("from") && !given("data"):
		return usageErrorf("--from needs --data TOKENS\nhint: make them with the model's tokenizer: olmo data tokens")
	case given("from") && !given("steps"):
		return usageErrorf("--from needs --steps N")
	}
	local, err := localModel(c, v.from)
	if err != nil {
		return err
	}
	cfg, err := v.config(path, local, args)
	if err != nil {
		return err
	}
	sign, err := v.signer(cfg)
	if err != nil {
		return err
	}
	return runTrain(c, path, cfg, trainCall{verb: "olmo train", json: v.json, sign: sign})
}

// signer signs the heads of a run's chain with the key of --note, under the key's own name.
func (v *trainFlags) signer(cfg *train.Config) (func(lines uint64, root proof.Hash) ([]byte, error), error) {
	if v.note == "" {
		return nil, nil
	}
	if cfg.ChainNoteInterval == nil {
		return nil, usageErrorf("--note signs nothing without chain_note_interval=N, every how many steps")
	}
	key, err := note.ReadPrivate(v.note)
	if err != nil {
		return nil, err
	}
	return func(lines uint64, root proof.Hash) ([]byte, error) {
		return note.Head{Origin: key.Name(), Size: int64(lines), Root: root}.Sign(key)
	}, nil
}

// isOverride tells an override from a file that happens to have a = in its name.
func isOverride(word string) bool {
	key, _, ok := strings.Cut(word, "=")
	if !ok || strings.ContainsAny(key, "/\\*?") {
		return false
	}
	_, err := os.Stat(word)
	return err != nil
}

// config makes the config that flags and overrides ask for; from is where the model of --from
// lies.
func (v *trainFlags) config(path, from string, overrides []string) (*train.Config, error) {
	// Explicit overrides win over what flags stand for.
	var first []string
	if v.dryRun {
		first = append(first, "dry_run=true")
	}
	if v.out != "" {
		first = append(first, "save_folder="+yamlText(v.out))
	}
	if v.from != "" {
		n := train.Continuation{From: from, Name: v.from, Data: v.data, Steps: v.steps}
		return n.Config(append(first, overrides...))
	}
	if v.steps > 0 {
		first = append(first, fmt.Sprintf("max_duration=%d", v.steps), fmt.Sprintf("stop_at=%d", v.steps))
	}
	if len(v.data) > 0 {
		var list []string
		for _, name := range v.data {
			list = append(list, yamlText(name))
		}
		first = append(first, "data.paths=["+strings.Join(list, ",")+"]", "data.datasets=null")
		if d, err := train.TokenType(path, v.data); err != nil {
			return nil, err
		} else if d != "" {
			first = append(first, "data.memmap_dtype="+string(d))
		}
	}
	return train.LoadConfig(path, append(first, overrides...))
}

// yamlText quotes a text so that a config takes it for one.
func yamlText(text string) string {
	quoted, _ := json.Marshal(strings.ReplaceAll(text, "${", `\${`)) // a string always encodes
	return string(quoted)
}

// trainSummary is what --json prints about a run.
type trainSummary struct {
	Reason     train.Reason `json:"reason"`
	Step       int          `json:"step"`
	Steps      int          `json:"steps"`
	Tokens     int64        `json:"tokens"`
	Loss       *float64     `json:"loss"` // of the last step; null where this process made none
	Seconds    float64      `json:"seconds"`
	SaveFolder string       `json:"save_folder"`
	Checkpoint string       `json:"checkpoint"`
}

// runTrain trains; sign, which may be nil, signs the heads of the chain.
// trainCall is what a verb adds to a training run.
type trainCall struct {
	verb string // in messages
	json bool
	sign func(lines uint64, root proof.Hash) ([]byte, error) // see train.Options.Sign; nil: nothing is signed
	// Of adaptation: the tokenizer, its files with the chat template, further members of the log, and
	// what writes the model when the run has come to its end.
	tok    *tokenizer.Tokenizer
	files  map[string][]byte
	record func(r runlog.Record)
	finish func() error
	// another is the way out where the run in save_folder cannot go on, for a config without the keys that
	// training's own hints name.
	another string
	// rollouts sample and judge answers, in reinforcement learning.
	rollouts train.Rollouts
	// evaluate, where it is set, judges the model in place of tasks.
	evaluate train.Evaluator
}

func runTrain(c *cobra.Command, path string, cfg *train.Config, call trainCall) error {
	verb := call.verb
	p := newProgress(c.ErrOrStderr())
	if keys := cfg.WithoutEffect(); len(keys) > 0 {
		p.print(verb + ": without effect here: " + strings.Join(keys, ", "))
	}
	if cfg.DryRun {
		return dryRun(c, cfg, call.json)
	}
	err := cfg.Fetch(c.Context(), func(file string, done, total int64) {
		p.update(step{done: float64(done) / 1e6, total: float64(max(total, 0)) / 1e6, unit: "MB", note: "fetching " + file})
	})
	if err != nil {
		return err
	}
	if err := cfg.CheckData(); err != nil {
		return err
	}
	dev, err := cpu.New()
	if err != nil {
		return err
	}
	// The share of the peak is worth a second of measuring in a run of minutes.
	var peak float64
	needs, unknown := cfg.Estimate(cpu.Needs)
	if unknown == nil && needs.Core*float64(needs.Tokens) > 2e12 {
		peak = peakFLOPS(cfg)
	}
	warn := func(text string) { p.print(verb + ": warning: " + text) }
	if cfg.ChainNoteInterval != nil && call.sign == nil {
		warn("chain_note_interval signs nothing without --note KEY")
	}
	files, tok := call.files, call.tok
	if tok == nil {
		if files, tok, err = startingTokenizer(cfg, warn); err != nil {
			return err
		}
	}
	tasks, err := newDownstream(cfg, tok, p.print, warn)
	if err != nil {
		return err
	}
	if call.evaluate != nil {
		tasks = call.evaluate
	}
	samples, err := newSampler(cfg, tok, p.print)
	if err != nil {
		return err
	}
	if from := cfg.StartedFrom(); from != "" {
		steps := fmt.Sprintf("%s steps of %d sequences of %d tokens, ", stepsOf(cfg), cfg.GlobalTrainBatchSize, cfg.Model.MaxSequenceLength)
		if call.tok != nil {
			steps = "" // which the stage of adaptation has told
		}
		p.print(fmt.Sprintf(verb+": from %s: %slearning rate up to %.3g", from, steps, cfg.Optimizer.LearningRate))
	}
	leanHeap()
	if unknown == nil {
		p.print(verb + ": expects a peak of " + size(expectedPeak(needs)) + " of memory")
		if free, known := memory.Available(); known && needs.Memory.Total() > int64(free) {
			warn("the machine has " + size(int64(free)) + " left\nhint: a smaller device_train_microbatch_size, or activation_checkpointing=whole_layer")
		}
	}
	var last *train.Progress
	var printed time.Time // the last block of figures
	t, err := train.New(cfg, dev, train.Options{
		ConfigPath: path,
		Warn:       warn,
		Evaluate:   tasks,
		Sample:     samples,
		Files:      files,
		PeakFLOPS:  peak,
		Record:     call.record,
		Rollouts:   call.rollouts,
		Sampling: func(n, done, total int) {
			p.update(step{note: fmt.Sprintf("step %d: %d of %d answers sampled", n, done, total)})
		},
		Hashing: func(done, total int64) {
			p.update(step{done: float64(done) / 1e6, total: float64(total) / 1e6, unit: "MB", note: "hashing the token files"})
		},
		Sign: call.sign,
		Progress: func(now train.Progress) {
			last = &now
			due := now.Step == 1 || time.Since(printed) > plainInterval
			if now.Step%cfg.ConsoleLogInterval == 0 && due || now.Evaluated() {
				p.print(now.Console())
				printed = time.Now()
			}
			s := step{
				done: float64(now.Step), total: float64(now.Steps), unit: "tokens", rate: now.TokensPerSecond, loss: now.Loss,
				left: now.Left, note: fmt.Sprintf("step %d/%d  lr %.3g", now.Step, now.Steps, now.LearningRate),
			}
			if isRound(now.Step) || now.Step == now.Steps {
				p.milestone(s)
			} else {
				p.update(s)
			}
		},
	})
	if err != nil {
		return call.hinted(err)
	}
	began := time.Now()
	if n := t.State().Step; n > 0 {
		p.print(fmt.Sprintf(verb+": continuing after step %d", n))
	}
	p.begin("train")
	result, err := t.Run(c.Context())
	if closeErr := t.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil && last == nil:
		p.drop() // it was refused, nothing failed
	case err != nil:
		p.fail()
	case result.Reason == train.Finished:
		p.end()
	default:
		p.stop()
	}
	if err != nil {
		return call.hinted(err)
	}
	if call.finish != nil && result.Reason == train.Finished {
		if err := call.finish(); err != nil {
			return err
		}
	}
	sum := trainSummary{
		Reason: result.Reason, Step: result.Step, Steps: t.Steps(), Tokens: t.State().Tokens, Seconds: time.Since(began).Seconds(),
		SaveFolder: cfg.SaveFolder, Checkpoint: filepath.Join(cfg.SaveFolder, fmt.Sprintf("step%d", result.Step)),
	}
	loss := ""
	if last != nil && !math.IsNaN(last.Loss) && !math.IsInf(last.Loss, 0) {
		sum.Loss, loss = &last.Loss, fmt.Sprintf("loss %.4g, ", last.Loss)
	}
	if call.json {
		return json.NewEncoder(c.OutOrStdout()).Encode(sum)
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: step %d of %d in %s, %ssaved in %s\n", result.Reason, result.Step, t.Steps(), shortDuration(time.Since(began)), loss, cfg.SaveFolder)
	return nil
}

// hinted gives an error of training that names keys, which the verb's config does not have, the verb's own.
func (c *trainCall) hinted(err error) error {
	if c.another == "" {
		return err
	}
	err = inOwnKeys(err)
	text, hint, found := strings.Cut(err.Error(), "\nhint: ")
	switch {
	case !found || !strings.Contains(hint, "="):
		return err
	case strings.HasSuffix(hint, "continue with try_load_latest_save=true"):
		return &hintedError{err, text + "\nhint: the checkpoints before it are whole: the same command goes on from there, where there is space"}
	}
	return &hintedError{err, text + "\nhint: " + c.another}
}

// inOwnKeys is an error of training in the keys of a stage of adaptation.
func inOwnKeys(err error) error {
	if text := stage.InOwnKeys(err.Error()); text != err.Error() {
		return &hintedError{err, text}
	}
	return err
}

// hintedError is an error in other words.
type hintedError struct {
	error
	text string
}

func (e *hintedError) Error() string { return e.text }
func (e *hintedError) Unwrap() error { return e.error }

// isRound tells whether a step's figures are worth a line of a log: 1, 2, 5, 10, 20, 50, …
func isRound(n int) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1 || n == 2 || n == 5
}

// stepsOf writes how many steps a config asks for.
func stepsOf(cfg *train.Config) string {
	if cfg.StopAt != nil {
		return fmt.Sprint(*cfg.StopAt)
	}
	text, _ := cfg.MaxDuration.MarshalText()
	return string(text)
}

// startingTokenizer reads the tokenizer of the model that a config goes on from: its files,
// which the run keeps, and itself. The config then names the run's copy. Both are nil for
// other configs, and for models without one.
func startingTokenizer(cfg *train.Config, warn func(string)) (map[string][]byte, *tokenizer.Tokenizer, error) {
	from := cfg.StartedFrom()
	if from == "" {
		return nil, nil, nil
	}
	l, err := model.Open(from)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if name := cfg.Tokenizer.Identifier; name != l.Tokenizer {
		return nil, nil, nil // an override names another one
	}
	files, err := convert.TokenizerFiles(l, warn)
	if err != nil {
		return nil, nil, err
	}
	if files["tokenizer.json"] == nil {
		warn(fmt.Sprintf("%s has no tokenizer.json: what the run makes works on ids alone\nhint: tokenizer.identifier=FILE names one", from))
		return nil, nil, nil
	}
	if len(l.Stop) > 1 {
		if files["generation_config.json"], err = json.Marshal(map[string]any{"eos_token_id": l.Stop}); err != nil {
			return nil, nil, err
		}
	}
	tok, err := lm.TokenizerOf(l)
	if err != nil {
		return nil, nil, err
	}
	cfg.Tokenizer.Identifier = filepath.Join(cfg.SaveFolder, "tokenizer.json")
	return files, tok, nil
}

// dryRun prints what a run would need on this machine.
func dryRun(c *cobra.Command, cfg *train.Config, asJSON bool) error {
	e, err := cfg.Estimate(cpu.Needs)
	if err != nil {
		return err
	}
	if e.Warning != "" {
		fmt.Fprintln(c.ErrOrStderr(), "olmo train: warning: "+e.Warning)
	}
	// Whole steps reach about this share of the peak on the CPU device.
	const share = 0.6
	peak := peakFLOPS(cfg)
	speed := peak * share / e.Core
	out := c.OutOrStdout()
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{
			"parameters": e.Parameters, "flops_per_token": e.Forward + e.Backward, "tokens_per_step": e.TokensPerStep, "steps": e.Steps, "tokens": e.Tokens,
			"peak_bytes": expectedPeak(e), "checkpoint_bytes": e.Checkpoint, "peak_gflops": peak / 1e9, "tokens_per_second": speed, "seconds": float64(e.Tokens) / speed,
			"save_folder": cfg.SaveFolder,
		})
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-24s "+format+"\n", append([]any{name}, args...)...)
	}
	line("parameters", "%d (%d without the embedding)", e.Parameters, e.WithoutEmbedding)
	if e.Trained > 0 {
		line("trained", "%d, of an adapter of rank %d", e.Trained, cfg.Adapter.Rank)
	}
	line("FLOPs per token", "%.5g (forward %.5g, backward %.5g; OLMo-core counts %.5g)", e.Forward+e.Backward, e.Forward, e.Backward, e.Core)
	line("tokens per step", "%d", e.TokensPerStep)
	if e.Steps == 0 {
		line("steps", "unknown: max_duration counts epochs and the data is not here")
	} else {
		line("steps", "%d", e.Steps)
		line("tokens", "%d", e.Tokens)
		line("training FLOPs", "%.4g", e.Core*float64(e.Tokens))
	}
	m := e.Memory
	line("memory", "%s at the peak: parameters %s, gradients %s, optimiser %s, temporary values %s with micro-batches of %d, the rest %s",
		size(expectedPeak(e)), size(m.Params), size(m.Grads), size(m.State), size(m.Scratch), cfg.DeviceTrainMicrobatchSize,
		size(expectedPeak(e)-m.Params-m.Grads-m.State-m.Scratch))
	line("checkpoint", "%s", size(e.Checkpoint))
	line("this machine", "%.4g GFLOP/s of %s at its peak, kernels %s, %d threads", peak/1e9, cfg.Precision, cpu.Kernels(), parallel.Threads())
	line("speed", "about %s tokens/s at %d %% of the peak", shortNumber(speed), int(share*100))
	if e.Tokens > 0 {
		line("time", "about %s", longDuration(float64(e.Tokens)/speed))
	} else {
		line("time", "about %s for each billion tokens", longDuration(1e9/speed))
	}
	return nil
}

// peakFLOPS measures what this machine could do at best with the products of a config,
// in operations a second.
func peakFLOPS(cfg *train.Config) float64 {
	return cpu.MeasurePeak().Of(cfg.Precision) * 1e9
}

// longDuration writes seconds in the unit that fits, years among them.
func longDuration(seconds float64) string {
	switch {
	case seconds < 48*3600:
		return shortDuration(time.Duration(seconds * float64(time.Second)))
	case seconds < 2*365*86400:
		return fmt.Sprintf("%.0f days", seconds/86400)
	}
	return fmt.Sprintf("%.4g years", seconds/(365.25*86400))
}
