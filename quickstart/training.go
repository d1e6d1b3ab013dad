package quickstart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"olmo/data"
	"olmo/data/tokens"
	"olmo/device/cpu"
	"olmo/graph"
	"olmo/lm"
	"olmo/model"
	"olmo/store"
	"olmo/tokenizer"
	"olmo/train"
)

// vocab is the result of training the tokenizer.
type vocab struct {
	Entries     int    `json:"entries"`
	Fingerprint string `json:"fingerprint"`
}

func (q *quick) tokenizerFile() string { return q.path("tokenizer", "tokenizer.json") }

// trainTokenizer trains a byte-level BPE on the curated documents.
func (q *quick) trainTokenizer(ctx context.Context, c curated) (vocab, error) {
	text, err := tokenizer.Train(ctx, texts(q.Out, c.Files), tokenizer.TrainConfig{
		VocabSize: vocabulary, PreTokenizer: preTokenizer, SpecialTokens: []string{endOfText, padding},
	})
	if err != nil {
		return vocab{}, err
	}
	t, err := tokenizer.Parse(text)
	if err != nil {
		return vocab{}, err
	}
	if n := t.VocabSize(); n < vocabulary {
		return vocab{}, fmt.Errorf("%d bytes of text gave a tokenizer of %d entries, the model wants %d\nhint: give more text with --docs; some 200 KB are enough", c.Bytes, n, vocabulary)
	}
	if err := os.MkdirAll(filepath.Dir(q.tokenizerFile()), 0o755); err != nil {
		return vocab{}, err
	}
	w, err := data.CreateWriter(q.tokenizerFile())
	if err != nil {
		return vocab{}, err
	}
	defer w.Abort()
	if _, err := w.Write(text); err != nil {
		return vocab{}, err
	}
	return vocab{Entries: t.VocabSize(), Fingerprint: t.Fingerprint()}, w.Close()
}

// texts yields the texts of document files named below root.
func texts(root string, files []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for d, err := range documents(root, files) {
			if !yield(d.Text, err) || err != nil {
				return
			}
		}
	}
}

func documents(root string, files []string) iter.Seq2[data.Document, error] {
	return func(yield func(data.Document, error) bool) {
		for _, f := range files {
			if !eachDocument(filepath.Join(root, filepath.FromSlash(f)), yield) {
				return
			}
		}
	}
}

func eachDocument(path string, yield func(data.Document, error) bool) bool {
	r, err := data.OpenReader(path)
	if err != nil {
		return yield(data.Document{}, err)
	}
	defer r.Close()
	for {
		d, err := r.Next()
		if errors.Is(err, io.EOF) {
			return true
		}
		if !yield(d, err) || err != nil {
			return false
		}
	}
}

// encode writes the token files.
func (q *quick) encode(ctx context.Context, c curated, v vocab) (tokens.Report, error) {
	t, err := tokenizer.Load(q.tokenizerFile())
	if err != nil {
		return tokens.Report{}, err
	}
	eos, _ := t.TokenID(endOfText)
	var files []string
	for _, f := range c.Files {
		files = append(files, q.slashed(filepath.FromSlash(f)))
	}
	r, err := tokens.Run(ctx, tokens.Config{
		Documents: files, Destination: q.slashed("data", "tokens"), Encoder: t, Tokenizer: v.Fingerprint,
		EOS: &eos, DType: tokens.Uint16, Seed: 3920, Execution: data.Execution{Processes: threads()},
	})
	if err != nil {
		return r, err
	}
	if n := r.Tokens / sequence; n < int64(instances(q.Depth)) {
		return r, fmt.Errorf("the corpus gives %d tokens, %d instances of %d; a step takes %d\nhint: give more text with --docs", r.Tokens, n, sequence, instances(q.Depth))
	}
	for i := range r.Files {
		rel, err := filepath.Rel(q.Out, r.Files[i])
		if err != nil {
			return r, err
		}
		r.Files[i] = filepath.ToSlash(rel)
	}
	return r, nil
}

// trained is the result of training.
type trained struct {
	Step          int     `json:"step"`
	Tokens        int64   `json:"tokens"`
	Seconds       float64 `json:"seconds"` // of this last session
	FLOPs         float64 `json:"flops"`
	Parameters    int64   `json:"parameters"`
	WeightsDigest string  `json:"weights_digest"`
	TokensASecond float64 `json:"tokens_per_second"`
	StepFolder    string  `json:"step_folder"` // slashed, below the output folder
}

func (q *quick) runFolder() string { return q.path("run") }

// plan writes config/train.yaml. With a budget of time the speed is measured once, on
// the first batches; from then on the config's number of steps is what counts.
// The result is the config's place below the output folder.
func (q *quick) plan(ctx context.Context, t tokens.Report, heldOut int64) (string, error) {
	if _, err := os.Stat(q.runFolder()); err == nil {
		q.Print("the plan has changed: the earlier run is removed")
		if err := store.RemoveFolder(q.runFolder()); err != nil {
			return "", err
		}
	}
	c := q.trainConfig(t.Files)
	steps := q.Steps
	if steps == 0 {
		second, err := q.measure(ctx, c)
		if err != nil {
			return "", err
		}
		left := q.Minutes*60 - q.elapsed() - q.reserve(second, t, heldOut)
		steps = max(20, int(left/second))
	}
	setSteps(c, steps)
	return "config/train.yaml", q.writeConfig("train", c)
}

