package eval

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"olmo/chat"
	"olmo/data"
	evaldata "olmo/eval/data"
	"olmo/internal/journal"
)

// Plain are requests of a file of their own, without a task.
type Plain struct {
	rows     []json.RawMessage
	requests []Request
}

// plainRequest is a line of such a file.
type plainRequest struct {
	Context      *string  `json:"context"`
	Continuation *string  `json:"continuation"`
	Text         *string  `json:"text"`
	Until        []string `json:"until"`
	MaxTokens    *int     `json:"max_tokens"`
	Sampling
}

// defaultMaxTokens is how long a text may be whose request does not say it (lm-eval's
// max_gen_toks).
const defaultMaxTokens = 256

// ReadPlain reads a file of requests: {"context", "continuation"}, {"text"} or {"context",
// "until", "max_tokens"} a line.
func ReadPlain(path string) (*Plain, error) {
	p := &Plain{}
	for r, err := range evaldata.File(path).Rows() {
		if err != nil {
			return nil, err
		}
		var q plainRequest
		if err := json.Unmarshal(r.JSON, &q); err != nil {
			return nil, r.Bad(err)
		}
		request, err := q.request()
		if err != nil {
			return nil, r.Bad(err)
		}
		p.rows, p.requests = append(p.rows, r.JSON), append(p.requests, request)
	}
	if len(p.rows) == 0 {
		return nil, fmt.Errorf("%s holds no requests", path)
	}
	return p, nil
}

// PlainTexts are requests for what follows prompts.
func PlainTexts(prompts []string, maxTokens int) *Plain {
	p := &Plain{}
	for _, prompt := range prompts {
		p.requests = append(p.requests, Request{Form: Text, Context: prompt, MaxTokens: maxTokens})
	}
	return p
}

// Converse puts the contexts as turns of a conversation, each the user's.
func (p *Plain) Converse() {
	for i := range p.requests {
		if r := &p.requests[i]; r.Form != Rolling {
			r.Turns = []chat.Message{{Role: chat.User, Content: r.Context}}
		}
	}
}

func (q *plainRequest) request() (Request, error) {
	switch {
	case q.Text != nil:
		if q.Context != nil || q.Continuation != nil {
			return Request{}, fmt.Errorf("text stands beside context or continuation, want one or the other")
		}
		return Request{Form: Rolling, Continuation: *q.Text, Overlap: true}, nil
	case q.Context == nil:
		return Request{}, fmt.Errorf("the request has neither text nor context")
	case q.Continuation != nil:
		if q.Until != nil || q.MaxTokens != nil {
			return Request{}, fmt.Errorf("continuation stands beside until or max_tokens, want one or the other")
		}
		return Request{Context: *q.Context, Continuation: *q.Continuation}, nil
	}
	r := Request{Form: Text, Context: *q.Context, Until: q.Until, MaxTokens: defaultMaxTokens, Sampling: q.Sampling}
	if q.MaxTokens != nil {
		r.MaxTokens = *q.MaxTokens
	}
	if r.MaxTokens < 1 {
		return r, fmt.Errorf("max_tokens is %d, want 1 or more", r.MaxTokens)
	}
	return r, nil
}

// Answer asks the requests and writes each with its answer, in order.
func (p *Plain) Answer(ctx context.Context, a Answerer, o AnswerOptions, output string, progress func(Progress)) error {
	return p.Ask(ctx, a, o, output, progress, func(answers []Answer) error { return p.write(output, answers) })
}

// Ask asks the requests, and hands the answers to done, in order. What an earlier call for the
// same output has been told is not asked again, until done has made something of it.
func (p *Plain) Ask(ctx context.Context, a Answerer, o AnswerOptions, output string, progress func(Progress), done func([]Answer) error) error {
	identity, err := a.Identity()
	if err != nil {
		return err
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode([]any{identity, o.Boundary, o.Tokens, p.requests}); err != nil {
		return err
	}
	j, kept, err := journal.Open[Answer](output, hexSum(h))
	if err != nil {
		return err
	}
	now := Progress{Job: "requests", Total: len(p.requests), Done: len(kept)}
	progress(now)
	w := &wave{ask: func(w *wave) error {
		return a.Answer(ctx, w.requests, o, func(i int, x Answer) error {
			kept[w.numbers[i]] = x
			now.Done++
			progress(now)
			return j.Add(w.numbers[i], x)
		})
	}}
	for i, r := range p.requests {
		if _, ok := kept[i]; !ok {
			w.add(r, i, i)
		}
		if w.full() {
			if err = w.flush(); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		answers := make([]Answer, len(p.requests))
		for i := range answers {
			answers[i] = kept[i]
		}
		err = done(answers)
	}
	if err != nil {
		return cmp.Or(err, j.Keep())
	}
	j.End()
	return nil
}

// write writes the rows with their answers' members added.
func (p *Plain) write(output string, answers []Answer) error {
	w, err := data.CreateWriter(output)
	if err != nil {
		return err
	}
	defer w.Abort()
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i, row := range p.rows {
		rest := map[string]json.RawMessage{}
		if err := json.Unmarshal(row, &rest); err != nil {
			return err
		}
		fields := map[string]any{}
		for name, v := range rest {
			fields[name] = v
		}
		a := answers[i]
		fields["num_tokens"] = a.Tokens
		if p.requests[i].Form == Text {
			fields["response"] = a.Response()
		} else {
			fields["logprob"] = a.Logprob
			if p.requests[i].Form == Continuation {
				fields["greedy"] = a.Greedy
			}
			if a.Each != nil {
				fields["token_logprobs"] = a.Each
			}
		}
		if a.Truncated {
			fields["truncated"] = true
		}
		if err := e.Encode(fields); err != nil {
			return err
		}
	}
	return w.Close()
}
