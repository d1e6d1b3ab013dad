package check

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"olmo/data/dedupe"
	"olmo/store"
	"olmo/train"
)

// place is a path with what a look at it shows.
type place struct {
	path  string
	name  string // base name
	dir   bool
	size  int64
	head  []byte          // the first bytes of a file
	names map[string]bool // what a folder holds, hidden files left out
}

// artefact is a kind of thing that can be checked.
type artefact struct {
	name string
	is   func(p *place) bool
	// check reports into c; describe reads headers only.
	check    func(c *checker, path string)
	describe func(path string) (*Description, error)
}

// artefacts lists all kinds. The first that knows a place counts: so that a damaged
// file is known all the same, the last ones go by names.
var artefacts []artefact

func init() { // the checks of folders lead back here
	artefacts = []artefact{
		{"release", isRelease, (*checker).releaseFolder, describeRelease},
		{"quickstart folder", isQuickstart, (*checker).quickstart, describeModel},
		{"checkpoint", isCheckpoint, (*checker).checkpoint, describeCheckpoint},
		{"adapter", isAdapter, (*checker).adapter, describeAdapter},
		{"model", isModel, (*checker).model, describeModel},
		{"run", isRun, (*checker).run, describeRun},
		{"evaluation", isEvaluation, (*checker).evaluation, describeEvaluation},
		{"token files", isTokenFolder, (*checker).tokenFolder, describeTokens},
		{"folder", func(p *place) bool { return p.dir }, (*checker).folder, describeFolder},

		{"pointer of Git LFS", isPointer, (*checker).pointer, describePointer},
		{"GGUF model", hasPrefix("GGUF"), (*checker).model, describeModel},
		{"Bloom filter", isFilter, (*checker).filter, describeFilter},
		{"NumPy array", hasPrefix("\x93NUMPY"), (*checker).weights, describeWeights},
		{"weights", isWeights, (*checker).weights, describeWeights},
		{"token file", hasSuffix(".npy"), (*checker).tokenFile, describeTokens},
		{"places of documents", hasSuffix(".csv.gz", ".csv"), (*checker).places, describePlaces},
		{"leaves of documents", hasSuffix(leavesSuffix), (*checker).leavesFile, describeLeaves},
		{"tokenizer", isTokenizer, (*checker).tokenizer, describeTokenizer},
		{"index of weights", hasSuffix(".safetensors.index.json", ".bin.index.json"), (*checker).index, describeWeights},
		{"record of a stage", isRecord, (*checker).record, describeJSON},
		{"log of a run", named("metrics.jsonl"), (*checker).log, describeLog},
		{"JSON lines", isOtherLines, (*checker).lines, describeRows},
		{"attributes", isAttributes, (*checker).attributes, describeRows},
		{"documents", isRows, (*checker).documents, describeRows},
		{"JSON", hasSuffix(".json"), (*checker).json, describeJSON},
		{"config", hasSuffix(".yaml", ".yml"), (*checker).config, describeConfig},
		{"compressed file", hasSuffix(".tsv.gz", ".txt.gz"), (*checker).compressed, describeRows},
		{"weights", hasSuffix(".safetensors", ".gguf", ".pt", ".bin", ".npz"), (*checker).weights, describeWeights},
	}
}

// find tells what lies at a path.
func find(path string) (*artefact, error) {
	p, err := look(path)
	if err != nil {
		return nil, err
	}
	for i := range artefacts {
		if artefacts[i].is(p) {
			return &artefacts[i], nil
		}
	}
	return nil, fmt.Errorf("%s: %w\nhint: a release, quickstart, run, model or checkpoint folder; weights, token files, documents, attributes, Bloom filters, tokenizers, configs, logs and results", path, ErrUnknown)
}

// headBytes is how much of a file is read to tell what it is.
const headBytes = 64 << 10

