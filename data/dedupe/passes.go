package dedupe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// filterPlan is the size of a Bloom filter and the number of parts that it is
// cut into, each for the keys of one pass over the corpus.
type filterPlan struct {
	parts int
	// Of a new filter: the bytes of a part and its hash functions.
	bytes, hashes int
}

// part is the file of one of n parts of the filter.
func (b *Bloom) part(i, n int) string {
	if n == 1 {
		return b.File
	}
	return fmt.Sprintf("%s.%d-of-%d", b.File, i+1, n)
}

// parts is how many files the filter is kept in, 0 when there is none.
func (b *Bloom) parts() (int, error) {
	if exists(b.File) {
		return 1, nil
	}
	found, err := filepath.Glob(escapeGlob(b.File) + ".1-of-*")
	if err != nil {
		return 0, fmt.Errorf("looking for the Bloom filter: %w", err)
	}
	for _, f := range found {
		n, err := strconv.Atoi(strings.TrimPrefix(f, b.File+".1-of-"))
		if err != nil || n < 2 {
			continue
		}
		for i := range n {
			if !exists(b.part(i, n)) {
				return 0, fmt.Errorf("%s exists but %s does not\nhint: the run that made them was interrupted; remove them, or restore the missing one", f, b.part(i, n))
			}
		}
		return n, nil
	}
	return 0, nil
}

// unfinishedPart ends the name of a part of the filter while others are missing.
const unfinishedPart = ".part.tmp"

// finish gives the parts of a filter their names. The first, by which the
// others are found, is the last.
func (b *Bloom) finish(n int) error {
	for i := n - 1; i >= 0; i-- {
		path := b.part(i, n)
		if !exists(path + unfinishedPart) {
			continue // it was only read
		}
		if err := os.Rename(path+unfinishedPart, path); err != nil {
			return fmt.Errorf("writing Bloom filter: %w", err)
		}
	}
	return nil
}

// escapeGlob makes a pattern that matches the path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// planFilter finds the filter's files, or the size that the settings ask for,
// and tells it before anything is done.
func (r *run) planFilter(ctx context.Context, files []string) (filterPlan, error) {
	b, memory := &r.cfg.BloomFilter, r.cfg.memory
	parts, err := b.parts()
	if err != nil {
		return filterPlan{}, err
	}
	if parts > 0 {
		for i := range parts {
			st, err := os.Stat(b.part(i, parts))
			if err != nil {
				return filterPlan{}, err
			}
			if memory > 0 && st.Size() > int64(memory) {
				return filterPlan{}, fmt.Errorf("the Bloom filter %s has %s, memory allows %s\nhint: a filter that exists keeps its size; build it anew with this memory", b.part(i, parts), bytesText(int(st.Size())), bytesText(memory))
			}
		}
		if !b.ReadOnly {
			r.cfg.logf("the Bloom filter %s exists: what it holds from earlier runs counts as seen", b.part(0, parts))
		}
		return filterPlan{parts: parts}, nil
	}
	if b.ReadOnly && !r.cfg.Compat {
		return filterPlan{}, fmt.Errorf("bloom_filter.read_only is set and %s does not exist\nhint: build it first, with read_only false, from the documents to compare with", b.File)
	}
	n := b.EstimatedDocCount
	if n == 0 {
		r.cfg.logf("counting keys, because bloom_filter.estimated_doc_count is not set")
		keys, err := r.count(ctx, files)
		if err != nil {
			return filterPlan{}, err
		}
		// Fewer keys would get more hash functions in the smallest filter, and
		// make every one of them slower, for a chance that is nil already.
		n = max(keys, minCounted)
	}
	size := b.SizeInBytes
	if size == 0 {
		size = SizeFor(n, b.DesiredFalsePositiveRate)
	}
	plan := filterPlan{parts: 1, bytes: size, hashes: HashesFor(size, n)}
	if memory > 0 {
		// A part of 2ⁿ words needs no division for the place of a bit.
		for plan.bytes > memory {
			plan.parts *= 2
			plan.bytes = size / plan.parts
		}
		const mostParts = 1 << 12
		if plan.parts > mostParts {
			return filterPlan{}, fmt.Errorf("a Bloom filter of %s for %d keys would take %d passes with memory for %s\nhint: give it more memory, or a higher desired_false_positive_rate", bytesText(size), n, plan.parts, bytesText(memory))
		}
	}
	r.cfg.logf("Bloom filter for %d keys: %s, %d hashes a key, false positives %.2g when full", n, bytesText(size), plan.hashes, FalsePositives(size, n, plan.hashes))
	if plan.parts > 1 {
		r.cfg.logf("memory holds %s of it: %d passes over the corpus, each with a part of the keys", bytesText(plan.bytes), plan.parts)
	}
	return plan, nil
}

// openFilter reads or makes the filter of this pass.
func (r *run) openFilter(plan filterPlan) (*Filter, error) {
	b := &r.cfg.BloomFilter
	r.filter = nil // its memory is wanted for the next one
	if path := b.part(r.pass, plan.parts); exists(path) {
		return ReadFilter(path)
	}
	return NewFilter(plan.bytes, plan.hashes, b.Seed)
}

// answers is a file of bits: what the filter said of the keys of a pass, in
// the order of the corpus.
type answers struct {
	file  *os.File
	w     *bufio.Writer
	r     *bufio.Reader
	byte  byte
	count uint // bits in byte
	err   error
}

func newAnswers(path string) (*answers, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fmt.Errorf("keeping the answers of a pass: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("keeping the answers of a pass: %w", err)
	}
	return &answers{file: f, w: bufio.NewWriter(f)}, nil
}

func (a *answers) add(yes bool) {
	if yes {
		a.byte |= 1 << a.count
	}
	if a.count++; a.count == 8 {
		if err := a.w.WriteByte(a.byte); err != nil && a.err == nil {
			a.err = fmt.Errorf("keeping the answers of a pass: %w", err)
		}
		a.byte, a.count = 0, 0
	}
}

// rewind ends the writing and starts the reading.
func (a *answers) rewind() error {
	for a.count > 0 {
		a.add(false)
	}
	err := a.w.Flush()
	if err == nil {
		_, err = a.file.Seek(0, io.SeekStart)
	}
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("keeping the answers of a pass: %w", err)
	}
	a.r = bufio.NewReader(a.file)
	return a.err
}

func (a *answers) next() bool {
	if a.count == 0 {
		b, err := a.r.ReadByte()
		if err != nil && a.err == nil {
			a.err = fmt.Errorf("reading the answers of a pass: %w", err)
		}
		a.byte, a.count = b, 8
	}
	yes := a.byte&1 != 0
	a.byte >>= 1
	a.count--
	return yes
}

func (a *answers) remove() {
	a.file.Close()
	os.Remove(a.file.Name())
}
