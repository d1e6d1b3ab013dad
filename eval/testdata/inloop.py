"""Writes what ai2-olmo-eval 0.9.0 makes of every label of its in-loop evaluation.

inloop.json.gz is made of the rows below, invented in the shape of each data set: of each label
the metric type, a digest of all requests as text, digests of their ids by two tokenizers, and
the figures of the reference's own ICLMetric for log-probabilities that are a function of the
text (see logprob). inloop_wheel.json.gz has the same of the data sets in the wheel, with its own
tokenizer on two documents and the longest one of each label.

    python3 eval/testdata/inloop.py UNPACKED_WHEEL [made|wheel]
    python3 eval/testdata/inloop.py UNPACKED_WHEEL TASK_GROUPS.py DOWNSTREAM.py

The latter writes names.json.gz: the groups of OLMo-core's src/olmo_core/eval/task_groups.py and the
labels of ai2-olmo's olmo/eval/downstream.py.

Needs torch, torchmetrics, datasets, tokenizers and importlib_resources.
"""

import gzip
import hashlib
import json
import pathlib
import re
import sys
import zlib

here = pathlib.Path(__file__).parent
wheel = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(wheel))

import torch  # noqa: E402
from olmo_eval import metrics, tasks  # noqa: E402
from olmo_eval.tokenizer import HFTokenizer  # noqa: E402

# Sums of thousands of documents in float32 are right to three digits less than what is tested.
torch.set_default_dtype(torch.float64)

# The data sets' names here, by path and name there.
HF = {
    "piqa/plain_text": "piqa", "hellaswag/None": "hellaswag", "winogrande/winogrande_xl": "winogrande", "openbookqa/main": "openbook_qa", "boolq/None": "boolq",
    "sciq/None": "sciq", "ai2_arc/ARC-Easy": "arc_easy", "ai2_arc/ARC-Challenge": "arc_challenge", "allenai/basic_arithmetic/None": "basic_arithmetic",
    "super_glue/copa": "copa", "glue/rte": "rte", "super_glue/cb": "commitment_bank", "glue/mrpc": "mrpc", "glue/sst2": "sst2", "tau/commonsense_qa/None": "commonsense_qa",
    "social_i_qa/None": "social_iqa", "trivia_qa/rc.wikipedia.nocontext": "trivia_qa_wiki", "nq_open/None": "natural_qs_open",
}


def keyed(id, question, texts, key, stem="question", labels="ABCDE"):
    return {"id": id, stem: question, "choices": {"text": texts, "label": list(labels[: len(texts)])}, "answerKey": key}


def subject(name, question, choices, answer):
    return {"question": question, "subject": name, "choices": choices, "answer": answer}


