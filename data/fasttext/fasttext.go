// Package fasttext reads supervised fastText models, dense and quantised, and
// predicts labels with them.
//
// It follows fastText 0.9.2 (Bojanowski, Grave, Joulin and Mikolov 2016;
// Joulin et al. 2016): src/fasttext.cc, dictionary.cc, quantmatrix.cc and
// loss.cc.
package fasttext

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"olmo/internal/memory"
	"olmo/store"
)

// Prediction is a label, without its prefix __label__, and its probability.
type Prediction struct {
	Label string
	Score float32
}

// Model is a supervised model. Its methods may be called concurrently.
type Model struct {
	dim, wordNgrams, minn, maxn int
	loss                        lossKind
	bucket                      uint32
	bucketInverse               uint64 // to divide by multiplying
	words                       []string
	subwords                    [][]int32 // rows of each word and its n-grams
	labels                      []string
	table                       []int32 // open hash table of words, -1 empty
	prune                       *pruneTable
	input, output               matrix
	tree                        []node // of the hierarchical softmax
	scratch                     sync.Pool
}

type lossKind int32

const (
	hierarchical lossKind = iota + 1
	negativeSampling
	softmax
	oneVsAll
)

const (
	magic       = 793712314
	newest      = 12 // file version
	labelPrefix = "__label__"
	// endOfLine is what a newline counts as.
	endOfLine = "</s>"
)

// ErrFormat is in the chain of errors about a file that is no model.
var ErrFormat = errors.New("not a fastText model")

// Load reads the model in the file path (.bin or .ftz).
func Load(path string) (*Model, error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading fastText model: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil {
		if err := memory.Room("fastText model "+path, uint64(st.Size())); err != nil {
			return nil, err
		}
	}
	m, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("reading fastText model %s: %w", path, err)
	}
	return m, nil
}

// Read reads a model.
func Read(in io.Reader) (*Model, error) {
	r := &reader{in: bufio.NewReaderSize(in, 1<<20)}
	m := &Model{}
	if r.int32() != magic || r.err != nil {
		return nil, fmt.Errorf("%w: it does not start with the right number", ErrFormat)
	}
	version := r.int32()
	if version > newest || version < 1 {
		return nil, fmt.Errorf("%w: version %d, this program reads up to %d", ErrFormat, version, newest)
	}
	m.dim = int(r.int32())
	r.int32() // context window
	r.int32() // epochs
	r.int32() // least count of a word
	r.int32() // negatives
	m.wordNgrams = int(r.int32())
	m.loss = lossKind(r.int32())
	kind := r.int32()
	bucket := r.int32()
	m.minn, m.maxn = int(r.int32()), int(r.int32())
	r.int32() // update rate
	r.int64() // sampling threshold
	const supervised = 3
	switch {
	case r.err != nil:
		return nil, r.err
	case kind != supervised:
		return nil, fmt.Errorf("%w: it predicts no labels (model kind %d, want %d)", ErrFormat, kind, supervised)
	case m.loss < hierarchical || m.loss > oneVsAll:
		return nil, fmt.Errorf("%w: unknown loss %d", ErrFormat, m.loss)
	case m.dim < 1 || m.dim > 1<<16 || bucket < 0:
		return nil, fmt.Errorf("%w: dimension %d, %d buckets", ErrFormat, m.dim, bucket)
	}
	if version == 11 {
		m.maxn = 0 // such models use no character n-grams
	}
	m.bucket = uint32(bucket)
	if bucket > 0 {
		m.bucketInverse = math.MaxUint64/uint64(bucket) + 1
	}
	counts, err := m.readDictionary(r)
	if err != nil {
		return nil, err
	}
	quantised := r.bool()
	if m.input, err = r.matrix(quantised); err != nil {
		return nil, fmt.Errorf("input matrix: %w", err)
	}
	if m.output, err = r.matrix(r.bool() && quantised); err != nil {
		return nil, fmt.Errorf("output matrix: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	if m.loss == hierarchical {
		m.buildTree(counts)
	}
	m.scratch.New = func() any {
		return &scratch{hidden: make([]float32, m.dim), out: make([]float32, len(m.labels))}
	}
	m.subwords = make([][]int32, len(m.words))
	for i, w := range m.words {
		rows := []int32{int32(i)}
		if w != endOfLine {
			rows = m.appendSubwords(rows, w)
		}
		m.subwords[i] = slices.Clip(rows)
	}
	return m, nil
}

// check makes sure that no row number can be out of range.
func (m *Model) check() error {
	rows := len(m.words)
	if m.prune == nil {
		rows += int(m.bucket)
	} else {
		rows += m.prune.rows
	}
	if m.input.rows < rows && (m.maxn > 0 || m.wordNgrams > 1 || m.input.rows < len(m.words)) {
		return fmt.Errorf("%w: the input matrix has %d rows, the dictionary needs %d", ErrFormat, m.input.rows, rows)
	}
	if m.input.cols != m.dim || m.output.cols != m.dim || m.output.rows != len(m.labels) {
		return fmt.Errorf("%w: matrices of %d×%d and %d×%d for dimension %d and %d labels", ErrFormat,
			m.input.rows, m.input.cols, m.output.rows, m.output.cols, m.dim, len(m.labels))
	}
	if len(m.labels) == 0 {
		return fmt.Errorf("%w: it has no labels", ErrFormat)
	}
	return nil
}

// Labels are the model's labels without their prefix.
func (m *Model) Labels() []string { return m.labels }

type reader struct {
	in  *bufio.Reader
	buf [8]byte
	err error
}

func (r *reader) bytes(n int) []byte {
	if r.err == nil {
		if _, err := io.ReadFull(r.in, r.buf[:n]); err != nil {
			r.err = cutShort(err)
			clear(r.buf[:])
		}
	}
	if r.err != nil {
		clear(r.buf[:])
	}
	return r.buf[:n]
}

// cutShort says what an early end of the file means.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the file is cut short: %w", io.ErrUnexpectedEOF)
	}
	return err
}

