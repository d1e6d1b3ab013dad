"""Writes balancing.json: a step of OLMoE with the loss of load balancing, as finetune.py and dpo_tune_cache.py of
open-instruct (e6c3044) make it of Transformers' OlmoeForCausalLM, in float64.

    pip install torch==2.15.0 transformers==5.24.0
    python balancing.py > balancing.json
"""

import json

import torch
import transformers

COEF = 0.02
config = transformers.OlmoeConfig(
    vocab_size=40, hidden_size=16, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=32, num_experts=6, num_experts_per_tok=2, rms_norm_eps=1e-5,
    router_aux_loss_coef=COEF, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    pad_token_id=1, bos_token_id=None, eos_token_id=0, tie_word_embeddings=False,
)
C, F, E = 16, 12, 6


def names():
    """Names and shapes, as checkpoints have them: each expert's matrices by themselves."""
    yield "model.embed_tokens.weight", (40, C)
    for layer in range(2):
        at = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm", "self_attn.q_norm", "self_attn.k_norm"):
            yield f"{at}{norm}.weight", (C,)
        for part in "qkvo":
            yield f"{at}self_attn.{part}_proj.weight", (C, C)
        yield f"{at}mlp.gate.weight", (E, C)
        for e in range(E):
            yield f"{at}mlp.experts.{e}.gate_proj.weight", (F, C)
            yield f"{at}mlp.experts.{e}.up_proj.weight", (F, C)
            yield f"{at}mlp.experts.{e}.down_proj.weight", (C, F)
    yield "model.norm.weight", (C,)
    yield "lm_head.weight", (40, C)


def part(state, name):
    """The tensor of a name among a model's, which holds all experts of a layer in one."""
    if ".experts." not in name:
        return state[name]
    at, rest = name.split(".experts.")
    expert, kind = rest.split(".", 1)
    if kind.startswith("down"):
        return state[at + ".experts.down_proj"][int(expert)]
    both = state[at + ".experts.gate_up_proj"][int(expert)]
    return both[:F] if kind.startswith("gate") else both[F:]


model = transformers.OlmoeForCausalLM._from_config(config, experts_implementation="eager", attn_implementation="eager").double()
with torch.no_grad():
    state = dict(model.named_parameters())
    for k, (name, shape) in enumerate(sorted(names())):
        n = torch.Size(shape).numel()
        x = torch.tensor([((i * 2654435761 + (k + 1) * 2246822519) % 2**32) / 2**32 - 0.5 for i in range(n)], dtype=torch.float64)
        # Rounded to float32, which the other side computes in.
        x = (1 + 0.4 * x if name.endswith("norm.weight") else 0.9 * x).float().double()
        part(state, name).copy_(x.reshape(shape))
model.train()

rows = [[5, 9, 11, 30, 7, 0], [12, 39, 2, 2, 17, 21, 33, 8, 25, 0], [6, 14, 0], [28, 19, 35, 10, 3, 22, 4, 0]]
prompts = [2, 4, 1, 3]


def batch(chosen):
    """What open-instruct's collator makes of some rows."""
    T = max(len(rows[i]) for i in chosen)
    pad = lambda x, fill: x + [fill] * (T - len(x))
    return dict(
        input_ids=torch.tensor([pad(rows[i], 1) for i in chosen]),
        attention_mask=torch.tensor([pad([1] * len(rows[i]), 0) for i in chosen]),
        labels=torch.tensor([pad([-100] * prompts[i] + rows[i][prompts[i]:], -100) for i in chosen]),
    )


def measured(loss, aux):
    model.zero_grad()
    loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    norm = lambda tensors: sum((t**2).sum() for t in tensors).sqrt().item()
    return dict(loss=loss.item(), aux_loss=aux.item(), grad_norm=norm(grads.values()), router_norms=[norm([grads[f"model.layers.{l}.mlp.gate.weight"]]) for l in range(2)])


def sft(groups, weight=None):
    """finetune.py: the mean over micro-batches of what the model says, with the model's own weight of aux_loss."""
    losses, auxs = [], []
    for group in groups:
        out = model(**batch(group), use_cache=False, output_router_logits=True)
        losses.append(out.loss + (0 if weight is None else (weight - COEF) * out.aux_loss))
        auxs.append(out.aux_loss)
    return measured(torch.stack(losses).mean(), torch.stack(auxs).mean())


def dpo(weight):
    """dpo_tune_cache.py, dpo of two pairs whose reference is the model itself: rows 0 over 1, 2 over 3."""
    both = batch([0, 2, 1, 3])
    labels = both.pop("labels")
    out = model(**both, output_router_logits=True)
    logps = torch.log_softmax(out.logits[:, :-1], -1)
    targets = labels[:, 1:].clone()
    mask = targets != -100
    targets[~mask] = 0
    logps = (logps.gather(2, targets.unsqueeze(2)).squeeze(2) * mask).sum(-1)
    margin = (logps - logps.detach())[:2] - (logps - logps.detach())[2:]
    loss = -torch.nn.functional.logsigmoid(0.1 * margin).mean() + weight * out.aux_loss
    return measured(loss, out.aux_loss)


json.dump(
    dict(
        versions=dict(torch=torch.__version__, transformers=transformers.__version__), router_aux_loss_coef=COEF,
        rows=rows, prompts=prompts,
        sft_one=sft([[0, 1, 2, 3]]), sft_two=sft([[0, 1], [2, 3]]), sft_four=sft([[0], [1], [2], [3]]), sft_heavy=sft([[0, 1], [2, 3]], 0.5), sft_without=sft([[0, 1], [2, 3]], 0.0), dpo=dpo(0.3),
    ),
    open("/dev/stdout", "w"),
)
