package taskfile_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"olmo/chat"
	"olmo/eval"
	"olmo/eval/taskfile"
)

// TestChat compares every prompt in the form of three chat templates, with and without a system
// text, with lm-eval's (testdata/chat/make.py).
func TestChat(t *testing.T) {
	var want struct {
		Templates map[string]string
		Requests  []struct {
			Template, Task, Error string
			System                string
			Arguments             [][]any
		}
	}
	f, err := os.Open("testdata/chat/want.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(&want)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := taskfile.Open("testdata/chat")
	if err != nil {
		t.Fatal(err)
	}
	n, refusals := 0, 0
	for _, w := range want.Requests {
		template, err := chat.ParseTemplate(want.Templates[w.Template], map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		if err != nil {
			t.Fatal(err)
		}
		tasks, _, err := files.Select([]string{w.Task}, taskfile.Options{System: w.System, Chat: true})
		if err != nil {
			t.Fatal(err)
		}
		job, err := tasks[0].Job(eval.Inputs{Chat: true, System: w.System})
		if err != nil {
			t.Fatal(err)
		}
		var got [][]any
		for d, err := range job.Each() {
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range d.Requests {
				text := r.Context
				if r.Turns != nil {
					var refused error
					if text, refused, err = eval.ReadTurns(template, r.Turns); err != nil {
						t.Fatal(w.Template, w.Task, err)
					}
					if refused != nil {
						refusals++
					}
				}
				row := []any{float64(d.Index), text}
				if r.Form != eval.Text {
					row = append(row, r.Continuation)
				}
				got = append(got, row)
			}
		}
		if len(got) != len(w.Arguments) || w.Error != "" {
			t.Fatalf("%s of %s: %d requests, want %d (%s)", w.Task, w.Template, len(got), len(w.Arguments), w.Error)
		}
		for i := range got {
			n++
			for k := range got[i] {
				if got[i][k] != w.Arguments[i][k] {
					t.Errorf("%s of %s, system %q, request %d:\n%q, want\n%q", w.Task, w.Template, w.System, i, got[i], w.Arguments[i])
					break
				}
			}
		}
	}
	t.Logf("%d requests, %d times a system text was left out", n, refusals)
	if n != 264 || refusals == 0 {
		t.Errorf("%d requests, %d refusals: the fixture is not whole", n, refusals)
	}
}

// TestDrawing: a temperature alone draws, unless do_sample denies it (lm-eval 0.4.13,
// models/utils.py, normalize_gen_kwargs); n asks for several answers.
func TestDrawing(t *testing.T) {
	cases := []struct {
		kwargs, call string
		want         eval.Sampling
		responses    int
		err          string
	}{
		{"{}", "", eval.Sampling{}, 1, ""},
		{"{temperature: 0.5}", "", eval.Sampling{Temperature: 0.5, Seed: 1234}, 1, ""},
		{"{temperature: 0.5, do_sample: false}", "", eval.Sampling{}, 1, ""},
		{"{temperature: 0.5, do_sample: true, top_k: 5, top_p: 0.9}", "", eval.Sampling{Temperature: 0.5, TopK: 5, TopP: 0.9, Seed: 1234}, 1, ""},
		{"{do_sample: false}", "temperature=0.7", eval.Sampling{}, 0, "do_sample is false there"},
		{"{do_sample: false}", "temperature=0.7,do_sample=true,n=4", eval.Sampling{Temperature: 0.7, Seed: 1234}, 4, ""},
		{"{}", "n=0", eval.Sampling{}, 0, "n is 0, want 1 or more"},
		{"{}", "temprature=1", eval.Sampling{}, 0, "did you mean temperature?"},
	}
	for _, c := range cases {
		text := strings.ReplaceAll(task, "multiple_choice", "generate_until") + "task: t\ngeneration_kwargs: " + c.kwargs + "\n"
		o := taskfile.Options{}
		if c.call != "" {
			o.Generation = strings.Split(c.call, ",")
		}
		docs, _, err := ask(t, map[string]string{"t.yaml": text}, o, "t")
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s, %s: %v, want %q", c.kwargs, c.call, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(c.kwargs, err)
		}
		if r := docs["t"][0].Requests[0]; r.Sampling != c.want || r.Responses != c.responses {
			t.Errorf("%s, %s: %+v, %d responses, want %+v, %d", c.kwargs, c.call, r.Sampling, r.Responses, c.want, c.responses)
		}
	}
}
