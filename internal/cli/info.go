package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/model"
	"olmo/tokenizer"
	"olmo/weights"
)

func newInfoCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "info PATH",
		Short: "Say what a model is: family, sizes, parameters, FLOPs, memory",
		Long: `Info reads headers only, so it is instant for models of any size. PATH is a model as
for generate, or a file of weights (safetensors, .pt, .npz, .gguf).`,
		Example: `  olmo info olmo-quickstart
  olmo info model.gguf --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one PATH is needed")
			}
			st, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			var v any
			if !st.IsDir() && filepath.Ext(args[0]) != ".gguf" {
				v, err = weightsInfo(args[0])
			} else {
				v, err = modelInfo(args[0])
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(v)
			}
			return printInfo(c.OutOrStdout(), v.(fmt.Stringer))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func printInfo(out io.Writer, v fmt.Stringer) error {
	_, err := io.WriteString(out, v.String())
	return err
}

// modelReport is what `olmo info` says of a model.
type modelReport struct {
	Path             string  `json:"path"`
	Layout           string  `json:"layout"`
	Family           string  `json:"family"`
	DType            string  `json:"dtype"`
	Layers           int     `json:"layers"`
	Width            int     `json:"width"`
	Heads            int     `json:"heads"`
	KeyHeads         int     `json:"key_heads"`
	HeadSize         int     `json:"head_size"`
	MLP              int     `json:"mlp"`
	Vocabulary       int     `json:"vocabulary"`
	Context          int     `json:"context"`
	Window           int     `json:"sliding_window,omitempty"`
	Experts          int     `json:"experts,omitempty"`
	ExpertsPerToken  int     `json:"experts_per_token,omitempty"`
	Tied             bool    `json:"tied"`
	Parameters       int     `json:"parameters"`
	WithoutEmbedding int     `json:"parameters_without_embedding"`
	Active           int     `json:"active_parameters"`
	FileBytes        int64   `json:"file_bytes"`
	RunBytes         int64   `json:"run_bytes"`
	CacheBytes       int64   `json:"cache_bytes"`
	TrainBytes       int64   `json:"train_bytes"`
	ForwardFLOPs     float64 `json:"forward_flops_per_token"`
	BackwardFLOPs    float64 `json:"backward_flops_per_token"`
	CoreFLOPs        float64 `json:"olmo_core_flops_per_token"`
	Tokenizer        string  `json:"tokenizer,omitempty"`
	TokenizerSize    int     `json:"tokenizer_vocabulary,omitempty"`
	StopIDs          []int32 `json:"stop_ids,omitempty"`
}

func modelInfo(path string) (*modelReport, error) {
	l, err := model.Open(path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	c := l.Config
	r := &modelReport{
		Path: l.Path, Layout: string(l.Layout), Family: c.Family, DType: strings.ToLower(l.DType.String()), Layers: c.Layers, Width: c.C, Heads: c.H, KeyHeads: c.KV,
		HeadSize: c.D, MLP: c.F, Vocabulary: c.V, Context: c.T, Experts: c.Experts, ExpertsPerToken: c.TopK, Tied: c.Tied,
		Active: c.ActiveParams(), TrainBytes: c.TrainBytes(), StopIDs: l.Stop,
	}
	if c.Windows != nil {
		r.Window = slices.Max(c.Windows)
	}
	r.Parameters, r.WithoutEmbedding = c.NumParams()
	r.RunBytes, r.CacheBytes = c.RunBytes()
	f := c.FLOPs(c.T)
	r.ForwardFLOPs, r.BackwardFLOPs, r.CoreFLOPs = f.Forward, f.Backward, f.Core
	for _, n := range l.Set.All() {
		if size, err := n.DType.Bytes(n.Shape); err == nil {
			r.FileBytes += int64(size)
		}
	}
	switch {
	case l.Tokenizer != "":
		t, err := tokenizer.Load(l.Tokenizer)
		if err != nil {
			return nil, err
		}
		r.Tokenizer, r.TokenizerSize = l.Tokenizer, t.VocabSize()
	case l.GGUF != nil:
		if v, ok := l.GGUF.Get("tokenizer.ggml.model"); ok {
			r.Tokenizer = fmt.Sprintf("%v, in the file", v)
		}
		if v, ok := l.GGUF.Get("tokenizer.ggml.tokens"); ok {
			tokens, _ := v.([]string)
			r.TokenizerSize = len(tokens)
		}
	}
	return r, nil
}

func (r *modelReport) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("path", "%s (%s)", r.Path, r.Layout)
	line("family", "%s, stored as %s", r.Family, r.DType)
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
	line("FLOPs", "%.4g forward, %.4g backward per token (OLMo); %.4g both (OLMo-core)", r.ForwardFLOPs, r.BackwardFLOPs, r.CoreFLOPs)
	line("file", "%s", size(r.FileBytes))
	line("to run", "%s of weights in f32, %s of keys and values for a whole context", size(r.RunBytes), size(r.CacheBytes))
	line("to train", "%s with AdamW in f32, without activations", size(r.TrainBytes))
	return b.String()
}

// size writes bytes in the largest unit that leaves a number of at least 1.
func size(n int64) string {
	x, unit := float64(n), "B"
	for _, u := range []string{"KB", "MB", "GB", "TB"} {
		if x < 1000 {
			break
		}
		x, unit = x/1000, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", x, unit)
}

// weightsReport is what `olmo info` says of a file of weights.
type weightsReport struct {
	Path     string            `json:"path"`
	Tensors  int               `json:"tensors"`
	Elements int               `json:"elements"`
	Bytes    map[string]int64  `json:"bytes"` // by dtype
	Metadata map[string]string `json:"metadata,omitempty"`
}

func weightsInfo(path string) (*weightsReport, error) {
	set, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	r := &weightsReport{Path: path, Tensors: len(set.Names()), Bytes: map[string]int64{}, Metadata: set.Metadata()}
	for _, n := range set.All() {
		elements := 1
		for _, d := range n.Shape {
			elements *= d
		}
		r.Elements += elements
		if b, err := n.DType.Bytes(n.Shape); err == nil {
			r.Bytes[strings.ToLower(n.DType.String())] += int64(b)
		}
	}
	return r, nil
}

func (r *weightsReport) String() string {
	var types []string
	for d, n := range r.Bytes {
		types = append(types, fmt.Sprintf("%s of %s", size(n), d))
	}
	slices.Sort(types)
	return fmt.Sprintf("%s: %d tensors, %d elements: %s\n", r.Path, r.Tensors, r.Elements, strings.Join(types, ", "))
}
