package jsonpath_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"olmo/data/jsonpath"
)

// testdata/jsonpath-rust-0.3.5.json: what the crate's JsonPathFinder::find
// gives for each path on each document; "error" where it refuses the path or
// panics.
func TestFind(t *testing.T) {
	b, err := os.ReadFile("testdata/jsonpath-rust-0.3.5.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var groups []struct {
		Doc   any
		Cases []struct {
			Path  string
			Want  any
			Error bool
		}
	}
	if err := d.Decode(&groups); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range groups {
		for _, c := range g.Cases {
			n++
			p, err := jsonpath.Parse(c.Path)
			if strings.Contains(c.Path, "~= '['") {
				// The crate takes a pattern that it cannot compile for one
				// that matches nothing; here it is an error.
				c.Error = true
			}
			if c.Error {
				if err == nil {
					t.Errorf("%s: no error; the crate refuses it", c.Path)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			var got any
			if values := p.Find(g.Doc); values != nil {
				got = values
			}
			if !jsonpath.Equal(got, c.Want) {
				t.Errorf("%s: found %v, want %v", c.Path, got, c.Want)
			}
		}
	}
	if n < 150 {
		t.Errorf("%d cases, want 150 or more", n)
	}
}

// TestNumbersAndEscapes: forms of numbers and quoted keys that the crate reads.
func TestNumbersAndEscapes(t *testing.T) {
	doc := map[string]any{"a": []any{json.Number("1"), json.Number("50"), json.Number("2000"), json.Number("0.001")}, `k\u00e9x`: "key"}
	for path, want := range map[string]any{
		"$.a[?(@ > 1e2)]":                       []any{json.Number("2000")},
		"$.a[?(@ > 1E+1)]":                      []any{json.Number("50"), json.Number("2000")},
		"$.a[?(@ < 1.5e-2)]":                    []any{json.Number("0.001")},
		"$.a[0:3:2]":                            []any{json.Number("1"), json.Number("2000")},
		"$.a[0:3:99999999999999999999]":         []any{json.Number("1"), json.Number("50"), json.Number("2000")},
		"$.a[1:3:9999999999]":                   []any{json.Number("50")},
		`$['k\u00e9x']`:                         []any{"key"},
		"$.a[?(@ in [1, 2000])]":                []any{json.Number("1"), json.Number("2000")},
		"$.a[?(@ noneOf [1, 50, 2000, 0.001])]": nil,
	} {
		p, err := jsonpath.Parse(path)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		var got any
		if values := p.Find(doc); values != nil {
			got = values
		}
		if !jsonpath.Equal(got, want) {
			t.Errorf("%s: found %v, want %v", path, got, want)
		}
	}
	for _, path := range []string{`$['k\u00g9']`, `$['k\u00']`, `$['k\x']`, "$.a[0:1:0]", "$.a[?(@ > 1e)]"} {
		if _, err := jsonpath.Parse(path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func TestFields(t *testing.T) {
	for _, c := range []struct {
		path string
		want []string
		ok   bool
	}{
		{"$.text", []string{"text"}, true},
		{"$.metadata.url", []string{"metadata", "url"}, true},
		{"$['a']['b']", []string{"a", "b"}, true},
		{"$", nil, false},
		{"$.a[0]", nil, false},
		{"$..a", nil, false},
	} {
		p, err := jsonpath.Parse(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Fields(); ok != c.ok || !slices.Equal(got, c.want) {
			t.Errorf("%s: Fields = %v, %v; want %v, %v", c.path, got, ok, c.want, c.ok)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		path string
		want []string
		ok   bool
	}{
		{"$.attributes[?(@.a[0][2] > 20)]", []string{"attributes", "a"}, true},
		{"$.metadata[?(@.lang == $.lang)]", []string{"metadata", "lang", "lang"}, true},
		{"$@.attributes[?(@.a && !@.b || @.c[0][2] >= 1)]", []string{"attributes", "a", "b", "c"}, true},
		{"$['id','text']", []string{"id", "text"}, true},
		{"$.a[0:2].b[1,2].length()", []string{"a", "b"}, true},
		{"$.a[?(@ == 1)]", nil, false},
		{"$[?(@.attributes size 3)]", nil, false},
		{"$.a[?(@.b == $)]", nil, false},
		{"$.a[?(@.b in $..c)]", nil, false},
		{"$..a", nil, false},
		{"$.*", nil, false},
	} {
		p, err := jsonpath.Parse(c.path)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.Keys()
		if ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("%s: Keys = %v, %v; want %v, %v", c.path, got, ok, c.want, c.ok)
		}
	}
}

func TestDeepPaths(t *testing.T) {
	for _, p := range []string{strings.Repeat("@", 1e5), "$.a[?(" + strings.Repeat("(", 1e5), strings.Repeat("$[?(", 1e5)} {
		if _, err := jsonpath.Parse(p); err == nil {
			t.Errorf("%.10s…: no error", p)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range []string{"$.a['b'][0,1][1:2:3]..c.*", "$@.a[?(@.b ~= 'x' && !@.c || $.d in ['e'])].length()"} {
		f.Add(p)
	}
	doc := map[string]any{"a": []any{1, "b", map[string]any{"b": 1.5, "c": nil}}}
	f.Fuzz(func(t *testing.T, path string) {
		if p, err := jsonpath.Parse(path); err == nil {
			p.Find(doc)
			p.Fields()
			p.Keys()
		}
	})
}

func ExamplePath_Find() {
	p, err := jsonpath.Parse("$.attributes[?(@.words[0][2] > 20)]")
	if err != nil {
		panic(err)
	}
	var doc any
	if err := json.Unmarshal([]byte(`{"attributes": {"words": [[0, 100, 25]]}}`), &doc); err != nil {
		panic(err)
	}
	fmt.Println(p.Find(doc))
	// Output: [map[words:[[0 100 25]]]]
}
