package verify_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"olmo/proof"
	"olmo/release"
	"olmo/release/signature"
	"olmo/release/verify"
)

// TestBadInput: whatever a folder holds, verify says what is wrong and comes to an end.
func TestBadInput(t *testing.T) {
	manifest := func(t testing.TB, dir string) string { return filepath.Join(dir, release.ManifestFile) }
	entry := func(path string) string {
		return fmt.Sprintf(`{"path":%q,"size":0,"sha256":"%s"}`, path, strings.Repeat("0", 64))
	}
	listing := func(entries ...string) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) {
			replace(t, manifest(t, dir), `"files": [`, `"files": [`+strings.Join(entries, ",")+",")
		}
	}
	for _, c := range []struct {
		name   string
		change func(t testing.TB, dir string)
		want   string // one of the problems
	}{
		{"noise", func(t testing.TB, dir string) { write(t, manifest(t, dir), bytes.Repeat([]byte{0xff, 7}, 1<<16)) }, "manifest release.json"},
		{"an empty manifest", func(t testing.TB, dir string) { write(t, manifest(t, dir), nil) }, "manifest release.json"},
		{"deep JSON", func(t testing.TB, dir string) { write(t, manifest(t, dir), bytes.Repeat([]byte("["), 10_000)) }, "manifest release.json"},
		{"deep JSON in a member", func(t testing.TB, dir string) {
			replace(t, manifest(t, dir), `{"format"`, `{"more":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`,"format"`)
		}, "manifest release.json"},
		{"a member twice", func(t testing.TB, dir string) { replace(t, manifest(t, dir), `{"format"`, `{"format":"x","format"`) }, "manifest release.json"},
		{"a path that leads outside", listing(entry("../evil")), "manifest ../evil"},
		{"an absolute path", listing(entry("/etc/passwd")), "manifest /etc/passwd"},
		{"a path twice", listing(entry("a"), entry("a")), "manifest a"},
		{"paths that are one without case", listing(entry("a"), entry("A")), "manifest A"},
		{"a file that is a folder", listing(entry("train")), "manifest train"},
		{"a link", func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/recipe.json")
			write(t, filepath.Join(filepath.Dir(dir), "outside"), read(t, path))
			check(t, os.Remove(path))
			check(t, os.Symlink("../../outside", path))
		}, "changed train/recipe.json"},
		{"a folder that is a link", func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train")
			check(t, os.Rename(path, filepath.Join(filepath.Dir(dir), "train")))
			check(t, os.Symlink("../train", path))
		}, "changed train/chain.jsonl"},
		{"a chain with one line of megabytes", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/chain.jsonl"), bytes.Repeat([]byte("x"), 64<<20))
			seal(t, dir)
		}, "chain train/chain.jsonl step 0"},
		{"an empty chain", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/chain.jsonl"), nil)
			seal(t, dir)
		}, "chain train/chain.jsonl step 0"},
		{"a chain without its first line", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/chain.jsonl"), append(bytes.Join(chainLines(t, dir)[1:], []byte("\n")), '\n'))
			seal(t, dir)
		}, "chain train/chain.jsonl step 1"},
		{"a chain that leaps", func(t testing.TB, dir string) {
			l := parsed(t, dir)
			l[len(l)-1].Step = 1 << 60
			rechain(t, dir, l)
			seal(t, dir)
		}, "chain train/chain.jsonl step 20"},
		{"a tensors.jsonl with another optimiser", func(t testing.TB, dir string) {
			replace(t, filepath.Join(dir, "train/tensors.jsonl"), `"exp_avg/transformer.ln_f.weight"`, `"exp_avg/transformer.ln_g.weight"`)
			seal(t, dir)
		}, "checkpoint train/tensors.jsonl step 0 tensor exp_avg/transformer.ln_f.weight"},
		{"a log of noise", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/metrics.jsonl"), bytes.Repeat([]byte{'x', '\n', 0xff}, 1<<16))
			seal(t, dir)
		}, "log train/metrics.jsonl"},
		{"data indices of noise", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/data-indices/rank0.tsv.gz"), squeezed(bytes.Repeat([]byte("1\tx\n"), 1<<10)))
			seal(t, dir)
		}, "order train/data-indices/rank0.tsv.gz"},
		{"a gzip bomb", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "data/manifest.jsonl.gz"), squeezed(make([]byte, 256<<20)))
			seal(t, dir)
		}, "tokens data/manifest.jsonl.gz"},
		{"a recipe of noise", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/recipe.json"), []byte("{"))
			seal(t, dir)
		}, "recipe train/recipe.json"},
		{"settings that lead outside, with every hash made right again", func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/recipe.json")
			replace(t, path, `"a.npy"`, `"../../../outside.npy"`)
			l := parsed(t, dir)
			h := proof.Sum(read(t, path))
			l[0].Recipe = &h
			rechain(t, dir, l)
			seal(t, dir)
		}, "recipe train/config.yaml key data.paths"},
		{"a header that lies", func(t testing.TB, dir string) {
			b := binary.LittleEndian.AppendUint64(nil, 90_000_000)
			write(t, filepath.Join(dir, "train/step8/model.safetensors"), append(b, bytes.Repeat([]byte("{"), 1000)...))
		}, "checkpoint train/step8/model.safetensors step 8"},
		{"a header of noise, made right", func(t testing.TB, dir string) {
			path := filepath.Join(dir, "train/step8/model.safetensors")
			text := read(t, path)
			copy(text[8:], bytes.Repeat([]byte{'['}, 600))
			write(t, path, text)
		}, "changed train/step8/model.safetensors"},
		{"a state of noise", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/step8/train.json"), bytes.Repeat([]byte("["), 20_000))
			seal(t, dir)
		}, "checkpoint train/step8/train.json step 8"},
		{"places of noise", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "data/tokens/a.csv.gz"), squeezed([]byte("1,2,3\n")))
			seal(t, dir)
		}, "tokens data/tokens"},
		{"tensors.jsonl of noise", func(t testing.TB, dir string) {
			write(t, filepath.Join(dir, "train/tensors.jsonl"), []byte("{}\n[\n"))
			seal(t, dir)
		}, "checkpoint train/tensors.jsonl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := fresh(t)
			c.change(t, dir)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			got, r := verified(t, dir, verify.Options{})
			runtime.ReadMemStats(&after)
			if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, c.want) }) || len(got) == 0 {
				t.Errorf("no %q in\n%s\nnotes %q", c.want, strings.Join(got, "\n"), r.Notes)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if grown := int64(after.Sys) - int64(before.Sys); grown > 400<<20 {
				t.Errorf("it took %d MB of memory", grown>>20)
			}
		})
	}
}

// TestMoving: a file that changes while it is read is told of, and stops nothing.
func TestMoving(t *testing.T) {
	for name, change := range map[string]func(path string){
		"is cut":     func(path string) { check(t, os.Truncate(path, 100)) },
		"grows":      func(path string) { check(t, os.WriteFile(path, append(read(t, path), 1), 0o666)) },
		"goes":       func(path string) { check(t, os.Remove(path)) },
		"is another": func(path string) { check(t, os.Remove(path)); write(t, path, []byte("x")) },
	} {
		dir := fresh(t)
		path := filepath.Join(dir, "model/main/model.safetensors")
		var once sync.Once
		got, _ := verified(t, dir, verify.Options{Progress: func(done, total int64) { once.Do(func() { change(path) }) }})
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "model/main/model.safetensors") }) {
			t.Errorf("a file that %s: %q", name, got)
		}
	}
}

// TestManyEntries: a long list takes no more than its length.
func TestManyEntries(t *testing.T) {
	dir := t.TempDir()
	m := &release.Manifest{Name: "lab/many", Revisions: []release.Revision{{Name: "main", Path: "model/main"}}}
	for i := range 30_000 {
		m.Files = append(m.Files, release.File{Path: fmt.Sprintf("data/%07d", i)})
		m.LeftOut = append(m.LeftOut, release.File{Path: fmt.Sprintf("eval/%07d", i)})
	}
	m.Seal()
	var b bytes.Buffer
	check(t, m.Write(&b))
	write(t, filepath.Join(dir, release.ManifestFile), b.Bytes())
	_, r := verified(t, dir, verify.Options{})
	if len(r.Problems) < 1000 || len(r.Problems) > 1020 || !slices.Contains(r.Notes, "29000 more problems of kind missing are not listed") {
		t.Errorf("%d problems, %q", len(r.Problems), r.Notes)
	}
}

// TestSignature: the key finds who has made everything else right again.
func TestSignature(t *testing.T) {
	keys := t.TempDir()
	for _, name := range []string{"mine.pem", "theirs.pem"} {
		_, err := signature.WriteKeys(filepath.Join(keys, name))
		check(t, err)
	}
	sign := func(dir, key string) {
		private, err := signature.ReadPrivate(filepath.Join(keys, key))
		check(t, err)
		m, err := release.Open(dir)
		check(t, err)
		files := []signature.File{{Path: release.ManifestFile, SHA256: proof.Sum(read(t, filepath.Join(dir, release.ManifestFile)))}}
		for _, f := range m.Files {
			files = append(files, signature.File{Path: f.Path, SHA256: f.SHA256})
		}
		text, err := signature.Sign(private, m.Name, files)
		check(t, err)
		write(t, filepath.Join(dir, release.SignatureFile), text)
	}
	public, err := signature.ReadPublic(filepath.Join(keys, "mine.pub.pem"))
	check(t, err)
	for _, c := range []struct {
		name   string
		change func(dir string)
		want   []string
	}{
		{"nothing", func(string) {}, nil},
		{"the manifest made right again", func(dir string) {
			replace(t, filepath.Join(dir, "train/metrics.jsonl"), `"epoch":0`, `"epoch":1`)
			seal(t, dir)
		}, []string{"signature release.json", "signature train/metrics.jsonl", "log train/metrics.jsonl step 1"}},
		{"another name", func(dir string) { replace(t, filepath.Join(dir, "release.json"), "lab/small", "lab/other") }, []string{"signature release.json"}},
		{"another key", func(dir string) { sign(dir, "theirs.pem") }, []string{"signature release.sig"}},
		{"taken off", func(dir string) { check(t, os.Remove(filepath.Join(dir, "release.sig"))) }, []string{"signature release.sig"}},
		{"noise", func(dir string) { write(t, filepath.Join(dir, "release.sig"), []byte("{")) }, []string{"signature release.sig"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := fresh(t)
			sign(dir, "mine.pem")
			c.change(dir)
			if got, r := verified(t, dir, verify.Options{Key: public}); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q; notes %q", got, c.want, r.Notes)
			}
		})
	}
}

// TestName: the release is the one that was asked for.
func TestName(t *testing.T) {
	dir := fresh(t)
	for _, c := range []struct {
		o    verify.Options
		want []string
	}{
		{verify.Options{Name: "lab/small"}, nil},
		{verify.Options{Name: "lab/small", Revision: "step8-tokens0B"}, nil},
		{verify.Options{Revision: "main"}, nil},
		{verify.Options{Name: "lab/smaller"}, []string{"name release.json"}},
		{verify.Options{Revision: "step9-tokens0B"}, []string{"name release.json step 9"}},
	} {
		if got, _ := verified(t, dir, c.o); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.o, got, c.want)
		}
	}
}

// TestOnly: a part of a release that was fetched alone is held against the whole list.
func TestOnly(t *testing.T) {
	dir := fresh(t)
	part := filepath.Join(t.TempDir(), "part")
	check(t, os.CopyFS(filepath.Join(part, "model/main"), os.DirFS(filepath.Join(dir, "model/main"))))
	write(t, filepath.Join(part, "release.json"), read(t, filepath.Join(dir, "release.json")))
	only := verify.Options{Only: []string{"model/main"}}
	if got, r := verified(t, part, only); len(got) > 0 || r.Checked.Files != 3 || len(r.Notes) == 0 {
		t.Errorf("%q, %+v, notes %q", got, r.Checked, r.Notes)
	}
	flip(t, filepath.Join(part, "model/main/model.safetensors"), "lm_head.weight")
	if got, _ := verified(t, part, only); !slices.Equal(got, []string{"changed model/main/model.safetensors"}) {
		t.Errorf("a bit: %q", got)
	}
	// What does not match is not read, and not missed.
	check(t, os.WriteFile(filepath.Join(part, "more"), nil, 0o666))
	if got, _ := verified(t, part, verify.Options{Only: []string{"model/main/*.json"}}); len(got) > 0 {
		t.Errorf("files that are not wanted: %q", got)
	}
}

// TestHubCache: in a hub's cache files are links to its blobs, and are followed there and nowhere else.
func TestHubCache(t *testing.T) {
	dir := fresh(t)
	cache := filepath.Join(t.TempDir(), "models--lab--small")
	snapshot := filepath.Join(cache, "snapshots", strings.Repeat("0", 40))
	m, err := release.Open(dir)
	check(t, err)
	for _, name := range append([]string{"release.json"}, paths(m)...) {
		text := read(t, filepath.Join(dir, name))
		blob := filepath.Join(cache, "blobs", proof.Sum(text).String())
		write(t, blob, text)
		link := filepath.Join(snapshot, name)
		check(t, os.MkdirAll(filepath.Dir(link), 0o777))
		to, err := filepath.Rel(filepath.Dir(link), blob)
		check(t, err)
		check(t, os.Symlink(to, link))
	}
	if got, r := verified(t, snapshot, verify.Options{}); len(got) > 0 {
		t.Errorf("%q %q", got, r.Notes)
	}
	link := filepath.Join(snapshot, "model/main/config.json")
	check(t, os.Remove(link))
	check(t, os.Symlink(filepath.Join(dir, "model/main/config.json"), link))
	if got, _ := verified(t, snapshot, verify.Options{}); !slices.Equal(got, []string{"changed model/main/config.json"}) {
		t.Errorf("a link that leads elsewhere: %q", got)
	}
}

func paths(m *release.Manifest) (all []string) {
	for _, f := range m.Files {
		all = append(all, f.Path)
	}
	return all
}
