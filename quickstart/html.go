package quickstart

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Elements whose content is no text of the page, and those that begin a line
// or a paragraph of their own.
var (
	hiddenElements = map[atom.Atom]bool{
		atom.Script: true, atom.Style: true, atom.Head: true, atom.Template: true, atom.Noscript: true,
		atom.Svg: true, atom.Math: true, atom.Iframe: true, atom.Object: true, atom.Select: true, atom.Textarea: true,
	}
	lineElements = map[atom.Atom]bool{
		atom.Br: true, atom.Li: true, atom.Tr: true, atom.Dt: true, atom.Dd: true, atom.Option: true,
	}
	paragraphElements = map[atom.Atom]bool{
		atom.P: true, atom.Div: true, atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true,
		atom.Pre: true, atom.Blockquote: true, atom.Ul: true, atom.Ol: true, atom.Dl: true, atom.Table: true, atom.Section: true,
		atom.Article: true, atom.Header: true, atom.Footer: true, atom.Nav: true, atom.Aside: true, atom.Main: true,
		atom.Figure: true, atom.Figcaption: true, atom.Hr: true, atom.Form: true, atom.Body: true, atom.Address: true,
	}
)

// htmlText is what a browser would show of a page, as plain text: white space
// folded except in <pre>, blocks as paragraphs, cells parted by tabs.
func htmlText(page []byte) ([]byte, error) {
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var w htmlWriter
	w.write(root, false)
	text := strings.TrimSpace(w.out.String())
	if text != "" {
		text += "\n"
	}
	return []byte(text), nil
}

// htmlWriter collects the text; breaks and a space are owed until text follows.
type htmlWriter struct {
	out    strings.Builder
	breaks int
	space  bool
}

func (w *htmlWriter) write(n *html.Node, pre bool) {
	if n.Type == html.TextNode {
		w.text(n.Data, pre)
		return
	}
	if n.Type == html.ElementNode && hiddenElements[n.DataAtom] {
		return
	}
	breaks := 0
	switch {
	case paragraphElements[n.DataAtom]:
		breaks = 2
	case lineElements[n.DataAtom]:
		breaks = 1
	}
	w.breaks = max(w.breaks, breaks)
	if n.DataAtom == atom.Td || n.DataAtom == atom.Th {
		if n.PrevSibling != nil && w.breaks == 0 {
			w.out.WriteByte('\t')
			w.space = false
		}
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		w.write(child, pre || n.DataAtom == atom.Pre)
	}
	w.breaks = max(w.breaks, breaks)
}

func (w *htmlWriter) text(text string, pre bool) {
	if pre {
		if text != "" {
			w.flush()
			w.out.WriteString(text)
		}
		return
	}
	for i, word := range strings.FieldsFunc(text, isHTMLSpace) {
		if i > 0 || isHTMLSpace(rune(text[0])) {
			w.space = true
		}
		w.flush()
		w.out.WriteString(word)
	}
	if text != "" && isHTMLSpace(rune(text[len(text)-1])) {
		w.space = true
	}
}

// flush writes the breaks or the space that stand before more text.
func (w *htmlWriter) flush() {
	switch {
	case w.out.Len() == 0:
	case w.breaks > 0:
		have := len(w.out.String()) - len(strings.TrimRight(w.out.String(), "\n"))
		w.out.WriteString(strings.Repeat("\n", max(w.breaks-have, 0)))
	case w.space:
		w.out.WriteByte(' ')
	}
	w.breaks, w.space = 0, false
}

// isHTMLSpace tells the white space of HTML; a no-break space is none.
func isHTMLSpace(r rune) bool {
	return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f'
}
