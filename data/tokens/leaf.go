package tokens

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"olmo/data/store"
	"olmo/proof"
)

// Leaf is a document of token files as the tree over a run's documents has it.
type Leaf struct {
	File       string     // its name, see TreeNames
	Start, End int64      // tokens [Start, End) of the file
	ID         string     // of the document; empty for tokens of which no row of the .csv.gz tells
	Tokens     proof.Hash // of the bytes that the file has for these tokens
}

// Text is the string of the leaf: file, start, end and id, a zero byte behind each, and the 32
// bytes of the tokens' hash.
func (l *Leaf) Text() []byte { return l.appendText(nil) }

func (l *Leaf) appendText(b []byte) []byte {
	b = append(append(b, l.File...), 0)
	b = append(strconv.AppendInt(b, l.Start, 10), 0)
	b = append(strconv.AppendInt(b, l.End, 10), 0)
	b = append(append(b, l.ID...), 0)
	return append(b, l.Tokens[:]...)
}

// Hash is the hash of the leaf in its tree.
func (l *Leaf) Hash() proof.Hash { return proof.Leaf(l.Text()) }

// LeafOptions says how leaves are read.
type LeafOptions struct {
	// Stored takes the hashes that `olmo data tokens` stored beside its files, without reading
	// these, where size and time tell that they are of the files as they are now. Files
	// without are hashed, but not those of a server: these are ErrRemote.
	Stored bool
	// Progress, which may be nil, is told how many bytes of the files that are read are
	// hashed. It is called by several goroutines, one at a time.
	Progress func(done, total int64)
}

// ErrRemote is in the chain of the error about token files on a server beside which no leaves are
// stored: all of them would have to be downloaded.
var ErrRemote = errors.New("no leaves are stored beside it")

// DocumentsRoot is the root of the tree over the documents of a run's token files, with their number
// and that of their tokens; see EachLeaf.
func DocumentsRoot(ctx context.Context, paths []string, dtype DType, o LeafOptions) (root proof.Hash, documents, tokens int64, err error) {
	var tree proof.Tree
	err = EachLeaf(ctx, paths, dtype, o, func(l *Leaf, sum proof.Hash) error {
		tree.AddLeaf(sum)
		tokens += l.End - l.Start
		return nil
	})
	return tree.Root(), int64(tree.Len()), tokens, err
}

// EachLeaf calls each with the documents of token files and the hashes of their leaves: the files in
// byte order of their names, one that is named twice once, and the documents of a file in
// their order. The rows of the .csv.gz beside a file tell them; tokens behind the last row, or
// all of a file without .csv.gz, are one document without an id. Rows that leave something out,
// overlap or lead beyond the file are an error, which names the row.
//
// Documents are hashed on all cores, with some megabytes in memory. l is valid until each returns.
func EachLeaf(ctx context.Context, paths []string, dtype DType, o LeafOptions, each func(l *Leaf, sum proof.Hash) error) error {
	files, total, err := leafFiles(paths, dtype, o.Stored)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &leafReader{
		dtype: dtype, progress: o.Progress, total: total,
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)), lots: make(chan *lot, 2*runtime.GOMAXPROCS(0)),
	}
	go r.read(ctx, files)
	for l := range r.lots {
		<-l.done
		if err == nil {
			if err = l.err; err == nil {
				err = l.tell(each)
			}
			if err == nil && l.last && l.file != nil {
				err = unchanged(l.file)
			}
			if err != nil {
				cancel() // what is begun is waited for
			}
		}
		if l.last && l.file != nil {
			l.file.Close()
		}
	}
	return err
}

// leafFile is a token file in the tree.
type leafFile struct {
	path, name string
	info       store.Info
	stored     bool // its leaves are, and are current
}

// leafFiles lists the files in the order of the tree, and how many bytes of them are to be hashed.
func leafFiles(paths []string, dtype DType, stored bool) (files []*leafFile, bytes int64, err error) {
	for i, name := range TreeNames(paths) {
		files = append(files, &leafFile{path: paths[i], name: name})
	}
	slices.SortStableFunc(files, func(a, b *leafFile) int { return cmp.Compare(a.name, b.name) })
	files = slices.CompactFunc(files, func(a, b *leafFile) bool { return a.name == b.name })
	errs := make([]error, len(files))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 32) // files of a server take their time
	for i, f := range files {
		slots <- struct{}{}
		wait.Go(func() {
			errs[i] = f.look(dtype, stored)
			<-slots
		})
	}
	wait.Wait()
	for i, f := range files {
		if errs[i] != nil {
			return nil, 0, fmt.Errorf("token file %s: %w", f.path, errs[i])
		}
		if !f.stored {
			bytes += max(f.info.Size, 0)
		}
	}
	return files, bytes, nil
}

// look looks at a file and at the leaves that are stored beside it.
func (f *leafFile) look(dtype DType, stored bool) (err error) {
	if f.info, err = store.Stat(f.path); err != nil || !stored {
		return err
	}
	leaves, err := openCurrent(f.path, dtype)
	switch {
	case err != nil:
		return err
	case leaves != nil:
		leaves.Close()
		f.stored = true
	case store.Remote(f.path):
		return ErrRemote
	}
	return nil
}

// unchanged is an error where a file was written to since it was opened.
func unchanged(f *File) error {
	now, err := f.f.Now()
	if err == nil && !now.Same(f.f.Info()) {
		err = store.ErrChanged
	}
	if err != nil {
		return fmt.Errorf("token file %s: %w", f.path, err)
	}
	return nil
}

// lot is some documents of a file, one after the other, of which one goroutine makes the leaves.
type lot struct {
	file   *File // nil where it is not read
	leaves []Leaf
	sums   []proof.Hash // of the leaves
	last   bool         // of the file
	err    error
	done   chan struct{} // closed when sums or err are there
}

