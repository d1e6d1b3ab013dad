package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"olmo/adapt"
	"olmo/adapt/rollout"
	"olmo/eval/score"
	"olmo/internal/pyjson"
	"olmo/proof"
	files "olmo/store"
)

// prompt is a row of reinforcement learning: what is asked, and what judges the answers.
type prompt struct {
	Index   int               `json:"index"` // in the data set
	Dataset []string          `json:"dataset"`
	Truths  []json.RawMessage `json:"ground_truth"`
	Asked   string            `json:"prompt"`

	ids  []int32
	form adapt.Form
}

// task looks up what judges answers.
func (p *prompt) task(set *score.VerifierSet) (rollout.Task, error) {
	t := rollout.Task{Index: p.Index, Asked: p.Asked, Truth: json.RawMessage("null"), Dataset: json.RawMessage("null")}
	if len(p.Dataset) == 0 {
		return t, nil // no verifier is asked
	}
	var err error
	if t.Rewards, err = set.Rewards(p.Dataset, p.Truths); err != nil {
		return t, err
	}
	var names, truths any = p.Dataset, p.Truths
	if len(p.Dataset) == 1 {
		names, truths = p.Dataset[0], p.Truths[0]
	}
	if t.Dataset, err = json.Marshal(names); err == nil {
		t.Truth, err = json.Marshal(truths)
	}
	return t, err
}

// prompts writes the prompts of the mixture as rows and what judges the answers to them beside, or takes
// those that are there and follow from the same. It returns the tasks by row, and a hash over all that
// rewards follow from.
func (r *Run) prompts(ctx context.Context, set *score.VerifierSet, c *GRPOConfig) ([]rollout.Task, string, error) {
	kind := c.rowKind()
	path := c.promptsPath()
	var tasks []rollout.Task
	var lines []byte
	var err error
	r.Rows, err = r.remember(rowMaker{kind: kind, name: string(kind)}, func(w *rowWriter) (err error) {
		if tasks, lines, err = r.encodePrompts(ctx, kind, set, w); err != nil {
			return err
		}
		w.beside = []output{{path, lines}}
		return nil
	})
	if err == nil && tasks == nil { // the rows are there
		if lines, err = files.ReadFile(path); err == nil {
			tasks, err = readTasks(lines, set)
		}
	}
	if err != nil {
		return nil, "", err
	}
	digest, err := c.rewards(lines)
	return tasks, digest, err
}

// rewards is a hash over all that rewards follow from: the lines of prompts.jsonl, and the verifiers.
func (c *GRPOConfig) rewards(lines []byte) (string, error) {
	text, err := proof.CanonicalOf(struct {
		Prompts   string
		Reward    score.RewardConfig
		Verifiers score.VerifierConfig
	}{proof.Sum(lines).String(), c.RewardConfig, c.VerifierConfig})
	return proof.Sum(text).String(), err
}

// readTasks reads prompts.jsonl.
func readTasks(lines []byte, set *score.VerifierSet) (tasks []rollout.Task, err error) {
	for line := range bytes.Lines(lines) {
		var p prompt
		if err := pyjson.Unmarshal(line, &p); err != nil {
			return nil, err
		}
		t, err := p.task(set)
		if err != nil {
			return nil, fmt.Errorf("prompt %d of the data: %w", p.Index, err)
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// eachPrompt reads the prompts of a config's mixture, in its order, and tells of each with what judges the
// answers to it. reject, where it is not nil, takes rows that are none; warn is told what is odd.
func (r *Run) eachPrompt(ctx context.Context, c *Config, kind adapt.Kind, set *score.VerifierSet, reject func(error) error, each func(p *prompt, task rollout.Task) error, warn func(text string)) error {
	m, err := c.mixture()
	if err != nil {
		return err
	}
	taken, err := adapt.Read(ctx, m, func(row []byte) (*prompt, error) {
		x, err := adapt.ParseRow(row, kind)
		if err != nil {
			return nil, err
		}
		p := &prompt{Dataset: x.Verifiers, Truths: x.GroundTruths, Asked: x.Conversation.RawPrompt(), form: x.Form}
		if _, err := p.task(set); err != nil {
			return nil, err
		}
		p.ids, err = r.Encoder.Prompt(&x.Conversation)
		if err == nil && len(p.ids) == 0 {
			err = errors.New("the template makes an empty prompt")
		}
		return p, err
	}, reject)
	if err != nil {
		return err
	}
	index := 0
	for _, t := range taken {
		if text := t.Part.Suspicious(t.Of); text != "" {
			warn(text)
		}
		for _, p := range t.Rows {
			if c.MaxTrainSamples != nil && index >= *c.MaxTrainSamples {
				return nil
			}
			p := *p // a row that is taken twice is two prompts
			p.Index = index
			index++
			task, err := p.task(set)
			if err == nil {
				err = each(&p, task)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// encodePrompts makes rows of the mixture's prompts. One that is longer than MaxLength is counted and left
// out.
func (r *Run) encodePrompts(ctx context.Context, kind adapt.Kind, set *score.VerifierSet, w *rowWriter) (tasks []rollout.Task, lines []byte, err error) {
	var reject func(error) error
	if r.Config.SkipBadRows {
		reject = w.reject
	}
	most, n, long := r.Encoder.MaxLength, 0, 0
	forms := map[adapt.Form]bool{"": true}
	err = r.eachPrompt(ctx, r.Config, kind, set, reject, func(p *prompt, task rollout.Task) error {
		n++
		if !forms[p.form] {
			forms[p.form] = true
			w.r.Notes = append(w.r.Notes, fmt.Sprintf("rows in the form of %s are read as messages", p.form))
		}
		if len(p.ids) > most {
			long++
			return nil
		}
		line, err := json.Marshal(p)
		if err == nil {
			err = w.putPrompt(p.ids)
		}
		tasks, lines = append(tasks, task), append(append(lines, line...), '\n')
		return err
	}, func(text string) { w.r.Warnings = append(w.r.Warnings, text) })
	w.r.Counts = fmt.Sprintf("prompts %d, dropped %d (longer than %d tokens); the longest has %d", n, long, most, w.r.Longest)
	if err == nil && len(tasks) == 0 {
		err = fmt.Errorf("no prompt is left: all %d have more than %d tokens\nhint: max_prompt_token_length", n, most)
	}
	return tasks, lines, err
}

// putPrompt writes a prompt as a row without a token that trains.
func (w *rowWriter) putPrompt(ids []int32) error {
	x := &adapt.Example{IDs: ids, Labels: make([]int32, len(ids))}
	for i := range x.Labels {
		x.Labels[i] = adapt.Masked
	}
	if w.r.First == nil {
		w.r.First = x
	}
	return w.put(x)
}
