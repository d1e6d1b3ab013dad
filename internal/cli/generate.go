package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/generate"
	"olmo/lm"
	"olmo/lm/rows"
)

// generateOptions are the flags of `olmo generate`.
type generateOptions struct {
	model, tokenizer string
	prompts          []string
	ids              string
	stops            []string
	samples          int
	maxTokens        int
	sampling         samplingFlags
	stopIDs          string
	beams            beamFlags
	ignoreEOS        bool
	precision        string
	asJSON           bool
	echo             bool
	topLogprobs      int
	postSampling     bool
	how              modelFlags
	form             formFlags
	rows             rowFlags
	fingerprint      string // of the model, for --json
	counted          bool   // what ran ahead is, there, too
}

func newGenerateCommand() *cobra.Command {
	var o generateOptions
	c := &cobra.Command{
		Use:   "generate --model PATH (TEXT | --prompt TEXT… | --ids LIST | --input FILE --output FILE)",
		Short: "Continue a text with a model",
		Long: `Generate continues a text. PATH is a Hugging Face folder, an ai2-olmo folder, a
stepN of a run, a run or quickstart folder (its latest step), or a .gguf file.

The text goes to standard output as it comes, in whole characters, without the
prompt; it ends at the model's end of text, or after --max-tokens tokens. The same
command gives the same text on every machine: a sampled token depends on the
prompt, the settings and the seed alone.

Several texts, or several --samples of one, are continued together, each as it would
be alone: sample k has the seed --seed + k. They are printed under a heading each, in
their order, or as a line of JSON each.

Samplers have llama.cpp's names and definitions. Penalties come first, then the
temperature, then the cuts; with --top-n-sigma, --typical-p, --min-p or
--xtc-probability the cuts come before the temperature, as in llama.cpp. --samplers
sets another order.

--schema, --grammar, --regex, --choice and --json-mode hold an answer to a form: it ends
complete, or because of its length, which is then said. What can't be held to is an
error that names the place (docs/inference.md, "Constraints").

Where the last words have come before, what followed them is read ahead, as far as that
makes the answer faster: it has the same bits. --speculate off does without; --draft names
a smaller model that guesses where the text has nothing to say.

With --input each row of a file is answered, many at once: {"prompt": …} (a text or ids) or
{"messages": […]} a line, in which max_tokens, temperature, top_k, top_p, min_p, typical_p,
top_n_sigma, dynatemp_range, dynatemp_exponent, mirostat, mirostat_tau, mirostat_eta, seed, stop,
min_tokens, no_repeat_ngram_size, top_logprobs, adapter and the penalties may stand. --output has the
same rows in their order, each with ids, text, logprobs, finish_reason, usage, seed and fingerprint, which names the weights, the tokenizer and the arithmetic. A row that cannot be answered
is left out, and kept with its reason in OUTPUT.rejects.jsonl. A run that was stopped goes on.

With --adapter the product of an adapter is added to the model's own, whose weights stay as
they are stored. Of several each row of --input has the one that its key adapter names, null
none, and all run at once.

With --beams the best continuations are searched instead, as OLMo's generate does it,
or with --beam-search hf as Transformers' does. The best one is printed; --return N
prints N.`,
		Example: `  olmo generate --model olmo-quickstart "Package json implements"
  olmo generate --model olmo-quickstart --temperature 0.8 --top-p 0.95 --seed 7 "Package json"
  olmo generate --model olmo-quickstart --stop . --prompt "Package json" --prompt "Package http"
  olmo generate --model olmo-quickstart --temperature 1 --samples 3 "The function"
  olmo generate --model olmo-quickstart --beams 4 --length-penalty 1 "Package json"
  olmo generate --model olmo-quickstart --temperature 1.2 --min-p 0.05 --repetition-penalty 1.1 "Package json"
  olmo generate --model olmo-quickstart --temperature 1 --mirostat 2 --mirostat-ent 4 "Package json"
  olmo generate --model MODEL --ids "3,14,15" --max-tokens 20 --json
  olmo generate --model olmo-quickstart --json --echo --top-logprobs 5 --max-tokens 1 "Package json"
  olmo generate --model MODEL --schema person.json "Describe a person as JSON."
  olmo generate --model olmo-quickstart --choice yes,no "Is json a package? Answer:"
  olmo generate --model olmo-quickstart --input prompts.jsonl --output answers.jsonl --parallel 32
  olmo generate --model MODEL --draft SMALLER-MODEL "Package json"
  olmo generate --model MODEL --speculate off --max-tokens 200 "Package json"
  olmo generate --model MODEL --adapter tuned "Once upon a"
  olmo generate --model MODEL --adapter a=tuned --adapter b=preferred --input prompts.jsonl --output answers.jsonl
  olmo generate --model MODEL - < prompt.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageErrorf("%d texts are given\nhint: quote the text; for several, --prompt may be repeated", len(args))
			}
			given := 0
			for _, name := range []string{"prompt", "ids"} {
				if c.Flags().Changed(name) {
					given++
				}
			}
			given += len(args)
			if err := o.rows.check(c, given); err != nil {
				return err
			}
			if given != 1 && o.rows.input == "" {
				return usageErrorf("give one of TEXT, --prompt TEXT, --ids LIST or --input FILE")
			}
			switch {
			case o.samples < 1:
				return usageErrorf("--samples is %d, it must be 1 or more", o.samples)
			case slices.Contains(o.stops, ""):
				return usageErrorf("--stop is empty, and would end every text before it begins")
			}
			if err := o.form.check(c); err != nil {
				return err
			}
			if len(args) == 0 {
				args = o.prompts
			}
			return runGenerate(c, o, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "the model: a folder, a run, a .gguf file, a folder with an adapter, or hf:ORG/NAME@REVISION of a hub")
	f.StringArrayVar(&o.prompts, "prompt", nil, "the `text` to continue; - reads standard input; may be repeated")
	f.StringVar(&o.ids, "ids", "", "the token ids to continue, separated by commas or spaces")
	f.IntVar(&o.maxTokens, "max-tokens", 128, "most tokens to generate")
	o.sampling.add(f)
	f.IntVar(&o.samples, "samples", 1, "continuations of each text; sample k has the seed --seed + k")
	f.StringArrayVar(&o.stops, "stop", nil, "end before this `text`; may be repeated")
	f.StringVar(&o.stopIDs, "stop-ids", "", "end before these token `ids` too")
	o.form.add(f)
	o.beams.add(f)
	o.rows.add(c)
	f.BoolVar(&o.echo, "echo", false, "of --json and --input: also the prompt's ids and log-probabilities")
	f.IntVar(&o.topLogprobs, "top-logprobs", 0, "of --json and --input: so many of the most probable tokens beside each, with --echo the prompt's too")
	f.BoolVar(&o.postSampling, "post-sampling-probs", false, "of --json and --input: also the probabilities after all samplers")
	f.BoolVar(&o.ignoreEOS, "ignore-eos", false, "go on after an end of text")
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to use instead of the model's")
	o.how.add(f)
	o.how.addMemory(f)
	o.how.addSpeculate(f)
	o.how.addAdapter(f, true)
	f.StringVar(&o.precision, "precision", "fp32", precisionWords())
	f.BoolVar(&o.asJSON, "json", false, "print one line of JSON: ids, text, logprobs")
	return c
}

func runGenerate(c *cobra.Command, o generateOptions, texts []string) error {
	arithmetic, err := precisionFlag(o.precision)
	if err != nil {
		return err
	}
	if err := o.beams.check(c, &o); err != nil {
		return err
	}
	if err := o.sampling.check(c); err != nil {
		return err
	}
	stops, err := parseIDs("--stop-ids", o.stopIDs)
	if err != nil {
		return err
	}
	for _, flag := range []string{"echo", "top-logprobs", "post-sampling-probs"} {
		switch {
		case !c.Flags().Changed(flag):
		case !o.asJSON && o.rows.input == "":
			return usageErrorf("--%s has no effect without --json or --input", flag)
		case o.beams.beams > 0:
			return usageErrorf("--%s does not go with --beams", flag)
		}
	}
	if err := generate.CheckTopLogprobs(o.topLogprobs); err != nil {
		return usageErrorf("--%w", err)
	}
	if o.maxTokens < 0 {
		return usageErrorf("--max-tokens is %d, it must be 0 or more", o.maxTokens)
	}
	if o.rows.input == "" { // where rows have their own
		if err := generate.CheckTokens(o.sampling.MinTokens, o.maxTokens, o.maxTokens); err != nil {
			return usageErrorf("--%w", err)
		}
	}
	grammar, err := o.form.read(c)
	if err != nil {
		return err
	}
	var prompts [][]int32
	if c.Flags().Changed("ids") {
		prompt, err := parseIDs("--ids", o.ids)
		if err != nil {
			return err
		}
		prompts, texts = [][]int32{prompt}, []string{o.ids}
	}
	for i, text := range texts {
		if text == "-" && prompts == nil {
			in, err := io.ReadAll(c.InOrStdin())
			if err != nil {
				return fmt.Errorf("reading the prompt: %w", err)
			}
			texts[i] = strings.TrimSuffix(string(in), "\n") // echo's, not the prompt's
		}
	}
	m, err := openModel(c, o.model, o.tokenizer, arithmetic, o.how)
	if err != nil {
		return err
	}
	defer m.Close()
	if prompts == nil && o.rows.input == "" {
		if err := needTokenizer(m, ", or give token ids with --ids"); err != nil {
			return err
		}
		for _, text := range texts {
			prompt, err := m.Encode(text)
			if err != nil {
				return err
			}
			prompts = append(prompts, prompt)
		}
	}
	if len(o.stops) > 0 {
		if err := needTokenizer(m, ", which --stop wants"); err != nil {
			return err
		}
	}
	for _, id := range stops {
		if int(id) >= m.Config.V {
			return fmt.Errorf("--stop-ids: id %d is outside the model's vocabulary of %d", id, m.Config.V)
		}
	}
	settings, err := o.sampling.of(m)
	if err != nil {
		return err
	}
	request := lm.Request{MaxTokens: o.maxTokens, Sampling: settings, Adapter: o.how.first(), Stop: stops, StopTexts: o.stops, Echo: o.echo, TopLogprobs: o.topLogprobs, PostSampling: o.postSampling}
	if request.Form, err = o.form.of(c, m, grammar); err != nil {
		return err
	}
	if o.rows.input != "" {
		return o.rows.run(c, m, rows.Options{Request: request, IgnoreEOS: o.ignoreEOS, Held: o.form.text(c)})
	}
	if !o.ignoreEOS {
		request.Stop = slices.Concat(m.StopOf(request.Adapter), stops)
	}
	o.counted = c.Flags().Changed("speculate") || c.Flags().Changed("draft")
	if o.asJSON { // once: all weights are read for it
		if o.fingerprint, err = m.FingerprintOf(request.Adapter); err != nil {
			return err
		}
	}
	if o.beams.beams > 0 {
		return o.search(c, m, texts, prompts, request)
	}
	if len(prompts)*o.samples > 1 {
		return o.several(c, m, texts, prompts, request)
	}
	prompt := prompts[0]
	g, err := m.Generator()
	if err != nil {
		return err
	}
	request.Prompt = prompt
	return o.generate(c, m, g, request)
}

// several continues texts together, and prints each when those before it are done.
func (o *generateOptions) several(c *cobra.Command, m *lm.Model, texts []string, prompts [][]int32, request lm.Request) error {
	var requests []lm.Request
	for _, p := range prompts {
		for k := range o.samples {
			r := request
			r.Prompt = p
			r.Sampling.Seed += uint64(k)
			requests = append(requests, r)
		}
	}
	w := m.Writer(lm.WriterOptions{})
	p := newProgress(c.ErrOrStderr())
	p.begin("texts")
	answers, done, next := make([]*lm.Answer, len(requests)), 0, 0
	out := bufio.NewWriter(c.OutOrStdout())
	err := w.Write(c.Context(), requests, func(i int, a lm.Answer) error {
		answers[i] = &a
		done++
		p.update(step{done: float64(done), total: float64(len(requests)), unit: "texts"})
		for ; next < len(answers) && answers[next] != nil; next++ {
			if err := o.print(out, m, texts[next/o.samples], requests[next], *answers[next]); err != nil {
				return err
			}
			o.form.sayCut(c, p, *answers[next])
		}
		return out.Flush()
	})
	p.end()
	return err
}

// print writes one of several answers.
func (o *generateOptions) print(out *bufio.Writer, m *lm.Model, text string, r lm.Request, a lm.Answer) error {
	if o.asJSON {
		line, err := json.Marshal(o.replyOf(a, r))
		out.Write(append(line, '\n'))
		return err
	}
	if o.samples > 1 {
		text += fmt.Sprintf(", seed %d", r.Sampling.Seed)
	}
	fmt.Fprintf(out, "==> %s <==\n", strings.Join(strings.Fields(text), " "))
	if m.Tokenizer == nil {
		for _, id := range a.IDs {
			fmt.Fprint(out, id, " ")
		}
	}
	fmt.Fprintf(out, "%s\n\n", a.Text)
	return nil
}

// generate prints the continuation of a prompt: as it comes, or as one line of JSON.
func (o *generateOptions) generate(c *cobra.Command, m *lm.Model, g *lm.Generator, q lm.Request) error {
	out := bufio.NewWriter(c.OutOrStdout())
	write := func(text string) bool {
		out.WriteString(text)
		return out.Flush() == nil // else the reader has gone
	}
	var began time.Time // of the second token: the first one waits for the whole prompt
	q.Token = func(v generate.Event) bool {
		if began.IsZero() {
			began = time.Now()
		}
		return o.asJSON || m.Tokenizer != nil || write(strconv.Itoa(int(v.ID))+" ")
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
		line, jsonErr := json.Marshal(o.replyOf(r, q))
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
	o.form.sayCut(c, p, r)
	if r.Reason == "length" && len(r.IDs) < o.maxTokens {
		p.print(fmt.Sprintf("olmo generate: stopped at the model's %d positions", m.Config.T))
	}
	if n := len(r.IDs); n > 1 && p.live {
		text := fmt.Sprintf("%d tokens, %.1f tokens/s", n, float64(n-1)/seconds)
		if r.Proposed > 0 {
			text += fmt.Sprintf(", %d of %d that ran ahead came true", r.Accepted, r.Proposed)
		}
		p.print(text)
	}
	return nil
}

// reply is what a line of --json has of an answer.
type reply struct {
	rows.Reply
	// Speculation counts what ran ahead; nil where no flag asks: it may differ from run to run.
	Speculation *speculation `json:"speculation,omitempty"`
}

type speculation struct {
	Proposed int `json:"proposed_tokens"`
	Accepted int `json:"accepted_tokens"`
}

func (o *generateOptions) replyOf(a lm.Answer, q lm.Request) reply {
	r := reply{Reply: rows.ReplyOf(a, q, o.fingerprint)}
	r.PromptIDs = q.Prompt
	if o.counted {
		r.Speculation = &speculation{a.Proposed, a.Accepted}
	}
	return r
}

// parseIDs reads a list such as "1,2,3" or "[1, 2, 3]".
func parseIDs(flag, list string) ([]int32, error) {
	list = strings.TrimSpace(list)
	if inner, ok := strings.CutPrefix(list, "["); ok {
		list = strings.TrimSuffix(inner, "]")
	}
	ids := []int32{}
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		id, err := strconv.ParseInt(word, 10, 32)
		if err != nil || id < 0 {
			return nil, usageErrorf("%s: %q is no token id", flag, word)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}
