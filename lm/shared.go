package lm

import (
	"context"
	"fmt"
	"slices"

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

// cacheBudget bounds a sharer's caches, in bytes: more slots let more units run at once, which
// pays until a batch fills the rows of the program.
const cacheBudget = 256 << 20

// sharer returns one for sequences of at most longest tokens.
func (s *Scorer) sharer(longest int) (*sharer, error) {
	// Doubled, so that a few programs serve the tasks of a run, however their lengths differ.
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

// sharedRound comes before round 0.
const sharedRound = -1

// parts returns what the units of a wave, each in a slot of its own, run in one round: first what
// their sequences share, then in each round one more sequence's rest. Its keys and values
// overwrite those of the rest before it, which nothing looks at any more. owner is the unit of
// each part.
func parts(wave [][]Sequence, round int) (parts []part, owner []int) {
	for slot, unit := range wave {
		if round >= len(unit) {
			continue
		}
		n := commonPrefix(unit)
		var x part
		if round == sharedRound {
			x = part{slot: slot, ids: unit[0].IDs[:n], need: make([][]need, n)}
			for i, q := range unit {
				x.collect(i, q.Targets[:n])
			}
		} else {
			q := unit[round]
			x = part{slot: slot, pos: n, ids: q.IDs[n:], need: make([][]need, len(q.IDs)-n)}
			x.collect(round, q.Targets[n:])
		}
		parts, owner = append(parts, x), append(owner, slot)
	}
	return parts, owner
}

// collect notes which of a part's tokens a sequence's targets stand after.
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
func (p *sharer) run(ctx context.Context, parts []part, each func(part, sequence int, nats float32, greedy bool)) error {
	type selected struct {
		part int
		need []need
	}
	// off counts the tokens of part i that have run: a batch may end in the middle of a part,
	// whose keys stay in its slot until the next one.
	for i, off := 0, 0; i < len(parts); {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := &graph.Batch{}
		var rows []selected // what is asked of each row of logits
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
		// −log softmax(l)[t] = log Σ exp(l) − l[t], for every target that stands after the row.
		logits := p.program.Output("logits")
		V := len(logits) / max(len(rows), 1)
		lse, best := make([]float32, len(rows)), make([]int, len(rows))
		parallel.For(len(rows), func(r int) {
			row := logits[r*V : (r+1)*V]
			lse[r], best[r] = cpu.LSE(row), slices.Index(row, slices.Max(row))
		})
		for r, row := range rows {
			for _, n := range row.need {
				each(row.part, n.sequence, lse[r]-logits[r*V+int(n.target)], best[r] == int(n.target))
			}
		}
	}
	return nil
}
