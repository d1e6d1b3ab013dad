package constrain

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// schemaCases are schemas with texts that are taken and that are not. The script
// testdata/schemas.py asks the package jsonschema about them.
var schemaCases = []struct {
	name, schema string
	yes, no      []string
}{
	{
		"a person", `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150}},"required":["name","age"],"additionalProperties":false}`,
		[]string{`{"name":"Ada","age":36}`, "{\n  \"name\": \"A\\\"\\u00e9\",\n  \"age\": 0\n}"},
		[]string{`{}`, `{"name":"Ada"}`, `{"age":1,"name":"A"}`, `{"name":"Ada","age":151}`, `{"name":"Ada","age":1.5}`, `{"name":"Ada","age":1,"x":2}`, `{"name":"Ada","age":01}`, `{"name":3,"age":1}`, `{"name":"A","age":1,}`, ` {"name":"A","age":1}`},
	},
	{
		"optional members", `{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"boolean"},"c":{"const":1}},"required":["b"]}`,
		[]string{`{"b":true}`, `{"a":null,"b":false}`, `{"b":true,"c":1}`, `{"a":null, "b":false, "c":1}`},
		[]string{`{}`, `{"a":null}`, `{"b":true,"a":null}`, `{"b":true,"c":2}`, `{,"b":true}`},
	},
	{"enum", `{"enum":["red","a\"b",1,1.50,null,true,[1,{"x":[]}],{}]}`, []string{`"red"`, `"a\"b"`, `1`, `1.50`, `null`, `true`, `[1,{"x":[]}]`, `[ 1, {"x": []} ]`, `{}`}, []string{`"blue"`, `2`, `1.5`, `false`, `[]`, `red`}},
	{"enum and more", `{"type":["string","integer"],"enum":["a","abc",1,2.5,7],"maxLength":2,"minimum":3}`, []string{`"a"`, `7`}, []string{`"abc"`, `1`, `2.5`}},
	{"types", `{"type":["string","null"]}`, []string{`""`, `null`, `"x"`}, []string{`1`, `{}`}},
	{"anything", `true`, []string{`{"a":[1,2.5e-3,"x",null,true,{}]}`, `-0.5`, `[]`, `[[[]]]`, `"\ud83d\ude00"`}, []string{``, `{`, `01`, `"\x"`, `"\ud83d"`, "\"\t\"", `nul`, `[1,]`, `+1`, `.5`}},
	{"any object", `{"type":"object"}`, []string{`{}`, `{"a":1,"b":{"c":[]}}`}, []string{`[]`, `1`, `{"a"}`}},
	{"string lengths", `{"type":"string","minLength":2,"maxLength":3}`, []string{`"ab"`, `"日本語"`, `"😀\n"`, `"\u00e9x"`, `"\ud83d\ude00x"`}, []string{`"a"`, `"abcd"`, `"\ud83d\ude00"`, `"😀"`}},
	{"pattern", `{"type":"string","pattern":"^[a-z\"\\\\]{2,}\\d$"}`, []string{`"ab1"`, `"\"\\1"`}, []string{`"a1"`, `"ab"`, `"AB1"`, `"\u0061b1"`}},
	{"pattern anywhere", `{"type":"string","pattern":"b\nc","maxLength":4}`, []string{`"b\nc"`, `"ab\nc"`, `"b\nc\u0001"`}, []string{`"bc"`, `"aab\nc"`}},
	{"pattern and length", `{"type":"string","pattern":"^(ab)+$","minLength":3,"maxLength":6}`, []string{`"abab"`, `"ababab"`}, []string{`"ab"`, `"abababab"`}},
	{"integer bounds", `{"type":"integer","exclusiveMinimum":-12,"maximum":305.5}`, []string{`-11`, `0`, `-1`, `305`, `99`, `300`}, []string{`-12`, `306`, `-0`, `1000`, `1.0`}},
	{"large integers", `{"type":"integer","minimum":9007199254740993,"maximum":1e20}`, []string{`9007199254740993`, `100000000000000000000`}, []string{`9007199254740992`, `100000000000000000001`}},
	{"number bounds", `{"type":"number","minimum":0.5,"exclusiveMaximum":10.25}`, []string{`0.5`, `0.50`, `10.2499`, `7`}, []string{`0.49`, `10.25`, `11`, `1e0`, `-1`}},
	{"multiples", `{"type":"number","multipleOf":0.25,"maximum":2}`, []string{`0.25`, `1.5`, `-7.75`, `2`}, []string{`0.3`, `2.25`}},
	{"multiples of integers", `{"type":"integer","multipleOf":7}`, []string{`0`, `7`, `-14`, `700`}, []string{`1`, `8`}},
	{"arrays", `{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}`, []string{`[1]`, `[1, 2,3]`, "[\n 1\n]"}, []string{`[]`, `[1,2,3,4]`, `["a"]`, `[1 ,2]`}},
	{"tuples", `{"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":{"type":"null"}}`, []string{`[]`, `["a"]`, `["a",true]`, `["a",true,null,null]`}, []string{`[1]`, `["a",null]`, `["a",true,1]`}},
	{"closed tuples", `{"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":false,"minItems":2}`, []string{`["a",true]`}, []string{`[]`, `["a"]`, `["a",true,null]`}},
	{"additional members", `{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}}`, []string{`{}`, `{"a":1}`, `{"b":"x"}`, `{"a":1,"b":"x","aa":"y","":"z"}`}, []string{`{"a":"x"}`, `{"b":1}`, `{"\u0061":"x"}`, `{"b":"x","a":1}`}},
	{"patterns of names", `{"type":"object","properties":{"id":{"type":"integer"}},"patternProperties":{"^s_":{"type":"string"},"_n$":{"maxLength":2}},"additionalProperties":false}`, []string{`{}`, `{"id":1,"s_a":"long"}`, `{"s_n":"ab"}`, `{"x_n":"ab"}`}, []string{`{"s_a":1}`, `{"s_n":"abc"}`, `{"y":1}`}},
	{"counted members", `{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}},"minProperties":2,"maxProperties":2,"additionalProperties":false}`, []string{`{"a":null,"b":null}`, `{"b":null,"c":null}`}, []string{`{}`, `{"a":null}`, `{"a":null,"b":null,"c":null}`}},
	{"few further members", `{"type":"object","additionalProperties":{"type":"null"},"maxProperties":2,"minProperties":1}`, []string{`{"a":null}`, `{"a":null,"b":null}`}, []string{`{}`, `{"a":null,"b":null,"c":null}`}},
	{"anyOf", `{"anyOf":[{"type":"string","maxLength":1},{"type":"integer"},{"type":"null"}]}`, []string{`"a"`, `5`, `null`}, []string{`"ab"`, `true`}},
	{"anyOf beside others", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"additionalProperties":false,"anyOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1}`, `{"b":1}`, `{"a":1,"b":2}`}, []string{`{}`}},
	{"oneOf with a const", `{"oneOf":[{"type":"object","properties":{"kind":{"const":"circle"},"r":{"type":"number"}},"required":["kind","r"],"additionalProperties":false},{"type":"object","properties":{"kind":{"const":"square"},"a":{"type":"number"}},"required":["kind","a"],"additionalProperties":false}]}`, []string{`{"kind":"circle","r":1}`, `{"kind":"square","a":2.5}`}, []string{`{"kind":"circle","a":1}`, `{"kind":"other"}`}},
	{"oneOf of ranges", `{"oneOf":[{"type":"integer","maximum":3},{"type":"integer","minimum":10}]}`, []string{`3`, `10`, `-5`}, []string{`4`, `9`}},
	{"oneOf of texts", `{"type":"string","oneOf":[{"pattern":"^a"},{"pattern":"^b"}]}`, []string{`"a"`, `"bcd"`}, []string{`""`, `"c"`}},
	{"allOf", `{"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"string"},"a":{"minimum":5}},"required":["b"]}]}`, []string{`{"a":5,"b":"x"}`}, []string{`{"a":4,"b":"x"}`, `{"a":5}`}},
	{"allOf of a closed one", `{"allOf":[{"properties":{"a":true},"additionalProperties":false},{"properties":{"a":{"type":"null"},"b":true}}],"type":"object"}`, []string{`{}`, `{"a":null}`}, []string{`{"a":1}`, `{"b":1}`}},
	{"a list by itself", `{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"],"additionalProperties":false}}}`, []string{`{"v":1,"next":null}`, `{"v":1,"next":{"v":2,"next":{"v":3,"next":null}}}`}, []string{`{"v":1}`, `{"v":1,"next":{}}`}},
	{"itself", `{"type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#"}}},"required":["name"],"additionalProperties":false}`, []string{`{"name":"a"}`, `{"name":"a","children":[{"name":"b","children":[]}]}`}, []string{`{"children":[]}`}},
	{"a reference with more", `{"properties":{"a":{"$ref":"#/$defs/p~1q%25","maximum":5}},"required":["a"],"$defs":{"p/q%":{"type":"integer","minimum":3}}}`, []string{`{"a":3}`, `{"a":5}`}, []string{`{"a":6}`, `{"a":2}`}},
	{"anchors", `{"$ref":"#here","$defs":{"x":{"$anchor":"here","type":"null"}}}`, []string{`null`}, []string{`1`}},
	{"names that are escaped", `{"type":"object","properties":{"a\"\n😀/":{"type":"null"}},"required":["a\"\n😀/"]}`, []string{`{"a\"\n😀/":null}`}, []string{`{"a":null}`}},
	{"required without a schema", `{"type":"object","required":["x"]}`, []string{`{"x":[1]}`}, []string{`{}`}},
	{"a member that must not be", `{"type":"object","properties":{"a":false,"b":{"type":"null"}}}`, []string{`{}`, `{"b":null}`}, []string{`{"a":1}`}},
	{"date", `{"type":"string","format":"date"}`, []string{`"2024-02-29"`, `"2000-02-29"`, `"2026-12-31"`, `"0001-01-01"`}, []string{`"2023-02-29"`, `"1900-02-29"`, `"2024-04-31"`, `"2024-13-01"`, `"2024-1-1"`, `"0000-01-01"`}},
	{"time", `{"type":"string","format":"time"}`, []string{`"23:59:59Z"`, `"00:00:00.123+01:30"`}, []string{`"24:00:00Z"`, `"12:60:00Z"`, `"12:00:00"`}},
	{"date-time", `{"type":"string","format":"date-time"}`, []string{`"2024-02-29T12:00:00Z"`}, []string{`"2024-02-29"`, `"2023-02-29T12:00:00Z"`}},
	{"uuid", `{"type":"string","format":"uuid"}`, []string{`"123e4567-e89b-12d3-a456-426614174000"`}, []string{`"123e4567-e89b-12d3-a456-42661417400"`, `"123e4567e89b12d3a456426614174000"`}},
	{"email", `{"type":"string","format":"email","maxLength":20}`, []string{`"a.b+c@example.org"`}, []string{`"a"`, `".a@b"`, `"a@b..c"`, `"a@-b"`}},
	{"ipv4", `{"type":"string","format":"ipv4"}`, []string{`"127.0.0.1"`, `"255.255.255.255"`}, []string{`"256.0.0.1"`, `"1.2.3"`, `"01.2.3.4"`}},
	{"ipv6", `{"type":"string","format":"ipv6"}`, []string{`"::"`, `"::1"`, `"2001:db8::8a2e:370:7334"`, `"1:2:3:4:5:6:7:8"`, `"::ffff:1.2.3.4"`, `"1:2:3:4:5:6:7::"`}, []string{`"1:2:3:4:5:6:7"`, `"1::2::3"`, `":1"`, `"12345::"`, `"1:2:3:4:5:6:7:8::"`}},
	{"hostname", `{"type":"string","format":"hostname"}`, []string{`"example.org"`, `"a-b.c"`}, []string{`"-a"`, `"a."`, `"a..b"`, `"a_b"`, `""`, `"` + strings.Repeat("a", 64) + `"`}},
	{"annotations", `{"title":"T","description":"not \"ws\" ::= [","default":1,"examples":[2],"$comment":"c","deprecated":true,"readOnly":true,"x-mine":1,"type":"null","$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.org/s"}`, []string{`null`}, []string{`1`}},
	{"a type that is meant", `{"minLength":1}`, []string{`"a"`}, []string{`""`, `1`}},
	{"keywords of two types", `{"minLength":1,"minimum":1}`, []string{`"a"`, `1`, `null`, `[]`}, []string{`""`, `0`}},
}

func TestSchema(t *testing.T) {
	for _, c := range schemaCases {
		t.Run(c.name, func(t *testing.T) {
			g, err := Schema([]byte(c.schema))
			m := machine(t, g, err)
			for _, s := range c.yes {
				if !m.takes(s) {
					t.Errorf("%s is not taken", s)
				}
			}
			for _, s := range c.no {
				if m.takes(s) {
					t.Errorf("%s is taken", s)
				}
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 6 {
				if s, ok := walk(t, m, random, 80); ok && !json.Valid([]byte(s)) {
					t.Errorf("a walk gives %s, which is no JSON", s)
				}
			}
		})
	}
}

func TestSchemaErrors(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"properties":{"a":{"not":{}}}}`, "#/properties/a/not: not can't be held to"},
		{`{"type":"array","uniqueItems":true}`, "#/uniqueItems: uniqueItems can't be held to"},
		{`{"if":{},"then":{}}`, "#/if: if can't be held to\nhint: anyOf can say both cases"},
		{`{"$defs":{"x/y":{"contains":{}}},"$ref":"#/$defs/x~1y"}`, "#/$defs/x~1y/contains: contains can't be held to"},
		{`{"minlength":3}`, "#/minlength: the keyword \"minlength\" is not known\nhint: is minLength meant?"},
		{`{"type":"strin"}`, "#/type: strin is no type"},
		{`{"type":"string","format":"uri"}`, `#/format: the format "uri" can't be held to`},
		{`{"type":"string","pattern":"a(?=b)"}`, "#/pattern: looking ahead with (?= (character 2 of the expression) can't be held to"},
		{`{"type":"string","pattern":"(a"}`, "#/pattern: missing closing )"},
		{`{"type":"integer","minimum":5,"maximum":3}`, "#: no value satisfies the schema"},
		{`{"type":"integer","minimum":0.2,"maximum":0.8}`, "#: no value satisfies the schema"},
		{`{"type":"string","minLength":5,"maxLength":3}`, "#: a string can't have at least 5 and at most 3 characters"},
		{`{"type":"array","minItems":5,"maxItems":3}`, "#: an array can't have at least 5 and at most 3 entries"},
		{`{"allOf":[{"type":"string"},{"type":"null"}]}`, "#/allOf/0: no value satisfies the schema"},
		{`{"enum":[1,2],"type":"string"}`, "#: no value of the enum satisfies what else is said"},
		{`{"type":"object","properties":{"a":false},"required":["a"]}`, `#/required: the member "a" must be there, and no value satisfies it`},
		{`{"type":"object","required":["a"],"additionalProperties":false}`, `#/required: the member "a" must be there, and no value satisfies it`},
		{`{"$ref":"#/$defs/no"}`, `#/$ref: "#/$defs/no" names nothing in the schema`},
		{`{"$ref":"other.json"}`, `#/$ref: "other.json" is in another document`},
		{`{"$ref":"#"}`, `#: the schema refers to itself before it says anything`},
		{`{"anyOf":[{"$ref":"#"},{"type":"null"}]}`, `the schema # can begin with itself`},
		{`{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`, "#: no value satisfies the schema: it must hold itself, without end"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "#/oneOf: its schemas 0 and 1 are not shown to have no value in common"},
		{`{"oneOf":[{"type":"object","properties":{"a":{}}},{"type":"object","properties":{"b":{}}}]}`, "#/oneOf: its schemas 0 and 1"},
		{`{"type":"object","minProperties":3}`, "#/minProperties: 3 can't be held to where names are free"},
		{`{"items":[{}]}`, "#/items: items is an array, as in older drafts"},
		{`{"type":"number","multipleOf":0}`, "#/multipleOf: multipleOf is 0, a number above 0 is due"},
		{`{"type":"number","multipleOf":123457}`, "#/multipleOf: multipleOf 123457 can't be held to"},
		{`{"minimum":1e999999999}`, "#/minimum: 1e999999999 has an exponent beyond 400"},
		{`{"minLength":"3"}`, "#/minLength: minLength is a string, a number is due"},
		{`{"minLength":-1}`, "#/minLength: minLength is -1, a whole number from 0 on is due"},
		{`{"properties":[]}`, "#/properties: properties is an array, an object is due"},
		{`{"properties":{"a":3}}`, "#/properties/a: a number is no schema: an object, true or false is one"},
		{`{"enum":[]}`, "#/enum: enum has no values"},
		{`{"anyOf":[]}`, "#/anyOf: anyOf has no schemas"},
		{`{"$schema":"https://example.org/mine"}`, "#/$schema: the dialect"},
		{`{"type":"string","type":"null"}`, `the schema is no JSON: line 1, column 24: "type" stands twice in #`},
		{"{\n \"a\": tru }", "the schema is no JSON: line 2, column 6: "},
		{`{"const":"\ud800"}`, `the schema is no JSON: line 1, column 11: \ud800 is half a character`},
		{`{"a":1`, "the schema is no JSON: line 1, column 7: it ends before its end"},
		{`{} {}`, "the schema is no JSON: line 1, column "},
		{`false`, "#: no value satisfies the schema"},
	} {
		_, err := Schema([]byte(c.schema))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.schema, err, c.want)
		}
	}
}

