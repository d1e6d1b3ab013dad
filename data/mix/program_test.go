package mix_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/mix"
)

// Each rule of a stream has its own line in the report: what it removed or changed,
// how much of it, and the first examples.
func TestRuleFigures(t *testing.T) {
	t.Chdir(t.TempDir())
	var docs, attributes strings.Builder
	for i, d := range []struct {
		kind, text string
		spans      string
	}{
		{"one", "keep this", `{"x":[],"y":[]}`},
		{"one", "aXXb", `{"x":[[1,3,1]],"y":[]}`},
		{"two", "aXbX", `{"x":[[1,2,1],[3,4,1]],"y":[]}`},
		{"two", "cYYY", `{"x":[],"y":[[1,4,1]]}`},
		{"other", "no include", `{"x":[],"y":[]}`},
		{"one", "bad words", `{"x":[],"y":[]}`},
		{"one", "worse words", `{"x":[],"y":[]}`},
		{"two", "YY", `{"x":[],"y":[[0,2,1]]}`},
		{"other", "none either", `{"x":[],"y":[]}`},
	} {
		fmt.Fprintf(&docs, `{"id":"%d","text":%q,"kind":%q}`+"\n", i, d.text, d.kind)
		fmt.Fprintf(&attributes, `{"id":"%d","attributes":%s}`+"\n", i, d.spans)
	}
	writeFile(t, "c/documents/a.jsonl", docs.String())
	writeFile(t, "c/attributes/at/a.jsonl", attributes.String())
	for _, syntax := range []string{"jq", "jsonpath"} {
		include, exclude := []string{`.kind == "one"`, `.kind == "two"`}, []string{`.text == "bad words"`, `.text == "worse words"`}
		if syntax == "jsonpath" {
			include, exclude = []string{`$[?(@.kind == 'one')]`, `$[?(@.kind == 'two')]`}, []string{`$[?(@.text == 'bad words')]`, `$[?(@.text == 'worse words')]`}
		}
		report := mustRun(t, false, plain(func(s *mix.Stream) {
			s.Output.Path = syntax
			s.Attributes = []string{"at"}
			s.Filter = &mix.Filter{Include: include, Exclude: exclude, Syntax: syntax}
			s.SpanReplacement = []mix.SpanReplacement{{Span: "$.attributes.x", MinScore: number(0)}, {Span: "$.attributes.y", MinScore: number(0)}}
			s.Output.MinTextLength = 1
			s.Sample = new(1.0)
		}))
		want := []mix.Rule{
			{Kind: "include", Documents: 2, Bytes: 13},
			{Kind: "include", Documents: 3, Bytes: 10},
			{Kind: "no include", Documents: 2, Bytes: 21},
			{Kind: "exclude", Documents: 1, Bytes: 9},
			{Kind: "exclude", Documents: 1, Bytes: 11},
			{Kind: "span", Documents: 2, Bytes: 4, Spans: 3},
			{Kind: "span", Documents: 2, Bytes: 5, Spans: 2},
			{Kind: "min_text_length", Documents: 1},
			{Kind: "sample"},
		}
		if len(report.Rules) != len(want) {
			t.Fatalf("%d rules, want %d", len(report.Rules), len(want))
		}
		for i, w := range want {
			r := report.Rules[i]
			if r.Kind != w.Kind || r.Documents != w.Documents || r.Bytes != w.Bytes || r.Spans != w.Spans || len(r.Examples) != int(min(w.Documents, 3)) {
				t.Errorf("%s: rule %d is %+v, want %+v", syntax, i, r, w)
			}
		}
		if e := report.Rules[2].Examples; e[0].ID != "4" || e[0].Text != "no include" || e[1].ID != "8" {
			t.Errorf("examples %+v", e)
		}
		if e := report.Rules[5].Examples; e[0].Text != "XX" || e[1].Text != "X" {
			t.Errorf("examples of spans %+v", e)
		}
		// 13 and 10 bytes of the kept but for those replaced.
		if report.Documents != 9 || report.Kept != 4 || report.TextIn != 13+9+11+10+21 || report.TextOut != 9+2+2+1 || report.Copies != 0 {
			t.Errorf("report %+v", report)
		}
	}
}

