package tokens

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// LoaderConfig says in which order a Loader visits a Dataset.
type LoaderConfig struct {
	BatchSize int    // instances per global batch; each rank gets BatchSize/World
	Seed      uint64 // data.seed, or the run's seed where that is unset
	Epoch     uint64
	// StartIndex is the number of instances of this epoch that the run has
	// seen, over all ranks. Where lengths vary, a batch counts as BatchSize.
	StartIndex  int
	MaxExamples int // stop the epoch after so many instances; 0 is no limit
	NoShuffle   bool
	// DropLast leaves out what is no whole batch on every rank. Without it the
	// epoch is padded with its own first instances to a multiple of World, and
	// the last batch may be smaller.
	DropLast    bool
	World, Rank int // World 0 counts as 1; Rank may be AllRanks
	// Curriculum is the order of the lengths where those of the instances vary.
	Curriculum Curriculum
}

// AllRanks asks for the batches of all ranks at once: first those of rank 0, then those of
// rank 1, ….
const AllRanks = -1

// A Batch is what one step of one rank trains on.
type Batch struct {
	B, T  int      // T is the same for all instances of a batch, or the length of the longest one
	IDs   []int32  // (B, T)
	Index []uint32 // (B) which instances of the Dataset they are
	// Lens are the lengths of the instances in layout Rows, whose rows of IDs are filled up to T;
	// nil where all have T.
	Lens []int
	// Rows are the lengths of the rows of each instance, of layout Rows with groups; nil otherwise.
	Rows [][]int
	// LabelMask is (B, T), false where a token is no target; nil when the set
	// has no label masks.
	LabelMask []bool
	// InstanceMask is (B), false where the filter masks the whole instance;
	// nil without a filter.
	InstanceMask []bool
	// DocLens is (B) lists of document lengths that add up to T each; nil
	// unless asked for.
	DocLens [][]int32
}

// A Loader gives the batches of one epoch of a Dataset after the other. The
// order depends on seed, epoch, the list of files and the chunk size only. A
// Loader is used from one goroutine.
type Loader struct {
	data  *Dataset
	cfg   LoaderConfig
	order []uint32 // of all ranks; nil where lengths vary
	lens  *schedule
	done  int // instances of this epoch that were given or passed over, of all ranks
}

// NewLoader prepares the order of cfg.Epoch.
func NewLoader(d *Dataset, cfg LoaderConfig) (*Loader, error) {
	if cfg.World == 0 {
		cfg.World = 1
	}
	switch {
	case cfg.World < 0 || cfg.Rank != AllRanks && (cfg.Rank < 0 || cfg.Rank >= cfg.World):
		return nil, fmt.Errorf("rank %d of %d is not possible", cfg.Rank, cfg.World)
	case cfg.BatchSize <= 0 || cfg.BatchSize%cfg.World != 0:
		return nil, fmt.Errorf("a global batch of %d instances cannot be shared by %d ranks\nhint: global_train_batch_size must be a multiple of the number of ranks", cfg.BatchSize, cfg.World)
	case cfg.StartIndex < 0:
		return nil, fmt.Errorf("the data cannot start at instance %d", cfg.StartIndex)
	case cfg.MaxExamples%cfg.World != 0:
		return nil, fmt.Errorf("%d examples cannot be shared by %d ranks", cfg.MaxExamples, cfg.World)
	}
	if d.cfg.Layout == Variable {
		if cfg.Curriculum == (Curriculum{}) {
			cfg.Curriculum.SetDefaults()
		}
		if err := cfg.Curriculum.Check(); err != nil {
			return nil, err
		}
	}
	l := &Loader{data: d, cfg: cfg}
	l.shuffle()
	return l, nil
}

func (l *Loader) batchTokens() int { return l.cfg.BatchSize * l.data.cfg.ChunkSize }

func (l *Loader) shuffle() {
	l.done = l.cfg.StartIndex
	if l.data.cfg.Layout == Variable {
		l.lens = newSchedule(l.data.buckets, l.cfg.Curriculum, l.batchTokens(), l.cfg.Seed, l.cfg.Epoch, !l.cfg.NoShuffle)
		return
	}
	n, world := l.data.Len(), l.cfg.World
	if l.cfg.NoShuffle {
		l.order = upTo(n)
	} else {
		l.order = Order(n, l.cfg.Seed, l.cfg.Epoch)
	}
	if l.cfg.DropLast {
		l.order = l.order[:n/world*world]
	} else {
		for total := (n + world - 1) / world * world; len(l.order) < total; {
			l.order = append(l.order, l.order[:min(total-len(l.order), n)]...)
		}
	}
	if l.cfg.MaxExamples > 0 && l.cfg.MaxExamples < len(l.order) {
		l.order = l.order[:l.cfg.MaxExamples]
	}
}

// Epoch is the epoch whose batches Next gives.
func (l *Loader) Epoch() uint64 { return l.cfg.Epoch }

// StartEpoch goes to the first instance of another epoch, whose order is that
// of Seed+epoch.
func (l *Loader) StartEpoch(epoch uint64) {
	l.cfg.Epoch, l.cfg.StartIndex = epoch, 0
	l.shuffle()
}

