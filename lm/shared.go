package lm

import (
	"context"
	"fmt"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/model"
)

// sharer scores sequences that begin alike: what they share is computed once, and its
// keys and values serve all of them. Bits are those of Score.
type sharer struct {
	program                          device.Program
	slots, positions, rows, selected int
}

// cacheBudget bounds a sharer's caches, in bytes.
const cacheBudget = 256 << 20

// sharer returns one for sequences of at most longest tokens.
func (s *Scorer) sharer(longest int) (*sharer, error) {
	positions := 64
	for positions < longest {
		positions *= 2
	}
	if s.shared != nil && s.shared.positions >= positions {
		return s.shared, nil
	}
	c := s.model.Config
	perRow := 4 * 4 * c.Layers * c.KV * c.D // keys and values, each with its packed copy
	p := &sharer{positions: positions, rows: 1024, selected: 256}
	p.slots = max(1, min(8192, cacheBudget/perRow)/positions)
	g := graph.New()
	c.Logits(g, model.Options{Slots: p.slots, Positions: positions, Cache: fmt.Sprintf("eval.cache%d", positions)})
	var err error
	p.program, err = s.model.Device.Compile(g, device.Options{Rows: p.rows, Selected: p.selected, BF16: s.model.bf16, Frozen: true})
	if err != nil {
		return nil, fmt.Errorf("preparing the model for scoring: %w", err)
	}
	s.shared = p
	return p, nil
}

// part is a part of a sequence that a slot takes: need says for each of its tokens which
// sequences' targets stand after it.
type part struct {
	slot, pos int
	ids       []int32
	need      [][]need
}

type need struct {
	sequence int
	target   int32
}

// Sums returns the negative log-probability of each sequence's targets together, in nats.
// What all sequences of a unit begin with is computed once, to the bits of Score.
func (s *Scorer) Sums(ctx context.Context, units [][]Sequence) ([][]float64, error) {
	longest := 0
	nats := make([][]float64, len(units))
	for i, unit := range units {
		nats[i] = make([]float64, len(unit))
		for _, q := range unit {
			longest = max(longest, len(q.IDs))
			if err := s.checkIDs(q.IDs); err != nil {
				return nil, err
			}
		}
	}
	p, err := s.sharer(longest)
	if err != nil {
		return nil, err
	}
	for begin := 0; begin < len(units); begin += p.slots {
		wave := units[begin:min(len(units), begin+p.slots)]
		// First what all sequences of a unit share, then one more sequence of each
		// unit at a time: it overwrites the keys of the one before.
		for round := -1; ; round++ {
			var parts []part
			var owner []int // unit of each part
			left := false
			for slot, unit := range wave {
				n := commonPrefix(unit)
				switch {
				case round >= len(unit):
					continue
				case round < 0:
					x := part{slot: slot, ids: unit[0].IDs[:n], need: make([][]need, n)}
					for i, q := range unit {
						x.collect(i, q.Targets[:n])
					}
					parts = append(parts, x)
				default:
					x := part{slot: slot, pos: n, ids: unit[round].IDs[n:], need: make([][]need, len(unit[round].IDs)-n)}
					x.collect(round, unit[round].Targets[n:])
					parts = append(parts, x)
				}
				left = true
				owner = append(owner, begin+slot)
			}
			if !left {
				break
			}
			err := p.run(ctx, parts, func(i, sequence int, v float32) { nats[owner[i]][sequence] += float64(v) })
			if err != nil {
				return nil, err
			}
		}
	}
	return nats, nil
}

func (x *part) collect(sequence int, targets []int32) {
	for j, t := range targets {
		if t >= 0 {
			x.need[j] = append(x.need[j], need{sequence, t})
		}
	}
}

// commonPrefix counts the ids with which all sequences begin.
func commonPrefix(unit []Sequence) int {
	n := len(unit[0].IDs)
	for _, q := range unit[1:] {
		n = min(n, len(q.IDs))
		for i := range n {
			if q.IDs[i] != unit[0].IDs[i] {
				n = i
				break
			}
		}
	}
	return n
}

// run takes parts through the model, as many tokens at a time as there is room, and
// tells the cost of every target.
func (p *sharer) run(ctx context.Context, parts []part, each func(part, sequence int, nats float32)) error {
	type selected struct {
		part int
		need []need
	}
	for i, off := 0, 0; i < len(parts); {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := &graph.Batch{}
		var rows []selected
		for i < len(parts) && len(b.IDs) < p.rows && len(rows) < p.selected {
			x := &parts[i]
			n := off
			for n < len(x.ids) && len(b.IDs) < p.rows && len(rows) < p.selected {
				if len(x.need[n]) > 0 {
					b.Select, rows = append(b.Select, int32(len(b.IDs))), append(rows, selected{i, x.need[n]})
				}
				b.IDs = append(b.IDs, x.ids[n])
				n++
			}
			if n > off {
				b.Segments = append(b.Segments, graph.Segment{Rows: n - off, Pos: x.pos + off, Slot: x.slot})
			}
			if off = n; n == len(x.ids) {
				i, off = i+1, 0
			}
		}
		if len(b.IDs) == 0 {
			continue
		}
		if err := p.program.Run(b); err != nil {
			return err
		}
		logits := p.program.Output("logits")
		V := len(logits) / max(len(rows), 1)
		lse := make([]float32, len(rows))
		parallel.For(len(rows), func(r int) { lse[r] = cpu.LSE(logits[r*V : (r+1)*V]) })
		for r, row := range rows {
			for _, n := range row.need {
				each(row.part, n.sequence, lse[r]-logits[r*V+int(n.target)])
			}
		}
	}
	return nil
}
