package tagger

import (
	"bytes"
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"

	"olmo/data/fasttext"
)

// The identifier that needs no other file: 73 languages and zxx, text in no
// language (code, numbers). langid/make.py trained it and names its sources.
//
//go:embed langid/langid.ftz
var langidFile []byte

var langidModel = sync.OnceValues(func() (*fasttext.Model, error) { return fasttext.Read(bytes.NewReader(langidFile)) })

func init() {
	add := func(name, about string, l lid) {
		register(name, about, func(Options) (Tagger, error) {
			m, err := langidModel()
			if err != nil {
				return nil, err
			}
			c := l
			c.model, c.most = m, langidMost
			return &c, nil
		})
	}
	add("lang_id_doc_v1", "probability above 0.01 of each of 73 languages, by the model in this program", lid{above: 0.01})
	add("lang_id_paragraph_v1", "the same by paragraph", lid{above: 0.01, paragraphs: true})
	add("lang_id_en_doc_v1", "probability of English, and of not, by the model in this program", lid{english: true, negative: true})
	add("lang_id_en_paragraph_v1", "the same by paragraph, and the document's mean", lid{english: true, negative: true, paragraphs: true, docScore: true})
}

// Language is the language that a text is most probably in, by the model in this program: a code of
// ISO 639-1, or zxx for text in no language. Only the text's first 16 KiB are looked at.
func Language(text string) (string, error) {
	m, err := langidModel()
	if err != nil {
		return "", err
	}
	found := m.Predict(nil, trimSpace(strings.ReplaceAll(lower(firstBytes(text, langidMost)), "\n", " ")), 1, 0)
	if len(found) == 0 {
		return "zxx", nil
	}
	return found[0].Label, nil
}

// langidMost is how many bytes of a text our own taggers look at: a language
// shows long before.
const langidMost = 16 << 10

// firstBytes cuts s after n bytes at most, before a character.
func firstBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
