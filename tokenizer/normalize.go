package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"olmo/internal/pyjson"
)

// normalizer changes a piece's text before it is cut.
type normalizer interface {
	normalize(p *piece)
}

// normalForm is NFC, NFD, NFKC or NFKD.
type normalForm struct{ compat, compose bool }

func (n normalForm) normalize(p *piece) {
	if isASCII(p.text) {
		return
	}
	text := p.text
	p.transform(func(emit func(change)) { n.changes(text, emit) }, 0)
}

// normalWindow is how many bytes are normalised at once, so that memory does not grow with the text.
const normalWindow = 4 << 10

// changes calls emit for the code points of the normal form of s, from one that
// nothing before it changes to the next.
func (n normalForm) changes(s string, emit func(change)) {
	d := unicodeTables()
	var list []change
	for s != "" {
		end := min(normalWindow, len(s))
		for ; end < len(s); end++ {
			if s[end] < utf8.RuneSelf {
				break
			}
			if !utf8.RuneStart(s[end]) {
				continue
			}
			// Without a compatibility decomposition, which may begin with a mark.
			r := runeAt(s, end)
			if _, changes := d.nfkd[r]; !changes && d.norm.of(r) == 0 {
				break
			}
		}
		list = decompose(list[:0], s[:end], n.compat)
		if n.compose {
			list = recompose(list)
		}
		for _, c := range list {
			emit(c)
		}
		s = s[end:]
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// normalizerFunc is a normalizer without settings.
type normalizerFunc func(p *piece)

func (f normalizerFunc) normalize(p *piece) { f(p) }

func lowercase(p *piece) {
	lower := unicodeTables().lower
	p.mapRunes(func(dst []change, r rune) []change {
		to, ok := lower[r]
		if !ok {
			return append(dst, change{r, 0})
		}
		for i, c := range to {
			dst = append(dst, change{c, min(i, 1)})
		}
		return dst
	})
}

func stripAccents(p *piece) {
	accents := unicodeTables().classes["accent"]
	p.filter(func(r rune) bool { return !accents.contains(r) })
}

// nmt is the cleaning of the NMT-NFKC rule of SentencePiece.
func nmt(p *piece) {
	p.filter(func(r rune) bool {
		switch {
		case r >= 1 && r <= 8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return false
		}
		return true
	})
	p.mapRunes(func(dst []change, r rune) []change {
		switch {
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			r = ' '
		}
		return append(dst, change{r, 0})
	})
}

type stripNormalizer struct{ left, right bool }

func (n stripNormalizer) normalize(p *piece) { p.strip(n.left, n.right) }

type prependNormalizer string

func (n prependNormalizer) normalize(p *piece) { p.prepend(string(n)) }

type replaceNormalizer struct {
	m       matcher
	content string
}

func (n replaceNormalizer) normalize(p *piece) { p.replace(n.m, n.content) }

type normalizerSequence []normalizer

func (n normalizerSequence) normalize(p *piece) {
	for _, s := range n {
		s.normalize(p)
	}
}

// bertNormalizer is the cleaning of BERT's original tokenizer.
type bertNormalizer struct {
	clean, chinese, stripAccents, lower bool
}

func (n bertNormalizer) normalize(p *piece) {
	classes := unicodeTables().classes
	if n.clean {
		control := classes["bert_control"]
		p.filter(func(r rune) bool { return !control.contains(r) })
		p.mapRunes(func(dst []change, r rune) []change {
			if isSpace(r) {
				r = ' '
			}
			return append(dst, change{r, 0})
		})
	}
	if n.chinese {
		p.mapRunes(func(dst []change, r rune) []change {
			if !isBertChinese(r) {
				return append(dst, change{r, 0})
			}
			return append(dst, change{' ', 0}, change{r, 1}, change{' ', 1})
		})
	}
	if n.stripAccents {
		normalForm{}.normalize(p)
		marks := classes["bert_mark"]
		p.filter(func(r rune) bool { return !marks.contains(r) })
	}
	if n.lower {
		lowercase(p)
	}
}

// isBertChinese tells the CJK ideographs that BERT sets apart. The gap from
// U+2B820 to U+2B91F is the reference's (normalizers/bert.rs).
func isBertChinese(r rune) bool {
	switch {
	case r >= 0x4E00 && r <= 0x9FFF, r >= 0x3400 && r <= 0x4DBF, r >= 0x20000 && r <= 0x2A6DF,
		r >= 0x2A700 && r <= 0x2B73F, r >= 0x2B740 && r <= 0x2B81F, r >= 0x2B920 && r <= 0x2CEAF,
		r >= 0xF900 && r <= 0xFAFF, r >= 0x2F800 && r <= 0x2FA1F:
		return true
	}
	return false
}

// parseNormalizer reads the normalizer of a tokenizer.json; null gives nil.
func parseNormalizer(raw json.RawMessage) (normalizer, error) {
	var c struct {
		Type         string
		Normalizers  []json.RawMessage
		StripLeft    bool `json:"strip_left"`
		StripRight   bool `json:"strip_right"`
		Pattern      patternConfig
		Content      string
		Prepend      string
		CleanText    bool  `json:"clean_text"`
		ChineseChars bool  `json:"handle_chinese_chars"`
		StripAccents *bool `json:"strip_accents"`
		Lowercase    bool
		CharsMap     string `json:"precompiled_charsmap"`
	}
	if isNull(raw) {
		return nil, nil
	}
	if err := pyjson.Value(raw, &c); err != nil {
		return nil, err
	}
	switch c.Type {
	case "Sequence":
		var seq normalizerSequence
		for i, r := range c.Normalizers {
			n, err := parseNormalizer(r)
			if err != nil {
				return nil, fmt.Errorf("normalizers[%d]: %w", i, err)
			}
			if n != nil {
				seq = append(seq, n)
			}
		}
		return seq, nil
	case "NFC":
		return normalForm{compose: true}, nil
	case "NFD":
		return normalForm{}, nil
	case "NFKC":
		return normalForm{compat: true, compose: true}, nil
	case "NFKD":
		return normalForm{compat: true}, nil
	case "Lowercase":
		return normalizerFunc(lowercase), nil
	case "StripAccents":
		return normalizerFunc(stripAccents), nil
	case "Nmt":
		return normalizerFunc(nmt), nil
	case "Strip":
		return stripNormalizer{c.StripLeft, c.StripRight}, nil
	case "Prepend":
		return prependNormalizer(c.Prepend), nil
	case "Replace":
		m, err := c.Pattern.matcher()
		if err != nil {
			return nil, fmt.Errorf("type Replace: %w", err)
		}
		return replaceNormalizer{m, c.Content}, nil
	case "ByteLevel":
		return normalizerFunc((*piece).toByteChars), nil
	case "BertNormalizer":
		accents := c.Lowercase
		if c.StripAccents != nil {
			accents = *c.StripAccents
		}
		return bertNormalizer{c.CleanText, c.ChineseChars, accents, c.Lowercase}, nil
	case "Precompiled":
		data, err := base64.StdEncoding.DecodeString(c.CharsMap)
		if err != nil {
			return nil, fmt.Errorf("type Precompiled: precompiled_charsmap: %w", err)
		}
		n, err := parseCharsMap(data)
		if err != nil {
			return nil, fmt.Errorf("type Precompiled: precompiled_charsmap: %w", err)
		}
		return n, nil
	}
	return nil, fmt.Errorf("unknown type %q", c.Type)
}
