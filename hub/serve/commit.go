package serve

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/proof"
)

// preupload answers how each file of a commit will be sent, and which content the repository has
// under its name, so that a client leaves out what has not changed. Nothing is ignored: a
// .gitignore is a file like others.
func (h *Hub) preupload(c *call) error {
	if isTrue(c.r.URL.Query().Get("create_pr")) {
		return errNoRequests
	}
	at, err := h.lookup(c.repo, c.path(1))
	if err != nil {
		return err
	}
	var ask struct {
		Files []struct {
			Path   string `json:"path"`
			Size   int64  `json:"size"`
			Sample []byte `json:"sample"` // the first bytes
		} `json:"files"`
	}
	if err := c.read(&ask); err != nil {
		return err
	}
	type how struct {
		Path   string `json:"path"`
		Mode   string `json:"uploadMode"`
		Ignore bool   `json:"shouldIgnore"`
		ETag   string `json:"oid,omitempty"`
	}
	list := []how{}
	for _, f := range ask.Files {
		if err := proof.CheckPath(f.Path); err != nil {
			return badPath(f.Path, err)
		}
		a := how{Path: f.Path, Mode: "regular"}
		if isLarge(f.Path, f.Size) || !isText(f.Sample) {
			a.Mode = "lfs"
		}
		if old := at.file(f.Path); old != nil {
			a.ETag = old.etag()
		}
		list = append(list, a)
	}
	return answer(c, map[string]any{"files": list})
}

var errNoRequests = refuse(http.StatusBadRequest, "", "this hub has no pull requests: commit to a branch")

func badPath(path string, err error) error {
	return refuse(http.StatusBadRequest, "", "the path %q: %v", path, err)
}

// isText tells whether the first bytes of a file are those of a text, the last letter of which
// may be cut.
func isText(sample []byte) bool {
	for range utf8.UTFMax - 1 {
		if utf8.Valid(sample) || len(sample) == 0 {
			break
		}
		sample = sample[:len(sample)-1]
	}
	return utf8.Valid(sample) && !slices.Contains(sample, 0)
}

const (
	maxLine    = 32 << 20 // bytes of a line of a commit, which may hold a file
	maxLines   = 200_000  // of a commit
	maxPayload = 2 << 30  // bytes of a commit
)

// edit is what a commit does, in the form in which clients send it.
type edit struct {
	title, description string
	parent             string // the commit that the client has seen, or ""
	apply              []func(files map[string]file) error
}

// line is a line of a commit. Which members it has depends on the key.
type line struct {
	Key   string `json:"key"`
	Value struct {
		Summary     string `json:"summary"`
		Description string `json:"description"`
		Parent      string `json:"parentCommit"`

		Path     string `json:"path"`
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
		Algo     string `json:"algo"`
		Hash     string `json:"oid"`
		Size     *int64 `json:"size"`
	} `json:"value"`
}

// commit adds a commit to a branch.
func (h *Hub) commit(c *call) error {
	if isTrue(c.r.URL.Query().Get("create_pr")) {
		return errNoRequests
	}
	branch := c.path(1)
	e, err := h.readEdit(c)
	if err != nil {
		return err
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	i := find(c.repo.branches, branch)
	if i < 0 {
		return refuse(http.StatusNotFound, "RevisionNotFound", "%s has no branch %s", c.repo, branch)
	}
	old := c.repo.commits[c.repo.branches[i].commit]
	if e.parent != "" && e.parent != old.id.String() {
		return refuse(http.StatusPreconditionFailed, "", "%s is at commit %s, not at %s any more", branch, old.id, e.parent)
	}
	files := map[string]file{}
	for _, f := range old.files {
		files[f.Path] = f
	}
	for _, do := range e.apply {
		if err := do(files); err != nil {
			return err
		}
	}
	if err := checkTogether(files); err != nil {
		return err
	}
	message := strings.ToValidUTF8(strings.TrimSpace(e.title+"\n\n"+e.description), "�")
	parent := old.id // a copy, which does not keep all that the old commit holds
	made := newCommit(slices.Collect(maps.Values(files)), &parent, now(), message)
	// A client that did not hear the answer commits again, which changes nothing.
	if made.Tree == old.Tree {
		made = old
	} else {
		if err := c.repo.saveCommit(made); err != nil {
			return err
		}
		branches := slices.Clone(c.repo.branches)
		branches[i].commit = made.id
		if err := h.set(c.repo, branches, slices.Clone(c.repo.tags), made); err != nil {
			return err
		}
	}
	return answer(c, map[string]any{
		"success": true, "commitOid": made.id, "commitUrl": fmt.Sprintf("%s/%s/commit/%s", base(c.r), c.repo, made.id), "hookOutput": "",
	})
}

// readEdit reads the lines of a commit. The contents that they hold are kept at once.
func (h *Hub) readEdit(c *call) (*edit, error) {
	e := &edit{}
	lines := bufio.NewScanner(http.MaxBytesReader(c.ResponseWriter, c.r.Body, maxPayload))
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		if n++; n > maxLines {
			return nil, refuse(http.StatusRequestEntityTooLarge, "", "the commit has more than %d lines", maxLines)
		}
		var l line
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, refuse(http.StatusBadRequest, "", "line %d of the commit: %v", n, err)
		}
		if l.Key == "header" {
			e.title, e.description, e.parent = l.Value.Summary, l.Value.Description, l.Value.Parent
			continue
		}
		do, err := h.readLine(&l)
		if err != nil {
			return nil, err
		}
		e.apply = append(e.apply, do)
	}
	if err := lines.Err(); err == bufio.ErrTooLong {
		return nil, refuse(http.StatusRequestEntityTooLarge, "", "line %d of the commit is longer than %d bytes: upload the file as a large one", n+1, maxLine)
	} else if err != nil {
		return nil, err
	}
	if e.title == "" {
		return nil, refuse(http.StatusBadRequest, "", "the commit has no header with a summary")
	}
	return e, nil
}

