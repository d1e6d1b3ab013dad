"""TRL's side of compare.py: trains what a job file says and writes what it measured.

    python trl_side.py JOB.json RESULT.json

Runs in an environment with torch, transformers 5, trl 1.16, peft 0.21 and datasets.
"""

import json
import os
import re
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback


class Clock(TrainerCallback):
    """The end of each step, and its logged figures."""

    def __init__(self):
        self.ends, self.logs = [], []

    def on_train_begin(self, args, state, control, **kwargs):
        self.ends.append(time.monotonic())

    def on_step_end(self, args, state, control, **kwargs):
        self.ends.append(time.monotonic())

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.logs.append(logs)


def rows(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def common(job):
    """Arguments of all three trainers: full float32, no recomputation, every step logged, nothing saved."""
    return dict(
        output_dir=job["out"], max_steps=job["steps"], learning_rate=job["rate"], lr_scheduler_type="constant",
        per_device_train_batch_size=job["batch"], gradient_accumulation_steps=job.get("accumulation", 1),
        max_grad_norm=0.0, weight_decay=0.0, seed=42, use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False,
        logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )


def peft_config(job):
    if "lora" not in job:
        return None
    from peft import LoraConfig

    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return LoraConfig(r=job["lora"], lora_alpha=job["lora"], lora_dropout=0.0, target_modules=modules, task_type="CAUSAL_LM")


def sft(job, model, tokenizer, clock):
    """The rows come as ids and labels, so that both programs train the same tokens."""
    data = Dataset.from_list([{"input_ids": r["input_ids"], "labels": r["labels"]} for r in rows(job["ids"])])
    args = trl.SFTConfig(**common(job), max_length=None, train_sampling_strategy="sequential")
    return trl.SFTTrainer(model, args, train_dataset=data, processing_class=tokenizer, peft_config=peft_config(job), callbacks=[clock])


def dpo(job, model, tokenizer, clock):
    data = [{"prompt": r["chosen"][:-1], "chosen": r["chosen"][-1:], "rejected": r["rejected"][-1:]} for r in rows(job["rows"])]
    args = trl.DPOConfig(
        **common(job), max_length=None, train_sampling_strategy="sequential", beta=job["beta"],
        precompute_ref_log_probs=job.get("cached", False), precompute_ref_batch_size=job["batch"],
    )
    return trl.DPOTrainer(model, args=args, train_dataset=Dataset.from_list(data), processing_class=tokenizer, callbacks=[clock])


def words(text):
    return re.sub(r"\b(a|an|the)\b", " ", re.sub(r"[^\w\s]", "", text.lower())).split()


def f1(completions, ground_truth, **kwargs):
    """The verifier string_f1: the F1 of the words of answer and truth."""
    scores = []
    for completion, truth in zip(completions, ground_truth):
        got, want = words(completion[0]["content"]), words(truth)
        same = sum(min(got.count(w), want.count(w)) for w in set(want))
        scores.append(2 * same / (len(got) + len(want)) if same else 0.0)
    return scores


def grpo(job, model, tokenizer, clock):
    data = Dataset.from_list([{"prompt": r["messages"], "ground_truth": r["ground_truth"]} for r in rows(job["rows"])])
    args = trl.GRPOConfig(
        **common(job), num_generations=job["samples"], max_completion_length=job["response"], temperature=1.0, beta=0.0,
        epsilon=0.2, epsilon_high=0.272, scale_rewards="none", shuffle_dataset=False, generation_batch_size=job["batch"] * job["accumulation"],
    )
    return trl.GRPOTrainer(model, f1, args=args, train_dataset=data, processing_class=tokenizer, callbacks=[clock])


def memory(name):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(name + ":"))


def main():
    with open(sys.argv[1]) as f:
        job = json.load(f)
    torch.set_num_threads(job["threads"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    clock = Clock()
    begin = time.monotonic()
    trainer = {"sft": sft, "dpo": dpo, "grpo": grpo}[job["stage"]](job, model, tokenizer, clock)
    prepared = time.monotonic() - begin
    trainer.train()
    steps = [b - a for a, b in zip(clock.ends, clock.ends[1:])]
    result = {
        "versions": {m.__name__: m.__version__ for m in (torch, transformers, trl)},
        "prepare": prepared, "steps": steps, "losses": [x["loss"] for x in clock.logs], "logs": clock.logs, "peak": memory("VmHWM"),
    }
    with open(sys.argv[2], "w") as f:
        json.dump(result, f)


main()
