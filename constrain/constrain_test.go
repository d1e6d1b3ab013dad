package constrain

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"olmo/tokenizer"
)

// small is a byte-level tokenizer with some hundred merges, and two special tokens.
var small = sync.OnceValue(func() *Vocabulary {
	text := strings.Repeat(`{"name": "Ada", "age": 36, "tags": ["a", "b"], "ok": true, "next": null} `+
		"\n{\n  \"größe\": 1.5e3,\n  \"city\": \"Zürich\", \"日本\": false}\n the quick brown fox \\u00e9 \\n ", 4)
	data, err := tokenizer.Train(context.Background(), func(yield func(string, error) bool) { yield(text, nil) },
		tokenizer.TrainConfig{VocabSize: 420, SpecialTokens: []string{"<|end|>", "<|user|>"}})
	if err != nil {
		panic(err)
	}
	t, err := tokenizer.Parse(data)
	if err != nil {
		panic(err)
	}
	v, err := NewVocabulary(t, t.VocabSize(), nil)
	if err != nil {
		panic(err)
	}
	return v
})

func machine(t testing.TB, g *Grammar, err error) *Machine {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMachine(g, small())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// takes tells whether a text is complete.
func (m *Machine) takes(text string) bool {
	a := m.Matcher()
	return a.text(text) && a.Complete()
}

// walk draws a text by the masks, and tells whether it was complete within so many tokens.
// Each mask is compared with what Accept says of every id.
func walk(t testing.TB, m *Machine, random *rand.Rand, tokens int) (string, bool) {
	t.Helper()
	var b strings.Builder
	a := m.Matcher()
	for range tokens {
		if a.Complete() && (a.Ended() || random.IntN(4) == 0) {
			return b.String(), true
		}
		mask := make([]uint64, m.v.words())
		a.Allowed(mask)
		var ids []int32
		for id := range int32(len(m.v.bytes)) {
			allowed := mask[id>>6]>>(id&63)&1 != 0
			if got := a.Clone().Accept(id); got != allowed {
				t.Fatalf("behind %q: the mask says %v of token %q, Accept %v", b.String(), allowed, m.v.bytes[id], got)
			}
			if allowed {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			t.Fatalf("behind %q nothing may come, and the text may not end", b.String())
		}
		if forced := a.Forced(); len(forced) > 0 {
			c := a.Clone()
			for _, id := range forced {
				if !c.Accept(id) {
					t.Fatalf("behind %q the forced %q may not come", b.String(), m.v.bytes[id])
				}
			}
		}
		id := ids[random.IntN(len(ids))]
		if forced := a.Forced(); len(forced) > 0 && random.IntN(2) == 0 {
			id = forced[0]
		}
		a.Accept(id)
		b.WriteString(m.v.bytes[id])
	}
	return b.String(), a.Complete()
}

func TestGBNF(t *testing.T) {
	for _, c := range []struct {
		name, grammar string
		yes, no       []string
	}{
		{"a literal", `root ::= "yes" | "no"`, []string{"yes", "no"}, []string{"", "y", "yesno", "maybe"}},
		{"counts", `root ::= [a-c]{2,3} "x"{2} "y"{1,} "z"{0,1}`, []string{"abxxy", "cccxxyyyz"}, []string{"axxy", "aaaaxxy", "abxy", "abxxz"}},
		{"loops", `root ::= ("a" | "b")* "c"+ "d"?`, []string{"c", "abacccd"}, []string{"", "ab", "cdd"}},
		{"rules", "# a sum\nroot ::= term (\"+\" term)*\nterm ::= num | \"(\" root \")\" # or more\nnum  ::=\n  [0-9]+\n", []string{"1", "1+(2+33)", "((7))"}, []string{"", "1+", "(1", "1)"}},
		{"characters of several bytes", `root ::= [α-ω]+ [^a-z\n] "\u00e9" .`, []string{"αβγ!é日", "ω日é\n"}, []string{"aéé!", "αaé!", "αβé"}},
		{"escapes", `root ::= "\x41\t\"\\" [\]\-a] "\U0001F600"`, []string{"A\t\"\\]😀", "A\t\"\\-😀"}, []string{"A\t\"\\b😀"}},
		{"rules that may be empty", "root ::= ws \"a\" ws\nws ::= | \" \" ws", []string{"a", "  a ", "a   "}, []string{"", "  "}},
		{"many ways to read it", "root ::= s\ns ::= \"a\" s \"x\" | \"a\" s \"y\" | \"b\"", []string{"b", "aaabxyx"}, []string{"aab", "abxy"}},
		{"JSON", `
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws     ::= | " " | "\n" [ \t]{0,20} # or more
`, []string{`{}`, `{"a": [1, -2.5e3, "x\u00e9", {"b": null}]}`, "{\n  \"a\": true\n}"}, []string{`[]`, `{"a"}`, `{"a": 01}`}},
		{"sums over lines", "root ::= (expr \"=\" ws term \"\\n\")+\nexpr ::= term ([-+*/] term)*\nterm ::= ident | num | \"(\" ws expr \")\" ws\nident ::= [a-z] [a-z0-9_]* ws\nnum ::= [0-9]+ ws\nws ::= [ \\t\\n]*", []string{"a+1=2\n", "(x -3) *y1 = 7\nb=c\n"}, []string{"a=\n", "a+=1\n", "1=1"}},
		{"moves of chess", `
root  ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")+
move  ::= (pawn | piece | castle) [+#]?
piece ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn  ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle ::= "O-O" "-O"?
`, []string{"1. e4 e5\n2. Nf3 Nc6\n", "1. exd5 O-O-O\n12. Rae1+ b8=Q#\n"}, []string{"1. e4 e5\n", "1. e9 e5\n2. a3 a6\n"}},
		{"lines of a list", "root ::= item+\nitem ::= \"- \" [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ \"\\n\"", []string{"- a\n- ü, 日本\n"}, []string{"", "- a", "- \n", "- a\u2028\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := GBNF(c.grammar)
			m := machine(t, g, err)
			for _, s := range c.yes {
				if !m.takes(s) {
					t.Errorf("%q is not taken", s)
				}
			}
			for _, s := range c.no {
				if m.takes(s) {
					t.Errorf("%q is taken", s)
				}
			}
			random := rand.New(rand.NewPCG(1, 2))
			complete := 0
			for range 20 {
				if s, ok := walk(t, m, random, 60); ok {
					complete++
					if !m.takes(s) {
						t.Errorf("a walk gives %q, which is not taken", s)
					}
				}
			}
			if complete == 0 {
				t.Error("no walk of 20 was complete")
			}
		})
	}
}

func TestGBNFErrors(t *testing.T) {
	for _, c := range []struct{ grammar, want string }{
		{"", "the grammar has no rule root\nhint: root ::= … is where a text begins"},
		{"root ::= item", "line 1, column 10: rule item is not defined"},
		{"root ::= \"a\n\"", "line 1, column 10: '\"' is not closed on its line"},
		{"root ::= [z-a]", "line 1, column 11: the range 'z' to 'a' goes backwards"},
		{"root ::= (\"a\"", "line 1, column 14: ) is due, not the end"},
		{"root ::= \"a\"{3,2}", "line 1, column 13: {3,2}: the larger count comes first"},
		{"root ::= \"\\q\"", "line 1, column 11: \\q is no escape"},
		{"root ::= \"\\uD800\"", "line 1, column 11: U+D800 is no character"},
		{"root ::= *", "line 1, column 10: there is nothing before '*' to repeat"},
		{"root := \"a\"", "line 1, column 6: ::= is due behind root, not ':'"},
		{"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: rule root is defined twice"},
		{"root ::= <think>", "line 1, column 10: tokens by name or number (<…>) are not supported"},
		{"root ::= root \"a\" | \"b\"", "rule root can begin with itself"},
		{"root ::= ws root\nws ::= \" \"*", "rule root can begin with itself"},
		{"root ::= \"a\" root", "no text satisfies it"},
		{"root ::= (((\"a\"{1000}){1000}){1000}){1000}", "it needs more than 250000 states"},
	} {
		if _, err := GBNF(c.grammar); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.grammar, err, c.want)
		}
	}
}

