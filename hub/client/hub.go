// Package client speaks to a Hugging Face hub: it fetches the files of a repository, uploads
// them, and audits what the hub lists.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"olmo/data/store"
	"olmo/internal/loopback"
)

// Options say which hub is asked, and how; zero values take defaults.
type Options struct {
	Endpoint string        // address of the hub; https://huggingface.co
	Token    string        // sent to the endpoint's host alone; none
	Offline  bool          // nothing is asked: what the cache holds must do
	Cache    string        // folder of the cache; needed where it is used
	Uploads  string        // folder with what is known of uploads under way; nothing is kept
	Warn     func(string)  // what the user should know; nobody
	Pause    time.Duration // before the second attempt, doubled for each further one; half a second
}

const (
	attempts     = 8               // of a request, of which none got a byte
	longestPause = 5 * time.Minute // that a server may ask for
	stall        = time.Minute     // how long a connection may stand still
	maxAnswer    = 64 << 20        // bytes of a listing's page
	mostFiles    = 1_000_000       // of a revision
	connections  = 8               // at a time
	uploads      = 4               // at a time: the parts under way go again after an interruption
)

// Hub is a hub with the way to talk to it. It may be used by several goroutines.
type Hub struct {
	Options
	endpoint url.URL
	trusted  http.Client // sends the token to the endpoint's host
	bare     http.Client // knows no token
	spoke    atomic.Bool // somebody has answered: a broken connection may pass
}

// New is a hub by its options.
func New(o Options) (*Hub, error) {
	if o.Endpoint == "" {
		o.Endpoint = "https://huggingface.co"
	}
	u, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("the address of the hub is no http:// or https:// address with a host\nhint: it is read from HF_ENDPOINT")
	case u.User != nil:
		return nil, errors.New("the address of the hub holds a name or password\nhint: HF_ENDPOINT is an address alone; a token belongs in HF_TOKEN")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address %s of the hub goes on behind its path\nhint: it is read from HF_ENDPOINT", o.Endpoint)
	case strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the token of the hub holds what is no letter, digit or mark\nhint: it is read from HF_TOKEN, else from the file token in HF_HOME")
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Pause == 0 {
		o.Pause = time.Second / 2
	}
	if o.Token != "" && u.Scheme == "http" && !loopback.Is(u.Hostname()) {
		o.Warn(u.Host + " is not encrypted: who sits on the way can read the token")
	}
	// One connection carries one request: what a hub's servers give each of them is what makes
	// several worth while.
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   connections,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   20 * time.Second,
		ResponseHeaderTimeout: stall,
		DisableCompression:    true, // a file comes as it is stored
	}
	return &Hub{
		Options:  o,
		endpoint: *u,
		trusted:  http.Client{Transport: &bearer{transport, *u, o.Token}},
		bare:     http.Client{Transport: transport},
	}, nil
}

// bearer adds the token to what goes to the endpoint's host. It stands below the redirects, so
// that it sees where each request really goes: net/http's own rule would let a token follow to a
// name below the host's.
type bearer struct {
	http.RoundTripper
	endpoint url.URL
	token    string
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" && r.URL.Scheme == b.endpoint.Scheme && strings.EqualFold(r.URL.Host, b.endpoint.Host) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.RoundTripper.RoundTrip(r)
}

// Refusal is an answer that says no.
type Refusal struct {
	Status int
	Code   string // the hub's word for it, such as RepoNotFound
	text   string // the hub's sentence
	after  time.Duration
}

func (r *Refusal) Error() string {
	text := fmt.Sprintf("the server answers %d %s", r.Status, http.StatusText(r.Status))
	if r.text != "" {
		text += ": " + r.text
	}
	switch {
	case r.Code == "GatedRepo":
		text += "\nhint: the repository is gated: accept its conditions on its page, and set HF_TOKEN"
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden:
		text += "\nhint: a hub answers so for what is private or not there; a token is read from HF_TOKEN, else from the file token in HF_HOME"
	case r.after > longestPause:
		text += fmt.Sprintf("\nhint: it asks to wait for %v", r.after)
	case r.Code == "RevisionNotFound":
		text += "\nhint: a revision is a branch, a tag or a commit of 40 digits"
	}
	return text
}

// passes reports whether a later attempt may be answered.
func (r *Refusal) passes() bool {
	switch r.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented, http.StatusInsufficientStorage:
		return false
	}
	return r.Status >= 500
}

// IsMissing tells whether a hub has no such repository, revision or file.
func IsMissing(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Status == http.StatusNotFound
}

// isConflict tells whether what a client wants to make is there already.
func isConflict(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Status == http.StatusConflict
}

