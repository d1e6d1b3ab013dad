package dedupe

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/data"
	"olmo/internal/memory"
	whole "olmo/store"
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

// files are those of the filter, none when there is none.
func (b *Bloom) files() ([]string, error) {
	n, err := b.parts()
	out := make([]string, n)
	for i := range out {
		out[i] = b.part(i, n)
	}
	return out, err
}

// fills tells whether a run writes the filter of these files. Dolma also writes one
// that is only read and not there.
func (b *Bloom) fills(files []string) bool { return !b.ReadOnly || len(files) == 0 }

var partName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\.[0-9]+-of-[0-9]+$`)
})

// names are the files that the filter may have had or may get, as far as that can
// be seen: its parts depend on the number of keys, which is not known at the start.
func (b *Bloom) names() []string {
	out := []string{b.File}
	dir, base := filepath.Split(b.File)
	entries, _ := os.ReadDir(filepath.Clean(dir)) // a folder that is missing has none
	for _, e := range entries {
		name := e.Name()
		if whole.IsTemporary(name) {
			name = name[1 : len(name)-len(".tmp")]
		}
		if rest, ok := strings.CutPrefix(name, base); ok && partName().MatchString(rest) && !slices.Contains(out, dir+name) {
			out = append(out, dir+name)
		}
	}
	return out
}

// comparePart orders the files of a filter by their numbers.
func comparePart(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// escapeGlob makes a pattern that matches the path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// planFilter finds the filter's files, or the size that the settings ask for,
// and tells it before anything is done.
func (r *run) planFilter(ctx context.Context) (filterPlan, error) {
	b, most := &r.cfg.BloomFilter, r.cfg.memory
	if parts := len(r.filled); parts > 0 {
		for _, path := range r.filled {
			st, err := os.Stat(path)
			if err != nil {
				return filterPlan{}, err
			}
			if most > 0 && st.Size() > int64(most) {
				return filterPlan{}, fmt.Errorf("the Bloom filter %s has %s, memory allows %s\nhint: a filter that exists keeps its size; build it anew with this memory", path, memory.Text(uint64(int(st.Size()))), memory.Text(uint64(most)))
			}
		}
		if !b.ReadOnly {
			r.cfg.Logf("the Bloom filter %s exists: what it holds from earlier runs counts as seen", r.filled[0])
		}
		return filterPlan{parts: parts}, nil
	}
	n, sizeFor := b.EstimatedDocCount, SizeFor
	if n == 0 {
		r.cfg.Logf("counting keys, because bloom_filter.estimated_doc_count is not set")
		keys, err := r.count(ctx)
		if err != nil {
			return filterPlan{}, err
		}
		// Fewer keys would get more hash functions in the smallest filter, and
		// make every one of them slower, for a chance that is nil already.
		n, sizeFor = max(keys, minCounted), sizeForCounted
	}
	size := b.SizeInBytes
	if size == 0 {
		size = sizeFor(n, b.DesiredFalsePositiveRate)
	}
	plan := filterPlan{parts: 1, bytes: size, hashes: HashesFor(size, n)}
	if most > 0 {
		// A part of 2ⁿ words needs no division for the place of a bit.
		for plan.bytes > most {
			plan.parts *= 2
			plan.bytes = size / plan.parts
		}
		const mostParts = 1 << 12
		if plan.parts > mostParts {
			return filterPlan{}, fmt.Errorf("a Bloom filter of %s for %d keys would take %d passes with memory for %s\nhint: give it more memory, or a higher desired_false_positive_rate", memory.Text(uint64(size)), n, plan.parts, memory.Text(uint64(most)))
		}
	}
	r.cfg.Logf("Bloom filter for %d keys: %s, %d hashes a key, false positives %.2g when full", n, memory.Text(uint64(size)), plan.hashes, FalsePositives(size, n, plan.hashes))
	if plan.parts > 1 {
		r.cfg.Logf("memory holds %s of it: %d passes over the corpus, each with a part of the keys", memory.Text(uint64(plan.bytes)), plan.parts)
	}
	return plan, nil
}

// openFilter reads or makes the filter of this pass.
func (r *run) openFilter(plan filterPlan) (*Filter, error) {
	r.filter = nil // its memory is wanted for the next one
	if len(r.filled) == 0 {
		what := fmt.Sprintf("a Bloom filter with %d hashes a key", plan.hashes)
		if err := memory.Room(what, uint64(plan.bytes)); err != nil {
			return nil, fmt.Errorf("%w\nhint: --memory takes several passes over the corpus, each with a part of the keys; or set a smaller bloom_filter.estimated_doc_count or size_in_bytes, or a higher desired_false_positive_rate", err)
		}
		return NewFilter(plan.bytes, plan.hashes, r.cfg.BloomFilter.Seed)
	}
	path := r.filled[r.pass]
	in, err := r.stage.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading Bloom filter: %w", err)
	}
	defer in.Close()
	f, err := readFilter(in, in.Info().Size)
	if err == nil {
		err = in.Whole()
	}
	if err != nil {
		return nil, fmt.Errorf("reading Bloom filter %s: %w", path, err)
	}
	return f, nil
}

// writeFilter makes a file of the filter, which gets its name with all outputs.
func (r *run) writeFilter(path string) error {
	w, err := r.stage.Create(r.whole, path, data.Plain)
	if err != nil {
		return fmt.Errorf("writing Bloom filter: %w", err)
	}
	defer w.Abort()
	if _, err := r.filter.WriteTo(w); err != nil {
		return fmt.Errorf("writing Bloom filter: %w", err)
	}
	return w.Close()
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

// newAnswers starts the file beside a part of the filter. The lock on the filter
// keeps other runs away from it.
func newAnswers(part string) (*answers, error) {
	path := whole.Temporary(part + ".answers")
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
