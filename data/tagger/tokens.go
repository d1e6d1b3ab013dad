package tagger

import (
	"fmt"
	"strings"
	"sync"

	"olmo/tokenizer"
)

// Taggers that count and compare tokens, as in Dolma 1.2.1,
// python/dolma/taggers/tokenizers.py, length.py and repetitions/.
func init() {
	const neox = "allenai/eleuther-ai-gpt-neox-20b-pii-special"
	add := func(name, about, id string, make func(t *tokenizer.Tokenizer) Tagger) {
		registerNeeding(name, about, "the tokenizer "+id, func(o Options) (Tagger, error) {
			t, err := o.tokenizer(id)
			if err != nil {
				return nil, err
			}
			return make(t), nil
		}, id+"/tokenizer.json")
	}
	count := func(kind string, strip bool) func(t *tokenizer.Tokenizer) Tagger {
		return func(t *tokenizer.Tokenizer) Tagger { return &tokenCount{enc: t.NewEncoder(), kind: kind, strip: strip} }
	}
	add("tokenizers_EleutherAI_GPT_NeoX_20B", "tokens", "EleutherAI/gpt-neox-20b", count("tokens", false))
	add("tokenizers_AI2_OLMo_v1", "tokens", neox, count("tokens", false))
	add("dolma_v1_tokenizer", "tokens of the stripped text", "allenai/gpt-neox-olmo-dolma-v1_5", count("length", true))
	add("dolma_v2_tokenizer", "tokens of the stripped text", "allenai/dolma2-tokenizer", count("length", true))
	add("tokenizer_repetitions_v1", "tokens repeated three times or more", neox, func(t *tokenizer.Tokenizer) Tagger {
		return &tokenRepetitions{t: t, whenEmpty: true}
	})
	add("paragraph_tokenizer_repetitions_v1", "the same within paragraphs", neox, func(t *tokenizer.Tokenizer) Tagger {
		return &tokenRepetitions{t: t, whenEmpty: true, paragraphs: true}
	})
	add("tokenizer_repetitions_v2r2", "tokens repeated three times or more, not nested", neox, func(t *tokenizer.Tokenizer) Tagger {
		return &tokenRepetitions{t: t, most: 100_000}
	})
}

// tokenizers keeps those that are loaded, by path.
var tokenizers sync.Map // path to func() (*tokenizer.Tokenizer, error)

// tokenizer loads the tokenizer of a Hugging Face repository from the folders
// of models: org/name/tokenizer.json or org_name.json, plain or packed.
func (o Options) tokenizer(id string) (*tokenizer.Tokenizer, error) {
	flat := strings.ReplaceAll(id, "/", "_")
	path, err := o.findModel(id+"/tokenizer.json", flat+".json", flat+".json.gz", flat+".json.zst")
	if err != nil {
		return nil, err
	}
	load, _ := tokenizers.LoadOrStore(path, sync.OnceValues(func() (*tokenizer.Tokenizer, error) { return tokenizer.Load(path) }))
	t, err := load.(func() (*tokenizer.Tokenizer, error))()
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

type tokenCount struct {
	enc   *tokenizer.Encoder
	kind  string
	strip bool
	ids   []int32
}

func (c *tokenCount) Tag(t *Text, out *Spans) error {
	s := t.S
	if c.strip {
		s = trimSpace(s)
	}
	var err error
	if c.ids, err = c.enc.AppendEncode(c.ids[:0], s); err != nil {
		return err
	}
	out.Add(c.kind, 0, t.Len, float64(len(c.ids)))
	return nil
}

// longestPeriod is how many tokens a repeated sequence may have.
const longestPeriod = 13

type tokenRepetitions struct {
	t          *tokenizer.Tokenizer
	whenEmpty  bool // write the document's figures without repetitions too
	paragraphs bool
	most       int // code points encoded at once, 0 for all; then nested spans are left out
}

func (r *tokenRepetitions) Tag(t *Text, out *Spans) error {
	var spans []spanOf
	var failed error
	find := func(s string, offset int) {
		e, err := r.t.Encode(s, false)
		if err != nil {
			failed = err
			return
		}
		from := len(spans)
		findPeriods(e.IDs, longestPeriod, func(p period) {
			spans = append(spans, spanOf{"repetition", offset + e.Offsets[p.start][0], offset + e.Offsets[p.end-1][1], float64(p.times)})
		})
		if r.most > 0 {
			spans = spans[:from+len(outermost(spans[from:]))]
		}
	}
	switch {
	case r.paragraphs:
		lines := t.Lines()
		for i, start := range lines {
			end := len(t.S)
			if i+1 < len(lines) {
				end = int(lines[i+1])
			}
			// The space keeps the first word's token what it is inside a text.
			find(" "+t.S[start:end], t.Runes(int(start))-1)
		}
	case r.most > 0:
		for s, at := t.S, 0; s != ""; at += r.most {
			piece := firstRunes(s, r.most)
			find(piece, at)
			s = s[len(piece):]
		}
	default:
		find(t.S, 0)
	}
	if failed != nil {
		return failed
	}
	all := repeats{out: out}
	for _, s := range spans {
		all.add(s.start, s.end, s.score)
	}
	all.finish(t, r.whenEmpty)
	return nil
}

// firstRunes cuts s after n code points at most.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
