package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

func newLogitsCommand() *cobra.Command {
	var path, ids, text, out, precision, tokenizerName string
	var hidden bool
	c := &cobra.Command{
		Use:   "logits --model PATH (--ids FILE.json | --text TEXT) --out FILE.safetensors",
		Short: "Write a model's logits for given ids",
		Long: `Logits runs a model on sequences of ids and writes what it computes, in float32:
logits [B,T,V], and with --hidden-states the hidden states [L+1,B,T,C] as Hugging
Face counts them: the embeddings, the output of each block, the last one after the
final norm. FILE.json is a list of equally long lists of ids.`,
		Example: `  echo '[[1,2,3],[4,5,6]]' > ids.json
  olmo logits --model MODEL --ids ids.json --out logits.safetensors
  olmo logits --model MODEL --text "Once upon a time" --out logits.safetensors --hidden-states`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (ids == "") == (text == "") {
				return usageErrorf("give one of --ids FILE.json and --text TEXT")
			}
			if out == "" {
				return usageErrorf("--out is needed")
			}
			bf16, err := precisionFlag(precision)
			if err != nil {
				return err
			}
			m, err := openModel(path, tokenizerName)
			if err != nil {
				return err
			}
			defer m.Close()
			var rows [][]int32
			if ids != "" {
				rows, err = readIDs(ids, m.Config.V)
			} else if err = m.needTokenizer(", or give --ids"); err == nil {
				rows = [][]int32{m.tok.AppendEncode(nil, text)}
			}
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			p.begin("logits")
			defer p.end()
			tensors, err := computeLogits(c, m, rows, logitsOptions{hidden: hidden, bf16: bf16, each: func(done int) {
				p.update(step{done: float64(done), total: float64(len(rows)), unit: "sequences"})
			}})
			if err != nil {
				return err
			}
			return weights.WriteSafetensors(out, tensors, nil)
		},
	}
	f := c.Flags()
	f.StringVar(&path, "model", "", "folder or .gguf file of the model")
	f.StringVar(&ids, "ids", "", "JSON file with a list of equally long lists of ids")
	f.StringVar(&text, "text", "", "a text, for a model with a tokenizer")
	f.StringVar(&out, "out", "", "safetensors file to write")
	f.StringVar(&tokenizerName, "tokenizer", "", "tokenizer for --text, instead of the model's own")
	f.BoolVar(&hidden, "hidden-states", false, "also write the hidden states")
	f.StringVar(&precision, "precision", "fp32", "fp32, or amp_bf16 for the bits of such a run")
	return c
}

// readIDs reads a list of equally long lists of ids below V.
func readIDs(path string, V int) ([][]int32, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows [][]int32
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("%s: %w\nhint: it must be a list of lists of ids, such as [[1,2,3],[4,5,6]]", path, err)
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

type logitsOptions struct {
	hidden, bf16 bool
	each         func(done int) // after each sequence; may be nil
}

// computeLogits runs equally long sequences through a model, whose files it closes, and
// returns logits and, if wanted, hidden_states.
func computeLogits(c *cobra.Command, m *openedModel, rows [][]int32, o logitsOptions) ([]weights.Named, error) {
	cfg, B, T := m.Config, len(rows), len(rows[0])
	if cfg.Position == model.Learned && T > cfg.T {
		return nil, fmt.Errorf("sequences of %d ids, the model has %d learned positions", T, cfg.T)
	}
	g := graph.New()
	cfg.Logits(g, model.Options{Positions: T, Taps: o.hidden})
	p, err := m.dev.Compile(g, device.Options{Rows: T, Selected: T, BF16: o.bf16, Frozen: true})
	if err != nil {
		return nil, err
	}
	if err := m.fill(); err != nil {
		return nil, err
	}
	L := cfg.Layers + 1
	logits := make([]float32, B*T*cfg.V)
	var states []float32
	if o.hidden {
		states = make([]float32, L*B*T*cfg.C)
	}
	for i, ids := range rows {
		if err := c.Context().Err(); err != nil {
			return nil, err
		}
		b := graph.Sequence(ids, 1)
		for r := range ids {
			b.Select = append(b.Select, int32(r))
		}
		if err := p.Run(b); err != nil {
			return nil, err
		}
		copy(logits[i*T*cfg.V:], p.Output("logits"))
		for l := range L {
			if o.hidden {
				copy(states[(l*B+i)*T*cfg.C:], p.Output(fmt.Sprintf("hidden.%d", l)))
			}
		}
		if o.each != nil {
			o.each(i + 1)
		}
	}
	if bad := firstNaN(logits); bad >= 0 {
		return nil, errors.New("the model computes numbers that are not finite\nhint: olmo check says whether its weights are whole")
	}
	out := []weights.Named{{Name: "logits", Tensor: tensor.FromFloat32([]int{B, T, cfg.V}, logits)}}
	if o.hidden {
		out = append(out, weights.Named{Name: "hidden_states", Tensor: tensor.FromFloat32([]int{L, B, T, cfg.C}, states)})
	}
	return out, nil
}

// firstNaN returns the place of the first number that is NaN or infinite, or −1.
func firstNaN(x []float32) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}
