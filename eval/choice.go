package eval

import (
	"context"
	"errors"
	"math"
	"slices"
	"unicode/utf8"

	"olmo/lm"
)

// ErrNotFinite is returned when a model's probabilities are not numbers.
var ErrNotFinite = errors.New("the model gives no probabilities: its logits are not numbers\nhint: the weights are damaged, or training diverged")

// Question is one item of a multiple-choice task.
type Question struct {
	ID       string
	Context  string   // the prompt
	Contexts []string // a prompt for each choice, where they differ; nil: Context
	Choices  []string // the continuations, with their leading space
	Gold     int
}

func (q *Question) context(choice int) string {
	if q.Contexts != nil {
		return q.Contexts[choice]
	}
	return q.Context
}

// Request is one scored continuation, as it is kept on file.
type Request struct {
	Task    string  `json:"task"`
	DocID   string  `json:"doc_id"`
	Choice  int     `json:"choice"`
	Gold    bool    `json:"gold"`
	Context string  `json:"context"`
	Text    string  `json:"continuation"`
	IDs     []int32 `json:"ids"`        // context and continuation
	Length  int     `json:"num_tokens"` // of the continuation
	Logprob float64 `json:"logprob"`    // nats, of the continuation
	Chars   int     `json:"num_chars"`  // of the continuation, its space included
	Bytes   int     `json:"num_bytes"`  // the same, as UTF-8
	Picked  bool    `json:"picked"`     // has the highest logprob of its question
}

// ChoiceScore is the result of a task: means over its questions. Characters and
// bytes are counted with the continuation's leading space, as OLMES does; the figures
// called v1 leave it out, as ai2-olmo 0.6.0 does.
type ChoiceScore struct {
	Task      string  `json:"task"`
	Metric    Metric  `json:"metric,omitempty"` // the one that the task is quoted with
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

	positive, picked, both int // right answers that are the first choice; picks of it; both
}

// Value returns the figure of a metric.
func (s *ChoiceScore) Value(m Metric) float64 {
	switch m {
	case LenNorm:
		return s.LenNorm
	case F1:
		return s.F1
	case CrossEntropy:
		return s.CrossEntropy
	case BPB:
		return s.BPB
	}
	return s.Accuracy
}

// Choose scores a multiple-choice task: the sum of the log-probabilities of each
// continuation after its context, which are encoded apart; context is cut from the
// left to the model's positions. Ties go to the first choice.
//
// As ai2-olmo's in-loop evaluation (olmo/eval/downstream.py, ICLMultiChoiceTaskDataset).
func Choose(ctx context.Context, s *lm.Scorer, enc Encoder, positions int, task string, questions []Question, each func(Request) error) (ChoiceScore, error) {
	score := ChoiceScore{Task: task, Questions: len(questions)}
	// So many questions at once keep the passes full; the scores do not depend on it.
	const group = 64
	for begin := 0; begin < len(questions); begin += group {
		part := questions[begin:min(len(questions), begin+group)]
		var requests []Request
		units := make([][]lm.Sequence, len(part))
		for n, q := range part {
			for i := range q.Choices {
				r, sequence := request(enc, max(s.Model().Config.EOS, 0), positions, &q, i)
				r.Task = task
				requests, units[n] = append(requests, r), append(units[n], sequence)
			}
		}
		nats, err := s.Sums(ctx, units)
		if err != nil {
			return score, err
		}
		// Requests stand in the order of the questions' choices, as the sums do.
		for i, v := range slices.Concat(nats...) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return score, ErrNotFinite
			}
			requests[i].Logprob = -v
		}
		left := requests
		for i := range part {
			n := len(part[i].Choices)
			score.add(left[:n], part[i].Gold)
			left = left[n:]
		}
		for _, r := range requests {
			if err := each(r); err != nil {
				return score, err
			}
		}
	}
	score.finish()
	return score, nil
}

