package dedupe

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
	"github.com/clipperhouse/uax29/v2/words"

	"olmo/data"
	"olmo/page"
)

// Decontamination says which evaluation instances are looked for in a corpus,
// and how: by n-grams of words, normalised as for MinHash.
//
// Brown et al. 2020 (GPT-3, appendix C) with the parameters of datatrove 0.10.1
// (pipeline/decont/n_grams.py). datatrove tells one n-gram and one task of a
// document; here every instance is counted, and which documents hold it.
type Decontamination struct {
	Documents     []string `yaml:"documents" json:"documents" help:"documents files, folders or globs"`
	Evaluations   []string `yaml:"evaluations" json:"evaluations" help:"JSONL files, folders or globs of evaluation instances"`
	AttributeName string   `yaml:"attribute_name" json:"attribute_name" help:"name of the attribute and its folder"`
	NGrams        int      `yaml:"n_grams" limits:"1..1000" json:"n_grams" help:"words in an n-gram"`
	// An n-gram lies in the label (the right answer), or crosses from the query
	// (the prompt) into it, or lies in the query.
	FindQueryNGrams   bool `yaml:"find_query_ngrams" json:"find_query_ngrams" help:"look for n-grams of the query alone too"`
	FindOverlapNGrams bool `yaml:"find_overlap_ngrams" json:"find_overlap_ngrams" help:"look for n-grams that hold the end of the query and the start of the label"`
	// MinShare leaves out an instance of whose n-grams a document holds less.
	MinShare float64 `yaml:"min_share" limits:"0..1" json:"min_share" help:"smallest share of an instance's n-grams that counts"`
	// QueryKeys and LabelKeys name the fields of an instance; the first that is
	// there counts. A label may be a number or a letter that chooses among the
	// field choices, options or endings. A row with neither is searched for by
	// its text.
	QueryKeys      []string `yaml:"query_keys" json:"query_keys" help:"fields that may hold an instance's query"`
	LabelKeys      []string `yaml:"label_keys" json:"label_keys" help:"fields that may hold the right answer"`
	data.Execution `yaml:",inline" json:"-"`
	Compression    Compression `yaml:"compression" json:"compression"`
}

// SetDefaults sets datatrove's defaults.
func (d *Decontamination) SetDefaults() {
	d.Processes = 1
	d.NGrams, d.FindOverlapNGrams, d.AttributeName = 12, true, "contaminated"
	d.QueryKeys = []string{"query", "question", "prompt", "context", "input", "goal", "sentence", "instruction"}
	d.LabelKeys = []string{"label", "answer", "gold_text", "continuation", "completion", "target", "output", "response", "answers"}
}

func (d *Decontamination) check() error {
	switch {
	case len(d.Documents) == 0:
		return errors.New("no documents are named\nhint: set documents")
	case len(d.Evaluations) == 0:
		return errors.New("no evaluation instances are named\nhint: set evaluations to JSONL files with query and label, or text")
	case d.NGrams < 2:
		return fmt.Errorf("n_grams is %d, want 2 or more\nhint: datatrove takes 12, GPT-3 13", d.NGrams)
	case d.AttributeName == "":
		return errors.New("the attribute_name is not set")
	case d.MinShare < 0 || d.MinShare > 1:
		return fmt.Errorf("min_share is %g, want a share between 0 and 1", d.MinShare)
	}
	return nil
}

// Contamination is what a decontamination found.
type Contamination struct {
	Documents    int64 `json:"documents"`
	Contaminated int64 `json:"contaminated"` // documents that hold an instance
	Rejected     int64 `json:"rejected"`
	Characters   int64 `json:"characters"` // code points marked
	NGrams       int   `json:"n_grams"`
	// Instances is the number of evaluation instances; TooShort of them have no
	// n-gram and cannot be found.
	Instances int         `json:"instances"`
	TooShort  int         `json:"too_short"`
	Found     int         `json:"found"`
	Tasks     []TaskFound `json:"tasks"`
	// Matches are the instances that were found, those of which most was found
	// first.
	Matches     []Match `json:"matches"`
	AlreadyDone bool    `json:"already_done"` // the figures are an earlier run's
}

// TaskFound sums up one task, which is a file of instances or what their field
// task says.
type TaskFound struct {
	Task      string `json:"task"`
	Instances int    `json:"instances"`
	TooShort  int    `json:"too_short"`
	Found     int    `json:"found"`
}

