package train_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/train"
)

// here is the package's folder, for tests that go elsewhere.
var here, _ = os.Getwd()

// home makes a folder with a config and its data in cfg/ and trains there, from the
// folder itself, into run/.
func home(t *testing.T, overrides ...string) string {
	t.Helper()
	root := t.TempDir()
	for name, from := range map[string]string{"cfg/tiny.yaml": tiny, "cfg/text.txt": filepath.Join("testdata", "text.txt")} {
		text, err := os.ReadFile(filepath.Join(here, from))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	trainHere(t, filepath.Join("cfg", "tiny.yaml"), append([]string{"save_folder=run", "max_duration=2", "stop_at=2"}, overrides...)...)
	return root
}

func trainHere(t *testing.T, config string, overrides ...string) {
	t.Helper()
	cfg, err := train.LoadConfig(config, overrides)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(cfg, dev, train.Options{ConfigPath: config})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestRunFoundFromAnywhere: the data of a run is found from its own folder, wherever
// that lies now and wherever one stands, and a copy reads its own.
func TestRunFoundFromAnywhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("with links")
	}
	root := home(t)
	for _, c := range []struct {
		name string
		move string // what happens to the tree, which is called here/
		from string // the current folder then
		run  string // by this name
		want string // the data that is read
	}{
		{"where it was made", ":", "here", "run", "here/cfg/text.txt"},
		{"its config itself", ":", "here", "run/config.yaml", "here/cfg/text.txt"},
		{"a checkpoint", ":", "here", "run/step2", "here/cfg/text.txt"},
		{"the latest one", ":", "here", "run/latest/config.yaml", "here/cfg/text.txt"},
		{"from another folder", ":", "else", "../here/run", "here/cfg/text.txt"},
		{"from within", ":", "here/run", ".", "here/cfg/text.txt"},
		{"moved", "mv here there", "else", "../there/run", "there/cfg/text.txt"},
		{"copied beside the original", "cp -r here there", "here", "../there/run", "there/cfg/text.txt"},
		{"the original from a copy", "cp -r here there", "there", "../here/run", "here/cfg/text.txt"},
		{"through a link to the run", "ln -s ../here/run else/link", "else", "link", "here/cfg/text.txt"},
		{"through a link to all", "ln -s here there", "else", "../there/run", "here/cfg/text.txt"},
		{"the run on another disk", "mv here/run disk && ln -s ../disk here/run", "else", "../here/run", "here/cfg/text.txt"},
		{"the run alone moved, from where it was made", "mkdir -p far/off && mv here/run far/off/run", "here/cfg", "../../far/off/run", "here/cfg/text.txt"},
		{"the run alone moved, from the folder of the start", "mkdir far && mv here/run far/run && rm here/cfg/tiny.yaml", "here", "../far/run", "here/cfg/text.txt"},
		{"a config that was copied out", "cp -r here there && cp there/run/config.yaml else/c.yaml", "else", "c.yaml save_folder=../there/run", "there/cfg/text.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := t.TempDir()
			shell(t, all, "mkdir else && cp -r "+root+" here && "+c.move)
			t.Chdir(filepath.Join(all, filepath.FromSlash(c.from)))
			words := strings.Fields(c.run)
			cfg, err := train.LoadRun(words[0], words[1:])
			if err != nil {
				t.Fatal(err)
			}
			s, err := cfg.StepData(1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := filepath.EvalSymlinks(s.Instances[0].File)
			if err == nil {
				got, err = filepath.Abs(got)
			}
			want, _ := filepath.EvalSymlinks(filepath.Join(all, filepath.FromSlash(c.want)))
			if err != nil || got != want {
				t.Errorf("it reads %s (%v), want %s", got, err, want)
			}
		})
	}
}

func shell(t *testing.T, dir, script string) {
	t.Helper()
	c := exec.Command("sh", "-c", script)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// TestRunConfigIsPortable: config.yaml says what was given, ways that start at the
// run, and nothing of where all this lies; so it is the same on every machine, and in
// each checkpoint the same.
func TestRunConfigIsPortable(t *testing.T) {
	var texts []string
	for range 2 {
		root := home(t, "evaluators=[{label: x, data: {paths: [text.txt], memmap_dtype: uint8, drop_last: true}}]")
		for _, name := range []string{"config.yaml", "step2/config.yaml"} {
			text, err := os.ReadFile(filepath.Join(root, "run", filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
			if strings.Contains(string(text), filepath.ToSlash(root)) {
				t.Errorf("%s names the folder %s", name, root)
			}
		}
	}
	for i, text := range texts {
		if text != texts[0] {
			t.Errorf("text %d differs", i)
		}
	}
	for _, line := range []string{"  paths: [text.txt]\n", "\ninputs:\n  text.txt: ../cfg/text.txt\n"} {
		if !strings.Contains(texts[0], line) {
			t.Errorf("no %q in\n%s", line, texts[0])
		}
	}
}

// TestMovedRunTrains: a run that was copied goes on with its own data, to the bit, from
// another current folder, and leaves the original alone.
func TestMovedRunTrains(t *testing.T) {
	root := home(t)
	whole := filepath.Join(t.TempDir(), "whole")
	trainHere(t, filepath.Join("cfg", "tiny.yaml"), "save_folder="+whole, "max_duration=4", "stop_at=4")
	all := t.TempDir()
	shell(t, all, "cp -r "+root+" copy && cp copy/run/config.yaml go-on.yaml && : > "+filepath.Join(root, "cfg", "text.txt"))
	t.Chdir(all)
	trainHere(t, "go-on.yaml", "save_folder=copy/run", "try_load_latest_save=true", "accept_changes=true", "max_duration=4", "stop_at=4")
	for _, name := range []string{"model.safetensors", "optim.safetensors"} {
		want, err1 := os.ReadFile(filepath.Join(whole, "step4", name))
		got, err2 := os.ReadFile(filepath.Join(all, "copy", "run", "step4", name))
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%s differs from that of a run in one place (%v, %v)", name, err1, err2)
		}
	}
	if steps, err := train.Steps(filepath.Join(root, "run")); err != nil || len(steps) != 2 {
		t.Errorf("the original has steps %v, %v", steps, err)
	}
	if _, err := train.LoadRun(filepath.Join(all, "copy", "cfg"), nil); err == nil || !strings.Contains(err.Error(), "is no run") {
		t.Errorf("a folder without a run: %v", err)
	}
}
