"""Writes repositories.json.gz: small repositories of data sets, and the rows of their splits
as Hugging Face's datasets reads them; tables, likewise; and folders that it wrote itself.

    python repositories.py   # in this folder; seen: datasets 5.2.0, pandas 3.1.1
"""

import base64
import gzip
import json
import os
import pathlib
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp()
import datasets
import pyarrow as pa
import pyarrow.parquet

datasets.disable_progress_bars()
root = pathlib.Path(tempfile.mkdtemp())


def rows(*names):
    return "".join(json.dumps({"id": n, "n": i, "tags": [n, None]}, separators=(",", ":")) + "\n" for i, n in enumerate(names))


def parquet(*names):
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(pa.Table.from_pylist([json.loads(line) for line in rows(*names).splitlines()]), sink)
    return sink.getvalue().to_pybytes()


def readme(configs):
    return "---\nlicense: mit\ntags:\n- quiz\nconfigs:\n" + configs + "---\n\n# Quiz\n"


repositories = {
    "one file": {"quiz.jsonl": rows("a", "b")},
    "split in name": {"train.jsonl": rows("a"), "test.jsonl": rows("b"), "README.md": "# Quiz\n"},
    "word in name": {"quiz-train.jsonl": rows("a"), "quiz_dev.jsonl": rows("b"), "my.test.jsonl": rows("c"), "contest.jsonl": rows("d")},
    "sharded": {"data/train-00000-of-00002.parquet": parquet("a"), "data/train-00001-of-00002.parquet": parquet("b"), "data/extra-00000-of-00001.parquet": parquet("c"), "other/test.parquet": parquet("d")},
    "folders": {"train/b.jsonl": rows("a"), "train/a.jsonl": rows("b"), "evaluation/x.jsonl": rows("c")},
    "configurations": {"README.md": readme("- config_name: easy\n  data_files:\n  - split: train\n    path: easy/train-*\n  - split: test\n    path: easy/test-*\n- config_name: hard\n  default: true\n  data_files:\n  - split: test\n    path:\n    - hard/a.parquet\n    - hard/b*\n"),
                       "easy/train-00000-of-00001.parquet": parquet("a"), "easy/test-00000-of-00001.parquet": parquet("b"), "hard/b1.parquet": parquet("c"), "hard/a.parquet": parquet("d")},
    "one list": {"README.md": readme("- config_name: default\n  data_files: '*.csv'\n"), "b.csv": "id,n\nb,1\n", "a.csv": "id,n\na,2\n"},
    "data_dir": {"README.md": readme("- config_name: main\n  data_dir: v1\n- config_name: old\n  data_dir: v0\n"), "v1/test.jsonl": rows("a"), "v0/test.jsonl": rows("b")},
    "anywhere": {"README.md": readme("- config_name: default\n  data_files:\n  - split: test\n    path: '**/*.jsonl'\n"), "x/y/b.jsonl": rows("a"), "a.jsonl": rows("b"), ".hidden/c.jsonl": rows("c")},
    "list": {"test.json": "[\n " + ",\n ".join(rows("a", "b").splitlines()) + "\n]\n"},
    "text": {"test.txt": "one\r\n\ntwo\rthree\nlast"},
    "packed": {"validation.jsonl.gz": gzip.compress(rows("a", "b").encode(), mtime=0)},
    "most": {"test.parquet": parquet("a"), "test-b.parquet": parquet("b"), "test.csv": "id,n\nc,1\n"},
}
tables = {
    "whole": "a,b\n1,-2\n007,+3\n 4,5\n",
    "missing": "a,b,c\n1,x,\n,y,\nNA,None,\n",
    "numbers": "a,b,c\n1.5,1e3,.5\n2,-0.25,7\nnan,1,2\n",
    "truth": "a,b,c\nTrue,true,True\nFalse,FALSE,x\n",
    "truth and nothing": "a,b\nTrue,1\n,0\n",
    "texts": "a,b\n\"x, \"\"y\"\"\nz\",1\nü,2\n",
    "short row": "a,b\n1\n2,3\n",
    "large": "a,b\n18446744073709551615,9223372036854775807\n1,-9223372036854775808\n",
    "large with sign": "a\n18446744073709551615\n-1\n",
    "index": ",b\n0,x\n1,y\n",
    "mixed": "a,b\n1,1.0\nx,y\n",
    "blank lines": "a,b\n\n1,2\n\n",
}


def lines(d):
    return [json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in d.to_list()]


def place(files):
    folder = root / f"r{len(os.listdir(root))}" / "quiz"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def encoded(files):
    return {name: base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode() for name, text in files.items()}


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix in (".arrow", ".json")}


out = {"repositories": {}, "tables": {}, "written": {}}
for name, files in repositories.items():
    folder = place(files)
    want = []
    for configuration in [None] + datasets.get_dataset_config_names(str(folder)):
        try:
            loaded = datasets.load_dataset(str(folder), configuration)
        except ValueError:
            want.append({"configuration": configuration or "", "split": "test", "rows": None})
            continue
        for split, d in loaded.items():
            want.append({"configuration": configuration or "", "split": split, "rows": lines(d)})
    out["repositories"][name] = {"files": encoded(files), "want": want}
for name, text in tables.items():
    d = datasets.load_dataset("csv", data_files=str(place({"t.csv": text}) / "t.csv"), split="train")
    out["tables"][name] = {"text": text, "rows": lines(d)}

quiz = datasets.DatasetDict({"train": datasets.Dataset.from_list([json.loads(line) for line in rows("a").splitlines()]),
                             "test": datasets.Dataset.from_list([json.loads(line) for line in rows("b", "c").splitlines()])})
folder = root / "saved" / "quiz"
quiz.save_to_disk(folder, num_shards={"train": 1, "test": 2})
out["written"]["save_to_disk"] = {"files": encoded({"quiz/" + k: v for k, v in tree(folder).items()}), "want": [{"configuration": "", "split": s, "rows": lines(quiz[s])} for s in quiz]}
folder = root / "one" / "quiz"
quiz["test"].save_to_disk(folder)
out["written"]["save_to_disk of a split"] = {"files": encoded({"quiz/" + k: v for k, v in tree(folder).items()}), "want": [{"configuration": "", "split": "test", "rows": lines(quiz["test"])}]}
cache = root / "cache"
loaded = datasets.load_dataset(str(place(repositories["configurations"])), "easy", cache_dir=str(cache))
files = {"acme___" + k: v for k, v in tree(cache).items()}
out["written"]["load_dataset"] = {"files": encoded(files), "want": [{"configuration": "easy", "split": s, "rows": lines(loaded[s])} for s in loaded]}

with gzip.GzipFile("repositories.json.gz", "wb", mtime=0, compresslevel=9) as f:
    f.write(json.dumps(out, ensure_ascii=False, sort_keys=True).encode())
shutil.rmtree(root)
