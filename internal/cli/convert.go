package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/lm"
	"olmo/model"
	"olmo/tensor"
	"olmo/tokenizer"
	"olmo/weights"
)

type convertOptions struct {
	from, to, out, dtype string
	shard                string
	asJSON               bool
}

func newConvertCommand() *cobra.Command {
	var o convertOptions
	c := &cobra.Command{
		Use:   "convert --from PATH --to hf|ai2|gguf --out PATH",
		Short: "Convert a model to another layout, and prove that it computes the same",
		Long: `Convert writes a model as a Hugging Face folder (hf), as a folder of the ai2-olmo
package (ai2), or as a GGUF file for llama.cpp (gguf). The tokenizer and its chat
template go along.

Afterwards it opens what it wrote, compares every parameter with the source's, runs
the same ids through both and prints the largest difference of the logits. When a
difference is larger than the dtype explains, it removes the output and fails.

--dtype is f32, f16 or bf16, and for gguf also q8_0, q6_k, q4_k or q4_0; without it
the source's own is kept where the layout has it.`,
		Example: `  olmo convert --from olmo-quickstart --to gguf --out model.gguf --dtype q8_0
  olmo convert --from out/step1000 --to hf --out out-hf --dtype bf16 --shard-size 5GB
  olmo convert --from OLMo-2-1B --to ai2 --out olmo2-ai2`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.from == "" || o.to == "" || o.out == "" {
				return usageErrorf("--from, --to and --out are needed")
			}
			return runConvert(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "model to convert: a folder or a .gguf file")
	f.StringVar(&o.to, "to", "", "layout: hf, ai2 or gguf")
	f.StringVar(&o.out, "out", "", "folder to write; for gguf a file, if it ends in .gguf")
	f.StringVar(&o.dtype, "dtype", "", "f32, f16, bf16; for gguf also q8_0, q6_k, q4_k, q4_0")
	f.StringVar(&o.shard, "shard-size", "5GB", "largest file of an hf folder")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	return c
}

// tokenizerFiles go along into a folder.
var tokenizerFiles = []string{
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model",
}

func runConvert(c *cobra.Command, o convertOptions) (err error) {
	p := newProgress(c.ErrOrStderr())
	from, err := model.Open(o.from)
	if err != nil {
		return fmt.Errorf("opening the model %s: %w", o.from, err)
	}
	defer from.Close()
	layout := model.Layout(o.to)
	dtype, err := targetDType(o.dtype, layout, from.DType)
	if err != nil {
		return err
	}
	shard, err := parseBytes(o.shard)
	if err != nil {
		return err
	}
	out := filepath.Clean(o.out)
	if err := free(out); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(out), "."+filepath.Base(out)+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}

	params := float64(len(from.Config.Params()))
	p.begin("write")
	done := 0.0
	get := func(name string) ([]float32, error) {
		if err := c.Context().Err(); err != nil {
			return nil, err
		}
		v, err := from.Param(name)
		done++
		p.update(step{done: min(done, params), total: params, unit: "tensors"})
		return v, err
	}
	written := tmp // what will be opened
	move := tmp
	switch layout {
	case model.HuggingFace:
		err = model.SaveHF(tmp, from.Config, get, dtype, shard)
	case model.Native:
		err = model.SaveAI2(tmp, from.Config, get, dtype)
	case model.GGUF:
		file := "model.gguf"
		if filepath.Ext(out) == ".gguf" {
			file = filepath.Base(out)
			move = filepath.Join(tmp, file)
		}
		var vocabulary []weights.KV
		switch {
		case from.GGUF != nil:
			vocabulary = tokenizerOf(from.GGUF)
		case from.Tokenizer != "":
			if vocabulary, err = ggufVocabulary(from); err != nil {
				p.print(fmt.Sprintf("olmo convert: warning: the file has no vocabulary: %v", err))
			}
		}
		written = filepath.Join(tmp, file)
		err = model.SaveGGUF(written, from.Config, get, dtype, vocabulary)
	default:
		return usageErrorf("--to %s is not known\nhint: one of hf, ai2, gguf", o.to)
	}
	p.end()
	if err != nil {
		return err
	}
	if layout != model.GGUF {
		if err := writeTokenizer(tmp, from); err != nil {
			return err
		}
	}

	p.begin("compare")
	defer p.end()
	difference, err := compareModels(c, p, from.Path, written, dtype)
	if err != nil {
		return fmt.Errorf("%w\nhint: the output was removed", err)
	}
	if err := from.Close(); err != nil {
		return err
	}
	if err := os.Rename(move, out); err != nil {
		return err
	}
	if o.asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(jsonObject{"out": out, "layout": o.to, "dtype": strings.ToLower(dtype.String()), "max_logit_difference": difference})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s %s, largest logit difference %.3g\n", out, o.to, strings.ToLower(dtype.String()), difference)
	return err
}

// free reports an output that exists already, other than as an empty folder.
func free(out string) error {
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(entries) == 0:
		return os.Remove(out)
	}
	return fmt.Errorf("%s exists already\nhint: remove it, or choose another --out", out)
}

