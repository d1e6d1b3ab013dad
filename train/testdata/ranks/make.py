"""A run of the ai2-olmo package (0.6.0) on two ranks, for ranks_test.go: DDP over gloo on
the CPU, with label masks, an instance filter, uneven micro-batches, and evaluations of
drawn subsets.

    torchrun --nproc_per_node 2 make.py      (torch 2.15.0, numpy 1.26.4; in this folder)
"""
import importlib.machinery, json, os, shutil, sys, types, warnings
warnings.filterwarnings("ignore")
os.environ.update(FS_LOCAL_RANK=os.environ["LOCAL_RANK"], AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
import numpy as np, torch, torch.distributed as dist
torch.set_num_threads(1)
load = torch.load
torch.load = lambda *a, **k: load(*a, **{"weights_only": False, **k})  # the package is older than that default
torch.cuda.get_rng_state = lambda *a, **k: torch.zeros(1, dtype=torch.uint8)
torch.cuda.set_rng_state = lambda *a, **k: None
for name in ("wandb", "sklearn", "sklearn.metrics"):
    try:
        __import__(name)
    except ImportError:
        m = types.ModuleType(name); m.run = m.f1_score = None; m.__spec__ = importlib.machinery.ModuleSpec(name, None); sys.modules[name] = m
        if "." in name: setattr(sys.modules["sklearn"], "metrics", m)
from safetensors.torch import save_file
from torch.nn.parallel import DistributedDataParallel as DDP
from olmo.config import *
from olmo.config import DataConfig, DDPConfig, InstanceFilterConfig
from olmo.data import build_train_dataloader
from olmo.eval import build_evaluator
from olmo.model import OLMo
from olmo.optim import build_optimizer, build_scheduler
from olmo.train import Trainer
import olmo.data.memmap_dataset as MD
MD._get_s3_client = lambda *a, **k: None
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
T, V = 16, 64
work = "/tmp/olmo_ranks"
if rank == 0:
    shutil.rmtree(work, ignore_errors=True); os.makedirs(work)
    for i, n in enumerate((41 * T + 3, 30 * T)):
        r = np.random.Generator(np.random.PCG64(50 + i))
        ids = r.integers(3, V, n).astype(np.uint16)
        for at in range(0, n - 10, 90): ids[at:at + 10] = 5  # repetitions for the filter
        ids.tofile(f"tokens-{i}.npy"); (r.random(n) < 0.8).astype(np.bool_).tofile(f"label_mask-{i}.npy")
dist.barrier()
cfg = TrainConfig(run_name="ranks", seed=99, model=ModelConfig(d_model=16, n_heads=2, n_layers=1, mlp_ratio=4, vocab_size=V, embedding_size=V, max_sequence_length=T,
        attention_dropout=0., residual_dropout=0., embedding_dropout=0., rope=True, include_bias=False, bias_for_layer_norm=False, layer_norm_with_affine=False,
        init_device="cpu", weight_tying=False, eos_token_id=2, pad_token_id=1, attention_layer_norm_with_affine=False, init_fn="mitchell"),
    optimizer=OptimizerConfig(name="adamw", learning_rate=5e-3, weight_decay=0.1, betas=(0.9, 0.95), eps=1e-8),
    scheduler=SchedulerConfig(name="cosine_with_warmup", t_warmup=4, alpha_f=0.1),
    data=DataConfig(paths=["tokens-0.npy", "tokens-1.npy"], label_mask_paths=["label_mask-0.npy", "label_mask-1.npy"], num_workers=0, drop_last=True, pin_memory=False,
        instance_filter=InstanceFilterConfig(repetition_max_count=6)),
    save_folder=work, save_overwrite=True, global_train_batch_size=8, device_train_batch_size=8 // world, device_train_microbatch_size=3, precision="fp32",
    distributed_strategy="ddp", ddp=DDPConfig(), console_log_interval=1, eval_interval=8, device_eval_batch_size=4, eval_subset_num_batches=-1, evaluators=[
        EvaluatorConfig(label="all", data=DataConfig(paths=["tokens-1.npy"])),
        EvaluatorConfig(label="masked", data=DataConfig(paths=["tokens-0.npy"], label_mask_paths=["label_mask-0.npy"], drop_last=True, seed=5)),
        EvaluatorConfig(label="sets", subset_num_batches=3, device_eval_batch_size=3, data=DataConfig(datasets=dict(b=["tokens-1.npy"], a=["tokens-0.npy"])))], save_interval=None, save_interval_unsharded=12,
    max_duration=20, stop_at=20, max_grad_norm=1.0, softmax_auxiliary_loss=True)
torch.manual_seed(cfg.seed)
model = OLMo(cfg.model)
init = {k: v.clone() for k, v in model.state_dict().items()}
dm = DDP(model)
optim, sched, loader = build_optimizer(cfg, dm), build_scheduler(cfg), build_train_dataloader(cfg)
os.makedirs(f"{work}/data-indices", exist_ok=True)
indices = open(f"{work}/data-indices/rank{rank}.tsv", "w")
steps = []
with Trainer(cfg=cfg, epoch=cfg.epoch, model=model, dist_model=dm, optim=optim, scheduler=sched, train_loader=loader, device=torch.device("cpu"),
        evaluators=[build_evaluator(cfg, e, None, torch.device("cpu")) for e in cfg.evaluators], indices_file=indices) as tr:
    inner = tr.train_step
    def step(batch, reduce_global_loss=True):
        m = inner(batch, reduce_global_loss)
        steps.append(dict(step=tr.global_step, epoch=tr.dataset.epoch, ce_loss=m["train/CrossEntropyLoss"], z_loss=m["train/ZLoss"], grad_norm=m["optim/total_grad_norm"],
            lr=optim.param_groups[0]["lr"], masked=m["train/masked_instances_local_rank"]))
        return m
    tr.train_step = step
    evaluate = tr.eval
    def eval_():
        steps[-1]["eval"] = evaluate()
        return steps[-1]["eval"]
    tr.eval = eval_
    tr.fit()
dist.barrier()
if rank == 0:
    for r in range(world):
        lines = open(f"{work}/data-indices/rank{r}.tsv").read().splitlines()
        for s, line in zip(steps, lines):
            n, *index = [int(x) for x in line.split("\t")]
            assert n == s["step"]
            s.setdefault("ranks", []).append(index)
    json.dump(steps, open("steps.json", "w"), indent=1)
    save_file({k: v.contiguous() for k, v in init.items()}, "init.safetensors")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, "final.safetensors")
    shutil.rmtree("step12-unsharded", ignore_errors=True); shutil.copytree(f"{work}/step12-unsharded", "step12-unsharded")
    # The same checkpoint as olmo's unshard --safe-tensors writes it.
    from olmo.safetensors_util import state_dict_to_safetensors_file
    os.makedirs("safetensors", exist_ok=True)
    for name in ("model", "optim"):
        state_dict_to_safetensors_file(torch.load(f"step12-unsharded/{name}.pt"), f"safetensors/{name}.safetensors")
    shutil.copy("step12-unsharded/train.pt", "safetensors")
    cfg.save_folder = "."
    cfg.save("config.yaml")
    print("done", len(steps))
dist.destroy_process_group()
