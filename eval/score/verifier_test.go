package score

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/config"
	"olmo/eval/score/sandbox"
)

// TestVerifiers compares rewards with those of open-instruct's own functions (e6c3044): the fixtures
// of golden/adapt (its README says how they were made), and answers drawn at random by
// testdata/verifiers.py.
func TestVerifiers(t *testing.T) {
	files := []string{"testdata/verifiers.jsonl"}
	if root := os.Getenv("OLMO_GOLDEN"); root != "" {
		more, err := filepath.Glob(filepath.Join(root, "adapt", "*", "verifiers.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		n := 0
		for ; lines.Scan(); n++ {
			var row struct {
				Dataset, Prediction string
				Truth               json.RawMessage `json:"ground_truth"`
				IDs                 []int32         `json:"response_ids"`
				Score               float64
			}
			if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			if got := reward(t, row.Dataset, string(row.Truth), &Attempted{Text: row.Prediction, IDs: row.IDs}); math.Abs(got-row.Score) > 1e-12 {
				t.Errorf("%s:%d: %v, want %v: %s", file, n+1, got, row.Score, lines.Bytes())
			}
		}
		if n < 50 {
			t.Errorf("%s has %d lines", file, n)
		}
	}
}

// reward is that of one built-in verifier.
func reward(t *testing.T, name, truth string, a *Attempted) float64 {
	t.Helper()
	r, err := BuiltIn().Rewards([]string{name}, []json.RawMessage{json.RawMessage(truth)})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	s, err := r.Score(t.Context(), a)
	if err != nil || len(s.Each) != 1 || s.Each[0] != s.Sum || s.Failed != nil {
		t.Fatalf("%s: %+v: %v", name, s, err)
	}
	return s.Sum
}

// TestTruths: ground truths of another type, and names that are none, are errors that say what is
// wanted.
func TestTruths(t *testing.T) {
	for _, c := range []struct{ dataset, truth, want string }{
		{"gsm8k", `{"a":1}`, `the verifier gsm8k, whose ground_truth is a text or number: {"a":1} is no text or number`},
		{"gsm8k", `["1","2"]`, "it is a list of 2"},
		{"gsm8k", `null`, "ground_truth is a text or number"},
		{"gsm8k", ``, "there is none"},
		{"math", `18`, "the verifier math, whose ground_truth is a text of at most 4,000 bytes: it is 18"},
		{"math", `"` + strings.Repeat("1", 4001) + `"`, "it has 4001 bytes"},
		{"puzzle", `["a","b"]`, "ground_truth is a text"},
		{"string_f1", `[]`, "empty list"},
		{"string_f1", `["a",{"b":1}]`, "no text or number"},
		{"re_search", `"{\"a\":1}"`, "no text or number"},
		{"max_length", `"long"`, `it is "long"`},
		{"max_length", `"nan"`, `it is "nan"`},
		{"regex", `"(a"`, "missing closing )"},
		{"regex", `"(?=a)"`, "invalid or unsupported Perl syntax"},
		{"gsm9k", `"1"`, `no verifier is called "gsm9k"`},
		{"gsm9k", `"1"`, "did you mean gsm8k?"},
		{"exec:rm", `"1"`, "there are flan, gsm8k, "},
	} {
		_, err := BuiltIn().Rewards([]string{c.dataset}, []json.RawMessage{json.RawMessage(c.truth)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s against %.40s: %v, want %q", c.dataset, c.truth, err, c.want)
		}
	}
	r, err := BuiltIn().Rewards([]string{"max_length"}, []json.RawMessage{json.RawMessage("5")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Score(t.Context(), &Attempted{Text: "a"}); err == nil || !strings.Contains(err.Error(), "response_ids") {
		t.Errorf("a length without tokens: %v", err)
	}
}

// TestSeveral: rewards are added by weight, letter case of a name does not count, and one verifier may
// stand for another.
func TestSeveral(t *testing.T) {
	set := open(t, &VerifierConfig{Verifiers: map[string]DeclaredVerifier{"regex": {Weight: 0.5}}, RemapVerifier: "Old=Regex"})
	for _, name := range []string{"regex", "old"} {
		r, err := set.Rewards([]string{"GSM8K", name, "passthrough"}, []json.RawMessage{json.RawMessage(`"4"`), json.RawMessage(`"^So"`), json.RawMessage(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Score(t.Context(), &Attempted{Text: "So 4"})
		if err != nil || s.Sum != 1.5 || !slices.Equal(s.Each, []float64{1, 1, 0}) {
			t.Errorf("%+v, %v", s, err)
		}
	}
	if _, err := set.Rewards([]string{"gsm8k", "math"}, nil); err == nil {
		t.Error("two verifiers without ground truths are no error")
	}
	for pair, want := range map[string]string{"gsm8k": "want old=new", "a=b=c": "want old=new", "=math": "want old=new", "a=maths": "did you mean math?"} {
		if _, err := (&VerifierConfig{RemapVerifier: pair}).Open(t.Context(), Outside{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("remap_verifier %s: %v", pair, err)
		}
	}
}

// open is a set without anything outside.
func open(t *testing.T, c *VerifierConfig) *VerifierSet {
	t.Helper()
	set, err := c.Open(t.Context(), Outside{Sandbox: func(context.Context) (*sandbox.Sandbox, error) { return nil, errors.New("not here") }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// TestVerifierBounds: no answer takes long, whatever is in it.
func TestVerifierBounds(t *testing.T) {
	const n = 50_000
	for _, text := range []string{
		"\\boxed{10^{10^{10}}}", "10^10^10", "\\boxed{(10^{5000})!}", "9^{9^{9^{9}}}",
		strings.Repeat("1", n), strings.Repeat("1,", n), strings.Repeat("-", n), strings.Repeat("1.", n),
		strings.Repeat("\\boxed{", n/7), strings.Repeat("\\sqrt", n/5), strings.Repeat("\\frac", n/5), strings.Repeat("\\text{", n/6), strings.Repeat("$", n), strings.Repeat("a ", n/2),
		strings.Repeat("Final Answer: The final answer is ", n/34), strings.Repeat(" I hope it is correct", n/21),
		strings.Repeat("<finish>", n/8), strings.Repeat("</finish>", n/9), strings.Repeat("<answer>", n/8), strings.Repeat("</think>", n/8), strings.Repeat("{", n), strings.Repeat("=", n),
	} {
		for _, name := range []string{"gsm8k", "math", "strict_math", "string_matcher", "puzzle", "flan", "string_f1", "re_search", "re_search_f1", "regex"} {
			begun := time.Now()
			truth := `"10"`
			if name == "regex" {
				truth = `"(.*a?){9}b$"`
			}
			if got := reward(t, name, truth, &Attempted{Text: text}); name == "math" && got != 0 {
				t.Errorf("%s of %.30s is %v", name, text, got)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s of %.30s… takes %v", name, text, took)
			}
		}
	}
}

// TestDeclare: weights, other names for code, and what cannot be declared.
func TestDeclare(t *testing.T) {
	set := open(t, &VerifierConfig{AllowCode: true, Verifiers: map[string]DeclaredVerifier{"gsm8k": {Weight: 0.5}, "tests": {Weight: 2, Code: true}}})
	if set.of["gsm8k"].Weight != 0.5 || set.of["math"].Weight != 1 || set.of["tests"].Weight != 2 || set.of["tests"].Name != "tests" {
		t.Errorf("%+v", set)
	}
	for truth, want := range map[string]string{`["assert x"]`: "not here", `"[\"assert x\"]"`: "not here", `[]`: "no tests", `[1]`: "it is [1]", `[null]`: "test 0 is null", `"assert x"`: "it is assert x"} {
		if _, err := set.of["tests"].Against(json.RawMessage(truth)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", truth, err, want)
		}
	}
	if _, err := open(t, &VerifierConfig{}).of["code"].Against(json.RawMessage(`["assert x"]`)); err == nil || !strings.Contains(err.Error(), "hint: --allow-code") {
		t.Errorf("code that is not allowed: %v", err)
	}
	for _, c := range []struct {
		text, want string
	}{
		{"{mine: {}}", "verifiers.mine declares nothing"},
		{"{gsm8k: {code: true}}", "verifiers.gsm8k: the name is that of a built-in verifier"},
		{"{code: {exec: [true]}}", "verifiers.code: the name is that of a built-in"},
		{"{Tests: {code: true}}", "verifiers.Tests: names are in lower case"},
		{"{math: {weight: .inf}}", "verifiers.math.weight is +Inf"},
		{"{mine: {exec: []}}", "verifiers.mine.exec names no program"},
		{"{mine: {exec: [no-such-program-anywhere]}}", "verifiers.mine.exec: "},
		{"{mine: {exec: cat}}", "a list"},
		{"{mine: {exec: [cat], code: true}}", "code, exec and judge exclude each other"},
		{"{mine: {exec: [cat], timeout: -1}}", "verifiers.mine.timeout is -1"},
		{"{mine: {code: true, timeout: 1}}", "verifiers.mine.timeout is for exec"},
		{"{mine: {judge: {}}}", "verifiers.mine.judge.endpoint is not set"},
		{"{mine: {judge: {endpoint: 'http://localhost:1/v1'}}}", "verifiers.mine.judge.model is not set"},
		{"{mine: {judge: {endpoint: 'http://localhost:1/v1', model: m, prompt: Good?}}}", "does not hold {prediction}"},
		{"{mine: {judge: {endpoint: 'http://localhost:1/v1', model: m, scale: 0}}}", "verifiers.mine.judge.scale is 0"},
		{"{mine: {judge: {endpoint: 'http://localhost:1/v1', model: m, api_key: secret}}}", "verifiers.mine.judge.api_key: unknown key"},
	} {
		var v VerifierConfig
		err := config.Parse("c.yaml", []byte("verifiers: "+c.text), nil, &v)
		if err == nil {
			_, err = v.Open(t.Context(), Outside{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

// TestVerifierConfig: what is written is read again, and has no key of a server.
func TestVerifierConfig(t *testing.T) {
	t.Setenv("JUDGE_KEY", "secret")
	const text = "verifiers: {gsm8k: {weight: 0.5}, mine: {exec: [cat, -u], timeout: 2}, ask: {judge: {endpoint: 'http://localhost:1/v1', model: m, api_key_env: JUDGE_KEY}}}\nallow_code: true\n"
	var c, again VerifierConfig
	if err := config.Parse("c.yaml", []byte(text), nil, &c); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := config.Write(file, &c); err != nil {
		t.Fatal(err)
	}
	if err := config.Load(file, nil, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, again) {
		t.Errorf("%+v, want %+v", again, c)
	}
	if written, err := os.ReadFile(file); err != nil || strings.Contains(string(written), "secret") {
		t.Errorf("%v: %s", err, written)
	}
	open(t, &again)
}

// TestLastProgram: the last whole block counts, with python behind its fence or without.
func TestLastProgram(t *testing.T) {
	for answer, want := range map[string]string{
		"x = 1\n": "x = 1\n", "a ```python\nx = 1\n``` b ```\ny = 2\n``` c": "y = 2", "```python\nx = 1\n``` and ```py": "x = 1", "```x": "```x",
	} {
		if got := lastProgram(answer); got != want {
			t.Errorf("%q: %q, want %q", answer, got, want)
		}
	}
}

// TestJSONSchema: what a schema allows, and schemas that are refused.
func TestJSONSchema(t *testing.T) {
	const person = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["name"],"additionalProperties":false,
		"properties":{"name":{"type":"string","minLength":2,"pattern":"^[A-Z]"},"age":{"type":["integer","null"],"minimum":0,"exclusiveMaximum":150},"tags":{"type":"array","items":{"enum":["a","b",3]},"maxItems":2}}}`
	for _, c := range []struct {
		schema, answer string
		want           float64
	}{
		{person, `{"name":"Ada","age":36.0,"tags":["a",3]}`, 1},
		{person, "<think>{</think>\n```json\n{\"name\":\"Öl\"}\n```", 0}, // Ö is not A to Z
		{person, "<think>{</think>\n```json\n{\"name\":\"Oö\"}\n```", 1},
		{person, "```\n{\"name\":\"Ada\"}```", 1},
		{person, `{"name":"Ada"} and more`, 0},
		{person, `{"name":"A"}`, 0},
		{person, `{"age":3}`, 0},
		{person, `{"name":"Ada","age":150}`, 0},
		{person, `{"name":"Ada","age":1.5}`, 0},
		{person, `{"name":"Ada","age":null}`, 1},
		{person, `{"name":"Ada","city":1}`, 0},
		{person, `{"name":"Ada","tags":["a","b","a"]}`, 0},
		{person, `{"name":"Ada","tags":["c"]}`, 0},
		{person, `["Ada"]`, 0},
		{person, strings.Repeat("[", 50_000), 0},
		{`true`, `1`, 1},
		{`false`, `1`, 0},
		{`{"not":{"const":1}}`, `1`, 0},
		{`{"not":{"const":1}}`, `"1"`, 1},
		{`{"anyOf":[{"type":"null"},{"maxLength":1}]}`, `"ab"`, 0},
		{`{"anyOf":[{"type":"null"},{"maxLength":1}]}`, `null`, 1},
		{`{"oneOf":[{"minimum":1},{"maximum":1}]}`, `1`, 0},
		{`{"oneOf":[{"minimum":1},{"maximum":1}]}`, `2`, 1},
		{`{"allOf":[{"minItems":1},{"minProperties":1}]}`, `{}`, 0},
		{`{"allOf":[{"minItems":1},{"maxProperties":1}]}`, `[1]`, 1},
		{`{"exclusiveMinimum":1}`, `1`, 0},
		{`{"type":"boolean"}`, `0`, 0},
		{`{"additionalProperties":{"type":"number"}}`, `{"a":1}`, 1},
	} {
		quoted, err := json.Marshal(c.schema) // a text with the schema in it
		if err != nil {
			t.Fatal(err)
		}
		for _, truth := range []string{c.schema, string(quoted)} {
			if got := reward(t, "json_schema", truth, &Attempted{Text: c.answer}); got != c.want {
				t.Errorf("%.60s: %.60s: %v, want %v", truth, c.answer, got, c.want)
			}
		}
	}
	for schema, want := range map[string]string{
		`{"$ref":"http://localhost/s.json"}`:      `schema has "$ref", a keyword that is not known here`,
		`{"properties":{"a":{"format":"email"}}}`: `schema.properties.a has "format"`,
		`{"type":"text"}`:                         "schema.type names text, which is no type",
		`{"required":[1]}`:                        "schema.required is no list of names",
		`{"items":3}`:                             "schema.items is neither an object nor a truth value",
		`{"pattern":"("}`:                         "schema.pattern",
		`{"minimum":"1"}`:                         "schema.minimum is no number",
		`{"anyOf":[]}`:                            "schema.anyOf is no list of schemas",
		`"no JSON"`:                               "it is no JSON",
		strings.Repeat(`{"not":`, 70) + `true` + strings.Repeat("}", 70): "nests too deep",
	} {
		if _, err := BuiltIn().Rewards([]string{"json_schema"}, []json.RawMessage{json.RawMessage(schema)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", schema, err, want)
		}
	}
}
