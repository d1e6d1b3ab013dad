package olmes

import (
	"math"
	"slices"
	"unicode/utf8"

	"olmo/eval"
	"olmo/numeric"
)

// The figures that tasks are quoted with.
const (
	accRaw      = "acc_raw"
	accPerToken = "acc_per_token"
	accPerChar  = "acc_per_char"
	accUncond   = "acc_uncond"
	bitsPerByte = "bits_per_byte_corr"
)

// bitsOfNat is log2(e) in as many digits as oe-eval writes.
const bitsOfNat = 1.44269504089

// norm is a way to account for the length of a continuation: what a sum of logarithms is divided
// by. Characters and bytes are counted with the leading space.
type norm struct {
	suffix string
	length func(e *eval.Evidence, i int) int
}

var norms = []norm{
	{"", func(*eval.Evidence, int) int { return 1 }},
	{"_per_token", func(e *eval.Evidence, i int) int { return e.Answers[i].Tokens }},
	{"_per_char", func(e *eval.Evidence, i int) int { return utf8.RuneCountInString(e.Requests[i].Continuation) }},
	{"_per_byte", func(e *eval.Evidence, i int) int { return len(e.Requests[i].Continuation) }},
}

// score is the logarithm of a choice's probability, by length.
func (n *norm) score(e *eval.Evidence, i int) float64 {
	return e.Answers[i].Logprob / float64(max(n.length(e, i), 1))
}

// scores are those of all choices.
func (n *norm) scores(e *eval.Evidence) []float64 {
	out := make([]float64, len(e.Choices))
	for i := range out {
		out[i] = n.score(e, i)
	}
	return out
}

// metrics are the figures of multiple choice, as oe-eval's MCAccuracy has them (metrics/metric.py),
// and those of probabilities that are published beside them (Magnusson et al. 2025, DataDecide):
// the probability of the right choice, less that of the best wrong one (margin), of all choices
// together (total_prob), and its share in that (norm_correct_prob). predicted_index_* are of
// documents alone.
func metrics(primary string, unconditional bool) []eval.Metric {
	return primarily(primary, append(choiceMetrics(unconditional), rightMetrics()...))
}

// choiceMetrics compare the choices.
func choiceMetrics(unconditional bool) []eval.Metric {
	var out []eval.Metric
	add := func(name string, of func(e *eval.Evidence) float64) {
		out = append(out, eval.Metric{Name: name, Of: func(e *eval.Evidence) (any, error) { return of(e), nil }})
	}
	pick := func(suffix string, best func(e *eval.Evidence) int) {
		value := func(of func(picked, gold int) float64) func(e *eval.Evidence) (any, error) {
			return func(e *eval.Evidence) (any, error) {
				if i := best(e); i >= 0 {
					return of(i, e.Gold[0]), nil
				}
				return nil, nil
			}
		}
		out = append(out, eval.Metric{Name: "acc" + suffix, Of: value(func(picked, gold int) float64 {
			if picked == gold {
				return 1
			}
			return 0
		})}, eval.Metric{Name: "predicted_index" + suffix, Figure: eval.NoFigure, Of: value(func(picked, _ int) float64 { return float64(picked) })})
	}
	for _, n := range norms {
		raw := n.suffix
		if raw == "" {
			raw = "_raw"
		}
		pick(raw, func(e *eval.Evidence) int { return largest(n.scores(e)) })
	}
	if unconditional {
		pick("_uncond", func(e *eval.Evidence) int {
			if len(e.Answers) < 2*len(e.Choices) {
				return -1 // stored requests without them
			}
			scores := make([]float64, len(e.Choices))
			for i := range scores {
				scores[i] = e.Answers[i].Logprob - e.Answers[len(scores)+i].Logprob
			}
			return largest(scores)
		})
	}
	for _, n := range norms {
		add("margin"+n.suffix, func(e *eval.Evidence) float64 { return margin(n.scores(e), e.Gold[0]) })
		add("total_prob"+n.suffix, func(e *eval.Evidence) float64 { return numeric.Exp(logSum(n.scores(e))) })
		add("norm_correct_prob"+n.suffix, func(e *eval.Evidence) float64 {
			return numeric.Exp(n.score(e, e.Gold[0]) - logSum(n.scores(e)))
		})
	}
	return out
}

// rightMetrics measure the right choice alone.
func rightMetrics() []eval.Metric {
	var out []eval.Metric
	add := func(name string, of func(e *eval.Evidence) float64) {
		out = append(out, eval.Metric{Name: name, Of: func(e *eval.Evidence) (any, error) { return of(e), nil }})
	}
	perByte := norms[len(norms)-1]
	for _, n := range norms {
		switch n.suffix {
		case perByte.suffix:
		case "":
			add("sum_logits_corr", func(e *eval.Evidence) float64 { return n.score(e, e.Gold[0]) })
		default:
			add("logits"+n.suffix+"_corr", func(e *eval.Evidence) float64 { return n.score(e, e.Gold[0]) })
		}
		add("correct_prob"+n.suffix, func(e *eval.Evidence) float64 { return numeric.Exp(n.score(e, e.Gold[0])) })
	}
	// By bytes oe-eval has bits, not nats, and without their sign, under both of its names: the
	// earlier one is logits_per_byte.
	for _, name := range []string{"logits_per_byte_corr", bitsPerByte} {
		add(name, func(e *eval.Evidence) float64 { return -bitsOfNat * perByte.score(e, e.Gold[0]) })
		out[len(out)-1].Lower = true
	}
	return out
}

// primarily adds the figure that the task is quoted with once more, as primary_score.
func primarily(primary string, out []eval.Metric) []eval.Metric {
	for _, m := range out {
		if m.Name == primary {
			m.Name = "primary_score"
			return append(out, m)
		}
	}
	panic("olmes: no figure is called " + primary)
}

// largest is the place of the highest score, the first of equals.
func largest(scores []float64) int { return slices.Index(scores, slices.Max(scores)) }

// margin is the probability of the right choice less that of the best wrong one.
func margin(scores []float64, gold int) float64 {
	wrong := math.Inf(-1)
	for i, s := range scores {
		if i != gold {
			wrong = max(wrong, s)
		}
	}
	return numeric.Exp(scores[gold]) - numeric.Exp(wrong)
}

// logSum is the logarithm of a sum of probabilities.
func logSum(scores []float64) float64 {
	top := slices.Max(scores)
	var sum float64
	for _, s := range scores {
		sum += numeric.Exp(s - top)
	}
	return top + numeric.Log(sum)
}
