package verify

import (
	"olmo/release"
	"olmo/release/signature"
)

// judgeSignature compares release.sig with the key and with the files that were read.
func (v *verifier) judgeSignature() {
	if v.release == nil {
		return
	}
	name := release.SignatureFile
	wrong := func(format string, args ...any) { v.problem(Signature, name, format, args...) }
	e := v.there[name]
	switch {
	case e == nil && v.o.Key == nil:
		v.note("not signed")
		return
	case e == nil:
		wrong("%s is missing: the release is not signed", name)
		return
	case e.odd != "":
		wrong("%s is %s, not a file", name, e.odd)
		return
	}
	if v.o.Key == nil {
		v.note("signed, not checked: no key was given")
		return
	}
	b, err := signature.Read(e.at)
	if err != nil {
		wrong("%s: %v", name, err)
		return
	}
	if err := b.Verify(v.o.Key); err != nil {
		wrong("%s: %v", name, err)
		return
	}
	for _, text := range b.Notes {
		v.note("%s: %s", name, text)
	}
	v.judgeSigned(b)
}

// judgeSigned compares the files that are signed with those that are there. What the list in release.json
// says of files that were not read is compared with the signature all the same.
func (v *verifier) judgeSigned(b *signature.Bundle) {
	var files []signature.File
	for i := range v.release.Files {
		f := v.release.Files[i]
		switch read := v.usable(f.Path); {
		case read != nil && !read.other:
			f.SHA256 = read.sum
		case v.wanted(f.Path):
			continue // what is signed is not there, whatever stands in its place
		}
		files = append(files, signature.File{Path: f.Path, SHA256: f.SHA256})
	}
	files = append(files, signature.File{Path: release.ManifestFile, SHA256: v.manifestSum})
	for _, p := range b.Compare(files) {
		v.problem(Signature, p.Path, "%s: %s", p.Path, p.Message)
	}
	if len(b.IgnorePaths) > 0 {
		v.note("%s leaves out %q, which a release signs", release.SignatureFile, b.IgnorePaths)
	}
}
