package train

import (
	"math"
	"path/filepath"
	"testing"

	"olmo/model"
)

// TestStarters: the rates and batches of the configs for own tokens are those of the law
// that they name, for their size and budget.
func TestStarters(t *testing.T) {
	for name, want := range map[string]float64{"small": 8e6, "medium": 34e6, "large": 113e6, "300m": 269e6, "1b": 1.07e9} {
		c, err := LoadConfig(filepath.Join("..", "runs", name+".yaml"), []string{"dry_run=true"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.Model.Config()
		if err != nil {
			t.Fatal(err)
		}
		N := size(m)
		if math.Abs(N/want-1) > 0.05 {
			t.Errorf("%s has %.0f parameters, want about %.0f", name, N, want)
		}
		batch := float64(c.GlobalTrainBatchSize * c.Model.MaxSequenceLength)
		D := float64(c.MaxDuration.Steps) * batch
		if r := D / (20 * N); r < 0.95 || r > 1.05 {
			t.Errorf("%s has a budget of %.3g tokens, want about %.3g", name, D, 20*N)
		}
		if got, want := c.Optimizer.LearningRate, min(Rate(N, D), 4e-3); math.Abs(got/want-1) > 0.03 {
			t.Errorf("%s has the rate %g, want %.3g", name, got, want)
		}
		if r := batch / (0.58 * math.Pow(D, 0.571)); r < math.Sqrt(0.5)*0.99 || r > math.Sqrt2*1.01 {
			t.Errorf("%s has batches of %g tokens, %.2f of the law's", name, batch, r)
		}
		if *c.StopAt != c.MaxDuration.Steps || c.Scheduler.warmup(float64(c.MaxDuration.Steps)) < 100 {
			t.Errorf("%s stops at %d of %v steps", name, *c.StopAt, c.MaxDuration)
		}
	}
}

// TestName: the folder of a run without a name is called after its model and its tokens.
func TestName(t *testing.T) {
	for path, want := range map[string]string{
		"/m/SmolLM2-135M/": "SmolLM2-135M", "/m/a.gguf": "a", "/m/run/step500": "run-step500", "/m/run/latest": "run-latest", "/m/steps": "steps",
		"/d/tokens/*.npy": "tokens", "/d/tokens/**/part-?.npy": "tokens", "/d/part-0.npy": "part-0", "s3://b/tokens/": "tokens",
	} {
		if got := Name(path); got != want {
			t.Errorf("Name(%q) = %q, want %q", path, got, want)
		}
	}
}

// TestTakeModel: a training config says all of every reference model, or says which part
// it cannot.
func TestTakeModel(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join("..", "model", "testdata", "reference", "*"))
	if err != nil || len(dirs) < 30 {
		t.Fatalf("%d models, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		c := DefaultConfig()
		if err := c.startFrom(dir); err != nil {
			t.Errorf("%s: %v", filepath.Base(dir), err)
			continue
		}
		l, err := model.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Model.Config()
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		} else if len(again.Params()) != len(l.Config.Params()) || c.InitWeights != dir {
			t.Errorf("%s: %d parameters, want %d; weights of %q", filepath.Base(dir), len(again.Params()), len(l.Config.Params()), c.InitWeights)
		}
		l.Close()
	}
}
