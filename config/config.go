// Package config reads strict YAML files and overrides into structs, and writes complete configs.
//
// A file is read as OLMo's TrainConfig.load reads one (olmo/config.py at
// 59a53e3, over OmegaConf 2.3): overrides are merged over the file and the
// file over the defaults that the struct holds already, then ${…} is resolved
// and every value is checked against the field that takes it.
//
//	${a.b}                       another key, with its type if it stands alone
//	${oc.env:VAR,default}        an environment variable
//	${path.glob:PATTERN,…}       the sorted paths that match, an error if none
//	${path.choose:PATH,…}        the first path that exists, or is a URL
//	${path.last_checkpoint:DIR}  the folder DIR/stepN with the largest N
//	${path.beside:PATH}          PATH from the folder of the file that says so; our own
//	\${                          the two characters
//
// Fields are named by their `yaml` tag, as in other YAML packages: the name, or
// "-" to leave the field out, ",inline" for an embedded struct, or ",omitempty" to
// leave its zero value out of what Write writes. Without a
// tag the name is the field's in snake case. A type that implements
// encoding.TextUnmarshaler takes any scalar by its text. A struct that an
// element of a list, a map or a pointer needs anew gets its defaults from its
// method SetDefaults(), if its pointer has one. A list or map whose pointer has a
// method SetScalar(text string) takes a single value too. null makes pointers, slices,
// maps and interfaces nil and a string empty; other fields refuse it.
package config

import (
	"fmt"
	"reflect"

	"olmo/store"
)

// Error is a mistake in a config, with the place where it stands.
type Error struct {
	File string // the file's path, or "override"
	Line int    // from 1; 0 when the place is no line of a file
	Key  string // dotted path of the key, empty for the whole document
	Msg  string // what is wrong
	Hint string // what to do, or empty
}

func (e *Error) Error() string {
	text := e.File
	if e.Line > 0 {
		text += fmt.Sprintf(":%d", e.Line)
	}
	if e.Key != "" {
		text += ": " + e.Key
	}
	text += ": " + e.Msg
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	return text
}

// Load reads the YAML file at path into the struct that into points to, after
// merging overrides of the form key.sub=value, with or without leading dashes,
// over it. What the file leaves out keeps the value it has in into. A mistake
// in the file or an override is an *Error.
func Load(path string, overrides []string, into any) error {
	text, err := store.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading config: %w", err)
	}
	return Parse(path, text, overrides, into)
}

// LoadWithoutPaths is Load for a look at a config whose files are elsewhere:
// ${path.glob:…} that matches nothing is an empty list, and ${path.choose:…} and
// ${path.last_checkpoint:…} that find nothing are empty text, as with
// validate_paths=False in OLMo.
func LoadWithoutPaths(path string, overrides []string, into any) error {
	text, err := store.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading config: %w", err)
	}
	return parse(path, text, overrides, into, true)
}

// ParseWithoutPaths is LoadWithoutPaths on the text of a file.
func ParseWithoutPaths(name string, text []byte, into any) error {
	return parse(name, text, nil, into, true)
}

// Parse is Load on the text of a file; name stands in its errors.
func Parse(name string, text []byte, overrides []string, into any) error {
	return parse(name, text, overrides, into, false)
}

func parse(name string, text []byte, overrides []string, into any, withoutPaths bool) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: into is %T, not a pointer to a struct", into))
	}
	tree, err := parseYAML(name, text)
	if err != nil {
		return err
	}
	if tree.kind == null {
		tree = &node{kind: mapping, file: name}
	}
	if tree.kind != mapping {
		return tree.errorf("", "the config is a %s, not a mapping of keys", tree.kind)
	}
	for _, o := range overrides {
		if err := override(tree, o); err != nil {
			return err
		}
	}
	r := &resolver{root: tree, defaults: target.Elem(), withoutPaths: withoutPaths}
	if tree, err = r.resolve(tree, ""); err != nil {
		return err
	}
	return decode(tree, target.Elem(), "")
}

// Plain is the struct v as maps, lists and scalars, each key as Write writes it.
func Plain(v any) (any, error) {
	n, err := encodeNode(reflect.ValueOf(v))
	if err != nil {
		return nil, err
	}
	return n.plainValue(), nil
}

// Text is what Write writes.
func Text(v any) ([]byte, error) { return encode(v) }

// Write writes the struct v as a YAML file that Load reads back to the same
// values: every field, resolved. The file appears at path whole or not at all.
func Write(path string, v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	if err := store.WriteFile(path, text); err != nil {
		return fmt.Errorf("writing config: %w", err)
	}
	return nil
}
