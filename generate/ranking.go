package generate

import (
	"cmp"
	"math"
	"slices"
)

// ranking gives places from the largest logit down, of equal ones the first one first. The places are
// thrown into buckets by their logits, and a bucket is sorted when its turn comes: sorting all of a vocabulary
// for each token would take longer than many a model takes to compute it.
type ranking struct {
	logits []float32
	places []int32 // bucket after bucket, from the largest logits down
	starts []int32 // of the buckets in places
	bucket int     // the next one to be sorted
	next   int     // of places
}

// Buckets are of equal width, and reach from the largest logit over the range that has any weight.
const (
	buckets    = 4096
	rankedOver = 32
)

// reset begins with all places, or those that may says. Of them most are asked for; 0: any number.
func (r *ranking) reset(logits []float32, most int, may func(i int) bool) {
	if most == 0 {
		most = len(logits)
	}
	largest, smallest := float32(math.Inf(-1)), float32(math.Inf(1))
	for _, l := range logits {
		if l > largest {
			largest = l
		}
		if l < smallest && l >= -math.MaxFloat32 {
			smallest = l
		}
	}
	var scale float32
	if span := min(largest-smallest, rankedOver); span > 0 {
		scale = (buckets - 1) / span
	}
	// The last bucket takes what lies beyond, and what is no number.
	of := func(l float32) int {
		if b := (largest - l) * scale; b < buckets-1 {
			return int(b)
		}
		return buckets - 1
	}
	r.starts = append(r.starts[:0], make([]int32, buckets+1)...)
	for i, l := range logits {
		if may == nil || may(i) {
			r.starts[of(l)+1]++
		}
	}
	last, all := 0, 0
	for ; last < buckets && all < most; last++ {
		all += int(r.starts[last+1])
		r.starts[last+1] = int32(all)
	}
	r.starts = r.starts[:last+1]
	r.places = slices.Grow(r.places[:0], all)[:all]
	ends := slices.Clone(r.starts)
	for i, l := range logits {
		if b := of(l); b < last && (may == nil || may(i)) {
			r.places[ends[b]] = int32(i)
			ends[b]++
		}
	}
	r.logits, r.bucket, r.next = logits, 0, 0
}

// pop takes the place with the largest logit that is left.
func (r *ranking) pop() (place int, ok bool) {
	if r.next == len(r.places) {
		return 0, false
	}
	for int32(r.next) == r.starts[r.bucket] {
		slices.SortFunc(r.places[r.starts[r.bucket]:r.starts[r.bucket+1]], func(a, b int32) int {
			return cmp.Or(cmp.Compare(r.logits[b], r.logits[a]), cmp.Compare(a, b))
		})
		r.bucket++
	}
	r.next++
	return int(r.places[r.next-1]), true
}
