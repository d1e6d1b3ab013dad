package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"olmo/chat"
	"olmo/eval"
)

// message is what a chat completion says. Servers that tell thinking from the answer have it in
// one field of the two.
type message struct {
	Content   *string `json:"content"`
	Refusal   *string `json:"refusal"`
	Reasoning *string `json:"reasoning"`
	Thinking  *string `json:"reasoning_content"`
}

// maxStops is how many stops OpenAI's API takes. Further ones cut the answer here.
const maxStops = 4

// texts asks for what follows a prompt, each response for itself.
func (m *Model) texts(ctx context.Context, r *eval.Request, o eval.AnswerOptions) (eval.Answer, error) {
	a := eval.Answer{Texts: make([]string, max(r.Responses, 1))}
	stops := slices.DeleteFunc(slices.Clone(r.Until), func(s string) bool { return s == "" })
	path, asked := "/completions", map[string]any{"prompt": r.Context, "temperature": r.Sampling.Temperature}
	if m.Tokenizer != nil && !m.Chat {
		most := max(r.MaxTokens, 1)
		if most >= m.room() {
			return a, fmt.Errorf("an answer of %d tokens leaves no room for a prompt in the server's %d\nhint: fewer, with max_tokens of a request or --gen-kwargs max_gen_toks=%d", most, m.room(), m.room()/2)
		}
		err := m.encode(func(x *eval.IDs) (err error) {
			asked["prompt"], a.Truncated, err = x.Prompt(r.Context, m.room()-most)
			return err
		})
		if err != nil {
			return a, err
		}
	}
	if m.Chat {
		path = "/chat/completions"
		delete(asked, "prompt")
		turns := r.Turns
		if turns == nil {
			turns = []chat.Message{{Role: chat.User, Content: r.Context}}
		}
		asked["messages"] = turns
		if turns[len(turns)-1].Role == chat.Assistant { // vLLM's and SGLang's way to go on with it
			asked["add_generation_prompt"], asked["continue_final_message"] = false, true
		}
	}
	// A stop within the thinking would end it on the server, which does not know of it.
	if len(stops) > 0 && o.Thinking.End == "" {
		asked["stop"] = stops[:min(len(stops), maxStops)]
	}
	if r.Sampling.TopK > 0 {
		asked["top_k"] = r.Sampling.TopK
	}
	if p := r.Sampling.TopP; p > 0 && p < 1 {
		asked["top_p"] = p
	}
	for k := range a.Texts {
		body := maps.Clone(asked)
		if r.Sampling.Temperature > 0 {
			body["seed"] = r.Sampling.Response(k) >> 33 // which every server's integers hold
		}
		text, tokens, err := m.text(ctx, path, body, r.MaxTokens, &o.Thinking)
		if err != nil {
			return a, err
		}
		cut := chat.Cutter{Stops: stops, Thinking: &o.Thinking}
		text, _ = cut.Next(text)
		a.Texts[k] = text + cut.Flush()
		a.Tokens += tokens
	}
	return a, nil
}

// text asks for one response. OpenAI's newer models want the most tokens under another name, which
// they say themselves.
func (m *Model) text(ctx context.Context, path string, body map[string]any, most int, thinking *chat.Thinking) (text string, tokens int, err error) {
	for {
		m.dialect.Lock()
		newTokens := m.newTokens
		m.dialect.Unlock()
		delete(body, "max_tokens")
		switch {
		case most > 0 && newTokens:
			body["max_completion_tokens"] = most
		case most > 0:
			body["max_tokens"] = most
		}
		c, x, err := m.complete(ctx, path, body)
		var r *refusal
		if errors.As(err, &r) && !newTokens && mentions(r.message, "max_completion_tokens") {
			m.dialect.Lock()
			m.newTokens = true
			m.dialect.Unlock()
			continue
		}
		if err != nil {
			return "", 0, err
		}
		text, err := x.said(m.Chat, thinking)
		if err != nil {
			return "", 0, fmt.Errorf("%s%s: %w", m.server.base.String(), path, err)
		}
		return text, c.Usage.Completion, nil
	}
}

// said is the text of a choice, its thinking included.
func (x *choice) said(conversation bool, t *chat.Thinking) (string, error) {
	switch m := x.Message; {
	case !conversation && x.Text != nil:
		return *x.Text, nil
	case !conversation:
		return "", errors.New("the server's completion has no text")
	case m == nil:
		return "", errors.New("the server's chat completion has no message")
	default:
		for _, thinking := range []*string{m.Thinking, m.Reasoning} {
			if thinking != nil && *thinking != "" {
				return t.Join(*thinking, m.Content), nil
			}
		}
		for _, said := range []*string{m.Content, m.Refusal} {
			if said != nil {
				return *said, nil
			}
		}
		return "", errors.New("the server's chat completion has neither content nor refusal")
	}
}
