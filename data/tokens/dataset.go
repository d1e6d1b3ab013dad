package tokens

import (
	"errors"
	"fmt"
	"math"
	"sort"

	"olmo/data/store"
)

// DatasetConfig says which files make a training set and how they are cut.
type DatasetConfig struct {
	Paths []string // token files, in the order that numbers the instances
	// LabelMaskPaths is empty or as long as Paths: files of one byte per
	// token, 0 where the token is no target.
	LabelMaskPaths []string
	DType          DType  // of the token files, Uint16 when empty
	ChunkSize      int    // tokens per instance, T; the most that one has where lengths vary, or a row in layout Rows
	Layout         Layout // Chunks when empty
	Filter         *InstanceFilter
	// DocLens asks for the lengths of the documents in each instance, which
	// end after each EOS.
	DocLens bool
	EOS     int32
	// Take is empty or as long as Paths: how many instances of each file are used at
	// most, from its first.
	Take []int
	// PAD fills up instances whose documents are shorter.
	PAD int32
	// Long says what becomes of documents longer than an instance in layout Packed, which puts the
	// documents of so many files together as SourceGroup says (0 counts as 1).
	Long        LongDocuments
	SourceGroup int
	// MinLength is the least length of layout Variable. What is shorter is not used.
	MinLength int
	// RowGroup of layout Rows is how many rows make an instance, one after the other; 0 counts as 1.
	RowGroup int
	// Of layout Interleaved: how many documents an instance holds, in how many pieces each, the
	// seed that brings them together, and files whose documents stay alone.
	DocsPerInstance, ChunksPerDoc int
	InterleaveSeed                uint64
	Exempt                        []string
	// Index is a folder in which WriteIndex may have left where documents end.
	Index string
}

// InstanceFilter masks instances in which an n-gram repeats: one of a period
// from MinPeriod to MaxPeriod tokens that is seen MaxCount times or more in a
// row. OLMo's defaults are 1, 13 and 32.
type InstanceFilter struct {
	MinPeriod, MaxPeriod, MaxCount int
}

// DefaultInstanceFilter is the one that OLMo 2 trained with.
var DefaultInstanceFilter = InstanceFilter{MinPeriod: 1, MaxPeriod: 13, MaxCount: 32}

// Keep tells whether an instance trains. It agrees with _validate_instance and
// find_periodic_sequences of OLMo (olmo/data/memmap_dataset.py, util.py),
// which find a repetition from three times on and look at no period above a
// third of the instance.
func (f InstanceFilter) Keep(ids []int32) bool {
	for p := max(f.MinPeriod, 1); p <= min(f.MaxPeriod, len(ids)/3); p++ {
		run := 0 // tokens equal to the one a period earlier
		for i := p; i < len(ids); i++ {
			if ids[i] != ids[i-p] {
				run = 0
				continue
			}
			run++
			if times := (run + p) / p; times >= f.MaxCount && times > 2 {
				return false
			}
		}
	}
	return true
}

// A Dataset is a list of token files cut into instances of ChunkSize tokens;
// what is left of each file after its last whole chunk is not used. The
// methods may be called from several goroutines.
type Dataset struct {
	cfg   DatasetConfig
	files []*File
	masks []store.File
	// remote tells that files lie on a server: instances are read several at a time.
	remote bool
	ends   []int // ends[i] is the number of instances in files 0 to i, in layout Chunks
	assembly
	buckets   []bucket           // of layout Variable
	documents map[string][]int64 // the ends in each file, until WriteIndex
}

// OpenDataset opens all files and numbers the instances.
func OpenDataset(cfg DatasetConfig) (_ *Dataset, err error) {
	if cfg.DType == "" {
		cfg.DType = Uint16
	}
	if cfg.Layout == "" {
		cfg.Layout = Chunks
	}
	switch {
	case !isLayout(cfg.Layout):
		return nil, fmt.Errorf("the layout %q is not known\nhint: one of fsl, padded_fsl, packed_fsl, interleaved_fsl, vsl, rows", cfg.Layout)
	case len(cfg.Paths) == 0:
		return nil, errors.New("the data set names no token files")
	case cfg.ChunkSize <= 0:
		return nil, fmt.Errorf("an instance of %d tokens is not possible\nhint: set max_sequence_length", cfg.ChunkSize)
	case len(cfg.LabelMaskPaths) != 0 && len(cfg.LabelMaskPaths) != len(cfg.Paths):
		return nil, fmt.Errorf("%d label mask files for %d token files: there must be one each", len(cfg.LabelMaskPaths), len(cfg.Paths))
	case len(cfg.Take) != 0 && len(cfg.Take) != len(cfg.Paths):
		return nil, fmt.Errorf("%d limits for %d token files: there must be one each", len(cfg.Take), len(cfg.Paths))
	}
	d := &Dataset{cfg: cfg}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.files, err = openAll(cfg.Paths, cfg.DType); err != nil {
		return nil, err
	}
	if err := checkWidths(d.files); err != nil {
		return nil, err
	}
	for i, path := range cfg.LabelMaskPaths {
		m, err := store.Open(path)
		if err != nil {
			return nil, fmt.Errorf("opening label mask: %w", err)
		}
		d.masks = append(d.masks, m)
		if got, want := m.Info().Size/int64(cfg.ChunkSize), int64(d.files[i].Len()/cfg.ChunkSize); got != want {
			return nil, fmt.Errorf("label mask %s holds %d instances, token file %s holds %d", path, got, cfg.Paths[i], want)
		}
	}
	for _, path := range cfg.Paths {
		d.remote = d.remote || store.Remote(path)
	}
	if d.knowsDocuments() {
		if err := d.assemble(); err != nil {
			return nil, fmt.Errorf("cutting documents into instances: %w", err)
		}
	} else {
		n := 0
		for i, f := range d.files {
			k := f.Len() / cfg.ChunkSize
			if len(cfg.Take) != 0 {
				k = min(k, cfg.Take[i])
			}
			n += k
			d.ends = append(d.ends, n)
		}
	}
	n := d.Len()
	if n >= math.MaxUint32 {
		return nil, fmt.Errorf("the data set has %d instances, the order holds at most %d", n, math.MaxUint32-1)
	}
	if n == 0 {
		return nil, fmt.Errorf("the data set is empty: its %d files hold no instance of %d tokens\nhint: shorten max_sequence_length or add data", len(d.files), cfg.ChunkSize)
	}
	return d, nil
}

