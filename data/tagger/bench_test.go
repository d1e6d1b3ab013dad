package tagger_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/tagger"
)

// BenchmarkRun tags the documents below OLMO_BENCH_DOCUMENTS with Gopher, C4
// and personal-data rules on one worker, files and all, and reports MB of
// uncompressed JSONL a second.
func BenchmarkRun(b *testing.B) {
	docs := os.Getenv("OLMO_BENCH_DOCUMENTS")
	if docs == "" {
		b.Skip("OLMO_BENCH_DOCUMENTS names no file in a folder called documents")
	}
	r, err := data.OpenReader(docs)
	if err != nil {
		b.Fatal(err)
	}
	size := 0
	for {
		line, err := r.NextLine()
		if err != nil {
			break
		}
		size += len(line.Bytes) + 1
	}
	r.Close()
	for _, taggers := range []string{"gopher_v2", "c4_v2", "pii_regex_v2", "char_length_v1", "gopher_v2 c4_v2 pii_regex_v2"} {
		b.Run(taggers, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				_, err := tagger.Run(context.Background(), tagger.Config{
					Documents: []string{docs}, Taggers: strings.Fields(taggers), IgnoreExisting: true, Execution: data.Execution{Processes: 1},
					Destination: []string{filepath.Join(b.TempDir(), "attributes")},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
