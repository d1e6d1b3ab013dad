package quickstart

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"olmo/data"
)

// embeddedRows holds the documents of some packages of go1.26.8, chosen in
// corpus_test.go, for machines that have this program but no Go.
//
//go:embed embedded.jsonl.zst
var embeddedRows []byte

// readEmbedded is the corpus of last resort.
func readEmbedded() (*source, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	rows, err := decoder.DecodeAll(embeddedRows, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the embedded text: %w", err)
	}
	src := &source{tag: "go", licence: "BSD-3-Clause", language: "en", prompts: goPrompts}
	for line := range bytes.Lines(rows) {
		var d data.Document
		if err := data.ParseDocument(bytes.TrimSuffix(line, []byte("\n")), &d); err != nil {
			return nil, fmt.Errorf("reading the embedded text: %w", err)
		}
		var meta goMetadata
		if err := json.Unmarshal(d.Metadata, &meta); err != nil {
			return nil, fmt.Errorf("reading the embedded text: %s: %w", d.ID, err)
		}
		src.version = d.Version
		src.documents = append(src.documents, document{id: d.ID, group: meta.Package, text: d.Text, metadata: meta})
	}
	src.name = "embedded part of " + src.version + " doc comments"
	src.notices = []string{
		"No Go installation with sources was found (GOROOT, or go on the PATH), so a small text embedded in this program was used: results are far below those of the full corpus. Install Go, or give your own text with --docs.",
		"The embedded text is from " + src.version + ", copyright The Go Authors, BSD-3-Clause.",
	}
	return src, nil
}
