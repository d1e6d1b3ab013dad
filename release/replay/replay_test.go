package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data/tokens"
	"olmo/device/cpu"
	"olmo/internal/parallel"
	"olmo/proof"
	"olmo/store"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// config is a small run over two token files below dir.
func config(t *testing.T, dir string, overrides ...string) *train.Config {
	t.Helper()
	var files []string
	for i, name := range []string{"a/one.npy", "b/two.npy"} {
		path := filepath.Join(dir, "tokens", filepath.FromSlash(name))
		var b []byte
		for k := range 2000 {
			id := byte((k*(7+i) + k/13) % 60)
			if k%37 == 36 {
				id = 0
			}
			b = append(b, id, 0)
		}
		if err := store.WriteFile(path, b); err != nil {
			t.Fatal(err)
		}
		// Rows of 3 to 14 tokens, for layout rows.
		rows := ""
		for start, n := 0, 3; start < 2000; n = 3 + (n*5+i)%12 {
			end := min(start+n, 2000)
			rows += fmt.Sprintf("%d,%d,doc%d,,0\n", start, end, start)
			start = end
		}
		if err := store.WriteFile(tokens.PlacesPath(path), gzipped(t, rows)); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	path := filepath.Join(dir, "run.yaml")
	text := fmt.Sprintf(`seed: 3
model: {d_model: 16, n_heads: 2, n_layers: 1, mlp_hidden_size: 32, max_sequence_length: 16, vocab_size: 64, embedding_size: 64, eos_token_id: 0, pad_token_id: 1, rope: true, layer_norm_type: rms, init_fn: normal}
optimizer: {name: adamw, learning_rate: 0.01, weight_decay: 0.1}
scheduler: {name: cosine_with_warmup, t_warmup: 2}
data: {paths: [%s, %s], memmap_dtype: uint16}
max_duration: 8
stop_at: 8
save_interval: 4
chain_state_interval: 1
global_train_batch_size: 4
device_train_microbatch_size: 3
max_grad_norm: 1.0
save_folder: %s
try_load_latest_save: true
`, files[0], files[1], filepath.Join(dir, "run"))
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := train.LoadConfig(path, overrides)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// run trains and returns the folder of the run.
func run(t *testing.T, dir string, overrides ...string) string {
	t.Helper()
	c := config(t, dir, overrides...)
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(c, dev, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c.SaveFolder
}

func replayed(t *testing.T, folder string, o Options) *Report {
	t.Helper()
	r, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := Run(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// TestAdapter: a run that trained an adapter is computed again with the model that it was trained for, and
// with no other one.
func TestAdapter(t *testing.T) {
	dir := t.TempDir()
	base := run(t, filepath.Join(dir, "base"), "stop_at=4")
	overrides := []string{"init_weights=" + filepath.Join(base, "step4", train.ModelFile), "adapter.rank=2", "adapter.alpha=4", "data.drop_last=true"}
	run(t, dir, append(overrides, "stop_at=3")...)
	folder := run(t, dir, overrides...)
	for _, o := range []Options{{}, {From: 6, To: 7, MicroBatch: 1}} {
		if rep := replayed(t, folder, o); !rep.OK {
			t.Errorf("%+v: %+v", o, rep.Divergence)
		}
	}
	if err := os.Rename(filepath.Join(base, "step4"), filepath.Join(base, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(base, "step0"), filepath.Join(base, "step4")); err != nil {
		t.Fatal(err)
	}
	r, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), r, Options{}); err == nil || !strings.Contains(err.Error(), "is another model than the adapter was trained for") {
		t.Errorf("with another base: %v", err)
	}
	from := run(t, filepath.Join(dir, "from"), append(overrides, "init_weights="+filepath.Join(base, "moved", train.ModelFile), "adapter.init_weights="+filepath.Join(folder, "step8"), "stop_at=4")...)
	if rep := replayed(t, from, Options{}); !rep.OK {
		t.Errorf("from an adapter: %+v", rep.Divergence)
	}
}

// TestSameBits: whatever a run was, computed again it is the same, from any checkpoint, with any
// micro-batch and number of threads.
func TestSameBits(t *testing.T) {
	for name, overrides := range map[string][]string{
		"plain":             nil,
		"amp_bf16":          {"precision=amp_bf16"},
		"amp_bf16_tile":     {"precision=amp_bf16_tile"},
		"lionw":             {"optimizer.name=lionw"},
		"skip_step_adamw":   {"optimizer.name=skip_step_adamw", "optimizer.rolling_interval_length=2", "optimizer.sigma_factor=0.1"},
		"muon":              {"optimizer.name=muon"},
		"normuon":           {"optimizer.name=normuon"},
		"dion":              {"optimizer.name=dion", "optimizer.rank_fraction=0.5"},
		"dropout":           {"model.residual_dropout=0.1", "model.embedding_dropout=0.1"},
		"packed":            {"data.name=packed_fsl", "data.generate_doc_lengths=true"},
		"padded":            {"data.name=padded_fsl"},
		"lengths vary":      {"data.name=vsl", "data.min_sequence_length=4", "max_duration=8"},
		"interleaved":       {"data.name=interleaved_fsl", "data.docs_per_instance=2", "data.chunks_per_doc=2"},
		"rows":              {"data.name=rows", "loss_denominator=labels", "scheduler.name=hf_linear"},
		"two ranks":         {"world_size=2"},
		"several epochs":    {"global_train_batch_size=60", "device_train_microbatch_size=60"},
		"a later epoch":     {"epoch=1", "max_duration=70"},
		"norms by average":  {"max_grad_norm=null", "max_grad_norm_ratio=1.1"},
		"batches that grow": {"batch_size_schedule=[{from: 4, size: 6}]"},
		"tokens":            {"max_duration=512T", "scheduler.units=tokens", "scheduler.t_warmup=100"},
		"a mixture":         {"data.paths=null", "data.mixture_tokens=640"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if name == "a mixture" {
				config(t, dir)
				a, b := filepath.Join(dir, "tokens", "a", "one.npy"), filepath.Join(dir, "tokens", "b", "two.npy")
				overrides = append(overrides, fmt.Sprintf("data.mixture=[{name: a, target_ratio: 0.5, paths: [%s]}, {name: b, target_ratio: 0.5, paths: [%s]}]", a, b))
			}
			run(t, dir, append(overrides, "stop_at=3")...) // stopped, and continued
			folder := run(t, dir, overrides...)
			before := listing(t, folder)
			for _, o := range []Options{{}, {From: 6, To: 7, MicroBatch: 1}, {From: 2, To: 3, MicroBatch: 5}} {
				threads := parallel.SetThreads(1 + o.From%2)
				rep := replayed(t, folder, o)
				parallel.SetThreads(threads)
				if !rep.OK || rep.Divergence != nil {
					t.Fatalf("%+v: %+v", o, rep.Divergence)
				}
				line := chainLine(t, folder, rep.To)
				if rep.WeightsRoot == nil || *rep.WeightsRoot != *line.Weights {
					t.Errorf("%+v: the root after it is %v", o, rep.WeightsRoot)
				}
				if o.From == 6 && rep.Start != "step4" {
					t.Errorf("steps from 6 start at %s", rep.Start)
				}
			}
			if after := listing(t, folder); !slices.Equal(before, after) {
				t.Errorf("replay has changed the folder: %v, before %v", after, before)
			}
		})
	}
}

func listing(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil {
			info, err := d.Info()
			names = append(names, fmt.Sprint(path, info.ModTime(), info.Size()))
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func chainLine(t *testing.T, folder string, step int) *proof.Line {
	t.Helper()
	r, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return r.line(step)
}

// forge trains as the record of a run says, but with a fault of which the record knows nothing:
// what it hashes is right.
func forge(t *testing.T, dir string, fault func(tr *train.Trainer, step int), overrides ...string) string {
	t.Helper()
	honest := run(t, dir, append(overrides, "stop_at=4")...)
	c := config(t, dir, overrides...)
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	var tr *train.Trainer
	tr, err = train.New(c, dev, train.Options{Progress: func(p train.Progress) { fault(tr, p.Step) }})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return honest
}

// TestForgeries are those that only a computation finds: every hash is right.
func TestForgeries(t *testing.T) {
	const table = "transformer.blocks.0.ff_out.weight"
	nudge := func(tr *train.Trainer, step int) {
		if step != 5 {
			return
		}
		v, err := tr.Device().Read(table)
		if err == nil {
			v[7] = math.Float32frombits(math.Float32bits(v[7]) + 1)
			err = tr.Device().Write(table, v)
		}
		if err != nil {
			t.Error(err)
		}
	}
	t.Run("a weight nudged between two steps", func(t *testing.T) {
		folder := forge(t, t.TempDir(), nudge)
		rep := replayed(t, folder, Options{})
		if d := rep.Divergence; rep.OK || d == nil || d.Step != 6 {
			t.Fatalf("%+v", d)
		}
		if rep := replayed(t, folder, Options{From: 1, To: 5}); !rep.OK {
			t.Errorf("the steps before it: %+v", rep.Divergence)
		}
	})
	t.Run("a weight nudged at a checkpoint", func(t *testing.T) {
		folder := run(t, t.TempDir())
		// The forger makes the state of step 8 anew, with every hash of it.
		file := filepath.Join(folder, "step8", train.ModelFile)
		set, err := weights.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		var all []weights.Named
		var was, is string
		for _, name := range set.Names() {
			v, err := set.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := v.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			f = slices.Clone(f)
			if name == table {
				was = fmt.Sprintf("%08x", math.Float32bits(f[20]))
				f[20] = math.Float32frombits(math.Float32bits(f[20]) ^ 1)
				is = fmt.Sprintf("%08x", math.Float32bits(f[20]))
			}
			all = append(all, weights.Named{Name: name, Tensor: tensor.FromFloat32(v.Shape, f)})
		}
		sums, err := weights.Sums(all)
		if err != nil {
			t.Fatal(err)
		}
		if err := weights.WriteSafetensors(file, all, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
		hashes := map[string]proof.Hash{}
		for _, s := range sums {
			hashes[s.Name] = s.SHA256
		}
		line, err := json.Marshal(map[string]any{"step": 8, "weights": hashes, "optim": map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		// Members in the order of tensors.jsonl.
		line = append([]byte(`{"step":8,"weights":`), line[strings.Index(string(line), `"weights":`)+len(`"weights":`):]...)
		f, err := os.OpenFile(filepath.Join(folder, "tensors.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		root := weights.Root(sums)
		reseal(t, folder, func(l *proof.Line) {
			if l.Step == 8 {
				l.Weights = &root
			}
		})
		rep := replayed(t, folder, Options{From: 5})
		d := rep.Divergence
		if rep.OK || d.Step != 8 || d.What != "weights" || d.Tensor == nil || *d.Tensor != table || len(d.Element) != 2 || *d.Recorded != is || *d.Computed != was {
			t.Errorf("%+v", d)
		}
	})
	t.Run("another learning rate than the config's", func(t *testing.T) {
		dir := t.TempDir()
		folder := run(t, dir, "stop_at=4")
		swapRecipe(t, folder, func() { run(t, dir, "optimizer.learning_rate=0.02", "accept_changes=true") })
		rep := replayed(t, folder, Options{})
		if d := rep.Divergence; rep.OK || d == nil || d.Step != 5 || d.What != "weights" || d.Tensor == nil {
			t.Errorf("%+v", d)
		}
	})
	t.Run("a step taken on other data", func(t *testing.T) {
		dir := t.TempDir()
		folder := run(t, dir, "stop_at=4")
		swapRecipe(t, folder, func() { run(t, dir, "data.seed=99", "accept_changes=true") })
		rep := replayed(t, folder, Options{})
		if d := rep.Divergence; rep.OK || d == nil || d.Step != 5 || d.What != "tokens" {
			t.Errorf("%+v", d)
		}
	})
}

// swapRecipe makes a chain whose settings change look as if they had not.
func swapRecipe(t *testing.T, folder string, change func()) {
	t.Helper()
	change()
	reseal(t, folder, func(l *proof.Line) {
		if l.Format == "" {
			l.Recipe = nil
		}
	})
}

// reseal changes lines of a chain and makes all hashes right again.
func reseal(t *testing.T, folder string, change func(l *proof.Line)) {
	t.Helper()
	path := filepath.Join(folder, "chain.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	var before proof.Hash
	for line := range strings.Lines(string(text)) {
		l, err := proof.ParseLine([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		change(l)
		sealed, err := l.Seal(before)
		if err != nil {
			t.Fatal(err)
		}
		out, before = append(append(out, sealed...), '\n'), l.Hash
	}
	if err := os.WriteFile(path, out, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestParts: a run whose settings changed on the way is computed with each of them.
func TestParts(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "stop_at=4")
	folder := run(t, dir, "optimizer.learning_rate=0.02", "accept_changes=true")
	if rep := replayed(t, folder, Options{}); !rep.OK {
		t.Errorf("%+v", rep.Divergence)
	}
	if rep := replayed(t, folder, Options{From: 6, To: 6}); !rep.OK || rep.Start != "step4" {
		t.Errorf("%+v", rep)
	}
}

func TestSample(t *testing.T) {
	folder := run(t, t.TempDir(), "save_interval=2")
	rep := replayed(t, folder, Options{Sample: 3, Seed: 5})
	if !rep.OK || len(rep.Segments) != 3 || rep.Caught < 0.142624 || rep.Caught > 0.142626 {
		t.Errorf("%+v", rep)
	}
	if again := replayed(t, folder, Options{Sample: 3, Seed: 5}); !slices.Equal(again.Segments, rep.Segments) {
		t.Errorf("the same seed draws %v and %v", rep.Segments, again.Segments)
	}
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	folder := run(t, dir)
	r, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{From: 9, To: 9}, {From: 0, To: 20}, {From: 5, To: 4}} {
		if _, err := Run(t.Context(), r, o); err == nil || !strings.Contains(err.Error(), "are not in the run: it has steps 1 to 8") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	other := 99
	r.first.Numerics = &other
	if _, err := Run(t.Context(), r, Options{}); err == nil || !strings.Contains(err.Error(), "numeric contract 99") {
		t.Errorf("another contract: %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("an empty folder is a run")
	}
}

// TestAgainst: of two records that part, the one that the computation gives is right.
func TestAgainst(t *testing.T) {
	honest := run(t, t.TempDir())
	dir := t.TempDir()
	forged := run(t, dir, "stop_at=4")
	swapRecipe(t, forged, func() { run(t, dir, "optimizer.learning_rate=0.02", "accept_changes=true") })
	for _, c := range []struct {
		a, b        string
		this, other bool
	}{{honest, forged, true, false}, {forged, honest, false, true}} {
		a, err := Open(c.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(c.b)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := Against(t.Context(), a, b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		v := rep.Against
		if rep.OK || v == nil || v.Step != 5 || v.What != "weights" || v.This != c.this || v.Other != c.other || (v.Divergence == nil) != c.other || rep.Start != "step4" || rep.To != 5 {
			t.Errorf("%+v, %+v", rep, v)
		}
		if rep, err := Against(t.Context(), a, a, Options{}); err != nil || !rep.OK || rep.Against != nil {
			t.Errorf("against itself: %+v, %v", rep, err)
		}
	}
	other, err := Open(run(t, t.TempDir(), "optimizer.learning_rate=0.02"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(honest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Against(t.Context(), a, other, Options{}); err == nil || !strings.Contains(err.Error(), "not runs of one recipe") {
		t.Errorf("another recipe: %v", err)
	}
}

// TestEvaluations: losses on held-out files are computed again, and compared with the log.
func TestEvaluations(t *testing.T) {
	dir := t.TempDir()
	config(t, dir)
	file := filepath.Join(dir, "tokens", "a", "one.npy")
	folder := run(t, dir, "eval_interval=3", "device_eval_batch_size=4", "evaluators=[{label: held, subset_num_batches: 2, data: {paths: ["+file+"], memmap_dtype: uint16}}]")
	rep := replayed(t, folder, Options{From: 5, To: 7})
	if !rep.OK || rep.Evaluated != 4 || len(rep.Notes) != 0 {
		t.Fatalf("%+v, %+v", rep, rep.Divergence)
	}
	path := filepath.Join(folder, "metrics.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(string(text), `"eval/held/CrossEntropyLoss":`)
	forged := string(text[:at]) + strings.Replace(string(text[at:]), `CrossEntropyLoss":4`, `CrossEntropyLoss":3`, 1)
	if forged == string(text) {
		t.Fatal("nothing was forged")
	}
	if err := os.WriteFile(path, []byte(forged), 0o666); err != nil {
		t.Fatal(err)
	}
	if rep := replayed(t, folder, Options{From: 5, To: 8}); rep.OK || rep.Divergence.What != "eval" || rep.Divergence.Step != 8 || !strings.Contains(rep.Divergence.Message, "eval/held/CrossEntropyLoss") {
		t.Errorf("a forged figure: %+v, %+v", rep, rep.Divergence)
	}
}
