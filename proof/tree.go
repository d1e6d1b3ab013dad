package proof

import (
	"crypto/sha256"
	"errors"
	"math/bits"
)

// Leaf is the hash of a leaf with this string (RFC 6962, section 2.1).
func Leaf(text []byte) Hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(text)
	return Hash(h.Sum(nil))
}

func node(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Tree grows by leaves and knows the root over all of them, as RFC 6962 defines it. It keeps one
// hash for each bit of their number.
type Tree struct {
	n     uint64
	whole []Hash // roots of complete trees, the largest first: one for each bit of n
}

// Add adds a leaf with this string.
func (t *Tree) Add(text []byte) { t.AddLeaf(Leaf(text)) }

// AddLeaf adds a leaf by its hash.
func (t *Tree) AddLeaf(h Hash) {
	for n := t.n; n&1 == 1; n >>= 1 {
		last := len(t.whole) - 1
		h = node(t.whole[last], h)
		t.whole = t.whole[:last]
	}
	t.whole = append(t.whole, h)
	t.n++
}

// Len is the number of leaves.
func (t *Tree) Len() uint64 { return t.n }

// Root is the hash over all leaves, that of nothing without any.
func (t *Tree) Root() Hash {
	if t.n == 0 {
		return Sum(nil)
	}
	root := t.whole[len(t.whole)-1]
	for i := len(t.whole) - 2; i >= 0; i-- {
		root = node(t.whole[i], root)
	}
	return root
}

// Path proves that a leaf is in a tree: the hashes beside its way to the root, from below.
type Path struct {
	Index uint64 `json:"index"` // of the leaf
	Size  uint64 `json:"size"`  // leaves of the tree
	Path  []Hash `json:"path"`
}

// PathOf is the proof for one of the leaves (RFC 6962, section 2.1.1). It panics where index is none
// of theirs.
func PathOf(leaves []Hash, index int) Path {
	return Path{Index: uint64(index), Size: uint64(len(leaves)), Path: path(leaves, index)}
}

func path(leaves []Hash, index int) []Hash {
	if len(leaves) <= 1 {
		_ = leaves[index]
		return nil
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	if index < k {
		return append(path(leaves[:k], index), rootOf(leaves[k:]))
	}
	return append(path(leaves[k:], index-k), rootOf(leaves[:k]))
}

func rootOf(leaves []Hash) Hash {
	var t Tree
	for _, h := range leaves {
		t.AddLeaf(h)
	}
	return t.Root()
}

// Root is the root of the tree in which the proof places a leaf; an error where no tree of that
// size has such a path (RFC 9162, section 2.1.3.2).
func (p *Path) Root(leaf Hash) (Hash, error) {
	wrong := errors.New("the path is not of a tree of that size")
	if p.Index >= p.Size {
		return Hash{}, wrong
	}
	at, last, root := p.Index, p.Size-1, leaf
	for _, beside := range p.Path {
		if last == 0 {
			return Hash{}, wrong
		}
		if at&1 == 1 || at == last {
			root = node(beside, root)
			for at&1 == 0 && at != 0 {
				at, last = at>>1, last>>1
			}
		} else {
			root = node(root, beside)
		}
		at, last = at>>1, last>>1
	}
	if last != 0 {
		return Hash{}, wrong
	}
	return root, nil
}
