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

// steps writes the log of a run of adaptation, of which a function tells the figures.
func steps(t *testing.T, dir string, n int, config string, figures func(n int, noise func(k int) float64) runlog.Record) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(fmt.Sprintf("run_name: %s\nsave_folder: out\nstop_at: %d\n%s", filepath.Base(dir), n, config)), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := runlog.Open(filepath.Join(dir, "metrics.jsonl"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for i := 1; i <= n; i++ {
		r := figures(i, func(k int) float64 { return math.Sin(float64(i*i*k)) * math.Cos(float64(i*7+k)) })
		r["step"], r["optim/learning_rate_group0"], r["learning_rate"], r["optim/total_grad_norm"] = i, 1e-6, 1e-6, 0.5
		r["throughput/total_tokens"] = 4096 * i
		if err := log.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

// preferred writes a run of dpo. Answers are longer from step to step, and lose so much probability a
// step, the chosen ones too.
func preferred(t *testing.T, dir string, lost float64) {
	t.Helper()
	steps(t, dir, 60, "objective:\n  name: dpo\n  beta: 0.1\n  reference_sha256: ab\n", func(n int, noise func(int) float64) runlog.Record {
		x := float64(n) / 60
		chosen, rejected := -0.1*lost*float64(n)+0.1*noise(1), -4*x+0.2*noise(2)
		return runlog.Record{
			"train_loss": 0.69 - 0.4*x + 0.03*noise(3), "logps/chosen": -80 - 20*x + 10*chosen, "logps/rejected": -84 - 20*x + 10*rejected,
			"rewards/chosen": chosen, "rewards/rejected": rejected, "rewards/margin": chosen - rejected, "rewards/accuracy": min(0.5+x/2+0.05*noise(4), 1),
		}
	})
}

// reinforced writes a run of grpo.
func reinforced(t *testing.T, dir string, n int) {
	t.Helper()
	steps(t, dir, n, "", func(i int, noise func(int) float64) runlog.Record {
		x := float64(i) / float64(n)
		r := runlog.Record{
			"train_loss": 0.01 * noise(1), "scores": 10 * (0.2 + 0.6*x + 0.1*noise(2)), "objective/verifiable_correct_rate": 0.2 + 0.6*x + 0.1*noise(2),
			"objective/gsm8k_correct_rate": 0.1 + 0.6*x + 0.1*noise(3), "objective/max_length_correct_rate": 0.9, "policy/entropy_avg": 1.2 - 0.7*x + 0.05*noise(4),
			"val/sequence_lengths": 60 + 80*x + 5*noise(5), "val/sequence_lengths_min": 4, "val/sequence_lengths_max": 128, "val/stop_rate": 0.95 - 0.2*x,
			"loss/policy_avg": 0.01 * noise(6), "loss/kl_avg": 0.002 * x, "policy/clipfrac_avg": 0.02, "val/ratio_min": 1.0, "val/ratio_max": 1.0,
			"val/ratio_min_all": 0.8 + 0.05*noise(7), "val/ratio_max_all": 1.3 + 0.05*noise(8), "val/filtered_prompts": float64(i % 4), "batch/total_prompts": 16,
			"throughput/device/sampling_seconds": 1.5,
		}
		if i%10 == 0 {
			r["eval/heldout/scores"], r["eval/heldout/pass_at_1"], r["eval/heldout/pass_at_1_unbiased"], r["eval/heldout/pass_at_2_unbiased"] = 5*x, x/2, x/2, 0.8*x
		}
		return r
	})
}

// TestAdaptationLook looks at runs of preference tuning and of reinforcement learning.
func TestAdaptationLook(t *testing.T) {
	b := pagetest.Open(t)
	root := t.TempDir()
	preferred(t, filepath.Join(root, "preferred"), 0.25)
	reinforced(t, filepath.Join(root, "reinforced"), 40)
	sampleTo(t, filepath.Join(root, "reinforced"), 1, 3)
	h, err := dashboard.Handler([]string{root}, source{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	ready := `document.body.dataset.ready && document.querySelectorAll("figure").length > 15`
	b.Look("dashboard-adaptation", s.URL+"/", ready)
	b.Theme("light")
	b.Size(1440, 900)
	b.Go(s.URL+"/", ready)
	text := func(selector string) string {
		s, _ := b.Eval(fmt.Sprintf("document.querySelector(%q)?.textContent ?? 'nothing'", selector)).(string)
		return s
	}
	if got := text(`figure[data-key="logps"] .says.bad`); !strings.HasPrefix(got, "preferred: chosen answers have lost 14.") {
		t.Errorf("of the chosen answers' log-probabilities it says %q", got)
	}
	preferred(t, filepath.Join(root, "preferred"), 0)
	b.Go(s.URL+"/", ready)
	if got := text(`figure[data-key="logps"] .says`); got != "" {
		t.Errorf("of longer answers that lose nothing it says %q", got)
	}
	if got := text(`figure[data-key="ratios"] .says`); got != "" {
		t.Errorf("of ratios that are 1 it says %q", got)
	}
	for key, lines := range map[string]float64{"train_loss": 2, "rewards": 2, "logps": 2, "lengths": 3, "ratios": 2, "groups": 2, "learning rate": 2, "passed": 2, "eval/heldout/scores": 1} {
		if n := b.Eval(fmt.Sprintf(`document.querySelectorAll('figure[data-key="%s"] path:not(.faint)').length`, key)); n != lines {
			t.Errorf("%v lines of %s, want %v", n, key, lines)
		}
	}
	for _, key := range []string{"learning_rate", "eval/heldout/pass_at_1"} {
		if text(`figure[data-key="`+key+`"]`) != "nothing" {
			t.Errorf("%s is drawn twice", key)
		}
	}
	if got := text(`[data-run="0"] td:nth-child(5)`); got == "–" {
		t.Error("the table has no loss of a run without cross entropy")
	}
	if of, to := text(`[data-run="0"] td:last-child`), text(`[data-run="1"] td:last-child`); of != "–" || to == "–" || b.Eval(`document.querySelector("#runs th:last-child").hidden`) != false {
		t.Errorf("the rewards of the runs are %q and %q", of, to)
	}
	b.Eval(`openStep(runs.get(1), 5)`)
	b.Until(`document.querySelector("dialog a")?.getAttribute("href") === "rollouts.html?run=1&step=5"`)
}

// TestRolloutsLook looks at the page of a run's rollouts, and uses it.
func TestRolloutsLook(t *testing.T) {
	b := pagetest.Open(t)
	root := t.TempDir()
	dir := filepath.Join(root, "reinforced")
	reinforced(t, dir, 40)
	preferred(t, filepath.Join(root, "preferred"), 0)
	sampleTo(t, dir, 1, 30)
	h, err := dashboard.Handler([]string{root}, source{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	address := s.URL + "/rollouts.html?run=1"
	ready := `document.body.dataset.ready && document.querySelectorAll(".answers td").length === 32`
	b.Look("rollouts", address, ready)
	b.Theme("light")
	b.Size(1440, 900)
	b.Go(s.URL+"/", `document.body.dataset.ready`)
	if got, _ := b.Eval(`[...document.querySelectorAll("#runs a")].map(a => a.getAttribute("href")).join()`).(string); got != "rollouts.html?run=1" {
		t.Errorf("the table of runs has links to %s", got)
	}
	b.Go(address, ready)
	text := func(selector string) string {
		s, _ := b.Eval(fmt.Sprintf("document.querySelector(%q)?.textContent ?? 'nothing'", selector)).(string)
		return s
	}
	if got := text("h1"); got != "Rollouts of reinforced" {
		t.Errorf("it is called %q", got)
	}
	if n := b.Eval(`document.querySelectorAll("main img, main i:not([class]), main b b, script:not([src])").length`); n != 0.0 {
		t.Errorf("%v elements were made from texts", n)
	}
	if got := text("#asked .text"); got != "<i>prompt</i> of ids [3 1]" {
		t.Errorf("the prompt is %q", got)
	}
	if got := text(".answers td .about"); !strings.HasPrefix(got, "1 advantage +0.75 · ") {
		t.Errorf("of the first sample it says %q", got)
	}
	if got := text("#lengths thead th:nth-child(3)"); got != "step 30, 12 answers" {
		t.Errorf("the second histogram is %q", got)
	}
	// Another prompt, by the keyboard.
	b.Eval(`document.querySelector("#next").focus()`)
	b.Key("Enter")
	b.Until(`document.querySelector("#asked .text").textContent.endsWith("[5 1]")`)
	b.Eval(`(() => { const n = document.querySelector("#number"); n.value = 9; n.dispatchEvent(new Event("change")); })()`)
	b.Until(`document.querySelector("#asked .text").textContent.endsWith("[9 1]")`)
	b.Eval(`(() => { const n = document.querySelector("#number"); n.value = 4; n.dispatchEvent(new Event("change")); })()`)
	b.Until(`document.querySelector("#shown .bad")?.textContent === "prompt 4 was not asked"`)
	b.Eval(`(() => { const n = document.querySelector("#order"); n.value = "fallen"; n.dispatchEvent(new Event("input")); })()`)
	b.Until(`document.querySelector("#asked .text")?.textContent.endsWith("[5 1]")`)
	// Steps within a part, and all of them again.
	b.Eval(`document.querySelector('figure[data-key="prompt"] .plot').scrollIntoView({block: "center"})`)
	box := b.Eval(`(() => { const r = document.querySelector('figure[data-key="prompt"] .area').getBoundingClientRect(); return [r.left, r.top, r.width, r.height] })()`).([]any)
	x, y := func(share float64) float64 { return box[0].(float64) + share*box[2].(float64) }, box[1].(float64)+box[3].(float64)/2
	for _, e := range []struct {
		kind string
		at   float64
	}{{"mouseMoved", .4}, {"mousePressed", .4}, {"mouseMoved", .45}, {"mouseReleased", .5}} {
		b.Mouse(e.kind, x(e.at), y)
	}
	b.Until(`document.querySelectorAll(".answers thead th").length < 6`)
	b.Eval(`document.querySelector('figure[data-key="prompt"] .plot').focus()`)
	b.Key("Escape")
	b.Until(`document.querySelectorAll(".answers thead th").length === 9`)
	// A sample whole, and away again.
	b.Eval(`document.querySelector(".answers td:last-child button").focus()`)
	b.Key("Enter")
	b.Until(`document.querySelector("dialog").open && document.querySelectorAll("dialog .text").length === 2`)
	for _, f := range b.Faults() {
		t.Errorf("with a sample open: %s", f)
	}
	if got := text("dialog h2"); got != "Step 30, prompt 5, sample 0" {
		t.Errorf("the sample is called %q", got)
	}
	b.Picture("rollouts-sample")
	b.Key("Escape")
	b.Until(`!document.querySelector("dialog").open`)
	// The run goes on.
	sampleTo(t, dir, 31, 32)
	b.Until(`document.querySelector("#lengths thead th:nth-child(3)").textContent.startsWith("step 32,")`)
	b.Until(`document.querySelector(".answers thead th:last-child").textContent.startsWith("step 32")`)
	for _, s := range b.Said() {
		if !strings.Contains(s, "404") { // of prompt 4, which the test asks for
			t.Errorf("the page complains: %s", s)
		}
	}
}
