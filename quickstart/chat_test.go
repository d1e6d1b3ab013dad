package quickstart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	sameChat(t, "that was interrupted", broken, whole)

	// An earlier version fine-tuned with another rate: what it made is kept aside.
	q := &quick{Options: b}
	q.Progress, q.Print = func(Progress) {}, func(s string) { t.Log(s) }
	c := q.sftConfig()
	c.LearningRate, c.OverwriteOutputDir = 1e-3, true
	if err := q.sft(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(broken, "chat", "sft", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"chat-sft", "chat-reward-sft", "chat-pairs", "chat-dpo", "chat-reward-dpo", "chat-grpo", "chat-reward-grpo", "chat-evaluate", "chat-dialogues"} {
		if err := os.Remove(filepath.Join(broken, "stages", stage+".json")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Run(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	sameChat(t, "after one with another rate", broken, whole)
	if aside, err := os.ReadFile(filepath.Join(broken, "earlier", "chat", "sft", "model.safetensors")); err != nil || !bytes.Equal(aside, old) {
		t.Errorf("the model of another rate is not kept (%v)", err)
	}
}

// sameChat compares what two runs have adapted.
func sameChat(t *testing.T, what, got, want string) {
	t.Helper()
	names := append([]string{chatPairs}, chatFiles...)
	for _, s := range chatStages {
		names = append(names, s+"/chain.jsonl")
	}
	for _, name := range names {
		a, err := os.ReadFile(filepath.Join(want, "chat", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(got, "chat", filepath.FromSlash(name))); err != nil || !bytes.Equal(a, b) {
			t.Errorf("chat/%s of the run %s is another one (%v)", name, what, err)
		}
	}
}

// killedAt are where TestChatKilled ends the process: in a stage, so many steps after its beginning, or in the
// middle of what it counts.
var killedAt = []Progress{
	{Stage: "chat-data"},
	{Stage: "chat-reward-base", Done: 1},
	{Stage: "chat-sft", Step: 2},
	{Stage: "chat-reward-sft", Done: 1},
	{Stage: "chat-pairs", Done: 1},
	{Stage: "chat-dpo", Step: 1},
	{Stage: "chat-grpo", Step: 1},
	{Stage: "chat-evaluate"},
	{Stage: "chat-dialogues"},
	{Stage: "report"},
}

// TestChatKilled: killed in every stage and begun again each time, adaptation ends with the bytes of a run that
// was left alone.
func TestChatKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole chain, twice")
	}
	t.Setenv("GOROOT", "")
	t.Setenv("PATH", "")
	if dir := os.Getenv("OLMO_CHAT_KILLED"); dir != "" {
		killItself(t, dir)
		return
	}
	whole, killed := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "killed")
	o := Options{Out: whole, Steps: 4, Depth: 1, Version: "test"}
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(killed, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	o.Chat = true
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range killedAt {
		c := exec.Command(self, "-test.run=^TestChatKilled$")
		c.Env = append(os.Environ(), "OLMO_CHAT_KILLED="+killed, fmt.Sprintf("OLMO_CHAT_KILLED_AT=%d", i))
		if out, err := c.CombinedOutput(); err == nil {
			t.Errorf("%s: the process was not killed: %s", at.Stage, out)
		}
	}
	o.Out = killed
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sameChat(t, "that was killed", killed, whole)
}

// killItself runs the chain in a folder until the process is ended.
func killItself(t *testing.T, dir string) {
	n, err := strconv.Atoi(os.Getenv("OLMO_CHAT_KILLED_AT"))
	if err != nil {
		t.Fatal(err)
	}
	at := killedAt[n]
	_, err = Run(t.Context(), Options{Out: dir, Steps: 4, Depth: 1, Version: "test", Chat: true, Progress: func(p Progress) {
		if p.Stage != at.Stage || p.Step < at.Step || p.Done < at.Done {
			return
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			panic(err)
		}
		select {}
	}})
	t.Logf("came to its end: %v", err)
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
