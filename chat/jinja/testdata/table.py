"""Writes table.json.gz: what Jinja2 makes of the snippets below, and which it refuses.

    python3 -m venv venv && venv/bin/pip install transformers==5.23.0 jinja2==3.1.6
    venv/bin/python chat/jinja/testdata/table.py

Python 3.11. The environments are 0: the one that Transformers compiles chat templates
in (utils/chat_template_utils.py, _cached_compile_jinja_template, called here), and
1: jinja2.Environment(undefined=StrictUndefined, keep_trailing_newline=True), as
lm-evaluation-harness has it. An error is kept as null, since only ours has our words.
Snippets whose text holds an address or depends on the order of a set are left out: each
is rendered by two processes with other seeds of the hash.
"""

import datetime
import gzip
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys

import jinja2

VARS = {
    "n": 3, "x": 2.5, "neg": -7, "s": "Hello, World", "empty": "", "yes": True, "nothing": None, "big": 10**20,
    "l": [3, 1, 2, 1], "words": ["pear", "Apple", "fig", "apple"], "text": "one\n\n  two\nthree",
    "d": {"b": 2, "A": 3, "a": 1, "C": 0}, "nested": {"k": [1, {"z": "é", "y": None}], "j": 0.1, "e": [], "f": {}},
    "people": [{"name": "Bo", "age": 7, "of": {"town": "Z"}}, {"name": "al", "age": 3}, {"name": "Cy", "age": 7}],
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": " hi "}, {"role": "assistant", "content": "a", "tool_calls": [{"function": {"name": "f", "arguments": {"q": 1}}}]}, {"role": "tool", "content": "<r>"}],
    "html": "<a href='x'>\"&\"</a>", "u": "Straße ǆ ﬁ", "v": "é中😀\u007f", "items": {"items": 1, "keys": [2], "get": None},
    "inf": float("inf"), "nan": float("nan"), "tree": [{"n": 1, "c": [{"n": 2, "c": []}, {"n": 3, "c": [{"n": 4, "c": []}]}]}, {"n": 5, "c": []}],
}

# Values of all types, as expressions.
VALUES = """3 -7 0 2.5 -0.0 1e16 1e-5 big true none empty s u v '3.7' ' 42 ' '0x1f' '<b>' text l [] words (1,'a') () (2,) d {} missing d.zz
('<'|e) range(4) d.items() d.keys() d.values() 'ab'.encode() namespace(a=1) (l|map('string')) [[1,2],[0,5]] people nan inf [none,1] [2.5,1] "it's" "'" """.split()

SMALL = "3 -7 0 2.5 big true none 'ab' u ('<'|e) [1,2] [] (1,2) d missing range(3) d.keys() 'ab'.encode() nan".split()

