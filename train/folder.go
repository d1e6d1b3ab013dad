package train

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"olmo/config"
	"olmo/runlog"
	"olmo/store"
)

// claim takes the lock on save_folder, which is held until leave: two runs in one
// folder would remove each other's checkpoints. Who only reads needs none.
func (t *Trainer) claim() error {
	lock, err := store.AcquireIn(t.cfg.SaveFolder)
	if err != nil {
		return fmt.Errorf("save_folder: %w", err)
	}
	t.lock = lock
	return nil
}

// leave gives save_folder back when nothing will be written there any more.
func (t *Trainer) leave() error {
	var err error
	if t.indices != nil {
		err = t.indices.flush()
	}
	t.lock.Release()
	t.lock = nil
	return err
}

// clash refuses a save_folder in which the run would write over what it reads: a file
// that bears the name of an output, or a checkpoint of the earlier run there, whose
// steps a new run replaces one after the other.
func (t *Trainer) clash() error {
	var inputs, files, folders []string
	for _, p := range t.cfg.inputs() {
		inputs = append(inputs, *p)
	}
	if latest, err := Latest(t.cfg.LoadPath); err == nil {
		inputs = append(inputs, latest) // of a run folder
	}
	dir := t.cfg.SaveFolder
	if same(dir, t.cfg.InitWeights) {
		return fmt.Errorf("save_folder %s is the folder of the model that the run starts from\nhint: set save_folder to another folder", dir)
	}
	if a := t.cfg.Adapter; a != nil && same(dir, a.InitWeights) {
		return fmt.Errorf("save_folder %s is the folder of the adapter that the run starts from\nhint: set save_folder to another folder", dir)
	}
	for _, name := range []string{configFile, logFile, chainFile, tensorsFile, recipeFile, "samples.jsonl", rolloutsFile, "metrics.csv", "train_data/global_indices.npy"} {
		files = append(files, filepath.Join(dir, filepath.FromSlash(name)))
	}
	// As a link, latest is replaced and what it leads to stays: a run may be loaded from
	// there and go on.
	if latest := filepath.Join(dir, "latest"); isRegular(latest) {
		files = append(files, latest)
	}
	for r := range t.cfg.ranks() {
		files = append(files, filepath.Join(dir, "data-indices", fmt.Sprintf("rank%d.tsv.gz", r)))
	}
	if !t.continues() {
		steps, err := Steps(dir)
		if err != nil {
			return err
		}
		for _, n := range steps {
			folders = append(folders, filepath.Join(dir, fmt.Sprintf("step%d", n)))
		}
	}
	if err := store.Clash(inputs, files, folders); err != nil {
		return fmt.Errorf("save_folder: %w", err)
	}
	return nil
}

// releaseOf is the folder of the release in which a folder lies, empty for none.
func releaseOf(dir string) string {
	full, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for up := full; ; up = filepath.Dir(up) {
		if exists(filepath.Join(up, "release.json")) && exists(filepath.Join(up, "train", chainFile)) {
			return up
		}
		if up == filepath.Dir(up) {
			return ""
		}
	}
}

func isRegular(name string) bool {
	st, err := os.Lstat(name)
	return err == nil && st.Mode().IsRegular()
}

// prepareFolder makes the run's folder, writes its config and data order, and opens
// the log.
func (t *Trainer) prepareFolder(ctx context.Context) error {
	dir := t.cfg.SaveFolder
	if release := releaseOf(dir); release != "" {
		return fmt.Errorf("save_folder %s lies in the release %s, which nothing may be added to\nhint: set save_folder to a folder beside it", dir, release)
	}
	if err := t.claim(); err != nil {
		return err
	}
	if err := t.lock.Unlocked(); err != nil {
		t.opt.Warn(err.Error())
	}
	path := filepath.Join(dir, "config.yaml")
	if same(path, t.opt.ConfigPath) {
		return fmt.Errorf("the run would write its config over %s\nhint: set save_folder to another folder; to continue the run, copy the config out of its folder first", t.opt.ConfigPath)
	}
	if exists(path) && !t.cfg.SaveOverwrite && !t.cfg.TryLoadLatestSave && !t.continues() {
		return fmt.Errorf("%s exists: the folder holds a run\nhint: try_load_latest_save=true continues it, save_overwrite=true starts anew, save_folder=DIR goes elsewhere", path)
	}
	if err := t.clash(); err != nil {
		return err
	}
	kept, err := t.sameChain(ctx)
	if err != nil {
		return err
	}
	if err := t.checkpoints.open(t); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.opt.Files)) {
		if err := store.WriteFile(filepath.Join(dir, name), t.opt.Files[name]); err != nil {
			return err
		}
	}
	t.written = t.cfg.asGiven()
	if err := config.Write(path, t.written); err != nil {
		return err
	}
	if err := t.writeOrder(); err != nil {
		return err
	}
	if t.cfg.RemoteSaveFolder != "" {
		var err error
		if t.uploads, err = openUploads(t.cfg, t.cfg.SaveOverwrite || t.continues(), t.opt.Warn); err != nil {
			return err
		}
	}
	step := t.state.Step
	if !t.resumed {
		step = 0
	}
	path = filepath.Join(dir, logFile)
	if err := t.openChain(kept); err != nil {
		return err
	}
	if t.cfg.SaveDataIndices {
		if t.indices, err = openIndices(filepath.Join(dir, "data-indices"), t.cfg.ranks(), step); err != nil {
			return err
		}
	}
	if t.log, err = runlog.Open(path, step); err != nil {
		return err
	}
	if err := t.mendLog(step); err != nil {
		return err
	}
	if t.opt.Sample != nil {
		if t.texts, err = runlog.Open(filepath.Join(dir, "samples.jsonl"), step); err != nil {
			return err
		}
	}
	if r := t.cfg.Rollouts; r != nil && r.SaveTraces {
		if t.traces, err = runlog.Open(filepath.Join(dir, rolloutsFile), step); err != nil {
			return err
		}
	}
	if t.cfg.TensorBoard {
		if t.events, err = runlog.OpenTensorBoard(filepath.Join(dir, "tensorboard"), step+1, time.Now()); err != nil {
			return err
		}
	}
	return t.speed.resume(path)
}

// mendLog gives a log that has lost the step at which the run goes on, as a torn last
// line does, that step's record from the checkpoint.
func (t *Trainer) mendLog(step int) error {
	if !t.continues() || step == 0 || t.state.Unjudged != nil {
		return nil
	}
	last := t.log.Last()
	rec := t.state.Record
	if text := t.lost.Log; text != "" {
		if r, err := runlog.Parse([]byte(text)); err == nil {
			rec = r
		}
	}
	switch {
	case last >= step:
		return nil
	case rec == nil || last < step-1:
		t.opt.Warn(fmt.Sprintf("%s ends at step %d, the checkpoint is of step %d: the curve has a gap", filepath.Join(t.cfg.SaveFolder, logFile), last, step))
	}
	if rec == nil {
		return nil
	}
	return t.log.Append(rec)
}

// same reports whether two names lead to one file.
func same(a, b string) bool {
	if b == "" {
		return false
	}
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}
