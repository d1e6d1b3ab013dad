package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/internal/pyjson"
	"olmo/lm"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

func newLogitsCommand() *cobra.Command {
	var path, ids, text, out, html, precision, tokenizerName string
	var hidden, asJSON bool
	var how modelFlags
	var top int
	c := &cobra.Command{
		Use:   "logits --model PATH (--ids FILE.json | --text TEXT) (--top N | --out FILE.safetensors | --html FILE.html)",
		Short: "Write a model's logits, or show what it expects next",
		Long: `Logits runs a model on sequences of ids and writes what it computes, in float32:
logits [B,T,V], and with --hidden-states the hidden states [L+1,B,T,C] as Hugging
Face counts them: the embeddings, the output of each block, the last one after the
final norm. FILE.json is a list of equally long lists of ids.

With --top it prints the N likeliest tokens behind the text, or behind each of the
sequences, with their probabilities.

With --html it writes a page of how the model reads the text: each token coloured
by its surprise, with the five likeliest in its place.`,
		Example: `  olmo logits --model MODEL --text "Once upon a" --top 5
  echo '[[1,2,3],[4,5,6]]' > ids.json
  olmo logits --model MODEL --ids ids.json --out logits.safetensors
  olmo logits --model MODEL --text "Once upon a time" --out logits.safetensors --hidden-states
  olmo logits --model MODEL --text "Once upon a time" --html reading.html`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (ids == "") == (text == "") {
				return usageErrorf("give one of --ids FILE.json and --text TEXT")
			}
			switch {
			case out == "" && html == "" && top == 0:
				return usageErrorf("--top, --out or --html is needed")
			case top < 0:
				return usageErrorf("--top is %d, it must be 1 or more", top)
			case asJSON && top == 0:
				return usageErrorf("--json is for --top")
			}
			if html != "" && text == "" {
				return usageErrorf("--html shows a text\nhint: give it with --text")
			}
			arithmetic, err := precisionFlag(precision)
			if err != nil {
				return err
			}
			outputs := slices.DeleteFunc([]string{out, html}, func(name string) bool { return name == "" })
			for _, name := range outputs {
				if err := store.CanCreate(name); err != nil {
					return err
				}
			}
			m, err := openModel(c, path, tokenizerName, arithmetic, how)
			if err != nil {
				return err
			}
			defer m.Close()
			inputs := append(modelFiles(m.Files.Path), ids, tokenizerName)
			if m.Config.Adapters != nil {
				inputs = append(inputs, modelFiles(m.Path)...)
			}
			if err := store.Clash(inputs, outputs, nil); err != nil {
				return err
			}
			if html != "" {
				if err := writeReading(c, m, text, html); err != nil || out == "" && top == 0 {
					return err
				}
			}
			var rows [][]int32
			if ids != "" {
				rows, err = readIDs(ids, m.Config.V)
			} else if err = needTokenizer(m, ", or give --ids"); err == nil {
				rows = make([][]int32, 1)
				rows[0], err = m.Tokenizer.AppendEncode(nil, text)
			}
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			p.begin("logits")
			logits, states, err := m.Logits(c.Context(), rows, lm.LogitsOptions{Hidden: hidden, Each: func(done int) {
				p.update(step{done: float64(done), total: float64(len(rows)), unit: "sequences"})
			}})
			p.end()
			if err != nil {
				return err
			}
			if top > 0 {
				if err := printExpected(c.OutOrStdout(), m, rows, logits, top, asJSON); err != nil || out == "" {
					return err
				}
			}
			tensors := []weights.Named{{Name: "logits", Tensor: logits}}
			if hidden {
				tensors = append(tensors, weights.Named{Name: "hidden_states", Tensor: states})
			}
			return weights.WriteSafetensors(out, tensors, nil)
		},
	}
	f := c.Flags()
	f.StringVar(&path, "model", "", "folder or .gguf file of the model, a folder with an adapter, or hf:ORG/NAME@REVISION of a hub")
	f.StringVar(&ids, "ids", "", "JSON file with a list of equally long lists of ids")
	f.StringVar(&text, "text", "", "a text, for a model with a tokenizer")
	f.IntVar(&top, "top", 0, "print so many of the likeliest tokens that may follow")
	f.BoolVar(&asJSON, "json", false, "with --top: a line of JSON for each sequence")
	f.StringVar(&out, "out", "", "safetensors file to write")
	f.StringVar(&html, "html", "", "page to write of how the model reads the text")
	f.StringVar(&tokenizerName, "tokenizer", "", "tokenizer for --text, instead of the model's own")
	f.BoolVar(&hidden, "hidden-states", false, "also write the hidden states")
	how.add(f)
	f.StringVar(&precision, "precision", "fp32", precisionWords())
	return c
}

// printExpected prints the likeliest tokens behind each sequence.
func printExpected(out io.Writer, m *lm.Model, rows [][]int32, logits tensor.Tensor, top int, asJSON bool) error {
	x, err := logits.Float32s()
	if err != nil {
		return err
	}
	V := m.Config.V
	e := json.NewEncoder(out)
	for i, ids := range rows {
		next := m.Choices(x[((i+1)*len(ids)-1)*V:(i+1)*len(ids)*V], top, ids[len(ids)-1])
		if asJSON {
			if err := e.Encode(map[string]any{"ids": ids, "top": next}); err != nil {
				return err
			}
			continue
		}
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
		for _, n := range next {
			fmt.Fprintf(w, "%.2f %%\t%d\t %s\n", 100*n.Probability, n.ID, strconv.Quote(n.Text))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// expected is how many tokens the page of a reading shows in the place of each.
const expected = 5

// writeReading writes the page of how a model reads a text.
func writeReading(c *cobra.Command, m *lm.Model, text, file string) error {
	if err := needTokenizer(m, ""); err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	p.begin("reading")
	defer p.end()
	r, err := m.Read(c.Context(), text, expected, func(done, total int) {
		p.update(step{done: float64(done), total: float64(total), unit: "tokens"})
	})
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		return err
	}
	return store.WriteFile(file, page.Bytes())
}

// modelFiles lists what a model may be read from, where it was opened in the end: a
// run leads to its latest checkpoint. Nothing in a checkpoint's folder is an output.
func modelFiles(path string) []string {
	files := []string{path}
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		files = append(files, filepath.Join(path, e.Name()))
	}
	return files
}

// readIDs reads a list of equally long lists of ids below V.
func readIDs(path string, V int) ([][]int32, error) {
	var rows [][]int32
	if err := pyjson.ReadFile(path, &rows); errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w\nhint: it must be a list of lists of ids, such as [[1,2,3],[4,5,6]]", err)
	}
	if len(rows) == 0 || len(rows[0]) == 0 {
		return nil, fmt.Errorf("%s holds no ids", path)
	}
	for i, r := range rows {
		if len(r) != len(rows[0]) {
			return nil, fmt.Errorf("%s: row %d has %d ids, row 0 has %d: they must be equally many", path, i, len(r), len(rows[0]))
		}
		for j, id := range r {
			if id < 0 || int(id) >= V {
				return nil, fmt.Errorf("%s: id %d of row %d is %d, the model has ids 0 to %d", path, j, i, id, V-1)
			}
		}
	}
	return rows, nil
}
