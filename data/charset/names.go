package charset

import (
	"strings"
	"sync"
)

// names are the names of the sets in declarations, squeezed to letters and digits, by
// the set's own name: the labels of the WHATWG's Encoding Standard, Python's codecs and
// aliases, and IANA's names. Some name a subset or a forerunner, which is read as the
// larger set, as on the web.
var names = map[string]string{
	"utf-8":           "utf8 u8 utf utf8sig utf8bom utf8mb4 utf8mb3 utf8ucs2 utf8ucs4 cp65001 65001 unicode11utf8 unicode20utf8 xunicode20utf8 csutf8",
	"windows-1252":    "windows1252 cp1252 1252 xcp1252 win1252 ms1252 ansi msansi winlatin1 windowslatin1 iso88591 88591 8859 iso885911987 iso8859 latin1 latin l1 isoir100 ibm819 cp819 819 csisolatin1 ascii usascii 646 iso646us iso646irv1991 ansix341968 ansix341986 ansix34 csascii ibm367 cp367 isoir6 us xuserdefined",
	"windows-1250":    "windows1250 cp1250 1250 xcp1250 win1250 ms1250 msee windowslatin2",
	"windows-1251":    "windows1251 cp1251 1251 xcp1251 win1251 ms1251 mscyrl wincyrillic windowscyrillic",
	"windows-1253":    "windows1253 cp1253 1253 xcp1253 win1253 ms1253 msgreek windowsgreek",
	"windows-1254":    "windows1254 cp1254 1254 xcp1254 win1254 ms1254 msturk windowsturkish iso88599 88599 iso885991989 latin5 l5 isoir148 csisolatin5",
	"windows-1255":    "windows1255 cp1255 1255 xcp1255 win1255 ms1255 mshebr windowshebrew",
	"windows-1256":    "windows1256 cp1256 1256 xcp1256 win1256 ms1256 msarab windowsarabic",
	"windows-1257":    "windows1257 cp1257 1257 xcp1257 win1257 ms1257 winbaltrim windowsbaltic",
	"windows-1258":    "windows1258 cp1258 1258 xcp1258 win1258 ms1258 windowsvietnamese",
	"windows-874":     "windows874 cp874 874 dos874 ms874 ibm874 iso885911 885911 iso8859112001 thai tis620 tis6200 tis62025290 tis62025291 isoir166",
	"iso-8859-2":      "iso88592 88592 iso885921987 latin2 l2 isoir101 csisolatin2",
	"iso-8859-3":      "iso88593 88593 iso885931988 latin3 l3 isoir109 csisolatin3",
	"iso-8859-4":      "iso88594 88594 iso885941988 latin4 l4 isoir110 csisolatin4",
	"iso-8859-5":      "iso88595 88595 iso885951988 cyrillic isoir144 csisolatincyrillic",
	"iso-8859-6":      "iso88596 88596 iso885961987 arabic isoir127 ecma114 asmo708 csisolatinarabic iso88596e iso88596i csiso88596e csiso88596i",
	"iso-8859-7":      "iso88597 88597 iso885971987 greek greek8 suneugreek isoir126 elot928 ecma118 csisolatingreek",
	"iso-8859-8":      "iso88598 88598 iso885981988 hebrew visual isoir138 csisolatinhebrew iso88598e csiso88598e iso88598i csiso88598i logical",
	"iso-8859-10":     "iso885910 885910 iso8859101992 latin6 l6 isoir157 csisolatin6",
	"iso-8859-13":     "iso885913 885913 latin7 l7",
	"iso-8859-14":     "iso885914 885914 iso8859141998 latin8 l8 isoir199 isoceltic",
	"iso-8859-15":     "iso885915 885915 latin9 latin0 l9 csisolatin9 csiso885915",
	"iso-8859-16":     "iso885916 885916 iso8859162001 latin10 l10 isoir226",
	"koi8-r":          "koi8r koi8 koi koi8rus cskoi8r cp20866 20866",
	"koi8-u":          "koi8u koi8ru cskoi8u cp21866 21866",
	"ibm437":          "ibm437 cp437 437 cspc8codepage437",
	"ibm850":          "ibm850 cp850 850 cspc850multilingual",
	"ibm852":          "ibm852 cp852 852 cspcp852",
	"ibm855":          "ibm855 cp855 855 csibm855",
	"ibm858":          "ibm858 cp858 858 cp00858 ccsid00858 csibm858 csibm00858 ibm00858 pcmultilingual850euro",
	"ibm860":          "ibm860 cp860 860 csibm860",
	"ibm862":          "ibm862 cp862 862 cspc862latinhebrew dos862",
	"ibm863":          "ibm863 cp863 863 csibm863",
	"ibm865":          "ibm865 cp865 865 csibm865",
	"ibm866":          "ibm866 cp866 866 csibm866 dos866",
	"macintosh":       "macintosh mac xmacroman macroman csmacintosh macosroman",
	"x-mac-cyrillic":  "xmaccyrillic maccyrillic xmacukrainian macukrainian",
	"ibm737":          "ibm737 cp737 737",
	"ibm775":          "ibm775 cp775 775 cspc775baltic",
	"ibm857":          "ibm857 cp857 857 csibm857",
	"ibm861":          "ibm861 cp861 861 csibm861 cpis",
	"ibm864":          "ibm864 cp864 864 csibm864",
	"ibm869":          "ibm869 cp869 869 csibm869 cpgr",
	"x-mac-greek":     "xmacgreek macgreek",
	"x-mac-turkish":   "xmacturkish macturkish",
	"x-mac-ce":        "xmacce xmaccentraleurope maccentraleurope maccenteuro maclatin2 xmaccentraleurroman",
	"x-mac-icelandic": "xmacicelandic maciceland",
	"ptcp154":         "ptcp154 cp154 pt154 csptcp154 cyrillicasian",
	"kz-1048":         "kz1048 rk1048 strk10482002",
	"cp1125":          "cp1125 1125 ibm1125 ruscii cp866u",
	"gb18030":         "gb18030 gb180302000 gb180302005 gb180302022 gbk gb2312 xgbk cp936 936 ms936 windows936 chinese csgb2312 gb23121980 gb231280 csiso58gb231280 isoir58 euccn eucgb2312cn xmacsimpchinese",
	"hz-gb-2312":      "hzgb2312 hzgb hz",
	"big5":            "big5 big5hkscs hkscs big5eten big5tw csbig5 cp950 950 ms950 windows950 cnbig5 xmactradchinese xxbig5 xbig5",
	"shift_jis":       "shiftjis sjis xsjis ssjis csshiftjis cp932 932 ms932 mskanji windows31j cswindows31j windows932 shiftjis2004 sjis2004 shiftjisx0213 sjisx0213 xmacjapanese",
	"euc-jp":          "eucjp ujis xeucjp cseucpkdfmtjapanese eucjis2004 jisx0213 eucjisx0213 cp51932 eucjpms",
	"euc-kr":          "euckr xeuckr cseuckr ksc5601 ksc56011987 ksc56011989 ksx1001 isoir149 korean csksc56011987 cp949 949 xmackorean ms949 uhc windows949 cp51949",
	"iso-2022-jp":     "iso2022jp csiso2022jp iso2022jp1 iso2022jp2 iso2022jp3 iso2022jp2004 iso2022jpext cp50220 cp50221 jis",
	"iso-2022-kr":     "iso2022kr csiso2022kr cp50225",
	"iso-2022-cn":     "iso2022cn csiso2022cn iso2022cnext",
	"utf-16le":        "utf16le unicode csunicode ucs2 iso10646ucs2 utf16 unicodefeff unicodelittleunmarked xutf16le u16",
	"utf-16be":        "utf16be unicodefffe unicodebigunmarked xutf16be",
	"utf-32le":        "utf32le utf32 u32 ucs4",
	"utf-32be":        "utf32be",
}

var bySqueezed = sync.OnceValue(func() map[string]*Charset {
	m := map[string]*Charset{}
	for name, aliases := range names {
		for _, alias := range strings.Fields(aliases) {
			m[alias] = byName[name]
		}
	}
	return m
})

// Lookup finds a set by a name from a declaration, as it may be written there; nil when
// it is not known.
func Lookup(name string) *Charset {
	return bySqueezed()[squeeze(name)]
}

func squeeze(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case '0' <= r && r <= '9', 'a' <= r && r <= 'z':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, name)
}
