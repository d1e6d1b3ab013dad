package tasks

import (
	"regexp"
	"strings"

	"olmo/numeric"
)

// stringKinds are done with three letters, byte by byte.
var stringKinds = []struct {
	name string
	do   func(s string) string
}{
	{"reverse", func(s string) string { return s[2:] + s[1:2] + s[:1] }},
	{"upper", strings.ToUpper},
	{"first", func(s string) string { return s[:1] }},
	{"double", func(s string) string { return s + s }},
}

// DrawString returns the ith exercise of a seed for a model whose tokens are bytes: three letters, and
// what to do with them. An answer has at most 12 bytes.
func DrawString(seed uint64, i int) Exercise {
	r := &draws{numeric.NewStream(seed, "string"), uint64(i), 0}
	k := stringKinds[i%len(stringKinds)]
	s := make([]byte, 3)
	for j := range s {
		s[j] = byte('a' + r.below(26))
	}
	plain := k.do(string(s))
	return Exercise{
		Task: k.name, Question: k.name + " " + string(s), Verifier: "regex", Truth: "^" + regexp.QuoteMeta(plain) + "$",
		Answers: []string{plain, "it: " + plain, "= " + plain, plain + "!"},
	}
}
