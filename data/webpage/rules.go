package webpage

import (
	"regexp"
	"strings"
	"sync"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// notMainRoles are ARIA roles of blocks that serve the page, not its reader.
var notMainRoles = set("alert banner checkbox comment complementary contentinfo dialog img menu menubar menuitem navigation presentation radio search searchbox separator tab toolbar tooltip")

var hiddenStyle = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:^|;\s*)(?:display\s?:\s?none|visibility\s?:\s?hidden)(?:$|\s?;)`)
})

// isLinks says whether more than a share of the text is links; a text longer
// than most (0: any) is not asked.
func (v *visit) isLinks(share float64, most int) bool {
	if most > 0 && v.text.n > most {
		return false
	}
	return v.links.n > 0 && float64(v.links.n) > share*float64(v.text.n)
}

// isMain says whether an element may hold main content: rules about its tag,
// its attributes and its names, in this order.
func (w *walker) isMain(v *visit) bool {
	n := v.node
	switch n.DataAtom {
	case atom.Body, atom.Main, atom.H1:
		return true
	case atom.Footer:
		return v.depth >= 3 && !v.isLinks(0.2, 0) && !endsPage(n)
	case atom.Ul:
		if v.depth < 4 || v.isLinks(0.2, 0) {
			return false
		}
	case atom.Article:
		if v.depth > 2 && v.isLinks(0.2, 500) {
			return false
		}
	case atom.Nav, atom.Aside, atom.Audio, atom.Video, atom.Time:
		return false
	}

	var class, id, role, rel, style string
	for _, a := range n.Attr {
		switch a.Key {
		case "hidden", "data-ad", "data-advertisement", "data-text-ad":
			if a.Key == "hidden" || attribute(n, "class") != "" || attribute(n, "id") != "" {
				return false
			}
		case "rel":
			switch rel = trim(a.Val); rel {
			case "author", "icon", "search", "prev", "next", "tag":
				return false
			}
		case "aria-hidden":
			if trim(a.Val) == "true" {
				return false
			}
		case "aria-expanded":
			if trim(a.Val) == "false" {
				return false
			}
		case "class":
			class = a.Val
		case "id":
			id = a.Val
		case "role":
			role = trim(a.Val)
		case "style":
			style = a.Val
		}
	}
	if style != "" && hiddenStyle().MatchString(style) {
		return false
	}
	if class == "" && id == "" {
		return n.DataAtom != atom.Div || v.depth <= 5 || !v.isLinks(0.6, 800)
	}

	byClass := w.names.of(class, "")
	names := byClass | w.names.of("", id)&^landmarkName
	if byClass.has(hiddenName|junkName) || names.has(logoName|adName) {
		return false
	}
	if names.has(skipName) && (n.DataAtom == atom.A || n.DataAtom == atom.Div || n.DataAtom == atom.Li) {
		return false
	}
	if v.depth > 2 && byClass.has(signInName|socialName) {
		return false
	}
	if !isBlock(n.DataAtom) && n.DataAtom != atom.Td {
		return true
	}
	switch {
	case rel == "main":
		return true
	case notMainRoles[role]:
		return false
	case names.has(articleName):
		return true
	case w.names.of("", id).has(landmarkName):
		return false
	case names.has(headerName | footerName | navName | relatedName | searchName | sidebarName | modalName | galleryName | printName):
		return false
	}
	return n.DataAtom != atom.Div || v.depth <= 2 || !v.isLinks(0.6, 1500)
}

// endsPage says whether nothing follows n in any element but the body.
func endsPage(n *html.Node) bool {
	for ; n != nil && n.Parent != nil && n.Parent.DataAtom != atom.Body; n = n.Parent {
		if n.NextSibling != nil && n.NextSibling.Type == html.TextNode {
			n = n.NextSibling
		}
		if n.NextSibling != nil {
			return false
		}
	}
	return true
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func trim(s string) string { return strings.Trim(s, " \t\r\n\v\f") }
