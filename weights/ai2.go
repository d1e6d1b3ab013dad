package weights

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// The ai2-olmo package writes nested state dicts as safetensors whose names are
// base64 of pickle((keys, value is pickled)); see olmo/safetensors_util.py of
// version 0.6.0. A value that is no tensor is a pickle in a U8 tensor.

// ai2Key is such a name.
type ai2Key struct {
	keys    Tuple // strings and integers
	pickled bool
}

// parseAI2Key reports whether name is one of those names, and what it says.
func parseAI2Key(path, name string) (ai2Key, bool) {
	b, err := base64.URLEncoding.DecodeString(name)
	if err != nil || len(b) < 2 || b[0] != 0x80 {
		return ai2Key{}, false
	}
	v, err := (&unpickler{path: path, data: b}).unpickle()
	if err != nil {
		return ai2Key{}, false
	}
	t, _ := v.(Tuple)
	if len(t) != 2 {
		return ai2Key{}, false
	}
	keys, ok1 := t[0].(Tuple)
	pickled, ok2 := t[1].(bool)
	if !ok1 || !ok2 || len(keys) == 0 || len(keys) > maxDepth {
		return ai2Key{}, false
	}
	for _, k := range keys {
		switch k.(type) {
		case string, int64:
		default:
			return ai2Key{}, false
		}
	}
	return ai2Key{keys, pickled}, true
}

// isAI2 reports whether the names of s are pickles. They all are, or none is.
func isAI2(s *Set) bool {
	if len(s.names) == 0 {
		return false
	}
	_, ok := parseAI2Key(s.path, s.names[0])
	return ok
}

// fromAI2 gives the tensors of s their readable names, and leaves out values
// that are no tensors.
func fromAI2(s *Set) (*Set, error) {
	tensors := map[string]Named{}
	for _, name := range s.names {
		key, ok := parseAI2Key(s.path, name)
		if !ok {
			return nil, fmt.Errorf("%s: the name %.200q is no pickle of the ai2-olmo package, others are", s.path, name)
		}
		if key.pickled {
			continue
		}
		parts := make([]string, len(key.keys))
		for i, k := range key.keys {
			parts[i] = fmt.Sprint(k)
		}
		n := s.tensors[name]
		n.Name = strings.Join(parts, ".")
		if _, ok := tensors[n.Name]; ok {
			return nil, fmt.Errorf("%s: two tensors are named %.200q", s.path, n.Name)
		}
		tensors[n.Name] = n
	}
	s.tensors = tensors
	s.sort()
	return s, nil
}

// parseAI2Safetensors returns the nested dict that the ai2-olmo package saved,
// or a plain dict of a file with ordinary names.
func parseAI2Safetensors(path string, data []byte) (any, error) {
	s, err := parseSafetensors(path, data)
	if err != nil {
		return nil, err
	}
	root := &Dict{}
	ai2 := isAI2(s)
	for _, name := range s.names {
		n := s.tensors[name]
		n.Name = ""
		if !ai2 {
			root.set(name, n)
			continue
		}
		key, ok := parseAI2Key(path, name)
		if !ok {
			return nil, fmt.Errorf("%s: the name %.200q is no pickle of the ai2-olmo package, others are", path, name)
		}
		var value any = n
		if key.pickled {
			if value, err = (&unpickler{path: path, data: n.Data}).unpickle(); err != nil {
				return nil, fmt.Errorf("value of %v: %w", key.keys, err)
			}
		}
		d := root
		for _, k := range key.keys[:len(key.keys)-1] {
			next, ok := d.Get(k)
			if !ok {
				next = &Dict{}
				d.set(k, next)
			}
			if d, ok = next.(*Dict); !ok {
				return nil, fmt.Errorf("%s: %v is a value and a dict", path, key.keys)
			}
		}
		last := key.keys[len(key.keys)-1]
		if was, ok := d.Get(last); ok {
			what := "appears twice"
			if _, ok := was.(*Dict); ok {
				what = "is a value and a dict"
			}
			return nil, fmt.Errorf("%s: %v %s", path, key.keys, what)
		}
		d.set(last, value)
	}
	return root, nil
}
