package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"olmo/chat"
	"olmo/generate"
)

// chatCompletion is the answer of POST /chat/completions, or a piece of it.
type chatCompletion struct {
	ID          string       `json:"id"`
	Object      string       `json:"object"`
	Created     int64        `json:"created"`
	Model       string       `json:"model"`
	Fingerprint string       `json:"system_fingerprint"`
	Seed        uint64       `json:"seed"`
	PromptIDs   []int32      `json:"prompt_token_ids,omitempty"`
	Choices     []chatChoice `json:"choices"`
	Usage       *usage       `json:"usage,omitempty"`
}

type chatChoice struct {
	Index    int           `json:"index"`
	Message  *chatMessage  `json:"message,omitempty"`
	Delta    *chatDelta    `json:"delta,omitempty"`
	Logprobs *chatLogprobs `json:"logprobs"`
	Reason   *string       `json:"finish_reason"`
	TokenIDs []int32       `json:"token_ids,omitempty"`
}

type chatMessage struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

type chatDelta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type chatLogprobs struct {
	Content []chatToken `json:"content"`
	Refusal *string     `json:"refusal"`
}

type chatToken struct {
	Token   string      `json:"token"`
	Logprob float64     `json:"logprob"`
	Bytes   []int       `json:"bytes"`
	Top     []chatToken `json:"top_logprobs,omitempty"`
}

// add appends a token with those beside it.
func (l *chatLogprobs) add(m *served, id int32, logprob float64, odds *generate.Odds) {
	t := chatToken{Logprob: logprob}
	t.Token, t.Bytes = m.token(id)
	if odds != nil {
		for _, a := range odds.Top {
			x := chatToken{Logprob: a.Logprob}
			x.Token, x.Bytes = m.token(a.ID)
			t.Top = append(t.Top, x)
		}
	}
	l.Content = append(l.Content, t)
}

// mostMessages bounds a conversation.
const mostMessages = 4096

// conversation reads the field messages.
func (m *served) conversation(f *fields) (messages []chat.Message) {
	var raw []map[string]json.RawMessage
	if !f.to("messages", &raw, "a list of messages") {
		f.fail(bad("messages", "the request has no messages"))
		return nil
	}
	if len(raw) == 0 || len(raw) > mostMessages {
		f.fail(bad("messages", "there are %d messages, it must be 1 to %d", len(raw), mostMessages))
		return nil
	}
	for i, members := range raw {
		at := fmt.Sprintf("messages.%d", i)
		in := &fields{members: members, read: map[string]bool{}}
		var x chat.Message
		in.text("role", &x.Role)
		switch x.Role {
		case chat.System, chat.User, chat.Assistant:
		case "developer":
			x.Role = chat.System
		case "tool", "function":
			in.fail(bad("role", "the role is %q, and this server has no tools yet", x.Role))
		default:
			in.fail(bad("role", "the role is %.40q, it must be system, developer, user or assistant", x.Role))
		}
		x.Content = m.content(in)
		for _, name := range []string{"tool_calls", "function_call", "audio"} {
			in.refuse(name, "this server has no such parts of messages")
		}
		if in.failed != nil {
			problem := *in.failed
			problem.param = at + "." + problem.param
			problem.message = fmt.Sprintf("message %d: %s", i, problem.message)
			f.fail(&problem)
			return nil
		}
		messages = append(messages, x)
	}
	return messages
}

// content reads what a message says: a text, or parts that are texts.
func (m *served) content(f *fields) string {
	text := f.get("content")
	var one string
	if text == nil {
		f.fail(bad("content", "it has no content"))
		return ""
	}
	if json.Unmarshal(text, &one) == nil {
		return one
	}
	var parts []struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	if !f.to("content", &parts, "a text, or a list of parts that are texts") {
		return ""
	}
	var texts []string
	for i, p := range parts {
		if p.Type != "text" || p.Text == nil {
			f.fail(bad(fmt.Sprintf("content.%d", i), "part %d of the content has the type %.40q, and this model reads text alone", i, p.Type))
			return ""
		}
		texts = append(texts, *p.Text)
	}
	return strings.Join(texts, "\n")
}

