package tokenizer

import "unicode/utf8"

// mergeWindow is how many bytes are merged at once: what that needs stays in the
// processor's cache, and memory does not grow with a word of megabytes.
const mergeWindow = 8 << 10

// longMerge merges long texts window by window.
//
// That is exact, because a list of tokens is what its text encodes to if, and
// only if, each two neighbours are what their two texts alone encode to: until a
// merge first crosses a place, what is merged on its left does not depend on what
// stands on its right, and the first that crosses one would do so between the two
// neighbours alone. So of a window's tokens those before a place can be kept
// where the window that begins there starts with the same token: every two
// neighbours were side by side in one of the windows. Where it starts with
// another, the windows were too short to tell.
type longMerge struct {
	m *bpe
	// symbols appends what s starts as. It must not depend on what stands around
	// s, which begins and ends between code points.
	symbols    func(dst []token, s string) []token
	list, next []token
}

// appendIDs appends the ids of s.
func (l *longMerge) appendIDs(dst []int32, s string, size int) []int32 {
	n := len(dst)
	for ; ; size *= 2 {
		var ok bool
		if dst, ok = l.windows(dst[:n], s, size); ok {
			return dst
		}
	}
}

// windows merges s in windows of size bytes; false if these are too short.
func (l *longMerge) windows(dst []int32, s string, size int) ([]int32, bool) {
	var end int
	for l.list, end = l.window(l.list, s, size); end < len(s); {
		// The last tokens would be others if the window went on.
		cut := len(l.list) - len(l.list)/8 - 1
		for cut > 0 && !utf8.RuneStart(s[l.list[cut].start]) {
			cut--
		}
		if cut <= 0 {
			return dst, false
		}
		at, first := l.list[cut].start, l.list[cut]
		for _, t := range l.list[:cut] {
			dst = append(dst, t.id)
		}
		s = s[at:]
		l.next, end = l.window(l.next, s, size)
		if first.start, first.end = 0, first.end-at; len(l.next) == 0 || l.next[0] != first {
			return dst, false
		}
		l.list, l.next = l.next, l.list
	}
	for _, t := range l.list {
		dst = append(dst, t.id)
	}
	return dst, true
}

// window returns the tokens of the first size bytes of s, or some more, and where
// that ends.
func (l *longMerge) window(list []token, s string, size int) ([]token, int) {
	end := min(size, len(s))
	for end < len(s) && !utf8.RuneStart(s[end]) {
		end++
	}
	list = l.symbols(list[:0], s[:end])
	return list[:l.m.merge(list)], end
}
