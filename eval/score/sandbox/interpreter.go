package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// interpreter is a Python, as it describes itself.
type interpreter struct {
	// Executable is the program itself: what is called python3 may be a script of a version
	// manager, or a link.
	Executable string `json:"executable"`
	// Path is sys.path, the folders of its modules.
	Path []string `json:"path"`
	// Prefixes are where it is installed, and where the environment is that it belongs to.
	Prefixes []string `json:"prefixes"`
}

// question is answered by an interpreter outside of the sandbox.
const question = `import json, os, sys
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "path": [os.path.realpath(p) for p in sys.path],
    "prefixes": [os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)],
}))`

// find finds the interpreter of a name, or without one that of the machine.
func find(ctx context.Context, name string) (*interpreter, error) {
	if name != "" {
		p, err := ask(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("the Python interpreter %s: %w", name, err)
		}
		return p, nil
	}
	var problems []error
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		p, err := ask(ctx, name)
		if err == nil {
			return p, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("no Python interpreter answers: %w", errors.Join(problems...))
	}
	return nil, errors.New("this machine has no python3, which programs need\nhint: --python names an interpreter")
}

// ask lets an interpreter describe itself.
func ask(ctx context.Context, name string) (*interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, path, "-I", "-c", question).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			if text := strings.TrimSpace(string(exit.Stderr)); text != "" {
				lines := strings.Split(text, "\n")
				return nil, fmt.Errorf("%w: %.200s", err, lines[len(lines)-1])
			}
		}
		return nil, err
	}
	p := &interpreter{}
	if err := json.Unmarshal(out, p); err != nil || p.Executable == "" {
		return nil, fmt.Errorf("it does not say where it is, but %.100q", out)
	}
	p.Path = p.own()
	if len(p.Path) == 0 {
		return nil, errors.New("it names no folder of modules")
	}
	return p, nil
}

// own are the folders of modules that belong to the interpreter or its environment. A folder of
// the user's that somebody added stays outside.
func (p *interpreter) own() (folders []string) {
	for _, folder := range p.Path {
		st, err := os.Stat(folder)
		if err != nil || !st.IsDir() {
			continue
		}
		for _, prefix := range p.Prefixes {
			if rel, err := filepath.Rel(prefix, folder); err == nil && rel != "." && filepath.IsLocal(rel) {
				folders = append(folders, folder)
				break
			}
		}
	}
	return folders
}
