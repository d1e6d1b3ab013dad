package compare

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"olmo/eval/record"
	"olmo/page/pagetest"
)

// TestFront: a model is on it where none of its size or less is better.
func TestFront(t *testing.T) {
	models := []sized{{0, 1e9, 0.6}, {1, 1e8, 0.5}, {2, 1e8, 0.4}, {3, 7e9, 0.6}, {4, 3e9, 0.55}, {5, 1e10, 0.7}}
	for _, c := range []struct {
		lower bool
		want  []int
	}{{false, []int{1, 0, 5}}, {true, []int{2}}} {
		var got []int
		for _, x := range front(models, c.lower) {
			got = append(got, x.run)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("lower %v: %v, want %v", c.lower, got, c.want)
		}
	}
}

// TestSizes: charts of runs that say their size, or of which the user says it; names are text.
func TestSizes(t *testing.T) {
	runs := []*record.Run{
		folder{model: "one", values: sample(rightA, 0)}.write(t),
		folder{model: "<b>two", values: sample(rightB, 0)}.write(t),
		folder{model: "three", values: sample(rightA, 0)}.write(t),
	}
	runs[0].Parameters = 135_000_000
	m, err := NewMatrix(runs, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Sizes(); got != nil {
		t.Errorf("of one size there is %+v", got)
	}
	if err := m.SetSize("<b>two", 1_300_000_000); err != nil {
		t.Fatal(err)
	}
	if err := m.SetSize("four", 1); err == nil || !strings.Contains(err.Error(), "there are one, <b>two, three") {
		t.Errorf("error %v", err)
	}
	got := m.Sizes()
	if len(got) != 1 || len(got[0].Chart.Lines) != 3 || !slices.Equal(got[0].Front, []string{"one", "<b>two"}) {
		t.Fatalf("charts %+v", got)
	}
	var b bytes.Buffer
	if err := m.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	pagetest.LookAt(t, "sizes", b.Bytes())
	if text := b.String(); !strings.Contains(text, "Figures by size") || !strings.Contains(text, "135M") || strings.Contains(text, "<b>two") {
		t.Error("the page lacks the chart, or has markup of a name")
	}
}
