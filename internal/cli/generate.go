package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/generate"
	"olmo/lm"
)

// generateOptions are the flags of `olmo generate`.
type generateOptions struct {
	model, tokenizer string
	prompt, ids      string
	maxTokens        int
	sampling         generate.Sampling
	ignoreEOS        bool
	precision        string
	asJSON           bool
	ignoreExtra      bool
}

func newGenerateCommand() *cobra.Command {
	var o generateOptions
	c := &cobra.Command{
		Use:   "generate --model PATH (TEXT | --prompt TEXT | --ids LIST)",
		Short: "Continue a text with a model",
		Long: `Generate continues a text. PATH is a Hugging Face folder, an ai2-olmo folder, a
stepN of a run, a run or quickstart folder (its latest step), or a .gguf file.

The text goes to standard output as it comes, in whole characters, without the
prompt; it ends at the model's end of text, or after --max-tokens tokens. The same
command gives the same text on every machine: a sampled token depends on the
prompt, the settings and the seed alone.`,
		Example: `  olmo generate --model olmo-quickstart "Package json implements"
  olmo generate --model olmo-quickstart --temperature 0.8 --top-p 0.95 --seed 7 "Package json"
  olmo generate --model MODEL --ids "3,14,15" --max-tokens 20 --json
  olmo generate --model MODEL - < prompt.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageErrorf("%d texts are given\nhint: quote the text", len(args))
			}
			given := 0
			for _, name := range []string{"prompt", "ids"} {
				if c.Flags().Changed(name) {
					given++
				}
			}
			if given+len(args) != 1 {
				return usageErrorf("give one of TEXT, --prompt TEXT or --ids LIST")
			}
			if len(args) == 1 {
				o.prompt = args[0]
			}
			return runGenerate(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "the model: a folder, a run, or a .gguf file")
	f.StringVar(&o.prompt, "prompt", "", "the text to continue; - reads standard input")
	f.StringVar(&o.ids, "ids", "", "the token ids to continue, separated by commas or spaces")
	f.IntVar(&o.maxTokens, "max-tokens", 128, "most tokens to generate")
	addSamplingFlags(c, &o.sampling)
	f.BoolVar(&o.ignoreEOS, "ignore-eos", false, "go on after an end of text")
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to use instead of the model's")
	ignoreExtraFlag(f, &o.ignoreExtra)
	f.StringVar(&o.precision, "precision", "fp32", "arithmetic: fp32, or amp_bf16 for the bits of such a training run")
	f.BoolVar(&o.asJSON, "json", false, "print one line of JSON: ids, text, logprobs")
	return c
}

func addSamplingFlags(c *cobra.Command, s *generate.Sampling) {
	f := c.Flags()
	f.Float64Var(&s.Temperature, "temperature", 0, "0: the most probable token; higher: more varied")
	f.IntVar(&s.TopK, "top-k", 0, "sample from so many of the most probable tokens; 0: all")
	f.Float64Var(&s.TopP, "top-p", 0, "sample from the most probable tokens that reach this probability; 0: all")
	f.Uint64Var(&s.Seed, "seed", 0, "another seed, another sample")
}

func runGenerate(c *cobra.Command, o generateOptions) error {
	bf16, err := precisionFlag(o.precision)
	if err != nil {
		return err
	}
	if err := o.sampling.Check(); err != nil {
		return &usageError{err}
	}
	if o.maxTokens < 0 {
		return usageErrorf("--max-tokens is %d, it must be 0 or more", o.maxTokens)
	}
	var prompt []int32
	if c.Flags().Changed("ids") {
		if prompt, err = parseIDs(o.ids); err != nil {
			return err
		}
	}
	if o.prompt == "-" {
		text, err := io.ReadAll(c.InOrStdin())
		if err != nil {
			return fmt.Errorf("reading the prompt: %w", err)
		}
		o.prompt = strings.TrimSuffix(string(text), "\n") // echo's, not the prompt's
	}
	m, err := openModel(c, o.model, o.tokenizer, bf16, o.ignoreExtra)
	if err != nil {
		return err
	}
	defer m.Close()
	if prompt == nil {
		if err := needTokenizer(m, ", or give token ids with --ids"); err != nil {
			return err
		}
		if prompt, err = m.Encode(o.prompt); err != nil {
			return err
		}
	}
	// Room for this text alone: a model with many positions would ask for much memory.
	// An engine wants room for one token more than the prompt, also where none is asked for.
	g, err := m.Generator(lm.GeneratorOptions{Positions: min(m.Config.T, max(len(prompt), 1)+max(o.maxTokens, 1)), Rows: min(256, max(len(prompt), 1))})
	if err != nil {
		return err
	}
	return o.generate(c, m, g, prompt)
}

// generate prints the continuation of a prompt: as it comes, or as one line of JSON.
func (o *generateOptions) generate(c *cobra.Command, m *lm.Model, g *lm.Generator, prompt []int32) error {
	out := bufio.NewWriter(c.OutOrStdout())
	write := func(text string) bool {
		out.WriteString(text)
		return out.Flush() == nil // else the reader has gone
	}
	q := lm.Request{Prompt: prompt, MaxTokens: o.maxTokens, Sampling: o.sampling, Stop: m.Stop}
	if o.ignoreEOS {
		q.Stop = nil
	}
	var began time.Time // of the second token: the first one waits for the whole prompt
	q.Token = func(id int32, _ float64) bool {
		if began.IsZero() {
			began = time.Now()
		}
		return o.asJSON || m.Tokenizer != nil || write(strconv.Itoa(int(id))+" ")
	}
	if !o.asJSON {
		q.Text = write
	}
	r, err := g.Generate(c.Context(), q)
	if err != nil && len(r.IDs) == 0 {
		return err
	}
	seconds := time.Since(began).Seconds()
	if o.asJSON {
		line, jsonErr := answerJSON(r, prompt)
		if jsonErr != nil {
			return errors.Join(err, jsonErr)
		}
		out.Write(line)
	}
	out.WriteByte('\n')
	if flushErr := out.Flush(); flushErr != nil && err == nil {
		err = flushErr
	}
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	if r.Reason == "length" && len(r.IDs) < o.maxTokens {
		p.print(fmt.Sprintf("olmo generate: stopped at the model's %d positions", m.Config.T))
	}
	if n := len(r.IDs); n > 1 && p.live {
		p.print(fmt.Sprintf("%d tokens, %.1f tokens/s", n, float64(n-1)/seconds))
	}
	return nil
}

// answerJSON is a line of --json. Its ids end with that of the end of text, as reference
// programs list it.
func answerJSON(r lm.Answer, prompt []int32) ([]byte, error) {
	if r.Stop >= 0 {
		r.IDs, r.Logprobs = append(r.IDs, r.Stop), append(r.Logprobs, r.StopLogprob)
	}
	return json.Marshal(struct {
		IDs      []int32   `json:"ids"`
		Text     string    `json:"text"`
		Logprobs []float64 `json:"logprobs"`
		Prompt   []int32   `json:"prompt_ids"`
		Reason   string    `json:"finish_reason"`
	}{r.IDs, r.Text, r.Logprobs, prompt, r.Reason})
}

// parseIDs reads a list such as "1,2,3" or "[1, 2, 3]".
func parseIDs(list string) ([]int32, error) {
	list = strings.TrimSpace(list)
	if inner, ok := strings.CutPrefix(list, "["); ok {
		list = strings.TrimSuffix(inner, "]")
	}
	ids := []int32{}
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		id, err := strconv.ParseInt(word, 10, 32)
		if err != nil || id < 0 {
			return nil, usageErrorf("--ids: %q is no token id", word)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}
