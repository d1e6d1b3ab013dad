package objective

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"olmo/config"
	"olmo/internal/pyjson"
)

// Numbers are what an objective is computed of, as a file has them. Scores with Group have
// advantages; the rest, rows of tokens, the objective.
type Numbers struct {
	Scores []float64
	Group  int

	New, Old, Reference, Advantages [][]float64 // rows of one token each; Reference may be nil
	Mask                            [][]bool    // which tokens are of a response
	Config                          Config
}

// Result is what comes of them. Members of the half that is not there are not written.
type Result struct {
	Standard []float64 `json:"adv_standard,omitempty"`
	Centered []float64 `json:"adv_centered,omitempty"`

	Policy  [][]float64 `json:"pg_loss,omitempty"`
	Clipped [][]float64 `json:"clipfrac,omitempty"` // 1 where the ratio was clipped
	KL      [][]float64 `json:"kl,omitempty"`
	// Loss is the mean over the response's tokens of pg_loss + beta·kl, and Grad its gradient by
	// the new log-probabilities: 0 for other tokens.
	Loss *float64    `json:"loss,omitempty"`
	Grad [][]float64 `json:"grad,omitempty"`
}

// Parse reads the object of a file. An error names the key.
func Parse(text []byte) (*Numbers, error) {
	members := map[string]json.RawMessage{}
	if err := pyjson.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	n := &Numbers{Config: DefaultConfig}
	read := map[string]func(json.RawMessage) error{
		"scores":        func(v json.RawMessage) error { return readNumbers(v, &n.Scores) },
		"group":         func(v json.RawMessage) error { return readOne(v, &n.Group) },
		"new_logprobs":  func(v json.RawMessage) error { return readRows(v, &n.New) },
		"old_logprobs":  func(v json.RawMessage) error { return readRows(v, &n.Old) },
		"ref_logprobs":  func(v json.RawMessage) error { return readRows(v, &n.Reference) },
		"advantages":    func(v json.RawMessage) error { return readRows(v, &n.Advantages) },
		"response_mask": func(v json.RawMessage) error { return readMask(v, &n.Mask) },
		"clip_lower":    func(v json.RawMessage) error { return readOne(v, &n.Config.ClipLower) },
		"clip_higher":   func(v json.RawMessage) error { return readOne(v, &n.Config.ClipHigher) },
		"beta":          func(v json.RawMessage) error { return readOne(v, &n.Config.Beta) },
		"loss_fn":       func(v json.RawMessage) error { return readOne(v, &n.Config.Loss) },
		"kl_estimator":  func(v json.RawMessage) error { return readOne(v, &n.Config.KL) },
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		into, ok := read[key]
		if !ok {
			known := slices.Sorted(maps.Keys(read))
			if near, ok := config.Nearest(key, known); ok {
				return nil, fmt.Errorf("unknown key %q\nhint: did you mean %s?", key, near)
			}
			return nil, fmt.Errorf("unknown key %q\nhint: the keys are %v", key, known)
		}
		if key == "ref_logprobs" && string(members[key]) == "null" {
			continue // there is no reference
		}
		if err := into(members[key]); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return n, n.check(members)
}

// check sees that each half is whole, and that rows have the same tokens.
func (n *Numbers) check(members map[string]json.RawMessage) error {
	has := func(key string) bool { return members[key] != nil }
	if has("scores") != has("group") {
		return errors.New("scores and group belong together")
	}
	if has("group") && (n.Group < 1 || len(n.Scores) == 0 || len(n.Scores)%n.Group != 0) {
		return fmt.Errorf("%d scores are not groups of %d", len(n.Scores), n.Group)
	}
	if err := n.Config.Check(); err != nil {
		return err
	}
	if !has("new_logprobs") && has("scores") && len(members) == 2 {
		return nil // advantages alone
	}
	for _, key := range []string{"new_logprobs", "old_logprobs", "advantages", "response_mask"} {
		if !has(key) {
			return fmt.Errorf("there is no %s", key)
		}
	}
	if n.Reference == nil && n.Config.Beta > 0 {
		return fmt.Errorf("there is no ref_logprobs, and beta is %v\nhint: beta 0 needs no reference", n.Config.Beta)
	}
	shape := lengths(n.New)
	for key, got := range map[string][]int{"old_logprobs": lengths(n.Old), "advantages": lengths(n.Advantages), "response_mask": lengths(n.Mask)} {
		if !slices.Equal(got, shape) {
			return fmt.Errorf("%s has rows of %v tokens, and new_logprobs of %v", key, got, shape)
		}
	}
	if got := lengths(n.Reference); n.Reference != nil && !slices.Equal(got, shape) {
		return fmt.Errorf("ref_logprobs has rows of %v tokens, and new_logprobs of %v", got, shape)
	}
	return nil
}

func lengths[T any](rows [][]T) []int {
	out := make([]int, len(rows))
	for i, r := range rows {
		out[i] = len(r)
	}
	return out
}

// Compute is the objective of numbers. One that is not finite is an error.
func (n *Numbers) Compute() (*Result, error) {
	out := &Result{}
	var err error
	if len(n.Scores) > 0 {
		if out.Standard, err = Advantages(n.Scores, n.Group, Standard); err != nil {
			return nil, err
		}
		if out.Centered, err = Advantages(n.Scores, n.Group, Centered); err != nil {
			return nil, err
		}
	}
	if n.New == nil {
		return out, nil
	}
	tokens, sum := 0, 0.0
	for i, row := range n.New {
		k := len(row)
		policy, clipped, kl, grad := make([]float64, k), make([]float64, k), make([]float64, k), make([]float64, k)
		for j, logp := range row {
			t := Token{New: logp, Old: n.Old[i][j], Reference: logp, Advantage: n.Advantages[i][j]}
			if n.Reference != nil {
				t.Reference = n.Reference[i][j]
			}
			term := n.Config.Term(t)
			if x := n.Config.Of(term) + term.Grad; math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("the objective of row %d, token %d is not finite: its ratio is %v", i, j, term.Ratio)
			}
			policy[j], kl[j] = term.Policy, term.KL
			if term.Clipped {
				clipped[j] = 1
			}
			if n.Mask[i][j] {
				tokens++
				sum += n.Config.Of(term)
				grad[j] = term.Grad
			}
		}
		out.Policy, out.Clipped, out.KL, out.Grad = append(out.Policy, policy), append(out.Clipped, clipped), append(out.KL, kl), append(out.Grad, grad)
	}
	loss := 0.0 // of no tokens, as there
	if tokens > 0 {
		loss = sum / float64(tokens)
		for _, row := range out.Grad {
			for j := range row {
				row[j] /= float64(tokens)
			}
		}
	}
	out.Loss = &loss
	return out, nil
}

