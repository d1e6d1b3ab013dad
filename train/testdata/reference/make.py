#!/usr/bin/env python
"""Runs of the real ai2-olmo 0.6.0 trainer (DDP over gloo on one CPU; PyTorch 2.x, NumPy 1.26) over its options.

make.py OUTDIR          the few small runs that are kept here
make.py OUTDIR wide     some ninety more, for OLMO_REFERENCE_RUNS=OUTDIR go test ./train -run ReferenceRuns
make.py OUTDIR NAME...  some of them

Each folder gets the run's config, token files, first weights (or a checkpoint to start from) and steps.json; the wide
ones the first gradients (of a run in float64) and the last weights too.
"""
import sys, os, json, math, shutil, tempfile, warnings, socket, types, contextlib, importlib.machinery as im

warnings.filterwarnings("ignore")
os.environ.update(MASTER_ADDR="127.0.0.1", RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", FS_LOCAL_RANK="0", LOCAL_WORLD_SIZE="1",
                  AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
s = socket.socket(); s.bind(("127.0.0.1", 0)); os.environ["MASTER_PORT"] = str(s.getsockname()[1]); s.close()
import numpy as np, torch, torch.distributed as dist
torch.set_num_threads(1)
_tl = torch.load; torch.load = lambda *a, **k: _tl(*a, **dict(dict(weights_only=False), **k))
torch.cuda.get_rng_state = lambda *a, **k: torch.zeros(1, dtype=torch.uint8)
torch.cuda.set_rng_state = lambda *a, **k: None
from torch.nn.parallel import DistributedDataParallel as DDP
from safetensors.torch import save_file


@contextlib.contextmanager
def true_f64():
    """All that the package says is float32 is float64."""
    old = torch.float32, torch.float, torch.Tensor.float, torch.get_default_dtype()
    torch.float32 = torch.float = torch.float64; torch.Tensor.float = torch.Tensor.double; torch.set_default_dtype(torch.float64)
    try: yield
    finally: torch.float32, torch.float, torch.Tensor.float = old[:3]; torch.set_default_dtype(old[3])

for n in ("wandb",):
    try: __import__(n)
    except ImportError:
        m = types.ModuleType(n); m.run = None; m.__spec__ = im.ModuleSpec(n, None); sys.modules[n] = m
try: import sklearn.metrics
except ImportError:
    a, b = types.ModuleType("sklearn"), types.ModuleType("sklearn.metrics"); b.f1_score = None
    a.__spec__ = im.ModuleSpec("sklearn", None); b.__spec__ = im.ModuleSpec("sklearn.metrics", None); a.metrics = b; sys.modules.update({"sklearn": a, "sklearn.metrics": b})
from olmo.config import *
from olmo.config import DDPConfig, DataConfig, WandbConfig, InstanceFilterConfig
from olmo.model import OLMo
from olmo.optim import build_optimizer, build_scheduler, BoltOnWarmupScheduler, Optimizer, LionW
from olmo.data import build_train_dataloader
from olmo.train import Trainer
import olmo.data.memmap_dataset as MD
MD._get_s3_client = lambda *a, **k: None
OUT = os.path.abspath(sys.argv[1]); ONLY = [a for a in sys.argv[2:] if a != "wide"]; WIDE = "wide" in sys.argv[2:]
SMALL = not (ONLY or WIDE); os.chdir(tempfile.mkdtemp())  # relative save folders: checkpoints name them
os.makedirs(OUT, exist_ok=True)
dist.init_process_group("gloo", rank=0, world_size=1)
torch.use_deterministic_algorithms(True)

def make_tokens(path, n, vocab, seed, dtype, pads, repeats):
    r = np.random.Generator(np.random.PCG64(seed))
    p = 1/np.arange(1, vocab-2); p /= p.sum(); perm = r.permutation(vocab-3)+3
    a = perm[r.choice(vocab-3, size=n, p=p)]
    rep = r.random(n) < 0.5
    for i in range(1, n):
        if rep[i]: a[i] = (a[i-1]*7+11) % (vocab-3)+3
    a[r.random(n) < 0.02] = 2
    if pads: a[r.random(n) < pads] = 1
    if repeats:
        for _ in range(n//60):
            at, period, times = r.integers(0, n), r.integers(1, 6), r.integers(3, 9)
            for j in range(period*times):
                if at+period+j < n: a[at+period+j] = a[at+j]
    if pads: a[::16] = 5  # no instance begins with padding
    a.astype(dtype).tofile(path)

def run(d, work, c, f64=False, init=None):
    shutil.rmtree(work, ignore_errors=True); os.makedirs(work)
    size = dict(d_model=16, n_heads=2, n_layers=1, mlp_ratio=4, vocab_size=48, embedding_size=48, max_sequence_length=16) if SMALL else \
        dict(d_model=32, n_heads=4, n_layers=2, mlp_ratio=4, vocab_size=160, embedding_size=160, max_sequence_length=32)
    base = dict(size,
                attention_dropout=0., residual_dropout=0., embedding_dropout=0., rope=True, include_bias=False, bias_for_layer_norm=False,
                layer_norm_with_affine=False, init_device="cpu", weight_tying=False, eos_token_id=2, pad_token_id=1, attention_layer_norm_with_affine=False)
    mc = ModelConfig(**dict(base, **c.get("m", {})))
    src = os.path.join(OUT, c["from"][0]) if "from" in c and not c.get("new_data") else d
    data = dict(paths=[f"{src}/tokens-{i}.npy" for i in range(2)], num_workers=0, drop_last=True, pin_memory=False)
    dc = dict(c.get("d", {}))
    if dc.pop("masks", False): data["label_mask_paths"] = [f"{d}/label_mask-{i}.npy" for i in range(2)]
    if "instance_filter" in dc: dc["instance_filter"] = InstanceFilterConfig(**dc["instance_filter"])
    if dc.pop("labelled", False): data["datasets"] = {"b": [f"{d}/tokens-0.npy"], "a": [f"{d}/tokens-1.npy"]}; data["paths"] = None
    data.update(dc)
    if not os.path.exists(f"{src}/tokens-0.npy"):
        dt = np.dtype(data.get("memmap_dtype", "uint16"))
        for i, n in enumerate((mc.max_sequence_length*c.get("n0", 37)+17, mc.max_sequence_length*c.get("n1", 45)+5)):
            make_tokens(f"{d}/tokens-{i}.npy", n, mc.vocab_size, 900+i, dt, c.get("pads", 0), c.get("repeats", False))
            if "label_mask_paths" in data: (np.random.Generator(np.random.PCG64(50+i)).random(n) < 0.7).astype(np.bool_).tofile(f"{d}/label_mask-{i}.npy")
    t = dict(dict(global_train_batch_size=6, device_train_microbatch_size=4, max_duration=10 if SMALL else 14, stop_at=10 if SMALL else 14, max_grad_norm=1.0), **c.get("t", {}))
    if "wandb" in t: t["wandb"] = WandbConfig(**t["wandb"])
    cfg = TrainConfig(run_name=c["name"], model=mc, optimizer=OptimizerConfig(**dict(dict(name="adamw", learning_rate=3e-3, weight_decay=0.1, eps=1e-8), **c.get("o", {}))),
        scheduler=SchedulerConfig(**dict(dict(name="cosine_with_warmup", t_warmup=4), **c.get("s", {}))), data=DataConfig(**data),
        save_folder=work, save_overwrite=True, device_train_batch_size=t["global_train_batch_size"], precision="fp32", distributed_strategy="ddp", ddp=DDPConfig(),
        evaluators=[], eval_interval=10**9, save_interval=None, **dict(dict(save_interval_unsharded=10**6, seed=77), **t))
    if (no := cfg.optimizer.no_decay_norm_and_bias) is not None:  # as scripts/train.py of the repository does
        cfg.optimizer.decay_norm_and_bias = cfg.optimizer.decay_embeddings = not no
    torch.manual_seed(cfg.seed)
    model = OLMo(cfg.model)
    if f64: model = model.double()
    if init is not None: model.load_state_dict({k: v.to(next(model.parameters()).dtype) for k, v in init.items()})
    first = {k: v.clone() for k, v in model.state_dict().items()}
    dm = DDP(model); optim = build_optimizer(cfg, dm); sched = build_scheduler(cfg); loader = build_train_dataloader(cfg)
    if isinstance(optim, LionW):
        # The package's own insists on FSDP, for the sums over ranks.
        optim.get_post_step_metrics = lambda module, process_group=None: {} if optim._update_total_norm is None else {
            "update_cos_sim": optim._update_total_dot_prod/torch.clamp(optim._update_total_norm*optim._signed_update_total_norm, min=1e-8)}
    steps, batches, grads = [], [], {}
    with Trainer(cfg=cfg, epoch=cfg.epoch, model=model, dist_model=dm, optim=optim, scheduler=sched, train_loader=loader, device=torch.device("cpu"), evaluators=[], indices_file=None) as tr:
        if cfg.load_path:
            path = cfg.load_path if os.path.isabs(cfg.load_path) else os.path.join(d, cfg.load_path)
            # scripts/train.py of the repository does this
            tr.restore_checkpoint(path, checkpoint_type=CheckpointType.unsharded, load_optimizer_state=not cfg.reset_optimizer_state, load_trainer_state=not cfg.reset_trainer_state)
            if cfg.reset_optimizer_state and not cfg.reset_trainer_state:
                tr.scheduler = BoltOnWarmupScheduler.wrap(tr.scheduler, tr.global_step, int(tr.global_step + cfg.scheduler.t_warmup))
        oclip, ostep, st = optim.clip_grads_and_collect_metrics, tr.train_step, {}
        def clip(*a, **k):
            if not steps:
                for g in optim.param_groups:
                    for n, p in zip(g["param_names"], g["params"]): grads[n.replace("module.", "", 1)] = p.grad.clone()
            m = oclip(*a, **k); st["norm"] = float(m["total_grad_norm"]); return m
        optim.clip_grads_and_collect_metrics = clip
        def step(batch, reduce_global_loss=True):
            m = ostep(batch, reduce_global_loss)
            row = dict(step=tr.global_step, epoch=tr.dataset.epoch, index=[int(i) for i in batch["index"]], ce_loss=m["train/CrossEntropyLoss"], z_loss=m.get("train/ZLoss"),
                grad_norm=st["norm"], lr=optim.param_groups[0]["lr"], tokens_seen=tr.global_train_tokens_seen, max_steps=tr.max_steps)
            if c.get("metrics") and tr.global_step % cfg.wandb.log_interval == 0:
                row["metrics"] = {k.replace("module.", ""): float(f"{v:.8g}") for k, v in m.items() if math.isfinite(v)}
            steps.append(row); batches.append(batch["input_ids"].clone()); return m
        tr.train_step = step
        tr.fit()
        info = dict(max_steps=tr.max_steps, max_epochs=tr.max_epochs, final_step=tr.global_step, num_fwd_flops_per_token=model.num_fwd_flops, num_bck_flops_per_token=model.num_bck_flops, num_params=model.num_params())
    return dict(cfg=cfg, init=first, final={k: v.clone() for k, v in model.state_dict().items()}, grads=grads, steps=steps, info=info)

def mx(a, b): return max(float((a[k].double()-b[k].double()).abs().max()) for k in a)
def case(name, **c):
    if ONLY and name not in ONLY: return
    c["name"] = name; d = f"{OUT}/{name}"; work = name
    keep = c.get("from")
    shutil.rmtree(d, ignore_errors=True); os.makedirs(d)
    if keep: c.setdefault("t", {})["load_path"] = f"../{keep[0]}/step{keep[1]}-unsharded"
    try:
        r = run(d, work, c)
        r64 = None
        if not keep and not SMALL:
            with true_f64(): r64 = run(d, work+"_f64", c, f64=True, init=r["init"])
    except Exception as e:
        import traceback; traceback.print_exc()
        print("FAILED", name, repr(e)[:200], flush=True); shutil.rmtree(d); return
    if not keep: save_file({k: v.contiguous() for k, v in r["init"].items()}, f"{d}/init.safetensors")
    if not SMALL:
        save_file({k: v.contiguous() for k, v in r["final"].items()}, f"{d}/final_f32.safetensors")
        save_file({k: v.float().contiguous() for k, v in (r64 or r)["grads"].items()}, f"{d}/grads_step1.safetensors")
    info = dict(r["info"])
    if r64:
        info["f32_vs_f64"] = {k: max(abs(a[k]-b[k])/max(1e-12, abs(b[k])) for a, b in zip(r["steps"], r64["steps"])) for k in ("ce_loss", "z_loss", "grad_norm") if r["steps"][0][k] is not None}
        info["final_f32_vs_f64"] = mx(r["final"], r64["final"]); info["grads_f32_vs_f64"] = mx(r["grads"], r64["grads"])
    if "keep" in c:
        info["resume_from"] = c["keep"]
        for f in ("model.pt", "optim.pt", "train.pt"):
            os.makedirs(f"{d}/step{c['keep']}-unsharded", exist_ok=True); shutil.copy(f"{work}/step{c['keep']}-unsharded/{f}", f"{d}/step{c['keep']}-unsharded")
    cfg = r["cfg"]; name_of = lambda p: os.path.relpath(p, d)
    for k in ("paths", "label_mask_paths"):
        if getattr(cfg.data, k): setattr(cfg.data, k, [name_of(p) for p in getattr(cfg.data, k)])
    if cfg.data.datasets: cfg.data.datasets = {k: [name_of(p) for p in v] for k, v in cfg.data.datasets.items()}
    cfg.save_folder = "."
    if not c.get("t", {}).get("stop_at", 14): cfg.stop_at = None
    if "stop_after" in c.get("t", {}) or c.get("t", {}).get("stop_at", 1) is None: cfg.stop_at = c["t"].get("stop_at")
    cfg.save(f"{d}/config.yaml")
    json.dump(dict(info=info, steps=r["steps"]), open(f"{d}/steps.json", "w"), separators=(",", ":"))
    print(name, len(r["steps"]), "steps", r["steps"][0]["ce_loss"], r["steps"][-1]["ce_loss"], info.get("f32_vs_f64"), info.get("final_f32_vs_f64"), flush=True)

O2 = dict(init_fn="normal", init_std=0.02, init_cutoff_factor=3.0, layer_norm_type="rms", layer_norm_with_affine=True, attention_layer_norm=True, attention_layer_norm_with_affine=True, norm_after=True, rope_theta=500000, layer_norm_eps=1e-6)
Z = dict(softmax_auxiliary_loss=True)
if SMALL:
    TPB = 6*16
    # The z-loss is 1e-4's, times are whole numbers, the run begins in epoch 1.
    case("zloss", m=O2, d=dict(seed=5), s=dict(t_warmup=2.7, t_max=8.9, grad_clip_warmup_steps=3.5, grad_clip_warmup_factor=0.3), t=dict(auxiliary_loss_multiplier=1e-2, epoch=1, max_duration=30, **Z))
    case("padding", m=dict(O2, n_kv_heads=1), d=dict(generate_attention_mask=True, masks=True, instance_filter=dict(repetition_max_period=5, repetition_min_period=1, repetition_max_count=4)), pads=0.1, repeats=True, t=Z)
    case("lion", m=dict(init_fn="mitchell", block_type="llama", rope=False, alibi=True, n_layers=2, block_group_size=2), o=dict(name="lionw", learning_rate=1e-3, record_update_metrics=True, selective_updates=True), t=dict(wandb=dict(log_interval=5)), metrics=True)
    case("adaptive", m=dict(O2, include_bias=True), o=dict(record_update_metrics=True, metrics_log_interval=4, betas=(0.8, 0.999)), s=dict(name="inverse_sqrt_with_warmup", t_warmup=3, grad_clip_warmup_steps=8, grad_clip_warmup_factor=0.5),
         t=dict(wandb=dict(log_interval=2), max_grad_norm_ratio=0.9, save_interval_unsharded=5), metrics=True, keep=5)
    case("adaptive_anneal", **{"from": ("adaptive", 5)}, m=dict(O2, include_bias=True), o=dict(betas=(0.8, 0.999)), s=dict(name="linear_with_warmup", t_warmup=0), t=dict(max_grad_norm_ratio=0.9, reset_trainer_state=True))
    case("tokens", m=O2, s=dict(units="tokens", t_warmup=3*TPB), t=dict(max_duration=f"{9.5*TPB:.0f}T", stop_at=None, save_interval_unsharded=5, **Z), keep=5)
    case("tokens_reset", **{"from": ("tokens", 5)}, m=O2, s=dict(units="tokens", t_warmup=9*TPB), t=dict(max_duration=f"{14*TPB}T", stop_at=None, reset_optimizer_state=True, **Z))
    case("tokens_anew", **{"from": ("tokens", 5)}, m=O2, s=dict(name="max_scheduler", t_warmup=4), t=dict(restore_dataloader=False, reset_optimizer_state=True, fast_forward_batches=2, **Z))
else:
    TPB = 6*32
    # optimisers
    case("lionw", m=dict(init_fn="mitchell"), o=dict(name="lionw", learning_rate=1e-3, betas=(0.9, 0.99)), t=Z)
    case("lionw_selective", m=dict(O2, include_bias=True, weight_tying=True), o=dict(name="lionw", learning_rate=1e-3, selective_updates=True, decay_embeddings=True))
    case("adamw_selective", m=dict(init_fn="mitchell", weight_tying=False), o=dict(selective_updates=True, decay_embeddings=True, betas=(0.9, 0.99)))
    case("adamw_decay_all", m=dict(O2, include_bias=True, bias_for_layer_norm=True), o=dict(betas=(0.8, 0.999), eps=1e-3, decay_norm_and_bias=True, decay_embeddings=True, weight_decay=0.5), t=Z)
    case("adamw_no_decay_flag", m=dict(O2, include_bias=True), o=dict(no_decay_norm_and_bias=False, weight_decay=0.3))
    case("adaptive", m=O2, o=dict(eps=1e-6), t=dict(max_grad_norm_ratio=0.8, **Z))
    case("adaptive_warm", m=dict(init_fn="mitchell"), s=dict(grad_clip_warmup_steps=5, grad_clip_warmup_factor=2.0), t=dict(max_grad_norm_ratio=0.7, max_grad_norm=None))
    case("adaptive_lion", m=dict(init_fn="mitchell"), o=dict(name="lionw", learning_rate=1e-3, betas=(0.9, 0.99)), t=dict(max_grad_norm_ratio=0.9))
    case("noclip", m=dict(init_fn="mitchell"), t=dict(max_grad_norm=None))
    case("clipwarm_tight", m=O2, s=dict(grad_clip_warmup_steps=6, grad_clip_warmup_factor=0.3), t=dict(max_grad_norm=0.4))
    case("metrics_adamw", m=O2, o=dict(record_update_metrics=True, metrics_log_interval=3), t=dict(wandb=dict(log_interval=2), **Z), metrics=True)
    case("metrics_lion", m=dict(init_fn="mitchell"), o=dict(name="lionw", learning_rate=1e-3, record_update_metrics=True), t=dict(wandb=dict(log_interval=2)), metrics=True)
    case("metrics_adaptive", m=dict(init_fn="mitchell"), o=dict(record_update_metrics=True, selective_updates=True), t=dict(wandb=dict(), max_grad_norm_ratio=0.9), metrics=True)
    case("zmult", m=O2, t=dict(auxiliary_loss_multiplier=1e-2, **Z))
    # schedules
    case("s_invsqrt", m=O2, s=dict(name="inverse_sqrt_with_warmup"))
    case("s_max", m=O2, s=dict(name="max_scheduler", alpha_f=0.0))
    case("s_constant", m=O2, s=dict(name="constant"))
    case("s_constwarm", m=O2, s=dict(name="constant_with_warmup", warmup_min_lr=1e-5))
    case("s_envelope", m=O2, s=dict(name="cosine_linear_envelope", alpha_f=0.05))
    case("s_tokens", m=O2, s=dict(name="linear_with_warmup", units="tokens", t_warmup=3.5*TPB, t_max=11*TPB, alpha_f=0.2, grad_clip_warmup_steps=5*TPB, grad_clip_warmup_factor=5), t=dict(max_duration=f"{12.3*TPB:.0f}T", stop_at=None, max_grad_norm=0.3))
    case("s_tokens_steps", m=O2, s=dict(units="tokens", t_warmup=3*TPB), t=dict(max_duration=9, stop_at=None))
    case("s_fraction", m=O2, s=dict(t_warmup=4.7, t_max=10.9, grad_clip_warmup_steps=3.5, grad_clip_warmup_factor=2), t=dict(max_grad_norm=0.3))
    case("s_ep", m=O2, s=dict(units="tokens", t_warmup=3*TPB), t=dict(max_duration="1ep", stop_at=None))
    case("s_strsteps", m=O2, t=dict(max_duration="1.2e1", stop_at=None))
    # models
    for n, m in dict(
        llama=dict(block_type="llama", layer_norm_type="rms", layer_norm_with_affine=True),
        llama_bias=dict(block_type="llama", include_bias=True, bias_for_layer_norm=True, layer_norm_with_affine=True, attention_layer_norm=True, attention_layer_norm_with_affine=True),
        llama_mqa=dict(block_type="llama", multi_query_attention=True, clip_qkv=0.3, layer_norm_with_affine=True),
        llama_alibi=dict(block_type="llama", rope=False, alibi=True),
        llama_wpe=dict(block_type="llama", rope=False, activation_type="gelu", weight_tying=True),
        llama_normafter=dict(block_type="llama", norm_after=True, layer_norm_type="rms", layer_norm_with_affine=True),
        alibi=dict(rope=False, alibi=True, alibi_bias_max=4.0),
        alibi_gqa=dict(rope=False, alibi=True, n_kv_heads=2, include_bias=True, attention_layer_norm=True),
        wpe=dict(rope=False, embedding_layer_norm=True, layer_norm_with_affine=True, bias_for_layer_norm=True, weight_tying=True, scale_logits=True),
        wpe_untied=dict(rope=False, include_bias=True, activation_type="relu", mlp_hidden_size=72),
        mqa=dict(multi_query_attention=True, activation_type="gelu"),
        gqa_norms=dict(n_kv_heads=2, attention_layer_norm=True, attention_layer_norm_with_affine=True, layer_norm_type="default", layer_norm_with_affine=True, bias_for_layer_norm=True),
        lowprec=dict(layer_norm_type="low_precision", layer_norm_with_affine=True, attention_layer_norm=True),
        rms_plain=dict(layer_norm_type="rms", attention_layer_norm=True),
        rms_bias=dict(layer_norm_type="rms", layer_norm_with_affine=True, bias_for_layer_norm=True, attention_layer_norm=True, attention_layer_norm_with_affine=True),
        after_default=dict(norm_after=True, layer_norm_with_affine=True, clip_qkv=0.4),
        scale_logits=dict(scale_logits=True, init_fn="full_megatron", scale_emb_init=True),
        embsize=dict(embedding_size=None, vocab_size=150),
        embsize2=dict(embedding_size=256, vocab_size=150, weight_tying=True, include_bias=True),
        megatron=dict(init_fn="full_megatron", emb_init_std=0.3, init_cutoff_factor=2.0, weight_tying=True),
        mitchell=dict(init_fn="mitchell", init_cutoff_factor=1.5, emb_init_std=0.5, rope=False),
        normal_nocut=dict(init_fn="normal", init_std=0.05),
        rope_low=dict(rope_full_precision=False, rope_theta=100),
        mlp_odd=dict(mlp_hidden_size=90, n_heads=2),
        deep=dict(n_layers=4, block_group_size=2),
        eps=dict(layer_norm_eps=1e-2, layer_norm_with_affine=True, activation_type="relu", include_bias=True, bias_for_layer_norm=None),
    ).items(): case("m_"+n, m=dict(dict(init_fn="mitchell"), **m), t=Z if len(n) % 2 else {})
    # data
    case("d_filter", m=O2, d=dict(instance_filter=dict(repetition_max_period=5, repetition_min_period=1, repetition_max_count=4)), repeats=True)
    case("d_filter_default", m=O2, d=dict(instance_filter=dict()), repeats=True)
    case("d_filter_min", m=O2, d=dict(instance_filter=dict(repetition_max_period=6, repetition_min_period=2, repetition_max_count=3)), repeats=True, t=Z)
    case("d_pads", m=O2, d=dict(generate_attention_mask=True), pads=0.05, t=Z)
    case("d_pads_many", m=dict(init_fn="mitchell"), d=dict(generate_attention_mask=True), pads=0.5)
    case("d_pads_alibi", m=dict(init_fn="mitchell", rope=False, alibi=True), d=dict(generate_attention_mask=True), pads=0.2)
    case("d_pads_llama", m=dict(init_fn="mitchell", block_type="llama"), d=dict(generate_attention_mask=True), pads=0.2)
    case("d_pads_gqa", m=dict(O2, n_kv_heads=2), d=dict(generate_attention_mask=True, masks=True, instance_filter=dict(repetition_max_period=5, repetition_min_period=1, repetition_max_count=4)), pads=0.1, repeats=True, t=Z)
    case("d_left", m=O2, d=dict(pad_direction="left", masks=True))
    case("d_seed_epoch", m=O2, d=dict(seed=5), t=dict(epoch=2, max_duration=40, stop_at=14))
    case("d_u32", m=O2, d=dict(memmap_dtype="uint32"))
    case("d_u8", m=O2, d=dict(memmap_dtype="uint8"))
    case("d_u64", m=O2, d=dict(memmap_dtype="uint64"))
    case("d_labelled", m=O2, d=dict(labelled=True))
    case("d_epochs", m=O2, n0=9, n1=11, t=dict(max_duration=14, stop_at=None))
    case("d_epochs2", m=O2, n0=9, n1=11, t=dict(max_duration="3ep", stop_at=None, global_train_batch_size=3, device_train_microbatch_size=2))
    case("d_stopafter", m=O2, t=dict(max_duration=14, stop_at=None, stop_after=5))
    case("d_stopboth", m=O2, t=dict(max_duration=14, stop_at=4, stop_after=9))
    case("d_nodrop", m=O2, n0=9, n1=9, d=dict(drop_last=False), t=dict(max_duration=6, stop_at=None))
    case("d_micro", m=O2, t=dict(global_train_batch_size=7, device_train_microbatch_size=3, **Z))
    case("d_microbig", m=O2, t=dict(global_train_batch_size=5, device_train_microbatch_size=64))
    # resume
    case("base", keep=6, m=O2, t=dict(save_interval_unsharded=6, **Z), s=dict(t_warmup=3))
    case("base_tok", keep=6, m=O2, t=dict(save_interval_unsharded=6, max_duration=f"{14*TPB}T", **Z), s=dict(units="tokens", t_warmup=3*TPB))
    case("base_lion", keep=6, m=O2, o=dict(name="lionw", learning_rate=1e-3), t=dict(save_interval_unsharded=6))
    case("base_adapt", keep=6, m=O2, t=dict(save_interval_unsharded=6, max_grad_norm_ratio=0.8), s=dict(grad_clip_warmup_steps=9, grad_clip_warmup_factor=0.5))
    R = dict(save_interval_unsharded=10**6)
    case("r_plain", **{"from": ("base", 6)}, m=O2, t=dict(R, **Z), s=dict(t_warmup=3))
    case("r_lion", **{"from": ("base_lion", 6)}, m=O2, o=dict(name="lionw", learning_rate=1e-3), t=dict(R))
    case("r_adapt", **{"from": ("base_adapt", 6)}, m=O2, t=dict(R, max_grad_norm_ratio=0.8), s=dict(grad_clip_warmup_steps=9, grad_clip_warmup_factor=0.5))
    case("r_adapt_state", **{"from": ("base_adapt", 6)}, m=O2, t=dict(R, max_grad_norm_ratio=0.8, reset_trainer_state=True))
    case("r_optim", **{"from": ("base", 6)}, m=O2, t=dict(R, reset_optimizer_state=True, **Z), s=dict(t_warmup=3))
    case("r_optim_tok", **{"from": ("base_tok", 6)}, m=O2, t=dict(R, reset_optimizer_state=True, max_duration=f"{14*TPB}T", **Z), s=dict(units="tokens", t_warmup=3*TPB))
    case("r_optim_tok2", **{"from": ("base_tok", 6)}, m=O2, t=dict(R, reset_optimizer_state=True, max_duration=f"{18*TPB}T", stop_at=None, **Z), s=dict(units="tokens", t_warmup=9*TPB))
    case("r_state", **{"from": ("base", 6)}, m=O2, t=dict(R, reset_trainer_state=True, **Z), s=dict(t_warmup=3))
    case("r_both", **{"from": ("base", 6)}, m=O2, t=dict(R, reset_trainer_state=True, reset_optimizer_state=True, **Z), s=dict(t_warmup=3))
    case("r_noloader", **{"from": ("base", 6)}, m=O2, t=dict(R, restore_dataloader=False, **Z), s=dict(t_warmup=3))
    case("r_noloader_optim", **{"from": ("base", 6)}, m=O2, t=dict(R, restore_dataloader=False, reset_optimizer_state=True, **Z), s=dict(t_warmup=3))
    case("r_ff", **{"from": ("base", 6)}, m=O2, t=dict(R, fast_forward_batches=3, **Z), s=dict(t_warmup=3))
    case("r_ff_noloader", **{"from": ("base", 6)}, m=O2, t=dict(R, fast_forward_batches=3, restore_dataloader=False, **Z), s=dict(t_warmup=3))
    case("r_epoch", **{"from": ("base", 6)}, m=O2, t=dict(R, epoch=1, max_duration=30, **Z), s=dict(t_warmup=3))
    case("r_lr", **{"from": ("base", 6)}, m=O2, o=dict(learning_rate=1e-3, weight_decay=0.3), t=dict(R, max_duration=20, stop_at=None, **Z), s=dict(name="linear_with_warmup", t_warmup=0, alpha_f=0))
    case("r_after", **{"from": ("base", 6)}, m=O2, t=dict(R, stop_at=None, stop_after=3, **Z), s=dict(t_warmup=3))
    case("r_data", new_data=True, n0=50, **{"from": ("base", 6)}, m=O2, t=dict(R, restore_dataloader=False, seed=9, max_duration=f"{8*TPB}T", stop_at=None, **Z), s=dict(name="linear_with_warmup", t_warmup=0, alpha_f=0))
dist.destroy_process_group()
