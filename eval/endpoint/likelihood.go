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
	case m.Tokenizer != nil:
		return m.likelihoodOfIDs(ctx, r, o)
	case o.Boundary == eval.Apart:
		return eval.Answer{}, fmt.Errorf("a server encodes context and continuation together\nhint: --boundary together, or the model's --tokenizer")
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
	e, err := m.echo(ctx, before+after, nil)
	if err != nil {
		return eval.Answer{}, err
	}
	begin := 0
	switch {
	case e.exact:
		begin = e.begin(utf8.RuneCountInString(before))
	case before != "":
		// The context's own tokens are counted, for want of offsets that are its text's.
		if begin, err = m.count(ctx, before); err != nil {
			return eval.Answer{}, err
		}
	case e.Nats[0] == nil && isWhole(e.Tokens[0]) && !strings.HasPrefix(strings.TrimSpace(after), strings.TrimSpace(e.Tokens[0])):
		begin = 1 // behind a begin of text
	}
	return e.answer(begin, after, o.Tokens)
}

// mostCounted is how many contexts are remembered with their tokens, for other choices of the same
// question.
const mostCounted = 1000

// count is the number of tokens that a server makes of a text, its begin of text included.
func (m *Model) count(ctx context.Context, text string) (int, error) {
	m.counting.Lock()
	n, ok := m.counted[text]
	m.counting.Unlock()
	if ok {
		return n, nil
	}
	e, err := m.echo(ctx, text, nil)
	if err != nil {
		return 0, err
	}
	m.counting.Lock()
	defer m.counting.Unlock()
	if m.counted == nil || len(m.counted) >= mostCounted {
		m.counted = map[string]int{}
	}
	m.counted[text] = e.n
	return e.n, nil
}

// likelihoodOfIDs asks about ids.
func (m *Model) likelihoodOfIDs(ctx context.Context, r *eval.Request, o eval.AnswerOptions) (eval.Answer, error) {
	var pieces []eval.Piece
	out := eval.Answer{Greedy: true}
	err := m.encode(func(x *eval.IDs) (err error) {
		pieces, out.Tokens, out.Truncated, err = x.Likelihood(r, o.Boundary)
		return err
	})
	if err != nil {
		return out, err
	}
	for _, p := range pieces {
		e, err := m.echo(ctx, "", p.IDs)
		if err != nil {
			return out, err
		}
		a, err := e.answer(len(p.IDs)-p.Asked, r.Continuation, o.Tokens)
		if err != nil {
			return out, err
		}
		out.Logprob += a.Logprob
		out.Greedy = out.Greedy && a.Greedy
		out.Each = append(out.Each, a.Each...)
	}
	return out, nil
}

// echoed are the tokens of a prompt, of which there are n, and those behind it.
type echoed struct {
	logprobs
	n int
	// exact says that offsets, less shift, are those of the prompt's text, of which the first
	// tokens, special, are no part. They are not where a character is several tokens, or where
	// tokens alone do not show their spaces.
	exact          bool
	special, shift int
}

