package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"olmo/chat/jinja"
)

// Template is a chat template in the language of Jinja2, as Transformers runs it:
// how a model that was trained to chat reads a conversation.
type Template struct {
	// Now is the time for templates that write the date; nil: the clock's.
	Now func() time.Time

	template *jinja.Template
	text     string
	tokens   map[string]string
}

// ParseTemplate reads a template. tokens are the texts of the special tokens that
// templates use, by their names, such as bos_token.
func ParseTemplate(text string, tokens map[string]string) (*Template, error) {
	t, err := jinja.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return &Template{template: t, text: text, tokens: tokens}, nil
}

// Text is the template as it was read.
func (t *Template) Text() string { return t.text }

// openEnd marks where the last message ends in what a template makes of it.
const openEnd = "OLMO_OPEN_END "

// Prompt returns the text for a conversation, up to where the answer begins. A last message of
// the assistant's is the beginning of the answer: the text ends with it, as Transformers'
// continue_final_message has it (utils/chat_template_utils.py, 5.23).
func (t *Template) Prompt(messages []Message) (string, error) {
	n := len(messages) - 1
	if n < 0 || messages[n].Role != Assistant {
		return t.render(messages, true)
	}
	begun := messages[n].Content
	text, err := t.render(append(messages[:n:n], Message{Assistant, begun + openEnd}), false)
	if err != nil {
		return "", err
	}
	at := strings.LastIndex(text, strings.TrimSpace(openEnd))
	if at < 0 || !strings.Contains(text, strings.TrimSpace(begun)) {
		return "", fmt.Errorf("chat template: it does not show the beginning of an answer, %q", begun)
	}
	whole := strings.HasPrefix(text[at:], openEnd)
	if text = text[:at]; !whole { // the template trims, and so the white space before it went too
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	return text, nil
}

func (t *Template) render(messages []Message, answer bool) (string, error) {
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
	vars["messages"], vars["add_generation_prompt"] = jinja.NewList(turns...), answer
	now := t.Now
	if now == nil {
		now = time.Now
	}
	text, err := t.template.Render(vars, now)
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	return text, nil
}

// Stops is empty: such models end their turns with an end-of-text id.
func (t *Template) Stops() []string { return nil }
