package stage

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/model"
)

// TestResize: a tokenizer with more ids than the model has rows is refused, or gets rows that are the mean
// of the others; the run over them goes on as any, and the model that comes out has them.
func TestResize(t *testing.T) {
	dir := t.TempDir()
	c, err := chats(t, dir, "max_train_steps=2")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "model", "tokenizer.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var tok map[string]any
	if err := json.Unmarshal(text, &tok); err != nil {
		t.Fatal(err)
	}
	tok["added_tokens"] = append(tok["added_tokens"].([]any), map[string]any{
		"id": 320, "content": "<|assistant|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
	})
	if text, err = json.Marshal(tok); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Plan(t.Context(), host(t)); err == nil || !strings.Contains(err.Error(), "321 ids, and the embedding of the model 320 rows\nhint: ") {
		t.Fatalf("without rows for all ids: %v", err)
	}
	c.ResizeEmbeddings, c.LearningRate = true, 0
	tuned(t, c)
	before, err := model.Open(filepath.Join(dir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	after, err := model.Open(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if after.Config.V != 328 {
		t.Fatalf("%d rows, want 328", after.Config.V)
	}
	for _, p := range after.Config.Params() {
		old, err := before.Param(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		now, err := after.Param(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Shape[0] == 328 {
			C := p.Shape[1]
			for col := range C {
				var sum float64
				for row := range 320 {
					sum += float64(old[row*C+col])
				}
				for row := 320; row < 328; row++ {
					if got, want := now[row*C+col], float32(sum/320); got != want {
						t.Errorf("%s: row %d has %v, the mean of the others is %v", p.Name, row, got, want)
					}
				}
			}
		} else if len(now) != len(old) {
			t.Errorf("%s has %d numbers, had %d", p.Name, len(now), len(old))
		}
		for j, x := range old { // at a rate of 0
			if now[j] != x {
				t.Errorf("%s[%d] is %v, was %v", p.Name, j, now[j], x)
				break
			}
		}
	}
	// The command again finds the larger model, and nothing to do.
	made, err := os.Stat(filepath.Join(c.resized(), "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	tuned(t, c)
	if again, err := os.Stat(filepath.Join(c.resized(), "model.safetensors")); err != nil || !again.ModTime().Equal(made.ModTime()) {
		t.Errorf("the larger model was made again (%v)", err)
	}
}
