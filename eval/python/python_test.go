package python_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"olmo/eval/python"
)

// reference is what testdata/python.py keeps of CPython's answers.
type reference struct {
	Randoms []struct {
		Seed    uint64
		Floats  []float64
		Below   [][2]int
		Samples [][3]json.RawMessage
		Shuffle []int
	}
	Texts []string
	Finds []struct {
		Pattern string
		Found   [][][]*string
	}
	Bad  []string
	Subs []struct {
		Pattern, Repl string
		Count         int
		Out           []string
	}
	BadSubs  [][2]string
	Literals [][2]json.RawMessage
	Wrong    []string
	Dumps    [][2]string
}

func read(t *testing.T) (r reference) {
	t.Helper()
	f, err := os.Open("testdata/python.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(&r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRandom(t *testing.T) {
	for _, want := range read(t).Randoms {
		r := python.NewRandom(want.Seed)
		for _, w := range want.Floats {
			if got := r.Float(); got != w {
				t.Errorf("seed %d: %v, want %v", want.Seed, got, w)
			}
		}
		for _, w := range want.Below {
			if got := r.Below(w[0]); got != w[1] {
				t.Errorf("seed %d: below %d %d, want %d", want.Seed, w[0], got, w[1])
			}
		}
		for _, w := range want.Samples {
			var n, k int
			var sample []int
			for i, to := range []any{&n, &k, &sample} {
				if err := json.Unmarshal(w[i], to); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := r.Sample(n, k); err != nil || !slices.Equal(got, sample) {
				t.Errorf("seed %d: %d of %d are %v, want %v (%v)", want.Seed, k, n, got, sample, err)
			}
		}
		if got := r.Shuffle(9); !slices.Equal(got, want.Shuffle) {
			t.Errorf("seed %d: shuffled %v, want %v", want.Seed, got, want.Shuffle)
		}
	}
	if _, err := python.NewRandom(1).Sample(2, 3); err == nil {
		t.Error("three of two: no error")
	}
}

func TestFindAll(t *testing.T) {
	want := read(t)
	for _, w := range want.Finds {
		re, err := python.Compile(w.Pattern, "")
		if err != nil {
			t.Error(err)
			continue
		}
		for i, text := range want.Texts {
			got, err := re.FindAll(text)
			if err != nil {
				t.Fatal(err)
			}
			var a, b []string
			for _, m := range got {
				for _, g := range m {
					a = append(a, show(g.Text, g.Matched))
				}
			}
			for _, m := range w.Found[i] {
				for _, g := range m {
					if g == nil {
						b = append(b, show("", false))
					} else {
						b = append(b, show(*g, true))
					}
				}
			}
			if !slices.Equal(a, b) {
				t.Errorf("%q in %q: %q, want %q", w.Pattern, text, a, b)
			}
		}
	}
	for _, p := range want.Bad {
		if _, err := python.Compile(p, ""); err == nil {
			t.Errorf("%q: no error", p)
		}
	}
	for _, p := range []string{"a++", "a?+", "a{2}+", `\N{BULLET}`, "(?a)a"} {
		if _, err := python.Compile(p, ""); err == nil || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("%q, which Python takes: %v, want a refusal", p, err)
		}
	}
	slow, err := python.Compile("(a+a+)+b", "")
	if err == nil {
		_, err = slow.Search(strings.Repeat("a", 40))
	}
	if err == nil || !strings.Contains(err.Error(), "takes too long") {
		t.Errorf("a search without an end: %v", err)
	}
}

func show(text string, matched bool) string { return fmt.Sprint(matched, " ", text) }

func TestSub(t *testing.T) {
	want := read(t)
	for _, w := range want.Subs {
		re, err := python.Compile(w.Pattern, "")
		if err != nil {
			t.Error(err)
			continue
		}
		for i, text := range want.Texts {
			if got, err := re.Sub(w.Repl, text, w.Count); err != nil || got != w.Out[i] {
				t.Errorf("%q by %q in %q: %q, want %q (%v)", w.Pattern, w.Repl, text, got, w.Out[i], err)
			}
		}
	}
	for _, w := range want.BadSubs {
		re, err := python.Compile(w[0], "")
		if err == nil {
			_, err = re.Sub(w[1], "a", 0)
		}
		if err == nil {
			t.Errorf("%q by %q: no error", w[0], w[1])
		}
	}
}

func TestLiteral(t *testing.T) {
	want := read(t)
	for _, w := range want.Literals {
		var text string
		if err := json.Unmarshal(w[0], &text); err != nil {
			t.Fatal(err)
		}
		v, err := python.Literal(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got, err := json.Marshal(v)
		if err != nil {
			if fmt.Sprint(v) != "+Inf" {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		var a, b any
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(w[1], &b); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%#v", a) != fmt.Sprintf("%#v", b) {
			t.Errorf("%q is %s, want %s", text, got, w[1])
		}
	}
	for _, text := range append(want.Wrong, strings.Repeat("[", 200)) {
		if v, err := python.Literal(text); err == nil {
			t.Errorf("%q: %v, want an error", text, v)
		}
	}
}

func TestDumps(t *testing.T) {
	for _, w := range read(t).Dumps {
		if got, err := python.Dumps([]byte(w[0])); err != nil || got != w[1] {
			t.Errorf("%s:\n%s\nwant\n%s (%v)", w[0], got, w[1], err)
		}
	}
}

func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"['a', 1]", `"\x41"`, "((", "1e5", "'''"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, text string) { python.Literal(text) })
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`(?P<a>b)(?P=a)`, `[^]\w]`, `a{,3}`, `(?i:x)\Z`, `\1`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if re, err := python.Compile(pattern, ""); err == nil && len(pattern) < 20 {
			re.Search("abc")
		}
	})
}
