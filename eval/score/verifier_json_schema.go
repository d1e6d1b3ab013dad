package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"olmo/eval/python"
)

// An answer that is JSON, alone or in one block between fences, and valid by a schema.
var _ = verifies(Verifier{
	Name: "json_schema", Source: "our own, of JSON Schema 2020-12", Truth: "a JSON Schema of the keywords in docs/adaptation.md",
	Against: func(raw json.RawMessage) (Verdict, error) {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			raw = json.RawMessage(text)
		}
		if len(raw) > maxSchemaBytes {
			return nil, fmt.Errorf("it has %d bytes, more than %d", len(raw), maxSchemaBytes)
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, fmt.Errorf("it is %s: %w", short(raw), err)
		}
		schema, err := parseSchema(value, "schema", 0)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, a *Attempted) (float64, error) {
			var answer any
			if len(a.Text) > maxJSONAnswer || json.Unmarshal([]byte(unfenced(withoutThinking(a.Text))), &answer) != nil {
				return 0, nil
			}
			return number(schema.allows(answer)), nil
		}, nil
	},
})

// Bounds of what is held against each other: the time is at most their product.
const (
	maxSchemaBytes = 1 << 16
	maxSchemaDepth = 64
	maxJSONAnswer  = 1 << 18
)

// unfenced is what is in a text that is one block of code.
func unfenced(s string) string {
	inner, ok := strings.CutPrefix(s, "```")
	if inner, end := strings.CutSuffix(inner, "```"); ok && end {
		if word, rest, more := strings.Cut(inner, "\n"); more && strings.EqualFold(python.Strip(word), "json") {
			return rest
		}
		return inner
	}
	return s
}

// schema is a JSON Schema as the tests that a value has to pass.
type schema []func(value any) bool

func (s schema) allows(value any) bool {
	for _, test := range s {
		if !test(value) {
			return false
		}
	}
	return true
}

// parseSchema reads a schema, an object of keywords or a truth value. A keyword that is not known
// is an error: one passed over would let answers through. at says where it stands.
func parseSchema(value any, at string, depth int) (schema, error) {
	if depth > maxSchemaDepth {
		return nil, errors.New("it nests too deep")
	}
	if all, ok := value.(bool); ok {
		return schema{func(any) bool { return all }}, nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is neither an object nor a truth value", at)
	}
	var s schema
	for _, name := range slices.Sorted(maps.Keys(members)) {
		v := members[name]
		if schemaNotes[name] {
			continue
		}
		keyword, ok := schemaKeywords[name]
		if !ok {
			return nil, fmt.Errorf("%s has %q, a keyword that is not known here", at, name)
		}
		test, err := keyword(v, schemaPlace{at + "." + name, depth + 1, members})
		if err != nil {
			return nil, err
		}
		s = append(s, test)
	}
	return s, nil
}

// schemaNotes are keywords that say nothing of a value.
var schemaNotes = map[string]bool{"$schema": true, "$comment": true, "title": true, "description": true, "default": true, "examples": true}

// schemaPlace is where a keyword stands, and what stands beside it.
type schemaPlace struct {
	at     string
	depth  int
	beside map[string]any
}
