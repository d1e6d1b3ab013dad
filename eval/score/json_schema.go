package score

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"unicode/utf8"
)

// schemaKeywords make tests of keywords' values (JSON Schema 2020-12, "Validation" and the
// applicators of "Core"). A test of another type's keyword passes: minLength says nothing of a number.
var schemaKeywords map[string]func(v any, at schemaPlace) (func(any) bool, error)

func init() { // the applicators read schemas, which look up keywords
	schemaKeywords = map[string]func(any, schemaPlace) (func(any) bool, error){
		"type": schemaType,
		"enum": func(v any, at schemaPlace) (func(any) bool, error) {
			all, ok := v.([]any)
			if !ok {
				return nil, fmt.Errorf("%s is no list", at.at)
			}
			return func(x any) bool {
				return slices.ContainsFunc(all, func(y any) bool { return reflect.DeepEqual(x, y) })
			}, nil
		},
		"const": func(v any, _ schemaPlace) (func(any) bool, error) {
			return func(x any) bool { return reflect.DeepEqual(x, v) }, nil
		},
		"minimum":          schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x >= b }, sizeOfNumber),
		"maximum":          schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x <= b }, sizeOfNumber),
		"exclusiveMinimum": schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x > b }, sizeOfNumber),
		"exclusiveMaximum": schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x < b }, sizeOfNumber),
		"minLength":        schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x >= b }, sizeOfText),
		"maxLength":        schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x <= b }, sizeOfText),
		"minItems":         schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x >= b }, sizeOfList),
		"maxItems":         schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x <= b }, sizeOfList),
		"minProperties":    schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x >= b }, sizeOfObject),
		"maxProperties":    schemaBound(func(x float64, ok bool, b float64) bool { return !ok || x <= b }, sizeOfObject),
		"pattern": func(v any, at schemaPlace) (func(any) bool, error) {
			text, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("%s is no text", at.at)
			}
			re, err := regexp.Compile(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", at.at, err)
			}
			return func(x any) bool { s, ok := x.(string); return !ok || re.MatchString(s) }, nil
		},
		"required":             schemaRequired,
		"properties":           schemaProperties,
		"additionalProperties": schemaAdditional,
		"items": func(v any, at schemaPlace) (func(any) bool, error) {
			s, err := parseSchema(v, at.at, at.depth)
			return func(x any) bool {
				list, _ := x.([]any)
				return !slices.ContainsFunc(list, func(y any) bool { return !s.allows(y) })
			}, err
		},
		"allOf": schemaCount(func(n, of int) bool { return n == of }),
		"anyOf": schemaCount(func(n, _ int) bool { return n > 0 }),
		"oneOf": schemaCount(func(n, _ int) bool { return n == 1 }),
		"not": func(v any, at schemaPlace) (func(any) bool, error) {
			s, err := parseSchema(v, at.at, at.depth)
			return func(x any) bool { return !s.allows(x) }, err
		},
	}
}

func sizeOfNumber(x any) (float64, bool) { f, ok := x.(float64); return f, ok }

func sizeOfText(x any) (float64, bool) {
	s, ok := x.(string)
	return float64(utf8.RuneCountInString(s)), ok
}

func sizeOfList(x any) (float64, bool) { l, ok := x.([]any); return float64(len(l)), ok }

func sizeOfObject(x any) (float64, bool) { o, ok := x.(map[string]any); return float64(len(o)), ok }

// schemaBound compares the size of a value, where it has one, with the keyword's number.
func schemaBound(holds func(x float64, has bool, bound float64) bool, size func(any) (float64, bool)) func(any, schemaPlace) (func(any) bool, error) {
	return func(v any, at schemaPlace) (func(any) bool, error) {
		bound, ok := v.(float64)
		if !ok {
			return nil, fmt.Errorf("%s is no number", at.at)
		}
		return func(x any) bool {
			n, has := size(x)
			return holds(n, has, bound)
		}, nil
	}
}

// schemaCount counts which schemas of a list allow a value.
func schemaCount(holds func(n, of int) bool) func(any, schemaPlace) (func(any) bool, error) {
	return func(v any, at schemaPlace) (func(any) bool, error) {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil, fmt.Errorf("%s is no list of schemas", at.at)
		}
		all := make([]schema, len(list))
		for i, one := range list {
			var err error
			if all[i], err = parseSchema(one, fmt.Sprintf("%s[%d]", at.at, i), at.depth); err != nil {
				return nil, err
			}
		}
		return func(x any) bool {
			n := 0
			for _, s := range all {
				if s.allows(x) {
					n++
				}
			}
			return holds(n, len(all))
		}, nil
	}
}

// schemaTypes tell of a value whether it has a type.
var schemaTypes = map[string]func(any) bool{
	"object":  func(x any) bool { _, ok := x.(map[string]any); return ok },
	"array":   func(x any) bool { _, ok := x.([]any); return ok },
	"string":  func(x any) bool { _, ok := x.(string); return ok },
	"number":  func(x any) bool { _, ok := x.(float64); return ok },
	"integer": func(x any) bool { f, ok := x.(float64); return ok && f == math.Trunc(f) },
	"boolean": func(x any) bool { _, ok := x.(bool); return ok },
	"null":    func(x any) bool { return x == nil },
}

func schemaType(v any, at schemaPlace) (func(any) bool, error) {
	names, ok := v.([]any)
	if !ok {
		names = []any{v}
	}
	var tests []func(any) bool
	for _, name := range names {
		text, _ := name.(string)
		test, ok := schemaTypes[text]
		if !ok {
			return nil, fmt.Errorf("%s names %v, which is no type", at.at, name)
		}
		tests = append(tests, test)
	}
	return func(x any) bool {
		return slices.ContainsFunc(tests, func(test func(any) bool) bool { return test(x) })
	}, nil
}

func schemaRequired(v any, at schemaPlace) (func(any) bool, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s is no list of names", at.at)
	}
	for _, name := range list {
		if _, ok := name.(string); !ok {
			return nil, fmt.Errorf("%s is no list of names", at.at)
		}
	}
	return func(x any) bool {
		object, ok := x.(map[string]any)
		return !ok || !slices.ContainsFunc(list, func(name any) bool { _, has := object[name.(string)]; return !has })
	}, nil
}

func schemaProperties(v any, at schemaPlace) (func(any) bool, error) {
	members, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is no object", at.at)
	}
	schemas := map[string]schema{}
	for name, one := range members {
		var err error
		if schemas[name], err = parseSchema(one, at.at+"."+name, at.depth); err != nil {
			return nil, err
		}
	}
	return func(x any) bool {
		object, _ := x.(map[string]any)
		for name, value := range object {
			if s, ok := schemas[name]; ok && !s.allows(value) {
				return false
			}
		}
		return true
	}, nil
}

// schemaAdditional tests the members that properties, beside it, does not name.
func schemaAdditional(v any, at schemaPlace) (func(any) bool, error) {
	s, err := parseSchema(v, at.at, at.depth)
	named, _ := at.beside["properties"].(map[string]any)
	return func(x any) bool {
		object, _ := x.(map[string]any)
		for name, value := range object {
			if _, ok := named[name]; !ok && !s.allows(value) {
				return false
			}
		}
		return true
	}, err
}
