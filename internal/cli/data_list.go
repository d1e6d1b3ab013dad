package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data/tagger"
)

func newDataListCommand() *cobra.Command {
	var asJSON bool
	var modules []string
	c := &cobra.Command{
		Use:   "list [TAGGER…]",
		Short: "List the taggers, with what they score and need",
		Long: `List all taggers in a table, or say of those that are named which files they
need and whether these are here.`,
		Example: `  olmo data list
  olmo data list ft_lang_id_en_doc_v2 c4_v2
  olmo data list --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, names []string) error {
			if len(modules) > 0 {
				return usageErrorf("tagger_modules names Python modules, which this program cannot load")
			}
			taggers, err := chosenTaggers(names)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				for _, t := range taggers {
					if err := enc.Encode(t); err != nil {
						return err
					}
				}
				return nil
			}
			if len(names) > 0 {
				return describeTaggers(c.OutOrStdout(), taggers)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "TAGGER\tSCORES\tNEEDS")
			for _, t := range taggers {
				fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, t.About, shortNeeds(t))
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a tagger")
	listFlag(c.Flags(), &modules, "tagger_modules", "Python modules; refused, as this program has none")
	return c
}

// chosenTaggers are those with the names, or all.
func chosenTaggers(names []string) ([]tagger.Info, error) {
	all := tagger.List()
	if len(names) == 0 {
		return all, nil
	}
	var out []tagger.Info
	for _, name := range names {
		i := slices.IndexFunc(all, func(t tagger.Info) bool { return t.Name == name })
		if i < 0 {
			_, err := tagger.Get(name, tagger.Options{})
			return nil, &usageError{err}
		}
		out = append(out, all[i])
	}
	return out, nil
}

// shortNeeds says what a tagger needs in a few words.
func shortNeeds(t tagger.Info) string {
	models, _ := tagger.FindModels(t.Name)
	switch n := len(models); {
	case !t.Available:
		return "not in this program"
	case n == 1:
		return path.Base(models[0].File)
	case n > 1:
		return fmt.Sprintf("%d files", n)
	}
	return t.Needs
}

// describeTaggers says all of some taggers.
func describeTaggers(w io.Writer, taggers []tagger.Info) error {
	for _, t := range taggers {
		fmt.Fprintf(w, "%s: %s\n", t.Name, t.About)
		models, _ := tagger.FindModels(t.Name)
		switch {
		case !t.Available:
			fmt.Fprintf(w, "  is not in this program; it needs %s\n", t.Needs)
		case len(models) == 0 && t.Needs != "":
			fmt.Fprintf(w, "  needs %s\n", t.Needs)
		}
		for _, m := range models {
			here := m.Find(tagger.Options{})
			if here == "" {
				here = "not here; 'olmo data models get " + t.Name + "' fetches it"
			}
			if _, err := fmt.Fprintf(w, "  needs %s (%s)\n", m.File, here); err != nil {
				return err
			}
		}
	}
	return nil
}
