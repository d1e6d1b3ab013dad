package train_test

import (
	"slices"
	"testing"

	"olmo/runlog"
)

// TestNEFTune: the noise depends on the seed and the step alone, not on micro-batches, on what is computed
// again, or on a restart; and evaluations have none.
func TestNEFTune(t *testing.T) {
	ragged := []int{40, 3, 17, 2, 39, 8, 25, 1, 12, 40, 55, 6, 31, 19, 4}
	rows := []string{
		"data.paths=[" + writeRows(t, t.TempDir(), ragged) + "]", "data.memmap_dtype=uint8", "data.instance_filter=null", "data.generate_doc_lengths=false", "data.name=rows",
		"loss_denominator=labels", "model.n_layers=1", "global_train_batch_size=6", "max_duration=4", "stop_at=4", "neftune_noise_alpha=5",
	}
	with := func(more ...string) string { return run(t, t.TempDir(), append(slices.Clone(rows), more...)...) }
	want := with()
	for _, more := range [][]string{{"device_train_microbatch_size=1"}, {"device_train_microbatch_size=100"}, {"activation_checkpointing=whole_layer"}} {
		if got := with(more...); got != want {
			t.Errorf("%v: weights %s, want %s", more, got, want)
		}
	}
	for _, more := range []string{"seed=2", "neftune_noise_alpha=0", "neftune_noise_alpha=4"} {
		if with("data.seed=1", more) == with("data.seed=1") {
			t.Errorf("%s changes nothing", more)
		}
	}
	dir := t.TempDir()
	run(t, dir, append(slices.Clone(rows), "save_interval=2")...)
	if got := with("load_path=" + dir + "/step2"); got != want {
		t.Errorf("continued: weights %s, want %s", got, want)
	}
	losses := func(alpha string) runlog.Record {
		dir := t.TempDir()
		run(t, dir, alpha, "max_duration=1", "stop_at=1", "optimizer.learning_rate=0", "eval_interval=1", "evaluators=[{label: text, data: {paths: [testdata/text.txt], memmap_dtype: uint8}}]")
		return logged(t, dir)[0]
	}
	const eval = "eval/text/CrossEntropyLoss"
	noisy, plain := losses("neftune_noise_alpha=5"), losses("neftune_noise_alpha=0")
	if noisy[eval] != plain[eval] || noisy["train/CrossEntropyLoss"] == plain["train/CrossEntropyLoss"] {
		t.Errorf("with noise the training loss is %v, in evaluation %v; without %v and %v", noisy["train/CrossEntropyLoss"], noisy[eval], plain["train/CrossEntropyLoss"], plain[eval])
	}
}

// TestNEFTuneGradients compares a derivative with the finite difference of the loss with the same noise.
func TestNEFTuneGradients(t *testing.T) {
	checkGradient(t, "transformer.wte.weight", "neftune_noise_alpha=50")
}
