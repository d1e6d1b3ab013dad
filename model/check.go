package model

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/tensor"
	"olmo/weights"
)

// CheckReport is what Check finds in a checkpoint.
type CheckReport struct {
	Tensors  int
	Bytes    int64
	Digest   [sha256.Size]byte // weights_digest
	Problems []string          // what makes the checkpoint wrong or unusable
	Notes    []string          // what is odd
}

// buffers are what older versions of programs saved beside the weights; they are made
// again from the config.
var buffers = []string{".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias", "rope_freqs.weight"}

// Check reads the whole checkpoint: every tensor that the config asks for is there with
// its shape, no number is infinite or NaN, no tensor is there twice, the index counts
// what is there. One tensor at a time is in memory. Progress, if set, is told the share
// done.
func (l *Loaded) Check(progress func(share float64)) (*CheckReport, error) {
	r := &CheckReport{Tensors: len(l.Set.Names())}
	problem := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	want := map[string][]int{}
	for _, t := range l.layout.tensors {
		file := t
		if l.rename != nil {
			file = l.rename(t)
		}
		want[file] = l.layout.shapes[t]
		if !l.Set.Has(file) {
			problem("%s is missing", file)
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
			problem("%v", &ShapeError{Tensor: n.Name, Shape: t.Shape, Want: shape})
		case !expected && !slices.ContainsFunc(buffers, func(s string) bool { return strings.HasSuffix(n.Name, s) }):
			note("%s %v is not of this model", n.Name, t.Shape)
		}
		sum := weights.SumOf(n.Name, t)
		sums = append(sums, sum)
		constant, bad, err := scan(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", l.Path, n.Name, err)
		}
		if bad > 0 {
			problem("%s holds %d numbers that are not finite", n.Name, bad)
		}
		if first, ok := seen[sum.SHA256]; ok && !constant {
			note("%s and %s hold the same numbers", first, n.Name)
		}
		seen[sum.SHA256] = n.Name
		done += int64(len(t.Data))
		l.Set.Forget()
		if progress != nil && total > 0 {
			progress(float64(done) / float64(total))
		}
	}
	r.Digest = weights.DigestSums(sums)
	return r, l.checkIndex(r)
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

// checkShard looks for tensors of a shard that the index does not know, or finds in
// another shard. Programs that read shard after shard take the last such tensor, those
// that go by the index the other: with different numbers that is two models.
func (l *Loaded) checkShard(r *CheckReport, shard string, named map[string]any) error {
	base := filepath.Base(shard)
	set, err := weights.Open(shard)
	if err != nil {
		return err
	}
	defer set.Close()
	for _, name := range set.Names() {
		owner, known := named[name]
		switch {
		case !known:
			r.Notes = append(r.Notes, fmt.Sprintf("%s of %s is not in the index", name, base))
			continue
		case owner == base:
			continue
		}
		here, err := set.Tensor(name)
		if err != nil {
			return err
		}
		there, err := l.Set.Tensor(name)
		if err != nil {
			return err
		}
		if here.DType == there.DType && slices.Equal(here.Shape, there.Shape) && bytes.Equal(here.Data, there.Data) {
			r.Notes = append(r.Notes, fmt.Sprintf("%s stands in %v, as the index says, and again in %s", name, owner, base))
		} else {
			r.Problems = append(r.Problems, fmt.Sprintf("%s stands in %v, as the index says, and with other numbers in %s", name, owner, base))
		}
		set.Forget()
		l.Set.Forget()
	}
	return nil
}

// checkIndex compares a sharded checkpoint with its index.
func (l *Loaded) checkIndex(r *CheckReport) error {
	path := filepath.Join(l.Path, "model.safetensors.index.json")
	index, err := readJSON(path)
	if errors.Is(err, os.ErrNotExist) || l.GGUF != nil || exists(l.Path, "model.safetensors") {
		return nil
	}
	if err != nil {
		return err
	}
	files := map[string]bool{}
	named, _ := index["weight_map"].(map[string]any)
	for _, file := range named {
		if s, ok := file.(string); ok {
			files[s] = true
		}
	}
	shards, err := filepath.Glob(filepath.Join(l.Path, "model-*.safetensors"))
	if err != nil {
		return err
	}
	for _, shard := range shards {
		base := filepath.Base(shard)
		if !files[base] {
			r.Notes = append(r.Notes, fmt.Sprintf("%s is not in the index", base))
			continue
		}
		if err := l.checkShard(r, shard, named); err != nil {
			return err
		}
	}
	meta, _ := index["metadata"].(map[string]any)
	if size, ok := number(meta["total_size"]); ok && int64(size) != r.Bytes {
		r.Notes = append(r.Notes, fmt.Sprintf("the index counts %.0f bytes, the tensors have %d", size, r.Bytes))
	}
	return nil
}
