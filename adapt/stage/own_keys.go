package stage

import "regexp"

// ownKeys are the keys of a stage that stand behind those of package train, which knows no stages.
var ownKeys = map[string]string{
	"optimizer.learning_rate": "learning_rate", "optimizer.weight_decay": "weight_decay", "optimizer.eps": "eps",
	"optimizer.decay_norm_and_bias": "set_weight_decay_on_bias_and_norm",
	"scheduler.name":                "lr_scheduler_type", "scheduler.t_warmup": "warmup_ratio", "scheduler.t_max": "final_lr_ratio",
	"global_train_batch_size": "per_device_train_batch_size × gradient_accumulation_steps × num_processes (in grpo num_unique_prompts_rollout)",
	"max_duration":            "max_train_steps or num_train_epochs (in grpo total_episodes)", "loss_group": "per_device_train_batch_size", "loss_denominator": "reduction",
	"save_interval": "checkpointing_steps", "save_num_checkpoints_to_keep": "keep_last_n_checkpoints", "eval_interval": "local_eval_every",
	"activation_checkpointing": "gradient_checkpointing", "save_folder": "output_dir", "load_path": "resume_from_checkpoint",
	"init_weights": "model_name_or_path", "init_reward_head": "reward_head",
	"data.seed": "seed", "data.no_shuffle": "shuffle", "data.paths": "dataset_mixer_list", "data.label_mask_paths": "dataset_mixer_list", "data.row_length": "the longest row",

	"objective.name": "loss_type", "objective.beta": "beta", "objective.label_smoothing": "label_smoothing", "objective.gamma_beta_ratio": "gamma_beta_ratio",
	"objective.reference_sha256": "reference_model",

	"adapter.rank": "lora_rank", "adapter.alpha": "lora_alpha", "adapter.dropout": "lora_dropout", "adapter.targets": "lora_target_modules",
	"adapter.rslora": "use_rslora", "adapter.init_weights": "lora_weights", "adapter.base_root": "model_name_or_path",

	"rollouts.samples": "num_samples_per_prompt_rollout", "rollouts.response_length": "response_length", "rollouts.temperature": "temperature", "rollouts.stop_strings": "stop_strings",
	"rollouts.mini_batches": "num_mini_batches", "rollouts.epochs": "num_train_epochs", "rollouts.loss_fn": "loss_fn", "rollouts.clip_lower": "clip_lower", "rollouts.clip_higher": "clip_higher",
	"rollouts.beta": "beta", "rollouts.kl_estimator": "kl_estimator", "rollouts.loss_denominator": "loss_denominator", "rollouts.advantage_normalization_type": "advantage_normalization_type",
	"rollouts.filter_zero_std_samples": "filter_zero_std_samples", "rollouts.mask_truncated_completions": "mask_truncated_completions", "rollouts.active_sampling": "active_sampling",
	"rollouts.rewards": "the verifiers, their factors or the prompts", "rollouts.reference": "model_name_or_path", "rollouts.ref_policy_update_freq": "ref_policy_update_freq", "rollouts.alpha": "alpha",
}

// word is a key, or a path, which may have the name of a key in it.
var word = regexp.MustCompile(`[\w./\\-]+`)

// InOwnKeys is what training says of a config, in the keys of the stage that made it.
func InOwnKeys(text string) string {
	return word.ReplaceAllStringFunc(text, func(w string) string {
		if own, ok := ownKeys[w]; ok {
			return own
		}
		return w
	})
}
