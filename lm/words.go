package lm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"olmo/generate"
)

// Words are settings of a sampler that name texts. They come to ids only with a tokenizer.
type Words struct {
	Bias     map[string]float64 // added to the logit of each token of a text, as llama.cpp's server does it
	BadWords []string           // never these, as a beginning of a word and within one (vLLM's bad_words)
	Breakers []string           // that no repetition reaches across (generate.DRY)
}

// AddTo adds what the words come to in the model's tokens to the settings.
func (w Words) AddTo(s *generate.Sampling, m *Model) error {
	if len(w.Bias)+len(w.BadWords)+len(w.Breakers) == 0 {
		return nil
	}
	if m.Tokenizer == nil {
		return fmt.Errorf("the model %s has no tokenizer", m.Path)
	}
	bias := maps.Clone(s.Bias)
	if bias == nil {
		bias = map[int32]float64{}
	}
	for _, text := range slices.Sorted(maps.Keys(w.Bias)) {
		ids, err := m.tokens(text)
		if err != nil {
			return err
		}
		for _, id := range ids {
			bias[id] += w.Bias[text]
		}
	}
	if len(bias) > 0 {
		s.Bias = bias
	}
	for _, text := range w.BadWords {
		// With and without a space before it.
		for _, form := range []string{text, " " + strings.TrimLeft(text, " ")} {
			ids, err := m.tokens(form)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(s.BadWords, func(w []int32) bool { return slices.Equal(w, ids) }) {
				s.BadWords = append(slices.Clip(s.BadWords), ids)
			}
		}
	}
	for _, text := range w.Breakers {
		if err := m.addBreakers(&s.DRY, text); err != nil {
			return err
		}
	}
	return nil
}

// tokens are those of a text alone, of which there must be some.
func (m *Model) tokens(text string) ([]int32, error) {
	ids, err := m.Tokenizer.AppendEncode(nil, text)
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("%q has no tokens", text)
	}
	return ids, err
}

// addBreakers adds the sequences of tokens in which a text may come: the tokens that hold it, and those that
// end within it, followed by the tokens of its rest (get_overlapping_token_sequences of llama.cpp, build 11434).
func (m *Model) addBreakers(d *generate.DRY, text string) error {
	if text == "" {
		return fmt.Errorf("a breaker is an empty text")
	}
	found := slices.Clone(d.Breakers)
	for id := range int32(m.Tokenizer.VocabSize()) {
		if int(id) >= m.Config.V {
			break
		}
		token := m.Tokenizer.Decode([]int32{id}, false)
		if strings.Contains(token, text) {
			found = append(found, []int32{id})
			continue
		}
		for n := min(len(text)-1, len(token)); n > 0; n-- {
			if !strings.HasSuffix(token, text[:n]) {
				continue
			}
			rest, err := m.tokens(text[n:])
			if err != nil {
				return err
			}
			found = append(found, append([]int32{id}, rest...))
		}
	}
	d.Breakers = found
	return nil
}
