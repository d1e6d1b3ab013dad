package jinja

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"os"
	"strings"
	"testing"
)

// row is a snippet with what Jinja2 makes of it.
type row struct {
	environment int
	snippet     string
	want        *string // nil: an error
}

// environments are those of the table, by their numbers.
var environments = []Options{Transformers(), {KeepTrailingNewline: true, StrictUndefined: true}}

// table reads the snippets that testdata/table.py gave Jinja2.
func readTable(t testing.TB) (vars map[string]any, rows []row) {
	t.Helper()
	f, err := os.Open("testdata/table.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases [][3]any
	}
	// Python writes NaN and Infinity, which are no JSON for Go.
	head, cases, _ := strings.Cut(string(text), `,"cases":`)
	if err := json.Unmarshal([]byte(`{"cases":`+cases), &file); err != nil {
		t.Fatal(err)
	}
	head = strings.NewReplacer(`"inf":Infinity`, `"inf":null`, `"nan":NaN`, `"nan":null`).Replace(head[strings.Index(head, `"vars":`)+len(`"vars":`):])
	vars = variables(t, []byte(head))
	vars["inf"], vars["nan"] = math.Inf(1), math.NaN()
	for _, c := range file.Cases {
		r := row{environment: int(c[0].(float64)), snippet: c[1].(string)}
		if s, ok := c[2].(string); ok {
			r.want = &s
		}
		rows = append(rows, r)
	}
	return vars, rows
}

// refused says whether an error says that we leave something out.
func refused(err error) bool { return strings.Contains(err.Error(), "not supported") }

// TestTable renders each snippet as Jinja2 does, and refuses what it refuses. What this
// package leaves out it refuses by name; no text is ever another.
func TestTable(t *testing.T) {
	vars, rows := readTable(t)
	left := map[string]int{}
	for _, r := range rows {
		tpl, err := Compile(r.snippet, environments[r.environment])
		got := ""
		if err == nil {
			got, err = tpl.Render(vars, goldenTime)
		}
		switch {
		case r.want == nil && err == nil:
			t.Errorf("%d %q\ngives %q, want an error", r.environment, r.snippet, got)
		case r.want != nil && err != nil && refused(err):
			left[err.Error()]++
		case r.want != nil && err != nil:
			t.Errorf("%d %q\nerror %v, want %q", r.environment, r.snippet, err, *r.want)
		case r.want != nil && got != *r.want:
			t.Errorf("%d %q\ngot  %q\nwant %q", r.environment, r.snippet, got, *r.want)
		}
	}
	sum := 0
	for text, n := range left {
		t.Logf("left out %d times: %s", n, text)
		sum += n
	}
	if t.Logf("%d snippets, %d left out", len(rows), sum); sum > 40 {
		t.Errorf("%d snippets are left out, want no more than 40", sum)
	}
}
