package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"olmo/hub/git"
	"olmo/proof"
)

// Repo is a repository of a hub.
type Repo struct {
	Type string // "model" or "dataset"
	Name string // ORG/NAME; models of old have no ORG
}

// name is what a hub takes as a part of a repository's name.
var name = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$`) })

// ParseRepo reads a repository's name, which becomes a part of paths and addresses.
func ParseRepo(kind, full string) (Repo, error) {
	if kind != "model" && kind != "dataset" {
		return Repo{}, fmt.Errorf("the type of repository %q is not known\nhint: one of model, dataset", kind)
	}
	parts := strings.Split(full, "/")
	bad := len(parts) > 2
	for _, p := range parts {
		bad = bad || !name().MatchString(p) || strings.Contains(p, "--") || strings.Contains(p, "..")
	}
	if bad {
		return Repo{}, fmt.Errorf("%q is no name of a repository\nhint: ORG/NAME, each of letters, digits, '.', '-' and '_'", full)
	}
	return Repo{kind, full}, nil
}

// String is the name with the type where it is no model.
func (r Repo) String() string {
	if r.Type == "model" {
		return r.Name
	}
	return r.Type + "s/" + r.Name
}

// api is where the hub describes the repository.
func (r Repo) api() string { return "/api/" + r.Type + "s/" + r.Name }

// at is the address of a file at a revision.
func (r Repo) at(revision, file string) string {
	parts := strings.Split(file, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/" + r.String() + "/resolve/" + url.PathEscape(revision) + "/" + strings.Join(parts, "/")
}

// File is a file of a revision as the hub lists it.
type File struct {
	Path string
	Size int64
	Blob string // SHA-256 of the content where LFS, else SHA-1 of Git's blob, in hexadecimal
	LFS  bool
}

// isSHA256 tells whether a text is a hash of a file that LFS keeps.
func isSHA256(text string) bool {
	_, err := proof.ParseHash(text)
	return err == nil
}

// checkRevision is an error for what can be no revision, or leads out of a folder.
func checkRevision(revision string) error {
	if err := proof.CheckPath(revision); err != nil {
		return fmt.Errorf("%q is no name of a revision: %w\nhint: a revision is a branch, a tag or a commit of 40 digits", revision, err)
	}
	return nil
}

// Commit asks which commit a revision is.
func (h *Hub) Commit(ctx context.Context, r Repo, revision string) (string, error) {
	if err := checkRevision(revision); err != nil {
		return "", err
	}
	var info struct{ SHA string }
	if _, err := h.call(ctx, http.MethodGet, r.api()+"/revision/"+url.PathEscape(revision), nil, &info); err != nil {
		return "", err
	}
	if !git.IsID(info.SHA) {
		return "", fmt.Errorf("%s at %s: the hub names the commit %.60q, want 40 hexadecimal digits", r, revision, info.SHA)
	}
	return info.SHA, nil
}

// Tree lists the files of a revision, in byte order of their paths. Their hashes are what they claim to be
// in form, but their paths may be anything: see checkPaths.
func (h *Hub) Tree(ctx context.Context, r Repo, revision string) ([]File, error) {
	type entry struct {
		Type, Path, OID string
		Size            int64
		LFS             *struct {
			OID  string
			Size int64
		}
	}
	var files []File
	address := h.endpoint.String() + r.api() + "/tree/" + url.PathEscape(revision) + "?recursive=true"
	seen := map[string]bool{}
	for address != "" {
		if len(files) > mostFiles || len(seen) > mostFiles/100 {
			return nil, fmt.Errorf("%s: the list of files does not end", h.shown(address))
		}
		if seen[address] {
			return nil, fmt.Errorf("%s: the pages of the list of files lead in a circle", h.shown(address))
		}
		seen[address] = true
		var page []entry
		head, err := h.call(ctx, http.MethodGet, address, nil, &page)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Type != "file" {
				continue
			}
			f := File{Path: e.Path, Size: e.Size, Blob: strings.ToLower(e.OID)}
			form := git.IsID
			if e.LFS != nil {
				f.Size, f.Blob, f.LFS, form = e.LFS.Size, strings.TrimPrefix(strings.ToLower(e.LFS.OID), "sha256:"), true, isSHA256
			}
			if f.Size < 0 || !form(f.Blob) {
				return nil, fmt.Errorf("%s at %s: the hub lists %.200q with the size %d and the hash %.80q, which is none", r, revision, f.Path, f.Size, f.Blob)
			}
			files = append(files, f)
		}
		if address, err = h.next(address, head); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

var nextLink = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`<([^<>]*)>\s*;[^,<]*rel="?next"?`) })

// next is the address of a list's next page, empty when there is none.
func (h *Hub) next(address string, head http.Header) (string, error) {
	for _, link := range head.Values("Link") {
		m := nextLink().FindStringSubmatch(link)
		if m == nil {
			continue
		}
		base, err := url.Parse(address)
		if err != nil {
			return "", err
		}
		u, err := base.Parse(m[1])
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme {
			return "", fmt.Errorf("%s: the next page of the list is elsewhere, at %.200q", h.shown(address), h.shown(m[1]))
		}
		return u.String(), nil
	}
	return "", nil
}

// Branch is a name that moves from commit to commit.
type Branch struct{ Name, Commit string }

// Branches lists the branches of a repository.
func (h *Hub) Branches(ctx context.Context, r Repo) ([]Branch, error) {
	var refs struct {
		Branches []struct{ Name, TargetCommit string }
	}
	if _, err := h.call(ctx, http.MethodGet, r.api()+"/refs", nil, &refs); err != nil {
		return nil, err
	}
	var out []Branch
	for _, b := range refs.Branches {
		if !git.IsID(b.TargetCommit) {
			return nil, fmt.Errorf("%s: the hub gives the branch %.100q the commit %.60q, want 40 hexadecimal digits", r, b.Name, b.TargetCommit)
		}
		out = append(out, Branch{b.Name, b.TargetCommit})
	}
	return out, nil
}

// checkPaths is an error where a file's path leads out of a folder, is none that every machine
// can have, or is another's.
func checkPaths(r Repo, files []File) error {
	var problems []error
	folded := map[string]string{}
	for _, f := range files {
		if err := proof.CheckPath(f.Path); err != nil {
			problems = append(problems, fmt.Errorf("%s names a file %.300q: %w", r, f.Path, err))
			continue
		}
		if other, ok := folded[proof.Fold(f.Path)]; ok {
			problems = append(problems, fmt.Errorf("%s has the files %s and %s, which are one where letter case means nothing", r, other, f.Path))
		}
		folded[proof.Fold(f.Path)] = f.Path
	}
	for _, f := range files {
		for up := path.Dir(f.Path); up != "." && up != "/"; up = path.Dir(up) {
			if other, ok := folded[proof.Fold(up)]; ok {
				problems = append(problems, fmt.Errorf("%s has the file %s, which %s would have as its folder", r, other, f.Path))
			}
		}
	}
	if problems == nil {
		return nil
	}
	return fmt.Errorf("%w\nhint: --exclude leaves files out", errors.Join(problems[:min(len(problems), 20)]...))
}