# Each filter with arguments.
FILTERS = {
    "abs": ["", "(1)"], "attr": ["('real')", "('upper')", "('a')", "('items')", "(1)", "('__class__')", "('append')"],
    "batch": ["(2)|list", "(3,'x')|list", "(0)|list", "('a')|list", "(2,fill_with=0)|list", "(2.0)|list"],
    "capitalize": ["", "(1)"], "center": ["", "(9)", "(width=8)", "('a')", "(-1)"], "count": [""], "d": ["('z')"],
    "default": ["", "('z')", "('z',true)", "(default_value=1,boolean=true)", "(1,2,3)"],
    "dictsort": ["", "(true)", "(by='value')", "(false,'value',true)", "(reverse=true)", "('x','y')"],
    "e": [""], "escape": [""], "filesizeformat": ["", "(true)", "(binary=true)"], "first": [""], "float": ["", "(1)", "(default='q')"],
    "forceescape": [""], "format": ["", "(1)", "('a','b')", "(a=1)", "(1,a=1)"],
    "groupby": ["('age')", "('name')", "(0)", "('upper')", "('of.town',default='-')", "('name',case_sensitive=true)", ""],
    "indent": ["", "(2)", "(2,true)", "(2,true,true)", "('> ',blank=true)", "(width=1,first=true)", "(none)", "(true)"],
    "int": ["", "(7)", "(0,16)", "(0,0)", "(default='q')", "(base=8)", "(0,37)"], "items": ["|list"],
    "join": ["", "(', ')", "('-',attribute='name')", "(attribute=0)", "(1)", "(none)", "(d='+')", "('<'|e)"],
    "last": [""], "length": [""], "list": [""], "lower": [""],
    "map": ["('string')|list", "('upper')|list", "(attribute='name')|list", "(attribute='of.town',default='-')|list", "('nosuch')|list", "()|list", "('join','-')|list", "(attribute=0)|list", "('default','q')|list", "(attribute='name',x=1)|list", "('int',default=3)|list", "('e')|list"],
    "max": ["", "(true)", "(attribute='age')", "(case_sensitive=true,attribute=0)"], "min": ["", "(true)", "(attribute='age')", "(attribute='name')"],
    "pprint": [""], "reject": ["|list", "('odd')|list", "('gt',1)|list"], "rejectattr": ["('of')|list", "('age','eq',7)|list", "()|list"],
    "replace": ["('a','b')", "('l','L',1)", "('','-')", "(1,2)", "('a')", "('a','b',none)", "(old='a',new='b')", "('<','>')", "('a','b','c')"],
    "reverse": ["", "|list"], "round": ["", "(1)", "(-1)", "(0,'ceil')", "(1,'floor')", "(method='floor')", "(0,'up')", "(none)", "('a')", "(precision=2)", "(-2,'ceil')"],
    "safe": [""], "select": ["|list", "('odd')|list", "('string')|list", "('nosuch')|list", "('gt',1)|list", "('in',[1,'a'])|list", "(1)|list"],
    "selectattr": ["('of')|list", "('age','equalto',7)|list", "('name','in',['Bo'])|list", "('of.town','defined')|list", "(0)|list", "()|list"],
    "slice": ["(2)|list", "(3,'x')|list", "(0)|list", "(-1)|list", "('a')|list", "(2,fill_with='f')|list"],
    "sort": ["", "(true)", "(reverse=true,case_sensitive=true)", "(attribute='age')", "(attribute='age,name')", "(attribute='of.town')", "(attribute=0)", "(attribute='1,0')"],
    "string": [""], "striptags": [""], "sum": ["", "(start=10)", "(attribute='age')", "(start=[])", "('age',1)", "(0)", "(start='')", "(start=0.5)"],
    "title": [""], "tojson": ["", "(indent=2)", "(true)", "(sort_keys=true)", "(separators=(',',':'))", "(indent='\\t')", "(indent=0)", "(indent=-1)", "(indent=true)", "(indent=1.5)", "(separators=',:')", "(false,1,(';','='))", "(separators=1)"],
    "trim": ["", "('H')", "(chars='d')", "(none)", "(1)", "('ab','b')"],
    "truncate": ["", "(5)", "(5,true)", "(5,true,'')", "(5,end='>',leeway=0)", "(2)", "(4,leeway=-1)", "(8,false,'..',0)"],
    "unique": ["|list", "(true)|list", "(attribute='age')|list", "(attribute='name',case_sensitive=true)|list"], "upper": ["", "()", "(1)"],
    "urlencode": [""], "urlize": ["", "(5)"], "wordcount": [""], "wordwrap": ["", "(5)", "(4,false)", "(3,wrapstring='|')", "(0)", "(6,break_on_hyphens=false)"],
    "xmlattr": ["", "(false)"],
    "nosuch": [""],
}

TESTS = {
    "defined": [""], "undefined": [""], "none": [""], "boolean": [""], "string": [""], "integer": [""], "float": [""], "number": [""],
    "mapping": [""], "sequence": [""], "iterable": [""], "callable": [""], "true": [""], "false": [""], "odd": [""], "even": [""],
    "divisibleby": ["(3)", " 2", "(0)", "(num=2)", "('a')"], "lower": [""], "upper": [""], "escaped": [""], "filter": [""], "test": [""],
    "in": ["([3,none,'3.7'])", "('Hello, World!')", "(d)", "({'b':1})"], "sameas": ["(none)", "(true)", " 3"],
    "eq": ["(3)", "('<')"], "ne": ["(3)"], "lt": ["(3)", " 'a'"], "le": ["(2.5)"], "gt": ["(0)"], "ge": ["([])"], "equalto": ["(true)"],
    "lessthan": ["(9)"], "greaterthan": [" none"], "nosuch": [""],
}

STRINGS = ["'Hello, World'", "''", "u", "' a\\tb  c\\n'", "'aXbXXc'", "'ΑΣ Σ aΣ.'", "'x1²½Ⅷ四'", "'-42'", "'<i>'|e", "'İstanbul ŉ'", "'ÀéÎ'"]

