package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"olmo/data"
	"olmo/data/tokens"
	"olmo/packed"
	"olmo/proof"
	"olmo/tokenizer"
)

// textsFolder holds the documents' texts.
const textsFolder = "data/documents/"

// judgeTexts encodes the documents again and compares what comes of each with its tokens, and its text
// with the hash that the manifest has.
func (v *verifier) judgeTexts() {
	if !v.o.Texts {
		return
	}
	if v.release == nil || v.chain == nil || len(v.parts) == 0 {
		v.note("texts can be compared in a release with its chain")
		return
	}
	p := v.parts[len(v.parts)-1]
	if p.data() == nil {
		v.note("texts cannot be compared: the token files are not all there, or the settings do not say which they are")
		return
	}
	enc, err := v.encoder()
	if err != nil {
		v.note("texts cannot be compared: %v", err)
		return
	}
	texts, err := v.textHashes()
	if err != nil {
		return // told of the manifest already
	}
	read := 0
	files := p.cfg.TokenFiles()
	for i, name := range tokens.TreeNames(files) {
		if slices.Contains(files[:i], files[i]) {
			continue
		}
		x := &textFile{v: v, name: name, enc: enc, texts: texts[name]}
		n, err := x.judge(files[i], tokens.DType(p.cfg.Data.MemmapDType))
		if err != nil && v.ctx.Err() == nil {
			v.problem(Text, "data/tokens/"+name, "%v", err)
		}
		read += n
	}
	if read == 0 {
		v.note("the text of no document is there to be encoded")
	}
}

// encoder is the release's tokenizer.
func (v *verifier) encoder() (tokens.Encoder, error) {
	if v.release.Tokenizer == nil {
		return nil, errors.New("the release has no tokenizer")
	}
	f := v.usable(v.release.Tokenizer.Path)
	if f == nil {
		return nil, fmt.Errorf("%s is not there", v.release.Tokenizer.Path)
	}
	text, err := v.text(f.path)
	if err == nil {
		text, err = packed.Bytes(text, maxSmall)
	}
	if err != nil {
		return nil, err
	}
	t, err := tokenizer.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return t, nil
}

// textHashes are the hashes of texts in the manifest, in the order of the documents of each token file.
func (v *verifier) textHashes() (map[string][]*proof.Hash, error) {
	texts := map[string][]*proof.Hash{}
	f := v.usable(manifestPath)
	if f == nil {
		return texts, nil
	}
	r, err := openDocuments(f)
	if err != nil {
		return nil, err
	}
	defer r.close()
	for {
		d, err := r.next()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return nil, err
		}
		texts[d.File] = append(texts[d.File], d.TextSHA256)
	}
}

// textFile is a token file whose documents are encoded again.
type textFile struct {
	v     *verifier
	name  string
	enc   tokens.Encoder
	texts []*proof.Hash // of each document, nil where it is not known

	ids  *tokens.File
	mu   sync.Mutex
	ends tokens.Ends
}

// row is a document of a token file whose text is there.
type row struct {
	tokens.Place
	index int // among the documents of the token file
}

// judge compares the documents of the token file, and returns how many there were texts of.
func (x *textFile) judge(path string, dtype tokens.DType) (n int, err error) {
	byText := map[string][]row{}
	index := 0
	err = tokens.ReadPlaces(tokens.PlacesPath(path), func(p tokens.Place) error {
		if src := x.v.textOf(p.Src); src != "" {
			byText[src] = append(byText[src], row{p, index})
		}
		index++
		return x.v.ctx.Err()
	})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // a file without places tells of no texts
	}
	if err != nil || len(byText) == 0 {
		return 0, err
	}
	if x.ids, err = tokens.Open(path, dtype); err != nil {
		return 0, err
	}
	defer x.ids.Close()
	for _, src := range sortedKeys(byText) {
		rows := byText[src]
		slices.SortStableFunc(rows, func(a, b row) int { return int(a.Loc - b.Loc) })
		if err := x.compare(src, rows); err != nil {
			x.v.problem(Text, src, "%v", err)
		}
		n += len(rows)
	}
	return n, nil
}

// textOf is the file of texts that a .csv.gz names, empty where it is none of the release's.
func (v *verifier) textOf(src string) string {
	for _, name := range []string{src, textsFolder + src} {
		if f := v.usable(name); f != nil && strings.HasPrefix(name, textsFolder) && f.length() == f.size() {
			return name
		}
	}
	return ""
}

// compare reads the documents of one file of texts.
func (x *textFile) compare(src string, rows []row) error {
	in, err := data.OpenReader(filepath.Join(x.v.dir, filepath.FromSlash(src)))
	if err != nil {
		return err
	}
	defer in.Close()
	var end error
	jobs := func(yield func(func() *Problem) bool) {
		for i := 0; i < len(rows); {
			line, err := in.NextLine()
			if err != nil {
				if end = err; errors.Is(err, io.EOF) {
					end = fmt.Errorf("%s ends before line %d, where document %q should be", src, rows[i].Loc, rows[i].ID)
				}
				return
			}
			text := bytes.Clone(line.Bytes)
			for ; i < len(rows) && rows[i].Loc <= line.Number; i++ {
				r := rows[i]
				if r.Loc < line.Number {
					end = fmt.Errorf("%s has no document at line %d, where %q should be", src, r.Loc, r.ID)
					return
				}
				if !yield(func() *Problem { return x.one(src, &r, text) }) {
					return
				}
			}
		}
	}
	ordered(x.v.ctx, jobs, func(p *Problem) bool {
		if p != nil {
			x.v.problem(Text, p.Path, "%s", p.Message).Document = p.Document
		}
		return x.v.ctx.Err() == nil
	})
	return end
}

// one compares a document with its tokens; nil where they are its.
func (x *textFile) one(src string, r *row, line []byte) *Problem {
	wrong := func(format string, args ...any) *Problem {
		return &Problem{Path: src, Document: r.ID, Message: fmt.Sprintf("%s, line %d: ", src, r.Loc) + fmt.Sprintf(format, args...)}
	}
	var d data.Document
	if err := data.ParseDocument(line, &d); err != nil {
		return wrong("%v", err)
	}
	ids := make([]int32, r.End-r.Start)
	if err := x.ids.Read(ids, int(r.Start)); err != nil {
		return wrong("%v", err)
	}
	x.mu.Lock()
	ends := x.ends
	x.mu.Unlock()
	ok, err := ends.Encodes(x.enc, d.Text, ids)
	if err != nil {
		return wrong("%v", err)
	}
	x.mu.Lock()
	ok = ok && x.ends.Agree(ends)
	x.mu.Unlock()
	if !ok {
		return wrong("document %q does not encode to its tokens, %d to %d of %s", r.ID, r.Start, r.End, x.name)
	}
	if r.index < len(x.texts) && x.texts[r.index] != nil && proof.Sum([]byte(d.Text)) != *x.texts[r.index] {
		return wrong("the text of document %q is not the one of which %s has the hash", r.ID, manifestPath)
	}
	return nil
}