DEV = [subject(s, f"Shot {i} of {s}?\n", [f"{s[:3]} {i}{c}" for c in "wxyz"], i % 4) for s in ("abstract_algebra", "philosophy", "sociology", "virology") for i in range(6)]
MMLU = [
    subject("sociology", " Who studied the town of Muncie? ", ["The Lynds", "Émile", "No one", "Both "], 0), subject("virology", "What is a capsid?", ["a coat", "an enzyme", "a host", "a drug"], 3),
    subject("philosophy", "Know thyself\tis from", ["Delphi", "Athens", "Rome", "Kyoto"], 2), subject("abstract_algebra", "\nThe order of ℤ/6?", ["2", "3", "6", "∞"], 2),
    subject("astronomy", "Which is no planet?", ["Mars", "Io", "Venus", "Saturn"], 1), subject("sociology", "A dyad has", ["one", "two", "three", "four"], 1),
]
ROWS = {
    "piqa": [{"goal": "Cool a room", "sol1": "open the window", "sol2": "paint the windöw", "label": 0}, {"goal": "Sharpen a knife ", "sol1": "use soap", "sol2": "use a stone", "label": 1}],
    "hellaswag": [
        {"activity_label": "Baking bread", "ctx_a": " A woman kneads dough.", "ctx_b": "then She", "endings": ["rests.", "[step] folds it  twice [title] Then waits", "é runs", ""], "label": "1"},
        {"activity_label": "Cleaning", "ctx_a": "[header] How to clean a pan [title] Soak it. [step] Hot water works.", "ctx_b": "", "endings": [" Wait.", "Scrub it.", "Sell it.", "Eat [it] now."], "label": "3"},
    ],
    "winogrande": [
        {"sentence": "Ann lent Sue money because _ was kind. ", "option1": "Ann", "option2": "Sue", "answer": "1"},
        {"sentence": "The cup was not in the box since the _  is too_small.", "option1": "box", "option2": "cup", "answer": "2"},
    ],
    "openbook_qa": [keyed("7-1", "Rain falls from", ["clouds", "trees", "a lake", "stars"], "A", "question_stem"), keyed("7-2", "A magnet pulls ", ["wood", "iron"], "B ", "question_stem")],
    "boolq": [{"question": "is ice less dense than water", "passage": "Ice -- It floats.", "answer": True}, {"question": "does iron float", "passage": "Iron sinks.\n", "answer": False}],
    "sciq": [
        {"question": "What gas do plants take in?", "distractor1": "oxygen", "distractor2": "neon", "distractor3": "argon", "correct_answer": "carbon dioxide", "support": " Plants breathe. \n"},
        {"question": "What melts?", "distractor1": "fire", "distractor2": "air", "distractor3": "light", "correct_answer": "ice", "support": ""},
    ],
    "arc_easy": [keyed("M1", "Which is a mammal?", ["newt", "bat", "trout"], "2", labels="12345"), keyed("M2", "What turns?", ["Earth", "a rock", "sand", "a wall", "glass"], "E")],
    "arc_challenge": [keyed("C1", "Why is the sky blue?", ["scattering", "paint", "the sea", "cold"], "A"), keyed("C2", "Hardest?", ["talc", "diamond"], "B")],
    "basic_arithmetic": [keyed("q1", "Calculate 2 + 5 =", ["8", "7", "6", "17"], "B"), keyed("q2", "Calculate 30 - 4 =", ["26", "34", "24", "25"], "A")],
    "copa": [
        {"premise": "The cup fell off the table. ", "choice1": "The cat pushed it.", "choice2": "Ünal slept.", "question": "cause", "label": 0},
        {"premise": "I was tired", "choice1": "I ran.", "choice2": "I lay down.", "question": "effect", "label": 1},
    ],
    "rte": [{"sentence1": "Rome is old.", "sentence2": "Rome is new.", "label": 1}, {"sentence1": "Two met.", "sentence2": "They met.", "label": 0}],
    "commitment_bank": [{"premise": "He thinks it rains.", "hypothesis": "it rains", "label": 2}, {"premise": "She knows it.", "hypothesis": "it is so", "label": 0}],
    "mrpc": [
        {"sentence1": 'He said " no " ( twice ) , it doesn \'t fit .', "sentence2": "He refused .", "label": 1}, {"sentence1": "A fell .", "sentence2": "B didn n't rise .", "label": 0},
        {"sentence1": "One ' s .", "sentence2": "Two", "label": 1}, {"sentence1": "It , too", "sentence2": "Not", "label": 0}, {"sentence1": "x", "sentence2": "y", "label": 1},
    ],
    "sst2": [{"sentence": "it 's a fine ( if long ) film . ", "label": 1}, {"sentence": 'does n\'t " work " , sadly ', "label": 0}],
    "commonsense_qa": [keyed("k1", "Where is bread sold?", ["bakery", "bank", "sea", "moon", "mine"], "A"), keyed("k2", "What is wet?", ["sand", "dust", "water", "salt", "ash"], "C")],
    "social_iqa": [
        {"context": "Kim cooked.", "question": "How would others feel?", "answerA": "fed", "answerB": "sad", "answerC": "far away", "label": "1"},
        {"context": "Lee left early", "question": "Why?", "answerA": "to rest", "answerB": "for fun", "answerC": "no reason", "label": "3"},
    ],
    "trivia_qa_wiki": [{"question": "Who painted Guernica?", "answer": {"value": "Picasso", "aliases": ["Pablo"]}}, {"question": "Largest desert?", "answer": {"value": "Antarctica – cold", "aliases": []}}],
    "natural_qs_open": [{"question": "when did the war end", "answer": ["in May 1945", "1945"]}, {"question": "who wrote emma", "answer": ["Jane Austen"]}],
    "mmlu_dev": DEV, "mmlu_validation": MMLU, "mmlu_test": [dict(r, question="Test: " + r["question"]) for r in MMLU[::-1]],
}


def stored(doc, context, continuations, label, native):
    """A document's requests as oe-eval stores them."""
    return [{"request_type": "loglikelihood", "doc": {"id": native}, "request": {"context": context if isinstance(context, str) else context[i], "continuation": c},
             "idx": i, "doc_id": doc, "native_id": native, "label": label} for i, c in enumerate(continuations)]


