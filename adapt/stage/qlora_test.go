package stage

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"olmo/convert"
	"olmo/device/cpu"
	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/tensor"
	"olmo/train"
)

// quantised converts the model of a folder to a GGUF file of Q4_0 beside it, and that to a folder of the
// float32 numbers that it says.
func quantised(t *testing.T, dir string) (gguf, wide string) {
	t.Helper()
	gguf, wide = filepath.Join(dir, "model.gguf"), filepath.Join(dir, "wide")
	for _, o := range []convert.Options{
		{From: filepath.Join(dir, "model"), To: model.GGUF, Out: gguf, DType: tensor.Q4_0},
		{From: gguf, To: model.HuggingFace, Out: wide, DType: tensor.F32},
	} {
		if _, err := convert.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return gguf, wide
}

// TestQLoRA: over the blocks of a GGUF file every stage trains the adapter that it trains over float32
// of the same numbers: with layers computed again, in other micro-batches, and stopped and continued, to the bit.
func TestQLoRA(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	gguf, wide := quantised(t, dir)
	lora := []string{"use_lora=true", "lora_rank=4", "lora_alpha=8", "learning_rate=5e-3", "lora_dropout=0"}
	over := func(base string, more ...string) []string {
		return append(append([]string{"model_name_or_path=" + base}, lora...), more...)
	}
	adapter := func(out string) []byte { return file(t, out, "adapter_model.safetensors") }
	sft := func(overrides ...string) *SFTConfig {
		c, err := chats(t, t.TempDir(), overrides...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, precision := range []string{"fp32", "amp_bf16"} {
		c := sft(over(wide, "precision="+precision)...)
		tuned(t, c)
		want := adapter(c.OutputDir)
		for name, more := range map[string][]string{"": nil, "layers computed again": {"gradient_checkpointing=true"}} {
			c = sft(over(gguf, append(more, "use_qlora=true", "precision="+precision)...)...)
			r := tuned(t, c)
			if !bytes.Equal(adapter(c.OutputDir), want) {
				t.Errorf("%s %s: another adapter than over float32", precision, name)
			}
			if !r.Train.Adapter.Stored {
				t.Error("the base is float32")
			}
		}
		stopped := sft(over(gguf, "use_qlora=true", "checkpointing_steps=4", "precision="+precision)...)
		r, err := stopped.Plan(t.Context(), host(t))
		if err != nil {
			t.Fatal(err)
		}
		five := 5
		r.Train.StopAt, r.Train.DeviceTrainMicrobatchSize = &five, 1
		train1(t, r)
		tuned(t, stopped)
		if !bytes.Equal(adapter(stopped.OutputDir), want) {
			t.Errorf("%s: stopped and continued: another adapter", precision)
		}
		m, err := lm.Open(stopped.OutputDir, lm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := m.Logits(t.Context(), [][]int32{{5, 6}}, lm.LogitsOptions{}); err != nil {
			t.Error(err)
		}
		m.Close()
	}

	a, b := pairs(t, t.TempDir(), over(wide)...), pairs(t, t.TempDir(), over(gguf, "use_qlora=true")...)
	tuned(t, a)
	tuned(t, b)
	if !bytes.Equal(adapter(a.OutputDir), adapter(b.OutputDir)) {
		t.Error("dpo: another adapter than over float32")
	}

	var answers [2][]byte
	var adapters [2][]byte
	for i, overrides := range [][]string{over(wide), over(gguf, "use_qlora=true")} {
		c, err := asked(t, t.TempDir(), overrides...)
		if err != nil {
			t.Fatal(err)
		}
		reinforced(t, c, 0)
		_, answers[i], _ = left(t, c.OutputDir)
		adapters[i] = adapter(c.OutputDir)
	}
	if !bytes.Equal(answers[0], answers[1]) || !bytes.Equal(adapters[0], adapters[1]) {
		t.Error("grpo: other answers, or another adapter, than over float32")
	}
}

// TestQLoRAMemory: the base takes the memory of its blocks.
func TestQLoRAMemory(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	gguf, _ := quantised(t, dir)
	var params [2]int64
	for i, more := range []string{"use_qlora=false", "use_qlora=true"} {
		c, err := chats(t, t.TempDir(), "model_name_or_path="+gguf, "use_lora=true", "lora_rank=1", more)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Plan(t.Context(), host(t))
		if err != nil {
			t.Fatal(err)
		}
		dev, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		tr, err := train.New(r.Train, dev, train.Options{Files: r.Files, Record: Record})
		if err != nil {
			t.Fatal(err)
		}
		params[i] = dev.Memory().Params
		tr.Close()
	}
	// The rows of down_proj, 48 numbers long, are no whole blocks.
	if params[1] > params[0]*2/5 {
		t.Errorf("parameters take %d bytes in blocks, %d as float32", params[1], params[0])
	}
}

// TestQLoRARefused: use_qlora alone trains nothing.
func TestQLoRARefused(t *testing.T) {
	if _, err := chats(t, t.TempDir(), "use_qlora=true"); err == nil || !strings.Contains(err.Error(), "use_qlora is set, and use_lora is not") {
		t.Error(err)
	}
}
