package check_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"olmo/check"
	"olmo/data/dedupe"
	"olmo/lm/lmtest"
	"olmo/tensor"
	"olmo/weights"
)

// write writes a file anew, and the folders above it.
func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path) // what is linked elsewhere stays as it is
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

func zstded(text string) []byte {
	z, _ := zstd.NewWriter(nil)
	return z.EncodeAll([]byte(text), nil)
}

// twoDocuments are the rows of a documents file, rowsOf those of its attributes.
const (
	twoDocuments = `{"id":"a","text":"one two three","source":"s"}` + "\n" + `{"id":"b","text":"four five","source":"s"}` + "\n"
	rowsOf       = `{"id":"a","attributes":{"x__n":[[0,13,3.0]]},"source":"s"}` + "\n" + `{"id":"b","attributes":{"x__n":[[0,9,2.0]]},"source":"s"}` + "\n"
)

// uint16s are ids as a token file has them.
func uint16s(ids ...uint16) []byte {
	var b []byte
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint16(b, id)
	}
	return b
}

// artefacts makes one of each kind below dir.
func artefacts(t testing.TB, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	write(t, at("tokens/part-0-00000.npy"), uint16s(5, 6, 7, 0, 8, 9, 0))
	write(t, at("tokens/part-0-00000.csv.gz"), gzipped("0,4,a,in/documents/x.jsonl,1\r\n4,7,b,in/documents/x.jsonl,2\r\n"))
	write(t, at("tokens/part-0-00001.npy"), uint16s(3, 0))
	write(t, at("tokens/part-0-00001.csv.gz"), gzipped("0,2,c,in/documents/y.jsonl,1\r\n"))
	write(t, at("corpus/documents/x.jsonl.gz"), gzipped(twoDocuments))
	write(t, at("corpus/documents/y.jsonl.zst"), zstded(twoDocuments))
	write(t, at("corpus/documents/z.jsonl"), []byte(twoDocuments))
	write(t, at("corpus/attributes/exp/x.jsonl.gz"), gzipped(rowsOf))
	f, err := dedupe.NewFilter(1<<10, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	f.Insert(f.Hashes(nil, "key"))
	var filter bytes.Buffer
	if _, err := f.WriteTo(&filter); err != nil {
		t.Fatal(err)
	}
	write(t, at("filter.bin"), filter.Bytes())
	if err := lmtest.Write(at("model")); err != nil {
		t.Fatal(err)
	}
	set, err := weights.Open(at("model"))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if err := os.MkdirAll(at("sharded"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := weights.WriteShards(at("sharded"), set.All(), map[string]string{"format": "pt"}, 20_000); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.json", "tokenizer.json"} {
		write(t, at("sharded/"+name), read(t, at("model/"+name)))
	}
	write(t, at("train.yaml"), []byte("model: {d_model: 32, n_heads: 4, n_layers: 2}\nmax_duration: 10\nsave_folder: x\noptimizer: {name: adamw}\n"))
	write(t, at("mix.yaml"), []byte("streams: [a, b]\nprocesses: 2\n"))
	write(t, at("run/metrics.jsonl"), []byte(`{"step":1,"train/CrossEntropyLoss":5}`+"\n"+`{"step":2,"train/CrossEntropyLoss":4}`+"\n"))
	write(t, at("run/config.yaml"), read(t, at("train.yaml")))
	sum := sha256.Sum256([]byte(`{"doc":1}` + "\n"))
	write(t, at("eval/results.json"), fmt.Appendf(nil, `{"results":{"arc_easy":{"acc":0.5}},"requests":{"arc_easy":"%x"},"n-samples":{"arc_easy":2}}`, sum))
	write(t, at("eval/requests-arc_easy.jsonl"), []byte(`{"doc":1}`+"\n"))
}

// options know a config beside training's.
func options() check.Options {
	return check.Options{Configs: []check.ConfigKind{{Name: "config of mixing", Keys: []string{"streams", "processes"}, Parse: func(_ string, text []byte) error {
		if bytes.Contains(text, []byte("proceses")) {
			return fmt.Errorf("unknown key proceses")
		}
		return nil
	}}}}
}

// TestWhole: each kind of artefact is known by its name and is whole.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	artefacts(t, dir)
	for path, kind := range map[string]string{
		"tokens": "token files", "tokens/part-0-00000.npy": "token file", "tokens/part-0-00000.csv.gz": "places of documents",
		"corpus": "folder", "corpus/documents/x.jsonl.gz": "documents", "corpus/documents/y.jsonl.zst": "documents", "corpus/attributes/exp/x.jsonl.gz": "attributes",
		"filter.bin": "Bloom filter", "model": "olmo2 model (hf)", "model/tokenizer.json": "tokenizer", "model/model.safetensors": "weights",
		"sharded": "olmo2 model (hf)", "sharded/model.safetensors.index.json": "index of weights", "train.yaml": "config of olmo train",
		"mix.yaml": "config of mixing", "run": "run", "run/metrics.jsonl": "log of a run", "eval": "evaluation", ".": "folder",
	} {
		t.Run(path, func(t *testing.T) {
			full := filepath.Join(dir, filepath.FromSlash(path))
			r, err := check.Path(t.Context(), full, options())
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK || len(r.Problems) > 0 || r.Kind != kind || r.Checked.Files == 0 || r.Checked.Bytes == 0 {
				t.Errorf("Path: %+v, want no problem of a %s", r, kind)
			}
			if _, err := check.Describe(full, nil); err != nil {
				t.Errorf("Describe: %v", err)
			}
		})
	}
}

// TestDamage: one case for each kind of damage; a problem is a kind, a path and what the
// message must name.
func TestDamage(t *testing.T) {
	type edit func(t *testing.T, at func(string) string)
	cut := func(name string, bytes int) edit {
		return func(t *testing.T, at func(string) string) {
			text := read(t, at(name))
			write(t, at(name), text[:len(text)-bytes])
		}
	}
	put := func(name string, text []byte) edit {
		return func(t *testing.T, at func(string) string) { write(t, at(name), text) }
	}
	flip := func(name string, place float64) edit {
		return func(t *testing.T, at func(string) string) {
			text := read(t, at(name))
			text[int(float64(len(text))*place)] ^= 1
			write(t, at(name), text)
		}
	}
	remove := func(name string) edit {
		return func(t *testing.T, at func(string) string) {
			if err := os.Remove(at(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(name, old, with string) edit {
		return func(t *testing.T, at func(string) string) {
			text := read(t, at(name))
			if !bytes.Contains(text, []byte(old)) {
				t.Fatalf("%s has no %q", name, old)
			}
			write(t, at(name), bytes.Replace(text, []byte(old), []byte(with), 1))
		}
	}
	firstShard := func(at func(string) string) string {
		names, err := filepath.Glob(at("sharded/model-00001-of-*.safetensors"))
		if err != nil || len(names) != 1 {
			t.Fatal(names, err)
		}
		return names[0]
	}
	// another writes a file of the model's tensors in which the norm has other numbers.
	another := func(t *testing.T, from, to string, keep func(name string) bool) {
		set, err := weights.Open(from)
		if err != nil {
			t.Fatal(err)
		}
		var out []weights.Named
		for _, n := range set.All() {
			v, err := n.Value()
			if err != nil {
				t.Fatal(err)
			}
			n.Tensor, n.Load = tensor.Tensor{DType: v.DType, Shape: v.Shape, Data: bytes.Clone(v.Data)}, nil
			if n.Name == "model.norm.weight" {
				n.Data[0] ^= 1
			}
			if keep(n.Name) {
				out = append(out, n)
			}
		}
		set.Close()
		if err := weights.WriteSafetensors(to, out, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
	}
	all := func(string) bool { return true }
	type want struct {
		kind      check.Kind
		path, say string
	}
	cases := []struct {
		name   string
		check  string // the path that is checked
		damage edit
		want   []want
	}{
		{"tokens cut off", "tokens", cut("tokens/part-0-00000.npy", 3), []want{{check.Truncated, "part-0-00000.npy", "11 bytes"}}},
		{"one token file cut off", "tokens/part-0-00000.npy", cut("tokens/part-0-00000.npy", 2), []want{{check.Truncated, "part-0-00000.npy", "12 bytes"}}},
		{"places of another file", "tokens", func(t *testing.T, at func(string) string) {
			a, b := at("tokens/part-0-00000.csv.gz"), at("tokens/part-0-00001.csv.gz")
			x, y := read(t, a), read(t, b)
			write(t, a, y)
			write(t, b, x)
		}, []want{{check.Truncated, "part-0-00000.npy", "14 bytes"}, {check.Truncated, "part-0-00001.npy", "4 bytes"}}},
		{"places cut off", "tokens", cut("tokens/part-0-00000.csv.gz", 6), []want{{check.Truncated, "part-0-00000.csv.gz", ""}}},
		{"places with a gap", "tokens", put("tokens/part-0-00000.csv.gz", gzipped("0,3,a,x,1\r\n4,7,b,x,2\r\n")), []want{{check.Tokens, "part-0-00000.csv.gz", "row 2"}}},
		{"two gaps", "tokens", put("tokens/part-0-00000.csv.gz", gzipped("0,3,a,x,1\r\n4,5,b,x,2\r\n6,7,c,x,3\r\n")), []want{{check.Tokens, "part-0-00000.csv.gz", "row 2"}, {check.Tokens, "part-0-00000.csv.gz", "row 3"}}},
		{"tokens of another type", "tokens", put("tokens/part-0-00001.npy", []byte{3, 0, 0, 0, 0, 0, 0, 0}), []want{{check.Tokens, "tokens", "several types"}}},
		{"token file missing", "tokens", remove("tokens/part-0-00000.npy"), []want{{check.Missing, "part-0-00000.npy", ""}}},
		{"places missing", "tokens", remove("tokens/part-0-00000.csv.gz"), []want{{check.Missing, "part-0-00000.csv.gz", "the documents of part-0-00000.npy"}}},
		{"an empty gzip file", "corpus/documents/x.jsonl.gz", put("corpus/documents/x.jsonl.gz", nil), []want{{check.Truncated, "x.jsonl.gz", "empty"}}},
		{"a number left out", "tokens", func(t *testing.T, at func(string) string) {
			remove("tokens/part-0-00000.npy")(t, at)
			remove("tokens/part-0-00000.csv.gz")(t, at)
		}, []want{{check.Missing, "part-0-00000.npy", "go on after it"}}},
		{"gzip cut off", "corpus/documents/x.jsonl.gz", cut("corpus/documents/x.jsonl.gz", 12), []want{{check.Truncated, "x.jsonl.gz", ""}}},
		{"gzip damaged", "corpus/documents/x.jsonl.gz", flip("corpus/documents/x.jsonl.gz", 0.95), []want{{check.Damaged, "x.jsonl.gz", ""}}},
		{"zstd cut off", "corpus/documents/y.jsonl.zst", cut("corpus/documents/y.jsonl.zst", 6), []want{{check.Truncated, "y.jsonl.zst", ""}}},
		{"zstd damaged", "corpus/documents/y.jsonl.zst", flip("corpus/documents/y.jsonl.zst", 0.99), []want{{check.Damaged, "y.jsonl.zst", ""}}},
		{"a compressed file is none", "corpus/documents/y.jsonl.zst", put("corpus/documents/y.jsonl.zst", []byte("\x00\x01\x02\x03 nothing")), []want{{check.Damaged, "y.jsonl.zst", ""}}},
		{
			"lines that are no documents", "corpus/documents/z.jsonl", put("corpus/documents/z.jsonl", []byte(twoDocuments+"{\"id\":\"c\"}\nnot JSON\n{\"id\":\"d\",\"text\":\"\xff\"}\n")),
			[]want{{check.Documents, "z.jsonl", "no text"}, {check.Documents, "z.jsonl", "line 4"}, {check.Documents, "z.jsonl", "UTF-8"}},
		},
		{"a document cut off", "corpus/documents/z.jsonl", cut("corpus/documents/z.jsonl", 10), []want{{check.Documents, "z.jsonl", "line 2"}}},
		{"attributes of other documents", "corpus", replaceGzip("corpus/attributes/exp/x.jsonl.gz", `"b"`, `"q"`), []want{{check.Attributes, "attributes/exp/x.jsonl.gz", `"q"`}}},
		{"a row too few", "corpus", put("corpus/attributes/exp/x.jsonl.gz", gzipped(rowsOf[:strings.Index(rowsOf, "\n")+1])), []want{{check.Attributes, "attributes/exp/x.jsonl.gz", "1 rows"}}},
		{"a row too many", "corpus", put("corpus/attributes/exp/x.jsonl.gz", gzipped(rowsOf+rowsOf[:strings.Index(rowsOf, "\n")+1])), []want{{check.Attributes, "attributes/exp/x.jsonl.gz", "3 rows, its 2 documents"}}},
		{"attributes of no documents", "corpus", func(t *testing.T, at func(string) string) {
			write(t, at("corpus/attributes/exp/w.jsonl.gz"), gzipped(rowsOf))
		}, []want{{check.Attributes, "attributes/exp/w.jsonl.gz", "no file"}}},
		{"a row that is none", "corpus", put("corpus/attributes/exp/x.jsonl.gz", gzipped(strings.Replace(rowsOf, `[[0,9,2.0]]`, `[[0,9]]`, 1))), []want{{check.Attributes, "attributes/exp/x.jsonl.gz", "line 2"}}},
		{"filter cut off", "filter.bin", cut("filter.bin", 1), []want{{check.Damaged, "filter.bin", "cut off"}}},
		{"filter without a body", "filter.bin", put("filter.bin", []byte{0x17, 0xf1, 0xf0, 0x81, 1, 0, 0, 0}), []want{{check.Truncated, "filter.bin", "cut off"}}},
		{"tokenizer cut off", "model/tokenizer.json", cut("model/tokenizer.json", 2000), []want{{check.Truncated, "tokenizer.json", "middle"}}},
		{
			"a merge out of the vocabulary", "model", replace("model/tokenizer.json", `"merges": [`, `"merges": [["zz", "qq"], ["yy", "qq"],`),
			[]want{{check.Tokenizer, "tokenizer.json", `merges[0] joins "zz"`}, {check.Tokenizer, "tokenizer.json", "merges[1]"}},
		},
		{"weights cut off", "model", cut("model/model.safetensors", 100), []want{{check.Damaged, "model", "cut short"}}},
		{"config of another shape", "model", replace("model/config.json", `"vocab_size": 320`, `"vocab_size": 321`), []want{{check.Model, "model", "lm_head.weight has shape [320 32], the config asks for [321 32]"}, {check.Model, "model", "embed_tokens"}}},
		{"config that is no JSON", "model", cut("model/config.json", 4), []want{{check.Truncated, "config.json", ""}}},
		{"numbers that are not finite", "model/model.safetensors", func(t *testing.T, at func(string) string) {
			text := read(t, at("model/model.safetensors"))
			binary.LittleEndian.PutUint32(text[len(text)-8:], math.Float32bits(float32(math.Inf(1))))
			write(t, at("model/model.safetensors"), text)
		}, []want{{check.Model, "model.safetensors", "not finite"}}},
		{"a shard is missing", "sharded", func(t *testing.T, at func(string) string) { os.Remove(firstShard(at)) }, []want{{check.Missing, "model-00001", "index.json names it"}}},
		{"a tensor is not in its shard", "sharded", func(t *testing.T, at func(string) string) {
			set, err := weights.Open(firstShard(at))
			if err != nil {
				t.Fatal(err)
			}
			first := set.Names()[0]
			set.Close()
			another(t, firstShard(at), firstShard(at), func(name string) bool { return name != first })
		}, []want{{check.Missing, "model-00001", ""}}},
		{"a tensor in two shards", "sharded", func(t *testing.T, at func(string) string) {
			write(t, at("sharded/extra"), nil)
			another(t, at("model/model.safetensors"), at("sharded/model-00099-of-00099.safetensors"), func(name string) bool { return name == "model.norm.weight" })
			os.Remove(at("sharded/extra"))
		}, []want{{check.Model, "model-00099-of-00099.safetensors", "model.norm.weight"}}},
		{"a stale file beside the shards", "sharded", func(t *testing.T, at func(string) string) {
			another(t, at("model/model.safetensors"), at("sharded/model.safetensors"), all)
		}, []want{{check.Model, "model.safetensors", "model.norm.weight has other numbers"}}},
		{"PyTorch's file beside another", "model", func(t *testing.T, at func(string) string) {
			// What a file is its first bytes say, so this one may have any name.
			another(t, at("model/model.safetensors"), at("model/pytorch_model.bin"), func(name string) bool { return name != "lm_head.weight" })
		}, []want{{check.Model, "model.safetensors", "model.norm.weight has other numbers"}}},
		{"the index leads out", "sharded", replace("sharded/model.safetensors.index.json", `"model-00001`, `"../model-00001`), []want{{check.Manifest, "model.safetensors.index.json", "no file of weights beside it"}}},
		{"a pointer of Git LFS", "model", put("model/model.safetensors", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 5\n")), []want{{check.Missing, "model.safetensors", "Git LFS"}}},
		{"a key that is none", "train.yaml", replace("train.yaml", "save_folder", "save_foldr"), []want{{check.Config, "train.yaml", "save_foldr"}}},
		{"a config that is no YAML", "train.yaml", put("train.yaml", []byte("model: {d_model: 3\n- x")), []want{{check.Damaged, "train.yaml", ""}}},
		{"a key of mixing that is none", "mix.yaml", replace("mix.yaml", "processes", "proceses"), []want{{check.Config, "mix.yaml", "proceses"}}},
		{"the log goes back", "run/metrics.jsonl", replace("run/metrics.jsonl", `"step":2`, `"step":0`), []want{{check.Log, "metrics.jsonl", "line 2 is of step 0"}}},
		{"a line of the log is none", "run", replace("run/metrics.jsonl", `{"step":1`, `"step":1`), []want{{check.Log, "metrics.jsonl", "line 1"}}},
		{"requests are missing", "eval", remove("eval/requests-arc_easy.jsonl"), []want{{check.Missing, "requests-arc_easy.jsonl", "arc_easy"}}},
		{"requests of another run", "eval", put("eval/requests-arc_easy.jsonl", []byte("{}\n")), []want{{check.Changed, "requests-arc_easy.jsonl", "results.json says"}}},
		{"results cut off", "eval", cut("eval/results.json", 5), []want{{check.Truncated, "results.json", ""}}},
		{"an empty folder", "empty", func(t *testing.T, at func(string) string) { os.Mkdir(at("empty"), 0o755) }, []want{{check.Missing, "empty", "nothing that can be checked"}}},
		{"a record tells another digest", "tokens", func(t *testing.T, at func(string) string) {
			write(t, at("tokens.tokens.json"), record(t, at, "tokens/part-0-00000.npy", "tokens/part-0-00001.npy"))
			flip("tokens/part-0-00001.npy", 0)(t, at)
		}, []want{{check.Changed, "part-0-00001.npy", "tokens.tokens.json says"}}},
		{"swapped files", "tokens", func(t *testing.T, at func(string) string) {
			write(t, at("tokens/part-0-00002.npy"), uint16s(9, 0))
			write(t, at("tokens/part-0-00002.csv.gz"), gzipped("0,2,d,in/documents/y.jsonl,1\r\n"))
			write(t, at("tokens.tokens.json"), record(t, at, "tokens/part-0-00001.npy", "tokens/part-0-00002.npy"))
			x, y := read(t, at("tokens/part-0-00001.npy")), read(t, at("tokens/part-0-00002.npy"))
			write(t, at("tokens/part-0-00001.npy"), y)
			write(t, at("tokens/part-0-00002.npy"), x)
		}, []want{{check.Changed, "part-0-00001.npy", "which is that of part-0-00002.npy"}, {check.Changed, "part-0-00002.npy", "which is that of part-0-00001.npy"}}},
		{"documents other than those that were tagged", "corpus", func(t *testing.T, at func(string) string) {
			text := record(t, func(name string) string { return at("corpus/attributes/" + name) }, "../documents/z.jsonl")
			write(t, at("corpus/attributes/exp.tag.json"), bytes.Replace(bytes.Replace(text, []byte(`"inputs":[],`), nil, 1), []byte("outputs"), []byte("inputs"), 1))
			write(t, at("corpus/documents/z.jsonl"), []byte(strings.Replace(twoDocuments, "three", "eight", 1)))
		}, []want{{check.Changed, "documents/z.jsonl", "exp.tag.json says"}}},
		{"attributes of documents that were made anew", "corpus", func(t *testing.T, at func(string) string) {
			now := record(t, func(name string) string { return at("corpus/" + name) }, "documents/z.jsonl")
			write(t, at("corpus/documents.convert.json"), now)
			write(t, at("corpus/documents/z.jsonl"), []byte(strings.Replace(twoDocuments, "three", "eight", 1)))
			was := record(t, func(name string) string { return at("corpus/attributes/" + name) }, "../documents/z.jsonl")
			write(t, at("corpus/attributes/exp.tag.json"), bytes.Replace(bytes.Replace(was, []byte(`"inputs":[],`), nil, 1), []byte("outputs"), []byte("inputs"), 1))
			write(t, at("corpus/documents/z.jsonl"), []byte(twoDocuments))
		}, []want{{check.Changed, "documents/z.jsonl", "documents.convert.json says, but attributes/exp.tag.json"}}},
		{"a recorded file is missing", "corpus", func(t *testing.T, at func(string) string) {
			write(t, at("corpus/attributes/exp.tag.json"), record(t, func(name string) string { return at("corpus/attributes/" + name) }, "exp/x.jsonl.gz"))
			remove("corpus/attributes/exp/x.jsonl.gz")(t, at)
		}, []want{{check.Missing, "attributes/exp/x.jsonl.gz", "exp.tag.json lists it"}}},
	}
	pristine := t.TempDir()
	artefacts(t, pristine)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
				t.Fatal(err)
			}
			at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
			c.damage(t, at)
			r, err := check.Path(t.Context(), at(c.check), options())
			if err != nil {
				t.Fatal(err)
			}
			compareProblems(t, r, c.want, func(w want) (check.Kind, string, string) { return w.kind, w.path, w.say })
		})
	}
}

// compareProblems wants exactly these problems, in any order; a path may be the beginning of one.
func compareProblems[W any](t *testing.T, r *check.Report, want []W, parts func(W) (check.Kind, string, string)) {
	t.Helper()
	if r.OK || len(r.Problems) != len(want) {
		t.Errorf("OK %v, %d problems, want %d: %+v", r.OK, len(r.Problems), len(want), r.Problems)
	}
	for _, w := range want {
		kind, path, say := parts(w)
		if !slices.ContainsFunc(r.Problems, func(p check.Problem) bool {
			return p.Kind == kind && strings.HasPrefix(p.Path, path) && strings.Contains(p.Message, say)
		}) {
			t.Errorf("no problem %s of %s that says %q: %+v", kind, path, say, r.Problems)
		}
	}
}

func replaceGzip(name, old, with string) func(t *testing.T, at func(string) string) {
	return func(t *testing.T, at func(string) string) {
		write(t, at(name), gzipped(strings.Replace(rowsOf, old, with, 1)))
	}
}

// record is what a data stage leaves beside its outputs.
func record(t *testing.T, at func(string) string, names ...string) []byte {
	var outputs []string
	for _, name := range names {
		text := read(t, at(name))
		sum := sha256.Sum256(text)
		outputs = append(outputs, fmt.Sprintf(`{"path":%q,"size":%d,"sha256":"%s"}`, name, len(text), hex.EncodeToString(sum[:])))
	}
	return []byte(`{"format":"olmo stage 1","stage":"x","units":[{"key":"k","inputs":[],"outputs":[` + strings.Join(outputs, ",") + `]}]}`)
}

// TestUnknown: what is not there, or nothing known, is an error and not a sound artefact.
func TestUnknown(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x.odt"), []byte("nothing"))
	for _, name := range []string{"none", "x.odt"} {
		if r, err := check.Path(t.Context(), filepath.Join(dir, name), check.Options{}); err == nil {
			t.Errorf("%s: %+v, want an error", name, r)
		}
		if d, err := check.Describe(filepath.Join(dir, name), nil); err == nil {
			t.Errorf("%s: %+v, want an error", name, d)
		}
	}
}

// TestStopped: a check whose context has ended says so and finds nothing.
func TestStopped(t *testing.T) {
	dir := t.TempDir()
	artefacts(t, dir)
	for _, name := range []string{"tokens", "corpus", "model", "model/model.safetensors", "."} {
		ctx, cancel := context.WithCancel(t.Context())
		// It ends while the check is under way.
		r, err := check.Path(ctx, filepath.Join(dir, name), check.Options{Progress: func(int64, int64) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %+v, %v, want context.Canceled", name, r, err)
		}
		cancel()
	}
}

// TestElsewhere: a record that names files outside its folder is not followed.
func TestElsewhere(t *testing.T) {
	dir := t.TempDir()
	artefacts(t, dir)
	text := `{"format":"olmo stage 1","stage":"tokens","units":[{"key":"k","outputs":[{"path":"../precious","size":1,"sha256":"00"},{"path":"/etc/passwd","size":1,"sha256":"00"}]}]}`
	write(t, filepath.Join(dir, "tokens", "x.tokens.json"), []byte(text))
	r, err := check.Path(t.Context(), filepath.Join(dir, "tokens"), check.Options{})
	if err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "2 files outside of what is checked, such as ../precious") {
		t.Errorf("notes %q do not tell of the paths", r.Notes)
	}
}

// TestNotes: oddities that do no harm, and what cannot be judged.
func TestNotes(t *testing.T) {
	dir := t.TempDir()
	artefacts(t, dir)
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	write(t, at("twice.jsonl"), []byte(twoDocuments+twoDocuments))
	write(t, at("nan.jsonl/metrics.jsonl"), []byte(`{"step":1,"loss":NaN}`+"\n"+`{"step":2,"loss":1}`+"\n"+`{"step":3,"lo`))
	write(t, at("alone.npy"), uint16s(1, 2, 3))
	write(t, at("full.bin"), read(t, at("filter.bin")))
	full := read(t, at("full.bin"))
	for i := range full[12+3*32+8:] {
		full[12+3*32+8+i] = 0xff
	}
	write(t, at("full.bin"), append(full, 0, 0))
	for path, want := range map[string][]string{
		"twice.jsonl":             {"2 documents have the id"},
		"nan.jsonl/metrics.jsonl": {"not finite, the first is of step 1", "torn"},
		"alone.npy":               {"nothing to compare with", "type of its ids"},
		"full.bin":                {"100.0 % of its bits", "2 bytes follow"},
		"model":                   {"nothing to compare the weights with"},
		"corpus":                  {"nothing to compare with"},
	} {
		r, err := check.Path(t.Context(), at(path), check.Options{})
		if err != nil || !r.OK {
			t.Errorf("%s: %+v, %v", path, r, err)
			continue
		}
		for _, w := range want {
			if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, w) {
				t.Errorf("%s: notes %q do not say %q", path, r.Notes, w)
			}
		}
	}
}

// TestDigests: a model's digest under the names of training does not depend on how its files
// name and cut the tensors, and a card's digests are compared.
func TestDigests(t *testing.T) {
	dir := t.TempDir()
	artefacts(t, dir)
	var training []string
	for _, name := range []string{"model", "sharded"} {
		r, err := check.Path(t.Context(), filepath.Join(dir, name), check.Options{})
		if err != nil || len(r.Weights) != 1 || r.Weights[0].Training == "" || r.Weights[0].Training == r.WeightsDigest {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		training = append(training, r.Weights[0].Training)
		card := func(own, training string) string {
			return "---\nlicense: other\nweights_digest: " + own + "\ntraining_weights_digest: " + training + "\n---\n# Model\n"
		}
		for _, c := range []struct {
			own, training string
			problems      int
		}{{r.WeightsDigest, training[0], 0}, {strings.Repeat("0", 64), training[0], 1}, {r.WeightsDigest, strings.Repeat("0", 64), 1}} {
			write(t, filepath.Join(dir, name, "README.md"), []byte(card(c.own, c.training)))
			if r, err := check.Path(t.Context(), filepath.Join(dir, name), check.Options{}); err != nil || len(r.Problems) != c.problems {
				t.Errorf("a card with %s and %s: %+v, %v, want %d problems", c.own, c.training, r, err, c.problems)
			}
		}
	}
	if training[0] != training[1] {
		t.Errorf("digests %s of one file and %s of shards", training[0], training[1])
	}
}

// FuzzPath: no bytes under any name make check or describe fail otherwise than by an error,
// and lists lead nowhere else.
func FuzzPath(f *testing.F) {
	dir := f.TempDir()
	artefacts(f, dir)
	names := []string{
		"x.npy", "x.csv.gz", "x.npy.leaves", "x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.parquet", "x.bin", "x.safetensors", "x.gguf", "tokenizer.json", "x.json", "x.yaml",
		"metrics.jsonl", "results.json", "report.json", "manifest.json", "model.safetensors.index.json", "config.json", "x.tokens.json", "README.md",
	}
	seen := map[string]bool{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !seen[filepath.Ext(path)] {
			seen[filepath.Ext(path)] = true
			if text := read(f, path); len(text) < 10_000 {
				for i := range names {
					f.Add(uint8(i), text)
				}
			}
		}
		return nil
	})
	f.Add(uint8(15), []byte(`{"artefacts":[{"path":"../../x","bytes":1,"sha256":"00"}]}`))
	f.Add(uint8(19), []byte(`{"format":"olmo stage 1","units":[null,{"outputs":[{"path":"/etc/passwd","size":1,"sha256":"00"}]}]}`))
	var mu sync.Mutex
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		mu.Lock()
		defer mu.Unlock()
		in := t.TempDir()
		path := filepath.Join(in, names[int(which)%len(names)])
		write(t, path, text)
		for _, p := range []string{path, in} {
			if r, err := check.Path(t.Context(), p, check.Options{}); err == nil && r.OK != (len(r.Problems) == 0) {
				t.Errorf("%+v", r)
			}
			_, _ = check.Describe(p, nil)
		}
	})
}
