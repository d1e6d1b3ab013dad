package eval

import (
	"slices"
	"strings"

	"olmo/chat"
)

// converse puts a document's prompts as turns of a conversation: those of a task that makes none
// itself are the user's one turn, behind a system text. No space stands before a choice then.
func (d *Document) converse(system string) {
	if slices.ContainsFunc(d.Requests, func(r Request) bool { return r.Turns != nil }) {
		return
	}
	var before []chat.Message
	if system != "" {
		before = []chat.Message{{Role: chat.System, Content: system}}
	}
	// Requests with one context share their turns, which are then read once.
	var turns []chat.Message
	for i := range d.Requests {
		r := &d.Requests[i]
		if r.Form == Rolling || r.Unconditional {
			continue
		}
		if turns == nil || turns[len(turns)-1].Content != r.Context {
			turns = append(slices.Clone(before), chat.Message{Role: chat.User, Content: r.Context})
		}
		r.Turns, r.Continuation = turns, strings.TrimPrefix(r.Continuation, " ")
		if system != "" {
			r.Context = system + "\n\n" + r.Context
		}
	}
}

// ReadTurns is a conversation as a model reads it. A system text that its template refuses is left
// out, as lm-eval does (models/huggingface.py, apply_chat_template, 0.4.13); refused says why.
func ReadTurns(t *chat.Template, turns []chat.Message) (text string, refused, err error) {
	text, err = t.Prompt(turns)
	if err == nil || turns[0].Role != chat.System {
		return text, nil, err
	}
	without, other := t.Prompt(turns[1:])
	if other != nil {
		return "", nil, err
	}
	return without, err, nil
}
