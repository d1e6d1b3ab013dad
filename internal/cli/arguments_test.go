package cli

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func TestArrange(t *testing.T) {
	var docs []string
	var steps int
	root := &cobra.Command{Use: "olmo"}
	group := &cobra.Command{Use: "data"}
	group.PersistentFlags().StringP("config", "c", "", "")
	verb := &cobra.Command{Use: "mix", Run: func(*cobra.Command, []string) {}}
	listFlag(verb.Flags(), &docs, "docs", "")
	verb.Flags().IntVarP(&steps, "steps", "n", 0, "")
	verb.Flags().Bool("json", false, "")
	train := &cobra.Command{Use: "train", Run: func(*cobra.Command, []string) {}}
	train.Flags().Bool("json", false, "")
	takesOverrides(train)
	tune := &cobra.Command{Use: "tune", Run: func(*cobra.Command, []string) {}}
	tune.Flags().Bool("json", false, "")
	takesValues(tune)
	group.AddCommand(verb, tune)
	root.AddCommand(group, train)

	cases := []struct {
		name       string
		call, want []string
	}{
		{"list", []string{"data", "mix", "--docs", "a", "b", "--json"}, []string{"data", "mix", "--docs=a", "--docs=b", "--json"}},
		{"list repeated", []string{"data", "mix", "--docs", "a", "--docs=b", "--docs", "-"}, []string{"data", "mix", "--docs=a", "--docs=b", "--docs=-"}},
		{"empty list", []string{"data", "mix", "--docs"}, []string{"data", "mix", "--docs"}},
		{"value that looks like a flag", []string{"data", "mix", "--steps", "-3", "x"}, []string{"data", "mix", "--steps", "-3", "x"}},
		{"parent's flag before the verb", []string{"data", "-c", "f.yaml", "mix", "--docs", "a", "b"}, []string{"data", "-c", "f.yaml", "mix", "--docs=a", "--docs=b"}},
		{"end of flags", []string{"data", "mix", "--docs", "a", "--", "--docs", "b"}, []string{"data", "mix", "--docs=a", "--", "--docs", "b"}},
		{"overrides", []string{"train", "f.yaml", "--json", "--model.d_model=8", "--save_overwrite", "a=b"}, []string{"train", "f.yaml", "--json", "model.d_model=8", "save_overwrite=true", "a=b"}},
		{"values of overrides", []string{"data", "tune", "f.yaml", "--rate", "-1", "--json", "--shuffle", "false", "--packing", "--seed=3", "a=b", "--last", "c=d"}, []string{"data", "tune", "f.yaml", "rate=-1", "--json", "shuffle=false", "packing=true", "seed=3", "a=b", "last=true", "c=d"}},
		{"no value before the file", []string{"data", "tune", "--packing", "f.yaml"}, []string{"data", "tune", "packing=true", "f.yaml"}},
		{"no overrides elsewhere", []string{"data", "mix", "--model.d_model=8"}, []string{"data", "mix", "--model.d_model=8"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := arrange(root, c.call); !slices.Equal(got, c.want) {
				t.Errorf("arrange(%q) = %q, want %q", c.call, got, c.want)
			}
		})
	}
}
