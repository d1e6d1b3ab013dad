package build_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"olmo/data"
	remote "olmo/data/store"
	"olmo/data/store/storetest"
	"olmo/data/tokens"
	"olmo/device/cpu"
	"olmo/internal/program"
	"olmo/model"
	"olmo/proof"
	"olmo/release"
	"olmo/release/build"
	"olmo/release/replay"
	"olmo/release/signature"
	"olmo/release/verify"
	"olmo/store"
	"olmo/tokenizer"
	"olmo/train"
)

const settings = `
run_name: small run
seed: 7
model: {d_model: 16, n_heads: 2, n_layers: 1, mlp_hidden_size: 32, activation_type: swiglu, rope: true, layer_norm_type: rms, norm_after: true, attention_layer_norm: true,
  include_bias: false, weight_tying: false, attention_dropout: 0, residual_dropout: 0, embedding_dropout: 0, max_sequence_length: 16, vocab_size: 300, embedding_size: 304, eos_token_id: 0, pad_token_id: 1, init_fn: normal}
optimizer: {name: adamw, learning_rate: 4e-3}
scheduler: {name: cosine_with_warmup, t_warmup: 2}
data: {memmap_dtype: uint16, drop_last: true}
tokenizer: {identifier: tokenizer.json}
max_duration: 8
stop_at: 8
global_train_batch_size: 4
device_train_microbatch_size: 4
save_interval: 4
`

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o777))
	check(t, os.WriteFile(path, text, 0o666))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	return text
}

// corpus makes documents, a tokenizer and token files of two folders in a folder, and returns the
// config of a run on them.
func corpus(t testing.TB, dir string) string {
	t.Helper()
	for _, part := range []string{"a", "b"} {
		var b strings.Builder
		for i := range 40 {
			d := map[string]any{"id": fmt.Sprintf("%s-%d", part, i), "text": fmt.Sprintf("Document %d of part %s says nothing, and says it %d times.\n", i, part, i*i), "source": part, "created": "2024-05-01"}
			if part == "a" {
				d["metadata"] = map[string]any{"license": "CC-BY-4.0", "url": fmt.Sprintf("https://me:secret@example.org/%d?session=%d#top", i, i)}
			}
			line, err := json.Marshal(d)
			check(t, err)
			b.Write(append(line, '\n'))
		}
		write(t, filepath.Join(dir, "corpus", part, "documents", part+".jsonl"), []byte(b.String()))
	}
	file := filepath.Join(dir, "tokenizer.json")
	_, err := tokens.TrainTokenizer(context.Background(), tokens.TokenizerConfig{
		Inputs: []string{filepath.Join(dir, "corpus", "*", "documents", "*.jsonl")}, Output: file,
		TrainConfig: tokenizer.TrainConfig{VocabSize: 300, SpecialTokens: []string{"<|endoftext|>", "<|padding|>"}},
	})
	check(t, err)
	enc, err := tokenizer.Load(file)
	check(t, err)
	eos := int32(0)
	for _, part := range []string{"a", "b"} {
		_, err := tokens.Run(context.Background(), tokens.Config{
			Documents: []string{filepath.Join(dir, "corpus", part, "documents")}, Destination: filepath.Join(dir, "tokens", part), Encoder: enc, EOS: &eos,
		})
		check(t, err)
	}
	write(t, filepath.Join(dir, "train.yaml"), []byte(settings))
	return filepath.Join(dir, "train.yaml")
}

// paths are the token files of both folders.
func paths(dir string) string {
	return fmt.Sprintf("data.paths=[%s, %s]", filepath.Join(dir, "tokens", "a", "part-0-00000.npy"), filepath.Join(dir, "tokens", "b", "part-0-00000.npy"))
}

// run trains what a config says.
func run(t testing.TB, config string, overrides ...string) {
	t.Helper()
	cfg, err := train.LoadConfig(config, overrides)
	check(t, err)
	dev, err := cpu.New()
	check(t, err)
	tr, err := train.New(cfg, dev, train.Options{ConfigPath: config})
	check(t, err)
	_, err = tr.Run(context.Background())
	check(t, errors.Join(err, tr.Close()))
}

// newRun is a run on a corpus, and the folder of both.
func newRun(t testing.TB, overrides ...string) (dir, folder string) {
	t.Helper()
	dir = t.TempDir()
	config := corpus(t, dir)
	folder = filepath.Join(dir, "run")
	run(t, config, append([]string{paths(dir), "save_folder=" + folder}, overrides...)...)
	return dir, folder
}

