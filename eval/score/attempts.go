package score

import (
	"fmt"
	"strings"
)

// attempts are what several responses to each question come to: pass@k, the probability that one
// of k responses is right, without bias (Chen et al. 2021), and maj@k, whether the answer that
// most of the first k responses give is right, the first of equals (lm-eval's take_first_k and
// majority_vote). A question with fewer than k responses has neither.
type attempts struct {
	ks     []int
	values map[string][]float64 // by name
	rows   int
	enough map[int]int // rows with so many responses
}

// newAttempts begins with the numbers of responses that are asked for.
func newAttempts(ks []int) *attempts {
	return &attempts{ks: ks, values: map[string][]float64{}, enough: map[int]int{}}
}

// attempt is what the responses to a question come to: whether each is right, and what it
// answers, by the name of the verdict.
type attempt struct {
	right   map[string][]bool
	answers map[string][]string
	n       int
}

func newAttempt(s *Scorer, r *Row) (attempt, error) {
	t := attempt{right: map[string][]bool{}, answers: map[string][]string{}, n: len(r.Responses)}
	for _, response := range r.Responses {
		alone := *r
		alone.Responses = []string{response}
		v, err := s.Each(&alone)
		if err != nil {
			return t, err
		}
		for _, name := range s.Verdicts {
			verdict, ok := v[name].(bool)
			if f, is := v[name].(float64); is {
				verdict, ok = f == 1, f == 0 || f == 1
			}
			if !ok {
				return t, fmt.Errorf("%s is %v, want right or wrong", name, v[name])
			}
			t.right[name] = append(t.right[name], verdict)
		}
		if s.Answers == nil {
			continue
		}
		found, err := s.Answers(response)
		if err != nil {
			return t, err
		}
		for name, text := range found {
			t.answers[name] = append(t.answers[name], text)
		}
	}
	return t, nil
}

// add counts the responses to a question.
func (a *attempts) add(s *Scorer, t *attempt) {
	a.count(t.n)
	for _, name := range s.Verdicts {
		suffix := ""
		if len(s.Verdicts) > 1 {
			suffix = "," + name
			if _, filter, ok := strings.Cut(name, ","); ok {
				suffix = "," + filter
			}
		}
		a.pass(suffix, t.right[name])
		if s.Answers == nil {
			continue
		}
		for _, k := range a.ks {
			majority := func() float64 { return number(t.right[name][vote(t.answers[name][:k])]) }
			a.keep("maj", k, suffix, t.n, majority)
		}
	}
}

// addPassed counts the verdicts of a question's programs.
func (a *attempts) addPassed(passed []bool) {
	a.count(len(passed))
	a.pass("", passed)
}

func (a *attempts) pass(suffix string, right []bool) {
	var c int
	for _, x := range right {
		c += int(number(x))
	}
	for _, k := range a.ks {
		a.keep("pass", k, suffix, len(right), func() float64 { return passAt(len(right), c, k) })
	}
}

func (a *attempts) count(responses int) {
	a.rows++
	for _, k := range a.ks {
		if k <= responses {
			a.enough[k]++
		}
	}
}

// keep keeps a value of a question with enough responses; the name is there in any case.
func (a *attempts) keep(name string, k int, suffix string, responses int, v func() float64) {
	name = fmt.Sprintf("%s@%d%s", name, k, suffix)
	if k <= responses {
		a.values[name] = append(a.values[name], v())
	} else if a.values[name] == nil {
		a.values[name] = []float64{}
	}
}

// summary adds the means to a summary, with their standard errors and, as NAME_n, how many
// questions they are of. short says of which numbers of responses not every question has enough.
func (a *attempts) summary(out *Summary) (short []int) {
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

// PassAt is pass@k of one question, nil of fewer than k responses.
func PassAt(right []bool, k int) any {
	if len(right) < k {
		return nil
	}
	var c int
	for _, x := range right {
		c += int(number(x))
	}
	return passAt(len(right), c, k)
}

// MajorityAt is maj@k of one question, nil of fewer than k responses.
func MajorityAt(right []bool, answers []string, k int) any {
	if len(right) < k {
		return nil
	}
	return number(right[vote(answers[:k])])
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
