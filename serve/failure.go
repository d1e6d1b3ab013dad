package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// failure is why a request is not answered, as OpenAI's API says it.
type failure struct {
	status  int
	kind    string // "type" of the error
	code    string
	param   string // the field of the request that it is about
	message string
	after   int // seconds after which another attempt makes sense; 0: nothing is said
}

func (f *failure) Error() string { return f.message }

// bad is a field that cannot be as it is.
func bad(param, format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, kind: "invalid_request_error", param: param, message: fmt.Sprintf(format, args...)}
}

// tooLong is a prompt that does not fit with its answer.
func tooLong(param, format string, args ...any) *failure {
	f := bad(param, format, args...)
	f.code = "context_length_exceeded"
	return f
}

// MarshalJSON writes the object that clients look for.
func (f *failure) MarshalJSON() ([]byte, error) {
	or := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	type inner struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	// Messages of the program have hints for a terminal, which begin on a line of their own.
	message := strings.ReplaceAll(f.message, "\nhint: ", "; ")
	return json.Marshal(map[string]inner{"error": {message, f.kind, or(f.param), or(f.code)}})
}

// write answers a request with the failure.
func (f *failure) write(w http.ResponseWriter) {
	if f.after > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(f.after))
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, f.status, f)
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who has gone needs no answer
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}
