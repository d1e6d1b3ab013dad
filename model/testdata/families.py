"""Reference checkpoints of the families that people bring to compare, and of every rope_type.

Made with Python 3.11, PyTorch 2.15.0 and transformers 5.23.0 (developers only; no test runs this):

    python -m venv venv && venv/bin/pip install torch transformers safetensors
    venv/bin/python model/testdata/families.py model/testdata/reference [NAME...]

Weights are seeded normal numbers, rounded to bfloat16 and stored so. Expected values are computed from them in
float64, but for what Transformers always computes in float32: logits, hidden states, a greedy continuation, and the
gradient of the mean cross entropy of every next id, under the names that Transformers gives the parameters.
"""

import json
import math
import os
import shutil
import sys

import torch
import transformers as tf
from safetensors.torch import save_file

out, only = sys.argv[1], sys.argv[2:]
torch.set_num_threads(1)
V, T = 48, 14
ids = dict(vocab_size=V, pad_token_id=1, bos_token_id=None, eos_token_id=2)
common = ids | dict(hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)


def fill(model, seed):
    g = torch.Generator().manual_seed(seed)
    zero = "Gemma" in type(model).__name__  # whose norms multiply by one more than the weight
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=g)
        if p.ndim == 1:
            x = 0.1 * x if name.endswith("bias") else (0 if zero else 1) + 0.15 * x
        elif any(s in name for s in ("embed", "wte", "wpe")):
            x = 0.3 * x
        else:
            x = 1.3 / math.sqrt(p.shape[-1]) * x
        with torch.no_grad():
            p.copy_(x.to(torch.bfloat16))


def make(name, model_class, config, seed):
    if only and name not in only:
        return
    folder = f"{out}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    config._attn_implementation = "eager"
    model = model_class(config)
    fill(model, seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    settings = json.load(open(f"{folder}/config.json"))
    settings.pop("transformers_version")
    json.dump(settings, open(f"{folder}/config.json", "w"), indent=1)
    if os.path.exists(f"{folder}/generation_config.json"):
        os.remove(f"{folder}/generation_config.json")
    again = model_class(config)  # whose tables of sines were never rounded
    again.load_state_dict(model.state_dict())
    model = again.double().eval()
    for m in model.modules():  # Gemma keeps the root of the width beside the weights
        if hasattr(m, "scalar_embed_scale"):
            m.embed_scale = torch.tensor(m.scalar_embed_scale, dtype=torch.float64)
    ids = torch.randint(3, V, (2, T), generator=torch.Generator().manual_seed(seed))
    prompt = ids[0, :5].clone()
    with torch.no_grad():
        logits = model(input_ids=ids).logits.double()
        hidden = model(input_ids=ids[:1], output_hidden_states=True).hidden_states
        text = prompt.clone()
        for _ in range(8):
            text = torch.cat([text, model(input_ids=text[None], use_cache=False).logits[0, -1].argmax()[None]])
    logprobs = torch.log_softmax(logits, -1)[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
    model.zero_grad()
    o = model(input_ids=ids).logits
    loss = torch.nn.functional.cross_entropy(o[:, :-1].reshape(-1, V).double(), ids[:, 1:].reshape(-1))
    loss.backward()
    tensors = dict(input_ids=ids, logits_f64=logits, logprobs_f64=logprobs.contiguous(), greedy_prompt=prompt, greedy_ids=text[5:].clone(),
                   hidden_states_f32=torch.stack([h[0] for h in hidden]).float())
    for n, p in model.named_parameters():
        if p.grad is not None:  # parts that see have none
            tensors["grad." + n] = p.grad.float()
    save_file(tensors, f"{folder}/expected.safetensors")
    os.chmod(f"{folder}/model.safetensors", 0o644)
    print(name, float(logits.abs().max()), float(loss))


def rope(**settings):
    return dict(rope_parameters=dict(dict(rope_theta=10000.0), **settings))


# With D = 4 of a head there are two frequencies; heads of 8 have four.
make("mistral", tf.MistralForCausalLM, tf.MistralConfig(**common, head_dim=8, sliding_window=5), 21)
make("mistral_whole", tf.MistralForCausalLM, tf.MistralConfig(**common, sliding_window=None, rope_parameters=dict(rope_type="default", rope_theta=1e6)), 22)
make("qwen2", tf.Qwen2ForCausalLM, tf.Qwen2Config(**common, tie_word_embeddings=True), 23)
make("qwen2_window", tf.Qwen2ForCausalLM, tf.Qwen2Config(**common, use_sliding_window=True, sliding_window=4, max_window_layers=1,
     **rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=16)), 24)
make("qwen3", tf.Qwen3ForCausalLM, tf.Qwen3Config(**common, head_dim=8, tie_word_embeddings=True), 25)
make("gpt2", tf.GPT2LMHeadModel, tf.GPT2Config(**ids, n_embd=16, n_layer=2, n_head=4, n_positions=32), 26)
make("gpt2_relu_untied", tf.GPT2LMHeadModel, tf.GPT2Config(**ids, n_embd=16, n_layer=2, n_head=2, n_positions=32, n_inner=24, activation_function="relu",
     scale_attn_weights=False, tie_word_embeddings=False), 27)
make("phi3", tf.Phi3ForCausalLM, tf.Phi3Config(**common, partial_rotary_factor=0.5, sliding_window=6), 28)
make("phi3_longrope", tf.Phi3ForCausalLM, tf.Phi3Config(**common | dict(num_attention_heads=2, max_position_embeddings=128),
     original_max_position_embeddings=32, **rope(rope_type="longrope", short_factor=[1.0, 1.1, 1.3, 2.0], long_factor=[1.0, 2.0, 4.0, 8.0])), 29)
gemma = common | dict(head_dim=8)
make("gemma2", tf.Gemma2ForCausalLM, tf.Gemma2Config(**gemma, sliding_window=5, query_pre_attn_scalar=12, attn_logit_softcapping=2.0, final_logit_softcapping=3.0), 30)
make("gemma3", tf.Gemma3ForCausalLM, tf.Gemma3TextConfig(**gemma | dict(num_hidden_layers=3), sliding_window=4, query_pre_attn_scalar=8,
     layer_types=["sliding_attention", "sliding_attention", "full_attention"], rope_parameters=dict(
         full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=10000.0))), 31)
