package adapt

import (
	"slices"
	"strings"
	"testing"
)

func TestMixer(t *testing.T) {
	parts, err := ParseMixer([]string{"a.jsonl", "1.0", "b.jsonl", "0.5", "c.jsonl", "7", "d.jsonl", "2.5"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, p := range parts {
		got = append(got, p.Of(11))
	}
	if want := []int{11, 5, 7, 27}; !slices.Equal(got, want) {
		t.Errorf("of 11 rows each: %v, want %v", got, want)
	}
	for _, c := range []struct{ list, want string }{
		{"a.jsonl", "has 1 entries"},
		{"a.jsonl 0", `dataset_mixer_list[1] is "0"`},
		{"a.jsonl -0.5", `dataset_mixer_list[1] is "-0.5"`},
		{"a.jsonl 1.0 b.jsonl half", `dataset_mixer_list[3] is "half", want how much of b.jsonl`},
	} {
		if _, err := ParseMixer(strings.Fields(c.list), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.list, err, c.want)
		}
	}
	list := []string{"a", "1.0", "b", "1.0"}
	for _, c := range []struct{ splits, want []string }{
		{nil, []string{"train", "train"}}, {[]string{"x"}, []string{"x", "x"}}, {[]string{"x", "y"}, []string{"x", "y"}},
	} {
		parts, err := ParseMixer(list, c.splits)
		if err != nil || parts[0].Split != c.want[0] || parts[1].Split != c.want[1] {
			t.Errorf("splits %v: %v, %v; want %v", c.splits, parts, err, c.want)
		}
	}
	if _, err := ParseMixer(list, []string{"x", "y", "z"}); err == nil || !strings.Contains(err.Error(), "3 entries for 2 data sets") {
		t.Errorf("three splits: %v", err)
	}
	if one := (Part{Name: "a", Rows: 1}); one.Suspicious(101) == "" || one.Suspicious(100) != "" || (Part{Share: 0.1}).Suspicious(1000) != "" {
		t.Error("one row of 101 is suspicious, of 100 it is not, nor is a share")
	}
}

// TestPick: the rows are those that open-instruct's select_samples chooses with NumPy 2.4.6.
func TestPick(t *testing.T) {
	for _, c := range []struct {
		rows, target int
		want         []int
	}{
		{10, 4, []int{8, 1, 5, 0}},
		{10, 10, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{3, 7, []int{0, 1, 2, 0, 1, 2, 0}},
		{5, 0, nil},
		{0, 5, nil},
	} {
		if got := Pick(c.rows, c.target, 42); !slices.Equal(got, c.want) {
			t.Errorf("%d of %d: %v, want %v", c.target, c.rows, got, c.want)
		}
	}
}