SHOTS = "Question: How many legs has a spider?\nAnswer: eight\n\n"
# What stands in a set of stored requests: answers in full with their unconditional requests, letters,
# gold answers alone.
STORED = {
    "rc": stored(0, SHOTS + "Question: What is ice?\nAnswer:", [" water", " a stone", " fire — hot"], 0, "s1") + stored(1000000, "Answer:", [" water", " a stone", " fire — hot"], 0, "s1")
    + stored(1, ["Ann saw that Ann", "Ann saw that Sue"], [" was late.", " was late."], 1, "s2") + stored(1000001, "Answer:", [" was late.", " was late."], 1, "s2")
    + stored(7, SHOTS + "Question: Two and two?\nAnswer:", [" four", " five", " 4", " none of these"], 2, "s3"),
    "mc": stored(0, "Question: What is ice?\n A. water\n B. fire\nAnswer:", [" A", " B"], 0, "s1") + stored(1, "Question: Odd?\n A. 2\n B. 4\n C. 5\n D. 8\nAnswer:", [" A", " B", " C", " D"], 2, "s2"),
    "gold": stored(0, "Problem: 1 + 1\nSolution:", [" The sum is $2$."], "2", "s1") + stored(1, "def f(x):\n    ", ["return x\n"], None, 2)
    + stored(2, "Passage: …\nQ: who?\nA:", [" Ünal"], ["Ünal", "he"], "s3"),
}


def store_of(data):
    """The invented set that stands for a stored one, by its name."""
    return STORED["mc" if "mc_" in data or "way" in data else "gold" if "bpb" in data else "rc"]


def set_of(path, name, split):
    if path == "hails/mmlu_no_train":
        return "mmlu_" + split
    return HF[f"{path}/{name}"]


class Joined:
    @staticmethod
    def concatenate_datasets(parts):
        return [row for part in parts for row in part]


load_hf, load_oe = tasks.load_hf_dataset, tasks.load_oe_eval_requests
tasks.datasets = Joined
kept = {}


def of_wheel(path, name, split):
    key = (path, name, split)
    if key not in kept:
        kept[key] = load_hf(path, name, split).to_list()
    return [dict(r) for r in kept[key]]


def made(path, name, split):
    rows = ROWS[set_of(path, name, split)]
    return [dict(r) for r in rows if not path.startswith("hails") or r["subject"] == name]


class Whole:
    """A tokenizer by which each text is one id, so that ids are read as texts."""

    pad_token_id, eos_token_id, bos_token_id = 0, 0, None

    def __init__(self):
        self.ids, self.texts = {"": 0}, [""]

    def encode(self, text, add_special_tokens=True):
        if text not in self.ids:
            self.ids[text] = len(self.texts)
            self.texts.append(text)
        return [self.ids[text]]

    def __deepcopy__(self, memo):
        return self


class Some(Whole):
    """A tokenizer that encodes the texts that are wanted, and all others as one id."""

    def __init__(self, tokenizer, wanted):
        self.tokenizer, self.wanted = tokenizer, wanted

    def encode(self, text, add_special_tokens=True):
        return self.tokenizer.encode(text, add_special_tokens) if text in self.wanted else [0]


def logprob(context, continuation):
    """A log-probability that any program can make of a request: a multiple of 1/64."""
    return -(zlib.crc32(f"{context}\0{continuation}".encode()) % 4000 + 1) / 64


def requests_of(task, texts):
    """Each sample's context, its continuations, and the right one."""
    for s in task.samples:
        yield texts[s["ctx"][0]], [texts[c] for c in s.get("choices", s["continuation"][:1])], s


def judge(task, whole):
    """The digest of all requests, the number of documents, and the reference's figures."""
    h, docs, now = hashlib.sha256(), set(), []
    metric = metrics.ICLMetric(metric_type=task.metric_type)

    def cross_entropy(logits, tokens, reduction):
        return torch.tensor(-logprob(now[0], whole.texts[int(tokens[0])]), dtype=torch.float64)

    metrics.F = type("F", (), {"cross_entropy": staticmethod(cross_entropy)})
    one = torch.zeros(1, 1)
    for context, continuations, s in requests_of(task, whole.texts):
        docs.add(s["doc_id"])
        now[:] = [context]
        for c in continuations:
            h.update(f"{context}\x1f{c}\x1f{s['label_id']}\x1e".encode())
        lengths = ["cont_str_len", "cont_byte_len", "cont_str_len_no_leading_space", "cont_byte_len_no_leading_space"]
        batch = {k: [s[k]] for k in ["doc_id", "cont_id", "label_id", *lengths]} | {"continuation": [torch.tensor(s["continuation"])], "cont_len": [1], "ctx_len": [1]}
        if task.fast_mc:
            batch["choice_ids"] = torch.tensor([s["choices"]])
        metric.update(batch, [one])
    figures = {k: float(v) for k, v in metric.compute().items()}
    return {"docs": len(docs), "digest": h.hexdigest()[:16], "metrics": figures}


