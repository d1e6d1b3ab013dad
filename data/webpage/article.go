package webpage

import (
	"net/url"
	"time"

	readability "codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// article finds the article of a page by Mozilla's Readability.
type article struct {
	noTables bool
	walker   walker
}

// maxElements bounds the pages that are looked at: the algorithm goes over
// all elements several times.
const maxElements = 100_000

// nowhere is the address of a page whose links are not asked for.
var nowhere = &url.URL{Scheme: "http", Host: "localhost", Path: "/"}

func (a *article) Linearize(page string) (string, error) {
	doc, err := parse(page)
	if err == errNested {
		return plain(page), nil
	}
	if err != nil {
		return "", err
	}
	found := make(chan *html.Node, 1)
	go func() {
		var node *html.Node
		defer func() {
			// What the library cannot read has no article.
			_ = recover()
			found <- node
		}()
		p := readability.NewParser()
		p.MaxElemsToParse = maxElements
		if r, err := p.ParseAndMutate(doc, nowhere); err == nil {
			node = r.Node
		}
	}()
	timer := time.NewTimer(Deadline)
	defer timer.Stop()
	select {
	case node := <-found:
		if node == nil {
			return "", nil
		}
		if a.noTables {
			remove(node, atom.Table)
		}
		return a.walker.text(node, false), nil
	case <-timer.C:
		return "", ErrDeadline
	}
}

// remove takes elements out of a tree.
func remove(n *html.Node, what atom.Atom) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.DataAtom == what {
			n.RemoveChild(c)
		} else {
			remove(c, what)
		}
		c = next
	}
}