// made releases a run.
func made(t testing.TB, o build.Options) (string, *release.Manifest) {
	t.Helper()
	if o.Out == "" {
		o.Out = filepath.Join(t.TempDir(), "out")
	}
	if o.Warn == nil {
		o.Warn = func(what string) { t.Errorf("warned: %s", what) }
	}
	r, err := build.Run(context.Background(), o)
	check(t, err)
	m, err := release.Open(r.Out)
	check(t, err)
	if v, err := verify.Folder(context.Background(), r.Out, verify.Options{Texts: true}); err != nil || !v.OK {
		t.Errorf("verify: %v, %+v", err, v)
	}
	if !reflect.DeepEqual(m, r.Manifest) {
		t.Errorf("release.json says %+v, the result %+v", m, r.Manifest)
	}
	return r.Out, m
}

// listed compares the files of a folder with those of its release.json.
func listed(t testing.TB, dir string, m *release.Manifest) {
	t.Helper()
	n := 0
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		check(t, err)
		if name = filepath.ToSlash(name); name == release.ManifestFile || name == release.SignatureFile {
			return nil
		}
		n++
		text := read(t, path)
		if f := m.File(name); f == nil || f.Size != int64(len(text)) || f.SHA256 != proof.Sum(text) {
			t.Errorf("%s is listed as %+v, and has %d bytes and the hash %v", name, f, len(text), proof.Sum(text))
		}
		return nil
	}))
	if n != len(m.Files) {
		t.Errorf("%d files, %d listed", n, len(m.Files))
	}
}

