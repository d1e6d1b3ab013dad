package build

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"olmo/internal/pyjson"
	"olmo/store"
)

// writeResults copies the folders eval of a quickstart and of the run, and the texts that a quickstart let
// the model write.
func (b *builder) writeResults() error {
	seen := map[string]bool{}
	for _, folder := range []string{b.quickstart, b.dir} {
		if folder == "" {
			continue
		}
		if err := b.copyResults(filepath.Join(folder, "eval"), seen); err != nil {
			return err
		}
	}
	if b.quickstart == "" {
		return nil
	}
	var r struct {
		Samples []json.RawMessage `json:"samples"`
	}
	if err := pyjson.ReadFile(filepath.Join(b.quickstart, "report.json"), &r); err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, s := range r.Samples {
		if err := json.Compact(&lines, s); err != nil {
			return err
		}
		lines.WriteByte('\n')
	}
	return b.folder.text("eval/samples.jsonl", lines.Bytes())
}

// copyResults copies a folder of judgements, but for hidden files. Where they say where the run lies,
// they say it from there.
func (b *builder) copyResults(dir string, seen map[string]bool) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); name != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || seen[name] || !d.Type().IsRegular() {
			return nil
		}
		seen[name] = true
		switch filepath.Ext(name) {
		case ".json", ".jsonl", ".csv", ".md", ".txt":
		default:
			return b.folder.copied("eval/"+name, path)
		}
		text, err := store.ReadFile(path)
		if err != nil {
			return err
		}
		return b.folder.text("eval/"+name, b.withoutPlaces(text))
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// withoutPlaces takes the folders of this machine off a text.
func (b *builder) withoutPlaces(text []byte) []byte {
	for _, dir := range b.machine() {
		text = bytes.ReplaceAll(text, []byte(dir+"/"), nil)
		text = bytes.ReplaceAll(text, []byte(dir), []byte("."))
	}
	return text
}
