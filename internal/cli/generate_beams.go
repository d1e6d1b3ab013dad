package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/generate"
	"olmo/lm"
)

// beamFlags are those of a beam search.
type beamFlags struct {
	beams, perNode, results int
	like, early             string
	lengthPenalty           float64
	request                 generate.BeamRequest
}

func (b *beamFlags) add(f *pflag.FlagSet) {
	f.IntVar(&b.beams, "beams", 0, "search the best continuations with so many hypotheses")
	f.StringVar(&b.like, "beam-search", "olmo", "of --beams: search as this program does, olmo or hf (Transformers)")
	f.IntVar(&b.perNode, "per-node-beams", 0, "of --beams, olmo: most successors of one hypothesis (default: as many as beams)")
	f.Float64Var(&b.lengthPenalty, "length-penalty", 1, "of --beams: the score is the sum of log-probabilities over length^this (olmo, without it: the sum)")
	f.StringVar(&b.early, "early-stopping", "false", "of --beams, hf: end once there are as many complete continuations as beams: true, false (a guess) or never (before none can be better)")
	f.Lookup("early-stopping").NoOptDefVal = "true"
	f.IntVar(&b.results, "return", 0, "of --beams: so many of the best continuations (default: all; hf: 1)")
}

// beamSampling are the sampling flags that a beam has too.
var beamSampling = []string{"min-tokens", "no-repeat-ngram", "repetition-penalty"}

// check refuses flags that do not go together.
func (b *beamFlags) check(c *cobra.Command, o *generateOptions) error {
	changed := func(add func(f *pflag.FlagSet)) (names []string) {
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		add(f)
		f.VisitAll(func(f *pflag.Flag) {
			if c.Flags().Changed(f.Name) {
				names = append(names, f.Name)
			}
		})
		return names
	}
	if !c.Flags().Changed("beams") {
		if names := changed(new(beamFlags).add); len(names) > 0 {
			return usageErrorf("--%s has no effect without --beams", names[0])
		}
		return nil
	}
	for _, name := range changed(new(samplingFlags).add) {
		if !slices.Contains(beamSampling, name) {
			return usageErrorf("--%s does not go with --beams, which draws nothing\nhint: of a sampler's settings a beam has --%s", name, strings.Join(beamSampling, ", --"))
		}
	}
	for _, name := range []string{"samples", "stop"} {
		if c.Flags().Changed(name) {
			return usageErrorf("--%s does not go with --beams", name)
		}
	}
	b.request = generate.BeamRequest{
		MaxTokens: o.maxTokens, Beams: b.beams, PerNode: b.perNode, MinTokens: o.sampling.MinTokens, NoRepeatNGram: o.sampling.NoRepeatNGram,
		RepetitionPenalty: o.sampling.Penalties.Repetition, Return: b.results, EarlyStopping: generate.Early(b.early),
	}
	if b.early == "false" {
		b.request.EarlyStopping = generate.EarlyGuess
	}
	switch b.like {
	case "olmo":
	case "hf":
		b.request.LikeHF = true
	default:
		return usageErrorf("--beam-search %q is not known\nhint: one of olmo, hf", b.like)
	}
	if c.Flags().Changed("length-penalty") {
		b.request.LengthPenalty = &b.lengthPenalty
	}
	for flag, value := range map[string]int{"per-node-beams": b.perNode, "return": b.results} {
		if c.Flags().Changed(flag) && value < 1 {
			return usageErrorf("--%s is %d, it must be 1 or more", flag, value)
		}
	}
	if err := b.request.Check(); err != nil {
		return usageErrorf("--%w", err)
	}
	return nil
}

// search prints the best continuations of texts.
func (o *generateOptions) search(c *cobra.Command, m *lm.Model, texts []string, prompts [][]int32, r lm.Request) error {
	out := bufio.NewWriter(c.OutOrStdout())
	adapter, err := m.AdapterNumber(r.Adapter)
	if err != nil {
		return err
	}
	for i, prompt := range prompts {
		q := o.beams.request
		q.Prompt, q.Stop, q.Adapter = prompt, r.Stop, adapter
		found, err := m.Beams(c.Context(), q)
		if err != nil {
			return err
		}
		switch {
		case o.asJSON:
			r.Prompt = prompt
			line, err := o.beamJSON(found, r)
			if err != nil {
				return err
			}
			out.Write(append(line, '\n'))
		case len(prompts) == 1 && o.beams.results == 0:
			printSequence(out, m, found[0])
		default:
			for _, s := range found[:max(1, min(o.beams.results, len(found)))] {
				fmt.Fprintf(out, "==> %s, score %.4f <==\n", strings.Join(strings.Fields(texts[i]), " "), s.Score)
				printSequence(out, m, s)
				fmt.Fprintln(out)
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// printSequence writes a continuation's text, or its ids where there is no tokenizer.
func printSequence(out *bufio.Writer, m *lm.Model, s lm.Continuation) {
	if m.Tokenizer == nil {
		for _, id := range s.IDs {
			fmt.Fprint(out, id, " ")
		}
	}
	fmt.Fprintln(out, s.Text)
}

// beamJSON is a line of --json: the best continuation as an answer's line has it, and all of them.
func (o *generateOptions) beamJSON(found []lm.Continuation, q lm.Request) ([]byte, error) {
	best := found[0]
	a := lm.Answer{Text: best.Text}
	a.IDs, a.Logprobs, a.Reason, a.Stop = best.IDs, best.Logprobs, "length", -1
	if slices.Contains(q.Stop, best.IDs[len(best.IDs)-1]) {
		a.Reason = "stop"
	}
	type sequence struct {
		IDs   []int32 `json:"ids"`
		Text  string  `json:"text"`
		Score float64 `json:"score"`
	}
	var sequences []sequence
	for _, s := range found {
		sequences = append(sequences, sequence{s.IDs, s.Text, s.Score})
	}
	return json.Marshal(struct {
		reply
		Sequences []sequence `json:"sequences"`
	}{o.replyOf(a, q), sequences})
}
