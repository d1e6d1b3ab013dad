package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data/store"
)

// recordFormat names the form of a record; what has another is no record of ours
// and says nothing.
const recordFormat = "olmo stage 1"

// record is the memory of a stage beside its outputs: what it made of what, so
// that the same command does nothing twice and takes nothing of others for its own.
type record struct {
	Format string       `json:"format"`
	Stage  string       `json:"stage"`
	Units  []*unitEntry `json:"units"` // by key

	path    string
	pending map[string]*unitEntry // of this run
}

// unitEntry is what a record says of a unit.
type unitEntry struct {
	Key      string      `json:"key"`
	Settings string      `json:"settings"` // digest
	Inputs   []fileEntry `json:"inputs"`
	Outputs  []fileEntry `json:"outputs"`
	// Pending outputs are complete under their temporary names.
	Pending bool            `json:"pending,omitempty"`
	Report  json.RawMessage `json:"report,omitempty"`
}

// fileEntry is a file, by its way from the record's folder.
type fileEntry struct {
	Path string `json:"path"`
	look
}

// readRecord reads the record at path. One that is missing, damaged, or of
// another stage or form is empty, and equals no run.
func readRecord(path, stage string) (*record, error) {
	r := &record{path: path, pending: map[string]*unitEntry{}}
	empty := func() *record {
		return &record{Format: recordFormat, Stage: stage, path: path, pending: map[string]*unitEntry{}}
	}
	if path == "" {
		return empty(), nil
	}
	b, err := store.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record of an earlier run: %w", err)
	}
	if json.Unmarshal(b, r) != nil || r.Format != recordFormat || r.Stage != stage || slices.Contains(r.Units, nil) {
		return empty(), nil
	}
	return r, nil
}

// unit finds a unit by its key.
func (r *record) unit(key string) *unitEntry {
	if e := r.pending[key]; e != nil {
		return e
	}
	for _, e := range r.Units {
		if e.Key == key {
			return e
		}
	}
	return nil
}

// settle takes what is pending for done; with alone units of other runs go.
func (r *record) settle(alone bool, planned map[string]bool) {
	r.Units = r.all()
	r.pending = map[string]*unitEntry{}
	r.Units = slices.DeleteFunc(r.Units, func(e *unitEntry) bool { return alone && !planned[e.Key] })
	for _, e := range r.Units {
		if planned[e.Key] {
			e.Pending = false
		}
	}
}

// all is every unit, those of this run in place of earlier ones.
func (r *record) all() []*unitEntry {
	var out []*unitEntry
	for _, e := range r.Units {
		if r.pending[e.Key] == nil {
			out = append(out, e)
		}
	}
	for _, e := range r.pending {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *unitEntry) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// write stores the record.
func (r *record) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(record{Format: recordFormat, Stage: r.Stage, Units: r.all()}, "", " ")
	if err != nil {
		return fmt.Errorf("recording the run: %w", err)
	}
	w, err := CreateWriterAs(path, Plain)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(append(text, '\n')); err != nil {
		return err
	}
	return w.Close()
}

// relative is a file's way from the record's folder, with slashes; addresses, and
// paths that have no way from there, are kept as they are.
func (r *record) relative(path string) string {
	if store.Remote(path) || path == store.Standard {
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(store.Dir(r.path), "/")+"/"); ok && store.Remote(r.path) {
			return rest
		}
		return path
	}
	if store.Remote(r.path) {
		return path
	}
	base, err := filepath.Abs(filepath.Dir(r.path))
	if err != nil {
		return path
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(base, full)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// outputs names the outputs of a unit as this run would.
func (r *record) outputs(e *unitEntry) []string {
	out := make([]string, len(e.Outputs))
	for i, f := range e.Outputs {
		out[i] = r.resolve(f.Path)
	}
	return out
}

func (r *record) resolve(path string) string {
	if store.Remote(path) || path == store.Standard || !store.Remote(r.path) && filepath.IsAbs(filepath.FromSlash(path)) {
		return path
	}
	return store.Join(store.Dir(r.path), filepath.FromSlash(path))
}