// A lot is full at so many bytes of tokens, or so many documents.
const (
	lotTokens    = 1 << 20
	lotDocuments = 1 << 12
)

func (l *lot) tell(each func(*Leaf, proof.Hash) error) error {
	for i := range l.leaves {
		if err := each(&l.leaves[i], l.sums[i]); err != nil {
			return err
		}
	}
	return nil
}

// leafReader cuts files into lots, which come out of a channel in their order while others are
// still in work.
type leafReader struct {
	dtype DType
	slots chan struct{} // to work
	lots  chan *lot

	mu          sync.Mutex
	progress    func(done, total int64)
	done, total int64 // bytes
}

// read reads all files; the last lot of each has its error.
func (r *leafReader) read(ctx context.Context, files []*leafFile) {
	defer close(r.lots)
	for _, file := range files {
		last := r.file(ctx, file)
		last.last = true
		failed := last.err != nil // from start on it is the goroutine's
		r.start(ctx, last)
		if failed {
			return
		}
	}
}

// file starts the lots of a file but for the last.
func (r *leafReader) file(ctx context.Context, file *leafFile) *lot {
	if file.stored {
		leaves, err := openCurrent(file.path, r.dtype)
		if err == nil && leaves == nil && store.Remote(file.path) {
			err = fmt.Errorf("token file %s: %w", file.path, ErrRemote)
		}
		if err != nil {
			return &lot{err: err}
		}
		if leaves != nil {
			defer leaves.Close()
			rest, err := r.documents(ctx, file, nil, leaves)
			return &lot{leaves: rest, err: cmp.Or(err, leaves.end())}
		}
	}
	f, err := Open(file.path, r.dtype)
	if err != nil {
		return &lot{err: err}
	}
	rest, err := r.documents(ctx, file, f, nil)
	return &lot{file: f, leaves: rest, err: err}
}

// documents starts lots with the documents of a file, and gives those that are left over. Their
// hashes come from the file, or from leaves.
func (r *leafReader) documents(ctx context.Context, file *leafFile, f *File, leaves *Leaves) (rest []Leaf, err error) {
	n, row, at, from := file.info.Size/int64(r.dtype.Size()), 0, int64(0), int64(0)
	if f != nil {
		n = int64(f.n)
	}
	add := func(end int64, id string) (err error) {
		leaf := Leaf{File: file.name, Start: at, End: end, ID: id}
		if leaves != nil {
			if leaf.Tokens, err = leaves.Next(); err != nil {
				return err
			}
		}
		rest, at = append(rest, leaf), end
		if (at-from)*int64(r.dtype.Size()) >= lotTokens || len(rest) >= lotDocuments {
			r.start(ctx, &lot{file: f, leaves: rest})
			rest, from = make([]Leaf, 0, min(len(rest)+len(rest)/8+8, lotDocuments)), at
		}
		return ctx.Err()
	}
	err = ReadPlaces(PlacesPath(file.path), func(p Place) error {
		if row++; p.End > n {
			return fmt.Errorf("row %d ends at token %d, but %s has %d as %s\nhint: the file is cut off, or is not of that width (data.memmap_dtype)", row, p.End, file.path, n, r.dtype)
		}
		return add(p.End, p.ID)
	})
	if err != nil && !(row == 0 && errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	if at < n {
		err := add(n, "")
		return rest, err
	}
	return rest, nil
}

// start puts a lot in its place and lets a goroutine make its leaves.
func (r *leafReader) start(ctx context.Context, l *lot) {
	l.done = make(chan struct{})
	r.slots <- struct{}{}
	go func() {
		if l.err == nil {
			l.err = r.hash(ctx, l)
		}
		<-r.slots
		close(l.done)
	}()
	r.lots <- l
}

var leafBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 1<<18) }}

// hash makes the leaves of a lot, of tokens that it reads or knows the hash of.
func (r *leafReader) hash(ctx context.Context, l *lot) error {
	l.sums = make([]proof.Hash, len(l.leaves))
	if l.file != nil && len(l.leaves) > 0 {
		if err := r.tokens(ctx, l); err != nil {
			return err
		}
	}
	var text []byte
	for i := range l.leaves {
		text = l.leaves[i].appendText(text[:0])
		l.sums[i] = proof.Leaf(text)
	}
	return nil
}

// tokens hashes the tokens of a lot.
func (r *leafReader) tokens(ctx context.Context, l *lot) error {
	size := int64(r.dtype.Size())
	from, to := l.leaves[0].Start*size, l.leaves[len(l.leaves)-1].End*size
	in := leafBuffers.Get().(*bufio.Reader)
	defer leafBuffers.Put(in)
	in.Reset(io.NewSectionReader(l.file.f, from, to-from))
	h := sha256.New()
	untold := 0 // bytes
	for i := range l.leaves {
		leaf := &l.leaves[i]
		h.Reset()
		for left := (leaf.End - leaf.Start) * size; left > 0; {
			b, err := in.Peek(int(min(left, int64(in.Size()))))
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("the file became shorter since it was opened: %w", io.ErrUnexpectedEOF)
			}
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return fmt.Errorf("token file %s at token %d: %w", l.file.path, leaf.End-left/size, err)
			}
			h.Write(b)
			in.Discard(len(b))
			left -= int64(len(b))
			if untold += len(b); untold >= in.Size() {
				r.tell(untold)
				untold = 0
			}
		}
		h.Sum(leaf.Tokens[:0])
	}
	r.tell(untold)
	return nil
}

// tell tells of progress.
func (r *leafReader) tell(n int) {
	if r.progress == nil || n == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += int64(n)
	r.progress(r.done, r.total)
}
