package jinja

import (
	"html"
	"strings"
)

var marks = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

// escape is MarkupSafe's: what is markup already stays as it is.
func escape(v any) markup {
	if m, ok := v.(markup); ok {
		return m
	}
	return markup(marks.Replace(str(v)))
}

// joinMarkup is "~" where texts are escaped (jinja2.runtime.markup_join): as soon as one
// part is markup, the others are escaped.
func joinMarkup(parts []any) any {
	isMarkup := false
	for _, p := range parts {
		if _, ok := p.(markup); ok {
			isMarkup = true
		}
	}
	var b strings.Builder
	for _, p := range parts {
		if isMarkup {
			b.WriteString(string(escape(p)))
		} else {
			b.WriteString(str(p))
		}
	}
	if isMarkup {
		return markup(b.String())
	}
	return b.String()
}

// stripTags is Markup.striptags: without tags and comments, white space made single
// spaces, entities as their characters.
func stripTags(s string) string {
	var b strings.Builder
	rest := s
	for {
		start := strings.IndexByte(rest, '<')
		if start < 0 {
			break
		}
		from, end := start, ">"
		if strings.HasPrefix(rest[start:], "<!--") {
			from, end = start+len("<!--"), "-->"
		}
		stop := strings.Index(rest[from:], end)
		if stop < 0 {
			break
		}
		b.WriteString(rest[:start])
		rest = rest[from+stop+len(end):]
	}
	b.WriteString(rest)
	return html.UnescapeString(strings.Join(strings.FieldsFunc(b.String(), isSpace), " "))
}
