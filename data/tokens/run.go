package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"olmo/data"
	"olmo/data/store"
	"olmo/proof"
)

// Encoder turns a text into ids, without special tokens. It is used from
// several goroutines. *tokenizer.Tokenizer is one.
type Encoder interface {
	AppendEncode(dst []int32, text string) ([]int32, error)
}

// Config says what to encode and how to write it. The zero value of each key
// is Dolma's default unless it says otherwise.
type Config struct {
	Documents      []string `yaml:"documents" help:"documents files, folders or globs"` // one that is named twice is read once
	data.Execution `yaml:",inline"`
	BatchSize      int    `yaml:"batch_size" limits:"0.." help:"documents that are shuffled with each other"` // 0 is 10,000
	RingSize       int    `yaml:"ring_size" limits:"0.." help:"input files that are read in turns"`           // 0 is 8
	Fields         Fields `yaml:"fields"`
	SampleRingProp bool   `yaml:"sample_ring_prop" help:"read in proportion to the files' sizes instead of in turns"`
	MaxSize        int    `yaml:"max_size" limits:"0.." help:"most tokens in a file"` // never quite reached; 0 is 2^30
	DType          DType  `yaml:"dtype" help:"uint16, or uint32 for a vocabulary above 65,536"`
	// Seed decides the order of files and documents. Dolma accepts one and
	// does not use it.
	Seed uint64 `yaml:"seed" limits:"0.." help:"decides the order of files and documents"`

	Destination string  `yaml:"-"` // folder of the token files
	Encoder     Encoder `yaml:"-"`
	// Tokenizer identifies the encoder in the record of the run, for example
	// by the SHA-256 of its file.
	Tokenizer string `yaml:"-"`
	// At least one of BOS and EOS is set; they are added where a document does
	// not begin or end with them already.
	BOS *int32 `yaml:"-"`
	EOS *int32 `yaml:"-"`
	// Segment encodes the paragraphs of a text one by one. PrefixSpace then
	// says that the tokenizer puts a space before every text, which the later
	// paragraphs must not keep.
	Segment     bool `yaml:"-"`
	PrefixSpace bool `yaml:"-"`
	// FilesPerGroup cuts the shuffled files into groups of so many, each with
	// its own part-I files; 0 makes one group. Dolma makes as many groups as it
	// has processes, so that its files depend on them; Compat does too.
	FilesPerGroup int `yaml:"-"`
}

// Fields names the values of a row, as dotted paths.
type Fields struct {
	Text     string `yaml:"text_field_name" help:"dotted path of the text"` // "text" when empty
	TextType string `yaml:"text_field_type" json:"-" help:"str"`            // nothing else is a text
	// ID is "id" when nil. When it points to "" the rows need none: the id is
	// the SHA-256 of the file's name, a hyphen and the line.
	ID     *string `yaml:"id_field_name" help:"dotted path of the id; null makes ids from file and line"`
	IDType string  `yaml:"id_field_type" help:"str, int or float"` // "str" when empty
}

// Report says what a run wrote.
type Report struct {
	Documents   int64    `json:"documents"`
	Empty       int64    `json:"empty"` // without text, left out
	Rejected    int64    `json:"rejected"`
	Tokens      int64    `json:"tokens"` // BOS and EOS included
	Bytes       int64    `json:"bytes"`  // of text, without white space around
	Files       []string `json:"files"`  // token files
	AlreadyDone bool     `json:"already_done"`

	// Parts is the number of token files of one group, in the record.
	Parts int `json:"parts,omitempty"`
}

