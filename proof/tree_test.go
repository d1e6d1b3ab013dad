package proof

import (
	"fmt"
	"testing"
)

// The roots of RFC 6962's definition, computed by the definition itself.
func slow(leaves [][]byte) Hash {
	switch len(leaves) {
	case 0:
		return Sum(nil)
	case 1:
		return Sum(append([]byte{0}, leaves[0]...))
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	l, r := slow(leaves[:k]), slow(leaves[k:])
	return Sum(append(append([]byte{1}, l[:]...), r[:]...))
}

func TestTree(t *testing.T) {
	// The known root of Certificate Transparency's test vectors over 8 leaves.
	vectors := [][]byte{{}, {0}, {0x10}, {0x20, 0x21}, {0x30, 0x31}, {0x40, 0x41, 0x42, 0x43}, {0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57}, {0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f}}
	var tree Tree
	for _, v := range vectors {
		tree.Add(v)
	}
	if got := tree.Root().String(); got != "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" {
		t.Errorf("8 leaves: %s", got)
	}
	var leaves [][]byte
	var hashes []Hash
	var grown Tree
	for n := range 70 {
		want := slow(leaves)
		if got := grown.Root(); got != want {
			t.Fatalf("%d leaves: %v, want %v", n, got, want)
		}
		for i := range hashes {
			p := PathOf(hashes, i)
			if got, err := p.Root(hashes[i]); err != nil || got != want {
				t.Fatalf("path of leaf %d of %d: %v, %v", i, n, got, err)
			}
			if got, err := p.Root(Hash{1}); err == nil && got == want {
				t.Fatalf("another leaf passes with the path of leaf %d of %d", i, n)
			}
			longer := Path{p.Index, p.Size, append(p.Path[:len(p.Path):len(p.Path)], Hash{})}
			if got, err := longer.Root(hashes[i]); err == nil && got == want {
				t.Fatalf("a longer path of leaf %d of %d passes", i, n)
			}
			if n > 1 {
				shorter := Path{p.Index, p.Size, p.Path[:len(p.Path)-1]}
				if _, err := shorter.Root(hashes[i]); err == nil {
					t.Fatalf("a shorter path of leaf %d of %d passes", i, n)
				}
			}
		}
		text := fmt.Appendf(nil, "leaf %d", n)
		leaves, hashes = append(leaves, text), append(hashes, Leaf(text))
		grown.Add(text)
	}
	if _, err := (&Path{Index: 3, Size: 3}).Root(Hash{}); err == nil {
		t.Error("a leaf behind the last passes")
	}
}
