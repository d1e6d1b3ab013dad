package convert

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"

	"olmo/device/cpu"
	"olmo/lm"
	"olmo/model"
	"olmo/numeric"
	"olmo/store"
	"olmo/tensor"
)

// Proof is how the copy differs from its source.
type Proof struct {
	// Positions were compared, each with the logits of all ids.
	Positions       int
	LogitDifference float64 // the largest
	// KL is the mean over the positions of the divergence of the copy's next-id
	// distribution from the source's, in nats.
	KL    float64
	Agree int // positions where both have the same most likely id
	// WeightError is the largest error of a parameter against its size, both as root mean
	// squares, Weight the parameter that has it, and Allowed what the dtype explains.
	// Without Weights the families name their parameters differently, and the logits
	// decide alone.
	WeightError float64
	Weight      string
	Weights     int // parameters that were compared
	Allowed     float64

	merged bool // the source has an adapter beside it
}

// allowed is what a dtype explains: of a parameter's error against its size, both as root
// mean squares, and of the largest logit difference against the largest logit. A wrong
// order of rows gives an error of more than 1.
func allowed(d tensor.DType) (parameter, logit float64) {
	switch d {
	case tensor.F32:
		return 0, 1e-5
	case tensor.F16:
		return 2e-3, 0.05
	case tensor.BF16:
		return 4e-3, 0.2
	case tensor.Q8_0:
		return 0.02, 0.3
	case tensor.Q6_K:
		return 0.05, 0.5
	}
	return 0.25, 2
}

// mergedLogit is what merging explains even in float32, as a share of the largest logit: W·x + B·(A·x)
// and (W + B·A)·x are other sums.
const mergedLogit = 1e-4

// prove opens a copy anew and compares it with its source: every parameter, then the
// logits of the same ids, the source's with the adapter beside it that was merged into the copy, if
// there is one. An error says what differs by more than d explains. One side's weights are in memory
// at a time; the source's logits wait in the file logits.
func prove(ctx context.Context, from *model.Loaded, adapter, to string, d tensor.DType, logits string, progress func(done, total int)) (*Proof, error) {
	p := &Proof{merged: adapter != ""}
	if err := p.compareWeights(ctx, from, to, d, progress); err != nil {
		return nil, err
	}
	c := from.Config
	ids := make([]int32, min(32, c.T))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i] = r.Int32N(int32(c.VocabSize))
	}
	if err := runTo(ctx, from, adapter, ids, logits); err != nil {
		return nil, err
	}
	return p, p.compareLogits(ctx, to, ids, d, logits)
}

// compareWeights compares parameter by parameter; two are in memory at a time.
func (p *Proof) compareWeights(ctx context.Context, a *model.Loaded, to string, d tensor.DType, progress func(done, total int)) error {
	b, err := model.Open(to)
	if err != nil {
		return fmt.Errorf("what was written cannot be read: %w", err)
	}
	defer b.Close()
	if a.Config.V != b.Config.V {
		return fmt.Errorf("%d ids became %d", a.Config.V, b.Config.V)
	}
	p.Allowed, _ = allowed(d)
	ours, theirs := a.Config.Params(), b.Config.Params()
	if a.Config.Family != b.Config.Family && !sameNames(ours, theirs) {
		return nil // an OLMo with RMSNorm is a Llama in other layouts, whose matrices are not fused
	}
	if len(ours) != len(theirs) {
		return fmt.Errorf("%d parameters became %d", len(ours), len(theirs))
	}
	before, after := &memory{from: a}, &memory{from: b}
	for i, q := range ours {
		if err := ctx.Err(); err != nil {
			return err
		}
		progress(i, len(ours))
		if theirs[i].Name != q.Name {
			return nil
		}
		x, err := a.Param(q.Name)
		if err != nil {
			return err
		}
		y, err := b.Param(q.Name)
		if err != nil {
			return err
		}
		if q.OnePlus {
			// The model multiplies by one more, and that is what a GGUF file holds.
			x, y = onePlus(x), onePlus(y)
		}
		e := relativeError(x, y)
		if !(e <= p.Allowed) {
			return fmt.Errorf("%s differs by %.2g of its size, more than %v explains (%.2g)", q.Name, e, d, p.Allowed)
		}
		if p.Weights++; e > p.WeightError || p.Weight == "" {
			p.WeightError, p.Weight = e, q.Name
		}
		before.took(x)
		after.took(y)
		x, y = nil, nil
		before.settle()
		after.settle()
	}
	return nil
}

