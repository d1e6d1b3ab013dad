"""Times `olmo bench generate` beside llama.cpp's llama-bench, in turn, on the same GGUF files.

    python3 benchmarks/inference/compare.py --olmo ./olmo --llama-bench PATH [--rounds 3] FILE.gguf[:PRECISION]…

For each file and for one and two threads: tokens/s of a prompt of 512 and of 128 tokens after an empty context
(llama-bench's pp512 and tg128), medians, their ratio, and the peak memory of olmo. PRECISION is int8 unless given.
"""

import argparse
import json
import os
import statistics
import subprocess


def olmo(a, file, precision, threads, prompt, tokens):
    env = dict(os.environ, OLMO_THREADS=str(threads))
    args = [a.olmo, "bench", "generate", "--model", file, "--precision", precision, "--repeats", "1", "--json"]
    out = subprocess.run(args + ["--prompt-tokens", str(prompt), "--max-tokens", str(tokens)], env=env, check=True, capture_output=True)
    return json.loads(out.stdout)


def llama(a, file, threads):
    args = [a.llama_bench, "-m", file, "-p", "512", "-n", "128", "-t", str(threads), "-r", "1", "-o", "json"]
    rows = json.loads(subprocess.run(args, check=True, capture_output=True).stdout)
    return {"prompt" if r["n_gen"] == 0 else "decoding": r["avg_ts"] for r in rows}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--olmo", required=True)
    p.add_argument("--llama-bench", required=True)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("files", nargs="+")
    a = p.parse_args()
    seen = {}
    for _ in range(a.rounds):
        for threads in 1, 2:
            for name in a.files:
                file, _, precision = name.partition(":")
                precision = precision or "int8"
                one = olmo(a, file, precision, threads, 512, 2)
                two = olmo(a, file, precision, threads, 1, 128)
                it = llama(a, file, threads)
                seen.setdefault((name, threads), []).append((
                    one["prefill_tokens_per_second"], it["prompt"], two["decode_tokens_per_second"], it["decoding"], one["peak_rss_bytes"] / 1e6))
    print("| file | threads | prompt, olmo | llama.cpp | | decoding, olmo | llama.cpp | | MB |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for (name, threads), runs in sorted(seen.items()):
        pp, lp, d, ld, mb = (statistics.median(x) for x in zip(*runs))
        print(f"| {os.path.basename(name)} | {threads} | {pp:.0f} | {lp:.0f} | {pp / lp:.2f} | {d:.0f} | {ld:.0f} | {d / ld:.2f} | {mb:.0f} |")


main()
