package dedupe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"olmo/config"
	"olmo/data"
	"olmo/data/jsonpath"
	"olmo/data/store"
	"olmo/tokenizer"
)

// Config holds the keys of Dolma's `dedupe` configuration and how to run it.
type Config struct {
	Documents      []string `yaml:"documents" json:"documents" help:"documents files, folders or globs"`
	Dedupe         Settings `yaml:"dedupe" json:"dedupe"`
	BloomFilter    Bloom    `yaml:"bloom_filter" json:"bloom_filter"`
	data.Execution `yaml:",inline" json:"-"`
	Compression    Compression `yaml:"compression" json:"compression"`
	// Memory bounds the Bloom filter and the tables, such as "4GB" or
	// "512MiB". What needs more is done in several passes over the corpus, with
	// the same result. Empty: the filter and MinHash take what they need,
	// substrings 1 GiB.
	Memory string `yaml:"memory" json:"memory" help:"most memory of the Bloom filter and the tables, such as 4GB; what needs more takes several passes"`

	// Stage is that of the run which a Marker serves, and Unit the unit of
	// FilterUnit in it; Run makes its own.
	Stage *data.Stage `yaml:"-" json:"-"`
	Unit  *data.Unit  `yaml:"-" json:"-"`

	memory int     // of Memory, 0 when it is empty
	marker *Marker // that takes the rows, in place of files
}

// SetDefaults sets Dolma's defaults.
func (c *Config) SetDefaults() {
	c.Processes = 1
	c.Dedupe.SetDefaults()
}

// Settings says what counts as a duplicate. Exactly one of Documents,
// Paragraphs, Sentences, MinHash and Substrings is set; the last three are not
// Dolma's. MinHash and Substrings use no Bloom filter and none of the keys that
// follow them but DocumentDir.
type Settings struct {
	// Name is the folder under attributes/; empty takes the attribute's name.
	Name       string      `yaml:"name" json:"name" help:"name of the attribute folder (default: the attribute's name)"`
	Documents  *Documents  `yaml:"documents" json:"documents"`
	Paragraphs *Paragraphs `yaml:"paragraphs" json:"paragraphs"`
	Sentences  *Sentences  `yaml:"sentences" json:"sentences"`
	MinHash    *MinHash    `yaml:"minhash" json:"minhash"`
	Substrings *Substrings `yaml:"substrings" json:"substrings"`
	SkipEmpty  bool        `yaml:"skip_empty" json:"skip_empty" help:"pass over documents or paragraphs of white space only"`
	// MinLength counts the bytes of a document's key, the code points of a
	// paragraph.
	MinLength int `yaml:"min_length" limits:"0.." json:"min_length" help:"pass over what is shorter"`
	MinWords  int `yaml:"min_words" limits:"0.." json:"min_words" help:"pass over what has fewer words (by UAX #29)"`
	// With NumPartitions above 1 a run looks only at the keys whose first hash
	// is PartitionIndex modulo NumPartitions, and with FilePartition only at
	// the files of whose path this is true.
	NumPartitions  int    `yaml:"num_partitions" limits:"0..1000000" json:"num_partitions" help:"number of parts the work is cut into"`
	PartitionIndex int    `yaml:"partition_index" limits:"0.." json:"partition_index" help:"which part, from 0"`
	FilePartition  bool   `yaml:"file_partition" json:"file_partition" help:"also cut by files"`
	DocumentDir    string `yaml:"document_dir" json:"document_dir" help:"folder of the documents, which attributes/NAME takes the place of"`
}

// filtered tells whether a Bloom filter is used.
func (s *Settings) filtered() bool { return s.MinHash == nil && s.Substrings == nil }

// SetDefaults sets Dolma's defaults.
func (s *Settings) SetDefaults() { s.NumPartitions, s.DocumentDir = 1, "documents" }

// Documents compares whole documents.
type Documents struct {
	AttributeName string `yaml:"attribute_name" json:"attribute_name" help:"name of the attribute"`
	Key           string `yaml:"key" json:"key" help:"JSONPath of the string to compare, such as $.text"`
}

