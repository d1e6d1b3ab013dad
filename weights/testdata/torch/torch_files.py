"""Makes the files beside it, with PyTorch 2.15.0: what torch.save writes now and what it wrote
before 1.6, of one state dict with every dtype, views and shared storages, also wrapped as
training scripts wrap it; and the same tensors by safetensors 0.8.0.

    python torch_files.py
"""
import collections, pathlib, safetensors.torch, torch

here = pathlib.Path(__file__).parent
g = torch.Generator().manual_seed(1)
w = torch.randn(4, 6, generator=g)
state = collections.OrderedDict()
state["w"] = w
state["half"] = w[:2].to(torch.float16)
state["bf16"] = w[:2].to(torch.bfloat16)
state["f8"] = w[:2].to(torch.float8_e4m3fn)
state["f8e5"] = w[:2].to(torch.float8_e5m2)
state["double"] = w[0].double()
state["ids"] = torch.arange(5)
state["flag"] = torch.tensor([True, False])
state["tied"] = state["w"]       # the same storage
state["view"] = w.t()[1:3]       # a part of it, the other way round
state["scalar"] = torch.tensor(2.5)
state["empty"] = torch.zeros(0, 3)

old = collections.OrderedDict((k, v) for k, v in state.items() if not k.startswith("f8"))  # as old as they are
legacy = dict(_use_new_zipfile_serialization=False)
module = collections.OrderedDict(("module." + k, v) for k, v in state.items())
extras = {"epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}}

safetensors.torch.save_file({k: v.clone().contiguous() for k, v in state.items()}, here / "same.safetensors")
torch.save(state, here / "zip.pt")
torch.save(old, here / "legacy.pt", **legacy)
torch.save(state, here / "legacy-new-types.pt", **legacy)
torch.save(old, here / "legacy-protocol4.pt", pickle_protocol=4, **legacy)
torch.save({k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in old.items()}, here / "legacy-parameters.pt", **legacy)
torch.save(module, here / "module.pt")
torch.save({"state_dict": module, **extras}, here / "state_dict-module.pt")
torch.save({"model": state, **extras}, here / "model.pt")
torch.save({"model": old, **extras}, here / "legacy-model.pt", **legacy)
torch.save({"model_state_dict": state, **extras}, here / "model_state_dict.pt")
torch.save({"model": {"_orig_mod." + k: v for k, v in state.items()}}, here / "compiled.pt")
parts = {"w": "_fsdp_wrapped_module.", "half": "_fsdp_wrapped_module._checkpoint_wrapped_module."}
torch.save({parts.get(k, "") + k: v for k, v in state.items()}, here / "layers.pt")
torch.save({"model": {"state_dict": module, "version": 2}, **extras}, here / "twice.pt")
torch.save({"model": state, "state_dict": old}, here / "two.pt")
torch.save(torch.nn.Linear(2, 3), here / "whole-module.pt")
torch.save(torch.nn.Linear(2, 3), here / "legacy-whole-module.pt", **legacy)
