package quickstart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"olmo/data"
	"olmo/data/tokens"
	"olmo/device/cpu"
	"olmo/graph"
	"olmo/lm"
	"olmo/model"
	"olmo/page"
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
		q.Print(fmt.Sprintf("%s bytes of text give a tokenizer of %s entries; from some 200,000 bytes on it has %s", page.Grouped(c.Bytes), page.Grouped(n), page.Grouped(vocabulary)))
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

// encoded is the result of making token files.
type encoded struct {
	tokens.Report
	// The held-out text is encoded too, for its loss during training.
	HeldOutFiles  []string `json:"held_out_files"`
	HeldOutTokens int64    `json:"held_out_tokens"`
}

// heldOutTokens is the folder of the held-out text's token files.
const heldOutTokens = "heldout/tokens"

// encode writes the token files.
func (q *quick) encode(ctx context.Context, corpus *CorpusInfo, c curated, v vocab) (encoded, error) {
	var out encoded
	t, err := tokenizer.Load(q.tokenizerFile())
	if err != nil {
		return out, err
	}
	eos, _ := t.TokenID(endOfText)
	write := func(documents []string, folder string) (tokens.Report, error) {
		var files []string
		for _, f := range documents {
			files = append(files, q.slashed(filepath.FromSlash(f)))
		}
		r, err := tokens.Run(ctx, tokens.Config{
			Documents: files, Destination: q.slashed("data", filepath.FromSlash(folder)), Encoder: t, Tokenizer: v.Fingerprint,
			EOS: &eos, DType: tokens.Uint16, Seed: 3920, Execution: data.Execution{Processes: threads()},
		})
		if err != nil {
			return r, err
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
	if out.Report, err = write(c.Files, "tokens"); err != nil {
		return out, err
	}
	var held []string
	for _, f := range corpus.HeldOut.Files {
		held = append(held, "data/"+f)
	}
	h, err := write(held, heldOutTokens)
	out.HeldOutFiles, out.HeldOutTokens = h.Files, h.Tokens
	return out, err
}

// trained is the result of training.
type trained struct {
	Step          int     `json:"step"`
	Tokens        int64   `json:"tokens"`
	FLOPs         float64 `json:"flops"`
	Parameters    int64   `json:"parameters"`
	WeightsDigest string  `json:"weights_digest"`
	TokensASecond float64 `json:"tokens_per_second"`
	StepFolder    string  `json:"step_folder"` // slashed, below the output folder
}

func (q *quick) runFolder() string { return q.path("run") }

// train trains the model, from the last checkpoint if there is one.
func (q *quick) train(ctx context.Context, corpus *CorpusInfo) (trained, error) {
	file := q.path("config", "train.yaml")
	c, err := train.LoadConfig(file, nil)
	if err != nil {
		return trained{}, err
	}
	if err := q.lengthen(c); err != nil {
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
		Sample: &lm.Samples{Tokenizer: tok, Prompts: corpus.Prompts[:min(1, len(corpus.Prompts))], MaxTokens: 24, Print: func(step int, prompt, text string) {
			q.Print(fmt.Sprintf("step %d writes: %s%s", step, prompt, oneLine(text)))
		}},
		Progress: func(p train.Progress) {
			if first.Step == 0 {
				first, began = p, time.Now()
			}
			last = p
			q.Progress(Progress{
				Stage: "train", Done: float64(p.Step * instances(q.Depth) * sequence), Total: float64(p.Steps * instances(q.Depth) * sequence), Unit: "tokens",
				Rate: p.TokensPerSecond, Loss: p.Loss, Left: p.Left,
				Note: fmt.Sprintf("step %d of %d", p.Step, p.Steps), Step: p.Step, Steps: p.Steps,
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
		FLOPs: flops(t.Model(), instances(q.Depth)) * float64(r.Step),
	}
	if n := last.Tokens - first.Tokens; n > 0 {
		out.TokensASecond = float64(n) / time.Since(began).Seconds()
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
