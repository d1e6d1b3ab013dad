package verify_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/release/verify"
	"olmo/weights"
)

// flip changes one bit of a tensor of a file.
func flip(t testing.TB, path, name string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	st, err := f.Stat()
	check(t, err)
	entries, _, err := weights.ReadHeader(path, f, st.Size())
	check(t, err)
	for _, e := range entries {
		if e.Name == name {
			b := []byte{0}
			_, err = f.ReadAt(b, e.Begin+5)
			check(t, err)
			b[0] ^= 1
			_, err = f.WriteAt(b, e.Begin+5)
			check(t, err)
			return
		}
	}
	t.Fatalf("%s has no %s", path, name)
}

// replace changes a text in a file, which must be there.
func replace(t testing.TB, path, old, new string) {
	t.Helper()
	text := read(t, path)
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s has no %q", path, old)
	}
	write(t, path, bytes.Replace(text, []byte(old), []byte(new), 1))
}

func swap(t testing.TB, a, b string) {
	t.Helper()
	x, y := read(t, a), read(t, b)
	write(t, a, y)
	write(t, b, x)
}

const block = "transformer.blocks.0.att_proj.weight"

// hf are the tensors of the models, native those of the run's checkpoints.
var hf = []string{
	"lm_head.weight", "model.embed_tokens.weight", "model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight",
	"model.layers.0.post_attention_layernorm.weight", "model.layers.0.post_feedforward_layernorm.weight", "model.layers.0.self_attn.k_norm.weight", "model.layers.0.self_attn.k_proj.weight",
	"model.layers.0.self_attn.o_proj.weight", "model.layers.0.self_attn.q_norm.weight", "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.v_proj.weight", "model.norm.weight",
}

func revisions(path string, step, is int, tensors []string) (all []string) {
	for _, name := range tensors {
		all = append(all, fmt.Sprintf("revision %s step %d tensor %s is %d", path, step, name, is))
	}
	return all
}

func changed(path string, tensors []string) (all []string) {
	for _, name := range tensors {
		all = append(all, fmt.Sprintf("changed %s tensor %s", path, name))
	}
	return all
}

// exchanged fills in step, file and tensor of the checkpoints of steps 4 and 8.
func exchanged(format string) (all []string) {
	for _, step := range []int{4, 8} {
		for _, name := range native {
			all = append(all, fmt.Sprintf(format, step, "model.safetensors", name))
			all = append(all, fmt.Sprintf(format, step, "optim.safetensors", "exp_avg/"+name), fmt.Sprintf(format, step, "optim.safetensors", "exp_avg_sq/"+name))
		}
	}
	return all
}

var native = []string{
	"transformer.blocks.0.att_proj.weight", "transformer.blocks.0.attn_norm.weight", "transformer.blocks.0.attn_out.weight", "transformer.blocks.0.ff_norm.weight", "transformer.blocks.0.ff_out.weight",
	"transformer.blocks.0.ff_proj.weight", "transformer.blocks.0.k_norm.weight", "transformer.blocks.0.q_norm.weight", "transformer.ff_out.weight", "transformer.ln_f.weight", "transformer.wte.weight",
}

