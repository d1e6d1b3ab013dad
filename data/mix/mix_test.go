package mix_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
	"olmo/data/mix"
)

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func number(f float64) *float64 { return &f }

// plain makes a stream of c/documents/a.jsonl whose output is not compressed.
func plain(edit func(*mix.Stream)) mix.Stream {
	none := ""
	s := mix.Stream{Name: "s", Documents: []string{"c/documents/a.jsonl"}, Compression: mix.Compression{Output: &none}}
	s.SetDefaults()
	s.Output.Path = "out"
	if edit != nil {
		edit(&s)
	}
	return s
}

func keepAll(s *mix.Stream) { s.Filter = &mix.Filter{Include: []string{"$.id"}} }

func run(t testing.TB, compat bool, s mix.Stream) (mix.Report, error) {
	t.Helper()
	return mix.Run(context.Background(), mix.Config{Streams: []mix.Stream{s}, Shuffle: true, Execution: data.Execution{Compat: compat}})
}

func mustRun(t testing.TB, compat bool, s mix.Stream) mix.StreamReport {
	t.Helper()
	report, err := run(t, compat, s)
	if err != nil {
		t.Fatal(err)
	}
	return report.Streams[0]
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The row that comes out: keys sorted, attributes merged, fields discarded,
// provenance added.
func TestRow(t *testing.T) {
	for _, c := range []struct{ name, row, want string }{
		{
			"everything",
			`{"text": "t", "id": "1", "zz": [1, 2.50], "metadata": {"x": 1, "provenance": "old", "a": {"b": null}}, "drop": 1, "attributes": {"own": [[0,1,1]], "dup": 5}}`,
			`{"attributes":{"dup":[[0,1,0.5]],"other":[],"own":[[0,1,1]]},"id":"1","metadata":{"a":{"b": null},"provenance":"a.jsonl:1","x":1},"text":"t","zz":[1, 2.50]}`,
		},
		{"no metadata", `{"id": "1", "text": "ä\n"}`, `{"attributes":{"dup":[[0,1,0.5]],"other":[]},"id":"1","metadata":{"provenance":"a.jsonl:1"},"text":"ä\n"}`},
		{"metadata no object", `{"id": "1", "metadata": 3, "text": ""}`, `{"attributes":{"dup":[[0,1,0.5]],"other":[]},"id":"1","metadata":{"metadata":3,"provenance":"a.jsonl:1"},"text":""}`},
		{"attributes no object", `{"attributes": null, "id": "1", "text": ""}`, `{"attributes":{"dup":[[0,1,0.5]],"other":[]},"id":"1","metadata":{"provenance":"a.jsonl:1"},"text":""}`},
		{"a key twice", `{"id": "0", "id": "1", "text": "a", "k": 1, "k": 2}`, `{"attributes":{"dup":[[0,1,0.5]],"other":[]},"id":"1","k":2,"metadata":{"provenance":"a.jsonl:1"},"text":"a"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeFile(t, "c/documents/a.jsonl", c.row+"\n")
			writeFile(t, "c/attributes/one/a.jsonl", `{"id": "1", "attributes": {"dup": [[0,1,9]], "other": []}}`)
			writeFile(t, "c/attributes/two/a.jsonl", `{"attributes": {"dup": [[0,1,0.5]]}, "id": "1"}`)
			mustRun(t, false, plain(func(s *mix.Stream) {
				keepAll(s)
				s.Attributes = []string{"one", "two"}
				s.Output.DiscardFields = []string{"drop"}
			}))
			if got := readFile(t, "out/s-0000.jsonl"); got != c.want+"\n" {
				t.Errorf("got  %swant %s", got, c.want)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	at := func(min, max *float64, replacement string) mix.SpanReplacement {
		return mix.SpanReplacement{Span: "$.attributes.x", MinScore: min, MaxScore: max, Replacement: replacement}
	}
	for _, c := range []struct {
		name, text, spans string
		rules             []mix.SpanReplacement
		want, dolma       string // dolma "": the same
	}{
		{"cut", "abcdef", `[[1,3,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "")}, "adef", ""},
		{"replace", "abcdef", `[[1,3,1],[3,4,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "<{}|{}>")}, "a<bc|bc><d|d>ef", ""},
		{"at both ends", "abcdef", `[[0,2,1],[5,6,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "X")}, "XcdeX", ""},
		{"the whole", "abc", `[[0,3,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "")}, "", ""},
		{"code points", "äöüß", `[[1,3,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "[{}]")}, "ä[öü]ß", ""},
		{"scores", "abcdef", `[[0,1,0.2],[1,2,0.5],[2,3,0.8],[3,4,0.9]]`, []mix.SpanReplacement{at(number(0.5), number(0.9), "")}, "adef", ""},
		{"overlap", "abcdef", `[[0,4,1],[2,6,1],[4,5,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "X")}, "XXf", ""},
		{"not sorted", "abcdef", `[[4,5,1],[0,1,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "")}, "bcdf", ""},
		{"two rules", "abcdef", `[[0,1,1],[2,3,0.1]]`, []mix.SpanReplacement{at(number(0.5), nil, "1"), at(nil, number(0.5), "2")}, "1b2def", ""},
		{"an empty span: Dolma drops a character and all later spans", "abcdef", `[[1,1,1],[3,4,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "")}, "abcef", "acdef"},
		{"an empty span with a replacement", "abcdef", `[[1,1,1],[3,4,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "X")}, "abcXef", "aXcdefX"},
		{"past the end: Dolma repeats text", "abc", `[[0,1,1],[7,9,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "<{}>")}, "<a>bc", "<a>bc<abc>"},
		{"over the end", "abc", `[[1,9,1]]`, []mix.SpanReplacement{at(number(0.5), nil, "<{}>")}, "a<bc>", ""},
		{"null", "abc", `null`, []mix.SpanReplacement{at(number(0.5), nil, "")}, "abc", ""},
		{"a jq expression", "abc", `[[0,1,1]]`, []mix.SpanReplacement{at(number(0.5), nil, `$.id + "!"`)}, "1!bc", ""},
		{
			"jq with several results", "abcdef", `[[0,1,1],[2,3,1]]`,
			[]mix.SpanReplacement{{Span: ".attributes.x[]", MinScore: number(0.5), Syntax: "jq"}},
			"bdef", "",
		},
	} {
		for _, compat := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, compat %t", c.name, compat), func(t *testing.T) {
				t.Chdir(t.TempDir())
				row, err := json.Marshal(map[string]string{"id": "1", "text": c.text})
				if err != nil {
					t.Fatal(err)
				}
				writeFile(t, "c/documents/a.jsonl", string(row))
				writeFile(t, "c/attributes/x/a.jsonl", `{"id": "1", "attributes": {"x": `+c.spans+`}}`)
				mustRun(t, compat, plain(func(s *mix.Stream) {
					s.Attributes = []string{"x"}
					s.SpanReplacement = c.rules
				}))
				var got struct{ Text string }
				name := "out/s-0000.jsonl"
				if compat {
					name = "out/s-0000.json"
				}
				if err := json.Unmarshal([]byte(readFile(t, name)), &got); err != nil {
					t.Fatal(err)
				}
				want := c.want
				if compat && c.dolma != "" {
					want = c.dolma
				}
				if got.Text != want {
					t.Errorf("text %q, want %q", got.Text, want)
				}
			})
		}
	}
}

func TestFilter(t *testing.T) {
	rows := `{"id": "1", "text": "long enough", "n": 1}
{"id": "2", "text": "x", "n": 2}
{"id": "3", "text": "another", "n": 3}
{"id": "4", "text": "fourth", "n": 0}
`
	for _, c := range []struct {
		name   string
		filter mix.Filter
		kept   string
		rules  string // documents of each rule but the last
	}{
		{"include", mix.Filter{Include: []string{"$[?(@.n == 1)]", "$[?(@.n > 2)]"}}, "13", "[1 1 2]"},
		{"exclude", mix.Filter{Exclude: []string{"$[?(@.n > 2)]", "$[?(@.n > 1)]"}}, "14", "[0 1 1]"},
		{"both", mix.Filter{Include: []string{"$.text"}, Exclude: []string{"$[?(@.id == '2')]"}}, "134", "[3 0 1]"},
		{"jq", mix.Filter{Include: []string{".n"}, Exclude: []string{`.text | test("^a")`}, Syntax: "jq"}, "12", "[2 1 1]"},
		{"jq: lists and mappings hold unless they are empty", mix.Filter{Include: []string{`if .id == "1" then [0] elif .id == "2" then [] elif .id == "3" then {} else {a: 0} end`}, Syntax: "jq"}, "14", "[2 2]"},
		{"jq: the document as a whole", mix.Filter{Include: []string{`. as $d | ["id", "n"] | map($d[.]) | .[1] > 1`}, Syntax: "jq"}, "23", "[2 2]"},
		{"jq without results includes nothing", mix.Filter{Include: []string{"empty", ".n == 3"}, Syntax: "jq"}, "3", "[0 1 3]"},
		{"jq includes when all results hold", mix.Filter{Include: []string{".n, .n - 2"}, Syntax: "jq"}, "13", "[2 2]"},
		{"jq excludes when one result holds", mix.Filter{Exclude: []string{"false, .n == 1, empty"}, Syntax: "jq"}, "234", "[0 1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeFile(t, "c/documents/a.jsonl", rows)
			report := mustRun(t, false, plain(func(s *mix.Stream) { s.Filter = &c.filter }))
			kept := ""
			for _, row := range strings.Split(strings.TrimSpace(readFile(t, "out/s-0000.jsonl")), "\n") {
				var d struct{ ID string }
				if err := json.Unmarshal([]byte(row), &d); err != nil {
					t.Fatal(err)
				}
				kept += d.ID
			}
			var counts []int64
			for _, r := range report.Rules[:len(report.Rules)-1] {
				counts = append(counts, r.Documents)
			}
			if kept != c.kept || fmt.Sprint(counts) != c.rules {
				t.Errorf("kept %s, rules %v; want %s, %s", kept, counts, c.kept, c.rules)
			}
			if report.Documents != 4 || report.Kept != int64(len(kept)) {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestMinTextLength(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id": "1", "text": "  ab  "}`+"\n"+`{"id": "2", "text": "abc"}`)
	report := mustRun(t, false, plain(func(s *mix.Stream) { keepAll(s); s.Output.MinTextLength = 3 }))
	last := report.Rules[len(report.Rules)-1]
	if report.Kept != 1 || last.Documents != 1 || !slices.Equal(last.Examples, []mix.Example{{ID: "1", Text: "  ab  "}}) || last.Kind != "min_text_length" {
		t.Errorf("report %+v", report)
	}
}

// Shards follow the sizes of the input files; a file that is named twice is
// read twice; without shuffle each input keeps its name.
func TestShards(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, n := range []int{100, 100, 300, 50, 0, 60} {
		name := fmt.Sprintf("c/documents/sub/%d.jsonl", i)
		text := ""
		if n > 0 {
			text = fmt.Sprintf(`{"id": "%d", "text": "%s"}`+"\n", i, strings.Repeat("x", n-27))
		}
		writeFile(t, name, text)
	}
	s := plain(func(s *mix.Stream) {
		keepAll(s)
		s.Documents = []string{"c/documents/sub/*", "c/documents/sub/0.jsonl"}
		s.Output.MaxSizeInBytes = 250
	})
	for _, compat := range []bool{false, true} {
		report := mustRun(t, compat, s)
		want := []string{"out/s-0000.jsonl", "out/s-0001.jsonl", "out/s-0002.jsonl"}
		if compat {
			want[2] = "out/s-0002.json"
		}
		if !slices.Equal(report.Shards, want) {
			t.Errorf("compat %t: shards %v, want %v", compat, report.Shards, want)
		}
		ids := ""
		for _, f := range report.Shards {
			for _, row := range rows(t, f) {
				ids += row.(map[string]any)["id"].(string)
			}
			ids += " "
		}
		if ids != "01 2 350 " {
			t.Errorf("documents %q", ids)
		}
	}
	report, err := mix.Run(context.Background(), mix.Config{Streams: []mix.Stream{plain(func(s *mix.Stream) {
		keepAll(s)
		s.Documents = []string{"c/documents/sub/[013].jsonl"}
		s.Output.Path = "flat"
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"flat/documents/sub/0.jsonl", "flat/documents/sub/1.jsonl", "flat/documents/sub/3.jsonl"}; !slices.Equal(report.Streams[0].Shards, want) {
		t.Errorf("without shuffle: %v, want %v", report.Streams[0].Shards, want)
	}
}

// A stream's earlier shards go when it has fewer, also when it stood beside another
// stream before. A file of the user's with such a name stays, and is told of.
func TestFewerShardsOfAStream(t *testing.T) {
	t.Chdir(t.TempDir())
	for i := range 4 {
		writeFile(t, fmt.Sprintf("c/documents/%d.jsonl", i), fmt.Sprintf(`{"id": "%d", "text": "%s"}`+"\n", i, strings.Repeat("x", 100)))
	}
	stream := func(name string, size int64) mix.Stream {
		return plain(func(s *mix.Stream) {
			keepAll(s)
			s.Name, s.Documents, s.Output.Path, s.Output.MaxSizeInBytes = name, []string{"c/documents/*"}, name, size
		})
	}
	var log []string
	run := func(streams ...mix.Stream) {
		t.Helper()
		cfg := mix.Config{Shuffle: true, Streams: streams}
		cfg.Log = func(m string) { log = append(log, m) }
		if _, err := mix.Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	shards := func() string {
		files, err := filepath.Glob("*/[ab]-*")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(files, " ")
	}
	run(stream("a", 100), stream("b", 100))
	if got, want := shards(), "a/a-0000.jsonl a/a-0001.jsonl a/a-0002.jsonl a/a-0003.jsonl b/b-0000.jsonl b/b-0001.jsonl b/b-0002.jsonl b/b-0003.jsonl"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	writeFile(t, "b/b-0009.jsonl", "mine")
	run(stream("b", 1000))
	if got, want := shards(), "a/a-0000.jsonl a/a-0001.jsonl a/a-0002.jsonl a/a-0003.jsonl b/b-0000.jsonl b/b-0009.jsonl"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := "warning: b/b-0009.jsonl is not of this run"; !strings.Contains(strings.Join(log, "\n"), want) {
		t.Errorf("told %q, want %q", log, want)
	}
}

// Shards beside the documents are no documents of the next run; those that were made of
// others are refused, for the run would write over them.
func TestShardsBesideTheDocuments(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "d/a.jsonl", `{"id":"1","text":"a"}`+"\n")
	s := plain(func(s *mix.Stream) { keepAll(s); s.Documents, s.Output.Path = []string{"d/*"}, "d" })
	for i, id := range []string{"1", "1", "12"} {
		if i == 2 {
			writeFile(t, "d/b.jsonl", `{"id":"2","text":"b"}`+"\n")
		}
		report := mustRun(t, false, s)
		got := ""
		for _, f := range report.Shards {
			for _, row := range rows(t, f) {
				got += row.(map[string]any)["id"].(string)
			}
		}
		if got != id {
			t.Errorf("run %d: documents %s, want %s", i, got, id)
		}
	}
	if err := os.Remove("d/a.jsonl"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("d/b.jsonl"); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, "d/s-0000.jsonl")
	if _, err := run(t, false, s); err == nil || !strings.Contains(err.Error(), "does not write over what it reads") {
		t.Errorf("%v, want a clash", err)
	}
	if readFile(t, "d/s-0000.jsonl") != before {
		t.Error("the shard has another content")
	}
}

// The outputs do not depend on the number of workers; the same command again
// does nothing; after a kill it makes what is missing.
func TestDeterministicAndAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	rng := rand.New(rand.NewPCG(3, 4))
	for f := range 4 {
		var docs, attrs strings.Builder
		for i := range 500 {
			fmt.Fprintf(&docs, `{"id": "%d-%d", "text": "%s"}`+"\n", f, i, strings.Repeat("some text ", rng.IntN(400)))
			fmt.Fprintf(&attrs, `{"id": "%d-%d", "attributes": {"q": [[0, 10, %d]]}}`+"\n", f, i, rng.IntN(3))
		}
		writeFile(t, fmt.Sprintf("c/documents/%d.jsonl", f), docs.String())
		writeFile(t, fmt.Sprintf("c/attributes/q/%d.jsonl", f), attrs.String())
	}
	cfg := mix.Config{Shuffle: true, Streams: []mix.Stream{{
		Name: "s", Documents: []string{"c/documents/*"}, Attributes: []string{"q"},
		Output:          mix.Output{Path: "out", MaxSizeInBytes: 2 << 20},
		Filter:          &mix.Filter{Exclude: []string{"$.attributes[?(@.q[0][2] == 2)]"}},
		SpanReplacement: []mix.SpanReplacement{{Span: "$.attributes.q", MinScore: number(1)}},
	}}}
	all := func() string {
		files, err := filepath.Glob("out/*")
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, f := range files {
			out += f + readFile(t, f)
		}
		return out
	}
	var first mix.Report
	var want string
	for _, workers := range []int{1, 4} {
		cfg.Processes = workers
		for _, f := range []string{"out", "out.s.mix.json"} {
			if err := os.RemoveAll(f); err != nil {
				t.Fatal(err)
			}
		}
		report, err := mix.Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			first, want = report, all()
		} else if d := cmp.Diff(first, report); d != "" || all() != want {
			t.Errorf("%d workers: another result: %s", workers, d)
		}
	}
	if n := len(first.Streams[0].Shards); n < 2 {
		t.Fatalf("%d shards, want several", n)
	}
	again, err := mix.Run(context.Background(), cfg)
	if err != nil || !again.AlreadyDone {
		t.Errorf("again: %+v, %v", again, err)
	}
	again.AlreadyDone = false
	if d := cmp.Diff(first, again); d != "" {
		t.Errorf("again: %s", d)
	}
	// One shard is missing, as after a kill.
	if err := os.Remove(first.Streams[0].Shards[1]); err != nil {
		t.Fatal(err)
	}
	kept, err := os.Stat(first.Streams[0].Shards[0])
	if err != nil {
		t.Fatal(err)
	}
	report, err := mix.Run(context.Background(), cfg)
	if err != nil || report.AlreadyDone || all() != want {
		t.Errorf("continued: %+v, %v", report, err)
	}
	if now, err := os.Stat(first.Streams[0].Shards[0]); err != nil || !now.ModTime().Equal(kept.ModTime()) {
		t.Error("a complete shard was written again")
	}
}

// Bad lines and documents on which a rule fails go to the rejects file, and
// the attribute rows stay beside the right documents.
func TestBadInput(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id": "1", "text": "a"}
{"id": "2"}

{"id": "3", "text": "b"}
{"id": "4", "text": "c"}
`)
	writeFile(t, "c/attributes/x/a.jsonl", `{"id": "1", "attributes": {"x": [[0,1,1]]}}
{"id": "3", "attributes": {"x": 7}}
{"id": "4", "attributes": {"x": [[0,1,1]]}}
`)
	s := plain(func(s *mix.Stream) {
		s.Attributes = []string{"x"}
		s.SpanReplacement = []mix.SpanReplacement{{Span: ".attributes.x", Syntax: "jq", MinScore: number(0), Replacement: "<{}>"}}
	})
	report := mustRun(t, false, s)
	if report.Kept != 2 || report.Rejected != 2 {
		t.Errorf("report %+v, want 2 kept and 2 rejects", report)
	}
	if out := readFile(t, "out/s-0000.jsonl"); !strings.Contains(out, `"a.jsonl:1"},"text":"<a>"`) || !strings.Contains(out, `"a.jsonl:5"},"text":"<c>"`) {
		t.Errorf("output %s", out)
	}
	rejects := readFile(t, data.RejectsPath("c/documents/a.jsonl", "mix-s"))
	if !strings.Contains(rejects, `"line":2`) || !strings.Contains(rejects, `"line":4`) {
		t.Errorf("rejects %s", rejects)
	}
	s.Output.Path = "strict"
	_, err := mix.Run(context.Background(), mix.Config{Streams: []mix.Stream{s}, Shuffle: true, Execution: data.Execution{Strict: true}})
	if err == nil || !strings.Contains(err.Error(), "a.jsonl:") {
		t.Errorf("strict: %v", err)
	}
	if left, _ := filepath.Glob("strict/*"); len(left) != 0 {
		t.Errorf("strict left %v", left)
	}
}

func TestErrors(t *testing.T) {
	docs := `{"id": "1", "text": "a"}` + "\n" + `{"id": "2", "text": "b"}` + "\n"
	for _, c := range []struct {
		name, attributes string // of x; "-" for no file
		edit             func(*mix.Stream)
		want             string
		compat           bool // Dolma goes on
	}{
		{"no file", "-", func(*mix.Stream) {}, "run the stage that makes them", true},
		{"another document", `{"id": "1", "attributes": {}}` + "\n" + `{"id": "3", "attributes": {}}`, func(*mix.Stream) {}, `belongs to document "3"`, false},
		{"too few rows", `{"id": "1", "attributes": {}}`, func(*mix.Stream) {}, "no row for line 2", true},
		{"too many rows", strings.Repeat(`{"id": "1", "attributes": {}}`+"\n", 1) + `{"id": "2", "attributes": {}}` + "\n" + `{"id": "3", "attributes": {}}`, func(*mix.Stream) {}, "more rows", true},
		{"no attributes", `{"id": "1"}`, func(*mix.Stream) {}, "no attributes", false},
		{"not JSON", `{"id": `, func(*mix.Stream) {}, "a.jsonl:1", false},
		{"nothing kept", `{"id": "1", "attributes": {}}` + "\n" + `{"id": "2", "attributes": {}}`, func(s *mix.Stream) { s.Filter = &mix.Filter{Include: []string{"$.nowhere"}} }, "no document was kept", true},
		{"path", "", func(s *mix.Stream) { s.Filter = &mix.Filter{Include: []string{"$["}} }, "JSONPath", false},
		{"jq", "", func(s *mix.Stream) { s.Filter = &mix.Filter{Include: []string{".["}, Syntax: "jq"} }, "jq", false},
		{"syntax", "", func(s *mix.Stream) { s.Filter.Syntax = "xpath" }, "xpath", false},
		{"no rule", "", func(s *mix.Stream) { s.Filter = nil }, "neither a filter", false},
		{"empty filter", "", func(s *mix.Stream) { s.Filter = &mix.Filter{} }, "neither include", false},
		{"scores", "", func(s *mix.Stream) { s.SpanReplacement = []mix.SpanReplacement{{Span: "$.x"}} }, "min_score", false},
		{"match", "", func(s *mix.Stream) { s.Documents = []string{"nowhere/*"} }, "nothing matches", false},
		{"text", "", func(s *mix.Stream) { s.Output.DiscardFields = []string{"text"} }, "text", false},
		{"compression", "", func(s *mix.Stream) { x := "xz"; s.Compression.Output = &x }, "xz", false},
	} {
		for _, compat := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, compat %t", c.name, compat), func(t *testing.T) {
				t.Chdir(t.TempDir())
				writeFile(t, "c/documents/a.jsonl", docs)
				if c.attributes != "-" {
					writeFile(t, "c/attributes/x/a.jsonl", c.attributes)
				}
				s := plain(func(s *mix.Stream) { keepAll(s); s.Attributes = []string{"x"}; c.edit(s) })
				_, err := run(t, compat, s)
				if c.compat && compat {
					if err != nil {
						t.Errorf("Dolma goes on: %v", err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want an error with %q", err, c.want)
				}
			})
		}
	}
}

func ExampleRun() {
	dir, err := os.MkdirTemp("", "mix")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "corpus", "documents", "a.jsonl")
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		panic(err)
	}
	rows := `{"id": "1", "text": "A text.", "metadata": {"lang": "en"}}
{"id": "2", "text": "Ein Text.", "metadata": {"lang": "de"}}
`
	if err := os.WriteFile(path, []byte(rows), 0o644); err != nil {
		panic(err)
	}
	report, err := mix.Run(context.Background(), mix.Config{
		Shuffle: true,
		Streams: []mix.Stream{{
			Name:      "english",
			Documents: []string{path},
			Output:    mix.Output{Path: filepath.Join(dir, "out"), MaxSizeInBytes: 1 << 30},
			Filter:    &mix.Filter{Include: []string{`.metadata.lang == "en"`}, Syntax: "jq"},
		}},
	})
	if err != nil {
		panic(err)
	}
	for _, s := range report.Streams {
		fmt.Println(s.Kept, "of", s.Documents, "in", filepath.Base(s.Shards[0]))
		fmt.Println(s.Rules[1].Kind, s.Rules[1].Documents, s.Rules[1].Examples[0].ID)
	}
	// Output:
	// 1 of 2 in english-0000.jsonl.gz
	// no include 1 2
}

// A stream that cannot be mixed is refused by its name before anything is read.
func TestStreamsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"a"}`+"\n")
	writeFile(t, "elsewhere/a.jsonl", `{"id":"1","text":"a"}`+"\n")
	pq := "parquet"
	for want, edit := range map[string]func(*mix.Stream){
		"a stream has no name":                                                     func(s *mix.Stream) { s.Name = "" },
		"stream a/b: the name becomes part of file names":                          func(s *mix.Stream) { s.Name = "a/b" },
		`stream a\b: the name becomes part of file names`:                          func(s *mix.Stream) { s.Name = `a\b` },
		"stream s names no documents":                                              func(s *mix.Stream) { s.Documents = nil },
		"stream s: output.path is not set":                                         func(s *mix.Stream) { s.Output.Path = "" },
		"stream s: output.max_size_in_bytes is 0":                                  func(s *mix.Stream) { s.Output.MaxSizeInBytes = 0 },
		"stream s: output.max_size_in_bytes is -1":                                 func(s *mix.Stream) { s.Output.MaxSizeInBytes = -1 },
		"stream s: output.min_text_length cannot be negative":                      func(s *mix.Stream) { s.Output.MinTextLength = -1 },
		"stream s: sample is -0.5":                                                 func(s *mix.Stream) { s.Sample = number(-0.5) },
		"stream s: sample is 0,":                                                   func(s *mix.Stream) { s.Sample = number(0) },
		"stream s: sample is 1001, want a number of copies above 0 and up to 1000": func(s *mix.Stream) { s.Sample = number(1001) },
		"stream s: compression.output is parquet, which needs files":               func(s *mix.Stream) { s.Compression.Output, s.Output.Path = &pq, "-" },
		"stream s: filter:":                                                        func(s *mix.Stream) { s.Filter.Exclude = []string{"$["} },
		"stream s: span_replacement: replacement:": func(s *mix.Stream) {
			s.SpanReplacement = []mix.SpanReplacement{{Span: "$.x", MinScore: number(0), Replacement: "$["}}
		},
	} {
		_, err := run(t, false, plain(func(s *mix.Stream) { keepAll(s); edit(s) }))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := mix.Run(context.Background(), mix.Config{}); err == nil || !strings.Contains(err.Error(), "no streams to mix") {
		t.Errorf("without streams: %v", err)
	}
	for want, edit := range map[string]func(*mix.Stream){
		"is in no folder called documents": func(s *mix.Stream) { s.Documents = []string{"elsewhere/a.jsonl"} },
		"leave shuffle on":                 func(s *mix.Stream) { s.Compression.Output = &pq },
	} {
		_, err := mix.Run(context.Background(), mix.Config{Streams: []mix.Stream{plain(func(s *mix.Stream) { keepAll(s); edit(s) })}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without shuffle: %v, want %q", err, want)
		}
	}
	for _, s := range []mix.Stream{
		plain(func(s *mix.Stream) { s.Sample = number(1) }),
		plain(func(s *mix.Stream) { keepAll(s); s.Output.MaxSizeInBytes = 1; s.Name = "tiny" }),
		plain(func(s *mix.Stream) { s.Filter = &mix.Filter{Exclude: []string{"$.x"}}; s.Name = "excludes" }),
	} {
		if report := mustRun(t, false, s); report.Kept != 1 {
			t.Errorf("%s: %+v", s.Name, report)
		}
	}
}

// Streams come out in their order, each with its own shards and figures; a file that
// is named twice has its bad lines twice; fewer shards than before leave none of the
// old.
func TestStreams(t *testing.T) {
	t.Chdir(t.TempDir())
	for i := range 3 {
		writeFile(t, fmt.Sprintf("c/documents/%d.jsonl", i), fmt.Sprintf(`{"id":"%d","text":"text %d"}`+"\nbad\n", i, i))
	}
	streams := []mix.Stream{
		plain(func(s *mix.Stream) {
			keepAll(s)
			s.Name, s.Documents, s.Output.MaxSizeInBytes = "one", []string{"c/documents/*"}, 1
		}),
		plain(func(s *mix.Stream) {
			keepAll(s)
			s.Name, s.Documents, s.Output.Path = "two", []string{"c/documents/0.jsonl", "c/documents/0.jsonl"}, "out2"
		}),
	}
	report, err := mix.Run(context.Background(), mix.Config{Streams: streams, Shuffle: true})
	if err != nil {
		t.Fatal(err)
	}
	one, two := report.Streams[0], report.Streams[1]
	if one.Name != "one" || !slices.Equal(one.Shards, []string{"out/one-0000.jsonl", "out/one-0001.jsonl", "out/one-0002.jsonl"}) || one.Documents != 3 || one.Rejected != 3 || one.Kept != 3 || one.TextOut != 18 {
		t.Errorf("the first stream: %+v", one)
	}
	if two.Name != "two" || !slices.Equal(two.Shards, []string{"out2/two-0000.jsonl"}) || two.Documents != 2 || two.Rejected != 2 {
		t.Errorf("the second stream: %+v", two)
	}
	for i, f := range one.Shards {
		if text := readFile(t, f); !strings.Contains(text, fmt.Sprintf(`"id":"%d"`, i)) {
			t.Errorf("%s holds %s", f, text)
		}
	}
	for _, f := range []string{"c/rejects/mix-two/0.jsonl.rejects.jsonl", "c/rejects/mix-two/0.jsonl.2.rejects.jsonl", "c/rejects/mix-one/2.jsonl.rejects.jsonl"} {
		if text := readFile(t, f); !strings.Contains(text, `"line":2`) {
			t.Errorf("%s holds %s", f, text)
		}
	}
	for _, f := range []string{"out/one-note.jsonl", "out/one-0009.jsonl", "out/mine-0001.jsonl"} {
		writeFile(t, f, "mine")
	}
	streams[0].Output.MaxSizeInBytes = 1 << 20
	if _, err = mix.Run(context.Background(), mix.Config{Streams: streams, Shuffle: true}); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob("out/*")
	for i := range left {
		left[i] = filepath.ToSlash(left[i])
	}
	if want := []string{"out/mine-0001.jsonl", "out/one-0000.jsonl", "out/one-0009.jsonl", "out/one-note.jsonl"}; !slices.Equal(left, want) {
		t.Errorf("there is %q, want %q", left, want)
	}
}

// Attributes that a document brings itself count too; what is discarded is gone.
func TestAttributesOfItsOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "c/documents/a.jsonl", `{"id":"1","text":"abc","attributes":{"own":[[0,1,1]]},"metadata":{"a":1},"zz":1,"aa":2}`+"\n")
	mustRun(t, false, plain(func(s *mix.Stream) {
		s.SpanReplacement = []mix.SpanReplacement{{Span: "$.attributes.own", MinScore: number(0), Replacement: "X"}}
		s.Output.DiscardFields = []string{"metadata", "zz"}
	}))
	if got, want := readFile(t, "out/s-0000.jsonl"), `{"aa":2,"attributes":{"own":[[0,1,1]]},"id":"1","metadata":{"provenance":"a.jsonl:1"},"text":"Xbc"}`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	writeFile(t, "c/attributes/x/a.jsonl", `{"id":"1","attributes":{"x":[]}}`+"\n")
	mustRun(t, false, plain(func(s *mix.Stream) {
		keepAll(s)
		s.Attributes, s.Output.Path = []string{"x"}, "out2"
		s.Output.DiscardFields = []string{"attributes", "aa"}
	}))
	if got, want := readFile(t, "out2/s-0000.jsonl"), `{"id":"1","metadata":{"a":1,"provenance":"a.jsonl:1"},"text":"abc","zz":1}`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}
