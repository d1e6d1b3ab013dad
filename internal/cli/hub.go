package cli

import "github.com/spf13/cobra"

func newHubCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hub",
		Short: "Serve releases as a Hugging Face hub does, and deal with such hubs",
		Long: `The hub verbs speak the protocol of the Hugging Face hub, on either side, so that its
libraries and ours meet.

Environment:
  HF_ENDPOINT     the hub (default https://huggingface.co)
  HF_TOKEN        the token for it; otherwise the one in HF_HOME/token`,
		Example: `  olmo hub serve my-model
  olmo help hub serve`,
		Args: cobra.ArbitraryArgs,
		RunE: runGroup,
	}
	c.AddCommand(newHubServeCommand())
	return c
}
