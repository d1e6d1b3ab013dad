package curate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
	"olmo/data/curate"
	"olmo/data/dedupe"
	"olmo/data/mix"
	"olmo/data/tagger"
	"olmo/store"
)

// corpus writes documents of which some are alike, and some lines that are
// none.
func corpus(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	for f := range 5 {
		w, err := data.CreateWriter(filepath.Join(base, "documents", fmt.Sprintf("%d.jsonl.gz", f)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 300 {
			n := f*300 + i
			switch {
			case n%7 == 3 && f > 0:
				n -= 300 // as in the file before
			case n%7 == 3:
				n--
			}
			fmt.Fprintf(w, `{"id":"%d-%d","text":"Document %d speaks of things.\nA line about %d.\nAll rights reserved, mail to a%d@example.com or call.\nItem %d costs %d and %d."}`+"\n", f, i, n, n%90, n, n, n*3, n*7)
			if i%50 == 11 {
				fmt.Fprintln(w, `{"id":7}`)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func documentsKey() dedupe.Settings {
	var d dedupe.Settings
	d.SetDefaults()
	d.Documents = &dedupe.Documents{AttributeName: "dup", Key: "$.text"}
	return d
}

func paragraphs() dedupe.Settings {
	var d dedupe.Settings
	d.SetDefaults()
	d.Paragraphs = &dedupe.Paragraphs{AttributeName: "par"}
	d.Paragraphs.SetDefaults()
	return d
}

func minhash() dedupe.Settings {
	var d dedupe.Settings
	d.SetDefaults()
	d.MinHash = &dedupe.MinHash{AttributeName: "near"}
	d.MinHash.SetDefaults()
	return d
}

// config curates the corpus at base into out.
func config(base, out string) curate.Config {
	zero := 0.0
	one := mix.Stream{
		Name: "clean", Documents: []string{filepath.Join(base, "documents", "*.gz")}, Attributes: []string{"rules", "dup", "par", "near"},
		Output:          mix.Output{Path: filepath.Join(out, "documents")},
		Filter:          &mix.Filter{Syntax: "jq", Include: []string{".attributes.rules__gopher_v2__word_count[0][2] > 3"}, Exclude: []string{".attributes.dup != null"}},
		SpanReplacement: []mix.SpanReplacement{{Span: ".attributes.par", Syntax: "jq", MinScore: &zero}},
	}
	one.SetDefaults()
	one.Output.MaxSizeInBytes = 12_000
	return curate.Config{
		Tag:     &curate.Tag{Taggers: []string{"gopher_v2", "pii_regex_v2"}, Experiment: "rules"},
		Dedupe:  []curate.Dedupe{{Dedupe: documentsKey()}, {Dedupe: paragraphs()}, {Dedupe: minhash()}},
		Streams: []mix.Stream{one}, Shuffle: true, Execution: data.Execution{Processes: 2},
	}
}

// outputs reads all files below dir.
func outputs(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".mix.json") {
			return err
		}
		b, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// stages is the same in three steps.
func stages(t *testing.T, cfg curate.Config) mix.Report {
	t.Helper()
	ctx := context.Background()
	docs := cfg.Streams[0].Documents
	if _, err := tagger.Run(ctx, tagger.Config{Documents: docs, Taggers: cfg.Tag.Taggers, Experiment: cfg.Tag.Experiment}); err != nil {
		t.Fatal(err)
	}
	for i, d := range cfg.Dedupe {
		d.BloomFilter.File = filepath.Join(t.TempDir(), fmt.Sprint(i))
		if _, err := dedupe.Run(ctx, dedupe.Config{Documents: docs, Dedupe: d.Dedupe, BloomFilter: d.BloomFilter, Memory: d.Memory}); err != nil {
			t.Fatal(err)
		}
	}
	report, err := mix.Run(ctx, mix.Config{Streams: cfg.Streams, Shuffle: cfg.Shuffle})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// One pass writes what the three stages write, whatever the number of workers
// and however often it is interrupted.
func TestOnePass(t *testing.T) {
	base := corpus(t)
	wantDir := t.TempDir()
	report := stages(t, config(base, wantDir))
	want := outputs(t, wantDir)
	if len(want) < 3 || report.Streams[0].Kept == report.Streams[0].Documents {
		t.Fatalf("%d shards, %+v: nothing to compare", len(want), report)
	}
	check := func(t *testing.T, dir string, got curate.Report) {
		t.Helper()
		have := outputs(t, dir)
		if d := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(have))); d != "" {
			t.Fatalf("files (-want +got):\n%s", d)
		}
		for name := range want {
			if have[name] != want[name] {
				t.Errorf("%s differs from that of the three stages", name)
			}
		}
		for i := range got.Streams {
			got.Streams[i].Shards, report.Streams[i].Shards = nil, nil
		}
		if d := cmp.Diff(report.Streams, got.Streams); d != "" {
			t.Errorf("the report differs (-want +got):\n%s", d)
		}
	}
	for _, workers := range []int{1, 4} {
		dir := t.TempDir()
		cfg := config(base, dir)
		cfg.Processes = workers
		got, err := curate.Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		check(t, dir, got)
		if len(got.Dedupe) != 3 || got.Dedupe[0].Duplicates == 0 || got.Spans["rules__gopher_v2__word_count"] != 1500 {
			t.Errorf("dedupe %+v, spans %v", got.Dedupe, got.Spans)
		}
		again, err := curate.Run(context.Background(), cfg)
		if err != nil || !again.AlreadyDone {
			t.Errorf("again: done already: %v, %v", again.AlreadyDone, err)
		}
		check(t, dir, again)
	}
	t.Run("memory for two passes", func(t *testing.T) {
		dir := t.TempDir()
		cfg := config(base, dir)
		cfg.Dedupe[0].Memory = "600KB"
		got, err := curate.Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got.Dedupe[0].Passes != 2 {
			t.Errorf("%d passes, want 2", got.Dedupe[0].Passes)
		}
		check(t, dir, got)
	})
	t.Run("interrupted", func(t *testing.T) {
		dir := t.TempDir()
		cfg := config(base, dir)
		// Three runs are interrupted wherever they are, the fourth goes to its end: on a
		// busy machine each might stop before it has finished anything.
		for i := range 4 {
			ctx, cancel := context.WithCancel(context.Background())
			n := len(sealed(dir))
			cfg.Progress = &data.Progress{}
			if i < 3 {
				go func() { // until one more shard is there
					for ctx.Err() == nil {
						if len(sealed(dir)) > n {
							cancel()
						}
						time.Sleep(time.Millisecond)
					}
				}()
			}
			got, err := curate.Run(ctx, cfg)
			cancel()
			if err == nil {
				check(t, dir, got)
				return
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		t.Error("a run that nobody interrupted was cancelled")
	})
}

// sealed are the shards that wait for the others, or are begun.
func sealed(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, "documents", ".*.gz.tmp"))
	return found
}

// A filter with a file counts what earlier corpora hold.
func TestKeptFilter(t *testing.T) {
	base := corpus(t)
	filter := filepath.Join(t.TempDir(), "dup.bin")
	run := func() curate.Report {
		cfg := config(base, t.TempDir())
		cfg.Streams[0].Filter = &mix.Filter{Syntax: "jq", Include: []string{"true"}}
		cfg.Dedupe = cfg.Dedupe[:1]
		cfg.Dedupe[0].BloomFilter.File = filter
		cfg.Streams[0].Attributes = []string{"rules", "dup"}
		cfg.Streams[0].SpanReplacement = nil
		got, err := curate.Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := run(); got.Dedupe[0].Duplicates == 0 || got.Dedupe[0].Duplicates == 1500 {
		t.Errorf("%d duplicates in the first run", got.Dedupe[0].Duplicates)
	}
	if got := run(); got.Dedupe[0].Duplicates != 1500 {
		t.Errorf("%d duplicates in the second run, want all", got.Dedupe[0].Duplicates)
	}
}

func TestRefusals(t *testing.T) {
	base := corpus(t)
	for _, c := range []struct {
		name, want string
		change     func(*curate.Config)
	}{
		{"one name twice", "two stages make the attributes rules", func(c *curate.Config) { c.Dedupe[0].Dedupe.Name = "rules" }},
		{"nothing made", "neither tag nor dedupe is set", func(c *curate.Config) { c.Tag, c.Dedupe = nil, nil }},
		{"a file twice", "a file is named twice", func(c *curate.Config) {
			c.Streams[0].Documents = append(c.Streams[0].Documents, c.Streams[0].Documents...)
		}},
		{"standard input twice", "which standard input cannot give", func(c *curate.Config) { c.Streams[0].Documents = []string{"-"} }},
		{"standard input to be counted first", "set bloom_filter.estimated_doc_count", func(c *curate.Config) {
			c.Streams[0].Documents, c.Dedupe = []string{"-"}, c.Dedupe[:1]
			c.Dedupe[0].BloomFilter.EstimatedDocCount, c.Dedupe[0].Memory = 0, ""
		}},
		{"standard input in several passes", "memory want files", func(c *curate.Config) {
			c.Streams[0].Documents, c.Dedupe = []string{"-"}, c.Dedupe[:1]
			c.Dedupe[0].BloomFilter.EstimatedDocCount, c.Dedupe[0].Memory = 1000, "1MB"
		}},
		{"standard input to MinHash", "dedupe near reads the documents more than once", func(c *curate.Config) {
			c.Streams[0].Documents, c.Dedupe = []string{"-"}, []curate.Dedupe{{Dedupe: minhash(), BloomFilter: dedupe.Bloom{EstimatedDocCount: 1000}}}
		}},
		{"a bad key", "dedupe dup:", func(c *curate.Config) { c.Dedupe[0].Dedupe.Documents.Key = "$[" }},
		{"an attribute that nothing makes", "attributes other of", func(c *curate.Config) { c.Streams[0].Attributes = []string{"other"} }},
		{"an unknown tagger", "tagger \"gopher_v3\" is unknown", func(c *curate.Config) { c.Tag.Taggers = []string{"gopher_v3"} }},
		{"settings that exclude all", "no key was looked up", func(c *curate.Config) {
			c.Dedupe[0].Dedupe.MinLength = 1000
			c.Streams[0].Filter = &mix.Filter{Include: []string{"$.id"}}
		}},
	} {
		cfg := config(base, t.TempDir())
		c.change(&cfg)
		if _, err := curate.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// The inputs of the golden set, with the settings of its stages.
func TestGoldenInputs(t *testing.T) {
	golden := os.Getenv("OLMO_GOLDEN")
	if golden == "" {
		t.Skip("OLMO_GOLDEN is not set")
	}
	base := t.TempDir()
	if err := os.CopyFS(filepath.Join(base, "documents"), os.DirFS(filepath.Join(golden, "data", "in", "documents"))); err != nil {
		t.Fatal(err)
	}
	dirs := [2]string{t.TempDir(), t.TempDir()}
	var cfgs [2]curate.Config
	for i, dir := range dirs {
		cfgs[i] = config(base, dir)
		cfgs[i].Streams[0].Documents = []string{filepath.Join(base, "documents", "**")}
		cfgs[i].Streams[0].Output.MaxSizeInBytes = 100_000
	}
	stages(t, cfgs[0])
	if _, err := curate.Run(context.Background(), cfgs[1]); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(outputs(t, dirs[0]), outputs(t, dirs[1])); d != "" {
		t.Errorf("one pass differs from the stages (-stages +one pass):\n%s", d)
	}
}

// small curates two files into one shard each, with a filter that is kept.
func small(t *testing.T) curate.Config {
	t.Helper()
	writeTexts(t, "in/documents/a.jsonl", "rivers", "hills", "rivers")
	writeTexts(t, "in/documents/b.jsonl", "hills", "clouds")
	s := mix.Stream{
		Name: "clean", Documents: []string{"in/documents/*"}, Attributes: []string{"dup"},
		Filter: &mix.Filter{Syntax: "jq", Exclude: []string{".attributes.dup != null"}},
	}
	s.SetDefaults()
	s.Output.Path, s.Output.MaxSizeInBytes = "out", 1
	d := curate.Dedupe{Dedupe: documentsKey()}
	d.BloomFilter.File, d.BloomFilter.EstimatedDocCount, d.BloomFilter.SizeInBytes = "f/dup.bin", 1000, 1<<11
	return curate.Config{Dedupe: []curate.Dedupe{d}, Streams: []mix.Stream{s}, Shuffle: true}
}

func writeTexts(t *testing.T, path string, texts ...string) {
	t.Helper()
	var b strings.Builder
	for i, text := range texts {
		fmt.Fprintf(&b, `{"id":"%d","text":%q}`+"\n", i, text)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// made is the content of the shards and of the filter.
func made(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range []string{"out", "f"} {
		files, err := filepath.Glob(dir + "/[^.]*")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out[f] = string(text)
		}
	}
	return out
}

// A filter that an earlier run filled is not asked about the documents that it holds.
func TestKeptFilterAgain(t *testing.T) {
	touch := func(t *testing.T) {
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes("in/documents/a.jsonl", later, later); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, cfg *curate.Config)
		done   bool
	}{
		{"nothing", func(*testing.T, *curate.Config) {}, true},
		{"touched", func(t *testing.T, _ *curate.Config) { touch(t) }, true},
		{"changed", func(t *testing.T, _ *curate.Config) { writeTexts(t, "in/documents/b.jsonl", "rivers", "lakes") }, false},
		{"one more", func(t *testing.T, _ *curate.Config) { writeTexts(t, "in/documents/c.jsonl", "rivers", "lakes") }, false},
		{"other rule", func(_ *testing.T, cfg *curate.Config) { cfg.Streams[0].Output.MinTextLength = 6 }, false},
		{"filter gone", func(t *testing.T, _ *curate.Config) {
			if err := os.Remove("f/dup.bin"); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a shard gone", func(t *testing.T, _ *curate.Config) {
			if err := os.Remove("out/clean-0001.jsonl.gz"); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			cfg := small(t)
			if _, err := curate.Run(context.Background(), cfg); err != nil {
				t.Fatal(err)
			}
			c.change(t, &cfg)
			report, err := curate.Run(context.Background(), cfg)
			if err != nil || report.AlreadyDone != c.done {
				t.Fatalf("%+v, %v, want done already: %v", report, err, c.done)
			}
			got := made(t)
			for _, dir := range []string{"out", "f", "out.clean.mix.json"} {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := curate.Run(context.Background(), cfg); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(made(t), got); d != "" {
				t.Errorf("against a first run (-want +got):\n%s", d)
			}
		})
	}
}

// A filter that holds documents of others is never emptied.
func TestKeptFilterOfOthers(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg := small(t)
	if _, err := curate.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	other := small(t)
	writeTexts(t, "more/documents/x.jsonl", "birds")
	other.Streams[0].Documents, other.Streams[0].Output.Path = []string{"more/documents/*"}, "more"
	if report, err := curate.Run(context.Background(), other); err != nil || report.Streams[0].Kept != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if report, err := curate.Run(context.Background(), cfg); err != nil || !report.AlreadyDone {
		t.Errorf("again: %+v, %v", report, err)
	}
	before := made(t)
	writeTexts(t, "in/documents/b.jsonl", "lakes")
	for range 2 {
		if _, err := curate.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "f/dup.bin") {
			t.Errorf("%v, want a refusal that names the filter", err)
		}
		if d := cmp.Diff(before, made(t)); d != "" {
			t.Errorf("the refusal has changed:\n%s", d)
		}
	}
}

// A run that keeps nothing leaves shards and filter as they were, and no trace that
// the next one would stumble over.
func TestKeptFilterOfNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg := small(t)
	if _, err := curate.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	before := made(t)
	cfg.Streams[0].Output.MinTextLength = 100
	for range 2 {
		if _, err := curate.Run(context.Background(), cfg); !errors.Is(err, data.ErrNothing) {
			t.Errorf("%v, want ErrNothing", err)
		}
		if d := cmp.Diff(before, made(t)); d != "" {
			t.Errorf("it has changed:\n%s", d)
		}
	}
	cfg.Streams[0].Output.MinTextLength = 0
	if report, err := curate.Run(context.Background(), cfg); err != nil || report.Streams[0].Kept != 3 {
		t.Errorf("and back: %+v, %v", report, err)
	}
	if d := cmp.Diff(before, made(t)); d != "" {
		t.Errorf("and back:\n%s", d)
	}
}

// A fault at any step of writing leaves shards and filter as they were; run again
// the same command ends as an undisturbed one.
func TestKeptFilterFaults(t *testing.T) {
	full := errors.New("no space left on device")
	root := t.TempDir()
	t.Chdir(root)
	cfg := small(t)
	if _, err := curate.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	before := made(t)
	writeTexts(t, "in/documents/a.jsonl", "clouds", "ships", "ships")
	t.Chdir(t.TempDir())
	var want map[string]string
	for n := -1; ; n++ {
		t.Chdir(t.TempDir())
		if err := os.CopyFS(".", os.DirFS(root)); err != nil {
			t.Fatal(err)
		}
		if n < 0 {
			if _, err := curate.Run(context.Background(), cfg); err != nil {
				t.Fatal(err)
			}
			want = made(t)
			continue
		}
		count, renamed, at := 0, false, ""
		undo := store.InjectFaults(func(op store.Op, name string) error {
			if count++; count == n+1 {
				at = fmt.Sprint(op, " of ", name)
				return full
			}
			renamed = renamed || op == store.OpRename && !strings.HasSuffix(name, ".json")
			return nil
		})
		_, err := curate.Run(context.Background(), cfg)
		undo()
		if at == "" {
			if n < 10 {
				t.Fatalf("only %d steps", n)
			}
			return
		}
		if !errors.Is(err, full) {
			t.Errorf("%s: %v, want the fault", at, err)
		}
		if d := cmp.Diff(before, made(t)); d != "" && !renamed {
			t.Errorf("%s:\n%s", at, d)
		}
		if _, err := curate.Run(context.Background(), cfg); err != nil {
			t.Errorf("%s, then run again: %v", at, err)
		}
		if d := cmp.Diff(want, made(t)); d != "" {
			t.Errorf("%s, then run again:\n%s", at, d)
		}
	}
}