func (r *reader) bool() bool   { return r.bytes(1)[0] != 0 }
func (r *reader) int32() int32 { return int32(binary.LittleEndian.Uint32(r.bytes(4))) }
func (r *reader) int64() int64 { return int64(binary.LittleEndian.Uint64(r.bytes(8))) }

// block reads n bytes without trusting n before they are there.
func (r *reader) block(n int64) ([]byte, error) {
	const step = 4 << 20
	out := make([]byte, 0, min(n, step))
	for int64(len(out)) < n {
		k := int(min(n-int64(len(out)), step))
		at := len(out)
		out = slices.Grow(out, k)[:at+k]
		if _, err := io.ReadFull(r.in, out[at:]); err != nil {
			return nil, cutShort(err)
		}
	}
	return out, nil
}

func (r *reader) floats(n int64) ([]float32, error) {
	const step = 1 << 20
	out := make([]float32, 0, min(n, step))
	var buf [4096]byte
	for int64(len(out)) < n {
		k := int(min(n-int64(len(out)), int64(len(buf)/4)))
		if _, err := io.ReadFull(r.in, buf[:4*k]); err != nil {
			return nil, cutShort(err)
		}
		for i := range k {
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:])))
		}
	}
	return out, nil
}

func (m *Model) readDictionary(r *reader) (labelCounts []int64, err error) {
	size, nwords, nlabels := r.int32(), r.int32(), r.int32()
	r.int64() // tokens
	pruned := r.int64()
	if r.err != nil {
		return nil, r.err
	}
	if size < 0 || nwords < 0 || nlabels < 0 || int64(nwords)+int64(nlabels) != int64(size) || pruned > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d entries, %d words, %d labels, %d pruned", ErrFormat, size, nwords, nlabels, pruned)
	}
	for i := range size {
		name, err := r.in.ReadString(0)
		if err != nil {
			return nil, cutShort(err)
		}
		name = name[:len(name)-1]
		count, kind := r.int64(), r.bytes(1)[0]
		if r.err != nil {
			return nil, r.err
		}
		if i < nwords != (kind == 0) {
			return nil, fmt.Errorf("%w: words and labels are mixed at entry %d", ErrFormat, i)
		}
		if kind == 0 {
			m.words = append(m.words, name)
		} else {
			m.labels = append(m.labels, strings.ReplaceAll(name, labelPrefix, ""))
			labelCounts = append(labelCounts, count)
		}
	}
	if pruned >= 0 {
		m.prune = newPruneTable(int(min(pruned, 1<<16)))
		for range pruned {
			from, to := r.int32(), r.int32()
			if r.err != nil {
				return nil, r.err
			}
			if to < 0 || to == math.MaxInt32 {
				return nil, fmt.Errorf("%w: bucket %d is pruned to %d", ErrFormat, from, to)
			}
			m.prune.add(uint32(from), to)
		}
	}
	n := 1 << bits.Len(uint(2*len(m.words)))
	m.table = slices.Repeat([]int32{-1}, n)
	for i, w := range m.words {
		at := int(hash(w)) & (n - 1)
		for m.table[at] >= 0 {
			at = (at + 1) & (n - 1)
		}
		m.table[at] = int32(i)
	}
	return labelCounts, nil
}

