package tokens

import (
	"fmt"
	"math"
	"slices"
)

// Curriculum says when the batches of each length come, in a data set of variable
// lengths, with OLMo-core's names: Pouransari et al. 2024 (arXiv:2405.13226).
type Curriculum struct {
	// Name is natural (all batches at random, the default), or grow_p2 or grow_linear, which go
	// from shorter to longer batches in each of NumCycles cycles.
	Name      string `yaml:"name"`
	NumCycles int    `yaml:"num_cycles"`
	// Balanced takes as many batches of each length as the rarest has.
	Balanced bool `yaml:"balanced"`
}

// SetDefaults gives OLMo-core's defaults.
func (c *Curriculum) SetDefaults() { c.Name, c.NumCycles = "natural", 8 }

// Check reports a curriculum that is not possible.
func (c *Curriculum) Check() error {
	switch c.Name {
	case "natural":
		return nil
	case "grow_p2", "grow_linear":
		if c.NumCycles <= 0 {
			return fmt.Errorf("num_cycles is %d, it must be positive", c.NumCycles)
		}
		return nil
	}
	return fmt.Errorf("the curriculum %q is not known\nhint: one of natural, grow_p2, grow_linear", c.Name)
}

// bucket holds all instances of one length.
type bucket struct {
	length    int
	instances []uint32
}

// fillBuckets sorts the instances by length, the shortest first.
func (d *Dataset) fillBuckets() {
	for n := d.cfg.MinLength; n <= d.cfg.ChunkSize; n *= 2 {
		d.buckets = append(d.buckets, bucket{length: n})
	}
	for i, p := range d.assembly.parts {
		k := 0
		for d.buckets[k].length < int(p.n) {
			k++
		}
		d.buckets[k].instances = append(d.buckets[k].instances, uint32(i))
	}
}

// schedule is the order of an epoch over instances of variable lengths. Batches are
// numbered through the buckets; all have the same number of tokens.
type schedule struct {
	buckets []bucket // with instances in the epoch's order
	batches []int    // of each bucket
	order   []uint32 // of the batches
}

// newSchedule draws the order of an epoch, in batches of so many tokens: NumpyVSLDataLoader of
// OLMo-core (src/olmo_core/data/data_loader.py), whose random numbers these are.
func newSchedule(buckets []bucket, c Curriculum, batchTokens int, seed, epoch uint64, shuffle bool) *schedule {
	s := &schedule{batches: c.batches(buckets, batchTokens)}
	for _, b := range buckets {
		if shuffle {
			b.instances = slices.Clone(b.instances)
			newPCG64(seedWords(seed, epoch+uint64(b.length))).shuffle(b.instances)
		}
		s.buckets = append(s.buckets, b)
	}
	r := newPCG64(seedWords(seed, epoch))
	switch {
	case !shuffle:
		s.order = upTo(s.total())
	case c.Name == "natural":
		s.natural(r)
	default:
		s.grow(r, c)
	}
	return s
}

// batches is how many batches of each length an epoch has.
func (c *Curriculum) batches(buckets []bucket, batchTokens int) []int {
	var counts []int
	for _, b := range buckets {
		counts = append(counts, len(b.instances)/(batchTokens/b.length))
	}
	if c.Name == "natural" {
		return counts
	}
	least := slices.Min(counts)
	for i := range counts {
		if c.Balanced {
			counts[i] = least
		}
		counts[i] -= counts[i] % c.NumCycles
	}
	return counts
}

// Batches is how many batches of so many instances an epoch has; where lengths vary, of as many
// tokens as so many of the longest instances have.
func (d *Dataset) Batches(size int, c Curriculum) int {
	if d.cfg.Layout != Variable {
		return d.Len() / size
	}
	n := 0
	for _, k := range c.batches(d.buckets, size*d.cfg.ChunkSize) {
		n += k
	}
	return n
}

func (s *schedule) total() int {
	n := 0
	for _, k := range s.batches {
		n += k
	}
	return n
}

// upTo lists 0 to n-1.
func upTo(n int) []uint32 {
	list := make([]uint32, n)
	for i := range list {
		list[i] = uint32(i)
	}
	return list
}

// first is the number of the first batch of a bucket.
func (s *schedule) first(bucket int) int {
	n := 0
	for _, k := range s.batches[:bucket] {
		n += k
	}
	return n
}

// longest is the last bucket with a batch; OLMo-core stops where the longest of all
// lengths has none.
func (s *schedule) longest() int {
	k := len(s.batches) - 1
	for k > 0 && s.batches[k] == 0 {
		k--
	}
	return k
}

// natural puts the batches in any order, after one of the longest: what does not fit in
// memory shows at once.
func (s *schedule) natural(r *pcg64) {
	s.order = upTo(s.total())
	if len(s.order) == 0 {
		return
	}
	k := s.longest()
	i := s.first(k) + int(r.below(uint32(s.batches[k])))
	s.order[0], s.order[i] = s.order[i], s.order[0]
	r.shuffle(s.order[1:])
}

// grow puts the batches in cycles. Each is cut into as many parts as there are lengths; an
// earlier part has more of the short batches, a later one of the long.
func (s *schedule) grow(r *pcg64, c Curriculum) {
	n := len(s.batches)
	for cycle := range c.NumCycles {
		parts := make([][]uint32, n)
		for bucket, batches := range s.batches {
			// The counts of batches are multiples of the cycles.
			each := batches / c.NumCycles
			at := uint32(s.first(bucket) + cycle*each)
			for part, k := range shares(bucket, n, each, c.Name == "grow_p2") {
				for range k {
					parts[part] = append(parts[part], at)
					at++
				}
			}
		}
		for _, part := range parts {
			r.shuffle(part)
			s.order = append(s.order, part...)
		}
	}
	long := uint32(s.first(s.longest()))
	if i := slices.IndexFunc(s.order, func(b uint32) bool { return b >= long }); i > 0 {
		s.order[0], s.order[i] = s.order[i], s.order[0]
	}
}

// shares says how many of so many batches of a bucket come in each part of a cycle. The odds of
// a bucket are numbers from 1 to the number of buckets, or the powers of two below, shifted
// so that the shortest are likeliest in the first part and the longest in the last.
func shares(bucket, buckets, batches int, powers bool) []int {
	start := buckets - bucket
	var odds []float64
	var sum float64
	for part := range buckets {
		o := start + part
		if o > buckets {
			o = start - o%buckets
		}
		odd := float64(o)
		if powers {
			odd = math.Ldexp(1, o-1)
		}
		odds = append(odds, odd)
		sum += odd
	}
	var counts []int
	left := batches
	for _, o := range odds {
		// Python's round.
		k := int(math.RoundToEven(float64(o/sum) * float64(batches)))
		counts = append(counts, k)
		left -= k
	}
	counts[buckets-1] += max(left, 0)
	// Rounding may also give too many, where OLMo-core fails.
	for part := buckets - 1; left < 0; part-- {
		k := min(-left, counts[part])
		counts[part] -= k
		left += k
	}
	return counts
}

// batch says which instances batch k of the epoch holds, of the ranks one after the other,
// and their length.
func (s *schedule) batch(k, batchTokens int) (instances []uint32, length int) {
	b := int(s.order[k])
	bucket := 0
	for b >= s.batches[bucket] {
		b -= s.batches[bucket]
		bucket++
	}
	length = s.buckets[bucket].length
	n := batchTokens / length
	return s.buckets[bucket].instances[b*n:][:n], length
}
