package build

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"olmo/data/store"
	"olmo/data/tokens"
	"olmo/release"
	"olmo/train"
)

// Places in a release.
const (
	tokensFolder    = "data/tokens"
	masksFolder     = "data/masks"
	documentsFolder = "data/documents"
	manifestPath    = "data/manifest.jsonl.gz"
	heldOutFolder   = "eval/data"
	tokenizerPath   = "tokenizer/tokenizer.json"
)

// tokenFile is a token file, or label mask, of the run.
type tokenFile struct{ path, name string }

// named lists files under their names in a tree, in its order, each once.
func named(paths []string) []tokenFile {
	var all []tokenFile
	for i, name := range tokens.TreeNames(paths) {
		all = append(all, tokenFile{paths[i], name})
	}
	slices.SortStableFunc(all, func(a, b tokenFile) int { return cmp.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b tokenFile) bool { return a.name == b.name })
}

// everNamed lists the files of all settings that the run has had, under the names that they have in the
// recipe of each: those of the end, and those of checkpoints.
func (b *builder) everNamed(files func(*train.Config) []string) ([]tokenFile, error) {
	all := named(files(b.cfg))
	at := map[string]string{}
	for _, f := range all {
		at[f.name] = f.path
	}
	for _, c := range b.checkpoints {
		for _, f := range named(files(c.cfg)) {
			other, known := at[f.name]
			if !known {
				at[f.name], all = f.path, append(all, f)
			} else if other != f.path && !same(other, f.path) {
				return nil, fmt.Errorf("at step %d the run had another file, %s, than %s, and in a release both would be %s\nhint: a run that goes on with other data in a folder of its own (load_path=%s save_folder=DIR) can be released, and so can this one until then", c.step, f.path, other, f.name, c.dir)
			}
		}
	}
	slices.SortFunc(all, func(a, b tokenFile) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

// shareEver gives the files of all settings their names below a folder of the release.
func (b *builder) shareEver(part, folder string, files func(*train.Config) []string) ([]tokenFile, error) {
	all, err := b.everNamed(files)
	if err != nil {
		return nil, err
	}
	var shares []shared
	for _, f := range all {
		shares = append(shares, shared{folder + "/" + f.name, f.path})
	}
	return all, b.shareWith(part, shares)
}

// writeTokens writes data/tokens, but for the places of documents.
func (b *builder) writeTokens() (err error) {
	b.data.DType = b.cfg.Data.MemmapDType
	b.tokens, err = b.shareEver("token files", tokensFolder, (*train.Config).TokenFiles)
	return err
}

// writeMasks writes data/masks.
func (b *builder) writeMasks() error {
	_, err := b.shareEver("label masks", masksFolder, masksOf)
	return err
}

func masksOf(c *train.Config) []string { return c.Data.LabelMaskPaths }

// dataPlaces are where a config's token files and label masks lie in the release, by their paths.
func dataPlaces(c *train.Config) map[string]string {
	at := map[string]string{}
	for folder, paths := range map[string][]string{tokensFolder: c.TokenFiles(), masksFolder: masksOf(c)} {
		for i, name := range tokens.TreeNames(paths) {
			at[paths[i]] = folder + "/" + name
		}
	}
	return at
}

// writePlaces writes the .csv.gz of a token file of the release, in which every document lies in the file
// that documents has for its own.
func (b *builder) writePlaces(f tokenFile, documents map[string]string) error {
	from := tokens.PlacesPath(f.path)
	if !store.Exists(from) {
		return nil
	}
	return b.folder.put(tokensFolder+"/"+tokens.PlacesPath(f.name), func(w io.Writer) error {
		z := packing(w)
		var row []byte
		err := tokens.ReadPlaces(from, func(p tokens.Place) error {
			if p.Src = documents[p.Src]; p.Src != "" {
				p.Src = documentsFolder + "/" + p.Src
			}
			row = p.AppendCSV(row[:0])
			_, err := z.Write(row)
			return err
		})
		return cmp.Or(err, z.Close())
	})
}

// writeEvaluation writes eval/: what a quickstart or a run has of judgements, the token files of
// evaluators, and texts that the model wrote.
func (b *builder) writeEvaluation() error {
	b.held = map[string]string{}
	trained := dataPlaces(b.cfg)
	var shares []shared
	for i := range b.cfg.Evaluators {
		e := &b.cfg.Evaluators[i]
		folder := heldOutFolder + "/" + nameOf(e.Label)
		for _, f := range named(e.Data.Files()) {
			if _, known := b.held[f.path]; known || trained[f.path] != "" {
				continue
			}
			b.held[f.path] = folder + "/" + f.name
			shares = append(shares, shared{folder + "/" + f.name, f.path})
		}
	}
	if err := b.shareWith("evaluation", shares); err != nil {
		return err
	}
	for _, s := range shares {
		f := tokenFile{s.from, s.name}
		if err := b.writeHeldOutPlaces(f); err != nil {
			return err
		}
	}
	if err := b.writeResults(); err != nil {
		return err
	}
	if exists(filepath.Join(b.dir, samplesFile)) {
		return b.folder.copied("eval/training-samples.jsonl", filepath.Join(b.dir, samplesFile))
	}
	return nil
}

// writeHeldOutPlaces writes which documents a token file of an evaluator has. Their texts are not in
// the release.
func (b *builder) writeHeldOutPlaces(f tokenFile) error {
	from, to := tokens.PlacesPath(f.path), tokens.PlacesPath(f.name)
	if !store.Exists(from) {
		return nil
	}
	return b.folder.put(to, func(w io.Writer) error {
		z := packing(w)
		var row []byte
		err := tokens.ReadPlaces(from, func(p tokens.Place) error {
			p.Src = ""
			row = p.AppendCSV(row[:0])
			_, err := z.Write(row)
			return err
		})
		return cmp.Or(err, z.Close())
	})
}

// writeTokenizer writes tokenizer/tokenizer.json.
func (b *builder) writeTokenizer() error {
	file := b.tokenizerFile()
	if file == "" {
		return nil
	}
	if err := b.folder.copied(tokenizerPath, file); err != nil {
		return err
	}
	sum, _, err := b.folder.hash(b.folder.path(tokenizerPath))
	b.manifest.Tokenizer = &release.Tokenizer{Path: tokenizerPath, SHA256: sum}
	return err
}

// tokenizerFile is the tokenizer of the run; empty where it names none that is a file.
func (b *builder) tokenizerFile() string {
	if t := b.inForce.tokenizer; t == nil || !t.Valid {
		return ""
	}
	if file := b.cfg.Tokenizer.Identifier; strings.HasSuffix(file, ".json") && exists(file) {
		return file
	}
	// The checkpoints keep a copy.
	if file := filepath.Join(b.checkpoints[len(b.checkpoints)-1].dir, "tokenizer.json"); exists(file) {
		return file
	}
	return ""
}

// packing writes gzip whose head tells no name, and no time.
func packing(w io.Writer) *gzip.Writer {
	z := gzip.NewWriter(w)
	z.ModTime = time.Unix(0, 0)
	return z
}
