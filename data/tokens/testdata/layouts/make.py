"""Instances and orders of OLMo-core's data sets and loaders, for layout_test.go.

Made with ai2-olmo-core 3.0.0, numpy 1.26.4 and torch 2.15.0:
    python make.py   (in this folder; writes tokens-*.npy, mask-*.npy and layouts.json)

One thing is changed in OLMo-core: packing sorts documents with a stable argsort, since
the order of equally long ones is the processor's otherwise.
"""
import hashlib, json, os, shutil, tempfile
import numpy as np, torch
from olmo_core.data import numpy_dataset as nd, utils
from olmo_core.data.data_loader import NumpyFSLDataLoader, NumpyVSLDataLoader
from olmo_core.data.collator import DataCollator

EOS, PAD = 0, 1
rng = np.random.Generator(np.random.PCG64(7))
paths, masks = [], []
for i, n in enumerate((9000, 7000, 4000)):
    ids = rng.integers(2, 500, n).astype(np.uint16)
    at = 0
    while True:  # lengths over several powers of two
        at += 1 + int(np.exp(rng.uniform(0, 6.5)))
        if at > n:
            break
        ids[at - 1] = EOS
    ids[200:280] = 9  # a repetition for the filter
    if i == 2:
        ids[-3:] = 77  # tokens after the last end of text
    ids.tofile(f"tokens-{i}.npy"); (rng.random(n) < 0.8).astype(np.bool_).tofile(f"mask-{i}.npy")
    paths.append(f"tokens-{i}.npy"); masks.append(f"mask-{i}.npy")

plain = np.argsort
utils.np.argsort = lambda a, **k: plain(a, kind="stable")
common = dict(pad_token_id=PAD, eos_token_id=EOS, vocab_size=500, dtype=np.uint16)
flt = nd.InstanceFilterConfig(repetition_max_period=13, repetition_min_period=1, repetition_max_count=32)

def drain(ds, loader, world, T, batch, seed, epoch):
    """Every batch of every rank."""
    work = tempfile.mkdtemp()
    ds.work_dir = work
    ds.prepare()
    out, ids, label, inst = [], hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    loaders = [loader(ds, collator=DataCollator(pad_token_id=PAD), global_batch_size=batch, work_dir=work, seed=seed, num_threads=0,
                      dp_world_size=world, dp_rank=r, fs_local_rank=0) for r in range(world)]
    for l in loaders:
        l.reshuffle(epoch=epoch)
    for group in zip(*loaders):
        out.append(dict(T=group[0]["input_ids"].shape[1], ranks=[[int(i) for i in b["index"]] for b in group]))
        for b in group:
            ids.update(b["input_ids"].numpy().astype("<i4").tobytes())
            if "label_mask" in b: label.update(b["label_mask"].numpy().astype(np.uint8).tobytes())
            if "instance_mask" in b: inst.update(b["instance_mask"].numpy().astype(np.uint8).tobytes())
    shutil.rmtree(work)
    return dict(instances=len(ds), batches=out, ids=ids.hexdigest(), label_mask=label.hexdigest(), instance_mask=inst.hexdigest())

cases = []
for name, cycles, balanced in (("natural", 0, False), ("grow_p2", 2, False), ("grow_p2", 3, True), ("grow_linear", 2, False), ("grow_linear", 1, True), ("grow_linear", 3, False)):
    for seed, epoch, world, batch in ((6198, 1, 1, 128), (6198, 2, 2, 256)):
        cur = nd.VSLCurriculumConfig(name=name, **({} if name == "natural" else dict(num_cycles=cycles, balanced=balanced))).build()
        ds = nd.NumpyVSLDataset(*paths, max_sequence_length=128, min_sequence_length=8, curriculum=cur, instance_filter_config=flt, **common)
        try:
            r = drain(ds, NumpyVSLDataLoader, world, 128, batch, seed, epoch)
        except (AssertionError, ValueError):
            print("OLMo-core fails:", name, cycles, balanced, batch)
            continue
        cases.append(dict(layout="vsl", chunk=128, min_length=8, curriculum=dict(Name=name, NumCycles=cycles, Balanced=balanced), seed=seed, epoch=epoch, world=world, batch=batch // 128, **r))
for masked in (False, True):
    for world in (1, 2):
        kw = dict(sequence_length=64, instance_filter_config=flt, label_mask_paths=masks if masked else None, **common)
        sets = [("padded_fsl", {}, nd.NumpyPaddedFSLDataset(*paths, **kw)),
                ("packed_fsl", dict(long="truncate"), nd.NumpyPackedFSLDataset(*paths, **kw)),
                ("packed_fsl", dict(long="fragment", group=2), nd.NumpyPackedFSLDataset(*paths, long_doc_strategy=nd.LongDocStrategy.fragment, source_group_size=2, **kw)),
                ("interleaved_fsl", dict(docs=4, chunks=2), nd.NumpyInterleavedFSLDataset(*paths, seed=11, docs_per_instance=4, chunks_per_doc=2, **kw)),
                ("interleaved_fsl", dict(docs=2, chunks=4, exempt=[paths[1]]), nd.NumpyInterleavedFSLDataset(*paths, seed=12, docs_per_instance=2, chunks_per_doc=4, interleaving_exempt_paths=[paths[1]], **kw))]
        for layout, extra, ds in sets:
            r = drain(ds, NumpyFSLDataLoader, world, 64, 4 * 64, 6198, 1)
            cases.append(dict(layout=layout, chunk=64, masked=masked, seed=6198, epoch=1, world=world, batch=4, interleave_seed=11 if extra.get("docs") == 4 else 12, **extra, **r))
json.dump(cases, open("layouts.json", "w"), separators=(",", ":"))
print(len(cases), os.path.getsize("layouts.json"))
