package tagger_test

import (
	"io"
	"os"
	"testing"

	"olmo/data"
	"olmo/data/tagger"
)

// TestDolma compares the taggers with what Dolma 1.2.1 says of the documents of
// testdata/golden, span by span; testdata/golden.py made both.
func TestDolma(t *testing.T) {
	const golden = "testdata/golden/"
	names, err := os.ReadDir(golden + "attributes")
	if err != nil || len(names) == 0 {
		t.Fatalf("no attributes: %v", err)
	}
	for _, name := range names {
		t.Run(name.Name(), func(t *testing.T) {
			tg, err := tagger.Get(name.Name(), tagger.Options{Compat: true})
			if err != nil {
				t.Fatal(err)
			}
			documents, err := data.OpenReader(golden + "documents/a.jsonl.gz")
			if err != nil {
				t.Fatal(err)
			}
			defer documents.Close()
			attributes, err := data.OpenReader(golden + "attributes/" + name.Name() + "/a.jsonl.gz")
			if err != nil {
				t.Fatal(err)
			}
			defer attributes.Close()
			var text tagger.Text
			var out tagger.Spans
			rows := 0
			for ; ; rows++ {
				doc, err := documents.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				line, err := attributes.NextLine()
				if err != nil {
					t.Fatal(err)
				}
				var want data.AttributeRow
				if err := data.ParseAttributes(line.Bytes, &want); err != nil {
					t.Fatal(err)
				}
				text.Reset(&doc)
				out.Reset()
				if err := tg.Tag(&text, &out); err != nil {
					t.Fatalf("document %s: %v", doc.ID, err)
				}
				got := data.AttributeRow{ID: doc.ID, Source: want.Source}
				for _, kind := range out.Types() {
					got.Attributes = append(got.Attributes, data.Attribute{Name: name.Name() + "__" + name.Name() + "__" + kind, Spans: out.Of(kind)})
				}
				// Dolma writes scores with five decimals.
				if diff := diffRows(got, want, 0.5e-5+1e-12); diff != "" {
					t.Errorf("document %s %.80q: %s", doc.ID, doc.Text, diff)
				}
			}
			if rows < 200 {
				t.Errorf("%d rows were compared", rows)
			}
		})
	}
}
