package weights

import (
	"bytes"
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
)

// folderFiles are the names under which a folder's weights are looked for, in
// this order: Hugging Face's, then those of the ai2-olmo package.
var folderFiles = []string{
	"model.safetensors",
	"model.safetensors.index.json",
	"pytorch_model.bin",
	"pytorch_model.bin.index.json",
	"model.pt",
}

// Open opens a checkpoint: a file of safetensors (also with the pickled names
// of the ai2-olmo package), PyTorch (.pt, .bin), GGUF, .npy or .npz, an index
// of shards (model.safetensors.index.json), or a folder with one of these. What
// the file is, its first bytes say. Only headers are read; tensors lie in the
// mapped file. A damaged file gives a *FileError.
//
// Of a training script's PyTorch file the tensors are those of the model, and what wrappers such
// as DistributedDataParallel and torch.compile have put into the names goes; Notes says both.
func Open(path string) (*Set, error) {
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	s.unwrap()
	return s, nil
}

// open is Open with the names of the files.
func open(path string) (*Set, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return openFile(path)
	}
	for _, name := range folderFiles {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return openFile(file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	ggufs, err := filepath.Glob(filepath.Join(escapeGlob(path), "*.gguf"))
	if err == nil && len(ggufs) == 1 {
		return openFile(ggufs[0])
	}
	return nil, fmt.Errorf("%s holds no weights: none of %s, nor a single .gguf", path, strings.Join(folderFiles, ", "))
}

// escapeGlob keeps a folder's name from being read as a pattern. (Windows has
// no escape, and forbids * and ? in names.)
func escapeGlob(path string) string {
	if filepath.Separator == '\\' {
		return path
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// openFile maps one file and reads it as what its first bytes say it is.
func openFile(path string) (*Set, error) {
	m, err := openMapped(path)
	if err != nil {
		return nil, err
	}
	var s *Set
	mistaken := store.Mistaken(m.data)
	switch data := m.data; {
	case mistaken != nil:
		err = &FileError{path, -1, mistaken}
	case filepath.Ext(path) == ".json":
		s, err = parseIndex(path, data)
		return s, errors.Join(err, m.close())
	case isZip(data):
		s, err = openZip(path, data)
	case bytes.HasPrefix(data, []byte("GGUF")):
		var g *GGUF
		if g, err = parseGGUF(path, data); err == nil {
			s = g.Set
		}
	case bytes.HasPrefix(data, []byte(npyMagic)):
		s, err = parseNPY(path, data)
	case isLegacy(data):
		s, err = parseLegacy(path, data)
	case isPickle(data):
		err = &FileError{path, 0, errors.New("this is a pickle, but none of torch.save\nhint: save tensors with torch.save or safetensors")}
	default:
		if err = store.Message(data, "weights"); err != nil {
			err = &FileError{path, -1, err}
		} else if s, err = parseSafetensors(path, data); err == nil && isAI2(s) {
			s, err = fromAI2(s)
		}
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	s.files = []*mapping{m}
	return s, nil
}

// openZip opens a .npz or what torch.save wrote.
func openZip(path string, data []byte) (*Set, error) {
	entries, err := zipEntries(path, data)
	if err != nil {
		return nil, err
	}
	for name := range entries {
		if strings.HasSuffix(name, ".npy") {
			return parseNPZ(path, entries)
		}
	}
	return parseTorch(path, entries)
}

// parseIndex opens the shards that model.safetensors.index.json, or
// pytorch_model.bin.index.json, names.
func parseIndex(path string, data []byte) (*Set, error) {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := pyjson.Unmarshal(data, &index); err != nil {
		return nil, &FileError{path, -1, fmt.Errorf("the index of shards cannot be read: %w", err)}
	}
	if len(index.WeightMap) == 0 {
		return nil, &FileError{path, -1, errors.New("weight_map names no tensor, so nothing says which file has which")}
	}
	s := &Set{path: path, tensors: map[string]Named{}, metadata: map[string]string{}}
	fail := func(err error) (*Set, error) { return nil, errors.Join(err, s.Close()) }
	shards := map[string]*Set{}
	for _, name := range slices.Sorted(maps.Keys(index.WeightMap)) {
		file := index.WeightMap[name]
		shard := shards[file]
		if shard == nil {
			if !filepath.IsLocal(file) || strings.ContainsAny(file, `/\`) || strings.HasSuffix(file, ".json") {
				return fail(fmt.Errorf("%s: tensor %.200q is said to be in %.200q, which is no weights file of this folder", path, name, file))
			}
			var err error
			shard, err = openFile(filepath.Join(filepath.Dir(path), file))
			if err != nil {
				return fail(fmt.Errorf("shard of %s: %w", path, err))
			}
			shards[file] = shard
			s.files = append(s.files, shard.files...)
			maps.Copy(s.metadata, shard.metadata)
			s.notes = append(s.notes, shard.notes...)
		}
		t, ok := shard.tensors[name]
		if !ok {
			return fail(fmt.Errorf("%s: %w: %.200q, which %s says is there", shard.path, ErrNoTensor, name, path))
		}
		s.tensors[name] = t
	}
	s.sort()
	return s, nil
}
