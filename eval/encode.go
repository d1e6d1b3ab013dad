package eval

import (
	"slices"
	"strings"

	"olmo/eval/python"
	"olmo/lm"
	"olmo/tokenizer"
)

// encoder turns requests into ids for a model.
type encoder struct {
	tokenizer *tokenizer.Tokenizer
	plain     *tokenizer.Encoder
	bos, eos  int32   // negative: none
	begin     []int32 // the id that the tokenizer itself puts before a text, if any
	positions int
}

func newEncoder(m *lm.Model) *encoder {
	e := &encoder{tokenizer: m.Tokenizer, plain: m.Tokenizer.NewEncoder(), bos: m.Config.BOS, eos: m.Config.EOS, begin: beginning(m.Tokenizer), positions: m.Config.T}
	if e.eos < 0 && len(m.Stop) > 0 {
		e.eos = m.Stop[0]
	}
	return e
}

// beginning is the special id that a tokenizer puts before every text, if it is one.
func beginning(t *tokenizer.Tokenizer) []int32 {
	framed, err := t.Encode("a", true)
	bare, bareErr := t.Encode("a", false)
	if err != nil || bareErr != nil || len(framed.IDs) <= len(bare.IDs) || !slices.Equal(framed.IDs[1:1+len(bare.IDs)], bare.IDs) {
		return nil
	}
	return framed.IDs[:1:1]
}

// apartPositions is the longest query of OLMo's in-loop evaluation (model_ctx_len).
const apartPositions = 2048

// pair is a context and its continuation as a model is asked about them: the probability of
// each target. truncated says that the beginning was cut off.
type pair struct {
	lm.Sequence
	tokens    int // of the continuation
	truncated bool
}

// continuation encodes a context and a continuation by a convention.
func (e *encoder) continuation(context, continuation string, b Boundary) (pair, error) {
	if b == Together {
		return e.together(context, continuation)
	}
	return e.apart(context, continuation)
}

// apart encodes context and continuation each for itself, as ai2-olmo's in-loop evaluation
// does (olmo/eval/downstream.py, ICLMultiChoiceTaskDataset): the query is cut from the left. Where
// the tokenizer begins texts with an id of its own, the context does, too (ai2-olmo-eval 0.9.0).
func (e *encoder) apart(context, continuation string) (pair, error) {
	ids, err := e.plain.AppendEncode(nil, context)
	if err != nil {
		return pair{}, err
	}
	if e.begin != nil && !slices.Equal(ids[:min(len(ids), 1)], e.begin) {
		ids = slices.Concat(e.begin, ids)
	}
	if len(ids) == 0 {
		ids = append(ids, max(e.eos, 0)) // something must stand before the first token
	}
	n := len(ids)
	if ids, err = e.plain.AppendEncode(ids, continuation); err != nil {
		return pair{}, err
	}
	return cut(ids, n, min(e.positions, apartPositions)), nil
}

// together encodes the two as one text and splits it where the context's own ids end, as
// lm-eval does (api/model.py, TemplateLM._encode_pair, 0.4.13): white space at the end of
// the context belongs to the continuation.
func (e *encoder) together(context, continuation string) (pair, error) {
	if context == "" {
		first := e.first()
		ids, err := e.plain.AppendEncode([]int32{first}, continuation)
		if err != nil {
			return pair{}, err
		}
		// A continuation that begins with the very id has it for its context.
		if len(ids) > 2 && ids[1] == first {
			ids = ids[1:]
		}
		return cut(ids, 1, e.positions), nil
	}
	trimmed := strings.TrimRightFunc(context, python.IsSpace)
	continuation = context[len(trimmed):] + continuation
	before, err := e.prompt(trimmed)
	if err != nil {
		return pair{}, err
	}
	whole, err := e.prompt(trimmed + continuation)
	if err != nil {
		return pair{}, err
	}
	n := min(len(before), len(whole))
	if n == 0 {
		return cut(append([]int32{e.first()}, whole...), 1, e.positions), nil
	}
	return cut(whole, n, e.positions), nil
}

// prompt encodes a text with the special ids that the tokenizer itself puts around one, but
// never a second begin-of-text before one that the text begins with.
func (e *encoder) prompt(text string) ([]int32, error) {
	encoding, err := e.tokenizer.Encode(text, true)
	ids := encoding.IDs
	if b := e.begin; len(b) == 1 && len(ids) > 1 && ids[0] == b[0] && ids[1] == b[0] {
		ids = ids[1:]
	}
	return ids, err
}

// first is the id that stands for an empty context.
func (e *encoder) first() int32 {
	if e.bos >= 0 {
		return e.bos
	}
	return max(e.eos, 0)
}

// cut asks for the ids from n on, of which the last is predicted and predicts nothing. What
// exceeds the positions goes from the left.
func cut(ids []int32, n, positions int) pair {
	p := pair{tokens: len(ids) - n}
	query := ids[:max(len(ids)-1, 0)]
	targets := make([]int32, len(query))
	for j := range targets {
		targets[j] = -1
		if j >= n-1 {
			targets[j] = ids[j+1]
		}
	}
	if over := len(query) - positions; over > 0 {
		query, targets, p.truncated = query[over:], targets[over:], true
	}
	p.Sequence = lm.Sequence{IDs: slices.Clone(query), Targets: targets}
	return p
}

// rolling encodes a whole text: an id before the first token, then the text's. The end of
// text is what stands there for documents (OLMo, catwalk) and, with the other convention, the
// begin of text where the tokenizer has one (lm-eval).
func (e *encoder) rolling(r *Request, b Boundary) ([]int32, error) {
	first := e.eos
	if b == Together {
		first = e.first()
	}
	ids, err := e.plain.AppendEncode([]int32{first}, r.Continuation)
	if r.EndOfText {
		ids = append(ids, e.eos)
	}
	return ids, err
}

// Splitter shows how a tokenizer's ids of a request are split, without a model.
func Splitter(t *tokenizer.Tokenizer, b Boundary) func(r *Request) (before, after []int32, err error) {
	e := &encoder{tokenizer: t, plain: t.NewEncoder(), bos: -1, eos: -1, begin: beginning(t), positions: 1 << 30}
	return func(r *Request) (before, after []int32, err error) {
		switch r.Form {
		case Text:
			before, err = e.prompt(r.Context)
			return before, nil, err
		case Rolling:
			if after, err = e.rolling(r, b); err != nil {
				return nil, nil, err
			}
			return nil, after[1:], nil
		}
		p, err := e.continuation(r.Context, r.Continuation, b)
		if err != nil {
			return nil, nil, err
		}
		ids := append(slices.Clone(p.IDs), p.Targets[len(p.Targets)-1])
		return ids[:len(ids)-p.tokens], ids[len(ids)-p.tokens:], nil
	}
}
