package score

import (
	"strings"

	"olmo/eval/python"
)

// plainSentences are the sentences of a text by rules without learning: where a full stop ends none, a
// mark takes its place, and then every end is one.
//
// IFEval's split_into_sentences (open-instruct e6c3044, IFEvalG/instructions_util.py).
func plainSentences(text string) ([]string, error) {
	text = strings.ReplaceAll(" "+text+"  ", "\n", " ")
	for _, rule := range sentenceRules {
		var err error
		if text, err = rule(text); err != nil {
			return nil, err
		}
	}
	// A quotation mark behind the end belongs to the sentence.
	for _, r := range [][2]string{{".”", "”."}, {`."`, `".`}, {`!"`, `"!`}, {`?"`, `"?`}, {".", ".<stop>"}, {"?", "?<stop>"}, {"!", "!<stop>"}, {"<prd>", "."}} {
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	all := strings.Split(text, "<stop>")
	for i := range all {
		all[i] = python.Strip(all[i])
	}
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all, nil
}

// sentenceRules are for titles, addresses, numbers, dots in a row, initials, acronyms and firms.
var sentenceRules = []func(text string) (string, error){
	rewrite(`(Mr|St|Mrs|Ms|Dr)[.]`, `\1<prd>`),
	rewrite(`[.](com|net|org|io|gov|edu|me)`, `<prd>\1`),
	rewrite(`([0-9])[.]([0-9])`, `\1<prd>\2`),
	func(text string) (string, error) { return markDots(text), nil },
	func(text string) (string, error) { return strings.ReplaceAll(text, "Ph.D.", "Ph<prd>D<prd>"), nil },
	rewrite(`\s([A-Za-z])[.] `, ` \1<prd> `),
	rewrite(`([A-Z][.][A-Z][.](?:[A-Z][.])?) `+starters, `\1<stop> \2`),
	rewrite(`([A-Za-z])[.]([A-Za-z])[.]([A-Za-z])[.]`, `\1<prd>\2<prd>\3<prd>`),
	rewrite(`([A-Za-z])[.]([A-Za-z])[.]`, `\1<prd>\2<prd>`),
	rewrite(` (Inc|Ltd|Jr|Sr|Co)[.] `+starters, ` \1<stop> \2`),
	rewrite(` (Inc|Ltd|Jr|Sr|Co)[.]`, ` \1<prd>`),
	rewrite(` ([A-Za-z])[.]`, ` \1<prd>`),
}

// starters are what a sentence begins with for sure.
const starters = `(Mr|Mrs|Ms|Dr|Prof|Capt|Cpt|Lt|He\s|She\s|It\s|They\s|Their\s|Our\s|We\s|But\s|However\s|That\s|This\s|Wherever)`

func rewrite(from, to string) func(string) (string, error) {
	re := pattern(from)
	return func(text string) (string, error) { return re().Sub(to, text, 0) }
}

// markDots marks dots in a row, which end a sentence together.
func markDots(text string) string {
	var b strings.Builder
	for text != "" {
		rest := strings.TrimLeft(text, ".")
		if n := len(text) - len(rest); n > 1 {
			b.WriteString(strings.Repeat("<prd>", n) + "<stop>")
		} else {
			b.WriteString(text[:n])
		}
		n := strings.IndexByte(rest, '.')
		if n < 0 {
			n = len(rest)
		}
		b.WriteString(rest[:n])
		text = rest[n:]
	}
	return b.String()
}
