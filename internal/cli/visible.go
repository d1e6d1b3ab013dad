package cli

import (
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// visible is a text of others (a prompt, a task's name, a model's answer) as it may go to a
// terminal: control characters but newline and tab, and the marks that turn the direction of
// writing, as Go writes them in strings. Otherwise a row of a data set could clear the screen, or
// show another prompt than the one that a model is asked.
func visible(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// newTable writes columns, whose texts are made visible.
func newTable(out io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(visibleWriter{out}, 0, 8, 2, ' ', 0)
}

// visibleWriter makes whole texts visible; a tabwriter gives it each cell in one piece.
type visibleWriter struct{ out io.Writer }

func (w visibleWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(w.out, visible(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
