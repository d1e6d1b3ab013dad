"""Writes beams.json: what OLMo's and Transformers' own beam searches find with tiny models.

    python beams.py GOLDEN OLMO    # the folder of reference results, a checkout of allenai/OLMo

Made with OLMo's olmo/beam_search.py (ai2-olmo 0.6.0), Python 3.11, torch 2.15.0, transformers 5.24.0, float32.
Developers only; the tests read the file. Prompts and ends are drawn, and kept where no two sums or scores that
decide anything lie so near that the order of additions could exchange them.
"""

import importlib.util
import json
import pathlib
import random
import sys

import torch
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
MODELS = ["olmo1_tied", "olmo2", "olmoe"]
NEAR = 2e-5
random.seed(18)
torch.set_num_threads(1)

OLMO = [  # beams, per node, min steps, length penalty, n-gram, max steps
    dict(beams=1), dict(beams=2), dict(beams=4), dict(beams=8, max_tokens=12), dict(beams=4, per_node=2), dict(beams=3, per_node=5), dict(beams=5, per_node=1),
    dict(beams=4, min_tokens=5), dict(beams=4, length_penalty=1), dict(beams=4, length_penalty=0.6), dict(beams=4, length_penalty=2.0, min_tokens=2),
    dict(beams=3, ngram=2), dict(beams=3, ngram=1), dict(beams=4, ngram=3, per_node=3, length_penalty=1),
]
HF = [
    dict(beams=2), dict(beams=4), dict(beams=4, returns=4), dict(beams=8, returns=8, max_tokens=12), dict(beams=4, returns=4, early="true"), dict(beams=4, returns=4, early="never"),
    dict(beams=3, returns=3, length_penalty=0.0), dict(beams=3, returns=3, length_penalty=2.0), dict(beams=3, returns=3, length_penalty=-1.0),
    dict(beams=3, returns=3, length_penalty=1.5, early="never"), dict(beams=3, returns=2, penalty=1.3), dict(beams=3, returns=3, penalty=0.7, early="true"),
    dict(beams=4, returns=4, ngram=2), dict(beams=4, returns=4, min_tokens=4), dict(beams=3, returns=3, ngram=1, min_tokens=3, penalty=1.2, early="never"),
    dict(beams=4, returns=4, ends=2), dict(beams=3, returns=3, ends=3, early="true", length_penalty=0.5),
]


def near(values):
    v = sorted(values, reverse=True)
    return any(a - b < NEAR for a, b in zip(v, v[1:]) if a > -1e8)


class Doubt(Exception):
    pass


topk = torch.topk


def checked(values, k, dim=-1, **rest):
    """topk, unless what it leaves out lies near to what it takes, or two that it takes to each other."""
    more = min(k + 1, values.shape[-1])
    if any(near(row[:more].tolist()) for row in topk(values, more, dim=-1)[0].reshape(-1, more)):
        raise Doubt
    return topk(values, k, dim=dim, **rest)


def olmo(beam_search, model, prompt, end, c):
    def step(last, state):
        ids = state["ids"] if state["fresh"][0] else torch.cat([state["ids"], last[:, None]], 1)
        with torch.no_grad():
            logits = model(ids).logits[:, -1]
        return torch.log_softmax(logits.float(), -1), {"ids": ids, "fresh": torch.zeros(len(ids), dtype=torch.bool)}
    search = beam_search.BeamSearch(
        end, max_steps=c.get("max_tokens", 9), beam_size=c["beams"], per_node_beam_size=c.get("per_node"), min_steps=c.get("min_tokens"),
        final_sequence_scorer=beam_search.LengthNormalizedSequenceLogProbabilityScorer(c["length_penalty"]) if "length_penalty" in c else None,
        constraints=[beam_search.RepeatedNGramBlockingConstraint(c["ngram"])] if "ngram" in c else None)
    found, scores = search.search(torch.zeros(1, dtype=torch.long), {"ids": torch.tensor([prompt]), "fresh": torch.ones(1, dtype=torch.bool)}, step)
    return found[0].tolist(), scores[0].tolist()


def transformers(model, prompt, ends, c):
    early = {"": False, "true": True, "never": "never"}[c.get("early", "")]
    out = model.generate(
        torch.tensor([prompt]), num_beams=c["beams"], num_return_sequences=c.get("returns", 1), max_new_tokens=c.get("max_tokens", 9), min_new_tokens=c.get("min_tokens"),
        length_penalty=c.get("length_penalty", 1.0), early_stopping=early, no_repeat_ngram_size=c.get("ngram"), repetition_penalty=c.get("penalty"), do_sample=False,
        eos_token_id=ends, pad_token_id=0, return_dict_in_generate=True, output_scores=True)
    return out.sequences[:, len(prompt):].tolist(), out.sequences_scores.tolist()


def cut(ids, ends):
    """A sequence with its first end, without what fills the row behind it."""
    for i, x in enumerate(ids):
        if x in ends:
            return ids[:i + 1]
    return ids


def main(golden, checkout):
    spec = importlib.util.spec_from_file_location("beam_search", pathlib.Path(checkout) / "olmo" / "beam_search.py")
    beam_search = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(beam_search)
    torch.topk = checked
    rows, ended, doubts = [], 0, 0
    for name in MODELS:
        model = AutoModelForCausalLM.from_pretrained(pathlib.Path(golden) / "reference" / "inference" / name, dtype=torch.float32).eval()
        V = model.config.vocab_size
        for by, cases in (("olmo", OLMO), ("hf", HF)):
            for c in cases:
                for _ in range(200):
                    prompt = [random.randrange(3, V) for _ in range(random.randrange(3, 12))]
                    search = (lambda ends: olmo(beam_search, model, prompt, ends[0], c)) if by == "olmo" else (lambda ends: transformers(model, prompt, ends, c))
                    try:
                        # Ends that hypotheses come by.
                        ends = [2]
                        pool = sorted({i for ids in search(ends)[0] for i in ids})
                        if len(pool) >= c.get("ends", 1) and random.random() < 0.9:
                            ends = random.sample(pool, c.get("ends", 1))
                        found, scores = search(ends)
                    except Doubt:
                        doubts += 1
                        continue
                    if not near(scores):
                        break
                else:
                    raise SystemExit("no prompt without doubt: %s %s" % (name, c))
                found = [cut(x, ends) for x in found]
                ended += sum(x[-1] in ends for x in found)
                rows.append({"model": name, "by": by, "settings": c, "prompt": prompt, "ends": ends, "sequences": found, "scores": [float("%.8g" % s) for s in scores]})
    print(len(rows), "cases,", ended, "of", sum(len(r["sequences"]) for r in rows), "sequences end,", doubts, "doubts")
    (HERE / "beams.json").write_text("[\n" + ",\n".join("  " + json.dumps(r) for r in rows) + "\n]\n")


main(*sys.argv[1:])
