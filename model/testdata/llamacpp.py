"""Makes the witnesses of llamacpp/: tiny random models of every family as Hugging Face folders, and the
GGUF files that llama.cpp's own converter makes of them.

    python llamacpp.py LLAMA_CPP [NAME...]    # a checkout of ggml-org/llama.cpp

Made with llama.cpp 0c1e57098 (as the sdist of llama-cpp-python 0.3.36 carries it), Python 3.11,
torch 2.15.0, transformers 5.24.0, tokenizers 0.23.3, safetensors 0.8.0. Developers only; no test runs it.

The converter knows a tokenizer by a hash of what it makes of a text, and so knows only published ones;
the name that it would give is told to it. Everything else is its own doing.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent / "llamacpp"
H, KV, D, F, L, V, E = 4, 2, 4, 24, 2, 264, 3
C = H * D
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

IDS = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": 1, "vocab_size": V, "torch_dtype": "bfloat16"}
USUAL = IDS | {
    "hidden_size": C, "intermediate_size": F, "num_hidden_layers": L, "num_attention_heads": H, "num_key_value_heads": KV,
    "max_position_embeddings": 64, "rope_theta": 10000.0, "hidden_act": "silu", "attention_bias": False, "tie_word_embeddings": True,
}
# The family, its Transformers class, what the converter is told of the tokenizer, the config.
MODELS = {
    "olmo": ("OlmoForCausalLM", "olmo", USUAL | {"clip_qkv": 6.0}),
    "llama": ("LlamaForCausalLM", "llama-bpe", USUAL | {"rms_norm_eps": 1e-6, "head_dim": D, "tie_word_embeddings": False}),
    "olmo2": ("Olmo2ForCausalLM", "dbrx", USUAL | {"rms_norm_eps": 1e-6}),
    # Transformers 5 gives the sliding layers of such a config 500000, whatever rope_theta says.
    "olmo3": ("Olmo3ForCausalLM", "dbrx", USUAL | {"rms_norm_eps": 1e-6, "rope_theta": 500000.0, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]}),
    "llama_scaled": ("LlamaForCausalLM", "llama-bpe", USUAL | {
        "rms_norm_eps": 1e-5, "head_dim": 2 * D, "attention_bias": True, "bos_token_id": 1, "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}}),
    "olmo3_yarn": ("Olmo3ForCausalLM", "dbrx", USUAL | {
        "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"], "rope_scaling": {
            "rope_type": "yarn", "factor": 4.0, "attention_factor": 1.2, "beta_fast": 24, "beta_slow": 2, "original_max_position_embeddings": 16}}),
    "olmoe": ("OlmoeForCausalLM", "gpt-2", USUAL | {"rms_norm_eps": 1e-5, "num_experts": E, "num_experts_per_tok": 2, "norm_topk_prob": False}),
    "mixtral": ("MixtralForCausalLM", "llama-bpe", USUAL | {"rms_norm_eps": 1e-5, "num_local_experts": E, "num_experts_per_tok": 2, "sliding_window": None}),
    "gptneox": ("GPTNeoXForCausalLM", "gpt-2", IDS | {
        "hidden_size": C, "intermediate_size": F, "num_hidden_layers": L, "num_attention_heads": H, "max_position_embeddings": 64, "rotary_pct": 0.5,
        "rotary_emb_base": 10000, "hidden_act": "gelu", "layer_norm_eps": 1e-5, "use_parallel_residual": True, "attention_bias": True, "tie_word_embeddings": False}),
    "mpt": ("MPTForCausalLM", "mpt", IDS | {
        "d_model": C, "n_heads": H, "n_layers": L, "max_seq_len": 64, "expansion_ratio": 4, "no_bias": True, "tie_word_embeddings": True,
        "layer_norm_epsilon": 1e-5, "norm_type": "low_precision_layernorm", "attn_config": {"alibi": True, "alibi_bias_max": 8, "clip_qkv": 5.0, "qk_ln": False}}),
    # Mistral is a Llama to the converter; a window that hides nothing is none.
    "mistral": ("MistralForCausalLM", "llama-bpe", USUAL | {"rms_norm_eps": 1e-5, "head_dim": D, "sliding_window": None}),
    "qwen2": ("Qwen2ForCausalLM", "qwen2", USUAL | {"rms_norm_eps": 1e-6}),
    "qwen3": ("Qwen3ForCausalLM", "qwen2", USUAL | {"rms_norm_eps": 1e-6, "head_dim": 2 * D, "tie_word_embeddings": False}),
    "gpt2": ("GPT2LMHeadModel", "gpt-2", IDS | {
        "n_embd": C, "n_head": H, "n_layer": L, "n_positions": 64, "n_ctx": 64, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}),
    "phi3": ("Phi3ForCausalLM", "default", USUAL | {"rms_norm_eps": 1e-5, "tie_word_embeddings": False, "original_max_position_embeddings": 64, "partial_rotary_factor": 0.5}),
    "phi3_long": ("Phi3ForCausalLM", "default", USUAL | {
        "rms_norm_eps": 1e-5, "original_max_position_embeddings": 16, "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.5], "long_factor": [2.0, 4.0]}}),
    "gemma2": ("Gemma2ForCausalLM", "default", USUAL | {
        "rms_norm_eps": 1e-6, "head_dim": 2 * D, "query_pre_attn_scalar": 2 * D, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "sliding_window": 6,
        "hidden_activation": "gelu_pytorch_tanh"}),
    "gemma3": ("Gemma3ForCausalLM", "default", USUAL | {
        "rms_norm_eps": 1e-6, "head_dim": 2 * D, "query_pre_attn_scalar": 2 * D, "sliding_window": 6, "hidden_activation": "gelu_pytorch_tanh", "rope_theta": 1e6,
        "rope_local_base_freq": 10000.0, "sliding_window_pattern": 6}),
    "starcoder2": ("Starcoder2ForCausalLM", "starcoder", USUAL | {"norm_epsilon": 1e-5, "sliding_window": None, "use_bias": True, "hidden_act": "gelu_pytorch_tanh"}),
    "bloom": ("BloomForCausalLM", "bloom", IDS | {"hidden_size": C, "n_head": H, "n_layer": L, "seq_length": 64, "layer_norm_epsilon": 1e-5}),
}
# Families whose tensors Transformers' own class lists.
BY_CLASS = ("mistral", "qwen2", "qwen3", "gpt2", "phi3", "gemma2", "gemma3", "starcoder2", "bloom")
MODEL_TYPE = {"gptneox": "gpt_neox", "gemma3": "gemma3_text"}


def weights(family, config):
    D = config.get("head_dim", globals()["D"])
    g = torch.Generator().manual_seed(12)
    t = {}
    if family in BY_CLASS:
        import transformers

        settings = transformers.AutoConfig.for_model(**config)
        model = getattr(transformers, config["architectures"][0])(settings)
        return {name: (0.3 * torch.randn(p.shape, generator=g)).to(torch.bfloat16) for name, p in model.named_parameters()}

    def add(name, *shape, bias=False):
        t[name + ".weight"] = (0.3 * torch.randn(shape, generator=g)).to(torch.bfloat16)
        if bias:
            t[name + ".bias"] = (0.3 * torch.randn(shape[:1], generator=g)).to(torch.bfloat16)

    if family == "gptneox":
        add("gpt_neox.embed_in", V, C)
        add("gpt_neox.final_layer_norm", C, bias=True)
        add("embed_out", V, C)
        for i in range(L):
            p = f"gpt_neox.layers.{i}."
            for name, *shape in ("input_layernorm", C), ("post_attention_layernorm", C), ("attention.query_key_value", 3 * C, C), ("attention.dense", C, C), ("mlp.dense_h_to_4h", F, C), ("mlp.dense_4h_to_h", C, F):
                add(p + name, *shape, bias=True)
        return t
    if family == "mpt":
        add("transformer.wte", V, C)
        add("transformer.norm_f", C)
        for i in range(L):
            p = f"transformer.blocks.{i}."
            for name, *shape in ("norm_1", C), ("norm_2", C), ("attn.Wqkv", 3 * C, C), ("attn.out_proj", C, C), ("ffn.up_proj", 4 * C, C), ("ffn.down_proj", C, 4 * C):
                add(p + name, *shape)
        return t
    add("model.embed_tokens", V, C)
    if not config["tie_word_embeddings"]:
        add("lm_head", V, C)
    if family != "olmo":
        add("model.norm", C)
    for i in range(L):
        p = f"model.layers.{i}."
        for name, rows in ("q", H * D), ("k", KV * D), ("v", KV * D):
            add(p + f"self_attn.{name}_proj", rows, C, bias=config["attention_bias"])
        add(p + "self_attn.o_proj", C, H * D, bias=config["attention_bias"])
        if family in ("olmo2", "olmo3", "olmoe"):
            add(p + "self_attn.q_norm", H * D)
            add(p + "self_attn.k_norm", KV * D)
        norms = {"olmo": (), "olmo2": ("post_attention", "post_feedforward"), "olmo3": ("post_attention", "post_feedforward")}
        for name in norms.get(family, ("input", "post_attention")):
            add(p + name + "_layernorm", C)
        mlp, gate, up, down = {"mixtral": ("block_sparse_moe", "w1", "w3", "w2")}.get(family, ("mlp", "gate_proj", "up_proj", "down_proj"))
        experts = [f"{mlp}."]
        if family in ("olmoe", "mixtral"):
            add(p + mlp + ".gate", E, C)
            experts = [f"{mlp}.experts.{e}." for e in range(E)]
        for e in experts:
            add(p + e + gate, F, C)
            add(p + e + up, F, C)
            add(p + e + down, C, F)
    return t


def tokenizer(pre):
    t = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    if pre in ("llama-bpe", "dbrx"):
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    t.decoder = decoders.ByteLevel()
    special = [AddedToken(s, special=True) for s in ("<|endoftext|>", "<|padding|>")]
    trainer = trainers.BpeTrainer(vocab_size=V - 3, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    t.train_from_iterator(["the cat and the other cat sat on the mat; it's 1234 there\n"] * 9, trainer)
    t.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    return t


def main(llama_cpp, only):
    sys.path[:0] = [llama_cpp + "/gguf-py", llama_cpp]
    import gguf
    from conversion import get_model_class

    for name, (architecture, pre, config) in MODELS.items():
        if only and name not in only:
            continue
        family = name.split("_")[0]
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        config = {"architectures": [architecture], "model_type": MODEL_TYPE.get(family, family)} | config
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file(weights(family, config), folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "model.safetensors").chmod(0o644)
        (folder / "tokenizer.json").write_text(tokenizer(pre).to_str())
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "pad_token": "<|padding|>", "clean_up_tokenization_spaces": False}
        if config["bos_token_id"]:
            settings["bos_token"] = "<|padding|>"
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
        model_class = get_model_class(architecture)
        if family in ("phi3", "gemma2", "gemma3"):
            model_class.set_vocab = lambda self: self._set_vocab_gpt2()  # not by a SentencePiece model
        model_class.get_vocab_base_pre = lambda self, tokenizer, name=pre: name
        # Transformers 5 renames what the converter asks a GPT-NeoX for: it gets the file's own words.
        own = config if family == "gptneox" else None
        with torch.inference_mode():
            model_class(folder, gguf.LlamaFileType.ALL_F32, folder / "model.gguf", model_name=family, eager=True, hparams=own).write()


main(sys.argv[1], sys.argv[2:])
