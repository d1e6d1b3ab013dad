package quickstart

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"olmo/data"
	"olmo/eval"
	"olmo/generate"
	"olmo/lm"
)

// judged is the result of the evaluation.
type judged struct {
	HeldOut     eval.Perplexity   `json:"held_out"`
	OtherDomain *OtherDomain      `json:"other_domain"`
	Choices     []ChoiceResult    `json:"choices"`
	Compressed  []Compressed      `json:"compressed"`
	Files       map[string]string `json:"files"`
}

// evaluate measures the held-out text beside the compressors, a text of another
// domain, and a multiple-choice task. Every score is kept below eval/.
func (q *quick) evaluate(ctx context.Context, corpus CorpusInfo, t trained) (judged, error) {
	var out judged
	l, err := q.load(t)
	if err != nil {
		return out, err
	}
	defer l.Close()
	scorer, err := l.Scorer(l.Config.T)
	if err != nil {
		return out, err
	}
	if err := os.MkdirAll(q.path("eval"), 0o755); err != nil {
		return out, err
	}
	eos, _ := l.Tokenizer.TokenID(endOfText)
	measure := func(name string, total int64, texts iter.Seq2[eval.Text, error]) (eval.Perplexity, error) {
		w, err := newLines(q.path("eval", name+".jsonl"))
		if err != nil {
			return eval.Perplexity{}, err
		}
		defer w.Abort()
		p, err := eval.BitsPerByte(ctx, scorer, l.Tokenizer, texts, eval.BitsPerByteOptions{
			Window: l.Config.T, Prefix: eos, EndOfText: true,
			Progress: func(bytes int64) {
				q.Progress(Progress{Stage: "evaluate", Done: float64(bytes) / 1e6, Total: float64(total) / 1e6, Unit: "MB", Note: name})
			},
		}, func(d eval.DocumentScore) error { return w.write(d) })
		if err != nil {
			return p, fmt.Errorf("%s: %w", name, err)
		}
		return p, w.Close()
	}
	held := func(yield func(eval.Text, error) bool) {
		for d, err := range documents(q.path("data"), corpus.HeldOut.Files) {
			if !yield(eval.Text{ID: d.ID, Text: d.Text}, err) || err != nil {
				return
			}
		}
	}
	if out.HeldOut, err = measure("heldout", corpus.HeldOut.Bytes, held); err != nil {
		return out, err
	}
	if corpus.OtherDomain != "" {
		text, err := os.ReadFile(corpus.OtherDomain)
		if err != nil {
			return out, err
		}
		name := filepath.Base(corpus.OtherDomain)
		p, err := measure("otherdomain", int64(len(text)), func(yield func(eval.Text, error) bool) {
			yield(eval.Text{ID: name, Text: string(text)}, nil)
		})
		if err != nil {
			return out, err
		}
		out.OtherDomain = &OtherDomain{Name: name, Bytes: p.Bytes, BitsPerByte: p.BitsPerByte}
	}
	questions, err := eval.ARCEasy()
	if err != nil {
		return out, err
	}
	w, err := newLines(q.path("eval", "arc_easy.jsonl"))
	if err != nil {
		return out, err
	}
	defer w.Abort()
	q.Progress(Progress{Stage: "evaluate", Note: "arc_easy"})
	score, err := eval.Choose(ctx, scorer, l.Tokenizer, l.Config.T, "arc_easy", questions, func(r eval.Request) error { return w.write(r) })
	if err != nil {
		return out, fmt.Errorf("arc_easy: %w", err)
	}
	if err := w.Close(); err != nil {
		return out, err
	}
	out.Choices = []ChoiceResult{{
		Task: "ARC-Easy (validation)", Questions: score.Questions, Accuracy: score.Accuracy, Chance: score.Chance, Metric: "acc", Requests: "eval/arc_easy.jsonl",
	}}
	text, err := ReadText(q.path("data"), corpus.HeldOut)
	if err != nil {
		return out, err
	}
	q.Progress(Progress{Stage: "evaluate", Note: "gzip, xz, zstd"})
	out.Compressed, err = Compress(ctx, text, corpus.HeldOut.SHA256)
	return out, err
}

// lines writes a JSONL file, whole or not at all.
type lines struct {
	*data.Writer
	enc *json.Encoder
}

func newLines(path string) (*lines, error) {
	w, err := data.CreateWriter(path)
	if err != nil {
		return nil, err
	}
	return &lines{w, json.NewEncoder(w)}, nil
}

func (l *lines) write(v any) error { return l.enc.Encode(v) }

// prompts are what the model is asked to continue.
var prompts = []string{"Package http implements", "Copyright 2012 The Go Authors.", "The function returns an error if", "Close closes the"}

// sample asks the model for a few texts, greedily and by chance.
func (q *quick) sample(ctx context.Context, t trained) ([]Sample, error) {
	m, err := q.load(t)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	g, err := m.Generator(lm.GeneratorOptions{})
	if err != nil {
		return nil, err
	}
	var out []Sample
	for i, s := range []struct {
		name string
		generate.Sampling
	}{{"greedy", generate.Sampling{}}, {"temperature 0.8, top-p 0.95", generate.Sampling{Temperature: 0.8, TopP: 0.95, Seed: 1}}} {
		for j, p := range prompts {
			q.Progress(Progress{Stage: "sample", Done: float64(i*len(prompts) + j), Total: float64(2 * len(prompts)), Unit: "texts"})
			a, err := g.Generate(ctx, lm.Request{Prompt: m.Tokenizer.AppendEncode(nil, p), MaxTokens: 64, Sampling: s.Sampling, Stop: m.Stop})
			if err != nil {
				return nil, err
			}
			out = append(out, Sample{Step: t.Step, Prompt: p, Text: a.Text, Settings: s.name})
		}
	}
	return out, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
