package convert

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/store"
	"olmo/tensor"
)

// left lists what a folder holds, hidden files too.
func left(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestRun writes each layout, as a folder and as a file, over what a killed run left.
func TestRun(t *testing.T) {
	c, get := tiny()
	from := save(t, c, get)
	for _, o := range []struct {
		to   model.Layout
		out  string
		want string
	}{
		{model.HuggingFace, "copy", "config.json generation_config.json model.safetensors"},
		{model.Native, "copy", "config.yaml model.safetensors"},
		{model.GGUF, "copy", "model.gguf"},
		{model.GGUF, "copy.gguf", ""},
	} {
		t.Run(string(o.to)+" "+o.out, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, o.out)
			killed := filepath.Join(store.Temporary(out), "model-00001-of-00009.safetensors")
			if err := os.MkdirAll(filepath.Dir(killed), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(killed, []byte("half a shard"), 0o666); err != nil {
				t.Fatal(err)
			}
			parts := ""
			r, err := Run(t.Context(), Options{From: from, To: o.to, Out: out, Progress: func(part string, done, total int) {
				if !strings.HasSuffix(parts, part) {
					parts += part
				}
				if done < 0 || done > total {
					t.Errorf("%s: %d of %d", part, done, total)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if r.Out != out || r.DType != tensor.F32 || r.Proof.Weights != len(c.Params()) || parts != "writecompare" {
				t.Errorf("result %+v after %s", *r, parts)
			}
			n := 16 // table, head, and seven of each layer
			if o.to == model.Native {
				n = 10 // queries, keys and values are one, up and gate another
			}
			if len(r.Matrices) != 1 || r.Matrices[tensor.F32] != n {
				t.Errorf("matrices by dtype are %v, want %d of f32", r.Matrices, n)
			}
			if got := left(t, dir); got != o.out {
				t.Errorf("beside the output there are %s", got)
			}
			if o.want != "" {
				if got := left(t, out); got != o.want {
					t.Errorf("the folder holds %s, want %s", got, o.want)
				}
			}
		})
	}
}

// TestRunAsAnother converts a model of the ai2-olmo package that other layouts know as a Llama, and
// one whose norms are stored as what they multiply by.
func TestRunAsAnother(t *testing.T) {
	rms := model.NormKind{RMS: true, Weight: true}
	size := func(c model.Config) *model.Config {
		c.Layers, c.C, c.H, c.KV, c.D, c.F, c.VocabSize, c.V, c.T = 2, 32, 4, 2, 8, 48, 64, 64, 64
		c.NormEps, c.RopeTheta, c.EOS, c.PAD, c.BOS = 1e-6, 10000, 0, 1, -1
		return &c
	}
	gemma := rms
	gemma.OnePlus = true
	for _, o := range []struct {
		name    string
		c       *model.Config
		as      string
		weights int // that the proof compares
	}{
		{"OLMo with RMSNorm", size(model.Config{Family: "olmo", Norm: rms, Tied: true}), "llama", 0},
		{"Gemma 2", size(model.Config{
			Family: "gemma2", Norm: gemma, Tied: true, ScaleEmbedding: true, Activation: model.GeGLU, ScoreCap: 50, LogitCap: 30, Windows: []int{4, 0}, SlidingTheta: 10000,
		}), "gemma2", 24},
	} {
		for _, to := range []model.Layout{model.HuggingFace, model.GGUF} {
			t.Run(o.name+"/"+string(to), func(t *testing.T) {
				get := func(name string) ([]float32, error) {
					for _, p := range o.c.Params() {
						if p.Name == name {
							p.Role = model.Projection // norms too are any numbers
							return model.Init{Fn: "normal", Std: 0.3}.Weights(o.c, p, 3)
						}
					}
					return nil, errors.New("no parameter " + name)
				}
				from := t.TempDir()
				var err error
				if o.c.Family == "olmo" {
					err = model.SaveAI2(from, o.c, get, tensor.F32, nil)
				} else {
					err = model.SaveHF(from, o.c, get, tensor.F32, 0, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				r, err := Run(t.Context(), Options{From: from, To: to, Out: filepath.Join(t.TempDir(), "copy")})
				if err != nil {
					t.Fatal(err)
				}
				if l := opened(t, r.Out); l.Config.Family != o.as {
					t.Errorf("the copy is of family %s, want %s", l.Config.Family, o.as)
				}
				if r.Proof.Weights != o.weights || r.Proof.Agree != r.Proof.Positions {
					t.Errorf("proof %+v, want %d weights", r.Proof, o.weights)
				}
			})
		}
	}
}

// TestRunProgress: each part counts up to the model's parameters.
func TestRunProgress(t *testing.T) {
	c, get := tiny()
	from := save(t, c, get)
	t.Chdir(t.TempDir()) // where nothing is written
	type mark struct{ done, total int }
	marks := map[string][]mark{}
	r, err := Run(t.Context(), Options{
		From: from, To: model.GGUF, Out: filepath.Join(t.TempDir(), "x.gguf"),
		Progress: func(part string, done, total int) { marks[part] = append(marks[part], mark{done, total}) },
	})
	if err != nil {
		t.Fatal(err)
	}
	n := len(c.Params())
	for part, first := range map[string]int{"write": 1, "compare": 0} {
		if len(marks[part]) < 2 || marks[part][0] != (mark{first, n}) {
			t.Errorf("%s: %v, want it to begin at %d of %d", part, marks[part], first, n)
		}
		for i, m := range marks[part] {
			if m.total != n || m.done > n || i > 0 && m.done < marks[part][i-1].done {
				t.Errorf("%s: %v after %v", part, m, marks[part][max(i-1, 0)])
			}
		}
	}
	if got := left(t, "."); got != "" {
		t.Errorf("the current folder holds %s", got)
	}
	if last := marks["write"][len(marks["write"])-1]; last.done != n {
		t.Errorf("write ends at %v", last)
	}
	if r.DType != tensor.F32 || r.Matrices[tensor.F32] == 0 || len(r.Matrices) != 1 || r.Proof.Positions != 32 {
		t.Errorf("result %+v", r)
	}
}

// TestRunRefuses: nothing is written, and what is there stays.
func TestRunRefuses(t *testing.T) {
	c, get := tiny()
	from := save(t, c, get)
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(full, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(full, "mine.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "in.gguf")
	if _, err := Run(t.Context(), Options{From: from, To: model.GGUF, Out: file}); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(from, link); err != nil {
		t.Skip(err)
	}
	before := left(t, dir) + left(t, from) + left(t, full)
	for _, o := range []struct{ name, from, out, to, want string }{
		{"unknown layout, before the model is looked for", "no such model", "x", "gif", `layout "gif" is not known`},
		{"no model", "no such model", "x", "hf", "no such model"},
		{"a folder that is used", from, full, "hf", "exists already"},
		{"a file in the way", from, file, "gguf", "exists already"},
		{"in place", from, from, "hf", "does not write over what it reads"},
		{"in place by a link", link, from + "/.", "ai2", "does not write over what it reads"},
		{"the folder above", from, filepath.Dir(from), "hf", "does not write over what it reads"},
		{"a file onto itself", file, filepath.Join(full, "..", "in.gguf"), "gguf", "does not write over what it reads"},
	} {
		t.Run(o.name, func(t *testing.T) {
			_, err := Run(t.Context(), Options{From: o.from, To: model.Layout(o.to), Out: o.out})
			if err == nil || !strings.Contains(err.Error(), o.want) {
				t.Errorf("error %v, want %q", err, o.want)
			}
			if after := left(t, dir) + left(t, from) + left(t, full); after != before {
				t.Errorf("there are %s, before %s", after, before)
			}
		})
	}
}

// TestRunFails: at every step of writing that can fail, and when it is interrupted, a run
// leaves nothing behind, and an empty folder under the output's name stays.
func TestRunFails(t *testing.T) {
	c, get := tiny()
	from := save(t, c, get)
	for _, op := range []store.Op{store.OpCreate, store.OpWrite, store.OpSync, store.OpRename} {
		for _, file := range []string{"", ".gguf"} {
			dir := t.TempDir()
			out := filepath.Join(dir, "copy"+file)
			want := ""
			if file == "" {
				if err := os.Mkdir(out, 0o777); err != nil {
					t.Fatal(err)
				}
				want = "copy"
			}
			for n := range 100 {
				undo := store.InjectFaults(func(o store.Op, _ string) error {
					if n--; o == op && n < 0 {
						return errors.New("the disk is full")
					}
					return nil
				})
				_, err := Run(t.Context(), Options{From: from, To: map[string]model.Layout{"": model.HuggingFace, ".gguf": model.GGUF}[file], Out: out})
				undo()
				if err == nil {
					break // more steps than there are
				}
				if !strings.Contains(err.Error(), "the disk is full") {
					t.Fatalf("%s: %v", op, err)
				}
				got := left(t, dir)
				if _, missing := model.Open(out); missing == nil && op == store.OpSync {
					break // the last sync is that of the folder above, and comes after the renaming
				}
				if got != want {
					t.Fatalf("%s: a failed run left %q, want %q", op, got, want)
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err := Run(ctx, Options{From: from, To: model.HuggingFace, Out: filepath.Join(dir, "copy"), Progress: func(part string, done, _ int) {
		if done == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || left(t, dir) != "" {
		t.Errorf("an interrupted run: %v, left %q", err, left(t, dir))
	}
}

// TestStops: a model that ends a text at several ids does so in every layout and back. A
// GGUF file has names for three, and the fourth is not lost without a word.
func TestStops(t *testing.T) {
	c, get := tiny()
	for _, stop := range [][]int32{{0}, {0, 9}, {0, 9, 7}, {0, 9, 7, 5}} {
		from := t.TempDir()
		if err := model.SaveHF(from, c, get, tensor.F32, 0, stop); err != nil {
			t.Fatal(err)
		}
		for _, to := range Layouts {
			dir, said := t.TempDir(), ""
			there, back := filepath.Join(dir, "there"), filepath.Join(dir, "back")
			for _, o := range []Options{{From: from, To: to, Out: there}, {From: there, To: model.HuggingFace, Out: back}} {
				o.Warn = func(what string) { said += what }
				if _, err := Run(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			l, err := model.Open(back)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			want := stop
			if to == model.GGUF && len(stop) > 3 {
				want = stop[:3]
			}
			if !slices.Equal(l.Stop, want) || (said != "") != (len(want) < len(stop)) {
				t.Errorf("%v by %s is %v, and %q was said", stop, to, l.Stop, said)
			}
		}
		text, err := os.ReadFile(filepath.Join(from, "generation_config.json"))
		var got struct {
			EOS any `json:"eos_token_id"`
		}
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		if _, list := got.EOS.([]any); err != nil || list != (len(stop) > 1) {
			t.Errorf("%v: generation_config.json is %s (%v)", stop, text, err)
		}
	}
}

// TestTokenizerConfig: a run has tokenizer.json alone; the copy names its special tokens
// where AutoTokenizer looks for them.
func TestTokenizerConfig(t *testing.T) {
	c, get := tiny()
	from := t.TempDir()
	if err := model.SaveAI2(from, c, get, tensor.F32, nil); err != nil {
		t.Fatal(err)
	}
	const text = `{"version": "1.0", "added_tokens": [{"id": 0, "content": "<|end|>", "special": true}, {"id": 1, "content": "<|pad|>", "special": true}],
		"model": {"type": "BPE", "vocab": {"<|end|>": 0, "<|pad|>": 1, "a": 2, "b": 3}, "merges": []}}`
	if err := os.WriteFile(filepath.Join(from, "tokenizer.json"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "hf")
	if _, err := Run(t.Context(), Options{From: from, To: model.HuggingFace, Out: out}); err != nil {
		t.Fatal(err)
	}
	got, err := readObject(filepath.Join(out, "tokenizer_config.json"))
	if err != nil || got["eos_token"] != "<|end|>" || got["pad_token"] != "<|pad|>" || got["bos_token"] != nil || got["tokenizer_class"] != "PreTrainedTokenizerFast" {
		t.Errorf("tokenizer_config.json is %v (%v)", got, err)
	}
	// Where there is one it goes along as it is.
	again := filepath.Join(t.TempDir(), "hf")
	if err := os.WriteFile(filepath.Join(out, "tokenizer_config.json"), []byte(`{"eos_token": "b"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{From: out, To: model.HuggingFace, Out: again}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(again, "tokenizer_config.json")); err != nil || string(text) != `{"eos_token": "b"}` {
		t.Errorf("the copied tokenizer_config.json is %s (%v)", text, err)
	}
}
