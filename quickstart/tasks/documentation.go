package tasks

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// sentence is a doc comment's first sentence, as Go writes them: the name, and what it does.
var sentence = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A([A-Z][A-Za-z0-9]{2,23}) ([a-z]+s) ([^.:]+\.)(?:\s|\z)`)
})

// The length of a sentence in bytes, so that a question with its answer stays short.
const (
	leastSentence = 20
	mostSentence  = 110
)

// Questions asks what each name does that a paragraph of a package's doc comments begins with; the
// answer is its first sentence. pkg is the package's path.
func Questions(pkg, text string) []Exercise {
	var out []Exercise
	pkg = pkg[strings.LastIndexByte(pkg, '/')+1:]
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		m := sentence().FindStringSubmatch(paragraph)
		if m == nil {
			continue
		}
		name, verb := m[1], m[2]
		answer := strings.Join(strings.Fields(name+" "+verb+" "+m[3]), " ")
		if len(answer) < leastSentence || len(answer) > mostSentence {
			continue
		}
		question := fmt.Sprintf("What does %s.%s do?", pkg, name)
		if verb == "is" {
			question = fmt.Sprintf("What is %s.%s?", pkg, name)
		}
		out = append(out, Exercise{"documentation", question, "string_f1", answer, []string{answer}})
	}
	return out
}
