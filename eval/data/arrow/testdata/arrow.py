"""Writes arrow.zip: Arrow files by pyarrow, and rows.jsonl, their rows as the package gives them.

    python arrow.py   # in this folder; seen: pyarrow 26.0.1
"""

import datetime
import json
import zipfile

import pyarrow as pa

utc = datetime.timezone.utc
out = zipfile.ZipFile("arrow.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9)
rows = [
    {
        "text": "täglich \"x\"\n", "large": "w", "none": None, "i8": -8, "u8": 200, "i16": -300, "u16": 65535,
        "i32": -70000, "u32": 4000000000, "i64": -(1 << 40), "u64": 1 << 63, "f16": 0.5, "f32": 0.25, "f64": 1e22,
        "yes": True, "list": ["a", None, "c"], "biglist": [1, 2], "three": [1, 2, 3],
        "struct": {"text": ["p", "q"], "label": [0, 1]}, "nested": [[1], [], [2, 3]], "rows": [{"a": 1, "b": None}],
        "map": [("k", 1), ("l", 2)], "bytes": b"\xff\x00", "plain": b"ok", "fixed": b"abcd",
        "day": datetime.date(2024, 2, 29), "moment": datetime.datetime(1969, 12, 31, 23, 59, 59, 500000),
        "zoned": datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=utc), "clock": datetime.time(1, 2, 3, 4000),
        "kind": "red",
    },
]
rows.append({k: None for k in rows[0]})
rows.append({**rows[0], "text": "", "list": [], "yes": False, "kind": "blue", "map": [], "day": datetime.date(1960, 1, 1)})
schema = pa.schema([
    ("text", pa.string()), ("large", pa.large_string()), ("none", pa.null()), ("i8", pa.int8()), ("u8", pa.uint8()),
    ("i16", pa.int16()), ("u16", pa.uint16()), ("i32", pa.int32()), ("u32", pa.uint32()), ("i64", pa.int64()),
    ("u64", pa.uint64()), ("f16", pa.float16()), ("f32", pa.float32()), ("f64", pa.float64()), ("yes", pa.bool_()),
    ("list", pa.list_(pa.string())), ("biglist", pa.large_list(pa.int64())), ("three", pa.list_(pa.int32(), 3)),
    ("struct", pa.struct([("text", pa.list_(pa.string())), ("label", pa.list_(pa.int64()))])),
    ("nested", pa.list_(pa.list_(pa.int8()))), ("rows", pa.list_(pa.struct([("a", pa.int32()), ("b", pa.string())]))),
    ("map", pa.map_(pa.string(), pa.int32())), ("bytes", pa.binary()), ("plain", pa.large_binary()), ("fixed", pa.binary(4)),
    ("day", pa.date32()), ("moment", pa.timestamp("us")), ("zoned", pa.timestamp("ms", tz="UTC")), ("clock", pa.time64("us")),
    ("kind", pa.dictionary(pa.int8(), pa.string())),
])


def plain(v):
    if isinstance(v, bytes):
        return v.decode() if v.isascii() else "/wA="
    if isinstance(v, datetime.datetime):
        return v.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if v.tzinfo else ".5")
    if isinstance(v, datetime.time):
        return v.strftime("%H:%M:%S.") + "004"
    if isinstance(v, datetime.date):
        return v.isoformat()
    return v


lines = ""
for r in rows:
    r = {k: plain(v) for k, v in r.items()}
    if r["map"] is not None:
        r["map"] = dict(r["map"])
    lines += json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n"
out.writestr("rows.jsonl", lines)

table = pa.Table.from_pylist(rows, schema=schema)
batches = table.to_batches(max_chunksize=2)


def write(name, new, batches=batches, schema=schema, **options):
    sink = pa.BufferOutputStream()
    with new(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        for b in batches:
            w.write_batch(b)
    out.writestr(name, sink.getvalue().to_pybytes())


write("stream.arrow", pa.ipc.new_stream)
write("file.arrow", pa.ipc.new_file)
write("zstd.arrow", pa.ipc.new_stream, compression="zstd")
write("lz4.arrow", pa.ipc.new_stream, compression="lz4")
write("legacy.arrow", pa.ipc.new_stream, use_legacy_format=True)
# Not every batch begins where its buffers do.
write("slice.arrow", pa.ipc.new_stream, [pa.Table.from_pylist([rows[0]] + rows, schema=schema).to_batches()[0].slice(1)])
decimal = pa.table({"price": pa.array([1], pa.decimal128(5, 2))})
write("decimal.arrow", pa.ipc.new_stream, decimal.to_batches(), decimal.schema)
damaged = pa.table({"name": pa.array([b"ok", b"\xff"], pa.binary())})
damaged = pa.RecordBatch.from_arrays([pa.Array.from_buffers(pa.string(), 2, damaged["name"].chunk(0).buffers())], ["name"])
write("bytes.arrow", pa.ipc.new_stream, [damaged], damaged.schema)
nothing = pa.record_batch([pa.nulls(3_000_000)], names=["a"])
write("nothing.arrow", pa.ipc.new_stream, [nothing], nothing.schema)
out.close()
