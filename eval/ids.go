package eval

import (
	"errors"
	"fmt"
	"slices"

	"olmo/lm"
	"olmo/tokenizer"
)

// IDs encodes requests for a model elsewhere that is asked about ids, as Local does for its own.
type IDs struct{ encoder *encoder }

// NewIDs encodes with a tokenizer, for sequences of at most so many tokens before the one that is
// predicted. begin is the text of the id that stands before the first token of a document; it may
// be empty where none is asked about.
func NewIDs(t *tokenizer.Tokenizer, begin string, positions int) (*IDs, error) {
	e := &encoder{tokenizer: t, plain: t.NewEncoder(), bos: -1, eos: -1, begin: beginning(t), positions: positions}
	if len(e.begin) == 1 {
		e.bos = e.begin[0]
	}
	if begin == "" {
		return &IDs{e}, nil
	}
	ids, err := e.plain.AppendEncode(nil, begin)
	if err != nil {
		return nil, err
	}
	if len(ids) != 1 {
		return nil, fmt.Errorf("the begin of text %q is %d tokens, want one", begin, len(ids))
	}
	e.eos = ids[0]
	return &IDs{e}, nil
}

// Piece is a sequence of ids, of which the last ones are asked about.
type Piece struct {
	IDs   []int32
	Asked int
}

// errNoBegin is a text that nothing is known to stand before.
var errNoBegin = errors.New("a text without context has a begin of text before it, and none is known\nhint: --begin-text '<|endoftext|>', or what the model reads there")

// Likelihood encodes a continuation with its context, or a whole text window by window. tokens are
// those that are predicted; truncated says that the beginning did not fit.
func (x *IDs) Likelihood(r *Request, b Boundary) (pieces []Piece, tokens int, truncated bool, err error) {
	e := x.encoder
	if r.Form == Continuation {
		if r.Context == "" && e.eos < 0 && (b == Apart && e.begin == nil || b == Together && e.bos < 0) {
			return nil, 0, false, errNoBegin
		}
		p, err := e.continuation(r.Context, r.Continuation, b)
		if err != nil || len(p.IDs) == 0 {
			return nil, 0, false, err
		}
		return []Piece{piece(p.Sequence)}, p.tokens, p.truncated, nil
	}
	if e.eos < 0 && (b == Apart || e.bos < 0 || r.EndOfText) {
		return nil, 0, false, errNoBegin
	}
	w := r.Window
	if w == 0 {
		w = e.positions
	}
	if w > e.positions {
		return nil, 0, false, fmt.Errorf("a window of %d tokens is more than the server's model has positions for: %d", w, e.positions)
	}
	ids, err := e.rolling(r, b)
	if err != nil {
		return nil, 0, false, err
	}
	for _, q := range windows(ids, w, r.Overlap) {
		pieces = append(pieces, piece(q))
	}
	return pieces, len(ids) - 1, false, nil
}

// piece is a sequence with its last target.
func piece(q lm.Sequence) Piece {
	asked := 0
	for _, t := range q.Targets {
		asked += int(number(t >= 0))
	}
	return Piece{append(slices.Clone(q.IDs), q.Targets[len(q.Targets)-1]), asked}
}

// Prompt encodes the prompt of a text, of which the last most tokens are kept.
func (x *IDs) Prompt(context string, most int) (ids []int32, truncated bool, err error) {
	ids, err = x.encoder.prompt(context)
	switch {
	case err != nil:
		return nil, false, err
	case len(ids) == 0 && x.encoder.bos < 0 && x.encoder.eos < 0:
		return nil, false, errNoBegin
	case len(ids) == 0:
		ids = []int32{x.encoder.first()}
	}
	if over := len(ids) - most; over > 0 {
		return ids[over:], true, nil
	}
	return ids, false, nil
}
