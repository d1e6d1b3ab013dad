package train

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/tokens"
)

// PathList names files, in the order that counts. In a config an element may also be a
// folder or a pattern, which LoadConfig replaces by the files that it stands for, and a
// list of one may be the element alone.
type PathList []string

// SetScalar takes a single value as a list of one.
func (l *PathList) SetScalar(text string) { *l = PathList{text} }

// expand replaces folders and patterns among the paths of data, in a config that was
// read from file, by the files that they stand for, in byte order of their names.
func (c *Config) expand(file string) error {
	return c.pathLists(func(key string, list PathList) (PathList, error) {
		var out PathList
		for _, name := range list {
			found, err := c.filesOf(name, file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out = append(out, found...)
		}
		if out == nil {
			return list, nil // empty stays what it is
		}
		return out, nil
	})
}

// filesOf lists the files that an element of a list of paths stands for. A name that
// exists as it stands is no pattern. Like every input a pattern counts from the current
// folder, and where it finds nothing there, from the folder of the config; the names that
// it gives then are relative to that, as the pattern was.
func (c *Config) filesOf(name, file string) ([]string, error) {
	if name == "" || c.Inputs[name] != "" || store.ReadOnly(name) {
		return []string{name}, nil
	}
	if store.Remote(name) {
		if !isPattern(name) && filepath.Ext(name) != "" {
			return []string{name}, nil // one request less for each file
		}
		return tokenFiles(name, name, !isPattern(name))
	}
	bases := []string{""}
	if !filepath.IsAbs(name) {
		bases = append(bases, filepath.Dir(file))
	}
	var empty error
	for _, base := range bases {
		place, pattern := name, name
		if base != "" {
			place, pattern = filepath.Join(base, name), filepath.Join(literal(base), name)
		}
		st, err := os.Stat(place)
		folder := err == nil && st.IsDir()
		switch {
		case err == nil && !folder:
			return []string{name}, nil
		case folder:
			pattern = filepath.Join(literal(place), "*")
		case !isPattern(name):
			continue
		}
		found, err := tokenFiles(pattern, place, folder)
		if err != nil {
			empty = cmp.Or(empty, err)
			continue
		}
		for i, f := range found {
			if base == "" {
				break
			}
			if found[i], err = filepath.Rel(base, f); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	if empty != nil {
		return nil, empty
	}
	return []string{name}, nil // opening it says that it is missing
}

// isPattern tells whether a name has characters that patterns are made of.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// literal makes a path the pattern that matches itself alone.
func literal(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

// tokenFiles lists what a pattern matches, or the token files (.npy) of a folder; name
// is how errors call it. The places of documents, X.csv.gz beside X.npy, and the leaves, X.npy.leaves,
// are no tokens.
func tokenFiles(pattern, name string, folder bool) ([]string, error) {
	found, _, err := data.ExpandGlobs([]string{pattern})
	if err != nil {
		return nil, err
	}
	if slices.Equal(found, []string{name}) {
		return found, nil // an address that is a file after all
	}
	beside := map[string]bool{}
	for _, f := range found {
		beside[tokens.PlacesPath(f)], beside[tokens.LeavesPath(f)] = true, true
	}
	found = slices.DeleteFunc(found, func(f string) bool { return beside[f] || folder && filepath.Ext(f) != ".npy" })
	switch {
	case len(found) > 0:
		return found, nil
	case folder:
		return nil, fmt.Errorf("%s holds no token files (*.npy)\nhint: a pattern takes files of other names, such as %s", name, store.Join(name, "*.bin"))
	}
	return nil, fmt.Errorf("%s matches no file", name)
}
