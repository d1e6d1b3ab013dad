package jinja

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// goldenTime is what strftime_now wrote in the reference's answers.
func goldenTime() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC) }

// snippets are small templates with Jinja2's answers (testdata/golden.py made them).
func snippets(t *testing.T) (vars map[string]any, cases [][2]*string) {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vars  json.RawMessage
		Cases [][2]*string // template, text or null for an error
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return variables(t, file.Vars), file.Cases
}

// TestGolden renders each snippet as Jinja2 does, and refuses what it refuses.
func TestGolden(t *testing.T) {
	vars, cases := snippets(t)
	for _, c := range cases {
		t.Run(*c[0], func(t *testing.T) {
			tpl, err := Parse(*c[0])
			got := ""
			if err == nil {
				got, err = tpl.Render(vars, goldenTime)
			}
			switch want := c[1]; {
			case want == nil && err == nil:
				t.Errorf("%s\ngives %q, want an error", *c[0], got)
			case want != nil && err != nil:
				t.Errorf("%s\nerror %v, want %q", *c[0], err, *want)
			case want != nil && got != *want:
				t.Errorf("%s\ngot  %q\nwant %q", *c[0], got, *want)
			}
		})
	}
}

// TestGoldenNames wants every filter, test, method and function that we have among
// the snippets: a new one comes with Jinja2's word on it.
func TestGoldenNames(t *testing.T) {
	var all strings.Builder
	_, cases := snippets(t)
	for _, c := range cases {
		if c[1] != nil || strings.Contains(*c[0], "raise_exception") {
			all.WriteString(*c[0] + "\n")
		}
	}
	_, rows := readTable(t)
	for _, r := range rows {
		if r.want != nil {
			all.WriteString(r.snippet + "\n")
		}
	}
	text := all.String()
	used := func(kind, name string, forms ...string) {
		for _, form := range forms {
			if strings.Contains(text, form) {
				return
			}
		}
		t.Errorf("no snippet of testdata uses the %s %s", kind, name)
	}
	for name := range filters {
		used("filter", name, "| "+name+" ", "| "+name+"(", "|"+name+" ", "|"+name+"(", "('"+name+"'")
	}
	for name := range tests {
		used("test", name, "is "+name+" ", "is "+name+"(", "is not "+name, "('"+name+"'")
	}
	for name := range textMethods {
		used("method", name, "."+name+"(")
	}
	for name := range globals {
		used("function", name, name+"(", name+"|")
	}
}
