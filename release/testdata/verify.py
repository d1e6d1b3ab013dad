#!/usr/bin/env python3
"""A second opinion on a release: python3 verify.py RELEASE

Follows the words of docs/verification.md with Python's standard library alone, and shares nothing
with the program that makes releases. It stops at the first fault; 'olmo verify' lists all of them.
"""
import csv, glob, gzip, hashlib, io, json, os, struct, sys

def sha(b): return hashlib.sha256(b).digest()

def root(leaves):  # RFC 6962, 2.1, over the strings of leaves
    level = [sha(b"\0" + leaf) for leaf in leaves]
    while len(level) > 1:  # an odd one at the end goes up as it is
        level = [sha(b"\1" + level[i] + level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0].hex() if level else sha(b"").hex()

def once(pairs):
    names = [k for k, _ in pairs]
    expect(len(names) == len(set(names)), "a member is there twice")
    return dict(pairs)

def parse(text): return json.loads(text, object_pairs_hook=once)

def canonical(v):  # RFC 8785
    if isinstance(v, dict):
        names = sorted(v, key=lambda k: k.encode("utf-16-be"))
        return "{" + ",".join(canonical(k) + ":" + canonical(v[k]) for k in names) + "}"
    if isinstance(v, list): return "[" + ",".join(map(canonical, v)) + "]"
    if isinstance(v, bool) or v is None or isinstance(v, str): return json.dumps(v, ensure_ascii=False)
    x = float(v)
    if x == 0: return "0"
    mantissa, _, exponent = repr(abs(x)).partition("e")  # the shortest digits that are this number
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits, point = (whole + part).lstrip("0"), len(whole) + int(exponent or 0)
    point -= len(whole + part) - len(digits) if whole.strip("0") == "" else 0
    digits = digits.rstrip("0")
    n = len(digits)
    if n <= point <= 21: s = digits + "0" * (point - n)
    elif 0 < point <= 21: s = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0: s = "0." + "0" * -point + digits
    else: s = digits[0] + ("." + digits[1:] if n > 1 else "") + "e%+d" % (point - 1)
    return ("-" if x < 0 else "") + s

def expect(ok, *what):
    if not ok: sys.exit(" ".join(map(str, what)))

def tensors(*files):  # leaves of the tensors of some files together, in byte order of names
    leaves = []
    for f in files:
        b = read(f)
        n, = struct.unpack("<Q", b[:8])
        for name, t in parse(b[8:8 + n]).items():
            if name == "__metadata__": continue
            begin, end = (8 + n + x for x in t["data_offsets"])
            shape = ",".join(map(str, t["shape"]))
            leaves.append((name.encode(), b"%s\0%s\0%s\0" % (name.encode(), t["dtype"].encode(), shape.encode()) + sha(b[begin:end])))
    return root([leaf for _, leaf in sorted(leaves)])

def read(path):
    with open(os.path.join(top, path), "rb") as f: return f.read()

def packed(path): return gzip.decompress(read(path))

top = sys.argv[1]
m = parse(read("release.json"))
expect(m["format"] == "olmo release 1", "another format")

# Every file, and none beside them.
there = {os.path.relpath(os.path.join(d, f), top).replace(os.sep, "/") for d, _, names in os.walk(top) for f in names}
expect(there - {"release.json", "release.sig"} == {f["path"] for f in m["files"]}, "the list of files is not what is there")
leaves = []
for f in m["files"]:
    b = read(f["path"])
    expect(len(b) == f["size"] and sha(b).hex() == f["sha256"], f["path"], "is another file")
    leaves.append(b"%s\0%d\0" % (f["path"].encode(), f["size"]) + sha(b))
expect(root(leaves) == m["files_root"], "files_root")

# The chain: each line's hash is over the one before and the line without it.
lines, states, before = [], {}, b""
for text in read("train/chain.jsonl").split(b"\n")[:-1]:
    body, _, tail = text.rpartition(b',"hash":"')
    before = sha(before + body + b"}")
    line = parse(text)
    expect(line["hash"] == before.hex() and tail == before.hex().encode() + b'"}', "the chain breaks at step", line["step"])
    expect(not lines or line["step"] == lines[-1]["step"] + ("instances" in line), "a step is missing at", line["step"])
    lines.append(line)
    if "weights" in line: states[line["step"]] = line
steps = [line for line in lines if "instances" in line]
run = m["run"]
expect((run["steps"], run["chain_head"], run["steps_root"]) == (lines[-1]["step"], before.hex(), root(read("train/chain.jsonl").split(b"\n")[:-1])), "run")
expect(sha(read("train/recipe.json")).hex() == lines[0]["recipe"], "recipe.json")
if lines[0]["tokenizer"]: expect(sha(read(m["tokenizer"]["path"])).hex() == lines[0]["tokenizer"], "tokenizer")

# The states of the run, and its models.
for folder in sorted(glob.glob(glob.escape(top) + "/train/step*")):
    name = "train/" + os.path.basename(folder)
    state = states.get(int(name[len("train/step"):]))
    if not state: continue  # tensors.jsonl alone knows it
    expect(tensors(name + "/model.safetensors") == state["weights"] and tensors(name + "/optim.safetensors") == state["optim"], name)
    counters = parse(read(name + "/train.json"))
    for member in "chain", "data_fingerprint", "world_size", "unjudged": counters.pop(member, None)
    expect(sha(canonical(counters).encode()).hex() == state["state"], name + "/train.json")
for r in m["revisions"]:
    shards = sorted(f for f in there if os.path.dirname(f) == r["path"] and f.endswith(".safetensors"))
    expect(tensors(*shards) == r["weights_root"], r["path"])

# The documents of the token files.
width = {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8}[m["data"]["dtype"]]
leaves, files = [], {}
for path in sorted((f for f in there if f.startswith("data/tokens/") and f.removesuffix(".npy") + ".csv.gz" != f and not f.endswith(".csv.gz")), key=str.encode):
    name, b, at = path[len("data/tokens/"):], read(path), 0
    places = path.removesuffix(".npy") + ".csv.gz"
    rows = list(csv.reader(io.StringIO(packed(places).decode(), newline=""))) if places in there else []
    ends = [(int(r[0]), int(r[1]), r[2]) for r in rows]
    if (ends[-1][1] if ends else 0) < len(b) // width: ends.append((ends[-1][1] if ends else 0, len(b) // width, ""))
    for start, end, id in ends:
        expect(start == at, path, "has a gap at", at)
        at = end
        leaves.append(b"%s\0%d\0%d\0%s\0" % (name.encode(), start, end, id.encode()) + sha(b[start * width:end * width]))
    files[name] = b
if lines[0]["documents"]: expect(root(leaves) == lines[0]["documents"] == m["data"]["documents_root"], "documents_root")

# What each step was trained on, and what the log says of it.
ranks = [packed(f).decode().splitlines() for f in sorted((f for f in there if f.startswith("train/data-indices/")), key=lambda f: int(f[len("train/data-indices/rank"):-len(".tsv.gz")]))]
recipe = parse(read("train/recipe.json"))
length = recipe["model"]["max_sequence_length"]
place = [(n, i * length) for n in recipe["data"]["paths"] or [] for i in range(len(files.get(n, b"")) // width // length)]
log = {r["step"]: r for r in map(parse, read("train/metrics.jsonl").splitlines())}
for k, s in enumerate(steps):
    rows = [rank[k].split("\t") for rank in ranks]
    expect(all(int(r[0]) == s["step"] for r in rows), "data-indices of step", s["step"])
    instances = [int(i) for r in rows for i in r[1:]]
    expect(sha(struct.pack("<%dI" % len(instances), *instances)).hex() == s["instances"], "instances of step", s["step"])
    if recipe["data"]["name"] == "fsl" and recipe["data"]["paths"]:
        batch = b"".join(files[n][a * width:(a + length) * width] for n, a in (place[i] for i in instances))
        expect(sha(batch).hex() == s["tokens"], "tokens of step", s["step"])
    r = log[s["step"]]
    bits = [struct.pack(">d", float(r[key])).hex() for key in ("train/CrossEntropyLoss", "optim/total_grad_norm")]
    expect([r["chain"], *bits] == [s["hash"], s["loss"], s["grad_norm"]], "the log at step", s["step"])
print("%s: %d files, %d steps, %d documents: as it says" % (top, len(m["files"]), len(steps), len(leaves)))
