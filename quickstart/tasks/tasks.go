// Package tasks makes exercises by code, whose answers a verifier can judge: small ones with words,
// lists and numbers, drawn from a seed, and questions about what doc comments say.
package tasks

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"olmo/numeric"
)

// Exercise is a question with what judges its answer.
type Exercise struct {
	Task     string
	Question string
	Verifier string // of eval/score
	Truth    string // its ground truth
	// Answers are right in the matter, each in another style. The first one is as the verifier wants
	// it; the others get nothing from it. A question about documentation has one alone.
	Answers []string
}

// kind is one kind of exercise.
type kind struct {
	name, verifier string
	draw           func(r *draws) (question, truth string, answers []string)
}

// kinds stand in this order, one after the other, in what Draw gives.
var kinds = []kind{
	{"reverse", "string_matcher", reverse},
	{"first", "string_matcher", first},
	{"last", "string_matcher", last},
	{"initials", "string_matcher", initials},
	{"capitals", "regex", capitals},
	{"repeat", "regex", repeat},
	{"count", "gsm8k", count},
	{"largest", "gsm8k", largest},
	{"object", "json_schema", object},
}

// Draw returns the ith exercise of a seed. They repeat themselves now and then, as there are but so
// many.
func Draw(seed uint64, i int) Exercise {
	k := kinds[i%len(kinds)]
	question, truth, answers := k.draw(&draws{numeric.NewStream(seed, "exercise"), uint64(i), 0})
	return Exercise{k.name, question, k.verifier, truth, answers}
}

// draws are the random numbers of an exercise.
type draws struct {
	stream  numeric.Stream
	i, next uint64
}

// below draws a number from 0 to below n.
func (r *draws) below(n int) int {
	r.next++
	return int(r.stream.Bits(r.i, r.next) % uint64(n))
}

// words draws different words.
func (r *draws) words(n int) []string {
	out := make([]string, 0, n)
	seen := map[int]bool{}
	for len(out) < n {
		if i := r.below(len(words)); !seen[i] {
			seen[i] = true
			out = append(out, words[i])
		}
	}
	return out
}

// styles are an answer in four styles, the one that the verifier wants before the plain one.
func styles(wanted, plain string) []string {
	return []string{wanted, plain, "It is " + plain + ".", "The answer is: " + plain}
}

// tagged are the styles of what string_matcher judges.
func tagged(plain string) []string { return styles("<answer> "+plain+" </answer>", plain) }

// exact are the styles of what a pattern judges that stands for one text: three are more than it.
func exact(plain string) (pattern string, answers []string) {
	return "^" + regexp.QuoteMeta(plain) + "$", []string{plain, "It is " + plain + ".", "The answer is: " + plain, "<answer>" + plain + "</answer>"}
}

func reverse(r *draws) (question, truth string, answers []string) {
	w := r.words(3)
	truth = w[2] + ", " + w[1] + ", " + w[0]
	return "Reverse the list: " + strings.Join(w, ", "), truth, tagged(truth)
}

func first(r *draws) (question, truth string, answers []string) {
	w := r.words(3)
	return "Which word is first? " + strings.Join(w, ", "), w[0], tagged(w[0])
}

func last(r *draws) (question, truth string, answers []string) {
	w := r.words(3)
	return "Which word is last? " + strings.Join(w, ", "), w[2], tagged(w[2])
}

func initials(r *draws) (question, truth string, answers []string) {
	w := r.words(2)
	truth = w[0][:1] + " " + w[1][:1]
	return "What are the first letters? " + strings.Join(w, " "), truth, tagged(truth)
}

func capitals(r *draws) (question, truth string, answers []string) {
	text := strings.Join(r.words(2), " ")
	truth, answers = exact(strings.ToUpper(text))
	return "Write in capital letters: " + text, truth, answers
}

func repeat(r *draws) (question, truth string, answers []string) {
	w := r.words(2)
	text := strings.Join(w, " ")
	truth, answers = exact(text + " " + text)
	return "Say it twice: " + text, truth, answers
}

func count(r *draws) (question, truth string, answers []string) {
	n := 1 + r.below(5)
	return "How many words are there? " + strings.Join(r.words(n), ", "), strconv.Itoa(n), styles(strconv.Itoa(n), inWords(n))
}

func largest(r *draws) (question, truth string, answers []string) {
	digits := make([]string, 0, 3)
	most := 0
	for len(digits) < 3 {
		n := r.below(10)
		if d := strconv.Itoa(n); !slices.Contains(digits, d) {
			digits, most = append(digits, d), max(most, n)
		}
	}
	return "Which is the largest? " + strings.Join(digits, ", "), strconv.Itoa(most), styles(strconv.Itoa(most), inWords(most))
}

func object(r *draws) (question, truth string, answers []string) {
	w := r.words(2)
	schema, _ := json.Marshal(map[string]any{ // which always encodes
		"type": "object", "properties": map[string]any{w[0]: map[string]any{"const": w[1]}}, "required": w[:1], "additionalProperties": false,
	})
	plain := w[0] + " is " + w[1]
	return fmt.Sprintf("Write as JSON: %s = %s", w[0], w[1]), string(schema), styles(fmt.Sprintf(`{"%s": "%s"}`, w[0], w[1]), plain)
}

// inWords says a number from 0 to 9.
func inWords(n int) string {
	return strings.Fields("zero one two three four five six seven eight nine")[n]
}

// words are nouns that the documentation of programs is full of, so that a small tokenizer has each as
// one token; none is an article, which string_matcher would not see.
var words = strings.Fields("file key map list name value type error byte string line point field method system signal test time " +
	"group index lock memory number object package path port process queue result row set size slice socket stack state thread trace version word code")
