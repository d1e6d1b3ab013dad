package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"olmo/internal/pyjson"
)

// decoder is one step from a list of tokens to text, which is what it leaves,
// joined.
type decoder interface {
	decode(tokens []string) []string
}

// Decode returns the text of ids. Ids without a token are passed over, as are
// special tokens with skipSpecial. Bytes that are no text become U+FFFD, one
// for each maximal ill-formed part.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	if t.plainBytes {
		return string(appendLossy(make([]byte, 0, 5*len(ids)), t.appendBytes(nil, ids, skipSpecial)))
	}
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		s, ok := t.decodeToken(id)
		if ok && !(skipSpecial && t.special[s]) {
			tokens = append(tokens, s)
		}
	}
	if t.decoder == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(t.decoder.decode(tokens), "")
}

// decodeToken returns the form of a token that decoders work on.
func (t *Tokenizer) decodeToken(id int32) (string, bool) {
	if s, ok := t.normalizedForm[id]; ok {
		return s, true
	}
	if a, ok := t.added[id]; ok {
		return a.Content, true
	}
	v := t.model.vocabulary()
	if !v.has(id) {
		return "", false
	}
	return v.tokens[id], true
}

// appendBytes appends the bytes of ids to dst; for tokenizers whose only
// decoder is ByteLevel.
func (t *Tokenizer) appendBytes(dst []byte, ids []int32, skipSpecial bool) []byte {
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.bytesOf) || skipSpecial && t.isSpecial(id) {
			continue
		}
		dst = append(dst, t.bytesOf[id]...)
	}
	return dst
}

func (t *Tokenizer) isSpecial(id int32) bool {
	s, ok := t.decodeToken(id)
	return ok && t.special[s]
}

// fillBytes notes the bytes of every token, for decoding without a detour over
// GPT-2's alphabet.
func (t *Tokenizer) fillBytes() {
	t.plainBytes = true
	t.bytesOf = make([]string, t.VocabSize())
	arena := make([]byte, 0, 8*len(t.bytesOf))
	for id := range t.bytesOf {
		if s, ok := t.decodeToken(int32(id)); ok {
			start := len(arena)
			arena = appendTokenBytes(arena, s)
			t.bytesOf[id] = string(arena[start:])
		}
	}
}

// appendTokenBytes appends the bytes that a token of GPT-2's alphabet stands
// for; a token with any other character stands for itself.
func appendTokenBytes(dst []byte, s string) []byte {
	start := len(dst)
	for _, r := range s {
		b, ok := charToByte(r)
		if !ok {
			return append(dst[:start], s...)
		}
		dst = append(dst, b)
	}
	return dst
}

// tokenBytes returns the number of bytes that appendTokenBytes appends.
func tokenBytes(s string) int {
	n := 0
	for _, r := range s {
		if _, ok := charToByte(r); !ok {
			return len(s)
		}
		n++
	}
	return n
}

func charToByte(r rune) (byte, bool) {
	if r < 0 || int(r) >= len(charByte) || charByte[r] < 0 {
		return 0, false
	}
	return byte(charByte[r]), true
}

// appendLossy appends b to dst with U+FFFD for each maximal ill-formed part
// (The Unicode Standard, section 3.9; Rust's from_utf8_lossy).
func appendLossy(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError || n > 1 {
			dst = append(dst, b[:n]...)
			b = b[n:]
			continue
		}
		dst = append(dst, "\uFFFD"...)
		b = b[illFormed(b):]
	}
	return dst
}

// illFormed returns the length of the maximal ill-formed part at the start of
// b, which is no valid code point: the longest start of one, or one byte.
func illFormed(b []byte) int {
	need, lo, hi := utf8Lead(b[0])
	for i := 1; i < need && i < len(b); i++ {
		if b[i] < lo || b[i] > hi {
			return i
		}
		lo, hi = 0x80, 0xBF
	}
	return max(1, min(need, len(b)))
}

// utf8Lead returns how many bytes a code point that starts with c has (0 where
// none does), and the range of its second byte.
func utf8Lead(c byte) (need int, lo, hi byte) {
	switch {
	case c >= 0xC2 && c <= 0xDF:
		return 2, 0x80, 0xBF
	case c == 0xE0:
		return 3, 0xA0, 0xBF
	case c == 0xED:
		return 3, 0x80, 0x9F
	case c >= 0xE1 && c <= 0xEF:
		return 3, 0x80, 0xBF
	case c == 0xF0:
		return 4, 0x90, 0xBF
	case c >= 0xF1 && c <= 0xF3:
		return 4, 0x80, 0xBF
	case c == 0xF4:
		return 4, 0x80, 0x8F
	}
	return 0, 0, 0
}

