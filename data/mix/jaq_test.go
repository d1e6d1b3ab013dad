package mix

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data"
)

// knownJaq answer otherwise for some values than in jaq: lists of what is no text, and what
// is no list; no number beside itself; whole numbers of more than 63 bits in a rule.
var knownJaq = []string{
	".a|todate", ".a|flatten", ".a|implode", ".a|del(.b)", ".a|transpose", "env", `.a|join(",")`, ".a|tostring|tonumber",
	"0/0 == 0/0", "nan < nan", "[nan] == [nan]",
	".a == 12345678901234567890123", ".a > 12345678901234567890122",
}

// With compat, rules keep, drop and fail as in Dolma 1.2.1 (testdata/jaq.py), but for
// those that are refused by name and those of knownJaq.
func TestJaq(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "jaq.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var documents []string
	if err := json.Unmarshal(file["documents"], &documents); err != nil {
		t.Fatal(err)
	}
	for kind, raw := range file {
		syntax, way, ok := strings.Cut(kind, " ")
		if !ok {
			continue
		}
		var rules map[string]string
		if err := json.Unmarshal(raw, &rules); err != nil {
			t.Fatal(err)
		}
		cells, bad := 0, 0
		for rule, want := range rules {
			if slices.Contains(knownJaq, rule) {
				continue
			}
			var got strings.Builder
			for _, d := range documents {
				got.WriteString(verdict(t, syntax, way, rule, d))
			}
			for i := range documents {
				if cells++; got.String()[i] != want[i] {
					bad++
				}
			}
			if g := got.String(); g != want {
				t.Errorf("%s %s:\n  %s, want\n  %s", kind, rule, g, want)
			}
		}
		t.Logf("%s: %d of %d differ", kind, bad, cells)
	}
}

// verdict is k, d or f: kept, dropped, failed.
func verdict(t *testing.T, syntax, kind, rule, document string) string {
	t.Helper()
	f := &Filter{Syntax: syntax}
	if kind == "include" {
		f.Include = []string{rule}
	} else {
		f.Exclude = []string{rule}
	}
	p, err := compile(&Stream{Filter: f}, true)
	if err != nil {
		return "f"
	}
	var d parsed
	fields, err := data.ParseDocumentFields([]byte(document), &d.Document, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.fields = slices.Clone(fields)
	doc, err := p.decode(&joined{parsed: &d})
	if err != nil {
		return "f"
	}
	switch _, keep, err := p.decide(doc); {
	case err != nil:
		return "f"
	case keep:
		return "k"
	}
	return "d"
}

// What is copied with compat is written as serde_json writes it, and else as it stands.
func TestValueAsDolma(t *testing.T) {
	m := mixer{mixing: &mixing{cfg: &Config{}}}
	for raw, dolma := range map[string]string{
		`[1, 2 ,3.0,1.50]`: `[1,2,3.0,1.5]`, `[[0,5,1.0]]`: `[[0,5,1.0]]`, `"a\/b"`: `"a/b"`, `"plain é"`: `"plain é"`,
		`1e999`: `1e999`, // Dolma does not read it
	} {
		fields, err := data.AppendFields(nil, []byte(`{"a":`+raw+`}`))
		if err != nil {
			t.Fatal(err)
		}
		for compat, want := range map[bool]string{true: dolma, false: raw} {
			m.cfg.Compat = compat
			if got := string(m.value([]byte("x"), fields[0])); got != "x"+want {
				t.Errorf("%s is %s, want x%s (compat: %t)", raw, got, want, compat)
			}
		}
	}
}
