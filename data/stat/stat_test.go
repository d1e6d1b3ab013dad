package stat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/stagetest"
	"olmo/data/stat"
)

func writeRows(t *testing.T, name string, rows ...string) string {
	t.Helper()
	w, err := data.CreateWriter(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		io.WriteString(w, r+"\n")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := writeRows(t, filepath.Join(dir, "attributes/x/a.jsonl.gz"),
		`{"id":"1","attributes":{"x__x__len":[[0,4,4.0]],"x__x__empty":[]},"source":""}`,
		`not a row`,
		`{"id":"2","attributes":{"x__x__len":[[0,4,4.0],[4,6,0.5]],"y__label__en":[[0,1,1.00002]]},"source":""}`)
	for _, workers := range []int{1, 4} {
		got, err := stat.Run(context.Background(), stat.Config{Attributes: []string{file}, Bins: 100, Report: dir, Execution: data.Execution{Processes: workers}})
		if err != nil {
			t.Fatal(err)
		}
		want := []stat.Summary{
			{Name: "x__x__len/score", Counts: []int64{1, 2}, Bins: []float64{0.5, 4, 4.00008}, Total: 3, Sum: 8.5},
			{Name: "x__x__len/length", Counts: []int64{1, 2}, Bins: []float64{2, 4, 4.00008}, Total: 3, Sum: 10},
			{Name: "x__x__empty/score", Counts: []int64{1}, Bins: []float64{0, 1e-5}, Total: 1},
			{Name: "x__x__empty/length", Counts: []int64{1}, Bins: []float64{0, 1e-5}, Total: 1},
			{Name: "y__label__en/score", Counts: []int64{1}, Bins: []float64{1, 1.00002}, Total: 1, Sum: 1},
			{Name: "y__label__en/length", Counts: []int64{1}, Bins: []float64{1, 1.00002}, Total: 1, Sum: 1},
		}
		compare(t, got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "summaries.jsonl.gz")); err != nil {
		t.Error(err)
	}
	if _, err := stat.Run(context.Background(), stat.Config{Attributes: []string{file}, Bins: 100, Execution: data.Execution{Strict: true}}); err == nil {
		t.Error("a bad row passed with Strict")
	}
	none := filepath.Join(dir, "none*")
	if _, err := stat.Run(context.Background(), stat.Config{Attributes: []string{none}, Bins: 100}); err == nil || err.Error() != "no attribute files match "+none {
		t.Errorf("no files: %v", err)
	}
	// One pattern of several that matches nothing is told of, and no error.
	var told []string
	log := data.Execution{Log: func(m string) { told = append(told, m) }}
	if _, err := stat.Run(context.Background(), stat.Config{Attributes: []string{file, none}, Bins: 100, Execution: log}); err != nil || !slices.Contains(told, "warning: no attribute files match "+none) {
		t.Errorf("a pattern without files: %v, told %q", err, told)
	}
}

// What cannot be read is told of; without anything else the run fails, and the
// report of an earlier one stays.
func TestBadRows(t *testing.T) {
	t.Chdir(t.TempDir())
	file := writeRows(t, "attributes/x/a.jsonl", `{"id":"1","attributes":{"x":[[0,4,4.0]]},"source":""}`, `not a row`)
	cfg := stat.Config{Attributes: []string{"attributes/x/*"}, Bins: 10, Report: "report"}
	if _, err := stat.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	rejects, err := filepath.Glob("attributes/x/rejects/stat/*")
	if err != nil || len(rejects) != 1 {
		t.Errorf("the rejects are in %q, %v", rejects, err)
	}
	before := stagetest.Tree(t, "report")
	for name, change := range map[string]func(c *stat.Config){
		"not a row":              func(*stat.Config) { writeRows(t, file, `not a row`) },
		"no attribute was found": func(c *stat.Config) { writeRows(t, file, ``) },
		"summaries.jsonl.gz":     func(c *stat.Config) { c.Attributes = []string{"report/*"} },
	} {
		cfg := cfg
		change(&cfg)
		if _, err := stat.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want an error with %q", err, name)
		}
		if got := stagetest.Tree(t, "report"); !reflect.DeepEqual(got, before) {
			t.Errorf("%s: the report is %q", name, got)
		}
	}
}

// More values than bins are put into bins of equal width.
func TestBins(t *testing.T) {
	dir := t.TempDir()
	var rows []string
	for i := range 100 {
		rows = append(rows, fmt.Sprintf(`{"id":"%d","attributes":{"a":[[0,1,%d]]},"source":""}`, i, i+1))
	}
	file := writeRows(t, filepath.Join(dir, "a.jsonl"), rows...)
	got, err := stat.Run(context.Background(), stat.Config{Attributes: []string{file}, Bins: 9})
	if err != nil {
		t.Fatal(err)
	}
	// 45, 67 and 78 fall below their edges: the tracker keeps five digits.
	compare(t, got[:1], []stat.Summary{{
		Name: "a/score", Counts: []int64{11, 11, 11, 12, 10, 12, 11, 11, 11},
		Bins: []float64{1, 12, 23, 34, 45, 56, 67, 78, 89, 100}, Total: 100, Sum: 5050,
	}})
}