type byteLevelDecoder struct{}

func (byteLevelDecoder) decode(tokens []string) []string {
	var b []byte
	for _, s := range tokens {
		b = appendTokenBytes(b, s)
	}
	return []string{string(appendLossy(nil, b))}
}

type decoderSequence []decoder

func (d decoderSequence) decode(tokens []string) []string {
	for _, s := range d {
		tokens = s.decode(tokens)
	}
	return tokens
}

type replaceDecoder struct {
	m       matcher
	content string
}

func (d replaceDecoder) decode(tokens []string) []string {
	for i, s := range tokens {
		var b strings.Builder
		last := 0
		eachMatch(d.m, s, func(start, end int) {
			b.WriteString(s[last:start])
			b.WriteString(d.content)
			last = end
		})
		b.WriteString(s[last:])
		tokens[i] = b.String()
	}
	return tokens
}

type fuseDecoder struct{}

func (fuseDecoder) decode(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// byteFallbackDecoder joins runs of <0xXX> to text. A run that is not valid
// UTF-8 gives one U+FFFD for each of its bytes.
type byteFallbackDecoder struct{}

func (byteFallbackDecoder) decode(tokens []string) []string {
	out := make([]string, 0, len(tokens))
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			if len(run) > 0 {
				out = append(out, string(run))
			}
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, s := range tokens {
		if b, ok := fallbackByte(s); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, s)
	}
	flush()
	return out
}

// fallbackByte reads <0xXX>.
func fallbackByte(s string) (byte, bool) {
	if len(s) != 6 || !strings.HasPrefix(s, "<0x") || s[5] != '>' {
		return 0, false
	}
	hex := s[3:5]
	if hex[0] == '+' { // Rust's from_str_radix takes a sign
		hex = hex[1:]
	}
	v, err := strconv.ParseUint(hex, 16, 8)
	return byte(v), err == nil
}

// stripDecoder removes up to start characters from the front of each token and
// up to stop from its end, as long as they are content.
type stripDecoder struct {
	content     rune
	start, stop int
}

func (d stripDecoder) decode(tokens []string) []string {
	c := string(d.content)
	for i, s := range tokens {
		for range d.start {
			rest, ok := strings.CutPrefix(s, c)
			if !ok {
				break
			}
			s = rest
		}
		for range d.stop {
			rest, ok := strings.CutSuffix(s, c)
			if !ok {
				break
			}
			s = rest
		}
		tokens[i] = s
	}
	return tokens
}

type metaspaceDecoder metaspace

func (d metaspaceDecoder) decode(tokens []string) []string {
	for i, s := range tokens {
		to := " "
		if i == 0 && d.prepend != prependNever {
			to = ""
		}
		tokens[i] = strings.ReplaceAll(s, d.replacement, to)
	}
	return tokens
}

type bpeDecoder struct{ suffix string }

func (d bpeDecoder) decode(tokens []string) []string {
	for i, s := range tokens {
		to := " "
		if i == len(tokens)-1 {
			to = ""
		}
		tokens[i] = strings.ReplaceAll(s, d.suffix, to)
	}
	return tokens
}

type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func (d wordPieceDecoder) decode(tokens []string) []string {
	for i, s := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(s, d.prefix); ok {
				s = rest
			} else {
				s = " " + s
			}
		}
		if d.cleanup {
			s = cleanUp(s)
		}
		tokens[i] = s
	}
	return tokens
}

