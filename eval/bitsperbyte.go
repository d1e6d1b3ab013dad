package eval

import (
	"context"
	"fmt"
	"iter"
	"math"
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
	Tokens int     `json:"tokens"`
	Nats   float64 `json:"nats"`
}

// Perplexity sums documents up.
type Perplexity struct {
	Documents   int     `json:"documents"`
	Bytes       int64   `json:"bytes"`
	Tokens      int64   `json:"tokens"` // predicted
	Nats        float64 `json:"nats"`
	BitsPerByte float64 `json:"bits_per_byte"`
	PerToken    float64 `json:"perplexity_per_token"`
}

func (p *Perplexity) add(d DocumentScore) {
	p.Documents++
	p.Bytes += int64(d.Bytes)
	p.Tokens += int64(d.Tokens)
	p.Nats += d.Nats
}

func (p *Perplexity) finish() {
	if p.Bytes > 0 {
		p.BitsPerByte = p.Nats / math.Ln2 / float64(p.Bytes)
	}
	if p.Tokens > 0 {
		p.PerToken = math.Exp(p.Nats / float64(p.Tokens))
	}
}

// BitsPerByte measures documents, each alone: disjoint windows, the first one after
// Prefix, each later one after the token before it; the negative log-probability
// of all tokens divided by the bytes of the text in UTF-8.
func BitsPerByte(ctx context.Context, s *Scorer, enc Encoder, texts iter.Seq2[Text, error], o BitsPerByteOptions, each func(DocumentScore) error) (Perplexity, error) {
	var total Perplexity
	if o.Window <= 0 {
		return total, fmt.Errorf("a window of %d tokens", o.Window)
	}
	var batch []Sequence
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
			total.add(d)
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
		docs = append(docs, DocumentScore{ID: t.ID, Bytes: len(t.Text), Tokens: len(ids) - 1})
		if rows >= 8*s.rows {
			if err := flush(); err != nil {
				return total, err
			}
		}
	}
	if err := flush(); err != nil {
		return total, err
	}
	total.finish()
	if total.Documents == 0 {
		return total, fmt.Errorf("there is no document to measure")
	}
	return total, nil
}

// windows cuts ids, of which the first is context only, into sequences that
// predict n tokens each.
func windows(ids []int32, n int, overlap bool) []Sequence {
	var out []Sequence
	last := len(ids) - 1
	for i := 0; i < last; i += n {
		k := min(n, last-i)
		begin := i
		if overlap && i > 0 && k < n {
			begin = last - n
		}
		q := Sequence{IDs: ids[begin : i+k], Targets: make([]int32, i+k-begin)}
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
