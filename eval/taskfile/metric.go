package taskfile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/eval"
	"olmo/eval/python"
	"olmo/eval/score"
	"olmo/numeric"
)

// metric is one of lm-eval's for a kind of task: how it makes a document's value, and what it
// does with all by default.
type metric struct {
	of          func(e *eval.Evidence) (any, error)
	aggregation string
	lower       bool
}

// choiceMetrics are those of multiple_choice. Lengths are the choices' without the delimiter.
var choiceMetrics = map[string]metric{
	"acc": {picks(func(e *eval.Evidence, i int) float64 { return e.Answers[i].Logprob }), "mean", false},
	"acc_norm": {picks(func(e *eval.Evidence, i int) float64 {
		return e.Answers[i].Logprob / float64(utf8.RuneCountInString(e.Choices[i]))
	}), "mean", false},
	"acc_bytes": {picks(func(e *eval.Evidence, i int) float64 { return e.Answers[i].Logprob / float64(len(e.Choices[i])) }), "mean", false},
	"acc_mutual_info": {picks(func(e *eval.Evidence, i int) float64 {
		return e.Answers[i].Logprob - e.Answers[len(e.Choices)+i].Logprob
	}), "mean", false},
	"exact_match": {func(e *eval.Evidence) (any, error) {
		return one(slices.ContainsFunc(e.Gold, func(g int) bool { return e.Answers[g].Greedy })), nil
	}, "mean", false},
	"f1":  {goldAndPick, "f1", false},
	"mcc": {goldAndPick, "matthews_corrcoef", false},
	"brier_score": {func(e *eval.Evidence) (any, error) {
		p := softmax(e)
		var sum float64
		for i, x := range p {
			d := x - one(i == e.Gold[0])
			sum += float64(d * d)
		}
		return sum, nil
	}, "brier_score", true},
	"likelihood": {func(e *eval.Evidence) (any, error) { return e.Answers[e.Gold[0]].Logprob, nil }, "mean", false},
}

// likelihoodMetrics are those of loglikelihood, rollingMetrics of loglikelihood_rolling; the
// latter's values are a sum with what it is divided by.
var (
	likelihoodMetrics = map[string]metric{
		"perplexity": {func(e *eval.Evidence) (any, error) { return e.Answers[0].Logprob, nil }, "perplexity", true},
		"acc":        {func(e *eval.Evidence) (any, error) { return one(e.Answers[0].Greedy), nil }, "mean", false},
	}
	rollingMetrics = map[string]metric{
		"word_perplexity": {func(e *eval.Evidence) (any, error) {
			return [2]float64{e.Answers[0].Logprob, float64(python.Words(e.Targets[0]))}, nil
		}, "weighted_perplexity", true},
		"byte_perplexity": {perByte, "weighted_perplexity", true},
		"bits_per_byte":   {perByte, "bits_per_byte", true},
	}
)

func perByte(e *eval.Evidence) (any, error) {
	return [2]float64{e.Answers[0].Logprob, float64(len(e.Targets[0]))}, nil
}

