package verify

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"olmo/data/tokens"
	"olmo/proof"
)

// manifestPath lists the documents of a release.
const manifestPath = "data/manifest.jsonl.gz"

// document is a line of data/manifest.jsonl.gz.
type document struct {
	File       string      `json:"file"`
	Start      *int64      `json:"start"`
	End        *int64      `json:"end"`
	ID         string      `json:"id"`
	SHA256     *proof.Hash `json:"sha256"`
	TextSHA256 *proof.Hash `json:"text_sha256"`
}

// documents is what the token files of the run hold.
type documents struct {
	of         *part // whose they are
	n, tokens  int64
	root       proof.Hash  // over those that are there
	listed     *proof.Hash // over those of the manifest; nil where it cannot be read to its end
	others     []document  // of the manifest, where the files hold something else
	err        error       // of the token files
	manifest   error       // of the manifest
	misaligned bool        // the manifest lists others documents than there are
}

// readDocuments goes through the documents of token files, and beside them through the manifest, if one is
// given.
func (v *verifier) readDocuments(of *part, manifest *file) *documents {
	d := &documents{of: of}
	var lines *documentReader
	if manifest != nil {
		if lines, d.manifest = openDocuments(manifest); d.manifest == nil {
			defer lines.close()
		}
	}
	var tree, listed proof.Tree
	next := func() (*document, error) {
		if lines == nil || d.manifest != nil {
			return nil, d.manifest
		}
		m, err := lines.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				d.manifest = err
			}
			return nil, err
		}
		leaf := tokens.Leaf{File: m.File, Start: *m.Start, End: *m.End, ID: m.ID, Tokens: *m.SHA256}
		listed.Add(leaf.Text())
		return m, nil
	}
	d.err = tokens.EachLeaf(v.ctx, of.cfg.TokenFiles(), tokens.DType(of.cfg.Data.MemmapDType), tokens.LeafOptions{}, func(l *tokens.Leaf, sum proof.Hash) error {
		tree.AddLeaf(sum)
		d.n++
		d.tokens += l.End - l.Start
		m, err := next()
		switch {
		case lines == nil || d.misaligned:
		case err != nil || m.File != l.File || *m.Start != l.Start || *m.End != l.End || m.ID != l.ID:
			d.misaligned = true
		case *m.SHA256 != l.Tokens && len(d.others) < most:
			d.others = append(d.others, *m)
		}
		return nil
	})
	d.root = tree.Root()
	for lines != nil && d.manifest == nil {
		if _, err := next(); err != nil {
			break
		}
		d.misaligned = true
	}
	if lines != nil && d.manifest == nil {
		root := listed.Root()
		d.listed = &root
	}
	return d
}

// documentReader reads the manifest of documents.
type documentReader struct {
	name  string
	file  io.Closer
	lines *bufio.Scanner
	n     int
}

// maxDocumentLine is the longest line that the manifest may have.
const maxDocumentLine = 16 << 20

func openDocuments(f *file) (*documentReader, error) {
	in, err := f.unpacked()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	r := &documentReader{name: f.path, file: in, lines: bufio.NewScanner(in)}
	r.lines.Buffer(make([]byte, 64<<10), maxDocumentLine)
	return r, nil
}

// next is the following document; io.EOF after the last.
func (r *documentReader) next() (*document, error) {
	r.n++
	fail := func(err error) (*document, error) {
		return nil, fmt.Errorf("line %d of %s: %w", r.n, r.name, err)
	}
	if !r.lines.Scan() {
		if err := r.lines.Err(); err != nil {
			return fail(err)
		}
		return nil, io.EOF
	}
	d := &document{}
	if err := json.Unmarshal(r.lines.Bytes(), d); err != nil {
		return fail(err)
	}
	if d.Start == nil || d.End == nil || d.SHA256 == nil {
		return fail(errors.New("it lacks one of start, end and sha256"))
	}
	return d, nil
}

func (r *documentReader) close() { r.file.Close() }

