"""Writes the logits that Transformers computes from model folders: DIR/logits.safetensors for each.

    python transformers_logits.py '[[1,2,3]]' DIR...

TestTransformers runs it with the Python that OLMO_TRANSFORMERS_PYTHON names (one with torch, transformers and
safetensors, in a virtual environment of its own).
"""

import json
import sys

import torch
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)
ids = torch.tensor(json.loads(sys.argv[1]))
for folder in sys.argv[2:]:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        save_file({"logits": model(input_ids=ids).logits.contiguous()}, f"{folder}/logits.safetensors")