// readOne reads a value that is there: null is none.
func readOne[T any](raw json.RawMessage, into *T) error {
	if string(raw) == "null" {
		return errors.New("it is null")
	}
	return pyjson.Value(raw, into)
}

func readNumbers(raw json.RawMessage, into *[]float64) error {
	var all []*float64
	if err := readOne(raw, &all); err != nil {
		return err
	}
	*into = make([]float64, len(all))
	for i, x := range all {
		if x == nil {
			return fmt.Errorf("number %d is null or none", i)
		}
		(*into)[i] = *x
	}
	return nil
}

func readRows(raw json.RawMessage, into *[][]float64) error {
	var rows []json.RawMessage
	if err := readOne(raw, &rows); err != nil {
		return err
	}
	*into = make([][]float64, len(rows))
	for i, row := range rows {
		if err := readNumbers(row, &(*into)[i]); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}

// readMask reads rows of 0 and 1, or of truth values.
func readMask(raw json.RawMessage, into *[][]bool) error {
	var rows [][]any
	if err := readOne(raw, &rows); err != nil {
		return err
	}
	for i, row := range rows {
		mask := make([]bool, len(row))
		for j, x := range row {
			switch x {
			case 1.0, true:
				mask[j] = true
			case 0.0, false:
			default:
				return fmt.Errorf("row %d, token %d is %v, want 0 or 1", i, j, x)
			}
		}
		*into = append(*into, mask)
	}
	return nil
}
