package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/generate"
	"olmo/lm"
)

// samplingFlags are those that say how the next token is chosen.
type samplingFlags struct {
	generate.Sampling
	samplers          string
	bias              []string
	badWords          []string
	breakers          []string
	allowed, excluded string
}

func (s *samplingFlags) add(f *pflag.FlagSet) {
	f.Float64Var(&s.Temperature, "temperature", 0, "0: the most probable token; higher: more varied")
	f.IntVar(&s.TopK, "top-k", 0, "sample from so many of the most probable tokens; 0: all")
	f.Float64Var(&s.TopP, "top-p", 0, "sample from the most probable tokens that reach this probability; 0: all")
	f.Uint64Var(&s.Seed, "seed", 0, "another seed, another sample")
	f.Float64Var(&s.MinP, "min-p", 0, "sample from tokens with at least this share of the largest probability; 0: all")
	f.Float64Var(&s.Typical, "typical-p", 0, "sample from the most typical tokens that reach this probability; 0: all")
	f.Float64Var(&s.TopNSigma, "top-n-sigma", 0, "sample from logits so many standard deviations below the largest; 0: all")
	f.Float64Var(&s.XTC.Probability, "xtc-probability", 0, "how often the most probable tokens are left out; 0: never")
	f.Float64Var(&s.XTC.Threshold, "xtc-threshold", 0.1, "of --xtc-probability: tokens from this probability on, but for the least probable of them")
	f.Float64Var(&s.Penalties.Repetition, "repetition-penalty", 1, "divide the logits of tokens that have come; 1: none")
	f.Float64Var(&s.Penalties.Presence, "presence-penalty", 0, "take off the logits of tokens that have come")
	f.Float64Var(&s.Penalties.Frequency, "frequency-penalty", 0, "take off the logits of tokens, for each time that they have come")
	f.IntVar(&s.Penalties.LastN, "repeat-last-n", 64, "these penalties see so many tokens of prompt and answer; -1: all")
	f.Float64Var(&s.DRY.Multiplier, "dry-multiplier", 0, "lower the logits of tokens that carry a repetition on (DRY); 0: none")
	f.Float64Var(&s.DRY.Base, "dry-base", 1.75, "of --dry-multiplier: to the power of the repetition's length less --dry-allowed-length")
	f.IntVar(&s.DRY.AllowedLength, "dry-allowed-length", 2, "of --dry-multiplier: shorter repetitions are let be")
	f.IntVar(&s.DRY.LastN, "dry-last-n", 0, "of --dry-multiplier: so many tokens are looked at; 0: all")
	f.StringArrayVar(&s.breakers, "dry-sequence-breaker", []string{"\n", ":", `"`, "*"}, "of --dry-multiplier: no repetition reaches across this `text`; may be repeated; none for none")
	f.Float64Var(&s.DynaTemp.Range, "dynatemp-range", 0, "let the temperature follow the entropy, so far up and down; 0: no")
	f.Float64Var(&s.DynaTemp.Exponent, "dynatemp-exp", 1, "of --dynatemp-range: to this power of the entropy")
	f.IntVar(&s.Mirostat.Version, "mirostat", 0, "hold the surprise of tokens near --mirostat-ent, by version 1 or 2, in place of all samplers but the temperature; 0: no")
	f.Float64Var(&s.Mirostat.Rate, "mirostat-lr", 0.1, "of --mirostat: how far a token moves the bound")
	f.Float64Var(&s.Mirostat.Entropy, "mirostat-ent", 5, "of --mirostat: the surprise that is aimed at, in bits")
	f.StringVar(&s.samplers, "samplers", "", "the `order` of the samplers, such as \"penalties;temperature;top_k;top_p\" (docs/inference.md)")
	f.StringArrayVar(&s.bias, "logit-bias", nil, "add to the logit of an id or of each token of a text, as in \"15:-2.5\" or \" the:-inf\"; may be repeated")
	f.StringVar(&s.allowed, "allowed-ids", "", "only these token `ids`")
	f.StringVar(&s.excluded, "banned-ids", "", "never these token `ids`")
	f.StringArrayVar(&s.badWords, "bad-word", nil, "never the tokens of this `text`; may be repeated")
	f.IntVar(&s.NoRepeatNGram, "no-repeat-ngram", 0, "no sequence of so many tokens comes twice; 0: any")
	f.IntVar(&s.MinTokens, "min-tokens", 0, "no end of text before so many tokens")
}

// samplingNeeds are flags that say nothing without another one.
var samplingNeeds = map[string]string{
	"xtc-threshold": "xtc-probability", "dry-base": "dry-multiplier", "dry-allowed-length": "dry-multiplier",
	"dry-last-n": "dry-multiplier", "dry-sequence-breaker": "dry-multiplier",
	"dynatemp-exp": "dynatemp-range", "mirostat-lr": "mirostat", "mirostat-ent": "mirostat",
}

