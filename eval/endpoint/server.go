// Package endpoint asks models on servers that speak OpenAI's API: completions whose prompt is
// echoed with its log-probabilities, completions, and chat completions.
package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"olmo/internal/loopback"
	"olmo/internal/pyjson"
)

// Options say how a server is talked to; zero values take defaults.
type Options struct {
	Key         string        // sent to this server alone, as the bearer of requests
	Concurrency int           // requests at a time; 8
	Timeout     time.Duration // of one request, its answer included; 10 minutes
	Pause       time.Duration // before the second attempt, doubled for each further one; half a second
	Warn        func(string)  // what the user should know
}

const (
	attempts     = 8                // of a request whose failure may pass
	slowAttempts = 2                // of one that takes longer than the timeout
	longestPause = 10 * time.Minute // that a server may ask for
	maxAnswer    = 256 << 20        // bytes of an answer
)

// Server is an address with the way to talk to it. It may be used by several goroutines.
type Server struct {
	Options
	base   url.URL
	client http.Client
	spoke  atomic.Bool // it has answered before: a broken connection may pass
	warned sync.Map    // what was said already
}

// IsAddress reports whether a model's name is a server's address.
func IsAddress(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// New is a server by the address of its API, such as http://localhost:8000/v1.
func New(address string, o Options) (*Server, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the address of the model: %w", err)
	case !IsAddress(address) || u.Host == "":
		return nil, fmt.Errorf("the address %s has no host\nhint: http://HOST:PORT/v1", address)
	case u.User != nil:
		return nil, fmt.Errorf("the address %s holds a name or password, which would stand in the results\nhint: a key belongs in OPENAI_API_KEY", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address %s goes on behind its path\nhint: http://HOST:PORT/v1", address)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Pause == 0 {
		o.Pause = time.Second / 2
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = o.Concurrency
	s := &Server{Options: o, base: *u, client: http.Client{
		Transport: transport,
		// A redirect would lead prompts and key to another address than the user's.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if u.Scheme == "http" && !loopback.Is(u.Hostname()) {
		what := "the prompts and answers"
		if o.Key != "" {
			what = "the key, the prompts and the answers"
		}
		s.warn(fmt.Sprintf("%s is not encrypted: who sits on the way can read %s", u.Host, what))
	}
	return s, nil
}

// warn says a text once.
func (s *Server) warn(text string) {
	if _, again := s.warned.LoadOrStore(text, true); !again && s.Warn != nil {
		s.Warn(text)
	}
}

// refusal is a status that says no.
type refusal struct {
	status  int
	message string // the server's own words
	code    string // the same, for programs
	after   time.Duration
}

func (r *refusal) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("the server answers %d %s", r.status, http.StatusText(r.status)))
	if r.message != "" {
		text += ": " + r.message
	}
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += "\nhint: the key is read from OPENAI_API_KEY"
	case http.StatusNotFound:
		text += "\nhint: the address ends in /v1 mostly, and --model-name must be a model of the server"
	}
	return text
}

