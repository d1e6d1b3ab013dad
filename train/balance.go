package train

import (
	"errors"
	"fmt"

	"olmo/data/tokens"
)

// AuxiliaryLoss is the loss of load balancing in the log, without its weight.
const AuxiliaryLoss = "aux_loss"

func (c *Config) checkBalance() error {
	if c.LoadBalancingWeight == 0 {
		return nil
	}
	m, err := c.Model.Config()
	switch {
	case err != nil:
		return fmt.Errorf("model: %w", err)
	case c.Data.Name != tokens.Rows || c.Rollouts != nil:
		return errors.New("load_balancing_weight is for data.name rows, without rollouts")
	case m.Experts == 0:
		return errors.New("load_balancing_weight is set, and the model has no experts")
	case m.BalanceWeight > 0 || m.RouterZWeight > 0:
		return errors.New("load_balancing_weight and model.moe_loss_weight, or moe_zloss_weight, are both set: they are two losses of the same routers\nhint: set model.moe_loss_weight and moe_zloss_weight to 0")
	}
	return nil
}

// group is how many of n instances make a group of their losses.
func (t *Trainer) group(n int) int { return min(max(t.cfg.LossGroup, 1), n) }

// balance returns for each group of the instances first to last what an expert's probability adds to the loss;
// nil without load balancing. Of a group with n tokens in L layers of E experts, of which expert e gets count(e) over
// all layers, the loss is
//
//	E·Σ_e count(e)/(L·n) · Σ p(e)/(L·n)
//
// with p summed over all tokens and layers. The counts have no gradient, but that of p needs all of them: so the
// model runs once more, before.
//
// load_balancing_loss_func of Transformers (models/olmoe/modeling_olmoe.py, 5.24): not divided by the experts
// of a token, as Fedus et al. 2021 would have it.
func (t *Trainer) balance(in *item, first, last int) ([][]float32, error) {
	if t.choices == nil {
		return nil, nil
	}
	E, L, group := t.model.Experts, t.model.Layers, t.group(last-first)
	counts := make([][]int, (last-first+group-1)/group)
	for i := range counts {
		counts[i] = make([]int, E)
	}
	for from, to := first, 0; from < last; from = to {
		to = t.microbatch(in, from, last)
		if err := t.choices.Run(t.batch(in, from, to)); err != nil {
			return nil, err
		}
		for l := range L {
			w := t.choices.Output(fmt.Sprintf("router.%d", l))
			for n := from; n < to; n++ {
				count := counts[(n-first)/group]
				for i, v := range w[(in.before(n)-in.before(from))*E : (in.before(n+1)-in.before(from))*E] {
					if v != 0 {
						count[i%E]++
					}
				}
			}
		}
	}
	balance := make([][]float32, len(counts))
	for i, count := range counts {
		rows := float64(L * (in.before(min(first+(i+1)*group, last)) - in.before(first+i*group)))
		factor := t.cfg.LoadBalancingWeight * float64(E) / rows / float64(len(counts)*t.cfg.ranks())
		for _, n := range count {
			balance[i] = append(balance[i], float32(factor*(float64(n)/rows)))
		}
	}
	return balance, nil
}
