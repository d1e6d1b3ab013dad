package stage

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"olmo/model"
	"olmo/train"
)

// LoRAConfig are the keys of an adapter of low rank, which is trained in place of the model's weights.
type LoRAConfig struct {
	UseLoRA bool `yaml:"use_lora"`
	// UseQLoRA keeps the model's weights as they lie in its file, in GGUF's blocks say, in place of float32.
	UseQLoRA    bool    `yaml:"use_qlora"`
	LoRARank    int     `yaml:"lora_rank"`
	LoRAAlpha   float64 `yaml:"lora_alpha"`
	LoRADropout float64 `yaml:"lora_dropout"`
	// LoRATargetModules are open-instruct's seven where it is empty.
	LoRATargetModules []string `yaml:"lora_target_modules"`
	UseRSLoRA         bool     `yaml:"use_rslora"`
	// LoRAWeights is a folder with an adapter, as PEFT writes them, to start from: its rank, alpha and
	// modules are the run's.
	LoRAWeights string `yaml:"lora_weights"`
}

// defaultLoRA are open-instruct's defaults of finetune.py.
func defaultLoRA() LoRAConfig { return LoRAConfig{LoRARank: 64, LoRAAlpha: 16, LoRADropout: 0.1} }

// check refuses what cannot be, before the model is there.
func (c *LoRAConfig) check() error {
	switch {
	case !c.UseLoRA && c.LoRAWeights != "":
		return errors.New("lora_weights is set, and use_lora is not\nhint: use_lora=true goes on with that adapter; 'olmo merge' makes a model of it")
	case c.UseQLoRA && !c.UseLoRA:
		return errors.New("use_qlora is set, and use_lora is not: weights that are quantised do not train, an adapter beside them does\nhint: use_lora=true")
	case !c.UseLoRA:
		return nil
	case c.LoRARank < 1:
		return fmt.Errorf("lora_rank is %d, it must be positive", c.LoRARank)
	case !(c.LoRAAlpha >= 0) || math.IsInf(c.LoRAAlpha, 1):
		return fmt.Errorf("lora_alpha is %v, it must not be negative", c.LoRAAlpha)
	case !(c.LoRADropout >= 0 && c.LoRADropout < 1):
		return fmt.Errorf("lora_dropout is %v, it must be from 0 to below 1", c.LoRADropout)
	}
	return nil
}

// adapter is the adapter of a run for a model; nil without. The config then says of it what the adapter in
// lora_weights says.
func (c *LoRAConfig) adapter(m *model.Config) (*train.AdapterConfig, error) {
	if !c.UseLoRA {
		return nil, nil
	}
	if c.LoRAWeights != "" {
		if err := c.take(m); err != nil {
			return nil, err
		}
	}
	a := &train.AdapterConfig{}
	a.SetDefaults()
	if len(c.LoRATargetModules) == 0 {
		c.LoRATargetModules = a.Targets
	}
	a.Rank, a.Alpha, a.Dropout, a.Targets, a.RSLoRA, a.InitWeights = c.LoRARank, c.LoRAAlpha, c.LoRADropout, c.LoRATargetModules, c.UseRSLoRA, c.LoRAWeights
	a.Stored = c.UseQLoRA
	with := *m
	with.Adapters = &model.Adapters{Rank: a.Rank, Alpha: a.Alpha, RSLoRA: a.RSLoRA, Dropout: a.Dropout, Targets: a.Targets}
	if err := with.Validate(); err != nil {
		return nil, fmt.Errorf("use_lora: %w", err)
	}
	return a, nil
}

// take makes the keys those of the adapter in lora_weights, and refuses others that are set.
func (c *LoRAConfig) take(m *model.Config) error {
	p, err := model.OpenPEFT(c.LoRAWeights, m)
	if err != nil {
		return fmt.Errorf("lora_weights: %w", err)
	}
	defer p.Close()
	d := defaultLoRA()
	for _, k := range []struct {
		key         string
		set         bool
		here, there any
	}{
		{"lora_rank", c.LoRARank != d.LoRARank && c.LoRARank != p.Rank, c.LoRARank, p.Rank},
		{"lora_alpha", c.LoRAAlpha != d.LoRAAlpha && c.LoRAAlpha != p.Alpha, c.LoRAAlpha, p.Alpha},
		{"use_rslora", c.UseRSLoRA && !p.RSLoRA, c.UseRSLoRA, p.RSLoRA},
		{"lora_target_modules", len(c.LoRATargetModules) > 0 && !slices.Equal(slices.Sorted(slices.Values(c.LoRATargetModules)), slices.Sorted(slices.Values(p.Targets))), c.LoRATargetModules, p.Targets},
	} {
		if k.set {
			return fmt.Errorf("lora_weights: the adapter in %s has %s %v, and here it is %v\nhint: without the key it is the adapter's", c.LoRAWeights, k.key, k.there, k.here)
		}
	}
	c.LoRARank, c.LoRAAlpha, c.UseRSLoRA, c.LoRATargetModules = p.Rank, p.Alpha, p.RSLoRA, p.Targets
	return nil
}

// finishAdapter writes the adapter of a checkpoint into output_dir as PEFT has it: without a config.json, with
// which Transformers (5.24) takes the folder for a whole model and looks for its weights.
func (r *Run) finishAdapter(step string) error {
	l, err := model.Open(r.Config.ModelNameOrPath)
	if err != nil {
		return fmt.Errorf("model_name_or_path: %w", err)
	}
	defer l.Close()
	p, err := model.OpenPEFT(step, l.Config)
	if err != nil {
		return err
	}
	defer p.Close()
	with := *l.Config
	with.Adapters = &p.Adapters
	params := map[string]model.Param{}
	for _, q := range with.AdapterParams() {
		params[q.Name] = q
	}
	out := r.Config.OutputDir
	if err := r.forget("model.safetensors", "config.json"); err != nil {
		return err
	}
	return model.SavePEFT(out, &with, func(name string) ([]float32, error) { return p.Weights(params[name]) }, r.Config.ModelNameOrPath)
}