func (c *Config) check() error {
	switch {
	case len(c.Documents) == 0:
		return errors.New("no documents are named\nhint: set documents")
	case c.Destination == "":
		return errors.New("destination is not set")
	case c.Encoder == nil:
		return errors.New("there is no tokenizer")
	case c.BOS == nil && c.EOS == nil:
		return errors.New("neither bos_token_id nor eos_token_id is set: documents would run into each other")
	case c.BatchSize < 0 || c.RingSize < 0 || c.MaxSize < 0 || c.FilesPerGroup < 0:
		return errors.New("batch_size, ring_size, max_size and files_per_process cannot be negative")
	}
	if c.BatchSize == 0 {
		c.BatchSize = 10_000
	}
	if c.RingSize == 0 {
		c.RingSize = 8
	}
	if c.MaxSize == 0 {
		c.MaxSize = 1 << 30
	}
	if c.DType == "" {
		c.DType = Uint16
	}
	if c.DType.Size() == 0 {
		_, err := ParseDType(string(c.DType))
		return err
	}
	if c.Fields.Text == "" {
		c.Fields.Text = "text"
	}
	if t := c.Fields.TextType; t != "" && t != "str" && t != "string" {
		return fmt.Errorf("fields.text_field_type is %q, only strings can be encoded", t)
	}
	if c.Fields.ID == nil {
		id := "id"
		c.Fields.ID = &id
	}
	switch c.Fields.IDType {
	case "":
		c.Fields.IDType = "str"
	case "str", "string", "int", "integer", "float", "number":
	default:
		return fmt.Errorf("fields.id_field_type is %q, want str, int or float", c.Fields.IDType)
	}
	return nil
}

// group is the files that become one row of part files.
type group struct {
	prefix string // part-0
	files  []string
}

// Run encodes documents into token files. They depend on the documents and the
// configuration only, not on the number of workers.
//
// Dolma 1.2.1, python/dolma/tokenizer/executor.py.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if err := cfg.check(); err != nil {
		return Report{}, err
	}
	files, err := cfg.files()
	if err != nil {
		return Report{}, err
	}
	groups := cfg.groups(files)
	plan := cfg.plan(files, groups)
	stage, err := data.Begin(plan, cfg.Execution)
	if err != nil {
		return Report{}, err
	}
	defer stage.Close()
	byUnit := map[*data.Unit]int{}
	stage.Progress.AddFiles(files)
	for i, u := range plan.Units {
		byUnit[u] = i
		if _, ok := stage.Done(u); ok {
			stage.Progress.FilesSkipped.Add(int64(len(groups[i].files)))
		}
	}
	already := stage.AllDone()
	pool := data.NewPool(cfg.Processes)
	turns := &turns{free: pool.Workers()}
	err = stage.Run(ctx, pool, func(ctx context.Context, u *data.Unit) error {
		// Chance is drawn by the reader and by the writer, which run at the
		// same time: each has a generator of its own.
		i := byUnit[u]
		e := encoder{
			cfg: &cfg, stage: stage, unit: u, group: groups[i], turns: turns,
			ahead:   make(chan struct{}, lotsAhead*pool.Workers()),
			chances: newPCG64(seedWords(cfg.Seed, uint64(2*i+1))), shuffles: newPCG64(seedWords(cfg.Seed, uint64(2*i+2))),
		}
		if err := e.run(ctx); err != nil {
			return err
		}
		return stage.Finish(u, e.report)
	})
	total := Report{AlreadyDone: already}
	for _, u := range plan.Units {
		var r Report
		if text, ok := stage.Done(u); !ok || json.Unmarshal(text, &r) != nil {
			continue
		}
		total.Documents += r.Documents
		total.Empty += r.Empty
		total.Rejected += r.Rejected
		total.Tokens += r.Tokens
		total.Bytes += r.Bytes
		for k := range r.Parts {
			total.Files = append(total.Files, cfg.file(u.Key, k))
		}
	}
	if err != nil {
		return total, err
	}
	if total.Documents == 0 {
		why := fmt.Sprintf("no document has text in %d files (%d rows without text, %d bad lines)", len(files), total.Empty, total.Rejected)
		return total, stage.Nothing(why, "check fields.text_field_name")
	}
	if err := stage.Commit(); err != nil {
		return total, err
	}
	return total, cfg.strangers(total.Files)
}

