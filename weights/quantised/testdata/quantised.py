"""Makes the folders beside it: a tiny Llama stored as several packages store quantised weights,
each with reference.json: the SHA-256 of every tensor as that package's own dequantisation gives
it on the CPU, widened to float32, and the logits of a few ids with those weights, by Transformers.

Made with Python 3.11, torch 2.15.0 (no CUDA device), transformers 5.23.0, safetensors 0.8.0,
bitsandbytes 0.50.2, compressed-tensors 0.20.1, gptqmodel 7.7.0, autoawq 0.2.9 (packing_utils alone).

    CUDA_VISIBLE_DEVICES= python quantised.py [NAME…]
"""
import hashlib, importlib.util, json, pathlib, shutil, sys, tempfile
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, CompressedTensorsConfig, FineGrainedFP8Config, LlamaConfig

here = pathlib.Path(__file__).parent
ids = [3, 17, 0, 29, 8, 5]
C, F, KV, V = 64, 96, 32, 32
shapes = {"self_attn.q_proj": (C, C), "self_attn.k_proj": (KV, C), "self_attn.v_proj": (KV, C), "self_attn.o_proj": (C, C),
          "mlp.gate_proj": (F, C), "mlp.up_proj": (F, C), "mlp.down_proj": (C, F)}
linear = {"model.layers.0." + n: s for n, s in shapes.items()}


def config(quantisation=None):
    c = LlamaConfig(vocab_size=V, hidden_size=C, intermediate_size=F, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
                    head_dim=16, max_position_embeddings=64, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, dtype="bfloat16")
    m = c.to_dict()
    m["architectures"] = ["LlamaForCausalLM"]
    if quantisation is not None:
        m["quantization_config"] = quantisation
    return m


def plain(seed=7):
    g = torch.Generator().manual_seed(seed)
    t = {n + ".weight": torch.randn(*s, generator=g) * 0.15 for n, s in linear.items()}
    t["model.embed_tokens.weight"] = torch.randn(V, C, generator=g) * 0.5
    for n in ("model.norm", "model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm"):
        t[n + ".weight"] = 1 + torch.randn(C, generator=g) * 0.1
    return {k: v.to(torch.bfloat16) for k, v in t.items()}


def write(folder, tensors, quantisation=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(quantisation), indent=1) + "\n")
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors", {"format": "pt"})


def reference(folder, weights, witness):
    """weights: by name, as the package dequantises them."""
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        write(tmp, {k: v.to(torch.float32) for k, v in weights.items()})
        model, loading = AutoModelForCausalLM.from_pretrained(tmp, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
    sums = {k: hashlib.sha256(v.to(torch.float32).contiguous().numpy().tobytes()).hexdigest() for k, v in sorted(weights.items())}
    (folder / "reference.json").write_text(json.dumps({"witness": witness, "ids": ids, "sha256": sums,
        "logits": [float("%.7g" % x) for row in logits.tolist() for x in row]}) + "\n")
    for f in folder.iterdir():
        if f.name not in ("config.json", "model.safetensors", "reference.json"):
            f.unlink()


def loaded(folder, **more):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, device_map="cpu", **more)
    return model


def state(model):
    return {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}


# bitsandbytes: saved and dequantised by Transformers with it.
def bitsandbytes(name, dtype, **how):
    import bitsandbytes as bnb
    from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
    from bitsandbytes.backends.utils import _get_4bit_code
    folder = here / name
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        write(tmp, plain())
        model = AutoModelForCausalLM.from_pretrained(tmp, dtype=dtype, device_map="cpu", quantization_config=BitsAndBytesConfig(**how))
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
    model = loaded(folder)
    general = {}
    for n, m in model.named_modules():
        if isinstance(m, bnb.nn.Linear4bit) and hasattr(m.weight, "quant_state"):
            q = m.weight.quant_state
            scales = q.absmax if not q.nested else bnb.functional.dequantize_blockwise(q.absmax, q.state2) + q.offset
            general[n + ".weight"] = _dequantize_4bit_compute(m.weight.data.view(torch.uint8).reshape(-1), scales, _get_4bit_code(q.quant_type, "cpu"), q.blocksize, q.shape, q.dtype)
    weights = state(model.dequantize())
    for n, w in general.items():
        # Where rows are no whole number of blocks, bitsandbytes 0.50.2's kernel for CPUs takes the scales of
        # other blocks than its quantiser made; its general implementation does not.
        if w.shape[1] % 64 == 0:
            assert torch.equal(weights[n].float(), w.float()), n
        weights[n] = w
    reference(folder, weights, "transformers: from_pretrained(dtype=float32).dequantize(); of 4 bits bitsandbytes.backends.default")


