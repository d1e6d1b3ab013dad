// Package hubtest holds a hub in memory, for tests of what speaks to one: its lines break, its
// bytes are wrong and its files lie on another host, as a test wants.
package hubtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"olmo/hub/git"
)

// Entry is a file of a revision.
type Entry struct {
	Content []byte
	LFS     bool
	Hash    string // made up; empty for that of the content
	Size    int64  // of a file whose hash is made up
}

// Faults is how a server goes wrong; the zero value is one that does not.
type Faults struct {
	Break     int64         // a connection ends after so many bytes of a file
	Slow      time.Duration // before each 64 KiB of a file, either way
	Wrong     string        // one bit of the file with this path is another
	NoRanges  bool          // files come whole only
	Busy      int           // so many requests are answered Status first
	Status    int           // of a busy server; 503
	After     string        // Retry-After of a busy server
	Lie       string        // the path under which the first file of each list stands
	BreakPuts int           // so many uploads end in the middle
}

// Server is a hub. Large files lie on a second host, to which the first one leads.
type Server struct {
	URL      string // of the hub
	Store    string // of the host with the large files
	PartSize int    // of uploads in parts; 0 for uploads in one piece

	web, files *httptest.Server

	mu       sync.Mutex
	faults   Faults
	signed   string           // what the addresses of the store are signed with
	repos    map[string]*repo // by type and name, as in "models/org/name"
	blobs    map[string][]byte
	parts    map[string][][]byte // of uploads that are not whole
	sent     int64
	received int64
	tokens   map[string][]string // Authorization by host
	log      []string
}

type repo struct {
	branches map[string]string           // to commits
	commits  map[string]map[string]Entry // by path
}

// New runs a server.
func New() *Server {
	s := &Server{repos: map[string]*repo{}, blobs: map[string][]byte{}, parts: map[string][][]byte{}, tokens: map[string][]string{}}
	s.web = httptest.NewServer(http.HandlerFunc(s.serve))
	s.files = httptest.NewServer(http.HandlerFunc(s.serveStore))
	s.URL, s.Store, s.signed = s.web.URL, s.files.URL, "secret"
	return s
}

// Start runs a server until the test ends, and points the variables of hub clients to it.
func Start(t testing.TB) *Server {
	t.Helper()
	s := New()
	t.Cleanup(s.Close)
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("HF_HOME", t.TempDir())
	for _, key := range []string{"HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"} {
		t.Setenv(key, "")
	}
	return s
}

// Close ends the server.
func (s *Server) Close() {
	s.web.CloseClientConnections()
	s.files.CloseClientConnections()
	s.web.Close()
	s.files.Close()
}

// Fail sets how the server goes wrong from now on.
func (s *Server) Fail(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Sign sets what the addresses of the store are signed with from now on; those of before are good no
// more.
func (s *Server) Sign(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed = secret
}

// Put makes a branch of a repository ("models/org/name") hold these files, and returns its commit.
func (s *Server) Put(name, branch string, files map[string]Entry) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(name, branch, files)
}

func (s *Server) put(name, branch string, files map[string]Entry) string {
	r := s.repos[name]
	if r == nil {
		r = &repo{branches: map[string]string{}, commits: map[string]map[string]Entry{}}
		s.repos[name] = r
	}
	h := sha1.New()
	for _, path := range sorted(files) {
		e := files[path]
		fmt.Fprintf(h, "%s %s\n", path, e.hash())
		if e.LFS && e.Content != nil {
			s.blobs[e.hash()] = e.Content
		}
	}
	commit := hex.EncodeToString(h.Sum(nil))
	r.commits[commit], r.branches[branch] = files, commit
	return commit
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Files are what a branch holds.
func (s *Server) Files(name, branch string) map[string]Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[name]
	if r == nil {
		return nil
	}
	return r.commits[r.branches[branch]]
}

// Branches are the names of a repository's branches.
func (s *Server) Branches(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.repos[name].branches)
}

// Sent is how many bytes of files have gone out, and Received how many came in, since the last
// time.
func (s *Server) Sent() int64 { return s.take(&s.sent) }

