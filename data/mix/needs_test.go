package mix

import (
	"testing"

	"olmo/data"
)

// A rule sees all that it asks for: only a part of a document is decoded for it, and
// the answer is that over the whole document.
func TestRuleSeesWhatItNeeds(t *testing.T) {
	const row = `{"id":"7","text":"some text","n":3,"e":[],"metadata":{"lang":"en","tags":["a","b"],"deep":{"k":1}},"source":"s"}`
	const attributes = `{"q":[[0,4,0.5]],"dup":[[0,9,1]],"none":[],"n":[[1,2,3]]}`
	var p parsed
	fields, err := data.ParseDocumentFields([]byte(row), &p.Document, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.fields = fields
	j := joined{parsed: &p, merged: true}
	if j.attributes, err = data.AppendFields(nil, []byte(attributes)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		syntax, rule string
		want         bool
		few          bool // not all is decoded for it
	}{
		{"jq", `.n == 3`, true, true},
		{"jq", `.text | length == 9`, true, true},
		{"jq", `.metadata.lang == "en" and .source == "s"`, true, true},
		{"jq", `.["metadata"].lang`, true, true},
		{"jq", `.metadata["lang"]`, true, true},
		{"jq", `."metadata".tags | length == 2`, true, true},
		{"jq", `.metadata | .deep | .k == 1`, true, true},
		{"jq", `(.metadata | .deep).k == 1`, true, true},
		{"jq", `.attributes.q[0][2] == 0.5`, true, true},
		{"jq", `.attributes | .dup | length == 1`, true, true},
		{"jq", `.attributes["q"] | length == 1`, true, true},
		{"jq", `.attributes.none`, false, true},
		{"jq", `if .n == 3 then .source else .id end == "s"`, true, true},
		{"jq", `if .n == 4 then .source elif .n == 3 then .id else .e end == "7"`, true, true},
		{"jq", `if .n == 4 then .source elif .n == 5 then .id else .metadata.lang end == "en"`, true, true},
		{"jq", `"\(.id)-\(.n)" == "7-3"`, true, true},
		{"jq", `[.id, .n] | length == 2`, true, true},
		{"jq", `[.metadata.tags[] | . == "b"] | any`, true, true},
		{"jq", `-.n == -3`, true, true},
		{"jq", `-(.n) + 3 == 0`, true, true},
		{"jq", `.metadata.tags[.n - 2] == "b"`, true, true},
		{"jq", `.text[.n:] | startswith("e ")`, true, true},
		{"jq", `.text[:.n] == "som"`, true, true},
		{"jq", `.metadata[("la" + "ng")] == "en"`, true, true},
		{"jq", `(try (.n | error) catch .) == 3`, true, true},
		{"jq", `(try error("x") catch .) == "x" and .n == 3`, true, false},
		{"jq", `(.n | tostring) == "3"`, true, true},
		{"jq", `select(.n == 3) | .source == "s"`, true, true},
		{"jq", `select(.n == 4) | .source == "s"`, false, true},
		{"jq", `.metadata | has("lang")`, true, true},
		{"jq", `.n as $x | $x == 3`, true, false},
		{"jq", `(.nothing // .source) == "s"`, true, true},
		{"jq", `null`, false, true},
		// What looks at the whole sees the whole.
		{"jq", `has("source")`, true, false},
		{"jq", `keys | length == 7`, true, false},
		{"jq", `.attributes | length == 4`, true, false},
		{"jq", `.attributes | has("dup")`, true, false},
		{"jq", `.attributes[] | length == 1`, false, false},
		{"jq", `[.attributes | .[] | length] | add == 3`, true, false},
		{"jq", `[.[]] | length == 7`, true, false},
		{"jq", `.["so" + "urce"] == "s"`, true, false},
		{"jq", `.attributes["du" + "p"] | length == 1`, true, false},
		{"jq", `."\("source")" == "s"`, true, false},
		{"jq", `[.] | .[0].source == "s"`, true, false},
		{"jq", `{a: .} | .a.source == "s"`, true, false},
		{"jq", `(.n = 4) | .source == "s"`, true, false},
		{"jq", `(.n |= 4) | .source == "s"`, true, false},
		{"jq", `(if .n == 4 then .e end) | .source == "s"`, true, false},
		{"jq", `def f: .source; f == "s"`, true, false},
		{"jq", `reduce .metadata.tags[] as $t (""; . + $t) | . == "ab"`, true, false},
		{"jq", `[paths] | length > 20`, true, false},
		{"jq", `"\(.)" | contains("source")`, true, false},
		{"jq", `.. == "en"`, false, false},
		{"jsonpath", `$.n`, true, true},
		{"jsonpath", `$.metadata.tags[1]`, true, true},
		{"jsonpath", `$.metadata.tags[2]`, false, true},
		{"jsonpath", `$.attributes.q`, true, true},
		{"jsonpath", `$.attributes[?(@.q[0][2] > 0.4)]`, true, true},
		{"jsonpath", `$[?(@.n == 3)]`, true, true},
		{"jsonpath", `$..k`, true, false},
		{"jsonpath", `$.*`, true, false},
	} {
		t.Run(c.syntax+" "+c.rule, func(t *testing.T) {
			program, err := compile(&Stream{Filter: &Filter{Include: []string{c.rule}, Syntax: c.syntax}}, false)
			if err != nil {
				t.Fatal(err)
			}
			part, err := program.decode(&j)
			if err != nil {
				t.Fatal(err)
			}
			full := *program
			full.needs = needs{allFields: true, allAttributes: true}
			whole, err := full.decode(&j)
			if err != nil {
				t.Fatal(err)
			}
			_, want, errWant := full.decide(whole)
			_, got, errGot := program.decide(part)
			if got != want || errGot != nil || errWant != nil || got != c.want {
				t.Errorf("over its part %v, %v; over the whole document %v, %v; want %v", got, errGot, want, errWant, c.want)
			}
			inner, _ := part["attributes"].(map[string]any)
			if few := len(part)+len(inner) < len(whole)+4; few != c.few {
				t.Errorf("%d fields and %d attributes are decoded; fewer than all: %v, want %v", len(part), len(inner), few, c.few)
			}
		})
	}
}

// What Dolma counts as true.
func TestTruthy(t *testing.T) {
	for text, want := range map[string]bool{
		`null`: false, `false`: false, `true`: true, `0`: false, `1`: true, `-1`: true, `0.0`: false, `0.5`: true, `""`: false, `"a"`: true,
		`[]`: false, `[0]`: true, `{}`: false, `{"a":null}`: true, `100000000000000000000`: true, `(100000000000000000000 - 100000000000000000000)`: false,
	} {
		for _, side := range []string{"include", "exclude"} {
			f := &Filter{Syntax: "jq"}
			if side == "include" {
				f.Include = []string{text}
			} else {
				f.Exclude = []string{text}
			}
			program, err := compile(&Stream{Filter: f}, false)
			if err != nil {
				t.Fatal(err)
			}
			_, keep, err := program.decide(map[string]any{})
			if err != nil || keep != (want == (side == "include")) {
				t.Errorf("%s %s: kept %v, %v", side, text, keep, err)
			}
		}
	}
}

// The attribute of a span rule is read as it stands in its row where the rule is no
// more than its name.
func TestAttributeOf(t *testing.T) {
	for _, c := range []struct{ syntax, rule, want string }{
		{"jq", "(.attributes.dup // [])", "dup or none"},
		{"jq", ".attributes.dup//null", "dup or none"},
		{"jq", "(.attributes.dup)", "dup"},
		{"jq", `.attributes["dup"] // [] | .[1:]`, ""},
		{"jq", ".attributes.dup // .attributes.par", ""},
		{"jq", ".attributes.dup // [[0,1,1]]", ""},
		{"jq", "(.attributes.dup // [])[0:2]", ""},
		{"jq", "def f: 1; .attributes.dup", ""},
		{"jsonpath", "$.attributes.dup", "dup"},
		{"jsonpath", "$.attributes['a-b']", "a-b"},
		{"jsonpath", "$.attributes.dup.x", ""},
		{"jsonpath", "$.metadata.dup", ""},
		{"jsonpath", "$.attributes.*", ""},
		{"jq", ".attributes.dup", "dup"},
		{"jq", "  .attributes._aZ09  ", "_aZ09"},
		{"jq", ".attributes.dup[]", ""},
		{"jq", ".attributes.dup | .[0:1]", ""},
		{"jq", ".metadata.dup", ""},
	} {
		rule, err := new(program).compileRule(c.rule, c.syntax)
		if err != nil {
			t.Fatal(err)
		}
		got, orNone := attributeOf(&rule)
		if orNone {
			got += " or none"
		}
		if got != c.want {
			t.Errorf("attributeOf(%s) = %q, want %q", c.rule, got, c.want)
		}
	}
}
