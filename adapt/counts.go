package adapt

import (
	"fmt"
	"slices"
	"strings"

	"olmo/tokenizer"
)

// Counts are what conversations come to as training data.
type Counts struct {
	Examples int `json:"examples"`
	Dropped  int `json:"dropped"` // without a token that trains; of them
	Unclear  int `json:"unclear"` // those of which could not be told where the answers lie
	Cut      int `json:"cut"`     // longer than the most tokens allowed
	// Of all examples, the dropped ones aside.
	Tokens  int `json:"tokens"`
	Trained int `json:"trained"`
	// Turns are the runs of tokens that train, those that were cut aside, and Ended are those
	// that end with a special token, by which the model learns to stop.
	Turns int `json:"turns"`
	Ended int `json:"ended"`
	// Begun counts examples with answers of which the prompt holds the beginning already, so
	// that it does not train, and BegunWith is what it is in the first of them.
	Begun     int    `json:"begun"`
	BegunWith string `json:"begun_with,omitempty"`

	ended     map[int32]int // how many of them each token ends
	tokenizer *tokenizer.Tokenizer
	special   map[int32]bool
}

// NewCounts begins to count what a tokenizer's ids come to.
func NewCounts(tok *tokenizer.Tokenizer) *Counts {
	c := &Counts{tokenizer: tok, special: map[int32]bool{}, ended: map[int32]int{}}
	for _, a := range tok.Describe().AddedTokens {
		if a.Special {
			c.special[a.ID] = true
		}
	}
	return c
}

// Add counts an example.
func (c *Counts) Add(x *Example) {
	c.Examples++
	if x.Cut {
		c.Cut++
	}
	if x.Unclear != nil {
		c.Unclear++
	}
	if !x.Keep() {
		c.Dropped++
		return
	}
	c.Tokens += len(x.IDs)
	c.Trained += x.Trained()
	if x.Begun != "" {
		if c.Begun++; c.Begun == 1 {
			c.BegunWith = x.Begun
		}
	}
	for end := len(x.Labels); end > 0; {
		if x.Labels[end-1] == Masked {
			end--
			continue
		}
		start := c.begin(x, end)
		if !x.Cut || end < len(x.Labels) {
			c.Turns++
			if id, ok := c.end(x.IDs[start:end]); ok {
				c.Ended++
				c.ended[id]++
			}
		}
		end = start
	}
}

// begin is where the run of trained tokens begins that ends before end. White space in it that does not
// train (an indent, which has no place in the text by some tokenizers) does not divide it.
func (c *Counts) begin(x *Example, end int) int {
	start := end
	for at := end - 1; at >= 0; at-- {
		switch {
		case x.Labels[at] != Masked:
			start = at
		case strings.TrimSpace(c.tokenizer.Decode(x.IDs[at:at+1], false)) != "":
			return start
		}
	}
	return start
}

// Stops are the special tokens that end at least one of a hundred turns, in increasing order: a model that
// learns the turns is to stop at each of them.
func (c *Counts) Stops() []int32 {
	var out []int32
	for id, n := range c.ended {
		if 100*n >= c.Turns {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// end is the special token that ends a turn, if one does; white space may follow it.
func (c *Counts) end(ids []int32) (id int32, ok bool) {
	for i := len(ids) - 1; i >= 0; i-- {
		if c.special[ids[i]] {
			return ids[i], true
		}
		if strings.TrimSpace(c.tokenizer.Decode(ids[i:i+1], false)) != "" {
			return 0, false
		}
	}
	return 0, false
}

// String is the counts in one line.
func (c *Counts) String() string {
	share := 0.0
	if c.Tokens > 0 {
		share = 100 * float64(c.Trained) / float64(c.Tokens)
	}
	return fmt.Sprintf("examples %d, dropped %d (unclear %d), cut %d; %d of %d tokens train (%.1f%%); end of turn trained in %d of %d",
		c.Examples, c.Dropped, c.Unclear, c.Cut, c.Trained, c.Tokens, share, c.Ended, c.Turns)
}

// Warnings are what of the counts is most likely a mistake.
func (c *Counts) Warnings() []string {
	var out []string
	if missing := c.Turns - c.Ended; missing > 0 {
		out = append(out, fmt.Sprintf("%d of %d turns train no special token at their end, so the model does not learn to stop there", missing, c.Turns))
	}
	if c.Begun > 0 {
		out = append(out, fmt.Sprintf("the template's prompt ends with %q, with which answers of %d examples begin: it does not train there, so the model does not learn to write it", c.BegunWith, c.Begun))
	}
	return out
}
