package cli

import "github.com/spf13/cobra"

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script that makes a shell complete olmo's verbs and flags",
		Example: `  source <(olmo completion bash)
  olmo completion fish > ~/.config/fish/completions/olmo.fish`,
		Args:      cobra.ArbitraryArgs,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one shell is needed\nhint: one of bash, zsh, fish, powershell")
			}
			root, out := c.Root(), c.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usageErrorf("unknown shell %q\nhint: one of bash, zsh, fish, powershell", args[0])
		},
	}
}
