// Package mix joins documents with their attributes, keeps what the filters
// say, replaces marked spans and writes the result as new documents.
package mix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"olmo/data"
	"olmo/data/store"
)

// Config holds the keys of Dolma's `mix` configuration and how to run it.
type Config struct {
	Streams        []Stream `yaml:"streams" json:"streams"`
	data.Execution `yaml:",inline" json:"-"`
	// Shuffle, Dolma's word, joins input files into shards of about
	// max_size_in_bytes; without it each input file has one output file.
	Shuffle bool `yaml:"shuffle" json:"shuffle" help:"join input files into shards; --no-shuffle keeps one output file for each"`

	// Rows make attributes while the documents are read; the names that are not
	// among theirs come from files. With rows that depend on the order of the
	// documents one shard is made after the other.
	Rows []Rows `yaml:"-" json:"-"`
	// Begin (may be nil) is called before the first document is read, and not at
	// all when an earlier run of the same command is complete; End (may be nil)
	// after the last one, with what went wrong, before the outputs get their
	// names. Units (may be nil) are what they make beside the shards.
	Begin func(stage *data.Stage) error                        `yaml:"-" json:"-"`
	End   func(stage *data.Stage, failed error) error          `yaml:"-" json:"-"`
	Units func(record string, documents []string) []*data.Unit `yaml:"-" json:"-"`
	Locks []string                                             `yaml:"-" json:"-"` // what they write
	// Settings of what makes the rows, which the outputs depend on.
	Settings any `yaml:"-" json:"settings,omitempty"`
	// CountTokens counts the tokens of a text for the report, from several
	// goroutines; nil counts none. Tokenizer says which they are.
	CountTokens func(text string) (int, error) `yaml:"-" json:"-"`
	Tokenizer   string                         `yaml:"-" json:"tokenizer,omitempty"`
}

// Stream is one set of documents and what is done with them.
type Stream struct {
	Name            string            `yaml:"name" json:"name"`
	Documents       []string          `yaml:"documents" json:"documents"` // files or globs; one that is named twice is read twice
	Output          Output            `yaml:"output" json:"output"`
	Attributes      []string          `yaml:"attributes" json:"attributes"` // names of folders under attributes/
	Filter          *Filter           `yaml:"filter" json:"filter"`
	SpanReplacement []SpanReplacement `yaml:"span_replacement" json:"span_replacement"`
	Compression     Compression       `yaml:"compression" json:"compression"`
	// Sample is how often the documents that the filter keeps are written, on
	// average: 0.3 of them, or each twice and half of them a third time with
	// 2.5. nil is 1. Which ones, id and Seed decide. Copies have files of their own.
	Sample *float64 `yaml:"sample" limits:".." json:"sample"`
	Seed   uint64   `yaml:"seed" limits:"0.." json:"seed"`
}

func (s *Stream) sampler() sampler {
	if s.Sample == nil {
		return sampler{ratio: 1}
	}
	return sampler{*s.Sample, s.Seed}
}

// maxSample keeps a slip of the keyboard from filling the disk.
const maxSample = 1000

// Output says where a stream goes.
type Output struct {
	Path           string   `yaml:"path" json:"path"`                                        // a folder, or - for standard output
	MaxSizeInBytes int64    `yaml:"max_size_in_bytes" limits:"1.." json:"max_size_in_bytes"` // of a shard's inputs as stored
	DiscardFields  []string `yaml:"discard_fields" json:"discard_fields"`
	MinTextLength  int      `yaml:"min_text_length" limits:"0.." json:"min_text_length"` // bytes without white space around
}

// SetDefaults sets Dolma's defaults.
func (o *Output) SetDefaults() { o.MaxSizeInBytes = 2 << 30 }

// SetDefaults sets Dolma's defaults.
func (s *Stream) SetDefaults() { s.Output.SetDefaults() }

// Filter keeps the documents for which an include rule holds (any document,
// when there is none) and no exclude rule does. With Syntax "jsonpath" a rule
// holds when the path finds something, with "jq" when it has results and all
// of them are true, nonzero or not empty.
type Filter struct {
	Include []string `yaml:"include" json:"include"`
	Exclude []string `yaml:"exclude" json:"exclude"`
	Syntax  string   `yaml:"syntax" json:"syntax"` // "jsonpath" when empty
}

