package score

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"olmo/data/tagger"
	"olmo/eval/python"
)

// check reports whether a response follows an instruction. An error is a search that takes too long.
type check func(response string) (bool, error)

// instructions are IFEval's, by name: each reads its options, and gives the check
// (lm-eval 0.4.13, tasks/ifeval/instructions.py; open-instruct's IFEvalG has the same). What is wrong with
// the options they keep themselves.
var instructions = map[string]func(o *instructionOptions) check{
	"keywords:existence": func(o *instructionOptions) check {
		var all []*python.Regexp
		for _, w := range o.words("keywords") {
			all = append(all, o.pattern(w, "i"))
		}
		return func(response string) (bool, error) {
			for _, re := range all {
				if n, err := occurrences(re, response); err != nil || n == 0 {
					return false, err
				}
			}
			return true, nil
		}
	},
	"keywords:frequency": func(o *instructionOptions) check {
		re := o.pattern(python.Strip(o.word("keyword")), "i")
		return counted(re, o.relation("relation", "frequency"))
	},
	"keywords:forbidden_words": func(o *instructionOptions) check {
		var all []*python.Regexp
		for _, w := range o.words("forbidden_words") {
			all = append(all, o.pattern(`\b`+w+`\b`, "i"))
		}
		return func(response string) (bool, error) {
			for _, re := range all {
				if n, err := occurrences(re, response); err != nil || n > 0 {
					return false, err
				}
			}
			return true, nil
		}
	},
	"keywords:letter_frequency": letterFrequency,
	"language:response_language": func(o *instructionOptions) check {
		language := o.text("language")
		return func(response string) (bool, error) { return inLanguage(response, language) }
	},
	"length_constraints:number_sentences": func(o *instructionOptions) check {
		holds := o.relation("relation", "num_sentences")
		return func(response string) (bool, error) { return holds(len(sentences(response))), nil }
	},
	"length_constraints:number_paragraphs": func(o *instructionOptions) check {
		want := o.count("num_paragraphs")
		return func(response string) (bool, error) {
			parts, err := split(paragraphMark(), response)
			n, ok := paragraphs(parts)
			return ok && n == want, err
		}
	},
	"length_constraints:number_words": func(o *instructionOptions) check {
		return counted(word(), o.relation("relation", "num_words"))
	},
	// Of a paragraph after the last one lm-eval draws lots; here it cannot begin with anything.
	"length_constraints:nth_paragraph_first_word": func(o *instructionOptions) check {
		want, nth, begin := o.count("num_paragraphs"), o.count("nth_paragraph"), python.Lower(o.text("first_word"))
		return func(response string) (bool, error) {
			parts := strings.Split(response, "\n\n")
			n := 0
			for _, p := range parts {
				if python.Strip(p) != "" {
					n++
				}
			}
			if nth < 1 || nth > n || n != want {
				return false, nil
			}
			words := python.Fields(parts[nth-1])
			if len(words) == 0 {
				return false, nil
			}
			first := strings.TrimLeft(strings.TrimLeft(words[0], "'"), `"`)
			if end := strings.IndexAny(first, `.,?!'"`); end >= 0 {
				first = first[:end]
			}
			return python.Lower(first) == begin, nil
		}
	},
	"detectable_content:number_placeholders": func(o *instructionOptions) check {
		want := o.count("num_placeholders")
		return counted(placeholder(), func(n int) bool { return n >= want })
	},
	"detectable_content:postscript": func(o *instructionOptions) check {
		var p string
		switch mark := python.Strip(o.text("postscript_marker")); mark {
		case "P.P.S":
			p = `\s*p\.\s?p\.\s?s.*$`
		case "P.S.":
			p = `\s*p\.\s?s\..*$`
		default:
			p = `\s*` + python.Lower(mark) + `.*$`
		}
		re := o.pattern(p, "m")
		return func(response string) (bool, error) {
			n, err := occurrences(re, python.Lower(response))
			return n > 0, err
		}
	},
	"detectable_format:number_bullet_lists": func(o *instructionOptions) check {
		want := o.count("num_bullets")
		return func(response string) (bool, error) {
			stars, err := occurrences(starred(), response)
			if err != nil {
				return false, err
			}
			dashes, err := occurrences(dashed(), response)
			return stars+dashes == want, err
		}
	},
	"detectable_format:constrained_response": always(func(response string) bool {
		return slices.ContainsFunc([]string{"My answer is yes.", "My answer is no.", "My answer is maybe."}, func(s string) bool {
			return strings.Contains(response, s)
		})
	}),
	"detectable_format:number_highlighted_sections": func(o *instructionOptions) check {
		want := o.count("num_highlights")
		return func(response string) (bool, error) {
			n := 0
			for _, p := range []func() *python.Regexp{highlight, doubleHighlight} {
				all, err := p().FindAll(response)
				if err != nil {
					return false, err
				}
				for _, m := range all {
					// Between the asterisks of either there are none.
					if python.Strip(strings.Trim(m[0].Text, "*")) != "" {
						n++
					}
				}
			}
			return n >= want, nil
		}
	},
	"detectable_format:multiple_sections": func(o *instructionOptions) check {
		re, want := o.pattern(`\s?`+python.Strip(o.text("section_spliter"))+`\s?\d+\s?`, ""), o.count("num_sections")
		return counted(re, func(n int) bool { return n >= want })
	},
	"detectable_format:json_format": always(func(response string) bool {
		text := python.Strip(response)
		for _, fence := range []string{"```json", "```Json", "```JSON", "```"} {
			text = strings.TrimPrefix(text, fence)
		}
		return isJSON(python.Strip(strings.TrimSuffix(text, "```")))
	}),
	"detectable_format:title": func(*instructionOptions) check {
		return func(response string) (bool, error) {
			all, err := title().FindAll(response)
			for _, m := range all {
				if python.Strip(strings.TrimRight(strings.TrimLeft(m[0].Text, "<"), ">")) != "" {
					return true, err
				}
			}
			return false, err
		}
	},
	"combination:two_responses": always(func(response string) bool {
		parts := strings.Split(response, "******")
		n, ok := paragraphs(parts)
		parts = slices.DeleteFunc(parts, func(p string) bool { return python.Strip(p) == "" })
		return ok && n == 2 && python.Strip(parts[0]) != python.Strip(parts[1])
	}),
	"combination:repeat_prompt": func(o *instructionOptions) check {
		prompt := python.Lower(python.Strip(o.word("prompt_to_repeat")))
		return func(response string) (bool, error) {
			return strings.HasPrefix(python.Lower(python.Strip(response)), prompt), nil
		}
	},
	"startend:end_checker": func(o *instructionOptions) check {
		end := python.Lower(python.Strip(o.text("end_phrase")))
		return func(response string) (bool, error) {
			return strings.HasSuffix(python.Lower(strings.Trim(python.Strip(response), `"`)), end), nil
		}
	},
	"startend:quotation": always(func(response string) bool {
		s := python.Strip(response)
		return len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"'
	}),
	"change_case:capital_word_frequency": func(o *instructionOptions) check {
		holds := o.relation("capital_relation", "capital_frequency")
		return func(response string) (bool, error) {
			words, err := wordTokens(response)
			n := 0
			for _, w := range words {
				if upper, lower := cases(w); upper && !lower {
					n++
				}
			}
			return holds(n), err
		}
	},
	"change_case:english_capital": func(*instructionOptions) check {
		return func(response string) (bool, error) {
			if upper, lower := cases(response); !upper || lower {
				return false, nil
			}
			return inLanguage(response, "en")
		}
	},
	"change_case:english_lowercase": func(*instructionOptions) check {
		return func(response string) (bool, error) {
			if upper, lower := cases(response); upper || !lower {
				return false, nil
			}
			return inLanguage(response, "en")
		}
	},
	"punctuation:no_comma": withoutSign(","),
}

