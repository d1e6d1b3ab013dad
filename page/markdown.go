package page

import (
	"strings"
	"unicode"
)

// Markdown builds a document of blocks with an empty line between them. What is written stands as
// it is: Plain makes a text of others harmless.
type Markdown struct {
	strings.Builder
	open bool // within a list
}

// Line writes a paragraph or heading.
func (m *Markdown) Line(text string) {
	m.separate()
	m.WriteString(text + "\n")
}

func (m *Markdown) separate() {
	m.open = false
	if m.Len() > 0 {
		m.WriteByte('\n')
	}
}

// Item writes an entry of a list.
func (m *Markdown) Item(text string) {
	if !m.open {
		m.separate()
		m.open = true
	}
	m.WriteString("- " + text + "\n")
}

// Table begins a table; a colon after a heading makes its column numbers.
func (m *Markdown) Table(headings string) {
	m.separate()
	names := strings.Split(headings, "|")
	rule := make([]string, len(names))
	for i, name := range names {
		var number bool
		if names[i], number = strings.CutSuffix(name, ":"); number {
			rule[i] = "--:"
		} else {
			rule[i] = "---"
		}
	}
	m.Row(names...)
	m.WriteString("|" + strings.Join(rule, "|") + "|\n")
}

// Row writes a row of the table.
func (m *Markdown) Row(cells ...string) {
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	out := make([]string, len(cells))
	for i := range cells {
		out[i] = escape.Replace(cells[i])
	}
	m.WriteString("| " + strings.Join(out, " | ") + " |\n")
}

// Block writes text as it is, in a fence longer than any in it.
func (m *Markdown) Block(text string) {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	m.Line(fence + "\n" + strings.TrimRight(text, " \n\t") + "\n" + fence)
}

// Plain is a text of others as Markdown that says just that, on one line: no markup of its own, and
// no link but an address that stands there.
func Plain(text string) string {
	runes := []rune(strings.Join(strings.Fields(Shown(text)), " "))
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	var b strings.Builder
	for i, r := range runes {
		switch {
		case r == '&':
			b.WriteString("&amp;")
			continue
		case strings.ContainsRune("\\`*[]<>#~!", r), r == '_' && !(word(i-1) && word(i+1)):
			b.WriteByte('\\')
		case i == 0 && strings.ContainsRune("+-=", r):
			b.WriteByte('\\') // or it would begin a list
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Shown is a text of others with U+FFFD in place of what would not be seen: control characters but
// white space, and the marks that turn the direction of writing.
func Shown(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}
