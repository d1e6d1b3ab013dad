package sandbox

import (
	"debug/elf"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// closure finds the shared libraries that an interpreter and its modules in machine code need, as
// the loader would (ld.so(8)), and the folders in which those are that it has to be told of: there
// is no cache of the loader's in the sandbox. A library that is not found is left out; the module
// that needs it cannot be imported outside, either.
func closure(python *interpreter) (libraries, folders []string) {
	l := &loader{found: map[string]bool{}, told: map[string]bool{}, seen: map[string]bool{}}
	l.dirs = slices.Concat(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), configured("/etc/ld.so.conf"),
		[]string{"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"})
	f, err := elf.Open(python.Executable)
	if err != nil {
		return nil, nil // no Linux program; starting it will tell
	}
	l.class, l.machine = f.Class, f.Machine
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text := make([]byte, p.Filesz)
			if _, err := p.ReadAt(text, 0); err == nil {
				l.found[strings.TrimRight(string(text), "\x00")] = true
			}
		}
	}
	f.Close()
	l.add(python.Executable)
	// The C library opens it when a thread ends, without that anybody needs it by name.
	l.need("libgcc_s.so.1", nil)
	for _, folder := range python.Path {
		_ = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && (strings.HasSuffix(path, ".so") || strings.Contains(e.Name(), ".so.")) {
				l.add(path)
			}
			return nil
		})
	}
	return slices.Collect(maps.Keys(l.found)), slices.Sorted(maps.Keys(l.told))
}

// loader looks for libraries.
type loader struct {
	class       elf.Class
	machine     elf.Machine
	dirs        []string        // where libraries are that no file says the folder of
	found, told map[string]bool // libraries; folders of those that were found by dirs
	seen        map[string]bool // files that were looked into
}

// add finds what a file needs.
func (l *loader) add(path string) {
	if l.seen[path] {
		return
	}
	l.seen[path] = true
	f, err := elf.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	needed, _ := f.DynString(elf.DT_NEEDED)
	var own []string
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		lists, _ := f.DynString(tag)
		for _, list := range lists {
			for _, dir := range filepath.SplitList(list) {
				own = append(own, origin(dir, path))
			}
		}
	}
	for _, name := range needed {
		l.need(origin(name, path), own)
	}
}

// origin puts the folder of a file in the place of $ORIGIN.
func origin(text, path string) string {
	dir := filepath.Dir(path)
	return strings.NewReplacer("$ORIGIN", dir, "${ORIGIN}", dir).Replace(text)
}

// need finds a library, first in the folders that the file names which needs it.
func (l *loader) need(name string, own []string) {
	if strings.Contains(name, "/") {
		if path := filepath.Clean(name); l.fits(path) {
			l.found[path] = true
			l.add(path)
		}
		return
	}
	for i, dir := range slices.Concat(own, l.dirs) {
		path := filepath.Join(dir, name)
		if !l.fits(path) {
			continue
		}
		l.found[path] = true
		if i >= len(own) {
			l.told[dir] = true
		}
		l.add(path)
		return
	}
}

// fits says whether there is a library of the interpreter's kind.
func (l *loader) fits(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return f.Class == l.class && f.Machine == l.machine
}

// configured are the folders of the loader's configuration.
func configured(file string) (dirs []string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "include":
			for _, pattern := range words[1:] {
				if !filepath.IsAbs(pattern) {
					pattern = filepath.Join(filepath.Dir(file), pattern)
				}
				files, _ := filepath.Glob(pattern)
				for _, f := range files {
					dirs = append(dirs, configured(f)...)
				}
			}
		default:
			dirs = append(dirs, words[0])
		}
	}
	return dirs
}
