package train_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/proof"
	"olmo/train"
	"olmo/weights"
)

// chainOf reads a chain by the rule in words: each line's hash is over the 32 bytes of the one
// before and the line without its hash.
func chainOf(t *testing.T, dir string) (lines []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "chain.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var before []byte
	for line := range strings.Lines(string(text)) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		body, _, _ := strings.Cut(line, `,"hash":`)
		want := sha256.Sum256(append(slices.Clone(before), body+"}"...))
		if l["hash"] != hex.EncodeToString(want[:]) {
			t.Fatalf("%q has another hash than %x", line, want)
		}
		before = want[:]
		lines = append(lines, l)
	}
	return lines
}

// TestChain: what the lines say is what happened.
func TestChain(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "max_duration=6", "stop_at=5", "save_interval=2", "chain_state_interval=3", "model.n_layers=1")
	lines := chainOf(t, dir)
	if len(lines) != 7 { // the first, five steps, and the state in which it stopped
		t.Fatalf("%d lines", len(lines))
	}
	recipe, err := os.ReadFile(filepath.Join(dir, "recipe.json"))
	if err != nil {
		t.Fatal(err)
	}
	if h := proof.Sum(recipe); lines[0]["recipe"] != h.String() || lines[0]["format"] != "olmo chain 1" || lines[0]["documents"] == nil || lines[0]["masks"] != nil {
		t.Errorf("the first line: %v", lines[0])
	}
	log, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(log), []byte("\n")) {
		var rec map[string]any
		if err := json.Unmarshal(line, &rec); err != nil {
			t.Fatal(err)
		}
		l := lines[i+1]
		if rec["chain"] != l["hash"] || l["loss"] != fmt.Sprintf("%016x", math.Float64bits(rec["train/CrossEntropyLoss"].(float64))) || l["grad_norm"] != fmt.Sprintf("%016x", math.Float64bits(rec["optim/total_grad_norm"].(float64))) {
			t.Errorf("log %s, chain %v", line, l)
		}
		if _, has := l["weights"]; has != (i+1 == 2 || i+1 == 3 || i+1 == 4) {
			t.Errorf("step %d has roots: %v", i+1, has)
		}
	}
	for _, c := range []struct{ step, line int }{{0, 0}, {2, 2}, {4, 4}, {5, 6}} {
		folder := filepath.Join(dir, fmt.Sprintf("step%d", c.step))
		for file, member := range map[string]string{"model.safetensors": "weights", "optim.safetensors": "optim"} {
			set, err := weights.Open(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			sums, err := weights.Sums(set.All())
			if err != nil {
				t.Fatal(err)
			}
			if got := weights.Root(sums).String(); got != lines[c.line][member] {
				t.Errorf("%s of step %d has the root %s, the chain says %v", member, c.step, got, lines[c.line][member])
			}
			set.Close()
		}
		text, err := os.ReadFile(filepath.Join(folder, "train.json"))
		if err != nil {
			t.Fatal(err)
		}
		if h, err := train.HashState(text); err != nil || h.String() != lines[c.line]["state"] {
			t.Errorf("state of step %d: %v, %v; the chain says %v", c.step, h, err, lines[c.line]["state"])
		}
		var s train.State
		if err := json.Unmarshal(text, &s); err != nil || s.Chain.String() != lines[min(c.line, 5)]["hash"] {
			t.Errorf("train.json of step %d has the hash %v (%v)", c.step, s.Chain, err)
		}
	}
}

