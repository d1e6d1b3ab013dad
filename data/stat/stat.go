// Package stat sums up attribute files: how the scores and lengths of every
// attribute are distributed.
package stat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"olmo/data"
	"olmo/data/store"
)

// Config says what Run does. Compat puts each file's values into bins before the
// files are added up, as Dolma 1.2.1 does.
type Config struct {
	// Attributes are files, folders and Python globs of attribute files.
	Attributes []string `yaml:"attributes" help:"attribute files, folders or globs"`
	// Report is the folder for summaries.jsonl.gz; empty: none is written.
	Report string `yaml:"report,omitempty" help:"folder for summaries.jsonl.gz"`
	// Bins is the most bins a summary has.
	Bins int `yaml:"bins" limits:"1.." help:"most bins of a summary"`
	// Regex selects attributes by name; empty: all.
	Regex string `yaml:"regex,omitempty" help:"only attributes whose name matches"`

	data.Execution `yaml:",inline"`
}

// Summary is the distribution of one attribute's scores or lengths.
type Summary struct {
	// Name is the attribute's name, then /score or /length.
	Name string `json:"name"`
	// Counts has the number of values in each bin.
	Counts []int64 `json:"counts"`
	// Bins has the edges of the bins, one more than there are bins.
	Bins []float64 `json:"bins"`
	// Total is the number of values, Sum their sum.
	Total int64   `json:"total"`
	Sum   float64 `json:"sum"`
}