// TestBombs: what would be large is refused, or made, in a second of a processor; the test
// grants more, for machines that do much else.
func TestBombs(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 150) + `{}` + strings.Repeat(`}`, 150)
	var choices []string
	for range 30 {
		choices = append(choices, `{"anyOf":[{"minLength":1},{"maxLength":5},{"minimum":2}]}`)
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf(`{"type":"object","properties":{"k%d":{"type":"string"}},"required":["k%d"]}`, i, i))
	}
	for name, compile := range map[string]func() (*Grammar, error){
		"strings": func() (*Grammar, error) { return Schema([]byte(`{"type":"string","minLength":240000000}`)) },
		"arrays":  func() (*Grammar, error) { return Schema([]byte(`{"type":"array","minItems":1000000}`)) },
		"members": func() (*Grammar, error) {
			return Schema([]byte(`{"minProperties":200000,"properties":{"a":{},"b":{}},"additionalProperties":false}`))
		},
		"nested":  func() (*Grammar, error) { return Schema([]byte(deep)) },
		"choices": func() (*Grammar, error) { return Schema([]byte(`{"allOf":[` + strings.Join(choices, ",") + `]}`)) },
		"oneOf":   func() (*Grammar, error) { return Schema([]byte(`{"oneOf":[` + strings.Join(many, ",") + `]}`)) },
		"pattern": func() (*Grammar, error) {
			return Schema([]byte(`{"pattern":"((a|b)*a(a|b){900}){9}","maxLength":900}`))
		},
		"names": func() (*Grammar, error) {
			return Schema([]byte(`{"patternProperties":{"a.{20}b":{}},"additionalProperties":{}}`))
		},
		"repetition": func() (*Grammar, error) { return Regexp(`((((a?){30}){30}){30}){30}`) },
		"rules":      func() (*Grammar, error) { return GBNF(doubling(40)) },
		"chain":      func() (*Grammar, error) { return GBNF(chain(30000)) },
		"counts":     func() (*Grammar, error) { return GBNF(`root ::= ((([a-z]{200}){200}){200}){200}`) },
		"parens":     func() (*Grammar, error) { return GBNF("root ::= " + strings.Repeat("(", 1e6)) },
		"json":       func() (*Grammar, error) { return Schema([]byte(strings.Repeat("[", 1e6))) },
	} {
		began := time.Now()
		g, err := compile()
		if err == nil {
			var m *Machine
			if m, err = NewMachine(g, small()); err == nil {
				m.Matcher().Allowed(make([]uint64, m.v.words()))
			}
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%s took %v (%v)", name, d, err)
		} else {
			t.Logf("%s: %v, %v", name, d, err)
		}
	}
}

func doubling(n int) string {
	var b strings.Builder
	b.WriteString("root ::= r0\n")
	for i := range n {
		fmt.Fprintf(&b, "r%d ::= r%d r%d\n", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "r%d ::= \"a\"\n", n)
	return b.String()
}

func chain(n int) string {
	var b strings.Builder
	b.WriteString("root ::= r0\n")
	for i := range n {
		fmt.Fprintf(&b, "r%d ::= r%d | \"a\" r%d\n", i, i+1, i)
	}
	fmt.Fprintf(&b, "r%d ::= \"a\"\n", n)
	return b.String()
}

func FuzzSchema(f *testing.F) {
	for _, c := range schemaCases {
		f.Add([]byte(c.schema))
	}
	f.Fuzz(func(t *testing.T, schema []byte) {
		fuzzed(t, func() (*Grammar, error) { return Schema(schema) })
	})
}
