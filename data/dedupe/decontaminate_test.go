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

// The query and the right answer are found in the forms in which evaluation sets keep
// them, and what is no instance is told with its line.
func TestInstances(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "nothing of them")
	instances := func(text string) (dedupe.Contamination, error) {
		t.Helper()
		writeFile(t, "evals/quiz.test.jsonl", text+"\n")
		// The corpus holds each answer whole, after the same words.
		d := decontamination()
		d.NGrams, d.FindOverlapNGrams = 2, false
		return dedupe.Decontaminate(context.Background(), d)
	}
	for _, c := range []struct{ name, row, query, label, instance, task string }{
		{"names", `{"query":"q","label":"right answer","id":"x7","task":"arc"}`, "q", "right answer", "x7", "arc"},
		{"the first of the names counts", `{"question":"q","query":"first","answer":"no","label":"right answer"}`, "first", "right answer", "1", "quiz"},
		{"a number chooses", `{"question":"q","label":1,"choices":["wrong one","right answer"],"doc_id":5}`, "q", "right answer", "5", "quiz"},
		{"number 0 chooses", `{"question":"q","label":0,"choices":["right answer","wrong one"]}`, "q", "right answer", "1", "quiz"},
		{"a letter chooses", `{"question":"q","answer":"B","options":["wrong one","right answer"],"idx":9}`, "q", "right answer", "9", "quiz"},
		{"letter A chooses", `{"question":"q","answer":"A","options":["right answer","wrong one"]}`, "q", "right answer", "1", "quiz"},
		{"ARC's choices", `{"question":"q","answer":"A","choices":{"text":["right answer","x"],"label":["A","B"]}}`, "q", "right answer", "1", "quiz"},
		{"endings", `{"prompt":"q","label":1,"endings":["x","right answer"]}`, "q", "right answer", "1", "quiz"},
		{"a list of answers", `{"question":"q","answers":["right answer","another one"]}`, "q", "right answer", "1", "quiz"},
		{"text alone", `{"text":"right answer"}`, "", "right answer", "1", "quiz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			writeDocuments(t, "c/documents/a.jsonl", "It is the right answer, I think", "a wrong one")
			report, err := instances(c.row)
			if err != nil || report.Instances != 1 || len(report.Matches) != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
			m := report.Matches[0]
			if m.Query != c.query || m.Label != c.label || m.Instance != c.instance || m.Task != c.task || m.Share != 1 || m.Documents != 1 {
				t.Errorf("found %+v, want %q, %q, %s of %s", m, c.query, c.label, c.instance, c.task)
			}
			p := m.Places[0]
			if p.Text != "right answer" || p.Before != "It is the " || p.After != ", I think" || p.Document != "0" || p.Start != 10 || p.End != 22 || !strings.HasSuffix(p.File, "a.jsonl") {
				t.Errorf("found at %+v", p)
			}
		})
	}
	// A label beside the choices is itself, one too short has no n-gram, and a wrong
	// continuation is no instance.
	report, err := instances(`{"query":"q","label":7,"choices":["a b","c d"]}
{"query":"q","label":1.5,"choices":["a b","c d"]}
{"query":"q","label":"Z","choices":["a b","c d"]}
{"query":"q","label":2,"choices":["a b",3]}
{"query":"q","label":"a b","gold":false}
{"query":"q","label":"a b","gold":true}`)
	if err != nil || report.Instances != 5 || report.TooShort != 4 || report.Found != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	for row, want := range map[string]string{
		`{"id":1}`: "quiz.test.jsonl:1: (byte 0): there is neither a query",
		`{`:        "quiz.test.jsonl:1:",
		``:         "there are no evaluation instances",
	} {
		if _, err := instances(row); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", row, err, want)
		}
	}
}

// An instance of which a document holds less than min_share is left out.
func TestMinShare(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "one two three and more", "one two three four five")
	writeFile(t, "evals/e.jsonl", `{"label":"one two three four five"}`+"\n")
	for share, want := range map[float64]int64{0: 2, 0.5: 2, 0.51: 1, 1: 1} {
		d := decontamination()
		d.NGrams, d.MinShare = 2, share // two and four of the four pairs
		report, err := dedupe.Decontaminate(context.Background(), d)
		if err != nil || report.Contaminated != want {
			t.Errorf("at %g: %d documents, %v, want %d", share, report.Contaminated, err, want)
		}
	}
}

func TestDecontaminationErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "one two")
	writeFile(t, "evals/e.jsonl", `{"label":"one two"}`+"\n")
	for want, edit := range map[string]func(*dedupe.Decontamination){
		"no documents are named":            func(d *dedupe.Decontamination) { d.Documents = nil },
		"no evaluation instances are named": func(d *dedupe.Decontamination) { d.Evaluations = nil },
		"n_grams is 1, want 2 or more":      func(d *dedupe.Decontamination) { d.NGrams = 1 },
		"attribute_name is not set":         func(d *dedupe.Decontamination) { d.AttributeName = "" },
		"min_share is -0.1, want a share":   func(d *dedupe.Decontamination) { d.MinShare = -0.1 },
		"min_share is 1.1, want a share":    func(d *dedupe.Decontamination) { d.MinShare = 1.1 },
		"nothing matches c/documents/none*": func(d *dedupe.Decontamination) { d.Documents = []string{"c/documents/none*"} },
	} {
		d := decontamination()
		edit(&d)
		if _, err := dedupe.Decontaminate(context.Background(), d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	d := decontamination()
	d.NGrams, d.MinShare = 2, 1
	if _, err := dedupe.Decontaminate(context.Background(), d); err != nil {
		t.Errorf("the smallest n-grams and the whole share: %v", err)
	}
}

// The page names what was found, where, and how much of it, and escapes the texts.
func TestWriteHTML(t *testing.T) {
	c := dedupe.Contamination{
		Documents: 40, Contaminated: 10, Instances: 8, Found: 2, NGrams: 12,
		Tasks: []dedupe.TaskFound{{Task: "arc", Instances: 8, Found: 2}},
		Matches: []dedupe.Match{{Task: "arc", Instance: "i7", Query: "<b>q", Label: "right", Documents: 3, Share: 0.75, Places: []dedupe.MatchedPlace{
			{File: "a.jsonl", Document: "d1", Share: 0.75, Text: "the piece", Before: "before ", After: " after"},
		}}},
	}
	var page strings.Builder
	if err := c.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"25.0 %", "75 %", "arc", "i7", "&lt;b&gt;q", "a.jsonl", "the piece"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if err := (&dedupe.Contamination{}).WriteHTML(&page); err != nil {
		t.Errorf("an empty report: %v", err)
	}
}
