// Package serve answers the HTTP API of OpenAI with models of this machine, and says the same to everyone: an answer
// is a function of weights, request and seed, whoever else asks at the same time.
package serve

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"olmo/internal/loopback"
	"olmo/lm"
)

// Options say how a Server answers; zero values take defaults.
type Options struct {
	Parallel int   // answers that are written at once; 32
	Queue    int   // requests that may wait for a place; below 0: none
	MaxBody  int64 // bytes of a request; 32 MB
	// Keys let in who has one of them; none: everyone.
	Keys []Key
	// Hosts are names under which the server may be asked beside this machine's own. A server of Local takes
	// no others, so that no page of a stranger can reach it by a name of its own (DNS rebinding).
	Hosts []string
	Local bool // only this machine reaches it
	// Origins are pages elsewhere that may ask.
	Origins []string
	// SharePrefixes lets what one key's request has computed serve another's. Time tells it.
	SharePrefixes bool
	// Strict refuses fields that are not known, in place of naming them in a header of the answer.
	Strict bool
	// Log gets a line of each request; nil: nobody does.
	Log *slog.Logger
	// Version is that of the program.
	Version string
}

// Key is what a client shows, and the name by which the log knows it.
type Key struct{ Name, Secret string }

// Server is a http.Handler over models.
type Server struct {
	o               Options
	keys            [][sha256.Size]byte
	models          []*served
	places          chan struct{}
	waiting         atomic.Int64
	metrics         metrics
	routes          *http.ServeMux
	ready, draining atomic.Bool
}

// New makes a server without models.
func New(o Options) *Server {
	if o.Parallel <= 0 {
		o.Parallel = 32
	}
	if o.Queue == 0 {
		o.Queue = 256
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 32 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, places: make(chan struct{}, o.Parallel)}
	for _, k := range o.Keys {
		s.keys = append(s.keys, sha256.Sum256([]byte(k.Secret)))
	}
	s.routes = http.NewServeMux()
	for path, answer := range map[string]func(w http.ResponseWriter, r *http.Request) *failure{
		"GET /models": s.listModels, "GET /models/{id...}": s.showModel,
		"POST /chat/completions": s.answerChat, "POST /completions": s.answerCompletion,
		"POST /embeddings": s.answerEmbeddings, "POST /tokenize": s.tokenize, "POST /detokenize": s.detokenize, "POST /apply-template": s.applyTemplate,
		"GET /health": s.health, "GET /version": s.version, "GET /metrics": s.showMetrics,
	} {
		method, path, _ := strings.Cut(path, " ")
		for _, prefix := range []string{"", "/v1"} {
			s.routes.Handle(method+" "+prefix+path, handler{s, path, answer})
			s.routes.Handle(prefix+path, handler{s, path, func(w http.ResponseWriter, r *http.Request) *failure {
				w.Header().Set("Allow", method)
				return &failure{status: http.StatusMethodNotAllowed, kind: "invalid_request_error", message: fmt.Sprintf("%s is asked by %s, not by %s", r.URL.Path, method, r.Method)}
			}})
		}
	}
	s.routes.Handle("/", handler{s, "other", func(_ http.ResponseWriter, r *http.Request) *failure {
		message := fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path)
		if use := elsewhere[strings.TrimPrefix(r.URL.Path, "/v1")]; use != "" {
			message += "; use " + use
		}
		return &failure{status: http.StatusNotFound, kind: "invalid_request_error", code: "unknown_url", message: message}
	}})
	return s
}

// elsewhere names what to ask in place of an endpoint that other servers have.
var elsewhere = map[string]string{
	"/completion": "/v1/completions", "/infill": "/v1/completions", "/props": "/v1/models", "/slots": "/metrics",
	"/api/generate": "/v1/completions", "/api/chat": "/v1/chat/completions", "/api/tags": "/v1/models", "/generate": "/v1/completions",
}

