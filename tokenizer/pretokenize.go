package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"olmo/internal/pyjson"
)

// matcher finds the first match in s at or after from; start is −1 when there
// is none.
type matcher interface {
	find(s string, from int) (start, end int)
}

func (k kind) find(s string, from int) (start, end int) {
	if from >= len(s) {
		return -1, -1
	}
	return from, k.scan(s, from)
}

// literal matches a string.
type literal string

func (l literal) find(s string, from int) (start, end int) {
	if l == "" || from > len(s) {
		return -1, -1
	}
	i := strings.Index(s[from:], string(l))
	if i < 0 {
		return -1, -1
	}
	return from + i, from + i + len(l)
}

// runeClass matches single code points.
type runeClass func(rune) bool

func (c runeClass) find(s string, from int) (start, end int) {
	for i, r := range s[from:] {
		if c(r) {
			return from + i, from + i + runeLen(r, s[from+i:])
		}
	}
	return -1, -1
}

// eachMatch calls f for the matches in s from left to right. An empty match
// right behind another is passed over, and so is a character then, as in the
// iterator of the reference (onig 6.5, FindMatches).
func eachMatch(m matcher, s string, f func(start, end int)) {
	last := -1
	for from := 0; from <= len(s); {
		start, end := m.find(s, from)
		if start < 0 {
			return
		}
		if start == end && end == last {
			_, n := utf8.DecodeRuneInString(s[from:])
			from += max(n, 1)
			continue
		}
		from, last = end, end
		f(start, end)
	}
}

// splitBehavior says what becomes of the delimiters that a pattern matches.
type splitBehavior int

const (
	splitIsolated splitBehavior = iota
	splitRemoved
	splitMergedWithPrevious
	splitMergedWithNext
	splitContiguous
)

func parseBehavior(s string) (splitBehavior, error) {
	switch s {
	case "Isolated":
		return splitIsolated, nil
	case "Removed":
		return splitRemoved, nil
	case "MergedWithPrevious":
		return splitMergedWithPrevious, nil
	case "MergedWithNext":
		return splitMergedWithNext, nil
	case "Contiguous":
		return splitContiguous, nil
	}
	return 0, fmt.Errorf("unknown behavior %q; known are Isolated, Removed, MergedWithPrevious, MergedWithNext and Contiguous", s)
}

// each calls f for the parts of text to keep, from left to right.
func (t splitOn) each(text string, f func(start, end int)) {
	// The part before, which may yet be joined with what follows.
	var last span
	match, waits := false, false
	add := func(start, end int, isMatch bool) {
		isMatch = isMatch != t.invert
		switch t.behavior {
		case splitIsolated:
			f(start, end)
			return
		case splitRemoved:
			if !isMatch {
				f(start, end)
			}
			return
		}
		if waits {
			joins := false
			switch t.behavior {
			case splitContiguous:
				joins = isMatch == match
			case splitMergedWithPrevious:
				joins = isMatch && !match
			case splitMergedWithNext:
				joins = match && !isMatch
			}
			if joins {
				last.end, match = end, isMatch
				return
			}
			f(last.start, last.end)
		}
		last, match, waits = span{start, end}, isMatch, true
	}
	done := 0
	eachMatch(t.m, text, func(start, end int) {
		if done < start {
			add(done, start, false)
		}
		add(start, end, true)
		done = end
	})
	if done < len(text) {
		add(done, len(text), false)
	}
	if waits {
		f(last.start, last.end)
	}
}

// preTokenizer cuts a piece into smaller ones, and calls f for them from left to right.
type preTokenizer interface {
	cut(p piece, f func(piece))
}

func (t splitOn) cut(p piece, f func(piece)) {
	t.each(p.text, func(start, end int) { f(p.slice(start, end)) })
}

// splitOn is Split, Digits, Punctuation, Whitespace, WhitespaceSplit and
// CharDelimiterSplit.
type splitOn struct {
	m        matcher
	behavior splitBehavior
	invert   bool
}

// gpt2Words is how byteLevel cuts.
var gpt2Words = splitOn{m: kindGPT2, behavior: splitIsolated}

// byteLevel writes every byte as a visible character, after adding a space in
// front and cutting with GPT-2's expression, where asked.
type byteLevel struct {
	addPrefixSpace, useRegex bool
}

func (t byteLevel) cut(p piece, f func(piece)) {
	if t.addPrefixSpace && !strings.HasPrefix(p.text, " ") {
		p.prepend(" ")
	}
	word := func(p piece) {
		p.toByteChars()
		f(p)
	}
	if t.useRegex {
		gpt2Words.cut(p, word)
	} else {
		word(p)
	}
}

