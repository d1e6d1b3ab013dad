package train

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"olmo/config"
	"olmo/model"
	"olmo/proof"
	"olmo/tensor"
	"olmo/weights"
)

// AdapterConfig is an adapter of low rank, which alone is trained: the weights of the model, those of
// init_weights, stay as they are. Checkpoints hold the adapter.
type AdapterConfig struct {
	Rank    int      `yaml:"rank"`
	Alpha   float64  `yaml:"alpha"`
	RSLoRA  bool     `yaml:"rslora"`
	Dropout float64  `yaml:"dropout"`
	Targets []string `yaml:"targets"`
	// InitWeights is a folder with an adapter, as PEFT writes them, to start from in place of a new one.
	InitWeights string `yaml:"init_weights,omitempty"`
	// Stored keeps the base's matrices in the numbers of its file, GGUF's blocks say, in place of float32.
	// It changes no bit.
	Stored bool `yaml:"stored,omitempty"`
	// BaseRoot is the root over the hashes of the base's weights. A run sets it where it is empty; one
	// that finds other weights does not begin.
	BaseRoot string `yaml:"base_root,omitempty"`
}

// SetDefaults gives open-instruct's defaults.
func (a *AdapterConfig) SetDefaults() {
	a.Rank, a.Alpha, a.Dropout = 64, 16, 0.1
	a.Targets = []string{"q_proj", "o_proj", "v_proj", "k_proj", "gate_proj", "up_proj", "down_proj"}
}

// model is the adapter as a model has it.
func (a *AdapterConfig) model() *model.Adapters {
	return &model.Adapters{Rank: a.Rank, Alpha: a.Alpha, RSLoRA: a.RSLoRA, Dropout: a.Dropout, Targets: a.Targets}
}

// ModelConfig is the model of the run, with the adapter that it trains.
func (c *Config) ModelConfig() (*model.Config, error) {
	m, err := c.Model.Config()
	if err != nil {
		return nil, err
	}
	m.NEFTune, m.PooledBalance = c.NEFTuneNoiseAlpha, c.LoadBalancingWeight > 0
	if c.Adapter == nil {
		return m, nil
	}
	m.Adapters = c.Adapter.model()
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("adapter: %w", err)
	}
	return m, nil
}

// storeBase brings the matrices that stay to the device as the base's file has them, before anything is compiled.
func (t *Trainer) storeBase() error {
	if a := t.cfg.Adapter; a == nil || !a.Stored || t.cfg.InitWeights == "" {
		return nil
	}
	if !isModel(t.cfg.InitWeights) {
		return fmt.Errorf("adapter.stored: init_weights %s is a file of weights, and no model", t.cfg.InitWeights)
	}
	l, head, err := t.openModel(t.cfg.InitWeights)
	if err == nil && head != nil {
		err = errors.Join(errors.New("adapter.stored: a reward model's base is float32"), l.Close())
	}
	if err != nil {
		return fmt.Errorf("init_weights: %w", err)
	}
	t.base = l
	return l.EachMatrix(func(p model.Param, row func(r int) (tensor.DType, []byte)) error {
		return t.dev.Store(p.Name, p.Shape, row)
	})
}

// loadBase brings the weights that stay to the device, and refuses others than the adapter's.
func (t *Trainer) loadBase() error {
	a := t.cfg.Adapter
	if t.cfg.InitWeights == "" {
		return errors.New("adapter is set, and init_weights is not: an adapter is trained for the weights of a model\nhint: 'olmo train --from MODEL', or init_weights=PATH")
	}
	params, err := t.model.Params(), error(nil)
	if t.base != nil {
		err = errors.Join(t.base.EachVector(t.writer(params, t.base.Path)), t.base.Close())
		t.base = nil
	} else {
		err = t.initFrom(t.cfg.InitWeights, params)
	}
	if err != nil {
		return fmt.Errorf("init_weights: %w", err)
	}
	var all []weights.Named
	for _, p := range params {
		all = append(all, weights.Named{Name: p.Name, Tensor: tensor.Tensor{DType: tensor.F32, Shape: p.Shape}, Load: func() ([]byte, error) {
			v, err := t.dev.Lend(p.Name)
			return tensor.FromFloat32(p.Shape, v).Data, err
		}})
	}
	sums, err := weights.Sums(all)
	runtime.KeepAlive(t.dev)
	if err != nil {
		return fmt.Errorf("hashing the base: %w", err)
	}
	root := proof.Hash(weights.Root(sums)).String()
	if a.BaseRoot != "" && a.BaseRoot != root {
		return fmt.Errorf("init_weights: %s is another model than the adapter was trained for: the root of its weights is %.16s…, not %.16s…\nhint: init_weights=PATH names the base", t.cfg.InitWeights, root, a.BaseRoot)
	}
	a.BaseRoot = root
	return nil
}

