package convert

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"

	"olmo/device/cpu"
	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/lm"
	"olmo/model"
	"olmo/numeric"
	"olmo/tokenizer"
)

// Report says how a quantised copy answers beside its source, on a text: at each position both have read
// the same ids.
type Report struct {
	Positions int // that were compared
	Targets   int // ids whose probability counts in the perplexities: all but the first of each window
	// KL is the mean over the positions of the divergence of the copy's next-id distribution from the
	// source's, in nats, and KLMax the largest.
	KL, KLMax float64
	Agree     int // positions where both have the same most likely id
	// Perplexity is that of the copy, PerplexitySource that of the source.
	Perplexity, PerplexitySource float64
}

// reportWindow is the most ids that are read at once; the next window begins anew.
const reportWindow = 512

//go:embed evaluate.txt
var evaluateText string

// windows encodes texts, and cuts each into sequences of at most reportWindow ids, each of which the model reads
// from position 0 on. The tokenizer has to be the model's.
func windows(t *tokenizer.Tokenizer, c *model.Config, texts []string) (list [][]int32, err error) {
	n := min(reportWindow, c.T)
	for _, text := range texts {
		ids, err := t.AppendEncode(nil, text)
		if err != nil {
			return nil, err
		}
		if len(ids) > 0 && int(slices.Max(ids)) >= c.V {
			return nil, fmt.Errorf("the tokenizer has the id %d, the model has ids 0 to %d\nhint: the tokenizer belongs to another model", slices.Max(ids), c.V-1)
		}
		for len(ids) > 0 {
			k := min(n, len(ids))
			if k > 1 {
				list = append(list, ids[:k:k])
			}
			ids = ids[k:]
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the text has no two tokens")
	}
	return list, nil
}

// longest is the length of the longest window.
func longest(list [][]int32) (n int) {
	for _, ids := range list {
		n = max(n, len(ids))
	}
	return n
}

// running is a model on a device of its own.
type running struct {
	*lm.Forward
	model *lm.Model
	dev   *cpu.Device
}

// start opens a model of files, which it closes in the end, for sequences of at most n ids; keep is lm's.
func start(files *model.Loaded, n int, keep func(g *graph.Graph)) (*running, error) {
	// The weights become numbers of the device one by one; the usual collector would let as much garbage
	// of them pile up as is in use.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	dev, err := cpu.New()
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	r := &running{dev: dev}
	if r.model, err = lm.New(files.Config, lm.Options{Device: dev}); err != nil {
		dev.Close()
		return nil, errors.Join(err, files.Close())
	}
	r.model.Files, r.model.Path = files, files.Path
	if r.Forward, err = r.model.Forward(n, keep); err != nil {
		return nil, errors.Join(fmt.Errorf("running %s: %w", files.Path, err), r.close())
	}
	return r, nil
}

func (r *running) close() error {
	r.dev.Close()
	return r.model.Close()
}

// reportOn makes the report of a copy on windows of ids. Both models are in memory, as they are stored.
func reportOn(ctx context.Context, from *model.Loaded, copied string, list [][]int32, progress func(done, total int)) (*Report, error) {
	files, err := from.Reopen()
	if err != nil {
		return nil, err
	}
	source, err := start(files, longest(list), nil)
	if err != nil {
		return nil, err
	}
	defer source.close()
	if files, err = model.Open(copied); err != nil {
		return nil, fmt.Errorf("what was written cannot be read: %w", err)
	}
	other, err := start(files, longest(list), nil)
	if err != nil {
		return nil, err
	}
	defer other.close()
	r := &Report{}
	var ours, theirs float64 // minus the log-probabilities of the targets
	for i, ids := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress(i, len(list))
		x, err := source.Run(ids)
		if err != nil {
			return nil, fmt.Errorf("running the source: %w", err)
		}
		y, err := other.Run(ids)
		if err != nil {
			return nil, fmt.Errorf("running the copy: %w", err)
		}
		rows := make([]reading, len(ids))
		V := len(x) / len(ids)
		parallel.For(len(ids), func(t int) {
			target := -1
			if t+1 < len(ids) {
				target = int(ids[t+1])
			}
			rows[t] = read(x[t*V:(t+1)*V], y[t*V:(t+1)*V], target)
		})
		for t, row := range rows { // in their order, whatever the threads
			r.Positions++
			r.KL += row.kl
			r.KLMax = max(r.KLMax, row.kl)
			if row.same {
				r.Agree++
			}
			if t+1 < len(ids) {
				r.Targets++
				ours += row.source
				theirs += row.copied
			}
		}
	}
	r.KL /= float64(r.Positions)
	r.Perplexity, r.PerplexitySource = numeric.Exp(theirs/float64(r.Targets)), numeric.Exp(ours/float64(r.Targets))
	return r, nil
}

// reading is what two models say after one id.
type reading struct {
	kl             float64
	same           bool
	source, copied float64 // minus the log-probability of the target
}

// read compares the logits x of a source and y of its copy; a negative target is none.
func read(x, y []float32, target int) (r reading) {
	topX, topY := 0, 0
	for i := range x {
		if x[i] > x[topX] {
			topX = i
		}
		if y[i] > y[topY] {
			topY = i
		}
	}
	r.same = topX == topY
	// KL = Σ pₓ·(log pₓ − log p_y), where log p = logit − log Σ exp(logit).
	lseX, lseY := logSumExp(x, x[topX]), logSumExp(y, y[topY])
	for i := range x {
		a, b := float64(x[i])-lseX, float64(y[i])-lseY
		r.kl += float64(numeric.Exp(a) * (a - b))
	}
	r.kl = math.Max(r.kl, 0) // rounding
	if target >= 0 {
		r.source, r.copied = lseX-float64(x[target]), lseY-float64(y[target])
	}
	return r
}