// Run reads attribute files and sums up each attribute, in the order in which
// they first appear. Rows that cannot be read go to the rejects; it is an error when
// no attribute is left.
func Run(ctx context.Context, cfg Config) ([]Summary, error) {
	if cfg.Bins < 1 {
		return nil, fmt.Errorf("%d bins are too few\nhint: the default is 1000", cfg.Bins)
	}
	var choose *regexp.Regexp
	if cfg.Regex != "" {
		var err error
		if choose, err = regexp.Compile(cfg.Regex); err != nil {
			return nil, fmt.Errorf("the regex for attributes: %w", err)
		}
	}
	plan, err := cfg.plan()
	if err != nil {
		return nil, err
	}
	r := &run{Config: cfg, choose: choose, unit: plan.Units[0]}
	if r.stage, err = data.Begin(plan, cfg.Execution); err != nil {
		return nil, err
	}
	defer r.stage.Close()
	files := r.unit.Inputs
	r.stage.Progress.AddFiles(files)
	pool := data.NewPool(cfg.Processes)
	perFile := make([]*trackers, len(files))
	err = pool.EachFile(ctx, files, func(ctx context.Context, i int, _ string) (err error) {
		perFile[i], err = r.file(ctx, pool, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := r.summaries(perFile)
	if len(out) == 0 {
		return nil, r.stage.Nothing(fmt.Sprintf("no attribute was found in %d rows", r.stage.Progress.Documents.Load()), "")
	}
	if err := r.write(out); err != nil {
		return nil, err
	}
	if err := r.stage.Finish(r.unit, nil); err != nil {
		return nil, err
	}
	return out, r.stage.Commit()
}

// plan says what the run reads and writes. It has no record: the summaries are
// shown each time, and for that the files are read.
func (c *Config) plan() (data.Plan, error) {
	files, missing, err := data.ExpandGlobs(c.Attributes)
	if err != nil {
		return data.Plan{}, err
	}
	if len(files) == 0 {
		return data.Plan{}, fmt.Errorf("no attribute files match %s", strings.Join(c.Attributes, " "))
	}
	for _, m := range missing {
		c.Logf("warning: no attribute files match %s", m)
	}
	u := &data.Unit{Key: "stat", Inputs: files}
	for _, f := range files {
		u.Rejects = append(u.Rejects, data.RejectsPath(f, "stat"))
	}
	plan := data.Plan{Stage: "stat", Units: []*data.Unit{u}}
	if c.Report != "" {
		u.Outputs = []string{store.Join(c.Report, "summaries.jsonl.gz")}
		plan.Locks = u.Outputs
	}
	return plan, nil
}

// run is the state of one Run.
type run struct {
	Config
	choose *regexp.Regexp // nil: all attributes
	stage  *data.Stage
	unit   *data.Unit
}

// file sums up one file.
func (r *run) file(ctx context.Context, pool *data.Pool, i int) (*trackers, error) {
	p := r.stage.Progress
	in, err := r.stage.Open(r.unit.Inputs[i], p)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	rej := r.stage.Rejects(r.unit, r.unit.Rejects[i])
	defer rej.Abort()
	sum := newTrackers()
	err = data.MapLines(ctx, pool, in, rej, r.batch, func(part *trackers) error {
		for _, name := range part.names {
			sum.get(name).merge(part.m[name])
		}
		p.Documents.Add(part.rows)
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.FilesDone.Add(1)
	return sum, rej.Close()
}

// batch sums up some rows.
func (r *run) batch(b *data.Batch) (*trackers, error) {
	part := newTrackers()
	chosen := map[string]bool{}
	var row data.AttributeRow
	for _, line := range b.Lines {
		if err := data.ParseAttributes(line.Bytes, &row); err != nil {
			b.Reject(line, fmt.Errorf("not a row of attributes: %w", err))
			continue
		}
		part.rows++
		for _, a := range row.Attributes {
			ok, known := chosen[a.Name]
			if !known {
				ok = r.choose == nil || r.choose.MatchString(a.Name)
				chosen[a.Name] = ok
			}
			if ok {
				part.add(a)
			}
		}
	}
	return part, nil
}

// summaries adds the files up.
func (r *run) summaries(perFile []*trackers) []Summary {
	all := newTrackers()
	for _, t := range perFile {
		for _, name := range t.names {
			if r.Compat {
				all.get(name).addSummary(t.m[name].summarize(name, r.Bins))
			} else {
				all.get(name).merge(t.m[name])
			}
		}
	}
	out := make([]Summary, 0, len(all.names))
	for _, name := range all.names {
		out = append(out, all.m[name].summarize(name, r.Bins))
	}
	return out
}

// write writes the report, if one is asked for.
func (r *run) write(summaries []Summary) error {
	if len(r.unit.Outputs) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, s := range summaries {
		if err := enc.Encode(s); err != nil {
			return fmt.Errorf("summary of %s: %w", s.Name, err)
		}
	}
	w, err := r.stage.Create(r.unit, r.unit.Outputs[0], data.Gzip)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	return w.Close()
}

// trackers are the counts of several attributes, in the order they came.
type trackers struct {
	names []string
	m     map[string]*tracker
	rows  int64
}

func newTrackers() *trackers { return &trackers{m: map[string]*tracker{}} }

func (t *trackers) get(name string) *tracker {
	k, ok := t.m[name]
	if !ok {
		k = &tracker{bins: map[bin]int64{}}
		t.m[name] = k
		t.names = append(t.names, name)
	}
	return k
}

func (t *trackers) add(a data.Attribute) {
	score, length := t.get(a.Name+"/score"), t.get(a.Name+"/length")
	if len(a.Spans) == 0 { // an empty attribute counts as zero
		score.add(0)
		length.add(0)
	}
	for _, s := range a.Spans {
		v := s.Score
		if strings.Contains(a.Name, "__label__") {
			v = min(v, 1) // fastText gives probabilities slightly above 1
		}
		score.add(v)
		length.add(float64(s.End - s.Start))
	}
}

// precision is the number of bins between two powers of two, twice over.
const precision = 1e5

// bin holds the values whose fraction, times precision, has this floor, and
// this exponent, in the sense of math.Frexp.
//
// Dolma 1.2.1, python/dolma/core/binning.py, FixedBucketsValTracker.
type bin struct {
	fraction int32
	exponent int32
}

func (b bin) value() float64 { return math.Ldexp(float64(b.fraction)/precision, int(b.exponent)) }

type tracker struct {
	bins  map[bin]int64
	total int64
	sum   float64
}

func binOf(v float64) bin {
	m, e := math.Frexp(v)
	return bin{int32(math.Floor(m * precision)), int32(e)}
}

func (t *tracker) add(v float64) {
	t.bins[binOf(v)]++
	t.total++
	t.sum += v
}

func (t *tracker) merge(o *tracker) {
	for b, n := range o.bins {
		t.bins[b] += n
	}
	t.total += o.total
	t.sum += o.sum
}

// addSummary adds a summary's bins at their lower edges, as Dolma does.
func (t *tracker) addSummary(s Summary) {
	for i, n := range s.Counts {
		t.bins[binOf(s.Bins[i])] += n
	}
	t.total += s.Total
	t.sum += s.Sum
}

// summarize gives the bins as they are, or at most n of equal width.
func (t *tracker) summarize(name string, n int) Summary {
	s := Summary{Name: name, Total: t.total, Sum: t.sum}
	keys := make([]bin, 0, len(t.bins))
	for b := range t.bins {
		keys = append(keys, b)
	}
	slices.SortFunc(keys, func(a, b bin) int {
		switch x, y := a.value(), b.value(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return int(a.exponent - b.exponent)
	})
	values := make([]float64, len(keys))
	for i, b := range keys {
		values[i] = b.value()
	}
	last := values[len(values)-1]
	if len(keys) <= n {
		for _, b := range keys {
			s.Counts = append(s.Counts, t.bins[b])
		}
		m, e := math.Frexp(last)
		s.Bins = append(values, math.Ldexp((math.Floor(m*precision)+1)/precision, e))
		return s
	}
	s.Bins, s.Counts = edges(values[0], last, n), make([]int64, n)
	width := s.Bins[n] - s.Bins[0]
	for i, v := range values {
		at := min(int((v-s.Bins[0])/width*float64(n)), n-1)
		// The division may be off by one unit in the last place at an edge.
		if v < s.Bins[at] {
			at--
		} else if at < n-1 && v >= s.Bins[at+1] {
			at++
		}
		s.Counts[at] += t.bins[keys[i]]
	}
	return s
}

// edges are n+1 points evenly spaced from first to last, as numpy's linspace
// computes them; a single point is widened by a half on both sides.
func edges(first, last float64, n int) []float64 {
	if first == last {
		first, last = first-0.5, last+0.5
	}
	out := make([]float64, n+1)
	step := (last - first) / float64(n)
	for i := range out {
		out[i] = float64(float64(i)*step) + first
	}
	out[n] = last
	return out
}

// Quantile is the value below which a share q of the values lies, as far as the bins
// tell: within one the values count as evenly spread. NaN without values.
func (s Summary) Quantile(q float64) float64 {
	var all int64
	for _, c := range s.Counts {
		all += c
	}
	if all == 0 {
		return math.NaN()
	}
	want, seen := q*float64(all), 0.0
	for i, c := range s.Counts {
		n := float64(c)
		if seen+n >= want && c > 0 {
			low, high := s.Bins[i], s.Bins[i+1]
			return low + float64((high-low)*max(0, want-seen)/n)
		}
		seen += n
	}
	return s.Bins[len(s.Bins)-1]
}

// Mean is NaN without values.
func (s Summary) Mean() float64 { return s.Sum / float64(s.Total) }

// Spread gives a summary in at most n bins of equal width, for a picture. The few values far
// out, one in a hundred on each side, are in the first and the last bin, which are as
// wide as it takes.
func (s Summary) Spread(n int) Summary {
	if len(s.Counts) <= n {
		return s
	}
	low, high := s.Quantile(0.01), s.Quantile(0.99)
	out := s
	out.Bins, out.Counts = s.Bins[:1:1], nil
	var inBin int64
	k := 1 // the edge that comes next
	edge := func() float64 { return low + float64((high-low)*float64(k)/float64(n)) }
	for i, c := range s.Counts {
		inBin += c
		end := s.Bins[i+1]
		if i < len(s.Counts)-1 && (k == n || end < edge()) {
			continue
		}
		out.Bins, out.Counts = append(out.Bins, end), append(out.Counts, inBin)
		inBin = 0
		for k < n && edge() <= end {
			k++
		}
	}
	return out
}
