package tokenizer

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
)

// benchTexts returns the documents to encode: those of the JSONL file that
// OLMO_BENCH_TEXT names, else the goldens' training corpus.
func benchTexts(b *testing.B) []string {
	b.Helper()
	type document struct{ Text string }
	var texts []string
	path := os.Getenv("OLMO_BENCH_TEXT")
	if path == "" {
		for _, d := range readLines[document](b, goldenPath(b, "cases", "bpe_train_corpus.jsonl.gz")) {
			texts = append(texts, d.Text)
		}
		return texts
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	lines := json.NewDecoder(bufio.NewReader(f))
	for lines.More() {
		var d document
		if err := lines.Decode(&d); err != nil {
			b.Fatal(err)
		}
		texts = append(texts, d.Text)
	}
	return texts
}

// BenchmarkEncode encodes every text once with a new encoder: no word has been
// seen before.
func BenchmarkEncode(b *testing.B) {
	texts := benchTexts(b)
	for _, name := range []string{"neox-olmo-dolma-v1_5", "dolma2", "llama3", "smollm2", "llama2"} {
		b.Run(name, func(b *testing.B) {
			tok := loadGolden(b, name)
			size, tokens := 0, 0
			var ids []int32
			for b.Loop() {
				e := tok.NewEncoder()
				for _, s := range texts {
					ids = must(e.AppendEncode(ids[:0], s))
					size += len(s)
					tokens += len(ids)
				}
			}
			b.ReportMetric(float64(size)/1e6/b.Elapsed().Seconds(), "MB/s")
			b.ReportMetric(float64(size)/float64(tokens), "bytes/token")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"neox-olmo-dolma-v1_5", "dolma2", "llama3"} {
		b.Run(name, func(b *testing.B) {
			data := readGzip(b, goldenPath(b, "tokenizers", name+".json.gz"))
			for b.Loop() {
				if _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
