package model

import (
	"fmt"
	"strings"

	"olmo/graph"
)

// RewardHead names the matrix (1, C) of a reward model in every layout that has one.
const RewardHead = "score.weight"

// Rewards writes a reward model into g, without dropout. It keeps "reward", one number for each
// token; the last token's judges the whole sequence.
func (c *Config) Rewards(g *graph.Graph) { c.rewards(g, "", false) }

// RewardsAndGradients writes the model with its dropout and noise, Rewards and the gradients of a loss that
// is a function of the rewards into g: graph.Batch.Seed computes its derivatives, which are 0 for
// tokens that do not count.
func (c *Config) RewardsAndGradients(g *graph.Graph, r Recompute) {
	g.BackwardSeeded(c.rewards(g, r, true))
}

func (c *Config) rewards(g *graph.Graph, r Recompute, training bool) graph.Value {
	b := c.lossBuilder(g, r, training)
	return g.Keep(b.reward(b.hidden()), "reward")
}

// reward multiplies the hidden states by the reward head.
func (b *builder) reward(x graph.Value) graph.Value {
	if !b.Reward {
		panic("model: rewards of a model that gives logits")
	}
	return b.g.Linear(x, b.param(Param{Name: RewardHead, Shape: []int{1, b.C}, Role: Head, Layer: -1}))
}

// AsReward returns the reward model with this model's blocks: without its output matrix, tied or
// not, and with a reward head.
func (c *Config) AsReward() *Config {
	r := *c
	r.Reward, r.Tied, r.HeadBias = true, false, false
	return &r
}

// classifier is the end of the names of Transformers' classes with a score in place of logits.
const classifier = "ForSequenceClassification"

// isReward tells whether config.json describes a model of scores.
func (h *hfReader) isReward() bool {
	list, _ := h.m["architectures"].([]any)
	if len(list) == 0 {
		return false
	}
	name, _ := list[0].(string)
	if !strings.HasSuffix(name, classifier) {
		return false
	}
	// Transformers writes the labels' names alone, of which there are two where nothing is said.
	labels := 2
	if names := h.sub("id2label"); names.m != nil {
		labels = len(names.m)
	}
	if labels = h.int("num_labels", labels); labels != 1 {
		h.fail("%s with %d labels (num_labels, id2label) is no reward model, which has one", name, labels)
	}
	return true
}

// hfReward describes a reward model beside what config.json says of the other model.
func (f *family) hfReward(m map[string]any) {
	base := strings.TrimSuffix(strings.TrimSuffix(f.hf.architecture, "ForCausalLM"), "LMHeadModel")
	if f.hf.classifier != "" {
		base = f.hf.classifier
	}
	m["architectures"] = []any{base + classifier}
	m["id2label"], m["label2id"] = map[string]any{"0": "LABEL_0"}, map[string]any{"LABEL_0": 0}
}

// noReward is the error of a layout that has no reward models; nil for another model.
func (c *Config) noReward(program string) error {
	if !c.Reward {
		return nil
	}
	return fmt.Errorf("%w: %s has no reward models\nhint: hf has", ErrLayout, program)
}
