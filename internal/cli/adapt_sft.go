package cli

import (
	"github.com/spf13/cobra"

	"olmo/adapt/stage"
)

func newAdaptSFTCommand() *cobra.Command {
	return newAdaptStage(&cobra.Command{
		Use:   "sft",
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
	}, func(path string, overrides []string) (stageConfig, error) { return stage.LoadSFT(path, overrides) })
}
