// Package cli is the olmo command: one file per verb, and here what all verbs share.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/config"
)

// Exit codes, as CLI.md promises them.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// The headings, in this order, under which `olmo --help` lists the verbs.
const (
	groupStart = "start"
	groupData  = "data"
	groupModel = "model"
	groupTools = "tools"
)

var groupTitles = map[string]string{
	groupStart: "Start here:",
	groupData:  "Data:",
	groupModel: "Models:",
	groupTools: "Tools:",
}

// verb is one file of this package, with a function newXCommand.
type verb struct {
	group, name string // the heading it stands under
	build       func() *cobra.Command
}

// verbs lists every verb of the command.
var verbs = []verb{
	{groupStart, "quickstart", newQuickstartCommand},
	{groupData, "data", newDataCommand},
	{groupData, "tokenizer", newTokenizerCommand},
	{groupModel, "train", newTrainCommand},
	{groupModel, "adapt", newAdaptCommand},
	{groupModel, "merge", newMergeCommand},
	{groupModel, "dashboard", newDashboardCommand},
	{groupModel, "generate", newGenerateCommand},
	{groupModel, "serve", newServeCommand},
	{groupModel, "chat", newChatCommand},
	{groupModel, "embed", newEmbedCommand},
	{groupModel, "eval", newEvalCommand},
	{groupModel, "logits", newLogitsCommand},
	{groupModel, "convert", newConvertCommand},
	{groupModel, "quantize", newQuantizeCommand},
	{groupModel, "info", newInfoCommand},
	{groupModel, "check", newCheckCommand},
	{groupModel, "release", newReleaseCommand},
	{groupModel, "replay", newReplayCommand},
	{groupModel, "verify", newVerifyCommand},
	{groupModel, "hub", newHubCommand},
	{groupTools, "bench", newBenchCommand},
	{groupTools, "completion", newCompletionCommand},
	{groupTools, "version", newVersionCommand},
}

// newRootCommand builds the tree of commands: where the first word of a call is a verb, that verb
// alone, because the flags of all of them take a millisecond; otherwise every verb.
func newRootCommand(words ...string) *cobra.Command {
	root := &cobra.Command{
		Use:   "olmo",
		Short: "Make, inspect and check a language model, from raw documents to answers",
		Long: `olmo is a truly open language model's whole chain in one program: the data, the
code that trains and judges the model, every step on the way and the log of the
run. Each stage is a verb that can be run alone and repeated.

Environment:
  OLMO_THREADS     how many threads work (default: those that affinity and control groups leave; same results)
  OLMO_CPU         highest set of kernels: amx, avx512bf16, avx512vnni, avx512, avx2, neondot, neon, generic (same results)
  OLMO_MODELS      folders with tokenizers and with the files of taggers
  OLMO_EVAL_DATA   folders with the questions of tasks
  HF_…             which hub, and where its files are kept ('olmo hub --help')
  NO_COLOR         no colours in the terminal
  GOMEMLIMIT       memory that Go may use, instead of what a stage sets
  AWS_…, GS_…      keys and servers of s3:// and gs:// ('olmo data --help')`,
		Example: `  olmo quickstart
  olmo generate --model olmo-quickstart "Package http implements"
  olmo help train`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if version, _ := c.Flags().GetBool("version"); version {
				_, err := fmt.Fprintln(c.OutOrStdout(), readBuild())
				return err
			}
			return runGroup(c, args)
		},
		// Errors are printed once, by Main, in the form that all verbs share.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	called := len(words) > 0 && slices.ContainsFunc(verbs, func(v verb) bool { return v.name == words[0] })
	for _, v := range verbs {
		if called && v.name != words[0] {
			continue
		}
		if !root.ContainsGroup(v.group) {
			root.AddGroup(&cobra.Group{ID: v.group, Title: groupTitles[v.group]})
		}
		c := v.build()
		c.GroupID = v.group
		root.AddCommand(c)
	}
	// cobra's own flag prints a text/template, which keeps every method of every type in the program.
	root.Flags().BoolP("version", "v", false, "version for olmo")
	help := newHelpCommand()
	root.SetHelpCommand(help)
	if !root.ContainsGroup(groupTools) {
		root.AddGroup(&cobra.Group{ID: groupTools, Title: groupTitles[groupTools]})
	}
	help.GroupID = groupTools
	root.CompletionOptions.DisableDefaultCmd = true
	finish(root)
	completeValues(root)
	return root
}

// finish gives c and all commands below it the shared error handling.
func finish(c *cobra.Command) {
	c.SetFlagErrorFunc(flagError)
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			err := run(c, args)
			var usage *usageError
			if err == nil || errors.As(err, &usage) {
				return err
			}
			return &runError{err}
		}
	}
	for _, sub := range c.Commands() {
		finish(sub)
	}
}

