// Package dedupe marks documents, paragraphs and n-grams that a corpus holds
// more than once: exactly, with a Bloom filter in Dolma's file format, or nearly,
// by MinHash.
package dedupe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"olmo/internal/memory"
	"olmo/store"
)

// A Filter is a Bloom filter in Dolma's file format (src/bloom_filter.rs,
// 1.2.1): magic, version, k, k seeds of four u64, the number of 32-bit words,
// the words, all little-endian. Hash i of a key is aHash with seed i.
//
// Contains may be called from several goroutines as long as none inserts.
type Filter struct {
	words  []uint32
	seeds  [][4]uint64
	states []ahash // of the seeds, padded to a multiple of four
}

const (
	bloomMagic   = 0x81F0F117
	bloomVersion = 1
	minBloomSize = 1 << 20
	// A file that names more hash functions was not written by Dolma: 1 MiB
	// for a single element would need 5,814,540, and no run is that small.
	maxHashes = 1 << 20
)

// HashesFor is the number of hash functions that suits a filter of so many
// bytes for n keys: ceil(m/n·ln 2). For n of 0 it is 0, which no filter can
// have.
func HashesFor(bytes, n int) int {
	if n <= 0 {
		return 0
	}
	return int(math.Ceil(float64(bytes) * 8 / float64(n) * math.Ln2))
}

// FalsePositives is the chance that a filter of so many bytes with k hashes
// and n keys in it takes a new key for a known one.
func FalsePositives(bytes, n, k int) float64 {
	m := float64(bytes) * 8
	return math.Pow(1-math.Pow(1-1/m, float64(k)*float64(n)), float64(k))
}

// SizeFor is the number of bytes of a filter for n keys: doubled from 1 MiB
// until the chance of a false positive is at most p, as Dolma sizes it.
func SizeFor(n int, p float64) int {
	size := minBloomSize
	for size < math.MaxInt64/4 && FalsePositives(size, n, HashesFor(size, n)) > p {
		size *= 2
	}
	return size
}

// sizeForCounted is the number of bytes of a filter for n keys that were counted: the
// least, in whole words and from 1 MiB, at which the chance of a false positive is at
// most p. SizeFor's doubling has room for keys that an estimate missed; here it would
// make the filter of twice the documents four times as large where their keys pass a
// power of two.
func sizeForCounted(n int, p float64) int {
	bytes := math.Log2(1/p) / math.Ln2 / 8 * float64(n)
	if bytes >= math.MaxInt64/8 {
		return SizeFor(n, p)
	}
	size := max(minBloomSize, (int(bytes)+3)/4*4)
	// The number of hash functions is a whole one, which wants a little more.
	for FalsePositives(size, n, HashesFor(size, n)) > p {
		size += max(4, size>>12/4*4)
	}
	return size
}

// NewFilter makes an empty filter of size bytes (rounded down to whole 32-bit
// words) with k hash functions. Dolma draws the seeds of the functions at
// random; here they follow from seed, so that a run can be repeated.
func NewFilter(size, k int, seed uint64) (*Filter, error) {
	switch {
	case size < 4:
		return nil, fmt.Errorf("a Bloom filter of %d bytes cannot hold anything", size)
	case k <= 0 || k > maxHashes:
		return nil, fmt.Errorf("a Bloom filter with %d hash functions is not possible\nhint: set bloom_filter.estimated_doc_count to the number of keys", k)
	}
	f := &Filter{words: make([]uint32, size/4), seeds: make([][4]uint64, k)}
	for i := range f.seeds {
		for j := range f.seeds[i] {
			f.seeds[i][j] = splitmix64(&seed)
		}
	}
	f.start()
	return f, nil
}

// splitmix64 is Vigna's generator; it only spreads the seed over many words.
func splitmix64(s *uint64) uint64 {
	*s += 0x9e3779b97f4a7c15
	z := *s
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (f *Filter) start() {
	f.states = make([]ahash, 0, len(f.seeds)+3)
	for _, s := range f.seeds {
		f.states = append(f.states, newAhash(s))
	}
	f.states = padStates(f.states)
}

// K is the number of hash functions.
func (f *Filter) K() int { return len(f.seeds) }

// Size is the number of bytes of the filter's bits.
func (f *Filter) Size() int { return 4 * len(f.words) }

// Load is the share of bits that are set. A filter filled with the number of
// keys that it was sized for is at about one half.
func (f *Filter) Load() float64 {
	n := 0
	for _, w := range f.words {
		n += bits.OnesCount32(w)
	}
	return float64(n) / float64(32*len(f.words))
}

// ReadFilter reads the filter file at path.
func ReadFilter(path string) (*Filter, error) {
	file, err := store.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading Bloom filter: %w", err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading Bloom filter: %w", err)
	}
	f, err := readFilter(file, st.Size())
	if err != nil {
		return nil, fmt.Errorf("reading Bloom filter %s: %w", path, err)
	}
	return f, nil
}

