package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// resolver replaces ${…} in a tree.
type resolver struct {
	root     *node
	defaults reflect.Value // the struct that stands for keys the tree lacks
	open     []string      // keys being looked up, to find cycles
	nodes    int           // values made so far, against references that multiply

	withoutPaths bool // paths that are not found are empty
}

// resolve returns n with every ${…} below it replaced; key is n's path.
func (r *resolver) resolve(n *node, key string) (*node, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, n.errorf(key, "the config grows to more than %d values", maxNodes)
	}
	out := *n
	var err error
	switch n.kind {
	case scalar:
		if strings.Contains(n.text, "${") {
			return r.expand(n, key)
		}
	case sequence:
		out.items = make([]*node, len(n.items))
		for i, item := range n.items {
			if out.items[i], err = r.resolve(item, join(key, strconv.Itoa(i))); err != nil {
				return nil, err
			}
		}
	case mapping:
		out.keys, out.values = nil, nil
		for _, k := range n.keys {
			v, err := r.resolve(n.values[k], join(key, k))
			if err != nil {
				return nil, err
			}
			out.set(k, v)
		}
	}
	return &out, nil
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// expand replaces the ${…} in the scalar n. One that is the whole text keeps
// its type; within a longer text each must be a scalar.
func (r *resolver) expand(n *node, key string) (*node, error) {
	var text strings.Builder
	rest := n.text
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			text.WriteString(rest)
			break
		}
		// Backslashes before ${ escape it and each other.
		bare := strings.TrimRight(before, `\`)
		slashes := len(before) - len(bare)
		text.WriteString(bare + strings.Repeat(`\`, slashes/2))
		if slashes%2 == 1 {
			text.WriteString("${")
			rest = after
			continue
		}
		inner, tail, ok := cutBrace(after)
		if !ok {
			return nil, n.errorf(key, "${ without its closing brace in %q", n.text)
		}
		v, err := r.evaluate(n, key, inner)
		if err != nil {
			return nil, err
		}
		if text.Len() == 0 && rest == n.text && before == "" && tail == "" {
			return v, nil
		}
		if v.kind != scalar {
			return nil, n.errorf(key, "${%s} is %s, which cannot stand inside a text", inner, v.describe())
		}
		text.WriteString(v.text)
		rest = tail
	}
	return &node{kind: scalar, text: text.String(), quoted: true, file: n.file, line: n.line}, nil
}

// cutBrace splits text after the brace that closes it, counting inner ${ }.
func cutBrace(text string) (inner, tail string, ok bool) {
	depth := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i], text[i+1:], true
			}
		}
	}
	return "", "", false
}

// evaluate gives the value of ${inner} where n stands at key.
func (r *resolver) evaluate(n *node, key, inner string) (*node, error) {
	name, arguments, isCall := cutTop(inner, ':')
	if !isCall {
		ref, err := r.expand(&node{kind: scalar, text: inner, file: n.file, line: n.line}, key)
		if err != nil {
			return nil, err
		}
		return r.lookUp(n, key, strings.TrimSpace(ref.text))
	}
	var args []string
	for more := true; more; {
		var arg string
		arg, arguments, more = cutTop(arguments, ',')
		v, err := r.expand(&node{kind: scalar, text: arg, file: n.file, line: n.line}, key)
		if err != nil {
			return nil, err
		}
		if v.kind != scalar {
			return nil, n.errorf(key, "an argument of ${%s} is %s, want text", inner, v.describe())
		}
		arg = strings.TrimSpace(v.text)
		if len(arg) >= 2 && (arg[0] == '\'' || arg[0] == '"') && arg[len(arg)-1] == arg[0] {
			arg = arg[1 : len(arg)-1]
		}
		args = append(args, arg)
	}
	name = strings.TrimSpace(name)
	call, ok := resolvers[name]
	if !ok {
		e := n.errorf(key, "unknown resolver %q in ${%s}", name, inner)
		e.Hint = "known are " + strings.Join(slices.Sorted(maps.Keys(resolvers)), ", ")
		return nil, e
	}
	v, err := call(n.file, args)
	if err != nil && r.withoutPaths && strings.HasPrefix(name, "path.") {
		v, err = textNode(""), nil
		if name == "path.glob" {
			v = &node{kind: sequence}
		}
	}
	if err != nil {
		return nil, n.errorf(key, "${%s}: %v", inner, err)
	}
	place(v, n.file)
	v.line = n.line
	return v, nil
}

// cutTop is strings.Cut at the first sep outside of inner ${ } and quotes.
func cutTop(text string, sep byte) (before, after string, found bool) {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '{':
			depth++
		case c == '}':
			depth--
		case depth > 0:
		case c == sep:
			return text[:i], text[i+1:], true
		case c == '\'' || c == '"':
			quote = c
		}
	}
	return text, "", false
}

// lookUp finds another key: absolute, or after leading dots relative to the
// mapping that n is in (one dot), to the one around it (two), and so on.
func (r *resolver) lookUp(n *node, key, ref string) (*node, error) {
	path := splitKey(strings.TrimLeft(ref, "."))
	if dots := len(ref) - len(strings.TrimLeft(ref, ".")); dots > 0 {
		own := splitKey(key)
		if dots > len(own) {
			return nil, n.errorf(key, "${%s} leads out of the config", ref)
		}
		path = append(own[:len(own)-dots:len(own)-dots], path...)
	}
	if len(path) == 0 {
		return nil, n.errorf(key, "${%s} names no key", ref)
	}
	full := strings.Join(path, ".")
	if slices.Contains(r.open, full) {
		return nil, n.errorf(key, "${%s} leads back to itself through %s", ref, strings.Join(r.open, ", "))
	}
	found := r.root
	for i, name := range path {
		if found.kind == scalar && strings.Contains(found.text, "${") {
			// The way leads through a value that is itself a reference.
			resolved, err := r.resolve(found, strings.Join(path[:i], "."))
			if err != nil {
				return nil, err
			}
			found = resolved
		}
		next := found.child(name)
		if next == nil {
			if d, ok := defaultOf(r.defaults, path); ok {
				place(d, n.file)
				d.line = n.line
				return d, nil
			}
			return nil, n.errorf(key, "${%s}: there is no key %s", ref, full)
		}
		found = next
	}
	r.open = append(r.open, full)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	return r.resolve(found, full)
}

// child is the value under name, nil if there is none.
func (n *node) child(name string) *node {
	if n.kind == sequence {
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.items) {
			return n.items[i]
		}
		return nil
	}
	return n.values[name]
}

// defaultOf is the value that the struct v has at path.
func defaultOf(v reflect.Value, path []string) (*node, bool) {
	n, err := encodeNode(v)
	if err != nil {
		return nil, false
	}
	for _, name := range path {
		if n = n.child(name); n == nil {
			return nil, false
		}
	}
	return n, true
}

// resolvers are those of OmegaConf and OLMo that configs use, and our own path.beside.
// file is the one in which ${…} stands.
var resolvers = map[string]func(file string, args []string) (*node, error){
	"oc.env":               anywhere(envVariable),
	"path.glob":            anywhere(globPaths),
	"path.choose":          anywhere(choosePath),
	"path.last_checkpoint": anywhere(lastCheckpoint),
	"path.beside":          besidePath,
}

// anywhere is a resolver that does not ask where it stands.
func anywhere(call func(args []string) (*node, error)) func(string, []string) (*node, error) {
	return func(_ string, args []string) (*node, error) { return call(args) }
}

// AddResolver makes ${name:argument,…} known to all configs. call returns a
// string, an int or a list of strings. It is for a verb's package to call from
// init, as maps are not locked.
func AddResolver(name string, call func(args []string) (any, error)) {
	resolvers[name] = func(_ string, args []string) (*node, error) {
		v, err := call(args)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case int:
			return &node{kind: scalar, text: strconv.Itoa(v)}, nil
		case []string:
			list := &node{kind: sequence}
			for _, s := range v {
				list.items = append(list.items, textNode(s))
			}
			return list, nil
		}
		return textNode(v.(string)), nil
	}
}

func textNode(text string) *node { return &node{kind: scalar, text: text, quoted: true} }

func envVariable(args []string) (*node, error) {
	if len(args) > 2 {
		return nil, fmt.Errorf("takes a variable and a default, got %d arguments", len(args))
	}
	if v, ok := os.LookupEnv(args[0]); ok {
		return textNode(v), nil
	}
	if len(args) == 1 {
		return nil, fmt.Errorf("the environment variable %s is not set", args[0])
	}
	if args[1] == "null" {
		return &node{kind: null}, nil
	}
	return textNode(args[1]), nil
}

func globPaths(patterns []string) (*node, error) {
	list := &node{kind: sequence}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("%s matches no file or folder", pattern)
		}
		slices.Sort(paths)
		for _, p := range paths {
			list.items = append(list.items, textNode(p))
		}
	}
	return list, nil
}

func choosePath(paths []string) (*node, error) {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil || strings.Contains(p, "://") {
			return textNode(p), nil
		}
	}
	return nil, fmt.Errorf("none of these exists: %s", strings.Join(paths, ", "))
}

// lastCheckpoint follows OLMo's find_latest_checkpoint (olmo/util.py): among
// equals a plain stepN is taken before stepN-unsharded.
func lastCheckpoint(args []string) (*node, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("takes one folder, got %d arguments", len(args))
	}
	entries, err := os.ReadDir(args[0])
	if err != nil {
		return nil, err
	}
	best, latest := "", -1
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "step")
		plain := strings.TrimSuffix(number, "-unsharded")
		n, err := strconv.Atoi(plain)
		if !ok || err != nil {
			continue
		}
		path := filepath.Join(args[0], e.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			continue
		}
		if n > latest || n == latest && plain == number {
			best, latest = path, n
		}
	}
	if best == "" {
		return nil, fmt.Errorf("no checkpoint in %s", args[0])
	}
	return textNode(best), nil
}
