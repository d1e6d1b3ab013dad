// Package olmo_test holds the rules of the whole module: who may import whom,
// and that every package says what lives in it.
package olmo_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// policy lists the packages from the ground up. A package may import what is
// named on its line and whatever those may import. `config`, `store` and `tensor` are
// open to every package that stands on others. never beats both, for direct
// imports. Tests may import what tests names; those of package x_test also x and
// internal/golden.
var policy = []struct{ pkg, may, never, tests string }{
	// Nothing of ours.
	{pkg: "store"},
	{pkg: "tensor"},
	{pkg: "config", may: "store"},
	{pkg: "runlog", may: "store"},
	{pkg: "data/gunzip"},
	{pkg: "data", may: "data/gunzip data/store", tests: "data/store/storetest"},
	{pkg: "data/store", may: "store", tests: "data/store/storetest"},
	{pkg: "data/store/storetest"},
	{pkg: "data/stagetest", may: "store"},
	{pkg: "tokenizer", may: "store"},
	{pkg: "numeric"},
	{pkg: "internal/parallel"},
	{pkg: "internal/pjrt"},
	{pkg: "data/fasttext"},
	{pkg: "data/jsonpath"},
	{pkg: "eval/data"},

	{pkg: "weights", may: "tensor"},
	{pkg: "graph", may: "tensor numeric"},
	{pkg: "internal/golden", may: "tensor weights"},
	{pkg: "device", may: "tensor graph"},
	// The kernels are the CPU device's alone; "olmo bench" measures them, too.
	{pkg: "device/cpu/kernel", may: "numeric internal/parallel"},
	{pkg: "device/cpu/kernel/gen"},
	{pkg: "device/cpu/kernel/genneon"},
	{pkg: "device/cpu", may: "device device/cpu/kernel", tests: "device/devicetest"},
	{pkg: "device/xla", may: "device internal/pjrt", tests: "device/devicetest"},
	{pkg: "device/null", may: "device", tests: "device/devicetest"},
	{pkg: "device/devicetest", may: "device internal/golden"},

	// A model never knows where it runs.
	{pkg: "model", may: "tensor graph weights numeric internal/parallel", tests: "device device/cpu device/devicetest"},
	{pkg: "chat/jinja"},
	{pkg: "chat", may: "chat/jinja"},

	{pkg: "data/parquet", may: "data"},
	{pkg: "data/webpage"},
	{pkg: "data/warc", may: "data data/webpage", tests: "data/stagetest data/tagger"},
	{pkg: "data/convert", may: "data data/parquet data/webpage", tests: "data/stagetest"},
	{pkg: "data/tagger", may: "data data/fasttext tokenizer", tests: "data/mix data/stagetest data/stat"},
	{pkg: "data/dedupe", may: "data data/jsonpath tokenizer"},
	{pkg: "data/mix", may: "data data/jsonpath"},
	{pkg: "data/curate", may: "data/tagger data/dedupe data/mix"},
	{pkg: "data/tokens", may: "data tokenizer"},
	{pkg: "data/stat", may: "data", tests: "data/stagetest"},

	// What is drawn from logits is computed on the processor.
	{pkg: "generate", may: "tensor graph device device/cpu model tokenizer", never: "device/cpu/kernel"},
	// The trainer reaches evaluation and sampling through an interface that it
	// defines.
	{pkg: "train", may: "tensor graph device model weights data/tokens runlog numeric internal/parallel", never: "eval generate tokenizer", tests: "device/cpu data/store/storetest"},
	// What everything above asks of a model that runs.
	{pkg: "lm/lmtest", may: "tensor model tokenizer"},
	{pkg: "lm", may: "device/cpu device graph model weights tokenizer chat generate train internal/parallel", never: "device/cpu/kernel", tests: "lm/lmtest"},
	{pkg: "eval", may: "lm model tokenizer train data data/store eval/data", never: "device/cpu/kernel", tests: "lm/lmtest"},
	{pkg: "convert", may: "device/cpu lm model numeric tokenizer weights", never: "device/cpu/kernel"},
	// What an artefact is, and whether it is whole: release and verify speak of problems as
	// it does.
	{pkg: "check", may: "data data/tokens data/dedupe data/parquet config model tensor tokenizer weights store runlog train", tests: "lm/lmtest quickstart"},
	{pkg: "adapt", may: "train generate eval chat model tokenizer data"},
	{pkg: "serve", may: "generate chat"},
	{pkg: "hub", may: "weights model tokenizer runlog"},
	{pkg: "release", may: "check hub train data/tokens runlog"},

	{pkg: "science/infinigram", may: "data/tokens tokenizer"},
	{pkg: "science/wimbd", may: "data tokenizer"},
	{pkg: "science/lens", may: "model graph device"},
	{pkg: "science/ladder", may: "runlog"},
	{pkg: "dashboard", may: "runlog release science/infinigram"},

	{pkg: "quickstart", may: "*", never: "internal/cli device/cpu/kernel"},
	{pkg: "internal/cli", may: "*"},
	{pkg: "cmd/olmo", may: "internal/cli"},
}