// Received is the same for uploads.
func (s *Server) Received() int64 { return s.take(&s.received) }

func (s *Server) take(n *int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := *n
	*n = 0
	return was
}

// Tokens are the Authorization headers that a host got.
func (s *Server) Tokens(address string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[strings.TrimPrefix(address, "http://")]
}

// Log is every request, in order.
func (s *Server) Log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (e Entry) hash() string {
	switch {
	case e.Hash != "":
		return e.Hash
	case e.LFS:
		return fmt.Sprintf("%x", sha256.Sum256(e.Content))
	}
	return git.Blob(e.Content).String()
}

func (e Entry) size() int64 {
	if e.Hash != "" && e.Content == nil {
		return e.Size
	}
	return int64(len(e.Content))
}

func (s *Server) note(r *http.Request) (f Faults, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, r.Method+" "+r.URL.RequestURI())
	if a := r.Header.Get("Authorization"); a != "" {
		s.tokens[r.Host] = append(s.tokens[r.Host], a)
	}
	if s.faults.Busy > 0 {
		s.faults.Busy--
		busy = true
	}
	return s.faults, busy
}

// serve is the hub.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	f, busy := s.note(r)
	if busy {
		if f.After != "" {
			w.Header().Set("Retry-After", f.After)
		}
		status := http.StatusServiceUnavailable
		if f.Status != 0 {
			status = f.Status
		}
		http.Error(w, "busy", status)
		return
	}
	// Revisions and paths have their slashes escaped.
	var parts []string
	for p := range strings.SplitSeq(strings.Trim(r.URL.EscapedPath(), "/"), "/") {
		text, err := url.PathUnescape(p)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		parts = append(parts, text)
	}
	switch {
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		s.upload(w, r, parts)
	case len(parts) >= 5 && parts[0] == "api":
		s.describe(w, r, parts[1]+"/"+parts[2]+"/"+parts[3], parts[4], parts[5:])
	case len(parts) >= 6 && parts[3] == "resolve":
		s.resolve(w, r, parts[0]+"/"+parts[1]+"/"+parts[2], parts[4], strings.Join(parts[5:], "/"), f)
	case len(parts) >= 5 && parts[2] == "resolve":
		s.resolve(w, r, "models/"+parts[0]+"/"+parts[1], parts[3], strings.Join(parts[4:], "/"), f)
	default:
		fail(w, http.StatusNotFound, "RepoNotFound")
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", "It is not there ("+code+")")
	w.WriteHeader(status)
}

// find is a revision of a repository, with its commit.
func (s *Server) find(w http.ResponseWriter, name, revision string) (files map[string]Entry, commit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[name]
	if r == nil {
		fail(w, http.StatusNotFound, "RepoNotFound")
		return nil, ""
	}
	commit = revision
	if c, ok := r.branches[revision]; ok {
		commit = c
	}
	files, ok := r.commits[commit]
	if !ok {
		fail(w, http.StatusNotFound, "RevisionNotFound")
		return nil, ""
	}
	if files == nil {
		files = map[string]Entry{}
	}
	return files, commit
}

// describe answers below /api.
func (s *Server) describe(w http.ResponseWriter, r *http.Request, name, what string, rest []string) {
	w.Header().Set("Content-Type", "application/json")
	if what == "refs" {
		s.refs(w, name)
		return
	}
	if len(rest) == 0 {
		fail(w, http.StatusNotFound, "EntryNotFound")
		return
	}
	files, commit := s.find(w, name, rest[0])
	switch {
	case files == nil:
	case what == "revision":
		var siblings []any
		for _, path := range sorted(files) {
			siblings = append(siblings, map[string]any{"rfilename": path})
		}
		_, id, _ := strings.Cut(name, "/")
		reply(w, map[string]any{"id": id, "sha": commit, "siblings": siblings})
	case what == "tree":
		s.tree(w, r, files)
	default:
		fail(w, http.StatusNotFound, "EntryNotFound")
	}
}

