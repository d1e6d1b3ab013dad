package score

import (
	"regexp"
	"strings"
	"sync"

	"olmo/eval/python"
	"olmo/eval/score/algebra"
)

// MATH as Minerva judges it (Lewkowycz et al. 2022), by lm-eval 0.4.13 (tasks/minerva_math/
// utils.py): what is said after "Final Answer: The final answer is", without units, against the
// answer that the solution has in a box, the same in letters or equal as an expression.
var _ = define(Scorer{
	Name: "minerva_math", Source: "lm-eval 0.4.13, tasks/minerva_math/utils.py, process_results (exact_match)",
	Gives:    []string{"exact_match"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		answer, err := boxedAnswer(r)
		if err != nil {
			return nil, err
		}
		if answer, err = minervaSpelling(answer); err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		found, err := minervaAnswer(response)
		if err != nil {
			return nil, err
		}
		return Values{"exact_match": number(found != "" && found == answer || algebra.Equal(found, answer))}, nil
	},
	Answers: func(response string) (map[string]string, error) {
		found, err := minervaAnswer(response)
		return map[string]string{"exact_match": found}, err
	},
})

var minervaFinal = pattern(`Final Answer: The final answer is(.*?). I hope it is correct.`)

// minervaAnswer is the final answer of a response, its spelling evened out.
func minervaAnswer(response string) (string, error) {
	m, err := minervaFinal().Search(response + "I hope it is correct.")
	if err != nil {
		return "", err
	}
	found := "[invalidanswer]"
	if m != nil {
		found = python.Strip(m[1].Text)
	}
	return minervaSpelling(found)
}

var minervaWords = []string{
	"square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units", `\ldots`, "sue", "points", "feet", "minutes", "digits", "cents", "degrees",
	"cm", "gm", "pounds", "meters", "meals", "edges", "students", "childrentickets", "multiples", `\text{s}`, `\text{.}`, "\\text{\ns}", `\text{}^2`, `\text{}^3`, "\\text{\n}", `\text{}`,
	`\mathrm{th}`, `^\circ`, `^{\circ}`, `\;`, `,\!`, "{,}", `"`, `\dots`,
}

var (
	minervaUnits = sync.OnceValue(func() (all []*python.Regexp) {
		for _, w := range minervaWords {
			if isWord(w) {
				all = append(all, pattern(`(?<!\\)\b`+w+`\b`)())
			}
		}
		return all
	})
	minervaRules = sync.OnceValue(func() (all []minervaRule) {
		for _, r := range [][2]string{
			{`(.*?)(\$)(.*?)(\$)(.*)`, `$\3$`},
			{`(\\text\{)(.*?)(\})`, `\2`},
			{`(\\textbf\{)(.*?)(\})`, `\2`},
			{`(\\overline\{)(.*?)(\})`, `\2`},
			{`(\\boxed\{)(.*)(\})`, `\2`},
			{`(frac)([^{])(.)`, `frac{\2}{\3}`},
			{`(sqrt)(\[[^\]]*\])(\w)`, `\1\2{\3}`},
			{`(sqrt)(?!\[)([^{])`, `sqrt{\2}`},
		} {
			all = append(all, minervaRule{pattern(r[0])(), r[1]})
		}
		return all
	})
	latexCommand = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\\[a-zA-Z]+`)
	})
	groupedInteger = pattern(`\A-?\d{1,3}(,\d{3})+\Z`)
)

type minervaRule struct {
	re   *python.Regexp
	with string
}

func isWord(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

// minervaSpelling evens out a final answer: units, text, boxes and shorthand of TeX go.
func minervaSpelling(s string) (string, error) {
	s = s[strings.LastIndex(s, "=")+1:]
	var err error
	for _, re := range minervaUnits() {
		if s, err = re.Sub("", s, 0); err != nil {
			return "", err
		}
	}
	for _, x := range [][2]string{
		{"an ", ""}, {"a ", ""}, {".$", "$"}, {`\$`, ""}, {`\ `, ""}, {" ", ""}, {"mbox", "text"}, {`,\text{and}`, ","}, {`\text{and}`, ","}, {`\text{m}`, `\text{}`},
	} {
		s = strings.ReplaceAll(s, x[0], x[1])
	}
	for _, w := range minervaWords {
		if !isWord(w) {
			s = strings.ReplaceAll(s, w, "")
			continue
		}
		// A unit that is glued to something goes too, but not out of a command's name.
		var b strings.Builder
		at := 0
		for _, c := range latexCommand().FindAllStringIndex(s, -1) {
			b.WriteString(strings.ReplaceAll(s[at:c[0]], w, ""))
			b.WriteString(s[c[0]:c[1]])
			at = c[1]
		}
		b.WriteString(strings.ReplaceAll(s[at:], w, ""))
		s = b.String()
	}
	for _, r := range minervaRules() {
		if s, err = r.re.Sub(r.with, s, 0); err != nil {
			return "", err
		}
	}
	s = strings.ReplaceAll(s, "$", "")
	m, err := groupedInteger().Search(s)
	if m != nil {
		s = strings.ReplaceAll(s, ",", "")
	}
	return s, err
}
