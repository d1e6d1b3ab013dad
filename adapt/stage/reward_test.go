package stage

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/adapt"
	"olmo/device/cpu"
	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// TestGoldenReward: loss, rewards and gradient norm of open-instruct's fixture, from its conversations on.
func TestGoldenReward(t *testing.T) {
	for _, family := range []string{"olmo1", "olmo2"} {
		t.Run(family, func(t *testing.T) {
			var want struct {
				Head     []float32 `json:"head"`
				Chosen   []float64 `json:"chosen"`
				Rejected []float64 `json:"rejected"`
				Loss     float64   `json:"loss"`
				Accuracy float64   `json:"accuracy"`
				GradNorm norms     `json:"grad_norm"`
			}
			golden(t, family+"/reward_model.json", &want)
			root, dir := filepath.Join(os.Getenv("OLMO_GOLDEN"), "adapt", "cases"), t.TempDir()
			head := filepath.Join(dir, "head.safetensors")
			tensors := []weights.Named{{Name: model.RewardHead, Tensor: tensor.FromFloat32([]int{1, len(want.Head)}, want.Head)}}
			if err := weights.WriteSafetensors(head, tensors, nil); err != nil {
				t.Fatal(err)
			}
			c := DefaultReward()
			c.ModelNameOrPath, c.TokenizerNameOrPath, c.ChatTemplateName, c.RewardHead = filepath.Join(root, family, "policy"), filepath.Join(root, "tokenizer"), "tulu", head
			c.DatasetMixerList, c.OutputDir, c.Shuffle = []string{filepath.Join(root, "preference_tokenize.jsonl"), "1.0"}, filepath.Join(dir, "out"), false
			c.GradientAccumulationSteps = len(want.Chosen)
			r, err := c.Plan(t.Context(), host(t))
			if err != nil {
				t.Fatal(err)
			}
			r.Train.DeviceTrainMicrobatchSize = 1
			_, rec := firstStep(t, r)
			near(t, "the loss", rec["train_loss"].(float64), want.Loss, 5e-6)
			for key, w := range map[string]float64{
				"rewards/chosen": mean(want.Chosen), "rewards/rejected": mean(want.Rejected), "rewards/margin": mean(want.Chosen) - mean(want.Rejected), "rewards/accuracy": want.Accuracy,
			} {
				if got := rec[key].(float64); math.Abs(got-w) > 2e-5 {
					t.Errorf("%s is %v, want %v", key, got, w)
				}
			}
			if n := rec["train/target_tokens"]; fmt.Sprint(n) != fmt.Sprint(2*len(want.Chosen)) {
				t.Errorf("%v target tokens, want the last of each conversation", n)
			}
			// The fixture's norm is without the head, which was no parameter there.
			all := rec["optim/total_grad_norm"].(float64)
			if !(all > want.GradNorm.Global*(1-2e-4)) {
				t.Errorf("the gradient norm is %v, that of all but the head was %v", all, want.GradNorm.Global)
			}
		})
	}
}

// judges writes pairs whose chosen answers are right, and a config over them.
func judges(t *testing.T, dir string, overrides ...string) (*RewardConfig, error) {
	t.Helper()
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 18 {
		text := func(answer string) string {
			return fmt.Sprintf(`[{"role":"user","content":"What is %d?"},{"role":"assistant","content":%q}]`, i, answer)
		}
		margin := ""
		if i == 3 {
			margin = `,"margin":0.5`
		}
		long := ""
		if i == 5 {
			long = strings.Repeat("much ", 60)
		}
		fmt.Fprintf(&b, `{"chosen":%s,"rejected":%s%s}`+"\n", text("cat"), text("dog "+long), margin)
	}
	template := "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
	config := "model_name_or_path: model\nchat_template_name: t.jinja\ndataset_mixer_list: [pairs.jsonl, \"1.0\"]\nlearning_rate: 1e-2\ngradient_accumulation_steps: 4\nnum_train_epochs: 3\n" +
		"output_dir: " + filepath.Join(dir, "out") + "\n"
	for name, text := range map[string]string{"pairs.jsonl": b.String(), "reward.yaml": config, "t.jinja": template} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return LoadReward(filepath.Join(dir, "reward.yaml"), overrides)
}

