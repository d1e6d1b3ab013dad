"""The most memory, and the processor time, that each stage takes for texts that fill a line of 16 MiB.

    python3 benchmarks/memory/run.py --olmo ./olmo --work DIR [--tokenizers F.json ...] [--stages REGEX] [--texts REGEX]
        [--documents 4] [--mb 16] [--double] [--table]

Each text is --documents documents in one file of JSONL, each line just below --mb MiB, which is where lines end to be documents. A stage runs
with two workers and its own folder; memory is the peak that was resident (VmHWM, in MB of 10^6 bytes), time is user and system together.
A line is printed for every pair of stage and text, and at the end the worst of each stage. With --double a text of half the length is run too,
and how many times its processor time the whole takes: 2 where time is linear.

The texts are the same on every call. Tokenizers of the kinds Unigram and WordPiece are made here, others come with --tokenizers.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import string
import subprocess
import sys

WORKERS = 2


def repeated(unit):
    return lambda rng: unit * max(1, 65536 // len(unit))


def numbered(form):
    """Parts that are all different, from one call to the next."""
    state = [0]

    def make(rng):
        state[0] += 2048
        return "".join(form % i for i in range(state[0] - 2048, state[0]))

    return make


def drawn(alphabet):
    return lambda rng: "".join(rng.choices(alphabet, k=16384))


def random_bytes(rng):
    return rng.randbytes(16384).decode("utf-8", "replace")


WORDS = [f"{'bcdfghklmnprst'[i % 14]}{'aeiou'[i % 5]}{'nrstlm'[i % 6]}{i:x}" for i in range(30000)]
CJK = [chr(c) for c in range(0x4E00, 0x9FA6)]
COMBINING = [chr(c) for c in range(0x300, 0x340)]
EMOJI = ["\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F44D\U0001F3FD", "\U0001F1E9\U0001F1EA", "\u2764\ufe0f", "\U0001F600"]

# Name: how a chunk of the text is made.
TEXTS = {
    "letter": lambda: repeated("a"),
    "letters": lambda: drawn(string.ascii_lowercase),
    "letter-words": lambda: repeated("a "),
    "letter-lines": lambda: repeated("a\n"),
    "newlines": lambda: repeated("\n"),
    "spaces": lambda: repeated(" "),
    "lines": lambda: numbered("%x\n"),
    "words": lambda: numbered("%d "),
    "known-words": lambda: lambda rng: " ".join(rng.choices(WORDS, k=4096)) + " ",
    "sentences": lambda: lambda rng: "".join(" ".join(rng.choices(WORDS, k=8)) + ". " for _ in range(512)),
    "short-sentences": lambda: repeated("A. "),
    "bytes": lambda: random_bytes,
    "cjk": lambda: drawn(CJK),
    "marks": lambda: lambda rng: "".join("e" + "".join(rng.choices(COMBINING, k=3)) for _ in range(4096)),
    "emoji": lambda: lambda rng: "".join(rng.choices(EMOJI, k=4096)),
    "digits": lambda: drawn(string.digits),
    "brackets": lambda: repeated("([{<"),
    "punctuation": lambda: drawn(string.punctuation),
    "escapes": lambda: repeated('"\\'),
    "mail": lambda: numbered("u%x@example.org "),
    "numbers": lambda: numbered("10.1.2.3 555-010-%04d\n"),
    "html": lambda: repeated("<div><p>a b</p>"),
    "comments": lambda: repeated("/* a */ b // c\n# d\n"),
    "code": lambda: numbered("def f%d(x):\n    return '''x''' # y\n"),
    "urls": lambda: repeated('<a href="http://creativecommons.org/licenses/by/4.0/">x</a> '),
}


def write_text(name, path, room, count):
    """Writes count lines of just below room bytes; the length of a text."""
    rng, make, parts, used = random.Random(name), TEXTS[name](), [], 64
    while True:
        chunk = make(rng)
        size = len(json.dumps(chunk, ensure_ascii=False).encode()) - 2
        if used + size > room:
            break
        parts.append(chunk)
        used += size
    text = "".join(parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        for i in range(count):
            f.write(json.dumps({"id": str(i), "text": text, "source": "s"}, ensure_ascii=False) + "\n")
    return len(text.encode())


def vocabulary():
    pieces = list(string.printable.strip()) + CJK + WORDS[:3000] + [a + b for a in string.ascii_lowercase for b in string.ascii_lowercase]
    return list(dict.fromkeys(pieces))


def write_tokenizers(folder):
    """Tokenizers of the kinds that BERT, T5 and XLM-R have."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = vocabulary()
    words = ["[UNK]"] + pieces + ["##" + p for p in pieces if len(p) < 4 and p.isascii()]
    common = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "post_processor": None}
    wordpiece = common | {
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                  "vocab": {w: i for i, w in enumerate(words)}},
    }
    scored = [["<unk>", 0.0], ["\u2581", -2.0]] + [[p, -3.0 - i / 10000] for i, p in enumerate(pieces)] + [["\u2581" + p, -4.0 - i / 10000] for i, p in enumerate(pieces[:90])]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    unigram = common | {
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": metaspace,
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": scored},
    }
    whole = unigram | {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": metaspace | {"split": False},
    }
    split = unigram | {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}}
    made = {"wordpiece": wordpiece, "unigram": unigram, "unigram-whole": whole, "unigram-split": split}
    for name, t in made.items():
        (folder / (name + ".json")).write_text(json.dumps(t, ensure_ascii=False))
    return {name: folder / (name + ".json") for name in made}


