// Package lmtest writes a tiny model to disk, for tests of what opens models.
package lmtest

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"olmo/model"
	"olmo/tensor"
	"olmo/tokenizer"
)

// Write writes a Hugging Face folder with an OLMo 2 of random weights and a
// tokenizer that was trained on a few sentences: some 100 KB, the same each time.
func Write(dir string) error { return write(dir, false) }

// WriteReward writes a reward model with the blocks of Write's.
func WriteReward(dir string) error { return write(dir, true) }

func write(dir string, reward bool) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var docs iter.Seq2[string, error] = func(yield func(string, error) bool) {
		for i := range 200 {
			if !yield(fmt.Sprintf("The cat number %d sat on the mat and looked at the naïve dog. User: Hello. Assistant: Hi.\n", i), nil) {
				return
			}
		}
	}
	text, err := tokenizer.Train(context.Background(), docs, tokenizer.TrainConfig{VocabSize: 320, SpecialTokens: []string{"<|endoftext|>", "<|padding|>"}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), text, 0o666); err != nil {
		return err
	}
	rms := model.NormKind{RMS: true, Weight: true}
	c := &model.Config{
		Family: "olmo2", Norm: rms, QKNorm: &rms, Layers: 2, C: 32, H: 4, KV: 4, D: 8, F: 48, VocabSize: 320, V: 320, T: 64, NormEps: 1e-6, RopeTheta: 10000, EOS: 0, PAD: 1, BOS: -1,
	}
	if reward {
		c = c.AsReward()
	}
	init := model.Init{Fn: "normal", Std: 0.3}
	params := map[string]model.Param{}
	for _, p := range c.Params() {
		params[p.Name] = p
	}
	return model.SaveHF(dir, c, func(name string) ([]float32, error) {
		p, ok := params[name]
		if !ok {
			return nil, fmt.Errorf("no parameter %s", name)
		}
		return init.Weights(c, p, 3)
	}, tensor.F32, 0, nil)
}

// WriteAdapter writes a folder with an adapter of rank 4, of random matrices, on all matrices of the
// blocks of the model in a folder, which it calls base.
func WriteAdapter(dir, of, base string) error {
	l, err := model.Open(of)
	if err != nil {
		return err
	}
	defer l.Close()
	c := *l.Config
	c.Adapters = &model.Adapters{Rank: 4, Alpha: 8, Targets: []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}}
	params := map[string]model.Param{}
	for _, p := range c.AdapterParams() {
		params[p.Name] = p
	}
	return model.SavePEFT(dir, &c, func(name string) ([]float32, error) {
		w := c.Adapters.Weights(params[name], 7)
		if strings.HasSuffix(name, model.AdapterB) {
			for i := range w {
				w[i] = float32(i%7-3) / 16
			}
		}
		return w, nil
	}, base)
}
