package tagger

import (
	_ "embed"
	"encoding/json"
	"html"
	"strings"
	"sync"
	"unicode/utf8"
)

// StarCoder's signals of source code, as in Dolma 1.2.1,
// python/dolma/taggers/code/.
func init() {
	const about = "XML templates, stars, share of comments and of HTML's text (StarCoder)"
	register("code_starcoder_taggers_v1", about, func(Options) (Tagger, error) { return &starCoder{languages: extensions()}, nil })
	register("code_starcoder_taggers_v2", about, func(Options) (Tagger, error) { return &starCoder{v2: true, languages: extensions()}, nil })
}

// languageList has the file extensions of each language, from Dolma's
// ext_to_lang_mapping.json.
//
//go:embed languages.json
var languageList []byte

var extensions = sync.OnceValue(func() map[string]string {
	var list map[string][]string
	if err := json.Unmarshal(languageList, &list); err != nil {
		panic(err) // the file is part of the program
	}
	of := map[string]string{}
	for language, exts := range list {
		for _, e := range exts {
			of[e] = language
		}
	}
	return of
})

type starCoder struct {
	v2        bool
	languages map[string]string
}

func (c *starCoder) Tag(t *Text, out *Spans) error {
	var meta struct {
		Ext   *string  `json:"ext"`
		Stars *float64 `json:"max_stars_count"`
	}
	if err := t.metadata(&meta); err != nil {
		return err
	}
	flag := func(on bool) float64 {
		if on {
			return 1
		}
		return 0
	}
	stars := 0.0
	if meta.Stars != nil {
		stars = *meta.Stars
	}
	language := ""
	if meta.Ext != nil {
		language = c.languages[*meta.Ext]
	}
	out.Add("has_xml_template_doc", 0, t.Len, flag(strings.Contains(firstRunes(t.S, 100), "<?xml version=")))
	out.Add("num_github_stars_doc", 0, t.Len, stars)

	comments, name, page := -1.0, "nl_ratio_doc", -1.0
	if count := commentCounters[language]; count != nil && t.Len > 0 {
		comments = float64(count(t.S)) / float64(t.Len)
		page = 1
	}
	if c.v2 {
		name, page = "code_to_comment_ratio_doc", 1
		switch language {
		case "python", "java", "javascript":
		default:
			// Between the bounds that filters use.
			comments = 0.5
		}
	}
	if language == "html" && t.Len > 0 {
		page = 0
		if n := utf8.RuneCountInString(htmlText(t.S)); n > 100 {
			page = float64(n) / float64(t.Len)
		}
	} else if language == "html" {
		page = -1
	}
	out.Add(name, 0, t.Len, comments)
	out.Add("code_to_text_ratio_html_doc", 0, t.Len, page)
	return nil
}

// htmlText is the text of a page outside of scripts, styles and templates, as
// BeautifulSoup's get_text gives it over Python's html.parser.
func htmlText(s string) string {
	var b strings.Builder
	node := "" // text since the last tag
	keep := 0  // how many elements are open that keep white space
	flush := func() {
		// White space between tags counts as one character.
		if keep == 0 && node != "" && strings.Trim(node, " \n\t\f\r") == "" {
			if strings.Contains(node, "\n") {
				node = "\n"
			} else {
				node = " "
			}
		}
		b.WriteString(node)
		node = ""
	}
	for i := 0; i < len(s); {
		if s[i] != '<' {
			j := strings.IndexByte(s[i:], '<')
			if j < 0 {
				j = len(s) - i
			}
			node += html.UnescapeString(s[i : i+j])
			i += j
			continue
		}
		rest := s[i:]
		end := -1
		switch {
		case strings.HasPrefix(rest, "<!--"):
			if end = strings.Index(rest[4:], "-->"); end >= 0 {
				end += 4 + 3
			}
		case strings.HasPrefix(rest, "<![CDATA["):
			if end = strings.Index(rest, "]]>"); end >= 0 {
				flush()
				b.WriteString(rest[len("<![CDATA["):end])
				end += 3
			}
		case strings.HasPrefix(rest, "<!"), strings.HasPrefix(rest, "<?"):
			if end = strings.IndexByte(rest, '>'); end >= 0 {
				end++
			}
		case len(rest) > 1 && isLetter(rest[1]), len(rest) > 2 && rest[1] == '/' && isLetter(rest[2]):
			if end = tagEnd(rest); end < 0 {
				break
			}
			inner := strings.TrimPrefix(rest[1:], "/")
			name := strings.ToLower(inner[:nameLength(inner)])
			if name == "pre" || name == "textarea" {
				flush()
				if rest[1] != '/' {
					keep++
				} else {
					keep = max(0, keep-1)
				}
			}
			if rest[1] != '/' {
				if (name == "script" || name == "style" || name == "template") && rest[end-2] != '/' {
					// Their text is not the page's.
					if close := indexFold(rest[end:], "</"+name); close >= 0 {
						end += close
					} else {
						end = len(rest)
					}
				}
			}
		}
		if end < 0 { // not a tag after all
			node += "<"
			i++
			continue
		}
		flush()
		i += end
	}
	flush()
	return b.String()
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func nameLength(s string) (n int) {
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '-' || s[n] == ':' || s[n] == '_' || s[n] == '.') {
		n++
	}
	return n
}

// tagEnd is the length of the tag at the start of s, -1 if it does not end;
// a '>' within quotes belongs to an attribute.
func tagEnd(s string) int {
	quote := byte(0)
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '>':
			return i + 1
		case (c == '"' || c == '\'') && s[i-1] == '=':
			quote = c
		}
	}
	return -1
}

// indexFold is strings.Index without regard to ASCII case.
func indexFold(s, low string) int {
	for i := 0; i+len(low) <= len(s); i++ {
		if equalLowered(s[i:i+len(low)], low) {
			return i
		}
	}
	return -1
}
