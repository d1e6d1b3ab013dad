package train

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"olmo/data/store"
	"olmo/data/tokens"
	"olmo/graph"
	"olmo/proof"
)

// dataset says which token files the config trains on, cut into instances of the model's
// length.
func (c *Config) dataset() (tokens.DatasetConfig, error) {
	d := c.datasetOf(&c.Data)
	if len(c.Data.Mixture) == 0 {
		if seed := c.Data.SourcePermutationSeed; seed != nil {
			permute(&d, *seed)
		}
		return d, nil
	}
	var err error
	d.Paths, d.Take, err = mix(c.Data.Mixture, int(c.Data.MixtureTokens)/d.ChunkSize, func(path string) (int, error) {
		one := d
		one.Paths, one.Take = []string{path}, nil
		set, err := tokens.OpenDataset(one)
		if err != nil {
			return 0, err
		}
		return set.Len(), set.Close()
	})
	if err != nil {
		return d, fmt.Errorf("data.mixture: %w", err)
	}
	return d, nil
}

// datasetOf says which token files data names, in their order.
func (c *Config) datasetOf(data *DataConfig) tokens.DatasetConfig {
	d := tokens.DatasetConfig{
		Paths: data.paths(), LabelMaskPaths: data.LabelMaskPaths, DType: tokens.DType(data.MemmapDType),
		ChunkSize: cmp.Or(data.RowLength, c.row()), RowGroup: data.RowGroup, DocLens: data.GenerateDocLengths, EOS: int32(c.Model.EOSTokenID),
		PAD: int32(c.Model.PadTokenID), Index: c.dataFolder(), Layout: data.Name, Long: data.LongDocStrategy, SourceGroup: data.SourceGroupSize, MinLength: data.MinSequenceLength,
		DocsPerInstance: data.DocsPerInstance, ChunksPerDoc: data.ChunksPerDoc, InterleaveSeed: data.InterleavingSeed, Exempt: data.InterleavingExemptPaths,
	}
	if f := data.InstanceFilter; f != nil {
		d.Filter = &tokens.InstanceFilter{MinPeriod: f.RepetitionMinPeriod, MaxPeriod: f.RepetitionMaxPeriod, MaxCount: f.RepetitionMaxCount}
	}
	return d
}

// permute draws another order of the files.
func permute(d *tokens.DatasetConfig, seed uint64) {
	paths, masks := d.Paths, d.LabelMaskPaths
	d.Paths, d.LabelMaskPaths = nil, nil
	for _, i := range tokens.PermuteSources(len(paths), seed) {
		d.Paths = append(d.Paths, paths[i])
		if int(i) < len(masks) {
			d.LabelMaskPaths = append(d.LabelMaskPaths, masks[i])
		}
	}
}

// dataFolder is where a run keeps its data order.
func (c *Config) dataFolder() string { return filepath.Join(c.SaveFolder, "train_data") }

// openData opens the token files of the config.
func (c *Config) openData() (*tokens.Dataset, error) {
	d, err := c.dataset()
	if err != nil {
		return nil, whereNow(err)
	}
	set, err := tokens.OpenDataset(d)
	if err != nil {
		return nil, whereNow(fmt.Errorf("training data: %w", err))
	}
	return set, nil
}

