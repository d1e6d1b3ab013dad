package score

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/eval/python"
)

// moreInstructions are those that open-instruct's IFEvalG (e6c3044, IFEvalG/instructions.py) has beside
// IFEval's.
var moreInstructions = map[string]func(o *instructionOptions) check{
	"copy:repeat_phrase":                 repeatPhrase,
	"copy:copy":                          copyPrompt,
	"copy:copying_simple":                copyPrompt,
	"copy:copying_multiple":              copyPrompts,
	"new:copy_span_idx":                  copySpan,
	"count:lowercase_counting":           lowercaseCounting,
	"count:counting_composition":         countingComposition,
	"count:count_unique":                 countUnique,
	"count:count_increment_word":         countIncrementWord,
	"detectable_format:bigram_wrapping":  always(bigramsWrapped),
	"detectable_format:sentence_hyphens": sentenceHyphens,
	"detectable_format:square_brackets":  always(inSquareBrackets),
	"first_word:first_word_answer":       firstWordAnswer,
	"first_word:first_word_sent":         firstWordSentence,
	"last_word:last_word_answer":         lastWordAnswer,
	"last_word:last_word_sent":           lastWordSentence,
	"keywords:exclude_word_harder":       excludeWord,
	"keywords:keyword_specific_position": keywordPosition,
	"keywords:no_adjacent_consecutive":   always(noAdjacentConsecutive),
	"keywords:palindrome":                always(hasPalindrome),
	"keywords:start_end":                 startEnd,
	"keywords:word_count_different_numbers": func(o *instructionOptions) check {
		return instructions["keywords:frequency"](o)
	},
	"keywords:word_once": func(o *instructionOptions) check {
		return counted(o.pattern(python.Strip(o.word("keyword")), "i"), func(n int) bool { return n == 1 })
	},
	"letters:letter_counting":             letterCounting,
	"letters:letter_counting2":            letterFrequency,
	"paragraphs:paragraphs":               twoParagraphs,
	"paragraphs:paragraphs2":              always(func(response string) bool { return areTwo(strings.Split(response, "\n\n")) }),
	"punctuation:punctuation_dot":         withoutSign("."),
	"punctuation:punctuation_exclamation": withoutSign("!"),
}

// repeatPhrase: the phrase stands there so many times, each time with one word replaced.
func repeatPhrase(o *instructionOptions) check {
	words, want := python.Fields(o.word("phrase")), o.positive("small_n")
	if len(words) == 0 {
		o.fail(errors.New("phrase has no words"))
		return nil
	}
	re := o.pattern(words[0]+" .*? "+words[len(words)-1], "")
	return func(response string) (bool, error) {
		found, err := re.FindAll(response)
		if err != nil || len(found) != want {
			return false, err
		}
		for _, m := range found {
			said, differ := python.Fields(m[0].Text), 0
			if len(said) != len(words) {
				return false, nil
			}
			for i := range words {
				if said[i] != words[i] {
					differ++
				}
			}
			if differ != 1 {
				return false, nil
			}
		}
		return true, nil
	}
}

// folded is a text without white space around it, in lower case.
func folded(s string) string { return python.Lower(python.Strip(s)) }

func copyPrompt(o *instructionOptions) check {
	prompt := folded(o.word("prompt_to_repeat"))
	return func(response string) (bool, error) { return folded(response) == prompt, nil }
}

func copyPrompts(o *instructionOptions) check {
	prompt, want := folded(o.word("prompt_to_repeat")), o.positive("N")
	return func(response string) (bool, error) {
		parts := strings.Split(response, "******")
		return len(parts) == want && !slices.ContainsFunc(parts, func(p string) bool { return folded(p) != prompt }), nil
	}
}

// copySpan: the letters from one number on, before another.
func copySpan(o *instructionOptions) check {
	prompt := []rune(o.word("prompt_to_repeat"))
	from, to := min(o.positive("n_start"), len(prompt)), min(o.positive("n_end"), len(prompt))
	span := folded(string(prompt[from:max(from, to)]))
	return func(response string) (bool, error) { return folded(response) == span, nil }
}

var (
	lowercaseWord = pattern(`\b[a-z]+\b`)
	signs         = pattern(`[^\w\s]`)
)

func lowercaseCounting(o *instructionOptions) check {
	most := o.positive("N")
	return counted(lowercaseWord(), func(n int) bool { return n <= most })
}

func letterCounting(o *instructionOptions) check {
	holds := o.relation("relation", "N")
	return func(response string) (bool, error) {
		n := 0
		for _, r := range response {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				n++
			}
		}
		return holds(n), nil
	}
}

// countingComposition: three paragraphs of so many sentences, each of so many words. A mark before the
// first or after the last paragraph makes an empty one, which has no sentences.
func countingComposition(o *instructionOptions) check {
	wantSentences, wantWords := o.positive("n_sent"), o.positive("n_words")
	return func(response string) (bool, error) {
		parts, err := split(paragraphMark(), response)
		if n, ok := paragraphs(parts); err != nil || !ok || n != 3 {
			return false, err
		}
		for _, p := range parts {
			all, err := plainSentences(p)
			if err != nil || len(all) != wantSentences {
				return false, err
			}
			for _, s := range all {
				if words, err := wordTokens(s); err != nil || len(words) != wantWords {
					return false, err
				}
			}
		}
		return true, nil
	}
}

