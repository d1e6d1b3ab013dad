package check

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/internal/pyjson"
	"olmo/proof"
	"olmo/store"
	"olmo/train"
	"olmo/weights"
)

// weights checks one file of tensors: it can be read to its end, and its numbers are finite.
func (c *checker) weights(path string) {
	st, err := os.Stat(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	c.count(path, st.Size())
	set, err := weights.Open(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	defer set.Close()
	var listed map[string]proof.Hash // of a checkpoint's file
	if m, err := train.ReadManifest(filepath.Dir(absolute(path))); err == nil {
		listed = m.Tensors[filepath.Base(path)]
	}
	for name := range listed {
		if !set.Has(name) {
			c.problem(Missing, path, "%s is missing, which the manifest beside it lists", name).Tensor = name
		}
	}
	var sums []weights.Sum
	for _, name := range set.Names() {
		if c.ctx.Err() != nil {
			return
		}
		t, err := set.Tensor(name)
		if err != nil {
			c.damage(path, err).Tensor = name
			return
		}
		sum := weights.SumOf(name, t)
		if want, ok := listed[name]; listed != nil && !ok {
			c.problem(Unlisted, path, "%s is not in the manifest beside it", name).Tensor = name
		} else if ok && want != sum.SHA256 {
			c.problem(Changed, path, "%s has SHA-256 %x, the manifest beside it says %v", name, sum.SHA256, want).Tensor = name
		}
		sums = append(sums, sum)
		c.report.Checked.Tensors++
		if t.DType.IsFloat() || t.DType.IsQuantized() {
			bad := 0
			for v, err := range t.Pieces(1 << 18) {
				if err != nil {
					c.damage(path, err).Tensor = name
					break
				}
				for _, x := range v {
					if x-x != 0 {
						bad++
					}
				}
			}
			if bad > 0 {
				c.problem(Model, path, "%s holds %d numbers that are not finite", name, bad).Tensor = name
			}
		}
		set.Forget()
	}
	digest := weights.DigestSums(sums)
	c.report.Weights = append(c.report.Weights, Weights{Path: c.rel(path), Names: "the file's own", Digest: hex.EncodeToString(digest[:])})
	if listed == nil {
		c.form(path)
	}
}

// index checks the shards that an index names.
func (c *checker) index(path string) {
	st, err := os.Stat(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	c.count(path, st.Size())
	if c.shardsOf(path) {
		c.form(path)
	}
}

// layouts are the two ways in which Hugging Face's folders hold weights.
var layouts = []struct{ single, index, shards string }{
	{"model.safetensors", "model.safetensors.index.json", "model-*.safetensors"},
	{"pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"},
}

// shards checks the files of weights in a folder against each other; false when some are
// missing or cannot be read, so that there is no whole model.
func (c *checker) shards(path string) bool {
	whole := true
	var there []string // in the order in which the first one is read
	for _, l := range layouts {
		single, index := filepath.Join(path, l.single), filepath.Join(path, l.index)
		if p, err := look(single); err == nil {
			there = append(there, single)
			if isPointer(p) {
				c.pointer(single)
				whole = false
			}
		}
		if exists(index) {
			there = append(there, index)
			whole = c.shardsOf(index) && whole
		} else if strays := matching(path, l.shards); len(strays) > 0 {
			c.note(path, "%d shards such as %s stand without an index and are not read", len(strays), strays[0])
		}
	}
	if whole && len(there) > 1 {
		for _, other := range there[1:] {
			c.stale(there[0], other)
		}
	}
	return whole
}

// matching lists the files of a folder whose names match a pattern.
func matching(dir, pattern string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if match, _ := filepath.Match(pattern, e.Name()); match {
			out = append(out, e.Name())
		}
	}
	return out
}

// shardIndex is model.safetensors.index.json.
type shardIndex struct {
	Metadata struct {
		TotalSize float64 `json:"total_size"`
	} `json:"metadata"`
	Map map[string]string `json:"weight_map"`
}

// shardsOf checks an index and its shards: each named file is there with the tensors that
// the index puts into it, and no tensor stands in two with different numbers.
func (c *checker) shardsOf(path string) (whole bool) {
	text, err := store.ReadFile(path)
	if err != nil {
		c.damage(path, err)
		return false
	}
	var index shardIndex
	if err := pyjson.Unmarshal(text, &index); err != nil {
		c.jsonDamage(path, text, err)
		return false
	}
	if len(index.Map) == 0 {
		c.problem(Manifest, path, "%s names no tensor", c.rel(path))
		return false
	}
	dir, whole := filepath.Dir(path), true
	sets := map[string]*weights.Set{}
	defer func() {
		for _, s := range sets {
			s.Close()
		}
	}()
	files := map[string]bool{}
	for _, file := range index.Map {
		files[file] = true
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if !filepath.IsLocal(file) || strings.ContainsAny(file, `/\`) || strings.HasSuffix(file, ".json") {
			c.problem(Manifest, path, "%s names %.200q, which is no file of weights beside it", c.rel(path), file)
			whole = false
			continue
		}
		set, ok := c.openShard(filepath.Join(dir, file), c.rel(path))
		if !ok {
			whole = false
			continue
		}
		sets[file] = set
	}
	for _, name := range slices.Sorted(maps.Keys(index.Map)) {
		if set := sets[index.Map[name]]; set != nil && !set.Has(name) {
			c.problem(Missing, filepath.Join(dir, index.Map[name]), "%s is not in %s, where %s puts it", name, index.Map[name], c.rel(path)).Tensor = name
			whole = false
		}
	}
	c.extraShards(path, sets)
	c.twice(dir, index.Map, sets)
	c.totalSize(path, &index, sets)
	return whole
}

func (c *checker) openShard(path, index string) (*weights.Set, bool) {
	p, err := look(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.problem(Missing, path, "%s is missing; %s names it", filepath.Base(path), index)
		return nil, false
	case err == nil && isPointer(p):
		c.pointer(path)
		return nil, false
	}
	set, err := weights.Open(path)
	if err != nil {
		c.damage(path, err)
		return nil, false
	}
	return set, true
}

// extraShards adds the shards that stand beside an index that does not name them.
func (c *checker) extraShards(index string, sets map[string]*weights.Set) {
	dir := filepath.Dir(index)
	for _, l := range layouts {
		if filepath.Base(index) != l.index {
			continue
		}
		for _, name := range matching(dir, l.shards) {
			if sets[name] != nil || c.told(filepath.Join(dir, name)) {
				continue
			}
			if set, ok := c.openShard(filepath.Join(dir, name), c.rel(index)); ok {
				c.note(filepath.Join(dir, name), "is not in the index")
				sets[name] = set
			}
		}
	}
}

// told tells whether a problem of a file was reported.
func (c *checker) told(path string) bool {
	rel := c.rel(path)
	return slices.ContainsFunc(c.report.Problems, func(p Problem) bool { return p.Path == rel })
}

// twice looks for tensors that stand in two shards. A program that goes by the index takes
// the one, a program that reads shard after shard the other: with different numbers these
// are two models.
func (c *checker) twice(dir string, owner map[string]string, sets map[string]*weights.Set) {
	for _, file := range slices.Sorted(maps.Keys(sets)) {
		for _, name := range sets[file].Names() {
			by, known := owner[name]
			if !known {
				c.note(filepath.Join(dir, file), "%s is not in the index", name)
				continue
			}
			if by == file || sets[by] == nil || !sets[by].Has(name) {
				continue
			}
			equal, err := equalTensors(sets[by], sets[file], name)
			switch {
			case err != nil:
				c.damage(filepath.Join(dir, file), err).Tensor = name
			case equal:
				c.note(filepath.Join(dir, file), "%s stands in %s, as the index says, and again here with the same numbers", name, by)
			default:
				c.problem(Model, filepath.Join(dir, file), "%s stands in %s, as the index says, and with other numbers in %s", name, by, file).Tensor = name
			}
		}
	}
}

// stale compares the weights that are read with others in the same folder: a single file
// beside shards, PyTorch's beside safetensors. Which of them a program takes differs, and
// with other numbers these are two models.
func (c *checker) stale(read, other string) {
	a, err := weights.Open(read)
	if err != nil {
		return // said when the model is opened
	}
	defer a.Close()
	b, err := weights.Open(other)
	if err != nil {
		c.damage(other, err)
		return
	}
	defer b.Close()
	this, that := filepath.Base(read), filepath.Base(other)
	// PyTorch's files have tensors twice that safetensors have once, and buffers.
	kin := strings.Contains(this, "safetensors") == strings.Contains(that, "safetensors")
	different, dtypes := 0, 0
	for _, name := range a.Names() {
		if c.ctx.Err() != nil {
			return
		}
		if !b.Has(name) {
			if kin {
				different++
				c.problem(Model, read, "%s is in %s and not in %s beside it", name, this, that).Tensor = name
			}
			continue
		}
		x, err := a.Tensor(name)
		if err != nil {
			continue // said when the model is read
		}
		if y, err := b.Tensor(name); err == nil && x.DType != y.DType && !kin {
			dtypes++
			continue
		}
		equal, err := equalTensors(a, b, name)
		if err == nil && !equal {
			different++
			c.problem(Model, read, "%s has other numbers in %s, which is the one that is read, than in %s beside it", name, this, that).Tensor = name
		}
	}
	for _, name := range b.Names() {
		if kin && !a.Has(name) {
			different++
			c.problem(Model, read, "%s is in %s and not in %s, which is the one that is read", name, that, this).Tensor = name
		}
	}
	switch {
	case dtypes > 0:
		c.note(other, "stands beside %s, which is the one that is read, with other dtypes, so that the numbers were not compared", this)
	case different == 0:
		c.note(other, "holds the same numbers as %s, which is the one that is read", this)
	}
}

func equalTensors(a, b *weights.Set, name string) (bool, error) {
	x, err := a.Tensor(name)
	if err != nil {
		return false, err
	}
	y, err := b.Tensor(name)
	if err != nil {
		return false, err
	}
	equal := x.DType == y.DType && slices.Equal(x.Shape, y.Shape) && bytes.Equal(x.Data, y.Data)
	a.Forget()
	b.Forget()
	return equal, nil
}

// totalSize compares the index's count of bytes with those of its tensors. Programs write
// other counts, too, when tensors are shared: it is a note.
func (c *checker) totalSize(path string, index *shardIndex, sets map[string]*weights.Set) {
	if index.Metadata.TotalSize == 0 {
		return
	}
	var total int64
	for _, set := range sets {
		for _, n := range set.All() {
			if index.Map[n.Name] == "" || sets[index.Map[n.Name]] != set {
				continue
			}
			if size, err := n.DType.Bytes(n.Shape); err == nil {
				total += int64(size)
			}
		}
	}
	if int64(index.Metadata.TotalSize) != total {
		c.note(path, "counts %s bytes, the tensors have %d", fmt.Sprintf("%.0f", index.Metadata.TotalSize), total)
	}
}
