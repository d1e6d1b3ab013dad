package tagger

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

func init() {
	const about = "e-mail addresses, phone numbers, IP addresses"
	register("pii_regex_v1", about, func(o Options) (Tagger, error) { return &pii{dolma: o.Compat}, nil })
	register("pii_regex_v2", about, func(o Options) (Tagger, error) { return &pii{dolma: o.Compat}, nil })
	register("pii_regex_with_counts_v2", about+", and their number", func(o Options) (Tagger, error) { return &pii{dolma: o.Compat, count: true}, nil })
	register("pii_regex_with_counts_fast_v2", about+" by paragraph, and their number", stateless(tagPIIFast))
	registerNeeding("pii_presidio_v1", about+" by Presidio", "Microsoft's Presidio", nil)
}

// pii marks personal data over the whole text.
//
// The spans are those of the regular expressions in Dolma 1.2.1,
// python/dolma/taggers/pii.py, found by scanners that take linear time
// (the e-mail pattern is cubic there in runs of '?').
type pii struct {
	dolma, count bool
}

const (
	emailType = "EMAIL_ADDRESS"
	phoneType = "PHONE_NUMBER"
	ipType    = "IP_ADDRESS"
)

func (p *pii) Tag(t *Text, out *Spans) error {
	n := 0
	add := func(kind string, start, end int) {
		out.Add(kind, t.Runes(start), t.Runes(end), 1)
		n++
	}
	words := t.Words()
	findEmails(t.S, 0, len(t.S), words, func(m email) {
		// The rule looks at all that the pattern took, with what precedes
		// the address.
		parts := strings.SplitN(t.S[m.start:m.end], "@", 3)
		if trimSpace(parts[0]) != "(" && strings.Contains(parts[1], ".") {
			add(emailType, m.start, m.end)
		}
	})
	findPhones(t.S, 0, len(t.S), words, func(start, end int) {
		if !nearFalsePositive(t.S, start, end) && !(p.dolma && hasURL(t.S)) {
			add(phoneType, start, end)
		}
	})
	findIPs(t.S, 0, len(t.S), func(start, end int) {
		if !nearFalsePositive(t.S, start, end) {
			add(ipType, start, end)
		}
	})
	score := -1.0
	if len(words) > 0 {
		score = float64(n) / float64(len(words))
	}
	out.Add("doc", 0, t.Len, score)
	if p.count {
		out.Add("doc_count", 0, t.Len, float64(n))
	}
	return nil
}

// maxQuestionMarks is where Dolma's fast tagger gives a document up.
const maxQuestionMarks = 10_000

func tagPIIFast(t *Text, out *Spans) error {
	var n, chars int
	add := func(kind string, start, end int) {
		from, to := t.Runes(start), t.Runes(end)
		out.Add(kind, from, to, 1)
		n++
		chars += to - from
	}
	paras := t.Paragraphs()
	if strings.Count(t.S, "?") > maxQuestionMarks {
		paras = func(func(slice) bool) {}
	}
	words := t.Words()
	w := 0
	for p := range paras {
		for w < len(words) && int(words[w].start) < p.start {
			w++
		}
		e := w
		for e < len(words) && int(words[e].start) < p.end {
			e++
		}
		findEmails(t.S, p.start, p.end, words[w:e], func(m email) {
			at := strings.IndexByte(t.S[m.local:], '@') + m.local
			if trimSpace(t.S[m.local:at]) != "(" && strings.Contains(t.S[at+1:m.domainEnd], ".") {
				add(emailType, m.start, m.end)
			}
		})
		findPhones(t.S, p.start, p.end, words[w:e], func(start, end int) { add(phoneType, start, end) })
		findIPs(t.S, p.start, p.end, func(start, end int) { add(ipType, start, end) })
		w = e
	}
	out.Add("doc_count", 0, t.Len, float64(n))
	// Dolma sums the spans' lengths when the doc_count span is among them.
	frac := -1.0
	if t.Len > 0 {
		frac = float64(chars+t.Len) / float64(t.Len)
	}
	out.Add("doc_frac", 0, t.Len, frac)
	return nil
}

// trimSpace is Python's str.strip.
func trimSpace(s string) string { return strings.TrimFunc(s, isSpace) }

// email is a match of the e-mail pattern, in bytes of the text.
type email struct {
	start, end int // all that the pattern takes
	local      int // where its group, the address, starts
	domainEnd  int // where the group ends
}

