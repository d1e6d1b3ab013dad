package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/data/store"
	"olmo/data/tokens"
	"olmo/train"
)

func newDataOrderCommand() *cobra.Command {
	var step int
	var asJSON, text bool
	var tok string
	c := &cobra.Command{
		Use:   "order CONFIG.yaml|RUN --step N [key=value…]",
		Short: "Say which instances and documents a step of a training run sees",
		Long: `Order computes the data order of the run that a training config describes, or
the config.yaml in the folder of a run or quickstart, and lists the instances of one step: their numbers, their places in the token files
and, where the .csv.gz files of places are there, the documents. The run itself
is not needed, and nothing is read but the files' lengths and places.

With --text it shows what the model read: the tokens of each instance as text,
document by document where the places are known. The tokenizer is the run's, or
that of --tokenizer.`,
		Example: `  olmo data order runs/tiny.yaml --step 120 --text
  olmo data order olmo-quickstart --step 300 --text
  olmo data order run --step 7 --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("a training config or the folder of a run is needed")
			}
			if step < 1 {
				return usageErrorf("--step N is needed, from 1")
			}
			cfg, err := train.LoadRun(args[0], args[1:])
			if err != nil {
				return err
			}
			s, err := cfg.StepData(step)
			if err != nil {
				return err
			}
			if text || tok != "" {
				decode, err := runDecoder(cfg, tok)
				if err != nil {
					return err
				}
				if err := cfg.ReadTexts(s, decode); err != nil {
					return err
				}
			}
			out := c.OutOrStdout()
			if asJSON {
				return json.NewEncoder(out).Encode(s)
			}
			n := 0
			for k, i := range s.Instances {
				if k == 0 || i.Index != s.Instances[k-1].Index {
					n++
				}
			}
			fmt.Fprintf(out, "step %d, epoch %d: %d instances of %d tokens\n", s.Step, s.Epoch, n, s.Length)
			for k, i := range s.Instances {
				if k > 0 && i.Rank != s.Instances[k-1].Rank {
					fmt.Fprintf(out, "rank %d\n", i.Rank)
				}
				fmt.Fprintf(out, "%10d  %s tokens %d to %d\n", i.Index, i.File, i.Start, i.End)
				for _, d := range i.Documents {
					fmt.Fprintf(out, "            %s, line %d of %s: tokens %d to %d\n", d.ID, d.Loc, d.Src, max(d.Start, i.Start), min(d.End, i.End))
					writeQuoted(out, d.Text)
				}
				if len(i.Documents) == 0 {
					writeQuoted(out, i.Text)
				}
			}
			return nil
		},
	}
	c.Flags().IntVar(&step, "step", 0, "step of the run, from 1")
	c.Flags().BoolVar(&text, "text", false, "show what the model read")
	c.Flags().StringVar(&tok, "tokenizer", "", "tokenizer.json for --text, instead of the run's")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	takesOverrides(c)
	return c
}

// runDecoder turns the ids of a run's data into text, by the tokenizer of a file, or else
// by the one that the run names or keeps. Ids of one byte without a tokenizer are bytes.
func runDecoder(cfg *train.Config, file string) (func(ids []int32) string, error) {
	names := []string{file}
	if file == "" {
		names = []string{cfg.Tokenizer.Identifier, filepath.Join(cfg.SaveFolder, "tokenizer.json"), filepath.Join(cfg.SaveFolder, "latest", "tokenizer.json")}
		names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".json") || !store.Exists(name) })
	}
	if len(names) > 0 {
		t, err := loadTokenizer(names[0])
		if err != nil {
			return nil, err
		}
		return func(ids []int32) string { return t.Decode(ids, false) }, nil
	}
	if cfg.Data.MemmapDType == string(tokens.Uint8) {
		return func(ids []int32) string {
			b := make([]byte, len(ids))
			for i, id := range ids {
				b[i] = byte(id)
			}
			return strings.ToValidUTF8(string(b), "\uFFFD")
		}, nil
	}
	if t, err := loadTokenizer(cfg.Tokenizer.Identifier); err == nil {
		return func(ids []int32) string { return t.Decode(ids, false) }, nil
	}
	return nil, fmt.Errorf("the run keeps no tokenizer: tokenizer.identifier is %q\nhint: --tokenizer FILE names the one that made its tokens", cfg.Tokenizer.Identifier)
}

// writeQuoted writes a text line by line behind a bar; what a terminal would obey is
// written as Go writes it in strings.
func writeQuoted(out io.Writer, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		fmt.Fprintf(out, "            | %s\n", oneLine(strings.ReplaceAll(line, "\t", "    "), math.MaxInt))
	}
}