// source is one Go file of the module.
type source struct {
	path string // slashed, from the module's root
	file *ast.File
}

// module reads the imports and package docs of every file, whatever its build
// tags, by package folder.
func module(t *testing.T) map[string][]source {
	t.Helper()
	packages := map[string][]source{}
	fset := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name == "." {
				return nil
			}
			_, err := os.Stat(filepath.Join(filepath.FromSlash(name), "go.mod"))
			if base == "testdata" || base[0] == '.' || base[0] == '_' || err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) == ".go" && base[0] != '.' && base[0] != '_' {
			f, err := parser.ParseFile(fset, filepath.FromSlash(name), nil, parser.ImportsOnly|parser.ParseComments)
			if err != nil {
				return err
			}
			packages[path.Dir(name)] = append(packages[path.Dir(name)], source{name, f})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// reach is the set of packages that pkg may import by the policy's `may`.
func reach(pkg string, seen map[string]bool) map[string]bool {
	for _, rule := range policy {
		if rule.pkg != pkg || rule.may == "" {
			continue
		}
		seen["config"], seen["store"], seen["tensor"] = true, true, true
		for _, to := range strings.Fields(rule.may) {
			if !seen[to] {
				seen[to] = true
				reach(to, seen)
			}
		}
	}
	return seen
}

func TestImports(t *testing.T) {
	listed := map[string]bool{}
	never, tests := map[string][]string{}, map[string][]string{}
	for _, rule := range policy {
		listed[rule.pkg] = true
		never[rule.pkg] = strings.Fields(rule.never)
		tests[rule.pkg] = strings.Fields(rule.tests)
	}
	for pkg, files := range module(t) {
		if pkg == "." {
			continue
		}
		if !listed[pkg] {
			t.Errorf("package %s has no line in the policy of deps_test.go", pkg)
			continue
		}
		allowed := reach(pkg, map[string]bool{})
		for _, s := range files {
			for _, spec := range s.file.Imports {
				to, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "olmo/")
				external := strings.HasSuffix(s.file.Name.Name, "_test")
				if !ours || external && (to == pkg || to == "internal/golden") || strings.HasSuffix(s.path, "_test.go") && slices.Contains(tests[pkg], to) {
					continue
				}
				if !allowed[to] && !allowed["*"] || slices.Contains(never[pkg], to) || to == pkg {
					t.Errorf("%s imports %s, which %s may not (see the policy in deps_test.go)", s.path, to, pkg)
				}
			}
		}
	}
}

