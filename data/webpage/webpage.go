// Package webpage decodes HTML pages and finds the text for which a reader
// came to them.
package webpage

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Linearizer turns a page of HTML in UTF-8 into text. It may keep buffers
// between calls, so each goroutine needs its own.
type Linearizer interface {
	// Linearize returns the text of page, "" when it has none. After about
	// Deadline it gives up with ErrDeadline.
	Linearize(page string) (string, error)
}

// Deadline is the time that one page may take.
const Deadline = 10 * time.Second

// ErrDeadline is in the chain of the error for a page that took too long.
var ErrDeadline = errors.New("the page takes too long")

// linearizers are those that New knows.
var linearizers = map[string]func(bugs bool) Linearizer{
	"resiliparse": func(bugs bool) Linearizer { return &walker{bugs: bugs} },
	"readability": func(bool) Linearizer { return new(article) },
	// Trafilatura finds an article much as Readability does, and asks
	// Readability where it finds none.
	"trafilatura": func(bool) Linearizer { return &article{noTables: true} },
}

// Names lists the linearizers, sorted.
func Names() []string {
	var names []string
	for name := range linearizers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New makes a linearizer: resiliparse leaves out what is not main content by
// names and places of elements, as the library of that name; readability looks
// for one article by Mozilla's algorithm; trafilatura is readability without
// tables. With bugs, resiliparse takes single characters for icons as the
// library does: most of those whose UTF-8 has three bytes.
func New(name string, bugs bool) (Linearizer, error) {
	f, ok := linearizers[name]
	if !ok {
		return nil, fmt.Errorf("linearizer %q is unknown\nhint: one of %s", name, strings.Join(Names(), ", "))
	}
	return f(bugs), nil
}

// timed is a page whose reader fails after the deadline: the parser takes more
// than linear time for some pages, and asks for more as it goes.
type timed struct {
	r   *strings.Reader
	end time.Time
}

func (t *timed) Read(b []byte) (int, error) {
	if time.Now().After(t.end) {
		return 0, ErrDeadline
	}
	return t.r.Read(b[:min(len(b), 4096)])
}

// parse builds the tree of a page. Pages that are nested deeper than the
// parser allows have none.
func parse(page string) (*html.Node, error) {
	doc, err := html.Parse(&timed{strings.NewReader(page), time.Now().Add(Deadline)})
	if err != nil && !errors.Is(err, ErrDeadline) {
		return nil, errNested
	}
	return doc, err
}

var errNested = errors.New("the page is nested too deep")

// plain is the text of a page without a tree: everything between tags but
// scripts and styles. It takes linear time whatever the page holds.
func plain(page string) string {
	z := html.NewTokenizer(strings.NewReader(page))
	z.SetMaxBuf(0)
	var out strings.Builder
	skip := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				return ""
			}
			return strings.TrimSpace(out.String())
		case html.StartTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case "script", "style", "template", "noscript", "textarea", "title":
				skip = string(name)
			}
			out.WriteByte('\n')
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == skip {
				skip = ""
			}
			out.WriteByte('\n')
		case html.TextToken:
			if skip == "" {
				for i, word := range strings.Fields(string(z.Text())) {
					if i > 0 {
						out.WriteByte(' ')
					}
					out.WriteString(word)
				}
			}
		}
	}
}