// What is no list of spans, and a replacement that is no text, make a bad record that
// says so.
func TestBadSpans(t *testing.T) {
	for _, c := range []struct {
		name, attributes string
		rule             mix.SpanReplacement
		want             string // "": it works
	}{
		{"not a list", `{"x":7}`, mix.SpanReplacement{Span: "$.attributes.x"}, "gives int, want a list of spans or null"},
		{"too short", `{"x":[[0,1]]}`, mix.SpanReplacement{Span: "$.attributes.x"}, "want [start, end, score]"},
		{"no spans", `{"x":[7]}`, mix.SpanReplacement{Span: "$.attributes.x"}, "want [start, end, score]"},
		{"a start that is no place", `{"x":[[0.5,1,1]]}`, mix.SpanReplacement{Span: "$.attributes.x"}, "want [start, end, score]"},
		{"a negative start", `{"x":[[-1,1,1]]}`, mix.SpanReplacement{Span: "$.attributes.x"}, "want [start, end, score]"},
		{"an end that is no place", `{"x":[[0,"1",1]]}`, mix.SpanReplacement{Span: "$.attributes.x"}, "want [start, end, score]"},
		{"a score that is no number", `{"x":[[0,1,null]]}`, mix.SpanReplacement{Span: "$.attributes.x"}, "want [start, end, score]"},
		{"jq: not a list", `{"x":7}`, mix.SpanReplacement{Span: ".attributes.x | .", Syntax: "jq"}, "gives int"},
		{"jq fails", `{"x":[]}`, mix.SpanReplacement{Span: `error("no")`, Syntax: "jq"}, "no"},
		{"more than three", `{"x":[[0,1,1,"more"]]}`, mix.SpanReplacement{Span: "$.attributes.x"}, ""},
		{"places with a fraction of nothing", `{"x":[[0.0,1e0,1]]}`, mix.SpanReplacement{Span: "$.attributes.x"}, ""},
		{"none", `{"y":[]}`, mix.SpanReplacement{Span: "$.attributes.x"}, ""},
		{"jq halts", `{"x":[]}`, mix.SpanReplacement{Span: "halt", Syntax: "jq"}, ""},
		{"a number as text", `{"x":[[0,1,1]]}`, mix.SpanReplacement{Span: "$.attributes.x", Replacement: "$.n"}, "gives int, want a string"},
		{"two texts", `{"x":[[0,1,1]]}`, mix.SpanReplacement{Span: "$.attributes.x", Replacement: "$.id, .id"}, "has 2 results, want one string"},
		{"a replacement that fails", `{"x":[[0,1,1]]}`, mix.SpanReplacement{Span: "$.attributes.x", Replacement: `$error("no")`}, "replacement"},
		{"one that is not used", `{"x":[[0,1,-9]]}`, mix.SpanReplacement{Span: "$.attributes.x", Replacement: "$.n"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"abc","n":3}`+"\n"+`{"id":"2","text":"good","n":3}`+"\n")
			writeFile(t, "c/attributes/x/a.jsonl", `{"id":"1","attributes":`+c.attributes+"}\n"+`{"id":"2","attributes":{"x":[]}}`+"\n")
			report, err := run(t, false, plain(func(s *mix.Stream) {
				s.Attributes = []string{"x"}
				c.rule.MinScore = number(0)
				s.SpanReplacement = []mix.SpanReplacement{c.rule}
			}))
			rejected := ""
			if text, errRead := data.ReadText(data.RejectsPath("c/documents/a.jsonl", "mix-s")); errRead == nil {
				rejected = string(text)
			}
			if err == nil && c.want == "" {
				if report.Streams[0].Kept != 2 || rejected != "" {
					t.Errorf("kept %d, rejects %s", report.Streams[0].Kept, rejected)
				}
				return
			}
			var bad struct{ Reason string }
			if err == nil {
				_ = json.Unmarshal([]byte(strings.SplitAfter(rejected, "\n")[0]), &bad)
			} else {
				bad.Reason = err.Error()
			}
			if c.want == "" || !strings.Contains(bad.Reason, c.want) {
				t.Errorf("%q, want %q", bad.Reason, c.want)
			}
		})
	}
}

// An include rule that joins conditions says how many of the documents that it leaves out
// fail each of them.
func TestConditions(t *testing.T) {
	t.Chdir(t.TempDir())
	var docs strings.Builder
	for i, d := range []string{`"n":1,"m":1`, `"n":9,"m":1`, `"n":1,"m":9`, `"n":9,"m":9`, `"n":9,"m":9,"k":"x"`} {
		fmt.Fprintf(&docs, `{"id":"%d","text":"t",%s}`+"\n", i, d)
	}
	writeFile(t, "c/documents/a.jsonl", docs.String())
	report := mustRun(t, false, plain(func(s *mix.Stream) {
		s.Attributes = nil
		s.Filter = &mix.Filter{Include: []string{`.n > 5 and .m > 5 and (.k == null or .k == "y")`, ".n == 0"}, Syntax: "jq"}
	}))
	want := []mix.Condition{{Rule: ".n > 5", Failed: 2}, {Rule: ".m > 5", Failed: 2}, {Rule: `(.k == null or .k == "y")`, Failed: 1}}
	if got := report.Rules[0].Conditions; report.Kept != 1 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v of %d, want %+v", got, report.Kept, want)
	}
	if got := report.Rules[1].Conditions; got != nil {
		t.Errorf("%+v for one condition", got)
	}
}
