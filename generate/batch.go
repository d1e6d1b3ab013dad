package generate

import (
	"context"
	"fmt"

	"olmo/device"
	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/model"
	"olmo/numeric"
)

// Batch runs many sequences through one model at once, each in a slot of the key and value
// caches. What a slot holds of the sequence before is not computed again for the next one. The
// bits of a sequence are those that it has alone.
type Batch struct {
	cfg       *model.Config
	dev       device.Device
	program   device.Program
	slots     []slot
	positions int
	heldAt    int // Changes of the device when the slots were filled
	share     bool
	ran       int64
}

// BatchOptions are the sizes of a Batch; zero values take defaults.
type BatchOptions struct {
	Positions int               // longest sequence; the model's own
	Memory    int64             // bytes of the caches; 1 GiB
	Slots     int               // most sequences at once; 256
	Cache     string            // the beginning of the caches' names on the device; "batch"
	Precision numeric.Precision // of the run whose arithmetic this is
	// Share lets a slot take over what another has computed of the same beginning: for many answers to
	// each of a few prompts. It changes no bit.
	Share bool
}

// A pass takes so many tokens, and so many rows of logits.
const (
	batchRows     = 1024
	batchSelected = 256
)

// NewBatch compiles the model. A batch of the same Cache that was made before gives its caches
// back, and may not run again.
func NewBatch(cfg *model.Config, dev device.Device, o BatchOptions) (*Batch, error) {
	if o.Positions == 0 {
		o.Positions = cfg.T
	}
	if o.Memory == 0 {
		o.Memory = 1 << 30
	}
	if o.Slots == 0 {
		o.Slots = 256
	}
	if o.Cache == "" {
		o.Cache = "batch"
	}
	// Keys and values, each with its packed copy.
	slot := int64(o.Positions) * 4 * 4 * int64(cfg.Layers) * int64(cfg.KV) * int64(cfg.D)
	n := int(max(1, min(int64(o.Slots), o.Memory/max(slot, 1))))
	dev.Drop(o.Cache)
	g := graph.New()
	cfg.Logits(g, model.Options{Slots: n, Positions: o.Positions, Cache: o.Cache})
	p, err := dev.Compile(g, device.Options{Rows: batchRows, Selected: batchSelected, Precision: o.Precision, Frozen: true})
	if err != nil {
		return nil, fmt.Errorf("preparing the model for many sequences: %w", err)
	}
	return &Batch{cfg: cfg, dev: dev, program: p, slots: makeSlots(n), positions: o.Positions, share: o.Share}, nil
}

// Positions returns the longest sequence.
func (b *Batch) Positions() int { return b.positions }

// Slots returns how many sequences run at once.
func (b *Batch) Slots() int { return len(b.slots) }

// Ran counts the tokens that were run through the model so far.
func (b *Batch) Ran() int64 { return b.ran }

// Chain is what one slot runs: sequences, one after the other.
type Chain interface {
	// Next gives the next one; the rows of the one before have had their logits. ok is false at
	// the end of the chain.
	Next() (s Stretch, ok bool, err error)
}

// Stretch is a sequence from position 0 on, of which the logits behind some ids are wanted.
type Stretch struct {
	IDs  []int32
	Rows []int // ascending
	// Alone says that nothing the slot holds is used.
	Alone bool
	// Logits is told the logits behind a wanted row, at the same time as other rows' and in any
	// order. They are lent for the call.
	Logits func(row int, logits []float32)
}

// slot is a place of the caches.
type slot struct {
	held  []int32 // ids whose keys and values it holds
	chain Chain   // nil: free
	now   Stretch
	pos   int  // rows of now that are held
	fresh bool // nothing of now has been run yet
	own   int  // rows that were held before the pass that is being made
	from  int  // another slot, of which the rows from own to pos are copied first; −1: none
	waits bool // for what another slot is computing
	row   int  // index of the next wanted row
}

func makeSlots(n int) []slot { return make([]slot, n) }