METHODS = {
    "capitalize": ["()"], "casefold": ["()"], "center": ["(9)", "(10)", "(9,'*')", "(3)", "()", "(9,'ab')", "(9.0)"],
    "count": ["('X')", "('')", "('l',3)", "('l',-3,-1)", "(1)", "()"], "encode": ["()", "('utf-8')", "('ascii')", "('ascii','ignore')", "('latin-1','replace')", "(encoding='utf8')", "('ascii','backslashreplace')"],
    "endswith": ["('d')", "(('x','d'))", "('o',0,5)", "(1)", "(['d'])", "('')"], "startswith": ["('H')", "(('x','H'))", "('e',1)", "('',99)", "()", "('l',-3)"],
    "expandtabs": ["()", "(4)", "(tabsize=2)", "(0)", "(-1)"], "find": ["('X')", "('l',4)", "('l',-4,-1)", "('')", "('',99)", "('zz')", "('l',none,4)", "(1)"],
    "rfind": ["('X')", "('l',0,4)", "('')"], "index": ["('l')", "('zz')", "('l',4)"], "rindex": ["('l')", "('zz')"],
    "format": ["()", "(1)"], "format_map": ["({'a':1})"], "isalnum": ["()"], "isalpha": ["()"], "isascii": ["()"], "isdecimal": ["()"], "isdigit": ["()"],
    "isidentifier": ["()"], "islower": ["()"], "isnumeric": ["()"], "isprintable": ["()"], "isspace": ["()"], "istitle": ["()"], "isupper": ["()"],
    "join": ["(['a','b'])", "('abc')", "([1])", "([])", "(d)", "(5)", "(['<'])", "(words|map('upper'))", "(missing)"],
    "ljust": ["(14)", "(14,'.')", "(2)"], "rjust": ["(14)", "(14,'.')"], "lower": ["()", "(1)"], "upper": ["()"], "lstrip": ["()", "('H ')", "(none)"], "rstrip": ["()", "('d\\n')"], "strip": ["()", "('Hd')", "(1)"],
    "partition": ["('X')", "(',')", "('')", "('zz')"], "rpartition": ["('X')", "('zz')"], "removeprefix": ["('He')", "('x')"], "removesuffix": ["('ld')", "('')"],
    "replace": ["('l','L')", "('l','L',1)", "('','-')", "('X','')", "('l','L',-1)", "('l')", "(old='l',new='L')", "('<','>')", "('l','<')"],
    "split": ["()", "('X')", "(',',1)", "(none,1)", "('')", "(sep='l',maxsplit=1)", "(none,0)", "('l',0)", "(maxsplit=1)", "(1)", "('zz')"],
    "rsplit": ["()", "('X',1)", "(none,1)", "('l',1)", "('l')", "(none,0)"], "splitlines": ["()", "(true)", "(keepends=true)"],
    "swapcase": ["()"], "title": ["()"], "translate": ["({72:'J',101:none,108:76})", "({})", "('abc')", "(''.maketrans('Hl','hL','o'))"], "maketrans": ["('ab','cd')", "({'a':1})", "('a')"],
    "zfill": ["(14)", "(5)", "()"], "nosuch": ["()"], "__class__": [""], "__len__": ["()"], "append": ["(1)"],
}

