package train

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestStages: the size of batches and the length of sequences change at steps or tokens done.
func TestStages(t *testing.T) {
	c := &Config{
		GlobalTrainBatchSize:   8,
		BatchSizeSchedule:      []BatchStage{{From: Duration{Steps: 3}, Size: 4}, {From: Duration{Tokens: 1000}, Size: 32}},
		SequenceLengthSchedule: []LengthStage{{From: Duration{}, Length: 10}, {From: Duration{Steps: 2}, Length: 20}},
	}
	c.Model.MaxSequenceLength = 40
	for _, x := range []struct {
		step         int
		tokens       int64
		size, length int
	}{{0, 0, 8, 10}, {1, 999, 8, 10}, {2, 999, 8, 20}, {3, 999, 4, 20}, {0, 1000, 32, 10}, {9, 1001, 32, 20}} {
		if size, length := c.batchSize(x.step, x.tokens), c.sequenceLength(x.step, x.tokens); size != x.size || length != x.length {
			t.Errorf("after %d steps and %d tokens: %d instances of %d, want %d of %d", x.step, x.tokens, size, length, x.size, x.length)
		}
	}
	if n := c.largestBatch(); n != 32 {
		t.Errorf("the largest batch has %d instances, want 32", n)
	}
	if n := c.ranks(); n != 1 {
		t.Errorf("%d ranks, want 1", n)
	}
	// 20 instances: three batches of 8, the last of them short, then 4 at a time in the next epoch.
	steps, tokens := c.simulate(State{}, func(s State) bool { return s.Step >= 5 }, 20)
	if want := int64((8 + 8 + 4 + 4 + 4) * 40); steps != 5 || tokens != want {
		t.Errorf("five steps are %d with %d tokens, want %d", steps, tokens, want)
	}
	c.Data.DropLast = true
	if _, tokens := c.simulate(State{}, func(s State) bool { return s.Step >= 3 }, 20); tokens != 3*8*40 {
		t.Errorf("without the short batch three steps have %d tokens, want %d", tokens, 3*8*40)
	}
}

// TestMix: sources are taken by their shares, whole before they are repeated, and each of
// their files evenly; what cannot be is refused.
func TestMix(t *testing.T) {
	counts := func(path string) (int, error) {
		n, ok := map[string]int{"a": 10, "b": 30, "c": 3, "none": 0}[path]
		if !ok {
			return 0, errors.New("no file " + path)
		}
		return n, nil
	}
	source := func(ratio float64, repeat float64, paths ...string) Source {
		return Source{Name: paths[0], Paths: paths, TargetRatio: ratio, MaxRepetitionRatio: repeat, MaxSourceFraction: 1}
	}
	half := source(1, 1, "a", "b")
	half.MaxSourceFraction = 0.5
	for _, c := range []struct {
		name      string
		sources   []Source
		instances int
		paths     string
		take      []int
	}{
		{"files evenly", []Source{source(1, 1, "a", "b")}, 20, "ab", []int{5, 15}},
		{"what rounding leaves", []Source{source(1, 1, "a", "b")}, 21, "ab", []int{6, 15}},
		{"all of it", []Source{source(1, 1, "a", "b")}, 40, "ab", []int{10, 30}},
		{"repeated", []Source{source(1, 4, "c")}, 8, "ccc", []int{3, 3, 2}},
		{"two sources", []Source{source(0.75, 1, "b"), source(0.25, 1, "a")}, 20, "ba", []int{15, 5}},
		{"half an instance is one", []Source{source(0.5, 1, "b"), source(0.5, 1, "a")}, 5, "ba", []int{3, 3}},
		{"a source of nothing", []Source{source(0, 1, "c"), source(1, 1, "a")}, 5, "a", []int{5}},
		{"an empty file", []Source{source(1, 1, "none", "a")}, 5, "a", []int{5}},
		{"half of each file", []Source{half}, 20, "ab", []int{5, 15}},
	} {
		paths, take, err := mix(c.sources, c.instances, counts)
		if err != nil || strings.Join(paths, "") != c.paths || !slices.Equal(take, c.take) {
			t.Errorf("%s: %v of %q (%v), want %v of %q", c.name, take, paths, err, c.take, c.paths)
		}
	}
	large := half
	large.MaxSourceFraction = 1.5
	seldom := source(1, 0.5, "a")
	less := source(-0.5, 1, "a")
	for _, c := range []struct {
		name      string
		sources   []Source
		instances int
		want      string
	}{
		{"more than there is", []Source{source(1, 1, "a", "b")}, 41, "source a has 40 usable instances, 41 are wanted"},
		{"more than half", []Source{half}, 21, "has 20 usable instances"},
		{"shares below one", []Source{source(0.5, 1, "a")}, 5, "add up to 0.5"},
		{"shares above one", []Source{source(1.1, 1, "a")}, 5, "add up to 1.1"},
		{"a negative share", []Source{source(1.5, 1, "b"), less}, 5, "target_ratio -0.5 must not be negative"},
		{"more than a whole source", []Source{large}, 5, "max_source_fraction 1.5 in (0, 1]"},
		{"less than once", []Source{seldom}, 5, "max_repetition_ratio 0.5 not below 1"},
		{"nothing", []Source{source(1, 1, "a")}, 0, "the mixture is empty"},
		{"a file that is gone", []Source{source(1, 1, "gone")}, 5, "source gone: no file gone"},
	} {
		if _, _, err := mix(c.sources, c.instances, counts); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
