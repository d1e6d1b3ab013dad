package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// refusal is an answer that says no.
type refusal struct {
	status int
	code   string // X-Error-Code, by which clients know the case
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, code, format string, a ...any) error {
	return &refusal{status, code, fmt.Sprintf(format, a...)}
}

// fail answers with an error, in the form in which clients look for one. What a repository has
// not, and what a client did wrong, are refusals; any other error is the hub's own.
func fail(w http.ResponseWriter, err error) {
	var r *refusal
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &r):
	case errors.As(err, &large):
		r = &refusal{http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the request is longer than %d bytes", large.Limit)}
	default:
		r = &refusal{http.StatusInternalServerError, "", err.Error()}
	}
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Disposition", "ETag"} {
		h.Del(name)
	}
	if r.code != "" {
		h.Set("X-Error-Code", r.code)
	}
	// A header holds no line feed and, for most clients, no letter beyond ASCII.
	h.Set("X-Error-Message", plain(r.text))
	h.Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": r.text})
}

func plain(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// answer answers with a value.
func answer(w http.ResponseWriter, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // whoever has gone gets nothing
	return nil
}

// maxRequest is how long a request is that is read into memory.
const maxRequest = 16 << 20

// read reads the body of a request into v.
func (c *call) read(v any) error {
	text, err := io.ReadAll(http.MaxBytesReader(c.ResponseWriter, c.r.Body, maxRequest))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return refuse(http.StatusBadRequest, "", "the body of the request: %v", err)
	}
	return nil
}