func TestVocabularyLeavesOutSpecialTokens(t *testing.T) {
	g, err := GBNF("root ::= .*")
	m := machine(t, g, err)
	mask := make([]uint64, m.v.words())
	m.Matcher().Allowed(mask)
	for _, s := range []string{"<|end|>", "<|user|>"} {
		id, ok := m.v.tokenizer.TokenID(s)
		if !ok {
			t.Fatalf("the tokenizer has no token %s", s)
		}
		if mask[id>>6]>>(id&63)&1 != 0 || m.Matcher().Accept(id) {
			t.Errorf("%s may come", s)
		}
	}
	// Its text may, by other tokens.
	if !m.takes("<|end|>") {
		t.Error("the text <|end|> is not taken")
	}
}

func TestForced(t *testing.T) {
	g, err := GBNF(`root ::= "{\"name\": \"" [a-z]+ "\", \"age\": " [0-9] "}"`)
	m := machine(t, g, err)
	a := m.Matcher()
	text := func(ids []int32) (s string) {
		for _, id := range ids {
			s += m.v.bytes[id]
		}
		return s
	}
	f := a.Forced()
	want, _ := m.encode(`{"name": "Ada`)
	if got := text(f); !strings.HasPrefix(`{"name": "`, got) || len(got) < 6 || !slices.Equal(f, want[:len(f)]) {
		t.Errorf("forced is %q", got)
	}
	if !a.text(`{"name": "x`) || len(a.Forced()) > 0 {
		t.Error("where letters may come something is forced")
	}
	if !a.text(`", `) || text(a.Forced()) == "" {
		t.Error("behind the name nothing is forced")
	}
	if !a.text(`"age": 3`) || text(a.Forced()) != "}" {
		t.Errorf("at the end %q is forced", text(a.Forced()))
	}
	if !a.text("}") || !a.Ended() || len(a.Forced()) > 0 {
		t.Error("behind the end something is forced")
	}
}

