package chat_test

import (
	"strings"
	"testing"

	"olmo/chat"
	"olmo/chat/jinja"
)

func TestTemplate(t *testing.T) {
	text := "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
	// A special token can't take the place of the conversation.
	tpl, err := chat.ParseTemplate(text, map[string]string{"bos_token": "<s>", "messages": "none"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tpl.Prompt([]chat.Message{{Role: chat.System, Content: "Be brief."}, user("Hi")})
	if want := "<s>[system]Be brief.[user]Hi[assistant]"; got != want || err != nil {
		t.Errorf("Prompt = %q, %v; want %q", got, err, want)
	}
	if stops := tpl.Stops(); len(stops) != 0 {
		t.Errorf("Stops = %q, want none", stops)
	}
	// As Transformers has it, there are no tools, rather than no word of them.
	tpl, err = chat.ParseTemplate("{{ tools is defined }}{{ tools }}{{ documents }}{{ nothing is defined }}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tpl.Prompt(nil); got != "TrueNoneNoneFalse" || err != nil {
		t.Errorf("tools and documents: %q, %v", got, err)
	}
}

func TestTemplateErrors(t *testing.T) {
	if _, err := chat.ParseTemplate("a\n{{ 1 +", nil); err == nil || !strings.HasPrefix(err.Error(), "chat template: line 2: ") {
		t.Errorf("ParseTemplate: %v, want an error with the line", err)
	}
	tpl, err := chat.ParseTemplate("{{ raise_exception('no system message, please') }}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := tpl.Prompt(nil); text != "" || err == nil || err.Error() != "chat template: no system message, please" {
		t.Errorf("Prompt = %q, %v; want the template's own error", text, err)
	}
}

// TestTurn: what is null is not there, and thinking has the names that templates ask for.
// Transformers 5.24 gives the same texts.
func TestTurn(t *testing.T) {
	tpl, err := chat.ParseTemplate("{% for m in messages %}{% for k in m %}{{ k }}={{ m[k] }};{% endfor %}|{% endfor %}", nil)
	if err != nil {
		t.Fatal(err)
	}
	dict := func(pairs ...any) *jinja.Dict {
		d := jinja.NewDict()
		for i := 0; i < len(pairs); i += 2 {
			d.Set(pairs[i].(string), pairs[i+1])
		}
		return chat.Turn(d)
	}
	got, err := tpl.Render([]*jinja.Dict{
		dict("role", "assistant", "content", nil, "tool_calls", jinja.NewList()),
		dict("role", "assistant", "reasoning", "hm", "content", "yes"),
		dict("thinking", "a", "reasoning_content", "b"),
	}, nil, false)
	want := "role=assistant;tool_calls=[];|thinking=hm;role=assistant;reasoning=hm;content=yes;reasoning_content=hm;|thinking=a;reasoning_content=b;|"
	if err != nil || got != want {
		t.Errorf("got  %q (%v)\nwant %q", got, err, want)
	}
}
