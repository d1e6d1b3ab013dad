package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data/store"
)

// AttributePath is where the attributes called name of the document file doc
// belong: <base>/documents/<rest> becomes <base>/attributes/<name>/<rest>.
// The first folder called documents counts, as in Dolma 1.2.1. The file's own
// name is RowsName's.
func AttributePath(doc, name string) (string, error) {
	if err := CheckAttributeName(name); err != nil {
		return "", err
	}
	path, err := substitute(doc, filepath.Join("attributes", name))
	return RowsName(path), err
}

// CheckAttributeName is an error when a name leads out of the folder attributes, in
// which it names a folder.
func CheckAttributeName(name string) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) || slices.Contains(strings.Split(filepath.ToSlash(name), "/"), "..") {
		return fmt.Errorf("%q is no name for attributes: it leads out of their folder\nhint: name them in one word, such as dup", name)
	}
	return nil
}

// AttributeFolder gives the same in two parts: the folder <base>/attributes/<name>,
// and the way from there.
func AttributeFolder(doc, name string) (folder, rest string, err error) {
	path, err := AttributePath(doc, name)
	if err != nil {
		return "", "", err
	}
	parts := strings.Split(filepath.ToSlash(doc), "/")
	deep := len(parts) - 1 - slices.Index(parts, "documents")
	cut := len(path)
	for range deep {
		cut = strings.LastIndexByte(filepath.ToSlash(path[:cut]), '/')
	}
	return path[:cut], path[cut+1:], nil
}

func substitute(doc, with string) (string, error) {
	parts := strings.Split(filepath.ToSlash(doc), "/")
	i := slices.Index(parts[:len(parts)-1], "documents")
	if i < 0 {
		return "", fmt.Errorf("%s is in no folder called documents\nhint: keep documents in <base>/documents/, or name a destination", doc)
	}
	parts[i] = filepath.ToSlash(with)
	out := strings.Join(parts, "/")
	if !store.Remote(doc) {
		out = filepath.FromSlash(out)
	}
	return out, nil
}

// RejectsPath is where the bad records of the document file doc go when stage
// reads it: <base>/rejects/<stage>/<rest>, as plain JSONL; beside the file
// when it is in no folder called documents; below the current folder when it
// is on a web server. The file's name is kept whole: a.json and a.jsonl.gz are two
// sources, and each has its own bad lines.
func RejectsPath(doc, stage string) string {
	if store.ReadOnly(doc) {
		_, doc, _ = strings.Cut(doc, "://")
	}
	if doc == store.Standard {
		doc = "stdin"
	}
	p, err := substitute(doc, filepath.Join("rejects", stage))
	if err != nil {
		p = store.Join(store.Dir(doc), "rejects", stage, doc[strings.LastIndexAny(filepath.ToSlash(doc), "/")+1:])
	}
	return store.Fit(p + rejectsSuffix)
}

// ExpandGlobs lists the files that the patterns match, each pattern's matches
// sorted, in the order of the patterns, each file once. Patterns are Python's:
// *, ?, [abc], [!abc], ** for any depth; a folder stands for the files in it;
// hidden files are passed over, hidden folders unless the pattern names the dot. They also
// match the keys of s3:// and gs:// addresses; other addresses stand for
// themselves, as does -, standard input. A pattern that matches nothing is in
// missing.
//
// What stages leave beside their outputs, rejects and records, is no input of the
// next: patterns pass over it, so that a run which is given again reads the same
// files. It is read where it is named, or its folder is.
func ExpandGlobs(patterns []string) (files, missing []string, err error) {
	seen := map[string]bool{}
	for _, p := range patterns {
		found, err := expand(p)
		if err != nil {
			return nil, nil, err
		}
		found = slices.DeleteFunc(found, func(f string) bool { return f != p && isLeft(f, p) })
		if len(found) == 0 {
			missing = append(missing, p)
		}
		for _, f := range found {
			if !seen[f] {
				seen[f] = true
				files = append(files, f)
			}
		}
	}
	return files, missing, nil
}