func look(path string) (*place, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	p := &place{path: path, name: filepath.Base(path), dir: st.IsDir(), size: st.Size()}
	if p.dir {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		p.names = map[string]bool{}
		for _, e := range entries {
			if !hidden(e.Name()) {
				p.names[e.Name()] = true
			}
		}
		return p, nil
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: neither a file nor a folder", path, ErrUnknown)
	}
	f, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p.head = make([]byte, min(headBytes, st.Size()))
	n, err := io.ReadFull(f, p.head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	p.head = p.head[:n]
	return p, nil
}

func hasPrefix(magic string) func(*place) bool {
	return func(p *place) bool { return !p.dir && bytes.HasPrefix(p.head, []byte(magic)) }
}

func hasSuffix(suffixes ...string) func(*place) bool {
	return func(p *place) bool {
		for _, s := range suffixes {
			if !p.dir && strings.HasSuffix(p.name, s) {
				return true
			}
		}
		return false
	}
}

func named(names ...string) func(*place) bool {
	return func(p *place) bool {
		for _, n := range names {
			if !p.dir && p.name == n {
				return true
			}
		}
		return false
	}
}

func (p *place) holds(names ...string) bool {
	for _, n := range names {
		if p.names[n] {
			return true
		}
	}
	return false
}

// weightFiles are the names that a model's weights have in its folder.
var weightFiles = []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt"}

func isQuickstart(p *place) bool {
	return p.dir && p.names["stages"] && (p.names["config"] || p.names["report.json"]) || p.dir && p.names["report.json"] && p.names["run"]
}

func isCheckpoint(p *place) bool {
	return p.dir && (p.names["manifest.json"] || p.names["train.json"] && p.names["config.yaml"])
}

func isModel(p *place) bool {
	return p.dir && (p.holds("config.json") || p.holds(weightFiles...) || p.oneGGUF())
}

// oneGGUF tells of a folder whose only part is a .gguf file, as a model hub has them.
func (p *place) oneGGUF() bool {
	n := 0
	for name := range p.names {
		switch filepath.Ext(name) {
		case ".gguf":
			n++
		case ".md", ".json", ".txt", "":
		default:
			return false
		}
	}
	return n == 1
}

func isRun(p *place) bool {
	if !p.dir {
		return false
	}
	steps, err := train.Steps(p.path)
	return err == nil && len(steps) > 0 || p.names["config.yaml"] && p.names["metrics.jsonl"] || p.names["latest"]
}

func isEvaluation(p *place) bool { return p.dir && p.names["results.json"] }

func isTokenFolder(p *place) bool {
	tokens := false
	for name := range p.names {
		switch {
		case strings.HasSuffix(name, ".npy"), strings.HasSuffix(name, ".csv.gz"), strings.HasSuffix(name, leavesSuffix):
			tokens = true
		case strings.HasSuffix(name, ".json"), strings.HasSuffix(name, ".md"):
		default:
			return false
		}
	}
	return p.dir && tokens
}

// isWeights knows a zip (PyTorch's and NumPy's files are some) and safetensors: eight
// bytes of length, then JSON.
func isWeights(p *place) bool {
	if p.dir || len(p.head) < 4 {
		return false
	}
	if bytes.HasPrefix(p.head, []byte("PK\x03\x04")) || bytes.HasPrefix(p.head, []byte{0x80, 2, 0x8a, 10}) {
		return true
	}
	return len(p.head) > 8 && p.head[8] == '{' && binary.LittleEndian.Uint64(p.head) < 100_000_000
}

func isFilter(p *place) bool { return !p.dir && dedupe.IsFilter(p.head) }

func isPointer(p *place) bool {
	return !p.dir && p.size < headBytes && store.IsPointer(p.head)
}

// isTokenizer goes by the name and else by the members that a tokenizer.json alone has.
func isTokenizer(p *place) bool {
	if p.dir {
		return false
	}
	name := strings.TrimSuffix(strings.TrimSuffix(p.name, ".gz"), ".zst")
	if name == "tokenizer.json" {
		return true
	}
	if !strings.HasSuffix(name, ".json") {
		return false
	}
	head := p.unpacked()
	return bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) && bytes.Contains(head, []byte(`"added_tokens"`)) && !bytes.Contains(head, []byte(`"tokenizer_class"`))
}

