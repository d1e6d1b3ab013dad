package verify

import (
	"encoding/json"
	"testing"

	"olmo/runlog"
)

// FuzzRecord: what is cut without a parser is what a parser finds, or is left to it.
func FuzzRecord(f *testing.F) {
	for _, line := range []string{
		`{"step":1,"a":-2.5e-7,"b":"x y","c":true,"d":null}`, `{"step":1}`, `{}`, `{"a":1,"a":2}`, `{"a":"\u0061"}`, `{"a":[1]}`, `{"a":1,}`, `{"a":01}`, `{"a":"b","c"}`, `{"a":1}x`, `{"a":"":1}`, `{"a":-}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, ok := cutRecord(line)
		if !ok {
			return
		}
		want, err := runlog.Parse([]byte(line))
		if err != nil {
			t.Fatalf("%q is cut into %q, and is none: %v", line, r, err)
		}
		for _, m := range r {
			var got any
			if err := json.Unmarshal([]byte(m.value), &got); err != nil {
				t.Fatalf("%q: %q: %v", line, m.value, err)
			}
			if _, ok := want[m.name]; !ok {
				t.Errorf("%q has no %q", line, m.name)
			}
		}
		for name, value := range want {
			if list, err := readRecord([]byte(line)); err == nil {
				if n, ok := value.(float64); ok {
					if got, _ := list.number(name); got != n {
						t.Errorf("%q: %s is %v, want %v", line, name, got, n)
					}
				}
			}
		}
	})
}
