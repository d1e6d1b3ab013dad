package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt/stage"
	"olmo/config"
	"olmo/device"
	"olmo/device/cpu"
	"olmo/store"
)

// stageConfig is the config of a stage of adaptation.
type stageConfig interface {
	WithoutEffect() []string
	Plan(ctx context.Context, h stage.Host) (*stage.Run, error)
}

// newAdaptStage completes the command of a stage: its use, arguments and flags, and the run.
func newAdaptStage(c *cobra.Command, load func(path string, overrides []string) (stageConfig, error)) *cobra.Command {
	var asJSON, dryRun bool
	var programs programFlags
	name := c.Use
	c.Use += " CONFIG.yaml [key=value…]"
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 || isOverride(args[0]) {
			return usageErrorf("one CONFIG.yaml is needed")
		}
		for _, a := range args[1:] {
			if !strings.Contains(a, "=") {
				return usageErrorf("unexpected argument %q\nhint: overrides have the form key=value", a)
			}
		}
		cfg, err := load(args[0], args[1:])
		if err != nil {
			return err
		}
		return runAdaptation(c, "olmo adapt "+name, cfg, &programs, dryRun, asJSON)
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what the run would need on this machine")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object about the run at its end, or about what it would need")
	if name == "grpo" {
		programs.addPlace(c.Flags())
	}
	takesValues(c)
	return c
}

func runAdaptation(c *cobra.Command, verb string, cfg stageConfig, programs *programFlags, dry, asJSON bool) error {
	p := newProgress(c.ErrOrStderr())
	say := func(text string) { p.print(verb + ": " + text) }
	warn := func(text string) { say("warning: " + text) }
	if keys := cfg.WithoutEffect(); len(keys) > 0 {
		say("without effect here: " + strings.Join(keys, ", "))
	}
	held := map[string]*store.Lock{}
	defer func() {
		for _, lock := range held {
			lock.Release()
		}
	}()
	claim := func(folder string) (err error) {
		if held[folder] == nil {
			held[folder], err = store.AcquireIn(folder)
		}
		return err
	}
	if dry {
		claim = nil
	}
	r, err := cfg.Plan(c.Context(), stage.Host{
		Warn:   warn,
		DryRun: dry,
		Device: func() (device.Device, error) { return cpu.New() },
		See: func(what string, done, total int) {
			p.update(step{done: float64(done), total: float64(total), note: what})
		},
		Outside: outside(programs, warn),
		Claim:   claim,
	})
	if err != nil {
		err = inOwnKeys(err)
	}
	if dry {
		return dryStage(c, verb, cfg, r, err, asJSON)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	sayRows(say, r)
	if r.PrepareOnly {
		say("prepared, as the config asks; nothing trains")
		return nil
	}
	text, err := config.Text(cfg)
	if err != nil {
		return err
	}
	// Training writes it with the others, once the folder is known to be this run's.
	r.Files[stage.ConfigFile] = text
	return runTrain(c, "", r.Train, trainCall{
		verb: verb, json: asJSON, files: r.Files, another: stage.AnotherRun, tok: r.Encoder.Tokenizer, record: stage.Record, rollouts: r.Rollouts, evaluate: r.Evaluate,
		finish: func() error { return r.Finish(c.Context(), warn) },
	})
}

// dryStage prints the whole config and what the run would need. Without the model that is its batch; without
// the data each row counts as the longest.
func dryStage(c *cobra.Command, verb string, cfg stageConfig, r *stage.Run, err error, asJSON bool) error {
	say := func(text string) { fmt.Fprintln(c.ErrOrStderr(), verb+": "+text) }
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, encodeErr := config.Text(cfg)
	if encodeErr != nil {
		return encodeErr
	}
	if !asJSON {
		fmt.Fprintln(c.OutOrStdout(), string(text))
	}
	if err != nil {
		say("without the model there is no more to say: " + err.Error())
		return nil
	}
	defer r.Close()
	if r.Missing != nil {
		say("each row counts as one of the most tokens, since the data is not here: " + r.Missing.Error())
	} else {
		sayRows(say, r)
	}
	return dryRun(c, r.Train, asJSON)
}

// sayRows says what the rows are.
func sayRows(say func(string), r *stage.Run) {
	for _, text := range r.Rows.Notes {
		say("note: " + text)
	}
	say("the first row, and what of it trains:\n" + indented(marked(r.Encoder, r.Rows.First, false)))
	say(r.Rows.Counts)
	for _, text := range r.Rows.Warnings {
		say("warning: " + text)
	}
	if n := r.Rows.Skipped; n > 0 {
		say(fmt.Sprintf("warning: %d rows are no conversations and are left out: %s", n, r.Rows.Rejects))
	}
	unit := "rows"
	switch {
	case r.Rollouts != nil:
		unit = "prompts"
	case r.Group == 2:
		unit = "pairs"
	}
	say(fmt.Sprintf("%d steps of %d %s, %s", r.Train.MaxDuration.Steps, r.Train.GlobalTrainBatchSize, unit, r.Summary))
}
