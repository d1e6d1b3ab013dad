package endpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"olmo/eval"
	"olmo/eval/python"
)

// logprobs are what a completion tells of its tokens, the prompt's before those that follow it.
type logprobs struct {
	Tokens  []string             `json:"tokens"`
	Nats    []*float64           `json:"token_logprobs"` // null for a token with nothing before it
	Top     []map[string]float64 `json:"top_logprobs"`
	Offsets []int                `json:"text_offset"` // characters
}

// errNoEcho is a server without the probabilities of what it is given.
func (m *Model) errNoEcho(why string) error {
	return fmt.Errorf("%s tells no probabilities of a prompt's own tokens (%s), so tasks of likelihoods cannot be asked there\nhint: tasks that are answered with texts can; vLLM gives probabilities with echo and logprobs", m.server.base.String(), why)
}

// likelihood asks for the probability of a continuation after its context, or of a whole text.
func (m *Model) likelihood(ctx context.Context, r *eval.Request, o eval.AnswerOptions) (eval.Answer, error) {
	switch {
	case m.Chat:
		return eval.Answer{}, fmt.Errorf("chat completions tell no probabilities of a prompt, so tasks of likelihoods cannot be asked with --chat\nhint: without --chat the server is asked for completions")
	case o.Boundary == eval.Apart:
		return eval.Answer{}, fmt.Errorf("a server encodes context and continuation together\nhint: --boundary together")
	case r.Window > 0 || r.EndOfText:
		return eval.Answer{}, fmt.Errorf("a server is asked about texts, not tokens: windows and the end of text cannot be set there")
	}
	before, after := r.Context, r.Continuation
	if r.Form == eval.Continuation { // white space at the end belongs to the continuation, see eval.Together
		trimmed := strings.TrimRightFunc(before, python.IsSpace)
		before, after = trimmed, before[len(trimmed):]+after
	}
	if before == "" {
		before = m.Begin
	}
	e, err := m.echo(ctx, before+after)
	if err != nil {
		return eval.Answer{}, err
	}
	begin, ok := e.split(before, after)
	if !ok {
		// Offsets that do not add up, as where a character is several tokens: the context's own
		// tokens are counted instead.
		if before == "" {
			if e.Nats[0] == nil && !strings.HasPrefix(after, strings.TrimSpace(e.tokens[0])) { // a begin of text
				begin = 1
			}
		} else {
			own, err := m.echo(ctx, before)
			if err != nil {
				return eval.Answer{}, err
			}
			begin = len(own.tokens)
		}
	}
	return e.answer(begin, after, o.Tokens)
}

// echoed is a prompt with its tokens.
type echoed struct {
	logprobs
	tokens []string
	end    int // the offset behind the last token
}

// echo asks for the tokens of a prompt. One more is asked for, which servers want, and left out.
func (m *Model) echo(ctx context.Context, prompt string) (*echoed, error) {
	if prompt == "" {
		return nil, errors.New("a text of nothing has no probability")
	}
	c, x, err := m.complete(ctx, "/completions", map[string]any{"prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": true})
	var r *refusal
	if errors.As(err, &r) && !m.echoes && mentions(r.message, "echo", "logprob") {
		return nil, m.errNoEcho("it answers: " + r.message)
	}
	if err != nil {
		return nil, err
	}
	l := x.Logprobs
	switch {
	case x.Text == nil:
		return nil, fmt.Errorf("%s: the server's completion has no text", m.server.base.String())
	case l == nil || len(l.Nats) == 0:
		return nil, m.errNoEcho("its answer has no token_logprobs")
	case len(l.Tokens) != len(l.Nats) || len(l.Offsets) > 0 && len(l.Offsets) != len(l.Nats):
		return nil, fmt.Errorf("%s: the server tells %d tokens, %d log-probabilities and %d offsets of one text", m.server.base.String(), len(l.Tokens), len(l.Nats), len(l.Offsets))
	}
	n := len(l.Tokens) - 1
	if p := c.Usage.Prompt; p > 0 {
		switch {
		case p == len(l.Tokens) || p == n: // with the one behind it, or without
			n = p
		case p > len(l.Tokens):
			return nil, m.errNoEcho(fmt.Sprintf("it tells of %d tokens of a prompt of %d", len(l.Tokens), p))
		default:
			return nil, fmt.Errorf("%s: the server counts %d tokens of a prompt and tells of %d", m.server.base.String(), p, len(l.Tokens))
		}
	}
	if n < 1 || !strings.Contains(*x.Text, prompt) {
		if n < 1 || len(*x.Text) < len(prompt) {
			return nil, m.errNoEcho("its answer does not begin with the prompt")
		}
		return nil, fmt.Errorf("%s: the server tells of another text than it was asked about: %.200q", m.server.base.String(), *x.Text)
	}
	e := &echoed{logprobs: *l, tokens: l.Tokens[:n]}
	if len(e.Offsets) == 0 || e.Offsets[0] < 0 { // SGLang has no offsets
		e.Offsets = make([]int, len(l.Tokens))
		for i, t := range l.Tokens[:len(l.Tokens)-1] {
			e.Offsets[i+1] = e.Offsets[i] + utf8.RuneCountInString(t)
		}
	}
	e.end = e.Offsets[n-1] + utf8.RuneCountInString(l.Tokens[n-1])
	if n < len(e.Offsets) {
		e.end = e.Offsets[n]
	}
	return e, nil
}

