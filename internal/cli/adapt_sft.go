package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt/stage"
)

func newAdaptSFTCommand() *cobra.Command {
	var asJSON, dryRun bool
	c := &cobra.Command{
		Use:   "sft CONFIG.yaml [key=value…]",
		Short: "Fine-tune a model on conversations",
		Long: `Sft trains a model on the answers of conversations, with the keys and defaults of
open-instruct's finetune.py. Overrides have the form key=value, with or without leading
dashes.

Each conversation is rendered by the chat template and is a sequence of its own; only the
tokens of its answers train (train_on: last and all are others). The loss of a step is the
sum over them divided by their number (reduction: token), or open-instruct's mean over
micro-batches of the means over theirs (mean), or not divided (sum).

output_dir gets the model as a Hugging Face folder with tokenizer and chat template,
and all that 'olmo train' leaves: metrics.jsonl, chain.jsonl, checkpoints. The same command
goes on with a run that was stopped, to the same bits.`,
		Example: `  olmo adapt sft sft.yaml
  olmo adapt sft sft.yaml output_dir=tuned learning_rate=1e-5 max_train_steps=2
  olmo adapt sft sft.yaml --dry-run`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || isOverride(args[0]) {
				return usageErrorf("one CONFIG.yaml is needed")
			}
			for _, a := range args[1:] {
				if !strings.Contains(a, "=") {
					return usageErrorf("unexpected argument %q\nhint: overrides have the form key=value", a)
				}
			}
			return runSFT(c, args[0], args[1:], dryRun, asJSON)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what the run would need on this machine")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object about the run at its end, or about what it would need")
	takesOverrides(c)
	return c
}

func runSFT(c *cobra.Command, path string, overrides []string, dry, asJSON bool) error {
	cfg, err := stage.Load(path, overrides)
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	say := func(text string) { p.print("olmo adapt sft: " + text) }
	warn := func(text string) { say("warning: " + text) }
	if keys := cfg.WithoutEffect(); len(keys) > 0 {
		say("without effect here: " + strings.Join(keys, ", "))
	}
	r, err := stage.SFT(c.Context(), cfg, warn)
	if err != nil {
		return err
	}
	for _, text := range r.Rows.Notes {
		say("note: " + text)
	}
	say("the first row, and what of it trains:\n" + indented(marked(r.Encoder, r.Rows.First, false)))
	say(r.Rows.Counts)
	for _, text := range r.Rows.Warnings {
		warn(text)
	}
	if n := r.Rows.Skipped; n > 0 {
		warn(fmt.Sprintf("%d rows are no conversations and are left out: %s", n, r.Rows.Rejects))
	}
	say(fmt.Sprintf("%d steps of %d rows, reduction %s", cfg.Steps(r.Rows.Count), r.Train.GlobalTrainBatchSize, cfg.Reduction))
	if dry {
		return dryRun(c, r.Train, asJSON)
	}
	return runTrain(c, "", r.Train, trainCall{
		verb: "olmo adapt sft", json: asJSON, files: r.Files, tok: r.Encoder.Tokenizer, record: stage.Record,
		finish: func() error { return r.Finish(c.Context(), warn) },
	})
}
