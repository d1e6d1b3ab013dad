package train

import (
	"errors"
	"fmt"
	"slices"

	"olmo/data/tokens"
	"olmo/graph"
	"olmo/model"
	"olmo/objective"
	"olmo/runlog"
)

// ObjectiveLoss is the loss of a step in the log of a run whose objective is not the cross entropy.
const ObjectiveLoss = "train_loss"

// ObjectiveConfig is a loss that takes the place of the cross entropy. Instances are then groups of rows
// (data.row_group), and a step's loss is the mean over them.
type ObjectiveConfig struct {
	// Name is that of a loss of pairs: a chosen answer and a rejected one. With reward the model is a
	// reward model, and Reference has what is taken off the reward of each row, margins; it may be empty.
	Name           objective.PreferenceLoss `yaml:"name"`
	Beta           float64                  `yaml:"beta"`
	LabelSmoothing float64                  `yaml:"label_smoothing"`
	GammaBetaRatio float64                  `yaml:"gamma_beta_ratio"`
	// Reference is the file of the reference's log-probabilities (References), whose hash the recipe has.
	Reference       string `yaml:"reference,omitempty"`
	ReferenceSHA256 string `yaml:"reference_sha256,omitempty"`
}

// SetDefaults gives open-instruct's defaults.
func (o *ObjectiveConfig) SetDefaults() {
	d := objective.DefaultPreference
	o.Name, o.Beta, o.LabelSmoothing, o.GammaBetaRatio = d.Loss, d.Beta, d.LabelSmoothing, d.GammaBetaRatio
}

// preference is the objective's function.
func (o *ObjectiveConfig) preference() objective.Preference {
	return objective.Preference{Loss: o.Name, Beta: o.Beta, LabelSmoothing: o.LabelSmoothing, GammaBetaRatio: o.GammaBetaRatio}
}

func (c *Config) checkObjective() error {
	o := c.Objective
	if o == nil {
		return nil
	}
	if names := append(slices.Clone(objective.PreferenceLosses), objective.Reward); !slices.Contains(names, o.Name) {
		return fmt.Errorf("objective.name is %q, want one of %v", o.Name, names)
	}
	p := o.preference()
	if o.Name != objective.Reward {
		if err := p.Check(); err != nil {
			return fmt.Errorf("objective: %w", err)
		}
	}
	switch {
	case c.Data.Name != tokens.Rows || c.Data.RowGroup != 2:
		return fmt.Errorf("objective.name is %s, a loss of pairs\nhint: data.name is to be rows, and data.row_group 2", o.Name)
	case p.Loss.HasReference() && o.ReferenceSHA256 == "":
		return fmt.Errorf("objective.name %s compares with a reference: objective.reference_sha256 is not set", o.Name)
	case o.Name == objective.Reward && c.Adapter != nil:
		return errors.New("adapter is set, and a reward model trains all weights: its head is none of an adapter's matrices")
	case o.Name == objective.Reward && (len(c.SamplePrompts) > 0 || slices.ContainsFunc(c.Evaluators, func(e EvaluatorConfig) bool { return e.Type != "rows" })):
		return errors.New("sample_prompts or evaluators of another type than rows are set, and a reward model gives no text and no probabilities")
	case c.SoftmaxAuxiliaryLoss:
		return errors.New("softmax_auxiliary_loss is a part of the cross entropy: it does not go with an objective")
	}
	return nil
}

// loss writes what the run minimises, and its gradients, into a graph.
func (c *Config) loss(m *model.Config, g *graph.Graph) {
	if m.Reward {
		m.RewardsAndGradients(g, c.recompute())
		return
	}
	temperature := float32(1)
	if r := c.Rollouts; r != nil {
		temperature = float32(r.Temperature)
	}
	if c.Objective != nil || c.Rollouts != nil {
		m.ScoresAndGradients(g, temperature, c.recompute())
		return
	}
	m.LossAndGradients(g, float32(c.zmul()), c.recompute())
}

// stepLoss is a loss of a batch's instances, of all cross entropies of each, or of all rewards.
type stepLoss interface {
	// begin is told a step's batch.
	begin(in *item)
	// seed writes the derivatives of the step's loss by each token's cross entropy ce, or reward, in b, the
	// batch's instances from … to−1.
	seed(from, to int, b *graph.Batch, ce, d []float32)
	// loss is that of the step, and fill adds what was measured of it.
	loss() float64
	fill(rec runlog.Record)
}

