package adapt

import (
	"encoding/json"
	"fmt"
	"strings"

	"olmo/chat"
	"olmo/chat/jinja"
)

// Form is how a row has its messages, "" for a list called messages.
type Form string

// Other programs' forms.
const (
	ShareGPT   Form = "ShareGPT (conversations of from and value)"
	Alpaca     Form = "Alpaca (instruction, input and output)"
	Completion Form = "prompt and completion"
)

// senders are ShareGPT's names of roles, and those of sets that came after it.
var senders = map[string]string{
	"human": chat.User, "user": chat.User, "User": chat.User,
	"gpt": chat.Assistant, "chatgpt": chat.Assistant, "assistant": chat.Assistant, "Assistant": chat.Assistant,
	"system": chat.System, "tool": "tool", "observation": "tool",
}

// turnsOf finds a row's messages, as a list or in another program's form. key is the member that
// errors name.
func turnsOf(members map[string]json.RawMessage) (turns []*jinja.Dict, key string, form Form, err error) {
	switch {
	case members["messages"] != nil:
		turns, err = parseTurns("messages", members["messages"])
		return turns, "messages", "", err
	case members["conversations"] != nil:
		turns, err = shareGPT(members)
		return turns, "conversations", ShareGPT, err
	case members["instruction"] != nil && members["output"] != nil:
		turns, err = alpaca(members)
		return turns, "instruction and output", Alpaca, err
	case members["prompt"] != nil:
		turns, err = completion(members)
		return turns, "prompt and completion", Completion, err
	case members["chosen"] != nil:
		return nil, "", "", fmt.Errorf("the row has no messages\nhint: it has chosen: is it a pair of preferences?")
	}
	return nil, "", "", fmt.Errorf("the row has no messages")
}

// shareGPT reads conversations; a system prompt may stand beside them.
func shareGPT(members map[string]json.RawMessage) ([]*jinja.Dict, error) {
	list, err := parseTurns("conversations", members["conversations"])
	if err != nil {
		return nil, err
	}
	var turns []*jinja.Dict
	if system, err := textMember(members, "system"); err != nil {
		return nil, err
	} else if system != "" {
		turns = append(turns, turn(chat.System, system))
	}
	for i, t := range list {
		if _, ok := t.Get("role"); ok {
			turns = append(turns, t)
			continue
		}
		from, _ := t.Get("from")
		name, _ := from.(string)
		role, ok := senders[name]
		if !ok {
			return nil, fmt.Errorf("conversations[%d].from is %s, want human, gpt, system or tool", i, valueOf(from))
		}
		value, _ := t.Get("value")
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("conversations[%d].value is %s, want a string", i, kindOf(value))
		}
		turns = append(turns, turn(role, text))
	}
	return turns, nil
}

// alpaca reads an instruction with its input, two lines below it, and the answer.
func alpaca(members map[string]json.RawMessage) ([]*jinja.Dict, error) {
	var part [3]string
	for i, key := range []string{"instruction", "input", "output"} {
		var err error
		if part[i], err = textMember(members, key); err != nil {
			return nil, err
		}
	}
	question := strings.TrimSpace(part[0])
	if input := strings.TrimSpace(part[1]); input != "" {
		question += "\n\n" + input
	}
	return []*jinja.Dict{turn(chat.User, question), turn(chat.Assistant, part[2])}, nil
}

// completion reads a prompt and what follows it, texts or lists of messages each; without a
// completion it is a prompt alone.
func completion(members map[string]json.RawMessage) ([]*jinja.Dict, error) {
	var turns []*jinja.Dict
	for _, side := range []struct{ key, role string }{{"prompt", chat.User}, {"completion", chat.Assistant}} {
		value := members[side.key]
		switch {
		case value == nil:
		case value[0] == '[':
			list, err := parseTurns(side.key, value)
			if err != nil {
				return nil, err
			}
			turns = append(turns, list...)
		default:
			text, err := textMember(members, side.key)
			if err != nil {
				return nil, err
			}
			turns = append(turns, turn(side.role, text))
		}
	}
	return turns, nil
}

func turn(role, content string) *jinja.Dict {
	d := jinja.NewDict()
	d.Set("role", role)
	d.Set("content", content)
	return d
}

// textMember is a member that is a text, "" where it is missing or null.
func textMember(members map[string]json.RawMessage, key string) (string, error) {
	v, err := jsonValue(members[key])
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	text, ok := v.(string)
	if !ok && v != nil {
		return "", fmt.Errorf("%s is %s, want a string", key, kindOf(v))
	}
	return text, nil
}

// valueOf is a value where it is a text, else what it is.
func valueOf(v any) string {
	if text, ok := v.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return kindOf(v)
}
