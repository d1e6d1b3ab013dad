package train

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"olmo/config"
	"olmo/internal/pyjson"
	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// start gives the model its first weights: those of the newest checkpoint in
// save_folder (try_load_latest_save), of load_path, of init_weights, or fresh ones. Where an adapter
// is trained these are the adapter's, and the model has those of init_weights in any case.
func (t *Trainer) start() error {
	if t.cfg.Adapter != nil {
		if err := t.loadBase(); err != nil {
			return err
		}
	}
	if e := t.cfg.Epoch; e != nil {
		t.state.Epoch = *e
	}
	if err := t.beginOptimizer(); err != nil {
		return err
	}
	if t.cfg.TryLoadLatestSave {
		found, err := candidates(t.cfg.SaveFolder)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			found = unsharded(t.cfg.SaveFolder) // of a run that began with the ai2-olmo package
		}
		if len(found) > 0 {
			t.inFolder = true
			return t.loadFirst(found, loading{optimizer: true, state: true})
		}
	}
	l := loading{optimizer: !t.cfg.ResetOptimizerState, state: !t.cfg.ResetTrainerState}
	switch path := t.cfg.LoadPath; {
	case path == "":
		return t.initialise()
	case isForeign(path):
		return fmt.Errorf("load_path %s is a model, not a checkpoint of a run: it has neither optimiser state nor a place in the data\nhint: 'olmo train --from %s', or init_weights=%s, starts with its weights", path, path, path)
	case isCheckpoint(path):
		t.inFolder = same(filepath.Dir(path), t.cfg.SaveFolder)
		return t.loadFirst([]string{path}, l)
	case isSharded(path):
		return t.load(path, l)
	default:
		found, err := candidates(path)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			found = unsharded(path)
		}
		if len(found) == 0 && !exists(path) {
			return fmt.Errorf("load_path %s is not there", path)
		}
		if len(found) == 0 {
			return fmt.Errorf("load_path %s holds no checkpoint\nhint: it must be a folder stepN of this program, stepN-unsharded of the ai2-olmo package, or a run folder with such folders", path)
		}
		t.inFolder = same(path, t.cfg.SaveFolder)
		return t.loadFirst(found, l)
	}
}

// unsharded lists the newest checkpoint stepN-unsharded of the ai2-olmo package in a run
// folder, if there is one.
func unsharded(dir string) []string {
	newest := -1
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		digits, ok := strings.CutSuffix(strings.TrimPrefix(e.Name(), "step"), "-unsharded")
		if n, err := strconv.Atoi(digits); ok && err == nil && isCheckpoint(filepath.Join(dir, e.Name())) {
			newest = max(newest, n)
		}
	}
	if newest < 0 {
		return nil
	}
	return []string{filepath.Join(dir, fmt.Sprintf("step%d-unsharded", newest))}
}

// continues reports whether the run goes on in the folder that it was loaded from.
func (t *Trainer) continues() bool { return t.inFolder && t.resumed }

// sharded tells what kind of checkpoint in pieces a folder holds, and how it becomes whole;
// an empty kind for other folders. The layouts are those of olmo/checkpoint.py of the ai2-olmo
// package (0.6.0) and of OLMo-core.
func sharded(dir string) (kind, remedy string) {
	has := func(parts ...string) bool { return exists(filepath.Join(append([]string{dir}, parts...)...)) }
	unshard := func(kind string) string {
		return fmt.Sprintf("make it whole with the package's 'python scripts/unshard.py %s OUT --type %s', then set load_path=OUT", dir, kind)
	}
	switch {
	case has("rank0.pt"):
		return "torch_legacy", unshard("torch_legacy")
	case has("model_and_optim") && has(".metadata.json"):
		return "OLMo-core", "write its weights with OLMo-core's convert_checkpoint_to_hf.py, turn that folder into one of the package with 'olmo convert --to ai2', and set init_weights to its model file"
	case has("model_and_optim"):
		return "olmo_core or torch_new", unshard("olmo_core") + "; for torch_new --type torch_new"
	case has("model", "rank0.pt"):
		return "local", unshard("local")
	}
	return "", ""
}

func isSharded(dir string) bool {
	kind, _ := sharded(dir)
	return kind != ""
}

