package score_test

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"

	"olmo/eval/score"
)

// TestOEEval compares verdicts with those of oe-eval's own code (testdata/make_oe_eval.py).
func TestOEEval(t *testing.T) {
	f, err := os.Open("testdata/oe_eval.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want map[string][][3]json.RawMessage
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(&want)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, cases := range want {
		found, err := score.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			var response string
			var values map[string]float64
			if err := json.Unmarshal(c[1], &response); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(c[2], &values); err != nil {
				t.Fatal(err)
			}
			got, err := found[0].Each(&score.Row{Doc: json.RawMessage(`{"answer":` + string(c[0]) + `}`), Responses: []string{response}})
			if err != nil {
				t.Fatal(err)
			}
			for figure, v := range values {
				if x, ok := got[figure].(float64); !ok || math.Abs(x-v) > 1e-12 {
					t.Errorf("%s, answers %s, response %q: %s is %v, want %v", name, c[0], response, figure, got[figure], v)
				}
			}
		}
	}
}
