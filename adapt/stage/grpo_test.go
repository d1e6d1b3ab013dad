package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/adapt/rollout"
	"olmo/device/cpu"
	"olmo/internal/parallel"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/runlog"
	"olmo/train"
)

// asked writes prompts and a config of reinforcement learning over them.
func asked(t *testing.T, dir string, overrides ...string) (*GRPOConfig, error) {
	t.Helper()
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, `{"messages":[{"role":"user","content":"What is %d + 1?"}],"ground_truth":"[aeiou]","dataset":"regex"}`+"\n", i)
	}
	fmt.Fprintf(&b, `{"messages":[{"role":"user","content":"%s"}],"ground_truth":"a","dataset":"regex"}`+"\n", strings.Repeat("Long? ", 40))
	config := `model_name_or_path: model
chat_template_name: plain.jinja
dataset_mixer_list: [prompts.jsonl, "1.0"]
learning_rate: 1e-3
lr_scheduler_type: constant
num_unique_prompts_rollout: 4
num_samples_per_prompt_rollout: 4
max_prompt_token_length: 40
response_length: 8
max_train_steps: 4
verification_reward: 1
save_traces: true
beta: 0.01
output_dir: ` + filepath.Join(dir, "out") + "\n"
	template := `{% for m in messages %}<|{{ m.role }}|>
{{ m.content }}
{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}`
	for name, text := range map[string]string{"prompts.jsonl": b.String(), "grpo.yaml": config, "plain.jinja": template} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return LoadGRPO(filepath.Join(dir, "grpo.yaml"), overrides)
}

// interrupted are rollouts that are asked to stop while they sample.
type interrupted struct {
	train.Rollouts
	at   int // the step
	stop func()
}

func (r *interrupted) Sample(ctx context.Context, t *train.Trainer, step int, prompts []train.Prompt) ([]*train.Rollout, error) {
	if step == r.at {
		r.stop()
	}
	return r.Rollouts.Sample(ctx, t, step, prompts)
}

