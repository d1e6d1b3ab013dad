package check

import (
	"fmt"
	"path/filepath"

	"olmo/release"
	"olmo/release/verify"
)

// isRelease knows what 'olmo release' has made. (A quickstart's folder release is a model.)
func isRelease(p *place) bool { return p.dir && p.names[release.ManifestFile] }

// releaseFolder checks a release as package verify does.
func (c *checker) releaseFolder(path string) {
	r, err := verify.Folder(c.ctx, path, verify.Options{Progress: func(done, _ int64) { c.progress(done) }})
	if err != nil {
		if c.ctx.Err() == nil {
			c.damage(path, err)
		}
		return
	}
	for _, p := range r.Problems {
		to := c.problem(Kind(p.Kind), filepath.Join(path, filepath.FromSlash(p.Path)), "%s", p.Message)
		to.Key, to.Step, to.Tensor, to.Document, to.IsStep = p.Key, p.Step, p.Tensor, p.Document, p.IsStep
	}
	for _, text := range r.Notes {
		c.note(path, "%s", text)
	}
	n := &c.report.Checked
	n.Files += r.Checked.Files
	n.Bytes += r.Checked.Bytes
	n.Documents += r.Checked.Documents
	n.Checkpoints += r.Checked.Checkpoints
}

// describeRelease says what a release holds, as its release.json does.
func describeRelease(path string) (*Description, error) {
	m, err := release.Open(path)
	if err != nil {
		return nil, err
	}
	var bytes int64
	for i := range m.Files {
		bytes += m.Files[i].Size
	}
	d := &Description{Path: path, Kind: "release"}
	d.add("name", m.Name)
	d.add("steps", m.Run.Steps)
	d.add("tokens trained on", m.Run.Tokens)
	d.add("models", len(m.Revisions))
	if m.Data.DocumentsRoot != nil {
		d.add("documents", m.Data.Documents)
		d.add("tokens", m.Data.Tokens)
	}
	d.add("files", fmt.Sprintf("%d, %d bytes", len(m.Files), bytes))
	if n := len(m.LeftOut); n > 0 {
		d.add("left out", fmt.Sprintf("%d files", n))
	}
	d.add("end of the chain", m.Run.ChainHead.String())
	d.add("program", m.Program)
	if exists(filepath.Join(path, release.SignatureFile)) {
		d.add("signed", "yes; 'olmo verify --key' says by whom")
	}
	return d, nil
}
