package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"olmo/data/store"
)

// uploads copies a run's checkpoints to remote_save_folder while training goes on. What fails is
// tried again with the next checkpoint and at the end.
type uploads struct {
	folder    string
	overwrite bool
	warn      func(string)

	mu      sync.Mutex
	wait    sync.WaitGroup
	running bool
	pending []string // folders of this machine
	failed  []string
	last    error // of the failed ones
}

// openUploads shows whether the remote folder can be written, by the run's config.
func openUploads(c *Config, overwrite bool, warn func(string)) (*uploads, error) {
	u := &uploads{folder: strings.TrimRight(c.RemoteSaveFolder, "/"), overwrite: overwrite, warn: warn}
	scheme, _, isAddress := strings.Cut(u.folder, "://")
	fail := func(err error) error {
		return fmt.Errorf("remote_save_folder %s: %w\nhint: remote_save_folder=null keeps checkpoints in save_folder only", u.folder, err)
	}
	if isAddress && !store.Remote(u.folder) {
		return nil, fail(fmt.Errorf("addresses of kind %s:// are not supported, s3:// and gs:// are", scheme))
	}
	if err := u.copy(filepath.Join(c.SaveFolder, configFile), store.Join(u.folder, configFile)); err != nil {
		return nil, fail(err)
	}
	return u, nil
}

// add uploads a checkpoint, after those that wait or failed.
func (u *uploads) add(dir string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending = append(append(u.failed, u.pending...), dir)
	u.failed = nil
	if !u.running {
		u.running = true
		u.wait.Go(u.work)
	}
}

func (u *uploads) work() {
	for {
		u.mu.Lock()
		if len(u.pending) == 0 {
			u.running = false
			u.mu.Unlock()
			return
		}
		dir := u.pending[0]
		u.pending = u.pending[1:]
		u.mu.Unlock()
		err := u.upload(dir)
		if errors.Is(err, fs.ErrNotExist) && !exists(dir) {
			continue // no longer kept
		}
		if err != nil {
			u.warn(fmt.Sprintf("%v; it will be tried again", err))
			u.mu.Lock()
			u.failed, u.last = append(u.failed, dir), err
			u.mu.Unlock()
		}
	}
}

// finish returns when all is uploaded, or has failed once more.
func (u *uploads) finish() error {
	u.wait.Wait()
	if len(u.failed) == 0 {
		return nil
	}
	last := u.failed[len(u.failed)-1]
	u.failed = u.failed[:len(u.failed)-1]
	u.add(last)
	u.wait.Wait()
	if len(u.failed) == 0 {
		return nil
	}
	return fmt.Errorf("%w\nhint: all checkpoints are in save_folder", u.last)
}

// upload copies a checkpoint, its manifest last: a folder with a manifest is whole.
func (u *uploads) upload(dir string) error {
	name := filepath.Base(dir)
	fail := func(err error) error {
		return fmt.Errorf("uploading %s to %s: %w", name, u.folder, err)
	}
	ours, err := store.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return fail(err)
	}
	remote := store.Join(u.folder, name)
	theirs, err := store.ReadFile(store.Join(remote, manifestFile))
	switch {
	case err == nil && bytes.Equal(ours, theirs):
		return nil
	case err == nil && !u.overwrite:
		return fail(errors.New("the place holds that step of another run\nhint: choose another remote_save_folder, or save_overwrite=true"))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fail(err)
	}
	for _, e := range entries {
		if e.Name() == manifestFile {
			continue
		}
		if err := u.copy(filepath.Join(dir, e.Name()), store.Join(remote, e.Name())); err != nil {
			return fail(err)
		}
	}
	// Log and chain go before the manifest too: who continues with this checkpoint needs its steps.
	run := filepath.Dir(dir)
	files, err := RunFiles(run)
	if err != nil {
		return fail(err)
	}
	for _, file := range files {
		if err := u.copy(filepath.Join(run, file), store.Join(u.folder, file)); err != nil {
			return fail(err)
		}
	}
	if err := u.copy(filepath.Join(dir, manifestFile), store.Join(remote, manifestFile)); err != nil {
		return fail(err)
	}
	return nil
}

// copy uploads one file.
func (u *uploads) copy(file, name string) error {
	f, err := store.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := store.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, f); err != nil {
		w.Abort()
		return err
	}
	return w.Commit()
}

