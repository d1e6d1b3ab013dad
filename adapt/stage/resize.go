package stage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"olmo/model"
	"olmo/proof"
	"olmo/store"
	"olmo/tensor"
)

// resized is where the model lies whose embedding got rows for the tokenizer's ids.
func (c *Config) resized() string { return filepath.Join(c.OutputDir, "data", "resized") }

// fit makes a tokenizer of so many ids fit the model that the run starts from: where there are more than
// rows in the embedding, resize_embeddings has it start from one with more, a multiple of eight in all as
// in open-instruct (finetune.py, e6c3044).
func (r *Run) fit(l *model.Loaded, ids int) error {
	c := r.Config
	r.start, r.vocabulary = c.ModelNameOrPath, l.Config.V
	switch {
	case ids <= l.Config.V:
		return nil
	case !c.ResizeEmbeddings:
		return fmt.Errorf("the tokenizer has %d ids, and the embedding of the model %d rows\nhint: is it this model's tokenizer? resize_embeddings=true gives new ids rows, the mean of the others", ids, l.Config.V)
	case c.UseLoRA:
		return fmt.Errorf("the tokenizer has %d ids, and the embedding of the model %d rows: resize_embeddings adds some only where all weights train, for an adapter's files have no place for them", ids, l.Config.V)
	}
	r.start, r.vocabulary = c.resized(), (ids+7)/8*8
	digest, err := l.Set.Digest()
	if err != nil {
		return err
	}
	of := fmt.Sprintf("%s with %d rows\n", proof.Hash(digest), r.vocabulary)
	memory := filepath.Join(c.resized(), "made.txt")
	if text, err := store.ReadFile(memory); err == nil && string(text) == of {
		return nil
	} else if err == nil && c.trained() {
		return c.otherRun("it began with another model")
	}
	if err := os.RemoveAll(c.resized()); err != nil {
		return err
	}
	work, err := store.CreateFolder(c.resized())
	if err != nil {
		return err
	}
	defer work.Abort()
	if err := enlarge(work.Path(), l, r.vocabulary); err != nil {
		return err
	}
	if err := store.WriteFile(filepath.Join(work.Path(), filepath.Base(memory)), []byte(of)); err != nil {
		return err
	}
	return work.Commit()
}

// enlarge writes the model with so many rows in the embedding, and in the head, to a folder. All numbers
// are the ones that were there, in float32; those of new rows are the mean of the others.
func enlarge(dir string, l *model.Loaded, rows int) error {
	larger := *l.Config
	larger.V, larger.VocabSize = rows, rows
	shapes := map[string][]int{} // of the parameters that get rows
	old := l.Config.Params()
	for i, p := range larger.Params() {
		if !slices.Equal(p.Shape, old[i].Shape) {
			shapes[p.Name] = p.Shape
		}
	}
	get := func(name string) ([]float32, error) {
		v, err := l.Param(name)
		if shape := shapes[name]; err == nil && shape != nil {
			v = withMeanRows(v, l.Config.V, shape[0])
		}
		return v, err
	}
	return model.SaveHF(dir, &larger, get, tensor.F32, 0, l.Stop)
}

// withMeanRows adds rows to a matrix of n rows until there are total: each the mean of the n, summed in
// float64 in their order.
func withMeanRows(v []float32, n, total int) []float32 {
	C := len(v) / n
	sums := make([]float64, C)
	for i, x := range v {
		sums[i%C] += float64(x)
	}
	out := append(make([]float32, 0, total*C), v...)
	for range total - n {
		for _, s := range sums {
			out = append(out, float32(s/float64(n)))
		}
	}
	return out
}
