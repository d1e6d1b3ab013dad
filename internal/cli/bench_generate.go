package cli

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"olmo/generate"
	"olmo/lm"
	"olmo/numeric"
)

// benchGenerateReport is the result of `olmo bench generate`.
type benchGenerateReport struct {
	Model        string        `json:"model"`
	Precision    string        `json:"precision"`
	Parameters   int           `json:"parameters"`
	PromptTokens int           `json:"prompt_tokens"`
	MaxTokens    int           `json:"max_tokens"`
	Prefill      float64       `json:"prefill_tokens_per_second"`
	Decode       float64       `json:"decode_tokens_per_second"`
	Parallel     int           `json:"parallel,omitempty"`
	Batch        float64       `json:"batch_tokens_per_second,omitempty"`
	PrefillShare float64       `json:"prefill_share_of_peak"`
	DecodeShare  float64       `json:"decode_share_of_memory"`
	PeakRSS      int64         `json:"peak_rss_bytes"`
	Machine      machineReport `json:"machine"`

	adapter string // of the answers
}

func newBenchGenerateCommand() *cobra.Command {
	var path, size, precision string
	var promptTokens, maxTokens, repeats, together int
	var asJSON bool
	var how modelFlags
	c := &cobra.Command{
		Use:   "generate (--model PATH | --size S|M|L)",
		Short: "Measure reading a prompt and writing an answer",
		Long: `Generate times a random prompt and the tokens after it, greedily, several times,
and reports the medians: prompt tokens per second up to the first token, and tokens
per second from then on. With --parallel so many answers of as many tokens are written
at once, to short prompts, and their tokens per second are counted together.

Decoding is bound by memory: every weight is read for each token. The share of
memory is that of the speed which the weights alone would allow.`,
		Example: `  olmo bench generate --model MODEL --prompt-tokens 512 --max-tokens 128 --json
  olmo bench generate --size L --precision amp_bf16`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (path == "") == (size == "") {
				return usageErrorf("give --model PATH or --size S|M|L")
			}
			if promptTokens < 1 || maxTokens < 2 || repeats < 1 {
				return usageErrorf("--prompt-tokens %d, --max-tokens %d and --repeats %d must be at least 1, 2 and 1", promptTokens, maxTokens, repeats)
			}
			if together < 0 {
				return usageErrorf("--parallel is %d, it must be 0 (not measured) or more", together)
			}
			arithmetic, err := precisionFlag(precision)
			if err != nil {
				return err
			}
			r := &benchGenerateReport{Model: path + size, Precision: precision, PromptTokens: promptTokens, MaxTokens: maxTokens, Parallel: together, adapter: how.first()}
			how.speculate = "off" // tokens are measured one by one
			open := func() (*lm.Model, *lm.Generator, error) {
				if path == "" && arithmetic == numeric.Int8 {
					return nil, nil, usageErrorf("--precision int8 is of a model that is stored in blocks\nhint: name one with --model")
				}
				if path == "" {
					return r.random(size, arithmetic)
				}
				return r.opened(c, path, arithmetic, how)
			}
			if err := r.measure(c, open, arithmetic, repeats); err != nil {
				return err
			}
			return printReport(c.OutOrStdout(), asJSON, r, r.table)
		},
	}
	f := c.Flags()
	f.StringVar(&path, "model", "", "the model: a folder, a run, a .gguf file, a folder with an adapter, or hf:ORG/NAME@REVISION of a hub")
	f.StringVar(&size, "size", "", "a model of random weights instead: S, M or L")
	f.IntVar(&promptTokens, "prompt-tokens", 512, "tokens of the prompt")
	f.IntVar(&maxTokens, "max-tokens", 128, "tokens to generate")
	f.IntVar(&together, "parallel", 0, "answers that are written at once, for a measurement of their own; 0: none")
	f.IntVar(&repeats, "repeats", 3, "how often to measure")
	f.StringVar(&precision, "precision", "fp32", precisionWords())
	how.add(f)
	how.addMemory(f)
	how.addAdapter(f, false)
	f.BoolVar(&asJSON, "json", false, "print one line of JSON")
	return c
}

// opened opens a model.
func (r *benchGenerateReport) opened(c *cobra.Command, path string, arithmetic numeric.Precision, how modelFlags) (*lm.Model, *lm.Generator, error) {
	m, err := openModel(c, path, "", arithmetic, how)
	if err != nil {
		return nil, nil, err
	}
	m.Tokenizer = nil // ids alone are measured
	g, err := r.generator(m)
	return m, g, errors.Join(err, m.Close())
}

// random makes a model of random weights of a size.
func (r *benchGenerateReport) random(size string, arithmetic numeric.Precision) (*lm.Model, *lm.Generator, error) {
	s, err := sizeFlag(size)
	if err != nil {
		return nil, nil, err
	}
	tc := s.config(arithmetic)
	cfg, err := tc.Model.Config()
	if err != nil {
		return nil, nil, err
	}
	cfg.T = max(cfg.T, r.PromptTokens+r.MaxTokens) // rotary positions have no end
	m, err := lm.New(cfg, lm.Options{Precision: arithmetic, NoGuesses: true})
	if err != nil {
		return nil, nil, err
	}
	g, err := r.generator(m)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range cfg.Params() {
		w, err := tc.Model.Init().Weights(cfg, p, 1)
		if err != nil {
			return nil, nil, err
		}
		if err := m.Device.Write(p.Name, w); err != nil {
			return nil, nil, err
		}
	}
	return m, g, nil
}

