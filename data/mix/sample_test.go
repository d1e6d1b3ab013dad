package mix_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data/mix"
)

// A sample depends on ids and seed alone; copies beyond the first lie in files
// of their own.
func TestSample(t *testing.T) {
	const n = 2000
	documents := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, `{"id": "doc %d", "text": "text %d"}`+"\n", i, i)
		}
		return b.String()
	}
	ids := func(t *testing.T, report mix.StreamReport) (out []string) {
		t.Helper()
		for _, f := range report.Shards {
			for line := range strings.Lines(readFile(t, f)) {
				id, _, _ := strings.Cut(strings.TrimPrefix(line, `{"id":"`), `"`)
				out = append(out, id)
			}
		}
		slices.Sort(out)
		return out
	}
	var whole []string
	for _, c := range []struct {
		sample float64
		shards int
	}{{0.3, 1}, {1, 1}, {2, 2}, {2.25, 3}} {
		t.Run(fmt.Sprint(c.sample), func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeFile(t, "c/documents/a.jsonl", documents(0, n))
			report := mustRun(t, false, plain(func(s *mix.Stream) { s.Sample = &c.sample }))
			got := ids(t, report)
			if d := math.Abs(float64(len(got))/n - c.sample); d > 0.04 {
				t.Errorf("%d of %d documents written, want %g times as many", len(got), n, c.sample)
			}
			if len(report.Shards) != c.shards || report.Kept+report.Copies != int64(len(got)) {
				t.Errorf("report %+v, %d documents written", report, len(got))
			}
			rule := report.Rules[len(report.Rules)-1]
			if rule.Kind != "sample" || rule.Documents != n-report.Kept {
				t.Errorf("rule %+v", rule)
			}
			if c.sample == 0.3 {
				whole = got
			}
			for i := 1; c.sample <= 1 && i < len(got); i++ {
				if got[i] == got[i-1] {
					t.Fatalf("%s was written twice", got[i])
				}
			}
		})
	}
	t.Run("other shards", func(t *testing.T) {
		t.Chdir(t.TempDir())
		writeFile(t, "c/documents/a.jsonl", documents(n/3, n))
		writeFile(t, "c/documents/b.jsonl", documents(0, n/3))
		report := mustRun(t, false, plain(func(s *mix.Stream) {
			s.Sample, s.Documents, s.Output.MaxSizeInBytes = new(0.3), []string{"c/documents/*"}, 100
		}))
		if got := ids(t, report); !slices.Equal(got, whole) {
			t.Error("the same documents in other files give another sample")
		}
		if len(report.Shards) != 2 {
			t.Errorf("%d shards, want 2", len(report.Shards))
		}
	})
	t.Run("another seed", func(t *testing.T) {
		t.Chdir(t.TempDir())
		writeFile(t, "c/documents/a.jsonl", documents(0, n))
		got := ids(t, mustRun(t, false, plain(func(s *mix.Stream) { s.Sample, s.Seed = new(0.3), 7 })))
		both := 0
		for _, id := range got {
			if _, ok := slices.BinarySearch(whole, id); ok {
				both++
			}
		}
		if share := float64(both) / float64(len(got)); share > 0.4 {
			t.Errorf("%.2f of the sample is that of another seed, want 0.3", share)
		}
	})
}

func TestSampleNames(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.v1.jsonl", `{"id": "1", "text": "x"}`+"\n")
	s := plain(func(s *mix.Stream) {
		s.Documents, s.Sample, s.Compression.Output = []string{"c/documents/*"}, new(3.0), nil
	})
	report := mustRun(t, false, s)
	want := []string{"out/s-0000.jsonl.gz", "out/s-0000-copy1.jsonl.gz", "out/s-0000-copy2.jsonl.gz"}
	if !slices.Equal(report.Shards, want) {
		t.Errorf("%v, want %v", report.Shards, want)
	}
	none := ""
	s.Output.Path, s.Compression.Output = "kept", &none
	whole, err := mix.Run(context.Background(), mix.Config{Streams: []mix.Stream{s}})
	if err != nil {
		t.Fatal(err)
	}
	want = []string{"kept/documents/a.v1.jsonl", "kept/documents/a.v1-copy1.jsonl", "kept/documents/a.v1-copy2.jsonl"}
	if got := whole.Streams[0].Shards; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, f := range want {
		if got := readFile(t, f); !strings.Contains(got, `"id":"1"`) {
			t.Errorf("%s holds %q", f, got)
		}
	}
}

// The page names every rule, what it removed, and examples that cannot break
// it; tokens are counted when a counter is given.
func TestFunnel(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id": "good", "text": "one two three"}
{"id": "bad", "text": "<script>alert(1)</script> four"}
{"id": "cut", "text": "five six", "attributes": {"dup": [[0, 5, 1]]}}
`)
	config := mix.Config{Streams: []mix.Stream{plain(func(s *mix.Stream) {
		s.Filter = &mix.Filter{Exclude: []string{`.id == "bad"`}, Syntax: "jq"}
		s.SpanReplacement = []mix.SpanReplacement{{Span: ".attributes.dup", MinScore: number(0), Syntax: "jq"}}
	})}, Shuffle: true, CountTokens: func(text string) (int, error) { return len(strings.Fields(text)), nil }}
	report, err := mix.Run(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	s := report.Streams[0]
	if s.TokensIn != 7 || s.TokensOut != 4 || s.Rules[1].Tokens != 2 {
		t.Errorf("%d tokens in, %d out, %d excluded; want 7, 4 and 2", s.TokensIn, s.TokensOut, s.Rules[1].Tokens)
	}
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 of 3 documents kept (66.7 %)", "4 of 7 tokens", "&lt;script&gt;alert(1)&lt;/script&gt; four", ".attributes.dup", "five"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, want := range []string{"read</th>", "kept</th>"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the funnel has no row %q", want)
		}
	}
	if strings.Contains(page.String(), "<script>") {
		t.Error("a document's text became part of the page")
	}
	// Again, from the record: the same report.
	again, err := mix.Run(context.Background(), config)
	if err != nil || !again.AlreadyDone {
		t.Fatalf("second run: %v, already done: %v", err, again.AlreadyDone)
	}
	var same bytes.Buffer
	if err := again.WriteHTML(&same); err != nil || same.String() != page.String() {
		t.Errorf("another page from the record, error %v", err)
	}
	if _, err := os.Stat(filepath.Join("out", "s-0000.jsonl")); err != nil {
		t.Error(err)
	}
}
