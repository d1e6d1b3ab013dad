package lm

import "math"

// chains divide sequences, in the order of their ids, into runs that a slot takes one after the
// other. Which they are changes the time that all take, and no bit of what is said of any.
type chains struct {
	order  []int
	rows   []int // of each, in that order: the tokens that it has beyond the one before
	shared []int // and those in common
	budget int   // rows of a chain
	most   int   // slots at once
	alone  bool  // nothing is shared: a chain is one sequence
}

// A pass of fill rows keeps the processor busy; reading the weights for one takes as long as
// reading rows of it do (measured with 135M parameters in float32: 50 ms, 1.1 ms a row).
const (
	passFill = 512
	passCost = 50
)

func planChains(sequences []Sequence, order []int, alone bool) *chains {
	c := &chains{order: order, rows: make([]int, len(order)), shared: make([]int, len(order)), alone: alone}
	cost, steps, common := 0, 0, math.MaxInt
	for k, i := range order {
		if k > 0 && !alone {
			c.shared[k] = same(sequences[order[k-1]].IDs, sequences[i].IDs)
			common = min(common, c.shared[k])
		}
		c.rows[k] = len(sequences[i].IDs) - c.shared[k]
		cost += c.rows[k]
		if c.rows[k] > 0 {
			steps++
		}
	}
	c.most = max(1, passFill*steps/max(cost, 1))
	if !alone && len(order) > 1 && common > 0 {
		// Every slot computes what all have in common once more. With n slots that is n·common
		// rows, against steps/n passes.
		c.most = max(1, min(c.most, int(math.Sqrt(float64(passCost*steps)/float64(common)))))
	}
	// Several chains a slot, so that the slots end together.
	c.budget = max(16, min(256, cost/(4*c.most)))
	return c
}

// next takes the next chain; nil: there is none.
func (c *chains) next() []int {
	n := len(c.order)
	if n == 0 {
		return nil
	}
	end := 1
	if !c.alone {
		rows := 0
		for end < n && rows < c.budget {
			rows += c.rows[end]
			end++
		}
		// It ends where the next one has least in common with the one before: between questions.
		best := end
		for k := end; k < n && k < end+16; k++ {
			if c.shared[k] < c.shared[best] {
				best = k
			}
		}
		if end < n {
			end = best
		}
	}
	members := c.order[:end]
	c.order, c.rows, c.shared = c.order[end:], c.rows[end:], c.shared[end:]
	return members
}