// targetDType reads --dtype, or chooses what keeps the source's numbers.
func targetDType(name string, to model.Layout, have tensor.DType) (tensor.DType, error) {
	if name != "" {
		d, err := tensor.Parse(name)
		if err != nil {
			return d, usageErrorf("--dtype %s is not known\nhint: one of f32, f16, bf16, q8_0, q6_k, q4_k, q4_0", name)
		}
		return d, nil
	}
	switch have {
	case tensor.F32, tensor.F16, tensor.BF16:
		return have, nil
	case tensor.Q8_0, tensor.Q6_K, tensor.Q4_K, tensor.Q4_0:
		if to == model.GGUF {
			return have, nil
		}
	}
	return tensor.F32, nil
}

// parseBytes reads a size such as 5GB or 300MB.
func parseBytes(s string) (int64, error) {
	upper := strings.ToUpper(strings.TrimSpace(s))
	factor := int64(1)
	for _, u := range []struct {
		unit string
		size int64
	}{{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if n, ok := strings.CutSuffix(upper, u.unit); ok {
			upper, factor = strings.TrimSpace(n), u.size
			break
		}
	}
	n, err := strconv.ParseInt(upper, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/factor {
		return 0, usageErrorf("%q is not a size\nhint: write it as 5GB or 300MB", s)
	}
	return n * factor, nil
}

// tokenizerOf returns the part of a file's metadata that is the tokenizer's.
func tokenizerOf(g *weights.GGUF) []weights.KV {
	var out []weights.KV
	for _, kv := range g.KV {
		if strings.HasPrefix(kv.Key, "tokenizer.") {
			out = append(out, kv)
		}
	}
	return out
}

// writeTokenizer copies the tokenizer's files, or makes them from a GGUF file's
// vocabulary where it has one that tokenizer.json can hold.
func writeTokenizer(dir string, from *model.Loaded) error {
	if from.GGUF == nil {
		for _, name := range tokenizerFiles {
			text, err := os.ReadFile(filepath.Join(from.Path, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	text, err := tokenizer.ReadGGUF(from.GGUF).JSON()
	if err != nil {
		return nil // no vocabulary, or one that only llama.cpp knows
	}
	settings, err := ggufTokenizerConfig(from.GGUF)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "tokenizer.json"), text, 0o644),
		os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), settings, 0o644),
	)
}

// allowed is what a dtype explains: of a parameter's error against its size, both as
// root mean squares, and of the largest logit difference against the largest logit.
// A wrong order of rows gives an error of more than 1.
func allowed(d tensor.DType) (parameter, logit float64) {
	switch d {
	case tensor.F32:
		return 0, 1e-5
	case tensor.F16:
		return 2e-3, 0.05
	case tensor.BF16:
		return 4e-3, 0.2
	case tensor.Q8_0:
		return 0.02, 0.3
	case tensor.Q6_K:
		return 0.05, 0.5
	}
	return 0.25, 2
}

// compareModels compares every parameter of two checkpoints, then their logits for the
// same ids, and returns the largest difference of those.
func compareModels(c *cobra.Command, p *progress, from, to string, d tensor.DType) (float64, error) {
	a, err := model.Open(from)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	b, err := model.Open(to)
	if err != nil {
		return 0, fmt.Errorf("what was written cannot be read: %w", err)
	}
	defer b.Close()
	parameter, logit := allowed(d)
	params := a.Config.Params()
	theirs := b.Config.Params()
	if len(params) != len(theirs) {
		return 0, fmt.Errorf("%d parameters became %d", len(params), len(theirs))
	}
	for i, q := range params {
		if err := c.Context().Err(); err != nil {
			return 0, err
		}
		p.update(step{done: float64(i), total: float64(len(params)), unit: "tensors"})
		if theirs[i].Name != q.Name {
			// The families of the two differ in names: the logits decide alone.
			break
		}
		x, err := a.Param(q.Name)
		if err != nil {
			return 0, err
		}
		y, err := b.Param(q.Name)
		if err != nil {
			return 0, err
		}
		if e := relativeError(x, y); !(e <= parameter) {
			return 0, fmt.Errorf("%s differs by %.2g of its size, more than %v explains (%.2g)", q.Name, e, d, parameter)
		}
	}
	ids := make([]int32, min(32, a.Config.T))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i] = r.Int32N(int32(a.Config.VocabSize))
	}
	var logits [2][]float32
	for i, path := range []string{from, to} {
		m, err := lm.Open(path, lm.Options{})
		if err != nil {
			return 0, err
		}
		out, _, err := m.Logits(c.Context(), [][]int32{ids}, lm.LogitsOptions{})
		if err != nil {
			return 0, errors.Join(fmt.Errorf("running %s: %w", path, err), m.Close())
		}
		if logits[i], err = out.Float32s(); err != nil {
			return 0, err
		}
	}
	var largest, difference float64
	for i, x := range logits[0] {
		largest = max(largest, math.Abs(float64(x)))
		difference = max(difference, math.Abs(float64(x)-float64(logits[1][i])))
	}
	if !(difference <= logit*largest) {
		return 0, fmt.Errorf("logits differ by %.3g, more than %v explains (largest logit %.3g)", difference, d, largest)
	}
	return difference, nil
}

func relativeError(x, y []float32) float64 {
	if len(x) != len(y) {
		return math.Inf(1)
	}
	var sum, size float64
	for i := range x {
		d := float64(x[i]) - float64(y[i])
		sum += float64(d * d)
		size += float64(float64(x[i]) * float64(x[i]))
	}
	if sum == 0 {
		return 0
	}
	return math.Sqrt(sum / size)
}