// beginDocuments starts to go through the documents of every part of the run that has some of its own. The
// files are hashed by others at the same time, so that the bytes come from the disk once.
func (v *verifier) beginDocuments() {
	var manifest *file
	if e := v.there[manifestPath]; v.release != nil && e != nil && e.odd == "" && v.wanted(manifestPath) {
		manifest = &file{entry: e}
	}
	if len(v.o.Only) > 0 {
		return // not all are wanted
	}
	for i := range v.parts {
		p := &v.parts[i]
		if p.data() == nil || p.line.Documents == nil || !p.line.Documents.Valid {
			continue
		}
		m := manifest
		if i < len(v.parts)-1 {
			m = nil // it lists those of the end
		}
		v.reading.Go(func() {
			d := v.readDocuments(p, m)
			v.progressing.Lock()
			defer v.progressing.Unlock()
			v.documents = append(v.documents, d)
		})
	}
}

// judgeTokens compares the documents with the chain.
func (v *verifier) judgeTokens() {
	v.reading.Wait()
	if v.chain == nil {
		return
	}
	if len(v.o.Only) > 0 {
		v.note("with --only the token files are not compared with the chain")
		return
	}
	for i := range v.parts {
		if p := &v.parts[i]; p.line.Documents != nil && !p.line.Documents.Valid {
			v.note("the token files were addresses, so that the chain binds no documents: the tokens of each step alone do")
		} else if p.line.Documents != nil && p.data() == nil {
			v.note("the documents cannot be compared with the chain: the token files are not all there, or the settings do not say which they are")
		}
		v.judgeMasks(&v.parts[i])
	}
	for _, d := range v.documents {
		v.judgeDocuments(d)
	}
}

func (v *verifier) judgeDocuments(d *documents) {
	want := d.of.line.Documents.Hash
	where := "the token files"
	if v.release != nil {
		where = "data/tokens"
	}
	if d.manifest != nil {
		v.problem(Tokens, manifestPath, "%v", d.manifest)
	}
	if d.err != nil {
		if v.ctx.Err() == nil {
			v.problem(Tokens, where, "the documents cannot be read: %v", d.err)
		}
		return
	}
	v.report.Checked.Documents += d.n
	if m := v.release; m != nil && d.listed != nil && (m.Data.Documents != d.n || m.Data.Tokens != d.tokens) {
		v.problem(Manifest, "release.json", "release.json says %d documents of %d tokens, the token files have %d of %d", m.Data.Documents, m.Data.Tokens, d.n, d.tokens)
	}
	right := d.listed != nil && *d.listed == want
	if d.root == want {
		if d.listed != nil && !right {
			v.problem(Tokens, manifestPath, "%s lists other documents than the token files hold, which are the chain's", manifestPath)
		}
		return
	}
	if !right || d.misaligned {
		p := v.problem(Tokens, where, "the documents of %s are not the chain's: the root over them is %v, the chain has %v", where, d.root, want)
		if d.listed != nil {
			p.Message += fmt.Sprintf(", and %s does not tell which is another", manifestPath)
		}
	}
	if right {
		for _, m := range d.others {
			p := v.problem(Tokens, path.Join("data/tokens", m.File), "the tokens of document %q, %d to %d of %s, are not the chain's", m.ID, *m.Start, *m.End, m.File)
			p.Document = m.ID
			v.namedDocument = true
		}
	}
}

// judgeMasks compares the label masks with the chain.
func (v *verifier) judgeMasks(p *part) {
	if p.line.Masks == nil || p.data() == nil {
		return
	}
	where := "data/masks"
	paths := p.cfg.Data.LabelMaskPaths
	if !p.line.Masks.Valid {
		if len(paths) > 0 {
			v.problem(Tokens, where, "the settings name label masks, the chain none")
		}
		return
	}
	root, err := tokens.MasksRoot(paths)
	switch {
	case err != nil:
		v.problem(Tokens, where, "the label masks cannot be read: %v", err)
	case root != p.line.Masks.Hash:
		v.problem(Tokens, where, "the label masks are not the chain's: the root over them is %v, the chain has %v", root, p.line.Masks.Hash)
	}
}
