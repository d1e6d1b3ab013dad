package taskfile_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
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
