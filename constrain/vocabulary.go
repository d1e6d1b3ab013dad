package constrain

import (
	"cmp"
	"errors"
	"slices"

	"olmo/tokenizer"
)

// Vocabulary is the tokens of a tokenizer as a tree of their bytes. It does not change, and
// may be used by any number of machines and goroutines.
type Vocabulary struct {
	tokenizer *tokenizer.Tokenizer
	bytes     []string // by id; "" for those that never come inside an answer
	nodes     []node   // in the order of their bytes, a node before those below it
	more      []int32  // ids of tokens with the bytes of another token, by that one's
	longest   int      // bytes of a token
	single    [256]bool
}

// node is a place in the tree: the bytes of all nodes on the way to it, and its own.
type node struct {
	id    int32 // −1 for none
	end   int32 // the first node that is not below this one
	depth uint16
	b     byte
}

// maxTokenBytes bounds the tokens that are used: a token of a thousand blanks would be rare.
const maxTokenBytes = 1 << 10

// NewVocabulary makes a vocabulary for a model of V ids. Special tokens and those of end,
// which end a text, are left out: no answer that is held to a form has them inside.
func NewVocabulary(t *tokenizer.Tokenizer, V int, end []int32) (*Vocabulary, error) {
	pieces, err := t.Pieces()
	if err != nil {
		return nil, err
	}
	pieces = pieces[:min(V, len(pieces))]
	v := &Vocabulary{tokenizer: t, bytes: pieces, more: make([]int32, len(pieces))}
	for _, a := range t.Describe().AddedTokens {
		if a.Special {
			end = append(slices.Clip(end), a.ID)
		}
	}
	for _, id := range end {
		if id >= 0 && int(id) < len(pieces) {
			pieces[id] = ""
		}
	}
	var ids []int32
	for id, s := range pieces {
		v.more[id] = -1
		if s == "" || len(s) > maxTokenBytes {
			pieces[id] = ""
			continue
		}
		ids = append(ids, int32(id))
		v.longest = max(v.longest, len(s))
		if len(s) == 1 {
			v.single[s[0]] = true
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("the tokenizer has no tokens of bytes")
	}
	slices.SortFunc(ids, func(a, b int32) int { return cmp.Or(cmp.Compare(pieces[a], pieces[b]), cmp.Compare(a, b)) })
	var path []int32 // nodes of the last token
	last := int32(-1)
	for _, id := range ids {
		s := pieces[id]
		if last >= 0 && pieces[last] == s {
			v.more[last], last = id, id
			continue
		}
		shared := 0
		for shared < len(path) && v.nodes[path[shared]].b == s[shared] {
			shared++
		}
		for _, n := range path[shared:] {
			v.nodes[n].end = int32(len(v.nodes))
		}
		path = path[:shared]
		for i := shared; i < len(s); i++ {
			path = append(path, int32(len(v.nodes)))
			v.nodes = append(v.nodes, node{id: -1, depth: uint16(i), b: s[i]})
		}
		v.nodes[len(v.nodes)-1].id = id
		last = id
	}
	for _, n := range path {
		v.nodes[n].end = int32(len(v.nodes))
	}
	return v, nil
}

// words is the length of a bit set over the ids.
func (v *Vocabulary) words() int { return (len(v.bytes) + 63) / 64 }