// unpacked is the beginning of what a packed file holds, as far as its own beginning tells.
func (p *place) unpacked() []byte {
	var r io.Reader
	switch {
	case bytes.HasPrefix(p.head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bytes.NewReader(p.head))
		if err != nil {
			return nil
		}
		r = z
	case bytes.HasPrefix(p.head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(bytes.NewReader(p.head), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil
		}
		defer z.Close()
		r = z
	default:
		return p.head
	}
	out := make([]byte, headBytes)
	n, _ := io.ReadFull(r, out) // it ends in the middle
	return out[:n]
}

func isRecord(p *place) bool {
	return !p.dir && strings.HasSuffix(p.name, ".json") && bytes.Contains(p.head[:min(len(p.head), 200)], []byte(`"`+recordFormat+`"`))
}

var rowSuffixes = []string{
	".jsonl", ".jsonl.gz", ".jsonl.zst", ".jsonl.zstd", ".jsonl.gzip", ".jsonl.bz2", ".ndjson.bz2", ".jsonl.bz2.gz", ".json.gz", ".json.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst", ".parquet",
}

func isRows(p *place) bool {
	if p.dir {
		return false
	}
	if hasSuffix(rowSuffixes...)(p) || bytes.HasPrefix(p.head, []byte("PAR1")) {
		return true
	}
	// Dolma calls lines of JSON .json, too.
	line, _, _ := bytes.Cut(p.head, []byte("\n"))
	return strings.HasSuffix(p.name, ".json") && bytes.HasPrefix(line, []byte("{")) &&
		bytes.HasSuffix(bytes.TrimSpace(line), []byte("}")) && bytes.Contains(line, []byte(`"text"`)) && bytes.Contains(line, []byte(`"id"`))
}

// isAttributes goes by the first row, and by the folder where that cannot be read.
func isAttributes(p *place) bool {
	if !isRows(p) {
		return false
	}
	first, ok := firstRow(p.path)
	if ok {
		return !has(first, "text") && has(first, "attributes")
	}
	_, _, ok = corpusOf(p.path)
	return ok
}

// isOtherLines is what is neither documents nor attributes: requests, samples, scores,
// summaries, text without ids.
func isOtherLines(p *place) bool {
	if !isRows(p) || inFolder(p.path, "documents") || inFolder(p.path, "attributes") {
		return false
	}
	if strings.HasPrefix(p.name, "requests-") || p.name == "samples.jsonl" || strings.HasSuffix(p.name, ".rejects.jsonl") {
		return true
	}
	first, ok := firstRow(p.path)
	return ok && !(has(first, "text") && has(first, "id")) && !has(first, "attributes")
}

// inFolder tells whether one of the folders of a path has a name.
func inFolder(path, name string) bool {
	for _, part := range strings.Split(filepath.ToSlash(filepath.Dir(path)), "/") {
		if part == name {
			return true
		}
	}
	return false
}

// folder checks whatever a folder holds that is known.
func (c *checker) folder(path string) {
	if c.contents(path) == 0 {
		c.problem(Missing, path, "%s holds nothing that can be checked", path)
	}
}

// contents checks what a folder holds, and returns of how many things it knows what they are.
func (c *checker) contents(path string) int {
	entries, err := os.ReadDir(path)
	if err != nil {
		c.damage(path, err)
		return 1
	}
	n := 0
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		sub := filepath.Join(path, e.Name())
		if st, err := os.Lstat(sub); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			// What a link leads to is checked where it lies; a folder could hold itself.
			c.note(sub, "a link, not followed")
			continue
		}
		if c.one(sub) {
			n++
		}
	}
	return n
}

// one checks a part of a folder; false when it is nothing known.
func (c *checker) one(path string) bool {
	a, err := find(path)
	switch {
	case c.ctx.Err() != nil:
		return true
	case errors.Is(err, ErrUnknown):
		if !c.compared(path) {
			c.note(path, "nothing that can be checked")
		}
		return false
	case err != nil:
		c.damage(path, err)
		return true
	}
	if a.name == "folder" {
		return c.contents(path) > 0
	}
	a.check(c, path)
	return true
}

// pointer is what a clone without Git LFS has in place of a file.
func (c *checker) pointer(path string) {
	c.problem(Missing, path, "%s is a pointer of Git LFS, not the file that it stands for\nhint: git lfs pull", path)
	if st, err := os.Stat(path); err == nil {
		c.count(path, st.Size())
	}
}
