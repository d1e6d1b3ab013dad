package quickstart

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"olmo/store"
	"olmo/train"
)

// A run that becomes longer goes on from where the shorter one was the same: the rate
// rises, stays, and falls at the end, which for a longer run is later.
//
//	rate  ╱▔▔▔▔▔╲        of 400 steps: checkpoints 80, 160, 240, 320, 400
//	     ╱▔▔▔▔▔▔▔▔▔▔▔╲   of 800: goes on from 160
//
// So the weights are those of a run that was planned as long from the start, bit for bit,
// and the shorter one, finished, stands aside whole.

// asideFolder has the shorter runs.
const asideFolder = "earlier"

// asideReport is a report.json there: under another name, as the files that it lists are
// not all beside it.
const asideReport = "figures.json"

// lengthen prepares the run folder for a plan that is longer than the run that is there.
// It may be interrupted anywhere, and does nothing where nothing is to be done.
func (q *quick) lengthen(c *train.Config) error {
	run := q.runFolder()
	was, err := train.LoadConfig(filepath.Join(run, "config.yaml"), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if was.MaxDuration.Steps == c.MaxDuration.Steps {
		return nil
	}
	same := sameUntil(was, c)
	steps, err := train.Steps(run)
	if err != nil {
		return err
	}
	if err := q.putAside(was.MaxDuration.Steps); err != nil {
		return err
	}
	folder, err := store.CreateFolder(run)
	if err != nil {
		return err
	}
	defer folder.Abort()
	files, err := train.RunFiles(run)
	if err != nil {
		return err
	}
	for _, name := range append(files, "samples.jsonl") {
		// What is after the checkpoint the run cuts off.
		if err := store.Copy(filepath.Join(run, name), filepath.Join(folder.Path(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	last := ""
	for _, n := range steps {
		if n > same {
			break
		}
		last = fmt.Sprintf("step%d", n)
		if err := copyTree(filepath.Join(folder.Path(), last), filepath.Join(run, last)); err != nil {
			return err
		}
	}
	if last == "" {
		return store.RemoveFolder(run)
	}
	if err := store.Link(filepath.Join(folder.Path(), "latest"), last); err != nil {
		return err
	}
	if err := store.Copy(q.path("config", "train.yaml"), filepath.Join(folder.Path(), "config.yaml")); err != nil {
		return err
	}
	return folder.Commit()
}

// sameUntil is the last step up to which two runs, alike but for their length, have the
// same rates.
func sameUntil(a, b *train.Config) int {
	rate := func(c *train.Config, t int) float64 {
		return c.Scheduler.LearningRate(1, float64(t), float64(c.MaxDuration.Steps))
	}
	n := 0
	for n < min(a.MaxDuration.Steps, b.MaxDuration.Steps) && rate(a, n+1) == rate(b, n+1) {
		n++
	}
	return n
}

// putAside copies the run that is there, with what was made of it, to a folder named
// after its steps, and takes back the report, which is no longer that of the run. A run
// that has made no report is left: what it did is in the longer one, or of no use.
func (q *quick) putAside(steps int) error {
	report, err := store.ReadFile(q.path("report.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name := q.path(asideFolder, fmt.Sprintf("steps%d", steps))
	done := false
	for n := 2; ; n++ {
		there, err := store.ReadFile(filepath.Join(name, asideReport))
		if done = err == nil && bytes.Equal(there, report); done || errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = q.path(asideFolder, fmt.Sprintf("steps%d-%d", steps, n))
	}
	if !done {
		if err := q.copyAside(name); err != nil {
			return err
		}
		q.Print(fmt.Sprintf("the run of %d steps stands in %s", steps, name))
	}
	// report.json last: as long as it stands this is done again.
	for _, name := range []string{filepath.Join("stages", "report.json"), "report.html", "report.md"} {
		if err := store.Remove(q.path(name)); err != nil {
			return err
		}
	}
	if err := store.RemoveFolder(q.path("release")); err != nil {
		return err
	}
	return store.Remove(q.path("report.json"))
}

// beginAnew takes away a run that cannot go on: one of an earlier version of this program, or
// of what an earlier version made of the text. It is kept aside, finished or not.
func (q *quick) beginAnew(steps int) error {
	if fileExists(q.path("report.json")) {
		if err := q.putAside(steps); err != nil {
			return err
		}
	} else {
		name := q.path(asideFolder, "unfinished")
		for n := 2; ; n++ {
			if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				break
			}
			name = q.path(asideFolder, fmt.Sprintf("unfinished-%d", n))
		}
		if err := q.copyAside(name); err != nil {
			return err
		}
		q.Print(fmt.Sprintf("the unfinished run of %d steps is of an earlier version and cannot go on: it stands in %s, and training begins anew", steps, name))
	}
	return store.RemoveFolder(q.runFolder())
}

// chatAside keeps aside what an earlier version of this program has adapted, of which one stage had other
// settings, and takes away this stage and those after it. It may be interrupted anywhere.
func (q *quick) chatAside(stage string) error {
	chain, err := store.ReadFile(q.chatPath(stage, "chain.jsonl"))
	if err != nil {
		return err
	}
	name := q.path(asideFolder, "chat")
	for n := 2; ; n++ {
		there, err := store.ReadFile(filepath.Join(name, stage, "chain.jsonl"))
		if err == nil && bytes.Equal(there, chain) {
			break
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			aside, err := store.CreateFolder(name)
			if err != nil {
				return err
			}
			defer aside.Abort()
			if err := copyTree(aside.Path(), q.chatPath()); err != nil {
				return err
			}
			if err := aside.Commit(); err != nil {
				return err
			}
			break
		}
		name = q.path(asideFolder, fmt.Sprintf("chat-%d", n))
	}
	q.Print(fmt.Sprintf("chat/%s was made with other settings, by an earlier version, and cannot go on: what was adapted stands in %s, and %s begins anew", stage, name, stage))
	// The first one last: as long as it stands this is done again.
	for _, s := range slices.Backward(chatStages[slices.Index(chatStages, stage):]) {
		if err := store.RemoveFolder(q.chatPath(s)); err != nil {
			return err
		}
	}
	return nil
}

func (q *quick) copyAside(name string) error {
	aside, err := store.CreateFolder(name)
	if err != nil {
		return err
	}
	defer aside.Abort()
	for _, name := range []string{"run", "eval", "release", "chat"} {
		if err := copyTree(filepath.Join(aside.Path(), name), q.path(name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"report.html", "report.md", "report.json", funnelPage} {
		as := name
		if name == "report.json" {
			as = asideReport
		}
		if err := store.Copy(q.path(name), filepath.Join(aside.Path(), as)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return aside.Commit()
}

// copyTree copies a folder with its files and links; a missing one is no error.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(at, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := store.Linked(path)
			if err != nil {
				return err
			}
			return store.Link(at, target)
		case d.Name()[0] == '.' || !d.Type().IsRegular(): // locks
			return nil
		}
		return store.Copy(path, at)
	})
}
