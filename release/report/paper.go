package report

import (
	_ "embed"
	"strings"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"olmo/page"
)

// paper is a text in parts, before it is Markdown or a page. All its texts are plain: what stands
// in them is no markup.
type paper struct {
	Title string
	Lead  []string // paragraphs
	Parts []part
}

// part is a section with its heading. What it says before its first subsection is in one without a title.
type part struct {
	Title string
	Aside string // what it is about, in a sentence
	Subs  []sub
}

// sub is a subsection: paragraphs, then names with what there is to say of each, then tables, then commands.
type sub struct {
	Title    string
	Text     []string
	Facts    []fact
	Tables   []table
	Commands []string
}

type fact struct{ Name, Value string }

// table has its first Words columns for words, the others for numbers.
type table struct {
	Title string
	Words int
	Head  []string
	Rows  [][]string
}

// notStated stands wherever a person would have to say something, and has not.
const notStated = "not stated"

// orNot is a text, or that there is none.
func orNot(text string) string {
	if text == "" {
		return notStated
	}
	return text
}

// markdown writes the paper as a Markdown file.
func (p *paper) markdown() []byte {
	var m page.Markdown
	p.writeTo(&m)
	return []byte(m.String())
}

func (p *paper) writeTo(m *page.Markdown) {
	m.Line("# " + page.Plain(p.Title))
	for _, text := range p.Lead {
		m.Line(page.Plain(text))
	}
	for _, part := range p.Parts {
		m.Line("## " + page.Plain(part.Title))
		if part.Aside != "" {
			m.Line(page.Plain(part.Aside))
		}
		for _, s := range part.Subs {
			s.writeTo(m)
		}
	}
}

func (s *sub) writeTo(m *page.Markdown) {
	if s.Title != "" {
		m.Line("### " + page.Plain(s.Title))
	}
	for _, text := range s.Text {
		m.Line(page.Plain(text))
	}
	for _, f := range s.Facts {
		m.Item(page.Plain(f.Name) + ": " + page.Plain(f.Value))
	}
	for _, t := range s.Tables {
		if t.Title != "" {
			m.Line(page.Plain(t.Title) + ":")
		}
		head := make([]string, len(t.Head))
		for i, name := range t.Head {
			if head[i] = name; t.number(i) {
				head[i] += ":"
			}
		}
		m.Table(strings.Join(head, "|"))
		for _, row := range t.Rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = page.Plain(cell)
			}
			m.Row(cells...)
		}
	}
	if len(s.Commands) > 0 {
		m.Block(strings.Join(s.Commands, "\n"))
	}
}

// number tells whether a column has numbers.
func (t *table) number(column int) bool { return column >= t.Words }

//go:embed paper.html.tmpl
var paperText string

var paperPage = page.MustParse(paperText, template.FuncMap{
	"shown":  page.Shown,
	"number": func(t table, column int) bool { return t.number(column) },
})

// page writes the paper as a page that needs nothing else.
func (p *paper) page() ([]byte, error) { return paperPage.Bytes(p) }
