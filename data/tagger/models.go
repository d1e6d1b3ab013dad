package tagger

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"olmo/data/fasttext"
)

// modelFolders are where model and list files are looked for.
func (o Options) modelFolders() []string {
	var dirs []string
	if d := os.Getenv("OLMO_MODELS"); d != "" {
		dirs = append(dirs, filepath.SplitList(d)...)
	}
	dirs = append(dirs, o.Models...)
	if d, err := ModelFolder(); err == nil {
		dirs = append(dirs, d)
	}
	return dirs
}

// findModel returns the first of the named files that exists, every name in
// each folder in turn.
func (o Options) findModel(names ...string) (string, error) {
	dirs := o.modelFolders()
	for _, d := range dirs {
		for _, n := range names {
			p := filepath.Join(d, filepath.FromSlash(n))
			if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("needs the file %s: it is not in %s\nhint: 'olmo data models get %s' fetches it; or put it into a folder and set OLMO_MODELS to that folder",
		strings.Join(names, " or "), strings.Join(dirs, ", "), names[0])
}

// fastTexts keeps models that are loaded, by path, for all goroutines.
var fastTexts sync.Map // path to func() (*fasttext.Model, error)

func (o Options) fastText(names ...string) (*fasttext.Model, error) {
	path, err := o.findModel(names...)
	if err != nil {
		return nil, err
	}
	load, _ := fastTexts.LoadOrStore(path, sync.OnceValues(func() (*fasttext.Model, error) { return fasttext.Load(path) }))
	return load.(func() (*fasttext.Model, error))()
}
