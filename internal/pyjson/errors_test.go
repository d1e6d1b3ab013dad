package pyjson_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"olmo/internal/pyjson"
)

// TestErrors: what is wrong is said in words, with its place.
func TestErrors(t *testing.T) {
	type part struct {
		Size  int      `json:"size"`
		ID    int32    `json:"id"`
		Rate  *float64 `json:"rate"`
		Name  string   `json:"name"`
		Names []string `json:"names"`
		On    bool     `json:"on"`
		Part  *part    `json:"part"`
		Map   map[string]int32
	}
	for _, c := range []struct{ text, want string }{
		{`{"a": 1,}`, `line 1, column 9: found '}' where a key is expected`},
		{"{\n \"a\": 1\n \"b\": 2}", `line 3, column 2: found '"' where ',' or '}' is expected`},
		{`{"a" 1}`, `line 1, column 6: found '1' where ':' is expected`},
		{`[1 2]`, `line 1, column 4: found '2' where ',' or ']' is expected`},
		{"{\"a\":\n é}", `line 2, column 2: found 'é' where a value is expected`},
		{`{} x`, `line 1, column 4: found 'x' where the end of the file is expected`},
		{`{"a": tru}`, `line 1, column 10: found '}' in the middle of a value`},
		{"{\"a\": \"x\ny\"}", `line 1, column 9: found '\n' in the middle of a value`},
		{"{\n\"a\": ", `line 2, column 6: the file ends in the middle`},
		{"", `line 1, column 1: the file ends in the middle`},
		{`[1]`, `line 1: it is a list, not an object`},
		{`"x"`, `line 1: it is a string, not an object`},
		{"{\n\"size\": \"4096\"}", `line 2: size is a string, not a whole number`},
		{`{"size": 1.5}`, `line 1: size is 1.5, not a whole number`},
		{`{"id": 3000000000}`, `line 1: id is 3000000000, not a whole number of type int32`},
		{`{"rate": "x"}`, `line 1: rate is a string, not a number`},
		{`{"name": 5}`, `line 1: name is a number, not a string`},
		{`{"names": {}}`, `line 1: names is an object, not a list`},
		{`{"on": "yes"}`, `line 1: on is a string, not true or false`},
		{`{"part": {"part": {"on": []}}}`, `line 1: part.part.on is a list, not true or false`},
		{`{"part": true}`, `line 1: part is true or false, not an object`},
		{"\ufeff{\"size\": \"x\"}", `line 1: size is a string, not a whole number`},
	} {
		var v part
		err := pyjson.Unmarshal([]byte(c.text), &v)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		if !errors.As(err, &syntax) && !errors.As(err, &kind) {
			t.Errorf("%q: %T has no error of encoding/json in its chain", c.text, err)
		}
	}
	if err := pyjson.Value([]byte("\n\"x\""), new(int)); err == nil || err.Error() != "it is a string, not a whole number" {
		t.Errorf("a part: %v", err)
	}
	if err := pyjson.Unmarshal([]byte("\ufeff{\"size\": 1, \"rate\": NaN}"), new(part)); err != nil {
		t.Errorf("behind a byte order mark: %v", err)
	}
}

// TestStrict: keys that are not known, and what follows, are errors too.
func TestStrict(t *testing.T) {
	for text, want := range map[string]string{
		`{"size": 1}`:        "",
		`{"size": 1} `:       "",
		`{"size": 1, "b":2}`: `the key "b" is not known`,
		`{"size": 1} {}`:     "something follows its object",
		`{"size": 1`:         "line 1, column 11: the file ends in the middle",
		"":                   "line 1, column 1: the file ends in the middle",
		`{"size": "x"}`:      "line 1: size is a string, not a whole number",
	} {
		var v struct {
			Size int `json:"size"`
		}
		if err := pyjson.Strict([]byte(text), &v); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestReadFile: an error names the file, and what was delivered in its place.
func TestReadFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for text, want := range map[string]string{
		"": "c.json: the file is empty: a download that did not begin, or a disk that was full",
		"version https://git-lfs.github.com/spec/v1\noid x\n": "c.json: this is a pointer of Git LFS, not the file that it stands for\nhint: git lfs pull",
		"<!DOCTYPE html><html></html>":                        "c.json: this is a web page, not the file that it stands for",
		"Entry not found":                                     `c.json: this is a text, a server's message perhaps, and no JSON: "Entry not found"`,
		"[]":                                                  "c.json: line 1: it is a list, not an object",
		"null":                                                "c.json: it is null, not an object",
		"{\"a\": }":                                           "c.json: line 1, column 7: found '}' where a value is expected",
	} {
		if err := os.WriteFile("c.json", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := pyjson.ReadObject("c.json"); err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		var m map[string]json.RawMessage
		if err := pyjson.ReadFile("c.json", &m); text != "null" && (err == nil || err.Error()[:len(want)] != want) {
			t.Errorf("%q into a map: %v, want %s", text, err, want)
		}
	}
	if _, err := pyjson.ReadObject(filepath.Join("none", "c.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
}
