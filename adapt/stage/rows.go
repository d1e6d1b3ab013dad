package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/gzip"

	"olmo/adapt"
	"olmo/data"
	"olmo/data/tokens"
	"olmo/proof"
	files "olmo/store"
)

// Rows are conversations as token files that package train reads: each a row with its label mask.
type Rows struct {
	Tokens, Masks string // files
	Count         int    // rows
	Longest       int    // tokens of the longest
	DType         tokens.DType
	First         *adapt.Example
	Notes         []string // what was read as something else
	Counts        string   // what adapt.Counts says of them
	Warnings      []string // and warns of
	Skipped       int      // rows that are none, in Rejects
	Rejects       string
}

// rowsFormat is the format of the file that remembers rows.
const rowsFormat = "olmo adapt rows 2"

// remembered is what lies beside the files of rows.
type remembered struct {
	Format string     `json:"format"`
	Of     proof.Hash `json:"of"` // everything that they follow from
	Rows   Rows       `json:"rows"`
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// mixture is what dataset_mixer_list names.
func (c *Config) mixture() (*adapt.Mixture, error) {
	parts, err := adapt.ParseMixer(c.DatasetMixerList, c.DatasetMixerSplits)
	if err == nil && c.Seed > math.MaxUint32 {
		err = fmt.Errorf("seed is %d, and rows of a mixture are drawn by at most %d", c.Seed, uint32(math.MaxUint32))
	}
	return &adapt.Mixture{Parts: parts, Places: []string{"."}, Seed: uint32(c.Seed)}, err
}

// fingerprint is over everything that the rows follow from.
func (c *Config) fingerprint(template string, tokenizer []byte, length int) (proof.Hash, error) {
	m, err := c.mixture()
	if err != nil {
		return proof.Hash{}, err
	}
	type source struct {
		SHA256 string
		Rows   int
		Share  float64
	}
	all := struct {
		Format, Template, Tokenizer string
		TrainOn                     adapt.TrainOn
		Length                      int
		Seed                        uint64
		Skip                        bool
		Most                        *int
		Sources                     []source
	}{rowsFormat, template, proof.Sum(tokenizer).String(), c.TrainOn, length, c.Seed, c.SkipBadRows, c.MaxTrainSamples, nil}
	for _, p := range m.Parts {
		digest, err := m.Digest(p)
		if err != nil {
			return proof.Hash{}, err
		}
		all.Sources = append(all.Sources, source{digest, p.Rows, p.Share})
	}
	text, err := proof.CanonicalOf(all)
	return proof.Sum(text), err
}

// Prepare tokenises the conversations of the mixture into files in a folder, or takes those that are there
// and follow from the same. vocabulary is the number of rows of the model's embedding.
func (c *Config) Prepare(ctx context.Context, e *adapt.Encoder, tokenizerFile []byte, folder string, vocabulary int) (*Rows, error) {
	of, err := c.fingerprint(e.Template.Text(), tokenizerFile, e.MaxLength)
	if err != nil {
		return nil, err
	}
	stem := filepath.Join(folder, "sft")
	memory := stem + ".json"
	if text, err := files.ReadFile(memory); err == nil {
		var m remembered
		if json.Unmarshal(text, &m) == nil && m.Format == rowsFormat && m.Of == of {
			return &m.Rows, nil
		}
	}
	w := &rowWriter{r: &Rows{Tokens: stem + ".npy", Masks: stem + ".mask.npy", DType: tokens.DTypeFor(vocabulary), Rejects: filepath.Join(folder, "rejects.jsonl")}, vocabulary: vocabulary, counts: adapt.NewCounts(e.Tokenizer)}
	if err := c.encode(ctx, e, w); err != nil {
		return nil, err
	}
	if err := w.write(); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(remembered{rowsFormat, of, *w.r}, "", "  ")
	if err == nil {
		err = files.WriteFile(memory, append(text, '\n'))
	}
	return w.r, err
}

// encode makes rows of the mixture's conversations, in its order.
func (c *Config) encode(ctx context.Context, e *adapt.Encoder, w *rowWriter) error {
	m, err := c.mixture()
	if err != nil {
		return err
	}
	type encoded struct {
		x    *adapt.Example
		form adapt.Form
	}
	var reject func(error) error
	if c.SkipBadRows {
		reject = w.reject
	}
	taken, err := adapt.Read(ctx, m, func(row []byte) (encoded, error) {
		r, err := adapt.ParseRow(row, adapt.SFT)
		if err != nil {
			return encoded{}, err
		}
		x, err := e.Encode(&r.Conversation)
		return encoded{x, r.Form}, err
	}, reject)
	if err != nil {
		return err
	}
	for _, t := range taken {
		if text := t.Part.Suspicious(t.Of); text != "" {
			w.r.Warnings = append(w.r.Warnings, text)
		}
		var form adapt.Form
		for _, r := range t.Rows {
			if c.MaxTrainSamples != nil && w.counts.Examples >= *c.MaxTrainSamples {
				return nil
			}
			if form == "" && r.form != "" {
				form = r.form
				w.r.Notes = append(w.r.Notes, fmt.Sprintf("%s: rows in the form of %s are read as messages", t.Part.Name, form))
			}
			if err := w.add(r.x); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowWriter collects rows.
type rowWriter struct {
	r                           *Rows
	vocabulary                  int
	counts                      *adapt.Counts
	ids, masks, places, rejects bytes.Buffer
	at                          int
}

// add takes an example; one without a token that trains is counted and left out.
func (w *rowWriter) add(x *adapt.Example) error {
	w.counts.Add(x)
	if !x.Keep() {
		return nil
	}
	if w.r.First == nil {
		w.r.First = x
	}
	return w.put(x)
}

// put writes an example.
func (w *rowWriter) put(x *adapt.Example) error {
	for i, id := range x.IDs {
		if int(id) >= w.vocabulary {
			return fmt.Errorf("the tokenizer gives id %d, and the embedding of the model has %d rows\nhint: is it this model's tokenizer?", id, w.vocabulary)
		}
		trains := byte(0)
		if x.Labels[i] != adapt.Masked {
			trains = 1
		}
		w.masks.WriteByte(trains)
	}
	b, err := tokens.AppendIDs(w.ids.AvailableBuffer(), x.IDs, w.r.DType)
	if err != nil {
		return err
	}
	w.ids.Write(b)
	p := tokens.Place{Start: int64(w.at), End: int64(w.at + len(x.IDs)), ID: fmt.Sprint(w.r.Count)}
	w.places.Write(p.AppendCSV(nil))
	w.at += len(x.IDs)
	w.r.Count++
	w.r.Longest = max(w.r.Longest, len(x.IDs))
	return nil
}

// reject keeps a row that is none, with where it stands.
func (w *rowWriter) reject(why error) error {
	w.r.Skipped++
	line := map[string]any{"reason": why.Error()}
	var bad *data.RecordError
	if errors.As(why, &bad) {
		line = map[string]any{"file": bad.File, "line": bad.Line, "offset": bad.Offset, "reason": bad.Err.Error(), "raw": string(bad.Raw)}
	}
	text, err := json.Marshal(line)
	w.rejects.Write(append(text, '\n'))
	return err
}

// write gives the files their names, the token file last.
func (w *rowWriter) write() error {
	if w.r.Count == 0 {
		return fmt.Errorf("no row is left: of %d conversations none has a token that trains\nhint: 'olmo adapt show' prints one as the model sees it; max_seq_length may cut the answers off", w.counts.Examples)
	}
	w.r.Counts, w.r.Warnings = w.counts.String(), append(w.r.Warnings, w.counts.Warnings()...)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(w.places.Bytes())
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{w.r.Rejects, w.rejects.Bytes()}, {tokens.PlacesPath(w.r.Tokens), packed.Bytes()}, {w.r.Masks, w.masks.Bytes()}, {w.r.Tokens, w.ids.Bytes()}} {
		if f.name == w.r.Rejects && len(f.text) == 0 {
			continue
		}
		if err := files.WriteFile(f.name, f.text); err != nil {
			return err
		}
	}
	return nil
}
