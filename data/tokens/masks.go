package tokens

import (
	"fmt"
	"slices"

	"olmo/data/store"
	"olmo/proof"
)

// MasksRoot is the root of the tree over a run's label mask files, each once, in byte order of
// their names (TreeNames): a leaf is a file's name, NUL and the hash of its content.
func MasksRoot(paths []string) (proof.Hash, error) {
	hashes := map[string]proof.Hash{}
	var names []string
	for i, name := range TreeNames(paths) {
		if _, known := hashes[name]; known {
			continue
		}
		h, err := hashMask(paths[i])
		if err != nil {
			return proof.Hash{}, fmt.Errorf("label mask %s: %w", paths[i], err)
		}
		names, hashes[name] = append(names, name), h
	}
	slices.Sort(names)
	var t proof.Tree
	for _, name := range names {
		h := hashes[name]
		t.Add(append(append([]byte(name), 0), h[:]...))
	}
	return t.Root(), nil
}

func hashMask(path string) (h proof.Hash, err error) {
	f, err := store.Open(path)
	if err != nil {
		return h, err
	}
	defer f.Close()
	return proof.SumReader(f)
}
