package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"unicode"
	"unicode/utf8"

	"olmo/lm"
)

var (
	_ = define(Task{Name: "bpb", Kind: Documents, Metric: BitsOfText})
	_ = define(Task{Name: "paloma", Kind: Documents, Metric: BitsOfText, overlap: true})
)

// Text is a document to be measured.
type Text struct{ ID, Text string }

// Encoder turns text into ids, without special ids.
type Encoder interface {
	AppendEncode(dst []int32, text string) []int32
}

// BitsPerByteOptions say how documents are cut.
type BitsPerByteOptions struct {
	Window int   // tokens that one forward pass predicts
	Prefix int32 // what stands before the first token: the end of text
	// EndOfText also charges the end of text after each document.
	EndOfText bool
	// Overlap moves the last window of a document back to full length, its first
	// tokens being context only, as catwalk does for Paloma.
	Overlap  bool
	Progress func(bytes int64)
}

// DocumentScore is one document's share.
type DocumentScore struct {
	ID     string  `json:"id"`
	Bytes  int     `json:"bytes"`
	Chars  int     `json:"chars"`
	Words  int     `json:"words"` // parts between runs of white space, as re.split(r"\s+") counts
	Tokens int     `json:"tokens"`
	Nats   float64 `json:"nats"`
}

// Perplexity sums documents up. Figures of nothing, such as the bits per byte of no bytes,
// are 0 here and null in JSON: 0 would be the best there is.
type Perplexity struct {
	Documents   int     `json:"documents"`
	Bytes       int64   `json:"bytes"`
	Chars       int64   `json:"chars"`
	Words       int64   `json:"words"`
	Tokens      int64   `json:"tokens"` // predicted
	Nats        float64 `json:"nats"`
	BitsPerByte float64 `json:"bits_per_byte"`
	PerToken    float64 `json:"perplexity_per_token"`
	PerByte     float64 `json:"perplexity_per_byte"`
	PerChar     float64 `json:"perplexity_per_char"`
	PerWord     float64 `json:"perplexity_per_word"`
}

// Add counts a document.
func (p *Perplexity) Add(d DocumentScore) {
	p.Documents++
	p.Bytes += int64(d.Bytes)
	p.Chars += int64(d.Chars)
	p.Words += int64(d.Words)
	p.Tokens += int64(d.Tokens)
	p.Nats += d.Nats
	if p.Bytes > 0 {
		p.BitsPerByte = p.Nats / math.Ln2 / float64(p.Bytes)
	}
	per := func(n int64) float64 {
		if n == 0 {
			return 0
		}
		return min(math.Exp(p.Nats/float64(n)), math.MaxFloat64) // JSON has no infinity
	}
	p.PerToken, p.PerByte, p.PerChar, p.PerWord = per(p.Tokens), per(p.Bytes), per(p.Chars), per(p.Words)
}

// MarshalJSON writes the figures that there are.
func (p Perplexity) MarshalJSON() ([]byte, error) {
	type plain Perplexity
	figure := func(x float64, n int64) *float64 {
		if n == 0 {
			return nil
		}
		return &x
	}
	return json.Marshal(struct {
		plain
		BitsPerByte *float64 `json:"bits_per_byte"`
		PerToken    *float64 `json:"perplexity_per_token"`
		PerByte     *float64 `json:"perplexity_per_byte"`
		PerChar     *float64 `json:"perplexity_per_char"`
		PerWord     *float64 `json:"perplexity_per_word"`
	}{plain(p), figure(p.BitsPerByte, p.Bytes), figure(p.PerToken, p.Tokens), figure(p.PerByte, p.Bytes), figure(p.PerChar, p.Chars), figure(p.PerWord, p.Words)})
}

// BitsPerByte measures documents, each alone: disjoint windows, the first one after
// Prefix, each later one after the token before it; the negative log-probability
// of all tokens divided by the bytes of the text in UTF-8.
func BitsPerByte(ctx context.Context, s *lm.Scorer, enc Encoder, texts iter.Seq2[Text, error], o BitsPerByteOptions, each func(DocumentScore) error) (Perplexity, error) {
	var total Perplexity
	if o.Window <= 0 {
		return total, fmt.Errorf("a window of %d tokens", o.Window)
	}
	// Documents wait until their windows fill several passes: the last pass of a batch is seldom
	// full. A document's windows are all in one batch.
	var batch []lm.Sequence
	var docs []DocumentScore
	var owner []int // document of each sequence
	rows := 0
	flush := func() error {
		err := s.Score(ctx, batch, func(i int, nats []float32) {
			for _, v := range nats {
				docs[owner[i]].Nats += float64(v)
			}
		})
		if err != nil {
			return err
		}
		for _, d := range docs {
			if math.IsNaN(d.Nats) || math.IsInf(d.Nats, 0) {
				return ErrNotFinite
			}
			total.Add(d)
			if each != nil {
				if err := each(d); err != nil {
					return err
				}
			}
		}
		if o.Progress != nil {
			o.Progress(total.Bytes)
		}
		batch, docs, owner, rows = batch[:0], docs[:0], owner[:0], 0
		return nil
	}
	for t, err := range texts {
		if err != nil {
			return total, err
		}
		ids := enc.AppendEncode([]int32{o.Prefix}, t.Text)
		if o.EndOfText {
			ids = append(ids, o.Prefix)
		}
		for _, q := range windows(ids, o.Window, o.Overlap) {
			batch, owner = append(batch, q), append(owner, len(docs))
			rows += len(q.IDs)
		}
		docs = append(docs, DocumentScore{ID: t.ID, Bytes: len(t.Text), Chars: utf8.RuneCountInString(t.Text), Words: words(t.Text), Tokens: len(ids) - 1})
		if rows >= 8*s.Rows() {
			if err := flush(); err != nil {
				return total, err
			}
		}
	}
	if err := flush(); err != nil {
		return total, err
	}
	if total.Bytes == 0 {
		return total, fmt.Errorf("there is no text to measure in %d documents", total.Documents)
	}
	return total, nil
}

// words counts the parts between runs of white space; an empty part before a run at
// the beginning, or after one at the end, counts as Python's re.split has it.
func words(text string) int {
	n, space := 1, false
	for _, r := range text {
		is := unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
		if is && !space {
			n++
		}
		space = is
	}
	return n
}

// windows cuts ids, of which the first is context only, into sequences that
// predict n tokens each. With 7 ids and n = 4 (a target stands under the id before it):
//
//	disjoint   0 1 2 3 | 4 5        overlap   0 1 2 3 |
//	           1 2 3 4 | 5 6                  1 2 3 4 |
//	                                              2 3 4 5
//	                                              · · 5 6
func windows(ids []int32, n int, overlap bool) []lm.Sequence {
	var out []lm.Sequence
	last := len(ids) - 1
	for i := 0; i < last; i += n {
		k := min(n, last-i)
		begin := i
		if overlap && i > 0 && k < n {
			begin = last - n
		}
		q := lm.Sequence{IDs: ids[begin : i+k], Targets: make([]int32, i+k-begin)}
		for j := range q.Targets {
			q.Targets[j] = -1
			if begin+j >= i {
				q.Targets[j] = ids[begin+j+1]
			}
		}
		out = append(out, q)
	}
	return out
}
