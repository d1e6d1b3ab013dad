package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// docsToRun are the pages whose commands are run as they stand there.
var docsToRun = []string{"README.md", "docs/guide.md", "docs/evaluation.md"}

// shortened makes a page's commands quick: smaller models and fewer steps, everything else as
// it stands. A row that no command needs any more fails the test.
var shortened = [][2]string{
	{"--steps 300", "--steps 3"},
	{"--step 300", "--step 3"},
	{"--steps 100", "--steps 2"},
	{"--vocab-size 8192", "--vocab-size 512"},
	{"model.vocab_size=8192 model.embedding_size=8192", "model.vocab_size=512 model.embedding_size=512"},
	{"olmo train runs/small.yaml", "olmo train runs/small.yaml model.d_model=32 model.n_heads=2 model.n_layers=1"},
	{"--limit 100", "--limit 5"},
	{"olmo dashboard run", "olmo dashboard run --addr 127.0.0.1:0"},
}

// TestDocs runs the commands of README and guide, each page in a folder of its own that holds
// nothing but text and the repository's configs. With OLMO_DOCS=1 they run as they stand, in a copy
// of what is committed, at full length, and those that want something from outside as well; a folder OLMO_DOCS_FILES has
// what these want (checkpoints by their names) and is copied into the page's folder first.
//
// In front of an indented block stands what is to be done with it, as a comment that readers of
// the page do not see: <!-- run -->, <!-- serves --> (until it is stopped), <!-- outside: what it
// wants --> and <!-- elsewhere: where it is run -->. A block of YAML that begins with "# NAME.yaml"
// is written to that file.
func TestDocs(t *testing.T) {
	if testing.Short() {
		t.Skip("whole chains")
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("the commands are for a shell:", err)
	}
	t.Parallel()
	full := os.Getenv("OLMO_DOCS") != ""
	used := make([]bool, len(shortened))
	for _, page := range docsToRun {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("../..", page))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if full {
				runDocs(t, shell, "../..", "setup", "git archive HEAD | tar -x -C '"+dir+"'", false)
			}
			docsFolder(t, dir, strings.Contains(string(text), "olmo-quickstart") && !full)
			for _, b := range docsBlocks(t, page, string(text)) {
				if b.file != "" {
					if err := os.WriteFile(filepath.Join(dir, b.file), []byte(b.text), 0o666); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if b.kind == "elsewhere" || b.kind == "outside" && !full {
					continue
				}
				for _, command := range b.commands() {
					if !full {
						for i, row := range shortened {
							if strings.Contains(command, row[0]) {
								used[i] = true
								command = strings.ReplaceAll(command, row[0], row[1])
							}
						}
					}
					runDocs(t, shell, dir, fmt.Sprintf("%s:%d", page, b.line), command, b.kind == "serves")
				}
			}
		})
	}
	for i, row := range shortened {
		if !used[i] && !full {
			t.Errorf("no command has %q: leave the row out", row[0])
		}
	}
}

// TestReadmeVerbs wants every verb in the README's table, and docs/README.md to name every page.
func TestReadmeVerbs(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(cell, "`olmo ") {
			continue
		}
		// "`olmo data tag`, `stat`": the parent's name stands once.
		var parent string
		for i, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			name := strings.TrimPrefix(m[1], "olmo ")
			if i == 0 && strings.Contains(name, " ") {
				parent, _, _ = strings.Cut(name, " ")
				parent += " "
			} else if i == 0 && strings.Contains(cell, "` (`") {
				named[name] = true
				parent = name + " "
				continue
			} else if i > 0 {
				name = parent + name
			}
			named[name] = true
		}
	}
	for _, c := range newRootCommand().Commands() {
		names := []string{c.Name()}
		if c.Name() == "data" || c.Name() == "tokenizer" {
			names = nil
			for _, sub := range c.Commands() {
				names = append(names, c.Name()+" "+sub.Name())
			}
		} else if c.Name() == "eval" {
			for _, sub := range c.Commands() {
				names = append(names, c.Name()+" "+sub.Name())
			}
		}
		for _, name := range names {
			if !named[name] {
				t.Errorf("the README's table of verbs lacks `olmo %s`", name)
			}
		}
	}
	index, err := os.ReadFile("../../docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// docsFolder makes what the pages take for granted: the program, folders of text and the
// configs of runs; and, for pages that go on from there, what `olmo quickstart` leaves.
func docsFolder(t *testing.T, dir string, quickstart bool) {
	t.Helper()
	program, err := exec.LookPath("olmo") // by TestMain
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "olmo")); err != nil {
		t.Skip("no symbolic links:", err)
	}
	// The text is what the repository says of itself.
	for from, to := range map[string]string{"../../docs": "notes", "../../benchmarks": "heldout", "../../runs": "runs"} {
		to = filepath.Join(dir, to)
		if _, err := os.Stat(to); err == nil {
			continue // in a copy of the checkout
		}
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	first, err := os.ReadFile("../../docs/architecture.md")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "notes", "first.txt"), first, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	if given := os.Getenv("OLMO_DOCS_FILES"); given != "" {
		if err := os.CopyFS(dir, os.DirFS(given)); err != nil {
			t.Fatal(err)
		}
	}
	if quickstart {
		runDocs(t, "sh", dir, "setup", "olmo quickstart --docs notes --steps 2 --depth 1", false)
	}
}

