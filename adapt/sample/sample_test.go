package sample

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/adapt"
	"olmo/eval/score"
	"olmo/generate"
	"olmo/lm"
	"olmo/lm/lmtest"
)

const plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"

// sampler is one of the tiny model, judged by verifiers.
func sampler(t *testing.T, template string) *Sampler {
	t.Helper()
	dir := t.TempDir()
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "t.jinja")
	if err := os.WriteFile(file, []byte(template), 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := lm.Open(dir, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	e, err := adapt.Template(file, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	one := 1.0
	return &Sampler{
		Options: Options{Completions: 100, MaxTokens: 12, Sampling: generate.Sampling{Temperature: 1, Seed: 3}, Stops: []string{"t", "n"}, Choice: Choice{Keep: Correct, MinScore: &one}},
		Model:   m, Encoder: &adapt.Encoder{Template: e, Tokenizer: m.Tokenizer}, Verifiers: score.BuiltIn(),
	}
}

// prompts writes rows of prompts that are judged by what stands in an answer.
func prompts(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"messages":[{"role":"system","content":"<b>"},{"role":"user","content":"cat %d?"},{"role":"assistant","content":"the \"own\" answer"}],"tools":[{"name":"f"}],"ground_truth":"[aeiou]","dataset":"regex"}`+"\n", i)
	}
	file := filepath.Join(t.TempDir(), "prompts.jsonl")
	if err := os.WriteFile(file, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func lines(t *testing.T, file string) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(strings.NewReader(string(text)))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		all = append(all, slices.Clone(s.Bytes()))
	}
	return all
}

// TestRun: what is written can be read again, is what the samples say it is, and does not depend on
// whether the run was interrupted.
func TestRun(t *testing.T) {
	s := sampler(t, plain)
	s.Reference = true
	input, dir := prompts(t, 5), t.TempDir()
	out, samples := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "samples.jsonl")
	sum, err := s.Run(t.Context(), input, out, samples)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Prompts != 5 || sum.Answers != 505 || sum.Rows == 0 || sum.Cut == 0 || sum.WithGood != 5 {
		t.Errorf("%+v", sum)
	}
	good, cut, total := 0, 0, 0.0
	said := map[string]bool{}
	for i, line := range lines(t, samples) {
		p, err := adapt.ParsePrediction(line)
		if err != nil {
			t.Fatal(err)
		}
		var x struct {
			Prompt int `json:"prompt_index"`
			Sample int
			Finish string
			Score  float64
		}
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		if x.Prompt != i/101 || x.Sample != i%101 || p.Prompt != fmt.Sprintf("system: <b>\nuser: cat %d?", x.Prompt) || (x.Finish == reference) != (x.Sample == 100) {
			t.Fatalf("sample %d is %s", i, line)
		}
		want := 0.0
		if strings.ContainsAny(p.Text, "aeiou") {
			want = 1
		}
		if x.Score != want || len(p.IDs) == 0 {
			t.Errorf("sample %d has score %v, want %v: %s", i, x.Score, want, line)
		}
		total += x.Score
		if x.Finish == "length" {
			cut++
		} else if x.Score == 1 {
			good++
			said[fmt.Sprint(x.Prompt, " ", p.Text)] = true
		}
	}
	if good != sum.Good || cut != sum.Cut || sum.Rows != len(said) || sum.Score != total/505 {
		t.Errorf("good %d, cut %d, different %d, sum %v of %+v", good, cut, len(said), total, sum)
	}
	rows := lines(t, out)
	if len(rows) != sum.Rows {
		t.Errorf("%d rows, want %d", len(rows), sum.Rows)
	}
	for _, line := range rows {
		r, err := adapt.ParseRow(line, adapt.SFT)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Conversation
		if len(c.Messages) != 3 || c.Messages[0].Content != "<b>" || c.Tools == nil || !strings.Contains(string(line), `"<b>"`) {
			t.Errorf("%s", line)
		}
	}

	// Interrupted after the first chunk of two prompts, and again, it comes to the same bytes.
	again := filepath.Join(dir, "again.jsonl")
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		s.Told = func(int, int) {
			if calls++; calls == 2 {
				cancel()
			}
		}
		if _, err := s.Run(ctx, input, again, samples+"2"); err == nil {
			t.Fatal("it was not interrupted")
		}
		if _, err := os.Stat(again); err == nil {
			t.Error("an interrupted run leaves a file")
		}
	}
	first := -1
	s.Told = func(done, _ int) {
		if first < 0 {
			first = done
		}
	}
	if _, err := s.Run(t.Context(), input, again, samples+"2"); err != nil {
		t.Fatal(err)
	}
	if first != 4 {
		t.Errorf("the third run begins at prompt %d, want 4", first)
	}
	for _, pair := range [][2]string{{out, again}, {samples, samples + "2"}} {
		a, _ := os.ReadFile(pair[0])
		b, _ := os.ReadFile(pair[1])
		if string(a) != string(b) {
			t.Errorf("%s and %s differ", pair[0], pair[1])
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}

	// Fewer answers are the first of them.
	s.Completions, s.Keep, s.Told, s.Reference = 10, Pairs, nil, false
	few := filepath.Join(dir, "few.jsonl")
	if _, err := s.Run(t.Context(), input, filepath.Join(dir, "pairs.jsonl"), few); err != nil {
		t.Fatal(err)
	}
	all := lines(t, samples)
	for i, line := range lines(t, few) {
		if string(line) != string(all[i/10*101+i%10]) {
			t.Errorf("sample %d of ten is %s", i, line)
		}
	}
	pairs := lines(t, filepath.Join(dir, "pairs.jsonl"))
	if len(pairs) == 0 {
		t.Error("no pair was made")
	}
	for _, line := range pairs {
		r, err := adapt.ParseRow(line, adapt.Preference)
		if err != nil {
			t.Fatal(err)
		}
		last := func(c adapt.Conversation) string { return c.Messages[len(c.Messages)-1].Content }
		if !strings.ContainsAny(last(r.Conversation), "aeiou") || strings.ContainsAny(last(r.Rejected), "aeiou") {
			t.Errorf("%s", line)
		}
	}
}

// TestJournal: a journal of another run is not gone on with, and of a torn or altered one the lines before
// are.
func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	answers := func(k int) []Sampled {
		return []Sampled{{Text: fmt.Sprint("<", k), IDs: []int32{1}, Score: 0.5, Finish: "stop"}}
	}
	fill := func() {
		j, done, err := openJournal(name, "a")
		if err != nil || len(done) != 0 {
			t.Fatal(done, err)
		}
		for k := range 3 {
			if err := j.Add(k, answers(k)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Keep(); err != nil {
			t.Fatal(err)
		}
	}
	tmp := filepath.Join(filepath.Dir(name), ".x.progress.tmp")
	for _, c := range []struct {
		name, digest string
		change       func(text string) string
		want         int
	}{
		{"whole", "a", func(s string) string { return s }, 3},
		{"another run", "b", func(s string) string { return s }, 0},
		{"torn", "a", func(s string) string { return s[:len(s)-5] }, 2},
		{"torn at the first", "a", func(s string) string { return s[:5] }, 0},
		{"altered", "a", func(s string) string { return strings.Replace(s, `003c1`, `003c7`, 1) }, 1},
		{"without one", "a", func(s string) string {
			all := strings.SplitAfter(s, "\n")
			return all[0] + all[1] + all[3]
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			fill()
			text, err := os.ReadFile(tmp)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(tmp, []byte(c.change(string(text))), 0o666); err != nil {
				t.Fatal(err)
			}
			for range 2 { // also when what was mended is read again
				j, done, err := openJournal(name, c.digest)
				if err != nil || len(done) != c.want {
					t.Fatalf("%d prompts, want %d: %v", len(done), c.want, err)
				}
				for k, got := range done {
					if got[0].Text != answers(k)[0].Text {
						t.Errorf("prompt %d has %+v", k, got)
					}
				}
				if err := j.Keep(); err != nil {
					t.Fatal(err)
				}
			}
			j, _, err := openJournal(name, c.digest)
			if err != nil {
				t.Fatal(err)
			}
			j.End()
			if _, err := os.Stat(tmp); err == nil {
				t.Error("the journal is left")
			}
		})
	}
}

// TestThinking: what of the answer the prompt has begun belongs to it.
func TestThinking(t *testing.T) {
	s := sampler(t, strings.Replace(plain, "assistant:{%", "assistant: <think>\n{%", 1))
	s.Completions, s.Keep = 8, Best
	s.MinScore = nil
	dir := t.TempDir()
	out, samples := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "samples.jsonl")
	if _, err := s.Run(t.Context(), prompts(t, 40), out, samples); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, line := range lines(t, out) {
		var x struct {
			Messages []struct{ Content string }
			Prompt   int `json:"prompt_index"`
		}
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		n++
		if !strings.HasPrefix(x.Messages[2].Content, "<think>\n") {
			t.Errorf("%s", line)
		}
	}
	if n == 0 {
		t.Error("no row was made")
	}
	for _, line := range lines(t, samples) {
		if p, err := adapt.ParsePrediction(line); err != nil || strings.HasPrefix(p.Text, "<think>") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestReward: a reward model's scores are those that it gives the conversations alone.
func TestReward(t *testing.T) {
	s := sampler(t, plain)
	dir := t.TempDir()
	if err := lmtest.WriteReward(dir); err != nil {
		t.Fatal(err)
	}
	template := filepath.Join(dir, "t.jinja")
	if err := os.WriteFile(template, []byte(plain), 0o666); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Reward, err = adapt.OpenRewardModel(dir, template); err != nil {
		t.Fatal(err)
	}
	defer s.Reward.Close()
	s.Verifiers, s.MinScore, s.Keep, s.Completions = nil, nil, Pairs, 30
	out, samples := filepath.Join(dir, "pairs.jsonl"), filepath.Join(dir, "samples.jsonl")
	sum, err := s.Run(t.Context(), prompts(t, 4), out, samples)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rows == 0 || sum.Rows+sum.Even != sum.WithGood {
		t.Errorf("%+v", sum)
	}
	type pair struct {
		Chosen   float64 `json:"chosen_score"`
		Rejected float64 `json:"rejected_score"`
		Prompt   int     `json:"prompt_index"`
	}
	made := map[int]pair{}
	for _, line := range lines(t, out) {
		var p pair
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		made[p.Prompt] = p
		r, err := adapt.ParseRow(line, adapt.Preference)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Reward.Score(t.Context(), []*adapt.Conversation{&r.Conversation, &r.Rejected})
		if err != nil || got[0] != float32(p.Chosen) || got[1] != float32(p.Rejected) || p.Chosen <= p.Rejected {
			t.Errorf("%v, %v: %s", got, err, line)
		}
	}
	for _, line := range lines(t, samples) {
		var x struct {
			Score      float64
			Prediction string
			Finish     string
			Prompt     int `json:"prompt_index"`
		}
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		p, ok := made[x.Prompt]
		if ok && strings.TrimSpace(x.Prediction) != "" && (x.Score < p.Rejected || x.Finish != "length" && x.Score > p.Chosen) {
			t.Errorf("the pair of prompt %d has %v and %v, and an answer %v", x.Prompt, p.Chosen, p.Rejected, x.Score)
		}
	}
}

// TestChoice: which answers are kept.
func TestChoice(t *testing.T) {
	half := 0.5
	a := func(text, finish string, score float64) Sampled {
		return Sampled{Text: text, Finish: finish, Score: score}
	}
	for _, c := range []struct {
		name             string
		answers          []Sampled
		min              *float64
		best             int
		correct          []int
		chosen, rejected int
		ok               bool
	}{
		{"first of several", []Sampled{a("x", "stop", 0), a("y", "stop", 1), a("z", "stop", 1)}, &half, 1, []int{1, 2}, 1, 0, true},
		{"same texts", []Sampled{a("y", "stop", 1), a("y", "stop", 1), a("z", "stop", 0.5)}, &half, 0, []int{0, 2}, 0, 2, true},
		{"cut", []Sampled{a("x", "length", 1), a("y", "stop", 0.6), a("z", "length", 0.1)}, &half, 1, []int{1}, 1, 2, true},
		{"empty", []Sampled{a(" \n", "stop", 1), a("y", "stop", 0.6), a("", "stop", 0)}, &half, 1, []int{1}, 1, 1, false},
		{"none good", []Sampled{a("x", "stop", 0.4), a("y", "stop", 0)}, &half, -1, nil, -1, -1, false},
		{"any score", []Sampled{a("x", "stop", -4), a("y", "reference", -3), a("z", "stop", -4)}, nil, 1, []int{0, 1, 2}, 1, 2, true},
		{"even", []Sampled{a("x", "stop", 1), a("y", "stop", 1)}, nil, 0, []int{0, 1}, 0, 1, false},
	} {
		choice := Choice{MinScore: c.min}
		if best := choice.best(c.answers); best != c.best {
			t.Errorf("%s: best %d, want %d", c.name, best, c.best)
		}
		if correct := choice.correct(c.answers); !slices.Equal(correct, c.correct) {
			t.Errorf("%s: correct %v, want %v", c.name, correct, c.correct)
		}
		if chosen, rejected, ok := choice.pair(c.answers); chosen != c.chosen || rejected != c.rejected || ok != c.ok {
			t.Errorf("%s: pair %d, %d, %v, want %d, %d, %v", c.name, chosen, rejected, ok, c.chosen, c.rejected, c.ok)
		}
	}
}

// TestBadRows: mistakes are told with file and line before anything is sampled.
func TestBadRows(t *testing.T) {
	s := sampler(t, plain)
	for row, want := range map[string]string{
		`{"messages":[{"role":"user","content":"a"}]}`:                                                                     "rows.jsonl:2: ",
		`{"messages":[{"role":"user","content":"a"}],"ground_truth":"a","dataset":"regexp"}`:                               "did you mean regex?",
		`{"messages":[{"role":"user","content":"a"}],"ground_truth":3,"dataset":"regex"}`:                                  "ground_truth is a pattern of RE2: it is 3",
		`{"messages":[{"role":"assistant","content":"a"}],"ground_truth":"a","dataset":"regex"}`:                           "asks nothing",
		`{"messages":[{"role":"user","content":"` + strings.Repeat("x ", 60) + `"}],"ground_truth":"a","dataset":"regex"}`: "positions",
	} {
		file := filepath.Join(t.TempDir(), "rows.jsonl")
		good := `{"messages":[{"role":"user","content":"a"}],"ground_truth":"a","dataset":"regex"}` + "\n"
		if err := os.WriteFile(file, []byte(good+row+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := s.Run(t.Context(), file, file+".out", "")
		if err == nil || !strings.Contains(err.Error(), "rows.jsonl:2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", row, err, want)
		}
	}
	for want, change := range map[string]func(o *Options){
		"must be 1 or more":   func(o *Options) { o.Completions = 0 },
		"must have 1 or more": func(o *Options) { o.MaxTokens = 0 },
		"temperature 0":       func(o *Options) { o.Sampling.Temperature = 0 },
		"wants 2 answers":     func(o *Options) { o.Keep, o.Completions = Pairs, 1 },
		"stop is empty":       func(o *Options) { o.Stops = []string{""} },
		"what is kept":        func(o *Options) { o.Keep = "" },
		"correct answers":     func(o *Options) { o.MinScore = nil },
		"top-p":               func(o *Options) { o.Sampling.TopP = 2 },
	} {
		o := s.Options
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