// Run runs chains until next has no more. most bounds how many run at once; 0: as many as there
// are slots.
func (b *Batch) Run(ctx context.Context, most int, next func() Chain) error {
	if now := b.dev.Changes(); now != b.heldAt {
		for i := range b.slots { // keys and values of other weights
			b.slots[i].held = b.slots[i].held[:0]
		}
		b.heldAt = now
	}
	slots := b.slots
	if most > 0 && most < len(slots) {
		slots = slots[:most]
	}
	for i := range slots {
		slots[i].chain = nil
	}
	more := true
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		active := false
		for i := range slots {
			s := &slots[i]
			for s.chain == nil || s.pos == len(s.now.IDs) && s.row == len(s.now.Rows) {
				if s.chain == nil {
					if !more {
						break
					}
					if s.chain = next(); s.chain == nil {
						more = false
						break
					}
				}
				if err := b.advance(s); err != nil {
					return err
				}
			}
			active = active || s.chain != nil
		}
		if !active {
			return nil
		}
		if err := b.pass(slots); err != nil {
			return err
		}
	}
}

// advance takes a chain's next sequence into its slot, or frees it.
func (b *Batch) advance(s *slot) error {
	now, ok, err := s.chain.Next()
	if err != nil {
		return err
	}
	if !ok {
		s.chain, s.now, s.pos, s.row = nil, Stretch{}, 0, 0
		return nil
	}
	if len(now.IDs) > b.positions {
		return fmt.Errorf("a sequence of %d tokens, prepared for %d", len(now.IDs), b.positions)
	}
	for _, id := range now.IDs {
		if id < 0 || int(id) >= b.cfg.V {
			return fmt.Errorf("id %d is outside the model's vocabulary of %d\nhint: the tokenizer belongs to another model", id, b.cfg.V)
		}
	}
	same := 0
	for !now.Alone && same < min(len(s.held), len(now.IDs)) && s.held[same] == now.IDs[same] {
		same++
	}
	// What is wanted is computed, held or not: logits are not kept.
	if len(now.Rows) > 0 {
		same = min(same, now.Rows[0])
	}
	s.now, s.pos, s.row, s.held, s.fresh = now, same, 0, s.held[:same], true
	if len(now.Rows) == 0 {
		s.pos = len(now.IDs) // nobody asks
		s.held = s.held[:same]
	}
	return nil
}

// pass runs the next tokens of all slots, as many as there is room for.
func (b *Batch) pass(slots []slot) error {
	batch := &graph.Batch{}
	type wanted struct {
		slot *slot
		row  int
	}
	var rows []wanted
	b.shareBeginnings(slots)
	for i := range slots {
		s := &slots[i]
		if s.chain == nil || s.waits {
			continue
		}
		// Behind the last wanted row nothing is asked, but keys may be of use to the next
		// sequence of the slot.
		n := 0
		for s.pos+n < len(s.now.IDs) && len(batch.IDs) < batchRows {
			row := s.pos + n
			if s.row < len(s.now.Rows) && s.now.Rows[s.row] == row {
				if len(rows) == batchSelected {
					break
				}
				batch.Select, rows = append(batch.Select, int32(len(batch.IDs))), append(rows, wanted{s, row})
				s.row++
			}
			batch.IDs = append(batch.IDs, s.now.IDs[row])
			n++
		}
		switch {
		case n == 0 && s.from >= 0: // no room: what the other slot holds may be gone by the next pass
			s.pos, s.held = s.own, s.held[:s.own]
		case n > 0:
			segment := graph.Segment{Rows: n, Pos: s.pos, Slot: i}
			if s.from >= 0 {
				segment.Copy = &graph.SlotCopy{Slot: s.from, First: s.own}
			}
			s.fresh = false
			batch.Segments = append(batch.Segments, segment)
			s.held = append(s.held, s.now.IDs[s.pos:s.pos+n]...)
			s.pos += n
		}
	}
	b.ran += int64(len(batch.IDs))
	if err := b.program.Run(batch); err != nil {
		return err
	}
	if len(rows) == 0 {
		return nil
	}
	logits := b.program.Output("logits")
	V := len(logits) / len(rows)
	parallel.For(len(rows), func(r int) { rows[r].slot.now.Logits(rows[r].row, logits[r*V:(r+1)*V]) })
	return nil
}
