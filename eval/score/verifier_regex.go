package score

import (
	"context"
	"encoding/json"
	"regexp"
)

// An answer in which a pattern finds something. It is RE2's, whose time grows with the answer's
// length alone.
var _ = verifies(Verifier{
	Name: "regex", Source: "our own", Truth: "a pattern of RE2",
	Against: func(raw json.RawMessage) (Verdict, error) {
		text, err := truthText(raw)
		if err != nil {
			return nil, err
		}
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, a *Attempted) (float64, error) { return number(re.MatchString(a.Text)), nil }, nil
	},
})