// hash is FNV-1a over signed bytes, as fastText has always had it.
func hash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(int32(int8(s[i])))) * 16777619
	}
	return h
}

func (m *Model) find(word string, h uint32) int32 {
	mask := len(m.table) - 1
	for at := int(h) & mask; m.table[at] >= 0; at = (at + 1) & mask {
		if m.words[m.table[at]] == word {
			return m.table[at]
		}
	}
	return -1
}

// inBucket is h modulo the number of buckets, exact for all 32-bit h.
func (m *Model) inBucket(h uint32) uint32 {
	hi, _ := bits.Mul64(m.bucketInverse*uint64(h), uint64(m.bucket))
	return uint32(hi)
}

// appendBucket appends the row of a bucket, if pruning left it one.
func (m *Model) appendBucket(rows []int32, bucket uint32) []int32 {
	if m.prune != nil {
		to, ok := m.prune.find(bucket)
		if !ok {
			return rows
		}
		bucket = uint32(to)
	}
	return append(rows, int32(len(m.words))+int32(bucket))
}

// appendSubwords appends the rows of the character n-grams of <word>.
func (m *Model) appendSubwords(rows []int32, word string) []int32 {
	if m.maxn <= 0 || m.bucket == 0 {
		return rows
	}
	// Each start extends its hash character by character: what the
	// reference computes anew for every n-gram.
	size := len(word) + 2
	at := func(i int) byte {
		switch i {
		case 0:
			return '<'
		case size - 1:
			return '>'
		}
		return word[i-1]
	}
	for i := range size {
		if at(i)&0xc0 == 0x80 {
			continue
		}
		h := uint32(2166136261)
		j := i
		for n := 1; j < size && n <= m.maxn; n++ {
			for first := true; first || j < size && at(j)&0xc0 == 0x80; first = false {
				h = (h ^ uint32(int32(int8(at(j))))) * 16777619
				j++
			}
			if n >= m.minn && (n > 1 || i > 0 && j < size) {
				rows = m.appendBucket(rows, m.inBucket(h))
			}
		}
	}
	return rows
}

// isBreak tells the bytes between words.
func isBreak(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r' || c == 0
}

type scratch struct {
	rows   []int32
	hashes []uint32
	hidden []float32
	out    []float32
	best   []scored
}

type scored struct {
	log   float32
	label int32
}

// Predict appends to dst the k most probable labels of the line text (all if
// k is negative) whose probability is at least threshold, most probable
// first. The end of the line counts as a word, as in fastText's Python
// module. A text of which the model knows nothing has no labels.
//
// Labels below 1e-5 may be missing, as in fastText; probabilities carry its
// offset of 1e-5.
func (m *Model) Predict(dst []Prediction, text string, k int, threshold float32) []Prediction {
	s := m.scratch.Get().(*scratch)
	defer m.scratch.Put(s)
	m.lineRows(s, text)
	if len(s.rows) == 0 || k == 0 {
		return dst
	}
	m.input.average(s.hidden, s.rows)
	s.best = s.best[:0]
	if m.loss == hierarchical {
		m.descend(s, len(m.tree)-1, 0, stdLog(threshold))
	} else {
		m.scores(s)
		for i, p := range s.out {
			if p >= threshold {
				s.best = append(s.best, scored{stdLog(p), int32(i)})
			}
		}
	}
	slices.SortStableFunc(s.best, func(a, b scored) int {
		switch {
		case a.log > b.log:
			return -1
		case a.log < b.log:
			return 1
		}
		return 0
	})
	for i, b := range s.best {
		if i == k {
			break
		}
		dst = append(dst, Prediction{m.labels[b.label], float32(math.Exp(float64(b.log)))})
	}
	return dst
}

