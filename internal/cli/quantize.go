package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/convert"
	"olmo/data"
	"olmo/model"
	"olmo/store"
	"olmo/tensor"
)

type quantizeOptions struct {
	from, to, dtype       string
	tensors               []string
	calibrate, evaluate   string
	imatrix, saveImatrix  string
	method                string
	noReport, ignoreExtra bool
	asJSON                bool
}

func newQuantizeCommand() *cobra.Command {
	var o quantizeOptions
	c := &cobra.Command{
		Use:   "quantize --from PATH --to FILE.gguf --dtype TYPE",
		Short: "Quantise a model to a GGUF file, and say what it lost",
		Long: `Quantize writes a model of any layout as a GGUF file with its matrices in blocks of
few bits. The tokenizer and its chat template go along.

TYPE is q8_0, q6_k, q5_1, q5_0, q4_1 or q4_0, or one of llama-quantize's mixtures
q5_k_m, q5_k_s, q4_k_m and q4_k_s, which give the matrices where errors cost most a few
bits more; q5_k and q4_k are the mixtures of size m, as there. Which tensor gets which
type, and every block, are llama-quantize's: the head (and a table of ids that is the
head too) is q6_k or q8_0, norms and routers are f32, and matrices whose rows do not
fill a type's blocks take another one (q4_k q5_0, q5_k q5_1, q6_k q8_0), which is said.

--calibrate FILE runs the source on a text first, and measures how large what each column
of a matrix is multiplied with is there: errors in columns that matter count more, and
scales are searched for longer. It takes some thousand tokens of the kind of text that
the model will read, and makes the file better at the same size, most at 4 bits.
--save-imatrix FILE.gguf keeps what was measured, as llama-imatrix writes it, and
--imatrix FILE takes such a file, ours or llama.cpp's (.gguf, or the older .dat), in place
of --calibrate. --method gptq with --calibrate goes on from there: each column makes up
for what rounding has done to those before it (GPTQ), which takes longer.

--tensor PATTERN=TYPE gives the tensors whose names, llama.cpp's, have a match of a
regular expression a type of their own, f32, f16 and bf16 among them. The first pattern
that matches counts.

Before the file gets its name, it is run beside its source on a text: the mean KL
divergence of its next-token distributions in nats, how often both have the same first
choice, and the perplexities. The text is a few KB that the program has, or --evaluate
FILE (documents as .jsonl, or any other file as one text).`,
		Example: `  olmo quantize --from OLMo-2-1B --to small.gguf --dtype q4_k_m
  olmo quantize --from run --to run.gguf --dtype q8_0 --evaluate book.md --json
  olmo quantize --from MODEL --to fine.gguf --dtype q4_0 --calibrate corpus.jsonl --save-imatrix imatrix.gguf
  olmo quantize --from MODEL --to best.gguf --dtype q4_0 --calibrate corpus.jsonl --method gptq
  olmo quantize --from MODEL --to other.gguf --dtype q4_k_m --imatrix imatrix.gguf
  olmo quantize --from MODEL --to mixed.gguf --dtype q4_0 --tensor 'ffn_down=q5_0' --tensor '^blk\.[01]\.=q8_0' --no-report`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runQuantize(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "model to quantise: a folder, a .gguf file, or hf:ORG/NAME@REVISION of a hub")
	f.StringVar(&o.to, "to", "", ".gguf `file` to write")
	f.StringVar(&o.dtype, "dtype", "", "`type`: "+strings.Join(model.Mixtures(), ", "))
	f.StringArrayVar(&o.tensors, "tensor", nil, "`PATTERN=TYPE`: a type for the tensors whose names match (may be repeated)")
	f.StringVar(&o.calibrate, "calibrate", "", "text `file` on which to measure which columns matter (documents as .jsonl, or any other file as one text)")
	f.StringVar(&o.method, "method", "rtn", "`method`: rtn, to the nearest, or gptq, with --calibrate: each column makes up for those before it")
	f.StringVar(&o.imatrix, "imatrix", "", "importance `file` of llama.cpp, in place of --calibrate")
	f.StringVar(&o.saveImatrix, "save-imatrix", "", ".gguf `file` for the importance that --calibrate measures")
	f.StringVar(&o.evaluate, "evaluate", "", "text `file` to report on (default: a text that the program has)")
	f.BoolVar(&o.noReport, "no-report", false, "write the file without running it")
	ignoreExtraFlag(f, &o.ignoreExtra)
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	return c
}

// mixture reads --dtype and --tensor.
func (o *quantizeOptions) mixture() (*model.Mixture, error) {
	m, err := model.MixtureOf(o.dtype)
	if err != nil {
		return nil, usageErrorf("--dtype: %w", err)
	}
	for _, text := range o.tensors {
		i := strings.LastIndexByte(text, '=')
		if i <= 0 {
			return nil, usageErrorf("--tensor %s is not PATTERN=TYPE\nhint: --tensor 'ffn_down=q6_k', say", text)
		}
		d, err := tensor.Parse(text[i+1:])
		if err != nil || model.GGUF.Fits(d) != nil {
			return nil, usageErrorf("--tensor %s: %s is no type of a tensor\nhint: one of %s", text, text[i+1:], strings.Join(blockTypes(), ", "))
		}
		if err := m.Override(text[:i], d); err != nil {
			return nil, usageErrorf("--tensor %s: %w", text, err)
		}
	}
	return m, nil
}

func runQuantize(c *cobra.Command, o quantizeOptions) error {
	switch {
	case o.from == "" || o.to == "" || o.dtype == "":
		return usageErrorf("--from, --to and --dtype are needed")
	case filepath.Ext(o.to) != ".gguf":
		return usageErrorf("--to %s is no name of a GGUF file\nhint: it ends in .gguf", o.to)
	case o.noReport && o.evaluate != "":
		return usageErrorf("--evaluate is for the report, which --no-report leaves out")
	case o.method != "rtn" && o.method != "gptq":
		return usageErrorf("--method %s is not known\nhint: one of rtn, gptq", o.method)
	case o.method == "gptq" && o.calibrate == "":
		return usageErrorf("--method gptq needs the products of a text\nhint: --calibrate FILE, some thousand tokens; an importance file has not enough of them")
	case o.calibrate != "" && o.imatrix != "":
		return usageErrorf("--imatrix takes the place of --calibrate")
	case o.saveImatrix != "" && o.calibrate == "":
		return usageErrorf("--save-imatrix keeps what --calibrate measures, and there is none")
	case o.saveImatrix != "" && filepath.Ext(o.saveImatrix) != ".gguf":
		return usageErrorf("--save-imatrix %s is no name of a GGUF file\nhint: it ends in .gguf", o.saveImatrix)
	case o.saveImatrix != "" && filepath.Clean(o.saveImatrix) == filepath.Clean(o.to):
		return usageErrorf("--to and --save-imatrix are the same file")
	}
	m, err := o.mixture()
	if err != nil {
		return err
	}
	evaluate, err := textsFlag("--evaluate", o.evaluate)
	if err != nil {
		return err
	}
	calibrate, err := textsFlag("--calibrate", o.calibrate)
	if err != nil {
		return err
	}
	if err := store.Clash([]string{o.calibrate, o.evaluate, o.imatrix}, []string{o.to, o.saveImatrix}, nil); err != nil {
		return err
	}
	from, err := localModel(c, o.from)
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	defer p.end()
	r, err := convert.Quantize(c.Context(), convert.QuantizeOptions{
		From: from, IgnoreExtra: o.ignoreExtra, Out: o.to, Mixture: m, Calibrate: calibrate, CalibrateFile: filepath.Base(o.calibrate), GPTQ: o.method == "gptq", Imatrix: o.imatrix, SaveImatrix: o.saveImatrix, Evaluate: evaluate, NoReport: o.noReport,
		Progress: partsOf(p, map[string]string{"report": "windows", "calibrate": "windows"}),
		Warn:     func(what string) { p.print(c.CommandPath() + ": warning: " + what) },
	})
	if err != nil {
		return err
	}
	p.end()
	return reportQuantized(c.OutOrStdout(), r, o.asJSON)
}

// partsOf tells how far the parts of a conversion are, in tensors where units has no other word.
func partsOf(p *progress, units map[string]string) func(part string, done, total int) {
	current := ""
	return func(part string, done, total int) {
		if part != current {
			p.end()
			p.begin(part)
			current = part
		}
		unit := units[part]
		if unit == "" {
			unit = "tensors"
		}
		p.update(step{done: float64(done), total: float64(total), unit: unit})
	}
}

// textsFlag reads the texts of a file that a flag names: the documents of rows, or any other file as one; nil
// without one.
func textsFlag(flag, path string) (list []string, err error) {
	if path == "" {
		return nil, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", flag, err)
		}
	}()
	name := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
	if !slices.Contains([]string{".jsonl", ".json", ".parquet"}, filepath.Ext(name)) {
		text, err := data.ReadText(path)
		if err == nil && len(text) == 0 {
			err = fmt.Errorf("%s holds no text", path)
		}
		return []string{string(text)}, err
	}
	for text, err := range sampleTexts(path) {
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no document", path)
	}
	return list, nil
}

