package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
)

// fields are the members of a request's object. The first that is wrong is kept in failed, and what is asked for
// behind it is its zero value.
type fields struct {
	members map[string]json.RawMessage
	read    map[string]bool
	failed  *failure
}

// readFields reads the body of a request.
func readFields(w http.ResponseWriter, r *http.Request, most int64) (*fields, *failure) {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, &failure{status: http.StatusUnsupportedMediaType, kind: "invalid_request_error", message: fmt.Sprintf("content encoding %.40q: bodies are read as they are alone", e)}
	}
	tooLarge := &failure{status: http.StatusRequestEntityTooLarge, kind: "invalid_request_error", message: fmt.Sprintf("the body is longer than %d bytes, the most that is read", most)}
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return nil, tooLarge
		}
		return nil, &failure{status: http.StatusRequestTimeout, kind: "invalid_request_error", message: "the body did not come: " + err.Error()}
	}
	f := &fields{read: map[string]bool{}}
	if err := json.Unmarshal(body, &f.members); err != nil || f.members == nil {
		if err == nil {
			err = errors.New("it is null")
		}
		return nil, bad("", "the body is no JSON object: %v", err)
	}
	maps.DeleteFunc(f.members, func(_ string, v json.RawMessage) bool { return bytes.Equal(v, []byte("null")) })
	return f, nil
}

// fail keeps the first failure.
func (f *fields) fail(problem *failure) {
	if f.failed == nil {
		f.failed = problem
	}
}

// has reports whether a field is given.
func (f *fields) has(name string) bool { return f.members[name] != nil }

// get returns a field that is given, and notes that it is known.
func (f *fields) get(name string) json.RawMessage {
	f.read[name] = true
	if f.failed != nil {
		return nil
	}
	return f.members[name]
}

// to reads a field into v, and reports whether it is there and right; want says what is due.
func (f *fields) to(name string, v any, want string) bool {
	text := f.get(name)
	if text == nil {
		return false
	}
	if json.Unmarshal(text, v) != nil {
		f.fail(bad(name, "%s is %s, it must be %s", name, shown(text), want))
		return false
	}
	return true
}

// shown is what messages show of a value.
func shown(text json.RawMessage) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(string(text[:60]), "") + "…"
	}
	return string(text)
}

// number reads a number of a range.
func (f *fields) number(name string, to *float64, least, most float64) bool {
	var v float64
	if !f.to(name, &v, fmt.Sprintf("a number from %v to %v", least, most)) {
		return false
	}
	if v < least || v > most {
		f.fail(bad(name, "%s is %v, it must lie between %v and %v", name, v, least, most))
		return false
	}
	*to = v
	return true
}

// whole reads a whole number of a range.
func (f *fields) whole(name string, to *int, least, most int) bool {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if most == math.MaxInt {
		want = fmt.Sprintf("a whole number, %d or more", least)
	}
	var v int
	if !f.to(name, &v, want) {
		return false
	}
	if v < least || v > most {
		f.fail(bad(name, "%s is %d, it must be %s", name, v, want))
		return false
	}
	*to = v
	return true
}

// flag reads true or false.
func (f *fields) flag(name string, to *bool) bool { return f.to(name, to, "true or false") }

// text reads a text.
func (f *fields) text(name string, to *string) bool { return f.to(name, to, "a text") }

// texts reads a text or a list of at most so many.
func (f *fields) texts(name string, to *[]string, most int) bool {
	text := f.get(name)
	if text == nil {
		return false
	}
	var one string
	if json.Unmarshal(text, &one) == nil {
		*to = []string{one}
		return true
	}
	if !f.to(name, to, "a text or a list of texts") {
		return false
	}
	if len(*to) > most {
		f.fail(bad(name, "%s has %d texts, it can have %d", name, len(*to), most))
		return false
	}
	return true
}

// accept notes fields that are taken and change no answer.
func (f *fields) accept(names ...string) {
	for _, name := range names {
		f.read[name] = true
	}
}

// refuse fails for a field whose value would be passed over although it changes the answer.
func (f *fields) refuse(name, why string) {
	if f.get(name) != nil {
		f.fail(bad(name, "%s: %s", name, why))
	}
}

// unknown are the fields that nobody asked for.
func (f *fields) unknown() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		if !f.read[name] {
			names = append(names, name)
		}
	}
	return names
}
