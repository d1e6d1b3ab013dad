package score

import (
	"context"
	"encoding/json"
	"strings"

	"olmo/eval/python"
)

// Texts against texts, of which letter case, ASCII punctuation, articles and white space do not
// count.
var (
	_ = verifies(Verifier{
		Name: "string_matcher", Source: "open-instruct e6c3044, StringMatcherVerifier", Truth: "a text",
		Against: againstText(func(answer, truth string) float64 {
			if !strings.Contains(answer, "<answer>") || !strings.Contains(answer, "</answer>") {
				return 0
			}
			found, _, _ := strings.Cut(after(answer, "<answer>"), "</answer>")
			return squadExact(truth, found)
		}),
	})
	_ = verifies(Verifier{
		Name: "puzzle", Source: "open-instruct e6c3044, PuzzleMatcherVerifier", Truth: "a text",
		Against: againstText(func(answer, truth string) float64 { return squadExact(truth, withoutThinking(answer)) }),
	})
	_ = verifies(Verifier{
		Name: "flan", Source: "open-instruct e6c3044, FlanVerifier", Truth: "a text",
		Against: againstText(func(answer, truth string) float64 { return squadExact(truth, after(answer, "The answer is: ")) }),
	})
	_ = verifies(Verifier{
		Name: "string_f1", Source: "open-instruct e6c3044, F1Verifier", Truth: "a text or number, or a list of them",
		Against: func(raw json.RawMessage) (Verdict, error) {
			truths, err := truthTexts(raw)
			if err != nil {
				return nil, err
			}
			return func(_ context.Context, a *Attempted) (float64, error) {
				return bestF1(withoutThinking(a.Text), truths), nil
			}, nil
		},
	})
)

// after is what follows the last mark, or the whole text.
func after(s, mark string) string {
	if i := strings.LastIndex(s, mark); i >= 0 {
		return s[i+len(mark):]
	}
	return s
}

// withoutThinking is what follows the last </think>, without tags around the answer.
//
// open-instruct e6c3044, ground_truth_utils.py, remove_thinking_section.
func withoutThinking(s string) string {
	s = after(python.Strip(strings.ReplaceAll(s, "<|assistant|>", "")), "</think>")
	s = strings.ReplaceAll(s, "<answer>", "")
	return python.Strip(strings.ReplaceAll(s, "</answer>", ""))
}

// bestF1 is the best F1 of words against one of several texts. Where either has no words it is 0,
// also of two such.
func bestF1(answer string, truths []string) float64 {
	best := 0.0
	if len(squadWords(answer)) == 0 {
		return 0
	}
	for _, t := range truths {
		best = max(best, squadF1(t, answer))
	}
	return best
}
