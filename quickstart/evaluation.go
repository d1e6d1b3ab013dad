package quickstart

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
// domain, and, of an English model, a multiple-choice task, as far as the limits let it.
// Every score is kept below eval/.
func (q *quick) evaluate(ctx context.Context, corpus *CorpusInfo, l limits, t trained) (judged, error) {
	var out judged
	jobs, sizes, err := q.jobs(corpus, l)
	if err != nil {
		return out, err
	}
	m, err := q.load(t)
	if err != nil {
		return out, err
	}
	defer m.Close()
	run := &eval.Run{Jobs: jobs, Progress: func(p eval.Progress) {
		now := Progress{Stage: "evaluate", Note: p.Job}
		if size := sizes[p.Job]; size > 0 {
			now.Done, now.Total, now.Unit = float64(p.Text)/1e6, float64(size)/1e6, "MB"
		}
		q.Progress(now)
	}}
	results, err := run.Do(ctx, &eval.Local{Model: m})
	if err != nil {
		return out, err
	}
	out.HeldOut = *results.Scores[heldOutJob].Documents
	if s := results.Scores[otherJob]; s.Documents != nil {
		out.OtherDomain = &OtherDomain{Name: filepath.Base(corpus.OtherDomain), Bytes: s.Documents.Bytes, BitsPerByte: s.Documents.BitsPerByte}
	}
	if s := results.Scores[choiceJob]; s.Choices != nil {
		arc := s.Choices
		out.Choices = []ChoiceResult{{
			Task: "ARC-Easy (validation)", Questions: arc.Questions, Accuracy: arc.Accuracy, Chance: arc.Chance, Metric: "acc", Requests: "eval/" + choiceJob + ".jsonl",
		}}
	}
	text, err := ReadText(q.path("data"), corpus.HeldOut, l.HeldOut)
	if err != nil {
		return out, err
	}
	q.Progress(Progress{Stage: "evaluate", Note: "gzip, xz, zstd"})
	digest := sha256.Sum256(text)
	out.Compressed, err = Compress(ctx, text, hex.EncodeToString(digest[:]))
	return out, err
}

// The evaluation's jobs, by the names of their files below eval/.
const (
	heldOutJob = "heldout"
	otherJob   = "otherdomain"
	choiceJob  = "arc_easy"
)

// jobs lists what the model is judged by, with the bytes of the texts. The figures of texts
// charge the end of text after each document, as the compressors have to say where one ends.
func (q *quick) jobs(corpus *CorpusInfo, l limits) (jobs []*eval.Job, sizes map[string]int64, err error) {
	sizes = map[string]int64{}
	add := func(name, task string, in eval.Inputs) error {
		t, err := eval.LookupTask(task)
		if err != nil {
			return err
		}
		j, err := t.Job(in)
		if err != nil {
			return err
		}
		j.Name, j.Requests = name, q.path("eval", name+".jsonl")
		jobs = append(jobs, j)
		return nil
	}
	var files []string
	for _, f := range corpus.HeldOut.Files {
		files = append(files, q.path("data", filepath.FromSlash(f)))
	}
	sizes[heldOutJob] = corpus.HeldOut.Bytes
	if err := add(heldOutJob, "bpb", eval.Inputs{Documents: files, EndOfText: true, Limit: l.HeldOut}); err != nil {
		return nil, nil, err
	}
	if corpus.OtherDomain != "" && !l.NoOther {
		st, err := os.Stat(corpus.OtherDomain)
		if err != nil {
			return nil, nil, err
		}
		sizes[otherJob] = st.Size()
		if err := add(otherJob, "bpb", eval.Inputs{Documents: []string{corpus.OtherDomain}, EndOfText: true}); err != nil {
			return nil, nil, err
		}
	}
	if !corpus.English() {
		return jobs, sizes, nil // whose questions are English
	}
	return jobs, sizes, add(choiceJob, "arc_easy", eval.Inputs{Limit: l.Choices})
}

// sample asks the model for a few texts, greedily and by chance.
func (q *quick) sample(ctx context.Context, corpus *CorpusInfo, t trained) ([]Sample, error) {
	m, err := q.load(t)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	g, err := m.Generator()
	if err != nil {
		return nil, err
	}
	prompts := corpus.Prompts
	var out []Sample
	for i, s := range []struct {
		name string
		generate.Sampling
	}{{"greedy", generate.Sampling{}}, {"temperature 0.8, top-p 0.95", generate.Sampling{Temperature: 0.8, TopP: 0.95, Seed: 1}}} {
		for j, p := range prompts {
			q.Progress(Progress{Stage: "sample", Done: float64(i*len(prompts) + j), Total: float64(2 * len(prompts)), Unit: "texts"})
			ids, err := m.Tokenizer.AppendEncode(nil, p)
			if err != nil {
				return nil, fmt.Errorf("the prompt %q: %w", p, err)
			}
			a, err := g.Generate(ctx, lm.Request{Prompt: ids, MaxTokens: 64, Sampling: s.Sampling, Stop: m.Stop})
			if err != nil {
				return nil, err
			}
			out = append(out, Sample{Step: t.Step, Prompt: p, Text: a.Text, Settings: s.name})
		}
	}
	return out, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
