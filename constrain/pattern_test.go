package constrain

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRegexpAgainstGo compares with Go's package on texts by the masks, changed ones, and
// texts of the expression's own letters.
func TestRegexpAgainstGo(t *testing.T) {
	for _, expr := range []string{
		`abc|abd|x`, `a*b+c?`, `(ab|cd){2,3}`, `[a-f0-9]{8}(-[a-f0-9]{4}){3}`, `\d+(\.\d+)?`, `[^\d\s]+\s\w*`,
		`(?i)héllo wörld`, `(?i:straße|K)`, `.+`, `(?s).{2}`, `\pL+\p{Greek}?`, `a\b.{0,3}\bz`, `\Ba|a\B.`, `(?m)^a$\n^b$`, `^x*$|y`, `\Aab\z`,
		`((a|b)*c){2}`, `(|a)(b|)`, `[[:alpha:]]+[^[:space:]]`, `\x41\x{1F600}?`, `\Q.*\E+`, `(?P<n>a)(?<m>b)`, `a{3}`, `a{0}b`, `[α-ω]{2,}`, `x??y*?`,
		`\[\]\(\)\\\/\-`, `[\]\-a]+`, `"(\\["\\]|[^"\\])*"`, `(a?){20}a{20}`, `^$`, `\t\n\r\f\v`, `[\t\n]+`, `(?U)a+b`,
	} {
		g, err := Regexp(expr)
		m := machine(t, g, err)
		want := regexp.MustCompile(`\A(?:` + expr + `)\z`)
		random := rand.New(rand.NewPCG(1, 2))
		alphabet := []rune(expr + "aZ09_ \n\tβé😀")
		check := func(s string) bool {
			if got := m.takes(s); got != want.MatchString(s) {
				t.Errorf("%s: %q is taken: %v", expr, s, got)
			}
			return want.MatchString(s)
		}
		matched := 0
		for range 60 {
			if s, ok := walk(t, m, random, 40); ok {
				if check(s) {
					matched++
				}
				r := []rune(s)
				if len(r) > 0 {
					i := random.IntN(len(r))
					check(string(r[:i]))
					check(string(r[:i]) + string(r[i+1:]))
					r[i] = alphabet[random.IntN(len(alphabet))]
					check(string(r))
				}
			}
			var b strings.Builder
			for range random.IntN(6) {
				b.WriteRune(alphabet[random.IntN(len(alphabet))])
			}
			check(b.String())
		}
		if matched == 0 {
			t.Errorf("%s: no walk was complete", expr)
		}
	}
}

func TestECMASpellings(t *testing.T) {
	for _, c := range []struct {
		expr    string
		yes, no []string
	}{
		{`^\u0041\u{1F600}$`, []string{"A😀"}, []string{"A", "xA😀"}},
		{`^\uD83D\uDE00$`, []string{"😀"}, []string{"?"}},
		{`^\cJ\cm$`, []string{"\n\r"}, []string{"Jm"}},
		{`^(?<year>\d{4})$`, []string{"2026"}, []string{"26"}},
		{`^\s$`, []string{"\u00a0", "\ufeff", "\v", "\u2028", " "}, []string{"a", "\u200b"}},
		{`^\S$`, []string{"a", "\u200b", "\u180e", "😀"}, []string{"\u00a0", "\ufeff", "\v", "\u2028", " ", "\u3000"}},
		{`^[\S]$`, []string{"a", "\u200b", "\u180e", "😀"}, []string{"\u00a0", "\ufeff", "\v", "\u2028", " ", "\u3000", "\u1680", "\u205f", "\u202f"}},
		{`^[\s-]+$`, []string{" -"}, []string{"a"}},
		{`^.$`, []string{"a", "😀"}, []string{"\n", "\r", "\u2028", ""}},
		{`^[^]$`, []string{"a", "\n"}, []string{""}},
		{`a[]|b`, []string{"b", "xbx"}, []string{"a"}},
		{`^[\b]\0$`, []string{"\b\x00"}, []string{"b0"}},
		{`^\p{Script=Greek}\p{Letter}$`, []string{"αx"}, []string{"xα"}},
		{`b+`, []string{"b", "abba"}, []string{"", "a"}},
		{`^a|b$`, []string{"ax", "xb", "a\nb"}, []string{"xa", "bx", "x\na"}},
		{`\bcat\b`, []string{"cat", "a cat!", "cat\n"}, []string{"cats", "_cat"}},
		{`^\/\-$`, []string{"/-"}, []string{`\/\-`}},
		{``, []string{"", "x"}, nil},
	} {
		l, err := pattern(c.expr, ecma)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		not, err := l.not()
		if err != nil {
			t.Errorf("not %s: %v", c.expr, err)
			continue
		}
		for i, list := range [][]string{c.yes, c.no} {
			for _, s := range list {
				if got := l.has(s); got != (i == 0) {
					t.Errorf("%s: %q is taken: %v", c.expr, s, got)
				}
				if got := not.has(s); got != (i == 1) {
					t.Errorf("not %s: %q is taken: %v", c.expr, s, got)
				}
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`a(?=b)`, "looking ahead with (?= (character 2 of the expression) can't be held to"},
		{`é(?<!b)`, "looking behind with (?<! (character 2 of the expression) can't be held to"},
		{`(a)\1`, `the back reference \1 (character 4 of the expression) can't be held to`},
		{`(?<n>a)\k<n>`, `the back reference \k (character 8 of the expression) can't be held to`},
		{`\uD800`, `the surrogate \uD800, which is no character, (character 1 of the expression) can't be held to`},
		{`(a`, "missing closing ): "},
		{`a{1001}`, "invalid repeat count: "},
		{`((a{100}){100}){100}`, ""},
		{`(((a{30}){30}){30}){30}`, ""},
		{`\p{Nonsense}`, "invalid character class range: "},
		{"a\xff", "the expression is not UTF-8"},
	} {
		if _, err := pattern(c.expr, ecma); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.expr, err, c.want)
		}
	}
	if _, err := Regexp(`[^\x00-\x{10FFFF}]`); err == nil {
		t.Error("an expression without a text is taken")
	}
}

// fuzzed makes a machine of what compile reads, and looks at its first mask: neither may take
// long, whatever comes.
func fuzzed(t *testing.T, compile func() (*Grammar, error)) {
	began := time.Now()
	g, err := compile()
	var m *Machine
	if err == nil {
		m, err = NewMachine(g, small())
	}
	if err == nil {
		m.Matcher().Allowed(make([]uint64, m.v.words()))
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Fatalf("it took %v", d)
	}
	if err == nil && m.work < 1000 {
		walk(t, m, rand.New(rand.NewPCG(1, 2)), 3)
	}
}

func FuzzRegexp(f *testing.F) {
	f.Add(`^a(b|c)*\d$`)
	f.Add(`[\s\u0041-\cA]`)
	f.Fuzz(func(t *testing.T, expr string) {
		fuzzed(t, func() (*Grammar, error) { return Regexp(expr) })
		pattern(expr, ecma)
	})
}

func FuzzGBNF(f *testing.F) {
	f.Add("root ::= [a-z]* \"x\"{2,3} | ws # c\nws ::= ( \"\\u0041\" | . )?\n")
	f.Fuzz(func(t *testing.T, text string) {
		fuzzed(t, func() (*Grammar, error) { return GBNF(text) })
	})
}
