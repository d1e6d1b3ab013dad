package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"olmo/eval/python"
)

// Lengths in tokens: max_length wants the ground truth's, up_to_max_length fewer than those. What
// is off it counts by its share of maxVerifiedLength, so that an answer may even have less than 0.
var (
	_ = verifies(Verifier{
		Name: "max_length", Source: "open-instruct e6c3044, MaxLenVerifier", Truth: "a number of tokens", Tokens: true,
		Against: againstLength(func(n, want float64) float64 { return 1 - math.Abs(n-want)/maxVerifiedLength }),
	})
	_ = verifies(Verifier{
		Name: "up_to_max_length", Source: "open-instruct e6c3044, UpToMaxLenVerifier", Truth: "a number of tokens", Tokens: true,
		Against: againstLength(func(n, want float64) float64 {
			if n < want {
				return 1
			}
			return 1 - (n-want)/maxVerifiedLength
		}),
	})
)

// maxVerifiedLength is max_length_verifier_max_length's default.
const maxVerifiedLength = 32768

func againstLength(reward func(n, want float64) float64) func(json.RawMessage) (Verdict, error) {
	return func(raw json.RawMessage) (Verdict, error) {
		text, err := truthOne(raw)
		if err != nil {
			return nil, err
		}
		want, ok := python.ParseFloat(text)
		if !ok || math.IsNaN(want) || math.IsInf(want, 0) {
			return nil, fmt.Errorf("it is %s", short(raw))
		}
		return func(_ context.Context, a *Attempted) (float64, error) {
			if a.IDs == nil {
				return 0, errors.New("it counts tokens, and those of the answer are not known\nhint: response_ids has them")
			}
			return reward(float64(len(a.IDs)), want), nil
		}, nil
	}
}
