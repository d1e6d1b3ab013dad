package dedupe_test

import (
	"context"
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

func minHash(edit func(*dedupe.MinHash)) dedupe.Config {
	m := &dedupe.MinHash{AttributeName: "near"}
	m.SetDefaults()
	if edit != nil {
		edit(m)
	}
	return dedupe.Config{Documents: []string{"c/documents/*"}, Dedupe: dedupe.Settings{MinHash: m}, Execution: data.Execution{Processes: 2}}
}

// text is n random words.
func text(rng *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("word%c%c", 'a'+rng.IntN(26), 'a'+rng.IntN(26))
	}
	return out
}

// What differs in a few words, in case, accents, numbers or punctuation is
// marked; what is different is not; short texts count as a whole.
func TestMinHash(t *testing.T) {
	t.Chdir(t.TempDir())
	rng := rand.New(rand.NewPCG(7, 7))
	base := text(rng, 200)
	edited := slices.Clone(base)
	edited[50], edited[120] = "another", "change"
	half := append(slices.Clone(base[:100]), text(rng, 100)...)
	writeDocuments(t, "c/documents/a.jsonl",
		strings.Join(base, " "),
		strings.Join(text(rng, 200), " "),
		strings.Join(half, " "),
		"A short text.", "", "été 12", "...")
	writeDocuments(t, "c/documents/b.jsonl",
		strings.Join(edited, " "),
		strings.ToUpper(strings.Join(base, ", ")),
		"a SHORT text", "another short text", "", "ÉTÉ 7,000!", "!!!")
	report, err := dedupe.Run(context.Background(), minHash(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := attributes(t, "c/attributes/near/a.jsonl", "near"); slices.ContainsFunc(got, func(v string) bool { return v != "null" }) {
		t.Errorf("first file: %v, want no marks", got)
	}
	n := func(s string) string { return fmt.Sprintf("[[0,%d,1]]", len(s)) }
	want := []string{n(strings.Join(edited, " ")), n(strings.Join(base, ", ")), "[[0,12,1]]", "null", "null", "[[0,10,1]]", "null"}
	if got := attributes(t, "c/attributes/near/b.jsonl", "near"); !slices.Equal(got, want) {
		t.Errorf("second file: %v, want %v", got, want)
	}
	if report.Documents != 14 || report.Duplicates != 4 {
		t.Errorf("report %+v", report)
	}
}

// The share of pairs that meet follows 1 − (1 − s^r)^b.
func TestMinHashThreshold(t *testing.T) {
	t.Chdir(t.TempDir())
	rng := rand.New(rand.NewPCG(1, 9))
	const pairs = 60
	for _, c := range []struct {
		same        int // of 400 words, at the start
		least, most int // pairs that are found
	}{
		{390, pairs, pairs},             // s 0.95: 0.9999…
		{200, 0, 4},                     // s 0.33: 0.002
		{328, pairs / 4, pairs * 3 / 4}, // s 0.69: 0.5
	} {
		var texts []string
		for range pairs {
			a := text(rng, 400)
			texts = append(texts, strings.Join(a, " "), strings.Join(append(slices.Clone(a[:c.same]), text(rng, 400-c.same)...), " "))
		}
		writeDocuments(t, "c/documents/a.jsonl", texts...)
		report, err := dedupe.Run(context.Background(), minHash(nil))
		if err != nil {
			t.Fatal(err)
		}
		if n := int(report.Duplicates); n < c.least || n > c.most {
			t.Errorf("%d of 400 words shared: %d of %d pairs found, want %d to %d", c.same, n, pairs, c.least, c.most)
		}
	}
}

// Attributes depend neither on the number of workers nor on that of passes.
func TestMinHashDeterministic(t *testing.T) {
	t.Chdir(t.TempDir())
	corpus(t)
	var first []byte
	for _, c := range []struct{ workers, passes int }{{1, 1}, {3, 1}, {2, 4}, {2, 14}} {
		cfg := minHash(func(m *dedupe.MinHash) { m.Passes = c.passes })
		cfg.Processes = c.workers
		if err := os.RemoveAll("c/attributes"); err != nil {
			t.Fatal(err)
		}
		report, err := dedupe.Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if report.Duplicates == 0 {
			t.Error("nothing was found")
		}
		var all []byte
		files, err := filepath.Glob("c/attributes/near/*")
		if err != nil || len(files) != 4 {
			t.Fatalf("files %v, %v", files, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		if first == nil {
			first = all
		} else if string(all) != string(first) {
			t.Errorf("%+v: other attributes", c)
		}
		if again, err := dedupe.Run(context.Background(), cfg); err != nil || !again.AlreadyDone || again.Duplicates != report.Duplicates {
			t.Errorf("again: %+v, %v", again, err)
		}
	}
}

// However the buckets are cut into passes, each is looked at once: pairs that meet
// in one of them only are found too.
func TestMinHashPassesThatDoNotDivide(t *testing.T) {
	t.Chdir(t.TempDir())
	rng := rand.New(rand.NewPCG(3, 9))
	var texts []string
	for range 80 {
		a := text(rng, 400)
		texts = append(texts, strings.Join(a, " "), strings.Join(append(slices.Clone(a[:328]), text(rng, 72)...), " "))
	}
	writeDocuments(t, "c/documents/a.jsonl", texts...)
	var want []string
	for _, passes := range []int{1, 3, 4, 5, 9, 13} {
		report, err := dedupe.Run(context.Background(), minHash(func(m *dedupe.MinHash) { m.Passes = passes }))
		if err != nil || report.Passes != passes {
			t.Fatalf("%+v, %v", report, err)
		}
		got := attributes(t, "c/attributes/near/a.jsonl", "near")
		if want == nil {
			if want = got; report.Duplicates < 20 || report.Duplicates > 60 {
				t.Fatalf("%d of 80 pairs meet: nothing to compare", report.Duplicates)
			}
		} else if !slices.Equal(got, want) {
			t.Errorf("%d passes find other pairs than one", passes)
		}
	}
}

func TestMinHashErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "a")
	for _, edit := range []func(*dedupe.MinHash){
		func(m *dedupe.MinHash) { m.AttributeName = "" },
		func(m *dedupe.MinHash) { m.NgramLength = 0 },
		func(m *dedupe.MinHash) { m.Buckets = 1 << 20 },
		func(m *dedupe.MinHash) { m.Passes = 15 },
	} {
		if _, err := dedupe.Run(context.Background(), minHash(edit)); err == nil {
			t.Error("no error")
		}
	}
}
