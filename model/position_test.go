package model

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestLlama3Frequencies: long waves are slowed down eightfold, short ones stay, and
// between them the shares blend. The numbers are those of Transformers'
// _compute_llama3_parameters for Llama 3.1 8B, in float64.
func TestLlama3Frequencies(t *testing.T) {
	s := &Scaling{Type: "llama3", Factor: 8, LowFreq: 1, HighFreq: 4, Original: 8192}
	got, scale := s.frequencies(500000, 128)
	if len(got) != 64 || scale != 1 {
		t.Fatalf("%d frequencies, scale %v; want 64, 1", len(got), scale)
	}
	for i, want := range map[int]float64{0: 1.0, 20: 0.016560440080994446, 29: 0.002166570763503359, 30: 0.0013718935677611381, 31: 0.0008567514129196321, 32: 0.0005248461609929547, 33: 0.00031269375038406517, 34: 0.00017850781276799638, 40: 3.428102195952591e-05, 63: 3.068925988914511e-07} {
		if math.Abs(got[i]-want) > 1e-12*want {
			t.Errorf("frequency %d is %v, want %v", i, got[i], want)
		}
	}
}

// TestScalings: linear and factors divide, YaRN keeps fast pairs, slows down slow ones and
// ramps between, rounded to whole elements or not. YaRN's numbers are those of Transformers'
// _compute_yarn_parameters, in float64.
func TestScalings(t *testing.T) {
	yarn := Scaling{Type: "yarn", Factor: 4, Original: 64, BetaFast: 4, BetaSlow: 0.5, AttentionFactor: 1.2}
	smooth := yarn
	smooth.Smooth = true
	for _, c := range []struct {
		name   string
		s      *Scaling
		theta  float64
		dims   int
		want   []float64
		factor float64
	}{
		{"none", nil, 100, 8, []float64{1, math.Pow(10, -0.5), 0.1, math.Pow(10, -1.5)}, 1},
		{"linear", &Scaling{Type: "linear", Factor: 4}, 100, 4, []float64{0.25, 0.025}, 1},
		{"factors", &Scaling{Type: "factors", Factor: 1, Factors: []float64{2, 5}}, 100, 4, []float64{0.5, 0.02}, 1},
		{"yarn", &yarn, 10000, 32, []float64{
			1.0, 0.5623413251903491, 0.2687936011143123, 0.12447955870272459, 0.05500000000000001, 0.02249365300761396, 0.007905694150420948, 0.004445698525097307,
			0.0025, 0.0014058533129758727, 0.0007905694150420947, 0.00044456985250973074, 0.00025, 0.00014058533129758727, 7.905694150420948e-05, 4.445698525097307e-05,
		}, 1.2},
		{"yarn without truncation", &smooth, 10000, 32, []float64{
			1.0, 0.5623413251903491, 0.2915256200879948, 0.12701617644742108, 0.050664394391007964, 0.016815323637643338, 0.007905694150420948, 0.004445698525097307,
			0.0025, 0.0014058533129758727, 0.0007905694150420947, 0.00044456985250973074, 0.00025, 0.00014058533129758727, 7.905694150420948e-05, 4.445698525097307e-05,
		}, 1.2},
	} {
		got, factor := c.s.frequencies(c.theta, c.dims)
		if len(got) != len(c.want) || factor != c.factor {
			t.Errorf("%s: %d frequencies, factor %v; want %d, %v", c.name, len(got), factor, len(c.want), c.factor)
			continue
		}
		for i, w := range c.want {
			if math.Abs(got[i]-w) > 1e-12*w {
				t.Errorf("%s: frequency %d is %v, want %v", c.name, i, got[i], w)
			}
		}
	}
	// Where both ends of the ramp fall together it is a step, not a division by zero.
	step := Scaling{Type: "yarn", Factor: 4, Original: 64, BetaFast: 1, BetaSlow: 1, AttentionFactor: 1, Smooth: true}
	plain, _ := (*Scaling)(nil).frequencies(10000, 32)
	got, _ := step.frequencies(10000, 32)
	for i, f := range got {
		want := plain[i]
		if i >= 5 { // 64 positions turn pair 4 once
			want /= 4
		}
		if math.Abs(f-want) > 1e-12*want {
			t.Errorf("a ramp without length: frequency %d is %v, want %v", i, f, want)
		}
	}
}

