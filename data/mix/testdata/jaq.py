"""Writes jaq.json: what Dolma's mixer does with documents under rules of a filter.

    python3 -m venv venv && venv/bin/pip install dolma==1.2.1 numpy==1.26.4
    PATH=$PWD/venv/bin:$PATH venv/bin/python data/mix/testdata/jaq.py

Made with Dolma 1.2.1 and Python 3.11. One stream a rule and document: a rule that fails
ends its stream only. For each rule a letter a document: k kept, d dropped, f failed.
"""

import gzip
import json
import pathlib
import subprocess
import tempfile

here = pathlib.Path(__file__).parent

values = ["null", "0", "0.0", "-0.0", "1", "1.5", '""', '"s"', "[]", "[0.0,1]", "{}", '{"b":0.0}', "true", "false",
          "[[0,1,0.0]]", "12345678901234567890123", "0e5", "-0"]
jq = (here / "jaq.txt").read_text().splitlines()
jsonpath = (here / "jsonpath.txt").read_text().splitlines()


def verdicts(rules, documents, syntax, kind):
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        streams = []
        for d, text in enumerate(documents):
            (work / f"{d}/documents").mkdir(parents=True)
            with gzip.open(work / f"{d}/documents/a.jsonl.gz", "wt") as f:
                f.write(text + "\n")
        for r, rule in enumerate(rules):
            for d in range(len(documents)):
                streams.append({
                    "name": f"{r}-{d}", "documents": [f"{work}/{d}/documents/*"], "attributes": [],
                    "output": {"path": f"{work}/out/{r}/{d}", "max_size_in_bytes": 1000000},
                    "filter": {"syntax": syntax, kind: [rule]},
                })
        (work / "cfg.json").write_text(json.dumps({"streams": streams, "processes": 1}))
        subprocess.run(["dolma", "-c", str(work / "cfg.json"), "mix"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        out = {}
        for r, rule in enumerate(rules):
            said = ""
            for d in range(len(documents)):
                files = list((work / f"out/{r}/{d}").glob("*.gz"))
                said += "f" if not files else "k" if gzip.open(files[0]).read().strip() else "d"
            out[rule] = said
        return out


documents = ['{"id":"x","text":"abc def","a":%s,"z":0}' % v for v in values]
path = here / "jaq.json"
known = json.loads(path.read_text()) if path.exists() else {}
if known.get("documents") != documents:
    known = {}
out = {"documents": documents}
for syntax, rules in (("jq", jq), ("jsonpath", jsonpath)):
    for kind in "include", "exclude":
        what = f"{syntax} {kind}"
        out[what] = {r: v for r, v in known.get(what, {}).items() if r in rules}
        new = [r for r in rules if r not in out[what]]
        for i in range(0, len(new), 12):  # Dolma gets slow with many streams
            out[what] |= verdicts(new[i : i + 12], documents, syntax, kind)
path.write_text(json.dumps(out, indent=0, ensure_ascii=False) + "\n")
