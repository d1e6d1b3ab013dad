package pyjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"olmo/internal/pyjson"
)

// TestObject: what Python 3's json.loads makes of the same texts.
func TestObject(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"a": NaN, "b": [Infinity, -Infinity, -1], "c": {"d": NaN}}`, "map[a:NaN b:[+Inf -Inf -1] c:map[d:NaN]]"},
		{`{"NaN": "Infinity \" NaN", "x\\": NaN}`, `map[NaN:Infinity " NaN x\:NaN]`},
		{`{"a": 1e400}`, ""},
		{`{"a": nan}`, ""},
		{`{"a": NaNa}`, ""},
		{`{"a": --Infinity}`, ""},
		{`{"a": NaN`, ""},
		{`[NaN]`, ""},
		{`null`, ""},
		{`{}`, "map[]"},
	} {
		m, err := pyjson.Object([]byte(c.text))
		if got := fmt.Sprint(m); (err == nil) != (c.want != "") || err == nil && got != c.want {
			t.Errorf("Object(%s) = %s, %v, want %s", c.text, got, err, c.want)
		}
	}
}

// TestUnmarshal: the numbers are null, and an error is that of the text.
func TestUnmarshal(t *testing.T) {
	var v struct {
		A *float64
		B string
	}
	if err := pyjson.Unmarshal([]byte(`{"a": -Infinity, "b": "NaN"}`), &v); err != nil || v.A != nil || v.B != "NaN" {
		t.Errorf("%+v, %v", v, err)
	}
	err := pyjson.Unmarshal([]byte(`{"a": Infinity, "b": }`), &v)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset != 7 {
		t.Errorf("error %v, want that at the word", err)
	}
}

// FuzzObject: whatever encoding/json reads is read alike.
func FuzzObject(f *testing.F) {
	f.Add(`{"a": NaN, "b": [1, "\\"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var want map[string]any
		if json.Unmarshal([]byte(text), &want) != nil || want == nil {
			return
		}
		if got, err := pyjson.Object([]byte(text)); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("Object(%q) = %v, %v", text, got, err)
		}
	})
}