// emailPunct tells the ASCII characters other than white space that may stand
// around an address; '.' alone of them may stand in its domain.
var emailPunct = func() (set [256]bool) {
	for _, c := range ".@,?!;:)(" {
		set[c] = true
	}
	return set
}()

// findEmails reports the matches of
//
//	[.\s@,?!;:)(]*([^\s@]+@[^\s@,?!;:)(]+?)[.\s@,?!;:)(]?[\s\n\r]
//
// in s[lo:hi], whose words are given, as Python's re.finditer finds them.
//
// For a given '@' the right side of a match depends on nothing else, and the
// left side reaches as far back as the characters of the first set do. So it
// is enough to look at each '@' in turn: the first one whose right side fits
// starts a match, and among those that the same start can reach, the last one
// wins, because the first set takes as much as it can.
func findEmails(s string, lo, hi int, words []word, found func(email)) {
	pos := lo
	w := 0
	for at := lo; ; at++ {
		j := strings.IndexByte(s[at:hi], '@')
		if j < 0 {
			return
		}
		at += j
		for int(words[w].end()) <= at {
			w++
		}
		m, ok := emailAt(s, pos, hi, at, words, w)
		if !ok {
			continue
		}
		// How far the leading set reaches: up to reach, exclusive.
		start, reach := emailLead(s, pos, hi, m.local, words, w)
		m.start = start
		m.local = min(reach, at-1)
		v := w
		for next := at + 1; ; next++ {
			j := strings.IndexByte(s[next:hi], '@')
			if j < 0 {
				break
			}
			next += j
			for int(words[v].end()) <= next {
				v++
			}
			m2, ok := emailAt(s, pos, hi, next, words, v)
			if m2.local > reach {
				break
			}
			if ok {
				m2.start = start
				m2.local = min(reach, next-1)
				m, at, w = m2, next, v
			}
		}
		found(m)
		pos = m.end
		at = pos - 1
		if pos >= hi {
			return
		}
		for w < len(words) && int(words[w].end()) <= pos {
			w++
		}
	}
}

// emailAt checks what follows the '@' at and what comes before it within
// [pos, …) of its word. local is where the run of characters that may be the
// address begins, also when the match fails.
func emailAt(s string, pos, hi, at int, words []word, w int) (m email, ok bool) {
	start, end := max(int(words[w].start), pos), int(words[w].end())
	local := at
	for local > start && s[local-1] != '@' {
		local--
	}
	m = email{local: local}
	if local == at {
		return m, false
	}
	e := at + 1
	for e < end && (!emailPunct[s[e]] || s[e] == '.') {
		e++
	}
	switch {
	case e == at+1:
		return m, false
	case e == end:
		n := spaceAt(s[e:hi])
		if n == 0 {
			return m, false // the text ends here
		}
		m.end, m.domainEnd = e+n, e
		if s[e-1] == '.' && e-1 >= at+2 {
			// The dot is the punctuation, the white space the last item.
			m.domainEnd = e - 1
		} else if n2 := spaceAt(s[e+n : hi]); n2 > 0 {
			m.end += n2
		}
		return m, true
	case e+1 == end:
		n := spaceAt(s[end:hi])
		if n == 0 {
			return m, false
		}
		m.end, m.domainEnd = end+n, e
		return m, true
	}
	return m, false
}

// emailLead finds the run of white space and punctuation around local: start
// is its first byte, not before pos, end the first byte after it. The run may
// be empty.
func emailLead(s string, pos, hi, local int, words []word, w int) (start, end int) {
	start = local
	for start > pos {
		if emailPunct[s[start-1]] {
			start--
			continue
		}
		r, n := utf8.DecodeLastRuneInString(s[pos:start])
		if !isSpace(r) {
			break
		}
		start -= n
	}
	end = local
	for end < hi {
		if emailPunct[s[end]] {
			end++
			continue
		}
		n := spaceAt(s[end:hi])
		if n == 0 {
			break
		}
		end += n
	}
	return start, end
}

