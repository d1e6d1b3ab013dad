# Writes reference.json: what NumPy 2.4, SciPy 1.17 and statsmodels 0.15 say of small samples.
import json, random
from scipy import stats
import numpy as np
import statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

r = random.Random(14)
means = []
for n in (2, 3, 10, 57):
    x = [r.gauss(1, 2) for _ in range(n)]
    cluster = [f"p{r.randrange(max(2, n // 3))}" for _ in range(n)]
    if len(set(cluster)) < 2:
        cluster[0] = "alone"
    fit = sm.OLS(x, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": np.unique(cluster, return_inverse=True)[1]})
    t = stats.ttest_1samp(x, 0)
    means.append({"x": x, "cluster": cluster, "mean": float(np.mean(x)), "stderr": float(stats.sem(x)),
        "clustered": float(fit.bse[0]), "t": float(t.statistic), "p": float(t.pvalue),
        "ci": [float(v) for v in t.confidence_interval(0.95)],
        "percentiles": [float(v) for v in np.percentile(x, [2.5, 97.5])]})
wilson = [{"k": k, "n": n, "ci": [float(v) for v in proportion_confint(k, n, method="wilson")]}
    for k, n in ((0, 5), (5, 5), (1, 3), (37, 100), (4999, 10042), (0, 1))]
tables = [{"a": a, "b": b, "p": float(mcnemar([[0, a], [b, 0]], exact=True).pvalue)}
    for a, b in ((0, 0), (0, 1), (0, 6), (3, 3), (5, 12), (40, 61), (300, 420), (1200, 1210), (0, 900), (7, 5000))]
holm = []
for n in (1, 2, 7):
    p = [r.random() ** 3 for _ in range(n)]
    holm.append({"p": p, "adjusted": [float(v) for v in multipletests(p, method="holm")[1]]})
points = [{"freedom": f, "point": float(stats.t.ppf(0.975, f))} for f in (1, 2, 3, 9, 56, 999, 100000)]
# The difference that n differences of deviation 1 find in 80 % of all cases at 5 %; the far
# tail, which the formula leaves out, does not matter there.
power = [{"n": n, "difference": float(NormalIndPower(ddof=0).solve_power(nobs1=n, alpha=0.05, power=0.8, ratio=0))} for n in (20, 400, 10000)]
fisher = [{"table": [a, b, c, d], "p": float(stats.fisher_exact([[a, b], [c, d]]).pvalue)}
    for a, b, c, d in ((0, 1, 1, 0), (3, 1, 1, 3), (40, 60, 5, 20), (700, 300, 12, 3), (0, 10, 0, 4), (5000, 5042, 31, 12), (2, 8, 8, 2), (7, 7, 7, 7))]
welch = []
for n, m in ((2, 2), (5, 40), (300, 7)):
    x, y = [r.gauss(1, 2) for _ in range(n)], [r.gauss(1.5, 0.5) for _ in range(m)]
    t = stats.ttest_ind(y, x, equal_var=False)
    welch.append({"x": x, "y": y, "t": float(t.statistic), "freedom": float(t.df), "p": float(t.pvalue),
        "ci": [float(v) for v in t.confidence_interval(0.95)]})
json.dump({"fisher": fisher, "welch": welch, "means": means, "wilson": wilson, "mcnemar": tables, "holm": holm, "points": points, "power": power},
    open("reference.json", "w"), indent=1)
