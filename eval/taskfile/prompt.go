package taskfile

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"olmo/chat"
	"olmo/eval/python"
)

// message is a part of a prompt, with what follows it in a plain text.
type message struct{ role, text, after string }

// joined is lm-eval's maybe_delimit: both texts, with the delimiter where neither has white
// space at the boundary.
func joined(prefix, suffix, delimiter string) string {
	if prefix == "" || suffix == "" || !delimits(prefix, suffix) {
		return prefix + suffix
	}
	return prefix + delimiter + suffix
}

func endsInSpace(text string) bool {
	last, _ := utf8.DecodeLastRuneInString(text)
	return text != "" && python.IsSpace(last)
}

// delimits reports whether neither side of a boundary has white space.
func delimits(prefix, suffix string) bool {
	first, _ := utf8.DecodeRuneInString(suffix)
	return prefix != "" && !endsInSpace(prefix) && !python.IsSpace(first)
}

// turn is a question, and its answer where there is one (lm-eval's build_qa_turn).
func turn(question, prefix string, answer *string, targetDelimiter, fewshotDelimiter string) []message {
	after := ""
	if answer != nil && prefix == "" || prefix != "" && delimits(question, prefix) {
		after = targetDelimiter
	}
	out := []message{{"user", question, after}}
	switch {
	case answer != nil:
		out = append(out, message{"assistant", joined(prefix, *answer, " "), fewshotDelimiter})
	case prefix != "":
		out = append(out, message{"assistant", prefix, ""})
	}
	return out
}

// plainText joins messages to one text.
func plainText(messages []message) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(m.text + m.after)
	}
	return b.String()
}

// turns are messages as those of a conversation.
func turns(messages []message) []chat.Message {
	out := make([]chat.Message, len(messages))
	for i, m := range messages {
		out[i] = chat.Message{Role: m.role, Content: m.text}
	}
	return out
}

// shot is an example with its answer.
func (t *task) shot(r *row) ([]message, error) {
	f := &t.def.fewshot
	q, err := f.text.text(r, t.features, f.choices.value != nil)
	if err != nil {
		return nil, err
	}
	var choices []string
	if f.choices.value != nil {
		if choices, err = f.choices.choices(r, t.features); err != nil {
			return nil, err
		}
	}
	a, err := f.target.target(r, t.features, f.choices.value != nil)
	if err != nil {
		return nil, err
	}
	prefix, err := t.prefix(f.genPrefix, r)
	if err != nil {
		return nil, err
	}
	if t.contexts { // the question is the right one of the choices
		n, ok := q.(int64)
		if !ok || n < 0 || int(n) >= len(choices) {
			return nil, fmt.Errorf("an example's doc_to_text is %v of %d contexts", q, len(choices))
		}
		q, choices = choices[n], nil
	}
	question, ok := q.(string)
	if !ok {
		return nil, fmt.Errorf("an example's doc_to_text is %v, want a text", q)
	}
	answer, err := answerText(a, choices)
	if err != nil {
		return nil, fmt.Errorf("an example: %w", err)
	}
	return turn(question, prefix, answer, f.targetDelimiter, f.fewshotDelimiter), nil
}

// number is an integer, of which true and false are two in Python.
func number(v any) (n int64, ok bool) {
	if b, is := v.(bool); is {
		return int64(one(b)), true
	}
	n, ok = v.(int64)
	return n, ok
}

// answerText is an answer as a shot shows it: a choice by its number, a list's first; nil for an
// empty one.
func answerText(a any, choices []string) (*string, error) {
	if n, ok := number(a); ok && choices != nil {
		if n < 0 {
			n += int64(len(choices))
		}
		if n < 0 || int(n) >= len(choices) {
			return nil, fmt.Errorf("the answer is number %d of %d choices", n, len(choices))
		}
		return &choices[n], nil
	}
	if list, ok := listOf(a); ok {
		if len(list) == 0 {
			return nil, fmt.Errorf("the answer is an empty list")
		}
		return &list[0], nil
	}
	s, ok := a.(string)
	switch {
	case a == nil || ok && s == "":
		return nil, nil
	case !ok:
		return nil, fmt.Errorf("the answer is %v, want a text", a)
	}
	return &s, nil
}

// prefix is gen_prefix for a row.
func (t *task) prefix(f *field, r *row) (string, error) {
	v, _, err := f.of(r, t.features)
	if err != nil || v == nil {
		return "", err
	}
	return text(v), nil
}
