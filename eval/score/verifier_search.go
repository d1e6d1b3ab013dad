package score

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"

	"olmo/eval/python"
)

// Answers of searches, between <finish> and </finish>, against one of the right ones: a text, or
// JSON in a text, a list of them too.
var (
	_ = verifies(Verifier{
		Name: "re_search", Source: "open-instruct e6c3044, R1SearchVerifier", Truth: "a text, JSON in a text, or a list of texts",
		Against: func(raw json.RawMessage) (Verdict, error) {
			truths, err := searchTruths(raw)
			if err != nil {
				return nil, err
			}
			return func(_ context.Context, a *Attempted) (float64, error) {
				found := finished().FindStringSubmatch(a.Text)
				if found == nil || python.Strip(found[1]) == "" {
					return 0, nil
				}
				for _, t := range truths {
					if squadExact(t, found[1]) == 1 {
						return 1, nil
					}
				}
				return 0, nil
			}, nil
		},
	})
	// Words count by F1, and the form alone 0.1; one of the two tags is form enough.
	_ = verifies(Verifier{
		Name: "re_search_f1", Source: "open-instruct e6c3044, ReSearchVerifierF1", Truth: "a text, JSON in a text, or a list of texts",
		Against: func(raw json.RawMessage) (Verdict, error) {
			truths, err := searchTruths(raw)
			if err != nil {
				return nil, err
			}
			return func(_ context.Context, a *Attempted) (float64, error) {
				if !strings.Contains(a.Text, "<finish>") && !strings.Contains(a.Text, "</finish>") {
					return 0, nil
				}
				found, _, _ := strings.Cut(after(a.Text, "<finish>"), "</finish>")
				if found == "" {
					return 0, nil
				}
				if f1 := bestF1(found, truths); f1 > 0 {
					return f1, nil
				}
				return 0.1, nil
			}, nil
		},
	})
)

var finished = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?is)<finish>(.*?)</finish>`) })

// searchTruths reads the right answers: what a text holds as JSON, or else the text itself.
func searchTruths(raw json.RawMessage) ([]string, error) {
	text, err := truthText(raw)
	if err != nil {
		return truthTexts(raw)
	}
	if inner := []byte(strings.TrimSpace(text)); json.Valid(inner) {
		return truthTexts(inner)
	}
	return []string{python.Strip(text)}, nil
}
