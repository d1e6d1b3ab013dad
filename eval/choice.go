package eval

import (
	"context"
	"unicode/utf8"
)

// Question is one item of a multiple-choice task.
type Question struct {
	ID      string
	Context string   // the prompt
	Choices []string // the continuations, with their leading space
	Gold    int
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
	Picked  bool    `json:"picked"`     // has the highest logprob of its question
}

// ChoiceScore is the result of a task.
type ChoiceScore struct {
	Task      string  `json:"task"`
	Questions int     `json:"questions"`
	Accuracy  float64 `json:"acc"`      // highest logprob
	LenNorm   float64 `json:"len_norm"` // highest logprob per character
	Chance    float64 `json:"chance"`   // expected of a guess
}

// Choose scores a multiple-choice task: the sum of the log-probabilities of each
// continuation after the context, which are encoded apart; context is cut from the left
// to the model's positions. Ties go to the first choice.
//
// As ai2-olmo's in-loop evaluation (olmo/eval/downstream.py, ICLMultiChoiceTaskDataset).
func Choose(ctx context.Context, s *Scorer, enc Encoder, positions int, task string, questions []Question, each func(Request) error) (ChoiceScore, error) {
	score := ChoiceScore{Task: task, Questions: len(questions)}
	const group = 64
	for begin := 0; begin < len(questions); begin += group {
		part := questions[begin:min(len(questions), begin+group)]
		var requests []Request
		var sequences []Sequence
		for _, q := range part {
			prompt := enc.AppendEncode(nil, q.Context)
			for i, c := range q.Choices {
				cont := enc.AppendEncode(nil, c)
				ids := append(append([]int32(nil), prompt...), cont...)
				query := ids[:len(ids)-1]
				targets := make([]int32, len(query))
				for j := range targets {
					targets[j] = -1
					if j >= len(prompt)-1 {
						targets[j] = ids[j+1]
					}
				}
				if cut := len(query) - positions; cut > 0 {
					query, targets = query[cut:], targets[cut:]
				}
				sequences = append(sequences, Sequence{query, targets})
				requests = append(requests, Request{
					Task: task, DocID: q.ID, Choice: i, Gold: i == q.Gold, Context: q.Context, Text: c, IDs: ids,
					Length: len(cont), Chars: utf8.RuneCountInString(c),
				})
			}
		}
		err := s.Score(ctx, sequences, func(i int, nats []float32) {
			for _, v := range nats {
				requests[i].Logprob -= float64(v)
			}
		})
		if err != nil {
			return score, err
		}
		for r, q := 0, 0; q < len(part); q++ {
			n := len(part[q].Choices)
			best, bestNorm := 0, 0
			norm := func(i int) float64 { return requests[r+i].Logprob / float64(requests[r+i].Chars) }
			for i := range n {
				if requests[r+i].Logprob > requests[r+best].Logprob {
					best = i
				}
				if norm(i) > norm(bestNorm) {
					bestNorm = i
				}
			}
			requests[r+best].Picked = true
			if best == part[q].Gold {
				score.Accuracy++
			}
			if bestNorm == part[q].Gold {
				score.LenNorm++
			}
			score.Chance += 1 / float64(n)
			r += n
		}
		for _, r := range requests {
			if err := each(r); err != nil {
				return score, err
			}
		}
	}
	if n := float64(len(questions)); n > 0 {
		score.Accuracy, score.LenNorm, score.Chance = score.Accuracy/n, score.LenNorm/n, score.Chance/n
	}
	return score, nil
}
