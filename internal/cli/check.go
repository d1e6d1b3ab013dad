package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"olmo/check"
	"olmo/config"
)

func newCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check PATH",
		Short: "Read an artefact whole and say whether it is sound",
		Long: `Check reads everything and lists every fault. PATH is anything that olmo writes or
reads: a release (as 'olmo verify'), a quickstart folder (each file against its report, each checkpoint against
its manifest, the release against the run), a run, a checkpoint, a model in any
layout, weights, token files with the places of their documents, documents,
attributes with their documents, a Bloom filter, a tokenizer, a config, a log, an
evaluation; or a folder of such.

Where a report, manifest, record or model card tells what a file should hold, it is
compared with that; where nothing does, a note says so.

Exit code 1: there are problems. Notes are oddities that do no harm, and what could
not be judged. With --json each problem has a kind, a member and a message.`,
		Example: `  olmo check olmo-quickstart
  olmo check olmo-quickstart/release
  olmo check corpus --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one PATH is needed")
			}
			path, err := localModel(c, args[0])
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			p.begin("check")
			r, err := check.Path(c.Context(), path, check.Options{Configs: configKinds(), Progress: func(done, total int64) {
				p.update(step{done: float64(done) / 1e6, total: float64(total) / 1e6, unit: "MB"})
			}})
			if err != nil {
				p.fail()
				return err
			}
			p.end()
			return reportCheck(c, r, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func reportCheck(c *cobra.Command, r *check.Report, asJSON bool) error {
	out := c.OutOrStdout()
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		for _, p := range r.Problems {
			fmt.Fprintf(out, "%s: %s: %s\n", placeOf(r, p), p.Kind, p.Message)
		}
		for _, s := range r.Notes {
			fmt.Fprintf(out, "%s: note: %s\n", filepath.Clean(r.Path), s)
		}
		for _, w := range r.Weights {
			printDigests(c, r, w)
		}
		if r.OK {
			fmt.Fprintf(out, "%s: %s, %s: ok\n", r.Path, r.Kind, counts(r.Checked))
		}
	}
	switch n := len(r.Problems); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: one problem", r.Path)
	default:
		return fmt.Errorf("%s: %d problems", r.Path, n)
	}
}

// placeOf is where a problem is, as it can be opened from here.
func placeOf(r *check.Report, p check.Problem) string {
	if p.Path == "" || p.Path == filepath.Base(r.Path) {
		return filepath.Clean(r.Path)
	}
	return filepath.Join(r.Path, filepath.FromSlash(p.Path))
}

// printDigests prints the digests of a set of weights: that of the files, and where the same
// numbers have another under the names of training, that one too.
func printDigests(c *cobra.Command, r *check.Report, w check.Weights) {
	path := r.Path
	if len(r.Weights) > 1 {
		path = filepath.Join(r.Path, filepath.FromSlash(w.Path))
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: weights_digest %s\n", path, w.Digest)
	if w.Training != "" && w.Training != w.Digest {
		fmt.Fprintf(c.OutOrStdout(), "%s: training_weights_digest %s (the same numbers under the names of training)\n", path, w.Training)
	}
}

// counts says how much was read.
func counts(n check.Counts) string {
	var parts []string
	for _, c := range []struct {
		n    int64
		what string
	}{{n.Checkpoints, "checkpoints"}, {n.Tensors, "tensors"}, {n.Documents, "documents"}, {n.Tokens, "tokens"}, {n.Files, "files"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(append(parts, size(n.Bytes)), ", ")
}

// configKinds are the configs of the data verbs, for check to read.
func configKinds() []check.ConfigKind {
	return []check.ConfigKind{
		configKind[warcConfig]("warc"), configKind[convertConfig]("convert"), configKind[tagConfig]("tag"), configKind[dedupeConfig]("dedupe"),
		configKind[decontaminateConfig]("decontaminate"), configKind[mixConfig]("mix"), configKind[curateConfig]("curate"),
		configKind[tokensConfig]("tokens"), configKind[statConfig]("stat"),
	}
}

// configKind is that of a verb whose config is a C. Which values are there by default makes
// no difference to what keys and types are allowed.
func configKind[C any](verb string) check.ConfigKind {
	return check.ConfigKind{Name: "config of olmo data " + verb, Keys: configKeys(reflect.TypeFor[C]()), Parse: func(path string, text []byte) error {
		return config.Parse(path, text, nil, new(C))
	}}
}

// configKeys lists the keys at the top level of a config.
func configKeys(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		key, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			keys = append(keys, configKeys(t.Field(i).Type)...)
		case key != "" && key != "-":
			keys = append(keys, key)
		}
	}
	return keys
}
