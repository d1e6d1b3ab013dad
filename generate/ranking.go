package generate

import (
	"math"
	"slices"
)

// ranking gives places from the largest logit down, of equal ones the first one first. The places are
// thrown into buckets by their logits, and a bucket is sorted when its turn comes: sorting all of a vocabulary
// for each token would take longer than many a model takes to compute it.
type ranking struct {
	logits []float32
	places []int32 // bucket after bucket, from the largest logits down
	starts []int32 // of the buckets in places, and their end
	ends   []int32
	bucket int     // the next one to be sorted
	next   int     // of places
	most   []int32 // of largest
}

// Buckets are of equal width, and reach from the largest logit over the range that has any weight.
const (
	buckets    = 4096
	rankedOver = 32
)

// reset begins with some places, ascending; nil: all.
func (r *ranking) reset(logits []float32, of []int32) {
	n := len(logits)
	if of != nil {
		n = len(of)
	}
	place := func(k int) int32 {
		if of != nil {
			return of[k]
		}
		return int32(k)
	}
	largest, smallest := float32(math.Inf(-1)), float32(math.Inf(1))
	for k := range n {
		l := logits[place(k)]
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
	bucket := func(l float32) int {
		if b := (largest - l) * scale; b < buckets-1 {
			return int(b)
		}
		return buckets - 1
	}
	r.starts = slices.Grow(r.starts[:0], buckets+1)[:buckets+1]
	clear(r.starts)
	for k := range n {
		r.starts[bucket(logits[place(k)])+1]++
	}
	for b := range buckets {
		r.starts[b+1] += r.starts[b]
	}
	r.places = slices.Grow(r.places[:0], n)[:n]
	r.ends = append(r.ends[:0], r.starts...)
	for k := range n {
		p := place(k)
		b := bucket(logits[p])
		r.places[r.ends[b]] = p
		r.ends[b]++
	}
	r.logits, r.bucket, r.next = logits, 0, 0
}

// pop takes the place with the largest logit that is left.
func (r *ranking) pop() (place int, ok bool) {
	if r.next == len(r.places) {
		return 0, false
	}
	for int32(r.next) == r.starts[r.bucket] {
		sortPlaces(r.logits, r.places[r.starts[r.bucket]:r.starts[r.bucket+1]])
		r.bucket++
	}
	r.next++
	return int(r.places[r.next-1]), true
}

func sortPlaces(logits []float32, places []int32) {
	slices.SortFunc(places, func(a, b int32) int {
		switch x, y := logits[a], logits[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return int(a - b)
	})
}

// largest returns the k places with the largest logits, from the largest down, of equal ones the first one first.
// They are lent until the next call.
func (r *ranking) largest(logits []float32, k int) []int32 {
	keep := max(64, 4*k)
	most := r.most[:0]
	// Once there are k, only what is larger than the smallest of them can be among them: of equal ones the
	// first counts.
	floor := float32(math.Inf(-1))
	for i, l := range logits {
		if l <= floor && len(most) >= k {
			continue
		}
		if most = append(most, int32(i)); len(most) == keep {
			sortPlaces(logits, most)
			most = most[:k]
			floor = logits[most[k-1]]
		}
	}
	sortPlaces(logits, most)
	r.most = most
	return most[:min(k, len(most))]
}
