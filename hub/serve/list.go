package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"olmo/hub/git"
	"olmo/proof"
)

// dateFormat is how answers write a time.
const dateFormat = "2006-01-02T15:04:05.000Z"

// lookup returns the commit that a request asks about.
func (h *Hub) lookup(r *repo, revision string) (*commit, error) {
	h.mu.RLock()
	c := r.at(revision)
	h.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	var id git.ID
	if r.dir != "" && id.UnmarshalText([]byte(revision)) == nil {
		c, err := h.uploads.loadCommit(r, id)
		if !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return nil, refuse(http.StatusNotFound, "RevisionNotFound", "%s has no branch, tag or commit %s", r, revision)
}

// sibling is a file in an answer about a repository.
type sibling struct {
	Name string      `json:"rfilename"`
	Size *int64      `json:"size,omitempty"`
	ID   string      `json:"blobId,omitempty"`
	LFS  *siblingLFS `json:"lfs,omitempty"`
}

type siblingLFS struct {
	SHA256      proof.Hash `json:"sha256"`
	Size        int64      `json:"size"`
	PointerSize int        `json:"pointerSize"`
}

// info answers what a repository is at a revision, and which files it has.
func (h *Hub) info(c *call) error {
	revision := "main"
	if len(c.rest) > 0 {
		revision = c.path(1)
	}
	at, err := h.lookup(c.repo, revision)
	if err != nil {
		return err
	}
	siblings := make([]sibling, 0, len(at.files))
	for _, f := range at.files {
		s := sibling{Name: f.Path}
		if isTrue(c.r.URL.Query().Get("blobs")) {
			s.Size, s.ID = &f.Size, f.ID.String()
			if f.LFS {
				s.LFS = &siblingLFS{f.SHA256, f.Size, len(f.pointer())}
			}
		}
		siblings = append(siblings, s)
	}
	author, _, _ := strings.Cut(c.repo.id, "/")
	about := map[string]any{
		"id": c.repo.id, "author": author, "sha": at.id, "lastModified": at.Date.Format(dateFormat),
		"private": false, "gated": false, "disabled": false, "tags": []string{}, "siblings": siblings,
	}
	if c.repo.kind == models {
		about["modelId"] = c.repo.id
	}
	if c.repo.dir == "" {
		// A release is a language model in the form of transformers, whose pipeline asks for the task.
		about["library_name"], about["pipeline_tag"] = "transformers", "text-generation"
	}
	return answer(c, about)
}

// isTrue reads a flag of a query as the clients write it.
func isTrue(s string) bool { return s == "1" || strings.EqualFold(s, "true") }

// entry is a file or folder in an answer about a tree.
type entry struct {
	Type       string      `json:"type"`
	ID         git.ID      `json:"oid"`
	Size       int64       `json:"size"`
	Path       string      `json:"path"`
	LFS        *entryLFS   `json:"lfs,omitempty"`
	LastCommit *lastCommit `json:"lastCommit,omitempty"`
}

type entryLFS struct {
	SHA256      proof.Hash `json:"oid"`
	Size        int64      `json:"size"`
	PointerSize int        `json:"pointerSize"`
}

type lastCommit struct {
	ID    git.ID `json:"id"`
	Title string `json:"title"`
	Date  string `json:"date"`
}

func (f *file) entry() entry {
	e := entry{Type: "file", ID: f.ID, Size: f.Size, Path: f.Path}
	if f.LFS {
		e.LFS = &entryLFS{f.SHA256, f.Size, len(f.pointer())}
	}
	return e
}

func (c *commit) folder(path string) entry {
	return entry{Type: "directory", ID: c.folders[path], Path: path}
}

// pageEntries is how many entries an answer about a tree has.
const pageEntries = 1000

// list gives up to pageEntries entries of a folder, with recursive of those below it too, from
// a place in the commit's files on; next is the place behind them, 0 at the end.
func (c *commit) list(folder string, recursive bool, place int) (entries []entry, next int) {
	first, end := c.span(folder)
	skip := 0 // the folder's own part of a path
	if folder != "" {
		skip = len(folder) + 1
	}
	entries = []entry{}
	i := max(first, place)
	for i < end && len(entries) < pageEntries {
		path := c.files[i].Path
		slash := strings.IndexByte(path[skip:], '/')
		if slash >= 0 && !recursive {
			entries = append(entries, c.folder(path[:skip+slash]))
			_, i = c.span(path[:skip+slash])
			continue
		}
		// The folders that this file is the first one of.
		for slash >= 0 {
			at := skip + slash
			if i == first || !strings.HasPrefix(c.files[i-1].Path, path[:at+1]) {
				entries = append(entries, c.folder(path[:at]))
			}
			more := strings.IndexByte(path[at+1:], '/')
			if more < 0 {
				break
			}
			slash = at + 1 + more - skip
		}
		entries = append(entries, c.files[i].entry())
		i++
	}
	if i >= end {
		i = 0
	}
	return entries, i
}

// tree answers what is in a folder, page by page.
func (h *Hub) tree(c *call) error {
	at, err := h.lookup(c.repo, c.arg(1))
	if err != nil {
		return err
	}
	folder := c.path(2)
	if _, ok := at.folders[folder]; !ok {
		return refuse(http.StatusNotFound, "EntryNotFound", "%s has no folder %s at %s", c.repo, folder, c.arg(1))
	}
	q := c.r.URL.Query()
	place := 0
	if s := q.Get("cursor"); s != "" {
		if place, err = strconv.Atoi(s); err != nil || place < 0 {
			return refuse(http.StatusBadRequest, "", "cursor %q is none that this hub has given", s)
		}
	}
	entries, next := at.list(folder, isTrue(q.Get("recursive")), place)
	if isTrue(q.Get("expand")) {
		at.expand(entries)
	}
	if next > 0 {
		q.Set("cursor", strconv.Itoa(next))
		more := url.URL{Path: c.r.URL.Path, RawPath: c.r.URL.RawPath, RawQuery: q.Encode()}
		c.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, base(c.r), more.String()))
	}
	return answer(c, entries)
}