make("gemma3_seeing", tf.Gemma3ForConditionalGeneration, tf.Gemma3Config(
    text_config=gemma | dict(sliding_window=4, query_pre_attn_scalar=8), mm_tokens_per_image=4, image_token_index=46, boi_token_index=44, eoi_token_index=45,
    vision_config=dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4)), 35)
make("starcoder2", tf.Starcoder2ForCausalLM, tf.Starcoder2Config(**common, sliding_window=6), 32)
make("bloom", tf.BloomForCausalLM, tf.BloomConfig(**ids, hidden_size=16, n_layer=2, n_head=4), 33)
make("bloom_6_heads", tf.BloomForCausalLM, tf.BloomConfig(**ids, hidden_size=24, n_layer=1, n_head=6), 34)
make("opt", tf.OPTForCausalLM, tf.OPTConfig(**ids, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, ffn_dim=20, max_position_embeddings=32,
     word_embed_proj_dim=16, dropout=0.0), 36)
# Every rope_type, on Llama; linear and yarn are in generate.py.
wide = common | dict(num_attention_heads=2, num_hidden_layers=1)
make("llama_dynamic", tf.LlamaForCausalLM, tf.LlamaConfig(**wide, **rope(rope_type="dynamic", factor=4.0)), 41)
make("llama_llama3", tf.LlamaForCausalLM, tf.LlamaConfig(**wide, **rope(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
     original_max_position_embeddings=16)), 42)
make("llama_longrope", tf.LlamaForCausalLM, tf.LlamaConfig(**wide, **rope(rope_type="longrope", factor=4.0, original_max_position_embeddings=16,
     short_factor=[1.0, 1.1, 1.3, 2.0], long_factor=[1.0, 2.0, 4.0, 8.0])), 43)
make("llama_proportional", tf.LlamaForCausalLM, tf.LlamaConfig(**wide, **rope(rope_type="proportional", factor=2.0, partial_rotary_factor=0.75)), 44)
make("llama_yarn_above", tf.LlamaForCausalLM, tf.LlamaConfig(**wide, original_max_position_embeddings=16, **rope(rope_type="yarn", factor=4.0, truncate=False,
     mscale=0.8, mscale_all_dim=0.5)), 45)
make("qwen3_dynamic", tf.Qwen3ForCausalLM, tf.Qwen3Config(**wide | dict(head_dim=8), **rope(rope_type="dynamic", factor=2.0)), 46)
