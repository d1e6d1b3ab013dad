package cli

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite licences.txt from the module cache")

// module is a module whose code is linked into the binary.
type module struct{ path, dir string }

// linkedModules asks the go command which modules the binary for goos contains.
// It fetches nothing: a build for one system leaves out what only another one
// links, so a machine that never built for goos may lack some of them, and present
// is false.
func linkedModules(t *testing.T, goos string) (modules []module, present bool) {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}{{end}}", "olmo/cmd/olmo")
	list.Env = append(os.Environ(), "GOOS="+goos, "GOPROXY=off", "GOFLAGS=-buildvcs=false")
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		if strings.Contains(stderr.String(), "module lookup disabled by GOPROXY=off") {
			return nil, false
		}
		t.Fatalf("go list for %s: %v\n%s", goos, err, stderr.String())
	}
	seen := map[module]bool{}
	for line := range strings.Lines(string(out)) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && path != "olmo" && !seen[module{path, dir}] {
			seen[module{path, dir}] = true
			modules = append(modules, module{path, dir})
		}
	}
	return modules, true
}

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// systems are those that we build for, as the go command names them.
var systems = []string{"linux", "windows", "darwin"}

// TestLicencesComplete holds licences.txt against the modules that the binary
// contains; -update writes it anew.
func TestLicencesComplete(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for the modules of three systems")
	}
	if *update {
		writeLicences(t)
	}
	for _, goos := range systems {
		t.Run(goos, func(t *testing.T) {
			modules, present := linkedModules(t, goos)
			if !present && goos == runtime.GOOS {
				t.Fatalf("the module cache lacks modules of %s, though this test was built from them", goos)
			}
			if !present {
				t.Skipf("the module cache lacks modules that only %s links; `go mod download` fetches them", goos)
			}
			for _, m := range modules {
				if !strings.Contains(licences, "\n"+m.path+": L") {
					t.Errorf("licences.txt lacks the licence of %s; run go test ./internal/cli -run Licences -update", m.path)
				}
			}
		})
	}
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(licences, strings.TrimSpace(string(own))) {
		t.Error("licences.txt lacks the text of LICENSE")
	}
}

// writeLicences writes licences.txt from the module cache, which must hold the
// modules of every system: a file without those of one would be wrong.
func writeLicences(t *testing.T) {
	t.Helper()
	dirs := map[string]string{}
	for _, goos := range systems {
		modules, present := linkedModules(t, goos)
		if !present {
			t.Fatalf("the module cache lacks modules of %s; run go mod download first", goos)
		}
		for _, m := range modules {
			dirs[m.path] = m.dir
		}
	}
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
	for _, path := range slices.Sorted(maps.Keys(dirs)) {
		files, _ := filepath.Glob(filepath.Join(dirs[path], "[LN][IO][CT]*"))
		if len(files) == 0 {
			t.Fatalf("module %s has no licence file in %s", path, dirs[path])
		}
		for _, file := range files {
			add(path+": "+filepath.Base(file), file)
		}
	}
	if err := os.WriteFile("licences.txt", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	// The tests below see the text that was embedded when they were built.
	licences = b.String()
}
