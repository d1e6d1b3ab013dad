package verify_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/release/verify"
	"olmo/store"
	"olmo/train"
)

// TestRuns: nothing is found in runs of every kind, in their own folders and released.
func TestRuns(t *testing.T) {
	for _, c := range []struct {
		name      string
		overrides []string
		note      string // the end of one that is due
	}{
		{"AdamW", nil, ""},
		{"Muon, bfloat16, tied", []string{"optimizer.name=muon", "optimizer.adamw_learning_rate=0.004", "precision=amp_bf16", "model.weight_tying=true"}, ""},
		{"sums in blocks", []string{"precision=amp_bf16_tile"}, ""},
		{"two ranks, several epochs", []string{"world_size=2", "global_train_batch_size=20", "device_train_microbatch_size=10"}, ""},
		{"rows that are left", []string{"data.drop_last=false", "global_train_batch_size=30", "max_duration=3ep", "device_train_microbatch_size=30"}, ""},
		{"growing batches", []string{"batch_size_schedule=[{from: 3, size: 6}, {from: 400T, size: 12}]"}, ""},
		{"packed documents", []string{"data.name=packed_fsl", "model.max_sequence_length=64"}, ""},
		{"padded documents", []string{"data.name=padded_fsl", "model.max_sequence_length=64"}, ""},
		{"lengths that vary", []string{"data.name=vsl", "data.min_sequence_length=8"}, ""},
		{"interleaved documents", []string{"data.name=interleaved_fsl", "data.docs_per_instance=2", "data.chunks_per_doc=2"}, ""},
		{"skipped steps", []string{"optimizer.name=skip_step_adamw", "optimizer.rolling_interval_length=4", "optimizer.sigma_factor=0.1"}, "no step between them changes any"},
		{"a state each step", []string{"chain_state_interval=1", "no_pre_train_checkpoint=true"}, ""},
		{"units of tokens", []string{"scheduler.units=tokens", "scheduler.t_warmup=128", "max_duration=640T", "stop_at=null"}, ""},
		{"stopped", []string{"stop_at=6"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && c.overrides != nil {
				t.Skip("one is enough")
			}
			run := newRun(t, c.overrides...)
			for _, dir := range []string{run, released(t, run)} {
				_, r := verified(t, dir, verify.Options{})
				notes := slices.DeleteFunc(r.Notes, func(s string) bool { return s == "not signed" || strings.HasSuffix(s, c.note) && c.note != "" })
				if len(r.Problems)+len(notes) > 0 {
					t.Errorf("%s: %+v %q", filepath.Base(dir), r.Problems, notes)
				}
			}
		})
	}
}

// TestAdapter: in a run that trained an adapter nothing is found, and another adapter in a checkpoint is.
func TestAdapter(t *testing.T) {
	base := filepath.Join(newRun(t), "step4", train.ModelFile)
	run := newRun(t, "init_weights="+base, "adapter.rank=2")
	if problems, _ := verified(t, run, verify.Options{}); len(problems) > 0 {
		t.Error(problems)
	}
	file := filepath.Join(run, "step8", train.ModelFile)
	text := read(t, file)
	text[len(text)-1] ^= 1
	write(t, file, text)
	if problems, _ := verified(t, run, verify.Options{}); len(problems) == 0 || !strings.Contains(problems[0], "lora_") {
		t.Errorf("%q, want the matrix that is another", problems)
	}
}

// TestContinued: of a run that was stopped and goes on, with other settings too, with each release the
// older one is the beginning of the later.
func TestContinued(t *testing.T) {
	if testing.Short() {
		t.Skip("several runs")
	}
	run := newRun(t, "stop_at=6")
	older := released(t, run)
	text := strings.ReplaceAll(settings, "global_train_batch_size: 4", "global_train_batch_size: 8\naccept_changes: true")
	config := filepath.Join(filepath.Dir(run), "tokens", "more.yaml")
	write(t, config, []byte(text))
	goOn(t, config, "save_folder="+run, "try_load_latest_save=true")
	for _, dir := range []string{run, released(t, run)} {
		got, r := verified(t, dir, verify.Options{Since: older})
		if len(got) > 0 {
			t.Errorf("%s: %+v %q", filepath.Base(dir), r.Problems, r.Notes)
		}
	}
	// The other way round, and of another run, it is none.
	now := released(t, run)
	if got, _ := verified(t, older, verify.Options{Since: now}); !slices.Equal(got, []string{"not-a-continuation " + now + " step 7"}) {
		t.Errorf("an older release goes on from a newer one: %q", got)
	}
	other := newRun(t, "seed=8")
	if got, _ := verified(t, other, verify.Options{Since: older}); !slices.Equal(got, []string{"not-a-continuation " + older + " step 0"}) {
		t.Errorf("another run goes on from one: %q", got)
	}
	// Steps that were trained again: the chain of the older release has others.
	check(t, os.RemoveAll(filepath.Join(run, "step6")))
}

