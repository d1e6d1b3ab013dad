package convert

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"olmo/lm"
	"olmo/model"
	"olmo/store"
	"olmo/tensor"
)

// QuantizeOptions say what becomes of which model.
type QuantizeOptions struct {
	From        string // a model of any layout
	IgnoreExtra bool   // as in Options
	Out         string // a .gguf file that is not there
	Mixture     *model.Mixture
	// Calibrate are texts on which the importance of each column is measured, by which errors count; nil: all
	// count as llama-quantize has it.
	Calibrate []string
	// Evaluate are the texts of the report; nil: one of a few KB that the program has.
	Evaluate []string
	NoReport bool
	Progress func(part string, done, total int) // as in Options
	Warn     func(what string)                  // as in Options
}

// Quantized says what was written.
type Quantized struct {
	Out         string // cleaned
	Mixture     *model.Mixture
	Bytes       int64                // of the file
	SourceBytes int64                // of the source's tensors
	Matrices    map[tensor.DType]int // of the file
	// Unquantized names the matrices that are no blocks: routers and positions, and rows that no block fits.
	Unquantized []string
	// Misfits are the matrices whose rows the mixture's blocks do not fill, and what they became.
	Misfits    []Misfit
	Calibrated int     // tokens that the importance was measured on; 0: none
	Report     *Report // nil: none was wanted, or the model has no tokenizer
}

// Quantize writes a model as a quantised GGUF file, and reports how it answers beside its source. The file
// has its name when the report is made. A run that fails leaves nothing.
func Quantize(ctx context.Context, q QuantizeOptions) (*Quantized, error) {
	o := Options{From: q.From, IgnoreExtra: q.IgnoreExtra, To: model.GGUF, Out: q.Out, DType: q.Mixture.DType, Mixture: q.Mixture, Progress: q.Progress, Warn: q.Warn, encode: encode}
	from, err := o.open()
	if err != nil {
		return nil, err
	}
	defer from.Close()
	out := filepath.Clean(q.Out)
	if err := free(out, true, []string{from.Path}); err != nil {
		return nil, err
	}
	if err := q.Mixture.Unused(from.Config); err != nil {
		return nil, err
	}
	if list := quantizedAlready(from); list != "" {
		o.Warn(fmt.Sprintf("the source is quantised already (%s): what that lost stays lost, and the report compares with it, not with the model that it was made of", list))
	}
	list, err := q.evaluation(from, o.Warn)
	if err != nil {
		return nil, err
	}
	work, err := store.CreateFolder(out)
	if err != nil {
		return nil, err
	}
	defer work.Abort()
	if why := work.Unlocked(); why != nil {
		o.Warn(why.Error())
	}
	r := &Quantized{Out: out, Mixture: q.Mixture, SourceBytes: sizeOf(from)}
	if q.Calibrate != nil {
		if r.Calibrated, o.encode, err = q.calibrated(ctx, from, o.Progress); err != nil {
			return nil, err
		}
	}
	file := filepath.Base(out)
	if err := write(ctx, from, o, work.Path(), file); err != nil {
		return nil, err
	}
	written := filepath.Join(work.Path(), file)
	if err := r.look(written); err != nil {
		return nil, err
	}
	if list != nil {
		if r.Report, err = reportOn(ctx, from, written, list, func(done, total int) { o.Progress("report", done, total) }); err != nil {
			return nil, fmt.Errorf("%w\nhint: the output was removed", err)
		}
	}
	if err := from.Close(); err != nil {
		return nil, err
	}
	return r, work.CommitFile(file)
}

// calibrated measures the importance of the source's columns, on how many tokens, and returns the way to encode by it.
func (q *QuantizeOptions) calibrated(ctx context.Context, from *model.Loaded, progress func(part string, done, total int)) (tokens int, as model.Encode, err error) {
	t, err := lm.TokenizerOf(from)
	if err != nil {
		return 0, nil, err
	}
	if t == nil {
		return 0, nil, noTokenizer(from)
	}
	list, err := windows(t, from.Config, q.Calibrate)
	if err != nil {
		return 0, nil, err
	}
	for _, ids := range list {
		tokens += len(ids)
	}
	columns, err := calibrate(ctx, from, list, func(done, total int) { progress("calibrate", done, total) })
	if err != nil {
		return 0, nil, err
	}
	as, err = columns.weighted(from.Config)
	return tokens, as, err
}

// evaluation returns the report's windows of ids; nil: there is no report.
func (q *QuantizeOptions) evaluation(from *model.Loaded, warn func(string)) ([][]int32, error) {
	if q.NoReport {
		return nil, nil
	}
	if from.Config.Reward {
		warn("there is no report: a reward model judges texts, and expects no next token")
		return nil, nil
	}
	t, err := lm.TokenizerOf(from)
	switch {
	case err != nil:
		return nil, err
	case t == nil && q.Evaluate != nil:
		return nil, noTokenizer(from)
	case t == nil:
		warn("there is no report: the model has no tokenizer to read a text with")
		return nil, nil
	}
	texts := q.Evaluate
	if texts == nil {
		texts = []string{evaluateText}
	}
	return windows(t, from.Config, texts)
}

func noTokenizer(from *model.Loaded) error {
	return fmt.Errorf("the model %s has no tokenizer to read a text with\nhint: put its tokenizer.json beside its weights", from.Path)
}

// encode quantises the numbers of a tensor, which have to be finite.
func encode(_ string, shape []int, v []float32, d tensor.DType) ([]byte, error) {
	if err := finite(shape, v); err != nil {
		return nil, err
	}
	t, err := tensor.FromFloat32(shape, v).Convert(d)
	return t.Data, err
}

// finite reports the first number of a tensor that is none.
func finite(shape []int, v []float32) error {
	cols := shape[len(shape)-1]
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("row %d, column %d is %v, and no block holds that\nhint: olmo check lists what is wrong with the weights", i/cols, i%cols, x)
		}
	}
	return nil
}

// quantizedAlready lists the block types of a source; empty: it has none.
func quantizedAlready(from *model.Loaded) string {
	if from.Stored != "" {
		return from.Stored
	}
	count := map[tensor.DType]int{}
	for _, n := range from.Set.All() {
		if n.DType.IsQuantized() {
			count[n.DType]++
		}
	}
	return counted(count)
}

// sizeOf sums the bytes of a source's tensors.
func sizeOf(from *model.Loaded) (sum int64) {
	for _, n := range from.Set.All() {
		if size, err := n.DType.Bytes(n.Shape); err == nil {
			sum += int64(size)
		}
	}
	return sum
}

// look reads what was written: its size, and the dtypes of its matrices.
func (r *Quantized) look(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	r.Bytes = st.Size()
	c := Result{DType: r.Mixture.DType}
	if err := c.matrices(path); err != nil {
		return err
	}
	r.Matrices, r.Misfits = c.Matrices, c.Misfits
	l, err := model.Open(path)
	if err != nil {
		return err
	}
	for _, n := range l.Set.All() {
		if len(n.Shape) > 1 && !n.DType.IsQuantized() {
			r.Unquantized = append(r.Unquantized, fmt.Sprintf("%s (%s)", n.Name, strings.ToLower(n.DType.String())))
		}
	}
	return errors.Join(l.Close())
}
