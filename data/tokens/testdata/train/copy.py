"""Takes the order of OLMo's data loader from the fixtures that ai2-olmo 0.6.0 and
NumPy 1.26.4 made (OLMO_GOLDEN/reference/train, whose README says how): data_order.json
whole, and of the run tokens_clipwarm_mask the token files, label masks, batches, and
the instances of each step.

    OLMO_GOLDEN=... python3 data/tokens/testdata/train/copy.py
"""

import json
import os
import pathlib
import shutil

root = pathlib.Path(os.environ["OLMO_GOLDEN"], "reference", "train")
here = pathlib.Path(__file__).parent
shutil.copyfile(root / "data_order.json", here / "data_order.json")
run, out = root / "tokens_clipwarm_mask", here / "tokens_clipwarm_mask"
out.mkdir(exist_ok=True)
for name in ["tokens-0.npy", "tokens-1.npy", "label_mask-0.npy", "label_mask-1.npy", "batches.safetensors"]:
    shutil.copyfile(run / name, out / name)
config = (run / "config.yaml").read_text().splitlines(keepends=True)
(out / "config.yaml").write_text("".join(config[:2]))
steps = [{k: s[k] for k in ("step", "epoch", "index")} for s in json.loads((run / "steps.json").read_text())["steps"]]
(out / "steps.json").write_text(json.dumps({"steps": steps}) + "\n")
