package quickstart

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"olmo/adapt"
	"olmo/adapt/sample"
	"olmo/chat"
	"olmo/eval/score"
	"olmo/generate"
	"olmo/lm"
	"olmo/store"
)

const (
	chatAnswer = 48  // tokens of an answer, at most
	pairEach   = 6   // answers of which the best and the worst are a pair
	fewPairs   = 32  // are those of a model that has learned too little
	pairScore  = 0.3 // of a best answer at least: nobody writes a documentation's very words
)

// ChatReward is what sampled answers to questions that no stage trained on are worth.
type ChatReward struct {
	Reward  float64 `json:"reward"`  // mean over samples, 0 to 1
	Samples int     `json:"samples"` // at temperature 1
	Prompts int     `json:"prompts"`
	// Verifiers and Tasks have the mean rewards apart.
	Verifiers map[string]float64 `json:"verifiers"`
	Tasks     map[string]float64 `json:"tasks"`
}

// sampleAnswers has the model below a path answer the prompts of a file at temperature 1. Of the answers
// rows become output, and answers is the file of all, if it is a name.
func (q *quick) sampleAnswers(ctx context.Context, name, path, prompts, output, answers string, o sample.Options) (*sample.Summary, error) {
	m, err := lm.Open(path, lm.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	t, err := adapt.Template(q.chatPath(filepath.FromSlash(chatForm)), path, false)
	if err != nil {
		return nil, err
	}
	o.MaxTokens, o.Sampling.Temperature = chatAnswer, 1
	s := &sample.Sampler{
		Options: o, Model: m, Encoder: &adapt.Encoder{Template: t, Tokenizer: m.Tokenizer}, Verifiers: score.BuiltIn(), Identity: map[string]string{},
		Told: func(done, of int) {
			q.Progress(Progress{Stage: name, Done: float64(done), Total: float64(of), Unit: "prompts"})
		},
	}
	if answers != "" {
		answers = q.chatPath(filepath.FromSlash(answers))
	}
	return s.Run(ctx, q.chatPath(filepath.FromSlash(prompts)), q.chatPath(filepath.FromSlash(output)), answers)
}

// reward measures a model on the prompts that are held out, and keeps the answers.
func (q *quick) reward(ctx context.Context, name, path string, each int) (ChatReward, error) {
	rows, err := q.readRows(chatUnseen)
	if err != nil {
		return ChatReward{}, err
	}
	answers, best := "eval/"+name+".jsonl", "eval/"+name+".best.jsonl"
	o := sample.Options{Completions: each, Choice: sample.Choice{Keep: sample.Best}, Sampling: generate.Sampling{Seed: chatSeed}}
	if _, err := q.sampleAnswers(ctx, "chat-reward-"+name, path, chatUnseen, best, answers, o); err != nil {
		return ChatReward{}, err
	}
	if err := store.Remove(q.chatPath(filepath.FromSlash(best))); err != nil {
		return ChatReward{}, err
	}
	text, err := store.ReadFile(q.chatPath(filepath.FromSlash(answers)))
	if err != nil {
		return ChatReward{}, err
	}
	r := ChatReward{Prompts: len(rows), Verifiers: map[string]float64{}, Tasks: map[string]float64{}}
	verifiers, kinds := map[string]int{}, map[string]int{}
	for line := range bytes.Lines(text) {
		var a struct {
			Prompt int `json:"prompt_index"`
			Score  float64
		}
		if err := json.Unmarshal(line, &a); err != nil {
			return r, fmt.Errorf("reading %s: %w", answers, err)
		}
		row := rows[a.Prompt]
		r.Samples++
		r.Reward += a.Score
		r.Verifiers[row.Verifier] += a.Score
		r.Tasks[row.Task] += a.Score
		verifiers[row.Verifier]++
		kinds[row.Task]++
	}
	r.Reward /= float64(max(r.Samples, 1))
	for name, n := range verifiers {
		r.Verifiers[name] /= float64(n)
	}
	for name, n := range kinds {
		r.Tasks[name] /= float64(n)
	}
	return r, nil
}

// makePairs samples answers of the fine-tuned model, and makes pairs of the best and the worst one to
// each prompt. A model that has learned too little to be right now and then gets the answers that were
// written for it as well.
func (q *quick) makePairs(ctx context.Context, path string, prompts int) (int, error) {
	all, err := q.readRows(chatTraining)
	if err != nil {
		return 0, err
	}
	if err := q.writeRows(chatAsked, spread(all, prompts)); err != nil {
		return 0, err
	}
	o := sample.Options{Completions: pairEach, Choice: sample.Choice{Keep: sample.Pairs}, Sampling: generate.Sampling{Seed: chatSeed + 1}}
	least := pairScore
	o.MinScore = &least
	made, err := q.sampleAnswers(ctx, "chat-pairs", path, chatAsked, chatPairs, "", o)
	if err == nil && made.Rows < fewPairs {
		o.Reference = true
		made, err = q.sampleAnswers(ctx, "chat-pairs", path, chatAsked, chatPairs, "", o)
	}
	if err != nil {
		return 0, err
	}
	return made.Rows, nil
}

// Dialogue is a question that no stage trained on, and what the model says to it.
type Dialogue struct {
	Question string `json:"question"`
	Answer   string `json:"answer"` // the most probable one
}

// dialogues asks a model some questions that no stage trained on, of different kinds, as chat does.
func (q *quick) dialogues(ctx context.Context, path string) ([]Dialogue, error) {
	rows, err := q.readRows(chatUnseen)
	if err != nil {
		return nil, err
	}
	m, err := lm.Open(path, lm.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	format, err := m.ChatFormat()
	if err != nil {
		return nil, err
	}
	c, err := m.Chat(format)
	if err != nil {
		return nil, err
	}
	var out []Dialogue
	// Text of one's own has no documentation, and a question of another kind takes its place.
	for _, kind := range []string{"documentation", "reverse", "object", "largest"} {
		i := slices.IndexFunc(rows, func(r chatRow) bool { return r.Task == kind })
		if i < 0 || len(out) == 3 {
			continue
		}
		asked := rows[i].Messages[:1]
		ids, _, err := c.Prompt([]chat.Message{asked[0]}, m.Config.T-chatAnswer)
		if err != nil {
			return nil, err
		}
		a, err := c.Answer(ctx, lm.Request{Prompt: ids, MaxTokens: chatAnswer})
		if err != nil {
			return nil, err
		}
		out = append(out, Dialogue{asked[0].Content, a.Text})
	}
	return out, nil
}
