package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"olmo/store"
)

// Request says what is wanted from a hub.
type Request struct {
	Repo          Repo
	Revision      string   // a branch, a tag or a commit
	Only, Exclude []string // patterns of paths; without Only all files
	Out           string   // a folder that gets the files; empty leaves them in the cache
}

// Plan is what is to be done for a request.
type Plan struct {
	Request
	Commit  string
	Files   []File // that are wanted
	Missing []File // those of them whose content is not here; in a cache, each content once
	Folder  string // where the files will be

	hub     *Hub
	cache   cache
	release *released // that Verify has found; nil without
}

// Size is the size of files in all.
func Size(files []File) (n int64) {
	for _, f := range files {
		n += f.Size
	}
	return n
}

// Matches tells whether a pattern is of a path, or of a folder that holds it: * stands for any
// characters, also slashes (as for the hub's own clients), ? for one, [a-z] for one of these.
func Matches(pattern, name string) bool {
	pattern = strings.TrimSuffix(pattern, "/")
	for ; name != "."; name = path.Dir(name) {
		// path.Match lets * end at slashes alone.
		if ok, _ := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00")); ok {
			return true
		}
	}
	return false
}

// wanted are the files that the patterns leave.
func (r *Request) wanted(files []File) ([]File, error) {
	for _, pattern := range append(slices.Clone(r.Only), r.Exclude...) {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return nil, fmt.Errorf("%q is no pattern of paths", pattern)
		}
	}
	matches := func(patterns []string, f File) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, f.Path) })
	}
	var out []File
	for _, f := range files {
		if (len(r.Only) == 0 || matches(r.Only, f)) && !matches(r.Exclude, f) {
			out = append(out, f)
		}
	}
	if len(out) == 0 && len(files) > 0 {
		return nil, fmt.Errorf("none of the %d files of %s at %s is wanted by the patterns", len(files), r.Repo, r.Revision)
	}
	return out, nil
}

// Plan finds out what a request comes to: what the revision holds, and what of it is here.
// Nothing is fetched but lists.
func (h *Hub) Plan(ctx context.Context, r Request) (*Plan, error) {
	p := &Plan{Request: r, hub: h, cache: h.cache(r.Repo)}
	var err error
	if h.Offline {
		err = p.offline()
	} else if p.Commit, err = h.Commit(ctx, r.Repo, r.Revision); err == nil {
		p.Files, err = h.Tree(ctx, r.Repo, p.Commit)
	}
	if err == nil {
		p.Files, err = p.wanted(p.Files)
	}
	if err == nil {
		err = checkPaths(r.Repo, p.Files)
	}
	if err != nil {
		return nil, err
	}
	p.Folder = p.cache.snapshot(p.Commit)
	if r.Out != "" {
		p.Folder = r.Out
	}
	return p, p.compare(ctx)
}

// offline takes what the cache has.
func (p *Plan) offline() (err error) {
	if p.Commit, err = p.cache.commit(p.Revision); err == nil {
		p.Files, err = p.cache.files(p.Commit)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s at %s is not in the cache %s, and HF_HUB_OFFLINE forbids to ask the hub", p.Repo, p.Revision, p.hub.Cache)
	}
	return err
}

// compare finds what is here already.
func (p *Plan) compare(ctx context.Context) error {
	seen := map[string]bool{}
	for _, f := range p.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.Out == "" {
			if !p.hub.Offline && !seen[f.Blob] && !p.cache.has(f) {
				p.Missing = append(p.Missing, f)
			}
			seen[f.Blob] = true
			continue
		}
		name := p.name(f)
		switch _, err := os.Lstat(name); {
		case errors.Is(err, fs.ErrNotExist):
			p.Missing = append(p.Missing, f)
			continue
		case err != nil:
			return err
		}
		known := f
		if known.Blob == "" { // a cache without links: the file itself must do
			in, err := store.Open(filepath.Join(p.cache.snapshot(p.Commit), filepath.FromSlash(f.Path)))
			if err != nil {
				return err
			}
			known.LFS = true
			known.Blob, _, err = known.sum(in)
			in.Close()
			if err != nil {
				return err
			}
		}
		if same, err := known.is(name); err != nil {
			return err
		} else if !same {
			return fmt.Errorf("%s is there, and is another file than that of %s at %s\nhint: name another folder, or remove it", name, p.Repo, p.Revision)
		}
	}
	return nil
}

// name is the name that a file gets.
func (p *Plan) name(f File) string { return filepath.Join(p.Folder, filepath.FromSlash(f.Path)) }

