package client

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"olmo/proof"
	"olmo/release"
	"olmo/release/signature"
	"olmo/store"
)

// ProblemsError says that files are not those of a release.
type ProblemsError struct {
	Repo     Repo
	Revision string
	Problems []Problem // of the kinds that olmo verify knows
}

func (e *ProblemsError) Error() string {
	if len(e.Problems) == 1 {
		return fmt.Sprintf("%s at %s is not what its release says: one problem", e.Repo, e.Revision)
	}
	return fmt.Sprintf("%s at %s is not what its release says: %d problems", e.Repo, e.Revision, len(e.Problems))
}

// mostManifest is more than release.json and release.sig of a million files have.
const mostManifest = 1 << 30

// released is what a release says of the files that are wanted.
type released struct {
	files map[string]release.File // by the path that the revision has them under
}

// Verify fetches release.json and release.sig from the branch release, and compares what the hub
// lists with them: name, revision, paths, sizes and the hashes of large files. The hashes of others, and of what the cache had,
// are compared when Fetch has them, before they get their names in the cache. With a key the signature is
// checked. What is wrong is a *ProblemsError; notes are what could not be judged.
func (p *Plan) Verify(ctx context.Context, key *ecdsa.PublicKey) (notes []string, err error) {
	r := Request{Repo: p.Repo, Revision: ReleaseBranch, Only: []string{release.ManifestFile, release.SignatureFile}}
	problem := func(kind, path, format string, a ...any) Problem {
		return Problem{Kind: kind, Path: path, Revisions: []string{p.Revision}, Message: fmt.Sprintf(format, a...)}
	}
	fail := func(problems ...Problem) error { return &ProblemsError{p.Repo, p.Revision, problems} }
	two, err := p.hub.Plan(ctx, r)
	switch {
	case IsMissing(err):
		return nil, fail(problem("manifest", release.ManifestFile, "the repository has no branch %s with a release.json", ReleaseBranch))
	case err != nil:
		return nil, err
	}
	if Size(two.Files) > mostManifest {
		return nil, fail(problem("manifest", release.ManifestFile, "it has %d bytes, more than any release", Size(two.Files)))
	}
	if _, err := two.Fetch(ctx, nil); err != nil {
		return nil, err
	}
	m, err := release.Open(two.Folder)
	if err != nil {
		return nil, fail(problem("manifest", release.ManifestFile, "%v", err))
	}
	problems, notes, err := p.signed(two, m, key)
	if err != nil {
		return nil, err
	}
	if m.Name != p.Repo.Name {
		problems = append(problems, problem("name", release.ManifestFile, "the release is called %s, not %s", m.Name, p.Repo.Name))
	}
	folder, err := p.folderIn(ctx, m)
	if err != nil {
		return nil, err
	}
	if folder == nil {
		return nil, fail(append(problems, problem("name", release.ManifestFile, "the release has no revision %s", p.Revision))...)
	}
	p.release = &released{map[string]release.File{}}
	for _, f := range m.Files {
		path, ok := strings.CutPrefix(f.Path, *folder)
		if ok && (*folder != "" || !strings.HasPrefix(f.Path, release.ModelFolder+"/")) {
			p.release.files[path] = f
		}
	}
	problems = append(problems, p.listed(*folder)...)
	if len(problems) > 0 {
		return notes, fail(problems...)
	}
	return notes, nil
}

// signed checks the signature of a release, and that it is of what release.json lists.
func (p *Plan) signed(two *Plan, m *release.Manifest, key *ecdsa.PublicKey) (problems []Problem, notes []string, err error) {
	bad := func(format string, a ...any) {
		problems = append(problems, Problem{Kind: "signature", Path: release.SignatureFile, Revisions: []string{p.Revision}, Message: fmt.Sprintf(format, a...)})
	}
	there := slices.ContainsFunc(two.Files, func(f File) bool { return f.Path == release.SignatureFile })
	switch {
	case !there && key == nil:
		return nil, []string{"the release is not signed"}, nil
	case !there:
		bad("the release is not signed")
		return problems, nil, nil
	case key == nil:
		return nil, []string{"the release is signed, and the signature was not checked: --key does"}, nil
	}
	b, err := signature.Read(filepath.Join(two.Folder, release.SignatureFile))
	if err != nil {
		bad("%v", err)
		return problems, nil, nil
	}
	if err := b.Verify(key); err != nil {
		bad("%v", err)
		return problems, b.Notes, nil
	}
	text, err := store.ReadFile(filepath.Join(two.Folder, release.ManifestFile))
	if err != nil {
		return nil, nil, err
	}
	files := []signature.File{{Path: release.ManifestFile, SHA256: proof.Sum(text)}}
	for _, f := range m.Files {
		files = append(files, signature.File{Path: f.Path, SHA256: f.SHA256})
	}
	for _, q := range b.Compare(files) {
		bad("%s: %s", q.Path, q.Message)
	}
	return problems, b.Notes, nil
}

