package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/generate"
	"olmo/lm/rows"
)

// embedOptions are the flags of `olmo embed`.
type embedOptions struct {
	model, tokenizer string
	prompts          []string
	ids              string
	pooling          string
	precision        string
	asJSON           bool
	how              modelFlags
}

// embedding is a line of --json.
type embedding struct {
	Embedding   []float32        `json:"embedding"`
	Pooling     generate.Pooling `json:"pooling"`
	Usage       rows.Usage       `json:"usage"`
	Fingerprint string           `json:"fingerprint"`
}

func newEmbedCommand() *cobra.Command {
	var o embedOptions
	c := &cobra.Command{
		Use:   "embed --model PATH (TEXT | --prompt TEXT… | --ids LIST)",
		Short: "Make vectors of texts",
		Long: `Embed makes a vector of each text: the mean of the model's hidden states after the
final norm, or the last or the first token's, divided by its length. Two texts are as
near as their vectors' product says.

Each text has a line of numbers, or of JSON: embedding, pooling, usage and fingerprint.
A vector is the same on every machine and beside any other texts.`,
		Example: `  olmo embed --model olmo-quickstart "Package json implements"
  olmo embed --model olmo-quickstart --pooling last --json --prompt "Package json" --prompt "Package http"
  olmo embed --model MODEL --ids "3,14,15"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			given := len(args)
			for _, name := range []string{"prompt", "ids"} {
				if c.Flags().Changed(name) {
					given++
				}
			}
			if given != 1 {
				return usageErrorf("give one of TEXT, --prompt TEXT and --ids LIST")
			}
			return runEmbed(c, o, append(args, o.prompts...))
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "the model: a folder, a run, a .gguf file, a folder with an adapter, or hf:ORG/NAME@REVISION of a hub")
	f.StringArrayVar(&o.prompts, "prompt", nil, "a `text`; - reads standard input; may be repeated")
	f.StringVar(&o.ids, "ids", "", "the token ids of a text, separated by commas or spaces")
	f.StringVar(&o.pooling, "pooling", "mean", "of whose hidden states: mean (all tokens), last or first")
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to use instead of the model's")
	o.how.add(f)
	o.how.addMemory(f)
	f.StringVar(&o.precision, "precision", "fp32", precisionWords())
	f.BoolVar(&o.asJSON, "json", false, "print a line of JSON for each text")
	return c
}

func runEmbed(c *cobra.Command, o embedOptions, texts []string) error {
	arithmetic, err := precisionFlag(o.precision)
	if err != nil {
		return err
	}
	pooling, err := generate.ParsePooling(o.pooling)
	if err != nil {
		return usageErrorf("--%w", err)
	}
	var prompts [][]int32
	if c.Flags().Changed("ids") {
		ids, err := parseIDs("--ids", o.ids)
		if err != nil {
			return err
		}
		prompts = [][]int32{ids}
	}
	for i, text := range texts {
		if text == "-" {
			in, err := io.ReadAll(c.InOrStdin())
			if err != nil {
				return fmt.Errorf("reading the text: %w", err)
			}
			texts[i] = strings.TrimSuffix(string(in), "\n") // echo's, not the text's
		}
	}
	m, err := openModel(c, o.model, o.tokenizer, arithmetic, o.how)
	if err != nil {
		return err
	}
	defer m.Close()
	if len(texts) > 0 {
		if err := needTokenizer(m, ", or give token ids with --ids"); err != nil {
			return err
		}
	}
	for _, text := range texts {
		ids, err := m.Encode(text)
		if err != nil {
			return err
		}
		prompts = append(prompts, ids)
	}
	var fingerprint string
	if o.asJSON {
		if fingerprint, err = m.Fingerprint(); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(c.OutOrStdout())
	err = m.Embed(c.Context(), prompts, pooling, func(i int, e []float32) error {
		var line []byte
		var err error
		if o.asJSON {
			n := len(prompts[i])
			line, err = json.Marshal(embedding{e, pooling, rows.Usage{Prompt: n, Total: n}, fingerprint})
		} else {
			for k, x := range e {
				if k > 0 {
					line = append(line, ' ')
				}
				line = strconv.AppendFloat(line, float64(x), 'g', -1, 32)
			}
		}
		out.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}
