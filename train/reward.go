package train

import (
	"fmt"
	"slices"

	"olmo/graph"
	"olmo/model"
	"olmo/objective"
	"olmo/runlog"
	"olmo/weights"
)

// rewardHead returns the head that a reward model begins with where the weights that it starts from have
// none: init_reward_head's, or a random one.
func (c *Config) rewardHead(m *model.Config) (w []float32, err error) {
	all := m.Params()
	p := all[slices.IndexFunc(all, func(p model.Param) bool { return p.Name == model.RewardHead })]
	if c.InitRewardHead == "" {
		return c.Model.Init().Weights(m, p, c.Seed)
	}
	set, err := weights.Open(c.InitRewardHead)
	if err != nil {
		return nil, fmt.Errorf("init_reward_head: %w", err)
	}
	defer set.Close()
	t, err := set.Tensor(p.Name)
	if err != nil {
		return nil, fmt.Errorf("init_reward_head: %w\nhint: the file has to hold the tensor %s", err, p.Name)
	}
	if !slices.Equal(t.Shape, p.Shape) && !slices.Equal(t.Shape, p.Shape[1:]) {
		return nil, fmt.Errorf("init_reward_head: %s in %s has shape %v, the model wants %v", p.Name, c.InitRewardHead, t.Shape, p.Shape)
	}
	if w, err = t.Float32s(); err == nil {
		w = slices.Clone(w) // it may lie in the file that closes
	}
	return w, err
}

// rewardPairs is the loss of a reward model: pairs of conversations, each judged by the reward of its last
// token.
type rewardPairs struct {
	pairs // whose reference are margins
}

// seed takes the pairs one after the other, as that of pairs does.
func (p *rewardPairs) seed(from, to int, _ *graph.Batch, rewards, d []float32) {
	clear(d)
	row := 0
	for n := from; n < to; n++ {
		lens := p.in.rowLengths(n)
		chosen := row + lens[0] - 1
		rejected := chosen + lens[1]
		row = rejected + 1
		c, r := float64(rewards[chosen]), float64(rewards[rejected])
		taken := [2]float64{c, r}
		if p.reference != nil {
			i := 2 * int(p.in.Index[n])
			taken[0], taken[1] = c-p.reference[i], r-p.reference[i+1]
		}
		pair := p.objective.Pair(objective.Answer{Sum: taken[0]}, objective.Answer{Sum: taken[1]})
		pair.ChosenReward, pair.RejectedReward = c, r
		p.sum.add(pair)
		d[chosen], d[rejected] = float32(pair.SlopeOfChosen/float64(p.in.B)), float32(pair.SlopeOfRejected/float64(p.in.B))
	}
}

func (p *rewardPairs) fill(rec runlog.Record) { p.sum.fillRewards(rec, float64(p.in.B)) }

func (p *rewardPairs) over(n int, rec runlog.Record) (loss float64) {
	p.sum.fillRewards(rec, float64(n))
	return p.sum.loss / float64(n)
}
