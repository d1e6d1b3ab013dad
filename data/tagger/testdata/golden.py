"""Writes golden/: documents made up here, and what Dolma says of them.

    python3 -m venv venv && venv/bin/pip install dolma==1.2.1 numpy==1.26.4
    PATH=$PWD/venv/bin:$PATH venv/bin/python data/tagger/testdata/golden.py

Made with Dolma 1.2.1 and Python 3.11. The texts are nonsense from the word list and the
pieces below, so that each rule of Gopher, C4 and the PII taggers is met often, alone and
beside others. Addresses and numbers lie in ranges kept for examples.
"""

import gzip
import json
import pathlib
import random
import shutil
import subprocess
import tempfile

TAGGERS = """gopher_v1 gopher_v2 c4_v1 c4_v2 pii_regex_v2 pii_regex_with_counts_fast_v2 char_length_v1 char_length_strip_ws_v1
char_length_with_paragraphs_v1 whitespace_tokenizer_v1 whitespace_tokenizer_with_paragraphs_v1 olmo_pretokenizer_v1
olmo_pretokenizer_with_paragraphs_v1 not_alphanum_paragraph_v1 code_redpajama_taggers_v1 code_copyright_comments_v1 code_starcoder_taggers_v1 code_starcoder_taggers_v2
uniseg_length_paragraphs_v1 uniseg_length_paragraphs_with_doc_length_v1""".split()

WORDS = """the be to of and that have with a in is it for on as was at by an are this from or had not but what all were when we there
can said which do how their if will each about out many then them these so some would make like into time has look two more write
go see number no way could people my than first water been call who oil its now find long down day did get come made may part
harbour kettle lantern meadow orchard pebble quarry ribbon saddle thistle umbrella velvet willow yonder zephyr antimony bellows
The And Of With 1984 42 3.14 x=1 naïve Übung Ελλάδα слово 東京 日本語 e.g. don't well-known ### -- § © #tag ...""".split()

PII = """anna.b-c+d@example.org|write to x@example.com.|<joe@example.co.uk>|("me"@example.org)|a@b|user@localhost|(@example.org
(202) 555-0143|202-555-0143|+1 202 555 0143|2025550143|202.555.0143|call 555-0143|1-800-555-0199|12025550143999
192.0.2.1|198.51.100.23|203.0.113.255|999.1.1.1|10.0.0.1.2|version 1.2.3.4|isbn 192.0.2.7|doi:10.1000/192.0.2.9
https://example.org/202-555-0143|www.example.com/?q=a@example.org|?????@example.org""".replace("\n", "|").split("|")

ODD = """lorem ipsum dolor|Lorem Ipsum|function f() { return 1 }|please enable JavaScript|javascripts|JAVASCRIPT:|{|}|porn|anal ysis|big ass
• a point with some words in it|- a point with some words in it|* another one with words|… |…|and so on...|and so on…|Is it? "Yes!"
...|#|#...|… and more|\u0130stanbul JavaScript|\u212aelvin|tab\there|two  spaces|trailing |\u00a0nbsp\u00a0|\u2028line|\x1c|a.|b!|c?|d\"|e,|0 1 2 3 4 5
# Copyright 2020 Nobody|// a comment|/* Copyright (c) 2019 */|x = 1  # set x|import os|def f(x):|    return x""".replace("\n", "|").split("|")


# Code for the taggers that count comments: each piece alone, and some together.
PYTHON = [
    '"""A module."""\n', "'''It's\nlong.'''\n", "import os  # the system\n", "# a comment\n", "x = '# no comment'\n", 'y = "a\\"b # c"  # d\n',
    'def f(a, b=1):\n    """What f does."""\n    return a  # b\n', "def g():\n    'short'\n",
    "class C:\n    '''Doc.'''\n    x = 1\n\n    def m(self):\n        r\"\"\"Raw.\"\"\"\n        pass\n",
    "async def h():\n    return 1\n", "z = [1,  # one\n     2]\n", "s = '''not a doc'''\n", "if x:\n    pass\n", "f'{x} # {y!r}'\n",
    "def broken(:\n", "lambda: 0\n", "@d\ndef k(): 'd'\n", "\\\n", "x = (\n# inside\n1)\n", "#!/usr/bin/python\n", "print('é')  # é 東京\n",
]
CURLY = [
    "// line\n", "/* block */\n", "/** doc\n * more\n */\n", 'String s = "// no";\n', "char c = '\\'';\n", "int x = 1; // tail\n",
    "public class A { /* a */ int b; /* c */ }\n", "/* open\n", "*/\n", "var r = /[/*]+/g; // regex\n", "var d = a / b / c;\n",
    "`template ${x} // no`\n", "if (a) /x[\\]/*]y/.test(b);\n", "import java.util.*;\n", "/**/\n", "///\n", 'x = "a\\\\"; // b\n',
    "<!-- html-like\n", "#!/usr/bin/env node\n", 'return /"/;\n', "é(); // 東京\n", "/* a */ /* b */ // c\n",
]
HTML = [
    "<html><head><title>T</title><script>var a = 1;</script><style>p {}</style></head>", "<body>", "\n\n  <div>  </div>\n",
    "<p>Some text of a page, with more than a few words in it so that it counts.</p>", "<!-- no -->", "<pre>  a\n  b  </pre>", "<br/>",
    "&amp; &lt;x&gt; &nbsp; &#233; &unknown;", "<template>t</template>", "<textarea> x </textarea>", "<a href='x'>link</a>", "</p></body></html>",
    "<?xml version='1.0'?>", "<![CDATA[ c ]]>", "<p>unclosed", "<script>if (a < b) {}</script >",
]