// toByteChars writes every byte of p's text as its visible character.
func (p *piece) toByteChars() {
	text := p.text
	p.transform(func(emit func(change)) {
		for i := range len(text) {
			delta := 0
			if !utf8.RuneStart(text[i]) {
				delta = 1
			}
			emit(change{byteChar[text[i]], delta})
		}
	}, 0)
}

// byteChar is GPT-2's alphabet, the character that stands for each byte;
// charByte is its inverse, −1 for characters outside it.
var byteChar, charByte = func() (chars [256]rune, bytes [324]int16) {
	for i := range bytes {
		bytes[i] = -1
	}
	next := rune(256)
	for b := range chars {
		switch {
		case b >= '!' && b <= '~', b >= 0xA1 && b <= 0xAC, b >= 0xAE:
			chars[b] = rune(b)
		default:
			chars[b] = next
			next++
		}
		bytes[chars[b]] = int16(b)
	}
	return chars, bytes
}()

// When Metaspace puts its character in front.
const (
	prependAlways = "always"
	prependFirst  = "first"
	prependNever  = "never"
)

// metaspace writes spaces as a visible character and cuts before each.
type metaspace struct {
	replacement string
	prepend     string
	split       bool
}

func (t metaspace) cut(p piece, f func(piece)) {
	p.replace(literal(" "), t.replacement)
	if t.prepend == prependAlways || t.prepend == prependFirst && p.orig.start == 0 {
		if !strings.HasPrefix(p.text, t.replacement) {
			p.prepend(t.replacement)
		}
	}
	if t.split {
		splitOn{literal(t.replacement), splitMergedWithNext, false}.cut(p, f)
	} else {
		f(p)
	}
}

// fixedLength cuts after every n code points.
type fixedLength int

func (t fixedLength) cut(p piece, f func(piece)) {
	start, count := 0, 0
	for i := range p.text {
		if count == int(t) {
			f(p.slice(start, i))
			start, count = i, 0
		}
		count++
	}
	f(p.slice(start, len(p.text)))
}

// unicodeScripts cuts where the script changes.
type unicodeScripts struct{}

func (unicodeScripts) cut(p piece, f func(piece)) {
	table := scripts()
	// What joins any script is lost at the beginning, as in the reference
	// (pre_tokenizers/unicode_scripts/pre_tokenizer.rs).
	start, last := len(p.text), -1
	for i, r := range p.text {
		s := int(table.of(r))
		if s == 0 {
			continue
		}
		if s != last {
			if last >= 0 {
				f(p.slice(start, i))
			}
			start, last = i, s
		}
	}
	f(p.slice(start, len(p.text)))
}

// preSequence applies one after another.
type preSequence []preTokenizer

func (t preSequence) cut(p piece, f func(piece)) {
	switch {
	case p.text == "": // cuts leave no empty pieces
	case len(t) == 0:
		f(p)
	default:
		t[0].cut(p, func(q piece) { t[1:].cut(q, f) })
	}
}

// patternConfig is {"String": …} or {"Regex": …}.
type patternConfig struct {
	String *string
	Regex  *string
}

func (c patternConfig) matcher() (matcher, error) {
	switch {
	case c.String != nil && *c.String == "":
		return compilePattern("") // matches between any two characters
	case c.String != nil:
		return literal(*c.String), nil
	case c.Regex != nil:
		return compilePattern(*c.Regex)
	}
	return nil, fmt.Errorf(`the pattern has neither "String" nor "Regex"`)
}

// inClass matches the code points of a class of unicode.txt.
func inClass(name string) runeClass {
	set := unicodeTables().classes[name]
	return func(r rune) bool { return set.contains(r) }
}

