package python_test

import (
	"testing"

	"olmo/eval/python"
)

// TestDumpsSpace has white space wherever JSON allows it, and what is no JSON.
func TestDumpsSpace(t *testing.T) {
	got, err := python.Dumps([]byte(" { \"a\" : [ ] ,\n\"b\":{ \t} , \"c\" : [ 1 , -2.50\r, true ] } "))
	if want := "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    -2.5,\n    true\n  ]\n}"; err != nil || got != want {
		t.Errorf("got %s, want %s (%v)", got, want, err)
	}
	for _, text := range []string{"", "{", `{"a":}`, "[1,]", "nope", "1 2"} {
		if got, err := python.Dumps([]byte(text)); err == nil {
			t.Errorf("%q: no error, but %q", text, got)
		}
	}
}

func BenchmarkDumps(b *testing.B) {
	text := []byte(`{"id": "Mercury_7175875", "question": "Which technology was developed most recently, \"in the\" world — of today?\n", "choices": {"text": ["cellular telephone", "television", "refrigerator", "airplane"], "label": ["A", "B", "C", "D"]}, "answerKey": "A", "x": 1.5}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := python.Dumps(text); err != nil {
			b.Fatal(err)
		}
	}
}
