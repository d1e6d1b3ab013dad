package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"olmo/eval/score/sandbox"
)

// execVerifier is a program of the user's own. For each answer it reads a line, an object with
// prediction, ground_truth, dataset (the verifier's name), and prompt and response_ids where they are
// known; and it writes a line, an object with score, or the number alone.
func execVerifier(name string, program *sandbox.Service) *Verifier {
	return &Verifier{
		Name: name, Source: "the user's own program", Truth: "whatever the program reads",
		Against: func(raw json.RawMessage) (Verdict, error) {
			return func(ctx context.Context, a *Attempted) (float64, error) {
				line, err := json.Marshal(struct {
					Prediction string          `json:"prediction"`
					Truth      json.RawMessage `json:"ground_truth"`
					Dataset    string          `json:"dataset"`
					Prompt     string          `json:"prompt,omitempty"`
					IDs        []int32         `json:"response_ids,omitempty"`
				}{a.Text, raw, name, a.Prompt, a.IDs})
				if err != nil {
					return 0, err
				}
				said, err := program.Ask(ctx, line)
				if err != nil {
					return 0, &NoVerdict{name, err}
				}
				x, err := execScore(said)
				if err != nil {
					return 0, &NoVerdict{name, err}
				}
				return x, nil
			}, nil
		},
	}
}

// execScore reads a program's line.
func execScore(line []byte) (float64, error) {
	var alone *float64
	if json.Unmarshal(line, &alone) == nil && alone != nil {
		return *alone, nil
	}
	var object struct{ Score *float64 }
	if err := json.Unmarshal(line, &object); err != nil {
		return 0, fmt.Errorf("the program writes %s, want an object with score, or a number", short(line))
	}
	if object.Score == nil {
		return 0, errors.New("the program's line has no score")
	}
	return *object.Score, nil
}
