package dashboard_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/dashboard"
	"olmo/runlog"
)

// sampleTo appends the answers of steps to a run's rollouts: four to each of two prompts, and every third
// step one to prompt 9 of another verifier.
func sampleTo(t *testing.T, dir string, from, to int) {
	t.Helper()
	log, err := runlog.Open(filepath.Join(dir, "rollouts.jsonl"), from-1)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for step := from; step <= to; step++ {
		prompts := []int{3, 5}
		if step%3 == 0 {
			prompts = append(prompts, 9)
		}
		for _, p := range prompts {
			for n := range 4 {
				if err := log.Append(answerTo(step, p, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// answerTo is a line of rollouts.jsonl. Prompt 3 gets better from step to step, prompt 5 worse.
func answerTo(step, prompt, n int) runlog.Record {
	right := map[int]int{3: step/10 + 1, 5: 4 - step/10, 9: 2}[prompt]
	score, finish := 0.0, "stop"
	if n < right {
		score = 1
	}
	length := 5 + (step*7+n*13+prompt)%40
	if length > 40 {
		finish = "length"
	}
	ids, logps := make([]int, length), make([]float64, length)
	for i := range ids {
		ids[i], logps[i] = i, -0.5
	}
	r := runlog.Record{
		"step": step, "prompt": prompt, "sample": n, "prompt_ids": []int{prompt, 1}, "response_ids": ids, "logprobs": logps,
		"text":         fmt.Sprintf("Answer %d of step %d: <img src=x onerror=alert(1)> \"score\": 7 %s", n, step, strings.Repeat("and on, ", length)),
		"ground_truth": "<b>42</b>", "dataset": "gsm8k", "score": score, "verified": score, "advantage": score - float64(right)/4, "finish": finish, "trained": right%4 != 0,
	}
	if prompt == 9 {
		r["dataset"], r["ground_truth"] = []string{"max_length", "re<i>gex"}, []any{"10", map[string]any{"score": 5}}
	}
	return r
}

type sampledAnswer struct {
	Began, Lines, Bad, Prompts, Per, Others int
	Steps                                   []int
	Verifiers                               []struct {
		Name          string
		Answers       int
		Score, Tokens []*float64
	}
	Lengths []struct {
		Step, Answers       int
		Edges, Stopped, Cut []int
	}
}

// TestRollouts: figures of all answers follow the file as it grows, tears and goes back.
func TestRollouts(t *testing.T) {
	dir := writeRun(t, "a", 6)
	s := serve(t, dir)
	var a sampledAnswer
	ask := func(query string) {
		t.Helper()
		a = sampledAnswer{}
		get(t, s.URL+"/api/runs/0/rollouts"+query, &a)
	}
	if ask(""); a.Lines != 0 || len(a.Lengths) != 0 {
		t.Fatalf("without a file: %+v", a)
	}
	sampleTo(t, dir, 1, 6)
	ask("")
	if a.Lines != 56 || a.Prompts != 3 || fmt.Sprint(a.Steps) != "[1 2 3 4 5 6]" || len(a.Verifiers) != 2 || a.Bad != 0 {
		t.Fatalf("six steps: %+v", a)
	}
	// Of both prompts together: one right of four, and four of four.
	if v := a.Verifiers[0]; v.Name != "gsm8k" || v.Answers != 48 || *v.Score[0] != 5./8 {
		t.Errorf("the first verifier is %+v", v)
	}
	if v := a.Verifiers[1]; v.Name != "max_length + re<i>gex" || v.Score[0] != nil || v.Score[2] == nil || *v.Score[2] != 0.5 {
		t.Errorf("the second verifier is %+v", v)
	}
	if len(a.Lengths) != 2 || a.Lengths[0].Step != 1 || a.Lengths[1].Step != 6 || a.Lengths[1].Answers != 12 {
		t.Errorf("lengths %+v", a.Lengths)
	}
	ask("?step=2")
	want := map[bool][]int{true: make([]int, 9), false: make([]int, 9)}
	for _, p := range []int{3, 5} {
		for n := range 4 {
			r := answerTo(2, p, n)
			want[r["finish"] == "stop"][(len(r["response_ids"].([]int))-1)/5]++
		}
	}
	if h := a.Lengths[1]; h.Step != 2 || fmt.Sprint(h.Edges) != "[5 10 15 20 25 30 35 40 45]" || fmt.Sprint(h.Stopped) != fmt.Sprint(want[true]) || fmt.Sprint(h.Cut) != fmt.Sprint(want[false]) {
		t.Errorf("lengths of step 2: %+v, want %v", h, want)
	}
	// A torn line waits for the rest.
	line, err := answerTo(7, 3, 0).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(dir, "rollouts.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(text)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(line[:100])
	if ask(""); a.Lines != 56 || a.Bad != 0 {
		t.Errorf("with a torn line: %d lines, %d bad", a.Lines, a.Bad)
	}
	write(append(line[100:], "\nnothing\n{\"step\":7}\n"...))
	if ask(""); a.Lines != 57 || a.Bad != 2 {
		t.Errorf("with the rest and lines that are none: %d lines, %d bad", a.Lines, a.Bad)
	}
	began := a.Began
	sampleTo(t, dir, 5, 5) // the run goes on from step 4: the file is another one
	if ask(""); a.Lines != 44 || a.Began != began+1 || a.Steps[len(a.Steps)-1] != 5 {
		t.Errorf("after going back: %+v", a)
	}
	write(append(line, '\n'))
	sampleStep, err := answerTo(4, 3, 0).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	write(append(sampleStep, '\n'))
	if ask(""); a.Lines != 29 || a.Steps[len(a.Steps)-1] != 4 {
		t.Errorf("after a step that comes again: %d lines, steps %v", a.Lines, a.Steps)
	}
}

type samplesAnswer struct {
	Prompt      int
	Text, Truth string
	Steps       []int
	Means       []*float64
	Shown       []struct {
		Step, Total int
		Mean        *float64
		Samples     []struct {
			Line, Step, Prompt, Sample, Tokens, Cut int
			Text, Asked, Truth                      string
			Score, Advantage, LogProb               *float64
			Stopped                                 bool
			Trained                                 *bool
		}
	}
}

// TestAnswers: a prompt's samples at steps spread over the run, and each of them whole.
func TestAnswers(t *testing.T) {
	dir := writeRun(t, "a", 30)
	sampleTo(t, dir, 1, 30)
	h, err := dashboard.Handler([]string{dir}, source{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	var a samplesAnswer
	get(t, s.URL+"/api/runs/0/prompts/3", &a)
	if len(a.Steps) != 30 || *a.Means[0] != 0.25 || *a.Means[29] != 1 || a.Text != "<i>prompt</i> of ids [3 1]" || a.Truth != "<b>42</b>" {
		t.Errorf("prompt 3 is %q, %q, means %d", a.Text, a.Truth, len(a.Means))
	}
	var steps []int
	for _, g := range a.Shown {
		steps = append(steps, g.Step)
	}
	if fmt.Sprint(steps) != "[1 5 9 13 17 21 25 30]" {
		t.Errorf("steps %v", steps)
	}
	one, want := a.Shown[3].Samples[2], answerTo(13, 3, 2)
	text := want["text"].(string)
	if one.Text+text[len(one.Text):] != text || one.Sample != 2 || *one.Score != 0 || math.Abs(*one.Advantage+0.5) > 1e-6 || one.Tokens != len(want["response_ids"].([]int)) || *one.LogProb != -0.5 || !*one.Trained {
		t.Errorf("sample 2 of step 13 is %+v", one)
	}
	for _, c := range []struct {
		query string
		steps int
	}{{"?from=10&to=12", 3}, {"?from=31", 0}} {
		get(t, s.URL+"/api/runs/0/prompts/3"+c.query, &a)
		if len(a.Shown) != c.steps || len(a.Steps) != 30 {
			t.Errorf("%s: %d steps shown of %d", c.query, len(a.Shown), len(a.Steps))
		}
	}
	get(t, s.URL+"/api/runs/0/prompts/9", &a)
	if a.Truth != `["10",{"score":5}]` {
		t.Errorf("the ground truth of several is %q", a.Truth)
	}
	var whole struct{ Text, Asked, Truth string }
	get(t, fmt.Sprint(s.URL, "/api/runs/0/rollouts/", one.Line), &whole)
	if whole.Text != text || whole.Asked != "<i>prompt</i> of ids [3 1]" || whole.Truth != "<b>42</b>" {
		t.Errorf("a sample whole is %+v", whole)
	}
	for order, want := range map[string]string{"often": "[3 5 9]", "risen": "[3 9 5]", "fallen": "[5 9 3]", "low": "[5 9 3]", "high": "[3 9 5]"} {
		var list []struct{ Prompt, Steps int }
		get(t, s.URL+"/api/runs/0/prompts?order="+order, &list)
		var got []int
		for _, p := range list {
			got = append(got, p.Prompt)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("prompts that are %s: %v, want %s", order, got, want)
		}
	}
	for path, want := range map[string]int{"prompts/4": 404, "prompts/x": 400, "prompts?order=x": 400, "rollouts/99999": 404, "rollouts/-1": 404, "rollouts?step=x": 400, "prompts/3?from=x": 400} {
		r, err := http.Get(s.URL + "/api/runs/0/" + path)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, r.Status, want)
		}
	}
	// Another file of the same size in its place: its lines are not taken for those that were read.
	path := filepath.Join(dir, "rollouts.jsonl")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(file), `"prompt":3,`, `"prompt":4,`)), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := http.Get(s.URL + "/api/runs/0/prompts/3")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	if r.Body.Close(); r.StatusCode != http.StatusConflict || !strings.Contains(string(body), "written anew") {
		t.Errorf("of a file that was written anew: %s %s", r.Status, body)
	}
	get(t, s.URL+"/api/runs/0/prompts/4", &a)
}

// TestRolloutsStrange: members that are missing or of another type cost nothing but themselves.
func TestRolloutsStrange(t *testing.T) {
	dir := writeRun(t, "a", 6)
	var b strings.Builder
	for _, line := range []string{
		`{"step":1,"prompt":0,"score":null,"text":7,"response_ids":[],"dataset":null}`,
		`{"step":1,"prompt":0,"score":NaN,"sample":-4,"text":"x","response_ids":"abc","dataset":{"a":1},"logprobs":[NaN],"trained":3,"finish":[]}`,
		`{"step":1,"prompt":0,"score":"1","advantage":1e999,"ground_truth":NaN,"prompt_ids":[-1,1e9]}`,
		`{"step":1.5,"prompt":0}`, `{"step":-1,"prompt":0}`, `{"step":99999999999,"prompt":0}`, `{"step":1,"prompt":"a"}`, `[]`,
		`{"step":1,"prompt":2147483647,"score":1e300}`,
	} {
		b.WriteString(line + "\n")
	}
	for i := range 12 {
		fmt.Fprintf(&b, `{"step":2,"prompt":1,"score":1,"dataset":"v%d"}`+"\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "rollouts.jsonl"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir)
	var a sampledAnswer
	get(t, s.URL+"/api/runs/0/rollouts", &a)
	if a.Lines != 16 || a.Bad != 5 || len(a.Verifiers) != 8 || a.Others != 5 || a.Verifiers[0].Name != "no verifier" || a.Verifiers[0].Score[0] != nil {
		t.Errorf("%+v", a)
	}
	var p samplesAnswer
	get(t, s.URL+"/api/runs/0/prompts/0", &p)
	if n := len(p.Shown[0].Samples); n != 3 || p.Shown[0].Mean != nil || p.Shown[0].Samples[1].Text != "x" || p.Shown[0].Samples[0].Trained != nil {
		t.Errorf("%+v", p)
	}
	var list []json.RawMessage
	get(t, s.URL+"/api/runs/0/prompts?order=low", &list)
	if len(list) != 3 {
		t.Errorf("%d prompts", len(list))
	}
}