// passes reports whether a later attempt may be answered.
func (r *refusal) passes() bool {
	switch r.status {
	case http.StatusTooManyRequests:
		return r.code != "insufficient_quota" // which waiting does not mend
	case http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return r.status >= 500
}

// broken is a connection that ended before the answer did.
type broken struct{ err error }

func (b *broken) Error() string { return fmt.Sprintf("the connection broke: %v", b.err) }
func (b *broken) Unwrap() error { return b.err }

// errSlow is a server that takes longer than the timeout.
var errSlow = errors.New("the server took longer")

// ask sends a request to a path of the API, and reads its answer. What may pass is tried again.
func (s *Server) ask(ctx context.Context, method, path string, body, answer any) error {
	var text []byte
	if body != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(body); err != nil {
			return err
		}
		text = b.Bytes()
	}
	for attempt := 1; ; attempt++ {
		err := s.once(ctx, method, path, text, answer)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := s.Pause << (attempt - 1)
		again := attempt < attempts
		var r *refusal
		var b *broken
		switch {
		case errors.As(err, &r):
			again = again && r.passes() && r.after <= longestPause
			pause = max(pause, r.after)
		case errors.As(err, &b):
			// Nobody listens at an address that is wrong.
			var dial *net.OpError
			again = again && (s.spoke.Load() || !errors.As(err, &dial) || dial.Op != "dial")
		case errors.Is(err, errSlow):
			again = attempt < slowAttempts
		default:
			again = false
		}
		if !again {
			if attempt > 1 {
				err = fmt.Errorf("after %d attempts: %w", attempt, err)
			}
			return fmt.Errorf("%s%s: %w", s.base.String(), path, err)
		}
		if pause >= 5*time.Second {
			s.warn(fmt.Sprintf("%v; it is asked again after a while", firstLine(err)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// firstLine leaves out an error's hint.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// once makes one attempt.
func (s *Server) once(ctx context.Context, method, path string, body []byte, answer any) error {
	limited, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(limited, method, s.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if s.Key != "" {
		r.Header.Set("Authorization", "Bearer "+s.Key)
	}
	reply, err := s.client.Do(r)
	if err != nil {
		return s.connection(limited, err)
	}
	defer reply.Body.Close()
	s.spoke.Store(true)
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxAnswer+1))
	switch {
	case err != nil:
		return s.connection(limited, err)
	case len(text) > maxAnswer:
		return fmt.Errorf("the server's answer is longer than %d MB", maxAnswer>>20)
	case reply.StatusCode >= 300 && reply.StatusCode < 400:
		return fmt.Errorf("the server leads on to %s, where neither prompts nor key follow\nhint: give the address that it leads to", s.withoutKey(reply.Header.Get("Location")))
	case reply.StatusCode != http.StatusOK:
		return s.refused(reply, text)
	}
	var failed struct{ Error json.RawMessage }
	if err := pyjson.Value(text, &failed); err != nil {
		if isMarkup(text) {
			return fmt.Errorf("the server answers with a page, want JSON\nhint: the address of the API ends in /v1 mostly")
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && strings.Contains(syntax.Error(), "unexpected end") {
			return &broken{fmt.Errorf("its answer ends after %d bytes in the middle", len(text))}
		}
		return fmt.Errorf("the server's answer is no JSON object: %w", err)
	}
	if len(failed.Error) > 0 && string(failed.Error) != "null" {
		return s.refused(reply, text)
	}
	if err := pyjson.Value(text, answer); err != nil {
		return fmt.Errorf("the server's answer is not as OpenAI's: %w", err)
	}
	return nil
}

// connection is an error below HTTP.
func (s *Server) connection(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w than %v\nhint: --timeout", errSlow, s.Timeout)
	}
	var u *url.Error
	if errors.As(err, &u) { // it repeats the address
		err = u.Err
	}
	return &broken{err}
}

// refused reads what a server says with a status; the forms are OpenAI's, FastAPI's, and a text.
func (s *Server) refused(reply *http.Response, text []byte) error {
	r := &refusal{status: reply.StatusCode, after: retryAfter(reply.Header.Get("Retry-After"))}
	var said struct {
		Error, Detail, Message json.RawMessage
	}
	_ = json.Unmarshal(text, &said) // a text else
	for _, part := range []json.RawMessage{said.Error, said.Message, said.Detail} {
		var inner struct {
			Message string
			Code    any
		}
		switch {
		case len(part) == 0 || r.message != "":
		case json.Unmarshal(part, &inner) == nil && inner.Message != "":
			r.message = inner.Message
			r.code, _ = inner.Code.(string)
		case json.Unmarshal(part, &r.message) == nil:
		default:
			r.message = string(part)
		}
	}
	if r.message == "" && !isMarkup(text) {
		r.message = strings.TrimSpace(string(text))
	}
	r.message = s.withoutKey(r.message)
	if runes := []rune(r.message); len(runes) > 500 {
		r.message = string(runes[:500]) + " …"
	}
	r.message = strings.Join(strings.Fields(r.message), " ")
	return r
}

// withoutKey is what a server says, without the key, which some repeat when they refuse it: errors
// are kept in logs.
func (s *Server) withoutKey(text string) string {
	if s.Key == "" {
		return text
	}
	return strings.ReplaceAll(text, s.Key, "…")
}

// retryAfter reads seconds or a date; 0 for neither.
func retryAfter(value string) time.Duration {
	if n, err := strconv.ParseFloat(value, 64); err == nil && n > 0 && n < 1e6 {
		return time.Duration(n * float64(time.Second))
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

func isMarkup(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) }

// Served is what a server says of a model of its own.
type Served map[string]any

// Name is the id by which the model is asked.
func (m Served) Name() string {
	id, _ := m["id"].(string)
	return id
}

// Models lists the server's models.
func (s *Server) Models(ctx context.Context) ([]Served, error) {
	var answer struct{ Data []Served }
	if err := s.ask(ctx, http.MethodGet, "/models", nil, &answer); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(answer.Data, func(m Served) bool { return m.Name() == "" }), nil
}