// Match is an evaluation instance that the corpus holds.
type Match struct {
	Task      string `json:"task"`
	Instance  string `json:"instance"` // its id, or its line
	Query     string `json:"query,omitempty"`
	Label     string `json:"label,omitempty"`
	Documents int    `json:"documents"` // that hold some of it
	// Share is the largest share of its n-grams in one document.
	Share  float64        `json:"share"`
	Places []MatchedPlace `json:"places"` // the first few documents with most of it
}

// MatchedPlace is where a document holds an instance.
type MatchedPlace struct {
	File     string  `json:"file"`
	Document string  `json:"document"` // its id
	Share    float64 `json:"share"`
	Start    int     `json:"start"` // code points, of the first piece
	End      int     `json:"end"`
	Text     string  `json:"text"` // the piece
	Before   string  `json:"before,omitempty"`
	After    string  `json:"after,omitempty"`
}

const (
	maxPlaces    = 3
	maxExcerpt   = 400 // code points of a query, a label or a piece in the report
	contextRunes = 80
)

// evalInstance is an instance while the corpus is searched.
type evalInstance struct {
	Match
	ngrams int
}

// evalIndex finds the instances that hold an n-gram.
type evalIndex struct {
	n         int
	instances []evalInstance
	ngrams    map[uint64][]int32
}

// gramHash hashes an n-gram of hashed words.
func gramHash(words []uint64) uint64 {
	h := uint64(len(words))
	for _, w := range words {
		h = (h ^ w) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	return h
}

func hashWords(dst []uint64, text string) []uint64 {
	for it := words.FromString(text); it.Next(); {
		if h, ok := wordHash(it.Value()); ok {
			dst = append(dst, h)
		}
	}
	return dst
}

// gramWalk goes through the n-grams of texts, whatever their number of words, in the memory for
// a few thousand.
type gramWalk struct {
	hashes []uint64 // of the last words, of all where there are fewer than an n-gram has
	starts []int32  // and where they begin, in bytes
}

// gramWords is how many words are kept beside those of an n-gram.
const gramWords = 4 << 10

// each calls f for each n-gram of the words of a text: its hash, the number of its first word, and
// the bytes at which it begins and ends. It returns the number of words.
func (g *gramWalk) each(text string, n int, f func(hash uint64, word, start, end int)) (count int) {
	g.hashes, g.starts = g.hashes[:0], g.starts[:0]
	at := 0
	for it := words.FromString(text); it.Next(); {
		w := it.Value()
		start := at
		at += len(w)
		h, ok := wordHash(w)
		if !ok {
			continue
		}
		if k := len(g.hashes); k == n+gramWords {
			g.hashes = g.hashes[:copy(g.hashes, g.hashes[k-n+1:])]
			g.starts = g.starts[:copy(g.starts, g.starts[k-n+1:])]
		}
		g.hashes, g.starts = append(g.hashes, h), append(g.starts, int32(start))
		count++
		if first := len(g.hashes) - n; first >= 0 {
			f(gramHash(g.hashes[first:]), count-n, int(g.starts[first]), at)
		}
	}
	return count
}

// add takes the n-grams of an instance as datatrove's compute_hashes does.
func (x *evalIndex) add(d *Decontamination, m Match, query, label string) {
	q, l := hashWords(nil, query), hashWords(nil, label)
	found := map[uint64]bool{}
	add := func(words []uint64) {
		for i := 0; i+x.n <= len(words); i++ {
			found[gramHash(words[i:i+x.n])] = true
		}
	}
	add(l)
	if d.FindQueryNGrams {
		add(q)
	}
	if d.FindOverlapNGrams && len(q) > 0 && len(l) > 0 {
		tail, head := q[max(0, len(q)-x.n+1):], l[:min(len(l), x.n-1)]
		add(slices.Concat(tail, head))
	}
	i := int32(len(x.instances))
	m.Query, m.Label = data.Excerpt(query, maxExcerpt), data.Excerpt(label, maxExcerpt)
	x.instances = append(x.instances, evalInstance{m, len(found)})
	for h := range found {
		x.ngrams[h] = append(x.ngrams[h], i)
	}
}

// readInstances reads all evaluation files.
func (d *Decontamination) readInstances(files []string, stage *data.Stage) (*evalIndex, error) {
	x := &evalIndex{n: d.NGrams, ngrams: map[uint64][]int32{}}
	for _, file := range files {
		if err := x.readFile(d, file, stage); err != nil {
			return nil, err
		}
	}
	if len(x.instances) == 0 {
		return nil, fmt.Errorf("there are no evaluation instances in %s", strings.Join(files, " "))
	}
	return x, nil
}

func (x *evalIndex) readFile(d *Decontamination, file string, stage *data.Stage) error {
	r, err := stage.Open(file, nil)
	if err != nil {
		return fmt.Errorf("reading evaluation instances: %w", err)
	}
	defer r.Close()
	task := filepath.Base(file)
	if i := strings.Index(task, "."); i > 0 {
		task = task[:i]
	}
	for {
		line, err := r.NextLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading evaluation instances: %w", err)
		}
		var row map[string]any
		if err := json.Unmarshal(line.Bytes, &row); err != nil {
			return fmt.Errorf("reading evaluation instances: %w", r.BadLine(line, err))
		}
		m := Match{Task: task, Instance: strconv.FormatInt(line.Number, 10)}
		if s, ok := row["task"].(string); ok && s != "" {
			m.Task = s
		}
		for _, key := range []string{"id", "doc_id", "idx"} {
			if v, ok := row[key]; ok {
				m.Instance = fmt.Sprint(v)
				break
			}
		}
		query, label := stringOf(row, d.QueryKeys, nil), stringOf(row, d.LabelKeys, choicesOf(row))
		if gold, ok := row["gold"].(bool); ok && !gold {
			continue // a wrong continuation, in a file of requests
		}
		if query == "" && label == "" {
			if label, _ = row["text"].(string); label == "" {
				return fmt.Errorf("reading evaluation instances: %w", r.BadLine(line, fmt.Errorf("there is neither a query (%s) nor a label (%s) nor text\nhint: name the fields with query_keys and label_keys", strings.Join(d.QueryKeys, ", "), strings.Join(d.LabelKeys, ", "))))
			}
		}
		x.add(d, m, query, label)
	}
}

