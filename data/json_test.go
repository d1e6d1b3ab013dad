package data_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
)

// textOf reads a document whose text is the string literal lit.
func textOf(lit string) (string, error) {
	var d data.Document
	err := data.ParseDocument([]byte(`{"id":"","text":"`+lit+`"}`), &d)
	return d.Text, err
}

// Every escape of JSON is read as encoding/json reads it, in a text as in a key; what
// is no escape is refused.
func TestEscapes(t *testing.T) {
	for _, lit := range []string{
		`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0000`, `\u0041`, `\u09aF`, `\uABCD`, `\uabcd`, `\ud83d\ude00`, `\uD83D\uDE00x`, `\u00e9\u2028`,
		"é😀\u2028", `a\nb\nc`, `plain text of more than eight bytes \n and more of it \\`,
	} {
		var want string
		if err := json.Unmarshal([]byte(`"`+lit+`"`), &want); err != nil {
			t.Fatal(err)
		}
		if got, err := textOf(lit); err != nil || got != want {
			t.Errorf("a text %s: %q, %v, want %q", lit, got, err, want)
		}
		fields, err := data.AppendFields(nil, []byte(`{"`+lit+`":1}`))
		if err != nil || len(fields) != 1 || fields[0].Key != want {
			t.Errorf("a key %s: %v, %v, want %q", lit, fields, err, want)
		}
	}
	for lit, want := range map[string]string{
		`\x`:            `unknown escape \x`,
		`\u12`:          `\u needs four hexadecimal digits`,
		`\u12g4`:        `\u needs four hexadecimal digits`,
		`\u12@4`:        `\u needs four hexadecimal digits`,
		`\u12/4`:        `\u needs four hexadecimal digits`,
		`\u12:4`:        `\u needs four hexadecimal digits`,
		"\\u12`4":       `\u needs four hexadecimal digits`,
		`\ud83d`:        `lone surrogate \ud83d`,
		`\ude00`:        `lone surrogate \ude00`,
		`\ud83d\u0041`:  `lone surrogate \ud83d`,
		`\ud83dxxxxxx`:  `lone surrogate \ud83d`,
		`\ud83d\nxxxx`:  `lone surrogate \ud83d`,
		`\ud83d\ude0`:   `lone surrogate \ud83d`,
		`\ud83d\ud83d `: `lone surrogate \ud83d`,
	} {
		if got, err := textOf(lit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a text %s: %q, %v, want an error with %q", lit, got, err, want)
		}
		if _, err := data.AppendFields(nil, []byte(`{"`+lit+`":1}`)); err == nil {
			t.Errorf("a key %s gives no error", lit)
		}
	}
}

// Strings are read eight bytes at a time; what ends or breaks one is found at every
// place among them.
func TestStringsAtEveryPlace(t *testing.T) {
	for n := range 20 {
		for m := range 20 {
			a, b := strings.Repeat("a", n), strings.Repeat("b", m)
			if got, err := textOf(a + `\n` + b); err != nil || got != a+"\n"+b {
				t.Errorf("an escape after %d and before %d: %q, %v", n, m, got, err)
			}
			fields, err := data.AppendFields(nil, []byte(`{"`+a+`\n`+b+`":"`+b+`\\`+a+`"}`))
			if err != nil || fields[0].Key != a+"\n"+b || string(fields[0].Value) != `"`+b+`\\`+a+`"` {
				t.Errorf("a key with an escape after %d and before %d: %v, %v", n, m, fields, err)
			}
			if _, err := textOf(a + "\x1f" + b); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("at byte %d: control character 0x1f", 17+n)) {
				t.Errorf("a control character after %d: %v", n, err)
			}
			if got, err := textOf(a + "\x7f \u00e9" + b); err != nil || got != a+"\x7f \u00e9"+b {
				t.Errorf("plain characters after %d: %q, %v", n, got, err)
			}
		}
	}
}