// trainConfig is the run's configuration but for the number of steps.
func (q *quick) trainConfig(files []string) *train.Config {
	c := recipe(q.Depth)
	for _, f := range files {
		c.Data.Paths = append(c.Data.Paths, q.slashed(filepath.FromSlash(f)))
	}
	c.SaveFolder = filepath.ToSlash(q.runFolder())
	c.Tokenizer.Identifier = filepath.ToSlash(q.tokenizerFile())
	return c
}

// setSteps fits a run to a number of steps, with five checkpoints on the way.
func setSteps(c *train.Config, steps int) {
	c.MaxDuration, c.StopAt = train.Duration{Steps: steps}, &steps
	every := max(1, (steps+4)/5)
	c.SaveInterval = &every
	c.SampleInterval = every
}

// elapsed returns the seconds that the stages so far took, in this and earlier calls.
func (q *quick) elapsed() float64 {
	var s float64
	for _, t := range q.times {
		s += t.Seconds
	}
	return max(s, time.Since(q.began).Seconds())
}

// reserve returns the seconds to keep for what follows training. Scoring a token takes
// about a fifth of training on one.
func (q *quick) reserve(step float64, t tokens.Report, heldOut int64) float64 {
	perToken := step / float64(instances(q.Depth)*sequence)
	bytesPerToken := float64(t.Bytes) / float64(t.Tokens)
	const others = 600_000 + 250_000 // bytes of the other domain and of the multiple-choice task
	score := float64(heldOut+others) / bytesPerToken * perToken * 0.22
	return score + 5 // checkpoints, compressors, samples, release, report
}

// measure returns the seconds of a training step.
func (q *quick) measure(ctx context.Context, c *train.Config) (float64, error) {
	q.Progress(Progress{Stage: "train", Note: "measuring the speed"})
	try := *c
	stop := 1 << 30
	try.StopAt, try.MaxDuration, try.TryLoadLatestSave = &stop, train.Duration{Steps: stop}, false
	dev, err := cpu.New()
	if err != nil {
		return 0, err
	}
	t, err := train.New(&try, dev, train.Options{})
	if err != nil {
		return 0, err
	}
	defer t.Close()
	var times []float64
	for i := range 8 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		begin := time.Now()
		if _, err := t.Step(); err != nil {
			return 0, err
		}
		if i > 0 { // the first one allocates
			times = append(times, time.Since(begin).Seconds())
		}
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// train trains the model, from the last checkpoint if there is one.
func (q *quick) train(ctx context.Context, file string) (trained, error) {
	c, err := train.LoadConfig(file, nil)
	if err != nil {
		return trained{}, err
	}
	dev, err := cpu.New()
	if err != nil {
		return trained{}, err
	}
	tok, err := tokenizer.Load(q.tokenizerFile())
	if err != nil {
		return trained{}, err
	}
	began := time.Now()
	var first, last train.Progress
	t, err := train.New(c, dev, train.Options{
		ConfigPath: file,
		Warn:       q.Print,
		Sample: &lm.Samples{Tokenizer: tok, Prompts: prompts[:1], MaxTokens: 24, Print: func(step int, prompt, text string) {
			q.Print(fmt.Sprintf("step %d writes: %s%s", step, prompt, oneLine(text)))
		}},
		Progress: func(p train.Progress) {
			if first.Step == 0 {
				first, began = p, time.Now()
			}
			last = p
			q.Progress(Progress{
				Stage: "train", Done: float64(p.Step * instances(q.Depth) * sequence), Total: float64(p.Steps * instances(q.Depth) * sequence), Unit: "tokens",
				Rate: p.TokensPerSecond, Loss: p.Loss, Left: p.Left, Note: fmt.Sprintf("step %d of %d", p.Step, p.Steps),
			})
		},
	})
	if err != nil {
		return trained{}, err
	}
	defer t.Close()
	r, err := t.Run(ctx)
	if err != nil {
		return trained{}, err
	}
	if r.Reason == train.Interrupted {
		return trained{}, context.Canceled
	}
	step, err := train.Latest(q.runFolder())
	if err != nil {
		return trained{}, err
	}
	m, err := train.CheckCheckpoint(step)
	if err != nil {
		return trained{}, err
	}
	rel, err := filepath.Rel(q.Out, step)
	if err != nil {
		return trained{}, err
	}
	all, _ := t.Model().NumParams()
	out := trained{
		Step: r.Step, Tokens: t.State().Tokens, Parameters: int64(all), WeightsDigest: m.WeightsDigest.String(), StepFolder: filepath.ToSlash(rel),
		Seconds: time.Since(began).Seconds(), FLOPs: flops(t.Model(), instances(q.Depth)) * float64(r.Step),
	}
	if n := last.Tokens - first.Tokens; n > 0 {
		out.TokensASecond = float64(n) / out.Seconds
	}
	return out, nil
}

// flops counts the products of a step on n sequences, forward and backward.
func flops(m *model.Config, n int) float64 {
	g := graph.New()
	m.LossAndGradients(g, 0, model.RecomputeNothing)
	return g.FLOPs(graph.Sequence(make([]int32, n*sequence), n))
}

// load opens the last checkpoint; Close ends it.
func (q *quick) load(t trained) (*lm.Model, error) {
	tok, err := tokenizer.Load(q.tokenizerFile())
	if err != nil {
		return nil, err
	}
	return lm.Open(q.path(filepath.FromSlash(t.StepFolder)), lm.Options{Tokenizer: tok})
}
