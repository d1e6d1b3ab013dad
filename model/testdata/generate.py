"""Reference checkpoints of what the golden set lacks: MPT, Mixtral, and options of the others.

Made with Python 3.11, PyTorch 2.15.0, transformers 5.23.0 and ai2-olmo 0.6.0, in a virtual environment of its
own (developers only; no test runs this):

    python -m venv venv && venv/bin/pip install torch transformers safetensors
    venv/bin/pip install --no-deps ai2-olmo && venv/bin/pip install omegaconf rich cached-path boto3 datasets torchmetrics importlib_resources
    venv/bin/python model/testdata/generate.py model/testdata/reference

Weights are seeded normal numbers, rounded to bfloat16 and stored so; expected values are computed from them in
float64, but for what Transformers always computes in float32.
"""

import math
import os
import shutil
import sys

import torch
import transformers as tf
from safetensors.torch import save_file

out = sys.argv[1]
torch.set_num_threads(1)
V, T = 48, 14
common = dict(vocab_size=V, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=64, pad_token_id=1, bos_token_id=None, eos_token_id=2)


def fill(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=g)
        if p.ndim == 1:
            x = 0.1 * x if name.endswith("bias") else 1 + 0.15 * x
        elif any(s in name for s in ("embed", "wte", "wpe")):
            x = 0.3 * x
        else:
            x = 1.3 / math.sqrt(p.shape[-1]) * x
        with torch.no_grad():
            p.copy_(x.to(torch.bfloat16))


def expected(folder, model, seed, vocab=V, layers=2):
    model = model.double().eval()
    ids = torch.randint(3, vocab, (2, T), generator=torch.Generator().manual_seed(seed))
    prompt = ids[0, :5].clone()
    with torch.no_grad():
        o = model(input_ids=ids, output_hidden_states=True)
        hidden = model(input_ids=ids[:1], output_hidden_states=True).hidden_states
        text = prompt.clone()
        for _ in range(8):
            text = torch.cat([text, model(input_ids=text[None]).logits[0, -1].argmax()[None]])
    logits = o.logits.double()
    logprobs = torch.log_softmax(logits, -1)[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
    tensors = dict(input_ids=ids, logits_f64=logits, logprobs_f64=logprobs.contiguous(), greedy_prompt=prompt, greedy_ids=text[5:].clone())
    if len(hidden) == layers + 1:  # ai2-olmo gives those of block groups only
        tensors["hidden_states_f32"] = torch.stack([h[0] for h in hidden]).float()
    save_file(tensors, f"{folder}/expected.safetensors")
    print(folder, float(logits.abs().max()))


def hugging_face(name, model_class, config, seed):
    folder = f"{out}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = model_class(config)
    fill(model, seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    again = model_class(config)  # whose tables of sines were never rounded
    again.load_state_dict(model.state_dict())
    expected(folder, again, seed)


def ai2(name, seed, **settings):
    from olmo.config import ModelConfig, TrainConfig
    from olmo.model import OLMo
    folder = f"{out}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    config = ModelConfig(**dict(dict(
        d_model=24, n_heads=4, n_layers=2, mlp_hidden_size=40, max_sequence_length=64, vocab_size=V - 3, embedding_size=V, eos_token_id=2,
        pad_token_id=1, include_bias=False, bias_for_layer_norm=False, attention_dropout=0.0, residual_dropout=0.0, embedding_dropout=0.0,
        init_device="cpu", rope=True, weight_tying=False), **settings))
    model = OLMo(config)
    fill(model, seed)
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items()}, f"{folder}/model.safetensors")
    TrainConfig(run_name=name, model=config, save_folder="none").save(f"{folder}/config.yaml")
    expected(folder, model, seed, V - 3, config.n_layers)


mpt = dict(d_model=24, n_layers=2, vocab_size=V, max_seq_len=64, eos_token_id=2, pad_token_id=1)
hugging_face("mpt", tf.MptForCausalLM, tf.MptConfig(**mpt, n_heads=4), 1)
hugging_face("mpt_6_heads_clip", tf.MptForCausalLM, tf.MptConfig(**mpt, n_heads=6, attn_config=dict(clip_qkv=0.8, softmax_scale=0.7)), 2)
hugging_face("mixtral", tf.MixtralForCausalLM, tf.MixtralConfig(**common, num_local_experts=4, num_experts_per_tok=2, sliding_window=None), 3)
hugging_face("mixtral_window", tf.MixtralForCausalLM, tf.MixtralConfig(**common, num_local_experts=3, num_experts_per_tok=1, sliding_window=5, head_dim=8), 4)
hugging_face("llama_yarn_biases", tf.LlamaForCausalLM, tf.LlamaConfig(**common, attention_bias=True, mlp_bias=True, rope_parameters=dict(
    rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16, beta_fast=4.0, beta_slow=0.5)), 5)
hugging_face("llama_linear", tf.LlamaForCausalLM, tf.LlamaConfig(**common, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.5)), 6)
neox = {k: v for k, v in common.items() if k != "num_key_value_heads"}
hugging_face("gptneox_tied_gelu_new", tf.GPTNeoXForCausalLM, tf.GPTNeoXConfig(
    **neox, hidden_act="gelu_new", tie_word_embeddings=True, attention_bias=False, rope_parameters=dict(rope_theta=5000.0, partial_rotary_factor=1.0)), 7)
hugging_face("olmo1_gqa", tf.OlmoForCausalLM, tf.OlmoConfig(**common, clip_qkv=1.2, attention_bias=True), 8)
ai2("ai2_llama_block", 11, block_type="llama", layer_norm_type="rms", attention_layer_norm=True, clip_qkv=1.0, activation_type="relu")
ai2("ai2_biases_untied", 12, include_bias=True, bias_for_layer_norm=True, embedding_layer_norm=True, activation_type="relu", rope=False, n_kv_heads=2)
ai2("ai2_rms_bias", 13, layer_norm_type="rms", include_bias=True, bias_for_layer_norm=None, norm_after=True, attention_layer_norm=True, weight_tying=True)
ai2("ai2_rms_prenorm", 14, layer_norm_type="rms", multi_query_attention=True, scale_logits=True, attention_layer_norm=True, attention_layer_norm_with_affine=False)
ai2("ai2_groups", 15, n_layers=4, block_group_size=2, layer_norm_with_affine=False)
