package evaldata

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

func TestARCEasy(t *testing.T) {
	questions, err := ARCEasy()
	if err != nil {
		t.Fatal(err)
	}
	if len(questions) != 570 {
		t.Fatalf("%d questions, want 570", len(questions))
	}
	first := questions[0]
	if first.ID != "MCAS_2000_4_6" || first.Text != "Which technology was developed most recently?" || first.Choices[first.Answer] != "cellular telephone" {
		t.Errorf("first question is %+v", first)
	}
	seen := map[string]bool{}
	for _, q := range questions {
		if seen[q.ID] || len(q.Choices) < 3 || len(q.Choices) > 5 {
			t.Errorf("question %s: %d choices, seen before: %v", q.ID, len(q.Choices), seen[q.ID])
		}
		seen[q.ID] = true
	}
}

func TestParseARCErrors(t *testing.T) {
	if _, err := parseARC([]byte("no gzip")); err == nil {
		t.Error("no error for a file that is not gzip")
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(`{"id":"x","question":"q","choices":{"text":["a"],"label":["A"]},"answerKey":"B"}`))
	w.Close()
	if _, err := parseARC(b.Bytes()); err == nil || !strings.Contains(err.Error(), `answer "B"`) {
		t.Errorf("error %v, want one about the answer", err)
	}
}

func TestLicence(t *testing.T) {
	for _, want := range []string{"Peter Clark", "Oyvind Tafjord", "CC BY-SA 4.0", "Changed:", "https://allenai.org/data/arc"} {
		if !strings.Contains(Notice(), want) {
			t.Errorf("the notice lacks %q", want)
		}
	}
	if !strings.HasPrefix(Licence(), "Attribution-ShareAlike 4.0 International") || !strings.Contains(Licence(), "Section 8 -- Interpretation.") {
		t.Error("the licence text is not whole")
	}
}

func ExampleARCEasy() {
	questions, err := ARCEasy()
	if err != nil {
		panic(err)
	}
	q := questions[0]
	fmt.Println(len(questions), q.Text, q.Choices[q.Answer])
	// Output: 570 Which technology was developed most recently? cellular telephone
}
