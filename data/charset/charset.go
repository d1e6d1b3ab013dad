// Package charset decodes texts of any character set: those that say theirs, those that
// say a wrong one, and those that say none.
package charset

import (
	"strings"
	"sync"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// Charset is a character set with an encoding, such as windows-1251.
type Charset struct {
	// Name is that of the WHATWG's standard; of sets that it does not have, IANA's.
	Name string

	coding encoding.Encoding
	// shift is what tells a set of seven bits; other sets have eight.
	shift string
	// rarity is what the set costs a text that declares none, in bits: how often such
	// texts are in it. 0 with languages: the first guess. Sets without languages are
	// never guessed.
	rarity int
	// languages are those in which texts in the set are looked for.
	languages string
	// detection is made when a text is first compared with it.
	once      sync.Once
	byteCosts []*byteModel
	pairCosts *pairModel
}

// The languages of Europe by the sets that have their letters.
const (
	western  = "ca da de en es et fi fr ga is it nb nl pt sq sv"
	central  = "cs de hr hu pl ro sk sl sq"
	baltic   = "et lt lv pl de"
	cyrillic = "be bg mk ru sr uk"
)

// sets are all that are known. Those which are guessed come in the order of how often
// texts without a declaration are in them: of two that give the same text the first is
// taken.
var sets = []*Charset{
	{Name: "utf-8", coding: unicode.UTF8},
	{Name: "windows-1252", coding: charmap.Windows1252, languages: western},
	{Name: "windows-1251", coding: charmap.Windows1251, rarity: 1, languages: cyrillic},
	{Name: "gb18030", coding: simplifiedchinese.GB18030, rarity: 1, languages: "zh-hans"},
	{Name: "shift_jis", coding: japanese.ShiftJIS, rarity: 1, languages: "ja"},
	{Name: "euc-kr", coding: korean.EUCKR, rarity: 1, languages: "ko"},
	{Name: "big5", coding: traditionalchinese.Big5, rarity: 2, languages: "zh-hant"},
	{Name: "euc-jp", coding: japanese.EUCJP, rarity: 2, languages: "ja"},
	{Name: "windows-1250", coding: charmap.Windows1250, rarity: 1, languages: central},
	{Name: "windows-1254", coding: charmap.Windows1254, rarity: 2, languages: "tr"},
	{Name: "windows-1256", coding: charmap.Windows1256, rarity: 2, languages: "ar fa ur"},
	{Name: "windows-1253", coding: charmap.Windows1253, rarity: 2, languages: "el"},
	{Name: "windows-874", coding: charmap.Windows874, rarity: 2, languages: "th"},
	{Name: "windows-1255", coding: charmap.Windows1255, rarity: 2, languages: "he"},
	{Name: "koi8-r", coding: charmap.KOI8R, rarity: 2, languages: "ru"},
	{Name: "windows-1257", coding: charmap.Windows1257, rarity: 2, languages: baltic},
	{Name: "windows-1258", coding: charmap.Windows1258, rarity: 2, languages: "vi"},
	{Name: "iso-8859-2", coding: charmap.ISO8859_2, rarity: 3, languages: central},
	{Name: "iso-8859-7", coding: charmap.ISO8859_7, rarity: 3, languages: "el"},
	{Name: "koi8-u", coding: charmap.KOI8U, rarity: 3, languages: "uk be ru"},
	{Name: "iso-8859-15", coding: charmap.ISO8859_15, rarity: 3, languages: western},
	{Name: "iso-8859-5", coding: charmap.ISO8859_5, rarity: 4, languages: cyrillic},
	{Name: "iso-8859-6", coding: charmap.ISO8859_6, rarity: 4, languages: "ar"},
	{Name: "iso-8859-13", coding: charmap.ISO8859_13, rarity: 4, languages: baltic},
	{Name: "iso-8859-4", coding: charmap.ISO8859_4, rarity: 6, languages: baltic},
	{Name: "iso-8859-3", coding: charmap.ISO8859_3, rarity: 6, languages: "mt eo"},
	{Name: "iso-8859-16", coding: charmap.ISO8859_16, rarity: 6, languages: central},
	{Name: "iso-8859-14", coding: charmap.ISO8859_14, rarity: 7, languages: "cy ga"},
	{Name: "iso-8859-10", coding: charmap.ISO8859_10, rarity: 8, languages: baltic + " is"},
	{Name: "ibm866", coding: charmap.CodePage866, rarity: 5, languages: "ru uk be bg"},
	{Name: "ibm852", coding: charmap.CodePage852, rarity: 6, languages: central},
	{Name: "ibm850", coding: charmap.CodePage850, rarity: 6, languages: western},
	{Name: "ibm437", coding: charmap.CodePage437, rarity: 7, languages: "de en es fr it nl sv fi"},
	{Name: "macintosh", coding: charmap.Macintosh, rarity: 6, languages: western},
	{Name: "x-mac-cyrillic", coding: charmap.MacintoshCyrillic, rarity: 6, languages: cyrillic},

	// Those that only a declaration, a mark or their own shapes tell.
	{Name: "iso-8859-1", coding: charmap.ISO8859_1}, // as Python has it; the web's is windows-1252
	{Name: "iso-8859-8", coding: charmap.ISO8859_8},
	{Name: "iso-8859-9", coding: charmap.ISO8859_9},
	{Name: "ibm855", coding: charmap.CodePage855},
	{Name: "ibm858", coding: charmap.CodePage858},
	{Name: "ibm860", coding: charmap.CodePage860},
	{Name: "ibm862", coding: charmap.CodePage862},
	{Name: "ibm863", coding: charmap.CodePage863},
	{Name: "ibm865", coding: charmap.CodePage865},
	{Name: "iso-2022-jp", coding: japanese.ISO2022JP, shift: "\x1b"},
	{Name: "iso-2022-kr", coding: shiftOut{korean.EUCKR}, shift: "\x0e"},
	{Name: "iso-2022-cn", coding: shiftOut{simplifiedchinese.GBK}, shift: "\x0e"},
	{Name: "hz-gb-2312", coding: simplifiedchinese.HZGB2312, shift: "~{"},
	{Name: "utf-16le", coding: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	{Name: "utf-16be", coding: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
	{Name: "utf-32le", coding: utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)},
	{Name: "utf-32be", coding: utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)},
}

var byName = func() map[string]*Charset {
	m := map[string]*Charset{}
	for _, c := range sets {
		m[c.Name] = c
	}
	for name, half := range upperHalves {
		m[name] = &Charset{Name: name, coding: half}
	}
	return m
}()

// decode decodes a text; what is no character of the set becomes U+FFFD.
func (c *Charset) decode(b []byte) string {
	if c.Name == "utf-8" {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	text, err := c.coding.NewDecoder().Bytes(b)
	if err != nil {
		// No decoder of ours fails but for its own reader; what it gave is there.
		return string(text)
	}
	return string(text)
}
