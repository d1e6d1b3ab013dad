package taskfile_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/eval"
	"olmo/eval/taskfile"
)

// write makes files in a folder of their own.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rows of a data set that all tests ask of.
const (
	rows  = `{"q":"two and two","c":["three","four"],"a":1}` + "\n" + `{"q":"three","c":["five","six"],"a":0}` + "\n"
	shots = `{"q":"one","c":["uno","due"],"a":0}` + "\n" + `{"q":"zero","c":["nought","null"],"a":1}` + "\n"
	base  = "dataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl, train: shots.jsonl}}\ntest_split: test\n"
	task  = base + "output_type: multiple_choice\ndoc_to_text: \"Q: {{q}}\\nA:\"\ndoc_to_target: a\ndoc_to_choice: c\n"
)

// ask reads the documents of tasks by their names.
func ask(t *testing.T, files map[string]string, o taskfile.Options, names ...string) (docs map[string][]*eval.Document, groups []*eval.Group, err error) {
	t.Helper()
	files["rows.jsonl"], files["shots.jsonl"], files["sub/rows.jsonl"], files["sub/shots.jsonl"] = rows, shots, rows, shots
	c, err := taskfile.Open(write(t, files))
	if err != nil {
		return nil, nil, err
	}
	tasks, groups, err := c.Select(names, o)
	if err != nil {
		return nil, nil, err
	}
	docs = map[string][]*eval.Document{}
	for _, task := range tasks {
		j, err := task.Job(eval.Inputs{})
		if err != nil {
			return nil, nil, err
		}
		for d, err := range j.Each() {
			if err != nil {
				return nil, nil, err
			}
			docs[task.Name] = append(docs[task.Name], d)
		}
	}
	return docs, groups, nil
}

// TestPrompts: what lm-eval 0.4.13 asks, for one row each; its own files are in TestGolden.
func TestPrompts(t *testing.T) {
	for _, c := range []struct {
		name, more, context string
		o                   taskfile.Options
	}{
		{"plain", "", "Q: two and two\nA:", taskfile.Options{}},
		{"described", "description: \"About {{q}}.\\n\"\n", "About two and two.\nQ: two and two\nA:", taskfile.Options{}},
		{"system", "description: \"About.\"\n", "Be brief.\n\nAbout.Q: two and two\nA:", taskfile.Options{System: "Be brief."}},
		{"shots", "num_fewshot: 2\nfewshot_split: train\nfewshot_config: {sampler: first_n}\n", "Q: one\nA: uno\n\nQ: zero\nA: null\n\nQ: two and two\nA:", taskfile.Options{}},
		{"fewer shots", "num_fewshot: 2\nfewshot_split: train\nfewshot_config: {sampler: first_n}\n", "Q: two and two\nA:", taskfile.Options{Shots: new(int)}},
		{"own shots", "num_fewshot: 1\nfewshot_config: {sampler: first_n, samples: [{q: x, c: [y, z], a: 1}], fewshot_delimiter: \"|\"}\n", "Q: x\nA: z|Q: two and two\nA:", taskfile.Options{}},
		{"prefix", "gen_prefix: \"So\"\n", "Q: two and two\nA: So", taskfile.Options{}},
		{"prefix and shots", "gen_prefix: \"So\"\nnum_fewshot: 1\nfewshot_split: train\nfewshot_config: {sampler: first_n}\n", "Q: one\nA: So uno\n\nQ: two and two\nA: So", taskfile.Options{}},
		{"delimiters", "target_delimiter: \"\"\nfewshot_delimiter: \"#\"\nnum_fewshot: 1\nfewshot_split: train\nfewshot_config: {sampler: first_n}\n", "Q: one\nA:uno#Q: two and two\nA:", taskfile.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			docs, _, err := ask(t, map[string]string{"t.yaml": "task: t\n" + task + c.more}, c.o, "t")
			if err != nil {
				t.Fatal(err)
			}
			d := docs["t"][0]
			if d.Requests[0].Context != c.context || len(docs["t"]) != 2 || !slices.Equal(d.Gold, []int{1}) || !slices.Equal(d.Choices, []string{"three", "four"}) {
				t.Errorf("%+v, want the context %q", d, c.context)
			}
		})
	}
}

