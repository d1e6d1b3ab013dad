// Package endpointtest imitates servers of OpenAI's API as they differ: vLLM, llama-server, and
// OpenAI's own chat. What its model says is a function of the text alone.
package endpointtest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Kind is the server that is imitated.
type Kind string

// The kinds of servers.
const (
	VLLM  Kind = "vllm"   // echoes; a begin of text stands before each prompt and counts in offsets
	Plain Kind = "plain"  // echoes, without a begin of text
	Bare  Kind = "sglang" // the same as Plain, with offsets of -1
	Piece Kind = "piece"  // the same as VLLM, of SentencePiece: a token alone does not show its space
	Llama Kind = "llama"  // ignores echo
	Chat  Kind = "openai" // has chat completions alone, and wants max_completion_tokens
)

// Server is a server that runs.
type Server struct {
	*httptest.Server
	Kind   Kind
	Models []string
	// Positions are the most tokens of a request of ids and its answer.
	Positions int
	// Logprobs, if set, are those of a request of ids from the second on, in place of Logprob's.
	Logprobs func(ids []int32) []float64
	// Before, if set, sees each request first, with its number from 1; true: it has answered.
	Before func(n int, w http.ResponseWriter, r *http.Request) bool

	mutex  sync.Mutex
	bodies []map[string]any
	paths  []string
}

// Start runs a server.
func Start(kind Kind, models ...string) *Server {
	s := &Server{Kind: kind, Models: models, Positions: 2048}
	s.Server = httptest.NewServer(s)
	return s
}

// Asked are the bodies of the requests to a path, such as /v1/completions.
func (s *Server) Asked(path string) (bodies []map[string]any) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for i, p := range s.paths {
		if p == path {
			bodies = append(bodies, s.bodies[i])
		}
	}
	return bodies
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{}
	_ = json.NewDecoder(r.Body).Decode(&body)
	s.mutex.Lock()
	s.paths, s.bodies = append(s.paths, r.URL.Path), append(s.bodies, body)
	n := len(s.paths)
	s.mutex.Unlock()
	if s.Before != nil && s.Before(n, w, r) {
		return
	}
	switch r.URL.Path {
	case "/v1/models":
		var data []any
		for _, m := range s.Models {
			data = append(data, map[string]any{"id": m, "object": "model", "created": n, "max_model_len": s.Positions})
		}
		reply(w, map[string]any{"object": "list", "data": data})
	case "/v1/completions":
		if s.Kind == Chat {
			Refuse(w, http.StatusNotFound, "This is a chat model and not supported in the v1/completions endpoint.")
			return
		}
		s.complete(w, body)
	case "/v1/chat/completions":
		s.chat(w, body)
	default:
		Refuse(w, http.StatusNotFound, "Not Found")
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Refuse answers with an error as OpenAI does.
func Refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	reply(w, map[string]any{"error": map[string]any{"message": message, "type": "error", "code": nil}})
}

var word = regexp.MustCompile(` ?[A-Za-z]+|[^\x00-\x7f]|(?s:.)`)