// Paragraphs compares the pieces of a text between separators.
type Paragraphs struct {
	AttributeName string `yaml:"attribute_name" json:"attribute_name" help:"name of the attribute"`
	Separator     string `yaml:"paragraph_separator" json:"paragraph_separator" help:"what stands between paragraphs"`
	ByNgram       *Ngram `yaml:"by_ngram" json:"by_ngram"`
}

// SetDefaults sets Dolma's defaults.
func (p *Paragraphs) SetDefaults() { p.Separator = "\n" }

// Ngram compares paragraphs by the share of their n-grams of words that were
// seen before; with NgramLength 0 the whole paragraph is compared.
type Ngram struct {
	NgramLength         int     `yaml:"ngram_length" limits:"0..1000000" json:"ngram_length" help:"words in an n-gram; 0 compares whole paragraphs"`
	Stride              int     `yaml:"stride" limits:"0.." json:"stride" help:"words from the start of one n-gram to the next"`
	OverlapThreshold    float64 `yaml:"overlap_threshold" limits:"0..1" json:"overlap_threshold" help:"share of known n-grams from which a paragraph is marked"`
	SkipShortParagraphs bool    `yaml:"skip_short_paragraphs" json:"skip_short_paragraphs" help:"do not compare paragraphs of fewer than two n-grams as a whole"`
}

// SetDefaults sets Dolma's defaults.
func (n *Ngram) SetDefaults() { n.OverlapThreshold = 1 }

// Bloom says where the Bloom filter is kept and how large a new one is.
type Bloom struct {
	File     string `yaml:"file" json:"file" help:"file of the Bloom filter: read if it exists, written at the end"`
	ReadOnly bool   `yaml:"read_only" json:"read_only" help:"look up only, as for decontamination"`
	// SizeInBytes 0 takes a size from the next two.
	SizeInBytes int `yaml:"size_in_bytes" limits:"0.." json:"size_in_bytes" help:"size of a new filter"`
	// EstimatedDocCount is the number of keys; 0 counts them first.
	EstimatedDocCount        int     `yaml:"estimated_doc_count" limits:"0.." json:"estimated_doc_count" help:"number of keys a new filter is sized for; 0 counts them first"`
	DesiredFalsePositiveRate float64 `yaml:"desired_false_positive_rate" limits:"0..1" json:"desired_false_positive_rate" help:"share of new keys that may be taken for known ones (default 1e-6)"`
	// Seed chooses the hash functions of a new filter.
	Seed uint64 `yaml:"seed" limits:"0.." json:"seed" help:"chooses the hash functions of a new filter"`
}

// Compression overrides what file names say: "gz", "zst" or "" for none.
type Compression struct {
	Input  *string `yaml:"input" json:"input" help:"accepted; how a file is stored is seen from its content"`
	Output *string `yaml:"output" json:"output" help:"gz, zst or an empty string (default: as the documents)"`
}

// Report says what a run found.
type Report struct {
	Files     int `json:"files"`
	FilesKept int `json:"files_kept"` // complete from an earlier run of the same command
	Counts
	Sizes
	// Clusters are the largest that MinHash found.
	Clusters []Cluster `json:"clusters,omitempty"`
	// AlreadyDone tells that an earlier run of the same command had finished;
	// the figures are its own.
	AlreadyDone bool `json:"already_done"`
}

// Counts are what was found in some documents.
type Counts struct {
	Documents  int64 `json:"documents"`
	Rejected   int64 `json:"rejected"`
	WithoutKey int64 `json:"without_key"` // documents whose key is missing or no string
	Skipped    int64 `json:"skipped"`     // documents or paragraphs too short or empty
	Keys       int64 `json:"keys"`        // documents, paragraphs or n-grams looked up
	Duplicates int64 `json:"duplicates"`  // documents or paragraphs marked
	Characters int64 `json:"characters"`  // code points in them
	Affected   int64 `json:"affected"`    // documents with at least one mark
}

func (c *Counts) add(o Counts) {
	c.Documents += o.Documents
	c.Rejected += o.Rejected
	c.WithoutKey += o.WithoutKey
	c.Skipped += o.Skipped
	c.Keys += o.Keys
	c.Duplicates += o.Duplicates
	c.Characters += o.Characters
	c.Affected += o.Affected
}

