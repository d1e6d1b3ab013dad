package tokens

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/bits"

	"olmo/store"
)

// pcg64 is NumPy's default bit generator, PCG XSL RR 128/64 (O'Neill 2014),
// seeded through SeedSequence, with the half-used 64-bit draw that NumPy keeps
// for 32-bit requests. Checked against NumPy 1.26.4.
type pcg64 struct {
	hi, lo       uint64 // state
	incHi, incLo uint64
	half         uint32
	hasHalf      bool
}

const (
	pcgMulHi = 0x2360ED051FC65DA4
	pcgMulLo = 0x4385DF649FCCF645
)

// newPCG64 is numpy.random.PCG64(seed) for a seed of any size, given as
// little-endian 32-bit words without leading zero words (at least one word).
func newPCG64(seed []uint32) *pcg64 {
	a := seedSequence(seed)
	p := &pcg64{incHi: a[2]<<1 | a[3]>>63, incLo: a[3]<<1 | 1}
	p.step()
	var carry uint64
	p.lo, carry = bits.Add64(p.lo, a[1], 0)
	p.hi, _ = bits.Add64(p.hi, a[0], carry)
	p.step()
	return p
}

func (p *pcg64) step() {
	hi, lo := bits.Mul64(p.lo, pcgMulLo)
	hi += p.hi*pcgMulLo + p.lo*pcgMulHi
	var carry uint64
	p.lo, carry = bits.Add64(lo, p.incLo, 0)
	p.hi, _ = bits.Add64(hi, p.incHi, carry)
}

func (p *pcg64) uint64() uint64 {
	p.step()
	return bits.RotateLeft64(p.hi^p.lo, -int(p.hi>>58))
}

// uint32 gives the low half of a 64-bit draw first and keeps the high half for
// the next call.
func (p *pcg64) uint32() uint32 {
	if p.hasHalf {
		p.hasHalf = false
		return p.half
	}
	v := p.uint64()
	p.half, p.hasHalf = uint32(v>>32), true
	return uint32(v)
}

// interval draws from 0 to max inclusive as numpy's random_interval does:
// masked rejection on 32-bit draws.
func (p *pcg64) interval(max uint32) uint32 {
	if max == 0 {
		return 0
	}
	mask := uint32(1)<<bits.Len32(max) - 1
	for {
		if v := p.uint32() & mask; v <= max {
			return v
		}
	}
}

// below draws from 0 to n-1 as numpy's Generator.integers does: Lemire's
// multiplication on 32-bit draws.
func (p *pcg64) below(n uint32) uint32 {
	if n <= 1 {
		return 0 // numpy draws nothing
	}
	m := uint64(p.uint32()) * uint64(n)
	if uint32(m) < n {
		for threshold := -n % n; uint32(m) < threshold; {
			m = uint64(p.uint32()) * uint64(n)
		}
	}
	return uint32(m >> 32)
}

// shuffle is numpy's Generator.shuffle, of one axis.
func (p *pcg64) shuffle(list []uint32) {
	for i := len(list) - 1; i > 0; i-- {
		j := p.interval(uint32(i))
		list[i], list[j] = list[j], list[i]
	}
}

// seedSequence is numpy.random.SeedSequence(entropy).generate_state(4, uint64).
func seedSequence(entropy []uint32) [4]uint64 {
	const (
		initA, multA = 0x43b0d7e5, 0x931e8875
		initB, multB = 0x8b51f9dd, 0x58f38ded
		mixL, mixR   = 0xca01f9dd, 0x4973f715
	)
	hash := uint32(initA)
	hashmix := func(v uint32) uint32 {
		v ^= hash
		hash *= multA
		v *= hash
		return v ^ v>>16
	}
	mix := func(x, y uint32) uint32 {
		r := x*mixL - y*mixR
		return r ^ r>>16
	}
	var pool [4]uint32
	for i := range pool {
		var w uint32
		if i < len(entropy) {
			w = entropy[i]
		}
		pool[i] = hashmix(w)
	}
	for s := range pool {
		for d := range pool {
			if s != d {
				pool[d] = mix(pool[d], hashmix(pool[s]))
			}
		}
	}
	for s := len(pool); s < len(entropy); s++ {
		for d := range pool {
			pool[d] = mix(pool[d], hashmix(entropy[s]))
		}
	}
	hash = initB
	var out [8]uint32
	for i := range out {
		v := pool[i%4] ^ hash
		hash *= multB
		v *= hash
		out[i] = v ^ v>>16
	}
	var u [4]uint64
	for i := range u {
		u[i] = uint64(out[2*i]) | uint64(out[2*i+1])<<32
	}
	return u
}

// seedWords are the 32-bit words of seed+epoch, which may need 65 bits.
func seedWords(seed, epoch uint64) []uint32 {
	sum, carry := bits.Add64(seed, epoch, 0)
	w := []uint32{uint32(sum), uint32(sum >> 32), uint32(carry)}
	for len(w) > 1 && w[len(w)-1] == 0 {
		w = w[:len(w)-1]
	}
	return w
}

// Order is the sequence in which an epoch visits n instances:
// numpy.random.Generator(PCG64(seed+epoch)).shuffle(arange(n, dtype=uint32)),
// as IterableDataset._build_global_indices in OLMo's
// olmo/data/iterable_dataset.py does it. It depends on nothing else.
func Order(n int, seed, epoch uint64) []uint32 {
	order := upTo(n)
	newPCG64(seedWords(seed, epoch)).shuffle(order)
	return order
}

// WriteOrder writes indices as OLMo's global_indices.npy: raw little-endian
// uint32 without a header, despite the name. The file appears complete or not
// at all.
func WriteOrder(path string, indices []uint32) error {
	f, err := store.Create(path)
	if err != nil {
		return fmt.Errorf("writing data order %s: %w", path, err)
	}
	defer f.Abort()
	w := bufio.NewWriterSize(f, 1<<16)
	var b [4]byte
	for _, v := range indices {
		binary.LittleEndian.PutUint32(b[:], v)
		if _, err := w.Write(b[:]); err != nil {
			return fmt.Errorf("writing data order %s: %w", path, err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing data order %s: %w", path, err)
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("writing data order %s: %w", path, err)
	}
	return nil
}