// letterFrequency: of a sign that is no letter lm-eval and open-instruct draw a letter in its place; here it
// is counted, as its prompt asks.
func letterFrequency(o *instructionOptions) check {
	letter, holds := python.Lower(o.word("letter")), o.relation("let_relation", "let_frequency")
	return func(response string) (bool, error) {
		return holds(strings.Count(python.Lower(response), letter)), nil
	}
}

// always is an instruction without options.
func always(follows func(response string) bool) func(*instructionOptions) check {
	return func(*instructionOptions) check {
		return func(response string) (bool, error) { return follows(response), nil }
	}
}

// withoutSign is an instruction not to use a sign.
func withoutSign(sign string) func(*instructionOptions) check {
	return always(func(response string) bool { return !strings.Contains(response, sign) })
}

// counted checks the number of matches of a pattern.
func counted(re *python.Regexp, holds func(n int) bool) check {
	return func(response string) (bool, error) {
		n, err := occurrences(re, response)
		return err == nil && holds(n), err
	}
}

var (
	word            = pattern(`\w+`)
	placeholder     = pattern(`\[.*?\]`)
	starred         = pattern(`(?m)^\s*\*[^\*].*$`)
	dashed          = pattern(`(?m)^\s*-.*$`)
	paragraphMark   = pattern(`\s?\*\*\*\s?`)
	highlight       = pattern(`\*[^\n\*]*\*`)
	doubleHighlight = pattern(`\*\*[^\n\*]*\*\*`)
	title           = pattern(`<<[^\n]+>>`)
)

