package config

import (
	"fmt"
	"path"
	"path/filepath"
	"reflect"
	"strings"

	"olmo/store"
)

// besidePath gives a path from the folder of the config's own file, so that a folder
// that is moved or copied with its configs still means itself.
func besidePath(file string, args []string) (*node, error) {
	if len(args) != 1 || args[0] == "" {
		return nil, fmt.Errorf("takes one path, got %d arguments", len(args))
	}
	scheme, at, isAddress := strings.Cut(file, "://")
	if isAddress {
		return textNode(scheme + "://" + path.Join(path.Dir(at), args[0])), nil
	}
	return textNode(filepath.ToSlash(filepath.Join(filepath.Dir(file), filepath.FromSlash(args[0])))), nil
}

// WriteBeside is Write, with texts that are one of the slashed paths below, or lead
// below one, as ${path.beside:…}: such a file says the same wherever its folder is moved.
func WriteBeside(name string, v any, below ...string) error {
	n, err := encodeNode(reflect.ValueOf(v))
	if err != nil {
		return fmt.Errorf("writing config: %w", err)
	}
	n.eachText(func(text *node) {
		for _, b := range below {
			if text.text == b || strings.HasPrefix(text.text, b+"/") {
				text.setBeside(filepath.Dir(name))
				return
			}
		}
	})
	if err := store.WriteFile(name, n.document()); err != nil {
		return fmt.Errorf("writing config: %w", err)
	}
	return nil
}

// eachText calls f for every text below n.
func (n *node) eachText(f func(*node)) {
	switch n.kind {
	case scalar:
		if n.quoted {
			f(n)
		}
	case sequence:
		for _, item := range n.items {
			item.eachText(f)
		}
	case mapping:
		for _, key := range n.keys {
			n.values[key].eachText(f)
		}
	}
}

// setBeside turns a path into a reference from a folder, where it can be one.
func (n *node) setBeside(dir string) {
	way, err := filepath.Rel(dir, filepath.FromSlash(n.text))
	if err != nil || strings.ContainsAny(n.text, `{}'"$\`) {
		return
	}
	way = filepath.ToSlash(way)
	if strings.ContainsAny(way, ", ") {
		way = "'" + way + "'"
	}
	n.text, n.reference = "${path.beside:"+way+"}", true
}
