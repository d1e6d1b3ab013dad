package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"olmo/eval"
	"olmo/tokenizer"
)

// Model is a model of a server.
type Model struct {
	server *Server
	name   string
	served Served // nil where the server says nothing of it
	// Chat asks for texts as turns of a conversation, in the server's own form.
	Chat bool
	// Begin is the text that stands for the begin of text, where a server puts none before a
	// prompt itself; "" for none.
	Begin string
	// Tokenizer, if set, is the model's: the server is asked about ids, as a model that runs here
	// is, in either convention, and what does not fit is cut.
	Tokenizer *tokenizer.Tokenizer

	counting  sync.Mutex // of what follows
	counted   map[string]int
	encoding  sync.Mutex // of what follows
	ids       *eval.IDs
	echoes    bool       // the server has shown the probabilities of a prompt
	dialect   sync.Mutex // of what follows
	newTokens bool       // the server wants max_completion_tokens
}

var _ eval.Answerer = (*Model)(nil)

// Model is the server's model of a name; without one the only model that it has.
func (s *Server) Model(ctx context.Context, name string) (*Model, error) {
	all, err := s.Models(ctx)
	var r *refusal
	switch {
	case err == nil:
	case name != "" && errors.As(err, &r) && (r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed || r.status == http.StatusNotImplemented):
		// A list is not for every server to have.
	case name == "" && errors.As(err, &r):
		return nil, fmt.Errorf("asking the server for its models, for want of --model-name: %w", err)
	default:
		return nil, err
	}
	if name == "" {
		var names []string
		for _, m := range all {
			names = append(names, m.Name())
		}
		slices.Sort(names)
		switch len(names) {
		case 0:
			return nil, fmt.Errorf("%s: the server lists no model\nhint: --model-name", s.base.String())
		case 1:
			name = names[0]
		default:
			return nil, fmt.Errorf("%s has %d models: %s\nhint: --model-name says which", s.base.String(), len(names), strings.Join(names[:min(len(names), 20)], ", "))
		}
	}
	m := &Model{server: s, name: name}
	for _, x := range all {
		if x.Name() == name {
			m.served = x
		}
	}
	return m, nil
}

// Name is the model's name on its server.
func (m *Model) Name() string { return m.name }

// Identity is the model's name and what the server says of it, wherever the server is, and the
// form in which it is asked.
func (m *Model) Identity() (map[string]string, error) {
	served := maps.Clone(m.served)
	for _, k := range []string{"created", "permission"} { // of the list, not of the model
		delete(served, k)
	}
	said, err := json.Marshal(served)
	api := "completions"
	if m.Chat {
		api = "chat"
	}
	identity := map[string]string{"model": m.name, "served": string(said), "api": api, "begin": m.Begin}
	if m.Tokenizer != nil {
		identity["tokenizer"] = m.Tokenizer.Fingerprint()
	}
	return identity, err
}

// room is the most tokens of a request and its answer together, as vLLM tells it; many for who
// does not say.
func (m *Model) room() int {
	if n, ok := m.served["max_model_len"].(float64); ok && n > 2 {
		return int(n)
	}
	return 1 << 30
}

// encode encodes one request at a time, for want of more than one encoder.
func (m *Model) encode(f func(x *eval.IDs) error) error {
	m.encoding.Lock()
	defer m.encoding.Unlock()
	if m.ids == nil {
		// A prompt that is echoed takes one token more behind it.
		x, err := eval.NewIDs(m.Tokenizer, m.Begin, m.room()-2)
		if err != nil {
			return err
		}
		m.ids = x
	}
	return f(m.ids)
}

// Answer asks the server, several requests at a time.
func (m *Model) Answer(ctx context.Context, requests []eval.Request, o eval.AnswerOptions, each func(i int, a eval.Answer) error) error {
	first := -1 // whose probabilities show whether the server gives any
	if !m.echoes {
		first = slices.IndexFunc(requests, func(r eval.Request) bool { return r.Form != eval.Text })
	}
	if first >= 0 {
		a, err := m.one(ctx, &requests[first], o)
		if err != nil {
			return err
		}
		m.echoes = true
		if err := each(first, a); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var told sync.Mutex
	var workers sync.WaitGroup
	for range min(m.server.Concurrency, len(requests)) {
		workers.Go(func() {
			for i := range numbers {
				a, err := m.one(ctx, &requests[i], o)
				if err == nil {
					told.Lock()
					if ctx.Err() == nil { // nobody is told anything after an error
						err = each(i, a)
					}
					told.Unlock()
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range requests {
		if i == first {
			continue
		}
		select {
		case numbers <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(numbers)
	workers.Wait()
	return context.Cause(ctx)
}

// one answers one request.
func (m *Model) one(ctx context.Context, r *eval.Request, o eval.AnswerOptions) (eval.Answer, error) {
	if r.Form == eval.Text {
		return m.texts(ctx, r, o)
	}
	return m.likelihood(ctx, r, o)
}

// choice is one of a completion's.
type choice struct {
	Index    int       `json:"index"`
	Text     *string   `json:"text"`
	Message  *message  `json:"message"`
	Logprobs *logprobs `json:"logprobs"`
	Finish   string    `json:"finish_reason"`
}

// completion is the answer of completions and of chat completions.
type completion struct {
	Choices []choice `json:"choices"`
	Usage   struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	} `json:"usage"`
}

// complete asks for one choice.
func (m *Model) complete(ctx context.Context, path string, body map[string]any) (*completion, *choice, error) {
	body["model"] = m.name
	var c completion
	if err := m.server.ask(ctx, http.MethodPost, path, body, &c); err != nil {
		return nil, nil, err
	}
	if len(c.Choices) != 1 || c.Choices[0].Index != 0 {
		return nil, nil, fmt.Errorf("%s%s: the server answers with %d choices, want the one that was asked for", m.server.base.String(), path, len(c.Choices))
	}
	return &c, &c.Choices[0], nil
}
