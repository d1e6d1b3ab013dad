package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/convert"
	"olmo/model"
	"olmo/train"
)

func newMergeCommand() *cobra.Command {
	var out, shares string
	var asJSON bool
	var o convertOptions
	c := &cobra.Command{
		Use:   "merge CHECKPOINT… | --model PATH --adapter DIR --out DIR",
		Short: "Average the weights of checkpoints of one model, or merge an adapter into its base",
		Long: `Merge writes the average of several checkpoints' weights, as the final OLMo 2 and
OLMo 3 models are averages of runs over different orders of the data. A
checkpoint is a folder stepN, a run (its latest), a Hugging Face folder or a
file of weights. The other small files (config, tokenizer) are the first one's.

With --adapter it writes the model that a low-rank adapter makes of its base: the sums
W + alpha/r·B·A (with use_rslora alpha/√r) in float32, rounded once to the dtype of W, or
to --dtype, which a quantised base needs; as a Hugging Face folder, or as a GGUF file where
--out ends in .gguf. What it wrote is opened again and run beside the base with its adapter:
it prints what olmo convert prints, and fails where a difference is larger than the dtype
explains. Several adapters are added, each as many times as stands behind its folder. The
tokenizer and the chat template are the first adapter's where its folder has them, else the
base's.`,
		Example: `  olmo merge run-a run-b run-c --out merged
  olmo merge run/step100 run/step200 --shares 1,3 --out weighted
  olmo merge --model OLMo-2-1B --adapter tuned --out OLMo-2-1B-tuned
  olmo merge --model OLMo-2-1B --adapter tuned --dtype q8_0 --out tuned.gguf
  olmo merge --model OLMo-2-1B --adapter tuned=0.7 --adapter preferred=0.3 --out both`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.from != "" || len(o.adapters) > 0 {
				o.out, o.asJSON = out, asJSON
				return runMergeAdapter(c, o, args)
			}
			for _, name := range []string{"dtype", "shard-size", "ignore-extra"} {
				if c.Flags().Changed(name) {
					return usageErrorf("--%s is for merging an adapter\nhint: --model PATH --adapter DIR", name)
				}
			}
			if len(args) < 2 {
				return usageErrorf("at least two checkpoints are needed")
			}
			if out == "" {
				return usageErrorf("--out DIR is needed")
			}
			var list []float64
			if shares != "" {
				for _, s := range strings.Split(shares, ",") {
					f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
					if err != nil {
						return usageErrorf("--shares %s: %q is not a number", shares, s)
					}
					list = append(list, f)
				}
				if len(list) != len(args) {
					return usageErrorf("%d shares for %d checkpoints", len(list), len(args))
				}
			}
			p := newProgress(c.ErrOrStderr())
			if err := train.Merge(out, args, list, func(text string) { p.print("olmo merge: warning: " + text) }); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"out": out, "checkpoints": args, "shares": list})
			}
			fmt.Fprintf(c.OutOrStdout(), "%d checkpoints averaged in %s\n", len(args), out)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&out, "out", "", "new folder to write; of an adapter merged also a file, if it ends in .gguf")
	f.StringVar(&shares, "shares", "", "how much each counts, as 1,1,2 (default: equally)")
	f.StringVar(&o.from, "model", "", "the adapter's base: a folder, a .gguf file, or hf:ORG/NAME@REVISION of a hub")
	f.StringArrayVar(&o.adapters, "adapter", nil, "folder with the adapter to merge: adapter_config.json and adapter_model.safetensors; `DIR=TIMES` adds it so many times; may be repeated")
	f.StringVar(&o.dtype, "dtype", "", "of the merged model: f32, f16, bf16; for a .gguf also "+strings.Join(model.Mixtures(), ", ")+" (default: the base's, tensor by tensor)")
	f.StringVar(&o.shard, "shard-size", "5GB", "largest file of the merged model's folder")
	ignoreExtraFlag(f, &o.ignoreExtra)
	f.BoolVar(&asJSON, "json", false, "print what was merged as JSON; shares are null where all count equally")
	return c
}

// runMergeAdapter is a conversion of the base into a layout, with the adapter.
func runMergeAdapter(c *cobra.Command, o convertOptions, args []string) error {
	switch {
	case len(args) > 0:
		return usageErrorf("%s is given beside --model and --adapter\nhint: checkpoints are averaged, or an adapter is merged: one at a time", args[0])
	case c.Flags().Changed("shares"):
		return usageErrorf("--shares is for averaging checkpoints")
	case o.from == "" || len(o.adapters) == 0 || o.out == "":
		return usageErrorf("--model, --adapter and --out are needed")
	}
	o.to = string(model.HuggingFace)
	if filepath.Ext(o.out) == ".gguf" {
		o.to = string(model.GGUF)
	}
	return runConvert(c, o)
}

// adaptersFlag reads --adapter DIR and DIR=TIMES. What is a folder as it stands is one.
func adaptersFlag(given []string) (list []convert.Adapter, err error) {
	for _, text := range given {
		a := convert.Adapter{Folder: text, Times: 1}
		if i := strings.LastIndexByte(text, '='); i > 0 {
			if _, err := os.Stat(text); err != nil {
				if a.Times, err = strconv.ParseFloat(text[i+1:], 64); err != nil || math.IsInf(a.Times, 0) || math.IsNaN(a.Times) {
					return nil, usageErrorf("--adapter %s: %q is not a number\nhint: DIR=0.5, say", text, text[i+1:])
				}
				a.Folder = text[:i]
			}
		}
		list = append(list, a)
	}
	return list, nil
}