// choicesOf lists the answers that a label may choose from.
func choicesOf(row map[string]any) (out []string) {
	for _, key := range []string{"choices", "options", "endings"} {
		v := row[key]
		if m, ok := v.(map[string]any); ok { // as ARC's
			v = m["text"]
		}
		list, _ := v.([]any)
		for _, c := range list {
			s, ok := c.(string)
			if !ok {
				return nil
			}
			out = append(out, s)
		}
		if out != nil {
			return out
		}
	}
	return nil
}

// stringOf is the first of the fields that is there, as text.
func stringOf(row map[string]any, keys, choices []string) string {
	for _, key := range keys {
		switch v := row[key].(type) {
		case string:
			if len(choices) > 0 && len(v) == 1 && v[0] >= 'A' && int(v[0]-'A') < len(choices) {
				return choices[v[0]-'A']
			}
			return v
		case float64:
			if i := int(v); len(choices) > 0 && i >= 0 && i < len(choices) && float64(i) == v {
				return choices[i]
			}
			return strconv.FormatFloat(v, 'g', -1, 64)
		case []any:
			if len(v) > 0 {
				if s, ok := v[0].(string); ok {
					return s
				}
			}
		}
	}
	return ""
}

// contaminatedRow is what a worker finds in a document.
type contaminatedRow struct {
	id    string
	spans []data.Span
	found []foundInstance
}

type foundInstance struct {
	instance int32
	place    MatchedPlace
}

