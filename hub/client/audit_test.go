package client_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"olmo/hub/client"
	"olmo/hub/client/hubtest"
)

// made is a file of a made up hash.
func made(name string, size int64) hubtest.Entry {
	return hubtest.Entry{LFS: true, Hash: fmt.Sprintf("%x", sha256.Sum256([]byte(name))), Size: size}
}

// head is the beginning of a safetensors file with these tensors, which is all that an audit reads.
func head(tensors ...string) hubtest.Entry {
	h := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	for i, name := range tensors {
		h[name] = map[string]any{"dtype": "F32", "shape": []int{1}, "data_offsets": []int{4 * i, 4*i + 4}}
	}
	text, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return hubtest.Entry{LFS: true, Content: append(append(b, text...), make([]byte, 4*len(tensors))...)}
}

// index says that tensors t1, t2, … lie in these shards.
func index(shards ...string) hubtest.Entry {
	m := map[string]string{}
	for i, s := range shards {
		m[fmt.Sprintf("t%d", i+1)] = s
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]int{"total_size": 8}, "weight_map": m})
	if err != nil {
		panic(err)
	}
	return hubtest.Entry{Content: text}
}

func audit(t *testing.T, s *hubtest.Server) *client.Audit {
	t.Helper()
	a, err := open(t).Audit(t.Context(), client.Repo{Type: "model", Name: "lab/my-model"}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.OK != (len(a.Problems) == 0) {
		t.Errorf("ok is %v with %d problems", a.OK, len(a.Problems))
	}
	return a
}

// found wants these problems, each as "kind path revisions".
func found(t *testing.T, a *client.Audit, want ...string) {
	t.Helper()
	var got []string
	for _, p := range a.Problems {
		got = append(got, strings.TrimSpace(p.Kind+" "+p.Path+" "+strings.Join(p.Revisions, ",")+" "+p.Tensor))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestAuditEqualSteps is the shape of allenai/OLMo#915: three steps whose six shards are the same,
// among steps that differ, with main equal to the last one.
func TestAuditEqualSteps(t *testing.T) {
	s := hubtest.Start(t)
	var steps []int
	for step := 100000; step <= 928000; step += 36000 {
		steps = append(steps, step)
	}
	shard := func(i int) string { return fmt.Sprintf("model-%05d-of-00006.safetensors", i) }
	equal := []string{"stage1-step101000-tokens424B", "stage1-step175000-tokens735B", "stage1-step300000-tokens1259B"}
	branch := func(name, content string) {
		files := map[string]hubtest.Entry{"config.json": {Content: []byte("{}")}, "tokenizer.json": made("tokenizer", 7<<20), "training_args.bin": made("args", 5000)}
		for i := 1; i <= 6; i++ {
			files[shard(i)] = made(fmt.Sprint(content, i), 5<<30)
		}
		s.Put("models/lab/my-model", name, files)
	}
	for _, step := range steps {
		branch(fmt.Sprintf("stage1-step%d-tokens%dB", step, step/238), fmt.Sprint("step", step))
	}
	for _, name := range equal {
		branch(name, "the same")
	}
	last := steps[len(steps)-1]
	branch("main", fmt.Sprint("step", last))
	a := audit(t, s)
	var want []string
	for i := 1; i <= 6; i++ {
		want = append(want, "duplicate "+shard(i)+" "+strings.Join(equal, ","))
	}
	found(t, a, want...)
	if want := fmt.Sprintf("main is stage1-step%d-tokens%dB", last, last/238); !slices.Contains(a.Notes, want) {
		t.Errorf("notes %q, want %q", a.Notes, want)
	}
}

// TestAuditPythia is the shape of EleutherAI/pythia#205 and #206: many steps equal to main, and
// steps with the last one's first shard only.
func TestAuditPythia(t *testing.T) {
	s := hubtest.Start(t)
	put := func(name string, contents ...string) {
		files := map[string]hubtest.Entry{}
		for i, c := range contents {
			files[fmt.Sprintf("pytorch_model-%05d-of-%05d.bin", i+1, len(contents))] = made(c, 9<<30)
		}
		s.Put("models/lab/my-model", name, files)
	}
	var equal []string
	for step := 1000; step <= 143000; step += 1000 {
		name := fmt.Sprintf("step%d", step)
		switch {
		case step == 50000 || step == 58000:
			put(name, "final 1", fmt.Sprint(step, 2), fmt.Sprint(step, 3))
			equal = append(equal, name)
		case step == 143000:
			put(name, "final 1", "final 2", "final 3")
			equal = append(equal, name)
		default:
			put(name, fmt.Sprint(step, 1), fmt.Sprint(step, 2), fmt.Sprint(step, 3))
		}
	}
	put("main", "final 1", "final 2", "final 3")
	a := audit(t, s)
	found(t, a, "duplicate pytorch_model-00001-of-00003.bin "+strings.Join(append([]string{"main"}, equal...), ","))
	if a.Checked.Revisions != 144 || a.Checked.Bytes != 0 {
		t.Errorf("checked %+v", a.Checked)
	}
}

func TestAuditSound(t *testing.T) {
	s := hubtest.Start(t)
	for name, content := range map[string]string{"main": "b", "step1": "a", "step2": "b", "step1-tokens4B": "a", "fp16": "b", "gguf": "c"} {
		s.Put("models/lab/my-model", name, map[string]hubtest.Entry{
			"model.safetensors": made(content, 1000), "consolidated.safetensors": made(content, 1000),
			"scheduler.pt": made("scheduler", 1000), "rng_state.pth": made("rng", 1000),
		})
	}
	found(t, audit(t, s))
}

func TestAuditMissing(t *testing.T) {
	s := hubtest.Start(t)
	s.Put("models/lab/my-model", "step1", map[string]hubtest.Entry{
		"model-00001-of-00003.safetensors": made("1", 1000), "model-00003-of-00003.safetensors": made("3", 1000),
		"model.safetensors.index.json": index("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "elsewhere.safetensors"),
	})
	s.Put("models/lab/my-model", "step2", map[string]hubtest.Entry{"config.json": {Content: []byte("{}")}})
	s.Put("models/lab/my-model", "step3", map[string]hubtest.Entry{"model.safetensors": {Content: make([]byte, 134)}})
	s.Put("models/lab/my-model", "step4", map[string]hubtest.Entry{"a/model-00001-of-00002.safetensors": made("x", 10), "a/model-00002-of-00002.safetensors": made("x", 10)})
	s.Put("models/lab/my-model", "step5", map[string]hubtest.Entry{"model-00007-of-99999.safetensors": made("y", 10)})
	s.Put("models/lab/my-model", "notes", map[string]hubtest.Entry{"README.md": {Content: []byte("no weights")}})
	want := []string{
		"missing model-00002-of-00003.safetensors step1",
		"missing elsewhere.safetensors step1",
		"missing  step2",
		"pointer model.safetensors step3",
		"duplicate a/model-00001-of-00002.safetensors step4",
		"missing model-00007-of-99999.safetensors step5", // the others, together
	}
	for i := 1; i <= 21; i++ {
		if i != 7 {
			want = append(want, fmt.Sprintf("missing model-%05d-of-99999.safetensors step5", i))
		}
	}
	found(t, audit(t, s), want...)
}

func TestAuditIndex(t *testing.T) {
	s := hubtest.Start(t)
	const one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	whole := map[string]hubtest.Entry{one: head("t1"), two: head("t2"), "model.safetensors.index.json": index(one, two)}
	for i := range 3 {
		files := maps.Clone(whole)
		// Other weights of the same sizes: their heads are not read again.
		for _, name := range []string{one, two} {
			e := files[name]
			e.Content = append(slices.Clone(e.Content[:len(e.Content)-1]), byte(i))
			files[name] = e
		}
		s.Put("models/lab/my-model", fmt.Sprintf("step%d", i+1), files)
	}
	a := audit(t, s)
	found(t, a)
	read := int64(len(whole["model.safetensors.index.json"].Content)) + int64(len(whole[one].Content)+len(whole[two].Content)) - 8
	if a.Checked.Bytes != read {
		t.Errorf("%d bytes were read, want %d: each content once", a.Checked.Bytes, read)
	}
	other := maps.Clone(whole)
	other[two] = head("t2", "t3")
	other["model.safetensors.index.json"] = index(one, one)
	s.Put("models/lab/my-model", "step4", other)
	s.Put("models/lab/my-model", "step5", map[string]hubtest.Entry{"x/model.safetensors.index.json": {Content: []byte(strings.Repeat("[", 10000))}, "x/" + one: head("u1"), "x/" + two: head("u2")})
	found(t, audit(t, s),
		"duplicate "+one+" step1,step4", // as it was made
		"tensor model.safetensors.index.json step4 t2",
		"index x/model.safetensors.index.json step5")
}

// TestAuditBudget: a hundred and fifty branches, each with an index and heads of its own, in under
// 1 MB beside listings.
func TestAuditBudget(t *testing.T) {
	s := hubtest.Start(t)
	for i := range 150 {
		var tensors, shards []string
		for j := range 300 {
			tensors = append(tensors, fmt.Sprintf("t%d", j+1))
			shards = append(shards, "model-00001-of-00001.safetensors")
		}
		e := head(append(tensors, "own"+strings.Repeat("x", i))...)
		f := index(shards...)
		f.Content = append(f.Content, strings.Repeat(" ", i)...)
		s.Put("models/lab/my-model", fmt.Sprintf("step%d", i), map[string]hubtest.Entry{"model-00001-of-00001.safetensors": e, "model.safetensors.index.json": f})
	}
	a := audit(t, s)
	found(t, a)
	if sent := s.Sent(); sent > 1_000_000 || a.Checked.Bytes > sent {
		t.Errorf("%d bytes were sent, %d said", sent, a.Checked.Bytes)
	}
	if len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "indexes were not read") {
		t.Errorf("notes %q", a.Notes)
	}
}
