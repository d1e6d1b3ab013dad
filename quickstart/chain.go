package quickstart

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"olmo/device/cpu"
	evaldata "olmo/eval/data"
	"olmo/internal/parallel"
	"olmo/page"
	"olmo/runlog"
	"olmo/store"
)

// preTokenizer cuts text into words before byte pairs are merged.
const preTokenizer = "gpt2"

func threads() int { return runtime.GOMAXPROCS(0) }

// run goes through the stages.
func (q *quick) run(ctx context.Context) (*Report, error) {
	corpus, err := stage(ctx, q, "corpus", nil, func(ctx context.Context) (CorpusInfo, error) {
		return BuildCorpus(ctx, q.path("data"), CorpusOptions{
			LeaveOut: []string{q.Out},
			Docs:     q.Docs, MinBytes: int64(leastBytes(q.Depth)),
			MinReason: fmt.Sprintf("one step of training at --depth %d reads %s tokens", q.Depth, page.Grouped(int64(instances(q.Depth)*sequence))),
			Progress: func(done, total int) {
				q.Progress(Progress{Stage: "corpus", Done: float64(done), Total: float64(total), Unit: "files"})
			},
		})
	})
	if err != nil && ctx.Err() == nil && len(q.Docs) > 0 {
		return nil, textError{err}
	}
	if err != nil {
		return nil, err
	}
	for _, n := range corpus.Notices {
		q.Print(n)
	}
	curation := curationOf(&corpus)
	c, err := stage(ctx, q, "curate", curation.inputs(), func(ctx context.Context) (curated, error) { return q.curate(ctx, corpus) })
	if err != nil {
		return nil, err
	}
	v, err := stage(ctx, q, "tokenizer", []any{vocabulary, preTokenizer}, func(ctx context.Context) (vocab, error) { return q.trainTokenizer(ctx, c) })
	if err != nil {
		return nil, err
	}
	t, err := stage(ctx, q, "tokens", nil, func(ctx context.Context) (encoded, error) { return q.encode(ctx, &corpus, c, v) })
	if err != nil {
		return nil, err
	}
	base := fingerprint(q.chain, recipe(q.Depth))
	asked := []any{base, q.Minutes, q.Steps}
	if q.Precision != "" {
		asked = append(asked, q.Precision)
	}
	p, err := stage(ctx, q, "plan", asked, func(ctx context.Context) (planned, error) { return q.plan(ctx, base, &corpus, t) })
	if err != nil {
		return nil, err
	}
	if q.precision, err = q.plannedPrecision(); err != nil {
		return nil, err
	}
	m, err := stage(ctx, q, "train", nil, func(ctx context.Context) (trained, error) { return q.train(ctx, &corpus) })
	if err != nil {
		return nil, err
	}
	j, err := stage(ctx, q, "evaluate", nil, func(ctx context.Context) (judged, error) { return q.evaluate(ctx, &corpus, p.Judge, m) })
	if err != nil {
		return nil, err
	}
	samples, err := stage(ctx, q, "sample", corpus.Prompts, func(ctx context.Context) ([]Sample, error) { return q.sample(ctx, &corpus, m) })
	if err != nil {
		return nil, err
	}
	digest, err := stage(ctx, q, "release", cardText, func(ctx context.Context) (string, error) {
		return q.release(corpus, c, v, m, j, samples)
	})
	if err != nil {
		return nil, err
	}
	var chat *Chat
	if q.Chat {
		if chat, err = q.adapt(ctx, &corpus, c, p.Judge, j, m.Step); err != nil {
			return nil, err
		}
	}
	return stage(ctx, q, "report", q.Version, func(ctx context.Context) (*Report, error) {
		r, err := q.report(corpus, c, v, t, p, m, j, samples)
		if err != nil {
			return nil, err
		}
		r.ReleaseDigest, r.Chat = digest, chat
		r.Next = q.next(r)
		return r, r.Write(q.Out)
	})
}

