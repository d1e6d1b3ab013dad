package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/config"
	"olmo/convert"
	"olmo/model"
	"olmo/tensor"
)

type convertOptions struct {
	from, to, out, dtype string
	shard                string
	adapters             []string // of olmo merge: DIR or DIR=TIMES
	asJSON, ignoreExtra  bool
}

func newConvertCommand() *cobra.Command {
	var o convertOptions
	c := &cobra.Command{
		Use:   "convert --from PATH --to hf|ai2|gguf --out PATH",
		Short: "Convert a model to another layout, and prove that it computes the same",
		Long: `Convert writes a model as a Hugging Face folder (hf), as a folder of the ai2-olmo
package (ai2), or as a GGUF file for llama.cpp (gguf). The tokenizer and its chat
template go along.

Afterwards it opens what it wrote, compares every parameter with the source's and runs
the same ids through both. It prints the largest difference of the logits, the mean
KL divergence, how often both choose the same id, and the largest error of the
weights. When a difference is larger than the dtype explains, it removes the output
and fails. A conversion takes no more memory than the larger side's weights.

--dtype is f32, f16 or bf16, and for gguf also q8_0, q6_k, q5_1, q5_0, q4_1, q4_0 or one
of llama-quantize's mixtures q5_k_m, q5_k_s, q4_k_m, q4_k_s (q5_k and q4_k are those of
size m). In a quantised file the head (and a table of ids that is the head too) is q6_k
or q8_0, norms and routers are f32, and matrices whose rows do not fill a type's blocks
take another one, which is said: all as in llama-quantize. olmo quantize writes the same
file, has more choices, and tells what the file lost.

Without --dtype every tensor keeps the source's, where the layout has it, and its
bytes, where both layouts cut it alike; others are widened to f32, which is said.`,
		Example: `  olmo convert --from olmo-quickstart --to gguf --out small.gguf --dtype q8_0
  olmo convert --from run/step100 --to hf --out run-hf --dtype bf16 --shard-size 5GB
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
	f.StringVar(&o.from, "from", "", "model to convert: a folder, a .gguf file, or hf:ORG/NAME@REVISION of a hub")
	f.StringVar(&o.to, "to", "", "layout: hf, ai2 or gguf")
	f.StringVar(&o.out, "out", "", "folder to write; for gguf a file, if it ends in .gguf")
	f.StringVar(&o.dtype, "dtype", "", "f32, f16, bf16; for gguf also "+strings.Join(model.Mixtures(), ", ")+" (default: the source's, tensor by tensor)")
	f.StringVar(&o.shard, "shard-size", "5GB", "largest file of an hf folder")
	ignoreExtraFlag(f, &o.ignoreExtra)
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	return c
}

func runConvert(c *cobra.Command, o convertOptions) error {
	to := model.Layout(o.to)
	if !slices.Contains(convert.Layouts, to) {
		return usageErrorf("--to %s is not known\nhint: one of hf, ai2, gguf", o.to)
	}
	dtype := tensor.Invalid // the source's own
	var mixture *model.Mixture
	var err error
	if o.dtype != "" {
		quantised := ", " + strings.Join(model.Mixtures(), ", ")
		if mixture, err = model.MixtureOf(o.dtype); err == nil {
			dtype = mixture.DType
		} else if dtype, err = tensor.Parse(o.dtype); err != nil {
			return usageErrorf("--dtype %s is not known\nhint: one of f32, f16, bf16, for gguf also %s", o.dtype, quantised[2:])
		}
		if to.Fits(dtype) != nil {
			return usageErrorf("--dtype %s is no dtype of the layout %s\nhint: one of f32, f16, bf16%s", o.dtype, to, map[bool]string{true: quantised}[to == model.GGUF])
		}
	}
	shard, err := config.ParseSize(o.shard)
	if err != nil {
		return usageErrorf("--shard-size: %w", err)
	}
	from, err := localModel(c, o.from)
	if err != nil {
		return err
	}
	adapters, err := adaptersFlag(o.adapters)
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	defer p.end()
	r, err := convert.Run(c.Context(), convert.Options{
		From: from, IgnoreExtra: o.ignoreExtra, To: to, Out: o.out, DType: dtype, Mixture: mixture, ShardBytes: shard,
		Adapters: adapters, Progress: partsOf(p, nil),
		Warn: func(what string) { p.print(c.CommandPath() + ": warning: " + what) },
	})
	if err != nil {
		return err
	}
	p.end()
	return reportConversion(c, o, r)
}

// reportConversion prints what was written and what the proof found: beside the largest
// logit difference, which alarms without need, what a person can judge.
func reportConversion(c *cobra.Command, o convertOptions, r *convert.Result) error {
	out, q, dtype := c.OutOrStdout(), r.Proof, strings.ToLower(r.DType.String())
	if r.Mixture != nil {
		dtype = r.Mixture.Name
	}
	misfit := misfits(r.Matrices, r.Misfits, r.DType)
	if o.asJSON {
		m := map[string]any{
			"out": r.Out, "layout": o.to, "dtype": dtype, "max_logit_difference": q.LogitDifference,
			"kl": q.KL, "positions": q.Positions, "first_choice_agrees": q.Agree,
		}
		if list := mixture(r.Matrices); list != "" {
			m["matrices"] = list
		}
		if len(misfit) > 0 {
			m["misfits"] = misfit
		}
		if q.Weights > 0 {
			m["weight_error"], m["weight_error_of"], m["weight_error_allowed"] = q.WeightError, q.Weight, q.Allowed
		}
		return json.NewEncoder(out).Encode(m)
	}
	fmt.Fprintf(out, "%s: %s %s, largest logit difference %.3g\n", r.Out, o.to, dtype, q.LogitDifference)
	if list := mixture(r.Matrices); list != "" {
		fmt.Fprintf(out, "matrices: %s\n", list)
	}
	for _, text := range misfit {
		fmt.Fprintln(out, text)
	}
	fmt.Fprintf(out, "mean KL %.3g nats over %d ids, the first choice is the same for %d of them\n", q.KL, q.Positions, q.Agree)
	switch {
	case q.Weights == 0:
		fmt.Fprintln(out, "the weights have other names in the copy: its logits alone were compared")
	case q.WeightError == 0 && len(o.adapters) > 0:
		fmt.Fprintf(out, "all %d parameters are the base's with the adapter added, bit for bit\n", q.Weights)
	case q.WeightError == 0:
		fmt.Fprintf(out, "all %d parameters are the same, bit for bit\n", q.Weights)
	default:
		fmt.Fprintf(out, "largest weight error %.2g of the size of %s, allowed for %s are %.2g\n", q.WeightError, q.Weight, dtype, q.Allowed)
	}
	return nil
}

// misfits says, kind by kind, which matrices have rows that do not fill the type's blocks.
func misfits(matrices map[tensor.DType]int, of []convert.Misfit, d tensor.DType) (list []string) {
	total := 0
	for _, n := range matrices {
		total += n
	}
	name := func(d tensor.DType) string { return strings.ToLower(d.String()) }
	for _, m := range of {
		list = append(list, fmt.Sprintf("%d of %d matrices are %s: their rows of %d numbers are no whole number of blocks of %d, as %s needs",
			m.Count, total, name(m.DType), m.Columns, d.BlockSize(), name(d)))
	}
	return list
}

// mixture lists the dtypes of a copy whose matrices have several, the most frequent first.
func mixture(matrices map[tensor.DType]int) string {
	if len(matrices) < 2 {
		return ""
	}
	return countedTypes(matrices)
}

// countedTypes lists dtypes with how many matrices have each, the most frequent first.
func countedTypes(matrices map[tensor.DType]int) string {
	var list []string
	for _, d := range slices.SortedFunc(maps.Keys(matrices), func(a, b tensor.DType) int { return cmp.Or(matrices[b]-matrices[a], int(a)-int(b)) }) {
		list = append(list, fmt.Sprintf("%d %s", matrices[d], strings.ToLower(d.String())))
	}
	return strings.Join(list, ", ")
}