func one(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// pick is the choice with the highest score, the first of equals.
func pick(e *eval.Evidence, score func(e *eval.Evidence, i int) float64) int {
	best := 0
	for i := range e.Choices {
		if score(e, i) > score(e, best) {
			best = i
		}
	}
	return best
}

func picks(score func(e *eval.Evidence, i int) float64) func(e *eval.Evidence) (any, error) {
	return func(e *eval.Evidence) (any, error) { return one(slices.Contains(e.Gold, pick(e, score))), nil }
}

func goldAndPick(e *eval.Evidence) (any, error) {
	return [2]float64{float64(e.Gold[0]), float64(pick(e, func(e *eval.Evidence, i int) float64 { return e.Answers[i].Logprob }))}, nil
}

func softmax(e *eval.Evidence) []float64 {
	top := math.Inf(-1)
	for i := range e.Choices {
		top = max(top, e.Answers[i].Logprob)
	}
	var sum float64
	p := make([]float64, len(e.Choices))
	for i := range p {
		p[i] = numeric.Exp(e.Answers[i].Logprob - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// aggregations are lm-eval's (api/metrics.py). Standard errors that it has no formula for are
// bootstrapped, or not given at all.
var aggregations = map[string]eval.Aggregation{
	"mean":    eval.Mean,
	"nanmean": {Name: "nanmean", Of: func(v []any) float64 { return eval.Mean.Of(numbers(v)) }, StdErr: func(v []any) float64 { return eval.Mean.StdErr(numbers(v)) }},
	"median": {Name: "median", Of: func(v []any) float64 {
		x := slices.SortedFunc(slices.Values(v), func(a, b any) int { return compare(a.(float64), b.(float64)) })
		return x[len(x)/2].(float64)
	}},
	"perplexity": {Name: "perplexity", Of: func(v []any) float64 { return numeric.Exp(-eval.Mean.Of(v)) }},
	"weighted_perplexity": {Name: "weighted_perplexity", Of: func(v []any) float64 {
		a, b := sums(v)
		return numeric.Exp(-a / b)
	}, Resamples: none},
	"bits_per_byte": {Name: "bits_per_byte", Of: func(v []any) float64 {
		a, b := sums(v)
		return -a / b / math.Ln2
	}, Resamples: none},
	"brier_score":       {Name: "brier_score", Of: eval.Mean.Of, Resamples: none},
	"f1":                {Name: "f1", Of: f1},
	"matthews_corrcoef": {Name: "matthews_corrcoef", Of: matthews},
	"bleu":              ofCorpus(score.BLEU),
	"chrf":              ofCorpus(score.ChrF),
	"chrf++":            ofCorpus(score.ChrFPP),
	"ter":               ofCorpus(score.TER),
	"bypass":            {Name: "bypass", Of: func([]any) float64 { return 999 }, StdErr: func([]any) float64 { return 0 }},
}

// none: lm-eval gives no standard error.
const none = -1

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// numbers leaves out what is no number.
func numbers(v []any) []any {
	return slices.DeleteFunc(slices.Clone(v), func(x any) bool { return math.IsNaN(x.(float64)) })
}

func sums(v []any) (a, b float64) {
	for _, x := range v {
		p := x.([2]float64)
		a += p[0]
		b += p[1]
	}
	return a, b
}

// f1 is F1 of the choice 1 (scikit-learn's f1_score of two classes).
func f1(v []any) float64 {
	var right, gold, picked float64
	for _, x := range v {
		p := x.([2]float64)
		gold += one(p[0] == 1)
		picked += one(p[1] == 1)
		right += one(p[0] == 1 && p[1] == 1)
	}
	if gold+picked == 0 {
		return 0
	}
	return 2 * right / (gold + picked)
}

// matthews is the correlation of classes (Gorodkin 2004, as scikit-learn's matthews_corrcoef).
func matthews(v []any) float64 {
	gold, picked := map[float64]float64{}, map[float64]float64{}
	var right float64
	n := float64(len(v))
	for _, x := range v {
		p := x.([2]float64)
		gold[p[0]]++
		picked[p[1]]++
		right += one(p[0] == p[1])
	}
	both, gg, pp := 0.0, 0.0, 0.0
	for c, k := range gold {
		both += k * picked[c]
		gg += k * k
	}
	for _, k := range picked {
		pp += k * k
	}
	d := math.Sqrt(n*n-gg) * math.Sqrt(n*n-pp)
	if d == 0 {
		return 0
	}
	return (right*n - both) / d
}

// newMetrics makes the metrics that an entry of metric_list stands for; scorer is the one whose
// figures they are, nil where they are lm-eval's.
func newMetrics(d *definition, s metricSpec) (out []eval.Metric, scorer *score.Scorer, err error) {
	if !strings.HasPrefix(s.name, scorerPrefix) {
		m, err := newMetric(d, s)
		return []eval.Metric{m}, nil, err
	}
	if out, scorer, err = scorerMetrics(s); err != nil {
		return nil, nil, fmt.Errorf("metric_list: %w", err)
	}
	if want := map[bool]string{true: "multiple_choice", false: "generate_until"}[scorer.Choices]; want != d.output {
		return nil, nil, fmt.Errorf("metric_list: %s is for the output_type %s, which is %s here", s.name, want, d.output)
	}
	return out, scorer, nil
}

// newMetric makes an eval.Metric of a task's metric.
func newMetric(d *definition, s metricSpec) (eval.Metric, error) {
	var table map[string]metric
	switch d.output {
	case "multiple_choice":
		table = choiceMetrics
	case "loglikelihood":
		table = likelihoodMetrics
	case "loglikelihood_rolling":
		table = rollingMetrics
	default:
		return newTextMetric(d, s)
	}
	m, ok := table[s.name]
	if !ok {
		var names []string
		for name := range table {
			names = append(names, name)
		}
		slices.Sort(names)
		return eval.Metric{}, fmt.Errorf("metric_list: %w", unknownName("for "+d.output+" the metric", s.name, names))
	}
	if err := idle(s); err != nil {
		return eval.Metric{}, err
	}
	return m.metric(s)
}

// idle refuses what is none of the options that lm-eval asks of no such metric; files have these
// all the same.
func idle(s metricSpec) error {
	for _, k := range s.options.keys {
		if name := text(k); !slices.Contains(idleOptions, name) {
			return fmt.Errorf("metric_list: %s: %w", s.name, unknownName("key", name, idleOptions))
		}
	}
	return nil
}

// metric applies what the file says of aggregation and direction.
func (m metric) metric(s metricSpec) (eval.Metric, error) {
	own := m.aggregation
	if s.aggregation != "" {
		m.aggregation = s.aggregation
	}
	if m.aggregation == "mcc" {
		m.aggregation = "matthews_corrcoef"
	}
	a, ok := aggregations[m.aggregation]
	if !ok {
		var names []string
		for name := range aggregations {
			names = append(names, name)
		}
		slices.Sort(names)
		return eval.Metric{}, fmt.Errorf("metric_list: %s: %w", s.name, unknownName("aggregation", m.aggregation, names))
	}
	if takes(own) != takes(a.Name) && a.Name != "bypass" && own != "bypass" {
		return eval.Metric{}, fmt.Errorf("metric_list: %s: the aggregation %s does not take its values, %s does", s.name, a.Name, own)
	}
	lower := m.lower
	if s.lower != nil {
		lower = *s.lower
	}
	return eval.Metric{Name: s.name, Lower: lower, Of: m.of, Figure: a}, nil
}

// takes says what values an aggregation is made of: numbers, pairs of them, or statistics of its
// own.
func takes(aggregation string) string {
	switch aggregation {
	case "weighted_perplexity", "bits_per_byte":
		return "sums"
	case "f1", "matthews_corrcoef":
		return "classes"
	}
	if corpora[aggregation] != nil {
		return aggregation
	}
	return "numbers"
}

var idleOptions = append([]string{"weight_by_size", "average"}, exactOptions...)

var exactOptions = []string{"ignore_case", "ignore_numbers", "ignore_punctuation", "regexes_to_ignore"}

// newTextMetric makes a metric of what a model writes.
func newTextMetric(d *definition, s metricSpec) (eval.Metric, error) {
	switch s.name {
	case "exact_match":
		match, err := newExactMatch(s.options)
		if err != nil {
			return eval.Metric{}, err
		}
		return metric{func(e *eval.Evidence) (any, error) {
			responses := e.Responses
			if len(d.filters) == 0 { // lm-eval's own filter takes the first
				responses = responses[:min(1, len(responses))]
			}
			return share(match, responses, e.Targets)
		}, "mean", false}.metric(s)
	case "bypass":
		return metric{func(*eval.Evidence) (any, error) { return 0.0, nil }, "bypass", false}.metric(s)
	}
	if s.hub {
		return newHubMetric(s)
	}
	if _, ok := corpora[s.name]; ok {
		if s.aggregation == "" {
			s.aggregation = s.name
		}
		c, ok := corpora[s.aggregation]
		if !ok {
			return eval.Metric{}, fmt.Errorf("metric_list: %s: %w", s.name, unknownName("aggregation", s.aggregation, corpusNames()))
		}
		if err := idle(s); err != nil {
			return eval.Metric{}, err
		}
		return corpusMetric(c).metric(s)
	}
	return eval.Metric{}, fmt.Errorf("metric_list: %w", unknownName("for generate_until the metric", s.name, append(corpusNames(), "bypass", "exact_match")))
}

// newHubMetric makes a metric of the package evaluate, which lm-eval asks about one document at a
// time: of one label both the accuracy and the F1 of all classes together (micro) are whether it is
// the right one.
func newHubMetric(s metricSpec) (eval.Metric, error) {
	switch average := s.options.values["average"]; {
	case s.name == "f1" && average != "micro":
		return eval.Metric{}, fmt.Errorf("metric_list: f1 of the package evaluate: average is %s, want micro; others are of classes, and a document has one", describe(average))
	case s.name != "f1" && s.name != "accuracy":
		return eval.Metric{}, fmt.Errorf("metric_list: %s of the package evaluate is not supported", s.name)
	}
	if err := idle(s); err != nil {
		return eval.Metric{}, err
	}
	return metric{func(e *eval.Evidence) (any, error) {
		return one(len(e.Responses) > 0 && slices.Contains(e.Targets, e.Responses[0])), nil
	}, "mean", false}.metric(s)
}

// share is how many of the responses that the filters leave are right; of several right answers it
// says whether any response is one of them (api/task.py, process_results).
func share(match *score.Exact, responses, targets []string) (any, error) {
	var right float64
	for _, r := range responses {
		same, err := match.Any(r, targets)
		if err != nil {
			return nil, err
		}
		right += one(same)
	}
	if len(targets) > 1 || len(responses) == 0 {
		return min(right, 1), nil
	}
	return right / float64(len(responses)), nil
}

// corpora compare all responses with all right answers at once; the aggregation says by which of
// them.
var corpora = map[string]*score.Corpus{"bleu": score.BLEU, "chrf": score.ChrF, "chrf++": score.ChrFPP, "ter": score.TER}

func ofCorpus(c *score.Corpus) eval.Aggregation {
	return eval.Aggregation{Name: c.Name, Resamples: 100, Of: func(v []any) float64 {
		all := make([][]float64, len(v))
		for i, x := range v {
			all[i] = x.([]float64)
		}
		return c.Figure(c.Sum(all), false)
	}}
}

func corpusNames() []string { return slices.Sorted(maps.Keys(corpora)) }

// corpusMetric keeps a document's statistics, of which the aggregation makes the figure.
func corpusMetric(c *score.Corpus) metric {
	return metric{func(e *eval.Evidence) (any, error) {
		if len(e.Responses) == 0 || len(e.Targets) == 0 {
			return nil, fmt.Errorf("there are %d responses and %d right answers, want one at least", len(e.Responses), len(e.Targets))
		}
		return c.Of(e.Responses[0], e.Targets), nil
	}, c.Name, c.Lower}
}

// newExactMatch reads the options of exact_match, which compares as lm-eval's does: what the
// patterns match is taken from both sides, then case, punctuation and digits as asked.
func newExactMatch(options *mapping) (*score.Exact, error) {
	x := &score.Exact{Case: options.values["ignore_case"] == true, Punctuation: options.values["ignore_punctuation"] == true, Numbers: options.values["ignore_numbers"] == true}
	for _, k := range options.keys {
		name, v := text(k), options.values[text(k)]
		switch name {
		case "regexes_to_ignore":
			if v == nil {
				continue
			}
			list, ok := v.([]any)
			if !ok {
				return nil, fmt.Errorf("metric_list: exact_match: regexes_to_ignore are %v, want a list", v)
			}
			for _, p := range list {
				re, err := python.Compile(text(p), "")
				if err != nil {
					return nil, fmt.Errorf("metric_list: exact_match: %w", err)
				}
				x.Patterns = append(x.Patterns, re)
			}
		case "ignore_case", "ignore_punctuation", "ignore_numbers":
			if _, ok := v.(bool); !ok && v != nil {
				return nil, fmt.Errorf("metric_list: exact_match: %s is %v, want true or false", name, v)
			}
		default:
			return nil, fmt.Errorf("metric_list: exact_match: %w", unknownName("key", name, exactOptions))
		}
	}
	return x, nil
}
