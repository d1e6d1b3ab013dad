package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data/store"
	"olmo/data/tagger"
)

func newDataModelsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "models",
		Short: "List and fetch the model and list files that taggers read",
		Example: `  olmo data models list
  olmo data models get lid.176.ftz`,
		Args: cobra.ArbitraryArgs,
		RunE: runGroup,
	}
	c.AddCommand(newDataModelsListCommand(), newDataModelsGetCommand())
	return c
}

func newDataModelsListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the files and which of them are here; with --json also where they are published",
		Example: `  olmo data models list
  olmo data models list --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			enc := json.NewEncoder(c.OutOrStdout())
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
			if !asJSON {
				fmt.Fprintln(w, "HERE\tSIZE\tFILE\tTAGGERS")
			}
			for _, m := range tagger.Catalogue() {
				here := m.Find(tagger.Options{})
				if asJSON {
					err := enc.Encode(struct {
						tagger.Model
						Path string `json:"path,omitempty"`
					}{m, here})
					if err != nil {
						return err
					}
					continue
				}
				bytes, yes := "", "no"
				if m.Size > 0 {
					bytes = size(m.Size)
				}
				if here != "" {
					yes = "yes"
				}
				taggers := m.Taggers[0]
				if n := len(m.Taggers) - 1; n > 0 {
					taggers += fmt.Sprintf(" and %d more", n)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", yes, bytes, m.File, taggers)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a file")
	return c
}

func newDataModelsGetCommand() *cobra.Command {
	var dir, url string
	c := &cobra.Command{
		Use:   "get NAME…",
		Short: "Fetch model and list files, by their own names or those of taggers",
		Long: `Fetch files into the first folder of OLMO_MODELS, or else into the user's cache,
where taggers look for them. Size and SHA-256 are checked where they are known.
A fetch that was interrupted is continued.`,
		Example: `  olmo data models get lid.176.bin
  olmo data models get dclm-oh-eli5 blocklist_firebog_ads_v1
  olmo data models get lid.176.ftz --url https://mirror.example/lid.176.ftz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, names []string) error {
			return getModels(c, names, dir, url)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "`folder` to put the files into")
	c.Flags().StringVar(&url, "url", "", "`address` to fetch the one file from instead")
	return c
}

func getModels(c *cobra.Command, names []string, dir, url string) error {
	var models []tagger.Model
	for _, name := range names {
		found, err := tagger.FindModels(name)
		if err != nil {
			return &usageError{err}
		}
		models = append(models, found...)
	}
	if url != "" && len(models) != 1 {
		return usageErrorf("--url is for one file, these are %d", len(models))
	}
	if dir == "" {
		if folders := filepath.SplitList(os.Getenv("OLMO_MODELS")); len(folders) > 0 {
			dir = folders[0]
		}
	}
	if dir == "" {
		var err error
		if dir, err = tagger.ModelFolder(); err != nil {
			return err
		}
	}
	p := newProgress(c.ErrOrStderr())
	for _, m := range models {
		from, dest := m.URL, filepath.Join(dir, filepath.FromSlash(m.File))
		if url != "" {
			from = url
		}
		if info, err := store.Stat(dest); err == nil && (m.Size == 0 || info.Size == m.Size) {
			p.print(dest + " is there already")
			continue
		}
		sum, err := fetch(c.Context(), p, from, dest, store.Want{Size: m.Size, SHA256: m.SHA256})
		if err != nil {
			return fmt.Errorf("%w\nhint: without a connection, put the file %s into %s by hand", err, m.File, dir)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s  %s\n", sum, dest)
	}
	return nil
}

// fetch downloads a file and shows how far it is.
func fetch(ctx context.Context, p *progress, from, dest string, want store.Want) (sum string, err error) {
	p.begin(filepath.Base(dest))
	sum, err = store.Download(ctx, from, dest, want, func(done, total int64) {
		p.update(step{done: float64(done) / 1e6, total: float64(max(total, 0)) / 1e6, unit: "MB"})
	})
	if err != nil {
		p.fail()
		return "", err
	}
	p.end()
	return sum, nil
}