// lineRows collects the input rows of text up to its first newline.
func (m *Model) lineRows(s *scratch, text string) {
	s.rows, s.hashes = s.rows[:0], s.hashes[:0]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	add := func(word string) {
		h := hash(word)
		id := m.find(word, h)
		switch {
		case id < 0 && strings.HasPrefix(word, labelPrefix):
			return // labels in the text count for nothing
		case id < 0 && word != endOfLine:
			s.rows = m.appendSubwords(s.rows, word)
		case id >= 0 && m.maxn <= 0:
			s.rows = append(s.rows, id)
		case id >= 0:
			s.rows = append(s.rows, m.subwords[id]...)
		}
		s.hashes = append(s.hashes, h)
	}
	for i := 0; ; {
		for i < len(text) && isBreak(text[i]) {
			i++
		}
		if i == len(text) {
			add(endOfLine)
			break
		}
		start := i
		for i < len(text) && !isBreak(text[i]) {
			i++
		}
		word := text[start:i]
		add(word)
		if word == endOfLine {
			break
		}
	}
	if m.wordNgrams < 2 || m.bucket == 0 {
		return
	}
	for i := range s.hashes {
		h := uint64(int64(int32(s.hashes[i])))
		for j := i + 1; j < len(s.hashes) && j < i+m.wordNgrams; j++ {
			h = h*116049371 + uint64(int64(int32(s.hashes[j])))
			s.rows = m.appendBucket(s.rows, uint32(h%uint64(m.bucket)))
		}
	}
}

// stdLog is fastText's logarithm, kept from minus infinity.
func stdLog(x float32) float32 { return float32(math.Log(float64(x) + 1e-5)) }

// scores fills s.out with the probabilities of a flat loss.
func (m *Model) scores(s *scratch) {
	for i := range s.out {
		s.out[i] = m.output.dot(s.hidden, i)
	}
	if m.loss != softmax {
		for i, x := range s.out {
			s.out[i] = sigmoid(x)
		}
		return
	}
	top, sum := slices.Max(s.out), float32(0)
	for i, x := range s.out {
		s.out[i] = float32(math.Exp(float64(x - top)))
		sum += s.out[i]
	}
	for i := range s.out {
		s.out[i] /= sum
	}
}

const (
	sigmoidSteps = 512
	sigmoidMax   = 8
)

// sigmoid is fastText's, from a table of 512 steps.
func sigmoid(x float32) float32 {
	switch {
	case x < -sigmoidMax:
		return 0
	case x > sigmoidMax:
		return 1
	}
	i := int(float32((x + sigmoidMax) * sigmoidSteps / sigmoidMax / 2))
	at := float32(i*2*sigmoidMax)/sigmoidSteps - sigmoidMax
	return float32(1 / (1 + math.Exp(-float64(at))))
}

// node of the Huffman tree; leaves come first, the root last.
type node struct{ left, right int32 }

func (m *Model) buildTree(counts []int64) {
	n := len(counts)
	m.tree = make([]node, 2*n-1)
	weight := make([]int64, 2*n-1)
	for i := range weight {
		weight[i] = 1e15
	}
	copy(weight, counts)
	leaf, inner := n-1, n
	for i := n; i < 2*n-1; i++ {
		var pair [2]int
		for j := range pair {
			if leaf >= 0 && (inner >= i || weight[leaf] < weight[inner]) {
				pair[j] = leaf
				leaf--
			} else {
				pair[j] = inner
				inner++
			}
		}
		m.tree[i] = node{int32(pair[0]), int32(pair[1])}
		weight[i] = weight[pair[0]] + weight[pair[1]]
	}
}

// descend collects the leaves below node whose logarithm is at least low.
func (m *Model) descend(s *scratch, at int, log, low float32) {
	for log >= low {
		n := len(m.labels)
		if at < n {
			s.best = append(s.best, scored{log, int32(at)})
			return
		}
		x := m.output.dot(s.hidden, at-n)
		p := float32(1 / float64(1+float32(math.Exp(float64(-x)))))
		m.descend(s, int(m.tree[at].left), log+stdLog(float32(1-float64(p))), low)
		at, log = int(m.tree[at].right), log+stdLog(p)
	}
}
