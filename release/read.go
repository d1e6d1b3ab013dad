package release

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"olmo/proof"
)

// Read reads release.json from whoever made it: a member that is there twice or not at all, text
// that is not UTF-8 and a value of another type are errors; further members are passed over. It
// holds the lists and little more, whatever the length of the file. What the values say is not
// compared; see Faults.
func Read(from io.Reader) (*Manifest, error) {
	d := json.NewDecoder(transform.NewReader(bufio.NewReader(&bounded{from: from}), encoding.UTF8Validator))
	d.UseNumber()
	r := reader{d}
	m := &Manifest{}
	var format string
	first, err := d.Token()
	if err == nil {
		err = r.members(members{
			"format":     text(&format),
			"name":       text(&m.Name),
			"run":        r.run(&m.Run),
			"revisions":  list(r, &m.Revisions, r.revision),
			"data":       r.data(&m.Data),
			"tokenizer":  nullable(&m.Tokenizer, r.tokenizer),
			"left_out":   list(r, &m.LeftOut, r.file),
			"program":    text(&m.Program),
			"files":      list(r, &m.Files, r.file),
			"files_root": hash(&m.FilesRoot),
		})("it", first)
	}
	switch {
	case errors.Is(err, encoding.ErrInvalidUTF8):
		return nil, errors.New("it is not UTF-8")
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("it ends before its end")
	case err != nil:
		return nil, err
	case format != Format:
		return nil, fmt.Errorf("format %q, this program reads %q", format, Format)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more behind the object")
	}
	return m, nil
}

// reader reads values of JSON token by token.
type reader struct {
	d *json.Decoder
}

// value reads a value of which the first token was read already; what is its name in errors.
type value func(what string, first json.Token) error

// members are those that an object must have.
type members map[string]value

func (r reader) run(to *Run) value {
	return r.members(members{"steps": count(&to.Steps), "tokens": count(&to.Tokens), "chain_head": hash(&to.ChainHead), "steps_root": hash(&to.StepsRoot)})
}

func (r reader) revision(to *Revision) value {
	return r.members(members{"name": text(&to.Name), "step": count(&to.Step), "path": text(&to.Path), "weights_root": hash(&to.WeightsRoot)})
}

func (r reader) data(to *Data) value {
	return r.members(members{
		"dtype": text(&to.DType), "documents": count(&to.Documents), "tokens": count(&to.Tokens),
		"documents_root": nullable(&to.DocumentsRoot, hash),
	})
}

func (r reader) tokenizer(to *Tokenizer) value {
	return r.members(members{"path": text(&to.Path), "sha256": hash(&to.SHA256)})
}

func (r reader) file(to *File) value {
	return r.members(members{"path": text(&to.Path), "size": count(&to.Size), "sha256": hash(&to.SHA256)})
}

func (r reader) members(m members) value {
	return func(what string, first json.Token) error { return r.object(what, first, m, r.pass(0)) }
}

// object reads an object with all of the members that are wanted, each once; further reads others.
func (r reader) object(what string, first json.Token, want members, further value) error {
	if first != json.Delim('{') {
		return wrong(what, "an object")
	}
	seen := map[string]bool{}
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return err
		}
		name := t.(string)
		if seen[name] {
			return fmt.Errorf("%s has %q twice", what, name)
		}
		seen[name] = true
		if t, err = r.d.Token(); err != nil {
			return err
		}
		read, ok := want[name]
		if !ok {
			read = further
		}
		if err := read(name, t); err != nil {
			return err
		}
	}
	for name := range want {
		if !seen[name] {
			return fmt.Errorf("%s has no %s", what, name)
		}
	}
	_, err := r.d.Token()
	return err
}

// list reads an array.
func list[T any](r reader, to *[]T, entry func(*T) value) value {
	return func(what string, first json.Token) error {
		if first != json.Delim('[') {
			return wrong(what, "an array")
		}
		for r.d.More() {
			t, err := r.d.Token()
			if err != nil {
				return err
			}
			var v T
			if err := entry(&v)(fmt.Sprintf("%s[%d]", what, len(*to)), t); err != nil {
				return err
			}
			*to = append(*to, v)
		}
		_, err := r.d.Token()
		return err
	}
}

// maxDepth is how deep values may nest that are passed over.
const maxDepth = 64

// pass reads a value that has no meaning here.
func (r reader) pass(depth int) value {
	return func(what string, first json.Token) error {
		switch {
		case depth == maxDepth:
			return fmt.Errorf("%s nests more than %d values", what, maxDepth)
		case first == json.Delim('{'):
			return r.object(what, first, nil, r.pass(depth+1))
		case first == json.Delim('['):
			var none []struct{}
			return list(r, &none, func(*struct{}) value { return r.pass(depth + 1) })(what, first)
		}
		return nil
	}
}

// nullable reads null, or what one reads.
func nullable[T any](to **T, one func(*T) value) value {
	return func(what string, first json.Token) error {
		if first == nil {
			return nil
		}
		*to = new(T)
		return one(*to)(what, first)
	}
}

func text(to *string) value {
	return func(what string, first json.Token) (err error) {
		s, ok := first.(string)
		if !ok {
			return wrong(what, "a string")
		}
		*to = s
		return nil
	}
}

func hash(to *proof.Hash) value {
	return func(what string, first json.Token) error {
		s, ok := first.(string)
		if !ok {
			return wrong(what, "a string")
		}
		if err := to.UnmarshalText([]byte(s)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
}

// count reads a whole number, not below 0.
func count[T int | int64](to *T) value {
	return func(what string, first json.Token) error {
		n, ok := first.(json.Number)
		if !ok {
			return wrong(what, "a number")
		}
		v, err := strconv.ParseInt(n.String(), 10, strconv.IntSize)
		if err != nil || v < 0 || strconv.FormatInt(v, 10) != n.String() {
			return wrong(what, "a whole number, 0 or more")
		}
		*to = T(v)
		return nil
	}
}

func wrong(what, want string) error { return fmt.Errorf("%s is not %s", what, want) }

// bounded passes on what it reads, and stops where a text has no quotation mark for longer than any
// member of release.json could be: encoding/json would hold all of it.
type bounded struct {
	from    io.Reader
	run     int
	escaped bool
}

const maxRun = 1 << 20

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	for _, c := range p[:n] {
		b.run++
		switch {
		case b.escaped:
			b.escaped = false
		case c == '\\':
			b.escaped = true
		case c == '"':
			b.run = 0
		}
		if b.run > maxRun {
			return 0, errors.New("it has a member of more than a megabyte")
		}
	}
	return n, err
}
