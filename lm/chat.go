package lm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"olmo/chat"
	"olmo/internal/pyjson"
	"olmo/store"
)

// Chat answers conversations in the form in which a model reads them.
type Chat struct {
	*Generator
	Format chat.Format
}

// Chat prepares a model to answer conversations in a form, its own that ChatFormat returns or
// another. The model needs a tokenizer.
func (m *Model) Chat(f chat.Format) (*Chat, error) {
	if m.Tokenizer == nil {
		return nil, fmt.Errorf("the model %s has no tokenizer", m.Path)
	}
	g, err := m.Generator()
	if err != nil {
		return nil, err
	}
	return &Chat{g, f}, nil
}

// Prompt returns the ids of a conversation, at most so many: of the oldest turns, as many
// as needed are left out. dropped counts the messages that were. A last message that
// does not fit even alone is chat.ErrTooLong.
func (c *Chat) Prompt(messages []chat.Message, most int) (ids []int32, dropped int, err error) {
	return c.model.PromptOf(c.Format, messages, most)
}

// PromptOf is Chat.Prompt in a form. The model needs a tokenizer.
func (m *Model) PromptOf(f chat.Format, messages []chat.Message, most int) (ids []int32, dropped int, err error) {
	encode := m.Encode
	if _, ok := f.(*chat.Template); ok {
		// A template writes the special tokens itself.
		encode = func(text string) ([]int32, error) { return m.Tokenizer.AppendEncode(nil, text) }
	}
	return chat.Fit(f, messages, encode, most)
}

// Answer continues the prompt of a conversation up to where another turn would begin. What an
// earlier answer has computed of it is taken over, and white space before the first
// word is left out. An answer with a Form ends by that, and is all of it.
func (c *Chat) Answer(ctx context.Context, r Request) (Answer, error) {
	r.Stop = c.model.StopOf(r.Adapter)
	if r.Form != nil {
		return c.Generate(ctx, r)
	}
	r.StopTexts = c.Format.Stops()
	begun, tell := false, r.Text
	r.Text = func(piece string) bool {
		if !begun {
			piece = trimStart(piece)
			begun = piece != ""
		}
		return tell == nil || tell(piece)
	}
	a, err := c.Generate(ctx, r)
	a.Text = trimStart(a.Text)
	return a, err
}

func trimStart(text string) string { return strings.TrimLeft(text, " \n") }

// ChatFormat returns the form of the checkpoint's chat template, or chat.Transcript when it
// has none.
func (m *Model) ChatFormat() (chat.Format, error) { return m.ChatFormatOf("") }

// ChatFormatOf is ChatFormat of the model with an adapter, which may have a template of its own.
func (m *Model) ChatFormatOf(adapter string) (chat.Format, error) {
	var t *chat.Template
	var err error
	if a := m.chosen(adapter); a != nil {
		t, err = TemplateOf(a.folder)
	}
	if t == nil && err == nil {
		t, err = m.ChatTemplate()
	}
	if t == nil || err != nil {
		return chat.Transcript{}, err
	}
	return t, nil
}

// ChatTemplate returns the checkpoint's chat template; nil when it has none.
func (m *Model) ChatTemplate() (*chat.Template, error) {
	text, tokens, err := m.chatTemplate()
	if err != nil || text == "" {
		return nil, err
	}
	return chat.ParseTemplate(text, tokens)
}

// chatTemplate finds the checkpoint's template, empty when there is none, and the special
// tokens that templates use.
func (m *Model) chatTemplate() (text string, tokens map[string]string, err error) {
	tokens = map[string]string{}
	if m.Files == nil {
		return "", tokens, nil
	}
	if m.folder != "" {
		if text, tokens, err := folderTemplate(m.folder); text != "" || err != nil {
			return text, tokens, err
		}
	}
	if g := m.Files.GGUF; g != nil {
		if v, ok := g.Get("tokenizer.chat_template"); ok {
			text, _ = v.(string)
		}
		for name, key := range map[string]string{"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"} {
			if id, ok := g.Int("tokenizer.ggml." + key + "_token_id"); ok && m.Tokenizer != nil {
				tokens[name] = m.Tokenizer.Token(int32(id))
			}
		}
		return text, tokens, nil
	}
	return folderTemplate(m.Files.Path)
}

