package tagger

import (
	"math"
	"strings"

	"olmo/data/fasttext"
)

// Fast-text language identification, as in Dolma 1.2.1,
// python/dolma/taggers/language.py.
func init() {
	const needs = "lid.176.bin or lid.176.ftz (dl.fbaipublicfiles.com/fasttext, CC BY-SA 3.0)"
	add := func(name, about string, l lid) {
		registerNeeding(name, about, needs, func(o Options) (Tagger, error) {
			m, err := o.fastText("lid.176.bin", "lid.176.ftz")
			if err != nil {
				return nil, err
			}
			c := l
			c.model = m
			return &c, nil
		}, "lid.176.bin", "lid.176.ftz")
	}
	add("ft_lang_id_doc_v1", "probability of each of 176 languages", lid{})
	add("ft_lang_id_1e2", "the same above 0.01, two decimals", lid{above: 0.01})
	add("ft_lang_id_paragraph_v1", "the same by paragraph", lid{paragraphs: true})
	add("ft_lang_id_en_doc_v2", "probability of English, and of not", lid{english: true, negative: true})
	add("ft_lang_id_en_only_v2", "probability of English", lid{english: true})
	add("ft_lang_id_en_paragraph_v2", "probability of English by paragraph, and of not", lid{english: true, negative: true, paragraphs: true})
	add("ft_lang_id_en_paragraph_with_doc_score_v2", "the same, and the document's mean", lid{english: true, negative: true, paragraphs: true, docScore: true})

	for _, l := range []struct{ name, library string }{
		{"cld2_doc_v2", "CLD2"},
		{"cld2_paragraph_v2", "CLD2"},
		{"cld2_en_doc_v2", "CLD2"},
		{"cld2_en_paragraph_v2", "CLD2"},
		{"cld2_en_paragraph_with_doc_score_v2", "CLD2"},
		{"cld3_en_doc_v2", "CLD3"},
		{"cld3_en_paragraph_v2", "CLD3"},
		{"cld3_en_paragraph_with_doc_score_v2", "CLD3"},
		{"langdetect_doc_v1", "langdetect"},
		{"langdetect_doc_en_v1", "langdetect"},
		{"langdetect_paragraph_v1", "langdetect"},
		{"langdetect_en_paragraph_v1", "langdetect"},
		{"lingua_doc_v1", "lingua"},
		{"lingua_1e2", "lingua"},
		{"lingua_doc_en_v1", "lingua"},
		{"lingua_en_only_v1", "lingua"},
		{"lingua_par_v1", "lingua"},
		{"lingua_en_par_v1", "lingua"},
	} {
		registerNeeding(l.name, "language", "the library "+l.library, nil)
	}
}

// lid tags languages with a fastText model.
type lid struct {
	model      *fasttext.Model
	paragraphs bool
	english    bool
	negative   bool // of English only: types have the order of their first spans
	docScore   bool // the mean of English over the document's characters
	above      float64
	most       int // bytes looked at, 0 for all
	found      []fasttext.Prediction
}

func (l *lid) Tag(t *Text, out *Spans) error {
	en := 0.0 // summed over the text's characters
	add := func(kind string, start, end int, score float64) {
		out.Add(kind, start, end, score)
		if l.negative {
			out.Add("not_"+kind, start, end, 1-score)
		}
		en += float64(float64(end-start) * score)
	}
	each := func(s string, start, end int) {
		if l.most > 0 {
			s = firstBytes(s, l.most)
		}
		s = trimSpace(strings.ReplaceAll(lower(s), "\n", " "))
		l.found = l.model.Predict(l.found[:0], s, -1, 0)
		english := 0.0
		for _, p := range l.found {
			score := float64(p.Score)
			switch {
			case l.english:
				if p.Label == "en" {
					english = score
				}
				continue
			case l.above > 0:
				if score <= l.above {
					continue
				}
				score = math.RoundToEven(score*100) / 100
			}
			add(p.Label, start, end, score)
		}
		if l.english {
			add("en", start, end, english)
		}
	}
	if l.paragraphs {
		for p := range t.Paragraphs() {
			each(t.S[p.start:p.end], t.Runes(p.start), t.Runes(p.end))
		}
	} else {
		each(t.S, 0, t.Len)
	}
	if !l.docScore {
		return nil
	}
	not := 0.0
	if t.Len > 0 {
		en /= float64(t.Len)
		not = 1 - en
	}
	out.Add("doc_en", 0, t.Len, en)
	out.Add("doc_not_en", 0, t.Len, not)
	return nil
}

// spanOf is a span with its type.
type spanOf struct {
	kind       string
	start, end int
	score      float64
}
