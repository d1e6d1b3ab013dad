package build

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"olmo/data/store"
	"olmo/packed"
	"olmo/proof"
	"olmo/release"
	whole "olmo/store"
)

// folder is a release on its way, and the list of its files.
type folder struct {
	ctx     context.Context // ends the reading of a long file
	dir     string
	leftOut func(path string) bool

	mu      sync.Mutex
	files   []release.File
	without []release.File
	written []string // of files, those whose bytes are new, and not another file's
}

// path is where a file of the release lies.
func (f *folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// add lists a file.
func (f *folder) add(name string, size int64, sum proof.Hash, written bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files = append(f.files, release.File{Path: name, Size: size, SHA256: sum})
	if written {
		f.written = append(f.written, name)
	}
}

// check refuses a name that not every machine can have.
func check(name string) error {
	if err := proof.CheckPath(name); err != nil {
		return fmt.Errorf("%q cannot be a path of a release: %w\nhint: rename the file, which then has another name in the run, too", name, err)
	}
	return nil
}

// put writes a file.
func (f *folder) put(name string, write func(w io.Writer) error) error {
	if err := check(name); err != nil {
		return err
	}
	out, err := whole.Create(f.path(name))
	if err != nil {
		return err
	}
	defer out.Abort()
	h := &hasher{to: out, sum: sha256.New()}
	if err := write(h); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	f.add(name, h.n, h.hash(), true)
	return nil
}

// text writes a small file.
func (f *folder) text(name string, text []byte) error {
	return f.put(name, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// copied copies a file.
func (f *folder) copied(name, from string) error {
	in, err := whole.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return f.put(name, func(w io.Writer) error {
		_, err := io.Copy(w, &reader{f.ctx, in})
		return err
	})
}

// adopt lists files that others have written.
func (f *folder) adopt(names ...string) error {
	return each(names, func(name string) error {
		sum, n, err := f.hash(f.path(name))
		if err == nil {
			f.add(name, n, sum, true)
		}
		return err
	})
}

// shared is a file of the run that becomes one of the release as it is.
type shared struct{ name, from string }

// share gives files of the run a second name in the release. What is left out is hashed where
// it lies.
func (f *folder) share(files []shared, told func(bytes int64)) error {
	return each(files, func(s shared) error {
		if err := check(s.name); err != nil {
			return err
		}
		if store.Remote(s.from) {
			in, err := store.Open(s.from)
			if err != nil {
				return err
			}
			defer in.Close()
			return f.put(s.name, func(w io.Writer) error {
				n, err := io.Copy(w, &reader{f.ctx, in})
				told(n)
				return err
			})
		}
		at := s.from
		if !f.leftOut(s.name) {
			at = f.path(s.name)
			if err := whole.Share(s.from, at); err != nil {
				return fmt.Errorf("%s as %s: %w", s.from, s.name, err)
			}
		}
		sum, n, err := f.hash(at)
		if err != nil {
			return err
		}
		f.add(s.name, n, sum, false)
		told(n)
		return nil
	})
}

// each calls a function with every one of a list, several at a time.
func each[T any](list []T, call func(T) error) error {
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	errs := make([]error, len(list))
	var wait sync.WaitGroup
	for i, v := range list {
		slots <- struct{}{}
		wait.Go(func() {
			errs[i] = call(v)
			<-slots
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// split lists what the release has and what it is made without, in byte order of paths.
func (f *folder) split() (files, without []release.File) {
	without = append(without, f.without...)
	for _, x := range f.files {
		if f.leftOut(x.Path) {
			without = append(without, x)
		} else {
			files = append(files, x)
		}
	}
	byPath := func(a, b release.File) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(files, byPath)
	slices.SortFunc(without, byPath)
	return files, without
}

// prune removes what the release is made without.
func (f *folder) prune() error {
	files, without := f.split()
	for _, x := range without {
		if err := whole.Remove(f.path(x.Path)); err != nil {
			return err
		}
	}
	f.files, f.without = files, without
	return removeEmpty(f.dir)
}

// removeEmpty removes folders below one that hold nothing.
func removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		below := filepath.Join(dir, e.Name())
		if err := removeEmpty(below); err != nil {
			return err
		}
		if left, err := os.ReadDir(below); err == nil && len(left) == 0 {
			if err := os.Remove(below); err != nil {
				return err
			}
		}
	}
	return nil
}

// manifest writes release.json.
func (f *folder) manifest(m *release.Manifest) (release.File, error) {
	var text bytes.Buffer
	if err := m.Write(&text); err != nil {
		return release.File{}, err
	}
	sum := release.File{Path: release.ManifestFile, Size: int64(text.Len()), SHA256: proof.Sum(text.Bytes())}
	return sum, whole.WriteFile(f.path(release.ManifestFile), text.Bytes())
}

// names is an error where a file that was written says where on this machine the run lies. Weights are
// numbers and names of tensors, and are not searched.
func (f *folder) names(machine []string) error {
	written := slices.DeleteFunc(slices.Clone(f.written), func(name string) bool {
		return f.leftOut(name) || filepath.Ext(name) == ".safetensors"
	})
	return each(written, func(name string) error {
		in, err := whole.Open(f.path(name))
		if err != nil {
			return err
		}
		defer in.Close()
		plain, err := packed.NewReader(bufio.NewReader(in))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer plain.Close()
		found, err := find(plain, machine)
		if err == nil && found != "" {
			err = fmt.Errorf("it would tell a folder of this machine: …%s…\nhint: --without %s leaves it out", found, name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// find looks for the first of some words in a text, and returns it with what stands around it; empty where none
// is there.
func find(text io.Reader, words []string) (string, error) {
	const around = 4096 // longer than any folder's name
	buf := make([]byte, 0, 1<<16)
	for {
		n, err := io.ReadFull(text, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		for _, word := range words {
			if at := bytes.Index(buf, []byte(word)); at >= 0 {
				return strings.ToValidUTF8(string(buf[max(0, at-20):min(len(buf), at+60)]), "?"), nil
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		buf = buf[:copy(buf, buf[len(buf)-around:])]
	}
}

// hasher hashes what it passes on.
type hasher struct {
	to  io.Writer
	sum interface {
		io.Writer
		Sum([]byte) []byte
	}
	n int64
}

func (h *hasher) Write(b []byte) (int, error) {
	n, err := h.to.Write(b)
	h.sum.Write(b[:n])
	h.n += int64(n)
	return n, err
}

func (h *hasher) hash() proof.Hash { return proof.Hash(h.sum.Sum(nil)) }

// reader reads until a context ends.
type reader struct {
	ctx context.Context
	in  io.Reader
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(b)
}

// hash hashes a file, and is an error where it changes meanwhile.
func (f *folder) hash(path string) (sum proof.Hash, n int64, err error) {
	in, err := whole.Open(path)
	if err != nil {
		return sum, 0, err
	}
	defer in.Close()
	before, err := in.Stat()
	if err != nil {
		return sum, 0, err
	}
	h := &hasher{to: io.Discard, sum: sha256.New()}
	if _, err := io.Copy(h, &reader{f.ctx, in}); err != nil {
		return sum, 0, err
	}
	after, err := in.Stat()
	if err == nil && (h.n != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		err = fmt.Errorf("%s changed while it was read", path)
	}
	return h.hash(), h.n, err
}