// Sizes are of the filter and of the tables.
type Sizes struct {
	FilterBytes  int `json:"filter_bytes"` // 0 without a filter
	FilterHashes int `json:"filter_hashes"`
	// FilterLoad is the share of bits set; FalsePositives the chance at this
	// load that a new key counts as known.
	FilterLoad     float64 `json:"filter_load"`
	FalsePositives float64 `json:"false_positives"`
	// Passes over the corpus that looked for duplicates, and the bytes of the
	// tables that a pass keeps beside a Bloom filter.
	Passes     int `json:"passes"`
	TableBytes int `json:"table_bytes"`
}

const (
	defaultFalsePositiveRate = 1e-6
	// minCounted gives a filter of 1 MiB 30 hash functions.
	minCounted = 200_000
)

// check fills in defaults and refuses what cannot work.
func (c *Config) check() (key *jsonpath.Path, err error) {
	d := &c.Dedupe
	switch {
	case len(c.Documents) == 0:
		return nil, errors.New("no documents are named\nhint: set documents")
	case c.Compat && d.Documents != nil && d.Paragraphs != nil:
		d.Paragraphs = nil // as Dolma, without a word
	}
	set := 0
	for _, given := range []bool{d.Documents != nil, d.Paragraphs != nil, d.Sentences != nil, d.MinHash != nil, d.Substrings != nil} {
		if given {
			set++
		}
	}
	switch {
	case set != 1:
		return nil, errors.New("exactly one of dedupe.documents, paragraphs, sentences, minhash and substrings must be set")
	case c.BloomFilter.File == "" && d.filtered():
		return nil, errors.New("bloom_filter.file is not set: the filter must be kept somewhere")
	case store.Remote(c.BloomFilter.File):
		return nil, fmt.Errorf("bloom_filter.file %s: the filter is kept on this machine\nhint: name a local file, and copy it yourself where it is wanted", c.BloomFilter.File)
	case c.BloomFilter.SizeInBytes < 0 || c.BloomFilter.EstimatedDocCount < 0:
		return nil, errors.New("bloom_filter.size_in_bytes and estimated_doc_count cannot be negative")
	case c.BloomFilter.DesiredFalsePositiveRate < 0 || c.BloomFilter.DesiredFalsePositiveRate >= 1:
		return nil, fmt.Errorf("bloom_filter.desired_false_positive_rate is %g, want a share between 0 and 1", c.BloomFilter.DesiredFalsePositiveRate)
	case d.MinLength < 0 || d.MinWords < 0:
		return nil, errors.New("dedupe.min_length and min_words cannot be negative")
	}
	if d.NumPartitions == 0 {
		d.NumPartitions = 1
	}
	if d.NumPartitions < 0 || d.PartitionIndex < 0 || d.PartitionIndex >= d.NumPartitions {
		return nil, fmt.Errorf("dedupe.partition_index %d does not exist among %d partitions: they count from 0", d.PartitionIndex, d.NumPartitions)
	}
	if d.DocumentDir == "" {
		d.DocumentDir = "documents"
	}
	if c.Memory != "" {
		size, err := config.ParseSize(c.Memory)
		if err != nil {
			return nil, fmt.Errorf("memory: %w", err)
		}
		c.memory = int(min(size, math.MaxInt))
	}
	if !d.filtered() && (d.NumPartitions > 1 || d.FilePartition) {
		return nil, errors.New("dedupe.minhash and substrings have no partitions\nhint: memory bounds what they need, in several passes over the corpus")
	}
	name, key, err := d.attribute()
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, errors.New("the attribute_name is not set")
	}
	if d.Name == "" {
		d.Name = name
	}
	if c.BloomFilter.DesiredFalsePositiveRate == 0 {
		c.BloomFilter.DesiredFalsePositiveRate = defaultFalsePositiveRate
	}
	return key, nil
}