// plain is the content of a file, unpacked.
func plain(t testing.TB, path string) []byte {
	t.Helper()
	text := read(t, path)
	if filepath.Ext(path) != ".gz" {
		return text
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	check(t, err)
	if z.Name != "" || z.Comment != "" || filepath.Base(filepath.Dir(path)) == "data" && z.ModTime.Unix() != 0 {
		t.Errorf("%s says when it was packed (%v) or how it was called (%q)", path, z.ModTime, z.Name)
	}
	out, err := io.ReadAll(z)
	check(t, err)
	return out
}

// Token files and documents on a server become files of the release.
func TestRemote(t *testing.T) {
	storetest.Start(t, "bucket")
	dir := t.TempDir()
	config := corpus(t, dir)
	upload := func(from, to string) {
		w, err := remote.Create("s3://bucket/" + to)
		check(t, err)
		_, err = w.Write(read(t, filepath.Join(dir, filepath.FromSlash(from))))
		check(t, errors.Join(err, w.Commit()))
	}
	for _, part := range []string{"a", "b"} {
		for _, end := range []string{".npy", ".csv.gz", ".npy.leaves"} {
			upload("tokens/"+part+"/part-0-00000"+end, "tokens/"+part+"/part-0-00000"+end)
		}
	}
	folder := filepath.Join(dir, "run")
	run(t, config, "data.paths=[s3://bucket/tokens/a/part-0-00000.npy, s3://bucket/tokens/b/part-0-00000.npy]", "save_folder="+folder)
	out, m := made(t, build.Options{Run: folder, Documents: []string{filepath.Join(dir, "corpus", "a", "documents"), filepath.Join(dir, "corpus", "b", "documents")}})
	listed(t, out, m)
	checkDocuments(t, out, dir, m)
	trainsAgain(t, out)
}

// A release has every part of the run, each file as it is listed; made again, in another place and
// from elsewhere, it is the same, and it names no folder of this machine.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	config := corpus(t, dir)
	held := filepath.Join(dir, "held", "out.npy")
	write(t, held, read(t, filepath.Join(dir, "tokens", "b", "part-0-00000.npy"))[:200])
	mask := func(part string) string {
		name := filepath.Join(dir, "masks", part, "mask.npy")
		st, err := os.Stat(filepath.Join(dir, "tokens", part, "part-0-00000.npy"))
		check(t, err)
		write(t, name, bytes.Repeat([]byte{1}, int(st.Size()/2)))
		return name
	}
	from := filepath.Join(dir, "run")
	run(t, config, paths(dir), "save_folder="+from, "world_size=2",
		fmt.Sprintf("data.label_mask_paths=[%s, %s]", mask("a"), mask("b")),
		fmt.Sprintf("evaluators=[{label: held out, type: lm, data: {paths: [%s], memmap_dtype: uint16}}]", held), "eval_interval=4", "device_eval_batch_size=2")
	write(t, filepath.Join(from, "eval", "task", "results.json"), fmt.Appendf(nil, `{"model": %q, "results": {}}`, filepath.Join(from, "step8")))
	out, m := made(t, build.Options{Run: from, Name: "lab/small", Program: program.Read()})
	listed(t, out, m)
	want := []string{
		"data/documents/a/documents/a.jsonl", "data/documents/b/documents/b.jsonl", "data/manifest.jsonl.gz", "data/masks/a/mask.npy", "data/masks/b/mask.npy",
		"data/tokens/a/part-0-00000.csv.gz", "data/tokens/a/part-0-00000.npy", "data/tokens/b/part-0-00000.csv.gz", "data/tokens/b/part-0-00000.npy",
		"eval/data/held-out/out.npy", "eval/task/results.json",
	}
	for _, name := range []string{"main", "step0-tokens0B", "step4-tokens0B", "step8-tokens0B"} {
		if name == "main" {
			want = append(want, "model/main/README.md")
		}
		for _, file := range []string{"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
			want = append(want, "model/"+name+"/"+file)
		}
	}
	want = append(want, "tokenizer/tokenizer.json", "train/chain.jsonl", "train/config.yaml", "train/data-indices/rank0.tsv.gz", "train/data-indices/rank1.tsv.gz", "train/metrics.jsonl", "train/recipe.json")
	for _, step := range []string{"step0", "step4", "step8"} {
		for _, file := range []string{"config.yaml", "manifest.json", "model.safetensors", "optim.safetensors", "train.json"} {
			want = append(want, "train/"+step+"/"+file)
		}
	}
	want = append(want, "train/tensors.jsonl")
	var got []string
	for _, f := range m.Files {
		if !strings.HasPrefix(f.Path, "report/") {
			got = append(got, f.Path)
		}
		for _, folder := range []string{dir, out} {
			if bytes.Contains(plain(t, filepath.Join(out, f.Path)), []byte(folder)) {
				t.Errorf("%s names the folder %s", f.Path, folder)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("files\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if m.Name != "lab/small" || m.Run.Steps != 8 || m.Run.Tokens != 8*4*16 || m.Data.Documents != 80 || m.Tokenizer == nil || len(m.Revisions) != 4 || m.Revisions[3].WeightsRoot != m.Revisions[2].WeightsRoot {
		t.Errorf("release.json says %+v", m)
	}
	sameFile(t, filepath.Join(out, "train", "step4", "model.safetensors"), filepath.Join(from, "step4", "model.safetensors"))
	sameFile(t, filepath.Join(out, "data", "tokens", "a", "part-0-00000.npy"), filepath.Join(dir, "tokens", "a", "part-0-00000.npy"))
	checkDocuments(t, out, dir, m)
	checkModels(t, out, from)

	again := filepath.Join(t.TempDir(), "elsewhere")
	t.Chdir(from)
	made(t, build.Options{Run: ".", Name: "lab/small", Out: again, Program: program.Read()})
	equal(t, again, out)
	trainsAgain(t, out)
}

func sameFile(t *testing.T, a, b string) {
	t.Helper()
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	check(t, errors.Join(err1, err2))
	if !os.SameFile(x, y) {
		t.Errorf("%s is a copy of %s, not a link", a, b)
	}
}

// equal compares two folders.
func equal(t *testing.T, a, b string) {
	t.Helper()
	all := func(dir string) map[string][sha256.Size]byte {
		sums := map[string][sha256.Size]byte{}
		check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				name, _ := filepath.Rel(dir, path)
				sums[name] = sha256.Sum256(read(t, path))
			}
			return err
		}))
		return sums
	}
	x, y := all(a), all(b)
	for name := range y {
		if x[name] != y[name] {
			t.Errorf("%s differs", name)
		}
	}
	if len(x) != len(y) {
		t.Errorf("%d files, want %d", len(x), len(y))
	}
}

