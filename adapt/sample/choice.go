package sample

import (
	"fmt"
	"strings"
)

// Keep is what becomes of a prompt's answers.
type Keep string

// What may become of them.
const (
	Best    Keep = "best"    // the answer of the highest score, as a row of SFT
	Correct Keep = "correct" // every answer that is good, each a row of SFT
	Pairs   Keep = "pairs"   // the best answer over the worst, as a pair
)

// Keeps are all of them.
var Keeps = []Keep{Best, Correct, Pairs}

// Choice is which answers are kept. A good answer ended by itself, says something, and has at least
// MinScore; only a good one becomes a row of SFT, or is chosen in a pair.
type Choice struct {
	Keep     Keep
	MinScore *float64 // nil: any
}

func (c *Choice) check() error {
	switch {
	case c.Keep != Best && c.Keep != Correct && c.Keep != Pairs:
		return fmt.Errorf("what is kept is %q, want one of %v", c.Keep, Keeps)
	case c.Keep == Correct && c.MinScore == nil:
		return fmt.Errorf("correct answers want the score from which on an answer is")
	case c.MinScore != nil && *c.MinScore-*c.MinScore != 0:
		return fmt.Errorf("the least score is %v", *c.MinScore)
	}
	return nil
}

// good reports whether an answer may be learnt.
func (c *Choice) good(a *Sampled) bool {
	return a.Finish != "length" && strings.TrimSpace(a.Text) != "" && (c.MinScore == nil || a.Score >= *c.MinScore)
}

// best is the number of the good answer with the highest score, the first of several; −1: none is good.
func (c *Choice) best(answers []Sampled) int {
	best := -1
	for k := range answers {
		if c.good(&answers[k]) && (best < 0 || answers[k].Score > answers[best].Score) {
			best = k
		}
	}
	return best
}

// correct are the numbers of the good answers; of those with the same text the first.
func (c *Choice) correct(answers []Sampled) (all []int) {
	said := map[string]bool{}
	for k := range answers {
		if a := &answers[k]; c.good(a) && !said[a.Text] {
			all, said[a.Text] = append(all, k), true
		}
	}
	return all
}

// pair are the numbers of the best answer and of the one with the lowest score that says something, the
// last of several; ok is false where the best is not better.
func (c *Choice) pair(answers []Sampled) (chosen, rejected int, ok bool) {
	chosen, rejected = c.best(answers), -1
	if chosen < 0 {
		return chosen, rejected, false
	}
	for k := range answers {
		a := &answers[k]
		if strings.TrimSpace(a.Text) != "" && (rejected < 0 || a.Score <= answers[rejected].Score) {
			rejected = k
		}
	}
	return chosen, rejected, answers[chosen].Score > answers[rejected].Score
}
