"""Makes python.json.gz: what CPython 3.11 says to the cases of this file.

    python3 python.py
"""
import ast, gzip, json, random, re

randoms = []
for seed in (0, 1, 42, 1234, 2**32 - 1, 2**40 + 7):
    r = random.Random(seed)
    shuffled = list(range(9))
    row = dict(seed=seed, floats=[r.random() for _ in range(3)], below=[[n, r.randrange(n)] for n in (1, 2, 7, 1000, 10**9)],
               samples=[[n, k, r.sample(range(n), k)] for n, k in ((5, 5), (30, 3), (22, 3), (21, 3), (500, 8), (100, 20), (86, 6), (0, 0))])
    r.shuffle(shuffled)
    row["shuffle"] = shuffled
    randoms.append(row)

texts = ["", "The answer is 42.", "#### -1,234.50\n", "a\nb\r\nc", "Größe: 3 µm, naïve_x2 — “q” ½ ², ١٢", "(A) yes (B) no", "x\x1cy\x1fz\u2028w", "aaa bbb aaa",
         "the answer is (C). So the answer is D.", "[['x', 'y'], ['z']]", "$12.50 and $3", "e\u0301tat ﬁn ǅ İi"]
patterns = [r"#### (\-?[0-9\.\,]+)", r"(-?[$0-9.,]{2,})|(-?[0-9]+)", r"(?<=the answer is )(.*)(?=.)", r"\((\w)\)", r"\b\w+\b", r"\s+", r"\S+", r"\W", r"[^\w\s]", r"[\w.]+", r"(?i)ANSWER IS \(?([A-D])\)?", r"x*",
            r"(?P<first>a+) (?P<second>b+) (?P=first)", r"(a)|(b)", r"^.", r"(?m)^.", r".$", r"(?s)a.b", r"\d+", r"[[]'?(\w)", r"[]x]", r"[a\]]", r"[^]a]", r"a{,2}", r"a{2}", r"a{2,}", r"(a)\1", r"(?:ab|a)(?!b)", r"(?P<n>.)(?P<m>.)",
            r"\Z", r"\A.", r"(?x) a # comment\n b", r"(?:(\d+)|(\w))", r"\u00e9|\xe9|\U000000e9", r"[À-ÿ]+", r"(?<!the )answer", r"(\d)?(\w)", r"\.$", r"[.,!?]+$", r"(?i:THE) answer", r"a|", r"\x41", r"\101", r"\$(\d+)(?:\.(\d+))?", r"(?#c)a", r"[\d\-]+", r"[--/]", r"\\", r"\t"]
bad = [r"(", r"a**", r"[a", r"(?P<n>a)(?P<n>b)", r"(?P=x)", r"\q", r"(?<n>a)", r"a{2,1}", r"*a", r")", r"(?P<>a)", r"\1", r"(?z)a", "a\\"]
finds = []
for p in patterns:
    c = re.compile(p)
    finds.append(dict(pattern=p, found=[[[g if g is not None else None for g in (m.group(0), *m.groups())] for m in c.finditer(t)] for t in texts]))
for p in bad:
    try:
        re.compile(p)
        raise SystemExit(p)
    except re.error:
        pass
subs = []
for p, repl, count in ((r"(\w)(\w)", r"\2\1", 0), (r"a", "x", 2), (r"\s+", " ", 0), (r"(?P<d>\d)", r"<\g<d>\g<0>\g<1>>", 0), (r"x*", "-", 0), (r".", r"\n\t\\", 1), (r"(a)|b", r"[\1]", 0), (r"b", r"\101\0", 0), (r"[^\w]", "", 0), (r"a", r"\.", 0)):
    subs.append(dict(pattern=p, repl=repl, count=count, out=[re.sub(p, repl, t, count=count) for t in texts]))
badsubs = [("a", r"\1"), ("a", r"\g<x>"), ("a", r"\q"), ("a", "\\"), ("(a)", r"\g<1")]
for p, repl in badsubs:
    try:
        re.sub(p, repl, "a")
        raise SystemExit(repl)
    except (re.error, IndexError):
        pass

literals = ["['a', \"b\"]", "[]", "()", "('x',)", "('x')", "[1, -2, 3.5, 1e3, 0x10, 0b11, 1_000, .5, 1.]", "[True, False, None]", "['a' 'b', 'c']", r"'\n\t\x41\u00e9\U0001F600\101\q\'\"'", "r'\\n'", "'''a\nb'''", '"""x"y"""', " [ 'a' , 'b' , ] ", "[['a', 'b'], ['c']]", "12", "-7", "+3", "'it''s'", "['don\\'t']", "u'x'", "123456789012345678901234567890", "[\n'a',\n'b'\n]", "00", "1e400"]
wrong = ["", "a", "[a]", "['a'", "'a", "'a\nb'", "[1 2]", "012", "f'x'", "1 + x", "foo()", "[,]", "'a' b", "\"\\x4\"", "0x", "1__0", "True1"]
good = []
for s in literals:
    v = ast.literal_eval(s.strip())
    good.append([s, json.loads(json.dumps(v))] if v != float("inf") else [s, "inf"])
for s in wrong:
    try:
        ast.literal_eval(s)
        raise SystemExit(s)
    except (SyntaxError, ValueError):
        pass

docs = ['{"a":1,"b":[1.0,2.50,1e16,1e-5,123456789.123,1E3,-0.0,-0],"c":{},"d":[],"e":null,"f":true,"g":"é\\u2028\\n\\t\\"\\\\\\u0007\\u007f😀","h":{"i":{"j":[{"k":"l"}]}}}', '[]', '"x"', '{"z":1,"a":2}', "12345678901234567890", "1.7976931348623157e308"]
dumps = [[d, json.dumps(json.loads(d), indent=2, ensure_ascii=False)] for d in docs]

with gzip.GzipFile("python.json.gz", "wb", mtime=0) as f:
    f.write(json.dumps(dict(randoms=randoms, texts=texts, finds=finds, bad=bad, subs=subs, badsubs=badsubs, literals=good, wrong=wrong, dumps=dumps)).encode())