OTHER_METHODS = """l.index(1) l.index(9) l.index(1,2) l.index(1,-1) l.count(1) l.count(true) l.copy() l.append(1) l.append l.pop() l.sort() l.reverse() l.extend([1]) l.insert(0,1) l.remove(1) l.clear()
(1,2,1).count(1) (1,2).index(2) (1,2).copy() d.get('a') d.get('q') d.get('q',5) d.get('q',default=5) d.get() d.get([]) d.keys() d.values() d.items() d.copy() d.pop('a') d.popitem() d.setdefault('a',1) d.update({}) d.clear() d.pop d.fromkeys(['a','b']) d.fromkeys('ab',0)
dict.fromkeys(['x']) dict([('a',1)]) dict({'a':1},b=2) dict(a=1,**{'b':2}) dict([1]) dict(['ab','cd']) dict(1) dict({'a':1},{'b':2}) (5).bit_length() n.bit_length() n.real n.imag n.numerator n.denominator n.conjugate() n.as_integer_ratio() n.bit_count() big.bit_length() yes.real yes.bit_length() x.real x.imag x.is_integer() (2.0).is_integer() x.as_integer_ratio() x.conjugate() x.nosuch nothing.nosuch n.nosuch
items.items items.keys items.get items['items'] items['keys'] items['get'] items['values']() items.values()|list d.a d['a'] d.A d['nosuch'] d.nosuch d[1] d[none] d[[]] l[0] l[-1] l[9] l['a'] l[true] l[1.0] l['index'](1) s[0] s[-1] s[99] s['upper']() u[4] v[2] (1,2)[1] (1,2)['count'](1) range(5)[2] range(5)[-1] range(5).start range(2,9,3).stop range(2,9,3).step range(5).index(3) range(5).count(3) range(0) range(5)[1:3] range(5)[::-1] range(5)[::-2]|list range(1,9,3)[1:] 3 in range(5) 3.0 in range(5) 'a' in range(5) range(5)==range(5) range(0)==range(1,1) range(0,3,2)==range(0,4,2) range(100000)|length range(100001) range(1,2,3,4) range() range('a') range(2.0) range(big) range(0,big) range(3,0,-1)|list range(0,5,0) range(5)|sum range(-3)|list
d.keys()|list d.keys()==d.keys() d.items()==d.items() d.values()==d.values() d.keys()[0] 'a' in d.keys() ('a',1) in d.items() 1 in d.values() d.keys()|length d.items()|first d.keys()|reverse|list d.values()|sum d.keys()|sort d.items()|sort d.keys().isdisjoint(['z']) d.keys() < d.keys() d.keys() <= {'a':1,'A':1,'b':1,'C':1}.keys() d.keys()|tojson d.items()|tojson
'ab'.encode() 'ab'.encode()[0] 'ab'.encode()[0:1] 'é'.encode() 'é'.encode()|length 'é'.encode().decode() 'ab'.encode()=='ab' 'ab'.encode()|list 'ab'.encode()+'c'.encode() 'ab'.encode().hex() 97 in 'ab'.encode() 'a'.encode() in 'ab'.encode() 'a\\'b'.encode() 'ab'.encode()*2 'ab'.encode()|string 'ab'.encode()|tojson 'ab'.encode()<'b'.encode() "'\\"".encode()
namespace() namespace(a=1,b='x') namespace({'a':1}) namespace([('a',1)]) namespace(a=1).a namespace(a=1)['a'] namespace(a=1).b namespace(_a=1) namespace(a=1)|string namespace(a=1)|tojson namespace(a=1)==namespace(a=1) namespace(a=1)|length namespace(a=1)|list namespace(1) namespace(items=1).items namespace(a=1).items namespace(self=1) namespace(a=1)|attr('a') namespace(a=1)._a
cycler(1,2).next() cycler(1,2).current cycler() cycler(1,2).items cycler(1,2).pos joiner()() joiner('-').sep joiner().used joiner(sep=1) lipsum|string|length>0 range is callable dict is callable namespace is callable joiner() is callable cycler(1) is callable missing is callable n is callable s.upper is callable raise_exception is callable
missing missing.a missing['a'] missing() missing+1 1+missing missing~1 missing==missing missing==none missing!=1 missing<1 missing|length missing|list missing[1:] -missing not_a|int missing|float missing|string missing|upper missing|default(1) missing is missing missing.__class__ missing.__nosuch__ missing._x missing|tojson [missing] {'a':missing} {missing:1} missing*2 'a'*missing missing//1 missing**2 '%s'%missing '%d'%missing '{}'.format(missing) '{:5}'.format(missing) missing in [missing] 'a' in missing missing in 'a' missing in d missing if missing else 2 (missing or 3) (missing and 3) not missing d.q.r d.q[0] l[9].x l[9]+1 (1 if false) (1 if false).x (1 if false)+1 [1 if false] missing.x is defined missing|first missing|last missing|join missing|sum missing|max missing|sort missing|unique|list missing|map('upper')|list missing|items|list missing|dictsort missing|abs missing|round missing|trim missing|replace('a','b') missing|e missing|safe missing|indent missing|wordwrap missing|reverse|list missing|batch(2)|list missing|groupby('a') missing|attr('a') missing|xmlattr missing|pprint missing|random
''.__class__ ''.__class__.__mro__ ''['__class__'] ''['upper']() ''|attr('__class__') l.__len__() d.__getitem__('a') d['__class__'] {'__class__':1}.__class__ {'_x':1}._x {'_x':1}['_x'] s._x n._x (1).__add__(2) s.format.__globals__ range.__globals__ raise_exception.__globals__ '{0.__class__}'.format(1) '{0.__class__.__mro__}'.format(1) '{a.append}'.format(a=l) '{0[a]}'.format(d) '{0.a}'.format(d) '{0[0]}'.format(l) '{0[9]}'.format(l) '{0.upper}'.format(1) '{}'.format_map(d) '{a}{b}'.format_map(d) '{q}'.format_map(d) '{a!r:>5}'.format(a='x') '{!s}{!r}{!a}'.format('é','é','é') '{!x}'.format(1) '{:{w}}'.format('a',w=4) '{:{}}'.format('a',4) '{0}{}'.format(1,2) '{}{0}'.format(1,2) '{'.format() '}'.format() '{{}}'.format() '{0' '{0'.format(1) '{:>{w}.{p}f}'.format(1.239,w=7,p=2) '{0:d}'.format('a') '{:5}|{:<5}|{:^5}|{:>5}'.format(1,2,3,4) '{:5}|{:^5}'.format('a','b') '{.real}'.format(1) '{0.real}'.format(1) '{a.b}'.format(a={'b':5}) '{a[b]}'.format(a={'b':5}) '{:s}'.format(1) '{}'.format(l) '{:5}'.format(l) '{:5}'.format(none) '{}'.format(none) '{:,}'.format(1234567) '{:_x}'.format(65535) '{:%}'.format(0.25) ('<{}>'|safe).format('<') ('%s'|safe)%'<' ('%s %d'|safe)%('<',3) ('{:>4}'|safe).format('<') ('{0.a}'|safe).format({'a':'&'}) ('{:>4}'|safe).format('<'|e)""".split("\n")
OTHER_METHODS = [e for line in OTHER_METHODS for e in line.split(" ")]
# Some hold spaces of their own: pieces of such are put together again.
def joined(parts):
    out, held = [], ""
    for p in parts:
        held = held + " " + p if held else p
        try:
            jinja2.Environment().parse("{{ " + held + " }}")
        except Exception:
            if held.count("(") != held.count(")") or held.count("[") != held.count("]") or held.count("'") % 2 or held.split()[-1] in ("in", "is", "if", "else", "or", "and", "not", "<", "<="):
                continue
        if out and (p in ("is", "in", "if", "or", "and", "<", "<=", "else") or out[-1].split()[-1] in ("is", "in", "if", "or", "and", "<", "<=", "else", "not")):
            out[-1] += " " + held
        else:
            out.append(held)
        held = ""
    return out + ([held] if held else [])