// folderIn is what a release's paths of the wanted revision begin with; nil where it has none.
func (p *Plan) folderIn(ctx context.Context, m *release.Manifest) (*string, error) {
	names := []string{p.Revision}
	if has := func(v release.Revision) bool { return v.Name == p.Revision }; p.Revision != ReleaseBranch && !slices.ContainsFunc(m.Revisions, has) && !p.hub.Offline {
		// A tag or commit is what the branch at the same place is.
		branches, err := p.hub.Branches(ctx, p.Repo)
		if err != nil {
			return nil, err
		}
		for _, b := range branches {
			if b.Commit == p.Commit {
				names = append(names, b.Name)
			}
		}
	}
	for _, name := range names {
		folder := ""
		if name == ReleaseBranch {
			return &folder, nil
		}
		for _, v := range m.Revisions {
			if v.Name == name {
				folder = v.Path + "/"
				return &folder, nil
			}
		}
	}
	return nil, nil
}

// listed compares the hub's list with that of the release.
func (p *Plan) listed(folder string) (problems []Problem) {
	add := func(kind, path, format string, a ...any) {
		problems = append(problems, Problem{Kind: kind, Path: folder + path, Revisions: []string{p.Revision}, Message: fmt.Sprintf(format, a...)})
	}
	there := map[string]bool{}
	for _, f := range p.Files {
		there[f.Path] = true
		want, ok := p.release.files[f.Path]
		switch {
		case f.Path == ".gitattributes", folder == "" && (f.Path == release.ManifestFile || f.Path == release.SignatureFile):
		case !ok:
			add("unlisted", f.Path, "the release does not list it")
		case f.Size < want.Size:
			add("truncated", f.Path, "it has %d bytes, want %d", f.Size, want.Size)
		case f.Size != want.Size:
			add("changed", f.Path, "it has %d bytes, want %d", f.Size, want.Size)
		case f.LFS && f.Blob != want.SHA256.String():
			add("changed", f.Path, "its SHA-256 is %s, want %s", f.Blob, want.SHA256)
		}
	}
	for path := range p.release.files {
		if wanted, err := p.wanted([]File{{Path: path}}); err == nil && len(wanted) > 0 && !there[path] {
			add("missing", path, "the release lists it, and it is not there")
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return problems
}

// compareContents compares what is here with the release: the files whose SHA-256 the hub does not
// list, and those of the cache that were there before, since a disk may have changed them.
func (p *Plan) compareContents(ctx context.Context) error {
	if p.release == nil {
		return nil
	}
	arrived := map[string]bool{}
	for _, f := range p.Missing {
		arrived[f.Blob] = true
	}
	var problems []Problem
	for _, f := range p.Files {
		want, ok := p.release.files[f.Path]
		if !ok || f.LFS && (arrived[f.Blob] || p.Out != "") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		in, err := store.Open(p.here(f))
		if err != nil {
			return err
		}
		got, _, err := (&File{LFS: true}).sum(in)
		in.Close()
		if err != nil {
			return err
		}
		if got != want.SHA256.String() {
			problems = append(problems, Problem{Kind: "changed", Path: want.Path, Revisions: []string{p.Revision}, Message: fmt.Sprintf("the SHA-256 of %s is %s, want %s", p.here(f), got, want.SHA256)})
		}
	}
	if len(problems) > 0 {
		return &ProblemsError{p.Repo, p.Revision, problems}
	}
	return nil
}

// here is where the content of a file lies after a fetch, also before it has a name in the cache.
func (p *Plan) here(f File) string {
	if p.Out == "" && f.Blob != "" {
		return p.cache.blob(f)
	}
	return p.name(f)
}

// checkName compares the name in a release.json that was fetched with the repository's.
func (p *Plan) checkName() error {
	i := slices.IndexFunc(p.Files, func(f File) bool { return f.Path == release.ManifestFile })
	if i < 0 {
		return nil
	}
	in, err := store.Open(p.here(p.Files[i]))
	if err != nil {
		return err
	}
	defer in.Close()
	m, err := release.Read(in)
	if err != nil {
		p.hub.Warn(fmt.Sprintf("%s is none of a release: %v", release.ManifestFile, err))
		return nil
	}
	if m.Name != p.Repo.Name {
		return &ProblemsError{p.Repo, p.Revision, []Problem{{Kind: "name", Path: release.ManifestFile, Revisions: []string{p.Revision}, Message: fmt.Sprintf("the release is called %s, not %s", m.Name, p.Repo.Name)}}}
	}
	return nil
}
