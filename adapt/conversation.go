package adapt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"olmo/chat"
	"olmo/chat/jinja"
)

// roles are the roles of messages. A template passes over the messages of a role that it does not
// know, so that another one would lose them without a word.
var roles = []string{chat.System, "developer", chat.User, chat.Assistant, "tool", "function", "environment", "ipython"}

// results are the roles of what a tool gave back: the model reads it and never writes it.
var results = []string{"tool", "function", "environment", "ipython"}

// calls are the members by which an answer asks for tools; it may then have no content.
var calls = []string{"tool_calls", "function_calls"}

// Message is one turn of a conversation.
type Message struct {
	Role, Content string
	// Turn has all members, as the template sees them (chat.Turn).
	Turn *jinja.Dict
}

// Conversation is what a model is trained on, or asked to go on with.
type Conversation struct {
	Messages []Message
	Tools    *jinja.List // the descriptions of tools that it may call; nil: none
}

// turns are the first n messages as a template sees them.
func (c *Conversation) turns(n int) []*jinja.Dict {
	out := make([]*jinja.Dict, n)
	for i := range out {
		out[i] = c.Messages[i].Turn
	}
	return out
}

// parseMessages reads a list of messages, the value of key. One that is no message is an error.
func parseMessages(key string, value json.RawMessage) ([]Message, error) {
	turns, err := parseTurns(key, value)
	if err != nil {
		return nil, err
	}
	return checkTurns(key, turns)
}

// checkTurns wants every turn to be a message.
func checkTurns(key string, turns []*jinja.Dict) (messages []Message, err error) {
	messages = make([]Message, len(turns))
	for i, turn := range turns {
		if messages[i], err = parseMessage(turn); err != nil {
			return nil, fmt.Errorf("%s[%d]%w", key, i, err)
		}
	}
	return messages, nil
}

// parseTurns reads a list of objects that is not empty.
func parseTurns(key string, value json.RawMessage) ([]*jinja.Dict, error) {
	v, err := jsonValue(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	list, ok := v.(*jinja.List)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is %s, want a list of messages", key, kindOf(v))
	case len(list.Items()) == 0:
		return nil, fmt.Errorf("%s is empty", key)
	}
	turns := make([]*jinja.Dict, len(list.Items()))
	for i, x := range list.Items() {
		turn, ok := x.(*jinja.Dict)
		if !ok {
			return nil, fmt.Errorf("%s[%d] is %s, want an object with role and content", key, i, kindOf(x))
		}
		turns[i] = chat.Turn(turn)
	}
	return turns, nil
}

// parseMessage checks what every message has. Its errors begin with the member, as ".role is …".
func parseMessage(turn *jinja.Dict) (Message, error) {
	m := Message{Turn: turn}
	role, _ := turn.Get("role")
	var ok bool
	if m.Role, ok = role.(string); !ok {
		return m, fmt.Errorf(".role is %s, want a string", kindOf(role))
	}
	if !slices.Contains(roles, m.Role) {
		hint := ""
		if m.Role == "human" || m.Role == "gpt" {
			hint = "\nhint: those are ShareGPT's names; here they are user and assistant"
		}
		return m, fmt.Errorf(".role is %q, want one of %s%s", m.Role, strings.Join(roles, ", "), hint)
	}
	content, _ := turn.Get("content")
	switch content := content.(type) {
	case string:
		m.Content = content
	case nil:
		if m.Role != chat.Assistant || !m.asks() {
			return m, fmt.Errorf(".content is missing or null, want a string")
		}
	default:
		return m, fmt.Errorf(".content is %s, want a string", kindOf(content))
	}
	return m, nil
}

// asks reports whether a message calls tools.
func (m *Message) asks() bool {
	return slices.ContainsFunc(calls, func(name string) bool {
		v, _ := m.Turn.Get(name)
		if list, is := v.(*jinja.List); is {
			return len(list.Items()) > 0
		}
		return v != nil && v != ""
	})
}

// checkAnswer wants a last message that is an answer with something in it.
func checkAnswer(key string, messages []Message) error {
	last := &messages[len(messages)-1]
	at := fmt.Sprintf("%s[%d]", key, len(messages)-1)
	switch {
	case last.Role != chat.Assistant:
		return fmt.Errorf("%s, the last, is of role %s: the conversation ends without an answer", at, last.Role)
	case strings.TrimSpace(last.Content) == "" && !last.asks():
		return fmt.Errorf("%s, the last answer, is empty", at)
	}
	return nil
}

// parseTools reads the descriptions of tools: a list of objects, one object, or a text that holds
// either as JSON; null and nothing are none.
//
// open-instruct e6c3044, dataset_transformation.py, _normalize_tools_for_chat_template.
func parseTools(value json.RawMessage) (*jinja.List, error) {
	v, err := jsonValue(value)
	if text, ok := v.(string); ok && err == nil && text != "" {
		if v, err = jsonValue(json.RawMessage(text)); err != nil {
			err = fmt.Errorf("its text is no JSON: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	if one, ok := v.(*jinja.Dict); ok {
		v = jinja.NewList(one)
	}
	list, ok := v.(*jinja.List)
	switch {
	case v == nil || v == "":
		return nil, nil
	case !ok:
		return nil, fmt.Errorf("tools is %s, want a list of objects that describe tools", kindOf(v))
	case len(list.Items()) == 0:
		return nil, nil
	}
	for i, x := range list.Items() {
		if _, ok := x.(*jinja.Dict); !ok {
			return nil, fmt.Errorf("tools[%d] is %s, want an object that describes a tool", i, kindOf(x))
		}
	}
	return list, nil
}

// jsonValue is a JSON value as a template has it.
func jsonValue(text json.RawMessage) (any, error) {
	if len(text) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := jinja.FromJSON(d)
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("there is more behind the value")
		}
	}
	return v, err
}

// kindOf says what a value is.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "missing or null"
	case string:
		return "a string"
	case bool:
		return "true or false"
	case *jinja.List:
		return "a list"
	case *jinja.Dict:
		return "an object"
	default:
		return fmt.Sprintf("the number %v", v)
	}
}
