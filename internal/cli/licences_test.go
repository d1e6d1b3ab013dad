package cli

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite licences.txt from the module cache")

// module is a module whose code is linked into the binary.
type module struct{ path, dir string }

// linkedModules asks the go command, which has the modules already since this
// test was built from them.
func linkedModules(t *testing.T) []module {
	t.Helper()
	dirs := map[string]string{}
	for _, goos := range []string{"linux", "windows", "darwin"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}{{end}}", "olmo/cmd/olmo")
		list.Env = append(os.Environ(), "GOOS="+goos, "GOPROXY=off", "GOFLAGS=-buildvcs=false")
		out, err := list.CombinedOutput()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && path != "olmo" {
				dirs[path] = dir
			}
		}
	}
	var modules []module
	for path, dir := range dirs {
		modules = append(modules, module{path, dir})
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return modules
}

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestLicencesComplete holds licences.txt against the modules that the binary
// contains; -update writes it anew.
func TestLicencesComplete(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for the modules of three systems")
	}
	modules := linkedModules(t)
	if *update {
		var b strings.Builder
		add := func(name, file string) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(licenceHeading(name))
			b.WriteString(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")) + "\n\n")
		}
		add("olmo", "../../LICENSE")
		add("The Go standard library and runtime", filepath.Join(goroot(t), "LICENSE"))
		for _, m := range modules {
			files, _ := filepath.Glob(filepath.Join(m.dir, "[LN][IO][CT]*"))
			if len(files) == 0 {
				t.Fatalf("module %s has no licence file in %s", m.path, m.dir)
			}
			for _, file := range files {
				add(m.path+": "+filepath.Base(file), file)
			}
		}
		if err := os.WriteFile("licences.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, m := range modules {
		if !strings.Contains(licences, "\n"+m.path+": L") {
			t.Errorf("licences.txt lacks the licence of %s; run go test ./internal/cli -run Licences -update", m.path)
		}
	}
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(licences, strings.TrimSpace(string(own))) {
		t.Error("licences.txt lacks the text of LICENSE")
	}
}