// TestReward: a reward model learns which answers are better, opens, and judges as it was trained; in
// other micro-batches it has the same bits.
func TestReward(t *testing.T) {
	dir := t.TempDir()
	c, err := judges(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	r := tuned(t, c)
	if r.Rows.Count != 34 || !strings.Contains(r.Rows.Counts, "pairs 18, left out 1") {
		t.Errorf("%d rows, %s", r.Rows.Count, r.Rows.Counts)
	}
	if s := r.Train.Scheduler; r.Train.MaxDuration.Steps != 15 || s.TMax == nil || *s.TMax != 45 || s.TWarmup != 0 || r.Train.Optimizer.Eps != 1e-5 || r.Train.Optimizer.WeightDecay != 0.01 {
		t.Errorf("%d steps, schedule %+v, eps %v, decay %v", r.Train.MaxDuration.Steps, s, r.Train.Optimizer.Eps, r.Train.Optimizer.WeightDecay)
	}
	log, err := os.ReadFile(filepath.Join(c.OutputDir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"rewards/accuracy":1,`) || !strings.Contains(last, `"rewards/margin":`) || strings.Contains(last, "logps/") {
		t.Errorf("the last step has %s", last)
	}
	m, err := adapt.OpenRewardModel(c.OutputDir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var out strings.Builder
	if _, err := m.Judge(t.Context(), filepath.Join(dir, "pairs.jsonl"), &out); err == nil || !strings.Contains(err.Error(), "pairs.jsonl:6: ") || !strings.Contains(err.Error(), "64 positions") {
		t.Errorf("a conversation that is too long: %v", err)
	}
	short := filepath.Join(dir, "short.jsonl")
	text, err := os.ReadFile(filepath.Join(dir, "pairs.jsonl"))
	if err == nil {
		err = os.WriteFile(short, []byte(strings.ReplaceAll(string(text), "much ", "")), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	j, err := m.Judge(t.Context(), short, &out)
	if err != nil {
		t.Fatal(err)
	}
	if j.Pairs != 18 || j.Accuracy < 0.9 || j.Margin < 1 {
		t.Errorf("it judges with %+v", j)
	}
	if _, err := lm.Open(c.OutputDir, lm.Options{}); err == nil {
		t.Error("it opens as a model that writes")
	}
	chain := func(c *RewardConfig) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(c.OutputDir, "chain.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return string(members(text, "loss"))
	}
	other, err := judges(t, t.TempDir(), "gradient_accumulation_steps=1", "per_device_train_batch_size=2", "num_processes=2")
	if err != nil {
		t.Fatal(err)
	}
	tuned(t, other)
	if a, b := chain(c), chain(other); a != b || a == "" {
		t.Errorf("other micro-batches make another run: %s, %s", a, b)
	}
	// Going on from it keeps its head.
	again, err := judges(t, dir, "model_name_or_path="+c.OutputDir, "output_dir="+filepath.Join(dir, "again"), "max_train_steps=1", "learning_rate=0")
	if err != nil {
		t.Fatal(err)
	}
	tuned(t, again)
	if a, b := reward(t, c.OutputDir), reward(t, again.OutputDir); !slices.Equal(a, b) {
		t.Errorf("the head was %v, and is %v", a, b)
	}
}

// reward is the head of a reward model.
func reward(t *testing.T, path string) []float32 {
	t.Helper()
	l, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, err := l.Param(model.RewardHead)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(w)
}

// TestRewardMargin: the margin of a pair is taken off its rewards in the loss, and not in what is logged.
func TestRewardMargin(t *testing.T) {
	first := func(overrides ...string) (loss, margin float64) {
		t.Helper()
		dir := t.TempDir()
		c, err := judges(t, dir, append(overrides, "shuffle=false", "gradient_accumulation_steps=17", "max_train_steps=1")...)
		if err != nil {
			t.Fatal(err)
		}
		if len(overrides) > 0 {
			text, err := os.ReadFile(filepath.Join(dir, "pairs.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "pairs.jsonl"), []byte(strings.ReplaceAll(string(text), `,"margin":0.5`, "")), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		r, err := c.Plan(t.Context(), host(t))
		if err != nil {
			t.Fatal(err)
		}
		_, rec := firstStep(t, r)
		return rec["train_loss"].(float64), rec["rewards/margin"].(float64)
	}
	with, a := first()
	without, b := first("seed=1") // an override that changes nothing
	if a != b {
		t.Errorf("the logged margins are %v and %v", a, b)
	}
	if !(with > without && with-without < 0.5/17) {
		t.Errorf("the loss is %v with a margin, and %v without", with, without)
	}
}

// TestRewardRefused: what cannot be, or is not here, is an error before anything is computed.
func TestRewardRefused(t *testing.T) {
	dir := t.TempDir()
	wrong := filepath.Join(dir, "wrong.safetensors")
	if err := weights.WriteSafetensors(wrong, []weights.Named{{Name: model.RewardHead, Tensor: tensor.FromFloat32([]int{1, 3}, []float32{1, 2, 3})}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		overrides []string
		want      string
	}{
		{[]string{"total_episodes=4"}, "max_train_steps"},
		{[]string{"warm_up_steps=1", "warmup_ratio=0.1"}, "keep one"},
		{[]string{"max_seq_length=20", "max_token_length=30"}, "are both set, to different values"},
		{[]string{"max_token_length=1"}, "at least 2"},
		{[]string{"max_prompt_token_length=2"}, "no pair is left: all 18"},
		{[]string{"reward_head=" + wrong}, "has shape [1 3], the model wants [1 32]"},
		{[]string{"reward_head=gone.safetensors"}, "init_reward_head"},
		{[]string{"eps=0"}, "eps is 0"},
		{[]string{"beta=1"}, "beta"},
		{[]string{"dataset_transform_fn=[preference_tulu_filter_v1]"}, "dataset_transform_fn names"},
	} {
		cfg, err := judges(t, t.TempDir(), c.overrides...)
		var r *Run
		if err == nil {
			r, err = cfg.Plan(t.Context(), host(t))
		}
		if err == nil {
			dev, e := cpu.New()
			if e != nil {
				t.Fatal(e)
			}
			_, err = train.New(r.Train, dev, train.Options{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.overrides, err, c.want)
		}
	}
}
