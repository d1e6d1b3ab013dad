package mix

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed funnel.html
var funnelPage string

// WriteHTML writes the report as a page that needs no other file: for each
// stream what every rule removed, how much was left, and examples.
func (r *Report) WriteHTML(w io.Writer) error {
	type row struct {
		Rule
		Removes bool
		// Left is the share of the stream's documents after this rule, in percent.
		Left float64
	}
	type stream struct {
		StreamReport
		Rows   []row
		Tokens bool
	}
	var streams []stream
	for _, s := range r.Streams {
		out := stream{StreamReport: s, Tokens: s.TokensIn > 0}
		left := s.Documents
		for _, rule := range s.Rules {
			if rule.Kind == "include" || rule.Documents == 0 && (rule.Kind == "no include" || rule.Kind == "min_text_length") {
				continue
			}
			if rule.removes() {
				left -= rule.Documents
			}
			out.Rows = append(out.Rows, row{rule, rule.removes(), 100 * float64(left) / float64(max(s.Documents, 1))})
		}
		streams = append(streams, out)
	}
	t := template.New("funnel").Funcs(template.FuncMap{
		"percent": func(a, b int64) string { return fmt.Sprintf("%.1f %%", 100*float64(a)/float64(max(b, 1))) },
		"mb":      func(bytes int64) string { return fmt.Sprintf("%.2f", float64(bytes)/1e6) },
	})
	t, err := t.Parse(funnelPage)
	if err != nil {
		return fmt.Errorf("the report's template: %w", err)
	}
	return t.Execute(w, streams)
}
