package model

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"olmo/tensor"
	"olmo/weights"
)

// CheckReport is what Check finds in a checkpoint.
type CheckReport struct {
	Tensors  int
	Bytes    int64
	Digest   [sha256.Size]byte // weights_digest
	Problems []Finding         // what makes the checkpoint wrong or unusable
	Notes    []string          // what is odd
}

// ErrStopped is what a check returns that was told to end.
var ErrStopped = errors.New("the check was stopped")

// Finding is something wrong with one tensor.
type Finding struct{ Tensor, Message string }

// Check reads the whole checkpoint: every tensor that the config asks for is there with
// its shape, no other is there, no number is infinite or NaN, no tensor is there twice. Whether shards and
// their index agree is package check's to see. One tensor at a time is in memory.
// Progress, if set, is told the share
// done, and ends the check with ErrStopped by returning false.
func (l *Loaded) Check(progress func(share float64) bool) (*CheckReport, error) {
	r := &CheckReport{Tensors: len(l.Set.Names()), Notes: slices.Clone(l.Notes)}
	problem := func(tensor, format string, args ...any) {
		r.Problems = append(r.Problems, Finding{tensor, fmt.Sprintf(format, args...)})
	}
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	want := map[string][]int{}
	for _, t := range l.layout.tensors {
		file := l.file(t)
		want[file] = l.layout.shapes[t]
		if !l.Set.Has(file) {
			problem(file, "%s is missing", file)
		}
	}
	all := l.Set.All()
	var total, done int64
	for _, n := range all {
		if size, err := n.DType.Bytes(n.Shape); err == nil {
			total += int64(size)
		}
	}
	r.Bytes = total
	seen := map[[sha256.Size]byte]string{}
	var sums []weights.Sum
	for _, n := range all {
		t, err := n.Value()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Path, err)
		}
		shape, expected := want[n.Name]
		switch {
		case expected && !slices.Equal(shape, t.Shape):
			problem(n.Name, "%v", &ShapeError{Tensor: n.Name, Shape: t.Shape, Want: shape})
		case !expected && slices.Contains(l.Extra, n.Name):
			problem(n.Name, "%s %v is not of this model: the config has no place for it", n.Name, t.Shape)
		}
		sum := weights.SumOf(n.Name, t)
		sums = append(sums, sum)
		constant, bad, err := scan(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", l.Path, n.Name, err)
		}
		if bad > 0 {
			problem(n.Name, "%s holds %d numbers that are not finite", n.Name, bad)
		}
		if first, ok := seen[sum.SHA256]; ok && !constant {
			note("%s and %s hold the same numbers", first, n.Name)
		}
		seen[sum.SHA256] = n.Name
		done += int64(len(t.Data))
		l.Set.Forget()
		if progress != nil && total > 0 && !progress(float64(done)/float64(total)) {
			return nil, ErrStopped
		}
	}
	r.Digest = weights.DigestSums(sums)
	return r, nil
}

// ParamSum hashes a parameter as training saves it, in float32. Where its rows lie in files
// of float32 in their order they are hashed there, so that a fused matrix takes no memory.
func (l *Loaded) ParamSum(p Param) (weights.Sum, error) {
	h, row, cols := sha256.New(), 0, p.Size()/p.Shape[0]
	for _, k := range l.layout.byParam[p.Name] {
		t, err := l.Set.Tensor(l.file(k.tensor))
		if err != nil {
			return weights.Sum{}, fmt.Errorf("reading weights of %s: %w", l.Path, err)
		}
		begin, end := 4*k.at*cols, 4*(k.at+k.rows)*cols
		if k.order != nil || k.transposed || k.onePlus || k.row != row || t.DType != tensor.F32 || end > len(t.Data) || !slices.Equal(t.Shape, l.layout.shapes[k.tensor]) {
			v, err := l.Param(p.Name)
			return weights.SumOf(p.Name, tensor.FromFloat32(p.Shape, v)), err
		}
		h.Write(t.Data[begin:end])
		row += k.rows
		l.Set.Forget()
	}
	return weights.Sum{Name: p.Name, DType: tensor.F32, Shape: p.Shape, SHA256: [sha256.Size]byte(h.Sum(nil))}, nil
}

// scan counts the numbers that are not finite, and says whether all are the same.
func scan(t tensor.Tensor) (constant bool, bad int, err error) {
	if !t.DType.IsFloat() && !t.DType.IsQuantized() {
		return true, 0, nil
	}
	constant = true
	var first *float32
	for v, err := range t.Pieces(1 << 18) {
		if err != nil {
			return false, 0, err
		}
		if first == nil {
			first = new(v[0])
		}
		for _, x := range v {
			if x-x != 0 {
				bad++
			}
			constant = constant && x == *first
		}
	}
	return constant, bad, nil
}
