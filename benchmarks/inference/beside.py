"""Asks an `olmo serve` what shared beginnings save, and how long a stream stands still beside a long prompt.

    olmo serve --model MODEL --precision int8 --port 8080 &
    python3 benchmarks/inference/beside.py http://127.0.0.1:8080

The model needs 4,000 positions and 40,000 ids.
"""

import json
import random
import sys
import threading
import time
import urllib.request


def ids(n, seed):
    r = random.Random(seed)
    return [r.randrange(1000, 40000) for _ in range(n)]


def post(body):
    q = urllib.request.Request(sys.argv[1] + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    return urllib.request.urlopen(q)


def timed(prompt):
    begin = time.time()
    post({"prompt": prompt, "max_tokens": 1, "temperature": 0}).read()
    return time.time() - begin


timed(ids(10, 99))
for i in range(3):
    first = ids(2000, i)
    a, b = timed(first), timed(first[:1900] + ids(100, 100 + i))
    print(f"a prompt of 2,000 tokens {a:.3f} s, one that shares 1,900 of them {b:.3f} s: {b / a:.3f}")
for i in range(2):
    times, stop = [], threading.Event()

    def stream():
        body = {"prompt": ids(20, 7 + i), "max_tokens": 600, "temperature": 0, "stream": True, "ignore_eos": True, "return_token_ids": True}
        for line in post(body):
            if line.startswith(b"data: {"):
                times.append(time.time())
            if stop.is_set():
                return

    reader = threading.Thread(target=stream)
    reader.start()
    time.sleep(0.5)
    begin = time.time()
    took = timed(ids(3000, 50 + i))
    end = time.time()
    stop.set()
    reader.join()
    gaps = [(b - a) for a, b in zip(times, times[1:]) if begin <= b <= end + 0.5]
    print(f"a prompt of 3,000 tokens read in {took:.2f} s, the stream stood still for {max(gaps):.3f} s at most: {max(gaps) / took:.3f}; {len(gaps)} tokens meanwhile")
