package score

import (
	"errors"
	"math/big"
	"strings"

	"olmo/eval/python"
)

// MATH (Hendrycks et al. 2021) as lm-eval 0.4.13 judges it (tasks/hendrycks_math/utils.py): what
// stands between a response's first and last dollar sign, or all of it, against the answer that
// the solution has in a box; equal when both are the same after their spelling is evened out.
var _ = define(Scorer{
	Name: "hendrycks_math", Source: "lm-eval 0.4.13, tasks/hendrycks_math/utils.py, process_results",
	Gives:    []string{"exact_match"},
	Verdicts: []string{"exact_match"},
	Each: func(r *Row) (Values, error) {
		answer, err := boxedAnswer(r)
		if err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		return Values{"exact_match": number(hendrycksEqual(betweenDollars(response), answer))}, nil
	},
	Answers: func(response string) (map[string]string, error) {
		found := betweenDollars(response)
		if even, err := hendrycksSpelling(found); err == nil {
			found = even
		}
		return map[string]string{"exact_match": found}, nil
	},
})

func betweenDollars(s string) string {
	first, last := strings.Index(s, "$"), strings.LastIndex(s, "$")
	if first == last {
		return s
	}
	return s[first+1 : last]
}

// boxedAnswer is what the document's solution has in its last box.
func boxedAnswer(r *Row) (string, error) {
	var solution string
	if err := r.field("solution", &solution); err != nil {
		return "", err
	}
	box, ok := lastBoxed(solution)
	if !ok {
		return "", errors.New("the document's solution has no \\boxed answer")
	}
	answer, ok := unbox(box)
	if !ok {
		return "", errors.New("the document's solution has " + short([]byte(box)) + ", want \\boxed{…}")
	}
	return answer, nil
}

// lastBoxed is a text's last \boxed{…} or \fbox{…}, or \boxed with what follows its space.
func lastBoxed(s string) (string, bool) {
	if i := strings.LastIndex(s, `\boxed `); i >= 0 {
		rest, _, _ := strings.Cut(s[i+len(`\boxed `):], "$")
		return `\boxed ` + rest, true
	}
	start := strings.LastIndex(s, `\boxed`)
	if start < 0 {
		if start = strings.LastIndex(s, `\fbox`); start < 0 {
			return "", false
		}
	}
	open := 0
	for i := start; i < len(s); i++ {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return s[start : i+1], true
			}
		}
	}
	return "", false
}

// unbox is what is in a box.
func unbox(s string) (string, bool) {
	if strings.Contains(s, `\boxed `) {
		return strings.CutPrefix(s, `\boxed `)
	}
	s, ok := strings.CutPrefix(s, `\boxed{`)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, "}")
}

// hendrycksEqual compares answers by their spelling, as they are where one cannot be evened out.
func hendrycksEqual(a, b string) bool {
	x, err1 := hendrycksSpelling(a)
	y, err2 := hendrycksSpelling(b)
	if err1 != nil || err2 != nil {
		return a == b
	}
	return x == y
}

var errSpelling = errors.New("the reference gives this text up")

// hendrycksSpelling evens out the spelling of an answer in LaTeX; an error where the reference's
// function raises one.
func hendrycksSpelling(s string) (string, error) {
	for _, x := range [][2]string{
		{"\n", ""},
		{`\!`, ""},
		{`\\`, `\`},
		{"tfrac", "frac"},
		{"dfrac", "frac"},
		{`\left`, ""},
		{`\right`, ""},
		{`^{\circ}`, ""},
		{`^\circ`, ""},
		{`\$`, ""},
	} {
		s = strings.ReplaceAll(s, x[0], x[1])
	}
	switch units := strings.Split(s, `\text{ `); len(units) {
	case 1:
	case 2:
		s = units[0]
	default:
		return "", errSpelling
	}
	s = strings.ReplaceAll(s, `\%`, "")
	s = strings.ReplaceAll(s, " .", " 0.")
	s = strings.ReplaceAll(s, "{.", "{0.")
	if s == "" {
		return "", nil
	}
	if s[0] == '.' {
		s = "0" + s
	}
	if sides := strings.Split(s, "="); len(sides) == 2 && len([]rune(sides[0])) <= 2 {
		s = sides[1]
	}
	s, err := bracedRoots(s)
	if err != nil {
		return "", err
	}
	if s, err = bracedFractions(strings.ReplaceAll(s, " ", "")); err != nil {
		return "", err
	}
	if s == "0.5" {
		s = `\frac{1}{2}`
	}
	return slashFraction(s)
}

// bracedRoots writes \sqrt3 as \sqrt{3}.
func bracedRoots(s string) (string, error) {
	parts := strings.Split(s, `\sqrt`)
	out := parts[0]
	for _, p := range parts[1:] {
		letters := []rune(p)
		if len(letters) == 0 {
			return "", errSpelling
		}
		if letters[0] != '{' {
			p = "{" + string(letters[0]) + "}" + string(letters[1:])
		}
		out += `\sqrt` + p
	}
	return out, nil
}

// bracedFractions writes \frac12 as \frac{1}{2}. A fraction of one sign leaves the whole text as
// it is.
func bracedFractions(s string) (string, error) {
	parts := strings.Split(s, `\frac`)
	out := parts[0]
	for _, p := range parts[1:] {
		letters := []rune(p)
		switch {
		case len(letters) == 0:
			return "", errSpelling
		case letters[0] == '{':
		case len(letters) < 2:
			return s, nil
		case letters[1] == '{':
			p = "{" + string(letters[0]) + "}" + string(letters[1:])
		default:
			p = "{" + string(letters[0]) + "}{" + string(letters[1]) + "}" + string(letters[2:])
		}
		out += `\frac` + p
	}
	return out, nil
}

// slashFraction writes 1/2 as \frac{1}{2}. What is no number on a side of the one slash is an
// error, as int is in Python.
func slashFraction(s string) (string, error) {
	sides := strings.Split(s, "/")
	if len(sides) != 2 {
		return s, nil
	}
	var numbers [2]string
	for i, text := range sides {
		// int also reads digits of other scripts and white space, with which the text differs from
		// the number's own and stays.
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			if _, is := python.ParseFloat(text); is && !strings.ContainsAny(text, ".eEnN") {
				return s, nil
			}
			return "", errSpelling
		}
		numbers[i] = n.String()
	}
	if numbers[0]+"/"+numbers[1] != s {
		return s, nil
	}
	return `\frac{` + numbers[0] + "}{" + numbers[1] + "}", nil
}