// cleanUp undoes what tokenisation did to punctuation, in this order.
func cleanUp(s string) string {
	for _, r := range [...][2]string{
		{" .", "."},
		{" ?", "?"},
		{" !", "!"},
		{" ,", ","},
		{" ' ", "'"},
		{" n't", "n't"},
		{" 'm", "'m"},
		{" do not", " don't"},
		{" 's", "'s"},
		{" 've", "'ve"},
		{" 're", "'re"},
	} {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return s
}

type ctcDecoder struct {
	pad, delimiter string
	cleanup        bool
}

func (d ctcDecoder) decode(tokens []string) []string {
	out := make([]string, 0, len(tokens))
	for i, s := range tokens {
		if i > 0 && s == tokens[i-1] {
			continue
		}
		s = strings.ReplaceAll(s, d.pad, "")
		if d.cleanup {
			s = strings.ReplaceAll(cleanUp(s), d.delimiter, " ")
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// parseDecoder reads the decoder of a tokenizer.json; null gives nil.
func parseDecoder(raw json.RawMessage) (decoder, error) {
	var c struct {
		Type               string
		Decoders           []json.RawMessage
		Pattern            patternConfig
		Content            string
		Start, Stop        int
		Replacement        string
		PrependScheme      string `json:"prepend_scheme"`
		AddPrefixSpace     *bool  `json:"add_prefix_space"`
		Prefix             string
		Suffix             string
		Cleanup            bool
		PadToken           string `json:"pad_token"`
		WordDelimiterToken string `json:"word_delimiter_token"`
	}
	if isNull(raw) {
		return nil, nil
	}
	if err := pyjson.Value(raw, &c); err != nil {
		return nil, err
	}
	switch c.Type {
	case "Sequence":
		var seq decoderSequence
		for i, r := range c.Decoders {
			d, err := parseDecoder(r)
			if err != nil {
				return nil, fmt.Errorf("decoders[%d]: %w", i, err)
			}
			if d != nil {
				seq = append(seq, d)
			}
		}
		return seq, nil
	case "ByteLevel":
		return byteLevelDecoder{}, nil
	case "Replace":
		m, err := c.Pattern.matcher()
		if err != nil {
			return nil, fmt.Errorf("type Replace: %w", err)
		}
		if p, ok := m.(*pattern); ok {
			// Decoding has no errors: an expression takes the time that it
			// takes, and one whose memory could have no end is not taken.
			if p.limit = 0; p.calls {
				return nil, errors.New("type Replace: an expression with calls of groups is not supported in a decoder")
			}
		}
		return replaceDecoder{m, c.Content}, nil
	case "ByteFallback":
		return byteFallbackDecoder{}, nil
	case "Fuse":
		return fuseDecoder{}, nil
	case "Strip":
		r, n := utf8.DecodeRuneInString(c.Content)
		if n == 0 || n != len(c.Content) {
			return nil, fmt.Errorf("type Strip: content %q is not one character", c.Content)
		}
		if c.Start < 0 || c.Stop < 0 {
			return nil, fmt.Errorf("type Strip: start %d or stop %d is negative", c.Start, c.Stop)
		}
		return stripDecoder{r, c.Start, c.Stop}, nil
	case "Metaspace":
		m, err := parseMetaspace(c.Replacement, c.PrependScheme, c.AddPrefixSpace)
		return metaspaceDecoder(m), err
	case "BPEDecoder":
		return bpeDecoder{c.Suffix}, nil
	case "WordPiece":
		return wordPieceDecoder{c.Prefix, c.Cleanup}, nil
	case "CTC":
		return ctcDecoder{c.PadToken, c.WordDelimiterToken, c.Cleanup}, nil
	}
	return nil, fmt.Errorf("unknown type %q", c.Type)
}

// Pieces returns the bytes that each id stands for inside a text, behind its first token;
// "" for ids without a token. A tokenizer whose tokens have no bytes of their own, because
// their text depends on their neighbours, is an error.
func (t *Tokenizer) Pieces() ([]string, error) {
	steps, ok := t.decoder.(decoderSequence)
	if !ok {
		steps = decoderSequence{t.decoder}
	}
	pieces := make([]string, t.VocabSize())
	for id := range pieces {
		s, ok := t.decodeToken(int32(id))
		if !ok {
			continue
		}
		fused := false
	decoding:
		for _, d := range steps {
			switch d := d.(type) {
			case byteLevelDecoder:
				s = string(appendTokenBytes(nil, s))
			case byteFallbackDecoder:
				if b, ok := fallbackByte(s); ok {
					s = string([]byte{b})
					break decoding // no later step is about bytes
				}
			case fuseDecoder:
				fused = true
			case stripDecoder:
				if !fused {
					s = d.decode([]string{s})[0]
				} else if d.stop > 0 {
					return nil, errors.New("the tokenizer's decoder cuts off the end of a text")
				}
			case metaspaceDecoder:
				s = strings.ReplaceAll(s, d.replacement, " ")
			case replaceDecoder:
				if fused {
					return nil, errors.New("the tokenizer's decoder replaces text over the borders of tokens")
				}
				s = d.decode([]string{s})[0]
			default:
				return nil, fmt.Errorf("the tokenizer's decoder (%s) joins tokens by what stands beside them, so that they have no bytes of their own", cmp.Or(t.parts.Decoder, "none"))
			}
		}
		pieces[id] = s
	}
	return pieces, nil
}
