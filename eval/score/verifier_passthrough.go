package score

import "encoding/json"

// A prompt whose reward comes from elsewhere.
var _ = verifies(Verifier{
	Name: "passthrough", Source: "open-instruct e6c3044, PassthroughVerifier", Truth: "anything",
	Against: func(json.RawMessage) (Verdict, error) {
		return func(*Attempted) (float64, error) { return 0, nil }, nil
	},
})
