package generate

import (
	"fmt"
	"math"
	"slices"

	"olmo/device/cpu"
)

// Odds are what might have come in a token's place.
type Odds struct {
	// Top are the most probable tokens under the model itself, before all settings: from the largest logit
	// down, of equal ones the smallest id first.
	Top []Alternative
	// Prob is the probability with which the token was drawn, after all samplers, and Left are the most
	// probable of those that could be, in the order of Top.
	Prob float64
	Left []Likely
}

// Alternative is a token with its log-probability.
type Alternative struct {
	ID      int32   `json:"id"`
	Logprob float64 `json:"logprob"`
}

// Likely is a token with its probability.
type Likely struct {
	ID   int32   `json:"id"`
	Prob float64 `json:"prob"`
}

// wantsOdds reports whether anything is asked about the tokens that did not come.
func (q *Request) wantsOdds() bool { return q.TopLogprobs > 0 || q.PostSampling }

// CheckTopLogprobs reports a Request.TopLogprobs that can't be asked for. The error begins with the name of
// the setting, as flags have it.
func CheckTopLogprobs(n int) error {
	if n < 0 || n > 20 {
		return fmt.Errorf("top-logprobs is %d, it must lie between 0 and 20", n)
	}
	return nil
}

// top returns the n most probable tokens under the model.
func top(logits []float32, lse float32, n int) []Alternative {
	var order ranking
	out := make([]Alternative, 0, n)
	for _, id := range order.largest(logits, n) {
		out = append(out, Alternative{id, -float64(lse - logits[id])})
	}
	return out
}

// odds are those of a token that was drawn or had to come.
func (s *sequence) odds(logits []float32, id int32, drawn bool) *Odds {
	if !s.wantsOdds() {
		return nil
	}
	o := &Odds{}
	if s.TopLogprobs > 0 {
		o.Top = top(logits, cpu.LSE(logits), s.TopLogprobs)
	}
	switch {
	case !s.PostSampling:
	case drawn:
		o.Prob, o.Left = s.sampler.left.odds(id, s.TopLogprobs)
	default:
		o.Prob, o.Left = 1, []Likely{{id, 1}}[:min(1, s.TopLogprobs)]
	}
	return o
}

// odds returns the probability with which an id is drawn, and the n most probable ones.
func (c *candidates) odds(id int32, n int) (prob float64, most []Likely) {
	if len(c.logits) == 1 || !c.weigh() { // as draw has it
		return 1, []Likely{{id, 1}}[:min(1, n)]
	}
	places := make([]int32, 0, n)
	switch {
	case n == 0:
	case c.ids == nil:
		places = append(places, c.order.largest(c.logits, n)...)
	default: // in any order
		for i := range c.ids {
			places = append(places, int32(i))
		}
		slices.SortFunc(places, func(a, b int32) int {
			switch x, y := c.logits[a], c.logits[b]; {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return int(c.ids[a] - c.ids[b])
		})
		places = places[:min(n, len(places))]
	}
	share := func(place int) float64 { return float64(c.weights[place]) / c.total }
	for _, p := range places {
		if c.weights[p] > 0 {
			most = append(most, Likely{c.id(int(p)), share(int(p))})
		}
	}
	at := int(id)
	if c.ids != nil {
		at = slices.Index(c.ids, id)
	}
	return share(at), most
}

// echo makes a request one for the rows of all tokens of the prompt behind the first.
func (s *sequence) echo() {
	n := len(s.Prompt) - 1
	s.Rows = make([]int, n)
	for row := range s.Rows {
		s.Rows[row] = row
	}
	if s.result.Prompt = make([]float64, n); s.TopLogprobs > 0 {
		s.result.PromptTop = make([][]Alternative, n)
	}
	s.Logits = s.score
}

// score keeps what the model says of the prompt's token behind a row. Rows may come at the same time.
func (s *sequence) score(row int, logits []float32) {
	lse := cpu.LSE(logits)
	if s.result.Prompt[row] = -float64(lse - logits[s.Prompt[row+1]]); lse-lse != 0 {
		s.result.Prompt[row] = math.NaN()
	}
	if s.TopLogprobs > 0 {
		s.result.PromptTop[row] = top(logits, lse, s.TopLogprobs)
	}
}
