package dashboard_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	h, err := dashboard.Handler(runs)
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

// TestLong: a long run is thinned out, its evaluations are not.
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
		if _, err := dashboard.Handler([]string{path}); err == nil {
			t.Errorf("%s was taken for a run", path)
		}
	}
}

// TestBrowser opens the page in a headless browser and reads what it shows.
func TestBrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" || testing.Short() {
		t.Skip("no Chromium to open the page with")
	}
	// The first run goes on once the page has asked for all that there was.
	growing := writeRun(t, "first", 35)
	h, err := dashboard.Handler([]string{growing, writeRun(t, "second", 20)})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("after") == "35" {
			once.Do(func() { appendSteps(t, growing, 36, 40) })
		}
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	c := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(), "--virtual-time-budget=7000", "--dump-dom", s.URL)
	done := make(chan error, 1)
	var out strings.Builder
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(60 * time.Second):
		_ = c.Process.Kill()
		t.Skip("the browser gave no page within a minute")
	}
	dom := out.String()
	for _, want := range []string{
		`data-ready="true"`, `data-key="train/CrossEntropyLoss"`, `data-key="eval/held/CrossEntropyLoss"`, "first 0.15, second 0.3",
		`class="curve"`, `<td>step</td><td>40</td><td>20</td>`, ">live<", "<small>50 %</small>",
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(dom, "run_name</td>") == strings.Contains(dom, "optimizer.name</td>") {
		t.Error("the table of configs does not show only what differs")
	}
	if t.Failed() {
		t.Log(dom)
	}
}