// reportQuantized prints what was written and what it lost.
func reportQuantized(out io.Writer, r *convert.Quantized, asJSON bool) error {
	q, misfit := r.Report, misfits(r.Matrices, r.Misfits, r.Mixture.DType)
	if asJSON {
		m := map[string]any{
			"out": r.Out, "dtype": r.Mixture.Name, "bytes": r.Bytes, "bytes_source": r.SourceBytes, "matrices": countedTypes(r.Matrices), "method": map[bool]string{false: "rtn", true: "gptq"}[r.GPTQ],
			"kl": nil, "perplexity": nil, "perplexity_source": nil,
		}
		if q != nil {
			m["kl"], m["kl_max"], m["perplexity"], m["perplexity_source"] = q.KL, q.KLMax, q.Perplexity, q.PerplexitySource
			m["positions"], m["targets"], m["first_choice_agrees"], m["agreement"] = q.Positions, q.Targets, q.Agree, float64(q.Agree)/float64(q.Positions)
		}
		if r.Calibrated > 0 {
			m["calibrated"] = r.Calibrated
		}
		if r.Imatrix != "" {
			m["imatrix"] = r.Imatrix
		}
		if len(misfit) > 0 {
			m["misfits"] = misfit
		}
		if len(r.Unquantized) > 0 {
			m["unquantized"] = r.Unquantized
		}
		return json.NewEncoder(out).Encode(m)
	}
	fmt.Fprintf(out, "%s: %s, %s (source: %s, %.1f times as large)\n", r.Out, r.Mixture.Name, size(r.Bytes), size(r.SourceBytes), float64(r.SourceBytes)/float64(r.Bytes))
	if r.Calibrated > 0 {
		fmt.Fprintf(out, "calibrated on %d tokens%s\n", r.Calibrated, map[bool]string{true: ", by GPTQ"}[r.GPTQ])
	}
	if r.Imatrix != "" {
		fmt.Fprintf(out, "calibrated by %s\n", r.Imatrix)
	}
	fmt.Fprintf(out, "matrices: %s\n", countedTypes(r.Matrices))
	for _, text := range misfit {
		fmt.Fprintln(out, text)
	}
	if n := len(r.Unquantized); n > 0 {
		fmt.Fprintf(out, "not quantised: %s%s\n", strings.Join(r.Unquantized[:min(n, 8)], ", "), map[bool]string{true: fmt.Sprintf(" and %d more", n-8)}[n > 8])
	}
	if q == nil {
		return nil
	}
	fmt.Fprintf(out, "mean KL %.3g nats over %d tokens (largest %.3g), the first choice is the same for %.1f %%\n", q.KL, q.Positions, q.KLMax, 100*float64(q.Agree)/float64(q.Positions))
	_, err := fmt.Fprintf(out, "perplexity %.4g, of the source %.4g (%+.2f %%)\n", q.Perplexity, q.PerplexitySource, 100*(q.Perplexity/q.PerplexitySource-1))
	return err
}

// blockTypes are those that --tensor gives.
func blockTypes() []string {
	return slices.DeleteFunc(modelDTypes(), func(name string) bool {
		_, err := tensor.Parse(name)
		return err != nil
	})
}
