"""Writes score.jsonl.gz and corpus.json.gz: answers, and what the references say of them.

Made with Python 3.11, lm_eval 0.4.13, sacrebleu 2.6.0, transformers 4.57.1, numpy 2.4.6 and
scipy 1.17.1:  python score.py
"""

import gzip
import importlib.util
import json
import pathlib
import random
import sys
import types

import lm_eval
import numpy as np
import sacrebleu
import transformers.data.metrics.squad_metrics as squad_metrics
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter, WhitespaceFilter
from sacrebleu.metrics import BLEU, CHRF, TER


def load(name):
    """A task's functions, without the packages that none of those used here needs."""
    for stub in ("datasets", "rouge_score", "rouge_score.rouge_scorer", "rouge_score.scoring"):
        sys.modules.setdefault(stub, types.ModuleType(stub))
    sys.modules["datasets"].Dataset = object
    sys.modules["rouge_score"].rouge_scorer = sys.modules["rouge_score"].scoring = None
    path = pathlib.Path(lm_eval.__file__).parent / "tasks" / name / "utils.py"
    spec = importlib.util.spec_from_file_location("task_" + name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


drop, coqa, truthfulqa = load("drop"), load("coqa"), load("truthfulqa")
rng = random.Random(14)

# Texts in which the rules of Python matter: its spaces, digits, cases and words.
NAMES = [
    "the Golden Gate", "An apple", "a", "The", "Ásgeir's the_thing", "theatre and a-an", "ΟΔΟΣ the ΣΑΣ", "İstanbul a",
    "l'été à Paris", "42", "42.0", "4.20e1", "1_000", "1,000", "$3.50", "٤٢", "½ cup", "nan", "Infinity", "-7", "7-yard",
    "12\u00a0km", "x\x1cy", "naïve café", "東京 the 大阪", "“quoted”", "3.14159", "U.S.A.", "e.g. the, an", "½", "²", "0x10", "1e400",
    "No. 5", "Ⅷ", "ß SS", "tab\tand\nline", "...", "", "12 to 14 points", "the 42", "𝟜𝟚",
]


def changed(text):
    """A response that is near an answer, or not."""
    other = rng.choice(NAMES)
    return rng.choice([
        text, text, text.upper(), text.lower(), "the " + text, text + ".", text + "!?", " " + text + "\n", other, text + " " + other,
        other + " " + text, text.replace(" ", "-"), text.replace("a", ""), "", "\x1f" + text + "\u3000", " ".join(reversed(text.split())),
        text.title(), text + "\n\nQ: and?", f"“{text}”",
    ])


def first(value):
    return next(iter(value))


def exact(answers, response, **options):
    result = exact_match_hf_evaluate(predictions=[response] * len(answers), references=answers, **options)["exact_match"]
    return float(result > 0)


rows = []


def row(scorer, doc, answer, scores, kind="responses"):
    rows.append({"scorer": scorer, "doc": doc, kind: answer, "scores": {k: float(v) for k, v in scores.items()}})


GSM = [
    "#### {n}", "#### {n}.", "####{n}", "so #### ${n}", "The answer is {n}", "{n} and then 7", "it costs ${n}.", "#### -{n}", "####  {n}",
    "no number", "", "#### {n}\n#### 5", "1,2,3", "= {n} apples. ", "#### ,", "#### 1.2.3", "-${n}", "...", "٣ #### {n}", "$.", "A#### {n}.00",
]
strict = RegexFilter(r"#### (\-?[0-9\.\,]+)")
flexible = RegexFilter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
for text in GSM * 3:
    n = rng.choice(["18", "1,250", "3.5", "-4", "0"])
    answer = f"It is <<9*2={n}>>{n}.\n#### {rng.choice([n, n, n, '7'])}"
    response = text.format(n=n)
    scores = {}
    for name, f in (("strict-match", strict), ("flexible-extract", flexible)):
        found = first(f.apply([[response]], [{}]))[0]
        scores["exact_match," + name] = exact([answer], found, ignore_case=True, regexes_to_ignore=[",", r"\$", "(?s).*#### ", r"\.$"])
    row("gsm8k", {"answer": answer}, [response], scores)

bbh = RegexFilter("(?<=the answer is )(.*)(?=.)")
for target in ["(A)", "True", "] >", "12", "apple é"]:
    for text in [f"So the answer is {target}.", f"the answer is {target}", f"The answer is {target}.", f"the answer is  {target} .", f"the answer is {target}.\nthe answer is no.",
                 "the answer is \n", "the answer is", f"the answer is the answer is {target}.", f"x. the answer is {target}。", ""]:
        row("bbh", {"target": target}, [text], {"exact_match": exact([target], first(bbh.apply([[text]], [{}]))[0])})

letter = RegexFilter(r"answer is \(?([ABCDEFGHIJ])\)?")
for text in ["the answer is (B).", "answer is B", "answer is b", "answer is (K)", "the answer is BC", "answer is  (B)", "(B)", "answer is ((B)", "answer is I think B", ""]:
    row("mmlu_pro", {"answer": "B"}, [text], {"exact_match": exact(["B"], first(letter.apply([[text]], [{}]))[0], ignore_case=True, ignore_punctuation=True)})

for _ in range(80):
    names = rng.sample(NAMES, rng.randint(1, 3))
    response = changed(rng.choice(names))
    stripped = first(first(WhitespaceFilter().apply([[response]], [{}])))
    row("triviaqa", {"answer": {"aliases": names}}, [response], {"exact_match": exact(names, stripped, ignore_case=True, ignore_punctuation=True)})
    row("exact_match", {"target": names}, [response], {"exact_match": exact(names, response)})
    row("exact_match:ignore_case:ignore_numbers", {"answer": names[0]}, [response], {"exact_match": exact(names[:1], response, ignore_case=True, ignore_numbers=True)})
    row("exact_match:ignore_punctuation:remove_whitespace", {"answers": names}, [response], {"exact_match": exact(names, stripped, ignore_punctuation=True)})

    gold = [a for a in names if squad_metrics.normalize_answer(a)] or [""]
    row("squad", {"answers": {"text": names}}, [response], {
        "exact": max(squad_metrics.compute_exact(a, response) for a in gold), "f1": max(squad_metrics.compute_f1(a, response) for a in gold)})

    turns = rng.randint(1, 3)
    doc = {"questions": {"input_text": ["q"] * turns}, "answers": {"input_text": rng.sample(NAMES, turns)}}
    if rng.random() < 0.8:
        last = doc["answers"]["input_text"][-1]
        doc["additional_answers"] = {str(i): {"input_text": rng.sample(NAMES, turns - 1) + [rng.choice([last.upper(), changed(last), rng.choice(NAMES)])]} for i in range(rng.randint(1, 3))}
    response = changed(rng.choice(coqa.doc_to_target(doc)))
    row("coqa", doc, [response], coqa.process_results(doc, [response]))

    date = {"day": rng.choice(["", "3"]), "month": rng.choice(["", "May"]), "year": rng.choice(["", "1998"])}
    none = {"day": "", "month": "", "year": ""}

    def answer():
        kind = rng.randrange(4)
        number = rng.choice(["12", "3.5", "1998", "1,000", "0"]) if kind == 0 else ""
        return {"number": number, "date": date if kind == 1 else none, "spans": rng.sample(NAMES, rng.randint(1, 3)) if kind > 1 else []}

    others = [answer() for _ in range(rng.randint(0, 2))]
    doc = {"answer": answer(), "validated_answers": {k: [o[k] for o in others] for k in ("number", "date", "spans")}}
    answers = drop.get_answers(doc)
    response = changed(rng.choice(rng.choice(answers)))
    row("drop", doc, [response], drop.process_results({"answers": answers}, [response]))

    n = rng.randint(2, 6)
    labels = [1] + [rng.randint(0, 1) for _ in range(n - 2)] + [0]
    lls = [round(rng.uniform(-60, -1), 3) for _ in labels]
    row("truthfulqa_mc2", {"mc2_targets": {"labels": labels}}, lls, {"mc2": truthfulqa.process_results_mc2({"mc2_targets": {"labels": labels}}, [(x, False) for x in lls])["acc"]}, "loglikelihoods")
    lls = list(lls)
    if rng.random() < 0.3:
        lls[rng.randrange(n)] = max(lls)
    labels = [1] + [0] * (n - 1)
    row("truthfulqa_mc1", {"mc1_targets": {"labels": labels}}, lls, {"mc1": int(np.argmax(lls)) == 0}, "loglikelihoods")

WORDS = "the cat sat on mat , . 3.5 1,000 ( ) e.g. U.S. don't 'tis -- 7-8 &amp; &quot; naïve 東京 日本語 Σας İ ÉTÉ x\u00a0y <skipped> $5 50% a/b [1] {2} ~ ` ^ _ é… “hi” hello-\nworld".split(" ")


def sentence(longest=14):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, longest)))


