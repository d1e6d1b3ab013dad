# Asks Hugging Face tokenizers 0.23.3 (Oniguruma 6.9.10, Unicode 16) for the code points of its properties, cases and grapheme clusters, and writes properties.txt.
# usage: python properties.py ../properties.txt   (half an hour; takes the names of the properties from the file that is there)
import sys
from tokenizers import Regex, pre_tokenizers as P

path = sys.argv[1]
points = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
everything = ''.join(map(chr, points))


def ranges(codes):
    out = []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return ' '.join('%X' % a if a == b else '%X-%X' % (a, b) for a, b in out)


def matched(pattern, text):
    """The code points of text that the pattern matches."""
    out, at = [], 0
    for _, (a, b) in P.Split(Regex(pattern), 'removed').pre_tokenize_str(text):
        out += [ord(c) for c in text[at:a]]
        at = b
    return out + [ord(c) for c in text[at:]]


names = [line.split(':')[0].split()[1:] for line in open(path) if line.startswith('property ')]
lines = ['# What Hugging Face tokenizers 0.23.3 (Oniguruma 6.9.10, Unicode 16) answers about code points, asked one by one (testdata/properties.py).',
         '# property NAMES: RANGES. Names without case, spaces, hyphens and underscores.']
for n in names:
    # \p{Word} alone also asks a table of Latin-1.
    pattern = {'posixpunct': '[[:punct:]]+', 'word': '[[:word:]]+'}.get(n[0], r'\p{%s}+' % n[0])
    lines.append('property %s: %s' % (' '.join(n), ranges(matched(pattern, everything))))

# Grapheme clusters: what joins with what tells the kind of a code point.
segments = P.Split(Regex(r'\X'), 'isolated')


def one(text):
    return len(segments.pre_tokenize_str(text)) == 1


picture = set(matched(r'\p{Extended_Pictographic}', everything))
kinds = {}
for c in points:
    h = chr(c)
    if not one(h + '\u0308'):
        kind = 'control'
    elif one('a' + h):
        kind = 'extend' if c == 0x200D or one('\U0001F600' + h + '\u200d\U0001F600') else 'spacing'
    elif one(h + 'a'):
        kind = 'prepend'
    elif c in picture:
        kind = 'picture'
    elif one('\u1100' + h):
        kind = 'lvt' if 0xAC00 <= c <= 0xD7A3 else 'v' if one(h + '\u11a8') else 'l'
    elif one('\u11a8' + h):
        kind = 't'
    elif one('\U0001F1E6' + h):
        kind = 'regional'
    else:
        continue
    kinds.setdefault(kind, []).append(c)
lines.append('# cluster KIND: RANGES. Kinds of Unicode Standard Annex 29, table 2.')
for kind in sorted(kinds):
    lines.append('cluster %s: %s' % (kind, ranges(kinds[kind])))

# Cases. The first of each line is the one that long forms are written with.
cased = [c for c in points if any(f(chr(c)) != chr(c) for f in (str.lower, str.upper, str.title, str.casefold))]
# What this Python's Unicode may not know yet.
cased = sorted(set(cased) | set(range(0x1C80, 0x1C90)) | set(range(0xA7C0, 0xA7E0)) | set(range(0x10D50, 0x10D90)) | {0x264, 0x19B})
text = '\0'.join(map(chr, cased)) + '\0'
classes, long = {}, {}
for c in cased:
    same = [x for x in matched(r'(?i)\x{%x}' % c, text) if x]
    fold = chr(c).casefold()
    if len(fold) > 1:
        long.setdefault(fold, []).append(c)
    if len(same) > 1:
        classes[min(same)] = same
lines.append('# fold: code points that are one without regard to case.')
for k in sorted(classes):
    same = classes[k]
    low = [x for x in same if chr(x).casefold() == chr(x)] or [x for x in same if chr(x).lower() == chr(x)] or same
    lines.append('fold x: %s' % ' '.join('%X' % x for x in low[:1] + [x for x in same if x != low[0]]))
lines.append('# long SEVERAL: code points that are equal to several.')
for k in sorted(long):
    lines.append('long %s: %s' % (' '.join('%X' % ord(x) for x in k), ' '.join('%X' % x for x in sorted(long[k]))))

# Scripts, by what is not cut.
cutter = P.UnicodeScripts()


def apart(a, b):
    return len(cutter.pre_tokenize_str(chr(a) + chr(b))) == 2


runs = []
for c in points:
    if not apart(0x61, c) and not apart(0x6F22, c):
        continue
    if runs and runs[-1][-1] == c - 1 and not apart(c - 1, c):
        runs[-1].append(c)
    else:
        runs.append([c])
scripts = []
for run in runs:
    for s in scripts:
        if not apart(s[0], run[0]):
            s += run
            break
    else:
        scripts.append(run)
lines.append('# script NUMBER: RANGES. What the pre-tokenizer UnicodeScripts does not cut between; what is in none joins anything.')
for i, s in enumerate(scripts):
    lines.append('script s%d: %s' % (i, ranges(s)))
open(path, 'w').write('\n'.join(lines) + '\n')
