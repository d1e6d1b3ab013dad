package dedupe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
	"olmo/data/dedupe"
)

func writeDocuments(t testing.TB, path string, texts ...string) {
	t.Helper()
	var b strings.Builder
	for i, text := range texts {
		row, err := json.Marshal(map[string]any{"id": fmt.Sprint(i), "text": text, "metadata": map[string]string{"url": "u" + text}})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(row, '\n'))
	}
	writeFile(t, path, b.String())
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// attributes reads the attribute called name of each row: null where a row
// lacks it.
func attributes(t testing.TB, path, name string) []string {
	t.Helper()
	r, err := data.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for {
		line, err := r.NextLine()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var row struct{ Attributes map[string]json.RawMessage }
		if err := json.Unmarshal(line.Bytes, &row); err != nil {
			t.Fatal(err)
		}
		v, ok := row.Attributes[name]
		if !ok {
			v = json.RawMessage("null")
		}
		out = append(out, string(v))
	}
}

// What is marked, here and (want of dolma) with Dolma's bugs.
func TestRules(t *testing.T) {
	document := &dedupe.Documents{AttributeName: "dup", Key: "$.text"}
	paragraphs := func(ngram int, edit func(*dedupe.Ngram)) *dedupe.Paragraphs {
		p := &dedupe.Paragraphs{AttributeName: "dup", Separator: "\n"}
		if ngram > 0 {
			p.ByNgram = &dedupe.Ngram{NgramLength: ngram, OverlapThreshold: 0.5}
			if edit != nil {
				edit(p.ByNgram)
			}
		}
		return p
	}
	for _, c := range []struct {
		name        string
		set         dedupe.Settings
		texts       []string
		want, dolma []string // dolma nil: the same
	}{
		{
			"documents",
			dedupe.Settings{Documents: document},
			[]string{"a", "b", "a", "", ""},
			[]string{"null", "null", "[[0,1,1]]", "null", "[[0,0,1]]"},
			nil,
		},
		{
			"documents not in ASCII: Dolma counts bytes",
			dedupe.Settings{Documents: document},
			[]string{"äöü", "äöü"},
			[]string{"null", "[[0,3,1]]"},
			[]string{"null", "[[0,6,1]]"},
		},
		{
			"skip_empty and min_length",
			dedupe.Settings{Documents: document, SkipEmpty: true, MinLength: 2},
			[]string{"a", "a", "  \n", "  \n", "ab", "ab"},
			[]string{"[]", "[]", "[]", "[]", "null", "[[0,2,1]]"},
			nil,
		},
		{
			"min_words: Dolma compares nothing that has enough",
			dedupe.Settings{Documents: document, MinWords: 2},
			[]string{"one", "one", "one two", "one two"},
			[]string{"[]", "[]", "null", "[[0,7,1]]"},
			[]string{"[]", "[]", "null", "null"},
		},
		{
			"key in the metadata",
			dedupe.Settings{Documents: &dedupe.Documents{AttributeName: "dup", Key: "$.metadata.url"}},
			[]string{"ä", "b", "ä"},
			[]string{"null", "null", "[[0,2,1]]"},
			[]string{"null", "null", "[[0,3,1]]"},
		},
		{
			"paragraphs",
			dedupe.Settings{Paragraphs: paragraphs(0, nil), SkipEmpty: true},
			[]string{"a\nb\n\na", "b\nc", ""},
			[]string{"[[5,6,1]]", "[[0,2,1]]", "null"},
			nil,
		},
		{
			"paragraphs not in ASCII: Dolma's last end lies past the text",
			dedupe.Settings{Paragraphs: paragraphs(0, nil)},
			[]string{"ä\nä"},
			[]string{"[[2,3,1]]"},
			[]string{"[[2,4,1]]"},
		},
		{
			"a long separator: Dolma counts one character",
			dedupe.Settings{Paragraphs: &dedupe.Paragraphs{AttributeName: "dup", Separator: "\n\n\n"}},
			[]string{"ab\n\n\nab\n\n\nab"},
			[]string{"[[5,10,1],[10,12,1]]"},
			[]string{"[[3,6,1],[6,9,1]]"},
		},
		{
			"min_words of paragraphs",
			dedupe.Settings{Paragraphs: paragraphs(0, nil), MinWords: 2},
			[]string{"x\nx\na b\na b"},
			[]string{"[[8,11,1]]"},
			[]string{"[]"},
		},
		{
			"n-grams",
			dedupe.Settings{Paragraphs: paragraphs(2, nil)},
			[]string{"a b c d", "x b c d y", "a, b"},
			[]string{"[]", "[[0,9,0.5]]", "[]"},
			nil,
		},
		{
			"a stride: Dolma lets the n-gram at 1 through",
			dedupe.Settings{Paragraphs: paragraphs(1, func(n *dedupe.Ngram) { n.Stride = 2; n.OverlapThreshold = 0.1 })},
			[]string{"a b c d e", "x b y z a"},
			[]string{"[]", "[[0,9,0.3333333432674408]]"},
			[]string{"[]", "[[0,9,0.3333333432674408]]"},
		},
		{
			"short paragraphs as a whole",
			dedupe.Settings{Paragraphs: paragraphs(3, nil)},
			[]string{"a b\na b\nc"},
			[]string{"[[4,8,1.0]]"},
			nil,
		},
		{
			"short paragraphs skipped",
			dedupe.Settings{Paragraphs: paragraphs(3, func(n *dedupe.Ngram) { n.SkipShortParagraphs = true })},
			[]string{"a b\na b\na b c d\na b c d"},
			[]string{"[[16,23,1.0]]"},
			nil,
		},
		{
			"threshold 0 marks every paragraph",
			dedupe.Settings{Paragraphs: paragraphs(1, func(n *dedupe.Ngram) { n.OverlapThreshold = 0 })},
			[]string{"a b\nc d"},
			[]string{"[[0,4,0.0],[4,7,0.0]]"},
			nil,
		},
	} {
		for _, compat := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, compat %t", c.name, compat), func(t *testing.T) {
				t.Chdir(t.TempDir())
				writeDocuments(t, "documents/a.jsonl", c.texts...)
				_, err := dedupe.Run(context.Background(), dedupe.Config{
					Documents: []string{"documents/a.jsonl"}, Dedupe: c.set, Execution: data.Execution{Compat: compat},
					BloomFilter: dedupe.Bloom{File: "bloom.bin", SizeInBytes: 1 << 16, EstimatedDocCount: 20000},
				})
				if err != nil {
					t.Fatal(err)
				}
				want := c.want
				if compat && c.dolma != nil {
					want = c.dolma
				}
				if got := attributes(t, "attributes/dup/a.jsonl", "dup"); !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

// corpus writes a few files of random paragraphs with many repetitions.
func corpus(t *testing.T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for f := range 4 {
		var texts []string
		for range 300 {
			var lines []string
			for range rng.IntN(20) {
				lines = append(lines, strings.Repeat(fmt.Sprintf("word%d ä ", rng.IntN(400)), rng.IntN(8)))
			}
			texts = append(texts, strings.Join(lines, "\n"))
		}
		writeDocuments(t, fmt.Sprintf("c/documents/%d.jsonl", f), texts...)
	}
}

func runCorpus(t *testing.T, cfg dedupe.Config) (dedupe.Report, string) {
	t.Helper()
	cfg.Documents = []string{"c/documents/*"}
	report, err := dedupe.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	files, err := filepath.Glob("c/attributes/" + cfg.Dedupe.Name + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, cfg.BloomFilter.File) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %x\n", filepath.Base(f), b)
	}
	return report, all.String()
}

// Attributes and filter do not depend on the number of workers; a filter that
// is as full as planned takes few new keys for known ones.
func TestDeterministic(t *testing.T) {
	t.Chdir(t.TempDir())
	corpus(t)
	for _, ngram := range []int{0, 3} {
		cfg := dedupe.Config{
			Dedupe:      dedupe.Settings{Name: "d", Paragraphs: &dedupe.Paragraphs{AttributeName: "d", ByNgram: &dedupe.Ngram{NgramLength: ngram, OverlapThreshold: 0.3}}},
			BloomFilter: dedupe.Bloom{File: "bloom.bin", SizeInBytes: 3000, EstimatedDocCount: 2000},
		}
		var first string
		for _, workers := range []int{1, 2, 5} {
			for _, f := range []string{"bloom.bin", "bloom.bin.d.run.json"} {
				if err := os.RemoveAll(f); err != nil {
					t.Fatal(err)
				}
			}
			cfg.Processes = workers
			report, got := runCorpus(t, cfg)
			if report.AlreadyDone || report.Duplicates == 0 {
				t.Fatalf("report %+v", report)
			}
			if first == "" {
				first = got
			} else if got != first {
				t.Errorf("n-grams of %d: %d workers write other files than one", ngram, workers)
			}
		}
	}
}

func TestPartitions(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "a", "b", "c", "d", "a", "b", "c", "d")
	marks, looked := 0, int64(0)
	for i := range 3 {
		report, err := dedupe.Run(context.Background(), dedupe.Config{
			Documents: []string{"c/documents/a.jsonl"},
			Dedupe: dedupe.Settings{
				Name: "part", Documents: &dedupe.Documents{AttributeName: "dup", Key: "$.text"},
				NumPartitions: 3, PartitionIndex: i,
			},
			BloomFilter: dedupe.Bloom{File: fmt.Sprintf("%d.bin", i), SizeInBytes: 1 << 10, EstimatedDocCount: 100},
		})
		if err != nil {
			t.Fatal(err)
		}
		looked += report.Keys
		for _, v := range attributes(t, fmt.Sprintf("c/attributes/part_%d/a.jsonl", i), fmt.Sprintf("dup_%d", i)) {
			if v == "[[0,1,1]]" {
				marks++
			}
		}
	}
	if marks != 4 || looked != 8 {
		t.Errorf("the partitions looked %d keys up and marked %d, want 8 and 4", looked, marks)
	}
}