// checkDocuments compares manifest and places with the corpus.
func checkDocuments(t *testing.T, out, dir string, m *release.Manifest) {
	t.Helper()
	texts := map[string]string{}
	for _, part := range []string{"a", "b"} {
		for line := range strings.Lines(string(read(t, filepath.Join(dir, "corpus", part, "documents", part+".jsonl")))) {
			var d struct{ ID, Text string }
			check(t, json.Unmarshal([]byte(line), &d))
			texts[d.ID] = d.Text
		}
	}
	var tree proof.Tree
	n := 0
	for line := range strings.Lines(string(plain(t, filepath.Join(out, "data", "manifest.jsonl.gz")))) {
		var d map[string]any
		check(t, json.Unmarshal([]byte(line), &d))
		n++
		id := d["id"].(string)
		ids := read(t, filepath.Join(out, "data", "tokens", d["file"].(string)))
		sum := sha256.Sum256(ids[2*int(d["start"].(float64)) : 2*int(d["end"].(float64))])
		text := sha256.Sum256([]byte(texts[id]))
		if d["sha256"] != fmt.Sprintf("%x", sum) || d["text_sha256"] != fmt.Sprintf("%x", text) || d["created"] != "2024-05-01" {
			t.Errorf("document %s: %v", id, d)
		}
		part, number, _ := strings.Cut(id, "-")
		switch {
		case d["source"] != part:
			t.Errorf("source %v of %s", d["source"], id)
		case part == "a" && (d["license"] != "CC-BY-4.0" || d["url"] != "https://example.org/"+number):
			t.Errorf("license %v, url %v of %s", d["license"], d["url"], id)
		case part == "b" && (d["license"] != nil || d["url"] != nil):
			t.Errorf("license %v, url %v of %s", d["license"], d["url"], id)
		}
		tree.Add(fmt.Appendf(nil, "%s\x00%.0f\x00%.0f\x00%s\x00%s", d["file"], d["start"], d["end"], id, sum[:]))
	}
	if n != 80 || m.Data.DocumentsRoot == nil || tree.Root() != *m.Data.DocumentsRoot {
		t.Errorf("%d documents with root %v, release.json has %v", n, tree.Root(), m.Data.DocumentsRoot)
	}
	for _, part := range []string{"a", "b"} {
		check(t, tokens.ReadPlaces(filepath.Join(out, "data", "tokens", part, "part-0-00000.csv.gz"), func(p tokens.Place) error {
			lines := strings.Split(string(read(t, filepath.Join(out, p.Src))), "\n")
			if !strings.Contains(lines[p.Loc-1], `"`+p.ID+`"`) {
				t.Errorf("line %d of %s is not %s", p.Loc, p.Src, p.ID)
			}
			return nil
		}))
	}
}

// checkModels compares the models with the checkpoints, number by number.
func checkModels(t *testing.T, out, from string) {
	t.Helper()
	for name, step := range map[string]string{"step0-tokens0B": "step0", "step4-tokens0B": "step4", "main": "step8"} {
		got, err := model.Open(filepath.Join(out, "model", name))
		check(t, err)
		want, err := model.Open(filepath.Join(from, step))
		check(t, err)
		for _, p := range want.Config.Params() {
			a, err1 := got.Param(p.Name)
			b, err2 := want.Param(p.Name)
			check(t, errors.Join(err1, err2))
			if !slices.Equal(a, b) {
				t.Errorf("%s: %s differs from %s", name, p.Name, step)
			}
		}
		check(t, errors.Join(got.Close(), want.Close()))
	}
}

// trainsAgain trains what a release holds, from within it, and wants the same chain.
func trainsAgain(t *testing.T, out string) {
	t.Helper()
	t.Chdir(out)
	cfg, err := train.LoadConfig("train/config.yaml", nil)
	check(t, err)
	if !strings.HasPrefix(filepath.Clean(cfg.SaveFolder), "..") {
		t.Errorf("save_folder is %s, inside of the release", cfg.SaveFolder)
	}
	again := filepath.Join(t.TempDir(), "again")
	run(t, "train/config.yaml", "save_folder="+again)
	if !bytes.Equal(read(t, filepath.Join(again, "chain.jsonl")), read(t, filepath.Join(out, "train", "chain.jsonl"))) {
		t.Error("the run that the release describes has another chain")
	}
	// It never goes into the release.
	dev, err := cpu.New()
	check(t, err)
	cfg.SaveFolder = filepath.Join("train", "new")
	tr, err := train.New(cfg, dev, train.Options{ConfigPath: "train/config.yaml"})
	check(t, err)
	_, err = tr.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "release") {
		t.Errorf("a run into the release: %v", err)
	}
	check(t, tr.Close())
}

