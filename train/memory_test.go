package train_test

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

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
