package train

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/internal/pyjson"
	"olmo/store"
	"olmo/weights"
)

// ReadManifest reads what a checkpoint folder says of itself.
func ReadManifest(dir string) (*Manifest, error) {
	var m Manifest
	if err := pyjson.ReadFile(filepath.Join(dir, manifestFile), &m); err != nil {
		return nil, err
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("%s: format %q, this program reads %q", filepath.Join(dir, manifestFile), m.Format, manifestFormat)
	}
	return &m, nil
}

// Damage is one thing about a checkpoint that its manifest denies. Err is one of the four
// below, or why the file cannot be read.
type Damage struct {
	File   string // in the checkpoint's folder
	Tensor string // where one is to blame
	Err    error
}

// What is wrong with a file or tensor of a checkpoint, in Damage.Err.
var (
	ErrChanged  = errors.New("is not as the manifest says")
	ErrMissing  = errors.New("is missing")
	ErrUnlisted = errors.New("is not in the manifest")
	ErrManifest = errors.New("the manifest contradicts itself")
)

func (d Damage) Error() string {
	if d.Tensor != "" {
		return fmt.Sprintf("%s: %s: %v", d.File, d.Tensor, d.Err)
	}
	return fmt.Sprintf("%s: %v", d.File, d.Err)
}

// CheckCheckpoint reads a whole checkpoint folder and compares it with its manifest.
// Damage gives an error that is ErrCorrupt.
func CheckCheckpoint(dir string) (*Manifest, error) {
	m, damages, err := Damages(dir)
	for _, d := range damages {
		// A file that somebody put beside the others does no harm to whoever reads those.
		if err == nil && (d.Tensor != "" || !errors.Is(d, ErrUnlisted)) {
			err = d
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", dir, ErrCorrupt, err)
	}
	return m, nil
}

func (d Damage) Unwrap() error { return d.Err }

// Damages reads a whole checkpoint folder and lists everything in which it is not what its
// manifest says, in the order of the names. The error is that there is no manifest that
// can be read.
func Damages(dir string) (*Manifest, []Damage, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	var damages []Damage
	add := func(file, tensor string, err error) { damages = append(damages, Damage{file, tensor, err}) }
	for _, file := range slices.Sorted(maps.Keys(m.Files)) {
		if err := checkSmall(dir, file, m); err != nil {
			add(file, "", err)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(m.Tensors)) {
		if !filepath.IsLocal(file) {
			add(manifestFile, "", fmt.Errorf("%w: it lists %q, which leads out of the folder", ErrManifest, file))
			continue
		}
		damages = append(damages, checkTensors(dir, file, m.Tensors[file])...)
	}
	if err := m.consistent(dir); err != nil {
		add(manifestFile, "", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return m, damages, err
	}
	for _, e := range entries {
		name := e.Name()
		_, small := m.Files[name]
		_, tensors := m.Tensors[name]
		if !small && !tensors && name != manifestFile && !strings.HasPrefix(name, ".") {
			add(name, "", ErrUnlisted)
		}
	}
	return m, damages, nil
}

// checkSmall compares a file with its digest.
func checkSmall(dir, file string, m *Manifest) error {
	if !filepath.IsLocal(file) {
		return fmt.Errorf("%w: it lists %q, which leads out of the folder", ErrManifest, file)
	}
	got, err := hashFile(filepath.Join(dir, file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrMissing
	case err != nil:
		return err
	case got != m.Files[file]:
		return fmt.Errorf("%w: SHA-256 %v instead of %v", ErrChanged, got, m.Files[file])
	}
	return nil
}

// consistent compares what the manifest says itself, which no digest covers, with train.json,
// which has one, and with what every manifest has.
func (m *Manifest) consistent(dir string) error {
	text, err := store.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return err
	}
	if err := pyjson.Strict(text, new(Manifest)); err != nil {
		return fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if !slices.Contains([]kind{kept, permanent, ephemeral}, kind(m.Kind)) {
		return fmt.Errorf("%w: kind %q is none", ErrManifest, m.Kind)
	}
	_, state := m.Files[stateFile]
	_, cfg := m.Files[configFile]
	if m.Tensors[ModelFile] == nil || m.Tensors[optimFile] == nil || !state || !cfg {
		return fmt.Errorf("%w: it lacks one of %s, %s, %s and %s", ErrManifest, ModelFile, optimFile, stateFile, configFile)
	}
	text, err = store.ReadFile(filepath.Join(dir, stateFile))
	var s State
	if err != nil || json.Unmarshal(text, &s) != nil {
		return nil // said of train.json
	}
	if s.Step != m.Step || s.Tokens != m.Tokens || s.Chain != m.Chain {
		return fmt.Errorf("%w: it is of step %d, %d tokens and chain %v, %s of step %d, %d tokens and chain %v",
			ErrManifest, m.Step, m.Tokens, m.Chain, stateFile, s.Step, s.Tokens, s.Chain)
	}
	return nil
}

// checkTensors compares each tensor of a file with its digest. One tensor at a time is in
// memory.
func checkTensors(dir, file string, sums sumMap) []Damage {
	set, err := weights.Open(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrMissing
	}
	if err != nil {
		return []Damage{{file, "", err}}
	}
	defer set.Close()
	var damages []Damage
	// No digest covers what stands beside the tensors; we write this and nothing else.
	if meta := set.Metadata(); len(meta) != 1 || meta["format"] != "pt" {
		damages = append(damages, Damage{file, "", fmt.Errorf("%w: its metadata is %v, not format: pt", ErrChanged, meta)})
	}
	for _, name := range set.Names() {
		want, ok := sums[name]
		if !ok {
			damages = append(damages, Damage{file, name, ErrUnlisted})
			continue
		}
		v, err := set.Tensor(name)
		if err != nil {
			damages = append(damages, Damage{file, name, err})
			continue
		}
		if got := weights.SumOf(name, v).SHA256; got != want {
			damages = append(damages, Damage{file, name, fmt.Errorf("%w: SHA-256 %s instead of %v", ErrChanged, hex.EncodeToString(got[:]), want)})
		}
		set.Forget()
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if !set.Has(name) {
			damages = append(damages, Damage{file, name, ErrMissing})
		}
	}
	return damages
}