// SetBatchSize changes the number of instances of the batches to come, over all ranks. Where
// lengths vary it stays.
func (l *Loader) SetBatchSize(n int) { l.cfg.BatchSize = n }

// Order is the epoch's whole order over all ranks, from its first instance,
// as global_indices.npy keeps it. The caller must not change it.
func (l *Loader) Order() []uint32 {
	if l.lens == nil {
		return l.order
	}
	var order []uint32
	for k := range l.lens.order {
		instances, _ := l.lens.batch(k, l.batchTokens())
		order = append(order, instances...)
	}
	return order
}

// Batches is how many batches Next gives from the start of an epoch on.
func (l *Loader) Batches() int {
	if l.lens != nil {
		return len(l.lens.order)
	}
	n, b := len(l.order)/l.cfg.World, l.cfg.BatchSize/l.cfg.World
	if l.cfg.DropLast {
		return n / b
	}
	return (n + b - 1) / b
}

// Peek says which instances the following batch holds, and their length in tokens; none at the
// end of the epoch.
func (l *Loader) Peek() (instances []uint32, T int) {
	first, last := l.cfg.Rank, l.cfg.Rank
	if l.cfg.Rank == AllRanks {
		first, last = 0, l.cfg.World-1
	}
	if l.lens != nil {
		k := l.done / l.cfg.BatchSize
		if k >= len(l.lens.order) {
			return nil, 0
		}
		all, T := l.lens.batch(k, l.batchTokens())
		n := len(all) / l.cfg.World
		return all[first*n : (last+1)*n], T
	}
	want := l.cfg.BatchSize / l.cfg.World
	for r := first; r <= last; r++ {
		left := max(len(l.order)-l.done-r+l.cfg.World-1, 0) / l.cfg.World
		if left < want && l.cfg.DropLast {
			return nil, 0
		}
		for i := range min(want, left) {
			instances = append(instances, l.order[l.done+r+i*l.cfg.World])
		}
	}
	return instances, l.data.cfg.ChunkSize
}

// Next reads the following batch of this rank. At the end of the epoch it
// returns io.EOF, and StartEpoch begins another.
func (l *Loader) Next() (Batch, error) {
	instances, _ := l.Peek()
	if len(instances) == 0 {
		return Batch{}, io.EOF
	}
	b, err := l.data.Batch(instances)
	if err != nil {
		return Batch{}, err
	}
	l.pass(b.B)
	return b, nil
}

// Pass goes past the following batch and says what it holds, as Peek does, without reading it.
func (l *Loader) Pass() (instances []uint32, T int) {
	instances, T = l.Peek()
	l.pass(len(instances))
	return instances, T
}

// pass counts a batch of so many instances as given.
func (l *Loader) pass(B int) {
	switch {
	case B == 0:
	case l.lens != nil:
		l.done += l.cfg.BatchSize
	case l.cfg.Rank == AllRanks:
		l.done += B
	default:
		l.done += B * l.cfg.World
	}
}

// Size is the number of tokens in the batch.
func (b *Batch) Size() int {
	if b.Lens == nil {
		return b.B * b.T
	}
	n := 0
	for _, k := range b.Lens {
		n += k
	}
	return n
}

// Batch reads instances, at least one, which must have the same length but in layout Rows.
func (d *Dataset) Batch(instances []uint32) (Batch, error) {
	B, T := len(instances), d.Length(int(instances[0]))
	var lens []int
	if d.cfg.Layout == Rows {
		for _, i := range instances {
			lens = append(lens, d.Length(int(i)))
		}
		T = slices.Max(lens)
	}
	var rows [][]int
	if d.cfg.RowGroup > 1 {
		for _, i := range instances {
			rows = append(rows, d.rowLengths(int(i)))
		}
	}
	b := Batch{B: B, T: T, IDs: make([]int32, B*T), Index: instances, Lens: lens, Rows: rows}
	if d.masks != nil || d.knowsDocuments() && d.cfg.Layout != Variable {
		b.LabelMask = make([]bool, B*T)
	}
	if d.cfg.Filter != nil {
		b.InstanceMask = make([]bool, B)
	}
	if d.cfg.DocLens {
		b.DocLens = make([][]int32, B)
	}
	read := func(i int) (err error) {
		index := int(instances[i])
		ids := b.IDs[i*T : (i+1)*T]
		var mask []bool
		if b.LabelMask != nil {
			mask = b.LabelMask[i*T : (i+1)*T]
		}
		err = d.Read(ids, mask, index)
		if err == nil && b.InstanceMask != nil {
			b.InstanceMask[i], err = d.keep(index, ids)
		}
		if err != nil {
			return fmt.Errorf("reading instance %d: %w", index, err)
		}
		if b.DocLens != nil {
			b.DocLens[i] = d.docLens(index, ids)
		}
		return nil
	}
	if !d.remote {
		for i := range B {
			if err := read(i); err != nil {
				return Batch{}, err
			}
		}
		return b, nil
	}
	var wait sync.WaitGroup
	errs, slots := make([]error, B), make(chan struct{}, 32)
	for i := range B {
		slots <- struct{}{}
		wait.Go(func() {
			errs[i] = read(i)
			<-slots
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return Batch{}, err
	}
	return b, nil
}
