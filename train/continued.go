package train

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	"olmo/config"
	"olmo/data/tokens"
)

// changeable are the keys in which a run may differ from the one that it continues, if
// allow_changes names them: the data goes on otherwise then, which is said.
var changeable = []string{"seed", "data.seed", "global_train_batch_size"}

// optimised are the settings of the optimiser that a run goes on with. Rates and schedules
// may change between two parts of a run, as for a last decay.
func optimised(o *OptimizerConfig) map[string]any {
	all := map[string]any{
		"name": o.Name, "betas": o.Betas, "eps": o.Eps, "weight_decay": o.WeightDecay, "decay_norm_and_bias": o.DecayNormAndBias,
		"decay_embeddings": o.DecayEmbeddings, "selective_updates": o.SelectiveUpdates,
	}
	if o.byMatrix() {
		for key, v := range map[string]any{
			"momentum": o.Momentum, "nesterov": o.Nesterov, "adjust_lr": o.AdjustLR, "cautious_wd": o.CautiousWD, "muon_beta2": o.MuonBeta2,
			"rank_fraction": o.RankFraction, "rank_multiple_of": o.RankMultipleOf,
		} {
			all[key] = v
		}
	}
	if o.Name == "skip_step_adamw" {
		all["rolling_interval_length"], all["sigma_factor"] = o.RollingIntervalLength, o.SigmaFactor
	}
	return all
}

// sameRun refuses to go on from a checkpoint of the run's own folder with another optimiser,
// and, unless allow_changes says so, with other seeds or batches: half of the run would be
// another one's, and nothing would tell. A checkpoint without a config says nothing.
func (t *Trainer) sameRun(dir string) error {
	accepts := t.cfg.AcceptChanges
	before := DefaultConfig()
	if config.LoadWithoutPaths(filepath.Join(dir, configFile), nil, before) != nil {
		return nil
	}
	_ = before.Validate() // puts old keys right; what else is wrong there is not ours to say
	theirs, ours := optimised(&before.Optimizer), optimised(&t.cfg.Optimizer)
	for _, key := range []string{
		"name", "betas", "eps", "weight_decay", "decay_norm_and_bias", "decay_embeddings", "selective_updates", "momentum", "nesterov", "adjust_lr",
		"cautious_wd", "muon_beta2", "rank_fraction", "rank_multiple_of", "rolling_interval_length", "sigma_factor",
	} {
		if a, b := theirs[key], ours[key]; !reflect.DeepEqual(a, b) && (!accepts || key == "name") {
			return fmt.Errorf("%s was trained with another optimiser: optimizer.%s is %v there and %v here\nhint: load_path=%s save_folder=DIR starts another run from it", dir, key, a, b, dir)
		}
	}
	if a, b := before.Model.MaxSequenceLength, t.cfg.Model.MaxSequenceLength; a != b {
		return fmt.Errorf("%s was trained with model.max_sequence_length %d, not %d: the data is cut into other instances\nhint: load_path=%s reset_trainer_state=true save_folder=DIR starts another run from it", dir, a, b, dir)
	}
	for _, key := range changeable {
		a, b := before.changeable(key), t.cfg.changeable(key)
		if a == b || key == "data.seed" && before.Data.Seed == nil && t.cfg.Data.Seed == nil {
			continue // data.seed follows seed there
		}
		if !accepts && !slices.Contains(t.cfg.AllowChanges, key) {
			return fmt.Errorf("%s was trained with %s %d, not %d: the continued run would not be the uninterrupted one\nhint: allow_changes=[%s] goes on all the same, and says what changes; load_path=%s save_folder=DIR starts another run from it", dir, key, a, b, key, dir)
		}
		t.before = before
	}
	return nil
}

// changeable is the value of a key of that list.
func (c *Config) changeable(key string) uint64 {
	switch key {
	case "seed":
		return c.Seed
	case "data.seed":
		return c.dataSeed()
	}
	return uint64(c.GlobalTrainBatchSize)
}

// checkChanges reports keys of allow_changes that cannot be there.
func (c *Config) checkChanges() error {
	for _, key := range c.AllowChanges {
		if err := config.OneOf("allow_changes", key, append([]string{"max_duration"}, changeable...)...); err != nil {
			return err
		}
	}
	return nil
}

// tellChanges says what it means that the run goes on with other seeds or batches.
func (t *Trainer) tellChanges() error {
	b, c := t.before, t.cfg
	if b == nil {
		return nil
	}
	var said []string
	if b.Seed != c.Seed {
		said = append(said, fmt.Sprintf("seed was %d and is %d: dropout draws other numbers from here on", b.Seed, c.Seed))
	}
	if old, now := b.GlobalTrainBatchSize, c.GlobalTrainBatchSize; old != now {
		said = append(said, fmt.Sprintf("global_train_batch_size was %d and is %d: from step %d on each step takes %d instances of the same order, from the next one on; steps, and what counts in steps, are of another size, and 'olmo data order' takes all of the run for such steps (data-indices/ has what was seen)", old, now, t.state.Step+1, now))
	}
	if old, now := b.dataSeed(), c.dataSeed(); old != now {
		text, err := t.orderChange(old, now)
		if err != nil {
			return err
		}
		said = append(said, text)
	}
	for _, text := range said {
		t.opt.Warn("going on after step " + fmt.Sprint(t.state.Step) + ": " + text)
	}
	return nil
}

// orderChange counts the instances of the running epoch that another seed brings again, and
// those that it never brings.
func (t *Trainer) orderChange(old, now uint64) (string, error) {
	seen := t.state.ExamplesEpoch
	order := func(seed uint64) ([]uint32, error) {
		l := t.cfg.loaderConfig()
		l.Seed, l.Epoch = seed, uint64(t.state.Epoch)
		loader, err := tokens.NewLoader(t.data, l)
		if err != nil {
			return nil, err
		}
		return loader.Order(), nil
	}
	before, err := order(old)
	if err != nil {
		return "", err
	}
	after, err := order(now)
	if err != nil {
		return "", err
	}
	seen = min(seen, len(before), len(after))
	was := map[uint32]bool{}
	for _, i := range before[:seen] {
		was[i] = true
	}
	again := 0
	for _, i := range after[seen:] {
		if was[i] {
			again++
		}
	}
	return fmt.Sprintf("the data's seed was %d and is %d: of the %d instances of epoch %d that were seen, %d are seen again, and as many others of it never; later epochs are whole", old, now, seen, t.state.Epoch, again), nil
}
