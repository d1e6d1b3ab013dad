package quickstart

import (
	"context"
	"strings"

	"olmo/chat"
	"olmo/generate"
)

const (
	pairEach   = 6   // answers of which the best and the worst are a pair
	pairSpread = 0.2 // how much better the best one must be
	fewPairs   = 32  // are a model's that has learned too little
)

// makePairs samples answers of the fine-tuned model, and writes the best and the worst one to each
// prompt as a pair, where they differ. A model that has learned too little to be right now and then
// gets the answers that were written for it, beside its own worst ones.
func (q *quick) makePairs(ctx context.Context, model string, prompts int) (int, error) {
	all, err := q.readRows(chatTraining)
	if err != nil {
		return 0, err
	}
	rows := spread(all, prompts)
	answers, err := sampleAnswers(ctx, model, rows, pairEach, generate.Sampling{Temperature: 1, Seed: chatSeed + 1}, func(done int) {
		q.Progress(Progress{Stage: "chat-pairs", Done: float64(done), Total: float64(pairEach * len(rows)), Unit: "answers"})
	})
	if err != nil {
		return 0, err
	}
	var pairs, written []chatRow
	for i, row := range rows {
		pair := func(chosen, rejected string) chatRow {
			answered := func(text string) []chat.Message {
				return append(row.Messages[:len(row.Messages):len(row.Messages)], chat.Message{Role: chat.Assistant, Content: text})
			}
			return chatRow{Chosen: answered(chosen), Rejected: answered(rejected), Task: row.Task}
		}
		best, worst := bestAndWorst(answers[i])
		if best.Reward-worst.Reward >= pairSpread {
			pairs = append(pairs, pair(best.Text, worst.Text))
		}
		if worst.Text != "" {
			written = append(written, pair(row.Answer, worst.Text))
		}
	}
	if len(pairs) < fewPairs {
		pairs = written
	}
	return len(pairs), q.writeRows(chatPairs, pairs)
}

// bestAndWorst are the first of the best and of the worst answers that say anything.
func bestAndWorst(answers []sampled) (best, worst sampled) {
	first := true
	for _, a := range answers {
		if strings.TrimSpace(a.Text) == "" {
			continue
		}
		if first || a.Reward > best.Reward {
			best = a
		}
		if first || a.Reward < worst.Reward {
			worst = a
		}
		first = false
	}
	return best, worst
}
