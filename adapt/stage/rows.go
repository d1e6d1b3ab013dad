package stage

import (
	"bytes"
	"cmp"
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
	// Margins are, for each row, what is taken off its reward; nil: nothing is.
	Margins []float64 `json:",omitempty"`
	// Stops are the tokens that end the turns that train, where turns do.
	Stops []int32 `json:",omitempty"`
	// Sums are the SHA-256 of the files of tokens and masks.
	Sums [2]string

	of proof.Hash // everything that they follow from
}

// rowsFormat is the format of the file that remembers rows.
const rowsFormat = "olmo adapt rows 4"

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

// rowMaker makes rows of what a data set holds.
type rowMaker struct {
	kind adapt.Kind
	name string // of the files
	// rejects is the name of the file of rows that are none, rejects.jsonl where it is empty.
	rejects string
	also    any // what the rows follow from beside data, encoder and tokenizer
	// encode makes the rows of one of the data set's, none to leave it out.
	encode func(e *adapt.Encoder, r *adapt.Row) ([]*adapt.Example, error)
	counts counts
	// more, which may be nil, adds rows behind those of the data set.
	more func(w *rowWriter) error
}

// counts are told of each group of rows, and whether it is kept.
type counts interface {
	add(group []*adapt.Example) (keep bool)
	// said is a line about all of them, warnings, and why none is left.
	said() (text string, warnings []string, none error)
}

// answers are rows that train answers: a pair becomes two, the chosen answer first.
func answers(kind adapt.Kind, e *adapt.Encoder) rowMaker {
	return rowMaker{kind: kind, name: string(kind), counts: answerCounts{adapt.NewCounts(e.Tokenizer)}, encode: func(e *adapt.Encoder, r *adapt.Row) ([]*adapt.Example, error) {
		conversations := []*adapt.Conversation{&r.Conversation}
		if kind == adapt.Preference {
			conversations = append(conversations, &r.Rejected)
		}
		var out []*adapt.Example
		for _, c := range conversations {
			x, err := e.Encode(c)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	}}
}

// answerCounts counts the tokens that train; a group trains only when all of it does.
type answerCounts struct{ *adapt.Counts }

func (c answerCounts) add(group []*adapt.Example) (keep bool) {
	keep = true
	for _, x := range group {
		c.Add(x)
		keep = keep && x.Keep()
	}
	return keep
}

func (c answerCounts) said() (text string, warnings []string, none error) {
	return c.String(), c.Warnings(), fmt.Errorf("no row is left: of %d conversations none has a token that trains\nhint: 'olmo adapt show' prints one as the model sees it; max_seq_length may cut the answers off", c.Examples)
}

// fingerprint is over everything that the rows follow from.
func (c *Config) fingerprint(m rowMaker, e *adapt.Encoder, tokenizer []byte) (proof.Hash, error) {
	mixture, err := c.mixture()
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
		Also                        any `json:",omitempty"`
	}{rowsFormat, e.Template.Text(), proof.Sum(tokenizer).String(), m.kind, e.TrainOn, e.MaxLength, c.Seed, c.SkipBadRows, c.MaxTrainSamples, nil, m.also}
	for _, p := range mixture.Parts {
		digest, err := mixture.Digest(p)
		if err != nil {
			return proof.Hash{}, err
		}
		all.Sources = append(all.Sources, source{digest, p.Rows, p.Share})
	}
	text, err := proof.CanonicalOf(all)
	return proof.Sum(text), err
}

// gather prepares the rows of the run. A dry run does without those that are not there.
func (r *Run) gather(ctx context.Context, maker rowMaker, h Host) (err error) {
	r.Rows, err = r.prepare(ctx, maker)
	if err == nil && maker.name != heldOutLabel {
		err = r.stopAtTurns()
	}
	return r.missing(err, maker.name, h)
}

// missing lets a dry run go on without the data, whose rows then are as long as they can be.
func (r *Run) missing(err error, name string, h Host) error {
	if !h.DryRun || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.Rows = newRowWriter(filepath.Join(r.Config.OutputDir, "data", name), r.vocabulary, nil).r
	r.Rows.Longest, r.Missing = r.Encoder.MaxLength, err
	return nil
}

// prepare tokenises what the mixture holds into files of output_dir, or takes those that are there and
// follow from the same.
func (r *Run) prepare(ctx context.Context, maker rowMaker) (*Rows, error) {
	return r.remember(maker, func(w *rowWriter) error {
		if err := r.Config.encode(ctx, maker, r.Encoder, w); err != nil {
			return err
		}
		if err := w.count(); err != nil || maker.more == nil {
			return err
		}
		return maker.more(w)
	})
}

