// Package serve is a hub in a closed room: it speaks the protocol of the Hugging Face hub, so
// that its libraries download releases, and upload into a folder that takes them.
// docs/hub.md describes it.
package serve

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Hub answers requests for its repositories.
type Hub struct {
	mu    sync.RWMutex // guards repos, and their commits, branches and tags
	repos map[string]*repo

	uploads *uploads   // nil where none are taken
	writing sync.Mutex // is held by the one who changes a repository
}

// New is a hub without repositories.
func New() *Hub {
	return &Hub{repos: map[string]*repo{}}
}

// key is the name of a repository in repos: case tells no two of them apart.
func key(kind, id string) string { return kind + "/" + strings.ToLower(id) }

// add takes up a repository, whose name no other has.
func (h *Hub) add(r *repo) error {
	k := key(r.kind, r.id)
	if other := h.repos[k]; other != nil {
		return fmt.Errorf("%s and %s would be one repository", other, r)
	}
	h.repos[k] = r
	return nil
}

// Repositories are the names of what the hub has, ORG/NAME, datasets with datasets/ before it.
func (h *Hub) Repositories() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var names []string
	for _, r := range h.repos {
		names = append(names, r.String())
	}
	slices.Sort(names)
	return names
}

// The kinds of repositories, as addresses name them.
const (
	models   = "models"
	datasets = "datasets"
)

// call is a request in its parts. A part of an address may hold slashes (%2F), which is why the
// parts are taken apart here, before they are decoded.
type call struct {
	http.ResponseWriter
	r    *http.Request
	repo *repo
	rest []string // of the address, behind the repository's name
}

// arg is a part of the rest, "" where there is none.
func (c *call) arg(i int) string {
	if i < len(c.rest) {
		return c.rest[i]
	}
	return ""
}

// path is what the rest has behind n parts, as a path: clients send it both as parts and as one
// with %2F in it.
func (c *call) path(n int) string {
	return strings.Trim(strings.Join(c.rest[min(n, len(c.rest)):], "/"), "/")
}

// verbs are the requests about a repository, by method and the first word behind its name.
var verbs = map[string]func(*Hub, *call) error{
	"GET ":                (*Hub).info,
	"GET revision":        (*Hub).info,
	"GET tree":            (*Hub).tree,
	"GET refs":            (*Hub).refs,
	"GET commits":         (*Hub).commits,
	"POST paths-info":     (*Hub).pathsInfo,
	"GET resolve":         (*Hub).resolve,
	"HEAD resolve":        (*Hub).resolve,
	"POST branch":         (*Hub).createBranch,
	"DELETE branch":       (*Hub).deleteBranch,
	"POST tag":            (*Hub).createTag,
	"DELETE tag":          (*Hub).deleteTag,
	"POST preupload":      (*Hub).preupload,
	"POST info":           (*Hub).lfsBatch, // info/lfs/objects/batch
	"POST commit":         (*Hub).commit,
	"GET xet-write-token": (*Hub).noXet,
}

// reads are the verbs that change nothing although their method says otherwise.
var reads = []string{"POST paths-info"}

// ServeHTTP answers a request.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := h.answer(w, r); err != nil {
		fail(w, err)
	}
}

func (h *Hub) answer(w http.ResponseWriter, r *http.Request) error {
	parts, err := split(r.URL.EscapedPath())
	if err != nil {
		return refuse(http.StatusBadRequest, "", "%v", err)
	}
	c := &call{ResponseWriter: w, r: r}
	api := parts[0] == "api"
	switch word := strings.Join(parts[:min(2, len(parts))], "/"); {
	case word == "" && r.Method == http.MethodGet:
		return h.index(c)
	case word == "api/lfs":
		c.rest = parts[2:]
		return h.object(c) // the address is signed
	case word == "api/repos":
		if err := h.mayWrite(r); err != nil {
			return err
		}
		c.rest = parts[2:]
		return h.repositories(c)
	case strings.Join(parts, "/") == noXetPage:
		return refuse(http.StatusNotImplemented, "", "this hub has no Xet storage: set HF_HUB_DISABLE_XET=1 to upload")
	case word == "api/validate-yaml" && r.Method == http.MethodPost:
		return answer(w, map[string]any{"errors": []string{}, "warnings": []string{}})
	}
	if err := h.find(c, parts, api); err != nil {
		return err
	}
	verb := r.Method + " " + c.arg(0)
	do := verbs[verb]
	if do == nil {
		return refuse(http.StatusNotFound, "", "this hub does not know %s %s", r.Method, r.URL.Path)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !slices.Contains(reads, verb) {
		if err := h.mayWrite(r); err != nil {
			return err
		}
		if c.repo.dir == "" {
			return refuse(http.StatusForbidden, "", "%s is a release, which takes no uploads", c.repo)
		}
	}
	return do(h, c)
}

// split takes an address apart and decodes the parts.
func split(escaped string) ([]string, error) {
	parts := strings.Split(strings.Trim(escaped, "/"), "/")
	for i, p := range parts {
		var err error
		if parts[i], err = url.PathUnescape(p); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// find finds the repository that an address names: [api/models/]ORG/NAME or NAME, and for
// datasets [api/]datasets/ORG/NAME.
func (h *Hub) find(c *call, parts []string, api bool) error {
	kind := models
	if api {
		parts = parts[1:]
	}
	switch {
	case len(parts) > 0 && (parts[0] == datasets || api && parts[0] == models):
		kind, parts = parts[0], parts[1:]
	case api:
		return refuse(http.StatusNotFound, "", "this hub does not know %s %s", c.r.Method, c.r.URL.Path)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for n := min(2, len(parts)); n > 0; n-- {
		id := strings.TrimSuffix(strings.Join(parts[:n], "/"), ".git")
		if r := h.repos[key(kind, id)]; r != nil {
			c.repo, c.rest = r, parts[n:]
			return nil
		}
	}
	return refuse(http.StatusNotFound, "RepoNotFound", "this hub has no repository %s of %s", strings.Join(parts[:min(2, len(parts))], "/"), kind)
}

// mayWrite is an error for a request that would change something and may not.
func (h *Hub) mayWrite(r *http.Request) error {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case h.uploads == nil:
		return refuse(http.StatusForbidden, "", "this hub takes no uploads: it was started without --writable")
	case r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "":
		// A page on any site may send requests to this machine's own addresses.
		return refuse(http.StatusForbidden, "", "this hub takes no uploads from a browser")
	case h.uploads.token != "" && (!ok || subtle.ConstantTimeCompare([]byte(given), []byte(h.uploads.token)) != 1):
		// With these words the official client does not take it for a missing repository.
		return refuse(http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	}
	return nil
}

// noXet says what a client must do that would upload to Xet storage, which this hub lacks. The
// official one shows nothing of an answer but its address, so the address says it.
func (h *Hub) noXet(c *call) error {
	http.Redirect(c, c.r, "/"+noXetPage, http.StatusTemporaryRedirect)
	return nil
}

const noXetPage = "this-hub-has-no-Xet-storage/set/HF_HUB_DISABLE_XET=1"