// SpanReplacement replaces the spans of a list of [start, end, score] with
// MinScore ≤ score < MaxScore. In Replacement {} stands for the old text; one
// that starts with $ is a jq expression on the document.
type SpanReplacement struct {
	Span        string   `yaml:"span" json:"span"`
	MinScore    *float64 `yaml:"min_score" limits:".." json:"min_score"`
	MaxScore    *float64 `yaml:"max_score" limits:".." json:"max_score"`
	Replacement string   `yaml:"replacement" json:"replacement"`
	Syntax      string   `yaml:"syntax" json:"syntax"` // "jsonpath" when empty
}

// parquet is the suffix of outputs that are not lines of JSON.
const parquet = ".parquet"

// Compression overrides what file names say: "gz", "zst", "" for none or, of
// an output, "parquet".
type Compression struct {
	Input  *string `yaml:"input" json:"input"`
	Output *string `yaml:"output" json:"output"`
}

// Report says what a run kept and what it removed, and why.
type Report struct {
	Streams []StreamReport `json:"streams"`
	// AlreadyDone tells that an earlier run of the same command had finished;
	// the figures are its own.
	AlreadyDone bool `json:"already_done"`
}

// StreamReport is what happened to one stream.
type StreamReport struct {
	Name      string   `json:"name"`
	Shards    []string `json:"shards"` // the files written
	Documents int64    `json:"documents"`
	Rejected  int64    `json:"rejected"` // bad lines
	Kept      int64    `json:"kept"`
	// Copies is how many documents were written beside those that were kept, by
	// a sample above 1.
	Copies int64 `json:"copies"`
	// TextIn and TextOut are the bytes of the texts read and written, TokensIn
	// and TokensOut their tokens, where they are counted.
	TextIn    int64  `json:"text_in"`
	TextOut   int64  `json:"text_out"`
	TokensIn  int64  `json:"tokens_in,omitempty"`
	TokensOut int64  `json:"tokens_out,omitempty"`
	Rules     []Rule `json:"rules"`
}

// Rule is one reason for which documents were removed or texts changed.
type Rule struct {
	Kind string `json:"kind"` // "include", "exclude", "sample", "span" or "min_text_length"
	Rule string `json:"rule"` // as in the configuration
	// Name is what a reader calls the rule, where the caller has filled it in.
	Name string `json:"name,omitempty"`
	// Documents is how many documents the rule removed (a document counts for
	// the first rule that removes it) or, for a span rule, changed. An include
	// rule removes nothing by itself: its figure is how many of the documents
	// that no rule excludes it was the first to admit, and what none admits is
	// under the kind "no include".
	Documents int64 `json:"documents"`
	Bytes     int64 `json:"bytes"`            // of text removed; for a span rule, of spans replaced
	Tokens    int64 `json:"tokens,omitempty"` // of the documents removed, where they are counted
	Spans     int64 `json:"spans,omitempty"`
	// Conditions are what an include rule in jq joins by and, if it does.
	Conditions []Condition `json:"conditions,omitempty"`
	// Examples are the first few such documents.
	Examples []Example `json:"examples,omitempty"`
}

// Condition is a part of an include rule. Failed is how many of the documents that no
// include rule admits do not meet it.
type Condition struct {
	Rule   string `json:"rule"`
	Failed int64  `json:"failed"`
}

// Example is a document that a rule removed or changed.
type Example struct {
	ID   string `json:"id"`
	Text string `json:"text"` // its beginning, or the span that was replaced
}

// removes tells whether what the rule counts is gone.
func (r *Rule) removes() bool { return r.Kind != "include" && r.Kind != "span" }

const (
	maxExamples = 3
	maxExcerpt  = 300 // code points of an example's text
)

func (r *Rule) count(j *joined, text string) {
	r.Documents++
	r.Bytes += int64(len(text))
	if r.removes() {
		r.Tokens += int64(j.tokens)
	}
	if len(r.Examples) < maxExamples {
		// A copy: the text is a piece of a document that is not needed any more.
		r.Examples = append(r.Examples, Example{j.ID, strings.Clone(data.Excerpt(text, maxExcerpt))})
	}
}

