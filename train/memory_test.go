package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/train"
)

// TestRecompute: what the backward pass computes again changes no bit of a run, of a tied
// table neither, with micro-batches, and in each family that the trainer's own keys reach.
func TestRecompute(t *testing.T) {
	models := map[string][]string{
		"olmo 2": {"model.n_layers=4"},
		"olmo 1, tied, in bf16": {
			"model.norm_after=false", "model.layer_norm_type=default", "model.layer_norm_with_affine=false", "model.attention_layer_norm=false",
			"model.clip_qkv=0.5", "model.weight_tying=true", "precision=amp_bf16",
		},
		"experts": {
			"model.block_type=moe", "model.norm_after=false", "model.moe_num_experts=4", "model.moe_top_k=2", "model.moe_loss_weight=0.01", "model.moe_zloss_weight=0.001",
		},
	}
	for name, overrides := range models {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			steps := func(folder string, more ...string) ([]any, string) {
				folder = filepath.Join(dir, folder)
				d := run(t, folder, append(append([]string{"stop_at=6", "device_train_microbatch_size=3"}, overrides...), more...)...)
				var chain []any
				for _, r := range logged(t, folder) {
					chain = append(chain, r["chain"])
				}
				return chain, d
			}
			chain, digest := steps("kept")
			if len(chain) != 6 {
				t.Fatalf("%d steps in the log, want 6", len(chain))
			}
			for _, s := range []string{"whole_layer", "one_in_two", "two_in_three", "fine_grained", "true"} {
				if c, d := steps(s, "activation_checkpointing="+s); !reflect.DeepEqual(c, chain) || d != digest {
					t.Errorf("activation_checkpointing=%s: chain %v, weights %s; without %v, %s", s, c, d, chain, digest)
				}
			}
		})
	}
}

// TestActivationCheckpointing reads OLMo's spellings and writes what OLMo reads.
func TestActivationCheckpointing(t *testing.T) {
	for value, want := range map[string]string{"null": "null", "false": "null", "true": "whole_layer", "one_in_eight": "one_in_eight", "fine_grained": "fine_grained"} {
		c, err := train.LoadConfig(tiny, []string{"activation_checkpointing=" + value})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(c.ActivationCheckpointing)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Trim(string(text), `"`); got != want {
			t.Errorf("activation_checkpointing=%s is %s, want %s", value, got, want)
		}
		if keys := c.WithoutEffect(); len(keys) > 0 {
			t.Errorf("without effect: %v", keys)
		}
	}
	if _, err := train.LoadConfig(tiny, []string{"activation_checkpointing=one_in_five"}); err == nil || !strings.Contains(err.Error(), "one_in_four") {
		t.Errorf("error %v, want one that lists what there is", err)
	}
}

// TestLentCheckpoints writes a checkpoint after every step from what training goes on to
// change: each is whole, and that of a copy.
func TestLentCheckpoints(t *testing.T) {
	folders := map[int64]string{0: t.TempDir(), 1 << 30: t.TempDir()}
	for limit, folder := range folders {
		restore := train.LendFrom(limit)
		run(t, folder, "stop_at=8", "save_interval=1")
		restore()
	}
	for step := range 9 {
		var digests []string
		for _, folder := range folders {
			m, err := train.CheckCheckpoint(filepath.Join(folder, fmt.Sprintf("step%d", step)))
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, m.WeightsDigest.String())
		}
		if digests[0] != digests[1] {
			t.Errorf("step %d: weights %s and %s", step, digests[0], digests[1])
		}
	}
}

// TestEstimatedMemory compares what is expected of the device with what it holds after
// some steps.
func TestEstimatedMemory(t *testing.T) {
	eval := []string{"model.max_sequence_length=32", `evaluators=[{label: held, type: lm, data: {paths: [text.txt], memmap_dtype: uint8}, device_eval_batch_size: 40}]`, "eval_interval=2"}
	for name, overrides := range map[string][]string{
		"fp32":                {},
		"bf16, micro-batches": {"precision=amp_bf16", "device_train_microbatch_size=1"},
		"whole layers, tied":  {"activation_checkpointing=whole_layer", "model.weight_tying=true", "model.n_layers=5"},
		"muon":                muon,
		"a larger evaluation": eval,
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := train.LoadConfig(tiny, append([]string{"save_folder=" + t.TempDir(), "stop_at=4"}, overrides...))
			if err != nil {
				t.Fatal(err)
			}
			e, err := cfg.Estimate(cpu.Needs)
			if err != nil {
				t.Fatal(err)
			}
			dev, err := cpu.New()
			if err != nil {
				t.Fatal(err)
			}
			tr, err := train.New(cfg, dev, train.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if _, err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			got, want := dev.Memory(), e.Memory.Memory
			got.Buffers, want.Buffers = 0, 0 // of all devices in the process
			if got.Grads > want.Grads || got.Grads < want.Grads*9/10 {
				t.Errorf("gradients of %d bytes, expected %d", got.Grads, want.Grads)
			}
			got.Grads = want.Grads
			if got != want {
				t.Errorf("the device holds %+v, expected %+v", got, want)
			}
		})
	}
}