LITERALS = r"""0 00 0_0 1_000 1__0 012 0b101 0B11 0o17 0xFf 0x_f 0b2 1.5 1.5e3 1e5 1E-3 1.e3 .5 1. 1_0.0_1 1e400 12345678901234567890123 -12345678901234567890123 9223372036854775807 9223372036854775808 -9223372036854775808 9223372036854775807+1 -9223372036854775807-2 3037000500*3037000500 4294967296*4294967296 -4294967296*2147483648 2**63 2**64 2**62*2 2**-1 (-2)**3 2**3**2 -2**2 2**0.5 (-8)**(1/3) 0**0 0**-1 0.0**-1 2**1000 10**4299 10**4300 1.5**1000 big*big big//7 big%7 -big//7 -big%7 big/3 big-big big==1e20 big+0.5 7//2 -7//2 7//-2 7%-3 -7%3 7.5//2 -7.5//2 7.5%-2 -7.5%2 0.0%-1 -0.0%1 1e308*10 1//0 1%0 1/0 1.0/0 1.0//0 1.0%0 0.1+0.2 1/3 2/3 1e22 1e21+1 123456789012345678 1e15 1e16 123456789.123456789 5e-324 1.7976931348623157e308 0.0001 0.00001 100.0 1e100 3.0 -0.0 0.1 true+true true*2.5 -true +true +1.5 -none -'a' +l --1 -+-1 not 1 not not 1 not none true+1 true==1 false==0 none==0 true/2 true//2 5-true
'a' "a" 'a' 'b' 'a\nb' 'a\tb' 'a\\b' 'a\'b' "a\"b" 'a\qb' '\x41' '\x4' '\u00e9' '\u12' '\U0001F600' '\U00110000' '\101' '\0' '\08' '\1234' '\a\b\f\v' '\N{BULLET}' '\N{bullet}' '\N{LATIN SMALL LETTER E WITH ACUTE}' '\N{NOSUCH}' '\N' '\N{CJK UNIFIED IDEOGRAPH-4E00}' '\é' '\中' '\r' 'é' [1,2,] [1,,2] [,] (1,) (1) () (,) {1:2,} {'a':1,'a':2} {1:'a',1.0:'b',true:'c'} {none:1} {(1,2):3} {(1,[2]):3} {[]:1} {'a'} {'a':} [*l] true True TRUE false False none None NONE nil null
1==1.0 1=='1' 'a'<'b' 'a'<1 [1]<[2] [1,2]<[1] (1,2)<(1,3) [1]<(2,) [1]==(1,) d==d {'a':1}=={'a':1.0} {'a':1}<{'a':2} none<1 1<2<3 1<2>1 1<2==2 3>2>1>0 1!=2!=1 'a' in 'abc' 'z' not in 'abc' 1 in [1.0] none in [none] [1] in [[1]] '' in '' 1 in 1 1 in 'a' not 1 in [1] 1 in [1] in [true] nan==nan nan!=nan nan<1 inf>big inf==inf -inf<0 nan in [nan] big<1e20 big<=1e20 big+1>1e20 9007199254740993==9007199254740992.0 9007199254740993>9007199254740992.0 'é'<'z' 'a'=='a'|safe
'abc'[1] 'abc'[-1] 'abc'[1:] 'abc'[:1] 'abc'[::2] 'abc'[::-1] 'abc'[5:] 'abc'[-99:99] 'abc'[2:0:-1] 'abc'[::0] 'abc'['a':] 'abc'[1.0:] 'abc'[none:2] 'abc'[:none:none] u[4:6] v[::-1] l[1:] l[::-1] l[-2:] l[:big] l[-big:] l[big] l[::big] l[1:3][0] (1,2,3)[1:] d[1:] n[1:] l[] l[1,2] l[1:2,3] d[(1,2)] l[true:] l.0 l.1.2 d.0 [[1,2]].0.1 'abc'.1 l[0:1]==l[:1] l[:-1:] l[1::] l[::] ('<'|e)[0:2] ('<b'|e)[0] s[0:5].upper()
'a'~1~none~2.5~[1] ~1 1~ 'a'~'b'|upper ('a'~'b')|upper 1~2+3 1+2~3 2*3~4 'a' + 'b' ~ 'c' missing~missing ('<'|e)~'<' '<'~('<'|e) ('<'|e)+'<' '<'+('<'|e) ('<'|e)*2 2*('<'|e) ('<'|e)=='&lt;' [('<'|e)] ('<'|e)|e ('<'|e)|upper ('<'|e)|length ('<'|e)|list ('<'|e)|string ('<'|e)|forceescape ('<'|e)|tojson ('<'|e).upper() ('<b'|safe).replace('b','<') ('a,b'|safe).split(',') ('a'|safe).join(['<','b']) ('a'|safe).center(5,'<') ('<'|e)+1 ('<'|e) in '&lt;x' ('a<b'|e).partition('&') ('<'|e) is string ('<'|e) is escaped '<' is escaped
1 if true 1 if false else 2 1 if true else 2 if true else 3 1 if 0 else 2 if 0 else 3 (1 if true) true and 1 0 or 'a' none or missing or 'x' 1 and 2 and 3 0 and 1/0 1 or 1/0 not true or true not (true or true) not 1==2 'a' if 'a' in 'abc' else 'b' 1 or 2 and 0
x is defined n is not defined n is defined and n is odd not n is odd n is number is string n is divisibleby 3 n is divisibleby(3) n is in l n is not in l n is in [3] n is sameas n n is eq 3 n is eq(3) s is string and s is lower n is odd if true else 1 n is defined == true 1 + n is odd -n is odd n|string is string n is not odd n is not not odd n is none or true n is nosuch n|nosuch n is 3 n is in(1) l|select('!=',1)|list l|select('<=',1)|list l|select('>=',2)|list l|select('<',2)|list l|select('>',2)|list l|select('==',1)|list n is test 'odd' is test '==' is test 'nosuch' is test 'upper' is filter 'tojson' is filter 1 is filter [] is filter
n|string|length n|string|upper|lower -n|abs -7|abs (-7)|abs -7.5|round 2**2|int '3'|int+1 '3'|int*2 1+'3'|int 'a'|upper~'b' 'a'|upper.lower() ('a'|upper).lower() s.split(',')[1]|trim l|length==4 l|sort|first l|sort()[0] l|join(',')|length n|default(1)|string l|map('string')|join|int [1,2]|first+1 s|replace('l','L')|replace('o','0') s|trim('H')|upper
l|sum/l|length s.upper().lower().title() d.items()|list|length d|length d|list d|first d|last d|join d|sort d|tojson|length d['a']+d.b s.replace('l','L').split('L')|join('-') s.nosuch() s.upper s.upper() () n() l() d() 'a'() (1)(2) none() s.upper(1) s.upper(*[]) s.replace(*['l','L']) s.split(**{'sep':'l'}) s.split(*[','],**{'maxsplit':1}) s.split(*[','],maxsplit=1) s.split(sep=',',sep=',') s.split(sep=',',**{'sep':','}) s.split(*5) s.split(**5) s.split(**{1:2}) dict(*[[('a',1)]]) dict(**d) range(*[1,5])|list '{}{}'.format(*'ab') '{b}'.format(**d) s.split(**d)""".split("\n")