// TestChainContinued: a run that was stopped or killed anywhere has, once it has gone on, the
// chain of one that never was.
func TestChainContinued(t *testing.T) {
	whole := t.TempDir()
	base := []string{"max_duration=7", "save_interval=3", "model.n_layers=1"}
	run(t, whole, append(base, "stop_at=7")...)
	want, err := os.ReadFile(filepath.Join(whole, "chain.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(dir string) string {
		text, err := os.ReadFile(filepath.Join(dir, "chain.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	parts := t.TempDir()
	for _, stop := range []string{"stop_at=2", "stop_at=4", "stop_at=7"} {
		run(t, parts, append(base, stop, "try_load_latest_save=true")...)
	}
	if got := read(parts); got != string(want) {
		t.Errorf("in parts:\n%s\nat once:\n%s", got, want)
	}
	// A run that is called again and has nothing to do keeps the state in which it was stopped.
	stopped := t.TempDir()
	run(t, stopped, append(base, "stop_at=2")...)
	before := read(stopped)
	run(t, stopped, append(base, "stop_at=2", "try_load_latest_save=true")...)
	if got := read(stopped); got != before || !strings.Contains(got, `{"step":2,"weights":`) {
		t.Errorf("after a call that did nothing:\n%s\nbefore it:\n%s", got, before)
	}
	for name, damage := range map[string]func(text []byte) []byte{
		"a torn line":              func(text []byte) []byte { return text[:len(text)-20] },
		"a last line that is gone": func(text []byte) []byte { return text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1] },
		"more than the checkpoint": func(text []byte) []byte { return append(text, `{"step":8,"inst`...) },
		"noise behind":             func(text []byte) []byte { return append(text, 0, 0, 0, '\n') },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run(t, dir, append(base, "stop_at=3")...)
			path := filepath.Join(dir, "chain.jsonl")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(text), 0o666); err != nil {
				t.Fatal(err)
			}
			run(t, dir, append(base, "stop_at=7", "try_load_latest_save=true")...)
			if got := read(dir); got != string(want) {
				t.Errorf("mended:\n%s\nat once:\n%s", got, want)
			}
		})
	}
}

// TestChainRefuses: a run does not go on from what its chain denies.
func TestChainRefuses(t *testing.T) {
	base := []string{"max_duration=7", "save_interval=2", "model.n_layers=1", "try_load_latest_save=true"}
	from := t.TempDir()
	run(t, from, append(base, "stop_at=4")...)
	replace := func(dir, file, old, new string) error {
		path := filepath.Join(dir, file)
		text, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(text, []byte(old)) {
			err = fmt.Errorf("%s does not hold %q", file, old)
		}
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.Replace(text, []byte(old), []byte(new), 1), 0o666)
	}
	for _, c := range []struct {
		name  string
		forge func(dir string) error
		want  string
	}{
		{"a changed line", func(dir string) error {
			return replace(dir, "chain.jsonl", `"step":3,"instances":"`, `"step":3,"instances":"0`)
		}, "chain.jsonl, line 4"},
		{"a line that is gone", func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "chain.jsonl"))
			if err != nil {
				return err
			}
			lines := bytes.SplitAfter(text, []byte("\n"))
			return os.WriteFile(filepath.Join(dir, "chain.jsonl"), bytes.Join(slices.Delete(lines, 2, 3), nil), 0o666)
		}, "its step is 3, behind 1"},
		{"another step's checkpoint", func(dir string) error {
			if err := os.RemoveAll(filepath.Join(dir, "step4")); err != nil {
				return err
			}
			return os.CopyFS(filepath.Join(dir, "step4"), os.DirFS(filepath.Join(dir, "step2")))
		}, ""},
		{"another tensor, with tensors.jsonl", func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "tensors.jsonl"))
			if err != nil {
				return err
			}
			at := bytes.LastIndex(text, []byte(`"transformer.ln_f.weight":"`)) + len(`"transformer.ln_f.weight":"`)
			text[at] = 'a' + (text[at]-'a'+1)%6
			return os.WriteFile(filepath.Join(dir, "tensors.jsonl"), text, 0o666)
		}, "transformer.ln_f.weight has the hash"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			if err := c.forge(dir); err != nil {
				t.Fatal(err)
			}
			tr := newTrainer(t, tiny, append(base, "save_folder="+dir, "stop_at=7")...)
			_, err := tr.Run(t.Context())
			tr.Close()
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "hint: ")) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
			if c.want == "" && err == nil && tr.State().Step != 7 {
				t.Errorf("it goes on to step %d", tr.State().Step)
			}
		})
	}
}

