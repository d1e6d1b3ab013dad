package stage

import (
	"errors"
	"fmt"
)

// Balancing are the keys of the loss that keeps the experts of a mixture busy alike.
type Balancing struct {
	LoadBalancingLoss   bool     `yaml:"load_balancing_loss"`
	LoadBalancingWeight *float64 `yaml:"load_balancing_weight"`
}

func (b *Balancing) checkBalancing() error {
	if w := b.LoadBalancingWeight; w != nil && !(*w > 0 && *w <= 1e3) {
		return fmt.Errorf("load_balancing_weight is %v, it must be above 0\nhint: load_balancing_loss=false is without", *w)
	}
	return nil
}

// balance adds the loss to a run, over the rows of a micro-batch of open-instruct's at a time. usual is the weight where
// the config says none.
func (b *Balancing) balance(r *Run, usual float64) error {
	if !b.LoadBalancingLoss {
		return nil
	}
	if r.experts == 0 {
		return errors.New("load_balancing_loss is set, and the model has no experts")
	}
	r.Train.LoadBalancingWeight, r.Train.LossGroup = usual, r.Config.PerDeviceTrainBatchSize
	if w := b.LoadBalancingWeight; w != nil {
		r.Train.LoadBalancingWeight = *w
	}
	if r.Train.LoadBalancingWeight == 0 {
		return errors.New("router_aux_loss_coef of the model's config.json is 0, and load_balancing_weight is not set")
	}
	return nil
}