// attribute checks the settings of what is compared, and gives the attribute's
// name and the key of whole documents.
func (s *Settings) attribute() (name string, key *jsonpath.Path, err error) {
	switch {
	case s.MinHash != nil:
		return s.MinHash.AttributeName, nil, s.MinHash.check()
	case s.Substrings != nil:
		return s.Substrings.AttributeName, nil, s.Substrings.check()
	case s.Sentences != nil:
		return s.Sentences.AttributeName, nil, s.Sentences.check()
	case s.Documents != nil:
		if s.Documents.Key == "" {
			return "", nil, errors.New("dedupe.documents.key is not set\nhint: $.text compares the texts")
		}
		if key, err = jsonpath.Parse(s.Documents.Key); err != nil {
			return "", nil, fmt.Errorf("dedupe.documents.key: %w", err)
		}
		return s.Documents.AttributeName, key, nil
	}
	if n := s.Paragraphs.ByNgram; n != nil && (n.NgramLength < 0 || n.Stride < 0) {
		return "", nil, errors.New("dedupe.paragraphs.by_ngram: ngram_length and stride cannot be negative")
	}
	if n := s.Paragraphs.ByNgram; n != nil && !(n.OverlapThreshold >= 0 && n.OverlapThreshold <= 1) {
		return "", nil, fmt.Errorf("dedupe.paragraphs.by_ngram.overlap_threshold is %g, want a share from 0 to 1", n.OverlapThreshold)
	}
	if s.Paragraphs.Separator == "" {
		s.Paragraphs.Separator = "\n"
	}
	return s.Paragraphs.AttributeName, nil, nil
}

// Run marks the duplicates among the documents and writes an attributes file
// beside each documents file. Which of several equal keys is the first, and so
// unmarked, depends on the order of files and rows only, not on the number of
// workers.
//
// Dolma 1.2.1, src/deduper.rs.
func Run(ctx context.Context, cfg Config) (Report, error) {
	key, err := cfg.check()
	if err != nil {
		return Report{}, err
	}
	if cfg.Progress == nil {
		cfg.Progress = new(data.Progress)
	}
	r := run{cfg: &cfg, key: key, pool: data.NewPool(cfg.Processes)}
	r.prepare()
	files, err := cfg.expand()
	if err != nil {
		return Report{}, err
	}
	if cfg.marker != nil {
		return r.serve(ctx, files)
	}
	plan, err := r.plan(files)
	if err != nil {
		return Report{}, err
	}
	if r.stage, err = data.Begin(plan, cfg.Execution); err != nil {
		return Report{}, err
	}
	defer r.stage.Close()
	if err := r.decide(); err != nil {
		return Report{}, err
	}
	cfg.Progress.Files.Add(int64(len(r.documents) - len(r.todo)))
	cfg.Progress.FilesSkipped.Add(int64(len(r.documents) - len(r.todo)))
	r.report.Files = len(r.documents)
	if r.complete() {
		return r.done()
	}
	r.report.FilesKept = len(r.documents) - len(r.todo)
	cfg.Progress.AddFiles(r.files)
	if err := r.mark(ctx); err != nil {
		return r.report, err
	}
	own := wholeReport{Counts: r.report.Counts, Sizes: r.report.Sizes, Clusters: r.report.Clusters, Fresh: r.fresh}
	var marked Counts
	for _, d := range r.todo {
		marked.add(d.counts)
	}
	for _, d := range r.documents {
		r.report.add(d.counts)
	}
	if err := r.nothing(); err != nil {
		return r.report, err
	}
	r.warn(marked)
	for _, d := range r.todo {
		held := r.fills || r.held(d) // a filter that is only read forgets nothing
		if err := r.stage.Finish(d.unit, fileReport{d.counts, held}); err != nil {
			return r.report, err
		}
	}
	if err := r.stage.Finish(r.whole, own); err != nil {
		return r.report, err
	}
	return r.report, r.stage.Commit()
}

// done reports what earlier runs found, of which nothing is left to do.
func (r *run) done() (Report, error) {
	if own := r.stage.Recorded(r.whole); own != nil {
		var was wholeReport
		if json.Unmarshal(own.Report, &was) == nil {
			r.report.Counts, r.report.Sizes, r.report.Clusters = was.Counts, was.Sizes, was.Clusters
		}
	}
	for _, d := range r.documents {
		r.report.add(d.counts)
	}
	r.report.AlreadyDone = true
	if !r.stage.AllDone() {
		return r.report, nil // the filter has grown since, which is no work of this run
	}
	return r.report, r.stage.Commit()
}