// usageError is a mistake in how a verb was called: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usageErrorf makes an error that ends the command with exit code 2. A verb
// returns it where the arguments alone show that the call makes no sense.
func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// runError is a failure of a verb's own work, as opposed to one that cobra
// reports before the verb starts: exit code 1.
type runError struct{ err error }

func (e *runError) Error() string { return e.err.Error() }
func (e *runError) Unwrap() error { return e.err }

// flagError adds the nearest known flag to pflag's report of an unknown one.
func flagError(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return usageErrorf("--%s is %q, want %s", invalid.GetFlag().Name, invalid.GetValue(), wanted(invalid.GetFlag()))
	}
	if !errors.As(err, &unknown) {
		return &usageError{err}
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near, ok := config.Nearest(unknown.GetSpecifiedName(), names); ok {
		return usageErrorf("%w\nhint: did you mean --%s?", err, near)
	}
	return &usageError{err}
}

// wanted says what a flag's value must be.
func wanted(f *pflag.Flag) string {
	switch kind := f.Value.Type(); {
	case strings.HasPrefix(kind, "uint"):
		return "a whole number of 0 or more"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "bool":
		return "true or false"
	case kind == "duration":
		return "a time such as 90s or 5m"
	}
	return "another value"
}

// misspelt finds a word that should be a verb and is none. cobra would complain of
// the flags behind it first, which the right verb may well have.
func misspelt(root *cobra.Command, words []string) (*cobra.Command, error) {
	c := root
	for _, word := range words {
		// cobra adds help, and what shells call for completion, by itself.
		if word == "" || word[0] == '-' || word[0] == '_' || word == "help" || !c.HasSubCommands() {
			break
		}
		i := slices.IndexFunc(c.Commands(), func(sub *cobra.Command) bool { return sub.Name() == word || sub.HasAlias(word) })
		if i < 0 {
			return c, unknownVerb(c, word)
		}
		c = c.Commands()[i]
	}
	return c, nil
}

// runGroup is the RunE of commands that only hold others: without a word it
// shows the help as an error of usage, with an unknown one the nearest verb.
func runGroup(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		c.SetOut(c.ErrOrStderr())
		_ = c.Help()
		return &usageError{errHelpShown}
	}
	return unknownVerb(c, args[0])
}

// errHelpShown ends a command whose help has said everything already.
var errHelpShown = errors.New("a verb is needed")

// unknownVerb names a word that is no verb of c, and the nearest that is.
func unknownVerb(c *cobra.Command, word string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if near, ok := config.Nearest(word, names); ok {
		return usageErrorf("unknown verb %q\nhint: did you mean '%s %s'?", word, c.CommandPath(), near)
	}
	return usageErrorf("unknown verb %q\nhint: '%s --help' lists the verbs", word, c.CommandPath())
}

// noArgs refuses words after the verb; cobra's own check would call them
// unknown commands.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageErrorf("unexpected argument %q", args[0])
	}
	return nil
}

// newHelpCommand replaces cobra's, which exits 0 on an unknown verb.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [VERB…]",
		Short:   "Show the help of a verb",
		Example: `  olmo help version`,
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if at, rest, err := c.Root().Find(args); err == nil && len(rest) == 0 {
				for _, sub := range at.Commands() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			at, rest, err := c.Root().Find(args)
			if err != nil {
				return &usageError{err}
			}
			if len(rest) > 0 {
				return unknownVerb(at, rest[0])
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}

// Main runs the command with the words after the program's name and returns
// its exit code: 0 success, 1 failure, 2 usage.
//
// The first interrupt cancels the context that verbs get from
// cobra.Command.Context, so that they can save and stop; a second one kills.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand(args...)
	root.SetArgs(arrange(root, args))
	c, err := misspelt(root, args)
	if err == nil {
		c, err = root.ExecuteContextC(ctx)
	}
	if err == nil {
		return exitOK
	}
	var failed *runError
	isUsage := !errors.As(err, &failed)
	if errors.Is(err, errHelpShown) {
		return exitUsage
	}
	text := err.Error()
	if !isUsage && errors.Is(failed.err, context.Canceled) {
		text = strings.Replace(text, context.Canceled.Error(), "interrupted", 1)
	}
	if isUsage && !strings.Contains(text, "hint:") {
		text += fmt.Sprintf("\nhint: see '%s --help'", c.CommandPath())
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", c.CommandPath(), visible(text))
	if isUsage {
		return exitUsage
	}
	return exitFailure
}
