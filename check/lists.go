package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/internal/pyjson"
	"olmo/proof"
	"olmo/store"
	"olmo/train"
)

// entry is what a list says of a file.
type entry struct {
	path   string // as it is reached from here
	size   int64
	sha256 string
	list   string // who says so
	source source
}

// source is what an entry comes from; of two the larger one counts.
type source int

const (
	input  source = iota // documents that a stage read: its attributes are of these
	output               // what a stage or a checkpoint's manifest says that it wrote
	report               // what the report of a quickstart lists
)

// recordFormat is the form of the records of data stages (data/record.go).
const recordFormat = "olmo stage 1"

// stageRecord is the memory of a data stage beside its outputs; paths go from
// the record's folder.
type stageRecord struct {
	Format string `json:"format"`
	Stage  string `json:"stage"`
	Units  []*struct {
		Key     string      `json:"key"`
		Pending bool        `json:"pending"`
		Inputs  []stageFile `json:"inputs"`
		Outputs []stageFile `json:"outputs"`
	} `json:"units"`
}

type stageFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// reportFiles is the part of a quickstart's report.json that lists files.
type reportFiles struct {
	Digest        string       `json:"weights_digest"`
	ReleaseDigest string       `json:"release_weights_digest"`
	Artefacts     []reportFile `json:"artefacts"`
	Pages         []reportFile `json:"pages"`
	Curve         []struct {
		Step int     `json:"step"`
		Loss float64 `json:"loss"`
		Rate float64 `json:"learning_rate"`
	} `json:"curve"`
}