// whereNow says of token files that are not there how to tell where they are.
func whereNow(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w\nhint: where the files were moved, name them there, all and in the order of the config: data.paths=[FOLDER/*.npy]", err)
}

// fingerprint tells whether token files are still the same: a hash of how they are cut
// into instances, and for each file its size and up to 64 blocks of 4 KiB, evenly spread.
// Where the files lie does not matter.
func (c *Config) fingerprint() (string, error) {
	const block, blocks = 4096, 64
	d, err := c.dataset()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d\x00%s\x00%s\x00%d\x00", d.ChunkSize, d.DType, layout(&d), d.Take)
	add := func(path string) error {
		f, err := store.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		size := f.Info().Size
		fmt.Fprintf(h, "%d\x00", size)
		// At once, since a server takes its time for each.
		var parts [blocks][]byte
		var errs [blocks]error
		var wait sync.WaitGroup
		last := int64(-1)
		for i := range int64(blocks) {
			at := max(size-block, 0) * i / (blocks - 1)
			if at == last {
				continue
			}
			last = at
			wait.Go(func() {
				buf := make([]byte, block)
				n, err := f.ReadAt(buf, at)
				if err != nil && !errors.Is(err, io.EOF) {
					errs[i] = err
				}
				parts[i] = buf[:n]
			})
		}
		wait.Wait()
		for _, b := range parts {
			h.Write(b)
		}
		return errors.Join(errs[:]...)
	}
	for _, paths := range [][]string{d.Paths, d.LabelMaskPaths} {
		for _, path := range paths {
			if err := add(path); err != nil {
				return "", fmt.Errorf("training data: %w", err)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// layout writes what the fingerprint holds of the layout and its settings; nothing for files that are
// cut into chunks.
func layout(d *tokens.DatasetConfig) string {
	switch d.Layout {
	case tokens.Chunks:
		return ""
	case tokens.Packed:
		return fmt.Sprint(d.Layout, d.EOS, d.Long, d.SourceGroup)
	case tokens.Interleaved:
		var exempt []int // where the files lie does not matter
		for i, path := range d.Paths {
			if slices.Contains(d.Exempt, path) {
				exempt = append(exempt, i)
			}
		}
		return fmt.Sprint(d.Layout, d.EOS, d.DocsPerInstance, d.ChunksPerDoc, d.InterleaveSeed, exempt)
	case tokens.Variable:
		return fmt.Sprint(d.Layout, d.EOS, d.MinLength)
	}
	return fmt.Sprint(d.Layout, d.EOS)
}

// loaderConfig is how the run's batches are drawn, from the beginning on.
func (c *Config) loaderConfig() tokens.LoaderConfig {
	return tokens.LoaderConfig{
		BatchSize: c.GlobalTrainBatchSize, Seed: c.dataSeed(), DropLast: c.Data.DropLast,
		World: c.ranks(), Rank: tokens.AllRanks, NoShuffle: c.Data.NoShuffle, Curriculum: c.Data.VSLCurriculum,
	}
}

// item is a batch and its place in the run.
type item struct {
	tokens.Batch
	epoch  uint64
	first  bool       // the first of its epoch that this feeder read
	tokens proof.Hash // of the files' bytes
	err    error
}

// feeder reads batches ahead of the training step, through the epochs.
type feeder struct {
	items chan item
	stop  chan struct{}
}

// newFeeder starts reading after a state; epochs counts those to go through, from the
// first.
func newFeeder(c *Config, d *tokens.Dataset, cfg tokens.LoaderConfig, epochs uint64, s State) (*feeder, error) {
	l, err := tokens.NewLoader(d, cfg)
	if err != nil {
		return nil, err
	}
	f := &feeder{items: make(chan item, 2), stop: make(chan struct{})}
	go func() {
		defer close(f.items)
		first := true
		for l.Epoch() < epochs {
			l.SetBatchSize(c.batchSize(s.Step, s.Tokens))
			b, err := l.Next()
			var h proof.Hash
			if err == nil {
				h, err = d.Hash(&b)
			}
			if errors.Is(err, io.EOF) {
				if l.Batches() == 0 {
					return
				}
				l.StartEpoch(l.Epoch() + 1)
				first = true
				continue
			}
			select {
			case f.items <- item{b, l.Epoch(), first, h, err}:
			case <-f.stop:
				return
			}
			if err != nil {
				return
			}
			first = false
			s.Step++
			s.Tokens += int64(b.Size())
		}
	}()
	return f, nil
}

// next returns the following batch, or io.EOF after the last epoch.
func (f *feeder) next() (item, error) {
	i, ok := <-f.items
	if !ok {
		return item{}, io.EOF
	}
	return i, i.err
}

func (f *feeder) close() {
	close(f.stop)
	for range f.items {
	}
}

// inputs turns some instances of a batch, from … to−1, into what the model's graph takes, as
// sequences of length tokens. The target of a token is the next one of its sequence;
// masked tokens and masked instances are no targets. Where pad is not negative, it is no target
// either, and no token sees it as a key.
func (i *item) inputs(from, to, length int, pad int32) *graph.Batch {
	if i.Lens != nil {
		return i.rows(from, to)
	}
	T := i.T
	b := graph.Sequence(i.IDs[from*T:to*T], (to-from)*T/length)
	b.Targets = make([]int32, 0, (to-from)*T)
	for n := from; n < to; n++ {
		keep := i.InstanceMask == nil || i.InstanceMask[n]
		for t := range T {
			target := int32(-1)
			if (t+1)%length != 0 && keep && (i.LabelMask == nil || i.LabelMask[n*T+t+1]) {
				target = i.IDs[n*T+t+1]
			}
			if target == pad {
				target = -1
			}
			b.Targets = append(b.Targets, target)
		}
		for s := 0; s < T && pad >= 0; s += length {
			if piece := b.IDs[(n-from)*T+s:][:length]; slices.Contains(piece, pad) {
				padding := make([]bool, length)
				for t, id := range piece {
					padding[t] = id == pad
				}
				b.Segments[((n-from)*T+s)/length].Padding = padding
			}
		}
		if i.DocLens == nil {
			continue
		}
		// first holds each document's start; a sequence sees nothing before its own.
		first := make([]int32, 0, T)
		for _, k := range i.DocLens[n] {
			start := int32(len(first))
			for range k {
				first = append(first, start)
			}
		}
		for s := 0; s < T; s += length {
			piece := first[s : s+length]
			for t := range piece {
				piece[t] = max(piece[t]-int32(s), 0)
			}
			b.Segments[((n-from)*T+s)/length].First = piece
		}
	}
	return b
}

// rows is inputs of instances of different lengths: each of their rows is a sequence of its own,
// without padding.
func (i *item) rows(from, to int) *graph.Batch {
	b := &graph.Batch{}
	for n := from; n < to; n++ {
		keep := i.InstanceMask == nil || i.InstanceMask[n]
		row := n * i.T
		for _, k := range i.rowLengths(n) {
			b.IDs = append(b.IDs, i.IDs[row:row+k]...)
			b.Segments = append(b.Segments, graph.Segment{Rows: k})
			for t := range k {
				target := int32(-1)
				if t+1 < k && keep && (i.LabelMask == nil || i.LabelMask[row+t+1]) {
					target = i.IDs[row+t+1]
				}
				b.Targets = append(b.Targets, target)
			}
			row += k
		}
	}
	return b
}

// rowLengths are the tokens of each row of an instance of layout rows.
func (i *item) rowLengths(n int) []int {
	if i.Rows != nil {
		return i.Rows[n]
	}
	return i.Lens[n : n+1]
}

// before is the number of tokens of the instances before one.
func (i *item) before(n int) int {
	if i.Lens == nil {
		return n * i.T
	}
	sum := 0
	for _, k := range i.Lens[:n] {
		sum += k
	}
	return sum
}

// checkIDs reports an id that the model's embedding lacks.
func (i *item) checkIDs(d *tokens.Dataset, V int) error {
	for j, id := range i.IDs {
		if int(id) >= V {
			p := d.Parts(int(i.Index[j/i.T]))
			return fmt.Errorf("%s: the instance of tokens %d to %d holds id %d, the model's embedding has %d rows\nhint: the files were made with a larger vocabulary, or data.memmap_dtype is wrong", p[0].Path, p[0].Start, p[len(p)-1].End, id, V)
		}
	}
	return nil
}