// TestGroups: groups, tags, patterns and files that include others.
func TestGroups(t *testing.T) {
	files := map[string]string{
		"_base":      task,
		"a.yaml":     "include: _base\ntask: a\ntag: [few, all]\n",
		"sub/b.yaml": "include: ../_base\ntask: b\ntag:\n  - all\n",
		"g.yaml":     "group: g\ngroup_alias: G\ntask:\n  - a\n  - task: b\n    num_fewshot: 1\n  - task: c\n    include: none\naggregate_metric_list:\n  - metric: acc\n    weight_by_size: false\n",
	}
	files["g.yaml"] = strings.Replace(files["g.yaml"], "  - task: c\n    include: none\n", "", 1)
	for name := range map[string]bool{"g": true} {
		docs, groups, err := ask(t, files, taskfile.Options{}, name)
		if err != nil {
			t.Fatal(err)
		}
		if len(docs) != 2 || len(groups) != 1 || groups[0].Alias != "G" || !slices.Equal(groups[0].Members, []string{"a", "b"}) || groups[0].Aggregate[0].BySize {
			t.Errorf("%d tasks, groups %+v", len(docs), groups)
		}
	}
	files["h.yaml"] = "group: h\ntask:\n  - a\n  - group: inner\n    task: [b]\n  - task: g\n"
	c, err := taskfile.Open(write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Groups()["h"]; !slices.Equal(got, []string{"a", "h::inner", "g"}) {
		t.Errorf("h has %q", got)
	}
	for names, want := range map[string]int{"all": 2, "few": 1, "[ab]": 2, "a": 1} {
		docs, _, err := ask(t, files, taskfile.Options{}, names)
		if err != nil || len(docs) != want {
			t.Errorf("%s: %d tasks, want %d (%v)", names, len(docs), want, err)
		}
	}
}

// TestCorpusMetrics: BLEU, chrF and TER are made of all documents together, as the aggregation says;
// what they come to is in eval/score.
func TestCorpusMetrics(t *testing.T) {
	text := "task: t\n" + base + "output_type: generate_until\ndoc_to_text: q\ndoc_to_target: q\nmetric_list: [{metric: bleu}, {metric: chrf, aggregation: chrf++}, {metric: ter, aggregation: ter, higher_is_better: false}]\n"
	c, err := taskfile.Open(write(t, map[string]string{"t.yaml": text, "rows.jsonl": rows, "shots.jsonl": shots}))
	if err != nil {
		t.Fatal(err)
	}
	tasks, _, err := c.Select([]string{"t"}, taskfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name, figure string
		lower        bool
		value        float64
	}{{"bleu", "bleu", false, 100}, {"chrf", "chrf++", false, 100}, {"ter", "ter", true, 0}} {
		m := tasks[0].Metrics[i]
		right := &eval.Evidence{Document: &eval.Document{Targets: []string{"a b c d e", "x"}}, Responses: []string{"a b c d e"}}
		v, err := m.Of(right)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Figure.Of([]any{v, v}); m.Name != want.name || m.Figure.Name != want.figure || m.Lower != want.lower || math.Abs(got-want.value) > 1e-9 {
			t.Errorf("%s (%s) of right answers is %v, lower %v", m.Name, m.Figure.Name, got, m.Lower)
		}
	}
}

// TestRefusals: what is wrong, or not understood, is said with file and name.
func TestRefusals(t *testing.T) {
	// A tenth of a kilobyte a line, and a billion values.
	aliases := "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		aliases += fmt.Sprintf("  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":      {"task: t\n" + task + "num_fewshots: 1\n", `key "num_fewshots" is not known` + "\n" + `hint: did you mean num_fewshot?`},
		"unknown metric":   {"task: t\n" + task + "metric_list: [{metric: acc_normm}]\n", "did you mean acc_norm?"},
		"an aggregation":   {"task: t\n" + task + "metric_list: [{metric: f1, aggregation: mean}]\n", "the aggregation mean does not take its values, f1 does"},
		"mean of BLEU":     {"task: t\n" + base + "output_type: generate_until\ndoc_to_text: q\ndoc_to_target: q\nmetric_list: [{metric: bleu, aggregation: mean}]\n", `aggregation "mean" is not known`},
		"unknown filter":   {"task: t\n" + base + "doc_to_text: q\ndoc_to_target: q\nfilter_list: [{name: x, filter: [{function: regx}]}]\n", "did you mean regex?"},
		"output type":      {"task: t\n" + strings.Replace(task, "multiple_choice", "multiple_choise", 1), "did you mean multiple_choice?"},
		"python":           {"task: t\n" + strings.Replace(task, "doc_to_choice: c", "doc_to_choice: !function utils.f", 1), "t.yaml: doc_to_choice is the Python function utils.f"},
		"process_docs":     {"task: t\n" + task + "process_docs: !function utils.g\n", "process_docs is the Python function utils.g"},
		"a class":          {"task: t\nclass: !function x.Y\n", "class is the Python function x.Y"},
		"images":           {"task: t\n" + task + "doc_to_image: [image]\n", "images are not read"},
		"broken template":  {"task: t\n" + strings.Replace(task, "{{q}}", "{{q", 1), "doc_to_text"},
		"missing field":    {"task: t\n" + strings.Replace(task, "{{q}}", "{{question}}", 1), "rows.jsonl:1: doc_to_text"},
		"broken YAML":      {"task: t\n" + task + "metric_list: [\n", "t.yaml: it is no YAML"},
		"missing include":  {"task: t\ninclude: nothing.yaml\n", "nothing.yaml"},
		"includes itself":  {"task: t\ninclude: t.yaml\n", "includes itself"},
		"missing file":     {"task: t\n" + strings.Replace(task, "rows.jsonl", "lines.jsonl", 1), "lines.jsonl"},
		"missing split":    {"task: t\n" + strings.Replace(task, "test_split: test", "test_split: tset", 1), `no split "tset"; it has test, train`},
		"too many shots":   {"task: t\n" + task + "num_fewshot: 3\nfewshot_split: train\n", "3 examples are asked for, and there are 2"},
		"not UTF-8":        {"task: t\n" + task + "description: \"\xff\"\n", "t.yaml: line "},
		"shots below 0":    {"task: t\n" + task + "num_fewshot: -1\n", "num_fewshot is -1, want 0 or more"},
		"a lost member":    {"group: t\ntask: [nothing]\n", `t.yaml: task: no task is called "nothing"`},
		"an empty choice":  {"task: t\n" + strings.Replace(task, "doc_to_choice: c", "doc_to_choice: ['a', '']", 1), "rows.jsonl:1: choice 2 of doc_to_choice is empty"},
		"a mapping":        {"task: t\n" + task + "num_fewshot: {a: 1}\n", "num_fewshot is a mapping, want 0 or more"},
		"F1 of classes":    {"task: t\n" + base + "doc_to_text: q\ndoc_to_target: q\nmetric_list: [{metric: f1, hf_evaluate: true}]\n", "average is nothing, want micro"},
		"another's metric": {"task: t\n" + base + "doc_to_text: q\ndoc_to_target: q\nmetric_list: [{metric: rouge, hf_evaluate: true}]\n", "rouge of the package evaluate is not supported"},
		"a bad pattern":    {"task: t\n" + base + "doc_to_text: q\ndoc_to_target: q\nfilter_list: [{name: x, filter: [{function: regex, regex_pattern: \"(\"}]}]\n", `the pattern "("`},
		"endless template": {"task: t\n" + strings.Replace(task, "{{q}}", "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", 1), "doc_to_text"},
		"no answer":        {"task: t\n" + strings.Replace(task, "doc_to_target: a", "doc_to_target: \"{{a + 5}}\"", 1), "rows.jsonl:1: the answer is number 6 of 2 choices"},
		"an empty group":   {"group: t\ntask: []\n", "t.yaml: task: the group t has no tasks"},
		"in itself":        {"group: t\ntask: [twice, t]\n", "t.yaml: task: the group t contains itself: t has t"},
		"in a part":        {"group: t\ntask: {group: s, task: [t]}\n", "want a list of names"},
		"in its own part":  {"group: t\ntask: [{group: s, task: [t]}]\n", "the group t contains itself"},
		"many aliases":     {"task: t\n" + task + "metadata:\n" + aliases, "t.yaml: line 16: the file is too large with what its aliases stand for"},
		"deep brackets":    {"task: t\nmetadata: " + strings.Repeat("[", 1_000_000) + "\n", "t.yaml: line 2: it nests too deep"},
		"deep mappings":    {"task: t\nmetadata: " + strings.Repeat("{a: ", 100_000) + "\n", "t.yaml: line 2: it nests too deep"},
		"deep dashes":      {"task: t\nmetadata:\n  " + strings.Repeat("- ", 100_000) + "x\n", "t.yaml: line 3: it nests too deep"},
		"two files":        {"task: twice\n" + task, `two files have the name "twice"`},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"t.yaml": c.text, "u.yaml": "task: twice\n" + task}
			if _, _, err := ask(t, files, taskfile.Options{}, map[bool]string{true: "twice", false: "t"}[name == "two files"]); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %q", err, c.want)
			}
		})
	}
	if _, _, err := ask(t, map[string]string{"t.yaml": "task: arc_easy_mine\n" + task}, taskfile.Options{}, "arc_easy_min"); err == nil || !strings.Contains(err.Error(), "did you mean arc_easy_mine?") {
		t.Errorf("a name that is nearly right: %v", err)
	}
}
