"""Random conversations as open-instruct's own functions render, tokenise and mask them.

  python make.py OPEN_INSTRUCT TOKENIZER OUT [SEED [COUNT]]

OPEN_INSTRUCT is a checkout (e6c3044 was used), TOKENIZER a folder with tokenizer.json and
tokenizer_config.json, OUT a folder ROOT/adapt/NAME, which the golden tests of package adapt read
with OLMO_GOLDEN=ROOT. Wants torch 2.15.0, transformers 5.24.0, jinja2 3.1.6, tokenizers 0.23.3;
what else open-instruct imports is replaced by nothing.
"""
import copy
import json
import logging
import os
import random
import shutil
import sys
import types
from unittest.mock import MagicMock

checkout, tokenizer, out = sys.argv[1:4]
seed, count = (int(x) for x in sys.argv[4:] + ["1", "500"][len(sys.argv) - 4:])


class Absent(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


sys.path.insert(0, checkout)
for name in ("datasets", "rich", "rich.console", "rich.text"):
    try:
        __import__(name)
    except ImportError:
        sys.modules[name] = Absent(name)
import open_instruct

for name in ("launch_utils", "utils", "logger_utils"):
    module = sys.modules["open_instruct." + name] = Absent(name)
    setattr(open_instruct, name, module)
from open_instruct import dataset_transformation as theirs
from transformers import AutoTokenizer

theirs.logger = logging.getLogger("theirs")
theirs.logger.setLevel(logging.CRITICAL)
os.makedirs(out, exist_ok=True)
shutil.copytree(tokenizer, os.path.join(out, "tokenizer"), dirs_exist_ok=True)
tok = AutoTokenizer.from_pretrained(tokenizer)
assert tok.is_fast
rng = random.Random(seed)

# What templates and tokenizers stumble over.
PIECES = [
    "Hello", "  lead", "trail  ", "\n\nx\n", "naïve 🗼", "<think>hm</think>ok", "<think>", "</think>", "Yes.", "Yes.",
    "<|endoftext|>", "<|im_end|>", "<|assistant|>", "a", "ß Ü", "“q”", "\t", "1+1=2", "Assistant: x", "User",
    "def f():\n  return 1\n", "日本語 テキスト", "é", "👩‍👩‍👧", "\u2028", "\xa0x", "",
]


def content(empty=True):
    while True:
        text = "".join(rng.choice(PIECES) + rng.choice(["", " ", "\n"]) for _ in range(rng.randint(0 if empty else 1, 5)))
        if empty or text.strip():
            return text


def conversation(calls):
    turns = []
    if rng.random() < 0.4:
        turns.append({"role": "system", "content": content()})
    if rng.random() < 0.1:
        turns.append({"role": "assistant", "content": content()})
    for _ in range(rng.randint(1, 4)):
        turns.append({"role": "user", "content": content()})
        if calls and rng.random() < 0.5:
            turns.append({"role": "assistant", "content": rng.choice([None, content()]), "function_calls": rng.choice(["f(x=1)", 'g("é")'])})
            turns.append({"role": "environment", "content": content()})
        if rng.random() < 0.9:
            turns.append({"role": "assistant", "content": content()})
    if calls:
        for turn in turns:
            if turn["role"] in ("system", "user") and rng.random() < 0.3:
                turn["functions"] = '[{"name":"f"}]'
    if turns[-1]["role"] != "assistant" or not (turns[-1]["content"] or "").strip():
        turns.append({"role": "assistant", "content": content(empty=False)})
    return turns


def lists(row):
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in row.items()}


names = list(theirs.CHAT_TEMPLATES)
json.dump(theirs.CHAT_TEMPLATES, open(os.path.join(out, "templates.json"), "w"))
renders, rows, pairs = (open(os.path.join(out, f + ".jsonl"), "w") for f in ("chat_templates", "sft_tokenize", "preference_tokenize"))
for i in range(count):
    # Texts, or that there is an error.
    name = rng.choice(names)
    tok.chat_template = theirs.CHAT_TEMPLATES[name]
    turns, answer = conversation(rng.random() < 0.3), rng.random() < 0.5
    if rng.random() < 0.1:
        rng.choice(turns).pop("content")
    line = {"template": name, "messages": turns, "add_generation_prompt": answer}
    try:
        line["text"] = tok.apply_chat_template(turns, tokenize=False, add_generation_prompt=answer)
    except Exception as e:
        line["error"] = type(e).__name__
    renders.write(json.dumps(line, ensure_ascii=rng.random() < 0.5) + "\n")

    # Ids and labels. Calls are for the templates that know them.
    name = rng.choice(names)
    tok.chat_template = theirs.CHAT_TEMPLATES[name]
    row = {"messages": conversation(rng.random() < 0.3 and "olmo" in name and "rlzero" not in name)}
    tools = rng.choice([None, None, "", "[]", [], [{"type": "function", "function": {"name": "f"}}], '{"name":"g"}'])
    if tools is not None:
        row["tools"] = tools
    fn = rng.choice(["sft_tulu_tokenize_and_truncate_v1", "last_turn_tulu_tokenize_and_truncate_v1"])
    length = rng.choice([4096, 4096, 80, 40, 20, 7, 1])
    made = getattr(theirs, fn)(copy.deepcopy(row), tok, length)
    keep = bool(theirs.sft_tulu_filter_v1(made, tok))
    made = {k: made[k].tolist() for k in ("input_ids", "labels", "attention_mask")}
    rows.write(json.dumps({"template": name, "fn": fn, "max_seq_length": length, **row, **made, "keep": keep}) + "\n")

    if i % 5 == 0:
        tok.chat_template = theirs.CHAT_TEMPLATES["tulu"]
        prompt = conversation(False)[:-1] + [{"role": "user", "content": content()}]
        pair = {side: prompt + [{"role": "assistant", "content": content(empty=False)}] for side in ("chosen", "rejected")}
        made = theirs.preference_tulu_tokenize_and_truncate_v1_2(copy.deepcopy(pair), tok, 4096)
        keep = bool(theirs.preference_tulu_filter_v1(made, tok))
        pairs.write(json.dumps({**pair, **lists(made), "keep": keep}) + "\n")
