package rollout

import (
	"context"
	"fmt"

	"olmo/numeric"
	"olmo/train"
)

// HeldOut are prompts on which no step trains.
type HeldOut struct {
	Prompts []train.Prompt // Row counts through them
	Tasks   []Task         // of each
	Samples int            // answers to each
	Length  int            // tokens of an answer at most
	Solved  float64        // from this reward on an answer is right, for pass@k
}

// longest is the length of the longest prompt with its answer.
func (h *HeldOut) longest() (n int) {
	for _, p := range h.Prompts {
		n = max(n, len(p.IDs)+h.Length)
	}
	return n
}

// Evaluate answers the held-out prompts, each time with the same random numbers, and has the answers
// judged. It is what a trainer wants as train.Options.Evaluate.
//
// Names are open-instruct's (e6c3044, grpo_utils.py, maybe_evaluate), below eval/heldout as those of the other stages.
func (r *Rollouts) Evaluate(ctx context.Context, t *train.Trainer) (map[string]float64, error) {
	h := r.HeldOut
	answers, err := r.sample(ctx, t, h.Prompts, sampling{"held-out rollout", 0, h.Samples, h.Length, h.Tasks})
	if err != nil {
		return nil, fmt.Errorf("judging held-out prompts: %w", err)
	}
	var scores, verified, length, stopped float64
	right := make([]int, len(h.Prompts))
	for i, a := range answers {
		scores += a.Score
		verified += a.Verified
		length += float64(len(a.IDs))
		if a.Stopped {
			stopped++
		}
		if a.Score >= h.Solved-1e-8 {
			right[i/h.Samples]++
		}
	}
	n := float64(len(answers))
	figures := map[string]float64{
		"eval/heldout/scores": scores / n, "eval/heldout/objective/verifiable_correct_rate": verified / n,
		"eval/heldout/sequence_lengths": length / n, "eval/heldout/stop_rate": stopped / n,
	}
	pass := func(k int) float64 {
		sum := 0.0
		for _, c := range right {
			sum += passAt(k, h.Samples, c)
		}
		return sum / float64(len(right))
	}
	figures["eval/heldout/pass_at_1"], figures[fmt.Sprintf("eval/heldout/pass_at_%d", h.Samples)] = pass(1), pass(h.Samples)
	for k := 1; k <= h.Samples; k *= 2 {
		figures[fmt.Sprintf("eval/heldout/pass_at_%d_unbiased", k)] = pass(k)
	}
	return figures, nil
}

// passAt is the probability that of k of n answers, of which c are right, at least one is right.
//
// Chen et al. 2021, "Evaluating Large Language Models Trained on Code", eq. 1.
func passAt(k, n, c int) float64 {
	if n-c < k {
		return 1
	}
	wrong := 0.0 // the logarithm of the probability that none is
	for i := n - c + 1; i <= n; i++ {
		wrong += numeric.Log(1 - float64(k)/float64(i))
	}
	return 1 - numeric.Exp(wrong)
}
