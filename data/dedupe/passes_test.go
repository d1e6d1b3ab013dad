package dedupe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/dedupe"
)

// passCorpus has documents whose paragraphs repeat within a batch, across
// batches and across files.
func passCorpus(t *testing.T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	var pool []string
	for f := range 3 {
		texts := make([]string, 120)
		for i := range texts {
			var paragraphs []string
			for range 1 + rng.IntN(30) {
				if len(pool) > 0 && rng.IntN(3) == 0 {
					paragraphs = append(paragraphs, pool[rng.IntN(len(pool))])
					continue
				}
				p := strings.Join(text(rng, 5+rng.IntN(40)), " ") + "."
				pool = append(pool, p)
				paragraphs = append(paragraphs, p)
			}
			texts[i] = strings.Join(paragraphs, "\n")
		}
		writeDocuments(t, fmt.Sprintf("c/documents/%d.jsonl", f), texts...)
	}
}

func attributeFiles(t *testing.T, name string) string {
	t.Helper()
	var all bytes.Buffer
	for f := range 3 {
		b, err := os.ReadFile(fmt.Sprintf("c/attributes/%s/%d.jsonl", name, f))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// What does not fit into the memory is looked up in several passes, with the
// same result, also when the parts of the filter are read again.
func TestPasses(t *testing.T) {
	for name, set := range map[string]dedupe.Settings{
		"documents":  {Documents: &dedupe.Documents{AttributeName: "dup", Key: "$.text"}},
		"paragraphs": {Paragraphs: &dedupe.Paragraphs{AttributeName: "dup"}},
		"ngrams":     {Paragraphs: &dedupe.Paragraphs{AttributeName: "dup", ByNgram: &dedupe.Ngram{NgramLength: 8, OverlapThreshold: 0.3}}},
		"sentences":  {Sentences: &dedupe.Sentences{AttributeName: "dup", NSentences: 1, SplitSentences: true, MinDocWords: 50, MinNumSentences: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			passCorpus(t)
			label := ""
			run := func(memory string, readOnly bool) (dedupe.Report, string) {
				t.Helper()
				set.Name = fmt.Sprintf("dup%s%s%v", label, memory, readOnly)
				report, err := dedupe.Run(context.Background(), dedupe.Config{
					Documents: []string{"c/documents/*"}, Dedupe: set, Memory: memory, Execution: data.Execution{Processes: 2},
					BloomFilter: dedupe.Bloom{File: "bloom" + label + memory, ReadOnly: readOnly},
				})
				if err != nil {
					t.Fatal(err)
				}
				return report, attributeFiles(t, set.Name)
			}
			one, want := run("", false)
			four, got := run("300KB", false)
			if one.Passes != 1 || four.Passes != 4 {
				t.Fatalf("%d and %d passes, want 1 and 4", one.Passes, four.Passes)
			}
			if got != want {
				t.Error("four passes give other attributes than one")
			}
			if one.Keys != four.Keys || one.Duplicates != four.Duplicates || one.FilterBytes != four.FilterBytes {
				t.Errorf("reports %+v and %+v", one, four)
			}
			if one.Duplicates == 0 && name != "documents" {
				t.Error("nothing was found")
			}
			_, wantAgain := run("", true)
			again, gotAgain := run("300KB", true)
			if gotAgain != wantAgain {
				t.Error("the parts of the filter say otherwise than the whole when they are read")
			}
			if again.Passes != 4 {
				t.Errorf("%d passes over 4 parts", again.Passes)
			}
			// And so with texts that are cut by pieces while they are marked.
			defer dedupe.SetPieces(500, 3, 10)()
			label = "pieces"
			for _, c := range []struct {
				memory   string
				readOnly bool
				want     string
			}{{"", false, want}, {"300KB", false, want}, {"", true, wantAgain}, {"300KB", true, wantAgain}} {
				report, got := run(c.memory, c.readOnly)
				if got != c.want {
					t.Errorf("memory %q, read only %v: by pieces other attributes", c.memory, c.readOnly)
				}
				if !c.readOnly && (report.Counts != one.Counts || report.FilterBytes != one.FilterBytes) {
					t.Errorf("by pieces %+v, want %+v", report, one)
				}
			}
			left, err := filepath.Glob("*.tmp")
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// An interrupted run of several passes is made good by the same command.
func TestPassesInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	passCorpus(t)
	cfg := dedupe.Config{
		Documents: []string{"c/documents/*"}, Memory: "300KB", Execution: data.Execution{Processes: 2},
		Dedupe:      dedupe.Settings{Paragraphs: &dedupe.Paragraphs{AttributeName: "dup"}},
		BloomFilter: dedupe.Bloom{File: "bloom"},
	}
	ctx, cancel := context.WithCancel(context.Background())
	lines := 0
	cfg.Log = func(string) {
		if lines++; lines == 3 {
			cancel()
		}
	}
	if _, err := dedupe.Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want a cancelled run", err)
	}
	if _, err := dedupe.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	got := attributeFiles(t, "dup")
	cfg.BloomFilter.File, cfg.Memory, cfg.Dedupe.Name = "other", "", "whole"
	if _, err := dedupe.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	if got != attributeFiles(t, "whole") {
		t.Error("other attributes than of one uninterrupted pass")
	}
}

// MinHash takes the passes that the memory asks for, or says what it needs.
func TestMinHashMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	passCorpus(t)
	run := func(name, memory string) (dedupe.Report, error) {
		cfg := minHash(nil)
		cfg.Memory, cfg.Dedupe.Name = memory, name
		return dedupe.Run(context.Background(), cfg)
	}
	if _, err := run("all", ""); err != nil {
		t.Fatal(err)
	}
	report, err := run("few", "12KB") // 360 documents of 12 bytes and 8 a bucket
	if err != nil {
		t.Fatal(err)
	}
	if report.Passes != 7 {
		t.Errorf("%d passes, want 7", report.Passes)
	}
	if attributeFiles(t, "few") != attributeFiles(t, "all") {
		t.Error("seven passes give other attributes than one")
	}
	if _, err := run("none", "5KB"); err == nil || !strings.Contains(err.Error(), "360 documents takes 7.2 KB in 14 passes, memory allows 5 KB") {
		t.Errorf("error %v", err)
	}
}

// Runs of sentences that were seen before are marked whatever their case,
// numbers and spaces; documents of which little is left are named.
func TestSentences(t *testing.T) {
	t.Chdir(t.TempDir())
	const story = "It was 1998. The boats came back! Nobody knew why. "
	writeDocuments(t, "c/documents/a.jsonl",
		story+"They slept.",
		"Later on. It was 2024. The BOATS came back! Nobody knew why. An end. Another one. A third.",
		"The boats came back! Nobody knew why. It was odd.", // two in a row only
		"It was 7. The boats, came back! Nobody knew why. Words.",
		"Short. Text.",
		"",
		"- - -",
		"One. Two. Three. One. Two. Three.",
	)
	set := &dedupe.Sentences{AttributeName: "sent"}
	set.SetDefaults()
	set.MinDocWords = 5
	cfg := dedupe.Config{
		Documents: []string{"c/documents/*"}, Execution: data.Execution{Processes: 2},
		Dedupe: dedupe.Settings{Sentences: set}, BloomFilter: dedupe.Bloom{File: "bloom"},
	}
	if _, err := dedupe.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	want := []string{"[]", "[[10,61,1]]", "[]", "[[0,49,1]]", "[]", "null", "[]", "[[17,33,1]]"}
	if got := attributes(t, "c/attributes/sent/a.jsonl", "sent"); !slices.Equal(got, want) {
		t.Errorf("sentences: %v, want %v", got, want)
	}
	want = []string{"null", "null", "null", "[[0,55,1]]", "null", "null", "null", "[[0,33,1]]"}
	if got := attributes(t, "c/attributes/sent/a.jsonl", "sent_document"); !slices.Equal(got, want) {
		t.Errorf("documents: %v, want %v", got, want)
	}

	set.SplitSentences, set.NSentences, set.MinWordsToRemoveSpan = false, 1, 2
	cfg.Dedupe.Name, cfg.BloomFilter.File = "lines", "lines"
	writeDocuments(t, "c/documents/a.jsonl", "one two\nthree\nfour five", "six\nthree\n  One TWO \nseven")
	if _, err := dedupe.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	if got, want := attributes(t, "c/attributes/lines/a.jsonl", "sent"), []string{"[]", "[[4,21,1]]"}; !slices.Equal(got, want) {
		t.Errorf("lines: %v, want %v", got, want)
	}
}
