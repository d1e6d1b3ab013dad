package dashboard_test

import (
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/dashboard"
	"olmo/page/pagetest"
	"olmo/runlog"
)

// lifelike writes a run as they are.
func lifelike(t *testing.T, dir, name string, steps, of int, rate float64, seed int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "step500"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(fmt.Sprintf("run_name: %q\nsave_folder: out\nstop_at: %d\nseed: %d\noptimizer:\n  name: adamw\n  learning_rate: %g\nmodel:\n  n_layers: 4\n", name, of, seed, rate)), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := runlog.Open(filepath.Join(dir, "metrics.jsonl"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	texts, err := runlog.Open(filepath.Join(dir, "samples.jsonl"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer texts.Close()
	noise := func(n, k int) float64 { return math.Sin(float64(n*n*(k+seed))) * math.Cos(float64(n*7+k)) }
	for n := 1; n <= steps; n++ {
		x := float64(n) / float64(of)
		loss := 3.1 + 0.2*float64(seed) + 5.2*math.Exp(-9*x) + 0.12*noise(n, 1)
		r := runlog.Record{
			"step": n, "epoch": 0, "train/CrossEntropyLoss": loss, "train/Perplexity": math.Exp(loss), "train/ZLoss": 4e-4 * (1 + .2*noise(n, 2)),
			"optim/total_grad_norm": 0.6 + 2*math.Exp(-20*x) + 0.2*math.Abs(noise(n, 3)), "optim/clipping_rate": math.Exp(-20 * x),
			"optim/learning_rate_group0": rate * min(float64(n)/40, 1) * (1 - .9*x), "optim/learning_rate_group1": 15 * rate * min(float64(n)/40, 1) * (1 - .9*x),
			"throughput/total_tokens": 4096 * n, "throughput/device/tokens_per_second": 13200 + 300*noise(n, 4), "throughput/device/batches_per_second": 3.2,
			"throughput/device/MFU": 0.42 + .01*noise(n, 5), "throughput/device/data_loading_seconds": 2e-4 * (1.2 + noise(n, 6)), "energy/kWh": 1.3e-6 * float64(n),
		}
		if n%100 == 0 {
			r["eval/heldout/CrossEntropyLoss"] = loss + .1
		}
		if seed == 3 && n > steps-4 {
			r["train/CrossEntropyLoss"], r["optim/total_grad_norm"] = math.NaN(), math.Inf(1)
		}
		if err := log.Append(r); err != nil {
			t.Fatal(err)
		}
		if n%200 == 0 {
			for _, s := range []struct{ prompt, text string }{
				{"Package http ", "implements <b>HTTP</b> clients and servers. The Client and Transport are safe for concurrent use by multiple goroutines and for efficiency."},
				{"The function returns ", "an error if the value <img src=x onerror=alert(1)> is not a pointer to a struct."},
			} {
				if err := texts.Append(runlog.Record{"step": n, "prompt": s.prompt, "text": s.text}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestLook looks at the page in a browser, and uses it: with the pointer, with the
// keyboard, and while a run goes on.
func TestLook(t *testing.T) {
	b := pagetest.Open(t)
	root := t.TempDir()
	lifelike(t, filepath.Join(root, "wide"), "wide", 900, 900, 3e-3, 1)
	lifelike(t, filepath.Join(root, "narrow"), "<img src=x onerror=alert(1)>", 700, 900, 1e-3, 2)
	lifelike(t, filepath.Join(root, "steep"), "steep", 420, 900, 3e-2, 3)
	if err := os.Mkdir(filepath.Join(root, "waits"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "waits", "config.yaml"), []byte("save_folder: x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, e := range []struct{ folder, digest string }{{"wide", "aa"}, {"narrow", "bb"}, {"evals/baseline-of-somebody-else", "cc"}} {
		put(t, filepath.Join(root, e.folder, "step500", "manifest.json"), fmt.Sprintf(`{"weights_digest":%q}`, e.digest))
		put(t, filepath.Join(root, e.folder, "eval", "results.json"), fmt.Sprintf(`{"results": {
			"arc_challenge": {"acc_norm,none": %[1]g, "acc_norm_stderr,none": 0.0131, "acc,none": %[1]g, "acc_stderr,none": 0.0125, "bpb,none": 1.21, "bpb_stderr,none": 0.02},
			"hellaswag_rc_5shot": {"len_norm,none": %[2]g, "len_norm_stderr,none": 0.0048}, "<img src=x onerror=alert(1)>": {"exact_match,strict-match": 0.02, "exact_match_stderr,strict-match": 0.004},
			"heldout": {"bits_per_byte,none": %[3]g}}, "groups": {"olmes": {"primary_score,none": 0.41, "primary_score_stderr,none": 0.01}},
			"n-samples": {"arc_challenge": {"effective": 1172}, "hellaswag_rc_5shot": {"effective": 10042}, "<img src=x onerror=alert(1)>": {"effective": 1319}, "heldout": {"effective": 3}}, "higher_is_better": {"arc_challenge": {"bpb": false}, "heldout": {"bits_per_byte": false}},
			"quoted": {"arc_challenge": "acc_norm"}, "weights": {"arc_challenge": %[4]q, "hellaswag_rc_5shot": %[4]q, "<img src=x onerror=alert(1)>": %[4]q, "heldout": %[4]q}, "model_name": "models/%[5]s"}`,
			0.31+0.02*float64(i), 0.45+0.03*float64(i), 1.05-0.04*float64(i), e.digest, filepath.Base(e.folder)))
	}
	h, err := dashboard.Handler([]string{root}, source{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	ready := `document.body.dataset.ready && document.querySelectorAll("figure").length > 5`
	b.Look("dashboard", s.URL+"/", ready)

	text := func(selector string) string {
		s, _ := b.Eval(fmt.Sprintf("document.querySelector(%q)?.textContent ?? 'nothing'", selector)).(string)
		return s
	}
	b.Theme("light")
	b.Size(1440, 900)
	b.Go(s.URL+"/", ready)
	const chart = `figure[data-key="train/CrossEntropyLoss"]`
	if got := text(chart + " .lost"); !strings.HasPrefix(got, "4 values are no number") {
		t.Errorf("of the values that are no number the chart says %q", got)
	}
	if n := b.Eval(`document.querySelectorAll('figure[data-key="learning rate"] path').length`); n != 3.0 {
		t.Errorf("%v lines of learning rates, want one for each run", n)
	}
	if got := text(`figure[data-key="learning rate"] .says`); got != "that of group 0 is shown; group 1 15 times as much" {
		t.Errorf("of the groups it says %q", got)
	}
	for _, key := range []string{"train/Perplexity", "epoch", "optim/learning_rate_group0"} {
		if text(`figure[data-key="`+key+`"]`) != "nothing" {
			t.Errorf("there is a chart of %s", key)
		}
	}
	if b.Eval(`getComputedStyle(document.querySelector("#releases")).display`) != "none" {
		t.Error("runs that are in no release have its section")
	}
	if n := b.Eval(`document.querySelectorAll("#evaluations tbody tr").length`); n != 5.0 {
		t.Errorf("%v rows of evaluations, want one for each task", n)
	}
	if got := text("#evaluations thead th:nth-child(2)"); !strings.HasPrefix(got, "narrow, step 500") {
		t.Errorf("the first column of evaluations is %q", got)
	}
	if got := text("#evaluations tbody td"); !strings.Contains(got, "±") {
		t.Errorf("a figure is %q, without its standard error", got)
	}
	b.Eval(`document.querySelector("#evaluations").scrollIntoView()`)
	b.Picture("dashboard-evaluations")
	// The cursor is common, and new values leave it where it is.
	b.Eval(`document.querySelector('` + chart + ` .plot').scrollIntoView({block: "center"})`)
	box := b.Eval(`(() => { const r = document.querySelector('` + chart + ` .area').getBoundingClientRect(); return [r.left, r.top, r.width, r.height] })()`).([]any)
	x := func(share float64) float64 { return box[0].(float64) + share*box[2].(float64) }
	y := box[1].(float64) + box[3].(float64)/2
	b.Mouse("mouseMoved", x(0.5), y)
	b.Until(`document.querySelectorAll(".cursor").length > 5`)
	under := text(chart + " .readout em")
	if other := text(`figure[data-key="throughput/device/tokens_per_second"] .readout em`); other != under || !strings.HasPrefix(under, "step 4") {
		t.Errorf("the cursor is at %s, in another chart at %s", under, other)
	}
	log, err := runlog.Open(filepath.Join(root, "narrow", "metrics.jsonl"), 700)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for n := 701; n <= 720; n++ {
		if err := log.Append(runlog.Record{"step": n, "train/CrossEntropyLoss": 3.5}); err != nil {
			t.Fatal(err)
		}
	}
	b.Until(`document.querySelector('[data-run="0"] td:nth-child(3)').textContent.startsWith("720")`)
	if got := text(chart + " .readout em"); got != under {
		t.Errorf("after new values the cursor is at %s, it was at %s", got, under)
	}
	b.Picture("dashboard-cursor")
	// What was read at a step; hostile texts stay texts.
	b.Mouse("mousePressed", x(0.5), y)
	b.Mouse("mouseReleased", x(0.5), y)
	b.Until(`document.querySelectorAll("dialog .instance").length === 32`)
	if got := text("dialog .text"); !strings.HasPrefix(got, "<script>alert(1)</script> of step 4") {
		t.Errorf("the step's first text is %q", got)
	}
	b.Picture("dashboard-step")
	if n := b.Eval(`document.querySelectorAll("main img, dialog img, dialog script").length`); n != 0.0 {
		t.Errorf("%v elements were made from texts", n)
	}
	b.Key("Escape")
	b.Until(`!document.querySelector("dialog").open`)
	// Zoom by dragging, back by the keyboard.
	b.Mouse("mouseMoved", x(0.25), y)
	b.Mouse("mousePressed", x(0.25), y)
	b.Mouse("mouseMoved", x(0.4), y)
	b.Mouse("mouseMoved", x(0.5), y)
	b.Mouse("mouseReleased", x(0.5), y)
	b.Until(`+document.querySelector("#from").value > 200 && +document.querySelector("#to").value < 470`)
	b.Picture("dashboard-zoom")
	b.Eval(`document.querySelector('` + chart + ` .plot').focus()`)
	b.Key("Escape")
	b.Until(`document.querySelector("#from").value === ""`)
	b.Key("Home")
	b.Key("ArrowRight")
	if got, _ := b.Eval(`document.querySelector('` + chart + ` .plot').getAttribute("aria-valuetext")`).(string); !strings.HasPrefix(got, "step 2: ") {
		t.Errorf("the keyboard's cursor says %q", got)
	}
	for _, s := range b.Said() {
		t.Errorf("the page complains: %s", s)
	}
}
