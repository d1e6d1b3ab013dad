package score

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"olmo/data/tagger"
	"olmo/eval/python"
)

// instructions are IFEval's, by name: whether a response follows one with its options
// (lm-eval 0.4.13, tasks/ifeval/instructions.py).
var instructions = map[string]func(response string, o instructionOptions) (bool, error){
	"keywords:existence": func(response string, o instructionOptions) (bool, error) {
		var words []string
		if err := o.read("keywords", &words); err != nil {
			return false, err
		}
		for _, w := range words {
			if n, err := occurrences(w, "i", response); err != nil || n == 0 {
				return false, err
			}
		}
		return true, nil
	},
	"keywords:frequency": func(response string, o instructionOptions) (bool, error) {
		word, err := o.text("keyword")
		if err != nil {
			return false, err
		}
		n, err := occurrences(python.Strip(word), "i", response)
		if err != nil {
			return false, err
		}
		return o.holds(n, "relation", "frequency")
	},
	"keywords:forbidden_words": func(response string, o instructionOptions) (bool, error) {
		var words []string
		if err := o.read("forbidden_words", &words); err != nil {
			return false, err
		}
		for _, w := range words {
			if n, err := occurrences(`\b`+w+`\b`, "i", response); err != nil || n > 0 {
				return false, err
			}
		}
		return true, nil
	},
	// Of a sign that is no letter lm-eval draws a letter in its place; here it is counted, as its
	// prompt asks.
	"keywords:letter_frequency": func(response string, o instructionOptions) (bool, error) {
		letter, err := o.text("letter")
		if err != nil {
			return false, err
		}
		return o.holds(strings.Count(python.Lower(response), python.Lower(letter)), "let_relation", "let_frequency")
	},
	"language:response_language": func(response string, o instructionOptions) (bool, error) {
		language, err := o.text("language")
		if err != nil {
			return false, err
		}
		return inLanguage(response, language)
	},
	"length_constraints:number_sentences": func(response string, o instructionOptions) (bool, error) {
		return o.holds(len(sentences(response)), "relation", "num_sentences")
	},
	"length_constraints:number_paragraphs": func(response string, o instructionOptions) (bool, error) {
		want, err := o.count("num_paragraphs")
		if err != nil {
			return false, err
		}
		parts, err := split(paragraphMark(), response)
		n := len(parts)
		for i, p := range parts {
			if python.Strip(p) == "" {
				if i > 0 && i < len(parts)-1 {
					return false, nil
				}
				n--
			}
		}
		return n == want, err
	},
	"length_constraints:number_words": func(response string, o instructionOptions) (bool, error) {
		n, err := occurrences(`\w+`, "", response)
		if err != nil {
			return false, err
		}
		return o.holds(n, "relation", "num_words")
	},
	// Of a paragraph after the last one lm-eval draws lots; here it cannot begin with anything.
	"length_constraints:nth_paragraph_first_word": func(response string, o instructionOptions) (bool, error) {
		want, err := o.count("num_paragraphs")
		if err != nil {
			return false, err
		}
		nth, err := o.count("nth_paragraph")
		if err != nil {
			return false, err
		}
		word, err := o.text("first_word")
		if err != nil {
			return false, err
		}
		paragraphs := strings.Split(response, "\n\n")
		n := 0
		for _, p := range paragraphs {
			if python.Strip(p) != "" {
				n++
			}
		}
		if nth < 1 || nth > n || n != want {
			return false, nil
		}
		words := python.Fields(paragraphs[nth-1])
		if len(words) == 0 {
			return false, nil
		}
		first := strings.TrimLeft(strings.TrimLeft(words[0], "'"), `"`)
		if end := strings.IndexAny(first, `.,?!'"`); end >= 0 {
			first = first[:end]
		}
		return python.Lower(first) == python.Lower(word), nil
	},
	"detectable_content:number_placeholders": func(response string, o instructionOptions) (bool, error) {
		want, err := o.count("num_placeholders")
		if err != nil {
			return false, err
		}
		n, err := occurrences(`\[.*?\]`, "", response)
		return n >= want, err
	},
	"detectable_content:postscript": func(response string, o instructionOptions) (bool, error) {
		mark, err := o.text("postscript_marker")
		if err != nil {
			return false, err
		}
		var p string
		switch mark = python.Strip(mark); mark {
		case "P.P.S":
			p = `\s*p\.\s?p\.\s?s.*$`
		case "P.S.":
			p = `\s*p\.\s?s\..*$`
		default:
			p = `\s*` + python.Lower(mark) + `.*$`
		}
		n, err := occurrences(p, "m", python.Lower(response))
		return n > 0, err
	},
	"detectable_format:number_bullet_lists": func(response string, o instructionOptions) (bool, error) {
		want, err := o.count("num_bullets")
		if err != nil {
			return false, err
		}
		stars, err := occurrences(`^\s*\*[^\*].*$`, "m", response)
		if err != nil {
			return false, err
		}
		dashes, err := occurrences(`^\s*-.*$`, "m", response)
		return stars+dashes == want, err
	},
	"detectable_format:constrained_response": func(response string, _ instructionOptions) (bool, error) {
		return slices.ContainsFunc([]string{"My answer is yes.", "My answer is no.", "My answer is maybe."}, func(s string) bool {
			return strings.Contains(response, s)
		}), nil
	},
	"detectable_format:number_highlighted_sections": func(response string, o instructionOptions) (bool, error) {
		want, err := o.count("num_highlights")
		if err != nil {
			return false, err
		}
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
	},
	"detectable_format:multiple_sections": func(response string, o instructionOptions) (bool, error) {
		mark, err := o.text("section_spliter")
		if err != nil {
			return false, err
		}
		want, err := o.count("num_sections")
		if err != nil {
			return false, err
		}
		n, err := occurrences(`\s?`+python.Strip(mark)+`\s?\d+\s?`, "", response)
		return n >= want, err
	},
	"detectable_format:json_format": func(response string, _ instructionOptions) (bool, error) {
		text := python.Strip(response)
		for _, fence := range []string{"```json", "```Json", "```JSON", "```"} {
			text = strings.TrimPrefix(text, fence)
		}
		return isJSON(python.Strip(strings.TrimSuffix(text, "```"))), nil
	},
	"detectable_format:title": func(response string, _ instructionOptions) (bool, error) {
		all, err := title().FindAll(response)
		for _, m := range all {
			if python.Strip(strings.TrimRight(strings.TrimLeft(m[0].Text, "<"), ">")) != "" {
				return true, err
			}
		}
		return false, err
	},
	"combination:two_responses": func(response string, _ instructionOptions) (bool, error) {
		parts := strings.Split(response, "******")
		var two []string
		for i, p := range parts {
			if p = python.Strip(p); p != "" {
				two = append(two, p)
			} else if i > 0 && i < len(parts)-1 {
				return false, nil
			}
		}
		return len(two) == 2 && two[0] != two[1], nil
	},
	"combination:repeat_prompt": func(response string, o instructionOptions) (bool, error) {
		prompt, err := o.text("prompt_to_repeat")
		return strings.HasPrefix(python.Lower(python.Strip(response)), python.Lower(python.Strip(prompt))), err
	},
	"startend:end_checker": func(response string, o instructionOptions) (bool, error) {
		end, err := o.text("end_phrase")
		return strings.HasSuffix(python.Lower(strings.Trim(python.Strip(response), `"`)), python.Lower(python.Strip(end))), err
	},
	"startend:quotation": func(response string, _ instructionOptions) (bool, error) {
		s := python.Strip(response)
		return len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"', nil
	},
	"change_case:capital_word_frequency": func(response string, o instructionOptions) (bool, error) {
		n := 0
		for _, s := range sentences(response) {
			words, err := treebankWords(s)
			if err != nil {
				return false, err
			}
			for _, w := range words {
				if upper, lower := cases(w); upper && !lower {
					n++
				}
			}
		}
		return o.holds(n, "capital_relation", "capital_frequency")
	},
	"change_case:english_capital": func(response string, _ instructionOptions) (bool, error) {
		if upper, lower := cases(response); !upper || lower {
			return false, nil
		}
		return inLanguage(response, "en")
	},
	"change_case:english_lowercase": func(response string, _ instructionOptions) (bool, error) {
		if upper, lower := cases(response); upper || !lower {
			return false, nil
		}
		return inLanguage(response, "en")
	},
	"punctuation:no_comma": func(response string, _ instructionOptions) (bool, error) {
		return !strings.Contains(response, ","), nil
	},
}

var (
	paragraphMark   = pattern(`\s?\*\*\*\s?`)
	highlight       = pattern(`\*[^\n\*]*\*`)
	doubleHighlight = pattern(`\*\*[^\n\*]*\*\*`)
	title           = pattern(`<<[^\n]+>>`)
)

// occurrences counts the matches of a pattern of Python's.
func occurrences(pattern, flags, text string) (int, error) {
	re, err := python.Compile(pattern, flags)
	if err != nil {
		return 0, err
	}
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
