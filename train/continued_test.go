package train_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/train"
)

// TestContinuedOtherwise: a run goes on in its folder as it was, or says with both values
// what is another's.
func TestContinuedOtherwise(t *testing.T) {
	dir := t.TempDir()
	base := []string{"model.n_layers=1", "max_duration=8", "save_interval=2"}
	run(t, dir, append(base, "stop_at=2")...)
	for _, c := range []struct {
		override string
		want     string // part of the error, or of a warning
		allowed  bool
	}{
		{"model.rope_theta=77777", "rope_theta is 10000 there and 77777 here", false},
		{"model.layer_norm_eps=1e-3", "layer_norm_eps is ", false},
		{"model.max_sequence_length=8", "was trained with model.max_sequence_length 40, not 8", false},
		{"optimizer.eps=1e-3", "optimizer.eps is ", false},
		{"optimizer.name=lionw", "optimizer.name is adamw there and lionw here", false},
		{"optimizer.weight_decay=0.7", "optimizer.weight_decay is ", false},
		{"optimizer.betas=[0.5,0.6]", "optimizer.betas is ", false},
		{"optimizer.decay_embeddings=true", "optimizer.decay_embeddings is false there and true here", false},
		{"seed=11", "was trained with seed 7, not 11", false},
		{"data.seed=11", "was trained with data.seed 7, not 11", false},
		{"global_train_batch_size=4", "was trained with global_train_batch_size ", false},
		{"seed=11 allow_changes=seed", "are seen again, and as many others of it never", true},
		{"data.seed=11 allow_changes=[data.seed]", "the data's seed was 7 and is 11: of the ", true},
		{"global_train_batch_size=4 allow_changes=[seed,global_train_batch_size]", "from step 3 on each step takes 4 instances", true},
		{"seed=11 allow_changes=[data.seed]", "was trained with seed 7, not 11", false},
		{"optimizer.learning_rate=1e-5", "other than its chain says are optimizer.learning_rate", false},
		{"scheduler.t_warmup=1", "other than its chain says are scheduler.t_warmup", false},
		{"max_duration=9", "other than its chain says are max_duration", false},
		{"max_duration=9 allow_changes=[max_duration]", "", true},
		{"optimizer.learning_rate=1e-5 accept_changes=true", "which the chain records: optimizer.learning_rate", true},
		{"optimizer.eps=1e-3 accept_changes=true", "which the chain records: optimizer.eps", true},
		{"seed=11 accept_changes=true", "which the chain records: data.seed, seed", true},
		{"optimizer.name=lionw accept_changes=true", "optimizer.name is adamw there and lionw here", false},
		{"model.n_layers=2 accept_changes=true", "n_layers is 1 there and 2 here", false},
		{"data.seed=7", "", true},
	} {
		t.Run(c.override, func(t *testing.T) {
			to := t.TempDir()
			if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			overrides := append(append([]string{"save_folder=" + to, "try_load_latest_save=true", "stop_at=3"}, base...), strings.Fields(c.override)...)
			cfg, err := train.LoadConfig(tiny, overrides)
			if err != nil {
				t.Fatal(err)
			}
			dev, err := cpu.New()
			if err != nil {
				t.Fatal(err)
			}
			var warned []string
			tr, err := train.New(cfg, dev, train.Options{Warn: func(s string) { warned = append(warned, s) }})
			if !c.allowed {
				if err == nil {
					_, err = tr.Run(t.Context())
					tr.Close()
				}
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "hint: ") {
					t.Fatalf("error %v, want one with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if r, err := tr.Run(context.Background()); err != nil || r.Step != 3 {
				t.Errorf("run ends at step %d, %v", r.Step, err)
			}
			if text := strings.Join(warned, "\n"); !strings.Contains(text, c.want) || c.want == "" && text != "" {
				t.Errorf("warned %q, want %q", text, c.want)
			}
		})
	}
}
