// Package convert takes a model from one layout into another, tokenizer and chat template
// included, and proves that what it wrote computes the same.
package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

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
	// Adapters are merged into the model, if there are any. The logits that the copy is compared with
	// are then those of the model that runs with their sum beside it.
	Adapters []Adapter
	To       model.Layout
	// Out is a folder that does not exist, or an empty one; for GGUF a file, if its name
	// ends in .gguf.
	Out   string
	DType tensor.DType // Invalid: each tensor's own where the layout has it, else F32
	// Mixture, for GGUF, stands in the place of DType: each tensor has the dtype that it says.
	Mixture    *model.Mixture
	ShardBytes int64 // the most bytes of a file of a Hugging Face folder; 0: one file
	// Progress, if set, is told what is done of the parts "write" and "compare", in tensors.
	Progress func(part string, done, total int)
	// Warn, if set, is told what the output lacks although the conversion succeeds.
	Warn func(what string)

	encode model.Encode // makes the bytes of a GGUF file's tensors; nil: by rounding
}

// Adapter is a folder with an adapter, as PEFT writes them, and how many times it is added.
type Adapter struct {
	Folder string
	Times  float64
}

// Result says what was written.
type Result struct {
	Out     string // cleaned
	DType   tensor.DType
	Mixture *model.Mixture // of Options
	// Kept says that no dtype was asked for: DType is then that of most bytes.
	Kept bool
	// Matrices counts the copy's matrices by dtype; some of GGUF files are kept finer.
	Matrices map[tensor.DType]int
	// Misfits are the matrices whose rows DType's blocks do not fill, and what they became.
	Misfits []Misfit
	Proof   Proof
}

// Misfit counts matrices of rows of Columns numbers, no whole number of blocks, that became DType.
type Misfit struct {
	Columns int
	DType   tensor.DType
	Count   int
}

