package score

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"olmo/config"
	"olmo/eval/python"
	"olmo/internal/pyjson"
)

// Instructions that can be checked: the share of those that an answer follows. They are IFEval's and
// further ones of IFEvalG. Where open-instruct draws lots for an option that is not given, it is an error.
var _ = verifies(Verifier{
	Name: "ifeval", Source: "open-instruct e6c3044, IFEvalVerifier", Truth: "a list, as JSON or Python writes it, whose first entry has instruction_id and kwargs",
	Against: func(raw json.RawMessage) (Verdict, error) {
		checks, err := ifevalChecks(raw)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, a *Attempted) (float64, error) {
			answer := withoutThinking(a.Text)
			if answer == "" {
				return 0, nil
			}
			kept := 0
			for _, follows := range checks {
				ok, err := follows(answer)
				if err != nil {
					return 0, &NoVerdict{"ifeval", err}
				}
				if ok {
					kept++
				}
			}
			return float64(kept) / float64(len(checks)), nil
		}, nil
	},
})

// ifevalChecks reads a ground truth.
func ifevalChecks(raw json.RawMessage) ([]check, error) {
	entry, err := ifevalEntry(raw)
	if err != nil {
		return nil, err
	}
	var asked struct {
		IDs    []string                     `json:"instruction_id"`
		Kwargs []map[string]json.RawMessage `json:"kwargs"`
	}
	if err := pyjson.Value(entry, &asked); err != nil {
		return nil, err
	}
	switch {
	case len(asked.IDs) == 0:
		return nil, errors.New("it names no instruction_id")
	case len(asked.Kwargs) != len(asked.IDs):
		return nil, fmt.Errorf("it has %d instructions and the kwargs of %d", len(asked.IDs), len(asked.Kwargs))
	}
	var checks []check
	for i, id := range asked.IDs {
		instruction, ok := instructions[id]
		if !ok {
			instruction, ok = moreInstructions[id]
		}
		if !ok {
			hint := ""
			if near, ok := config.Nearest(id, slices.Concat(slices.Sorted(maps.Keys(instructions)), slices.Sorted(maps.Keys(moreInstructions)))); ok {
				hint = "\nhint: did you mean " + near + "?"
			}
			return nil, fmt.Errorf("no instruction is called %q%s", id, hint)
		}
		o := &instructionOptions{members: asked.Kwargs[i]}
		follows := instruction(o)
		if o.err == nil {
			o.err = o.unknown()
		}
		if o.err != nil {
			return nil, fmt.Errorf("the instruction %s: %w", id, o.err)
		}
		checks = append(checks, follows)
	}
	return checks, nil
}

// ifevalEntry is the first entry of the list, as JSON: the list may be a text of JSON's or Python's, and the
// entry a text of JSON's. None of them is evaluated.
func ifevalEntry(raw json.RawMessage) (json.RawMessage, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
		if !json.Valid(raw) {
			v, err := python.Literal(text)
			if err != nil {
				return nil, fmt.Errorf("it is neither JSON nor a literal of Python's: %w", err)
			}
			if raw, err = json.Marshal(v); err != nil {
				return nil, err
			}
		}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return nil, fmt.Errorf("it is %s", short(raw))
	}
	entry := list[0]
	if json.Unmarshal(entry, &text) == nil && entry[0] == '"' {
		entry = json.RawMessage(text)
	}
	if entry = bytes.TrimSpace(entry); !json.Valid(entry) || entry[0] != '{' {
		return nil, fmt.Errorf("its first entry is %s", short(entry))
	}
	return entry, nil
}
