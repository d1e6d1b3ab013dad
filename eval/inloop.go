package eval

import (
	"math"
	"slices"
	"unicode/utf8"

	"olmo/numeric"
)

// ChoiceScore holds the figures of OLMo's in-loop evaluation: means over the questions of a
// task. Characters and bytes are counted with the continuation's leading space, as OLMES does;
// the figures called v1 leave it out, as ai2-olmo 0.6.0 does.
type ChoiceScore struct {
	Task      string  `json:"task"`
	Metric    string  `json:"metric,omitempty"` // the one that the task is quoted with
	Questions int     `json:"questions"`
	Accuracy  float64 `json:"acc"`         // highest logprob
	LenNorm   float64 `json:"len_norm"`    // highest logprob per character
	LenNormV1 float64 `json:"len_norm_v1"` // the same, v1
	F1        float64 `json:"f1"`          // of the first choice, picked by logprob
	Chance    float64 `json:"chance"`      // expected of a guess
	// Of the right continuations: nats per character, bits per byte.
	CrossEntropy   float64 `json:"ce_loss"`
	CrossEntropyV1 float64 `json:"ce_loss_v1"`
	BPB            float64 `json:"bpb"`
	BPBV1          float64 `json:"bpb_v1"`
	// The probability of the right choice, and its logarithm, when the choices'
	// logprobs, or logprobs per character, are logits.
	Soft           float64 `json:"soft"`
	SoftLog        float64 `json:"soft_log"`
	SoftLenNorm    float64 `json:"soft_len_norm"`
	SoftLogLenNorm float64 `json:"soft_log_len_norm"`
	// The same per character, v1.
	SoftLenNormV1    float64 `json:"soft_len_norm_v1"`
	SoftLogLenNormV1 float64 `json:"soft_log_len_norm_v1"`
}

// The figures that in-loop tasks are quoted with.
const (
	Accuracy     = "acc"
	LenNorm      = "len_norm"
	F1           = "f1"
	CrossEntropy = "ce_loss"
	BPB          = "bpb"
)

// perChar and perByte divide the log-probability of a choice by its length without the first
// cut characters.
func perChar(e *Evidence, choice, cut int) float64 {
	n := utf8.RuneCountInString(e.Requests[choice].Continuation)
	return e.Answers[choice].Logprob / float64(max(n-cut, 1))
}

func perByte(e *Evidence, choice, cut int) float64 {
	return e.Answers[choice].Logprob / float64(max(len(e.Requests[choice].Continuation)-cut, 1))
}

func raw(e *Evidence, choice int) float64 { return e.Answers[choice].Logprob }

// picks makes a value of whether the choice with the best score is right.
func picks(score func(e *Evidence, choice int) float64) func(e *Evidence) (any, error) {
	return func(e *Evidence) (any, error) {
		return number(slices.Contains(e.Gold, best(len(e.Choices), func(i int) float64 { return score(e, i) }))), nil
	}
}

// ofGold makes a value of the right choice.
func ofGold(value func(e *Evidence, gold int) float64) func(e *Evidence) (any, error) {
	return func(e *Evidence) (any, error) { return value(e, e.Gold[0]), nil }
}

// inLoop are the figures of ai2-olmo-eval 0.9.0 (metrics.py, ICLMetric) and, called v1, of ai2-olmo
// 0.6.0 (olmo/eval/downstream.py).
var inLoop = []Metric{
	{Name: Accuracy, Of: picks(raw)},
	{Name: LenNorm, Of: picks(func(e *Evidence, i int) float64 { return perChar(e, i, 0) })},
	{Name: "len_norm_v1", Of: picks(func(e *Evidence, i int) float64 { return perChar(e, i, 1) })},
	{Name: F1, Of: firstChoice, Figure: Aggregation{Name: "f1", Of: f1OfFirst}},
	{Name: CrossEntropy, Lower: true, Of: ofGold(func(e *Evidence, g int) float64 { return -perChar(e, g, 0) })},
	{Name: "ce_loss_v1", Lower: true, Of: ofGold(func(e *Evidence, g int) float64 { return -perChar(e, g, 1) })},
	{Name: BPB, Lower: true, Of: ofGold(func(e *Evidence, g int) float64 { return -perByte(e, g, 0) / math.Ln2 })},
	{Name: "bpb_v1", Lower: true, Of: ofGold(func(e *Evidence, g int) float64 { return -perByte(e, g, 1) / math.Ln2 })},
	{Name: "soft", Of: ofGold(func(e *Evidence, g int) float64 { return numeric.Exp(softLog(e, g, raw)) })},
	{Name: "soft_log", Of: ofGold(func(e *Evidence, g int) float64 { return softLog(e, g, raw) })},
	{Name: "soft_len_norm", Of: ofGold(func(e *Evidence, g int) float64 { return numeric.Exp(softLog(e, g, charNorm)) })},
	{Name: "soft_log_len_norm", Of: ofGold(func(e *Evidence, g int) float64 { return softLog(e, g, charNorm) })},
	{Name: "soft_len_norm_v1", Of: ofGold(func(e *Evidence, g int) float64 { return numeric.Exp(softLog(e, g, charNormV1)) })},
	{Name: "soft_log_len_norm_v1", Of: ofGold(func(e *Evidence, g int) float64 { return softLog(e, g, charNormV1) })},
}

func charNorm(e *Evidence, choice int) float64   { return perChar(e, choice, 0) }
func charNormV1(e *Evidence, choice int) float64 { return perChar(e, choice, 1) }

// firstChoice is [picked, right], each 1 when it is the first choice: "yes" of questions
// with two.
func firstChoice(e *Evidence) (any, error) {
	picked := best(len(e.Choices), func(i int) float64 { return raw(e, i) })
	return [2]float64{number(picked == 0), number(e.Gold[0] == 0)}, nil
}

// f1OfFirst is F1 with the first choice as the positive class.
func f1OfFirst(values []any) float64 {
	var sum, both float64
	for _, v := range values {
		p := v.([2]float64)
		sum += p[0] + p[1]
		both += float64(p[0] * p[1])
	}
	if sum == 0 {
		return 0
	}
	return 2 * both / sum
}

// softLog is the logarithm of a choice's probability when scores are logits.
func softLog(e *Evidence, choice int, score func(e *Evidence, i int) float64) float64 {
	n := len(e.Choices)
	top := score(e, best(n, func(i int) float64 { return score(e, i) }))
	var sum float64
	for i := range n {
		sum += numeric.Exp(score(e, i) - top)
	}
	return score(e, choice) - top - numeric.Log(sum)
}