// check refuses settings that make no sense, or have no effect. It reads those that need no tokenizer.
func (s *samplingFlags) check(c *cobra.Command) error {
	for flag, other := range samplingNeeds {
		if c.Flags().Changed(flag) && !c.Flags().Changed(other) {
			return usageErrorf("--%s has no effect without --%s", flag, other)
		}
	}
	p := s.Penalties
	switch {
	case c.Flags().Changed("repeat-last-n") && p.Presence == 0 && p.Frequency == 0 && p.Repetition == 1:
		return usageErrorf("--repeat-last-n has no effect without --repetition-penalty, --presence-penalty or --frequency-penalty")
	case p.LastN == 0 || p.LastN < -1:
		return usageErrorf("--repeat-last-n is %d, it must be 1 or more, or -1 for all\nhint: without penalties no window is needed", p.LastN)
	case p.Repetition == 0:
		return usageErrorf("--repetition-penalty is 0, it must lie between 0.001 and 1000; 1 is none")
	case s.DRY.Base == 0:
		return usageErrorf("--dry-base is 0, it must lie between 1 and 1000")
	case c.Flags().Changed("dynatemp-exp") && s.DynaTemp.Exponent == 0:
		return usageErrorf("--dynatemp-exp is 0, it must be more, up to 1000")
	case s.Mirostat.Rate == 0:
		return usageErrorf("--mirostat-lr is 0, it must be more, up to 1000")
	case s.Mirostat.Entropy == 0:
		return usageErrorf("--mirostat-ent is 0, it must be more, up to 1000")
	case s.DRY.AllowedLength < 1:
		return usageErrorf("--dry-allowed-length is %d, it must be 1 or more", s.DRY.AllowedLength)
	}
	for _, flag := range []string{"min-p", "typical-p", "top-n-sigma", "xtc-probability", "dynatemp-range", "mirostat"} {
		if s.Temperature == 0 && c.Flags().Changed(flag) {
			return usageErrorf("--%s has no effect at temperature 0, which takes the most probable token\nhint: --temperature 1", flag)
		}
	}
	s.Order = strings.FieldsFunc(s.samplers, func(r rune) bool { return r == ';' || r == ',' || r == ' ' })
	if len(s.Order) == 0 && c.Flags().Changed("samplers") {
		return usageErrorf("--samplers is empty\nhint: such as \"penalties;temperature;top_k;top_p\"")
	}
	switch {
	case slices.Contains(s.badWords, ""):
		return usageErrorf("--bad-word is empty")
	case slices.Contains(s.breakers, ""):
		return usageErrorf("--dry-sequence-breaker is empty")
	}
	for _, list := range []struct {
		flag, ids string
		to        *[]int32
	}{{"allowed-ids", s.allowed, &s.Allowed}, {"banned-ids", s.excluded, &s.Banned}} {
		ids, err := parseIDs("--"+list.flag, list.ids)
		if err != nil {
			return err
		}
		if *list.to = ids; len(ids) == 0 && c.Flags().Changed(list.flag) {
			return usageErrorf("--%s is empty", list.flag)
		}
	}
	// What does nothing is left out, so that it is not held in any record.
	if s.XTC.Probability == 0 {
		s.XTC = generate.XTC{}
	}
	if s.DRY.Multiplier == 0 {
		s.DRY = generate.DRY{}
	}
	if s.DynaTemp.Range == 0 {
		s.DynaTemp = generate.DynaTemp{}
	}
	if s.Mirostat.Version == 0 {
		s.Mirostat = generate.Mirostat{}
	} else if !c.Flags().Changed("top-p") { // which chat has without it
		s.TopP = 0
	}
	if p.Presence == 0 && p.Frequency == 0 && p.Repetition == 1 {
		s.Penalties = generate.Penalties{}
	}
	if err := s.Sampling.Check(); err != nil {
		return usageErrorf("--%w", err)
	}
	return nil
}

// of returns the settings, with texts as the model's tokens.
func (s *samplingFlags) of(m *lm.Model) (generate.Sampling, error) {
	out := s.Sampling
	words := lm.Words{BadWords: s.badWords}
	for _, b := range s.bias {
		at := strings.LastIndexByte(b, ':')
		if at < 1 {
			return out, usageErrorf("--logit-bias %q is no id or text with a number behind a colon\nhint: such as \"15:-2.5\" or \" the:-inf\"", b)
		}
		key, number := b[:at], b[at+1:]
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return out, usageErrorf("--logit-bias %q: %q is no number", b, number)
		}
		if id, err := strconv.ParseUint(key, 10, 31); err == nil {
			if out.Bias == nil {
				out.Bias = map[int32]float64{}
			}
			out.Bias[int32(id)] += value
			continue
		}
		if text, err := strconv.Unquote(key); err == nil && key[0] == '"' {
			key = text
		}
		if words.Bias == nil {
			words.Bias = map[string]float64{}
		}
		words.Bias[key] += value
	}
	if s.DRY.Multiplier > 0 && !(len(s.breakers) == 1 && s.breakers[0] == "none") {
		words.Breakers = s.breakers
	}
	if len(words.Bias)+len(words.BadWords)+len(words.Breakers) > 0 {
		if err := needTokenizer(m, ", which texts in the settings of a sampler want (--logit-bias, --bad-word, --dry-sequence-breaker)"); err != nil {
			return out, err
		}
	}
	if err := words.AddTo(&out, m); err != nil {
		return out, err
	}
	if err := out.Check(); err != nil {
		return out, &usageError{fmt.Errorf("--%w", err)}
	}
	return out, nil
}
