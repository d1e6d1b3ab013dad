// Package python holds those of Python's rules that the definition of a task depends on:
// random, re, ast.literal_eval and json.dumps, of CPython 3.11; and what NumPy's RandomState draws.
package python

import (
	"errors"
	"math"
	"math/bits"
)

// Random is random.Random: a Mersenne Twister, MT19937 (Matsumoto and Nishimura 1998), seeded
// as CPython seeds it with an integer (Modules/_randommodule.c, random_seed).
type Random struct {
	state [624]uint32
	next  int
}

// NewRandom is random.Random(seed).
func NewRandom(seed uint64) *Random {
	key := []uint32{uint32(seed)}
	if high := uint32(seed >> 32); high != 0 {
		key = append(key, high)
	}
	r := &Random{}
	r.initialise(19650218)
	i, j := 1, 0
	for range max(len(r.state), len(key)) {
		r.state[i] = (r.state[i] ^ (r.state[i-1]^r.state[i-1]>>30)*1664525) + key[j] + uint32(j)
		i, j = i+1, (j+1)%len(key)
		if i == len(r.state) {
			r.state[0], i = r.state[len(r.state)-1], 1
		}
	}
	for range len(r.state) - 1 {
		r.state[i] = (r.state[i] ^ (r.state[i-1]^r.state[i-1]>>30)*1566083941) - uint32(i)
		if i++; i == len(r.state) {
			r.state[0], i = r.state[len(r.state)-1], 1
		}
	}
	r.state[0] = 1 << 31
	return r
}

func (r *Random) initialise(seed uint32) {
	r.state[0] = seed
	for i := 1; i < len(r.state); i++ {
		r.state[i] = 1812433253*(r.state[i-1]^r.state[i-1]>>30) + uint32(i)
	}
	r.next = len(r.state)
}

// word is the generator's next 32 bits.
func (r *Random) word() uint32 {
	const n, m = 624, 397
	if r.next == n {
		for i := range n {
			y := r.state[i]&0x80000000 | r.state[(i+1)%n]&0x7fffffff
			v := r.state[(i+m)%n] ^ y>>1
			if y&1 != 0 {
				v ^= 0x9908b0df
			}
			r.state[i] = v
		}
		r.next = 0
	}
	y := r.state[r.next]
	r.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// Float is random(): at least 0, below 1.
func (r *Random) Float() float64 {
	a, b := r.word()>>5, r.word()>>6
	return (float64(a)*67108864 + float64(b)) / 9007199254740992
}

// Below is randrange(n): an integer below n, which must be positive and fit 32 bits.
func (r *Random) Below(n int) int {
	k := bits.Len(uint(n))
	for {
		if x := int(r.word() >> (32 - k)); x < n {
			return x
		}
	}
}

// ErrSample is that of drawing more than there is.
var ErrSample = errors.New("sample larger than population or is negative")

// Sample is sample(range(n), k): k different numbers below n, in the order in which they are
// drawn.
func (r *Random) Sample(n, k int) ([]int, error) {
	if k < 0 || k > n {
		return nil, ErrSample
	}
	out := make([]int, k)
	// Few of many are drawn against those that were drawn; else what is left is kept.
	few := 21.0
	if k > 5 {
		few += math.Pow(4, math.Ceil(math.Log(float64(k*3))/math.Log(4)))
	}
	if float64(n) <= few {
		pool := make([]int, n)
		for i := range pool {
			pool[i] = i
		}
		for i := range k {
			j := r.Below(n - i)
			out[i] = pool[j]
			pool[j] = pool[n-i-1]
		}
		return out, nil
	}
	drawn := map[int]bool{}
	for i := range k {
		j := r.Below(n)
		for drawn[j] {
			j = r.Below(n)
		}
		drawn[j], out[i] = true, j
	}
	return out, nil
}

// Shuffle is shuffle(range(n)).
func (r *Random) Shuffle(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := r.Below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return out
}