// TestNothingLearned: at a rate of 0 the weights of all steps are the same, and no duplicates, also at a step
// where the run was stopped and of which the chain has no roots.
func TestNothingLearned(t *testing.T) {
	run := newRun(t, "stop_at=6", "optimizer.learning_rate=0")
	goOn(t, filepath.Join(filepath.Dir(run), "tokens", "train.yaml"), "save_folder="+run, "try_load_latest_save=true", "optimizer.learning_rate=0")
	for _, dir := range []string{run, released(t, run)} {
		if got, r := verified(t, dir, verify.Options{}); len(got) > 0 {
			t.Errorf("%s: %q, notes %q", filepath.Base(dir), got, r.Notes)
		}
	}
}

// TestOlderProgram: of a run that began without a chain, the part that has one is checked.
func TestOlderProgram(t *testing.T) {
	run := newRun(t, "stop_at=8")
	for _, name := range []string{"chain.jsonl", "tensors.jsonl", "recipe.json"} {
		check(t, os.Remove(filepath.Join(run, name)))
	}
	goOn(t, filepath.Join(filepath.Dir(run), "tokens", "train.yaml"), "save_folder="+run, "try_load_latest_save=true")
	got, r := verified(t, run, verify.Options{})
	if len(got) > 0 || r.Checked.Steps != 12 {
		t.Errorf("%q, %+v, notes %q", got, r.Checked, r.Notes)
	}
}

// TestHeld: of a run that is being trained is told so, not that its files change.
func TestHeld(t *testing.T) {
	run := newRun(t)
	lock, err := store.AcquireIn(run)
	check(t, err)
	defer lock.Release()
	if _, err := verify.Folder(t.Context(), run, verify.Options{}); err == nil || !strings.Contains(err.Error(), "the run is not at rest") {
		t.Errorf("error %v", err)
	}
}

// TestIndicesEnd: the end of the data indices of a run that was killed is not written yet.
func TestIndicesEnd(t *testing.T) {
	run := newRun(t)
	path := filepath.Join(run, "data-indices", "rank0.tsv.gz")
	write(t, path, squeezed([]byte(strings.Join(indices(t, path)[:17], "\n")+"\n")))
	got, r := verified(t, run, verify.Options{})
	if len(got) > 0 || !slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, "ends before step 18") }) {
		t.Errorf("%q, notes %q", got, r.Notes)
	}
}

// TestParents: a run that began with the checkpoint of another hangs on it.
func TestParents(t *testing.T) {
	if testing.Short() {
		t.Skip("several runs")
	}
	run := newRun(t)
	child := filepath.Join(filepath.Dir(run), "child")
	goOn(t, filepath.Join(filepath.Dir(run), "tokens", "train.yaml"), "save_folder="+child, "load_path="+filepath.Join(run, "step8"), "reset_trainer_state=true", "optimizer.learning_rate=1e-3")
	later := filepath.Join(filepath.Dir(run), "later")
	goOn(t, filepath.Join(filepath.Dir(run), "tokens", "train.yaml"), "save_folder="+later, "load_path="+filepath.Join(run, "step8"))
	parent, other := released(t, run), released(t, newRun(t, "seed=8"))
	for _, dir := range []string{child, released(t, child), later, released(t, later)} {
		if _, r := verified(t, dir, verify.Options{Parents: []string{other, parent}}); len(r.Problems) > 0 || len(r.Notes) > 1 {
			t.Errorf("%s: %+v %q", dir, r.Problems, r.Notes)
		}
		if got, _ := verified(t, dir, verify.Options{Parents: []string{other}}); !slices.Equal(got, []string{"parent " + other}) {
			t.Errorf("%s is a child of another: %q", dir, got)
		}
	}
	if got, _ := verified(t, run, verify.Options{Parents: []string{other}}); !slices.Equal(got, []string{"parent " + other}) {
		t.Errorf("a run without a parent has one: %q", got)
	}
}