def code(r):
    for ext, pieces in [("py", PYTHON), ("java", CURLY), ("js", CURLY), ("html", HTML), ("go", CURLY), ("xml", HTML)]:
        for n in [1, 2, 2, 3, 3, 4, 6, 10, 20]:
            yield "".join(r.choice(pieces) for _ in range(n)), {"ext": ext, "max_stars_count": n}
        if ext in ("py", "js", "java"):
            for piece in pieces:
                yield piece, {"ext": ext}


def sentence(r, words):
    n = r.choice([1, 2, 3, 4, 8, 12, 20])
    return " ".join(r.choice(words) for _ in range(n)) + r.choice([".", ".", "?", "!", '"', "", "...", "…", ",", " ."])


def paragraph(r, words):
    lines = []
    for _ in range(r.choice([1, 1, 2, 3, 5])):
        kind = r.random()
        if kind < 0.55:
            lines.append(" ".join(sentence(r, words) for _ in range(r.choice([1, 1, 2, 3]))))
        elif kind < 0.7:
            lines.append(r.choice(["- ", "• ", "* ", "-", "•", " - "]) + sentence(r, words))
        elif kind < 0.85:
            lines.append(r.choice(ODD))
        elif kind < 0.95:
            lines.append(sentence(r, words) + " " + r.choice(PII) + r.choice([" ", ", ", ".", ""]) + sentence(r, words))
        elif lines:
            lines.append(r.choice(lines))
    return "\n".join(lines)


def documents():
    r = random.Random(12)
    yield from ["", " ", "\n", "a", "\n\n\n", "one word", "ÄÖÜ\n", "a\n\nb\n\n\nc", "\ta \u3000b", "0", ".", "\u0130", "\u200b", "x" * 3000]
    yield from ODD
    yield from PII
    yield from code(r)
    for phrase in ["a b c d e", "the be to of", "one two three four five six seven eight nine ten"]:
        for n in (2, 3, 7):
            yield " ".join([phrase] * n)
            yield "\n".join([phrase] * n)
            yield "start\n" + "\n".join([phrase] * n) + "\n\nand the end of it."
    for _ in range(140):
        words = r.sample(WORDS, r.choice([6, 15, 60, len(WORDS)])) # few words repeat often
        yield r.choice(["\n", "\n\n", "\n\n\n", "\r\n"]).join(paragraph(r, words) for _ in range(r.choice([1, 2, 4, 9])))


def main():
    golden = pathlib.Path(__file__).parent / "golden"
    shutil.rmtree(golden, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "documents").mkdir()
        with gzip.open(work / "documents" / "a.jsonl.gz", "wt") as f:
            for i, text in enumerate(documents()):
                text, metadata = text if isinstance(text, tuple) else (text, {})
                f.write(json.dumps({"metadata": metadata, "id": f"d{i}", "text": text, "source": "made", "added": "2026-11-29T00:00:00.000Z", "created": "2026-11-29T00:00:00.000Z"}) + "\n")
        subprocess.run(["dolma", "tag", "--documents", str(work / "documents" / "*.gz"), "--taggers", *TAGGERS, "--debug", "--ignore_existing"], check=True)
        for path in sorted(work.rglob("*.gz")):
            to = golden / path.relative_to(work)
            to.parent.mkdir(parents=True, exist_ok=True)
            with open(to, "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
                z.write(gzip.decompress(path.read_bytes()))


main()