// objective opens the config's objective; nil is the cross entropy.
func (c *Config) objective() (stepLoss, error) {
	o := c.Objective
	switch {
	case c.Rollouts != nil:
		return newPolicy(c.Rollouts), nil
	case o == nil:
		return nil, nil
	}
	p, err := o.pairs(o.Reference, o.ReferenceSHA256)
	if err != nil {
		return nil, fmt.Errorf("objective.reference: %w", err)
	}
	return p, nil
}

// pairs is the objective over the rows of a data set, with their file of references and its hash.
func (o *ObjectiveConfig) pairs(reference, sha256Hex string) (pairLoss, error) {
	p := pairs{objective: o.preference()}
	if o.Name.HasReference() || o.Name == objective.Reward && sha256Hex != "" {
		if reference == "" {
			return nil, errors.New("the file of the reference's log-probabilities, or of margins, is not set")
		}
		var err error
		if p.reference, err = references(reference, sha256Hex); err != nil {
			return nil, err
		}
	}
	if o.Name == objective.Reward {
		return &rewardPairs{p}, nil
	}
	return &p, nil
}

// pairLoss is a loss of pairs, which can go on from batch to batch.
type pairLoss interface {
	stepLoss
	next(in *item)
	// over is the mean loss of so many pairs, and adds what was measured of them.
	over(n int, rec runlog.Record) (loss float64)
}

// pairs is a loss of pairs.
type pairs struct {
	objective objective.Preference
	reference []float64 // of each row

	in  *item
	sum pairSums
}

func (p *pairs) begin(in *item) {
	p.in = in
	p.sum = pairSums{}
}

func (p *pairs) next(in *item) { p.in = in }

func (p *pairs) over(n int, rec runlog.Record) (loss float64) {
	p.sum.fill(rec, float64(n))
	return p.sum.loss / float64(n)
}

// seed takes the pairs one after the other, so that the step's sums are the same in any micro-batches.
func (p *pairs) seed(from, to int, b *graph.Batch, ce, d []float32) {
	row := 0
	answer := func(pair, side, length int) (a objective.Answer, first, end int) {
		first, end = row, row+length
		row = end
		a.Sum, a.Tokens = logProbability(b, ce, first, end)
		if p.reference != nil {
			a.Reference = p.reference[2*int(p.in.Index[pair])+side]
		}
		return a, first, end
	}
	for n := from; n < to; n++ {
		lens := p.in.rowLengths(n)
		chosen, c0, c1 := answer(n, 0, lens[0])
		rejected, r0, r1 := answer(n, 1, lens[1])
		pair := p.objective.Pair(chosen, rejected)
		p.sum.add(pair)
		for _, side := range []struct {
			first, end int
			slope      float64
		}{{c0, c1, pair.SlopeOfChosen}, {r0, r1, pair.SlopeOfRejected}} {
			// By the cross entropy, which is minus the log-probability; the mean over the pairs.
			v := float32(-side.slope / float64(p.in.B))
			for i := side.first; i < side.end; i++ {
				d[i] = 0
				if b.Targets[i] >= 0 {
					d[i] = v
				}
			}
		}
	}
}

func (p *pairs) loss() float64 { return p.sum.loss / float64(p.in.B) }

func (p *pairs) fill(rec runlog.Record) { p.sum.fill(rec, float64(p.in.B)) }

// pairSums are sums over the pairs of a step.
type pairSums struct{ loss, chosen, rejected, chosenReward, rejectedReward, accuracy float64 }

func (s *pairSums) add(p objective.Pair) {
	s.loss += p.Loss
	s.chosen += p.Chosen
	s.rejected += p.Rejected
	s.chosenReward += p.ChosenReward
	s.rejectedReward += p.RejectedReward
	if p.ChosenReward > p.RejectedReward {
		s.accuracy++
	}
}

func (s *pairSums) fill(rec runlog.Record, n float64) {
	rec["logps/chosen"], rec["logps/rejected"] = s.chosen/n, s.rejected/n
	s.fillRewards(rec, n)
}

func (s *pairSums) fillRewards(rec runlog.Record, n float64) {
	rec["rewards/chosen"], rec["rewards/rejected"] = s.chosenReward/n, s.rejectedReward/n
	rec["rewards/margin"], rec["rewards/accuracy"] = (s.chosenReward-s.rejectedReward)/n, s.accuracy/n
}