// files lists the documents.
func (c *Config) files() ([]string, error) {
	files, err := c.ExpandDocuments(c.Documents)
	if err != nil {
		return nil, err
	}
	return data.WithoutMade(files, c.Documents, c.record(), "tokens")
}

// record lies beside the destination, where no glob over the token files finds it.
func (c *Config) record() string { return store.Clean(c.Destination) + ".tokens.json" }

// tokenFile matches the names of token files, of their places and of their leaves.
var tokenFile = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^part-[0-9]+-[0-9]{5,}\.(npy|npy\.leaves|csv\.gz)$`)
})

// plan says what the run reads and writes: each group is a unit.
func (c *Config) plan(files []string, groups []group) data.Plan {
	processes := 0
	if c.Compat { // see groups
		processes = c.Processes
	}
	plan := data.Plan{
		Stage: "tokens", Locks: []string{store.Clean(c.Destination)},
		// The names of the documents' files stand in the places, and decide the
		// order of the documents.
		Settings: struct {
			Files                              []string
			Tokenizer                          string
			BOS, EOS                           *int32
			Segment, PrefixSpace               bool
			Fields                             Fields
			FilesPerGroup, BatchSize, RingSize int
			SampleRingProp                     bool
			MaxSize                            int
			DType                              DType
			Seed                               uint64
			Processes                          int
		}{
			files, c.Tokenizer, c.BOS, c.EOS, c.Segment, c.PrefixSpace, c.Fields, c.FilesPerGroup,
			c.BatchSize, c.RingSize, c.SampleRingProp, c.MaxSize, c.DType, c.Seed, processes,
		},
		Own: func(name string) bool {
			folder := store.Dir(name)
			return store.Clean(folder) == store.Clean(c.Destination) && tokenFile().MatchString(name[strings.LastIndexAny(name, `/\`)+1:])
		},
	}
	for _, g := range groups {
		u := &data.Unit{Record: c.record(), Key: g.prefix, Inputs: g.files}
		for _, f := range g.files {
			u.Rejects = append(u.Rejects, data.RejectsPath(f, "tokens"))
		}
		plan.Units = append(plan.Units, u)
	}
	return plan
}

// file is the name of a group's token file.
func (c *Config) file(prefix string, part int) string {
	return store.Join(c.Destination, fmt.Sprintf("%s-%05d.npy", prefix, part))
}

// strangers warns of token files in the destination that this run did not make:
// they would be read together with its own.
func (c *Config) strangers(files []string) error {
	if store.Remote(c.Destination) {
		return nil
	}
	entries, err := os.ReadDir(c.Destination)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := filepath.Join(c.Destination, e.Name()); filepath.Ext(name) == ".npy" && !slices.Contains(files, name) {
			c.Logf("warning: %s is not of this run, and will be read together with its token files", name)
		}
	}
	return nil
}

// groups shuffles the files and cuts them into groups, as Dolma does: NumPy's shuffle,
// and a step that may be no whole number, whose multiples are rounded as Python rounds
// them, a half to the even side. So groups differ by a file at most, and which file is
// in which group is a function of the seed and the sorted list of files. With compat
// the number of workers counts too, as it does there; without it outputs must not
// depend on it.
func (c *Config) groups(files []string) []group {
	rng := newPCG64(seedWords(c.Seed, 0))
	shuffled := append([]string(nil), files...)
	for i := len(shuffled) - 1; i > 0; i-- {
		j := rng.interval(uint32(i))
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	}
	step := float64(len(shuffled))
	if c.Compat {
		step /= float64(max(c.Processes, 1))
	}
	if n := float64(c.FilesPerGroup); n > 0 {
		step = math.Min(step, n)
	}
	var out []group
	for at := 0.0; at < float64(len(shuffled)); at += step {
		from, to := math.RoundToEven(at), math.RoundToEven(at+step)
		if to = math.Min(to, float64(len(shuffled))); from < to {
			out = append(out, group{files: shuffled[int(from):int(to)]})
		}
	}
	digits := int(math.Ceil(math.Log10(float64(len(out) + 1))))
	for i := range out {
		out[i].prefix = fmt.Sprintf("part-%0*d", digits, i)
	}
	return out
}

// encoder makes the files of one group: documents are drawn from a ring of
// files, encoded in parallel, shuffled batch by batch and written in order.
type encoder struct {
	cfg    *Config
	stage  *data.Stage
	unit   *data.Unit
	group  group
	turns  *turns
	ahead  chan struct{} // holds what is read and not yet encoded, in lots
	report Report

	// Of the reader.
	ring    []*source
	waits   []string // files that are not in the ring yet; the last is next
	chances *pcg64

	// Of the writer.
	w        *writer
	shuffles *pcg64
}

// item is a document on its way.
type item struct {
	id, src string
	loc     int64
	text    string
	ids     []byte     // in the files' own type
	aside   *aside     // in place of ids, of a long document
	sum     proof.Hash // of the ids
	bytes   int
	err     error // the encoder gave an id that the type cannot hold
}

func (e *encoder) run(ctx context.Context) (err error) {
	defer func() {
		for _, s := range e.ring {
			s.close()
		}
		if e.w != nil {
			e.w.abort()
		}
	}()
	e.waits = append([]string(nil), e.group.files...)
	for range min(e.cfg.RingSize, len(e.waits)) {
		if err := e.refill(); err != nil {
			return err
		}
	}
	// While one batch is encoded the next is read; both are in memory.
	batches := make(chan *batch, 1)
	ctx, cancel := context.WithCancel(ctx)
	var readErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(batches)
		for len(e.ring) > 0 && readErr == nil {
			b := &batch{cfg: e.cfg, progress: e.stage.Progress, turns: e.turns, ahead: e.ahead}
			e.turns.takeToRead()
			readErr = e.draw(ctx, b)
			b.flush()
			e.turns.give()
			select {
			case batches <- b:
			case <-ctx.Done():
				b.drop()
				return
			}
		}
	})
	defer wg.Wait()
	defer func() {
		cancel()
		for b := range batches {
			b.drop()
		}
	}()
	for b := range batches {
		b.wait()
		if err := ctx.Err(); err != nil {
			b.drop()
			return err
		}
		e.report.Empty += b.empty
		e.report.Rejected += b.rejected
		if err := e.write(b.items); err != nil {
			b.drop()
			return err
		}
	}
	if readErr != nil {
		return readErr
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.w != nil {
		if err := e.closeFile(); err != nil {
			return err
		}
	}
	return nil
}

// refill takes the next file into the ring.
func (e *encoder) refill() error {
	n := len(e.waits) - 1
	s, err := openSource(e.cfg, e.stage, e.unit, e.waits[n])
	if err != nil {
		return err
	}
	e.waits = e.waits[:n]
	e.ring = append(e.ring, s)
	return nil
}

// draw fills a batch from the ring, in turns or by chance. The caller has a turn to
// read, which is given away while there is enough to encode.
func (e *encoder) draw(ctx context.Context, b *batch) error {
	for i := range e.cfg.BatchSize {
		if b.text >= maxBatchText {
			return nil
		}
		if len(e.ring) == 0 {
			if len(e.waits) == 0 {
				return nil
			}
			if err := e.refill(); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		j := i % len(e.ring)
		if e.cfg.SampleRingProp {
			j = e.chance()
		}
		s := e.ring[j]
		it, err := s.next(b)
		if err == nil {
			if b.add(it) {
				b.flush()
			}
			continue
		}
		if err != io.EOF {
			return err
		}
		// As in Dolma, the end of a file uses up a turn.
		if err := s.finish(b); err != nil {
			return err
		}
		e.stage.Progress.FilesDone.Add(1)
		e.ring = append(e.ring[:j], e.ring[j+1:]...)
		if len(e.ring) > 0 && len(e.waits) > 0 {
			if err := e.refill(); err != nil {
				return err
			}
		}
	}
	return nil
}

// chance draws a file of the ring in proportion to its size.
func (e *encoder) chance() int {
	var total int64
	for _, s := range e.ring {
		total += s.size
	}
	at := int64(float64(e.chances.uint64()>>11) / (1 << 53) * float64(total))
	for j, s := range e.ring {
		if at -= s.size; at < 0 {
			return j
		}
	}
	return len(e.ring) - 1
}

// write shuffles a batch and writes it, with new files as they fill up.
func (e *encoder) write(items []*item) error {
	e.shuffle(items)
	for len(items) > 0 {
		it := items[0]
		n := len(it.ids) / e.cfg.DType.Size()
		if it.aside != nil {
			n = int(it.aside.size) / e.cfg.DType.Size()
		}
		if it.err != nil {
			return it.err
		}
		if n >= e.cfg.MaxSize {
			// Dolma would open empty files for ever.
			return fmt.Errorf("%s:%d: document %q has %d tokens, more than fit into a file of fewer than %d\nhint: raise max_size", it.src, it.loc, it.id, n, e.cfg.MaxSize)
		}
		if e.w != nil && e.w.n+int64(n) >= int64(e.cfg.MaxSize) {
			if err := e.closeFile(); err != nil {
				return err
			}
			e.shuffle(items)
			continue
		}
		if e.w == nil {
			var err error
			if e.w, err = createWriter(e.stage, e.unit, e.cfg.file(e.group.prefix, e.report.Parts), e.cfg.DType); err != nil {
				return err
			}
		}
		if err := e.w.write(it); err != nil {
			return err
		}
		it.drop()
		e.report.Documents++
		e.report.Tokens += int64(n)
		e.report.Bytes += int64(it.bytes)
		items[0] = nil
		items = items[1:]
	}
	return nil
}

func (e *encoder) shuffle(items []*item) {
	for i := len(items) - 1; i > 0; i-- {
		j := e.shuffles.interval(uint32(i))
		items[i], items[j] = items[j], items[i]
	}
}

func (e *encoder) closeFile() error {
	err := e.w.close()
	e.w = nil
	e.report.Parts++
	return err
}

// batch collects documents and hands them to workers in small lots.
type batch struct {
	cfg             *Config
	progress        *data.Progress
	turns           *turns
	ahead           chan struct{}
	items           []*item
	empty, rejected int64
	text            int // bytes in items
	lot             []*item
	bytes           int // of text in lot
	wg              sync.WaitGroup
}

const (
	// lotBytes of text are encoded by one goroutine at a time.
	lotBytes = 128 << 10
	// lotsAhead is how many lots are read ahead for each worker.
	lotsAhead = 4
	// maxBatchText ends a batch of long documents early, so that memory does
	// not depend on them.
	maxBatchText = 32 << 20
)

// add takes a document, and says when it is time to flush.
func (b *batch) add(it *item) (full bool) {
	b.items = append(b.items, it)
	b.lot = append(b.lot, it)
	b.text += len(it.text)
	b.bytes += len(it.text)
	return b.bytes >= lotBytes
}

// flush lets a worker encode the lot, as soon as there is a turn. The caller has
// one, which it gives away while too much is read ahead. A large document counts as
// many lots, so that few of them are in memory.
func (b *batch) flush() {
	lot, size := b.lot, min(max(b.bytes/lotBytes, 1), cap(b.ahead)/2)
	b.lot, b.bytes = nil, 0
	if len(lot) == 0 {
		return
	}
	waits := false
	for range size {
		select {
		case b.ahead <- struct{}{}:
			continue
		default:
		}
		if !waits {
			waits = true
			b.turns.give()
		}
		b.ahead <- struct{}{}
	}
	if waits {
		defer b.turns.takeToRead()
	}
	b.wg.Go(func() {
		b.turns.takeToEncode()
		defer func() {
			b.turns.give()
			for range size {
				<-b.ahead
			}
		}()
		var ids []int32
		for _, it := range lot {
			ids, it.err = b.cfg.encode(ids[:0], it.text)
			it.bytes, it.text = len(it.text), ""
			if it.err == nil {
				it.err = it.store(ids, b.cfg.DType)
			}
			if it.err != nil {
				it.err = fmt.Errorf("%s:%d: %w", it.src, it.loc, it.err)
			}
		}
		b.progress.Documents.Add(int64(len(lot)))
	})
}

func (b *batch) wait() { b.wg.Wait() }

// drop gives up what was not written.
func (b *batch) drop() {
	b.wait()
	for _, it := range b.items {
		it.drop()
	}
}

// store keeps the ids of a document until it is written.
func (it *item) store(ids []int32, dtype DType) (err error) {
	size := len(ids) * dtype.Size()
	if size >= asideBytes {
		it.aside, it.sum, err = layAside(ids, dtype)
		return err
	}
	it.ids, err = AppendIDs(make([]byte, 0, size), ids, dtype)
	it.sum = proof.Sum(it.ids)
	return err
}

func (it *item) drop() {
	if it != nil && it.aside != nil { // an item that was written is nil
		it.aside.f.Close()
		it.aside = nil
	}
}

// AppendIDs stores ids in the type of a token file.
func AppendIDs(dst []byte, ids []int32, dtype DType) ([]byte, error) {
	limit := uint64(math.MaxInt32)
	if n := dtype.Size(); n < 4 {
		limit = 1<<(8*n) - 1
	}
	for _, id := range ids {
		if id < 0 || uint64(id) > limit {
			return nil, fmt.Errorf("token id %d does not fit into %s\nhint: set dtype to uint32", id, dtype)
		}
		switch dtype {
		case Uint8:
			dst = append(dst, byte(id))
		case Uint16:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(id))
		case Uint32:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(id))
		case Uint64:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(id))
		}
	}
	return dst, nil
}

// encode is Tokenizer.encode of Dolma: ids, with BOS and EOS unless the text
// brings them along.
func (c *Config) encode(dst []int32, text string) ([]int32, error) {
	if c.BOS != nil {
		dst = append(dst, *c.BOS)
	}
	start := len(dst)
	var err error
	if c.Segment {
		dst, err = c.encodeSegments(dst, text)
	} else {
		dst, err = c.Encoder.AppendEncode(dst, text)
	}
	if err != nil || len(dst) == start {
		return dst[:0], err
	}
	if c.BOS != nil && dst[start] == *c.BOS {
		dst = append(dst[:start-1], dst[start:]...)
	}
	if c.EOS != nil && dst[len(dst)-1] != *c.EOS {
		dst = append(dst, *c.EOS)
	}
	return dst, nil
}

// encodeSegments encodes each paragraph alone; all but the first begin with
// the newlines before them (split_into_paragraphs, `(^\n*|\n+)[^\n]*`).
func (c *Config) encodeSegments(dst []int32, text string) ([]int32, error) {
	var err error
	for at := 0; at < len(text); {
		end := at
		for end < len(text) && text[end] == '\n' {
			end++
		}
		if n := strings.IndexByte(text[end:], '\n'); n >= 0 {
			end += n
		} else {
			end = len(text)
		}
		if at == 0 || !c.PrefixSpace {
			dst, err = c.Encoder.AppendEncode(dst, text[at:end])
		} else {
			// One more space takes the tokenizer's own along, and goes.
			start := len(dst)
			dst, err = c.Encoder.AppendEncode(dst, " "+text[at:end])
			if len(dst) > start {
				dst = append(dst[:start], dst[start+1:]...)
			}
		}
		if err != nil {
			return dst, err
		}
		at = end
	}
	return dst, nil
}

// source reads the documents of one file.
type source struct {
	cfg     *Config
	path    string
	r       *data.Reader
	rejects *data.Rejects
	size    int64
	hash    string
	text    []string
	id      []string
	fields  []data.Field
}

func openSource(cfg *Config, stage *data.Stage, unit *data.Unit, path string) (*source, error) {
	r, err := stage.Open(path, stage.Progress)
	if err != nil {
		return nil, err
	}
	s := &source{cfg: cfg, path: path, r: r, text: strings.Split(cfg.Fields.Text, ".")}
	if info, err := store.Stat(path); err == nil {
		s.size = max(info.Size, 1)
	}
	if id := *cfg.Fields.ID; id != "" {
		s.id = strings.Split(id, ".")
	} else {
		sum := sha256.Sum256([]byte(path))
		s.hash = hex.EncodeToString(sum[:])
	}
	s.rejects = stage.Rejects(unit, data.RejectsPath(path, "tokens"))
	return s, nil
}

func (s *source) close() {
	s.r.Close()
	s.rejects.Abort()
}

func (s *source) finish(b *batch) error {
	b.rejected += s.rejects.Count
	s.r.Close()
	return s.rejects.Close()
}

// next returns the following document that has text.
func (s *source) next(b *batch) (*item, error) {
	for {
		line, err := s.r.NextLine()
		if bad, ok := err.(*data.RecordError); ok {
			if err := s.rejects.Add(bad); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		it, err := s.item(line)
		if err != nil {
			if err := s.rejects.Add(s.r.BadLine(line, err)); err != nil {
				return nil, err
			}
			continue
		}
		if it.text == "" {
			b.empty++
			continue
		}
		return it, nil
	}
}

func (s *source) item(line data.Line) (*item, error) {
	if !utf8.Valid(line.Bytes) {
		return nil, errors.New("the line is not valid UTF-8")
	}
	var err error
	if s.fields, err = data.AppendFields(s.fields[:0], line.Bytes); err != nil {
		return nil, err
	}
	it := &item{src: s.path, loc: line.Number}
	v, err := s.value(s.text)
	if err != nil {
		return nil, err
	}
	text, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("%s is no string", s.cfg.Fields.Text)
	}
	// The text must not keep the whole line in memory, and does not: decoding
	// has copied it.
	it.text = strings.TrimFunc(text, isPythonSpace)
	if s.id == nil {
		it.id = fmt.Sprintf("%s-%d", s.hash, line.Number)
		return it, nil
	}
	if v, err = s.value(s.id); err != nil {
		return nil, err
	}
	switch id := v.(type) {
	case string:
		if t := s.cfg.Fields.IDType; t != "str" && t != "string" {
			return nil, fmt.Errorf("%s is a string, want a number (fields.id_field_type)", *s.cfg.Fields.ID)
		}
		it.id = id
	case int, float64:
		if t := s.cfg.Fields.IDType; t == "str" || t == "string" {
			return nil, fmt.Errorf("%s is a number, want a string\nhint: set fields.id_field_type", *s.cfg.Fields.ID)
		}
		it.id = fmt.Sprint(id)
	default:
		return nil, fmt.Errorf("%s is %T, want %s", *s.cfg.Fields.ID, v, s.cfg.Fields.IDType)
	}
	return it, nil
}

// value follows a dotted path into the line.
func (s *source) value(path []string) (any, error) {
	fields := s.fields
	for i, key := range path {
		var raw json.RawMessage
		for j := len(fields) - 1; j >= 0 && raw == nil; j-- { // the last of two equal keys counts
			if fields[j].Key == key {
				raw = fields[j].Value
			}
		}
		if raw == nil {
			return nil, fmt.Errorf("there is no %s", strings.Join(path[:i+1], "."))
		}
		if i == len(path)-1 {
			return data.DecodeValue(raw)
		}
		var err error
		if fields, err = data.AppendFields(nil, raw); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(path[:i+1], "."), err)
		}
	}
	return nil, errors.New("a field has no name")
}

// isPythonSpace is str.isspace of Python, which counts the four separators
// U+001C to U+001F too.
func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
