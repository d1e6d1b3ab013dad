package tagger

import (
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"olmo/data"
)

// space is Python's \s for the engine of Go.
const space = `\t\n\v\f\r\x1c-\x1f \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

var (
	emailPattern = regexp.MustCompile(`[.` + space + `@,?!;:)(]*([^` + space + `@]+@[^` + space + `@,?!;:)(]+?)[.` + space + `@,?!;:)(]?[` + space + `]`)
	phonePattern = regexp.MustCompile(`[` + space + `]+\(?(\p{Nd}{3})\)?[-\. ]*(\p{Nd}{3})[-. ]?(\p{Nd}{4})`)
	ipPattern    = regexp.MustCompile(`(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)`)
)

// checkPII compares the scanners with the patterns themselves, in an engine
// that makes the same choices as Python's.
func checkPII(t *testing.T, s string) {
	t.Helper()
	var x Text
	x.Reset(&data.Document{Text: s})
	var want [][]int
	for _, m := range emailPattern.FindAllStringSubmatchIndex(s, -1) {
		want = append(want, m[:4])
	}
	var got [][]int
	findEmails(s, 0, len(s), x.Words(), func(m email) { got = append(got, []int{m.start, m.end, m.local, m.domainEnd}) })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("e-mail in %q: got %v, want %v", s, got, want)
	}
	spans := func(p *regexp.Regexp) [][]int { return p.FindAllStringIndex(s, -1) }
	got = nil
	findPhones(s, 0, len(s), x.Words(), func(start, end int) { got = append(got, []int{start, end}) })
	if want := spans(phonePattern); !reflect.DeepEqual(got, want) {
		t.Errorf("phone in %q: got %v, want %v", s, got, want)
	}
	got = nil
	findIPs(s, 0, len(s), func(start, end int) { got = append(got, []int{start, end}) })
	if want := spans(ipPattern); !reflect.DeepEqual(got, want) {
		t.Errorf("IP in %q: got %v, want %v", s, got, want)
	}
}

func randomText(r *rand.Rand, alphabet []string, n int) string {
	var b strings.Builder
	for range r.IntN(n) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// rounds is how many random texts a test tries.
func rounds(n int) int {
	if testing.Short() {
		return n / 20
	}
	return n
}

func TestPIIScanners(t *testing.T) {
	for _, s := range []string{
		"", "a@b.c ", " a@b.c", "mail (x@y.org) now", "a@b. ", "a@. ", "a@@b.c ", "@a@b@c.d ", "x@y?z ", "<a@b.c>, ", "a@b.c\u00a0\u2003d",
		" 555 123 4567", "\n(555) 123-4567x", " ٣٣٣٣٣٣٣٣٣٣", " 555 123 4567 555 123 4567", "1.2.3.4", "256.1.1.256", "1234.5.6.7.8.9.10.11", "1.2.3.300", "...1.1.1.1",
		"e\u0301@x.de\u3000", "?????@?????@ ?", "a@b@c@d ", ". @ . @ a@b ,@ c@d ",
	} {
		checkPII(t, s)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds(15000) {
		checkPII(t, randomText(r, []string{"a", "b", "@", "@", ".", " ", " ", "?", "(", "\n", "é", "\u00a0"}, 24))
		checkPII(t, randomText(r, []string{"1", "2", "5", "6", ".", ".", " ", "-", "(", ")", "٣", "\t"}, 40))
	}
}

func FuzzPII(f *testing.F) {
	f.Add("mail a@b.example, or (555) 123-4567 at 192.0.2.1 ")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ToValidUTF8(s, "") == s {
			checkPII(t, s)
		}
	})
}

// naiveRepetitions tries (.+?)(\s?\1){3,} as a backtracking engine does.
func naiveRepetitions(s string) (out [][3]int) {
	x := []rune(s)
	for p := 0; p < len(x); p++ {
	lengths:
		for n := 1; p+4*n <= len(x) && x[p+n-1] != '\n'; n++ {
			is := func(q int) bool { return q+n <= len(x) && string(x[q:q+n]) == string(x[p:p+n]) }
			var try func(q, k int) (int, bool)
			try = func(q, k int) (int, bool) {
				if q < len(x) && isSpace(x[q]) && is(q+1) {
					if end, ok := try(q+1+n, k+1); ok {
						return end, true
					}
				}
				if is(q) {
					if end, ok := try(q+n, k+1); ok {
						return end, true
					}
				}
				return q, k >= 3
			}
			if end, ok := try(p+n, 0); ok {
				out = append(out, [3]int{p, end, strings.Count(string(x[p:end]), string(x[p:p+n]))})
				p = end - 1
				break lengths
			}
		}
	}
	return out
}

func TestRepetitions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var finder repetitions
	check := func(s string) {
		t.Helper()
		var got [][3]int
		finder.find(s, func(start, end, n int) { got = append(got, [3]int{start, end, n}) })
		if want := naiveRepetitions(s); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
	check("the cat the cat the cat the cat sat")
	check("    ")
	check("abcabc abc\nabc abc.")
	for range rounds(3000) {
		check(randomText(r, []string{"a", "b", " ", "\n", "é"}, 40))
		check(randomText(r, []string{"ab", "ab", "ab ", "ab", "c"}, 30))
		check(randomText(r, []string{"abcde ", "abcde ", "abcde", "abcde\t", "abcde\n", "x"}, 20))
		check(randomText(r, []string{" ", "\t", " "}, 20))
	}
}

// What costs the reference cubic or quadratic time takes linear time here.
func TestHostileTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	r := rand.New(rand.NewPCG(5, 6))
	var random, mutated strings.Builder
	for range 300_000 {
		random.WriteByte(byte('a' + r.IntN(26)))
	}
	for i := range 30_000 {
		mutated.WriteString("abcdefghij"[:9])
		mutated.WriteByte(byte('k' + i%3))
	}
	for name, s := range map[string]string{
		"question marks": strings.Repeat("?", 300_000), "at signs": strings.Repeat("@", 300_000), "dots and digits": strings.Repeat("1.", 150_000),
		"a@": strings.Repeat("a@", 150_000), "@ ": strings.Repeat("@ ", 150_000), "one letter": strings.Repeat("a", 300_000),
		"random": random.String(), "almost periodic": mutated.String(), "spaces": strings.Repeat(" ", 300_000), "newlines": strings.Repeat("\n", 300_000),
		"braces": strings.Repeat("{ ", 150_000), "digits": strings.Repeat(" 555", 75_000),
	} {
		for _, tagger := range []string{"pii_regex_v2", "pii_regex_with_counts_fast_v2", "repetitions_v1", "gopher_v2", "c4_v2", "uniseg_length_v1", "lang_id_doc_v1"} {
			tg, err := Get(tagger, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var x Text
			var out Spans
			began := time.Now()
			x.Reset(&data.Document{Text: s})
			if err := tg.Tag(&x, &out); err != nil {
				t.Fatal(err)
			}
			// A quadratic scan of 300,000 characters takes minutes.
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("%s on %s took %v", tagger, name, d)
			}
		}
	}
}

func TestPythonLower(t *testing.T) {
	for in, want := range map[string]string{
		"ABC": "abc", "İx": "i\u0307x", "ΌΣΟΣ": "όσος", "ΑΣ ΣΑ": "ας σα", "Σ": "σ", "ΑΣ'Α": "ασ'α", "ǅ": "ǆ",
	} {
		if got := lower(in); got != want {
			t.Errorf("lower(%q) = %q, want %q", in, got, want)
		}
	}
}

// The score that is written is Python's round(x, 5), also near ties.
func TestScores(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	check := func(x float64) {
		t.Helper()
		got, err := strconv.ParseFloat(string(appendScore(nil, x)), 64)
		want, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 5, 64), 64)
		if err != nil || got != want {
			t.Errorf("appendScore(%v) = %s, want %v", x, appendScore(nil, x), want)
		}
	}
	for _, x := range []float64{0, 1, -1, 0.5, 0.000005, 0.000015, 2.675, 1.000005, -0.000001, 1e-9, 123456789.123456, 1e15, 1e300, math.Pi, 0.99999499999, 0.999995} {
		check(x)
		check(-x)
	}
	for range 20000 {
		check(r.Float64())
		check(float64(r.IntN(1e6))/1e5 + 5e-6)
		check(r.NormFloat64() * 1e6)
	}
	if got := string(appendScore(nil, 12)); got != "12.0" {
		t.Errorf("appendScore(12) = %s, want 12.0", got)
	}
}

func TestC4(t *testing.T) {
	tag := func(name, text string, o Options) *Spans {
		tg, err := Get(name, o)
		if err != nil {
			t.Fatal(err)
		}
		var x Text
		out := &Spans{}
		x.Reset(&data.Document{Text: text})
		if err := tg.Tag(&x, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name, text, kind string
		want             bool
	}{
		{"c4_v2", "Uses JavaScripted pages.", "has_javascript", true},
		{"c4_v1", "Uses JavaScripted pages.", "has_javascript", false},
		{"c4_v1", "Uses JAVASCRIPT here.", "has_javascript", true},
		{"c4_v2", "Lorem Ipsum dolor", "has_lorem_ipsum", true},
		{"c4_v2", "lorem  ipsum", "has_lorem_ipsum", false},
		{"c4_v2", "a \U0001f595 b", "has_naughty_word", true},
		{"c4_v2", "some x{y} text", "has_curly_brace", true},
		// U+212A, the Kelvin sign, is k in lower case.
		{"c4_v2", "\u212aINKY", "has_naughty_word", true},
		{"c4_v2", "has 2 GIRLS 1 cup.", "has_naughty_word", true},
	} {
		if got := tag(c.name, c.text, Options{}).Of(c.kind) != nil; got != c.want {
			t.Errorf("%s: %s in %q = %v, want %v", c.name, c.kind, c.text, got, c.want)
		}
	}
	// Offsets are those of the text; Dolma's v2 has those of its lower case.
	text := "İİİ\nb"
	ours := tag("c4_v2", text, Options{}).Of("lines_with_too_few_words")
	theirs := tag("c4_v2", text, Options{Compat: true}).Of("lines_with_too_few_words")
	if want := []data.Span{{Start: 0, End: 4, Score: 1}, {Start: 4, End: 5, Score: 1}}; !reflect.DeepEqual(ours, want) {
		t.Errorf("offsets %v, want %v", ours, want)
	}
	if want := []data.Span{{Start: 0, End: 7, Score: 1}, {Start: 7, End: 8, Score: 1}}; !reflect.DeepEqual(theirs, want) {
		t.Errorf("Dolma's offsets %v, want %v", theirs, want)
	}
}

// Runs of ids as Dolma's find_periodic_sequences finds them: a run must fill a row of
// its period's length, and each period reports its own.
func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		ids  []int32
		want []period
	}{
		{nil, nil},
		{[]int32{1, 1}, nil},
		{[]int32{1, 1, 1}, []period{{0, 3, 3}}},
		{[]int32{0, 1, 1, 1, 1, 2}, []period{{1, 5, 4}}},
		{[]int32{1, 2, 1, 2, 1, 2}, []period{{0, 6, 3}}},
		{[]int32{9, 1, 2, 1, 2, 1, 2, 8}, []period{{1, 7, 3}}},
		{[]int32{1, 2, 3, 1, 2, 3, 1, 2, 3}, []period{{0, 9, 3}}},
		{[]int32{1, 2, 3, 4}, nil},
		{[]int32{1, 1, 2, 2, 3, 3}, nil},
	} {
		var got []period
		findPeriods(c.ids, 13, func(p period) { got = append(got, p) })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, want %v", c.ids, got, c.want)
		}
	}
	// No period is longer than the longest, and none shorter than it is missed.
	ids := make([]int32, 42)
	for i := range ids {
		ids[i] = int32(i % 14)
	}
	n := 0
	findPeriods(ids, 13, func(period) { n++ })
	findPeriods(ids, 14, func(p period) {
		if n++; p != (period{0, 42, 3}) {
			t.Errorf("found %v", p)
		}
	})
	if n != 1 {
		t.Errorf("%d periods are found, want that of 14 alone", n)
	}
}

// What lies within an earlier span goes; of two with the same start the longer stays.
func TestOutermost(t *testing.T) {
	got := outermost([]spanOf{{"a", 5, 9, 1}, {"a", 0, 4, 3}, {"a", 0, 6, 2}, {"a", 6, 9, 1}, {"a", 5, 9, 4}, {"a", 10, 12, 1}})
	want := []spanOf{{"a", 0, 6, 2}, {"a", 5, 9, 4}, {"a", 10, 12, 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Parts of an address, with and without scheme, port and the rest.
func TestSplitURL(t *testing.T) {
	for url, want := range map[string][3]string{
		"http://host.example/a/b?q#f": {"host.example", "", "/a/b"},
		"https://me:pw@host:8080":     {"host", "8080", ""},
		"host.example":                {"host.example", "", ""},
		"host.example#f":              {"host.example", "", ""},
		"host.example?q=/x":           {"host.example", "", ""},
		"host.example/a#f?x":          {"host.example", "", "/a"},
		"//host/a":                    {"host", "", "/a"},
		"host/a?u=http://other/b":     {"host", "", "/a"},
		"http://[::1]/x":              {"[::1]", "", "/x"},
		"http://[::1]:80/x":           {"[::1]", "80", "/x"},
		"http://host:/":               {"host", "", "/"},
		"":                            {"", "", ""},
	} {
		host, port, path := splitURL(url)
		if got := [3]string{host, port, path}; got != want {
			t.Errorf("splitURL(%q) = %q, want %q", url, got, want)
		}
	}
}