// What is left out stays listed as it would have been.
func TestLeftOut(t *testing.T) {
	_, from := newRun(t)
	_, all := made(t, build.Options{Run: from})
	whole := map[string]release.File{}
	for _, f := range all.Files {
		whole[f.Path] = f
	}
	for name, c := range map[string]struct {
		o          build.Options
		gone, kept []string
		revisions  int
	}{
		"documents": {build.Options{Without: []string{"documents"}}, []string{"data/documents"}, []string{"data/tokens", "data/manifest.jsonl.gz"}, 4},
		"data":      {build.Options{Without: []string{"data"}}, []string{"data"}, []string{"train", "model"}, 4},
		"state":     {build.Options{Without: []string{"state"}}, []string{"train/step0", "train/step4", "train/step8"}, []string{"train/chain.jsonl", "model/step4-tokens0B"}, 4},
		"pattern":   {build.Options{Without: []string{"model/step*/tokenizer*", "train/step4"}}, []string{"train/step4", "model/step0-tokens0B/tokenizer.json"}, []string{"train/step8", "model/step0-tokens0B/config.json", "model/main/tokenizer.json"}, 4},
		"last":      {build.Options{Checkpoints: []int{8}}, []string{"train/step0", "train/step4", "model/step0-tokens0B"}, []string{"train/step8", "model/step8-tokens0B", "model/main"}, 2},
		"not last":  {build.Options{Checkpoints: []int{4}}, []string{"train/step8", "model/step8-tokens0B"}, []string{"train/step4", "model/step4-tokens0B", "model/main"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Run = from
			out, m := made(t, c.o)
			listed(t, out, m)
			for _, f := range m.LeftOut {
				if !strings.HasPrefix(f.Path, "report/") && whole[f.Path] != f {
					t.Errorf("%+v is left out, the whole release has %+v", f, whole[f.Path])
				}
			}
			for _, f := range m.Files {
				if w := whole[f.Path]; !strings.HasPrefix(f.Path, "report/") && !strings.HasSuffix(f.Path, "/README.md") && w != f {
					t.Errorf("%+v, the whole release has %+v", f, w)
				}
			}
			if len(m.Files)+len(m.LeftOut) != len(all.Files) {
				t.Errorf("%d files and %d left out, of %d", len(m.Files), len(m.LeftOut), len(all.Files))
			}
			for _, path := range c.gone {
				if _, err := os.Stat(filepath.Join(out, path)); err == nil {
					t.Errorf("%s is there", path)
				}
			}
			for _, path := range c.kept {
				if _, err := os.Stat(filepath.Join(out, path)); err != nil {
					t.Error(err)
				}
			}
			if len(m.Revisions) != c.revisions {
				t.Errorf("%d revisions, want %d: %+v", len(m.Revisions), c.revisions, m.Revisions)
			}
		})
	}
}