// split finds the first token of after: that which begins at it or behind, as lm-eval's convention
// has it for all but the rarest texts, a token that reaches over the boundary being the
// context's. ok is false where the offsets are not those of the text: of characters that are
// several tokens, or spaces that tokens alone do not show.
func (e *echoed) split(before, after string) (begin int, ok bool) {
	text, boundary := []rune(before+after), utf8.RuneCountInString(before)
	// One token may stand for a begin of text; vLLM counts it as a part of the text.
	for special := range min(2, len(e.tokens)) {
		shift := e.Offsets[special]
		if !e.covers(text, special, shift) {
			continue
		}
		for begin = special; begin < len(e.tokens) && e.Offsets[begin]-shift < boundary; begin++ {
		}
		return begin, true
	}
	return 0, false
}

// covers reports whether the tokens from first on, moved by shift, are the text.
func (e *echoed) covers(text []rune, first, shift int) bool {
	for i := first; i < len(e.tokens); i++ {
		low, high := e.Offsets[i]-shift, e.end-shift
		if i+1 < len(e.tokens) {
			high = e.Offsets[i+1] - shift
		}
		if low < 0 || high < low || high > len(text) {
			return false
		}
		token := e.tokens[i]
		// OpenAI writes a part of a character as its bytes.
		if token != string(text[low:high]) && !strings.HasPrefix(token, "bytes:") {
			return false
		}
	}
	return e.end-shift == len(text)
}

// answer sums the tokens from begin on up.
func (e *echoed) answer(begin int, after string, tokens bool) (eval.Answer, error) {
	n := len(e.tokens)
	if begin >= n {
		return eval.Answer{}, fmt.Errorf("the continuation %q has no token of its own: the server makes it one with the end of the context", after)
	}
	a := eval.Answer{Greedy: true, Tokens: n - begin}
	for i := begin; i < n; i++ {
		x := e.Nats[i]
		switch {
		case x == nil && i == 0:
			return a, fmt.Errorf("the server gives no probability of the first token of %.40q, since it puts nothing before it\nhint: --begin-text '<|endoftext|>', or what the model reads there, puts it before such texts", after)
		case x == nil || math.IsNaN(*x) || *x > 1e-3:
			return a, fmt.Errorf("the server gives no log-probability of the token %q of %.40q", e.tokens[i], after)
		case len(e.Top) <= i || len(e.Top[i]) == 0:
			return a, fmt.Errorf("the server does not tell its first choice before the token %q of %.40q (top_logprobs)", e.tokens[i], after)
		}
		a.Logprob += *x
		for _, v := range e.Top[i] {
			a.Greedy = a.Greedy && v <= *x
		}
		if tokens {
			a.Each = append(a.Each, *x)
		}
	}
	return a, nil
}

// mentions reports whether a text has one of the words, in any case.
func mentions(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(strings.ToLower(text), w) {
			return true
		}
	}
	return false
}
