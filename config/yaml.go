package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// kind is what a node of the document is, before any field gives it a type.
type kind int

const (
	null kind = iota
	scalar
	sequence
	mapping
)

func (k kind) String() string {
	return [...]string{"null", "scalar", "list", "mapping"}[k]
}

// node is a value of the document with the place where it was written.
type node struct {
	kind   kind
	text   string // of a scalar
	quoted bool   // the scalar is text whatever it looks like
	// reference tells, of text to write, that its ${…} is meant as one.
	reference bool
	items     []*node
	keys      []string // of a mapping, in the order of the document
	values    map[string]*node
	file      string
	line      int
}

func (n *node) errorf(key, format string, args ...any) *Error {
	return &Error{File: n.file, Line: n.line, Key: key, Msg: fmt.Sprintf(format, args...)}
}

// set adds or replaces the value of key.
func (n *node) set(key string, v *node) {
	if n.values == nil {
		n.values = map[string]*node{}
	}
	if _, ok := n.values[key]; !ok {
		n.keys = append(n.keys, key)
	}
	n.values[key] = v
}

// parseYAML reads a file of one document.
func parseYAML(name string, text []byte) (*node, error) {
	tokens := lexer.Tokenize(string(text))
	if line := TooDeep(tokens, maxDepth); line > 0 {
		return nil, &Error{File: name, Line: line, Msg: fmt.Sprintf("it nests deeper than %d levels", maxDepth)}
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	b := &builder{file: name, anchors: map[string]*node{}}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			return nil, &Error{File: name, Line: doc.Body.GetToken().Position.Line, Msg: "a second YAML document; a config is one"}
		}
		body = doc.Body
	}
	if body == nil {
		return &node{kind: null, file: name, line: 1}, nil
	}
	return b.build(body)
}

// syntaxError keeps the parser's sentence and place, without its drawing of
// the source.
func syntaxError(name string, err error) error {
	e := &Error{File: name, Msg: err.Error()}
	var syntax interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if errors.As(err, &syntax) {
		e.Msg = syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			e.Line = t.Position.Line
		}
	}
	return e
}

// maxNodes bounds what a document may grow to through aliases.
const maxNodes = 1 << 17

// builder turns the parser's tree into ours.
type builder struct {
	file    string
	anchors map[string]*node
	nodes   int
}

func (b *builder) build(n ast.Node) (*node, error) {
	out := &node{file: b.file}
	if t := n.GetToken(); t != nil && t.Position != nil {
		out.line = t.Position.Line
	}
	if b.nodes++; b.nodes > maxNodes {
		return nil, out.errorf("", "the document has more than %d values", maxNodes)
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return out, nil
	case *ast.MappingNode:
		out.kind = mapping
		return out, b.fill(out, n.Values)
	case *ast.MappingValueNode:
		out.kind = mapping
		return out, b.fill(out, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out.kind = sequence
		for _, item := range n.Values {
			v, err := b.build(item)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, v)
		}
		return out, nil
	case *ast.StringNode:
		out.kind, out.text = scalar, n.Value
		out.quoted = n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
		return plain(out), nil
	case *ast.LiteralNode:
		out.kind, out.text, out.quoted = scalar, n.Value.Value, true
		return out, nil
	case *ast.AnchorNode:
		v, err := b.build(n.Value)
		if err != nil {
			return nil, err
		}
		b.anchors[n.Name.GetToken().Value] = v
		return v, nil
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		v, ok := b.anchors[name]
		if !ok {
			return nil, out.errorf("", "alias *%s has no anchor before it", name)
		}
		return b.clone(v)
	case *ast.TagNode:
		return nil, out.errorf("", "tag %s is not supported", n.Start.Value)
	case ast.ScalarNode:
		// A number, bool, infinity or NaN: the text decides, by our own rules.
		out.kind, out.text = scalar, n.GetToken().Value
		return plain(out), nil
	}
	return nil, out.errorf("", "YAML %s is not supported here", n.Type())
}

// plain makes an unquoted scalar that spells null a null.
func plain(n *node) *node {
	if !n.quoted {
		switch n.text {
		case "", "~", "null", "Null", "NULL":
			n.kind, n.text = null, ""
		}
	}
	return n
}

