package jinja

import (
	"testing"
	"time"
)

// conversation is a template such as models have, of a conversation of 40 turns.
const conversation = `{%- set ns = namespace(system='', n=0) -%}
{%- for m in messages -%}
{%- if m['role'] == 'system' -%}{%- set ns.system = m['content'] -%}
{%- elif m.role == 'user' -%}{{ '<|user|>\n' + m.content | trim ~ eos_token }}
{%- elif m.role == 'assistant' -%}{{ '<|assistant|>\n' ~ m.content.split('</think>')[-1].lstrip('\n') }}{% if not loop.last %}{{ eos_token }}{% endif %}
{%- else -%}{{ raise_exception('no such role: ' ~ m.role) }}{%- endif -%}
{%- set ns.n = ns.n + 1 -%}
{%- endfor -%}
{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ messages[-1] | tojson }}`

func BenchmarkRender(b *testing.B) {
	messages := &List{}
	for i := range 40 {
		m := NewDict()
		m.Set("role", []string{"user", "assistant"}[i%2])
		m.Set("content", " Some words of a conversation, some thought about it.</think>\nAnd more of them. ")
		messages.items = append(messages.items, m)
	}
	tpl, err := Parse(conversation)
	if err != nil {
		b.Fatal(err)
	}
	vars := map[string]any{"messages": messages, "eos_token": "<|endoftext|>", "add_generation_prompt": true}
	for b.Loop() {
		if _, err := tpl.Render(vars, time.Now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(conversation); err != nil {
			b.Fatal(err)
		}
	}
}
