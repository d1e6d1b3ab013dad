package data_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
)

func TestDecodeValue(t *testing.T) {
	for _, c := range []struct {
		text string
		want any
	}{
		{`null`, nil},
		{` true `, true},
		{`"a\u00e9\n"`, "aé\n"},
		{`12`, 12},
		{`-12`, -12},
		{`1.0`, 1.0},
		{`1e2`, 100.0},
		{`9223372036854775807`, math.MaxInt},
		{`9223372036854775808`, 9223372036854775808.0},
		{`[1, [], {"a": {"b": [null]}}]`, []any{1, []any{}, map[string]any{"a": map[string]any{"b": []any{nil}}}}},
		{`{"a": 1, "a": 2}`, map[string]any{"a": 2}},
	} {
		got, err := data.DecodeValue([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.text, d)
		}
	}
	for _, text := range []string{``, `nul`, `1 2`, `[1,]`, `{"a"}`, `01`, `1e999`, `"a`, `[`, `tru`} {
		if v, err := data.DecodeValue([]byte(text)); err == nil {
			t.Errorf("%q: decoded as %v, want an error", text, v)
		}
	}
}

func TestAppendFields(t *testing.T) {
	got, err := data.AppendFields(nil, []byte(`{"b": [1, 2], "a\n": "x" ,"c":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []data.Field{{Key: "b", Value: json.RawMessage(`[1, 2]`)}, {Key: "a\n", Value: json.RawMessage(`"x"`), Plain: true}, {Key: "c", Value: json.RawMessage(`{}`)}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := data.AppendFields(nil, []byte(`[1]`)); err == nil {
		t.Error("a list gives no error")
	}
}

// Lists of numbers take a short way, which must agree with the long one.
func TestSkipNumberLists(t *testing.T) {
	for text, ok := range map[string]bool{
		`[]`: true, `[[]]`: true, `[[1]]`: true, `[[0, 1.5, -2],[3]]`: true, `[[1e5]]`: true, `[ [1] , [2] ]`: true, `[1]`: true,
		`[[01]]`: false, `[[1.]]`: false, `[[1,]]`: false, `[[1],]`: false, `[[1]`: false, `[[-]]`: false, `[[`: false, `[[1 2]]`: false, `[[.5]]`: false,
		`[[1:]]`: false, `[[1.5:2]]`: false, `[[/]]`: false, `[[19, 90]]`: true,
	} {
		_, err := data.AppendFields(nil, []byte(`{"a":`+text+`}`))
		if (err == nil) != ok || json.Valid([]byte(text)) != ok {
			t.Errorf("%s: %v, want valid: %t", text, err, ok)
		}
	}
}

// What encoding/json accepts is decoded, what it refuses is refused; the one
// difference is that lone surrogates are errors here.
func FuzzDecodeValue(f *testing.F) {
	f.Add(`{"a": [1, -2.5e3, "x\u0041", null, true, false, {}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := data.DecodeValue([]byte(text))
		if err == nil && !json.Valid([]byte(text)) {
			t.Errorf("%q was decoded as %v and is not valid", text, got)
		}
	})
}

// EachSpan reads what AppendSpans writes, and leaves the rest to DecodeValue.
func TestEachSpan(t *testing.T) {
	for _, c := range []struct {
		text string
		want []data.Span
		ok   bool
	}{
		{`[]`, nil, true},
		{` [ ] `, nil, true},
		{`[[0,4,1.0],[ 4 , 9 , -0.5e1 ]]`, []data.Span{{Start: 0, End: 4, Score: 1}, {Start: 4, End: 9, Score: -5}}, true},
		{`[[0,4.0,1]]`, []data.Span{{Start: 0, End: 4, Score: 1}}, true},
		{`[[0,4]]`, nil, false},
		{`[[0,4,1,2]]`, nil, false},
		{`[[0.5,4,1]]`, nil, false},
		{`[[-1,4,1]]`, nil, false},
		{`[[0,4,null]]`, nil, false},
		{`[0,4,1]`, nil, false},
		{`null`, nil, false},
		{`[] x`, nil, false},
		{`[[0,4,1]`, nil, false},
		{`[[0,4,1],]`, nil, false},
		{``, nil, false},
	} {
		var got []data.Span
		ok := data.EachSpan([]byte(c.text), func(s data.Span) { got = append(got, s) })
		if ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("EachSpan(%s) = %v, %v; want %v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

// The members of a document are those of its object, in order.
func TestParseDocumentFields(t *testing.T) {
	line := []byte(`{"text" : "a\"b", "id":"1", "zz": [1, {"q": null}] , "metadata":{"a":2}, "id": "2", "version": null}`)
	want, err := data.AppendFields(nil, line)
	if err != nil {
		t.Fatal(err)
	}
	var d data.Document
	got, err := data.ParseDocumentFields(line, &d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || d.ID != "2" || d.Text != `a"b` {
		t.Errorf("document %+v, members differ:\n%s", d, diff)
	}
}

// A row's attributes and id; of two values of a key the later one counts.
func TestAppendAttributes(t *testing.T) {
	for _, c := range []struct {
		line, id, names string
		found           bool
	}{
		{`{"attributes": {"a": [], "b": [[0,1,1]]}, "id": "x", "source": ""}`, "x", "ab", true},
		{`{"id": "x", "attributes": {"a": []}, "attributes": {"b": []}, "id": "y"}`, "y", "b", true},
		{`{"id": 1, "attributes": {}}`, "", "", true},
		{`{"id": "x", "attributes": {"a": []}, "attributes": null}`, "x", "", false},
		{`{"id": "x"}`, "x", "", false},
	} {
		id, found, fields, err := data.AppendAttributes(nil, []byte(c.line))
		names := ""
		for _, f := range fields {
			names += f.Key
		}
		if err != nil || id != c.id || found != c.found || names != c.names {
			t.Errorf("AppendAttributes(%s) = %q, %v, %s, %v; want %q, %v, %s", c.line, id, found, names, err, c.id, c.found, c.names)
		}
	}
	if _, _, _, err := data.AppendAttributes(nil, []byte(`{"id": "x", "attributes": {"a": [}}`)); err == nil {
		t.Error("no error for a row that is no JSON")
	}
}
