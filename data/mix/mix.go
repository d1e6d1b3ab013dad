// Package mix joins documents with their attributes, keeps what the filters
// say, replaces marked spans and writes the result as new documents.
package mix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"olmo/data"
	"olmo/data/store"
)

// Config holds the keys of Dolma's `mix` configuration and how to run it.
type Config struct {
	Streams   []Stream `yaml:"streams" json:"streams"`
	Processes int      `yaml:"processes" json:"-"` // workers, at least one
	// Shuffle, Dolma's word, joins input files into shards of about
	// max_size_in_bytes; without it each input file has one output file.
	Shuffle bool `yaml:"shuffle" json:"shuffle"`

	// Compat does what Dolma 1.2.1 does, its bugs included; docs/data-format.md
	// lists them.
	Compat bool `yaml:"-" json:"compat"`
	// Rows make attributes while the documents are read; the names that are not
	// among theirs come from files. With rows that depend on the order of the
	// documents one shard is made after the other.
	Rows []Rows `yaml:"-" json:"-"`
	// Begin (may be nil) is called before the first document is read, and not at
	// all when an earlier run of the same command is complete.
	Begin func() error `yaml:"-" json:"-"`
	// Settings of what makes the rows, which the outputs depend on.
	Settings any `yaml:"-" json:"settings,omitempty"`
	// CountTokens counts the tokens of a text for the report, from several
	// goroutines; nil counts none. Tokenizer says which they are.
	CountTokens func(text string) int `yaml:"-" json:"-"`
	Tokenizer   string                `yaml:"-" json:"tokenizer,omitempty"`
	// Strict makes a bad line an error instead of a reject.
	Strict bool `yaml:"-" json:"-"`
	// Progress counts the work done; may be nil.
	Progress *data.Progress `yaml:"-" json:"-"`
	// Log is told what a user should know while the run goes on. May be nil.
	Log func(message string) `yaml:"-" json:"-"`
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
	// 2.5. 0 is 1. Which ones, id and Seed decide. Copies have files of their own.
	Sample float64 `yaml:"sample" json:"sample"`
	Seed   uint64  `yaml:"seed" json:"seed"`
}

func (s *Stream) sampler() sampler {
	if s.Sample == 0 {
		return sampler{ratio: 1}
	}
	return sampler{s.Sample, s.Seed}
}

// maxSample keeps a slip of the keyboard from filling the disk.
const maxSample = 1000

// Output says where a stream goes.
type Output struct {
	Path           string   `yaml:"path" json:"path"`                           // a folder, or - for standard output
	MaxSizeInBytes int64    `yaml:"max_size_in_bytes" json:"max_size_in_bytes"` // of a shard's inputs as stored
	DiscardFields  []string `yaml:"discard_fields" json:"discard_fields"`
	MinTextLength  int      `yaml:"min_text_length" json:"min_text_length"` // bytes without white space around
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
	MinScore    *float64 `yaml:"min_score" json:"min_score"`
	MaxScore    *float64 `yaml:"max_score" json:"max_score"`
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
	// Documents is how many documents the rule removed (a document counts for
	// the first rule that removes it) or, for a span rule, changed. An include
	// rule removes nothing by itself: its figure is how many of the documents
	// that no rule excludes it was the first to admit, and what none admits is
	// under the kind "no include".
	Documents int64 `json:"documents"`
	Bytes     int64 `json:"bytes"`            // of text removed; for a span rule, of spans replaced
	Tokens    int64 `json:"tokens,omitempty"` // of the documents removed, where they are counted
	Spans     int64 `json:"spans,omitempty"`
	// Examples are the first few such documents.
	Examples []Example `json:"examples,omitempty"`
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
	r.Examples = append(r.Examples, o.Examples[:min(len(o.Examples), maxExamples-len(r.Examples))]...)
}

// ErrNothing is returned, after all outputs were written, when a stream kept
// none of its documents.
var ErrNothing = errors.New("no document was kept")

