package mix

import (
	_ "embed"
	"fmt"
	"io"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"olmo/page"
)

//go:embed funnel.html.tmpl
var funnelText string

var funnelPage = page.MustParse(funnelText, template.FuncMap{
	"mb": func(bytes int64) string { return fmt.Sprintf("%.2f", float64(bytes)/1e6) },
})

// funnelRow is a rule in the page.
type funnelRow struct {
	Rule
	Title           string
	Removes, Admits bool
	Left            int64 // documents, after this rule
}

// titles are the kinds of rules in words.
var titles = map[string]string{
	"include": "include", "no include": "admitted by no include rule", "exclude": "exclude", "sample": "not drawn by the sample",
	"span": "replace spans", "min_text_length": "too little text left",
}

// WriteHTML writes the report as a page that needs no other file: for each
// stream what every rule removed, how much was left, and examples.
func (r *Report) WriteHTML(w io.Writer) error {
	type stream struct {
		StreamReport
		Rows   []funnelRow
		Tokens bool
	}
	var streams []stream
	var documents, kept int64
	for _, s := range r.Streams {
		out := stream{StreamReport: s, Tokens: s.TokensIn > 0}
		documents, kept = documents+s.Documents, kept+s.Kept
		left := s.Documents
		for _, rule := range s.Rules {
			if rule.Documents == 0 && (rule.Kind == "no include" || rule.Kind == "min_text_length") {
				continue
			}
			if rule.removes() {
				left -= rule.Documents
			}
			row := funnelRow{rule, rule.Name, rule.removes(), rule.Kind == "include", left}
			if row.Title == "" {
				row.Title = titles[rule.Kind]
			}
			if row.Rule.Rule == rule.Kind { // it has no words of its own
				row.Rule.Rule = ""
			}
			out.Rows = append(out.Rows, row)
		}
		streams = append(streams, out)
	}
	return funnelPage.Write(w, map[string]any{"Documents": documents, "Kept": kept, "Streams": streams})
}
