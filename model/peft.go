package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"olmo/internal/pyjson"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// PEFTConfigFile is the file that makes a folder one with an adapter.
const PEFTConfigFile = "adapter_config.json"

// The files of a folder with an adapter, and what stands before its tensors' names.
const (
	peftWeights = "adapter_model.safetensors"
	peftPickled = "adapter_model.bin" // of PEFT before 0.6
	peftPrefix  = "base_model.model."
	stepWeights = "model.safetensors" // of our checkpoints, without the prefix
)

// PEFT is an adapter in a folder of PEFT's (0.21), with the model that it fits.
type PEFT struct {
	Adapters
	Path string
	// Base is base_model_name_or_path: the folder of the model that it was trained on, or its name on
	// a hub; empty where the file does not say.
	Base string

	set    *weights.Set
	file   string
	params []Param // its matrices
	prefix string  // before the names of its tensors
}

// PEFTBase reads of a folder with an adapter which model it was trained on. A folder without
// adapter_config.json is fs.ErrNotExist.
func PEFTBase(dir string) (string, error) {
	m, err := pyjson.ReadObject(filepath.Join(dir, PEFTConfigFile))
	if err != nil {
		return "", err
	}
	base, _ := m["base_model_name_or_path"].(string)
	return base, nil
}

// PEFTWeights is the file that holds the matrices of the adapter in a folder; empty where there is none.
func PEFTWeights(dir string) string {
	for _, name := range []string{peftWeights, peftPickled, stepWeights} {
		if exists(dir, name) {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// OpenPEFT opens the adapter in a folder for a model, and reads headers alone; a checkpoint of a run that
// trains an adapter is such a folder, too. What PEFT can do and
// is not built is refused by its key, and an adapter of another model by its first tensor that does
// not fit: its name, its rank, its shape.
func OpenPEFT(dir string, c *Config) (*PEFT, error) {
	config := filepath.Join(dir, PEFTConfigFile)
	m, err := pyjson.ReadObject(config)
	if err != nil {
		return nil, err
	}
	p := &PEFT{Path: dir, file: filepath.Join(dir, peftWeights), prefix: peftPrefix}
	wanted, err := p.read(m, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config, err)
	}
	if file := PEFTWeights(dir); file != "" {
		p.file = file
	}
	if filepath.Base(p.file) == stepWeights {
		p.prefix = ""
	}
	if p.set, err = weights.Open(p.file); err != nil {
		return nil, err
	}
	if err := p.fits(c, wanted); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.file, err), p.Close())
	}
	return p, nil
}

// passedOver are the keys of adapter_config.json that say nothing of what the adapter computes: who
// wrote it, and how it was made or is to be trained.
var passedOver = []string{
	"auto_mapping", "corda_config", "ensure_weight_tying", "eva_config", "inference_mode", "loftq_config", "lora_ga_config", "megatron_core", "peft_version",
	"qalora_group_size", "revision", "runtime_config", "task_type",
}

// read takes what the adapter is from its config, and returns the modules of the model that
// target_modules names. A key that is neither known nor empty is an error.
func (p *PEFT) read(m map[string]any, c *Config) (wanted []string, err error) {
	h := &hfReader{m: m, err: new(error)}
	kind := h.string("peft_type", "")
	p.Base = h.string("base_model_name_or_path", "")
	p.Rank, p.Alpha = h.int("r", 8), h.float64("lora_alpha", 8)
	p.Dropout, p.RSLoRA = h.float64("lora_dropout", 0), h.bool("use_rslora", false)
	bias := h.string("bias", "none")
	h.bool("fan_in_fan_out", false) // how the file of the base has its matrices, which the base knows
	if *h.err != nil {
		return nil, *h.err
	}
	switch start := m["init_lora_weights"]; {
	case kind != "LORA":
		return nil, fmt.Errorf("peft_type is %s, and only LORA is built", shown(m["peft_type"]))
	case bias != "none":
		return nil, fmt.Errorf("bias is %q: adapters with biases are not built", bias)
	case start != nil && start != true && start != false && start != "gaussian" && start != "orthogonal" && start != "eva":
		return nil, fmt.Errorf("init_lora_weights is %s: such an adapter fits a base whose weights were changed with it\nhint: PEFT saves it for the base as it was with path_initial_model_for_weight_conversion", shown(start))
	}
	known := append([]string{
		"peft_type", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "use_rslora", "bias", "fan_in_fan_out", "init_lora_weights", "target_modules",
	}, passedOver...)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(known, key) && !empty(m[key]) {
			return nil, fmt.Errorf("%s is %s: adapters with that are not built\nhint: merge the adapter with PEFT's merge_and_unload, and use the merged model", key, shown(m[key]))
		}
	}
	return p.targets(m["target_modules"], c)
}

