package report

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/internal/program"
	"olmo/proof"
	"olmo/tensor"
	"olmo/weights"
)

// doc is a document of the release that tests make.
type doc struct {
	id, text, source, url, license, created, language string
	tokens                                            int64
}

// exampleDocuments are 800 bytes from a crawl with 12 domains, 190 of a public set and 10 of one that names nothing.
func exampleDocuments() []doc {
	var docs []doc
	for i := range 12 {
		size := 60
		switch i {
		case 0:
			size = 100
		case 1:
			size = 110
		case 2:
			size = 50
		}
		docs = append(docs, doc{
			id: fmt.Sprint("w", i), text: textOf(fmt.Sprint("w", i), size), source: "web", url: fmt.Sprintf("https://www.site%d.co.uk/page?q=1", i),
			created: fmt.Sprintf("2024-03-%02dT10:00:00Z", i+1), language: "en", tokens: 10,
		})
	}
	docs = append(docs,
		doc{id: "p0", text: textOf("p0", 190), source: "wiki", url: "https://de.wikipedia.org/wiki/A", license: "CC-BY-SA-4.0", created: "2023-12-31", language: "de", tokens: 40},
		doc{id: "o0", text: textOf("o0", 10), created: "last year", tokens: 3},
	)
	return docs
}

// textOf is a text of so many bytes that is like no other.
func textOf(id string, bytes int) string {
	text := id + " "
	return text + strings.Repeat("ä", (bytes-len(text))/2) + strings.Repeat("x", (bytes-len(text))%2)
}

// example is a release that lacks its reports, and what its maker knows.
type example struct {
	t   *testing.T
	dir string
	in  Input
}

func newExample(t *testing.T) *example {
	t.Helper()
	x := &example{t: t, dir: t.TempDir()}
	x.put("model/main/config.json", `{"architectures":["Olmo2ForCausalLM"],"model_type":"olmo2","hidden_size":8,"num_hidden_layers":2,"vocab_size":1000}`)
	for _, folder := range []string{"model/main", "model/step10-tokens0B"} {
		x.put(folder+"/config.json", `{"model_type":"olmo2"}`)
		set := []weights.Named{{Name: "a", Tensor: tensor.Tensor{DType: tensor.F32, Shape: []int{3, 4}, Data: make([]byte, 48)}}, {Name: "b", Tensor: tensor.Tensor{DType: tensor.F32, Shape: []int{5}, Data: make([]byte, 20)}}}
		if err := weights.WriteSafetensors(filepath.Join(x.dir, folder, "model.safetensors"), set, nil); err != nil {
			t.Fatal(err)
		}
	}
	x.put("model/main/config.json", `{"architectures":["Olmo2ForCausalLM"],"model_type":"olmo2","hidden_size":8,"num_hidden_layers":2,"vocab_size":1000}`)
	var log strings.Builder
	for step := 1; step <= 40; step++ {
		fmt.Fprintf(&log, `{"step":%d,"optim/learning_rate_group0":0.001,"optim/total_grad_norm":0.5,"throughput/total_tokens":%d,"train/CrossEntropyLoss":%d}`+"\n", step, step*1000, 50-step)
	}
	x.put("train/metrics.jsonl", log.String())
	x.put("train/recipe.json", `{"model":{"d_model":8},"optimizer":{"betas":[0.9,0.95],"learning_rate":0.001},"seed":6198}`)
	x.put("tokenizer/tokenizer.json", `{}`)
	x.put("data/tokens/a.npy", strings.Repeat("\x00\x01", 163))
	x.put("eval/quick/results.json", `{"results":{"arc_easy":{"alias":"arc","acc":0.5,"acc,none":0.5,"acc_stderr":0.01,"acc_norm,none":0.6,"chance":0.25},"held":{"bits_per_byte":1.25,"byte_perplexity,none":2.3}},"quoted":{"arc_easy":"acc","held":"bits_per_byte"},"n-samples":{"arc_easy":{"original":570,"effective":100}},"n-shot":{"arc_easy":5}}`)
	x.put("eval/quick/requests-arc_easy.jsonl", "{}\n")
	x.put("eval/samples.jsonl", "{}\n")
	x.documents(exampleDocuments())
	x.in.Name = "lab/tiny"
	x.in.Program = program.Build{Version: "0.1.0", Revision: "abc", Go: "go1.26.0", Modules: []program.Module{{Path: "example.org/a", Version: "v1.2.3", Sum: "h1:AAAA"}}}
	x.in.Revisions = []Revision{{"step10-tokens0B", 10, "model/step10-tokens0B"}, {"main", 40, "model/main"}}
	x.in.Removed = []Removal{{"copy of another document", 3, 512}, {"fewer than 12 words", 1, 20}}
	return x
}