// remember has rows made and written, or takes those that are there and follow from the same.
func (r *Run) remember(maker rowMaker, rows func(w *rowWriter) error) (*Rows, error) {
	of, err := r.Config.fingerprint(maker, r.Encoder, r.Files["tokenizer.json"])
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(r.Config.OutputDir, "data")
	stem := filepath.Join(folder, maker.name)
	memory, rejects := stem+".json", filepath.Join(folder, cmp.Or(maker.rejects, "rejects.jsonl"))
	trains, again := maker.name != heldOutLabel, false // again: the same rows, which were there
	if trains {
		if err := r.Config.sameStage(maker.name); err != nil {
			return nil, err
		}
	}
	if text, err := files.ReadFile(memory); err == nil {
		var m remembered
		if json.Unmarshal(text, &m) == nil && m.Format == rowsFormat && m.Of == of {
			// The folder may have been moved, and the rows taken out of it or damaged.
			have := newRowWriter(stem, r.vocabulary, nil).r
			again = true
			m.Rows.of, m.Rows.Tokens, m.Rows.Masks, m.Rows.Rejects = of, have.Tokens, have.Masks, rejects
			if m.Rows.whole() {
				if r.claim == nil { // nothing is going to train on them
					return &m.Rows, nil
				}
				return &m.Rows, r.hold()
			}
		}
	}
	w := newRowWriter(stem, r.vocabulary, maker.counts)
	w.r.Rejects, w.r.of = rejects, of
	if err := rows(w); err != nil {
		return nil, err
	}
	w.r.Sums = [2]string{proof.Sum(w.ids.Bytes()).String(), proof.Sum(w.masks.Bytes()).String()}
	if err := r.hold(); err != nil {
		return nil, err
	}
	for _, f := range w.outputs() {
		if !trains || again {
			break
		}
		if err := r.Config.keep(f.path, f.text); err != nil {
			return nil, err
		}
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

// whole tells whether the files are those that were written.
func (r *Rows) whole() bool {
	for i, path := range []string{r.Tokens, r.Masks} {
		in, err := files.Open(path)
		if err != nil {
			return false
		}
		sum, err := proof.SumReader(in)
		if err = errors.Join(err, in.Close()); err != nil || sum.String() != r.Sums[i] {
			return false
		}
	}
	return exists(tokens.PlacesPath(r.Tokens))
}

// encode makes rows of what the mixture holds, in its order.
func (c *Config) encode(ctx context.Context, maker rowMaker, e *adapt.Encoder, w *rowWriter) error {
	m, err := c.mixture()
	if err != nil {
		return err
	}
	type encoded struct {
		group  []*adapt.Example
		form   adapt.Form
		margin float64
	}
	var reject func(error) error
	if c.SkipBadRows {
		reject = w.reject
	}
	taken, err := adapt.Read(ctx, m, func(row []byte) (encoded, error) {
		r, err := adapt.ParseRow(row, maker.kind)
		if err != nil {
			return encoded{}, err
		}
		group, err := maker.encode(e, r)
		return encoded{group, r.Form, r.Margin}, err
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
			if err := w.add(x.margin, x.group...); err != nil {
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
	counts                      counts
	margins                     []float64
	ids, masks, places, rejects bytes.Buffer
	at                          int
	beside                      []output // that go with the rows
}

func newRowWriter(stem string, vocabulary int, counts counts) *rowWriter {
	return &rowWriter{r: &Rows{Tokens: stem + ".npy", Masks: stem + ".mask.npy", DType: tokens.DTypeFor(vocabulary)}, vocabulary: vocabulary, counts: counts}
}

// add takes a group of examples, of which margin is taken off the first one's reward, if the counts
// keep it.
func (w *rowWriter) add(margin float64, group ...*adapt.Example) error {
	if !w.counts.add(group) {
		return nil
	}
	w.margins = append(append(w.margins, margin), make([]float64, len(group)-1)...)
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
	text, warnings, none := w.counts.said()
	if w.r.Count == 0 {
		return none
	}
	w.r.Counts, w.r.Warnings = text, append(w.r.Warnings, warnings...)
	if c, ok := w.counts.(answerCounts); ok {
		w.r.Stops = c.Stops()
	}
	if slices.ContainsFunc(w.margins, func(m float64) bool { return m != 0 }) {
		w.r.Margins = w.margins
	}
	return nil
}

// output is a file and what it gets.
type output struct {
	path string
	text []byte
}

// outputs are the files that say what trains, the token file last.
func (w *rowWriter) outputs() []output {
	return append(slices.Clone(w.beside), output{w.r.Masks, w.masks.Bytes()}, output{w.r.Tokens, w.ids.Bytes()})
}

// write gives the files their names, the token file last.
func (w *rowWriter) write() error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(w.places.Bytes())
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	for _, f := range append([]output{{w.r.Rejects, w.rejects.Bytes()}, {tokens.PlacesPath(w.r.Tokens), packed.Bytes()}}, w.outputs()...) {
		if f.path == w.r.Rejects && len(f.text) == 0 {
			continue
		}
		if err := files.WriteFile(f.path, f.text); err != nil {
			return err
		}
	}
	return nil
}