// expand names the commit in entries: for a hub without histories of files it is the one asked
// for.
func (c *commit) expand(entries []entry) {
	for i := range entries {
		entries[i].LastCommit = &lastCommit{c.id, c.title(), c.Date.Format(dateFormat)}
	}
}

// base is how the client reaches this hub, as far as can be seen from here.
func base(r *http.Request) string {
	scheme := "http"
	// A proxy that speaks TLS to the client says so.
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// pathsInfo answers what some paths are, and passes over those that are not there.
func (h *Hub) pathsInfo(c *call) error {
	at, err := h.lookup(c.repo, c.path(1))
	if err != nil {
		return err
	}
	var ask struct {
		Paths  []string `json:"paths"`
		Expand bool     `json:"expand"`
	}
	if strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		if err := c.read(&ask); err != nil {
			return err
		}
	} else {
		c.r.Body = http.MaxBytesReader(c.ResponseWriter, c.r.Body, maxRequest)
		if err := c.r.ParseForm(); err != nil {
			return refuse(http.StatusBadRequest, "", "the form: %v", err)
		}
		ask.Paths, ask.Expand = c.r.PostForm["paths"], isTrue(c.r.PostForm.Get("expand"))
	}
	entries := []entry{}
	for _, path := range ask.Paths {
		path = strings.Trim(path, "/")
		if f := at.file(path); f != nil {
			entries = append(entries, f.entry())
		} else if _, ok := at.folders[path]; ok && path != "" {
			entries = append(entries, at.folder(path))
		}
	}
	if ask.Expand {
		at.expand(entries)
	}
	return answer(c, entries)
}

// gitRef is a branch or tag in an answer.
type gitRef struct {
	Name   string `json:"name"`
	Ref    string `json:"ref"`
	Commit git.ID `json:"targetCommit"`
}

func gitRefs(kind string, refs []ref) []gitRef {
	list := []gitRef{}
	for _, r := range refs {
		list = append(list, gitRef{r.name, "refs/" + kind + "/" + r.name, r.commit})
	}
	return list
}

// refs answers which branches and tags there are.
func (h *Hub) refs(c *call) error {
	h.mu.RLock()
	about := map[string]any{
		"branches": gitRefs("heads", c.repo.branches), "tags": gitRefs("tags", c.repo.tags), "converts": []gitRef{},
	}
	h.mu.RUnlock()
	if isTrue(c.r.URL.Query().Get("include_prs")) {
		about["pullRequests"] = []gitRef{}
	}
	return answer(c, about)
}

// commits answers how a revision came about, the latest first.
func (h *Hub) commits(c *call) error {
	at, err := h.lookup(c.repo, c.path(1))
	if err != nil {
		return err
	}
	type listed struct {
		ID      git.ID              `json:"id"`
		Title   string              `json:"title"`
		Message string              `json:"message"`
		Authors []map[string]string `json:"authors"`
		Date    string              `json:"date"`
	}
	list := []listed{}
	for {
		_, message, _ := strings.Cut(at.Message, "\n\n")
		list = append(list, listed{at.id, at.title(), message, []map[string]string{}, at.Date.Format(dateFormat)})
		if at.Parent == nil {
			return answer(c, list)
		}
		if at, err = h.lookup(c.repo, at.Parent.String()); err != nil {
			return err
		}
	}
}

// index says in words what the hub has, for whoever opens it in a browser.
func (h *Hub) index(c *call) error {
	var text strings.Builder
	fmt.Fprintf(&text, "This is a hub of olmo. Libraries of Hugging Face read from it with HF_ENDPOINT=%s\n", base(c.r))
	h.mu.RLock()
	for _, r := range slices.SortedFunc(maps.Values(h.repos), func(a, b *repo) int { return strings.Compare(a.String(), b.String()) }) {
		fmt.Fprintf(&text, "\n%s\n", r)
		for _, b := range slices.Concat(r.branches, r.tags) {
			fmt.Fprintf(&text, "  %s %s\n", b.commit, b.name)
		}
	}
	h.mu.RUnlock() // before anything is sent: who reads slowly holds nobody up
	c.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = c.Write([]byte(text.String()))
	return nil
}

// resolve answers with a file, or a range of it.
func (h *Hub) resolve(c *call) error {
	at, err := h.lookup(c.repo, c.arg(1))
	if err != nil {
		return err
	}
	header := c.Header()
	header.Set("X-Repo-Commit", at.id.String())
	f := at.file(c.path(2))
	if f == nil {
		return refuse(http.StatusNotFound, "EntryNotFound", "%s has no file %s at %s", c.repo, c.path(2), c.arg(1))
	}
	content, err := f.open()
	if err != nil {
		return err
	}
	defer content.Close()
	header.Set("ETag", strconv.Quote(f.etag()))
	// A text is shown by a browser, as a text; nothing of a repository runs in one.
	header.Set("Content-Type", "text/plain; charset=utf-8")
	if f.LFS {
		header.Set("Content-Type", "application/octet-stream")
		header.Set("X-Linked-Etag", strconv.Quote(f.etag()))
		header.Set("X-Linked-Size", strconv.FormatInt(f.Size, 10))
	}
	http.ServeContent(c.ResponseWriter, c.r, "", time.Time{}, content)
	return nil
}