// Fetch does what the plan says, and returns how many bytes came from the hub. progress (may be
// nil) is told how many bytes of those that were missing are there.
func (p *Plan) Fetch(ctx context.Context, progress func(done, total int64)) (fetched int64, err error) {
	missing := p.Missing
	if p.Out != "" {
		if missing, err = p.copyCached(ctx); err != nil {
			return 0, err
		}
	}
	if fetched, err = p.download(ctx, missing, progress); err == nil {
		err = p.compareContents(ctx)
	}
	if err == nil {
		err = p.checkName()
	}
	if err != nil || p.Out != "" || p.hub.Offline {
		return fetched, err
	}
	for _, f := range p.Files {
		if err := p.cache.link(p.Commit, f); err != nil {
			return fetched, err
		}
	}
	if len(p.Only)+len(p.Exclude) == 0 && len(p.Files) == 0 {
		if err := os.MkdirAll(p.Folder, 0o777); err != nil {
			return fetched, err
		}
	}
	// Last, so that the name stands for what is there.
	return fetched, p.cache.point(p.Revision, p.Commit)
}

// copyCached copies what the cache has, and returns what it has not.
func (p *Plan) copyCached(ctx context.Context) (missing []File, err error) {
	for _, f := range p.Missing {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from := p.cache.blob(f)
		if p.hub.Offline {
			from = filepath.Join(p.cache.snapshot(p.Commit), filepath.FromSlash(f.Path))
		} else if !p.cache.has(f) {
			missing = append(missing, f)
			continue
		}
		if err := copyWhole(from, p.name(f), f); errors.Is(err, errWrong) && !p.hub.Offline {
			missing = append(missing, f)
		} else if err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// copyWhole copies a file, and compares the copy with its hash where one is known.
func copyWhole(from, to string, f File) error {
	in, err := store.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := store.Create(to)
	if err != nil {
		return err
	}
	defer out.Abort()
	sum, n, err := f.sum(io.TeeReader(in, out))
	if err != nil {
		return err
	}
	if n != f.Size || f.Blob != "" && sum != f.Blob {
		return fmt.Errorf("%s: %w", from, errWrong)
	}
	return out.Commit()
}

// split cuts ranges into parts for the connections.
func split(size int64, missing []span) (parts []span) {
	const least, most = 4 << 20, 64 << 20
	n := min(most, max(least, size/connections+1))
	for _, s := range missing {
		for s.to-s.from > n {
			parts = append(parts, span{s.from, s.from + n})
			s.from += n
		}
		parts = append(parts, s)
	}
	return parts
}

// download fetches files over several connections, in their order.
func (p *Plan) download(ctx context.Context, files []File, progress func(done, total int64)) (int64, error) {
	var done, fetched atomic.Int64
	total := Size(files)
	tell := func(n int64) {
		if sum := done.Add(n); progress != nil {
			progress(sum, total)
		}
	}
	came := func(n int64) {
		fetched.Add(n)
		tell(n)
	}
	g := newGang(ctx, connections)
	var begun []*fetch
	for _, f := range files {
		if g.stopped() {
			break
		}
		w := &fetch{File: f, address: p.Repo.at(p.Commit, f.Path), dest: p.name(f)}
		if p.Out == "" {
			w.dest = p.cache.blob(f)
		}
		missing, err := w.begin()
		if err != nil {
			g.stop(err)
			break
		}
		begun = append(begun, w)
		tell(f.Size - length(missing))
		parts := split(f.Size, missing)
		if w.left = len(parts); w.left == 0 {
			w.left, parts = 1, []span{{}} // there is nothing to ask for
		}
		for _, s := range parts {
			g.run(func(ctx context.Context) error {
				if err := p.hub.fill(ctx, w, s, came); err != nil {
					return err
				}
				return p.hub.arrived(ctx, w, came)
			})
		}
	}
	err := g.wait()
	for _, f := range begun {
		if !f.ended {
			f.keep()
		}
	}
	return fetched.Load(), err
}

func length(spans []span) (n int64) {
	for _, s := range spans {
		n += s.to - s.from
	}
	return n
}

// arrived counts a part of a file, and finishes the file with the last one. What an earlier
// process left may have been damaged since, by a machine that went down: then all is fetched once
// more.
func (h *Hub) arrived(ctx context.Context, f *fetch, came func(int64)) error {
	f.mu.Lock()
	f.left--
	last := f.left == 0
	f.mu.Unlock()
	if !last {
		return nil
	}
	f.ended = true
	err := f.finish()
	if !errors.Is(err, errWrong) || !f.had {
		return err
	}
	missing, err := f.begin()
	if err != nil {
		return err
	}
	for _, s := range missing {
		if err := h.fill(ctx, f, s, came); err != nil {
			f.keep()
			return err
		}
	}
	return f.finish()
}
