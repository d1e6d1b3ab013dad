// Command mutate asks how much the tests of a package notice: it changes one place of
// the package at a time, in an overlay, and runs them. docs/testing.md has its results.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var (
	count = flag.Int("n", 20, "`number` of mutants of each package; those that do not compile are not counted")
	seed  = flag.Uint64("seed", 12, "of the sample")
	short = flag.Bool("short", true, "run the tests with -short")
	match = flag.String("match", "", "all mutants whose file:line:column:kind matches this `expression`, in place of a sample")
	again = flag.String("again", "", "only those that survived in this `file`, an earlier output")
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: cd internal/tools && go run ./mutate [flags] ./PACKAGE…")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	for _, name := range []string{"OLMO_GOLDEN", "OLMO_SMOLLM2"} {
		check(os.Unsetenv(name))
	}
	// What is compiled does not then depend on where the copy lies.
	check(os.Setenv("GOFLAGS", "-buildvcs=false -trimpath"))
	tmp, err := os.MkdirTemp("", "mutate")
	check(err)
	defer os.RemoveAll(tmp)
	// The tests run in a copy, so that nothing lies beside it.
	root := filepath.Join(tmp, "copy", "olmo")
	check(copyTree("../..", root))
	// A mutant may remove the parent of what it should: let that be ours too.
	check(os.MkdirAll(filepath.Join(tmp, "a", "b", "c"), 0o777))
	check(os.Setenv("TMPDIR", filepath.Join(tmp, "a", "b", "c")))
	t := tester{root: root, tmp: tmp}
	for _, pkg := range flag.Args() {
		t.sample(pkg)
	}
}

// copyTree copies what git would commit.
func copyTree(from, to string) error {
	list, err := exec.Command("git", "-C", from, "ls-files", "-zco", "--exclude-standard", "--deduplicate").Output()
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			continue // a file that was removed, or a link to a folder
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o777); err != nil {
			return err
		}
	}
	return nil
}

// tester runs the tests of the module at root; tmp is its own folder.
type tester struct{ root, tmp string }

// sample tries mutants of a package and prints what became of each.
func (t tester) sample(pkg string) {
	begin := time.Now()
	out, ok, _ := t.run(pkg, "", 10*time.Minute)
	if !ok {
		fmt.Printf("%s: the tests fail as they are:\n%s\n", pkg, out)
		return
	}
	limit := max(20*time.Second, 3*time.Since(begin))
	all := sites(t.root, pkg)
	h := fnv.New64a()
	h.Write([]byte(strings.Trim(pkg, "./")))
	r := rand.New(rand.NewPCG(*seed, h.Sum64()))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	chosen := chosenOf()
	killed, alive, stillborn := 0, 0, 0
	for _, m := range all {
		if chosen != nil && !chosen(m.id()) {
			continue
		}
		if chosen == nil && killed+alive >= *count {
			break
		}
		src, err := os.ReadFile(filepath.Join(t.root, m.file))
		check(err)
		mutated := string(src[:m.from]) + m.text + string(src[m.to:])
		switch _, ok, built := t.run(pkg, t.overlay(m.file, mutated), limit); {
		case !built:
			stillborn++
		case !ok:
			killed++
			fmt.Println("killed  ", m.id())
		default:
			alive++
			fmt.Println("SURVIVED", m.id())
			show(string(src), mutated, m)
		}
	}
	fmt.Printf("%s: %d of %d killed (%d did not compile; %d places)\n", pkg, killed, killed+alive, stillborn, len(all))
}

// chosenOf is the choice of -match and -again, nil for a sample.
func chosenOf() func(id string) bool {
	switch {
	case *match != "":
		return regexp.MustCompile(*match).MatchString
	case *again != "":
		text, err := os.ReadFile(*again)
		check(err)
		ids := map[string]bool{}
		for line := range strings.Lines(string(text)) {
			if id, ok := strings.CutPrefix(line, "SURVIVED "); ok {
				ids[strings.TrimSpace(id)] = true
			}
		}
		return func(id string) bool { return ids[id] }
	}
	return nil
}

// overlay writes the go command's -overlay for one changed file.
func (t tester) overlay(file, text string) string {
	changed, path := filepath.Join(t.tmp, "mutant.go"), filepath.Join(t.tmp, "overlay.json")
	check(os.WriteFile(changed, []byte(text), 0o666))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(t.root, file): changed}})
	check(err)
	check(os.WriteFile(path, overlay, 0o666))
	return path
}

// run runs the package's tests; built is false for what does not compile.
func (t tester) run(pkg, overlay string, limit time.Duration) (out string, ok, built bool) {
	args := []string{"test", "-count=1", "-p=1", "-vet=off", "-failfast", "-timeout=" + limit.String()}
	if *short {
		args = append(args, "-short")
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	// A mutant may ask for all memory or fill the disk.
	if _, err := exec.LookPath("prlimit"); err == nil {
		args = append(args, "-exec=prlimit --as=24000000000 --fsize=2000000000")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit+2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = t.root
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	out = b.String()
	return out, err == nil, !strings.Contains(out, "[build failed]") && !strings.Contains(out, "[setup failed]")
}

// show prints the changed lines.
func show(src, mutated string, m mutant) {
	begin, end := strings.LastIndexByte(src[:m.from], '\n')+1, len(src)
	if i := strings.IndexByte(src[m.to:], '\n'); i >= 0 {
		end = m.to + i
	}
	for l := range strings.Lines(src[begin:end]) {
		fmt.Println("  -", strings.TrimSpace(l))
	}
	for l := range strings.Lines(mutated[begin : end+len(mutated)-len(src)]) {
		fmt.Println("  +", strings.TrimSpace(l))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}
