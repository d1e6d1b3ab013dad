package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/numeric"
)

// Scaling changes the frequencies of a rotation, so that a model reads more
// positions than it was trained on. The names are those of Transformers
// (modeling_rope_utils.py of 5.23).
type Scaling struct {
	Type     string // linear, dynamic, llama3, longrope, proportional, yarn, or factors
	Factor   float64
	Original int // positions before scaling

	LowFreq, HighFreq  float64 // llama3
	BetaFast, BetaSlow float64 // yarn
	// AttentionFactor multiplies sines and cosines (yarn, longrope).
	AttentionFactor float64
	Factors         []float64 // factors: what each frequency is divided by
	// Short and Long are what longrope divides each frequency by: in sequences of up to
	// Original positions, and in longer ones.
	Short []float64 `yaml:"short_factor,omitempty"`
	Long  []float64 `yaml:"long_factor,omitempty"`
	// Positions are the model's max_position_embeddings where the rotation depends on the
	// length of the sequence (dynamic, longrope); Config.T is then at most Original, up to
	// which it does not.
	Positions int `yaml:"max_position_embeddings,omitempty"`
	// Share of each head that proportional rotates; the others of its pairs stand still.
	Share float64 `yaml:"partial_rotary_factor,omitempty"`
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
	case "longrope":
		for i := range f {
			f[i] /= s.Short[i]
		}
		return f, s.AttentionFactor
	case "proportional":
		for i := range f {
			if f[i] /= s.Factor; i >= int(s.Share*float64(dims))/2 {
				f[i] = 0
			}
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

// longFactor is what the paper of longrope suggests for sines and cosines.
//
// Ding et al. 2024; _compute_longrope_parameters of Transformers.
func longFactor(factor float64, original int) float64 {
	if factor <= 1 || original < 2 {
		return 1
	}
	return math.Sqrt(1 + numeric.Log(factor)/numeric.Log(float64(original)))
}

// check reports a scaling that cannot be computed.
func (s *Scaling) check() error {
	if s == nil {
		return nil
	}
	ok := s.Factor > 0
	switch s.Type {
	case "linear", "factors":
	case "proportional":
		ok = ok && s.Share > 0 && s.Share <= 1
	case "dynamic":
		ok = ok && s.Original > 0
	case "longrope":
		positive := func(v float64) bool { return v > 0 }
		ok = ok && s.Original > 0 && s.AttentionFactor > 0 && all(s.Short, positive) && all(s.Long, positive)
	case "llama3":
		ok = ok && s.Original > 0 && s.LowFreq > 0 && s.HighFreq > s.LowFreq
	case "yarn":
		ok = ok && s.Original > 0 && s.BetaSlow > 0 && s.BetaFast >= s.BetaSlow && s.AttentionFactor > 0
	default:
		return fmt.Errorf("rope scaling of type %q is not known\nhint: one of %s", s.Type, strings.Join(scalings, ", "))
	}
	if !ok {
		return fmt.Errorf("rope scaling of type %s does not go together: %+v", s.Type, *s)
	}
	return nil
}

// scalings are the types that files name.
var scalings = []string{"linear", "dynamic", "llama3", "longrope", "proportional", "yarn"}

func all[T any](list []T, f func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !f(v) })
}

// byLength tells whether the rotation of a sequence depends on how long it is.
func (s *Scaling) byLength() bool { return s != nil && (s.Type == "dynamic" || s.Type == "longrope") }

// fits reports a scaling that does not fit the model's heads and positions.
func (s *Scaling) fits(c *Config) error {
	switch {
	case s == nil:
	case s.byLength() && c.T > s.Original:
		return fmt.Errorf("%d positions with a rotation of type %s, which is computed for the first %d", c.T, s.Type, s.Original)
	case s.Type == "longrope" && (len(s.Short) != c.rotated()/2 || len(s.Long) != len(s.Short)):
		return fmt.Errorf("longrope has %d short factors and %d long ones for %d frequencies", len(s.Short), len(s.Long), c.rotated()/2)
	}
	return nil
}

// Longest returns the most positions that a sequence can have; 0: any. A model with learned
// positions has no more, and a rotation that depends on the length is computed for the lengths
// that the model was first trained on: there Transformers rotates every sequence alike, beyond
// them it would rotate the keys of a cache otherwise than those of a whole sequence.
func (c *Config) Longest() int {
	if c.Position == Learned || c.Scaling.byLength() || c.SlidingScaling.byLength() {
		return c.T
	}
	return 0
}

// maxPositions returns what files call the model's max_position_embeddings.
func (c *Config) maxPositions() int {
	if c.Scaling.byLength() {
		return max(c.T, c.Scaling.Positions)
	}
	return c.T
}

// rotated returns how many elements of a head are rotated.
func (c *Config) rotated() int {
	if c.RopeDims > 0 {
		return c.RopeDims
	}
	return c.D
}

// Rotation returns theta and scaling of the layers with a window, or of the others.
func (c *Config) Rotation(sliding bool) (theta float64, s *Scaling) {
	switch {
	case !sliding:
		return c.RopeTheta, c.Scaling
	case c.SlidingTheta > 0:
		return c.SlidingTheta, c.SlidingScaling
	}
	return c.RopeTheta, c.SlidingScaling
}

// rotation returns the tables of cosines and sines, of the layers with a window or of
// the others.
func (b *builder) rotation(sliding bool) (cos, sin graph.Value) {
	name := "rotary"
	if sliding {
		name = "rotary.sliding"
	}
	theta, scaling := b.Rotation(sliding)
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
