"""Writes olmes.json.gz from the fixtures that ai2-olmo-eval 0.8.5, ai2-olmo 0.6.0 and
catwalk made (OLMO_GOLDEN/eval, whose README says how): of each task the requests'
lengths and log-probabilities without their texts, and the metrics that the references
returned for them; and how catwalk cut documents into windows.

    OLMO_GOLDEN=... python3 eval/testdata/olmes.py
"""

import gzip
import json
import os
import pathlib

root = pathlib.Path(os.environ["OLMO_GOLDEN"], "eval", "cases")


def lines(path):
    with gzip.open(path, "rt") as f:
        return [json.loads(line) for line in f]


tasks = {}
for name, want in json.loads((root / "tiny" / "summary.json").read_text()).items():
    requests = [[r["doc_id"], r["label_id"], r["chars"], r["bytes"], r["logprob"]] for r in lines(root / "tiny" / f"{name}.jsonl.gz")]
    metrics = {k: v for k, v in want["metrics"].items() if isinstance(v, (int, float))}
    tasks[name] = {"metric_type": want["metric_type"], "n_docs": want["n_docs"], "metrics": metrics, "requests": requests}
paloma = json.loads((root / "tiny-paloma.json").read_text())
windows = [{"tokens": d["num_tokens"], "windows": [[int(c), int(n)] for c, n, _ in d["windows"]], "sum": d["sum_logits"], "words": d["num_words"],
            "chars": d["num_chars"], "bytes": d["num_bytes"]} for d in lines(root / "tiny-paloma.jsonl.gz")]
out = {"tasks": tasks, "paloma": {"max_seq_len": paloma["max_seq_len"], "overall": {k: v for k, v in paloma["overall"].items() if isinstance(v, (int, float))}, "documents": windows}}
path = pathlib.Path(__file__).with_name("olmes.json.gz")
with open(path, "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
    z.write(json.dumps(out).encode())
print(path.stat().st_size, "bytes,", len(tasks), "tasks")
