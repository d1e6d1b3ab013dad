package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"olmo/generate"
	"olmo/lm"
)

// usage counts the tokens of a request.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	// Of the prompt's tokens those that were there already, and of the answer's those that were guessed and run ahead.
	PromptDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Accepted int `json:"accepted_prediction_tokens"`
		Rejected int `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

// choice is one of the answers that a request asks for.
type choice struct {
	index  int
	q      lm.Request
	answer lm.Answer
}

// odds are those of a token of the answer; nil where none were asked for.
func (c *choice) odds(i int) *generate.Odds {
	if c.answer.Odds == nil {
		return nil
	}
	return c.answer.Odds[i]
}

// choices makes n of a prompt's request: choice i has the seed of i alone.
func choices(q lm.Request, n, first int) []*choice {
	all := make([]*choice, n)
	for i := range all {
		all[i] = &choice{index: first + i, q: q}
		all[i].q.Sampling.Seed += uint64(i)
	}
	return all
}

// usageOf adds up what the choices took; a prompt counts once.
func usageOf(all []*choice, prompts int) *usage {
	u := &usage{}
	per := len(all) / max(prompts, 1)
	for i, c := range all {
		if i%per == 0 {
			u.Prompt += len(c.q.Prompt)
			u.PromptDetails.Cached += c.answer.Reused
		}
		u.CompletionDetails.Accepted += c.answer.Accepted
		u.CompletionDetails.Rejected += c.answer.Proposed - c.answer.Accepted
		u.Completion += made(c.answer)
	}
	u.Total = u.Prompt + u.Completion
	return u
}

// made are the tokens of an answer, with the one that ended it.
func made(a lm.Answer) int {
	n := len(a.IDs)
	if a.Stop >= 0 {
		n++
	}
	return n
}

// run writes the choices of a request, at most as many at once as there are places, of which leave gives the first
// one back. tell, if set, is told what comes of each: news while it is written, and done at its end. They are
// called by many goroutines.
func (s *Server) run(r *http.Request, m *served, all []*choice, leave func(), tell func(c *choice, n news), done func(c *choice)) *failure {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var mu sync.Mutex
	var first *failure
	fail := func(f *failure) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = f
			cancel()
		}
	}
	begin := time.Now()
	var group sync.WaitGroup
	for i, c := range all {
		if i > 0 {
			var problem *failure
			if leave, problem = s.further(ctx); problem != nil {
				fail(problem)
				break
			}
		}
		left := leave
		group.Go(func() {
			defer left()
			// A fault in one request ends that request alone.
			defer func() {
				if p := recover(); p != nil {
					s.o.Log.Error("an answer failed by a fault of the program", "request", visitOf(r).id, "fault", fmt.Sprint(p))
					fail(&failure{status: http.StatusInternalServerError, kind: "server_error", message: "a fault of the program; its log has it under " + visitOf(r).id})
				}
			}()
			c.q.Fresh = c.q.Fresh || len(s.keys) > 1 && !s.o.SharePrefixes
			var told time.Time
			each := func(n news) {
				if told.IsZero() {
					told = time.Now()
					s.metrics.first.observe(told.Sub(begin).Seconds())
				}
				if tell != nil {
					tell(c, n)
				}
			}
			a, err := m.write(ctx, c.q, each)
			if err != nil {
				if errors.Is(err, context.Canceled) {
					fail(&failure{status: 499, kind: "invalid_request_error", message: "the client has gone"})
				} else {
					fail(failureOf(err))
				}
				return
			}
			c.answer = a
			s.metrics.prompt.Add(int64(len(c.q.Prompt)))
			s.metrics.cached.Add(int64(a.Reused))
			s.metrics.written.Add(int64(made(a)))
			if n := made(a); n > 1 {
				s.metrics.token.observe(time.Since(told).Seconds() / float64(n-1))
			}
			if done != nil {
				done(c)
			}
		})
	}
	group.Wait()
	if first != nil {
		return first
	}
	v := visitOf(r)
	for _, c := range all {
		v.prompt, v.made, v.reason = v.prompt+len(c.q.Prompt), v.made+made(c.answer), c.answer.Reason
	}
	return nil
}

// mark returns the fingerprint of the model's answers.
func (m *served) mark() (string, *failure) {
	mark, err := m.fingerprint()
	if err != nil {
		return "", &failure{status: http.StatusInternalServerError, kind: "server_error", message: err.Error()}
	}
	return mark, nil
}