// What is not JSON is refused, with the place.
func TestSyntax(t *testing.T) {
	for value, want := range map[string]string{
		`-`:          "want a digit",
		`1.`:         "want a digit after '.'",
		`1.e5`:       "want a digit after '.'",
		`1e`:         "want a digit in the exponent",
		`1e+`:        "want a digit in the exponent",
		`tru`:        "want true",
		`falsE`:      "want false",
		`nul`:        "want null",
		`[1 2]`:      "want ',' or ']' in a list",
		`{1:2}`:      "want a key in quotes",
		`{"a" 2}`:    "want ':' after a key",
		`{"a":2 "b"`: "want ',' or '}' in an object",
		`+1`:         "at byte 24: unexpected '+'",
		`[{},]`:      "unexpected ']'",
		``:           "unexpected '}'",
	} {
		var d data.Document
		err := data.ParseDocument([]byte(`{"id":"","text":"","n": `+value+`}`), &d)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
	for _, value := range []string{`0`, `-0`, `10`, `-12.5`, `1E5`, `1e-5`, `1.25e+10`, `true`, `false`, `null`, `{}`, `[]`, `[ ]`, `{ }`, `[1,"a",{"b":[null]}]`, "[\t1\r\n, 2 ]"} {
		var d data.Document
		if err := data.ParseDocument([]byte(`{"id":"","text":"","n":`+value+`}`), &d); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
	for line, want := range map[string]string{
		``:                            "the line is empty",
		`  `:                          "the line is empty",
		`"a"`:                         "the line is a string, want an object",
		`true`:                        "the line is a boolean, want an object",
		`false`:                       "the line is a boolean",
		`null`:                        "the line is null",
		`-1`:                          "the line is a number",
		`not json`:                    "the line is no JSON",
		`7 days`:                      "the line is no JSON",
		`<html>`:                      "the line is no JSON",
		`7`:                           "the line is a number",
		`[`:                           "the line is a list",
		`{"id":"","text":"","n":`:     "the line ends within a value",
		`{"id":{},"text":""}`:         "id is an object, want a string",
		`{"id":"","text":"","n":[[}}`: "unexpected '}'",
	} {
		var d data.Document
		if err := data.ParseDocument([]byte(line), &d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// Nesting is allowed to a depth of 1000, in lists and objects alike.
func TestNestingLimit(t *testing.T) {
	for _, c := range []struct {
		open, inner, shut string
		per               int // levels
	}{{"[", "1,[2]", "]", 1}, {`{"a":`, "{}", "}", 1}, {`[{"a":`, "null", "}]", 2}} {
		for depth, ok := range map[int]bool{990: true, 1010: false} {
			n := depth / c.per
			line := `{"id":"","text":"","n":` + strings.Repeat(c.open, n) + c.inner + strings.Repeat(c.shut, n) + "}"
			var d data.Document
			if err := data.ParseDocument([]byte(line), &d); (err == nil) != ok {
				t.Errorf("%d levels of %s: %v", depth, c.open, err)
			}
		}
	}
}

// What AppendString writes, encoding/json reads; only what must be escaped is.
func TestAppendString(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `""`},
		{"plain é 😀 \u2028 \x7f", "\"plain é 😀 \u2028 \x7f\""},
		{"\"q\" \\ /", `"\"q\" \\ /"`},
		{"\n\r\t\b\f", `"\n\r\t\b\f"`},
		{"\x00\x01\x1f\x10", `"\u0000\u0001\u001f\u0010"`},
		{"a\xffb", "\"a\ufffdb\""},
		{"\xc3", "\"\ufffd\""},
		{"é\xff\xfeé\n", "\"é\ufffd\ufffdé\\n\""},
		{"\ufffd", "\"\ufffd\""},
	} {
		got := string(data.AppendString([]byte("x"), c.text))
		if got != "x"+c.want {
			t.Errorf("AppendString(%q) = %s, want x%s", c.text, got, c.want)
		}
		var back string
		if err := json.Unmarshal([]byte(got[1:]), &back); err != nil || back != strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(c.text, "\xff", "\ufffd"), "\xfe", "\ufffd"), "\ufffd") {
			t.Errorf("%q reads back as %q, %v", c.text, back, err)
		}
	}
}

// Scores are always floats, in the form that Python writes.
func TestAppendFloat(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0.0"},
		{1, "1.0"},
		{-3, "-3.0"},
		{0.1, "0.1"},
		{1e-5, "0.00001"},
		{9.9e-6, "9.9e-06"},
		{1e15, "1000000000000000.0"},
		{9.5e15, "9500000000000000.0"},
		{1e16, "1e+16"},
		{-1e300, "-1e+300"},
		{math.NaN(), "null"},
		{math.Inf(1), "null"},
		{math.Inf(-1), "null"},
	} {
		if got := string(data.AppendFloat(nil, c.f)); got != c.want {
			t.Errorf("AppendFloat(%g) = %s, want %s", c.f, got, c.want)
		}
	}
}

