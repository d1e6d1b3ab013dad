package quickstart

import (
	"context"
	"encoding/binary"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"olmo/model"
	"olmo/numeric"
	"olmo/quickstart/tasks"
	"olmo/tensor"
	"olmo/tokenizer"
)

// byteModel writes a model of 148,544 random parameters, OLMo 2's shape, whose tokens are bytes.
func byteModel(t *testing.T, dir string) {
	t.Helper()
	var none iter.Seq2[string, error] = func(yield func(string, error) bool) { yield("text", nil) }
	specials := []string{endOfText, padding, "<|user|>", "<|assistant|>", "<|system|>", "<|1|>", "<|2|>", "<|3|>"}
	text, err := tokenizer.Train(context.Background(), none, tokenizer.TrainConfig{VocabSize: 264, SpecialTokens: specials})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"tokenizer.json": text, "tokenizer_config.json": []byte(tokenizerConfig)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	rms := model.NormKind{RMS: true, Weight: true}
	c := &model.Config{
		Family: "olmo2", Norm: rms, QKNorm: &rms, Layers: 2, C: 64, H: 4, KV: 4, D: 16, F: 256, VocabSize: 264, V: 264, T: 64, NormEps: 1e-6, RopeTheta: 10000,
		Tied: true, EOS: 0, PAD: 1, BOS: -1,
	}
	if all, _ := c.NumParams(); all != 148_544 {
		t.Fatalf("the model has %d parameters", all)
	}
	init, params := model.Init{Fn: "normal", Std: 0.02}, map[string]model.Param{}
	for _, p := range c.Params() {
		params[p.Name] = p
	}
	err = model.SaveHF(dir, c, func(name string) ([]float32, error) { return init.Weights(c, params[name], 1) }, tensor.F32, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// stringRows are conversations to train on and prompts, some of them held out.
func stringRows() (conversations, prompts, unseen []chatRow) {
	var training []tasks.Exercise
	seen := map[string]bool{}
	for i := 0; len(training) < 8000; i++ {
		x := tasks.DrawString(chatSeed, i)
		digest := groupDigest("chat", x.Question)
		switch {
		case seen[x.Question]:
		case binary.BigEndian.Uint64(digest[:8])%20 == 0:
			if len(unseen) < 256 {
				unseen = append(unseen, promptOf(x))
			}
		default:
			training = append(training, x)
			prompts = append(prompts, promptOf(x))
		}
		seen[x.Question] = true
	}
	return conversationsOf(training), prompts, unseen
}

// TestFromRandomWeights adapts a model that has learned nothing to tasks with strings, in all three
// stages.
func TestFromRandomWeights(t *testing.T) {
	if os.Getenv("OLMO_ADAPT_SCRATCH") == "" {
		t.Skip("OLMO_ADAPT_SCRATCH is not set: takes some minutes")
	}
	dir := t.TempDir()
	if d := os.Getenv("OLMO_ADAPT_SCRATCH"); d != "1" {
		dir = d
	}
	q := &quick{Options: Options{Out: dir, Progress: func(p Progress) {
		if p.Step > 0 && p.Step%100 == 0 {
			t.Logf("%s step %d, loss %.4f", p.Stage, p.Step, p.Loss)
		}
	}, Print: func(line string) { t.Log(line) }}}
	for _, d := range []string{"release", "config", "chat/data"} {
		if err := os.MkdirAll(q.path(filepath.FromSlash(d)), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	byteModel(t, q.path("release"))
	if err := os.WriteFile(q.chatPath(filepath.FromSlash(chatForm)), []byte(chatTemplate), 0o666); err != nil {
		t.Fatal(err)
	}
	conversations, prompts, unseen := stringRows()
	for name, rows := range map[string][]chatRow{chatConversations: conversations, chatTraining: prompts, chatUnseen: unseen} {
		if err := q.writeRows(name, rows); err != nil {
			t.Fatal(err)
		}
	}
	reward := func(path string) float64 {
		t.Helper()
		r, err := q.reward(t.Context(), filepath.Base(path), path, 4)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.4f of %d samples, %v", path, r.Reward, r.Samples, r.Tasks)
		return r.Reward
	}
	base := reward(q.path("release"))
	c := q.sftConfig()
	steps := 800
	c.MaxTrainSteps, c.PerDeviceTrainBatchSize, c.Shuffle = &steps, 64, true
	c.LearningRate, c.WarmupRatio, c.Precision = 4e-3, 0.04, numeric.FP32
	if err := q.sft(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	sft := reward(c.OutputDir)
	if !(sft >= base+0.08) {
		t.Errorf("fine-tuning: %.4f after %.4f, want 0.08 more", sft, base)
	}
	pairs, err := q.makePairs(t.Context(), c.OutputDir, 600)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pairs", pairs)
	d := q.dpoConfig()
	few := 10
	d.MaxTrainSteps, d.LearningRate, d.Precision = &few, 1e-3, numeric.FP32
	if err := q.dpo(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	dpo := reward(d.OutputDir)
	if !(dpo >= sft+0.12) {
		t.Errorf("preferences: %.4f after %.4f, want 0.12 more", dpo, sft)
	}
	g := q.grpoConfig(sizesOf(fairSteps))
	sixty := 60
	g.ActiveSampling = false
	g.MaxTrainSteps, g.LearningRate, g.ResponseLength, g.MaxPromptTokenLength, g.Precision = &sixty, 1e-3, 12, 32, numeric.FP32
	if err := q.grpo(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if grpo := reward(g.OutputDir); !(grpo >= 0.7) {
		t.Errorf("learning by trying: %.4f after %.4f, want 0.7", grpo, dpo)
	}
}
