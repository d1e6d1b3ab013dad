package evaldata

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// All lists the data sets in a place under their names, sorted: its files, and what a wheel that
// it is, or that lies in it, holds. Of two with one name the first is meant, as Find has it.
// Clones and caches of the hub are not among them.
func All(dir string) ([]*Set, error) {
	p, err := openPlace(dir)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	names := map[string]bool{}
	entries, err := p.folder(".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		for _, suffix := range suffixes {
			if name, ok := strings.CutSuffix(e.Name(), suffix); ok && name != "" && !strings.HasPrefix(name, ".") {
				names[name] = true
			}
		}
	}
	for _, root := range wheelRoots {
		requests, err := fs.Glob(p, path.Join(root, wheelRequests, "*", "*", "requests.jsonl.gz"))
		if err != nil {
			return nil, err
		}
		for _, name := range requests {
			parts := strings.Split(path.Dir(name), "/")
			names["oe_"+parts[len(parts)-2]+"__"+parts[len(parts)-1]] = true
		}
		all, err := p.savedBelow(path.Join(root, wheelSets))
		if err != nil {
			return nil, err
		}
		for _, x := range all {
			names[short(x.base, x.configuration, x.split)] = true
		}
	}
	wheels, err := p.wheels()
	if err != nil {
		return nil, err
	}
	for _, w := range wheels {
		sets, err := All(filepath.Join(dir, w))
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			names[s.Name] = true
		}
	}
	var out []*Set
	for name := range names {
		k := named(name)
		files, err := look(dir, k)
		if err != nil {
			return nil, err
		}
		if len(files) > 0 { // a folder may have such a name
			out = append(out, k.set(files))
		}
	}
	slices.SortFunc(out, func(a, b *Set) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// short is the name of ours of a set of the hub, else the regular one.
func short(base, configuration, split string) string {
	for _, k := range known {
		if named(k.name).is(base, configuration, split) {
			return k.name
		}
	}
	if slices.Contains(none, configuration) {
		return base + "_" + split
	}
	return base + "_" + configuration + "_" + split
}