func isCheckpoint(dir string) bool {
	for _, name := range []string{ModelFile, "model.pt"} {
		if exists(filepath.Join(dir, name)) {
			return true
		}
	}
	return false
}

// initialise makes the weights of a new run.
func (t *Trainer) initialise() error {
	if t.cfg.Adapter != nil {
		return t.initAdapter()
	}
	if path := t.cfg.InitWeights; path != "" {
		if err := t.initFrom(path, t.params); err != nil {
			return fmt.Errorf("init_weights: %w", err)
		}
	} else {
		scheme := t.cfg.Model.Init()
		for _, p := range t.params {
			w, err := scheme.Weights(t.model, p, t.cfg.Seed)
			if p.Name == model.RewardHead {
				w, err = t.cfg.rewardHead(t.model)
			}
			if err != nil {
				return fmt.Errorf("model: %w", err)
			}
			if err := t.dev.Write(p.Name, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// initFrom reads parameters from a model of any layout, or a file of weights.
func (t *Trainer) initFrom(path string, params []model.Param) error {
	if isModel(path) {
		return t.loadModel(path, params)
	}
	return t.loadWeights(path, params)
}

// isForeign tells whether a path leads to a model that is no checkpoint of training: a
// Hugging Face folder or a GGUF file.
func isForeign(path string) bool {
	if st, err := os.Stat(path); err != nil || !st.IsDir() {
		return err == nil
	}
	has := func(name string) bool { return exists(filepath.Join(path, name)) }
	return has("config.json") && !has(manifestFile) && !has(stateFile) && !has("optim.pt") && !has("optim.safetensors")
}

// loading says what is taken from a checkpoint besides the weights.
type loading struct{ optimizer, state bool }

// loadFirst loads the first folder that is whole, and says which are not.
func (t *Trainer) loadFirst(dirs []string, l loading) error {
	var errs []error
	for _, dir := range dirs {
		err := t.load(dir, l)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrCorrupt) {
			return err
		}
		errs = append(errs, err)
		if len(errs) < len(dirs) {
			t.opt.Warn(fmt.Sprintf("%v; falling back to the checkpoint before it", err))
		}
	}
	if len(errs) > 1 {
		errs = append(errs, errors.New("hint: no checkpoint is whole: restore one from a copy, or start anew with save_overwrite=true"))
	}
	return errors.Join(errs...)
}

// load reads one checkpoint folder, ours or the ai2-olmo package's.
func (t *Trainer) load(dir string, l loading) error {
	ours := exists(filepath.Join(dir, manifestFile)) || exists(filepath.Join(dir, stateFile))
	if kind, remedy := sharded(dir); kind != "" {
		return fmt.Errorf("%s is a checkpoint in pieces, one for each device (layout %s), which only the program that wrote it can put together\nhint: %s", dir, kind, remedy)
	}
	if err := errors.Join(t.sameModel(dir, t.inFolder && l.state), t.sameAdapter(dir, t.inFolder && l.state)); err != nil {
		return err
	}
	if !ours {
		return t.loadAI2(dir, l)
	}
	if t.inFolder && l.state {
		if err := t.sameRun(dir); err != nil {
			return err
		}
	}
	manifest, err := CheckCheckpoint(dir)
	if err != nil {
		return err
	}
	if err := t.loadWeights(filepath.Join(dir, ModelFile), t.params); err != nil {
		return err
	}
	var s State
	if err := pyjson.ReadFile(filepath.Join(dir, stateFile), &s); err != nil {
		return err
	}
	if err := pyjson.ReadFile(filepath.Join(dir, recordFile), &t.lost); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from := s.Chain
	t.chain.loaded, t.chain.from = manifest, &from
	if l.optimizer {
		if err := t.loadOptimizer(filepath.Join(dir, optimFile)); err != nil {
			return err
		}
	}
	if err := t.takeState(dir, s, l); err != nil {
		return err
	}
	return t.tellChanges()
}

// sameModel compares the model in a checkpoint's config with the run's, in what the shapes
// of the weights do not tell, and, of a run that goes on, in what a new run may change.
// Without a config that can be read it knows nothing.
func (t *Trainer) sameModel(dir string, goesOn bool) error {
	c := DefaultConfig()
	if config.LoadWithoutPaths(filepath.Join(dir, configFile), nil, c) != nil {
		return nil
	}
	m, err := c.Model.Config()
	if err != nil {
		return nil // another program's model: the weights will tell
	}
	for _, f := range shapes(m, t.model) {
		if f.theirs != f.ours && len(differing(unshaped(m, t.model))) == 0 {
			return fmt.Errorf("%s is of another model: %s is %v there and %v here\nhint: weights of another shape are of no use here; another save_folder begins anew", dir, f.key, f.theirs, f.ours)
		}
	}
	rows := unshaped(m, t.model)
	if goesOn {
		rows = append(rows, computed(m, t.model)...)
		rows = append(rows, trait{"vocab_size", m.VocabSize, t.model.VocabSize}, trait{"eos_token_id", m.EOS, t.model.EOS})
	}
	for _, f := range differing(rows) {
		return fmt.Errorf("%s is of another model: %s is %v there and %v here\nhint: init_weights=%s takes the weights all the same", dir, f.key, f.theirs, f.ours, filepath.Join(dir, ModelFile))
	}
	return nil
}

// differing are the settings that are not the same.
func differing(rows []trait) (out []trait) {
	for _, f := range rows {
		if !reflect.DeepEqual(f.theirs, f.ours) {
			out = append(out, f)
		}
	}
	return out
}

// trait is a setting of two models that the shapes of their weights do not tell.
type trait struct {
	key          string
	theirs, ours any
}

// shapes are the settings that the weights' shapes would tell, too, but not by their names.
func shapes(theirs, ours *model.Config) []trait {
	return []trait{
		{"n_layers", theirs.Layers, ours.Layers},
		{"d_model", theirs.C, ours.C},
		{"embedding_size", theirs.V, ours.V},
		{"the size of the feed-forward layer (mlp_hidden_size, or mlp_ratio times d_model)", theirs.F, ours.F},
		{"weight_tying", theirs.Tied, ours.Tied},
		{"include_bias", theirs.AttentionBias && theirs.MLPBias, ours.AttentionBias && ours.MLPBias},
	}
}

// named is a setting's name, or that of its zero value.
func named[T ~string](v T, zero string) string { return cmp.Or(string(v), zero) }

// unshaped are the settings without which weights mean nothing.
func unshaped(theirs, ours *model.Config) []trait {
	return []trait{
		{"n_heads", theirs.H, ours.H},
		{"n_kv_heads", theirs.KV, ours.KV},
		{"layer_norm_type: rms", theirs.Norm.RMS, ours.Norm.RMS},
		{"activation_type", named(theirs.Activation, "swiglu"), named(ours.Activation, "swiglu")},
		{"attention_layer_norm", theirs.QKNorm != nil, ours.QKNorm != nil},
		{"rope, alibi: the kind of positions", named(theirs.Position, "rope"), named(ours.Position, "rope")},
		{"the kind of blocks", theirs.Family, ours.Family},
		{"scale_logits", theirs.ScaleLogits, ours.ScaleLogits},
		{"norms of heads", theirs.QKHeads, ours.QKHeads},
		{"embeddings times sqrt(C)", theirs.ScaleEmbedding, ours.ScaleEmbedding},
		{"moe_top_k", theirs.TopK, ours.TopK},
	}
}

// computed are settings that a new run may change on purpose, for a longer context
// say, and a run that goes on, or an average, may not.
func computed(theirs, ours *model.Config) []trait {
	theirTheta, theirScaling := theirs.Rotation(true)
	ourTheta, ourScaling := ours.Rotation(true)
	return []trait{
		{"rope_theta", theirs.RopeTheta, ours.RopeTheta},
		{"rope_scaling", theirs.Scaling, ours.Scaling},
		{"sliding_window", theirs.Windows, ours.Windows},
		{"partial_rotary_factor", theirs.RopeDims, ours.RopeDims},
		{"rope_theta under a window", theirTheta, ourTheta},
		{"rope_scaling under a window", theirScaling, ourScaling},
		{"the scale of scores", theirs.Scale, ours.Scale},
		{"attn_logit_softcapping", theirs.ScoreCap, ours.ScoreCap},
		{"final_logit_softcapping", theirs.LogitCap, ours.LogitCap},
		{"alibi_bias_max", theirs.AlibiMax, ours.AlibiMax},
		{"layer_norm_eps", theirs.NormEps, ours.NormEps},
		{"clip_qkv", theirs.Clip, ours.Clip},
	}
}

// takeState continues from a checkpoint's state, as far as the config wants.
func (t *Trainer) takeState(dir string, s State, l loading) error {
	data := t.state.Data
	if l.optimizer {
		t.state.OptimizerSteps, t.state.NormAverages, t.state.Recent = s.OptimizerSteps, s.NormAverages, s.Recent
	}
	if !l.state {
		return nil
	}
	if !t.cfg.RestoreDataloader && !t.inFolder {
		t.state.Epoch = 0
		if n := t.cfg.FastForwardBatches; n != nil {
			t.state.ExamplesEpoch, t.state.Skipped = *n*t.cfg.GlobalTrainBatchSize, *n
		}
		if !l.optimizer {
			t.rewarm()
		}
		return nil
	}
	if s.Data != "" && s.Data != data && !(t.inFolder && t.cfg.AcceptChanges) {
		return fmt.Errorf("%s was trained on other token files (fingerprint %.12s, now %.12s)\nhint: restore the files, or start on the new ones with restore_dataloader=false", dir, s.Data, data)
	}
	if n := s.WorldSize; t.cfg.WorldSize == 0 && n > 1 {
		t.cfg.WorldSize = n
		if err := t.cfg.checkWorld(); err != nil {
			t.opt.Warn(fmt.Sprintf("%s was written by %d ranks, which cannot share these batches: sums are those of one rank", dir, n))
			t.cfg.WorldSize = 0
		}
	}
	optimizerSteps := t.state.OptimizerSteps
	// A run that goes on in its folder may have come further than the epoch it began with.
	if e := t.cfg.Epoch; e != nil && *e != s.Epoch && (!t.inFolder || *e > s.Epoch) {
		s.Epoch, s.ExamplesEpoch = *e, 0
	}
	t.state = s
	t.state.Data, t.state.OptimizerSteps, t.state.WorldSize = data, optimizerSteps, t.cfg.ranks()
	if !l.optimizer {
		t.rewarm()
		t.state.NormAverages, t.state.Recent = nil, nil
	}
	t.resumed = true
	return nil
}

// rewarm lets the rate rise from 0 again. As in OLMo's scripts/train.py the warm-up begins
// at the number of steps in units of tokens too, and so is over before it begins unless
// t_warmup is longer than all the tokens seen.
func (t *Trainer) rewarm() {
	step := float64(t.state.Step)
	t.state.Rewarm = &[2]float64{step, math.Trunc(step + t.cfg.Scheduler.TWarmup)}
}

// loadWeights reads parameters from a file of weights, which holds no others.
func (t *Trainer) loadWeights(path string, params []model.Param) error {
	set, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("reading weights: %w", err)
	}
	defer set.Close()
	inFile := func(name string) string { return name }
	if grouped := model.InGroups(set.Names()); grouped != nil {
		inFile = grouped
	}
	for _, p := range params {
		v, err := set.Tensor(inFile(p.Name))
		if err != nil {
			return fmt.Errorf("reading weights: %w\nhint: is this another model?", err)
		}
		if err := t.write(p.Name, p.Shape, v, path); err != nil {
			return err
		}
	}
	if names := set.Names(); len(names) > len(params) {
		for _, name := range names {
			if !slices.ContainsFunc(params, func(p model.Param) bool { return inFile(p.Name) == name }) {
				return fmt.Errorf("reading weights: %s holds %s, which the model lacks\nhint: is this another model?", path, name)
			}
		}
	}
	return nil
}

// write puts a tensor on the device after checking its shape.
func (t *Trainer) write(name string, shape []int, v tensor.Tensor, path string) error {
	if !slices.Equal(v.Shape, shape) {
		if strings.HasSuffix(name, ".wpe.weight") && len(v.Shape) == 2 && v.Shape[1] == shape[1] {
			return fmt.Errorf("reading %s: the model has learned %d positions, max_sequence_length is %d\nhint: set max_sequence_length to %d", path, v.Shape[0], shape[0], v.Shape[0])
		}
		return fmt.Errorf("reading %s: %s has shape %v, the model expects %v\nhint: is this another model?", path, name, v.Shape, shape)
	}
	f, err := v.Float32s()
	if err != nil {
		return fmt.Errorf("reading %s: %s: %w", path, name, err)
	}
	return t.dev.Write(name, f)
}

// loadOptimizer reads the optimiser's state from our file.
func (t *Trainer) loadOptimizer(path string) error {
	set, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("reading optimiser state: %w", err)
	}
	defer set.Close()
	return t.eachState(func(s state, _ model.Param) error {
		v, err := set.Tensor(s.name)
		if err != nil {
			return fmt.Errorf("reading optimiser state: %w\nhint: another optimizer.name wrote it; reset_optimizer_state=true starts it anew", err)
		}
		return t.write(s.name, s.shape, v, path)
	})
}

// loadAI2 reads an unsharded checkpoint of the ai2-olmo package: model.pt, optim.pt and
// train.pt, or the same names as safetensors (olmo/checkpoint.py, 0.6.0).
func (t *Trainer) loadAI2(dir string, l loading) error {
	file := func(stem string) string {
		if path := filepath.Join(dir, stem+".safetensors"); exists(path) {
			return path
		}
		return filepath.Join(dir, stem+".pt")
	}
	if err := t.loadWeights(file("model"), t.params); err != nil {
		return err
	}
	var s State
	if l.optimizer {
		if err := t.loadAI2Optimizer(file("optim"), &s); err != nil {
			return err
		}
	}
	if !l.state {
		return t.takeState(dir, s, l)
	}
	path := file("train")
	tree, err := weights.OpenTree(path)
	if err != nil {
		return fmt.Errorf("reading trainer state: %w", err)
	}
	defer tree.Close()
	root, ok := tree.Root.(*weights.Dict)
	if !ok {
		return fmt.Errorf("reading trainer state: %s is a %T, not a dict", path, tree.Root)
	}
	if v, found := root.Get("world_size"); found {
		n, _ := v.(int64) // older checkpoints have none
		s.WorldSize = int(n)
	}
	count := func(key string) int64 {
		v, _ := root.Get(key)
		n, isInt := v.(int64)
		ok = ok && isInt
		return n
	}
	s.Step, s.Epoch, s.ExamplesEpoch = int(count("global_step")), int(count("epoch")), int(count("global_train_examples_seen_this_epoch"))
	s.Tokens = count("global_train_tokens_seen")
	if !ok {
		return fmt.Errorf("reading trainer state: %s lacks one of global_step, epoch, global_train_examples_seen_this_epoch, global_train_tokens_seen", path)
	}
	return t.takeState(dir, s, l)
}

// loadAI2Optimizer reads the moments, the number of updates and the averages of gradient
// norms from torch.optim's state dict. Its states are numbered through the parameter
// groups, which list the parameters' names, or carry the names.
func (t *Trainer) loadAI2Optimizer(path string, s *State) error {
	tree, err := weights.OpenTree(path)
	if err != nil {
		return fmt.Errorf("reading optimiser state: %w", err)
	}
	defer tree.Close()
	wrong := func(what string) error {
		return fmt.Errorf("reading optimiser state: %s: %s\nhint: reset_optimizer_state=true goes on without it", path, what)
	}
	root, ok := tree.Root.(*weights.Dict)
	if !ok {
		return wrong("not a dict")
	}
	v, _ := root.Get("state")
	states, ok := v.(*weights.Dict)
	if !ok {
		return wrong("it has no state")
	}
	numbers := t.ai2Groups(root)
	i := int64(0)
	for _, g := range t.groups {
		if g.Matrices {
			return wrong("it is AdamW's or LionW's, the config wants another optimiser's")
		}
		for _, p := range g.Params {
			key := i
			if numbers != nil {
				if key, ok = numbers[p.Name]; !ok {
					return wrong("it has nothing for " + p.Name)
				}
			}
			v, ok := states.Get(key)
			if !ok {
				v, ok = states.Get(p.Name)
			}
			i++
			d, isDict := v.(*weights.Dict)
			if !ok || !isDict {
				return wrong("it has nothing for " + p.Name)
			}
			for _, s := range t.cfg.Optimizer.states(g, p) {
				key, _, _ := strings.Cut(s.name, "/")
				v, _ := d.Get(key)
				n, ok := v.(weights.Named)
				if !ok {
					return wrong(p.Name + " has no " + key)
				}
				value, err := n.Value()
				if err != nil {
					return wrong(err.Error())
				}
				if err := t.write(s.name, s.shape, value, path); err != nil {
					return err
				}
			}
			if v, ok := d.Get("step"); ok { // LionW has none
				n, ok := number(v)
				if !ok {
					return wrong(p.Name + " has a step that is no number")
				}
				s.OptimizerSteps = int(n)
			}
			if v, ok := d.Get("grad_norm_exp_avg"); ok && t.cfg.MaxGradNormRatio != nil {
				n, ok := number(v)
				if !ok {
					return wrong(p.Name + " has a grad_norm_exp_avg that is no number")
				}
				if s.NormAverages == nil {
					s.NormAverages = map[string]float64{}
				}
				s.NormAverages[p.Name] = n
			}
		}
	}
	return nil
}

// ai2Groups reads the parameter groups of a state dict: the numbers of the parameters, nil
// where no names are listed, and what OLMo goes on with in place of the config: the limit
// of the first step's gradients. It keeps the betas and eps of the checkpoint too; here
// the config has its way, with a warning.
func (t *Trainer) ai2Groups(root *weights.Dict) map[string]int64 {
	v, _ := root.Get("param_groups")
	groups, ok := v.(*weights.List)
	if !ok {
		return nil
	}
	items := func(d *weights.Dict, key string) []any {
		v, _ := d.Get(key)
		switch v := v.(type) {
		case *weights.List:
			return v.Items
		case weights.Tuple:
			return v
		}
		return nil
	}
	var names []string
	var numbers []int64
	for i, g := range groups.Items {
		d, ok := g.(*weights.Dict)
		if !ok {
			return nil
		}
		listed, params := items(d, "param_names"), items(d, "params")
		if len(listed) != len(params) {
			return nil
		}
		for j, name := range listed {
			text, isText := name.(string)
			n, isInt := params[j].(int64)
			if !isText || !isInt {
				return nil
			}
			text = strings.ReplaceAll(strings.TrimPrefix(text, "module."), "_fsdp_wrapped_module.", "")
			names, numbers = append(names, text), append(numbers, n)
		}
		if i > 0 {
			continue
		}
		key := "max_grad_norm"
		if t.cfg.MaxGradNormRatio != nil {
			key = "max_grad_norm_ratio"
		}
		if v, ok := d.Get(key); ok {
			if n, ok := number(v); ok {
				t.firstLimit = &n
			}
		}
		c := &t.cfg.Optimizer
		for key, want := range map[string][]float64{"betas": c.Betas[:], "eps": {c.Eps}} {
			got := items(d, key)
			if v, ok := d.Get(key); ok && got == nil {
				got = []any{v}
			}
			for k, v := range got {
				if n, ok := number(v); ok && k < len(want) && n != want[k] {
					t.opt.Warn(fmt.Sprintf("the checkpoint was trained with optimizer.%s %v; the config's %v are used, where ai2-olmo would go on with the checkpoint's", key, got, want))
					break
				}
			}
		}
	}
	inFile := model.InGroups(names)
	byName := map[string]int64{}
	for i, name := range names {
		byName[name] = numbers[i]
	}
	if inFile == nil {
		return byName
	}
	plain := map[string]int64{}
	for _, p := range t.params {
		if n, ok := byName[inFile(p.Name)]; ok {
			plain[p.Name] = n
		}
	}
	return plain
}

// number returns a number of Python's, or a tensor of one element.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case weights.Named:
		t, err := v.Value()
		if err != nil {
			return 0, false
		}
		f, err := t.Float64s()
		if err != nil || len(f) != 1 {
			return 0, false
		}
		return f[0], true
	}
	return 0, false
}