# GPTQ: codes at random, read by gptqmodel's TorchLinear.
def pack(codes, bits, dim):
    """Whole numbers (rows, cols) as a stream of bits in words of 32 along dim, the lowest bits first."""
    c = codes.T if dim == 1 else codes
    n = c.shape[0] * bits // 32
    words = torch.zeros(n, c.shape[1], dtype=torch.int64)
    for i in range(c.shape[0]):
        for b in range(bits):
            at = i * bits + b
            words[at // 32] |= (c[i] >> b & 1) << (at % 32)
    words = torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)
    return words.T.contiguous() if dim == 1 else words


def gptq(name, bits, group, desc_act, fmt, sym, skip=()):
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.utils.model import convert_gptq_v1_to_v2_format_module
    g = torch.Generator().manual_seed(bits)
    stored, weights = plain(), {}
    for n, (rows, cols) in linear.items():
        if n.endswith(tuple(skip)) and skip:
            continue
        size = cols if group == -1 else group
        groups = cols // size
        q = torch.randint(0, 1 << bits, (cols, rows), generator=g)
        z = torch.full((groups, rows), 1 << (bits - 1)) if sym else torch.randint(0, 1 << bits, (groups, rows), generator=g)
        qz = pack(z, bits, 1)
        if fmt != "gptq_v2":  # the first format stores a zero point less one: in 3 bits each by itself, else word by word
            qz = pack((z - 1) & 7, bits, 1) if bits == 3 else qz - sum(1 << i for i in range(0, 31, bits))
        s = ((torch.rand(groups, rows, generator=g) + 0.5) * 0.4 / (1 << bits)).to(torch.float16)
        idx = torch.arange(cols) // size
        if desc_act:
            idx = idx[torch.randperm(cols, generator=g)]
        t = {"qweight": pack(q, bits, 0), "qzeros": qz, "scales": s, "g_idx": idx.to(torch.int32)}
        m = TorchLinear(bits=bits, group_size=group, sym=sym, desc_act=desc_act, in_features=cols, out_features=rows, bias=False, register_buffers=True)
        for k, v in t.items():
            getattr(m, k).data = v.clone()
        if fmt != "gptq_v2":
            convert_gptq_v1_to_v2_format_module(m, bits=bits, pack_dtype=torch.int32)
        m.eval()
        m.post_init()
        w = m.dequantize_weight().T
        assert torch.equal(w.float(), (s[idx] * (q - z[idx]).to(torch.float16)).T.float()), n
        del stored[n + ".weight"]
        stored.update({n + "." + k: v for k, v in t.items()})
        weights[n + ".weight"] = w
    for k, v in stored.items():
        if k.endswith((".weight",)):
            weights.setdefault(k, v)
    shutil.rmtree(here / name, ignore_errors=True)
    write(here / name, stored, {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": desc_act, "sym": sym, "checkpoint_format": fmt,
                                "damp_percent": 0.1, "static_groups": False, "true_sequential": True, "model_name_or_path": None})
    reference(here / name, weights, "gptqmodel: TorchLinear.dequantize_weight() of " + fmt)


