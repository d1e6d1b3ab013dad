package tokenizer

// cutTable tells where a word can be cut in two that are encoded alone: at
// places that lie inside no token that merging can make. It looks at the two
// bytes on each side.
type cutTable struct {
	pairs [1 << 16 / 64]uint64 // the byte before and the byte behind a place inside a token
	quads []uint64             // hashed: two and two
}

const cutQuadBits = 22

func newCutTable(m *bpe, f *fastBPE) *cutTable {
	c := &cutTable{quads: make([]uint64, 1<<cutQuadBits/64)}
	var b []byte
	made := make([]bool, len(m.vocab.tokens))
	for _, id := range f.results {
		if made[id] {
			continue
		}
		made[id] = true
		b = f.appendText(b[:0], m.vocab.tokens[id])
		for i := 1; i < len(b); i++ {
			if i >= 2 && i+2 <= len(b) {
				q := cutQuad(uint32(b[i-2]) | uint32(b[i-1])<<8 | uint32(b[i])<<16 | uint32(b[i+1])<<24)
				c.quads[q/64] |= 1 << (q % 64)
				continue
			}
			p := uint32(b[i-1])<<8 | uint32(b[i])
			c.pairs[p/64] |= 1 << (p % 64)
		}
	}
	return c
}

func cutQuad(x uint32) uint32 { return x * 0x9E3779B1 >> (32 - cutQuadBits) }

// at tells whether s can be cut before s[i]; 2 ≤ i ≤ len(s)−2.
func (c *cutTable) at(s string, i int) bool {
	p := uint32(s[i-1])<<8 | uint32(s[i])
	if c.pairs[p/64]>>(p%64)&1 != 0 {
		return false
	}
	q := cutQuad(uint32(s[i-2]) | uint32(s[i-1])<<8 | uint32(s[i])<<16 | uint32(s[i+1])<<24)
	return c.quads[q/64]>>(q%64)&1 == 0
}
