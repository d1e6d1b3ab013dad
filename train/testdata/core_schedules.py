#!/usr/bin/env python
"""Writes core_schedules.json: learning rates of OLMo-core's schedulers (src/olmo_core/optim/scheduler.py of
commit fa6c501, 2026-06-22). usage: core_schedules.py SCHEDULER.PY > core_schedules.json"""
import enum, json, sys, types, warnings

warnings.filterwarnings("ignore")


class Base:
    pass


class Registrable:
    @classmethod
    def register(cls, name):
        return lambda c: c


class StrEnum(str, enum.Enum):
    pass


for name in ("torch", "olmo_core", "olmo_core.config", "olmo_core.exceptions", "olmo_core.optim", "olmo_core.optim.config"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["torch"].Tensor = type("Tensor", (), {})
sys.modules["olmo_core.config"].__dict__.update(Config=Base, Registrable=Registrable, StrEnum=StrEnum)
sys.modules["olmo_core.exceptions"].OLMoConfigurationError = ValueError
sys.modules["olmo_core.optim.config"].__dict__.update(INITIAL_LR_FIELD="initial_lr", LR_FIELD="lr")
m = types.ModuleType("olmo_core.optim.scheduler")
m.__package__ = "olmo_core.optim"
sys.modules[m.__name__] = m
exec(compile(open(sys.argv[1]).read(), "scheduler.py", "exec"), m.__dict__)

ours = {"warmup": "t_warmup"}
classes = {
    "wsd": m.WSD, "wsds": m.WSDS, "power_lr": m.PowerLR, "half_cos_with_warmup": m.HalfCosWithWarmup, "exponential": m.ExponentialScheduler,
    "cos_with_warmup_and_linear_decay": m.CosWithWarmupAndLinearDecay, "inv_sqrt_with_warmup": m.InvSqrtWithWarmup,
    "composable": m.ComposableScheduler, "sequential": m.SequentialScheduler, "linear_with_warmup": m.LinearWithWarmup,
    "cosine_with_warmup": m.CosWithWarmup, "constant_with_warmup": m.ConstantWithWarmup,
}
table = []


def build(name, kw):
    kw = dict(kw)
    if "stages" in kw:
        kw["stages"] = [m.ComposableSchedulerStage(**s) for s in kw["stages"]]
    if "override_decay" in kw:
        kw["override_decay"] = m.OverrideDecay(**kw["override_decay"])
    if "schedulers" in kw:
        kw["schedulers"] = [build(n, k) for n, k in kw["schedulers"]]
        kw["schedulers_max"] = list(kw["schedulers_max"])
    if name == "wsds" and "decay" not in kw:
        kw.setdefault("decay_fraction", 0.1)
    if "decay" in kw:
        kw["decay_fraction"] = None
    return classes[name](**kw)


def section(name, kw):
    out = {ours.get(k, k): v for k, v in kw.items()}
    if "schedulers" in out:
        out["schedulers"] = [section(n, k) for n, k in out["schedulers"]]
    if name in ("linear_with_warmup", "cosine_with_warmup", "constant_with_warmup"):
        out.setdefault("warmup_min_lr", 0)
    return dict(out, name=name)


def add(name, lr=3e-4, end=1000, points=(0, 1, 2, 99, 100, 101, 250, 333, 499, 500, 501, 700, 899, 900, 901, 950, 999, 1000), **kw):
    s = build(name, kw)
    table.append(dict(scheduler=section(name, kw), lr=lr, end=end, points=[[p, s.get_lr(lr, p, end)] for p in points if p <= end]))


add("wsd", warmup=100, decay_min_lr=0.0)
add("wsd", warmup_fraction=0.0505, decay=333, decay_min_lr=1e-5, warmup_min_lr=1e-6)
add("wsd", warmup=7, decay_fraction=0.1234, end=997, decay_min_lr=0.0)
add("wsds", warmup=50, period_lengths=[250, 250, 500])
add("wsds", warmup_fraction=0.2, period_lengths=[100, 400, 500], period_lr_multipliers=[1.0, 0.7, 0.5], decay=30, decay_min_lr=1e-6)
add("power_lr", warmup=100)
add("power_lr", warmup_fraction=0.1, b=-0.7, decay_fraction=0.25, decay_min_lr=1e-6, warmup_min_lr=1e-5)
add("half_cos_with_warmup", warmup=100)
add("half_cos_with_warmup", warmup=501, alpha_f=0.0, t_max=901)
add("cos_with_warmup_and_linear_decay", warmup=100)
add("cos_with_warmup_and_linear_decay", warmup=100, t_max=2000, decay=101, decay_min_lr=1e-6, alpha_f=0.0)
add("inv_sqrt_with_warmup", warmup=100)
add("inv_sqrt_with_warmup", warmup_fraction=0.25, alpha_f=0.0)
add("exponential")
add("exponential", lr_min=1e-6, end=700)
add("composable", stages=[dict(duration=100, start_lr=0.0, end_lr_fraction=1.0), dict(duration=400, shape="cosine", end_lr_fraction=0.5), dict(duration=200, end_lr=1e-5)])
add("composable", stages=[dict(duration=100, start_lr_fraction=0.1, end_lr=3e-4), dict(duration=800, end_lr=3e-4)], override_decay=dict(start=500, duration=333, shape="cosine", end_lr=0.0))
add("sequential", schedulers=[("constant_with_warmup", dict(warmup=50)), ("linear_with_warmup", dict(warmup=0, alpha_f=0.5)), ("cosine_with_warmup", dict(warmup=0))], schedulers_max=[250, 251])
add("sequential", schedulers=[("cosine_with_warmup", dict(warmup=100)), ("wsd", dict(warmup=10, decay_min_lr=0.0))], schedulers_max=[500], override_decay=dict(start=700, duration=250, end_lr_fraction=0.01))
json.dump(table, sys.stdout, separators=(",", ":"))
