package constrain

import (
	"cmp"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dialect is how a regular expression is meant.
type dialect int

const (
	// re2 is RE2's syntax, for all of a text.
	re2 dialect = iota
	// ecma is as JSON Schema has it: looked for anywhere in a text, . and \s as ECMA-262
	// means them.
	ecma
)

// Regexp holds a whole text to a regular expression in RE2's syntax, with ECMA-262's
// spellings: \uXXXX, \u{X…}, \cX, (?<name>…). Lookaround and back references are refused.
func Regexp(expr string) (*Grammar, error) {
	l, err := pattern(expr, re2)
	if err != nil {
		return nil, err
	}
	b := &builder{}
	r := b.g.rules[b.rule("the expression")]
	b.skip(b.language(r.start, l, b.runes), r.end)
	return b.finish()
}

// maxPattern bounds the instructions of an expression.
const maxPattern = 50_000

// pattern returns the texts that an expression matches.
func pattern(expr string, d dialect) (*language, error) {
	if !utf8.ValidString(expr) {
		return nil, errors.New("the expression is not UTF-8")
	}
	spelt, err := respell(expr, d)
	if err != nil {
		return nil, err
	}
	re, err := syntax.Parse(spelt, syntax.Perl)
	if err != nil {
		var e *syntax.Error
		if errors.As(err, &e) {
			return nil, fmt.Errorf("%w: %q%s", errors.New(e.Code.String()), e.Expr, map[bool]string{true: "\nhint: counts up to 1000 are read; give lengths of text by minLength and maxLength"}[e.Code == syntax.ErrInvalidRepeatSize])
		}
		return nil, err
	}
	if size(re) > maxPattern {
		return nil, fmt.Errorf("the expression has more than %d parts, its repetitions written out\nhint: smaller counts of repetitions have fewer", maxPattern)
	}
	if d == ecma {
		anything := &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{{Op: syntax.OpAnyChar}}}
		re = &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{anything, re, anything}}
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	return matched(prog)
}

// size is how many parts an expression has with its repetitions written out.
func size(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/2
	for _, sub := range re.Sub {
		n = min(n+size(sub), maxPattern+1)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(re.Min, re.Max, 1), maxPattern+1)
	}
	return n
}

