package proof

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// example is a chain with a line of every kind.
func example(t testing.TB) (lines []*Line, texts [][]byte) {
	h := func(s string) *Hash { return ptr(Sum([]byte(s))) }
	lines = []*Line{
		{Format: ChainFormat, Recipe: h("r"), Documents: &Nullable{*h("d"), true}, Tokenizer: &Nullable{}, Numerics: ptr(1), Program: ptr("olmo <1>"), Masks: &Nullable{}, Weights: h("w"), Optim: h("o"), From: h("f"), State: h("s")},
		{Step: 1, Instances: h("i"), Tokens: h("t"), Loss: 2.5, GradNorm: math.Copysign(0, -1)},
		{Step: 2, Instances: h("i2"), Tokens: h("t2"), Loss: 1, GradNorm: 3, Weights: h("w2"), Optim: h("o2"), State: h("s2"), Recipe: h("r2"), Numerics: ptr(2)},
		{Step: 2, Weights: h("w2"), Optim: h("o2"), State: h("s2")},
	}
	var before Hash
	for _, l := range lines {
		text, err := l.Seal(before)
		if err != nil {
			t.Fatal(err)
		}
		texts, before = append(texts, text), l.Hash
	}
	return lines, texts
}

func TestLine(t *testing.T) {
	lines, texts := example(t)
	var before Hash
	for i, text := range texts {
		got, err := ParseLine(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(got, lines[i]) {
			t.Errorf("%s is read as %+v", text, got)
		}
		if err := got.Check(text, before); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := got.Check(text, Hash{7}); err == nil && i > 0 {
			t.Errorf("%s goes with any line before it", text)
		}
		if got.Closes() != (i == 3) {
			t.Errorf("%s closes: %v", text, got.Closes())
		}
		before = got.Hash
	}
	// The rule by hand, of the second line.
	want := lines[0].Hash[:]
	body, _, _ := strings.Cut(string(texts[1]), `,"hash"`)
	if got := Sum([]byte(string(want) + body + "}")); got != lines[1].Hash {
		t.Errorf("the second line's hash is %v, the rule gives %v", lines[1].Hash, got)
	}
	if !strings.Contains(string(texts[1]), `"loss":"4004000000000000","grad_norm":"8000000000000000"`) {
		t.Errorf("the bits of numbers: %s", texts[1])
	}
	if !strings.HasPrefix(string(texts[0]), `{"step":0,"format":"olmo chain 1","recipe":"`) || !strings.Contains(string(texts[0]), `,"tokenizer":null,"numerics":1,"program":"`) {
		t.Errorf("the first line: %s", texts[0])
	}
}

func TestParseLineRefuses(t *testing.T) {
	_, texts := example(t)
	step := string(texts[1])
	for name, line := range map[string]string{
		"nothing":           "",
		"no object":         `[1]`,
		"empty":             `{}`,
		"a space":           strings.Replace(step, ",", ", ", 1),
		"a duplicate":       strings.Replace(step, `"step":1,`, `"step":1,"step":1,`, 1),
		"escaped duplicate": strings.Replace(step, `"step":1,`, `"step":1,"\u0073tep":1,`, 1),
		"another order":     strings.Replace(step, `"step":1,`, ``, 1)[:1] + `"instances":"` + strings.Repeat("0", 64) + `","step":1` + step[strings.Index(step, `,"tokens"`):],
		"a string as step":  strings.Replace(step, `"step":1`, `"step":"1"`, 1),
		"a number as loss":  strings.Replace(step, `"4004000000000000"`, `2.5`, 1),
		"big letters":       strings.Replace(step, `"4004000000000000"`, `"400400000000000A"`, 1),
		"a fraction":        strings.Replace(step, `"step":1`, `"step":1.0`, 1),
		"below 0":           strings.Replace(step, `"step":1`, `"step":-1`, 1),
		"hash not last":     strings.TrimSuffix(step, "}") + `,"more":1}`,
		"short hash":        step[:len(step)-3] + `"}`,
		"no UTF-8":          strings.Replace(step, `"hash"`, "\"m\xff\":1,\"hash\"", 1),
		"misplaced":         strings.Replace(step, `,"hash"`, `,"more":1,"state":"`+strings.Repeat("0", 64)+`","hash"`, 1),
		"roots in part":     strings.Replace(step, `,"hash"`, `,"weights":"`+strings.Repeat("0", 64)+`","hash"`, 1),
		"another format":    strings.Replace(string(texts[0]), "olmo chain 1", "olmo chain 2", 1),
		"deep":              strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
		"torn":              step[:len(step)-1],
	} {
		if _, err := ParseLine([]byte(line)); err == nil {
			t.Errorf("%s: %q is read", name, line)
		}
	}
	// A member that a later program adds changes no rule.
	if _, err := ParseLine([]byte(strings.Replace(step, `,"hash"`, `,"more":{"a":[1,"}"]},"hash"`, 1))); err != nil {
		t.Errorf("a further member: %v", err)
	}
}

func TestReadLine(t *testing.T) {
	in := bufio.NewReader(strings.NewReader("a\n\nlonger than the buffer of sixteen bytes\ntorn"))
	for _, want := range []struct {
		text string
		torn bool
	}{{"a", false}, {"", false}, {"longer than the buffer of sixteen bytes", false}, {"torn", true}} {
		text, torn, err := ReadLine(in)
		if err != nil || string(text) != want.text || torn != want.torn {
			t.Errorf("got %q, %v, %v", text, torn, err)
		}
	}
	if _, _, err := ReadLine(in); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if _, _, err := ReadLine(bufio.NewReader(io.LimitReader(endless{}, 1<<30))); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a line of 1 GB: %v", err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// What is read is written again as it was, or refused.
func FuzzParseLine(f *testing.F) {
	_, texts := example(f)
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ParseLine(text)
		if err != nil {
			return
		}
		if bytes.ContainsAny(text, "\n\r") {
			t.Errorf("%q has the end of a line in it", text)
		}
		_ = l.Check(text, Hash{})
	})
}