// paragraphs counts parts that have a text. Only the first and the last one may be without.
func paragraphs(parts []string) (n int, ok bool) {
	n = len(parts)
	for i, p := range parts {
		if python.Strip(p) == "" {
			if i > 0 && i < len(parts)-1 {
				return 0, false
			}
			n--
		}
	}
	return n, true
}

// wordTokens are the words of a text's sentences: NLTK's word_tokenize.
func wordTokens(text string) ([]string, error) {
	var all []string
	for _, s := range sentences(text) {
		words, err := treebankWords(s)
		if err != nil {
			return nil, err
		}
		all = append(all, words...)
	}
	return all, nil
}

// occurrences counts the matches of a pattern.
func occurrences(re *python.Regexp, text string) (int, error) {
	all, err := re.FindAll(text)
	return len(all), err
}

// split is re.split of a pattern without groups.
func split(re *python.Regexp, text string) ([]string, error) {
	all, err := re.FindAll(text)
	if err != nil {
		return nil, err
	}
	letters := []rune(text)
	var out []string
	at := 0
	for _, m := range all {
		out, at = append(out, string(letters[at:m[0].At])), m[0].End
	}
	return append(out, string(letters[at:])), nil
}

// inLanguage reports whether a text is in a language; one without letters is in any, as there
// langdetect fails and lm-eval lets it pass.
func inLanguage(text, language string) (bool, error) {
	if !strings.ContainsFunc(text, unicode.IsLetter) {
		return true, nil
	}
	found, err := tagger.Language(text)
	return found == language, err
}

// cases reports whether a text has letters in upper case, and in lower or title case: str.isupper
// wants the first alone, str.islower the second.
func cases(text string) (upper, other bool) {
	for _, r := range text {
		upper = upper || unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r)
		other = other || unicode.IsLower(r) || unicode.IsTitle(r) || unicode.Is(unicode.Other_Lowercase, r)
	}
	return upper, other
}

// isJSON reports whether json.loads reads a text: JSON, and three numbers that are none in it.
func isJSON(text string) bool {
	if json.Valid([]byte(text)) {
		return true
	}
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		alone := i == 0 || strings.IndexByte(" \t\r\n[,:-", text[i-1]) >= 0
		switch {
		case quoted && rest[0] == '\\' && len(rest) > 1:
			b.WriteByte(rest[0])
			i++
		case rest[0] == '"':
			quoted = !quoted
		case !quoted && alone && strings.HasPrefix(rest, "NaN"):
			b.WriteString("null") // which no sign may precede, either
			i += len("NaN") - 1
			continue
		case !quoted && alone && strings.HasPrefix(rest, "Infinity"):
			b.WriteByte('0')
			i += len("Infinity") - 1
			continue
		}
		b.WriteByte(text[i])
	}
	return json.Valid([]byte(b.String()))
}
