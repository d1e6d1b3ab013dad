package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"olmo/data"
	"olmo/eval/python"
	"olmo/lm"
	"olmo/numeric"
)

// The tasks of a user's documents. A document's windows each predict so many tokens, the
// first one after the end of text, each later one after the token before it.
var (
	_ = define(Task{Name: "bpb", Kind: Documents, Quoted: "bits_per_byte"})
	// Paloma (Magnusson et al. 2023) as catwalk measures it: the last window is moved back.
	_ = define(Task{Name: "paloma", Kind: Documents, Quoted: "bits_per_byte", overlap: true})
)

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

// Add counts a document's text, whose tokens cost so many nats.
func (p *Perplexity) Add(text string, tokens int, nats float64) {
	p.add(len(text), utf8.RuneCountInString(text), python.Words(text), tokens, nats)
}

func (p *Perplexity) add(bytes, chars, words, tokens int, nats float64) {
	p.Documents++
	p.Bytes += int64(bytes)
	p.Chars += int64(chars)
	p.Words += int64(words)
	p.Tokens += int64(tokens)
	p.Nats += nats
	if p.Bytes > 0 {
		p.BitsPerByte = p.Nats / math.Ln2 / float64(p.Bytes)
	}
	per := func(n int64) float64 {
		if n == 0 {
			return 0
		}
		return min(numeric.Exp(p.Nats/float64(n)), math.MaxFloat64) // JSON has no infinity
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

// textsOf asks the whole text of each document of the user's files, or of the task's sets.
func (t *Task) textsOf(in *Inputs) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		n := 0
		for d, err := range t.texts(in) {
			if in.Limit > 0 && n == in.Limit {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			d.Index = n
			d.Requests[0].Window, d.Requests[0].Overlap, d.Requests[0].EndOfText = in.Window, t.overlap, in.EndOfText
			if !yield(d, nil) {
				return
			}
			n++
		}
	}
}

// texts are the documents, file by file.
func (t *Task) texts(in *Inputs) iter.Seq2[*Document, error] {
	if t.Sets != nil {
		return t.textsOfSets(in)
	}
	return func(yield func(*Document, error) bool) {
		for _, file := range in.Documents {
			for d, err := range readTexts(file) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// readTexts reads a file of documents, or any other file as one text.
func readTexts(path string) iter.Seq2[*Document, error] {
	ask := func(id, text string, row []byte) *Document {
		return &Document{ID: id, Row: row, From: path, Requests: []Request{{Form: Rolling, Continuation: text}}, Targets: []string{text}}
	}
	return func(yield func(*Document, error) bool) {
		name := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
		if ext := filepath.Ext(name); ext != ".jsonl" && ext != ".json" {
			text, err := data.ReadText(path)
			yield(ask(filepath.Base(path), string(text), nil), err)
			return
		}
		r, err := data.OpenReader(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		for {
			d, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(ask(d.ID, d.Text, bytes.Clone(d.Raw)), nil) {
				return
			}
		}
	}
}

// domain is what a document of the user's is counted under: the value of a field of its row or
// metadata; without a name subdomain, then source, then its file.
func (d *Document) domain(field string) string {
	var row struct{ Metadata map[string]any }
	var all map[string]any
	if d.Row != nil && json.Unmarshal(d.Row, &all) == nil && json.Unmarshal(d.Row, &row) != nil {
		row.Metadata = nil
	}
	names := []string{field}
	if field == "" {
		names = []string{"subdomain", "source"}
	}
	for _, name := range names {
		for _, fields := range []map[string]any{all, row.Metadata} {
			if v, ok := fields[name].(string); ok && v != "" {
				return v
			}
		}
	}
	return filepath.Base(d.From)
}
