package stage

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/model"
)

// contents are the hashes of a folder's files.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = sha256.Sum256(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAnotherRunsFolder: a config whose rows are other ones than those of the run in output_dir is refused, and
// nothing there changes.
func TestAnotherRunsFolder(t *testing.T) {
	dir := t.TempDir()
	c, err := chats(t, dir, "max_train_steps=2")
	if err != nil {
		t.Fatal(err)
	}
	tuned(t, c)
	before := contents(t, c.OutputDir)
	for _, override := range []string{"max_seq_length=30", "train_on=all", "max_train_samples=5"} {
		other, err := chats(t, dir, "max_train_steps=2", override)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Plan(t.Context(), host(t)); err == nil || !strings.Contains(err.Error(), "overwrite_output_dir") {
			t.Errorf("%s: %v", override, err)
		}
	}
	questions := filepath.Join(dir, "questions.jsonl")
	if err := os.WriteFile(questions, []byte(`{"messages":[{"role":"user","content":"a"}],"ground_truth":"b","dataset":"regex"}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	g := DefaultGRPO()
	g.Config.ModelNameOrPath, g.ChatTemplateName, g.OutputDir, g.DatasetMixerList = c.ModelNameOrPath, c.ChatTemplateName, c.OutputDir, []string{questions, "1.0"}
	g.MaxPromptTokenLength, g.ResponseLength = 30, 8
	if _, err := g.Plan(t.Context(), host(t)); err == nil || !strings.Contains(err.Error(), "of another kind (sft)") {
		t.Errorf("another stage: %v", err)
	}
	if after := contents(t, c.OutputDir); !reflect.DeepEqual(before, after) {
		t.Errorf("%d files, then %d, or others", len(before), len(after))
	}
	own, err := chats(t, dir, "model_name_or_path="+c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Plan(t.Context(), host(t)); err == nil || !strings.Contains(err.Error(), "output_dir") {
		t.Errorf("the model's own folder: %v", err)
	}
}

// TestMovedFolder: a run goes on where its folder lies now, and makes rows again that were taken out.
func TestMovedFolder(t *testing.T) {
	dir := t.TempDir()
	c, err := chats(t, dir, "max_train_steps=2")
	if err != nil {
		t.Fatal(err)
	}
	tuned(t, c)
	moved := filepath.Join(dir, "moved")
	if err := os.Rename(c.OutputDir, moved); err != nil {
		t.Fatal(err)
	}
	c.OutputDir = moved
	for range 2 {
		r, err := c.Plan(t.Context(), host(t))
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(moved, "data", "sft.npy"); r.Rows.Tokens != want || r.Train.Data.Paths[0] != want {
			t.Errorf("rows in %s, data.paths %v", r.Rows.Tokens, r.Train.Data.Paths)
		}
		train1(t, r)
		if err := os.Remove(r.Rows.Tokens); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStopsAtTurns: a model, and an adapter, whose template closes answers with another token than the one that
// ends a text stops at both, and the next stage samples so.
func TestStopsAtTurns(t *testing.T) {
	dir := t.TempDir()
	for _, lora := range []bool{false, true} {
		c, err := chats(t, dir, "max_train_steps=1", fmt.Sprintf("use_lora=%t", lora), fmt.Sprintf("output_dir=%s-%t", filepath.Join(dir, "out"), lora))
		if err != nil {
			t.Fatal(err)
		}
		template := filepath.Join(dir, "pad.jinja")
		text := "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}<|padding|>{% endif %}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
		if err := os.WriteFile(template, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		c.ChatTemplateName = template
		r := tuned(t, c)
		from, err := model.Open(c.ModelNameOrPath)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		want := append(slices.Clone(from.Stop), r.Rows.Stops...)
		if len(r.Rows.Stops) != 1 || slices.Contains(from.Stop, r.Rows.Stops[0]) {
			t.Fatalf("turns end with %v, texts with %v", r.Rows.Stops, from.Stop)
		}
		if lora {
			err = from.MoreStops(c.OutputDir)
		} else {
			var l *model.Loaded
			if l, err = model.Open(c.OutputDir); err == nil {
				from.Stop = l.Stop
				l.Close()
			}
		}
		if err != nil || !slices.Equal(from.Stop, want) {
			t.Errorf("lora %t: stops at %v (%v), want %v", lora, from.Stop, err, want)
		}
	}
}
