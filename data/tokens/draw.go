package tokens

import "math/bits"

// mt19937 is the Mersenne twister (Matsumoto and Nishimura 1998), which PyTorch's generators
// are on the CPU.
type mt19937 struct {
	state [624]uint32
	next  int
}

func newMT19937(seed uint32) *mt19937 {
	m := &mt19937{next: len(mt19937{}.state)}
	m.state[0] = seed
	for i := 1; i < len(m.state); i++ {
		p := m.state[i-1]
		m.state[i] = 1812433253*(p^p>>30) + uint32(i)
	}
	return m
}

func (m *mt19937) uint32() uint32 {
	const n, half = len(m.state), 397
	if m.next == n {
		m.next = 0
		for i := range m.state {
			y := m.state[i]&(1<<31) | m.state[(i+1)%n]&(1<<31-1)
			v := m.state[(i+half)%n] ^ y>>1
			if y&1 != 0 {
				v ^= 0x9908b0df
			}
			m.state[i] = v
		}
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// pythonRandom is random.Random(seed) of Python, whose state comes from the seed's words.
func pythonRandom(seed uint64) *mt19937 {
	key := seedWords(seed, 0)
	m := newMT19937(19650218)
	const n = len(m.state)
	i, j := 1, 0
	step := func(factor uint32) uint32 {
		p := m.state[i-1]
		return m.state[i] ^ (p^p>>30)*factor
	}
	wrap := func() {
		if i++; i == n {
			m.state[0], i = m.state[n-1], 1
		}
	}
	for range n {
		m.state[i] = step(1664525) + key[j] + uint32(j)
		j = (j + 1) % len(key)
		wrap()
	}
	for range n - 1 {
		m.state[i] = step(1566083941) - uint32(i)
		wrap()
	}
	m.state[0] = 1 << 31
	return m
}

// PermuteSources is the order of n files under OLMo-core's source_permutation_seed:
// random.Random(seed).shuffle of Python 3.
func PermuteSources(n int, seed uint64) []uint32 {
	order := upTo(n)
	m := pythonRandom(seed)
	for i := n - 1; i > 0; i-- {
		shift := 32 - bits.Len(uint(i+1))
		j := m.uint32() >> shift
		for j > uint32(i) {
			j = m.uint32() >> shift
		}
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// Draw is the order in which PyTorch's DistributedSampler, at its epoch 0, visits n instances over
// all ranks: torch.randperm with a generator of that seed (ATen/native/TensorFactories.cpp,
// 2.15.0), cut to a multiple of the ranks with dropLast, else filled up from its beginning.
func Draw(n int, seed uint64, world int, dropLast bool) []uint32 {
	order := upTo(n)
	m := newMT19937(uint32(seed))
	for i := range max(n-1, 0) {
		j := i + int(m.uint32()%uint32(n-i))
		order[i], order[j] = order[j], order[i]
	}
	if dropLast {
		return order[:n/world*world]
	}
	for total := (n + world - 1) / world * world; len(order) < total; {
		order = append(order, order[:min(total-len(order), n)]...)
	}
	return order
}
