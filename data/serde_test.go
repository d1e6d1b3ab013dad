package data_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"olmo/data"
)

func TestAppendSerde(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{`[1, 2 ,3.0,1.50]`, `[1,2,3.0,1.5]`},
		{`[[0,5,1.0],[5,7,0.12345]]`, `[[0,5,1.0],[5,7,0.12345]]`},
		{`[[0, 5, 1.0]]`, `[[0,5,1.0]]`},
		{`[[-0]]`, `[[-0.0]]`},
		{`[[1.10]]`, `[[1.1]]`},
		{`{"b": 1, "a": {"z":[ ], "y":{ }}}`, `{"a":{"y":{},"z":[]},"b":1}`},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`{"b":[{"d":1,"c":"\u0063"}],"\u0061":null,"b":[true]}`, `{"a":null,"b":[true]}`},
		{`1e16`, `1e16`},
		{`1.5e-7`, `1.5e-7`},
		{`0.00001`, `0.00001`},
		{`0.000001`, `1e-6`},
		{`0.0000`, `0.0`},
		{`-0.0`, `-0.0`},
		{`1E+2`, `100.0`},
		{`-0`, `-0.0`},
		{`-9223372036854775808`, `-9223372036854775808`},
		{`18446744073709551615`, `18446744073709551615`},
		{`18446744073709551616`, `1.8446744073709552e19`},
		{`9007199254740993.0`, `9007199254740994.0`}, // next to the nearest, as serde_json reads it
		{`999999999999999.0`, `999999999999999.0`},
		{`7.809172361e+132`, `7.809172361e132`},
		{`"\u00e9\/\u0041\u001f\u007f\b\f\n\r\t\"\\\ud83d\ude00"`, "\"é/A\\u001f\x7f\\b\\f\\n\\r\\t\\\"\\\\😀\""},
		{`"a\/b"`, `"a/b"`},
		{`"a\\\"\n\\"`, `"a\\\"\n\\"`},
		{`"plain é"`, `"plain é"`},
		{` true`, `true`},
		{`null `, `null`},
	} {
		if got, err := data.AppendSerde([]byte("x"), []byte(c.raw)); string(got) != "x"+c.want || err != nil {
			t.Errorf("%s is %s, %v, want x%s", c.raw, got, err, c.want)
		}
		checkSerde(t, c.raw)
	}
	for _, raw := range []string{`1e999`, `[[-1e999]]`, `{"a":1e400}`} {
		if got, err := data.AppendSerde(nil, []byte(raw)); err == nil {
			t.Errorf("%s is %s, want an error", raw, got)
		}
	}
}

// Numbers that are written as they stand are those that reading and writing give again.
func TestSerdeNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0000123456789999"[r.IntN(16)]
		}
		return string(b)
	}
	for range 200_000 {
		t1 := strings.TrimLeft(digits(r.IntN(20)), "0")
		if t1 == "" {
			t1 = "0"
		}
		if r.IntN(4) == 0 {
			t1 = "-" + t1
		}
		if r.IntN(4) > 0 {
			t1 += "." + digits(1+r.IntN(19))
		}
		if r.IntN(8) == 0 {
			t1 += "e" + strconv.Itoa(r.IntN(60)-30)
		}
		checkSerde(t, t1)
		checkSerde(t, "[["+t1+"]]")
		// Up to 15 digits are one float64's, which serde_json does not miss.
		if len(t1) <= 16 && strings.Contains(t1, ".") && !strings.Contains(t1, "e") {
			v, _ := strconv.ParseFloat(t1, 64)
			want := strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(string(data.AppendFloat(nil, v)))
			if got, err := data.AppendSerde(nil, []byte(t1)); string(got) != want || err != nil {
				t.Errorf("%s is %s, %v, want %s", t1, got, err, want)
			}
			if got, err := data.DecodeText([]byte(t1)); got != json.Number(want) || err != nil {
				t.Errorf("%s is read as %v, %v, want %s", t1, got, err, want)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func FuzzAppendSerde(f *testing.F) {
	for _, s := range []string{`{"b":[[1,2.50]],"a":"\u0041"}`, `[[0,1,1.0]]`, `"\n"`, `{"a":{},"a":[]}`, `-0`, `[1,[2,{}]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) { checkSerde(t, raw) })
}

// checkSerde compares with the value that is read and then written.
func checkSerde(t *testing.T, raw string) {
	fields, err := data.AppendFields(nil, []byte(`{"a":`+raw+`}`))
	if err != nil || len(fields) != 1 || !utf8.ValidString(raw) {
		return
	}
	v, err := data.DecodeText(fields[0].Value)
	got, err2 := data.AppendSerde(nil, fields[0].Value)
	if (err == nil) != (err2 == nil) {
		t.Fatalf("%s: %v, read it gives %v", raw, err2, err)
	}
	if err != nil {
		return
	}
	if want := serde(v); string(got) != want {
		t.Errorf("%s is %s, want %s", raw, got, want)
	} else if fields[0].Plain && want != string(fields[0].Value) {
		t.Errorf("%s is called plain, and written %s", raw, want)
	}
}

// serde writes a value of DecodeText.
func serde(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case json.Number:
		return v.String()
	case string:
		return string(data.AppendString(nil, v))
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, serde(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, serde(k)+":"+serde(v[k]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprint(v)
}