// parsePreTokenizer reads the pre_tokenizer of a tokenizer.json.
func parsePreTokenizer(raw json.RawMessage) (preTokenizer, error) {
	var c struct {
		Type             string
		Pretokenizers    []json.RawMessage
		Pattern          patternConfig
		Behavior         string
		Invert           bool
		AddPrefixSpace   *bool `json:"add_prefix_space"`
		UseRegex         *bool `json:"use_regex"`
		IndividualDigits bool  `json:"individual_digits"`
		Delimiter        string
		Replacement      string
		PrependScheme    string `json:"prepend_scheme"`
		Split            *bool
		Length           *int
	}
	if isNull(raw) {
		return nil, nil
	}
	if err := pyjson.Value(raw, &c); err != nil {
		return nil, err
	}
	switch c.Type {
	case "Sequence":
		var seq preSequence
		for i, r := range c.Pretokenizers {
			t, err := parsePreTokenizer(r)
			if err != nil {
				return nil, fmt.Errorf("pretokenizers[%d]: %w", i, err)
			}
			if t != nil {
				seq = append(seq, t)
			}
		}
		return seq, nil
	case "Split":
		m, err := c.Pattern.matcher()
		if err != nil {
			return nil, fmt.Errorf("type Split: %w", err)
		}
		behavior, err := parseBehavior(c.Behavior)
		if err != nil {
			return nil, fmt.Errorf("type Split: %w", err)
		}
		return splitOn{m, behavior, c.Invert}, nil
	case "ByteLevel":
		return byteLevel{
			addPrefixSpace: c.AddPrefixSpace == nil || *c.AddPrefixSpace,
			useRegex:       c.UseRegex == nil || *c.UseRegex,
		}, nil
	case "Digits":
		behavior := splitContiguous
		if c.IndividualDigits {
			behavior = splitIsolated
		}
		return splitOn{numeric{}, behavior, false}, nil
	case "Punctuation":
		behavior := splitIsolated
		if c.Behavior != "" {
			var err error
			if behavior, err = parseBehavior(c.Behavior); err != nil {
				return nil, fmt.Errorf("type Punctuation: %w", err)
			}
		}
		return splitOn{inClass("punctuation"), behavior, false}, nil
	case "Whitespace":
		return splitOn{wordsAndSymbols{}, splitRemoved, true}, nil
	case "UnicodeScripts":
		return unicodeScripts{}, nil
	case "WhitespaceSplit":
		return splitOn{runeClass(isSpace), splitRemoved, false}, nil
	case "BertPreTokenizer":
		return preSequence{
			splitOn{runeClass(isSpace), splitRemoved, false},
			splitOn{inClass("punctuation"), splitIsolated, false},
		}, nil
	case "CharDelimiterSplit":
		if utf8.RuneCountInString(c.Delimiter) != 1 {
			return nil, fmt.Errorf("CharDelimiterSplit: delimiter %q is not one character", c.Delimiter)
		}
		return splitOn{literal(c.Delimiter), splitRemoved, false}, nil
	case "Metaspace":
		m, err := parseMetaspace(c.Replacement, c.PrependScheme, c.AddPrefixSpace)
		m.split = c.Split == nil || *c.Split
		return m, err
	case "FixedLength":
		n := 5
		if c.Length != nil {
			n = *c.Length
		}
		if n < 1 {
			return nil, fmt.Errorf("FixedLength: length %d is not positive", n)
		}
		return fixedLength(n), nil
	}
	return nil, fmt.Errorf("unknown type %q", c.Type)
}

func parseMetaspace(replacement, scheme string, addPrefixSpace *bool) (metaspace, error) {
	if utf8.RuneCountInString(replacement) != 1 {
		return metaspace{}, fmt.Errorf("type Metaspace: replacement %q is not one character", replacement)
	}
	switch scheme {
	case "":
		scheme = prependAlways
		// Files from before prepend_scheme say it this way.
		if addPrefixSpace != nil && !*addPrefixSpace {
			scheme = prependNever
		}
	case prependAlways, prependFirst, prependNever:
		if addPrefixSpace != nil && !*addPrefixSpace && scheme != prependNever {
			return metaspace{}, fmt.Errorf("type Metaspace: add_prefix_space is false, prepend_scheme is %q", scheme)
		}
	default:
		return metaspace{}, fmt.Errorf("type Metaspace: unknown prepend_scheme %q; known are always, first and never", scheme)
	}
	return metaspace{replacement: replacement, prepend: scheme}, nil
}

// numeric matches single numbers, as Rust has them.
type numeric struct{}

func (numeric) find(s string, from int) (start, end int) {
	for i, r := range s[from:] {
		if isNumeric(r) {
			return from + i, from + i + runeLen(r, s[from+i:])
		}
	}
	return -1, -1
}

func isNumeric(r rune) bool {
	if r < utf8.RuneSelf {
		return '0' <= r && r <= '9'
	}
	return unicodeTables().classes["numeric"].contains(r)
}

// wordsAndSymbols matches \w+|[^\w\s]+.
type wordsAndSymbols struct{}

func (wordsAndSymbols) find(s string, from int) (start, end int) {
	word := unicodeTables().classes["word"]
	kind := func(r rune) int {
		switch {
		case word.contains(r):
			return 1
		case isSpace(r):
			return 0
		}
		return 2
	}
	start, first := -1, 0
	for i, r := range s[from:] {
		k := kind(r)
		switch {
		case start < 0 && k != 0:
			start, first = from+i, k
		case start >= 0 && k != first:
			return start, from + i
		}
	}
	return start, len(s)
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}
