package cli

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"olmo/model"
	"olmo/tensor"
	"olmo/tokenizer"
	"olmo/train"
	"olmo/weights"
)

// checked is what a check finds.
type checked struct {
	Path          string   `json:"path"`
	Kind          string   `json:"kind"`
	OK            bool     `json:"ok"`
	Tensors       int      `json:"tensors,omitempty"`
	Bytes         int64    `json:"bytes,omitempty"`
	WeightsDigest string   `json:"weights_digest,omitempty"`
	Problems      []string `json:"problems,omitempty"`
	Notes         []string `json:"notes,omitempty"`
}

// checkers say of a kind of artefact whether a path is one, and check it. The first
// that knows the path counts.
var checkers = []struct {
	is    func(path string, st fs.FileInfo) bool
	check func(path string, p *progress) ([]*checked, error)
}{
	{isRun, checkRun},
	{isModel, func(path string, p *progress) ([]*checked, error) {
		r, err := checkModel(path, p)
		return []*checked{r}, err
	}},
	{isWeights, checkWeights},
}

func newCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check PATH",
		Short: "Read an artefact whole and say whether it is sound",
		Long: `Check reads everything. Of a model: every tensor that the config asks for, with its
shape; numbers that are not finite; tensors that are there twice; the index of
shards; the tokenizer's ids; and it prints the weights_digest. Of a run: each
checkpoint against its manifest, and as a model. Of a file of weights: its bytes.

Exit code 1: there are problems. Notes are oddities that do no harm.`,
		Example: `  olmo check olmo-quickstart/release
  olmo check out --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one PATH is needed")
			}
			st, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			for _, k := range checkers {
				if !k.is(args[0], st) {
					continue
				}
				p.begin("check")
				results, err := k.check(args[0], p)
				p.end()
				if err != nil {
					return err
				}
				return reportChecks(c, results, asJSON)
			}
			return fmt.Errorf("%s is nothing that olmo check knows\nhint: a model, a run's folder, or a file of weights", args[0])
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func reportChecks(c *cobra.Command, results []*checked, asJSON bool) error {
	problems := 0
	out := c.OutOrStdout()
	for _, r := range results {
		r.OK = len(r.Problems) == 0
		problems += len(r.Problems)
		if asJSON {
			if err := json.NewEncoder(out).Encode(r); err != nil {
				return err
			}
			continue
		}
		for _, s := range r.Problems {
			fmt.Fprintf(out, "%s: problem: %s\n", r.Path, s)
		}
		for _, s := range r.Notes {
			fmt.Fprintf(out, "%s: note: %s\n", r.Path, s)
		}
		if r.OK {
			fmt.Fprintf(out, "%s: %s, %d tensors, %s: ok\n", r.Path, r.Kind, r.Tensors, size(r.Bytes))
		}
		if r.WeightsDigest != "" {
			fmt.Fprintf(out, "%s: weights_digest %s\n", r.Path, r.WeightsDigest)
		}
	}
	if problems > 0 {
		return fmt.Errorf("%d problems", problems)
	}
	return nil
}

func isRun(path string, st fs.FileInfo) bool {
	if !st.IsDir() {
		return false
	}
	steps, err := train.Steps(path)
	return err == nil && len(steps) > 0
}

// checkRun checks every checkpoint of a run.
func checkRun(path string, p *progress) ([]*checked, error) {
	steps, err := train.Steps(path)
	if err != nil {
		return nil, err
	}
	var out []*checked
	for _, n := range steps {
		r, err := checkModel(filepath.Join(path, fmt.Sprintf("step%d", n)), p)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func isModel(path string, st fs.FileInfo) bool {
	l, err := model.Open(path)
	if err == nil {
		l.Close()
	}
	// A folder that cannot be opened is to say why.
	return err == nil || st.IsDir() || filepath.Ext(path) == ".gguf"
}

func checkModel(path string, p *progress) (*checked, error) {
	l, err := model.Open(path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	r, err := l.Check(func(share float64) { p.update(step{done: share, total: 1}) })
	if err != nil {
		return nil, err
	}
	out := &checked{
		Path: l.Path, Kind: l.Config.Family + " model (" + string(l.Layout) + ")", Tensors: r.Tensors, Bytes: r.Bytes,
		WeightsDigest: hex.EncodeToString(r.Digest[:]), Problems: r.Problems, Notes: r.Notes,
	}
	if l.Tokenizer != "" {
		t, err := tokenizer.Load(l.Tokenizer)
		switch {
		case err != nil:
			out.Problems = append(out.Problems, err.Error())
		case t.VocabSize() > l.Config.V:
			out.Problems = append(out.Problems, fmt.Sprintf("the tokenizer has %d ids, the model %d", t.VocabSize(), l.Config.V))
		}
	}
	if _, err := os.Stat(filepath.Join(l.Path, "manifest.json")); err == nil {
		m, err := train.CheckCheckpoint(l.Path)
		switch {
		case errors.Is(err, train.ErrCorrupt):
			out.Problems = append(out.Problems, err.Error())
		case err != nil:
			return nil, err
		default:
			out.Notes = append(out.Notes, "in a release this checkpoint is called "+m.ReleaseName())
		}
	}
	return out, nil
}

func isWeights(_ string, st fs.FileInfo) bool { return st.Mode().IsRegular() }

// checkWeights reads a file of tensors.
func checkWeights(path string, _ *progress) ([]*checked, error) {
	set, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	out := &checked{Path: path, Kind: "weights"}
	var sums []weights.Sum
	for _, name := range set.Names() {
		t, err := set.Tensor(name)
		if err != nil {
			return nil, err
		}
		sums = append(sums, weights.SumOf(name, t))
		out.Tensors++
		out.Bytes += int64(len(t.Data))
		if t.DType.IsFloat() || t.DType.IsQuantized() {
			at, bad, err := firstNaN(t)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, name, err)
			}
			if at >= 0 {
				out.Problems = append(out.Problems, fmt.Sprintf("%s: number %d is %v", name, at, bad))
			}
		}
		set.Forget()
	}
	digest := weights.DigestSums(sums)
	out.WeightsDigest = hex.EncodeToString(digest[:])
	return []*checked{out}, nil
}

// firstNaN returns the place of the first number that is NaN or infinite, and the number;
// or −1.
func firstNaN(t tensor.Tensor) (at int, bad float32, err error) {
	seen := 0
	for v, err := range t.Pieces(1 << 18) {
		if err != nil {
			return 0, 0, err
		}
		for i, x := range v {
			if x-x != 0 {
				return seen + i, x, nil
			}
		}
		seen += len(v)
	}
	return -1, 0, nil
}