// rooms are functions that one package alone calls, beside the one that has them: whoever
// wants what they make asks that package. Tests are free, and the files that still have
// a way of their own.
var rooms = []struct {
	function, room, hint string
	except               []string
}{
	{"generate.New", "lm", "lm.Open or lm.New, then Generator", nil},
	{"eval.Choose", "eval", "eval.Run", nil},
	{"eval.BitsPerByte", "eval", "eval.Run", nil},
	{"os.CreateTemp", "store", "store.Create", nil},
	{"os.Rename", "store", "store.Create or store.CreateFolder", nil},
}

// TestRooms: what has a room of its own is not built anew outside of it.
func TestRooms(t *testing.T) {
	fset := token.NewFileSet()
	for pkg, files := range module(t) {
		for _, s := range files {
			if strings.HasSuffix(s.path, "_test.go") || s.file.Name.Name == "stagetest" {
				continue
			}
			f, err := parser.ParseFile(fset, filepath.FromSlash(s.path), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			calls := map[string]bool{}
			ast.Inspect(f, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok {
						calls[x.Name+"."+sel.Sel.Name] = true
					}
				}
				return true
			})
			for _, r := range rooms {
				except := slices.Contains(r.except, s.path)
				switch {
				case calls[r.function] && pkg != r.room && !except:
					t.Errorf("%s uses %s, which belongs to %s\nhint: %s", s.path, r.function, r.room, r.hint)
				case except && !calls[r.function]:
					t.Errorf("%s no longer calls %s: take it off the exceptions of TestRooms", s.path, r.function)
				}
			}
		}
	}
}

// TestReadmeFolders wants every folder of the module in the README's table, and
// nothing there that does not exist.
func TestReadmeFolders(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			folder, _, _ := strings.Cut(rest, "/` |")
			listed = append(listed, folder)
			if info, err := os.Stat(filepath.FromSlash(folder)); err != nil || !info.IsDir() {
				t.Errorf("the README lists %s, which does not exist", folder)
			}
		}
	}
	for pkg := range module(t) {
		if pkg == "." {
			continue
		}
		// A folder stands for those below it, but internal/ for none.
		if !slices.ContainsFunc(listed, func(folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }) {
			t.Errorf("the README does not list %s", pkg)
		}
	}
}

// TestPackageDocs wants every package to open with one sentence that says what
// lives in it, in exactly one of its files.
func TestPackageDocs(t *testing.T) {
	for pkg, files := range module(t) {
		if base := path.Base(pkg); base == "util" || base == "common" || base == "helpers" {
			t.Errorf("package %s: the name says nothing about what lives there", pkg)
		}
		var docs []string
		name, tests := "", true
		for _, s := range files {
			if strings.HasSuffix(s.path, "_test.go") && pkg != "." {
				continue
			}
			tests = false
			name = s.file.Name.Name
			if s.file.Doc != nil {
				docs = append(docs, s.file.Doc.Text())
			}
		}
		if tests {
			continue
		}
		if len(docs) != 1 {
			t.Errorf("package %s has %d package comments, want one", pkg, len(docs))
			continue
		}
		sentence := new(doc.Package).Synopsis(docs[0])
		opening := "Package " + name + " "
		if name == "main" && pkg != "cmd/olmo" {
			opening = "Command " + path.Base(pkg) + " "
		}
		if !strings.HasPrefix(sentence, opening) || !strings.HasSuffix(sentence, ".") {
			t.Errorf("package %s opens with %q, want a sentence that begins with %q", pkg, sentence, opening)
		}
	}
}

// TestKernels wants the kernels to be the CPU device's alone, which answers for their bits, but for
// "olmo bench", which measures them.
func TestKernels(t *testing.T) {
	for pkg, files := range module(t) {
		if pkg == "device/cpu" || strings.HasPrefix(pkg, "device/cpu/kernel") {
			continue
		}
		for _, s := range files {
			if s.path == "internal/cli/bench.go" {
				continue
			}
			for _, spec := range s.file.Imports {
				if spec.Path.Value == `"olmo/device/cpu/kernel"` {
					t.Errorf("%s imports the kernels; device/cpu has what others need of them", s.path)
				}
			}
		}
	}
}
