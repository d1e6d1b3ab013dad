package lm

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"olmo/numeric"
)

// Reading is how a model reads a text: at each token, how much it was surprised, and what
// it would have expected.
type Reading struct {
	Model string `json:"model"`
	Bytes int    `json:"bytes"` // of the text
	// First is the id that stands before the text, as between two documents.
	First  int32       `json:"first"`
	Window int         `json:"window"` // tokens that the model saw at once at most
	Tokens []ReadToken `json:"tokens"`
	// Next are the likeliest tokens behind the text, the likeliest first.
	Next []Choice `json:"next"`
}

// ReadToken is a token of a text that was read.
type ReadToken struct {
	ID   int32  `json:"id"`
	Text string `json:"text"` // nothing for the first pieces of a character
	// Nats is the negative log-probability that the token had in its place.
	Nats float64 `json:"nats"`
	Rank int     `json:"rank"` // how many tokens were likelier, of equals those of smaller ids
	// Expected are the likeliest tokens in its place, the likeliest first.
	Expected []Choice `json:"expected"`
}

// Choice is a token that may come next.
type Choice struct {
	ID          int32   `json:"id"`
	Text        string  `json:"text"`
	Probability float64 `json:"probability"`
}

// Nats is the sum over the tokens.
func (r *Reading) Nats() float64 {
	sum := 0.0
	for _, t := range r.Tokens {
		sum += t.Nats
	}
	return sum
}

// BitsPerByte is the figure of the text, NaN for none.
func (r *Reading) BitsPerByte() float64 {
	if r.Bytes == 0 {
		return math.NaN()
	}
	return r.Nats() / math.Ln2 / float64(r.Bytes)
}

// readWindow is how many tokens are read at once at most, and readLogits how many logits
// they have, for memory's sake.
const readWindow, readLogits = 1024, 64 << 20

// Read reads a text token by token, with the most likely choices at each place. A text that
// is longer than the model reads at once is read in windows, of which each begins anew.
// each is told how many tokens were read; it may be nil.
func (m *Model) Read(ctx context.Context, text string, choices int, each func(done, total int)) (*Reading, error) {
	if m.Tokenizer == nil {
		return nil, errors.New("the model has no tokenizer")
	}
	ids, err := m.Tokenizer.AppendEncode(nil, text)
	if err != nil {
		return nil, err
	}
	r := &Reading{Model: m.Path, Bytes: len(text), First: max(m.Config.EOS, 0), Window: max(1, min(readWindow, readLogits/m.Config.V))}
	if m.Config.BOS >= 0 {
		r.First = m.Config.BOS
	}
	if T := m.Config.T; T > 0 {
		r.Window = min(r.Window, T)
	}
	stream := m.Tokenizer.NewStream(false)
	before := r.First
	for at := 0; ; at += r.Window {
		window := ids[at:min(at+r.Window, len(ids))]
		query := append([]int32{r.First}, window...)
		last := at+len(window) == len(ids)
		if !last {
			query = query[:len(query)-1] // nothing of this window stands behind it
		} else if len(query) > r.Window {
			query = query[:r.Window]
		}
		logits, _, err := m.Logits(ctx, [][]int32{query}, LogitsOptions{})
		if err != nil {
			return nil, err
		}
		rows, err := logits.Float32s()
		if err != nil {
			return nil, err
		}
		for i := range query {
			row := rows[i*m.Config.V : (i+1)*m.Config.V]
			if i == len(window) {
				r.Next = m.Choices(row, choices, before)
				break
			}
			id := window[i]
			t := ReadToken{ID: id, Text: stream.Next(id), Expected: m.Choices(row, choices, before)}
			t.Nats = logSum(row) - float64(row[id])
			for j, v := range row {
				if v > row[id] || v == row[id] && j < int(id) {
					t.Rank++
				}
			}
			r.Tokens = append(r.Tokens, t)
			before = id
		}
		if each != nil {
			each(len(r.Tokens), len(ids))
		}
		if last {
			break
		}
	}
	if n := len(r.Tokens); n > 0 {
		r.Tokens[n-1].Text += stream.Flush()
	}
	return r, nil
}

// logSum is the logarithm of the sum of the exponentials.
func logSum(row []float32) float64 {
	most := slices.Max(row)
	sum := 0.0
	for _, v := range row {
		sum += numeric.Exp(float64(v) - float64(most))
	}
	return float64(most) + numeric.Log(sum)
}

// behind is how a token looks behind another.
func (m *Model) behind(before, id int32) string {
	text, ok := strings.CutPrefix(m.Tokenizer.Decode([]int32{before, id}, false), m.Tokenizer.Decode([]int32{before}, false))
	if !ok {
		text = m.Tokenizer.Decode([]int32{id}, false)
	}
	return text
}

// Choices are the n likeliest tokens of a row of logits, of equals the smaller id first. How
// a token looks depends on the one before it.
func (m *Model) Choices(row []float32, n int, before int32) []Choice {
	var best []int
	for i, v := range row {
		if len(best) == n && (n == 0 || v <= row[best[n-1]]) {
			continue
		}
		at := len(best)
		for at > 0 && row[best[at-1]] < v {
			at--
		}
		best = slices.Insert(best, at, i)
		best = best[:min(len(best), n)]
	}
	sum := logSum(row)
	out := []Choice{}
	for _, i := range best {
		text := ""
		if m.Tokenizer != nil {
			text = m.behind(before, int32(i))
		}
		out = append(out, Choice{int32(i), text, numeric.Exp(float64(row[i]) - sum)})
	}
	return out
}
