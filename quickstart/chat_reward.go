package quickstart

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"olmo/adapt"
	"olmo/eval/score"
	"olmo/generate"
	"olmo/lm"
	"olmo/numeric"
)

// ChatReward is what sampled answers to prompts that no stage trained on are worth.
type ChatReward struct {
	Reward  float64 `json:"reward"`  // mean over samples, 0 to 1
	Samples int     `json:"samples"` // at temperature 1
	Prompts int     `json:"prompts"`
	// Verifiers and Tasks have the mean rewards apart.
	Verifiers map[string]float64 `json:"verifiers"`
	Tasks     map[string]float64 `json:"tasks"`
}

const (
	chatTemplate = "tulu"
	chatAnswer   = 48 // tokens of an answer, at most
)

// sampled is an answer with its reward.
type sampled struct {
	Text   string
	Reward float64
}

// sampleAnswers draws so many answers to each prompt. They do not depend on the other prompts.
func sampleAnswers(ctx context.Context, path string, rows []chatRow, each int, s generate.Sampling, note func(done int)) ([][]sampled, error) {
	m, err := lm.Open(path, lm.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	t, err := adapt.Template(chatTemplate, path, false)
	if err != nil {
		return nil, err
	}
	out := make([][]sampled, len(rows))
	rewards := make([]*score.Rewards, len(rows))
	var requests []lm.Request
	set, seeds := score.BuiltIn(), numeric.NewStream(s.Seed, "answers")
	for i, r := range rows {
		truth, err := json.Marshal(r.Truth)
		if err != nil {
			return nil, err
		}
		if rewards[i], err = set.Rewards([]string{r.Verifier}, []json.RawMessage{truth}); err != nil {
			return nil, err
		}
		text, err := t.Prompt(r.Messages)
		if err != nil {
			return nil, err
		}
		ids, err := m.Tokenizer.AppendEncode(nil, text)
		if err != nil {
			return nil, err
		}
		for k := range each {
			s.Seed = seeds.Bits(uint64(i), uint64(k))
			requests = append(requests, lm.Request{Prompt: ids, MaxTokens: chatAnswer, Stop: m.Stop, Sampling: s})
		}
		out[i] = make([]sampled, each)
	}
	done := 0
	err = m.Writer(lm.WriterOptions{}).Write(ctx, requests, func(n int, a lm.Answer) error {
		i, k := n/each, n%each
		got, err := rewards[i].Score(ctx, &score.Attempted{Text: a.Text, IDs: a.IDs})
		if err != nil {
			return fmt.Errorf("an answer to %q: %w", rows[i].Messages[0].Content, err)
		}
		out[i][k] = sampled{a.Text, got.Sum}
		done++
		note(done)
		return nil
	})
	return out, err
}

// chatReward measures a model on the prompts that are held out.
func (q *quick) chatReward(ctx context.Context, path, stage string, each int) (ChatReward, error) {
	rows, err := q.readRows(chatUnseen)
	if err != nil {
		return ChatReward{}, err
	}
	answers, err := sampleAnswers(ctx, path, rows, each, generate.Sampling{Temperature: 1, Seed: chatSeed}, func(done int) {
		q.Progress(Progress{Stage: stage, Done: float64(done), Total: float64(each * len(rows)), Unit: "answers", Note: "reward on unseen prompts"})
	})
	if err != nil {
		return ChatReward{}, err
	}
	return rewardOf(rows, answers), nil
}

// rewardOf takes the means of sampled answers.
func rewardOf(rows []chatRow, answers [][]sampled) ChatReward {
	r := ChatReward{Prompts: len(rows), Verifiers: map[string]float64{}, Tasks: map[string]float64{}}
	verifiers, kinds := map[string]int{}, map[string]int{}
	for i, row := range rows {
		for _, a := range answers[i] {
			r.Reward += a.Reward
			r.Verifiers[row.Verifier] += a.Reward
			r.Tasks[row.Task] += a.Reward
			r.Samples++
			verifiers[row.Verifier]++
			kinds[row.Task]++
		}
	}
	r.Reward /= float64(max(r.Samples, 1))
	for name, n := range verifiers {
		r.Verifiers[name] /= float64(n)
	}
	for name, n := range kinds {
		r.Tasks[name] /= float64(n)
	}
	return r
}

// dialogueKinds are the kinds of exercises whose first held-out question is shown.
var dialogueKinds = []string{"documentation", "reverse", "object"}

// dialogues asks a model some questions that no stage trained on, and takes the most probable answers.
func (q *quick) dialogues(ctx context.Context, path string) ([]Dialogue, error) {
	rows, err := q.readRows(chatUnseen)
	if err != nil {
		return nil, err
	}
	var asked []chatRow
	for _, kind := range append(dialogueKinds, "first", "capitals", "largest") {
		i := slices.IndexFunc(rows, func(r chatRow) bool { return r.Task == kind })
		if i >= 0 && len(asked) < len(dialogueKinds) {
			asked = append(asked, rows[i])
		}
	}
	answers, err := sampleAnswers(ctx, path, asked, 1, generate.Sampling{}, func(int) {})
	if err != nil {
		return nil, err
	}
	var out []Dialogue
	for i, r := range asked {
		out = append(out, Dialogue{r.Messages[0].Content, answers[i][0].Text, answers[i][0].Reward})
	}
	return out, nil
}
