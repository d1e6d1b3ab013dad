package train

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"olmo/model"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// Merge averages the weights of checkpoints of one model, as OLMo 2 and 3 did with runs
// over different orders of data, and writes them to the new folder out with the other
// small files of the first (config, tokenizer). share says how much each counts; nil
// stands for equal shares. Sums are float64, in the order of the inputs, rounded once to
// the first one's dtype. Another process that is about to make out is a *store.HeldError;
// warn is told where nothing can keep one away.
func Merge(out string, inputs []string, share []float64, warn func(string)) (err error) {
	if len(inputs) == 0 || share != nil && len(share) != len(inputs) {
		return fmt.Errorf("merging %d checkpoints with %d shares is not possible", len(inputs), len(share))
	}
	var total float64
	for i := range inputs {
		if share == nil {
			total++
			continue
		}
		if math.IsNaN(share[i]) || math.IsInf(share[i], 0) {
			return fmt.Errorf("share %g of %s is no number that weights can be multiplied with", share[i], inputs[i])
		}
		total += share[i]
	}
	if !(total > 0) || math.IsInf(total, 0) {
		return fmt.Errorf("the shares add up to %g, not to a positive number", total)
	}
	if err := store.CanCreateIn(filepath.Dir(out)); err != nil {
		return err
	}
	folder, err := store.CreateFolder(out)
	if err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	defer folder.Abort()
	if err := folder.Unlocked(); err != nil {
		warn(err.Error())
	}
	if exists(out) { // asked with the lock on it
		return fmt.Errorf("%s exists\nhint: choose a new folder", out)
	}
	var sets []*weights.Set
	defer func() {
		for _, s := range sets {
			err = errors.Join(err, s.Close())
		}
	}()
	var first *model.Config // nil where a checkpoint has weights alone
	factors := make([]float64, len(inputs))
	for i, path := range inputs {
		if latest, err := Latest(path); err == nil && !isCheckpoint(path) {
			inputs[i], path = latest, latest // a run folder
		}
		if exists(filepath.Join(path, manifestFile)) {
			if _, err := CheckCheckpoint(path); err != nil {
				return err
			}
		}
		// Codes of equal value stand for other weights under other scales.
		if err := model.NotQuantised(path); err != nil {
			return fmt.Errorf("%w, and an average of codes is no model\nhint: widen each with olmo convert --to hf, and average these", err)
		}
		s, err := weights.Open(path)
		if err != nil {
			return fmt.Errorf("opening checkpoint to merge: %w", err)
		}
		sets = append(sets, s)
		if !slices.Equal(s.Names(), sets[0].Names()) {
			return fmt.Errorf("%s and %s hold tensors of different names\nhint: only checkpoints of one model can be averaged", inputs[0], path)
		}
		m, err := model.OpenWith(path, model.OpenOptions{IgnoreExtra: true}) // all tensors are averaged
		if err == nil {
			c := m.Config
			if err := m.Close(); err != nil {
				return err
			}
			if i == 0 {
				first = c
			}
			if first != nil {
				for _, f := range append(unshaped(first, c), computed(first, c)...) {
					if !reflect.DeepEqual(f.theirs, f.ours) {
						return fmt.Errorf("%s and %s are other models: %s is %v and %v\nhint: only checkpoints of one model can be averaged", inputs[0], path, f.key, f.theirs, f.ours)
					}
				}
			}
		}
		factors[i] = 1 / total
		if share != nil {
			factors[i] = share[i] / total
		}
	}
	tensors := sets[0].All()
	for i, first := range tensors {
		tensors[i].Data = nil
		tensors[i].Load = func() ([]byte, error) { return average(first.Name, first.DType, sets, factors) }
	}
	if err := copySmall(folder.Path(), inputs[0]); err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	if _, err := weights.WriteShards(folder.Path(), tensors, map[string]string{"format": "pt"}, 5<<30); err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	if err := folder.Commit(); err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	return nil
}

// average returns the bytes of one tensor's weighted sum.
func average(name string, d tensor.DType, sets []*weights.Set, factors []float64) ([]byte, error) {
	var sum []float64
	var shape []int
	var same []byte // of what is no weight
	for i, s := range sets {
		t, err := s.Tensor(name)
		if err != nil {
			return nil, err
		}
		if codes(d) || codes(t.DType) {
			// Masks and tables of positions are alike in all checkpoints.
			if i == 0 {
				same, shape = t.Data, t.Shape
			}
			if t.DType != d || !slices.Equal(t.Shape, shape) || !bytes.Equal(t.Data, same) {
				return nil, fmt.Errorf("%s of checkpoint %d of those named is not that of the first, and codes (%v and %v) have no average\nhint: take the models before quantisation", name, i+1, d, t.DType)
			}
			continue
		}
		v, err := t.Float64s()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if i == 0 {
			shape, sum = t.Shape, make([]float64, len(v))
		} else if !slices.Equal(t.Shape, shape) {
			return nil, fmt.Errorf("%s has shape %v and %v\nhint: only checkpoints of one model can be averaged", name, shape, t.Shape)
		}
		for j, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("%s of checkpoint %d of those named holds %g\nhint: a run that diverged cannot be averaged; leave it out", name, i+1, x)
			}
			sum[j] += float64(x * factors[i])
		}
	}
	if codes(d) {
		return same, nil
	}
	f := make([]float32, len(sum))
	for j, x := range sum {
		f[j] = float32(x)
	}
	t, err := tensor.FromFloat32(shape, f).Convert(d)
	return t.Data, err
}

// codes reports whether numbers of a dtype are none that a sum means something of: whole ones,
// and 8-bit floats, whose scale is elsewhere.
func codes(d tensor.DType) bool {
	return !d.IsQuantized() && (!d.IsFloat() || d.Size() == 1)
}

// copySmall copies what makes weights a model: every file of the folder that holds no
// weights and nothing about the run.
func copySmall(to, from string) error {
	if st, err := os.Stat(from); err != nil || !st.IsDir() {
		return err // a single file of weights
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".json", ".yaml", ".txt", ".jinja", ".model":
		default:
			continue
		}
		if e.IsDir() || slices.Contains([]string{manifestFile, stateFile, recordFile, recipeFile}, e.Name()) || strings.HasSuffix(e.Name(), ".index.json") {
			continue
		}
		text, err := store.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := store.WriteFile(filepath.Join(to, e.Name()), text); err != nil {
			return err
		}
	}
	return nil
}
