package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/device/cpu"
	"olmo/internal/parallel"
	"olmo/train"
)

func newTrainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "train CONFIG.yaml [key=value…]",
		Short: "Train a model as a config says, or continue its run",
		Long: `Train reads a config with the keys of OLMo's TrainConfig and trains the model.
Overrides have the form a.b=value, with or without leading dashes.

The run's folder (save_folder) gets config.yaml, metrics.jsonl, a checkpoint
stepN at each save_interval and at the end, and latest. Ctrl-C saves and stops;
try_load_latest_save=true continues, bit for bit as if the run had never stopped.`,
		Example: `  olmo train runs/tiny.yaml save_folder=out
  olmo train runs/tiny.yaml save_folder=out try_load_latest_save=true
  olmo train runs/olmo2-7b.yaml --dry-run`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("a config file is needed")
			}
			for _, a := range args[1:] {
				if !strings.Contains(a, "=") {
					return usageErrorf("unexpected argument %q\nhint: overrides have the form key=value", a)
				}
			}
			return runTrain(c, args[0], args[1:])
		},
	}
	takesOverrides(c)
	return c
}

func runTrain(c *cobra.Command, path string, overrides []string) error {
	cfg, err := train.LoadConfig(path, overrides)
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	if keys := cfg.WithoutEffect(); len(keys) > 0 {
		p.print("olmo train: without effect here: " + strings.Join(keys, ", "))
	}
	if cfg.DryRun {
		return dryRun(c, cfg)
	}
	err = cfg.Fetch(c.Context(), func(file string, done, total int64) {
		p.update(step{done: float64(done) / 1e6, total: float64(max(total, 0)) / 1e6, unit: "MB", note: "fetching " + file})
	})
	if err != nil {
		return err
	}
	dev, err := cpu.New()
	if err != nil {
		return err
	}
	// The share of the peak is worth a second of measuring in a run of minutes.
	var peak float64
	if e, err := cfg.Estimate(cpu.Needs); err == nil && e.Core*float64(e.Tokens) > 2e12 {
		peak = peakFLOPS(cfg)
	}
	warn := func(text string) { p.print("olmo train: warning: " + text) }
	tasks, err := newDownstream(cfg, warn)
	if err != nil {
		return err
	}
	samples, err := newSampler(cfg, p.print)
	if err != nil {
		return err
	}
	leanHeap()
	if e, err := cfg.Estimate(cpu.Needs); err == nil {
		p.print("olmo train: expects a peak of " + gigabytes(expectedPeak(e)) + " of memory")
		if free, known := data.AvailableMemory(); known && e.Memory.Total() > int64(free) {
			warn("the machine has " + gigabytes(int64(free)) + " left\nhint: a smaller device_train_microbatch_size, or activation_checkpointing=whole_layer")
		}
	}
	var printed time.Time // the last block of figures
	t, err := train.New(cfg, dev, train.Options{
		ConfigPath: path,
		Warn:       warn,
		Evaluate:   tasks,
		Sample:     samples,
		PeakFLOPS:  peak,
		Progress: func(now train.Progress) {
			due := now.Step == 1 || time.Since(printed) > plainInterval
			if now.Step%cfg.ConsoleLogInterval == 0 && due || now.Evaluated() {
				p.print(now.Console())
				printed = time.Now()
			}
			p.update(step{
				done: float64(now.Step), total: float64(now.Steps), unit: "tokens", rate: now.TokensPerSecond, loss: now.Loss,
				left: now.Left, note: fmt.Sprintf("step %d/%d  lr %.3g", now.Step, now.Steps, now.LearningRate),
			})
		},
	})
	if err != nil {
		return err
	}
	began := time.Now()
	if n := t.State().Step; n > 0 {
		p.print(fmt.Sprintf("olmo train: continuing after step %d", n))
	}
	p.begin("train")
	result, err := t.Run(c.Context())
	p.end()
	if closeErr := t.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: step %d of %d in %s, saved in %s\n", result.Reason, result.Step, t.Steps(), shortDuration(time.Since(began)), cfg.SaveFolder)
	return nil
}

// dryRun prints what a run would need on this machine.
func dryRun(c *cobra.Command, cfg *train.Config) error {
	e, err := cfg.Estimate(cpu.Needs)
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-24s "+format+"\n", append([]any{name}, args...)...)
	}
	line("parameters", "%d (%d without the embedding)", e.Parameters, e.WithoutEmbedding)
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
		gigabytes(expectedPeak(e)), gigabytes(m.Params), gigabytes(m.Grads), gigabytes(m.State), gigabytes(m.Scratch), cfg.DeviceTrainMicrobatchSize,
		gigabytes(expectedPeak(e)-m.Params-m.Grads-m.State-m.Scratch))
	line("checkpoint", "%s", gigabytes(e.Checkpoint))
	peak := peakFLOPS(cfg)
	line("this machine", "%.4g GFLOP/s of %s at its peak, kernels %s, %d threads", peak/1e9, cfg.Precision, cpu.Kernels(), parallel.Threads())
	// Whole steps reach about this share of the peak on the CPU device.
	const share = 0.6
	speed := peak * share / e.Core
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
	p := cpu.MeasurePeak()
	if cfg.Precision == train.AMPBF16 {
		return p.BF16 * 1e9
	}
	return p.FMA * 1e9
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
