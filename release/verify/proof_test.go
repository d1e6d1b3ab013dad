package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"olmo/proof"
	"olmo/release"
	"olmo/release/verify"
	"olmo/weights"
)

// proved is a proof as it is read from its file.
func proved(t testing.TB, dir, what string) []verify.Proof {
	t.Helper()
	made, err := verify.Prove(context.Background(), dir, what)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	var text bytes.Buffer
	for i := range made {
		check(t, json.NewEncoder(&text).Encode(&made[i]))
	}
	if text.Len() > 8<<10 {
		t.Errorf("%s: a proof of %d bytes", what, text.Len())
	}
	read, err := verify.ReadProofs(&text)
	check(t, err)
	return read
}

// TestProofs: what is in a release can be shown to who has a root of it, and nothing else can.
func TestProofs(t *testing.T) {
	dir := fresh(t)
	m, err := release.Open(dir)
	check(t, err)
	main := m.Revisions[len(m.Revisions)-1]
	lines := chainLines(t, dir)
	first, _, err := weightsOf(t, filepath.Join(dir, "train/step8/model.safetensors"))
	check(t, err)
	ids := read(t, filepath.Join(dir, "data/tokens/a.npy"))
	tensor := func(path, name string) []byte {
		set, err := weights.Open(filepath.Join(dir, path))
		check(t, err)
		defer set.Close()
		v, err := set.Tensor(name)
		check(t, err)
		return bytes.Clone(v.Data)
	}
	for _, c := range []struct {
		what, root string
		leaf       []byte
	}{
		{"8", "steps:" + m.Run.StepsRoot.String(), append(bytes.Clone(lines[8]), '\n')},
		{"train/chain.jsonl", "files:" + m.FilesRoot.String(), read(t, filepath.Join(dir, "train/chain.jsonl"))},
		{"model/main/model.safetensors#lm_head.weight", "weights:" + main.WeightsRoot.String(), tensor("model/main/model.safetensors", "lm_head.weight")},
		{"train/step8/model.safetensors#" + block, "weights:" + first, tensor("train/step8/model.safetensors", block)},
		{"document:a.npy-0", "documents:" + m.Data.DocumentsRoot.String(), ids[:2*len("document 0 of the first file says nothing new\n")]},
	} {
		all := proved(t, dir, c.what)
		if len(all) != 1 {
			t.Errorf("%s: %d proofs", c.what, len(all))
		}
		p := all[0]
		if err := p.Check(c.root); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if err := p.CheckLeaf(bytes.NewReader(c.leaf)); err != nil {
			t.Errorf("%s: its own leaf: %v", c.what, err)
		}
		if p.CheckLeaf(strings.NewReader("another")) == nil {
			t.Errorf("%s is a proof of other bytes", c.what)
		}
		// Of another root, kind or place, or with another hash on its way, it is none.
		kind, digits, _ := strings.Cut(c.root, ":")
		other := proof.Sum([]byte(digits)).String()
		if p.Check(kind+":"+other) == nil || p.Check("x:"+digits) == nil || p.Check(digits) == nil {
			t.Errorf("%s is a proof under another root", c.what)
		}
		q := p
		q.Index++
		if len(p.Path) > 0 && q.Check(c.root) == nil {
			t.Errorf("%s is a proof of its neighbour", c.what)
		}
		for i := range p.Path {
			q := p
			q.Path = append([]proof.Hash{}, p.Path...)
			q.Path[i][0] ^= 1
			if q.Check(c.root) == nil {
				t.Errorf("%s is a proof with another hash", c.what)
			}
		}
	}
	for _, what := range []string{"99", "train/none", "model/main/model.safetensors#none", "train/chain.jsonl#x", "document:none", "../x"} {
		if all, err := verify.Prove(context.Background(), dir, what); err == nil {
			t.Errorf("%s is proved: %+v", what, all)
		}
	}
}

// weightsOf is the root over the tensors of a file.
func weightsOf(t testing.TB, path string) (root string, n int, err error) {
	set, err := weights.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer set.Close()
	sums, err := weights.Sums(set.All())
	return weights.Root(sums).String(), len(sums), err
}

// A proof from whoever made it is read or refused, and leads to a root or does not.
func FuzzReadProofs(f *testing.F) {
	for _, kind := range []string{"step", "file", "tensor", "document", "x"} {
		f.Add(fmt.Appendf(nil, `{"format":"olmo proof 1","kind":%q,"leaf":{"line":"{}","path":"a","size":1,"name":"t","dtype":"F32","shape":[2],"file":"a","start":0,"end":1,"sha256":%q},"index":0,"size":1,"path":[],"root":%[2]q}`, kind, strings.Repeat("0", 64)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := verify.ReadProofs(bytes.NewReader(text))
		for i := range all {
			if err != nil {
				t.Error("a proof and an error")
			}
			for _, kind := range []string{"steps:", "files:", "weights:", "documents:"} {
				if all[i].Check(kind+strings.Repeat("0", 64)) == nil {
					t.Errorf("%s leads to the root 0", text)
				}
			}
			_ = all[i].CheckLeaf(strings.NewReader("x"))
			_ = all[i].What()
		}
	})
}