def ids(task):
    """A digest of the samples' ids."""
    h = hashlib.sha256()
    for s in task.samples:
        for choice in [[c] for c in s["choices"]] if task.fast_mc else [s["continuation"]]:
            h.update(f"{s['query']} {s['ctx_len']} {choice}\n".encode())
    return h.hexdigest()[:16]


def write(name, value):
    with open(here / name, "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        z.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    print(name, (here / name).stat().st_size, "bytes", flush=True)


def data_of(label):
    t = tasks.LABEL_TO_TASK_MAP[label]
    kind, k = t if isinstance(t, tuple) else (t, {})
    return (kind, k)


def write_made():
    root = here.parent.parent / "model" / "testdata" / "llamacpp"
    mpt = HFTokenizer(str(root / "mpt" / "tokenizer.json"), pad_token_id=0, eos_token_id=0)
    bos = HFTokenizer(str(root / "mpt" / "tokenizer.json"), pad_token_id=0, eos_token_id=0, bos_token_id=2)
    tasks.load_hf_dataset = made
    tasks.load_oe_eval_requests = lambda path, name=None, split=None: (None, [dict(r) for r in store_of(name)])
    out = {}
    for label in tasks.list_tasks():
        whole = Whole()
        task = tasks.build_task(label, whole)
        out[label] = {"metric": task.metric_type} | judge(task, whole)
        if not task.fast_mc:  # its choices must be one token each, and are asked like the others
            out[label] |= {"ids": ids(tasks.build_task(label, mpt)), "bos": ids(tasks.build_task(label, bos))}
            if label != "winogrande":  # it forgets that its contexts were cut
                out[label]["cut"] = ids(tasks.build_task(label, mpt, model_ctx_len=40))
    write("inloop.json.gz", {"sets": ROWS, "stored": STORED, "labels": out})


def write_wheel():
    tok = HFTokenizer("tokenizers/allenai_gpt-neox-olmo-dolma-v1_5.json", pad_token_id=1, eos_token_id=50279)
    stored_sets = {}

    def oe(path, name=None, split=None):
        if (path, name) not in stored_sets:
            stored_sets.clear()
            stored_sets[path, name] = load_oe(path, name, split)[1]
        return None, stored_sets[path, name]

    out = {}
    for label in sorted(tasks.list_tasks(), key=lambda x: str(data_of(x)[1].get("dataset_path")) + str(data_of(x)[1].get("dataset_name"))):
        tasks.load_hf_dataset, tasks.load_oe_eval_requests = of_wheel, oe
        whole = Whole()
        task = tasks.build_task(label, whole)
        out[label] = judge(task, whole)
        # Documents 0 and 1, and the one with the longest context.
        longest = max(task.samples, key=lambda s: (len(whole.texts[s["ctx"][0]]), -s["doc_id"]))["doc_id"]
        picked = sorted({0, 1, longest})
        wanted = {text for context, continuations, s in requests_of(task, whole.texts) if s["doc_id"] in picked for text in [context, *continuations]}
        del task
        task = tasks.build_task(label, Some(tok, wanted))
        task.samples = [s for s in task.samples if s["doc_id"] in picked]
        out[label] |= {"picked": picked, "ids": ids(task)}
        print(label, out[label]["docs"], out[label]["digest"], flush=True)
    write("inloop_wheel.json.gz", out)


def write_names(groups, downstream):
    """OLMo-core's groups; ai2-olmo's labels with their metrics, of stored requests and MMLU."""
    of = {}
    exec(pathlib.Path(groups).read_text(), of)
    text = pathlib.Path(downstream).read_text()
    labels = {name: name for name in re.findall(r"^class (\w+)", text, re.M)}
    exec(text[text.index("\nlabel_to_task_map") :], labels)
    labels = {label: t[1].get("metric_type", "len_norm") for label, t in labels["label_to_task_map"].items() if isinstance(t, tuple)}
    write("names.json.gz", {"groups": {name: sorted(parts) for name, parts in of["TASK_GROUPS"].items()}, "ai2-olmo": labels})


if len(sys.argv) == 4:
    write_names(*sys.argv[2:])
else:
    if sys.argv[2:] != ["wheel"]:
        write_made()
    if sys.argv[2:] != ["made"]:
        write_wheel()
