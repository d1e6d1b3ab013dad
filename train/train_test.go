package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/device/cpu"
	"olmo/runlog"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

var (
	update = flag.Bool("update", false, "rewrite the digests in testdata")
	kills  = flag.Int("kills", 3, "how often the killed run is killed")
	faults = flag.Int("faults", 10, "how many of the things that can fail are let fail")
	seed   = flag.Uint64("seed", rand.Uint64N(1<<32), "of when a run is killed, and what fails")
)

const tiny = "testdata/tiny.yaml"

// digest is the weights_digest of the trainer's parameters.
func digest(t *testing.T, tr *train.Trainer) string {
	t.Helper()
	var all []weights.Named
	for _, p := range tr.Model().Params() {
		v, err := tr.Device().Read(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, weights.Named{Name: p.Name, Tensor: tensor.FromFloat32(p.Shape, v)})
	}
	d, err := weights.Digest(all)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", d)
}

// run trains to the end and returns the digest of the weights.
func run(t *testing.T, folder string, overrides ...string) string {
	t.Helper()
	tr := newTrainer(t, tiny, append([]string{"save_folder=" + folder}, overrides...)...)
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return digest(t, tr)
}

// logged returns the records of a run without times and speeds.
func logged(t *testing.T, folder string) []runlog.Record {
	t.Helper()
	records, err := runlog.Read(filepath.Join(folder, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		maps.DeleteFunc(r, func(k string, _ any) bool { return train.IsTiming(k) })
	}
	return records
}

var muon = []string{"optimizer.name=muon", "optimizer.learning_rate=0.02", "optimizer.adamw_learning_rate=0.004", "precision=amp_bf16", "scheduler.name=wsd", "scheduler.decay_fraction=0.5"}

// TestMicrobatches: the size of the micro-batches changes no bit.
func TestMicrobatches(t *testing.T) {
	want := run(t, t.TempDir(), "max_duration=4", "stop_at=4")
	for _, n := range []int{1, 2, 7, 100} {
		if got := run(t, t.TempDir(), "max_duration=4", "stop_at=4", fmt.Sprintf("device_train_microbatch_size=%d", n)); got != want {
			t.Errorf("micro-batches of %d: weights %s, want %s as with 3", n, got, want)
		}
	}
}

// TestResume: a run that is stopped and continued is the uninterrupted run.
func TestResume(t *testing.T) {
	for _, c := range []struct {
		name      string
		overrides []string
	}{
		{"AdamW", nil},
		{"Muon", muon},
		{"sums in blocks", []string{"precision=amp_bf16_tile"}},
		{"NorMuon", []string{"optimizer.name=normuon", "optimizer.learning_rate=0.02", "optimizer.adamw_learning_rate=0.004", "optimizer.nesterov=false", "optimizer.cautious_wd=true", "optimizer.adjust_lr=spectral_norm"}},
		{"Dion", []string{"optimizer.name=dion", "optimizer.learning_rate=0.02", "optimizer.adamw_learning_rate=0.004", "optimizer.rank_fraction=0.3"}},
		{"several epochs", []string{"global_train_batch_size=90", "device_train_microbatch_size=90", "max_duration=7", "stop_at=7"}},
		{"from a later epoch", []string{"epoch=1", "global_train_batch_size=90", "device_train_microbatch_size=90", "max_duration=9", "stop_at=9"}},
		{"growing batches", growing},
		{"packed documents", []string{"data.pack_documents=fragment", "data.generate_doc_lengths=true", "global_train_batch_size=30", "device_train_microbatch_size=30"}},
		{"lengths, two ranks", append([]string{"world_size=2", "global_train_batch_size=24", "max_duration=24"}, layouts["growing lengths"]...)},
		{"interleaved documents", layouts["interleaved"]},
		{"LionW", []string{"optimizer.name=lionw", "optimizer.learning_rate=4e-4", "optimizer.selective_updates=true"}},
		{"SkipStep AdamW", []string{"optimizer.name=skip_step_adamw", "optimizer.rolling_interval_length=8", "optimizer.sigma_factor=0.5"}},
		{"adaptive clip", []string{"max_grad_norm_ratio=0.9", "optimizer.selective_updates=true"}},
		{"token units", []string{"scheduler.units=tokens", "scheduler.t_warmup=1000", "scheduler.grad_clip_warmup_steps=2000", "scheduler.grad_clip_warmup_factor=0.1", "max_duration=6000T", "stop_at=null"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.overrides != nil && !strings.Contains(c.name, "ranks") {
				t.Skip("one case with the defaults, one with nearly nothing of them")
			}
			whole, parts := t.TempDir(), t.TempDir()
			want := run(t, whole, c.overrides...)
			overrides := append([]string{"save_folder=" + parts, "try_load_latest_save=true"}, c.overrides...)
			var got string
			for stops := 0; ; stops++ {
				tr := newTrainer(t, tiny, overrides...)
				ctx, stop := context.WithCancel(context.Background())
				if stops < 3 {
					n := 0
					tr.OnProgress(func(train.Progress) {
						if n++; n == 2+stops {
							stop()
						}
					})
				}
				r, err := tr.Run(ctx)
				stop()
				if err != nil {
					t.Fatal(err)
				}
				if r.Reason == train.Finished {
					got = digest(t, tr)
					break
				}
			}
			if got != want {
				t.Errorf("continued run ends with weights %s, want %s", got, want)
			}
			if c.name == "SkipStep AdamW" {
				skipped := 0.0
				for _, r := range logged(t, whole) {
					skipped += r["optim/step skipped"].(float64)
				}
				if skipped == 0 || skipped == 24 {
					t.Errorf("%g steps were skipped", skipped)
				}
			}
			if a, b := logged(t, parts), logged(t, whole); !reflect.DeepEqual(a, b) {
				t.Errorf("continued run logged\n%v\nwant\n%v", a, b)
			}
		})
	}
}

// TestFastForward: batches are skipped once, not at each restart.
func TestFastForward(t *testing.T) {
	from := t.TempDir()
	run(t, from, "max_duration=24", "stop_at=4")
	skip := []string{"load_path=" + from, "fast_forward_batches=3", "save_interval=2", "stop_at=9"}
	want := run(t, t.TempDir(), skip...)
	if run(t, t.TempDir(), append([]string{"fast_forward_batches=0"}, skip[0], skip[3])...) == want {
		t.Error("nothing was skipped")
	}
	parts := t.TempDir()
	run(t, parts, append(skip, "stop_at=6")...)
	if got := run(t, parts, append(skip, "try_load_latest_save=true")...); got != want {
		t.Errorf("continued run ends with weights %s, want %s", got, want)
	}
}

// TestDigest trains on committed text and compares the weights with digests that are the
// same for every instruction set and number of threads. A child process runs each.
func TestDigest(t *testing.T) {
	const short = ", 2 steps" // for plain Go, which is slow
	runs := map[string][]string{"adamw fp32": nil, "muon amp_bf16": muon, "muon amp_bf16_tile": append(slices.Clone(muon), "precision=amp_bf16_tile")}
	for name, overrides := range maps.Clone(runs) {
		runs[name+short] = append([]string{"stop_at=2", "global_train_batch_size=4"}, overrides...)
	}
	if name := os.Getenv("OLMO_TEST_DIGEST"); name != "" {
		fmt.Printf("digest %s\n", run(t, t.TempDir(), runs[name]...))
		return
	}
	path := filepath.Join("testdata", "digests.json")
	want := map[string]string{}
	if *update {
		for name, overrides := range runs {
			want[name] = run(t, t.TempDir(), overrides...)
		}
		text, _ := json.MarshalIndent(want, "", "  ")
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	readJSON(t, path, &want)
	type machine struct{ cpu, threads string }
	machines := []machine{{"", "1"}, {"", "2"}, {"", "3"}}
	if !testing.Short() {
		for _, cpu := range []string{"avx512bf16", "avx512", "avx2", "neon", "generic"} {
			machines = append(machines, machine{cpu, "2"})
		}
	}
	for _, m := range machines {
		for name := range runs {
			if m.cpu == "generic" != strings.HasSuffix(name, short) {
				continue
			}
			t.Run(fmt.Sprintf("%s %s threads %s", name, m.cpu, m.threads), func(t *testing.T) {
				c := exec.Command(os.Args[0], "-test.run=^TestDigest$")
				c.Env = append(os.Environ(), "OLMO_TEST_DIGEST="+name, "OLMO_THREADS="+m.threads)
				if m.cpu != "" {
					c.Env = append(c.Env, "OLMO_CPU="+m.cpu)
				}
				out, err := c.CombinedOutput()
				if bytes.Contains(out, []byte("this machine lacks")) {
					t.Skipf("this machine lacks %s", m.cpu)
				}
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				_, got, _ := strings.Cut(string(out), "digest ")
				got, _, _ = strings.Cut(got, "\n")
				if got != want[name] {
					t.Errorf("weights %s, want %s", got, want[name])
				}
			})
		}
	}
}

// TestKill kills a run again and again, and continues it each time.
func TestKill(t *testing.T) {
	overrides := []string{"max_duration=150", "stop_at=150", "save_interval=3", "try_load_latest_save=true"}
	if folder := os.Getenv("OLMO_TEST_KILL"); folder != "" {
		run(t, folder, overrides...)
		return
	}
	if testing.Short() {
		t.Skip("kills and restarts a process many times")
	}
	whole, killed := t.TempDir(), t.TempDir()
	began := time.Now()
	want := run(t, whole, overrides...)
	took := min(time.Since(began), 5*time.Second) // a machine that stands still for a while must not make it longer
	child := func() *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestKill$")
		c.Env = append(os.Environ(), "OLMO_TEST_KILL="+killed)
		return c
	}
	t.Logf("-seed=%d -kills=%d", *seed, *kills)
	moments := rand.New(rand.NewPCG(*seed, 0))
	for range *kills {
		c := child()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(moments.Int64N(int64(took/4))) + took/20)
		_ = c.Process.Kill()
		_ = c.Wait()
		if name, err := os.Readlink(filepath.Join(killed, "latest")); err == nil {
			if _, err := train.CheckCheckpoint(filepath.Join(killed, name)); err != nil {
				t.Fatalf("latest leads to %s: %v", name, err)
			}
		}
	}
	if out, err := child().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m, err := train.CheckCheckpoint(filepath.Join(killed, "step150"))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.WeightsDigest.String(); got != want {
		t.Errorf("killed run ends with weights %s, want %s", got, want)
	}
	if a, b := trained(t, killed, 0), trained(t, whole, 0); !slices.Equal(a, b) {
		t.Errorf("killed run trained on %d batches, other than the %d of the uninterrupted run", len(a), len(b))
	}
	if a, b := logged(t, killed), logged(t, whole); !reflect.DeepEqual(a, b) {
		t.Errorf("killed run logged %d records, other than the %d of the uninterrupted run", len(a), len(b))
	}
	if a, b := slices.Sorted(maps.Keys(files(t, killed))), slices.Sorted(maps.Keys(files(t, whole))); !slices.Equal(a, b) {
		t.Errorf("killed run leaves\n%v, the uninterrupted one\n%v", a, b)
	}
}

