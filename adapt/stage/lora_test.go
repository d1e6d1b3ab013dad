package stage

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/runlog"
	"olmo/tensor"
)

// file reads what a run has left.
func file(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestLoRA: a stage with use_lora leaves an adapter of PEFT's with tokenizer and template, that runs beside
// its base; stopped and continued, and in other micro-batches, it is the same to the bit, and a run may
// start from it.
func TestLoRA(t *testing.T) {
	dir := t.TempDir()
	lora := []string{"use_lora=true", "lora_rank=4", "lora_alpha=8", "learning_rate=5e-3", "checkpointing_steps=4"}
	c, err := chats(t, dir, lora...)
	if err != nil {
		t.Fatal(err)
	}
	base := file(t, dir, "model/model.safetensors")
	tuned(t, c)
	want := file(t, c.OutputDir, "adapter_model.safetensors")
	if !bytes.Equal(file(t, dir, "model/model.safetensors"), base) {
		t.Error("the base has changed")
	}
	for _, name := range []string{"adapter_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} {
		file(t, c.OutputDir, name)
	}
	for _, name := range []string{"model.safetensors", "config.json"} {
		if _, err := os.Stat(filepath.Join(c.OutputDir, name)); err == nil {
			t.Errorf("there is a %s, too, which makes it a whole model", name)
		}
	}
	records, err := runlog.Read(filepath.Join(c.OutputDir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if first, last := records[0]["train_loss"].(float64), records[len(records)-1]["train_loss"].(float64); last > first-0.3 {
		t.Errorf("the loss goes from %v to %v", first, last)
	}
	m, err := lm.Open(c.OutputDir, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if a := m.Config.Adapters; a == nil || a.Rank != 4 || a.Alpha != 8 || len(a.Targets) != 7 {
		t.Errorf("the model has the adapters %+v", a)
	}
	if template, err := m.ChatTemplate(); err != nil || template == nil || !strings.Contains(template.Text(), "<|assistant|>") {
		t.Errorf("the model has another template (%v)", err)
	}
	g, err := m.Generator()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Generate(t.Context(), lm.Request{Prompt: []int32{5, 6}, MaxTokens: 3}); err != nil {
		t.Error(err)
	}

	for name, more := range map[string][]string{"packing": {"packing=true"}, "layers computed again": {"gradient_checkpointing=true"}} {
		c, err := chats(t, t.TempDir(), append(more, lora...)...)
		if err != nil {
			t.Fatal(err)
		}
		tuned(t, c)
		if !bytes.Equal(file(t, c.OutputDir, "adapter_model.safetensors"), want) {
			t.Errorf("%s: another adapter", name)
		}
	}
	stopped, err := chats(t, t.TempDir(), lora...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := stopped.Plan(t.Context(), host(t))
	if err != nil {
		t.Fatal(err)
	}
	five := 5
	r.Train.StopAt, r.Train.DeviceTrainMicrobatchSize = &five, 1
	train1(t, r)
	tuned(t, stopped)
	if !bytes.Equal(file(t, stopped.OutputDir, "adapter_model.safetensors"), want) {
		t.Error("stopped and continued: another adapter")
	}

	// From the adapter on, without its keys.
	next, err := chats(t, dir, "use_lora=true", "lora_weights="+c.OutputDir, "output_dir="+filepath.Join(dir, "next"), "learning_rate=0", "max_train_steps=1")
	if err != nil {
		t.Fatal(err)
	}
	tuned(t, next)
	if next.LoRARank != 4 || !bytes.Equal(file(t, next.OutputDir, "adapter_model.safetensors"), want) {
		t.Errorf("lora_weights gives another adapter, of rank %d", next.LoRARank)
	}
}

// TestLoRARefused: what does not fit ends before anything is computed.
func TestLoRARefused(t *testing.T) {
	dir := t.TempDir()
	base, adapter := filepath.Join(dir, "model"), filepath.Join(dir, "adapter")
	if err := lmtest.Write(base); err != nil {
		t.Fatal(err)
	}
	if err := lmtest.WriteAdapter(adapter, base, base); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		overrides []string
		want      string
	}{
		{[]string{"lora_weights=" + adapter}, "lora_weights is set, and use_lora is not"},
		{[]string{"use_lora=true", "lora_rank=0"}, "lora_rank is 0"},
		{[]string{"use_lora=true", "lora_dropout=1"}, "lora_dropout is 1"},
		{[]string{"use_lora=true", "lora_target_modules=[wq]"}, "adapters on wq"},
		{[]string{"use_lora=true", "lora_weights=" + base}, "lora_weights: "},
		{[]string{"use_lora=true", "lora_weights=" + adapter, "lora_rank=8"}, "has lora_rank 4, and here it is 8"},
		{[]string{"use_lora=true", "lora_weights=" + adapter, "lora_target_modules=[q_proj]"}, "has lora_target_modules"},
		{[]string{"model_name_or_path=" + adapter}, "olmo merge"},
	} {
		cfg, err := chats(t, dir, c.overrides...)
		if err == nil {
			_, err = cfg.Plan(t.Context(), host(t))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.overrides, err, c.want)
		}
	}
	cfg, err := asked(t, dir, "use_lora=true", "lora_dropout=0.1")
	if err == nil {
		_, err = cfg.Plan(t.Context(), host(t))
	}
	if err == nil || !strings.Contains(err.Error(), "lora_dropout") {
		t.Errorf("dropout in reinforcement learning: %v", err)
	}
}

// TestLoRAPairs: before the first update the policy is the reference, whether the adapter is new or has been
// trained before.
func TestLoRAPairs(t *testing.T) {
	dir := t.TempDir()
	c := pairs(t, dir, "use_lora=true", "lora_rank=4", "lora_dropout=0")
	tuned(t, c)
	check := func(c *DPOConfig) {
		t.Helper()
		records, err := runlog.Read(filepath.Join(c.OutputDir, "metrics.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if got := records[0]["train_loss"]; got != math.Ln2 || records[0]["rewards/margin"] != 0.0 {
			t.Errorf("before the first update the loss is %v and the margin %v, want log 2 and 0", got, records[0]["rewards/margin"])
		}
		if records[8]["train_loss"].(float64) >= math.Ln2 {
			t.Errorf("in the end the loss is %v", records[8]["train_loss"])
		}
	}
	check(c)
	next := pairs(t, dir, "use_lora=true", "lora_dropout=0", "lora_weights="+c.OutputDir, "output_dir="+filepath.Join(dir, "next"))
	tuned(t, next)
	check(next)
}

// TestLoRAGRPO: with an adapter, too, sampling and training agree to the bit.
func TestLoRAGRPO(t *testing.T) {
	var want []byte
	for range 2 {
		c, err := asked(t, t.TempDir(), "use_lora=true", "lora_rank=4", "learning_rate=1e-2", "num_mini_batches=2")
		if err != nil {
			t.Fatal(err)
		}
		reinforced(t, c, 0)
		log, _, _ := left(t, c.OutputDir)
		for _, rec := range log {
			if rec["val/ratio_min"] != 1.0 || rec["val/ratio_max"] != 1.0 {
				t.Errorf("step %v: ratios from %v to %v", rec["step"], rec["val/ratio_min"], rec["val/ratio_max"])
			}
		}
		if got := file(t, c.OutputDir, "adapter_model.safetensors"); want != nil && !bytes.Equal(got, want) {
			t.Error("once more gives another adapter")
		} else {
			want = got
		}
	}
}

// TestLoRAGolden: loss, gradient norms and the step of PEFT 0.21 under open-instruct's loss, element by element.
func TestLoRAGolden(t *testing.T) {
	for _, family := range []string{"olmo1", "olmo2"} {
		var padded struct {
			Batch batch `json:"batch"`
		}
		golden(t, family+"/sft_padded.json", &padded)
		var want struct {
			Loss      float64 `json:"loss"`
			LossAfter float64 `json:"loss_after"`
			GradNorm  norms   `json:"grad_norm"`
		}
		golden(t, family+"/lora.json", &want)
		t.Run(family, func(t *testing.T) {
			dir := filepath.Join(os.Getenv("OLMO_GOLDEN"), "adapt", "cases", family)
			cfg := DefaultSFT()
			cfg.ModelNameOrPath, cfg.OutputDir = filepath.Join(dir, "policy"), t.TempDir()
			cfg.UseLoRA, cfg.LoRAWeights, cfg.LoRADropout = true, filepath.Join(dir, "lora_before"), 0
			cfg.PerDeviceTrainBatchSize, cfg.Shuffle, cfg.LearningRate, cfg.LRSchedulerType = len(padded.Batch.IDs), false, 1e-3, "constant"
			two := 2
			cfg.MaxTrainSteps = &two
			l, err := model.Open(cfg.ModelNameOrPath)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r := &Run{Config: &cfg.Config, DType: tensor.F32, start: cfg.ModelNameOrPath, positions: l.Config.T, Rows: prepared(t, cfg.OutputDir, l.Config.V, padded.Batch)}
			if r.adapter, err = cfg.adapter(l.Config); err != nil {
				t.Fatal(err)
			}
			if err := cfg.plan(r); err != nil {
				t.Fatal(err)
			}
			r.Train.Tokenizer.Identifier, r.Train.SaveInterval = "", ptr(1)
			tr, rec := firstStep(t, r)
			near(t, "the loss", rec["train_loss"].(float64), want.Loss, 5e-6)
			near(t, "the gradient norm", rec["optim/total_grad_norm"].(float64), want.GradNorm.Global, 2e-4)
			after, err := model.OpenPEFT(filepath.Join(dir, "lora_after"), l.Config)
			if err != nil {
				t.Fatal(err)
			}
			defer after.Close()
			compared := 0
			for _, p := range tr.Model().AdapterParams() {
				got, err := tr.Device().Read(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				w, err := after.Weights(p)
				if err != nil {
					t.Fatal(err)
				}
				for i := range w {
					if d := math.Abs(float64(got[i]) - float64(w[i])); d > 1e-4 {
						t.Errorf("%s[%d] is %v after the step, PEFT has %v", p.Name, i, got[i], w[i])
						break
					}
				}
				compared += len(w)
			}
			if compared < 8192 {
				t.Errorf("%d elements were compared", compared)
			}
			if rec, err = tr.Step(); err != nil {
				t.Fatal(err)
			}
			near(t, "the loss after the step", rec["train_loss"].(float64), want.LossAfter, 5e-6)
		})
	}
}

func ptr[T any](v T) *T { return &v }
