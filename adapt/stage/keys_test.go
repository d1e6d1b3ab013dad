package stage

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenInstructsKeys: every key of open-instruct's classes is one of the stage's. testdata/keys.json has
// those of e6c3044: of finetune.py FlatArguments, dpo_utils.py DPOExperimentConfig, reward_modeling.py Args,
// and what grpo_fast.py parses, each with TokenizerConfig.
func TestOpenInstructsKeys(t *testing.T) {
	text, err := os.ReadFile("testdata/keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string][]string
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	for stage, names := range keys {
		for _, key := range names {
			config := map[string]any{"model_name_or_path": "m", "dataset_mixer_list": []string{"a", "1.0"}}
			config[key] = nil
			text, err := json.Marshal(config) // which is YAML
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, text, 0o666); err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := load(stage, file); err != nil && strings.Contains(err.Error(), "unknown key") {
				t.Errorf("%s: %v", stage, err)
			}
		}
	}
	if n := len(keys["grpo"]); n < 180 {
		t.Errorf("%d keys of grpo", n)
	}
}