// respell writes ECMA-262's spellings as RE2's.
//
// ECMA-262 2024, section 22.2.1.
func respell(expr string, d dialect) (string, error) {
	const (
		space   = `\t\n\x0B\f\r\x{FEFF}\x{2028}\x{2029}\p{Zs}` // \s, inside a class
		unspace = `\x00-\x08\x0E-\x1F!-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{FEFE}\x{FF00}-\x{10FFFF}`
	)
	var b strings.Builder
	class := false // inside […]
	refuse := func(i int, what string) error {
		return fmt.Errorf("%s (character %d of the expression) can't be held to", what, utf8.RuneCountInString(expr[:i])+1)
	}
	for i := 0; i < len(expr); {
		rest := expr[i:]
		switch c := expr[i]; {
		case strings.HasPrefix(rest, `\Q`) && !class: // RE2's quotation
			end := strings.Index(rest, `\E`)
			if end < 0 {
				end = len(rest)
			} else {
				end += 2
			}
			b.WriteString(rest[:end])
			i += end
		case c == '\\' && len(rest) > 1:
			n, spelt, err := respellEscape(rest, class, d)
			if err != nil {
				return "", refuse(i, err.Error())
			}
			switch {
			case spelt == `\s` && d == ecma && class:
				spelt = space
			case spelt == `\s` && d == ecma:
				spelt = "[" + space + "]"
			case spelt == `\S` && d == ecma && class:
				spelt = unspace
			case spelt == `\S` && d == ecma:
				spelt = "[^" + space + "]"
			}
			b.WriteString(spelt)
			i += n
		case class && strings.HasPrefix(rest, "[:") && strings.Contains(rest, ":]"): // RE2's [:alpha:]
			end := strings.Index(rest, ":]") + 2
			b.WriteString(rest[:end])
			i += end
		case class:
			class = c != ']'
			b.WriteByte(c)
			i++
		case strings.HasPrefix(rest, "[^]"):
			b.WriteString(`(?s:.)`)
			i += 3
		case strings.HasPrefix(rest, "[]") && d == ecma:
			b.WriteString(`[^\x00-\x{10FFFF}]`)
			i += 2
		case c == '[':
			class = true
			n := 1
			if strings.HasPrefix(rest, "[^") {
				n = 2
			}
			if strings.HasPrefix(rest[n:], "]") { // RE2: the bracket itself
				n++
			}
			b.WriteString(rest[:n])
			i += n
		case c == '.' && d == ecma:
			b.WriteString(`[^\n\r\x{2028}\x{2029}]`)
			i++
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!"):
			return "", refuse(i, "looking ahead with "+rest[:3])
		case strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			return "", refuse(i, "looking behind with "+rest[:4])
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), nil
}

// respellEscape writes the escape that rest begins with, and returns its length.
func respellEscape(rest string, class bool, d dialect) (int, string, error) {
	hex := func(digits string) (string, error) {
		var r rune
		if _, err := fmt.Sscanf(digits, "%x", &r); err != nil || r > utf8.MaxRune {
			return "", fmt.Errorf("the escape %s", rest[:2])
		}
		return fmt.Sprintf(`\x{%X}`, r), nil
	}
	allHex := func(s string) bool {
		return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == ""
	}
	switch c := rest[1]; {
	case c == 'u' && strings.HasPrefix(rest, `\u{`):
		end := strings.IndexByte(rest, '}')
		if end < 0 || !allHex(rest[3:end]) || end > 12 {
			return 0, "", errors.New(`the escape \u{`)
		}
		s, err := hex(rest[3:end])
		return end + 1, s, err
	case c == 'u':
		if len(rest) < 6 || !allHex(rest[2:6]) {
			return 0, "", errors.New(`the escape \u without four hexadecimal digits`)
		}
		var high, low rune
		fmt.Sscanf(rest[2:6], "%x", &high)
		if high >= 0xD800 && high < 0xDC00 && len(rest) >= 12 && rest[6:8] == `\u` && allHex(rest[8:12]) {
			if fmt.Sscanf(rest[8:12], "%x", &low); low >= 0xDC00 && low < 0xE000 {
				return 12, fmt.Sprintf(`\x{%X}`, 0x10000+(high-0xD800)<<10+(low-0xDC00)), nil
			}
		}
		if high >= 0xD800 && high < 0xE000 {
			return 0, "", fmt.Errorf("the surrogate %s, which is no character,", rest[:6])
		}
		return 6, fmt.Sprintf(`\x{%X}`, high), nil
	case c == 'c':
		if len(rest) < 3 || !(rest[2]|0x20 >= 'a' && rest[2]|0x20 <= 'z') {
			return 0, "", errors.New(`the escape \c without a letter`)
		}
		return 3, fmt.Sprintf(`\x{%X}`, rest[2]&31), nil
	case c >= '1' && c <= '9', c == 'k':
		return 0, "", fmt.Errorf("the back reference %s", rest[:2])
	case c == '0' && d == ecma && (len(rest) == 2 || rest[2] < '0' || rest[2] > '9'):
		return 2, `\x00`, nil
	case c == 'b' && class:
		return 2, `\x08`, nil
	case (c == 'p' || c == 'P') && strings.HasPrefix(rest[2:], "{"):
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return 2, rest[:2], nil
		}
		name := rest[3:end]
		for _, kind := range []string{"Script=", "sc=", "General_Category=", "gc="} {
			name = strings.TrimPrefix(name, kind)
		}
		return end + 1, fmt.Sprintf(`\%c{%s}`, c, cmp.Or(generalCategories[name], name)), nil
	case c == 'd' || c == 'D' || c == 'w' || c == 'W' || c == 's' || c == 'S':
		return 2, rest[:2], nil
	}
	// The escaped character may have several bytes; RE2 says what it makes of it.
	_, n := utf8.DecodeRuneInString(rest[1:])
	return 1 + n, rest[:1+n], nil
}

// generalCategories are the long names that ECMA-262 knows and RE2 does not.
var generalCategories = map[string]string{
	"Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Titlecase_Letter": "Lt", "Modifier_Letter": "Lm", "Other_Letter": "Lo",
	"Mark": "M", "Nonspacing_Mark": "Mn", "Spacing_Mark": "Mc", "Enclosing_Mark": "Me",
	"Number": "N", "Decimal_Number": "Nd", "digit": "Nd", "Letter_Number": "Nl", "Other_Number": "No",
	"Punctuation": "P", "punct": "P", "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc", "Separator": "Z", "Space_Separator": "Zs",
}

