package model

import (
	"fmt"
	"math"

	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/numeric"
)

// Scaling changes the frequencies of a rotation, so that a model reads more
// positions than it was trained on. The names are those of Transformers
// (modeling_rope_utils.py of 5.23).
type Scaling struct {
	Type     string // linear, llama3, yarn, or factors
	Factor   float64
	Original int // positions before scaling

	LowFreq, HighFreq  float64 // llama3
	BetaFast, BetaSlow float64 // yarn
	// AttentionFactor multiplies sines and cosines (yarn).
	AttentionFactor float64
	Factors         []float64 // factors: what each frequency is divided by
	// Smooth keeps yarn's ramp between fractions of elements (truncate: false).
	Smooth bool
}

// frequencies returns the angle per position of each rotated pair, and the factor of
// sines and cosines.
func (s *Scaling) frequencies(theta float64, dims int) (f []float64, factor float64) {
	f = make([]float64, dims/2)
	for i := range f {
		f[i] = numeric.Pow(theta, -float64(2*i)/float64(dims))
	}
	if s == nil {
		return f, 1
	}
	switch s.Type {
	case "linear":
		for i := range f {
			f[i] /= s.Factor
		}
	case "factors":
		for i := range f {
			f[i] /= s.Factors[i]
		}
	case "llama3":
		s.llama3(f)
	case "yarn":
		s.yarn(f, theta, dims)
		return f, s.AttentionFactor
	}
	return f, 1
}

// llama3 slows long waves down by the factor, leaves short ones, and blends between.
func (s *Scaling) llama3(f []float64) {
	original := float64(s.Original)
	for i, v := range f {
		wave := 2 * math.Pi / v
		switch {
		case wave > original/s.LowFreq:
			f[i] = v / s.Factor
		case wave >= original/s.HighFreq:
			smooth := (original/wave - s.LowFreq) / (s.HighFreq - s.LowFreq)
			f[i] = float64((1-smooth)*(v/s.Factor)) + float64(smooth*v)
		}
	}
}

// yarn interpolates the pairs that turn less than BetaSlow times within the original
// positions, leaves those that turn more than BetaFast times, and ramps between.
//
// Peng et al. 2023.
func (s *Scaling) yarn(f []float64, theta float64, dims int) {
	at := func(turns float64) float64 {
		return float64(dims) * numeric.Log(float64(s.Original)/(turns*2*math.Pi)) / (2 * numeric.Log(theta))
	}
	low, high := at(s.BetaFast), at(s.BetaSlow)
	if !s.Smooth {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(dims-1))
	if low == high {
		high += 0.001
	}
	for i, v := range f {
		ramp := min(max((float64(i)-low)/(high-low), 0), 1)
		f[i] = float64((v/s.Factor)*ramp) + float64(v*(1-ramp))
	}
}

// withDefaults fills in what a file left out: the paper's constants of yarn.
func (s Scaling) withDefaults(positions int) Scaling {
	if s.Original == 0 {
		s.Original = positions
	}
	if s.Type == "yarn" {
		if s.BetaFast == 0 {
			s.BetaFast = 32
		}
		if s.BetaSlow == 0 {
			s.BetaSlow = 1
		}
		if s.AttentionFactor == 0 {
			s.AttentionFactor = yarnFactor(s.Factor, 1)
		}
	}
	return s
}

// yarnFactor is what the paper suggests for sines and cosines.
func yarnFactor(factor, scale float64) float64 {
	if factor <= 1 {
		return 1
	}
	return float64(0.1*scale*numeric.Log(factor)) + 1
}

// check reports a scaling that cannot be computed.
func (s *Scaling) check() error {
	if s == nil {
		return nil
	}
	ok := s.Factor > 0
	switch s.Type {
	case "linear", "factors":
	case "llama3":
		ok = ok && s.Original > 0 && s.LowFreq > 0 && s.HighFreq > s.LowFreq
	case "yarn":
		ok = ok && s.Original > 0 && s.BetaSlow > 0 && s.BetaFast >= s.BetaSlow && s.AttentionFactor > 0
	default:
		return fmt.Errorf("rope scaling of type %q is not known\nhint: one of linear, llama3, yarn", s.Type)
	}
	if !ok {
		return fmt.Errorf("rope scaling of type %s does not go together: %+v", s.Type, *s)
	}
	return nil
}

// rotated returns how many elements of a head are rotated.
func (c *Config) rotated() int {
	if c.RopeDims > 0 {
		return c.RopeDims
	}
	return c.D
}

// rotation returns the tables of cosines and sines, of the layers with a window or of
// the others.
func (b *builder) rotation(sliding bool) (cos, sin graph.Value) {
	name, theta, scaling := "rotary", b.RopeTheta, b.Scaling
	if sliding {
		name, scaling = "rotary.sliding", b.SlidingScaling
		if b.SlidingTheta > 0 {
			theta = b.SlidingTheta
		}
	}
	if cos, ok := b.g.Lookup(name + ".cos"); ok {
		sin, _ = b.g.Lookup(name + ".sin")
		return cos, sin
	}
	n := b.T
	if b.opt.Positions > 0 {
		n = b.opt.Positions
	}
	f, factor := scaling.frequencies(theta, b.rotated())
	h := len(f)
	c, s := make([]float32, n*h), make([]float32, n*h)
	parallel.For((n+255)/256, func(t int) {
		for p := t * 256; p < min(n, (t+1)*256); p++ {
			for i, v := range f {
				y, x := numeric.SinCos(float64(p) * v)
				c[p*h+i], s[p*h+i] = float32(x*factor), float32(y*factor)
			}
		}
	})
	return b.g.Const(name+".cos", c, n, h), b.g.Const(name+".sin", s, n, h)
}

// alibiSlopes returns ALiBi's slope of each head: 2^(−h·limit/heads).
func alibiSlopes(heads int, limit float64) []float32 {
	s := make([]float32, heads)
	for h := range s {
		s[h] = float32(numeric.Pow(2, -float64(h+1)*limit/float64(heads)))
	}
	return s
}
