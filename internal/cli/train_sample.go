package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"olmo/lm"
	"olmo/tokenizer"
	"olmo/train"
)

// sampleTokens is how long a sample is.
const sampleTokens = 48

// newSampler lets the model in training continue the config's prompts; it is nil when the
// config wants no samples. tok is the tokenizer, nil for the one that the config names.
func newSampler(cfg *train.Config, tok *tokenizer.Tokenizer, print func(string)) (train.Sampler, error) {
	if cfg.SampleInterval <= 0 || len(cfg.SamplePrompts) == 0 {
		return nil, nil
	}
	if tok == nil {
		var err error
		if tok, err = loadTokenizer(cfg.Tokenizer.Identifier); err != nil {
			return nil, fmt.Errorf("sample_prompts need the tokenizer: %w", err)
		}
	}
	return &lm.Samples{
		Tokenizer: tok, Prompts: cfg.SamplePrompts, MaxTokens: sampleTokens, Precision: cfg.Precision,
		Print: func(step int, prompt, text string) {
			print(fmt.Sprintf("step %d writes: %s", step, oneLine(prompt+text, sampleColumns)))
		},
	}, nil
}

// sampleColumns is how much of a sample the console shows; samples.jsonl has it all.
const sampleColumns = 160

// oneLine writes a text in one line of at most so many characters: what is not printed,
// newlines and tabs among them, as Go writes it in strings.
func oneLine(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		s := string(r)
		if !strconv.IsPrint(r) {
			s = strings.Trim(strconv.QuoteRune(r), "'")
		}
		if n += utf8.RuneCountInString(s); n > most {
			return b.String() + "…"
		}
		b.WriteString(s)
	}
	return b.String()
}
