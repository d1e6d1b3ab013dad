package cli

import (
	"github.com/spf13/cobra"

	"olmo/adapt/stage"
)

func newAdaptDPOCommand() *cobra.Command {
	return newAdaptStage(&cobra.Command{
		Use:   "dpo",
		Short: "Tune a model on pairs of a better and a worse answer",
		Long: `Dpo makes the chosen answers of pairs more probable than the rejected ones, with the keys
and defaults of open-instruct's dpo_tune_cache.py. Overrides have the form key=value, with
or without leading dashes.

loss_type is dpo, dpo_norm (the default: log-probabilities by token), simpo (without a
reference), wpo or ipo. What the reference model (reference_model; the model that the run
starts from) says of the pairs is computed once, before the run, and kept in
output_dir/data/reference.json; cache_logprobs_only=true ends there.

output_dir gets the model as a Hugging Face folder with tokenizer and chat template,
and all that 'olmo train' leaves. The same command goes on with a run that was stopped,
to the same bits.`,
		Example: `  olmo adapt dpo dpo.yaml
  olmo adapt dpo dpo.yaml output_dir=preferred loss_type=dpo beta=0.1 learning_rate=1e-5
  olmo adapt dpo dpo.yaml --dry-run`,
	}, func(path string, overrides []string) (stageConfig, error) { return stage.LoadDPO(path, overrides) })
}
