package config

import (
	"strconv"
	"strings"
)

// override merges one key.sub=value over tree. As in OLMo (clean_opt in
// olmo/util.py) leading dashes are dropped, dashes in the key are underscores
// and a key without value is true; the value is read as YAML.
func override(tree *node, text string) error {
	const file = "override"
	key, value, hasValue := strings.Cut(text, "=")
	trimmed := strings.TrimLeft(key, "-")
	if !hasValue {
		if trimmed == key {
			return &Error{File: file, Msg: strconv.Quote(text) + " is not of the form key=value"}
		}
		value = "true"
	}
	key = strings.ReplaceAll(trimmed, "-", "_")
	path := splitKey(key)
	if len(path) == 0 {
		return &Error{File: file, Msg: strconv.Quote(text) + " names no key"}
	}
	v, err := parseYAML(file, []byte(value))
	if err != nil {
		// A value such as "a: b" or "@x" may be no YAML; then it is text.
		v = &node{kind: scalar, text: value, quoted: true}
	}
	place(v, file)
	at := tree
	for i, name := range path {
		last := i == len(path)-1
		if at.kind == sequence {
			index, err := strconv.Atoi(name)
			if err != nil || index < 0 || index >= len(at.items) {
				return &Error{File: file, Key: key, Msg: "there is no element " + name + " in a list of " + strconv.Itoa(len(at.items))}
			}
			if last {
				at.items[index] = merge(at.items[index], v)
				return nil
			}
			at = at.items[index]
			continue
		}
		if at.kind != mapping {
			// The override opens what the file had as a plain value or null.
			*at = node{kind: mapping, file: file}
		}
		next, ok := at.values[name]
		if last {
			at.set(name, merge(next, v))
			return nil
		}
		if !ok {
			next = &node{kind: mapping, file: file}
			at.set(name, next)
		}
		at = next
	}
	return nil
}

// splitKey cuts a.b[0].c into a, b, 0, c.
func splitKey(key string) []string {
	key = strings.NewReplacer("[", ".", "]", "").Replace(key)
	var path []string
	for name := range strings.SplitSeq(key, ".") {
		if name == "" {
			return nil
		}
		path = append(path, name)
	}
	return path
}

// place marks all of n as coming from file, which has no lines.
func place(n *node, file string) {
	n.file, n.line = file, 0
	for _, v := range n.items {
		place(v, file)
	}
	for _, v := range n.values {
		place(v, file)
	}
}

// merge lays over on top of base: mappings key by key, everything else whole.
func merge(base, over *node) *node {
	if base == nil || base.kind != mapping || over.kind != mapping {
		return over
	}
	for _, key := range over.keys {
		base.set(key, merge(base.values[key], over.values[key]))
	}
	return base
}
