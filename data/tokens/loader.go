package tokens

import (
	"fmt"
	"io"
)

// LoaderConfig says in which order a Loader visits a Dataset.
type LoaderConfig struct {
	BatchSize int    // instances per global batch; each rank gets BatchSize/World
	Seed      uint64 // data.seed, or the run's seed where that is unset
	Epoch     uint64
	// StartIndex is the number of instances of this epoch that the run has
	// seen, over all ranks.
	StartIndex  int
	MaxExamples int // stop the epoch after so many instances; 0 is no limit
	NoShuffle   bool
	// DropLast leaves out what is no whole batch on every rank. Without it the
	// epoch is padded with its own first instances to a multiple of World, and
	// the last batch may be smaller.
	DropLast    bool
	World, Rank int // World 0 counts as 1
}

// A Batch is what one step of one rank trains on.
type Batch struct {
	B, T  int
	IDs   []int32  // (B, T)
	Index []uint32 // (B) which instances of the Dataset they are
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
	order []uint32 // of all ranks
	next  int      // place in order of this rank's next instance
}

// NewLoader prepares the order of cfg.Epoch.
func NewLoader(d *Dataset, cfg LoaderConfig) (*Loader, error) {
	if cfg.World == 0 {
		cfg.World = 1
	}
	switch {
	case cfg.World < 0 || cfg.Rank < 0 || cfg.Rank >= cfg.World:
		return nil, fmt.Errorf("rank %d of %d is not possible", cfg.Rank, cfg.World)
	case cfg.BatchSize <= 0 || cfg.BatchSize%cfg.World != 0:
		return nil, fmt.Errorf("a global batch of %d instances cannot be shared by %d ranks\nhint: global_train_batch_size must be a multiple of the number of ranks", cfg.BatchSize, cfg.World)
	case cfg.StartIndex < 0:
		return nil, fmt.Errorf("the data cannot start at instance %d", cfg.StartIndex)
	case cfg.MaxExamples%cfg.World != 0:
		return nil, fmt.Errorf("%d examples cannot be shared by %d ranks", cfg.MaxExamples, cfg.World)
	}
	l := &Loader{data: d, cfg: cfg}
	l.shuffle()
	return l, nil
}

func (l *Loader) shuffle() {
	n, world := l.data.Len(), l.cfg.World
	if l.cfg.NoShuffle {
		l.order = make([]uint32, n)
		for i := range l.order {
			l.order[i] = uint32(i)
		}
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
	l.next = l.cfg.StartIndex + l.cfg.Rank
}

// Epoch is the epoch whose batches Next gives.
func (l *Loader) Epoch() uint64 { return l.cfg.Epoch }

// StartEpoch goes to the first instance of another epoch, whose order is that
// of Seed+epoch.
func (l *Loader) StartEpoch(epoch uint64) {
	l.cfg.Epoch, l.cfg.StartIndex = epoch, 0
	l.shuffle()
}

// SetBatchSize changes the number of instances of the batches to come, over all ranks.
func (l *Loader) SetBatchSize(n int) { l.cfg.BatchSize = n }

// Order is the epoch's whole order over all ranks, from its first instance,
// as global_indices.npy keeps it. The caller must not change it.
func (l *Loader) Order() []uint32 { return l.order }

// Batches is how many batches Next gives from the start of an epoch on.
func (l *Loader) Batches() int {
	n, b := len(l.order)/l.cfg.World, l.cfg.BatchSize/l.cfg.World
	if l.cfg.DropLast {
		return n / b
	}
	return (n + b - 1) / b
}

// Next reads the following batch of this rank. At the end of the epoch it
// returns io.EOF, and StartEpoch begins another.
func (l *Loader) Next() (Batch, error) {
	want := l.cfg.BatchSize / l.cfg.World
	left := 0
	if l.next < len(l.order) {
		left = (len(l.order) - l.next + l.cfg.World - 1) / l.cfg.World
	}
	if left == 0 || left < want && l.cfg.DropLast {
		return Batch{}, io.EOF
	}
	B, T := min(want, left), l.data.cfg.ChunkSize
	b := Batch{B: B, T: T, IDs: make([]int32, B*T), Index: make([]uint32, B)}
	if l.data.masks != nil || l.data.packs != nil {
		b.LabelMask = make([]bool, B*T)
	}
	if l.data.cfg.Filter != nil {
		b.InstanceMask = make([]bool, B)
	}
	if l.data.cfg.DocLens {
		b.DocLens = make([][]int32, B)
	}
	for i := range B {
		index := l.order[l.next+i*l.cfg.World]
		b.Index[i] = index
		ids := b.IDs[i*T : (i+1)*T]
		var mask []bool
		if b.LabelMask != nil {
			mask = b.LabelMask[i*T : (i+1)*T]
		}
		if err := l.data.Read(ids, mask, int(index)); err != nil {
			return Batch{}, fmt.Errorf("reading instance %d: %w", index, err)
		}
		if b.InstanceMask != nil {
			b.InstanceMask[i] = l.data.cfg.Filter.Keep(ids)
		}
		if b.DocLens != nil {
			b.DocLens[i] = l.data.docLens(int(index), ids)
		}
	}
	l.next += B * l.cfg.World
	return b, nil
}
