package tokenizer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// charsMap is the precompiled normaliser of a SentencePiece model: a Darts
// double array that maps texts to places in a list of strings that each end in
// a zero byte (spm_precompiled 0.1.4, and the reference's
// normalizers/precompiled.rs).
type charsMap struct {
	units []uint32
	text  []byte
}

func parseCharsMap(data []byte) (*charsMap, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("%d bytes are too short", len(data))
	}
	size := int64(binary.LittleEndian.Uint32(data))
	if size%4 != 0 || size > int64(len(data)-4) || size == 0 {
		return nil, fmt.Errorf("its trie has %d bytes of %d", size, len(data)-4)
	}
	m := &charsMap{units: make([]uint32, size/4), text: data[4+size:]}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4+4*i:])
	}
	if !utf8.Valid(m.text) {
		return nil, fmt.Errorf("its strings are not valid UTF-8")
	}
	return m, nil
}

// transform returns what the shortest start of s that the map has becomes; all
// of s is replaced by it.
func (m *charsMap) transform(s string) (string, bool) {
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	node := offset(m.units[0])
	for i := range len(s) {
		c := uint32(s[i])
		node ^= c
		if c == 0 || int64(node) >= int64(len(m.units)) {
			return "", false
		}
		unit := m.units[node]
		if unit&(1<<31|0xFF) != c {
			return "", false
		}
		node ^= offset(unit)
		if unit>>8&1 == 1 {
			if int64(node) >= int64(len(m.units)) {
				return "", false
			}
			at := m.units[node] & (1<<31 - 1)
			if int64(at) > int64(len(m.text)) {
				return "", false
			}
			rest := m.text[at:]
			if end := bytes.IndexByte(rest, 0); end >= 0 {
				rest = rest[:end]
			}
			return string(rest), utf8.Valid(rest)
		}
	}
	return "", false
}

func (m *charsMap) normalize(p *piece) {
	text := p.text
	changed := false
	m.clusters(text, func(_, _ string, mapped bool) bool {
		changed = mapped
		return !mapped
	})
	if !changed {
		return
	}
	p.transform(func(emit func(change)) {
		// The last one waits, as what becomes nothing is its to swallow.
		var last change
		waits := false
		add := func(r rune, delta int) {
			if waits {
				emit(last)
			}
			last, waits = change{r, delta}, true
		}
		m.clusters(text, func(part, to string, mapped bool) bool {
			if !mapped {
				for _, r := range part {
					add(r, 0)
				}
				return true
			}
			n := utf8.RuneCountInString(to)
			more := n - utf8.RuneCountInString(part)
			i := 0
			for _, r := range to {
				delta := 0
				if i >= n-more {
					delta = 1 // the last ones are new
				}
				add(r, delta)
				i++
			}
			if more < 0 && waits {
				last.delta += more
			}
			return true
		})
		if waits {
			emit(last)
		}
	}, 0)
}

// clusters calls f for the parts of s that are mapped at once, and what each becomes where the map has it,
// until f returns false.
func (m *charsMap) clusters(s string, f func(part, to string, mapped bool) bool) {
	for g := graphemes.FromString(s); g.Next(); {
		cluster := g.Value()
		if len(cluster) < 6 {
			if to, ok := m.transform(cluster); ok {
				if !f(cluster, to, true) {
					return
				}
				continue
			}
		}
		for i, r := range cluster {
			part := cluster[i : i+runeLen(r, cluster[i:])]
			to, ok := m.transform(part)
			if !f(part, to, ok) {
				return
			}
		}
	}
}
