package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// AddedToken is a token that is found in the text before the model sees it.
type AddedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // not inside a word
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`      // takes the white space behind it
	Normalized bool   `json:"normalized"`  // is looked for in the normalised text
	Special    bool   `json:"special"`     // left out by Decode's skipSpecial
}

// tokenFinder finds the leftmost, and of those the longest, of a set of
// strings.
type tokenFinder struct {
	// byFirst lists the tokens of each first byte, longest first.
	byFirst [256][]foundToken
	firsts  []byte // those that have any
	many    [256]*tokenIndex
}

// tokenIndex finds tokens with one first byte, of which there are too many to look
// at each: Gemma has 6,000 that begin with <.
type tokenIndex struct {
	lengths []int // in bytes, longest first
	byText  map[string]foundToken
}

const manyTokens = 32

type foundToken struct {
	text  string
	token *AddedToken
}

func newTokenFinder(list []foundToken) *tokenFinder {
	if len(list) == 0 {
		return nil
	}
	f := &tokenFinder{}
	for _, t := range list {
		c := t.text[0]
		if f.byFirst[c] == nil {
			f.firsts = append(f.firsts, c)
		}
		f.byFirst[c] = append(f.byFirst[c], t)
	}
	for c, l := range f.byFirst {
		slices.SortStableFunc(l, func(a, b foundToken) int { return len(b.text) - len(a.text) })
		if len(l) <= manyTokens {
			continue
		}
		x := &tokenIndex{byText: map[string]foundToken{}}
		for _, t := range l {
			if n := len(x.lengths); n == 0 || x.lengths[n-1] > len(t.text) {
				x.lengths = append(x.lengths, len(t.text))
			}
			if _, again := x.byText[t.text]; !again {
				x.byText[t.text] = t
			}
		}
		f.many[c] = x
	}
	return f
}

// at returns the longest token that starts at s[i].
func (f *tokenFinder) at(s string, i int) (foundToken, bool) {
	if x := f.many[s[i]]; x != nil {
		for _, n := range x.lengths {
			if i+n > len(s) {
				continue
			}
			if t, ok := x.byText[s[i:i+n]]; ok {
				return t, true
			}
		}
		return foundToken{}, false
	}
	for _, t := range f.byFirst[s[i]] {
		if strings.HasPrefix(s[i:], t.text) {
			return t, true
		}
	}
	return foundToken{}, false
}

// next returns the first match at or after from; i is −1 if there is none.
func (f *tokenFinder) next(s string, from int) (t foundToken, i int) {
	if len(f.firsts) == 1 {
		for i := from; i < len(s); i++ {
			j := strings.IndexByte(s[i:], f.firsts[0])
			if j < 0 {
				return foundToken{}, -1
			}
			i += j
			if t, ok := f.at(s, i); ok {
				return t, i
			}
		}
		return foundToken{}, -1
	}
	for i := from; i < len(s); i++ {
		if f.byFirst[s[i]] != nil {
			if t, ok := f.at(s, i); ok {
				return t, i
			}
		}
	}
	return foundToken{}, -1
}

// cut splits p at the tokens that f finds in its text, as the reference's
// AddedVocabulary.find_matches does, and calls each for the pieces that are not empty.
func (f *tokenFinder) cut(p piece, each func(piece)) {
	if f == nil {
		if p.text != "" {
			each(p)
		}
		return
	}
	word := unicodeTables().classes["word"]
	s := p.text
	done := 0 // everything before is in dst
	for from := 0; from < len(s); {
		t, start := f.next(s, from)
		if start < 0 {
			break
		}
		end := start + len(t.text)
		from = end
		if t.token.SingleWord {
			before, _ := utf8.DecodeLastRuneInString(s[:start])
			after, _ := utf8.DecodeRuneInString(s[end:])
			if start > 0 && word.contains(before) || end < len(s) && word.contains(after) {
				continue
			}
		}
		if t.token.LStrip {
			at := start
			for at > 0 {
				r, n := utf8.DecodeLastRuneInString(s[:at])
				if !isSpace(r) {
					break
				}
				at -= n
			}
			start = max(at, done)
		}
		if t.token.RStrip {
			for end < len(s) {
				r, n := utf8.DecodeRuneInString(s[end:])
				if !isSpace(r) {
					break
				}
				end += n
			}
		}
		if done < start {
			each(p.slice(done, start))
		}
		q := p.slice(start, end)
		q.token = t.token.ID
		each(q)
		done = end
	}
	if done < len(s) {
		each(p.slice(done, len(s)))
	}
}

// addedOrder returns the ids of the added tokens in order.
func (t *Tokenizer) addedOrder() []int32 { return slices.Sorted(maps.Keys(t.added)) }

// addTokens gives the added tokens of a file their ids and builds the finders.
// An id in the file is a statement, not an order: a token that the model knows
// keeps the model's id, and one that it does not know takes the next free one,
// as the reference does.
func (t *Tokenizer) addTokens(list []AddedToken) error {
	v := t.model.vocabulary()
	size := int32(v.count)
	next := size
	t.addedIDs = map[string]int32{}
	t.added = map[int32]*AddedToken{}
	t.special = map[string]bool{}
	for i := range list {
		a := list[i]
		if a.Content == "" {
			continue
		}
		if !utf8.ValidString(a.Content) {
			return fmt.Errorf("added_tokens[%d]: %q is not valid UTF-8", i, a.Content)
		}
		id, ok := t.addedIDs[a.Content]
		if !ok {
			id, ok = v.id(a.Content)
		}
		if !ok {
			id = next
			next++
			if id > maxTokenID {
				return fmt.Errorf("added_tokens[%d]: %q would have id %d, ids go up to %d", i, a.Content, id, maxTokenID)
			}
		}
		a.ID = id
		t.addedIDs[a.Content] = id
		if a.Special {
			t.special[a.Content] = true
		}
		t.added[id] = &a
		t.largest = max(t.largest, id)
	}
	ids := t.addedOrder()
	var raw, normalized []foundToken
	for _, id := range ids {
		a := t.added[id]
		if !a.Normalized {
			raw = append(raw, foundToken{a.Content, a})
			continue
		}
		text := a.Content
		if t.normalizer != nil {
			p := newPiece(text)
			t.normalizer.normalize(&p)
			text = p.text
		}
		if text != a.Content {
			t.normalizedForm[id] = text
		}
		if text == "" {
			return fmt.Errorf("added token %q is empty once normalised: it would match everywhere", a.Content)
		}
		normalized = append(normalized, foundToken{text, a})
	}
	t.rawFinder, t.normFinder = newTokenFinder(raw), newTokenFinder(normalized)
	return nil
}
