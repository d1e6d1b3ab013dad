package taskfile

import (
	"fmt"
	"strings"
	"time"

	"olmo/chat/jinja"
	"olmo/eval/python"
)

// environment is that of lm-eval's templates (utils.py, env): blocks are not trimmed, and a
// field that a row lacks is an error.
var environment = jinja.Options{KeepTrailingNewline: true, StrictUndefined: true, Filters: map[string]jinja.Filter{"regex_replace": regexReplace}}

// regexReplace is re.sub as a filter: of a text, the pattern, the replacement and count.
func regexReplace(value any, args []any, named map[string]any) (any, error) {
	for i, name := range []string{"pattern", "repl", "count"} {
		if v, ok := named[name]; ok && i >= len(args) {
			args = append(args, v)
		}
	}
	if len(args) < 2 || len(args) > 3 {
		return nil, fmt.Errorf("regex_replace wants a pattern and a replacement")
	}
	in, ok1 := value.(string)
	pattern, ok2 := args[0].(string)
	repl, ok3 := args[1].(string)
	count := int64(0)
	ok4 := true
	if len(args) == 3 {
		count, ok4 = args[2].(int64)
	}
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, fmt.Errorf("regex_replace wants texts, and a number of times")
	}
	re, err := python.Compile(pattern, "")
	if err != nil {
		return nil, err
	}
	return re.Sub(repl, in, int(count))
}

// field is a key such as doc_to_text: a template, a field's name, a number or a list.
type field struct {
	key    string // its name in the file
	value  any    // nil: not given
	parsed *jinja.Template
}

// newField reads a key; a function of Python's is refused.
func newField(key string, value any) (*field, error) {
	f := &field{key: key, value: value}
	switch v := value.(type) {
	case nil, []any, *mapping, int64:
	case bool:
		f.value = int64(0)
		if v {
			f.value = int64(1)
		}
	case function:
		return nil, pythonError(key, v)
	case string:
		t, err := jinja.Compile(v, environment)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		f.parsed = t
	default:
		return nil, fmt.Errorf("%s is %v, want a template", key, value)
	}
	return f, nil
}

// pythonError refuses a function.
func pythonError(key string, f function) error {
	return fmt.Errorf("%s is the Python function %s; tasks in templates alone are read", key, f)
}

// render is the template's text for a row.
func (f *field) render(r *row) (string, error) {
	s, err := f.parsed.Render(r.fields, time.Now)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.key, err)
	}
	return s, nil
}

// of is the value for a row: of a string that names one of the features, the field, else the
// template's text.
func (f *field) of(r *row, features map[string]bool) (v any, rendered bool, err error) {
	s, ok := f.value.(string)
	if !ok {
		return f.value, false, nil
	}
	if features[s] {
		return r.fields[s], false, nil
	}
	v, err = f.render(r)
	return v, true, err
}

// digits is str.isdigit for the texts of numbers that literal_eval reads.
func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// text is the question: a text, or where there are choices a number: the right one of several
// contexts.
func (f *field) text(r *row, features map[string]bool, choices bool) (any, error) {
	v, rendered, err := f.of(r, features)
	if s, ok := v.(string); ok && rendered && choices && digits(s) {
		return python.Literal(s)
	}
	return v, err
}

// target is the answer: a text, a number of a choice, or a list.
func (f *field) target(r *row, features map[string]bool, choices bool) (any, error) {
	v, rendered, err := f.of(r, features)
	s, ok := v.(string)
	if err != nil || !ok || !rendered {
		return v, err
	}
	switch {
	case choices && digits(s):
		return python.Literal(s)
	case len(s) >= 2 && s[0] == '[' && s[len(s)-1] == ']':
		if list, err := python.Literal(s); err == nil {
			return list, nil
		}
	}
	return s, nil
}

// choices are the answers to choose from.
func (f *field) choices(r *row, features map[string]bool) ([]string, error) {
	v, rendered, err := f.of(r, features)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(*mapping); ok {
		var out []string
		for _, k := range m.keys {
			out = append(out, text(m.values[text(k)]))
		}
		return out, nil
	}
	if s, ok := v.(string); ok && rendered {
		if v, err = python.Literal(s); err != nil {
			return nil, fmt.Errorf("%s gives %q: %w", f.key, s, err)
		}
	}
	list, ok := listOf(v)
	if !ok {
		return nil, fmt.Errorf("%s gives %v, want a list", f.key, v)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s gives no choices", f.key)
	}
	return list, nil
}
