package tokens

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
)

// DatasetConfig says which files make a training set and how they are cut.
type DatasetConfig struct {
	Paths []string // token files, in the order that numbers the instances
	// LabelMaskPaths is empty or as long as Paths: files of one byte per
	// token, 0 where the token is no target.
	LabelMaskPaths []string
	DType          DType // of the token files, Uint16 when empty
	ChunkSize      int   // tokens per instance, T
	Filter         *InstanceFilter
	// DocLens asks for the lengths of the documents in each instance, which
	// end after each EOS.
	DocLens bool
	EOS     int32
	// Take is empty or as long as Paths: how many instances of each file are used at
	// most, from its first.
	Take []int
	// Pack, when not empty, puts whole documents into instances, filled up with PAD, and
	// says what becomes of documents longer than one.
	Pack LongDocuments
	PAD  int32
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
	masks []*os.File
	packs []*packing // of each file; nil unless packed
	ends  []int      // ends[i] is the number of instances in files 0 to i
}

// OpenDataset opens all files and numbers the instances.
func OpenDataset(cfg DatasetConfig) (_ *Dataset, err error) {
	if cfg.DType == "" {
		cfg.DType = Uint16
	}
	switch {
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
	for i, path := range cfg.Paths {
		f, err := Open(path, cfg.DType)
		if err != nil {
			return nil, err
		}
		d.files = append(d.files, f)
		if len(cfg.LabelMaskPaths) != 0 {
			m, err := os.Open(cfg.LabelMaskPaths[i])
			if err != nil {
				return nil, fmt.Errorf("opening label mask: %w", err)
			}
			d.masks = append(d.masks, m)
			st, err := m.Stat()
			if err != nil {
				return nil, fmt.Errorf("opening label mask: %w", err)
			}
			if got, want := st.Size()/int64(cfg.ChunkSize), int64(f.Len()/cfg.ChunkSize); got != want {
				return nil, fmt.Errorf("label mask %s holds %d instances, token file %s holds %d", cfg.LabelMaskPaths[i], got, path, want)
			}
		}
	}
	if cfg.Pack != "" {
		if err := d.openPacked(); err != nil {
			return nil, fmt.Errorf("packing documents: %w", err)
		}
	}
	n := 0
	for i, f := range d.files {
		k := f.Len() / cfg.ChunkSize
		if d.packs != nil {
			k = len(d.packs[i].ends)
		}
		if len(cfg.Take) != 0 {
			k = min(k, cfg.Take[i])
		}
		n += k
		d.ends = append(d.ends, n)
	}
	if n >= math.MaxUint32 {
		return nil, fmt.Errorf("the data set has %d instances, the order holds at most %d", n, math.MaxUint32-1)
	}
	if n == 0 {
		return nil, fmt.Errorf("the data set is empty: none of its %d files holds %d tokens\nhint: shorten max_sequence_length or add data", len(d.files), cfg.ChunkSize)
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
func (d *Dataset) Len() int { return d.ends[len(d.ends)-1] }

// ChunkSize is the number of tokens in an instance.
func (d *Dataset) ChunkSize() int { return d.cfg.ChunkSize }

// Locate says where instance i lies: the path of its file and the position of
// its first token there; Parts says it of packed instances. It panics when i is out of range, as a slice does.
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

// Read fills ids with instance i and, where the set has label masks, mask.
// Both hold ChunkSize values; mask may be nil. It panics when i is out of
// range.
func (d *Dataset) Read(ids []int32, mask []bool, i int) error {
	file, start := d.locate(i)
	if d.packs != nil {
		return d.readPacked(ids, mask, file, start/d.cfg.ChunkSize)
	}
	if err := d.files[file].Read(ids[:d.cfg.ChunkSize], start); err != nil {
		return err
	}
	if mask == nil || d.masks == nil {
		return nil
	}
	b := make([]byte, d.cfg.ChunkSize)
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
