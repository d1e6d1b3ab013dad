package cli

import (
	"github.com/spf13/cobra"

	"olmo/adapt/stage"
)

func newAdaptGRPOCommand() *cobra.Command {
	return newAdaptStage(&cobra.Command{
		Use:   "grpo",
		Short: "Train a model on its own answers, by rewards that verifiers give",
		Long: `Grpo samples answers to prompts, has verifiers judge them, and makes those more probable
that are better than the others to the same prompt, with the keys and defaults of
open-instruct's grpo_fast.py. Overrides have the form key=value, with or without leading
dashes. Rows have messages, ground_truth and dataset, the verifier's name; 'olmo adapt
score --help' lists the verifiers. Those that run a program or ask a server are declared in
CONFIG.yaml alone (verifiers:, allow_code:).

A step is a batch of num_unique_prompts_rollout × num_samples_per_prompt_rollout answers, with
num_mini_batches × num_epochs updates. A drawn token trains with the probability that it was
drawn with, to the bit: val/ratio_min and val/ratio_max are exactly 1 in each step's first
update.

output_dir gets the model as a Hugging Face folder with tokenizer and chat template,
and all that 'olmo train' leaves; with save_traces=true each answer stands in
rollouts.jsonl. The same command goes on with a run that was stopped, to the same bits.`,
		Example: `  olmo adapt grpo grpo.yaml
  olmo adapt grpo grpo.yaml output_dir=reinforced beta=0 max_train_steps=2 save_traces=true
  olmo adapt grpo grpo.yaml --dry-run`,
	}, func(path string, overrides []string) (stageConfig, error) { return stage.LoadGRPO(path, overrides) })
}