def near(text):
    words = text.split(" ")
    for _ in range(rng.randint(0, 4)):
        i = rng.randrange(len(words))
        match rng.randrange(4):
            case 0:
                words.insert(i, rng.choice(WORDS))
            case 1:
                words[i] = rng.choice(WORDS)
            case 2:
                k = rng.randint(1, 4)
                moved, words = words[i:i + k], words[:i] + words[i + k:]
                j = rng.randint(0, len(words))
                words = words[:j] + moved + words[j:]
            case 3:
                words = words[:i] + words[i + 1:] or [""]
    return " ".join(words)


def corpus(pairs):
    """pairs are responses, each with its right answers."""
    hyps = [h for h, _ in pairs]
    most = max(len(r) for _, r in pairs)
    streams = [[r[i] if i < len(r) else None for _, r in pairs] for i in range(most)]
    out = {"rows": pairs, "bleu": sacrebleu.corpus_bleu(hyps, streams).score, "chrf": sacrebleu.corpus_chrf(hyps, streams).score,
           "chrf++": sacrebleu.corpus_chrf(hyps, streams, word_order=2).score, "ter": sacrebleu.corpus_ter(hyps, streams).score}
    out["alone"] = [{
        "bleu": BLEU(effective_order=True).sentence_score(h, r).score, "chrf": CHRF().sentence_score(h, r).score,
        "chrf++": CHRF(word_order=2).sentence_score(h, r).score, "ter": TER().sentence_score(h, r).score} for h, r in pairs]
    return out


corpora = []
for _ in range(12):
    pairs = []
    for _ in range(rng.randint(1, 12)):
        right = [sentence() for _ in range(rng.randint(1, 3))]
        pairs.append((rng.choice([near(right[0]), right[-1], sentence(), ""]), right))
    corpora.append(corpus(pairs))
corpora.append(corpus([("", ["the cat"])]))
corpora.append(corpus([("the", [""]), ("", [""])]))
corpora.append(corpus([("a b", ["a b"])]))
vocabulary = [f"w{i}" for i in range(30)]
long = [[rng.choice(vocabulary) for _ in range(n)] for n in (70, 120, 200, 8)]
shuffled = [rng.sample(x, len(x)) for x in long]
corpora.append(corpus([(" ".join(a), [" ".join(b)]) for a, b in zip(shuffled, long)]))
corpora.append(corpus([(" ".join(long[3]), [" ".join(long[2])]), (" ".join(long[2]), [" ".join(long[3])])]))


def save(name, text):
    with open(pathlib.Path(__file__).parent / name, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as f:
        f.write(text.encode())


save("score.jsonl.gz", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
save("corpus.json.gz", json.dumps(corpora, ensure_ascii=False))
print(len(rows), "rows,", len(corpora), "corpora")