// indices are the rows of a file of data-indices.
func indices(t testing.TB, path string) []string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	check(t, err)
	text, err := io.ReadAll(z)
	check(t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// attacks change a sound release. forged is true where its maker has made all hashes right again that need
// no key; want are the problems then, careless those that there are more where he has not.
var attacks = []struct {
	name           string
	attack         func(t testing.TB, dir string)
	want, careless []string
	sealed         []string // more where the hashes are right again
}{
	{
		"a bit in the weights",
		func(t testing.TB, dir string) { flip(t, filepath.Join(dir, "train/step8/model.safetensors"), block) },
		[]string{
			"checkpoint train/step8/model.safetensors step 8 tensor " + block,
			"revision model/step8-tokens0B/model.safetensors step 8 tensor model.layers.0.self_attn.q_proj.weight",
		},
		[]string{
			"changed train/step8/model.safetensors tensor " + block,
			"checkpoint train/step8/manifest.json step 8 tensor " + block,
		},
		nil,
	},
	{
		"a bit in the optimiser",
		func(t testing.TB, dir string) {
			flip(t, filepath.Join(dir, "train/step8/optim.safetensors"), "exp_avg/"+block)
		},
		[]string{"checkpoint train/step8/optim.safetensors step 8 tensor exp_avg/" + block},
		[]string{
			"changed train/step8/optim.safetensors tensor exp_avg/" + block,
			"checkpoint train/step8/manifest.json step 8 tensor exp_avg/" + block,
		},
		nil,
	},
	{
		"a bit in a model",
		func(t testing.TB, dir string) {
			flip(t, filepath.Join(dir, "model/step8-tokens0B/model.safetensors"), "model.norm.weight")
		},
		[]string{"revision model/step8-tokens0B/model.safetensors step 8 tensor model.norm.weight"},
		[]string{"changed model/step8-tokens0B/model.safetensors tensor model.norm.weight"},
		nil,
	},
	{
		"a bit in a token file",
		func(t testing.TB, dir string) {
			path := filepath.Join(dir, "data/tokens/sub/b.npy")
			text := read(t, path)
			text[200] ^= 1
			write(t, path, text)
		},
		[]string{"tokens data/tokens/sub/b.npy document b.npy-3"},
		[]string{"changed data/tokens/sub/b.npy"},
		nil,
	},
	{
		"a counter in train.json",
		func(t testing.TB, dir string) {
			replace(t, filepath.Join(dir, "train/step8/train.json"), `"optimizer_steps": 8`, `"optimizer_steps": 9`)
		},
		[]string{"checkpoint train/step8/train.json step 8"},
		[]string{"changed train/step8/train.json", "checkpoint train/step8/manifest.json step 8"},
		nil,
	},
	{
		"weights of another step on a branch",
		func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "model/step8-tokens0B/model.safetensors"), read(t, filepath.Join(dir, "model/step4-tokens0B/model.safetensors")))
		},
		revisions("model/step8-tokens0B/model.safetensors", 8, 4, hf),
		changed("model/step8-tokens0B/model.safetensors", hf),
		[]string{"duplicate model/step8-tokens0B step 8"},
	},
	{
		"a checkpoint and its branch exchanged together",
		func(t testing.TB, dir string) {
			for _, name := range []string{"model.safetensors", "optim.safetensors"} {
				swap(t, filepath.Join(dir, "train/step4", name), filepath.Join(dir, "train/step8", name))
			}
			swap(t, filepath.Join(dir, "model/step4-tokens0B/model.safetensors"), filepath.Join(dir, "model/step8-tokens0B/model.safetensors"))
		},
		exchanged("checkpoint train/step%d/%s step %[1]d tensor %[3]s"),
		append(append(exchanged("checkpoint train/step%d/manifest.json step %[1]d tensor %[3]s"), exchanged("changed train/step%d/%s tensor %[3]s")...),
			"changed model/step4-tokens0B/model.safetensors", "changed model/step8-tokens0B/model.safetensors"),
		nil,
	},
	{
		"a truncated file",
		func(t testing.TB, dir string) {
			check(t, os.Truncate(filepath.Join(dir, "train/step8/optim.safetensors"), 1000))
		},
		[]string{"checkpoint train/step8/optim.safetensors step 8"},
		[]string{"truncated train/step8/optim.safetensors"},
		nil,
	},
	{
		"a missing file",
		func(t testing.TB, dir string) {
			check(t, os.Remove(filepath.Join(dir, "train/step8/optim.safetensors")))
		},
		[]string{"checkpoint train/step8/optim.safetensors step 8"},
		[]string{"missing train/step8/optim.safetensors"},
		nil,
	},
	{
		"an added file",
		func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "model/main/evil.py"), []byte("import os"))
		},
		nil,
		[]string{"unlisted model/main/evil.py"},
		nil,
	},
	{
		"another tokenizer",
		func(t testing.TB, dir string) { write(t, filepath.Join(dir, "tokenizer/tokenizer.json"), []byte(`{}`)) },
		[]string{"tokenizer tokenizer/tokenizer.json"},
		[]string{"truncated tokenizer/tokenizer.json"},
		nil,
	},
	{
		"another learning rate in the config",
		func(t testing.TB, dir string) {
			replace(t, filepath.Join(dir, "train/config.yaml"), "learning_rate: 0.004", "learning_rate: 0.005")
		},
		[]string{"recipe train/config.yaml key optimizer.learning_rate"},
		[]string{"changed train/config.yaml"},
		nil,
	},
	{
		"another recipe",
		func(t testing.TB, dir string) {
			replace(t, filepath.Join(dir, "train/recipe.json"), `"seed":7,"seq`, `"seed":8,"seq`)
		},
		[]string{"recipe train/recipe.json key seed"},
		[]string{"changed train/recipe.json"},
		nil,
	},
	{
		"another loss in the log",
		func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/metrics.jsonl")
			lines := strings.SplitAfter(string(read(t, path)), "\n")
			at := strings.Index(lines[6], `"train/CrossEntropyLoss":`) + len(`"train/CrossEntropyLoss":`)
			lines[6] = lines[6][:at] + "1" + lines[6][at+1:]
			write(t, path, []byte(strings.Join(lines, "")))
		},
		[]string{"log train/metrics.jsonl step 7"},
		[]string{"changed train/metrics.jsonl"},
		nil,
	},
	{
		"steps of the chain exchanged",
		func(t testing.TB, dir string) {
			l := chainLines(t, dir)
			l[5], l[6] = l[6], l[5]
			write(t, filepath.Join(dir, "train/chain.jsonl"), append(bytes.Join(l, []byte("\n")), '\n'))
		},
		[]string{"chain train/chain.jsonl step 5", "log train/metrics.jsonl step 5"},
		[]string{"changed train/chain.jsonl"},
		nil,
	},
	{
		"a step of the chain left out",
		func(t testing.TB, dir string) {
			l := chainLines(t, dir)
			write(t, filepath.Join(dir, "train/chain.jsonl"), append(bytes.Join(slices.Delete(l, 6, 7), []byte("\n")), '\n'))
		},
		[]string{"chain train/chain.jsonl step 6", "log train/metrics.jsonl step 6"},
		[]string{"truncated train/chain.jsonl"},
		nil,
	},
	{
		"a step of the chain twice",
		func(t testing.TB, dir string) {
			l := chainLines(t, dir)
			write(t, filepath.Join(dir, "train/chain.jsonl"), append(bytes.Join(slices.Insert(l, 6, l[6]), []byte("\n")), '\n'))
		},
		[]string{"chain train/chain.jsonl step 6"},
		[]string{"changed train/chain.jsonl", "log train/metrics.jsonl step 20"}, // which is behind the bytes that release.json lets be read
		nil,
	},
	{
		"instances of two steps exchanged, with every hash made right again",
		func(t testing.TB, dir string) {
			l := parsed(t, dir)
			l[5].Instances, l[6].Instances = l[6].Instances, l[5].Instances
			l[5].Tokens, l[6].Tokens = l[6].Tokens, l[5].Tokens
			path := filepath.Join(dir, "train/data-indices/rank0.tsv.gz")
			rows := indices(t, path)
			a, b := strings.SplitN(rows[4], "\t", 2), strings.SplitN(rows[5], "\t", 2)
			rows[4], rows[5] = a[0]+"\t"+b[1], b[0]+"\t"+a[1]
			write(t, path, squeezed([]byte(strings.Join(rows, "\n")+"\n")))
			rechain(t, dir, l)
			seal(t, dir)
		},
		[]string{"order step 5", "order step 6"},
		nil,
		nil,
	},
	{
		"a batch of other tokens, with every hash made right again",
		func(t testing.TB, dir string) {
			l := parsed(t, dir)
			l[5].Tokens = l[6].Tokens
			rechain(t, dir, l)
			seal(t, dir)
		},
		[]string{"tokens step 5"},
		nil,
		nil,
	},
	{
		"another learning rate in the log",
		func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/metrics.jsonl")
			replace(t, path, `"optim/learning_rate_group0":0.004`, `"optim/learning_rate_group0":0.005`)
		},
		[]string{"log train/metrics.jsonl step 2"},
		[]string{"changed train/metrics.jsonl"},
		nil,
	},
	{
		"the same weights at two steps",
		func(t testing.TB, dir string) {
			l := parsed(t, dir)
			l[8].Weights = l[4].Weights
			write(t, filepath.Join(dir, "train/step8/model.safetensors"), read(t, filepath.Join(dir, "train/step4/model.safetensors")))
			write(t, filepath.Join(dir, "model/step8-tokens0B/model.safetensors"), read(t, filepath.Join(dir, "model/step4-tokens0B/model.safetensors")))
			lines := strings.SplitAfter(string(read(t, filepath.Join(dir, "train/tensors.jsonl"))), "\n")
			four, eight := lines[1], lines[2]
			_, optim, _ := strings.Cut(eight, `,"optim"`)
			weights, _, _ := strings.Cut(four, `,"optim"`)
			lines[2] = strings.Replace(weights, `"step":4`, `"step":8`, 1) + `,"optim"` + optim
			write(t, filepath.Join(dir, "train/tensors.jsonl"), []byte(strings.Join(lines, "")))
			rechain(t, dir, l)
			seal(t, dir)
		},
		[]string{"duplicate train/chain.jsonl step 8"},
		nil,
		nil,
	},
	{
		"another rotation in the config of a model",
		func(t testing.TB, dir string) {
			replace(t, filepath.Join(dir, "model/main/config.json"), `"rope_theta": 10000`, `"rope_theta": 20000`)
		},
		[]string{"revision model/main/config.json step 20 key rope_theta"},
		[]string{"changed model/main/config.json"},
		nil,
	},
	{
		"another end of texts in a model",
		func(t testing.TB, dir string) {
			path := filepath.Join(dir, "model/main/generation_config.json")
			text := read(t, path)
			at := bytes.Index(text, []byte(`"eos_token_id": `))
			text[at+bytes.IndexAny(text[at:], ",\n")-1] ^= 1 // another last digit
			write(t, path, text)
		},
		[]string{"revision model/main/generation_config.json step 20 key eos_token_id"},
		[]string{"changed model/main/generation_config.json"},
		nil,
	},
	{
		"a row of the data indices left out, and one too many",
		func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/data-indices/rank0.tsv.gz")
			rows := append(indices(t, path), "99\t1\t2\t3\t4")
			write(t, path, squeezed([]byte(strings.Join(slices.Delete(rows, 5, 6), "\n")+"\n")))
		},
		[]string{"order train/data-indices/rank0.tsv.gz step 6", "order train/data-indices/rank0.tsv.gz step 99"},
		[]string{"truncated train/data-indices/rank0.tsv.gz"},
		nil,
	},
	{
		"another hash in tensors.jsonl",
		func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/tensors.jsonl")
			lines := strings.SplitAfter(string(read(t, path)), "\n")
			at := strings.Index(lines[2], block) + len(block) + len(`":"`)
			digit := "0"
			if lines[2][at] == '0' {
				digit = "1"
			}
			lines[2] = lines[2][:at] + digit + lines[2][at+1:]
			write(t, path, []byte(strings.Join(lines, "")))
		},
		[]string{"checkpoint train/tensors.jsonl step 8 tensor " + block},
		[]string{"changed train/tensors.jsonl"},
		nil,
	},
	{
		"a line of tensors.jsonl left out",
		func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/tensors.jsonl")
			lines := strings.SplitAfter(string(read(t, path)), "\n")
			write(t, path, []byte(strings.Join(slices.Delete(lines, 2, 3), "")))
		},
		[]string{"checkpoint train/tensors.jsonl step 8"},
		[]string{"truncated train/tensors.jsonl"},
		nil,
	},
	{
		"the counters of a checkpoint taken away",
		func(t testing.TB, dir string) { check(t, os.Remove(filepath.Join(dir, "train/step8/train.json"))) },
		[]string{"checkpoint train/step8/train.json step 8"},
		[]string{"missing train/step8/train.json"},
		nil,
	},
	{
		"the log taken away",
		func(t testing.TB, dir string) { check(t, os.Remove(filepath.Join(dir, "train/metrics.jsonl"))) },
		nil,
		[]string{"missing train/metrics.jsonl"},
		[]string{"manifest train/metrics.jsonl", "manifest release.json"},
	},
	{
		"the weights of a model taken away",
		func(t testing.TB, dir string) {
			check(t, os.Remove(filepath.Join(dir, "model/step8-tokens0B/model.safetensors")))
		},
		nil,
		[]string{"missing model/step8-tokens0B/model.safetensors"},
		[]string{"manifest model/step8-tokens0B/model.safetensors"},
	},
	{
		"the manifest of the documents taken away",
		func(t testing.TB, dir string) { check(t, os.Remove(filepath.Join(dir, "data/manifest.jsonl.gz"))) },
		nil,
		[]string{"missing data/manifest.jsonl.gz"},
		[]string{"manifest data/manifest.jsonl.gz"},
	},
	{
		"a token file taken away",
		func(t testing.TB, dir string) { check(t, os.Remove(filepath.Join(dir, "data/tokens/sub/b.npy"))) },
		nil,
		[]string{"missing data/tokens/sub/b.npy"},
		[]string{"manifest data/tokens/sub/b.npy"},
	},
}

