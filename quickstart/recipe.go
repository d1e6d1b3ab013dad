package quickstart

import (
	"math"

	"olmo/data/tokens"
	"olmo/model"
	"olmo/numeric"
	"olmo/train"
)

// The recipe. Everything about the model and its training follows from the depth;
// docs/log.md has what was tried on the tuning split.
const (
	// DefaultDepth makes the model of about 4 M parameters.
	DefaultDepth = 2

	vocabulary  = 4096 // entries of the tokenizer
	sequence    = 256  // tokens of an instance, and the model's positions
	headSize    = 64
	endOfText   = "<|endoftext|>"
	padding     = "<|padding|>"
	shareDecay  = 0.6 // of the steps, at the end
	warmupSteps = 10
)

// instances returns how many sequences a step trains on.
func instances(depth int) int { return 4 * depth }

// leastBytes is how much text a model of a depth needs at least: a step's worth of
// tokens, at eight bytes each, of which curation and the held-out part leave enough.
func leastBytes(depth int) int { return 8 * instances(depth) * sequence }

// recipe returns the model and the training run of a depth: as many blocks, 128 of
// width, two heads and four sequences a step for each, and an MLP of 8/3 the width.
// Learning rates are those found for depth 2; a wider model takes them in proportion to
// 1/√width, as the updates of its larger matrices add up over more terms.
func recipe(depth int) *train.Config {
	width := 2 * headSize * depth
	mlp := 2 * ((width*8/3 + headSize - 1) / headSize * headSize)
	scale := math.Sqrt(DefaultDepth / float64(depth))
	size := vocabulary

	c := train.DefaultConfig()
	c.RunName = "quickstart"
	m := model.DefaultAI2()
	m.DModel, m.NHeads, m.NLayers, m.MLPHiddenSize = width, 2*depth, depth, &mlp
	m.Rope, m.RopeTheta, m.FlashAttention = true, 10000, false
	m.AttentionLayerNorm, m.NormAfter, m.LayerNormType, m.LayerNormEps = true, true, "rms", 1e-6
	m.AttentionDropout, m.ResidualDropout, m.EmbeddingDropout = 0, 0, 0
	m.IncludeBias, m.WeightTying = false, false
	noBias := false
	m.BiasForLayerNorm = &noBias
	m.MaxSequenceLength, m.VocabSize, m.EmbeddingSize = sequence, vocabulary, &size
	m.EOSTokenID, m.PadTokenID = 0, 1
	cutoff := 3.0
	// Every sublayer adds a vector of length √C to the stream; an embedding of the
	// usual 0.02 would drown in them.
	std := 1.0
	m.InitFn, m.InitStd, m.InitCutoffFactor, m.EmbInitStd = "normal", 0.02, &cutoff, &std
	c.Model = m

	rate := func(x float64) *float64 {
		x *= scale
		return &x
	}
	o := &c.Optimizer
	o.Name, o.LearningRate, o.WeightDecay, o.Momentum = "muon", *rate(0.02), 0.1, 0.95
	o.AdamWLearningRate, o.EmbeddingLearningRate, o.HeadLearningRate = rate(0.003), rate(0.3), rate(0.01)
	o.Betas, o.Eps = [2]float64{0.9, 0.95}, 1e-8
	none := 0.0
	s := &c.Scheduler
	s.Name, s.TWarmup, s.WarmupMinLR = "wsd", warmupSteps, &none
	s.DecayFraction, s.DecayShape, s.AlphaF = shareDecay, "linear", 0.05

	c.Data.MemmapDType, c.Data.DropLast = string(tokens.Uint16), true
	c.GlobalTrainBatchSize, c.DeviceTrainMicrobatchSize = instances(depth), min(instances(depth), 8)
	limit := 1.0
	c.MaxGradNorm = &limit
	c.SoftmaxAuxiliaryLoss = true
	zmul := 1e-5
	c.ZLossMultiplier = &zmul
	c.Precision = numeric.AMPBF16
	c.NoPreTrainCheckpoint = true
	c.TryLoadLatestSave = true
	c.SpeedMonitor.WindowSize = 20
	c.FSDP, c.DistributedStrategy = nil, nil
	c.SaveInterval = nil
	return c
}