// Close closes all files.
func (d *Dataset) Close() error {
	var errs []error
	for _, f := range d.files {
		errs = append(errs, f.Close())
	}
	for _, f := range d.masks {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Len is the number of instances.
func (d *Dataset) Len() int {
	a := &d.assembly
	switch {
	case !d.knowsDocuments():
		return d.ends[len(d.ends)-1]
	case d.cfg.Layout == Interleaved:
		return len(a.exempt) + len(a.mixed)/d.cfg.DocsPerInstance
	case a.ends != nil:
		return len(a.ends)
	}
	return len(a.parts)
}

// ChunkSize is the number of tokens in an instance, or the most where lengths vary.
func (d *Dataset) ChunkSize() int { return d.cfg.ChunkSize }

// Locate says where instance i lies: the path of its file and the position of
// its first token there; Parts says it of all its tokens. It panics when i is out of range, as a slice does.
func (d *Dataset) Locate(i int) (path string, start int) {
	p := d.Parts(i)[0]
	return p.Path, int(p.Start)
}

func (d *Dataset) locate(i int) (file, start int) {
	if i < 0 || i >= d.Len() {
		panic(fmt.Sprintf("tokens: instance %d of a data set of %d", i, d.Len()))
	}
	file = sort.SearchInts(d.ends, i+1)
	if file > 0 {
		i -= d.ends[file-1]
	}
	return file, i * d.cfg.ChunkSize
}

// File is the number, among Paths, of the file that instance i or its first document is from.
func (d *Dataset) File(i int) int {
	if d.knowsDocuments() {
		return int(d.parts(i)[0].file)
	}
	file, _ := d.locate(i)
	return file
}

// Length is the number of tokens of instance i.
func (d *Dataset) Length(i int) int {
	if d.cfg.Layout == Variable || d.cfg.Layout == Rows {
		n := 0
		for _, p := range d.parts(i) {
			n += int(p.n)
		}
		return n
	}
	return d.cfg.ChunkSize
}

// MeanLength is the mean number of tokens of an instance.
func (d *Dataset) MeanLength() float64 {
	sum := 0
	for i := range d.Len() {
		sum += d.Length(i)
	}
	return float64(sum) / float64(max(d.Len(), 1))
}

// rowLengths are the tokens of each row of instance i in layout Rows.
func (d *Dataset) rowLengths(i int) (lens []int) {
	for _, p := range d.parts(i) {
		lens = append(lens, int(p.n))
	}
	return lens
}

// Examples is what instances of a batch count as among those of an epoch: where lengths vary,
// as many as would have their tokens at full length.
func (d *Dataset) Examples(instances []uint32) int {
	if d.cfg.Layout == Rows {
		return len(instances)
	}
	return d.Tokens(instances) / d.cfg.ChunkSize
}

// Tokens is the number of tokens of instances, padding that is part of one included.
func (d *Dataset) Tokens(instances []uint32) int {
	if d.cfg.Layout != Rows {
		if len(instances) == 0 {
			return 0
		}
		return len(instances) * d.Length(int(instances[0]))
	}
	n := 0
	for _, i := range instances {
		n += d.Length(int(i))
	}
	return n
}

// Read fills ids with instance i and, where the set has label masks or padding, mask.
// Both hold Length(i) values; mask may be nil. It panics when i is out of
// range.
func (d *Dataset) Read(ids []int32, mask []bool, i int) error {
	if d.knowsDocuments() {
		return d.readAssembled(ids, mask, i)
	}
	file, start := d.locate(i)
	if err := d.files[file].Read(ids[:d.cfg.ChunkSize], start); err != nil || mask == nil {
		return err
	}
	return d.readMask(mask[:d.cfg.ChunkSize], file, start)
}

// readMask says which tokens of a file from start on are targets: all without label masks.
func (d *Dataset) readMask(mask []bool, file, start int) error {
	if d.masks == nil {
		for j := range mask {
			mask[j] = true
		}
		return nil
	}
	b := make([]byte, len(mask))
	if err := readFullAt(d.masks[file], b, int64(start)); err != nil {
		return fmt.Errorf("label mask %s at token %d: %w", d.cfg.LabelMaskPaths[file], start, err)
	}
	for j, v := range b {
		mask[j] = v != 0
	}
	return nil
}

// DocLens splits an instance after each eos and gives the lengths, which add
// up to len(ids); the tokens after the last eos are a document too. As
// get_document_lengths in OLMo's olmo/data/util.py.
func DocLens(ids []int32, eos int32) []int32 {
	var lens []int32
	start := 0
	for i, id := range ids {
		if id == eos {
			lens = append(lens, int32(i+1-start))
			start = i + 1
		}
	}
	if start < len(ids) {
		lens = append(lens, int32(len(ids)-start))
	}
	return lens
}