func (r *Rule) add(o Rule) {
	r.Documents += o.Documents
	r.Bytes += o.Bytes
	r.Tokens += o.Tokens
	r.Spans += o.Spans
	for i := range min(len(r.Conditions), len(o.Conditions)) {
		r.Conditions[i].Failed += o.Conditions[i].Failed
	}
	r.Examples = append(r.Examples, o.Examples[:min(len(o.Examples), maxExamples-len(r.Examples))]...)
}

func (s *Stream) check() error {
	switch {
	case s.Name == "":
		return errors.New("a stream has no name")
	case strings.ContainsAny(s.Name, `/\`):
		return fmt.Errorf("stream %s: the name becomes part of file names and cannot hold a slash", s.Name)
	case len(s.Documents) == 0:
		return fmt.Errorf("stream %s names no documents", s.Name)
	case s.Output.Path == "":
		return fmt.Errorf("stream %s: output.path is not set", s.Name)
	case s.Output.MaxSizeInBytes <= 0:
		return fmt.Errorf("stream %s: output.max_size_in_bytes is %d, want a positive number", s.Name, s.Output.MaxSizeInBytes)
	case s.Output.MinTextLength < 0:
		return fmt.Errorf("stream %s: output.min_text_length cannot be negative", s.Name)
	case slices.Contains(s.Output.DiscardFields, "text"):
		return fmt.Errorf("stream %s: the text cannot be discarded", s.Name)
	case s.Sample != nil && !(*s.Sample > 0 && *s.Sample <= maxSample):
		return fmt.Errorf("stream %s: sample is %g, want a number of copies above 0 and up to %d\nhint: null keeps each document once; to keep none, leave the stream out", s.Name, *s.Sample, maxSample)
	case s.Filter == nil && len(s.SpanReplacement) == 0 && s.Sample == nil:
		return fmt.Errorf("stream %s has neither a filter nor a span_replacement nor a sample", s.Name)
	case s.Filter != nil && len(s.Filter.Include) == 0 && len(s.Filter.Exclude) == 0:
		return fmt.Errorf("stream %s: the filter has neither include nor exclude", s.Name)
	}
	return nil
}

// shard is a run of input files that become one output file.
type shard struct {
	stream      int
	inputs      []string
	output      string
	compression data.Compression
	unit        *data.Unit
}

// Run mixes all streams. The outputs depend on the inputs and the
// configuration only, not on the number of workers. A stream that keeps none of its
// documents is a data.ErrNothing, unless Compat is set.
//
// Dolma 1.2.1, src/shard.rs.
func Run(ctx context.Context, cfg Config) (Report, error) {
	r := mixing{cfg: &cfg}
	if err := r.prepare(); err != nil {
		return Report{}, err
	}
	plan, err := r.plan()
	if err != nil {
		return Report{}, err
	}
	if r.stage, err = data.Begin(plan, cfg.Execution); err != nil {
		return Report{}, err
	}
	defer r.stage.Close()
	r.stage.Progress.AddFiles(r.inputs)
	already := r.stage.AllDone()
	if !already {
		err = r.mix(ctx)
	}
	report, seen := r.report()
	report.AlreadyDone = already
	if err != nil {
		return report, err
	}
	for i, s := range report.Streams {
		if err := r.programs[i].unseen(s.Name, seen[i], r.cfg.Logf); err != nil && s.Documents > 0 {
			r.stage.Discard()
			return report, err
		}
		if s.Kept == 0 && !cfg.Compat {
			return report, r.stage.Nothing(fmt.Sprintf("stream %s: no document was kept of %d", s.Name, s.Documents), "the report says which rule removed them")
		}
	}
	if err := r.stage.Commit(); err != nil {
		return report, err
	}
	return report, r.strangers()
}

// mixing is the state of one Run.
type mixing struct {
	cfg      *Config
	stage    *data.Stage
	pool     *data.Pool
	shards   []shard
	programs []*program // of the streams
	inputs   []string   // documents of all shards
}

// prepare checks the streams and cuts their documents into shards.
func (r *mixing) prepare() error {
	cfg := r.cfg
	if len(cfg.Streams) == 0 {
		return errors.New("no streams to mix")
	}
	r.programs = make([]*program, len(cfg.Streams))
	for i := range cfg.Streams {
		s := &cfg.Streams[i]
		if err := s.check(); err != nil {
			return err
		}
		var err error
		if r.programs[i], err = compile(s, cfg.Compat); err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
		cut, err := cfg.shards(i)
		if err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
		r.shards = append(r.shards, cut...)
		for _, sh := range cut {
			r.inputs = append(r.inputs, sh.inputs...)
		}
	}
	return nil
}

// plan says what the run reads and writes: each shard is a unit.
func (r *mixing) plan() (data.Plan, error) {
	cfg := r.cfg
	plan := data.Plan{Stage: "mix", Settings: cfg, Own: r.own}
	plan.Locks = slices.Clone(cfg.Locks)
	for _, s := range cfg.Streams {
		path := s.Output.Path
		if path != store.Standard {
			path = store.Clean(path)
		}
		if !slices.Contains(plan.Locks, path) {
			plan.Locks = append(plan.Locks, path)
		}
	}
	var before []string // inputs of the shards so far
	times := map[string]int{}
	for i := range r.shards {
		sh := &r.shards[i]
		s := &cfg.Streams[sh.stream]
		attributes, err := cfg.attributeFiles(sh)
		if err != nil {
			return plan, err
		}
		inputs := slices.Concat(sh.inputs, attributes)
		if cfg.ordered() {
			before = append(before, inputs...)
			inputs = slices.Clone(before)
		}
		key := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(sh.output, store.Clean(s.Output.Path))), "/")
		sh.unit = &data.Unit{Record: cfg.record(sh.stream), Key: s.Name + ": " + key, Inputs: inputs, Outputs: cfg.outputs(sh)}
		for _, in := range sh.inputs {
			path := data.RejectsPath(in, "mix-"+s.Name)
			// A file that is named twice is read twice, and rejects twice.
			if times[path]++; times[path] > 1 {
				path = strings.TrimSuffix(path, ".rejects.jsonl") + fmt.Sprintf(".%d.rejects.jsonl", times[path])
			}
			sh.unit.Rejects = append(sh.unit.Rejects, path)
		}
		plan.Units = append(plan.Units, sh.unit)
	}
	if cfg.Units != nil {
		plan.Units = append(plan.Units, cfg.Units(cfg.record(0), r.inputs)...)
	}
	return plan, nil
}

// record is the file that remembers a stream's shards, wherever the stream stands in a
// config: or the next run of it, with fewer shards, would leave the others beside its
// own. What only holds together, such as a filter and what it marked, has one record.
//
// It lies beside the shards' folder, not in it, where the next stage's globs would find it.
func (c *Config) record(stream int) string {
	if c.Units != nil {
		stream = 0
	}
	return c.Streams[stream].record()
}

func (s *Stream) record() string {
	if s.Output.Path == store.Standard {
		return ""
	}
	return store.Clean(s.Output.Path) + "." + s.Name + ".mix.json"
}

// withoutMade leaves out of the stream's documents what an earlier run has put beside
// them.
func (s *Stream) withoutMade(files []string, record string) ([]string, error) {
	return data.WithoutMade(files, s.Documents, record, "mix")
}

// WithoutMade leaves out of a stream's documents what an earlier run has put beside
// them, by the record of a config that has Units.
func WithoutMade(streams []Stream, stream int, files []string) ([]string, error) {
	return streams[stream].withoutMade(files, streams[0].record())
}

// strangers warns of files that have the names of shards and are none of this run:
// whoever reads the folder takes them for its documents.
func (r *mixing) strangers() error {
	made, seen := map[string]bool{}, map[string]bool{}
	for i := range r.shards {
		for _, out := range r.cfg.outputs(&r.shards[i]) {
			made[store.Clean(out)] = true
		}
	}
	for _, s := range r.cfg.Streams {
		folder := s.Output.Path
		if folder == store.Standard || store.Remote(folder) || seen[folder] {
			continue
		}
		seen[folder] = true
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if name := store.Join(folder, e.Name()); r.own(name) && !made[store.Clean(name)] {
				r.cfg.Logf("warning: %s is not of this run, and will be read together with its documents", name)
			}
		}
	}
	return nil
}

// shardName matches what follows a stream's name in the names of its shards.
var shardName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^-[0-9]{4,}(-copy[0-9]+)?(\.jsonl?)?(\.(gz|zst|zstd|gzip|parquet))?$`)
})

