package objective

import (
	"fmt"
	"math"
	"slices"
)

// Normalisation is what becomes of the scores of a prompt's samples.
type Normalisation string

// The normalisations.
const (
	Centered Normalisation = "centered" // the score less the group's mean
	Standard Normalisation = "standard" // and divided by its standard deviation + 1e-8
)

// Normalisations are all of them.
var Normalisations = []Normalisation{Centered, Standard}

// Advantages are those of scores, of which each group stands together. The standard deviation is
// that of the group itself (n, not n − 1). Samples of a group whose scores are all the same have
// exactly 0, whatever its mean is rounded to.
//
// open-instruct e6c3044, data_loader.py.
func Advantages(scores []float64, group int, how Normalisation) ([]float64, error) {
	if group < 1 || len(scores)%group != 0 {
		return nil, fmt.Errorf("%d scores are not groups of %d", len(scores), group)
	}
	if !slices.Contains(Normalisations, how) {
		return nil, fmt.Errorf("advantage_normalization_type is %q, want one of %v", how, Normalisations)
	}
	out := make([]float64, 0, len(scores))
	for of := range slices.Chunk(scores, group) {
		sum, squares := 0.0, 0.0
		for _, s := range of {
			sum += s
		}
		mean := sum / float64(group)
		for _, s := range of {
			squares += float64((s - mean) * (s - mean))
		}
		scale := 1.0
		if how == Standard {
			scale = math.Sqrt(squares/float64(group)) + 1e-8
		}
		spread := slices.Min(of) != slices.Max(of)
		for _, s := range of {
			if !spread {
				s = mean
			}
			out = append(out, (s-mean)/scale)
		}
	}
	return out, nil
}