// search looks for the instances in a text.
func (x *evalIndex) search(text string, minShare float64, g *gramWalk) (row contaminatedRow) {
	// Distinct n-grams of each instance, in the order in which they are met.
	type gram struct {
		instance int32
		hash     uint64
	}
	var seen map[gram]bool
	counts := map[int32]int{}
	var order []int32
	g.each(text, x.n, func(hash uint64, _, _, _ int) {
		for _, i := range x.ngrams[hash] {
			if seen == nil {
				seen = map[gram]bool{}
			}
			if g := (gram{i, hash}); !seen[g] {
				seen[g] = true
				if counts[i]++; counts[i] == 1 {
					order = append(order, i)
				}
			}
		}
	})
	if len(order) == 0 {
		return row
	}
	share := func(i int32) float64 { return float64(counts[i]) / float64(x.instances[i].ngrams) }
	chars := runeCounter{text: text}
	firstSpan := map[int32]int{}
	lastWord := -1
	// Again, as a text of one word may have millions of places.
	g.each(text, x.n, func(hash uint64, word, start, end int) {
		list := x.ngrams[hash]
		if list == nil {
			return
		}
		score := 0.0
		for _, i := range list {
			score = max(score, share(i))
		}
		if score < minShare {
			return
		}
		if n := len(row.spans); n > 0 && word <= lastWord+1 {
			row.spans[n-1].End = end
			row.spans[n-1].Score = max(row.spans[n-1].Score, score)
		} else {
			row.spans = append(row.spans, data.Span{Start: start, End: end, Score: score})
		}
		lastWord = word + x.n - 1
		for _, i := range list {
			if _, ok := firstSpan[i]; !ok {
				firstSpan[i] = len(row.spans) - 1
			}
		}
	})
	pieces := slices.Clone(row.spans) // in bytes
	for i, s := range row.spans {
		row.spans[i].Start, row.spans[i].End = chars.to(s.Start), chars.to(s.End)
	}
	for _, i := range order {
		if share(i) < minShare {
			continue
		}
		k := firstSpan[i]
		s := pieces[k]
		row.found = append(row.found, foundInstance{i, MatchedPlace{
			Share: share(i), Start: row.spans[k].Start, End: row.spans[k].End,
			Text: data.Excerpt(text[s.Start:s.End], maxExcerpt), Before: lastRunes(text[:s.Start], contextRunes), After: data.Excerpt(text[s.End:], contextRunes),
		}})
	}
	return row
}

// runeCounter turns ascending places in bytes into code points.
type runeCounter struct {
	text         string
	bytes, runes int
}

func (c *runeCounter) to(bytes int) int {
	if bytes < c.bytes { // spans may touch the same word
		c.bytes, c.runes = 0, 0
	}
	c.runes += codePoints(c.text[c.bytes:bytes])
	c.bytes = bytes
	return c.runes
}

// lastRunes is the end of s, so many code points of it.
func lastRunes(s string, most int) string {
	i := len(s)
	for range most {
		if i == 0 {
			return s
		}
		_, n := utf8.DecodeLastRuneInString(s[:i])
		i -= n
	}
	return "… " + s[i:]
}

// Decontaminate marks in a corpus what evaluation instances say, in an
// attributes file beside each documents file: one [start, end, score] for each
// piece, in code points; the score is the largest share of an instance's
// n-grams that the document holds.
func Decontaminate(ctx context.Context, d Decontamination) (Contamination, error) {
	if err := d.check(); err != nil {
		return Contamination{}, err
	}
	if d.Progress == nil {
		d.Progress = new(data.Progress)
	}
	cfg := Config{
		Documents: d.Documents, Execution: d.Execution, Compression: d.Compression,
		Dedupe: Settings{Name: d.AttributeName, DocumentDir: "documents", NumPartitions: 1},
	}
	r := run{cfg: &cfg, pool: data.NewPool(d.Processes)}
	plan, evaluations, err := d.plan(&r)
	if err != nil {
		return Contamination{}, err
	}
	if r.stage, err = data.Begin(plan, d.Execution); err != nil {
		return Contamination{}, err
	}
	defer r.stage.Close()
	if text, ok := r.stage.Done(r.whole); ok && r.stage.AllDone() {
		var report Contamination
		if err := json.Unmarshal(text, &report); err == nil {
			report.AlreadyDone = true
			return report, r.stage.Commit()
		}
	}
	r.again()
	x, err := d.readInstances(evaluations, r.stage)
	if err != nil {
		return Contamination{}, err
	}
	d.Logf("decontaminate: %d instances, %d n-grams of %d words", len(x.instances), len(x.ngrams), x.n)
	report, err := d.mark(ctx, &r, x)
	if err != nil {
		return report, err
	}
	switch {
	case report.TooShort == report.Instances:
		return report, r.stage.Nothing(fmt.Sprintf("no key was looked up: all %d instances have fewer than %d words", report.Instances, d.NGrams), "a smaller n_grams, or find_query_ngrams")
	case report.Documents == 0 && report.Rejected > 0:
		return report, r.stage.Nothing("the files hold no document but bad lines", "")
	}
	for _, doc := range r.documents {
		if err := r.stage.Finish(doc.unit, nil); err != nil {
			return report, err
		}
	}
	if err := r.stage.Finish(r.whole, report); err != nil {
		return report, err
	}
	return report, r.stage.Commit()
}

