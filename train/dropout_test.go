package train_test

import (
	"math"
	"slices"
	"testing"

	"olmo/graph"
	"olmo/runlog"
)

var dropout = []string{"model.attention_dropout=0.1", "model.residual_dropout=0.2", "model.embedding_dropout=0.1"}

// TestDropout: what is dropped depends on the seed and the step alone, not on the
// micro-batches, on what is computed again, or on a restart; and evaluations drop nothing.
func TestDropout(t *testing.T) {
	short := append([]string{"max_duration=4", "stop_at=4"}, dropout...)
	with := func(more ...string) string { return run(t, t.TempDir(), append(slices.Clone(short), more...)...) }
	want := with()
	for _, more := range [][]string{{"device_train_microbatch_size=1"}, {"device_train_microbatch_size=100"}, {"activation_checkpointing=whole_layer"}} {
		if got := with(more...); got != want {
			t.Errorf("%v: weights %s, want %s", more, got, want)
		}
	}
	for _, more := range []string{"seed=2", "model.attention_dropout=0", "model.residual_dropout=0", "model.embedding_dropout=0"} {
		if with("data.seed=1", more) == with("data.seed=1") {
			t.Errorf("%s changes nothing", more)
		}
	}
	dir := t.TempDir()
	run(t, dir, append(slices.Clone(short), "save_interval=2")...)
	if got := run(t, t.TempDir(), append(slices.Clone(short), "load_path="+dir+"/step2")...); got != want {
		t.Errorf("continued: weights %s, want %s", got, want)
	}
	losses := func(overrides ...string) []runlog.Record {
		dir := t.TempDir()
		run(t, dir, append(overrides, "max_duration=1", "stop_at=1", "optimizer.learning_rate=0", "eval_interval=1", "evaluators=[{label: text, data: {paths: [testdata/text.txt], memmap_dtype: uint8}}]")...)
		return logged(t, dir)
	}
	const eval = "eval/text/CrossEntropyLoss"
	dropped, plain := losses(dropout...)[0], losses()[0]
	if dropped[eval] != plain[eval] || dropped["train/CrossEntropyLoss"] == plain["train/CrossEntropyLoss"] {
		t.Errorf("with dropout the training loss is %v, in evaluation %v; without %v and %v", dropped["train/CrossEntropyLoss"], dropped[eval], plain["train/CrossEntropyLoss"], plain[eval])
	}
}

// TestDropoutGradients compares derivatives with finite differences of the loss with the same
// elements dropped.
func TestDropoutGradients(t *testing.T) {
	for _, name := range []string{"transformer.blocks.0.att_proj.weight", "transformer.blocks.1.ff_out.weight", "transformer.wte.weight"} {
		checkGradient(t, name, dropout...)
	}
}

// checkGradient compares the largest derivative by an element of a parameter with the finite difference of
// a step's loss.
func checkGradient(t *testing.T, name string, overrides ...string) {
	t.Helper()
	overrides = append([]string{"save_folder=" + t.TempDir(), "global_train_batch_size=4", "device_train_microbatch_size=3"}, overrides...)
	loss := func(element int, h float32) (float64, []float32) {
		tr := newTrainer(t, tiny, overrides...)
		w, err := tr.Device().Read(name)
		if err != nil {
			t.Fatal(err)
		}
		w[element] += h
		if err := tr.Device().Write(name, w); err != nil {
			t.Fatal(err)
		}
		ce, z, err := tr.Losses()
		if err != nil {
			t.Fatal(err)
		}
		g, err := tr.Device().Read(graph.GradName(name, 0))
		if err != nil {
			t.Fatal(err)
		}
		return ce + z, g
	}
	_, g := loss(0, 0)
	element := 0
	for i, v := range g {
		if math.Abs(float64(v)) > math.Abs(float64(g[element])) {
			element = i
		}
	}
	const h = 1e-2
	up, _ := loss(element, h)
	down, _ := loss(element, -h)
	if got, want := float64(g[element]), (up-down)/(2*h); math.Abs(got-want) > 0.02*math.Abs(want)+1e-4 {
		t.Errorf("%s[%d]: gradient %g, finite difference %g", name, element, got, want)
	}
}