// TestCorruptCheckpoint: a damaged checkpoint is noticed and the one before it taken.
func TestCorruptCheckpoint(t *testing.T) {
	dir := t.TempDir()
	want := run(t, dir)
	path := filepath.Join(dir, "step24", "optim.safetensors")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-5] ^= 1
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := train.CheckCheckpoint(filepath.Dir(path)); !errors.Is(err, train.ErrCorrupt) {
		t.Fatalf("checking a damaged checkpoint: %v, want ErrCorrupt", err)
	}
	tr := newTrainer(t, tiny, "save_folder="+dir, "try_load_latest_save=true")
	if n := tr.State().Step; n != 16 {
		t.Fatalf("continues after step %d, want 16, the checkpoint before the damaged one", n)
	}
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := digest(t, tr); got != want {
		t.Errorf("weights %s after falling back, want %s", got, want)
	}
	if _, err := train.CheckCheckpoint(filepath.Dir(path)); err != nil {
		t.Errorf("the damaged checkpoint was not replaced: %v", err)
	}
}

// TestErrors: mistakes in config, data and checkpoints are refused with what to do.
func TestErrors(t *testing.T) {
	run24 := t.TempDir()
	run(t, run24, "stop_at=2", "no_pre_train_checkpoint=true")
	otherText := filepath.Join(t.TempDir(), "other.txt")
	text, err := os.ReadFile("testdata/text.txt")
	if err != nil {
		t.Fatal(err)
	}
	text[100]++
	if err := os.WriteFile(otherText, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		overrides []string
		want      string
	}{
		{"unknown key", []string{"optimizer.learning_rat=1"}, "did you mean"},
		{"unknown optimiser", []string{"optimizer.name=adamx"}, "did you mean adamw?"},
		{"unknown size of steps", []string{"optimizer.adjust_lr=rms_norms"}, "did you mean rms_norm?"},
		{"schedule without periods", []string{"scheduler.name=wsds"}, "period_lengths"},
		{"period too short", []string{"scheduler.name=wsds", "scheduler.t_warmup=95", "scheduler.period_lengths=[100]"}, "too short"},
		{"stage without an end", []string{"scheduler.name=composable", "scheduler.stages=[{duration: 5}]"}, "end_lr"},
		{"schedulers without times", []string{"scheduler.name=sequential", "scheduler.schedulers=[{name: constant}, {name: constant}]"}, "schedulers_max"},
		{"all dropped", []string{"model.residual_dropout=1"}, "less than 1"},
		{"half precision", []string{"precision=amp_fp16"}, "amp_bf16"},
		{"missing file", []string{"data.paths=[gone.npy]"}, "gone.npy: no such file or directory\nhint: where the files were moved, name them there, all and in the order of the config: data.paths=["},
		{"no data", []string{"data.paths=[]"}, "no token files"},
		{"large ids", []string{"model.vocab_size=100", "model.embedding_size=100"}, "the model's embedding has 100 rows"},
		{"large batch", []string{"global_train_batch_size=100000"}, "not one batch"},
		{"instances longer than the data", []string{"model.max_sequence_length=1000000"}, "hold no instance of 1000000 tokens"},
		{"too few instances", []string{"model.max_sequence_length=2000"}, "instances of 2000 tokens are not one batch of 7\nhint: lower global_train_batch_size or model.max_sequence_length"},
		{"another model", []string{"load_path=" + run24, "model.d_model=96"}, "shape"},
		{"deeper model", []string{"load_path=" + run24, "model.n_layers=3"}, "another model"},
		{"another optimiser", []string{"load_path=" + run24, "optimizer.name=muon"}, "reset_optimizer_state"},
		{"other data", []string{"load_path=" + run24, "data.paths=[" + otherText + "]"}, "restore_dataloader=false"},
		{"no checkpoint", []string{"load_path=" + t.TempDir()}, "holds no checkpoint"},
		{"the folder holds a run", []string{"save_folder=" + run24}, filepath.Join(run24, "config.yaml") + " exists: the folder holds a run\nhint: try_load_latest_save=true"},
		{"over its own config", []string{"save_folder=testdata"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := train.LoadConfig(tiny, append([]string{"save_folder=" + t.TempDir()}, c.overrides...))
			if err == nil {
				dev, _ := cpu.New()
				var tr *train.Trainer
				path := tiny
				if c.want == "" {
					// A config that is called config.yaml, trained in its own folder.
					cfg.SaveFolder = t.TempDir()
					path = filepath.Join(cfg.SaveFolder, "config.yaml")
					if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
						t.Fatal(err)
					}
					cfg.SaveOverwrite = true
					c.want = "write its config over"
				}
				if tr, err = train.New(cfg, dev, train.Options{ConfigPath: path}); err == nil {
					_, err = tr.Run(context.Background())
					tr.Close()
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestKeepCounts: old checkpoints go as the config says, the newest stays.
func TestKeepCounts(t *testing.T) {
	for _, c := range []struct {
		name      string
		overrides []string
		want      []int
	}{
		{"all", []string{"save_interval=8"}, []int{0, 8, 16, 24}},
		{"two", []string{"save_interval=8", "save_num_checkpoints_to_keep=2"}, []int{16, 24}},
		{"none but the newest", []string{"save_interval=4", "save_num_checkpoints_to_keep=0", "save_interval_unsharded=12"}, []int{0, 12, 24}},
		{"early ones", []string{"save_interval=10", "save_num_checkpoints_to_keep=1", "save_steps=[1,2,4]"}, []int{1, 2, 4, 24}},
		{"ephemeral", []string{"save_interval=20", "save_interval_ephemeral=6"}, []int{0, 20, 24}},
		{"only at the end", []string{"save_interval=null", "no_pre_train_checkpoint=true"}, []int{24}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			run(t, dir, c.overrides...)
			got, err := train.Steps(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("checkpoints %v, want %v", got, c.want)
			}
			if latest, err := train.Latest(dir); err != nil || filepath.Base(latest) != "step24" {
				t.Errorf("latest is %s, %v", latest, err)
			}
		})
	}
}

// TestSchedules compares OLMo's seven schedules with the numbers of ai2-olmo 0.6.0
// (testdata/schedulers.json is that of OLMO_GOLDEN/reference/train).
func TestSchedules(t *testing.T) {
	var cases []struct {
		Scheduler json.RawMessage `json:"scheduler"`
		LR        float64         `json:"initial_lr"`
		MaxSteps  float64         `json:"max_steps"`
		Limit     float64         `json:"initial_max_grad_norm"`
		Points    [][3]float64    `json:"points"`
	}
	readJSON(t, filepath.Join("testdata", "schedulers.json"), &cases)
	for _, c := range cases {
		scheduler := loadScheduler(t, string(c.Scheduler))
		for _, p := range c.Points {
			if got := scheduler.LearningRate(c.LR, p[0], c.MaxSteps); math.Abs(got-p[1]) > 1e-12*math.Abs(p[1]) {
				t.Errorf("%s: rate at %g is %.17g, want %.17g", c.Scheduler, p[0], got, p[1])
			}
			if got := scheduler.GradNormLimit(c.Limit, p[0]); got != p[2] {
				t.Errorf("%s: limit at %g is %g, want %g", c.Scheduler, p[0], got, p[2])
			}
		}
	}
}

// TestCoreSchedules compares OLMo-core's schedules with its own numbers.
func TestCoreSchedules(t *testing.T) {
	var cases []struct {
		Scheduler json.RawMessage `json:"scheduler"`
		LR        float64         `json:"lr"`
		End       float64         `json:"end"`
		Points    [][2]float64    `json:"points"`
	}
	readJSON(t, filepath.Join("testdata", "core_schedules.json"), &cases)
	for _, c := range cases {
		s := loadScheduler(t, string(c.Scheduler))
		for _, p := range c.Points {
			if got := s.LearningRate(c.LR, p[0], c.End); math.Abs(got-p[1]) > 1e-12*math.Abs(p[1]) {
				t.Errorf("%s: rate at %g is %.17g, want %.17g", c.Scheduler, p[0], got, p[1])
			}
		}
	}
}

// loadScheduler reads a scheduler section through a config file.
func loadScheduler(t *testing.T, section string) train.SchedulerConfig {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `{"scheduler": %s, "optimizer": {"name": "adamw"}, "model": {"include_bias": false, "rope": true, "norm_after": true, "attention_layer_norm": true, "layer_norm_type": "rms"}}`, section), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := train.LoadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Scheduler
}

// TestWSD shows the schedule: up, level, down over the last part.
func TestWSD(t *testing.T) {
	zero := 0.0
	for _, c := range []struct {
		shape string
		step  float64
		want  float64
	}{
		{"linear", 5, 0.5},
		{"linear", 10, 1},
		{"linear", 60, 1},
		{"linear", 80, 0.5 + 0.5*0.2},
		{"linear", 100, 0.2},
		{"sqrt", 70, 0.2 + 0.8*0.5},
		{"cosine", 80, 0.6},
	} {
		s := train.SchedulerConfig{Name: "wsd", TWarmup: 10, AlphaF: 0.2, DecayFraction: 0.4, DecayShape: c.shape, WarmupMinLR: &zero}
		if got := s.LearningRate(1, c.step, 100); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: rate at %g is %g, want %g", c.shape, c.step, got, c.want)
		}
	}
}

// TestLatestOfNothing: a folder without a run has no latest checkpoint.
func TestLatestOfNothing(t *testing.T) {
	if _, err := train.Latest(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

// TestNotFinite: a loss that is no number stops the run before the weights change, names
// the instances and leaves something to look at.
func TestNotFinite(t *testing.T) {
	dir := t.TempDir()
	tr := newTrainer(t, tiny, "save_folder="+dir)
	name := "transformer.ff_out.weight"
	w, err := tr.Device().Read(name)
	if err != nil {
		t.Fatal(err)
	}
	w[7] = float32(math.Inf(1))
	if err := tr.Device().Write(name, w); err != nil {
		t.Fatal(err)
	}
	_, err = tr.Run(context.Background())
	if !errors.Is(err, train.ErrNotFinite) {
		t.Fatalf("error %v, want ErrNotFinite", err)
	}
	var report struct {
		Step      int
		Instances []struct{ Index int }
	}
	readJSON(t, filepath.Join(dir, "failed-step1", "report.json"), &report)
	if report.Step != 1 || len(report.Instances) != 7 || !strings.Contains(err.Error(), fmt.Sprint(report.Instances[6].Index)) {
		t.Errorf("report %+v, error %v", report, err)
	}
	if after, _ := tr.Device().Read(name); !slices.Equal(after, w) {
		t.Error("the weights have changed")
	}
	for _, file := range []string{"batch.safetensors", "model.safetensors"} {
		set, err := weights.Open(filepath.Join(dir, "failed-step1", file))
		if err != nil {
			t.Error(err)
			continue
		}
		set.Close()
	}
}

// TestStops: the time limit and a rising loss end a run with a checkpoint.
func TestStops(t *testing.T) {
	for _, c := range []struct {
		overrides []string
		want      train.Reason
		step      int
	}{
		{[]string{"time_limit=0", "canceled_check_interval=5"}, train.TimeLimit, 5},
		{[]string{"early_stopping_factor=0.5", "canceled_check_interval=2"}, train.EarlyStopped, 6},
		{[]string{"early_stopping_factor=0.5", "canceled_check_interval=2", "scheduler.t_warmup=6"}, train.EarlyStopped, 8}, // after the warm-up, not at its end
		{[]string{"early_stopping_factor=5", "canceled_check_interval=2"}, train.Finished, 24},
		{[]string{"stop_after=3"}, train.Finished, 3},
		{[]string{"stop_at=null", "max_duration=4"}, train.Finished, 14}, // OLMo's ten extra steps
		{[]string{"stop_at=null", "max_duration=1ep", "global_train_batch_size=60", "device_train_microbatch_size=60"}, train.Finished, 3},
	} {
		t.Run(strings.Join(c.overrides, " "), func(t *testing.T) {
			tr := newTrainer(t, tiny, append([]string{"save_folder=" + t.TempDir()}, c.overrides...)...)
			r, err := tr.Run(context.Background())
			if err != nil || r.Reason != c.want || r.Step != c.step {
				t.Errorf("ended with %+v, %v; want %s at step %d", r, err, c.want, c.step)
			}
			if _, err := train.CheckCheckpoint(filepath.Join(tr.Config().SaveFolder, fmt.Sprintf("step%d", c.step))); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEarlyStopping: a run stops when its loss is too far above the least that it had
// before, not above its first or last one; a continued run knows the least one of all.
func TestEarlyStopping(t *testing.T) {
	base := []string{"optimizer.learning_rate=0.1", "canceled_check_interval=1"}
	whole := t.TempDir()
	run(t, whole, base...)
	const warmup, factor = 5, 1.02
	want, least := 0, math.Inf(1)
	for _, r := range logged(t, whole) {
		step, _ := r.Step()
		loss := r["train/CrossEntropyLoss"].(float64)
		least = min(least, loss)
		if step > warmup && loss > factor*least {
			want = step
			break
		}
	}
	if want == 0 {
		t.Fatal("the run's loss never rises: the test shows nothing")
	}
	stops := append(base, fmt.Sprintf("early_stopping_factor=%g", factor))
	for _, c := range []struct{ name, first string }{{"in one go", ""}, {"continued", "stop_at=3"}} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			overrides := append([]string{"save_folder=" + folder}, stops...)
			if c.first != "" {
				if _, err := newTrainer(t, tiny, append(overrides, c.first)...).Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				overrides = append(overrides, "load_path="+filepath.Join(folder, "latest"))
			}
			r, err := newTrainer(t, tiny, overrides...).Run(t.Context())
			if err != nil || r.Reason != train.EarlyStopped || r.Step != want {
				t.Errorf("ended with %+v, %v; want early stopping at step %d", r, err, want)
			}
		})
	}
}

// TestEvaluators: the loss on held-out token files joins the log under OLMo's names, and
// evaluating changes no bit of the training.
func TestEvaluators(t *testing.T) {
	plain, evaluated := t.TempDir(), t.TempDir()
	want := run(t, plain)
	got := run(t, evaluated, "eval_interval=12", "device_eval_batch_size=4",
		"evaluators=[{label: text, data: {paths: [testdata/text.txt], memmap_dtype: uint8}}, {label: both, subset_num_batches: 0, data: {datasets: {a: [testdata/text.txt], b: [testdata/text.txt]}, memmap_dtype: uint8}}, {label: few, subset_num_batches: 2, data: {paths: [testdata/text.txt], memmap_dtype: uint8}}]")
	if got != want {
		t.Error("evaluating changed the weights")
	}
	for i, r := range logged(t, evaluated) {
		_, has := r["eval/text/CrossEntropyLoss"]
		if has != ((i+1)%12 == 0) {
			t.Errorf("step %d: evaluated is %t", i+1, has)
		}
		if !has {
			continue
		}
		for _, label := range []string{"text", "a", "b", "few"} {
			ce, _ := r["eval/"+label+"/CrossEntropyLoss"].(float64)
			ppl, _ := r["eval/"+label+"/Perplexity"].(float64)
			if !(ce > 1 && ce < 6) || math.Abs(math.Log(ppl)-ce) > 1e-9 {
				t.Errorf("step %d, %s: loss %g, perplexity %g", i+1, label, ce, ppl)
			}
		}
		// OLMo-core's mean is over tokens, the last of an instance among them.
		const T = 40.0
		ce, core := r["eval/text/CrossEntropyLoss"].(float64), r["eval/lm/text/CE loss"].(float64)
		if math.Abs(core-ce*(T-1)/T) > 1e-9 || math.Abs(math.Log(r["eval/lm/text/PPL"].(float64))-core) > 1e-9 {
			t.Errorf("step %d: OLMo-core's loss is %g, want %g", i+1, core, ce*(T-1)/T)
		}
		// The two are drawn in one order, so that their sums are rounded differently.
		if a, b := r["eval/a/CrossEntropyLoss"].(float64), r["eval/b/CrossEntropyLoss"].(float64); math.Abs(a-b) > 1e-9 {
			t.Errorf("two equal sets have the losses %g and %g", a, b)
		}
		if r["eval/few/CrossEntropyLoss"] == r["eval/text/CrossEntropyLoss"] {
			t.Error("two batches have the loss of the whole set")
		}
	}
}

// TestPaddedEvaluation: documents may be instances of their own. OLMo-core's loss is the mean over
// all their tokens, of a document alone and of several.
func TestPaddedEvaluation(t *testing.T) {
	dir := t.TempDir()
	documents := []string{"one \x00", "a longer one\x00", "a document of more tokens than an instance has room for\x00"}
	sizes := []int{5, 13, 40} // the last is cut to an instance
	var evaluators []string
	for i, d := range append(documents, strings.Join(documents, "")) {
		path := filepath.Join(dir, fmt.Sprintf("%d.bin", i))
		if err := os.WriteFile(path, []byte(d), 0o666); err != nil {
			t.Fatal(err)
		}
		evaluators = append(evaluators, fmt.Sprintf("{label: d%d, data: {name: padded_fsl, paths: [%s], memmap_dtype: uint8}}", i, path))
	}
	folder := filepath.Join(dir, "run")
	run(t, folder, "max_duration=1", "stop_at=1", "eval_interval=1", "device_eval_batch_size=2", "model.eos_token_id=0", "model.pad_token_id=1", "evaluators=["+strings.Join(evaluators, ", ")+"]")
	r := logged(t, folder)[0]
	var sum, n float64
	for i, size := range sizes {
		ce := r[fmt.Sprintf("eval/lm/d%d/CE loss", i)].(float64)
		// OLMo's is over all targets that an instance could have.
		if olmo := r[fmt.Sprintf("eval/d%d/CrossEntropyLoss", i)].(float64); math.Abs(ce*float64(size)-olmo*39) > 1e-6 {
			t.Errorf("document %d: %g over %d tokens, %g over 39", i, ce, size, olmo)
		}
		sum += ce * float64(size)
		n += float64(size)
	}
	if got := r["eval/lm/d3/CE loss"].(float64); math.Abs(got-sum/n) > 1e-6 {
		t.Errorf("all documents: %g, want %g", got, sum/n)
	}
}

// TestEvaluatorLayout: a layout that no evaluator has is refused, not passed over.
func TestEvaluatorLayout(t *testing.T) {
	cfg, err := train.LoadConfig(tiny, []string{"save_folder=" + t.TempDir(), "evaluators=[{label: x, data: {name: vsl, paths: [testdata/text.txt], memmap_dtype: uint8}}]"})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	if tr, err := train.New(cfg, dev, train.Options{}); err == nil || !strings.Contains(err.Error(), "evaluators[0], x: data.name: vsl is for training") {
		t.Errorf("%v, %v", tr, err)
	}
}

// TestEvaluationPadding: with an attention mask padding is neither a key nor a target.
func TestEvaluationPadding(t *testing.T) {
	loss := func(masked bool) any {
		dir := t.TempDir()
		run(t, dir, "max_duration=1", "stop_at=1", "eval_interval=1", "model.pad_token_id=32", // a space
			fmt.Sprintf("evaluators=[{label: text, data: {paths: [testdata/text.txt], memmap_dtype: uint8, generate_attention_mask: %t}}]", masked))
		return logged(t, dir)[0]["eval/text/CrossEntropyLoss"]
	}
	if all, masked := loss(false).(float64), loss(true).(float64); masked > 0.95*all || masked < 0.5*all {
		t.Errorf("a loss of %g without spaces, %g with them", masked, all)
	}
}

// stopper is an evaluator that stops the run in the middle of its first evaluation.
type stopper struct{ stop func() }

func (s stopper) Evaluate(context.Context, *train.Trainer) (map[string]float64, error) {
	s.stop()
	return map[string]float64{"eval/own": 1}, nil
}

// TestStopWhileEvaluating: the evaluation that was broken off is in the log of the
// continued run.
func TestStopWhileEvaluating(t *testing.T) {
	overrides := []string{"eval_interval=6", "evaluators=[{label: text, data: {paths: [testdata/text.txt], memmap_dtype: uint8}}]", "stop_at=9", "try_load_latest_save=true"}
	finish := func(folder string, stop func() (context.Context, func())) train.Result {
		t.Helper()
		cfg, err := train.LoadConfig(tiny, append([]string{"save_folder=" + folder}, overrides...))
		if err != nil {
			t.Fatal(err)
		}
		dev, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := stop()
		tr, err := train.New(cfg, dev, train.Options{Evaluate: stopper{cancel}})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		r, err := tr.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	never := func() (context.Context, func()) { return context.Background(), func() {} }
	whole, broken := t.TempDir(), t.TempDir()
	finish(whole, never)
	if r := finish(broken, func() (context.Context, func()) { return context.WithCancel(context.Background()) }); r.Reason != train.Interrupted || r.Step != 6 {
		t.Fatalf("stopped run ended with %+v", r)
	}
	finish(broken, never)
	if a, b := logged(t, broken), logged(t, whole); !reflect.DeepEqual(a, b) {
		t.Errorf("continued run logged\n%v\nwant\n%v", a, b)
	}
}

// TestInputs: masked instances, masked labels and documents that do not see each other.
func TestInputs(t *testing.T) {
	dir := t.TempDir()
	// Four instances of eight tokens; 9 ends a document; the third repeats itself.
	ids := []byte{1, 2, 9, 3, 4, 5, 9, 6, 1, 2, 3, 4, 5, 6, 7, 8, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 6, 5, 4, 3, 2, 1}
	mask := bytes.Repeat([]byte{1}, len(ids))
	mask[12] = 0 // token 4 of the second instance is no target
	for name, b := range map[string][]byte{"ids.npy": ids, "mask.npy": mask} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	base := []string{
		"save_folder=" + filepath.Join(dir, "run"), "save_overwrite=true", "data.paths=[" + filepath.Join(dir, "ids.npy") + "]", "model.max_sequence_length=8", "model.eos_token_id=9",
		"global_train_batch_size=4", "device_train_microbatch_size=3", "max_duration=1", "stop_at=1", "softmax_auxiliary_loss=false",
	}
	loss := func(more ...string) float64 {
		t.Helper()
		run(t, filepath.Join(dir, "run"), append(slices.Clone(base), more...)...)
		return logged(t, filepath.Join(dir, "run"))[0]["train/CrossEntropyLoss"].(float64)
	}
	masks := "data.label_mask_paths=[" + filepath.Join(dir, "mask.npy") + "]"
	filter := "data.instance_filter={repetition_max_count: 4}"
	all := loss()
	// With OLMo's denominator, B·T = 32, what is masked lowers the loss; with labels it does not.
	if got := loss(masks); !(got < all && got > all*0.9) {
		t.Errorf("loss %g with a masked label, %g without", got, all)
	}
	if got, labels := loss(masks), loss(masks, "loss_denominator=labels"); math.Abs(labels*27/32-got) > 1e-6 {
		t.Errorf("loss %g over labels, %g over the batch: want 32/27 of it", labels, got)
	}
	if got, labels := loss(filter), loss(filter, "loss_denominator=labels"); math.Abs(labels*21/32-got) > 1e-6 {
		t.Errorf("loss %g over labels with a masked instance, %g over the batch: want 32/21 of it", labels, got)
	}
	if got := loss("data.generate_doc_lengths=true"); got == all {
		t.Error("documents see each other though their lengths are asked for")
	}
}

// TestExports: the log in other programs' forms.
func TestExports(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "stop_at=3", "tensorboard=true", "csv=true", "optimizer.metrics_log_interval=2", "wandb={project: p, name: '${run_name}'}")
	for _, file := range []string{"metrics.csv", "wandb/wandb-history.jsonl", "wandb/config.yaml", "tensorboard/events*", "train_data/global_indices.npy"} {
		if found, _ := filepath.Glob(filepath.Join(dir, file)); len(found) != 1 {
			t.Errorf("%s: %d files", file, len(found))
		}
	}
	for i, r := range logged(t, dir) {
		for _, kind := range []string{"grad", "param", "exp_avg", "exp_avg_sq"} {
			v, has := r["optim/"+kind+"/transformer.ff_out.weight.max"].(float64)
			if has != (i == 1) || has && v < 0 {
				t.Errorf("step %d: greatest element of %s is %g, %t", i+1, kind, v, has)
			}
		}
	}
	for i, r := range logged(t, dir) {
		if v, _ := r["optim/grad/transformer.ff_out.weight.norm"].(float64); v <= 0 {
			t.Errorf("step %d: gradient's norm is %g", i+1, v)
		}
	}
	var config struct {
		Optimizer struct{ Value map[string]any } `json:"optimizer"`
	}
	readJSON(t, filepath.Join(dir, "wandb", "config.yaml"), &config)
	if config.Optimizer.Value["name"] != "adamw" {
		t.Errorf("exported config has optimizer %v", config.Optimizer.Value)
	}
}

// TestModuleOutputs: what a module makes of a step's first micro-batch is written under its
// name in the package, and does not touch the run.
func TestModuleOutputs(t *testing.T) {
	plain, traced := t.TempDir(), t.TempDir()
	want := run(t, plain, "max_duration=3", "stop_at=3")
	if got := run(t, traced, "max_duration=3", "stop_at=3", "module_outputs_save_steps=[2]"); got != want {
		t.Error("saving the outputs changed the weights")
	}
	set, err := weights.Open(filepath.Join(traced, "traces", "step2", "outputs.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for name, cols := range map[string]int{"transformer.wte": 48, "transformer.blocks.0": 48, "transformer.blocks.0.att_proj": 144, "transformer.blocks.1.act": 88, "transformer.ln_f": 48} {
		v, err := set.Tensor("model." + name)
		if err != nil || !slices.Equal(v.Shape, []int{3, 40, cols}) {
			t.Errorf("%s has shape %v, %v; want (3, 40, %d)", name, v.Shape, err, cols)
		}
	}
}

// TestDiskFull: when a checkpoint cannot be written, the run says so and the one before
// it stays. A limit on the size of files stands for the full disk.
func TestDiskFull(t *testing.T) {
	if folder := os.Getenv("OLMO_TEST_FULL"); folder != "" {
		tr := newTrainer(t, tiny, "save_folder="+folder, "try_load_latest_save=true", "stop_at=100000", "max_duration=100000", "accept_changes=true", "save_interval=null", "save_steps=[8]")
		r, err := tr.Run(context.Background())
		if err == nil || r.Step == 100000 { // not only at the next save
			t.Fatalf("the run saw the full disk at step %d: %v", r.Step, err)
		}
		fmt.Println(err)
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("needs ulimit")
	}
	folder := t.TempDir()
	run(t, folder, "stop_at=3")
	c := exec.Command("sh", "-c", "ulimit -f 100; exec "+os.Args[0]+" -test.run=^TestDiskFull$")
	c.Env = append(os.Environ(), "OLMO_TEST_FULL="+folder)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"step8", "file too large", "hint: the checkpoints before it are whole"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the error is %s, want it to hold %q", out, want)
		}
	}
	latest, err := train.Latest(folder)
	if err != nil || filepath.Base(latest) != "step3" {
		t.Errorf("latest is %s, %v; want step3", latest, err)
	}
	if _, err := train.CheckCheckpoint(latest); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// TestExperts trains a mixture of experts: its routers' losses fall, and neither
// micro-batches nor a stop change a bit.
func TestExperts(t *testing.T) {
	moe := []string{
		"model.block_type=moe", "model.norm_after=false", "model.moe_num_experts=4", "model.moe_top_k=2", "model.mlp_hidden_size=64",
		"model.moe_loss_weight=1", "model.moe_zloss_weight=0.1", "max_duration=12", "stop_at=12",
	}
	whole, parts := t.TempDir(), t.TempDir()
	want := run(t, whole, moe...)
	run(t, parts, append(slices.Clone(moe), "stop_at=5")...)
	if got := run(t, parts, append(slices.Clone(moe), "device_train_microbatch_size=1", "try_load_latest_save=true")...); got != want {
		t.Errorf("continued with other micro-batches: weights %s, want %s", got, want)
	}
	records := logged(t, whole)
	first, last := records[0], records[len(records)-1]
	for _, key := range []string{"train/load balancing loss", "train/router Z loss", "train/CrossEntropyLoss"} {
		if a, b := first[key].(float64), last[key].(float64); !(b < a && b > 0) {
			t.Errorf("%s goes from %g to %g", key, a, b)
		}
	}
	// Evenly used experts have a balance loss of 1, times its weight.
	if b := last["train/load balancing loss"].(float64); b < 1 || b > 1.2 {
		t.Errorf("the balance loss is %g, want it near 1", b)
	}
}

var growing = []string{
	"batch_size_schedule=[{from: 3, size: 20}, {from: 4000T, size: 50}]", "sequence_length_schedule=[{from: 0, length: 10}, {from: 6, length: 40}]",
	"max_duration=3ep", "stop_at=null", "device_train_microbatch_size=16",
}

// TestGrowingBatches: sizes and lengths change when they should, and the data of each step
// is known without the run.
func TestGrowingBatches(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, growing...)
	records := logged(t, dir)
	for _, c := range []struct {
		step         int
		size, length float64
	}{{1, 7, 10}, {3, 7, 10}, {4, 20, 10}, {6, 20, 10}, {7, 20, 40}, {8, 50, 40}, {9, 50, 40}} {
		r := records[c.step-1]
		if r["train/global_batch_size"] != c.size || r["train/sequence_length"] != c.length {
			t.Errorf("step %d: %v instances of %v tokens, want %g of %g", c.step, r["train/global_batch_size"], r["train/sequence_length"], c.size, c.length)
		}
	}
	tr := newTrainer(t, tiny, append([]string{"save_folder=" + dir, "save_overwrite=true"}, growing...)...)
	for step := 1; step <= len(records); step++ {
		got, err := tr.NextIndex()
		if err != nil {
			t.Fatal(err)
		}
		s, err := tr.Config().StepData(step)
		if err != nil {
			t.Fatal(err)
		}
		var want []uint32
		for _, i := range s.Instances {
			want = append(want, i.Index)
		}
		if !slices.Equal(got, want) {
			t.Errorf("step %d trains on %v, StepData says %v", step, got, want)
		}
	}
	if _, err := tr.NextIndex(); !errors.Is(err, io.EOF) {
		t.Errorf("after three epochs: %v, want io.EOF", err)
	}
}

// TestMixture: sources are taken by their ratios, repeated where they are small.
func TestMixture(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, n int, id byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte{id}, n*40), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b, c := write("a", 10, 1), write("b", 30, 2), write("c", 3, 3)
	mixture := fmt.Sprintf("data.mixture=[{name: web, paths: [%s, %s], target_ratio: 0.75}, {name: code, paths: [%s], target_ratio: 0.25, max_repetition_ratio: 4}]", a, b, c)
	base := []string{"save_folder=" + filepath.Join(dir, "run"), "data.paths=[]", "global_train_batch_size=32", mixture}
	tr := newTrainer(t, tiny, append(base, "data.mixture_tokens=1280", "max_duration=1ep", "stop_at=null")...)
	s, err := tr.Config().StepData(1)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, i := range s.Instances {
		got[filepath.Base(i.File)]++
	}
	if want := map[string]int{"a": 6, "b": 18, "c": 8}; !maps.Equal(got, want) {
		t.Errorf("32 instances hold %v, want %v", got, want)
	}
	if tr.Steps() != 11 {
		t.Errorf("one epoch ends at step %d, want 1 and OLMo's 10 more", tr.Steps())
	}
	for _, c := range []struct{ override, want string }{
		{"data.mixture_tokens=4000", "max_repetition_ratio"},
		{"data.mixture_tokens=0", "mixture_tokens"},
		{"data.mixture=[{name: x, paths: [" + a + "], target_ratio: 0.5}]", "add up to 0.5"},
	} {
		cfg, err := train.LoadConfig(tiny, append(slices.Clone(base), "data.mixture_tokens=1280", c.override))
		if err == nil {
			dev, _ := cpu.New()
			_, err = train.New(cfg, dev, train.Options{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: error %v, want one with %q", c.override, err, c.want)
		}
	}
}