// TestChainChanges: settings that change on the way are in the chain, and each part of the run has
// its recipe.
func TestChainChanges(t *testing.T) {
	dir := t.TempDir()
	base := []string{"max_duration=7", "save_interval=2", "model.n_layers=1", "try_load_latest_save=true"}
	run(t, dir, append(base, "stop_at=2")...)
	first, err := os.ReadFile(filepath.Join(dir, "recipe.json"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, append(base, "stop_at=4", "accept_changes=true", "optimizer.learning_rate=1e-5")...)
	run(t, dir, append(base, "stop_at=7", "optimizer.learning_rate=1e-5")...)
	lines := chainOf(t, dir)
	again, err := os.ReadFile(filepath.Join(dir, "recipe.json"))
	if err != nil || !bytes.Equal(again, first) {
		t.Errorf("recipe.json has changed (%v)", err)
	}
	second, err := os.ReadFile(filepath.Join(dir, "recipe-3.json"))
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := train.RecipeDifferences(first, second); err != nil || !slices.Equal(keys, []string{"optimizer.learning_rate"}) {
		t.Errorf("the recipes differ in %v, %v", keys, err)
	}
	for i, l := range lines[1:] {
		if h, has := l["recipe"]; has != (i+1 == 3) || has && h != proof.Sum(second).String() {
			t.Errorf("step %d: recipe %v", i+1, h)
		}
	}
}

// TestChainFrom: a run that grew out of another one names the end of that one's chain.
func TestChainFrom(t *testing.T) {
	parent, child := t.TempDir(), t.TempDir()
	run(t, parent, "max_duration=4", "stop_at=4", "model.n_layers=1")
	run(t, child, "load_path="+filepath.Join(parent, "step4"), "max_duration=6", "stop_at=6", "model.n_layers=1")
	was, is := chainOf(t, parent), chainOf(t, child)
	if is[0]["from"] != was[len(was)-1]["hash"] || is[0]["step"] != 4.0 || is[0]["weights"] != was[len(was)-1]["weights"] || is[0]["optim"] != was[len(was)-1]["optim"] {
		t.Errorf("the parent ends with %v, the child begins with %v", was[len(was)-1], is[0])
	}
	if _, err := os.Stat(filepath.Join(child, "step4", "model.safetensors")); err != nil {
		t.Errorf("the child's first state is not there: %v", err)
	}
}

// TestChainOfOlder: a run whose program wrote no chain begins one at its checkpoint.
func TestChainOfOlder(t *testing.T) {
	dir := t.TempDir()
	base := []string{"max_duration=6", "save_interval=2", "model.n_layers=1", "try_load_latest_save=true"}
	run(t, dir, append(base, "stop_at=2")...)
	old := chainOf(t, dir)
	for _, file := range []string{"chain.jsonl", "tensors.jsonl", "recipe.json"} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, append(base, "stop_at=3")...)
	lines := chainOf(t, dir)
	if lines[0]["step"] != 2.0 || lines[0]["from"] != old[2]["hash"] || lines[0]["state"] != old[2]["state"] {
		t.Errorf("the first line: %v, the older chain's last: %v", lines[0], old[2])
	}
	// Killed before its next checkpoint it goes on from the older program's once more.
	if err := os.RemoveAll(filepath.Join(dir, "step3")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "latest")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, append(base, "stop_at=6")...)
	if got := chainOf(t, dir); len(got) != 5 || got[0]["hash"] != lines[0]["hash"] {
		t.Errorf("%d lines, the first %v", len(got), got[0])
	}
}

// TestChainNotes: every so many steps the head of the chain is signed: its lines until then, and the
// root over them; also in a run that was stopped, which signs nothing twice.
func TestChainNotes(t *testing.T) {
	dir := t.TempDir()
	type head struct {
		lines uint64
		root  proof.Hash
	}
	var signed []head
	for _, stop := range []string{"stop_at=3", "stop_at=5", "stop_at=7"} {
		tr := newTrainerWith(t, train.Options{Warn: func(s string) { t.Log(s) }, Sign: func(lines uint64, root proof.Hash) ([]byte, error) {
			signed = append(signed, head{lines, root})
			return fmt.Appendf(nil, "%d %v", lines, root), nil
		}}, tiny, "save_folder="+dir, "max_duration=7", "save_interval=3", "model.n_layers=1", "chain_note_interval=2", "try_load_latest_save=true", stop)
		if _, err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if stop == "stop_at=5" { // as after a kill, the run goes on from step 3
			for _, folder := range []string{"step5", "latest"} {
				if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("step3", filepath.Join(dir, "latest")); err != nil {
				t.Skip(err)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "chain.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	var want []head
	for _, n := range []uint64{3, 5, 7} {
		var tree proof.Tree
		for _, line := range lines[:n] {
			tree.Add(line)
		}
		want = append(want, head{n, tree.Root()})
		file := filepath.Join(dir, "notes", fmt.Sprintf("step%d-%.8s.note", n-1, tree.Root()))
		if text, err := os.ReadFile(file); err != nil || string(text) != fmt.Sprintf("%d %v", n, tree.Root()) {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
	if !slices.Equal(signed, want) {
		t.Errorf("signed were %v, want %v", signed, want)
	}
}
