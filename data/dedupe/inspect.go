package dedupe

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"olmo/store"
)

// FilterStat is what a look through a filter's file shows.
type FilterStat struct {
	K           int     // hash functions
	Bytes       int64   // of the filter's bits
	HeaderBytes int64   // before them
	FileBytes   int64   // of the whole file, which may be longer
	Load        float64 // share of the bits that are set
}

// IsFilter tells whether a file that begins with head says that it is a Bloom filter.
func IsFilter(head []byte) bool {
	return len(head) >= 8 && binary.LittleEndian.Uint32(head) == bloomMagic
}

// Inspect reads the filter file at path to its end and keeps nothing of it, so that a
// filter of any size takes no memory.
func Inspect(path string) (FilterStat, error) {
	file, err := store.Open(path)
	if err != nil {
		return FilterStat{}, fmt.Errorf("reading Bloom filter: %w", err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return FilterStat{}, fmt.Errorf("reading Bloom filter: %w", err)
	}
	s := FilterStat{FileBytes: st.Size()}
	br := bufio.NewReaderSize(file, 1<<20)
	f, words, err := readHeader(br, st.Size())
	if err != nil {
		return s, fmt.Errorf("reading Bloom filter %s: %w", path, err)
	}
	s.K, s.Bytes, s.HeaderBytes = len(f.seeds), 4*int64(words), 12+32*int64(len(f.seeds))+8
	set, block := 0, make([]byte, 1<<16)
	for left := s.Bytes; left > 0; {
		b := block[:min(int64(len(block)), left)]
		if _, err := io.ReadFull(br, b); err != nil {
			return s, fmt.Errorf("reading Bloom filter %s: %w", path, cutOff(err))
		}
		left -= int64(len(b))
		for ; len(b) > 0; b = b[4:] {
			set += bits.OnesCount32(binary.LittleEndian.Uint32(b))
		}
	}
	s.Load = float64(set) / float64(8*s.Bytes)
	return s, nil
}
