package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestGoldenTemplates renders the templates of many models, as Jinja2 did in
// Transformers' way.
func TestGoldenTemplates(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of reference results")
	}
	text, err := os.ReadFile(filepath.Join(root, "generate", "chat_templates.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Case, Template string
		Context              json.RawMessage
		Want, Error          *string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC) }
	for _, c := range cases {
		t.Run(c.Name+"/"+c.Case, func(t *testing.T) {
			tpl, err := Parse(c.Template)
			if err != nil {
				t.Fatal(err)
			}
			vars := variables(t, c.Context)
			got, err := tpl.Render(vars, now)
			switch {
			case c.Error != nil && err == nil:
				t.Errorf("rendered, want the error %q", *c.Error)
			case c.Error == nil && err != nil:
				t.Errorf("error %v", err)
			case c.Error == nil && got != *c.Want:
				t.Errorf("got\n%q\nwant\n%q", got, *c.Want)
			}
		})
	}
}

func TestTemplates(t *testing.T) {
	vars := `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"}],"n":3,"d":{"b":1,"a":[1,2.5,null,true]},"s":"a b"}`
	cases := []struct{ name, template, want string }{
		{"text", "plain {text}", "plain {text}"},
		{"trim_blocks and lstrip_blocks", "a\n  {% if n %}\nb\n  {% endif %}\nc\n", "a\nb\nc"},
		{"plus keeps white space", "a\n  {%+ if n +%}\nb{% endif %}", "a\n  \nb"},
		{"minus strips it", "a \n {{- n -}} \n b", "a3b"},
		{"comment", "a{# x\ny #}\nb", "ab"},
		{"raw", "{% raw %}{{ n }}{% endraw %}", "{{ n }}"},
		{"loop", "{% for m in messages %}{{ loop.index }}{{ m.role[0] }}{{ ',' if not loop.last }}{% endfor %}", "1u,2a"},
		{"loop filter, else, break", "{% for i in range(5) if i % 2 %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% else %}none{% endfor %}{% for i in [] %}{% else %}-{% endfor %}", "1-"},
		{"scopes", "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}{% set ns = namespace(x=1) %}{% for i in [1] %}{% set ns.x = 2 %}{% endfor %}{{ ns.x }}", "12"},
		{"macro", "{% macro f(a, b='-') %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(2, b=3) }}", "[1-][23]"},
		{"block set and filter", "{% set x | upper %}ab{% endset %}{{ x }}{% filter trim %} c {% endfilter %}", "ABc"},
		{"operators", "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 3 }} {{ 1 / 2 }} {{ 'a' ~ 1 }} {{ 1 < 2 < 3 }} {{ 'x' not in 'abc' }}", "3 -4 2 8 0.5 a1 True True"},
		{"slices", "{{ 'abcdef'[1:-1:2] }} {{ [1,2,3][::-1] }} {{ messages[-1].role }}", "bd [3, 2, 1] assistant"},
		{"tojson", "{{ d | tojson }} {{ d | tojson(indent=1) }}", "{\"b\": 1, \"a\": [1, 2.5, null, true]} {\n \"b\": 1,\n \"a\": [\n  1,\n  2.5,\n  null,\n  true\n ]\n}"},
		{"Python's texts", "{{ d }} {{ none }} {{ ('a',) }} {{ \"it's\" | list | length }} {{ [\"it's\"] }}", "{'b': 1, 'a': [1, 2.5, None, True]} None ('a',) 4 [\"it's\"]"},
		{"undefined", "[{{ x }}]{{ x is defined }}{{ x | default('d') }}{{ messages[9] is undefined }}", "[]FalsedTrue"},
		{"methods", "{{ s.split(' ')[1].upper() }}{{ ' x '.strip() }}{{ '%s-%d' % ('a', 3) }}{{ '{}{x}'.format(1, x=2) }}{{ d.get('z', 5) }}", "Bxa-3125"},
		{"filters", "{{ messages | map(attribute='role') | join('/') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ {'b':1,'a':2} | dictsort }}", "user/assistant 1 [('a', 2), ('b', 1)]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tpl, err := Parse(c.template)
			if err != nil {
				t.Fatal(err)
			}
			v := variables(t, []byte(vars))
			if got, err := tpl.Render(v, time.Now); got != c.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	for _, text := range []string{"{{", "{% if %}", "{% if x %}", "{% for x %}{% endfor %}", "{% endif %}", "{% what %}", "{{ 1 + }}", "{{ 'a }}", "{# open", "{% break %}", "{{ x | }}", "{% raw %}", "{{ (1 }}"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("Parse(%q): no error", text)
		}
	}
	// What is wrong is named, with its line.
	for text, want := range map[string]string{
		"a\nb {{ 1 +\n }}":                `line 3: unexpected "" in an expression`,
		"{# a\nb #}\n\n{% for x [1] %}":   `line 4: for without in`,
		"{{ '\xff' }}":                    `the template is not UTF-8`,
		"{{ a ? b }}":                     `line 1: unexpected character '?'`,
		"{% set\n1 = 2 %}":                `line 2: cannot assign to that before "="`,
		"{% if x %}{% endfor %}":          `line 1: endif is missing before "endfor"`,
		"{{ a[1:2:3:4] }}":                `line 1: "," is missing before ":"`,
		"{{ a[1:2,3] }}":                  `line 1: a slice among several subscripts`,
		"{{ 1 is nothing }}":              "line 1: no test named 'nothing'",
		"{{ 'a' | nothing }}":             "line 1: no filter named 'nothing'",
		"{{ [1] | first.second }}":        "line 1: no filter named 'first.second'",
		"\n{{ 'a\\xzz' }}":                `line 2: truncated or illegal escape \x in a string`,
		"{% for i in l recursive %}":      `line 1: endfor is missing`,
		"\n{% do x %}":                    `line 2: unknown block "do"`,
		strings.Repeat("{% if x %}", 300): `line 1: the template is nested too deeply`,
		"{{ " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300) + " }}": `line 1: the template is nested too deeply`,
		"{{ a" + strings.Repeat(".b", 300) + " }}":                                `line 1: the template is nested too deeply`,
		"{{ " + strings.Repeat("not ", 300) + "a }}":                              `line 1: the template is nested too deeply`,
		"{{ 1" + strings.Repeat(" if 1 else 1", 300) + " }}":                      `line 1: the template is nested too deeply`,
	} {
		var e *Error
		if _, err := Parse(text); !errors.As(err, &e) || err.Error() != want {
			t.Errorf("Parse(%.40q): %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"\n{{ x.y }}": "line 2: 'x' is undefined",
		"{{ 'a' | nothing if x is not defined }}": "line 1: no filter named 'nothing'",
		"\n\n{{ 'a' | trim(char='a') }}":          "line 3: the filter 'trim' has no argument 'char'",
		"{{ 'a' | upper(1) }}":                    "line 1: the filter 'upper' takes 0 arguments, not 1",
		"{{ raise_exception('no ' ~ 1) }}":        "no 1",
		"{{ 1() }}":                               "line 1: 'int' object is not callable",
		"{{ 3 | items | list }}":                  "line 1: Can only get item pairs from a mapping.",
		"{% set a.b = 1 %}":                       "line 1: cannot assign attribute on non-namespace object a",
		"{% set a, b = [1, 2, 3] %}":              "line 1: 3 values for 2 names",
		"{{ {[]: 1} }}":                           "line 1: unhashable type: 'list'",
		"{{ '%q' % 1 }}":                          "line 1: unsupported format character 'q'",
		"{{ [1].pop() }}":                         "line 1: access to attribute 'pop' of 'list' object is unsafe",
	} {
		tpl, err := Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got, err := tpl.Render(nil, time.Now); err == nil || err.Error() != want {
			t.Errorf("%q: %q, %v; want the error %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"{{ x.y }}", "{{ 1 + 'a' }}", "{{ raise_exception('no') }}", "{{ [].append(1) }}", "{{ 1 / 0 }}", "{{ none() }}",
		"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
		"{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
		"{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"{% set ns = namespace(x=[]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
		"{{ 'a' * 999999999999 }}",
	} {
		tpl, err := Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got, err := tpl.Render(nil, time.Now); err == nil {
			t.Errorf("%q renders %.40q, want an error", text, got)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{% for m in messages %}{{ m['role'] ~ m.content | trim }}{% endfor %}", "{%- set ns = namespace(a=1) -%}{{ ns.a if ns else 2 }}", "{% macro f(a, b=1) %}{{ a[b:] }}{% endmacro %}{{ f('abc') }}",
		"{{ [1,2] | join(',') }}{{ {'a': 1} | tojson(indent=2) }}", "{% raw %}{{{% endraw %}{# c #}", "{{ 'x' is string and 1 in [1] or not none }}", "{{ strftime_now('%d %B %Y') }}",
		"{{ '%s' % 'a' }}{{ 'a b'.split(none, 1) }}{{ messages | selectattr('role', 'eq', 'user') | map(attribute='content') | list }}",
	} {
		f.Add(s)
	}
	statements, err := os.ReadFile("testdata/statements.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range strings.Split(string(statements), "\n====\n") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, o := range environments {
			tpl, err := Compile(text, o)
			if err != nil {
				continue
			}
			_, _ = tpl.Render(variables(t, []byte(`{"bos_token":"<s>","messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"}]}`)), time.Now)
		}
	})
}

// TestRenderMarked: the places of what {% generation %} wrote are those of Transformers 5.24
// (return_assistant_tokens_mask), in bytes. Where such a block has no place it is an error, and
// only where places are wanted.
func TestRenderMarked(t *testing.T) {
	const text = `{% for m in messages %}{{ '<' + m.role + '>' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}é{% if not loop.last %}|{% endif %}{% endgeneration %}
{% else %}{{ m.content }}{% endif %}{% endfor %}`
	vars := variables(t, []byte(`{"messages":[{"role":"user","content":"ü"},{"role":"assistant","content":"hi"},{"role":"user","content":"b"},{"role":"assistant","content":""}]}`))
	tpl, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	got, marks, err := tpl.RenderMarked(vars, goldenTime)
	if err != nil || got != "<user>ü<assistant>hié|<user>b<assistant>é" || !slices.Equal(marks, [][2]int{{19, 24}, {42, 44}}) {
		t.Errorf("RenderMarked = %q, %v, %v", got, marks, err)
	}
	if !tpl.HasGeneration() {
		t.Error("HasGeneration = false")
	}
	for _, hidden := range []string{
		"{% macro f() %}{% generation %}x{% endgeneration %}{% endmacro %}{{ f() }}",
		"{% set x %}{% generation %}x{% endgeneration %}{% endset %}{{ x }}",
	} {
		tpl, err := Parse(hidden)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := tpl.Render(nil, goldenTime); err != nil || text != "x" {
			t.Errorf("%s: %q, %v", hidden, text, err)
		}
		if _, marks, err := tpl.RenderMarked(nil, goldenTime); err == nil {
			t.Errorf("%s: marked at %v, want an error", hidden, marks)
		}
	}
	if tpl, err := Parse("x"); err != nil || tpl.HasGeneration() {
		t.Errorf("a template without the block: HasGeneration = true (%v)", err)
	}
}
