// Package build makes the release of a run: a folder whose every byte follows from the run, with
// all that it takes to check the run and to compute it again.
package build

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"olmo/internal/program"
	"olmo/proof/note"
	"olmo/release"
	"olmo/release/report"
	"olmo/release/signature"
	"olmo/store"
)

// Options say what is released, and how.
type Options struct {
	Run         string   // its folder, or that of a quickstart
	Out         string   // a folder that does not exist, or an empty one
	Name        string   // ORG/NAME; empty for the run's own name
	Checkpoints []int    // steps whose checkpoints go in; nil for all
	Documents   []string // files, folders or patterns of the documents; none for those that the .csv.gz name
	Without     []string // patterns of paths that are left out, or words: documents, data, state, requests
	FullURLs    bool     // with user and query
	About       *report.About
	Key         *ecdsa.PrivateKey // nil for no signature
	Note        note.PrivateKey   // with which the head of the chain is signed; nil for none
	Date        time.Time         // of the cards; zero for none
	Program     program.Build
	// Ask is told what the documents say of their licences, before anything gets its name. An error
	// ends the release.
	Ask func(*Survey) error
	// Progress, if set, is told what is done of a part, in units.
	Progress func(part string, done, total int64, unit string)
	// Warn, if set, is told what the release lacks.
	Warn func(what string)
}

// Result says what was written.
type Result struct {
	Out      string
	Manifest *release.Manifest
	Bytes    int64 // of its files
	Signed   bool
}

// Words that stand for several patterns of --without.
var words = map[string][]string{
	"documents": {documentsFolder},
	"data":      {"data"},
	"state":     {"train/step*"},
	"requests":  {"eval/*.jsonl", "eval/*/*.jsonl", "eval/*/*/*.jsonl"},
}

// builder is one release under way.
type builder struct {
	ctx context.Context
	o   Options
	*source
	folder   *folder
	data     release.Data
	manifest *release.Manifest
	tokens   []tokenFile       // of all settings that the run has had
	held     map[string]string // where token files of evaluators lie in the release, by path
	texts    *texts
	survey   Survey
}

// Run makes a release. It appears under its name when it is whole; a run that fails leaves nothing.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Progress == nil {
		o.Progress = func(string, int64, int64, string) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	without, err := patterns(o.Without)
	if err != nil {
		return nil, err
	}
	from, err := open(o.Run)
	if err != nil {
		return nil, err
	}
	if err := from.sound(ctx, func(done, total int64) { o.Progress("the run", done, total, "bytes") }); err != nil {
		return nil, err
	}
	if err := from.read(); err != nil {
		return nil, err
	}
	name := cmp.Or(o.Name, nameOf(from.cfg.RunName))
	if err := release.CheckName(name); err != nil {
		return nil, fmt.Errorf("%w\nhint: --name ORG/NAME", err)
	}
	out := filepath.Clean(o.Out)
	if err := free(out, from.inputs()); err != nil {
		return nil, err
	}
	if err := from.choose(o.Checkpoints); err != nil {
		return nil, err
	}
	work, err := store.CreateFolder(out)
	if err != nil {
		return nil, err
	}
	defer work.Abort()
	if why := work.Unlocked(); why != nil {
		o.Warn(why.Error())
	}
	b := &builder{
		ctx: ctx, o: o, source: from, manifest: &release.Manifest{Name: name, Program: o.Program.String()},
		folder: &folder{ctx: ctx, dir: work.Path(), leftOut: func(path string) bool {
			return release.Matches(without, path) || from.skipped(path)
		}},
	}
	if err := b.fill(); err != nil {
		return nil, err
	}
	if err := errors.Join(from.unchanged(), ctx.Err()); err != nil {
		return nil, err
	}
	if err := work.Commit(); err != nil {
		return nil, err
	}
	r := &Result{Out: out, Manifest: b.manifest, Signed: o.Key != nil}
	for _, f := range b.manifest.Files {
		r.Bytes += f.Size
	}
	return r, nil
}