func (s *Server) refs(w http.ResponseWriter, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repos[name] == nil {
		fail(w, http.StatusNotFound, "RepoNotFound")
		return
	}
	branches := []any{}
	for _, b := range sorted(s.repos[name].branches) {
		branches = append(branches, map[string]any{"name": b, "ref": "refs/heads/" + b, "targetCommit": s.repos[name].branches[b]})
	}
	reply(w, map[string]any{"branches": branches, "converts": []any{}, "tags": []any{}})
}

// tree lists files, a hundred a page.
func (s *Server) tree(w http.ResponseWriter, r *http.Request, files map[string]Entry) {
	s.mu.Lock()
	lie := s.faults.Lie
	s.mu.Unlock()
	paths := sorted(files)
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	to := min(len(paths), from+100)
	if to < len(paths) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?recursive=true&cursor=%d>; rel="next"`, s.URL, r.URL.EscapedPath(), to))
	}
	list := []any{}
	if from == 0 && len(paths) > 0 && strings.Contains(paths[0], "/") {
		folder, _, _ := strings.Cut(paths[0], "/")
		list = append(list, map[string]any{"type": "directory", "path": folder, "size": 0, "oid": strings.Repeat("0", 40)})
	}
	for i, path := range paths[from:to] {
		e := files[path]
		if lie != "" && i == 0 {
			path = lie
		}
		row := map[string]any{"type": "file", "path": path, "size": e.size(), "oid": e.hash()}
		if e.LFS {
			row["oid"] = fmt.Sprintf("%x", sha1.Sum([]byte(e.hash())))
			row["lfs"] = map[string]any{"oid": e.hash(), "size": e.size(), "pointerSize": 134}
		}
		list = append(list, row)
	}
	reply(w, list)
}

// resolve gives a file, or leads to the host where it lies.
func (s *Server) resolve(w http.ResponseWriter, r *http.Request, name, revision, path string, f Faults) {
	files, commit := s.find(w, name, revision)
	if files == nil {
		return
	}
	e, ok := files[path]
	if !ok {
		fail(w, http.StatusNotFound, "EntryNotFound")
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	w.Header().Set("ETag", strconv.Quote(e.hash()))
	if e.LFS {
		w.Header().Set("X-Linked-ETag", strconv.Quote(e.hash()))
		w.Header().Set("X-Linked-Size", strconv.FormatInt(e.size(), 10))
		wrong := ""
		if f.Wrong == path {
			wrong = "&wrong=1"
		}
		http.Redirect(w, r, s.Store+"/"+e.hash()+"?signature=secret"+wrong, http.StatusFound)
		return
	}
	s.give(w, r, e.Content, f, f.Wrong == path)
}

// serveStore is the host with the large files, to which uploads go, too.
func (s *Server) serveStore(w http.ResponseWriter, r *http.Request) {
	f, _ := s.note(r)
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		s.receive(w, r)
		return
	}
	s.mu.Lock()
	content, ok := s.blobs[strings.Trim(r.URL.Path, "/")]
	s.mu.Unlock()
	if !ok || r.URL.Query().Get("signature") != "secret" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	s.give(w, r, content, f, r.URL.Query().Get("wrong") != "")
}

// give sends content, or the range of it that is asked for.
func (s *Server) give(w http.ResponseWriter, r *http.Request, content []byte, f Faults, wrong bool) {
	if wrong {
		content = slices.Clone(content)
		content[len(content)/2] ^= 1
	}
	w.Header().Set("Accept-Ranges", "bytes")
	from, to := 0, len(content)
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 && !f.NoRanges {
		if to++; from < 0 || from >= to || to > len(content) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content)))
		w.Header().Set("Content-Length", strconv.Itoa(to-from))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		from, to = 0, len(content)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	if r.Method == http.MethodHead {
		return
	}
	given := int64(0)
	for from < to {
		n := min(64<<10, to-from)
		if f.Break > 0 {
			n = min(n, int(f.Break-given))
		}
		time.Sleep(f.Slow)
		if r.Context().Err() != nil {
			return
		}
		if n > 0 {
			s.mu.Lock()
			s.sent += int64(n) // before a client can have it and ask
			s.mu.Unlock()
			_, _ = w.Write(content[from : from+n])
		}
		from, given = from+n, given+int64(n)
		if f.Break > 0 && given >= f.Break && from < to {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
