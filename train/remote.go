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
	ours, err := os.ReadFile(filepath.Join(dir, manifestFile))
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
	if err := u.copy(filepath.Join(dir, manifestFile), store.Join(remote, manifestFile)); err != nil {
		return fail(err)
	}
	return nil
}

// copy uploads one file.
func (u *uploads) copy(file, name string) error {
	f, err := os.Open(file)
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

// Fetch downloads the checkpoint that load_path names, when that is an address, into
// save_folder/loaded, and lets load_path lead there. It does nothing when the run goes on with a
// checkpoint of its own. What was downloaded before is not asked for again; progress is told of a
// file's bytes.
func (c *Config) Fetch(ctx context.Context, progress func(file string, done, total int64)) error {
	if !store.Remote(c.LoadPath) {
		return nil
	}
	if c.TryLoadLatestSave {
		if own, err := candidates(c.SaveFolder); err != nil || len(own) > 0 {
			return err
		}
	}
	from := strings.TrimRight(c.LoadPath, "/")
	dir := filepath.Join(c.SaveFolder, "loaded", path.Base(from))
	fail := func(err error) error { return fmt.Errorf("load_path %s: %w", from, err) }
	// One of each group must be there, but what a checkpoint may lack; the manifest comes last, as a
	// checkpoint with it claims to be whole.
	for _, group := range [][]string{
		{ModelFile, "model.pt"},
		{optimFile, "optim.pt", ""},
		{stateFile, "train.pt", "train.safetensors", ""},
		{configFile, ""},
		{tokenizerFile, ""},
		{manifestFile, ""},
	} {
		for i, file := range group {
			if file == "" {
				break
			}
			name, dest := store.Join(from, file), filepath.Join(dir, file)
			info, err := store.Stat(name)
			if errors.Is(err, fs.ErrNotExist) {
				if i == len(group)-1 {
					return fail(fmt.Errorf("there is neither %s: %w\nhint: it must be the folder of one checkpoint, stepN or stepN-unsharded", strings.Join(group, " nor "), err))
				}
				continue
			}
			if err != nil {
				return fail(err)
			}
			if st, err := os.Stat(dest); err != nil || st.Size() != info.Size {
				if _, err := store.Download(ctx, name, dest, store.Want{}, func(done, total int64) { progress(file, done, total) }); err != nil {
					return fail(err)
				}
			}
			break
		}
	}
	c.LoadPath = dir
	return nil
}
