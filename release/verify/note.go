package verify

import (
	"io"
	"maps"
	"path"
	"slices"

	"olmo/proof"
	"olmo/proof/note"
)

// noteFile is the head of the chain, signed, in train/ of a release. A run has notes of its heads as it
// went on, in notesFolder.
const (
	noteFile    = "chain.note"
	notesFolder = "notes"
)

// signedHead is what a note says of the chain.
type signedHead struct {
	path string
	note.Head
}

// readNotes reads all notes, to be held against the chain where it is as long as they say.
func (v *verifier) readNotes() {
	v.heads = map[uint64][]signedHead{}
	found := false
	for _, name := range sortedKeys(v.there) {
		e := v.there[name]
		if e.odd != "" || !v.wanted(name) || name != "train/"+noteFile && (v.release != nil || path.Dir(name) != notesFolder || path.Ext(name) != ".note") {
			continue
		}
		found = true
		h, err := v.readNote(e)
		switch {
		case err != nil && v.o.Note != nil:
			v.problem(Signature, name, "%s: %v", name, err)
		case err != nil:
			v.problem(Chain, name, "%s: %v", name, err)
		case v.release != nil && h.Origin != v.release.Name:
			v.problem(Chain, name, "%s is of %q, the release is %s", name, h.Origin, v.release.Name)
		default:
			v.heads[uint64(h.Size)] = append(v.heads[uint64(h.Size)], signedHead{name, h})
		}
	}
	switch {
	case v.o.Note != nil && !found:
		v.problem(Signature, v.train+noteFile, "there is no note of the chain, which the key could have signed")
	case v.o.Note == nil && found:
		v.note("the signatures of notes were not checked: no key for them was given")
	}
}

func (v *verifier) readNote(e *entry) (h note.Head, err error) {
	in, err := e.text()
	if err != nil {
		return h, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, note.MaxSize+1))
	if err != nil {
		return h, err
	}
	return note.Open(text, v.o.Note)
}

// holdNotes compares the notes of a chain that is as long as this with the root over its lines.
func (v *verifier) holdNotes(tree *proof.Tree, step int) {
	for _, h := range v.heads[tree.Len()] {
		if root := tree.Root(); root != h.Root {
			v.problem(Chain, h.path, "%s is of another chain: the root over %d lines is %v there, here %v", h.path, h.Size, h.Root, root).at(step)
		}
	}
	delete(v.heads, tree.Len())
}

// judgeNotes says what notes say beside roots.
func (v *verifier) judgeNotes(lines int) {
	for _, size := range slices.Sorted(maps.Keys(v.heads)) {
		for _, h := range v.heads[size] {
			if v.release != nil {
				v.problem(Chain, h.path, "%s is of %d lines, the chain has %d", h.path, h.Size, lines)
			} else {
				v.note("%s is of %d lines, the chain has %d: the run went back to a checkpoint, or is another", h.path, h.Size, lines)
			}
		}
	}
}
