package jinja

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func render(t *testing.T, o Options, text string, vars map[string]any) (string, error) {
	t.Helper()
	tpl, err := Compile(text, o)
	if err != nil {
		return "", err
	}
	return tpl.Render(vars, time.Now)
}

func TestOptions(t *testing.T) {
	text := "a\n  {% if x %}\nb\n  {% endif %}\nc\n"
	cases := []struct {
		name    string
		options Options
		want    string
	}{
		{"none", Options{}, "a\n  \nb\n  \nc"},
		{"trim", Options{TrimBlocks: true}, "a\n  b\n  c"},
		{"lstrip", Options{LstripBlocks: true}, "a\n\nb\n\nc"},
		{"keep", Options{KeepTrailingNewline: true}, "a\n  \nb\n  \nc\n"},
		{"Transformers", Transformers(), "a\nb\nc"},
	}
	for _, c := range cases {
		if got, err := render(t, c.options, text, map[string]any{"x": true}); got != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	// What Transformers adds is not there without Chat.
	for _, text := range []string{"{{ raise_exception('x') }}", "{% break %}", "{% generation %}{% endgeneration %}", "{{ strftime_now('%d') }}", "{{ x.__class__ }}", "{{ [].append }}"} {
		if got, err := render(t, Options{}, text, nil); err == nil {
			t.Errorf("%q renders %q, want an error", text, got)
		}
	}
}

func TestFiltersOfOptions(t *testing.T) {
	o := Options{Filters: map[string]Filter{
		"shout": func(value any, args []any, named map[string]any) (any, error) {
			s, ok := value.(string)
			if !ok {
				return nil, fmt.Errorf("wants a text, not %T", value)
			}
			return strings.ToUpper(s) + fmt.Sprint(args...) + fmt.Sprint(named["end"]), nil
		},
		"trim": func(any, []any, map[string]any) (any, error) { return NewList("ours"), nil },
	}}
	if got, err := render(t, o, "{{ 'a' | shout(1, end='!') }}{{ ['b'] | map('shout', 2, end='?') | list }}{{ ' x ' | trim | first }}{{ 'shout' is filter }}", nil); got != "A1!['B2?']oursTrue" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	var e *Error
	if _, err := render(t, o, "\n{{ 1 | shout }}", nil); !errors.As(err, &e) || err.Error() != "line 2: the filter 'shout': wants a text, not int64" {
		t.Errorf("the filter's error: %v", err)
	}
	if _, err := render(t, o, "{{ x | shout }}", nil); err == nil || err.Error() != "line 1: 'x' is undefined" {
		t.Errorf("a filter of what is not there: %v", err)
	}
	if _, err := render(t, Options{}, "{{ 'a' | shout }}", nil); err == nil {
		t.Error("a filter of other options renders")
	}
}

// TestHostile runs templates that would fill the memory or never end.
func TestHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds long")
	}
	loop := func(body string) string {
		return "{% set ns = namespace(x=[1], s='a', n=3, d={}) %}{% for i in range(90000) %}" + body + "{% endfor %}"
	}
	for _, text := range []string{
		loop("{% set ns.n = ns.n * ns.n %}"),
		"{{ 3 ** 99999999 }}", "{{ 10 ** 5000 }}",
		loop("{% set ns.s = ns.s ~ ns.s %}"),
		loop("{% set ns.s = ns.s.replace('a', 'aa') %}"),
		loop("{% set ns.x = ns.x * 2 %}"),
		"{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		loop("{% set ns.x = (ns.x, ns.x) %}") + "{{ {ns.x: 1} }}",
		loop("{% set ns.x = [ns.x] %}") + "{{ ns.x }}",
		loop("{% set ns.x = [ns.x] %}") + "{{ ns.x | tojson }}",
		loop("{% set ns.x = [ns.x] %}") + "{{ ns.x | pprint }}",
		loop("{% set ns.s = 'a' * 16000000 %}{% set ns.x = ns.x + [ns.s] %}"),
		"{{ '%999999999d' % 1 }}", "{{ '%.999999999f' % 1 }}", "{{ '{:999999999}'.format(1) }}", "{{ 'a'.center(999999999) }}", "{{ 'a' | center(999999999) }}", "{{ '\t'.expandtabs(999999999) }}", "{{ 'a'.zfill(999999999) }}",
		"{{ [1] * 999999999 }}", "{{ [1] | batch(999999999, 0) | list }}", "{{ [1] | slice(999999999) | list }}", "{{ 1 | tojson(indent=999999999) }}{{ [1] | tojson(indent=999999999) }}",
		"{% for i in [[1]] recursive %}{{ loop(i and [i]) }}{% endfor %}",
		"{% block a %}{{ self.a() }}{% endblock %}",
		"{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
		"{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
		strings.Repeat("{% for a in range(99999) %}", 150) + strings.Repeat("{% endfor %}", 150),
		"{{ " + strings.Repeat("1|abs", 1) + strings.Repeat("|abs", 9999) + " }}",
		// Not endless, but as deep as a template can make it.
		loop("{% set ns.x = ns.x | map('string') %}") + "{{ ns.x | list }}{{ 1 / 0 }}",
	} {
		begin := time.Now()
		if got, err := render(t, Transformers(), text, nil); err == nil {
			t.Errorf("%.160q renders %.40q, want an error", text, got)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%.60q took %v", text, d)
		}
	}
}

// TestInvalidText renders what is no UTF-8, which a user may send: nothing panics.
func TestInvalidText(t *testing.T) {
	vars := map[string]any{"s": "\xffa b\x80\xe9-\n"}
	var texts []string
	for name := range filters {
		texts = append(texts, "{{ s | "+name+" }}", "{{ s | "+name+"('a', 'b') }}", "{{ s | "+name+"(2) | list }}")
	}
	for name := range textMethods {
		texts = append(texts, "{{ s."+name+"() }}", "{{ s."+name+"('a') }}", "{{ s."+name+"(9) }}")
	}
	for _, text := range append(texts, "{{ s[::-1] }}{{ s[1:] }}{{ s[0] }}{{ [s] }}{{ '%5.2s|%r' % (s, s) }}{{ '{:>9.2}'.format(s) }}{% for c in s %}{{ c }}{% endfor %}", "{{ s.format() }}{{ s % 1 }}") {
		_, _ = render(t, Transformers(), text, vars)
	}
}