// Run converts a model: it writes beside Out under a temporary name, proves the copy, and
// only then gives it its name. A run that fails leaves nothing, and the next run for the
// same Out removes what a killed one left.
func Run(ctx context.Context, o Options) (*Result, error) {
	if !slices.Contains(Layouts, o.To) {
		return nil, fmt.Errorf("layout %q is not known\nhint: one of %v", o.To, Layouts)
	}
	if o.Mixture != nil {
		o.DType = o.Mixture.DType
	}
	if o.DType != tensor.Invalid {
		if err := o.To.Fits(o.DType); err != nil {
			return nil, err
		}
	}
	from, err := o.open()
	if err != nil {
		return nil, err
	}
	defer from.Close()
	out := filepath.Clean(o.Out)
	asFile := o.To == model.GGUF && filepath.Ext(out) == ".gguf"
	inputs := []string{from.Path}
	for _, a := range o.Adapters {
		inputs = append(inputs, a.Folder)
	}
	if err := free(out, asFile, inputs); err != nil {
		return nil, err
	}
	adapter := "" // the folder of their sum
	if len(o.Adapters) > 0 {
		p, err := o.merge(from)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		if adapter = p.Path; adapter != o.Adapters[0].Folder {
			defer os.RemoveAll(adapter)
		}
	}
	r := &Result{Out: out, DType: o.DType, Mixture: o.Mixture, Kept: o.DType == tensor.Invalid}
	explains := o.DType
	if r.Kept {
		explains = tensor.F32 // what is kept or widened is the same number
		if adapter != "" {
			explains = from.DType // to which sums are rounded
		}
		if list := widened(from, o.To); list != "" {
			o.Warn(fmt.Sprintf("%s of the source cannot be kept in the layout %s: widened to f32", list, o.To))
		}
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
	if err := write(ctx, from, o, work.Path(), file); err != nil {
		return nil, err
	}
	written := work.Path()
	if o.To == model.GGUF {
		written = filepath.Join(written, file)
	}
	logits := filepath.Join(work.Path(), ".logits")
	proof, err := prove(ctx, from, adapter, written, explains, logits, func(done, total int) { o.Progress("compare", done, total) })
	if err != nil {
		return nil, fmt.Errorf("%w\nhint: the output was removed", err)
	}
	r.Proof = *proof
	if err := r.matrices(written); err != nil {
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

// open opens the source, and says what of its files is left out.
func (o *Options) open() (*model.Loaded, error) {
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
	for _, text := range from.Told() {
		o.Warn(text)
	}
	if err := tokenizerDelivered(from); err != nil {
		return nil, errors.Join(err, from.Close())
	}
	return from, nil
}

// merge opens the adapters, with which the parameters of the model are then read. Of several, or one that
// is not added once, there is a folder with their sum, for the caller to remove.
func (o *Options) merge(from *model.Loaded) (*model.PEFT, error) {
	quantised := from.Stored != "" || slices.ContainsFunc(from.Set.All(), func(n weights.Named) bool { return n.DType.IsQuantized() })
	if quantised && o.DType == tensor.Invalid {
		return nil, fmt.Errorf("the weights of %s are quantised, and what is merged into them must get a dtype\nhint: --dtype bf16, say; a quantised one (with --out FILE.gguf) quantises anew, which loses more", o.From)
	}
	var list []*model.PEFT
	var times []float64
	for _, a := range o.Adapters {
		p, err := model.OpenPEFT(a.Folder, from.Config)
		if err != nil {
			for _, p := range list {
				err = errors.Join(err, p.Close())
			}
			return nil, fmt.Errorf("opening the adapter %s: %w", a.Folder, err)
		}
		list, times = append(list, p), append(times, a.Times)
	}
	p := list[0]
	if len(list) > 1 || times[0] != 1 {
		var err error
		if p, err = sumOf(from, list, times); err != nil {
			return nil, err
		}
	}
	if err := from.MoreStops(o.Adapters[0].Folder); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	from.Merge(p)
	if own := filepath.Join(o.Adapters[0].Folder, "tokenizer.json"); exists(own) {
		from.Tokenizer = own
	}
	return p, nil
}

// sumOf writes the sum of adapters, which it closes, to a folder of its own, and opens that.
func sumOf(from *model.Loaded, list []*model.PEFT, times []float64) (*model.PEFT, error) {
	dir, err := os.MkdirTemp("", "olmo-adapter-")
	if err == nil {
		err = model.CombinePEFT(dir, from.Config, list, times)
	}
	for _, p := range list {
		err = errors.Join(err, p.Close())
	}
	var sum *model.PEFT
	if err == nil {
		sum, err = model.OpenPEFT(dir, from.Config)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adding adapters: %w", err), os.RemoveAll(dir))
	}
	return sum, nil
}

// free reports an output that is the model itself, or that exists already, other than as
// an empty folder.
func free(out string, asFile bool, inputs []string) error {
	files, folders := []string{out}, []string(nil)
	if !asFile {
		files, folders = folders, files
	}
	if err := store.Clash(inputs, files, folders); err != nil {
		return err
	}
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return store.CanCreateIn(filepath.Dir(out))
	case err == nil && len(entries) == 0 && !asFile:
		return nil
	}
	if _, gone := os.Lstat(out); gone != nil {
		return store.CanCreateIn(filepath.Dir(out)) // what is in the way is another
	}
	return fmt.Errorf("%s exists already\nhint: remove it, or name another place", out)
}

// widened lists the dtypes of the source's tensors that a layout does not have.
func widened(from *model.Loaded, to model.Layout) string {
	count := map[tensor.DType]int{}
	for _, n := range from.Set.All() {
		if to.Fits(n.DType) != nil {
			count[n.DType]++
		}
	}
	return counted(count)
}

// counted lists dtypes with how many tensors have each.
func counted(count map[tensor.DType]int) string {
	var list []string
	for _, d := range slices.Sorted(maps.Keys(count)) {
		list = append(list, fmt.Sprintf("%s (tensors: %d)", strings.ToLower(d.String()), count[d]))
	}
	return strings.Join(list, ", ")
}

// write puts the copy into dir; a GGUF file has the name file there.
func write(ctx context.Context, from *model.Loaded, o Options, dir, file string) error {
	total := len(from.Config.Params())
	m := &memory{from: from}
	seen := map[string]bool{} // a tensor that shares a parameter with another asks for it again
	asked := func(name string) error {
		m.settle()
		seen[name] = true
		o.Progress("write", len(seen), total)
		return ctx.Err()
	}
	get := func(name string) ([]float32, error) {
		if err := asked(name); err != nil {
			return nil, err
		}
		v, err := from.Param(name)
		m.took(v)
		return v, err
	}
	own := o.DType == tensor.Invalid
	switch o.To {
	case model.HuggingFace:
		var err error
		if own {
			err = from.SaveHF(dir, get, asked, o.ShardBytes)
		} else {
			err = model.SaveHF(dir, from.Config, get, o.DType, o.ShardBytes, from.Stop)
		}
		if err != nil {
			return err
		}
		return writeTokenizer(dir, from, o.Adapters, o.Warn)
	case model.Native:
		var err error
		if own {
			err = from.SaveAI2(dir, get, asked)
		} else {
			err = model.SaveAI2(dir, from.Config, get, o.DType, from.Stop)
		}
		if err != nil {
			return err
		}
		return writeTokenizer(dir, from, o.Adapters, o.Warn)
	}
	vocabulary := vocabularyOf(from, o.Warn)
	if own {
		return from.SaveGGUF(filepath.Join(dir, file), get, asked, vocabulary)
	}
	mixture := o.Mixture
	if mixture == nil {
		mixture = model.Uniform(o.DType)
	}
	return from.SaveMixture(filepath.Join(dir, file), get, asked, mixture, o.encode, vocabulary)
}

// vocabularyOf returns the part of a GGUF file's metadata that is the tokenizer's; nil where
// there is none.
func vocabularyOf(from *model.Loaded, warn func(string)) (vocabulary []weights.KV) {
	switch {
	case from.Tokenizer != "":
		var err error
		if vocabulary, err = ggufVocabulary(from); err != nil {
			warn(fmt.Sprintf("the file has no vocabulary: %v", err))
		}
	case from.GGUF != nil:
		vocabulary = tokenizerOf(from.GGUF)
	}
	if len(from.Stop) > 3 {
		warn(fmt.Sprintf("a GGUF file names three ids that end a text, not all of %v", from.Stop))
	}
	return vocabulary
}

// matrices counts the matrices of the copy, and finds the dtype of one that keeps its source's.
func (r *Result) matrices(path string) error {
	l, err := model.Open(path)
	if err != nil {
		return err
	}
	defer l.Close()
	if r.Kept {
		r.DType = l.DType
	}
	r.Matrices = map[tensor.DType]int{}
	misfits := map[Misfit]int{}
	for _, n := range l.Set.All() {
		if len(n.Shape) < 2 {
			continue
		}
		r.Matrices[n.DType]++
		if cols := n.Shape[len(n.Shape)-1]; cols%r.DType.BlockSize() != 0 && n.DType != tensor.F32 && !r.Kept {
			misfits[Misfit{Columns: cols, DType: n.DType}]++
		}
	}
	for m, count := range misfits {
		m.Count = count
		r.Misfits = append(r.Misfits, m)
	}
	slices.SortFunc(r.Misfits, func(a, b Misfit) int {
		return cmp.Or(b.Count-a.Count, a.Columns-b.Columns, int(a.DType)-int(b.DType))
	})
	return nil
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
