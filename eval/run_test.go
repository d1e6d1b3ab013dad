package eval_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/eval"
	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/store"
)

// tiny writes a model to a folder.
func tiny(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// jobs makes jobs of tasks, all with the same inputs.
func jobs(t *testing.T, in eval.Inputs, names ...string) (jobs []*eval.Job) {
	t.Helper()
	for _, name := range names {
		task, err := eval.LookupTask(name)
		if err != nil {
			t.Fatal(err)
		}
		j, err := task.Job(in)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// judge opens the model and runs it; kept are the jobs that an earlier run did.
func judge(ctx context.Context, t *testing.T, path string, r eval.Run) (res *eval.Results, kept []string, err error) {
	t.Helper()
	m, err := lm.Open(path, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r.Kept = func(job string) { kept = append(kept, job) }
	res, err = r.Do(ctx, &eval.Local{Model: m})
	return res, kept, err
}

func documents(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	return []string{
		write(t, filepath.Join(dir, "a.jsonl"), `{"id":"1","text":"The cat sat on the mat."}`+"\n"+`{"id":"2","text":"The dog, too."}`+"\n"),
		write(t, filepath.Join(dir, "b.txt"), "A naïve dog & a <cat>.\n"),
	}
}

var seconds = regexp.MustCompile(`(?s)"seconds": \{.*?\}`)

// TestRunAgain stops a run between its jobs, as a kill would. The next one keeps what is
// done and ends with the files of a run that nothing disturbed.
func TestRunAgain(t *testing.T) {
	model, docs := tiny(t), documents(t)
	whole, broken := t.TempDir(), t.TempDir()
	names := []string{"arc_easy", "bpb", "paloma"}
	run := func(out string) eval.Run {
		return eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs, Limit: 3, Window: 16}, names...), Out: out}
	}
	want, kept, err := judge(t.Context(), t, model, run(whole))
	if err != nil || kept != nil {
		t.Fatal(kept, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := run(broken)
	stopped.Progress = func(p eval.Progress) {
		if p.Job == "paloma" {
			cancel()
		}
	}
	if _, _, err := judge(ctx, t, model, stopped); !errors.Is(err, context.Canceled) {
		t.Fatalf("a run that is stopped: %v", err)
	}
	got, kept, err := judge(t.Context(), t, model, run(broken))
	if err != nil || !slices.Equal(kept, names[:2]) {
		t.Fatalf("after a run that was stopped in its third job %q are kept (%v)", kept, err)
	}
	for _, name := range []string{"results.json", "requests-arc_easy.jsonl", "requests-bpb.jsonl", "requests-paloma.jsonl"} {
		a, b := read(t, filepath.Join(broken, name)), read(t, filepath.Join(whole, name))
		if name == "results.json" { // the times alone differ
			a, b = seconds.ReplaceAllString(a, ""), seconds.ReplaceAllString(b, "")
		}
		if a != b {
			t.Errorf("%s of the run that was stopped and continued:\n%s\nof the other:\n%s", name, a, b)
		}
	}
	// What is kept has the same scores as what is computed.
	for _, name := range names {
		a, _ := json.Marshal(got.Scores[name])
		b, _ := json.Marshal(want.Scores[name])
		if string(a) != string(b) || string(b) == "{}" {
			t.Errorf("%s: %s, want %s", name, a, b)
		}
	}
	if text := read(t, filepath.Join(whole, "requests-bpb.jsonl")); strings.Count(text, "\n") != 3 {
		t.Errorf("requests of bpb:\n%s\nwant a line for each of 3 documents", text)
	}
}

// TestStoppedOverOldResults stops a run in a folder that has results of other settings: the
// next one keeps what the stopped one did, and nothing of before.
func TestStoppedOverOldResults(t *testing.T) {
	model, docs, out := tiny(t), documents(t), t.TempDir()
	run := func(limit int) eval.Run {
		return eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs, Limit: limit}, "arc_easy", "bpb"), Out: out}
	}
	old, _, err := judge(t.Context(), t, model, run(2))
	if err != nil || old.Scores["bpb"].Documents.Documents != 2 || old.Scores["arc_easy"].Choices.Questions != 2 {
		t.Fatalf("of at most two %+v (%v)", old.Scores, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := run(3)
	stopped.Progress = func(p eval.Progress) {
		if p.Job == "bpb" {
			cancel()
		}
	}
	if _, _, err := judge(ctx, t, model, stopped); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	res, kept, err := judge(t.Context(), t, model, run(3))
	if err != nil || !slices.Equal(kept, []string{"arc_easy"}) || res.Scores["bpb"].Documents.Documents != 3 {
		t.Errorf("kept %q, %d documents (%v); want arc_easy kept and 3 documents", kept, res.Scores["bpb"].Documents.Documents, err)
	}
}

// TestTwoRuns starts a run in a folder that another one is writing to.
func TestTwoRuns(t *testing.T) {
	model, out := tiny(t), t.TempDir()
	first := eval.Run{Jobs: jobs(t, eval.Inputs{Limit: 2}, "arc_easy"), Out: out}
	var second error
	begun := false
	first.Progress = func(eval.Progress) {
		if !begun {
			begun = true
			_, _, second = judge(t.Context(), t, model, eval.Run{Jobs: first.Jobs, Out: out})
		}
	}
	if _, _, err := judge(t.Context(), t, model, first); err != nil {
		t.Fatal(err)
	}
	if held := new(store.HeldError); !errors.As(second, &held) || held.Holder.PID != os.Getpid() {
		t.Errorf("a second run in the same folder: %v", second)
	}
}

// TestDigests changes one thing after the other: what depends on it is computed again, the
// rest is kept.
func TestDigests(t *testing.T) {
	model, docs, out := tiny(t), documents(t), t.TempDir()
	in := eval.Inputs{Documents: docs, Limit: 3}
	precision := "fp32"
	names := []string{"arc_easy", "bpb"}
	again := func() []string {
		t.Helper()
		m, err := lm.Open(model, lm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var kept []string
		r := eval.Run{Jobs: jobs(t, in, names...), Out: out, Kept: func(job string) { kept = append(kept, job) }}
		_, err = r.Do(t.Context(), &eval.Local{Model: m, Precision: precision})
		if err != nil {
			t.Fatal(err)
		}
		var did []string
		for _, name := range names {
			if !slices.Contains(kept, name) {
				did = append(did, name)
			}
		}
		return did
	}
	config := filepath.Join(model, "config.json")
	weights := read(t, filepath.Join(model, "model.safetensors"))
	for _, c := range []struct {
		what   string
		change func()
		want   []string
	}{
		{"the first time", func() {}, names},
		{"again", func() {}, nil},
		{"another window", func() { in.Window = 8 }, []string{"bpb"}},
		{"the end of text", func() { in.EndOfText = true }, []string{"bpb"}},
		{"a document that has changed", func() { write(t, docs[1], "Another text.") }, []string{"bpb"}},
		{"documents under another path", func() {
			dir := t.TempDir()
			for i, d := range docs {
				docs[i] = write(t, filepath.Join(dir, filepath.Base(d)), read(t, d))
			}
		}, nil},
		{"fewer questions and documents", func() { in.Limit = 2 }, names},
		{"another arithmetic", func() { precision = "amp_bf16" }, names},
		{"a file of requests that is gone", func() { os.Remove(filepath.Join(out, "requests-bpb.jsonl")) }, []string{"bpb"}},
		{"requests of another run", func() { write(t, filepath.Join(out, "requests-arc_easy.jsonl"), "{}\n") }, []string{"arc_easy"}},
		{"another config", func() { write(t, config, strings.Replace(read(t, config), "10000", "20000", 1)) }, names},
		{"other weights", func() {
			write(t, filepath.Join(model, "model.safetensors"), weights[:len(weights)-1]+string(weights[len(weights)-1]^1))
		}, names},
	} {
		c.change()
		if did := again(); !slices.Equal(did, c.want) {
			t.Errorf("%s: %q are computed, want %q", c.what, did, c.want)
		}
	}
	// Results of other jobs stay.
	names = []string{"paloma"}
	again()
	var res eval.Results
	if err := json.Unmarshal([]byte(read(t, filepath.Join(out, "results.json"))), &res); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(res.Results)); !slices.Equal(got, []string{"arc_easy", "bpb", "paloma"}) {
		t.Errorf("results.json has %q", got)
	}
}

// TestFigures holds results.json against what the requests say.
func TestFigures(t *testing.T) {
	model, docs, out := tiny(t), documents(t), t.TempDir()
	docs = append(docs, write(t, filepath.Join(filepath.Dir(docs[0]), "empty.txt"), ""))
	res, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs, Limit: 10}, "arc_easy", "bpb"), Out: out})
	if err != nil {
		t.Fatal(err)
	}
	// The spread of a sample of n: n−1, as lm-eval has it.
	acc := res.Scores["arc_easy"].Choices.Accuracy
	if got, want := res.Results["arc_easy"]["acc_stderr,none"], math.Sqrt(acc*(1-acc)/9); got != want || acc == 0 || acc == 1 {
		t.Errorf("the error of %v in 10 questions is %v, want %v", acc, got, want)
	}
	if len(res.Notices) != 1 {
		t.Errorf("%d notices, want that of the questions inside the program", len(res.Notices))
	}
	// Each file has its figures. One without text has none, and no part in the mean.
	files := res.Scores["bpb"].Domains
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, []string{"a.jsonl", "b.txt", "empty.txt"}) {
		t.Fatalf("figures of the files %q, want %q", got, docs)
	}
	nats := files["a.jsonl"].Nats + files["b.txt"].Nats
	whole := res.Scores["bpb"].Documents
	if math.Abs(nats-whole.Nats) > 1e-9*nats || whole.Documents != 4 {
		t.Errorf("the files have %v nats, all %d documents %v", nats, whole.Documents, whole.Nats)
	}
	if got, want := res.Results["bpb"]["perplexity_per_token_macro"], (files["a.jsonl"].PerToken+files["b.txt"].PerToken)/2; got != want {
		t.Errorf("the mean of the files' perplexities is %v, want %v", got, want)
	}
	var kept struct {
		Results map[string]struct{ Domains map[string]map[string]any }
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(out, "results.json"))), &kept); err != nil {
		t.Fatal(err)
	}
	if empty := kept.Results["bpb"].Domains["empty.txt"]; empty["bits_per_byte"] != nil || empty["perplexity_per_token"] != nil || empty["bytes"] != 0.0 {
		t.Errorf("figures of no text: %v, want null", empty)
	}
	// One file alone has no figures beside those of the whole.
	one, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs[:1]}, "bpb")})
	if err != nil || one.Scores["bpb"].Domains != nil || one.Results["bpb"]["domains"] != nil {
		t.Errorf("of one file: %v (%v)", one.Results, err)
	}
	// Nothing at all cannot be measured.
	if _, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs[2:]}, "bpb")}); err == nil || !contains(err, "no text") {
		t.Errorf("no text: %v", err)
	}
}

