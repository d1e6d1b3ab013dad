package verify_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/proof"
	"olmo/proof/note"
	"olmo/release"
	"olmo/release/verify"
)

// noteKeys is a pair of keys for notes.
func noteKeys(t *testing.T, name string) (note.PrivateKey, note.PublicKey) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.note")
	public, err := note.WriteKeys(path, name)
	check(t, err)
	private, err := note.ReadPrivate(path)
	check(t, err)
	open, err := note.ReadPublic(public)
	check(t, err)
	return private, open
}

// rootOf is the root over the first lines of a chain.
func rootOf(lines [][]byte) proof.Hash {
	var tree proof.Tree
	for _, line := range lines {
		tree.Add(line)
	}
	return tree.Root()
}

// TestNotes: what is signed of a chain is held against it, in a release and in a run as it went on.
func TestNotes(t *testing.T) {
	key, open := noteKeys(t, "k")
	_, other := noteKeys(t, "k")
	for _, c := range []struct {
		name   string
		change func(h *note.Head)
		key    note.PublicKey
		want   []string
	}{
		{"right", func(*note.Head) {}, open, nil},
		{"no key", func(*note.Head) {}, nil, nil},
		{"another key", func(*note.Head) {}, other, []string{"signature train/chain.note"}},
		{"another root", func(h *note.Head) { h.Root[0] ^= 1 }, open, []string{"chain train/chain.note step %d"}},
		{"another length", func(h *note.Head) { h.Size++ }, open, []string{"chain train/chain.note"}},
		{"another name", func(h *note.Head) { h.Origin = "lab/other" }, open, []string{"chain train/chain.note"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := fresh(t)
			lines := chainLines(t, dir)
			m, err := release.Open(dir)
			check(t, err)
			h := note.Head{Origin: m.Name, Size: int64(len(lines)), Root: rootOf(lines)}
			c.change(&h)
			text, err := h.Sign(key)
			check(t, err)
			write(t, filepath.Join(dir, "train", "chain.note"), text)
			seal(t, dir)
			last, err := proof.ParseLine(lines[len(lines)-1])
			check(t, err)
			var want []string
			for _, text := range c.want {
				if strings.Contains(text, "%d") {
					text = fmt.Sprintf(text, last.Step)
				}
				want = append(want, text)
			}
			got, r := verified(t, dir, verify.Options{Note: c.key})
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q: %+v", got, want, r.Problems)
			}
			if said := slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, "signatures of notes were not checked") }); said != (c.key == nil) {
				t.Errorf("notes: %q", r.Notes)
			}
		})
	}
	if got, _ := verified(t, fresh(t), verify.Options{Note: open}); !slices.Equal(got, []string{"signature train/chain.note"}) {
		t.Errorf("no note: %q", got)
	}

	run := newRun(t)
	text := read(t, filepath.Join(run, "chain.jsonl"))
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	sign := func(name string, size int, root proof.Hash) {
		text, err := note.Head{Origin: "k", Size: int64(size), Root: root}.Sign(key)
		check(t, err)
		write(t, filepath.Join(run, "notes", name), text)
	}
	root := func(n int) proof.Hash {
		var all [][]byte
		for _, l := range lines[:n] {
			all = append(all, []byte(l))
		}
		return rootOf(all)
	}
	sign("step1.note", 2, root(2))
	sign("step2.note", 3, root(3))
	sign("step900.note", 901, root(2)) // of before a kill
	got, r := verified(t, run, verify.Options{Note: open})
	if len(got) > 0 || !slices.ContainsFunc(r.Notes, func(s string) bool { return strings.HasPrefix(s, "notes/step900.note is of 901 lines") }) {
		t.Errorf("a run: %q, %q", got, r.Notes)
	}
	sign("step1.note", 2, root(3))
	write(t, filepath.Join(run, "notes", "step2.note"), []byte("noise"))
	if got, _ := verified(t, run, verify.Options{Note: open}); !slices.Equal(got, []string{"signature notes/step2.note", "chain notes/step1.note step 1"}) {
		t.Errorf("a run whose notes are others: %q", got)
	}
}
