// Package program says which program this is, so that whoever has its source can hold it
// against what the program says of itself.
package program

import (
	"runtime"
	"runtime/debug"
)

// Version is the release that this source becomes; CHANGELOG.md has its entry.
const Version = "0.1.0"

// Build is the record of a build: what it was made of, and nothing of where it was made or for
// which machine, so that the same source makes the same record.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`           // empty when the build knew no version control
	Modified bool   `json:"modified,omitempty"` // the source was not that of the revision
	Go       string `json:"go"`                 // with whose standard library
	// Modules are the others that are linked in, in byte order of their paths. Which they are
	// may differ between operating systems.
	Modules []Module `json:"modules"`
}

// Module is a module with its hash as go.sum has it, which is empty where the build took a
// folder in place of it.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"`
}

// Read returns what the linker recorded of this program.
func Read() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return of(info)
}

func of(info *debug.BuildInfo) Build {
	b := Build{Version: Version, Go: runtime.Version(), Modules: []Module{}}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, d := range info.Deps {
		m := Module{d.Path, d.Version, d.Sum}
		if r := d.Replace; r != nil {
			// The path of a folder is the machine's own.
			if m.Version, m.Sum = r.Version, r.Sum; r.Version != "" {
				m.Path = r.Path
			}
		}
		b.Modules = append(b.Modules, m)
	}
	return b
}

// String names the program in a few words: olmo 0.1.0 (REVISION).
func (b Build) String() string {
	text := "olmo " + b.Version
	switch {
	case b.Revision != "" && b.Modified:
		text += " (" + b.Revision + ", modified)"
	case b.Revision != "":
		text += " (" + b.Revision + ")"
	}
	return text
}
