package score

import (
	"fmt"
	"strings"
)

// Attempts are what several responses to each question come to: pass@k, the probability that one
// of k responses is right, without bias (Chen et al. 2021), and maj@k, whether the answer that
// most of the first k responses give is right, the first of equals (lm-eval's take_first_k and
// majority_vote). A question with fewer than k responses has neither.
type Attempts struct {
	ks     []int
	values map[string][]float64 // by name
	rows   int
	enough map[int]int // rows with so many responses
}

// NewAttempts begins with the numbers of responses that are asked for.
func NewAttempts(ks []int) *Attempts {
	return &Attempts{ks: ks, values: map[string][]float64{}, enough: map[int]int{}}
}

// Add counts the responses to a question.
func (a *Attempts) Add(s *Scorer, r *Row) error {
	right, answers := map[string][]bool{}, map[string][]string{}
	for _, response := range r.Responses {
		alone := *r
		alone.Responses = []string{response}
		v, err := s.Each(&alone)
		if err != nil {
			return err
		}
		for _, name := range s.Verdicts {
			verdict, ok := v[name].(bool)
			if f, is := v[name].(float64); is {
				verdict, ok = f == 1, f == 0 || f == 1
			}
			if !ok {
				return fmt.Errorf("%s is %v, want right or wrong", name, v[name])
			}
			right[name] = append(right[name], verdict)
		}
		if s.Answers == nil {
			continue
		}
		found, err := s.Answers(response)
		if err != nil {
			return err
		}
		for name, text := range found {
			answers[name] = append(answers[name], text)
		}
	}
	a.count(len(r.Responses))
	for _, name := range s.Verdicts {
		suffix := ""
		if len(s.Verdicts) > 1 {
			suffix = "," + name
			if _, filter, ok := strings.Cut(name, ","); ok {
				suffix = "," + filter
			}
		}
		a.pass(suffix, right[name])
		if s.Answers == nil {
			continue
		}
		for _, k := range a.ks {
			majority := func() float64 { return number(right[name][vote(answers[name][:k])]) }
			a.add("maj", k, suffix, len(r.Responses), majority)
		}
	}
	return nil
}

// AddPassed counts the verdicts of a question's programs.
func (a *Attempts) AddPassed(passed []bool) {
	a.count(len(passed))
	a.pass("", passed)
}

func (a *Attempts) pass(suffix string, right []bool) {
	var c int
	for _, x := range right {
		c += int(number(x))
	}
	for _, k := range a.ks {
		a.add("pass", k, suffix, len(right), func() float64 { return passAt(len(right), c, k) })
	}
}

func (a *Attempts) count(responses int) {
	a.rows++
	for _, k := range a.ks {
		if k <= responses {
			a.enough[k]++
		}
	}
}

// add keeps a value of a question with enough responses; the name is there in any case.
func (a *Attempts) add(name string, k int, suffix string, responses int, v func() float64) {
	name = fmt.Sprintf("%s@%d%s", name, k, suffix)
	if k <= responses {
		a.values[name] = append(a.values[name], v())
	} else if a.values[name] == nil {
		a.values[name] = []float64{}
	}
}

// Summary adds the means to a summary, with their standard errors and, as NAME_n, how many
// questions they are of. short says of which numbers of responses not every question has enough.
func (a *Attempts) Summary(out *Summary) (short []int) {
	for name, values := range a.values {
		out.Scores[name+"_n"] = float64(len(values))
		if len(values) == 0 {
			continue
		}
		mean, stderr := spread(values)
		out.Scores[name] = mean
		if len(values) > 1 {
			out.Scores[name+"_stderr"] = stderr
		}
	}
	for _, k := range a.ks {
		if a.enough[k] < a.rows {
			short = append(short, k)
		}
	}
	return short
}

// passAt is the share of the choices of k among n responses, c of them right, that have a right
// one.
func passAt(n, c, k int) float64 {
	none := 1.0
	for i := n - c + 1; i <= n; i++ {
		none *= max(0, 1-float64(k)/float64(i))
	}
	return 1 - none
}

// vote is the place of the first answer that is given most often.
func vote(answers []string) int {
	count := map[string]int{}
	for _, x := range answers {
		count[x]++
	}
	best := 0
	for i, x := range answers {
		if count[x] > count[answers[best]] {
			best = i
		}
	}
	return best
}
