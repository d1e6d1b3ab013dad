package compare

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"olmo/eval/record"
)

// TestCurve has runs of two documents: acc is the first one's, and loss falls.
func TestCurve(t *testing.T) {
	var runs []*record.Run
	var steps []int
	for i, v := range []struct{ acc, loss float64 }{{0, 8}, {0, 4}, {1, 3}, {1, 2}, {0, 2.5}, {1, 2}} {
		runs = append(runs, folder{model: "m", boundary: "apart", values: [][2]float64{{v.acc, v.loss}, {v.acc, v.loss}}}.write(t))
		steps = append(steps, 100*i)
	}
	c, err := NewCurve(runs, steps)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Rows {
		var gain, noise float64
		verdict := "within the noise"
		switch r.Metric {
		case "acc": // of the last three: 1, 0, 1
			gain, noise = 2./3, math.Sqrt(1./3)
		case "loss": // 2, 2.5, 2, and smaller is better
			gain, noise, verdict = 8-6.5/3, math.Sqrt(0.25/3), "tells"
		default:
			continue
		}
		if r.Last != 3 || math.Abs(*r.Gain-gain) > 1e-12 || math.Abs(*r.Noise-noise) > 1e-12 || math.Abs(*r.Signal-gain/noise) > 1e-9 || r.Verdict() != verdict {
			t.Errorf("%s: of %d gain %g, noise %g, %s, want of 3 %g, %g, %s", r.Metric, r.Last, *r.Gain, *r.Noise, r.Verdict(), gain, noise, verdict)
		}
	}
	var page, table bytes.Buffer
	if err := c.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteCSV(&table); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "<h1>1 task over 6 checkpoints</h1>") || !strings.Contains(table.String(), "\nt,loss,none,false,400,2,2.5,0\n") {
		t.Errorf("the page or the table lacks figures:\n%s\n%s", page.String(), table.String())
	}
	few, err := NewCurve(runs[:2], steps[:2])
	if err != nil || few.Rows[0].Gain != nil || few.Rows[0].Verdict() != "too few checkpoints" {
		t.Errorf("two checkpoints: %+v, %v", few.Rows[0], err)
	}
}
