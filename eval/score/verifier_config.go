package score

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os/exec"
	"slices"
	"strings"
	"time"

	"olmo/eval/score/sandbox"
)

// VerifierConfig is what a file says of verifiers: the one place where any is declared that runs a
// program or asks a server. A row can but name what is here or built in.
type VerifierConfig struct {
	Verifiers map[string]DeclaredVerifier `yaml:"verifiers,omitempty"`
	AllowCode bool                        `yaml:"allow_code"` // programs that a model wrote may run
	// RemapVerifier has rows that name the one verifier judged by the other: old=new.
	RemapVerifier string `yaml:"remap_verifier"`
}

// DeclaredVerifier is a built-in verifier with a weight of its own, or a new one that runs programs
// or asks a server: at most one of the keys below weight is given.
type DeclaredVerifier struct {
	Weight float64      `yaml:"weight"`
	Code   bool         `yaml:"code,omitempty"`  // CodeVerifier
	Exec   []string     `yaml:"exec,omitempty"`  // a program with its arguments: execVerifier
	Judge  *JudgeConfig `yaml:"judge,omitempty"` // judgeVerifier
	// Timeout is how many seconds exec has for an answer.
	Timeout float64 `yaml:"timeout,omitempty"`
}

// SetDefaults is config's.
func (d *DeclaredVerifier) SetDefaults() { d.Weight = 1 }

// execTimeout is how long a program has for an answer where the config does not say.
const execTimeout = 10 * time.Second

// Outside is how verifiers run programs that a model wrote, and ask a model on a server. Both are asked
// once, when the first row needs them.
type Outside struct {
	Sandbox func(context.Context) (*sandbox.Sandbox, error)
	Judge   func(context.Context, *JudgeConfig) (Ask, error)
}

// Ask is what a model says to a prompt, without its thinking.
type Ask func(ctx context.Context, prompt string) (string, error)

// Open is the set of built-in verifiers, code, and those that the config declares. An error names the
// key. Nothing is started yet.
func (c *VerifierConfig) Open(ctx context.Context, o Outside) (*VerifierSet, error) {
	s := BuiltIn()
	code := func(name string) *Verifier {
		return CodeVerifier(name, func() (*sandbox.Sandbox, error) {
			if !c.AllowCode {
				return nil, errors.New("it runs programs that a model wrote\nhint: --allow-code, or allow_code: true in the config, says that it may")
			}
			return o.Sandbox(ctx)
		})
	}
	s.of["code"] = Weighted{code("code"), 1}
	for _, name := range slices.Sorted(maps.Keys(c.Verifiers)) {
		d := c.Verifiers[name]
		if err := d.check(name, verifiers[name] != nil || name == "code"); err != nil {
			return nil, fmt.Errorf("verifiers.%s%w", name, err)
		}
		var v *Verifier
		switch {
		case d.Code:
			v = code(name)
		case d.Judge != nil:
			v = judgeVerifier(name, func() (Ask, error) { return o.Judge(ctx, d.Judge) }, d.Judge)
		case d.Exec != nil:
			program, err := exec.LookPath(d.Exec[0])
			if err != nil {
				return nil, fmt.Errorf("verifiers.%s.exec: %w", name, err)
			}
			service := &sandbox.Service{Program: program, Args: d.Exec[1:], Limit: d.limit()}
			v, s.ends = execVerifier(name, service), append(s.ends, service.Close)
		default:
			v = s.of[name].Verifier
		}
		s.of[name] = Weighted{v, d.Weight}
	}
	return s, s.remap(c.RemapVerifier)
}

func (d *DeclaredVerifier) limit() time.Duration {
	if d.Timeout == 0 {
		return execTimeout
	}
	return time.Duration(d.Timeout * float64(time.Second))
}

// check refuses what cannot be declared; its error begins with the key below the verifier's name.
func (d *DeclaredVerifier) check(name string, builtIn bool) error {
	kinds := 0
	for _, set := range []bool{d.Code, d.Exec != nil, d.Judge != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case math.IsNaN(d.Weight) || math.IsInf(d.Weight, 0):
		return fmt.Errorf(".weight is %v", d.Weight)
	case name != strings.ToLower(name):
		return errors.New(": names are in lower case")
	case kinds > 1:
		return errors.New(": code, exec and judge exclude each other")
	case kinds == 1 && builtIn:
		return errors.New(": the name is that of a built-in verifier")
	case kinds == 0 && !builtIn:
		return errors.New(" declares nothing: no built-in verifier has the name\nhint: code: true makes it one that runs Python against tests, exec: [PROGRAM] your own program, judge: {…} a model on a server")
	case d.Exec != nil && (len(d.Exec) == 0 || d.Exec[0] == ""):
		return errors.New(".exec names no program")
	case d.Timeout != 0 && d.Exec == nil:
		return errors.New(".timeout is for exec\nhint: a judge has its own, judge.timeout")
	case !(d.Timeout >= 0 && d.Timeout < 1e6):
		return fmt.Errorf(".timeout is %v, it must be a number of seconds", d.Timeout)
	case d.Judge != nil:
		return d.Judge.check()
	}
	return nil
}

// remap has one verifier judge what names another.
//
// open-instruct e6c3044, ground_truth_utils.py, build_all_verifiers.
func (s *VerifierSet) remap(pair string) error {
	if pair == "" {
		return nil
	}
	old, name, ok := strings.Cut(strings.ToLower(pair), "=")
	if !ok || old == "" || strings.Contains(name, "=") {
		return fmt.Errorf("remap_verifier is %q, want old=new", pair)
	}
	v, err := s.Lookup(name)
	if err != nil {
		return fmt.Errorf("remap_verifier: %w", err)
	}
	s.of[old] = v
	return nil
}
