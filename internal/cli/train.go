package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/device/cpu"
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
	dev, err := cpu.New()
	if err != nil {
		return err
	}
	t, err := train.New(cfg, dev, train.Options{
		ConfigPath: path,
		Warn:       func(text string) { p.print("olmo train: warning: " + text) },
		Progress: func(now train.Progress) {
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
