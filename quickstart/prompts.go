package quickstart

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// goPrompts are what a model of Go's doc comments is asked to continue.
var goPrompts = []string{"Package http implements", "Copyright 2012 The Go Authors.", "The function returns an error if", "Close closes the"}

const (
	promptCount = 4
	promptWords = 6
	promptRunes = 36 // at most; of writing without spaces a third of it
)

// promptsOf are beginnings of held-out documents, from all over them.
func promptsOf(documents []document) []string {
	var prompts []string
	seen := map[string]bool{}
	// Several times as many places as are wanted: documents may begin alike, or with
	// nothing that is a beginning.
	places := min(len(documents), 8*promptCount)
	for i := range places {
		// The evenly spread ones come first.
		at := (i*(places/promptCount) + i/promptCount) % places
		if places < promptCount {
			at = i
		}
		p := beginning(documents[at*len(documents)/places].text)
		if p == "" || seen[p] {
			continue
		}
		seen[p] = true
		if prompts = append(prompts, p); len(prompts) == promptCount {
			break
		}
	}
	return prompts
}

// beginning is the first words of the first line of a text that has two words, or six
// characters, in letters.
func beginning(text string) string {
	for line := range strings.Lines(text) {
		// Marks of headings, quotations and lists are no part of a sentence.
		line = strings.TrimLeftFunc(line, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Pi, unicode.Ps) && r != '¿' && r != '¡'
		})
		words := strings.Fields(line)
		letters := 0
		for _, r := range line {
			if unicode.IsLetter(r) {
				letters++
			}
		}
		if letters < 6 {
			continue
		}
		var out []string
		room := promptRunes
		for _, w := range words[:min(len(words), promptWords)] {
			n := utf8.RuneCountInString(w)
			if n > room {
				break
			}
			out, room = append(out, w), room-n-1
		}
		if text := strings.Join(out, " "); len(out) > 1 || text != "" && utf8.RuneCountInString(text) < promptRunes/2 {
			return text
		}
		// A long word, or writing without spaces.
		return string([]rune(words[0])[:promptRunes/3])
	}
	return ""
}