// TestAttacks: each is found, and its place named.
func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		for _, forged := range []bool{true, false} {
			if testing.Short() && !forged {
				break // that is found by the files' hashes alone, too
			}
			t.Run(fmt.Sprintf("%s, forged %v", a.name, forged), func(t *testing.T) {
				t.Parallel()
				dir := fresh(t)
				a.attack(t, dir)
				want := slices.Clone(a.want)
				if forged {
					remanifest(t, dir)
					seal(t, dir)
					want = append(want, a.sealed...)
				} else {
					want = append(want, a.careless...)
				}
				got, r := verified(t, dir, verify.Options{})
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("got\n  %s\nwant\n  %s\nnotes %q", strings.Join(got, "\n  "), strings.Join(want, "\n  "), r.Notes)
				}
			})
		}
	}
}

// TestContradictions: what release.json says of the whole is compared with what there is.
func TestContradictions(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"the tokens of the run", `"tokens":1280`, `"tokens":1281`, "manifest release.json"},
		{"the width of tokens", `"dtype":"uint16"`, `"dtype":"uint32"`, "manifest release.json"},
		{"a model that is no revision", `,{"name":"step8-tokens0B"`, `],"more":[{"name":"step8-tokens0B"`, "manifest model/step8-tokens0B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := fresh(t)
			replace(t, filepath.Join(dir, "release.json"), c.old, c.new)
			if got, r := verified(t, dir, verify.Options{}); !slices.Contains(got, c.want) {
				t.Errorf("no %q in %q; notes %q", c.want, got, r.Notes)
			}
		})
	}
}

