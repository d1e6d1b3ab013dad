package train

import (
	"reflect"
	"strings"
	"testing"
)

// numbers lists the keys of all numbers of a config, by its types.
func numbers(t reflect.Type, key string, out map[string]bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		out[key] = t.Kind() == reflect.Float64
	case reflect.Struct:
		for i := range t.NumField() {
			name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if name != "" && options != "inline" {
				numbers(t.Field(i).Type, strings.TrimPrefix(key+"."+name, "."), out)
			}
		}
	}
}

// TestLimits: every number of the config is refused by its key when it is negative, no number,
// or absurd, unless it is listed here as one that may be.
func TestLimits(t *testing.T) {
	anything := map[string]string{
		"data.num_workers": "no effect", "data.prefetch_factor": "no effect", "data.timeout": "no effect", "device_train_batch_size": "no effect",
		"device_train_grad_accum": "no effect", "extra_steps_after_cancel": "no effect", "gen1_gc_interval": "no effect", "model.block_group_size": "no effect",
		"fsdp.hybrid_sharding_num_model_replicas": "no effect", "eval_subset_num_batches": "0 and less are no limit",
	}
	negative := map[string]bool{ // that mean something
		"save_num_checkpoints_to_keep": true, "save_num_unsharded_checkpoints_to_keep": true, "model.eos_token_id": true, "model.pad_token_id": true, "scheduler.b": true,
	}
	all := map[string]bool{}
	numbers(reflect.TypeFor[Config](), "", all)
	if len(all) < 90 {
		t.Fatalf("only %d numbers were found", len(all))
	}
	for key, isFloat := range all {
		if strings.HasPrefix(key, "model.rope_scaling.") || strings.HasPrefix(key, "scheduler.override_decay.") {
			continue // parts of a section, checked together
		}
		values := []string{"-1", "-5", "9000000000000000000"}
		if isFloat {
			values = []string{"-1", "-5", "1e300", ".nan", ".inf", "-.inf"}
		}
		for _, v := range values {
			_, err := LoadConfig("testdata/tiny.yaml", []string{key + "=" + v})
			fine := anything[key] != "" || v == "-1" && negative[key] || v == "-5" && key == "scheduler.b"
			switch {
			case fine && err != nil:
				t.Errorf("%s=%s: %v", key, v, err)
			case !fine && (err == nil || !strings.Contains(err.Error(), key)):
				t.Errorf("%s=%s: error %v, want one that names the key", key, v, err)
			}
		}
		// An objective, and rollouts, want other data than this config's.
		if _, err := LoadConfig("testdata/tiny.yaml", []string{key + "=0"}); err != nil && !strings.HasPrefix(key, "objective.") && !strings.HasPrefix(key, "rollouts.") && !strings.Contains(err.Error(), key) {
			t.Errorf("%s=0: error %v, want one that names the key", key, err)
		}
	}
}