// put writes a file of the release.
func (x *example) put(path, text string) {
	x.t.Helper()
	file := filepath.Join(x.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		x.t.Fatal(err)
	}
}

// documents writes the documents and their manifest.
func (x *example) documents(docs []doc) {
	x.t.Helper()
	var rows, lines strings.Builder
	at := int64(0)
	for _, d := range docs {
		metadata := map[string]any{}
		if d.language != "" {
			metadata["language"] = d.language
		}
		row, err := json.Marshal(map[string]any{"id": d.id, "text": d.text, "source": d.source, "metadata": metadata})
		if err != nil {
			x.t.Fatal(err)
		}
		rows.Write(append(row, '\n'))
		sum := sha256.Sum256([]byte(d.text))
		m := map[string]any{"file": "a.npy", "start": at, "end": at + d.tokens, "id": d.id, "sha256": strings.Repeat("0", 64), "text_sha256": hex.EncodeToString(sum[:])}
		at += d.tokens
		for key, v := range map[string]string{"source": d.source, "url": d.url, "license": d.license, "created": d.created} {
			if v != "" {
				m[key] = v
			}
		}
		if row, err = json.Marshal(m); err != nil {
			x.t.Fatal(err)
		}
		lines.Write(append(row, '\n'))
	}
	x.put("data/documents/a.jsonl", rows.String()+"{\"id\":\"no text\"}\n") // a reject, of which there are no tokens
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(lines.String())); err != nil {
		x.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		x.t.Fatal(err)
	}
	x.put("data/manifest.jsonl.gz", packed.String())
}

// about gives the statements of a YAML file.
func (x *example) about(text string) {
	x.t.Helper()
	file := filepath.Join(x.t.TempDir(), "about.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		x.t.Fatal(err)
	}
	var err error
	if x.in.About, err = ReadAbout(file); err != nil {
		x.t.Fatal(err)
	}
}

// without takes files out of the release, those below a path.
func (x *example) without(path string) {
	x.t.Helper()
	x.list()
	for _, f := range x.in.Files {
		if strings.HasPrefix(f.Path, path) {
			x.in.LeftOut = append(x.in.LeftOut, f)
			if err := os.Remove(filepath.Join(x.dir, filepath.FromSlash(f.Path))); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

// list lists the files of the release.
func (x *example) list() {
	x.t.Helper()
	x.in.Files = nil
	err := filepath.WalkDir(x.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(x.dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if rel = filepath.ToSlash(rel); !strings.HasPrefix(rel, Folder+"/") && rel != readmeFile {
			x.in.Files = append(x.in.Files, File{rel, int64(len(b)), proof.Sum(b)})
		}
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	slices.SortFunc(x.in.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}

// write writes the reports, and returns their texts by path.
func (x *example) write() map[string]string {
	x.t.Helper()
	x.list()
	paths, err := Write(x.dir, x.in)
	if err != nil {
		x.t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range paths {
		b, err := os.ReadFile(filepath.Join(x.dir, filepath.FromSlash(p)))
		if err != nil {
			x.t.Fatal(err)
		}
		out[p] = string(b)
	}
	return out
}

// object reads a report as JSON.
func (x *example) object(reports map[string]string, path string) map[string]any {
	x.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(reports[path]), &v); err != nil {
		x.t.Fatalf("%s: %v", path, err)
	}
	return v
}

// fullAbout states everything that is asked for.
const fullAbout = `
provider: {name: Example Lab, contact: lab@example.org, representative: none needed}
model: {license: Apache-2.0, released: 2026-12-01, based_on: nothing, intended_use: to be studied}
sources:
  web: {kind: crawled, crawler: "examplebot/1.0, honours robots.txt", description: pages of small sites, period: March 2024}
  wiki: {kind: public, url: https://huggingface.co/datasets/lab/wiki, description: an encyclopedia}
reservation_of_rights: robots.txt was honoured.
illegal_content: None was found.
`

var day = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
