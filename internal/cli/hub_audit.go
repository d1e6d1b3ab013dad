package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"olmo/hub/client"
)

func newHubAuditCommand() *cobra.Command {
	var (
		kind   string
		deep   bool
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "audit ORG/NAME",
		Short: "Find branches of any repository that are not what they say, without fetching weights",
		Long: `Audit compares all branches of a repository by the sizes and hashes that the hub
itself lists, shard by shard:

  duplicate  different steps have a file of weights in common, or two shards of a model are equal
  missing    a shard that the others or the index name is not there, or a step has no weights
  tensor     the index names a tensor that its shard does not hold
  index      a file that should say where tensors are, and does not
  weights    a file whose head is none, or does not fit its size
  pointer    a few bytes that Git LFS keeps in place of weights

A branch without a step in its name, such as main, may equal one step. Indexes and the
heads of shards are read, each content once and 900 kB in all; weights are not. With
--deep up to 64 kB of one tensor of each step are, as safetensors alone:

  jump       the steps before and after are much nearer to each other than to this one

Exit code 1: there are problems.`,
		Example: `  olmo hub audit allenai/OLMo-2-1124-7B
  olmo hub audit allenai/OLMo-2-0425-1B --deep
  olmo hub audit EleutherAI/pythia-2.8b --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one ORG/NAME is needed")
			}
			repo, err := client.ParseRepo(kind, args[0])
			if err != nil {
				return &usageError{err}
			}
			h, err := openHub(c)
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			p.begin("audit " + repo.String())
			a, err := h.Audit(c.Context(), repo, deep, func(done, total int) {
				p.update(step{done: float64(done), total: float64(total), unit: "branches"})
			})
			p.close(err)
			if err != nil {
				return err
			}
			return reportAudit(c, a, asJSON)
		},
	}
	f := c.Flags()
	repoTypeFlag(f, &kind)
	f.BoolVar(&deep, "deep", false, "read a piece of one tensor of each step, and show where the trajectory jumps")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// reportAudit prints what an audit found; problems are an error.
func reportAudit(c *cobra.Command, a *client.Audit, asJSON bool) error {
	out := c.OutOrStdout()
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		if err := e.Encode(a); err != nil {
			return err
		}
	} else {
		t := newTable(out)
		for _, p := range a.Problems {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Kind, cmp.Or(p.Path, p.Tensor), some(p.Revisions), p.Message)
		}
		for _, text := range a.Notes {
			fmt.Fprintf(t, "note\t%s\n", text)
		}
		for _, p := range a.Trajectory {
			way, jump := "", ""
			if p.Distance != nil {
				way = fmt.Sprintf("%.3g", *p.Distance)
			}
			if p.Jump {
				jump = "jump"
			}
			fmt.Fprintf(t, "step\t%d\t%s\t%s\t%s\n", p.Step, p.Revision, way, jump)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d branches, %d files of weights, %s read beside listings\n", a.Repository, a.Checked.Revisions, a.Checked.Files, size(a.Checked.Bytes))
	}
	switch n := len(a.Problems); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: one problem", a.Repository)
	default:
		return fmt.Errorf("%s: %d problems", a.Repository, n)
	}
}

// some are the first names of a list, with the number of the others.
func some(names []string) string {
	const most = 4
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
