package release

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/proof"
)

// Fault is something in which release.json contradicts itself, or leads outside of its folder.
type Fault struct {
	Path    string // the file that it is about, release.json itself where none
	Message string
}

// namePattern is what the hub takes as the name of a repository: at most two parts.
var namePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([\w-][\w.-]{0,95}/)?[\w-][\w.-]{0,95}$`) })

// CheckName is an error where a release cannot be called so on a hub.
func CheckName(name string) error {
	if !namePattern().MatchString(name) || strings.Contains(name, "..") || strings.Contains(name, "--") || strings.HasSuffix(name, ".git") {
		return fmt.Errorf("%q is no name of a release: ORG/NAME or NAME, of letters, digits, _, - and ., each of at most 96", name)
	}
	return nil
}

// Faults lists all that is wrong with the manifest alone, without the files.
func (m *Manifest) Faults() []Fault {
	var faults []Fault
	add := func(path, format string, a ...any) { faults = append(faults, Fault{path, fmt.Sprintf(format, a...)}) }
	if err := CheckName(m.Name); err != nil {
		add(ManifestFile, "name: %v", err)
	}
	paths := m.paths()
	for i, p := range paths {
		if err := proof.CheckPath(p.path); err != nil {
			add(p.path, "%q is no path of a release: %v", p.path, err)
		}
		if p.path == ManifestFile || p.path == SignatureFile {
			add(p.path, "%s cannot be in its own list", p.path)
		}
		if i == 0 || paths[i-1].key != p.key {
			continue
		}
		if other := paths[i-1].path; other == p.path {
			add(p.path, "%s is listed twice", p.path)
		} else {
			add(p.path, "%s and %s are one path where the case of letters means nothing", other, p.path)
		}
	}
	for _, p := range underFiles(paths) {
		add(p, "%s is listed as a file and as a folder", p)
	}
	for _, list := range [][]File{m.Files, m.LeftOut} {
		for i := range list {
			if i > 0 && list[i-1].Path > list[i].Path {
				add(list[i].Path, "%s stands behind %s: the list is not in byte order", list[i].Path, list[i-1].Path)
			}
		}
	}
	if got := RootOf(m.Files); got != m.FilesRoot {
		add(ManifestFile, "files_root is %v, that of the files is %v", m.FilesRoot, got)
	}
	m.revisionFaults(add)
	if m.Data.DocumentsRoot == nil && (m.Data.Documents != 0 || m.Data.Tokens != 0) {
		add(ManifestFile, "data has documents or tokens and no documents_root")
	}
	if t := m.Tokenizer; t != nil {
		if f := m.listed(t.Path); f == nil {
			add(t.Path, "tokenizer: %s is not among the files", t.Path)
		} else if f.SHA256 != t.SHA256 {
			add(t.Path, "tokenizer: the hash of %s is %v, in the list of files %v", t.Path, t.SHA256, f.SHA256)
		}
	}
	return faults
}

// revisionFaults adds what is wrong with the list of models.
func (m *Manifest) revisionFaults(add func(path, format string, a ...any)) {
	if n := len(m.Revisions); n == 0 || m.Revisions[n-1].Name != Main {
		add(ManifestFile, "the last of revisions is not %s", Main)
	}
	names, roots := map[string]bool{}, map[int]proof.Hash{}
	for i, r := range m.Revisions {
		if err := proof.CheckPath(r.Path); err != nil {
			add(r.Path, "%q is no path of a release: %v", r.Path, err)
			continue
		}
		if r.Path != ModelFolder+"/"+r.Name || strings.Contains(r.Name, "/") {
			add(r.Path, "revision %s lies in %s, not in %s/%s", r.Name, r.Path, ModelFolder, r.Name)
		}
		if names[r.Name] {
			add(r.Path, "revision %s is there twice", r.Name)
		}
		names[r.Name] = true
		if step, ok := StepOf(r.Name); r.Name != Main && (!ok || step != r.Step) {
			add(r.Path, "revision %s is said to be of step %d", r.Name, r.Step)
		}
		if i > 0 && r.Step < m.Revisions[i-1].Step {
			add(r.Path, "revision %s of step %d stands behind one of step %d", r.Name, r.Step, m.Revisions[i-1].Step)
		}
		if r.Step > m.Run.Steps {
			add(r.Path, "revision %s is of step %d, the run of %d", r.Name, r.Step, m.Run.Steps)
		}
		if root, ok := roots[r.Step]; ok && root != r.WeightsRoot {
			add(r.Path, "revision %s has other weights than the one before of the same step %d", r.Name, r.Step)
		}
		roots[r.Step] = r.WeightsRoot
	}
}

// namedPath is a path that is listed, and its key in the order of all.
type namedPath struct{ key, path string }

// paths lists all that are listed, those that a system might take for one beside each other.
func (m *Manifest) paths() []namedPath {
	all := make([]namedPath, 0, len(m.Files)+len(m.LeftOut))
	for _, list := range [][]File{m.Files, m.LeftOut} {
		for i := range list {
			all = append(all, namedPath{proof.Fold(list[i].Path), list[i].Path})
		}
	}
	slices.SortStableFunc(all, func(a, b namedPath) int { return strings.Compare(a.key, b.key) })
	return all
}

// underFiles lists the files that are also a folder of others.
func underFiles(paths []namedPath) []string {
	var both []string
	seen := map[string]bool{}
	for _, p := range paths {
		for dir := path.Dir(p.key); dir != "." && dir != "/" && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			if i, ok := slices.BinarySearchFunc(paths, dir, func(p namedPath, dir string) int { return strings.Compare(p.key, dir) }); ok {
				both = append(both, paths[i].path)
			}
		}
	}
	return both
}

// listed returns the entry of a path, also where the lists are in no order.
func (m *Manifest) listed(path string) *File {
	for _, list := range [][]File{m.Files, m.LeftOut} {
		if i := slices.IndexFunc(list, func(f File) bool { return f.Path == path }); i >= 0 {
			return &list[i]
		}
	}
	return nil
}

// StepOf reads the step out of the name of a revision, step{N}-tokens{M}B.
func StepOf(name string) (step int, ok bool) {
	m := revisionPattern().FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	step, err := strconv.Atoi(m[1])
	return step, err == nil
}

var revisionPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^step(0|[1-9][0-9]*)-tokens(?:0|[1-9][0-9]*)B$`) })