// report gathers what the stages found.
func (q *quick) report(corpus CorpusInfo, c curated, v vocab, t encoded, p planned, m trained, j judged, samples []Sample) (*Report, error) {
	r := &Report{
		BitsPerByte: j.HeldOut.BitsPerByte, TokensPerSecond: m.TokensASecond, Parameters: m.Parameters, Tokens: m.Tokens, WeightsDigest: m.WeightsDigest,
		Steps: m.Step, Precision: q.precision.String(), FLOPs: m.FLOPs, TrainingSeconds: q.secondsOf("train"), TotalSeconds: q.elapsed(),
		HeldOutTokens: j.HeldOut.Tokens, HeldOutDocuments: j.HeldOut.Documents, HeldOutBytes: j.HeldOut.Bytes,
		OtherDomain: j.OtherDomain, Version: q.Version, Machine: machine(), Corpus: corpus, Funnel: c.Funnel, Choices: j.Choices,
		Samples: samples, Stages: q.times, Notices: corpus.Notices, PeakMemoryBytes: peakMemory(),
	}
	if len(j.Choices) > 0 {
		r.Notices = append([]string{evaldata.Notice("arc_easy")}, r.Notices...)
	}
	r.SetCompressors(j.Compressed)
	r.Remarks = q.remarks(r, p, t)
	if m.TokensASecond > 0 {
		peak := cpu.MeasurePeak().Of(q.precision) * 1e9
		share := m.FLOPs / float64(m.Tokens) * m.TokensASecond / peak
		r.PeakFLOPsASecond, r.MFU = &peak, &share
		joules := r.TrainingSeconds * wattsACore * float64(parallel.Threads())
		r.EnergyJoules, r.EnergyMethod = &joules, fmt.Sprintf("estimate: %d busy cores at %d W each", parallel.Threads(), wattsACore)
	}
	records, err := runlog.Read(filepath.Join(q.runFolder(), "metrics.jsonl"))
	if err != nil {
		return nil, err
	}
	r.HeldOutCurve = []LossPoint{}
	for _, rec := range records {
		step := int(number(rec["step"]))
		r.Curve = append(r.Curve, CurvePoint{
			Step: step, Loss: number(rec["train/CrossEntropyLoss"]), LearningRate: number(rec["optim/learning_rate_group0"]),
		})
		if loss, ok := rec["eval/"+heldOutLabel+"/CrossEntropyLoss"]; ok {
			r.HeldOutCurve = append(r.HeldOutCurve, LossPoint{step, number(loss)})
		}
	}
	if n := len(r.Curve); n > 0 {
		last := r.Curve[max(0, n-20):]
		for _, p := range last {
			r.FinalLoss += p.Loss / float64(len(last))
		}
	}
	k := recipe(q.Depth)
	r.Settings = []Setting{
		{"Tokenizer", fmt.Sprintf("byte-level BPE, %d entries, %.2f bytes a token", v.Entries, float64(t.Bytes)/float64(t.Tokens))},
		{"Model", fmt.Sprintf("OLMo 2, %d layers, width %d, %d heads, MLP %d, %d positions", k.Model.NLayers, k.Model.DModel, k.Model.NHeads, *k.Model.MLPHiddenSize/2, sequence)},
		{"Training text", fmt.Sprintf("%d documents, %d tokens", t.Documents, t.Tokens)},
		{"Optimiser", fmt.Sprintf("Muon, rate %.4g; AdamW for embeddings %.4g, head %.4g and norms %.4g", k.Optimizer.LearningRate, *k.Optimizer.EmbeddingLearningRate, *k.Optimizer.HeadLearningRate, *k.Optimizer.AdamWLearningRate)},
		{"Schedule", fmt.Sprintf("%d steps of %d×%d tokens; %d of warm-up, the last %.0f %% falling to %.0f %%", m.Step, instances(q.Depth), sequence, warmupSteps, 100*shareDecay, 100*k.Scheduler.AlphaF)},
		{"Precision", r.Precision + measuredBy(p.StepTimes)},
	}
	if r.Files, err = q.artefacts(m); err != nil {
		return nil, err
	}
	r.Commands = q.commands(&corpus, c, t)
	return r, nil
}

// wattsACore is what a busy core of a server processor draws, roughly: its share of
// the package's rated power.
const wattsACore = 8

func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	}
	return 0
}

func machine() Machine {
	return Machine{CPU: processor(), Kernels: cpu.Kernels(), Threads: parallel.Threads(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version()}
}

// processor returns the processor's name where the system tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

// peakMemory returns the most memory that this process held, 0 where the system does
// not tell.
func peakMemory() int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// artefacts lists what can be checked, with digests.
func (q *quick) artefacts(m trained) ([]Artefact, error) {
	var out []Artefact
	type listed struct{ dir, what string } // or a file
	all := []listed{
		{"data/" + TrainFolder, "corpus"},
		{"data/" + HeldOutFolder, "held-out text"},
		{"data/" + heldOutTokens, "held-out token files"},
		{"data/curated/documents", "curated text"},
		{"data/tokens", "token files"},
		{"tokenizer", "tokenizer"},
		{"config", "configuration"},
		{m.StepFolder, "last checkpoint"},
		{"release", "release"},
		{"eval", "scores"},
	}
	if q.Chat {
		all = append(all, listed{"chat/data", "conversations and prompts"}, listed{"chat/eval", "answers to unseen questions"})
		for _, stage := range chatStages {
			all = append(all, listed{"chat/" + stage + ".yaml", "configuration"})
		}
		for _, name := range chatFiles {
			all = append(all, listed{"chat/" + name, "model that answers"})
		}
	}
	for _, a := range all {
		err := filepath.WalkDir(q.path(filepath.FromSlash(a.dir)), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
				return err
			}
			sum, n, err := hashFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(q.Out, path)
			out = append(out, Artefact{Path: filepath.ToSlash(rel), What: a.what, Bytes: n, SHA256: sum})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func hashFile(path string) (string, int64, error) {
	f, err := store.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}
