package cli

import "github.com/spf13/cobra"

func newAdaptCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "adapt",
		Short: "Adapt a base model: fine-tuning, conversations, templates and what of them trains",
		Long: `Adaptation makes a model that answers, prefers and reasons of one that goes on with
text. Its data are conversations, a JSON object on each line or row of a Parquet file:

  {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
  {"chosen": [...], "rejected": [...]}                   alike but for the last answer
  {"messages": [...], "ground_truth": "4", "dataset": "gsm8k"}`,
		Example: `  olmo adapt show --tokenizer OLMo-2-1B --chat-template tulu --input chats.jsonl
  olmo adapt tokenize --kind sft --tokenizer OLMo-2-1B --chat-template tulu --input chats.jsonl --output ids.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: runGroup,
	}
	c.AddCommand(newAdaptShowCommand(), newAdaptTokenizeCommand(), newAdaptRenderCommand(), newAdaptSFTCommand(), newAdaptDPOCommand(), newAdaptRewardCommand(), newAdaptGRPOCommand(), newAdaptSampleCommand(), newAdaptScoreCommand(), newAdaptObjectiveCommand())
	return c
}
