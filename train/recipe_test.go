package train_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/config"
	"olmo/train"
)

// TestRecipeHasAll: every key of a config changes the recipe, or is known to change no bit.
func TestRecipeHasAll(t *testing.T) {
	plain, err := config.Plain(train.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		if m, ok := v.(map[string]any); ok && (prefix == "" || prefix == "data." || prefix == "model." || prefix == "optimizer.") {
			for k, v := range m {
				walk(prefix+k+".", v)
			}
			return
		}
		keys[strings.TrimSuffix(prefix, ".")] = true
	}
	walk("", plain)
	for _, key := range train.NoBits {
		if section, _, below := strings.Cut(key, "."); !keys[key] && !slices.Contains([]string{"inputs", "init_reward_head", "allow_changes", "accept_changes", "objective.reference", "adapter.init_weights", "adapter.stored", "rollouts.save_traces", "chain_state_interval", "chain_note_interval"}, key) {
			t.Errorf("%s is left out of recipes, and is no key (%v, %v)", key, section, below)
		}
	}
}

// TestFromRecipe: the config of a recipe has that recipe.
func TestFromRecipe(t *testing.T) {
	for name, overrides := range map[string][]string{
		"plain":           nil,
		"seeds":           {"seed=18446744073709551615", "data.seed=9007199254740993"},
		"tiny numbers":    {"optimizer.eps=1e-30", "optimizer.learning_rate=1.5e-7", "z_loss_multiplier=1e-5"},
		"tokens":          {"max_duration=6000T", "scheduler.units=tokens"},
		"epochs":          {"max_duration=2ep"},
		"stages":          {"batch_size_schedule=[{from: 2, size: 8}]"},
		"ranks":           {"world_size=2", "global_train_batch_size=8"},
		"muon":            {"optimizer.name=muon", "optimizer.adamw_learning_rate=0.001"},
		"another program": {"model.hf={model_type: llama, hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 1, intermediate_size: 96, vocab_size: 256, rms_norm_eps: 1e-06, rope_theta: 10000.0, architectures: [LlamaForCausalLM], hidden_act: silu}"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := train.LoadConfig(tiny, overrides)
			if err != nil {
				t.Fatal(err)
			}
			recipe, err := c.Recipe()
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Dir(c.Data.Paths[0])
			back, err := train.FromRecipe(recipe, folder, folder)
			if err != nil {
				t.Fatalf("%v\n%s", err, recipe)
			}
			again, err := back.Recipe()
			if err != nil || !bytes.Equal(again, recipe) {
				t.Errorf("recipe\n%s\nread and written\n%s (%v)", recipe, again, err)
			}
			was, err1 := c.Model.Config()
			is, err2 := back.Model.Config()
			if err1 != nil || err2 != nil || !reflect.DeepEqual(is, was) {
				t.Errorf("the model is another:\n%+v, %v\n%+v, %v", was, err1, is, err2)
			}
			if !reflect.DeepEqual(back.Data.Paths, c.Data.Paths) || back.MaxDuration != c.MaxDuration || back.Seed != c.Seed {
				t.Errorf("the config is another:\n%+v\n%+v", back.Model, c.Model)
			}
			if bytes.Contains(recipe, []byte(t.TempDir())) || bytes.Contains(recipe, []byte("save_folder")) || bytes.Contains(recipe, []byte("stop_at")) {
				t.Errorf("the recipe says what changes no bit: %s", recipe)
			}
		})
	}
}

// TestRecipeOutside: a recipe may be from anybody, and leads nowhere else.
func TestRecipeOutside(t *testing.T) {
	c, err := train.LoadConfig(tiny, nil)
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := c.Recipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../other.npy", "/etc/passwd", "a/../../b.npy"} {
		text := bytes.Replace(recipe, []byte(`"`+filepath.Base(c.Data.Paths[0])+`"`), []byte(`"`+name+`"`), 1)
		if _, err := train.FromRecipe(text, t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestRecipeExempt: paths that are none of the run's token files stay out of its recipe.
func TestRecipeExempt(t *testing.T) {
	c, err := train.LoadConfig(tiny, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Data.InterleavingExemptPaths = []string{"/home/me/other.npy"}
	with, err := c.Recipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Data.InterleavingExemptPaths = nil
	without, err := c.Recipe()
	if err != nil || !bytes.Equal(with, without) {
		t.Errorf("recipe\n%s\nwithout them\n%s (%v)", with, without, err)
	}
}

// TestRecipeDocs: the page on verification names every key that a recipe leaves out.
func TestRecipeDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/verification.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range train.NoBits {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("docs/verification.md does not name %s", key)
		}
	}
}
