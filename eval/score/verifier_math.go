package score

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"olmo/eval/score/algebra"
)

// Mathematics: what an answer has in its last box, says as Minerva says it, or has between its last
// two dollars, or all of it, is the ground truth, as an expression or by Hendrycks's spelling. Of
// strict_math the box and dollars do not count.
var (
	_ = verifies(Verifier{
		Name: "math", Source: "open-instruct e6c3044, MathVerifier", Truth: "a text of at most 4,000 bytes",
		Against: againstMath(mathCandidates),
	})
	_ = verifies(Verifier{
		Name: "strict_math", Source: "open-instruct e6c3044, StrictMathVerifier", Truth: "a text of at most 4,000 bytes",
		Against: againstMath(strictMathCandidates),
	})
)

// maxCandidate is the longest answer that is compared, in bytes: a longer one is no answer, and
// spelling would take its time.
const maxCandidate = 4000

func againstMath(candidates func(answer string) []string) func(json.RawMessage) (Verdict, error) {
	return func(raw json.RawMessage) (Verdict, error) {
		truth, err := truthText(raw)
		if err != nil {
			return nil, err
		}
		if len(truth) > maxCandidate {
			return nil, fmt.Errorf("it has %d bytes", len(truth))
		}
		return func(_ context.Context, a *Attempted) (float64, error) {
			for _, c := range candidates(a.Text) {
				if len(c) <= maxCandidate && (hendrycksEqual(c, truth) || algebra.Equal(c, truth)) {
					return 1, nil
				}
			}
			return 0, nil
		}, nil
	}
}

func mathCandidates(answer string) []string {
	var all []string
	if box, ok := lastBoxed(answer); ok {
		if inner, ok := unbox(box); ok {
			all = append(all, inner)
		}
	}
	if said, ok := minervaSaid(answer); ok {
		all = append(all, paperSpelling(said))
	}
	if len(all) > 0 {
		return all
	}
	if last := strings.LastIndexByte(answer, '$'); last > 0 {
		if before := strings.LastIndexByte(answer[:last], '$'); before >= 0 {
			return []string{paperSpelling(answer[before+1 : last])}
		}
	}
	return []string{paperSpelling(answer), answer}
}

func strictMathCandidates(answer string) []string {
	if said, ok := minervaSaid(answer); ok {
		return []string{paperSpelling(said)}
	}
	return []string{paperSpelling(answer)}
}

// paperSpelling is Minerva's normalisation as its paper has it (Lewkowycz et al. 2022, appendix D),
// where lm-eval's minervaSpelling leaves the names of commands alone. What is too long for an
// answer stays.
func paperSpelling(s string) string {
	s = s[strings.LastIndex(s, "=")+1:]
	if len(s) > maxCandidate {
		return s
	}
	s = minervaSwaps(s)
	for _, w := range minervaWords {
		s = strings.ReplaceAll(s, w, "")
	}
	s = minervaRoots(minervaUnmarked(s), false)
	s = strings.ReplaceAll(s, "$", "")
	if plain := strings.ReplaceAll(s, ",", ""); allDigits(plain) {
		return plain
	}
	return s
}
