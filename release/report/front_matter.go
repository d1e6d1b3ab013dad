package report

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
)

// frontMatter is the YAML at the head of a card, as Hugging Face's hub reads it.
type frontMatter struct{ strings.Builder }

// put writes a key with a text; none where the text is empty.
func (m *frontMatter) put(key, text string) {
	if text != "" {
		m.WriteString(key + ": " + quoted(text) + "\n")
	}
}

// list writes a key with texts; none where there are none.
func (m *frontMatter) list(key string, texts []string) {
	if len(texts) == 0 {
		return
	}
	m.WriteString(key + ":\n")
	for _, text := range texts {
		m.WriteString("- " + quoted(text) + "\n")
	}
}

// license writes the hub's keys for a licence: its own word, or other and the name.
func (m *frontMatter) license(text string) {
	if l, ok := licenceOf(text); ok && l.hub != "" {
		m.put("license", l.hub)
	} else if text != "" {
		m.put("license", "other")
		m.put("license_name", text)
	}
}

// bytes is the front matter with its fences.
func (m *frontMatter) bytes() []byte { return []byte("---\n" + m.String() + "---\n\n") }

var bare = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9/.-]*$`) })

// reserved are words that YAML takes for something else than text.
var reserved = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true}

// quoted is a text in YAML: bare where it can be, else as JSON writes it.
func quoted(text string) string {
	if bare().MatchString(text) && !reserved[text] {
		return text
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // there is no string that it cannot write
	}
	return strings.TrimSuffix(b.String(), "\n")
}
