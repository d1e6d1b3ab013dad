package cli

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"

	"olmo/adapt"
)

// rewardFlags name a reward model that judges in place of verifiers.
type rewardFlags struct{ model, template string }

func (f *rewardFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.model, "reward-model", "", "`folder` of a reward model, which judges conversations in place of verifiers")
	c.Flags().StringVar(&f.template, "chat-template", "", "its chat template: one of open-instruct's by `name`, or a file (default: its own)")
}

// check refuses flags that say nothing to a reward model, and a template without one.
func (f *rewardFlags) check(c *cobra.Command) error {
	if f.model == "" && f.template != "" {
		return usageErrorf("--chat-template is --reward-model's")
	}
	for _, name := range []string{"config", "allow-code", "python", "sandbox"} {
		if f.model != "" && c.Flags().Changed(name) {
			return usageErrorf("--%s is for verifiers, and --reward-model judges in their place", name)
		}
	}
	return nil
}

// score judges the conversations of a file.
func (f *rewardFlags) score(c *cobra.Command, input, output string) error {
	m, err := adapt.OpenRewardModel(f.model, f.template)
	if err != nil {
		return err
	}
	defer m.Close()
	var j *adapt.Judged
	err = writeLines(c, output, func(w *bufio.Writer) error {
		j, err = m.Judge(c.Context(), input, w)
		return err
	})
	if err != nil {
		return err
	}
	if j.Rows > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%d conversations, mean reward %.4f\n", j.Rows, j.Mean)
	}
	if j.Pairs > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%d pairs, accuracy %.4f, mean margin %.4f\n", j.Pairs, j.Accuracy, j.Margin)
	}
	return nil
}