// IsUnreachable tells whether no answer came: from a hub that is not there, or too busy.
func IsUnreachable(err error) bool {
	var r *Refusal
	var n net.Error
	return errors.As(err, &r) && r.passes() || errors.As(err, &n)
}

// passes reports whether what failed may succeed later.
func (h *Hub) passes(err error) bool {
	var r *Refusal
	var certificate *tls.CertificateVerificationError
	var dial *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &r):
		return r.passes() && r.after <= longestPause
	case errors.As(err, &certificate):
		return false
	case errors.As(err, &dns), errors.As(err, &dial) && dial.Op == "dial":
		return h.spoke.Load() // nobody listens at an address that is wrong
	}
	return !errors.As(err, new(final))
}

// final is an error that no later attempt mends.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// again calls ask until it succeeds, fails for good, or has failed too often in a row without
// any progress.
func (h *Hub) again(ctx context.Context, ask func() (progress bool, err error)) error {
	for failed := 0; ; {
		progress, err := ask()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if progress {
			failed = 0
		}
		if failed++; failed == attempts || !h.passes(err) {
			return err
		}
		pause := h.Pause << (failed - 1)
		pause = pause/2 + rand.N(pause/2+1)
		var r *Refusal
		switch {
		case errors.As(err, &r) && r.after > 0:
			pause = max(pause, r.after)
			if pause >= 5*time.Second {
				h.Warn(fmt.Sprintf("%s is busy, and asks to wait for %v", h.endpoint.Host, pause.Round(time.Second)))
			}
		case progress:
			pause = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// open sends a request and returns an answer that says yes, whose body the caller closes.
func (h *Hub) open(client *http.Client, r *http.Request) (*http.Response, error) {
	if h.Offline {
		return nil, final{errors.New("HF_HUB_OFFLINE forbids to ask the hub")}
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, store.InWords(err)
	}
	h.spoke.Store(true)
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	refused := &Refusal{Status: res.StatusCode, Code: res.Header.Get("X-Error-Code"), text: res.Header.Get("X-Error-Message")}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var said struct{ Error, Message string }
	if refused.text == "" && json.Unmarshal(text, &said) == nil {
		refused.text = said.Error + said.Message
	}
	refused.text = h.withoutToken(refused.text)
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		refused.after = time.Duration(min(seconds, 1<<20)) * time.Second
	} else if at, err := http.ParseTime(res.Header.Get("Retry-After")); err == nil {
		refused.after = max(0, time.Until(at))
	}
	return nil, refused
}

// withoutToken is a server's text as it may be shown: some repeat what they were sent.
func (h *Hub) withoutToken(text string) string {
	if h.Token != "" {
		text = strings.ReplaceAll(text, h.Token, "[the token]")
	}
	const most = 500
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// call asks an address of the hub (below the endpoint, or whole) and reads the JSON of its answer, if answer is not
// nil; body, if not nil, is sent. It returns the answer's head.
func (h *Hub) call(ctx context.Context, method, address string, body *content, answer any) (head http.Header, err error) {
	if strings.HasPrefix(address, "/") {
		address = h.endpoint.String() + address
	}
	err = h.again(ctx, func() (bool, error) {
		limited, cancel := context.WithTimeout(ctx, 2*stall)
		defer cancel()
		var sent io.Reader
		if body != nil {
			sent = bytes.NewReader(body.text)
		}
		r, err := http.NewRequestWithContext(limited, method, address, sent)
		if err != nil {
			return false, final{err}
		}
		if body != nil {
			r.Header.Set("Content-Type", body.kind)
			r.Header.Set("Accept", body.accept)
		}
		res, err := h.open(&h.trusted, r)
		if err != nil {
			return false, err
		}
		defer res.Body.Close()
		head = res.Header
		text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
		switch {
		case err != nil:
			return false, store.InWords(err)
		case len(text) > maxAnswer:
			return false, final{fmt.Errorf("the answer is longer than %d MB", maxAnswer>>20)}
		case answer == nil:
			return false, nil
		}
		if err := json.Unmarshal(text, answer); err != nil {
			return false, final{fmt.Errorf("the answer is not the JSON that a hub gives: %w", err)}
		}
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.shown(address), err)
	}
	return head, nil
}

// content is the body of a request.
type content struct {
	text         []byte
	kind, accept string // media types, of itself and of the answer
}

// asJSON is a body in JSON.
func asJSON(v any) *content {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the values are structs of strings and numbers
	}
	return &content{text, "application/json", "application/json"}
}

// shown is an address without what may be a signature.
func (h *Hub) shown(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