// Fetch downloads what the run starts from and this machine lacks. With try_load_latest_save and no
// checkpoint in save_folder that is the newest one in remote_save_folder, with the log; else the one
// that load_path names when that is an address: it goes to save_folder/loaded, where load_path leads
// then. What was downloaded before is not asked for again; progress is told of a file's bytes.
func (c *Config) Fetch(ctx context.Context, progress func(file string, done, total int64)) error {
	if c.TryLoadLatestSave {
		if own, err := candidates(c.SaveFolder); err != nil || len(own) > 0 {
			return err
		}
		name, err := latestUpload(c.RemoteSaveFolder)
		if err != nil {
			return fmt.Errorf("remote_save_folder %s: %w", c.RemoteSaveFolder, err)
		}
		if name != "" {
			if err := c.fetchRecords(ctx, progress); err != nil {
				return err
			}
			return fetchCheckpoint(ctx, store.Join(c.RemoteSaveFolder, name), filepath.Join(c.SaveFolder, name), progress)
		}
	}
	if !store.Remote(c.LoadPath) {
		return nil
	}
	from := strings.TrimRight(c.LoadPath, "/")
	dir := filepath.Join(c.SaveFolder, "loaded", path.Base(from))
	if err := fetchCheckpoint(ctx, from, dir, progress); err != nil {
		return fmt.Errorf("load_path: %w", err)
	}
	c.found(&c.LoadPath, dir)
	return nil
}

// RunFiles are those of the files in which a run records itself that are there.
func RunFiles(dir string) ([]string, error) {
	files, err := recipes(dir)
	for _, file := range []string{tensorsFile, chainFile, logFile} {
		if exists(filepath.Join(dir, file)) {
			files = append(files, file)
		}
	}
	return files, err
}

// fetchRecords downloads log, chain and recipes from remote_save_folder.
func (c *Config) fetchRecords(ctx context.Context, progress func(file string, done, total int64)) error {
	folder := strings.TrimRight(c.RemoteSaveFolder, "/") + "/"
	found, err := store.List(folder+"recipe", true)
	if err != nil {
		return err
	}
	files := []string{logFile, chainFile, tensorsFile}
	for _, file := range found {
		if name := strings.TrimPrefix(file, folder); !strings.Contains(name, "/") {
			if _, ok := recipeStep(name); ok {
				files = append(files, name)
			}
		}
	}
	for _, file := range files {
		if err := fetchFile(ctx, store.Join(c.RemoteSaveFolder, file), filepath.Join(c.SaveFolder, file), progress); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// latestUpload finds the whole checkpoint of the highest step in a folder of an object store; "" for
// none, and for places that cannot be listed.
func latestUpload(folder string) (string, error) {
	if !store.Remote(folder) || store.ReadOnly(folder) {
		return "", nil
	}
	folder = strings.TrimRight(folder, "/") + "/"
	files, err := store.List(folder+"step", true)
	if err != nil {
		return "", err
	}
	latest := -1
	for _, file := range files {
		if digits, ok := strings.CutSuffix(strings.TrimPrefix(file, folder+"step"), "/"+manifestFile); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				latest = max(latest, n)
			}
		}
	}
	if latest < 0 {
		return "", nil
	}
	return fmt.Sprintf("step%d", latest), nil
}

// fetchCheckpoint downloads a checkpoint, ours or the ai2-olmo package's.
func fetchCheckpoint(ctx context.Context, from, dir string, progress func(file string, done, total int64)) error {
	// One of each group must be there, but what a checkpoint may lack; the manifest comes last, as a
	// checkpoint with it claims to be whole.
	for _, group := range [][]string{
		{ModelFile, "model.pt"},
		{optimFile, "optim.pt", ""},
		{stateFile, "train.pt", "train.safetensors", ""},
		{configFile, ""},
		{tokenizerFile, ""},
		{recordFile, ""},
		{manifestFile, ""},
	} {
		for i, file := range group {
			if file == "" {
				break
			}
			err := fetchFile(ctx, store.Join(from, file), filepath.Join(dir, file), progress)
			switch {
			case err == nil:
			case !errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("fetching %s: %w", from, err)
			case i < len(group)-1:
				continue
			default:
				return fmt.Errorf("%s holds neither %s: %w\nhint: it must be the folder of one checkpoint, stepN or stepN-unsharded", from, strings.Join(group, " nor "), err)
			}
			break
		}
	}
	return nil
}

// fetchFile downloads one file, unless it is there.
func fetchFile(ctx context.Context, name, dest string, progress func(file string, done, total int64)) error {
	info, err := store.Stat(name)
	if err != nil {
		return err
	}
	if st, err := os.Stat(dest); err == nil && st.Size() == info.Size {
		return nil
	}
	_, err = store.Download(ctx, name, dest, store.Want{}, func(done, total int64) { progress(path.Base(name), done, total) })
	return err
}
