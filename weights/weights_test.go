package weights_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"olmo/tensor"
	"olmo/weights"
)

// TestSums: each tensor's hash with its name, dtype and shape, in byte order of names, and the
// digest over them that any order gives.
func TestSums(t *testing.T) {
	ts := []weights.Named{{Name: "b", Tensor: f32(1, 2)}, {Name: "B", Tensor: f32(3)}, {Name: "a", Tensor: tensor.FromInt64([]int{1, 1}, []int64{7})}}
	sums, err := weights.Sums(ts)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []weights.Named{ts[1], ts[2], ts[0]} {
		if s := sums[i]; s.Name != want.Name || s.DType != want.DType || !slices.Equal(s.Shape, want.Shape) || s.SHA256 != sha256.Sum256(want.Data) {
			t.Errorf("sum %d is %+v, want that of %s", i, s, want.Name)
		}
	}
	d, err := weights.Digest(ts)
	slices.Reverse(ts)
	if e, err2 := weights.Digest(ts); err != nil || err2 != nil || d != e || d != weights.DigestSums(sums) {
		t.Errorf("digests %x and %x by order (%v, %v)", d, e, err, err2)
	}
	if _, err := weights.Digest(append(ts, ts[0])); err == nil || !strings.Contains(err.Error(), "two tensors are named a") {
		t.Errorf("a name twice: %v", err)
	}
}

// TestValue: bytes that are not as many as dtype and shape say, or that cannot be loaded, are
// an error with the tensor's name.
func TestValue(t *testing.T) {
	boom := errors.New("boom")
	like := tensor.Tensor{DType: tensor.F32, Shape: []int{2}}
	for name, n := range map[string]weights.Named{
		"boom":                 {Name: "w", Tensor: like, Load: func() ([]byte, error) { return nil, boom }},
		"takes 8 bytes, not 4": {Name: "w", Tensor: like, Load: func() ([]byte, error) { return make([]byte, 4), nil }},
		"takes 8 bytes, not 0": {Name: "w", Tensor: like},
	} {
		if _, err := n.Value(); err == nil || !strings.Contains(err.Error(), "tensor w: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
		if _, err := weights.Digest([]weights.Named{n}); err == nil {
			t.Errorf("%s: a digest without an error", name)
		}
	}
	got, err := weights.Named{Tensor: like, Load: func() ([]byte, error) { return f32(1, 2).Data, nil }}.Value()
	if err != nil || !slices.Equal(got.Data, f32(1, 2).Data) {
		t.Errorf("loaded %v (%v)", got, err)
	}
}
