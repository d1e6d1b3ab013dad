package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestEveryVerbIsDocumented wants of each verb a short line, an example that
// calls it, and a use for each of its flags.
func TestEveryVerbIsDocumented(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || strings.Contains(c.Short, "\n") {
			t.Errorf("%s: its short line is %q, want a line without full stop", c.CommandPath(), c.Short)
		}
		if !strings.Contains(c.Example, "olmo ") {
			t.Errorf("%s: no example", c.CommandPath())
		}
		if c.RunE == nil {
			t.Errorf("%s: no RunE, so its errors would not get their form and exit code", c.CommandPath())
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s says nothing", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand())
}

// TestVerbAlone: a call makes the verb that it names, and no other.
func TestVerbAlone(t *testing.T) {
	for _, v := range verbs {
		root := newRootCommand(v.name)
		var names []string
		for _, c := range root.Commands() {
			names = append(names, c.Name())
		}
		if len(names) != 1 || names[0] != v.name {
			t.Errorf("a call of %s makes %q", v.name, names)
		}
	}
	for _, words := range [][]string{nil, {"help", "version"}, {"--help"}, {"verison"}} {
		if n := len(newRootCommand(words...).Commands()); n != len(verbs) {
			t.Errorf("a call of %q makes %d verbs, want all %d", words, n, len(verbs))
		}
	}
}