// Bad lines go to the rejects file and have no row; documents without the key
// have an empty one, so that rows stay beside their documents.
func TestBadInput(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id": "1", "text": "a", "k": "x"}
{"id": 2, "text": "a"}
{"id": "3", "text": null}

{"id": "4", "text": "b"}
{"id": "5", "text": "c", "k": 7}
{"id": "6", "text": "d", "k": "x"}
{"id": "7", "text": "`+"\xff"+`"}
{"id": "8"
`)
	cfg := dedupe.Config{
		Documents:   []string{"c/documents/a.jsonl"},
		Dedupe:      dedupe.Settings{Name: "d", Documents: &dedupe.Documents{AttributeName: "dup", Key: "$.k"}},
		BloomFilter: dedupe.Bloom{File: "d.bin"},
	}
	report, err := dedupe.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if report.Documents != 4 || report.Rejected != 4 || report.WithoutKey != 2 {
		t.Errorf("report %+v, want 4 documents, 4 rejects, 2 without the key", report)
	}
	if got := attributes(t, "c/attributes/d/a.jsonl", "dup"); !slices.Equal(got, []string{"null", "[]", "[]", "[[0,1,1]]"}) {
		t.Errorf("attributes %v", got)
	}
	b, err := os.ReadFile(data.RejectsPath("c/documents/a.jsonl", "d"))
	if err != nil || strings.Count(string(b), "\n") != 4 || !strings.Contains(string(b), `"line":8`) {
		t.Errorf("rejects file: %v\n%s", err, b)
	}
	cfg.Strict, cfg.Dedupe.Name = true, "strict"
	if _, err := dedupe.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "a.jsonl:2") {
		t.Errorf("strict: %v, want an error that names line 2", err)
	}
	if left, _ := filepath.Glob("c/attributes/strict/*"); len(left) != 0 {
		t.Errorf("strict left %v", left)
	}
}

func TestErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "a", "b")
	writeDocuments(t, "elsewhere/a.jsonl", "a")
	writeFile(t, "broken.bin", "not a filter")
	document := &dedupe.Documents{AttributeName: "dup", Key: "$.text"}
	for _, c := range []struct {
		name string
		edit func(*dedupe.Config)
		want string
	}{
		{"no documents", func(c *dedupe.Config) { c.Documents = nil }, "documents"},
		{"no match", func(c *dedupe.Config) { c.Documents = []string{"c/documents/*.gz"} }, "nothing matches"},
		{"neither", func(c *dedupe.Config) { c.Dedupe.Documents = nil }, "exactly one"},
		{"no filter file", func(c *dedupe.Config) { c.BloomFilter.File = "" }, "bloom_filter.file"},
		{"filter to read is missing", func(c *dedupe.Config) { c.BloomFilter.ReadOnly = true }, "build it first"},
		{"broken filter", func(c *dedupe.Config) { c.BloomFilter.File = "broken.bin" }, "broken.bin"},
		{"folder", func(c *dedupe.Config) { c.Documents = []string{"elsewhere/a.jsonl"} }, "document_dir"},
		{"key", func(c *dedupe.Config) { c.Dedupe.Documents = &dedupe.Documents{AttributeName: "d", Key: "$["} }, "JSONPath"},
		{"partition", func(c *dedupe.Config) { c.Dedupe.NumPartitions, c.Dedupe.PartitionIndex = 2, 2 }, "partition_index"},
		{"everything passed over", func(c *dedupe.Config) { c.Dedupe.MinLength = 100 }, "no key was looked up"},
		{"nothing has the key", func(c *dedupe.Config) {
			c.Dedupe.Documents = &dedupe.Documents{AttributeName: "d", Key: "$.nowhere"}
		}, "no key was looked up"},
	} {
		cfg := dedupe.Config{
			Documents: []string{"c/documents/a.jsonl"}, Dedupe: dedupe.Settings{Documents: document},
			BloomFilter: dedupe.Bloom{File: "f.bin"},
		}
		c.edit(&cfg)
		_, err := dedupe.Run(context.Background(), cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := dedupe.Run(ctx, dedupe.Config{
		Documents: []string{"c/documents/a.jsonl"}, Dedupe: dedupe.Settings{Documents: document}, BloomFilter: dedupe.Bloom{File: "g.bin"},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Decontamination: a filter built from an evaluation set marks its paragraphs
// in a corpus and learns nothing from it.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "dedupe")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			panic(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			panic(err)
		}
		return path
	}
	test := write("eval/documents/test.jsonl", `{"id": "t", "text": "What is the capital of France?"}`)
	corpus := write("corpus/documents/a.jsonl", `{"id": "a", "text": "Quiz\nWhat is the capital of France?\nParis"}`)

	settings := dedupe.Settings{Name: "decontaminate", Paragraphs: &dedupe.Paragraphs{AttributeName: "contaminated"}}
	filter := dedupe.Bloom{File: filepath.Join(dir, "eval.bin")}
	for _, docs := range []string{test, corpus} {
		report, err := dedupe.Run(context.Background(), dedupe.Config{Documents: []string{docs}, Dedupe: settings, BloomFilter: filter})
		if err != nil {
			panic(err)
		}
		fmt.Println(report.Keys, "paragraphs,", report.Duplicates, "known")
		filter.ReadOnly = true
	}
	b, err := os.ReadFile(filepath.Join(dir, "corpus", "attributes", "decontaminate", "a.jsonl"))
	if err != nil {
		panic(err)
	}
	fmt.Print(string(b))
	// Output:
	// 1 paragraphs, 0 known
	// 3 paragraphs, 1 known
	// {"attributes":{"contaminated":[[5,36,1]]},"id":"a"}
}

// A filter can be used by itself.
func ExampleFilter() {
	size := dedupe.SizeFor(1000, 1e-6)
	f, err := dedupe.NewFilter(size, dedupe.HashesFor(size, 1000), 1)
	if err != nil {
		panic(err)
	}
	f.Insert(f.Hashes(nil, "a paragraph"))
	fmt.Println(f.Contains(f.Hashes(nil, "a paragraph")), f.Contains(f.Hashes(nil, "another")))
	// Output: true false
}

func TestReportIsKept(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "a", "a")
	cfg := dedupe.Config{
		Documents: []string{"c/documents/*"}, Dedupe: dedupe.Settings{Documents: &dedupe.Documents{AttributeName: "d", Key: "$.text"}},
		BloomFilter: dedupe.Bloom{File: "f.bin"},
	}
	one, err := dedupe.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	two, err := dedupe.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	one.AlreadyDone = true
	if d := cmp.Diff(one, two); d != "" {
		t.Error(d)
	}
}

// Settings that cannot work are refused by name before anything is read; those at the
// edge are taken.
func TestSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	words := strings.Repeat("one two three four five six seven eight. ", 8)
	writeDocuments(t, "c/documents/a.jsonl", words, words)
	minhash := func(edit func(*dedupe.MinHash)) func(*dedupe.Config) {
		return func(c *dedupe.Config) {
			m := &dedupe.MinHash{AttributeName: "m"}
			m.SetDefaults()
			edit(m)
			c.Dedupe.Documents, c.Dedupe.MinHash = nil, m
		}
	}
	sentences := func(edit func(*dedupe.Sentences)) func(*dedupe.Config) {
		return func(c *dedupe.Config) {
			s := &dedupe.Sentences{AttributeName: "s"}
			s.SetDefaults()
			edit(s)
			c.Dedupe.Documents, c.Dedupe.Sentences = nil, s
		}
	}
	substrings := func(length int) func(*dedupe.Config) {
		return func(c *dedupe.Config) {
			c.Dedupe.Documents, c.Dedupe.Substrings = nil, &dedupe.Substrings{AttributeName: "sub", Length: length}
		}
	}
	ngram := func(n dedupe.Ngram) func(*dedupe.Config) {
		return func(c *dedupe.Config) {
			c.Dedupe.Documents, c.Dedupe.Paragraphs = nil, &dedupe.Paragraphs{AttributeName: "p", ByNgram: &n}
		}
	}
	for _, c := range []struct {
		name string
		edit func(*dedupe.Config)
		want string // "": it works
	}{
		{"nothing special", func(*dedupe.Config) {}, ""},
		{"two kinds", func(c *dedupe.Config) { c.Dedupe.Sentences = &dedupe.Sentences{} }, "exactly one of"},
		{"a filter far away", func(c *dedupe.Config) { c.BloomFilter.File = "s3://b/f" }, "kept on this machine"},
		{"a negative size", func(c *dedupe.Config) { c.BloomFilter.SizeInBytes = -1 }, "cannot be negative"},
		{"a negative count", func(c *dedupe.Config) { c.BloomFilter.EstimatedDocCount = -1 }, "cannot be negative"},
		{"a negative rate", func(c *dedupe.Config) { c.BloomFilter.DesiredFalsePositiveRate = -0.1 }, "desired_false_positive_rate is -0.1"},
		{"the rate 1", func(c *dedupe.Config) { c.BloomFilter.DesiredFalsePositiveRate = 1 }, "desired_false_positive_rate is 1"},
		{"a high rate", func(c *dedupe.Config) { c.BloomFilter.DesiredFalsePositiveRate = 0.9 }, ""},
		{"a negative length", func(c *dedupe.Config) { c.Dedupe.MinLength = -1 }, "min_length and min_words cannot be negative"},
		{"a negative number of words", func(c *dedupe.Config) { c.Dedupe.MinWords = -1 }, "min_length and min_words cannot be negative"},
		{"a negative partition", func(c *dedupe.Config) { c.Dedupe.NumPartitions, c.Dedupe.PartitionIndex = 2, -1 }, "partition_index -1 does not exist"},
		{"negative partitions", func(c *dedupe.Config) { c.Dedupe.NumPartitions = -2 }, "partition_index"},
		{"memory", func(c *dedupe.Config) { c.Memory = "much" }, "memory: \"much\" is no size"},
		{"no attribute", func(c *dedupe.Config) { c.Dedupe.Documents.AttributeName = "" }, "attribute_name is not set"},
		{"no key", func(c *dedupe.Config) { c.Dedupe.Documents.Key = "" }, "dedupe.documents.key is not set"},
		{"partitions of MinHash", func(c *dedupe.Config) {
			minhash(func(*dedupe.MinHash) {})(c)
			c.Dedupe.NumPartitions = 2
		}, "have no partitions"},
		{"MinHash", minhash(func(*dedupe.MinHash) {}), ""},
		{"MinHash of single words", minhash(func(m *dedupe.MinHash) { m.NgramLength, m.Buckets, m.HashesPerBucket = 1, 1, 1 }), ""},
		{"no n-grams", minhash(func(m *dedupe.MinHash) { m.NgramLength = 0 }), "must be positive"},
		{"no buckets", minhash(func(m *dedupe.MinHash) { m.Buckets = 0 }), "must be positive"},
		{"no hashes", minhash(func(m *dedupe.MinHash) { m.HashesPerBucket = 0 }), "must be positive"},
		{"no passes", minhash(func(m *dedupe.MinHash) { m.Passes = 0 }), "must be positive"},
		{"too many buckets", minhash(func(m *dedupe.MinHash) { m.Buckets = 4097 }), "more than 4096 of 1024"},
		{"too many hashes", minhash(func(m *dedupe.MinHash) { m.HashesPerBucket = 1025 }), "more than 4096 of 1024"},
		{"a pass a bucket", minhash(func(m *dedupe.MinHash) { m.Passes = 14 }), ""},
		{"more passes than buckets", minhash(func(m *dedupe.MinHash) { m.Passes = 15 }), "15 passes for 14 buckets"},
		{"sentences", sentences(func(s *dedupe.Sentences) { s.NSentences = 1 }), ""},
		{"no sentences", sentences(func(s *dedupe.Sentences) { s.NSentences = 0 }), "n_sentences must be positive"},
		{"negative words", sentences(func(s *dedupe.Sentences) { s.MinDocWords = -1 }), "cannot be negative"},
		{"negative sentences", sentences(func(s *dedupe.Sentences) { s.MinNumSentences = -1 }), "cannot be negative"},
		{"a negative piece", sentences(func(s *dedupe.Sentences) { s.MinWordsToRemoveSpan = -1 }), "cannot be negative"},
		{"substrings", substrings(4), ""},
		{"substrings of the default length", substrings(0), ""},
		{"short substrings", substrings(3), "dedupe.substrings.length is 3, want 4"},
		{"long substrings", substrings(1<<20 + 1), "want 4 to 1048576"},
		{"negative n-grams", ngram(dedupe.Ngram{NgramLength: -1}), "cannot be negative"},
		{"a negative stride", ngram(dedupe.Ngram{NgramLength: 1, Stride: -1}), "cannot be negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := dedupe.Config{
				Documents: []string{"c/documents/a.jsonl"}, BloomFilter: dedupe.Bloom{File: filepath.Join(t.TempDir(), "f"), SizeInBytes: 1 << 10, EstimatedDocCount: 100},
				Dedupe: dedupe.Settings{Name: "x", Documents: &dedupe.Documents{AttributeName: "d", Key: "$.text"}},
			}
			c.edit(&cfg)
			if err := os.RemoveAll("c/attributes"); err != nil {
				t.Fatal(err)
			}
			report, err := dedupe.Run(context.Background(), cfg)
			if c.want == "" && (err != nil || report.Duplicates == 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%+v, %v, want %q", report, err, c.want)
			}
			if _, err := os.Stat("c/attributes"); (err == nil) != (c.want == "") {
				t.Errorf("attributes: %v", err)
			}
		})
	}
}

// Of a corpus that is nearly all marked a run warns, and names the filter, which may
// hold it already; of a few copies or common lines it does not.
func TestWarnsOfCopies(t *testing.T) {
	t.Chdir(t.TempDir())
	many := func(n, copies int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("text %d\nthe same line", i%(n-copies)))
		}
		return out
	}
	for i, c := range []struct {
		name  string
		set   dedupe.Settings
		texts []string
		warns bool
	}{
		{"a copy of itself", dedupe.Settings{Documents: &dedupe.Documents{AttributeName: "d", Key: "$.text"}}, many(100, 96), true},
		{"many copies", dedupe.Settings{Documents: &dedupe.Documents{AttributeName: "d", Key: "$.text"}}, many(100, 90), false},
		{"a line in every document", dedupe.Settings{Paragraphs: &dedupe.Paragraphs{AttributeName: "d"}}, many(40, 0), false},
		{"all lines", dedupe.Settings{Paragraphs: &dedupe.Paragraphs{AttributeName: "d"}}, many(100, 98), true},
	} {
		writeDocuments(t, "c/documents/a.jsonl", c.texts...)
		var told []string
		c.set.Name = fmt.Sprint("x", i)
		filter := fmt.Sprintf("filter%d", i)
		report, err := dedupe.Run(context.Background(), dedupe.Config{
			Documents: []string{"c/documents/a.jsonl"}, BloomFilter: dedupe.Bloom{File: filter}, Dedupe: c.set,
			Execution: data.Execution{Log: func(m string) { told = append(told, m) }},
		})
		if err != nil {
			t.Fatal(err)
		}
		warning := ""
		for _, m := range told {
			if strings.HasPrefix(m, "warning: ") {
				warning = m
			}
		}
		if want := fmt.Sprintf("warning: %d of %d documents are marked as duplicates: the Bloom filter %s may", report.Affected, report.Documents, filter); c.warns != strings.HasPrefix(warning, want) || !c.warns && warning != "" {
			t.Errorf("%s: %q of %d affected, want a warning: %v", c.name, warning, report.Affected, c.warns)
		}
	}
}