func countUnique(*instructionOptions) check {
	return func(response string) (bool, error) {
		words, err := wordTokens(response)
		seen := map[string]bool{}
		for _, w := range words {
			if seen[w] {
				return false, err
			}
			seen[w] = true
		}
		return true, err
	}
}

func countIncrementWord(o *instructionOptions) check {
	once, twice := o.pattern(python.Strip(o.word("keyword1")), "i"), o.pattern(python.Strip(o.word("keyword2")), "i")
	return func(response string) (bool, error) {
		n, err := occurrences(once, response)
		if err != nil || n != 1 {
			return false, err
		}
		n, err = occurrences(twice, response)
		return n == 2, err
	}
}

// bigramsWrapped: of each two words the first begins with << and the second ends with >>.
func bigramsWrapped(response string) bool {
	words := python.Fields(response)
	for i := 0; i+1 < len(words); i += 2 {
		if !strings.HasPrefix(words[i], "<<") || !strings.HasSuffix(words[i+1], ">>") {
			return false
		}
	}
	return true
}

func inSquareBrackets(response string) bool {
	return !slices.ContainsFunc(python.Fields(response), func(w string) bool {
		return !strings.HasPrefix(w, "[") || !strings.HasSuffix(w, "]")
	})
}

// sentenceHyphens: what stands between hyphens are the sentences, as far as there are of both.
func sentenceHyphens(*instructionOptions) check {
	return func(response string) (bool, error) {
		all, err := plainSentences(strings.ReplaceAll(response, "-", " "))
		if err != nil {
			return false, err
		}
		for i, part := range strings.Split(response, "-") {
			if i < len(all) && (python.Strip(part) != part || part != all[i]) {
				return false, nil
			}
		}
		return true, nil
	}
}

func firstWordAnswer(o *instructionOptions) check {
	want := folded(o.word("first_word"))
	return func(response string) (bool, error) {
		words := python.Fields(response)
		return len(words) > 0 && python.Lower(words[0]) == want, nil
	}
}

func lastWordAnswer(o *instructionOptions) check {
	want := folded(o.word("last_word"))
	return func(response string) (bool, error) { return endsWith(response, want) }
}

func firstWordSentence(o *instructionOptions) check {
	want := folded(o.firstWord("first_word"))
	return func(response string) (bool, error) {
		return eachSentence(response, func(s string) (bool, error) { return python.Lower(python.Fields(s)[0]) == want, nil })
	}
}

func lastWordSentence(o *instructionOptions) check {
	want := folded(o.firstWord("last_word"))
	return func(response string) (bool, error) {
		return eachSentence(response, func(s string) (bool, error) { return endsWith(s, want) })
	}
}

// endsWith reports whether the last word of a text, without signs, is a word.
func endsWith(text, want string) (bool, error) {
	words := python.Fields(text)
	if len(words) == 0 {
		return false, nil
	}
	last, err := signs().Sub("", words[len(words)-1], 0)
	return python.Lower(last) == want, err
}

// eachSentence reports whether all sentences are so; one without words is not.
func eachSentence(text string, so func(sentence string) (bool, error)) (bool, error) {
	all, err := plainSentences(text)
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if python.Strip(s) == "" {
			return false, nil
		}
		if ok, err := so(s); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// excludeWord: the word does not stand between two spaces.
func excludeWord(o *instructionOptions) check {
	word := " " + python.Strip(o.word("keyword")) + " "
	o.known = append(o.known, "instruction") // of which a word is drawn where none is given
	return func(response string) (bool, error) { return !strings.Contains(response, word), nil }
}

// keywordPosition: the n-th sentence has the keyword as its m-th word.
func keywordPosition(o *instructionOptions) check {
	keyword, n, m := python.Strip(o.firstWord("keyword")), o.positive("n"), o.positive("m")
	return func(response string) (bool, error) {
		all, err := plainSentences(response)
		if err != nil || len(all) < n {
			return false, err
		}
		words, err := wordTokens(all[n-1])
		return len(words) >= m && words[m-1] == keyword, err
	}
}

// noAdjacentConsecutive: no word begins with the letter that follows the one of the word before it.
func noAdjacentConsecutive(response string) bool {
	words := python.Fields(response)
	for i := 1; i < len(words); i++ {
		var pair [2]rune
		for k, w := range words[i-1 : i+1] {
			r, _ := utf8.DecodeRuneInString(w)
			letter := []rune(python.Lower(string(r)))
			if len(letter) != 1 {
				return false
			}
			pair[k] = letter[0]
		}
		if pair[1]-pair[0] == 1 {
			return false
		}
	}
	return true
}

// hasPalindrome reports whether a word is itself backwards: a letter alone is.
func hasPalindrome(response string) bool {
	return slices.ContainsFunc(python.Fields(response), func(w string) bool {
		letters := []rune(w)
		back := slices.Clone(letters)
		slices.Reverse(back)
		return slices.Equal(letters, back)
	})
}

func startEnd(*instructionOptions) check {
	return func(response string) (bool, error) {
		words, err := wordTokens(response)
		return len(words) > 1 && python.Lower(words[0]) == python.Lower(words[len(words)-1]), err
	}
}

func twoParagraphs(*instructionOptions) check {
	return func(response string) (bool, error) {
		parts, err := split(paragraphMark(), response)
		return areTwo(parts), err
	}
}

func areTwo(parts []string) bool {
	n, ok := paragraphs(parts)
	return ok && n == 2
}