// readFilter reads a filter of which size bytes are there, so that a header
// that lies about its length cannot make it allocate more than the file has.
func readFilter(r io.Reader, size int64) (*Filter, error) {
	br := bufio.NewReaderSize(r, 1<<20)
	f, n, err := readHeader(br, size)
	if err != nil {
		return nil, err
	}
	if err := memory.Room("it", 4*n); err != nil {
		return nil, err
	}
	f.words = make([]uint32, n)
	block := make([]byte, 1<<16)
	for i := 0; i < len(f.words); {
		b := block[:min(len(block), 4*(len(f.words)-i))]
		if _, err := io.ReadFull(br, b); err != nil {
			return nil, cutOff(err)
		}
		for ; len(b) > 0; b = b[4:] {
			f.words[i] = binary.LittleEndian.Uint32(b)
			i++
		}
	}
	f.start()
	return f, nil
}

// readHeader reads what stands before the words of a filter: its seeds, and how many
// words follow.
func readHeader(br io.Reader, size int64) (*Filter, uint64, error) {
	var head [12]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return nil, 0, cutOff(err)
	}
	if m := binary.LittleEndian.Uint32(head[0:]); m != bloomMagic {
		return nil, 0, fmt.Errorf("it starts with %#x, want %#x: this is no Bloom filter of Dolma", m, uint32(bloomMagic))
	}
	if v := binary.LittleEndian.Uint32(head[4:]); v != bloomVersion {
		return nil, 0, fmt.Errorf("it has version %d, want %d", v, bloomVersion)
	}
	k := int64(binary.LittleEndian.Uint32(head[8:]))
	if k == 0 || k > maxHashes || 12+32*k+8 > size {
		return nil, 0, fmt.Errorf("it names %d hash functions in a file of %d bytes", k, size)
	}
	f := &Filter{seeds: make([][4]uint64, k)}
	var buf [32]byte
	for i := range f.seeds {
		if _, err := io.ReadFull(br, buf[:]); err != nil {
			return nil, 0, cutOff(err)
		}
		for j := range f.seeds[i] {
			f.seeds[i][j] = binary.LittleEndian.Uint64(buf[8*j:])
		}
	}
	if _, err := io.ReadFull(br, buf[:8]); err != nil {
		return nil, 0, cutOff(err)
	}
	// A file may be longer than its filter: Dolma does not shorten a larger
	// file that it writes over.
	n := binary.LittleEndian.Uint64(buf[:])
	if left := uint64(size-12-32*k-8) / 4; n == 0 || n > left {
		return nil, 0, fmt.Errorf("it says that %d words follow, there are %d\nhint: the file is cut off", n, left)
	}
	return f, n, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// WriteTo writes the filter's file.
func (f *Filter) WriteTo(w io.Writer) (n int64, err error) {
	b := binary.LittleEndian.AppendUint32(nil, bloomMagic)
	b = binary.LittleEndian.AppendUint32(b, bloomVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.seeds)))
	for _, s := range f.seeds {
		for _, v := range s {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(f.words)))
	for i := 0; i < len(f.words); {
		for ; i < len(f.words) && len(b) < 1<<16; i++ {
			b = binary.LittleEndian.AppendUint32(b, f.words[i])
		}
		m, err := w.Write(b)
		n += int64(m)
		if err != nil {
			return n, err
		}
		b = b[:0]
	}
	return n, nil
}

// Contains tells whether a key with these hashes was inserted, or seems so.
func (f *Filter) Contains(hashes []uint64) bool {
	n := uint64(len(f.words))
	for _, h := range hashes {
		if f.words[h/32%n]&(1<<(h%32)) == 0 {
			return false
		}
	}
	return true
}

// Insert adds the key with these hashes.
func (f *Filter) Insert(hashes []uint64) {
	n := uint64(len(f.words))
	for _, h := range hashes {
		f.words[h/32%n] |= 1 << (h % 32)
	}
}

// A position is the place of a bit in a filter; 32 bits do for filters up to
// 512 MiB and halve what a batch of keys takes.
type position interface{ ~uint32 | ~uint64 }

// positionsOf appends where the bits of the hashes lie.
func positionsOf[P position](f *Filter, dst []P, hashes []uint64) []P {
	n := uint64(len(f.words))
	if n&(n-1) == 0 { // the usual case, and a division saved per hash
		for _, h := range hashes {
			dst = append(dst, P(h&(32*n-1)))
		}
		return dst
	}
	for _, h := range hashes {
		dst = append(dst, P(h/32%n*32+h%32))
	}
	return dst
}

// known tells whether all bits are set, and with insert sets them.
func known[P position](f *Filter, positions []P, insert bool) bool {
	for i, p := range positions {
		w := &f.words[p/32]
		if *w&(1<<(p%32)) != 0 {
			continue
		}
		if insert {
			for _, p := range positions[i:] {
				f.words[p/32] |= 1 << (p % 32)
			}
		}
		return false
	}
	return true
}

// Hashes appends the K hashes of a key, given as the strings that Dolma puts
// into one VecDeque: a document's key, a paragraph, or the words of an n-gram.
func (f *Filter) Hashes(dst []uint64, key ...string) []uint64 {
	var k hashKey
	k.reset(len(key))
	for _, s := range key {
		k.add(s)
	}
	return k.hashes(dst, f.states)[:len(dst)+f.K()]
}
