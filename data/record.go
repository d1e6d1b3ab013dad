package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data/store"
)

// recordFormat names the form of a record. A file that names another is no record of
// ours, so nothing is taken from it: the stage runs as if it were the first time.
const recordFormat = "olmo stage 1"

// record is the memory of a stage beside its outputs: what it made of what, so
// that the same command does nothing twice and takes nothing of others for its own.
type record struct {
	Format string       `json:"format"`
	Stage  string       `json:"stage"`
	Units  []*unitEntry `json:"units"` // by key
	// Pending units are complete under temporary names: their run was not
	// committed yet. What stands under the names is still that of Units.
	Pending []*unitEntry `json:"pending,omitempty"`

	path string
	torn bool // an output of a commit that was cut short is lost
}

// unitEntry is what a record says of a unit.
type unitEntry struct {
	Key      string          `json:"key"`
	Settings string          `json:"settings"` // digest
	Inputs   []fileEntry     `json:"inputs"`
	Outputs  []fileEntry     `json:"outputs"`
	Report   json.RawMessage `json:"report,omitempty"`
}

// fileEntry is a file, by its way from the record's folder.
type fileEntry struct {
	Path string `json:"path"`
	look
}

// readRecord reads the record at path. One that is missing, damaged, or of
// another stage or form is empty, and equals no run.
func readRecord(path, stage string) (*record, error) {
	empty := &record{Format: recordFormat, Stage: stage, path: path}
	if path == "" {
		return empty, nil
	}
	b, err := store.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record of an earlier run: %w", err)
	}
	r := &record{path: path}
	if json.Unmarshal(b, r) != nil || r.Format != recordFormat || r.Stage != stage || slices.Contains(r.Units, nil) || slices.Contains(r.Pending, nil) {
		return empty, nil
	}
	for _, units := range [][]*unitEntry{r.Units, r.Pending} {
		slices.SortStableFunc(units, func(a, b *unitEntry) int { return strings.Compare(a.Key, b.Key) })
	}
	return r, nil
}

// IsRecord tells by its first bytes whether a file is a record of a stage.
func IsRecord(path string) bool {
	f, err := store.Open(path)
	if err != nil {
		return false // whoever reads it says why
	}
	defer f.Close()
	b := make([]byte, 128)
	n, _ := io.ReadFull(f, b)
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(b[:n], "{ \n"), []byte(`"format": `))
	return ok && bytes.HasPrefix(rest, []byte(`"`+recordFormat+`"`))
}

// unit finds a complete unit by its key.
func (r *record) unit(key string) *unitEntry { return find(r.Units, key) }

// byKey compares a unit with a key, by which units are sorted.
func byKey(e *unitEntry, key string) int { return strings.Compare(e.Key, key) }

func find(units []*unitEntry, key string) *unitEntry {
	if i, ok := slices.BinarySearchFunc(units, key, byKey); ok {
		return units[i]
	}
	return nil
}

// put adds a unit, in place of one with its key.
func put(units []*unitEntry, e *unitEntry) []*unitEntry {
	i, ok := slices.BinarySearchFunc(units, e.Key, byKey)
	if !ok {
		return slices.Insert(units, i, e)
	}
	units[i] = e
	return units
}

// write stores the record.
func (r *record) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", " ")
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
		return localPrefix + path
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

// localPrefix marks files of this machine in a record that lies in an object store,
// which has no way to them.
const localPrefix = "file:"

func (r *record) resolve(path string) string {
	if local, ok := strings.CutPrefix(path, localPrefix); ok && store.Remote(r.path) {
		return local
	}
	if store.Remote(path) || path == store.Standard || !store.Remote(r.path) && filepath.IsAbs(filepath.FromSlash(path)) {
		return path
	}
	return store.Join(store.Dir(r.path), filepath.FromSlash(path))
}
