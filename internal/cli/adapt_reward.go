package cli

import (
	"github.com/spf13/cobra"

	"olmo/adapt/stage"
)

func newAdaptRewardCommand() *cobra.Command {
	return newAdaptStage(&cobra.Command{
		Use:   "reward",
		Short: "Train a reward model on pairs of a better and a worse answer",
		Long: `Reward makes a model that judges conversations by one number, read at the last token, with
the keys and defaults of open-instruct's reward_modeling.py. Overrides have the form
key=value, with or without leading dashes.

The loss of a pair is −log σ(chosen − rejected), less the row's margin where it has one. The
model's output matrix gives way to a head (score.weight), which is random, or reward_head's.
Pairs with more than max_token_length tokens, or max_prompt_token_length before the answer,
are left out; nothing is cut.

output_dir gets the model as a Hugging Face folder (…ForSequenceClassification) with tokenizer
and chat template, and all that 'olmo train' leaves. The same command goes on with a run that
was stopped, to the same bits. 'olmo adapt score --reward-model' judges with it.`,
		Example: `  olmo adapt reward reward.yaml
  olmo adapt reward reward.yaml output_dir=judge learning_rate=3e-6 max_train_steps=2
  olmo adapt reward reward.yaml --dry-run`,
	}, func(path string, overrides []string) (stageConfig, error) { return stage.LoadReward(path, overrides) })
}
