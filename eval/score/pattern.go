package score

import (
	"sync"

	"olmo/eval/python"
)

// pattern compiles a pattern of Python's when it is first asked for.
func pattern(text string) func() *python.Regexp {
	return sync.OnceValue(func() *python.Regexp {
		re, err := python.Compile(text, "")
		if err != nil {
			panic(err) // of our own patterns
		}
		return re
	})
}

// invalid is lm-eval's word for a response in which a pattern finds nothing.
const invalid = "[invalid]"

// extract is lm-eval's filter regex: of all matches the first, or the last one, and of its
// groups the first that is not empty.
func extract(re *python.Regexp, last bool, response string) (string, error) {
	all, err := re.FindAll(response)
	if err != nil || len(all) == 0 {
		return invalid, err
	}
	m := all[0]
	if last {
		m = all[len(all)-1]
	}
	for _, g := range m[1:] {
		if g.Text != "" {
			return python.Strip(g.Text), nil
		}
	}
	if len(m) == 2 {
		return "", nil // a lone group may be empty
	}
	return invalid, nil
}