INTS = ["42", " 42 ", "-42", "+42", "4_2", "_42", "42_", "4__2", "0x1f", "0b11", "0o17", "1f", "1e5", "4.9", "", " ", "x", "inf", "nan", "-inf", "Infinity", "1_0.5", "1._5", ".5", "5.", "٣", "１２", "12345678901234567890", "0012", "0x", "- 42", "--42", "1e400", "1e-400", "True", "0b_11", "\\t7\\n", "1,000"]

SPECS = ["", "d", "5", "<5", ">5", "^5", "*^7", "=5", "05", "+", " ", "+d", "-", ",", "_", "x", "X", "#x", "#o", "#b", "b", "o", "c", "e", "E", "f", "F", "g", "G", "n", "%", ".2", ".0", ".2f", ".0f", ".1%", "+.3e", "08.2f", "+08.2f", "*>10.1f", "010,", "012,.2f", "_b", ",x", "s", "10s", ".2s", "<05", "z.1f", "zd", "#.0f", "#g", ".3g", ".10g", "1.", "5d5", "{", "é^5", "020_d", "r", ".3", "10.3", "^010", "+s", "=5s", ",d", "#.3g", "0=6"]
FORMATTED = ["0", "-7", "1234567", "big", "true", "2.5", "-0.0", "1234.5678", "1e20", "1e-7", "100.0", "inf", "nan", "'abc'", "none"]

