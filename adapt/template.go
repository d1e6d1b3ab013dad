package adapt

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"olmo/chat"
	"olmo/config"
	"olmo/lm"
	"olmo/store"
)

// builtIn holds the chat templates of open-instruct by their names, a file each
// (dataset_transformation.py, CHAT_TEMPLATES, e6c3044). What they write is the format that models
// were trained on, so they are its texts; NOTICE says so.
//
//go:embed templates/*.jinja
var builtIn embed.FS

// TemplateNames are the names of the templates inside the program, sorted.
func TemplateNames() []string {
	files, err := fs.Glob(builtIn, "templates/*.jinja")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".jinja")
	}
	return files
}

// Template finds a chat template for the tokenizer in a folder, whose files name the special
// tokens: by one of TemplateNames, as a file, or with an empty name the folder's own. addBOS puts
// the tokenizer's bos_token in front of it; one that begins with it already is an error.
func Template(name, folder string, addBOS bool) (*chat.Template, error) {
	tokens, err := lm.SpecialTokens(folder)
	if err != nil {
		return nil, err
	}
	text, err := templateText(name, folder)
	if err != nil {
		return nil, err
	}
	if addBOS {
		bos := tokens["bos_token"]
		switch {
		case bos == "":
			return nil, fmt.Errorf("add_bos wants a bos_token, and the files in %s name none\nhint: tokenizer_config.json beside tokenizer.json says it", folder)
		case strings.HasPrefix(text, "{{ bos_token }}"), strings.HasPrefix(text, bos):
			return nil, errors.New("add_bos puts bos_token in front, where the chat template has one already\nhint: leave add_bos out")
		}
		text = "{{ bos_token }}" + text
	}
	if strings.Contains(text, "eos_token") && tokens["eos_token"] == "" {
		// {{ eos_token }} alone would write nothing, and the model would never learn to stop.
		return nil, fmt.Errorf("the chat template writes eos_token, and the files in %s name none\nhint: tokenizer_config.json beside tokenizer.json says it", folder)
	}
	t, err := chat.ParseTemplate(text, tokens)
	if err != nil && name != "" {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err == nil {
		t.Now = chat.FixedTime
	}
	return t, err
}

// templateText is the template that a name means.
func templateText(name, folder string) (string, error) {
	if name == "" {
		own, err := lm.TemplateOf(folder)
		if err != nil {
			return "", err
		}
		if own == nil {
			return "", fmt.Errorf("%s has no chat template of its own\nhint: name one, such as tulu, or a file", folder)
		}
		return own.Text(), nil
	}
	if text, err := builtIn.ReadFile("templates/" + name + ".jinja"); err == nil {
		// The newline at the end is the file's, not the template's.
		return strings.TrimSuffix(string(text), "\n"), nil
	}
	text, err := store.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		hint := "the names are " + strings.Join(TemplateNames(), ", ") + "; or give a file"
		if near, ok := config.Nearest(name, TemplateNames()); ok {
			hint = "did you mean " + near + "? " + hint
		}
		return "", fmt.Errorf("there is no chat template %s\nhint: %s", name, hint)
	}
	if err != nil {
		return "", err
	}
	if err := store.Mistaken(text); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(text), nil
}