// readLine returns what a line of a commit does.
func (h *Hub) readLine(l *line) (func(map[string]file) error, error) {
	v := &l.Value
	path := strings.TrimSuffix(v.Path, "/") // of a folder
	if err := proof.CheckPath(path); err != nil {
		return nil, badPath(path, err)
	}
	add := func(f file) func(map[string]file) error {
		return func(files map[string]file) error {
			files[path] = f
			return nil
		}
	}
	switch l.Key {
	case "file":
		content := []byte(v.Content)
		switch v.Encoding {
		case "base64":
			var err error
			if content, err = base64.StdEncoding.DecodeString(v.Content); err != nil {
				return nil, refuse(http.StatusBadRequest, "", "%s: %v", path, err)
			}
		case "", "utf-8":
		default:
			return nil, refuse(http.StatusBadRequest, "", "%s: encoding is %q, this hub knows base64 and utf-8", path, v.Encoding)
		}
		f, err := h.uploads.putBytes(path, content)
		return add(f), err
	case "lfsFile":
		hash, err := proof.ParseHash(v.Hash)
		if err != nil || v.Algo != "" && v.Algo != "sha256" {
			return nil, refuse(http.StatusBadRequest, "", "%s: %q is no SHA-256", path, v.Hash)
		}
		size, ok := h.uploads.size(hash)
		if !ok || v.Size != nil && *v.Size != size {
			return nil, refuse(http.StatusBadRequest, "", "%s: a content of this SHA-256 and size was not uploaded", path)
		}
		return add(h.uploads.file(path, hash, size, true)), nil
	case "deletedFile", "deletedFolder":
		return func(files map[string]file) error {
			n := len(files)
			maps.DeleteFunc(files, func(p string, _ file) bool {
				return p == path && l.Key == "deletedFile" || l.Key == "deletedFolder" && strings.HasPrefix(p, path+"/")
			})
			if len(files) == n {
				return refuse(http.StatusNotFound, "EntryNotFound", "A file with this name doesn't exist: %s", path)
			}
			return nil
		}, nil
	}
	return nil, refuse(http.StatusBadRequest, "", "a commit holds %q, which this hub does not know", l.Key)
}

// checkTogether is an error where files cannot stand beside each other on every system.
func checkTogether(files map[string]file) error {
	folded := map[string]string{}
	for p := range files {
		f := proof.Fold(p)
		if other, ok := folded[f]; ok {
			return refuse(http.StatusBadRequest, "", "%s and %s differ by the case of letters alone", min(p, other), max(p, other))
		}
		folded[f] = p
	}
	for p := range files {
		for at := proof.Fold(p); ; {
			slash := strings.LastIndexByte(at, '/')
			if slash < 0 {
				break
			}
			at = at[:slash]
			if other, ok := folded[at]; ok {
				return refuse(http.StatusBadRequest, "", "%s is a file and cannot be the folder of %s", other, p)
			}
		}
	}
	return nil
}
