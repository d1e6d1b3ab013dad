package quickstart

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/data"
	"olmo/data/tagger"
)

// The languages of a corpus are measured on its own text, by the identifier that is inside
// the program: 73 languages, and zxx for what is in none, such as code.
const (
	languageTagger = "lang_id_doc_v1"

	unsure  = "und" // ISO 639-2: undetermined
	several = "mul" // and multiple languages

	// A document's language is that of at least this probability.
	sureOf = 0.5
	// A corpus has the language of at least this share of its text.
	mostText = 0.8

	// Of so many documents, spread evenly, so many bytes are looked at.
	mostSamples = 500
	sampleBytes = 4 << 10
)

// LanguageShare is how much of a text is in a language.
type LanguageShare struct {
	Code  string  `json:"code"`  // ISO 639-1, or zxx (no language) or und
	Share float64 `json:"share"` // of the bytes looked at, 0 to 1
}

// languagesOf measures the languages of documents, the most common first. The first
// result is the corpus's one language, several or unsure.
func languagesOf(documents []document) (string, []LanguageShare, error) {
	set, err := tagger.NewSet([]string{languageTagger}, tagger.Options{})
	if err != nil {
		return "", nil, err
	}
	bytes := map[string]int{}
	whole := 0
	count := min(len(documents), mostSamples)
	for i := range count {
		text := documents[i*len(documents)/count].text
		if len(text) > sampleBytes {
			end := sampleBytes
			for !utf8.RuneStart(text[end]) {
				end--
			}
			text = text[:end]
		}
		code, err := languageOf(set, text)
		if err != nil {
			return "", nil, err
		}
		bytes[code] += len(text)
		whole += len(text)
	}
	var shares []LanguageShare
	for code, n := range bytes {
		shares = append(shares, LanguageShare{code, float64(n) / float64(whole)})
	}
	slices.SortFunc(shares, func(a, b LanguageShare) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), strings.Compare(a.Code, b.Code))
	})
	return mainLanguage(shares), shares, nil
}

// languageOf is a text's language, or unsure.
func languageOf(set *tagger.Set, text string) (string, error) {
	found, err := set.Tag(&data.Document{Text: text})
	if err != nil {
		return "", err
	}
	best, most := unsure, sureOf
	for _, a := range found {
		if len(a.Spans) > 0 && a.Spans[0].Score >= most {
			best, most = a.Name[strings.LastIndex(a.Name, "__")+2:], a.Spans[0].Score
		}
	}
	return best, nil
}

// mainLanguage is the language of nearly all of a text; several where nearly all is in
// known ones, and unsure otherwise.
func mainLanguage(shares []LanguageShare) string {
	known := 0.0
	for _, s := range shares {
		switch {
		case s.Code == unsure:
		case s.Share >= mostText:
			return s.Code
		default:
			known += s.Share
		}
	}
	if known >= mostText {
		return several
	}
	return unsure
}

// CardLanguages are what a model card names: the one language, or those of a twentieth of
// the text and more.
func (c *CorpusInfo) CardLanguages() []string {
	if c.Language != several {
		return []string{c.Language}
	}
	var codes []string
	for _, s := range c.Languages {
		if s.Share >= 0.05 && s.Code != unsure {
			codes = append(codes, s.Code)
		}
	}
	return codes
}

// English tells whether nearly all of the text is English.
func (c *CorpusInfo) English() bool { return c.Language == "en" }

// unspaced are languages whose writing has no spaces between words.
var unspaced = []string{"ja", "zh", "th", "lo", "km", "my"}

// withoutSpaces tells whether some of the text is in such a language.
func (c *CorpusInfo) withoutSpaces() bool {
	return slices.ContainsFunc(c.Languages, func(s LanguageShare) bool { return slices.Contains(unspaced, s.Code) && s.Share >= 0.01 })
}
