package data_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
)

func TestParseDocument(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       data.Document
		err        string
	}{
		{name: "minimal", line: `{"id":"a","text":"x"}`, want: data.Document{ID: "a", Text: "x"}},
		{
			name: "all keys", line: ` {"id":"a", "text":"x\ny \"q\" \u00e9\ud83d\ude00\/", "source":"s","added":"1","created":"2","version":"v0","metadata":{"a":[1,2.5e3,null]},"more":{"x":[]}} `,
			want: data.Document{ID: "a", Text: "x\ny \"q\" é😀/", Source: "s", Added: "1", Created: "2", Version: "v0", Metadata: json.RawMessage(`{"a":[1,2.5e3,null]}`)},
		},
		{name: "version null", line: `{"id":"a","text":"","version":null}`, want: data.Document{ID: "a"}},
		{name: "escaped key", line: `{"\u0069d":"a","text":"x"}`, want: data.Document{ID: "a", Text: "x"}},
		{name: "no id", line: `{"text":"x"}`, err: "the document has no id"},
		{name: "no text", line: `{"id":"x"}`, err: "the document has no text"},
		{name: "id a number", line: `{"id":12,"text":"x"}`, err: "id is a number, want a string"},
		{name: "text null", line: `{"id":"x","text":null}`, err: "text is null, want a string"},
		{name: "source a list", line: `{"id":"x","text":"","source":[]}`, err: "source is a list, want a string"},
		{name: "a list", line: `[1]`, err: "the line is a list, want an object"},
		{name: "torn", line: `{"id":"x","text":"ab`, err: "a string does not end"},
		{name: "torn value", line: `{"id":"x","text":`, err: "text is nothing, want a string"},
		{name: "two objects", line: `{"id":"x","text":""}{}`, err: "'{' follows the object"},
		{name: "control", line: "{\"id\":\"x\",\"text\":\"a\tb\"}", err: "control character 0x09"},
		{name: "lone surrogate", line: `{"id":"x","text":"\ud800 "}`, err: `lone surrogate \ud800`},
		{name: "bad UTF-8", line: "{\"id\":\"x\",\"text\":\"a\xffb\"}", err: "not valid UTF-8 at byte 19"},
		{name: "bad number", line: `{"id":"x","text":"","n":01}`, err: "want ',' or '}'"},
		{name: "deep", line: `{"id":"x","text":"","n":` + strings.Repeat("[", 2000), err: "nested deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got data.Document
			err := data.ParseDocument([]byte(c.line), &got)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error = %v, want one with %q", err, c.err)
				}
				return
			}
			got.Raw = nil
			if d := cmp.Diff(c.want, got); err != nil || d != "" {
				t.Errorf("error %v, difference (-want +got):\n%s", err, d)
			}
		})
	}
}

// The row that a tagger writes reads back as it was.
// TestNesting: depth is limited, the number of objects beside each other is not.
func TestNesting(t *testing.T) {
	beside := `{"id":"1","text":"a","metadata":{"list":[` + strings.Repeat("{},", 50_000) + strings.Repeat(`{"a":{"b":[]}},`, 50_000) + "[]]}}"
	if err := data.ParseDocument([]byte(beside), new(data.Document)); err != nil {
		t.Errorf("100,000 objects beside each other: %v", err)
	}
	deep := `{"id":"1","text":"a","metadata":` + strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000) + "}"
	if err := data.ParseDocument([]byte(deep), new(data.Document)); err == nil || !strings.Contains(err.Error(), "nested deeper than") {
		t.Errorf("50,000 objects in each other: %v, want an error about nesting", err)
	}
}

func TestAttributeRow(t *testing.T) {
	row := data.AttributeRow{ID: "a\"\x01\u2028", Source: "s", Attributes: []data.Attribute{
		{Name: "e__t__doc", Spans: []data.Span{{0, 12, 1}, {3, 4, 0.00001}, {5, 6, 1e-7}, {7, 8, -12345.67891}}},
		{Name: "empty", Spans: []data.Span{}},
	}}
	line := row.AppendJSON(nil)
	want := `{"id":"a\"\u0001` + "\u2028" + `","attributes":{"e__t__doc":[[0,12,1.0],[3,4,0.00001],[5,6,1e-07],[7,8,-12345.67891]],"empty":[]},"source":"s"}`
	if string(line) != want {
		t.Errorf("AppendJSON = %s\nwant %s", line, want)
	}
	var got data.AttributeRow
	if err := data.ParseAttributes(line, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(row, got); d != "" {
		t.Error(d)
	}
}

func FuzzParseDocument(f *testing.F) {
	for _, s := range []string{`{"id":"a","text":"x\u00e9\n"}`, `{"id":"a","text":"x","metadata":{"a":[1,-2.5e3,null,true]}}`, `{"id":"\ud83d\ude00","text":""}`, `{`, `{"id":"a","text":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d data.Document
		err := data.ParseDocument(b, &d)
		if err != nil {
			return
		}
		// What we accept, encoding/json accepts too and reads the same.
		var want struct{ ID, Text *string }
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(b, &keys); err != nil {
			t.Fatalf("accepted %q, encoding/json says %v", b, err)
		}
		if json.Unmarshal(keys["id"], &want.ID) != nil || json.Unmarshal(keys["text"], &want.Text) != nil {
			t.Fatalf("accepted %q", b)
		}
		if d.ID != *want.ID || d.Text != *want.Text || !utf8.ValidString(d.Text) {
			t.Fatalf("read %q %q, encoding/json %q %q", d.ID, d.Text, *want.ID, *want.Text)
		}
	})
}

func FuzzParseAttributes(f *testing.F) {
	f.Add([]byte(`{"id":"a","attributes":{"k":[[0,12,0.5],[3,4,1e-7]]},"source":"s"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var row, again data.AttributeRow
		if data.ParseAttributes(b, &row) != nil {
			return
		}
		if err := data.ParseAttributes(row.AppendJSON(nil), &again); err != nil {
			t.Fatalf("wrote what it cannot read: %v", err)
		}
		if d := cmp.Diff(row, again); d != "" {
			t.Fatal(d)
		}
	})
}