// Add lets requests ask a model under a name. The model is not closed by the server.
func (s *Server) Add(name string, m *lm.Model) error {
	if slices.ContainsFunc(s.models, func(x *served) bool { return x.name == name }) {
		return fmt.Errorf("two models have the name %s\nhint: --model NAME=PATH gives one another name", name)
	}
	x, err := newServed(name, m)
	if err == nil {
		s.models = append(s.models, x)
	}
	return err
}

// Ready says that all models are there.
func (s *Server) Ready() { s.ready.Store(true) }

// Drain takes no requests any more but those for health.
func (s *Server) Drain() { s.draining.Store(true) }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// handler answers the requests of one endpoint.
type handler struct {
	server   *Server
	endpoint string
	answer   func(w http.ResponseWriter, r *http.Request) *failure
}

// visit is what is known of a request while it is answered.
type visit struct {
	endpoint     string
	key          string
	id           string
	model        string
	reason       string
	prompt, made int
}

type visitKey struct{}

// of is the visit of a request.
func visitOf(r *http.Request) *visit { return r.Context().Value(visitKey{}).(*visit) }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, begin := h.server, time.Now()
	v := &visit{endpoint: h.endpoint, id: requestID(r)}
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	to := &counted{ResponseWriter: w, status: http.StatusOK}
	to.Header().Set("X-Request-Id", v.id)
	to.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.o.Log.Error("a request failed by a fault of the program", "request", v.id, "fault", fmt.Sprint(p), "stack", string(debug.Stack()))
			if !to.begun {
				(&failure{status: http.StatusInternalServerError, kind: "server_error", message: "a fault of the program; its log has it under " + v.id}).write(to)
			}
			to.status = http.StatusInternalServerError
		}
		if r.Context().Err() != nil && v.reason == "" {
			v.reason = "gone"
		}
		s.metrics.request(v, to.status, time.Since(begin))
		s.o.Log.Info("request", "request", v.id, "method", r.Method, "path", r.URL.Path, "status", to.status, "key", v.key, "model", v.model,
			"prompt_tokens", v.prompt, "completion_tokens", v.made, "finish_reason", v.reason, "seconds", time.Since(begin).Seconds())
	}()
	problem := s.admit(to, r, v)
	if problem == nil && r.Method == http.MethodOptions {
		to.WriteHeader(http.StatusNoContent)
		return
	}
	if problem == nil {
		problem = h.answer(to, r)
	}
	if problem != nil {
		problem.write(to)
	}
}

// requestID is the client's own name of a request, if it can stand in a log, or a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	plain := func(c rune) bool { return c > ' ' && c < 0x7f }
	if id != "" && len(id) <= 128 && strings.IndexFunc(id, func(c rune) bool { return !plain(c) }) < 0 {
		return id
	}
	return newID("req_")
}

// newID is a name that nobody can guess.
func newID(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}

// admit refuses who may not ask.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, v *visit) *failure {
	forbidden := func(what, name string) *failure {
		return &failure{status: http.StatusForbidden, kind: "invalid_request_error", message: fmt.Sprintf("the %s is %.100q, which is not this server's; --allowed-host lets a name in", what, name)}
	}
	if host := hostOf(r.Host); (s.o.Local || len(s.o.Hosts) > 0) && !loopback.Is(host) && !slices.Contains(s.o.Hosts, host) {
		return forbidden("host", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		known := slices.Contains(s.o.Origins, origin)
		own := err == nil && u.Host != "" && (loopback.Is(u.Hostname()) || slices.Contains(s.o.Hosts, u.Hostname()) || u.Host == r.Host)
		if !known && !own {
			return forbidden("origin", origin)
		}
		head := w.Header()
		head.Set("Access-Control-Allow-Origin", origin)
		head.Add("Vary", "Origin")
		head.Set("Access-Control-Expose-Headers", "X-Request-Id, X-Olmo-Ignored")
		if r.Method == http.MethodOptions {
			head.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
			head.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Id")
			head.Set("Access-Control-Max-Age", "600")
			return nil // it carries no key
		}
	}
	if len(s.keys) > 0 && v.endpoint != "/health" {
		secret, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if secret == "" {
			secret = r.Header.Get("X-Api-Key")
		}
		sum, found := sha256.Sum256([]byte(secret)), -1
		for i := range s.keys {
			if subtle.ConstantTimeCompare(sum[:], s.keys[i][:]) == 1 {
				found = i
			}
		}
		if found < 0 {
			return &failure{status: http.StatusUnauthorized, kind: "authentication_error", code: "invalid_api_key", message: "the request has no key that is let in: it is due as Authorization: Bearer KEY"}
		}
		v.key = s.o.Keys[found].Name
	}
	return nil
}

