package chat

import (
	"fmt"
	"strings"
	"time"
)

// Template is a chat template in the language of Jinja2, as Transformers runs it
// (sandboxed, with trim_blocks and lstrip_blocks): how a model that was trained to
// chat reads a conversation.
type Template struct {
	body   []node
	tokens map[string]string
}

// ParseTemplate reads a template. tokens are the texts of the special tokens that
// templates use, by their names, such as bos_token.
func ParseTemplate(text string, tokens map[string]string) (*Template, error) {
	body, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return &Template{body, tokens}, nil
}

// Prompt returns the text for a conversation, up to where the answer begins.
func (t *Template) Prompt(messages []Message) (string, error) {
	l := &list{}
	for _, m := range messages {
		d := newDict()
		d.set("role", m.Role)
		d.set("content", m.Content)
		l.items = append(l.items, d)
	}
	vars := newDict()
	for name, text := range t.tokens {
		vars.set(name, text)
	}
	vars.set("messages", l)
	vars.set("add_generation_prompt", true)
	return t.render(vars, time.Now)
}

// Stops is empty: such models end their turns with an end-of-text id.
func (t *Template) Stops() []string { return nil }

func (t *Template) render(vars *dict, now func() time.Time) (text string, err error) {
	r := &renderer{out: &strings.Builder{}, now: now}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *templateError:
			text, err = "", fmt.Errorf("chat template: %w", e)
		default:
			panic(e)
		}
	}()
	s := newScope(nil)
	for _, k := range vars.keys {
		if name, ok := k.(string); ok {
			s.vars[name] = vars.m[k]
		}
	}
	r.block(t.body, newScope(s))
	return r.out.String(), nil
}