# AWQ: codes at random, read by both packages' dequantize_gemm.
def awq(name, group, dtype=torch.float16):
    path = pathlib.Path(importlib.util.find_spec("gptqmodel").origin).parents[1] / "awq/utils/packing_utils.py"
    spec = importlib.util.spec_from_file_location("autoawq_packing", path)  # without the package's own imports
    auto = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(auto)
    from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm
    g = torch.Generator().manual_seed(group)
    stored, weights = plain(), {}
    for n, (rows, cols) in linear.items():
        if n.endswith("v_proj"):
            continue  # modules_to_not_convert
        size = cols if group == -1 else group
        word = lambda *s: torch.randint(-1 << 31, 1 << 31, s, generator=g).to(torch.int32)
        qw, qz = word(cols, rows // 8), word(cols // size, rows // 8)
        s = ((torch.rand(cols // size, rows, generator=g) + 0.5) * 0.025).to(dtype)
        w = auto.dequantize_gemm(qw, qz, s, 4, size)
        assert torch.equal(w, dequantize_gemm(qw, qz, s, 4, size))
        del stored[n + ".weight"]
        stored.update({n + ".qweight": qw, n + ".qzeros": qz, n + ".scales": s})
        weights[n + ".weight"] = w.T
    for k, v in stored.items():
        if k.endswith(".weight"):
            weights.setdefault(k, v)
    shutil.rmtree(here / name, ignore_errors=True)
    write(here / name, stored, {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm", "modules_to_not_convert": ["v_proj"]})
    reference(here / name, weights, "autoawq and gptqmodel: dequantize_gemm")


# fp8 with scales, as Transformers dequantises it.
def fp8(name, block, uint8=False):
    stored = plain()
    for n, (rows, cols) in linear.items():
        w = stored[n + ".weight"].float()
        if block:
            b = w.reshape(rows // block[0], block[0], cols // block[1], block[1])
            s = b.abs().amax((1, 3)) / 448
            q = (b / s[:, None, :, None]).reshape(rows, cols)
        else:
            s = w.abs().amax() / 448
            q = w / s
        stored[n + ".weight"] = q.to(torch.float8_e4m3fn)
        stored[n + ".weight_scale_inv"] = s
    shutil.rmtree(here / name, ignore_errors=True)
    write(here / name, stored, {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": block})
    model = loaded(here / name, quantization_config=FineGrainedFP8Config(dequantize=True, weight_block_size=block))
    reference(here / name, state(model), "transformers: FineGrainedFP8Config(dequantize=True), float32")


# compressed-tensors: compressed and read by the package.
def compressed(name, fmt, weights, skip=(), activations=None):
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    args = QuantizationArgs(**weights)
    scheme = QuantizationScheme(targets=["Linear"], weights=args, format=fmt)
    compressor = BaseCompressor.get_value_from_registry(fmt)
    stored, out = plain(), {}
    top = {"int": 2 ** (args.num_bits - 1) - 1, "float": 448.0 if args.num_bits == 8 else 6.0}[weights["type"]]
    for n, (rows, cols) in linear.items():
        if skip and n.endswith(tuple(skip)):
            continue
        w = stored.pop(n + ".weight")
        size = {"tensor": None, "channel": cols, "group": args.group_size, "tensor_group": args.group_size, "block": None}[weights["strategy"]]
        t = {"weight": w}
        if weights["strategy"] == "tensor":
            s = (w.abs().amax() / top).reshape(1)
        elif weights["strategy"] == "block":
            h, b = args.block_structure
            s = torch.stack([torch.stack([w[i:i + h, j:j + b].abs().amax() for j in range(0, cols, b)]) for i in range(0, rows, h)]) / top
        else:
            s = w.reshape(rows, cols // size, size).abs().amax(-1) / top
        if weights["strategy"] == "tensor_group":
            t["weight_global_scale"] = (448 * 6 / w.float().abs().amax()).reshape(1).float()
            s = (s.float() * t["weight_global_scale"]).to(torch.float8_e4m3fn).float()
        if fmt == "mxfp4-pack-quantized":
            s = torch.exp2(torch.floor(torch.log2(s.float())))
        t["weight_scale"] = s
        if not args.symmetric:
            g = torch.Generator().manual_seed(rows + cols)
            t["weight_zero_point"] = torch.randint(-3, 4, s.shape, generator=g, dtype=torch.int8)
        t = compressor.compress(t, scheme)
        stored.update({n + "." + k: v.clone() for k, v in t.items()})
        out[n + ".weight"] = compressor.decompress({k: v.clone() for k, v in t.items()}, scheme)["weight"]
    q = {"quant_method": "compressed-tensors", "format": fmt, "quantization_status": "compressed", "ignore": ["lm_head", *("re:.*" + s for s in skip)],
         "config_groups": {"group_0": {"targets": ["Linear"], "weights": json.loads(args.model_dump_json()), "input_activations": None, "output_activations": None}}}
    shutil.rmtree(here / name, ignore_errors=True)
    write(here / name, stored, q)
    for k, v in stored.items():
        if k.endswith(".weight"):
            out.setdefault(k, v)
    if fmt != "nvfp4-pack-quantized":
        model = loaded(here / name, quantization_config=CompressedTensorsConfig(dequantize=True))
        for k, v in state(model).items():
            assert torch.equal(v, out[k].float()), k  # Transformers gives what the package gives
    reference(here / name, out, "compressed-tensors: decompress, then float32")


made = {
    "bnb-int8": lambda n: bitsandbytes(n, torch.float16, load_in_8bit=True),
    "bnb-nf4": lambda n: bitsandbytes(n, torch.bfloat16, load_in_4bit=True, bnb_4bit_quant_type="nf4"),
    "bnb-nf4-double": lambda n: bitsandbytes(n, torch.float16, load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, llm_int8_skip_modules=["k_proj"]),
    "bnb-fp4": lambda n: bitsandbytes(n, torch.float32, load_in_4bit=True, bnb_4bit_quant_type="fp4"),
    "gptq-4": lambda n: gptq(n, 4, 32, False, "gptq", True),
    "gptq-4-order": lambda n: gptq(n, 4, 32, True, "gptq", False, skip=["k_proj"]),
    "gptq-v2-4": lambda n: gptq(n, 4, 32, True, "gptq_v2", False),
    "gptq-2": lambda n: gptq(n, 2, 32, False, "gptq", False),
    "gptq-3": lambda n: gptq(n, 3, 32, False, "gptq", False),
    "gptq-8": lambda n: gptq(n, 8, -1, False, "gptq", True),
    "awq": lambda n: awq(n, 32),
    "fp8-block": lambda n: fp8(n, [32, 16]),
    "fp8-tensor": lambda n: fp8(n, None),
    "ct-fp8-tensor": lambda n: compressed(n, "float-quantized", dict(num_bits=8, type="float", strategy="tensor", symmetric=True)),
    "ct-fp8-channel": lambda n: compressed(n, "float-quantized", dict(num_bits=8, type="float", strategy="channel", symmetric=True), skip=["v_proj"]),
    "ct-fp8-block": lambda n: compressed(n, "float-quantized", dict(num_bits=8, type="float", strategy="block", block_structure=[24, 40], symmetric=True)),
    "ct-int8-channel": lambda n: compressed(n, "int-quantized", dict(num_bits=8, type="int", strategy="channel", symmetric=True)),
    "ct-int8-zero": lambda n: compressed(n, "int-quantized", dict(num_bits=8, type="int", strategy="channel", symmetric=False)),
    "ct-pack-4": lambda n: compressed(n, "pack-quantized", dict(num_bits=4, type="int", strategy="group", group_size=32, symmetric=True)),
    "ct-pack-4-zero": lambda n: compressed(n, "pack-quantized", dict(num_bits=4, type="int", strategy="group", group_size=32, symmetric=False), skip=["v_proj"]),
    "ct-pack-8": lambda n: compressed(n, "pack-quantized", dict(num_bits=8, type="int", strategy="channel", symmetric=True)),
    "ct-pack-3": lambda n: compressed(n, "pack-quantized", dict(num_bits=3, type="int", strategy="channel", symmetric=True)),
    "ct-mxfp4": lambda n: compressed(n, "mxfp4-pack-quantized", dict(num_bits=4, type="float", strategy="group", group_size=32, symmetric=True, scale_dtype="torch.uint8")),
    "ct-nvfp4": lambda n: compressed(n, "nvfp4-pack-quantized", dict(num_bits=4, type="float", strategy="tensor_group", group_size=16, symmetric=True)),
}
for name in sys.argv[1:] or made:
    try:
        made[name](name)
        print("made", name, sum(f.stat().st_size for f in (here / name).iterdir()))
    except Exception as e:
        if len(sys.argv) == 2:
            raise
        print("FAILED", name, type(e).__name__, str(e)[:200])