// plan says what the run reads and writes. The report is one of the whole corpus,
// so all files are done together.
func (d *Decontamination) plan(r *run) (plan data.Plan, evaluations []string, err error) {
	expand := func(patterns []string) ([]string, error) {
		files, missing, err := data.ExpandGlobs(patterns)
		for _, m := range missing {
			d.Logf("no file matches %s", m)
		}
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("nothing matches %s", strings.Join(patterns, " "))
		}
		return files, err
	}
	if r.files, err = expand(d.Documents); err != nil {
		return plan, nil, err
	}
	if evaluations, err = expand(d.Evaluations); err != nil {
		return plan, nil, err
	}
	folder, _, err := r.cfg.attributeFolder(r.files[0])
	if err != nil {
		return plan, nil, err
	}
	record := folder + ".run.json" // beside the folder, out of the way of globs
	plan.Stage = "decontaminate"
	if r.documents, err = r.cfg.units(&plan, record, r.files, nil); err != nil {
		return plan, nil, err
	}
	set := struct {
		Decontamination
		Files []string
	}{Decontamination: *d}
	set.Documents, set.Evaluations = nil, nil
	for _, doc := range r.documents {
		set.Files = append(set.Files, doc.unit.Key)
	}
	plan.Settings = set
	r.whole = &data.Unit{Record: record, Key: "run", Inputs: evaluations, Together: true}
	plan.Units = append(plan.Units, r.whole)
	return plan, evaluations, nil
}

// mark writes the attributes and gathers what was found.
func (d *Decontamination) mark(ctx context.Context, r *run, x *evalIndex) (Contamination, error) {
	d.Progress.AddFiles(r.files)
	report := Contamination{NGrams: d.NGrams}
	work := func(b *docBatch) ([]contaminatedRow, error) {
		rows := make([]contaminatedRow, 0, len(b.Lines))
		var g gramWalk
		b.each(func(doc *data.Document) {
			row := x.search(doc.Text, d.MinShare, &g)
			row.id = doc.ID
			rows = append(rows, row)
		})
		return rows, nil
	}
	name := append(data.AppendString(nil, d.AttributeName), ':')
	err := writeRows(ctx, r, work, func(dst []byte, rows []contaminatedRow) ([]byte, error) {
		for _, row := range rows {
			report.Documents++
			dst = append(dst, `{"attributes":{`...)
			if len(row.spans) > 0 {
				report.Contaminated++
				dst = append(dst, name...)
				dst = data.AppendSpans(dst, row.spans)
				for _, s := range row.spans {
					report.Characters += int64(s.End - s.Start)
				}
			}
			dst = append(dst, `},"id":`...)
			dst = data.AppendString(dst, row.id)
			dst = append(dst, '}', '\n')
			for _, f := range row.found {
				f.place.File, f.place.Document = r.marking, row.id
				x.instances[f.instance].found(f.place)
			}
		}
		d.Progress.Documents.Add(int64(len(rows)))
		return dst, nil
	})
	for _, doc := range r.documents {
		report.Rejected += doc.counts.Rejected
	}
	x.sumUp(&report)
	return report, err
}

// found keeps the places with the largest shares, the earlier ones first.
func (e *evalInstance) found(p MatchedPlace) {
	e.Documents++
	e.Share = max(e.Share, p.Share)
	i := len(e.Places)
	for i > 0 && e.Places[i-1].Share < p.Share {
		i--
	}
	if i == maxPlaces {
		return
	}
	e.Places = slices.Insert(e.Places, i, p)
	e.Places = e.Places[:min(len(e.Places), maxPlaces)]
}

func (x *evalIndex) sumUp(report *Contamination) {
	tasks := map[string]int{}
	for _, e := range x.instances {
		k, ok := tasks[e.Task]
		if !ok {
			k = len(report.Tasks)
			tasks[e.Task] = k
			report.Tasks = append(report.Tasks, TaskFound{Task: e.Task})
		}
		t := &report.Tasks[k]
		t.Instances++
		report.Instances++
		if e.ngrams == 0 {
			t.TooShort++
			report.TooShort++
		}
		if e.Documents > 0 {
			t.Found++
			report.Found++
			report.Matches = append(report.Matches, e.Match)
		}
	}
	slices.SortStableFunc(report.Matches, func(a, b Match) int { return cmp.Compare(b.Share, a.Share) })
}

//go:embed decontaminate.html.tmpl
var contaminationText string

var contaminationPage = page.MustParse(contaminationText, template.FuncMap{
	"share": func(s float64) string { return fmt.Sprintf("%.0f %%", 100*s) },
})

// WriteHTML writes the report as a page that needs no other file.
func (c *Contamination) WriteHTML(w io.Writer) error { return contaminationPage.Write(w, c) }
