#!/usr/bin/env python
"""Writes dion.json: three steps of Muon, NorMuon and Dion in float64 with numpy, after the formulas of the papers and
of Microsoft's dion package (dion/muon.py, normuon.py, dion_reference.py, 2026-08). Dion's QR is numpy's own: only
signs of directions may differ, which cancel in the weights. usage: dion.py > dion.json"""
import json, sys
import numpy as np

NS = [(3.4445, -4.7750, 2.0315)] * 5
PE = [(8.156554524902461, -22.48329292557795, 15.878769915207462), (4.042929935166739, -2.808917465908714, 0.5000178451051316),
      (3.8916678022926607, -2.772484153217685, 0.5060648178503393), (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
      (2.3465413258596377, -1.7097828382687081, 0.42323551169305323)]


def orthogonal(x, coefficients, safety, eps):
    tall = x.shape[0] > x.shape[1]
    y = (x.T if tall else x) / (np.linalg.norm(x) * safety + eps)
    for a, b, c in coefficients:
        A = y @ y.T
        y = a * y + (b * A + c * A @ A) @ y
    return y.T if tall else y


def muon(p, g, m, lr, wd, mu, nesterov, adjust, cautious, v=None, beta2=None):
    m[:] = mu * m + g
    u = mu * m + g if nesterov else m
    u = orthogonal(u, NS, 1, 1e-7) if v is None else orthogonal(u, PE, 1.02, 1e-8)
    if v is not None:
        before = np.linalg.norm(u)
        v[:] = v + ((u * u).mean(1, keepdims=True) - v) * (1 - beta2)
        u = u / (np.sqrt(v) + 1e-8)
        u = u * before / np.linalg.norm(u)
    rows, cols = p.shape
    rate = lr * {"rms_norm": 0.2 * max(rows, cols) ** 0.5, "spectral_norm": (rows / cols) ** 0.5, "none": 1}[adjust]
    p[:] = np.where(p * u >= 0, p * (1 - lr * wd), p) if cautious else p * (1 - lr * wd)
    p -= rate * u


def dion(p, g, m, q, lr, wd, mu):
    m += g
    b = m.T if p.shape[0] < p.shape[1] else m
    left, _ = np.linalg.qr(b @ q)
    right = b.T @ left
    b -= (1 - mu) * left @ right.T  # a view of m
    q[:] = right / (np.linalg.norm(right, axis=0) + 1e-8)
    u = left @ q.T
    p[:] = p * (1 - lr * wd) - lr * (p.shape[0] / p.shape[1]) ** 0.5 * (u.T if p.shape[0] < p.shape[1] else u)


r = np.random.Generator(np.random.PCG64(5))
out = []
for rows, cols, blocks in ((4, 7, 1), (7, 4, 1), (10, 5, 2), (6, 6, 1)):
    for name, kw in (("muon", dict(nesterov=True, adjust="rms_norm", cautious=False)), ("muon", dict(nesterov=False, adjust="spectral_norm", cautious=True)),
                     ("normuon", dict(nesterov=True, adjust="none", cautious=False)), ("normuon", dict(nesterov=False, adjust="rms_norm", cautious=True)), ("dion", dict(rank=2)), ("dion", dict(rank=4))):
        p, grads = r.normal(size=(rows, cols)).round(3), r.normal(size=(3, rows, cols)).round(3)
        m, v = np.zeros_like(p), np.zeros((rows, 1))
        lr, wd, mu, n = 0.02, 0.1, 0.95, rows // blocks
        case = dict(name=name, rows=rows, cols=cols, blocks=blocks, lr=lr, weight_decay=wd, momentum=mu, beta2=0.9, p=p.ravel().tolist(), grads=grads.reshape(3, -1).tolist(), **kw)
        if name == "dion":
            q = [r.normal(size=(min(n, cols), kw["rank"])).round(3) for _ in range(blocks)]
            case["q"] = np.concatenate([x.T.ravel() for x in q]).tolist()
        steps = []
        for g in grads:
            for b in range(blocks):
                s = slice(b * n, (b + 1) * n)
                if name == "dion":
                    dion(p[s], g[s], m[s], q[b], lr, wd, mu)
                else:
                    muon(p[s], g[s], m[s], lr, wd, mu, v=v[s] if name == "normuon" else None, beta2=0.9, **kw)
            steps.append([float(f"{x:.12g}") for x in p.ravel()])
        case["want"] = steps
        out.append(case)
json.dump(out, sys.stdout, separators=(",", ":"))
