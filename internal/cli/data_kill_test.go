package cli

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/store"
)

var (
	kills    = flag.Int("kills", 3, "how often TestKillStages kills each stage")
	killSeed = flag.Uint64("kill-seed", 0, "seed of the moments at which TestKillStages kills; 0 draws one")
)

// killed are the stages that TestKillStages kills, each on what those before it
// left. DIR is the folder.
var killed = []struct{ name, command string }{
	{"convert", "data convert --documents text --destination c/documents --output jsonl.gz --max_size_in_bytes 40000"},
	{"tag", "data tag --documents c/documents/*.gz --taggers gopher_v2 c4_v2 --processes 2"},
	{"dedupe", "data dedupe --documents c/documents/*.gz --dedupe.name dup --dedupe.paragraphs.attribute_name dup --bloom_filter.file filter.bin --bloom_filter.estimated_doc_count 20000 --processes 2"},
	{"minhash", "data dedupe --documents c/documents/*.gz --dedupe.name near --dedupe.minhash.attribute_name near --processes 2"},
	{"decontaminate", "data decontaminate --documents c/documents/*.gz --evaluations evals.jsonl --n_grams 4 --find_query_ngrams --processes 2"},
	{"mix", "data mix -c mix.yaml"},
	{"tokenizer", "tokenizer train --input mixed/documents --vocab-size 600 --output tok.json"},
	{"tokens", "data tokens --documents mixed/documents/*.gz --destination tokens --tokenizer.name_or_path tok.json --tokenizer.eos_token_id 0 --max_size 8000 --processes 2"},
	{"curate", "data curate -c curate.yaml"},
	{"warc", "data warc --documents w/*.warc.gz --destination pages --source_name kill --processes 2"},
}

const killMix = `streams:
- name: m
  documents: [c/documents/*.gz]
  attributes: [gopher_v2, dup]
  output: {path: mixed/documents, max_size_in_bytes: 15000}
  filter: {syntax: jq, include: ['.attributes.gopher_v2__gopher_v2__word_count[0][2] > 5']}
`

const killCurate = `tag: {taggers: [gopher_v2]}
dedupe:
- dedupe: {name: dup, documents: {attribute_name: dup, key: $.text}}
  bloom_filter: {file: curated.bin, estimated_doc_count: 20000}
streams:
- name: m
  documents: [c/documents/*.gz]
  attributes: [gopher_v2, dup]
  output: {path: curated/documents, max_size_in_bytes: 15000}
  filter: {syntax: jq, exclude: ['.attributes.dup[0][2] == 1']}
`

// TestKillStages kills each stage with SIGKILL at random moments, over the outputs
// of an earlier run on other documents: each file is then the earlier one or the
// new one, whole, and the same command run again ends as one that nobody disturbed.
// More moments: go test ./internal/cli -run KillStages -kills 20.
func TestKillStages(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: each stage runs several times")
	}
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kill-seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	writeKillCorpus(t, dir, "earlier")
	for _, s := range killed {
		runStage(t, dir, s.command)
	}
	writeKillCorpus(t, dir, "later")
	for _, s := range killed {
		t.Run(s.name, func(t *testing.T) {
			before := copyTree(t, dir)
			began := time.Now()
			runStage(t, dir, s.command)
			took := time.Since(began)
			want, old := stageTree(t, dir), stageTree(t, before)
			if maps.EqualFunc(want, old, bytes.Equal) {
				t.Fatal("the stage changed nothing")
			}
			for range *kills {
				work := copyTree(t, before)
				after := time.Duration(random.Int64N(int64(took)))
				c := stageCommand(work, s.command)
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(after)
				_ = c.Process.Kill()
				_ = c.Wait()
				for name, text := range stageTree(t, work) {
					if store.IsTemporary(filepath.Base(name)) || strings.HasSuffix(name, ".lock") {
						continue // the next run makes them go
					}
					if !bytes.Equal(text, want[name]) && !bytes.Equal(text, old[name]) {
						t.Errorf("killed after %v: %s is neither the earlier file nor the new one", after, name)
					}
				}
				runStage(t, work, s.command)
				got := stageTree(t, work)
				for _, name := range slices.Sorted(maps.Keys(got)) {
					if _, ok := want[name]; !ok {
						t.Errorf("killed after %v and run again: %s is left", after, name)
					}
				}
				for name := range want {
					if !bytes.Equal(got[name], want[name]) {
						t.Errorf("killed after %v and run again: %s differs", after, name)
					}
				}
			}
		})
	}
}

// writeKillCorpus writes text files; the kind makes other words of them.
func writeKillCorpus(t *testing.T, dir, kind string) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(len(kind))))
	words := strings.Fields("the of and to in is that with as for model language open data token step loss weights a an be have " + kind)
	last := ""
	for i := range 90 {
		var b strings.Builder
		for range 20 + random.IntN(30) {
			for range 5 + random.IntN(12) {
				b.WriteString(words[random.IntN(len(words))] + " ")
			}
			b.WriteString("of the " + kind + ".\n")
		}
		name := filepath.Join(dir, "text", fmt.Sprintf("%03d.txt", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if kind != "later" || i%10 != 3 {
			last = b.String() // else a near duplicate
		}
		if err := os.WriteFile(name, []byte(last+fmt.Sprint(i)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := os.ReadFile("../../data/warc/testdata/pages.warc.gz")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "w"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"mix.yaml": killMix, "curate.yaml": killCurate, "evals.jsonl": `{"question": "of the ` + kind + ` of", "answer": "the"}` + "\n",
		"w/a.warc.gz": string(bytes.Repeat(pages, 4*len(kind))), "w/b.warc.gz": string(bytes.Repeat(pages, 2*len(kind))),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func stageCommand(dir, command string) *exec.Cmd {
	c := exec.Command("olmo", strings.Fields(command)...) // TestMain puts it on the path
	c.Dir = dir
	return c
}

func runStage(t *testing.T, dir, command string) {
	t.Helper()
	if out, err := stageCommand(dir, command).CombinedOutput(); err != nil {
		t.Fatalf("olmo %s: %v\n%s", command, err, out)
	}
}

// stageTree is every file below dir but records, which hold the times of copies.
func stageTree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		base := filepath.Base(path)
		if err != nil || d.IsDir() || strings.HasSuffix(base, ".json") && strings.Count(base, ".") > 1 {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		if strings.HasPrefix(rel, "pages") && !strings.HasPrefix(base, ".") && err == nil {
			text, err = withoutAdded(text)
		}
		out[filepath.ToSlash(rel)] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withoutAdded unpacks the documents of an archive without the time of the run.
func withoutAdded(text []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if text, err = io.ReadAll(z); err != nil {
		return nil, err
	}
	return added.ReplaceAll(text, nil), nil
}

var added = regexp.MustCompile(`"added":"[^"]*",`)

// copyTree copies a folder with the times of its files, which documents keep.
func copyTree(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	err := os.CopyFS(to, os.DirFS(dir))
	if err == nil {
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			return os.Chtimes(filepath.Join(to, rel), time.Time{}, info.ModTime())
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