// TestShards: of models in several files, a shard of another step is told by its tensors and its step, and
// an index by what it says wrongly.
func TestShards(t *testing.T) {
	dir := fresh(t)
	first := map[int]string{}
	for _, step := range []int{4, 8} {
		folder := filepath.Join(dir, fmt.Sprintf("model/step%d-tokens0B", step))
		set, err := weights.Open(filepath.Join(folder, "model.safetensors"))
		check(t, err)
		files, err := weights.WriteShards(folder, set.All(), map[string]string{"format": "pt"}, 6<<10)
		check(t, err)
		check(t, set.Close())
		check(t, os.Remove(filepath.Join(folder, "model.safetensors")))
		if len(files) < 3 {
			t.Fatalf("%d shards: %v", len(files), files)
		}
		first[step] = filepath.Join(folder, files[0])
	}
	remanifest(t, dir)
	seal(t, dir)
	if got, r := verified(t, dir, verify.Options{}); len(got) > 0 {
		t.Fatalf("in shards: %q, notes %q", got, r.Notes)
	}
	index := filepath.Join(filepath.Dir(first[8]), "model.safetensors.index.json")
	whole := read(t, index)
	swap(t, first[4], first[8])
	for _, forged := range []bool{false, true} {
		if forged {
			remanifest(t, dir)
			seal(t, dir)
		}
		_, r := verified(t, dir, verify.Options{})
		others := map[int]bool{}
		for _, p := range r.Problems {
			if p.Kind == verify.Revision && p.Tensor != "" && p.IsStep != nil {
				others[*p.Step*100+*p.IsStep] = true
			} else if p.Kind != verify.Changed || forged {
				t.Errorf("forged %v: %+v", forged, p)
			}
		}
		if !others[4*100+8] || !others[8*100+4] {
			t.Errorf("forged %v: of which step the shards are is not told: %v", forged, others)
		}
	}
	swap(t, first[4], first[8])
	write(t, index, bytes.Replace(whole, []byte(filepath.Base(first[8])), []byte("model-00009-of-00009.safetensors"), 1))
	remanifest(t, dir)
	seal(t, dir)
	if got, r := verified(t, dir, verify.Options{}); len(got) == 0 || !strings.HasPrefix(got[0], "revision model/step8-tokens0B/model.safetensors.index.json step 8") {
		t.Errorf("an index that names no shard: %q, notes %q", got, r.Notes)
	}
}

