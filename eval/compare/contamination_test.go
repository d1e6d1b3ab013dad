package compare

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"olmo/data/dedupe"
)

// report is of a file of requests, in which documents are numbered from 0.
func report(task string, instances int, found ...int) *dedupe.Contamination {
	r := &dedupe.Contamination{NGrams: 12, Tasks: []dedupe.TaskFound{{Task: task, Instances: instances, Found: len(found)}}}
	for _, n := range found {
		r.Matches = append(r.Matches, dedupe.Match{Task: task, Instance: fmt.Sprint(n)})
	}
	return r
}

func TestContamination(t *testing.T) {
	run := folder{model: "m", boundary: "apart", values: [][2]float64{{1, 1}, {1, 2}, {0, 3}, {0, 4}, {0, 5}, {1, 6}, {0, 7}, {0, 9}}}.write(t)
	for name, c := range map[string]*dedupe.Contamination{
		"requests":     report("requests-t", 8, 0, 1, 5),
		"rows, from 1": report("t", 8, 1, 2, 6),
	} {
		got, err := NewContamination(run, c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows := map[string]ContaminationRow{}
		for _, r := range got.Rows {
			rows[r.Metric] = r
		}
		// SciPy 1.17: fisher_exact([[0, 5], [3, 0]]), ttest_ind([1, 2, 6], [3, 4, 5, 7, 9], equal_var=False).
		acc, loss := rows["acc"], rows["loss"]
		if acc.Clean.N != 5 || acc.Clean.Value != 0 || acc.Overlapping.N != 3 || acc.Overlapping.Value != 1 || acc.Test != "fisher" || math.Abs(*acc.P-0.017857142857142856) > 1e-9 {
			t.Errorf("%s: acc %+v, p %g", name, acc, *acc.P)
		}
		if loss.Delta != -2.5999999999999996 || loss.Test != "welch" || math.Abs(*loss.P-0.23675251098246455) > 1e-9 || loss.CI == nil || !loss.Lower {
			t.Errorf("%s: loss %+v, p %.12g", name, loss, *loss.P)
		}
		// Perplexity is made of a mean: the values are −loss.
		if p := rows["perplexity"]; math.Abs(p.Overlapping.Value-math.Exp(3)) > 1e-9 {
			t.Errorf("%s: perplexity %+v", name, p)
		}
	}
	for name, c := range map[string]struct {
		report *dedupe.Contamination
		want   string
	}{
		"another task": {report("u", 8, 1), "task t is not in the report, which has u"},
		"other data":   {report("t", 8, 100, 101), "none of the report's 2 instances"},
	} {
		if _, err := NewContamination(run, c.report); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	for want, c := range map[string]*dedupe.Contamination{"task t: 0 of its 8": report("t", 8), "task t: 8 of its 8": report("requests-t", 8, 0, 1, 2, 3, 4, 5, 6, 7)} {
		if got, err := NewContamination(run, c); err != nil || len(got.Rows) != 0 || len(got.LeftOut) != 1 || !strings.HasPrefix(got.LeftOut[0], want) {
			t.Errorf("%s: %v, %v", want, got, err)
		}
	}
	got, err := NewContamination(run, report("t", 20, 1, 19))
	if err != nil || len(got.LeftOut) == 0 || !strings.Contains(got.LeftOut[0], "1 of the report's 2 instances") {
		t.Errorf("a part of the data: %v, left out %v", err, got)
	}
	if _, err := ReadReport(strings.NewReader(`{"results":{}}`)); err == nil {
		t.Error("a report of something else: no error")
	}
}