// empty knows the values that stand for nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// targets takes target_modules: a list of names or ends of names, or a pattern for whole names, or
// all-linear. It returns the modules that the model has of them.
func (p *PEFT) targets(v any, c *Config) (wanted []string, err error) {
	var names func(module string) bool
	switch v := v.(type) {
	case []any:
		for _, name := range v {
			text, ok := name.(string)
			if !ok {
				return nil, fmt.Errorf("target_modules holds %s, not a name", shown(name))
			}
			p.Targets = append(p.Targets, text)
		}
		names = func(module string) bool {
			return slices.ContainsFunc(p.Targets, func(t string) bool { return targets(t, module) })
		}
	case string:
		if strings.EqualFold(v, "all-linear") {
			names = func(string) bool { return true }
			break
		}
		re, err := regexp.Compile("^(?:" + v + ")$")
		if err != nil {
			return nil, fmt.Errorf("target_modules is a pattern that this program cannot read: %w\nhint: name the modules in a list", err)
		}
		names = re.MatchString
	default:
		return nil, fmt.Errorf("target_modules is %s, neither a list of names nor a pattern", shown(v))
	}
	for _, module := range c.adaptableModules() {
		if names(module) {
			wanted = append(wanted, module)
		}
	}
	if p.Targets == nil {
		p.Targets = wanted
	}
	// PEFT lets a list name what a model lacks. If the file has a matrix of it, that is refused below.
	p.Targets = slices.DeleteFunc(p.Targets, func(t string) bool {
		return !slices.ContainsFunc(wanted, func(module string) bool { return targets(t, module) })
	})
	if len(p.Targets) == 0 {
		return nil, fmt.Errorf("target_modules names no module of this model\nhint: %s", c.adaptable())
	}
	return wanted, nil
}

// fits compares the tensors of the file with the matrices that the model's modules ask for.
func (p *PEFT) fits(c *Config, wanted []string) error {
	with := *c
	with.Adapters = &p.Adapters
	if err := with.Validate(); err != nil {
		return err
	}
	fit := map[string]bool{}
	p.params = with.AdapterParams()
	for _, param := range p.params {
		name := p.prefix + param.Name
		fit[name] = true
		t, ok := p.set.Header(name)
		switch {
		case !ok:
			return fmt.Errorf("%s is missing, which %s asks for\nhint: is this the adapter of another model?", name, PEFTConfigFile)
		case len(t.Shape) == 2 && t.Shape[0] != p.Rank && strings.HasSuffix(name, AdapterA), len(t.Shape) == 2 && t.Shape[1] != p.Rank && strings.HasSuffix(name, AdapterB):
			return fmt.Errorf("%s has shape %v, and r is %d in %s", name, t.Shape, p.Rank, PEFTConfigFile)
		case !slices.Equal(t.Shape, param.Shape):
			return fmt.Errorf("%s has shape %v, this model asks for %v\nhint: is this the adapter of another model?", name, t.Shape, param.Shape)
		}
	}
	for _, name := range p.set.Names() {
		if fit[name] {
			continue
		}
		module, ok := strings.CutPrefix(name, p.prefix)
		if i := strings.Index(module, ".lora_"); ok && i > 0 {
			if module = module[:i]; slices.Contains(c.adaptableModules(), module) && !slices.Contains(wanted, module) {
				return fmt.Errorf("the file has %s, which target_modules of %s does not name", name, PEFTConfigFile)
			}
			return fmt.Errorf("%s is not a matrix that an adapter of this model can have: %s\nhint: is this the adapter of another model? %s", name, c.notAdaptable(module), c.adaptable())
		}
		return fmt.Errorf("%s is not a matrix of an adapter\nhint: their names are %sMODULE%s", name, p.prefix, AdapterA)
	}
	return nil
}

// Weights returns a matrix of Config.AdapterParams as float32.
func (p *PEFT) Weights(param Param) ([]float32, error) {
	t, err := p.set.Tensor(p.prefix + param.Name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.file, err)
	}
	v, err := t.Float32s()
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", p.file, param.Name, err)
	}
	return v, nil
}

// Digest is a hash over the matrices, in float32, and the bits of the scale.
func (p *PEFT) Digest() (sum [sha256.Size]byte, err error) {
	return p.Adapters.Digest(p.params, p.Weights)
}

