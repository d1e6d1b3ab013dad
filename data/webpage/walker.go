package webpage

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// walker writes the text of a page's main content: blocks on lines of their
// own, paragraphs and headings apart, lists with bullets and numbers, pre as it
// stands. Forms, figures and what is not shown are left out, comments of
// readers kept.
//
// After resiliparse 2.0.1 (extract_plain_text) with the options of Dolma 1.2.1, python/dolma/warc/linearizers.py. Unlike there, cells of a
// table are always apart, and an empty list does not indent what follows it.
type walker struct {
	nodes []visit
	out   []byte
	names classifier
	bugs  bool

	margin   int   // line ends due before the next text
	lists    []int // the open lists: the next number, 0 for bullets
	prefix   string
	bulleted bool // the prefix of an item is due
	pre      int
	piece    piece
}

// visit is a node of the tree in its order.
type visit struct {
	node  *html.Node
	depth int // below body
	end   int // index after its last descendant
	// Lengths in bytes, with runs of white space as one: of the text below,
	// and of that in links.
	text, links size
}

// size is the length of a text whose runs of white space count one. Sizes of
// adjacent texts can be added.
type size struct {
	n           int
	first, last bool // it begins, it ends with white space
}

func (s size) add(t size) size {
	switch {
	case t.n == 0:
		return s
	case s.n == 0:
		return t
	}
	n := s.n + t.n
	if s.last && t.first {
		n--
	}
	return size{n, s.first, t.last}
}

func sizeOf(text string) (s size) {
	space := false
	for i := range len(text) {
		if isSpace(text[i]) {
			if !space {
				s.n++
			}
			space = true
		} else {
			s.n++
			space = false
		}
		if i == 0 {
			s.first = space
		}
	}
	s.last = space
	return s
}

// piece is text that has no block's border in it.
type piece struct {
	depth  int
	block  bool // it begins or follows a block, so space before it goes
	isCell bool // it begins a cell of a table
	text   []byte
	any    bool // it has a text, maybe empty
}

func (w *walker) Linearize(page string) (string, error) {
	doc, err := parse(page)
	if err == errNested {
		return plain(page), nil
	}
	if err != nil {
		return "", err
	}
	body := find(doc, atom.Body)
	if body == nil {
		return "", nil
	}
	return w.text(body, true), nil
}

// text is the text below body; with main only that of the main content.
func (w *walker) text(body *html.Node, main bool) string {
	w.nodes, w.out = w.nodes[:0], w.out[:0]
	w.margin, w.lists, w.prefix, w.bulleted, w.pre, w.piece = 0, w.lists[:0], "", false, 0, piece{text: w.piece.text[:0]}
	w.flatten(body, 0)
	root := 0
	if main {
		if i, only := w.candidate(); only {
			root = i
		}
	}
	w.walk(root, main)
	w.flush()
	text := strings.TrimRight(string(w.out), " \t\r\n\v\f")
	if cap(w.nodes) > 1<<16 {
		*w = walker{names: w.names, bugs: w.bugs} // one long page should not cost memory for the rest
	}
	clear(w.nodes)
	return text
}

func find(n *html.Node, a atom.Atom) *html.Node {
	if n.Type == html.ElementNode && n.DataAtom == a {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if f := find(c, a); f != nil {
			return f
		}
	}
	return nil
}

// flatten puts the tree into w.nodes.
func (w *walker) flatten(n *html.Node, depth int) (text, links size) {
	i := len(w.nodes)
	w.nodes = append(w.nodes, visit{node: n, depth: depth})
	if n.Type == html.TextNode {
		text = sizeOf(n.Data)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		t, l := w.flatten(c, depth+1)
		text = text.add(t)
		links.n += l.n
	}
	if n.DataAtom == atom.A {
		links.n = text.n
	}
	w.nodes[i].end, w.nodes[i].text, w.nodes[i].links = len(w.nodes), text, links
	return text, links
}

// candidate is the one element that says it is the page's main content.
func (w *walker) candidate() (index int, only bool) {
	for i, v := range w.nodes {
		if i == 0 || v.node.Type != html.ElementNode || len(v.node.Attr) == 0 {
			continue
		}
		if attribute(v.node, "role") == "main" || w.names.of(attribute(v.node, "class"), "").has(bodyName) {
			if only {
				return 0, false
			}
			index, only = i, true
		}
	}
	return index, only
}

// isBlock says which elements stand on lines of their own.
func isBlock(a atom.Atom) bool {
	switch a {
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Br, atom.Center, atom.Details, atom.Dd, atom.Dt, atom.Div,
		atom.Dl, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5,
		atom.H6, atom.Header, atom.Hgroup, atom.Hr, atom.Li, atom.Main, atom.Nav, atom.Ol, atom.P, atom.Pre, atom.Section,
		atom.Table, atom.Tr, atom.Ul:
		return true
	}
	return false
}

// neverText are elements whose text is no part of what a reader reads.
func neverText(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Iframe, atom.Frame, atom.Template, atom.Noscript, atom.Object, atom.Video, atom.Audio, atom.Embed,
		atom.Area, atom.Svg, atom.Figcaption, atom.Figure, atom.Textarea, atom.Input, atom.Button, atom.Select, atom.Option, atom.Label:
		return true
	}
	return false
}