func TestSurvey(t *testing.T) {
	dir, from := newRun(t)
	t.Setenv("HOME", "/home/somebody")
	file := filepath.Join(dir, "corpus", "b", "documents", "b.jsonl")
	text := read(t, file)
	write(t, file, bytes.Replace(text, []byte(`"source"`), []byte(`"path": "/home/somebody/b.txt", "source"`), 1))
	var rows strings.Builder
	for i := range 40 {
		spans := "[]"
		if i%10 == 0 {
			spans = "[[0, 5, 1.0]]"
		}
		fmt.Fprintf(&rows, `{"id": "b-%d", "attributes": {"x__pii_regex_v2__EMAIL_ADDRESS": %s, "x__pii_regex_v2__doc_count": [[0, 9, 1.0]]}}`+"\n", i, spans)
	}
	attributes, err := data.AttributePath(filepath.Join(dir, "corpus", "b", "documents", "b.jsonl"), "pii")
	check(t, err)
	write(t, attributes, []byte(rows.String()))
	var got *build.Survey
	made(t, build.Options{Run: from, Ask: func(s *build.Survey) error { got = s; return nil }})
	want := &build.Survey{Documents: 80, Licenses: map[string]int64{"CC-BY-4.0": 40}, None: 40, Judged: 40, Personal: 4, Addresses: 40, Folders: 1, Texts: true, Tokens: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("survey %+v, want %+v", got, want)
	}
	out := filepath.Join(t.TempDir(), "out")
	no := errors.New("no")
	if _, err := build.Run(context.Background(), build.Options{Run: from, Out: out, Ask: func(*build.Survey) error { return no }}); !errors.Is(err, no) {
		t.Errorf("after a no: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("it was released all the same")
	}
}

// Documents lie elsewhere, or are no longer what was encoded.
func TestDocuments(t *testing.T) {
	dir, from := newRun(t)
	try := func(o build.Options) (*release.Manifest, []string, error) {
		t.Helper()
		var warned []string
		o.Run, o.Out, o.Warn = from, filepath.Join(t.TempDir(), "out"), func(what string) { warned = append(warned, what) }
		r, err := build.Run(context.Background(), o)
		if err != nil {
			return nil, warned, err
		}
		return r.Manifest, warned, nil
	}
	has := func(m *release.Manifest) (n int) {
		for _, f := range m.Files {
			if strings.HasPrefix(f.Path, "data/documents/") {
				n++
			}
		}
		return n
	}
	was, now := filepath.Join(dir, "corpus"), filepath.Join(dir, "moved")
	check(t, os.Rename(was, now))
	m, warned, err := try(build.Options{})
	check(t, err)
	if has(m) != 0 || len(warned) != 1 || !strings.Contains(warned[0], "1 more files are not there") || !strings.Contains(warned[0], "--documents") {
		t.Errorf("%d documents, warned %q", has(m), warned)
	}
	m, warned, err = try(build.Options{Documents: []string{now + "/a/documents", now + "/b/documents/*.jsonl"}})
	check(t, err)
	if has(m) != 2 || len(warned) != 0 {
		t.Errorf("%d documents, warned %q", has(m), warned)
	}
	if _, _, err = try(build.Options{Documents: []string{now + "/a/documents"}}); err == nil || !strings.Contains(err.Error(), "b.jsonl is not there") {
		t.Errorf("with one of two files: %v", err)
	}
	check(t, os.Rename(now, was))
	file := filepath.Join(was, "b", "documents", "b.jsonl")
	text := read(t, file)
	for name, c := range map[string]struct{ text, want string }{
		"another text":  {strings.Replace(string(text), "says nothing", "says much", 1), `document "b-0" does not encode to its tokens`},
		"a line less":   {strings.Join(strings.SplitAfter(string(text), "\n")[:39], ""), "ends before line 40"},
		"another order": {strings.Join(append(strings.SplitAfter(string(text), "\n")[1:40], strings.SplitAfter(string(text), "\n")[0]), ""), "does not encode to its tokens"},
		"no document":   {strings.Replace(string(text), `"text"`, `"texts"`, 1), "line 1"},
	} {
		write(t, file, []byte(c.text))
		if _, _, err := try(build.Options{}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "b.jsonl") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	write(t, file, []byte(strings.Replace(string(text), "says nothing", "says much", 1)))
	if m, _, err = try(build.Options{Without: []string{"documents"}}); err != nil || has(m) != 0 {
		t.Errorf("without documents: %v", err)
	}
}

// A file that would tell where the run lies is not released.
func TestTells(t *testing.T) {
	dir, from := newRun(t)
	pad := strings.Repeat("x", 1<<16-10)
	write(t, filepath.Join(from, "eval", "notes.html"), []byte(pad+dir+pad))
	t.Setenv("HOME", dir)
	o := build.Options{Run: from, Out: filepath.Join(t.TempDir(), "out")}
	if _, err := build.Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "eval/notes.html: it would tell a folder of this machine: …") {
		t.Errorf("got %v", err)
	}
	o.Without = []string{"eval/*.html"}
	if _, err := build.Run(context.Background(), o); err != nil {
		t.Error(err)
	}
}

// Who mistypes what is to be left out would give it away.
func TestWithoutNothing(t *testing.T) {
	_, from := newRun(t)
	out := filepath.Join(t.TempDir(), "out")
	_, err := build.Run(context.Background(), build.Options{Run: from, Out: out, Without: []string{"data/documnets"}})
	if err == nil || !strings.Contains(err.Error(), "no file data/documnets") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("there is a release")
	}
}

