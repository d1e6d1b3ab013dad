package adapt

import (
	"bytes"
	"encoding/json"
	"fmt"

	"olmo/chat"
)

// Asked is what a row asks, as JSON, to be written again with answers.
type Asked struct {
	messages []json.RawMessage
	tools    json.RawMessage
}

// Asked returns what a row asks; line is what ParseRow read it from. Messages are as they stand there; those
// of another form have role and content alone.
func (r *Row) Asked(line []byte) (*Asked, error) {
	members, err := rowMembers(line)
	if err != nil {
		return nil, err
	}
	a := &Asked{tools: members["tools"]}
	if string(a.tools) == "null" {
		a.tools = nil
	}
	n := len(r.Conversation.Messages)
	if r.Form == "" {
		if err := json.Unmarshal(members["messages"], &a.messages); err != nil {
			return nil, err
		}
		if len(a.messages) < n {
			return nil, fmt.Errorf("messages are %d, and %d were read", len(a.messages), n)
		}
		a.messages = a.messages[:n]
		return a, nil
	}
	for _, m := range r.Conversation.Messages {
		text, err := messageJSON(m.Role, m.Content)
		if err != nil {
			return nil, err
		}
		a.messages = append(a.messages, text)
	}
	return a, nil
}

// With is the list of messages with an answer behind them.
func (a *Asked) With(answer string) (json.RawMessage, error) {
	last, err := messageJSON(chat.Assistant, answer)
	if err != nil {
		return nil, err
	}
	return plainJSON(append(a.messages[:len(a.messages):len(a.messages)], last))
}

// Messages is the list of messages.
func (a *Asked) Messages() (json.RawMessage, error) { return plainJSON(a.messages) }

// Tools are the descriptions of tools as the row has them; nil: none.
func (a *Asked) Tools() json.RawMessage { return a.tools }

func messageJSON(role, content string) (json.RawMessage, error) {
	return plainJSON(struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}{role, content})
}

// plainJSON writes a value with <, > and & as they are.
func plainJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Answered is the conversation with an answer behind it.
func (c *Conversation) Answered(answer string) *Conversation {
	turn := turn(chat.Assistant, answer)
	messages := append(c.Messages[:len(c.Messages):len(c.Messages)], Message{Role: chat.Assistant, Content: answer, Turn: turn})
	return &Conversation{Messages: messages, Tools: c.Tools}
}
