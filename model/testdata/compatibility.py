"""Loads model folders in Transformers, and writes what it makes of each: DIR/theirs.

    python compatibility.py '[1,2,3]' DIR...

    theirs/logits.safetensors  float32 logits of the ids
    theirs/gradients           a folder of the model with the gradient of the mean cross entropy of every next id in each
                               weight's place, so that it is under the names, and of the form, of what is stored
    theirs/saved               the model as this version saves it
    theirs/refused             in place of all: why it is not loaded, or that it is not all of the model

TestCompatibility runs it with every Python that OLMO_TRANSFORMERS_PYTHON names (with torch, transformers and safetensors,
each version in a virtual environment of its own). Prints its versions as JSON.
"""

import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
ids = torch.tensor([json.loads(sys.argv[1])])
for folder in sys.argv[2:]:
    theirs = folder + "/theirs"
    os.mkdir(theirs)
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if info[what]:
                raise ValueError(f"{what}: {', '.join(map(str, sorted(info[what])))}")
    except Exception as e:
        with open(theirs + "/refused", "w") as f:
            f.write(f"{type(e).__name__}: {e}".split("\n")[0].replace(folder, "MODEL"))
        continue
    model.eval()
    model.save_pretrained(theirs + "/saved")
    logits = model(input_ids=ids).logits
    save_file({"logits": logits.detach().contiguous()}, theirs + "/logits.safetensors")
    torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]).backward()
    for p in model.parameters():
        p.data = torch.zeros_like(p) if p.grad is None else p.grad  # experts that no id came to
    model.save_pretrained(theirs + "/gradients")
print(json.dumps({"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}))
