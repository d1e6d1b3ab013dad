package score

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

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

// minervaAnswer is the final answer of a response, its spelling evened out.
func minervaAnswer(response string) (string, error) {
	found, ok := minervaSaid(response)
	if !ok {
		found = "[invalidanswer]"
	}
	return minervaSpelling(found)
}

// minervaSaid is what a response says is its final answer, the first match in it, with "I hope it
// is correct." behind it, of "Final Answer: The final answer is(.*?). I hope it is correct."; the
// last and one other point stand for any character of the line.
func minervaSaid(response string) (string, bool) {
	const begins, hopes = "Final Answer: The final answer is", " I hope it is correct"
	for line := range strings.SplitSeq(response+hopes[1:]+".", "\n") {
		_, rest, ok := strings.Cut(line, begins)
		if !ok {
			continue
		}
		for from := 0; ; {
			at := strings.Index(rest[from:], hopes)
			if at < 0 {
				break
			}
			at += from
			if at > 0 && at+len(hopes) < len(rest) {
				_, point := utf8.DecodeLastRuneInString(rest[:at])
				return python.Strip(rest[:at-point]), true
			}
			from = at + 1
		}
	}
	return "", false
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
	latexCommand = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\\[a-zA-Z]+`)
	})
	groupedInteger = pattern(`\A-?\d{1,3}(,\d{3})+\Z`)
)

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
	s = minervaSwaps(s)
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
	s = strings.ReplaceAll(minervaRoots(minervaUnmarked(s), true), "$", "")
	m, err := groupedInteger().Search(s)
	if m != nil {
		s = strings.ReplaceAll(s, ",", "")
	}
	return s, err
}

// minervaSwaps replaces words and TeX that say nothing, in this order.
func minervaSwaps(s string) string {
	for _, x := range [][2]string{
		{"an ", ""}, {"a ", ""}, {".$", "$"}, {`\$`, ""}, {`\ `, ""}, {" ", ""}, {"mbox", "text"}, {`,\text{and}`, ","}, {`\text{and}`, ","}, {`\text{m}`, `\text{}`},
	} {
		s = strings.ReplaceAll(s, x[0], x[1])
	}
	return s
}

// minervaUnmarked leaves of each line with two dollars what is between the first two, takes texts
// out of their commands, and writes \fracab as \frac{a}{b}. The patterns of the paper, one of which
// each line here is, take the square of the time.
func minervaUnmarked(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if _, rest, ok := strings.Cut(line, "$"); ok { // (.*?)(\$)(.*?)(\$)(.*)
			if inner, _, ok := strings.Cut(rest, "$"); ok {
				lines[i] = "$" + inner + "$"
			}
		}
	}
	s = strings.Join(lines, "\n")
	for _, command := range []string{`\text{`, `\textbf{`, `\overline{`} { // (\\text\{)(.*?)(\})
		s = uncommanded(s, command)
	}
	lines = strings.Split(s, "\n")
	for i, line := range lines { // (\\boxed\{)(.*)(\})
		if before, rest, ok := strings.Cut(line, `\boxed{`); ok {
			if end := strings.LastIndexByte(rest, '}'); end >= 0 {
				lines[i] = before + rest[:end] + rest[end+1:]
			}
		}
	}
	return eachAfter(strings.Join(lines, "\n"), "frac", func(rest string) (with string, used int) { // (frac)([^{])(.)
		a, n := utf8.DecodeRuneInString(rest)
		b, m := utf8.DecodeRuneInString(rest[n:])
		if n == 0 || m == 0 || a == '{' || b == '\n' {
			return "", 0
		}
		return "{" + rest[:n] + "}{" + rest[n:n+m] + "}", n + m
	})
}

// uncommanded takes what is between a command's opening and the next brace of its line out of it.
func uncommanded(s, command string) string {
	return eachBefore(s, command, func(rest string) (with string, used int) {
		if end := strings.IndexAny(rest, "}\n"); end >= 0 && rest[end] == '}' {
			return rest[:end], end + 1
		}
		return "", 0
	})
}

// minervaRoots writes \sqrta as \sqrt{a}; indexed says that \sqrt[n]a has an index, and is written
// \sqrt[n]{a}, where the paper takes the bracket for a.
func minervaRoots(s string, indexed bool) string {
	if indexed {
		s = eachAfter(s, "sqrt", func(rest string) (with string, used int) { // (sqrt)(\[[^\]]*\])(\w)
			end := strings.IndexByte(rest, ']')
			if !strings.HasPrefix(rest, "[") || end < 0 {
				return "", 0
			}
			a, n := utf8.DecodeRuneInString(rest[end+1:])
			if n == 0 || a != '_' && !unicode.IsLetter(a) && !unicode.IsNumber(a) {
				return "", 0
			}
			return rest[:end+1] + "{" + rest[end+1:end+1+n] + "}", end + 1 + n
		})
	}
	return eachAfter(s, "sqrt", func(rest string) (with string, used int) { // (sqrt)([^{]), and (?!\[)
		a, n := utf8.DecodeRuneInString(rest)
		if n == 0 || a == '{' || indexed && a == '[' {
			return "", 0
		}
		return "{" + rest[:n] + "}", n
	})
}

// eachAfter goes through the places of a word from the left, and writes with for the used bytes
// that follow it; used 0 leaves them.
func eachAfter(s, word string, replace func(rest string) (with string, used int)) string {
	return eachBefore(s, word, func(rest string) (string, int) {
		with, used := replace(rest)
		return word + with, used
	})
}

// eachBefore is eachAfter that writes with for the word, too.
func eachBefore(s, word string, replace func(rest string) (with string, used int)) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, word)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		with, used := replace(rest)
		if used == 0 {
			with = word
		}
		b.WriteString(with)
		s = rest[used:]
	}
}

// allDigits is Python's isdigit, of decimal digits.
func allDigits(s string) bool {
	return s != "" && strings.TrimFunc(s, unicode.IsDigit) == ""
}
