package taskfile_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/eval"
	"olmo/eval/taskfile"
)

// said answers each document with its texts.
type said [][]string

func (said) Name() string                         { return "said" }
func (said) Identity() (map[string]string, error) { return map[string]string{}, nil }

func (s said) Answer(_ context.Context, requests []eval.Request, _ eval.AnswerOptions, each func(int, eval.Answer) error) error {
	for i := range requests {
		if err := each(i, eval.Answer{Texts: s[i]}); err != nil {
			return err
		}
	}
	return nil
}

const textTask = `
task: mine
dataset_path: json
dataset_kwargs:
  data_files: {test: rows.jsonl}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
`

func selectOne(t *testing.T, yaml, rows string) (*eval.Task, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"mine.yaml": yaml, "rows.jsonl": rows} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c, err := taskfile.Open(dir)
	if err != nil {
		return nil, err
	}
	tasks, _, err := c.Select([]string{"mine"}, taskfile.Options{})
	if err != nil {
		return nil, err
	}
	return tasks[0], nil
}

// TestScorers makes figures of our scorers' verdicts.
func TestScorers(t *testing.T) {
	const rows = `{"question":"1+1?","answer":"It is #### 2","prompt":"p"}
{"question":"2+2?","answer":"#### 4"}
`
	for _, c := range []struct {
		metrics string
		texts   said
		want    map[string]float64
	}{
		{"[{metric: f1, hf_evaluate: true, average: micro}, {metric: accuracy, hf_evaluate: true}]", said{{"It is #### 2"}, {"5"}}, map[string]float64{"f1": 0.5, "accuracy": 0.5}},
		{"[{metric: olmo:gsm8k_olmes}]", said{{"so 2."}, {"5"}}, map[string]float64{"exact_match": 0.5}},
		{"[{metric: olmo:gsm8k_olmes, name: primary_score}]", said{{"so 2."}, {"5"}}, map[string]float64{"primary_score": 0.5}},
		{"[{metric: olmo:gsm8k}]", said{{"#### 2"}, {"4"}}, map[string]float64{"exact_match,strict-match": 0.5, "exact_match,flexible-extract": 1}},
		{"[{metric: 'olmo:gsm8k/exact_match,strict-match', name: strict}]", said{{"#### 2"}, {"4"}}, map[string]float64{"strict": 0.5}},
		{
			"[{metric: 'olmo:gsm8k_olmes', k: [1, 2, 4]}]",
			said{{"2", "3", "2"}, {"3", "4", "5"}},
			map[string]float64{"exact_match": 0.5, "pass@1": 0.5, "pass@2": (1 + 2.0/3) / 2, "maj@1": 0.5, "maj@2": 0.5},
		},
		{"[{metric: 'olmo:humaneval', k: [1, 2]}]", said{{"right", "wrong"}, {"wrong", "wrong"}}, map[string]float64{"pass@1": 0.25, "pass@2": 0.5}},
	} {
		task, err := selectOne(t, textTask+"metric_list: "+c.metrics+"\n", rows)
		if err != nil {
			t.Errorf("%s: %v", c.metrics, err)
			continue
		}
		j, err := task.Job(eval.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		run := &eval.Run{Jobs: []*eval.Job{j}}
		if task.Programs != "" {
			if _, err := run.Do(t.Context(), c.texts); err == nil || !strings.Contains(err.Error(), "mine runs programs") {
				t.Errorf("%s: without leave: %v", c.metrics, err)
			}
			run.Programs = func(_ context.Context, scorer string, docs []*eval.Document, responses [][]string) (passed [][]bool, err error) {
				if scorer != "humaneval" || !strings.Contains(string(docs[0].Row), `"prompt":"p"`) {
					t.Errorf("programs of %s, of the row %s", scorer, docs[0].Row)
				}
				for _, all := range responses {
					var right []bool
					for _, r := range all {
						right = append(right, r == "right")
					}
					passed = append(passed, right)
				}
				return passed, nil
			}
		}
		res, err := run.Do(t.Context(), c.texts)
		if err != nil {
			t.Errorf("%s: %v", c.metrics, err)
			continue
		}
		got := res.Scores["mine"].Figures
		for name, v := range c.want {
			if x, ok := got[name]; !ok || math.Abs(x.Value-v) > 1e-15 {
				t.Errorf("%s: %s is %v, want %v", c.metrics, name, x.Value, v)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: figures %v, want %v", c.metrics, got, c.want)
		}
	}
}

// TestScorersRefused names what is wrong with such a metric.
func TestScorersRefused(t *testing.T) {
	for _, c := range []struct{ metrics, want string }{
		{"[{metric: olmo:gms8k}]", `mine.yaml: metric_list: no scorer is called "gms8k"`},
		{"[{metric: olmo:drop/f2}]", `the scorer's figure "f2" is not known`},
		{"[{metric: olmo:drop, name: f}]", "say which: olmo:drop/em"},
		{"[{metric: olmo:drop, k: [0]}]", "k is 0, want 1 or more"},
		{"[{metric: olmo:drop, kk: 1}]", `key "kk" is not known`},
		{"[{metric: olmo:drop, aggregation: median}]", "aggregation is median, want mean"},
		{"[{metric: olmo:truthfulqa_mc2}]", "is for the output_type multiple_choice, which is generate_until here"},
		{"[{metric: olmo:humaneval/x}]", "the scorer humaneval gives pass@k"},
		{"[{metric: olmo:judge}]", "olmo:judge: a model judges answers that exist"},
		{"[{metric: olmo:humaneval}, {metric: olmo:mbpp}]", "two scorers run programs, humaneval and mbpp"},
	} {
		_, err := selectOne(t, textTask+"metric_list: "+c.metrics+"\n", "{}\n")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.metrics, err, c.want)
		}
	}
}

