package mix

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// sampler decides how often a document is written, by its id and a seed alone.
type sampler struct {
	ratio float64 // copies of a document on average
	seed  uint64
}

// copies is the most that a document is written.
func (s sampler) copies() int { return max(1, int(math.Ceil(s.ratio))) }

// takes tells whether copy c of a document, from 0, is written.
func (s sampler) takes(id string, c int) bool {
	share := s.ratio - float64(c)
	if share >= 1 {
		return true
	}
	// FNV-1a, then Vigna's finaliser of splitmix64 for the high bits.
	h := uint64(14695981039346656037) ^ s.seed*0x9e3779b97f4a7c15
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return float64((h^h>>31)>>11)/(1<<53) < share
}

// copyName is the file of copy c of a shard's documents: copies lie in files of
// their own, so that they do not follow each other.
func copyName(output string, c int) string {
	if c == 0 {
		return output
	}
	i := strings.LastIndexAny(output, `/\`) + 1
	name := output[i:]
	stem := name
	for ext := filepath.Ext(stem); ext == ".gz" || ext == ".zst" || ext == ".jsonl" || ext == ".json"; ext = filepath.Ext(stem) {
		stem = strings.TrimSuffix(stem, ext)
	}
	return output[:i] + stem + "-copy" + strconv.Itoa(c) + strings.TrimPrefix(name, stem)
}