func TestChoice(t *testing.T) {
	g, err := Choice([]string{"yes", "no", "not sure", "日本"})
	m := machine(t, g, err)
	for _, s := range []string{"yes", "no", "not sure", "日本"} {
		if !m.takes(s) {
			t.Errorf("%q is not taken", s)
		}
	}
	for _, s := range []string{"", "not", "yes ", "日"} {
		if m.takes(s) {
			t.Errorf("%q is taken", s)
		}
	}
	a := m.Matcher()
	if a.text("no"); !a.Complete() || a.Ended() || len(a.Forced()) > 0 {
		t.Error("behind no the text may end, or go on")
	}
	if a.text("t"); a.Complete() || len(a.Forced()) == 0 {
		t.Error("behind not there is one way on")
	}
	if _, err := Choice(nil); err == nil {
		t.Error("a choice of nothing is taken")
	}
}

// TestTokenizers walks over vocabularies of each kind: bytes, and SentencePiece's pieces with
// tokens of single bytes.
func TestTokenizers(t *testing.T) {
	g, err := Schema([]byte(`{"type":"object","properties":{"name":{"type":"string","pattern":"^[α-ω日本😀]+ [a-z]+$"},"n":{"type":"integer"}},"required":["name","n"],"additionalProperties":false}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"smollm2", "llama2", "dolma2"} {
		t.Run(name, func(t *testing.T) {
			v := golden(t, name)
			m, err := NewMachine(g, v)
			if err != nil {
				t.Fatal(err)
			}
			want := "{\"name\": \"αω日本😀 abc\", \"n\": 12}"
			ids, err := v.tokenizer.AppendEncode(nil, "x"+want)
			if err != nil {
				t.Fatal(err)
			}
			// The x keeps what tokenizers do at the start of a text away from it.
			text := ""
			for _, id := range ids {
				text += v.bytes[id]
			}
			if text = strings.TrimPrefix(strings.TrimPrefix(text, " "), "x"); text != want {
				t.Errorf("the bytes of the tokens are %q", text)
			}
			random := rand.New(rand.NewPCG(3, 4))
			a, out := m.Matcher(), ""
			for range 200 {
				if a.Ended() {
					break
				}
				mask := make([]uint64, v.words())
				a.Allowed(mask)
				var ids []int32
				for id := range int32(len(v.bytes)) {
					if mask[id>>6]>>(id&63)&1 != 0 {
						ids = append(ids, id)
					}
				}
				if forced := a.Forced(); len(forced) > 0 {
					ids = forced[:1]
				}
				id := ids[random.IntN(len(ids))]
				if !a.Accept(id) {
					t.Fatalf("behind %q the token %q may not come, the mask has it", out, v.bytes[id])
				}
				out += v.bytes[id]
			}
			if a.Ended() && !json.Valid([]byte(out)) {
				t.Errorf("%q is no JSON", out)
			}
		})
	}
}

func TestTooMuchWork(t *testing.T) {
	g, err := Regexp(`.*(e.{100}|o.{101}|[a-z].{300}).*z`)
	m := machine(t, g, err)
	m.maxWork = 1000
	a := m.Matcher()
	mask := make([]uint64, m.v.words())
	for _, c := range "the quick brown" {
		if id, _ := m.v.tokenizer.TokenID(string(c)); !a.Accept(id) {
			break
		}
		a.Allowed(mask)
	}
	if m.Err() == nil {
		t.Fatal("many ways are no error")
	}
	clear(mask)
	if a.Allowed(mask); slices.Max(mask) != 0 {
		t.Error("behind the error something is allowed")
	}
}
