package cli

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/hub/client"
	"olmo/release/signature"
)

func newHubGetCommand() *cobra.Command {
	var (
		r      client.Request
		kind   string
		key    string
		verify bool
		dry    bool
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "get ORG/NAME",
		Short: "Fetch a revision of a repository, with every hash checked",
		Long: `Get fetches the files of a repository into the cache of huggingface_hub
(HF_HUB_CACHE, else hub in HF_HOME), where transformers and --model hf:ORG/NAME find
them, also with HF_HUB_OFFLINE=1; with --out into a folder, as plain files, where it
writes over nothing that is different. It prints the folder.

Several connections fetch ranges of files. A file gets its name when its bytes have
the hash that the hub names; what is wrong is removed. After an interruption, also a
kill, the same command goes on and fetches nothing again that had come.

The patterns of --only and --exclude are of paths, or of folders that hold them: *
stands for any characters, slashes too.

With --verify the files must be those of the release that the branch release names:
name, revision, paths and hashes, before anything is fetched; with --key its signature
must be valid.

HF_ENDPOINT is the hub's address (default https://huggingface.co). A token is read from
HF_TOKEN, else from the file token in HF_HOME, and goes to that address's host alone.`,
		Example: `  olmo hub get allenai/OLMo-2-0425-1B
  olmo hub get allenai/OLMo-2-0425-1B --revision stage1-step10000-tokens21B --out olmo2-step10000
  olmo hub get allenai/OLMo-2-0425-1B --only 'config.json' 'tokenizer*' --dry-run
  olmo hub get lab/my-model --revision step700-tokens0B --verify --key key.pub.pem
  olmo hub get allenai/dolma --repo-type dataset --only 'urls/*'`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := checkFilled(c.Flags()); err != nil {
				return err
			}
			if len(args) != 1 {
				return usageErrorf("one ORG/NAME is needed")
			}
			if r.Repo, err = client.ParseRepo(kind, args[0]); err != nil {
				return &usageError{err}
			}
			h, err := openHub(c)
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			p.begin("list " + r.Repo.String())
			plan, err := h.Plan(c.Context(), r)
			p.close(err)
			if err != nil {
				return err
			}
			if verify || key != "" {
				if err := verifyPlan(c, plan, key); err != nil {
					return reportUnverified(c, err, asJSON)
				}
			}
			if dry {
				return reportPlan(c, plan, asJSON)
			}
			fetched, err := fetchPlan(c.Context(), p, plan)
			if err != nil {
				return reportUnverified(c, err, asJSON)
			}
			return reportGot(c, plan, fetched, verify || key != "", asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&r.Revision, "revision", "main", "a branch, a tag or a commit")
	f.StringVar(&r.Out, "out", "", "folder that gets the files; without it the cache")
	listFlag(f, &r.Only, "only", "only files that match one of these patterns")
	listFlag(f, &r.Exclude, "exclude", "no files that match one of these patterns")
	repoTypeFlag(f, &kind)
	f.BoolVar(&verify, "verify", false, "compare the files with the release.json of the branch release")
	f.StringVar(&key, "key", "", "public key, in PEM, that the release must be signed with (takes --verify with it)")
	f.BoolVar(&dry, "dry-run", false, "say what would be fetched")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// verifyPlan compares what would be fetched with what the repository's release says.
func verifyPlan(c *cobra.Command, plan *client.Plan, keyFile string) (err error) {
	var key *ecdsa.PublicKey
	if keyFile != "" {
		if key, err = signature.ReadPublic(keyFile); err != nil {
			return err
		}
	}
	notes, err := plan.Verify(c.Context(), key)
	for _, text := range notes {
		fmt.Fprintf(c.ErrOrStderr(), "%s: note: %s\n", c.CommandPath(), visible(text))
	}
	return err
}

// reportUnverified prints in what files are not those of a release.
func reportUnverified(c *cobra.Command, err error, asJSON bool) error {
	var wrong *client.ProblemsError
	if !errors.As(err, &wrong) {
		return err
	}
	if asJSON {
		return errors.Join(json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{
			"ok": false, "repository": wrong.Repo.String(), "revision": wrong.Revision, "problems": wrong.Problems,
		}), err)
	}
	t := newTable(c.OutOrStdout())
	for _, p := range wrong.Problems {
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Kind, p.Path, p.Message)
	}
	return errors.Join(t.Flush(), err)
}

// repoTypeFlag adds the flag that says what kind of repository is meant.
func repoTypeFlag(f *pflag.FlagSet, kind *string) {
	f.StringVar(kind, "repo-type", "model", "model or dataset")
}

// openHub is the hub that the environment names.
func openHub(c *cobra.Command) (*client.Hub, error) {
	o, err := client.Environment()
	if err != nil {
		return nil, err
	}
	o.Warn = func(text string) { fmt.Fprintf(c.ErrOrStderr(), "%s: note: %s\n", c.CommandPath(), visible(text)) }
	return client.New(o)
}

// fetchPlan fetches what is missing, with progress.
func fetchPlan(ctx context.Context, p *progress, plan *client.Plan) (int64, error) {
	if len(plan.Missing) > 0 {
		p.begin("fetch " + plan.Repo.String())
	}
	fetched, err := plan.Fetch(ctx, func(done, total int64) {
		p.update(step{done: float64(done) / 1e6, total: float64(total) / 1e6, unit: "MB"})
	})
	p.close(err)
	return fetched, err
}

// reportPlan prints the files that are wanted, and which of them would be fetched.
func reportPlan(c *cobra.Command, plan *client.Plan, asJSON bool) error {
	missing := map[string]bool{}
	for _, f := range plan.Missing {
		missing[f.Blob] = true
	}
	type row struct {
		Path   string `json:"path"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256,omitempty"`
		Blob   string `json:"git_blob,omitempty"`
		Here   bool   `json:"here"`
	}
	rows := []row{}
	for _, f := range plan.Files {
		r := row{Path: f.Path, Size: f.Size, Here: !missing[f.Blob]}
		if r.Blob = f.Blob; f.LFS {
			r.SHA256, r.Blob = f.Blob, ""
		}
		rows = append(rows, r)
	}
	total, fetch := client.Size(plan.Files), client.Size(plan.Missing)
	if asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{
			"repository": plan.Repo.String(), "revision": plan.Revision, "commit": plan.Commit, "path": plan.Folder, "files": rows, "bytes": total, "missing": fetch,
		})
	}
	t := newTable(c.OutOrStdout())
	for _, r := range rows {
		what := "to fetch"
		if r.Here {
			what = "here"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.Path, size(r.Size), what)
	}
	fmt.Fprintf(t, "%d files\t%s\t%s to fetch\n", len(rows), size(total), size(fetch))
	return t.Flush()
}

// reportGot prints where the files are.
func reportGot(c *cobra.Command, plan *client.Plan, fetched int64, verified, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{
			"repository": plan.Repo.String(), "revision": plan.Revision, "commit": plan.Commit, "path": plan.Folder,
			"files": len(plan.Files), "bytes": client.Size(plan.Files), "fetched": fetched, "verified": verified,
		})
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s at %s (%s): %d files, %s, of which %s were fetched\n", plan.Repo, plan.Revision, plan.Commit[:12], len(plan.Files), size(client.Size(plan.Files)), size(fetched))
	_, err := fmt.Fprintln(c.OutOrStdout(), plan.Folder)
	return err
}
