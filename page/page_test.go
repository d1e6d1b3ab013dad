package page

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		n         int
		want      []float64
	}{
		{2.9, 8.4, 5, []float64{4, 6, 8}},
		{1, 1, 5, []float64{1}},
		{-1, 1, 4, []float64{-1, -0.5, 0, 0.5, 1}},
		{math.NaN(), 1, 4, []float64{math.NaN()}},
	} {
		if got := Ticks(c.low, c.high, c.n); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("Ticks(%g, %g, %d) = %v, want %v", c.low, c.high, c.n, got, c.want)
		}
	}
	if got := Ticks(0, 0.021, 5); len(got) != 5 || math.Signbit(got[0]) {
		t.Errorf("Ticks = %v", got)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{short(3.14159), "3.142"},
		{short(12000), "12,000"},
		{short(4e-4), "4e-4"},
		{short(-2.5e7), "-2.5e7"},
		{short(0), "0"},
		{short(math.NaN()), "not a number"},
		{percent(1, 8), "12.5 %"},
		{percent(int64(1), 0), "–"},
		{length(3, 2), "100.00%"},
		{length(1.0, int64(3)), "33.33%"},
		{Grouped(0), "0"},
		{Grouped(999), "999"},
		{Grouped(-123), "-123"},
		{Grouped(-1234567), "-1,234,567"},
		{Grouped(13254.2), "13,254"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestChart: a value that is no number is a gap and is said, many values lose no spike,
// and names are text.
func TestChart(t *testing.T) {
	x, y := make([]float64, 10000), make([]float64, 10000)
	for i := range x {
		x[i], y[i] = float64(i+1), 1
	}
	y[4321] = 9
	y[77] = math.NaN()
	c := Chart{Title: "<loss>", X: "step", Lines: []Line{
		{Name: "a<b>", X: x, Y: y},
		{Name: "b", Slot: 1, X: []float64{1, 10000}, Y: []float64{2, 3}},
	}}
	figure, err := c.figure()
	if err != nil {
		t.Fatal(err)
	}
	text := string(figure)
	for _, want := range []string{"&lt;loss&gt;", "a&lt;b&gt;", "1 value is no number, at step 78", `scope="col"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the figure lacks %q", want)
		}
	}
	if strings.Contains(text, "<b>b") || strings.Contains(text, "NaN") || strings.Contains(text, "ZgotmplZ") {
		t.Errorf("the figure has markup of a name, or a value that is no number:\n%s", text)
	}
	v := c.layout()
	if n := strings.Count(v.Paths[0].D, "M"); n != 2 {
		t.Errorf("%d strokes, want 2 around the gap", n)
	}
	if !strings.Contains(v.Paths[0].D, "432.1 ") || len(v.Paths[0].D) > 20000 {
		t.Errorf("the spike is lost, or nothing was left out, in %d bytes", len(v.Paths[0].D))
	}
	if len(v.Rows) != tableRows || v.Rows[0][0] != "1" || v.Rows[tableRows-1][0] != "10,000" || v.Rows[tableRows-1][2] != "3" {
		t.Errorf("table %v", v.Rows)
	}
	if empty, err := (Chart{Title: "nothing"}).figure(); empty != "" || err != nil {
		t.Errorf("a chart of nothing is %q, %v", empty, err)
	}
	one := Chart{Title: "one", Lines: []Line{{X: []float64{1}, Y: []float64{2}, Dots: true}}}.layout()
	if len(one.Dots) != 1 {
		t.Errorf("a single value gives %v", one.Dots)
	}
}

// TestPoints: on a logarithmic axis equal factors are equally far, and the table has every point.
func TestPoints(t *testing.T) {
	v := Chart{X: "parameters", Log: true, Lines: []Line{
		{Name: "small", X: []float64{1e6}, Y: []float64{0.25}, Dots: true},
		{Name: "large", Slot: 1, X: []float64{1e8}, Y: []float64{0.5}, Dots: true},
		{Name: "middle", Slot: 2, X: []float64{1e7}, Y: []float64{0.75}, Dots: true},
		{Faint: true, X: []float64{1e6, 1e7}, Y: []float64{0.25, 0.75}},
	}}.layout()
	if len(v.Dots) != 3 || v.Dots[0].X != "0.00%" || v.Dots[2].X != "50.00%" || len(v.Ends) != 3 {
		t.Errorf("dots %v, names %v", v.Dots, v.Ends)
	}
	if n := len(v.XTicks); n != 7 || v.XTicks[3].Text != "10M" || v.XTicks[3].At != "50.00%" || v.XTicks[6].Text != "parameters 100M" {
		t.Errorf("ticks %v", v.XTicks)
	}
	if want := [][]string{{"1M", "0.25", "", ""}, {"10M", "", "", "0.75"}, {"100M", "", "0.5", ""}}; !reflect.DeepEqual(v.Rows, want) {
		t.Errorf("table %v, want %v", v.Rows, want)
	}
	if want := ": small 0.25 at parameters 1M; large 0.5 at parameters 100M; middle 0.75 at parameters 10M"; v.Says != want {
		t.Errorf("it says %q, want %q", v.Says, want)
	}
	if got := logTicks(1.1e8, 1.4e8); len(got) < 2 {
		t.Errorf("ticks of a short axis: %v", got)
	}
}

// TestEnds: names of lines that end at one height stand apart, inside the area.
func TestEnds(t *testing.T) {
	var c Chart
	for i := range 8 {
		c.Lines = append(c.Lines, Line{Name: fmt.Sprint(i), X: []float64{0, 1}, Y: []float64{1, 0}})
	}
	var at []float64
	for _, e := range c.layout().Ends {
		var v float64
		_, _ = fmt.Sscanf(e.At, "%f%%", &v)
		at = append(at, v)
	}
	if len(at) != 8 || !slices.IsSorted(at) || at[7] > 100 || at[1]-at[0] < 7 {
		t.Errorf("ends at %v", at)
	}
}