// TestOwn reads metadata.olmo.
func TestOwn(t *testing.T) {
	const rows = "{\"question\":\"a\",\"answer\":\"1\"}\n{\"question\":\"b\",\"answer\":\"2\"}\n{\"question\":\"c\",\"answer\":\"3\"}\n"
	task, err := selectOne(t, textTask+"metadata: {version: 2, olmo: {source: a paper, licence: MIT, sample: 2, sample_seed: 7}}\n", rows)
	if err != nil {
		t.Fatal(err)
	}
	if task.About.Source != "a paper" || task.About.Licence != "MIT" || task.Version != int64(2) {
		t.Errorf("about %+v, version %v", task.About, task.Version)
	}
	j, err := task.Job(eval.Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for d, err := range j.Each() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d.Requests[0].Context)
	}
	if want := []string{"b", "a"}; !slices.Equal(got, want) { // random.Random(7).sample(range(3), 2)
		t.Errorf("drew %v, want %v", got, want)
	}
	some, err := selectOne(t, textTask+"metadata: {olmo: {where: {question: b}}}\n", rows)
	if err != nil {
		t.Fatal(err)
	}
	if j, err = some.Job(eval.Inputs{}); err != nil {
		t.Fatal(err)
	}
	for d, err := range j.Each() {
		if err != nil || d.Requests[0].Context != "b" {
			t.Errorf("where: %q, %v", d.Requests[0].Context, err)
		}
	}
	for where, want := range map[string]string{"questions: b": "rows.jsonl:1: metadata.olmo.where asks for the text questions", "question: z": "the split test has no rows"} {
		none, err := selectOne(t, textTask+"metadata: {olmo: {where: {"+where+"}}}\n", rows)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := none.Job(eval.Inputs{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("where %s: %v, want %q", where, err, want)
		}
	}
	for _, c := range []struct{ olmo, want string }{
		{"3", "metadata: olmo: it is 3, want a mapping"},
		{"{samples: 3}", `metadata: olmo: key "samples" is not known`},
		{"{where: 3}", "metadata: olmo: where is 3, want fields with their texts"},
		{"{sample: -1}", "metadata: olmo: sample is -1"},
		{"{stored: 3}", "metadata: olmo: stored is 3, want names of sets"},
	} {
		if _, err := selectOne(t, textTask+"metadata: {olmo: "+c.olmo+"}\n", rows); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("olmo: %s: %v, want %q", c.olmo, err, c.want)
		}
	}
}
