package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"olmo/config"
	"olmo/data/tokens"
	"olmo/proof"
)

// noBits are the keys of a config that change no bit of a run: where it reads and writes, what it
// saves, logs and evaluates, when it ends, how the work is shared out, and what has no effect
// here. What a run begins with (load_path, init_weights, init_reward_head, reset_…) is in the first line of its
// chain. All others are its recipe.
var noBits = []string{
	"run_name", "dry_run", "evaluators", "eval_interval", "eval_subset_num_batches", "eval_on_load", "device_eval_batch_size", "downstream_data",
	"tokenizer", "inputs", "hf_datasets_cache_dir",
	"save_folder", "remote_save_folder", "save_interval", "save_interval_unsharded", "save_interval_ephemeral", "save_num_checkpoints_to_keep",
	"save_num_unsharded_checkpoints_to_keep", "save_overwrite", "save_steps", "save_data_indices", "force_save_unsharded", "no_pre_train_checkpoint",
	"sharded_checkpointer", "new_style_checkpoints",
	"load_path", "load_path_sharded_checkpointer", "try_load_latest_save", "reset_optimizer_state", "reset_trainer_state", "restore_dataloader", "init_weights", "init_reward_head", "adapter.init_weights", "adapter.stored",
	"stop_at", "stop_after", "time_limit", "early_stopping_factor", "extra_steps_after_cancel", "canceled_check_interval",
	"device_train_batch_size", "device_train_microbatch_size", "device_train_grad_accum", "activation_checkpointing",
	"wandb", "speed_monitor", "console_log_interval", "tensorboard", "csv", "sample_interval", "sample_prompts", "module_outputs_save_steps",
	"python_profiling", "torch_profiling",
	"compile", "distributed_strategy", "fsdp", "ddp", "single", "fused_loss", "gen1_gc_interval", "auxiliary_loss_multiplier",
	"allow_changes", "accept_changes", "chain_state_interval", "chain_note_interval",
	"model.init_device", "model.flash_attention", "model.block_group_size", "model.precision",
	"optimizer.no_decay_norm_and_bias", "optimizer.metrics_log_interval", "optimizer.record_update_metrics",
	"objective.reference", "rollouts.save_traces",
	"data.pad_direction", "data.num_workers", "data.pin_memory", "data.prefetch_factor", "data.persistent_workers", "data.timeout",
	"data.custom_dataset", "data.pack_documents",
}

// Recipe is every setting of the run that can change a bit, as RFC 8785 writes it. Of files it
// has the names, in their order, below the deepest folder that holds all of them.
func (c *Config) Recipe() ([]byte, error) {
	named := c.withNames()
	plain, err := config.Plain(named)
	if err != nil {
		return nil, fmt.Errorf("writing the recipe: %w", err)
	}
	all := plain.(map[string]any)
	for _, key := range noBits {
		section, name, below := strings.Cut(key, ".")
		if !below {
			delete(all, key)
		} else if m, ok := all[section].(map[string]any); ok {
			delete(m, name)
		}
	}
	all["world_size"] = c.ranks()
	all["data"].(map[string]any)["seed"] = c.dataSeed()
	seeds(all, c)
	text, err := proof.CanonicalOf(all)
	if err != nil {
		return nil, fmt.Errorf("writing the recipe: %w", err)
	}
	return text, nil
}

// seeds writes seeds that float64 does not hold as strings.
func seeds(all map[string]any, c *Config) {
	set := func(m map[string]any, key string, seed *uint64) {
		if seed != nil && *seed > 1<<53 {
			m[key] = strconv.FormatUint(*seed, 10)
		}
	}
	data := all["data"].(map[string]any)
	set(all, "seed", &c.Seed)
	seed := c.dataSeed()
	set(data, "seed", &seed)
	set(data, "source_permutation_seed", c.Data.SourcePermutationSeed)
	set(data, "interleaving_seed", &c.Data.InterleavingSeed)
}

// TokenFiles are the paths of all token files that the run trains on, some perhaps twice.
func (c *Config) TokenFiles() []string { return c.Data.tokenFiles() }

// Files are the token files and label masks.
func (d *DataConfig) Files() []string { return append(d.tokenFiles(), d.LabelMaskPaths...) }

func (d *DataConfig) tokenFiles() []string {
	files := slices.Clone(d.paths())
	for _, s := range d.Mixture {
		files = append(files, s.Paths...)
	}
	return files
}

