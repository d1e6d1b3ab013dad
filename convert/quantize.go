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
	// GPTQ rounds the columns of Calibrate's text one after the other, so that each makes up for those before it.
	GPTQ bool
	// Imatrix is a file of llama-imatrix, or of SaveImatrix, that has the importance already; empty: none.
	Imatrix string
	// SaveImatrix is a GGUF file to write the measured importance to, in the form of llama-imatrix; empty: none.
	// CalibrateFile is the name of the text that it mentions.
	SaveImatrix, CalibrateFile string
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
	GPTQ       bool    // as in QuantizeOptions
	Imatrix    string  // the file that the importance was read from; empty: none
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
	if q.SaveImatrix != "" {
		if err := free(q.SaveImatrix, true, []string{from.Path}); err != nil {
			return nil, err
		}
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
	r := &Quantized{Out: out, Mixture: q.Mixture, SourceBytes: sizeOf(from), GPTQ: q.GPTQ, Imatrix: q.Imatrix}
	file := filepath.Base(out)
	columns, err := q.write(ctx, from, o, work.Path(), file)
	if err != nil {
		return nil, err
	}
	if q.Calibrate != nil {
		r.Calibrated = columns.tokens()
	}
	written := filepath.Join(work.Path(), file)
	if err := r.look(written); err != nil {
		return nil, err
	}
	if columns != nil && !r.weighed() {
		o.Warn("the importance of columns changes nothing here: q8_0, f16 and f32 take none")
	}
	if list != nil {
		if r.Report, err = reportOn(ctx, from, written, list, func(done, total int) { o.Progress("report", done, total) }); err != nil {
			return nil, fmt.Errorf("%w\nhint: the output was removed", err)
		}
	}
	if err := from.Close(); err != nil {
		return nil, err
	}
	if q.SaveImatrix != "" {
		if err := columns.write(q.SaveImatrix, from.Config, q.CalibrateFile, min(reportWindow, from.Config.T)); err != nil {
			return nil, err
		}
	}
	return r, work.CommitFile(file)
}

// leastCalibration is the number of tokens below which a text says too little of the columns: two windows, as
// llama-imatrix has it.
const leastCalibration = 2 * reportWindow

// write writes the file, and returns the importance of the columns by which it was made; nil: by none.
func (q *QuantizeOptions) write(ctx context.Context, from *model.Loaded, o Options, dir, file string) (columns importance, err error) {
	read := func(done, total int) { o.Progress("calibrate", done, total) }
	switch {
	case q.Calibrate != nil:
		list, err := q.calibration(from)
		if err != nil {
			return nil, err
		}
		if q.GPTQ {
			return writeGPTQ(ctx, from, o, dir, file, list, read)
		}
		if columns, err = calibrate(ctx, from, list, read); err != nil {
			return nil, err
		}
	case q.Imatrix != "":
		if columns, err = q.readImatrix(from.Config, o.Warn); err != nil {
			return nil, err
		}
	}
	if columns != nil {
		if o.encode, err = columns.weighted(from.Config); err != nil {
			return nil, err
		}
	}
	return columns, write(ctx, from, o, dir, file)
}

// calibration returns the windows of ids of the text to calibrate on.
func (q *QuantizeOptions) calibration(from *model.Loaded) ([][]int32, error) {
	t, err := lm.TokenizerOf(from)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, noTokenizer(from)
	}
	list, err := windows(t, from.Config, q.Calibrate)
	if err != nil {
		return nil, err
	}
	tokens := 0
	for _, ids := range list {
		tokens += len(ids)
	}
	if tokens < leastCalibration {
		return nil, fmt.Errorf("the calibration text has %d tokens, at least %d are needed\nhint: some thousand tokens of the kind of text that the model will read", tokens, leastCalibration)
	}
	return list, nil
}

// readImatrix reads the importance of a file.
func (q *QuantizeOptions) readImatrix(c *model.Config, warn func(string)) (importance, error) {
	columns, missing, err := readImatrix(q.Imatrix, c)
	if n := len(missing); err == nil && n > 0 {
		warn(fmt.Sprintf("%s says nothing about %s, which count as without it", q.Imatrix, some(missing)))
	}
	return columns, err
}

// some lists the first of many names.
func some(names []string) string {
	const most = 8
	text := strings.Join(names[:min(len(names), most)], ", ")
	if n := len(names) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
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

// weighed tells whether some matrix has a type that takes importance.
func (r *Quantized) weighed() bool {
	for d := range r.Matrices {
		if d.IsQuantized() && d != tensor.Q8_0 {
			return true
		}
	}
	return false
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