// What stands on either side of a place in a text, as assertions ask for it.
const (
	sideWord = 1 << iota
	sideLine // a line end
	sideOther
	sideNone // the text's beginning or end
	anySide  = sideWord | sideLine | sideOther | sideNone
)

var wordRunes = newRuneSet([]rune{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'})

// sides are the code points of each kind.
var sides = []struct {
	kind int
	set  runeSet
}{
	{sideWord, wordRunes},
	{sideLine, runeSet{'\n', '\n'}},
	{sideOther, newRuneSet(append(slices.Clone(wordRunes), '\n', '\n')).complement()},
}

// matched returns the texts that a program matches as a whole. A state of the language is an
// instruction and what stands before it, where the program asks for that.
func matched(prog *syntax.Prog) (*language, error) {
	asks := false
	for _, in := range prog.Inst {
		asks = asks || in.Op == syntax.InstEmptyWidth
	}
	kinds := sides
	if !asks {
		kinds = sides[:0:0]
	}
	type place struct {
		pc     uint32
		before int
	}
	start := place{uint32(prog.Start), sideNone}
	number := map[place]int32{start: 0}
	order := []place{start}
	l := &language{}
	edges := 0
	for i := 0; i < len(order); i++ {
		var s langState
		reach := func(set runeSet, to place) {
			if len(set) == 0 {
				return
			}
			n, ok := number[to]
			if !ok {
				n = int32(len(order))
				number[to] = n
				order = append(order, to)
			}
			s.edges = append(s.edges, langEdge{set, n})
		}
		// Assertions on the way narrow down what may stand behind this place.
		type step struct {
			pc     uint32
			behind int
		}
		seen := map[step]bool{}
		var visit func(x step)
		visit = func(x step) {
			if seen[x] || x.behind == 0 {
				return
			}
			seen[x] = true
			switch in := &prog.Inst[x.pc]; in.Op {
			case syntax.InstAlt, syntax.InstAltMatch:
				visit(step{in.Out, x.behind})
				visit(step{in.Arg, x.behind})
			case syntax.InstCapture, syntax.InstNop:
				visit(step{in.Out, x.behind})
			case syntax.InstEmptyWidth:
				visit(step{in.Out, x.behind & behind(syntax.EmptyOp(in.Arg), order[i].before)})
			case syntax.InstMatch:
				s.final = s.final || x.behind&sideNone != 0
			case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
				set := runesOf(in)
				if !asks {
					reach(set, place{in.Out, sideOther})
				}
				for _, k := range kinds {
					if x.behind&k.kind != 0 {
						reach(set.and(k.set), place{in.Out, k.kind})
					}
				}
			}
		}
		visit(step{order[i].pc, anySide})
		l.states = append(l.states, s)
		if edges += len(s.edges); len(order) > maxLanguage || edges > 4*maxLanguage {
			return nil, errLanguageTooLarge
		}
	}
	return l.trimmed(), nil
}

// behind returns what may stand behind a place at which assertions hold.
func behind(op syntax.EmptyOp, before int) int {
	after := anySide
	if op&syntax.EmptyBeginText != 0 && before != sideNone {
		return 0
	}
	if op&syntax.EmptyBeginLine != 0 && before&(sideNone|sideLine) == 0 {
		return 0
	}
	if op&syntax.EmptyEndText != 0 {
		after &= sideNone
	}
	if op&syntax.EmptyEndLine != 0 {
		after &= sideNone | sideLine
	}
	word, other := sideWord, anySide&^sideWord
	if before == sideWord {
		word, other = other, word
	}
	if op&syntax.EmptyWordBoundary != 0 {
		after &= word
	}
	if op&syntax.EmptyNoWordBoundary != 0 {
		after &= other
	}
	return after
}

// runesOf returns the code points that an instruction takes.
func runesOf(in *syntax.Inst) runeSet {
	switch in.Op {
	case syntax.InstRuneAny:
		return anyRune
	case syntax.InstRuneAnyNotNL:
		return runeSet{'\n', '\n'}.complement()
	}
	pairs := in.Rune
	if len(pairs) == 1 {
		r := pairs[0]
		pairs = []rune{r, r}
		if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				pairs = append(pairs, f, f)
			}
		}
	}
	return newRuneSet(pairs)
}
