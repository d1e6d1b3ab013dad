package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"olmo/eval/score/sandbox"
)

// CodeVerifier judges an answer's last block of Python, or all of it, by the share of the ground
// truth's tests that it passes, each run after it in a sandbox of its own. It is no built-in one: it
// runs what a model wrote. open is asked for the sandbox when the first ground truth is read.
//
// open-instruct e6c3044, CodeVerifier, whose threshold of the share is 0 and has no penalty for time.
func CodeVerifier(name string, open func() (*sandbox.Sandbox, error)) *Verifier {
	open = sync.OnceValues(open)
	return &Verifier{
		Name: name, Source: "open-instruct e6c3044, CodeVerifier", Truth: "a list of tests, texts of Python",
		Against: func(raw json.RawMessage) (Verdict, error) {
			tests, err := codeTests(raw)
			if err != nil {
				return nil, err
			}
			box, err := open()
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, a *Attempted) (float64, error) {
				program := sandbox.Program{Source: lastProgram(a.Text) + "\n"}
				passed := 0
				for _, test := range tests {
					program.Tests = test
					out, err := box.Run(ctx, program)
					if err != nil {
						return 0, &NoVerdict{name, err}
					}
					if out.Passed {
						passed++
					}
					if out.Why == "timeout" {
						break // one that hangs would hang at each of them
					}
				}
				return float64(passed) / float64(len(tests)), nil
			}, nil
		},
	}
}

// codeTests reads a list of tests, or one as JSON in a text.
func codeTests(raw json.RawMessage) ([]string, error) {
	var inner string
	if json.Unmarshal(raw, &inner) == nil {
		raw = json.RawMessage(inner)
	}
	var tests []*string
	if err := json.Unmarshal(raw, &tests); err != nil {
		return nil, fmt.Errorf("it is %s", short(raw))
	}
	if len(tests) == 0 {
		return nil, errors.New("there are no tests")
	}
	out := make([]string, len(tests))
	for i, t := range tests {
		if t == nil {
			return nil, fmt.Errorf("test %d is null", i)
		}
		out[i] = *t
	}
	return out, nil
}

var codeBlock = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("(?s)```(?:python)?(.*?)```") })

// lastProgram is the last block of code in an answer, or all of it where there is none.
func lastProgram(answer string) string {
	all := codeBlock().FindAllStringSubmatch(answer, -1)
	if len(all) == 0 {
		return answer
	}
	return strings.TrimSpace(all[len(all)-1][1])
}