// echo asks for the tokens of a prompt, or of ids where they are given. One more is asked for,
// which servers want, and left out.
func (m *Model) echo(ctx context.Context, prompt string, ids []int32) (*echoed, error) {
	var given any = prompt
	switch {
	case ids != nil:
		given = ids
	case prompt == "":
		return nil, errors.New("a text of nothing has no probability")
	}
	c, x, err := m.complete(ctx, "/completions", map[string]any{"prompt": given, "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": true})
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
	case ids != nil && (len(l.Tokens) < len(ids) || c.Usage.Prompt > 0 && c.Usage.Prompt != len(ids)):
		return nil, m.errNoEcho(fmt.Sprintf("it tells of %d tokens, and counts %d, of a prompt of %d", len(l.Tokens), c.Usage.Prompt, len(ids)))
	case ids != nil:
		return &echoed{logprobs: *l, n: len(ids)}, nil
	case !strings.Contains(*x.Text, prompt):
		if len(*x.Text) < len(prompt) {
			return nil, m.errNoEcho("its answer does not begin with the prompt")
		}
		return nil, fmt.Errorf("%s: the server tells of another text than it was asked about: %.200q", m.server.base.String(), *x.Text)
	case c.Usage.Prompt > len(l.Tokens):
		return nil, m.errNoEcho(fmt.Sprintf("it tells of %d tokens of a prompt of %d", len(l.Tokens), c.Usage.Prompt))
	}
	e := &echoed{logprobs: *l}
	if len(e.Offsets) == 0 || e.Offsets[0] < 0 { // SGLang has none
		e.Offsets = make([]int, len(l.Tokens))
		for i, t := range l.Tokens[:len(l.Tokens)-1] {
			e.Offsets[i+1] = e.Offsets[i] + utf8.RuneCountInString(t)
		}
	}
	// What usage counts is believed where the tokens are not those of the text, and where several
	// numbers of them are.
	told := c.Usage.Prompt
	if e.exact = e.align([]rune(prompt), told) || told > 0 && e.align([]rune(prompt), 0); e.exact {
		return e, nil
	}
	switch {
	case told > 0 && (told >= len(l.Tokens)-1 || told+c.Usage.Completion == len(l.Tokens)):
		e.n = told
	case told > 0:
		return nil, fmt.Errorf("%s: the server counts %d tokens of a prompt and %d behind it, and tells of %d", m.server.base.String(), told, c.Usage.Completion, len(l.Tokens))
	case len(*x.Text) > len(prompt):
		e.n = len(l.Tokens) - 1
	default:
		return nil, fmt.Errorf("%s: the server does not say how many of its %d tokens are those of the prompt (usage)", m.server.base.String(), len(l.Tokens))
	}
	return e, nil
}

// align looks for the tokens that are a text, as many as told, if that is not 0. One token before
// them may stand for a begin of text, which vLLM counts as part of the text.
func (e *echoed) align(text []rune, told int) bool {
	for e.special = range min(2, len(e.Tokens)) {
		e.shift = e.Offsets[e.special]
		for e.n = e.special; e.n < len(e.Tokens) && (e.Offsets[e.n]-e.shift < len(text) || e.n < told); e.n++ {
			low, high := e.Offsets[e.n]-e.shift, e.end(e.n)-e.shift
			if low < 0 || high < low || high > len(text) {
				break
			}
			// OpenAI writes a part of a character as its bytes.
			if t := e.Tokens[e.n]; t != string(text[low:high]) && !strings.HasPrefix(t, "bytes:") {
				break
			}
		}
		if e.n > e.special && e.end(e.n-1)-e.shift == len(text) && (told == 0 || told == e.n) {
			return true
		}
	}
	return false
}

// isWhole reports whether a token is known as a text, and not as a part of a character.
func isWhole(token string) bool {
	return token != "" && !strings.ContainsRune(token, utf8.RuneError) && !strings.HasPrefix(token, "bytes:")
}

// end is the offset behind a token.
func (e *echoed) end(i int) int {
	if i+1 < len(e.Offsets) {
		return e.Offsets[i+1]
	}
	return e.Offsets[i] + utf8.RuneCountInString(e.Tokens[i])
}

// begin finds the first token of what stands behind so many characters: that which begins at it or
// behind, as lm-eval's convention has it for all but the rarest texts. A token that reaches over
// the boundary is the context's.
func (e *echoed) begin(characters int) int {
	i := e.special
	for i < e.n && e.Offsets[i]-e.shift < characters {
		i++
	}
	return i
}

// answer sums the tokens from begin on up.
func (e *echoed) answer(begin int, after string, tokens bool) (eval.Answer, error) {
	if begin >= e.n {
		return eval.Answer{}, fmt.Errorf("the continuation %q has no token of its own: the server makes it one with the end of the context", after)
	}
	a := eval.Answer{Greedy: true, Tokens: e.n - begin}
	for i := begin; i < e.n; i++ {
		x := e.Nats[i]
		switch {
		case x == nil && i == 0:
			return a, fmt.Errorf("the server gives no probability of the first token of %.40q, since it puts nothing before it\nhint: --begin-text '<|endoftext|>', or what the model reads there, puts it before such texts", after)
		case x == nil || math.IsNaN(*x) || *x > 1e-3:
			return a, fmt.Errorf("the server gives no log-probability of the token %q of %.40q", e.Tokens[i], after)
		case len(e.Top) <= i || len(e.Top[i]) == 0:
			return a, fmt.Errorf("the server does not tell its first choice before the token %q of %.40q (top_logprobs)", e.Tokens[i], after)
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
