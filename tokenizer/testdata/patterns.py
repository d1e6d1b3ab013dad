# What Hugging Face tokenizers 0.23.3 makes of regular expressions: writes one line of JSON for each, with the pieces of Split and the text of Replace on several texts, or that it refuses the expression.
# usage: python patterns.py | gzip -9n > patterns.jsonl.gz
import json, random, sys
from tokenizers import Regex, normalizers as N, pre_tokenizers as P

random.seed(13)
TEXTS = [
    'Hello, world! It\'s 2024: it\'S  a "test"...\n\n x  \n',
    'aab abab aaabbb abcabc ab12ba xyzzy foofoo barbar\tA_B-C a\nb\r\nc\rd',
    'Straße STRASSE straẞe ﬁn FIN ﬀ ff ŉ İstanbul ıi Iİ ſS K\u212ak Σσς ΐ ΐ ᾳ ǅǆ ßss',
    'e\u0301a\u0308\u0323 한글 \u1112\u1161\u11ab 👩\u200d👩\u200d👧 🇩🇪🇫🇷🇺 👍🏽 नमस्ते क्षि กำ \u0600a \r\n\n',
    '(a(b(c)d)e) [x[y]z] "q\'r" {1,2} <b>bold</b> \\n a.b*c+d? ^$|',
    '漢字かなカナ 1२三Ⅷ½ ①②\u00a0\u3000\u2028\u0085\u200b\ufeff\ufffd \x00\x01\x7f\x9f\u0378\ue000',
    'aaaaaaaaaaaa bbbb 0x1F 077 +1.5e-3 user@mail.example C:\\dir https://x.y/z?q=1#f',
    '',
]
PATTERNS = r'''
\N \N+ \O \O+ \N*\n \X \X{2} \X+ \y \Y \yab \y\X \Ga \G. \G[a-z] (?:\Ga|b) \Gx|y a\Kb a\K \Ka ab\K(?=c) (?:a\K)+b (?<=a)\Kb \R \R+ \R{2} \h \H \h+ \H+ \h{2,4} 0x\h+
[[:alnum:]]+ [[:alpha:]]+ [[:ascii:]]+ [[:blank:]] [[:cntrl:]] [[:digit:]]+ [[:graph:]]+ [[:lower:]]+ [[:print:]]+ [[:punct:]]+ [[:space:]]+ [[:upper:]]+ [[:xdigit:]]+ [[:word:]]+
[[:^alnum:]]+ [[:^alpha:]]+ [[:^ascii:]]+ [[:^blank:]] [[:^cntrl:]]+ [[:^digit:]]+ [[:^graph:]]+ [[:^lower:]]+ [[:^print:]]+ [[:^punct:]]+ [[:^space:]]+ [[:^upper:]]+ [[:^xdigit:]]+ [[:^word:]]+
[^[:alpha:]]+ [[:alpha:][:digit:]]+ [[:print:]]{2} [[:print:]&&[^a-z]] [[:foo:]] [[:Alpha:]] [[:^foo:]] [:alpha:]+ [[:alpha]+ [[:alpha:] [[:] [[::]] [[:^:]] [a[:digit:]-z] [[:digit:]-a]
\p{Alnum}+ \p{Alpha}+ \p{ASCII}+ \p{Blank} \p{Cntrl} \p{Digit}+ \p{Graph}+ \p{Lower}+ \p{Print}+ \p{Punct}+ \p{PosixPunct}+ \p{Space}+ \p{Upper}+ \p{XDigit}+ \p{Word}+ \p{Newline} \p{^Alnum}+ \P{Alnum}+ \P{^Alpha}+ \p{^Punct}+
\p{L}+ \p{Letter} \pL+ \PL+ \pN \pZ \pS \pC \pM \pP \pX \p{Lu} \p{Ll}+ \p{Lt} \p{Lm} \p{Lo}+ \p{LC}+ \p{L&} \p{M}+ \p{Mn} \p{Mc} \p{N}+ \p{Nd} \p{Nl} \p{No} \p{P} \p{Pc} \p{Pd} \p{Ps} \p{Pe} \p{Pi} \p{Po} \p{S}+ \p{Sm} \p{Sc} \p{Sk} \p{So}+ \p{Z} \p{Zs} \p{Zl} \p{Zp} \p{C} \p{Cc} \p{Cf} \p{Cn} \p{Co} \p{Cs} \p{Other} \p{Assigned}+ \p{Any}+ \p{Unassigned} \p{Surrogate}
\p{Han}+ \p{^Han}+ \P{Han} \p{Hiragana}+ \p{Katakana} \p{Hangul}+ \p{Arabic} \p{Latin}+ \p{Greek}+ \p{Cyrillic} \p{Devanagari}+ \p{Thai} \p{Common}+ \p{Inherited} \p{Zyyy} \p{Latn} \p{Hani} \p{Unknown} \p{script=Han} \p{Script_Extensions=Latin} \p{Klingon} \p{IsLatin} \p{InGreek}
\p{In_Basic_Latin}+ \p{InBasicLatin} \p{In_Latin_1_Supplement} \p{In_CJK_Unified_Ideographs}+ \p{in_hiragana} \p{In_Hangul_Jamo} \p{In_Emoticons} \p{In_No_Block} \p{Block=Emoticons} \p{Age=6.0} \p{age=1.1} \p{Age_6_0}
\p{Alphabetic}+ \p{Lowercase}+ \p{Uppercase} \p{White_Space}+ \p{Emoji}+ \p{Emoji_Presentation} \p{Emoji_Modifier} \p{Extended_Pictographic} \p{Ideographic}+ \p{ID_Start}+ \p{ID_Continue}+ \p{XID_Start} \p{Dash} \p{Hex_Digit}+ \p{Math} \p{Quotation_Mark} \p{Terminal_Punctuation} \p{Sentence_Terminal} \p{Diacritic} \p{Case_Ignorable} \p{Cased}+ \p{Changes_When_Lowercased} \p{Grapheme_Extend} \p{Grapheme_Base}+ \p{Regional_Indicator} \p{Variation_Selector} \p{Default_Ignorable_Code_Point} \p{Noncharacter_Code_Point} \p{Join_Control} \p{CWU}+ \p{wspace} \p{Bidi_Control} \p{Extender} \p{Radical} \p{Unified_Ideograph} \p{InCB} \p{Grapheme_Cluster_Break=Extend} \p{NFD_QC=N}
\p{l e-t_t er} \p{ L } \p{LETTER} \p{} \p{^} \p{^^L} \p{L \p{L( \p \P \pé \p{é} [\p{L}\p{N}]+ [^\p{L}\p{N}]+ [\P{L}] [\p{^L}] [^\P{L}]+ [\pL\pN]+
(?<=a|bc)x (?<=a|ab)b (?<!a|bc). (?<=\p{L}{2})\d (?<=a+)b (?<=a*)b (?<!a+)b (?<!a*)b (?<=^|\s)\w+ (?<!\w)\w+(?!\w) (?<=(a))b (?<!(a))b (?<=(?:a|bb)c)a (?<=a{2,3})b (?<=\Aa)a (?<=a$)x (?<=a\z)x (?<=a\b)\s (?<=(?=a)a)b (?<=(?<=a)a)b (?<!(?<=a)a)b (?<!(?<!a)a)b (?<=(?<!a)a)b (?<=(?>a+))b (?<=\X)b (?<=.)a (?<=\n)\w (?<=\R)\w (?<=a.b)a (?<=(?i)A)b (?<=(?i:ss))e (?<=(?i:ß))e (?<!(?i:ß))e (?<=\1(a))b (?<=(?~a))b (?<=(?(?=a)a|b))b (?<=(b)\1)a (?<=\G)a (?<=)a (?<!)a (?<=a||b)c
(?>a+)b (?>a+)ab (?>a|ab)b (?>a*)a a++b a*+a a?+a a{2}+b a{1,2}+b a{,2}+b a{3,1}b a{3,1}a (?:ab)++a (?:ab)*+ab .++. \w++\d
(a)\1 (a|b)\1 (ab)\1 (\w)\1+ (\w+)\s\1 (a)(b)\2\1 (.)(.)\2 \1(a) (?:(a)|b)\1 (?:(a)|b)*\1 (a\1) (a\1?)+ (a)?\1b (?:\1a|())* (?:()|())*\1\2 \k<1> (a)\k<1> (a)\k'1' (a)(b)\k<-1> (a)\k<-2> (a)\k<+1>(b) (?<n>a)\k<n> (?<n>a)\k'n' (?'n'a)\k<n> (?<n>a)\1 (?<n>a)(b)\k<n> (?<n>a)|(?<n>b)\k<n> (?<n>.)(?<n>.)\k<n> (?<n>a)\k<m> \k<n>(?<n>a) (?<a-b>x) (?<1a>x) (?<>x) (?<n>x (?<é>a)\k<é> (?<n>a)\k<n+0> (?<n>a)\k<n-1> (a)\k<1+0> (a)\10 (a)\2 \9 \8 \19 (a)\k (a)\k<0> (a)\k<-0> (?i:(a))\1 (?i)(a)\1 (?i)(ß)\1 (?i)(s+)\1 (?i)(\w)\1 (?i)(ss)\1 (?i)(?<x>ﬁ)\k<x>
(a)?(?(1)b|c) (?(1)b|c)(a) (a)?(?(1)b) (?<n>a)?(?(<n>)b|c) (?<n>a)?(?('n')b|c) (?(a)b|c) (?(?=a)ab|b) (?(?!a)b|aa) (a)?b(?(1)) (a)(?(1)) (?(1)) (?(2)a|b) (?(a)) (?(a)b|c|d) (?(a)|b) (a)(?(-1)b|c) (a)(?(+1)b|c) (?(<x>)a|b) (?(a|b)c|.) (?(?<=a)b|c) (a)?(?(1)|b)
(?~ab) (?~ab)c (?~a)a (?~\n\n) (?~) (?~|ab|\O*) (?~|ab|\w+) (?~|b|a*)b (?~|b|(?:a|b)+) (?~|b)a+ (?~|b)\O* (?~|b)a(?~|)b (?~|) (?~|ab|) (?~a|b) (?~|a|b|c) /\*(?~\*/)\*/ \((?~\))\) (?:(?~ab))* (?~x+)y "(?~")"
(?<x>\((?:[^()]|\g<x>)*\)) \((?:[^()]|\g<0>)*\) (\((?:[^()]|\g<1>)*\)) (?<x>a|b\g<x>c) (?<x>a|\g<x>b) (?<x>\g<x>) (?<x>a\g<x>) \g<x>(?<x>a) \g<y>(?<x>a) \g<1>(a) \g<2>(a) (a)\g<-1> (a)\g<+1>(b) \g<+1>(a) \g'1'(a) (?<x>a){0}\g<x>b (?<x>a)(?<x>b)\g<x> (a)(?<x>b)\g<1> \g (?<p>\[(?:[a-z]|\g<p>)*\]) (?i:\g<x>)(?<x>a) \g<x>(?i:(?<x>a)) (?<d>\d){0}(?<w>\w){0}\g<d>\g<w> \A(?<a>|.|(?:(?<b>.)\g<a>\k<b>))\z \g<0>?a a\g<0>?b (?<x>(?<y>a)\g<x>?b)\k<y>
(?i)hello (?i:h)ELLO (?i)straße (?i)STRASSE (?i)ss (?i)ß (?i)ẞ (?i)s (?i)ſ (?i)k (?i)ﬁ (?i)fi (?i)ff (?i)ffi (?i)ŉ (?i)ʼn (?i)ΐ (?i)σ (?i)ς (?i)i (?i)İ (?i)ı (?i)ǆ (?i)ᾳ (?i)αι (?i)s(?:s) (?i)s(?i:s) (?i)(s)s (?i)s+ (?i)ss+ (?i)s{2} (?i)(?:ss)+ (?i)s\x73 (?i)s(?#x)s (?i)sss (?i)as|ß (?i)[ß] (?i)[^ß] (?i)[s] (?i)[^s]+ (?i)[a-z]+ (?i)[^a-z]+ (?i)[[^a]] (?i)[a&&A] (?i)[a-z&&[^k]]+ (?i)[ﬁ] (?i)[k] (?i)\p{Lu}+ (?i)\p{Ll} (?i)[\p{Lu}]+ (?i)[^\p{Lu}]+ (?i)[[:upper:]]+ (?i)[[:lower:]]+ (?i)[^[:upper:]] (?i)\x41 (?i)\u0041 (?i)[\x41-\x43] (?i)a(?-i)b (?i)a(?-i:B) a(?i)b|C a(?i:b|C) (?i)K (?i)å (?i)\101 (?-i)a (?i-i:a) ((?i)a)b (?i)É
(?m). (?m:.)+ (?-m:.) (?m).(?-m). (?x)a\ b (?x)a_b (?x: a b )b (?x)[a_b] (?mi)A. (?mix) (?im-x:A.) (?s). (?a)a (?u)a (?n)a (?^)a (?q) (?i a (?i (? (?W)\w+ (?W:\w)\w (?W)\b\w (?W)\W+ (?W)[\w]+ (?W)[^\w]+ (?W)\p{Word}+ (?W)[[:word:]]+ (?D)\d+ (?D)\D+ (?D)\p{Digit} (?S)\s+ (?S)\S+ (?P)\w+ (?P)[[:alpha:]]+ (?P)[[:^alpha:]]+ (?P)\p{Alpha}+ (?P)\p{^Alpha}+ (?P)\p{L}+ (?P)[[:punct:]]+ (?P)[[:print:]]+ (?P)[[:upper:]] (?P)\h (?P)\b (?-W)\w+ (?y{g})\X (?y{x})\X (?W)(?-W)\w+
\b \B \b\w+\b \Bb \bé \A. \Aa .\z .\Z \Z \z ^ $ ^. .$ ^\w+ \w+$ ^$ \A\z a^ $a \`a a\' \<a a\>
a{,2} a{0} a{0,0}b a{1} a{1,1}b a{2} a{2}? a{2,} a{2,}? a{2,3}? a{,} a{} a{a} a{1 a{1, a{1,2 a{-1} {1} {1}a {,2} { } ]a a{2}{3} a{100001} a{100000} a{1,100001} (?:ab){2} (?:ab){2,} (?:ab){,2}c (?:ab|c){2,3} (?:ab){1000} (?:a|b){0,5000}c (?:a|bb){3,5000}? a?? a*? a+? .*?b a*?b (?:a|b)*?c a** a+* a?+* a*?* (?:a*)* (?:a*)+ (?:a+)* (?:a?)* (?:a?)+? (?:a|)* (?:|a)* (?:|a)+ (a|b*)* (?:a?b?)* (?:a*?)*b (?:(?:a?)*)*b ()* ()+ (?:)* (?=a)* (?!a)+ ^* $+ \b? \A{2} \G* \K* (?:^)* (?:^|a)* (?:a|^)+ (^)* (?:^a)* (?<=a)+ * + ? a|* (*) (?:*a) (|*)
[abc] [^abc]+ [a-c]+ [c-a] [a-] [-a] [a-b-c] [a-b-] [--a] [!--] [a-\d] [\d-a] [\w-] [\d-] [-\d] [a-[b]] [a-z-[b]] [a-[b]c] []a] [^]a] [] [^] [[] [[]] [a[bc]d]+ [a[^bc]]+ [^[^a]]+ [a&&b] [a-z&&aeiou]+ [a-z&&[^aeiou]]+ [^a-z&&[aeiou]] [a-z&&[b-y]&&[^m]]+ [&&a] [a&&] [a&&&&a] [a&b]+ [a&-z] [\]] [\[] [\\] [a\-z] [\-z] [\^a] [a^] [\b] [\n\t ]+ [\e\a\f\v] [\x41-\x5A]+ [\x{41}-\x{5A}]+ [\x{41-5A}]+ [\x{41 42 61-63}]+ [\o{101}] [\101] [\u0041-\u005A]+ [\cA] [\C-a] [\M-a] [\8] [\q] [\R] [\X] [\K] [\N] [\O] [\h]+ [^\h]+ [\H] [\s\S]+ [^\s\S] [\d\D] [^\w\s]+ [.*+?(){}|^$]+ [(] [a|b] [а-я]+ [一-龥]+ [\x{10FFFF}] [a-\x{110000}] [\x{110000}] [\x{D800}] [é-ü]+ [a-z[:digit:]_]+ [[a-z]&&[^b]||x]+ [a\]b] [^\]]+ [[:alpha:]-] [#-&] [ -~]+ [a\pLb]+ [a,b-]+
\101 \0 \00 \012 \377 \400 \18 \x41 \x4 \x \xg \xE6\xBC\xA2 \xE6 \xE6\x41 \x80 \xFF \x{41} \x{41 42} \x{41-42} \x{} \x{g} \x{41 \x{41g} \x{110000} \x{D800} \x{000000041} \o{101} \o{8} \o \u0041 \u004 \u{41} \uD83D\uDE00 \U00000041 \cA \c \C-a \C-? \c? \ca \M-a \M-\C-a \M \C \e \a \f \v \t \n \r \q \- \_ \. \é \漢 \Qa.b\E \l \i \m \o{1 \ca\cb \7 \07
a|b a|ab ab|a |a a| a||b (|a)b (?:|a)b (a|b)|c (?:a(?:b(?:c))) ((((a)))) (?:a (a a) (?:a)) (?#c)a a(?#c)+ (?#c (?#a\)b)a (?=a)a (?!a)\w (?=.*b)a (?=(a))\1 (?!(a))\w (?=a|b)\w (?=a)(?=ab)a (?: ) (?*a) (*a) (*FAIL)|a (*FAIL)* (?@a) (?|a|b) (?&x) (?R) (?1) (?P<n>a) (?P=n) (?P>n) (?{x}) (?C)(a) (?I)(?i)é (?L)a|ab (*MAX{1}) (*COUNT) (?{{x}}) (*FAIL (*fail)
'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}|\s?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+ [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3} (?:^|(?<=\s))\S+ (\d)(?=(\d{3})+\b) (?<![\p{L}\p{N}])\p{N}{1,2} <(\w+)>(?~</\1>)</\1> (?<q>["']).*?\k<q> \b(?=\w*ss)\w+ ^\s*#.*$ \b0x\h+\b|\b0[0-7]+\b|\d+(?:\.\d+)?(?:e[+-]?\d+)? (?<=\p{Ll})(?=\p{Lu}) (?=[A-Z]) (?<=[.!?])\s+ \p{L}\p{M}* [\p{L}\p{M}]+|[\p{N}]|[^\s\p{L}\p{N}\p{M}]+ (?:\p{Han}|\p{Hiragana}|\p{Katakana})+ \S+@\S+ https?://\S+ \s+$ ^\s+ (?<!\S)\S(?!\S)
'''.split()
PATTERNS += [' ', '  +', '(?x) a b # c\n b', '(?x)a #c', '(?x)[a b]+', '(?x) (?-x: )a', 'a # b', '(?x)a +', '(?x)a\u00a0b', '(?x)a\x0bb', '\\ ', '(?i) s', ' ?[^\\s\\p{L}\\p{N}]+', ' ?\\p{L}+', '[\\n ]', '\n', '\t+', '(?x:a  b)(?-x: )', "(?<=\\s|^) ?\\w", 'a\x00b', '\x00', '[\x00-\x1f]', '(?x)a{1, 2}', 'a{1, 2}', '']
BEHAVIORS = ['removed', 'isolated', 'merged_with_previous', 'merged_with_next', 'contiguous']


def attempt(f):
    try:
        return f()
    except BaseException:
        return None


for i, p in enumerate(dict.fromkeys(PATTERNS)):
    out = {'pattern': p}
    try:
        Regex(p)
    except BaseException as e:
        out['error'] = str(e)
        print(json.dumps(out, ensure_ascii=False))
        continue
    out['cases'] = []
    for k, t in enumerate(TEXTS):
        behavior, invert = BEHAVIORS[(i + k) % 5], (i + k) // 5 % 2 == 1
        pieces = attempt(lambda: [x for x, _ in P.Split(Regex(p), behavior, invert).pre_tokenize_str(t)])
        replaced = attempt(lambda: N.Replace(Regex(p), '‹›').normalize_str(t))
        out['cases'].append({'text': k, 'behavior': behavior, 'invert': invert, 'pieces': pieces, 'replaced': replaced})
    print(json.dumps(out, ensure_ascii=False))
print(json.dumps({'texts': TEXTS}, ensure_ascii=False))