// clone copies n, so that an override of one use of an anchor leaves the others.
func (b *builder) clone(n *node) (*node, error) {
	if b.nodes++; b.nodes > maxNodes {
		return nil, n.errorf("", "the document has more than %d values", maxNodes)
	}
	out := *n
	out.items, out.keys, out.values = nil, nil, nil
	for _, item := range n.items {
		c, err := b.clone(item)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, c)
	}
	for _, key := range n.keys {
		c, err := b.clone(n.values[key])
		if err != nil {
			return nil, err
		}
		out.set(key, c)
	}
	return &out, nil
}

// fill adds the pairs of a mapping to out. Merge keys (<<) give way to keys
// written out, wherever they stand.
func (b *builder) fill(out *node, pairs []*ast.MappingValueNode) error {
	var merged []*node
	for _, pair := range pairs {
		v, err := b.build(pair.Value)
		if err != nil {
			return err
		}
		if _, ok := pair.Key.(*ast.MergeKeyNode); ok {
			if v.kind == sequence {
				merged = append(merged, v.items...)
			} else {
				merged = append(merged, v)
			}
			continue
		}
		t := pair.Key.GetToken()
		key := t.Value
		if s, ok := pair.Key.(*ast.StringNode); ok {
			key = s.Value
		}
		if _, ok := out.values[key]; ok {
			return &Error{File: b.file, Line: t.Position.Line, Key: key, Msg: "the key stands twice in one mapping"}
		}
		if v.kind == null && v.line == 0 {
			v.line = t.Position.Line
		}
		out.set(key, v)
	}
	for _, m := range merged {
		if m.kind != mapping {
			return m.errorf("", "<< merges a %s, want a mapping", m.kind)
		}
		for _, key := range m.keys {
			if _, ok := out.values[key]; !ok {
				out.set(key, m.values[key])
			}
		}
	}
	return nil
}

// Scalars as OmegaConf's YAML loader types them (omegaconf/_utils.py,
// get_yaml_loader, 2.3): PyYAML's YAML 1.1 without timestamps, but with 1e-5 a
// float. Sexagesimal numbers are left out; nobody means them.
var (
	intPattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$`)
	})
	floatPattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:[-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	})
)

// parseBool reads the words of YAML 1.1.
func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

func parseInt(text string) (int64, bool) {
	if !intPattern().MatchString(text) {
		return 0, false
	}
	v, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 0, 64)
	return v, err == nil
}

func parseUint(text string) (uint64, bool) {
	if !intPattern().MatchString(text) {
		return 0, false
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+"), 0, 64)
	return v, err == nil
}

func parseFloat(text string) (float64, bool) {
	if !floatPattern().MatchString(text) {
		return 0, false
	}
	text = strings.ReplaceAll(text, "_", "")
	v, err := strconv.ParseFloat(strings.Replace(text, ".n", "n", 1), 64)
	if err != nil {
		v, err = strconv.ParseFloat(strings.Replace(strings.ToLower(text), ".inf", "inf", 1), 64)
	}
	return v, err == nil
}

// describe names a value in an error: `the string "abc"`, `a list`.
func (n *node) describe() string {
	if n.kind != scalar {
		if n.kind == null {
			return "null"
		}
		return "a " + n.kind.String()
	}
	if !n.quoted {
		if _, ok := parseBool(n.text); ok {
			return "the bool " + n.text
		}
		if _, ok := parseInt(n.text); ok {
			return "the integer " + n.text
		}
		if _, ok := parseFloat(n.text); ok {
			return "the float " + n.text
		}
	}
	return "the string " + strconv.Quote(n.text)
}

// plainValue is the value of a node that no field gives a type.
func (n *node) plainValue() any {
	switch n.kind {
	case null:
		return nil
	case sequence:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.plainValue()
		}
		return list
	case mapping:
		m := make(map[string]any, len(n.keys))
		for _, key := range n.keys {
			m[key] = n.values[key].plainValue()
		}
		return m
	}
	if !n.quoted {
		if v, ok := parseBool(n.text); ok {
			return v
		}
		if v, ok := parseInt(n.text); ok {
			return v
		}
		if v, ok := parseFloat(n.text); ok {
			return v
		}
	}
	return n.text
}
