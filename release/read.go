package release

import (
	"bufio"
	"errors"
	"io"

	"olmo/internal/strictjson"
	"olmo/proof"
)

// Read reads release.json from whoever made it: a member that is there twice or not at all, text
// that is not UTF-8 and a value of another type are errors; further members are passed over. It
// holds the lists and little more, whatever the length of the file. What the values say is not
// compared; see Faults.
func Read(from io.Reader) (*Manifest, error) {
	m := &Manifest{}
	err := strictjson.Read(bufio.NewReader(&bounded{from: from}), strictjson.Object(strictjson.Members{
		"format":     strictjson.Exactly(Format),
		"name":       strictjson.String(&m.Name),
		"run":        m.Run.read(),
		"revisions":  strictjson.List(&m.Revisions, (*Revision).read),
		"data":       m.Data.read(),
		"tokenizer":  strictjson.Nullable(&m.Tokenizer, (*Tokenizer).read),
		"left_out":   strictjson.List(&m.LeftOut, (*File).read),
		"program":    strictjson.String(&m.Program),
		"files":      strictjson.List(&m.Files, (*File).read),
		"files_root": strictjson.Text(&m.FilesRoot),
	}))
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (r *Run) read() strictjson.Value {
	return strictjson.Object(strictjson.Members{
		"steps": strictjson.Count(&r.Steps), "tokens": strictjson.Count(&r.Tokens),
		"chain_head": strictjson.Text(&r.ChainHead), "steps_root": strictjson.Text(&r.StepsRoot),
	})
}

func (r *Revision) read() strictjson.Value {
	return strictjson.Object(strictjson.Members{
		"name": strictjson.String(&r.Name), "step": strictjson.Count(&r.Step),
		"path": strictjson.String(&r.Path), "weights_root": strictjson.Text(&r.WeightsRoot),
	})
}

func (d *Data) read() strictjson.Value {
	return strictjson.Object(strictjson.Members{
		"dtype": strictjson.String(&d.DType), "documents": strictjson.Count(&d.Documents), "tokens": strictjson.Count(&d.Tokens),
		"documents_root": strictjson.Nullable(&d.DocumentsRoot, func(h *proof.Hash) strictjson.Value { return strictjson.Text(h) }),
	})
}

func (t *Tokenizer) read() strictjson.Value {
	return strictjson.Object(strictjson.Members{"path": strictjson.String(&t.Path), "sha256": strictjson.Text(&t.SHA256)})
}

func (f *File) read() strictjson.Value {
	return strictjson.Object(strictjson.Members{
		"path": strictjson.String(&f.Path), "size": strictjson.Count(&f.Size), "sha256": strictjson.Text(&f.SHA256),
	})
}

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
