package score

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// VerifierConfig is what a file says of verifiers: the one place where any is declared that runs a
// program. A row can but name what is here or built in.
type VerifierConfig struct {
	Verifiers map[string]DeclaredVerifier `yaml:"verifiers"`
	AllowCode bool                        `yaml:"allow_code"` // programs that a model wrote may run
}

// DeclaredVerifier is a built-in verifier with a weight of its own, or a new name for one that runs
// programs.
type DeclaredVerifier struct {
	Weight float64 `yaml:"weight"`
	Code   bool    `yaml:"code"` // CodeVerifier
}

// SetDefaults is config's.
func (d *DeclaredVerifier) SetDefaults() { d.Weight = 1 }

// Declare adds what a file declares to the set, and code makes verifiers that run programs. An
// error names the key.
func (s VerifierSet) Declare(c *VerifierConfig, code func(name string) *Verifier) error {
	for _, name := range slices.Sorted(maps.Keys(c.Verifiers)) {
		d := c.Verifiers[name]
		of, known := s[name]
		switch {
		case math.IsNaN(d.Weight) || math.IsInf(d.Weight, 0):
			return fmt.Errorf("verifiers.%s.weight is %v", name, d.Weight)
		case name != strings.ToLower(name):
			return fmt.Errorf("verifiers.%s: names are in lower case", name)
		case d.Code && verifiers[name] != nil:
			return fmt.Errorf("verifiers.%s.code: the name is that of a built-in verifier", name)
		case d.Code:
			s[name] = Weighted{code(name), d.Weight}
		case !known:
			return fmt.Errorf("verifiers.%s declares nothing: no built-in verifier has the name\nhint: code: true makes it one that runs Python against tests", name)
		default:
			s[name] = Weighted{of.Verifier, d.Weight}
		}
	}
	return nil
}
