"""Writes golden/out: what Dolma mixes out of the tagger's documents by golden/cfg.

    python3 -m venv venv && venv/bin/pip install dolma==1.2.1 numpy==1.26.4
    PATH=$PWD/venv/bin:$PATH venv/bin/python data/mix/testdata/golden.py

Made with Dolma 1.2.1 and Python 3.11 from data/tagger/testdata/golden.
"""

import gzip
import pathlib
import shutil
import subprocess
import tempfile

here = pathlib.Path(__file__).parent / "golden"
tagged = here.parent.parent.parent / "tagger" / "testdata" / "golden"
shutil.rmtree(here / "out", ignore_errors=True)
with tempfile.TemporaryDirectory() as work:
    work = pathlib.Path(work)
    shutil.copytree(tagged, work / "in")
    for cfg in sorted((here / "cfg").glob("*.yaml")):
        subprocess.run(["dolma", "-c", str(cfg.resolve()), "mix"], check=True, cwd=work)
    for path in sorted((work / "out").rglob("*.gz")):
        to = here / path.relative_to(work)
        to.parent.mkdir(parents=True, exist_ok=True)
        with open(to, "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
            z.write(gzip.decompress(path.read_bytes()))