TAGGERS = """gopher_v1 gopher_v2 c4_v1 c4_v2 pii_regex_v1 pii_regex_v2 pii_regex_with_counts_v2 pii_regex_with_counts_fast_v2 fineweb_v1
 bytes_length_v1 char_length_v1 char_length_strip_ws_v1 char_length_with_paragraphs_v1 doc_count_v1 random_number_v1
 not_alphanum_paragraph_v1 repetitions_v1 paragraph_repetitions_v1 olmo_pretokenizer_v1 olmo_pretokenizer_with_paragraphs_v1
 uniseg_length_v1 uniseg_length_paragraphs_v1 uniseg_length_paragraphs_with_empty_v1 whitespace_tokenizer_v1 whitespace_tokenizer_with_paragraphs_v1
 cc_re cc_re_fast code_copyright_comments_v1 code_redpajama_taggers_v1 code_starcoder_taggers_v1 code_starcoder_taggers_v2
 lang_id_doc_v1 lang_id_en_doc_v1 lang_id_paragraph_v1 lang_id_en_paragraph_v1""".split()

DEDUPE = {
    "documents": ["--dedupe.documents.attribute_name", "a", "--dedupe.documents.key", "$.text", "--bloom_filter.estimated_doc_count", "1000000"],
    "paragraphs": ["--dedupe.paragraphs.attribute_name", "a", "--bloom_filter.estimated_doc_count", "1000000"],
    "13-grams": ["--dedupe.paragraphs.attribute_name", "a", "--dedupe.paragraphs.by_ngram.ngram_length", "13",
                 "--dedupe.paragraphs.by_ngram.overlap_threshold", "0.5", "--bloom_filter.estimated_doc_count", "1000000"],
    "minhash": ["--dedupe.minhash.attribute_name", "a"],
    "sentences": ["--dedupe.sentences.attribute_name", "a", "--bloom_filter.estimated_doc_count", "1000000"],
    "lines": ["--dedupe.sentences.attribute_name", "a", "--no-dedupe.sentences.split_sentences", "--bloom_filter.estimated_doc_count", "1000000"],
    "substrings": ["--dedupe.substrings.attribute_name", "a", "--memory", "64MB"],  # else a table for all windows that come again
}

MIX = """streams:
- name: s
  documents: [{documents}]
  attributes: [gopher_v2, p]
  output: {{path: {out}}}
  filter:
    syntax: jq
    include: ['.attributes.gopher_v2__gopher_v2__word_count[0][2] >= 0', '(.text | length) > 0']
  span_replacement:
  - {{span: .attributes.p, min_score: 0.5, syntax: jq, replacement: ''}}
"""

