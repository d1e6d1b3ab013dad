"""Writes golden.json: what Jinja2 makes of the snippets below.

    python3 -m venv venv && venv/bin/pip install jinja2==3.1.6
    venv/bin/python chat/jinja/testdata/golden.py

The environment is set up as Transformers sets it up for chat templates
(utils/chat_template_utils.py, _compile_jinja_template). Each snippet is rendered
with the variables VARS; an error is kept as null, since only ours has our words.
"""

import json
import pathlib
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARS = {
    "n": 3, "x": 2.5, "neg": -7, "s": "Hello, World", "empty": "", "yes": True, "nothing": None,
    "l": [3, 1, 2, 1], "words": ["pear", "Apple", "fig", "apple"], "text": "one\n\n  two\nthree",
    "d": {"b": 2, "A": 3, "a": 1, "C": 0}, "nested": {"k": [1, {"z": "é", "y": None}], "j": 0.1, "e": [], "f": {}},
    "people": [{"name": "Bo", "age": 7, "of": {"town": "Z"}}, {"name": "al", "age": 3}, {"name": "Cy", "age": 7}],
    "html": "<a href='x'>\"&\"</a>", "u": "é中😀\u007f",
}

SNIPPETS = """
{{ missing | default('d') }}{{ empty | default('d') }}{{ empty | default('d', true) }}{{ nothing | d('e', boolean=true) }}{{ n | d(1) }}
{{ 1.5 | string }}{{ none | string }}{{ [1, 'a'] | string }}
{{ html | safe }}|{{ html | e }}|{{ html | escape }}|{{ html | forceescape }}
{{ nested | tojson }}
{{ nested | tojson(indent=2) }}
{{ nested | tojson(indent=0) }}
{{ nested | tojson(false, 1) }}
{{ d | tojson(sort_keys=true) }}
{{ {2: 'b', 1: 'a', 10: 'c'} | tojson(sort_keys=true) }}
{{ d | tojson(separators=(',', ':')) }}
{{ d | tojson(indent=1, separators=(' ;', '=')) }}
{{ u | tojson }}{{ u | tojson(ensure_ascii=true) }}
{{ u | tojson(4) }}
{{ "a\\"\\\\\\n\\t\\r\\b\\f\\x01/" | tojson }}
{{ [1e16, 1e-5, 0.1, 100.0, -0.0, 1e22] | tojson }}{{ true | tojson }}{{ [10, 987654321, -19] | tojson }}
{{ missing | tojson }}
{{ ' \\t x \\n' | trim }}|{{ '--x-' | trim('-') }}|{{ 'xyx' | trim(chars='x') }}
{{ s | lower }}{{ s | upper }}{{ 'hELLO wORLD' | capitalize }}{{ "it's a-b (cD) {e} [f" | title }}
{{ 'aaa' | replace('a', 'b') }}{{ 'aaa' | replace('a', 'b', 2) }}{{ 'ab' | replace('', '-') }}
{{ text | indent }}
{{ text | indent(2, true) }}
{{ text | indent(width=3, blank=true) }}
{{ text | indent('> ', first=true, blank=true) }}
{{ '\\n\\nx' | indent(2, true) }}
{{ '\\n\\nx' | indent(2, true, true) }}
{{ '\\n\\nx' | indent(2) }}
{{ '42' | int }} {{ '4.9' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ -3.7 | int }} {{ true | int }} {{ ' 5 ' | int }} {{ none | int(default=2) }}
{{ '1f' | int(0, 16) }} {{ '0x1f' | int(0, 16) }} {{ '-0b11' | int(0, 2) }} {{ '0o17' | int(base=8) }} {{ '12' | int(0, 0) }} {{ '0x1' | int(0, 16) }} {{ '0b1' | int(0, 2) }} {{ '+7' | int }} {{ '-0x1F' | int(5, 16) }} {{ 'zz' | int(5, 36) }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 'x' | float(1.0) }} {{ 3 | float }} {{ '1e3' | float }}
{{ neg | abs }} {{ -2.5 | abs }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(method='floor') }} {{ 42.55 | round(1) }} {{ 1234 | round(-2) }} {{ 3 | round }} {{ 1250 | round(-2) }} {{ 1350 | round(-2) }} {{ 3 | round(0, 'floor') }} {{ 1234.5 | round(-2) }} {{ 0.125 | round(2) }}
{{ 2.1 | round(1, 'up') }}
{{ s | length }}{{ l | length }}{{ d | count }}{{ u | length }}{{ missing | length }}
{{ 3 | length }}
{{ 'abc' | list }}{{ d | list }}{{ (1, 2) | list }}{{ missing | list }}
{{ l | first }}{{ l | last }}{{ 'xyz' | first }}{{ 'xyz' | last }}[{{ [] | first }}{{ [] | last }}]
{{ l | join }} {{ l | join(', ') }} {{ people | join('+', attribute='name') }} {{ 'abc' | join('-') }}
{{ d | items | list }}
{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}
{{ missing | items | list }}
{{ l | items | list }}
{{ d | dictsort }}
{{ d | dictsort(true) }}
{{ d | dictsort(by='value') }}
{{ d | dictsort(false, 'value', true) }}
{{ d | dictsort(reverse=true) }}
{{ d | dictsort(by='length') }}
{{ l | sort }}{{ l | sort(true) }}{{ words | sort }}{{ words | sort(case_sensitive=true) }}{{ people | sort(attribute='age') | map(attribute='name') | list }}
{{ [1, 'a'] | sort }}
{{ l | reverse | list }}{{ 'abc' | reverse }}
{{ words | unique | list }}{{ words | unique(true) | list }}{{ people | unique(attribute='age') | map(attribute='name') | list }}
{{ l | min }}{{ l | max }}{{ words | min }}{{ words | max }}{{ words | min(true) }}{{ (people | max(attribute='age')).name }}{{ (people | min(attribute='age')).name }}[{{ [] | max }}]
{{ l | sum }} {{ [0.5, 1] | sum }} {{ people | sum(attribute='age') }} {{ l | sum(start=10) }}
{{ ['a'] | sum }}
{{ words | map('upper') | list }}{{ people | map(attribute='of.town', default='-') | list }}{{ [[1, 2], [3]] | map('first') | list }}{{ l | map('string') | join }}{{ words | map('replace', 'p', 'b') | list }}
{{ [[1, 2], [3, 4]] | map(attribute=1) | list }}{{ [[1, 2], [3, 4]] | map(attribute='0') | list }}
{{ l | select('odd') | list }}{{ l | reject('odd') | list }}{{ l | select('gt', 1) | list }}{{ [0, 1, ''] | select | list }}{{ [0, 1, ''] | reject | list }}
{{ people | selectattr('of') | map(attribute='name') | list }}{{ people | rejectattr('of') | map(attribute='name') | list }}{{ people | selectattr('age', 'equalto', 7) | map(attribute='name') | list }}{{ people | rejectattr('age', '==', 7) | map(attribute='name') | list }}
{{ missing is defined }}{{ missing is undefined }}{{ n is defined }}{{ n is undefined }}
{{ nothing is none }}{{ n is none }}{{ yes is boolean }}{{ n is boolean }}{{ s is string }}{{ n is string }}
{{ n is integer }}{{ x is integer }}{{ yes is integer }}{{ x is float }}{{ n is float }}{{ n is number }}{{ yes is number }}{{ s is number }}
{{ d is mapping }}{{ l is mapping }}{{ l is sequence }}{{ s is sequence }}{{ d is sequence }}{{ n is sequence }}{{ l is iterable }}{{ n is iterable }}
{{ yes is true }}{{ 1 is true }}{{ (not yes) is false }}{{ 0 is false }}
{{ range is callable }}{{ n is callable }}{{ 'trim' is filter }}{{ 'trimm' is filter }}{{ 'odd' is test }}{{ 'odder' is test }}
{{ 3 is odd }}{{ 4 is odd }}{{ -3 is odd }}{{ 3 is even }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}
{{ 'a' is lower }}{{ 'A' is lower }}{{ 'A1' is upper }}{{ 'a' is upper }}{{ 1 is in [1] }}{{ 2 is in [1] }}{{ 2 is not in [1] }}
{{ none is sameas none }}{{ 1 is sameas 1 }}{{ 1 is eq 1.0 }}{{ 1 is equalto 2 }}{{ [1, 2] | select('==', 1) | list }}{{ 1 is sameas 1.0 }}{{ l is sameas l }}{{ [] is sameas [] }}{{ true is sameas 1 }}{{ 1 is ne 1 }}{{ 1 is lt 2 }}{{ 1 is lessthan 1 }}{{ 1 is le 1 }}{{ 2 is le 1 }}{{ 1 is gt 1 }}{{ 2 is greaterthan 1 }}{{ 1 is ge 1 }}{{ 1 is ge 2 }}
{{ 1 is nosuch }}
{{ 1 | nosuch }}
{{ 'xxaxx'.strip('x') }}{{ 'xxaxx'.lstrip('x') }}{{ 'xxaxx'.rstrip('x') }}[{{ ' a '.strip() }}{{ ' a '.lstrip() }}{{ ' a '.rstrip() }}]
{{ s.upper() }}{{ s.lower() }}{{ 'ab CD'.capitalize() }}{{ "they're a1b".title() }}
{{ '12'.isdigit() }}{{ '1a'.isdigit() }}{{ ''.isdigit() }}{{ 'ab'.isalpha() }}{{ 'a1'.isalpha() }}{{ ' \\t'.isspace() }}{{ 'a '.isspace() }}{{ '½'.isnumeric() }}{{ 'a'.isnumeric() }}{{ 'a1'.isalnum() }}{{ 'a-'.isalnum() }}
{{ 'héllo'.find('l') }}{{ 'héllo'.rfind('l') }}{{ 'abc'.find('z') }}{{ 'abc'.rfind('z') }}{{ 'héllo'.index('o') }}{{ 'abcabc'.count('bc') }}
{{ 'abc'.index('z') }}
{{ 'abc'.startswith('ab') }}{{ 'abc'.startswith('b') }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.endswith('bc') }}{{ 'abc'.endswith(('a', 'b')) }}
{{ 'abcab'.removeprefix('ab') }}{{ 'abcab'.removesuffix('ab') }}{{ 'abc'.removeprefix('x') }}{{ 'aXbXc'.replace('X', '-') }}{{ 'aXbXc'.replace('X', '-', 1) }}
{{ ' a  b c '.split() }}{{ ' a  b c '.split(none, 1) }}{{ 'a,b,,c'.split(',') }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.split(sep=',', maxsplit=0) }}{{ ''.split() }}{{ ''.split(',') }}
{{ 'a'.split('') }}
{{ 'a,b,c'.rsplit(',', 1) }}{{ 'a,b,c'.rsplit(',') }}{{ 'a,b,c'.rsplit(',', 5) }}
{{ 'a\\nb\\r\\nc\\n'.splitlines() }}{{ ''.splitlines() }}{{ '-'.join(['a', 'b']) }}{{ '7'.zfill(3) }}{{ '1234'.zfill(3) }}
{{ '-'.join([1]) }}
{{ '{}-{}'.format(1, 'b') }}{{ '{1}{0}'.format('a', 'b') }}{{ '{k}{{}}'.format(k=2) }}
{{ '{}'.format() }}
{{ d.items() | list }}{{ d.keys() | list }}{{ d.values() | list }}{{ d.get('b') }}{{ d.get('z') }}{{ d.get('z', 9) }}{{ d.copy() }}
{{ l.index(2) }}{{ l.count(1) }}
{{ l.index(9) }}
{{ l.append(4) }}
{{ d.update({'q': 1}) }}
{{ range(4) | list }}{{ range(1, 4) | list }}{{ range(6, 0, -2) | list }}{{ range(3, 1) | list }}{{ range(0, 7, 3) | list }}
{{ range(0, 4, 0) | list }}
{{ dict(b=1, a=2) }}{% set ns = namespace(v=1) %}{% for i in l %}{% set ns.v = ns.v + i %}{% endfor %}{{ ns.v }}
{{ raise_exception('no') }}
{{ strftime_now('%d %B %Y, %-d %b %y, %H:%M:%S %I %p, %A %a, %m %-m, %j %%') }}
{{ 'abcdef'[1:4] }}{{ 'abcdef'[:2] }}{{ 'abcdef'[-2:] }}{{ 'abcdef'[::2] }}{{ 'abcdef'[1:-1:2] }}{{ 'abcdef'[9:] }}{{ 'abcdef'[4:1] }}
{{ 'abcdef'[::-1] }} {{ 'abcdef'[4:1:-1] }} {{ 'abcdef'[::-2] }} {{ 'abcdef'[-2::-2] }} {{ 'abcdef'[:-3:-1] }} {{ 'abcdef'[9:2:-1] }} {{ 'abcdef'[1:4:-1] }} {{ 'abcdef'[2:-9:-1] }} {{ 'abcdef'[0:0:-1] }}
{{ l[::-1] }}{{ l[3:0:-2] }}{{ l[-1::-3] }}{{ (1, 2, 3)[::-1] }}{{ l[none:2] }}{{ l[2:none:-1] }}
{{ l[::0] }}
{{ l[0] }}{{ l[-1] }}{{ s[0] }}{{ s[-1] }}{{ u[1] }}{{ d['b'] }}{{ d.b }}{{ d['zz'] is defined }}{{ l[9] is defined }}{{ l['0'] is defined }}{{ l.0 }}
{{ missing.attribute }}
{{ d.missing.attribute }}
{{ 7 / 2 }} {{ 7 // 2 }} {{ 7 % 3 }} {{ neg // 2 }} {{ neg % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2.0 ** 3 }} {{ 4 / 2 }}
{{ 1 + 2.5 }} {{ 3 - 5 }} {{ 2 * 3 }} {{ 'ab' * 3 }} {{ 2 * 'ab' }} {{ 'ab' * -1 }} {{ [1] + [2] }} {{ (1,) + (2,) }} {{ 'a' + 'b' }} {{ 'a' ~ 1 ~ none ~ 2.0 }} {{ -n }} {{ +n }} {{ true + 1 }}
{{ 1 + 'a' }}
{{ 'a' + 1 }}
{{ 1 / 0 }}
{{ 1 == 1.0 }}{{ 'a' == 'a' }}{{ [1, 2] == [1, 2] }}{{ (1,) == [1] }}{{ d == d }}{{ 1 != 2 }}{{ none == none }}{{ 1 < 2 < 3 }}{{ 1 < 2 > 3 }}{{ 2 <= 2 }}{{ 2 >= 3 }}{{ 'a' < 'b' }}{{ 'b' >= 'b' }}
{{ 'ell' in s }}{{ 'z' in s }}{{ 1 in l }}{{ 9 in l }}{{ 'b' in d }}{{ 'z' in d }}{{ 'b' not in d }}{{ 'x' in missing }}
{{ 1 in s }}
{{ 1 < 'a' }}
{{ yes and n }} {{ empty and n }} {{ empty or n }} {{ n or empty }} {{ not yes }} {{ not empty or yes }} {{ 'a' if yes else 'b' }} {{ 'a' if empty else 'b' }} [{{ 'a' if empty }}]
{{ '%s and %r, %d%%' % ('a', 'b', 3) }} {{ '%5.1f|' % 2.25 }} {{ '%s' % n }} {{ '%03d' % 7 }} {{ '%-4s|' % 'ab' }} {{ '%i' % 3.9 }}
{{ '%s %s' % 'a' }}
{{ [1, 2.0, none, true, "it's", 'a"b', 'é\\n'] }} {{ (1,) }} {{ () }} {{ {} }} {{ {'a': (1, [])} }} {{ 1e16 }} {{ 1e-5 }} {{ 123456789.5 }}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.cycle('a', 'b') }}{{ loop.changed(i) }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for i in l if i > 1 %}{{ i }}{{ loop.last }}{% else %}none{% endfor %}{% for i in [] %}{% else %}none{% endfor %}{% for i in l if i > 9 %}{% else %}none{% endfor %}
{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}
{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{% for (a, b) in [[1, 2]] %}{{ b }}{{ a }}{% endfor %}{% for c in 'ab' %}{{ c }}.{% endfor %}
{% for a, b in [[1]] %}{% endfor %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, %}{{ t }}{% set z %}x{{ n }}{% endset %}{{ z }}{% set q | upper | trim %} y {% endset %}{{ q }}{% filter upper | replace('A', 'b') %}aa{% endfilter %}
{% set v = 1 %}{% if yes %}{% set v = 2 %}{% endif %}{{ v }}{% for i in [1] %}{% set v = 3 %}{% endfor %}{{ v }}
{% macro m(a, b='d') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3, a=4) }}{{ m() }}
{% macro m(a) %}{{ varargs }}{% endmacro %}{{ m(1, 2, 3) }}
{% macro m(x) %}[{{ caller() }}{{ x }}]{% endmacro %}{% call m(1) %}in{{ n }}{% endcall %}
{% if empty %}a{% elif n > 5 %}b{% elif n > 2 %}c{% else %}d{% endif %}{% if empty %}a{% else %}e{% endif %}
  {% if yes %}
    a
  {% endif %}
b
a  {%- if yes -%}  b  {%- endif -%}  c {{- n -}} d
a  {%+ if yes %} b{% endif +%}\nc{# gone #}\nd  {#- gone -#}  e
{% raw %}{{ n }}{% if %}{# #}{% endraw %}|{%- raw -%} {{ x {%- endraw -%} |
{% generation %}{{ n }}{% endgeneration %}
{{ {'a': {'b': 1}}.a.b }}{{ {'a': {}} }}{{ [[1], {}] }}
{{ 'a' 'b' }}{{ 1_000 }}{{ "\\x41\\u00e9\\U0001F600\\n\\t" }}{{ 'a\\'b' }}{{ '\\q' }}
{{ (n if n else x) | string | length }}{{ -1 | abs }}{{ n is odd and yes }}{{ 'a' if n is none else 'b' }}
""".strip("\n").split("\n")
# These hold line breaks of their own.
SNIPPETS = [s for s in SNIPPETS if s not in ("  {% if yes %}", "    a", "  {% endif %}", "b")] + ["  {% if yes %}\n    a\n  {% endif %}\nb\n", "{% if yes %}\n\nx{% endif %}\n\n"]


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def strftime_now(format):
        import datetime
        return datetime.datetime(2026, 1, 2, 15, 4, 5).strftime(format)

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

        def _same(self, caller):
            return caller()

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


def render(snippet):
    try:
        return environment().from_string(snippet).render(**VARS)
    except Exception:
        return None


cases = [[s, render(s)] for s in (t.replace("+%}\\n", "+%}\n").replace("#}\\n", "#}\n") for t in SNIPPETS)]
made = f"jinja2 {jinja2.__version__}, Python {sys.version.split()[0]}"
out = json.dumps({"made": made, "vars": VARS, "cases": cases}, ensure_ascii=True, indent=0)
pathlib.Path(__file__).with_name("golden.json").write_text(out + "\n")
print(made, len(cases), "cases,", sum(w is None for _, w in cases), "errors")