// TemplateOf returns the chat template in a folder of a model or a tokenizer; nil when it has none.
func TemplateOf(folder string) (*chat.Template, error) {
	text, tokens, err := folderTemplate(folder)
	if err != nil || text == "" {
		return nil, err
	}
	return chat.ParseTemplate(text, tokens)
}

// SpecialTokens returns the special tokens that chat templates use, by their names such as
// eos_token, as the files in a folder of a model or a tokenizer say them.
func SpecialTokens(folder string) (map[string]string, error) {
	_, tokens, err := folderTemplate(folder)
	return tokens, err
}

// folderTemplate finds the template among a model's files, and the special tokens.
func folderTemplate(folder string) (text string, tokens map[string]string, err error) {
	tokens = map[string]string{}
	config, err := readObject(filepath.Join(folder, "tokenizer_config.json"))
	if err != nil {
		return "", nil, err
	}
	// Older models name their special tokens in special_tokens_map.json. It counts, and
	// before tokenizer_config.json, where that has no added_tokens_decoder, as in
	// Transformers (tokenization_utils_base.py, _from_pretrained, 5.23).
	if config["added_tokens_decoder"] == nil {
		older, err := readObject(filepath.Join(folder, "special_tokens_map.json"))
		if err != nil {
			return "", nil, err
		}
		addSpecials(older, tokens)
	}
	addSpecials(config, tokens)
	template := config["chat_template"]
	path := filepath.Join(folder, "chat_template.jinja")
	content, err := store.ReadFile(path)
	if err == nil && len(content) > 0 { // which is a template, too
		if err := store.Mistaken(content); err != nil {
			return "", nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err == nil {
		return string(content), tokens, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	text, err = defaultTemplate(template)
	return text, tokens, err
}

// defaultTemplate is the one that is used of what a file has as chat_template: a text, or
// several by name as a list or an object, of which one must be the default.
func defaultTemplate(template json.RawMessage) (text string, err error) {
	if len(template) == 0 || json.Unmarshal(template, &text) == nil {
		return text, nil
	}
	named := map[string]string{}
	if err := json.Unmarshal(template, &named); err != nil {
		var several []struct{ Name, Template string }
		if err := json.Unmarshal(template, &several); err != nil {
			return "", errors.New("chat_template is neither a text nor several by name")
		}
		for _, t := range several {
			named[t.Name] = t.Template
		}
	}
	text, ok := named["default"]
	if !ok {
		return "", fmt.Errorf("chat_template has several templates by name (%s) and none is the default\nhint: put the one to use into chat_template.jinja beside the weights", strings.Join(slices.Sorted(maps.Keys(named)), ", "))
	}
	return text, nil
}

// readObject reads a JSON object; nil where there is no file.
func readObject(path string) (file map[string]json.RawMessage, err error) {
	if err := pyjson.ReadFile(path, &file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return file, nil
}

// addSpecials reads the special tokens of a file into tokens, but for those that it has.
func addSpecials(file map[string]json.RawMessage, tokens map[string]string) {
	for name, value := range file {
		if strings.HasSuffix(name, "_token") {
			addSpecial(tokens, name, value)
		}
	}
	// A model's own, by name; a list of them has no names that a template could use.
	for _, key := range []string{"extra_special_tokens", "model_specific_special_tokens"} {
		var own map[string]json.RawMessage
		if json.Unmarshal(file[key], &own) == nil {
			for name, value := range own {
				addSpecial(tokens, name, value)
			}
		}
	}
}

// addSpecial adds a special token, a text or an object that holds it, unless there is one of
// that name; what is no token, such as add_bos_token, is passed over.
func addSpecial(tokens map[string]string, name string, value json.RawMessage) {
	var token string
	var added struct{ Content string }
	switch {
	case tokens[name] != "":
	case json.Unmarshal(value, &token) == nil && token != "":
		tokens[name] = token
	case json.Unmarshal(value, &added) == nil && added.Content != "":
		tokens[name] = added.Content
	}
}