// TestLinked: a folder is the same under another name, and a run of which nothing can be read is not sound.
func TestLinked(t *testing.T) {
	run := newRun(t)
	for _, dir := range []string{run, fresh(t)} {
		link := filepath.Join(t.TempDir(), "link")
		check(t, os.Symlink(dir, link))
		if got, r := verified(t, link, verify.Options{}); len(got) > 0 || r.Checked.Steps != 20 {
			t.Errorf("%q, %+v", got, r.Checked)
		}
	}
	chain := filepath.Join(run, "chain.jsonl")
	check(t, os.Rename(chain, filepath.Join(filepath.Dir(run), "elsewhere")))
	check(t, os.Symlink("../elsewhere", chain))
	if got, _ := verified(t, run, verify.Options{}); !slices.Equal(got, []string{"changed chain.jsonl"}) {
		t.Errorf("a chain that is a link: %q", got)
	}
}

// TestWithoutData: models are compared with the run also where its data are not there.
func TestWithoutData(t *testing.T) {
	dir := fresh(t)
	check(t, os.RemoveAll(filepath.Join(dir, "data")))
	flip(t, filepath.Join(dir, "model/step8-tokens0B/model.safetensors"), "model.norm.weight")
	seal(t, dir)
	if got, r := verified(t, dir, verify.Options{}); !slices.Contains(got, "revision model/step8-tokens0B/model.safetensors step 8 tensor model.norm.weight") {
		t.Errorf("%q, notes %q", got, r.Notes)
	}
	// Nor does it help to make tensors.jsonl say what the model has, where the checkpoint was left out.
	dir = fresh(t)
	path := filepath.Join(dir, "model/step8-tokens0B/model.safetensors")
	flip(t, path, "model.norm.weight")
	set, err := weights.Open(path)
	check(t, err)
	defer set.Close()
	sums, err := weights.Sums(set.All())
	check(t, err)
	lines := strings.SplitAfter(string(read(t, filepath.Join(dir, "train/tensors.jsonl"))), "\n")
	at := strings.Index(lines[2], `"transformer.ln_f.weight":"`) + len(`"transformer.ln_f.weight":"`)
	for _, s := range sums {
		if s.Name == "model.norm.weight" {
			lines[2] = lines[2][:at] + fmt.Sprintf("%x", s.SHA256) + lines[2][at+64:]
		}
	}
	write(t, filepath.Join(dir, "train/tensors.jsonl"), []byte(strings.Join(lines, "")))
	check(t, os.RemoveAll(filepath.Join(dir, "train/step8")))
	seal(t, dir)
	if got, r := verified(t, dir, verify.Options{}); !slices.Contains(got, "checkpoint train/tensors.jsonl step 8") {
		t.Errorf("%q, notes %q", got, r.Notes)
	}
}