PERCENTS = ["%s", "%5s|", "%-5s|", "%.2s", "%r", "%a", "%d", "%5d|", "%-5d|", "%05d", "%+d", "% d", "%.3d", "%i", "%u", "%x", "%X", "%#x", "%o", "%#o", "%e", "%.1e", "%f", "%.2f", "%08.2f", "%+.1f", "%g", "%.3g", "%#g", "%G", "%c", "%%", "%5%", "%", "%q", "%s%s", "%(a)s", "%ld", "%5.1f|", "%-8.3f|", "% 5d", "%+5d", "%#.0f", "%*d", "a", "%.0f", "%5c|", "%-5c|", "%05s", "%(a)d%%", "%(zz)s"]
PERCENT_VALUES = ["3", "-7", "2.5", "'ab'", "'a'", "(1,2)", "('x',)", "()", "d", "[1]", "none", "true", "big", "missing", "1e20", "inf", "('<'|e)", "65"]


def statements():
    return pathlib.Path(__file__).with_name("statements.txt").read_text().split("\n====\n")


def whitespace():
    out = []
    marks = ["", "-", "+"]
    for before, a, b, after in itertools.product(["", "x", " \t", "x\n  ", "x\n\n", "\n", "x  "], marks, marks, ["", "y", "\ny", "  \n  y", "\n\ny", " y"]):
        if b == "+" and (a, before) != ("", "x\n  "):
            continue
        out.append(f"{before}{{%{a} if n {b}%}}{after}{{% endif %}}\n")
        if b != "+":
            out.append(f"{before}{{{{{a} n {b}}}}}{after}\n\n")
        if a != "+":
            out.append(f"{before}{{#{a} c {b}#}}{after}")
        out.append(f"{before}{{%{a} raw %}}{after}{{%{b} endraw %}}\n z")
    return out


