// Package score judges answers that exist: each scorer is a file of its own, after the
// program whose verdicts it gives.
package score

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Row is what is judged: a document with the answers to it.
type Row struct {
	Doc json.RawMessage `json:"doc"`
	// Responses are what the model wrote, Loglikelihoods how probable it found the document's
	// choices; one of them is given.
	Responses      []string  `json:"responses,omitempty"`
	Loglikelihoods []float64 `json:"loglikelihoods,omitempty"`
}

// Response is the first response.
func (r *Row) Response() (string, error) {
	if len(r.Responses) == 0 {
		return "", fmt.Errorf("the row has no responses")
	}
	return r.Responses[0], nil
}

// Values are a row's scores by name: numbers, or lists of them where a row has several verdicts
// that count each for itself.
type Values map[string]any

// Scorer is a way to judge.
type Scorer struct {
	Name   string
	Source string // the program whose verdicts these are, with its version and function
	// Each judges a row; nil for one that judges all rows together.
	Each func(r *Row) (Values, error)
	// All judges all rows together; nil for one that judges each for itself.
	All func(rows []Row) (map[string]float64, error)
}

var scorers = map[string]*Scorer{}

// define adds a scorer. Each file that describes one calls it.
func define(s Scorer) *Scorer {
	scorers[s.Name] = &s
	return &s
}

// Names lists the scorers, sorted.
func Names() []string { return slices.Sorted(maps.Keys(scorers)) }

// Lookup returns the scorers of names separated by commas.
func Lookup(names string) (out []*Scorer, err error) {
	for name := range strings.SplitSeq(names, ",") {
		s, ok := scorers[strings.TrimSpace(name)]
		if !ok {
			return nil, fmt.Errorf("no scorer is called %q\nhint: there are %s", name, strings.Join(Names(), ", "))
		}
		out = append(out, s)
	}
	return out, nil
}

// Summary is what all rows come to.
type Summary struct {
	N int `json:"n"`
	// Scores are means, with NAME_stderr beside each: the spread of a sample (n − 1) over √n. A
	// name whose values are lists is the mean over all their items, without one.
	Scores map[string]float64 `json:"scores"`
}

// Sum gathers values of rows.
type Sum struct {
	n     int
	lists map[string]bool
	all   map[string][]float64
}

// Add counts a row.
func (s *Sum) Add(v Values) error {
	if s.all == nil {
		s.all, s.lists = map[string][]float64{}, map[string]bool{}
	}
	s.n++
	for name, x := range v {
		switch x := x.(type) {
		case float64:
			s.all[name] = append(s.all[name], x)
		case bool:
			s.all[name] = append(s.all[name], number(x))
		case []bool:
			s.lists[name] = true
			for _, b := range x {
				s.all[name] = append(s.all[name], number(b))
			}
		default:
			return fmt.Errorf("the score %s is %v, want a number", name, x)
		}
	}
	return nil
}

// Summary computes the means.
func (s *Sum) Summary() Summary {
	out := Summary{N: s.n, Scores: map[string]float64{}}
	for name, values := range s.all {
		var sum, squares float64
		n := float64(len(values))
		for _, v := range values {
			sum += v
		}
		mean := sum / n
		for _, v := range values {
			squares += (v - mean) * (v - mean)
		}
		out.Scores[name] = mean
		if !s.lists[name] && n > 1 {
			out.Scores[name+"_stderr"] = math.Sqrt(squares/(n-1)) / math.Sqrt(n)
		}
	}
	return out
}

func number(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