// TestOneFileEach: two jobs, of one run or of two, never share a file of requests, and a job's
// name is no path.
func TestOneFileEach(t *testing.T) {
	out, model := t.TempDir(), tiny(t)
	named := func(names ...string) eval.Run {
		r := eval.Run{Out: out, Jobs: jobs(t, eval.Inputs{Limit: 1}, slices.Repeat([]string{"arc_easy"}, len(names))...)}
		for i, name := range names {
			r.Jobs[i].Name = name
		}
		return r
	}
	for _, r := range []eval.Run{named("a:b", "a_b"), named("../a:b"), named("a_b"), named(".._a_b")} {
		_, _, err := judge(t.Context(), t, model, r)
		switch r.Jobs[0].Name {
		case "../a:b", "a_b":
			if err != nil {
				t.Error(r.Jobs[0].Name, err)
			}
		default:
			if err == nil || !contains(err, "would both stand in") {
				t.Errorf("%s: %v", r.Jobs[0].Name, err)
			}
		}
	}
	read(t, filepath.Join(out, "requests-.._a_b.jsonl"))
	for _, other := range []string{`{"results": {}, "git_hash": "1"}`, `{"results": {}, "n-shot": {"t": 1.5}}`, `{"results": {}} {}`, `[]`, `{`} {
		write(t, filepath.Join(out, "results.json"), other)
		if _, _, err := judge(t.Context(), t, model, named("c")); err == nil || !contains(err, "no results.json of this version") || read(t, filepath.Join(out, "results.json")) != other {
			t.Errorf("%s: %v", other, err)
		}
	}
}