// Digest is a hash over an adapter's matrices, in float32, and the bits of its scale.
func (a *Adapters) Digest(params []Param, get func(p Param) ([]float32, error)) (sum [sha256.Size]byte, err error) {
	var all []weights.Named
	for _, p := range params {
		all = append(all, weights.Named{Name: p.Name, Tensor: tensor.Tensor{DType: tensor.F32, Shape: p.Shape}, Load: func() ([]byte, error) {
			w, err := get(p)
			return tensor.FromFloat32(p.Shape, w).Data, err
		}})
	}
	if sum, err = weights.Digest(all); err != nil {
		return sum, fmt.Errorf("reading the adapter: %w", err)
	}
	return sha256.Sum256(binary.LittleEndian.AppendUint32(append([]byte("adapter\x00"), sum[:]...), math.Float32bits(a.Scale()))), nil
}

// Close releases the file.
func (p *PEFT) Close() error { return p.set.Close() }

// SavePEFT writes the adapter of a model, whose matrices get returns, as a folder that PEFT opens:
// adapter_model.safetensors in float32, then adapter_config.json. base is what the model is called
// there.
func SavePEFT(dir string, c *Config, get Source, base string) error {
	var tensors []weights.Named
	for _, p := range c.AdapterParams() {
		tensors = append(tensors, weights.Named{Name: peftPrefix + p.Name, Tensor: tensor.Tensor{DType: tensor.F32, Shape: p.Shape}, Load: func() ([]byte, error) {
			v, err := get(p.Name)
			return tensor.FromFloat32(p.Shape, v).Data, err
		}})
	}
	if err := weights.WriteSafetensors(filepath.Join(dir, peftWeights), tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	text, err := PEFTConfig(c, base)
	if err != nil {
		return err
	}
	return store.WriteFile(filepath.Join(dir, PEFTConfigFile), text)
}

// PEFTConfig is the text of the adapter_config.json of a model's adapters; base is what the model is called
// there.
func PEFTConfig(c *Config, base string) ([]byte, error) {
	a := c.Adapters
	var alpha any = a.Alpha
	if a.Alpha == math.Trunc(a.Alpha) && math.Abs(a.Alpha) < 1<<53 {
		alpha = int64(a.Alpha)
	}
	m := map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": nil, "r": a.Rank, "lora_alpha": alpha, "lora_dropout": a.Dropout,
		"use_rslora": a.RSLoRA, "target_modules": a.Targets, "bias": "none", "fan_in_fan_out": c.Family == gpt2.name, "init_lora_weights": true, "inference_mode": true,
	}
	if base != "" {
		m["base_model_name_or_path"] = base
	}
	return pyjson.Indented(m)
}

// CombinePEFT writes one adapter of a model that adds what several do, each times a number: their ranks are
// joined, A's rows one below the other, B's columns side by side and multiplied by scale and number.
//
// PEFT's add_weighted_adapter with combination_type cat.
func CombinePEFT(dir string, c *Config, list []*PEFT, times []float64) error {
	with, a := *c, &Adapters{}
	with.Adapters = a
	has := make([]map[string]Param, len(list)) // of each, by name
	for i, p := range list {
		a.Rank += p.Rank
		has[i] = map[string]Param{}
		for _, q := range p.params {
			has[i][q.Name] = q
		}
	}
	a.Alpha = float64(a.Rank) // the scales are in B
	for _, module := range c.adaptableModules() {
		if slices.ContainsFunc(has, func(m map[string]Param) bool { return m[module+AdapterA].Name != "" }) {
			a.Targets = append(a.Targets, module)
		}
	}
	all := map[string]Param{}
	for _, q := range with.AdapterParams() {
		all[q.Name] = q
	}
	return SavePEFT(dir, &with, func(name string) ([]float32, error) {
		q := all[name]
		out, at := make([]float32, q.Size()), 0
		for i, p := range list {
			own, ok := has[i][name]
			if !ok {
				at += p.Rank
				continue
			}
			w, err := p.Weights(own)
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(name, AdapterA) {
				copy(out[at*q.Shape[1]:], w)
			} else {
				scale := float32(times[i] * float64(p.Scale()))
				for row := range q.Shape[0] {
					for k := range p.Rank {
						out[row*a.Rank+at+k] = w[row*p.Rank+k] * scale
					}
				}
			}
			at += p.Rank
		}
		return out, nil
	}, list[0].Base)
}

// notAdapter refuses a folder with an adapter, beside a base model's files too: the model is both
// together.
func notAdapter(dir string) error {
	m, err := pyjson.ReadObject(filepath.Join(dir, PEFTConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kind, _ := m["peft_type"].(string)
	base, _ := m["base_model_name_or_path"].(string)
	return fmt.Errorf("%s holds an adapter (%s) of %s, not a model\nhint: 'olmo merge --model BASE --adapter %s --out DIR' merges the two", dir, cmp.Or(kind, "PEFT"), cmp.Or(base, "a base model"), dir)
}
