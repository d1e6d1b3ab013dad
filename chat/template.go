package chat

import (
	"fmt"
	"time"

	"olmo/chat/jinja"
)

// Template is a chat template in the language of Jinja2, as Transformers runs it:
// how a model that was trained to chat reads a conversation.
type Template struct {
	template *jinja.Template
	tokens   map[string]string
}

// ParseTemplate reads a template. tokens are the texts of the special tokens that
// templates use, by their names, such as bos_token.
func ParseTemplate(text string, tokens map[string]string) (*Template, error) {
	t, err := jinja.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return &Template{t, tokens}, nil
}

// Prompt returns the text for a conversation, up to where the answer begins.
func (t *Template) Prompt(messages []Message) (string, error) {
	turns := make([]any, len(messages))
	for i, m := range messages {
		turn := jinja.NewDict()
		turn.Set("role", m.Role)
		turn.Set("content", m.Content)
		turns[i] = turn
	}
	// What a conversation may come with is none, not undefined, where it has nothing.
	vars := map[string]any{"tools": nil, "documents": nil}
	for name, text := range t.tokens {
		vars[name] = text
	}
	vars["messages"], vars["add_generation_prompt"] = jinja.NewList(turns...), true
	text, err := t.template.Render(vars, time.Now)
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	return text, nil
}

// Stops is empty: such models end their turns with an end-of-text id.
func (t *Template) Stops() []string { return nil }