// patterns are those of paths that are left out.
func patterns(list []string) (all []string, err error) {
	for _, p := range list {
		if w, ok := words[p]; ok {
			all = append(all, w...)
			continue
		}
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("the pattern %q cannot be read: %w", p, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// allFit is an error for a pattern that fits nothing: who mistypes what is to be left out would give it away.
func allFit(without []string, leftOut []release.File) error {
	for _, p := range without {
		if _, isWord := words[p]; !isWord && !slices.ContainsFunc(leftOut, func(f release.File) bool { return release.Matches([]string{p}, f.Path) }) {
			return fmt.Errorf("the release would have no file %s that could be left out\nhint: documents, data, state, requests, or a pattern of paths in the release, such as eval/*.jsonl", p)
		}
	}
	return nil
}

// free reports an output that exists already, other than as an empty folder, or that is in the way
// of what is read.
func free(out string, inputs []string) error {
	if err := store.Clash(inputs, nil, []string{out}); err != nil {
		return err
	}
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return store.CanCreateIn(filepath.Dir(out))
	case err == nil && len(entries) == 0:
		return nil
	}
	return fmt.Errorf("%s exists already\nhint: remove it, or choose another --out", out)
}

// fill writes all files of the release.
func (b *builder) fill() error {
	for _, part := range []func() error{b.writeTokens, b.writeDocuments, b.ask, b.writeMasks, b.writeEvaluation, b.writeTraining, b.writeModels, b.writeTokenizer} {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		if err := part(); err != nil {
			return err
		}
	}
	if err := b.writeReports(); err != nil {
		return err
	}
	if err := b.folder.prune(); err != nil {
		return err
	}
	m := b.manifest
	m.Files, m.LeftOut, m.Data = b.folder.files, b.folder.without, b.data
	if err := allFit(b.o.Without, m.LeftOut); err != nil {
		return err
	}
	m.Seal()
	if faults := m.Faults(); len(faults) > 0 {
		return fmt.Errorf("the release cannot have this form: %s", faults[0].Message)
	}
	if err := b.folder.names(b.machine()); err != nil {
		return err
	}
	sum, err := b.folder.manifest(m)
	if err != nil {
		return err
	}
	return b.sign(sum)
}

// writeReports writes what the release says of itself in words.
func (b *builder) writeReports() error {
	in := report.Input{
		Name: b.manifest.Name, Date: b.o.Date, Program: b.o.Program, About: b.o.About,
	}
	if b.quickstart != "" {
		if err := in.ReadQuickstart(b.quickstart); err != nil {
			return err
		}
	}
	files, without := b.folder.split()
	for _, f := range files {
		in.Files = append(in.Files, report.File(f))
	}
	for _, f := range without {
		in.LeftOut = append(in.LeftOut, report.File(f))
	}
	for _, r := range b.manifest.Revisions {
		in.Revisions = append(in.Revisions, report.Revision{Name: r.Name, Step: r.Step, Path: r.Path})
	}
	in.Manifest = b.folder.path(manifestPath)
	in.Documents = b.texts.files()
	paths, err := report.Write(b.folder.dir, in)
	if err != nil {
		return err
	}
	return b.folder.adopt(paths...)
}

// sign writes release.sig, over all files of the release.
func (b *builder) sign(manifest release.File) error {
	if b.o.Key == nil {
		return nil
	}
	files := []signature.File{{Path: manifest.Path, SHA256: manifest.SHA256}}
	for _, f := range b.manifest.Files {
		files = append(files, signature.File{Path: f.Path, SHA256: f.SHA256})
	}
	text, err := signature.Sign(b.o.Key, b.manifest.Name, files)
	if err != nil {
		return fmt.Errorf("signing the release: %w", err)
	}
	return store.WriteFile(b.folder.path(release.SignatureFile), text)
}
