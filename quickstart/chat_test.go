package quickstart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/lm"
)

// TestChat adapts a tiny model in all stages, and once more interrupted in the middle of one: both end
// with the same bytes. The folder of chat is a model of its own, and a second run changes nothing.
func TestChat(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole chain")
	}
	t.Setenv("GOROOT", "")
	t.Setenv("PATH", "") // the text inside the program, which has questions
	dir := t.TempDir()
	whole, broken := filepath.Join(dir, "whole"), filepath.Join(dir, "broken")
	o := Options{Out: whole, Steps: 4, Depth: 1, Version: "test"}
	plain, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if plain.Chat != nil {
		t.Errorf("without being asked for: %+v", plain.Chat)
	}
	if err := os.CopyFS(broken, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	before := modified(t, filepath.Join(whole, "run"))
	o.Chat = true
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if modified(t, filepath.Join(whole, "run")) != before {
		t.Error("the run was changed")
	}
	var report struct{ Chat map[string]json.RawMessage }
	text, err := os.ReadFile(filepath.Join(whole, "report.json"))
	if err != nil || json.Unmarshal(text, &report) != nil {
		t.Fatalf("report.json: %v", err)
	}
	for _, stage := range r.Chat.Stages() {
		var figure struct {
			Reward  *float64
			Samples int
		}
		key := strings.ToLower(stage.Name)
		if err := json.Unmarshal(report.Chat[key], &figure); err != nil || figure.Reward == nil || *figure.Reward != stage.Reward.Reward || figure.Samples < 200 {
			t.Errorf("chat.%s of report.json is %s (%v)", key, report.Chat[key], err)
		}
	}
	if len(r.Chat.Dialogues) != 3 || !(r.Chat.BitsPerByte > 0) || r.Chat.BitsPerByte == r.Chat.BitsPerByteBefore {
		t.Errorf("%d dialogues, %v bits per byte", len(r.Chat.Dialogues), r.Chat.BitsPerByte)
	}
	checkUnseen(t, whole)

	// The second call does nothing, also without being told again; a copy alone is a model.
	last := modified(t, whole)
	o.Chat = false
	if again, err := Run(t.Context(), o); err != nil || again.Chat == nil || modified(t, whole) != last {
		t.Errorf("a second run changed something (%v)", err)
	}
	copied := filepath.Join(dir, "copy")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(whole, "chat"))); err != nil {
		t.Fatal(err)
	}
	m, err := lm.Open(copied, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if template, err := m.ChatTemplate(); err != nil || template == nil || m.Tokenizer == nil {
		t.Errorf("the copy of chat has the template %v (%v)", template, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	b := o
	b.Out, b.Chat = broken, true
	b.Progress = func(p Progress) {
		if p.Stage == "chat-sft" && p.Step == 1 {
			cancel()
		}
	}
	if _, err := Run(ctx, b); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	b.Progress = nil
	if _, err := Run(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{chatPairs}, chatFiles...) {
		want, err := os.ReadFile(filepath.Join(whole, "chat", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(broken, "chat", filepath.FromSlash(name))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("chat/%s of the run that was interrupted is another one (%v)", name, err)
		}
	}
}

// checkUnseen makes sure that no question that is held out is in a file to train on.
func checkUnseen(t *testing.T, dir string) {
	t.Helper()
	q := &quick{Options: Options{Out: dir}}
	unseen, err := q.readRows(chatUnseen)
	if err != nil {
		t.Fatal(err)
	}
	questions, documentation := map[string]bool{}, 0
	for _, r := range unseen {
		questions[r.Messages[0].Content] = true
		if r.Task == "documentation" {
			documentation++
		}
	}
	if len(questions) != len(unseen) || len(questions) < 200 || documentation == 0 {
		t.Errorf("%d questions are held out, %d different, %d about documentation", len(unseen), len(questions), documentation)
	}
	for _, name := range []string{chatConversations, chatTraining, chatPairs} {
		rows, err := q.readRows(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if m := append(r.Messages, r.Chosen...); questions[m[0].Content] {
				t.Errorf("%s trains on %q, which is held out", name, m[0].Content)
			}
		}
	}
}
