package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"olmo/chat/jinja"
)

// FixedTime is a Now that is always the same, for what must come out tomorrow as it did today: what is asked
// decides what is answered, and what is shown what is learnt. The date is that which Llama 3's templates have
// themselves.
func FixedTime() time.Time { return time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC) }

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
	turns := make([]*jinja.Dict, len(messages))
	for i, m := range messages {
		turns[i] = jinja.NewDict()
		turns[i].Set("role", m.Role)
		turns[i].Set("content", m.Content)
	}
	return t.Render(turns, nil, answer)
}

// reasoning are the names by which messages have what was thought before an answer; templates
// ask for the first, some for the second.
var reasoning = []string{"reasoning_content", "thinking", "reasoning"}

// Turn is a message as Transformers shows it to templates: without the members that are null,
// which would write None, and with what was thought under each name that templates ask for
// (utils/chat_template_utils.py, _normalize_chat_messages and _alias_reasoning_fields, 5.24).
func Turn(message *jinja.Dict) *jinja.Dict {
	turn := jinja.NewDict()
	var thought any
	for _, name := range reasoning {
		if v, _ := message.Get(name); v != nil && thought == nil {
			thought = v
		}
	}
	if thought != nil {
		turn.Set("thinking", thought)
	}
	for name, v := range message.All() {
		if v != nil {
			turn.Set(name, v)
		}
	}
	if thought != nil {
		turn.Set("reasoning_content", thought)
	}
	return turn
}

// Render returns the text for messages, as Turn makes them, and the descriptions of tools; nil:
// none. With answer it goes on to where an answer begins
// (add_generation_prompt).
func (t *Template) Render(messages []*jinja.Dict, tools *jinja.List, answer bool) (string, error) {
	text, err := t.template.Render(t.variables(messages, tools, answer), t.now())
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	return text, nil
}

// RenderMarked returns the text for whole messages, and the bytes [start, end) of it that the
// template's blocks {% generation %} wrote.
func (t *Template) RenderMarked(messages []*jinja.Dict, tools *jinja.List) (text string, generated [][2]int, err error) {
	text, generated, err = t.template.RenderMarked(t.variables(messages, tools, false), t.now())
	if err != nil {
		return "", nil, fmt.Errorf("chat template: %w", err)
	}
	return text, generated, nil
}

// HasGeneration reports whether the template says itself what the model writes, with
// {% generation %}.
func (t *Template) HasGeneration() bool { return t.template.HasGeneration() }

// variables are what a template sees.
func (t *Template) variables(messages []*jinja.Dict, tools *jinja.List, answer bool) map[string]any {
	turns := make([]any, len(messages))
	for i, m := range messages {
		turns[i] = m
	}
	// What a conversation may come with is none, not undefined, where it has nothing.
	vars := map[string]any{"tools": nil, "documents": nil}
	if tools != nil {
		vars["tools"] = tools
	}
	for name, text := range t.tokens {
		vars[name] = text
	}
	vars["messages"], vars["add_generation_prompt"] = jinja.NewList(turns...), answer
	return vars
}

func (t *Template) now() func() time.Time {
	if t.Now != nil {
		return t.Now
	}
	return time.Now
}

// Stops is empty: such models end their turns with an end-of-text id.
func (t *Template) Stops() []string { return nil }