// serve marks documents that another stage reads.
func (r *run) serve(ctx context.Context, files []string) (Report, error) {
	r.stage, r.whole, r.files = r.cfg.Stage, r.cfg.Unit, files
	if err := r.decideMarked(files); err != nil {
		return r.report, err
	}
	if err := r.mark(ctx); err != nil {
		return r.report, err
	}
	own := wholeReport{Counts: r.report.Counts, Sizes: r.report.Sizes, Fresh: r.fresh}
	r.report.add(r.now)
	if err := r.nothing(); err != nil {
		return r.report, err
	}
	r.warn(r.now)
	if r.whole == nil || !r.fills {
		return r.report, nil
	}
	return r.report, r.stage.Finish(r.whole, own)
}

// nothing is a data.ErrNothing when no document or paragraph was looked up: there was
// none, or the settings exclude everything, and the empty result should not pass for
// a clean corpus.
func (r *run) nothing() error {
	switch {
	case r.report.Keys > 0 || r.cfg.Dedupe.NumPartitions > 1 || r.cfg.Compat:
		return nil
	case r.report.Documents == 0:
		return r.stage.Nothing("no key was looked up: the files hold no document", "")
	}
	why := fmt.Sprintf("no key was looked up in %d documents (%d without the key, %d skipped)", r.report.Documents, r.report.WithoutKey, r.report.Skipped)
	return r.stage.Nothing(why, "check dedupe.documents.key, min_length and min_words")
}

// nearlyAll tells whether nearly all documents are marked.
func (r *run) nearlyAll(c Counts) bool {
	set := &r.cfg.Dedupe
	// A line that stands in every document makes no corpus of copies.
	if set.Paragraphs != nil && !set.byNgram() && 20*c.Duplicates < 19*c.Keys {
		return false
	}
	return c.Affected > 0 && (c.Affected == c.Documents || c.Documents >= 20 && 20*c.Affected >= 19*c.Documents)
}

// warn tells when nearly all is marked: seldom is a corpus a copy of itself. Where a
// filter was there before it is told of a single file too, which may have been cut out
// of another, or joined from some, that the filter holds.
func (r *run) warn(c Counts) {
	set := &r.cfg.Dedupe
	if !r.nearlyAll(c) {
		if len(r.filled) > 0 && r.fills {
			r.warnOfFiles()
		}
		return
	}
	from := ""
	if set.filtered() && r.cfg.BloomFilter.File != "" && r.keepsFilter() {
		from = fmt.Sprintf(": the Bloom filter %s may hold these documents already", r.cfg.BloomFilter.File)
	}
	r.cfg.Logf("warning: %d of %d documents are marked as duplicates%s", c.Affected, c.Documents, from)
}

func (r *run) warnOfFiles() {
	var first *document
	more := 0
	for _, d := range r.todo {
		switch {
		case !r.nearlyAll(d.counts):
		case first == nil:
			first = d
		default:
			more++
		}
	}
	if first == nil {
		return
	}
	others := ""
	if more > 0 {
		others = fmt.Sprintf(", and nearly all of %d more files", more)
	}
	r.cfg.Logf("warning: %d of %d documents of %s are marked as duplicates%s: the Bloom filter %s may hold these documents already",
		first.counts.Affected, first.counts.Documents, first.path, others, r.cfg.BloomFilter.File)
}

// mark does what the settings ask for.
func (r *run) mark(ctx context.Context) error {
	switch {
	case r.cfg.Dedupe.MinHash != nil:
		return r.byMinHash(ctx)
	case r.cfg.Dedupe.Substrings != nil:
		return r.bySubstrings(ctx)
	}
	return r.byFilter(ctx)
}

