package tokens_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"olmo/data/tokens"
)

// Two epochs over a file of six tokens, cut into instances of two.
func ExampleLoader() {
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "part-0-00000.npy")
	if err := os.WriteFile(path, []byte{10, 0, 11, 0, 20, 0, 21, 0, 30, 0, 31, 0}, 0o644); err != nil {
		log.Fatal(err)
	}
	d, err := tokens.OpenDataset(tokens.DatasetConfig{Paths: []string{path}, DType: tokens.Uint16, ChunkSize: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	l, err := tokens.NewLoader(d, tokens.LoaderConfig{BatchSize: 1, Seed: 6198, DropLast: true})
	if err != nil {
		log.Fatal(err)
	}
	for l.Epoch() < 2 {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			l.StartEpoch(l.Epoch() + 1)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(l.Epoch(), b.Index, b.IDs)
	}
	// Output:
	// 0 [2] [30 31]
	// 0 [0] [10 11]
	// 0 [1] [20 21]
	// 1 [2] [30 31]
	// 1 [1] [20 21]
	// 1 [0] [10 11]
}
