package chat

import "strings"

// The marks between which most models think before they answer.
const (
	whiteSpace = " \t\n\v\f\r"
	thinkBegin = "<think>"
	thinkEnd   = "</think>"
)

// Thinking tells an answer from the thinking before it.
type Thinking struct {
	// End is what thinking ends with; every text has some then. Without it that is </think>, of
	// texts that have it or begin with <think>.
	End string
	// Begun says that the prompt has begun it.
	Begun bool
}

func (t Thinking) end() string {
	if t.End != "" {
		return t.End
	}
	return thinkEnd
}

// Answer is what follows the thinking, less the white space before it. closed is false for
// thinking that does not end, behind which there is no answer.
func (t Thinking) Answer(text string) (answer string, closed bool) {
	if i := strings.LastIndex(text, t.end()); i >= 0 {
		return strings.TrimLeft(text[i+len(t.end()):], whiteSpace), true
	}
	if t.End != "" || t.Begun || strings.HasPrefix(strings.TrimSpace(text), thinkBegin) {
		return "", false
	}
	return text, true
}

// Begins reports whether a prompt ends within thinking.
func (t Thinking) Begins(prompt string) bool {
	return strings.HasSuffix(strings.TrimSpace(prompt), thinkBegin)
}

// Join is a text of thinking and answer that a server gave apart.
func (t Thinking) Join(thinking string, answer *string) string {
	text := thinking
	if t.End == "" {
		text = thinkBegin + thinking
	}
	if answer != nil {
		text += t.end() + *answer
	}
	return text
}