// rejectsSuffix ends the names of rejects files, which lie in folders rejects/<stage>.
const rejectsSuffix = ".rejects.jsonl"

// isLeft tells whether a file that a pattern found is a rejects file or a record,
// which a stage left there for itself.
func isLeft(name, pattern string) bool {
	switch {
	case strings.HasSuffix(name, rejectsSuffix):
		return inRejects(name) && !inRejects(pattern)
	case strings.HasSuffix(name, ".json") && !store.Remote(name):
		return IsRecord(name)
	}
	return false
}

// inRejects tells whether a path leads through a folder rejects.
func inRejects(path string) bool {
	return slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "rejects")
}

// Without leaves the file name out of files: the record of a stage, which may lie in
// the folder that its next run reads.
func Without(files []string, name string) []string {
	return slices.DeleteFunc(files, func(f string) bool { return sameName(f, name) })
}

// sameName compares paths, one of which may be relative.
func sameName(a, b string) bool {
	if store.Remote(a) || store.Remote(b) {
		return store.Clean(a) == store.Clean(b)
	}
	full, err := filepath.Abs(a)
	other, e := filepath.Abs(b)
	return err == nil && e == nil && full == other
}

func expand(pattern string) ([]string, error) {
	if store.Remote(pattern) {
		return expandRemote(pattern)
	}
	if pattern == "" {
		return nil, nil
	}
	if pattern == store.Standard {
		return []string{pattern}, nil
	}
	if info, err := os.Stat(pattern); err == nil {
		if !info.IsDir() {
			return []string{pattern}, nil
		}
		pattern = filepath.Join(pattern, "*")
	}
	parts := strings.Split(filepath.ToSlash(pattern), "/")
	root := ""
	if parts[0] == "" || filepath.VolumeName(pattern) != "" {
		root, parts = parts[0]+"/", parts[1:]
	}
	var out []string
	if err := walkGlob(root, parts, &out); err != nil {
		return nil, fmt.Errorf("expanding %s: %w", pattern, err)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// expandRemote is expand for addresses. All keys below the last folder before
// the first wildcard are listed, whatever their depth.
func expandRemote(pattern string) ([]string, error) {
	if store.ReadOnly(pattern) {
		return []string{pattern}, nil
	}
	folder := strings.HasSuffix(pattern, "/")
	if !strings.ContainsAny(pattern, "*?[") && !folder {
		info, err := store.Stat(pattern)
		if err == nil && !info.Dir {
			return []string{pattern}, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if !strings.ContainsAny(pattern, "*?[") {
		pattern = strings.TrimRight(pattern, "/") + "/*"
	}
	prefix := pattern[:strings.IndexAny(pattern, "*?[")]
	prefix = prefix[:strings.LastIndexByte(prefix, '/')+1]
	parts := strings.Split(pattern[len(prefix):], "/")
	names, err := store.List(prefix, len(parts) > 1 || parts[0] == "**")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(n string) bool {
		return !matchParts(parts, strings.Split(n[len(prefix):], "/"))
	}), nil
}

// matchParts matches the folders and the name of a key as walkGlob does.
func matchParts(parts, names []string) bool {
	part, last := parts[0], len(parts) == 1
	hidden := strings.HasPrefix(names[0], ".")
	if part == "**" {
		if last {
			return !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, ".") })
		}
		return matchParts(parts[1:], names) || !hidden && len(names) > 1 && matchParts(parts, names[1:])
	}
	if last != (len(names) == 1) || hidden && (last || !strings.HasPrefix(part, ".")) || !matchName(part, names[0]) {
		return false
	}
	return last || matchParts(parts[1:], names[1:])
}

