// Package weights holds named tensors in files: it opens the checkpoint
// formats of the field without trusting them, and writes safetensors.
package weights

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"olmo/internal/parallel"
	"olmo/proof"
	"olmo/tensor"
)

// Named is a tensor with its name. Its bytes are Data, or, where Load is not
// nil, what Load returns; so a writer need never hold more than one tensor.
type Named struct {
	Name string
	tensor.Tensor
	Load func() ([]byte, error)
}

// Value returns the tensor with its bytes, checked against dtype and shape.
func (n Named) Value() (tensor.Tensor, error) {
	t := n.Tensor
	if n.Load != nil {
		data, err := n.Load()
		if err != nil {
			return tensor.Tensor{}, fmt.Errorf("tensor %s: %w", n.Name, err)
		}
		t.Data = data
	}
	if err := t.Check(); err != nil {
		return tensor.Tensor{}, fmt.Errorf("tensor %s: %w", n.Name, err)
	}
	return t, nil
}

// Set is the tensors of one checkpoint. It is safe for use by several
// goroutines until Close.
type Set struct {
	path     string
	names    []string // in byte order
	tensors  map[string]Named
	metadata map[string]string
	files    []*mapping
	notes    []string
}

// ErrNoTensor is what Tensor returns for a name that the set lacks.
var ErrNoTensor = errors.New("no such tensor")

// Names returns the names of the tensors in byte order. Don't change it.
func (s *Set) Names() []string { return s.names }

// Metadata returns the strings that the file carries beside its tensors. Don't
// change it.
func (s *Set) Metadata() map[string]string { return s.metadata }

// Notes say, as sentences, what of the files is left out or named otherwise.
func (s *Set) Notes() []string { return s.notes }

// Has reports whether the set has a tensor of this name.
func (s *Set) Has(name string) bool {
	_, ok := s.tensors[name]
	return ok
}

// Header returns a tensor without its bytes, where they have to be computed.
func (s *Set) Header(name string) (Named, bool) {
	n, ok := s.tensors[name]
	return n, ok
}

// Tensor returns a tensor whose bytes may lie in the mapped file: they are
// read-only, and gone after Close. The error is ErrNoTensor if there is none.
func (s *Set) Tensor(name string) (tensor.Tensor, error) {
	n, ok := s.tensors[name]
	if !ok {
		return tensor.Tensor{}, fmt.Errorf("%s: %w: %s", s.path, ErrNoTensor, name)
	}
	t, err := n.Value()
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", s.path, err)
	}
	return t, nil
}

// All returns every tensor in byte order of names, without its bytes where
// they have to be computed: for writing, hashing, or listing shapes.
func (s *Set) All() []Named {
	all := make([]Named, len(s.names))
	for i, name := range s.names {
		all[i] = s.tensors[name]
	}
	return all
}

// Forget gives back the memory of what was read of mapped files, which otherwise counts
// as this process's until Close. Tensors of the set stay valid.
func (s *Set) Forget() {
	for _, f := range s.files {
		f.forget()
	}
}

// Close releases the files. Tensors of the set must not be touched afterwards.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.close())
	}
	s.files = nil
	return errors.Join(errs...)
}

// sort fills names after tensors is complete.
func (s *Set) sort() { s.names = slices.Sorted(maps.Keys(s.tensors)) }

// sorted returns the tensors in byte order of names; a name given twice is an
// error.
func sorted(tensors []Named) ([]Named, error) {
	ts := slices.SortedFunc(slices.Values(tensors), func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(ts); i++ {
		if ts[i].Name == ts[i-1].Name {
			return nil, fmt.Errorf("two tensors are named %s", ts[i].Name)
		}
	}
	return ts, nil
}

// Sum is the SHA-256 of one tensor's little-endian bytes.
type Sum struct {
	Name   string
	DType  tensor.DType
	Shape  []int
	SHA256 [sha256.Size]byte
}

// Sums hashes each tensor; the result is in byte order of names.
func Sums(tensors []Named) ([]Sum, error) {
	ts, err := sorted(tensors)
	if err != nil {
		return nil, err
	}
	// The largest first: a thread that is left with one at the end holds up the others.
	order := make([]int, len(ts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(ts[b].Data), len(ts[a].Data)) })
	sums, errs := make([]Sum, len(ts)), make([]error, len(ts))
	sum := func(i int) {
		t, err := ts[i].Value()
		if err != nil {
			errs[i] = err
			return
		}
		sums[i] = SumOf(ts[i].Name, t)
	}
	parallel.For(len(ts), func(k int) {
		if i := order[k]; ts[i].Load == nil {
			sum(i)
		}
	})
	for i := range ts {
		if ts[i].Load != nil { // one at a time in memory
			sum(i)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return sums, nil
}

// SumOf hashes one tensor.
func SumOf(name string, t tensor.Tensor) Sum {
	return Sum{name, t.DType, t.Shape, sha256.Sum256(t.Data)}
}

// DigestSums returns the weights_digest of sums, which must be in byte order
// of names as Sums gives them: the SHA-256 over, for each tensor, name, NUL,
// dtype, NUL, shape as decimal numbers joined by commas, NUL, SHA-256 of the
// little-endian bytes.
func DigestSums(sums []Sum) [sha256.Size]byte {
	h := sha256.New()
	for _, s := range sums {
		h.Write(s.Text())
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Text is what hashes and trees bind of a tensor: name, NUL, dtype, NUL, shape as decimal numbers
// joined by commas, NUL, and the hash of its bytes.
func (s *Sum) Text() []byte {
	b := fmt.Appendf(nil, "%s\x00%v\x00", s.Name, s.DType)
	for i, d := range s.Shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(d), 10)
	}
	return append(append(b, 0), s.SHA256[:]...)
}

// Root is the root of the tree of which each tensor is a leaf. The sums must be in byte order of
// names, as Sums gives them.
func Root(sums []Sum) proof.Hash {
	var t proof.Tree
	for i := range sums {
		t.Add(sums[i].Text())
	}
	return t.Root()
}

// Digest returns the weights_digest of the set, with one tensor at a time in memory.
func (s *Set) Digest() ([sha256.Size]byte, error) {
	var sums []Sum
	for _, name := range s.names {
		t, err := s.Tensor(name)
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		sums = append(sums, SumOf(name, t))
		s.Forget()
	}
	return DigestSums(sums), nil
}

// Digest returns the weights_digest of tensors, given in any order.
func Digest(tensors []Named) ([sha256.Size]byte, error) {
	sums, err := Sums(tensors)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return DigestSums(sums), nil
}

// Derive returns a set without the tensors gone and with those added. Both share the files,
// so one of them is closed, not both. A name that is then there twice is an error.
func (s *Set) Derive(gone []string, added []Named) (*Set, error) {
	d := &Set{path: s.path, tensors: maps.Clone(s.tensors), metadata: s.metadata, files: s.files, notes: s.notes}
	for _, name := range gone {
		delete(d.tensors, name)
	}
	for _, n := range added {
		if d.Has(n.Name) {
			return nil, fmt.Errorf("%s: two tensors are named %s", s.path, n.Name)
		}
		d.tensors[n.Name] = n
	}
	d.sort()
	return d, nil
}
