package taskfile

import (
	"fmt"
	"slices"
	"strings"

	"olmo/eval"
	"olmo/eval/score"
)

// scorerPrefix begins metrics that are the figures of one of our scorers, those of 'olmo eval
// score': olmo:NAME for all that it gives, olmo:NAME/FIGURE for one, which name may call otherwise.
const scorerPrefix = "olmo:"

// scorerMetrics makes metrics of a scorer's values. k asks for pass@k of several responses, and for
// maj@k where the scorer votes; programs have pass@k alone.
func scorerMetrics(s metricSpec) ([]eval.Metric, *score.Scorer, error) {
	name, figure, _ := strings.Cut(strings.TrimPrefix(s.name, scorerPrefix), "/")
	found, err := score.Lookup(name)
	if err != nil {
		return nil, nil, err
	}
	if len(found) != 1 {
		return nil, nil, fmt.Errorf("%s names %d scorers, and a metric is one", s.name, len(found))
	}
	scorer := found[0]
	ks, as, err := scorerOptions(s)
	if err != nil {
		return nil, nil, err
	}
	if scorer.Model {
		return nil, nil, fmt.Errorf("%s: a model judges answers that exist\nhint: olmo eval score --scorer %s", s.name, name)
	}
	if scorer.Programs != nil {
		if figure != "" || as != "" {
			return nil, nil, fmt.Errorf("%s: the scorer %s gives pass@k: k: [1, …]", s.name, name)
		}
		return passMetrics(ks), scorer, nil
	}
	gives := scorer.Gives
	switch {
	case figure != "" && !slices.Contains(gives, figure):
		return nil, nil, fmt.Errorf("%s: %w", s.name, unknownName("the scorer's figure", figure, gives))
	case figure != "":
		gives = []string{figure}
	case as != "" && len(gives) != 1:
		return nil, nil, fmt.Errorf("%s: name: the scorer gives %s, say which: %s/%s", s.name, strings.Join(gives, ", "), s.name, gives[0])
	}
	v := &verdicts{scorer: scorer}
	var out []eval.Metric
	for _, g := range gives {
		m := eval.Metric{Name: g, Of: func(e *eval.Evidence) (any, error) { return v.of(e, g) }}
		if scorer.Corpus != nil {
			m.Lower = scorer.Corpus.Lower
		}
		if strings.HasPrefix(g, "inst_level") {
			m.Figure = meanOfLists
		}
		if as != "" {
			m.Name = as
		}
		if s.lower != nil {
			m.Lower = *s.lower
		}
		out = append(out, m)
	}
	for _, k := range ks {
		for _, g := range gives {
			if !slices.Contains(scorer.Verdicts, g) {
				continue
			}
			suffix := ""
			if len(gives) > 1 {
				suffix = "," + g
			}
			out = append(out, eval.Metric{Name: fmt.Sprintf("pass@%d%s", k, suffix), Of: func(e *eval.Evidence) (any, error) {
				right, _, err := v.each(e, g)
				return score.PassAt(right, k), err
			}})
			if scorer.Answers != nil {
				out = append(out, eval.Metric{Name: fmt.Sprintf("maj@%d%s", k, suffix), Of: func(e *eval.Evidence) (any, error) {
					right, answers, err := v.each(e, g)
					return score.MajorityAt(right, answers, k), err
				}})
			}
		}
	}
	return out, scorer, nil
}

// scorerOptions reads what stands beside such a metric.
func scorerOptions(s metricSpec) (ks []int, name string, err error) {
	if s.aggregation != "" && s.aggregation != "mean" {
		return nil, "", fmt.Errorf("%s: aggregation is %s, want mean", s.name, s.aggregation)
	}
	for _, key := range s.options.keys {
		v := s.options.values[text(key)]
		switch text(key) {
		case "k":
			if one, ok := v.(int64); ok {
				v = []any{one}
			}
			list, ok := v.([]any)
			if !ok {
				return nil, "", fmt.Errorf("%s: k is %v, want a list of numbers", s.name, v)
			}
			for _, x := range list {
				k, ok := x.(int64)
				if !ok || k < 1 || k > 1<<20 {
					return nil, "", fmt.Errorf("%s: k is %v, want 1 or more", s.name, x)
				}
				ks = append(ks, int(k))
			}
		case "name":
			var ok bool
			if name, ok = v.(string); !ok || name == "" || strings.ContainsAny(name, ",") {
				return nil, "", fmt.Errorf("%s: name is %v, want a word", s.name, v)
			}
		default:
			return nil, "", fmt.Errorf("%s: %w", s.name, unknownName("key", text(key), []string{"k", "name", "higher_is_better"}))
		}
	}
	return ks, name, nil
}

// passMetrics are pass@k of programs, pass@1 when nobody asks for others; a question with fewer than
// k answers has none.
func passMetrics(ks []int) (out []eval.Metric) {
	if len(ks) == 0 {
		ks = []int{1}
	}
	for _, k := range ks {
		out = append(out, eval.Metric{Name: fmt.Sprintf("pass@%d", k), Of: func(e *eval.Evidence) (any, error) {
			return score.PassAt(e.Passed, k), nil
		}})
	}
	return out
}

// verdicts are a scorer's values of the last document, which several metrics ask for one after
// the other.
type verdicts struct {
	scorer *score.Scorer
	last   *eval.Evidence
	values score.Values
}

// rowOf is what a scorer judges of a document.
func rowOf(e *eval.Evidence) *score.Row {
	r := &score.Row{Doc: e.Row, Responses: e.Responses, Targets: e.Targets}
	for i := range e.Choices {
		r.Loglikelihoods, r.Labels = append(r.Loglikelihoods, e.Answers[i].Logprob), append(r.Labels, 0)
	}
	for _, g := range e.Gold {
		r.Labels[g] = 1
	}
	return r
}

// of is a value of the document.
func (v *verdicts) of(e *eval.Evidence, figure string) (any, error) {
	if v.last != e {
		values, err := v.scorer.Each(rowOf(e))
		if err != nil {
			return nil, fmt.Errorf("the scorer %s: %w", v.scorer.Name, err)
		}
		v.last, v.values = e, values
	}
	switch x := v.values[figure].(type) {
	case bool:
		return one(x), nil
	case nil:
		return nil, fmt.Errorf("the scorer %s gives no %s", v.scorer.Name, figure)
	default:
		return x, nil
	}
}

// each is whether each response is right, with what it answers.
func (v *verdicts) each(e *eval.Evidence, figure string) (right []bool, answers []string, err error) {
	for _, response := range e.Responses {
		alone := rowOf(e)
		alone.Responses = []string{response}
		values, err := v.scorer.Each(alone)
		if err != nil {
			return nil, nil, fmt.Errorf("the scorer %s: %w", v.scorer.Name, err)
		}
		x, _ := values[figure].(float64)
		b, _ := values[figure].(bool)
		right = append(right, x == 1 || b)
		if v.scorer.Answers == nil {
			continue
		}
		found, err := v.scorer.Answers(response)
		if err != nil {
			return nil, nil, err
		}
		answers = append(answers, found[figure])
	}
	return right, answers, nil
}

// meanOfLists is the mean of all items of documents' lists.
var meanOfLists = eval.Aggregation{Name: "mean of lists", Of: func(values []any) float64 {
	var sum, n float64
	for _, v := range values {
		for _, right := range v.([]bool) {
			sum += one(right)
			n++
		}
	}
	return sum / n
}, Resamples: none}
