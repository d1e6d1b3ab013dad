// Package taskfile reads tasks and groups that others wrote as files, in the form of lm-eval
// (EleutherAI's lm-evaluation-harness, 0.4.13), and makes eval.Tasks of them whose prompts are
// lm-eval's byte for byte.
//
// What a file asks for and this package cannot do, a function in Python above all, is refused
// by its name.
package taskfile

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"olmo/chat/jinja"
	"olmo/config"
)

// mapping is a mapping of a file, in its order. Values are nil, bool, int64, float64, string,
// []any, *mapping and function.
type mapping struct {
	keys   []any
	values map[string]any
}

// function is what the tag !function names: utils.process_docs.
type function string

func newMapping() *mapping { return &mapping{values: map[string]any{}} }

func (m *mapping) set(key, value any) {
	name := text(key)
	if _, ok := m.values[name]; !ok {
		m.keys = append(m.keys, key)
	}
	m.values[name] = value
}

// update takes over what other has.
func (m *mapping) update(other *mapping) {
	for _, k := range other.keys {
		m.set(k, other.values[text(k)])
	}
}

// without returns a mapping that lacks a key.
func (m *mapping) without(name string) *mapping {
	out := newMapping()
	for _, k := range m.keys {
		if text(k) != name {
			out.set(k, m.values[text(k)])
		}
	}
	return out
}

// text is a value as Python's str writes it.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case function:
		return string(v)
	}
	s, err := jinja.Text(templateValue(v))
	if err != nil { // too long to be written
		return describe(v)
	}
	return s
}

// reader gives a file's bytes: one on disk, or one inside the program.
type reader func(name string) ([]byte, error)

// loader reads files with what they include, each once.
type loader struct {
	read   reader
	files  map[string]*mapping // with what they include
	parsed map[string]*mapping // alone, of files that were read ahead
}

