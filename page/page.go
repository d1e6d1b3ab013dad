// Package page holds what all pages of olmo look like: type, colours for light and
// dark, tables and charts, as one style sheet, one template and one script. Its pages
// need nothing from elsewhere; those that are files run no script at all.
package page

import (
	"bytes"
	_ "embed"
	"io"
	"sync"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
)

//go:embed page.css
var css string

//go:embed chart.js
var script string

//go:embed base.html.tmpl
var base string

// CSS is the style sheet, for pages that are served. Files have it inside.
func CSS() string { return css }

// Script is the charts of pages that are served, which follow a pointer and can be
// zoomed: a global object named page.
func Script() string { return script }

// Parse makes the template of a page that is one file. text defines "title" and "main",
// and "head" where the page has a style of its own; funcs are added to those of every
// page:
//
//	chart CHART     a Chart as a figure
//	percent A B     A of B as a percentage with one decimal, a dash when B is 0
//	length A B      A of B as a length in CSS
//	grouped N       a whole number with a comma before every three digits
//
// A template calls functions alone, no methods: the library is the standard one without its look-up of
// methods by name, for which the linker would have to keep every exported method of every type (7 MB).
func Parse(text string, funcs template.FuncMap) (*Template, error) {
	t, err := template.New("page").Funcs(common).Funcs(funcs).Parse(base)
	if err != nil {
		return nil, err
	}
	if t, err = t.Parse(text); err != nil {
		return nil, err
	}
	return &Template{func() *template.Template { return t }}, nil
}

// MustParse is Parse for texts that are inside the program. They are parsed for the first
// page that is written: most runs of the program write none.
func MustParse(text string, funcs template.FuncMap) *Template {
	return &Template{sync.OnceValue(func() *template.Template {
		t, err := Parse(text, funcs)
		if err != nil {
			panic(err)
		}
		return t.t()
	})}
}

// Template is a page whose data is still to come.
type Template struct{ t func() *template.Template }

// Write writes the page about v.
func (t *Template) Write(w io.Writer, v any) error {
	return t.t().ExecuteTemplate(w, "page", map[string]any{"CSS": template.CSS(css), "V": v})
}

// Bytes is the page about v.
func (t *Template) Bytes(v any) ([]byte, error) {
	var b bytes.Buffer
	err := t.Write(&b, v)
	return b.Bytes(), err
}

var common = template.FuncMap{
	"chart":   func(c Chart) (template.HTML, error) { return c.figure() },
	"percent": percent,
	"length":  length,
	"grouped": Grouped,
}