// TestScalingDefaults: what a file leaves out is what YaRN's paper has; what it says stays.
func TestScalingDefaults(t *testing.T) {
	got := Scaling{Type: "yarn", Factor: 4}.withDefaults(512)
	if got.Original != 512 || got.BetaFast != 32 || got.BetaSlow != 1 || math.Abs(got.AttentionFactor-1.138629436111989) > 1e-15 {
		t.Errorf("YaRN's defaults are %+v", got)
	}
	said := Scaling{Type: "yarn", Factor: 4, Original: 64, BetaFast: 16, BetaSlow: 2, AttentionFactor: 1.5}
	if got := said.withDefaults(512); got.Original != 64 || got.BetaFast != 16 || got.BetaSlow != 2 || got.AttentionFactor != 1.5 {
		t.Errorf("what was said became %+v", got)
	}
	if got := (Scaling{Type: "linear", Factor: 4}).withDefaults(512); got.BetaFast != 0 || got.AttentionFactor != 0 {
		t.Errorf("a linear scaling became %+v", got)
	}
	if f := yarnFactor(1, 1); f != 1 {
		t.Errorf("a factor of 1 changes sines by %v", f)
	}
}

// TestScalingCheck: a scaling that would divide by nothing is refused by name.
func TestScalingCheck(t *testing.T) {
	llama3 := Scaling{Type: "llama3", Factor: 8, Original: 32, LowFreq: 1, HighFreq: 4}
	yarn := Scaling{Type: "yarn", Factor: 4, Original: 16, BetaFast: 32, BetaSlow: 1, AttentionFactor: 1.2}
	with := func(s Scaling, change func(s *Scaling)) *Scaling { change(&s); return &s }
	for name, s := range map[string]*Scaling{
		"none": nil, "linear": {Type: "linear", Factor: 2}, "llama3": &llama3, "yarn": &yarn,
		"one ramp": with(yarn, func(s *Scaling) { s.BetaFast = 1 }),
	} {
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]*Scaling{
		"no factor":                 {Type: "linear"},
		"a negative factor":         {Type: "linear", Factor: -2},
		"a factor that is NaN":      {Type: "linear", Factor: math.NaN()},
		"llama3 without positions":  with(llama3, func(s *Scaling) { s.Original = 0 }),
		"llama3 without low":        with(llama3, func(s *Scaling) { s.LowFreq = 0 }),
		"llama3 with equal ends":    with(llama3, func(s *Scaling) { s.HighFreq = 1 }),
		"yarn without positions":    with(yarn, func(s *Scaling) { s.Original = 0 }),
		"yarn without slow turns":   with(yarn, func(s *Scaling) { s.BetaSlow = 0 }),
		"yarn the wrong way around": with(yarn, func(s *Scaling) { s.BetaFast = 0.5 }),
		"yarn without sines":        with(yarn, func(s *Scaling) { s.AttentionFactor = 0 }),
		"another type":              {Type: "dynamic", Factor: 2},
	} {
		if err := s.check(); err == nil || !strings.Contains(err.Error(), s.Type) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSlopes: ALiBi's for a power of two of heads, and MPT's for other numbers: those of the
// next power, the odd places first.
func TestSlopes(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []float32
		want []float32
	}{
		{"the paper's for 4", alibiSlopes(4, 8), []float32{0.25, 0.0625, 0.015625, 0.00390625}},
		{"to another limit", alibiSlopes(2, 4), []float32{0.25, 0.0625}},
		{"MPT's for 4", mptSlopes(4, 8), []float32{0.25, 0.0625, 0.015625, 0.00390625}},
		{"MPT's for 3", mptSlopes(3, 8), []float32{0.0625, 0.00390625, 0.25}},
		{"MPT's for 5", mptSlopes(5, 8), []float32{0.25, 0.0625, 0.015625, 0.00390625, 0.5}},
		{"MPT's for 1", mptSlopes(1, 8), []float32{0.00390625}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: slopes %v, want %v", c.name, c.got, c.want)
		}
	}
}
