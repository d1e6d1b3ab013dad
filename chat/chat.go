// Package chat holds conversations: messages, the form in which a model reads them,
// and where its answers end.
package chat

import (
	"errors"
	"strings"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"` // system, user or assistant
	Content string `json:"content"`
}

// The roles of a message.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Format is the form in which a model reads a conversation.
type Format interface {
	// Prompt returns the conversation up to the point where the answer begins.
	Prompt(messages []Message) (string, error)
	// Stops are the texts before which an answer ends.
	Stops() []string
}

// Transcript is the form for models that were not trained to chat: a dialogue as a
// book or a forum has it, which such a model goes on writing.
//
//	System's text.
//
//	User: Hello.
//	Assistant: Hello! What can I do for you?
//	User: …
//	Assistant:
//
// The texts lose white space at both ends.
type Transcript struct{}

// Prompt returns the conversation up to the point where the answer begins.
func (Transcript) Prompt(messages []Message) (string, error) {
	var b strings.Builder
	for _, m := range messages {
		text := strings.TrimSpace(m.Content)
		switch m.Role {
		case System:
			b.WriteString(text + "\n\n")
		case Assistant:
			b.WriteString("Assistant: " + text + "\n")
		default:
			b.WriteString("User: " + text + "\n")
		}
	}
	return b.String() + "Assistant:", nil
}

// Stops are the beginnings of other turns.
func (Transcript) Stops() []string { return []string{"\nUser:", "\nAssistant:"} }

// ErrTooLong is returned for a message that does not fit, even alone.
var ErrTooLong = errors.New("the message is too long for the model")

// Fit returns the ids of a conversation that leaves the model room, at most so many: of
// the oldest turns, as many as needed are left out, a question always with its answer; a
// system message stays. dropped counts the messages left out.
func Fit(f Format, messages []Message, encode func(text string) ([]int32, error), most int) (ids []int32, dropped int, err error) {
	var system []Message
	if len(messages) > 0 && messages[0].Role == System {
		system, messages = messages[:1:1], messages[1:]
	}
	for {
		text, err := f.Prompt(append(system, messages...))
		if err != nil {
			return nil, dropped, err
		}
		if ids, err = encode(text); err != nil {
			return nil, dropped, err
		}
		if len(ids) <= most {
			return ids, dropped, nil
		}
		if len(messages) <= 1 {
			return nil, dropped, ErrTooLong
		}
		n := 1
		for n < len(messages)-1 && messages[n].Role != User {
			n++
		}
		messages, dropped = messages[n:], dropped+n
	}
}

// Cutter passes a text on as it comes, up to the first of the stops. What may be the
// beginning of one is held back until it is decided.
type Cutter struct {
	Stops []string
	// Thinking, if set, ends before stops count: it may well hold what ends an answer.
	Thinking *Thinking
	held     string
	done     bool
	thinking bool // what comes is thinking, up to its end
}

// Next takes a piece of text and returns what can be shown of it and of earlier
// pieces. done means that a stop was met: nothing follows.
func (c *Cutter) Next(piece string) (text string, done bool) {
	if c.done {
		return "", true
	}
	c.held += piece
	thought, wait := c.think()
	if wait {
		return thought, false
	}
	cut := len(c.held)
	for _, s := range c.Stops {
		if i := strings.Index(c.held, s); i >= 0 && i < cut {
			cut, c.done = i, true
		}
	}
	if c.done {
		text, c.held = c.held[:cut], ""
		return thought + text, true
	}
	for _, s := range c.Stops {
		cut = min(cut, len(c.held)-begun(c.held, s))
	}
	text, c.held = c.held[:cut], c.held[cut:]
	return thought + text, false
}

// think passes thinking on. wait says that the answer has not begun.
func (c *Cutter) think() (thought string, wait bool) {
	t := c.Thinking
	if t == nil {
		return "", false
	}
	if !c.thinking && t.End == "" && !t.Begun {
		begin := strings.TrimLeft(c.held, whiteSpace)
		switch {
		case begin == "": // white space may be a stop
			return "", false
		case strings.HasPrefix(begin, thinkBegin):
		case strings.HasPrefix(thinkBegin, begin):
			return "", true
		default:
			c.Thinking = nil
			return "", false
		}
	}
	c.thinking = true
	n, ended := len(c.held)-begun(c.held, t.end()), false
	if i := strings.Index(c.held, t.end()); i >= 0 {
		n, ended = i+len(t.end()), true
		c.Thinking = nil
	}
	thought, c.held = c.held[:n], c.held[n:]
	return thought, !ended
}

// begun is the length of the longest end of text that a mark begins with, less than all of it.
func begun(text, mark string) int {
	for n := min(len(mark)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			return n
		}
	}
	return 0
}

// Flush returns what was held back when the text ended without a stop.
func (c *Cutter) Flush() string {
	text := c.held
	c.held = ""
	return text
}
