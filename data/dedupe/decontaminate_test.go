package dedupe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
	"olmo/data/dedupe"
)

func decontamination() dedupe.Decontamination {
	d := dedupe.Decontamination{Documents: []string{"c/documents/*"}, Evaluations: []string{"evals/*"}, Execution: data.Execution{Processes: 2}}
	d.SetDefaults()
	return d
}

// The n-grams are those of datatrove's compute_hashes: of the label, across
// query and label, and of the query when asked for.
func TestDecontaminationNGrams(t *testing.T) {
	for _, c := range []struct {
		name           string
		query, overlap bool
		want           string // of the documents, which share a letter
	}{
		{"label", false, false, "fghi ghij"},
		{"overlap", false, true, "fghi ghij cdef defg efgh"},
		{"query", true, true, "fghi ghij abcd bcde cdef defg efgh"},
		{"query without overlap", true, false, "fghi ghij abcd bcde"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			const all = "abcdefghij"
			var texts, grams []string
			for i := range len(all) - 3 {
				gram := all[i : i+4]
				grams = append(grams, gram)
				texts = append(texts, "x "+strings.Join(strings.Split(gram, ""), ", ")+" y")
			}
			writeDocuments(t, "c/documents/a.jsonl", texts...)
			writeFile(t, "evals/e.jsonl", `{"query": "A B C D E", "label": "f g h i j"}`+"\n")
			d := decontamination()
			d.NGrams, d.FindQueryNGrams, d.FindOverlapNGrams = 4, c.query, c.overlap
			report, err := dedupe.Decontaminate(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			got := attributes(t, "c/attributes/contaminated/a.jsonl", "contaminated")
			for i, gram := range grams {
				want := "null"
				if strings.Contains(c.want, gram) {
					want = fmt.Sprintf("[[2,12,%v]]", 1/float64(len(strings.Fields(c.want))))
				}
				if got[i] != want {
					t.Errorf("%s: %s, want %s", gram, got[i], want)
				}
			}
			if n := len(strings.Fields(c.want)); report.Contaminated != int64(n) || report.Matches[0].Documents != n {
				t.Errorf("%d documents with a match, want %d", report.Contaminated, n)
			}
		})
	}
}

// The attributes and the report do not depend on the number of workers.
func TestDecontaminationDeterministic(t *testing.T) {
	t.Chdir(t.TempDir())
	rng := rand.New(rand.NewPCG(2, 8))
	var evals strings.Builder
	var questions []string
	for i := range 200 {
		q, a := strings.Join(text(rng, 10+rng.IntN(20)), " "), strings.Join(text(rng, rng.IntN(10)), " ")
		fmt.Fprintf(&evals, `{"id": %d, "task": "t%d", "question": %q, "answer": %q}`+"\n", i, i%3, q, a+" end")
		questions = append(questions, q+" "+a+" end")
	}
	writeFile(t, "evals/e.jsonl", evals.String())
	for f := range 3 {
		var texts []string
		for range 300 {
			words := text(rng, 400)
			if rng.IntN(4) == 0 {
				words = append(words, questions[rng.IntN(len(questions))])
			}
			texts = append(texts, strings.Join(append(words, text(rng, 200)...), " "))
		}
		writeDocuments(t, fmt.Sprintf("c/documents/%d.jsonl", f), texts...)
	}
	var want dedupe.Contamination
	var wantRows string
	for i, processes := range []int{1, 4} {
		d := decontamination()
		d.Processes = processes
		report, err := dedupe.Decontaminate(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		rows := attributeFiles(t, "contaminated")
		if i == 0 {
			want, wantRows = report, rows
			if report.Found < 50 || len(report.Tasks) != 3 {
				t.Fatalf("found %d instances of %d tasks", report.Found, len(report.Tasks))
			}
			if err := os.RemoveAll("c/attributes"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, report); diff != "" {
			t.Errorf("another report with %d workers:\n%s", processes, diff)
		}
		if rows != wantRows {
			t.Errorf("other attributes with %d workers", processes)
		}
	}
}

func ExampleDecontaminate() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for path, text := range map[string]string{
		"documents/a.jsonl": `{"id": "1", "text": "Q: How many legs has a spider? It has eight legs."}` + "\n",
		"evals/quiz.jsonl":  `{"question": "How many legs has a spider?", "answer": "It has eight."}` + "\n",
	} {
		if err := os.MkdirAll(dir+"/"+strings.Split(path, "/")[0], 0o777); err != nil {
			panic(err)
		}
		if err := os.WriteFile(dir+"/"+path, []byte(text), 0o666); err != nil {
			panic(err)
		}
	}
	d := dedupe.Decontamination{Documents: []string{dir + "/documents/*"}, Evaluations: []string{dir + "/evals/*"}}
	d.SetDefaults()
	d.NGrams = 5
	report, err := dedupe.Decontaminate(context.Background(), d)
	if err != nil {
		panic(err)
	}
	m := report.Matches[0]
	fmt.Printf("%s %s: %.0f %%, %q\n", m.Task, m.Instance, 100*m.Share, m.Places[0].Text)
	// Output: quiz 1: 100 %, "legs has a spider? It has eight"
}

// What is found depends on documents and instances, whatever their times.
func TestDecontaminateAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	const sentence = "the quick brown fox jumps over the lazy dog and then it sleeps for days"
	writeDocuments(t, "c/documents/a.jsonl", "Once "+sentence+".", "nothing")
	writeFile(t, "evals/e.jsonl", `{"text":"`+sentence+`"}`+"\n")
	d := dedupe.Decontamination{Documents: []string{"c/documents/*"}, Evaluations: []string{"evals/*"}}
	d.SetDefaults()
	check := func(what string, done bool, found int) {
		t.Helper()
		report, err := dedupe.Decontaminate(context.Background(), d)
		if err != nil || report.AlreadyDone != done || report.Found != found || report.Documents != 2 {
			t.Errorf("%s: %+v, %v, want done %v and %d found", what, report, err, done, found)
		}
	}
	check("first", false, 1)
	check("again", true, 1)
	later := time.Now().Add(time.Hour)
	for _, f := range []string{"c/documents/a.jsonl", "evals/e.jsonl"} {
		if err := os.Chtimes(f, later, later); err != nil {
			t.Fatal(err)
		}
	}
	check("touched", true, 1)
	writeFile(t, "evals/e.jsonl", `{"text":"`+strings.Repeat("other words ", 12)+`"}`+"\n")
	check("other instances", false, 0)
	before, err := os.ReadFile("c/attributes/contaminated/a.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, "c/documents/a.jsonl", "{}\n")
	for range 2 {
		if _, err := dedupe.Decontaminate(context.Background(), d); err == nil || !strings.Contains(err.Error(), "a.jsonl:1") {
			t.Errorf("bad lines only: %v", err)
		}
		if now, err := os.ReadFile("c/attributes/contaminated/a.jsonl"); err != nil || string(now) != string(before) {
			t.Errorf("bad lines only: the attributes are %q, %v", now, err)
		}
	}
}
