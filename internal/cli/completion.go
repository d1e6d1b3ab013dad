package cli

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt"
	"olmo/data/tagger"
	"olmo/eval"
	"olmo/eval/record"
	"olmo/eval/score"
	"olmo/model"
)

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script that makes a shell complete olmo's verbs, flags and values",
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
				return bashCompletion(root, out)
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

// bashWords stands in for the functions of the package bash-completion, which not every system
// has: without them each Tab would print an error.
const bashWords = `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
_get_comp_words_by_ref()
{
    cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
}
fi
if ! declare -F __ltrim_colon_completions >/dev/null; then
__ltrim_colon_completions() { :; }
fi
`

func bashCompletion(root *cobra.Command, out io.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	script.WriteString(bashWords)
	_, err := out.Write(script.Bytes())
	return err
}

// values says what a flag may be, by its name; those that mean something else in one verb stand
// with its path.
var values = map[string]func() []string{
	"olmo convert --to":                    func() []string { return []string{"hf", "ai2", "gguf"} },
	"olmo convert --dtype":                 modelDTypes,
	"olmo merge --dtype":                   modelDTypes,
	"olmo quantize --dtype":                model.Mixtures,
	"--precision":                          precisionNames,
	"olmo bench train --precision":         trainingPrecisions,
	"olmo quickstart --precision":          trainingPrecisions,
	"--quantize":                           func() []string { return []string{"q8_0"} },
	"--boundary":                           func() []string { return []string{string(eval.Apart), string(eval.Together)} },
	"--compat":                             func() []string { return []string{"dolma"} },
	"olmo bench train --size":              func() []string { return []string{"S", "M", "L"} },
	"olmo tokenizer train --pre-tokenizer": func() []string { return []string{"gpt2", "cl100k"} },
	"--scorer":                             score.Names,
	"olmo eval --export":                   record.Exports,
	"--chat-template":                      adapt.TemplateNames,
	"olmo adapt tokenize --kind":           func() []string { return texts(adapt.Kinds) },
	"--train-on":                           func() []string { return texts(adapt.TrainOns) },
	"--sandbox":                            func() []string { return []string{"none"} },
	"--pooling":                            func() []string { return []string{"mean", "last", "first"} },
	"--kv":                                 func() []string { return []string{"f32", "f16", "q8_0"} },
	"--speculate":                          func() []string { return []string{"lookup", "off"} },
	"--beam-search":                        func() []string { return []string{"olmo", "hf"} },
	"--early-stopping":                     func() []string { return []string{"true", "false", "never"} },
	"--tasks":                              programTasks,
	"--taggers":                            tagger.Names,
}

// modelDTypes are those that a model can be written in.
func modelDTypes() []string {
	return append([]string{"f32", "f16", "bf16"}, model.Mixtures()...)
}

// completeValues makes the shells complete the flags whose values are known; of a list that is
// separated by commas the last word.
func completeValues(c *cobra.Command) {
	for name, list := range values {
		verb, flag, ok := strings.Cut(name, "--")
		if !ok || verb != "" && strings.TrimSpace(verb) != c.CommandPath() || c.Flags().Lookup(flag) == nil {
			continue
		}
		if verb == "" && values[c.CommandPath()+" "+name] != nil {
			continue
		}
		_ = c.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			before := typed[:strings.LastIndexByte(typed, ',')+1]
			out := starting(list(), typed[len(before):])
			for i := range out {
				out[i] = before + out[i]
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		})
	}
	if c.CommandPath() == "olmo eval show" {
		c.ValidArgsFunction = func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return starting(programTasks(), typed), cobra.ShellCompDirectiveNoFileComp
		}
	}
	for _, sub := range c.Commands() {
		completeValues(sub)
	}
}

// starting are the words that begin with what was typed, sorted.
func starting(words []string, typed string) []string {
	var out []string
	for _, w := range words {
		if strings.HasPrefix(w, typed) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}