// sameNames tells whether two models call their parameters the same.
func sameNames(a, b []model.Param) bool {
	return slices.EqualFunc(a, b, func(p, q model.Param) bool { return p.Name == q.Name })
}

// onePlus returns numbers with one added.
func onePlus(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = 1 + v
	}
	return out
}

// relativeError is the root mean square of x − y against that of x.
func relativeError(x, y []float32) float64 {
	if len(x) != len(y) {
		return math.Inf(1)
	}
	var sum, size float64
	for i := range x {
		d := float64(x[i]) - float64(y[i])
		sum += float64(d * d)
		size += float64(float64(x[i]) * float64(x[i]))
	}
	if sum == 0 {
		return 0
	}
	return math.Sqrt(sum / size)
}

// run computes the logits (T, V) of ids, of a reward model its rewards (T, 1), on a device whose memory it gives back, and closes the
// files. adapter is a folder with an adapter, or empty.
func run(ctx context.Context, files *model.Loaded, adapter string, ids []int32) ([]float32, error) {
	// The weights become numbers of the device one by one; the usual collector would let as
	// much garbage of them pile up as is in use.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	dev, err := cpu.New()
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	defer dev.Close()
	// Without its tokenizer, which takes memory and has no part in the proof.
	o := lm.Options{Device: dev}
	if adapter != "" {
		if o.Adapter, err = lm.OpenAdapter(adapter, files.Config); err != nil {
			return nil, errors.Join(err, files.Close())
		}
	}
	m, err := lm.New(files.Config, o)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	m.Files, m.Path = files, files.Path
	if m.Config.Reward {
		prefixes := make([][]int32, len(ids))
		for i := range ids {
			prefixes[i] = ids[:i+1]
		}
		rewards, err := m.RewardModel().Rewards(ctx, prefixes)
		if err = errors.Join(err, m.Close()); err != nil {
			return nil, fmt.Errorf("running %s: %w", files.Path, err)
		}
		return rewards, nil
	}
	out, _, err := m.Logits(ctx, [][]int32{ids}, lm.LogitsOptions{})
	if err = errors.Join(err, m.Close()); err != nil {
		return nil, fmt.Errorf("running %s: %w", files.Path, err)
	}
	return out.Float32s()
}

// runTo writes the logits of ids to a file.
func runTo(ctx context.Context, from *model.Loaded, adapter string, ids []int32, file string) error {
	files, err := from.Reopen()
	if err != nil {
		return err
	}
	logits, err := run(ctx, files, adapter, ids)
	if err != nil {
		return err
	}
	return store.WriteFile(file, tensor.FromFloat32([]int{len(logits)}, logits).Data)
}

// compareLogits runs the copy, and compares with the source's logits in a file.
func (p *Proof) compareLogits(ctx context.Context, to string, ids []int32, d tensor.DType, file string) error {
	files, err := model.Open(to)
	if err != nil {
		return err
	}
	theirs, err := run(ctx, files, "", ids)
	if err != nil {
		return err
	}
	f, err := store.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	V := len(theirs) / len(ids)
	ours, row := make([]float32, V), make([]byte, 4*V)
	largest := 0.0
	for t := range ids {
		if _, err := io.ReadFull(f, row); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		for i := range ours {
			ours[i] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
			largest = max(largest, math.Abs(float64(ours[i])))
		}
		p.position(ours, theirs[t*V:(t+1)*V])
	}
	p.KL /= float64(p.Positions)
	_, bound := allowed(d)
	if p.merged {
		bound = max(bound, mergedLogit)
	}
	if !(p.LogitDifference <= bound*largest) {
		return fmt.Errorf("logits differ by %.3g, more than %v explains (largest logit %.3g)", p.LogitDifference, d, largest)
	}
	return nil
}

// position adds the logits that both give after one id.
func (p *Proof) position(x, y []float32) {
	p.Positions++
	for i := range x {
		p.LogitDifference = max(p.LogitDifference, math.Abs(float64(x[i])-float64(y[i])))
	}
	r := read(x, y, -1)
	p.KL += r.kl
	if r.same {
		p.Agree++
	}
}

// logSumExp returns log Σ exp(x) in float64; top is the largest of x.
func logSumExp(x []float32, top float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += numeric.Exp(float64(v) - float64(top))
	}
	return float64(top) + numeric.Log(sum)
}