func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.Trim(host, "[]")
}

// counted keeps the status of an answer, and whether it has begun.
type counted struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (c *counted) WriteHeader(status int) {
	if !c.begun {
		c.status, c.begun = status, true
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	c.begun = true
	return c.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// model returns the model that a request names, or the only one.
func (s *Server) model(f *fields) (*served, *failure) {
	name := ""
	f.text("model", &name)
	if f.failed != nil {
		return nil, f.failed
	}
	return s.named(name)
}

func (s *Server) named(name string) (*served, *failure) {
	if !s.ready.Load() || s.draining.Load() {
		return nil, &failure{status: http.StatusServiceUnavailable, kind: "server_error", message: "the server is loading its models, or about to end", after: 1}
	}
	if name == "" && len(s.models) == 1 {
		return s.models[0], nil
	}
	var names []string
	for _, m := range s.models {
		if m.name == name {
			return m, nil
		}
		names = append(names, m.name)
	}
	if name == "" {
		return nil, bad("model", "there are several models, and the request names none: %s", strings.Join(names, ", "))
	}
	return nil, &failure{status: http.StatusNotFound, kind: "invalid_request_error", code: "model_not_found", param: "model", message: fmt.Sprintf("there is no model %.100q: there is %s", name, strings.Join(names, ", "))}
}

// begin finds the model of a request and reads its body.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) (*fields, *served, *failure) {
	f, problem := readFields(w, r, s.o.MaxBody)
	if problem != nil {
		return nil, nil, problem
	}
	m, problem := s.model(f)
	if problem == nil {
		visitOf(r).model = m.name
	}
	return f, m, problem
}

// finish reports the first field that is wrong, and names those that are not known.
func (s *Server) finish(w http.ResponseWriter, f *fields) *failure {
	if f.failed != nil {
		return f.failed
	}
	if names := f.unknown(); len(names) > 0 {
		if s.o.Strict {
			return bad(names[0], "%.100q is no field that is known here", names[0])
		}
		for i, name := range names {
			names[i] = url.QueryEscape(name)
		}
		w.Header().Set("X-Olmo-Ignored", strings.Join(names[:min(len(names), 32)], ", "))
	}
	return nil
}

// place waits for one of the places in which answers are written, in the queue. leave gives it back.
func (s *Server) place(ctx context.Context) (leave func(), problem *failure) {
	select {
	case s.places <- struct{}{}:
		return s.taken(), nil
	default:
	}
	if s.waiting.Add(1) > int64(max(s.o.Queue, 0)) {
		s.waiting.Add(-1)
		return nil, &failure{
			status: http.StatusTooManyRequests, kind: "rate_limit_error", code: "queue_full", after: s.metrics.retryAfter(),
			message: fmt.Sprintf("%d answers are being written and %d requests wait, as many as there may", s.o.Parallel, max(s.o.Queue, 0)),
		}
	}
	begin := time.Now()
	leave, problem = s.further(ctx)
	s.waiting.Add(-1)
	s.metrics.queue.observe(time.Since(begin).Seconds())
	return leave, problem
}

// further waits for a place of a request that has one, and is in no queue.
func (s *Server) further(ctx context.Context) (leave func(), problem *failure) {
	select {
	case s.places <- struct{}{}:
		return s.taken(), nil
	case <-ctx.Done():
		return nil, &failure{status: 499, kind: "invalid_request_error", message: "the client has gone"}
	}
}

// taken counts a place that is taken, until it is given back.
func (s *Server) taken() (leave func()) {
	s.metrics.running.Add(1)
	return func() {
		s.metrics.running.Add(-1)
		<-s.places
	}
}