// load returns a file's mapping with its includes below it: its own keys win.
func (l *loader) load(path string, within []string) (*mapping, error) {
	path = filepath.Clean(path)
	for _, p := range within {
		if p == path {
			return nil, fmt.Errorf("%s includes itself", path)
		}
	}
	if m, ok := l.files[path]; ok {
		return m, nil
	}
	own, ok := l.parsed[path]
	if !ok {
		var err error
		if own, err = l.read.yaml(path); err != nil {
			return nil, err
		}
	}
	merged := newMapping()
	includes, _ := own.values["include"].([]any)
	if one, ok := own.values["include"].(string); ok {
		includes = []any{one}
	}
	for _, i := range includes {
		name, ok := i.(string)
		if !ok {
			return nil, fmt.Errorf("%s: include: %v is no name of a file", path, i)
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		other, err := l.load(name, append(within, path))
		if err != nil {
			return nil, fmt.Errorf("%s: include: %w", path, err)
		}
		merged.update(other)
	}
	merged.update(own.without("include"))
	l.files[path] = merged
	return merged, nil
}

// yaml reads one file.
func (read reader) yaml(path string) (*mapping, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	m, err := parseYAML(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func parseYAML(text []byte) (m *mapping, err error) {
	if !utf8.Valid(text) {
		for n, line := range bytes.Split(text, []byte("\n")) {
			if !utf8.Valid(line) {
				return nil, fmt.Errorf("line %d: the text is not valid UTF-8", n+1)
			}
		}
	}
	tokens := lexer.Tokenize(string(text))
	if line := config.TooDeep(tokens, maxDepth); line > 0 {
		return nil, fmt.Errorf("line %d: it nests too deep", line)
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // PyYAML takes the last
	if err != nil {
		// The library's message shows the place in a picture of several lines.
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("it is no YAML: %s", first)
	}
	r := values{anchors: map[string]anchored{}}
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		v, err := r.value(d.Body, 0)
		if err != nil {
			return nil, err
		}
		if m, ok := v.(*mapping); ok {
			return m, nil
		}
		return nil, fmt.Errorf("it is no mapping")
	}
	return nil, fmt.Errorf("it is empty")
}

const (
	maxDepth = 100
	maxSize  = 1 << 23 // what aliases may make of a file: its values, and the bytes of their texts
)

// values makes values of a file's nodes, by YAML 1.1 as PyYAML reads it.
type values struct {
	anchors map[string]anchored
	size    int // of what was made so far, everything behind an alias counted anew
}

// anchored is a value that aliases stand for, with its size.
type anchored struct {
	value any
	size  int
}

func (r *values) value(n ast.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests too deep")
	}
	r.size++
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.TagNode:
		v, err := r.value(n.Value, depth+1)
		switch n.Start.Value {
		case "!function":
			return function(text(v)), err
		case "!!null":
			return nil, err
		}
		if s, ok := v.(string); !ok && n.Start.Value == "!!str" {
			return text(v), err
		} else if ok && err == nil && strings.HasPrefix(n.Start.Value, "!") && !strings.HasPrefix(n.Start.Value, "!!") {
			return nil, fmt.Errorf("line %d: the tag %s of %q is not known", n.Start.Position.Line, n.Start.Value, s)
		}
		return v, err
	case *ast.AnchorNode:
		before := r.size
		v, err := r.value(n.Value, depth+1)
		r.anchors[n.Name.String()] = anchored{v, r.size - before}
		return v, err
	case *ast.AliasNode:
		a, ok := r.anchors[n.Value.String()]
		if !ok {
			return nil, fmt.Errorf("the alias *%s names nothing", n.Value)
		}
		// The value is shared, but whoever writes the file out or takes a digest of it meets it
		// as often as it is named: ten lines can name a billion values.
		if r.size += a.size; r.size > maxSize {
			return nil, fmt.Errorf("line %d: the file is too large with what its aliases stand for", n.Start.Position.Line)
		}
		return a.value, nil
	case *ast.MappingKeyNode: // ? KEY
		return r.value(n.Value, depth+1)
	case *ast.MappingValueNode:
		m := newMapping()
		return m, r.entry(m, n, depth)
	case *ast.MappingNode:
		m := newMapping()
		for _, e := range n.Values {
			if err := r.entry(m, e, depth); err != nil {
				return nil, err
			}
		}
		return m, nil
	case *ast.SequenceNode:
		out := []any{}
		for _, e := range n.Values {
			if s, ok := clock(e); ok && n.IsFlowStyle {
				out = append(out, plain(s))
				continue
			}
			v, err := r.value(e, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case *ast.LiteralNode:
		r.size += len(n.Value.Value)
		return n.Value.Value, nil
	}
	t := n.GetToken()
	r.size += len(t.Value)
	if t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
		return t.Value, nil
	}
	return plain(t.Value), nil
}

// clock is the plain scalar 10:30 in a list in brackets, of which the library makes a mapping: a
// colon ends a key only where a space follows.
func clock(n ast.Node) (s string, ok bool) {
	if m, is := n.(*ast.MappingNode); is && len(m.Values) == 1 && m.Start.Type != token.MappingStartType {
		n = m.Values[0]
	}
	e, ok := n.(*ast.MappingValueNode)
	if !ok {
		return "", false
	}
	key, value := e.Key.GetToken(), e.Value.GetToken()
	for _, t := range []*token.Token{key, value} {
		if t == nil || t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
			return "", false
		}
	}
	if _, scalar := e.Value.(ast.ScalarNode); !scalar || value.Position.Line != e.Start.Position.Line || value.Position.Column != e.Start.Position.Column+1 {
		return "", false
	}
	return key.Value + ":" + value.Value, true
}

// entry adds a key with its value.
func (r *values) entry(m *mapping, n *ast.MappingValueNode, depth int) error {
	v, err := r.value(n.Value, depth+1)
	if err != nil {
		return err
	}
	if _, merge := n.Key.(*ast.MergeKeyNode); merge {
		if other, ok := v.(*mapping); ok {
			for _, k := range other.keys {
				if _, ok := m.values[text(k)]; !ok {
					m.set(k, other.values[text(k)])
				}
			}
			return nil
		}
		return fmt.Errorf("line %d: << takes no mapping", n.Start.Position.Line)
	}
	k, err := r.value(n.Key, depth+1)
	if err != nil {
		return err
	}
	m.set(k, v)
	return nil
}

var (
	yamlInt = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[-+]?(0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$`)
	})
	yamlSexagesimal = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[-+]?([1-9][0-9_]*(:[0-5]?[0-9])+|[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*)$`)
	})
	yamlFloat = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?)$`)
	})
)

// sexagesimal is a number whose places are those of a clock: 1:30 is 90, 1:30.5 is 90.5.
func sexagesimal(s string) any {
	unsigned := strings.TrimLeft(s, "+-")
	whole, part, fraction := strings.Cut(strings.ReplaceAll(unsigned, "_", ""), ".")
	var n int64
	for place := range strings.SplitSeq(whole, ":") {
		digits, _ := strconv.ParseInt(place, 10, 64)
		n = n*60 + digits
	}
	sign := int64(1)
	if s[0] == '-' {
		sign = -1
	}
	if !fraction {
		return sign * n
	}
	f, _ := strconv.ParseFloat("0."+part, 64)
	return float64(sign) * (float64(n) + f)
}

// plain is what a plain scalar means in YAML 1.1, as PyYAML resolves it.
func plain(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1)
	case ".nan", ".NaN", ".NAN":
		return math.NaN()
	}
	if yamlInt().MatchString(s) {
		digits := strings.ReplaceAll(s, "_", "")
		if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
			return i
		}
		if i, ok := new(big.Int).SetString(digits, 0); ok {
			return i
		}
	}
	if yamlSexagesimal().MatchString(s) {
		return sexagesimal(s)
	}
	if yamlFloat().MatchString(s) {
		if f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64); err == nil {
			return f
		}
	}
	return s
}