// byFilter marks exact duplicates with a Bloom filter.
//
// A filter larger than the memory is cut into parts by the keys' first hashes, and
// the corpus is read once for each. A document's marks need the answers to all of
// its keys, so every pass but the last only notes what its part says, a bit a key in
// the order of the corpus; the last reads these bits beside its own part and writes.
func (r *run) byFilter(ctx context.Context) error {
	plan, err := r.planFilter(ctx)
	if err != nil {
		return err
	}
	r.passes, r.report.Passes = plan.parts, plan.parts
	defer func() {
		for _, a := range r.earlier {
			a.remove()
		}
	}()
	for r.pass = range plan.parts {
		if r.filter, err = r.openFilter(plan); err != nil {
			return err
		}
		if r.pass == 0 {
			defer boundGarbage(r.filter.Size())()
		}
		if r.pass < plan.parts-1 {
			err = r.ask(ctx, plan)
		} else {
			err = r.answer(ctx)
		}
		if err != nil {
			return err
		}
		r.report.FilterBytes, r.report.FilterHashes = r.report.FilterBytes+r.filter.Size(), r.filter.K()
		r.report.FilterLoad += r.filter.Load() / float64(plan.parts)
		r.report.FalsePositives += math.Pow(r.filter.Load(), float64(r.filter.K())) / float64(plan.parts)
		if r.fills && r.keepsFilter() {
			if err := r.writeFilter(r.cfg.BloomFilter.part(r.pass, plan.parts)); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask notes what the filter of this pass says.
func (r *run) ask(ctx context.Context, plan filterPlan) error {
	a, err := newAnswers(r.cfg.BloomFilter.part(r.pass, plan.parts))
	if err != nil {
		return err
	}
	r.earlier = append(r.earlier, a)
	return r.lookUp(ctx, a)
}

// answer is the pass that writes.
func (r *run) answer(ctx context.Context) error {
	for _, a := range r.earlier {
		if err := a.rewind(); err != nil {
			return err
		}
	}
	if err := r.markFiles(ctx); err != nil {
		return err
	}
	for _, a := range r.earlier {
		if a.err != nil {
			return a.err
		}
	}
	return nil
}

// byMinHash marks documents that resemble earlier ones.
func (r *run) byMinHash(ctx context.Context) error {
	set := *r.cfg.Dedupe.MinHash // its passes may change
	s := similar{run: r, set: &set}
	if err := s.plan(ctx); err != nil {
		return err
	}
	if err := s.find(ctx); err != nil {
		return err
	}
	return s.write(ctx)
}

// bySubstrings marks pieces of texts that stand in earlier texts too.
func (r *run) bySubstrings(ctx context.Context) error {
	v := verbatim{run: r, set: r.cfg.Dedupe.Substrings, memory: r.cfg.memory}
	if v.memory == 0 {
		v.memory = defaultSubstringMemory
	}
	if path := v.set.Tokenizer; path != "" {
		var err error
		if v.tok, err = tokenizer.Load(path); err != nil {
			return fmt.Errorf("dedupe.substrings.tokenizer: %w", err)
		}
	}
	if err := v.find(ctx); err != nil {
		return err
	}
	return v.write(ctx)
}

// folder is the name under attributes/, with the partition as Dolma adds it.
func (c *Config) folder() string { return c.suffixed(c.Dedupe.Name) }

func (c *Config) suffixed(name string) string {
	if c.Dedupe.NumPartitions > 1 {
		return fmt.Sprintf("%s_%d", name, c.Dedupe.PartitionIndex)
	}
	return name
}

// attributeFolder is where the attributes of a documents file go, and their way
// from there, with a slash before it: the folder document_dir becomes attributes/<name>. The last suffix
// follows the compression only where the file's own does.
func (c *Config) attributeFolder(doc string) (folder, rest string, err error) {
	if err := data.CheckAttributeName(c.folder()); err != nil {
		return "", "", err
	}
	dir := strings.Trim(filepath.ToSlash(c.Dedupe.DocumentDir), "/")
	slashed := "/" + filepath.ToSlash(doc)
	i := strings.Index(slashed, "/"+dir+"/")
	if i < 0 {
		return "", "", fmt.Errorf("%s is in no folder called %s\nhint: set dedupe.document_dir", doc, dir)
	}
	folder = slashed[:i] + "/attributes/" + c.folder()
	return fromSlash(folder[1:]), data.RowsName(slashed[i+len(dir)+1:]), nil
}

// fromSlash is filepath.FromSlash for a path, not for an address.
func fromSlash(path string) string {
	if store.Remote(path) {
		return path
	}
	return filepath.FromSlash(path)
}