// Runs of every kind have a release, with a config that can train them.
func TestKinds(t *testing.T) {
	if testing.Short() {
		t.Skip("trains, releases and repeats many runs")
	}
	dir, first := newRun(t)
	config := filepath.Join(dir, "train.yaml")
	for name, overrides := range map[string][]string{
		"packed":       {"data.name=packed_fsl"},
		"vsl":          {"data.name=vsl", "data.min_sequence_length=4"},
		"load_path":    {"load_path=" + filepath.Join(first, "step4"), "stop_at=6", "reset_trainer_state=true"},
		"init_weights": {"init_weights=" + filepath.Join(first, "step4", "model.safetensors"), "no_pre_train_checkpoint=true"},
		"twice":        {fmt.Sprintf("data.paths=[%[1]s, %[1]s]", filepath.Join(dir, "tokens", "a", "part-0-00000.npy"))},
		"stopped":      {"stop_at=5"},
		"ephemeral":    {"save_interval_ephemeral=3", "save_num_checkpoints_to_keep=1"},
		"interleaved":  {"data.name=interleaved_fsl", "data.docs_per_instance=2", "data.chunks_per_doc=2"},
		"mixture":      {"data.paths=null", fmt.Sprintf("data.mixture=[{name: a, target_ratio: 0.5, paths: [%s]}, {name: b, target_ratio: 0.5, paths: [%s]}]", filepath.Join(dir, "tokens", "a"), filepath.Join(dir, "tokens", "b")), "data.mixture_tokens=1000"},
		"datasets":     {"data.paths=null", fmt.Sprintf("data.datasets={y: [%s], x: [%s]}", filepath.Join(dir, "tokens", "a", "part-0-00000.npy"), filepath.Join(dir, "tokens", "b", "part-0-00000.npy"))},
		"bf16, muon":   {"precision=amp_bf16", "optimizer.name=muon", "chain_state_interval=1"},
	} {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "run")
			run(t, config, append([]string{paths(dir), "save_folder=" + from}, overrides...)...)
			out, m := made(t, build.Options{Run: from})
			listed(t, out, m)
			lines := bytes.Split(bytes.TrimSpace(read(t, filepath.Join(out, "train", "chain.jsonl"))), []byte("\n"))
			last, err := proof.ParseLine(lines[len(lines)-1])
			check(t, err)
			if m.Run.ChainHead != last.Hash || m.Run.Steps != last.Step || m.Revisions[len(m.Revisions)-1].Step != last.Step {
				t.Errorf("release.json says %+v, the last line is of step %d", m.Run, last.Step)
			}
			again := filepath.Join(t.TempDir(), "again")
			run(t, filepath.Join(out, "train", "config.yaml"), "save_folder="+again)
			got := bytes.Split(read(t, filepath.Join(again, "metrics.jsonl")), []byte("\n"))
			want := bytes.Split(read(t, filepath.Join(from, "metrics.jsonl")), []byte("\n"))
			if len(got) != len(want) || loss(t, got[len(got)-2]) != loss(t, want[len(want)-2]) {
				t.Errorf("trained again, the last loss is %v after %d lines, want %v after %d", loss(t, got[len(got)-2]), len(got), loss(t, want[len(want)-2]), len(want))
			}
			replayed(t, out)
			if f := m.File("train/init.safetensors"); (f != nil) != (name == "init_weights") {
				t.Errorf("train/init.safetensors is %v", f)
			}
		})
	}
}

func loss(t *testing.T, line []byte) any {
	var rec map[string]any
	check(t, json.Unmarshal(line, &rec))
	return rec["train/CrossEntropyLoss"]
}

func TestRefuses(t *testing.T) {
	dir, from := newRun(t)
	try := func(name, want string, o build.Options) {
		t.Helper()
		if o.Run == "" {
			o.Run = from
		}
		if o.Out == "" {
			o.Out = filepath.Join(dir, "out")
		}
		if _, err := build.Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
			t.Fatalf("%s: there is an output", name)
		}
	}
	try("no run", "is no run", build.Options{Run: filepath.Join(dir, "tokens")})
	try("over the run", "would be replaced whole", build.Options{Out: from})
	try("over what is there", "exists already", build.Options{Out: filepath.Join(dir, "corpus")})
	try("over the tokens", "hint: name another place", build.Options{Out: filepath.Join(dir, "tokens")})
	try("a name", "no name of a release", build.Options{Name: "a/b/c"})
	try("a step", "it has those of 0, 4, 8", build.Options{Checkpoints: []int{3}})
	try("a pattern", `the pattern "[" cannot be read`, build.Options{Without: []string{"["}})
	config := filepath.Join(from, "config.yaml")
	plain := read(t, config)
	write(t, config, append(bytes.Clone(plain), "\nadapter: {rank: 2}\n"...))
	try("an adapter", "trained an adapter, and a release has whole models alone", build.Options{})
	write(t, config, plain)
	lock, err := store.AcquireIn(from)
	check(t, err)
	try("a run that trains", "process", build.Options{})
	lock.Release()

	chain := filepath.Join(from, "chain.jsonl")
	text := read(t, chain)
	write(t, chain, text[:len(text)-10])
	try("a torn chain", "is not sound", build.Options{})
	check(t, os.Remove(chain))
	try("no chain", "try_load_latest_save=true", build.Options{})
	write(t, chain, text)

	for path, kind := range map[string]verify.Kind{"step4/model.safetensors": verify.Checkpoint, "metrics.jsonl": verify.Log, "recipe.json": verify.Recipe} {
		file := filepath.Join(from, filepath.FromSlash(path))
		text := read(t, file)
		wrong := bytes.Clone(text)
		if path == "metrics.jsonl" {
			wrong = bytes.Replace(text, []byte(`CrossEntropyLoss":5.`), []byte(`CrossEntropyLoss":4.`), 1)
		} else {
			wrong[len(wrong)-2] ^= 1
		}
		check(t, os.Remove(file)) // the releases have links to it
		write(t, file, wrong)
		_, err := build.Run(context.Background(), build.Options{Run: from, Out: filepath.Join(dir, "out")})
		var unsound *build.UnsoundError
		if !errors.As(err, &unsound) || !slices.ContainsFunc(unsound.Report.Problems, func(p verify.Problem) bool { return p.Kind == kind }) {
			t.Errorf("%s: %v, want a problem of kind %s", path, err, kind)
		}
		write(t, file, text)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := build.Run(ctx, build.Options{Run: from, Out: filepath.Join(dir, "out")}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	out, _ := made(t, build.Options{Run: from})
	try("a release", "is a release already", build.Options{Run: out})
}

// Whatever step of writing fails, nothing stands under the name, and the same command succeeds then.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a release many times")
	}
	_, from := newRun(t)
	out := filepath.Join(t.TempDir(), "out")
	o := build.Options{Run: from, Out: out}
	for n := 0; ; n += 41 {
		left := n
		undo := store.InjectFaults(func(op store.Op, name string) error {
			if left--; left == -1 {
				return fmt.Errorf("no space left on device: %w", fs.ErrInvalid)
			}
			return nil
		})
		_, err := build.Run(context.Background(), o)
		undo()
		if err == nil {
			if left >= 0 {
				break // it did not come to that step
			}
			t.Fatalf("step %d failed without an error", n)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("step %d: something stands under the name", n)
		}
		check(t, os.RemoveAll(out))
	}
	m, err := release.Open(out)
	check(t, err)
	listed(t, out, m)
}

