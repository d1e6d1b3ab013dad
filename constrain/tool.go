package constrain

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tool is a function that a model may call. Parameters is a JSON Schema of an object; nil for
// a function without any.
type Tool struct {
	Name       string
	Parameters []byte
}

// toolForm is how a family of models writes calls: Open, calls with Between between them,
// Close. Each call is its name and its arguments between three texts.
type toolForm struct {
	open, between, close   string // without between there is one call
	before, inside, behind string
	arguments              notation
}

// python writes arguments as a call in Python does, their values in JSON.
var python = notation{comma: ", ", name: func(name string) string { return name + "=" }}

// toolForms are the forms by name. Tokens that are special, such as Mistral's [TOOL_CALLS],
// are no part of them: what asks for a call puts them before the answer.
var toolForms = map[string]toolForm{
	"hermes":      {between: "\n", before: "<tool_call>\n{\"name\": \"", inside: `", "arguments": `, behind: "}\n</tool_call>", arguments: jsonObject},
	"llama3":      {before: `{"name": "`, inside: `", "parameters": `, behind: "}", arguments: jsonObject},
	"mistral":     {open: "[", between: ", ", close: "]", before: `{"name": "`, inside: `", "arguments": `, behind: "}", arguments: jsonObject},
	"functionary": {before: "<function=", inside: ">", behind: "</function>", arguments: jsonObject},
	"olmo3":       {open: "<function_calls>\n", between: "\n", close: "\n</function_calls>", inside: "(", behind: ")", arguments: python},
}

// ToolForms returns the names of the forms of calls.
func ToolForms() []string { return slices.Sorted(maps.Keys(toolForms)) }

// maxToolName bounds the name of a tool, as OpenAI does.
const maxToolName = 64

// ToolCalls holds a text to be a call of one of the tools in a form of ToolForms, or with
// several to be any number of calls from one on, where the form has them.
func ToolCalls(form string, tools []Tool, several bool) (*Grammar, error) {
	f, ok := toolForms[form]
	if !ok {
		return nil, fmt.Errorf("%q is no form of calls: %s are", form, strings.Join(ToolForms(), ", "))
	}
	if len(tools) == 0 {
		return nil, errors.New("there are no tools to call")
	}
	n := &network{}
	b := &n.b
	seen := map[string]bool{}
	return n.grammar("the calls", func(start, end int32) error {
		first := b.state()
		b.skip(b.literal(start, f.open), first)
		last := b.state()
		b.skip(b.literal(last, f.close), end)
		for _, t := range tools {
			if len(t.Name) > maxToolName || strings.Trim(t.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || t.Name == "" {
				return fmt.Errorf("the name of a tool is %.100q: 1 to %d letters, digits, _ and - are due", t.Name, maxToolName)
			}
			if seen[t.Name] {
				return fmt.Errorf("two tools have the name %s", t.Name)
			}
			seen[t.Name] = true
			arguments, err := n.arguments(t, f.arguments)
			if err != nil {
				return fmt.Errorf("tool %s: %w", t.Name, err)
			}
			call := b.call(b.literal(first, f.before+t.Name+f.inside), arguments)
			b.skip(b.literal(call, f.behind), last)
		}
		if several && f.between != "" {
			b.skip(b.literal(last, f.between), first)
		}
		return nil
	})
}

// arguments returns the rule of a tool's arguments.
func (n *network) arguments(t Tool, w notation) (int32, error) {
	parameters := t.Parameters
	if parameters == nil {
		parameters = []byte(`{"additionalProperties": false}`)
	}
	root, err := readJSON(parameters)
	if err != nil {
		return 0, fmt.Errorf("the schema of its parameters is no JSON: %w", err)
	}
	c := n.compiler("tool "+t.Name, root)
	object, err := readJSON([]byte(`{"type": "object"}`))
	if err != nil {
		panic(err)
	}
	object.pointer = "/"
	in := conjunction{{root, whole}, {object, whole}}
	if w.free {
		return c.rule(in)
	}
	shapes, err := c.alternatives(in)
	if err != nil {
		return 0, err
	}
	return c.later("arguments", func(start, end int32) error {
		for _, s := range shapes {
			for _, name := range s.names() {
				if !wordRunes.all(name) || name[0] >= '0' && name[0] <= '9' {
					return refusal(root, "", "the argument %q is no name in Python, as this form of calls has it", name)
				}
			}
			if s.hasEnum {
				return refusal(root, "", "enum and const of all arguments can't be held to in this form of calls")
			}
			if err := c.writeObject(s, w, start, end); err != nil {
				return err
			}
		}
		return nil
	}), nil
}