// withNames is the config with the names of token files and label masks in the places of their
// paths.
func (c *Config) withNames() *Config {
	out := c.clone()
	rename := func(all []string, lists ...[]string) {
		names := map[string]string{}
		for i, name := range tokens.TreeNames(all) {
			names[all[i]] = name
		}
		for _, list := range lists {
			for i, p := range list {
				if name, ok := names[p]; ok {
					list[i] = name
				}
			}
		}
	}
	d := &out.Data
	// Those that are no token files of the run change no bit, and say where this machine has them.
	if kept := slices.DeleteFunc(slices.Clone(d.InterleavingExemptPaths), func(p string) bool { return !slices.Contains(c.TokenFiles(), p) }); len(kept) > 0 {
		d.InterleavingExemptPaths = kept
	} else if len(d.InterleavingExemptPaths) > 0 {
		d.InterleavingExemptPaths = nil
	}
	lists := [][]string{d.Paths, d.InterleavingExemptPaths}
	for _, paths := range d.Datasets {
		lists = append(lists, paths)
	}
	for _, s := range d.Mixture {
		lists = append(lists, s.Paths)
	}
	rename(c.TokenFiles(), lists...)
	rename(d.LabelMaskPaths, d.LabelMaskPaths)
	return out
}

// FromRecipe is the config of a run that a recipe describes. Its token files are looked for under their
// names in the folder tokenFiles, its label masks in masks. A recipe may be from anybody: a name that leads
// outside is an error.
func FromRecipe(text []byte, tokenFiles, masks string) (*Config, error) {
	c := DefaultConfig()
	if err := config.Parse("recipe.json", text, nil, c); err != nil {
		return nil, err
	}
	for _, name := range c.Data.Files() {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("the recipe names the file %q, which is none below a folder", name)
		}
	}
	place := func(folder string, list []string) {
		for i, name := range list {
			if strings.Contains(folder, "://") {
				list[i] = strings.TrimRight(folder, "/") + "/" + name
			} else {
				list[i] = filepath.Join(folder, filepath.FromSlash(name))
			}
		}
	}
	d := &c.Data
	place(tokenFiles, d.Paths)
	place(tokenFiles, d.InterleavingExemptPaths)
	for _, label := range slices.Sorted(maps.Keys(d.Datasets)) {
		place(tokenFiles, d.Datasets[label])
	}
	for _, s := range d.Mixture {
		place(tokenFiles, s.Paths)
	}
	place(masks, d.LabelMaskPaths)
	return c, c.Validate()
}

// RecipeDifferences names the keys in which two recipes differ, in byte order: "data.seed", say.
func RecipeDifferences(a, b []byte) ([]string, error) {
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		return nil, fmt.Errorf("reading a recipe: %w", err)
	}
	return differences("", x, y), nil
}

func differences(key string, a, b any) (keys []string) {
	x, ok := a.(map[string]any)
	y, too := b.(map[string]any)
	if !ok || !too {
		if fmt.Sprint(a) != fmt.Sprint(b) {
			keys = append(keys, key)
		}
		return keys
	}
	names := map[string]bool{}
	for name := range x {
		names[name] = true
	}
	for name := range y {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		keys = append(keys, differences(strings.TrimPrefix(key+"."+name, "."), x[name], y[name])...)
	}
	return keys
}

// DataFolders are the folders in which the run's token files and label masks lie under the names
// that the recipe has of them.
func (c *Config) DataFolders() (tokenFiles, masks string, err error) {
	above := func(files []string) (string, error) {
		if len(files) == 0 {
			return "", nil
		}
		name := tokens.TreeNames(files)[0]
		if file, ok := strings.CutSuffix(files[0], name); ok {
			return file, nil
		}
		file, err := filepath.Abs(files[0])
		if err != nil {
			return "", err
		}
		folder, ok := strings.CutSuffix(filepath.ToSlash(file), "/"+name)
		if !ok {
			return "", fmt.Errorf("%s does not lie under its name %s", file, name)
		}
		return filepath.FromSlash(folder), nil
	}
	if tokenFiles, err = above(c.TokenFiles()); err == nil {
		masks, err = above(c.Data.LabelMaskPaths)
	}
	return tokenFiles, masks, err
}

// DataFoldersAt are DataFolders of the settings by which a run in a folder made the steps from one to
// another, which are those of a checkpoint from that time; to below 0 is the end of the run, whose
// settings its own config.yaml has.
func DataFoldersAt(run string, from, to int) (tokenFiles, masks string, err error) {
	now, err := LoadRun(run, nil)
	if err != nil {
		return "", "", err
	}
	if to < 0 {
		return now.DataFolders()
	}
	steps, err := Steps(now.SaveFolder)
	if err != nil {
		return "", "", err
	}
	for _, step := range steps {
		if from <= step && step <= to {
			then, err := LoadRun(filepath.Join(now.SaveFolder, fmt.Sprintf("step%d", step)), nil)
			if err != nil {
				return "", "", err
			}
			return then.DataFolders()
		}
	}
	return "", "", fmt.Errorf("no checkpoint of the steps %d to %d is left, which would say where their token files lie", from, to)
}