// reinforced runs a config to its end, or stops it in the middle of some step, for its answers; 0 is the end.
// change, if any, is told of the run before it begins.
func reinforced(t *testing.T, c *GRPOConfig, until int, change ...func(r *Run)) *Run {
	t.Helper()
	r, err := c.Plan(t.Context(), Host{Warn: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(r)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	tr, err := train.New(r.Train, dev, train.Options{Files: r.Files, Record: Record, Rollouts: &interrupted{r.Rollouts, until, stop}, Evaluate: r.Evaluate})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	result, err := tr.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if until > 0 && (result.Reason != train.Interrupted || result.Step != until-1) {
		t.Errorf("the run ends at step %d: %s", result.Step, result.Reason)
	}
	if until == 0 {
		if err := r.Finish(t.Context(), func(s string) { t.Log(s) }); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// left is what a run leaves: its log without times, rollouts and chain.
func left(t *testing.T, dir string) (log []runlog.Record, rollouts, chain []byte) {
	t.Helper()
	log, err1 := runlog.Read(filepath.Join(dir, "metrics.jsonl"))
	rollouts, err2 := os.ReadFile(filepath.Join(dir, "rollouts.jsonl"))
	chain, err3 := os.ReadFile(filepath.Join(dir, "chain.jsonl"))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return log, rollouts, chain
}

// TestGRPO: the first update's ratios are exactly 1, and threads, micro-batches, the rollout batch and a
// run that is stopped and continued change no bit.
func TestGRPO(t *testing.T) {
	dir := t.TempDir()
	c, err := asked(t, dir, "temperature=0.7", "num_mini_batches=2", "num_epochs=2")
	if err != nil {
		t.Fatal(err)
	}
	r := reinforced(t, c, 0)
	if r.Rows.Count != 20 || !strings.Contains(r.Rows.Counts, "prompts 21, dropped 1 ") {
		t.Errorf("%d rows: %s", r.Rows.Count, r.Rows.Counts)
	}
	log, rollouts, chain := left(t, c.OutputDir)
	if len(log) != 4 || bytes.Count(rollouts, []byte("\n")) != 4*16 || bytes.Count(chain, []byte(`"rollouts":"`)) != 4 {
		t.Fatalf("%d steps\n%s\n%s", len(log), rollouts, chain)
	}
	moved := false
	for _, rec := range log {
		if rec["val/ratio_min"] != 1.0 || rec["val/ratio_max"] != 1.0 {
			t.Errorf("step %v: ratios from %v to %v", rec["step"], rec["val/ratio_min"], rec["val/ratio_max"])
		}
		moved = moved || rec["val/ratio_min_all"].(float64) < 1 && rec["val/ratio_max_all"].(float64) > 1
		for _, key := range []string{"train_loss", "learning_rate", "scores", "objective/verifiable_correct_rate", "loss/policy_avg", "loss/kl_avg", "policy/clipfrac_avg", "val/sequence_lengths", "val/filtered_prompts", "train/target_tokens", "chain"} {
			if _, ok := rec[key]; !ok {
				t.Errorf("step %v has no %s: %v", rec["step"], key, rec)
			}
		}
	}
	if !moved {
		t.Error("later updates of a step have the first one's ratios")
	}
	checkRollouts(t, rollouts)
	weights := func(c *GRPOConfig) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(c.OutputDir, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := weights(c)
	same := func(name string, c *GRPOConfig) {
		t.Helper()
		again, r, ch := left(t, c.OutputDir)
		if !bytes.Equal(r, rollouts) || !bytes.Equal(members(ch, "loss"), members(chain, "loss")) || !bytes.Equal(members(ch, "rollouts"), members(chain, "rollouts")) || !bytes.Equal(weights(c), want) {
			t.Errorf("%s: another run", name)
		}
		for i, rec := range again {
			for key, v := range log[i] {
				if !train.IsTiming(key) && key != "chain" && fmt.Sprint(rec[key]) != fmt.Sprint(v) {
					t.Errorf("%s, step %d: %s is %v, want %v", name, i+1, key, rec[key], v)
				}
			}
		}
	}
	for name, threads := range map[string]int{"one thread": 1, "two threads": 2} {
		func() {
			defer parallel.SetThreads(parallel.SetThreads(threads))
			c, err := asked(t, t.TempDir(), "temperature=0.7", "num_mini_batches=2", "num_epochs=2")
			if err != nil {
				t.Fatal(err)
			}
			reinforced(t, c, 0)
			same(name, c)
		}()
	}
	few, err := asked(t, t.TempDir(), "temperature=0.7", "num_mini_batches=2", "num_epochs=2")
	if err != nil {
		t.Fatal(err)
	}
	reinforced(t, few, 0, func(r *Run) {
		r.Rollouts.(*rollout.Rollouts).Slots = 3
		r.Train.DeviceTrainMicrobatchSize = 1
	})
	same("three answers at a time, one in a micro-batch", few)
	stopped, err := asked(t, t.TempDir(), "temperature=0.7", "num_mini_batches=2", "num_epochs=2", "checkpointing_steps=1")
	if err != nil {
		t.Fatal(err)
	}
	reinforced(t, stopped, 3)
	// As a kill leaves it: a step more in the files than in the checkpoint, and a torn line.
	f, err := os.OpenFile(filepath.Join(stopped.OutputDir, "rollouts.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"step":3,"advantage":0}` + "\n" + `{"step":3,"adv`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	reinforced(t, stopped, 0)
	same("stopped and continued", stopped)
}

// checkRollouts: the lines say what a step was made of.
func checkRollouts(t *testing.T, lines []byte) {
	t.Helper()
	sums := map[string]float64{}
	for text := range bytes.Lines(lines) {
		var l struct {
			Step, Prompt, Sample  int
			Prompt_IDs            []int32
			Response_IDs          []int32
			Logprobs              []float64
			Text, Finish, Dataset string
			Ground_Truth          string
			Score, Advantage      float64
		}
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		if n := len(l.Response_IDs); n == 0 || n != len(l.Logprobs) || n > 8 || len(l.Prompt_IDs) == 0 || l.Dataset != "regex" || l.Ground_Truth != "[aeiou]" || !slices.Contains([]string{"stop", "length"}, l.Finish) {
			t.Errorf("line %s", text)
		}
		if l.Finish == "length" && len(l.Response_IDs) != 8 {
			t.Errorf("an answer of %d tokens ends for its length", len(l.Response_IDs))
		}
		sums[fmt.Sprint(l.Step, " ", l.Prompt)] += l.Advantage
		want := 0.0
		if strings.ContainsAny(l.Text, "aeiou") {
			want = 1
		}
		if l.Score != want {
			t.Errorf("the score of %q is %v", l.Text, l.Score)
		}
	}
	if len(sums) != 16 {
		t.Errorf("%d groups", len(sums))
	}
	for group, sum := range sums {
		if sum != 0 {
			t.Errorf("group %s: the advantages sum to %v", group, sum)
		}
	}
}

// TestFewPrompts: a batch may have a prompt several times, each with answers of its own; where all groups
// have one score nothing is learnt, and other prompts are asked only as long as there are any.
func TestFewPrompts(t *testing.T) {
	c, err := asked(t, t.TempDir(), "num_unique_prompts_rollout=50", "max_train_steps=1", "response_length=4", "active_sampling=true", "beta=0")
	if err != nil {
		t.Fatal(err)
	}
	r := reinforced(t, c, 0)
	log, rollouts, _ := left(t, c.OutputDir)
	if n := bytes.Count(rollouts, []byte("\n")); len(r.Train.Data.Paths) != 3 || n < 200 || n > 240 {
		t.Errorf("%v, %d answers", r.Train.Data.Paths, n)
	}
	drawn := map[string]bool{}
	for line := range bytes.Lines(rollouts) {
		_, ids, _ := bytes.Cut(line, []byte(`"response_ids":`))
		drawn[string(ids)] = true
	}
	if len(drawn) < 100 {
		t.Errorf("%d different answers", len(drawn))
	}
	if asked := log[0]["batch/total_prompts"].(float64); asked <= 50 || asked > 60 {
		t.Errorf("%v prompts were asked", asked)
	}
	c, err = asked(t, t.TempDir(), "max_train_steps=2", "verification_reward=0", "beta=0")
	if err != nil {
		t.Fatal(err)
	}
	reinforced(t, c, 0)
	log, _, _ = left(t, c.OutputDir)
	for _, rec := range log {
		if rec["val/filtered_prompts"] != 4.0 || rec["optim/total_grad_norm"] != 0.0 || rec["train/target_tokens"] != 0.0 || rec["val/ratio_min"] != 1.0 || rec["learning_rate"] != 1e-3 {
			t.Errorf("a step without spread: %v", rec)
		}
	}
	before, err := model.Open(c.ModelNameOrPath)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	after, err := model.Open(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	b, err1 := before.Set.Digest()
	a, err2 := after.Set.Digest()
	if errors.Join(err1, err2) != nil || a != b {
		t.Errorf("nothing was learnt, and the weights are others (%v, %v)", err1, err2)
	}
}

// TestHeldOut: held-out prompts are judged every so many steps and at the end, without a word to what trains.
func TestHeldOut(t *testing.T) {
	logs := map[bool][]runlog.Record{}
	for _, with := range []bool{false, true} {
		dir := t.TempDir()
		held := filepath.Join(dir, "held.jsonl")
		text := `{"messages":[{"role":"user","content":"Held?"}],"ground_truth":"[aeiou]","dataset":"regex"}` + "\n" + `{"messages":[{"role":"user","content":"Never?"}],"ground_truth":"^$.","dataset":"regex"}` + "\n"
		if err := os.WriteFile(held, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		var overrides []string
		if with {
			overrides = []string{"dataset_mixer_eval_list=[" + held + ", '1.0']", "dataset_mixer_eval_list_splits=[train]", "local_eval_every=3", "eval_pass_at_k=4", "eval_response_length=20"}
		}
		c, err := asked(t, dir, append(overrides, "stop_strings=[e, at]")...)
		if err != nil {
			t.Fatal(err)
		}
		reinforced(t, c, 0)
		var rollouts []byte
		logs[with], rollouts, _ = left(t, c.OutputDir)
		for line := range bytes.Lines(rollouts) {
			var l struct{ Text, Finish string }
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(err)
			}
			if at := strings.IndexAny(l.Text, "e"); l.Finish == "stop" && at >= 0 && !strings.Contains(l.Text[at:], "e") || strings.Count(l.Text, "e") > 1 && !strings.HasSuffix(l.Text, "e") {
				t.Errorf("%q goes on behind what stops it", l.Text)
			}
		}
	}
	for i, rec := range logs[true] {
		want := i == 2 || i == 3
		for _, key := range []string{"eval/heldout/scores", "eval/heldout/objective/verifiable_correct_rate", "eval/heldout/pass_at_1", "eval/heldout/pass_at_4", "eval/heldout/pass_at_2_unbiased", "eval/heldout/sequence_lengths", "eval/heldout/stop_rate"} {
			if _, has := rec[key]; has != want {
				t.Errorf("step %d: %s is there: %v", i+1, key, has)
			}
		}
		if rate, ok := rec["eval/heldout/pass_at_4"].(float64); ok && rate > 0.5 {
			t.Errorf("step %d: %v of the prompts have a right answer", i+1, rate)
		}
		if rec["train_loss"] != logs[false][i]["train_loss"] || rec["optim/total_grad_norm"] != logs[false][i]["optim/total_grad_norm"] {
			t.Errorf("step %d is another one without held-out prompts", i+1)
		}
	}
}

// TestReferenceFollows: a reference that becomes the policy is at no distance from it in the next step; it
// is kept with the run, so that one that is stopped and continued is the same.
func TestReferenceFollows(t *testing.T) {
	settings := []string{"ref_policy_update_freq=2", "max_train_steps=6", "beta=0.1", "filter_zero_std_samples=false"}
	c, err := asked(t, t.TempDir(), append(settings, "alpha=1")...)
	if err != nil {
		t.Fatal(err)
	}
	reinforced(t, c, 0)
	log, _, _ := left(t, c.OutputDir)
	for i, rec := range log {
		if kl := rec["loss/kl_avg"].(float64); (kl == 0) != (i%2 == 0) {
			t.Errorf("step %d: the divergence is %v", i+1, kl)
		}
	}
	if c, err = asked(t, t.TempDir(), settings...); err != nil {
		t.Fatal(err)
	}
	reinforced(t, c, 0)
	want, _, wantChain := left(t, c.OutputDir)
	if want[2]["loss/kl_avg"].(float64) <= 0 || want[2]["loss/kl_avg"] == log[1]["loss/kl_avg"] {
		t.Errorf("alpha is 0.6, and the divergence at step 3 is %v", want[2]["loss/kl_avg"])
	}
	if c, err = asked(t, t.TempDir(), settings...); err != nil {
		t.Fatal(err)
	}
	reinforced(t, c, 3)
	reinforced(t, c, 0)
	if _, _, chain := left(t, c.OutputDir); !bytes.Equal(chain, wantChain) {
		t.Errorf("stopped and continued it is another run:\n%s\n%s", chain, wantChain)
	}
}

// TestGRPORefused: what cannot be is an error before anything is computed.
func TestGRPORefused(t *testing.T) {
	for _, c := range []struct {
		overrides []string
		want      string
	}{
		{[]string{"temperature=0"}, "temperature is 0"},
		{[]string{"temperature=1e-30"}, "temperature is 1e-30, it must be at least"},
		{[]string{`stop_strings=[""]`}, "stop_strings has an empty text"},
		{[]string{"top_k=5"}, "top_k is 5"},
		{[]string{"vllm_top_p=0.9"}, "vllm_top_p is 0.9"},
		{[]string{"response_length=30"}, "the model has 64 positions"},
		{[]string{"load_ref_policy=false"}, "there is no reference"},
		{[]string{"loss_denominator=tokens"}, "loss_denominator"},
		{[]string{"loss_fn=gspo"}, "loss_fn"},
		{[]string{"num_samples_per_prompt_rollout=1"}, "filter_zero_std_samples"},
		{[]string{"max_prompt_token_length=3"}, "no prompt is left"},
		{[]string{"max_train_steps=null", "total_episodes=3"}, "total_episodes is 3"},
		{[]string{"remap_verifier=regex=nothing"}, "nothing"},
		{[]string{"clip_grad_norm=1", "max_grad_norm=2"}, "are both set"},
		{[]string{"use_lora=true", "lora_dropout=0.1"}, "lora_dropout is 0.1"},
		{[]string{"ref_policy_update_freq=2", "beta=0"}, "ref_policy_update_freq is 2"},
		{[]string{"alpha=2"}, "alpha is 2"},
		{[]string{"code_pass_rate_reward_threshold=0.99"}, "code_pass_rate_reward_threshold"},
		{[]string{"max_length_verifier_max_length=8192"}, "max_length_verifier_max_length is 8192"},
		{[]string{"eval_response_length=30"}, "the model has 64 positions"},
		{[]string{"dataset_mixer_eval_list=[gone.jsonl, '1.0']"}, "dataset_mixer_eval_list"},
	} {
		cfg, err := asked(t, t.TempDir(), c.overrides...)
		if err == nil {
			_, err = cfg.Plan(t.Context(), Host{Warn: func(string) {}})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.overrides, err, c.want)
		}
	}
	for row, want := range map[string]string{
		`{"messages":[{"role":"user","content":"q"}],"ground_truth":"a","dataset":"regexp"}`: "did you mean regex?",
		`{"messages":[{"role":"user","content":"q"}],"ground_truth":"(","dataset":"regex"}`:  "regex",
		`{"messages":[{"role":"user","content":"q"}],"dataset":"regex"}`:                     "no ground_truth",
	} {
		dir := t.TempDir()
		cfg, err := asked(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "prompts.jsonl"), []byte(row+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := cfg.Plan(t.Context(), Host{Warn: func(string) {}}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "prompts.jsonl:1:") {
			t.Errorf("%s: %v, want %q", row, err, want)
		}
	}
	cfg, err := asked(t, t.TempDir())
	if err != nil || cfg.ClipGradNorm == nil || *cfg.ClipGradNorm != 1 {
		t.Errorf("clip_grad_norm is %v, want open-instruct's 1 (%v)", cfg.ClipGradNorm, err)
	}
	if cfg, err = asked(t, t.TempDir(), "clip_grad_norm=null"); err != nil || cfg.ClipGradNorm != nil {
		t.Errorf("null clips at %v (%v)", cfg.ClipGradNorm, err)
	}
}
