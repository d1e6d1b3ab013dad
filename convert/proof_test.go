package convert

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
)

// tiny is a small OLMo 2 and its weights.
func tiny() (*model.Config, model.Source) {
	rms := model.NormKind{RMS: true, Weight: true}
	c := &model.Config{
		Family: "olmo2", Norm: rms, QKNorm: &rms, Layers: 2, C: 32, H: 4, KV: 2, D: 8, F: 48, VocabSize: 64, V: 64, T: 64,
		NormEps: 1e-6, RopeTheta: 10000, EOS: 0, PAD: 1, BOS: -1,
	}
	return c, func(name string) ([]float32, error) {
		for _, p := range c.Params() {
			if p.Name == name {
				return model.Init{Fn: "normal", Std: 0.3}.Weights(c, p, 3)
			}
		}
		panic("no parameter " + name)
	}
}

// save writes a model in float32.
func save(t *testing.T, c *model.Config, get model.Source) string {
	t.Helper()
	dir := t.TempDir()
	if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// compare proves one folder a copy of another.
func compare(t *testing.T, from, to string, d tensor.DType) (*Proof, error) {
	t.Helper()
	l, err := model.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return prove(t.Context(), l, "", to, d, filepath.Join(t.TempDir(), "logits"), func(int, int) {})
}

// TestAllowedWeightErrors: what a dtype explains passes, a little more is refused by the
// name of the parameter. Each of the bounds lies above what rounding does, two and a half
// times for bfloat16, and far below a wrong order of rows.
func TestAllowedWeightErrors(t *testing.T) {
	const damaged = "transformer.blocks.1.attn_out.weight"
	c, get := tiny()
	from := save(t, c, get)
	for _, d := range []struct {
		dtype tensor.DType
		bound float64
	}{{tensor.F16, 2e-3}, {tensor.BF16, 4e-3}, {tensor.Q8_0, 0.02}, {tensor.Q6_K, 0.05}, {tensor.Q4_K, 0.25}, {tensor.Q4_0, 0.25}} {
		t.Run(d.dtype.String(), func(t *testing.T) {
			for _, share := range []float64{0.95, 1.05} {
				to := save(t, c, func(name string) ([]float32, error) {
					w, err := get(name)
					if name == damaged {
						for i := range w {
							w[i] *= float32(1 + d.bound*share)
						}
					}
					return w, err
				})
				p, err := compare(t, from, to, d.dtype)
				if share > 1 {
					if err == nil || !strings.Contains(err.Error(), damaged+" differs by") {
						t.Errorf("an error of %v of what is allowed: %v, want a refusal that names %s", share, err, damaged)
					}
					continue
				}
				if err != nil {
					t.Fatalf("an error of %v of what is allowed: %v", share, err)
				}
				if p.Weight != damaged || math.Abs(p.WeightError/(d.bound*share)-1) > 1e-3 || p.Allowed != d.bound {
					t.Errorf("largest error %v of %s, allowed %v; want %v of %s, allowed %v", p.WeightError, p.Weight, p.Allowed, d.bound*share, damaged, d.bound)
				}
			}
		})
	}
	t.Run("F32", func(t *testing.T) {
		p, err := compare(t, from, save(t, c, get), tensor.F32)
		if err != nil {
			t.Fatal(err)
		}
		if p.Weights != len(c.Params()) || p.WeightError != 0 || p.KL != 0 || p.LogitDifference != 0 || p.Agree != 32 || p.Positions != 32 {
			t.Errorf("a copy of itself: %+v", *p)
		}
		to := save(t, c, func(name string) ([]float32, error) {
			w, err := get(name)
			if name == damaged {
				w[0] = math.Nextafter32(w[0], 1)
			}
			return w, err
		})
		if _, err := compare(t, from, to, tensor.F32); err == nil {
			t.Error("one bit of one number differs, and nothing was said")
		}
	})
}

// TestRoundingIsAllowed: what the dtypes really do to weights passes, and the measures
// that a person judges by grow as the bits get fewer.
func TestRoundingIsAllowed(t *testing.T) {
	c, get := tiny()
	from := save(t, c, get)
	last := Proof{Agree: 33}
	for _, d := range []tensor.DType{tensor.F16, tensor.BF16} {
		to := t.TempDir()
		if err := model.SaveHF(to, c, get, d, 0, nil); err != nil {
			t.Fatal(err)
		}
		p, err := compare(t, from, to, d)
		if err != nil {
			t.Fatal(err)
		}
		if !(p.KL > last.KL && p.WeightError > 2*last.WeightError && p.LogitDifference > last.LogitDifference) || p.Agree > last.Agree {
			t.Errorf("%v: %+v, before %+v", d, *p, last)
		}
		last = *p
	}
}

func opened(t *testing.T, path string) *model.Loaded {
	t.Helper()
	l, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestLogitsDecide: weights of equal size in another order would pass no bound, but
// names that differ leave the proof to the logits, which see it.
func TestLogitsDecide(t *testing.T) {
	c, get := tiny()
	from := save(t, c, get)
	other := save(t, c, func(name string) ([]float32, error) {
		w, err := get(name)
		if strings.HasSuffix(name, "att_proj.weight") {
			r := rand.New(rand.NewPCG(1, 1))
			r.Shuffle(len(w), func(i, j int) { w[i], w[j] = w[j], w[i] })
		}
		return w, err
	})
	file := filepath.Join(t.TempDir(), "logits")
	ids := []int32{1, 5, 9, 2}
	if err := runTo(t.Context(), opened(t, from), "", ids, file); err != nil {
		t.Fatal(err)
	}
	for _, d := range []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.Q8_0, tensor.Q6_K} {
		if err := new(Proof).compareLogits(t.Context(), other, ids, d, file); err == nil || !strings.Contains(err.Error(), "logits differ by") {
			t.Errorf("%v: shuffled queries and keys gave %v, want a refusal", d, err)
		}
		if err := new(Proof).compareLogits(t.Context(), from, ids, d, file); err != nil {
			t.Errorf("%v: the same model: %v", d, err)
		}
	}
}

// TestAllowedLogits: of the source's logits one is moved, by a little less and a little more
// than the dtype explains.
func TestAllowedLogits(t *testing.T) {
	c, get := tiny()
	path := save(t, c, get)
	ids := []int32{1, 5, 9, 2}
	logits, err := run(t.Context(), opened(t, path), "", ids)
	if err != nil {
		t.Fatal(err)
	}
	largest, smallest := 0.0, 0
	for i, x := range logits {
		largest = max(largest, math.Abs(float64(x)))
		if math.Abs(float64(x)) < math.Abs(float64(logits[smallest])) {
			smallest = i
		}
	}
	for d, bound := range map[tensor.DType]float64{tensor.F32: 1e-5, tensor.F16: 0.05, tensor.BF16: 0.2, tensor.Q8_0: 0.3, tensor.Q6_K: 0.5} {
		for _, share := range []float64{0.9, 1.1} {
			moved := slices.Clone(logits)
			moved[smallest] += float32(share * bound * largest)
			file := filepath.Join(t.TempDir(), "logits")
			if err := os.WriteFile(file, tensor.FromFloat32([]int{len(moved)}, moved).Data, 0o666); err != nil {
				t.Fatal(err)
			}
			var p Proof
			err := p.compareLogits(t.Context(), path, ids, d, file)
			if (err == nil) != (share < 1) {
				t.Errorf("%v: a difference of %v of what is allowed: %v", d, share, err)
			}
			if want := share * bound * largest; math.Abs(p.LogitDifference/want-1) > 0.05 {
				t.Errorf("%v: the difference is %v, want %v", d, p.LogitDifference, want)
			}
		}
	}
}

// TestPosition has distributions whose divergence is known: a half and a half against a
// quarter and three quarters is ½·ln 2 + ½·ln ⅔.
func TestPosition(t *testing.T) {
	x, y := []float32{3, 3}, []float32{0, float32(math.Log(3))}
	var p Proof
	p.position(x, y)
	if want := math.Log(2)/2 + math.Log(2.0/3)/2; math.Abs(p.KL-want) > 1e-7 {
		t.Errorf("KL %v, want %v", p.KL, want)
	}
	if p.Agree != 0 || p.Positions != 1 || p.LogitDifference != 3 {
		t.Errorf("%+v: want no agreement (the first of equal logits counts) and a difference of 3", p)
	}
	p.position([]float32{1, 2}, []float32{1, 2})
	if p.Agree != 1 || p.Positions != 2 {
		t.Errorf("%+v after the same logits twice", p)
	}
}

// TestReward: a reward model is copied, and proven by its rewards: with other numbers it is none.
func TestReward(t *testing.T) {
	base, _ := tiny()
	c := base.AsReward()
	get := func(name string) ([]float32, error) {
		for _, p := range c.Params() {
			if p.Name == name {
				return model.Init{Fn: "normal", Std: 0.3}.Weights(c, p, 3)
			}
		}
		panic("no parameter " + name)
	}
	from := save(t, c, get)
	out := filepath.Join(t.TempDir(), "copy")
	r, err := Run(t.Context(), Options{From: from, To: model.HuggingFace, Out: out, DType: tensor.BF16})
	if err != nil {
		t.Fatal(err)
	}
	if r.Proof.Positions != 32 || r.Proof.Weights != len(c.Params()) || r.Proof.LogitDifference == 0 || r.Proof.LogitDifference > 0.1 {
		t.Errorf("the proof is %+v", r.Proof)
	}
	l, err := model.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !l.Config.Reward {
		t.Error("the copy is no reward model")
	}
	other := save(t, c, func(name string) ([]float32, error) {
		w, err := get(name)
		if name == model.RewardHead {
			w[0] += 0.5
		}
		return w, err
	})
	if _, err := compare(t, from, other, tensor.F32); err == nil || !strings.Contains(err.Error(), model.RewardHead) {
		t.Errorf("another head: %v", err)
	}
}
