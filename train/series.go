package train

import (
	"fmt"
	"path/filepath"
	"slices"

	"olmo/store"
)

// series knows the checkpoints of a run folder by how long each is kept, as steps in
// ascending order. It is read once: reading all manifests at each save would make a
// run's savings quadratic.
type series map[kind][]int

// readSeries reads the manifests of a folder. A checkpoint without one that can be read
// is not ours to remove, and is left out.
func readSeries(dir string) (series, error) {
	steps, err := Steps(dir)
	if err != nil {
		return nil, err
	}
	s := series{}
	for _, n := range steps {
		if m, err := ReadManifest(filepath.Join(dir, fmt.Sprintf("step%d", n))); err == nil {
			s[kind(m.Kind)] = append(s[kind(m.Kind)], n)
		}
	}
	return s, nil
}

// add notes a checkpoint that was written, and returns the steps of those that keep now
// gives up: never this one, nor later ones, which another run left.
func (s series) add(step int, k kind, keep map[kind]int) (given []int) {
	for other, steps := range s {
		if at, found := slices.BinarySearch(steps, step); found {
			s[other] = slices.Delete(steps, at, at+1)
		}
	}
	at, _ := slices.BinarySearch(s[k], step)
	s[k] = slices.Insert(s[k], at, step)
	for other, steps := range s {
		n, limited := keep[other]
		switch {
		case other == ephemeral:
			n = 0
		case !limited || n < 0:
			continue
		case other != kept:
			n = max(n, 1)
		}
		if other == k {
			n = max(n, 1) // this one
		}
		past, _ := slices.BinarySearch(steps, step+1)
		if drop := past - n; drop > 0 {
			given = append(given, steps[:drop]...)
			s[other] = slices.Delete(steps, 0, drop)
		}
	}
	slices.Sort(given)
	return given
}

// retire is add, and removes the folders of the checkpoints that are given up.
func (s series) retire(dir string, step int, k kind, keep map[kind]int) error {
	for _, old := range s.add(step, k, keep) {
		if err := store.RemoveFolder(filepath.Join(dir, fmt.Sprintf("step%d", old))); err != nil {
			return fmt.Errorf("removing step%d, which is no longer kept: %w", old, err)
		}
	}
	return nil
}
