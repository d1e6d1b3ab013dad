package generate

import (
	"errors"
	"fmt"
	"math"

	"olmo/device"
)

// Pooling makes one vector of a prompt: of its hidden states after the final norm, divided by its length.
type Pooling string

const (
	Mean  Pooling = "mean"  // of all tokens
	Last  Pooling = "last"  // the last token's
	First Pooling = "first" // the first token's
)

// ParsePooling reads a name.
func ParsePooling(s string) (Pooling, error) {
	switch p := Pooling(s); p {
	case Mean, Last, First:
		return p, nil
	}
	return "", fmt.Errorf("pooling %q is not known\nhint: one of mean, last, first", s)
}

// checkPooling refuses what does not go with an embedding.
func (q *Request) checkPooling() error {
	if q.Pooling == "" {
		return nil
	}
	if q.MaxTokens > 0 || q.Echo || q.Rows != nil {
		return errors.New("a request for an embedding asks for no answer and no log-probabilities")
	}
	_, err := ParsePooling(string(q.Pooling))
	return err
}

// embed makes a request one for the states that its embedding is made of.
func (s *sequence) embed() {
	n := len(s.Prompt)
	switch s.Pooling {
	case Mean:
		for row := range n {
			s.Rows = append(s.Rows, row)
		}
	case Last:
		s.Rows = []int{n - 1}
	case First:
		s.Rows = []int{0}
	}
}

// pool takes the states of a step, (C) for each of its tokens, to the sequences that want them. In each they come
// in the order of the tokens, however these are shared among steps.
func (e *Engine) pool(p *plan, program device.Program) {
	var states []float32
	at := 0
	for i, s := range p.sequences {
		g := p.batch.Segments[i]
		if s.Pooling != "" {
			if states == nil {
				states = program.Output("hidden")
			}
			C := e.cfg.C
			for r := range g.Rows {
				if s.row < len(s.Rows) && s.Rows[s.row] == g.Pos+r {
					s.add(states[(at+r)*C:][:C])
				}
			}
			if s.row == len(s.Rows) {
				e.end(s, s.normalise())
			}
		}
		at += g.Rows
	}
}

// add adds a state, in float64.
func (s *sequence) add(state []float32) {
	if s.row == 0 {
		s.states = make([]float64, len(state))
	}
	for c, x := range state {
		s.states[c] += float64(x)
	}
	s.row++
}

// normalise makes the embedding of the sum. A length of 0 leaves it.
func (s *sequence) normalise() error {
	var squares float64
	for _, x := range s.states {
		squares += float64(x * x)
	}
	length := math.Sqrt(squares)
	if length-length != 0 {
		return choice{logprob: math.NaN()}.problem(len(s.Prompt))
	}
	if length == 0 {
		length = 1
	}
	s.result.Embedding = make([]float32, len(s.states))
	for c, x := range s.states {
		s.result.Embedding[c] = float32(x / length)
	}
	return nil
}
