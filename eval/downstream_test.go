package eval_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/device/cpu"
	"olmo/eval"
	"olmo/lm"
	"olmo/tokenizer"
	"olmo/train"
)

// TestDownstream judges a model in training before and after a step, each time as a model with
// the same weights is judged that does not train.
func TestDownstream(t *testing.T) {
	tok, err := tokenizer.Load(filepath.Join(tiny(t), "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := train.LoadConfig("../train/testdata/tiny.yaml", []string{
		"save_folder=" + t.TempDir(), "model.vocab_size=320", "model.embedding_size=320", "device_eval_batch_size=3",
		"evaluators=[{label: arc_easy_ppl, type: downstream, subset_num_batches: 2}, {label: hellaswag, type: downstream}, {label: held, type: lm}, {label: bpb, type: downstream}]",
	})
	if err != nil {
		t.Fatal(err)
	}
	var warnings []string
	jobs := eval.DownstreamJobs(cfg, nil, func(text string) { warnings = append(warnings, text) })
	if len(jobs) != 1 || jobs[0].Name != "arc_easy_ppl" || asked(t, jobs[0]) != 6 {
		t.Fatalf("jobs %+v, want arc_easy_ppl with two batches of three questions", jobs)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], "without the evaluation of hellaswag") || !strings.Contains(warnings[1], "without the evaluation of bpb") {
		t.Errorf("warnings %q, want one of the data set that is missing and one of a task that needs documents", warnings)
	}
	cfg.Evaluators = nil
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(cfg, dev, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	d := &eval.Downstream{Jobs: jobs, Tokenizer: tok}
	var last float64
	for step := range 2 {
		scores, err := d.Evaluate(t.Context(), tr)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := lm.New(tr.Model(), lm.Options{Tokenizer: tok})
		if err != nil {
			t.Fatal(err)
		}
		// The first program makes room for the weights.
		if _, err := fresh.Scorer(8); err != nil {
			t.Fatal(err)
		}
		for _, p := range tr.Model().Params() {
			w, err := dev.Read(p.Name)
			if err == nil {
				err = fresh.Device.Write(p.Name, w)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		run := eval.Run{Jobs: jobs}
		want, err := run.Do(t.Context(), &eval.Local{Model: fresh})
		if err != nil {
			t.Fatal(err)
		}
		// OLMo's figure leaves the first space out.
		choices := want.Scores["arc_easy_ppl"].Choices
		names := map[string]float64{
			"eval/downstream_ce_loss/arc_easy_ppl_ce_loss": choices.CrossEntropyV1,
			"eval/downstream/arc_easy_ppl (CE loss)":       choices.CrossEntropyV1,
			"eval/downstream/arc_easy_ppl (CE loss v2)":    choices.CrossEntropy,
		}
		got := choices.CrossEntropy
		if diff := cmp.Diff(names, scores); diff != "" || got == last {
			t.Errorf("after %d steps (before it %v) (-want +got):\n%s", step, last, diff)
		}
		last = got
		if _, err := tr.Step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDownstreamLimits: OLMo counts batches of the evaluation; an evaluator's own number goes
// before the config's, and a negative one is all.
func TestDownstreamLimits(t *testing.T) {
	for _, c := range []struct {
		all, own string
		want     int
	}{{"-1", "", 570}, {"3", "", 12}, {"3", ", subset_num_batches: 2", 8}, {"3", ", subset_num_batches: -1", 570}, {"200", "", 570}, {"0", "", 570}, {"3", ", device_eval_batch_size: 5", 15}} {
		cfg, err := train.LoadConfig("../train/testdata/tiny.yaml", []string{
			"save_folder=" + t.TempDir(), "device_eval_batch_size=4", "eval_subset_num_batches=" + c.all,
			"evaluators=[{label: arc_easy, type: downstream" + c.own + "}]",
		})
		if err != nil {
			t.Fatal(err)
		}
		jobs := eval.DownstreamJobs(cfg, nil, func(text string) { t.Error(text) })
		if len(jobs) != 1 || asked(t, jobs[0]) != c.want {
			t.Errorf("eval_subset_num_batches %s%s: %d questions, want %d", c.all, c.own, asked(t, jobs[0]), c.want)
		}
	}
}

// TestDownstreamSuite: an evaluator may be a suite; what has no data is left out, each by its name.
func TestDownstreamSuite(t *testing.T) {
	cfg, err := train.LoadConfig("../train/testdata/tiny.yaml", []string{"save_folder=" + t.TempDir(), "evaluators=[{label: fast, type: downstream}]"})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	jobs := eval.DownstreamJobs(cfg, nil, func(text string) { left = append(left, text) })
	if len(jobs) != 0 || len(left) != 26 || !strings.Contains(left[0], "arc_challenge_test_bpb_5shot") {
		t.Errorf("%d jobs, without %q", len(jobs), left)
	}
}

// TestDownstreamPlaces: data are looked for in the config's place, then in the others.
func TestDownstreamPlaces(t *testing.T) {
	places := []string{t.TempDir(), t.TempDir()}
	for i, dir := range places {
		row := fmt.Sprintf(`{"goal":"G%d","sol1":"a","sol2":"b","label":0}`, i)
		if err := os.WriteFile(filepath.Join(dir, "piqa.jsonl"), []byte(row), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ own, want string }{{"downstream_data=" + places[0], "G0"}, {"downstream_data=''", "G1"}} {
		cfg, err := train.LoadConfig("../train/testdata/tiny.yaml", []string{"save_folder=" + t.TempDir(), c.own, "evaluators=[{label: piqa, type: downstream}]"})
		if err != nil {
			t.Fatal(err)
		}
		jobs := eval.DownstreamJobs(cfg, places[1:], func(text string) { t.Error(text) })
		for d := range jobs[0].Each() {
			if !strings.Contains(d.Requests[0].Context, c.want) {
				t.Errorf("%s asks %q, want %s", c.own, d.Requests[0].Context, c.want)
			}
		}
	}
}

// asked counts a job's documents.
func asked(t *testing.T, j *eval.Job) (n int) {
	t.Helper()
	for _, err := range j.Each() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
