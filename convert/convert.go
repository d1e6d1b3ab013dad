// Package convert takes a model from one layout into another, tokenizer and chat template
// included, and proves that what it wrote computes the same.
package convert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"olmo/model"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// Layouts lists the layouts that can be written.
var Layouts = []model.Layout{model.HuggingFace, model.Native, model.GGUF}

// Options say what becomes what.
type Options struct {
	From string // a folder or a .gguf file
	// IgnoreExtra leaves out tensors of From that its config has no place for, instead of an
	// error.
	IgnoreExtra bool
	To          model.Layout
	// Out is a folder that does not exist, or an empty one; for GGUF a file, if its name
	// ends in .gguf.
	Out        string
	DType      tensor.DType // Invalid: the source's own where the layout has it, else F32
	ShardBytes int64        // the most bytes of a file of a Hugging Face folder; 0: one file
	// Progress, if set, is told what is done of the parts "write" and "compare", in tensors.
	Progress func(part string, done, total int)
	// Warn, if set, is told what the output lacks although the conversion succeeds.
	Warn func(what string)
}

// Result says what was written.
type Result struct {
	Out   string // cleaned
	DType tensor.DType
	// Matrices counts the copy's matrices by dtype: rows that are no whole number of a
	// type's blocks take another one, and some matrices of GGUF files are kept finer.
	Matrices map[tensor.DType]int
	Proof    Proof
}

// Run converts a model: it writes beside Out under a temporary name, proves the copy, and
// only then gives it its name. A run that fails leaves nothing, and the next run for the
// same Out removes what a killed one left.
func Run(ctx context.Context, o Options) (*Result, error) {
	if !slices.Contains(Layouts, o.To) {
		return nil, fmt.Errorf("layout %q is not known\nhint: one of %v", o.To, Layouts)
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	from, err := model.OpenWith(o.From, model.OpenOptions{IgnoreExtra: o.IgnoreExtra})
	if err != nil {
		return nil, fmt.Errorf("opening the model %s: %w", o.From, err)
	}
	defer from.Close()
	for _, text := range from.Told() {
		o.Warn(text)
	}
	out := filepath.Clean(o.Out)
	asFile := o.To == model.GGUF && filepath.Ext(out) == ".gguf"
	if err := free(out, asFile, from.Path); err != nil {
		return nil, err
	}
	r := &Result{Out: out, DType: o.DType}
	if r.DType == tensor.Invalid {
		r.DType = kept(from.DType, o.To)
	}
	work, err := store.CreateFolder(out)
	if err != nil {
		return nil, err
	}
	defer work.Abort()
	if why := work.Unlocked(); why != nil {
		o.Warn(why.Error())
	}

	file := "model.gguf"
	if asFile {
		file = filepath.Base(out)
	}
	if err := write(ctx, from, o, work.Path(), file, r.DType); err != nil {
		return nil, err
	}
	written := work.Path()
	if o.To == model.GGUF {
		written = filepath.Join(written, file)
	}
	logits := filepath.Join(work.Path(), ".logits")
	proof, err := prove(ctx, from, written, r.DType, logits, func(done, total int) { o.Progress("compare", done, total) })
	if err != nil {
		return nil, fmt.Errorf("%w\nhint: the output was removed", err)
	}
	r.Proof = *proof
	if r.Matrices, err = matrices(written); err != nil {
		return nil, err
	}
	if err := errors.Join(from.Close(), os.Remove(logits)); err != nil {
		return nil, err
	}
	if asFile {
		return r, work.CommitFile(file)
	}
	return r, work.Commit()
}

// free reports an output that is the model itself, or that exists already, other than as
// an empty folder.
func free(out string, asFile bool, from string) error {
	files, folders := []string{out}, []string(nil)
	if !asFile {
		files, folders = folders, files
	}
	if err := store.Clash([]string{from}, files, folders); err != nil {
		return err
	}
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(entries) == 0 && !asFile:
		return nil
	}
	return fmt.Errorf("%s exists already\nhint: remove it, or choose another --out", out)
}

// kept is the dtype that keeps the source's numbers, where the layout has it.
func kept(have tensor.DType, to model.Layout) tensor.DType {
	switch have {
	case tensor.F32, tensor.F16, tensor.BF16:
		return have
	case tensor.Q8_0, tensor.Q6_K, tensor.Q4_K, tensor.Q4_0:
		if to == model.GGUF {
			return have
		}
	}
	return tensor.F32
}

// write puts the copy into dir; a GGUF file has the name file there.
func write(ctx context.Context, from *model.Loaded, o Options, dir, file string, dtype tensor.DType) error {
	done, total := 0, len(from.Config.Params())
	m := &memory{from: from}
	get := func(name string) ([]float32, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.settle()
		v, err := from.Param(name)
		m.took(v)
		done++
		// A tensor that shares a parameter with another asks for it again.
		o.Progress("write", min(done, total), total)
		return v, err
	}
	switch o.To {
	case model.HuggingFace:
		if err := model.SaveHF(dir, from.Config, get, dtype, o.ShardBytes, from.Stop); err != nil {
			return err
		}
		return writeTokenizer(dir, from, o.Warn)
	case model.Native:
		if err := model.SaveAI2(dir, from.Config, get, dtype, from.Stop); err != nil {
			return err
		}
		return writeTokenizer(dir, from, o.Warn)
	}
	var vocabulary []weights.KV
	switch {
	case from.GGUF != nil:
		vocabulary = tokenizerOf(from.GGUF)
	case from.Tokenizer != "":
		var err error
		if vocabulary, err = ggufVocabulary(from); err != nil {
			o.Warn(fmt.Sprintf("the file has no vocabulary: %v", err))
		}
	}
	if len(from.Stop) > 3 {
		o.Warn(fmt.Sprintf("a GGUF file names three ids that end a text, not all of %v", from.Stop))
	}
	return model.SaveGGUF(filepath.Join(dir, file), from.Config, get, dtype, vocabulary, from.Stop)
}

// matrices counts the matrices of a checkpoint by dtype.
func matrices(path string) (map[tensor.DType]int, error) {
	l, err := model.Open(path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	count := map[tensor.DType]int{}
	for _, n := range l.Set.All() {
		if len(n.Shape) > 1 {
			count[n.DType]++
		}
	}
	return count, nil
}

// memory keeps what is behind a conversion from counting as the process's: pages of the
// mapped files that were read, and tensors that nobody holds any more. The collector
// alone would let as much garbage pile up as the largest tensors take, which of a large
// vocabulary is a good part of the model.
type memory struct {
	from    *model.Loaded
	garbage int // bytes since the last collection
}

// took counts numbers that were made of a tensor.
func (m *memory) took(v []float32) { m.garbage += 4 * len(v) }

// settle gives back what is not held any more.
func (m *memory) settle() {
	m.from.Set.Forget()
	if m.garbage > 64<<20 {
		debug.FreeOSMemory()
		m.garbage = 0
	}
}
