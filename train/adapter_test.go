package train_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/model"
	"olmo/train"
	"olmo/weights"
)

// adapterOf are the settings of a run that trains an adapter of the model in a run's last checkpoint.
func adapterOf(base string, more ...string) []string {
	return append([]string{
		"init_weights=" + filepath.Join(base, "latest", train.ModelFile), "adapter.rank=3", "adapter.alpha=6", "adapter.dropout=0.1",
		"optimizer.learning_rate=0.02", "max_duration=10", "stop_at=10", "save_interval=4", "softmax_auxiliary_loss=false",
	}, more...)
}

// adapterDigest is over the trained matrices; that of the base's is digest.
func adapterDigest(t *testing.T, tr *train.Trainer) string {
	t.Helper()
	params, _, err := tr.Sums()
	if err != nil {
		t.Fatal(err)
	}
	return weights.Root(params).String()
}

func runAdapter(t *testing.T, overrides ...string) *train.Trainer {
	t.Helper()
	tr := newTrainer(t, tiny, overrides...)
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestAdapter: an adapter changes, the base stays as it is and is in no checkpoint; stopped and continued,
// in other micro-batches and with layers computed again, it is the same to the bit.
func TestAdapter(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string) string { return filepath.Join(dir, name) }
	base := run(t, folder("base"), "max_duration=12", "stop_at=12")
	whole := runAdapter(t, adapterOf(folder("base"), "save_folder="+folder("whole"))...)
	want := adapterDigest(t, whole)
	if got := digest(t, whole); got != base {
		t.Errorf("the base has the weights %s after training, %s before", got, base)
	}
	set, err := weights.Open(filepath.Join(folder("whole"), "step4", train.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, name := range set.Names() {
		x, err := set.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if w, err := x.Float32s(); !strings.Contains(name, ".lora_") || err != nil || !slices.ContainsFunc(w, func(v float32) bool { return v != 0 }) {
			t.Errorf("the checkpoint holds %s, which has not been trained", name)
		}
	}
	if len(set.Names()) != 2*7*2 {
		t.Errorf("the checkpoint holds %d matrices", len(set.Names()))
	}
	optim, err := weights.Open(filepath.Join(folder("whole"), "step4", "optim.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer optim.Close()
	if len(optim.Names()) != 2*2*7*2 {
		t.Errorf("the optimiser's state has %d tensors", len(optim.Names()))
	}
	c, err := train.LoadRun(folder("whole"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Model.Config()
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.OpenPEFT(filepath.Join(folder("whole"), "step10"), m)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Rank != 3 || p.Alpha != 6 || p.Dropout != 0.1 || !strings.Contains(p.Base, "base") {
		t.Errorf("a checkpoint is the adapter %+v of %s", p.Adapters, p.Base)
	}

	for name, more := range map[string][]string{"parts": {"device_train_microbatch_size=1"}, "again": {"activation_checkpointing=whole_layer"}} {
		if got := adapterDigest(t, runAdapter(t, adapterOf(folder("base"), append(more, "save_folder="+folder(name))...)...)); got != want {
			t.Errorf("%v: another adapter", more)
		}
	}
	runAdapter(t, adapterOf(folder("base"), "save_folder="+folder("stopped"), "stop_at=6")...)
	continued := adapterOf(folder("base"), "save_folder="+folder("stopped"), "try_load_latest_save=true")
	if got := adapterDigest(t, runAdapter(t, continued...)); got != want {
		t.Error("the continued run ends with another adapter")
	}
	if a, b := logged(t, folder("stopped")), logged(t, folder("whole")); !reflect.DeepEqual(a, b) {
		t.Errorf("the continued run logged\n%v\nwant\n%v", a, b)
	}
	chains := [2][]byte{}
	for i, name := range []string{"stopped", "whole"} {
		if chains[i], err = os.ReadFile(filepath.Join(folder(name), "chain.jsonl")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(bytes.Split(chains[0], []byte("\n"))[0], bytes.Split(chains[1], []byte("\n"))[0]) {
		t.Error("the chains begin otherwise")
	}

	// From an adapter that is there, a run begins with its matrices.
	from := newTrainer(t, tiny, adapterOf(folder("base"), "save_folder="+folder("from"), "adapter.init_weights="+filepath.Join(folder("whole"), "step10"))...)
	if got := adapterDigest(t, from); got != want {
		t.Error("adapter.init_weights gives another adapter")
	}
	recipe, err := from.Config().Recipe()
	if err != nil || !bytes.Contains(recipe, []byte(`"base_root":"`)) || bytes.Contains(recipe, []byte("step10")) {
		t.Errorf("the recipe is %s (%v)", recipe, err)
	}
	back, err := train.FromRecipe(recipe, dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := back.Recipe(); err != nil || !bytes.Equal(again, recipe) {
		t.Errorf("the recipe, read and written, is %s (%v)", again, err)
	}
}

// TestAdapterRefused: an adapter without its base, with another one, or with other settings.
func TestAdapterRefused(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string) string { return filepath.Join(dir, name) }
	run(t, folder("base"), "max_duration=1", "stop_at=1")
	run(t, folder("other"), "max_duration=1", "stop_at=1", "seed=8")
	short := func(more ...string) []string {
		return adapterOf(folder("base"), append([]string{"max_duration=2", "stop_at=1"}, more...)...)
	}
	runAdapter(t, short("save_folder="+folder("run"))...)
	goesOn := func(more ...string) []string {
		return short(append([]string{"save_folder=" + folder("run"), "try_load_latest_save=true", "stop_at=2"}, more...)...)
	}
	for _, c := range []struct {
		what      string
		overrides []string
		want      []string
	}{
		{"no base", short("save_folder="+folder("x"), "init_weights=null"), []string{"adapter is set, and init_weights is not", "hint:"}},
		{"another base", goesOn("init_weights=" + filepath.Join(folder("other"), "latest", train.ModelFile)), []string{"adapter.base_root is", "another model than the one that the adapter was trained for"}},
		{"another base by its root", short("save_folder="+folder("x"), "adapter.base_root=abc"), []string{"is another model than the adapter was trained for"}},
		{"another rank", goesOn("adapter.rank=4"), []string{"adapter.rank is 3 there and 4 here"}},
		{"another alpha", goesOn("adapter.alpha=7"), []string{"adapter.alpha is 6 there and 7 here"}},
		{"other modules", goesOn("adapter.targets=[q_proj]"), []string{"adapter.targets is"}},
		{"all weights", []string{"save_folder=" + folder("run"), "try_load_latest_save=true", "max_duration=2"}, []string{"holds an adapter, and the run trains all weights", "olmo merge"}},
		{"of all weights", short("save_folder="+folder("base"), "try_load_latest_save=true"), []string{"holds all weights, and the run trains an adapter", "init_weights="}},
		{"modules that are not there", short("save_folder="+folder("x"), "adapter.targets=[wq]"), []string{"adapters on wq", "q_proj"}},
		{"an adapter of another rank", short("save_folder="+folder("x"), "adapter.rank=4", "adapter.init_weights="+folder("run")+"/step1"), []string{"adapter.init_weights: the adapter's rank is 3 there and 4 here"}},
		{"an adapter of other modules", short("save_folder="+folder("x"), "adapter.targets=[q_proj]", "adapter.init_weights="+folder("run")+"/step1"), []string{"list of modules"}},
		{"over its first adapter", short("save_overwrite=true", "save_folder="+folder("run")+"/step1", "adapter.init_weights="+folder("run")+"/step1"), []string{"the folder of the adapter that the run starts from"}},
	} {
		cfg, err := train.LoadConfig(tiny, c.overrides)
		if err == nil {
			err = func() error {
				dev, err := cpu.New()
				if err != nil {
					return err
				}
				tr, err := train.New(cfg, dev, train.Options{})
				if err != nil {
					return err
				}
				defer tr.Close()
				_, err = tr.Run(t.Context())
				return err
			}()
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.what, err, want)
			}
		}
	}
}

// TestAdapterMemory: the base has neither gradients nor optimiser state.
func TestAdapterMemory(t *testing.T) {
	c, err := train.LoadConfig(tiny, []string{"init_weights=base", "adapter.rank=3"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Estimate(cpu.Needs)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.ModelConfig()
	if err != nil {
		t.Fatal(err)
	}
	var trained int64
	for _, p := range m.Trained() {
		trained += 4 * int64(p.Size())
	}
	if e.Memory.Grads != trained || e.Memory.State != 2*trained || e.Checkpoint != 3*trained || e.Memory.Params != 4*int64(e.Parameters)+trained {
		t.Errorf("%+v and a checkpoint of %d bytes, for %d bytes of an adapter", e.Memory, e.Checkpoint, trained)
	}
}

// TestAdapterBF16: in bfloat16's arithmetic, too, the base stays, and a step is the same in any parts.
func TestAdapterBF16(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string) string { return filepath.Join(dir, name) }
	base := run(t, folder("base"), "max_duration=2", "stop_at=2")
	var roots []string
	for i, n := range []string{"1", "7"} {
		tr := runAdapter(t, adapterOf(folder("base"), "max_duration=3", "stop_at=3", "precision=amp_bf16", "device_train_microbatch_size="+n, "save_folder="+folder([]string{"a", "b"}[i]))...)
		roots = append(roots, adapterDigest(t, tr))
		if got := digest(t, tr); got != base {
			t.Error("the base has changed")
		}
	}
	if len(slices.Compact(roots)) != 1 {
		t.Errorf("the adapters are %v", roots)
	}
}
