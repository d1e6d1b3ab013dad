package quickstart

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/train"
)

// ownText writes count files of sentences of made-up words between real ones of a language.
func ownText(t *testing.T, code string, count, sentences int) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.FieldsFunc(articles[code], func(r rune) bool { return strings.ContainsRune(" ,.、。，", r) })
	between, end := " ", ". "
	if slices.Contains(unspaced, code) {
		between, end = "", "。"
	}
	for i := range count {
		var b strings.Builder
		for range sentences {
			for range 4 + r.IntN(6) {
				b.WriteString(words[r.IntN(len(words))] + between)
			}
			b.WriteString(end)
			if r.IntN(4) == 0 {
				b.WriteString("\n\n")
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.txt", i)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOwnText makes models of texts in other languages and sizes than the corpus of its own.
func TestOwnText(t *testing.T) {
	if testing.Short() {
		t.Skip("whole chains")
	}
	for _, c := range []struct {
		code      string
		count     int
		sentences int
	}{
		{"ja", 9, 120},
		{"tr", 1, 250}, // one file, shorter than the pieces of a long text
	} {
		t.Run(c.code, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "q")
			r, err := Run(t.Context(), Options{Out: out, Steps: 2, Depth: 1, Docs: []string{ownText(t, c.code, c.count, c.sentences)}, Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			if r.Corpus.Language != c.code || len(r.Corpus.Prompts) == 0 || len(r.Choices) != 0 {
				t.Errorf("language %s, prompts %q, multiple choice %v", r.Corpus.Language, r.Corpus.Prompts, r.Choices)
			}
			if kept := r.Funnel[len(r.Funnel)-1]; kept.Documents < int64(r.Corpus.Train.Documents)*3/4 {
				t.Errorf("%d of %d documents are left: %v", kept.Documents, r.Corpus.Train.Documents, r.removals())
			}
			card, err := os.ReadFile(filepath.Join(out, "release", "README.md"))
			if err != nil || !strings.Contains(string(card), "\nlanguage: "+c.code+"\n") {
				t.Errorf("the card does not name the language: %v\n%.200s", err, card)
			}
			report, err := os.ReadFile(filepath.Join(out, "report.md"))
			if err != nil || strings.Contains(string(report), "Package http") || strings.Contains(string(report), "arc_easy") || !strings.Contains(string(report), "olmo dashboard ") {
				t.Errorf("the report is not of this text: %v", err)
			}
		})
	}
}

// TestLonger has a finished run go on: it ends as one that was planned as long, and the
// shorter one is kept.
func TestLonger(t *testing.T) {
	if testing.Short() {
		t.Skip("whole chains")
	}
	docs, dir := ownText(t, "de", 10, 60), t.TempDir()
	out := filepath.Join(dir, "q")
	short, err := Run(t.Context(), Options{Out: out, Steps: 12, Depth: 1, Docs: []string{docs}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if short.Corpus.Language != "de" {
		t.Errorf("the language is %s", short.Corpus.Language)
	}
	// What is not given is the folder's.
	longer, err := Run(t.Context(), Options{Out: out, Steps: 24, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if longer.Corpus.Train.SHA256 != short.Corpus.Train.SHA256 || longer.Steps != 24 {
		t.Errorf("a longer run: %d steps of the text %s", longer.Steps, longer.Corpus.Train.SHA256)
	}
	if aside, err := train.Latest(filepath.Join(out, "earlier", "steps12", "run")); err != nil || filepath.Base(aside) != "step12" {
		t.Errorf("the shorter run is not kept: %s, %v", aside, err)
	}
	fresh, err := Run(t.Context(), Options{Out: filepath.Join(dir, "fresh"), Steps: 24, Depth: 1, Docs: []string{docs}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if longer.WeightsDigest != fresh.WeightsDigest || longer.BitsPerByte != fresh.BitsPerByte || len(fresh.HeldOutCurve) == 0 {
		t.Errorf("a longer run has the digest %s, one of as many steps %s; %d points of held-out loss", longer.WeightsDigest, fresh.WeightsDigest, len(fresh.HeldOutCurve))
	}
	if _, err := Run(t.Context(), Options{Out: out, Steps: 20}); err == nil || !strings.Contains(err.Error(), "--steps 20 is fewer than the 24") {
		t.Errorf("a shorter run in the same folder: %v", err)
	}
}

// A run that cannot go on is kept, finished or not, and it is said where.
func TestBeginAnew(t *testing.T) {
	t.Chdir(t.TempDir())
	told := ""
	q := &quick{Options: Options{Out: "q", Print: func(line string) { told = line }}}
	for _, c := range []struct {
		report bool
		want   string
	}{{false, "unfinished"}, {false, "unfinished-2"}, {true, "steps7"}} {
		err := writeJSON(q.path("run", "step5", "train.json"), "a run")
		if err == nil && c.report {
			err = writeJSON(q.path("report.json"), "its report")
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := q.beginAnew(7); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(q.path("run")); err == nil {
			t.Errorf("%s: the run is still there", c.want)
		}
		aside := filepath.Join("q", "earlier", c.want)
		if kept := filepath.Join(aside, "run", "step5", "train.json"); !fileExists(kept) || !strings.Contains(told, "in "+aside) {
			t.Errorf("no %s, told %q", kept, told)
		}
	}
}

// TestTooLittleText wants a word about what is missing, and nothing left behind.
func TestTooLittleText(t *testing.T) {
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "a.txt")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct{ name, docs, want string }{
		{"short", write("Der Hund schläft."), "the text has 18 bytes, and 8,192 is the least"},
		{"numbers", write(strings.Repeat("12 345 678 9\n", 2000)), "none of 18 documents is left (16 copy of another document, 2 most words without a letter)"},
		{"folder", t.TempDir(), "holds no files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "q")
			o := Options{Out: out, Steps: 2, Depth: 1, Docs: []string{c.docs}}
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a folder is left behind")
			}
			// A folder that was there stays, and what is in it.
			if err := os.MkdirAll(out, 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := Run(t.Context(), o); err == nil {
				t.Error("no error")
			}
			if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
				t.Errorf("%v is left in the folder, %v", left, err)
			}
		})
	}
}

// TestRemarks says in a sentence why a compressor is ahead.
func TestRemarks(t *testing.T) {
	bits := func(x float64) *float64 { return &x }
	q := &quick{Options: Options{Out: "my model", Minutes: 2}}
	of := func(r Report, p planned, text int64) string {
		r.SetCompressors([]Compressed{{"gzip -9", bits(2), nil}, {"xz -9e", bits(1.9), nil}})
		r.Corpus.HeldOut.Documents, r.HeldOutDocuments = 10, 3
		var e encoded
		e.Bytes, e.Tokens = text, text/4
		return strings.Join(q.remarks(&r, p, e), "\n")
	}
	large := CorpusInfo{HeldOut: SplitInfo{Bytes: 1e6}}
	for _, c := range []struct {
		r    Report
		p    planned
		text int64
		want string
	}{
		{Report{BitsPerByte: 1.5, Steps: 20}, planned{}, 1e7, ""},
		{Report{BitsPerByte: 1.95, Steps: 20}, planned{Few: "few"}, 1e7, "xz -9e predicts this text better than the model. It was trained for only 20 steps, which is what the time allowed: olmo quickstart --out 'my model' --steps 600 goes on from here."},
		{Report{BitsPerByte: 2.5, Steps: 200}, planned{}, 1e7, "gzip -9 and xz -9e predict this text better than the model. It was trained for only 200 steps: olmo quickstart --out 'my model' --steps 800 goes on from here."},
		{Report{BitsPerByte: 2.5, Steps: 1000, Tokens: 2e6, Corpus: large}, planned{}, 1e5, "gzip -9 and xz -9e predict this text better than the model. It has read its 100,000 bytes of text 80 times and learns them by heart: more text helps, not more steps."},
		{Report{BitsPerByte: 2.5, Steps: 1000, Tokens: 2e6, Corpus: large}, planned{Judge: limits{HeldOut: 3, NoOther: true}}, 1e7, "gzip -9 and xz -9e predict this text better than the model. After 1000 steps it is still learning: olmo quickstart --out 'my model' --steps 4000 goes on from here.\nTo keep to the time it was judged on the first 3 of 10 held-out documents and on no text of another kind."},
	} {
		if got := of(c.r, c.p, c.text); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// TestFit plans steps and judging for a fast machine and a slow one.
func TestFit(t *testing.T) {
	corpus := &CorpusInfo{Language: "en", OtherDomain: "opticks", HeldOut: SplitInfo{Documents: 260, Bytes: 734_000}}
	sizes := []int64{100_000}
	for range 259 {
		sizes = append(sizes, 634_000/259)
	}
	var e encoded
	e.Bytes, e.Tokens = 3_500_000, 1_000_000
	at := func(minutes, step float64) planned {
		q := &quick{Options: Options{Minutes: minutes, Depth: 2}, times: []StageTime{{"corpus", 10}}, began: time.Now()}
		var p planned
		p.fit(q, step, corpus, sizes, e)
		return p
	}
	if p := at(5, 0.2); p.Steps < 1200 || p.Few != "" || p.Judge != (limits{}) {
		t.Errorf("a fast machine: %+v", p)
	}
	p := at(2, 4)
	if p.Steps != leastSteps || !strings.HasPrefix(p.Few, "20 steps only: a step takes 4.0 s on this machine now") || !strings.Contains(p.Few, "--minutes ") {
		t.Errorf("a slow machine: %+v", p)
	}
	if !p.Judge.NoOther || p.Judge.HeldOut == 0 || p.Judge.HeldOut >= 260 || p.Judge.Choices < 40 || p.Judge.Choices >= questions {
		t.Errorf("a slow machine judges %+v", p.Judge)
	}
}
