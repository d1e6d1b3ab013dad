package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
)

//go:embed chart.html.tmpl
var chartText string

var chartTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("chart").Parse(chartText))
})

// Chart is lines over a common axis. As a figure it fits any width: the lines stretch,
// the words keep their size, and where there is little room there are fewer of them. A
// table of the values stands below it, folded.
type Chart struct {
	Title  string // what is shown
	Unit   string // of the values
	X      string // what runs along the axis: step
	Height int    // of the area with the lines, in pixels; 0 means 220
	Zero   bool   // the axis of the values begins at 0
	Log    bool   // equal steps along the axis X are equal factors; its values are counts, above 0
	Lines  []Line
}

// Colours is how many slots there are.
const Colours = 8

// Line is one line of a Chart. X and Y are equally long; a Y that is NaN is a gap, and
// is said.
type Line struct {
	Name  string
	Slot  int  // which of the colours, from 0
	Faint bool // behind the others, and without a name
	Dots  bool // single values rather than a course
	X, Y  []float64
}

// The places inside an area are thousandths of its width and height.
const unit = 1000.0

// chartView is a Chart laid out.
type chartView struct {
	Chart
	Says        string // for who cannot see it
	Left, Right int    // room for words, in characters
	XTicks      []tick
	YTicks      []tick
	Paths       []path
	Dots        []dot
	Ends        []tick // names where the lines end
	Lost        string // what is not a number
	Head        []string
	Rows        [][]string
}

// tick is a word beside the area, At in percent of its width or height.
type tick struct {
	At   string
	Text string
	Slot int
	More bool // left out where there is little room
	Edge string
}

type path struct {
	D     string
	Slot  int
	Faint bool
}

type dot struct {
	X, Y string
	Slot int
}

// figure draws the chart.
func (c Chart) figure() (template.HTML, error) {
	v := c.layout()
	if len(v.Paths)+len(v.Dots) == 0 {
		return "", nil
	}
	var b bytes.Buffer
	if err := chartTemplate().Execute(&b, v); err != nil {
		return "", fmt.Errorf("drawing %s: %w", c.Title, err)
	}
	return template.HTML(b.String()), nil
}

func (c Chart) layout() chartView {
	if c.Height == 0 {
		c.Height = 220
	}
	v := chartView{Chart: c}
	x0, x1, y0, y1 := c.ranges()
	if x0 > x1 {
		return v
	}
	place := func(x, y float64) (float64, float64) {
		from, to := x0, x1
		if c.Log {
			x, from, to = math.Log10(x), math.Log10(x0), math.Log10(x1)
		}
		return unit * (x - from) / max(to-from, 1e-12), unit * (y1 - y) / max(y1-y0, 1e-12)
	}
	for _, y := range Ticks(y0, y1, max(2, c.Height/45)) {
		_, at := place(x0, y)
		v.YTicks = append(v.YTicks, tick{At: inPercent(at), Text: short(y)})
		v.Left = max(v.Left, utf8.RuneCountInString(short(y)))
	}
	along := Ticks(x0, x1, 9)
	if c.Log {
		along = logTicks(x0, x1)
	}
	for i, x := range along {
		at, _ := place(x, y0)
		t := tick{At: inPercent(at), Text: c.along(x), More: (len(along)-1-i)%3 != 0}
		if i == len(along)-1 {
			t.Text = c.X + " " + t.Text
		}
		if at > 0.96*unit {
			t.Edge = "last"
		}
		v.XTicks = append(v.XTicks, t)
	}
	named := 0
	for _, l := range c.Lines {
		if l.Dots {
			for i := range l.X {
				if x, y := place(l.X[i], l.Y[i]); finite(l.Y[i]) {
					v.Dots = append(v.Dots, dot{inPercent(x), inPercent(y), l.Slot})
				}
			}
		}
		if d := l.path(place); d != "" {
			v.Paths = append(v.Paths, path{d, l.Slot, l.Faint})
		}
		if !l.Faint {
			named++
		}
	}
	if named > 1 {
		v.Ends, v.Right = c.ends(place)
	}
	v.Lost = c.lost()
	v.Head, v.Rows = c.table()
	v.Says = c.says()
	return v
}

