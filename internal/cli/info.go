package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/check"
	"olmo/internal/memory"
)

func newInfoCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "info PATH",
		Short: "Say what an artefact is: a model's family, sizes and memory; a file's kind and contents",
		Long: `Info reads headers and small files only, so it is instant for models of any size.
PATH is anything that check takes: a model as for generate, weights (safetensors,
.pt, .npz, .gguf), token files, documents, attributes, a Bloom filter, a tokenizer, a
config, a log, an evaluation, or a folder of such.`,
		Example: `  olmo info olmo-quickstart
  olmo info model.gguf --json
  olmo info olmo-quickstart/data/tokens`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one PATH is needed")
			}
			path, err := localModel(c, args[0])
			if err != nil {
				return err
			}
			d, err := check.Describe(path, configKinds())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(described(d))
			}
			_, err = io.WriteString(c.OutOrStdout(), inWords(d))
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// described is the object that stands for a description in JSON.
func described(d *check.Description) any {
	switch {
	case d.Model != nil:
		return d.Model
	case d.Weights != nil:
		return d.Weights
	}
	object := map[string]any{"path": d.Path, "kind": d.Kind}
	for _, f := range d.Facts {
		object[strings.ReplaceAll(f.Name, " ", "_")] = f.Value
	}
	return object
}

func inWords(d *check.Description) string {
	switch {
	case d.Model != nil:
		return modelInWords(d.Model)
	case d.Weights != nil:
		return weightsInWords(d.Weights)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s %s (%s)\n", "path", d.Path, d.Kind)
	for _, f := range d.Facts {
		fmt.Fprintf(&b, "%-12s %v\n", f.Name, f.Value)
	}
	return b.String()
}

func modelInWords(r *check.ModelInfo) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("path", "%s (%s)", r.Path, r.Layout)
	stored := r.DType
	if r.Stored != "" {
		stored = r.Stored + ", computed as float32"
	}
	line("family", "%s, stored as %s", r.Family, stored)
	line("shape", "%d layers, width %d, %d heads of %d on %d key heads, MLP %d", r.Layers, r.Width, r.Heads, r.HeadSize, r.KeyHeads, r.MLP)
	if r.Experts > 0 {
		line("experts", "%d, %d for each token", r.Experts, r.ExpertsPerToken)
	}
	line("context", "%d tokens", r.Context)
	if r.Window > 0 {
		line("window", "%d tokens in some layers", r.Window)
	}
	tied := "untied head"
	if r.Tied {
		tied = "tied head"
	}
	if r.Reward {
		tied = "reward head"
	}
	line("vocabulary", "%d rows, %s", r.Vocabulary, tied)
	line("parameters", "%d, %d without embedding", r.Parameters, r.WithoutEmbedding)
	if r.Active != r.Parameters {
		line("active", "%d parameters for each token", r.Active)
	}
	if r.Tokenizer == "" {
		line("tokenizer", "none")
	} else {
		line("tokenizer", "%s, %d tokens", r.Tokenizer, r.TokenizerSize)
	}
	if len(r.Extra) > 0 {
		line("extra", "tensors that the config has no place for: %d (olmo check names them)", len(r.Extra))
	}
	for _, n := range r.Notes {
		line("note", "%s", n)
	}
	line("FLOPs", "%.4g forward, %.4g backward per token (OLMo); %.4g both (OLMo-core)", r.ForwardFLOPs, r.BackwardFLOPs, r.CoreFLOPs)
	line("file", "%s", size(r.FileBytes))
	line("to run", "%s of weights in f32, %s of keys and values for a whole context", size(r.RunBytes), size(r.CacheBytes))
	line("to train", "%s with AdamW in f32, without activations", size(r.TrainBytes))
	return b.String()
}

// size writes a number of bytes.
func size(n int64) string { return memory.Text(uint64(max(n, 0))) }

func weightsInWords(r *check.WeightsInfo) string {
	var types []string
	for d, n := range r.Bytes {
		types = append(types, fmt.Sprintf("%s of %s", size(n), d))
	}
	slices.Sort(types)
	return fmt.Sprintf("%s: %d tensors, %d elements: %s\n", r.Path, r.Tensors, r.Elements, strings.Join(types, ", "))
}
