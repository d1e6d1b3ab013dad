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
  HF_TOKEN        the token for it; otherwise the one in HF_HOME/token
  HF_HUB_CACHE    where what was fetched is kept (default hub in HF_HOME)
  HF_HUB_OFFLINE  1: nothing is asked, what is kept must do`,
		Example: `  olmo hub serve my-model
  olmo hub get allenai/OLMo-2-0425-1B
  olmo help hub serve`,
		Args: cobra.ArbitraryArgs,
		RunE: runGroup,
	}
	c.AddCommand(newHubServeCommand(), newHubGetCommand(), newHubPutCommand(), newHubAuditCommand())
	return c
}
