# Writes diff.json: what SciPy 1.17 and statsmodels 0.15 say of the two runs of diff_test.go.
import json
import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

def run(right, shift):
    i = np.arange(len(right))
    return np.array([int(c) for c in right], float), 2 + np.sin(i) + shift * (1 + np.cos(3 * i))

accA, lossA = run("0110100110010110100101100110100110010110", 0)
accB, lossB = run("1110110111011110101101110111101111110110", 0.1)
n = len(accA)
gold = np.arange(n) % 2

def f1(picked, keep):
    p, g = picked[keep], gold[keep]
    return 2 * np.sum((p == 1) & (g == 1)) / (np.sum(p == 1) + np.sum(g == 1))

def perplexity(loss, keep):
    return np.exp(np.mean(loss[keep]))

def row(test, a, b, d, alone):
    """d: numbers in whose mean the documents have their part."""
    se = stats.sem(d)
    z = stats.norm.ppf(0.975) if test == "mcnemar" else stats.t.ppf(0.975, n - 1)
    p = mcnemar([[0, alone[0]], [alone[1], 0]], exact=True).pvalue if test == "mcnemar" else stats.ttest_1samp(d, 0).pvalue
    return {"test": test, "a": a, "b": b, "delta": b - a, "stderr": se, "p": p, "ci": [b - a - z * se, b - a + z * se],
        "mde": (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * se, "only_a": int(alone[0]), "only_b": int(alone[1])}

def jackknife(figure, a, b):
    all = np.ones(n, bool)
    whole = figure(b, all) - figure(a, all)
    out = []
    for i in range(n):
        keep = all.copy(); keep[i] = False
        out.append(n * whole - (n - 1) * (figure(b, keep) - figure(a, keep)))
    return figure(a, all), figure(b, all), np.array(out)

def alone(a, b): return (np.sum(a > b), np.sum(b > a))

rows = {"acc": row("mcnemar", accA.mean(), accB.mean(), accB - accA, alone(accA, accB)),
    "loss": row("t", lossA.mean(), lossB.mean(), lossB - lossA, alone(lossA, lossB))}
a, b, d = jackknife(f1, accA, accB)
one = lambda x: np.where((x == 1) & (gold == 1), 1.0, 0.0)  # F1 of a single document
rows["f1"] = row("t", a, b, d, alone(one(accA), one(accB)))
a, b, d = jackknife(perplexity, lossA, lossB)
rows["perplexity"] = row("t", a, b, d, alone(lossA, lossB))
names = sorted(rows)
for name, p in zip(names, multipletests([rows[k]["p"] for k in names], method="holm")[1]):
    rows[name]["adjusted"] = p
json.dump(rows, open("diff.json", "w"), indent=1, default=float)
