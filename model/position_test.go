package model

import (
	"math"
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