// initAdapter gives the adapter its first weights.
func (t *Trainer) initAdapter() error {
	a := t.cfg.Adapter
	weights := func(p model.Param) ([]float32, error) { return t.model.Adapters.Weights(p, t.cfg.Seed), nil }
	if dir := a.InitWeights; dir != "" {
		base := *t.model
		base.Adapters = nil
		p, err := model.OpenPEFT(dir, &base)
		if err != nil {
			return fmt.Errorf("adapter.init_weights: %w", err)
		}
		defer p.Close()
		with := base
		with.Adapters = &p.Adapters
		for _, f := range []trait{
			{"rank", p.Rank, a.Rank},
			{"scale (of alpha and rslora)", p.Scale(), t.model.Adapters.Scale()},
			{"list of modules (targets)", modules(with.AdapterParams()), modules(t.params)},
		} {
			if !reflect.DeepEqual(f.theirs, f.ours) {
				return fmt.Errorf("adapter.init_weights: the adapter's %s is %v there and %v here", f.key, f.theirs, f.ours)
			}
		}
		weights = p.Weights
	}
	for _, p := range t.params {
		w, err := weights(p)
		if err == nil {
			err = t.dev.Write(p.Name, w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// modules are those that an adapter has matrices of.
func modules(adapter []model.Param) (names []string) {
	for _, p := range adapter {
		if name, ok := strings.CutSuffix(p.Name, model.AdapterA); ok {
			names = append(names, name)
		}
	}
	return names
}

// sameAdapter refuses a checkpoint in a folder that holds an adapter where the run trains all weights, the
// reverse, and, of a run that goes on, an adapter with other settings.
func (t *Trainer) sameAdapter(dir string, goesOn bool) error {
	c := DefaultConfig()
	if config.LoadWithoutPaths(filepath.Join(dir, configFile), nil, c) != nil {
		return nil
	}
	theirs, ours := c.Adapter, t.cfg.Adapter
	switch {
	case theirs == nil && ours == nil:
		return nil
	case ours == nil:
		return fmt.Errorf("%s holds an adapter, and the run trains all weights\nhint: 'olmo merge --model BASE --adapter %s --out DIR', and init_weights=DIR", dir, dir)
	case theirs == nil:
		return fmt.Errorf("%s holds all weights, and the run trains an adapter\nhint: init_weights=%s trains one for them", dir, dir)
	}
	rows := []trait{{"rank", theirs.Rank, ours.Rank}, {"targets", slices.Sorted(slices.Values(theirs.Targets)), slices.Sorted(slices.Values(ours.Targets))}, {"base_root", theirs.BaseRoot, ours.BaseRoot}}
	if goesOn {
		rows = append(rows, trait{"alpha", theirs.Alpha, ours.Alpha}, trait{"rslora", theirs.RSLoRA, ours.RSLoRA}, trait{"dropout", theirs.Dropout, ours.Dropout})
	}
	other := differing(rows)
	if len(other) == 0 {
		return nil
	}
	f, hint := other[0], "another save_folder begins anew"
	if f.key == "base_root" {
		hint = "init_weights names another model than the one that the adapter was trained for"
	}
	return fmt.Errorf("%s holds another adapter: adapter.%s is %v there and %v here\nhint: %s", dir, f.key, f.theirs, f.ours, hint)
}