// above tells whether a link leads to the folder dir or to one that dir lies in.
func above(link, dir string) bool {
	to, err := filepath.EvalSymlinks(link)
	from, errFrom := filepath.EvalSymlinks(dir)
	if err != nil || errFrom != nil {
		return false
	}
	to, err = filepath.Abs(to)
	from, errFrom = filepath.Abs(from)
	if err != nil || errFrom != nil {
		return false
	}
	rel, err := filepath.Rel(to, from)
	return err == nil && filepath.IsLocal(rel)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// walkGlob appends the files below dir ("" or ending in a slash) that match.
func walkGlob(dir string, parts []string, out *[]string) error {
	part, last := parts[0], len(parts) == 1
	if part == "" || part == "." {
		if last {
			return nil
		}
		if part == "." {
			dir += "./"
		}
		return walkGlob(dir, parts[1:], out)
	}
	// What exists under that very name is no pattern, as a folder q[2].
	if !strings.ContainsAny(part, "*?[") || exists(dir+part) {
		if last {
			if info, err := os.Stat(dir + part); err == nil && !info.IsDir() {
				*out = append(*out, filepath.FromSlash(dir+part))
			}
			return nil
		}
		return walkGlob(dir+part+"/", parts[1:], out)
	}
	name := dir
	if name == "" {
		name = "."
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		switch {
		case os.IsNotExist(err) || !isDir(name):
			return nil
		case part == "**" && dir != "" && errors.Is(err, fs.ErrPermission):
			// Who opens what was found learns that this folder may not be read; one among
			// many, such as lost+found, need not end all.
			*out = append(*out, filepath.FromSlash(strings.TrimSuffix(dir, "/")))
			return nil
		}
		return err
	}
	if part == "**" && !last {
		if err := walkGlob(dir, parts[1:], out); err != nil {
			return err
		}
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".")
		folder := e.IsDir() || e.Type()&fs.ModeSymlink != 0 && isDir(dir+e.Name())
		if part == "**" {
			switch {
			case hidden:
			case folder && e.Type()&fs.ModeSymlink != 0 && above(dir+e.Name(), name):
				// A link to a folder that it lies in would be walked for ever.
			case folder:
				err = walkGlob(dir+e.Name()+"/", parts, out)
			case last:
				*out = append(*out, filepath.FromSlash(dir+e.Name()))
			}
		} else if (!hidden || strings.HasPrefix(part, ".")) && matchName(part, e.Name()) {
			switch {
			case !last && folder:
				err = walkGlob(dir+e.Name()+"/", parts[1:], out)
			case last && !folder && !hidden:
				*out = append(*out, filepath.FromSlash(dir+e.Name()))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// matchName is Python's fnmatchcase for one path component.
func matchName(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	pi, ni, star, mark := 0, 0, -1, 0
	for ni < len(n) {
		if pi < len(p) && p[pi] == '*' {
			star, mark = pi, ni
			pi++
			continue
		}
		if pi < len(p) {
			if ok, size := matchRune(p[pi:], n[ni]); ok {
				pi += size
				ni++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		pi, ni = star+1, mark
	}
	for pi < len(p) && p[pi] == '*' {
		pi++
	}
	return pi == len(p)
}

// matchRune matches c with the first item of p: a character, ? or a set. size
// is the item's length.
func matchRune(p []rune, c rune) (ok bool, size int) {
	switch p[0] {
	case '?':
		return true, 1
	case '[':
		end := 1
		if end < len(p) && p[end] == '!' {
			end++
		}
		if end < len(p) && p[end] == ']' {
			end++
		}
		for end < len(p) && p[end] != ']' {
			end++
		}
		if end >= len(p) {
			return c == '[', 1
		}
		set, not := p[1:end], false
		if set[0] == '!' {
			set, not = set[1:], true
		}
		in := false
		for i := 0; i < len(set); i++ {
			if i+2 < len(set) && set[i+1] == '-' {
				in = in || set[i] <= c && c <= set[i+2]
				i += 2
			} else {
				in = in || set[i] == c
			}
		}
		return in != not, end + 1
	}
	return p[0] == c, 1
}
