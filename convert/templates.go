package convert

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/store"
	"olmo/weights"
)

// chatTemplate is one of a model's chat templates. The one that is used where none is named is
// called default.
type chatTemplate struct{ name, text string }

const (
	defaultTemplate   = "default"
	templateFile      = "chat_template.jinja"
	templateFolder    = "additional_chat_templates" // with the others, beside templateFile
	ggufTemplate      = "tokenizer.chat_template"   // of the default; the others' have .NAME behind it
	ggufTemplateNames = "tokenizer.chat_templates"
)

// chatTemplates are those of a folder: its files, or else what tokenizer_config.json, settings,
// has: a text, or several by name. The default is the first.
func chatTemplates(dir string, settings map[string]any) ([]chatTemplate, error) {
	var list []chatTemplate
	text, err := store.ReadFile(filepath.Join(dir, templateFile))
	switch {
	case err == nil:
		list = append(list, chatTemplate{defaultTemplate, string(text)})
		others, err := templateFiles(dir)
		if err != nil {
			return nil, err
		}
		for _, path := range others {
			text, err := store.ReadFile(path)
			if err != nil {
				return nil, err
			}
			list = append(list, chatTemplate{strings.TrimSuffix(filepath.Base(path), ".jinja"), string(text)})
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		bad := errors.New("chat_template is neither a text nor several by name")
		switch v := settings["chat_template"].(type) {
		case nil:
		case string:
			list = append(list, chatTemplate{defaultTemplate, v})
		case []any:
			for _, x := range v {
				m, _ := x.(map[string]any)
				name, ok := m["name"].(string)
				text, ok2 := m["template"].(string)
				if !ok || !ok2 {
					return nil, bad
				}
				list = append(list, chatTemplate{name, text})
			}
		case map[string]any:
			for name, x := range v {
				text, ok := x.(string)
				if !ok {
					return nil, bad
				}
				list = append(list, chatTemplate{name, text})
			}
		default:
			return nil, bad
		}
	}
	list = slices.DeleteFunc(list, func(t chatTemplate) bool { return t.text == "" })
	slices.SortStableFunc(list, func(a, b chatTemplate) int {
		if a, b := a.name == defaultTemplate, b.name == defaultTemplate; a != b {
			return map[bool]int{true: -1, false: 1}[a]
		}
		return cmp.Compare(a.name, b.name)
	})
	return list, nil
}

// templateFiles are the files of the templates that are not the default.
func templateFiles(dir string) ([]string, error) {
	entries, err := fs.Glob(os.DirFS(dir), templateFolder+"/*.jinja")
	for i, e := range entries {
		entries[i] = filepath.Join(dir, filepath.FromSlash(e))
	}
	return entries, err
}

// appendTemplates adds templates to the metadata of a GGUF file, as llama.cpp's gguf 0.19
// (GGUFWriter.add_chat_template): the names of all but the default, of which letters, digits
// and _ are kept, stand in a list.
func appendTemplates(kv []weights.KV, list []chatTemplate) ([]weights.KV, error) {
	var names []string
	for _, t := range list {
		if t.name == defaultTemplate {
			kv = append(kv, weights.KV{Key: ggufTemplate, Value: t.text})
			continue
		}
		name := strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
				return c
			}
			return '_'
		}, t.name)
		if name == "" || slices.Contains(names, name) {
			return nil, fmt.Errorf("the chat template %q would be called %q in a GGUF file, as another is", t.name, name)
		}
		names = append(names, name)
		kv = append(kv, weights.KV{Key: ggufTemplate + "." + name, Value: t.text})
	}
	if names != nil {
		kv = append(kv, weights.KV{Key: ggufTemplateNames, Value: names})
	}
	return kv, nil
}

// templatesOf is chat_template of tokenizer_config.json for the templates of a GGUF file; nil
// without any.
func templatesOf(g *weights.GGUF) any {
	first, _ := g.Get(ggufTemplate)
	names, _ := g.Get(ggufTemplateNames)
	others, _ := names.([]string)
	if len(others) == 0 {
		return first
	}
	type named struct {
		Name     string `json:"name"`
		Template any    `json:"template"`
	}
	var list []named
	if first != nil {
		list = append(list, named{defaultTemplate, first})
	}
	for _, name := range others {
		if text, ok := g.Get(ggufTemplate + "." + name); ok {
			list = append(list, named{name, text})
		}
	}
	return list
}