func TestSigned(t *testing.T) {
	dir, from := newRun(t)
	file := filepath.Join(dir, "key.pem")
	public, err := signature.WriteKeys(file)
	check(t, err)
	key, err := signature.ReadPrivate(file)
	check(t, err)
	open, err := signature.ReadPublic(public)
	check(t, err)
	date := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	out, _ := made(t, build.Options{Run: from, Key: key, Date: date})
	b, err := signature.Read(filepath.Join(out, release.SignatureFile))
	check(t, err)
	check(t, b.Verify(open))
	again, _ := made(t, build.Options{Run: from, Key: key, Date: date})
	equal(t, again, out)
	if !bytes.Contains(read(t, filepath.Join(out, "report", "model-card.md")), []byte("2024-05-06")) {
		t.Error("the model card has no date")
	}
}

// A run whose settings or data changed on the way is released with all of them.
func TestChanged(t *testing.T) {
	if testing.Short() {
		t.Skip("trains, releases and repeats several runs")
	}
	dir := t.TempDir()
	config := corpus(t, dir)
	one := func(part string) string {
		return fmt.Sprintf("data.paths=[%s]", filepath.Join(dir, "tokens", part, "part-0-00000.npy"))
	}
	for name, c := range map[string]struct {
		first, then, clash string
		recipe             bool
	}{
		"settings": {paths(dir), "optimizer.learning_rate=1e-3", "", true},
		"more":     {one("a"), paths(dir), "", true},
		"less":     {paths(dir), one("b"), "", true},
		"others":   {one("a"), one("b"), "part-0-00000.npy", false},
	} {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "run")
			run(t, config, c.first, "save_folder="+from, "stop_at=4")
			run(t, config, c.first, c.then, "save_folder="+from, "try_load_latest_save=true", "accept_changes=true")
			if v, err := verify.Folder(context.Background(), from, verify.Options{}); err != nil || !v.OK || len(v.Notes) > 0 {
				t.Errorf("verify of the run: %v, %+v", err, v)
			}
			replayed(t, from)
			if c.clash != "" {
				_, err := build.Run(context.Background(), build.Options{Run: from, Out: filepath.Join(t.TempDir(), "out")})
				if err == nil || !strings.Contains(err.Error(), c.clash) || !strings.Contains(err.Error(), "hint: ") {
					t.Errorf("two files of one name: %v", err)
				}
				return
			}
			out, m := made(t, build.Options{Run: from})
			listed(t, out, m)
			replayed(t, out)
			if f := m.File("train/recipe-5.json"); (f != nil) != c.recipe {
				t.Errorf("train/recipe-5.json is %v", f)
			}
		})
	}
}

// replayed computes all steps of a run or release again.
func replayed(t *testing.T, dir string) {
	t.Helper()
	record, err := replay.Open(dir)
	check(t, err)
	r, err := replay.Run(context.Background(), record, replay.Options{})
	if err != nil || !r.OK {
		t.Errorf("replay: %v, %+v", err, r)
	}
}