// Tokens are a text's. A character beyond 16 bits is two of them, neither of which is text.
func Tokens(text string) (tokens []string) {
	for _, t := range word.FindAllString(text, -1) {
		if r, _ := utf8.DecodeRuneInString(t); r > 0xffff {
			tokens = append(tokens, "\ufffd", "\ufffd")
		} else {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

func sum(parts ...string) uint32 {
	h := fnv.New32a()
	for _, p := range parts {
		fmt.Fprintf(h, "%s\x00", p)
	}
	return h.Sum32()
}

// Logprob is the log-probability of tokens[i] behind those before it, and whether it is the
// model's first choice.
func Logprob(tokens []string, i int) (nats float64, greedy bool) {
	h := sum(tokens[:i+1]...)
	return -float64(h%4096) / 512, h>>16%3 != 0
}

// Answer is what the model writes after a prompt.
func Answer(prompt string, seed float64) string {
	return fmt.Sprintf(" So it is %d.\n\nQuestion: and", sum(prompt, fmt.Sprint(seed))%10)
}

func (s *Server) complete(w http.ResponseWriter, body map[string]any) {
	prompt, _ := body["prompt"].(string)
	tokens := Tokens(prompt)
	if list, ok := body["prompt"].([]any); ok {
		prompt, tokens = fmt.Sprint(list...), nil
		var ids []int32
		for _, id := range list {
			tokens, ids = append(tokens, fmt.Sprintf("#%v", id)), append(ids, int32(id.(float64)))
		}
		if most, _ := body["max_tokens"].(float64); len(ids)+int(most) > s.Positions {
			Refuse(w, http.StatusBadRequest, fmt.Sprintf("This model's maximum context length is %d tokens.", s.Positions))
			return
		}
		s.given(w, body, prompt, tokens, ids)
		return
	}
	if s.Kind == VLLM || s.Kind == Piece {
		tokens = append([]string{"<s>"}, tokens...)
	}
	s.given(w, body, prompt, tokens, nil)
}

// given completes a prompt of tokens, or of ids.
func (s *Server) given(w http.ResponseWriter, body map[string]any, prompt string, tokens []string, ids []int32) {
	answer, given := s.cut(body, prompt), len(tokens)
	choice := map[string]any{"index": 0, "text": answer, "finish_reason": "stop", "logprobs": nil}
	if body["logprobs"] != nil {
		switch {
		case s.Kind == Llama:
			choice["logprobs"] = map[string]any{"content": []any{map[string]any{"token": " So", "logprob": -1, "top_logprobs": []any{}}}}
		case body["echo"] == true:
			tokens = append(tokens, " So")
			choice["text"] = prompt + " So"
			logprobs := echo(tokens)
			if ids != nil && s.Logprobs != nil {
				for i, x := range s.Logprobs(ids) {
					logprobs["token_logprobs"].([]any)[i+1], logprobs["top_logprobs"].([]any)[i+1] = x, map[string]any{"": x}
				}
			}
			switch s.Kind {
			case Piece:
				strip(logprobs)
			case Bare:
				logprobs["text_offset"] = slices.Repeat([]int{-1}, len(tokens))
			}
			choice["logprobs"] = logprobs
		}
	}
	reply(w, map[string]any{"id": "cmpl-1", "object": "text_completion", "model": body["model"], "choices": []any{choice}, "usage": map[string]any{
		"prompt_tokens": given, "completion_tokens": max(1, len(tokens)-given), "total_tokens": 0,
	}})
}

func echo(tokens []string) map[string]any {
	var nats, top []any
	var offsets []int
	at := 0
	for i, t := range tokens {
		offsets = append(offsets, at)
		at += utf8.RuneCountInString(t)
		if i == 0 {
			nats, top = append(nats, nil), append(top, nil)
			continue
		}
		x, greedy := Logprob(tokens, i)
		best := map[string]any{t: x}
		if !greedy {
			best["☆"] = x + 0.125
		}
		nats, top = append(nats, x), append(top, best)
	}
	return map[string]any{"tokens": tokens, "token_logprobs": nats, "top_logprobs": top, "text_offset": offsets}
}

// strip leaves the spaces out of tokens, and counts offsets without them.
func strip(logprobs map[string]any) {
	tokens, offsets, at := logprobs["tokens"].([]string), logprobs["text_offset"].([]int), 0
	for i, t := range tokens {
		tokens[i], offsets[i] = strings.TrimPrefix(t, " "), at
		at += utf8.RuneCountInString(tokens[i])
	}
}

// cut is the answer, ended before a stop.
func (s *Server) cut(body map[string]any, prompt string) string {
	seed, _ := body["seed"].(float64)
	text := Answer(prompt, seed)
	stops, _ := body["stop"].([]any)
	for _, x := range stops {
		text, _, _ = strings.Cut(text, x.(string))
	}
	return text
}

func (s *Server) chat(w http.ResponseWriter, body map[string]any) {
	for _, name := range []string{"max_tokens", "top_k", "add_generation_prompt"} {
		if s.Kind == Chat && body[name] != nil {
			Refuse(w, http.StatusBadRequest, fmt.Sprintf("Unsupported parameter: '%s' is not supported with this model. Use 'max_completion_tokens' instead.", name))
			return
		}
	}
	prompt := ""
	messages, _ := body["messages"].([]any)
	for _, m := range messages {
		turn, _ := m.(map[string]any)
		prompt += fmt.Sprintf("%v: %v\n", turn["role"], turn["content"])
	}
	message := map[string]any{"role": "assistant", "content": s.cut(body, prompt)}
	if strings.Contains(prompt, "think") {
		message["reasoning_content"] = "Let me see."
	}
	reply(w, map[string]any{"id": "chatcmpl-1", "object": "chat.completion", "model": body["model"], "choices": []any{map[string]any{
		"index": 0, "message": message, "finish_reason": "stop",
	}}, "usage": map[string]any{"prompt_tokens": 5, "completion_tokens": 7}})
}