// findPhones reports the matches of
//
//	\s+\(?(\d{3})\)?[-\. ]*(\d{3})[-. ]?(\d{4})
//
// in s[lo:hi]. No two choices of the pattern can both succeed, so each word
// is tried once, at its start.
func findPhones(s string, lo, hi int, words []word, found func(start, end int)) {
	pos := lo
	for i, w := range words {
		start := int(w.start)
		if c := s[start]; c != '(' && (c < '0' || c > '9') && c < utf8.RuneSelf {
			continue
		}
		before := lo
		if i > 0 {
			before = int(words[i-1].end())
		}
		if before = max(before, pos); before >= start {
			continue // no white space precedes it
		}
		j := start
		if s[j] == '(' {
			j++
		}
		if j = digits(s, j, hi, 3); j < 0 {
			continue
		}
		if j < hi && s[j] == ')' {
			j++
		}
		for j < hi && (s[j] == '-' || s[j] == '.' || s[j] == ' ') {
			j++
		}
		if j = digits(s, j, hi, 3); j < 0 {
			continue
		}
		if j < hi && (s[j] == '-' || s[j] == '.' || s[j] == ' ') {
			j++
		}
		if j = digits(s, j, hi, 4); j < 0 {
			continue
		}
		found(before, j)
		pos = j
	}
}

// digits passes over n decimal digits of any script at i; -1 if there are
// fewer.
func digits(s string, i, hi, n int) int {
	for ; n > 0; n-- {
		if i >= hi {
			return -1
		}
		if c := s[i]; c < utf8.RuneSelf {
			if c < '0' || c > '9' {
				return -1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:hi])
		if !unicode.Is(unicode.Nd, r) {
			return -1
		}
		i += size
	}
	return i
}

// findIPs reports the matches of four numbers below 256, three dots between,
// in s[lo:hi]; digits before the first and after the last do not matter.
func findIPs(s string, lo, hi int, found func(start, end int)) {
	pos := lo
	for i := lo; ; i++ {
		j := strings.IndexByte(s[i:hi], '.')
		if j < 0 {
			return
		}
		i += j
		if i == pos || !isDigit(s[i-1]) {
			continue
		}
		// The first number: the most digits before the dot that make one.
		first := 0
		for n := 3; n > 0 && first == 0; n-- {
			if i-n >= pos && allDigits(s[i-n:i]) && octet(s[i-n:i]) {
				first = n
			}
		}
		if first == 0 {
			continue
		}
		at, ok := i, true
		for range 2 {
			n := at + 1
			for n < hi && n <= at+4 && isDigit(s[n]) {
				n++
			}
			if n >= hi || s[n] != '.' || !octet(s[at+1:n]) {
				ok = false
				break
			}
			at = n
		}
		if !ok {
			continue
		}
		n := lastOctet(s[at+1 : hi])
		if n == 0 {
			continue
		}
		found(i-first, at+1+n)
		pos = at + 1 + n
		i = pos - 1
	}
}

func isDigit(c byte) bool { return c-'0' < 10 }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// octet says whether digits are a whole match of
// 25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?.
func octet(d string) bool {
	switch len(d) {
	case 1, 2:
		return true
	case 3:
		return d[0] <= '1' || d[0] == '2' && (d[1] <= '4' || d[1] == '5' && d[2] <= '5')
	}
	return false
}

// lastOctet is the length of the pattern's match at the start of s.
func lastOctet(s string) int {
	n := 0
	for n < len(s) && n < 3 && isDigit(s[n]) {
		n++
	}
	if n == 3 && !octet(s[:3]) {
		return 2
	}
	return n
}

// falsePositiveWindow is how many characters around a number are looked at.
const falsePositiveWindow = 100

// nearFalsePositive says whether the text around a phone number or address
// shows that it is another kind of number.
func nearFalsePositive(s string, start, end int) bool {
	for range falsePositiveWindow {
		if start == 0 {
			break
		}
		_, n := utf8.DecodeLastRuneInString(s[:start])
		start -= n
	}
	for range falsePositiveWindow {
		if end == len(s) {
			break
		}
		_, n := utf8.DecodeRuneInString(s[end:])
		end += n
	}
	around := s[start:end]
	return strings.Contains(around, "isbn") || strings.Contains(around, "doi") || strings.Contains(around, "#")
}

// urlAfterBackspace is Dolma's URL pattern, which begins with a backspace
// character where a word boundary was meant. Only whether it matches counts,
// so the engine's order of choices does not.
var urlAfterBackspace = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("(?i)\x08" + `(?:https?://|www\d{0,3}[.]|[a-z0-9.\-]+[.][a-z]{2,4}/)(?:[^\s()<>]+|\((?:[^\s()<>]+|(?:\([^\s()<>]+\)))*\))+(?:\((?:[^\s()<>]+|(?:\([^\s()<>]+\)))*\)|[^\s` + "`" + `!()\[\]{};:'".,<>?«»“”‘’])`)
})

func hasURL(s string) bool {
	return strings.IndexByte(s, '\b') >= 0 && urlAfterBackspace().MatchString(s)
}
