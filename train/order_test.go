package train_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"olmo/train"
)

// layouts are ways to make instances of the tiny text.
var layouts = map[string][]string{
	"chunks":      nil,
	"padded":      {"data.name=padded_fsl"},
	"packed":      {"data.name=packed_fsl", "data.long_doc_strategy=fragment"},
	"interleaved": {"data.name=interleaved_fsl", "data.docs_per_instance=2", "data.chunks_per_doc=2", "data.interleaving_seed=3"},
	"lengths":     {"data.name=vsl", "model.max_sequence_length=32", "data.min_sequence_length=4"},
	"growing lengths": {
		"data.name=vsl", "model.max_sequence_length=32", "data.min_sequence_length=4",
		"data.vsl_curriculum={name: grow_p2, num_cycles: 2}",
	},
	"growing batches": {"batch_size_schedule=[{from: 3, size: 6}, {from: 2000T, size: 30}]"},
}

// trained reads the lines that a run has written for a rank.
func trained(t *testing.T, folder string, rank int) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(folder, "data-indices", fmt.Sprintf("rank%d.tsv.gz", rank)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for s := bufio.NewScanner(z); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

// TestStepData: what a step sees is known without the run, for every way to make
// instances and any number of ranks, over several epochs.
func TestStepData(t *testing.T) {
	for name, overrides := range layouts {
		for _, ranks := range []int{1, 2} {
			if testing.Short() && ranks == 1 {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d ranks", name, ranks), func(t *testing.T) {
				const steps = 26
				dir := t.TempDir()
				overrides := append([]string{
					"save_folder=" + dir, "global_train_batch_size=24", "device_train_microbatch_size=5", fmt.Sprint("stop_at=", steps), "max_duration=26",
					fmt.Sprint("world_size=", ranks), "no_pre_train_checkpoint=true", "model.n_layers=1",
				}, overrides...)
				tr := newTrainer(t, tiny, overrides...)
				if _, err := tr.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				cfg, err := train.LoadConfig(tiny, overrides)
				if err != nil {
					t.Fatal(err)
				}
				lines := make([][]string, ranks)
				for r := range lines {
					if lines[r] = trained(t, dir, r); len(lines[r]) != steps {
						t.Fatalf("rank %d has %d lines, want %d", r, len(lines[r]), steps)
					}
				}
				for step := 1; step <= steps; step++ {
					s, err := cfg.StepData(step)
					if err != nil {
						t.Fatal(err)
					}
					got := make([]strings.Builder, ranks)
					for r := range got {
						fmt.Fprint(&got[r], step)
					}
					for i, p := range s.Instances {
						if i == 0 || p.Index != s.Instances[i-1].Index {
							fmt.Fprint(&got[p.Rank], "\t", p.Index)
						}
					}
					for r := range got {
						if got[r].String() != lines[r][step-1] {
							t.Fatalf("step %d of epoch %d, rank %d: %q, the run saw %q", step, s.Epoch, r, got[r].String(), lines[r][step-1])
						}
					}
				}
				if e := tr.State().Epoch; e == 0 {
					t.Error("the run saw one epoch only")
				}
			})
		}
	}
}

// TestRanks: a batch shared by several ranks gives the losses and the weights of one rank but for
// rounding, and so it does in the middle of a run.
func TestRanks(t *testing.T) {
	one, three := t.TempDir(), t.TempDir()
	// The text, and as much that repeats itself.
	text, err := os.ReadFile("testdata/text.txt")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, append(text, bytes.Repeat([]byte("ab "), len(text)/3)...), 0o644); err != nil {
		t.Fatal(err)
	}
	overrides := []string{"global_train_batch_size=12", "stop_at=8", "save_interval=4", "data.instance_filter={repetition_max_count: 8}", "data.paths=[" + path + "]"}
	run(t, one, overrides...)
	run(t, three, append(overrides, "world_size=3")...)
	a, b := logged(t, one), logged(t, three)
	masked := 0.0
	for i := range a {
		for _, key := range []string{"train/CrossEntropyLoss", "train/ZLoss", "optim/total_grad_norm"} {
			x, y := a[i][key].(float64), b[i][key].(float64)
			if d := (x - y) / x; d > 1e-5 || d < -1e-5 {
				t.Errorf("step %d: %s is %g with one rank, %g with three", i+1, key, x, y)
			}
		}
		key := "train/masked_instances_local_rank"
		masked += b[i][key].(float64)
		if b[i][key].(float64) > a[i][key].(float64) {
			t.Errorf("step %d: rank 0 has more masked instances than all have", i+1)
		}
	}
	if masked == 0 {
		t.Error("no instance was masked")
	}
	tr := newTrainer(t, tiny, append(overrides, "save_folder="+three, "try_load_latest_save=true")...)
	if n := tr.State().WorldSize; n != 3 {
		t.Errorf("the continued run has %d ranks, want the 3 of its checkpoint", n)
	}
	if _, err := train.LoadConfig(tiny, append(overrides, "world_size=5")); err == nil {
		t.Error("12 instances were shared by 5 ranks")
	}
}

// TestSourcePermutation: the files change places, and their label masks with them.
func TestSourcePermutation(t *testing.T) {
	dir := filepath.Join("testdata", "ranks")
	for _, c := range []struct {
		seed  string
		first string
	}{{"null", "tokens-0.npy"}, {"0", "tokens-0.npy"}, {"1", "tokens-1.npy"}} {
		cfg, err := train.LoadConfig(filepath.Join(dir, "config.yaml"), []string{"data.source_permutation_seed=" + c.seed, "save_folder=" + t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		for step := 1; step <= 8; step++ {
			s, err := cfg.StepData(step) // which opens the masks too
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range s.Instances {
				// The files have 41 and 30 instances.
				n := uint32(41)
				if c.first == "tokens-1.npy" {
					n = 30
				}
				if got := filepath.Base(i.File); (got == c.first) != (i.Index < n) {
					t.Fatalf("seed %s: instance %d is from %s", c.seed, i.Index, got)
				}
			}
		}
	}
}