// promptOf turns a conversation into ids. What a message says never comes to special tokens: it cannot end its own
// turn. The template's own text does.
func (m *served) promptOf(messages []chat.Message) ([]int32, error) {
	// The texts of special tokens within messages are broken by a mark, at which what the template made is cut.
	mark := m.unused(messages)
	guarded := slices.Clone(messages)
	for i := range guarded {
		guarded[i].Content = m.guard(guarded[i].Content, mark)
	}
	text, err := m.format.Prompt(guarded)
	if err != nil {
		return nil, err
	}
	var ids []int32
	for i, part := range strings.Split(text, mark) {
		if _, ok := m.format.(*chat.Template); !ok && i == 0 {
			ids, err = m.lm.Encode(part) // with the special tokens around a text, which a template writes itself
		} else {
			ids, err = m.lm.Tokenizer.AppendEncode(ids, part)
		}
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// unused is a character that is nowhere in a conversation.
func (m *served) unused(messages []chat.Message) string {
	for c := rune(0xF0000); ; c++ { // of private use
		if !slices.ContainsFunc(messages, func(x chat.Message) bool { return strings.ContainsRune(x.Content, c) }) {
			return string(c)
		}
	}
}

// guard puts a mark behind the first character of each text of a special token.
func (m *served) guard(content, mark string) string {
	for _, t := range m.breaks {
		_, n := utf8.DecodeRuneInString(t)
		content = strings.ReplaceAll(content, t, t[:n]+mark+t[n:])
	}
	return content
}

// answerChat is POST /chat/completions.
func (s *Server) answerChat(w http.ResponseWriter, r *http.Request) *failure {
	f, m, problem := s.begin(w, r)
	if problem != nil {
		return problem
	}
	if m.lm.Tokenizer == nil {
		return bad("model", "the model %s has no tokenizer, and answers no conversations; /v1/completions takes ids", m.name)
	}
	messages := m.conversation(f)
	how := m.settings(f)
	logprobs, top := false, 0
	f.flag("logprobs", &logprobs)
	if f.whole("top_logprobs", &top, 0, mostTop) && !logprobs {
		f.fail(bad("top_logprobs", "top_logprobs has no effect without logprobs: true"))
	}
	most := -1
	if f.whole("max_completion_tokens", &most, 0, 1<<31-1) {
		if how.maxTokens >= 0 && how.maxTokens != most {
			f.fail(bad("max_completion_tokens", "max_tokens is %d and max_completion_tokens %d: one of them is due", how.maxTokens, most))
		}
		how.maxTokens = most
	}
	f.refuse("chat_template", "templates are those of the model alone")
	for _, name := range []string{"tools", "functions", "tool_choice", "function_call"} {
		if text := f.get(name); text != nil && string(text) != `"none"` && string(text) != "[]" {
			f.refuse(name, "this server has no tools yet")
		}
	}
	for _, name := range []string{"audio", "web_search_options", "reasoning_effort", "chat_template_kwargs", "moderation"} {
		f.refuse(name, "this server does not have it")
	}
	var modalities []string
	if f.to("modalities", &modalities, "a list of names") && slices.ContainsFunc(modalities, func(x string) bool { return x != "text" }) {
		f.fail(bad("modalities", "modalities can have text alone"))
	}
	open := len(messages) > 0 && messages[len(messages)-1].Role == chat.Assistant
	prompt, continued := true, false
	if f.flag("continue_final_message", &continued) && continued != open {
		f.fail(bad("continue_final_message", "continue_final_message is %v, and an answer goes on exactly where the last message is the assistant's", continued))
	}
	if f.flag("add_generation_prompt", &prompt) && prompt == open {
		f.fail(bad("add_generation_prompt", "add_generation_prompt is %v, and an answer is begun exactly where the last message is not the assistant's", prompt))
	}
	if problem := s.finish(w, f); problem != nil {
		return problem
	}
	q := how.request
	var err error
	if q.Prompt, err = m.promptOf(messages); err != nil {
		return bad("messages", "%v", err)
	}
	if q.Form == nil { // which ends the answer itself
		q.StopTexts = slices.Concat(q.StopTexts, m.format.Stops())
	}
	if logprobs {
		q.TopLogprobs = top
	}
	if q.MaxTokens, problem = m.room(how, len(q.Prompt), -1); problem != nil {
		if problem.param == "prompt" {
			problem.param = "messages"
		}
		return problem
	}
	mark, problem := m.mark()
	if problem != nil {
		return problem
	}
	all := choices(q, how.choices, 0)
	head := chatCompletion{ID: newID("chatcmpl-"), Object: "chat.completion", Created: time.Now().Unix(), Model: m.name, Fingerprint: mark, Seed: q.Sampling.Seed}
	if how.ids {
		head.PromptIDs = q.Prompt
	}
	leave, problem := s.place(r.Context())
	if problem != nil {
		return problem
	}
	if how.stream {
		m.streamChat(s, w, r, head, how, all, leave, logprobs)
		return nil
	}
	if problem := s.run(r, m, all, leave, nil, nil); problem != nil {
		return problem
	}
	head.Usage = usageOf(all, 1)
	for _, c := range all {
		reason := c.answer.Reason
		x := chatChoice{Index: c.index, Message: &chatMessage{Role: chat.Assistant, Content: c.answer.Text}, Reason: &reason}
		if logprobs {
			x.Logprobs = &chatLogprobs{Content: []chatToken{}}
			for i, id := range c.answer.IDs {
				x.Logprobs.add(m, id, c.answer.Logprobs[i], c.odds(i))
			}
		}
		if how.ids {
			x.TokenIDs = c.answer.IDs
		}
		head.Choices = append(head.Choices, x)
	}
	writeJSON(w, http.StatusOK, head)
	return nil
}

// streamChat writes answers as they come.
func (m *served) streamChat(s *Server, w http.ResponseWriter, r *http.Request, head chatCompletion, how *settings, all []*choice, leave func(), logprobs bool) {
	head.Object = "chat.completion.chunk"
	out := newStream(w)
	piece := func(c chatChoice) {
		p := head
		p.Choices = []chatChoice{c}
		out.send(p)
	}
	for _, c := range all {
		empty := ""
		piece(chatChoice{Index: c.index, Delta: &chatDelta{Role: chat.Assistant, Content: &empty}})
	}
	head.PromptIDs = nil // once is enough
	out.run(func() *failure {
		problem := s.run(r, m, all, leave, func(c *choice, n news) {
			x := chatChoice{Index: c.index, Delta: &chatDelta{}}
			if n.text != "" {
				x.Delta.Content = &n.text
			}
			if logprobs && len(n.events) > 0 {
				x.Logprobs = &chatLogprobs{}
			}
			for _, v := range n.events {
				if logprobs {
					x.Logprobs.add(m, v.ID, v.Logprob, v.Odds)
				}
				if how.ids {
					x.TokenIDs = append(x.TokenIDs, v.ID)
				}
			}
			if n.text != "" || x.Logprobs != nil || x.TokenIDs != nil {
				piece(x)
			}
		}, func(c *choice) {
			reason := c.answer.Reason
			piece(chatChoice{Index: c.index, Delta: &chatDelta{}, Reason: &reason})
		})
		if problem == nil && how.usage {
			last := head
			last.Choices, last.Usage = []chatChoice{}, usageOf(all, 1)
			out.send(last)
		}
		return problem
	})
}