// A row of attributes that is none is refused; what it must have, and what not.
func TestParseAttributes(t *testing.T) {
	span := func(start, end int, score float64) []data.Attribute {
		return []data.Attribute{{Name: "k", Spans: []data.Span{{Start: start, End: end, Score: score}}}}
	}
	for _, c := range []struct {
		line string
		want data.AttributeRow
		err  string
	}{
		{line: `{"id":"a","attributes":{},"source":"s"}`, want: data.AttributeRow{ID: "a", Source: "s", Attributes: []data.Attribute{}}},
		{line: `{"id":"a","attributes":{"k":[[1,2,3]]},"source":null,"more":[1]}`, want: data.AttributeRow{ID: "a", Attributes: span(1, 2, 3)}},
		{line: `{"id":"a","attributes":{"k":[[-1,2.0,-3.5e-2]]}}`, want: data.AttributeRow{ID: "a", Attributes: span(-1, 2, -0.035)}},
		{line: `{"id":"a","attributes":{"k":[[123456789012345,9007199254740992,0.1]]}}`, want: data.AttributeRow{ID: "a", Attributes: span(123456789012345, 1<<53, 0.1)}},
		{line: `{"attributes":{}}`, err: "the attribute row has no id"},
		{line: `{"id":"a"}`, err: "the attribute row has no attributes"},
		{line: `{"id":7,"attributes":{}}`, err: "id is a number, want a string"},
		{line: `{"id":"a","attributes":[]}`, err: "attributes is a list, want an object"},
		{line: `{"id":"a","attributes":{"k":1}}`, err: "attribute k is a number, want a list of spans"},
		{line: `{"id":"a","attributes":{"k":[1]}}`, err: "attribute k holds a number, want [start, end, score]"},
		{line: `{"id":"a","attributes":{"k":[[1,2]]}}`, err: "attribute k holds a span that is not"},
		{line: `{"id":"a","attributes":{"k":[[1,2,3,4]]}}`, err: "attribute k holds a span that is not"},
		{line: `{"id":"a","attributes":{"k":[[1.5,2,3]]}}`, err: "attribute k holds a span that is not"},
		{line: `{"id":"a","attributes":{"k":[[1,2.5,3]]}}`, err: "attribute k holds a span that is not"},
		{line: `{"id":"a","attributes":{"k":[[1e17,2,3]]}}`, err: "attribute k holds a span that is not"},
		{line: `{"id":"a","attributes":{"k":[[1,-1e17,3]]}}`, err: "attribute k holds a span that is not"},
		{line: `{"id":"a","attributes":{"k":[[1,2,null]]}}`, err: "attribute k: found null, want a number"},
		{line: `{"id":"a","attributes":{"k":[[1,2,1e999]]}}`, err: "number 1e999 is out of range"},
		{line: "{\"id\":\"\xff\",\"attributes\":{}}", err: "not valid UTF-8 at byte 7"},
	} {
		got := data.AttributeRow{ID: "old", Source: "old", Attributes: span(7, 8, 9)}
		err := data.ParseAttributes([]byte(c.line), &got)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.line, err, c.err)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v, difference (-want +got):\n%s", c.line, err, d)
		}
	}
}

func TestExcerpt(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc …"}, {"äöüß", 3, "äöü …"}, {"äöü", 3, "äöü"}} {
		if got := data.Excerpt(c.text, c.most); got != c.want {
			t.Errorf("Excerpt(%q, %d) = %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

// A bad record names file, line and place, and keeps its reason.
func TestRecordError(t *testing.T) {
	err := error(&data.RecordError{File: "a.jsonl", Line: 3, Offset: 40, Err: io.ErrNoProgress})
	if want := "a.jsonl:3: (byte 40): " + io.ErrNoProgress.Error(); err.Error() != want || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %q, want %q", err, want)
	}
}