def snippets():
    rnd = random.Random(13)
    chat = []
    for f, calls in FILTERS.items():
        for call, v in itertools.product(calls, VALUES):
            chat.append("{{ " + (v if v[0] != "-" else f"({v})") + "|" + f + call + " }}")
    for t, calls in TESTS.items():
        for call, v in itertools.product(calls, VALUES):
            chat.append("{{ " + v + " is " + t + call + " }}")
    for m, calls in METHODS.items():
        for call, v in itertools.product(calls, STRINGS):
            chat.append("{{ (" + v + ")." + m + call + " }}")
    for line in OTHER_METHODS_JOINED:
        chat.append("{{ " + line + " }}")
    for line in LITERALS:
        for e in joined(line.split(" ")):
            chat.append("{{ " + e + " }}")
    for op, a, b in itertools.product("+ - * / // % ** ~ == != < <= > >= in and or".split(), SMALL, SMALL):
        if rnd.random() < 0.5 and (op, b) != ("**", "big"):
            chat.append("{{ " + f"{a} {op} {b}" + " }}")
    for a, b in itertools.product(["'%s'", "'a%d'"], SMALL):
        chat.append("{{ " + f"{a} % {b}" + " }}")
    for i in INTS:
        chat += ["{{ '%s'|int(-1) }} {{ '%s'|float(-1) }}" % (i, i)] + ["{{ '%s'|int(-1,%d) }}" % (i, b) for b in (0, 2, 8, 16, 36)]
    for spec, v in itertools.product(SPECS, FORMATTED):
        chat.append("{{ '{:%s}'.format(%s) }}" % (spec, v))
    for p, v in itertools.product(PERCENTS, PERCENT_VALUES):
        chat.append("{{ '%s' %% %s }}" % (p, v))
    chat += ["{{ '%*d|%-*d|%.*f' % (5, 3, 4, 2, 1, 2.25) }}", "{{ '%s %s' % (1, 2, 3) }}", "{{ '%(a)s %(b)s' % d }}"]
    for v, digits in itertools.product(["2.675", "0.5", "1.5", "2.5", "-2.5", "1234.5678", "1e20", "5e-324", "0.1", "25", "-15", "big", "123456789", "1e308", "inf", "nan", "true"], [-400, -20, -3, -2, -1, 0, 1, 2, 3, 15, 400]):
        chat.append("{{ (%s)|round(%d) }}" % (v, digits))
    for n in ["0", "1", "1.0", "999", "1000", "1023", "1024", "1000000", "999999", "1e24", "1e30", "'2e6'", "-5", "1.5", "big"]:
        chat.append("{{ (%s)|filesizeformat }} {{ (%s)|filesizeformat(true) }}" % (n, n))
    for n in range(200):
        a, b, c = (rnd.choice(["", str(rnd.randint(-7, 7))]) for _ in range(3))
        chat.append("{{ %s[%s:%s:%s] }}" % (rnd.choice(["'abcdef'", "l", "u", "range(6)", "(1,2,3)"]), a, b, c))
    for w in ["see http://a.com/x?y=1, (www.b.org) and c@d.ef.", "<http://a.co>", "mailto:x@y.zz https://[::1]/", "http://1.2.3.4:80/p (http://w.org/a_(b)).", "ftp://x.yz foo.com FOO.ORG/z a@b @a@b.c http://é.com"]:
        chat += ["{{ '%s'|urlize }}" % w, "{{ '%s'|urlize(8, true, '_blank', 'me') }}" % w, "{{ '%s'|urlize(extra_schemes=['ftp:']) }}" % w]
    for t, w in itertools.product(["'The quick brown-fox jumped--over the lazy dog. well-known, e-mail - x'", "'aaaaaaaaaaaaaaaaaaaaa bb'", "'a  b   c'", "'one two\\nthree four five\\n\\nsix'", "'supercalifragilistic-expialidocious'"], ["(5)", "(10)", "(10,false)", "(7,true,'|')", "(20,break_on_hyphens=false)", "(1)", "(12,break_long_words=false,break_on_hyphens=false)"]):
        chat.append("{{ %s|wordwrap%s }}" % (t, w))
    for t, a in itertools.product(["'hello big world of words'", "'hello'", "'aaaaaaaaaaaaaaaa'", "u", "('a b c d e f g h'|e)"], ["(9)", "(9,true)", "(9,true,'')", "(9,false,'…')", "(9,leeway=0)", "(3)", "(20)", "(11,leeway=5)"]):
        chat.append("{{ %s|truncate%s }}" % (t, a))
    for v in ["range(50)|list", "messages", "people", "{'a'*30: 'b'*30, 'c'*30: ['d'*20,'e'*40]}", "'word '*30", "['x '*60]", "('a'*50,'b'*50)", "('a'*90,)", "{'k': 'line\\n'*30}", "{'b':{'z':range(40)|list,'a':none}}", "tree", "{2:1,1:2}", "[[]]", "{}"]:
        chat.append("{{ (%s)|pprint }}" % v)
    for f in "%d %m %y %Y %B %b %h %A %a %H %I %M %S %p %j %% %-d %-m %-H %-I %-j %F %T %R %D %e %k %l %u %w %U %W %V %G %g %C %c %x %X %r %n %t %Z %z %P %_d %^a %^B %0e %f %-y".split():
        chat.append("{{ strftime_now('[%s]') }}" % f)
    statement = statements()
    chat += statement
    # The other environment, on what it could do otherwise.
    strict = [s for s in chat if "missing" in s or "zz" in s or "tojson" in s] + statement + rnd.sample(chat, 800)
    space = whitespace()
    chat += space
    strict += space[::2]
    return list(dict.fromkeys((0, s) for s in chat)) + list(dict.fromkeys((1, s) for s in strict))


OTHER_METHODS_JOINED = joined(OTHER_METHODS)


def environments():
    import transformers
    from transformers.utils import chat_template_utils

    class Then(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 15, 4, 5)

    chat_template_utils.datetime = Then
    compile_chat = chat_template_utils._compile_jinja_template
    strict = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    made = f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}, Python {sys.version.split()[0]}"
    return made, [compile_chat, strict.from_string]


def render(compile, snippet):
    try:
        text = compile(snippet).render(**json.loads(json.dumps(VARS)))
        text.encode()  # half of a surrogate pair is no text
        return text
    except BaseException:
        return None


def main():
    if "--render" in sys.argv:
        made, compilers = environments()
        json.dump([made, [render(compilers[e], s) for e, s in snippets()]], sys.stdout)
        return
    runs = [json.loads(subprocess.run([sys.executable, __file__, "--render"], env=dict(os.environ, PYTHONHASHSEED=seed), stdout=subprocess.PIPE, check=True).stdout) for seed in "12"]
    made = runs[0][0]
    cases = [[e, s, a] for (e, s), a, b in zip(snippets(), runs[0][1], runs[1][1]) if a == b and " at 0x" not in (a or "")]
    out = json.dumps({"made": made, "vars": VARS, "cases": cases}, ensure_ascii=True, separators=(",", ":"))
    with open(pathlib.Path(__file__).with_name("table.json.gz"), "wb") as f:
        f.write(gzip.compress(out.encode(), 9, mtime=0))
    print(made, len(cases), "cases,", sum(c[2] is None for c in cases), "errors,", sum(c[0] for c in cases), "in the second environment")


if __name__ == "__main__":
    main()
