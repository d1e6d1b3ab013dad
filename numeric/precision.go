package numeric

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Precision says how the operands of matrix products are rounded and in which order their terms
// are summed; docs/numerics.md defines each. Everything else is float32 under all of them.
type Precision int

// The precisions; the first two are spelled as OLMo spells them. A run trains under any but Int8.
const (
	FP32        Precision = iota // fp32: float32 operands
	AMPBF16                      // amp_bf16: bf16 operands, summed as VDPBF16PS does it
	AMPBF16Tile                  // amp_bf16_tile: bf16 operands, summed as TDPBF16PS does it
	Int8                         // int8: weights stored in blocks times operands of 8 bits, summed in integers; else fp32
)

var precisions = [...]string{FP32: "fp32", AMPBF16: "amp_bf16", AMPBF16Tile: "amp_bf16_tile", Int8: "int8"}

// Precisions returns those that a run trains under.
func Precisions() []Precision { return []Precision{FP32, AMPBF16, AMPBF16Tile} }

// Rounds reports whether operands are rounded to bf16.
func (p Precision) Rounds() bool { return p == AMPBF16 || p == AMPBF16Tile }

func (p Precision) String() string { return precisions[p] }

// ParsePrecision reads a name; f32 and bf16 stand for the first two.
func ParsePrecision(s string) (Precision, error) {
	if i := slices.Index(precisions[:], s); i >= 0 {
		return Precision(i), nil
	}
	switch s {
	case "f32":
		return FP32, nil
	case "bf16":
		return AMPBF16, nil
	}
	return 0, fmt.Errorf("%q is not known\nhint: one of %s", s, strings.Join(precisions[:], ", "))
}

// ParseTrainingPrecision is ParsePrecision of one that a run trains under.
func ParseTrainingPrecision(s string) (Precision, error) {
	p, err := ParsePrecision(s)
	if err == nil && p == Int8 {
		return 0, errors.New("int8 is the arithmetic of models that are stored in blocks and run: nothing trains in it\nhint: one of " + strings.Join(precisions[:Int8], ", "))
	}
	return p, err
}

// MarshalText writes the name.
func (p Precision) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePrecision for a configuration, where nothing and null stand for fp32.
func (p *Precision) UnmarshalText(text []byte) (err error) {
	switch s := string(text); s {
	case "null", "":
		*p = FP32
	case "amp_fp16":
		err = errors.New("amp_fp16 is not supported: half precision needs loss scaling\nhint: use amp_bf16")
	default:
		*p, err = ParseTrainingPrecision(s)
	}
	return err
}
