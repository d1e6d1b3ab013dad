package model

import (
	"fmt"
	"math"

	"olmo/internal/parallel"
	"olmo/numeric"
)

// Init is a scheme of initial weights.
type Init struct {
	Fn       string  // normal, mitchell, full_megatron
	Std      float64 // of normal and full_megatron
	Cutoff   float64 // in standard deviations; 0: the scheme's own
	EmbStd   float64 // of embeddings; 0: the scheme's own
	ScaleEmb bool    // full_megatron: embeddings times sqrt(C)
}

// Init returns the initialisation that the section asks for.
func (a *AI2) Init() Init {
	i := Init{Fn: a.InitFn, Std: a.InitStd, ScaleEmb: a.ScaleEmbInit}
	if a.InitCutoffFactor != nil {
		i.Cutoff = *a.InitCutoffFactor
	}
	if a.EmbInitStd != nil {
		i.EmbStd = *a.EmbInitStd
	}
	return i
}

// Weights returns the initial values of a parameter: norms one (or what adds to one), biases zero, the
// others normal, cut off at so many standard deviations and drawn again. They are a
// function of the seed, the parameter's name and the element. A reward head has a standard
// deviation of 1/sqrt(C+1) in every scheme.
//
// Stiennon et al. 2020, p. 11, for the reward head. Schemes as in the ai2-olmo package (olmo/model.py, reset_parameters).
func (i Init) Weights(c *Config, p Param, seed uint64) ([]float32, error) {
	w := make([]float32, p.Size())
	switch p.Role {
	case Bias:
		return w, nil
	case Norm:
		for j := range w {
			if !p.OnePlus {
				w[j] = 1
			}
		}
		return w, nil
	}
	if p.Name == RewardHead {
		i = Init{Fn: "normal", Std: 1 / math.Sqrt(float64(c.C)+1)}
	}
	std, cutoff, err := i.std(c, p)
	if err != nil {
		return nil, err
	}
	s := numeric.NewStream(seed, p.Name)
	parallel.For((len(w)+4095)/4096, func(t int) {
		for j := t * 4096; j < min(len(w), (t+1)*4096); j++ {
			w[j] = float32(std * s.Normal(uint64(j), cutoff))
		}
	})
	return w, nil
}

func (i Init) std(c *Config, p Param) (std, cutoff float64, err error) {
	cutoff = i.Cutoff
	// Learned positions are embeddings too, and take no notice of the settings of ids'.
	ids := p.Role == Embedding && !p.isPosition()
	C, L := float64(c.C), float64(c.Layers)
	switch i.Fn {
	case "normal":
		std = i.Std
		if ids && i.EmbStd > 0 {
			std = i.EmbStd
		}
		return std, cutoff, nil
	case "mitchell":
		std = 1 / math.Sqrt(C)
		switch p.Role {
		case Embedding:
			if ids && i.EmbStd > 0 {
				std = i.EmbStd
			}
		case AttentionOut:
			std = 1 / math.Sqrt(2*C*float64(p.Layer+1))
		case MLPOut:
			std = 1 / math.Sqrt(2*float64(p.Shape[1])*float64(p.Layer+1))
		}
	case "full_megatron":
		std = i.Std
		switch p.Role {
		case Embedding:
			if ids && i.EmbStd > 0 {
				std = i.EmbStd
			} else if ids && i.ScaleEmb {
				std *= math.Sqrt(C)
			}
		case AttentionOut, MLPOut:
			std /= math.Sqrt(2 * L)
		case Head:
			std = 1 / math.Sqrt(C)
		}
	default:
		return 0, 0, fmt.Errorf("init_fn %s is not implemented\nhint: one of normal, mitchell, full_megatron", i.Fn)
	}
	if cutoff == 0 {
		cutoff = 3
	}
	return std, cutoff, nil
}
