package dedupe_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/dedupe"
)

// A row that no stage could read has no marks, and the rejects file says why;
// those around it are as ever.
func TestRowTooLong(t *testing.T) {
	t.Run("whole", testRowTooLong)
	t.Run("by pieces", func(t *testing.T) {
		defer dedupe.SetPieces(1, 3, 10)()
		testRowTooLong(t)
	})
}

func testRowTooLong(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	defer dedupe.SetMaxRow(200)()
	long := strings.Repeat("a\n", 100)
	writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"a\na"}
{}
{"id":"},\"id\":\"","text":"`+strings.ReplaceAll(long, "\n", `\n`)+`"}
{"id":"3","text":"b\na"}
`)
	a := newAgain()
	a.Dedupe = dedupe.Settings{Name: "dup", Paragraphs: &dedupe.Paragraphs{AttributeName: "dup"}}
	report, err := a.run()
	if err != nil {
		t.Fatal(err)
	}
	if report.Documents != 3 || report.Rejected != 2 {
		t.Errorf("%+v, want 3 documents and 2 rejects", report)
	}
	if got, want := attributes(t, "c/attributes/dup/a.jsonl", "dup"), []string{"[[2,3,1]]", "null", "[[2,3,1]]"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	text, err := os.ReadFile("c/attributes/dup/a.jsonl")
	if err != nil || strings.Count(string(text), `{"attributes":{},"id":"},\"id\":\""}`) != 1 {
		t.Errorf("rows %s, %v", text, err)
	}
	text, err = os.ReadFile(data.RejectsPath("c/documents/a.jsonl", "dup"))
	if err != nil || !strings.Contains(string(text), `"line":3,"offset":28,"reason":"the row of its marks would have 1135 bytes, more than the 200 of a line`) {
		t.Errorf("rejects %s, %v", text, err)
	}
}

// A stage that reads the documents itself is told of such a row, and gets one without marks.
func TestMarkerRowTooLong(t *testing.T) {
	defer dedupe.SetMaxRow(200)()
	defer dedupe.SetPieces(100, 3, 10)()
	path := t.TempDir() + "/a.jsonl"
	writeFile(t, path, `{"id":"1","text":"a\na"}
{"id":"2","text":"`+strings.Repeat(`a\n`, 100)+`"}
{"id":"3","text":"b\na"}
`)
	ctx := context.Background()
	m, err := dedupe.NewMarker(ctx, dedupe.Config{
		Documents: []string{path}, Dedupe: dedupe.Settings{Paragraphs: &dedupe.Paragraphs{AttributeName: "dup"}},
		BloomFilter: dedupe.Bloom{EstimatedDocCount: 100},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := data.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rejected []int
	rows := ""
	err = data.MapLines(ctx, data.NewPool(2), r, &data.Rejects{}, m.Work, func(v any) error {
		lines, err := m.Rows(nil, v, func(i int, err error) error {
			rejected = append(rejected, i)
			return nil
		})
		rows += string(lines)
		return err
	})
	if _, err = m.Close(err); err != nil {
		t.Fatal(err)
	}
	want := `{"attributes":{"dup":[[2,3,1]]},"id":"1"}
{"attributes":{},"id":"2"}
{"attributes":{"dup":[[2,3,1]]},"id":"3"}
`
	if rows != want || !slices.Equal(rejected, []int{1}) {
		t.Errorf("rows %s, rejected %v", rows, rejected)
	}
}
