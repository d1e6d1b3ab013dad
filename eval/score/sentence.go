package score

import (
	"strings"
	"unicode"

	"olmo/eval/python"
)

// sentences are the sentences of a text as Punkt (Kiss and Strunk 2006) finds them in NLTK 3.10
// before it has learnt from any text (tokenize/punkt.py): no abbreviation is known, so that a full
// stop, question or exclamation mark ends one where white space or a sign follows, but for
// initials, numbers and dots in a row before a word that begins none.
func sentences(text string) []string {
	in := []rune(text)
	var out []string
	start := 0
	add := func(end int) {
		if s := string(in[start:max(start, end)]); s != "" {
			out = append(out, s)
		}
	}
	// place is where the word before a mark begins, the mark ends, and a sentence could begin.
	type place struct{ word, end, next int }
	var found []place
	word, stop := 0, 0 // the word of the mark before, as far as that mark
	for i, r := range in {
		if !isEnd(r) || i+1 == len(in) {
			continue
		}
		next := i + 1
		if python.IsSpace(in[next]) {
			for next < len(in) && python.IsSpace(in[next]) {
				next++
			}
			if next == len(in) {
				continue
			}
		} else if !endsWord(in[next]) {
			continue
		}
		begin := word
		for k := i - 1; k > stop; k-- {
			if in[k] < 0x80 && python.IsSpace(in[k]) {
				begin = k + 1
				break
			}
		}
		p := place{begin, i + 1, next}
		if len(found) > 0 && begin < stop { // of several marks of a word the last counts
			found[len(found)-1] = p
		} else {
			found = append(found, p)
		}
		word, stop = begin, i
	}
	for _, p := range found {
		follow := p.next + 1
		if p.next > p.end { // white space, after it a word
			for follow < len(in) && !python.IsSpace(in[follow]) {
				follow++
			}
		}
		if !breaks(string(in[p.word:follow])) {
			continue
		}
		add(p.end)
		start = p.next
	}
	add(len([]rune(strings.TrimRightFunc(text, python.IsSpace))))
	return realign(out)
}

func isEnd(r rune) bool { return r == '.' || r == '?' || r == '!' }

// endsWord reports whether a sign stands in no word.
func endsWord(r rune) bool { return strings.ContainsRune(")\";}]*:@'({[‘’“”«»?!", r) }

// closing are signs that belong to the sentence before them, when white space follows.
const closing = "\"')]}‘’“”«»"

// realign gives signs at a sentence's beginning that close the one before to that one.
func realign(all []string) []string {
	var out []string
	for _, s := range all {
		rest := strings.TrimLeft(s, closing)
		if cut := len(s) - len(rest); len(out) > 0 && cut > 0 {
			if next := strings.TrimLeftFunc(rest, python.IsSpace); rest == "" || next != rest || strings.HasPrefix(rest, "--") {
				out[len(out)-1] += s[:cut]
				s = next
			}
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// breaks reports whether a sentence ends in a text of a word, its mark, and what follows: at a
// token before the last one.
func breaks(context string) bool {
	var tokens []string
	for line := range strings.SplitSeq(context, "\n") {
		all, err := punktToken().FindAll(line)
		if err != nil {
			return true // no word is that long
		}
		for _, m := range all {
			tokens = append(tokens, m[1].Text)
		}
	}
	for i := 0; i+1 < len(tokens); i++ {
		if tokenBreaks(tokens[i], tokens[i+1]) {
			return true
		}
	}
	return false
}

var punktToken = pattern(`((?:-{2,}|\.{2,}|(?:\.\s){2,}\.)|(?=[^("` + "`" + `{\[:;&#*@)}\]\-,])\S+?(?=\s|$|(?:[)";}\]*:@'({\[‘’“”«»?!])|(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)|,(?=$|\s|(?:[)";}\]*:@'({\[‘’“”«»?!])|(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)))|\S)`)

// tokenBreaks reports whether a sentence ends with a token before another.
func tokenBreaks(token, next string) bool {
	if token == "?" || token == "!" || token == "." {
		return true
	}
	if !strings.HasSuffix(token, ".") || strings.HasSuffix(token, "..") {
		return false
	}
	letters, follow := []rune(token), []rune(next)[0]
	initial := len(letters) == 2 && !unicode.IsDigit(letters[0]) && (unicode.In(letters[0], unicode.L, unicode.N) || letters[0] == '_')
	if !initial && !punktNumber(token) {
		return true
	}
	lower := unicode.IsLower(follow)
	sign := len(next) == 1 && strings.Contains(";:,.!?", next)
	return !lower && !sign && (!initial || !unicode.IsUpper(follow))
}

// punktNumber reports whether a token is a number with a full stop after it.
func punktNumber(token string) bool {
	token = strings.TrimSuffix(token, ".")
	token = strings.TrimPrefix(token, "-")
	if strings.HasPrefix(token, ".") || strings.HasPrefix(token, ",") {
		token = token[1:]
	}
	for i, r := range token {
		if !unicode.IsDigit(r) && (i == 0 || !strings.ContainsRune(",.-", r)) {
			return false
		}
	}
	return token != ""
}

// treebankRules part a sentence into words, each rule where the one before has left it.
var treebankRules = func() (rules []treebankRule) {
	for _, r := range [][2]string{
		{"([«“‘„]|`+)", ` \1 `},
		{`^"`, "``"},
		{"(``)", ` \1 `},
		{`([ (\[{<])("|'{2})`, "\\1 `` "},
		{`(?i)(?<!\w)(')(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)`, `\1 `},
		{`([^.])(\.)([\])}>"'»”’ ]*)\s*$`, `\1 \2 \3 `},
		{`([:,])([^\d])`, ` \1 \2`},
		{`([:,])$`, ` \1 `},
		{`(\.{2,}|[;@#$%&]|[\u2012-\u2015])`, ` \1 `},
		{`([^.])(\.)([\])}>"']*)\s*$`, `\1 \2\3 `},
		{`([?!])`, ` \1 `},
		{`([^'])' `, `\1 ' `},
		{`([*\]\[(){}<>]|--)`, ` \1 `},
		{`\A|\Z`, ` `},
		{`([»”’])`, ` \1 `},
		{`''|"`, ` '' `},
		{`\s+`, ` `},
		{`([^' ])('[sSmMdD]|') `, `\1 \2 `},
		{`([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) `, `\1 \2 `},
		{`(?i)\b(can)(not)\b`, ` \1 \2 `},
		{`(?i)\b(d)('ye)\b`, ` \1 \2 `},
		{`(?i)\b(gim|lem)(me)\b`, ` \1 \2 `},
		{`(?i)\b(gon)(na)\b`, ` \1 \2 `},
		{`(?i)\b(got)(ta)\b`, ` \1 \2 `},
		{`(?i)\b(more)('n)\b`, ` \1 \2 `},
		{`(?i)\b(wan)(na)(?=\s)`, ` \1 \2 `},
		{`(?i) ('t)(is|was)\b`, ` \1 \2 `},
	} {
		rules = append(rules, treebankRule{pattern(r[0]), r[1]})
	}
	return rules
}()

type treebankRule struct {
	re   func() *python.Regexp
	with string
}

// treebankWords are the words of a sentence after the conventions of the Penn Treebank
// (NLTK 3.10, tokenize/destructive.py).
func treebankWords(sentence string) ([]string, error) {
	for _, r := range treebankRules {
		var err error
		if sentence, err = r.re().Sub(r.with, sentence, 0); err != nil {
			return nil, err
		}
	}
	return python.Fields(sentence), nil
}