// docsBlock is an indented block of commands, or a file (then kind is empty).
type docsBlock struct {
	kind, why  string
	file, text string
	line       int // of its first line, from 1
}

var docsMark = regexp.MustCompile(`^<!-- (run|serves|outside|elsewhere)(?:: (.*))? -->$`)

// docsBlocks finds the blocks of a page, and fails where commands are not marked.
func docsBlocks(t *testing.T, page, text string) []docsBlock {
	t.Helper()
	var blocks []docsBlock
	var mark []string // of the next block
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		begin := i
		switch m := docsMark.FindStringSubmatch(lines[i]); {
		case m != nil:
			if mark = m[1:]; (mark[0] == "outside" || mark[0] == "elsewhere") != (mark[1] != "") {
				t.Errorf("%s:%d: a reason belongs to outside and elsewhere, and to no other mark", page, i+1)
			}
		case strings.HasPrefix(lines[i], "```"):
			for i++; !strings.HasPrefix(lines[i], "```"); i++ {
			}
			body := lines[begin+1 : i]
			if name, ok := strings.CutPrefix(body[0], "# "); ok && strings.HasSuffix(name, ".yaml") {
				blocks = append(blocks, docsBlock{file: name, text: strings.Join(body, "\n") + "\n"})
			}
		case strings.HasPrefix(lines[i], "    ") && i > 0 && lines[i-1] == "":
			for i < len(lines) && strings.HasPrefix(lines[i], "    ") {
				i++
			}
			b := docsBlock{line: begin + 1}
			for _, line := range lines[begin:i] {
				b.text += line[4:] + "\n"
			}
			isCommand := regexp.MustCompile(`(?m)^(\./)?(olmo|go|curl|python3) `).MatchString(b.text)
			if isCommand && mark == nil {
				t.Errorf("%s:%d: a block of commands without <!-- run --> or another mark before it", page, begin+1)
			}
			if mark != nil {
				b.kind, b.why = mark[0], mark[1]
				blocks = append(blocks, b)
			}
			mark = nil
		case lines[i] != "" && mark != nil:
			t.Errorf("%s:%d: no block follows the mark", page, i)
			mark = nil
		}
	}
	return blocks
}

// commands splits a block into its commands; one whose quotes are open goes on in the next line.
func (b docsBlock) commands() []string {
	var out []string
	open := false
	for _, line := range strings.Split(strings.TrimSpace(b.text), "\n") {
		if open {
			out[len(out)-1] += "\n" + line
		} else {
			out = append(out, line)
		}
		if strings.Count(line, `"`)%2 == 1 {
			open = !open
		}
	}
	return out
}

// runDocs runs one command. One that serves is asked for its page and stopped.
func runDocs(t *testing.T, shell, dir, at, command string, serves bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if serves {
		command = "exec " + command // so that it is the program that is stopped
	}
	c := exec.CommandContext(ctx, shell, "-c", command)
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir)
	began := time.Now()
	if !serves {
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %s: %v\n%s", at, command, err, out)
		}
		t.Logf("%5.2f s  %s", time.Since(began).Seconds(), strings.SplitN(command, "\n", 2)[0])
		return
	}
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		t.Fatalf("%s: %s: %v", at, command, err)
	}
	done := make(chan struct{})
	go func() {
		_ = c.Wait()
		_ = w.Close()
		close(done)
	}()
	address := regexp.MustCompile(`http://[0-9a-z.:]+`)
	var said strings.Builder
	found := false
	for s := bufio.NewScanner(r); s.Scan(); {
		fmt.Fprintln(&said, s.Text())
		if url := address.FindString(s.Text()); url != "" && !found {
			found = true
			answer, err := http.Get(url)
			if err != nil {
				t.Errorf("%s: %s: %v", at, command, err)
			} else if _ = answer.Body.Close(); answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %s: %s", at, command, answer.Status)
			}
			cancel()
		}
	}
	<-done
	if !found {
		t.Errorf("%s: %s: no address in\n%s", at, command, said.String())
	}
}
