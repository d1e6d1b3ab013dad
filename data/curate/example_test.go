package curate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"olmo/data/curate"
	"olmo/data/dedupe"
	"olmo/data/mix"
)

// Two documents are the same, one is short.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	docs := filepath.Join(dir, "documents.jsonl")
	text := `{"id":"1","text":"A text that is long enough."}
{"id":"2","text":"A text that is long enough."}
{"id":"3","text":"Short."}
`
	if err := os.WriteFile(docs, []byte(text), 0o666); err != nil {
		panic(err)
	}
	var settings dedupe.Settings
	settings.SetDefaults()
	settings.Documents = &dedupe.Documents{AttributeName: "dup", Key: "$.text"}
	stream := mix.Stream{
		Name: "clean", Documents: []string{docs}, Attributes: []string{"rules", "dup"},
		Filter: &mix.Filter{
			Syntax:  "jq",
			Include: []string{".attributes.rules__char_length_v1__length[0][2] > 10"},
			Exclude: []string{".attributes.dup != null"},
		},
	}
	stream.SetDefaults()
	stream.Output.Path = filepath.Join(dir, "clean")
	report, err := curate.Run(context.Background(), curate.Config{
		Tag:     &curate.Tag{Taggers: []string{"char_length_v1"}, Experiment: "rules"},
		Dedupe:  []curate.Dedupe{{Dedupe: settings}},
		Streams: []mix.Stream{stream}, Shuffle: true,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Streams[0].Kept, "of", report.Streams[0].Documents)
	// Output: 1 of 3
}
