package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"olmo/hub/client"
	"olmo/release"
)

func newHubPutCommand() *cobra.Command {
	var (
		o      putOptions
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "put RELEASE|FOLDER ORG/NAME",
		Short: "Upload a release, each revision to its branch, and send nothing twice",
		Long: `Put makes the repository if there is none. Of a release (a folder with a release.json)
each revision goes to the branch of its name, and everything outside model/ to the
branch release, release.json and release.sig at its root; of another folder the files
go to the branch --revision.

The hub says which contents it has: only the others are sent. After an interruption
the same command goes on. A file of a release that is not what release.json says is
not uploaded. What a branch has beside these files stays, and is named.

HF_ENDPOINT and HF_TOKEN are as for 'olmo hub get'. The token is not sent to the
addresses that contents go to.`,
		Example: `  olmo hub put my-model lab/my-model
  olmo hub put run-hf lab/my-model --revision step100 --private`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFilled(c.Flags()); err != nil {
				return err
			}
			if len(args) != 2 {
				return usageErrorf("a RELEASE or FOLDER and ORG/NAME are needed")
			}
			return o.run(c, args[0], args[1], asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&o.revision, "revision", "", "branch of a folder's files (default main)")
	f.BoolVar(&o.private, "private", false, "make a new repository private")
	repoTypeFlag(f, &o.kind)
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// putOptions are the flags of put.
type putOptions struct {
	revision, kind string
	private        bool
}

func (o *putOptions) run(c *cobra.Command, dir, name string, asJSON bool) error {
	r, err := client.ParseRepo(o.kind, name)
	if err != nil {
		return &usageError{err}
	}
	uploads, err := o.uploads(c, dir, r)
	if err != nil {
		return err
	}
	h, err := openHub(c)
	if err != nil {
		return err
	}
	if err := h.Create(c.Context(), r, o.private); err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	all := []*client.Stored{}
	for _, u := range uploads {
		p.begin("put " + u.Revision)
		s, err := h.Put(c.Context(), u, func(done, total int64) {
			p.update(step{done: float64(done) / 1e6, total: float64(total) / 1e6, unit: "MB"})
		})
		p.close(err)
		if err != nil {
			return fmt.Errorf("%s at %s: %w", r, u.Revision, err)
		}
		all = append(all, s)
	}
	if asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"repository": r.String(), "revisions": all})
	}
	t := newTable(c.OutOrStdout())
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%d files\t%d sent\t%s of large files\n", s.Revision, s.Commit[:12], s.Files, s.Sent, size(s.Bytes))
		if len(s.Others) > 0 {
			fmt.Fprintf(t, "%s\tnote: it has files beside these: %s\n", s.Revision, some(s.Others))
		}
		if len(s.Ignored) > 0 {
			fmt.Fprintf(t, "%s\tnote: the hub takes no files of these names: %s\n", s.Revision, some(s.Ignored))
		}
	}
	return t.Flush()
}

// uploads are what a folder comes to.
func (o *putOptions) uploads(c *cobra.Command, dir string, r client.Repo) ([]client.Upload, error) {
	if _, err := os.Lstat(filepath.Join(dir, release.ManifestFile)); errors.Is(err, fs.ErrNotExist) {
		revision := o.revision
		if revision == "" {
			revision = release.Main
		}
		u, err := client.OfFolder(dir, r, revision)
		return []client.Upload{u}, err
	}
	if o.revision != "" {
		return nil, usageErrorf("--revision is of a folder; the revisions of the release %s are branches by their own names", dir)
	}
	m, uploads, err := client.OfRelease(dir, r)
	if err == nil && m.Name != r.Name {
		fmt.Fprintf(c.ErrOrStderr(), "%s: note: the release is called %s: whoever checks it under the name %s is told so\n", c.CommandPath(), visible(m.Name), r.Name)
	}
	return uploads, err
}