func (c *Config) logf(format string, args ...any) {
	if c.Log != nil {
		c.Log(fmt.Sprintf(format, args...))
	}
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
	case s.Sample < 0 || s.Sample > maxSample:
		return fmt.Errorf("stream %s: sample is %g, want a number of copies up to %d", s.Name, s.Sample, maxSample)
	case s.Filter == nil && len(s.SpanReplacement) == 0 && s.Sample == 0:
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
}

// Run mixes all streams. The outputs depend on the inputs and the
// configuration only, not on the number of workers.
//
// Dolma 1.2.1, src/shard.rs.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Progress == nil {
		cfg.Progress = &data.Progress{}
	}
	if len(cfg.Streams) == 0 {
		return Report{}, errors.New("no streams to mix")
	}
	var shards []shard
	programs := make([]*program, len(cfg.Streams))
	var inputs []string
	for i := range cfg.Streams {
		s := &cfg.Streams[i]
		if err := s.check(); err != nil {
			return Report{}, err
		}
		var err error
		if programs[i], err = compile(s, cfg.Compat); err != nil {
			return Report{}, fmt.Errorf("stream %s: %w", s.Name, err)
		}
		cut, err := cfg.shards(i)
		if err != nil {
			return Report{}, fmt.Errorf("stream %s: %w", s.Name, err)
		}
		shards = append(shards, cut...)
		for _, sh := range cut {
			inputs = append(inputs, sh.inputs...)
		}
	}
	outputs := map[string]bool{}
	for i := range shards {
		for _, name := range cfg.outputs(&shards[i]) {
			if outputs[name] {
				return Report{}, fmt.Errorf("two shards would be written to %s\nhint: give the streams different names or paths", name)
			}
			outputs[name] = true
		}
	}

	// The record lies beside the first stream's folder, not in it, where the
	// next stage's globs would find it.
	first := &cfg.Streams[0]
	recordPath := store.Clean(first.Output.Path) + "." + first.Name + ".mix.json"
	attributes, err := cfg.attributeFiles(shards)
	if err != nil {
		return Report{}, err
	}
	digest, err := data.Digest(cfg, append(slices.Clone(inputs), attributes...))
	if err != nil {
		return Report{}, err
	}
	var record data.Record
	if first.Output.Path != store.Standard {
		if record, err = data.ReadRecord(recordPath, "mix"); err != nil {
			return Report{}, err
		}
	}
	type shardReport struct {
		Output string       `json:"output"`
		Report StreamReport `json:"report"`
	}
	done := map[string]StreamReport{}
	if record.Digest == digest {
		var old []shardReport
		if json.Unmarshal(record.Report, &old) == nil {
			for _, o := range old {
				if data.Complete(o.Output) {
					done[o.Output] = o.Report
				}
			}
		}
	}

	cfg.Progress.AddFiles(inputs)
	reports := make([]StreamReport, len(shards))
	names := make([]string, len(shards))
	for i := range shards {
		names[i] = shards[i].output
	}
	var mu sync.Mutex
	kept := len(done)
	// Save after every shard: what is complete is not done again.
	save := func(sh *shard, rep StreamReport) error {
		mu.Lock()
		defer mu.Unlock()
		done[sh.output] = rep
		var all []shardReport
		examples := map[[2]int]int{} // that are kept, by stream and rule
		for i := range shards {
			rep, ok := done[shards[i].output]
			if !ok {
				continue
			}
			// The report shows the first ones; with many shards the rest would
			// only make the record long.
			rep.Rules = slices.Clone(rep.Rules)
			for k := range rep.Rules {
				r, n := &rep.Rules[k], [2]int{shards[i].stream, k}
				r.Examples = r.Examples[:min(len(r.Examples), maxExamples-examples[n])]
				examples[n] += len(r.Examples)
			}
			all = append(all, shardReport{shards[i].output, rep})
		}
		b, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("recording the run: %w", err)
		}
		if first.Output.Path == store.Standard {
			return nil // what went there cannot be found again
		}
		return data.Record{Stage: "mix", Digest: digest, Done: len(all) == len(shards), Report: b}.Write(recordPath)
	}
	already := make([]bool, len(shards))
	for i := range shards {
		reports[i], already[i] = done[shards[i].output]
	}
	pool := data.NewPool(cfg.Processes)
	slots := pool
	if cfg.ordered() {
		slots = data.NewPool(1)
	}
	if cfg.Begin != nil && kept < len(shards) {
		if err := cfg.Begin(); err != nil {
			return Report{}, err
		}
	}
	var broken atomic.Bool // with an order nothing can follow a shard that failed
	err = slots.EachFile(ctx, names, func(ctx context.Context, i int, _ string) (err error) {
		sh := &shards[i]
		if broken.Load() {
			return nil
		}
		if cfg.ordered() {
			defer func() { broken.Store(err != nil) }()
		}
		if already[i] {
			cfg.Progress.FilesSkipped.Add(int64(len(sh.inputs)))
			if !cfg.ordered() || kept == len(shards) {
				return nil
			}
			return cfg.pass(ctx, pool, sh)
		}
		m := mixer{cfg: &cfg, stream: &cfg.Streams[sh.stream], program: programs[sh.stream], pool: pool}
		if err := m.shard(ctx, sh); err != nil {
			return fmt.Errorf("%s: %w", sh.output, err)
		}
		reports[i] = m.report
		return save(sh, m.report)
	})
	report := Report{AlreadyDone: kept == len(shards)}
	for i := range cfg.Streams {
		report.Streams = append(report.Streams, StreamReport{Name: cfg.Streams[i].Name, Rules: programs[i].rules()})
	}
	for i, sh := range shards {
		total := &report.Streams[sh.stream]
		total.Shards = append(total.Shards, cfg.outputs(&sh)...)
		total.Documents += reports[i].Documents
		total.Rejected += reports[i].Rejected
		total.Kept += reports[i].Kept
		total.TextIn += reports[i].TextIn
		total.TextOut += reports[i].TextOut
		total.Copies += reports[i].Copies
		total.TokensIn += reports[i].TokensIn
		total.TokensOut += reports[i].TokensOut
		for j, r := range reports[i].Rules {
			total.Rules[j].add(r)
		}
	}
	if err != nil {
		return report, err
	}
	for _, s := range report.Streams {
		if s.Kept == 0 && !cfg.Compat {
			return report, fmt.Errorf("stream %s: %w of %d\nhint: the report says which rule removed them", s.Name, ErrNothing, s.Documents)
		}
	}
	return report, nil
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
			c.logf("stream %s: no file matches %s", s.Name, m)
		}
		files = append(files, found...)
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
		return []shard{{stream, files, store.Standard, compression}}, nil
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
			out = append(out, shard{stream, []string{f}, output, by})
		}
		return out, nil
	}
	var out []shard
	add := func(inputs []string, suffix string) {
		if ext == parquet {
			suffix = ""
		}
		name := fmt.Sprintf("%s-%04d%s%s", s.Name, len(out), suffix, ext)
		out = append(out, shard{stream, inputs, store.Join(s.Output.Path, name), compression})
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
			c.logf("stream %s: %s is empty", s.Name, f)
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

// attributeFiles lists the attribute files of all shards that exist.
func (c *Config) attributeFiles(shards []shard) ([]string, error) {
	var out []string
	for _, sh := range shards {
		for _, in := range sh.inputs {
			paths, err := c.attributePaths(sh.stream, in)
			if err != nil {
				return nil, err
			}
			out = append(out, slices.DeleteFunc(paths, func(p string) bool { return p == "" })...)
		}
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
				c.logf("%s has no attributes %s", doc, name)
				out = append(out, "")
				continue
			}
			return nil, fmt.Errorf("attributes %s of %s: %w\nhint: run the stage that makes them, or leave them out of attributes", name, doc, err)
		}
		out = append(out, path)
	}
	return out, nil
}
