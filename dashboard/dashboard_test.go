package dashboard_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"olmo/dashboard"
	"olmo/runlog"
)

// writeRun makes a run folder of so many steps.
func writeRun(t *testing.T, name string, steps int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("run_name: "+name+"\nstop_at: 80\noptimizer:\n  name: adamw\n  betas: [0.9, 0.95]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	appendSteps(t, dir, 1, steps)
	samples, err := runlog.Open(filepath.Join(dir, "samples.jsonl"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := samples.Append(runlog.Record{"step": steps, "prompt": "The sea", "text": " is <b>wide</b>."}); err != nil {
		t.Fatal(err)
	}
	samples.Close()
	return dir
}

func appendSteps(t *testing.T, dir string, from, to int) {
	t.Helper()
	log, err := runlog.Open(filepath.Join(dir, "metrics.jsonl"), from-1)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for n := from; n <= to; n++ {
		r := runlog.Record{"step": n, "train/CrossEntropyLoss": 6 / float64(n), "optim/learning_rate_group0": 1e-3, "throughput/total_tokens": 64 * n, "chain": "ab", "optim/grad/x.norm": 1.0}
		if n%10 == 0 {
			r["eval/held/CrossEntropyLoss"] = 5.5
		}
		if err := log.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

func serve(t *testing.T, runs ...string) *httptest.Server {
	t.Helper()
	h, err := dashboard.Handler(runs, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url string, v any) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, r.Status)
	}
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

type series struct {
	Reset  bool
	Last   int
	Steps  []int
	Series map[string][]*float64
}

// TestSeries: the page asks for what is new, and is told when a run went back.
func TestSeries(t *testing.T) {
	dir := writeRun(t, "a", 25)
	s := serve(t, dir)
	var p series
	get(t, s.URL+"/api/runs/0/series", &p)
	if len(p.Steps) != 25 || p.Last != 25 || p.Reset {
		t.Fatalf("%d steps, the last %d", len(p.Steps), p.Last)
	}
	eval := p.Series["eval/held/CrossEntropyLoss"]
	if len(eval) != 25 || eval[8] != nil || eval[9] == nil || *eval[9] != 5.5 || eval[24] != nil {
		t.Errorf("evaluations %v", eval)
	}
	for _, key := range []string{"step", "chain", "optim/grad/x.norm"} {
		if _, ok := p.Series[key]; ok {
			t.Errorf("there is a curve of %s", key)
		}
	}
	appendSteps(t, dir, 26, 30)
	p = series{}
	get(t, s.URL+"/api/runs/0/series?after=25", &p)
	if fmt.Sprint(p.Steps) != "[26 27 28 29 30]" {
		t.Errorf("new steps %v", p.Steps)
	}
	appendSteps(t, dir, 11, 12) // the run went back to step 10
	p = series{}
	get(t, s.URL+"/api/runs/0/series?after=30", &p)
	if !p.Reset || len(p.Steps) != 12 {
		t.Errorf("after going back: reset %t, steps %v", p.Reset, p.Steps)
	}
}

// TestLong: a long run is thinned out, its evaluations and its spikes are not.
func TestLong(t *testing.T) {
	s := serve(t, writeRun(t, "long", 9000))
	var p series
	get(t, s.URL+"/api/runs/0/series", &p)
	if len(p.Steps) > 4900 || p.Steps[len(p.Steps)-1] != 9000 {
		t.Errorf("%d steps up to %d", len(p.Steps), p.Steps[len(p.Steps)-1])
	}
	n := 0
	for _, v := range p.Series["eval/held/CrossEntropyLoss"] {
		if v != nil {
			n++
		}
	}
	if n != 900 {
		t.Errorf("%d evaluations, want 900", n)
	}
}

// TestRefusals: other sites and bad requests.
func TestRefusals(t *testing.T) {
	s := serve(t, writeRun(t, "a", 3))
	for _, c := range []struct {
		path, host string
		want       int
	}{
		{"/", "", 200},
		{"/app.js", "localhost:8000", 200},
		{"/api/runs", "[::1]:80", 200},
		{"/api/runs", "evil.example", 403},
		{"/api/runs/1/series", "", 404},
		{"/api/runs/x/samples", "", 404},
		{"/api/runs/0/series?after=-1", "", 400},
		{"/../dashboard.go", "", 404},
	} {
		req, _ := http.NewRequest("GET", s.URL+c.path, nil)
		if c.host != "" {
			req.Host = c.host
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != c.want {
			t.Errorf("%s as %q: %s %s, want %d", c.path, c.host, r.Status, text, c.want)
		}
	}
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "gone")} {
		if _, err := dashboard.Handler([]string{path}, nil); err == nil {
			t.Errorf("%s was taken for a run", path)
		}
	}
}

// TestNumbers: a value that is no number is a gap and is told; the steps stay, and the
// other figures with them.
func TestNumbers(t *testing.T) {
	dir := t.TempDir()
	text := `{"step": 1, "train/CrossEntropyLoss": 5.0, "optim/total_grad_norm": 1.0}
{"step": 2, "train/CrossEntropyLoss": NaN, "optim/total_grad_norm": 1.0}
{"step": 3, "train/CrossEntropyLoss": Infinity, "optim/total_grad_norm": 1.0}
{"step": 4, "train/CrossEntropyLoss": null, "optim/total_grad_norm": 1.0}
{"step": 5, "train/CrossEntropyLoss": 4.0, "optim/total_grad_norm": 1.0}
`
	if err := os.WriteFile(filepath.Join(dir, "metrics.jsonl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir)
	var p struct {
		series
		Lost map[string]struct {
			Count int
			Steps []int
		}
		Mean map[string][]*float64
	}
	get(t, s.URL+"/api/runs/0/series?smooth=3", &p)
	loss := p.Series["train/CrossEntropyLoss"]
	if fmt.Sprint(p.Steps) != "[1 2 3 4 5]" || len(loss) != 5 || *loss[0] != 5 || loss[1] != nil || loss[2] != nil || loss[3] != nil || *loss[4] != 4 {
		t.Errorf("steps %v, loss %v", p.Steps, loss)
	}
	if l := p.Lost["train/CrossEntropyLoss"]; fmt.Sprint(l) != "{3 [2 3 4]}" {
		t.Errorf("no numbers: %v", l)
	}
	if norm := p.Series["optim/total_grad_norm"]; len(norm) != 5 || *norm[2] != 1 {
		t.Errorf("gradient norms %v", norm)
	}
	if mean := p.Mean["train/CrossEntropyLoss"]; mean[1] != nil || *mean[4] != 4 {
		t.Errorf("means %v", mean)
	}
}

// TestMean: the mean does not lag, keeps the first value, and a spike is in the answer
// however long the run.
func TestMean(t *testing.T) {
	dir := t.TempDir()
	log, err := runlog.Open(filepath.Join(dir, "metrics.jsonl"), 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 20000; n++ {
		v := float64(n)
		if n == 12345 {
			v = 1e6
		}
		if err := log.Append(runlog.Record{"step": n, "train/CrossEntropyLoss": v, "optim/learning_rate_group0": float64(n)}); err != nil {
			t.Fatal(err)
		}
	}
	log.Close()
	s := serve(t, dir)
	var p struct {
		series
		Mean    map[string][]*float64
		Thinned bool
	}
	get(t, s.URL+"/api/runs/0/series?smooth=100&places=500", &p)
	spike := false
	for _, v := range p.Series["train/CrossEntropyLoss"] {
		spike = spike || *v == 1e6
	}
	if len(p.Steps) != 1000 || !p.Thinned || !spike {
		t.Errorf("%d steps, thinned %t, with the spike %t", len(p.Steps), p.Thinned, spike)
	}
	for i, v := range p.Mean["train/CrossEntropyLoss"] {
		if n := p.Steps[i]; *v != float64(n) && (n < 12200 || n > 12400) && n < 19900 {
			t.Fatalf("the mean at step %d is %g", n, *v)
		}
	}
	if p.Mean["optim/learning_rate_group0"] != nil {
		t.Error("the learning rate is smoothed")
	}
	p.series = series{}
	get(t, s.URL+"/api/runs/0/series?from=12340&to=12350&places=500", &p)
	if len(p.Steps) != 11 || *p.Series["train/CrossEntropyLoss"][5] != 1e6 {
		t.Errorf("from 12340 to 12350: %v", p.Steps)
	}
}

type about struct {
	Name, State, Says, Path string
	RunName                 string `json:"run_name"`
	Last, End               int
	Checkpoints             []int
	Parameters              int64
}

// TestFolder: a folder of runs has those that lie below it, also those that have not
// begun and those to come, by names that tell them apart.
func TestFolder(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	line := "{\"step\":1,\"train/CrossEntropyLoss\":5}\n"
	write("a/seed1/metrics.jsonl", line)
	write("a/seed1/config.yaml", "run_name: tiny\nsave_folder: x\nstop_at: 1\n")
	write("a/seed1/step1/config.yaml", "save_folder: x\n")
	write("b/seed1/metrics.jsonl", line)
	write("b/seed1/config.yaml", "run_name: tiny\nsave_folder: x\nmax_duration: 100T\nglobal_train_batch_size: 3\nmodel:\n  max_sequence_length: 8\n")
	write("b/waits/config.yaml", "run_name: tiny\nsave_folder: x\n")
	write("b/no-run/config.yaml", "tagger: x\n")
	write("quick/run/metrics.jsonl", line)
	for i := range 3 {
		if err := os.MkdirAll(filepath.Join(root, "b", "seed1", fmt.Sprintf("step%d", 10*i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, root)
	var list []about
	get(t, s.URL+"/api/runs", &list)
	var got []string
	for _, a := range list {
		got = append(got, fmt.Sprint(a.Name, " ", a.State, " ", a.Last, "/", a.End))
	}
	if want := "[a/seed1 finished 1/1 b/seed1 running 1/5 waits not begun 0/0 quick running 1/0]"; fmt.Sprint(got) != want {
		t.Errorf("runs %v, want %s", got, want)
	}
	if len(list) > 1 && (list[1].RunName != "tiny" || fmt.Sprint(list[1].Checkpoints) != "[0 10 20]") {
		t.Errorf("the second run is %+v", list[1])
	}
	old := time.Now().Add(-3 * time.Hour)
	if err := os.Chtimes(filepath.Join(root, "b", "seed1", "metrics.jsonl"), old, old); err != nil {
		t.Fatal(err)
	}
	list = nil
	get(t, s.URL+"/api/runs", &list)
	if list[1].State != "stopped" || list[1].Says != "no step for 3 h" {
		t.Errorf("a run without a step for three hours is %s: %s", list[1].State, list[1].Says)
	}
}

// TestQuickstart: a quickstart has the run that trained its model, and the stages of adaptation once they are there.
func TestQuickstart(t *testing.T) {
	root := filepath.Join(t.TempDir(), "quick")
	put(t, filepath.Join(root, "config", "train.yaml"), "save_folder: run\n")
	names := func() string {
		var list []about
		get(t, serve(t, root).URL+"/api/runs", &list)
		var names []string
		for _, a := range list {
			names = append(names, a.Name)
		}
		return strings.Join(names, " ")
	}
	if got := names(); got != "quick" {
		t.Errorf("before training it has %s", got)
	}
	put(t, filepath.Join(root, "run", "metrics.jsonl"), "{\"step\":1}\n")
	put(t, filepath.Join(root, "chat", "model.safetensors"), "")
	for _, stage := range []string{"dpo", "grpo", "sft"} {
		put(t, filepath.Join(root, "chat", stage, "metrics.jsonl"), "{\"step\":1}\n")
	}
	if got := names(); got != "quick dpo grpo sft" {
		t.Errorf("with the stages it has %s", got)
	}
}

// TestStageSettings: a run of adaptation has the settings of its stage, too.
func TestStageSettings(t *testing.T) {
	dir := writeRun(t, "a", 3)
	put(t, filepath.Join(dir, "adapt.yaml"), "chat_template_name: tulu\nlearning_rate: 0.001\n")
	var list []struct{ Config map[string]string }
	get(t, serve(t, dir).URL+"/api/runs", &list)
	if c := list[0].Config; c["adapt.chat_template_name"] != "tulu" || c["optimizer.name"] != "adamw" || c["chat_template_name"] != "" {
		t.Errorf("settings %v", c)
	}
}

// source is a made-up one.
type source struct{}

func (source) Parameters(string) (int64, error) { return 12345, nil }

func (source) Text(_ string, ids []int32) (string, error) {
	return fmt.Sprint("<i>prompt</i> of ids ", ids), nil
}

func (source) Data(_ string, step, from, most int) (*dashboard.StepData, error) {
	d := &dashboard.StepData{Step: step, Length: 8, Total: 40}
	for i := from; i < min(40, from+most); i++ {
		d.Instances = append(d.Instances, dashboard.Instance{Index: int64(i), File: "part-0.npy", End: 8, Text: "<script>alert(1)</script> of step " + fmt.Sprint(step), Documents: []dashboard.Document{{ID: "<img src=x onerror=alert(1)>", Source: "a.jsonl.gz", Line: 3, End: 8}}})
	}
	return d, nil
}

// TestStep: what a step measured and read.
func TestStep(t *testing.T) {
	dir := writeRun(t, "a", 25)
	h, err := dashboard.Handler([]string{dir}, source{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	var a struct {
		Step    int
		Values  map[string]*float64
		Data    dashboard.StepData
		Problem string
	}
	get(t, s.URL+"/api/runs/0/steps/20?from=32", &a)
	if a.Step != 20 || *a.Values["eval/held/CrossEntropyLoss"] != 5.5 || len(a.Data.Instances) != 8 || a.Data.Instances[0].Index != 32 {
		t.Errorf("step 20 is %+v", a)
	}
	get(t, serve(t, dir).URL+"/api/runs/0/steps/20", &a)
	if a.Problem == "" {
		t.Error("without a source nothing is said of the data")
	}
	for _, path := range []string{"0", "-1", "x", "99999999999"} {
		r, err := http.Get(s.URL + "/api/runs/0/steps/" + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("step %s: %s", path, r.Status)
		}
	}
}

// TestScripts: what comes from logs, configs and texts is put into the page as text alone.
func TestScripts(t *testing.T) {
	s := serve(t, writeRun(t, "a", 3))
	for _, path := range []string{"/app.js", "/rollouts.js", "/chart.js"} {
		r, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || len(text) < 1000 {
			t.Fatalf("%s: %d bytes, %v", path, len(text), err)
		}
		for _, way := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "createContextualFragment", "http://", "https://"} {
			if rest := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", ""); strings.Contains(rest, way) {
				t.Errorf("%s has %s", path, way)
			}
		}
	}
}