CURATE = """tag: {{taggers: [gopher_v2, c4_v2, pii_regex_v2], experiment: rules}}
dedupe:
- dedupe: {{documents: {{attribute_name: dup, key: $.text}}}}
  bloom_filter: {{estimated_doc_count: 1000000}}
- dedupe: {{paragraphs: {{attribute_name: par}}}}
  bloom_filter: {{estimated_doc_count: 1000000}}
streams:
- name: s
  documents: [{documents}]
  attributes: [rules, dup, par]
  output: {{path: {out}}}
  filter:
    syntax: jq
    include: ['(.attributes.rules__gopher_v2__word_count // [[0, 0, 0]])[0][2] >= 0']
  span_replacement:
  - {{span: .attributes.par, min_score: 0.5, syntax: jq, replacement: ''}}
"""


class Bench:
    def __init__(self, args):
        self.olmo, self.work, self.args = str(pathlib.Path(args.olmo).resolve()), pathlib.Path(args.work).resolve(), args
        self.tokenizers = write_tokenizers(self.work / "tokenizers")
        for path in args.tokenizers:
            self.tokenizers[pathlib.Path(path).name.split(".")[0]] = pathlib.Path(path).resolve()

    def stages(self):
        """Name of each stage to a function that, given the documents and an empty folder, prepares it and returns its command."""
        def tag(name):
            return lambda docs, out: ["data", "tag", "--documents", docs, "--taggers", name]

        def dedupe(flags):
            return lambda docs, out: ["data", "dedupe", "--documents", docs, *flags] + (
                ["--bloom_filter.file", out / "bloom.bin"] if any("bloom" in f for f in flags) else [])

        def tokens(path):
            return lambda docs, out: ["data", "tokens", "--documents", docs, "--destination", out / "tokens", "--dtype", "uint32",
                                      "--tokenizer.name_or_path", path, "--tokenizer.eos_token_id", "0"]

        all_ = {f"tag {name}": tag(name) for name in TAGGERS}
        all_ |= {f"dedupe {name}": dedupe(flags) for name, flags in DEDUPE.items()}
        all_ |= {f"tokens {name}": tokens(path) for name, path in self.tokenizers.items()}
        all_ |= {"decontaminate": self.decontaminate, "mix": self.mix, "curate": self.curate, "stat": self.stat}
        for kind in "txt", "html", "csv", "jsonl":
            all_[f"convert {kind}"] = lambda docs, out, kind=kind: self.convert(docs, out, kind, "jsonl.gz")
        all_["convert to parquet"] = lambda docs, out: self.convert(docs, out, "jsonl", "parquet")
        all_["convert parquet"] = self.from_parquet
        return {name: s for name, s in all_.items() if re.search(self.args.stages, name)}

    def decontaminate(self, docs, out):
        text = " ".join(["a"] * 20 + WORDS[:20])
        (out / "evaluations.jsonl").write_text(json.dumps({"question": text, "answer": text}) + "\n")
        return ["data", "decontaminate", "--documents", docs, "--evaluations", out / "evaluations.jsonl", "--find_query_ngrams", "--report", out / "report"]

    def mix(self, docs, out):
        self.run(["data", "tag", "--documents", docs, "--taggers", "gopher_v2"])
        self.run(["data", "dedupe", "--documents", docs, "--dedupe.paragraphs.attribute_name", "p", "--bloom_filter.file", out / "b.bin", "--bloom_filter.estimated_doc_count", "1000000"])
        (out / "mix.yaml").write_text(MIX.format(documents=docs, out=out / "mixed"))
        return ["data", "-c", out / "mix.yaml", "mix"]

    def curate(self, docs, out):
        (out / "curate.yaml").write_text(CURATE.format(documents=docs, out=out / "curated"))
        return ["data", "-c", out / "curate.yaml", "curate"]

    def stat(self, docs, out):
        self.run(["data", "tag", "--documents", docs, "--taggers", "gopher_v2", "c4_v2", "char_length_with_paragraphs_v1"])
        return ["data", "stat", "--attributes", docs.parent.parent / "attributes" / "*" / docs.name, "--report", out / "stat"]

    def convert(self, docs, out, kind, to):
        folder = out / "in"
        folder.mkdir()
        if kind == "jsonl":
            os.link(docs, folder / docs.name)
        else:
            text = self.first(docs)
            for i in range(self.args.documents):
                path = folder / f"{i}.{kind}"
                if kind == "csv":
                    path.write_text("id,text\n%d,\"%s\"\n" % (i, text.replace('"', '""')), encoding="utf-8", newline="")
                elif kind == "html":
                    path.write_text(f"<html><body>{text}</body></html>", encoding="utf-8")
                else:
                    path.write_text(text, encoding="utf-8")
        return ["data", "convert", "--documents", folder, "--destination", out / "out", "--output", to]

    def from_parquet(self, docs, out):
        self.run(["data", "convert", "--documents", docs, "--destination", out / "parquet", "--output", "parquet"])
        return ["data", "convert", "--documents", out / "parquet", "--destination", out / "out"]

    @staticmethod
    def first(docs):
        with open(docs, encoding="utf-8") as f:
            return json.loads(f.readline())["text"]

    def run(self, command):
        """Runs olmo with two workers: peak memory in MB, processor time in seconds, and how it ended."""
        # time runs the program: a child of this one would count this one's memory as its own.
        with open(self.work / "out.txt", "w+") as log:
            p = subprocess.run(["/usr/bin/time", "-f", "%M %U %S", "-o", self.work / "time.txt", self.olmo, *map(str, command), "--processes", str(WORKERS)],
                               stdout=log, stderr=log, cwd=self.work)
            log.seek(0)
            why = log.read().strip().splitlines()[-1:] if p.returncode else []
        kib, user, system = map(float, (self.work / "time.txt").read_text().splitlines()[-1].split())
        return kib * 1024 / 1e6, user + system, f"ended with {p.returncode}: {why}" if p.returncode else ""

    def one(self, stage, docs):
        root = docs.parent.parent
        shutil.rmtree(root / "attributes", ignore_errors=True)
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        return self.run(stage(docs, out))

    def all(self):
        worst = {}
        for text in (t for t in TEXTS if re.search(self.args.texts, t)):
            docs, half = self.work / "w/documents/a.jsonl", self.work / "h/documents/a.jsonl"
            size = write_text(text, docs, int(self.args.mb * (1 << 20)), self.args.documents)
            if self.args.double:
                write_text(text, half, int(self.args.mb * (1 << 19)), self.args.documents)
            for name, stage in self.stages().items():
                mb, s, error = self.one(stage, docs)
                ratio = ""
                if self.args.double:
                    ratio = f"{s / max(self.one(stage, half)[1], 0.01):5.2f}"
                print(f"{name:40} {text:16} {mb:7.0f} MB {s:7.2f} s {ratio} {error}", flush=True)
                w = worst.setdefault(name, [])
                w.append((mb, s, text, size, ratio))
        print("\n| stage | most memory, MB | text | CPU-seconds | most CPU-seconds | text |\n|---|--:|---|--:|--:|---|")
        for name, w in worst.items():
            mb, slow = max(w), max(w, key=lambda r: r[1])
            print(f"| {name} | {mb[0]:.0f} | {mb[2]} | {mb[1]:.1f} | {slow[1]:.1f} | {slow[2]} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--olmo", default="./olmo")
    p.add_argument("--work", required=True)
    p.add_argument("--tokenizers", nargs="*", default=[])
    p.add_argument("--stages", default="")
    p.add_argument("--texts", default="")
    p.add_argument("--documents", type=int, default=4)
    p.add_argument("--mb", type=float, default=16)
    p.add_argument("--double", action="store_true")
    Bench(p.parse_args()).all()


if __name__ == "__main__":
    main()
