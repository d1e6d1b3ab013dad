package tagger

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Taggers of source code, as in Dolma 1.2.1,
// python/dolma/taggers/code/code_taggers.py.
func init() {
	register("code_copyright_comments_v1", "the copyright notice or comment block that a file begins with", func(o Options) (Tagger, error) {
		return &copyright{dolma: o.Compat}, nil
	})
	register("code_redpajama_taggers_v1", "line lengths, share of letters and digits (RedPajama)", stateless(tagRedPajama))
	registerNeeding("code_secrets_v1", "keys and passwords in code", "the library detect-secrets", nil)
}

// copyright marks the first block comment if it speaks of copyright, or, in a
// text without block comments, the comment lines that it begins with.
type copyright struct {
	// dolma keeps two slips of the reference: the length of a comment block
	// leaves out its newlines, and the share of the text counts one character
	// too many.
	dolma bool
}

func (c *copyright) Tag(t *Text, out *Spans) error {
	start, end, kind := c.find(t)
	score := 0.0
	if kind != "" {
		n := end - start
		if c.dolma {
			n++
		}
		if t.Len > 0 {
			score = float64(n) / float64(t.Len)
		} else {
			score = -1
		}
		out.Add(kind, start, end, 1)
	}
	out.Add("doc", 0, t.Len, score)
	return nil
}

// find returns the notice in code points; kind is empty if there is none.
func (c *copyright) find(t *Text) (start, end int, kind string) {
	s := t.S
	if i := strings.Index(s, "/*"); i >= 0 {
		if n := strings.Index(s[i+2:], "*/"); n >= 0 {
			e := i + 2 + n + 2
			if containsLowered(s[i:e], "copyright") {
				return t.Runes(i), t.Runes(e), "copyright_notice"
			}
			return 0, 0, ""
		}
	}
	skipped, length := 0, 0
	for i, from := range t.Lines() {
		line := s[from:t.lineEnd(i)]
		if line != "" && !strings.HasPrefix(line, "//") && line[0] != '#' && !strings.HasPrefix(line, "--") {
			break
		}
		skipped++
		if c.dolma {
			length += max(1, utf8.RuneCountInString(line))
		} else {
			length = t.Runes(min(t.lineEnd(i)+1, len(s)))
		}
	}
	if skipped == 0 || length == 0 {
		return 0, 0, ""
	}
	return 0, length, "comment_block"
}

// tagRedPajama measures what RedPajama's filters of code look at.
func tagRedPajama(t *Text, out *Spans) error {
	lines, longest, sum := 0, 0, 0
	alnum, alpha := 0, 0
	n := 0
	var last rune
	for _, r := range t.S {
		if isLineBreak(r) {
			if r == '\n' && last == '\r' {
				last = r
				continue
			}
			lines++
			longest, sum, n = max(longest, n), sum+n, 0
		} else {
			n++
		}
		last = r
		if unicode.IsLetter(r) {
			alpha++
			alnum++
		} else if unicode.IsNumber(r) {
			alnum++
		}
	}
	if t.S != "" && !isLineBreak(last) {
		lines++
		longest, sum = max(longest, n), sum+n
	}
	ratio := func(a, b int) float64 { return float64(a) / float64(max(b, 1)) }
	out.Add("max_line_length_doc", 0, t.Len, float64(longest))
	out.Add("avg_line_length_doc", 0, t.Len, ratio(sum, lines))
	out.Add("alnum_prop_doc", 0, t.Len, ratio(alnum, t.Len))
	out.Add("alpha_token_prop_doc", 0, t.Len, ratio(alpha, wordRuns(t.S)+1))
	return nil
}

// isLineBreak knows where Python's str.splitlines splits.
func isLineBreak(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// splitLines is Python's str.splitlines.
func splitLines(s string) []string {
	var lines []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isLineBreak(r) {
			i += n
			continue
		}
		lines = append(lines, s[start:i])
		if r == '\r' && strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		i += n
		start = i
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}
