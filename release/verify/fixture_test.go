package verify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"olmo/data/tokens"
	"olmo/device/cpu"
	"olmo/model"
	"olmo/proof"
	"olmo/release"
	"olmo/release/verify"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// settings are those of the run that the tests release.
const settings = `
run_name: small
seed: 7
model: {d_model: 16, n_heads: 2, n_layers: 1, mlp_hidden_size: 32, activation_type: swiglu, rope: true, layer_norm_type: rms, norm_after: true, attention_layer_norm: true,
  include_bias: false, weight_tying: false, attention_dropout: 0, residual_dropout: 0, embedding_dropout: 0, max_sequence_length: 16, vocab_size: 256, embedding_size: 256, eos_token_id: 10, pad_token_id: 0, init_fn: normal}
optimizer: {name: adamw, learning_rate: 4e-3}
scheduler: {name: cosine_with_warmup, t_warmup: 2}
data: {paths: [a.npy, sub/b.npy], memmap_dtype: uint16, drop_last: true}
tokenizer: {identifier: tokenizer.json}
max_duration: 10
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

// squeezed is text as gzip.
func squeezed(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	z.Close()
	return b.Bytes()
}

// writeTokens writes a token file with the places of its documents.
func writeTokens(t testing.TB, path string, documents []string) {
	var ids, rows []byte
	at := 0
	for i, text := range documents {
		for _, b := range []byte(text + "\n") {
			ids = append(ids, b, 0)
		}
		n := len(text) + 1
		rows = fmt.Appendf(rows, "%d,%d,%s-%d,documents.jsonl,%d\r\n", at, at+n, filepath.Base(path), i, i+1)
		at += n
	}
	write(t, path, ids)
	write(t, tokens.PlacesPath(path), squeezed(rows))
}

// newRun trains a run and returns its folder.
func newRun(t testing.TB, overrides ...string) string {
	t.Helper()
	dir := t.TempDir()
	var a, b []string
	for i := range 40 {
		a = append(a, fmt.Sprintf("document %d of the first file says nothing new", i))
		b = append(b, fmt.Sprintf("%d, and the second says less", i*i))
	}
	writeTokens(t, filepath.Join(dir, "tokens", "a.npy"), a)
	writeTokens(t, filepath.Join(dir, "tokens", "sub", "b.npy"), b)
	write(t, filepath.Join(dir, "tokens", "tokenizer.json"), []byte(`{"added_tokens":[]}`))
	write(t, filepath.Join(dir, "tokens", "train.yaml"), []byte(settings))
	out := filepath.Join(dir, "run")
	goOn(t, filepath.Join(dir, "tokens", "train.yaml"), append([]string{"save_folder=" + out}, overrides...)...)
	return out
}

// goOn trains what a config says.
func goOn(t testing.TB, config string, overrides ...string) {
	t.Helper()
	cfg, err := train.LoadConfig(config, overrides)
	check(t, err)
	dev, err := cpu.New()
	check(t, err)
	tr, err := train.New(cfg, dev, train.Options{ConfigPath: config})
	check(t, err)
	_, err = tr.Run(context.Background())
	check(t, err)
	check(t, tr.Close())
}

// released makes a release of a run by the words of docs/verification.md, and of nothing that the
// program uses for it.
func released(t testing.TB, run string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "release")
	cfg, err := train.LoadRun(run, nil)
	check(t, err)
	for _, name := range []string{"metrics.jsonl", "chain.jsonl", "tensors.jsonl", "recipe.json", "data-indices/rank0.tsv.gz", "data-indices/rank1.tsv.gz"} {
		if !exists(filepath.Join(run, name)) {
			continue
		}
		write(t, filepath.Join(dir, "train", name), read(t, filepath.Join(run, name)))
	}
	recipes, _ := filepath.Glob(filepath.Join(run, "recipe-*.json"))
	for _, path := range recipes {
		write(t, filepath.Join(dir, "train", filepath.Base(path)), read(t, path))
	}
	inside := func(text []byte) []byte {
		s := string(text)
		for _, p := range cfg.Data.Paths {
			name := strings.TrimPrefix(p, filepath.Dir(cfg.Data.Paths[0])+"/")
			s = strings.ReplaceAll(s, name, "../data/tokens/"+name)
		}
		return []byte(s)
	}
	write(t, filepath.Join(dir, "train", "config.yaml"), inside(read(t, filepath.Join(run, "config.yaml"))))
	m, err := cfg.Model.Config()
	check(t, err)
	steps, err := train.Steps(run)
	check(t, err)
	for i, step := range steps {
		from, to := filepath.Join(run, fmt.Sprintf("step%d", step)), filepath.Join(dir, "train", fmt.Sprintf("step%d", step))
		for _, name := range []string{"model.safetensors", "optim.safetensors", "train.json"} {
			write(t, filepath.Join(to, name), read(t, filepath.Join(from, name)))
		}
		write(t, filepath.Join(to, "config.yaml"), inside(read(t, filepath.Join(from, "config.yaml"))))
		write(t, filepath.Join(to, "tokenizer.json"), read(t, filepath.Join(from, "tokenizer.json")))
		manifest, err := train.ReadManifest(from)
		check(t, err)
		delete(manifest.Files, "record.json")
		manifest.Files["config.yaml"] = proof.Sum(read(t, filepath.Join(to, "config.yaml")))
		text, err := json.MarshalIndent(manifest, "", "  ")
		check(t, err)
		write(t, filepath.Join(to, "manifest.json"), text)
		set, err := weights.Open(filepath.Join(from, "model.safetensors"))
		check(t, err)
		get := func(name string) ([]float32, error) {
			v, err := set.Tensor(name)
			if err != nil {
				return nil, err
			}
			return v.Float32s()
		}
		names := []string{manifest.ReleaseName()}
		if i == len(steps)-1 {
			names = append(names, release.Main)
		}
		for _, name := range names {
			folder := filepath.Join(dir, "model", name)
			check(t, os.MkdirAll(folder, 0o777))
			check(t, model.SaveHF(folder, m, get, tensor.F32, 0, nil))
		}
		check(t, set.Close())
	}
	var lines []byte
	for _, name := range []string{"a.npy", "sub/b.npy"} {
		from, to := filepath.Join(filepath.Dir(run), "tokens", name), filepath.Join(dir, "data", "tokens", name)
		write(t, to, read(t, from))
		write(t, tokens.PlacesPath(to), read(t, tokens.PlacesPath(from)))
		ids := read(t, from)
		check(t, tokens.ReadPlaces(tokens.PlacesPath(from), func(p tokens.Place) error {
			lines = fmt.Appendf(lines, `{"file":%q,"start":%d,"end":%d,"id":%q,"sha256":"%v"}`+"\n", name, p.Start, p.End, p.ID, proof.Sum(ids[2*p.Start:2*p.End]))
			return nil
		}))
	}
	write(t, filepath.Join(dir, "data", "manifest.jsonl.gz"), squeezed(lines))
	write(t, filepath.Join(dir, "tokenizer", "tokenizer.json"), read(t, filepath.Join(filepath.Dir(run), "tokens", "tokenizer.json")))
	seal(t, dir)
	return dir
}

// seal writes release.json for what is in a folder: every hash of it that needs no key is right.
func seal(t testing.TB, dir string) {
	t.Helper()
	m := &release.Manifest{Name: "lab/small", Program: "test"}
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if name = filepath.ToSlash(name); name != release.ManifestFile && name != release.SignatureFile {
			text := read(t, path)
			m.Files = append(m.Files, release.File{Path: name, Size: int64(len(text)), SHA256: proof.Sum(text)})
		}
		return nil
	}))
	var tree proof.Tree
	for _, text := range chainLines(t, dir) {
		tree.Add(text)
		l, err := proof.ParseLine(text)
		if err != nil {
			continue // a forgery that leaves none
		}
		m.Run.Steps, m.Run.ChainHead = l.Step, l.Hash
		if l.Documents != nil {
			m.Data.DocumentsRoot = &l.Documents.Hash
		}
	}
	m.Run.StepsRoot = tree.Root()
	m.Run.Tokens = tokensSeen(dir, m.Run.Steps)
	m.Data.DType, m.Data.Documents = "uint16", 80
	for _, name := range []string{"a.npy", "sub/b.npy"} {
		if st, err := os.Stat(filepath.Join(dir, "data", "tokens", name)); err == nil {
			m.Data.Tokens += st.Size() / 2
		}
	}
	if path := filepath.Join(dir, "tokenizer", "tokenizer.json"); exists(path) {
		m.Tokenizer = &release.Tokenizer{Path: "tokenizer/tokenizer.json", SHA256: proof.Sum(read(t, path))}
	}
	folders, _ := filepath.Glob(filepath.Join(dir, "model", "*"))
	for _, folder := range folders {
		r := release.Revision{Name: filepath.Base(folder), Path: "model/" + filepath.Base(folder), Step: m.Run.Steps}
		if step, ok := release.StepOf(r.Name); ok {
			r.Step = step
		}
		var all []weights.Sum
		shards, _ := filepath.Glob(filepath.Join(folder, "*.safetensors"))
		for _, shard := range shards {
			set, err := weights.Open(shard)
			check(t, err)
			s, err := weights.Sums(set.All())
			check(t, err)
			all = append(all, s...)
			check(t, set.Close())
		}
		slices.SortFunc(all, func(a, b weights.Sum) int { return strings.Compare(a.Name, b.Name) })
		r.WeightsRoot = weights.Root(all)
		m.Revisions = append(m.Revisions, r)
	}
	slices.SortStableFunc(m.Revisions, func(a, b release.Revision) int {
		if a.Name == release.Main || b.Name == release.Main {
			return strings.Compare(b.Name, a.Name) // "step…" before main
		}
		return a.Step - b.Step
	})
	m.Seal()
	var b bytes.Buffer
	check(t, m.Write(&b))
	write(t, filepath.Join(dir, release.ManifestFile), b.Bytes())
}

// tokensSeen is what the log of a release says of a step.
func tokensSeen(dir string, step int) int64 {
	text, _ := os.ReadFile(filepath.Join(dir, "train", "metrics.jsonl"))
	for line := range bytes.Lines(text) {
		var r struct {
			Step   int     `json:"step"`
			Tokens float64 `json:"throughput/total_tokens"`
		}
		if json.Unmarshal(line, &r) == nil && r.Step == step {
			return int64(r.Tokens)
		}
	}
	return 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// chainLines are the lines of a release's chain.
func chainLines(t testing.TB, dir string) [][]byte {
	text := read(t, filepath.Join(dir, "train", "chain.jsonl"))
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

// rechain seals the lines of a chain anew, and writes their hashes where they stand beside it.
func rechain(t testing.TB, dir string, lines []*proof.Line) {
	t.Helper()
	var before proof.Hash
	var text []byte
	own := map[int]proof.Hash{}
	old := map[string]string{}
	for _, l := range lines {
		was := l.Hash
		line, err := l.Seal(before)
		check(t, err)
		if !l.Closes() {
			own[l.Step] = l.Hash
		}
		old[was.String()] = l.Hash.String()
		before = l.Hash
		text = append(append(text, line...), '\n')
	}
	write(t, filepath.Join(dir, "train", "chain.jsonl"), text)
	check(t, filepath.WalkDir(filepath.Join(dir, "train"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case d.Name() == "train.json" || d.Name() == "manifest.json" || d.Name() == "metrics.jsonl":
			s := string(read(t, path))
			for was, is := range old {
				s = strings.ReplaceAll(s, was, is)
			}
			write(t, path, []byte(s))
		}
		return nil
	}))
	remanifest(t, dir)
}

// remanifest makes the hashes in the checkpoints' manifests right again.
func remanifest(t testing.TB, dir string) {
	folders, _ := filepath.Glob(filepath.Join(dir, "train", "step*"))
	for _, folder := range folders {
		m, err := train.ReadManifest(folder)
		check(t, err)
		for name := range m.Files {
			if !exists(filepath.Join(folder, name)) {
				delete(m.Files, name)
				continue
			}
			m.Files[name] = proof.Sum(read(t, filepath.Join(folder, name)))
		}
		for name := range m.Tensors {
			set, err := weights.Open(filepath.Join(folder, name))
			if err != nil {
				continue // a forgery that leaves none
			}
			sums, err := weights.Sums(set.All())
			check(t, err)
			for _, s := range sums {
				m.Tensors[name][s.Name] = s.SHA256
			}
			check(t, set.Close())
		}
		text, err := json.MarshalIndent(m, "", "  ")
		check(t, err)
		write(t, filepath.Join(folder, "manifest.json"), text)
	}
}

// parsed are the lines of a release's chain.
func parsed(t testing.TB, dir string) (lines []*proof.Line) {
	for _, text := range chainLines(t, dir) {
		l, err := proof.ParseLine(text)
		check(t, err)
		lines = append(lines, l)
	}
	return lines
}

var (
	once  sync.Once
	whole string // a sound release, to be copied
)

// fresh is a copy of a sound release.
func fresh(t testing.TB) string {
	t.Helper()
	once.Do(func() {
		dir, err := os.MkdirTemp("", "verify")
		check(t, err)
		made := released(t, newRun(t))
		whole = filepath.Join(dir, "release")
		check(t, os.CopyFS(whole, os.DirFS(made)))
	})
	dir := filepath.Join(t.TempDir(), "release")
	check(t, os.CopyFS(dir, os.DirFS(whole)))
	return dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if whole != "" {
		os.RemoveAll(filepath.Dir(whole))
	}
	os.Exit(code)
}

// verified checks a release; each problem as kind and members in one line.
func verified(t testing.TB, dir string, o verify.Options) (problems []string, r *verify.Report) {
	t.Helper()
	r, err := verify.Folder(context.Background(), dir, o)
	check(t, err)
	for _, p := range r.Problems {
		text := string(p.Kind)
		if p.Path != "" {
			text += " " + p.Path
		}
		if p.Step != nil {
			text += fmt.Sprintf(" step %d", *p.Step)
		}
		for _, s := range []struct{ name, value string }{{"tensor", p.Tensor}, {"document", p.Document}, {"key", p.Key}} {
			if s.value != "" {
				text += " " + s.name + " " + s.value
			}
		}
		if p.IsStep != nil {
			text += fmt.Sprintf(" is %d", *p.IsStep)
		}
		problems = append(problems, text)
	}
	if r.OK != (len(problems) == 0) {
		t.Errorf("ok is %v of %d problems", r.OK, len(problems))
	}
	return problems, r
}