func compare(t *testing.T, got, want []stat.Summary) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d summaries, want %d", len(got), len(want))
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }
	for i, w := range want {
		g := got[i]
		ok := g.Name == w.Name && g.Total == w.Total && near(g.Sum, w.Sum) && len(g.Counts) == len(w.Counts) && len(g.Bins) == len(w.Bins)
		for j := 0; ok && j < len(w.Counts); j++ {
			ok = g.Counts[j] == w.Counts[j]
		}
		for j := 0; ok && j < len(w.Bins); j++ {
			ok = near(g.Bins[j], w.Bins[j])
		}
		if !ok {
			t.Errorf("got  %+v\nwant %+v", g, w)
		}
	}
}

// The reports of Dolma 1.2.1.
func TestGolden(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: no reports of Dolma to compare with")
	}
	root = filepath.Join(root, "data")
	for _, c := range []struct {
		name, attributes, regex string
		bins                    int
	}{
		{"stat_gopher", "gopher_v2", "", 50},
		{"stat_pii", "pii_regex_v2", "ADDRESS|doc", 1000},
	} {
		got, err := stat.Run(context.Background(), stat.Config{
			Attributes: []string{filepath.Join(root, "in/attributes", c.attributes, "*.gz")},
			Bins:       c.bins, Regex: c.regex, Execution: data.Execution{Processes: 2, Compat: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		byName := map[string]stat.Summary{}
		for _, s := range got {
			byName[s.Name] = s
		}
		r, err := data.OpenReader(filepath.Join(root, "out", c.name, "summaries.jsonl.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		n := 0
		for {
			line, err := r.NextLine()
			if err == io.EOF {
				break
			}
			var want stat.Summary
			if err := json.Unmarshal(line.Bytes, &want); err != nil {
				t.Fatal(err)
			}
			compare(t, []stat.Summary{byName[want.Name]}, []stat.Summary{want})
			n++
		}
		if n != len(got) || n == 0 {
			t.Errorf("%s: %d summaries, want %d", c.name, len(got), n)
		}
	}
}

// The number of bins may be one, not less.
func TestFewBins(t *testing.T) {
	file := writeRows(t, filepath.Join(t.TempDir(), "a.jsonl"), `{"id":"1","attributes":{"a":[[0,1,2],[1,2,4]]},"source":""}`)
	got, err := stat.Run(context.Background(), stat.Config{Attributes: []string{file}, Bins: 1})
	if err != nil || len(got[0].Counts) != 1 || got[0].Counts[0] != 2 {
		t.Errorf("one bin: %+v, %v", got, err)
	}
	for _, n := range []int{0, -1} {
		if _, err := stat.Run(context.Background(), stat.Config{Attributes: []string{file}, Bins: n}); err == nil || !strings.Contains(err.Error(), "bins are too few") {
			t.Errorf("%d bins: %v", n, err)
		}
	}
	if _, err := stat.Run(context.Background(), stat.Config{Attributes: []string{file}, Bins: 1, Regex: "("}); err == nil || !strings.Contains(err.Error(), "regex") {
		t.Errorf("a bad pattern: %v", err)
	}
}

func TestQuantile(t *testing.T) {
	s := stat.Summary{Bins: []float64{0, 1, 2, 4}, Counts: []int64{2, 0, 2}, Total: 4, Sum: 8}
	for q, want := range map[float64]float64{0: 0, 0.25: 0.5, 0.5: 1, 0.75: 3, 1: 4} {
		if got := s.Quantile(q); got != want {
			t.Errorf("Quantile(%g) = %g, want %g", q, got, want)
		}
	}
	if s.Mean() != 2 {
		t.Errorf("mean %g", s.Mean())
	}
	if q := (stat.Summary{Bins: []float64{0}}).Quantile(0.5); q == q {
		t.Errorf("%g without values", q)
	}
}

// Bins of equal width, whose ends hold what lies far out.
func TestSpread(t *testing.T) {
	s := stat.Summary{Bins: []float64{-1000}}
	for i := range 200 {
		s.Bins, s.Counts = append(s.Bins, float64(i)), append(s.Counts, 1)
	}
	s.Bins, s.Counts = append(s.Bins, 1e6), append(s.Counts, 1)
	got := s.Spread(10)
	var all int64
	for _, c := range got.Counts {
		all += c
	}
	if len(got.Counts) != 10 || all != 201 || got.Bins[0] != -1000 || got.Bins[10] != 1e6 || got.Bins[5]-got.Bins[4] < 19 || got.Bins[5]-got.Bins[4] > 21 {
		t.Errorf("%v %v", got.Bins, got.Counts)
	}
	if few := (stat.Summary{Bins: []float64{0, 1, 5}, Counts: []int64{3, 4}}).Spread(10); len(few.Counts) != 2 {
		t.Errorf("%v", few)
	}
	flat := stat.Summary{Bins: make([]float64, 21), Counts: make([]int64, 20)} // one value in many bins
	flat.Counts[3] = 5
	if got := flat.Spread(5); got.Bins[len(got.Bins)-1] != 0 {
		t.Errorf("%v", got)
	}
}