// TestRequestsFile: texts stand in the file of requests as they are, readable by people, one
// line for each choice.
func TestRequestsFile(t *testing.T) {
	out := t.TempDir()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "piqa.jsonl"), `{"goal":"a <b> & c","sol1":"x","sol2":"yé","label":1}`)
	j := jobs(t, eval.Inputs{Data: []string{dir}}, "piqa")[0]
	j.Name = "a:b"
	var told []eval.Progress
	run := eval.Run{Jobs: []*eval.Job{j}, Out: out, Config: map[string]any{"limit": 1}, Progress: func(p eval.Progress) { told = append(told, p) }}
	res, _, err := judge(t.Context(), t, tiny(t), run)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(read(t, filepath.Join(out, "requests-a_b.jsonl")), "\n"), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"context":"Question: a <b> & c\nAnswer:"`) {
		t.Fatalf("requests %q", lines)
	}
	var first, second eval.Line
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &first), json.Unmarshal([]byte(lines[1]), &second)); err != nil {
		t.Fatal(err)
	}
	if second.Doc != 0 || second.Choice != 1 || !second.Gold || first.Gold || *second.Continuation != " yé" || second.Chars != 3 || second.Bytes != 4 || second.Hash != first.Hash || second.Hash == "" || second.Scores != nil {
		t.Errorf("the second request is %+v", second)
	}
	if want := number(*second.Logprob > *first.Logprob); first.Scores["acc"] != want || *first.Logprob >= 0 || first.Tokens < 1 {
		t.Errorf("the first request is %+v, want the accuracy %v", first, want)
	}
	var kept struct {
		Samples map[string]eval.Samples `json:"n-samples"`
		Results map[string]map[string]any
		Config  map[string]any
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(out, "results.json"))), &kept); err != nil {
		t.Fatal(err)
	}
	r := kept.Results["a:b"]
	if kept.Samples["a:b"] != (eval.Samples{Original: 1, Effective: 1}) || kept.Config["limit"] != 1.0 || r["alias"] != "a:b" || r["acc,none"] != r["acc"] || r["acc_norm,none"] != r["len_norm"] || r["metric"] != "len_norm" || r["chance"] != 0.5 {
		t.Errorf("results.json has %+v", kept)
	}
	if res.Scores["a:b"].Choices.Questions != 1 || res.Scores["a:b"].Documents != nil {
		t.Errorf("scores %+v", res.Scores)
	}
	want := []eval.Progress{{Job: "a:b", Total: 2}, {Job: "a:b", Done: 1, Total: 2}, {Job: "a:b", Done: 2, Total: 2}}
	if !slices.Equal(told, want) {
		t.Errorf("progress %+v, want %+v", told, want)
	}
}

func number(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// TestKilled cuts the journal of a run that was stopped at every length: the next run asks what
// is not whole in it, and nothing else, and ends with the same requests.
func TestKilled(t *testing.T) {
	model, whole, out, altered := tiny(t), t.TempDir(), t.TempDir(), t.TempDir()
	run := func(out string) eval.Run { return eval.Run{Jobs: jobs(t, eval.Inputs{Limit: 3}, "arc_easy"), Out: out} }
	if _, _, err := judge(t.Context(), t, model, run(whole)); err != nil {
		t.Fatal(err)
	}
	want := read(t, filepath.Join(whole, "requests-arc_easy.jsonl"))
	ctx, cancel := context.WithCancel(t.Context())
	stopped := run(out)
	stopped.Progress = func(p eval.Progress) {
		if p.Done == 5 {
			cancel()
			panic("killed")
		}
	}
	func() {
		defer func() { _ = recover() }()
		judge(ctx, t, model, stopped)
	}()
	journal := filepath.Join(out, ".requests-arc_easy.jsonl.progress.tmp")
	text := read(t, journal)
	if n := strings.Count(text, "\n"); n != 5 {
		t.Fatalf("the journal of a run that was killed has %d lines, want the digest and 4 answers:\n%s", n, text)
	}
	// A digit that changed is no answer: its request is asked again.
	changed := strings.Replace(text, `"logprob":-`, `"logprob":-1`, 1)
	write(t, filepath.Join(altered, filepath.Base(journal)), changed)
	asked, again := 0, run(altered)
	again.Progress = func(p eval.Progress) { asked++ }
	if _, _, err := judge(t.Context(), t, model, again); err != nil || changed == text {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(altered, "requests-arc_easy.jsonl")); got != want || asked-1 != 12-3 {
		t.Errorf("with a digit changed: %d answers were asked, want 9; the same requests: %v", asked-1, got == want)
	}
	for _, n := range []int{len(text), len(text) - 1, len(text) - 30, len(text) / 2, 3, 0} {
		// In another folder: this process still holds the first one's lock.
		out := t.TempDir()
		journal := write(t, filepath.Join(out, filepath.Base(journal)), text[:n])
		asked, again := 0, run(out)
		again.Progress = func(p eval.Progress) { asked++ }
		if _, _, err := judge(t.Context(), t, model, again); err != nil {
			t.Fatal(err)
		}
		kept := max(strings.Count(text[:n], "\n")-1, 0)
		if n == len(text)-1 { // the line lacks its end alone
			kept++
		}
		if got := read(t, filepath.Join(out, "requests-arc_easy.jsonl")); got != want || asked-1 != 12-kept {
			t.Errorf("after %d bytes: %d answers were asked, want %d; the same requests: %v", n, asked-1, 12-kept, got == want)
		}
		if _, err := os.Stat(journal); err == nil {
			t.Errorf("after %d bytes: the journal is still there", n)
		}
	}
}

// TestDocumentsProgress: the share of the files' bytes that has been read, and what has been
// measured.
func TestDocumentsProgress(t *testing.T) {
	docs := documents(t)
	var last eval.Progress
	run := eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs}, "bpb"), Progress: func(p eval.Progress) { last = p }}
	res, _, err := judge(t.Context(), t, tiny(t), run)
	if err != nil {
		t.Fatal(err)
	}
	want := eval.Progress{Job: "bpb", Done: 3, Documents: 3, Text: res.Scores["bpb"].Documents.Bytes}
	if last != want {
		t.Errorf("at the end %+v, want %+v", last, want)
	}
	if got, want := res.Results["bpb"]["byte_perplexity,none"], res.Results["bpb"]["perplexity_per_byte"]; got != want || got == nil || res.Samples["bpb"].Effective != 3 {
		t.Errorf("lm-eval's figure %v, ours %v; %+v samples", got, want, res.Samples["bpb"])
	}
}

// TestDocumentFiles: files of documents and of plain text, packed or not; a limit counts
// documents over all files.
func TestDocumentFiles(t *testing.T) {
	dir := t.TempDir()
	pack := func(name, text string) string {
		t.Helper()
		w, err := data.CreateWriter(filepath.Join(dir, name))
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	docs := []string{
		pack("a.jsonl.gz", `{"id":"1","text":"one"}`+"\n"+`{"id":"2","text":"three"}`+"\n"), pack("b.txt.zst", "seven77"), pack("c.json", `{"id":"3","text":"eleven11111"}`+"\n"), pack("d.md", "#"),
	}
	model := tiny(t)
	for limit, bytes := range map[int]int64{0: 27, 1: 3, 2: 8, 3: 15, 4: 26, 5: 27, 9: 27} {
		res, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs, Limit: limit}, "bpb")})
		if err != nil || res.Scores["bpb"].Documents.Bytes != bytes {
			t.Errorf("a limit of %d measures %d bytes (%v), want %d", limit, res.Scores["bpb"].Documents.Bytes, err, bytes)
		}
	}
	// A damaged line is an error, not a text.
	bad := pack("bad.jsonl", `{"id":"1","text":"one"}`+"\n{\n")
	if _, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: []string{bad}}, "bpb")}); err == nil || !contains(err, "bad.jsonl") {
		t.Errorf("a damaged line: %v", err)
	}
}

// TestWindowLimits: a window as long as the model's positions is possible, and what is left
// out of the options is the model's.
func TestWindowLimits(t *testing.T) {
	model := tiny(t)
	nats := map[int]float64{}
	text := write(t, filepath.Join(t.TempDir(), "long.txt"), strings.Repeat("The cat sat on the mat. ", 20))
	for _, window := range []int{0, 64, 8} {
		res, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: []string{text}, Window: window}, "bpb")})
		if err != nil {
			t.Fatal(err)
		}
		nats[window] = res.Scores["bpb"].Documents.Nats
	}
	if nats[0] != nats[64] || nats[8] == nats[64] {
		t.Errorf("nats by window %v: want the same for 0 and 64, another for 8", nats)
	}
}

// TestEndOfText charges one more token for each document.
func TestEndOfText(t *testing.T) {
	model, docs := tiny(t), documents(t)
	measure := func(endOfText bool) *eval.Perplexity {
		t.Helper()
		res, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs, EndOfText: endOfText}, "bpb")})
		if err != nil {
			t.Fatal(err)
		}
		return res.Scores["bpb"].Documents
	}
	without, with := measure(false), measure(true)
	if with.Tokens != without.Tokens+3 || with.Nats <= without.Nats || with.Bytes != without.Bytes {
		t.Errorf("with the end of text %+v, without %+v: want 3 tokens more", with, without)
	}
}

func TestRunErrors(t *testing.T) {
	model, docs := tiny(t), documents(t)
	bpb, err := eval.LookupTask("bpb")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bpb.Job(eval.Inputs{}); err == nil || !contains(err, "--documents") {
		t.Errorf("no documents: %v", err)
	}
	out := t.TempDir()
	results := write(t, filepath.Join(out, "results.json"), "{")
	for name, r := range map[string]eval.Run{
		"a window of 65 tokens": {Jobs: jobs(t, eval.Inputs{Documents: docs, Window: 65}, "bpb")},
		results:                 {Jobs: jobs(t, eval.Inputs{Limit: 1}, "arc_easy"), Out: out},
		"missing.txt":           {Jobs: jobs(t, eval.Inputs{Documents: []string{"missing.txt"}}, "bpb")},
	} {
		if _, _, err := judge(t.Context(), t, model, r); err == nil || !contains(err, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A model that names no end of text has nothing to stand before a document.
	for _, name := range []string{"config.json", "generation_config.json"} {
		write(t, filepath.Join(model, name), strings.ReplaceAll(read(t, filepath.Join(model, name)), `"eos_token_id": 0`, `"eos_token_id": null`))
	}
	if _, _, err := judge(t.Context(), t, model, eval.Run{Jobs: jobs(t, eval.Inputs{Documents: docs}, "bpb")}); err == nil || !contains(err, "end-of-text") {
		t.Errorf("no end of text: %v", err)
	}
	if got := read(t, results); got != "{" {
		t.Errorf("a results.json that cannot be read is written over: %s", got)
	}
}

// The bits per byte of a text, by a model of random weights.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "eval")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	text := filepath.Join(dir, "text.txt")
	err = errors.Join(lmtest.Write(filepath.Join(dir, "model")), os.WriteFile(text, []byte("The cat sat on the mat."), 0o666))
	if err != nil {
		panic(err)
	}
	task, err := eval.LookupTask("bpb")
	if err != nil {
		panic(err)
	}
	job, err := task.Job(eval.Inputs{Documents: []string{text}})
	if err != nil {
		panic(err)
	}
	m, err := lm.Open(filepath.Join(dir, "model"), lm.Options{})
	if err != nil {
		panic(err)
	}
	defer m.Close()
	run := eval.Run{Jobs: []*eval.Job{job}}
	results, err := run.Do(context.Background(), &eval.Local{Model: m})
	if err != nil {
		panic(err)
	}
	score := results.Scores["bpb"].Documents
	fmt.Println(score.Documents, "document,", score.Bytes, "bytes")
	// Output: 1 document, 23 bytes
}
