package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

	of proof.Hash // everything that they follow from
}

// rowsFormat is the format of the file that remembers rows.
const rowsFormat = "olmo adapt rows 3"

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
func (c *Config) fingerprint(kind adapt.Kind, e *adapt.Encoder, tokenizer []byte) (proof.Hash, error) {
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
		Kind                        adapt.Kind
		TrainOn                     adapt.TrainOn
		Length                      int
		Seed                        uint64
		Skip                        bool
		Most                        *int
		Sources                     []source
	}{rowsFormat, e.Template.Text(), proof.Sum(tokenizer).String(), kind, e.TrainOn, e.MaxLength, c.Seed, c.SkipBadRows, c.MaxTrainSamples, nil}
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

// gather prepares the rows of the run. A dry run does without those that are not there.
func (r *Run) gather(ctx context.Context, kind adapt.Kind, h Host) (err error) {
	if r.Rows, err = r.prepare(ctx, kind); h.DryRun && errors.Is(err, fs.ErrNotExist) {
		r.Rows = newRowWriter(filepath.Join(r.Config.OutputDir, "data", string(kind)), r.vocabulary, nil).r
		r.Rows.Longest, r.Missing, err = r.Encoder.MaxLength, err, nil
	}
	return err
}

// prepare tokenises what the mixture holds into files of output_dir, or takes those that are there and
// follow from the same. A pair becomes two rows, the chosen answer first.
func (r *Run) prepare(ctx context.Context, kind adapt.Kind) (*Rows, error) {
	return r.remember(kind, func(w *rowWriter) error {
		if err := r.Config.encode(ctx, kind, r.Encoder, w); err != nil {
			return err
		}
		return w.count()
	})
}

// remember has rows made and written, or takes those that are there and follow from the same.
func (r *Run) remember(kind adapt.Kind, rows func(w *rowWriter) error) (*Rows, error) {
	of, err := r.Config.fingerprint(kind, r.Encoder, r.Files["tokenizer.json"])
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(r.Config.OutputDir, "data")
	stem := filepath.Join(folder, string(kind))
	memory := stem + ".json"
	if text, err := files.ReadFile(memory); err == nil {
		var m remembered
		if json.Unmarshal(text, &m) == nil && m.Format == rowsFormat && m.Of == of {
			m.Rows.of = of
			return &m.Rows, nil
		}
	}
	w := newRowWriter(stem, r.vocabulary, adapt.NewCounts(r.Encoder.Tokenizer))
	w.r.Rejects, w.r.of = filepath.Join(folder, "rejects.jsonl"), of
	if err := rows(w); err != nil {
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

// encode makes rows of what the mixture holds, in its order.
func (c *Config) encode(ctx context.Context, kind adapt.Kind, e *adapt.Encoder, w *rowWriter) error {
	m, err := c.mixture()
	if err != nil {
		return err
	}
	type encoded struct {
		answers []*adapt.Example
		form    adapt.Form
	}
	var reject func(error) error
	if c.SkipBadRows {
		reject = w.reject
	}
	taken, err := adapt.Read(ctx, m, func(row []byte) (encoded, error) {
		r, err := adapt.ParseRow(row, kind)
		if err != nil {
			return encoded{}, err
		}
		conversations := []*adapt.Conversation{&r.Conversation}
		if kind == adapt.Preference {
			conversations = append(conversations, &r.Rejected)
		}
		x := encoded{form: r.Form}
		for _, c := range conversations {
			answer, err := e.Encode(c)
			if err != nil {
				return encoded{}, err
			}
			x.answers = append(x.answers, answer)
		}
		return x, nil
	}, reject)
	if err != nil {
		return err
	}
	rows := 0
	for _, t := range taken {
		if text := t.Part.Suspicious(t.Of); text != "" {
			w.r.Warnings = append(w.r.Warnings, text)
		}
		var form adapt.Form
		for _, x := range t.Rows {
			if rows++; c.MaxTrainSamples != nil && rows > *c.MaxTrainSamples {
				return nil
			}
			if form == "" && x.form != "" {
				form = x.form
				w.r.Notes = append(w.r.Notes, fmt.Sprintf("%s: rows in the form of %s are read as messages", t.Part.Name, form))
			}
			if err := w.add(x.answers...); err != nil {
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

func newRowWriter(stem string, vocabulary int, counts *adapt.Counts) *rowWriter {
	return &rowWriter{r: &Rows{Tokens: stem + ".npy", Masks: stem + ".mask.npy", DType: tokens.DTypeFor(vocabulary)}, vocabulary: vocabulary, counts: counts}
}

// add takes a group of examples; when one has no token that trains all are counted and left out.
func (w *rowWriter) add(group ...*adapt.Example) error {
	keep := true
	for _, x := range group {
		w.counts.Add(x)
		keep = keep && x.Keep()
	}
	if !keep {
		return nil
	}
	if w.r.First == nil {
		w.r.First = group[0]
	}
	for _, x := range group {
		if err := w.put(x); err != nil {
			return err
		}
	}
	return nil
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

// count says what became of the conversations. None left is an error.
func (w *rowWriter) count() error {
	if w.r.Count == 0 {
		return fmt.Errorf("no row is left: of %d conversations none has a token that trains\nhint: 'olmo adapt show' prints one as the model sees it; max_seq_length may cut the answers off", w.counts.Examples)
	}
	w.r.Counts, w.r.Warnings = w.counts.String(), append(w.r.Warnings, w.counts.Warnings()...)
	return nil
}

// write gives the files their names, the token file last.
func (w *rowWriter) write() error {
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
