package constrain

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestToolCalls(t *testing.T) {
	tools := []Tool{
		{"get_weather", []byte(`{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city"],"additionalProperties":false}`)},
		{"now", nil},
		{"find", []byte(`{"properties":{"q":{"$ref":"#/$defs/q"}},"required":["q"],"$defs":{"q":{"enum":["a","b"]}}}`)},
	}
	for _, c := range []struct {
		form    string
		several bool
		yes, no []string
	}{
		{
			"hermes", true,
			[]string{"<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\", \"days\": 3}}\n</tool_call>", "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"find\", \"arguments\": {\"q\":\"a\"}}\n</tool_call>"},
			[]string{"", "<tool_call>\n{\"name\": \"other\", \"arguments\": {}}\n</tool_call>", "<tool_call>\n{\"name\": \"now\", \"arguments\": {\"x\":1}}\n</tool_call>", "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {}}\n</tool_call>"},
		},
		{"llama3", true, []string{`{"name": "find", "parameters": {"q": "b"}}`}, []string{`{"name": "find", "parameters": {"q": "c"}}`, `{"name": "now", "parameters": {}}{"name": "now", "parameters": {}}`}},
		{"mistral", true, []string{`[{"name": "now", "arguments": {}}]`, `[{"name": "now", "arguments": {}}, {"name": "now", "arguments": {}}]`}, []string{`[]`}},
		{"mistral", false, []string{`[{"name": "now", "arguments": {}}]`}, []string{`[{"name": "now", "arguments": {}}, {"name": "now", "arguments": {}}]`}},
		{"functionary", false, []string{`<function=get_weather>{"city": "x"}</function>`}, []string{`<function=get_weather></function>`}},
		{
			"olmo3", true,
			[]string{"<function_calls>\nget_weather(city=\"Paris\", days=2)\nnow()\n</function_calls>", "<function_calls>\nget_weather(city=\"\")\n</function_calls>"},
			[]string{"<function_calls>\nget_weather()\n</function_calls>", "<function_calls>\nget_weather(city=\"a\",days=2)\n</function_calls>", "<function_calls>\nnow(x=1)\n</function_calls>"},
		},
	} {
		g, err := ToolCalls(c.form, tools, c.several)
		m := machine(t, g, err)
		for _, s := range c.yes {
			if !m.takes(s) {
				t.Errorf("%s: %q is not taken", c.form, s)
			}
		}
		for _, s := range c.no {
			if m.takes(s) {
				t.Errorf("%s: %q is taken", c.form, s)
			}
		}
		walk(t, m, rand.New(rand.NewPCG(1, 2)), 40)
	}
	for _, c := range []struct {
		form  string
		tools []Tool
		want  string
	}{
		{"other", tools, `"other" is no form of calls: functionary, hermes, llama3, mistral, olmo3 are`},
		{"hermes", nil, "there are no tools to call"},
		{"hermes", []Tool{{"a b", nil}}, `the name of a tool is "a b"`},
		{"hermes", []Tool{{"a", nil}, {"a", nil}}, "two tools have the name a"},
		{"hermes", []Tool{{"a", []byte(`{"properties":{"x":{"not":{}}}}`)}}, "tool a: #/properties/x/not: not can't be held to"},
		{"hermes", []Tool{{"a", []byte(`{`)}}, "tool a: the schema of its parameters is no JSON: line 1"},
		{"hermes", []Tool{{"a", []byte(`{"type":"string"}`)}}, "no text satisfies it"},
		{"olmo3", []Tool{{"a", []byte(`{"properties":{"x y":{}}}`)}}, `tool a: #: the argument "x y" is no name in Python`},
	} {
		if _, err := ToolCalls(c.form, c.tools, true); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.form, err, c.want)
		}
	}
}