// request encodes one choice of a question. eos stands before a text without a context.
func request(enc Encoder, eos int32, positions int, q *Question, choice int) (Request, lm.Sequence) {
	text := q.Choices[choice]
	r := Request{
		DocID: q.ID, Choice: choice, Gold: choice == q.Gold, Context: q.context(choice), Text: text,
		Chars: utf8.RuneCountInString(text), Bytes: len(text),
	}
	r.IDs = enc.AppendEncode(nil, r.Context)
	if len(r.IDs) == 0 {
		r.IDs = append(r.IDs, eos) // something must stand before the first token
	}
	prompt := len(r.IDs)
	r.IDs = enc.AppendEncode(r.IDs, text)
	r.Length = len(r.IDs) - prompt
	// The last token is predicted and predicts nothing. Only the continuation is scored: its
	// first token stands after the last one of the prompt.
	query := r.IDs[:len(r.IDs)-1]
	targets := make([]int32, len(query))
	for j := range targets {
		targets[j] = -1
		if j >= prompt-1 {
			targets[j] = r.IDs[j+1]
		}
	}
	if cut := len(query) - positions; cut > 0 {
		query, targets = query[cut:], targets[cut:]
	}
	return r, lm.Sequence{IDs: query, Targets: targets}
}

// add counts one question, with a request for each choice.
func (s *ChoiceScore) add(choices []Request, gold int) {
	raw := func(r *Request) float64 { return r.Logprob }
	perChar := func(r *Request) float64 { return r.Logprob / float64(max(r.Chars, 1)) }
	perCharV1 := func(r *Request) float64 { return r.Logprob / float64(max(r.Chars-1, 1)) }
	best := bestOf(choices, raw)
	choices[best].Picked = true
	if best == gold {
		s.Accuracy++
	}
	if bestOf(choices, perChar) == gold {
		s.LenNorm++
	}
	if bestOf(choices, perCharV1) == gold {
		s.LenNormV1++
	}
	// F1 is that of the first choice, "yes" of questions with two, as the positive class.
	if gold == 0 {
		s.positive++
	}
	if best == 0 {
		s.picked++
		if gold == 0 {
			s.both++
		}
	}
	s.Chance += 1 / float64(len(choices))
	g := &choices[gold]
	s.CrossEntropy -= perChar(g)
	s.CrossEntropyV1 -= perCharV1(g)
	s.BPB -= g.Logprob / float64(max(g.Bytes, 1)) / math.Ln2
	s.BPBV1 -= g.Logprob / float64(max(g.Bytes-1, 1)) / math.Ln2
	p, log := soft(choices, gold, raw)
	s.Soft, s.SoftLog = s.Soft+p, s.SoftLog+log
	p, log = soft(choices, gold, perChar)
	s.SoftLenNorm, s.SoftLogLenNorm = s.SoftLenNorm+p, s.SoftLogLenNorm+log
}

func (s *ChoiceScore) finish() {
	n := float64(max(s.Questions, 1))
	for _, v := range []*float64{
		&s.Accuracy, &s.LenNorm, &s.LenNormV1, &s.Chance, &s.CrossEntropy, &s.CrossEntropyV1, &s.BPB, &s.BPBV1,
		&s.Soft, &s.SoftLog, &s.SoftLenNorm, &s.SoftLogLenNorm,
	} {
		*v /= n
	}
	if s.positive+s.picked > 0 {
		s.F1 = 2 * float64(s.both) / float64(s.positive+s.picked)
	}
}

// standardError is that of a share of n questions, as a sample of all that could be asked:
// the spread of right and wrong answers, with n−1 as in lm-eval (api/metrics.py,
// sample_stddev), over √n.
func standardError(share float64, n int) float64 {
	return math.Sqrt(share * (1 - share) / float64(max(n-1, 1)))
}

// bestOf returns the choice with the highest score, the first one of equals.
func bestOf(choices []Request, score func(r *Request) float64) int {
	best := 0
	for i := range choices {
		if score(&choices[i]) > score(&choices[best]) {
			best = i
		}
	}
	return best
}

// soft returns the probability of the right choice when scores are logits, and its
// logarithm.
func soft(choices []Request, gold int, score func(r *Request) float64) (p, log float64) {
	top := score(&choices[bestOf(choices, score)])
	var sum float64
	for i := range choices {
		sum += math.Exp(score(&choices[i]) - top)
	}
	log = score(&choices[gold]) - top - math.Log(sum)
	return math.Exp(log), log
}
