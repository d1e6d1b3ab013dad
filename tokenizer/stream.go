package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Stream decodes ids as they come. What Next returns is text of whole
// characters; together with Flush's it is what Decode gives for all the ids.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	pending     []byte // of plain byte tokenizers: what is no whole character yet

	// Other decoders look at tokens around a token, so that a window of ids is
	// decoded again each time: ids[:known] are those whose text is out.
	ids   []int32
	known int
}

// NewStream starts a stream. With skipSpecial special tokens have no text.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream {
	return &Stream{t: t, skipSpecial: skipSpecial}
}

// Next returns the text that id completes, which may be empty.
func (s *Stream) Next(id int32) string {
	if s.t.plainBytes {
		s.pending = s.t.appendBytes(s.pending, []int32{id}, s.skipSpecial)
		whole := len(s.pending) - incomplete(s.pending)
		text := string(appendLossy(nil, s.pending[:whole]))
		s.pending = s.pending[:copy(s.pending, s.pending[whole:])]
		return text
	}
	s.ids = append(s.ids, id)
	before := s.t.Decode(s.ids[:s.known], s.skipSpecial)
	after := s.t.Decode(s.ids, s.skipSpecial)
	if len(after) <= len(before) || strings.HasSuffix(after, "\uFFFD") || !strings.HasPrefix(after, before) {
		return ""
	}
	// The next window starts with the ids whose text is out now, so that what
	// decoders do at the start of a text happens before it.
	s.ids = s.ids[:copy(s.ids, s.ids[s.known:])]
	s.known = len(s.ids)
	return after[len(before):]
}

// Flush returns what is left at the end, such as U+FFFD for a character that
// was not completed, and makes the stream new.
func (s *Stream) Flush() string {
	defer func() { *s = Stream{t: s.t, skipSpecial: s.skipSpecial} }()
	if s.t.plainBytes {
		return string(appendLossy(nil, s.pending))
	}
	before := s.t.Decode(s.ids[:s.known], s.skipSpecial)
	after := s.t.Decode(s.ids, s.skipSpecial)
	return strings.TrimPrefix(after, before)
}

// incomplete returns the length of the start of a code point at the end of b
// that further bytes could complete.
func incomplete(b []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(b)); n++ {
		tail := b[len(b)-n:]
		if !utf8.RuneStart(tail[0]) {
			continue
		}
		if need, _, _ := utf8Lead(tail[0]); need > n && illFormed(tail) == n {
			return n
		}
		return 0
	}
	return 0
}