// own tells whether a file may be a shard of an earlier run.
func (r *mixing) own(name string) bool {
	for _, s := range r.cfg.Streams {
		rest, ok := strings.CutPrefix(name[strings.LastIndexAny(name, `/\`)+1:], s.Name)
		if ok && r.cfg.Shuffle && s.Output.Path != store.Standard && shardName().MatchString(rest) && store.Clean(store.Dir(name)) == store.Clean(s.Output.Path) {
			return true
		}
	}
	return false
}

// mix makes the shards that are not there yet.
func (r *mixing) mix(ctx context.Context) (err error) {
	cfg := r.cfg
	r.pool = data.NewPool(cfg.Processes)
	slots := r.pool
	if cfg.ordered() {
		slots = data.NewPool(1)
	}
	if cfg.Begin != nil {
		if err := cfg.Begin(r.stage); err != nil {
			return err
		}
	}
	if cfg.End != nil {
		defer func() { err = cfg.End(r.stage, err) }()
	}
	names := make([]string, len(r.shards))
	for i := range r.shards {
		names[i] = r.shards[i].output
	}
	var broken atomic.Bool // with an order nothing can follow a shard that failed
	return slots.EachFile(ctx, names, func(ctx context.Context, i int, _ string) (err error) {
		if broken.Load() {
			return nil
		}
		if cfg.ordered() {
			defer func() { broken.Store(err != nil) }()
		}
		sh := &r.shards[i]
		if _, ok := r.stage.Done(sh.unit); ok {
			r.stage.Progress.FilesSkipped.Add(int64(len(sh.inputs)))
			if !cfg.ordered() {
				return nil
			}
			return r.pass(ctx, sh)
		}
		m := mixer{mixing: r, stream: &cfg.Streams[sh.stream], program: r.programs[sh.stream]}
		if err := m.shard(ctx, sh); err != nil {
			return fmt.Errorf("%s: %w", sh.output, err)
		}
		return r.stage.Finish(sh.unit, m.report)
	})
}

// report adds the shards' reports up, and tells what the documents of each stream have.
func (r *mixing) report() (report Report, seen [][]sighting) {
	seen = make([][]sighting, len(r.cfg.Streams))
	for i := range r.cfg.Streams {
		report.Streams = append(report.Streams, StreamReport{Name: r.cfg.Streams[i].Name, Rules: r.programs[i].rules()})
	}
	for i := range r.shards {
		sh := &r.shards[i]
		total := &report.Streams[sh.stream]
		total.Shards = append(total.Shards, r.cfg.outputs(sh)...)
		var part shardReport
		if text, ok := r.stage.Done(sh.unit); !ok || json.Unmarshal(text, &part) != nil {
			continue
		}
		seen[sh.stream] = append(seen[sh.stream], part.Sighting)
		total.Documents += part.Documents
		total.Rejected += part.Rejected
		total.Kept += part.Kept
		total.TextIn += part.TextIn
		total.TextOut += part.TextOut
		total.Copies += part.Copies
		total.TokensIn += part.TokensIn
		total.TokensOut += part.TokensOut
		for j, rule := range part.Rules {
			total.Rules[j].add(rule)
		}
	}
	return report, seen
}

// outputs are the files of a shard: of the documents, and of their copies.
func (c *Config) outputs(sh *shard) []string {
	out := []string{sh.output}
	if sh.output != store.Standard {
		for k := 1; k < c.Streams[sh.stream].sampler().copies(); k++ {
			out = append(out, copyName(sh.output, k))
		}
	}
	return out
}

// shards cuts a stream's files into shards.
func (c *Config) shards(stream int) ([]shard, error) {
	s := &c.Streams[stream]
	var files []string
	for _, pattern := range s.Documents {
		found, missing, err := data.ExpandGlobs([]string{pattern})
		if err != nil {
			return nil, err
		}
		for _, m := range missing {
			c.Logf("stream %s: no file matches %s", s.Name, m)
		}
		files = append(files, found...)
	}
	files, err := s.withoutMade(files, c.record(stream))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("nothing matches %s", strings.Join(s.Documents, " "))
	}
	ext, compression := ".gz", data.Gzip
	if o := s.Compression.Output; o != nil {
		ext = ""
		if *o != "" {
			ext = "." + *o
		}
		if compression = data.CompressionOf(ext); ext != "" && ext != parquet && compression == data.Plain {
			return nil, fmt.Errorf("compression.output is %q, want gz, zst, parquet or nothing", *o)
		}
		if ext == parquet && (!c.Shuffle || s.Output.Path == store.Standard) {
			return nil, errors.New("compression.output is parquet, which needs files of its own\nhint: leave shuffle on, and name a folder in output.path")
		}
	}
	if s.Output.Path == store.Standard {
		if s.Compression.Output == nil {
			compression = data.Plain
		}
		return []shard{{stream: stream, inputs: files, output: store.Standard, compression: compression}}, nil
	}
	if !c.Shuffle {
		var out []shard
		for _, f := range files {
			rest, ok := afterDocuments(f)
			if !ok {
				return nil, fmt.Errorf("%s is in no folder called documents, so its place in the output is not known\nhint: leave shuffle on, or keep documents in <base>/documents/", f)
			}
			output := store.Join(s.Output.Path, "documents", rest)
			by := data.CompressionOf(output)
			if s.Compression.Output != nil {
				by = compression
			}
			out = append(out, shard{stream: stream, inputs: []string{f}, output: output, compression: by})
		}
		return out, nil
	}
	var out []shard
	add := func(inputs []string, suffix string) {
		if ext == parquet {
			suffix = ""
		}
		name := fmt.Sprintf("%s-%04d%s%s", s.Name, len(out), suffix, ext)
		out = append(out, shard{stream: stream, inputs: inputs, output: store.Join(s.Output.Path, name), compression: compression})
	}
	var size int64
	var inputs []string
	infos, err := store.StatAll(files)
	if err != nil {
		return nil, err
	}
	for i, f := range files {
		n := max(infos[i].Size, 0)
		if infos[i].Size == 0 && len(inputs) > 0 {
			c.Logf("stream %s: %s is empty", s.Name, f)
			continue
		}
		if size += n; size > s.Output.MaxSizeInBytes && len(inputs) > 0 {
			add(inputs, ".jsonl")
			size, inputs = n, nil
		}
		inputs = append(inputs, f)
	}
	// Dolma calls the last shard .json and the others .jsonl.
	if c.Compat {
		add(inputs, ".json")
	} else {
		add(inputs, ".jsonl")
	}
	return out, nil
}

// afterDocuments is what follows the last folder called documents.
func afterDocuments(path string) (string, bool) {
	slashed := "/" + filepath.ToSlash(path)
	i := strings.LastIndex(slashed, "/documents/")
	if i < 0 {
		return "", false
	}
	return filepath.FromSlash(slashed[i+len("/documents/"):]), true
}

// attributeFiles lists the attribute files of a shard that exist.
func (c *Config) attributeFiles(sh *shard) ([]string, error) {
	var out []string
	for _, in := range sh.inputs {
		paths, err := c.attributePaths(sh.stream, in)
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(paths, func(p string) bool { return p == "" })...)
	}
	return out, nil
}

// attributePaths is where each of the attributes of one documents file lies, ""
// for those that have no file. A file that is missing is an error; Dolma goes
// on without it and without a word.
func (c *Config) attributePaths(stream int, doc string) ([]string, error) {
	var out []string
	for _, name := range c.Streams[stream].Attributes {
		if c.makes(name) {
			out = append(out, "")
			continue
		}
		path, err := data.AttributePath(doc, name)
		if err != nil {
			return nil, err
		}
		if _, err := store.Stat(path); err != nil {
			if c.Compat && errors.Is(err, fs.ErrNotExist) {
				c.Logf("%s has no attributes %s", doc, name)
				out = append(out, "")
				continue
			}
			return nil, fmt.Errorf("attributes %s of %s: %w\nhint: run the stage that makes them, or leave them out of attributes", name, doc, err)
		}
		out = append(out, path)
	}
	return out, nil
}
