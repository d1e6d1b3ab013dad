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

// policy lists the packages from the ground up, those of a folder together. may
// names all that a package imports directly, each of which stands on an earlier
// line: there is no way around a line through what another may import. tests names
// what its tests import beside that, wherever it stands.
var policy = []struct{ pkg, may, tests string }{
	// What everything may stand on: files, hashes, numbers, settings, the record of a run.
	{pkg: "store"},
	{pkg: "proof"},
	{pkg: "proof/note", may: "proof store"},
	{pkg: "internal/pyjson", may: "store"},
	{pkg: "internal/strictjson"},
	{pkg: "internal/journal", may: "store"},
	{pkg: "tensor"},
	{pkg: "config", may: "store"},
	{pkg: "runlog", may: "internal/pyjson store"},

	// What every page looks like.
	{pkg: "page"},
	{pkg: "page/pagetest"},

	// What "the same bits" means, threads, and how much memory there is.
	{pkg: "numeric"},
	{pkg: "internal/cgroup"},
	{pkg: "internal/parallel", may: "internal/cgroup"},
	{pkg: "internal/loopback"},
	{pkg: "internal/memory", may: "internal/cgroup"},

	// Which program this is.
	{pkg: "internal/program"},

	// Files that are packed.
	{pkg: "packed/gunzip"},
	{pkg: "packed", may: "internal/memory packed/gunzip store"},

	// Tensors in files; a model as a list of operations; text as ids.
	{pkg: "weights", may: "internal/parallel internal/pyjson proof store tensor"},
	{pkg: "weights/quantised", may: "internal/parallel tensor weights"},
	{pkg: "graph", may: "numeric"},
	{pkg: "tokenizer", may: "internal/pyjson packed store"},

	// What runs a graph. The kernels are the CPU device's alone; "olmo bench" measures
	// them, too.
	{pkg: "device", may: "graph numeric tensor"},
	{pkg: "device/cpu/kernel", may: "internal/parallel numeric tensor"},
	{pkg: "device/cpu", may: "device device/cpu/kernel graph internal/parallel numeric tensor", tests: "device/devicetest"},
	{pkg: "device/cpu/kernel/gen"},
	{pkg: "device/cpu/kernel/genneon"},
	{pkg: "device/devicetest", may: "device graph"},

	// A model never knows where it runs, but in its tests.
	{pkg: "model", may: "config graph internal/parallel internal/pyjson numeric store tensor weights weights/quantised", tests: "device device/cpu device/devicetest train"},

	// Conversations.
	{pkg: "chat/jinja"},
	{pkg: "chat", may: "chat/jinja"},

	// Documents: where they lie, what a stage is, and the stages.
	{pkg: "data/charset"},
	{pkg: "data/store", may: "store", tests: "data/store/storetest"},
	{pkg: "data", may: "data/charset data/store packed store", tests: "data/store/storetest"},
	{pkg: "data/parquet", may: "data"},
	{pkg: "data/webpage", may: "data/charset"},
	{pkg: "data/convert", may: "data data/charset data/parquet data/store data/webpage packed", tests: "data/stagetest store"},
	{pkg: "data/jsonpath"},
	{pkg: "data/dedupe", may: "config data data/jsonpath data/store internal/memory page store tokenizer", tests: "page/pagetest"},
	{pkg: "data/mix", may: "data data/jsonpath data/store page", tests: "config page/pagetest"},
	{pkg: "data/fasttext", may: "internal/memory store"},
	{pkg: "data/tagger", may: "config data data/fasttext data/store tokenizer", tests: "data/mix data/stagetest data/stat store"},
	{pkg: "data/curate", may: "data data/dedupe data/mix data/store data/tagger", tests: "store"},
	{pkg: "data/stagetest", may: "store"},
	{pkg: "data/stat", may: "data data/store", tests: "data/stagetest"},
	{pkg: "data/store/storetest"},
	{pkg: "data/tokens", may: "data data/store proof store tokenizer", tests: "data/store/storetest"},
	{pkg: "data/warc", may: "data data/store data/webpage packed", tests: "data/stagetest data/tagger store"},

	// What an answer may be: a grammar over bytes, whatever it was written as.
	{pkg: "constrain", may: "tokenizer"},

	// What is drawn from logits is computed on the processor.
	{pkg: "generate", may: "device device/cpu graph internal/memory internal/parallel model numeric tensor"},

	// The trainer reaches evaluation, sampling and tokenizers through interfaces that it
	// defines, so that it can be read, tested and replaced alone.
	{pkg: "objective", may: "config internal/pyjson numeric"},
	{pkg: "train", may: "config data data/store data/tokens device graph internal/parallel internal/program internal/pyjson model numeric objective proof runlog store tensor weights", tests: "data/store/storetest device/cpu"},

	// What everything above asks of a model that runs.
	{pkg: "lm", may: "chat constrain device device/cpu generate graph internal/memory internal/pyjson model numeric page proof store tensor tokenizer train", tests: "lm/lmtest page/pagetest weights"},
	{pkg: "lm/lmtest", may: "model tensor tokenizer"},
	{pkg: "lm/rows", may: "chat data generate internal/journal internal/pyjson lm proof", tests: "lm/lmtest"},
	{pkg: "eval/data/arrow", may: "data"},
	{pkg: "eval/data", may: "config data data/parquet eval/data/arrow packed store"},
	{pkg: "eval/python"},
	{pkg: "eval/stats", may: "numeric"},
	{pkg: "eval", may: "chat config data data/store eval/data eval/python eval/stats generate internal/journal internal/pyjson lm numeric store tokenizer train", tests: "device/cpu lm/lmtest"},
	{pkg: "eval/olmes", may: "eval eval/data eval/python numeric"},
	{pkg: "eval/score/algebra"},
	{pkg: "eval/score/sandbox"},
	{pkg: "eval/score", may: "chat chat/jinja config data data/tagger eval/data eval/python eval/score/algebra eval/score/sandbox eval/stats internal/memory internal/parallel internal/pyjson numeric"},
	{pkg: "eval/taskfile", may: "chat chat/jinja config eval eval/data eval/python eval/score internal/parallel numeric", tests: "lm"},
	{pkg: "eval/endpoint", may: "chat eval eval/python internal/loopback internal/pyjson tokenizer", tests: "eval/endpoint/endpointtest lm lm/lmtest"},
	{pkg: "eval/endpoint/endpointtest"},
	{pkg: "eval/record", may: "chat/jinja config data eval eval/python internal/pyjson numeric store", tests: "eval/taskfile"},
	{pkg: "eval/compare", may: "data/dedupe eval eval/record eval/stats numeric page", tests: "page/pagetest"},
	{pkg: "eval/tasks", may: "eval eval/taskfile", tests: "eval/olmes"},
	{pkg: "convert", may: "device/cpu graph internal/parallel internal/pyjson lm model numeric store tensor tokenizer weights", tests: "lm/lmtest"},
	{pkg: "adapt", may: "chat chat/jinja config data data/parquet data/store eval/data eval/python internal/parallel internal/pyjson lm proof store tokenizer", tests: "lm/lmtest"},
	{pkg: "adapt/sample", may: "adapt chat data eval/score generate internal/journal lm numeric proof", tests: "lm/lmtest"},
	{pkg: "adapt/rollout", may: "device device/cpu eval/score generate graph internal/memory model numeric tokenizer train", tests: "lm/lmtest"},
	{pkg: "adapt/stage", may: "adapt adapt/rollout chat config convert data data/tokens device eval/score internal/pyjson model numeric objective proof runlog store tensor tokenizer train", tests: "device/cpu internal/parallel lm lm/lmtest weights"},

	// What a release says of itself, which whoever makes, checks or serves one stands on.
	{pkg: "release", may: "internal/strictjson proof store"},
	{pkg: "release/replay", may: "device/cpu internal/parallel numeric proof runlog store tensor train weights", tests: "data/tokens"},
	{pkg: "release/report", may: "config data internal/program internal/pyjson page proof runlog store weights", tests: "page/pagetest tensor"},
	{pkg: "release/signature", may: "internal/parallel internal/strictjson proof store"},
	{pkg: "release/verify", may: "config data data/tokens internal/parallel internal/pyjson model packed proof proof/note release release/signature runlog store tensor tokenizer train weights", tests: "device/cpu"},
	// A run becomes a release: the one place where all its parts come together.
	{pkg: "release/build", may: "config convert data data/store data/tokens internal/program internal/pyjson model packed proof proof/note release release/report release/signature release/verify store tensor tokenizer train weights", tests: "data/store/storetest device/cpu release/replay"},

	// A hub, in a closed room or the world's, on either side.
	{pkg: "hub/git", may: "proof"},
	{pkg: "hub/client", may: "data/store hub/git internal/loopback proof release release/signature store tensor weights", tests: "hub/client/hubtest"},
	{pkg: "hub/client/hubtest", may: "hub/git"},
	{pkg: "hub/serve", may: "hub/git internal/pyjson proof release store"},

	// Runs and releases on a page.
	{pkg: "serve", may: "chat constrain generate internal/loopback lm tokenizer", tests: "lm/lmtest"},
	{pkg: "dashboard", may: "config page proof release runlog store", tests: "page/pagetest"},

	// What an artefact is, and whether it is whole.
	{pkg: "check", may: "config data data/dedupe data/parquet data/tokens internal/pyjson model proof release release/verify runlog store tensor tokenizer train weights", tests: "lm/lmtest quickstart"},

	// Whole stories, and the command.
	{pkg: "quickstart/tasks", may: "numeric", tests: "eval/score"},
	{pkg: "quickstart", may: "adapt adapt/sample adapt/stage chat config data data/convert data/dedupe data/mix data/tagger data/tokens device device/cpu eval eval/data eval/score generate graph internal/parallel internal/pyjson lm model numeric page proof quickstart/tasks runlog store tensor tokenizer train weights", tests: "page/pagetest"},
	{pkg: "internal/cli", may: "adapt adapt/sample adapt/stage chat check config constrain convert dashboard data data/convert data/curate data/dedupe data/mix data/stat data/store data/tagger data/tokens data/warc device device/cpu device/cpu/kernel eval eval/compare eval/data eval/endpoint eval/olmes eval/record eval/score eval/score/sandbox eval/taskfile eval/tasks generate hub/client hub/serve internal/loopback internal/memory internal/parallel internal/program internal/pyjson lm lm/rows model numeric objective proof proof/note quickstart release release/build release/replay release/report release/signature release/verify runlog serve store tensor tokenizer train weights", tests: "data/store/storetest eval/endpoint/endpointtest hub/client/hubtest lm/lmtest"},
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

// whole is the folder that a package counts with: the first part of its path, but
// each package below internal/ for itself.
func whole(pkg string) string {
	if strings.HasPrefix(pkg, "internal/") {
		return pkg
	}
	folder, _, _ := strings.Cut(pkg, "/")
	return folder
}

func TestImports(t *testing.T) {
	packages := module(t)
	line := map[string]int{} // of a package, from 1
	for i, rule := range policy {
		line[rule.pkg] = i + 1
		if packages[rule.pkg] == nil {
			t.Errorf("the policy has a line for %s, which does not exist", rule.pkg)
		}
		if i > 0 && whole(rule.pkg) != whole(policy[i-1].pkg) && slices.ContainsFunc(policy[:i], func(r struct{ pkg, may, tests string }) bool { return whole(r.pkg) == whole(rule.pkg) }) {
			t.Errorf("the line of %s stands apart from those of its folder", rule.pkg)
		}
	}
	for pkg, files := range packages {
		if pkg == "." {
			continue
		}
		n := line[pkg]
		if n == 0 {
			t.Errorf("package %s has no line in the policy of deps_test.go", pkg)
			continue
		}
		may, tests := strings.Fields(policy[n-1].may), strings.Fields(policy[n-1].tests)
		code, inTests := map[string]bool{}, map[string]bool{}
		for _, s := range files {
			for _, spec := range s.file.Imports {
				to, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "olmo/")
				switch test := strings.HasSuffix(s.path, "_test.go"); {
				case !ours || test && to == pkg:
				case test:
					if inTests[to] = true; !slices.Contains(may, to) && !slices.Contains(tests, to) {
						t.Errorf("%s imports %s, which the tests of %s may not (see the policy in deps_test.go)", s.path, to, pkg)
					}
				default:
					if code[to] = true; !slices.Contains(may, to) {
						t.Errorf("%s imports %s, which %s may not (see the policy in deps_test.go)", s.path, to, pkg)
					}
				}
			}
		}
		for _, to := range may {
			switch {
			case line[to] == 0 || line[to] >= n:
				t.Errorf("the line of %s names %s, which does not stand above it", pkg, to)
			case !code[to]:
				t.Errorf("the line of %s names %s, which it does not import", pkg, to)
			}
		}
		for _, to := range tests {
			if !inTests[to] || slices.Contains(may, to) {
				t.Errorf("the line of %s names %s for its tests, which they do not need", pkg, to)
			}
		}
	}
}

// rooms are functions that one package alone calls, beside the one that has them: whoever
// wants what they make asks that package. Tests are free, and the files and folders that
// still have a way of their own.
var rooms = []struct {
	function, room, hint string
	except               []string
}{
	{"generate.New", "lm", "lm.Open or lm.New, then Generator", []string{"adapt/rollout/"}},
	{"os.CreateTemp", "store", "store.Create", nil},
	{"os.Rename", "store", "store.Create or store.CreateFolder", nil},
	{"os.Open", "store", "store.Open, which refuses pipes", []string{"data/store/s3.go", "eval/"}},
	{"os.ReadFile", "store", "store.ReadFile, which refuses pipes", []string{
		"data/store/download.go", "internal/cli/train_memory.go", "internal/memory/address_linux.go", "quickstart/chain.go", "quickstart/plan.go", "train/energy.go",
		"eval/",
	}},
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
				folder := slices.ContainsFunc(r.except, func(e string) bool { return strings.HasSuffix(e, "/") && strings.HasPrefix(s.path, e) })
				switch {
				case calls[r.function] && pkg != r.room && !except && !folder:
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
	_, table, _ := strings.Cut(string(text), "\n## Folders\n")
	var listed []string
	for line := range strings.Lines(table) {
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