// walk visits the subtree at index i.
func (w *walker) walk(i int, main bool) {
	v := &w.nodes[i]
	n := v.node
	switch n.Type {
	case html.TextNode:
		if !main || !w.isIcon(n.Data) {
			w.begin(v, false)
			w.piece.text = append(w.piece.text, n.Data...)
			w.piece.any = true
		}
		return
	case html.ElementNode:
	default:
		return
	}
	if neverText(n.DataAtom) || main && !w.isMain(v) {
		return
	}
	w.begin(v, false)
	for c := i + 1; c < v.end; c = w.nodes[c].end {
		w.walk(c, main)
	}
	if v.end > i+1 || n.DataAtom == atom.Ul || n.DataAtom == atom.Ol {
		w.begin(v, true)
	}
}

// begin starts a new piece at the border of a block, or where the text goes on
// outside of the element in which the last piece began.
func (w *walker) begin(v *visit, end bool) {
	n := v.node
	a := atom.Atom(0)
	if n.Type == html.ElementNode {
		a = n.DataAtom
	}
	isCell := a == atom.Td || a == atom.Th
	block := isBlock(a)
	if !block && !isCell && v.depth >= w.piece.depth {
		return
	}
	w.flush()
	w.piece = piece{depth: v.depth, block: block, isCell: isCell && !end, text: w.piece.text[:0]}
	switch {
	case a == atom.Pre && end:
		w.pre--
	case a == atom.Pre:
		w.pre++
	case a == atom.Ul, a == atom.Ol:
		if !end {
			w.lists = append(w.lists, 0)
			if a == atom.Ol {
				w.lists[len(w.lists)-1] = 1
			}
		} else if len(w.lists) > 0 {
			w.lists = w.lists[:len(w.lists)-1]
			w.prefix, w.bulleted = "", false
		}
	case a == atom.Li:
		if len(w.lists) == 0 {
			w.lists = append(w.lists, 0)
		}
		number := &w.lists[len(w.lists)-1]
		w.prefix, w.bulleted = "• ", !end
		if *number > 0 {
			w.prefix = strconv.Itoa(*number) + ". "
			if !end {
				*number++
			}
		}
	}
	switch {
	case a == atom.Br:
		w.margin++
	case block && w.pre == 0 && (a == atom.P || a == atom.H1 || a == atom.H2 || a == atom.H3 || a == atom.H4):
		w.margin = max(w.margin, 2)
	case block:
		w.margin = max(w.margin, 1)
	}
}

// flush writes the piece in work.
func (w *walker) flush() {
	p := &w.piece
	if !p.any {
		return
	}
	p.any = false
	text := p.text
	if w.pre == 0 {
		text = collapse(text)
		if p.block || p.isCell || len(w.out) > 0 && isSpace(w.out[len(w.out)-1]) {
			for len(text) > 0 && isSpace(text[0]) {
				text = text[1:]
			}
		}
	}
	if len(text) == 0 {
		return
	}
	if w.margin > 0 {
		if w.pre == 0 {
			for len(w.out) > 0 && isSpace(w.out[len(w.out)-1]) {
				w.out = w.out[:len(w.out)-1]
			}
		}
		if len(w.out) > 0 {
			for range w.margin {
				w.out = append(w.out, '\n')
			}
		}
		w.margin = 0
	}
	lineStart := len(w.out) == 0 || w.out[len(w.out)-1] == '\n'
	if depth := len(w.lists); depth > 0 && lineStart {
		if !w.bulleted {
			depth++
		}
		for range depth {
			w.out = append(w.out, ' ', ' ')
		}
	}
	w.bulleted = false
	if p.isCell && !lineStart {
		for len(w.out) > 0 && w.out[len(w.out)-1] == ' ' {
			w.out = w.out[:len(w.out)-1]
		}
		w.out = append(w.out, '\t', '\t')
	}
	w.out = append(w.out, w.prefix...)
	w.prefix = ""
	w.out = append(w.out, text...)
}

// collapse makes one space of each run of white space, in place.
func collapse(b []byte) []byte {
	out := b[:0]
	space := false
	for _, c := range b {
		if isSpace(c) {
			if !space {
				out = append(out, ' ')
			}
			space = true
			continue
		}
		space = false
		out = append(out, c)
	}
	return out
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isIcon says whether a text is one character of an icon font, or the mark of
// a link to the heading itself.
func (w *walker) isIcon(s string) bool {
	if s = strings.Trim(s, " \t\r\n\v\f"); s == "¶" {
		return true
	}
	if w.bugs && len(s) == 3 {
		// Compares the bytes as a number, the last one first.
		n := int(s[0]) | int(s[1])<<8 | int(s[2])<<16
		return n >= 0x8080ee && n <= 0xbfa3ef
	}
	r, n := utf8.DecodeRuneInString(s)
	return n == len(s) && r >= 0xe000 && r <= 0xf8ff
}