func (r *benchGenerateReport) generator(m *lm.Model) (*lm.Generator, error) {
	if n := r.PromptTokens + r.MaxTokens; n > m.Config.T {
		return nil, fmt.Errorf("%d tokens do not fit into the model's %d positions\nhint: fewer --prompt-tokens or --max-tokens", n, m.Config.T)
	}
	return m.Generator()
}

// measure fills the report in.
func (r *benchGenerateReport) measure(c *cobra.Command, open func() (*lm.Model, *lm.Generator, error), arithmetic numeric.Precision, repeats int) error {
	m, g, err := open()
	if err != nil {
		return err
	}
	cfg := m.Config
	ids := make([]int32, r.PromptTokens)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i] = int32(random.IntN(max(cfg.VocabSize, 1)))
	}
	p := newProgress(c.ErrOrStderr())
	p.begin("bench generate")
	// The weights are brought into their final form at the first run.
	if _, err := g.Generate(c.Context(), lm.Request{Prompt: ids[:1], MaxTokens: 2, Adapter: r.adapter}); err != nil {
		return err
	}
	var prefill, decode, batch []float64
	for n := range repeats {
		if r.Parallel > 0 {
			speed, err := r.batch(c, m, ids)
			if err != nil {
				return err
			}
			batch = append(batch, speed)
		}
		begin := time.Now()
		var first time.Time
		result, err := g.Generate(c.Context(), lm.Request{Prompt: ids, MaxTokens: r.MaxTokens, Adapter: r.adapter, Fresh: true, Token: func(generate.Event) bool {
			if first.IsZero() {
				first = time.Now()
			}
			return true
		}})
		if err != nil {
			return err
		}
		prefill = append(prefill, float64(len(ids))/first.Sub(begin).Seconds())
		decode = append(decode, float64(len(result.IDs)-1)/time.Since(first).Seconds())
		p.update(step{done: float64(n + 1), total: float64(repeats), unit: "rounds"})
	}
	p.end()
	r.PeakRSS = peakRSS()
	r.Prefill, r.Decode = median(prefill), median(decode)
	if r.Parallel > 0 {
		r.Batch = median(batch)
	}
	// A token reads every weight once, of the embedding only a row, unless the head is the same
	// table.
	var rest int
	r.Parameters, rest = cfg.NumParams()
	if cfg.Tied {
		rest = r.Parameters
	}
	r.Machine = measureMachine()
	bytes := float64(rest) * 4
	switch {
	case m.Files != nil: // as they are stored: of several dtypes, the mean
		bytes *= float64(m.Device.Memory().Params) / float64(4*r.Parameters)
	case arithmetic == numeric.AMPBF16:
		bytes /= 2 // packed weights are kept in two bytes
	}
	r.PrefillShare = r.Prefill * cfg.FLOPs(r.PromptTokens).Forward / 1e9 / r.Machine.peak(arithmetic)
	r.DecodeShare = r.Decode * bytes / 1e9 / r.Machine.MemoryReads
	return nil
}

// batch writes answers at once, to prompts of a few tokens that differ, and returns their tokens per second.
func (r *benchGenerateReport) batch(c *cobra.Command, m *lm.Model, ids []int32) (float64, error) {
	requests := make([]lm.Request, r.Parallel)
	for i := range requests {
		prompt := append([]int32{int32(i % max(m.Config.VocabSize, 1))}, ids[:min(15, len(ids))]...)
		requests[i] = lm.Request{Prompt: prompt, MaxTokens: r.MaxTokens, Adapter: r.adapter, Fresh: true}
	}
	tokens, begin := 0, time.Now()
	err := m.Writer(lm.WriterOptions{}).Write(c.Context(), requests, func(_ int, a lm.Answer) error {
		tokens += len(a.IDs)
		return nil
	})
	return float64(tokens) / time.Since(begin).Seconds(), err
}

func (r *benchGenerateReport) table(out io.Writer) error {
	r.Machine.print(out)
	fmt.Fprintf(out, "model    %s, %s, %d parameters, peak memory %.0f MB\n", r.Model, r.Precision, r.Parameters, float64(r.PeakRSS)/1e6)
	fmt.Fprintf(out, "prefill  %.1f tokens/s of a prompt of %d, %.0f %% of the peak\n", r.Prefill, r.PromptTokens, 100*r.PrefillShare)
	_, err := fmt.Fprintf(out, "decode   %.1f tokens/s of %d, %.0f %% of what memory allows\n", r.Decode, r.MaxTokens, 100*r.DecodeShare)
	if r.Parallel > 0 && err == nil {
		_, err = fmt.Fprintf(out, "batch    %.1f tokens/s of %d answers at once\n", r.Batch, r.Parallel)
	}
	return err
}
