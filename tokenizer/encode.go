package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"olmo/internal/pyjson"
)

// Encoding is a text as ids.
type Encoding struct {
	// IDs holds the tokens.
	IDs []int32
	// Offsets holds for each token the code points [start, end) of the text
	// that it stands for; special tokens that were added have {0, 0}.
	Offsets [][2]int
	// values are the tokens' strings while post-processors need them.
	values []string
}

func (e *Encoding) append(id int32, offsets [2]int, value string) {
	e.IDs = append(e.IDs, id)
	e.Offsets = append(e.Offsets, offsets)
	e.values = append(e.values, value)
}

// Encode returns text as ids with their places. addSpecial adds the special
// tokens of the file's template; truncation and padding of the file apply.
// Parts of text that are not UTF-8 count as U+FFFD, one for each maximal
// ill-formed part. A text that the model has no ids for, which some without an
// unknown token refuse, is an error.
func (t *Tokenizer) Encode(text string, addSpecial bool) (Encoding, error) {
	return t.encode(text, addSpecial, t.truncation, t.padding)
}

// EncodeText is Encode without special tokens, truncation or padding: the ids of AppendEncode,
// with their places.
func (t *Tokenizer) EncodeText(text string) (Encoding, error) {
	return t.encode(text, false, nil, nil)
}

func (t *Tokenizer) encode(text string, addSpecial bool, truncation *Truncation, padding *Padding) (Encoding, error) {
	text = validText(text)
	e, ok := t.encodeTiled(text)
	if !ok {
		var err error
		if e, err = t.encodePieces(text); err != nil {
			return Encoding{}, err
		}
	}
	if truncation != nil {
		limit := truncation.MaxLength
		if addSpecial && t.post != nil {
			limit -= t.post.added()
		}
		if err := truncation.apply(&e, limit); err != nil {
			return Encoding{}, err
		}
	}
	if t.post != nil {
		t.post.process(t, &e, addSpecial)
	}
	if padding != nil {
		padding.apply(&e)
	}
	e.values = nil
	return e, nil
}

// encodePieces encodes text by way of pieces, which know their offsets.
func (t *Tokenizer) encodePieces(text string) (e Encoding, err error) {
	defer refused(&err)
	chars := newCharOffsets(text)
	v := t.model.vocabulary()
	t.pieces(newPiece(text), func(p piece) {
		if p.token >= 0 {
			e.append(p.token, chars.convert(p.original(0, len(p.text))), p.text)
			return
		}
		t.model.tokenize(p.text, func(id int32, at span) {
			e.append(id, chars.convert(p.original(at.start, at.end)), v.tokens[id])
		})
	})
	return e, nil
}

// encodeTiled encodes text where the bytes of the tokens are the bytes of the
// text, one after another, so that their lengths give the offsets.
func (t *Tokenizer) encodeTiled(text string) (e Encoding, ok bool) {
	if t.fast == nil || len(t.fast.lacks) > 0 || t.fast.space.mark != "" {
		return e, false
	}
	if t.fast.nfc {
		if same, _ := composeText(text); same != text {
			return e, false
		}
	}
	// A tokenizer of this kind has ids for any text.
	e.IDs, _ = t.AppendEncode(nil, text)
	e.Offsets = make([][2]int, len(e.IDs))
	e.values = make([]string, len(e.IDs))
	v := t.model.vocabulary()
	at, char := 0, 0 // char is the number of the code point that at is in
	for i, id := range e.IDs {
		n := 0
		if a, ok := t.added[id]; ok {
			n, e.values[i] = len(a.Content), a.Content
		} else {
			n, e.values[i] = int(t.fast.lengths[id]), v.tokens[id]
		}
		if at+n > len(text) || n == 0 {
			return e, false
		}
		start := char
		for _, b := range []byte(text[at+1 : at+n]) {
			if b&0xC0 != 0x80 {
				char++
			}
		}
		e.Offsets[i] = [2]int{start, char + 1}
		if at += n; at < len(text) && utf8.RuneStart(text[at]) {
			char++
		}
	}
	return e, at == len(text)
}

// pieces normalises and cuts the whole text, up to the model, and calls f for each part.
func (t *Tokenizer) pieces(text piece, f func(piece)) {
	t.rawFinder.cut(text, func(p piece) {
		if p.token >= 0 {
			f(p)
			return
		}
		if t.normalizer != nil {
			t.normalizer.normalize(&p)
		}
		t.normFinder.cut(p, func(p piece) {
			if p.token >= 0 || t.pre == nil {
				f(p)
				return
			}
			t.pre.cut(p, func(p piece) {
				if p.text != "" {
					f(p)
				}
			})
		})
	})
}

// AppendEncode appends the ids of text to dst, without special tokens,
// truncation or padding. Errors are those of Encode; dst is then as it was.
func (t *Tokenizer) AppendEncode(dst []int32, text string) ([]int32, error) {
	e, _ := t.encoders.Get().(*Encoder)
	if e == nil {
		e = t.newEncoder()
	}
	dst, err := e.AppendEncode(dst, text)
	t.encoders.Put(e)
	return dst, err
}

// appendGeneral is AppendEncode for any tokenizer.
func (t *Tokenizer) appendGeneral(dst []int32, text string) (out []int32, err error) {
	out = dst // where the text is refused
	defer refused(&err)
	before, done := len(dst), 0 // bytes
	t.pieces(newBarePiece(validText(text)), func(p piece) {
		if p.token >= 0 {
			dst = append(dst, p.token)
		} else {
			t.model.tokenize(p.text, func(id int32, at span) {
				if len(dst) == cap(dst) && len(dst)-before > 1<<16 {
					dst = grown(dst, before, 1, done+at.end, max(len(text), done+len(p.text)))
				}
				dst = append(dst, id)
			})
		}
		done += len(p.text)
	})
	return dst, nil
}

