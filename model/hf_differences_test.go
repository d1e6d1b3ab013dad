package model

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestHFDifferences: a config.json is compared by what it says of the model, in every family.
func TestHFDifferences(t *testing.T) {
	for name, c := range settled() {
		t.Run(name, func(t *testing.T) {
			m, err := c.hfConfig()
			if err != nil {
				t.Fatal(err)
			}
			differences := func() []string {
				text, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				keys, err := c.HFDifferences(text)
				if err != nil {
					t.Fatal(err)
				}
				return keys
			}
			m["transformers_version"], m["torch_dtype"] = "9.9", "float32"
			if keys := differences(); len(keys) > 0 {
				t.Errorf("the same model differs in %q", keys)
			}
			m["eos_token_id"], m["vocab_size"] = 3, c.V+1
			if keys := differences(); !slices.Equal(keys, []string{"eos_token_id", "vocab_size"}) {
				t.Errorf("another end and vocabulary are %q", keys)
			}
		})
	}
}
