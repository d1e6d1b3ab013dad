package mix_test

import (
	"bytes"
	"strings"
	"testing"

	"olmo/data/mix"
	"olmo/page/pagetest"
)

// TestFunnelLook looks at the page in a browser.
func TestFunnelLook(t *testing.T) {
	example := []mix.Example{{ID: "go/net/http/pprof-0017-with-a-long-name", Text: "Package pprof serves via its HTTP server runtime profiling data in the format expected by the pprof visualization tool."}, {ID: "b", Text: "<b>bold</b> and\n\n" + strings.Repeat("word ", 40)}, {ID: "c", Text: "short"}}
	r := mix.Report{Streams: []mix.StreamReport{
		{
			Name: "curated", Documents: 3519, Rejected: 2, Kept: 3012, TextIn: 10484000, TextOut: 8933210, TokensIn: 2930122, TokensOut: 2511010,
			Rules: []mix.Rule{
				{Kind: "exclude", Name: "copy of another document", Rule: `.attributes.duplicate_documents | length > 0`, Documents: 157, Bytes: 403311, Tokens: 120331, Examples: example},
				{Kind: "exclude", Name: "fewer than 12 words", Rule: `(.attributes.quickstart__gopher_v2__word_count[0][2] // 0.5) < 12`, Documents: 350, Bytes: 98321, Tokens: 28331, Examples: example[:1]},
				{Kind: "exclude", Rule: `(.attributes.quickstart__gopher_v2__fraction_of_characters_in_most_common_2grams[0][2] // 0.5) > 0.3`},
				{Kind: "span", Rule: "$.attributes.duplicate_paragraphs", Documents: 412, Bytes: 1049158, Spans: 1203, Examples: example[1:]},
			},
		},
		{Name: "with includes", Documents: 783, Kept: 626, TextIn: 1200000, TextOut: 900000, Rules: []mix.Rule{
			{Kind: "include", Rule: `.attributes.q[0][2] > 0.5`, Documents: 626}, {Kind: "no include", Rule: "no include", Documents: 157, Bytes: 300000, Examples: example[:2]},
		}},
	}}
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	pagetest.LookAt(t, "funnel", b.Bytes())
}
