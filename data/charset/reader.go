package charset

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// headBytes is how much of a text that is read piece by piece decides on its set.
const headBytes = 256 << 10

// NewReader decodes a text while it is read. ASCII is passed on; where the first other
// byte stands, what follows decides on the rest as in Decode. A text of no known set gives
// ErrNoText.
func NewReader(r io.Reader) io.Reader {
	in := bufio.NewReaderSize(r, headBytes)
	head, _ := in.Peek(512)
	return &reader{in: in, declared: Declared(head), noText: isSigned(head)}
}

type reader struct {
	in       *bufio.Reader
	declared string
	noText   bool      // if there is more than ASCII
	begun    bool      // something was read
	rest     io.Reader // once the set is known
}

// Read reads decoded text.
func (r *reader) Read(b []byte) (int, error) {
	if r.rest != nil {
		return r.rest.Read(b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	if _, err := r.in.Peek(1); err != nil {
		return 0, err
	}
	ready, _ := r.in.Peek(min(len(b), r.in.Buffered()))
	// What no ASCII text has.
	plain := bytes.IndexFunc(ready, func(c rune) bool {
		return c >= utf8.RuneSelf || c == 0 || c == 0x1b || c == 0x0e
	})
	if plain != 0 {
		if plain < 0 {
			plain = len(ready)
		}
		r.begun = true
		return r.in.Read(b[:plain])
	}
	if r.noText {
		return 0, ErrNoText
	}
	head, err := r.in.Peek(headBytes)
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return 0, err
	}
	if err == nil { // more follows: the last character may be cut
		head = head[:len(head)-cut(head)]
	}
	c, rest, noText := (*Charset)(nil), head, error(nil)
	if r.begun {
		c, noText = unmarked(head, []string{r.declared})
	} else {
		c, rest, noText = find(head, []string{r.declared})
	}
	if noText != nil {
		return 0, noText
	}
	if _, err := r.in.Discard(len(head) - len(rest)); err != nil {
		return 0, err
	}
	if c == nil || c.Name == "utf-8" {
		r.rest = r.in // the reader of its lines knows what to do with bytes that are none
	} else {
		r.rest = transform.NewReader(r.in, c.coding.NewDecoder())
	}
	return r.rest.Read(b)
}

// cut is the length of the character in UTF-8 that begins at the end of b and does not end there.
func cut(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
