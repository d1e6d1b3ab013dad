package tagger

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Creative Commons licences in a page's HTML, as in Dolma 1.2.1,
// python/dolma/taggers/licenses.py.
func init() {
	register("cc_re", "Creative Commons licences that the HTML links to", func(Options) (Tagger, error) {
		return creativeCommons(licenceLink()), nil
	})
	register("cc_re_fast", "the same by a plainer pattern", func(Options) (Tagger, error) {
		return creativeCommons(licenceAddress()), nil
	})
}

var licenceLink = sync.OnceValue(func() *regexp.Regexp {
	const (
		word  = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}`
		space = `\t\n\v\f\r \x{85}\p{Z}`
		kind  = `by(?:-nc)?(?:-nd)?(?:-sa)?`
		two   = `[` + word + `]{2}`
	)
	return regexp.MustCompile(`<(?:a|A|meta)[` + space + `][` + word + `\p{P}` + space + `=]*\n*(?:href|HREF|content)=(?:'|"|&quot;)?` +
		`https*://creativecommons\.org/(?:(?:licenses/(?P<type>` + kind + `))|(?P<type2>publicdomain/(?:zero|certification|mark)))` +
		`(?P<version>/\d+\.\d+)?(?:(?:/` + two + `)?/(?:(?:deed|legalcode)\.)?(?P<lang>` + two + `))?.*?(?:'|"|&quot;).*?>`)
})

var licenceAddress = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`https?://creativecommons\.org/licenses/(?P<type>by|by-sa|by-nd|by-nc|by-nc-sa|by-nc-nd|publicdomain)["/ >]`)
})

var errNoHTML = errors.New("metadata has no html, which this tagger reads")

// metadata decodes the document's metadata, in which keys are looked for.
func (t *Text) metadata(into any) error {
	if len(t.Doc.Metadata) == 0 {
		return nil
	}
	if err := json.Unmarshal(t.Doc.Metadata, into); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	return nil
}

// creativeCommons marks each licence with a score that falls with its place:
// 1, 0.75, 0.667, …
func creativeCommons(pattern *regexp.Regexp) function {
	group := func(m []string, name string) string {
		if i := pattern.SubexpIndex(name); i >= 0 {
			return m[i]
		}
		return ""
	}
	return func(t *Text, out *Spans) error {
		var meta struct {
			HTML *string `json:"html"`
		}
		if err := t.metadata(&meta); err != nil {
			return err
		}
		if meta.HTML == nil {
			return errNoHTML
		}
		if !strings.Contains(*meta.HTML, "creativecommons.org/licenses") && !strings.Contains(*meta.HTML, "creativecommons.org/publicdomain") {
			return nil
		}
		for i, m := range pattern.FindAllStringSubmatch(*meta.HTML, -1) {
			name := "cc_" + group(m, "type") + group(m, "type2")
			if v := group(m, "version"); v != "" {
				name += "_" + strings.Trim(v, "/")
			}
			if l := group(m, "lang"); l != "" {
				name += "_" + l
			}
			out.Add(name, 0, t.Len, 0.5+0.5/float64(i+1))
		}
		return nil
	}
}
