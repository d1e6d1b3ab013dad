package score

import (
	"sync"

	"olmo/eval/python"
)

// GSM8K (Cobbe et al. 2021) as lm-eval 0.4.13 judges it (tasks/gsm8k/gsm8k.yaml): the number after
// the four hashes (strict-match), or the last number at all (flexible-extract).
var _ = define(Scorer{
	Name: "gsm8k", Source: "lm-eval 0.4.13, tasks/gsm8k/gsm8k.yaml",
	Gives:    []string{"exact_match,strict-match", "exact_match,flexible-extract"},
	Verdicts: []string{"exact_match,strict-match", "exact_match,flexible-extract"},
	Each: func(r *Row) (Values, error) {
		var answer string
		if err := r.field("answer", &answer); err != nil {
			return nil, err
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		found, err := gsm8kAnswers(response)
		if err != nil {
			return nil, err
		}
		v := Values{}
		for name, text := range found {
			right, err := gsm8kExact().Any(text, []string{answer})
			if err != nil {
				return nil, err
			}
			v[name] = number(right)
		}
		return v, nil
	},
	Answers: gsm8kAnswers,
})

var (
	gsm8kStrict   = pattern(`#### (\-?[0-9\.\,]+)`)
	gsm8kFlexible = pattern(`(-?[$0-9.,]{2,})|(-?[0-9]+)`)
	gsm8kExact    = sync.OnceValue(func() *Exact {
		x := &Exact{Case: true}
		for _, p := range []string{`,`, `\$`, `(?s).*#### `, `\.$`} {
			x.Patterns = append(x.Patterns, pattern(p)())
		}
		return x
	})
)

// gsm8kAnswers are what the two filters find.
func gsm8kAnswers(response string) (map[string]string, error) {
	found := map[string]string{}
	for name, f := range map[string]struct {
		re   *python.Regexp
		last bool
	}{"strict-match": {gsm8kStrict(), false}, "flexible-extract": {gsm8kFlexible(), true}} {
		text, err := extract(f.re, f.last, response)
		if err != nil {
			return nil, err
		}
		found["exact_match,"+name] = text
	}
	return found, nil
}
