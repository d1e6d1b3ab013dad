package tagger

import (
	"math"
	"strings"
	"unicode/utf8"

	"olmo/data/fasttext"
)

// Taggers with a fastText model of their own, as in Dolma 1.2.1,
// python/dolma/taggers/quality.py, jigsaw.py and code_composition.py.
func init() {
	add := func(name, about, file, from string, make func(m *fasttext.Model, o Options) function) {
		registerNeeding(name, about, file+" ("+from+")", func(o Options) (Tagger, error) {
			m, err := o.fastText(file)
			if err != nil {
				return nil, err
			}
			return make(m, o), nil
		}, file)
	}
	const where = "dolma-artifacts.org/fasttext_models"
	add("dclm-oh-eli5", "quality, as DCLM scores it", "openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin",
		"huggingface.co/mlfoundations/fasttext-oh-eli5", tagDCLM)
	add("dolma17-quality", "likeness to each of Dolma 1.7's sources", "cc_wiki_wikiref_sw_pes2o_adult_fakenews_math_books_openhermes.bin",
		where+"/dolma-1_7", tagDolma17)
	for _, k := range []struct{ name, file string }{
		{"jigsaw_hatespeech_document_v2", "jigsaw_fasttext_bigrams_hatespeech_final.bin"},
		{"jigsaw_nsfw_document_v1", "jigsaw_fasttext_bigrams_nsfw_final.bin"},
	} {
		add(k.name, "probability of the label and of its opposite", k.file, where+"/jigsaw_fasttext_bigrams_20230515", tagJigsaw)
	}
	for _, name := range []string{"jigsaw_hatespeech_sentence_v2", "jigsaw_nsfw_sencence_v2"} {
		registerNeeding(name, "the same by sentence", "BlingFire's sentence splitter", nil)
	}
	add("code_composition", "lines of code, comment and prose", "code-comment-prose-model.bin", "huggingface.co/techarb/code-prose-composition", tagComposition)
}

func tagDCLM(m *fasttext.Model, _ Options) function {
	return func(t *Text, out *Spans) error {
		for _, p := range m.Predict(nil, strings.Join(splitLines(trimSpace(t.S)), " "), 1, 0) {
			score := float64(p.Score)
			if p.Label == "cc" {
				score = 1 - score
			}
			out.Add(strings.ReplaceAll(strings.ReplaceAll(p.Label, "cc", "score"), "hq", "score"), 0, t.Len, score)
		}
		return nil
	}
}

func tagDolma17(m *fasttext.Model, _ Options) function {
	return func(t *Text, out *Spans) error {
		words := t.Words()
		parts := make([]string, len(words))
		for i, w := range words {
			parts[i] = t.S[w.start:w.end()]
		}
		if len(parts) == 0 {
			return nil
		}
		for _, p := range m.Predict(nil, strings.Join(parts, " "), -1, 0) {
			out.Add(p.Label, 0, t.Len, float64(p.Score))
		}
		return nil
	}
}

func tagJigsaw(m *fasttext.Model, _ Options) function {
	return func(t *Text, out *Spans) error {
		ps := m.Predict(nil, trimSpace(strings.ReplaceAll(t.S, "\n", " ")), -1, 0)
		// The label comes before its opposite, whichever is more likely.
		if len(ps) == 2 && strings.Contains(ps[0].Label, "non") {
			ps[0], ps[1] = ps[1], ps[0]
		}
		for _, p := range ps {
			out.Add("__label__"+p.Label, 0, t.Len, float64(p.Score))
		}
		return nil
	}
}

// tagComposition labels each line and reports, for each label, its share of
// the lines, their number and how unsure the model was of them.
func tagComposition(m *fasttext.Model, o Options) function {
	return func(t *Text, out *Spans) error {
		type class struct {
			lines   int
			entropy float64
		}
		classes := map[string]*class{}
		var names []string
		total, boundaries, active := 0, 0, ""
		for _, line := range splitLines(t.S) {
			line = trimSpace(line)
			if line == "" {
				continue
			}
			label, entropy := "other", 0.0
			if utf8.RuneCountInString(line) > 3 {
				ps := m.Predict(nil, line, -1, 0)
				for _, p := range ps {
					if p.Score > 0 {
						entropy -= float64(float64(p.Score) * math.Log2(float64(p.Score)))
					}
				}
				if len(ps) > 0 {
					label = ps[0].Label
					if o.Compat {
						// str.lstrip takes a set of characters, not a prefix.
						label = strings.TrimLeft(label, "_labe")
					}
				}
			}
			c := classes[label]
			if c == nil {
				c = &class{}
				classes[label] = c
				names = append(names, label)
			}
			c.lines++
			c.entropy += entropy
			total++
			code, prose := active == "code" && label == "prose", active == "prose" && label == "code"
			if code || prose {
				boundaries++
			}
			active = label
		}
		out.Add("boundaries", 0, t.Len, float64(boundaries))
		for _, name := range names {
			c := classes[name]
			out.Add(name+"_pct", 0, t.Len, math.RoundToEven(float64(c.lines)/float64(total)*100)/100)
			out.Add(name, 0, t.Len, float64(c.lines))
			out.Add(name+"_entropy", 0, t.Len, c.entropy/float64(c.lines))
		}
		return nil
	}
}
