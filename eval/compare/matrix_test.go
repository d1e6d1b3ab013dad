package compare

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/eval/record"
	"olmo/page/pagetest"
)

// TestMatrix: values, intervals, and which are the best as far as one can tell.
func TestMatrix(t *testing.T) {
	alike := strings.Replace(rightB, "0", "1", 1)
	runs := []*record.Run{
		folder{model: "/models/one", values: sample(rightA, 0)}.write(t),
		folder{model: "two", values: sample(rightB, 0)}.write(t),
		folder{model: "two", values: sample(alike, 0.1)}.write(t),
	}
	m, err := NewMatrix(runs, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"one", "two (" + runs[1].Path + ")", "two (" + runs[2].Path + ")"}; !slices.Equal(m.Labels(), want) {
		t.Errorf("labels %v, want %v", m.Labels(), want)
	}
	rows := map[string]MatrixRow{}
	for _, r := range m.Rows {
		rows[r.Metric] = r
	}
	if len(m.Rows) != 4 || m.Rows[0].Metric != "acc" || !m.Rows[0].Quoted || m.Rows[1].Quoted {
		t.Fatalf("rows %+v", m.Rows)
	}
	for metric, want := range map[string][]bool{"acc": {false, true, true}, "loss": {true, true, false}, "perplexity": {true, true, false}} {
		for i, c := range rows[metric].Cells {
			if c.Best != want[i] {
				t.Errorf("%s of run %d: best %v, want %v", metric, i, c.Best, want[i])
			}
		}
	}
	// Wilson's of 20 of 40 by statsmodels; the perplexity by the delta method is within a few percent.
	c := rows["acc"].Cells[0]
	if math.Abs(c.Value-0.5) > 1e-15 || math.Abs(c.Interval[0]-0.3519953) > 1e-6 || math.Abs(c.Interval[1]-0.6480047) > 1e-6 {
		t.Errorf("accuracy %+v, interval %v", c, *c.Interval)
	}
	p, l := rows["perplexity"].Cells[0], rows["loss"].Cells[0]
	if want := math.Exp(l.Value) * *l.StdErr; math.Abs(*p.StdErr-want) > 0.05*want {
		t.Errorf("standard error of the perplexity %g, want about %g", *p.StdErr, want)
	}
	var b bytes.Buffer
	if err := m.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	if lines, err := csv.NewReader(&b).ReadAll(); err != nil || len(lines) != 1+4*3 || lines[1][0] != "t" || lines[1][7] != "0.5" {
		t.Errorf("CSV %v (%v)", lines, err)
	}
	d := m.Details[0]
	if d.Of != 40 || d.Differ != 11 || len(d.Documents) != 5 {
		t.Errorf("%d of %d documents differ, %d are shown", d.Differ, d.Of, len(d.Documents))
	}
}

// TestMatrixApart: runs of other documents have no best, and the row says why.
func TestMatrixApart(t *testing.T) {
	runs := []*record.Run{
		folder{values: sample("01101", 0), boundary: "apart"}.write(t),
		folder{values: sample("11111", 0), from: 1, boundary: "together", prompt: "What is %d?"}.write(t),
		folder{values: sample("1", 0), task: "u"}.write(t),
	}
	m, err := NewMatrix(runs, 5)
	if err != nil {
		t.Fatal(err)
	}
	r := m.Rows[0]
	if want := []string{"other documents", "other prompts", "encoded apart and together"}; !slices.Equal(r.Apart, want) {
		t.Errorf("apart: %v, want %v", r.Apart, want)
	}
	if r.Cells[0].Best || r.Cells[1].Best || r.Cells[2] != nil {
		t.Errorf("cells %+v", r.Cells)
	}
}

// hostile is a text that would be markup, script and style if a page took it for one.
const hostile = `</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'"><style>body{display:none}</style>"'&amp;{{.}} ` + "\u202e\x00"

// TestPage: texts of tasks and models are text; the page is that of the house, and a figure
// leads to its documents.
func TestPage(t *testing.T) {
	long := strings.Repeat("A long prompt with many words in it. ", 40)
	var runs []*record.Run
	for i, right := range []string{rightA, rightB} {
		r := folder{model: fmt.Sprintf("model %d %s", i, hostile), values: sample(right, 0.2*float64(i)), prompt: strings.ReplaceAll(hostile, "%", "%%") + long + "Question %d?"}.write(t)
		h := quoted(hostile)
		text := fmt.Sprintf(`{"doc_id":0,"id":%[1]s,"doc_hash":"h","choice":0,"context":%[1]s,"response":%[2]s,"targets":[%[1]s],"filtered":{%[1]s:%[1]s},"scores":{"exact_match,strict":%[3]d}}`, h, quoted(hostile+long), i)
		results := fmt.Sprintf(`{"results":{"t":{"chance":0.5},"texts":{}},"model_name":%s}`, quoted(fmt.Sprintf("model %d %s", i, hostile)))
		for name, content := range map[string]string{"results.json": results, "requests-texts.jsonl": text} {
			if err := os.WriteFile(filepath.Join(r.Path, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		again, err := record.Open(r.Path)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, again)
	}
	m, err := NewMatrix(runs, 3)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := m.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, markup := range []string{"<script", "<img", "<style>body", "http:", "https:", "onerror=\""} {
		if strings.Contains(text, markup) {
			t.Errorf("the page has %q", markup)
		}
	}
	if !strings.Contains(text, `href="#t0"`) || !strings.Contains(text, `id="t0"`) || !strings.Contains(text, "1 of 1 documents differ in <bdi>exact_match,strict</bdi>") {
		t.Error("a figure does not lead to its documents")
	}
	pagetest.LookAt(t, "compare", []byte(strings.ReplaceAll(text, "<details>", "<details open>")))
	path := filepath.Join(t.TempDir(), "compare.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	browser := pagetest.Open(t)
	browser.Go("file://"+path, "true")
	browser.Eval(`document.querySelector('a[href="#t1"]').click()`)
	browser.Until(`document.getElementById("t1").closest("details").open && !document.getElementById("t0").closest("details").open`)
	if title := browser.Eval("document.title"); title != "Models compared · olmo" {
		t.Errorf("the title is %v", title)
	}
}