type reportFile struct {
	Path   string `json:"path"`
	What   string `json:"what"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// depth is how many folders upwards a list is looked for.
const depth = 5

// compareLists gathers what lists beside, above and inside of path say about it, and
// compares. A report above counts for what lies in it, so that a part can be checked alone.
func (c *checker) compareLists(path string) {
	at := absolute(path)
	for range depth {
		c.readReport(filepath.Join(at, "report.json"))
		c.readManifest(at)
		for _, record := range beside(at) {
			c.readRecord(record)
		}
		up := filepath.Dir(at)
		if up == at {
			break
		}
		at = up
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // reported when it is checked
		case p != path && hidden(d.Name()):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular() && strings.HasSuffix(d.Name(), ".json"):
			c.readRecord(p)
		}
		return nil
	})
	c.compare()
	c.contradictions()
}

// beside lists the records that stand beside a folder: its name, a dot and more.
func beside(folder string) []string {
	entries, err := os.ReadDir(filepath.Dir(folder))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(folder)+".") && strings.HasSuffix(e.Name(), ".json") && e.Type().IsRegular() {
			out = append(out, filepath.Join(filepath.Dir(folder), e.Name()))
		}
	}
	return out
}

// readReport takes what a report.json lists below the artefact.
func (c *checker) readReport(path string) {
	text, err := store.ReadFile(path)
	if err != nil {
		return // quickstart says whether one is missing
	}
	var r reportFiles
	if json.Unmarshal(text, &r) != nil {
		return // likewise
	}
	for _, f := range append(r.Artefacts, r.Pages...) {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			c.problem(Manifest, path, "report.json lists %q, which leads out of its folder", f.Path)
			continue
		}
		c.know(filepath.Join(filepath.Dir(path), filepath.FromSlash(f.Path)), f.Bytes, f.SHA256, path, report)
	}
}

// readManifest takes what the manifest beside a file of a checkpoint lists; of a whole
// checkpoint train says all.
func (c *checker) readManifest(path string) {
	m, err := train.ReadManifest(filepath.Dir(path))
	if err != nil {
		return
	}
	file := filepath.Base(path)
	if sum, ok := m.Files[file]; ok {
		st, err := os.Stat(path)
		if err != nil {
			return
		}
		// The manifest has no sizes: the digest decides.
		c.know(path, st.Size(), sum.String(), filepath.Join(filepath.Dir(path), "manifest.json"), output)
	}
}

// maxRecord bounds the records that are read: the largest have a few hundred bytes for
// each file of a corpus.
const maxRecord = 256 << 20

// readRecord takes what the record of a stage lists below the artefact. Where it leads
// elsewhere it is nobody's business here.
func (c *checker) readRecord(path string) {
	st, err := os.Stat(path)
	if err != nil || st.Size() > maxRecord {
		return
	}
	f, err := store.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	head := make([]byte, 200)
	n, _ := io.ReadFull(f, head)
	if !strings.Contains(string(head[:n]), `"`+recordFormat+`"`) {
		return
	}
	text, err := store.ReadFile(path)
	var r stageRecord
	if err != nil || json.Unmarshal(text, &r) != nil {
		return // said when the record itself is checked
	}
	for _, u := range r.Units {
		if u == nil || u.Pending {
			continue
		}
		take := func(f stageFile, s source) {
			if full := filepath.Join(filepath.Dir(path), filepath.FromSlash(f.Path)); f.SHA256 != "" && !filepath.IsAbs(f.Path) && (s == output || inFolder(full, "documents")) {
				c.know(full, f.Size, f.SHA256, path, s)
			}
		}
		for _, f := range u.Outputs {
			take(f, output)
		}
		for _, f := range u.Inputs {
			take(f, input)
		}
	}
}

// know remembers an entry of a file below the artefact. A file that two stages wrote or read
// in turn is that of the last one, which cannot be told apart here, so that two records that
// disagree say nothing.
func (c *checker) know(path string, size int64, sum, list string, s source) {
	if !c.inside(path) {
		return
	}
	abs, root := absolute(path), absolute(c.root)
	e := entry{path: path, size: size, sha256: strings.ToLower(sum), list: c.listName(list), source: s}
	if rel, err := filepath.Rel(root, abs); err == nil && rel != "." {
		e.path = filepath.Join(c.root, rel)
	} else {
		e.path = c.root
	}
	if s != report {
		c.claims = append(c.claims, e)
	}
	old, ok := c.known[abs]
	switch {
	case !ok || s > old.source:
		c.known[abs] = e
	case s == old.source && s != report && old.sha256 != e.sha256:
		old.sha256 = ""
		c.known[abs] = old
	}
}

// inside tells whether a path is the artefact or lies below it: what lists say of anything
// else is not looked at.
func (c *checker) inside(path string) bool {
	abs, root := absolute(path), absolute(c.root)
	return abs == root || strings.HasPrefix(abs, strings.TrimSuffix(root, string(filepath.Separator))+string(filepath.Separator))
}

// listName is how a list is called in messages: from the artefact on, or as it is
// reached from the current folder.
func (c *checker) listName(path string) string {
	abs, root := absolute(path), absolute(c.root)
	if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, abs); err == nil && len(rel) < len(abs) {
			return rel
		}
	}
	return abs
}

// compare reads every listed file and compares it with its entry.
func (c *checker) compare() {
	paths := make([]string, 0, len(c.known))
	content := map[string]string{} // names by digest, to see that two were swapped
	for abs, e := range c.known {
		paths = append(paths, abs)
		content[e.sha256] = c.rel(e.path)
	}
	slices.Sort(paths)
	for _, abs := range paths {
		e := c.known[abs]
		if e.sha256 == "" {
			delete(c.known, abs)
			continue
		}
		st, err := os.Stat(e.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.problem(Missing, e.path, "%s is missing; %s lists it", c.rel(e.path), e.list)
			continue
		case err != nil:
			c.damage(e.path, err)
			continue
		case !st.Mode().IsRegular():
			c.problem(Changed, e.path, "%s is no file; %s lists one", c.rel(e.path), e.list)
			continue
		case st.Size() < e.size:
			c.count(e.path, st.Size())
			c.problem(Truncated, e.path, "%s has %d bytes, %s says %d", c.rel(e.path), st.Size(), e.list, e.size)
			continue
		case st.Size() > e.size:
			c.count(e.path, st.Size())
			c.problem(Changed, e.path, "%s has %d bytes, %s says %d", c.rel(e.path), st.Size(), e.list, e.size)
			continue
		}
		sum, err := c.hashFile(e.path)
		if err != nil {
			c.damage(e.path, err)
			continue
		}
		c.count(e.path, st.Size())
		if sum == e.sha256 {
			c.sound[abs] = true
			continue
		}
		other := ""
		if name, ok := content[sum]; ok {
			other = fmt.Sprintf(", which is that of %s", name)
		}
		c.problem(Changed, e.path, "%s has SHA-256 %s%s; %s says %s", c.rel(e.path), sum, other, e.list, e.sha256)
	}
}

// contradictions reports records that speak of other contents than those of files which are
// as a better list says: what a stage made of other documents is not of these.
func (c *checker) contradictions() {
	for _, e := range c.claims {
		k, ok := c.known[absolute(e.path)]
		if !ok || k.source <= e.source || k.sha256 == e.sha256 || !c.compared(e.path) {
			continue
		}
		if e.source == input {
			c.problem(Changed, e.path, "%s is as %s says, but %s is about a stage that read it with SHA-256 %s\nhint: run that stage again", c.rel(e.path), k.list, e.list, e.sha256)
		} else {
			c.problem(Manifest, e.path, "%s is as %s says, but %s says that it has SHA-256 %s", c.rel(e.path), k.list, e.list, e.sha256)
		}
	}
}

// unlisted reports files that stand in the same folder as listed ones and are not.
func (c *checker) unlisted() {
	folders := map[string]string{} // the list, by folder
	for abs, e := range c.known {
		if e.source == report && filepath.Dir(abs) != absolute(c.root) {
			folders[filepath.Dir(e.path)] = e.list
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		list := folders[folder]
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // its files are missing
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if !e.IsDir() && !hidden(e.Name()) && !c.listed(path) {
				c.problem(Unlisted, path, "%s is not in %s", c.rel(path), list)
			}
		}
	}
}

// hashFile returns the SHA-256 of a file.
func (c *checker) hashFile(path string) (string, error) {
	f, err := store.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h, err := proof.SumReader(&watched{c: c, r: f})
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// watched is a file that is read with progress, until the context ends.
type watched struct {
	c    *checker
	r    io.Reader
	done int64
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.r.Read(b)
	w.done += int64(n)
	w.c.progress(w.done)
	return n, err
}

// record checks that the record of a stage can be read; what it lists was compared.
func (c *checker) record(path string) {
	text, err := store.ReadFile(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	c.count(path, int64(len(text)))
	var r stageRecord
	if err := pyjson.Unmarshal(text, &r); err != nil {
		c.jsonDamage(path, text, err)
		return
	}
	elsewhere, example := 0, ""
	for _, u := range r.Units {
		if u == nil {
			c.problem(Manifest, path, "the record holds a unit that is null")
			continue
		}
		for _, f := range u.Outputs {
			if filepath.IsAbs(f.Path) || !c.inside(filepath.Join(filepath.Dir(path), filepath.FromSlash(f.Path))) {
				if elsewhere++; elsewhere == 1 {
					example = f.Path
				}
			}
		}
	}
	if elsewhere > 0 {
		c.note(path, "lists %d files outside of what is checked, such as %s, which were not looked at", elsewhere, example)
	}
}
