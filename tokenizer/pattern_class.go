package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapedSet reads what follows a backslash and stands for code points; single
// tells that it is one, which can begin a range.
func (p *patternParser) escapedSet() (set runeSet, single bool, err error) {
	if !p.more() {
		return nil, false, errors.New("a backslash at the end")
	}
	classes := unicodeTables().classes
	one := func(r rune) (runeSet, bool, error) { return runeSet{{r, r}}, true, nil }
	switch c := p.rune(); c {
	case 's':
		return classes["space"], false, nil
	case 'S':
		return complement(classes["space"]), false, nil
	case 'd':
		return classes["Nd"], false, nil
	case 'D':
		return complement(classes["Nd"]), false, nil
	case 'w':
		return classes["word_regex"], false, nil
	case 'W':
		return complement(classes["word_regex"]), false, nil
	case 'h':
		return hexDigits, false, nil
	case 'H':
		return complement(hexDigits), false, nil
	case 'p', 'P':
		set, err := p.property()
		if c == 'P' {
			set = complement(set)
		}
		return set, false, err
	case 'n':
		return one('\n')
	case 'r':
		return one('\r')
	case 't':
		return one('\t')
	case 'f':
		return one('\f')
	case 'v':
		return one('\v')
	case 'a':
		return one('\a')
	case 'e':
		return one(0x1B)
	case 'x', 'u':
		text, ok := "", false
		if c == 'x' && p.take("{") {
			if text, _, ok = strings.Cut(p.expr[p.pos:], "}"); ok {
				p.pos += len(text) + 1
			}
		} else {
			most := 2
			if c == 'u' {
				most = 4
			}
			n := 0
			for n < most && p.pos+n < len(p.expr) && strings.IndexByte("0123456789abcdefABCDEF", p.expr[p.pos+n]) >= 0 {
				n++
			}
			text, ok = p.expr[p.pos:p.pos+n], c == 'x' || n == most
			p.pos += n
		}
		v, err := strconv.ParseUint(text, 16, 32)
		if !ok || err != nil || v > utf8.MaxRune {
			return nil, false, fmt.Errorf(`\%c%s is no code point`, c, text)
		}
		return one(rune(v))
	case '0':
		n := 0
		for n < 2 && p.pos+n < len(p.expr) && p.expr[p.pos+n] >= '0' && p.expr[p.pos+n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint("0"+p.expr[p.pos:p.pos+n], 8, 32)
		p.pos += n
		return one(rune(v))
	default:
		return one(c)
	}
}

var hexDigits = runeSet{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}

// property reads {Name} or {^Name} after \p.
func (p *patternParser) property() (runeSet, error) {
	if !p.take("{") {
		// Ruby's \pL without braces is an error; other dialects' files use it.
		if !p.more() {
			return nil, errors.New(`\p without a name`)
		}
		return propertySet(string(p.rune()))
	}
	name, _, ok := strings.Cut(p.expr[p.pos:], "}")
	if !ok {
		return nil, errors.New(`\p{ without }`)
	}
	p.pos += len(name) + 1
	name, not := strings.CutPrefix(name, "^")
	set, err := propertySet(name)
	if not {
		set = complement(set)
	}
	return set, err
}

// properties names what a Unicode property consists of: general categories, or classes
// of unicode.txt. A property has several names; each stands here in lower case and
// without spaces, hyphens and underscores.
var properties = map[string]string{
	"l": "Lu Ll Lt Lm Lo", "letter": "Lu Ll Lt Lm Lo",
	"l&": "Lu Ll Lt", "lc": "Lu Ll Lt", "casedletter": "Lu Ll Lt",
	"lu": "Lu", "uppercaseletter": "Lu", "upper": "Lu",
	"ll": "Ll", "lowercaseletter": "Ll", "lower": "Ll",
	"lt": "Lt", "titlecaseletter": "Lt",
	"lm": "Lm", "modifierletter": "Lm",
	"lo": "Lo", "otherletter": "Lo",

	"m": "Mn Mc Me", "mark": "Mn Mc Me", "combiningmark": "Mn Mc Me",
	"mn": "Mn", "nonspacingmark": "Mn",
	"mc": "Mc", "spacingmark": "Mc",
	"me": "Me", "enclosingmark": "Me",

	"n": "Nd Nl No", "number": "Nd Nl No",
	"nd": "Nd", "decimalnumber": "Nd", "digit": "Nd",
	"nl": "Nl", "letternumber": "Nl",
	"no": "No", "othernumber": "No",

	"p": punctuation, "punctuation": punctuation,
	"pc": "Pc", "connectorpunctuation": "Pc",
	"pd": "Pd", "dashpunctuation": "Pd",
	"ps": "Ps", "openpunctuation": "Ps",
	"pe": "Pe", "closepunctuation": "Pe",
	"pi": "Pi", "initialpunctuation": "Pi",
	"pf": "Pf", "finalpunctuation": "Pf",
	"po": "Po", "otherpunctuation": "Po",

	"s": symbols, "symbol": symbols,
	"sm": "Sm", "mathsymbol": "Sm",
	"sc": "Sc", "currencysymbol": "Sc",
	"sk": "Sk", "modifiersymbol": "Sk",
	"so": "So", "othersymbol": "So",

	"z": "Zs Zl Zp", "separator": "Zs Zl Zp",
	"zs": "Zs", "spaceseparator": "Zs",
	"zl": "Zl", "lineseparator": "Zl",
	"zp": "Zp", "paragraphseparator": "Zp",

	"cc": "Cc", "control": "Cc", "cntrl": "Cc",
	"cf": "Cf", "format": "Cf",
	"co": "Co", "privateuse": "Co",

	"alpha": "alphabetic", "alphabetic": "alphabetic",
	"alnum": "alphabetic Nd",
	"punct": punctuation + " " + symbols, // Oniguruma counts symbols too
	"space": "space", "whitespace": "space",
	"word": "word_regex",
	"han":  "Han", "hiragana": "Hiragana", "katakana": "Katakana", "hangul": "Hangul", "arabic": "Arabic",
}

const (
	punctuation = "Pc Pd Ps Pe Pi Pf Po"
	symbols     = "Sm Sc Sk So"
)

// propertySet returns the code points of a Unicode property: a general
// category, a POSIX bracket or a script.
func propertySet(name string) (runeSet, error) {
	plain := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	if classes, ok := properties[plain]; ok {
		return classSet(classes), nil
	}
	switch plain {
	case "c", "other":
		// Also what Unicode has given to no character, so that it is all the rest.
		return complement(classSet("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Zs Zl Zp " + punctuation + " " + symbols)), nil
	case "blank":
		return union(append(classSet("Zs"), [2]rune{'\t', '\t'})), nil
	case "xdigit":
		return hexDigits, nil
	case "ascii":
		return runeSet{{0, 127}}, nil
	case "any":
		return runeSet{{0, utf8.MaxRune}}, nil
	}
	for script, table := range unicode.Scripts {
		if strings.EqualFold(strings.ReplaceAll(script, "_", ""), plain) {
			return tableSet(table), nil
		}
	}
	return nil, fmt.Errorf("unknown property %q", name)
}

// classSet is the union of classes of unicode.txt.
func classSet(names string) runeSet {
	var out runeSet
	for n := range strings.FieldsSeq(names) {
		out = append(out, unicodeTables().classes[n]...)
	}
	return union(out)
}

// tableSet is a table of Go's as a set.
func tableSet(table *unicode.RangeTable) runeSet {
	var out runeSet
	add := func(lo, hi, stride rune) {
		for c := lo; c <= hi; c += stride {
			out = append(out, [2]rune{c, c})
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return union(out)
}

// class reads a bracket expression behind its [.
func (p *patternParser) class(depth int) (runeSet, error) {
	if depth > maxPatternDepth {
		return nil, fmt.Errorf("classes are nested more than %d deep", maxPatternDepth)
	}
	not := p.take("^")
	var set runeSet
	var parts []runeSet // before &&
	first := true
	for {
		if !p.more() {
			return nil, errors.New("a class without ]")
		}
		if p.expr[p.pos] == ']' && !first {
			p.pos++
			break
		}
		first = false
		if p.take("&&") {
			parts = append(parts, union(set))
			set = nil
			continue
		}
		if p.take("[:") {
			name, _, ok := strings.Cut(p.expr[p.pos:], ":]")
			if !ok {
				return nil, errors.New("[: without :]")
			}
			p.pos += len(name) + 2
			name, negated := strings.CutPrefix(name, "^")
			s, err := propertySet(name)
			if err != nil {
				return nil, err
			}
			if negated {
				s = complement(s)
			}
			set = append(set, s...)
			continue
		}
		if p.take("[") {
			s, err := p.class(depth + 1)
			if err != nil {
				return nil, err
			}
			set = append(set, s...)
			continue
		}
		lo, single, err := p.classMember()
		if err != nil {
			return nil, err
		}
		rest := p.expr[p.pos:]
		if single && strings.HasPrefix(rest, "-") && len(rest) > 1 && rest[1] != ']' {
			p.pos++
			hi, alsoSingle, err := p.classMember()
			if err != nil {
				return nil, err
			}
			if alsoSingle {
				if hi[0][0] < lo[0][0] {
					return nil, fmt.Errorf("the range %c-%c ends before it begins", lo[0][0], hi[0][0])
				}
				lo = runeSet{{lo[0][0], hi[0][0]}}
			} else {
				lo = append(append(slices.Clone(lo), hi...), [2]rune{'-', '-'})
			}
		}
		set = append(set, lo...)
	}
	set = p.folded(union(set))
	for _, s := range parts {
		set = intersection(set, p.folded(s))
	}
	if not {
		set = complement(set)
	}
	return set, nil
}

func (p *patternParser) classMember() (set runeSet, single bool, err error) {
	r := p.rune()
	if r != '\\' {
		return runeSet{{r, r}}, true, nil
	}
	if p.take("b") {
		return runeSet{{'\b', '\b'}}, true, nil
	}
	return p.escapedSet()
}