// charOffsets converts offsets in bytes to offsets in code points.
type charOffsets struct {
	chars []int // by byte: the number of its code point
}

func newCharOffsets(s string) charOffsets {
	if isASCII(s) {
		return charOffsets{}
	}
	chars := make([]int, len(s))
	n := -1
	for i := range len(s) {
		if utf8.RuneStart(s[i]) {
			n++
		}
		chars[i] = n
	}
	return charOffsets{chars}
}

func (c charOffsets) convert(s span) [2]int {
	if c.chars == nil || s.start >= len(c.chars) {
		// The reference leaves a range that starts behind the text in bytes.
		return [2]int{s.start, s.end}
	}
	start := c.chars[s.start]
	if s.end < len(c.chars) {
		return [2]int{start, c.chars[s.end]}
	}
	last := start + 1
	if s.end-1 < len(c.chars) {
		last = c.chars[s.end-1]
	}
	return [2]int{start, last + 1}
}

// Truncation limits the length of encodings.
type Truncation struct {
	Direction string `json:"direction"` // "Right" (the default) or "Left": the side that goes
	MaxLength int    `json:"max_length"`
	Stride    int    `json:"stride"`   // of the windows, of which only the first is used
	Strategy  string `json:"strategy"` // which of two texts is cut: LongestFirst, OnlyFirst or OnlySecond
}

func (t *Truncation) check() error {
	if t.MaxLength < 0 {
		return fmt.Errorf("max_length is %d", t.MaxLength)
	}
	if t.Direction != "" && t.Direction != "Right" && t.Direction != "Left" {
		return fmt.Errorf("unknown direction %q; known are Right and Left", t.Direction)
	}
	switch t.Strategy {
	case "", "LongestFirst", "OnlyFirst", "OnlySecond":
	default:
		return fmt.Errorf("unknown strategy %q; known are LongestFirst, OnlyFirst and OnlySecond", t.Strategy)
	}
	if t.Stride < 0 {
		return fmt.Errorf("stride is %d", t.Stride)
	}
	return nil
}

// apply cuts e to limit tokens. Where the special tokens alone are more than the
// file's limit, limit is negative and nothing is cut, as in the reference, which
// counts round to the largest number then.
func (t *Truncation) apply(e *Encoding, limit int) error {
	n := len(e.IDs)
	if n <= limit || limit < 0 {
		return nil
	}
	switch {
	case limit > 0 && t.Strategy == "OnlySecond":
		return fmt.Errorf("the text has %d tokens, the tokenizer's truncation cuts at %d and only a second text (strategy OnlySecond)", n, limit)
	case limit > 0 && t.Stride >= limit:
		return fmt.Errorf("the text has %d tokens, and the tokenizer's truncation cuts at %d with a stride of %d, which must be less", n, limit, t.Stride)
	}
	from, to := 0, limit
	if t.Direction == "Left" {
		from, to = n-limit, n
	}
	e.IDs, e.Offsets, e.values = e.IDs[from:to], e.Offsets[from:to], e.values[from:to]
	return nil
}

// Padding fills encodings up to a length.
type Padding struct {
	// Strategy is {"Fixed": n}, or "BatchLongest", which leaves a single
	// encoding as it is.
	Strategy  paddingStrategy `json:"strategy"`
	Direction string          `json:"direction"` // "Right" (the default) or "Left"
	Multiple  int             `json:"pad_to_multiple_of"`
	ID        int32           `json:"pad_id"`
	Token     string          `json:"pad_token"`
}

// paddingStrategy is a fixed length, or padLongest.
type paddingStrategy int

// padLongest pads to the longest of a batch.
const padLongest paddingStrategy = -1

func (s *paddingStrategy) UnmarshalJSON(data []byte) error {
	var fixed struct{ Fixed *int }
	if string(data) == `"BatchLongest"` {
		*s = padLongest
		return nil
	}
	if err := unmarshalStrict(data, &fixed); err != nil || fixed.Fixed == nil {
		return errors.New(`strategy is neither "BatchLongest" nor {"Fixed": length}`)
	}
	if *fixed.Fixed < 0 {
		return fmt.Errorf("the length %d is negative", *fixed.Fixed)
	}
	*s = paddingStrategy(*fixed.Fixed)
	return nil
}

func (p *Padding) check() error {
	if p.Direction != "" && p.Direction != "Right" && p.Direction != "Left" {
		return fmt.Errorf("unknown direction %q; known are Right and Left", p.Direction)
	}
	if p.Strategy < padLongest || p.Multiple < 0 || p.ID < 0 {
		return errors.New("a length or id is negative")
	}
	return nil
}

func (p *Padding) apply(e *Encoding) {
	length := int(p.Strategy)
	if p.Strategy == padLongest {
		length = len(e.IDs)
	}
	if p.Multiple > 0 && length%p.Multiple > 0 {
		length += p.Multiple - length%p.Multiple
	}
	var pad Encoding
	for range length - len(e.IDs) {
		pad.append(p.ID, [2]int{}, p.Token)
	}
	if p.Direction == "Left" {
		*e, pad = pad, *e
	}
	for i, id := range pad.IDs {
		e.append(id, pad.Offsets[i], pad.values[i])
	}
}

// unmarshalStrict is json.Unmarshal that refuses unknown fields.
func unmarshalStrict(data []byte, v any) error { return pyjson.Part(pyjson.Strict(data, v)) }
