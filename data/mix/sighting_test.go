package mix_test

import (
	"os"
	"strings"
	"testing"

	"olmo/data/mix"
)

// A rule in jq on an attribute that no document has decides nothing: its name is most
// likely misspelt. The run fails, each time that it is run, and leaves what was there.
func TestUnknownAttribute(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"a","attributes":{"own":1}}`+"\n"+`{"id":"2","text":"b"}`+"\n")
	writeFile(t, "c/attributes/exp/a.jsonl", `{"id":"1","attributes":{"exp__t__x":[[0,1,0.2]]}}`+"\n"+`{"id":"2","attributes":{"exp__t__x":[[0,1,0.9]],"exp__t__late":[]}}`+"\n")
	writeFile(t, "c/attributes/dup/a.jsonl", `{"id":"1","attributes":{}}`+"\n"+`{"id":"2","attributes":{}}`+"\n")
	filter := func(syntax string, include, exclude []string) func(*mix.Stream) {
		return func(s *mix.Stream) {
			s.Attributes, s.Filter = []string{"exp", "dup"}, &mix.Filter{Include: include, Exclude: exclude, Syntax: syntax}
		}
	}
	one := func(rule string) []string { return []string{rule} }
	spans := func(syntax, rule string) func(*mix.Stream) {
		return func(s *mix.Stream) {
			s.Attributes, s.SpanReplacement = []string{"exp", "dup"}, []mix.SpanReplacement{{Span: rule, MinScore: number(0), Syntax: syntax}}
		}
	}
	for _, c := range []struct {
		name string
		edit func(*mix.Stream)
		want string // in the error
	}{
		{"exclude", filter("jq", nil, one(".attributes.exp__t__y[0][2] > 0.5")), "stream s: no document has the attribute exp__t__y, which the rule .attributes.exp__t__y[0][2] > 0.5 looks at\nhint: there are own, exp__t__x; "},
		{"include of a value below", filter("jq", one(".attributes.exp__t__y[0][2] <= 0.5"), nil), "exp__t__y"},
		{"include of nothing", filter("jq", one(".attributes.exp__t__y[0][2] > 0.5"), nil), "exp__t__y"},
		{"a string for the name", filter("jq", nil, one(`.attributes["exp__t__y"] | length > 0`)), "exp__t__y"},
		{"the second of two", filter("jq", one("true"), []string{".attributes.exp__t__x[0][2] > 0.5", ".attributes.exp__t__z[0][2] > 0.5"}), "exp__t__z"},
		{"one of two in a rule", filter("jq", nil, one(".attributes.exp__t__x[0][2] > 0.5 and .attributes.exp__t__y[0][2] > 0.5")), "exp__t__y"},
		{"the default is missing", filter("jq", nil, one("(.attributes.exp__t__x // .attributes.exp__t__y)[0][2] > 0.5")), "exp__t__y"},
		{"there", filter("jq", nil, one(".attributes.exp__t__x[0][2] > 0.5")), ""},
		{"there in one document", filter("jq", nil, one(".attributes.exp__t__late | length > 0")), ""},
		{"the document's own", filter("jq", one(".attributes.own != 7"), nil), ""},
		{"with a default", filter("jq", nil, one("(.attributes.exp__t__y[0][2] // 0) > 0.5")), ""},
		{"compared with null", filter("jq", nil, one(".attributes.exp__t__y != null")), ""},
		{"a folder's name", filter("jq", nil, one(".attributes.dup | length > 0")), ""},
		{"a jsonpath, of a tagger that was at work", filter("jsonpath", nil, one("$.attributes.exp__t__y")), ""},
		{"a jsonpath", filter("jsonpath", nil, one("$.attributes.exp__u__y")), "no document has the attribute exp__u__y, which the rule $.attributes.exp__u__y looks at\nhint: there are own, exp__t__x"},
		{"a jsonpath with a filter", filter("jsonpath", one("$@.attributes[?(@.exp__t__x && @.exp__u__x[0][2] > 0.5)]"), nil), "exp__u__x"},
		{"a jsonpath from the root", filter("jsonpath", nil, one("$[?(@.attributes.exp__u__x[0][2] > 0.5)]")), "exp__u__x"},
		{"a jsonpath of what is missing", filter("jsonpath", one("$.attributes[?(!@.exp__u__x)]"), nil), ""},
		{"spans", spans("jsonpath", "$.attributes.exp__u__y"), "exp__u__y"},
		{"spans in jq", spans("jq", ".attributes.exp__u__y"), "exp__u__y"},
		{"spans of a tagger that was at work", spans("jsonpath", "$.attributes.exp__t__y"), ""},
		{"spans of a folder", spans("jq", ".attributes.dup"), ""},
		{"without rows, its own", func(s *mix.Stream) {
			s.Filter = &mix.Filter{Include: one(".attributes.own == 1"), Syntax: "jq"}
		}, ""},
		{"without rows, misspelt", func(s *mix.Stream) {
			s.Filter = &mix.Filter{Exclude: one(".attributes.owm == 1"), Syntax: "jq"}
		}, "owm"},
	} {
		if err := os.RemoveAll("out"); err != nil {
			t.Fatal(err)
		}
		os.Remove("out.s.mix.json")
		for _, again := range []string{"", ", again"} {
			_, err := run(t, false, plain(c.edit))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s%s: %v, want an error with %q", c.name, again, err, c.want)
			}
		}
		if _, err := os.Stat("out/s-0000.jsonl"); (err == nil) != (c.want == "") {
			t.Errorf("%s: the output: %v", c.name, err)
		}
		if _, err := run(t, true, plain(c.edit)); err != nil && strings.Contains(err.Error(), "no document has") {
			t.Errorf("%s, as Dolma: %v", c.name, err)
		}
	}
	// Any shard may have it.
	writeFile(t, "c/documents/b.jsonl", `{"id":"3","text":"c"}`+"\n")
	writeFile(t, "c/attributes/exp/b.jsonl", `{"id":"3","attributes":{"exp__t__other":[]}}`+"\n")
	writeFile(t, "c/attributes/dup/b.jsonl", `{"id":"3","attributes":{}}`+"\n")
	two := plain(filter("jq", nil, one(".attributes.exp__t__other | length > 0")))
	two.Documents, two.Output.MaxSizeInBytes = []string{"c/documents/*"}, 1
	if report := mustRun(t, false, two); report.Kept != 3 || len(report.Shards) != 2 {
		t.Errorf("%+v", report)
	}
}

// Metadata that is no object is kept: the object that a string holds, anything else
// below metadata. Rules see the object. Dolma drops it.
func TestMetadataNoObject(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ name, metadata, want string }{
		{"an object", `{"lang":"en"}`, `{"lang":"en","provenance":"a.jsonl:1"}`},
		{"an object in a string", `"{\"lang\":\"en\"}"`, `{"lang":"en","provenance":"a.jsonl:1"}`},
		{"on several lines", `" {\n  \"lang\": \"en\",\n  \"x\": {\n \"y\": 1.50}}\n"`, `{"lang":"en","provenance":"a.jsonl:1","x":{"y":1.50}}`},
		{"an empty one", `"{}"`, `{"provenance":"a.jsonl:1"}`},
		{"null", `null`, `{"provenance":"a.jsonl:1"}`},
		{"a string", `"from {here}"`, `{"metadata":"from {here}","provenance":"a.jsonl:1"}`},
		{"a broken object", `"{\"lang\":"`, `{"metadata":"{\"lang\":","provenance":"a.jsonl:1"}`},
		{"half a pair", `"{\"lang\":\"\\ud800\"}"`, `{"metadata":"{\"lang\":\"\\ud800\"}","provenance":"a.jsonl:1"}`},
		{"a list", `["en", 1]`, `{"metadata":["en", 1],"provenance":"a.jsonl:1"}`},
		{"a number", `3`, `{"metadata":3,"provenance":"a.jsonl:1"}`},
		{"a boolean", `false`, `{"metadata":false,"provenance":"a.jsonl:1"}`},
	} {
		writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"t","metadata":`+c.metadata+"}\n")
		mustRun(t, false, plain(keepAll))
		if got, want := readFile(t, "out/s-0000.jsonl"), `{"id":"1","metadata":`+c.want+`,"text":"t"}`+"\n"; got != want {
			t.Errorf("%s:\ngot  %swant %s", c.name, got, want)
		}
		if c.metadata[0] == '{' {
			continue
		}
		mustRun(t, true, plain(keepAll))
		if got, want := readFile(t, "out/s-0000.json"), `{"id":"1","metadata":{"provenance":"a.jsonl:1"},"text":"t"}`+"\n"; got != want {
			t.Errorf("%s, as Dolma:\ngot  %swant %s", c.name, got, want)
		}
	}
	writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"t","metadata":"{\"lang\":\"en\"}"}`+"\n")
	report := mustRun(t, false, plain(func(s *mix.Stream) {
		s.Filter = &mix.Filter{Include: []string{`.metadata.lang == "en"`}, Syntax: "jq"}
	}))
	if report.Kept != 1 {
		t.Errorf("a rule on it: %+v", report)
	}
}

// Attributes that are no object cannot be joined with those of rows, and the document is
// a reject.
func TestAttributesNoObject(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"t","attributes":[1]}`+"\n"+`{"id":"2","text":"t","attributes":null}`+"\n")
	writeFile(t, "c/attributes/x/a.jsonl", `{"id":"1","attributes":{"x":[]}}`+"\n"+`{"id":"2","attributes":{"x":[]}}`+"\n")
	report := mustRun(t, false, plain(func(s *mix.Stream) { keepAll(s); s.Attributes = []string{"x"} }))
	if report.Kept != 1 || report.Rejected != 1 {
		t.Errorf("%+v, want one reject", report)
	}
}
