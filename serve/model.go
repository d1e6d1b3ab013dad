package serve

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"olmo/chat"
	"olmo/constrain"
	"olmo/generate"
	"olmo/lm"
)

// served is a model that requests can name.
type served struct {
	name    string
	created time.Time
	lm      *lm.Model
	writer  *lm.Generator
	format  chat.Format // nil without a tokenizer
	pieces  []string    // the bytes of each id, nil where tokens have none of their own
	special map[int32]bool
	breaks  []string // the texts of special tokens, the longest first

	// What takes reading all weights is computed once.
	fingerprint, digest func() (string, error)

	mu    sync.Mutex
	forms map[string]*lm.Form // by what they hold answers to
	order []string            // of forms, the oldest first
}

// mostForms are kept of a model.
const mostForms = 64

// newServed prepares an opened model.
func newServed(name string, m *lm.Model) (*served, error) {
	s := &served{name: name, created: time.Now(), lm: m, forms: map[string]*lm.Form{}, special: map[int32]bool{}}
	var err error
	if s.writer, err = m.Generator(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if m.Tokenizer != nil {
		if s.format, err = m.ChatFormat(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if s.pieces, err = m.Tokenizer.Pieces(); err != nil {
			s.pieces = nil // their texts depend on their neighbours
		}
		for _, t := range m.Tokenizer.Describe().AddedTokens {
			if s.special[t.ID] = t.Special; t.Special && t.Content != "" {
				s.breaks = append(s.breaks, t.Content)
			}
		}
		slices.SortFunc(s.breaks, func(a, b string) int { return len(b) - len(a) })
	}
	s.digest = sync.OnceValues(m.Digest)
	s.fingerprint = sync.OnceValues(m.Fingerprint)
	go func() { _, _ = s.fingerprint() }() // whoever asks first gets the error
	return s, nil
}

// formOf returns what holds answers to a form, which is known by its key.
func (m *served) formOf(key string, grammar func() (*constrain.Grammar, error)) (*lm.Form, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if form := m.forms[key]; form != nil {
		return form, nil
	}
	g, err := grammar()
	if err != nil {
		return nil, err
	}
	form, err := m.lm.Form(g)
	if err != nil {
		return nil, err
	}
	if len(m.order) == mostForms {
		delete(m.forms, m.order[0])
		m.order = m.order[1:]
	}
	m.forms[key], m.order = form, append(m.order, key)
	return form, nil
}

// token is the text of an id alone, and its bytes.
func (m *served) token(id int32) (text string, raw []int) {
	switch {
	case m.lm.Tokenizer == nil:
		text = fmt.Sprint(id)
	case m.special[id] || m.pieces == nil || int(id) >= len(m.pieces):
		if text = m.lm.Tokenizer.Token(id); m.pieces == nil && !m.special[id] {
			text = m.lm.Tokenizer.Decode([]int32{id}, false)
		}
	default:
		text = m.pieces[id]
	}
	for _, b := range []byte(text) {
		raw = append(raw, int(b))
	}
	return strings.ToValidUTF8(text, "\ufffd"), raw
}

// news are tokens of an answer, and the text that they made certain.
type news struct {
	events []generate.Event
	text   string
}

// write answers a request, and tells what comes piece by piece until ctx ends.
func (m *served) write(ctx context.Context, q lm.Request, tell func(n news)) (lm.Answer, error) {
	if tell != nil {
		var events []generate.Event
		q.Token = func(v generate.Event) bool {
			events = append(events, v)
			return true
		}
		q.Text = func(piece string) bool {
			tell(news{events, piece})
			events = nil
			return true
		}
	}
	return m.writer.Generate(ctx, q)
}