// along is a value of the axis X in words.
func (c Chart) along(x float64) string {
	if c.Log {
		return counted(x)
	}
	return short(x)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func inPercent(thousandths float64) string { return fmt.Sprintf("%.2f%%", thousandths/10) }

// ranges are those of the axes; of no value at all x0 is above x1.
func (c Chart) ranges() (x0, x1, y0, y1 float64) {
	x0, x1, y0, y1 = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range c.Lines {
		for i, y := range l.Y {
			if finite(y) {
				x0, x1 = min(x0, l.X[i]), max(x1, l.X[i])
				y0, y1 = min(y0, y), max(y1, y)
			}
		}
	}
	pad := 0.04 * max(y1-y0, 1e-3*math.Abs(y1), 1e-9)
	if c.Zero {
		return x0, x1, min(y0, 0), y1 + pad
	}
	if y0 >= 0 {
		return x0, x1, max(y0-pad, 0), y1 + pad
	}
	return x0, x1, y0 - pad, y1 + pad
}

// columns is how many places a line has along the axis; of more values each place
// shows the least and the greatest.
const columns = 500

// path draws a line: of the values that share a column the first of the least and the
// greatest, then the other, so that no spike is lost.
func (l Line) path(place func(x, y float64) (float64, float64)) string {
	if len(l.X) == 0 {
		return ""
	}
	var b strings.Builder
	pen := 'M'
	draw := func(i int) {
		x, y := place(l.X[i], l.Y[i])
		fmt.Fprintf(&b, "%c%.1f %.1f", pen, x, y)
		pen = 'L'
	}
	width := max(1, (len(l.X)+columns-1)/columns)
	if width < 3 {
		width = 1
	}
	for from := 0; from < len(l.X); from += width {
		least, most := -1, -1
		for i := from; i < min(from+width, len(l.X)); i++ {
			if !finite(l.Y[i]) {
				pen = 'M' // a gap
				continue
			}
			if least < 0 || l.Y[i] < l.Y[least] {
				least = i
			}
			if most < 0 || l.Y[i] > l.Y[most] {
				most = i
			}
		}
		if least < 0 {
			continue
		}
		draw(min(least, most))
		if least != most {
			draw(max(least, most))
		}
	}
	return b.String()
}

// ends are the names of the lines where they end, apart from one another, and the room
// that they take.
func (c Chart) ends(place func(x, y float64) (float64, float64)) ([]tick, int) {
	type end struct {
		at   float64
		line Line
	}
	var ends []end
	room := 0
	for _, l := range c.Lines {
		i := len(l.Y) - 1
		for i >= 0 && !finite(l.Y[i]) {
			i--
		}
		if l.Faint || i < 0 {
			continue
		}
		_, at := place(l.X[i], l.Y[i])
		ends = append(ends, end{at, l})
		room = max(room, utf8.RuneCountInString(l.Name))
	}
	slices.SortStableFunc(ends, func(a, b end) int { return int(math.Copysign(1, a.at-b.at)) })
	apart := unit * 16 / float64(c.Height)
	for i := 1; i < len(ends); i++ {
		ends[i].at = max(ends[i].at, ends[i-1].at+apart)
	}
	for i := len(ends) - 1; i >= 0; i-- {
		highest := unit - apart*float64(len(ends)-1-i)
		ends[i].at = min(ends[i].at, highest)
	}
	var names []tick
	for _, e := range ends {
		names = append(names, tick{At: inPercent(e.at), Text: e.line.Name, Slot: e.line.Slot})
	}
	return names, min(room, 24)
}

// lost says which values are no number.
func (c Chart) lost() string {
	n, first := 0, math.Inf(1)
	for _, l := range c.Lines {
		for i, y := range l.Y {
			if !finite(y) {
				n++
				first = min(first, l.X[i])
			}
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("1 value is no number, at %s %s", c.X, short(first))
	}
	return fmt.Sprintf("%d values are no number, the first at %s %s", n, c.X, short(first))
}

// tableRows is how many rows a chart's table has at most.
const tableRows = 20

// table is the values of the lines that have a name, at evenly spread places of the
// first.
func (c Chart) table() (head []string, rows [][]string) {
	head = []string{c.X}
	var lines []Line
	for _, l := range c.Lines {
		if !l.Faint && len(l.X) > 0 {
			lines = append(lines, l)
			name := l.Name
			if name == "" {
				name = c.Title
			}
			head = append(head, name)
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	if !slices.ContainsFunc(lines, func(l Line) bool { return !l.Dots }) {
		return head, c.points(lines)
	}
	first := lines[0]
	n := min(len(first.X), tableRows)
	for k := range n {
		i := k
		if n > 1 {
			i = k * (len(first.X) - 1) / (n - 1)
		}
		row := []string{short(first.X[i])}
		for _, l := range lines {
			// The last value up to here, as a course has it.
			j, found := slices.BinarySearch(l.X, first.X[i])
			if !found {
				j--
			}
			if j < 0 {
				row = append(row, "")
				continue
			}
			row = append(row, short(l.Y[j]))
		}
		rows = append(rows, row)
	}
	return head, rows
}

// points are the rows of single values: one for each place that any has.
func (c Chart) points(lines []Line) (rows [][]string) {
	var places []float64
	for _, l := range lines {
		places = append(places, l.X...)
	}
	slices.Sort(places)
	for _, x := range slices.Compact(places) {
		row := []string{c.along(x)}
		for _, l := range lines {
			text := ""
			if i := slices.Index(l.X, x); i >= 0 {
				text = short(l.Y[i])
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return rows
}

// says is the chart in a sentence, for a screen reader.
func (c Chart) says() string {
	var parts []string
	for _, l := range c.Lines {
		if l.Faint || len(l.X) == 0 {
			continue
		}
		last := len(l.X) - 1
		name := ""
		if l.Name != "" {
			name = l.Name + " "
		}
		if last == 0 {
			parts = append(parts, fmt.Sprintf("%s%s at %s %s", name, short(l.Y[0]), c.X, c.along(l.X[0])))
			continue
		}
		parts = append(parts, fmt.Sprintf("%sfrom %s at %s %s to %s at %s %s", name, short(l.Y[0]), c.X, short(l.X[0]), short(l.Y[last]), c.X, short(l.X[last])))
	}
	title := c.Title
	if c.Unit != "" {
		title += " in " + c.Unit
	}
	return title + ": " + strings.Join(parts, "; ")
}

// Ticks are the round values between low and high: about n multiples, at most n+1, of 1,
// 2 or 5 times a power of ten.
func Ticks(low, high float64, n int) []float64 {
	if !(high > low) {
		return []float64{low}
	}
	raw := (high - low) / float64(n)
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{2, 2.5, 2} { // 2, 5, 10
		if step < raw*(1-1e-9) {
			step *= factor
		}
	}
	var values []float64
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		values = append(values, i*step+0) // −0 + 0 is 0
	}
	return values
}

// logTicks are 1, 2 and 5 times the powers of ten between low and high, or more of them where there
// are fewer than two.
func logTicks(low, high float64) (values []float64) {
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for _, factor := range []float64{1, 2, 5} {
			if v := factor * math.Pow(10, e); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				values = append(values, v)
			}
		}
	}
	if len(values) < 2 {
		return Ticks(low, high, 4)
	}
	return values
}
