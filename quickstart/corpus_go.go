package quickstart

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"olmo/store"
)

// opticks is the text of another domain that every Go installation has.
const opticks = "src/testdata/Isaac.Newton-Opticks.txt"

// findGOROOT looks for a Go installation with sources: $GOROOT, then the one
// that the go command on the PATH belongs to. It returns "" if there is none.
// The binary itself does not know: runtime.GOROOT is empty in builds with
// -trimpath, and wrong on every machine but the one that built it.
func findGOROOT(ctx context.Context) string {
	if root := os.Getenv("GOROOT"); hasSources(root) {
		return root
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "env", "GOROOT")
	// Never fetch the toolchain that a go.mod in this folder may name.
	command.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	if out, err := command.Output(); err == nil {
		if root := strings.TrimSpace(string(out)); hasSources(root) {
			return root
		}
	}
	if program, err := exec.LookPath("go"); err == nil {
		if program, err = filepath.EvalSymlinks(program); err == nil {
			if root := filepath.Dir(filepath.Dir(program)); hasSources(root) {
				return root
			}
		}
	}
	return ""
}

func hasSources(root string) bool {
	if root == "" {
		return false
	}
	info, err := os.Stat(filepath.Join(root, "src", "fmt", "print.go"))
	return err == nil && info.Mode().IsRegular()
}

// goMetadata is the provenance of a document of the Go installation.
type goMetadata struct {
	File    string `json:"file"` // below GOROOT
	Line    int    `json:"line"` // of the first comment taken
	Package string `json:"package"`
	Go      string `json:"go"`
	License string `json:"license"`
}

// readGoInstallation takes the prose of the Go installation at root: the
// comments of every file of every package below src, one document per file,
// comments in their order with an empty line between them. Left out are
//
//   - tests, testdata, and files with the standard mark of generated code;
//   - directives such as //go:build;
//   - vendored packages that are not by the Go authors: they have licences of
//     their own.
//
// The two vendored copies of a package are one group, so that both are in the
// same split. For go1.26.8 this gives 3,519 documents of 10.48 MB to train on,
// 206 of 0.78 MB for tuning and 301 of 0.79 MB held out.
func readGoInstallation(ctx context.Context, root string, opts CorpusOptions) (*source, error) {
	version, err := goVersion(root)
	if err != nil {
		return nil, err
	}
	files, err := goFiles(root)
	if err != nil {
		return nil, err
	}
	documents := make([]document, len(files))
	var next, done atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for worker := range errs {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				if errs[worker] = ctx.Err(); errs[worker] != nil {
					return
				}
				if documents[i], errs[worker] = goDocument(root, files[i], version); errs[worker] != nil {
					return
				}
				if opts.Progress != nil {
					opts.Progress(int(done.Add(1)), len(files))
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("reading the Go installation: %w", err)
	}
	src := &source{
		language: "en", prompts: goPrompts,
		name: version + " doc comments", tag: "go", licence: "BSD-3-Clause", version: version,
		notices: []string{"The corpus is the prose of the doc comments of " + version + ", copyright The Go Authors, BSD-3-Clause."},
	}
	for _, d := range documents {
		if d.text != "" {
			src.documents = append(src.documents, d)
		}
	}
	if other := filepath.Join(root, filepath.FromSlash(opticks)); fileExists(other) {
		src.otherDomain = other
	}
	return src, nil
}

func fileExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// goVersion reads the first line of GOROOT/VERSION, such as go1.26.8.
func goVersion(root string) (string, error) {
	text, err := store.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "", fmt.Errorf("reading the Go installation: %w\nhint: set GOROOT to a complete installation, or give your own text with --docs", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}

// goFiles lists the files to read, slashed and below root, in byte order.
func goFiles(root string) ([]string, error) {
	var files []string
	fsys := os.DirFS(root)
	err := fs.WalkDir(fsys, "src", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			base := path.Base(name)
			if base == "testdata" || base[0] == '_' || base[0] == '.' {
				return fs.SkipDir
			}
			if path.Base(path.Dir(name)) == "vendor" && base != "golang.org" {
				return fs.SkipDir
			}
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the Go installation: %w", err)
	}
	return files, nil
}

// goDocument takes the comments of one file; its text is empty when the file
// has none to take.
func goDocument(root, name, version string) (document, error) {
	src, err := store.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return document{}, err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return document{}, nil // what does not parse is no part of a package
	}
	var text strings.Builder
	line := 0
	for _, group := range file.Comments {
		prose := group.Text()
		if prose == "" {
			continue
		}
		if line == 0 {
			line = fset.Position(group.Pos()).Line
		} else {
			text.WriteByte('\n')
		}
		text.WriteString(prose)
	}
	pkg := strings.TrimPrefix(path.Dir(name), "src/")
	if _, vendored, ok := strings.Cut("/"+pkg, "/vendor/"); ok {
		pkg = vendored
	}
	return document{
		id:       name,
		group:    pkg,
		text:     strings.ToValidUTF8(text.String(), "\uFFFD"),
		metadata: goMetadata{File: name, Line: line, Package: pkg, Go: version, License: "BSD-3-Clause"},
	}, nil
}
